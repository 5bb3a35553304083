//! The RRM paper's small network for CIFAR, `dnn`: three times two 3x3 convolutions and a max-pool, then 512 features with ReLU.
//!
//! The paper gives neither widths nor code for it in words, only 1,341,226 parameters, 39.7 million multiply-adds and 512 features.
//! Widths 32, 64, 128 with biases and without batch norm are the layout here: it has exactly that count (287,008 in the
//! convolutions, 1,049,088 in the hidden layer, 5,130 in the head) and 39,687,168 multiply-adds. The names are therefore ours:
//! features.{0,2,5,7,10,12}, fc, linear.

use super::Mode;
use super::body::Body;
use super::layers::{Conv, ConvNorm, Linear, Shape};
use super::parameters::Builder;
use tch::Tensor;

/// For 28 to 64 pixels.
pub struct Dnn {
    convs: Vec<Conv>,
    fc: Linear,
}

impl Dnn {
    const FEATURES: i64 = 512;

    pub fn new(b: &mut Builder, channels: i64, side: i64) -> Self {
        let widths = [(0, channels, 32), (2, 32, 32), (5, 32, 64), (7, 64, 64), (10, 64, 128), (12, 128, 128)];
        let convs = b.within("features", |b| {
            widths
                .into_iter()
                .map(|(place, input, output): (usize, _, _)| {
                    Conv::new(b, &place.to_string(), Shape::new(input, output, 3).biased())
                })
                .collect()
        });
        let last = side / 8;
        Self { convs, fc: Linear::new(b, "fc", 128 * last * last, Self::FEATURES) }
    }
}

impl Body for Dnn {
    fn width(&self) -> i64 {
        Self::FEATURES
    }

    fn head_name(&self) -> &'static str {
        "linear"
    }

    fn features(&self, x: &Tensor, _: Mode) -> Tensor {
        let mut x = x.shallow_clone();
        for pair in self.convs.chunks_exact(2) {
            x = pair[1].relu(&pair[0].relu(&x)).max_pool2d(2, 2, 0, 1, false);
        }
        self.fc.forward(&x.flatten(1, -1)).relu_()
    }

    fn folds(&self) -> Vec<&ConvNorm> {
        Vec::new()
    }
}
