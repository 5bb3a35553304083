//! The records of a run that count in the end, read from its log: at which step each stands, and which were undone.
//!
//! A resumed run goes on from a checkpoint, and what its log tells of later steps did not happen in the end: it is told again. Whoever
//! makes curves of a log leaves it out, as [`crate::run::RunState`] does. Whoever follows a run live sees it, and then the new start.

use crate::protocol::event::Started;
use crate::protocol::{Event, Record, Step};
use crate::run::replay::{Lines, LogError, LogReader, Tail, read_lines, read_log};
use std::path::Path;

/// Follows at which step a run is.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    step: Step,
}

impl Follower {
    /// The step that this event belongs to.
    pub fn step(&mut self, event: &Event) -> Step {
        match event {
            Event::Started(started) => self.step = started.from_step,
            Event::Progress(progress) => self.step = progress.step,
            Event::Controlled { step, .. }
            | Event::Scheduled { step, .. }
            | Event::Unscheduled { step, .. }
            | Event::Stopping { step, .. }
            | Event::Examining { step, .. }
            | Event::Examined { step, .. } => return *step,
            Event::Pulled(pulls) => return pulls.step,
            Event::Exhibited(exhibit) => return exhibit.step,
            Event::Evaluated(evaluated) => return evaluated.step,
            Event::EpochFinished(epoch) => return epoch.step,
            Event::Saved(saved) => return saved.step,
            Event::Finished(finished) => self.step = finished.step,
            Event::Warned { step, .. } => return step.unwrap_or(self.step),
            Event::Refused { .. } | Event::Preparing(_) | Event::Machine(_) | Event::Said { .. } => {}
        }
        self.step
    }
}

/// The records of a log that count, in order, up to where it ended when it was opened.
pub struct Course {
    reader: LogReader,
    follower: Follower,
    returns: Vec<Return>,
    /// Records that were there, whether they count or not.
    records: u64,
    damage: Option<LogError>,
    tail: Tail,
    over: bool,
}

/// A run went on from an earlier step.
#[derive(Clone, Copy, Debug)]
struct Return {
    /// Of the record that says so.
    seq: u64,
    to: Step,
    /// The first record that the checkpoint knew nothing of.
    known: u64,
}

impl Return {
    fn of(seq: u64, started: &Started) -> Self {
        // Older records do not say where the checkpoint stands in the log; then what happened at its very step stays.
        Self { seq, to: started.from_step, known: started.resumed.as_ref().map_or(u64::MAX, |resumed| resumed.from_seq) }
    }

    fn undid(self, record: &Record, step: Step) -> bool {
        if self.seq <= record.seq {
            return false;
        }
        match record.event {
            // A run that goes on had not ended.
            Event::Finished(_) => true,
            // It is made again at its step.
            Event::Controlled { .. } => step > self.to || (step == self.to && record.seq >= self.known),
            // The facts of the run, whatever steps follow.
            Event::Started(_) => record.seq > 0 && step > self.to,
            Event::Progress(_)
            | Event::Scheduled { .. }
            | Event::Unscheduled { .. }
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
            | Event::Said { .. } => step > self.to,
        }
    }
}

impl Course {
    /// Reads the log once to find what was undone; its records then come one by one.
    ///
    /// # Errors
    /// When nothing can be read: no file, a newer format, no whole record. What is wrong further up ends the records.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let mut first = read_lines(path, Lines::Milestones)?;
        let (mut returns, mut damage, mut seen) = (Vec::new(), None, 0);
        for record in first.by_ref() {
            match record {
                Ok(record) => {
                    if let (Event::Started(started), true) = (&record.event, seen > 0) {
                        returns.push(Return::of(record.seq, started));
                    }
                    seen += 1;
                }
                Err(error @ (LogError::Malformed { .. } | LogError::Gap { .. })) if seen > 0 => damage = Some(error),
                Err(error) => return Err(error),
            }
        }
        if seen == 0 {
            return Err(LogError::Empty { path: path.to_path_buf() });
        }
        let (records, tail) = (first.next_seq(), first.tail());
        Ok(Self { reader: read_log(path)?, follower: Follower::default(), returns, records, damage, tail, over: false })
    }

    /// How the log ended when it was opened.
    pub fn tail(&self) -> Tail {
        self.tail
    }
}

impl Iterator for Course {
    type Item = Result<Record, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            let record = match self.reader.next() {
                Some(Ok(record)) if record.seq < self.records => record,
                // What came after it was opened may tell of a return that nobody knew of then.
                Some(Ok(_)) | None => {
                    self.over = true;
                    return self.damage.take().map(Err);
                }
                Some(Err(error)) => {
                    self.over = true;
                    return Some(Err(error));
                }
            };
            let step = self.follower.step(&record.event);
            if !self.returns.iter().any(|back| back.undid(&record, step)) {
                return Some(Ok(record));
            }
        }
        None
    }
}
