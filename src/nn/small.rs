//! Small convolutional networks for 28x28x1 that train in seconds on a CPU.
//!
//! `fc2` and `fc3` end in a 128-wide fully connected feature layer: features of that kind were measured to transfer robustness
//! better at this size than globally averaged ones (41 against 27 % under PGD-20). They differ by one convolution, so one can teach
//! the other as a different architecture with features of equal width; `fc5` has two more. `small` is the network that throughput is compared on.

use super::Mode;
use super::body::Body;
use super::layers::{ConvNorm, Linear, Shape};
use super::parameters::Builder;
use tch::{Kind, Tensor};

/// Strided convolutions with batch norm and ReLU, then Linear 128 with ReLU (the features), then the head.
pub struct FullyConnected {
    convs: Vec<ConvNorm>,
    fc: Linear,
}

impl FullyConnected {
    const FEATURES: i64 = 128;

    /// conv5x5/2 16, conv3x3/2 32, and `extra` more conv3x3 32.
    pub fn new(b: &mut Builder, channels: i64, side: i64, extra: usize) -> Self {
        let mut shapes = vec![Shape::new(channels, 16, 5).stride(2), Shape::new(16, 32, 3).stride(2)];
        shapes.extend(std::iter::repeat_n(Shape::new(32, 32, 3), extra));
        let convs = shapes
            .into_iter()
            .enumerate()
            .map(|(i, s)| ConvNorm::new(b, (&format!("conv{}", i + 1), &format!("bn{}", i + 1)), s))
            .collect();
        let last = (side + 3) / 4;
        Self { convs, fc: Linear::new(b, "fc", 32 * last * last, Self::FEATURES) }
    }
}

impl Body for FullyConnected {
    fn width(&self) -> i64 {
        Self::FEATURES
    }

    fn head_name(&self) -> &'static str {
        "head"
    }

    fn folds(&self) -> Vec<&ConvNorm> {
        self.convs.iter().collect()
    }

    fn features(&self, x: &Tensor, mode: Mode) -> Tensor {
        let mut x = x.shallow_clone();
        for conv in &self.convs {
            x = conv.relu(&x, mode);
        }
        self.fc.forward(&x.flatten(1, -1)).relu_()
    }
}

/// Three 3x3 convolutions 16-32-64 with batch norm, two max-pools, global average.
pub struct Small {
    convs: Vec<ConvNorm>,
}

impl Small {
    pub fn new(b: &mut Builder, channels: i64) -> Self {
        let convs = [(channels, 16), (16, 32), (32, 64)]
            .into_iter()
            .enumerate()
            .map(|(i, (input, output))| {
                ConvNorm::new(b, (&format!("conv{}", i + 1), &format!("bn{}", i + 1)), Shape::new(input, output, 3))
            })
            .collect();
        Self { convs }
    }
}

impl Body for Small {
    fn width(&self) -> i64 {
        64
    }

    fn head_name(&self) -> &'static str {
        "head"
    }

    fn folds(&self) -> Vec<&ConvNorm> {
        self.convs.iter().collect()
    }

    fn features(&self, x: &Tensor, mode: Mode) -> Tensor {
        let mut x = x.shallow_clone();
        for (i, conv) in self.convs.iter().enumerate() {
            x = conv.relu(&x, mode);
            if i < 2 {
                x = x.max_pool2d(2, 2, 0, 1, false);
            }
        }
        x.mean_dim([2i64, 3].as_slice(), false, Kind::Float)
    }
}
