//! When steps were done: the way from steps to time and back, for curves over time.
//!
//! A steady pace is one straight piece however many reports it has; pauses, evaluations and checkpoints are pieces of their own,
//! so that they show as what they were. It knows only what it is told: no clock is read here.

use crate::protocol::Step;

/// Pieces may be this far from what was reported, or this share of the time so far where that is more: less than a dot of a chart.
const TOLERANCE_MS: f64 = 100.0;
const TOLERANCE: f64 = 1.0 / 4_000.0;
/// Lengths of time axes, in seconds, up to a day; above, whole days of the same kind.
const ROUND: [u64; 24] = [
    10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 480, 600, 900, 1_200, 1_800, 2_700, 3_600, 5_400, 7_200, 10_800, 21_600,
    43_200, 86_400,
];
/// Steps after which the pace says something about the rest.
const ENOUGH: u32 = 10;

/// After this many milliseconds of the run so many steps were done. A `u32` holds 49 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Knot {
    step: u32,
    ms: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Where straight pieces meet; steps and times never go back.
    knots: Vec<Knot>,
    /// The end of the last piece, which may still grow.
    end: Option<Knot>,
    /// Milliseconds a step that keep the last piece near all that it replaces.
    slopes: (f64, f64),
    /// Milliseconds since the Unix epoch of the start, moved on by what lay between an end and a resumption.
    began_ms: u64,
    newest_ms: u64,
    /// The first report: what came before was no training.
    first: Option<Knot>,
    /// What time axes end at.
    span_ms: u64,
}

impl Clock {
    /// The run starts, or goes on from a step that it had done before. The time in between was not the run's.
    pub(crate) fn start(&mut self, step: Step, at_ms: u64) {
        let Some(newest) = self.newest() else {
            self.began_ms = at_ms;
            self.newest_ms = at_ms;
            self.knots.push(Knot { step: narrow(step), ms: 0 });
            return;
        };
        self.began_ms += at_ms.saturating_sub(self.newest_ms);
        self.newest_ms = at_ms;
        let step = narrow(step).min(newest.step);
        let ms = self.ms_at(Step::from(step)).map_or(newest.ms, narrow);
        self.knots.truncate(self.knots.partition_point(|k| k.step < step));
        self.knots.push(Knot { step, ms });
        // What was done beyond is lost: it took its time all the same.
        self.end = (newest.ms > ms).then_some(Knot { step, ms: newest.ms });
    }

    /// So many steps of the plan are done now.
    pub(crate) fn note(&mut self, step: Step, at_ms: u64, plan: Step) {
        let Some(newest) = self.newest() else { return };
        self.newest_ms = self.newest_ms.max(at_ms);
        let ms = narrow(at_ms.saturating_sub(self.began_ms)).max(newest.ms);
        let new = Knot { step: narrow(step).max(newest.step), ms };
        if new.step > self.knots.first().map_or(0, |k| k.step) {
            self.first.get_or_insert(new);
        }
        let Some(last) = self.knots.last().copied() else { return };
        if new.step == last.step {
            self.end = Some(new);
        } else if let Some(end) = self.end.filter(|end| end.step == last.step || !self.fits(last, new)) {
            self.knots.push(end);
            self.begin(end, new);
        } else if self.end.is_none() {
            self.begin(last, new);
        } else {
            self.narrow_slopes(last, new);
            self.end = Some(new);
        }
        let expected = self.expected(narrow(plan));
        if expected > self.span_ms || expected < self.span_ms * 6 / 10 {
            self.span_ms = round_above(expected);
        }
    }

    fn begin(&mut self, from: Knot, to: Knot) {
        self.slopes = (0.0, f64::INFINITY);
        self.end = Some(to);
        if to.step > from.step {
            self.narrow_slopes(from, to);
        }
    }

    fn fits(&self, from: Knot, to: Knot) -> bool {
        let slope = f64::from(to.ms - from.ms) / f64::from(to.step - from.step);
        slope >= self.slopes.0 && slope <= self.slopes.1
    }

    fn narrow_slopes(&mut self, from: Knot, to: Knot) {
        let (steps, ms) = (f64::from(to.step - from.step), f64::from(to.ms - from.ms));
        let tolerance = TOLERANCE_MS.max(f64::from(to.ms) * TOLERANCE);
        self.slopes = (self.slopes.0.max((ms - tolerance) / steps), self.slopes.1.min((ms + tolerance) / steps));
    }

    fn newest(&self) -> Option<Knot> {
        self.end.or_else(|| self.knots.last().copied())
    }

    /// Milliseconds that the whole run may take, by its pace so far.
    fn expected(&self, plan: u32) -> u64 {
        let Some(newest) = self.newest() else { return 0 };
        let (ms, left) = (u64::from(newest.ms), u64::from(plan.saturating_sub(newest.step)));
        match self.first {
            _ if left == 0 => ms,
            Some(first) if newest.step >= first.step + ENOUGH => {
                ms + left * u64::from(newest.ms - first.ms) / u64::from(newest.step - first.step)
            }
            Some(_) | None => 2 * ms,
        }
    }

    /// What a time axis of the whole run ends at: a round time that is rarely another.
    pub fn span_ms(&self) -> u64 {
        self.span_ms.max(ROUND[0] * 1_000)
    }

    /// Milliseconds from the start to the newest report.
    pub fn now_ms(&self) -> u64 {
        self.newest().map_or(0, |newest| u64::from(newest.ms))
    }

    /// Steps done after so many milliseconds of the run.
    pub fn step_at(&self, ms: u64) -> Step {
        let next = self.knots.partition_point(|k| u64::from(k.ms) <= ms);
        let Some(from) = next.checked_sub(1).map(|i| self.knots[i]) else { return 0 };
        let Some(to) = self.knots.get(next).copied().or(self.end) else { return Step::from(from.step) };
        let (part, all) = (ms - u64::from(from.ms), u64::from(to.ms - from.ms));
        if part >= all { Step::from(to.step) } else { Step::from(from.step) + Step::from(to.step - from.step) * part / all }
    }

    /// When a step was done, in milliseconds from the start; `None` for one that is still to come.
    pub fn ms_at(&self, step: Step) -> Option<u64> {
        let next = self.knots.partition_point(|k| Step::from(k.step) < step);
        let to = self.knots.get(next).copied().or(self.end).filter(|k| Step::from(k.step) >= step)?;
        let Some(from) = next.checked_sub(1).map(|i| self.knots[i]) else { return Some(u64::from(to.ms)) };
        let (part, all) = (step - Step::from(from.step), Step::from(to.step - from.step));
        Some(u64::from(from.ms) + u64::from(to.ms - from.ms) * part / all.max(1))
    }
}

fn narrow(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn round_above(ms: u64) -> u64 {
    let seconds = ms.div_ceil(1_000);
    let day = ROUND[ROUND.len() - 1];
    let days = || [2, 3, 5, 7, 10, 15, 20, 30, 50].map(|n| n * day);
    ROUND.into_iter().chain(days()).find(|s| *s >= seconds).unwrap_or(seconds) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000_000;

    /// 100 ms a step, reported every third step; an evaluation of 5 s after each 300 steps.
    fn steady(steps: u64) -> (Clock, Vec<(u64, u64)>) {
        let (mut clock, mut told, mut at) = (Clock::default(), vec![(0, 0)], START);
        clock.start(0, at);
        for step in (3..=steps).step_by(3) {
            at += 300;
            clock.note(step, at, 3_000);
            told.push((step, at - START));
            if step % 300 == 0 {
                at += 5_000;
                clock.note(step, at, 3_000);
                told.push((step, at - START));
            }
        }
        (clock, told)
    }

    #[test]
    fn it_is_near_all_that_it_was_told_and_small() {
        let (clock, told) = steady(3_000);
        assert!(clock.knots.len() < 40, "{} knots", clock.knots.len());
        for (step, ms) in told.iter().filter(|(step, _)| step % 300 != 0) {
            assert!(clock.ms_at(*step).unwrap().abs_diff(*ms) <= 150, "step {step}");
            assert!(clock.step_at(*ms).abs_diff(*step) <= 1, "{ms} ms");
        }
        // In the middle of an evaluation nothing goes on.
        assert_eq!((clock.step_at(32_000), clock.step_at(34_900), clock.step_at(35_400)), (300, 300, 304));
        assert_eq!((clock.ms_at(3_001), clock.step_at(u64::MAX)), (None, 3_000));
    }

    #[test]
    fn the_axis_is_round_and_rarely_another() {
        let spans: Vec<u64> = (1..=1_000).map(|n| steady(3 * n).0.span_ms()).collect();
        let mut seen = spans.clone();
        seen.dedup();
        assert!(seen.len() <= 6, "{seen:?}");
        assert_eq!(spans.last(), Some(&480_000));
    }

    #[test]
    fn a_resumed_run_goes_on_where_it_ended() {
        let (mut clock, _) = steady(299);
        let (before, night) = (clock.now_ms(), 10_000_000);
        clock.start(150, START + before + night);
        clock.note(153, START + before + night + 300, 3_000);
        assert_eq!(clock.now_ms(), before + 300);
        assert_eq!((clock.step_at(before), clock.step_at(15_000)), (150, 150));
        assert!(clock.ms_at(149).unwrap() < 15_000);
        assert_eq!(clock.ms_at(153), Some(before + 300));
    }
}
