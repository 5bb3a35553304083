//! Keys while a dialog is open: it has them all, and what it was opened for is asked only with Enter.

use super::steering::{FROM_ZERO, schedule, set};
use super::{Effect, LONGEST_NOTE, Leave, Place, ask, stop};
use crate::protocol::command::SaveOnStop;
use crate::protocol::{Command, Stop, StopWhen};
use crate::run::RunState;
use crate::ui::command_line::parse::Kind;
use crate::ui::evaluation::{Choice, Row, Turn};
use crate::ui::field::{Edited, TextField};
use crate::ui::help;
use crate::ui::layout::View;
use crate::ui::screen::{
    Asked, DISCARD, Dialog, Editor, Field, GIVE_UP, Mood, Pending, SUSPEND, Screen, Search, Trains, WRITE, WayOut, Wish, ways_out,
};
use crate::ui::scroll::scrolled;
use crate::ui::view;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Longest text that the help is searched for.
const LONGEST_SEARCH: usize = 40;

pub(super) fn help(screen: &Screen, search: Search, scroll: usize, event: &KeyEvent) -> Option<Dialog> {
    let at = |search, scroll| Some(Dialog::Help { search, scroll });
    match (search, event.code) {
        (Search::Typing(_) | Search::Found(_), KeyCode::Esc) => at(Search::Off, 0),
        (Search::Typing(field), KeyCode::Enter) => at(Search::Found(field.text().to_string()), 0),
        (Search::Typing(mut field), code) => {
            let scroll = match field.key(event) {
                Edited::Text => 0,
                Edited::Cursor => scroll,
                // While a text is typed Home and End are the text's.
                Edited::No => scrolled_help(screen, field.text(), scroll, code),
            };
            at(Search::Typing(field), scroll)
        }
        (_, KeyCode::Char('/')) => at(Search::Typing(TextField::new(LONGEST_SEARCH)), 0),
        (_, KeyCode::Esc | KeyCode::Char('?' | 'q') | KeyCode::F(1) | KeyCode::Enter) => None,
        (search, code) => {
            let wanted = if let Search::Found(text) = &search { text } else { "" };
            let scroll = scrolled_help(screen, wanted, scroll, code);
            at(search, scroll)
        }
    }
}

fn scrolled_help(screen: &Screen, wanted: &str, scroll: usize, code: KeyCode) -> usize {
    let lines = help::lines(&screen.keymap, wanted, screen.size.0).len();
    scrolled(scroll, lines, help::room(screen.size.1), code)
}

/// The message of a run that failed may be longer than the screen.
pub(super) fn failed(screen: &mut Screen, state: &RunState, scroll: usize, event: &KeyEvent) -> Vec<Effect> {
    match event.code {
        KeyCode::Enter | KeyCode::Char('q') => return vec![Effect::Leave(Leave::Quit)],
        KeyCode::Esc => {}
        code => {
            let (lines, room) = view::failure(screen, state);
            screen.dialog = Some(Dialog::Failed { scroll: scrolled(scroll, lines, room, code) });
        }
    }
    Vec::new()
}

pub(super) fn choose(choice: usize, count: usize, code: KeyCode) -> usize {
    match code {
        KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => (choice + 1) % count,
        KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab => (choice + count - 1) % count,
        _ => choice,
    }
}

pub(super) fn quit(screen: &mut Screen, choice: usize, event: &KeyEvent) -> Vec<Effect> {
    match event.code {
        KeyCode::Esc => {}
        // The key that opened it, again.
        KeyCode::Char('q') if screen.trains == Trains::Elsewhere => return vec![Effect::Leave(Leave::Quit)],
        KeyCode::Enter => match ways_out(screen).get(choice) {
            Some(WayOut::Stop(when)) => return stop(Stop { when: *when, save: SaveOnStop::Save }),
            Some(WayOut::Discard) => screen.dialog = Some(Dialog::Discard { choice: 0 }),
            Some(WayOut::Leave) => return vec![Effect::Leave(Leave::Quit)],
            Some(WayOut::Detach) => return vec![Effect::Leave(Leave::Detached)],
            Some(WayOut::Stay) | None => {}
        },
        code => screen.dialog = Some(Dialog::Quit { choice: choose(choice, ways_out(screen).len(), code) }),
    }
    Vec::new()
}

pub(super) fn discard(screen: &mut Screen, choice: usize, event: &KeyEvent) -> Vec<Effect> {
    match event.code {
        KeyCode::Enter if choice == 1 => return stop(Stop { when: StopWhen::AfterStep, save: SaveOnStop::Discard }),
        KeyCode::Esc | KeyCode::Enter => {}
        code => screen.dialog = Some(Dialog::Discard { choice: choose(choice, DISCARD.len(), code) }),
    }
    Vec::new()
}

pub(super) fn suspend(screen: &mut Screen, choice: usize, event: &KeyEvent) -> Vec<Effect> {
    match event.code {
        KeyCode::Enter if choice == 0 => return vec![Effect::Suspend],
        KeyCode::Esc | KeyCode::Enter => {}
        code => screen.dialog = Some(Dialog::Suspend { choice: choose(choice, SUSPEND.len(), code) }),
    }
    Vec::new()
}

/// What is chosen is remembered only when it was asked for.
pub(super) fn evaluate(screen: &mut Screen, state: &RunState, row: Row, choice: Choice, event: &KeyEvent) -> Vec<Effect> {
    let Some(started) = &state.started else { return Vec::new() };
    let rows = Row::of(started);
    let at = rows.iter().position(|r| *r == row).unwrap_or(0);
    let turned = |turn| choice.turned(started, row, turn);
    let (at, choice) = match event.code {
        KeyCode::Esc => return Vec::new(),
        KeyCode::Enter => {
            screen.evaluation = choice;
            let Some((plan, _)) = choice.plan(started) else { return Vec::new() };
            screen.turn_to(View::Robust);
            // The newest report is the one that is waited for.
            screen.report = None;
            return ask(screen, state, Command::Examine(Box::new(plan)), Asked::Examine);
        }
        KeyCode::Left | KeyCode::Char('h') => (at, turned(Turn::Back)),
        KeyCode::Right | KeyCode::Char('l' | ' ') => (at, turned(Turn::Forward)),
        code => (choose(at, rows.len(), code), choice),
    };
    let row = rows.get(at).copied().unwrap_or(row);
    screen.dialog = Some(Dialog::Evaluate { row, choice });
    Vec::new()
}

pub(super) fn give_up(screen: &mut Screen, state: &RunState, choice: usize, event: &KeyEvent) -> Vec<Effect> {
    match event.code {
        KeyCode::Enter if choice == 1 => return ask(screen, state, Command::GiveUp, Asked::GiveUp),
        KeyCode::Esc | KeyCode::Enter => {}
        code => screen.dialog = Some(Dialog::GiveUp { choice: choose(choice, GIVE_UP.len(), code) }),
    }
    Vec::new()
}

/// The name says which run and which step.
pub(super) fn write(screen: &mut Screen, state: &RunState, choice: usize, event: &KeyEvent) -> Vec<Effect> {
    match event.code {
        KeyCode::Enter => {
            let kind = Kind::ALL.get(choice).copied().unwrap_or(Kind::Text);
            let run = state.started.as_ref().map_or("run", |s| s.run.as_str());
            let name = format!("frame-{run}-{}.{}", state.step, kind.ending());
            return vec![Effect::Write(kind, Place::Run(name))];
        }
        KeyCode::Esc => {}
        code => screen.dialog = Some(Dialog::Write { choice: choose(choice, WRITE.len(), code) }),
    }
    Vec::new()
}

impl Editor {
    pub(super) fn field(&mut self) -> &mut String {
        match self.field {
            Field::Value => &mut self.text,
            Field::When => &mut self.when,
            Field::Note => &mut self.note,
        }
    }
}

pub(super) fn edit(screen: &mut Screen, state: &RunState, mut editor: Editor, event: &KeyEvent) -> Vec<Effect> {
    let scale = |editor: &mut Editor, factor: f64| {
        let present = state.controls.map_or(0.0, |c| c.value(editor.dial));
        let value = if editor.text.trim().is_empty() { Ok(present) } else { editor.value(state) };
        if let Ok(value) = value {
            let value = if value == 0.0 && factor > 1.0 { FROM_ZERO } else { value * factor };
            editor.text = editor.dial.show(value);
        }
    };
    match event.code {
        KeyCode::Esc => return Vec::new(),
        KeyCode::Enter => {
            if let Ok(Wish { value, when }) = editor.wish(state) {
                let note = Some(editor.note.trim().to_string()).filter(|n| !n.is_empty());
                if let Some(when) = when {
                    return schedule(screen, state, (editor.dial, value), when, note);
                }
                if state.controls.is_some_and(|c| c.value(editor.dial) == value) {
                    screen.toast(Mood::Bad, format!("{} is {} already", editor.dial.symbol(), editor.dial.show(value)));
                    return Vec::new();
                }
                if screen.pending.get(&editor.dial).is_some_and(|p| p.sent.is_some()) {
                    screen.toast(Mood::Bad, format!("{} is being changed: wait for the answer", editor.dial.symbol()));
                    return Vec::new();
                }
                screen.pending.insert(editor.dial, Pending { value, sent: None });
                return set(screen, state, editor.dial, value, note);
            }
        }
        KeyCode::Tab => {
            editor.field = match editor.field {
                Field::Value => Field::When,
                Field::When => Field::Note,
                Field::Note => Field::Value,
            }
        }
        KeyCode::BackTab => {
            editor.field = match editor.field {
                Field::Value => Field::Note,
                Field::When => Field::Value,
                Field::Note => Field::When,
            }
        }
        KeyCode::Backspace => {
            editor.field().pop();
        }
        KeyCode::Char('u' | 'w') if event.modifiers.contains(KeyModifiers::CONTROL) => editor.field().clear(),
        KeyCode::Up => scale(&mut editor, 1.1),
        KeyCode::Down => scale(&mut editor, 0.9),
        KeyCode::PageUp => scale(&mut editor, 2.0),
        KeyCode::PageDown => scale(&mut editor, 0.5),
        KeyCode::Char(c) if (event.modifiers - KeyModifiers::SHIFT).is_empty() => {
            let longest = match editor.field {
                Field::Value => 24,
                Field::When => 40,
                Field::Note => LONGEST_NOTE,
            };
            if editor.field().chars().count() < longest {
                editor.field().push(c);
            }
        }
        _ => {}
    }
    screen.dialog = Some(Dialog::Edit(editor));
    Vec::new()
}
