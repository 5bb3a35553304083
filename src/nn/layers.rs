//! Convolution, batch norm and linear layers with PyTorch's defaults, and nothing else.

use super::Mode;
use super::parameters::{Builder, Init, Role};
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
pub struct Conv {
    weight: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv {
    pub fn new(b: &mut Builder, name: &str, s: Shape) -> Self {
        let bound = 1.0 / ((s.input * s.kernel * s.kernel) as f64).sqrt();
        let shape = [s.output, s.input, s.kernel, s.kernel];
        let weight = b.within(name, |b| b.make("weight", &shape, Init::Uniform(bound), Role::Trainable));
        Self { weight, stride: s.stride, padding: s.kernel / 2 }
    }

    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv2d(&self.weight, None::<&Tensor>, self.stride, self.padding, 1, 1)
    }
}

/// Momentum 0.1, epsilon 1e-5, weight 1, bias 0.
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    pub fn new(b: &mut Builder, name: &str, width: i64) -> Self {
        b.within(name, |b| Self {
            weight: b.make("weight", &[width], Init::Ones, Role::Trainable),
            bias: b.make("bias", &[width], Init::Zeros, Role::Trainable),
            running_mean: b.make("running_mean", &[width], Init::Zeros, Role::Buffer),
            running_var: b.make("running_var", &[width], Init::Ones, Role::Buffer),
        })
    }

    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
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

    /// Batch norm, then ReLU in place: the backward of either needs only what the other leaves.
    pub fn relu(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.forward(x, mode).relu_()
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
