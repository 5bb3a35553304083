//! RRM: Robust Representation Matching (Vaishnavi, Eykholt, Rahmati, USENIX Security 2022).
//!
//! `min lambda * L_C(S(x), y) + L_R(x)` on clean, augmented images only. `L_R = -mean cos(g_S(x), g_T(x))` as the authors' CIFAR code
//! has it (`1 - cos` without the constant, so the reported loss is negative), or `mean ||g_S - g_T|| / ||g_T||` as their code for
//! Restricted ImageNet has it; the two do not compare at one lambda. g is the input of the last linear layer. The teacher is frozen,
//! in eval mode and outside the graph; student and teacher see the same images. The classifier head is moved by `lambda * L_C`
//! alone. One step costs a forward of the teacher and a forward and backward of the student; with replays the teacher's features are
//! kept for all steps on one minibatch. A projector, if there is one, is between the student's features and the teacher's, and
//! nowhere else.

use super::{Batch, Context, Look, Method, Objective, Pull, losses};
use crate::config::{self, Distance};
use crate::nn::{Mode, Model, Network};
use crate::protocol::Dial;
use crate::protocol::event::{Part, Term};
use std::rc::Rc;
use tch::Tensor;

pub struct Rrm {
    settings: config::Rrm,
    teacher: Rc<Model>,
    /// Of the minibatch that is being replayed. Not saved: the teacher says the same again.
    target: Option<Tensor>,
}

impl Rrm {
    /// `teacher` must have features as wide as the student's, or as its projector's output.
    pub fn new(settings: config::Rrm, teacher: Rc<Model>) -> Self {
        Self { settings, teacher, target: None }
    }
}

impl Method for Rrm {
    fn terms(&self) -> &'static [Term] {
        match self.settings.distance {
            Distance::Cosine => &[
                Term::Total,
                Term::CrossEntropy,
                Term::WeightedCrossEntropy,
                Term::Cosine,
                Term::TrainAccuracy,
                Term::Representation,
            ],
            Distance::RelativeL2 => {
                &[Term::Total, Term::CrossEntropy, Term::WeightedCrossEntropy, Term::Cosine, Term::TrainAccuracy, Term::Distance]
            }
        }
    }

    fn dials(&self) -> &'static [Dial] {
        &[Dial::Lambda, Dial::LrScale, Dial::Eps, Dial::Probes]
    }

    fn pull(&self, look: &Look) -> Option<Pull> {
        let target = look.batch.taught(0, &self.teacher).features;
        let features = look.student.project(look.features);
        let weighted = losses::cross_entropy(look.logits, &look.batch.labels) * look.controls.lambda;
        let (term, representation) = match self.settings.distance {
            Distance::Cosine => (Term::Representation, -losses::mean_cosine(&features, &target)),
            Distance::RelativeL2 => (Term::Distance, losses::relative_l2(&features, &target)),
        };
        Some(Pull { terms: [Term::WeightedCrossEntropy, term], losses: [weighted, representation], target: Some(target) })
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let kept = self.target.take().filter(|_| context.replay > 0);
        let target = context.laps.time(Part::Teacher, || kept.unwrap_or_else(|| batch.taught(0, &self.teacher).features));
        let objective = context.laps.time(Part::ForwardBackward, || {
            let out = student.forward(&batch.images, Mode::Train);
            let ce = losses::cross_entropy(&out.logits, &batch.labels);
            let features = student.project(&out.features);
            let cosine = losses::mean_cosine(&features, &target);
            let representation = match self.settings.distance {
                Distance::Cosine => -&cosine,
                Distance::RelativeL2 => losses::relative_l2(&features, &target),
            };
            let weighted = &ce * context.controls.lambda;
            let loss = &weighted + &representation;
            let terms = vec![
                loss.detach(),
                ce.detach(),
                weighted.detach(),
                cosine.detach(),
                losses::accuracy(&out.logits, &batch.labels),
                representation.detach(),
            ];
            Objective { loss, terms, also: None }
        });
        if context.replay + 1 < self.settings.replays {
            self.target = Some(target);
        }
        objective
    }
}
