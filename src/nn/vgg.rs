//! VGG networks (Simonyan and Zisserman, 2015), for small images and for large ones.
//!
//! For CIFAR: each 3x3 convolution (with bias) has a batch norm behind it, five max-pools, 512 averaged features, then one linear
//! layer. For `ImageNet`: no batch norm, and two fully connected layers of 4096 and 2048 with ReLU and dropout; 2048 instead of the
//! usual 4096 is the RRM paper's, so that it matches a ResNet-50. Parameter names: features.I as in the usual `Sequential`, then
//! classifier, or classifier.{0,3,6}.

use super::Mode;
use super::body::Body;
use super::layers::{Conv, ConvNorm, Linear, Shape, Start};
use super::parameters::{Builder, Init};
use tch::{Kind, Tensor};

/// Widths of the convolutions between the five max-pools.
pub type Stages = [&'static [i64]; 5];

pub const VGG11: Stages = [&[64], &[128], &[256, 256], &[512, 512], &[512, 512]];
pub const VGG16: Stages = [&[64, 64], &[128, 128], &[256, 256, 256], &[512, 512, 512], &[512, 512, 512]];
pub const VGG19: Stages = [&[64, 64], &[128, 128], &[256; 4], &[512; 4], &[512; 4]];

/// Makes the layers of `features`, each told its place in the sequence, which `apart` layers lie between two convolutions of.
fn stages<T>(
    b: &mut Builder,
    stages: Stages,
    channels: i64,
    apart: usize,
    make: impl Fn(&mut Builder, usize, Shape) -> T,
) -> Vec<Vec<T>> {
    let (mut input, mut place) = (channels, 0);
    b.within("features", |b| {
        stages
            .map(|widths| {
                let layers = widths
                    .iter()
                    .map(|&output| {
                        let layer = make(b, place, Shape::new(input, output, 3).biased());
                        (input, place) = (output, place + apart);
                        layer
                    })
                    .collect();
                place += 1; // the max-pool
                layers
            })
            .into()
    })
}

fn halve(x: &Tensor) -> Tensor {
    x.max_pool2d(2, 2, 0, 1, false)
}

/// With batch norm, for 32 to 64 pixels.
pub struct Vgg {
    stages: Vec<Vec<ConvNorm>>,
}

impl Vgg {
    pub fn new(b: &mut Builder, widths: Stages, channels: i64) -> Self {
        let make = |b: &mut Builder, i: usize, shape| ConvNorm::new(b, (&i.to_string(), &(i + 1).to_string()), shape);
        Self { stages: stages(b, widths, channels, 3, make) }
    }
}

impl Body for Vgg {
    fn width(&self) -> i64 {
        512
    }

    fn head_name(&self) -> &'static str {
        "classifier"
    }

    /// At 32 pixels the map that is averaged is one pixel already.
    fn features(&self, x: &Tensor, mode: Mode) -> Tensor {
        let mut x = x.shallow_clone();
        for stage in &self.stages {
            for conv in stage {
                x = conv.relu(&x, mode);
            }
            x = halve(&x);
        }
        x.mean_dim([2i64, 3].as_slice(), false, Kind::Float)
    }

    fn folds(&self) -> Vec<&ConvNorm> {
        self.stages.iter().flatten().collect()
    }
}

/// Without batch norm, for 64 pixels and more; below 224 the last map is spread to 7x7 by averaging.
pub struct LargeVgg {
    stages: Vec<Vec<Conv>>,
    fully: [Linear; 2],
}

impl LargeVgg {
    const FEATURES: i64 = 2048;
    /// torchvision's start of the fully connected layers.
    const START: [Init; 2] = [Init::Normal(0.01), Init::Zeros];

    pub fn new(b: &mut Builder, widths: Stages, channels: i64) -> Self {
        let make = |b: &mut Builder, i: usize, shape: Shape| Conv::new(b, &i.to_string(), shape.start(Start::FanOut));
        let stages = stages(b, widths, channels, 2, make);
        let fully = [
            Linear::starting(b, "classifier.0", (512 * 7 * 7, 4096), Self::START),
            Linear::starting(b, "classifier.3", (4096, Self::FEATURES), Self::START),
        ];
        Self { stages, fully }
    }
}

impl Body for LargeVgg {
    fn width(&self) -> i64 {
        Self::FEATURES
    }

    fn head_name(&self) -> &'static str {
        "classifier.6"
    }

    fn features(&self, x: &Tensor, mode: Mode) -> Tensor {
        let mut x = x.shallow_clone();
        for stage in &self.stages {
            for conv in stage {
                x = conv.relu(&x);
            }
            x = halve(&x);
        }
        let x = x.adaptive_avg_pool2d([7, 7]).flatten(1, -1);
        let x = self.fully[0].forward(&x).relu_().dropout(0.5, mode == Mode::Train);
        self.fully[1].forward(&x).relu_()
    }

    fn folds(&self) -> Vec<&ConvNorm> {
        Vec::new()
    }

    fn head(&self, b: &mut Builder, input: i64, classes: i64) -> Linear {
        Linear::starting(b, self.head_name(), (input, classes), Self::START)
    }

    fn draws(&self) -> bool {
        true
    }

    fn dropout(&self) -> Option<f64> {
        Some(0.5)
    }
}
