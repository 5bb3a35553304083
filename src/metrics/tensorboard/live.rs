//! Event files of a run while it trains: a viewer of its records, on a thread of its own.
//!
//! It holds nobody up: the recorder waits for no viewer. What cannot be written is told once and tried again; training never hears
//! of it. It ends with the run.

use super::{Board, EventFile, FOLDER, held_by};
use crate::protocol::{Event, Record};
use crate::run::recorder::Recorder;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select, tick};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How late TensorBoard may see a value.
const FLUSH: Duration = Duration::from_secs(1);
/// How long the end waits for the thread, and the thread for a last record.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
const LAST_WORD: Duration = Duration::from_millis(200);

/// Where a run's event files go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Into the run's own folder.
    WithTheRun,
    At(PathBuf),
}

impl Place {
    pub fn folder(&self, run: &Path) -> PathBuf {
        match self {
            Self::WithTheRun => run.join(FOLDER),
            Self::At(folder) => folder.clone(),
        }
    }
}

/// Writes until the run has ended or this is dropped.
pub struct Live {
    stop: Option<Sender<()>>,
    ended: Receiver<()>,
}

/// `from`: the first record of this process. A run that goes on and was not shown so far is shown from its beginning. `tell` hears at
/// most once of what goes wrong.
pub fn spawn(recorder: &Recorder, folder: PathBuf, from: u64, tell: impl FnOnce(String) + Send + 'static) -> Live {
    let (stop, stopped) = bounded::<()>(0);
    let (end, ended) = bounded::<()>(0);
    let records = recorder.subscribe_from(if held_by(&folder).is_empty() { 0 } else { from });
    // Without room for a thread the run goes on without TensorBoard.
    let _ = thread::Builder::new().name("tensorboard".into()).spawn(move || {
        let _end = end;
        follow(&records, &stopped, &folder, tell);
    });
    Live { stop: Some(stop), ended }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.ended.recv_timeout(LONGEST_WAIT);
    }
}

fn follow(records: &Receiver<Arc<Record>>, stopped: &Receiver<()>, folder: &Path, tell: impl FnOnce(String)) {
    let mut writing = Writing { board: Board::default(), file: EventFile::growing(folder), folder, tell: Some(tell) };
    let due = tick(FLUSH);
    loop {
        select! {
            recv(records) -> record => match record {
                Ok(record) if writing.take(&record) == Now::GoesOn => {}
                Ok(_) | Err(_) => break,
            },
            recv(due) -> _ => writing.flush(),
            recv(stopped) -> _ => {
                // Its last records may still be on their way.
                loop {
                    match records.recv_timeout(LAST_WORD) {
                        Ok(record) if writing.take(&record) == Now::GoesOn => {}
                        Ok(_) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                    }
                }
                break;
            }
        }
    }
    writing.flush();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Now {
    GoesOn,
    Ended,
}

struct Writing<'a, F: FnOnce(String)> {
    board: Board,
    file: EventFile,
    folder: &'a Path,
    tell: Option<F>,
}

impl<F: FnOnce(String)> Writing<'_, F> {
    fn take(&mut self, record: &Record) -> Now {
        for event in self.board.events(record) {
            self.file.add(&event);
        }
        // A run that is caught up with has thousands of records at once.
        if let Err(error) = self.file.flush_when_full() {
            self.failed(&error);
        }
        if let Event::Finished(_) = &record.event { Now::Ended } else { Now::GoesOn }
    }

    fn flush(&mut self) {
        if let Err(error) = self.file.flush() {
            self.failed(&error);
        }
    }

    fn failed(&mut self, error: &std::io::Error) {
        if let Some(tell) = self.tell.take() {
            tell(format!(
                "{}: TensorBoard's files cannot be written: {error}; training goes on, and up to 16 MiB of them wait until it works again",
                self.folder.display()
            ));
        }
    }
}
