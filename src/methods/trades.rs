//! TRADES (Zhang et al., 2019, equation 5): `min E CE(F(x), y) + beta max_{|d| <= eps} KL(F(x) || F(x + d))`.
//!
//! The attack climbs the divergence itself, from `x + 0.001 n` with n standard normal, in eval mode. A step costs K forwards and
//! input-only backwards and one forward, then two forwards and backwards in train mode, clean images first. The authors' code
//! computes the clean outputs once more for the divergence, which moves the running statistics a second time; here it does not.

use super::{Batch, Context, Method, Objective, losses};
use crate::attacks::pgd;
use crate::config::{self, Reduction};
use crate::nn::{Mode, Model, Network};
use crate::protocol::event::{Part, Term};
use crate::protocol::{Controls, Dial};
use tch::Tensor;

pub struct Trades {
    settings: config::Trades,
}

impl Trades {
    pub fn new(settings: config::Trades) -> Self {
        Self { settings }
    }
}

/// Where TRADES and RSLAD begin: the gradient of a divergence is zero at the image itself.
pub(super) fn beside(x: &Tensor) -> Tensor {
    x + x.empty_like().normal_(0.0, 1.0) * 1e-3
}

/// Climbs the divergence from fixed answers: `probabilities` `[N, K]`.
pub(super) fn diverge(network: &dyn Network, mode: Mode, x: &Tensor, probabilities: &Tensor, controls: &Controls) -> Tensor {
    let loss = |logits: &Tensor| losses::summed_divergence(probabilities, logits);
    super::inner(controls).climb_on(network, mode, x, beside(x), loss, pgd::on)
}

impl Method for Trades {
    fn terms(&self) -> &'static [Term] {
        &[Term::Total, Term::CrossEntropy, Term::Divergence, Term::TrainAccuracy]
    }

    fn dials(&self) -> &'static [Dial] {
        &[Dial::Beta, Dial::LrScale, Dial::Eps, Dial::AttackSteps, Dial::StepSize, Dial::Probes]
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let mode = self.settings.batch_norm.into();
        let x = &batch.images;
        let attacked = context.laps.time(Part::Attack, || {
            let answers = |network: &dyn Network| {
                let _guard = tch::no_grad_guard();
                network.forward(x, mode).logits.softmax(1, x.kind())
            };
            match mode {
                Mode::Eval => {
                    let folded = student.folded();
                    diverge(&folded, mode, x, &answers(&folded), context.controls)
                }
                Mode::Train => diverge(student, mode, x, &answers(student), context.controls),
            }
        });
        let beta = context.controls.beta;
        context.laps.time(Part::ForwardBackward, || {
            let clean = student.forward(x, Mode::Train).logits;
            let attacked = student.forward(&attacked, Mode::Train).logits;
            let ce = losses::cross_entropy(&clean, &batch.labels);
            let divergence = losses::divergence_of(&clean, &attacked, 1.0, Reduction::Images);
            let loss = &ce + &divergence * beta;
            let terms = vec![loss.detach(), ce.detach(), divergence.detach(), losses::accuracy(&attacked, &batch.labels)];
            Objective { loss, terms, also: None }
        })
    }
}
