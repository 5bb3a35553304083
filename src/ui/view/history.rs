//! What was changed and what is still to come, as a list to choose from; and the question before something scheduled is given up.

use super::Pen;
use super::dialogs::{choices, list};
use crate::protocol::{Dial, Step, Timed};
use crate::ui::intent::{Past, past, steers};
use crate::ui::screen::UNSCHEDULE;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

pub(super) fn draw(pen: &Pen, row: usize, area: Rect, buffer: &mut Buffer) {
    let all = past(pen.state);
    let row = row.min(all.len().saturating_sub(1));
    let steers = steers(pen.screen, pen.state).is_ok();
    let lines: Vec<Line> = all
        .iter()
        .enumerate()
        .map(|(i, past)| {
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
            Line::from(pen.span(if i == row { Tone::Selected } else { tone }, text))
        })
        .collect();
    let nothing = "nothing was changed yet, and nothing is scheduled";
    let head = all.is_empty().then(|| Line::from(pen.span(Tone::Dim, nothing)));
    let foot = match all.get(row) {
        Some(Past::Coming(_)) if steers => "x give it up   j k choose   Esc close",
        Some(Past::Done(_)) if steers => "Enter propose the old value again   j k choose   Esc close",
        Some(_) => "j k choose   Esc close",
        None => "Esc close",
    };
    list(pen, area, "What was changed", (head, &lines), row, foot, buffer);
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
