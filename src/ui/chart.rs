//! Curves over the steps of a run, drawn into a buffer in time proportional to its width.
//!
//! Our own because ratatui's `Chart` visits every point (355 ms at a million), has no log axis, no band and no markers. A dot
//! column stands for a fixed range of steps, so what is drawn once never moves: that is what keeps a screen over SSH cheap.
//! It knows nothing of losses or accuracies, and holds no state: bounds are a pure function of the data.

use super::glyphs::Glyphs;
use super::theme::{Palette, Tone};
use crate::protocol::Step;
use crate::run::Series;
use crate::run::state::Marker;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Columns left of the plot for the y labels.
pub(super) const GUTTER: u16 = 6;
/// The twentieth part of a run in which values fall from where they happened to start.
const FIRST_PART: usize = 20;
/// One column in a hundred may lie beyond robust bounds at either end.
const RARE: usize = 100;

pub struct Curve<'a> {
    pub series: &'a Series,
    /// Drawn as value x factor + offset: 100 for what is shown in percent.
    pub factor: f64,
    pub offset: f64,
    pub tone: Tone,
}

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
}

pub struct SeriesChart<'a> {
    pub curves: &'a [Curve<'a>],
    /// Visible steps, `from < to`.
    pub from: Step,
    pub to: Step,
    pub scale: Scale,
    pub bounds: Bounds,
    /// Weight of the past in the drawn mean, 0 to below 1; the raw extent stays visible behind it.
    pub smoothing: f64,
    pub markers: &'a [Marker],
    /// Dotted horizontal lines, in the unit of the y axis.
    pub references: &'a [(f64, Tone)],
    pub cursor: Option<Step>,
    pub unit: Unit,
}

/// What a dot column shows of one curve.
#[derive(Clone, Copy)]
struct Column {
    min: f64,
    mean: f64,
    max: f64,
    holes: u32,
}

/// Who owns a cell: curves in drawing order, their bands below them all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    Band,
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

    /// The last curve wins a cell: dots of two colours cannot share one.
    pub(super) fn set(&mut self, x: usize, y: usize, layer: Layer) {
        let bit = match (self.across, self.down) {
            (2, 4) => [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]][y % 4][x % 2],
            (_, 2) => 1 << (y % 2),
            _ => 1,
        };
        let cell = &mut self.cells[y / self.down * self.width + x / self.across];
        match cell {
            Some((owner, dots)) if *owner == layer => *dots |= bit,
            _ => *cell = Some((layer, bit)),
        }
    }

    fn fill(&mut self, x: usize, a: usize, b: usize, layer: Layer) {
        for y in a.min(b)..=a.max(b) {
            self.set(x, y, layer);
        }
    }
}

/// The y axis: bounds in what is drawn (logarithms for a log axis).
struct Axis {
    low: f64,
    high: f64,
    scale: Scale,
    rows: usize,
}

impl Axis {
    fn place(&self, value: f64) -> Option<f64> {
        match self.scale {
            Scale::Linear => value.is_finite().then_some(value),
            Scale::Log => (value > 0.0 && value.is_finite()).then(|| value.log10()),
        }
    }

    fn dot(&self, value: f64) -> Option<usize> {
        let share = ((self.place(value)? - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        Some(((1.0 - share) * (self.rows - 1) as f64).round() as usize)
    }

    fn label(&self, share: f64) -> String {
        let at = self.low + share * (self.high - self.low);
        number(if self.scale == Scale::Log { 10f64.powf(at) } else { at })
    }
}

/// In at most five cells.
fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0.00".into()
    } else if !(0.000_95..99_999.5).contains(&size) {
        format!("{value:.0e}")
    } else if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else if size >= 0.1 || size == 0.05 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}").replacen("0.", ".", 1)
    }
}

/// The smallest round number that is not below `value`: changes rarely while a curve grows.
fn nice_above(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 0.0;
    }
    let unit = 10f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.iter().map(|s| s * unit).find(|&s| s >= value * (1.0 - 1e-9)).unwrap_or(10.0 * unit)
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
        if self.smoothing > 0.0 && !letters {
            for columns in &columns {
                bands(columns, &axis, &mut grid, Layer::Band);
            }
        }
        for (i, columns) in columns.iter().enumerate() {
            if self.smoothing == 0.0 {
                bands(columns, &axis, &mut grid, Layer::Line(i));
            }
            line(columns, &axis, &mut grid, Layer::Line(i));
            for (x, column) in columns.iter().enumerate() {
                holes[x / across] |= column.is_some_and(|c| c.holes > 0);
            }
        }

        self.references(plot, &axis, down, buffer, palette);
        self.paint(plot, &grid, letters, buffer, palette);
        self.beyond(plot, &axis, &columns, across, buffer, palette);
        self.mark(plot, &grid, buffer, palette);
        for (x, _) in holes.iter().enumerate().filter(|(_, hole)| **hole) {
            cell(buffer, plot.x + x as u16, plot.bottom() - 1, '!', palette.style(Tone::Error));
        }
        self.labels(area, plot, &axis, buffer, palette);
    }

    /// Least and greatest of what is visible; the former above the latter where nothing is.
    fn extent(&self) -> (f64, f64) {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for curve in self.curves {
            if let Some(range) = curve.series.range(curve.series.within(self.from + 1, self.to + 1)) {
                low = low.min(f64::from(range.min) * curve.factor + curve.offset);
                high = high.max(f64::from(range.max) * curve.factor + curve.offset);
            }
        }
        (low, high)
    }

    /// The same of what is usual: a run begins far from where it spends its life, and a spike must not flatten all the rest.
    fn usual(&self, columns: &[Vec<Option<Column>>]) -> (f64, f64) {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for columns in columns {
            let newest = columns.iter().rposition(Option::is_some).unwrap_or(0);
            let start = columns.len() / FIRST_PART;
            // Not before there is more to see than the beginning.
            let start = if self.from == 0 && newest >= 4 * start { start } else { 0 };
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

    /// First step of a dot column.
    fn start(&self, column: usize, count: usize) -> Step {
        let span = u128::from(self.to - self.from);
        self.from + (span * column as u128 / count as u128) as Step
    }

    /// The cell column of a step, if it is visible. A value reported after step n lies where step n - 1 ran.
    fn column_of(&self, step: Step, width: u16) -> Option<u16> {
        let (step, span) = (step.max(1) - 1, self.to - self.from);
        (self.from..self.to).contains(&step).then(|| (u128::from(step - self.from) * u128::from(width) / u128::from(span)) as u16)
    }

    fn columns(&self, curve: &Curve, count: usize) -> Vec<Option<Column>> {
        let mut mean = 0.0;
        let mut seen = 0.0;
        // The mean needs its past: what lies left of a zoomed view enters as one lump, which is near enough and costs nothing.
        if self.smoothing > 0.0
            && self.from > 0
            && let Some(range) =
                curve.series.range(curve.series.within(self.from.saturating_sub(self.to - self.from) + 1, self.from + 1))
            && range.n > 0
        {
            seen = f64::from(range.n);
            mean = f64::from(range.mean()) * (1.0 - self.smoothing.powf(seen));
        }
        (0..count)
            .map(|i| {
                let indices = curve.series.within(self.start(i, count) + 1, self.start(i + 1, count) + 1);
                let range = curve.series.range(indices)?;
                let mut column = Column {
                    min: f64::from(range.min) * curve.factor + curve.offset,
                    mean: f64::from(range.mean()) * curve.factor + curve.offset,
                    max: f64::from(range.max) * curve.factor + curve.offset,
                    holes: range.holes,
                };
                if self.smoothing > 0.0 && range.n > 0 {
                    // As n points with the same mean would have moved it; divided by its weight so far it starts unbiased.
                    let keep = self.smoothing.powi(range.n as i32);
                    mean = keep * mean + (1.0 - keep) * f64::from(range.mean());
                    seen += f64::from(range.n);
                    column.mean = mean / (1.0 - self.smoothing.powf(seen)) * curve.factor + curve.offset;
                }
                Some(column)
            })
            .collect()
    }

    fn paint(&self, plot: Rect, grid: &Grid, letters: bool, buffer: &mut Buffer, palette: Palette) {
        const LETTERS: [char; 4] = ['o', 'x', '+', '*'];
        for (i, owned) in grid.cells.iter().enumerate() {
            let Some((layer, dots)) = *owned else { continue };
            let (glyph, tone) = match layer {
                Layer::Band => (None, Tone::Dim),
                Layer::Line(curve) => {
                    (letters.then(|| LETTERS[curve % LETTERS.len()]), self.curves.get(curve).map_or(Tone::Text, |c| c.tone))
                }
            };
            let glyph = glyph.unwrap_or_else(|| grid.glyph(dots));
            cell(buffer, plot.x + (i % grid.width) as u16, plot.y + (i / grid.width) as u16, glyph, palette.style(tone));
        }
    }

    /// A sign at the edge for columns that lie wholly beyond it, in the curve's colour.
    fn beyond(
        &self,
        plot: Rect,
        axis: &Axis,
        columns: &[Vec<Option<Column>>],
        across: usize,
        buffer: &mut Buffer,
        palette: Palette,
    ) {
        for (columns, curve) in columns.iter().zip(self.curves) {
            for (x, column) in columns.iter().enumerate() {
                let Some(column) = column else { continue };
                let x = plot.x + (x / across) as u16;
                if axis.place(column.min).is_some_and(|least| least > axis.high) {
                    cell(buffer, x, plot.y, '^', palette.style(curve.tone));
                } else if axis.place(column.max).is_some_and(|greatest| greatest < axis.low) {
                    cell(buffer, x, plot.bottom() - 1, 'v', palette.style(curve.tone));
                }
            }
        }
    }

    fn references(&self, plot: Rect, axis: &Axis, down: usize, buffer: &mut Buffer, palette: Palette) {
        for &(value, tone) in self.references {
            let Some(dot) = axis.dot(value) else { continue };
            for x in (plot.x..plot.right()).step_by(2) {
                cell(buffer, x, plot.y + (dot / down) as u16, '╌', palette.style(tone));
            }
        }
    }

    fn mark(&self, plot: Rect, grid: &Grid, buffer: &mut Buffer, palette: Palette) {
        let mut counts = vec![(0u32, ' '); usize::from(plot.width)];
        for marker in self.markers {
            if let Some(x) = self.column_of(marker.step + 1, plot.width) {
                let count = &mut counts[usize::from(x)];
                *count = (count.0 + 1, marker.kind.letter());
            }
        }
        let mut rule = |x: usize, glyph: char, style: Style| {
            for y in 0..grid.height {
                if grid.cells[y * grid.width + x].is_none() {
                    cell(buffer, plot.x + x as u16, plot.y + y as u16, glyph, style);
                }
            }
        };
        for (x, _) in counts.iter().enumerate().filter(|(_, (count, _))| *count > 0) {
            rule(x, '┊', palette.style(Tone::Dim));
        }
        if let Some(x) = self.cursor.and_then(|step| self.column_of(step + 1, plot.width)) {
            rule(usize::from(x), '│', palette.style(Tone::Accent));
        }
        for (x, &(count, letter)) in counts.iter().enumerate() {
            let letter = match count {
                0 => continue,
                1 => letter,
                n => char::from_digit(n.min(9), 10).unwrap_or('9'),
            };
            cell(buffer, plot.x + x as u16, plot.y, letter, palette.style(Tone::Marker));
        }
    }

    fn labels(&self, area: Rect, plot: Rect, axis: &Axis, buffer: &mut Buffer, palette: Palette) {
        let dim = palette.style(Tone::Dim);
        let rows = plot.height - 1;
        for (row, share) in [(0, 1.0), (rows / 2, 1.0 - f64::from(rows / 2) / f64::from(rows)), (rows, 0.0)] {
            let text = axis.label(share);
            buffer.set_stringn(area.x, plot.y + row, format!("{text:>5}"), 5, dim);
        }
        let y = area.bottom() - 1;
        let (name, per) = match self.unit {
            Unit::Step => (" step", 1),
            Unit::Epoch(per) => ("epoch", per.max(1)),
        };
        buffer.set_stringn(area.x, y, name, 5, dim);
        let parts: u64 = if plot.width >= 40 { 4 } else { 2 };
        for part in 0..=parts {
            let step = self.from + (self.to - self.from) * part / parts;
            let text = short_count(step / per);
            let at = u64::from(plot.width) * part / parts;
            let x = plot.x + (at as u16).min(plot.width.saturating_sub(text.len() as u16));
            buffer.set_stringn(x, y, &text, usize::from(plot.right() - x), dim);
        }
    }
}

fn short_count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1}k", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

fn bands(columns: &[Option<Column>], axis: &Axis, grid: &mut Grid, layer: Layer) {
    for (x, column) in columns.iter().enumerate() {
        let Some(column) = column else { continue };
        // On a log axis a band that reaches zero is drawn down to the bottom as far as it is positive.
        let low = axis.dot(column.min).or_else(|| axis.dot(column.mean));
        if let (Some(low), Some(high)) = (low, axis.dot(column.max)) {
            grid.fill(x, low, high, layer);
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
    use crate::run::state::MarkerKind;

    fn ramp(points: u64, value: impl Fn(u64) -> f64) -> Series {
        let mut series = Series::default();
        for i in 1..=points {
            series.push(i, Summary::one(value(i)));
        }
        series
    }

    fn draw(curves: &[Curve], markers: &[Marker], change: impl Fn(&mut SeriesChart)) -> Vec<String> {
        let area = Rect::new(0, 0, 26, 7);
        let mut buffer = Buffer::empty(area);
        let mut chart = SeriesChart {
            curves,
            from: 0,
            to: 40,
            scale: Scale::Linear,
            bounds: Bounds::Nice,
            smoothing: 0.0,
            markers,
            references: &[],
            cursor: None,
            unit: Unit::Step,
        };
        change(&mut chart);
        chart.render(area, &mut buffer, Palette::Mono, Glyphs::Ascii);
        (0..area.height).map(|y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn what_is_not_a_number_is_a_gap_and_a_mark() {
        let series = ramp(20, |i| if i == 11 { f64::NAN } else { 1.0 });
        let rows = draw(&[Curve { series: &series, factor: 1.0, offset: 0.0, tone: Tone::First }], &[], |_| ());
        assert_eq!(&rows[5][6..], "     !              ");
        assert!(rows[0].starts_with(" 1.00 oooo"), "{rows:#?}");
    }

    #[test]
    fn markers_stand_over_the_step_they_name_and_spare_the_curve() {
        let series = ramp(40, |_| 2.0);
        let at = |step| Marker { step, at_ms: 0, kind: MarkerKind::Saved, text: String::new(), note: None, by_person: true };
        let curve = [Curve { series: &series, factor: 0.5, offset: 0.0, tone: Tone::First }];
        let rows = draw(&curve, &[at(10), at(20), at(21)], |c| c.bounds = Bounds::AtLeast(0.0, 2.0));
        assert_eq!(&rows[0][6..], "     S    2         ");
        assert!(rows[3].contains("oooooooooooooooooooo") || rows[2].contains("oooooooooooooooooooo"), "{rows:#?}");
    }

    #[test]
    fn a_log_axis_spans_whole_decades() {
        let series = ramp(40, |i| 10f64.powf(-(i as f64) / 10.0));
        let rows = draw(&[Curve { series: &series, factor: 1.0, offset: 0.0, tone: Tone::First }], &[], |c| c.scale = Scale::Log);
        assert!(rows[0].trim_start().starts_with("1.00"), "{rows:#?}");
        assert!(rows[5].trim_start().starts_with("1e-4"), "{rows:#?}");
    }

    #[test]
    fn a_beginning_far_away_does_not_flatten_the_rest() {
        let series = ramp(400, |i| if i <= 20 { 50.0 } else { 0.5 });
        let curve = [Curve { series: &series, factor: 1.0, offset: 0.25, tone: Tone::First }];
        let rows = draw(&curve, &[], |c| (c.bounds, c.to) = (Bounds::Robust, 400));
        assert!(rows[0].starts_with(" 0.80 ^"), "{rows:#?}");
    }

    #[test]
    fn round_numbers_hold_still_while_a_curve_moves() {
        let bounds: Vec<f64> = (0..100).map(|i| nice_above(2.05 + f64::from(i) * 0.009)).collect();
        assert!(bounds.iter().all(|b| *b == 3.0));
        assert_eq!([nice_above(1.0), nice_above(0.2), nice_above(97.0)], [1.0, 0.2, 100.0]);
    }

    #[test]
    fn labels_fit_their_gutter() {
        for value in [0.0, 1e-5, -1e-5, 0.0123, -0.0123, 0.5, -0.99, 9.999, 12.3, 99.99, 100.0, 12_345.0, 1e7] {
            assert!(number(value).len() <= 5, "{}", number(value));
        }
    }
}
