//! The one place that turns events into records: numbers, times, appends to `events.jsonl`, and only then hands on.
//!
//! **Log first, then viewers.** A record is one line, given to the system in one write; what steers or ends training is synced
//! to the disk before anybody hears of it. A write that fails is undone, so that the log never holds a torn line in its middle:
//! the event has not happened then, its number is not used, and the caller may free space and try again.
//!
//! **A viewer holds nobody up.** The newest records are kept in a ring. Each viewer has a thread of its own that copies them into
//! the viewer's small channel; where it finds that the ring has moved on, it reads on in the file, from the byte it had come
//! to. A viewer that stops reading thus stops its own thread and nothing else, takes no more memory than its channel, and misses
//! nothing when it goes on; one that comes late starts at the first record of the file by the same path.
//!
//! It does not read logs of runs that are over (that is [`super::replay`]) and gives records no meaning. The clock of records is
//! read here; whoever else needs the time of day asks [`now_ms`].

use super::replay::MOST_BYTES;
use super::store::{RunFolder, advice};
use crate::protocol::{Event, Record};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// Records kept in memory for viewers: some minutes of training.
const RING: usize = 4096;
/// Records that may wait in one viewer's channel.
const WAITING: usize = 1024;

#[derive(Debug, Error)]
pub enum RecorderError {
    #[error("no space left for {}: {source}; free some space on that disk and go on", path.display())]
    DiskFull { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}; {}", path.display(), advice(source))]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{} already holds records; a new run needs a new folder", path.display())]
    NotNew { path: PathBuf },
    #[error("{} has ended; only a resumed run may add to it", path.display())]
    Ended { path: PathBuf },
    #[error("an event could not be read again from its JSON, so it was not written: {0}")]
    Unencodable(#[from] serde_json::Error),
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64
}

/// A record as its line of `events.jsonl`, with its line feed.
///
/// # Errors
/// Never for records whose numbers are of this program's types; JSON's own otherwise.
pub fn line(record: &Record) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}

/// Writes the records of one run. Clones write to the same one; viewers' channels end when the last clone is gone.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

type Clock = Box<dyn FnMut() -> u64 + Send>;

/// Where lines go.
trait Sink: Send {
    /// Takes the whole line, in one write where the system allows.
    fn append(&mut self, line: &[u8]) -> io::Result<()>;
    /// Until what was appended survives the machine.
    fn sync(&mut self) -> io::Result<()>;
    /// Forgets everything after the first `length` bytes.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

struct Log {
    sink: Box<dyn Sink>,
    clock: Clock,
    path: PathBuf,
    next_seq: u64,
    last_ms: u64,
    /// Bytes of whole lines.
    length: u64,
    /// Something may lie after them that a failed write left and a failed cut did not take away.
    torn: bool,
    ended: bool,
}

struct Inner {
    log: Mutex<Log>,
    shared: Arc<Shared>,
    /// Held for as long as anybody may write.
    _lock: Option<Arc<File>>,
}

/// What viewers' threads see. Apart from the log's own lock, so that no viewer waits for a disk or a writer for a viewer.
struct Shared {
    recent: Mutex<Recent>,
    more: Condvar,
    /// Where older records can be read again; without it all are kept.
    file: Option<PathBuf>,
}

#[derive(Default)]
struct Recent {
    ring: VecDeque<Kept>,
    /// Bytes of the file that hold whole lines.
    length: u64,
    next_seq: u64,
    closed: bool,
}

#[derive(Clone)]
struct Kept {
    record: Arc<Record>,
    /// Where the next line starts in the file.
    end: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks is left half done by a panic: each value is set last.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Starts the log of a new run.
    ///
    /// # Errors
    /// When the log cannot be written, or holds something already.
    pub fn create(folder: &RunFolder) -> Result<Self, RecorderError> {
        Self::on_file(&folder.events(), folder.held(), Box::new(now_ms))
    }

    fn on_file(path: &Path, lock: Option<Arc<File>>, clock: Clock) -> Result<Self, RecorderError> {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        let file = opened.map_err(|source| RecorderError::Unwritable { path: path.to_path_buf(), source })?;
        if file.metadata().is_ok_and(|facts| facts.len() > 0) {
            return Err(RecorderError::NotNew { path: path.to_path_buf() });
        }
        Ok(Self::new(Box::new(file), path, Some(path.to_path_buf()), lock, clock))
    }

    /// Records into any writer, with a given clock and no file to read again: viewers are served from memory, which grows.
    pub fn to_writer(writer: impl Write + Send + 'static, clock: impl FnMut() -> u64 + Send + 'static) -> Self {
        Self::new(Box::new(Plain(writer)), Path::new("the log"), None, None, Box::new(clock))
    }

    fn new(sink: Box<dyn Sink>, path: &Path, file: Option<PathBuf>, lock: Option<Arc<File>>, clock: Clock) -> Self {
        let path = path.to_path_buf();
        let log = Log { sink, clock, path, next_seq: 0, last_ms: 0, length: 0, torn: false, ended: false };
        let shared = Arc::new(Shared { recent: Mutex::default(), more: Condvar::new(), file });
        Self { inner: Arc::new(Inner { log: Mutex::new(log), shared, _lock: lock }) }
    }

    /// Makes an event a fact: when this returns it is in the log, on the disk where it must be, and on its way to viewers.
    ///
    /// # Errors
    /// When it could not be written. Then it has not happened: nothing of it is in the log, and it may be tried again. After
    /// `Finished` nothing but another `Started` is taken.
    pub fn record(&self, event: Event) -> Result<Arc<Record>, RecorderError> {
        let mut log = locked(&self.inner.log);
        let log = &mut *log;
        let (starts, ends) = (matches!(event, Event::Started(_)), matches!(event, Event::Finished(_)));
        if log.ended && !starts {
            return Err(RecorderError::Ended { path: log.path.clone() });
        }
        let synced = must_survive(&event);
        let at_ms = (log.clock)().max(log.last_ms);
        let record = Record { seq: log.next_seq, at_ms, event };
        let line = line(&record)?;
        // Writing rounds, and JSON has no NaN for plain numbers. What is handed on is what a reader of the log will see, and what
        // could not be read again is refused before it is in the log.
        let record: Record = serde_json::from_slice(&line)?;
        log.write(&line, synced).map_err(|source| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                RecorderError::DiskFull { path: log.path.clone(), source }
            }
            _ => RecorderError::Unwritable { path: log.path.clone(), source },
        })?;
        log.next_seq += 1;
        log.last_ms = at_ms;
        log.ended = ends;
        let record = Arc::new(record);
        // Still under the log's lock, so that viewers get records in the order of their numbers.
        self.inner.shared.hand_on(Kept { record: record.clone(), end: log.length });
        Ok(record)
    }

    /// All records of this run from the first on, as they come. The channel ends when every clone of the recorder is gone and
    /// everything was handed over.
    pub fn subscribe(&self) -> Receiver<Arc<Record>> {
        let (to, from) = bounded(WAITING);
        let shared = self.inner.shared.clone();
        thread::Builder::new()
            .name("viewer".into())
            .spawn(move || shared.feed(&to))
            .expect("the system has room for one more thread");
        from
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        locked(&self.shared.recent).closed = true;
        self.shared.more.notify_all();
    }
}

/// What steers or ends training, and what a person was told happened, is on the disk before it acts.
fn must_survive(event: &Event) -> bool {
    match event {
        Event::Started(_)
        | Event::Controlled { .. }
        | Event::Refused { .. }
        | Event::Stopping { .. }
        | Event::Saved(_)
        | Event::Warned { .. }
        | Event::Finished(_) => true,
        Event::Progress(_) | Event::Evaluated(_) | Event::EpochFinished(_) | Event::Machine(_) | Event::Said { .. } => false,
    }
}

impl Log {
    fn write(&mut self, line: &[u8], synced: bool) -> io::Result<()> {
        if self.torn {
            self.sink.cut(self.length)?;
            self.torn = false;
        }
        let written = self.sink.append(line).and_then(|()| if synced { self.sink.sync() } else { Ok(()) });
        if written.is_err() {
            self.torn = self.sink.cut(self.length).is_err();
        } else {
            self.length += line.len() as u64;
        }
        written
    }
}

impl Sink for File {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        // One write in all but the last moments of a disk, where it may take a part; the next then says why.
        self.write_all(line)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// A writer that cannot take back what it was given.
struct Plain<W>(W);

impl<W: Write + Send> Sink for Plain<W> {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.write_all(line)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn cut(&mut self, _: u64) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}

impl Shared {
    fn hand_on(&self, kept: Kept) {
        let mut recent = locked(&self.recent);
        if self.file.is_some() && recent.ring.len() == RING {
            recent.ring.pop_front();
        }
        recent.length = kept.end;
        recent.next_seq = kept.record.seq + 1;
        recent.ring.push_back(kept);
        drop(recent);
        self.more.notify_all();
    }

    /// Runs until the viewer or the recorder is gone.
    fn feed(&self, to: &Sender<Arc<Record>>) {
        let (mut next, mut offset) = (0, 0);
        loop {
            let mut batch = Vec::new();
            let mut recent = locked(&self.recent);
            while recent.next_seq == next && !recent.closed {
                recent = self.more.wait(recent).unwrap_or_else(PoisonError::into_inner);
            }
            if recent.next_seq == next {
                return;
            }
            let oldest = recent.ring.front().map_or(0, |kept| kept.record.seq);
            let length = recent.length;
            if next >= oldest {
                // A batch no longer than the channel: what waits here for a viewer that does not read is bounded too.
                batch.extend(recent.ring.iter().skip((next - oldest) as usize).take(WAITING).cloned());
            }
            drop(recent);
            let fed = if batch.is_empty() {
                self.feed_from_file(to, &mut next, &mut offset, length)
            } else {
                batch.into_iter().try_for_each(|kept| {
                    (next, offset) = (kept.record.seq + 1, kept.end);
                    to.send(kept.record).map_err(|_| Gone)
                })
            };
            if fed.is_err() {
                return;
            }
        }
    }

    /// Hands on what the file holds from `offset` up to `length`, which are both ends of lines.
    fn feed_from_file(&self, to: &Sender<Arc<Record>>, next: &mut u64, offset: &mut u64, length: u64) -> Result<(), Gone> {
        let mut file = self.file.as_ref().and_then(|path| File::open(path).ok()).ok_or(Gone)?;
        file.seek(SeekFrom::Start(*offset)).map_err(|_| Gone)?;
        let mut lines = BufReader::new(file.take(length - *offset));
        let mut line = Vec::new();
        while *offset < length {
            line.clear();
            let read = (&mut lines).take(MOST_BYTES).read_until(b'\n', &mut line).map_err(|_| Gone)?;
            // Somebody else cut or changed the log under us: the viewer's stream ends rather than goes wrong.
            let record: Record = serde_json::from_slice(&line).map_err(|_| Gone)?;
            if record.seq != *next {
                return Err(Gone);
            }
            *offset += read as u64;
            *next += 1;
            to.send(Arc::new(record)).map_err(|_| Gone)?;
        }
        Ok(())
    }
}

/// The viewer is gone, or can be told nothing more.
struct Gone;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::{Finished, Outcome, Voice};
    use crate::run::replay::read_log;

    fn said(line: &str) -> Event {
        Event::Said { source: Voice::Rematch, line: line.into() }
    }

    fn finished() -> Event {
        Event::Finished(Finished { outcome: Outcome::Completed, step: 1, train_seconds: 1.0, evaluation_seconds: 0.0 })
    }

    fn next(from: &Receiver<Arc<Record>>) -> Arc<Record> {
        from.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    fn on_file(path: &Path) -> Recorder {
        let mut time = 0;
        Recorder::on_file(
            path,
            None,
            Box::new(move || {
                time += 1;
                time
            }),
        )
        .unwrap()
    }

    #[test]
    fn records_are_numbered_and_time_never_goes_back() {
        let mut times = [50u64, 40, 60].into_iter();
        let recorder = Recorder::to_writer(io::sink(), move || times.next().unwrap());
        for (seq, at_ms) in [(0, 50), (1, 50), (2, 60)] {
            let record = recorder.record(said("x")).unwrap();
            assert_eq!((record.seq, record.at_ms), (seq, at_ms));
        }
    }

    #[test]
    fn a_viewer_sees_all_from_the_first_and_the_end() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.jsonl");
        let recorder = on_file(&path);
        recorder.record(said("before")).unwrap();
        let viewer = recorder.subscribe();
        recorder.record(said("after")).unwrap();
        assert_eq!((next(&viewer).event.clone(), next(&viewer).event.clone()), (said("before"), said("after")));
        drop(recorder);
        assert!(viewer.recv_timeout(Duration::from_secs(20)).unwrap_err().is_disconnected());
        assert_eq!(read_log(&path).unwrap().count(), 2);
    }

    #[test]
    fn a_viewer_that_stops_reading_holds_nobody_up_and_misses_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.jsonl");
        let recorder = on_file(&path);
        let lazy = recorder.subscribe();
        let total = (3 * RING) as u64;
        for n in 0..total {
            recorder.record(said(&format!("line {n}"))).unwrap();
        }
        assert!(lazy.len() <= WAITING);
        assert_eq!(locked(&recorder.inner.shared.recent).ring.len(), RING);
        let late = recorder.subscribe();
        drop(recorder);
        for viewer in [lazy, late] {
            let seen: Vec<Arc<Record>> = viewer.iter().collect();
            assert!(seen.iter().map(|r| r.seq).eq(0..total));
            assert_eq!(seen[9_999].event, said("line 9999"));
        }
    }

    /// A disk with room for so many bytes, which keeps what fits of a write.
    #[derive(Clone)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize, u32)>>);

    impl Sink for Disk {
        fn append(&mut self, line: &[u8]) -> io::Result<()> {
            let mut disk = locked(&self.0);
            let room = disk.1 - disk.0.len();
            disk.0.extend(&line[..line.len().min(room)]);
            if line.len() > room { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
        fn sync(&mut self) -> io::Result<()> {
            locked(&self.0).2 += 1;
            Ok(())
        }
        fn cut(&mut self, length: u64) -> io::Result<()> {
            locked(&self.0).0.truncate(length as usize);
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_tears_no_line_and_the_event_can_be_tried_again() {
        let disk = Disk(Arc::new(Mutex::new((Vec::new(), 100, 0))));
        let recorder = Recorder::new(Box::new(disk.clone()), Path::new("runs/a/events.jsonl"), None, None, Box::new(|| 7));
        let viewer = recorder.subscribe();
        recorder.record(said("a")).unwrap();
        let whole = locked(&disk.0).0.clone();
        let error = recorder.record(said("b, which does not fit")).unwrap_err();
        assert!(matches!(error, RecorderError::DiskFull { .. }) && error.to_string().contains("runs/a/events.jsonl"), "{error}");
        assert_eq!(locked(&disk.0).0, whole);
        locked(&disk.0).1 = 1000;
        assert_eq!(recorder.record(said("b, again")).unwrap().seq, 1);
        assert_eq!((next(&viewer).event.clone(), next(&viewer).event.clone()), (said("a"), said("b, again")));
        let text = String::from_utf8(locked(&disk.0).0.clone()).unwrap();
        assert!(text.lines().all(|line| serde_json::from_str::<Record>(line).is_ok()), "{text}");
    }

    #[test]
    fn what_the_system_calls_a_full_disk_is_one() {
        let recorder = Recorder::on_file(Path::new("/dev/full"), None, Box::new(|| 7)).unwrap();
        let error = recorder.record(said("a")).unwrap_err();
        assert!(matches!(error, RecorderError::DiskFull { .. }), "{error}");
    }

    #[test]
    fn what_steers_or_ends_training_is_synced_and_the_rest_is_not() {
        let disk = Disk(Arc::new(Mutex::new((Vec::new(), 10_000, 0))));
        let recorder = Recorder::new(Box::new(disk.clone()), Path::new("log"), None, None, Box::new(|| 7));
        recorder.record(said("a")).unwrap();
        assert_eq!(locked(&disk.0).2, 0);
        recorder.record(finished()).unwrap();
        assert_eq!(locked(&disk.0).2, 1);
        assert!(matches!(recorder.record(said("late")), Err(RecorderError::Ended { .. })), "Finished is the last of a run");
    }

    #[test]
    fn a_log_that_holds_something_is_not_written_over() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.jsonl");
        on_file(&path).record(said("a")).unwrap();
        assert!(matches!(Recorder::on_file(&path, None, Box::new(now_ms)), Err(RecorderError::NotNew { .. })));
    }
}
