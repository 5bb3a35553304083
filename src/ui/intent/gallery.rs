//! What keys do in the Gallery: they choose what is looked at, and one of them asks the worker to attack images. That costs the
//! worker about as much as a probe and changes nothing of training.

use super::{Effect, may_steer};
use crate::protocol::Command;
use crate::protocol::insight::{Group, MOST_FOOLED};
use crate::run::RunState;
use crate::run::state::Phase;
use crate::ui::keymap::Intent;
use crate::ui::screen::{Asked, Mood, Screen, Size};

/// Images of each group that are asked for: what a row of small pictures has room for on most screens.
const EACH: u64 = 4;
/// Images that Page Up and Page Down go: those in a row of small pictures.
const PAGE: usize = 8;

/// `None`: the key means here what it means everywhere.
pub(super) fn act(screen: &mut Screen, state: &RunState, intent: Intent) -> Option<Vec<Effect>> {
    match intent {
        Intent::Left => walk(screen, state, |place, _| place.saturating_sub(1)),
        Intent::Right => walk(screen, state, |place, last| (place + 1).min(last)),
        Intent::PageUp => walk(screen, state, |place, _| place.saturating_sub(PAGE)),
        Intent::PageDown => walk(screen, state, |place, last| (place + PAGE).min(last)),
        Intent::First => walk(screen, state, |_, _| 0),
        Intent::Last => walk(screen, state, |_, last| last),
        Intent::LineUp => turn(screen, Group::ALL.len() - 1),
        Intent::LineDown => turn(screen, 1),
        Intent::NextLook => screen.gallery.look = screen.gallery.look.next(),
        Intent::Open => {
            screen.gallery.size = match screen.gallery.size {
                Size::Usual => Size::Large,
                Size::Large => Size::Usual,
            }
        }
        Intent::Back if screen.gallery.size == Size::Large => screen.gallery.size = Size::Usual,
        Intent::Exhibit => return Some(exhibit(screen, state)),
        _ => return None,
    }
    Some(Vec::new())
}

fn walk(screen: &mut Screen, state: &RunState, to: fn(usize, usize) -> usize) {
    let Some(exhibit) = &state.exhibit else { return };
    let gallery = &mut screen.gallery;
    let pieces = gallery.of(exhibit, gallery.group).len();
    let place = to(gallery.place(pieces), pieces.saturating_sub(1));
    gallery.go_to(place);
}

fn turn(screen: &mut Screen, by: usize) {
    let at = Group::ALL.iter().position(|group| *group == screen.gallery.group).unwrap_or(0);
    screen.gallery.group = Group::ALL[(at + by) % Group::ALL.len()];
}

/// Fooled images that the next look may leave out: those before and on this page, where its last one is looked at and there are more.
fn next(screen: &Screen, state: &RunState) -> u64 {
    let Some(exhibit) = &state.exhibit else { return 0 };
    let shown = screen.gallery.of(exhibit, Group::Fooled).len();
    let at_end = screen.gallery.group == Group::Fooled && screen.gallery.place(shown) + 1 >= shown;
    let reached = exhibit.from + shown as u64;
    if at_end && shown > 0 && reached < exhibit.fooled { reached } else { 0 }
}

/// Asks for images, or says why there can be none at present.
fn exhibit(screen: &mut Screen, state: &RunState) -> Vec<Effect> {
    if !may_steer(screen, state) {
        return Vec::new();
    }
    let reason = if screen.waiting.iter().any(|(_, asked)| *asked == Asked::Exhibit) {
        "images were asked for already: they come after this step"
    } else if state.examining.is_some() {
        "an evaluation runs: ask again when it has ended"
    } else if matches!(state.phase, Phase::Stopping(_)) {
        "the run is stopping: no images are attacked any more"
    } else if state.started.as_ref().is_some_and(|started| started.data.validation == 0) {
        "there are no validation images (data.validation_images)"
    } else {
        return vec![Effect::Ask(
            Command::Exhibit { each: EACH, fooled: MOST_FOOLED, from: next(screen, state) },
            Asked::Exhibit,
        )];
    };
    screen.toast(Mood::Bad, reason);
    Vec::new()
}
