//! FGSM (Goodfellow et al., 2015) and projected gradient descent (Madry et al., 2018, section 2.1) on cross-entropy.
//!
//! As MadryLab's attacker in training; which iterate is kept is for whoever watches the climb. The gradient is that of the sum over the batch,
//! not the mean: its sign and direction are the same, and tiny gradients are not made 128 times tinier.

use super::ball::Ball;
use super::standing::{Standing, answers, pick};
use super::{Attack, Found, GoOn, Setting, Subjects};
use crate::config::RandomStart;
use crate::nn::{Mode, Network};
use std::ops::ControlFlow;
use tch::{Reduction, Tensor};

/// `steps` of length `step_size` inside the ball.
#[derive(Clone, Copy, Debug)]
pub struct Pgd {
    pub ball: Ball,
    pub steps: u32,
    pub step_size: f64,
}

impl Pgd {
    /// Climbs from `start` and returns the last iterate, detached. `visit` sees each iterate with its logits on the way, the start
    /// included and the last one not, and may end the climb.
    ///
    /// `x`, `start`: `[N, C, H, W]` in `[0, 1]`; `labels`: `[N]`, int64.
    pub fn climb(
        &self,
        network: &dyn Network,
        mode: Mode,
        x: &Tensor,
        labels: &Tensor,
        start: Tensor,
        visit: impl FnMut(&Tensor, &Tensor) -> ControlFlow<()>,
    ) -> Tensor {
        self.climb_on(network, mode, x, start, |logits| summed_cross_entropy(logits, labels), visit)
    }

    /// The same on any loss: `loss` makes a scalar of logits, the sum over the batch.
    pub fn climb_on(
        &self,
        network: &dyn Network,
        mode: Mode,
        x: &Tensor,
        start: Tensor,
        loss: impl Fn(&Tensor) -> Tensor,
        mut visit: impl FnMut(&Tensor, &Tensor) -> ControlFlow<()>,
    ) -> Tensor {
        let mut current = start;
        for _ in 0..self.steps {
            let (logits, gradient) = gradient(network, mode, &current, &loss);
            if visit(&current, &logits).is_break() {
                break;
            }
            let _guard = tch::no_grad_guard();
            current = self.ball.project(x, &self.ball.climb(&current, &gradient, self.step_size));
        }
        current
    }
}

/// PGD as evaluations run it: an image is fooled at any iterate, the start and the last included, not at the last alone. One restart.
#[derive(Clone, Copy, Debug)]
pub struct WorstOfPgd {
    pub pgd: Pgd,
    pub start: RandomStart,
}

impl Attack for WorstOfPgd {
    fn run(&self, subjects: &Subjects, setting: &mut Setting) -> Option<Found> {
        let ball = self.pgd.ball;
        let mut x = subjects.images.shallow_clone();
        let mut labels = subjects.labels.shallow_clone();
        let mut current = match self.start {
            RandomStart::No => x.shallow_clone(),
            RandomStart::Yes => ball.keyed_start(&x, |i| setting.key.stream(subjects.places[i], 0)),
        };
        let mut standing = Standing::new(subjects, setting.fooled);
        for step in 0..=self.pgd.steps {
            if (setting.go_on)() == GoOn::No {
                return None;
            }
            let last = step == self.pgd.steps;
            let (logits, gradient) = if last {
                standing.count_forward();
                let _guard = tch::no_grad_guard();
                (setting.network.forward(&current, Mode::Eval).logits, None)
            } else {
                standing.count_gradient();
                let (logits, gradient) =
                    gradient(setting.network, Mode::Eval, &current, |logits| summed_cross_entropy(logits, &labels));
                (logits, Some(gradient))
            };
            let _guard = tch::no_grad_guard();
            if let Some(gradient) = &gradient {
                let next = ball.project(&x, &ball.climb(&current, gradient, self.pgd.step_size));
                let stay = standing.look(&current, &answers(&logits, &labels));
                current = next;
                if let Some(stay) = stay {
                    if standing.is_empty() {
                        break;
                    }
                    (x, labels, current) = (pick(&x, &stay), pick(&labels, &stay), pick(&current, &stay));
                }
            } else {
                standing.look(&current, &answers(&logits, &labels));
            }
        }
        Some(standing.found())
    }
}

/// The loss that PGD and FGSM climb.
pub fn summed_cross_entropy(logits: &Tensor, labels: &Tensor) -> Tensor {
    logits.cross_entropy_loss::<Tensor>(labels, None, Reduction::Sum, -100, 0.0)
}

/// Logits at `x` and the gradient of their loss with respect to `x`, both detached.
pub fn gradient(network: &dyn Network, mode: Mode, x: &Tensor, loss: impl Fn(&Tensor) -> Tensor) -> (Tensor, Tensor) {
    let x = x.detach().set_requires_grad(true);
    let logits = network.forward(&x, mode).logits;
    let gradient = Tensor::run_backward(&[&loss(&logits)], &[&x], false, false).remove(0);
    (logits.detach(), gradient)
}

/// One step of length epsilon from the image itself. A diagnostic; never a claim of robustness.
pub fn fgsm(network: &dyn Network, ball: Ball, x: &Tensor, labels: &Tensor) -> Tensor {
    Pgd { ball, steps: 1, step_size: ball.eps }.climb(network, Mode::Eval, x, labels, x.shallow_clone(), on)
}

/// For a climb that nobody watches.
pub fn on(_: &Tensor, _: &Tensor) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attacks::golden::{Golden, close, numbers, vectors};
    use crate::config::Norm;
    use tch::Kind;

    fn per_sample_loss(net: &Golden, x: &Tensor, y: &Tensor) -> Vec<f64> {
        let loss = net.forward(x, Mode::Eval).logits.cross_entropy_loss::<Tensor>(y, None, Reduction::None, -100, 0.0);
        Vec::try_from(loss).unwrap()
    }

    #[test]
    fn twenty_steps_reach_the_golden_losses() {
        let (net, golden, x) = (Golden::new(), vectors(), Golden::images());
        let y = net.forward(&x, Mode::Eval).logits.argmax(1, false);
        close(&per_sample_loss(&net, &x, &y), &numbers(&golden["ce"]));
        let expected = &golden["pgd_linf_eps0p012_step0p003_20"];
        let pgd = Pgd { ball: ball(Norm::Linf, 0.012), steps: 20, step_size: 0.003 };
        let start = pgd.ball.project(&x, &(&x + Golden::noise() * 0.012));
        let last = pgd.climb(&net, Mode::Eval, &x, &y, start, on);
        close(&per_sample_loss(&net, &last, &y), &numbers(&expected["last_loss"]));
        let sums = last.flatten(1, -1).sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
        close(&Vec::<f64>::try_from(sums).unwrap(), &numbers(&expected["last_sum"]));
    }

    fn ball(norm: Norm, eps: f64) -> Ball {
        Ball { norm, eps }
    }

    #[test]
    fn iterates_stay_in_ball_and_box() {
        let net = Golden::new();
        let (x, y) = (Golden::images(), Tensor::from_slice(&[0i64, 1, 2, 3, 4, 0]));
        for (norm, eps) in [(Norm::Linf, 0.1), (Norm::L2, 0.7)] {
            let ball = ball(norm, eps);
            let start = ball.project(&x, &(&x + Golden::noise() * eps));
            let pgd = Pgd { ball, steps: 10, step_size: eps / 3.0 };
            let adversarial = pgd.climb(&net, Mode::Eval, &x, &y, start, |at, _| {
                assert!(ball.distance(&x, at).max().double_value(&[]) <= eps + 1e-6);
                ControlFlow::Continue(())
            });
            assert!(ball.distance(&x, &adversarial).max().double_value(&[]) <= eps + 1e-6);
            assert!(adversarial.min().double_value(&[]) >= 0.0 && adversarial.max().double_value(&[]) <= 1.0);
        }
    }

    #[test]
    fn one_long_step_from_the_image_is_fgsm() {
        let net = Golden::new();
        let (x, y) = (Golden::images(), Tensor::from_slice(&[0i64, 1, 2, 3, 4, 0]));
        let ball = ball(Norm::Linf, 0.05);
        let pgd = Pgd { ball, steps: 1, step_size: 0.2 }.climb(&net, Mode::Eval, &x, &y, x.shallow_clone(), on);
        assert!(pgd == fgsm(&net, ball, &x, &y));
    }

    #[test]
    fn climbing_raises_the_loss() {
        let net = Golden::new();
        let (x, y) = (Golden::images(), Tensor::from_slice(&[0i64, 1, 2, 3, 4, 0]));
        let loss = |x: &Tensor| net.forward(x, Mode::Eval).logits.cross_entropy_for_logits(&y).double_value(&[]);
        for (norm, eps) in [(Norm::Linf, 0.03), (Norm::L2, 0.3)] {
            let pgd = Pgd { ball: ball(norm, eps), steps: 10, step_size: eps / 4.0 };
            let adversarial = pgd.climb(&net, Mode::Eval, &x, &y, x.shallow_clone(), on);
            assert!(loss(&adversarial) > loss(&x) + 0.01, "{norm}");
        }
    }
}
