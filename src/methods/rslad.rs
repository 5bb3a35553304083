//! RSLAD (Zi et al., 2021): no hard labels at all; the teacher's soft answers on clean images guide both players.
//!
//! `alpha KL(T(x) || S(x + d)) + (1 - alpha) KL(T(x) || S(x))`, alpha = 5/6, temperature 1, with d climbing `KL(T(x) || S(x + d))`
//! from `x + 0.001 n` in eval mode. A step costs K forwards and input-only backwards, two forwards and backwards, attacked images
//! first, and a forward of the teacher. The authors average over images and classes.

use super::{Batch, Context, Method, Objective, losses, trades};
use crate::config;
use crate::nn::{Mode, Model, Network};
use crate::protocol::Dial;
use crate::protocol::event::{Part, Term};
use std::rc::Rc;

pub struct Rslad {
    settings: config::Rslad,
    teacher: Rc<Model>,
}

impl Rslad {
    pub fn new(settings: config::Rslad, teacher: Rc<Model>) -> Self {
        Self { settings, teacher }
    }
}

impl Method for Rslad {
    fn terms(&self) -> &'static [Term] {
        &[Term::Total, Term::Distillation, Term::CleanDistillation, Term::TrainAccuracy]
    }

    fn dials(&self) -> &'static [Dial] {
        &[Dial::Alpha, Dial::LrScale, Dial::Eps, Dial::AttackSteps, Dial::StepSize, Dial::Probes]
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let alpha = context.controls.alpha;
        let x = &batch.images;
        let target = context.laps.time(Part::Teacher, || batch.taught(0, &self.teacher).logits);
        let attacked = context.laps.time(Part::Attack, || {
            let mode: Mode = self.settings.batch_norm.into();
            let answers = target.softmax(1, target.kind());
            match mode {
                Mode::Eval => trades::diverge(&student.folded(), mode, x, &answers, context.controls),
                Mode::Train => trades::diverge(student, mode, x, &answers, context.controls),
            }
        });
        context.laps.time(Part::ForwardBackward, || {
            let logits = student.forward(&attacked, Mode::Train).logits;
            let clean = student.forward(x, Mode::Train).logits;
            let distillation = losses::divergence_of(&target, &logits, 1.0, self.settings.reduction);
            let of_clean = losses::divergence_of(&target, &clean, 1.0, self.settings.reduction);
            let loss = &distillation * alpha + &of_clean * (1.0 - alpha);
            let terms = vec![loss.detach(), distillation.detach(), of_clean.detach(), losses::accuracy(&logits, &batch.labels)];
            Objective { loss, terms, also: None }
        })
    }
}
