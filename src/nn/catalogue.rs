//! Every network by its name in a config: which images it takes, and how it is made.

use super::alexnet::Alexnet;
use super::body::Body;
use super::dnn::Dnn;
use super::parameters::Builder;
use super::preact::Preact;
use super::resnet::{Blocks, Resnet, Stem};
use super::small::{FullyConnected, Small};
use super::vgg::{LargeVgg, VGG11, VGG16, VGG19, Vgg};
use crate::config::Network;
use std::ops::RangeInclusive;

/// The sides of the square images a network takes, and those it was designed for.
#[derive(Clone, Copy, Debug)]
pub struct Takes {
    least: usize,
    most: usize,
    /// Channels, height, width.
    pub usual: [usize; 3],
}

impl Takes {
    const fn new(least: usize, most: usize, usual: [usize; 3]) -> Self {
        Self { least, most, usual }
    }

    pub fn sides(self) -> RangeInclusive<usize> {
        self.least..=self.most
    }

    /// Whether images of these channels, height and width will do.
    pub fn shape(self, [channels, height, width]: [usize; 3]) -> bool {
        height == width && (1..=4).contains(&channels) && self.sides().contains(&height)
    }
}

impl std::fmt::Display for Takes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (least, most) = (self.least, self.most);
        write!(f, "1 to 4 channels and {least}x{least} to {most}x{most} pixels")
    }
}

/// What this network takes. Large-image networks have sides where their maps do not vanish; above 1024 pixels nobody trains.
pub fn takes(network: Network) -> Takes {
    let grey = Takes::new(16, 64, [1, 28, 28]);
    let small = Takes::new(28, 64, [3, 32, 32]);
    match network {
        Network::Fc2 | Network::Fc3 | Network::Fc5 | Network::Small => grey,
        Network::Resnet18 | Network::Resnet50 | Network::PreactResnet18 | Network::Wrn2810 | Network::Wrn3410 | Network::Dnn => {
            small
        }
        // Five max-pools leave nothing of 28 pixels.
        Network::Vgg11 | Network::Vgg16 | Network::Vgg19 => Takes::new(32, 64, [3, 32, 32]),
        Network::ImagenetResnet18 | Network::ImagenetResnet50 | Network::ImagenetVgg16 | Network::ImagenetAlexnet => {
            Takes::new(64, 1024, [3, 224, 224])
        }
    }
}

/// Makes the network without its head, for images of `channels` and `side` that it takes.
pub fn body(b: &mut Builder, network: Network, channels: i64, side: i64) -> Box<dyn Body> {
    let c = channels;
    match network {
        Network::Fc2 => Box::new(FullyConnected::new(b, c, side, 0)),
        Network::Fc3 => Box::new(FullyConnected::new(b, c, side, 1)),
        Network::Fc5 => Box::new(FullyConnected::new(b, c, side, 3)),
        Network::Small => Box::new(Small::new(b, c)),
        Network::Dnn => Box::new(Dnn::new(b, c, side)),
        Network::Vgg11 => Box::new(Vgg::new(b, VGG11, c)),
        Network::Vgg16 => Box::new(Vgg::new(b, VGG16, c)),
        Network::Vgg19 => Box::new(Vgg::new(b, VGG19, c)),
        Network::Resnet18 => Box::new(Resnet::new(b, Stem::Cifar, Blocks::Basic([2, 2, 2, 2]), c)),
        Network::Resnet50 => Box::new(Resnet::new(b, Stem::Cifar, Blocks::Bottleneck([3, 4, 6, 3]), c)),
        Network::PreactResnet18 => Box::new(Preact::resnet18(b, c)),
        Network::Wrn2810 => Box::new(Preact::wide(b, c, 28, 10)),
        Network::Wrn3410 => Box::new(Preact::wide(b, c, 34, 10)),
        Network::ImagenetResnet18 => Box::new(Resnet::new(b, Stem::Imagenet, Blocks::Basic([2, 2, 2, 2]), c)),
        Network::ImagenetResnet50 => Box::new(Resnet::new(b, Stem::Imagenet, Blocks::Bottleneck([3, 4, 6, 3]), c)),
        Network::ImagenetVgg16 => Box::new(LargeVgg::new(b, VGG16, c)),
        Network::ImagenetAlexnet => Box::new(Alexnet::new(b, c)),
    }
}
