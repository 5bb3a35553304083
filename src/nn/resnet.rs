//! The CIFAR ResNet-18 (He et al., 2016, as used by every reference here): 3x3 stem, no max-pool, widths 64 to 512.
//!
//! Parameter names are those of the reference checkpoints: conv1, bn1, layerK.I.{conv1,bn1,conv2,bn2,shortcut.0,shortcut.1}, linear.
//! Images of 28x28 give 4x4 maps at the end instead of 4x4 from 32x32: the average is over whatever is there.

use super::layers::{ConvNorm, Linear, Shape};
use super::parameters::Builder;
use super::{Mode, Output};
use tch::{Kind, Tensor};

struct Block {
    first: ConvNorm,
    second: ConvNorm,
    shortcut: Option<ConvNorm>,
}

impl Block {
    fn new(b: &mut Builder, input: i64, output: i64, stride: i64) -> Self {
        Self {
            first: ConvNorm::new(b, ("conv1", "bn1"), Shape { input, output, kernel: 3, stride }),
            second: ConvNorm::new(b, ("conv2", "bn2"), Shape { input: output, output, kernel: 3, stride: 1 }),
            shortcut: (stride != 1 || input != output)
                .then(|| b.within("shortcut", |b| ConvNorm::new(b, ("0", "1"), Shape { input, output, kernel: 1, stride }))),
        }
    }

    fn convs(&self) -> impl Iterator<Item = &ConvNorm> {
        [&self.first, &self.second].into_iter().chain(&self.shortcut)
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let inner = self.second.forward(&self.first.relu(x, mode), mode);
        let skip = self.shortcut.as_ref().map(|shortcut| shortcut.forward(x, mode));
        (inner + skip.as_ref().unwrap_or(x)).relu_()
    }
}

pub struct Resnet18 {
    stem: ConvNorm,
    blocks: Vec<Block>,
    linear: Linear,
}

impl Resnet18 {
    pub const FEATURES: i64 = 512;

    pub fn new(b: &mut Builder, channels: i64, classes: i64) -> Self {
        let stem = ConvNorm::new(b, ("conv1", "bn1"), Shape { input: channels, output: 64, kernel: 3, stride: 1 });
        let mut blocks = Vec::new();
        let mut input = 64;
        for (layer, width) in [64, 128, 256, 512].into_iter().enumerate() {
            for i in 0..2 {
                let stride = if layer > 0 && i == 0 { 2 } else { 1 };
                blocks.push(b.within(&format!("layer{}", layer + 1), |b| {
                    b.within(&i.to_string(), |b| Block::new(b, input, width, stride))
                }));
                input = width;
            }
        }
        Self { stem, blocks, linear: Linear::new(b, "linear", Self::FEATURES, classes) }
    }

    pub fn convs(&self) -> impl Iterator<Item = &ConvNorm> {
        std::iter::once(&self.stem).chain(self.blocks.iter().flat_map(Block::convs))
    }

    pub fn forward(&self, x: &Tensor, mode: Mode) -> Output {
        let mut x = self.stem.relu(x, mode);
        for block in &self.blocks {
            x = block.forward(&x, mode);
        }
        let features = x.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        Output { logits: self.linear.forward(&features), features }
    }
}
