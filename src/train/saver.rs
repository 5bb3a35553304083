//! The thread that writes checkpoints while training goes on, and says when they have their names.
//!
//! Training copies its tensors to the host and hands them over ([`super::checkpoint::Snapshot`]); hashing, writing, syncing and
//! tidying up happen here. One at a time: where the disk is slower than training saves, training waits for it. **A checkpoint that
//! cannot be written is tried again** until there is room, and training goes on meanwhile until it would have to write the next
//! one: so never more than the steps between two checkpoints are at risk.

use super::checkpoint::{Snapshot, State};
use super::ends::{RETRY, Slot, Trouble};
use crate::protocol::command::CommandId;
use crate::protocol::event::{Saved, Warning};
use crate::protocol::{Event, Step};
use crate::run::checkpoints::{self, CheckpointError, Keep, Reason, Written};
use crate::run::recorder::{Recorder, RecorderError};
use crate::run::store::{RunFolder, Whereabouts};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// So often it is tried to write into a folder that is not in its place before that is told.
const PATIENT: u32 = 6;

/// A checkpoint to be written.
pub struct Job {
    pub snapshot: Snapshot,
    pub by: Option<CommandId>,
    /// When it was asked for.
    pub begin: Instant,
    /// How long training stood still for it.
    pub held: Duration,
}

/// What the thread needs besides.
#[derive(Clone)]
pub struct Place {
    pub folder: RunFolder,
    pub recorder: Recorder,
    pub trouble: Trouble,
    pub keep: Keep,
}

/// What the thread is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Idle,
    Busy,
    /// It could not write, and tries again.
    Failing,
}

pub struct Saver {
    jobs: Option<Sender<Job>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    place: Place,
}

#[derive(Default)]
struct Shared {
    /// Numbers of jobs: handed over, done, failed at least once, and given up.
    given: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Saver {
    pub fn spawn(place: Place) -> Self {
        let (jobs, to_do) = bounded(1);
        let shared = Arc::new(Shared::default());
        let (seen, at) = (shared.clone(), place.clone());
        let thread = std::thread::Builder::new().name("checkpoints".into()).spawn(move || work(&to_do, &seen, &at)).ok();
        // Without room for a thread nobody receives: `hand_over` then writes by itself.
        let jobs = thread.is_some().then_some(jobs);
        Self { jobs, shared, thread, place }
    }

    pub fn standing(&self) -> Standing {
        let given = self.shared.given.load(Ordering::Acquire);
        if self.shared.done.load(Ordering::Acquire) == given {
            Standing::Idle
        } else if self.shared.failed.load(Ordering::Acquire) == given {
            Standing::Failing
        } else {
            Standing::Busy
        }
    }

    /// Gives a checkpoint to the thread, which is idle.
    pub fn hand_over(&self, job: Job) {
        self.shared.given.fetch_add(1, Ordering::AcqRel);
        let refused = match &self.jobs {
            Some(jobs) => jobs.send(job).err().map(|refused| refused.0),
            None => Some(job),
        };
        if let Some(job) = refused {
            let number = self.shared.given.load(Ordering::Acquire);
            carry_out(job, number, &self.shared, &self.place);
        }
    }

    /// The checkpoint that cannot be written is not tried again: a newer one takes its place.
    pub fn give_up(&self) {
        self.shared.dropped.store(self.shared.given.load(Ordering::Acquire), Ordering::Release);
        while self.standing() != Standing::Idle {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Until nothing is under way that can be finished.
    pub fn settle(&self) {
        while self.standing() == Standing::Busy {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Writes one here and now. The thread is idle.
    ///
    /// # Errors
    /// Why it could not be written; the job comes back as its files.
    pub fn write_now(&self, state: &State, files: &[(&'static str, Vec<u8>)]) -> Result<Written, CheckpointError> {
        write(state, files, &self.place)
    }

    /// After the last checkpoint of a run, which is at `step`.
    pub fn prune(&self, step: Step) {
        checkpoints::forget_after(&self.place.folder.checkpoints(), step);
        checkpoints::prune(&self.place.folder.checkpoints(), self.place.keep);
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        // What is under way is finished, unless it cannot be.
        while self.standing() != Standing::Idle {
            if self.standing() == Standing::Failing {
                self.shared.dropped.store(u64::MAX, Ordering::Release);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(jobs: &Receiver<Job>, shared: &Shared, place: &Place) {
    for (number, job) in (1..).zip(jobs) {
        carry_out(job, number, shared, place);
    }
}

fn carry_out(job: Job, number: u64, shared: &Shared, place: &Place) {
    let Job { snapshot, by, begin, held } = job;
    let (state, files) = snapshot.encode();
    let given_up = || shared.dropped.load(Ordering::Acquire) >= number;
    let (mut told, mut attempts) = (false, 0);
    let written = loop {
        match write(&state, &files, place) {
            Ok(written) => break Some(written),
            Err(error) => {
                if let Some(by) = by {
                    // A person waits for the answer, and may ask again.
                    let _ = place.recorder.record(Event::Refused { by, reason: error.to_string() });
                    break None;
                }
                if error.is_file_too_large() {
                    let message = format!("{error}; training goes on without it");
                    let _ = place.recorder.record(Event::Warned { step: Some(state.step), kind: Warning::DiskFull, message });
                    break None;
                }
                let message =
                    format!("{error}; it is tried again, and training waits at the next checkpoint until there is room");
                attempts += 1;
                shared.failed.store(number, Ordering::Release);
                // A folder that was moved is followed within a second or two, and nobody need be troubled by that.
                let patient = place.folder.whereabouts() != Whereabouts::Here && attempts < PATIENT;
                if !patient {
                    place.trouble.set(Slot::Checkpoint, Some(message.clone()));
                }
                if !patient && !std::mem::replace(&mut told, true) {
                    let _ = place.recorder.record(Event::Warned { step: Some(state.step), kind: Warning::DiskFull, message });
                }
                let deadline = Instant::now() + RETRY;
                while !given_up() && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(10));
                }
                if given_up() {
                    break None;
                }
            }
        }
    };
    place.trouble.set(Slot::Checkpoint, None);
    if let Some(written) = written {
        let held = Some(held.as_millis() as u64);
        let saved = Event::Saved(saved(&written, state.step, by, begin, held));
        // Where the disk is full the record waits for room as everything does: the checkpoint itself is there.
        while let Err(error @ (RecorderError::DiskFull { .. } | RecorderError::Unwritable { .. })) =
            place.recorder.record(saved.clone())
        {
            shared.failed.store(number, Ordering::Release);
            place.trouble.set(Slot::Checkpoint, Some(error.to_string()));
            if given_up() {
                break;
            }
            std::thread::sleep(RETRY);
        }
        place.trouble.set(Slot::Checkpoint, None);
        checkpoints::prune(&place.folder.checkpoints(), place.keep);
    }
    shared.done.store(number, Ordering::Release);
}

fn write(state: &State, files: &[(&'static str, Vec<u8>)], place: &Place) -> Result<Written, CheckpointError> {
    if place.folder.whereabouts() != Whereabouts::Here {
        // Making it again is for whoever looks after the folder: a checkpoint alone is no run.
        let source = std::io::Error::other("the run's folder was moved or deleted");
        return Err(CheckpointError::Unwritable { path: place.folder.checkpoints(), source });
    }
    checkpoints::write(&place.folder.checkpoints(), state, files)
}

/// What is said of a checkpoint that has its name.
pub fn saved(written: &Written, step: Step, by: Option<CommandId>, begin: Instant, held_ms: Option<u64>) -> Saved {
    Saved {
        step,
        by,
        path: format!("checkpoints/{}", shown(&written.path)),
        bytes: written.bytes,
        ms: begin.elapsed().as_millis() as u64,
        held_ms,
    }
}

pub fn shown(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// Whether training may do without it when the disk is in trouble.
pub fn can_wait(reason: Reason) -> bool {
    match reason {
        Reason::Best | Reason::BeforeChange => true,
        Reason::Periodic | Reason::Asked | Reason::Stopped | Reason::Final | Reason::Branched => false,
    }
}
