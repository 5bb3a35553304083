//! Changing the dials: proposals, what is asked for now or for later, and what was changed before.
//!
//! A proposal is the screen's own until Enter; nothing here is sent without it.

use super::dialogs::choose;
use super::{Effect, ask};
use crate::protocol::{Command, Dial, Timed};
use crate::run::RunState;
use crate::run::session::Access;
use crate::run::state::Turn;
use crate::ui::command_line::when::When;
use crate::ui::layout::{Pane, View};
use crate::ui::screen::{Asked, Dialog, Editor, Mood, Pending, Screen, Trains, UNSCHEDULE, is_over};
use crossterm::event::{KeyCode, KeyEvent};

/// Where a nudge takes a dial that stands at 0.
pub(super) const FROM_ZERO: f64 = 1e-3;

pub(super) fn dials(state: &RunState) -> &[Dial] {
    state.started.as_ref().map_or(&[], |s| &s.dials)
}

/// Whether the run can be changed from here at present.
///
/// # Errors
/// Why it cannot.
pub fn steers(screen: &Screen, state: &RunState) -> Result<(), &'static str> {
    if screen.access == Access::ReadOnly && screen.may_take {
        Err("another screen steers this run; :take steers it from here")
    } else if screen.access == Access::ReadOnly && screen.trains == Trains::Elsewhere && !is_over(state) {
        Err("this screen only looks (--read-only); attach without that to steer")
    } else if screen.access == Access::ReadOnly {
        Err("this run is only watched: nothing can be changed")
    } else if is_over(state) {
        Err("training is over: nothing can be changed")
    } else if state.controls.is_none() {
        Err("training has not started yet")
    } else {
        Ok(())
    }
}

/// Read-only sessions say why nothing happens.
pub(super) fn may_steer(screen: &mut Screen, state: &RunState) -> bool {
    steers(screen, state).map_err(|reason| screen.toast(Mood::Bad, reason)).is_ok()
}

pub(super) fn propose(screen: &mut Screen, state: &RunState, to: impl Fn(f64) -> f64) {
    let Some((&dial, controls)) = dials(state).get(screen.dial).zip(state.controls) else { return };
    if !may_steer(screen, state) {
        return;
    }
    let present = screen.pending.get(&dial).map_or(controls.value(dial), |p| p.value);
    let value = to(present);
    // Four digits are what is shown: what is applied must be exactly that.
    let value = format!("{value:.3e}").parse().unwrap_or(value);
    // A count moves by one at least.
    let value = match (dial.is_whole(), value.total_cmp(&present)) {
        (false, _) | (true, std::cmp::Ordering::Equal) => value,
        (true, std::cmp::Ordering::Greater) => value.ceil().max(present + 1.0),
        (true, std::cmp::Ordering::Less) => value.floor().min(present - 1.0),
    };
    suggest(screen, state, dial, value);
}

fn suggest(screen: &mut Screen, state: &RunState, dial: Dial, value: f64) {
    let Some(controls) = state.controls else { return };
    if screen.pending.get(&dial).is_some_and(|p| p.sent.is_some()) {
        screen.toast(Mood::Bad, format!("{} is being changed: wait for the answer", dial.symbol()));
        return;
    }
    match dial.check(value, controls.norm) {
        Err(message) => screen.toast(Mood::Bad, format!("! {message}")),
        Ok(()) if value == controls.value(dial) => {
            screen.pending.remove(&dial);
        }
        Ok(()) => {
            screen.pending.insert(dial, Pending { value, sent: None });
        }
    }
}

pub(super) fn undo(screen: &mut Screen, state: &RunState) {
    let Some((dial, value)) = screen.undo else {
        screen.toast(Mood::Bad, "nothing has been changed yet");
        return;
    };
    if may_steer(screen, state) {
        once_more(screen, state, dial, value);
    }
}

/// Proposes a value where the proposal is seen.
fn once_more(screen: &mut Screen, state: &RunState, dial: Dial, value: f64) {
    screen.turn_to(View::Dash);
    screen.focus = Pane::Controls;
    screen.dial = dials(state).iter().position(|d| *d == dial).unwrap_or(screen.dial);
    suggest(screen, state, dial, value);
}

pub(super) fn open_editor(screen: &mut Screen, state: &RunState, text: String) {
    let Some(&dial) = dials(state).get(screen.dial) else { return };
    if may_steer(screen, state) {
        screen.dialog = Some(Dialog::Edit(Editor::new(dial, text)));
    }
}

pub(super) fn apply(screen: &mut Screen, state: &RunState) -> Vec<Effect> {
    let Some(&dial) = dials(state).get(screen.dial) else { return Vec::new() };
    match screen.pending.get(&dial).cloned() {
        Some(Pending { sent: Some(_), .. }) => Vec::new(),
        Some(Pending { value, sent: None }) => set(screen, state, dial, value, None),
        None => {
            open_editor(screen, state, String::new());
            Vec::new()
        }
    }
}

pub(super) fn set(screen: &mut Screen, state: &RunState, dial: Dial, value: f64, note: Option<String>) -> Vec<Effect> {
    let Some(controls) = state.controls else { return Vec::new() };
    let asked = Asked::Dial { dial, old: controls.value(dial), new: value };
    ask(screen, state, Command::Set { change: dial.to(value), note }, asked)
}

/// Asks for a change that comes later or bit by bit.
pub(super) fn schedule(
    screen: &mut Screen,
    state: &RunState,
    (dial, to): (Dial, f64),
    when: When,
    note: Option<String>,
) -> Vec<Effect> {
    let timed = Timed { dial, to, at: when.at, over: when.over, note, from: None, asked_at: None };
    ask(screen, state, Command::Schedule(timed), Asked::Schedule)
}

/// A line of the history.
#[derive(Clone, Copy)]
pub enum Past<'a> {
    Coming(&'a Timed),
    Done(&'a Turn),
}

/// What is still to come, then what was done, newest first.
pub fn past(state: &RunState) -> Vec<Past<'_>> {
    let coming = state.scheduled.iter().map(Past::Coming);
    coming.chain(state.turns.iter().rev().map(Past::Done)).collect()
}

pub(super) fn history(screen: &mut Screen, state: &RunState, row: usize, event: &KeyEvent) -> Vec<Effect> {
    let rows = past(state);
    let last = rows.len().saturating_sub(1);
    let row = row.min(last);
    let row = match event.code {
        KeyCode::Esc | KeyCode::Char('q' | 'H') => return Vec::new(),
        KeyCode::Up | KeyCode::Char('k') => row.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => (row + 1).min(last),
        KeyCode::PageUp => row.saturating_sub(10),
        KeyCode::PageDown => (row + 10).min(last),
        KeyCode::Home | KeyCode::Char('g') => 0,
        KeyCode::End | KeyCode::Char('G') => last,
        KeyCode::Enter => match rows.get(row) {
            Some(Past::Done(turn)) => {
                if may_steer(screen, state) {
                    once_more(screen, state, turn.dial, turn.old);
                }
                return Vec::new();
            }
            Some(Past::Coming(_)) | None => row,
        },
        KeyCode::Char('x') => match rows.get(row) {
            Some(Past::Coming(timed)) => {
                if may_steer(screen, state) {
                    screen.dialog = Some(Dialog::Unschedule { dial: timed.dial, choice: 0 });
                }
                return Vec::new();
            }
            Some(Past::Done(_)) | None => row,
        },
        _ => row,
    };
    screen.dialog = Some(Dialog::History { row });
    Vec::new()
}

pub(super) fn unschedule(screen: &mut Screen, state: &RunState, dial: Dial, choice: usize, event: &KeyEvent) -> Vec<Effect> {
    match event.code {
        KeyCode::Enter if choice == 1 => return ask(screen, state, Command::Unschedule(dial), Asked::Unschedule(dial)),
        KeyCode::Esc | KeyCode::Enter => {}
        code => screen.dialog = Some(Dialog::Unschedule { dial, choice: choose(choice, UNSCHEDULE.len(), code) }),
    }
    Vec::new()
}
