//! What was changed by hand in a run, so that it can be changed again: at the same steps, in the same order.
//!
//! Only what a person asked for: a ramp takes its stairs by itself, and what training does by itself it does again. Of steps that were
//! done again after a kill the last time counts.

use crate::protocol::{Command, Event, Record, Step};

/// One thing that was asked for, and when it was in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Number of the record that says so.
    pub seq: u64,
    /// The first step under it.
    pub step: Step,
    pub command: Command,
}

/// Follows the records of a run, in order.
#[derive(Clone, Debug, Default)]
pub struct Script {
    entries: Vec<Entry>,
}

impl Script {
    pub fn see(&mut self, record: &Record) {
        let seq = record.seq;
        let (step, command) = match &record.event {
            Event::Started(started) => {
                if let Some(resumed) = &started.resumed {
                    self.entries.retain(|entry| entry.seq < resumed.from_seq);
                }
                return;
            }
            Event::Controlled { step, by: Some(_), change, note, stair: None, .. } if change.dial().is_some() => {
                (*step, Command::Set { change: *change, note: note.clone() })
            }
            Event::Scheduled { step, by: Some(_), timed } => (*step, Command::Schedule(timed.clone())),
            Event::Unscheduled { step, by: Some(_), dial, .. } => (*step, Command::Unschedule(*dial)),
            Event::Controlled { .. }
            | Event::Scheduled { by: None, .. }
            | Event::Unscheduled { by: None, .. }
            | Event::Progress(_)
            | Event::Pulled(_)
            | Event::Exhibited(_)
            | Event::Refused { .. }
            | Event::Stopping { .. }
            | Event::Evaluated(_)
            | Event::Examining { .. }
            | Event::Examined { .. }
            | Event::EpochFinished(_)
            | Event::Saved(_)
            | Event::Preparing(_)
            | Event::Machine(_)
            | Event::Warned { .. }
            | Event::Said { .. }
            | Event::Finished(_) => return,
        };
        self.entries.push(Entry { seq, step, command });
    }

    /// Oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What a checkpoint does not know of that was taken before record `seq`.
    pub fn after(&self, seq: u64) -> Vec<(Step, Command)> {
        self.entries.iter().filter(|entry| entry.seq >= seq).map(|entry| (entry.step, entry.command.clone())).collect()
    }
}
