//! What was changed and what is still to come, as a list to choose from; and the question before something scheduled is given up.

use super::Pen;
use super::dialogs::{choices, window};
use crate::protocol::{Dial, Step, Timed};
use crate::ui::intent::{Past, past};
use crate::ui::screen::UNSCHEDULE;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

pub(super) fn draw(pen: &Pen, row: usize, area: Rect, buffer: &mut Buffer) {
    let rows = past(pen.state);
    let row = row.min(rows.len().saturating_sub(1));
    let width = 78.min(area.width);
    // The border, the foot and the line above it.
    let room = usize::from(area.height.saturating_sub(6)).max(1);
    let first = (row + 1).saturating_sub(room);
    let mut lines: Vec<Line> = rows
        .iter()
        .enumerate()
        .skip(first)
        .take(room)
        .map(|(i, past)| {
            let sign = if i == row { "▸" } else { " " };
            let (tone, text) = match past {
                Past::Coming(timed) => (Tone::Dim, coming(pen, timed)),
                Past::Done(turn) => {
                    let (old, new) = (turn.dial.show(turn.old), turn.dial.show(turn.new));
                    let note = turn.note.as_ref().map_or_else(String::new, |note| format!("  {note}"));
                    let (over, who) = (turn.duration(), turn.who());
                    let place = place(pen, turn.step);
                    (Tone::Text, format!("{place:<20} {:<4}{old} → {new}{over}  {who}{note}", turn.dial.symbol()))
                }
            };
            let tone = if i == row { Tone::Selected } else { tone };
            Line::from(vec![pen.span(Tone::Text, format!("{sign} ")), pen.span(tone, text)])
        })
        .collect();
    if rows.is_empty() {
        lines.push(Line::from(pen.span(Tone::Dim, "nothing was changed yet, and nothing is scheduled")));
    }
    lines.push(Line::default());
    let foot = match rows.get(row) {
        Some(Past::Coming(_)) => "x give it up   j k choose   Esc close",
        Some(Past::Done(_)) => "Enter propose the old value again   j k choose   Esc close",
        None => "Esc close",
    };
    let more = if rows.len() > room { format!("   {} of {}", row + 1, rows.len()) } else { String::new() };
    lines.push(Line::from(pen.span(Tone::Dim, format!("{foot}{more}"))));
    window(pen, area, "What was changed", width, &lines, buffer);
}

fn place(pen: &Pen, step: Step) -> String {
    let per = pen.state.started.as_ref().map_or(1, |s| s.plan.steps_per_epoch.max(1));
    format!("step {step}, ep {:.1}", step as f64 / per as f64)
}

fn coming(pen: &Pen, timed: &Timed) -> String {
    let note = timed.note.as_ref().map_or_else(String::new, |note| format!("  {note}"));
    let over = if timed.over > 0 { format!(" over {} steps", timed.over) } else { String::new() };
    let place = place(pen, timed.at);
    let state = if timed.at <= pen.state.step { "under way" } else { "to come" };
    format!("{place:<20} {:<4}→ {}{over}  {state}{note}", timed.dial.symbol(), timed.dial.show(timed.to))
}

pub(super) fn unschedule(pen: &Pen, dial: Dial, choice: usize, area: Rect, buffer: &mut Buffer) {
    let all: Vec<_> = pen.state.scheduled.iter().filter(|timed| timed.dial == dial).collect();
    let text = match all.as_slice() {
        [one] => one.words().replace("->", "→"),
        several => format!("{} changes of {} are to come.", several.len(), dial.name()),
    };
    choices(pen, "Give up what is scheduled?", &text, &UNSCHEDULE, choice, area, buffer);
}
