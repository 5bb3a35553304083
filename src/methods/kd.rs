//! KD, knowledge distillation (Hinton et al., 2015), on clean images: the student learns the teacher's answers.
//!
//! Textbook: `alpha T^2 KL(softmax(t / T) || softmax(s / T)) + (1 - alpha) CE(s, y)`, the divergence averaged over images. As the
//! RRM paper ran it: both networks divide their own logits by T and the loss divides them by T again, the divergence is averaged over
//! images and classes, and the labels' term sees the divided logits too; at T = 30 that is a weak form of KD. Their teacher was
//! also trained at that temperature (defensive distillation), ours is whatever it is. A step costs a forward of the teacher and
//! a forward and backward of the student.

use super::{Batch, Context, Look, Method, Objective, Pull, losses};
use crate::config::{self, KdForm, Reduction};
use crate::nn::{Mode, Model, Network};
use crate::protocol::Dial;
use crate::protocol::event::{Part, Term};
use std::rc::Rc;
use tch::Tensor;

pub struct Kd {
    settings: config::Kd,
    teacher: Rc<Model>,
}

impl Kd {
    pub fn new(settings: config::Kd, teacher: Rc<Model>) -> Self {
        Self { settings, teacher }
    }
}

impl Kd {
    /// Cross-entropy and the teacher's term, unweighted.
    fn terms_of(&self, logits: &Tensor, target: &Tensor, labels: &Tensor, temperature: f64) -> [Tensor; 2] {
        let (ce, divergence) = match self.settings.form {
            KdForm::Textbook => {
                (losses::cross_entropy(logits, labels), losses::divergence_of(target, logits, temperature, Reduction::Images))
            }
            KdForm::Paper => {
                let twice = temperature * temperature;
                (
                    losses::cross_entropy(&(logits / twice), labels),
                    losses::divergence_of(target, logits, twice, Reduction::ImagesAndClasses),
                )
            }
        };
        [ce, divergence * (temperature * temperature)]
    }
}

impl Method for Kd {
    fn terms(&self) -> &'static [Term] {
        &[Term::Total, Term::CrossEntropy, Term::Distillation, Term::TrainAccuracy]
    }

    fn dials(&self) -> &'static [Dial] {
        &[Dial::Temperature, Dial::Alpha, Dial::LrScale, Dial::Eps, Dial::Probes]
    }

    fn pull(&self, look: &Look) -> Option<Pull> {
        let target = look.batch.taught(0, &self.teacher).logits;
        let alpha = look.controls.alpha;
        let [ce, distillation] = self.terms_of(look.logits, &target, &look.batch.labels, look.controls.temperature);
        let losses = [ce * (1.0 - alpha), distillation * alpha];
        Some(Pull { terms: [Term::CrossEntropy, Term::Distillation], losses, target: None })
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let (temperature, alpha) = (context.controls.temperature, context.controls.alpha);
        let target = context.laps.time(Part::Teacher, || batch.taught(0, &self.teacher).logits);
        context.laps.time(Part::ForwardBackward, || {
            let logits = student.forward(&batch.images, Mode::Train).logits;
            let [ce, distillation] = self.terms_of(&logits, &target, &batch.labels, temperature);
            let loss = &distillation * alpha + &ce * (1.0 - alpha);
            let terms = vec![loss.detach(), ce.detach(), distillation.detach(), losses::accuracy(&logits, &batch.labels)];
            Objective { loss, terms, also: None }
        })
    }
}
