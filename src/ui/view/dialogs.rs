//! What lies over the panes and has the keys: help, quit, the edit line, the news that a run failed.

use super::{Pen, branch, command_line, evaluate, history};
use crate::protocol::{Dial, Outcome, Step};
use crate::run::state::Phase;
use crate::ui::brush::wrap;
use crate::ui::command_line::parse::WORDS;
use crate::ui::keymap::{Intent, KEYMAP, Scope};
use crate::ui::screen::{
    DETACH, DETACH_PAUSED, DISCARD, Dialog, Editor, Field, GIVE_UP, SUSPEND, Search, WRITE, only_hosts, ways_out,
};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

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
        Some(Dialog::Failed) => failed(pen, area, buffer),
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

pub(super) fn choices(pen: &Pen, title: &str, text: &str, all: &[&str], choice: usize, area: Rect, buffer: &mut Buffer) {
    pen.brush().choices(title, text, all, choice, area, buffer);
}

fn edit(pen: &Pen, editor: &Editor, area: Rect, buffer: &mut Buffer) {
    let dial = editor.dial;
    let Some(controls) = pen.state.controls else { return };
    let present = dial.show(controls.value(dial));
    let (low, high) = dial.range(controls.norm);
    let room = 40;
    let field = |name: &str, text: &str, field: Field| {
        let here = editor.field == field;
        let count = text.chars().count();
        let end: String = text.chars().skip(count.saturating_sub(room)).collect();
        let (sign, cursor) = if here { ("▸", "▏") } else { (" ", "") };
        Line::from(vec![
            pen.span(if here { Tone::Title } else { Tone::Dim }, format!("{sign} {name:<6}")),
            // As it was typed: a letter that the terminal lacks becomes one other, not several.
            pen.span(if here { Tone::Title } else { Tone::Text }, format!("{end}{cursor}")),
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
        Line::from(pen.span(Tone::Text, format!("{} {}  {present} → {}", dial.symbol(), pen.meaning(dial), new(pen, editor)))),
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

fn help(pen: &Pen, search: &Search, scroll: u16, area: Rect, buffer: &mut Buffer) {
    let wanted = match search {
        Search::Off => "",
        Search::Typing(text) | Search::Found(text) => text.as_str(),
    }
    .to_lowercase();
    let mut lines = Vec::with_capacity(KEYMAP.len() + WORDS.len() + 12);
    for scope in Scope::ALL {
        let fits = |says: &str, label: String| says.to_lowercase().contains(&wanted) || label.to_lowercase() == wanted;
        let mine = pen.screen.keymap.bindings().filter(|b| b.binding.scope == *scope);
        let found: Vec<_> = mine.filter(|b| fits(b.binding.says, b.label())).collect();
        if found.is_empty() {
            continue;
        }
        lines.push(Line::from(pen.span(Tone::Title, scope.title())));
        for binding in found {
            lines.push(Line::from(vec![
                pen.span(Tone::Accent, format!("  {:<11}", binding.label())),
                pen.span(Tone::Text, binding.binding.says),
            ]));
        }
    }
    let fits = |text: &str| text.to_lowercase().contains(&wanted);
    let found: Vec<_> = WORDS.iter().filter(|word| fits(word.usage) || fits(word.says)).collect();
    if !found.is_empty() {
        let colon = pen.screen.keymap.key_of(Scope::Everywhere, Intent::CommandLine);
        lines.push(Line::from(pen.span(Tone::Title, format!("Commands (after {colon})"))));
    }
    for word in found {
        let usage = format!("  {:<11}", word.usage);
        lines.push(Line::from(vec![pen.span(Tone::Accent, usage), pen.span(Tone::Text, format!(" {}", word.says))]));
    }
    let height = usize::from(area.height.saturating_sub(4)).max(2);
    let first = usize::from(scroll).min(lines.len().saturating_sub(height - 1));
    let more = lines.len() > height - 1;
    let mut shown: Vec<_> = lines.into_iter().skip(first).take(height - 1).collect();
    let foot = match search {
        Search::Off if more => "/ search   j k scroll   Esc close".to_string(),
        Search::Off => "/ search   Esc close".to_string(),
        Search::Typing(text) => format!("/{text}▏"),
        Search::Found(text) => format!("/{text}   Esc all keys"),
    };
    shown.push(Line::from(pen.span(Tone::Dim, foot)));
    window(pen, area, "Keys", 78.min(area.width), &shown, buffer);
}

fn failed(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let Phase::Finished(Outcome::Failed { message }) = &pen.state.phase else { return };
    let width = 74.min(area.width);
    let room = usize::from(width).saturating_sub(4).max(1);
    let mut lines = Vec::new();
    let most = usize::from(area.height).saturating_sub(10).clamp(1, 12);
    let mut wrapped = wrap(message, room);
    if wrapped.len() > most {
        wrapped.truncate(most);
        lines.push(Line::from(pen.span(
            Tone::Dim,
            format!("the whole message is in the log ({})", pen.screen.keymap.key_of(Scope::Everywhere, Intent::FullLog)),
        )));
    }
    for (i, text) in wrapped.into_iter().enumerate() {
        lines.insert(i, Line::from(pen.span(Tone::Error, text)));
    }
    lines.push(Line::default());
    lines.push(Line::from(pen.span(Tone::Text, format!("at step {}, run folder {}", pen.state.step, pen.screen.folder))));
    let (last, advice) = match &pen.state.saved {
        Some((_, saved)) => (
            format!("last checkpoint: {} at step {}", saved.path, saved.step),
            "Nothing before that step is lost: it can be evaluated and resumed.",
        ),
        None => ("no checkpoint was written".to_string(), "Correct the cause named above and start the run again."),
    };
    lines.push(Line::from(pen.span(Tone::Text, last)));
    lines.push(Line::from(pen.span(Tone::Text, advice)));
    lines.push(Line::default());
    let foot = "Enter q leave    Esc look at the curves";
    lines.push(Line::from(pen.span(Tone::Dim, foot)));
    window(pen, area, "! Training failed", width, &lines, buffer);
}
