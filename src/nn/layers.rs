//! Convolution, batch norm and linear layers with PyTorch's defaults, and nothing else.

use super::Mode;
use super::parameters::{Builder, Init, Role};
use std::cell::RefCell;
use tch::Tensor;

/// How a convolution is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub input: i64,
    pub output: i64,
    pub kernel: i64,
    pub stride: i64,
}

/// A convolution without bias, padded by `kernel / 2`; a batch norm follows it in every network here.
struct Conv {
    weight: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv {
    fn new(b: &mut Builder, name: &str, s: Shape) -> Self {
        let bound = 1.0 / ((s.input * s.kernel * s.kernel) as f64).sqrt();
        let shape = [s.output, s.input, s.kernel, s.kernel];
        let weight = b.within(name, |b| b.make("weight", &shape, Init::Uniform(bound), Role::Trainable));
        Self { weight, stride: s.stride, padding: s.kernel / 2 }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        x.conv2d(&self.weight, None::<&Tensor>, self.stride, self.padding, 1, 1)
    }
}

/// Momentum 0.1, epsilon 1e-5, weight 1, bias 0.
struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    fn new(b: &mut Builder, name: &str, width: i64) -> Self {
        b.within(name, |b| Self {
            weight: b.make("weight", &[width], Init::Ones, Role::Trainable),
            bias: b.make("bias", &[width], Init::Zeros, Role::Trainable),
            running_mean: b.make("running_mean", &[width], Init::Zeros, Role::Buffer),
            running_var: b.make("running_var", &[width], Init::Ones, Role::Buffer),
        })
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let train = mode == Mode::Train;
        x.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train,
            0.1,
            1e-5,
            true,
        )
    }
}

/// A convolution and the batch norm behind it.
///
/// In eval mode the two are one affine map, and while it is *folded* they are computed as one convolution: the same function to
/// rounding, with a third less memory traffic. Folding copies weights and statistics as they are at that moment, so a network is
/// folded only while they stand still: through [`super::Model::folded`], or for good when it is frozen.
pub struct ConvNorm {
    conv: Conv,
    norm: BatchNorm,
    /// Weight and bias of the one convolution.
    folded: RefCell<Option<(Tensor, Tensor)>>,
}

impl ConvNorm {
    /// The names of the convolution and of the batch norm.
    pub fn new(b: &mut Builder, names: (&str, &str), s: Shape) -> Self {
        Self { conv: Conv::new(b, names.0, s), norm: BatchNorm::new(b, names.1, s.output), folded: RefCell::new(None) }
    }

    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        match (mode, &*self.folded.borrow()) {
            (Mode::Eval, Some((weight, bias))) => x.conv2d(weight, Some(bias), self.conv.stride, self.conv.padding, 1, 1),
            (Mode::Eval, None) | (Mode::Train, _) => self.norm.forward(&self.conv.forward(x), mode),
        }
    }

    /// ReLU behind it, in place: no backward needs what it overwrites.
    pub fn relu(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward(x, mode).relu_()
    }

    pub fn fold(&self) {
        let _guard = tch::no_grad_guard();
        let norm = &self.norm;
        let scale = &norm.weight * (&norm.running_var + 1e-5).rsqrt();
        let weight = &self.conv.weight * scale.view([-1, 1, 1, 1]);
        let bias = &norm.bias - &norm.running_mean * &scale;
        *self.folded.borrow_mut() = Some((weight, bias));
    }

    pub fn unfold(&self) {
        *self.folded.borrow_mut() = None;
    }
}

pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    pub fn new(b: &mut Builder, name: &str, input: i64, output: i64) -> Self {
        let bound = Init::Uniform(1.0 / (input as f64).sqrt());
        b.within(name, |b| Self {
            weight: b.make("weight", &[output, input], bound, Role::Trainable),
            bias: b.make("bias", &[output], bound, Role::Trainable),
        })
    }

    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}
