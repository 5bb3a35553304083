//! Curves over the steps of a run, drawn into a buffer in time proportional to its width.
//!
//! Our own because ratatui's `Chart` visits every point (355 ms at a million), has no log axis, no band and no markers. A dot
//! column stands for a fixed range of steps, so what is drawn once never moves: that is what keeps a screen over SSH cheap.
//! It knows nothing of losses or accuracies, and holds no state: bounds are a pure function of the data.

mod axis;
mod columns;
mod labels;
mod marks;

pub use columns::{Curve, Place, Ruler, Shape};

use super::glyphs::Glyphs;
use super::theme::{Palette, Tone};
use crate::protocol::Step;
use crate::run::state::Marker;
use axis::{Axis, nice_above};
use columns::Column;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Columns left of the plot for the y labels.
pub(super) const GUTTER: u16 = 6;
/// One of so many parts of a view: the beginning, in which values fall from where they happened to start.
const FIRST_PART: usize = 20;
/// One of so many parts of a view: the beginning of curves that take long to fall.
const LONG_FIRST_PART: usize = 8;
/// One column in a hundred may lie beyond robust bounds at either end.
const RARE: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scale {
    #[default]
    Linear,
    /// Values that are not positive are left out.
    Log,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bounds {
    /// Round numbers around what is visible.
    Nice,
    /// Round numbers around what is usual: without the first steps of a run and without the rarest columns. What lies beyond is
    /// told by `^` and `v` at the edge.
    Robust,
    /// At least this; round numbers around what goes beyond.
    AtLeast(f64, f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Step,
    /// Labelled in epochs of this many steps.
    Epoch(u64),
    /// Places are milliseconds.
    Time,
}

/// Whether what a column covers is drawn, or only its mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Band {
    #[default]
    Shown,
    Hidden,
}

pub struct SeriesChart<'a> {
    pub curves: &'a [Curve<'a>],
    /// Visible places of the x axis, `from < to`: steps, or milliseconds.
    pub from: u64,
    pub to: u64,
    /// From markers' and the crosshair's steps to places.
    pub ruler: Ruler<'a>,
    pub scale: Scale,
    pub bounds: Bounds,
    /// Weight of the past in the drawn mean, 0 to below 1; the raw extent stays visible behind it.
    pub smoothing: f64,
    pub band: Band,
    pub markers: &'a [Marker],
    /// Dotted horizontal lines, in the unit of the y axis.
    pub references: &'a [(f64, Tone)],
    pub cursor: Option<Step>,
    pub unit: Unit,
}

/// Owner of a cell: curves in drawing order, their bands below them all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    Band(usize),
    Line(usize),
}

/// The dots of a plot, several to a cell where the glyphs have them.
pub(super) struct Grid {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) across: usize,
    pub(super) down: usize,
    pub(super) cells: Vec<Option<(Layer, u8)>>,
}

/// Whether curves are drawn in letters: without colours dots do not say whose they are.
pub(super) fn in_letters(palette: Palette, glyphs: Glyphs) -> bool {
    palette.is_mono() || glyphs == Glyphs::Ascii
}

impl Grid {
    pub(super) fn new(plot: Rect, palette: Palette, glyphs: Glyphs) -> Self {
        let (across, down) = match glyphs {
            Glyphs::Ascii => (1, 1),
            Glyphs::Braille | Glyphs::Half if in_letters(palette, glyphs) => (1, 1),
            Glyphs::Half => (1, 2),
            Glyphs::Braille => (2, 4),
        };
        let (width, height) = (usize::from(plot.width), usize::from(plot.height));
        Self { width, height, across, down, cells: vec![None; width * height] }
    }

    /// What the dots of a cell look like, where they are not a letter.
    pub(super) fn glyph(&self, dots: u8) -> char {
        match (self.across, dots) {
            (2, dots) => char::from_u32(0x2800 + u32::from(dots)).unwrap_or('.'),
            (_, 1) => '▀',
            (_, 2) => '▄',
            _ => '█',
        }
    }

    pub(super) fn set(&mut self, x: usize, y: usize, layer: Layer) {
        self.put(x, y / self.down, self.bit(x, y), layer);
    }

    /// A vertical line of dots, cell by cell: bands have more dots than all else that is drawn.
    fn fill(&mut self, x: usize, a: usize, b: usize, layer: Layer) {
        let (top, bottom) = (a.min(b), a.max(b));
        for row in top / self.down..=bottom / self.down {
            let (first, last) = (row * self.down, row * self.down + self.down - 1);
            let dots = (top.max(first)..=bottom.min(last)).fold(0, |dots, y| dots | self.bit(x, y));
            self.put(x, row, dots, layer);
        }
    }

    fn bit(&self, x: usize, y: usize) -> u8 {
        match (self.across, self.down) {
            (2, 4) => [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]][y % 4][x % 2],
            (_, 2) => 1 << (y % 2),
            _ => 1,
        }
    }

    /// The last curve wins a cell: dots of two colours cannot share one.
    fn put(&mut self, x: usize, row: usize, bits: u8, layer: Layer) {
        let cell = &mut self.cells[row * self.width + x / self.across];
        match cell {
            Some((owner, dots)) if *owner == layer => *dots |= bits,
            _ => *cell = Some((layer, bits)),
        }
    }
}

impl SeriesChart<'_> {
    /// Draws into `area`, which is inside any border.
    pub fn render(&self, area: Rect, buffer: &mut Buffer, palette: Palette, glyphs: Glyphs) {
        let area = area.intersection(buffer.area);
        if area.width < GUTTER + 4 || area.height < 3 || self.to <= self.from {
            return;
        }
        let plot = Rect { x: area.x + GUTTER, width: area.width - GUTTER, height: area.height - 1, ..area };
        let letters = in_letters(palette, glyphs);
        let mut grid = Grid::new(plot, palette, glyphs);
        let (width, height, across, down) = (grid.width, grid.height, grid.across, grid.down);
        let mut holes = vec![false; width];
        let columns: Vec<Vec<Option<Column>>> = self.curves.iter().map(|c| self.columns(c, width * across)).collect();
        let axis = self.axis(height * down, &columns);
        let front = |i: usize| self.curves.get(i).is_some_and(|curve| curve.place == Place::Front);
        if self.band == Band::Shown && !letters {
            for (i, columns) in columns.iter().enumerate() {
                if front(i) {
                    bands(columns, &axis, &mut grid, Layer::Band(i));
                }
            }
        }
        for (i, columns) in columns.iter().enumerate() {
            // Letters have no fainter shade: there the range is drawn as the curve is.
            if letters && self.smoothing == 0.0 && self.band == Band::Shown && front(i) {
                bands(columns, &axis, &mut grid, Layer::Line(i));
            }
            line(columns, &axis, &mut grid, Layer::Line(i));
            for (x, column) in columns.iter().enumerate().filter(|_| front(i)) {
                holes[x / across] |= column.is_some_and(|c| c.holes > 0);
            }
        }

        self.references(plot, &axis, down, buffer, palette);
        self.paint(plot, &grid, letters, buffer, palette);
        let clipped = self.beyond(plot, &axis, &columns, across, buffer, palette);
        self.tags(plot, &grid, &axis, &columns, letters, buffer);
        self.mark(plot, &grid, buffer, palette);
        for (x, _) in holes.iter().enumerate().filter(|(_, hole)| **hole) {
            cell(buffer, plot.x + x as u16, plot.bottom() - 1, '!', palette.style(Tone::Error));
        }
        clipped.explain(plot, buffer, palette);
        self.labels(area, plot, &axis, buffer, palette);
    }

    /// Least and greatest of what is visible; the former above the latter where nothing is.
    fn extent(&self) -> (f64, f64) {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let seen = |curve: &Curve| {
            let to = curve.ruler.step(self.to) + 1;
            match curve.shape {
                Shape::Line => curve.series.within(curve.ruler.step(self.from) + 1, to),
                // With the value that holds where the view begins.
                Shape::Stairs(_) => {
                    curve.series.first_from(curve.ruler.step(self.from) + 1).saturating_sub(1)..curve.series.first_from(to)
                }
            }
        };
        for curve in self.curves {
            if let Some(range) = curve.series.range(seen(curve)) {
                low = low.min(f64::from(range.min) * curve.factor + curve.offset);
                high = high.max(f64::from(range.max) * curve.factor + curve.offset);
            }
        }
        (low, high)
    }

    /// Least and greatest of what is usual: a run begins far from where it spends its life, and a spike must not flatten all the
    /// rest. Of the beginning more is left out where that at least halves the range.
    fn usual(&self, columns: &[Vec<Option<Column>>]) -> (f64, f64) {
        let (low, high) = self.usual_from(columns, FIRST_PART);
        let (later_low, later_high) = self.usual_from(columns, LONG_FIRST_PART);
        if later_low <= later_high && 2.0 * (later_high - later_low.min(0.0)) <= high - low.min(0.0) {
            return (later_low, later_high);
        }
        (low, high)
    }

    /// Least and greatest without the rarest columns and without the first of `parts` parts of the view, if it holds the start of the
    /// data.
    fn usual_from(&self, columns: &[Vec<Option<Column>>], parts: usize) -> (f64, f64) {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for columns in columns {
            let newest = columns.iter().rposition(Option::is_some).unwrap_or(0);
            let oldest = columns.iter().position(Option::is_some).unwrap_or(0);
            let part = columns.len() / parts;
            // Not before there is more to see than the beginning.
            let start = if self.from == 0 && newest >= oldest + 4 * part { oldest + part } else { 0 };
            let seen = columns[start..].iter().flatten().filter(|c| c.min <= c.max);
            let (mut lows, mut highs): (Vec<f64>, Vec<f64>) = seen.map(|c| (c.min, c.max)).unzip();
            lows.sort_by(f64::total_cmp);
            highs.sort_by(f64::total_cmp);
            let rare = lows.len() / RARE;
            if let (Some(least), Some(greatest)) = (lows.get(rare), highs.iter().rev().nth(rare)) {
                (low, high) = (low.min(*least), high.max(*greatest));
            }
        }
        (low, high)
    }

    fn axis(&self, rows: usize, columns: &[Vec<Option<Column>>]) -> Axis {
        let (mut low, mut high) = match (self.bounds, self.scale) {
            (Bounds::Robust, Scale::Linear) => self.usual(columns),
            (Bounds::Nice | Bounds::Robust | Bounds::AtLeast(..), _) => self.extent(),
        };
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if self.scale == Scale::Log {
            let high = if high > 0.0 { high } else { 1.0 };
            // Whole decades, to within what single precision can tell; a curve that touches zero gets four of them.
            let top = (high.log10() - 1e-6).ceil();
            let bottom = if low > 0.0 { (low.log10() + 1e-6).floor() } else { top - 4.0 };
            return Axis { low: bottom.min(top - 1.0), high: top, scale: Scale::Log, rows };
        }
        let (mut low, mut high) = (if low < 0.0 { -nice_above(-low) } else { 0.0 }, nice_above(high));
        if let Bounds::AtLeast(least, most) = self.bounds {
            (low, high) = (low.min(least), high.max(most));
        }
        if high <= low {
            high = low + 1.0;
        }
        Axis { low, high, scale: Scale::Linear, rows }
    }

    /// The cell column of a step, if it is visible. A value reported after step n lies where step n - 1 ran.
    fn column_of(&self, step: Step, width: u16) -> Option<u16> {
        // The step before is where one that is not done yet will begin.
        let at = self.ruler.place(step).or_else(|| self.ruler.place(step.checked_sub(1)?))?;
        let (at, span) = (at.max(1) - 1, self.to - self.from);
        (self.from..self.to).contains(&at).then(|| (u128::from(at - self.from) * u128::from(width) / u128::from(span)) as u16)
    }

    /// Points in view that a log axis has no place for.
    pub fn left_out(&self) -> u64 {
        let front = self.curves.iter().filter(|curve| self.scale == Scale::Log && curve.place == Place::Front);
        front
            .map(|curve| {
                let (from, to) = (curve.ruler.step(self.from), curve.ruler.step(self.to));
                curve.series.count_to((-curve.offset / curve.factor) as f32, curve.series.within(from + 1, to + 1))
            })
            .sum()
    }

    fn paint(&self, plot: Rect, grid: &Grid, letters: bool, buffer: &mut Buffer, palette: Palette) {
        for (i, owned) in grid.cells.iter().enumerate() {
            let Some((layer, dots)) = *owned else { continue };
            let (x, y) = ((i % grid.width) as u16, (i / grid.width) as u16);
            let (Layer::Band(curve) | Layer::Line(curve)) = layer;
            let Some(curve) = self.curves.get(curve) else { continue };
            let style = match (layer, curve.place) {
                (Layer::Line(_), Place::Front) => palette.style(curve.tone),
                (Layer::Line(_), Place::Behind) | (Layer::Band(_), _) => palette.faded(curve.tone),
            };
            let glyph = match (letters, x % 2) {
                (false, _) => grid.glyph(dots),
                (true, 0) => curve.letter,
                (true, _) => curve.sign,
            };
            cell(buffer, plot.x + x, plot.y + y, glyph, style);
        }
    }
}

/// Most columns of dots that one report's range is drawn over: what is farther apart was not one stretch of steps.
const STRETCH: usize = 8;

/// The least and the greatest of what each column covers. A report covers the steps since the one before it, so that its range
/// stands in the columns in between as well: without them a wide chart would show a comb.
fn bands(columns: &[Option<Column>], axis: &Axis, grid: &mut Grid, layer: Layer) {
    let mut before = None;
    for (x, column) in columns.iter().enumerate() {
        let Some(column) = column else { continue };
        let last = before.replace(x);
        let from = match last {
            Some(last) if x - last <= STRETCH && column.min < column.max => last + 1,
            Some(_) | None => x,
        };
        // On a log axis a band that reaches zero is drawn down to the bottom as far as it is positive.
        let low = axis.dot(column.min).or_else(|| axis.dot(column.mean));
        if let (Some(low), Some(high)) = (low, axis.dot(column.max)) {
            (from..=x).for_each(|x| grid.fill(x, low, high, layer));
        }
    }
}

fn line(columns: &[Option<Column>], axis: &Axis, grid: &mut Grid, layer: Layer) {
    let mut last: Option<(usize, usize)> = None;
    for (x, column) in columns.iter().enumerate() {
        let Some(column) = column else { continue };
        let Some(y) = axis.dot(column.mean) else {
            last = None; // a gap: nothing is drawn across what is not a number
            continue;
        };
        if let Some((x0, y0)) = last {
            let mut before = y0;
            for step in x0 + 1..=x {
                let share = (step - x0) as f64 / (x - x0) as f64;
                let at = (y0 as f64 + share * (y as f64 - y0 as f64)).round() as usize;
                // One past where the last column ended, towards this one.
                let from = before.saturating_add_signed((at as isize - before as isize).signum());
                grid.fill(step, from, at, layer);
                before = at;
            }
        } else {
            grid.set(x, y, layer);
        }
        last = Some((x, y));
    }
}

pub(super) fn cell(buffer: &mut Buffer, x: u16, y: u16, glyph: char, style: Style) {
    if let Some(cell) = buffer.cell_mut((x, y)) {
        cell.set_char(glyph).set_style(style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Summary;
    use crate::run::Series;
    use crate::run::clock::Clock;
    use crate::run::state::MarkerKind;

    fn ramp(points: u64, value: impl Fn(u64) -> f64) -> Series {
        let mut series = Series::default();
        for i in 1..=points {
            series.push(i, Summary::one(value(i)));
        }
        series
    }

    fn curve(series: &Series) -> Curve<'_> {
        let (place, ruler, shape) = (Place::Front, Ruler::Steps, Shape::Line);
        Curve { series, factor: 1.0, offset: 0.0, tone: Tone::First, letter: 'o', sign: 'o', place, ruler, shape }
    }

    fn empty<'a>() -> SeriesChart<'a> {
        SeriesChart {
            curves: &[],
            from: 0,
            to: 40,
            scale: Scale::Linear,
            bounds: Bounds::Nice,
            smoothing: 0.0,
            band: Band::Shown,
            ruler: Ruler::Steps,
            markers: &[],
            references: &[],
            cursor: None,
            unit: Unit::Step,
        }
    }

    fn draw<'a>(curves: &'a [Curve<'a>], markers: &'a [Marker], change: impl Fn(&mut SeriesChart<'a>)) -> Vec<String> {
        let area = Rect::new(0, 0, 26, 7);
        let mut buffer = Buffer::empty(area);
        let mut chart = SeriesChart { curves, markers, ..empty() };
        change(&mut chart);
        chart.render(area, &mut buffer, Palette::Mono, Glyphs::Ascii);
        (0..area.height).map(|y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn what_is_not_a_number_is_a_gap_and_a_mark() {
        let series = ramp(20, |i| if i == 11 { f64::NAN } else { 1.0 });
        let rows = draw(&[curve(&series)], &[], |_| ());
        assert_eq!(&rows[5][6..], "     !              ");
        assert!(rows[0].starts_with(" 1.00 oooo"), "{rows:#?}");
    }

    #[test]
    fn markers_stand_over_the_step_they_name_and_spare_the_curve() {
        let series = ramp(40, |_| 2.0);
        let at = |step| Marker {
            seq: 0,
            step,
            at_ms: 0,
            kind: MarkerKind::Saved,
            text: String::new(),
            note: None,
            by_person: true,
            asked_at: None,
            over: 0,
        };
        let curve = [Curve { factor: 0.5, ..curve(&series) }];
        let rows = draw(&curve, &[at(10), at(20), at(21)], |c| c.bounds = Bounds::AtLeast(0.0, 2.0));
        let top: String = rows[0].chars().skip(6).collect();
        assert_eq!(top, "     ▾S   ▾S+       ");
        assert!(rows[3].contains("oooooooooooooooooooo") || rows[2].contains("oooooooooooooooooooo"), "{rows:#?}");
    }

    #[test]
    fn a_log_axis_spans_whole_decades() {
        let series = ramp(40, |i| 10f64.powf(-(i as f64) / 10.0));
        let rows = draw(&[curve(&series)], &[], |c| c.scale = Scale::Log);
        assert!(rows[0].trim_start().starts_with("1.00"), "{rows:#?}");
        assert!(rows[5].trim_start().starts_with("1e-4"), "{rows:#?}");
    }

    #[test]
    fn a_beginning_far_away_does_not_flatten_the_rest() {
        let series = ramp(400, |i| if i <= 20 { 50.0 } else { 0.5 });
        let lifted = [Curve { offset: 0.25, ..curve(&series) }];
        let rows = draw(&lifted, &[], |c| (c.bounds, c.to) = (Bounds::Robust, 400));
        assert!(rows[0].starts_with(" 0.80 ^"), "{rows:#?}");
        // How far it goes stands beside the sign, where there is room.
        let series = ramp(400, |i| if i <= 20 { 50.0 } else { 20.0 / i as f64 });
        let rows = draw(&[curve(&series)], &[], |c| (c.bounds, c.to) = (Bounds::Robust, 400));
        assert!(rows[0].contains('^') && rows[0].contains(" up to 50.0"), "{rows:#?}");
    }

    #[test]
    fn a_long_beginning_is_clipped_only_where_that_pays() {
        let high = |start: u64, first: f64| {
            let series = ramp(400, |i| if i <= start { first } else { 0.5 });
            let rows = draw(&[curve(&series)], &[], |c| (c.bounds, c.to) = (Bounds::Robust, 400));
            rows[0][..6].trim().to_string()
        };
        assert_eq!((high(40, 50.0), high(40, 0.9)), ("0.50".into(), "1.00".into()));
        assert_eq!(high(120, 50.0), "50.0", "so much is no beginning any more");
    }

    #[test]
    fn a_report_of_many_steps_has_its_range_in_all_their_columns() {
        let mut series = Series::default();
        (1..=5).for_each(|i| series.push(8 * i, Summary { min: 1.0, mean: 2.0, max: 4.0 }));
        let rows = |points: &Series| {
            let area = Rect::new(0, 0, 26, 7);
            let mut buffer = Buffer::empty(area);
            let curves = [curve(points)];
            let chart = SeriesChart { curves: &curves, ..empty() };
            chart.render(area, &mut buffer, Palette::TrueColour, Glyphs::Braille);
            (0..area.height).map(|y| (6..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>()).collect::<Vec<_>>()
        };
        // From the first report to the last one, without a gap.
        assert_eq!(rows(&series)[1].trim(), "⢸⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿", "{:#?}", rows(&series));
        let mut probes = Series::default();
        (1..=5).for_each(|i| probes.push(8 * i, Summary::one(f64::from(i as u32))));
        assert!(!rows(&probes).concat().contains('⣿'), "single values have no range");
    }

    #[test]
    fn stairs_hold_their_value_until_the_next_and_end_at_the_present() {
        let mut series = Series::default();
        series.push(0, Summary::one(2.0));
        series.push(20, Summary::one(1.0));
        let rows = draw(&[Curve { shape: Shape::Stairs(30), ..curve(&series) }], &[], |c| c.bounds = Bounds::AtLeast(0.0, 2.0));
        assert_eq!(&rows[0][6..], "oooooooooo          ");
        assert_eq!(&rows[3][6..], "          ooooo     ");
    }

    #[test]
    fn others_stand_behind_and_are_told_by_their_letter() {
        let (mine, theirs) = (ramp(20, |_| 1.0), ramp(40, |i| if i <= 10 { 1.0 } else { 2.0 }));
        let behind = Curve {
            letter: 'a',
            sign: 'a',
            place: Place::Behind,
            ruler: Ruler::Epochs { ours: 10, theirs: 20 },
            ..curve(&theirs)
        };
        let rows = draw(&[behind, curve(&mine)], &[], |c| c.bounds = Bounds::AtLeast(0.0, 2.0));
        assert_eq!(&rows[0][6..], "   aaaaaaa          ");
        assert!(rows.iter().any(|row| row[6..].starts_with("oooooooooo ")), "{rows:#?}");
    }

    #[test]
    fn curves_of_one_other_run_are_told_apart_by_the_sign_of_the_same_curve_of_this_run() {
        let (low, high) = (ramp(40, |_| 1.0), ramp(40, |_| 2.0));
        let behind = |series, sign| Curve { letter: 'a', sign, place: Place::Behind, ..curve(series) };
        let rows = draw(&[behind(&low, 'o'), behind(&high, 'x')], &[], |c| c.bounds = Bounds::AtLeast(0.0, 2.0));
        assert_eq!(&rows[0][6..], "axaxaxaxaxaxaxaxaxaa");
        assert!(rows.iter().any(|row| &row[6..] == "aoaoaoaoaoaoaoaoaoaa"), "{rows:#?}");
    }

    #[test]
    fn a_pause_is_as_wide_as_it_was_long() {
        let series = ramp(20, |i| f64::from(u8::from(i > 10)) + 1.0);
        let mut state = crate::run::RunState::default();
        let clock: &mut Clock = &mut state.clock;
        clock.start(0, 1_000);
        (1..=10).for_each(|step| clock.note(step, 1_000 + 100 * step, 20));
        clock.note(10, 3_000, 20);
        (11..=20).for_each(|step| clock.note(step, 2_000 + 100 * step, 20));
        let ruler = Ruler::Clock(clock);
        let rows = draw(&[Curve { ruler, ..curve(&series) }], &[], |c| {
            (c.from, c.to, c.ruler, c.unit, c.bounds) = (0, 4_000, ruler, Unit::Time, Bounds::AtLeast(0.0, 2.0));
        });
        assert_eq!(rows[0][6..].chars().filter(|c| *c == 'o').count(), 5, "{rows:#?}");
        assert!(rows[0].ends_with("ooooo     ") && rows[6].contains("time 0s"), "{rows:#?}");
    }

    #[test]
    fn between_two_points_there_is_a_line_at_any_zoom() {
        let mut series = Series::default();
        series.push(1, Summary::one(1.0));
        series.push(400, Summary::one(1.0));
        let rows = draw(&[curve(&series)], &[], |c| (c.from, c.to) = (100, 140));
        assert_eq!(&rows[0][6..], "oooooooooooooooooooo");
        // What is still to come is not guessed.
        let rows = draw(&[curve(&series)], &[], |c| (c.from, c.to) = (380, 420));
        assert_eq!(&rows[0][6..], "oooooooooo          ");
    }

    #[test]
    fn a_log_axis_counts_what_it_leaves_out() {
        let series = ramp(40, |i| i as f64 - 10.0);
        let curves = [Curve { offset: 1.0, ..curve(&series) }];
        draw(&curves, &[], |c| {
            assert_eq!(c.left_out(), 0);
            c.scale = Scale::Log;
            assert_eq!(c.left_out(), 9);
        });
    }
}
