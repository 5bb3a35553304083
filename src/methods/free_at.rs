//! Free AT (Shafahi et al., 2019): one backward pass serves weights and perturbation, and each minibatch is trained on m times.
//!
//! The perturbation begins at zero and is carried from minibatch to minibatch for the whole run, other images or not:
//! `d <- clamp(d + eps sign(grad), -eps, eps)`, cut so that x + d stays in `[0, 1]`; its step is eps itself. Every replay costs one
//! forward and backward and is one optimizer step, so an epoch has m times as many steps and costs m times ERM's. A minibatch with
//! fewer images than others uses and moves the first places only. Of the reference implementations this is locuslab's and the RRM
//! authors' form; x + d is clamped before the network, as the latter do it.

use super::erm::plain;
use super::{Batch, Context, Method, Objective};
use crate::attacks::Ball;
use crate::nn::{Mode, Model, Network};
use crate::protocol::event::{Part, Term};
use crate::protocol::{Controls, Dial};
use tch::Tensor;

const DELTA: &str = "delta";

#[derive(Default)]
pub struct FreeAt {
    /// `[B, C, H, W]`, as large as the largest minibatch so far.
    delta: Option<Tensor>,
    /// Of the step in progress.
    images: Option<Tensor>,
}

impl FreeAt {
    /// The perturbation of the first `n` places, zeros where none has been yet.
    fn first(&mut self, like: &Tensor) -> Tensor {
        let n = like.size()[0];
        // One that was read from a file lies on the host.
        let whole = match self.delta.take().map(|delta| delta.to_device(like.device())) {
            None => like.zeros_like(),
            // Of other images: not one of ours.
            Some(delta) if delta.size()[1..] != like.size()[1..] => like.zeros_like(),
            Some(delta) if delta.size()[0] < n => {
                let more = like.narrow(0, 0, n - delta.size()[0]).zeros_like();
                Tensor::cat(&[delta, more], 0)
            }
            Some(delta) => delta,
        };
        let first = whole.narrow(0, 0, n).copy();
        self.delta = Some(whole);
        first
    }
}

impl Method for FreeAt {
    fn terms(&self) -> &'static [Term] {
        &[Term::Total, Term::CrossEntropy, Term::TrainAccuracy]
    }

    fn dials(&self) -> &'static [Dial] {
        &[Dial::LrScale, Dial::Eps, Dial::Probes]
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let delta = self.first(&batch.images).set_requires_grad(true);
        self.images = Some(batch.images.shallow_clone());
        context.laps.time(Part::ForwardBackward, || {
            let logits = student.forward(&(&batch.images + &delta).clamp(0.0, 1.0), Mode::Train).logits;
            Objective { also: Some(delta), ..plain(&logits, batch) }
        })
    }

    fn receive(&mut self, gradient: &Tensor, controls: &Controls) {
        let (Some(whole), Some(x)) = (&self.delta, self.images.take()) else { return };
        let _guard = tch::no_grad_guard();
        let ball = Ball::new(controls.norm, controls.eps);
        let mut place = whole.narrow(0, 0, x.size()[0]);
        let moved = ball.project(&x, &(&x + ball.climb(&place, gradient, ball.eps)));
        place.copy_(&(moved - x));
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.delta.iter().map(|delta| (DELTA.to_string(), delta.shallow_clone())).collect()
    }

    fn restore(&mut self, state: Vec<(String, Tensor)>) -> Result<(), String> {
        self.delta = None;
        for (name, tensor) in state {
            if name != DELTA || tensor.dim() != 4 {
                return Err(format!("tensor '{name}' of shape {:?} is no perturbation of images", tensor.size()));
            }
            self.delta = Some(tensor);
        }
        Ok(())
    }
}
