//! The shortest way from a point onto a hyperplane without leaving the box `[0, 1]`: what FAB takes its steps by.
//!
//! Croce and Hein (2020, "Minimally distorted adversarial examples with a fast adaptive boundary attack", section 2.2). In both norms
//! each coordinate moves against the hyperplane's normal until it meets the box, and one number a row, the *level*, says how far those
//! move that have room left. The level is found by Newton's method on a sum that is concave and piecewise linear in it: the iterates
//! rise to the root and reach it exactly, in a handful of passes, without sorting.

use crate::config::Norm;
use crate::nn::host;
use tch::{Device, Kind, Tensor};

/// Normals below this are no direction in L2, as in the authors' program.
const FLAT: f64 = 1e-8;

/// The displacement of least norm that takes each point onto its hyperplane, `[N, D]`; where the box does not reach that far, to the
/// box's farthest corner on the way.
///
/// `points`: `[N, D]` in `[0, 1]`; `normals`: `[N, D]`; `side`: `[N]`, the value `<w, p> - b` of each point.
///
/// On a CPU row by row in one core's cache, elsewhere by whole tensors: a level takes about ten passes over a row, and the fewest of
/// them should go to memory (a fifth of FAB's time on `fc3`).
pub fn onto(norm: Norm, points: &Tensor, normals: &Tensor, side: &Tensor) -> Tensor {
    if points.device() == Device::Cpu && points.kind() == Kind::Float {
        let width = points.size()[1] as usize;
        let (points_there, normals_there, sides) = (host::floats(points), host::floats(normals), host::floats(side));
        let mut ways = vec![0.0; points_there.len()];
        let mut row = Row::default();
        let rows = points_there.chunks_exact(width).zip(normals_there.chunks_exact(width)).zip(sides);
        for (way, ((point, normal), side)) in ways.chunks_exact_mut(width).zip(rows) {
            row.displace(norm, point, normal, side, way);
        }
        return Tensor::from_slice(&ways).view_as(points);
    }
    by_tensors(norm, points, normals, side)
}

/// One point's coordinates: how much each gains on the hyperplane, and how far it can go.
#[derive(Default)]
struct Row {
    gain: Vec<f32>,
    limit: Vec<f32>,
}

impl Row {
    fn displace(&mut self, norm: Norm, point: &[f32], normal: &[f32], side: f32, way: &mut [f32]) {
        let sign = if side >= 0.0 { 1.0 } else { -1.0 };
        self.gain.clear();
        self.limit.clear();
        for (&p, &w) in point.iter().zip(normal) {
            let (w, steepness) = (w * sign, w.abs());
            let room = if w < 0.0 { 1.0 - p } else { p };
            let (gain, limit) = match norm {
                Norm::Linf => (steepness, room),
                Norm::L2 if f64::from(steepness) < FLAT => (0.0, 0.0),
                Norm::L2 => (w * w, room / steepness),
            };
            self.gain.push(gain);
            self.limit.push(limit);
        }
        let level = self.level(side.abs());
        for ((way, &w), &limit) in way.iter_mut().zip(normal).zip(&self.limit) {
            let moved = limit.min(level);
            *way = match norm {
                // `signum` of 0 is 1.
                Norm::Linf if w == 0.0 => 0.0,
                Norm::Linf => -(w * sign).signum() * moved,
                Norm::L2 => -w * sign * moved,
            };
        }
    }

    /// As [`level`].
    fn level(&self, wanted: f32) -> f32 {
        const LANES: usize = 8;
        let mut level = 0.0f32;
        for pass in 0..=self.gain.len() {
            let (mut used, mut free) = ([0.0f32; LANES], [0.0f32; LANES]);
            for (gains, limits) in self.gain.chunks(LANES).zip(self.limit.chunks(LANES)) {
                for lane in 0..gains.len() {
                    let beyond = if limits[lane] > level { 1.0 } else { 0.0 };
                    free[lane] += gains[lane] * beyond;
                    used[lane] += gains[lane] * limits[lane] * (1.0 - beyond);
                }
            }
            let (used, free) = (used.iter().sum::<f32>(), free.iter().sum::<f32>());
            let next = (wanted - used) / free;
            let next = if next.is_nan() { 0.0 } else { next };
            if next <= level && pass > 0 {
                break;
            }
            level = level.max(next);
            if level.is_infinite() {
                break;
            }
        }
        level
    }
}

fn by_tensors(norm: Norm, points: &Tensor, normals: &Tensor, side: &Tensor) -> Tensor {
    let sign = side.ge(0.0).to_kind(points.kind()) * 2.0 - 1.0;
    let normals = normals * sign.unsqueeze(1);
    let falls = normals.lt(0.0);
    // How far each coordinate can go against its normal.
    let room = (points.ones_like() - points).where_self(&falls, points);
    let steepness = normals.abs();
    let (gain, limit) = match norm {
        Norm::Linf => (steepness, room),
        Norm::L2 => {
            let flat = steepness.lt(FLAT);
            (normals.square().masked_fill(&flat, 0.0), (room / steepness).masked_fill(&flat, 0.0))
        }
    };
    let moved = limit.minimum(&level(&gain, &limit, &side.abs()).unsqueeze(1));
    match norm {
        Norm::Linf => normals.sign() * moved.neg(),
        Norm::L2 => normals * moved.neg(),
    }
}

/// The least `l >= 0` with `sum_i gain_i * min(l, limit_i) = wanted`, `[N]`; infinite where there is none.
///
/// `gain`, `limit`: `[N, D]`, not negative; `wanted`: `[N]`.
fn level(gain: &Tensor, limit: &Tensor, wanted: &Tensor) -> Tensor {
    let sum = |x: &Tensor| x.sum_dim_intlist([1i64].as_slice(), false, x.kind());
    let full = gain * limit;
    let mut level = wanted / sum(gain);
    // Each pass but the last finds one more coordinate of some row at its limit.
    for _ in 0..=gain.size()[1] {
        let free = limit.gt_tensor(&level.unsqueeze(1)).to_kind(gain.kind());
        let used = sum(&(&full - &full * &free));
        // A row without free coordinates: wanted / 0 is as it should be, 0 / 0 asks for nothing.
        let next = ((wanted - used) / sum(&(gain * &free))).nan_to_num(0.0, f64::INFINITY, f64::INFINITY);
        let next = next.maximum(&level);
        let same = next.eq_tensor(&level).all();
        level = next;
        if host::flags(&same)[0] {
            break;
        }
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(norm: Norm, p: &[f64], w: &[f64], b: f64) -> Vec<f64> {
        let (p, w) = (Tensor::from_slice(p).unsqueeze(0), Tensor::from_slice(w).unsqueeze(0));
        let side = (&p * &w).sum(p.kind()).view([1]) - b;
        Vec::try_from(onto(norm, &p, &w, &side).view([-1])).unwrap()
    }

    #[test]
    fn the_golden_displacements() {
        let (p, w) = ([0.2, 0.9, 0.5, 0.0, 1.0], [1.0, -2.0, 0.5, 3.0, 0.0]);
        for (b, linf, l2) in [
            (-1.2, [0.023_077, -0.023_077, 0.023_077, 0.023_077, 0.0], [0.010_526, -0.021_053, 0.005_263, 0.031_579, 0.0]),
            (-1.6, [-0.071_429, 0.071_429, -0.071_429, 0.0, 0.0], [-0.047_619, 0.095_238, -0.023_810, 0.0, 0.0]),
            (-2.0, [-0.2, 0.1, -0.5, 0.0, 0.0], [-0.2, 0.1, -0.5, 0.0, 0.0]),
            (-5.0, [-0.2, 0.1, -0.5, 0.0, 0.0], [-0.2, 0.1, -0.5, 0.0, 0.0]),
            (3.0, [0.683_333, -0.683_333, 0.5, 0.683_333, 0.0], [f64::NAN; 5]),
        ] {
            for (norm, expected) in [(Norm::Linf, linf), (Norm::L2, l2)] {
                for (ours, theirs) in way(norm, &p, &w, b).iter().zip(expected).filter(|(_, t)| !t.is_nan()) {
                    assert!((ours - theirs).abs() < 1e-6, "{norm} b {b}: {ours} is not {theirs}");
                }
            }
        }
    }

    #[test]
    fn row_by_row_and_by_tensors_are_the_same_way() {
        let k = |n: i64| Tensor::arange(n, (Kind::Float, Device::Cpu));
        let (n, d) = (60, 37);
        let points = ((k(n * d) * 1.3).sin() * 0.6 + 0.5).clamp(0.0, 1.0).view([n, d]);
        // Some coordinates are flat, some planes out of reach.
        let normals = ((k(n * d) * 0.7 + 0.2).sin()).view([n, d]) * (k(n * d).remainder(5.0)).view([n, d]);
        let side = (k(n) * 2.1).sin() * 40.0;
        for norm in [Norm::Linf, Norm::L2] {
            let (rows, tensors) = (onto(norm, &points, &normals, &side), by_tensors(norm, &points, &normals, &side));
            assert!(f64::try_from((rows - tensors).abs().max()).unwrap() < 1e-5, "{norm}");
        }
    }

    /// The laws themselves, on many rows at once: on the plane where the box allows, in the box, and no shorter way by a little change.
    #[test]
    fn displacements_reach_the_plane_inside_the_box_by_the_shortest_way() {
        let k = |n: i64| Tensor::arange(n, (tch::Kind::Double, tch::Device::Cpu));
        let (n, d) = (40, 30);
        let points = ((k(n * d) * 1.3).sin() * 0.5 + 0.5).view([n, d]);
        let normals = ((k(n * d) * 0.7 + 0.2).sin()).view([n, d]);
        let side = (k(n) * 2.1).sin() * 4.0;
        for norm in [Norm::Linf, Norm::L2] {
            let way = onto(norm, &points, &normals, &side);
            let there = &points + &way;
            assert!(f64::try_from(there.min()).unwrap() >= -1e-12 && f64::try_from(there.max()).unwrap() <= 1.0 + 1e-12);
            let reached = (&normals * &way).sum_dim_intlist([1i64].as_slice(), false, tch::Kind::Double) + &side;
            assert!(f64::try_from(reached.abs().max()).unwrap() < 1e-12, "{norm}");
            // Optimality: the coordinates with room left have all moved as far (L-inf) or in proportion to their normals (L2).
            let moved = match norm {
                Norm::Linf => way.abs(),
                Norm::L2 => (&way / &normals).abs(),
            };
            let inside = there.gt(1e-9).logical_and(&there.lt(1.0 - 1e-9));
            let least = moved.where_self(&inside, &moved.full_like(f64::INFINITY)).amin([1i64].as_slice(), true);
            let most = moved.amax([1i64].as_slice(), true);
            let inner = moved.where_self(&inside, &least).amax([1i64].as_slice(), true);
            let finite = least.isfinite();
            assert!(f64::try_from((&inner - &least).where_self(&finite, &least.zeros_like()).max()).unwrap() < 1e-9, "{norm}");
            assert!(f64::try_from((&most - &least).where_self(&finite, &least.zeros_like()).max()).unwrap() < 1e-9, "{norm}");
        }
    }
}
