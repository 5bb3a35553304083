//! Which charts a run has, and which curves belong into one: for the Dash, for the Charts view, for the keys that pick one.
//!
//! It draws nothing, and says what a run has, not what a screen shows of it.

use super::chart::{Bounds, Shape};
use super::layout::Tier;
use crate::protocol::Dial;
use crate::protocol::event::Term;
use crate::run::state::Track;
use crate::run::{RunState, Series};
use ratatui::layout::Rect;

static NOTHING: Series = Series::EMPTY;

/// One chart: what the screen remembers its log axis by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plot {
    /// All that is minimised, on one axis.
    Loss,
    Term(Term),
    Accuracy,
    Gap,
    Pulls,
    Share,
    PullCosine,
    Match,
    Dial(Dial),
    Lr,
    Rate,
    StepTime,
    Busy,
}

/// One curve of a chart.
pub struct Strand<'a> {
    pub name: String,
    /// The same in every run.
    pub key: Key,
    pub series: &'a Series,
    pub factor: f64,
    pub offset: f64,
    pub shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Term(Term),
    Track(Track),
    Natural,
    Adversarial,
}

/// Every chart that has something to show, those of constants last; the Loss is in its terms.
pub fn all(state: &RunState) -> Vec<Plot> {
    let dial = |track: &Track| match track {
        Track::Dial(dial) => Some(Plot::Dial(*dial)),
        Track::Gap
        | Track::TrainAdversarial
        | Track::FirstPull
        | Track::SecondPull
        | Track::PullShare
        | Track::PullCosine
        | Track::Matched
        | Track::Shuffled
        | Track::Lr
        | Track::ImagesPerS
        | Track::StepP50
        | Track::StepP99
        | Track::Cpu
        | Track::Gpu => None,
    };
    let terms = state.series.keys().map(|&term| Plot::Term(term));
    let measured = [Plot::Accuracy, Plot::Gap, Plot::Pulls, Plot::Share, Plot::PullCosine, Plot::Match];
    let rest = [Plot::Lr, Plot::Rate, Plot::StepTime, Plot::Busy];
    let plots = terms.chain(measured).chain(state.tracks.keys().filter_map(dial)).chain(rest);
    let mut plots: Vec<Plot> = plots.filter(|plot| plot.strands(state).iter().any(|strand| !strand.series.is_empty())).collect();
    plots.sort_by_key(|plot| plot.is_constant(state));
    plots
}

/// Number of charts, from the first of [`all`] on, that show something that changes.
pub fn changing(state: &RunState, all: &[Plot]) -> usize {
    all.partition_point(|plot| !plot.is_constant(state))
}

/// Equal values of a measured curve from which on it counts as constant: fewer may be the beginning.
const CONSTANT: usize = 50;

/// The chart in the third place of the Dash: the cosine where representations are matched, else how batches are classified.
pub fn third(state: &RunState) -> Plot {
    let matches = state.started.as_ref().is_none_or(|s| s.config.method.matching().is_some());
    Plot::Term(if matches { Term::Cosine } else { Term::TrainAccuracy })
}

/// What the parts of the loss are lifted by. Minus a cosine lies between -1 and 0, a small lambda * CE just above 0: on one axis
/// neither would show its course. Drawn 1 higher, all three fall towards 0, the sum stays the sum, and a logarithmic axis can
/// show them.
pub fn lift(state: &RunState) -> f64 {
    if state.series.contains_key(&Term::Representation) { 1.0 } else { 0.0 }
}

impl Plot {
    /// As titles say it, in full and in short.
    pub fn names(self) -> [&'static str; 2] {
        match self {
            Self::Loss => ["Loss"; 2],
            Self::Term(Term::Cosine) => ["cos(student,teacher)", "cos"],
            Self::Term(Term::TrainAccuracy) => ["Train accuracy %", "acc %"],
            Self::Term(term) => [term.name(); 2],
            Self::Accuracy => ["Accuracy %", "Acc %"],
            Self::Gap => ["nat - adv, points", "gap"],
            Self::Pulls => ["Pull on the features", "Pull"],
            Self::Share => ["Share of λ·ce in the pull %", "Share %"],
            Self::PullCosine => ["cos of the pulls", "Pull cos"],
            Self::Match => ["Match of the features", "Match"],
            Self::Dial(Dial::LrScale) => ["lr scale"; 2],
            Self::Dial(dial) => [dial.symbol(); 2],
            Self::Lr => ["lr"; 2],
            Self::Rate => ["images/s", "img/s"],
            Self::StepTime => ["Step ms", "ms"],
            Self::Busy => ["Busy %"; 2],
        }
    }

    pub fn bounds(self) -> Bounds {
        match self {
            Self::Term(Term::Cosine) | Self::Match => Bounds::AtLeast(0.0, 1.0),
            Self::Term(Term::TrainAccuracy) | Self::Accuracy | Self::Share | Self::Busy => Bounds::AtLeast(0.0, 100.0),
            Self::PullCosine => Bounds::AtLeast(-1.0, 1.0),
            Self::Loss | Self::Term(_) | Self::Pulls | Self::StepTime => Bounds::Robust,
            Self::Gap | Self::Dial(_) | Self::Lr | Self::Rate => Bounds::Nice,
        }
    }

    /// Tells whether all its curves have kept their value from the start on: a line of text says as much as a chart of it. A value that is
    /// set counts from its first point on, a measured one after some. Accuracies never do: a flat one is a finding.
    pub fn is_constant(self, state: &RunState) -> bool {
        let least = match self {
            Self::Dial(_) | Self::Lr => 1,
            Self::Accuracy => return false,
            _ => CONSTANT,
        };
        let kept = |strand: &Strand| {
            let all = strand.series.range(0..strand.series.len());
            strand.series.is_empty()
                || all.is_some_and(|all| strand.series.len() >= least && all.holes == 0 && all.min == all.max)
        };
        self.strands(state).iter().all(kept)
    }

    /// The curve that stands for the chart where there is room for one number only.
    pub fn lead(self) -> Option<Key> {
        match self {
            Self::Loss => Some(Key::Term(Term::Total)),
            Self::Accuracy => Some(Key::Adversarial),
            _ => None,
        }
    }

    /// Its curves in a run, in the order of the legend, the first ones mattering most.
    pub fn strands(self, state: &RunState) -> Vec<Strand<'_>> {
        let one = |name: &str, key: Key, factor: f64| {
            let series = match key {
                Key::Term(term) => state.series.get(&term),
                Key::Track(track) => state.tracks.get(&track),
                Key::Natural => Some(&state.natural),
                Key::Adversarial => Some(&state.adversarial),
            };
            let series = series.unwrap_or(&NOTHING);
            Strand { name: name.to_string(), key, series, factor, offset: 0.0, shape: Shape::Line }
        };
        let track = |name: &str, track: Track, factor: f64| one(name, Key::Track(track), factor);
        match self {
            Self::Loss => loss(state),
            Self::Term(Term::Cosine) => {
                // What a match is worth is what it has above one by chance.
                let chance = track("chance", Track::Shuffled, 1.0);
                let mut strands = vec![one(Term::Cosine.name(), Key::Term(Term::Cosine), 1.0)];
                strands.extend((!chance.series.is_empty()).then_some(chance));
                strands
            }
            Self::Term(term) => {
                let factor = if term == Term::TrainAccuracy { 100.0 } else { 1.0 };
                vec![one(if term == Term::TrainAccuracy { "batch" } else { term.name() }, Key::Term(term), factor)]
            }
            Self::Accuracy => {
                let mut strands = vec![one("nat", Key::Natural, 100.0), one(&attack(state), Key::Adversarial, 100.0)];
                let train = track("train", Track::TrainAdversarial, 100.0);
                if !train.series.is_empty() {
                    strands.push(train);
                }
                strands
            }
            Self::Gap => vec![track("gap", Track::Gap, 100.0)],
            Self::Pulls => {
                let names = state.pulls.as_ref().map_or(["first", "second"], |pulls| pulls.terms.map(Term::name));
                vec![track(names[0], Track::FirstPull, 1.0), track(names[1], Track::SecondPull, 1.0)]
            }
            Self::Share => vec![track("share", Track::PullShare, 100.0)],
            Self::PullCosine => vec![track("cos", Track::PullCosine, 1.0)],
            Self::Match => vec![track("same", Track::Matched, 1.0), track("other", Track::Shuffled, 1.0)],
            Self::Dial(dial) => {
                // The first value holds from the start on, the last one at present.
                let shape = Shape::Stairs(state.step.max(1));
                vec![Strand { shape, ..track(dial.symbol(), Track::Dial(dial), 1.0) }]
            }
            Self::Lr => vec![track("lr", Track::Lr, 1.0)],
            Self::Rate => vec![track("images/s", Track::ImagesPerS, 1.0)],
            Self::StepTime => vec![track("p50", Track::StepP50, 1.0), track("p99", Track::StepP99, 1.0)],
            Self::Busy => {
                let (cpu, gpu) = (track("cpu", Track::Cpu, 1.0), track("gpu", Track::Gpu, 1.0));
                if gpu.series.is_empty() { vec![cpu] } else { vec![cpu, gpu] }
            }
        }
    }
}

/// What is minimised, and what it is made of.
fn loss(state: &RunState) -> Vec<Strand<'_>> {
    let has = |term: Term| state.series.contains_key(&term);
    let lifted = lift(state);
    let parts =
        [Term::Representation, Term::Distance, Term::Distillation, Term::CleanDistillation, Term::Divergence, Term::CrossEntropy];
    let mut terms: Vec<(Term, &str, f64)> = parts
        .into_iter()
        .filter(|&term| has(term))
        .map(|term| (term, term.name(), if term == Term::Representation { lifted } else { 0.0 }))
        .collect();
    match terms.as_slice() {
        // Without a second term they are one curve.
        [(Term::CrossEntropy, ..)] => terms = vec![(Term::Total, "total = ce", 0.0)],
        _ => terms.push((Term::Total, "total", lifted)),
    }
    // Last, because it is the total without the other part: a narrow chart leaves it out.
    if has(Term::WeightedCrossEntropy) {
        terms.push((Term::WeightedCrossEntropy, Term::WeightedCrossEntropy.name(), 0.0));
    }
    let strand = |(term, name, offset): (Term, &str, f64)| Strand {
        name: name.to_string(),
        key: Key::Term(term),
        series: state.series.get(&term).unwrap_or(&NOTHING),
        factor: 1.0,
        offset,
        shape: Shape::Line,
    };
    terms.into_iter().map(strand).collect()
}

/// What the probes attack with.
fn attack(state: &RunState) -> String {
    let first_eps = state.planned_eps();
    state.probes().next_back().map_or_else(
        || "adv".to_string(),
        // The radius only where it is not the one of the config: what was probed before a change does not compare with this.
        |e| if Some(e.attack.eps) == first_eps { e.attack.short() } else { format!("{} ε {}", e.attack.short(), e.attack.eps) },
    )
}

/// How the charts of a page lie: all of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiles {
    pub area: Rect,
    pub columns: u16,
    pub rows: u16,
}

/// Below this a chart is no longer one, border and all.
pub const LEAST: (u16, u16) = (18, 5);
/// Where there is room for four of these.
const READABLE: (u16, u16) = (26, 6);
/// Columns to a row that look like a chart.
const SHAPE: f64 = 4.0;

impl Tiles {
    /// Charts as large as possible if all fit on one page, else as many on a page as can be read.
    pub fn of(area: Rect, charts: usize, tier: Tier) -> Self {
        let (width, height) = if tier <= Tier::Small { LEAST } else { READABLE };
        let (across, down) = ((area.width / width).max(1), (area.height / height).max(1));
        let fits = |columns: u16| (charts.div_ceil(usize::from(columns)) <= usize::from(down)).then_some(columns);
        let rows = |columns: u16| (charts.div_ceil(usize::from(columns)) as u16).max(1);
        let off = |columns: u16| {
            let shape = f64::from(area.width / columns) / f64::from((area.height / rows(columns)).max(1));
            let empty = f64::from(columns * rows(columns)) / charts.max(1) as f64;
            (shape / SHAPE).ln().abs() + 2.0 * empty.ln()
        };
        let best = (1..=across).filter_map(fits).min_by(|a, b| off(*a).total_cmp(&off(*b)));
        best.map_or(Self { area, columns: across, rows: down }, |columns| Self { area, columns, rows: rows(columns) })
    }

    /// Tiles above the lines that the Charts view has below its charts: one about the page and, where some of the charts are of
    /// constants, one with these.
    pub fn above(body: Rect, charts: usize, changing: usize, tier: Tier) -> Self {
        let lines = if changing < charts { 2 } else { 1 };
        Self::of(Rect { height: body.height.saturating_sub(lines), ..body }, changing, tier)
    }

    /// Charts on a page.
    pub fn page(&self) -> usize {
        usize::from(self.columns) * usize::from(self.rows)
    }

    /// Where the n-th of a page lies.
    pub fn cell(&self, n: usize) -> Rect {
        let (column, row) = (n as u16 % self.columns, n as u16 / self.columns);
        let part = |all: u16, i: u16, of: u16| (u32::from(all) * u32::from(i) / u32::from(of)) as u16;
        let (x, y) = (part(self.area.width, column, self.columns), part(self.area.height, row, self.rows));
        let (right, below) = (part(self.area.width, column + 1, self.columns), part(self.area.height, row + 1, self.rows));
        Rect { x: self.area.x + x, y: self.area.y + y, width: right - x, height: below - y }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::layout::tier;

    #[test]
    fn tiles_are_inside_apart_and_not_too_small() {
        for width in (60..=250).step_by(7) {
            for height in 16..=80 {
                let body = Rect::new(0, 1, width, height - 4);
                for charts in [0usize, 1, 2, 5, 12, 18, 40] {
                    let tiles = Tiles::of(body, charts, tier(Rect::new(0, 0, width, height)));
                    let cells: Vec<_> = (0..tiles.page()).map(|n| tiles.cell(n)).collect();
                    for (i, a) in cells.iter().enumerate() {
                        assert!(a.width >= LEAST.0 && a.height >= LEAST.1, "{a:?} of {charts} in {width}x{height}");
                        assert_eq!(a.intersection(body), *a);
                        assert!(cells[i + 1..].iter().all(|b| a.intersection(*b).is_empty()));
                    }
                }
            }
        }
    }

    #[test]
    fn all_are_on_one_page_where_they_fit() {
        let page = |w, h, n| Tiles::of(Rect::new(0, 0, w, h - 4), n, tier(Rect::new(0, 0, w, h))).page();
        assert!(page(60, 16, 18) == 6 && page(80, 24, 18) == 9);
        assert!(page(120, 40, 18) >= 18 && page(200, 60, 18) >= 18);
    }
}
