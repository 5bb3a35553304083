//! N-FGSM (de Jorge et al., 2022): noise wider than the ball, one gradient step from there, no projection back to the ball.
//!
//! `x' = clamp(x + u + alpha sign(grad CE(F(x + u), y)))` with u uniform in `[-k eps, k eps]`, alpha = eps, k = 2; only the box
//! `[0, 1]` cuts. Two forwards and backwards a step, and far less prone to catastrophic overfitting than FGSM-RS. In L2, which the
//! paper does not treat, the noise lies on the sphere of radius k eps.

use super::erm::plain;
use super::{Batch, Context, Method, Objective};
use crate::attacks::{Ball, pgd};
use crate::config;
use crate::nn::{Mode, Model, Network};
use crate::protocol::Dial;
use crate::protocol::event::{Part, Term};

pub struct NFgsm {
    settings: config::NFgsm,
}

impl NFgsm {
    pub fn new(settings: config::NFgsm) -> Self {
        Self { settings }
    }
}

impl Method for NFgsm {
    fn terms(&self) -> &'static [Term] {
        &[Term::Total, Term::CrossEntropy, Term::TrainAccuracy]
    }

    fn dials(&self) -> &'static [Dial] {
        &[Dial::LrScale, Dial::Eps, Dial::StepSize, Dial::Probes]
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let controls = context.controls;
        let images = context.laps.time(Part::Attack, || {
            let noise = Ball { norm: controls.norm, eps: controls.eps.0 * self.settings.noise };
            let start = noise.start(&batch.images);
            let loss = |logits: &tch::Tensor| pgd::summed_cross_entropy(logits, &batch.labels);
            let (_, gradient) = pgd::gradient(student, self.settings.batch_norm.into(), &start, loss);
            let _guard = tch::no_grad_guard();
            noise.climb(&start, &gradient, controls.step_size.0).clamp_(0.0, 1.0)
        });
        context.laps.time(Part::ForwardBackward, || plain(&student.forward(&images, Mode::Train).logits, batch))
    }
}
