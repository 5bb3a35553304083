//! Where a run is told and kept: the recorder, the requests, the folder of checkpoints, and what to do when the disk is full.
//!
//! It decides nothing about training; it only makes sure that what happened is on disk before anybody acts on it.

use super::checkpoint::CheckpointError;
use super::inbox::Inbox;
use super::trainer::{Trainer, round};
use crate::data::DataError;
use crate::protocol::event::{Finished, Started};
use crate::protocol::{Command, Event, Outcome, Request};
use crate::run::recorder::{Recorder, RecorderError};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where a run is told and kept.
pub struct Ends {
    pub started: Started,
    pub recorder: Recorder,
    pub inbox: Inbox,
    pub checkpoints: PathBuf,
    /// Why nothing can be recorded at the moment, for viewers: what cannot be logged cannot be said as an event either.
    pub trouble: Trouble,
}

/// A message that is there while something holds the run up.
#[derive(Clone, Default)]
pub struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    pub fn now(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, message: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = message;
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Log(#[from] RecorderError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("{0}")]
    NonFinite(String),
}

/// How often a full disk is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// Records an event. While the disk is full the run waits here and says so; a stop ends the wait.
#[expect(clippy::needless_pass_by_value, reason = "an event is made to be told")]
pub fn tell(ends: &mut Ends, event: Event) -> Result<(), RunError> {
    loop {
        match ends.recorder.record(event.clone()) {
            Ok(_) => {
                ends.trouble.set(None);
                return Ok(());
            }
            Err(error @ RecorderError::DiskFull { .. }) if !ends.inbox.stop_waits() => {
                ends.trouble.set(Some(format!("training waits: {error}")));
                std::thread::sleep(RETRY);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Answers what is still asked when a run has ended, and says how it ended.
pub fn finish(ends: &mut Ends, outcome: Outcome, trainer: &Trainer) {
    while let Some(Request { id, command }) = ends.inbox.take() {
        if !matches!(command, Command::Stop(_)) {
            let _ = ends.recorder.record(Event::Refused { by: id, reason: "the run has ended".into() });
        }
    }
    let finished = Finished {
        outcome,
        step: trainer.step,
        train_seconds: round(trainer.train_time.as_secs_f64(), 3),
        evaluation_seconds: round(trainer.evaluation_time.as_secs_f64(), 3),
    };
    // If even this cannot be recorded, viewers learn it from the closed channel.
    if let Err(error) = ends.recorder.record(Event::Finished(finished)) {
        ends.trouble.set(Some(error.to_string()));
    }
}
