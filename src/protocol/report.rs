//! What an evaluation is asked for and what it found: the numbers, how each was made, and what speaks against believing them.
//!
//! Values only: `train::audit` measures, the screen and the tables show. An evaluation is a fact about one set of weights; probes while
//! training are [`super::event::Evaluated`] and never called final.

use super::event::{Split, Whose};
use crate::config::{AttackSpec, Ensemble, Eps, Threat};
use serde::{Deserialize, Serialize};

/// The shape of `report.json`. A reader refuses a newer one.
pub const FORMAT: u32 = 1;

/// What to attack with and on which images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationPlan {
    pub of: Whose,
    /// Each starts from all images that are classified correctly; the worst case over all of them is reported as well.
    pub ensembles: Vec<Ensemble>,
    pub split: Split,
    /// How many, always the same ones; `None`: all.
    pub images: Option<u64>,
    pub curve: Option<CurvePlan>,
    pub doubts: Doubts,
}

/// Accuracy against epsilon: one attack at several radii, each from scratch, so that a wrong order can show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePlan {
    /// Its epsilon is replaced by each radius in turn, its step size in proportion.
    pub attack: AttackSpec,
    pub radii: Vec<Eps>,
    /// The first of the evaluation's images.
    pub images: u64,
}

impl CurvePlan {
    /// PGD-20 with one start at 9 radii from 0 to twice that of the threat.
    pub fn around(threat: Threat, images: u64, seed: u64) -> Self {
        Self {
            attack: AttackSpec::pgd(threat, 20, 1, seed),
            radii: (0..=8).map(|i| Eps(threat.eps.0 * f64::from(i) / 4.0)).collect(),
            images,
        }
    }
}

/// Whether the evaluation looks for reasons not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubts {
    Look,
    Skip,
}

/// What was found. Accuracies are fractions 0-1 of all `images`, clean errors included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub format: u32,
    pub of: Whose,
    pub split: Split,
    pub images: u64,
    pub natural: f64,
    pub attacks: Vec<AttackReport>,
    /// Over all attacks, per image; equal to the attack's own number where there is one.
    pub worst_case: f64,
    pub classes: Vec<ClassReport>,
    /// `[true class][class answered]`, counts: the natural answer where the image stands, else what the first attack that fooled
    /// it made of it.
    pub confusion: Vec<Vec<u64>>,
    pub curve: Option<Curve>,
    /// Reasons not to believe the numbers; empty is good, where `looked_for` says what was looked for.
    pub doubts: Vec<Doubt>,
    pub looked_for: Vec<Suspicion>,
    pub seconds: f64,
}

/// One number and how it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackReport {
    pub ensemble: Ensemble,
    /// Upper bound of the true robust accuracy, as for every attack.
    pub adversarial: f64,
    pub stages: Vec<StageReport>,
    /// Of the adversarial images, the largest distance from the original, in the norm of the attack; 0 without any.
    pub largest: f64,
    pub seconds: f64,
}

/// One pass over what still stands: a restart of a member, or one of its target classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageReport {
    /// Index into the ensemble's members.
    pub member: usize,
    /// Rank of the class aimed at among the wrong ones, 1 the likeliest; 0 where none is.
    pub target: u32,
    pub restart: u32,
    pub attacked: u64,
    pub fooled: u64,
    pub seconds: f64,
    /// Images through the network: forward alone, and forward with the gradient of the input.
    pub forwards: u64,
    pub gradients: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassReport {
    pub name: String,
    pub images: u64,
    /// Fractions of this class's images.
    pub natural: f64,
    pub adversarial: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    pub attack: AttackSpec,
    pub images: u64,
    pub points: Vec<CurvePoint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    pub eps: Eps,
    pub adversarial: f64,
}

/// A named warning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    pub suspicion: Suspicion,
    /// What was seen, with numbers.
    pub saw: String,
    /// What that suggests and what to try.
    pub suggests: String,
}

/// What an evaluation suspects itself of (Carlini et al., 2019; Croce et al., 2022).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suspicion {
    /// The gradient of the loss is exactly zero for many images.
    ZeroGradients,
    /// It is too small to trust its sign.
    VanishingGradients,
    /// Square fools what attacks with gradients did not.
    SquareIsStronger,
    /// Some images stand although every image is allowed.
    RobustAtEpsilonOne,
    /// Two passes over one image differ.
    RandomAnswers,
    /// The answers are probabilities already.
    SoftmaxAnswers,
    /// More room makes the attack weaker.
    RisesWithEpsilon,
    /// More steps make the attack weaker.
    WeakerWithMoreSteps,
    /// Adversarial images that do not fool the network when they are looked at again.
    NotReproduced,
    /// Too few images for the digits shown.
    FewImages,
}

impl Suspicion {
    pub fn name(self) -> &'static str {
        match self {
            Self::ZeroGradients => "zero gradients",
            Self::VanishingGradients => "vanishing gradients",
            Self::SquareIsStronger => "Square is stronger",
            Self::RobustAtEpsilonOne => "robust at epsilon 1",
            Self::RandomAnswers => "random answers",
            Self::SoftmaxAnswers => "softmax answers",
            Self::RisesWithEpsilon => "rises with epsilon",
            Self::WeakerWithMoreSteps => "weaker with more steps",
            Self::NotReproduced => "not reproduced",
            Self::FewImages => "few images",
        }
    }
}

/// How far an evaluation has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationProgress {
    /// `apgd-t-100 3/9`, `curve 8/255`, `doubts`.
    pub doing: String,
    /// Stages done and in all, over all attacks.
    pub stage: u64,
    pub stages: u64,
    /// Images of this stage.
    pub done: u64,
    pub total: u64,
    /// Correct under everything so far, over all images: an upper bound that can only fall. Fraction 0-1.
    pub robust: f64,
    /// Milliseconds, a rough estimate from the pace so far; `None` before there is one.
    pub left_ms: Option<u64>,
}

/// 95 % interval of a share that was counted on `n` images (Wilson, 1927): what the finite number of images leaves open, nothing else.
pub fn interval(share: f64, n: u64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (n as f64, 1.959_964);
    let centre = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Norm;

    #[test]
    fn a_curve_goes_from_nothing_to_twice_the_radius_and_through_it() {
        let threat = Threat { norm: Norm::Linf, eps: Eps(0.1) };
        let plan = CurvePlan::around(threat, 200, 3);
        assert_eq!((plan.radii.len(), plan.radii[0], plan.radii[4], plan.radii[8]), (9, Eps(0.0), Eps(0.1), Eps(0.2)));
        assert_eq!((plan.attack.short().as_str(), plan.attack.seed, plan.images), ("pgd-20", 3, 200));
    }

    #[test]
    fn intervals_are_wilsons() {
        // 81 of 263, the example of Newcombe (1998), table I: 0.2553 to 0.3662.
        let (low, high) = interval(81.0 / 263.0, 263);
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
        assert_eq!(interval(0.0, 10).0, 0.0);
        assert_eq!(interval(0.5, 0), (0.0, 1.0));
    }
}
