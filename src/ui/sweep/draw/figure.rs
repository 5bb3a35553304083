//! The sweep's picture, growing as numbers arrive: which of them it is, its frame, and what stands there before the first number.

mod grid;
mod lambda;
mod scatter;
mod time;

use super::Sheet;
use crate::run::listing::harmless;
use crate::sweep::Figure;
use crate::ui::brush::{Focused, lines_at, wrap};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

pub(super) fn draw(sheet: &Sheet, area: Rect, buffer: &mut Buffer) {
    if area.width < 20 || area.height < 4 {
        return;
    }
    match sheet.board.figure {
        Figure::Lambda => lambda::draw(sheet, area, buffer),
        Figure::Grid => grid::draw(sheet, area, buffer),
        Figure::Time => time::draw(sheet, area, buffer),
        Figure::Budget => scatter::draw(sheet, "At equal training time:", area, buffer),
        Figure::Table => scatter::draw(sheet, "Natural against adversarial %:", area, buffer),
    }
}

/// `autoattack on 1000 images`, in ever fewer letters.
fn measured(sheet: &Sheet, before: &str) -> Vec<String> {
    let Some(measure) = &sheet.measure else { return vec![before.to_string()] };
    let (attack, images) = (harmless(&measure.attack), measure.images);
    vec![
        format!("{before}, {attack} on {images} images"),
        format!("{before}, {attack} n={images}"),
        format!("{attack} n={images}"),
        attack,
    ]
}

/// What is missing, where a picture would be.
fn missing(sheet: &Sheet, inner: Rect, text: &str, buffer: &mut Buffer) {
    let text = sheet.brush.glyphs.words(harmless(text)).into_owned();
    let wrapped = wrap(&text, usize::from(inner.width).max(1));
    let lines: Vec<_> = wrapped.into_iter().map(|text| Line::from(sheet.brush.span(Tone::Text, text))).collect();
    lines_at(inner, &lines, buffer);
}

const NO_NUMBER: &str = "No number yet: the first comes when a run has been trained and evaluated. What stands in the table meanwhile is \
                         its newest probe.";

fn framed(sheet: &Sheet, area: Rect, name: &str, texts: &[String], buffer: &mut Buffer) -> Rect {
    sheet.framed(area, name, texts, Focused::No, buffer)
}

/// As many parts as fit beside each other.
fn legend(sheet: &Sheet, parts: Vec<(Tone, String)>, width: usize) -> Line<'static> {
    let mut line = Line::default();
    for (tone, text) in parts {
        let span = sheet.brush.span(tone, format!("{text}  "));
        if line.width() + span.width() <= width + 2 {
            line.push_span(span);
        }
    }
    line
}

/// The first of `count` things of which `room` are shown, so that the one `at` is among them.
fn first(at: usize, room: usize, count: usize) -> usize {
    (at + 1).saturating_sub(room).max(at.saturating_sub(room / 2)).min(count.saturating_sub(room))
}
