//! Square Attack (Andriushchenko et al., 2020, algorithms 1 to 3): random search that asks for logits only, never for a gradient, and
//! therefore finds what gradients are hidden from.
//!
//! Each query changes one square window of an image and keeps the change when the margin falls. As the authors' program with
//! `resc_schedule` off: the margin as loss, a window's side from the same schedule whatever the number of queries, positions up to and
//! without the last possible one. Otherwise than there, every image has windows and signs of its own, keyed by its place and the
//! query, where the program draws one window for the whole batch: the same search for each image, and no image's result depends on
//! the others. An image is done when it is misclassified; at a margin of exactly 0 that is still called right, the search goes on.

use super::ball::Ball;
use super::losses::margin;
use super::standing::{Standing, answers, pick};
use super::{Attack, Found, GoOn, Setting, Subjects};
use crate::config::Norm;
use crate::nn::Mode;
use crate::random::Stream;
use tch::{Device, Kind, Tensor};

/// Share of an image's pixels that the first windows cover (`p_init`).
const FIRST_SHARE: f64 = 0.8;

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Square {
    pub ball: Ball,
    pub queries: u32,
}

/// Where every image of the batch stands.
struct Rows {
    x: Tensor,
    /// Of ball and box.
    bounds: (Tensor, Tensor),
    labels: Tensor,
    best: Tensor,
    margin: Tensor,
    places: Vec<i64>,
}

impl Rows {
    fn keep(&mut self, rows: &Tensor) {
        let (low, high) = &mut self.bounds;
        for tensor in [&mut self.x, low, high, &mut self.labels, &mut self.best, &mut self.margin] {
            *tensor = pick(tensor, rows);
        }
    }
}

/// Share of the pixels that a window covers at this query, from 0.
fn share(query: u32) -> f64 {
    let halvings = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000].iter().filter(|&&after| query > after).count();
    FIRST_SHARE / f64::from(1u32 << halvings)
}

/// Side of a window: at least `least`, at most the image's.
fn side(query: u32, height: i64, width: i64, least: i64) -> i64 {
    let side = (share(query) * (height * width) as f64).sqrt().round_ties_even() as i64;
    side.max(least).min(height).min(width)
}

/// A place for a window of this side along an edge of this length.
fn place(stream: &mut Stream, length: i64, side: i64) -> i64 {
    stream.below((length - side).max(1) as u64) as i64
}

fn sign(stream: &mut Stream) -> f32 {
    if stream.below(2) == 0 { -1.0 } else { 1.0 }
}

/// The values on the device, in the images' kind.
fn upload(values: &[f32], shape: &[i64], like: &Tensor) -> Tensor {
    Tensor::from_slice(values).view(shape).to_kind(like.kind()).to_device(like.device())
}

impl Square {
    fn first(&self, rows: &Rows, dipoles: &mut Dipoles, streams: Vec<Stream>) -> Tensor {
        match self.ball.norm {
            Norm::Linf => self.stripes(rows, streams),
            Norm::L2 => tiles(self.ball, &rows.x, dipoles, streams),
        }
    }

    fn next(&self, rows: &Rows, dipoles: &mut Dipoles, query: u32, streams: Vec<Stream>) -> Tensor {
        match self.ball.norm {
            Norm::Linf => self.repaint(rows, query, streams),
            Norm::L2 => swap(self.ball, rows, dipoles, query, streams),
        }
    }

    /// Vertical stripes of plus and minus epsilon, each channel and column its own sign.
    fn stripes(&self, rows: &Rows, mut streams: Vec<Stream>) -> Tensor {
        let (n, c, _, w) = rows.x.size4().expect("images have four dimensions");
        let signs: Vec<f32> = streams.iter_mut().flat_map(|s| (0..c * w).map(|_| sign(s)).collect::<Vec<_>>()).collect();
        (&rows.x + upload(&signs, &[n, c, 1, w], &rows.x) * self.ball.eps).clamp_(0.0, 1.0)
    }

    /// One window set to plus or minus epsilon, each channel its own sign.
    fn repaint(&self, rows: &Rows, query: u32, streams: Vec<Stream>) -> Tensor {
        let (n, c, h, w) = rows.x.size4().expect("images have four dimensions");
        let side = side(query, h, w, 1);
        // The window is the product of a stretch of rows, with the signs, and a stretch of columns.
        let mut down = vec![0.0f32; (n * c * h) as usize];
        let mut across = vec![0.0f32; (n * w) as usize];
        for (i, mut stream) in streams.into_iter().enumerate() {
            let (top, left) = (place(&mut stream, h, side), place(&mut stream, w, side));
            for channel in 0..c {
                let from = ((i as i64 * c + channel) * h + top) as usize;
                // Twice epsilon takes a pixel from one side of the ball to the other.
                down[from..from + side as usize].fill(2.0 * sign(&mut stream) * self.ball.eps as f32);
            }
            let from = (i as i64 * w + left) as usize;
            across[from..from + side as usize].fill(1.0);
        }
        let (down, across) = (upload(&down, &[n, c, h, 1], &rows.x), upload(&across, &[n, 1, 1, w], &rows.x));
        rows.best.addcmul(&down, &across).clamp_tensor_(Some(&rows.bounds.0), Some(&rows.bounds.1))
    }
}

/// The bump of a rectangle, `[a, b]`, of length 1: sums of smaller and smaller rectangles around its middle (algorithm 3).
fn bump(a: i64, b: i64) -> Tensor {
    let bump = Tensor::zeros([a, b], (Kind::Double, Device::Cpu));
    for k in 0..(a / 2 + 1).max(b / 2 + 1) {
        let stretch = |middle: i64, end: i64| {
            let from = (middle - k).max(0);
            (from, (middle + k + 1).min(end) - from)
        };
        let ((top, height), (left, width)) = (stretch(a / 2, a), stretch(b / 2, b));
        let _ = bump.narrow(0, top, height).narrow(1, left, width).g_add_scalar_(1.0 / ((k + 1) * (k + 1)) as f64);
    }
    &bump / bump.square().sum(Kind::Double).sqrt()
}

/// A bump and its negative, one above the other, `[side, side]`, of length 1.
fn dipole(side: i64) -> Tensor {
    let upper = side / 2;
    let both =
        if upper == 0 { bump(side, side).neg() } else { Tensor::cat(&[bump(upper, side), bump(side - upper, side).neg()], 0) };
    &both / both.square().sum(Kind::Double).sqrt()
}

/// The dipoles of one side after the other: the side seldom changes, so the last shapes are kept.
#[derive(Default)]
struct Dipoles {
    side: i64,
    /// `[2, side * side]`: upright and lying.
    shapes: Option<Tensor>,
}

impl Dipoles {
    /// One for each stream and channel, upright or lying by a draw, each channel with a sign of its own: `[n, c, side * side]`.
    fn drawn(&mut self, side: i64, channels: i64, streams: &mut [Stream], like: &Tensor) -> Tensor {
        if self.side != side {
            (self.side, self.shapes) = (side, None);
        }
        let shapes = self.shapes.get_or_insert_with(|| {
            let upright = dipole(side);
            let both = Tensor::stack(&[upright.contiguous().view([-1]), upright.tr().contiguous().view([-1])], 0);
            both.to_kind(like.kind()).to_device(like.device())
        });
        let lies: Vec<i64> = streams.iter_mut().map(|s| s.below(2) as i64).collect();
        let signs: Vec<f32> = streams.iter_mut().flat_map(|s| (0..channels).map(|_| sign(s)).collect::<Vec<_>>()).collect();
        let drawn = shapes.index_select(0, &Tensor::from_slice(&lies).to_device(like.device()));
        drawn.unsqueeze(1) * upload(&signs, &[streams.len() as i64, channels, 1], like)
    }
}

/// `x` with a perturbation of this direction, `[n, c, h * w]`, on the ball's surface, cut with the box.
fn at_surface(ball: Ball, x: &Tensor, direction: &Tensor) -> Tensor {
    let size = ball.length(&direction.flatten(1, -1)).view([-1, 1, 1]);
    (x + (direction / (size + 1e-12) * ball.eps).view_as(x)).clamp_(0.0, 1.0)
}

/// The indices of windows in flattened images, `[n, 1, side * side]`.
fn window(corners: &[(i64, i64)], side: i64, width: i64, device: Device) -> Tensor {
    let mut index = Vec::with_capacity(corners.len() * (side * side) as usize);
    for &(top, left) in corners {
        index.extend((0..side * side).map(|i| (top + i / side) * width + left + i % side));
    }
    Tensor::from_slice(&index).view([corners.len() as i64, 1, side * side]).to_device(device)
}

/// Five by five tiles of dipoles (as many as fit where the image is not square).
fn tiles(ball: Ball, x: &Tensor, dipoles: &mut Dipoles, mut streams: Vec<Stream>) -> Tensor {
    let (n, c, h, w) = x.size4().expect("images have four dimensions");
    let side = (h / 5).max(1).min(w);
    let offset = (h - 5 * side).max(0) / 2;
    let mut direction = Tensor::zeros([n, c, h * w], (x.kind(), x.device()));
    for row in 0..(h / side).min(5) {
        for column in 0..(w / side).min(5) {
            let corner = (offset + row * side, offset + column * side);
            if corner.1 + side > w {
                continue;
            }
            let index = window(&vec![corner; n as usize], side, w, x.device()).expand([-1, c, -1], false);
            let _ = direction.scatter_add_(2, &index, &dipoles.drawn(side, c, &mut streams, x));
        }
    }
    at_surface(ball, x, &direction)
}

/// Empties one window and gives its length, and what is left of the radius, to another.
fn swap(ball: Ball, rows: &Rows, dipoles: &mut Dipoles, query: u32, mut streams: Vec<Stream>) -> Tensor {
    let (n, c, h, w) = rows.x.size4().expect("images have four dimensions");
    let side = {
        let odd = side(query, h, w, 3) | 1;
        if odd > h.min(w) { h.min(w) } else { odd }
    };
    let mut corners = || -> Vec<_> { streams.iter_mut().map(|s| (place(s, h, side), place(s, w, side))).collect() };
    let (to, from) = (corners(), corners());
    let [to, from] = [to, from].map(|corners| window(&corners, side, w, rows.x.device()));
    let each = |index: &Tensor| index.expand([-1, c, -1], false);
    // In the order of the index, whatever the layout in memory.
    let mut direction = (&rows.best - &rows.x).contiguous().view([n, c, h * w]);
    let length = |x: &Tensor| x.square().sum_dim_intlist([2i64].as_slice(), true, x.kind()).sqrt();
    let there = direction.gather(2, &each(&to), false);
    let mut covered = Tensor::zeros([n, 1, h * w], (direction.kind(), direction.device()));
    let _ = covered.scatter_value_(2, &to, 1.0).scatter_value_(2, &from, 1.0);
    let free = (ball.length(&direction.flatten(1, -1)).square().neg() + ball.eps * ball.eps).clamp_min_(0.0).view([n, 1, 1]);
    let budget = (free / c as f64 + length(&(&direction * covered)).square()).sqrt();
    let fresh = dipoles.drawn(side, c, &mut streams, &direction) + &there / (length(&there) + 1e-12);
    let fresh = &fresh / (length(&fresh) + 1e-12) * budget;
    let _ = direction.scatter_value_(2, &each(&from), 0.0).scatter_(2, &each(&to), &fresh);
    at_surface(ball, &rows.x, &direction)
}

impl Attack for Square {
    fn run(&self, subjects: &Subjects, setting: &mut Setting) -> Option<Found> {
        if (setting.go_on)() == GoOn::No {
            return None;
        }
        let _guard = tch::no_grad_guard();
        let mut standing = Standing::new(subjects, setting.fooled);
        let key = setting.key;
        let streams = |places: &[i64], iteration: u64| places.iter().map(|&p| key.stream(p, iteration)).collect::<Vec<_>>();
        let x = subjects.images.shallow_clone();
        let mut rows = Rows {
            bounds: match self.ball.norm {
                Norm::Linf => self.ball.bounds(&x),
                Norm::L2 => (x.zeros_like(), x.ones_like()),
            },
            labels: subjects.labels.shallow_clone(),
            best: x.shallow_clone(),
            margin: Tensor::full([subjects.len() as i64], f64::INFINITY, (x.kind(), x.device())),
            places: subjects.places.clone(),
            x,
        };
        let mut dipoles = Dipoles::default();
        for query in 0..=self.queries {
            // Query 0 is the start.
            if query > 0 && (setting.go_on)() == GoOn::No {
                return None;
            }
            let draws = streams(&rows.places, u64::from(query));
            let candidate = match query {
                0 => self.first(&rows, &mut dipoles, draws),
                _ => self.next(&rows, &mut dipoles, query - 1, draws),
            };
            let logits = setting.network.forward(&candidate, Mode::Eval).logits;
            standing.count_forward();
            let found = margin(&logits, &rows.labels);
            let better = found.lt_tensor(&rows.margin);
            let stay = standing.look(&candidate, &answers(&logits, &rows.labels));
            rows.best = candidate.where_self(&better.view([-1, 1, 1, 1]), &rows.best);
            rows.margin = found.minimum(&rows.margin);
            if let Some(stay) = stay {
                if standing.is_empty() {
                    break;
                }
                rows.keep(&stay);
                rows.places = standing.rows().iter().map(|&row| subjects.places[row]).collect();
            }
        }
        Some(standing.found())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attacks::golden::Golden;

    #[test]
    fn windows_shrink_as_the_authors_have_them() {
        let sides = |least, odd: i64| -> Vec<i64> {
            [0, 11, 51, 201, 501, 1001, 2001, 4001].iter().map(|&query| side(query, 32, 32, least) | odd).collect()
        };
        assert_eq!(sides(1, 0), [29, 20, 14, 10, 7, 5, 4, 3]);
        assert_eq!(sides(3, 1), [29, 21, 15, 11, 7, 5, 5, 3]);
        assert_eq!((side(10, 32, 32, 1), side(11, 32, 32, 1)), (29, 20));
    }

    #[test]
    fn dipoles_have_the_golden_values() {
        let ours = Vec::<f64>::try_from(dipole(3).contiguous().view([-1])).unwrap();
        let theirs = [0.136_083, 0.680_414, 0.136_083, -0.129_099, -0.129_099, -0.129_099, -0.129_099, -0.645_497, -0.129_099];
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() < 1e-6, "{ours:?}");
        }
        for side in 1..12 {
            assert!((f64::try_from(dipole(side).square().sum(Kind::Double)).unwrap() - 1.0).abs() < 1e-12, "{side}");
        }
    }

    #[test]
    fn flags_do_not_depend_on_who_shares_the_batch_or_on_who_leaves_it() {
        let net = Golden::new();
        for (norm, eps) in [(Norm::Linf, 0.06), (Norm::L2, 0.3)] {
            let attack = Square { ball: Ball { norm, eps }, queries: 150 };
            net.judge_alone_and_together(&attack, attack.ball);
        }
    }

    #[test]
    fn the_l2_ball_is_used_up() {
        let x = Tensor::full([2, 3, 16, 16], 0.5, (Kind::Double, Device::Cpu));
        let ball = Ball { norm: Norm::L2, eps: 0.5 };
        let streams = || vec![Stream::new(1), Stream::new(2)];
        let start = tiles(ball, &x, &mut Dipoles::default(), streams());
        let rows = Rows {
            bounds: (x.zeros_like(), x.ones_like()),
            labels: Tensor::from_slice(&[0i64, 0]),
            margin: Tensor::from_slice(&[1.0, 1.0]),
            places: vec![0, 1],
            best: start.copy(),
            x,
        };
        for at in [start, swap(ball, &rows, &mut Dipoles::default(), 60, streams())] {
            for distance in Vec::<f64>::try_from(ball.distance(&rows.x, &at)).unwrap() {
                assert!((distance - 0.5).abs() < 1e-9, "{distance}");
            }
        }
        // Two windows have changed and, as each image has windows of its own, not the same ones.
        let changed = (swap(ball, &rows, &mut Dipoles::default(), 60, streams()) - &rows.best)
            .abs()
            .amax([1i64].as_slice(), false)
            .gt(1e-9);
        assert!(changed.get(0) != changed.get(1));
    }
}
