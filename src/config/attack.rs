//! Attacks by name, with everything that makes their numbers reproducible, and the ensembles that are quoted as one number.
//!
//! What an attack does is `attacks`' business; here is what may be asked for and what the usual settings are.

use super::{Eps, Norm, RandomStart, Threat};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// One attack, with everything that makes its number reproducible except the weights and the images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackSpec {
    pub name: AttackName,
    pub norm: Norm,
    pub eps: Eps,
    /// Iterations; queries for `square`; 1 for `fgsm`.
    pub steps: u32,
    /// Length of a step in the units of the norm; of the first step where steps are halved; 0 where the attack has none.
    pub step_size: Eps,
    pub restarts: u32,
    pub random_start: RandomStart,
    pub seed: u64,
    /// Wrong classes that are aimed at one after the other, the likeliest first; 0 for attacks without a target.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub targets: u32,
    /// Gradients that are averaged at each point, for networks whose answers are random (expectation over transformation); 1 else.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub eot: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
fn is_one(n: &u32) -> bool {
    *n == 1
}

fn one() -> u32 {
    1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttackName {
    /// One step of length epsilon; a diagnostic.
    Fgsm,
    /// Projected gradient descent (Madry et al., 2018).
    Pgd,
    /// AutoPGD on cross-entropy (Croce and Hein, 2020).
    ApgdCe,
    /// AutoPGD on the difference of logits ratio; needs 3 classes.
    ApgdDlr,
    /// AutoPGD on the targeted difference of logits ratio; needs 4 classes.
    ApgdT,
    /// Fast adaptive boundary attack, which looks for the nearest adversarial image (Croce and Hein, 2020).
    Fab,
    /// The same, aimed at one class after the other.
    FabT,
    /// Random search without gradients (Andriushchenko et al., 2020).
    Square,
    /// The AutoPGD of ART 1.7, which the RRM paper measured with: one step size a batch, weaker than `apgd-ce`.
    ArtAutopgd,
}

/// Attacks that are run one after the other, each on what the one before left standing, and quoted as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suite {
    /// The standard of `AutoAttack`: apgd-ce, apgd-t, fab-t, square.
    #[serde(rename = "autoattack")]
    AutoAttack,
    /// Its `plus`: apgd-ce and apgd-dlr with 5 restarts, fab with 5, square, apgd-t, fab-t.
    #[serde(rename = "autoattack-plus")]
    AutoAttackPlus,
    /// Its `rand`, for randomised networks: apgd-ce and apgd-dlr over 20 gradients a point.
    Rand,
}

/// What one number stands for: an attack, or a suite of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ensemble {
    /// `pgd-50x10`, `autoattack`.
    pub name: String,
    /// In the order they run.
    pub members: Vec<AttackSpec>,
}

/// What the command line may change about an attack.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overrides {
    pub steps: Option<u32>,
    pub step_size: Option<Eps>,
    pub restarts: Option<u32>,
    pub targets: Option<u32>,
}

impl AttackName {
    /// Fewest classes there must be for its loss to have a value.
    pub fn classes_needed(self) -> usize {
        match self {
            Self::ApgdT => 4,
            Self::ApgdDlr => 3,
            Self::Fgsm | Self::Pgd | Self::ApgdCe | Self::Fab | Self::FabT | Self::Square | Self::ArtAutopgd => 2,
        }
    }

    /// Whether it aims at one wrong class after the other.
    pub fn targeted(self) -> bool {
        matches!(self, Self::ApgdT | Self::FabT)
    }

    /// Whether it asks for logits only, never for gradients.
    pub fn black_box(self) -> bool {
        self == Self::Square
    }
}

impl AttackSpec {
    /// With the usual settings: those of the attack's authors where it has any. `targets` is at most `classes - 1`.
    pub fn usual(name: AttackName, threat: Threat, classes: usize, seed: u64) -> Self {
        let eps = threat.eps.0;
        let (steps, step_size, restarts, random_start) = match name {
            AttackName::Fgsm => (1, eps, 1, RandomStart::No),
            AttackName::Pgd => return Self::pgd(threat, 20, 1, seed),
            AttackName::ApgdCe | AttackName::ApgdDlr | AttackName::ApgdT => (100, 2.0 * eps, 1, RandomStart::Yes),
            // Its first run starts at the image itself.
            AttackName::Fab | AttackName::FabT => (100, 0.0, 1, RandomStart::No),
            AttackName::Square => (5000, 0.0, 1, RandomStart::Yes),
            AttackName::ArtAutopgd => (50, 2.0 * eps, 10, RandomStart::Yes),
        };
        let targets = if name.targeted() { classes.saturating_sub(1).clamp(1, 9) as u32 } else { 0 };
        Self {
            name,
            norm: threat.norm,
            eps: threat.eps,
            steps,
            step_size: Eps(step_size),
            restarts,
            random_start,
            seed,
            targets,
            eot: 1,
        }
    }

    /// PGD as every probe runs it: a random start and steps of 2.5 eps / steps (Madry et al.).
    pub fn pgd(threat: Threat, steps: u32, restarts: u32, seed: u64) -> Self {
        Self {
            name: AttackName::Pgd,
            norm: threat.norm,
            eps: threat.eps,
            steps,
            step_size: Eps(2.5 * threat.eps.0 / f64::from(steps.max(1))),
            restarts,
            random_start: RandomStart::Yes,
            seed,
            targets: 0,
            eot: 1,
        }
    }

    /// How it is set: `20 steps of 0.0125, random start, 1 restart`.
    pub fn how(&self) -> String {
        let plural = |n: u32, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
        let mut how = match (self.name.black_box(), self.steps) {
            (true, 1) => "1 query".to_string(),
            (true, queries) => format!("{queries} queries"),
            (false, steps) => plural(steps, "step"),
        };
        if self.step_size.0 > 0.0 {
            let _ = write!(how, " of {}", self.step_size);
        }
        how += match self.random_start {
            RandomStart::Yes => ", random start, ",
            RandomStart::No => ", from the image itself, ",
        };
        how += &plural(self.restarts, "restart");
        if self.targets > 0 {
            let _ = write!(how, ", {}", plural(self.targets, "target"));
        }
        if self.eot > 1 {
            let _ = write!(how, ", {} gradients averaged", self.eot);
        }
        how
    }

    /// The same at another radius, steps in proportion.
    #[must_use]
    pub fn at(&self, eps: Eps) -> Self {
        let part = if self.eps.0 > 0.0 { eps.0 / self.eps.0 } else { 0.0 };
        Self { eps, step_size: Eps(self.step_size.0 * part), ..self.clone() }
    }

    /// Short name for legends and tables: `pgd-20`, `pgd-50x10` (restarts), `fgsm`, `apgd-ce-100`, `fab-t-100` (9 targets unless
    /// told: `fab-t-100/3`), `apgd-ce-100~20` (gradients averaged).
    pub fn short(&self) -> String {
        let name = self.name.name();
        let mut short = if self.name == AttackName::Fgsm { name.to_string() } else { format!("{name}-{}", self.steps) };
        if self.name.targeted() && self.targets != 9 {
            let _ = write!(short, "/{}", self.targets);
        }
        if self.restarts != 1 {
            let _ = write!(short, "x{}", self.restarts);
        }
        if self.eot != 1 {
            let _ = write!(short, "~{}", self.eot);
        }
        short
    }
}

impl Ensemble {
    /// A suite with its fixed settings. What a data set with few classes does not allow is left out or reduced, and said.
    pub fn suite(suite: Suite, threat: Threat, classes: usize, seed: u64) -> (Self, Vec<String>) {
        let usual = |name| AttackSpec::usual(name, threat, classes, seed);
        let five = |name| AttackSpec { restarts: 5, ..usual(name) };
        let averaged = |name| AttackSpec { eot: 20, ..usual(name) };
        let mut members = match suite {
            Suite::AutoAttack => {
                [AttackName::ApgdCe, AttackName::ApgdT, AttackName::FabT, AttackName::Square].map(usual).to_vec()
            }
            Suite::AutoAttackPlus => vec![
                five(AttackName::ApgdCe),
                five(AttackName::ApgdDlr),
                five(AttackName::Fab),
                usual(AttackName::Square),
                usual(AttackName::ApgdT),
                usual(AttackName::FabT),
            ],
            Suite::Rand => [AttackName::ApgdCe, AttackName::ApgdDlr].map(averaged).to_vec(),
        };
        let mut remarks = Vec::new();
        members.retain(|member| {
            let needed = member.name.classes_needed();
            if classes < needed {
                remarks.push(format!(
                    "{}: {} needs {needed} classes and the data has {classes}; it is left out",
                    suite.name(),
                    member.name.name()
                ));
            }
            classes >= needed
        });
        if let Some(reduced) = members.iter().find(|m| m.name.targeted() && m.targets < 9) {
            remarks.push(format!("{}: {} wrong classes are aimed at, all that there are", suite.name(), reduced.targets));
        }
        (Self { name: suite.name().into(), members }, remarks)
    }

    /// A single attack, changed as asked.
    ///
    /// # Errors
    /// What was asked for that the attack does not have, with what it may have.
    pub fn single(
        name: AttackName,
        threat: Threat,
        classes: usize,
        seed: u64,
        overrides: Overrides,
    ) -> Result<(Self, Vec<String>), String> {
        let needed = name.classes_needed();
        if classes < needed {
            return Err(format!(
                "{} needs at least {needed} classes (its loss compares that many logits), the data has {classes}; use apgd-ce, \
                 pgd, fab-t or square",
                name.name()
            ));
        }
        let mut spec = AttackSpec::usual(name, threat, classes, seed);
        if let Some(steps) = overrides.steps {
            if name == AttackName::Fgsm {
                return Err("fgsm is one step of length eps from the image itself: it has no --steps".into());
            }
            spec.steps = steps;
            if name == AttackName::Pgd {
                spec.step_size = Eps(2.5 * threat.eps.0 / f64::from(steps.max(1)));
            }
        }
        if let Some(restarts) = overrides.restarts {
            if name == AttackName::Fgsm {
                return Err("fgsm is one step of length eps from the image itself: it has no --restarts".into());
            }
            spec.restarts = restarts;
        }
        if let Some(step_size) = overrides.step_size {
            if name != AttackName::Pgd {
                return Err(format!("--step-size is pgd's: {} chooses its own steps", name.name()));
            }
            spec.step_size = step_size;
        }
        let mut remarks = Vec::new();
        if let Some(targets) = overrides.targets {
            if !name.targeted() {
                return Err(format!("--targets is for apgd-t and fab-t: {} aims at no class", name.name()));
            }
            let most = classes - 1;
            spec.targets = targets.min(most as u32);
            if targets as usize > most {
                remarks.push(format!(
                    "{}: --targets {targets} is more than the {most} wrong classes there are; {most} are aimed at",
                    name.name()
                ));
            }
        } else if name.targeted() && classes < 10 {
            remarks.push(format!("{}: {} wrong classes are aimed at, all that there are", name.name(), spec.targets));
        }
        Ok((Self { name: spec.short(), members: vec![spec] }, remarks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAT: Threat = Threat { norm: Norm::Linf, eps: Eps(0.1) };

    #[test]
    fn suites_are_what_their_authors_made_them() {
        let (standard, remarks) = Ensemble::suite(Suite::AutoAttack, THREAT, 10, 0);
        let shorts: Vec<String> = standard.members.iter().map(AttackSpec::short).collect();
        assert_eq!(shorts, ["apgd-ce-100", "apgd-t-100", "fab-t-100", "square-5000"]);
        assert!(remarks.is_empty() && standard.members.iter().all(|m| m.eps == THREAT.eps));
        let (plus, _) = Ensemble::suite(Suite::AutoAttackPlus, THREAT, 10, 0);
        let shorts: Vec<String> = plus.members.iter().map(AttackSpec::short).collect();
        assert_eq!(shorts, ["apgd-ce-100x5", "apgd-dlr-100x5", "fab-100x5", "square-5000", "apgd-t-100", "fab-t-100"]);
        let (rand, _) = Ensemble::suite(Suite::Rand, THREAT, 10, 0);
        assert!(rand.members.iter().all(|m| m.eot == 20) && rand.members.len() == 2);
    }

    #[test]
    fn few_classes_reduce_a_suite_and_say_so() {
        let (nine, remarks) = Ensemble::suite(Suite::AutoAttack, THREAT, 9, 0);
        assert_eq!((nine.members[1].targets, remarks.len()), (8, 1));
        let (three, remarks) = Ensemble::suite(Suite::AutoAttack, THREAT, 3, 0);
        assert!(three.members.iter().all(|m| m.name != AttackName::ApgdT) && remarks[0].contains("needs 4 classes"));
        let two = Ensemble::single(AttackName::ApgdDlr, THREAT, 2, 0, Overrides::default()).unwrap_err();
        assert!(two.contains("at least 3 classes"), "{two}");
    }

    #[test]
    fn more_targets_than_classes_are_reduced_and_said() {
        let overrides = Overrides { targets: Some(9), ..Overrides::default() };
        let (five, remarks) = Ensemble::single(AttackName::FabT, THREAT, 5, 0, overrides).unwrap();
        assert_eq!(five.members[0].targets, 4);
        assert!(remarks[0].contains("more than the 4 wrong classes"), "{remarks:?}");
        assert!(Ensemble::single(AttackName::Square, THREAT, 5, 0, overrides).is_err());
    }

    #[test]
    fn an_attack_says_how_it_is_set() {
        let how = |name| AttackSpec::usual(name, THREAT, 10, 0).how();
        assert_eq!(how(AttackName::ApgdT), "100 steps of 0.2, random start, 1 restart, 9 targets");
        assert_eq!(how(AttackName::Square), "5000 queries, random start, 1 restart");
        assert_eq!(how(AttackName::Fgsm), "1 step of 0.1, from the image itself, 1 restart");
    }

    #[test]
    fn specs_of_before_are_still_read() {
        let old =
            r#"{"name":"pgd","norm":"linf","eps":0.1,"steps":20,"step_size":0.0125,"restarts":1,"random_start":"yes","seed":0}"#;
        let read: AttackSpec = serde_json::from_str(old).unwrap();
        assert_eq!(read, AttackSpec::pgd(THREAT, 20, 1, 0));
        assert_eq!(serde_json::to_string(&read).unwrap(), old);
    }
}
