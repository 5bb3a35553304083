//! Logs of the past: read one record at a time, and fed to a viewer at the pace they were recorded, or faster.
//!
//! A torn last line is what a killed run leaves and is dropped; anything else that is not a record, or not the next one, is an
//! error that names file and line. Replaying waits and never reads a clock: the recorded times are the only ones.
//!
//! It does not fold records, and it cannot tell what was recorded by this program from what was not.

use crate::protocol::controls::Flow;
use crate::protocol::event::Warning;
use crate::protocol::{Event, FORMAT, Record};
use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use thiserror::Error;

/// Longest line that can be a record; a longer one is some other file, which must not fill the memory.
pub(super) const MOST_BYTES: u64 = 16 << 20;
/// Longest wait between two records, in recorded milliseconds: nobody wants to see a lunch break again.
const LONGEST_GAP_MS: f64 = 2000.0;
/// How soon a waiting replay follows a change of its pace, and sees that nobody is left.
const TICK: Duration = Duration::from_millis(40);

#[derive(Debug, Error)]
pub enum LogError {
    #[error("cannot read {}: {source}; give the folder of a run, such as runs/NAME", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}, line {line}: not a record: {why}; the log was changed or damaged after it was written", path.display())]
    Malformed { path: PathBuf, line: u64, why: String },
    #[error("{}, line {line}: record {found} where {expected} must follow; lines are missing or out of order", path.display())]
    Gap { path: PathBuf, line: u64, expected: u64, found: u64 },
    #[error("{} is written in format {found}; this program reads up to {FORMAT}: use a newer one", path.display())]
    Newer { path: PathBuf, found: u32 },
    #[error("{} holds no records", path.display())]
    Empty { path: PathBuf },
}

/// How a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// With a whole line, as far as was read.
    Whole,
    /// In the middle of one: whoever wrote it was killed, or its disk was full. That line was dropped.
    Torn,
}

/// Which lines of a log are worth the time of parsing them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    All,
    /// Without `Progress` and `Machine`, which are nearly all of a log and say nothing that a table of runs needs.
    Milestones,
}

/// The records of a log, in order. Ends after its first error.
pub struct LogReader {
    path: PathBuf,
    lines: BufReader<File>,
    buffer: Vec<u8>,
    wanted: Lines,
    line: u64,
    /// Of the whole lines read so far.
    bytes: u64,
    length: u64,
    next_seq: u64,
    tail: Tail,
    over: bool,
}

/// Reads a log record by record; what it holds in memory does not grow with the log.
///
/// # Errors
/// When the file cannot be opened. What is wrong inside comes out of the iterator.
pub fn read_log(path: &Path) -> Result<LogReader, LogError> {
    read_lines(path, Lines::All)
}

/// As [`read_log`], for those who need only some of the records.
///
/// # Errors
/// As [`read_log`].
pub fn read_lines(path: &Path, wanted: Lines) -> Result<LogReader, LogError> {
    let file = File::open(path).map_err(|source| LogError::Unreadable { path: path.to_path_buf(), source })?;
    let length = file.metadata().map_or(0, |facts| facts.len());
    let lines = BufReader::with_capacity(1 << 16, file);
    let path = path.to_path_buf();
    Ok(LogReader {
        path,
        lines,
        buffer: Vec::new(),
        wanted,
        line: 0,
        bytes: 0,
        length,
        next_seq: 0,
        tail: Tail::Whole,
        over: false,
    })
}

impl LogReader {
    /// How the log ends; known once the iterator is through.
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// Bytes of the whole lines read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of the file when it was opened.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Records so far, with those that were passed over.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    fn read(&mut self) -> Result<Option<Record>, LogError> {
        loop {
            self.buffer.clear();
            let read = (&mut self.lines).take(MOST_BYTES).read_until(b'\n', &mut self.buffer);
            read.map_err(|source| LogError::Unreadable { path: self.path.clone(), source })?;
            if self.buffer.is_empty() {
                return Ok(None);
            }
            self.line += 1;
            let whole = self.buffer.ends_with(b"\n");
            if !whole && self.buffer.len() as u64 == MOST_BYTES {
                return Err(self.malformed(format!("the line is longer than {} MiB", MOST_BYTES >> 20)));
            }
            if whole
                && self.wanted == Lines::Milestones
                && let Some(seq) = routine(&self.buffer)
            {
                self.take_number(seq)?;
                self.bytes += self.buffer.len() as u64;
                continue;
            }
            match serde_json::from_slice::<Record>(&self.buffer) {
                Ok(record) => {
                    if let Event::Started(started) = &record.event {
                        self.check_format(started.format)?;
                    }
                    self.take_number(record.seq)?;
                    if whole {
                        self.bytes += self.buffer.len() as u64;
                    }
                    return Ok(Some(record));
                }
                Err(_) if !whole => {
                    self.tail = Tail::Torn;
                    return Ok(None);
                }
                Err(error) => {
                    // A newer format need not look like a record of today: its number is looked for first.
                    if let Ok(Peek { event: PeekEvent { started } }) = serde_json::from_slice(&self.buffer) {
                        self.check_format(started.format)?;
                    }
                    return Err(self.malformed(error.to_string()));
                }
            }
        }
    }

    fn malformed(&self, why: String) -> LogError {
        LogError::Malformed { path: self.path.clone(), line: self.line, why }
    }

    fn check_format(&self, found: u32) -> Result<(), LogError> {
        if found > FORMAT { Err(LogError::Newer { path: self.path.clone(), found }) } else { Ok(()) }
    }

    fn take_number(&mut self, found: u64) -> Result<(), LogError> {
        if found != self.next_seq {
            let (line, expected) = (self.line, self.next_seq);
            return Err(LogError::Gap { path: self.path.clone(), line, expected, found });
        }
        self.next_seq += 1;
        Ok(())
    }
}

impl Iterator for LogReader {
    type Item = Result<Record, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.read().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

#[derive(Deserialize)]
struct Peek {
    event: PeekEvent,
}

#[derive(Deserialize)]
struct PeekEvent {
    started: PeekStarted,
}

#[derive(Deserialize)]
struct PeekStarted {
    format: u32,
}

/// The number of a line that is `Progress` or `Machine`, by its first bytes alone: parsing costs some fifty times as much.
/// Whatever is not written exactly as the recorder writes is none, and gets parsed.
pub(super) fn routine(line: &[u8]) -> Option<u64> {
    let (seq, rest) = leading_number(line.strip_prefix(b"{\"seq\":")?)?;
    let (_, rest) = leading_number(rest.strip_prefix(b",\"at_ms\":")?)?;
    let kind = rest.strip_prefix(b",\"event\":{\"")?;
    (kind.starts_with(b"progress\"") || kind.starts_with(b"machine\"")).then_some(seq)
}

/// The number of a record by the first bytes of its line alone, where it is written exactly as the recorder writes.
pub(super) fn number(line: &[u8]) -> Option<u64> {
    Some(leading_number(line.strip_prefix(b"{\"seq\":")?)?.0)
}

fn leading_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let number = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    Some((number, &text[digits..]))
}

/// How fast a replay goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pace {
    #[default]
    Recorded,
    Times4,
    Times16,
    Times64,
    /// As fast as the viewer reads.
    Unbounded,
}

impl Pace {
    pub const ALL: &[Self] = &[Self::Recorded, Self::Times4, Self::Times16, Self::Times64, Self::Unbounded];

    pub fn name(self) -> &'static str {
        match self {
            Self::Recorded => "1x",
            Self::Times4 => "4x",
            Self::Times16 => "16x",
            Self::Times64 => "64x",
            Self::Unbounded => "max",
        }
    }

    /// Recorded milliseconds in one of waiting; `None` where nothing waits.
    fn factor(self) -> Option<f64> {
        match self {
            Self::Recorded => Some(1.0),
            Self::Times4 => Some(4.0),
            Self::Times16 => Some(16.0),
            Self::Times64 => Some(64.0),
            Self::Unbounded => None,
        }
    }

    fn turned(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|&p| p == self).unwrap_or(0);
        let last = Self::ALL.len() - 1;
        Self::ALL[at.saturating_add_signed(by).min(last)]
    }
}

/// The knob of a replay. Clones turn the same one.
#[derive(Clone, Debug)]
pub struct PaceControl {
    knob: Arc<Knob>,
}

#[derive(Debug)]
struct Knob {
    set: Mutex<Set>,
    turned: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Set {
    pace: Pace,
    flow: Flow,
    /// Of the threads that have played with this knob only the newest goes on.
    player: u64,
}

impl Default for PaceControl {
    fn default() -> Self {
        Self::new(Pace::default())
    }
}

impl PaceControl {
    pub fn new(pace: Pace) -> Self {
        Self { knob: Arc::new(Knob { set: Mutex::new(Set { pace, flow: Flow::Running, player: 0 }), turned: Condvar::new() }) }
    }

    fn set(&self) -> MutexGuard<'_, Set> {
        self.knob.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, how: impl Fn(&mut Set)) {
        how(&mut self.set());
        self.knob.turned.notify_all();
    }

    /// Ends whoever plays with this knob; returns the number of the next who does.
    fn next_player(&self) -> u64 {
        self.turn(|set| set.player += 1);
        self.set().player
    }

    pub fn faster(&self) {
        self.turn(|set| set.pace = set.pace.turned(1));
    }

    pub fn slower(&self) {
        self.turn(|set| set.pace = set.pace.turned(-1));
    }

    /// Pauses, or goes on.
    pub fn toggle(&self) {
        self.turn(|set| {
            set.flow = match set.flow {
                Flow::Running => Flow::Paused,
                Flow::Paused => Flow::Running,
            }
        });
    }

    pub fn pace(&self) -> Pace {
        self.set().pace
    }

    pub fn flow(&self) -> Flow {
        self.set().flow
    }

    /// `16x`, `16x paused`.
    pub fn label(&self) -> String {
        let Set { pace, flow, .. } = *self.set();
        match flow {
            Flow::Running => pace.name().to_string(),
            Flow::Paused => format!("{} paused", pace.name()),
        }
    }

    /// Lets so much recorded time pass. Fails when it is paused and nobody else holds the knob, or when another plays now.
    fn wait(&self, mut left_ms: f64, player: u64) -> Result<(), Abandoned> {
        let mut set = self.set();
        loop {
            let tick = match set.flow {
                _ if set.player != player => return Err(Abandoned),
                Flow::Paused if Arc::strong_count(&self.knob) == 1 => return Err(Abandoned),
                Flow::Paused => TICK,
                Flow::Running => match set.pace.factor() {
                    Some(factor) if left_ms > 0.0 => TICK.min(Duration::from_secs_f64(left_ms / factor / 1000.0)),
                    Some(_) | None => return Ok(()),
                },
            };
            let before = *set;
            let (again, out) = self.knob.turned.wait_timeout(set, tick).unwrap_or_else(PoisonError::into_inner);
            set = again;
            // Where the knob was turned in the middle of a tick, that tick is waited for again: a blink, against reading a clock.
            if before.flow == Flow::Running && out.timed_out() {
                left_ms -= tick.as_secs_f64() * 1000.0 * before.pace.factor().unwrap_or(f64::INFINITY);
            }
        }
    }
}

struct Abandoned;

/// Feeds a recorded run to a viewer, at its recorded spacing divided by the pace; waits of more than two recorded seconds are cut
/// to two. Ends when the receiver is gone. What is wrong further on in the log comes as a last `Warned` that says so.
///
/// # Errors
/// When the log cannot be read, or already its first record not.
pub fn replay(path: &Path, pace: &PaceControl) -> Result<Receiver<Arc<Record>>, LogError> {
    let mut log = read_log(path)?;
    let first = log.next().transpose()?.ok_or_else(|| LogError::Empty { path: path.to_path_buf() })?;
    Ok(spawn(log, pace, (Some(first), Begin::AtOnce)))
}

/// Feeds what is left of a log to a viewer, as [`replay`] does. `next`: the record before what is left; it waits like the others while the
/// replay is paused. Whoever played with this knob before ends.
pub(super) fn go_on(log: LogReader, next: Option<Record>, pace: &PaceControl) -> Receiver<Arc<Record>> {
    spawn(log, pace, (next, Begin::WhenRunning))
}

impl PaceControl {
    /// Holds a replay that would be at its end before anybody could look.
    pub(super) fn hold_at_full_speed(&self) {
        self.turn(|set| {
            if set.pace == Pace::Unbounded {
                set.flow = Flow::Paused;
            }
        });
    }
}

/// When the first record is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    AtOnce,
    WhenRunning,
}

fn spawn(mut log: LogReader, pace: &PaceControl, first: (Option<Record>, Begin)) -> Receiver<Arc<Record>> {
    let (to, from) = bounded(64);
    let player = pace.next_player();
    let pace = pace.clone();
    thread::Builder::new()
        .name("replay".into())
        .spawn(move || play(first, &mut log, (&pace, player), &to))
        .expect("the system has room for one more thread");
    from
}

fn play(
    (first, begin): (Option<Record>, Begin),
    log: &mut LogReader,
    (pace, player): (&PaceControl, u64),
    to: &Sender<Arc<Record>>,
) {
    if begin == Begin::WhenRunning && pace.wait(0.0, player).is_err() {
        return;
    }
    let (mut seq, mut at_ms) = (log.next_seq().saturating_sub(1), None);
    if let Some(first) = first {
        (seq, at_ms) = (first.seq, Some(first.at_ms));
        if to.send(Arc::new(first)).is_err() {
            return;
        }
    }
    let trouble = loop {
        let record = match log.next() {
            Some(Ok(record)) => record,
            Some(Err(error)) => break Some(error.to_string()),
            None if log.tail() == Tail::Torn => {
                break Some("the last line of the log is torn and was left out: the run was killed while it wrote".to_string());
            }
            None => break None,
        };
        let gap = record.at_ms.saturating_sub(at_ms.unwrap_or(record.at_ms)) as f64;
        if pace.wait(gap.min(LONGEST_GAP_MS), player).is_err() {
            return;
        }
        (seq, at_ms) = (record.seq, Some(record.at_ms));
        if to.send(Arc::new(record)).is_err() {
            return;
        }
    };
    if let Some(message) = trouble {
        let event = Event::Warned { step: None, kind: Warning::Other, message };
        // Whether anybody still listens does not matter any more.
        let _ = to.send(Arc::new(Record { seq: seq + 1, at_ms: at_ms.unwrap_or(0), event }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::Voice;
    use crate::run::recorder::line;
    use std::fs;

    fn record(seq: u64, at_ms: u64) -> Record {
        Record { seq, at_ms, event: Event::Said { source: Voice::Rematch, line: format!("line {seq}") } }
    }

    fn bytes(records: &[Record]) -> Vec<u8> {
        records.iter().flat_map(|r| line(r).unwrap()).collect()
    }

    fn log(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.jsonl");
        fs::write(&path, bytes).unwrap();
        (home, path)
    }

    #[test]
    fn a_torn_last_line_is_dropped_wherever_it_is_torn() {
        let records = [record(0, 5), record(1, 6)];
        let whole = bytes(&records);
        let first = bytes(&records[..1]).len();
        for cut in first + 1..whole.len() - 1 {
            let (_home, path) = log(&whole[..cut]);
            let mut reader = read_log(&path).unwrap();
            assert_eq!(reader.by_ref().map(Result::unwrap).collect::<Vec<_>>(), records[..1], "cut at {cut}");
            assert_eq!(reader.tail(), Tail::Torn);
        }
        let (_home, path) = log(&whole);
        let mut reader = read_log(&path).unwrap();
        assert_eq!(reader.by_ref().count(), 2);
        assert_eq!(reader.tail(), Tail::Whole);
    }

    #[test]
    fn a_torn_line_elsewhere_names_file_and_line() {
        let records = [record(0, 5), record(1, 6), record(2, 7)];
        let mut text = bytes(&records);
        let first = bytes(&records[..1]).len();
        text.drain(first + 9..first + 20);
        let (_home, path) = log(&text);
        let mut reader = read_log(&path).unwrap();
        assert_eq!(reader.next().unwrap().unwrap(), records[0]);
        let error = reader.next().unwrap().unwrap_err().to_string();
        assert!(error.contains("events.jsonl, line 2: not a record"), "{error}");
        assert!(reader.next().is_none());
    }

    #[test]
    fn missing_lines_are_found_also_where_they_are_not_parsed() {
        let machine = r#"{"seq":2,"at_ms":9,"event":{"machine":{}}}"#;
        let mut text = bytes(&[record(0, 5)]);
        text.extend(machine.as_bytes());
        text.push(b'\n');
        let (_home, path) = log(&text);
        let error = read_lines(&path, Lines::Milestones).unwrap().last().unwrap().unwrap_err();
        assert!(matches!(error, LogError::Gap { line: 2, expected: 1, found: 2, .. }), "{error}");
    }

    #[test]
    fn a_newer_format_is_refused_even_where_it_looks_unlike_ours() {
        let (_home, path) = log(b"{\"seq\":0,\"at_ms\":1,\"event\":{\"started\":{\"format\":99,\"what\":\"ever\"}}}\n");
        let error = read_log(&path).unwrap().next().unwrap().unwrap_err();
        assert!(matches!(error, LogError::Newer { found: 99, .. }));
        assert!(
            error.to_string().contains(&format!("format 99; this program reads up to {}", crate::protocol::FORMAT)),
            "{error}"
        );
    }

    #[test]
    fn an_endless_line_is_an_error_and_no_memory_eater() {
        let (_home, path) = log(&vec![b'x'; MOST_BYTES as usize + 10]);
        let error = read_log(&path).unwrap().next().unwrap().unwrap_err().to_string();
        assert!(error.contains("longer than 16 MiB"), "{error}");
    }

    #[test]
    fn the_knob_stops_at_both_ends_and_says_where_it_is() {
        let pace = PaceControl::default();
        pace.slower();
        assert_eq!(pace.label(), "1x");
        let labels: Vec<String> = (0..5)
            .map(|_| {
                pace.faster();
                pace.label()
            })
            .collect();
        assert_eq!(labels, ["4x", "16x", "64x", "max", "max"]);
        pace.toggle();
        assert_eq!((pace.label().as_str(), pace.flow()), ("max paused", Flow::Paused));
    }

    #[test]
    fn a_replay_that_is_paused_waits_and_goes_on() {
        // Records far apart: at the recorded pace this would take minutes.
        let records: Vec<Record> = (0..200).map(|n| record(n, n * 1000)).collect();
        let (_home, path) = log(&bytes(&records));
        let pace = PaceControl::new(Pace::Unbounded);
        pace.toggle();
        let from = replay(&path, &pace).unwrap();
        let soon = Duration::from_secs(20);
        assert_eq!(from.recv_timeout(soon).unwrap().seq, 0);
        // The one thing that only time can show.
        assert!(from.recv_timeout(Duration::from_millis(100)).is_err(), "nothing follows while it is paused");
        pace.toggle();
        assert!((1..200).all(|seq| from.recv_timeout(soon).unwrap().seq == seq));
        assert!(from.recv_timeout(soon).unwrap_err().is_disconnected());
    }

    #[test]
    fn long_gaps_are_cut_and_short_ones_are_waited_for() {
        // An hour apart: two seconds each after the cut, 31 ms at 64x; uncut the first alone would take 56 s.
        let records: Vec<Record> = (0..6).map(|n| record(n, n * 3_600_000)).collect();
        let (_home, path) = log(&bytes(&records));
        let start = std::time::Instant::now();
        let from = replay(&path, &PaceControl::new(Pace::Times64)).unwrap();
        assert!((0..6).all(|seq| from.recv_timeout(Duration::from_secs(20)).unwrap().seq == seq));
        assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());
    }

    #[test]
    fn a_paused_replay_that_everybody_left_ends() {
        let records: Vec<Record> = (0..3).map(|n| record(n, 0)).collect();
        let (_home, path) = log(&bytes(&records));
        let pace = PaceControl::default();
        pace.toggle();
        let from = replay(&path, &pace).unwrap();
        drop(pace);
        assert_eq!(from.recv_timeout(Duration::from_secs(20)).unwrap().seq, 0);
        assert!(from.recv_timeout(Duration::from_secs(20)).unwrap_err().is_disconnected());
    }

    #[test]
    fn damage_further_on_is_told_to_the_viewer() {
        let mut text = bytes(&[record(0, 5)]);
        text.extend(b"damage\n");
        let (_home, path) = log(&text);
        let seen: Vec<Arc<Record>> = replay(&path, &PaceControl::default()).unwrap().iter().collect();
        let Event::Warned { message, .. } = &seen[1].event else { panic!("{seen:?}") };
        assert!(seen.len() == 2 && seen[1].seq == 1 && message.contains("line 2"), "{message}");
    }

    #[test]
    fn an_empty_log_is_said_to_be() {
        let (_home, path) = log(b"");
        assert!(matches!(replay(&path, &PaceControl::default()), Err(LogError::Empty { .. })));
    }
}
