//! What keys do in the Log view.

use super::Effect;
use crate::run::RunState;
use crate::run::state::Level;
use crate::ui::field::TextField;
use crate::ui::keymap::Intent;
use crate::ui::layout::{Life, Pane, View, layout};
use crate::ui::screen::{Around, Half, Mood, Screen, is_over, window};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

const LONGEST_FILTER: usize = 60;

/// How far a key goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Move {
    Older(usize),
    Newer(usize),
    First,
    Last,
}

/// `None`: the key means here what it means everywhere.
pub(super) fn act(screen: &mut Screen, state: &RunState, intent: Intent) -> Option<Vec<Effect>> {
    // Over the view lies the log pane that the other views have too, with keys of its own.
    if screen.maximised == Some(Pane::Log) {
        return None;
    }
    let rows = rows(screen, state);
    let page = rows.saturating_sub(1).max(1);
    match intent {
        Intent::NextPane | Intent::PreviousPane => {
            screen.events.half = match screen.events.half {
                Half::Log => Half::Marks,
                Half::Marks => Half::Log,
            }
        }
        Intent::LineUp => go(screen, state, Move::Older(1), rows),
        Intent::LineDown => go(screen, state, Move::Newer(1), rows),
        Intent::PageUp => go(screen, state, Move::Older(page), rows),
        Intent::PageDown => go(screen, state, Move::Newer(page), rows),
        Intent::First => go(screen, state, Move::First, rows),
        Intent::Last => go(screen, state, Move::Last, rows),
        Intent::Follow => (screen.events.line, screen.events.mark) = (None, None),
        Intent::Filter => {
            screen.events.half = Half::Log;
            screen.events.typing = Some(TextField::with(&screen.events.filter, LONGEST_FILTER));
        }
        Intent::ByHand => {
            screen.events.half = Half::Log;
            screen.events.line = None;
            screen.events.turn_by_hand();
        }
        Intent::Context => {
            screen.events.around = match screen.events.around {
                Around::Hidden => Around::Shown,
                Around::Shown => Around::Hidden,
            }
        }
        Intent::Level => {
            screen.events.least = match screen.events.least {
                Level::Info => Level::Warn,
                Level::Warn => Level::Error,
                Level::Error => Level::Info,
            }
        }
        Intent::NextMarker => hit(screen, state, Move::Newer(1), rows),
        Intent::PreviousMarker => hit(screen, state, Move::Older(1), rows),
        Intent::Open if screen.events.half == Half::Marks => show_on_dash(screen, state),
        Intent::Back => return back(screen),
        _ => return None,
    }
    Some(Vec::new())
}

/// A key while the filter is typed; `false`: none is.
pub(super) fn typed(screen: &mut Screen, event: &KeyEvent) -> bool {
    let Some(mut field) = screen.events.typing.take() else { return false };
    match event.code {
        KeyCode::Esc => return true,
        KeyCode::Enter => {
            screen.events.filter = field.text().trim().to_string();
            return true;
        }
        _ => {
            field.key(event);
        }
    }
    screen.events.typing = Some(field);
    true
}

/// Text that came at once, into the filter.
pub(super) fn pasted(screen: &mut Screen, text: &str) {
    if let Some(typing) = &mut screen.events.typing {
        typing.paste(text);
    }
}

/// Rows that either half has: a hint, because only drawing knows for certain.
fn rows(screen: &Screen, state: &RunState) -> usize {
    let life = if is_over(state) { Life::Over } else { Life::Training };
    let area = Rect::new(0, 0, screen.size.0, screen.size.1);
    let pane = layout(area, View::Events, Pane::Events, screen.maximised, life).pane(Pane::Events);
    pane.map_or(10, |pane| usize::from(pane.height.saturating_sub(2)))
}

fn moved(at: Option<usize>, count: usize, by: Move) -> usize {
    let last = count.saturating_sub(1);
    match by {
        Move::First => 0,
        Move::Last => last,
        // The first key only chooses the newest.
        Move::Older(n) => at.map_or(last, |at| at.saturating_sub(n)),
        Move::Newer(n) => at.map_or(last, |at| (at + n).min(last)),
    }
}

fn go(screen: &mut Screen, state: &RunState, by: Move, rows: usize) {
    match screen.events.half {
        Half::Log => {
            let shown = screen.events.shown(state);
            let at = screen.events.line.map(|line| nearest(&shown, line));
            choose(screen, &shown, moved(at, shown.len(), by), rows);
        }
        Half::Marks => {
            let count = state.markers.len();
            // Where none was chosen the newest is.
            let at = screen.events.mark.or(count.checked_sub(1));
            let rows = rows.saturating_sub(1);
            let before = window(count, screen.events.mark, screen.events.mark_top, rows, 1);
            let next = moved(at, count, by);
            screen.events.mark = (count > 0).then_some(next);
            screen.events.mark_top = window(count, Some(next), before, rows, 1);
        }
    }
}

/// The place of a line among those that are shown, or of the one after it.
fn nearest(shown: &[u64], line: u64) -> usize {
    shown.partition_point(|n| *n < line).min(shown.len().saturating_sub(1))
}

fn choose(screen: &mut Screen, shown: &[u64], next: usize, rows: usize) {
    let events = &mut screen.events;
    let at = events.line.map(|line| nearest(shown, line));
    let top = shown.partition_point(|n| *n < events.top);
    let before = window(shown.len(), at, top, rows, 1);
    events.line = shown.get(next).copied();
    if let Some(&top) = shown.get(window(shown.len(), Some(next), before, rows, 1)) {
        events.top = top;
    }
}

/// The next line that holds the filter's text, or with no text the next warning.
fn hit(screen: &mut Screen, state: &RunState, by: Move, rows: usize) {
    screen.events.half = Half::Log;
    let shown = screen.events.shown(state);
    let wanted = screen.events.wanted();
    let is_hit = |number: &u64| {
        state
            .line(*number)
            .is_some_and(|line| if wanted.text.is_empty() { line.level >= Level::Warn } else { wanted.hits(&line.text) })
    };
    let at = screen.events.line.map(|line| nearest(&shown, line));
    let next = match by {
        Move::Newer(_) | Move::Last => {
            let from = at.map_or(shown.len(), |at| at + 1);
            (from..shown.len()).find(|i| is_hit(&shown[*i]))
        }
        Move::Older(_) | Move::First => (0..at.unwrap_or(shown.len())).rev().find(|i| is_hit(&shown[*i])),
    };
    match next {
        Some(next) => choose(screen, &shown, next, rows),
        None if wanted.text.is_empty() => screen.toast(Mood::Bad, "no warning there; / looks for a text"),
        None => screen.toast(Mood::Bad, "the text is not there"),
    }
}

/// The crosshair where the chosen event happened.
fn show_on_dash(screen: &mut Screen, state: &RunState) {
    let newest = state.markers.len().checked_sub(1);
    let Some(step) = screen.events.mark.or(newest).and_then(|at| state.markers.get(at)).map(|marker| marker.step) else { return };
    screen.turn_to(View::Dash);
    screen.cursor = Some(step);
    screen.show_step(state, step);
}

/// One layer out: the filter, the chosen line; then as everywhere.
fn back(screen: &mut Screen) -> Option<Vec<Effect>> {
    let events = &mut screen.events;
    if screen.maximised.is_none() && events.line.is_some() && events.half == Half::Log {
        events.line = None;
    } else if screen.maximised.is_none() && !events.filter.is_empty() {
        events.filter.clear();
    } else {
        return None;
    }
    Some(Vec::new())
}
