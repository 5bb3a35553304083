//! Residual networks with batch norm and ReLU before each convolution (He et al., 2016b): `PreActResNet`-18 and `WideResNet`.
//!
//! `PreActResNet`-18 as in the fast and the overfitting papers' code (Wong et al., Rice et al.): names conv1,
//! layerK.I.{bn1,conv1,bn2,conv2,shortcut.0}, bn, linear. `WideResNet` (Zagoruyko and Komodakis, 2016) as in TRADES: conv1,
//! block{1,2,3}.layer.I.{bn1,conv1,bn2,conv2,convShortcut}, bn1, fc; no dropout. In both a block that changes its shape takes its
//! shortcut from behind the first batch norm, and a last batch norm with ReLU precedes the average.
//!
//! The first convolution of a block has a batch norm directly behind it and is folded with it; the other batch norms have an
//! addition or a ReLU before them and stay.

use super::Mode;
use super::body::Body;
use super::layers::{BatchNorm, Conv, ConvNorm, Linear, Shape, Start};
use super::parameters::{Builder, Init};
use tch::{Kind, Tensor};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    PreAct,
    Wide,
}

struct Block {
    before: BatchNorm,
    /// conv1 and bn2.
    first: ConvNorm,
    second: Conv,
    shortcut: Option<Conv>,
}

impl Block {
    fn new(b: &mut Builder, family: Family, (input, output): (i64, i64), stride: i64) -> Self {
        let start = match family {
            Family::PreAct => Start::FanIn,
            Family::Wide => Start::FanOut,
        };
        let conv = |input, output, kernel| Shape::new(input, output, kernel).start(start);
        // A wide layer begins without a stride but with other widths; both make a shortcut.
        let shape = (stride != 1 || input != output).then(|| conv(input, output, 1).stride(stride));
        Self {
            before: BatchNorm::new(b, "bn1", input),
            first: ConvNorm::new(b, ("conv1", "bn2"), conv(input, output, 3).stride(stride)),
            second: Conv::new(b, "conv2", conv(output, output, 3)),
            shortcut: shape.map(|shape| match family {
                Family::PreAct => b.within("shortcut", |b| Conv::new(b, "0", shape)),
                Family::Wide => Conv::new(b, "convShortcut", shape),
            }),
        }
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let active = self.before.relu(x, mode);
        let inner = self.second.forward(&self.first.relu(&active, mode));
        let skip = self.shortcut.as_ref().map(|shortcut| shortcut.forward(&active));
        inner + skip.as_ref().unwrap_or(x)
    }
}

/// For 28 to 64 pixels.
pub struct Preact {
    family: Family,
    stem: Conv,
    blocks: Vec<Block>,
    last: BatchNorm,
    width: i64,
}

impl Preact {
    /// The 18-layer network of widths 64 to 512.
    pub fn resnet18(b: &mut Builder, channels: i64) -> Self {
        let stem = Conv::new(b, "conv1", Shape::new(channels, 64, 3));
        let names = ["layer1", "layer2", "layer3", "layer4"];
        let blocks = Self::layers(b, Family::PreAct, &names, 64, &[64, 128, 256, 512], 2);
        Self { family: Family::PreAct, stem, blocks, last: BatchNorm::new(b, "bn", 512), width: 512 }
    }

    /// `depth` of 6n + 4 layers, `widen` times as wide as 16, 32, 64.
    pub fn wide(b: &mut Builder, channels: i64, depth: usize, widen: i64) -> Self {
        let stem = Conv::new(b, "conv1", Shape::new(channels, 16, 3).start(Start::FanOut));
        let names = ["block1.layer", "block2.layer", "block3.layer"];
        let widths = [16 * widen, 32 * widen, 64 * widen];
        let blocks = Self::layers(b, Family::Wide, &names, 16, &widths, (depth - 4) / 6);
        Self { family: Family::Wide, stem, blocks, last: BatchNorm::new(b, "bn1", widths[2]), width: widths[2] }
    }

    fn layers(b: &mut Builder, family: Family, names: &[&str], input: i64, widths: &[i64], count: usize) -> Vec<Block> {
        let mut input = input;
        let mut blocks = Vec::new();
        for (layer, (name, &width)) in names.iter().zip(widths).enumerate() {
            for i in 0..count {
                let stride = if layer > 0 && i == 0 { 2 } else { 1 };
                let block = b.within(name, |b| b.within(&i.to_string(), |b| Block::new(b, family, (input, width), stride)));
                blocks.push(block);
                input = width;
            }
        }
        blocks
    }
}

impl Body for Preact {
    fn width(&self) -> i64 {
        self.width
    }

    fn head_name(&self) -> &'static str {
        match self.family {
            Family::PreAct => "linear",
            Family::Wide => "fc",
        }
    }

    fn features(&self, x: &Tensor, mode: Mode) -> Tensor {
        let mut x = self.stem.forward(x);
        for block in &self.blocks {
            x = block.forward(&x, mode);
        }
        self.last.relu(&x, mode).mean_dim([2i64, 3].as_slice(), false, Kind::Float)
    }

    fn folds(&self) -> Vec<&ConvNorm> {
        self.blocks.iter().map(|block| &block.first).collect()
    }

    fn head(&self, b: &mut Builder, input: i64, classes: i64) -> Linear {
        match self.family {
            Family::PreAct => Linear::new(b, self.head_name(), input, classes),
            Family::Wide => {
                let bound = Init::Uniform(1.0 / (input as f64).sqrt());
                Linear::starting(b, self.head_name(), (input, classes), [bound, Init::Zeros])
            }
        }
    }
}
