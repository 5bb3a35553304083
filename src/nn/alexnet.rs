//! `AlexNet` (Krizhevsky, 2014, "One weird trick", as in torchvision), with the RRM paper's 2048 features instead of 4096.
//!
//! Five convolutions with bias, three max-pools, two fully connected layers with dropout before each (none before the head).
//! Parameter names: features.{0,3,6,8,10}, classifier.{1,4,6}.

use super::Mode;
use super::body::Body;
use super::layers::{Conv, ConvNorm, Linear, Shape};
use super::parameters::Builder;
use tch::Tensor;

/// For 64 pixels and more; below 224 the last map is spread to 6x6 by averaging.
pub struct Alexnet {
    convs: [Conv; 5],
    fully: [Linear; 2],
}

impl Alexnet {
    const FEATURES: i64 = 2048;

    pub fn new(b: &mut Builder, channels: i64) -> Self {
        let convs = b.within("features", |b| {
            [
                ("0", Shape::new(channels, 64, 11).stride(4).padding(2)),
                ("3", Shape::new(64, 192, 5)),
                ("6", Shape::new(192, 384, 3)),
                ("8", Shape::new(384, 256, 3)),
                ("10", Shape::new(256, 256, 3)),
            ]
            .map(|(name, shape)| Conv::new(b, name, shape.biased()))
        });
        let fully = [Linear::new(b, "classifier.1", 256 * 6 * 6, 4096), Linear::new(b, "classifier.4", 4096, Self::FEATURES)];
        Self { convs, fully }
    }
}

impl Body for Alexnet {
    fn width(&self) -> i64 {
        Self::FEATURES
    }

    fn head_name(&self) -> &'static str {
        "classifier.6"
    }

    fn features(&self, x: &Tensor, mode: Mode) -> Tensor {
        let mut x = x.shallow_clone();
        for (i, conv) in self.convs.iter().enumerate() {
            x = conv.relu(&x);
            if matches!(i, 0 | 1 | 4) {
                x = x.max_pool2d(3, 2, 0, 1, false);
            }
        }
        let mut x = x.adaptive_avg_pool2d([6, 6]).flatten(1, -1);
        for layer in &self.fully {
            x = layer.forward(&x.dropout(0.5, mode == Mode::Train)).relu_();
        }
        x
    }

    fn folds(&self) -> Vec<&ConvNorm> {
        Vec::new()
    }

    fn draws(&self) -> bool {
        true
    }
}
