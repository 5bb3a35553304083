//! Accuracy against epsilon: a few points joined, from 0 to 100 %, over fixed radii.
//!
//! Beside [`super::chart`] and not in it: that one is about steps, of which there may be a million; here the points are few and stand where
//! they were measured. It knows nothing of reports and holds no state.

use super::chart::{GUTTER, Grid, Layer, cell, in_letters};
use super::glyphs::Glyphs;
use super::theme::{Palette, Tone};
use crate::config::Eps;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Radius and accuracy in percent.
pub type Point = (f64, f64);

pub struct RadiiChart<'a> {
    pub points: &'a [Point],
    /// Dim behind it, without their points.
    pub behind: &'a [Vec<Point>],
    /// Of training: gets a mark, stands in the middle, and says how radii are written.
    pub eps: Eps,
    /// The largest radius.
    pub to: f64,
}

impl RadiiChart<'_> {
    /// Draws into `area`, which is inside any border; nothing where there is no room or no radius above 0.
    pub fn render(&self, area: Rect, buffer: &mut Buffer, palette: Palette, glyphs: Glyphs) {
        let area = area.intersection(buffer.area);
        if area.width < GUTTER + 4 || area.height < 3 || !(self.to.is_finite() && self.to > 0.0) {
            return;
        }
        let plot = Rect { x: area.x + GUTTER, width: area.width - GUTTER, height: area.height - 1, ..area };
        let letters = in_letters(palette, glyphs);
        let mut grid = Grid::new(plot, palette, glyphs);
        for points in self.behind {
            self.join(points, &mut grid, Layer::Band(0));
        }
        self.join(self.points, &mut grid, Layer::Line(0));
        for (i, owned) in grid.cells.iter().enumerate() {
            let Some((layer, dots)) = *owned else { continue };
            let (letter, tone) = match layer {
                Layer::Band(_) => ('.', Tone::Dim),
                Layer::Line(_) => ('o', Tone::Second),
            };
            let glyph = if letters { letter } else { grid.glyph(dots) };
            cell(buffer, plot.x + (i % grid.width) as u16, plot.y + (i / grid.width) as u16, glyph, palette.style(tone));
        }
        // Where it was measured, which also tells this curve from those behind it without a colour.
        for &point in self.points {
            if let Some((x, y)) = self.dot(point, &grid) {
                let (x, y) = (plot.x + (x / grid.across) as u16, plot.y + (y / grid.down) as u16);
                cell(buffer, x, y, 'o', palette.style(Tone::Second));
            }
        }
        if let Some((x, _)) = self.dot((self.eps.0, 0.0), &grid) {
            let x = x / grid.across;
            for y in 0..grid.height {
                if grid.cells[y * grid.width + x].is_none() {
                    cell(buffer, plot.x + x as u16, plot.y + y as u16, '┊', palette.style(Tone::Dim));
                }
            }
            cell(buffer, plot.x + x as u16, plot.y, 'ε', palette.style(Tone::Marker));
        }
        self.labels(area, plot, buffer, palette, glyphs);
    }

    /// Column and row among the dots; `None` for what is no number or lies beyond.
    fn dot(&self, (eps, accuracy): Point, grid: &Grid) -> Option<(usize, usize)> {
        let (x, y) = (eps / self.to, accuracy / 100.0);
        let last = |cells: usize, dots: usize| (cells * dots - 1) as f64;
        let inside = (0.0..=1.0 + 1e-9).contains(&x) && y.is_finite();
        inside.then(|| {
            let x = (x.min(1.0) * last(grid.width, grid.across)).round() as usize;
            (x, ((1.0 - y.clamp(0.0, 1.0)) * last(grid.height, grid.down)).round() as usize)
        })
    }

    fn join(&self, points: &[Point], grid: &mut Grid, layer: Layer) {
        let dots: Vec<_> = points.iter().filter_map(|point| self.dot(*point, grid)).collect();
        if let [(x, y)] = dots[..] {
            grid.set(x, y, layer);
        }
        for pair in dots.windows(2) {
            let &[(x0, y0), (x1, y1)] = pair else { continue };
            let steps = x0.abs_diff(x1).max(y0.abs_diff(y1)).max(1);
            let between =
                |a: usize, b: usize, i: usize| (a as f64 + (b as f64 - a as f64) * i as f64 / steps as f64).round() as usize;
            for i in 0..=steps {
                grid.set(between(x0, x1, i), between(y0, y1, i), layer);
            }
        }
    }

    fn labels(&self, area: Rect, plot: Rect, buffer: &mut Buffer, palette: Palette, glyphs: Glyphs) {
        let dim = palette.style(Tone::Dim);
        let rows = plot.height - 1;
        // The middle may lie between two rows: half a row off is less than a reader can tell.
        for (row, accuracy) in [(0, "100"), (rows / 2, "50"), (rows, "0")] {
            buffer.set_stringn(area.x, plot.y + row, format!("{accuracy:>5}"), 5, dim);
        }
        let y = area.bottom() - 1;
        buffer.set_stringn(area.x, y, format!("{:>5}", glyphs.words("ε")), 5, dim);
        let parts: u16 = if plot.width >= 40 { 4 } else { 2 };
        for part in 0..=parts {
            let text = in_form(self.to * f64::from(part) / f64::from(parts), self.eps);
            // Below its place, not after it, except at the ends.
            let width = text.len() as u16;
            let at = (u32::from(plot.width - 1) * u32::from(part) / u32::from(parts)) as u16;
            let x = at.saturating_sub(width / 2).min(plot.width.saturating_sub(width));
            buffer.set_stringn(plot.x + x, y, &text, usize::from(plot.width - x), dim);
        }
    }
}

/// As the run writes its own radius: beside 8/255 stands 12/255, beside 0.1 stands 0.2, which is 51/255 as well.
pub fn in_form(radius: f64, like: Eps) -> String {
    // A level is 255 times as coarse as a whole: as many digits would show the rounding of a float.
    let (factor, end, digits) = if like.to_string().ends_with("/255") { (255.0, "/255", 1e2) } else { (1.0, "", 1e4) };
    let shown = (radius * factor * digits).round() / digits;
    if shown == 0.0 { "0".into() } else { format!("{shown}{end}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(chart: &RadiiChart, width: u16, height: u16, palette: Palette) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        chart.render(area, &mut buffer, palette, Glyphs::Braille);
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn radii_are_written_as_the_run_writes_its_own() {
        assert_eq!(in_form(0.2, Eps(0.1)), "0.2");
        assert_eq!(in_form(12.0 / 255.0, Eps(8.0 / 255.0)), "12/255");
        assert_eq!(in_form(0.5 / 255.0, Eps(1.0 / 255.0)), "0.5/255");
        assert_eq!(in_form(0.0, Eps(8.0 / 255.0)), "0");
    }

    #[test]
    fn points_stand_where_they_were_measured() {
        let points = [(0.0, 100.0), (0.1, 50.0), (0.2, 0.0)];
        let chart = RadiiChart { points: &points, behind: &[], eps: Eps(0.1), to: 0.2 };
        let rows = rows(&chart, 27, 12, Palette::Mono);
        let column = |row: &str, c: char| row.chars().position(|x| x == c);
        assert_eq!((column(&rows[0], 'o'), column(&rows[0], 'ε')), (Some(6), Some(16)), "{rows:#?}");
        assert_eq!(rows[5].chars().nth(16), Some('o'), "{rows:#?}");
        assert!(rows[10].ends_with('o') && rows[10].trim_start().starts_with('0'), "{rows:#?}");
        assert!(rows[11].contains("0.1") && rows[11].ends_with("0.2"), "{rows:#?}");
    }

    #[test]
    fn odd_numbers_and_sizes_are_survived() {
        let points = [(f64::NAN, 1.0), (-1.0, f64::INFINITY), (0.3, 1e300), (1e300, -7.0), (0.1, f64::NAN)];
        for to in [0.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 0.2, 1e308] {
            for (width, height) in [(1, 1), (9, 3), (10, 3), (60, 20)] {
                let chart = RadiiChart { points: &points, behind: &[points.to_vec(), vec![]], eps: Eps(0.1), to };
                for palette in [Palette::Mono, Palette::TrueColour] {
                    rows(&chart, width, height, palette);
                }
            }
        }
    }
}
