//! When the trainer saves, and what: at epochs, at its best, when asked, before a dial is turned far, at the end.
//!
//! Everything but the last of a run is copied to the host here and written by [`super::saver`]. The last is waited for.

use super::checkpoint::{FORMAT, Parts, Reason, Snapshot, State};
use super::ends::{self, Ends, Lost, RETRY, RunError, Slot, tell};
use super::saver::{Job, Standing, can_wait, saved};
use super::trainer::{Trainer, round};
use crate::protocol::command::{Command, CommandId};
use crate::protocol::event::{Evaluated, Warning};
use crate::protocol::{Dial, Event};
use std::time::{Duration, Instant};

/// Ids of what is asked for again, apart from those of viewers, signals and alerts.
const SCRIPT_IDS: u64 = 1 << 48;
/// A dial turned by this factor is turned far.
const FAR: f64 = 3.0;

impl Trainer {
    /// Sees to it that the run has a folder, and a checkpoint in it.
    pub(super) fn look_after(&mut self, ends: &mut Ends) -> Result<(), RunError> {
        match ends::look_after(ends)? {
            Lost::Nothing => Ok(()),
            Lost::Checkpoints => self.save(ends, Reason::Periodic, None),
        }
    }

    pub(super) fn asked_to_save(&mut self, ends: &mut Ends, id: CommandId) -> Result<(), RunError> {
        self.save(ends, Reason::Asked, Some(id))
    }

    /// Before a person turns a dial far, so that there is a way back.
    pub(super) fn save_before(&mut self, ends: &mut Ends, dial: Dial, to: f64) -> Result<(), RunError> {
        let from = self.controls.value(dial);
        let far = (from == 0.0) != (to == 0.0) || to > FAR * from || from > FAR * to;
        if far && dial != Dial::Probes && self.step > 0 && self.saved_at != Some(self.step) {
            self.save(ends, Reason::BeforeChange, None)?;
        }
        Ok(())
    }

    /// After a probe that found more than any before.
    pub(super) fn keep_best(&mut self, ends: &mut Ends) -> Result<(), RunError> {
        if std::mem::take(&mut self.improved) && self.saved_at != Some(self.step) && self.step < self.plan.steps() {
            self.save(ends, Reason::Best, None)?;
        }
        Ok(())
    }

    /// At steps that were named from the start.
    pub(super) fn keep_milestones(&mut self, ends: &mut Ends) -> Result<(), RunError> {
        if self.milestones.contains(&self.step) { self.save(ends, Reason::Asked, None) } else { Ok(()) }
    }

    /// Asks again for what was asked for by hand at this step.
    pub(super) fn follow_script(&mut self, ends: &mut Ends) -> Result<(), RunError> {
        while let Some((_, command)) = self.script.pop_front_if(|(step, _)| *step <= self.step) {
            let id = CommandId(SCRIPT_IDS + self.scripted);
            self.scripted += 1;
            match command {
                Command::Set { change, note } => self.set(ends, Some(id), change, note)?,
                Command::Schedule(timed) => self.schedule(ends, id, timed)?,
                Command::Unschedule(dial) => self.unschedule(ends, id, dial)?,
                // Nothing else changes what is trained.
                Command::SaveCheckpoint
                | Command::Evaluate
                | Command::Examine(_)
                | Command::Exhibit { .. }
                | Command::GiveUp
                | Command::Stop(_) => {}
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, ends: &Ends, reason: Reason, result: Option<&Evaluated>) -> Snapshot {
        let state = State {
            format: FORMAT,
            step: self.step,
            controls: self.controls,
            reason,
            probed: self.probed,
            best: self.best,
            changes: self.changes,
            train_seconds: self.train_time.as_secs_f64(),
            evaluation_seconds: self.evaluation_time.as_secs_f64(),
            watched: self.watch.watched.clone(),
            scheduled: self.scheduled.clone(),
            seq: ends.recorder.recorded(),
            steps_per_epoch: self.plan.steps_per_epoch,
            spoiled_at: self.warned_at,
            robust_set: self.robust_set.clone(),
        };
        let parts = Parts {
            student: &self.student,
            mean: self.ema.as_ref().map(|ema| &ema.model),
            sgd: &self.sgd,
            method: self.method.state(),
            watch: self.watch.state(),
        };
        let provenance = serde_json::json!({
            "train_seconds": round(self.train_time.as_secs_f64(), 3),
            "program": ends.started.program,
            "run": ends.started.run,
            "step": self.step,
            "config": self.config,
            // A steered run is not its config alone; events.jsonl says what was changed when.
            "changes_while_running": self.changes,
            "controls": self.controls,
            "split": ends.started.data.split,
            "teacher": ends.started.teacher,
            "evaluated": result,
        });
        Snapshot::take(&parts, state, &provenance)
    }

    /// Copies everything and lets it be written. Where the one before is not written yet, waits for it; where that one cannot be
    /// written, what training can do without is not saved.
    pub(super) fn save(&mut self, ends: &mut Ends, reason: Reason, by: Option<CommandId>) -> Result<(), RunError> {
        let begin = Instant::now();
        loop {
            match ends.saver.standing() {
                Standing::Idle => break,
                Standing::Failing if by.is_some() => {
                    let reason = ends.trouble.now().unwrap_or_else(|| "the disk is in trouble".into());
                    return by.map_or(Ok(()), |by| tell(ends, Event::Refused { by, reason }));
                }
                Standing::Failing if can_wait(reason) || ends.inbox.stop_waits() => return Ok(()),
                Standing::Failing => {
                    // Anything else would put more steps at risk than lie between two checkpoints.
                    if ends::look_after(ends)? == Lost::Checkpoints {
                        ends.saver.give_up();
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
                Standing::Busy => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        let snapshot = self.snapshot(ends, reason, None);
        self.saved_at = Some(self.step);
        ends.saver.hand_over(Job { snapshot, by, begin, held: begin.elapsed() });
        Ok(())
    }

    /// Saves what the run ends with and waits until it is written: the weights a run ends with are what it was for.
    pub(super) fn save_last(&mut self, ends: &mut Ends, reason: Reason, result: Option<&Evaluated>) -> Result<(), RunError> {
        let begin = Instant::now();
        while ends.saver.standing() != Standing::Idle {
            if ends.saver.standing() == Standing::Failing {
                ends.saver.give_up();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let (state, files) = self.snapshot(ends, reason, result).encode();
        let mut warned = false;
        let written = loop {
            match ends.saver.write_now(&state, &files) {
                // Under a limit on the sizes of files there will be no room, however long it is waited for.
                Err(error) if !ends.inbox.stop_waits() && !error.is_file_too_large() => {
                    let message = format!("{error}; trying again until there is room; a stop from now on gives these weights up");
                    ends.trouble.set(Slot::Checkpoint, Some(message.clone()));
                    if !std::mem::replace(&mut warned, true) {
                        tell(ends, Event::Warned { step: Some(self.step), kind: Warning::DiskFull, message })?;
                    }
                    ends::look_after(ends)?;
                    std::thread::sleep(RETRY);
                }
                other => break other.map_err(super::checkpoint::CheckpointError::from)?,
            }
        };
        ends.trouble.set(Slot::Checkpoint, None);
        tell(ends, Event::Saved(saved(&written, self.step, None, begin, Some(begin.elapsed().as_millis() as u64))))?;
        ends.saver.prune(self.step);
        Ok(())
    }
}
