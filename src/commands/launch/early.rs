//! A run that is still being prepared, behind a screen that is up already.

use super::{Begun, Job, begin, prepare};
use crossbeam_channel::{Receiver, Sender};
use rematch::protocol::Request;
use rematch::protocol::event::{Event, Record, Voice};
use rematch::run::lease::Lease;
use rematch::run::recorder::Recorder;
use rematch::train::{Attended, Trouble};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// What a run that is still being prepared has come to.
#[derive(Default)]
pub(super) struct Early {
    pub doing: String,
    /// What libraries printed before there was a log.
    said: Vec<String>,
    pub log: Option<Recorder>,
    pub trouble: Option<Trouble>,
    /// Nobody wants the run any more: it must not begin.
    pub given_up: bool,
}

pub(super) type Shared = Arc<Mutex<Early>>;

pub(super) fn early(shared: &Shared) -> MutexGuard<'_, Early> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Early {
    /// After the end nothing more is recorded, and a line that comes so late has nowhere to go.
    pub fn say(&mut self, line: String) {
        match &self.log {
            Some(log) => drop(log.record(Event::Said { source: Voice::Stderr, line })),
            None => self.said.push(line),
        }
    }
}

/// Prepares and begins the run behind the screen, and passes its records on.
pub(super) fn behind(
    job: Job,
    (ask, requests): (Sender<Request>, Receiver<Request>),
    lease: Lease,
    shared: Shared,
    records: Sender<Arc<Record>>,
) -> JoinHandle<anyhow::Result<Option<Begun>>> {
    std::thread::spawn(move || {
        let said = shared.clone();
        let data = rematch::data::load_telling(&job.config.data, &mut |done, all| {
            early(&said).doing = format!("reading images: {done} of {all}");
        })?;
        early(&shared).doing = "building networks".into();
        let ready = prepare(job, data, Attended::Yes)?;
        // Held from here: either the run begins, or it is known before that nobody wants it.
        let mut early = early(&shared);
        if early.given_up {
            return Ok(None);
        }
        let begun = begin(ready, requests, &ask, Attended::Yes, &lease)?;
        (early.log, early.trouble) = (Some(begun.recorder.clone()), Some(begun.trouble.clone()));
        for line in std::mem::take(&mut early.said) {
            early.say(line);
        }
        drop(early);
        let from = begun.recorder.subscribe();
        // Ends with the recorder, or with the last who reads.
        std::thread::spawn(move || from.iter().try_for_each(|record| records.send(record)));
        Ok(Some(begun))
    })
}
