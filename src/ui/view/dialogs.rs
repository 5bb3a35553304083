//! What lies over the panes and has the keys: help, quit, the edit line, the news that a run failed.

use super::{Pen, evaluate, lines_at};
use crate::protocol::{Outcome, Step};
use crate::run::state::Phase;
use crate::ui::keymap::{KEYMAP, Scope};
use crate::ui::layout::centred;
use crate::ui::screen::{DISCARD, Dialog, Editor, Field, GIVE_UP, QUIT, SUSPEND, Search};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Clear, Widget};

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    match &pen.screen.dialog {
        None => {}
        Some(Dialog::Help { search, scroll }) => help(pen, search, *scroll, area, buffer),
        Some(Dialog::Quit { choice }) => choices(pen, "Leave?", "Training is running.", &QUIT, *choice, area, buffer),
        Some(Dialog::Discard { choice }) => {
            let saved: Step = pen.state.saved.as_ref().map_or(0, |(_, s)| s.step);
            let text = format!("Steps {saved} to {} would be lost.", pen.state.step);
            choices(pen, "Stop without saving?", &text, &DISCARD, *choice, area, buffer);
        }
        Some(Dialog::Suspend { choice }) => {
            choices(pen, "Suspend?", "Training stops too while suspended.", &SUSPEND, *choice, area, buffer);
        }
        Some(Dialog::Edit(editor)) => edit(pen, editor, area, buffer),
        Some(Dialog::Evaluate { row, choice }) => evaluate::draw(pen, *row, *choice, area, buffer),
        Some(Dialog::GiveUp { choice }) => {
            let done = pen.state.examining.as_ref().map_or(0, |p| p.stage);
            let all = pen.state.examining.as_ref().map_or(0, |p| p.stages);
            let text = format!("{done} of {all} stages would be lost.");
            choices(pen, "Give the evaluation up?", &text, &GIVE_UP, *choice, area, buffer);
        }
        Some(Dialog::Failed) => failed(pen, area, buffer),
    }
}

pub(super) fn window(pen: &Pen, area: Rect, title: &str, width: u16, lines: &[Line], buffer: &mut Buffer) {
    let at = centred(area, width, lines.len() as u16 + 2);
    Clear.render(at, buffer);
    let block = Block::bordered()
        .border_type(BorderType::Double)
        .border_style(pen.style(Tone::Accent))
        .title(Line::from(pen.span(Tone::Accent, format!(" {title} "))));
    let inner = block.inner(at);
    block.render(at, buffer);
    lines_at(Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }, lines, buffer);
}

fn choices(pen: &Pen, title: &str, text: &str, all: &[&str], choice: usize, area: Rect, buffer: &mut Buffer) {
    let mut lines = vec![Line::from(pen.span(Tone::Text, text.to_string())), Line::default()];
    for (i, what) in all.iter().enumerate() {
        let (sign, tone) = if i == choice { ("▸", Tone::Selected) } else { (" ", Tone::Text) };
        lines.push(Line::from(vec![pen.span(Tone::Text, format!("{sign} ")), pen.span(tone, format!("{what} "))]));
    }
    lines.push(Line::default());
    lines.push(Line::from(pen.span(Tone::Dim, "Up Down choose  Enter do it  Esc go on")));
    window(pen, area, title, 46, &lines, buffer);
}

fn edit(pen: &Pen, editor: &Editor, area: Rect, buffer: &mut Buffer) {
    let dial = editor.dial;
    let Some(controls) = pen.state.controls else { return };
    let present = dial.show(controls.value(dial));
    let (low, high) = dial.range(controls.norm);
    let cursor = |field| if editor.field == field { "▏" } else { "" };
    let room = 38;
    let note: String = {
        let count = editor.note.chars().count();
        editor.note.chars().skip(count.saturating_sub(room)).collect()
    };
    let said = if editor.text.is_empty() {
        pen.span(Tone::Dim, "forms: 0.05  8/255  35%  *0.5  +10%")
    } else {
        match editor.value(pen.state) {
            Ok(value) => pen.span(Tone::Ok, format!("becomes {} at the next step", dial.show(value))),
            Err(message) => pen.span(Tone::Error, format!("! {message}")),
        }
    };
    let lines = [
        Line::from(vec![
            pen.span(Tone::Text, format!("{} {}  {present} → ", dial.symbol(), pen.meaning(dial))),
            pen.span(Tone::Title, format!("{}{}", editor.text, cursor(Field::Value))),
        ]),
        Line::from(said),
        Line::from(pen.span(Tone::Dim, format!("range {} to {}", dial.show(low), dial.show(high)))),
        Line::from(pen.span(Tone::Text, format!("note: {note}{}", cursor(Field::Note)))),
        Line::from(pen.span(Tone::Dim, "Up Down 10 %   PgUp PgDn double, halve")),
        Line::from(pen.span(Tone::Dim, "Enter apply    Tab note    Esc cancel")),
    ];
    window(pen, area, &format!("Set {} (recorded)", dial.symbol()), 58, &lines, buffer);
}

fn help(pen: &Pen, search: &Search, scroll: u16, area: Rect, buffer: &mut Buffer) {
    let wanted = match search {
        Search::Off => "",
        Search::Typing(text) | Search::Found(text) => text.as_str(),
    }
    .to_lowercase();
    let mut lines = Vec::with_capacity(KEYMAP.len() + 12);
    for scope in Scope::ALL {
        let found: Vec<_> = KEYMAP
            .iter()
            .filter(|b| b.scope == *scope && (b.says.to_lowercase().contains(&wanted) || b.label().to_lowercase() == wanted))
            .collect();
        if found.is_empty() {
            continue;
        }
        lines.push(Line::from(pen.span(Tone::Title, scope.title())));
        for binding in found {
            lines.push(Line::from(vec![
                pen.span(Tone::Accent, format!("  {:<11}", binding.label())),
                pen.span(Tone::Text, binding.says),
            ]));
        }
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
        lines.push(Line::from(pen.span(Tone::Dim, "the whole message is in the log (L)")));
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

/// At spaces where there are any, else at the edge.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut now = String::new();
        for word in line.split_whitespace() {
            let mut word: String = word.chars().filter(|c| !c.is_control()).collect();
            if !now.is_empty() && now.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut now));
            }
            while word.chars().count() > width {
                let rest = word.chars().skip(width).collect();
                lines.push(word.chars().take(width).collect());
                word = rest;
            }
            if !now.is_empty() {
                now.push(' ');
            }
            now.push_str(&word);
        }
        lines.push(now);
    }
    lines
}
