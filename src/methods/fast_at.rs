//! Fast AT: adversarial training with a cheap attack, in both meanings of the name.
//!
//! One step is FGSM-RS (Wong, Rice, Kolter, 2020): from a uniform start in the ball a single step of 1.25 eps, then training on it:
//! two forwards and backwards a step. Seven steps with a one-cycle learning rate are what the RRM paper calls Fast AT. The attack's
//! passes use and move the batch statistics (`batch_norm = "train"`), as in locuslab's code; the authors' half precision is not used.
//! With one step *catastrophic overfitting* can happen at any time; `watch.overfitting` looks for it.

use super::erm::plain;
use super::{Batch, Context, Method, Objective};
use crate::attacks::pgd;
use crate::config;
use crate::nn::{Mode, Model, Network};
use crate::protocol::Dial;
use crate::protocol::event::{Part, Term};

pub struct FastAt {
    settings: config::FastAt,
}

impl FastAt {
    pub fn new(settings: config::FastAt) -> Self {
        Self { settings }
    }
}

impl Method for FastAt {
    fn terms(&self) -> &'static [Term] {
        &[Term::Total, Term::CrossEntropy, Term::TrainAccuracy]
    }

    fn dials(&self) -> &'static [Dial] {
        &[Dial::LrScale, Dial::Eps, Dial::AttackSteps, Dial::StepSize, Dial::Probes]
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let images = context.laps.time(Part::Attack, || {
            let attack = super::inner(context.controls);
            let start = attack.ball.start(&batch.images);
            attack.climb(student, self.settings.batch_norm.into(), &batch.images, &batch.labels, start, pgd::on)
        });
        context.laps.time(Part::ForwardBackward, || plain(&student.forward(&images, Mode::Train).logits, batch))
    }
}
