//! ERM, standard training: `min E CE(F(x), y)`. One forward and backward a step; robust accuracy ends near 0.

use super::{Batch, Context, Method, Objective, losses};
use crate::nn::{Mode, Model, Network};
use crate::protocol::Dial;
use crate::protocol::event::{Part, Term};

pub struct Erm;

impl Method for Erm {
    fn terms(&self) -> &'static [Term] {
        &[Term::Total, Term::CrossEntropy, Term::TrainAccuracy]
    }

    /// Epsilon is that of the probes.
    fn dials(&self) -> &'static [Dial] {
        &[Dial::LrScale, Dial::Eps, Dial::Probes]
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        context.laps.time(Part::ForwardBackward, || {
            let logits = student.forward(&batch.images, Mode::Train).logits;
            plain(&logits, batch)
        })
    }
}

/// Cross-entropy alone, of the images that the logits are of.
pub(super) fn plain(logits: &tch::Tensor, batch: &Batch) -> Objective {
    let loss = losses::cross_entropy(logits, &batch.labels);
    let value = loss.detach();
    Objective { terms: vec![value.shallow_clone(), value, losses::accuracy(logits, &batch.labels)], loss, also: None }
}
