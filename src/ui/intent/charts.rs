//! What keys do in the Charts view.

use super::Effect;
use crate::run::RunState;
use crate::ui::keymap::Intent;
use crate::ui::screen::Screen;

/// `None`: the key means here what it means everywhere.
pub(super) fn act(_screen: &mut Screen, _state: &RunState, intent: Intent) -> Option<Vec<Effect>> {
    let _ = intent;
    None
}
