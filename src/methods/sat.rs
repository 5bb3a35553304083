//! SAT: PGD adversarial training (Madry et al., 2018, equation 2.1): `min E max_{|d| <= eps} CE(F(x + d), y)`.
//!
//! One step costs K forwards and input-only backwards for the attack, then one full forward and backward. `iterate = "best"` trains
//! on each image's point of highest loss, the start included, as MadryLab's code does by default, for one forward more; `"last"` on
//! the last point. Batch norm in the attack is as the config says, `eval` by default (MadryLab); `train` also moves the running
//! statistics at each attack step (locuslab).

use super::erm::plain;
use super::{Batch, Context, Method, Objective};
use crate::attacks::{Pgd, pgd};
use crate::config::{self, Iterate, RandomStart};
use crate::nn::{Mode, Model, Network};
use crate::protocol::Dial;
use crate::protocol::event::{Part, Term};
use std::ops::ControlFlow;
use tch::{Reduction, Tensor};

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
        &[Dial::LrScale, Dial::Eps, Dial::AttackSteps, Dial::StepSize, Dial::Probes]
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let images = context.laps.time(Part::Attack, || {
            let attack = super::inner(context.controls);
            let start = match self.settings.random_start {
                RandomStart::Yes => attack.ball.start(&batch.images),
                RandomStart::No => batch.images.shallow_clone(),
            };
            let mode = self.settings.batch_norm.into();
            match mode {
                // The weights stand still during the attack, so its eval-mode passes share one folding.
                Mode::Eval => find(&attack, &student.folded(), mode, batch, start, self.settings.iterate),
                Mode::Train => find(&attack, student, mode, batch, start, self.settings.iterate),
            }
        });
        context.laps.time(Part::ForwardBackward, || plain(&student.forward(&images, Mode::Train).logits, batch))
    }
}

fn find(attack: &Pgd, network: &dyn Network, mode: Mode, batch: &Batch, start: Tensor, iterate: Iterate) -> Tensor {
    let (x, labels) = (&batch.images, &batch.labels);
    if iterate == Iterate::Last {
        return attack.climb(network, mode, x, labels, start, pgd::on);
    }
    let mut best: Option<(Tensor, Tensor)> = None;
    let mut keep = |at: &Tensor, logits: &Tensor| {
        let _guard = tch::no_grad_guard();
        let loss = logits.cross_entropy_loss::<Tensor>(labels, None, Reduction::None, -100, 0.0);
        best = Some(match best.take() {
            None => (at.shallow_clone(), loss),
            Some((points, highest)) => {
                let higher = loss.greater_tensor(&highest);
                (at.where_self(&higher.view([-1, 1, 1, 1]), &points), loss.maximum(&highest))
            }
        });
    };
    let last = attack.climb(network, mode, x, labels, start, |at, logits| {
        keep(at, logits);
        ControlFlow::Continue(())
    });
    {
        let _guard = tch::no_grad_guard();
        keep(&last, &network.forward(&last, mode).logits);
    }
    best.map_or(last, |(points, _)| points)
}
