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

mod sink;
mod viewers;

use super::store::{Held, RunFolder, advice};
use crate::disk::{self, Ability};
use crate::limits;
use crate::protocol::{Event, Record};
use crossbeam_channel::{Receiver, bounded};
use sink::{OnDisk, Plain, Reserve, Sink};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use viewers::{Kept, Shared, WAITING, locked};

#[derive(Debug, Error)]
pub enum RecorderError {
    #[error("no space left for {}: {source}; free some space on that disk and go on", path.display())]
    DiskFull { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}; {}", path.display(), limits::file_too_large())]
    FileTooLarge { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}; {}", path.display(), advice(source))]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{} already holds records; a new run needs a new folder", path.display())]
    NotNew { path: PathBuf },
    #[error("{} has ended; only a resumed run may add to it", path.display())]
    Ended { path: PathBuf },
    #[error("an event could not be read again from its JSON, so it was not written: {0}")]
    Unencodable(#[from] serde_json::Error),
}

/// Milliseconds since the Unix epoch. Read from the system's clock once, and counted on from there by one that nobody can set
/// and that goes on while the machine sleeps: a clock that jumps must not tear a run apart.
pub fn now_ms() -> u64 {
    static BEGAN: OnceLock<(u64, u64)> = OnceLock::new();
    let (wall, since) = *BEGAN.get_or_init(|| (wall_ms(), awake_ms()));
    wall + awake_ms().saturating_sub(since)
}

#[expect(clippy::disallowed_methods, reason = "this is the recorder")]
fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64
}

/// Milliseconds since the machine was started.
fn awake_ms() -> u64 {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
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
    _lock: Option<Held>,
}

impl Recorder {
    /// Starts the log of a new run.
    ///
    /// # Errors
    /// When the log cannot be written, or holds something already.
    pub fn create(folder: &RunFolder) -> Result<Self, RecorderError> {
        Self::on_file(&folder.events(), folder.held(), Box::new(now_ms))
    }

    fn on_file(path: &Path, lock: Option<Held>, clock: Clock) -> Result<Self, RecorderError> {
        let file = open(path)?;
        if file.metadata().is_ok_and(|facts| facts.len() > 0) {
            return Err(RecorderError::NotNew { path: path.to_path_buf() });
        }
        Self::with(file, path, lock, clock)
    }

    fn with(file: File, path: &Path, lock: Option<Held>, clock: Clock) -> Result<Self, RecorderError> {
        let again = file.try_clone().map_err(|source| RecorderError::Unwritable { path: path.to_path_buf(), source })?;
        let sink = OnDisk { file, reserve: path.with_file_name(".reserve"), stands: false };
        Ok(Self::new(Box::new(sink), path, Some(Arc::new(again)), lock, clock))
    }

    /// Goes on with the log of a run: after `length` bytes of whole lines that hold `records` records, the last of them at `last_ms`.
    /// What lies behind is cut off.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn resume(folder: &RunFolder, records: u64, length: u64, last_ms: u64) -> Result<Self, RecorderError> {
        let path = folder.events();
        let file = open(&path)?;
        disk::cut(&file, length, &path)
            .and_then(|()| disk::sync_file(&file, &path))
            .map_err(|source| RecorderError::Unwritable { path: path.clone(), source })?;
        let recorder = Self::with(file, &path, folder.held(), Box::new(now_ms))?;
        {
            let mut log = locked(&recorder.inner.log);
            // A clock that was ahead then must not make all times the same now.
            let ahead = last_ms.saturating_sub(now_ms());
            log.clock = Box::new(move || now_ms() + ahead);
            (log.next_seq, log.length, log.last_ms) = (records, length, last_ms);
            let mut recent = locked(&recorder.inner.shared.recent);
            (recent.next_seq, recent.length) = (records, length);
        }
        Ok(recorder)
    }

    /// The folder has another name now.
    pub fn follow(&self, folder: &RunFolder) {
        let mut log = locked(&self.inner.log);
        log.path = folder.events();
        let path = log.path.clone();
        log.sink.follow(&path);
    }

    /// Writes the log once more, into a folder that was made again.
    ///
    /// # Errors
    /// What the file system says; the recorder goes on with the file that has no name any more.
    pub fn make_again(&self, folder: &RunFolder) -> Result<(), RecorderError> {
        let path = folder.events();
        let failed = |source| RecorderError::Unwritable { path: path.clone(), source };
        let mut log = locked(&self.inner.log);
        let Some(old) = locked(&self.inner.shared.file).clone() else { return Ok(()) };
        let file = open(&path)?;
        disk::cut(&file, 0, &path).map_err(failed)?;
        let (mut at, mut piece) = (0, vec![0; 1 << 16]);
        while at < log.length {
            let most = piece.len().min(usize::try_from(log.length - at).unwrap_or(usize::MAX));
            let read = old.read_at(&mut piece[..most], at).map_err(failed)?;
            if read == 0 {
                return Err(failed(ErrorKind::UnexpectedEof.into()));
            }
            (&file).write_all(&piece[..read]).map_err(failed)?;
            at += read as u64;
        }
        disk::sync_file(&file, &path).map_err(failed)?;
        let again = file.try_clone().map_err(failed)?;
        log.sink = Box::new(OnDisk { file, reserve: path.with_file_name(".reserve"), stands: false });
        *locked(&self.inner.shared.file) = Some(Arc::new(again));
        log.path = path;
        Ok(())
    }

    /// Records into any writer, with a given clock and no file to read again: viewers are served from memory, which grows.
    pub fn to_writer(writer: impl Write + Send + 'static, clock: impl FnMut() -> u64 + Send + 'static) -> Self {
        Self::new(Box::new(Plain(writer)), Path::new("the log"), None, None, Box::new(clock))
    }

    fn new(sink: Box<dyn Sink>, path: &Path, file: Option<Arc<File>>, lock: Option<Held>, clock: Clock) -> Self {
        let path = path.to_path_buf();
        let log = Log { sink, clock, path, next_seq: 0, last_ms: 0, length: 0, torn: false, ended: false };
        let shared = Arc::new(Shared { recent: Mutex::default(), more: Condvar::new(), file: Mutex::new(file) });
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
            match source.kind() {
                // Waiting does not help: freeing space makes no room under this limit.
                ErrorKind::FileTooLarge => RecorderError::FileTooLarge { path, source },
                _ if is_full(&source) => RecorderError::DiskFull { path, source },
                _ => RecorderError::Unwritable { path, source },
            }
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
        self.subscribe_from(0)
    }

    /// As [`Self::subscribe`], from the record with this number on, which may still be to come.
    pub fn subscribe_from(&self, seq: u64) -> Receiver<Arc<Record>> {
        let (to, from) = bounded(WAITING);
        let shared = self.inner.shared.clone();
        thread::Builder::new()
            .name("viewer".into())
            .spawn(move || shared.feed(&to, seq))
            .expect("the system has room for one more thread (ulimit -u, pids.max)");
        from
    }

    /// Ends the log where its last record cannot be written: nothing more is taken, and viewers' channels end.
    pub fn close(&self) {
        locked(&self.inner.log).ended = true;
        locked(&self.inner.shared.recent).closed = true;
        self.inner.shared.more.notify_all();
    }

    /// How many records there are: the number that the next one gets.
    pub fn recorded(&self) -> u64 {
        locked(&self.inner.shared.recent).next_seq
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
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
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

fn open(path: &Path) -> Result<File, RecorderError> {
    let opened = OpenOptions::new().read(true).append(true).create(true).open(path).or_else(|error| {
        if !disk::is_unsupported(&error) {
            return Err(error);
        }
        disk::note(Ability::Append, path, &error);
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
    });
    opened.map_err(|source| RecorderError::Unwritable { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::sink::RESERVE;
    use super::viewers::RING;
    use super::*;
    use crate::protocol::event::{Finished, Outcome, Voice, Warning};
    use crate::run::replay::read_log;
    use std::sync::MutexGuard;

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

    #[test]
    fn a_viewer_begins_where_it_left_off_in_memory_in_the_file_or_in_the_future() {
        let home = tempfile::tempdir().unwrap();
        let recorder = on_file(&home.path().join("events.jsonl"));
        let total = (2 * RING) as u64;
        for n in 0..total {
            recorder.record(said(&format!("line {n}"))).unwrap();
        }
        assert_eq!(recorder.recorded(), total);
        let starts = [0, 1, 77, total - RING as u64, total - RING as u64 - 1, total - 1, total, total + 1, u64::MAX];
        let viewers = starts.map(|seq| (seq, recorder.subscribe_from(seq)));
        recorder.record(said("one more")).unwrap();
        recorder.record(said("the last")).unwrap();
        drop(recorder);
        for (start, viewer) in viewers {
            assert!(viewer.iter().map(|record| record.seq).eq(start..total + 2), "from {start}");
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
    fn a_log_that_may_not_grow_is_no_full_disk() {
        struct Limited;
        impl Sink for Limited {
            fn append(&mut self, _: &[u8]) -> io::Result<()> {
                Err(ErrorKind::FileTooLarge.into())
            }
            fn sync(&mut self) -> io::Result<()> {
                Ok(())
            }
            fn cut(&mut self, _: u64) -> io::Result<()> {
                Ok(())
            }
            fn keep_back(&mut self) -> io::Result<()> {
                Err(ErrorKind::FileTooLarge.into())
            }
            fn give_up(&mut self) -> Reserve {
                Reserve::Freed
            }
        }
        let recorder = Recorder::new(Box::new(Limited), Path::new("runs/a/events.jsonl"), None, None, Box::new(|| 7));
        for event in [said("a"), warned("b")] {
            let error = recorder.record(event).unwrap_err();
            assert!(
                matches!(error, RecorderError::FileTooLarge { .. }) && error.to_string().contains("runs/a/events.jsonl"),
                "{error}"
            );
        }
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
