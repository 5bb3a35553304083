//! ARD, Adversarially Robust Distillation (Goldblum et al., 2020): attacked, the student should answer as the teacher does unattacked.
//!
//! `alpha T^2 KL(T_T(x) || S_T(x + d)) + (1 - alpha) CE(S(x), y)` with d from PGD on the student's cross-entropy, from a uniform start,
//! in train mode. A step costs K forwards and input-only backwards, a forward and backward on attacked images, a forward (and, for
//! alpha below 1, backward) on clean ones, and a forward of the teacher. The clean forward is there at alpha = 1 as well, as in the
//! authors' code, where it moves the running statistics. They average the divergence over images and classes. Departs in two
//! things: the attack's start is cut to `[0, 1]` before its first gradient, and images are normalised.

use super::{Batch, Context, Method, Objective, losses};
use crate::attacks::pgd;
use crate::config;
use crate::nn::{Mode, Model, Network};
use crate::protocol::Dial;
use crate::protocol::event::{Part, Term};
use std::rc::Rc;

pub struct Ard {
    settings: config::Ard,
    teacher: Rc<Model>,
}

impl Ard {
    pub fn new(settings: config::Ard, teacher: Rc<Model>) -> Self {
        Self { settings, teacher }
    }
}

impl Method for Ard {
    fn terms(&self) -> &'static [Term] {
        &[Term::Total, Term::CrossEntropy, Term::Distillation, Term::TrainAccuracy]
    }

    fn dials(&self) -> &'static [Dial] {
        &[Dial::Temperature, Dial::Alpha, Dial::LrScale, Dial::Eps, Dial::AttackSteps, Dial::StepSize, Dial::Probes]
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let (temperature, alpha) = (context.controls.temperature, context.controls.alpha);
        let x = &batch.images;
        let attacked = context.laps.time(Part::Attack, || {
            let attack = super::inner(context.controls);
            let mode: Mode = self.settings.batch_norm.into();
            let start = attack.ball.start(x);
            match mode {
                Mode::Eval => attack.climb(&student.folded(), mode, x, &batch.labels, start, pgd::on),
                Mode::Train => attack.climb(student, mode, x, &batch.labels, start, pgd::on),
            }
        });
        let target = context.laps.time(Part::Teacher, || batch.taught(0, &self.teacher).logits);
        context.laps.time(Part::ForwardBackward, || {
            let logits = student.forward(&attacked, Mode::Train).logits;
            let clean = student.forward(x, Mode::Train).logits;
            let ce = losses::cross_entropy(&clean, &batch.labels);
            let distillation =
                losses::divergence_of(&target, &logits, temperature, self.settings.reduction) * (temperature * temperature);
            let loss = if alpha < 1.0 { &distillation * alpha + &ce * (1.0 - alpha) } else { distillation.shallow_clone() };
            let terms = vec![loss.detach(), ce.detach(), distillation.detach(), losses::accuracy(&logits, &batch.labels)];
            Objective { loss, terms, also: None }
        })
    }
}
