//! What every network is to the model around it: a map from normalised pixels to features.
//!
//! The head, the normalisation and the layers between widths belong to [`super::Model`]; they are the same for all networks.

use super::Mode;
use super::layers::{ConvNorm, Linear};
use super::parameters::Builder;
use tch::Tensor;

pub trait Body {
    /// Width of the features.
    fn width(&self) -> i64;

    /// What the last linear layer is called in this family's checkpoints.
    fn head_name(&self) -> &'static str;

    /// `[N, C, H, W]`, normalised, to `[N, D]`: what the last linear layer sees, before any dropout.
    fn features(&self, x: &Tensor, mode: Mode) -> Tensor;

    /// Convolutions with the batch norm that follows each, to be folded into one in eval mode.
    fn folds(&self) -> Vec<&ConvNorm>;

    /// The last linear layer.
    fn head(&self, b: &mut Builder, input: i64, classes: i64) -> Linear {
        Linear::new(b, self.head_name(), input, classes)
    }

    /// Whether passes in train mode draw from torch's generator.
    fn draws(&self) -> bool {
        false
    }

    /// The probability of dropping a feature on its way to the head, in train mode.
    fn dropout(&self) -> Option<f64> {
        None
    }
}
