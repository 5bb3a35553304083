//! Changes that were asked for and come later, at one step or bit by bit: told and made between two steps, as a person's own are.

use super::ends::{Ends, RunError, tell};
use super::trainer::Trainer;
use crate::protocol::command::CommandId;
use crate::protocol::{Dial, Event, Step, Timed};

/// More of these than anybody keeps in mind.
const MOST: usize = 100;

impl Trainer {
    pub(super) fn schedule(&mut self, ends: &mut Ends, by: CommandId, timed: Timed) -> Result<(), RunError> {
        if let Err(reason) = self.may_schedule(&timed) {
            return tell(ends, Event::Refused { by, reason });
        }
        let timed = Timed { from: None, asked_at: Some(self.step), ..timed };
        tell(ends, Event::Scheduled { step: self.step, by: Some(by), timed: timed.clone() })?;
        self.scheduled.push(timed);
        // One that begins now begins before the next step.
        self.keep_appointments(ends)
    }

    fn may_schedule(&self, timed: &Timed) -> Result<(), String> {
        let (name, last) = (timed.dial.name(), self.plan.steps());
        self.may_turn(timed.dial)?;
        timed.dial.check(timed.to, self.controls.norm)?;
        if timed.at < self.step {
            return Err(format!("step {} is over: the next step is {}", timed.at, self.step));
        }
        if timed.at >= last {
            return Err(format!("step {} is beyond the run: its last step is {}", timed.at, last.saturating_sub(1)));
        }
        if timed.at.checked_add(timed.over).is_none_or(|end| end > last) {
            return Err(format!("a ramp of {} steps from step {} ends beyond the run, which has {last}", timed.over, timed.at));
        }
        let meets = |other: &&Timed| {
            let (a, b) = ((timed.at, timed.ends()), (other.at, other.ends()));
            other.dial == timed.dial && a.0 <= b.1 && b.0 <= a.1
        };
        if let Some(other) = self.scheduled.iter().find(meets) {
            return Err(format!("{name} has a change there already: {}; give it up first", other.words()));
        }
        if self.scheduled.len() >= MOST {
            return Err(format!("{MOST} changes wait already"));
        }
        Ok(())
    }

    pub(super) fn unschedule(&mut self, ends: &mut Ends, by: CommandId, dial: Dial) -> Result<(), RunError> {
        if !self.scheduled.iter().any(|timed| timed.dial == dial) {
            return tell(ends, Event::Refused { by, reason: format!("nothing is scheduled for {}", dial.name()) });
        }
        self.forget(ends, Some(by), dial, None)
    }

    fn forget(&mut self, ends: &mut Ends, by: Option<CommandId>, dial: Dial, reason: Option<String>) -> Result<(), RunError> {
        tell(ends, Event::Unscheduled { step: self.step, by, dial, reason })?;
        self.scheduled.retain(|timed| timed.dial != dial);
        Ok(())
    }

    /// A person who turns a dial while it is on a ramp has the last word.
    pub(super) fn overrule(&mut self, ends: &mut Ends, dial: Dial) -> Result<(), RunError> {
        let step = self.step;
        let ramps = self.scheduled.iter().any(|timed| timed.dial == dial && timed.from.is_some() && timed.at <= step);
        if ramps { self.forget(ends, None, dial, Some("it was set by hand".into())) } else { Ok(()) }
    }

    /// Takes the stairs that are due after the steps done so far.
    pub(super) fn keep_appointments(&mut self, ends: &mut Ends) -> Result<(), RunError> {
        let step: Step = self.step;
        let mut i = 0;
        while i < self.scheduled.len() {
            let dial = self.scheduled[i].dial;
            let present = self.controls.value(dial);
            if self.scheduled[i].at <= step {
                self.scheduled[i].from.get_or_insert(present);
            }
            let Some((stair, value)) = self.scheduled[i].stands(step, present) else {
                i += 1;
                continue;
            };
            if value != present || stair.is_last() {
                let note = self.scheduled[i].note.clone();
                self.turn(ends, None, dial.to(value), note, Some(stair))?;
            }
            if stair.is_last() {
                self.scheduled.remove(i);
            } else {
                i += 1;
            }
        }
        Ok(())
    }
}
