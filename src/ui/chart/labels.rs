//! Numbers beside the axes of a chart: round values on the y axis, as many as there is room for, and places along the x axis.

use super::axis::{Axis, short_count, short_time};
use super::{SeriesChart, Unit};
use crate::ui::theme::{Palette, Tone};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rows of a plot to a label of the y axis.
const ROWS: u16 = 4;

impl SeriesChart<'_> {
    pub(super) fn labels(&self, area: Rect, plot: Rect, axis: &Axis, buffer: &mut Buffer, palette: Palette) {
        let dim = palette.style(Tone::Dim);
        for (row, text) in rows(plot.height, axis) {
            buffer.set_stringn(area.x, plot.y + row, format!("{text:>5}"), 5, dim);
        }
        let y = area.bottom() - 1;
        let name = match self.unit {
            Unit::Step => " step",
            Unit::Epoch(_) => "epoch",
            Unit::Time => " time",
        };
        buffer.set_stringn(area.x, y, name, 5, dim);
        let parts: u64 = match plot.width {
            100.. => 8,
            40.. => 4,
            20.. => 2,
            _ => 1,
        };
        for part in 0..=parts {
            let place = self.from + (self.to - self.from) * part / parts;
            let text = match self.unit {
                Unit::Step => short_count(place),
                // Where whole epochs would be the same one twice.
                Unit::Epoch(per) if (self.to - self.from) < 2 * parts * per.max(1) && !place.is_multiple_of(per.max(1)) => {
                    format!("{:.1}", place as f64 / per.max(1) as f64)
                }
                Unit::Epoch(per) => short_count(place / per.max(1)),
                Unit::Time => short_time(place),
            };
            let at = u64::from(plot.width) * part / parts;
            let x = plot.x + (at as u16).min(plot.width.saturating_sub(text.len() as u16));
            buffer.set_stringn(x, y, &text, usize::from(plot.right() - x), dim);
        }
    }
}

/// Labels of the y axis with the rows that they stand in, top to bottom: both ends and, between them, round values that are not
/// next to an end.
fn rows(height: u16, axis: &Axis) -> Vec<(u16, String)> {
    let last = height - 1;
    let mut found = vec![(0, axis.label(1.0))];
    for share in axis.ticks(usize::from(last / ROWS).max(2)) {
        let row = ((1.0 - share) * f64::from(last)).round() as u16;
        let above = found.last().map_or(0, |(row, _)| *row);
        if row >= above + 2 && row + 2 <= last {
            found.push((row, axis.label(share)));
        }
    }
    found.push((last, axis.label(0.0)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::chart::Scale;

    fn texts(height: u16, low: f64, high: f64, scale: Scale) -> Vec<(u16, String)> {
        rows(height, &Axis { low, high, scale, rows: usize::from(height) })
    }

    #[test]
    fn labels_between_the_ends_are_round_values() {
        let linear =
            |height, low, high| texts(height, low, high, Scale::Linear).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(linear(6, 0.0, 2.0), ["2.00", "1.00", "0.00"]);
        assert_eq!(linear(25, 0.0, 2.0), ["2.00", "1.50", "1.00", "0.50", "0.00"]);
        assert_eq!(linear(26, 0.0, 0.6), ["0.60", "0.50", "0.40", "0.30", "0.20", "0.10", "0.00"]);
        assert_eq!(linear(13, -1.0, 1.0), ["1.00", "0.00", "-1.00"]);
        assert_eq!(linear(3, 0.0, 1.0), ["1.00", "0.00"]);
        let log = texts(13, -4.0, 0.0, Scale::Log);
        assert_eq!(log.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["1.00", ".010", "1e-4"]);
    }

    #[test]
    fn labels_never_touch_each_other_at_any_size() {
        for height in 2..70 {
            for high in [0.05, 0.1, 0.15, 0.3, 1.0, 1.5, 2.0, 3.0, 40.0, 60.0, 100.0, 8_000.0] {
                for low in [0.0, -0.8, -high] {
                    let found = texts(height, low, high, Scale::Linear);
                    assert!(found.windows(2).all(|pair| pair[1].0 > pair[0].0), "{height} {low} {high}: {found:?}");
                    assert!(found.len() <= usize::from(height), "{found:?}");
                }
            }
        }
    }
}
