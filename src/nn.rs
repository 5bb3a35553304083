//! Networks: pixels in `[0, 1]` to logits and to the penultimate features that RRM matches.
//!
//! Normalisation is inside the model, so every attack works in pixel space (ALGORITHMS 0.1 of the project's notes; the statistic is
//! a property of the checkpoint). Batch-norm mode is an argument of each forward, never hidden state. Layers and initialisers
//! follow PyTorch, not tch: tch's batch-norm weights start uniform and its convolutions sqrt(6) too wide.

pub mod alexnet;
pub mod body;
pub mod catalogue;
pub mod dnn;
pub mod export;
pub mod file;
pub mod finding;
pub mod host;
pub mod import;
pub mod layers;
pub mod model;
pub mod parameters;
pub mod preact;
pub mod resnet;
pub mod script;
pub mod small;
mod spelling;
mod strays;
pub mod vgg;

use tch::Tensor;

pub use model::Model;
pub use parameters::{Parameters, Role};

/// Which statistics batch norm uses, and whether running ones move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Of the batch; running statistics move by 0.1.
    Train,
    /// The running ones.
    Eval,
}

impl From<crate::config::BatchNormMode> for Mode {
    fn from(mode: crate::config::BatchNormMode) -> Self {
        match mode {
            crate::config::BatchNormMode::Eval => Self::Eval,
            crate::config::BatchNormMode::Train => Self::Train,
        }
    }
}

/// What a forward pass gives.
pub struct Output {
    /// `[N, K]`, before any softmax.
    pub logits: Tensor,
    /// `[N, D]`: the input of the last linear layer (before any dropout there), the paper's g(x).
    pub features: Tensor,
}

impl Output {
    /// The same tensors, not copied.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        Self { logits: self.logits.shallow_clone(), features: self.features.shallow_clone() }
    }
}

/// Anything that classifies images: what attacks need to know of a model.
pub trait Network {
    /// `images`: `[N, C, H, W]`, float, in `[0, 1]`.
    fn forward(&self, images: &Tensor, mode: Mode) -> Output;
}

/// The same values with the channel running fastest in memory, the layout that convolutions here are fast in.
///
/// By explicit strides: for one channel torch's own test of contiguity cannot tell the two layouts apart, and oneDNN then reorders
/// every activation (a third of the speed of the small networks).
pub fn channels_last(x: &Tensor) -> Tensor {
    let (n, c, h, w) = x.size4().expect("images have four dimensions");
    let mut out = Tensor::empty_strided([n, c, h, w], [h * w * c, 1, w * c, c], (x.kind(), x.device()));
    out.copy_(x);
    out
}
