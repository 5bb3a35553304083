//! Residual networks (He et al., 2016) of basic blocks or bottlenecks, for small images and for large ones.
//!
//! For CIFAR, as every reference here uses them: 3x3 stem, no max-pool. For `ImageNet` as in torchvision: 7x7 stem of stride 2, then a
//! max-pool. ReLU follows each addition; a bottleneck's stride lies on its 3x3 convolution. Parameter names are those of the
//! reference checkpoints: conv1, bn1, layerK.I.{conv1,bn1,conv2,bn2[,conv3,bn3]}, then shortcut.{0,1} and linear (CIFAR) or
//! downsample.{0,1} and fc (torchvision). The last average is over whatever size of map is there.

use super::Mode;
use super::body::Body;
use super::layers::{ConvNorm, Shape, Start};
use super::parameters::Builder;
use tch::{Kind, Tensor};

/// Which of the two families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stem {
    /// 3x3, for 28 to 64 pixels.
    Cifar,
    /// 7x7 of stride 2 and a max-pool, for 64 pixels and more.
    Imagenet,
}

/// Which kind of block, and how many in each of the four layers.
#[derive(Clone, Copy, Debug)]
pub enum Blocks {
    /// Two 3x3 convolutions.
    Basic([usize; 4]),
    /// 1x1, 3x3, 1x1; the last four times as wide.
    Bottleneck([usize; 4]),
}

struct Block {
    convs: Vec<ConvNorm>,
    shortcut: Option<ConvNorm>,
}

impl Block {
    /// `shapes`: of the convolutions on the way.
    fn new(b: &mut Builder, shapes: &[Shape], shortcut: Option<Shape>, stem: Stem) -> Self {
        let convs =
            (1..).zip(shapes).map(|(i, shape)| ConvNorm::new(b, (&format!("conv{i}"), &format!("bn{i}")), *shape)).collect();
        let name = match stem {
            Stem::Cifar => "shortcut",
            Stem::Imagenet => "downsample",
        };
        Self { convs, shortcut: shortcut.map(|shape| b.within(name, |b| ConvNorm::new(b, ("0", "1"), shape))) }
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let last = self.convs.len() - 1;
        let mut inner = self.convs[0].relu(x, mode);
        for conv in &self.convs[1..last] {
            inner = conv.relu(&inner, mode);
        }
        let inner = self.convs[last].forward(&inner, mode);
        let skip = self.shortcut.as_ref().map(|shortcut| shortcut.forward(x, mode));
        (inner + skip.as_ref().unwrap_or(x)).relu_()
    }
}

pub struct Resnet {
    family: Stem,
    stem: ConvNorm,
    blocks: Vec<Block>,
    width: i64,
}

impl Resnet {
    pub fn new(b: &mut Builder, family: Stem, kind: Blocks, channels: i64) -> Self {
        let (first, start) = match family {
            Stem::Cifar => (Shape::new(channels, 64, 3), Start::FanIn),
            Stem::Imagenet => (Shape::new(channels, 64, 7).stride(2), Start::FanOut),
        };
        let stem = ConvNorm::new(b, ("conv1", "bn1"), first.start(start));
        let (counts, expansion) = match kind {
            Blocks::Basic(counts) => (counts, 1),
            Blocks::Bottleneck(counts) => (counts, 4),
        };
        let mut blocks = Vec::new();
        let mut input = 64;
        for (layer, (width, count)) in [64, 128, 256, 512].into_iter().zip(counts).enumerate() {
            for i in 0..count {
                let stride = if layer > 0 && i == 0 { 2 } else { 1 };
                let output = width * expansion;
                let conv = |input, output, kernel| Shape::new(input, output, kernel).start(start);
                let shapes = match kind {
                    Blocks::Basic(_) => vec![conv(input, width, 3).stride(stride), conv(width, width, 3)],
                    Blocks::Bottleneck(_) => {
                        vec![conv(input, width, 1), conv(width, width, 3).stride(stride), conv(width, output, 1)]
                    }
                };
                let shortcut = (stride != 1 || input != output).then(|| conv(input, output, 1).stride(stride));
                blocks.push(b.within(&format!("layer{}", layer + 1), |b| {
                    b.within(&i.to_string(), |b| Block::new(b, &shapes, shortcut, family))
                }));
                input = output;
            }
        }
        Self { family, stem, blocks, width: input }
    }
}

impl Body for Resnet {
    fn width(&self) -> i64 {
        self.width
    }

    fn head_name(&self) -> &'static str {
        match self.family {
            Stem::Cifar => "linear",
            Stem::Imagenet => "fc",
        }
    }

    fn features(&self, x: &Tensor, mode: Mode) -> Tensor {
        let mut x = self.stem.relu(x, mode);
        if self.family == Stem::Imagenet {
            x = x.max_pool2d(3, 2, 1, 1, false);
        }
        for block in &self.blocks {
            x = block.forward(&x, mode);
        }
        x.mean_dim([2i64, 3].as_slice(), false, Kind::Float)
    }

    fn folds(&self) -> Vec<&ConvNorm> {
        let inside = self.blocks.iter().flat_map(|block| block.convs.iter().chain(&block.shortcut));
        std::iter::once(&self.stem).chain(inside).collect()
    }
}
