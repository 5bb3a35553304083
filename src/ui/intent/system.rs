//! What keys do in the System view, and the line of diagnostics that every view may show.

use super::Effect;
use crate::run::RunState;
use crate::ui::keymap::Intent;
use crate::ui::layout::Pane;
use crate::ui::screen::{Overlay, Screen, Section, Span};

/// More lines than a section ever has: where it ends only drawing knows.
const FAR: usize = 200;
const PAGE: usize = 10;

/// `None`: the key means here what it means everywhere.
pub(super) fn act(screen: &mut Screen, _state: &RunState, intent: Intent) -> Option<Vec<Effect>> {
    if screen.maximised == Some(Pane::Log) {
        return None;
    }
    let system = &mut screen.system;
    match intent {
        Intent::NextPane => turn(screen, 1),
        Intent::PreviousPane => turn(screen, Section::ALL.len() - 1),
        Intent::LineUp => system.down = system.down.saturating_sub(1),
        Intent::LineDown => system.down = (system.down + 1).min(FAR),
        Intent::PageUp => system.down = system.down.saturating_sub(PAGE),
        Intent::PageDown => system.down = (system.down + PAGE).min(FAR),
        Intent::First => system.down = 0,
        Intent::Last => system.down = FAR,
        Intent::Span => {
            system.span = match system.span {
                Span::Run => Span::Minute,
                Span::Minute => Span::Run,
            }
        }
        _ => return None,
    }
    Some(Vec::new())
}

fn turn(screen: &mut Screen, by: usize) {
    let system = &mut screen.system;
    let at = Section::ALL.iter().position(|s| *s == system.section).unwrap_or(0);
    system.section = Section::ALL[(at + by) % Section::ALL.len()];
    system.down = 0;
}

pub(super) fn turn_overlay(screen: &mut Screen) {
    screen.system.overlay = match screen.system.overlay {
        Overlay::Off => Overlay::On,
        Overlay::On => Overlay::Off,
    }
}
