//! A network with what belongs to it: its normalisation, its parameters, its name.
//!
//! Reading and writing files is [`super::file`]'s.

use super::body::Body;
use super::catalogue::{self, Takes};
use super::layers::{ConvNorm, Folding, Linear};
use super::parameters::{Builder, Parameter, Parameters, Role};
use super::script::{Script, ScriptError};
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
    /// Width of the features where it is not the network's own: a trainable linear layer `added_linear`, without activation, lies
    /// between the network and its head (Vaishnavi et al., 2022, for their ResNet-50). 1 to 65536.
    pub feature_width: Option<usize>,
    /// Width that [`Model::project`] gives: a linear layer `projector` beside the way to the logits, for training only (Romero et
    /// al., 2015). 1 to 65536.
    pub projector: Option<usize>,
}

/// Per-channel statistics in pixel units: the model sees `(x - mean) / std`. Empty: pixels as they are.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Normalize {
    pub mean: Vec<f64>,
    pub std: Vec<f64>,
}

struct Layers {
    body: Box<dyn Body>,
    head: Linear,
    added: Option<Linear>,
    projector: Option<Linear>,
}

impl Layers {
    fn new(b: &mut Builder, d: &Description) -> Result<Self, ModelError> {
        let takes = catalogue::takes(d.network);
        let [channels, height, width] = d.shape;
        if !takes.shape(d.shape) {
            return Err(ModelError::Shape { network: d.network.name(), takes, channels, height, width });
        }
        for (what, asked) in [("feature_width", d.feature_width), ("projector", d.projector)] {
            if let Some(width) = asked.filter(|width| !(1..=WIDEST).contains(width)) {
                return Err(ModelError::Width { what, width });
            }
        }
        let body = catalogue::body(b, d.network, channels as i64, height as i64);
        let features = d.feature_width.map_or(body.width(), |width| width as i64);
        let head = body.head(b, features, d.classes.len() as i64);
        // Initial weights depend on the place in this order: what is optional comes last.
        let added = d.feature_width.map(|_| Linear::new(b, "added_linear", body.width(), features));
        let projector = d.projector.map(|width| Linear::new(b, "projector", features, width as i64));
        Ok(Self { body, head, added, projector })
    }
}

/// A network of which only the names and shapes of its tensors are there yet: what a file must hold to be read as it.
///
/// Nothing of the network's size is allocated before [`Self::finish`].
pub struct Outline {
    description: Description,
    builder: Builder,
    layers: Layers,
    device: Device,
}

impl Outline {
    /// # Errors
    /// When the network does not take images of this shape, or a width is out of its range.
    pub fn new(description: Description, device: Device) -> Result<Self, ModelError> {
        let mut builder = Builder::blank(device);
        let layers = Layers::new(&mut builder, &description)?;
        Ok(Self { description, builder, layers, device })
    }

    /// Names, shapes and roles; the values mean nothing.
    pub fn entries(&self) -> &[Parameter] {
        self.builder.entries()
    }

    /// The network with all its numbers 0, for [`Model::fill`].
    pub(super) fn finish(self) -> Model {
        Model::of(self.description, self.builder, self.layers, self.device)
    }
}

/// How pixels become logits and features.
enum Function {
    Layers(Layers),
    /// A teacher's own program.
    Script(Script),
}

impl Function {
    fn folds(&self) -> Vec<&ConvNorm> {
        match self {
            Self::Layers(layers) => layers.body.folds(),
            Self::Script(_) => Vec::new(),
        }
    }
}

pub struct Model {
    pub description: Description,
    pub parameters: Parameters,
    function: Function,
    /// `[1, C, 1, 1]` each: `x * scale + shift`.
    affine: Option<(Tensor, Tensor)>,
    frozen: Cell<bool>,
}

/// A model while it is folded; see [`Model::folded`].
pub struct Folded<'a>(&'a Model);

/// The numbers of a network and how to make it: what can be sent to another thread.
pub struct Weights {
    description: Description,
    flat: Tensor,
    statistics: Vec<Tensor>,
}

impl Weights {
    /// The network, frozen, on the CPU.
    pub fn model(self) -> Model {
        let model = Outline::new(self.description, Device::Cpu).expect("one like it was made before").finish();
        let _guard = tch::no_grad_guard();
        model.parameters.flat().shallow_clone().copy_(&self.flat);
        let own = model.parameters.entries().iter().filter(|p| p.role == Role::Buffer);
        own.zip(&self.statistics).for_each(|(own, its)| own.tensor.shallow_clone().copy_(its));
        model.freeze();
        model
    }
}

impl Network for Folded<'_> {
    fn forward(&self, images: &Tensor, mode: Mode) -> Output {
        self.0.forward(images, mode)
    }
}

impl Drop for Folded<'_> {
    fn drop(&mut self) {
        if !self.0.frozen.get() {
            self.0.function.folds().into_iter().for_each(ConvNorm::unfold);
        }
    }
}

/// Of `added_linear` and of `projector`.
const WIDEST: usize = 65_536;

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error(
        "the network '{network}' takes images of {takes}, but the data has {channels}x{height}x{width} (channels, height, width); choose another network or other data"
    )]
    Shape { network: &'static str, takes: Takes, channels: usize, height: usize, width: usize },
    #[error("{what} = {width} is out of range; allowed: 1 to {WIDEST}")]
    Width { what: &'static str, width: usize },
}

impl Model {
    /// A new network with initial weights drawn from `seed`.
    ///
    /// # Errors
    /// When the network does not take images of this shape, or a width is out of its range.
    pub fn new(description: Description, seed: u64, device: Device) -> Result<Self, ModelError> {
        let mut b = Builder::new(seed, device);
        let layers = Layers::new(&mut b, &description)?;
        Ok(Self::of(description, b, layers, device))
    }

    /// Loads and runs a TorchScript program as a model that cannot be trained or saved. `description`: the images and classes it is
    /// used for; its network means nothing here.
    ///
    /// # Errors
    /// When it is no TorchScript, fails, or gives anything but logits of these classes and features.
    pub fn script(path: &std::path::Path, description: Description, device: Device) -> Result<Self, ScriptError> {
        let script = Script::load(path, &description, device)?;
        let description = Description { normalize: Normalize::default(), feature_width: None, projector: None, ..description };
        let parameters = Builder::blank(device).finish();
        Ok(Self { description, parameters, function: Function::Script(script), affine: None, frozen: Cell::new(true) })
    }

    fn of(description: Description, b: Builder, layers: Layers, device: Device) -> Self {
        let affine = (!description.normalize.mean.is_empty()).then(|| {
            let row = |values: Vec<f32>| Tensor::from_slice(&values).view([1, -1, 1, 1]).to_device(device);
            let n = &description.normalize;
            let scale = n.std.iter().map(|s| (1.0 / s) as f32).collect();
            let shift = n.mean.iter().zip(&n.std).map(|(m, s)| (-m / s) as f32).collect();
            (row(scale), row(shift))
        });
        Self { description, parameters: b.finish(), function: Function::Layers(layers), affine, frozen: Cell::new(false) }
    }

    /// Width of the head's input, g(x): that of [`Output::features`].
    pub fn features(&self) -> u64 {
        match &self.function {
            Function::Layers(layers) => self.description.feature_width.map_or(layers.body.width() as u64, |width| width as u64),
            Function::Script(script) => script.features,
        }
    }

    /// Width of what [`Self::project`] gives.
    pub fn projected(&self) -> u64 {
        self.description.projector.map_or(self.features(), |width| width as u64)
    }

    /// `[N, D]` features to what is compared with a teacher's, `[N, P]`: through the projector, or as they are where there is none.
    pub fn project(&self, features: &Tensor) -> Tensor {
        match &self.function {
            Function::Layers(Layers { projector: Some(projector), .. }) => projector.forward(features),
            Function::Layers(_) | Function::Script(_) => features.shallow_clone(),
        }
    }

    /// Features `[N, D]`, as a forward pass gives them, to logits `[N, K]`; `None` for a program, whose head is not known.
    pub fn classify(&self, features: &Tensor) -> Option<Tensor> {
        match &self.function {
            Function::Layers(Layers { head, .. }) => Some(head.forward(features)),
            Function::Script(_) => None,
        }
    }

    /// Whether passes in train mode draw from torch's generator (dropout): who trains must then seed it anew for each step, or a
    /// resumed run is not the same run.
    pub fn draws(&self) -> bool {
        matches!(&self.function, Function::Layers(layers) if layers.body.draws())
    }

    pub fn facts(&self) -> NetworkFacts {
        let (name, parameters) = match &self.function {
            Function::Layers(_) => (self.description.network.name(), self.parameters.count()),
            Function::Script(script) => ("TorchScript", script.parameters),
        };
        NetworkFacts { name: name.into(), parameters, features: self.features() }
    }

    /// The same network for many eval-mode passes in a row, with batch norm folded into its convolutions. Weights must not change
    /// before the answer is dropped.
    pub fn folded(&self) -> Folded<'_> {
        if !self.frozen.get() {
            self.function.folds().into_iter().for_each(|conv| conv.fold(Folding::Plain));
        }
        Folded(self)
    }

    /// The same for many gradients of the input: see [`Folding::Blocks`].
    pub fn folded_in_blocks(&self) -> Folded<'_> {
        self.function.folds().into_iter().for_each(|conv| conv.fold(Folding::Blocks));
        Folded(self)
    }

    /// A copy of all its numbers, for a twin on another thread; `None` for a program.
    pub fn weights(&self) -> Option<Weights> {
        let _guard = tch::no_grad_guard();
        let Function::Layers(_) = &self.function else { return None };
        let statistics = self.parameters.entries().iter().filter(|p| p.role == Role::Buffer).map(|p| p.tensor.copy());
        Some(Weights {
            description: self.description.clone(),
            flat: self.parameters.flat().detach().copy(),
            statistics: statistics.collect(),
        })
    }

    /// Another network of the same make with the same weights and statistics.
    #[must_use]
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
        self.function.folds().into_iter().for_each(|conv| conv.fold(Folding::Plain));
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
        let Layers { body, head, added, .. } = match &self.function {
            Function::Layers(layers) => layers,
            Function::Script(script) => return script.forward(images),
        };
        let own = body.features(&x, mode);
        let onward = match (body.dropout(), mode) {
            (Some(p), Mode::Train) => own.dropout(p, true),
            _ => own.shallow_clone(),
        };
        match added {
            Some(added) => {
                let features = added.forward(&onward);
                Output { logits: head.forward(&features), features }
            }
            None => Output { logits: head.forward(&onward), features: own },
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
        Description {
            network,
            shape,
            classes: (0..10).map(|i| i.to_string()).collect(),
            normalize,
            feature_width: None,
            projector: None,
        }
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
        for network in [config::Network::Fc3, config::Network::Small, config::Network::Resnet18, config::Network::PreactResnet18]
        {
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
    fn a_network_in_blocks_and_its_twin_are_the_same_function() {
        for (network, shape) in
            [(config::Network::Fc2, [1, 28, 28]), (config::Network::Fc3, [3, 30, 30]), (config::Network::Fc3, [1, 27, 27])]
        {
            let model = Model::new(description(network, shape), 1, Device::Cpu).unwrap();
            let [c, h, w] = shape.map(|d| d as i64);
            let x = super::super::channels_last(&Tensor::rand([4, c, h, w], (Kind::Float, Device::Cpu)));
            let _ = model.forward(&x, Mode::Train);
            let slope = |network: &dyn Network| {
                let x = x.detach().set_requires_grad(true);
                let logits = network.forward(&x, Mode::Eval).logits;
                let gradient = Tensor::run_backward(&[logits.select(1, 3).sum(Kind::Float)], &[&x], false, false).remove(0);
                (logits.detach(), gradient)
            };
            let plain = slope(&model);
            let twin = model.weights().unwrap().model();
            let far = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]) / b.abs().max().double_value(&[]);
            for network in [model.folded_in_blocks(), twin.folded_in_blocks()] {
                let blocks = slope(&network);
                assert!(
                    far(&blocks.0, &plain.0) < 1e-5 && far(&blocks.1, &plain.1) < 1e-5,
                    "{network:?}",
                    network = model.description.network
                );
            }
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
    fn initial_weights_stay_what_they_were() {
        // A seed stands in configs and in files; what it means must not change with the code. FNV-1a over the bits.
        for (network, shape, expected) in [
            (config::Network::Small, [1, 28, 28], 0x8449_939f_4cca_1e68),
            (config::Network::Fc2, [1, 28, 28], 0x2b06_933a_3616_0879),
            (config::Network::Fc3, [1, 28, 28], 0x018c_0739_801e_64cb),
            (config::Network::Resnet18, [3, 32, 32], 0x02d1_5b12_0c10_b2e8),
        ] {
            let model = Model::new(description(network, shape), 7, Device::Cpu).unwrap();
            let mut hash = 0xcbf2_9ce4_8422_2325u64;
            for value in crate::nn::host::floats(model.parameters.flat()) {
                hash = (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3);
            }
            assert_eq!(hash, expected, "{network:?}: {hash:#018x}");
        }
    }

    #[test]
    fn families_with_their_own_start_have_it() {
        let model = Model::new(description(config::Network::ImagenetResnet18, [3, 64, 64]), 5, Device::Cpu).unwrap();
        let of = |name: &str| {
            let p = model.parameters.trainable().find(|p| p.name == name).unwrap();
            (p.tensor.mean(Kind::Float).double_value(&[]), p.tensor.std(true).double_value(&[]))
        };
        let (mean, std) = of("layer4.1.conv2.weight"); // fan out 512 * 9
        let expected = (2.0f64 / 4608.0).sqrt();
        assert!((std / expected - 1.0).abs() < 0.01 && mean.abs() < 0.01 * expected, "{mean} {std}, expected {expected}");
        let (_, std) = of("fc.weight"); // uniform in +-1/sqrt(512)
        assert!((std * 512f64.sqrt() * 3f64.sqrt() - 1.0).abs() < 0.05, "{std}");
    }

    #[test]
    fn images_of_the_wrong_shape_are_refused() {
        let error = Model::new(description(config::Network::Fc3, [1, 8, 8]), 1, Device::Cpu).err().unwrap().to_string();
        assert!(error.contains("fc3") && error.contains("1x8x8") && error.contains("16x16 to 64x64"), "{error}");
        let error = Model::new(description(config::Network::Vgg11, [3, 28, 28]), 1, Device::Cpu).err().unwrap().to_string();
        assert!(error.contains("vgg11") && error.contains("32x32 to 64x64"), "{error}");
        let error =
            Outline::new(description(config::Network::ImagenetVgg16, [3, 32, 32]), Device::Cpu).err().unwrap().to_string();
        assert!(error.contains("64x64 to 1024x1024"), "{error}");
    }

    #[test]
    fn an_added_layer_gives_the_features_and_feeds_the_head() {
        let plain = description(config::Network::Small, [1, 28, 28]);
        let wide = Description { feature_width: Some(96), ..plain.clone() };
        let model = Model::new(wide.clone(), 1, Device::Cpu).unwrap();
        assert_eq!((model.features(), model.projected()), (96, 96));
        let x = super::super::channels_last(&Tensor::rand([4, 1, 28, 28], (Kind::Float, Device::Cpu)));
        let out = model.forward(&x, Mode::Eval);
        let of = |name: &str| model.parameters.trainable().find(|p| p.name == name).unwrap().tensor.shallow_clone();
        assert_eq!(of("added_linear.weight").size(), [96, 64]);
        assert!(out.logits == out.features.linear(&of("head.weight"), Some(&of("head.bias"))));
        // Without an activation: features of a linear layer are of both signs, those behind ReLU and an average are not.
        assert!(out.features.min().double_value(&[]) < 0.0);
        let own = Model::new(plain, 1, Device::Cpu).unwrap();
        assert!(own.forward(&x, Mode::Eval).features.min().double_value(&[]) >= 0.0);
        let none = Description { feature_width: Some(0), ..wide };
        let error = Model::new(none, 1, Device::Cpu).err().unwrap().to_string();
        assert_eq!(error, "feature_width = 0 is out of range; allowed: 1 to 65536");
    }

    #[test]
    fn a_projector_is_beside_the_way_to_the_logits() {
        let plain = description(config::Network::Small, [1, 28, 28]);
        let own = Model::new(plain.clone(), 1, Device::Cpu).unwrap();
        let model = Model::new(Description { projector: Some(128), ..plain }, 1, Device::Cpu).unwrap();
        assert_eq!((model.features(), model.projected()), (64, 128));
        let x = super::super::channels_last(&Tensor::rand([4, 1, 28, 28], (Kind::Float, Device::Cpu)));
        let out = model.forward(&x, Mode::Train);
        assert!(out.logits == own.forward(&x, Mode::Train).logits, "the initial weights of the rest are the same");
        assert!(own.project(&out.features) == out.features);
        let projected = model.project(&out.features);
        assert_eq!(projected.size(), [4, 128]);
        let gradient = model.parameters.gradient(&projected.square().mean(Kind::Float));
        let reached = model.parameters.named(&gradient).into_iter().filter(|(_, g)| g.abs().max().double_value(&[]) > 0.0);
        let names: Vec<String> = reached.map(|(name, _)| name).collect();
        assert!(names.iter().any(|n| n == "projector.weight") && names.iter().any(|n| n == "conv1.weight"), "{names:?}");
        assert!(!names.iter().any(|n| n.starts_with("head")), "{names:?}");
    }

    #[test]
    fn dropout_draws_in_train_mode_only_and_by_seed() {
        let _guard = tch::no_grad_guard();
        let model = Outline::new(description(config::Network::ImagenetAlexnet, [1, 64, 64]), Device::Cpu).unwrap().finish();
        let _ = model.parameters.flat().shallow_clone().uniform_(-0.02, 0.02); // sooner than 49 million counted draws
        assert!(model.draws());
        let x = super::super::channels_last(&Tensor::rand([2, 1, 64, 64], (Kind::Float, Device::Cpu)));
        let logits = |mode, seed| {
            tch::manual_seed(seed);
            model.forward(&x, mode).logits
        };
        assert!(logits(Mode::Eval, 1) == logits(Mode::Eval, 2));
        assert!(logits(Mode::Train, 1) == logits(Mode::Train, 1));
        assert!(logits(Mode::Train, 1) != logits(Mode::Train, 2));
        assert!(!Model::new(description(config::Network::Dnn, [1, 28, 28]), 1, Device::Cpu).unwrap().draws());
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
