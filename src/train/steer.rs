//! A change of a control: refused with the reason, or on disk first and then in force.

use super::ends::{Ends, RunError, tell};
use super::trainer::Trainer;
use crate::protocol::command::CommandId;
use crate::protocol::{Change, Dial, Event, Stair};

impl Trainer {
    /// Makes a change: on disk first, then in force.
    pub(super) fn set(
        &mut self,
        ends: &mut Ends,
        by: Option<CommandId>,
        change: Change,
        note: Option<String>,
    ) -> Result<(), RunError> {
        if let (Some((dial, to)), Some(_)) = (change.dial(), by)
            && self.may_turn(dial).and_then(|()| dial.check(to, self.controls.norm)).is_ok()
        {
            self.save_before(ends, dial, to)?;
        }
        let before = self.changes;
        self.turn(ends, by, change, note, None)?;
        match (change.dial(), by) {
            (Some((dial, _)), Some(_)) if self.changes > before => self.overrule(ends, dial),
            _ => Ok(()),
        }
    }

    /// Whether this method has a use for it.
    pub(super) fn may_turn(&self, dial: Dial) -> Result<(), String> {
        if self.method.dials().contains(&dial) {
            return Ok(());
        }
        Err(format!("{} has no {}; it can turn {}", self.config.method.name(), dial.name(), names(self.method.dials())))
    }

    pub(super) fn turn(
        &mut self,
        ends: &mut Ends,
        by: Option<CommandId>,
        change: Change,
        note: Option<String>,
        stair: Option<Stair>,
    ) -> Result<(), RunError> {
        let usable = change.dial().map_or(Ok(()), |(dial, _)| self.may_turn(dial));
        match (usable.and_then(|()| self.controls.with(change)), by) {
            (Ok(next), _) => {
                let previous = self.controls.present(change);
                tell(ends, Event::Controlled { step: self.step, by, change, previous, note, stair })?;
                self.controls = next;
                self.changes += u64::from(change.dial().is_some());
            }
            (Err(reason), Some(by)) => tell(ends, Event::Refused { by, reason })?,
            (Err(_), None) => {}
        }
        Ok(())
    }
}

fn names(dials: &[Dial]) -> String {
    dials.iter().map(|d| d.name()).collect::<Vec<_>>().join(", ")
}
