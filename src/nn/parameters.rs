//! The numbers of a network by name, with all trainable ones side by side in one flat tensor.
//!
//! One flat tensor makes the optimizer a handful of operations however many layers there are, and momentum one tensor to save.
//! Convolution weights lie in it with their channels last; files always hold them in the usual order.

use crate::random::{self, Purpose, Stream};
use tch::{Device, Kind, Tensor};

/// What a named tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Trainable,
    /// Running statistics: saved, not trained.
    Buffer,
}

pub struct Parameter {
    pub name: String,
    pub tensor: Tensor,
    pub role: Role,
}

/// Collects the tensors of a network while its layers are made.
pub struct Builder {
    start: Start,
    device: Device,
    entries: Vec<Parameter>,
    path: Vec<String>,
}

/// Where the first values come from.
#[derive(Clone, Copy, Debug)]
enum Start {
    Seed(u64),
    /// All are 0, and until [`Builder::finish`] they have shapes but take no memory.
    Blank,
}

/// How a tensor starts.
#[derive(Clone, Copy, Debug)]
pub enum Init {
    Zeros,
    Ones,
    /// Uniform in `[-bound, bound]`; PyTorch's layers use `1 / sqrt(fan_in)`.
    Uniform(f64),
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
}

impl Builder {
    pub fn new(seed: u64, device: Device) -> Self {
        Self { start: Start::Seed(seed), device, entries: Vec::new(), path: Vec::new() }
    }

    /// For a network whose values come from a file: names and shapes are known before anything of their size is allocated.
    pub fn blank(device: Device) -> Self {
        Self { start: Start::Blank, device, entries: Vec::new(), path: Vec::new() }
    }

    /// What was made so far, in order.
    pub fn entries(&self) -> &[Parameter] {
        &self.entries
    }

    /// Names of what `build` makes begin with `name.`.
    pub fn within<T>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.to_string());
        let made = build(self);
        self.path.pop();
        made
    }

    /// A new tensor. Values are drawn on the host, so that they do not depend on the device.
    pub fn make(&mut self, name: &str, shape: &[i64], init: Init, role: Role) -> Tensor {
        let mut tensor = match self.start {
            Start::Seed(seed) => self.drawn(seed, shape, init).to_device(self.device),
            // Strides of 0: every element is the same one.
            Start::Blank => Tensor::empty_strided(shape, vec![0; shape.len()], (Kind::Float, self.device)),
        };
        if role == Role::Trainable {
            tensor = tensor.set_requires_grad(true);
        }
        let name = self.path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        self.entries.push(Parameter { name, tensor: tensor.shallow_clone(), role });
        tensor
    }

    fn drawn(&self, seed: u64, shape: &[i64], init: Init) -> Tensor {
        let stream = Stream::new(random::seed(seed, Purpose::Weights, self.entries.len() as u64));
        let count = shape.iter().product::<i64>() as usize;
        let host = (Kind::Float, Device::Cpu);
        let values = match init {
            Init::Zeros => return Tensor::zeros(shape, host),
            Init::Ones => return Tensor::ones(shape, host),
            Init::Uniform(bound) => stream.many(count, |s| [(2.0 * s.unit() - 1.0) * bound as f32]),
            Init::Normal(std) => stream.many(count, |s| s.normals().map(|x| x * std as f32)),
        };
        Tensor::from_slice(&values).view(shape)
    }

    /// Moves all trainable tensors into one flat one; the layers keep their handles and see it.
    pub fn finish(self) -> Parameters {
        let trainable = || self.entries.iter().filter(|p| p.role == Role::Trainable);
        let total: i64 = trainable().map(|p| p.tensor.numel() as i64).sum();
        let flat = Tensor::zeros([total], (Kind::Float, self.device));
        let mut at = 0;
        for parameter in trainable() {
            let _guard = tch::no_grad_guard();
            let mut place = view(&flat, at, &parameter.tensor.size());
            if matches!(self.start, Start::Seed(_)) {
                place.copy_(&parameter.tensor.detach());
            }
            parameter.tensor.shallow_clone().set_data(&place);
            at += parameter.tensor.numel() as i64;
        }
        if matches!(self.start, Start::Blank) {
            for buffer in self.entries.iter().filter(|p| p.role == Role::Buffer) {
                let zeros = Tensor::zeros(buffer.tensor.size(), (Kind::Float, self.device));
                buffer.tensor.shallow_clone().set_data(&zeros);
            }
        }
        Parameters { entries: self.entries, flat }
    }
}

/// The tensor of this shape that begins at `at` of a flat one; four dimensions: with channels last.
fn view(flat: &Tensor, at: i64, shape: &[i64]) -> Tensor {
    match *shape {
        [o, i, h, w] => flat.as_strided([o, i, h, w], [h * w * i, 1, w * i, i], at),
        _ => flat.narrow(0, at, shape.iter().product()).view(shape),
    }
}

pub struct Parameters {
    entries: Vec<Parameter>,
    flat: Tensor,
}

impl Parameters {
    pub fn entries(&self) -> &[Parameter] {
        &self.entries
    }

    /// `[P]`: all trainable numbers. Changing it changes the network.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    pub fn trainable(&self) -> impl Iterator<Item = &Parameter> {
        self.entries.iter().filter(|p| p.role == Role::Trainable)
    }

    /// Count of trainable numbers.
    pub fn count(&self) -> u64 {
        self.flat.numel() as u64
    }

    /// `[P]`: the gradient of `loss`, in the order of [`Self::flat`]. Parameters that the loss does not reach have gradient 0.
    pub fn gradient(&self, loss: &Tensor) -> Tensor {
        self.gradients(loss, None).0
    }

    /// The same, and from the same backward pass the gradient with respect to one more tensor of the graph.
    pub fn gradients(&self, loss: &Tensor, other: Option<&Tensor>) -> (Tensor, Option<Tensor>) {
        let tensors: Vec<&Tensor> = self.trainable().map(|p| &p.tensor).collect();
        let all: Vec<&Tensor> = tensors.iter().copied().chain(other).collect();
        let mut gradients = Tensor::run_backward(&[loss], &all, false, false);
        let of_other = other.and_then(|_| gradients.pop());
        let flat: Vec<Tensor> = gradients
            .iter()
            .zip(&tensors)
            .map(|(gradient, tensor)| {
                if !gradient.defined() {
                    Tensor::zeros([tensor.numel() as i64], (Kind::Float, tensor.device()))
                } else if gradient.dim() == 4 {
                    gradient.permute([0, 2, 3, 1]).reshape([-1])
                } else {
                    gradient.reshape([-1])
                }
            })
            .collect();
        (Tensor::cat(&flat, 0), of_other)
    }

    /// A tensor that is laid out like [`Self::flat`] (momentum, say), cut into named tensors in the usual memory order.
    pub fn named(&self, flat: &Tensor) -> Vec<(String, Tensor)> {
        let mut at = 0;
        self.trainable()
            .map(|p| {
                let piece = view(flat, at, &p.tensor.size()).contiguous();
                at += p.tensor.numel() as i64;
                (p.name.clone(), piece)
            })
            .collect()
    }

    /// The other way: writes a named tensor into its place in `flat`. `false` when there is no such name or the shape differs.
    pub fn place(&self, flat: &Tensor, name: &str, value: &Tensor) -> bool {
        let mut at = 0;
        for p in self.trainable() {
            if p.name == name {
                if p.tensor.size() != value.size() {
                    return false;
                }
                let _guard = tch::no_grad_guard();
                view(flat, at, &p.tensor.size()).copy_(value);
                return true;
            }
            at += p.tensor.numel() as i64;
        }
        false
    }
}
