//! The step times of a run, added up: since it started, and over its last minute.
//!
//! What is added up are bins ([`crate::protocol::step_times`]), so a percentile is right to a tenth of itself; the longest step is exact.

use crate::protocol::event::Timing;
use crate::protocol::step_times::{LAST, from_ms};
use std::collections::VecDeque;

const MINUTE_MS: u64 = 60_000;

/// How many steps took how long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// By bin; as long as its last bin that was needed.
    bins: Vec<u64>,
    steps: u64,
    longest_ms: f64,
}

impl Spread {
    fn add(&mut self, timing: &Timing) {
        for &(bin, count) in &timing.counts {
            // A number that no bin has can only come from a damaged record.
            let bin = usize::from(bin.min(LAST));
            if self.bins.len() <= bin {
                self.bins.resize(bin + 1, 0);
            }
            self.bins[bin] = self.bins[bin].saturating_add(u64::from(count));
            self.steps = self.steps.saturating_add(u64::from(count));
        }
        self.longest_ms = self.longest_ms.max(longest(timing));
    }

    pub fn steps(&self) -> u64 {
        self.steps
    }

    pub fn longest_ms(&self) -> f64 {
        self.longest_ms
    }

    pub fn count(&self, bin: u16) -> u64 {
        self.bins.get(usize::from(bin)).copied().unwrap_or(0)
    }

    /// The lowest and the highest bin that hold anything.
    pub fn range(&self) -> Option<(u16, u16)> {
        let first = self.bins.iter().position(|n| *n > 0)?;
        let last = self.bins.iter().rposition(|n| *n > 0)?;
        Some((first as u16, last as u16))
    }

    /// What a step of this rank took: between the ends of its bin as far as its rank is; never longer than the longest.
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let rank = ((self.steps.checked_sub(1)?) as f64 * share.clamp(0.0, 1.0)).round() as u64;
        let mut below = 0;
        for (bin, &count) in self.bins.iter().enumerate() {
            if below + count > rank {
                let within = ((rank - below) as f64 + 0.5) / count as f64;
                let (from, to) = (from_ms(bin as u16), from_ms(bin as u16 + 1));
                return Some((from * (to / from).powf(within)).min(self.longest_ms));
            }
            below += count;
        }
        None
    }
}

/// Where a record lacks it, its 99th percentile is the longest that is known.
fn longest(timing: &Timing) -> f64 {
    Some(timing.max_ms.unwrap_or(timing.p99_ms)).filter(|ms| ms.is_finite()).unwrap_or(0.0)
}

#[derive(Clone, Debug, Default)]
pub struct StepTimes {
    pub since_start: Spread,
    recent: VecDeque<(u64, Timing)>,
}

impl StepTimes {
    pub fn push(&mut self, at_ms: u64, timing: &Timing) {
        self.since_start.add(timing);
        while self.recent.front().is_some_and(|(at, _)| at.saturating_add(MINUTE_MS) <= at_ms) {
            self.recent.pop_front();
        }
        if !timing.counts.is_empty() {
            self.recent.push_back((at_ms, timing.clone()));
        }
    }

    /// Over the minute before the newest of them.
    pub fn last_minute(&self) -> Spread {
        let mut spread = Spread::default();
        self.recent.iter().for_each(|(_, timing)| spread.add(timing));
        spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::step_times::counts;

    fn timing(times: &[f64]) -> Timing {
        let max_ms = times.iter().copied().reduce(f64::max);
        Timing { parts: std::collections::BTreeMap::new(), p50_ms: 1.0, p99_ms: 1.0, max_ms, counts: counts(times) }
    }

    #[test]
    fn percentiles_are_near_and_the_longest_is_exact() {
        let times: Vec<f64> = (1..=1000).map(f64::from).collect();
        let mut all = StepTimes::default();
        times.chunks(10).enumerate().for_each(|(i, part)| all.push(1_000 * i as u64, &timing(part)));
        let spread = &all.since_start;
        assert_eq!((spread.steps(), spread.longest_ms()), (1000, 1000.0));
        for share in [0.1, 0.5, 0.9, 0.99, 1.0] {
            let found = spread.percentile(share).unwrap();
            assert!((found / (1000.0 * share) - 1.0).abs() < 0.1, "{share}: {found}");
        }
    }

    #[test]
    fn the_minute_forgets_and_the_run_does_not() {
        let mut all = StepTimes::default();
        all.push(0, &timing(&[500.0]));
        all.push(59_999, &timing(&[4.0]));
        assert_eq!(all.last_minute().steps(), 2);
        all.push(60_000, &timing(&[4.0, 4.0]));
        let minute = all.last_minute();
        assert_eq!((minute.steps(), minute.longest_ms(), all.since_start.longest_ms()), (3, 4.0, 500.0));
        assert_eq!(minute.range(), Some((48, 48)));
    }

    #[test]
    fn records_without_counts_and_damaged_ones_are_survived() {
        let mut all = StepTimes::default();
        assert_eq!((all.since_start.percentile(0.5), all.since_start.range()), (None, None));
        let mut odd = timing(&[]);
        odd.p99_ms = f64::NAN;
        all.push(1, &odd);
        odd.counts = vec![(u16::MAX, u32::MAX), (0, 0)];
        all.push(2, &odd);
        assert_eq!((all.since_start.steps(), all.since_start.longest_ms()), (u64::from(u32::MAX), 0.0));
    }
}
