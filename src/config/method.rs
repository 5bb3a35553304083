//! The training methods that a config can name, each with what only it needs.
//!
//! What a person can turn while training runs begins with these values and is kept in `protocol::Controls` from then on.

use super::units::Eps;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Method {
    #[serde(rename = "erm")]
    Erm,
    #[serde(rename = "sat")]
    Sat(Sat),
    #[serde(rename = "fast-at")]
    FastAt(FastAt),
    #[serde(rename = "n-fgsm")]
    NFgsm(NFgsm),
    #[serde(rename = "free-at")]
    FreeAt(FreeAt),
    #[serde(rename = "trades")]
    Trades(Trades),
    #[serde(rename = "rrm")]
    Rrm(Rrm),
    #[serde(rename = "rrm-plus")]
    RrmPlus(RrmPlus),
    #[serde(rename = "kd")]
    Kd(Kd),
    #[serde(rename = "rdt")]
    Rdt(Rdt),
    #[serde(rename = "ard")]
    Ard(Ard),
    #[serde(rename = "rslad")]
    Rslad(Rslad),
}

/// PGD adversarial training (Madry et al., 2018).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sat {
    pub steps: u32,
    /// In pixel units of the norm, like epsilon.
    pub step_size: Eps,
    pub random_start: RandomStart,
    /// Batch-norm mode while the attack looks for its example.
    pub batch_norm: BatchNormMode,
    #[serde(default)]
    pub iterate: Iterate,
}

/// Which point of the attack's path is trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Iterate {
    #[default]
    Last,
    /// Of each image the one with the highest loss, the start included: one more forward a step (MadryLab's `use_best`).
    Best,
}

/// Fast AT: one step is FGSM-RS (Wong, Rice, Kolter, 2020), seven are what the RRM paper calls Fast AT.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FastAt {
    pub steps: u32,
    pub step_size: Eps,
    pub batch_norm: BatchNormMode,
}

/// N-FGSM (de Jorge et al., 2022).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NFgsm {
    pub step_size: Eps,
    /// Half width of the uniform noise before the step, in multiples of epsilon.
    pub noise: f64,
    pub batch_norm: BatchNormMode,
}

/// Free AT (Shafahi et al., 2019).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FreeAt {
    /// Optimizer steps on each minibatch; an epoch has this many times as many steps.
    pub replays: u32,
}

/// TRADES (Zhang et al., 2019).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trades {
    /// Weight of the KL divergence between clean and attacked outputs.
    pub beta: f64,
    pub steps: u32,
    pub step_size: Eps,
    pub batch_norm: BatchNormMode,
}

/// Robust Representation Matching (Vaishnavi et al., 2022).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rrm {
    /// Weight of cross-entropy against the representation loss. Steerable.
    pub lambda: f64,
    #[serde(default)]
    pub distance: Distance,
    /// Optimizer steps on each minibatch, the teacher's features being kept for them.
    #[serde(default = "once")]
    pub replays: u32,
    #[serde(default)]
    pub projector: Projector,
}

impl Rrm {
    /// As the paper matches representations on CIFAR-10.
    pub fn cosine(lambda: f64) -> Self {
        Self { lambda, distance: Distance::Cosine, replays: 1, projector: Projector::No }
    }
}

fn once() -> u32 {
    1
}

/// RRM with what the paper does not have, each part off until it is asked for: with all of them off it is RRM.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RrmPlus {
    /// Weight of the labels' term. Steerable.
    pub lambda: f64,
    /// Weight of the representation loss, 1 in RRM; 0: features are not matched, and need not be of one width.
    pub matching: f64,
    pub distance: Distance,
    pub projector: Projector,
    pub inputs: Inputs,
    pub targets: Targets,
    /// Share of the teachers' soft answers in the labels' term, 0 in RRM; the hard labels have the rest. Steerable.
    pub alpha: f64,
    /// Softness of those answers. Steerable.
    pub temperature: f64,
    /// Share of the training after which the student is attacked by one step from noise (N-FGSM); 0: in all of it, 1: never.
    pub attack_from: f64,
    /// What the attacks climb.
    pub goal: Goal,
    /// Half width of the noise, in multiples of epsilon: of that attack, and of the one through the teacher.
    pub noise: f64,
    /// Radius that carried perturbations may have, in multiples of epsilon.
    pub reach: f64,
    pub step_size: Eps,
    pub batch_norm: BatchNormMode,
    /// Optimizer steps on each minibatch.
    pub replays: u32,
}

/// What the student is shown while it is not attacked itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Inputs {
    #[serde(rename = "clean")]
    Clean,
    /// With uniform noise as wide as the ball.
    #[serde(rename = "noisy")]
    Noisy,
    /// One step from noise up the first teacher's cross-entropy, within the ball.
    #[serde(rename = "teacher-attacked")]
    TeacherAttacked,
    /// With a perturbation of its own that each image carries from epoch to epoch: one step up the student's loss, by the gradient
    /// that the weights' backward pass gives beside theirs. Only where images are always the same.
    #[serde(rename = "carried")]
    Carried,
}

/// What an attack leads the student away from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// The labels: it climbs cross-entropy.
    #[serde(rename = "labels")]
    Labels,
    /// The teachers' soft answers to the clean image, as in RSLAD: it climbs the divergence from them.
    #[serde(rename = "answers")]
    Answers,
}

/// Of which image the teachers' features and answers are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Targets {
    /// Of the one that the student is shown.
    #[serde(rename = "shown")]
    Shown,
    /// Of the clean one, whatever the student is shown.
    #[serde(rename = "clean")]
    Clean,
}

/// How far apart two representations are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Distance {
    /// Minus the mean cosine (CIFAR-10 in the paper).
    #[default]
    #[serde(rename = "cosine")]
    Cosine,
    /// Mean of `||g_S - g_T|| / ||g_T||` (Restricted ImageNet in the paper).
    #[serde(rename = "relative-l2")]
    RelativeL2,
}

/// What is between the student's features and the teacher's, in training only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Projector {
    #[default]
    No,
    /// A linear layer from the student's width to the teacher's, trained with the student and left behind by it.
    Yes,
}

/// Knowledge distillation (Hinton et al., 2015) on clean images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kd {
    pub form: KdForm,
    pub temperature: f64,
    /// Share of the teacher's term; the labels have the rest.
    pub alpha: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KdForm {
    /// One temperature, the divergence averaged over images.
    Textbook,
    /// Both networks divided by the temperature twice, the divergence averaged over images and classes.
    Paper,
}

/// The robust data set of Ilyas et al. (2019): training images whose features a robust teacher cannot tell from the originals'.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rdt {
    /// Gradient steps that each image is made with.
    pub inversion_steps: u32,
    /// Length of each, in L2.
    pub inversion_step_size: f64,
}

/// Adversarially Robust Distillation (Goldblum et al., 2020).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ard {
    pub temperature: f64,
    pub alpha: f64,
    pub steps: u32,
    pub step_size: Eps,
    pub batch_norm: BatchNormMode,
    pub reduction: Reduction,
}

/// RSLAD (Zi et al., 2021).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rslad {
    /// Share of the term on attacked images; the clean ones have the rest.
    pub alpha: f64,
    pub steps: u32,
    pub step_size: Eps,
    pub batch_norm: BatchNormMode,
    pub reduction: Reduction,
}

/// What a Kullback-Leibler divergence is averaged over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reduction {
    /// Images: the divergence itself.
    #[serde(rename = "images")]
    Images,
    /// Images and classes: smaller by the number of classes, as the authors ran it.
    #[serde(rename = "images-and-classes")]
    ImagesAndClasses,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RandomStart {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchNormMode {
    /// Running statistics (MadryLab).
    Eval,
    /// Statistics of the batch; the attack's forwards also move the running ones (locuslab).
    Train,
}

impl Method {
    /// Names a config may use, in the order help lists them.
    pub const NAMES: &[&str] =
        &["erm", "sat", "fast-at", "n-fgsm", "free-at", "trades", "rrm", "rrm-plus", "kd", "rdt", "ard", "rslad"];

    pub fn name(self) -> &'static str {
        match self {
            Self::Erm => "erm",
            Self::Sat(_) => "sat",
            Self::FastAt(_) => "fast-at",
            Self::NFgsm(_) => "n-fgsm",
            Self::FreeAt(_) => "free-at",
            Self::Trades(_) => "trades",
            Self::Rrm(_) => "rrm",
            Self::RrmPlus(_) => "rrm-plus",
            Self::Kd(_) => "kd",
            Self::Rdt(_) => "rdt",
            Self::Ard(_) => "ard",
            Self::Rslad(_) => "rslad",
        }
    }

    /// The cross-entropy weight this run starts with, where the method has one.
    pub fn lambda(self) -> Option<f64> {
        match self {
            Self::Rrm(rrm) => Some(rrm.lambda),
            Self::RrmPlus(plus) => Some(plus.lambda),
            _ => None,
        }
    }

    /// Length and number of the training attack's steps, where it has them.
    pub fn attack(self) -> Option<(u32, Eps)> {
        match self {
            Self::Sat(Sat { steps, step_size, .. })
            | Self::FastAt(FastAt { steps, step_size, .. })
            | Self::Trades(Trades { steps, step_size, .. })
            | Self::Ard(Ard { steps, step_size, .. })
            | Self::Rslad(Rslad { steps, step_size, .. }) => Some((steps, step_size)),
            Self::NFgsm(NFgsm { step_size, .. }) | Self::RrmPlus(RrmPlus { step_size, .. }) => Some((1, step_size)),
            Self::Erm | Self::FreeAt(_) | Self::Rrm(_) | Self::Kd(_) | Self::Rdt(_) => None,
        }
    }

    /// Whether the number of the training attack's steps can be chosen.
    pub fn has_steps(self) -> bool {
        self.attack().is_some() && !matches!(self, Self::NFgsm(_) | Self::RrmPlus(_))
    }

    /// Batch-norm mode of the training attack, where it can be chosen.
    pub fn batch_norm(self) -> Option<BatchNormMode> {
        match self {
            Self::Sat(Sat { batch_norm, .. })
            | Self::FastAt(FastAt { batch_norm, .. })
            | Self::NFgsm(NFgsm { batch_norm, .. })
            | Self::RrmPlus(RrmPlus { batch_norm, .. })
            | Self::Trades(Trades { batch_norm, .. })
            | Self::Ard(Ard { batch_norm, .. })
            | Self::Rslad(Rslad { batch_norm, .. }) => Some(batch_norm),
            Self::Erm | Self::FreeAt(_) | Self::Rrm(_) | Self::Kd(_) | Self::Rdt(_) => None,
        }
    }

    /// Optimizer steps on each minibatch.
    pub fn replays(self) -> u32 {
        match self {
            Self::FreeAt(FreeAt { replays }) | Self::Rrm(Rrm { replays, .. }) | Self::RrmPlus(RrmPlus { replays, .. }) => replays,
            _ => 1,
        }
    }

    /// Whether epsilon is the radius that training attacks within, and not that of the probes alone.
    pub fn attacks(self) -> bool {
        match self {
            Self::RrmPlus(plus) => plus.attack_from < 1.0 || plus.inputs != Inputs::Clean,
            Self::FreeAt(_) => true,
            other => other.attack().is_some(),
        }
    }

    /// Weight of the loss on representations and how features come to be of one width, where the method matches them.
    pub fn matching(self) -> Option<(f64, Projector)> {
        match self {
            Self::Rrm(rrm) => Some((1.0, rrm.projector)),
            Self::RrmPlus(plus) => Some((plus.matching, plus.projector)).filter(|(weight, _)| *weight > 0.0),
            _ => None,
        }
    }

    /// Puts another lambda in the place of the one it begins with; nothing where the method has none.
    pub fn set_lambda(&mut self, lambda: f64) {
        match self {
            Self::Rrm(rrm) => rrm.lambda = lambda,
            Self::RrmPlus(plus) => plus.lambda = lambda,
            _ => {}
        }
    }

    /// Whether one gradient step makes its training examples: what catastrophic overfitting can happen to.
    pub fn single_step(self) -> bool {
        match self {
            Self::RrmPlus(plus) => plus.attack_from < 1.0 || plus.inputs == Inputs::Carried,
            Self::FastAt(FastAt { steps: 1, .. }) | Self::NFgsm(_) | Self::FreeAt(_) => true,
            _ => false,
        }
    }

    /// One line of what only it needs, for tables and the screen.
    pub fn describe(self) -> String {
        let mut words = vec![self.name().to_string()];
        if let Some((steps, step_size)) = self.attack().filter(|_| self.attacks()) {
            words.push(format!("K {steps} step {step_size}"));
        }
        match self {
            Self::FreeAt(free) => words.push(format!("m {}", free.replays)),
            Self::Rrm(rrm) if rrm.distance == Distance::RelativeL2 => words.push("relative L2".into()),
            Self::Kd(Kd { form: KdForm::Paper, .. }) => words.push("as the paper ran it".into()),
            Self::NFgsm(n) => words.push(format!("k {}", n.noise)),
            Self::RrmPlus(plus) => words.extend(plus.parts()),
            _ => {}
        }
        words.join(" ")
    }
}

impl RrmPlus {
    /// RRM itself: everything else off.
    pub fn plain(lambda: f64, eps: Eps) -> Self {
        Self {
            lambda,
            matching: 1.0,
            distance: Distance::Cosine,
            projector: Projector::No,
            inputs: Inputs::Clean,
            targets: Targets::Shown,
            alpha: 0.0,
            temperature: 1.0,
            attack_from: 1.0,
            goal: Goal::Labels,
            noise: 2.0,
            reach: 1.0,
            step_size: eps,
            batch_norm: BatchNormMode::Train,
            replays: 1,
        }
    }

    /// What is on, in a few words each.
    fn parts(self) -> Vec<String> {
        let mut parts = Vec::new();
        if self.inputs != Inputs::Clean {
            parts.push(format!("{} inputs", self.inputs.name()));
        }
        if self.attack_from < 1.0 {
            parts.push(match self.attack_from {
                0.0 => "n-fgsm".into(),
                from => format!("n-fgsm from {:.0} %", 100.0 * from),
            });
        }
        if self.alpha > 0.0 {
            parts.push(format!("soft {:.0} %", 100.0 * self.alpha));
        }
        if self.replays > 1 {
            parts.push(format!("m {}", self.replays));
        }
        if self.matching != 1.0 {
            parts.push(format!("matching x{}", self.matching));
        }
        parts
    }
}
