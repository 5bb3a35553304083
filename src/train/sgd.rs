//! Stochastic gradient descent with momentum that can be saved.
//!
//! PyTorch's form, without dampening: `g += wd * w; v = m * v + g; w -= lr * v`, with Nesterov `w -= lr * (g + m * v)`. Weight
//! decay is on all parameters, batch norm's too, as in every reference implementation of these papers. tch's own optimizers cannot
//! give their momentum back. All parameters lie in one flat tensor, so a step is a handful of operations for any network.

use crate::config::{Nesterov, Train};
use crate::nn::Parameters;
use tch::Tensor;

pub struct Sgd {
    momentum: f64,
    weight_decay: f64,
    nesterov: Nesterov,
    /// `[P]`, laid out as the flat parameters.
    velocity: Tensor,
}

impl Sgd {
    pub fn new(settings: &Train, parameters: &Parameters) -> Self {
        Self {
            momentum: settings.momentum,
            weight_decay: settings.weight_decay,
            nesterov: settings.nesterov,
            velocity: parameters.flat().zeros_like(),
        }
    }

    /// Moves the parameters by one step. `gradient`: `[P]`, used up. `momentum`: of this step, where it is not always the same.
    pub fn step(&mut self, parameters: &Parameters, mut gradient: Tensor, lr: f64, momentum: Option<f64>) {
        let momentum = momentum.unwrap_or(self.momentum);
        let _guard = tch::no_grad_guard();
        let mut weights = parameters.flat().shallow_clone();
        let _ = gradient.g_add_(&(&weights * self.weight_decay));
        let _ = self.velocity.g_mul_scalar_(momentum).g_add_(&gradient);
        let update = match self.nesterov {
            Nesterov::Yes => gradient.g_add_(&(&self.velocity * momentum)).g_mul_scalar_(lr),
            Nesterov::No => &self.velocity * lr,
        };
        let _ = weights.g_sub_(&update);
    }

    /// The momentum, to be saved beside the weights.
    pub fn velocity(&self) -> &Tensor {
        &self.velocity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::parameters::{Builder, Init, Role};
    use tch::Device;

    /// Three steps of `torch.optim.SGD(lr=.1, momentum=.9, weight_decay=.01)` by hand on w = 1 with gradients 1, 2, -1.
    fn reference(nesterov: Nesterov) -> f64 {
        let (mut w, mut v) = (1.0, 0.0);
        for g in [1.0, 2.0, -1.0] {
            let g = g + 0.01 * w;
            v = 0.9 * v + g;
            w -= 0.1 * if nesterov == Nesterov::Yes { g + 0.9 * v } else { v };
        }
        w
    }

    #[test]
    fn steps_are_those_of_pytorch() {
        for nesterov in [Nesterov::Yes, Nesterov::No] {
            let mut builder = Builder::new(0, Device::Cpu);
            let w = builder.make("w", &[1], Init::Ones, Role::Trainable);
            let parameters = builder.finish();
            let settings = Train {
                epochs: 1,
                steps: None,
                batch: 1,
                lr: 0.1,
                momentum: 0.9,
                nesterov,
                weight_decay: 0.01,
                schedule: crate::config::Schedule::Constant,
                ema: 0.0,
                report_hz: 1.0,
            };
            let mut sgd = Sgd::new(&settings, &parameters);
            for g in [1.0f32, 2.0, -1.0] {
                sgd.step(&parameters, Tensor::from_slice(&[g]), 0.1, None);
            }
            let ours = w.double_value(&[0]);
            assert!((ours - reference(nesterov)).abs() < 1e-6, "{nesterov:?}: {ours}");
        }
    }
}
