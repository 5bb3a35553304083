//! A curve that can be drawn at any zoom in time proportional to its width, and that never loses a spike.
//!
//! Points keep the minimum, mean and maximum of the steps they cover; above them a pyramid holds the same for ranges, so that the
//! columns of a chart cost a few look-ups each however long the run is. Nothing here knows of charts.
//!
//! **What a point costs**, as a day's training makes a million of them in a dozen series: 4 bytes for its mean, one for the steps
//! since the point before (more only where they are 255 or more), 0.4 for the pyramid and for where each leaf begins, and 4 for
//! minimum and maximum, from the first point on in which these differ. That is 5.4 bytes a point where every report covers one
//! step, and 9.4 where it covers several; vectors grow by a thirty-second, not by doubling, so that it is never above 9.8.
//! Minimum and maximum are the upper halves of their `f32`, rounded outwards: a band is at most 0.8 % wider than what happened,
//! which no chart can show, and no spike ever becomes smaller. The mean is kept as it is.

use crate::protocol::{Step, Summary};

/// Points under a node of the lowest level: below this, points are read one by one.
const LEAF: usize = 64;
/// Nodes under a node of the levels above.
const FAN: usize = 4;
/// The stride of a point whose real one does not fit into a byte.
const WIDE: u8 = u8::MAX;
/// Stands for a minimum or maximum that is the mean itself. As an `f32` it would be a NaN, which comes out as another one.
const MEAN: u16 = u16::MAX;

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
    pub sum: f64,
    pub n: u32,
    pub holes: u32,
}

impl Range {
    const EMPTY: Self = Self { min: f32::INFINITY, max: f32::NEG_INFINITY, sum: 0.0, n: 0, holes: 0 };

    /// Without a branch: two leaves are read point by point for each column of each curve.
    fn add(&mut self, min: f32, mean: f32, max: f32) {
        let finite = mean.is_finite();
        self.sum += if finite { f64::from(mean) } else { 0.0 };
        self.n += u32::from(finite);
        self.holes += u32::from(!finite);
        self.min = self.min.min(if min.is_finite() { min } else { f32::INFINITY });
        self.max = self.max.max(if max.is_finite() { max } else { f32::NEG_INFINITY });
    }

    fn join(&mut self, node: &Node, points: usize) {
        self.min = self.min.min(node.min);
        self.max = self.max.max(node.max);
        self.sum += f64::from(node.sum);
        self.n += points as u32 - node.holes;
        self.holes += node.holes;
    }

    /// Mean of the points' means; NaN when none is finite.
    pub fn mean(&self) -> f32 {
        (self.sum / f64::from(self.n)) as f32
    }
}

/// A range in the pyramid. How many points it has follows from where it stands.
#[derive(Clone, Copy, Debug)]
struct Node {
    min: f32,
    max: f32,
    sum: f32,
    holes: u32,
}

impl From<Range> for Node {
    fn from(range: Range) -> Self {
        Self { min: range.min, max: range.max, sum: range.sum as f32, holes: range.holes }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Series {
    means: Vec<f32>,
    /// Minimum and maximum of each point, or nothing at all as long as no point has more than its mean.
    extents: Vec<[u16; 2]>,
    /// Steps since the point before; of the first point of a leaf it says nothing.
    strides: Vec<u8>,
    /// Index and stride of the points whose stride is [`WIDE`].
    wide: Vec<(u32, u32)>,
    /// Step of the first point of each leaf.
    starts: Vec<u32>,
    newest: u32,
    /// `levels[k]` has a node for each full or partial bucket of `LEAF * FAN^k` points; the last level has one node.
    levels: Vec<Vec<Node>>,
}

/// Room for one more, without the half of a doubled vector that a million points would leave empty.
fn room<T>(of: &mut Vec<T>) {
    if of.len() == of.capacity() {
        of.reserve_exact((of.len() / 32).max(LEAF));
    }
}

impl Series {
    pub const EMPTY: Self = Self {
        means: Vec::new(),
        extents: Vec::new(),
        strides: Vec::new(),
        wide: Vec::new(),
        starts: Vec::new(),
        newest: 0,
        levels: Vec::new(),
    };

    /// Adds what happened up to `step`. Steps that go back (a resumed run) cut off what they replace.
    pub fn push(&mut self, step: Step, value: Summary) {
        let step = u32::try_from(step).unwrap_or(u32::MAX);
        if !self.is_empty() && self.newest >= step {
            self.cut(self.first_from(Step::from(step)));
        }
        let index = self.means.len();
        let stride = step - if index == 0 { 0 } else { self.newest };
        let (min, mean, max) = (value.min as f32, value.mean as f32, value.max as f32);
        let extent = [outwards(min, mean, Side::Below), outwards(max, mean, Side::Above)];
        if self.extents.is_empty() && extent != [MEAN; 2] {
            self.extents.reserve_exact(index + index / 32 + LEAF);
            self.extents.resize(index, [MEAN; 2]);
        }
        if !self.extents.is_empty() || extent != [MEAN; 2] {
            room(&mut self.extents);
            self.extents.push(extent);
        }
        if index.is_multiple_of(LEAF) {
            room(&mut self.starts);
            self.starts.push(step);
        } else if stride >= u32::from(WIDE) {
            room(&mut self.wide);
            self.wide.push((index as u32, stride));
        }
        room(&mut self.means);
        room(&mut self.strides);
        self.means.push(mean);
        self.strides.push(stride.min(u32::from(WIDE)) as u8);
        self.newest = step;
        self.refresh();
    }

    /// Keeps the first points only.
    /// Forgets what was reported after this step.
    pub fn cut_after(&mut self, step: Step) {
        let keep = self.first_from(step + 1);
        if keep < self.len() {
            self.cut(keep);
        }
    }

    fn cut(&mut self, keep: usize) {
        self.means.truncate(keep);
        self.extents.truncate(keep);
        self.strides.truncate(keep);
        self.starts.truncate(keep.div_ceil(LEAF));
        self.wide.truncate(self.wide.partition_point(|(index, _)| (*index as usize) < keep));
        let mut size = LEAF;
        for level in &mut self.levels {
            level.truncate(keep.div_ceil(size));
            size *= FAN;
        }
        // Not more levels than a series of that length has.
        let needed = self.levels.iter().position(|level| level.len() <= 1).map_or(self.levels.len(), |last| last + 1);
        self.levels.truncate(if keep == 0 { 0 } else { needed });
        self.newest = keep.checked_sub(1).map_or(0, |last| self.step(last));
        self.refresh();
    }

    /// Makes the last node of each level anew from what is below it.
    fn refresh(&mut self) {
        let Some(last) = self.means.len().checked_sub(1) else { return };
        let mut size = LEAF;
        for k in 0.. {
            let bucket = last / size;
            let node = if k == 0 {
                self.read(bucket * LEAF..last + 1)
            } else {
                let (below, mut all) = (size / FAN, Range::EMPTY);
                for (i, node) in self.levels[k - 1].iter().enumerate().skip(bucket * FAN) {
                    all.join(node, below.min(last + 1 - i * below));
                }
                all
            };
            if self.levels.len() == k {
                self.levels.push(Vec::new());
            }
            let level = &mut self.levels[k];
            if level.len() == bucket {
                room(level);
                level.push(node.into());
            } else {
                level[bucket] = node.into();
            }
            // A level exists where the one below has more than one node.
            if bucket == 0 {
                break;
            }
            size *= FAN;
        }
    }

    pub fn len(&self) -> usize {
        self.means.len()
    }

    pub fn is_empty(&self) -> bool {
        self.means.is_empty()
    }

    /// Every point, oldest first.
    pub fn points(&self) -> impl Iterator<Item = Point> + '_ {
        let (mut step, mut wide) = (0, self.wide.iter());
        (0..self.len()).map(move |i| {
            step = match self.strides[i] {
                _ if i.is_multiple_of(LEAF) => self.starts[i / LEAF],
                WIDE => step + wide.next().map_or(0, |(_, stride)| *stride),
                stride => step + u32::from(stride),
            };
            self.at(i, step)
        })
    }

    pub fn get(&self, index: usize) -> Option<Point> {
        (index < self.len()).then(|| self.at(index, self.step(index)))
    }

    pub fn last(&self) -> Option<Point> {
        self.len().checked_sub(1).map(|last| self.at(last, self.newest))
    }

    /// The newest of the points with `step <= at`.
    pub fn as_of(&self, at: Step) -> Option<Point> {
        self.get(self.first_from(at.saturating_add(1)).checked_sub(1)?)
    }

    fn at(&self, index: usize, step: u32) -> Point {
        let mean = self.means[index];
        let [min, max] = self.extent(index);
        Point { step, min, mean, max }
    }

    fn extent(&self, index: usize) -> [f32; 2] {
        let mean = self.means[index];
        self.extents.get(index).map_or([mean; 2], |of| of.map(|bits| whole(bits, mean)))
    }

    fn step(&self, index: usize) -> u32 {
        let leaf = index / LEAF;
        self.walk(leaf).take(index + 1 - leaf * LEAF).last().unwrap_or(0)
    }

    /// The steps of a leaf's points.
    fn walk(&self, leaf: usize) -> impl Iterator<Item = u32> + '_ {
        let first = leaf * LEAF;
        let strides = &self.strides[first..self.len().min(first + LEAF)];
        // Where the points of a long stride are looked up, only for a leaf that has some.
        let mut wide = None;
        let mut step = self.starts[leaf];
        strides.iter().enumerate().map(move |(i, stride)| {
            if i > 0 {
                step += match *stride {
                    WIDE => {
                        let at = wide.unwrap_or_else(|| self.wide.partition_point(|(index, _)| (*index as usize) < first + i));
                        wide = Some(at + 1);
                        self.wide.get(at).map_or(0, |(_, stride)| *stride)
                    }
                    stride => u32::from(stride),
                };
            }
            step
        })
    }

    /// Indices of the points with `from <= step < to`.
    pub fn within(&self, from: Step, to: Step) -> std::ops::Range<usize> {
        let a = self.first_from(from);
        a..self.first_from(to).max(a)
    }

    /// Index of the first point with `step >= from`. Reports come at a steady pace, so that the leaf can be guessed: a search by
    /// halves through a million points is twenty trips to memory, and a chart makes a thousand searches a frame.
    pub fn first_from(&self, from: Step) -> usize {
        let all = self.starts.len();
        if self.is_empty() || Step::from(self.newest) < from {
            return self.len();
        }
        let before = |leaf: usize| Step::from(self.starts[leaf]) < from;
        let guess = ((u128::from(from) * all as u128 / u128::from(self.newest.max(1))) as usize).min(all - 1);
        // Outwards from the guess in steps of growing length, until the place lies in between.
        let (mut low, mut high, mut reach) = (guess, guess, 1);
        while low > 0 && !before(low) {
            low = low.saturating_sub(reach);
            reach *= 4;
        }
        reach = 1;
        while high < all && before(high) {
            high = (high + reach).min(all);
            reach *= 4;
        }
        let next = low + self.starts[low..high].partition_point(|start| Step::from(*start) < from);
        // The leaf before may still hold it: it begins too early, and ends where it ends.
        let Some(leaf) = next.checked_sub(1) else { return 0 };
        leaf * LEAF + self.walk(leaf).take_while(|step| Step::from(*step) < from).count()
    }

    /// Everything between two points, in logarithmic time. `None` for an empty range.
    pub fn range(&self, indices: std::ops::Range<usize>) -> Option<Range> {
        let (mut from, to) = (indices.start, indices.end.min(self.len()));
        if from >= to {
            return None;
        }
        let mut all = Range::EMPTY;
        while from < to {
            let (size, k) = self.bucket(from, to);
            match k {
                None => self.read_into(from..from + size, &mut all),
                Some(k) => all.join(&self.levels[k][from / size], size),
            }
            from += size;
        }
        Some(all)
    }

    /// The largest bucket that starts here and ends inside, and its level; none for points on their own.
    fn bucket(&self, from: usize, to: usize) -> (usize, Option<usize>) {
        if !from.is_multiple_of(LEAF) || from + LEAF > to {
            return (to.min((from / LEAF + 1) * LEAF) - from, None);
        }
        let (mut size, mut k) = (LEAF, 0);
        while k + 1 < self.levels.len() && from.is_multiple_of(size * FAN) && from + size * FAN <= to {
            (size, k) = (size * FAN, k + 1);
        }
        (size, Some(k))
    }

    fn read(&self, indices: std::ops::Range<usize>) -> Range {
        let mut all = Range::EMPTY;
        self.read_into(indices, &mut all);
        all
    }

    fn read_into(&self, indices: std::ops::Range<usize>, all: &mut Range) {
        let means = &self.means[indices.clone()];
        let mut sum = *all;
        match self.extents.get(indices) {
            None => means.iter().for_each(|&mean| sum.add(mean, mean, mean)),
            Some(extents) => {
                for (&mean, &[min, max]) in means.iter().zip(extents) {
                    sum.add(whole(min, mean), mean, whole(max, mean));
                }
            }
        }
        *all = sum;
    }

    /// How many points have a finite mean that is not above `limit`. Whole buckets are counted by their extremes, so that only
    /// where a curve crosses the limit its points are looked at.
    pub fn count_to(&self, limit: f32, indices: std::ops::Range<usize>) -> u64 {
        let (mut from, to, mut count) = (indices.start, indices.end.min(self.len()), 0);
        while from < to {
            let (mut size, mut k) = self.bucket(from, to);
            loop {
                let Some(level) = k else {
                    count += self.means[from..from + size].iter().filter(|m| m.is_finite() && **m <= limit).count() as u64;
                    break;
                };
                let node = &self.levels[level][from / size];
                if node.min > limit {
                    break;
                }
                if node.max <= limit {
                    count += size as u64 - u64::from(node.holes);
                    break;
                }
                // Less at once: what is left of the bucket comes in the next rounds.
                (size, k) = if level == 0 { (LEAF, None) } else { (size / FAN, Some(level - 1)) };
            }
            from += size;
        }
        count
    }

    /// Bytes that it holds on the heap.
    pub fn heap_bytes(&self) -> usize {
        fn of<T>(all: &Vec<T>) -> usize {
            all.capacity() * size_of::<T>()
        }
        let levels: usize = self.levels.iter().map(of).sum();
        of(&self.means) + of(&self.extents) + of(&self.strides) + of(&self.wide) + of(&self.starts) + of(&self.levels) + levels
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Below,
    Above,
}

/// The upper half of an `f32`, rounded away from the mean; [`MEAN`] where it is the mean.
fn outwards(value: f32, mean: f32, side: Side) -> u16 {
    let bits = value.to_bits();
    if bits == mean.to_bits() || (value.is_nan() && mean.is_nan()) {
        return MEAN;
    }
    if value.is_nan() {
        return (f32::NAN.to_bits() >> 16) as u16;
    }
    let upper = (bits >> 16) as u16;
    let away = match side {
        Side::Below => value < 0.0,
        Side::Above => value > 0.0,
    };
    let exact = bits.trailing_zeros() >= 16 || value.is_infinite();
    // The next number is an infinity only above 3.39e38: what is finite stays so.
    if exact || !away || upper & 0x7FFF == 0x7F7F { upper } else { upper + 1 }
}

fn whole(bits: u16, mean: f32) -> f32 {
    if bits == MEAN { mean } else { f32::from_bits(u32::from(bits) << 16) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow(points: &[Point]) -> Range {
        let mut all = Range::EMPTY;
        for p in points {
            all.add(p.min, p.mean, p.max);
        }
        all
    }

    fn points(series: &Series) -> Vec<Point> {
        series.points().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn the_pyramid_says_what_the_points_say(n in 1usize..3_000, a in 0usize..3_000, b in 0usize..3_000, back in 0usize..3_000) {
            let mut series = Series::default();
            let push = |series: &mut Series, i: usize| {
                let v = if i % 97 == 13 { f64::NAN } else { ((i * 37) % 101) as f64 };
                series.push(i as Step + 1, Summary { min: v - 1.0, mean: v, max: v + 1.0 });
            };
            (0..n).for_each(|i| push(&mut series, i));
            // A run that was resumed.
            (back.min(n)..n).for_each(|i| push(&mut series, i));
            prop_assert_eq!(series.len(), n);
            let (a, b) = (a.min(b).min(n), a.max(b).min(n));
            let all = points(&series);
            prop_assert_eq!(series.count_to(50.0, a..b), all[a..b].iter().filter(|p| p.mean <= 50.0).count() as u64);
            match series.range(a..b) {
                None => prop_assert!(a >= b),
                Some(fast) => {
                    let slow = slow(&all[a..b]);
                    prop_assert_eq!((fast.min, fast.max, fast.n, fast.holes), (slow.min, slow.max, slow.n, slow.holes));
                    prop_assert!((fast.sum - slow.sum).abs() < 1.0);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]
        #[test]
        fn guessing_finds_what_searching_finds(gaps in prop::collection::vec(1u64..40, 0..500), at in 0u64..30_000) {
            let mut series = Series::default();
            let (mut step, mut steps) = (0, Vec::new());
            for gap in gaps {
                step += gap * gap;
                steps.push(step);
                series.push(step, Summary::one(1.0));
            }
            prop_assert!(series.points().map(|p| Step::from(p.step)).eq(steps.iter().copied()));
            for from in [at, at * 100, step, step + 1, 0] {
                prop_assert_eq!(series.first_from(from), steps.partition_point(|s| *s < from));
            }
            for (i, step) in steps.iter().enumerate() {
                prop_assert_eq!(series.get(i).map(|p| Step::from(p.step)), Some(*step));
            }
        }

        #[test]
        fn extremes_are_never_less_than_they_were(min: f32, mean: f32, max: f32) {
            let (low, high) = (whole(outwards(min, mean, Side::Below), mean), whole(outwards(max, mean, Side::Above), mean));
            prop_assert!(low <= min || (min < -3.38e38 && low.is_finite()), "{min} became {low}");
            prop_assert!(high >= max || (max > 3.38e38 && high.is_finite()), "{max} became {high}");
            prop_assert!((low - min).abs() <= min.abs() / 127.0 + 1e-38 && (high - max).abs() <= max.abs() / 127.0 + 1e-38);
        }
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0] {
            for side in [Side::Below, Side::Above] {
                let back = whole(outwards(value, 1.0, side), 1.0);
                assert!(back == value || (back.is_nan() && value.is_nan()), "{value} became {back}");
            }
        }
        assert_eq!(whole(outwards(0.3, 0.3, Side::Above), 0.3), 0.3);
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
        assert_eq!(series.len(), 51);
        assert_eq!(series.range(0..51).unwrap().max, 2.0);
        series.push(1, Summary::one(3.0));
        assert_eq!(points(&series), [Point { step: 1, min: 3.0, mean: 3.0, max: 3.0 }]);
    }

    /// A reading of the machine comes each second, also while one step lasts a minute.
    #[test]
    fn the_same_step_again_is_cheap() {
        let mut series = Series::default();
        for i in 1..=200_000u64 {
            series.push(i, Summary::one(1.0));
        }
        let before = std::time::Instant::now();
        for i in 0..10_000 {
            series.push(200_000, Summary::one(f64::from(i)));
        }
        assert!(before.elapsed().as_secs() < 2, "{:?}", before.elapsed());
        assert_eq!((series.len(), series.last().unwrap().mean), (200_000, 9_999.0));
        assert_eq!(series.range(0..200_000).unwrap().max, 9_999.0);
    }

    /// Heap bytes by what was allocated, not by what is used of it.
    #[test]
    fn a_point_costs_at_most_ten_bytes() {
        for (n, spread, allowed) in [(1_000_000u64, 0.0, 5.7), (1_000_000, 0.1, 9.8), (700_001, 0.1, 9.8)] {
            let mut series = Series::default();
            for i in 1..=n {
                let mean = (i % 1_000) as f64 / 1_000.0;
                series.push(3 * i, Summary { min: mean - spread, mean, max: mean + 2.0 * spread });
            }
            let each = series.heap_bytes() as f64 / n as f64;
            assert!(each <= allowed, "{each} bytes a point of {n} with a spread of {spread}");
        }
    }
}
