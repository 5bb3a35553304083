//! AutoPGD (Croce and Hein, 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks",
//! algorithm 1): momentum, and a step that is halved, image by image, when the loss does not rise any more.
//!
//! As the authors' program computes it, where that differs from the paper: the first checkpoint counts one rise too many, because
//! the loss before the first is taken for 0; the loss of the start is no part of the history; after a halving the image goes back
//! to its best point and its momentum is measured from the point before the last step; the conditions compare with the iterate
//! before, even across such a jump.

use super::ball::{Ball, norm2};
use super::losses::Loss;
use super::standing::{Standing, answers, pick};
use super::{Attack, Found, GoOn, Setting, Subjects};
use crate::config::Norm;
use crate::nn::{Mode, Network, channels_last};
use tch::{Kind, Tensor};

/// Share of steps in an interval that must raise the loss (`rho`).
const RISES: f64 = 0.75;
/// Share of the new step against the momentum (`alpha`).
const STEP: f64 = 0.75;

/// One run: a restart, or one target.
#[derive(Clone, Copy, Debug)]
pub struct Apgd {
    pub ball: Ball,
    pub steps: u32,
    pub loss: Loss,
    /// Gradients averaged at each point; 1 for networks whose answers are not random.
    pub eot: u32,
}

/// What was decided at a checkpoint, for who wants to compare trajectories.
pub struct Checkpoint<'a> {
    /// Iterations done.
    pub iterations: u32,
    /// `[n]`, bool: whose step was halved.
    pub halved: &'a Tensor,
}

/// Where every image of the batch stands.
struct Rows {
    x: Tensor,
    /// Of ball and box, in L-inf.
    bounds: Option<(Tensor, Tensor)>,
    labels: Tensor,
    targets: Option<Tensor>,
    current: Tensor,
    previous: Tensor,
    gradient: Tensor,
    /// `[n, 1, 1, 1]`
    step: Tensor,
    best: Tensor,
    best_loss: Tensor,
    best_gradient: Tensor,
    /// Of the iterate before, `[n]`.
    loss_before: Tensor,
    /// Rises since the last checkpoint, `[n]`.
    rises: Tensor,
    /// Best loss at the last checkpoint, `[n]`.
    checkpoint_loss: Tensor,
    /// Whether the step was halved there, `[n]`.
    halved: Tensor,
}

impl Rows {
    fn keep(&mut self, rows: &Tensor) {
        for tensor in [
            &mut self.x,
            &mut self.labels,
            &mut self.current,
            &mut self.previous,
            &mut self.gradient,
            &mut self.step,
            &mut self.best,
            &mut self.best_loss,
            &mut self.best_gradient,
            &mut self.loss_before,
            &mut self.rises,
            &mut self.checkpoint_loss,
            &mut self.halved,
        ] {
            *tensor = pick(tensor, rows);
        }
        self.targets = self.targets.as_ref().map(|targets| pick(targets, rows));
        self.bounds = self.bounds.as_ref().map(|(low, high)| (pick(low, rows), pick(high, rows)));
    }
}

/// Logits (of the last pass), the loss of each image and the gradient of their sum.
struct Point {
    logits: Tensor,
    loss: Tensor,
    gradient: Tensor,
}

/// `[n]` as `[n, 1, 1, 1]`
fn wide(x: &Tensor) -> Tensor {
    x.view([-1, 1, 1, 1])
}

/// After how many iterations the step is looked at.
pub fn checkpoints(steps: u32) -> Vec<u32> {
    let share = |of: f64| ((of * f64::from(steps)) as u32).max(1);
    let (mut interval, least, less) = (share(0.22), share(0.06), share(0.03));
    let (mut at, mut all) = (interval, Vec::new());
    while at <= steps {
        all.push(at);
        interval = interval.saturating_sub(less).max(least);
        at += interval;
    }
    all
}

impl Apgd {
    fn point(&self, network: &dyn Network, x: &Tensor, labels: &Tensor, targets: Option<&Tensor>) -> Point {
        let mut sum: Option<Point> = None;
        for _ in 0..self.eot.max(1) {
            let input = x.detach().set_requires_grad(true);
            let logits = network.forward(&input, Mode::Eval).logits;
            let loss = self.loss.of(&logits, labels, targets);
            let gradient = Tensor::run_backward(&[&loss.sum(loss.kind())], &[&input], false, false).remove(0);
            let (logits, loss) = (logits.detach(), loss.detach());
            sum = Some(match sum {
                None => Point { logits, loss, gradient },
                Some(before) => Point { logits, loss, gradient: before.gradient + gradient },
            });
        }
        let mut point = sum.expect("there is at least one pass");
        if self.eot > 1 {
            point.gradient /= f64::from(self.eot);
        }
        point
    }

    /// The start that `noise` means: uniform in [-1, 1] for L-inf, normal for L2.
    fn start(&self, x: &Tensor, noise: &Tensor) -> Tensor {
        (x + self.ball.stretched(noise)).clamp_(0.0, 1.0)
    }

    /// As [`Attack::run`], from a given start; `watch` is told of every iterate's loss and every checkpoint.
    fn climb(
        &self,
        subjects: &Subjects,
        setting: &mut Setting,
        start: Tensor,
        watch: &mut dyn FnMut(&Tensor, Option<Checkpoint>),
    ) -> Option<(Found, Rows)> {
        if (setting.go_on)() == GoOn::No {
            return None;
        }
        let mut standing = Standing::new(subjects, setting.fooled);
        let (x, labels) = (subjects.images.shallow_clone(), subjects.labels.shallow_clone());
        let targets = subjects.targets.as_ref().map(Tensor::shallow_clone);
        let bounds = (self.ball.norm == Norm::Linf).then(|| self.ball.bounds(&x));
        let first = self.point(setting.network, &start, &labels, targets.as_ref());
        standing.count_gradients(u64::from(self.eot.max(1)));
        let n = subjects.len() as i64;
        let (kind, device) = (x.kind(), x.device());
        let mut rows = Rows {
            previous: start.copy(),
            best: start.copy(),
            best_loss: first.loss.copy(),
            best_gradient: first.gradient.copy(),
            // See above: the reference reads a row of zeros there.
            loss_before: Tensor::zeros([n], (kind, device)),
            rises: Tensor::zeros([n], (kind, device)),
            checkpoint_loss: first.loss.copy(),
            halved: Tensor::ones([n], (Kind::Bool, device)),
            step: Tensor::full([n, 1, 1, 1], 2.0 * self.ball.eps, (kind, device)),
            gradient: first.gradient,
            current: start,
            x,
            bounds,
            labels,
            targets,
        };
        if let Some(stay) = standing.look(&rows.current, &answers(&first.logits, &rows.labels)) {
            rows.keep(&stay);
        }
        let checkpoints = checkpoints(self.steps);
        let mut since = 0u32;
        for iteration in 0..self.steps {
            if standing.is_empty() {
                break;
            }
            if (setting.go_on)() == GoOn::No {
                return None;
            }
            let next = self.next(&mut rows, if iteration == 0 { 1.0 } else { STEP });
            rows.previous = std::mem::replace(&mut rows.current, next);
            let point = self.point(setting.network, &rows.current, &rows.labels, rows.targets.as_ref());
            standing.count_gradients(u64::from(self.eot.max(1)));
            let _guard = tch::no_grad_guard();
            watch(&point.loss, None);
            let _ = rows.rises.g_add_(&point.loss.gt_tensor(&rows.loss_before).to_kind(kind));
            rows.loss_before = point.loss.shallow_clone();
            let better = point.loss.gt_tensor(&rows.best_loss);
            let wider = wide(&better);
            rows.best = rows.current.where_self(&wider, &rows.best);
            rows.best_gradient = point.gradient.where_self(&wider, &rows.best_gradient);
            rows.best_loss = point.loss.maximum(&rows.best_loss);
            rows.gradient = point.gradient;
            since += 1;
            let stands = answers(&point.logits, &rows.labels);
            let stay = standing.look(&rows.current, &stands);
            if checkpoints.contains(&(iteration + 1)) {
                let oscillates = rows.rises.le(RISES * f64::from(since));
                let stuck = rows.checkpoint_loss.ge_tensor(&rows.best_loss).logical_and(&rows.halved.logical_not());
                rows.halved = oscillates.logical_or(&stuck);
                watch(&point.loss, Some(Checkpoint { iterations: iteration + 1, halved: &rows.halved }));
                rows.checkpoint_loss = rows.best_loss.copy();
                let wider = wide(&rows.halved);
                rows.step = (&rows.step * 0.5).where_self(&wider, &rows.step);
                rows.current = rows.best.where_self(&wider, &rows.current);
                rows.gradient = rows.best_gradient.where_self(&wider, &rows.gradient);
                rows.rises = rows.rises.zeros_like();
                since = 0;
            }
            if let Some(stay) = stay {
                rows.keep(&stay);
            }
        }
        Some((standing.found(), rows))
    }

    /// The step along the gradient, then the mean of it and the momentum, each taken back into ball and box. Overwrites the point
    /// before, which nothing needs any more.
    fn next(&self, rows: &mut Rows, share: f64) -> Tensor {
        let _guard = tch::no_grad_guard();
        let ahead = match self.ball.norm {
            Norm::Linf => rows.current.addcmul(&rows.gradient.sign(), &rows.step),
            Norm::L2 => rows.current.addcmul(&rows.gradient, &(&rows.step / (norm2(&rows.gradient) + 1e-12))),
        };
        let ahead = back(self.ball, rows, ahead);
        // current + share (ahead - current) + (1 - share) (current - previous), in two passes over memory.
        let next = rows.previous.lerp_(&rows.current, 2.0).lerp_(&ahead, share);
        back(self.ball, rows, next)
    }
}

fn back(ball: Ball, rows: &Rows, mut candidate: Tensor) -> Tensor {
    if let Some((low, high)) = &rows.bounds {
        return candidate.clamp_tensor_(Some(low), Some(high));
    }
    let delta = candidate - &rows.x;
    let size = norm2(&delta);
    let factor = size.clamp_max(ball.eps) / (size + 1e-12);
    rows.x.addcmul(&delta, &factor).clamp_(0.0, 1.0)
}

impl Attack for Apgd {
    fn run(&self, subjects: &Subjects, setting: &mut Setting) -> Option<Found> {
        let noise = self.ball.noise(&subjects.images, |i| setting.key.stream(subjects.places[i], 0));
        let start = channels_last(&self.start(&subjects.images, &noise));
        self.climb(subjects, setting, start, &mut |_, _| {}).map(|(found, ..)| found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attacks::Fooled;
    use crate::attacks::golden::{Golden, close, numbers, vectors, with};
    use crate::random::AttackKey;

    fn ball(norm: Norm, eps: f64) -> Ball {
        Ball { norm, eps }
    }

    fn sums(x: &Tensor) -> Vec<f64> {
        Vec::try_from(x.flatten(1, -1).sum_dim_intlist([1i64].as_slice(), false, Kind::Double)).unwrap()
    }

    #[test]
    fn trajectories_are_those_of_the_authors_program() {
        let (net, vectors) = (Golden::new(), vectors());
        for (key, loss, norm, eps, steps) in [
            ("apgd_ce_linf_eps0p012_n20", Loss::CrossEntropy, Norm::Linf, 0.012, 20),
            ("apgd_ce_linf_eps0p012_n50", Loss::CrossEntropy, Norm::Linf, 0.012, 50),
            ("apgd_dlr_linf_eps0p012_n50", Loss::Dlr, Norm::Linf, 0.012, 50),
            ("apgd_t_linf_eps0p012_n50", Loss::TargetedDlr, Norm::Linf, 0.012, 50),
            ("apgd_ce_l2_eps0p06_n50", Loss::CrossEntropy, Norm::L2, 0.06, 50),
        ] {
            let expected = &vectors[key];
            let attack = Apgd { ball: ball(norm, eps), steps, loss, eot: 1 };
            let subjects = net.subjects(&[0, 1, 2, 3, 4, 5]);
            let start = attack.start(&subjects.images, &Golden::noise());
            let (mut history, mut masks) = (Vec::new(), Vec::new());
            let (found, rows) = with(&net, Fooled::Stay, |setting| {
                attack.climb(&subjects, setting, start, &mut |loss, checkpoint| match checkpoint {
                    None => history.push(f64::try_from(loss.get(0)).unwrap()),
                    Some(at) => masks.push((at.iterations, Vec::<bool>::try_from(at.halved).unwrap())),
                })
            })
            .unwrap();
            close(&history, &numbers(&expected["loss_hist_first_sample"]));
            close(&Vec::<f64>::try_from(rows.best_loss).unwrap(), &numbers(&expected["best_loss"]));
            close(&Vec::<f64>::try_from(rows.step.view([-1])).unwrap(), &numbers(&expected["final_step"]));
            let theirs: Vec<(u32, Vec<bool>)> = expected["checkpoints"]
                .as_array()
                .unwrap()
                .iter()
                .map(|c| (c["iter"].as_u64().unwrap() as u32, numbers(&c["reduced"]).iter().map(|&r| r == 1.0).collect()))
                .collect();
            assert_eq!(masks, theirs, "{key}");
            let robust: Vec<bool> = numbers(&expected["robust"]).iter().map(|&r| r == 1.0).collect();
            assert_eq!(found.fooled.iter().map(|f| !f).collect::<Vec<_>>(), robust, "{key}");
            close(&sums(&rows.best), &numbers(&expected["x_best_sum"]));
            // Where nothing fooled the network, theirs is the start and ours the image itself.
            let fooled = |sums: &[f64]| -> Vec<f64> { (0..6).filter(|&i| !robust[i]).map(|i| sums[i]).collect() };
            close(&fooled(&sums(&found.adversarial)), &fooled(&numbers(&expected["adv_sum"])));
        }
    }

    #[test]
    fn checkpoints_are_where_the_authors_have_them() {
        assert_eq!(checkpoints(100), [22, 41, 57, 70, 80, 87, 93, 99]);
        assert_eq!(checkpoints(50), [11, 21, 30, 38, 45]);
        assert_eq!(checkpoints(20), [4, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
        assert_eq!(checkpoints(1), [1]);
    }

    #[test]
    fn flags_do_not_depend_on_who_shares_the_batch_or_on_who_leaves_it() {
        let net = Golden::new();
        for (norm, eps) in [(Norm::Linf, 0.02), (Norm::L2, 0.08)] {
            for loss in [Loss::CrossEntropy, Loss::Dlr, Loss::TargetedDlr] {
                let attack = Apgd { ball: ball(norm, eps), steps: 20, loss, eot: 1 };
                net.judge_alone_and_together(&attack, attack.ball);
            }
        }
    }

    #[test]
    fn given_up_is_no_result() {
        let net = Golden::new();
        let attack = Apgd { ball: ball(Norm::Linf, 0.01), steps: 20, loss: Loss::CrossEntropy, eot: 2 };
        let mut asked = 0;
        let mut go_on = || {
            asked += 1;
            if asked > 5 { GoOn::No } else { GoOn::Yes }
        };
        let mut setting =
            Setting { network: &net, key: AttackKey::new(0, "apgd", 0, 0), fooled: Fooled::Leave, go_on: &mut go_on };
        assert!(attack.run(&net.subjects(&[0, 1]), &mut setting).is_none());
    }
}
