//! What the dot columns of a chart show of a curve: the range of each, found by the series' pyramid, and its smoothed mean.

use super::SeriesChart;
use crate::protocol::Step;
use crate::run::Series;
use crate::run::clock::Clock;
use crate::ui::theme::Tone;

/// From places on the x axis to steps and back.
#[derive(Clone, Copy)]
pub enum Ruler<'a> {
    Steps,
    /// The steps of another run beside ours, epoch by epoch: so many of theirs are so many of ours.
    Epochs {
        ours: u64,
        theirs: u64,
    },
    /// Milliseconds of the run.
    Clock(&'a Clock),
}

impl Ruler<'_> {
    /// Steps done at a place.
    pub fn step(self, at: u64) -> Step {
        match self {
            Self::Steps => at,
            Self::Epochs { ours, theirs } => (u128::from(at) * u128::from(theirs) / u128::from(ours.max(1))) as Step,
            Self::Clock(clock) => clock.step_at(at),
        }
    }

    /// Where so many steps are done, if they are.
    pub fn place(self, step: Step) -> Option<u64> {
        match self {
            Self::Steps => Some(step),
            Self::Epochs { ours, theirs } => Some((u128::from(step) * u128::from(ours) / u128::from(theirs.max(1))) as u64),
            Self::Clock(clock) => clock.ms_at(step),
        }
    }
}

/// What lies between two points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Line,
    /// A point's value holds until the next, and the last one's until this step. Nothing is smoothed.
    Stairs(Step),
}

pub struct Curve<'a> {
    pub series: &'a Series,
    /// Drawn as value x factor + offset: 100 for what is shown in percent.
    pub factor: f64,
    pub offset: f64,
    pub tone: Tone,
    /// What it is drawn with where there is no colour: these two in turn. A curve of another run has the run's letter and the sign
    /// of the same curve of this run; for all others both are the same.
    pub letter: char,
    pub sign: char,
    pub place: Place,
    pub ruler: Ruler<'a>,
    pub shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Front,
    /// Of another run, behind this run's: without a band, in a fainter shade, with its letter at the newest end and along the way.
    Behind,
}

/// What a dot column shows of one curve.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) min: f64,
    pub(super) mean: f64,
    pub(super) max: f64,
    pub(super) holes: u32,
}

impl SeriesChart<'_> {
    /// First place of a dot column.
    fn start(&self, column: usize, count: usize) -> u64 {
        let span = u128::from(self.to - self.from);
        self.from + (span * column as u128 / count as u128) as u64
    }

    pub(super) fn columns(&self, curve: &Curve, count: usize) -> Vec<Option<Column>> {
        let edges: Vec<Step> = (0..=count).map(|i| curve.ruler.step(self.start(i, count))).collect();
        match curve.shape {
            Shape::Line => self.means(curve, &edges),
            Shape::Stairs(until) => stairs(curve, &edges, until),
        }
    }

    fn means(&self, curve: &Curve, edges: &[Step]) -> Vec<Option<Column>> {
        let series = curve.series;
        let drawn = |value: f64| value * curve.factor + curve.offset;
        let (mut mean, mut seen) = (0.0, 0.0);
        // The mean needs its past: what lies left of a zoomed view enters as one lump, which is near enough and costs nothing.
        if self.smoothing > 0.0
            && self.from > 0
            && let before = curve.ruler.step(self.from.saturating_sub(self.to - self.from))
            && let Some(range) = series.range(series.within(before + 1, edges[0] + 1))
            && range.n > 0
        {
            seen = f64::from(range.n);
            mean = f64::from(range.mean()) * (1.0 - self.smoothing.powf(seen));
        }
        let mut from = series.first_from(edges[0] + 1);
        let mut columns: Vec<_> = edges[1..]
            .iter()
            .map(|&edge| {
                let to = series.first_from(edge + 1);
                let range = series.range(from..to);
                from = to;
                let range = range?;
                let mut column = Column {
                    min: drawn(f64::from(range.min)),
                    mean: drawn(f64::from(range.mean())),
                    max: drawn(f64::from(range.max)),
                    holes: range.holes,
                };
                if self.smoothing > 0.0 && range.n > 0 {
                    // As n points with the same mean would have moved it; divided by its weight so far it starts unbiased.
                    let keep = self.smoothing.powi(range.n as i32);
                    mean = keep * mean + (1.0 - keep) * f64::from(range.mean());
                    seen += f64::from(range.n);
                    column.mean = drawn(mean / (1.0 - self.smoothing.powf(seen)));
                }
                Some(column)
            })
            .collect();
        // What lies beside the view leads in and out of it: closer than two probes lie there would be nothing else.
        for (column, edge) in [(0, edges[0]), (columns.len() - 1, edges[columns.len()])] {
            if columns[column].is_none() {
                columns[column] = between(series, edge).map(drawn).map(|at| Column { min: at, mean: at, max: at, holes: 0 });
            }
        }
        columns
    }
}

/// What a straight line from the point before to the point after has at a step.
fn between(series: &Series, step: Step) -> Option<f64> {
    let next = series.first_from(step + 1);
    let (a, b) = (series.get(next.checked_sub(1)?)?, series.get(next)?);
    let share = (step - Step::from(a.step)) as f64 / f64::from(b.step - a.step);
    let value = f64::from(a.mean) + share * (f64::from(b.mean) - f64::from(a.mean));
    value.is_finite().then_some(value)
}

/// A value counts from the step that it is set before: the column in which that step runs shows both, and the new one's line.
fn stairs(curve: &Curve, edges: &[Step], until: Step) -> Vec<Option<Column>> {
    let series = curve.series;
    let drawn = |value: f32| f64::from(value) * curve.factor + curve.offset;
    edges
        .windows(2)
        .map(|edge| {
            if edge[0] >= until {
                return None;
            }
            let from = series.first_from(edge[0] + 1).checked_sub(1)?;
            let to = series.first_from(edge[1]).max(from + 1);
            let (range, last) = (series.range(from..to)?, series.get(to - 1)?);
            Some(Column { min: drawn(range.min), mean: drawn(last.mean), max: drawn(range.max), holes: range.holes })
        })
        .collect()
}
