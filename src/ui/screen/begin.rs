//! Beginning with a run that is known already: one that is attached to, or a replay that was sent to another step.

use super::{Dialog, Screen};
use crate::run::RunState;
use crate::run::state::Phase;

impl Screen {
    /// Takes over what was known of the run before there was this screen.
    pub fn caught_up(&mut self, state: &RunState) {
        if state.phase == Phase::Paused {
            self.paused_at_ms = Some(state.last_at_ms);
        }
        self.undo = state.turns.last().map(|turn| (turn.dial, turn.old));
        match &state.exhibit {
            Some(exhibit) => self.gallery.take_in(exhibit),
            None => self.gallery.empty(),
        }
    }

    /// Shows a recorded run at another of its steps: what was said of the step before is not true any more.
    pub fn sought(&mut self, state: &RunState) {
        (self.seeking, self.paused_at_ms, self.begun, self.report) = (None, None, None, None);
        (self.scrolled, self.events.line, self.events.mark) = (0, None, None);
        self.toasts.clear();
        if matches!(self.dialog, Some(Dialog::Failed { .. } | Dialog::GiveUp { .. } | Dialog::Unschedule { .. })) {
            self.dialog = None;
        }
        self.caught_up(state);
    }
}
