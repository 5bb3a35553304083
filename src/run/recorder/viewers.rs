//! What viewers' threads see: the newest records in memory, older ones in the file.
//!
//! It writes nothing, and no viewer can hold up whoever does.

use crate::protocol::Record;
use crate::run::replay::{MOST_BYTES, number};
use crossbeam_channel::Sender;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Records kept in memory for viewers: some minutes of training.
pub(super) const RING: usize = 4096;

/// Records that may wait in one viewer's channel.
pub(super) const WAITING: usize = 1024;

/// What viewers' threads see. Apart from the log's own lock, so that no viewer waits for a disk or a writer for a viewer.
pub(super) struct Shared {
    pub(super) recent: Mutex<Recent>,
    pub(super) more: Condvar,
    /// Where older records can be read again, wherever the file has gone since; without it all are kept.
    pub(super) file: Mutex<Option<Arc<File>>>,
}

#[derive(Default)]
pub(super) struct Recent {
    pub(super) ring: VecDeque<Kept>,
    /// Bytes of the file that hold whole lines.
    pub(super) length: u64,
    pub(super) next_seq: u64,
    pub(super) closed: bool,
}

#[derive(Clone)]
pub(super) struct Kept {
    pub(super) record: Arc<Record>,
    /// Where the next line starts in the file.
    pub(super) end: u64,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks is left half done by a panic: each value is set last.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn hand_on(&self, kept: Kept) {
        let mut recent = locked(&self.recent);
        if locked(&self.file).is_some() && recent.ring.len() == RING {
            recent.ring.pop_front();
        }
        recent.length = kept.end;
        recent.next_seq = kept.record.seq + 1;
        recent.ring.push_back(kept);
        drop(recent);
        self.more.notify_all();
    }

    /// Runs until the viewer or the recorder is gone.
    pub(super) fn feed(&self, to: &Sender<Arc<Record>>, mut next: u64) {
        // Where the next line starts in the file; nobody knows before the first was found.
        let mut offset = None;
        loop {
            let mut batch = Vec::new();
            let mut recent = locked(&self.recent);
            while recent.next_seq <= next && !recent.closed {
                recent = self.more.wait(recent).unwrap_or_else(PoisonError::into_inner);
            }
            if recent.next_seq <= next {
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
                    (next, offset) = (kept.record.seq + 1, Some(kept.end));
                    to.send(kept.record).map_err(|_| Gone)
                })
            };
            if fed.is_err() {
                return;
            }
        }
    }

    /// Hands on what the file holds from `offset` up to `length`, which are both ends of lines. Without an offset, from the line
    /// of `next` on, to which earlier ones are passed over by their numbers alone.
    fn feed_from_file(
        &self,
        to: &Sender<Arc<Record>>,
        next: &mut u64,
        offset: &mut Option<u64>,
        length: u64,
    ) -> Result<(), Gone> {
        let file = locked(&self.file).clone().ok_or(Gone)?;
        let mut at = offset.unwrap_or(0);
        let mut lines = BufReader::with_capacity(1 << 16, Part { file, at, end: length });
        let mut line = Vec::new();
        while at < length {
            line.clear();
            let read = (&mut lines).take(MOST_BYTES).read_until(b'\n', &mut line).map_err(|_| Gone)?;
            at += read as u64;
            if offset.is_none() && number(&line).is_some_and(|seq| seq < *next) {
                continue;
            }
            // Somebody else cut or changed the log under us: the viewer's stream ends rather than goes wrong.
            let record: Record = serde_json::from_slice(&line).map_err(|_| Gone)?;
            if record.seq != *next {
                return Err(Gone);
            }
            *offset = Some(at);
            *next += 1;
            to.send(Arc::new(record)).map_err(|_| Gone)?;
        }
        // Else it would be looked for again and again.
        if offset.is_some() { Ok(()) } else { Err(Gone) }
    }
}

/// Bytes of the log from one place to another, read without moving where it is written.
struct Part {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let most = to.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut to[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The viewer is gone, or can be told nothing more.
struct Gone;
