//! A loss that runs away. A NaN is not looked at here: the worker itself stops for it.

use super::{Alert, Episode, Look, Patience, Say, number};
use crate::protocol::Step;
use crate::protocol::event::{Progress, Term, Warning};
use std::collections::VecDeque;

/// Times its median: a high learning rate or a hard batch make it two or three times as high, never ten.
const RATIO: f64 = 10.0;
/// Steps that the median is of.
const STEPS: Step = 200;
/// Where reports are rare, at least this many of them, or one would be compared with next to nothing.
const FEWEST: usize = 8;
/// And not more than this many, were every step reported twice.
const MOST: usize = 200;
/// A loss below this is no divergence whatever it was before: from 0.001 to 0.01 is a batch with one hard image.
const FLOOR: f64 = 0.5;
/// Reports in a row, so that a single bad batch on a slow machine is none.
const REPORTS: u32 = 2;
/// Told again after this many reports that were well, or when it is ten times as high again.
const PATIENCE: Patience = Patience { well: 20, worse: RATIO };

#[derive(Clone, Debug, Default)]
pub(super) struct Loss {
    cross_entropy: Level,
    total: Level,
    episode: Episode,
    saved: Option<Step>,
}

/// What a term was lately.
#[derive(Clone, Debug, Default)]
struct Level {
    recent: VecDeque<(Step, f64)>,
    high: u32,
}

/// A term that is far above what it was.
struct High {
    term: Term,
    now: f64,
    median: f64,
}

impl Loss {
    pub(super) fn see(&mut self, progress: &Progress) -> Option<Alert> {
        let mean = |term| progress.terms.get(&term).map(|summary| summary.mean);
        // RRM's total is lambda * L_C minus a cosine: with 1 added it is at least 0, and a median of it means something.
        let shift = if progress.terms.contains_key(&Term::Representation) { 1.0 } else { 0.0 };
        let step = progress.step;
        let entropy = mean(Term::CrossEntropy).and_then(|v| self.cross_entropy.take(Term::CrossEntropy, step, v, 0.0));
        let total = mean(Term::Total).and_then(|v| self.total.take(Term::Total, step, v, shift));
        let Some(high) = entropy.or(total) else {
            let told = [Term::CrossEntropy, Term::Total].into_iter().filter_map(mean).any(f64::is_finite);
            if told {
                self.episode.judge(Look::Well, PATIENCE);
            }
            return None;
        };
        let ratio = (high.now / high.median.max(FLOOR / RATIO)).max(f64::MIN_POSITIVE);
        if self.episode.judge(Look::Bad(ratio), PATIENCE) == Say::Nothing {
            return None;
        }
        let (now, median) = (number(high.now), number(high.median));
        let back =
            self.saved.map_or_else(String::new, |saved| format!(", or end it and go on from the checkpoint of step {saved}"));
        let message = format!(
            "the loss runs away: {} is {now} @ step {step}, its median over {STEPS} steps was {median}. Try a smaller learning rate (lr x 0.5){back}",
            high.term.name(),
        );
        Some(Alert { kind: Warning::Divergence, step: Some(step), message })
    }

    /// What came before a turn of a dial does not compare with what comes after it.
    pub(super) fn forget(&mut self) {
        self.cross_entropy = Level::default();
        self.total = Level::default();
    }

    pub(super) fn saved(&mut self, step: Step) {
        self.saved = Some(step);
    }
}

impl Level {
    /// Takes in what a report says; what it was, where this is far above.
    fn take(&mut self, term: Term, step: Step, value: f64, shift: f64) -> Option<High> {
        let now = value + shift;
        if !now.is_finite() {
            return None;
        }
        let median = (self.recent.len() >= FEWEST).then(|| self.median());
        if let Some(median) = median
            && now > FLOOR
            && now > RATIO * median
        {
            // It does not enter the median, which would follow it and call it usual.
            self.high += 1;
            return (self.high >= REPORTS).then_some(High { term, now: value, median: median - shift });
        }
        self.high = 0;
        self.recent.push_back((step, now));
        let old = |recent: &VecDeque<(Step, f64)>| recent.front().is_some_and(|(at, _)| at + STEPS < step);
        while self.recent.len() > MOST || (self.recent.len() > FEWEST && old(&self.recent)) {
            self.recent.pop_front();
        }
        None
    }

    fn median(&self) -> f64 {
        let mut values: Vec<f64> = self.recent.iter().map(|(_, v)| *v).collect();
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f64::total_cmp).1
    }
}
