//! What lies over the panes and has the keys: help, quit, the edit line, the news that a run failed.

use super::{Pen, branch, command_line, evaluate, history, status};
use crate::protocol::{Dial, Outcome, Step};
use crate::run::state::Phase;
use crate::ui::brush::folded;
use crate::ui::help::{self, HelpLine};
use crate::ui::screen::{
    DETACH, DETACH_PAUSED, DISCARD, Dialog, Editor, Field, GIVE_UP, SUSPEND, Search, WRITE, only_hosts, ways_out,
};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Width of the window that says why a run failed.
const FAILED: u16 = 74;

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    match &pen.screen.dialog {
        None => {}
        Some(Dialog::Help { search, scroll }) => help(pen, search, *scroll, area, buffer),
        Some(Dialog::Quit { choice }) => {
            let ways = ways_out(pen.screen).map(|way| way.words(pen.screen.trains, &pen.state.phase));
            choices(pen, "Leave?", stands(pen), &ways, *choice, area, buffer);
        }
        Some(Dialog::Discard { choice }) => {
            let saved: Step = pen.state.saved.as_ref().map_or(0, |(_, s)| s.step);
            let text = format!("Steps {saved} to {} would be lost.", pen.state.step);
            choices(pen, "Stop without saving?", &text, &DISCARD, *choice, area, buffer);
        }
        Some(Dialog::Suspend { choice }) => {
            choices(pen, "Suspend?", "Training stops too while suspended.", &SUSPEND, *choice, area, buffer);
        }
        Some(Dialog::Edit(editor)) => edit(pen, editor, area, buffer),
        Some(Dialog::Command(line)) => command_line::draw(pen, line, area, buffer),
        Some(Dialog::History { row }) => history::draw(pen, *row, area, buffer),
        Some(Dialog::Unschedule { dial, choice }) => history::unschedule(pen, *dial, *choice, area, buffer),
        Some(Dialog::Write { choice }) => {
            choices(pen, "Save what the screen shows", "As it is behind this window.", &WRITE, *choice, area, buffer);
        }
        Some(Dialog::Evaluate { row, choice }) => evaluate::draw(pen, *row, *choice, area, buffer),
        Some(Dialog::GiveUp { choice }) => {
            let done = pen.state.examining.as_ref().map_or(0, |p| p.stage);
            let all = pen.state.examining.as_ref().map_or(0, |p| p.stages);
            let text = format!("{done} of {all} stages would be lost.");
            choices(pen, "Give the evaluation up?", &text, &GIVE_UP, *choice, area, buffer);
        }
        Some(Dialog::Failed { scroll }) => failed(pen, *scroll, area, buffer),
        Some(Dialog::Detach { choice }) => {
            let text = if only_hosts(pen.screen, pen.state) {
                "Another screen steers this run."
            } else {
                "rematch attach brings a screen back."
            };
            let all = if pen.state.phase == Phase::Paused { &DETACH_PAUSED } else { &DETACH };
            choices(pen, "Detach?", text, all, *choice, area, buffer);
        }
        Some(Dialog::Checkpoints { row }) => branch::list(pen, *row, area, buffer),
        Some(Dialog::Branch(branching)) => branch::branch(pen, branching, area, buffer),
        Some(Dialog::Forget { step, typed }) => branch::forget(pen, *step, typed, area, buffer),
    }
}

/// What would be left.
fn stands(pen: &Pen) -> &'static str {
    if pen.state.examining.is_some() {
        "An evaluation runs: it would be lost."
    } else if pen.state.phase == Phase::Paused {
        "Training is paused."
    } else {
        "Training is running."
    }
}

pub(super) fn window(pen: &Pen, area: Rect, title: &str, width: u16, lines: &[Line], buffer: &mut Buffer) {
    pen.brush().window(area, title, width, lines, buffer);
}

/// A dialog that lists things, one of them chosen. That one is shown whole, in as many lines as it needs; others may be cut at the edge.
pub(super) fn list(
    pen: &Pen,
    area: Rect,
    title: &str,
    (head, rows): (Option<Line<'static>>, &[Line]),
    chosen: usize,
    foot: &str,
    buffer: &mut Buffer,
) {
    let width = 78.min(area.width);
    let within = usize::from(width.saturating_sub(4)).max(1);
    let more = |text: &str| if text.is_empty() { String::new() } else { format!("   {text}") };
    let foot_of = |count: &str| Line::from(pen.span(Tone::Dim, format!("{foot}{}", more(count))));
    let around = 4 + usize::from(head.is_some());
    let count = format!("{} of {}", chosen + 1, rows.len());
    let foot_lines = folded(&foot_of(&count), within).len();
    let room = usize::from(area.height).saturating_sub(around + foot_lines).max(1);
    let chosen = chosen.min(rows.len().saturating_sub(1));
    let unfolded: Vec<Line> = rows.get(chosen).map(|row| folded(row, within.saturating_sub(2).max(1))).unwrap_or_default();
    let tall = unfolded.len().clamp(1, room);
    let first = (chosen + tall).saturating_sub(room).min(chosen);
    let mut lines: Vec<Line> = head.into_iter().collect();
    let mut shown = 0;
    for (at, row) in rows.iter().enumerate().skip(first) {
        if shown >= room {
            break;
        }
        if at == chosen {
            for (i, part) in unfolded.iter().take(room - shown).enumerate() {
                let sign = if i == 0 { "▸ " } else { "  " };
                let mut line = Line::from(pen.span(Tone::Text, sign));
                line.spans.extend(part.spans.iter().cloned());
                lines.push(line);
                shown += 1;
            }
        } else {
            let mut line = Line::from(pen.span(Tone::Text, "  "));
            line.spans.extend(cut(pen, row, within.saturating_sub(2)).spans);
            lines.push(line);
            shown += 1;
        }
    }
    lines.push(Line::default());
    lines.push(foot_of(if rows.len() > room { &count } else { "" }));
    window(pen, area, title, width, &lines, buffer);
}

/// A line cut at the edge, with a sign that it was.
fn cut(pen: &Pen, line: &Line, width: usize) -> Line<'static> {
    let mut shown = folded(line, width.max(1));
    if shown.len() > 1 {
        shown = folded(line, width.saturating_sub(2).max(1));
        let mut first = shown.swap_remove(0);
        first.push_span(pen.span(Tone::Dim, " …"));
        return first;
    }
    shown.pop().unwrap_or_default()
}

pub(super) fn choices(pen: &Pen, title: &str, text: &str, all: &[&str], choice: usize, area: Rect, buffer: &mut Buffer) {
    pen.brush().choices(title, text, all, choice, area, buffer);
}

fn edit(pen: &Pen, editor: &Editor, area: Rect, buffer: &mut Buffer) {
    let dial = editor.dial;
    let Some(controls) = pen.state.controls else { return };
    let present = dial.show(controls.value(dial));
    let (low, high) = dial.range(controls.norm);
    let field = |name: &str, text: &str, field: Field| {
        let here = editor.field == field;
        let (sign, cursor) = if here { ("▸", "▏") } else { (" ", "") };
        Line::from(vec![
            pen.span(if here { Tone::Title } else { Tone::Dim }, format!("{sign} {name:<6}")),
            // As it was typed: a letter that the terminal lacks becomes one other, not several.
            pen.span(if here { Tone::Title } else { Tone::Text }, format!("{text}{cursor}")),
        ])
    };
    let fault = |message: String| Line::from(pen.span(Tone::Error, format!("! {message}")));
    let value = if editor.text.is_empty() { Ok(None) } else { editor.value(pen.state).map(Some) };
    let said = match (value, editor.when(pen.state)) {
        (Err(message), _) | (Ok(_), Err(message)) => fault(message),
        (Ok(None), Ok(_)) => Line::from(pen.span(Tone::Dim, "forms: 0.05  8/255  35%  *0.5  +10%")),
        (Ok(Some(value)), Ok(when)) => {
            let when = when.map_or_else(|| "at the next step".into(), |when| when.words(pen.state));
            Line::from(pen.span(Tone::Ok, format!("becomes {} {when}", dial.show(value))))
        }
    };
    let lines = [
        Line::from(
            pen.span(Tone::Text, format!("{} {}  {present} → {}", dial.symbol(), pen.meanings(dial)[0], new(pen, editor))),
        ),
        field("value", &editor.text, Field::Value),
        field("when", &editor.when, Field::When),
        field("note", &editor.note, Field::Note),
        said,
        Line::from(pen.span(Tone::Dim, format!("range {} to {}{}", dial.show(low), dial.show(high), unit(dial)))),
        Line::from(pen.span(
            Tone::Dim,
            match editor.field {
                Field::Value => "Up Down 10 %   PgUp PgDn double, halve".to_string(),
                Field::When => "at-step N  at-epoch N  ramp N  ramp 2e; empty: now".to_string(),
                Field::Note => "what the log and the markers say about it".to_string(),
            },
        )),
        Line::from(pen.span(Tone::Dim, "Enter apply    Tab next field    Esc cancel")),
    ];
    window(pen, area, &format!("Set {} (recorded)", dial.symbol()), 58, &lines, buffer);
}

/// The value that it would come to, if what was typed is one.
fn new(pen: &Pen, editor: &Editor) -> String {
    editor.value(pen.state).map_or_else(|_| "…".into(), |value| editor.dial.show(value))
}

/// What the numbers are of.
fn unit(dial: Dial) -> &'static str {
    match dial {
        Dial::Lambda | Dial::Beta => ", a factor",
        Dial::LrScale => ", times the schedule's learning rate",
        Dial::Eps | Dial::StepSize => ", of pixels from 0 to 1",
        Dial::AttackSteps => ", steps of the attack",
        Dial::Temperature => "",
        Dial::Alpha => ", a share",
        Dial::Probes => ", an epoch",
    }
}

fn help(pen: &Pen, search: &Search, scroll: usize, area: Rect, buffer: &mut Buffer) {
    let wanted = match search {
        Search::Off => "",
        Search::Typing(field) => field.text(),
        Search::Found(text) => text.as_str(),
    };
    let all = help::lines(&pen.screen.keymap, wanted, area.width);
    let room = help::room(area.height);
    let first = scroll.min(all.len().saturating_sub(room));
    let more = all.len() > room;
    let mut lines = vec![status::views(pen)];
    lines.extend(all.iter().skip(first).take(room).map(|line| match line {
        HelpLine::Title(title) => Line::from(pen.span(Tone::Title, title.clone())),
        HelpLine::Entry { label, says } => {
            let label = format!("  {:<10} ", pen.screen.glyphs.words(label.as_str()));
            Line::from(vec![pen.span(Tone::Accent, label), pen.span(Tone::Text, says.clone())])
        }
    }));
    if all.is_empty() {
        lines.push(Line::from(pen.span(Tone::Text, "nothing in the help has these words")));
    }
    let foot = match search {
        Search::Off if more => "/ search   j k PgUp PgDn Home End scroll   Esc close".to_string(),
        Search::Off => "/ search   Esc close".to_string(),
        Search::Typing(field) => {
            let (before, after) = field.halves();
            format!("/{before}▏{after}")
        }
        Search::Found(text) => format!("/{text}   Esc all keys"),
    };
    lines.push(Line::from(pen.span(Tone::Dim, foot)));
    let below = all.len().saturating_sub(first + room);
    let title = if below > 0 { format!("Keys, {below} more lines below") } else { "Keys".to_string() };
    window(pen, area, &title, help::width(area.width), &lines, buffer);
}

/// Everything to be said of a run that failed, and how many lines of it are seen at once.
fn failure(pen: &Pen, area: Rect) -> (Vec<Line<'static>>, usize) {
    let Phase::Finished(Outcome::Failed { message }) = &pen.state.phase else { return (Vec::new(), 1) };
    let within = usize::from(FAILED.min(area.width)).saturating_sub(4).max(1);
    let place = format!("at step {}, run folder {}", pen.state.step, pen.screen.folder);
    let (last, advice) = match &pen.state.saved {
        Some((_, saved)) => (
            format!("last checkpoint: {} at step {}", saved.path, saved.step),
            "Nothing before that step is lost: it can be evaluated and resumed.",
        ),
        None => ("no checkpoint was written".to_string(), "Correct the cause named above and start the run again."),
    };
    let mut lines: Vec<Line> = message.lines().map(|text| Line::from(pen.span(Tone::Error, text.to_string()))).collect();
    lines.push(Line::default());
    lines.extend([place, last, advice.to_string()].map(|text| Line::from(pen.span(Tone::Text, text))));
    let lines = lines.iter().flat_map(|line| folded(line, within)).collect();
    // Borders, a blank line, the foot, and a little of what lies behind.
    (lines, usize::from(area.height.saturating_sub(6)).max(1))
}

/// Lines of what is said of a failure, and how many of them are seen at once.
pub(super) fn failure_lines(pen: &Pen, area: Rect) -> (usize, usize) {
    let (lines, room) = failure(pen, area);
    (lines.len(), room)
}

fn failed(pen: &Pen, scroll: usize, area: Rect, buffer: &mut Buffer) {
    let (all, room) = failure(pen, area);
    let more = all.len() > room;
    let first = scroll.min(all.len().saturating_sub(room));
    let mut lines: Vec<Line> = all.into_iter().skip(first).take(room).collect();
    lines.push(Line::default());
    let scrolls = if more { "j k PgUp PgDn scroll    " } else { "" };
    lines.push(Line::from(pen.span(Tone::Dim, format!("Enter q leave    {scrolls}Esc look at the curves"))));
    window(pen, area, "! Training failed", FAILED, &lines, buffer);
}
