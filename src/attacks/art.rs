//! The AutoPGD of ART 1.7.2 on cross-entropy: what the RRM paper measured with, to reproduce its tables and for nothing else.
//!
//! Weaker than the authors' AutoPGD ([`super::apgd`]) in ways that are kept here: the whole batch shares one step size, one best loss
//! (of the batch's mean) and one decision at each checkpoint; only the last iterate of a restart counts; a rise is one over the best
//! loss so far; a restart begins where the one before began, moved by new noise. Numbers therefore depend on which images share a
//! batch: those that stand, 50 at a time in the order of the data set, as in the paper's code.
//!
//! Read in ART's later version, which differs in one thing only: since February 2023 each image has a step size of its own.

use super::ball::{Ball, norm2};
use super::losses::Loss;
use super::standing::{Standing, answers};
use super::{Attack, Found, GoOn, Setting, Subjects};
use crate::config::Norm;
use crate::nn::{Mode, channels_last, host};
use crate::random::AttackKey;
use tch::Tensor;

/// Keeps directions and factors finite, as written there.
const TOLERANCE: f64 = 10e-8;
/// Share of the new step against the momentum.
const STEP: f64 = 0.75;
/// Share of iterations that must raise the best loss.
const RISES: f64 = 0.75;

/// One restart.
#[derive(Clone, Debug)]
pub struct ArtAutoPgd {
    pub ball: Ball,
    pub steps: u32,
    /// The first step's length.
    pub step_size: f64,
    /// Of the restarts before this one and of this one: each moves the start.
    pub keys: Vec<AttackKey>,
}

/// The iterations after which the step is looked at, with the 0 that the first interval is counted from.
fn checkpoints(steps: u32) -> Vec<u32> {
    let mut shares = vec![0.0, 0.22];
    while let [.., before, last] = shares[..] {
        let next = last + f64::max(last - before - 0.03, 0.06);
        if next > 1.0 {
            break;
        }
        shares.push(next);
    }
    shares.into_iter().map(|share| (share * f64::from(steps)).ceil() as u32).collect()
}

/// Loss of the batch's mean and the gradient's direction.
struct Point {
    loss: f64,
    direction: Tensor,
}

impl ArtAutoPgd {
    fn project(&self, x: &Tensor, candidate: &Tensor) -> Tensor {
        let delta = candidate - x;
        match self.ball.norm {
            Norm::Linf => x + delta.clamp(-self.ball.eps, self.ball.eps),
            Norm::L2 => {
                let factor = (norm2(&delta) + TOLERANCE).reciprocal() * self.ball.eps;
                x.addcmul(&delta, &factor.clamp_max(1.0))
            }
        }
    }

    fn start(&self, subjects: &Subjects) -> Tensor {
        let x = &subjects.images;
        let mut at = x.shallow_clone();
        for key in &self.keys {
            let mut radii = Vec::with_capacity(subjects.len());
            let noise = self.ball.noise(x, |i| {
                let stream = key.stream(subjects.places[i], 0);
                // Uniform in the L2 ball: a direction, and the radius of a uniform volume.
                let volume = key.stream(subjects.places[i], 1).unit();
                let dimensions = x.size()[1..].iter().product::<i64>() as f32;
                radii.push(volume.powf(1.0 / dimensions));
                stream
            });
            let noise = match self.ball.norm {
                Norm::Linf => noise * self.ball.eps,
                Norm::L2 => {
                    let radii = Tensor::from_slice(&radii).view([-1, 1, 1, 1]).to_kind(x.kind()).to_device(x.device());
                    self.ball.stretched(&noise) * radii
                }
            };
            at = self.project(x, &(at + noise).clamp_(0.0, 1.0));
        }
        channels_last(&at)
    }

    fn point(&self, subjects: &Subjects, setting: &Setting, at: &Tensor) -> Point {
        let input = at.detach().set_requires_grad(true);
        let logits = setting.network.forward(&input, Mode::Eval).logits;
        let loss = Loss::CrossEntropy.of(&logits, &subjects.labels, None);
        let gradient = Tensor::run_backward(&[loss.sum(loss.kind())], &[&input], false, false).remove(0);
        let direction = match self.ball.norm {
            Norm::Linf => gradient.sign(),
            Norm::L2 => &gradient / (norm2(&gradient) + TOLERANCE),
        };
        Point { loss: host::doubles(&loss.mean(loss.kind()))[0], direction }
    }

    /// `None` when it was told not to go on. `watch` is told of the step size at each checkpoint.
    fn climb(
        &self,
        subjects: &Subjects,
        setting: &mut Setting,
        standing: &mut Standing,
        watch: &mut dyn FnMut(u32, f64),
    ) -> Option<Tensor> {
        let x = &subjects.images;
        let checkpoints = checkpoints(self.steps);
        let mut step = self.step_size;
        let (mut current, mut before) = (self.start(subjects), x.shallow_clone());
        let mut point = self.point(subjects, setting, &current);
        standing.count_gradient();
        let (mut best, mut before_best, mut best_loss) = (current.shallow_clone(), x.shallow_clone(), point.loss);
        let (mut checkpoint_loss, mut checkpoint_step, mut rises) = (point.loss, step, 0u32);
        for iteration in 0..self.steps {
            if (setting.go_on)() == GoOn::No {
                return None;
            }
            let guard = tch::no_grad_guard();
            let ahead = self.project(x, &(&current + &point.direction * step).clamp_(0.0, 1.0));
            let next = if iteration == 0 {
                ahead
            } else {
                let moved = &current + (ahead - &current) * STEP + (&current - &before) * (1.0 - STEP);
                self.project(x, &moved.clamp(0.0, 1.0))
            };
            let next = channels_last(&next);
            drop(guard);
            let there = self.point(subjects, setting, &next);
            standing.count_gradient();
            if iteration > 0 && there.loss == 0.0 {
                return Some(next);
            }
            if there.loss > best_loss || (iteration == 0 && there.loss >= best_loss) {
                rises += 1;
                // The first step's point before is the image, wherever it started.
                before_best = if iteration == 0 { x.shallow_clone() } else { current.shallow_clone() };
                (best, best_loss) = (next.shallow_clone(), there.loss);
            }
            (before, current, point) = (current, next, there);
            let Some(at) = checkpoints.iter().position(|&c| c == iteration).filter(|_| iteration > 0) else { continue };
            let few = f64::from(rises) < RISES * f64::from(iteration - checkpoints[at - 1]);
            let stuck = checkpoint_step == step && checkpoint_loss == best_loss;
            if few || stuck {
                step /= 2.0;
                (current, before) = (best.shallow_clone(), before_best.shallow_clone());
                point = self.point(subjects, setting, &current);
                standing.count_gradient();
            }
            (rises, checkpoint_step, checkpoint_loss) = (0, step, best_loss);
            watch(iteration, step);
        }
        Some(current)
    }
}

impl Attack for ArtAutoPgd {
    fn run(&self, subjects: &Subjects, setting: &mut Setting) -> Option<Found> {
        if (setting.go_on)() == GoOn::No {
            return None;
        }
        let mut standing = Standing::new(subjects, setting.fooled);
        let last = self.climb(subjects, setting, &mut standing, &mut |_, _| {})?;
        let _guard = tch::no_grad_guard();
        let logits = setting.network.forward(&last, Mode::Eval).logits;
        standing.count_forward();
        standing.look(&last, &answers(&logits, &subjects.labels));
        Some(standing.found())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attacks::Fooled;
    use crate::attacks::golden::{Golden, with};
    use crate::nn::Network;

    fn attack(norm: Norm, eps: f64, restarts: u32) -> ArtAutoPgd {
        let keys = (0..restarts).map(|r| AttackKey::new(0, "art", 0, r)).collect();
        ArtAutoPgd { ball: Ball { norm, eps }, steps: 50, step_size: 2.0 * eps, keys }
    }

    #[test]
    fn checkpoints_are_arts() {
        assert_eq!(checkpoints(50)[1..8], [11, 21, 29, 35, 40, 44, 47]);
        assert_eq!(checkpoints(100)[1..9], [22, 41, 58, 70, 80, 87, 93, 99]);
    }

    #[test]
    fn one_step_size_serves_the_batch_and_falls() {
        let net = Golden::new();
        let subjects = net.subjects(&[0, 1, 2, 3, 4, 5]);
        for (norm, eps) in [(Norm::Linf, 0.012), (Norm::L2, 0.06)] {
            let mut steps = Vec::new();
            let found = with(&net, Fooled::Leave, |setting| {
                let mut standing = Standing::new(&subjects, setting.fooled);
                attack(norm, eps, 2).climb(&subjects, setting, &mut standing, &mut |_, step| steps.push(step))
            });
            assert!(steps.len() >= 6 && steps.windows(2).all(|s| s[1] == s[0] || s[1] == s[0] / 2.0), "{steps:?}");
            assert!(steps[steps.len() - 1] < eps / 4.0, "{steps:?}");
            let far = attack(norm, eps, 2).ball.distance(&subjects.images, &found.unwrap()).max();
            assert!(f64::try_from(far).unwrap() <= eps + 1e-9);
        }
    }

    #[test]
    fn only_what_fools_at_the_end_counts() {
        let net = Golden::new();
        let subjects = net.subjects(&[0, 1, 2, 3, 4, 5]);
        for (norm, eps) in [(Norm::Linf, 0.012), (Norm::L2, 0.06)] {
            let found = with(&net, Fooled::Leave, |setting| attack(norm, eps, 1).run(&subjects, setting)).unwrap();
            assert!(found.fooled.contains(&true) && found.fooled.contains(&false), "{:?}", found.fooled);
            let wrong = net.forward(&found.adversarial, Mode::Eval).logits.argmax(1, false).ne_tensor(&subjects.labels);
            assert_eq!(found.fooled, Vec::<bool>::try_from(wrong).unwrap());
        }
    }
}
