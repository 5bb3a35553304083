//! Where a run is told and kept: the recorder, the requests, the run's folder, and what to do when the disk is full or the folder gone.
//!
//! It decides nothing about training; it only makes sure that what happened is on disk before anybody acts on it.

use super::checkpoint::CheckpointError;
use super::inbox::Inbox;
use super::saver::Saver;
use super::trainer::{Trainer, round};
use crate::data::DataError;
use crate::protocol::event::{Finished, Started, Warning};
use crate::protocol::{Command, Event, Outcome, Request};
use crate::run::recorder::{Recorder, RecorderError};
use crate::run::registry::Registration;
use crate::run::store::{RunFolder, Whereabouts};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where a run is told and kept.
pub struct Ends {
    pub started: Started,
    pub recorder: Recorder,
    pub inbox: Inbox,
    pub folder: RunFolder,
    /// What other programs find the run by, wherever its folder is.
    pub registration: Registration,
    pub saver: Saver,
    /// When the folder was last looked after.
    pub looked: Instant,
    /// Why nothing can be recorded at the moment, for viewers: what cannot be logged cannot be said as an event either.
    pub trouble: Trouble,
}

/// Messages that are there while something holds the run up.
#[derive(Clone, Default)]
pub struct Trouble(Arc<Mutex<BTreeMap<Slot, String>>>);

/// What is held up: each tells for itself when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    Folder,
    Log,
    Checkpoint,
}

impl Trouble {
    /// The most pressing one.
    pub fn now(&self) -> Option<String> {
        self.all().values().next().cloned()
    }

    pub(super) fn set(&self, slot: Slot, message: Option<String>) {
        match message {
            Some(message) => drop(self.all().insert(slot, message)),
            None => drop(self.all().remove(&slot)),
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Slot, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Records an event. While the log cannot be written the run waits here and says so; a stop ends the wait.
#[expect(clippy::needless_pass_by_value, reason = "an event is made to be told")]
pub fn tell(ends: &mut Ends, event: Event) -> Result<(), RunError> {
    loop {
        match ends.recorder.record(event.clone()) {
            Ok(_) => {
                ends.trouble.set(Slot::Log, None);
                return Ok(());
            }
            Err(error @ (RecorderError::DiskFull { .. } | RecorderError::Unwritable { .. })) if !ends.inbox.stop_waits() => {
                ends.trouble.set(Slot::Log, Some(format!("training waits: {error}")));
                std::thread::sleep(RETRY);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// How often it is looked whether the run's folder is still there.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether something was lost that the weights as they are now can make good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Nothing,
    /// The folder was deleted and made again: the checkpoints are gone.
    Checkpoints,
}

/// Follows a folder that was moved, and makes one again that was deleted: a run that trains must not end with nothing.
pub fn look_after(ends: &mut Ends) -> Result<Lost, RunError> {
    if ends.looked.elapsed() < LOOK_EVERY {
        return Ok(Lost::Nothing);
    }
    ends.looked = Instant::now();
    let warned = |message| Event::Warned { step: None, kind: Warning::Other, message };
    match ends.folder.whereabouts() {
        Whereabouts::Here => Ok(Lost::Nothing),
        Whereabouts::Moved(path) => {
            ends.folder.follow(path.clone());
            ends.recorder.follow(&ends.folder);
            ends.registration = Registration::new(&path);
            ends.trouble.set(Slot::Folder, None);
            tell(ends, warned(format!("the run's folder was moved; it is {} now, and the run goes on there", path.display())))?;
            Ok(Lost::Nothing)
        }
        Whereabouts::Gone => {
            let path = ends.folder.now();
            let made = ends.folder.make_again().map_err(|error| error.to_string());
            match made.and_then(|()| ends.recorder.make_again(&ends.folder).map_err(|error| error.to_string())) {
                Ok(()) => {
                    ends.trouble.set(Slot::Folder, None);
                    let message = format!(
                        "{} was deleted while the run trains: it was made again with the whole log; its checkpoints and evaluations are gone, and a new checkpoint is written now. To be rid of a run, stop it first",
                        path.display()
                    );
                    tell(ends, warned(message))?;
                    Ok(Lost::Checkpoints)
                }
                Err(error) => {
                    let message =
                        format!("{} was deleted while the run trains, and cannot be made again: {error}", path.display());
                    ends.trouble.set(Slot::Folder, Some(message));
                    Ok(Lost::Nothing)
                }
            }
        }
    }
}

/// Answers what is still asked when a run has ended, and says how it ended.
pub fn finish(mut ends: Ends, outcome: Outcome, trainer: &Trainer) {
    // What is being written is told before the end.
    drop(ends.saver);
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
    // If even this cannot be recorded, viewers learn it from the closed channel. Others hold the recorder too.
    if let Err(error) = ends.recorder.record(Event::Finished(finished)) {
        ends.trouble.set(Slot::Log, Some(error.to_string()));
        ends.recorder.close();
    }
}
