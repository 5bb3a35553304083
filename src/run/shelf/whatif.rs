//! Natural and adversarial accuracy against lambda, over the finished runs of one config: the trade that a person steers in.
//!
//! Only numbers of one measure stand together. A run that was steered by hand, or began with another's weights, has no one lambda and is
//! kept apart; means are over seeds of runs that nobody touched.

use super::Facts;
use super::measure::{Measure, Number, usual};
use crate::config::{Answer, Config};
use crate::protocol::Dial;
use crate::protocol::event::{DataFacts, Started};
use crate::run::listing::Standing;
use crate::run::places::with_places_of;

#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    pub source: Source,
    pub measure: Measure,
    /// By lambda, the smallest first; at least two.
    pub points: Vec<Point>,
    pub steered: Vec<Steered>,
    /// Finished runs of this config without such a number.
    pub left_out: usize,
}

/// Which number of each run it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Test,
    BestProbe,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "final test",
            Self::BestProbe => "best probe",
        }
    }
}

/// Runs of one lambda.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub lambda: f64,
    pub runs: usize,
    pub natural: Spread,
    pub adversarial: Spread,
}

/// Fractions 0-1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub least: f64,
    pub mean: f64,
    pub greatest: f64,
}

/// A run whose dials were turned, or that branched off another, at the lambda that it ended with.
#[derive(Clone, Debug, PartialEq)]
pub struct Steered {
    pub lambda: f64,
    pub natural: f64,
    pub adversarial: f64,
}

/// A config without seed and lambda, and without what says nothing about the weights: how often is told, probed or saved.
pub fn kind(config: &Config) -> Config {
    let mut kind = config.clone();
    kind.seed = 0;
    kind.method.set_lambda(0.0);
    kind.train.report_hz = 1.0;
    kind.probe = crate::config::Probe { per_epoch: 1, images: 0, steps: 0 };
    kind.insight = crate::config::Insight::default();
    kind.alerts = crate::config::Alerts::default();
    kind.checkpoint = crate::config::Checkpoint::default();
    kind.watch = match config.watch.overfitting {
        Answer::Off | Answer::Warn => crate::config::Watch::default(),
        Answer::Stop | Answer::RollBack => config.watch,
    };
    kind
}

fn same_data(a: &DataFacts, b: &DataFacts) -> bool {
    (&a.name, a.shape, a.train, a.validation, a.test) == (&b.name, b.shape, b.train, b.validation, b.test)
}

/// Tells whether two runs learned from the same files, wherever these lay: by the checksums that both recorded.
fn same_files(a: &Started, b: &Started) -> bool {
    let teachers = |started: &Started| -> Option<Vec<String>> {
        started.teacher.iter().chain(&started.other_teachers).map(|teacher| teacher.sha256.clone()).collect()
    };
    a.data.fingerprint == b.data.fingerprint && teachers(a).is_some_and(|known| Some(known) == teachers(b))
}

/// What the runs of `own`'s config show, or what is missing for it.
///
/// # Errors
/// The words to show in its place.
pub fn what_if<'a>(own: &Started, all: impl Iterator<Item = &'a Facts>) -> Result<WhatIf, String> {
    if own.config.method.lambda().is_none() {
        return Err(format!("{} has no λ: there is no trade to show", own.config.method.name()));
    }
    let wanted = kind(&own.config);
    let moved = |f: &Facts| same_files(&f.started, own) && f.kind == kind(&with_places_of(&own.config, &f.started.config));
    let mut alike: Vec<&Facts> = all
        .filter(|f| f.summary.state == Standing::Completed && same_data(&f.started.data, &own.data))
        .filter(|f| f.kind == wanted || moved(f))
        .collect();
    alike.sort_by(|a, b| a.summary.id.cmp(&b.summary.id));
    if alike.is_empty() {
        return Err("no finished run of this config yet (λ and seed may differ): let this one end, then run others".into());
    }
    // Probes are what choices were made on: they stand in only where a run has no final number.
    let source = if alike.iter().all(|f| f.test.is_some()) { Source::Test } else { Source::BestProbe };
    let number = |f: &'a Facts| -> Option<&'a Number> {
        match source {
            Source::Test => f.test.as_ref(),
            Source::BestProbe => f.best.as_ref(),
        }
    };
    let Some(measure) = usual(alike.iter().filter_map(|f| number(f)).map(|n| &n.measure)).cloned() else {
        return Err("no finished run of this config has a probe or a final number".into());
    };
    let mut points: Vec<(f64, Vec<&Number>)> = Vec::new();
    let mut steered = Vec::new();
    let mut left_out = 0;
    for facts in alike {
        let number = number(facts).filter(|n| n.measure == measure && n.natural.is_finite() && n.adversarial.is_finite());
        let lambdas = facts.summary.lambda.zip(facts.summary.lambda_now).filter(|(a, b)| a.is_finite() && b.is_finite());
        let (Some(number), Some((lambda, last))) = (number, lambdas) else {
            left_out += 1;
            continue;
        };
        if facts.summary.changes > 0 || facts.summary.parent.is_some() {
            steered.push(Steered { lambda: last, natural: number.natural, adversarial: number.adversarial });
        } else if let Some((_, numbers)) = points.iter_mut().find(|(known, _)| *known == lambda) {
            numbers.push(number);
        } else {
            points.push((lambda, vec![number]));
        }
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let [] | [_] = &points[..] {
        let by_hand = match steered.len() {
            0 => String::new(),
            1 => " (1 run was steered or branched off)".into(),
            n => format!(" ({n} runs were steered or branched off)"),
        };
        let so_far = points.first().map_or_else(
            || "no run kept one λ so far".to_string(),
            |(lambda, _)| format!("one λ so far: {}", Dial::Lambda.show(*lambda)),
        );
        return Err(format!("{so_far}{by_hand}; run others to see the trade"));
    }
    let points = points
        .into_iter()
        .map(|(lambda, numbers)| Point {
            lambda,
            runs: numbers.len(),
            natural: spread(numbers.iter().map(|n| n.natural)),
            adversarial: spread(numbers.iter().map(|n| n.adversarial)),
        })
        .collect();
    Ok(WhatIf { source, measure, points, steered, left_out })
}

/// Of at least one number.
fn spread(values: impl Iterator<Item = f64> + Clone) -> Spread {
    let n = values.clone().count().max(1) as f64;
    Spread {
        least: values.clone().fold(f64::INFINITY, f64::min),
        mean: values.clone().sum::<f64>() / n,
        greatest: values.fold(f64::NEG_INFINITY, f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::super::made::{Made, run};
    use super::*;
    use crate::config::Method;
    use crate::protocol::Outcome;
    use crate::protocol::event::Purpose;

    fn at(lambda: f64, seed: u64) -> Made {
        run(&format!("l{lambda}-s{seed}")).lambda(lambda).config(move |started| started.config.seed = seed)
    }

    fn asked(runs: Vec<Made>) -> Result<WhatIf, String> {
        let own = run("own").facts().started;
        let facts: Vec<Facts> = runs.into_iter().map(Made::facts).collect();
        what_if(&own, facts.iter())
    }

    #[test]
    fn seeds_of_one_lambda_are_one_point_and_other_configs_none() {
        let two = || vec![at(0.1, 0).test(0.8, 0.2), at(0.0, 0).test(0.5, 0.4), at(0.0, 1).test(0.6, 0.44)];
        let mut runs = two();
        runs.push(at(0.01, 3).test(0.1, 0.1).config(|s| s.config.train.epochs = 3));
        runs.push(at(0.01, 4).test(0.1, 0.1).config(|s| s.config.train.lr = 0.3));
        runs.push(at(0.01, 5).test(0.1, 0.1).config(|s| s.data.train = 7));
        runs.push(at(0.01, 6).test(0.1, 0.1).ended(Some(Outcome::Stopped)));
        runs.push(at(0.01, 7).test(0.1, 0.1).ended(None));
        let found = asked(runs).unwrap();
        assert_eq!(found.source, Source::Test);
        assert_eq!(found.measure.words(), "pgd-20 linf 0.1, 2000 images");
        let lambdas: Vec<_> = found.points.iter().map(|p| (p.lambda, p.runs)).collect();
        assert_eq!(lambdas, [(0.0, 2), (0.1, 1)]);
        let Spread { least, mean, greatest } = found.points[0].adversarial;
        assert!((least, greatest) == (0.4, 0.44) && (mean - 0.42).abs() < 1e-12);
        // How often a run reports or saves says nothing about it.
        let mut runs = two();
        runs.push(at(0.5, 1).test(0.1, 0.1).config(|s| (s.config.train.report_hz, s.config.checkpoint.every_epochs) = (9.0, 7)));
        assert_eq!(asked(runs).unwrap().points.len(), 3);
    }

    #[test]
    fn a_teacher_that_was_moved_is_the_same_one_by_its_checksum() {
        let of = |path: &'static str, sha256: &'static str| {
            move |started: &mut Started| {
                started.config.teacher.as_mut().unwrap().checkpoint = path.into();
                started.teacher.as_mut().unwrap().sha256 = Some(sha256.into());
            }
        };
        let own = run("own").config(of("/here/t.safetensors", "aa")).facts().started;
        let found = |path, sha256| {
            let runs = [at(0.1, 0).test(0.8, 0.2).config(of(path, sha256)), at(0.0, 0).test(0.5, 0.4).config(of(path, sha256))];
            let facts: Vec<Facts> = runs.into_iter().map(Made::facts).collect();
            what_if(&own, facts.iter()).map(|found| found.points.len())
        };
        assert_eq!(found("/there/t.safetensors", "aa"), Ok(2));
        assert!(found("/there/t.safetensors", "bb").is_err());
    }

    #[test]
    fn steered_runs_stand_apart_where_they_ended() {
        let by_hand = at(0.0, 1).steered(0.02).test(0.6, 0.3);
        let branched = at(0.1, 1).parent("another", 300).test(0.7, 0.1);
        let runs = vec![at(0.1, 0).test(0.8, 0.2), at(0.0, 0).test(0.5, 0.4), by_hand, branched];
        let found = asked(runs).unwrap();
        assert_eq!(found.points.iter().map(|p| p.runs).collect::<Vec<_>>(), [1, 1]);
        let apart = |lambda, natural, adversarial| Steered { lambda, natural, adversarial };
        assert_eq!(found.steered, [apart(0.02, 0.6, 0.3), apart(0.1, 0.7, 0.1)]);
    }

    #[test]
    fn one_run_without_a_final_number_makes_all_of_it_probes() {
        let probed = |lambda, seed| at(lambda, seed).probe(0.7, 0.3);
        let mut runs = vec![probed(0.1, 0).test(0.8, 0.2), probed(0.0, 0).test(0.5, 0.4), probed(0.01, 0)];
        let found = asked(std::mem::take(&mut runs)).unwrap();
        assert_eq!((found.source, found.points.len(), found.points[0].natural.mean), (Source::BestProbe, 3, 0.7));
        // Another attack's number is left out and counted.
        let other = at(0.2, 1).evaluated(Purpose::Probe, 2, 256, 0.9, 0.9);
        let found = asked(vec![probed(0.1, 0), probed(0.0, 0), other]).unwrap();
        assert_eq!((found.points.len(), found.left_out), (2, 1));
    }

    #[test]
    fn what_is_missing_is_said() {
        assert!(asked(Vec::new()).unwrap_err().contains("no finished run of this config yet"));
        let one = asked(vec![at(0.005, 0).test(0.8, 0.2), at(0.005, 1).test(0.8, 0.2)]).unwrap_err();
        assert_eq!(one, "one λ so far: 0.005; run others to see the trade");
        let steered = asked(vec![at(0.005, 0).steered(0.1).test(0.8, 0.2)]).unwrap_err();
        assert_eq!(steered, "no run kept one λ so far (1 run was steered or branched off); run others to see the trade");
        let erm = run("own").config(|s| s.config.method = Method::Erm).facts().started;
        assert!(what_if(&erm, std::iter::empty()).unwrap_err().starts_with("erm has no λ"));
    }
}
