//! The one place that turns events into records: numbers, times, appends to `events.jsonl`, and only then hands on.
//!
//! **Log first, then viewers.** A record is one line, given to the system in one write; what steers or ends training is synced
//! to the disk before anybody hears of it. A write that fails is undone, so that the log never holds a torn line in its middle:
//! the event has not happened then, its number is not used, and the caller may free space and try again.
//!
//! **A full disk can still be told.** Beside the log lies a file of some kilobytes that holds nothing. When the disk is full it
//! is given up for the records that steer, warn or end; ordinary records are only written while it stands.
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
/// Bytes kept back for the records of a full disk: some hundred of them.
const RESERVE: usize = 64 << 10;
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
#[expect(clippy::disallowed_methods, reason = "this is the recorder")]
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
    /// Sees to it that there is a reserve.
    fn keep_back(&mut self) -> io::Result<()>;
    /// Gives the reserve up; says whether there was one.
    fn give_up(&mut self) -> Reserve;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reserve {
    Freed,
    None,
}

/// `events.jsonl` and the file that keeps space back for it.
struct OnDisk {
    file: File,
    reserve: PathBuf,
    stands: bool,
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
        let reserve = path.with_file_name(".reserve");
        let sink = OnDisk { file, reserve, stands: false };
        Ok(Self::new(Box::new(sink), path, Some(path.to_path_buf()), lock, clock))
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
        log.write(&line, synced).map_err(|source| {
            let path = log.path.clone();
            if is_full(&source) { RecorderError::DiskFull { path, source } } else { RecorderError::Unwritable { path, source } }
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
        | Event::Scheduled { .. }
        | Event::Unscheduled { .. }
        | Event::Exhibited(_)
        | Event::Refused { .. }
        | Event::Stopping { .. }
        | Event::Saved(_)
        | Event::Warned { .. }
        | Event::Examined { .. }
        | Event::Finished(_) => true,
        Event::Progress(_)
        | Event::Evaluated(_)
        | Event::Pulled(_)
        | Event::Examining { .. }
        | Event::EpochFinished(_)
        | Event::Preparing(_)
        | Event::Machine(_)
        | Event::Said { .. } => false,
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

impl Log {
    fn write(&mut self, line: &[u8], synced: bool) -> io::Result<()> {
        if synced {
            match self.try_write(line, synced) {
                Err(error) if is_full(&error) && self.sink.give_up() == Reserve::Freed => self.try_write(line, synced),
                other => other,
            }
        } else {
            // A reserve that cannot be kept for another reason is no reason to stop.
            self.sink.keep_back().or_else(|error| if is_full(&error) { Err(error) } else { Ok(()) })?;
            self.try_write(line, synced)
        }
    }

    fn try_write(&mut self, line: &[u8], synced: bool) -> io::Result<()> {
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

impl Sink for OnDisk {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        // One write in all but the last moments of a disk, where it may take a part; the next then says why.
        self.file.write_all(line)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn keep_back(&mut self) -> io::Result<()> {
        if self.stands {
            return Ok(());
        }
        // Bytes that a file system cannot compress away.
        let bytes: Vec<u8> =
            (0..RESERVE as u64).map(|n| (n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u8).collect();
        let made = std::fs::write(&self.reserve, bytes);
        if made.is_err() {
            let _ = std::fs::remove_file(&self.reserve);
        }
        self.stands = made.is_ok();
        made
    }

    fn give_up(&mut self) -> Reserve {
        let stood = std::mem::take(&mut self.stands) && std::fs::remove_file(&self.reserve).is_ok();
        if stood { Reserve::Freed } else { Reserve::None }
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        self.give_up();
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

    fn keep_back(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn give_up(&mut self) -> Reserve {
        Reserve::None
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
    use crate::protocol::event::{Finished, Outcome, Voice, Warning};
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
    #[derive(Default)]
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
        syncs: u32,
        reserve: usize,
    }

    #[derive(Clone)]
    struct SharedDisk(Arc<Mutex<Disk>>);

    /// What the reserve takes on this disk.
    const KEPT_BACK: usize = 200;

    impl SharedDisk {
        fn with_room(room: usize) -> Self {
            Self(Arc::new(Mutex::new(Disk { room, ..Disk::default() })))
        }

        fn disk(&self) -> MutexGuard<'_, Disk> {
            locked(&self.0)
        }

        fn recorder(&self) -> Recorder {
            Recorder::new(Box::new(self.clone()), Path::new("runs/a/events.jsonl"), None, None, Box::new(|| 7))
        }
    }

    impl Sink for SharedDisk {
        fn append(&mut self, line: &[u8]) -> io::Result<()> {
            let mut disk = self.disk();
            let room = disk.room - disk.bytes.len() - disk.reserve;
            disk.bytes.extend(&line[..line.len().min(room)]);
            if line.len() > room { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
        fn sync(&mut self) -> io::Result<()> {
            self.disk().syncs += 1;
            Ok(())
        }
        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.disk().bytes.truncate(length as usize);
            Ok(())
        }
        fn keep_back(&mut self) -> io::Result<()> {
            let mut disk = self.disk();
            if disk.bytes.len() + KEPT_BACK > disk.room {
                return Err(ErrorKind::StorageFull.into());
            }
            disk.reserve = KEPT_BACK;
            Ok(())
        }
        fn give_up(&mut self) -> Reserve {
            if std::mem::take(&mut self.disk().reserve) > 0 { Reserve::Freed } else { Reserve::None }
        }
    }

    fn warned(message: &str) -> Event {
        Event::Warned { step: None, kind: Warning::DiskFull, message: message.into() }
    }

    #[test]
    fn a_full_disk_tears_no_line_and_the_event_can_be_tried_again() {
        let disk = SharedDisk::with_room(KEPT_BACK + 100);
        let recorder = disk.recorder();
        let viewer = recorder.subscribe();
        recorder.record(said("a")).unwrap();
        let whole = disk.disk().bytes.clone();
        let error = recorder.record(said("b, which does not fit")).unwrap_err();
        assert!(matches!(error, RecorderError::DiskFull { .. }) && error.to_string().contains("runs/a/events.jsonl"), "{error}");
        assert_eq!(disk.disk().bytes, whole);
        disk.disk().room = 1000;
        assert_eq!(recorder.record(said("b, again")).unwrap().seq, 1);
        assert_eq!((next(&viewer).event.clone(), next(&viewer).event.clone()), (said("a"), said("b, again")));
        let text = String::from_utf8(disk.disk().bytes.clone()).unwrap();
        assert!(text.lines().all(|line| serde_json::from_str::<Record>(line).is_ok()), "{text}");
    }

    #[test]
    fn a_full_disk_can_be_told_and_then_takes_nothing_ordinary() {
        let disk = SharedDisk::with_room(KEPT_BACK + 100);
        let recorder = disk.recorder();
        recorder.record(said("a")).unwrap();
        recorder.record(said("b, which does not fit")).unwrap_err();
        recorder.record(warned("the disk is full")).unwrap();
        assert!(matches!(recorder.record(said("c")), Err(RecorderError::DiskFull { .. })), "what is left is for warnings");
        disk.disk().room = 1000;
        recorder.record(said("d")).unwrap();
        assert_eq!(disk.disk().reserve, KEPT_BACK, "kept back again");
    }

    #[test]
    fn space_is_kept_back_beside_the_log_while_it_is_written() {
        let home = tempfile::tempdir().unwrap();
        let recorder = on_file(&home.path().join("events.jsonl"));
        recorder.record(said("a")).unwrap();
        let reserve = home.path().join(".reserve");
        assert_eq!(reserve.metadata().unwrap().len(), RESERVE as u64);
        drop(recorder);
        assert!(!reserve.exists());
    }

    #[test]
    fn what_the_system_calls_a_full_disk_is_one() {
        let recorder = Recorder::on_file(Path::new("/dev/full"), None, Box::new(|| 7)).unwrap();
        let error = recorder.record(warned("a")).unwrap_err();
        assert!(matches!(error, RecorderError::DiskFull { .. }), "{error}");
    }

    #[test]
    fn what_steers_or_ends_training_is_synced_and_the_rest_is_not() {
        let disk = SharedDisk::with_room(10_000);
        let recorder = disk.recorder();
        recorder.record(said("a")).unwrap();
        assert_eq!(disk.disk().syncs, 0);
        recorder.record(finished()).unwrap();
        assert_eq!(disk.disk().syncs, 1);
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
