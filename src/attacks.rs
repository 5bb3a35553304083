//! Attacks: the worst images inside the threat model's ball, as far as each can find them.
//!
//! All work in pixel space `[0, 1]`, in eval mode, and take gradients with respect to the input only, so that no weight gradient is
//! ever formed and no batch statistic moves. FGSM is a diagnostic; probes use PGD; evaluations the rest.
//!
//! [`Pgd`] is what training climbs with. An evaluation runs an [`Attack`] instead: one restart, or one target class, over a batch of
//! images that still stand. Every draw is keyed by the image's place in its set, never by its row ([`AttackKey`]), so that the batch
//! an image happens to share changes nothing beyond floating-point rounding.

pub mod apgd;
pub mod art;
pub mod ball;
pub mod fab;
#[cfg(test)]
pub mod golden;
pub mod hyperplane;
pub mod losses;
pub mod pgd;
pub mod square;
pub mod standing;

pub use apgd::Apgd;
pub use art::ArtAutoPgd;
pub use ball::Ball;
pub use fab::{Aim, Fab};
pub use losses::Loss;
pub use pgd::{Pgd, WorstOfPgd, fgsm};
pub use square::Square;
pub use standing::answers;

use crate::nn::Network;
use crate::random::AttackKey;
use tch::Tensor;

/// Images under attack. Row `i` of each tensor belongs to place `i`.
pub struct Subjects {
    /// `[N, C, H, W]`, float, in `[0, 1]`, channels last.
    pub images: Tensor,
    /// `[N]`, int64. All are classified correctly as they are.
    pub labels: Tensor,
    /// The class each is to be taken for, `[N]`, int64, never the label; for attacks that aim.
    pub targets: Option<Tensor>,
    /// Places in the data set: what randomness is keyed by.
    pub places: Vec<i64>,
}

impl Subjects {
    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// Whether to go on with a long evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoOn {
    Yes,
    No,
}

/// What becomes of images that are fooled in mid-run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fooled {
    /// They leave the batch, as their flags cannot change any more. What evaluations do.
    Leave,
    /// They stay to the end, as in the reference programs, so that whole trajectories can be compared.
    Stay,
}

/// What an attack works with beside its subjects.
pub struct Setting<'a> {
    pub network: &'a dyn Network,
    pub key: AttackKey,
    pub fooled: Fooled,
    /// Asked before each iteration.
    pub go_on: &'a mut dyn FnMut() -> GoOn,
}

/// Images that went through the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passes {
    pub forwards: u64,
    /// Forward and the gradient of the input.
    pub gradients: u64,
}

/// What an attack found.
pub struct Found {
    /// Per subject.
    pub fooled: Vec<bool>,
    /// `[N, C, H, W]`: where fooled, an image inside ball and box that is not classified as its label; else the original.
    pub adversarial: Tensor,
    pub passes: Passes,
}

/// One run over a batch: a restart, or one target class.
pub trait Attack: Send {
    /// `None` when it was told not to go on; then nothing is known.
    fn run(&self, subjects: &Subjects, setting: &mut Setting) -> Option<Found>;
}
