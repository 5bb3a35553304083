//! A curve that can be drawn at any zoom in time proportional to its width, and that never loses a spike.
//!
//! Points keep the minimum, mean and maximum of the steps they cover; above them a pyramid of buckets of 2^k points holds the
//! same for ranges, so that the columns of a chart cost a few look-ups each however long the run is. Appending touches one
//! bucket a level. Nothing here knows of charts.

use crate::protocol::{Step, Summary};

/// Points in a bucket of the lowest level of the pyramid: below this, points are read one by one.
const LEAF: usize = 16;

/// One report: what a scalar did in the steps up to `step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Steps done when it was reported.
    pub step: u32,
    pub min: f32,
    pub mean: f32,
    pub max: f32,
}

/// The same over a range of points. `n` counts the finite means, `holes` the points with a NaN or an infinity in them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub min: f32,
    pub max: f32,
    pub sum: f32,
    pub n: u32,
    pub holes: u32,
}

impl Range {
    const EMPTY: Self = Self { min: f32::INFINITY, max: f32::NEG_INFINITY, sum: 0.0, n: 0, holes: 0 };

    fn of(point: &Point) -> Self {
        let finite = point.mean.is_finite();
        let low = if point.min.is_finite() { point.min } else { f32::INFINITY };
        let high = if point.max.is_finite() { point.max } else { f32::NEG_INFINITY };
        Self { min: low, max: high, sum: if finite { point.mean } else { 0.0 }, n: u32::from(finite), holes: u32::from(!finite) }
    }

    fn join(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.n += other.n;
        self.holes += other.holes;
    }

    /// Mean of the points' means; NaN when none is finite.
    pub fn mean(&self) -> f32 {
        self.sum / self.n as f32
    }
}

#[derive(Clone, Debug, Default)]
pub struct Series {
    points: Vec<Point>,
    /// `levels[k]` has one range for each full or partial bucket of `LEAF << k` points.
    levels: Vec<Vec<Range>>,
}

impl Series {
    /// Adds what happened up to `step`. Steps that go back (a resumed run) cut off what they replace.
    pub fn push(&mut self, step: Step, value: Summary) {
        let step = u32::try_from(step).unwrap_or(u32::MAX);
        if self.points.last().is_some_and(|last| last.step >= step) {
            self.cut(step);
        }
        let point = Point { step, min: value.min as f32, mean: value.mean as f32, max: value.max as f32 };
        self.points.push(point);
        self.enter(self.points.len() - 1);
    }

    fn enter(&mut self, index: usize) {
        let range = Range::of(&self.points[index]);
        let mut k = 0;
        // A level exists once it would hold more than one bucket.
        while (index / (LEAF << k)) > 0 || k == 0 {
            if self.levels.len() == k {
                // A new level starts as the join of what the level below has in its first bucket.
                let first = if k == 0 {
                    Range::EMPTY
                } else {
                    let mut all = Range::EMPTY;
                    self.levels[k - 1].iter().take(2).for_each(|r| all.join(r));
                    all
                };
                self.levels.push(vec![first]);
                if k > 0 && index / (LEAF << k) == 0 {
                    break;
                }
            }
            let bucket = index / (LEAF << k);
            let level = &mut self.levels[k];
            if level.len() == bucket {
                level.push(Range::EMPTY);
            }
            level[bucket].join(&range);
            k += 1;
        }
    }

    fn cut(&mut self, step: u32) {
        let keep = self.points.partition_point(|p| p.step < step);
        let kept: Vec<Point> = self.points[..keep].to_vec();
        self.points.clear();
        self.levels.clear();
        for point in kept {
            self.points.push(point);
            self.enter(self.points.len() - 1);
        }
    }

    pub fn points(&self) -> &[Point] {
        &self.points
    }

    pub fn last(&self) -> Option<&Point> {
        self.points.last()
    }

    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Indices of the points with `from <= step < to`.
    pub fn within(&self, from: Step, to: Step) -> std::ops::Range<usize> {
        let a = self.first_from(from);
        a..self.first_from(to).max(a)
    }

    /// Index of the first point with `step >= from`. Reports come at a steady pace, so that the place can be guessed: a search by
    /// halves through a million points is twenty trips to memory, and a chart makes a thousand searches a frame.
    fn first_from(&self, from: Step) -> usize {
        let all = self.points.len();
        let before = |i: usize| Step::from(self.points[i].step) < from;
        let Some(last) = self.points.last().map(|p| Step::from(p.step)).filter(|last| *last >= from) else { return all };
        let guess = ((u128::from(from) * all as u128 / u128::from(last.max(1))) as usize).min(all - 1);
        // Outwards from the guess in steps of growing length, until the place lies in between.
        let (mut low, mut high, mut reach) = (guess, guess, 8);
        while low > 0 && !before(low) {
            low = low.saturating_sub(reach);
            reach *= 4;
        }
        reach = 8;
        while high < all && before(high) {
            high = (high + reach).min(all);
            reach *= 4;
        }
        low + self.points[low..high].partition_point(|p| Step::from(p.step) < from)
    }

    /// Everything between two points, in logarithmic time. `None` for an empty range.
    pub fn range(&self, indices: std::ops::Range<usize>) -> Option<Range> {
        let (mut from, to) = (indices.start, indices.end.min(self.points.len()));
        if from >= to {
            return None;
        }
        let mut all = Range::EMPTY;
        while from < to {
            // The largest bucket that starts here and ends inside.
            let mut best = None;
            for (k, level) in self.levels.iter().enumerate() {
                let size = LEAF << k;
                if from % size != 0 || from + size > to {
                    break;
                }
                best = Some((size, &level[from / size]));
            }
            if let Some((size, range)) = best {
                all.join(range);
                from += size;
            } else {
                all.join(&Range::of(&self.points[from]));
                from += 1;
            }
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow(points: &[Point]) -> Range {
        let mut all = Range::EMPTY;
        for point in points {
            all.join(&Range::of(point));
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn the_pyramid_says_what_the_points_say(n in 1usize..700, a in 0usize..700, b in 0usize..700) {
            let mut series = Series::default();
            for i in 0..n {
                let v = if i % 97 == 13 { f64::NAN } else { ((i * 37) % 101) as f64 };
                series.push(i as Step + 1, Summary { min: v - 1.0, mean: v, max: v + 1.0 });
            }
            let (a, b) = (a.min(b).min(n), a.max(b).min(n));
            match series.range(a..b) {
                None => prop_assert!(a >= b),
                Some(fast) => {
                    let slow = slow(&series.points()[a..b]);
                    prop_assert_eq!((fast.min, fast.max, fast.n, fast.holes), (slow.min, slow.max, slow.n, slow.holes));
                    prop_assert!((fast.sum - slow.sum).abs() < 1.0);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]
        #[test]
        fn guessing_finds_what_searching_finds(gaps in prop::collection::vec(1u64..200, 0..300), at in 0u64..30_000) {
            let mut series = Series::default();
            let mut step = 0;
            for gap in gaps {
                step += gap * gap;
                series.push(step, Summary::one(1.0));
            }
            for from in [at, at * 100, step, step + 1, 0] {
                prop_assert_eq!(series.first_from(from), series.points.partition_point(|p| Step::from(p.step) < from));
            }
        }
    }

    #[test]
    fn a_spike_is_seen_at_any_zoom() {
        let mut series = Series::default();
        for i in 1..=10_000u64 {
            series.push(i, Summary::one(if i == 5_432 { 99.0 } else { 1.0 }));
        }
        assert_eq!(series.range(0..10_000).unwrap().max, 99.0);
        assert_eq!(series.range(series.within(5_400, 5_500)).unwrap().max, 99.0);
        assert_eq!(series.range(series.within(5_433, 9_999)).unwrap().max, 1.0);
    }

    #[test]
    fn a_resumed_run_replaces_what_it_repeats() {
        let mut series = Series::default();
        for i in 1..=100u64 {
            series.push(i, Summary::one(1.0));
        }
        series.push(51, Summary::one(2.0));
        assert_eq!(series.points().len(), 51);
        assert_eq!(series.range(0..51).unwrap().max, 2.0);
    }
}
