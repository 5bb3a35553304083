//! The line that begins with a colon, over the hints, and above it what could stand there, what it would do, or why it did not.

use super::{Pen, line_at};
use crate::ui::brush::wrap;
use crate::ui::command_line::parse::{Spoken, find, parse};
use crate::ui::command_line::{CommandLine, Known};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

pub(super) fn draw(pen: &Pen, command: &CommandLine, area: Rect, buffer: &mut Buffer) {
    let themes: Vec<&str> = pen.screen.themes.names().collect();
    let known = Known { state: pen.state, themes: &themes };
    let bottom = Rect { y: area.bottom().saturating_sub(1), height: 1.min(area.height), ..area };
    Clear.render(bottom, buffer);
    line_at(buffer, bottom.x, bottom.y, bottom.width, &input(pen, command, known, usize::from(area.width)));
    let lines = above(pen, command, known, (usize::from(area.width), usize::from(area.height / 2)));
    let height = (lines.len() as u16).min(bottom.y.saturating_sub(area.y));
    let over = Rect { y: bottom.y - height, height, ..area };
    Clear.render(over, buffer);
    for (line, y) in lines.iter().zip(over.y..over.bottom()) {
        line_at(buffer, over.x, y, over.width, line);
    }
}

/// The text with the cursor in it, scrolled so that the cursor is seen.
fn input(pen: &Pen, command: &CommandLine, known: Known, width: usize) -> Line<'static> {
    let (before, after) = command.halves();
    let ghost = command.ghost(known);
    // The colon, the cursor, and a little of what follows.
    let room = width.saturating_sub(4).max(1);
    let letters = before.chars().count();
    let shown: String = before.chars().skip(letters.saturating_sub(room)).collect();
    let mut line = Line::from(vec![
        pen.span(Tone::Accent, if letters > room { "…" } else { ":" }),
        Span::styled(shown, pen.style(Tone::Text)),
    ]);
    let (rest, tone) = if after.is_empty() { (ghost.as_str(), Tone::Dim) } else { (after, Tone::Text) };
    let mut rest = rest.chars();
    let under = rest.next().unwrap_or(' ');
    line.push_span(Span::styled(under.to_string(), pen.style(Tone::Selected)));
    line.push_span(Span::styled(rest.collect::<String>(), pen.style(tone)));
    line
}

/// A fault, and what a change would do, have all the lines they need, up to `most`; anything else is one.
fn above(pen: &Pen, command: &CommandLine, known: Known, (width, most): (usize, usize)) -> Vec<Line<'static>> {
    if let Some(fault) = &command.fault {
        let wrapped = wrap(&format!("! {fault}"), width.saturating_sub(2).max(1));
        return wrapped.into_iter().take(most).map(|text| Line::from(pen.span(Tone::Error, format!(" {text}")))).collect();
    }
    let spoken = parse(command.text(), known);
    let completion = command.completion(known);
    if let (Ok(spoken @ Spoken::Set { .. }), true) = (&spoken, command.chosen().is_none()) {
        let wrapped = wrap(&would(pen, spoken), width.saturating_sub(2).max(1));
        return wrapped.into_iter().take(most).map(|text| Line::from(pen.span(Tone::Ok, format!(" {text}")))).collect();
    }
    if completion.words.is_empty() {
        let name = command.text().split_whitespace().next().unwrap_or_default();
        return match (spoken, find(name)) {
            // Half a value is no fault yet: how it is written helps more.
            (_, Some(word)) => vec![Line::from(pen.span(Tone::Dim, format!(" {}   {}", word.usage, word.says)))],
            (Err(fault), None) => vec![Line::from(pen.span(Tone::Error, format!(" ! {fault}")))],
            (Ok(_), None) => Vec::new(),
        };
    }
    vec![candidates(pen, &completion.words, command.chosen(), width)]
}

/// Those around the chosen one, as many as there is room for.
fn candidates(pen: &Pen, words: &[String], chosen: Option<usize>, width: usize) -> Line<'static> {
    let mut first = 0;
    let at = chosen.unwrap_or(0);
    let room = width.saturating_sub(3);
    while first < at && words[first..=at].iter().map(|word| word.chars().count() + 2).sum::<usize>() > room {
        first += 1;
    }
    let mut line = Line::from(pen.span(Tone::Dim, if first > 0 { "… " } else { " " }));
    for (i, word) in words.iter().enumerate().skip(first) {
        if line.width() + word.chars().count() + 4 > width {
            line.push_span(pen.span(Tone::Dim, "…"));
            break;
        }
        let (tone, sign) = if chosen == Some(i) { (Tone::Selected, "▸") } else { (Tone::Text, " ") };
        line.push_span(pen.span(tone, format!("{sign}{word}")));
        line.push_span(pen.span(Tone::Text, " "));
    }
    line
}

/// What Enter does.
fn would(pen: &Pen, spoken: &Spoken) -> String {
    let (Spoken::Set { dial, to, when, note }, Some(controls)) = (spoken, pen.state.controls) else { return String::new() };
    let when = when.map_or_else(|| "at the next step".to_string(), |when| when.words(pen.state));
    let note = note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
    format!("Enter: {} {} → {} {when}{note}", dial.name(), dial.show(controls.value(*dial)), dial.show(*to))
}
