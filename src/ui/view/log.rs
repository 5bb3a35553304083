//! The log: its newest lines, or wherever it was scrolled to.

use super::{Pen, lines_at};
use crate::run::state::{Level, LogLine};
use crate::ui::brush::wrap;
use crate::ui::layout::Pane;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

/// Cells of the word before each line.
const INDENT: u16 = 6;

pub(super) fn boxed(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let name = if pen.screen.scrolled > 0 { format!("Log  {} lines back", pen.screen.scrolled) } else { "Log".to_string() };
    let inner = pen.frame(area, pen.title(Pane::Log, &name), pen.focused(Pane::Log), buffer);
    if pen.screen.maximised == Some(Pane::Log) {
        whole(pen, inner, buffer);
    } else {
        lines(pen, inner, buffer);
    }
}

pub(super) fn lines(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let mut lines: Vec<Line> = newest(pen).take(usize::from(area.height)).map(|line| one(pen, line)).collect();
    lines.reverse();
    lines_at(area, &lines, buffer);
}

/// Lines of the log from the one that stands lowest up.
fn newest<'a>(pen: &Pen<'a>) -> impl Iterator<Item = &'a LogLine> {
    pen.state.brief_lines().rev().skip(pen.screen.scrolled).map(|(_, line)| line)
}

/// With the screen to itself nothing is cut: what is longer than a line goes on below.
fn whole(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.width.saturating_sub(INDENT)).max(1);
    // From the newest up, until the pane is full.
    let mut up: Vec<Line> = Vec::with_capacity(usize::from(area.height) + 8);
    for line in newest(pen) {
        if up.len() >= usize::from(area.height) {
            break;
        }
        let (word, tone) = word(line.level);
        let text = pen.screen.glyphs.words(plain(&line.brief())).into_owned();
        let parts = if text.width() > room { wrap(&text, room) } else { vec![text] };
        for (i, part) in parts.into_iter().enumerate().rev() {
            let word = if i == 0 { word } else { "      " };
            up.push(Line::from(vec![pen.span(tone, word), pen.span(Tone::Text, part)]));
        }
    }
    up.truncate(usize::from(area.height));
    up.reverse();
    lines_at(area, &up, buffer);
}

fn one(pen: &Pen, line: &LogLine) -> Line<'static> {
    let (word, tone) = word(line.level);
    Line::from(vec![pen.span(tone, word), pen.span(Tone::Text, plain(&line.brief()))])
}

fn word(level: Level) -> (&'static str, Tone) {
    match level {
        Level::Info => (" INFO ", Tone::Dim),
        Level::Warn => (" WARN ", Tone::Warn),
        Level::Error => (" FAIL ", Tone::Error),
    }
}

/// What libraries say may hold tabs and escapes; a terminal must not act on them.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
