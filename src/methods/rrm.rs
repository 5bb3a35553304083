//! RRM: Robust Representation Matching (Vaishnavi, Eykholt, Rahmati, USENIX Security 2022).
//!
//! `min lambda * L_C(S(x), y) + L_R(x)` with `L_R = -mean cos(g_S(x), g_T(x))` on clean, augmented images only, as the authors'
//! CIFAR code has it (`1 - cos` without the constant, so the reported loss is negative). g is the input of the last linear layer.
//! The teacher is frozen, in eval mode and outside the graph; student and teacher see the same images. The classifier head is
//! moved by `lambda * L_C` alone. One step costs a forward of the teacher and a forward and backward of the student.

use super::{Batch, Context, Method, Objective, losses};
use crate::nn::{Mode, Model, Network};
use crate::protocol::Dial;
use crate::protocol::event::{Part, Term};
use std::rc::Rc;

pub struct Rrm {
    teacher: Rc<Model>,
}

impl Rrm {
    /// `teacher` must have features as wide as the student's.
    pub fn new(teacher: Rc<Model>) -> Self {
        Self { teacher }
    }
}

impl Method for Rrm {
    fn terms(&self) -> &'static [Term] {
        &[Term::Total, Term::CrossEntropy, Term::WeightedCrossEntropy, Term::Representation, Term::Cosine, Term::TrainAccuracy]
    }

    fn dials(&self) -> &'static [Dial] {
        &[Dial::Lambda, Dial::LrScale, Dial::Eps]
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let target = context.laps.time(Part::Teacher, || {
            let _guard = tch::no_grad_guard();
            self.teacher.forward(&batch.images, Mode::Eval).features
        });
        context.laps.time(Part::ForwardBackward, || {
            let out = student.forward(&batch.images, Mode::Train);
            let ce = losses::cross_entropy(&out.logits, &batch.labels);
            let cosine = losses::mean_cosine(&out.features, &target);
            let weighted = &ce * context.controls.lambda;
            let loss = &weighted - &cosine;
            let terms = vec![
                loss.detach(),
                ce.detach(),
                weighted.detach(),
                -cosine.detach(),
                cosine.detach(),
                losses::accuracy(&out.logits, &batch.labels),
            ];
            Objective { loss, terms }
        })
    }
}
