//! What signals mean while the screen is up, and stopping the whole process on purpose.

use super::{App, Dirty, Surface};
use crate::protocol::Command;
use crate::ui::event::Signal;
use crate::ui::intent::{self, Effect, Leave};
use crate::ui::screen::Asked;
use std::time::{Duration, Instant};

/// A SIGCONT this soon after a resume is the one that caused it.
const SAME_CONTINUE: Duration = Duration::from_millis(500);

impl<S: Surface> App<'_, S> {
    pub(super) fn signal(&mut self, signal: Signal) -> Option<Leave> {
        match signal {
            Signal::Terminate => Some(Leave::Terminated),
            Signal::HangUp => Some(Leave::HungUp),
            Signal::Interrupt => {
                self.mark(Dirty::Key);
                let effects = intent::interrupt(&mut self.screen, &self.state);
                self.carry_out(effects)
            }
            Signal::Save => self.carry_out(vec![Effect::Ask(Command::SaveCheckpoint, Asked::Save)]),
            Signal::Continue if self.resumed.is_some_and(|at| at.elapsed() < SAME_CONTINUE) => None,
            Signal::Continue => self.come_back(),
        }
    }

    /// Stops the whole process until somebody continues it.
    pub(super) fn suspend(&mut self) -> Option<Leave> {
        if self.surface.suspend().is_err() {
            return Some(Leave::HungUp);
        }
        self.come_back()
    }

    /// After the process was stopped: whoever stopped it may have changed everything about the terminal.
    pub(super) fn come_back(&mut self) -> Option<Leave> {
        let now = (self.clock)();
        if self.ticks() {
            // While a clock goes the time is looked at each second, so that what is missing is the time spent stopped.
            self.screen.away_ms += now.saturating_sub(self.screen.now_ms);
        }
        self.screen.now_ms = now;
        if self.surface.resume().is_err() {
            return Some(Leave::HungUp);
        }
        self.resumed = Some(Instant::now());
        self.mark(Dirty::Key);
        None
    }
}
