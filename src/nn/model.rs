//! A network with what belongs to it: its normalisation, its parameters, its name.
//!
//! Reading and writing files is [`super::file`]'s.

use super::layers::ConvNorm;
use super::parameters::{Builder, Parameters, Role};
use super::resnet::Resnet18;
use super::small::{FullyConnected, Small};
use super::{Mode, Network, Output};
use crate::config;
use crate::protocol::event::NetworkFacts;
use std::cell::Cell;
use tch::{Device, Kind, Tensor};

/// What a network must be given to be made; what its file must say to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    pub network: config::Network,
    /// Channels, height, width of its images.
    pub shape: [usize; 3],
    pub classes: Vec<String>,
    pub normalize: Normalize,
}

/// Per-channel statistics in pixel units: the model sees `(x - mean) / std`. Empty: pixels as they are.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Normalize {
    pub mean: Vec<f64>,
    pub std: Vec<f64>,
}

enum Body {
    FullyConnected(FullyConnected),
    Small(Small),
    Resnet18(Resnet18),
}

pub struct Model {
    pub description: Description,
    pub parameters: Parameters,
    body: Body,
    /// `[1, C, 1, 1]` each: `x * scale + shift`.
    affine: Option<(Tensor, Tensor)>,
    frozen: Cell<bool>,
}

/// A model while it is folded; see [`Model::folded`].
pub struct Folded<'a>(&'a Model);

impl Network for Folded<'_> {
    fn forward(&self, images: &Tensor, mode: Mode) -> Output {
        self.0.forward(images, mode)
    }
}

impl Drop for Folded<'_> {
    fn drop(&mut self) {
        if !self.0.frozen.get() {
            self.0.convs().for_each(ConvNorm::unfold);
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error(
        "the network '{network}' takes images of {takes}, but the data has {channels}x{height}x{width} (channels, height, width); choose another network or other data"
    )]
    Shape { network: &'static str, takes: &'static str, channels: usize, height: usize, width: usize },
}

impl Description {
    /// A network as it is, without anything added.
    pub fn plain(network: config::Network, shape: [usize; 3], classes: Vec<String>, normalize: Normalize) -> Self {
        Self { network, shape, classes, normalize }
    }
}

impl Model {
    /// A new network with initial weights drawn from `seed`.
    ///
    /// # Errors
    /// When the network does not take images of this shape.
    pub fn new(description: Description, seed: u64, device: Device) -> Result<Self, ModelError> {
        let [channels, height, width] = description.shape;
        let name = description.network.name();
        let fits = |takes: &'static str, fits: bool| {
            if fits { Ok(()) } else { Err(ModelError::Shape { network: name, takes, channels, height, width }) }
        };
        let (c, side, classes) = (channels as i64, height as i64, description.classes.len() as i64);
        let square = height == width && (1..=4).contains(&channels);
        let mut b = Builder::new(seed, device);
        let body = match description.network {
            config::Network::Fc2 | config::Network::Fc3 => {
                fits("16x16 to 64x64 pixels", square && (16..=64).contains(&height))?;
                let extra = usize::from(description.network == config::Network::Fc3);
                Body::FullyConnected(FullyConnected::new(&mut b, c, side, classes, extra))
            }
            config::Network::Small => {
                fits("16x16 to 64x64 pixels", square && (16..=64).contains(&height))?;
                Body::Small(Small::new(&mut b, c, classes))
            }
            config::Network::Resnet18 => {
                fits("28x28 to 64x64 pixels", square && (28..=64).contains(&height))?;
                Body::Resnet18(Resnet18::new(&mut b, c, classes))
            }
        };
        let affine = (!description.normalize.mean.is_empty()).then(|| {
            let row = |values: Vec<f32>| Tensor::from_slice(&values).view([1, -1, 1, 1]).to_device(device);
            let n = &description.normalize;
            let scale = n.std.iter().map(|s| (1.0 / s) as f32).collect();
            let shift = n.mean.iter().zip(&n.std).map(|(m, s)| (-m / s) as f32).collect();
            (row(scale), row(shift))
        });
        Ok(Self { description, parameters: b.finish(), body, affine, frozen: Cell::new(false) })
    }

    /// Width of the penultimate layer.
    pub fn features(&self) -> u64 {
        (match &self.body {
            Body::FullyConnected(_) => FullyConnected::FEATURES,
            Body::Small(_) => Small::FEATURES,
            Body::Resnet18(_) => Resnet18::FEATURES,
        }) as u64
    }

    pub fn facts(&self) -> NetworkFacts {
        NetworkFacts {
            name: self.description.network.name().into(),
            parameters: self.parameters.count(),
            features: self.features(),
        }
    }

    /// Features as the teacher's are matched with: through the training-only projector where there is one.
    pub fn project(&self, features: &Tensor) -> Tensor {
        features.shallow_clone()
    }

    fn convs(&self) -> Box<dyn Iterator<Item = &ConvNorm> + '_> {
        match &self.body {
            Body::FullyConnected(net) => Box::new(net.convs()),
            Body::Small(net) => Box::new(net.convs()),
            Body::Resnet18(net) => Box::new(net.convs()),
        }
    }

    /// The same network for many eval-mode passes in a row, with batch norm folded into its convolutions. Weights must not change
    /// before the answer is dropped.
    pub fn folded(&self) -> Folded<'_> {
        if !self.frozen.get() {
            self.convs().for_each(ConvNorm::fold);
        }
        Folded(self)
    }

    /// Another network of the same make with the same weights and statistics.
    pub fn twin(&self, device: Device) -> Self {
        let twin = Self::new(self.description.clone(), 0, device).expect("one like it was made before");
        let _guard = tch::no_grad_guard();
        twin.parameters.flat().shallow_clone().copy_(self.parameters.flat());
        twin.take_statistics(self);
        twin
    }

    /// Copies the running statistics of a network of the same make.
    pub fn take_statistics(&self, other: &Self) {
        let _guard = tch::no_grad_guard();
        for (own, its) in self.parameters.entries().iter().zip(other.parameters.entries()) {
            if own.role == Role::Buffer {
                own.tensor.shallow_clone().copy_(&its.tensor);
            }
        }
    }

    /// Neither weights nor statistics will ever change again: a teacher, or a model that is only evaluated.
    pub fn freeze(&self) {
        self.convs().for_each(ConvNorm::fold);
        self.frozen.set(true);
        for p in self.parameters.entries().iter().filter(|p| p.role == Role::Trainable) {
            let _ = p.tensor.shallow_clone().set_requires_grad(false);
        }
    }
}

impl Network for Model {
    /// Does not clamp to `[0, 1]`, as some references do: every attack here stays inside by itself.
    fn forward(&self, images: &Tensor, mode: Mode) -> Output {
        let x = match &self.affine {
            Some((scale, shift)) => shift.addcmul(images, scale),
            None => images.shallow_clone(),
        };
        match &self.body {
            Body::FullyConnected(net) => net.forward(&x, mode),
            Body::Small(net) => net.forward(&x, mode),
            Body::Resnet18(net) => net.forward(&x, mode),
        }
    }
}

/// Mean and standard deviation of 8-bit images per channel, to four digits, in units of `[0, 1]`.
///
/// `pixels`: N x C x H x W bytes.
pub fn statistics(pixels: &[u8], shape: [usize; 3]) -> Normalize {
    let plane = shape[1] * shape[2];
    let mut normalize = Normalize::default();
    for c in 0..shape[0] {
        let (mut n, mut sum, mut squares) = (0u64, 0u64, 0u64);
        for image in pixels.chunks_exact(plane * shape[0]) {
            for &p in &image[c * plane..(c + 1) * plane] {
                n += 1;
                sum += u64::from(p);
                squares += u64::from(p) * u64::from(p);
            }
        }
        let mean = sum as f64 / n.max(1) as f64;
        let variance = (squares as f64 / n.max(1) as f64 - mean * mean).max(0.0);
        let digits = |x: f64| (x / 255.0 * 1e4).round() / 1e4;
        normalize.mean.push(digits(mean));
        normalize.std.push(digits(variance.sqrt()).max(1e-3));
    }
    normalize
}

/// `[N, C, H, W]` float zeros of a description's images, for dry runs.
pub fn blank(description: &Description, images: i64, device: Device) -> Tensor {
    let [c, h, w] = description.shape.map(|d| d as i64);
    super::channels_last(&Tensor::zeros([images, c, h, w], (Kind::Float, device)))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn description(network: config::Network, shape: [usize; 3]) -> Description {
        let normalize = Normalize { mean: vec![0.3; shape[0]], std: vec![0.35; shape[0]] };
        Description { network, shape, classes: (0..10).map(|i| i.to_string()).collect(), normalize }
    }

    #[test]
    fn every_network_gives_logits_and_features_of_its_width() {
        for (network, shape, parameters, features) in [
            (config::Network::Small, [1, 28, 28], 24_058, 64),
            // 400+16*2 + 4608+32*2 + 1568*128+128 + 1290
            (config::Network::Fc2, [1, 28, 28], 207_226, 128),
            (config::Network::Fc3, [1, 28, 28], 216_506, 128),
            // ALGORITHMS 5.2: the published count of the CIFAR ResNet-18
            (config::Network::Resnet18, [3, 32, 32], 11_173_962, 512),
            (config::Network::Resnet18, [1, 28, 28], 11_173_962 - 2 * 9 * 64, 512),
        ] {
            let model = Model::new(description(network, shape), 1, Device::Cpu).unwrap();
            assert_eq!(model.parameters.count(), parameters, "{network:?} {shape:?}");
            let out = model.forward(&blank(&model.description, 2, Device::Cpu), Mode::Eval);
            assert_eq!(out.logits.size(), [2, 10]);
            assert_eq!(out.features.size(), [2, features]);
            assert_eq!(model.features() as i64, features);
        }
    }

    #[test]
    fn a_folded_network_is_the_same_function_and_unfolds_again() {
        for network in [config::Network::Fc3, config::Network::Small, config::Network::Resnet18] {
            let model = Model::new(description(network, [1, 28, 28]), 1, Device::Cpu).unwrap();
            let x = super::super::channels_last(&Tensor::rand([8, 1, 28, 28], (Kind::Float, Device::Cpu)));
            for _ in 0..3 {
                let _ = model.forward(&x, Mode::Train); // statistics away from 0 and 1
            }
            let plain = model.forward(&x, Mode::Eval);
            let folded = model.folded().forward(&x, Mode::Eval);
            let far = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]) / b.abs().max().double_value(&[]);
            assert!(far(&folded.logits, &plain.logits) < 1e-5, "{network:?}");
            assert!(far(&folded.features, &plain.features) < 1e-5, "{network:?}");
            // Unfolded again, the statistics that move are seen.
            let _ = model.forward(&(&x * 0.5), Mode::Train);
            assert!(far(&model.forward(&x, Mode::Eval).logits, &plain.logits) > 1e-4, "{network:?}");
        }
    }

    #[test]
    fn layers_start_as_pytorch_starts_them() {
        let model = Model::new(description(config::Network::Fc3, [1, 28, 28]), 5, Device::Cpu).unwrap();
        for p in model.parameters.trainable() {
            let (low, high) = (p.tensor.min().double_value(&[]), p.tensor.max().double_value(&[]));
            let fan_in: i64 = p.tensor.size()[1..].iter().product();
            if p.name.starts_with("bn") {
                let expected = if p.name.ends_with("weight") { 1.0 } else { 0.0 };
                assert_eq!((low, high), (expected, expected), "{}", p.name);
            } else if p.name.ends_with("weight") {
                let bound = 1.0 / (fan_in as f64).sqrt();
                assert!(high <= bound && high > 0.8 * bound && low < -0.8 * bound, "{} {low}..{high}, bound {bound}", p.name);
            }
        }
    }

    #[test]
    fn images_of_the_wrong_shape_are_refused() {
        let error = Model::new(description(config::Network::Fc3, [1, 8, 8]), 1, Device::Cpu).err().unwrap().to_string();
        assert!(error.contains("fc3") && error.contains("1x8x8"), "{error}");
    }

    #[test]
    fn gradients_of_the_flat_vector_are_those_of_its_parts() {
        let model = Model::new(description(config::Network::Fc2, [1, 28, 28]), 1, Device::Cpu).unwrap();
        let x = super::super::channels_last(&Tensor::rand([4, 1, 28, 28], (Kind::Float, Device::Cpu)));
        let y = Tensor::from_slice(&[0i64, 1, 2, 3]);
        let loss = || model.forward(&x, Mode::Eval).logits.cross_entropy_for_logits(&y);
        let flat = model.parameters.gradient(&loss());
        loss().backward();
        for (p, (name, piece)) in model.parameters.trainable().zip(model.parameters.named(&flat)) {
            assert_eq!(p.name, name);
            let difference = (p.tensor.grad() - piece).abs().max().double_value(&[]);
            assert!(difference < 1e-6, "{name}: {difference}");
        }
    }

    #[test]
    fn channel_statistics_are_those_of_the_pixels() {
        let normalize = statistics(&[0, 255, 0, 255, 51, 51, 51, 51], [2, 2, 2]);
        assert_eq!(normalize.mean, [0.5, 0.2]);
        assert_eq!(normalize.std, [0.5, 1e-3]);
    }
}
