//! SAT: PGD adversarial training (Madry et al., 2018, equation 2.1): `min E max_{|d| <= eps} CE(F(x + d), y)`.
//!
//! One step costs k forwards and input-only backwards for the attack, then one full forward and backward. Departs from MadryLab's
//! code in one thing: the last iterate is trained on, not the one with the highest loss, which saves a forward a step. Batch norm in
//! the attack is as the config says, `eval` by default (MadryLab); `train` also moves the running statistics at each attack
//! step (locuslab).

use super::{Batch, Context, Method, Objective, losses};
use crate::attacks::{Ball, Pgd, pgd};
use crate::config::{self, RandomStart};
use crate::nn::{Mode, Model, Network};
use crate::protocol::Dial;
use crate::protocol::event::{Part, Term};

pub struct Sat {
    settings: config::Sat,
}

impl Sat {
    pub fn new(settings: config::Sat) -> Self {
        Self { settings }
    }
}

impl Method for Sat {
    fn terms(&self) -> &'static [Term] {
        &[Term::Total, Term::CrossEntropy, Term::TrainAccuracy]
    }

    fn dials(&self) -> &'static [Dial] {
        &[Dial::LrScale, Dial::Eps]
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let images = context.laps.time(Part::Attack, || {
            let ball = Ball::new(context.controls.norm, context.controls.eps);
            let start = match self.settings.random_start {
                RandomStart::Yes => {
                    tch::manual_seed(context.attack_seed as i64);
                    ball.start(&batch.images)
                }
                RandomStart::No => batch.images.shallow_clone(),
            };
            let attack = Pgd { ball, steps: self.settings.steps, step_size: self.settings.step_size.0 };
            let mode = self.settings.batch_norm.into();
            match mode {
                // The weights stand still during the attack, so eight eval-mode passes share one folding.
                Mode::Eval => attack.climb(&student.folded(), mode, &batch.images, &batch.labels, start, pgd::on),
                Mode::Train => attack.climb(student, mode, &batch.images, &batch.labels, start, pgd::on),
            }
        });
        context.laps.time(Part::ForwardBackward, || {
            let logits = student.forward(&images, Mode::Train).logits;
            let loss = losses::cross_entropy(&logits, &batch.labels);
            let value = loss.detach();
            Objective { terms: vec![value.shallow_clone(), value, losses::accuracy(&logits, &batch.labels)], loss }
        })
    }
}
