//! Natural and adversarial accuracy against lambda: few points on a log axis, lambda 0 in a column of its own left of it.
//!
//! Beside [`super::radii`] and not in it: there the axis is linear and one curve stands out; here seeds spread, and a vertical line says
//! where the run on the screen is. It selects nothing and holds no state.

use super::chart::{GUTTER, Grid, Layer, cell, in_letters};
use super::glyphs::Glyphs;
use super::theme::{Palette, Tone};
use crate::protocol::Dial;
use crate::run::shelf::whatif::{Point, Spread, Steered};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Cells that lambda 0 takes, with the gap beside it.
const ZERO: u16 = 7;

pub struct TradeChart<'a> {
    pub points: &'a [Point],
    pub steered: &'a [Steered],
    /// Lambda of the run on the screen.
    pub present: Option<f64>,
}

/// The two curves: letters, so that they need no colour. Small ones are of runs that were steered.
const CURVES: [(char, char, Tone); 2] = [('N', 'n', Tone::First), ('A', 'a', Tone::Second)];

/// Where lambdas and accuracies stand.
struct Axes {
    plot: Rect,
    zero: bool,
    /// Logarithms at the first and the last column of the axis.
    from: f64,
    to: f64,
    /// Percent at the bottom and the top.
    low: f64,
    high: f64,
}

impl TradeChart<'_> {
    /// Draws into `area`, which is inside any border; nothing where there is no room or no number.
    pub fn render(&self, area: Rect, buffer: &mut Buffer, palette: Palette, glyphs: Glyphs) {
        let area = area.intersection(buffer.area);
        if area.width < GUTTER + ZERO + 8 || area.height < 4 {
            return;
        }
        let plot = Rect { x: area.x + GUTTER, width: area.width - GUTTER, height: area.height - 1, ..area };
        let Some(axes) = self.axes(plot) else { return };
        let letters = in_letters(palette, glyphs);
        let spreads = |point: &Point| [point.natural, point.adversarial];
        let mut grid = Grid::new(plot, palette, glyphs);
        for curve in 0..CURVES.len() {
            let joined = self.points.iter().filter(|p| p.lambda > 0.0);
            let dots: Vec<_> = joined.filter_map(|p| axes.dot(p.lambda, spreads(p)[curve].mean, &grid)).collect();
            for pair in dots.windows(2) {
                let &[(x0, y0), (x1, y1)] = pair else { continue };
                let steps = x0.abs_diff(x1).max(y0.abs_diff(y1)).max(1);
                let between =
                    |a: usize, b: usize, i: usize| (a as f64 + (b as f64 - a as f64) * i as f64 / steps as f64).round() as usize;
                for i in 0..=steps {
                    grid.set(between(x0, x1, i), between(y0, y1, i), Layer::Line(curve));
                }
            }
        }
        if let Some((x, _)) = self.present.and_then(|lambda| axes.cell(lambda, axes.high)) {
            for y in plot.y..plot.bottom() {
                cell(buffer, x, y, '┊', palette.style(Tone::Accent));
            }
        }
        for (i, owned) in grid.cells.iter().enumerate() {
            let Some((Layer::Line(curve), dots)) = *owned else { continue };
            let glyph = if letters { '.' } else { grid.glyph(dots) };
            let tone = CURVES.get(curve).map_or(Tone::Text, |(.., tone)| *tone);
            cell(buffer, plot.x + (i % grid.width) as u16, plot.y + (i / grid.width) as u16, glyph, palette.style(tone));
        }
        for point in self.points {
            for (Spread { least, greatest, .. }, (.., tone)) in spreads(point).into_iter().zip(CURVES) {
                let ends = axes.cell(point.lambda, greatest).zip(axes.cell(point.lambda, least));
                let Some(((x, top), (_, bottom))) = ends.filter(|_| point.runs > 1) else { continue };
                for y in top..=bottom {
                    cell(buffer, x, y, '│', palette.style(tone));
                }
            }
        }
        for point in self.points {
            for (spread, (large, _, tone)) in spreads(point).into_iter().zip(CURVES) {
                if let Some((x, y)) = axes.cell(point.lambda, spread.mean) {
                    cell(buffer, x, y, large, palette.style(tone));
                }
            }
        }
        for run in self.steered {
            for (share, (large, small, tone)) in [run.natural, run.adversarial].into_iter().zip(CURVES) {
                let Some((x, y)) = axes.cell(run.lambda, share) else { continue };
                // Beside a mean and not over it: one cell off is less than a reader can tell.
                let taken = buffer.cell((x, y)).is_some_and(|there| there.symbol() == large.to_string());
                let x = if taken && x + 1 < plot.right() { x + 1 } else { x };
                cell(buffer, x, y, small, palette.style(tone));
            }
        }
        if let Some((x, _)) = self.present.and_then(|lambda| axes.cell(lambda, axes.high)) {
            cell(buffer, x, plot.y, 'λ', palette.style(Tone::Marker));
        }
        self.labels(area, &axes, buffer, palette, glyphs);
    }

    /// Tens of percent around all numbers, and as much of the axis as there are lambdas.
    fn axes(&self, plot: Rect) -> Option<Axes> {
        let mut lambdas: Vec<f64> = self.points.iter().map(|p| p.lambda).collect();
        lambdas.extend(self.steered.iter().map(|s| s.lambda));
        lambdas.extend(self.present);
        lambdas.retain(|lambda| lambda.is_finite() && *lambda >= 0.0);
        let zero = lambdas.contains(&0.0);
        let logs = || lambdas.iter().filter(|lambda| **lambda > 0.0).map(|lambda| lambda.log10());
        let (mut from, mut to) = (logs().fold(f64::INFINITY, f64::min), logs().fold(f64::NEG_INFINITY, f64::max));
        if from > to {
            (from, to) = (-3.0, 0.0);
        }
        // Room for the outermost labels, and for one lambda alone.
        let margin = ((to - from) * 0.06).max(if to > from { 0.02 } else { 0.5 });
        let mut shares: Vec<f64> = self.steered.iter().flat_map(|s| [s.natural, s.adversarial]).collect();
        let ends = |s: Spread| [s.least, s.greatest];
        shares.extend(self.points.iter().flat_map(|p| ends(p.natural).into_iter().chain(ends(p.adversarial))));
        shares.retain(|share| share.is_finite());
        let least = shares.iter().copied().fold(f64::INFINITY, f64::min).clamp(0.0, 1.0);
        let greatest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max).clamp(0.0, 1.0);
        if shares.is_empty() {
            return None;
        }
        let low = (least * 10.0 - 1e-9).floor().clamp(0.0, 9.0) * 10.0;
        let high = ((greatest * 10.0 + 1e-9).ceil() * 10.0).clamp(low + 10.0, 100.0);
        Some(Axes { plot, zero, from: from - margin, to: to + margin, low, high })
    }

    fn labels(&self, area: Rect, axes: &Axes, buffer: &mut Buffer, palette: Palette, glyphs: Glyphs) {
        let dim = palette.style(Tone::Dim);
        let rows = axes.plot.height - 1;
        let middle = f64::midpoint(axes.low, axes.high);
        for (row, percent) in [(0, axes.high), (rows / 2, middle), (rows, axes.low)] {
            buffer.set_stringn(area.x, area.y + row, format!("{percent:>5}"), 5, dim);
        }
        let y = area.bottom() - 1;
        buffer.set_stringn(area.x, y, format!("{:>5}", glyphs.words("λ")), usize::from(GUTTER), dim);
        // The run on the screen first: its value is in the legend only where the width allows.
        let mut taken: Vec<(u16, u16)> = Vec::new();
        let lambdas = self.present.into_iter().chain(self.points.iter().map(|p| p.lambda));
        for lambda in lambdas {
            let Some((at, _)) = axes.cell(lambda, axes.low / 100.0) else { continue };
            let text = Dial::Lambda.show(lambda);
            let width = text.chars().count() as u16;
            if width > axes.plot.width {
                continue;
            }
            let x = at.saturating_sub(width / 2).clamp(axes.plot.x, axes.plot.right() - width);
            if taken.iter().all(|&(from, to)| x > to || x + width < from) {
                buffer.set_stringn(x, y, &text, usize::from(width), dim);
                taken.push((x, x + width));
            }
        }
    }
}

impl Axes {
    /// Column within the plot as a share of a dot's place, 0 at the left edge of the first cell.
    fn across(&self, lambda: f64, dots: usize) -> Option<usize> {
        if lambda == 0.0 {
            return self.zero.then_some(dots * usize::from(ZERO) / 2 / usize::from(self.plot.width.max(1)));
        }
        let taken = if self.zero { ZERO } else { 0 };
        let first = dots * usize::from(taken) / usize::from(self.plot.width.max(1));
        let share = (lambda.log10() - self.from) / (self.to - self.from);
        if !(0.0..=1.0).contains(&share) {
            return None;
        }
        Some((first + (share * (dots - 1 - first) as f64).round() as usize).min(dots - 1))
    }

    fn down(&self, share: f64, dots: usize) -> Option<usize> {
        let place = (self.high - 100.0 * share) / (self.high - self.low);
        place.is_finite().then(|| (place.clamp(0.0, 1.0) * (dots - 1) as f64).round() as usize)
    }

    fn dot(&self, lambda: f64, share: f64, grid: &Grid) -> Option<(usize, usize)> {
        Some((self.across(lambda, grid.width * grid.across)?, self.down(share, grid.height * grid.down)?))
    }

    fn cell(&self, lambda: f64, share: f64) -> Option<(u16, u16)> {
        let (x, y) = (self.across(lambda, usize::from(self.plot.width))?, self.down(share, usize::from(self.plot.height))?);
        Some((self.plot.x + x as u16, self.plot.y + y as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(chart: &TradeChart, width: u16, height: u16, palette: Palette) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        chart.render(area, &mut buffer, palette, Glyphs::Braille);
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    fn point(lambda: f64, natural: f64, adversarial: f64) -> Point {
        let spread = |mean| Spread { least: mean - 0.02, mean, greatest: mean + 0.02 };
        Point { lambda, runs: 2, natural: spread(natural), adversarial: spread(adversarial) }
    }

    #[test]
    fn lambda_zero_stands_apart_and_decades_are_equally_far() {
        let points = [point(0.0, 0.5, 0.4), point(0.001, 0.6, 0.4), point(0.01, 0.7, 0.3), point(0.1, 0.8, 0.1)];
        let chart = TradeChart { points: &points, steered: &[], present: Some(0.01) };
        let rows = rows(&chart, 60, 15, Palette::Mono);
        let column = |c: char| -> Vec<usize> {
            let mut at: Vec<_> = rows.iter().filter_map(|row| row.chars().position(|x| x == c)).collect();
            at.sort_unstable();
            at
        };
        let naturals: Vec<usize> = column('N');
        assert_eq!(naturals.len(), 4, "{rows:#?}");
        assert!(naturals[0] < 13, "{rows:#?}");
        assert!((naturals[3] + naturals[1]).abs_diff(2 * naturals[2]) <= 1, "{rows:#?}");
        // The vertical line stands at the run's own lambda, where its sign has the top.
        assert_eq!(rows[0].chars().position(|c| c == 'λ'), Some(naturals[2]), "{rows:#?}");
        assert!(rows[14].contains('0') && rows[14].contains("0.001") && rows[14].contains("0.1"), "{rows:#?}");
    }

    #[test]
    fn odd_numbers_and_sizes_are_survived() {
        let points =
            [point(f64::NAN, 0.1, 0.2), point(-1.0, 0.5, f64::NAN), point(1e-300, 2.0, -3.0), point(1e300, f64::INFINITY, 0.0)];
        let steered = [Steered { lambda: f64::INFINITY, natural: 0.5, adversarial: f64::NAN }];
        for present in [None, Some(0.0), Some(f64::NAN), Some(1e308)] {
            for (width, height) in [(1, 1), (20, 3), (21, 4), (60, 20)] {
                for (points, steered) in [(&points[..], &steered[..]), (&points[1..2], &[]), (&[], &steered), (&[], &[])] {
                    for palette in [Palette::Mono, Palette::TrueColour] {
                        rows(&TradeChart { points, steered, present }, width, height, palette);
                    }
                }
            }
        }
    }
}
