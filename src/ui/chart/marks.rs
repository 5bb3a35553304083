//! Signs on a chart beside its curves: dotted references, letters of other runs, signs for values beyond the axis, markers of
//! what happened at a step, and the crosshair.

use super::axis::{Axis, number};
use super::columns::Column;
use super::{Grid, Layer, Place, SeriesChart, cell};
use crate::ui::theme::{Palette, Tone};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// Cells between two letters along the curve of another run.
const LETTER_EVERY: usize = 16;
/// Most letters beside the pointer of a marker.
const MARKER_LETTERS: usize = 3;
/// Points at the column of a marker: with it the letter beside it is not taken for a label of the axis.
const POINTER: char = '▾';

/// Columns of a plot whose values lie wholly beyond the axis, and the farthest of these values.
#[derive(Default)]
pub(super) struct Clipped {
    above: Option<(u16, f64)>,
    below: Option<(u16, f64)>,
}

impl Clipped {
    /// Says beside the first signs at an edge how far the values go. Nothing is said where there is no room.
    pub(super) fn explain(&self, plot: Rect, buffer: &mut Buffer, palette: Palette) {
        let ends = [(self.above, plot.y, '^', "up to"), (self.below, plot.bottom() - 1, 'v', "down to")];
        for (end, y, sign, words) in ends {
            let Some((first, value)) = end else { continue };
            let is = |x: u16, glyph: &str| buffer.cell((x, y)).is_some_and(|cell| cell.symbol() == glyph);
            let sign = sign.to_string();
            // Past the signs and the piece of a curve that comes down from them.
            let from = (first..plot.right()).find(|&x| !is(x, &sign)).unwrap_or(plot.right());
            let text = format!("{words} {}", number(value));
            let room = text.width() as u16 + 2;
            let free = |x: u16| x + room <= plot.right() && (x..x + room).all(|x| is(x, " "));
            if let Some(x) = (from..(from + 8).min(plot.right())).find(|&x| free(x)) {
                buffer.set_stringn(x + 1, y, text, usize::from(room), palette.style(Tone::Dim));
            }
        }
    }
}

impl SeriesChart<'_> {
    /// Letters of the curves of other runs: at the newest end and, where dots and not letters draw them, along the way.
    pub(super) fn tags(
        &self,
        plot: Rect,
        grid: &Grid,
        axis: &Axis,
        columns: &[Vec<Option<Column>>],
        letters: bool,
        buffer: &mut Buffer,
    ) {
        for (i, (curve, columns)) in self.curves.iter().zip(columns).enumerate().filter(|(_, (c, _))| c.place == Place::Behind) {
            let mut tag = |x: usize, y: usize| {
                if let Some(cell) = buffer.cell_mut((plot.x + x as u16, plot.y + y as u16)) {
                    cell.set_char(curve.letter);
                }
            };
            // Not all runs at the same columns, or curves that lie on each other would hide their letters.
            let first = (curve.letter as usize * 5) % LETTER_EVERY;
            for x in (first..grid.width).step_by(LETTER_EVERY).filter(|_| !letters) {
                let mine = |y: &usize| grid.cells[y * grid.width + x].is_some_and(|(layer, _)| layer == Layer::Line(i));
                if let Some(y) = (0..grid.height).find(mine) {
                    tag(x, y);
                }
            }
            let end = columns.iter().enumerate().rev().find_map(|(x, column)| Some((x, axis.dot((*column)?.mean)?)));
            if let Some((x, y)) = end {
                tag(x / grid.across, y / grid.down);
            }
        }
    }

    /// A sign at the edge for columns that lie wholly beyond it, in the curve's colour.
    pub(super) fn beyond(
        &self,
        plot: Rect,
        axis: &Axis,
        columns: &[Vec<Option<Column>>],
        across: usize,
        buffer: &mut Buffer,
        palette: Palette,
    ) -> Clipped {
        let mut clipped = Clipped::default();
        for (columns, curve) in columns.iter().zip(self.curves) {
            let style = match curve.place {
                Place::Front => palette.style(curve.tone),
                Place::Behind => palette.faded(curve.tone),
            };
            for (x, column) in columns.iter().enumerate() {
                let Some(column) = column else { continue };
                let x = plot.x + (x / across) as u16;
                if axis.place(column.min).is_some_and(|least| least > axis.high) {
                    cell(buffer, x, plot.y, '^', style);
                    let (first, farthest) = clipped.above.unwrap_or((x, column.max));
                    clipped.above = Some((first.min(x), farthest.max(column.max)));
                } else if axis.place(column.max).is_some_and(|greatest| greatest < axis.low) {
                    cell(buffer, x, plot.bottom() - 1, 'v', style);
                    let (first, farthest) = clipped.below.unwrap_or((x, column.min));
                    clipped.below = Some((first.min(x), farthest.min(column.min)));
                }
            }
        }
        clipped
    }

    pub(super) fn references(&self, plot: Rect, axis: &Axis, down: usize, buffer: &mut Buffer, palette: Palette) {
        for &(value, tone) in self.references {
            let Some(dot) = axis.dot(value) else { continue };
            for x in (plot.x..plot.right()).step_by(2) {
                cell(buffer, x, plot.y + (dot / down) as u16, '╌', palette.style(tone));
            }
        }
    }

    /// Markers, each a pointer over a dotted line with letters beside it, and the line of the crosshair.
    pub(super) fn mark(&self, plot: Rect, grid: &Grid, buffer: &mut Buffer, palette: Palette) {
        let mut marked: BTreeMap<u16, Vec<char>> = BTreeMap::new();
        for marker in self.markers {
            if let Some(x) = self.column_of(marker.step + 1, plot.width) {
                marked.entry(x).or_default().push(marker.kind.letter());
            }
        }
        let mut rule = |x: u16, glyph: char, style: Style| {
            for y in 0..grid.height {
                if grid.cells[y * grid.width + usize::from(x)].is_none() {
                    cell(buffer, plot.x + x, plot.y + y as u16, glyph, style);
                }
            }
        };
        for &x in marked.keys() {
            rule(x, '┊', palette.style(Tone::Dim));
        }
        if let Some(x) = self.cursor.and_then(|step| self.column_of(step + 1, plot.width)) {
            rule(x, '│', palette.style(Tone::Accent));
        }
        let places: Vec<u16> = marked.keys().copied().chain([plot.width]).collect();
        let style = palette.style(Tone::Marker);
        // The first column that nothing stands in yet.
        let mut free = 0;
        for (i, (&x, letters)) in marked.iter().enumerate() {
            let pointed = fitting(letters, usize::from(places[i + 1] - x - 1));
            let (left, right) =
                if pointed.is_empty() && x > free { (fitting(letters, 1), String::new()) } else { (String::new(), pointed) };
            let from = x - left.chars().count() as u16;
            let text: String = left.chars().chain([POINTER]).chain(right.chars()).collect();
            for (at, glyph) in (from..).zip(text.chars()) {
                cell(buffer, plot.x + at, plot.y, glyph, style);
                free = at + 1;
            }
        }
    }
}

/// Each letter once, as many as there is room for; a plus sign in the place of those that there is none for, or for the same again.
fn fitting(letters: &[char], room: usize) -> String {
    let room = room.min(MARKER_LETTERS);
    let mut once: Vec<char> = Vec::new();
    for letter in letters {
        if !once.contains(letter) {
            once.push(*letter);
        }
    }
    let more = once.len() < letters.len() || once.len() > room;
    if !more || room <= 1 {
        return once.into_iter().take(room).collect();
    }
    once.into_iter().take(room - 1).chain(['+']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_several_markers_stand_side_by_side_and_are_never_counted() {
        assert_eq!(fitting(&['λ'], 9), "λ");
        assert_eq!(fitting(&['λ', 'S'], 9), "λS");
        assert_eq!(fitting(&['S', 'S'], 9), "S+");
        assert_eq!(fitting(&['λ', 'ε', 'S', '!'], 9), "λε+");
        assert_eq!(fitting(&['λ', 'S'], 1), "λ");
        assert_eq!(fitting(&['λ', 'S'], 0), "");
    }
}
