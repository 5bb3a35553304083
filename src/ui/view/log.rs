//! The log: its newest lines, or wherever it was scrolled to.

use super::{Pen, lines_at};
use crate::run::state::{Level, LogLine};
use crate::ui::layout::Pane;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

pub(super) fn boxed(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let name = if pen.screen.scrolled > 0 { format!("Log  {} lines back", pen.screen.scrolled) } else { "Log".to_string() };
    let inner = pen.frame(area, pen.title(Pane::Log, &name), pen.focused(Pane::Log), buffer);
    lines(pen, inner, buffer);
}

pub(super) fn lines(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let end = pen.state.log.len().saturating_sub(pen.screen.scrolled);
    let start = end.saturating_sub(usize::from(area.height));
    let lines: Vec<_> = pen.state.log.range(start..end).map(|line| one(pen, line)).collect();
    lines_at(area, &lines, buffer);
}

fn one(pen: &Pen, line: &LogLine) -> Line<'static> {
    let (word, tone) = match line.level {
        Level::Info => (" INFO ", Tone::Dim),
        Level::Warn => (" WARN ", Tone::Warn),
        Level::Error => (" FAIL ", Tone::Error),
    };
    // What libraries say may hold tabs and escapes; a terminal must not act on them.
    let text: String = line.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Line::from(vec![pen.span(tone, word), pen.span(Tone::Text, text)])
}
