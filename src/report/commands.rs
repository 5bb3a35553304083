//! The commands that make something again, or make what is missing.

use crate::config::{AttackName, AttackSpec, Ensemble, Eps, Overrides, Suite, Threat};
use crate::protocol::event::Split;
use crate::sweep::plan::{Curve, Doubts, Evaluate};
use std::fmt::Write;
use std::path::Path;

pub use crate::run::advice::quoted;

/// An evaluation of a run with one attack as it was made: whatever differs from the attack's usual settings is said.
pub fn eval(run: &Path, ensemble: &Ensemble, split: Split, images: u64, classes: usize) -> String {
    let mut command = format!("rematch eval {}", quoted(run));
    let Some(spec) = ensemble.members.first() else { return command };
    let suite = Suite::ALL.iter().any(|suite| suite.name() == ensemble.name);
    let _ = write!(command, " --attack {}", if suite { ensemble.name.as_str() } else { spec.name.name() });
    let threat = Threat { norm: spec.norm, eps: spec.eps };
    let usual = Ensemble::single(spec.name, threat, classes, spec.seed, Overrides::default());
    if let (false, Ok((usual, _))) = (suite, usual)
        && let Some(usual) = usual.members.first()
    {
        command += &settings(spec, usual);
    }
    let _ = write!(command, " --norm {} --eps {}", spec.norm.name(), exact(spec.eps));
    let _ = write!(command, " --split {} --images {images} --seed {}", split.name(), spec.seed);
    command
}

/// As short as it can be without being another number.
fn exact(eps: Eps) -> String {
    let short = eps.to_string();
    if short.parse() == Ok(eps) { short } else { eps.0.to_string() }
}

fn settings(spec: &AttackSpec, usual: &AttackSpec) -> String {
    let mut words = String::new();
    if spec.steps != usual.steps {
        let _ = write!(words, " --steps {}", spec.steps);
    }
    if spec.restarts != usual.restarts {
        let _ = write!(words, " --restarts {}", spec.restarts);
    }
    if spec.targets != usual.targets {
        let _ = write!(words, " --targets {}", spec.targets);
    }
    let in_proportion = usual.step_size.0 * f64::from(usual.steps) / f64::from(spec.steps.max(1));
    if spec.name == AttackName::Pgd && (spec.step_size.0 - in_proportion).abs() > 1e-9 {
        let _ = write!(words, " --step-size {}", spec.step_size.0);
    }
    words
}

/// The evaluation that a sweep asks for, of one of its runs.
pub fn asked(run: &Path, evaluate: &Evaluate, attacks: &[&str]) -> String {
    let mut command = format!("rematch eval {} --attack {}", quoted(run), attacks.join(","));
    if let Some(images) = evaluate.images {
        let _ = write!(command, " --images {images}");
    }
    let _ = write!(command, " --split {} --seed {}", evaluate.split, evaluate.seed);
    match evaluate.curve {
        Curve::Yes => command += " --curve",
        Curve::No => {}
    }
    match evaluate.doubts {
        Doubts::Skip => command += " --no-doubts",
        Doubts::Look => {}
    }
    command
}

/// Going on with a sweep, or making all of it.
pub fn sweep(folder: &Path) -> String {
    format!("rematch sweep {}", quoted(folder))
}

/// Training a run again from its resolved config, under a name of its own.
pub fn train(run: &Path, id: &str, threads: Option<u64>) -> String {
    let threads = threads.map_or_else(String::new, |threads| format!(" --threads {threads}"));
    let name: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).take(74).collect();
    format!("rematch train {} --name {name}-again{threads}", quoted(&run.join("config.toml")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Norm;

    const THREAT: Threat = Threat { norm: Norm::Linf, eps: Eps(8.0 / 255.0) };

    #[test]
    fn an_evaluation_is_asked_for_with_what_is_not_usual() {
        let of = |ensemble: &Ensemble| eval(Path::new("runs/a b"), ensemble, Split::Test, 500, 10);
        let suite = Ensemble::suite(Suite::AutoAttack, THREAT, 10, 3).0;
        let rest = "--norm linf --eps 8/255 --split test --images 500 --seed 3";
        assert_eq!(of(&suite), format!("rematch eval 'runs/a b' --attack autoattack {rest}"));
        let spec = AttackSpec::pgd(THREAT, 50, 10, 3);
        let pgd = Ensemble { name: spec.short(), members: vec![spec] };
        assert_eq!(of(&pgd), format!("rematch eval 'runs/a b' --attack pgd --steps 50 --restarts 10 {rest}"));
        let usual = Ensemble::single(AttackName::ArtAutopgd, THREAT, 10, 3, Overrides::default()).unwrap().0;
        assert_eq!(of(&usual), format!("rematch eval 'runs/a b' --attack art-autopgd {rest}"));
    }

    #[test]
    fn names_are_words_for_a_shell() {
        assert_eq!(quoted(Path::new("it's")), r"'it'\''s'");
        assert_eq!(train(Path::new("runs/λ"), "λ x", Some(2)), "rematch train runs/λ/config.toml --name --x-again --threads 2");
    }
}
