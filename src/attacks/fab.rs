//! FAB (Croce and Hein, 2020, "Minimally distorted adversarial examples with a fast adaptive boundary attack", algorithm 1): looks for
//! the nearest image of another class, by projecting onto the classifier's linearised boundary and stepping back when it is crossed.
//!
//! Aimed at one class ([`Aim::Target`]) or at whichever boundary is nearest ([`Aim::Nearest`], one gradient a class). It minimises the
//! norm and knows of epsilon only as the radius that counts: an image leaves at the first adversarial iterate inside the ball, as
//! everything after would lie nearer still and its flag stay the same. The start is the image itself, and for further restarts a
//! random point at half the radius, as in the authors' program.

use super::ball::Ball;
use super::hyperplane::onto;
use super::losses::at;
use super::standing::{Standing, answers, pick};
use super::{Attack, Fooled, Found, GoOn, Setting, Subjects};
use crate::config::{Norm, RandomStart};
use crate::nn::{Mode, Network, channels_last};
use tch::Tensor;

/// Most of the way that is taken from the original image (`alpha_max`).
const ALPHA_MAX: f64 = 0.1;
/// How far a step goes beyond the boundary (`eta`).
const ETA: f64 = 1.05;
/// How far back towards the original an adversarial iterate goes (`beta`).
const BETA: f64 = 0.9;
/// Farther than any image.
const NOWHERE: f64 = 1e10;
/// Keeps the share of the way to the original finite.
const TINY: f64 = 1e-8;

/// Which boundary is approached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// The one to the target class of each subject.
    Target,
    /// The nearest of all, by the linear model at the iterate.
    Nearest,
}

/// One run: a restart, or one target.
#[derive(Clone, Copy, Debug)]
pub struct Fab {
    pub ball: Ball,
    pub steps: u32,
    pub aim: Aim,
    pub start: RandomStart,
}

/// Where every image of the batch stands.
struct Rows {
    x: Tensor,
    labels: Tensor,
    targets: Option<Tensor>,
    current: Tensor,
    /// Norm of the nearest adversarial iterate so far, `[n]`.
    least: Tensor,
}

impl Rows {
    fn keep(&mut self, rows: &Tensor) {
        for tensor in [&mut self.x, &mut self.labels, &mut self.current, &mut self.least] {
            *tensor = pick(tensor, rows);
        }
        self.targets = self.targets.as_ref().map(|targets| pick(targets, rows));
    }
}

/// The boundary's linear model at an iterate: its value there, `[N]`, not positive where the image is on its own side, and its
/// gradient, `[N, D]`.
struct Boundary {
    value: Tensor,
    gradient: Tensor,
    /// Gradients that were taken to find it.
    gradients: u64,
}

impl Fab {
    fn boundary(&self, network: &dyn Network, rows: &Rows) -> Boundary {
        let input = rows.current.detach().set_requires_grad(true);
        let logits = network.forward(&input, Mode::Eval).logits;
        let slope = |of: &Tensor, keep| {
            let gradient = Tensor::run_backward(&[of.sum(of.kind())], &[&input], keep, false).remove(0);
            gradient.flatten(1, -1)
        };
        match (self.aim, &rows.targets) {
            (Aim::Target, Some(targets)) => {
                let difference = at(&logits, targets) - at(&logits, &rows.labels);
                let gradient = slope(&difference, false);
                Boundary { value: difference.detach(), gradient, gradients: 1 }
            }
            (Aim::Target | Aim::Nearest, _) => {
                let classes = logits.size()[1];
                let own = at(&logits, &rows.labels).unsqueeze(1);
                let gap = &logits - &own;
                let slopes: Vec<Tensor> = (0..classes).map(|k| slope(&gap.select(1, k), true)).collect();
                let _guard = tch::no_grad_guard();
                let slopes = Tensor::stack(&slopes, 1);
                // In the dual norm: L1 for L-inf, L2 for itself.
                let dual = match self.ball.norm {
                    Norm::Linf => slopes.abs().sum_dim_intlist([2i64].as_slice(), false, slopes.kind()),
                    Norm::L2 => slopes.square().sum_dim_intlist([2i64].as_slice(), false, slopes.kind()).sqrt(),
                };
                let distance = gap.detach().abs() / (dual + 1e-12);
                let nearest = distance.scatter_value(1, &rows.labels.unsqueeze(1), NOWHERE).argmin(1, true);
                let index = nearest.unsqueeze(2).expand([-1, -1, slopes.size()[2]], false);
                Boundary {
                    value: gap.detach().gather(1, &nearest, false).squeeze_dim(1),
                    gradient: slopes.gather(1, &index, false).squeeze_dim(1),
                    gradients: classes as u64,
                }
            }
        }
    }

    /// The next iterate: onto the boundary from where it is and from the original, and between the two.
    fn next(&self, rows: &Rows, boundary: &Boundary) -> Tensor {
        let (point, origin) = (rows.current.flatten(1, -1), rows.x.flatten(1, -1));
        let away = (&origin - &point) * &boundary.gradient;
        let from_origin = &boundary.value + away.sum_dim_intlist([1i64].as_slice(), false, away.kind());
        // Both at once: one pass over twice the rows.
        let ways = onto(
            self.ball.norm,
            &Tensor::cat(&[&point, &origin], 0),
            &boundary.gradient.repeat([2, 1]),
            &Tensor::cat(&[&boundary.value, &from_origin], 0),
        );
        let [near, far] = [0, 1].map(|i| ways.narrow(0, i * point.size()[0], point.size()[0]));
        let size = |way: &Tensor| self.ball.length(way).unsqueeze(1).clamp_min_(TINY);
        let (a, b) = (size(&near), size(&far));
        let share = (&a / (&a + b)).clamp_max_(ALPHA_MAX);
        let (ahead, pulled) = (&point + near * ETA, &origin + far * ETA);
        let mut next = &ahead * (share.ones_like() - &share) + pulled * share;
        channels_last(&next.clamp_(0.0, 1.0).view_as(&rows.x))
    }

    /// As [`Attack::run`]; beside it the norm of the nearest adversarial image of each row that stayed to the end, and those images.
    fn search(&self, subjects: &Subjects, setting: &mut Setting) -> Option<(Found, Tensor, Tensor)> {
        let mut standing = Standing::new(subjects, setting.fooled);
        let x = subjects.images.shallow_clone();
        let current = match self.start {
            RandomStart::No => x.shallow_clone(),
            RandomStart::Yes => {
                let noise = self.ball.noise(&x, |i| setting.key.stream(subjects.places[i], 0));
                channels_last(&(&x + self.ball.stretched(&noise) * 0.5).clamp_(0.0, 1.0))
            }
        };
        let least = Tensor::full([subjects.len() as i64], NOWHERE, (x.kind(), x.device()));
        let mut rows = Rows {
            labels: subjects.labels.shallow_clone(),
            targets: subjects.targets.as_ref().map(Tensor::shallow_clone),
            current,
            least,
            x,
        };
        let mut nearest = rows.x.copy();
        for _ in 0..self.steps {
            if (setting.go_on)() == GoOn::No {
                return None;
            }
            let boundary = self.boundary(setting.network, &rows);
            standing.count_gradients(boundary.gradients);
            let _guard = tch::no_grad_guard();
            rows.current = self.next(&rows, &boundary);
            let logits = setting.network.forward(&rows.current, Mode::Eval).logits;
            standing.count_forward();
            let fooled = answers(&logits, &rows.labels).logical_not();
            let distance = self.ball.distance(&rows.x, &rows.current);
            let nearer = fooled.logical_and(&distance.lt_tensor(&rows.least));
            let counts = nearer.logical_and(&distance.le(self.ball.eps));
            let stay = standing.look(&rows.current, &counts.logical_not());
            if setting.fooled == Fooled::Stay {
                nearest = rows.current.where_self(&wide(&nearer), &nearest);
            }
            rows.least = distance.where_self(&nearer, &rows.least);
            let back = &rows.x + (&rows.current - &rows.x) * BETA;
            rows.current = back.where_self(&wide(&fooled), &rows.current);
            if let Some(stay) = stay {
                if standing.is_empty() {
                    break;
                }
                rows.keep(&stay);
            }
        }
        Some((standing.found(), rows.least, nearest))
    }
}

/// `[n]` as `[n, 1, 1, 1]`
fn wide(x: &Tensor) -> Tensor {
    x.view([-1, 1, 1, 1])
}

impl Attack for Fab {
    fn run(&self, subjects: &Subjects, setting: &mut Setting) -> Option<Found> {
        self.search(subjects, setting).map(|(found, ..)| found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attacks::golden::{Golden, close, numbers, vectors, with};
    use tch::Kind;

    #[test]
    fn targets_are_reached_as_by_the_authors_program() {
        let (net, expected) = (Golden::new(), &vectors()["fab_t_linf_n10_target2nd"]);
        let ball = Ball { norm: Norm::Linf, eps: 0.012 };
        let attack = Fab { ball, steps: 10, aim: Aim::Target, start: RandomStart::No };
        let subjects = net.subjects(&[0, 1, 2, 3, 4, 5]);
        let (found, least, nearest) = with(&net, Fooled::Stay, |setting| attack.search(&subjects, setting)).unwrap();
        let least = Vec::<f64>::try_from(least).unwrap();
        close(&least, &numbers(&expected["min_norm"]));
        let sums = nearest.flatten(1, -1).sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
        close(&Vec::<f64>::try_from(sums).unwrap(), &numbers(&expected["adv_sum"]));
        assert_eq!(found.fooled, least.iter().map(|&d| d <= 0.012).collect::<Vec<_>>());
    }

    #[test]
    fn flags_do_not_depend_on_who_shares_the_batch_or_on_who_leaves_it() {
        let net = Golden::new();
        for (norm, eps) in [(Norm::Linf, 0.02), (Norm::L2, 0.1)] {
            for aim in [Aim::Target, Aim::Nearest] {
                for start in [RandomStart::No, RandomStart::Yes] {
                    let attack = Fab { ball: Ball { norm, eps }, steps: 20, aim, start };
                    net.judge_alone_and_together(&attack, attack.ball);
                }
            }
        }
    }

    #[test]
    fn the_nearest_boundary_is_no_farther_than_that_of_any_target() {
        let net = Golden::new();
        let ball = Ball { norm: Norm::L2, eps: 1.0 };
        let least = |aim, subjects: &Subjects| {
            let attack = Fab { ball, steps: 30, aim, start: RandomStart::No };
            let (_, least, _) = with(&net, Fooled::Stay, |setting| attack.search(subjects, setting)).unwrap();
            Vec::<f64>::try_from(least).unwrap()
        };
        let subjects = net.subjects(&[0, 1, 2, 3, 4, 5]);
        for (nearest, target) in least(Aim::Nearest, &subjects).iter().zip(least(Aim::Target, &subjects)) {
            assert!(*nearest <= target * 1.02, "{nearest} {target}");
        }
    }
}
