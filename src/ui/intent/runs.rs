//! What keys do in the Runs view: walk, filter, order, and lay other runs' curves behind this one's. Nothing here changes training.

use super::Effect;
use crate::run::RunState;
use crate::ui::keymap::Intent;
use crate::ui::screen::{Extent, Filter, Mood, OVERLAYS, Screen, Shape, Toggled};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

const PAGE: usize = 10;

/// `None`: the key means here what it means everywhere.
pub(super) fn act(screen: &mut Screen, state: &RunState, intent: Intent) -> Option<Vec<Effect>> {
    let list_is_hidden = screen.runs.extent == Extent::Whole;
    match intent {
        // What cannot be seen is not chosen.
        Intent::LineUp
        | Intent::LineDown
        | Intent::PageUp
        | Intent::PageDown
        | Intent::First
        | Intent::Last
        | Intent::Open
        | Intent::Filter
            if list_is_hidden => {}
        Intent::LineUp => walk(screen, state, |at, _| at.saturating_sub(1)),
        Intent::LineDown => walk(screen, state, |at, _| at + 1),
        Intent::PageUp => walk(screen, state, |at, _| at.saturating_sub(PAGE)),
        Intent::PageDown => walk(screen, state, |at, _| at + PAGE),
        Intent::First => walk(screen, state, |_, _| 0),
        Intent::Last => walk(screen, state, |_, last| last),
        Intent::Open => return Some(toggle(screen, state)),
        Intent::Filter => screen.runs.filter = Filter::Typing(screen.runs.filter.text().to_string()),
        Intent::Sort => screen.runs.sort = screen.runs.sort.next(),
        Intent::Tree => {
            screen.runs.shape = match screen.runs.shape {
                Shape::Tree => Shape::Flat,
                Shape::Flat => Shape::Tree,
            }
        }
        Intent::WhatIf => {
            screen.runs.extent = match screen.runs.extent {
                Extent::Below => Extent::Whole,
                Extent::Whole => Extent::Below,
            }
        }
        Intent::Refresh => {
            let again = screen.runs.overlaid().iter().cloned().map(Effect::OpenRun);
            return Some(std::iter::once(Effect::LookAtRuns).chain(again).collect());
        }
        Intent::Back if list_is_hidden => screen.runs.extent = Extent::Below,
        Intent::Back if screen.runs.filter != Filter::Off => screen.runs.filter = Filter::Off,
        _ => return None,
    }
    Some(Vec::new())
}

/// A key while the filter is typed. What it lets through is seen at once.
pub(super) fn typed(screen: &mut Screen, state: &RunState, event: &KeyEvent) -> Vec<Effect> {
    match event.code {
        KeyCode::Esc => screen.runs.filter = Filter::Off,
        KeyCode::Enter => {
            let text = screen.runs.filter.text().trim().to_string();
            screen.runs.filter = if text.is_empty() { Filter::Off } else { Filter::Set(text) };
        }
        KeyCode::Backspace => {
            if let Filter::Typing(text) = &mut screen.runs.filter {
                text.pop();
            }
        }
        KeyCode::Up => walk(screen, state, |at, _| at.saturating_sub(1)),
        KeyCode::Down => walk(screen, state, |at, _| at + 1),
        KeyCode::Char('u' | 'w') if event.modifiers.contains(KeyModifiers::CONTROL) => {
            if let Filter::Typing(text) = &mut screen.runs.filter {
                text.clear();
            }
        }
        KeyCode::Char(c) if !event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => screen.runs.filter.typed(c),
        _ => {}
    }
    Vec::new()
}

/// The chosen run is known by its name, so that new ones do not move the choice.
fn walk(screen: &mut Screen, state: &RunState, to: impl Fn(usize, usize) -> usize) {
    let shown = screen.runs.shown(state, screen.access);
    let Some(last) = shown.rows.len().checked_sub(1) else { return };
    let at = to(screen.runs.at(&shown), last).min(last);
    screen.runs.chosen = Some(shown.rows[at].entry.id.clone());
}

fn toggle(screen: &mut Screen, state: &RunState) -> Vec<Effect> {
    let shown = screen.runs.shown(state, screen.access);
    let Some(listed) = shown.rows.get(screen.runs.at(&shown)) else { return Vec::new() };
    let id = listed.entry.id.clone();
    if listed.own {
        screen.toast(Mood::Bad, "that is this run: its curves are on the charts already");
        return Vec::new();
    }
    if listed.entry.found.is_err() {
        screen.toast(Mood::Bad, format!("! {id} cannot be read"));
        return Vec::new();
    }
    match screen.runs.toggle(&id) {
        Toggled::Asked => return vec![Effect::OpenRun(id)],
        Toggled::Taken => screen.toast(Mood::Good, format!("{id}: no longer behind the charts")),
        Toggled::Full => {
            screen.toast(Mood::Bad, format!("{OVERLAYS} runs lie behind the charts already: take one away first"));
        }
    }
    Vec::new()
}
