//! Keys in the list of checkpoints and in the windows that open from it. What costs something waits for Enter, and what is lost for good
//! for the step, typed.

use super::dialogs::choose;
use super::steering::steers;
use super::{Effect, Leave};
use crate::protocol::Stop;
use crate::run::RunState;
use crate::run::checkpoints::{Found, Pinned};
use crate::run::session::Access;
use crate::ui::screen::{Branching, Checkpoints, DETACH, Dialog, Kind, Mood, Screen, is_over};
use crate::ui::scroll::moved;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Rows that Page Up and Page Down go.
const PAGE: usize = 10;
/// Longest line of changes.
const LONGEST: usize = 200;

pub(super) fn open(screen: &mut Screen) -> Vec<Effect> {
    screen.checkpoints = Checkpoints::Unread;
    screen.dialog = Some(Dialog::Checkpoints { row: 0 });
    Vec::new()
}

pub(super) fn detach(screen: &mut Screen, state: &RunState) -> Vec<Effect> {
    if state.started.is_none() {
        screen.toast(Mood::Bad, "training has not started yet");
    } else if is_over(state) || screen.pace.is_some() {
        return vec![Effect::Leave(Leave::Quit)];
    } else {
        screen.dialog = Some(Dialog::Detach { choice: 0 });
    }
    Vec::new()
}

pub(super) fn detaching(screen: &mut Screen, choice: usize, event: &KeyEvent) -> Vec<Effect> {
    match event.code {
        KeyCode::Enter if choice == 0 => return vec![Effect::Leave(Leave::Detached)],
        KeyCode::Esc | KeyCode::Enter => {}
        code => screen.dialog = Some(Dialog::Detach { choice: choose(choice, DETACH.len(), code) }),
    }
    Vec::new()
}

/// Whether files of the run may be touched from here: not while somebody else steers it.
pub fn may_touch(screen: &Screen, state: &RunState) -> bool {
    screen.access == Access::Steer || is_over(state) || screen.pace.is_some()
}

/// The same, and says why where they may not.
fn touches(screen: &mut Screen, state: &RunState) -> bool {
    let may = may_touch(screen, state);
    if !may {
        screen.toast(Mood::Bad, "this screen only looks: another one steers the run");
    }
    may
}

pub(super) fn list(screen: &mut Screen, state: &RunState, row: usize, event: &KeyEvent) -> Vec<Effect> {
    let all = screen.checkpoints.all();
    let row = row.min(all.len().saturating_sub(1));
    let found: Option<Found> = all.get(row).cloned();
    let again = Dialog::Checkpoints { row };
    match (event.code, found) {
        (KeyCode::Esc | KeyCode::Char('q' | 'c'), _) => return Vec::new(),
        (KeyCode::Enter | KeyCode::Char('w'), Some(found)) if touches(screen, state) => {
            screen.dialog = Some(Dialog::Branch(Branching::new(found.state.step, Kind::Rewind)));
            return Vec::new();
        }
        (KeyCode::Char('f'), Some(found)) => {
            screen.dialog = Some(Dialog::Branch(Branching::new(found.state.step, Kind::Beside)));
            return Vec::new();
        }
        (KeyCode::Char('p'), Some(found)) if touches(screen, state) => {
            screen.dialog = Some(again);
            let pinned = match found.pinned {
                Pinned::Yes => Pinned::No,
                Pinned::No => Pinned::Yes,
            };
            return vec![Effect::Pin(found.path, pinned)];
        }
        (KeyCode::Char('x'), Some(found)) if touches(screen, state) => {
            screen.dialog = Some(Dialog::Forget { step: found.state.step, typed: String::new() });
            return Vec::new();
        }
        (code, _) => {
            let many = screen.checkpoints.all().len().max(1);
            let row = match code {
                KeyCode::PageUp | KeyCode::PageDown | KeyCode::Home | KeyCode::End | KeyCode::Char('g' | 'G') => {
                    moved(row, many - 1, PAGE, code)
                }
                code => choose(row, many, code),
            };
            screen.dialog = Some(Dialog::Checkpoints { row });
        }
    }
    Vec::new()
}

pub(super) fn branch(screen: &mut Screen, state: &RunState, mut branching: Branching, event: &KeyEvent) -> Vec<Effect> {
    branching.fault = None;
    match event.code {
        KeyCode::Esc => return open(screen),
        KeyCode::Enter => match branching.wish() {
            Ok(wish) if branching.kind == Kind::Beside => return vec![Effect::Fork(wish)],
            // Nothing trains here: the new run takes this one's place at once.
            Ok(wish) if is_over(state) || screen.pace.is_some() => return vec![Effect::Leave(Leave::Branch(wish))],
            Ok(wish) => match steers(screen, state) {
                Ok(()) => return vec![Effect::Branch(Stop::NOW_AND_SAVE, wish)],
                Err(why) => branching.fault = Some(why.into()),
            },
            Err(why) => branching.fault = Some(why),
        },
        KeyCode::Backspace => drop(branching.sets.pop()),
        KeyCode::Char('u' | 'w') if event.modifiers.contains(KeyModifiers::CONTROL) => branching.sets.clear(),
        KeyCode::Char(c) if (event.modifiers - KeyModifiers::SHIFT).is_empty() && branching.sets.chars().count() < LONGEST => {
            branching.sets.push(c);
        }
        _ => {}
    }
    screen.dialog = Some(Dialog::Branch(branching));
    Vec::new()
}

pub(super) fn forget(screen: &mut Screen, step: u64, mut typed: String, event: &KeyEvent) -> Vec<Effect> {
    match event.code {
        KeyCode::Esc => return open(screen),
        KeyCode::Enter if typed == step.to_string() => {
            let path = screen.checkpoints.all().iter().find(|found| found.state.step == step).map(|found| found.path.clone());
            screen.dialog = Some(Dialog::Checkpoints { row: 0 });
            return path.map(Effect::Remove).into_iter().collect();
        }
        KeyCode::Backspace => drop(typed.pop()),
        KeyCode::Char(c) if c.is_ascii_digit() && typed.len() < 20 => typed.push(c),
        _ => {}
    }
    screen.dialog = Some(Dialog::Forget { step, typed });
    Vec::new()
}
