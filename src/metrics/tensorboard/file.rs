//! An event file: each event framed with its length and checksums, and written so that a failure costs nothing that can be had again.
//!
//! What is added waits in memory until it is flushed. A write that fails leaves the file as long as it may be read, and the rest
//! waits for the next try at the same place, up to a bound: a full disk that gets room again loses nothing, one that stays full costs
//! the file's end and no memory. It knows nothing of what an event says.

use super::wire::{Event, What};
use crate::disk::sync_file;
use prost::Message as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// TensorBoard reads all files with this in their names; those of a folder in the order of the names.
const PREFIX: &str = "events.out.tfevents.";
const OURS: &str = "rematch";
/// A file that is not whole yet, and that TensorBoard does not look at.
const HIDDEN: &str = ".rematch-export.partial";
/// What may wait for a disk.
const MOST_WAITING: usize = 16 << 20;
/// From here on it is written without being asked.
const FULL: usize = 1 << 20;

/// Names of event files in this folder, in order; none where there is no folder.
pub fn held_by(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.contains("tfevents")).collect();
    names.sort();
    names
}

/// Whether a file of this name was written here.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) && name.rsplit('.').next() == Some(OURS)
}

pub struct EventFile {
    folder: PathBuf,
    until_whole: Until,
    file: Option<(File, PathBuf)>,
    /// Of its first event: part of the file's name.
    seconds: Option<u64>,
    /// Bytes of whole events in the file.
    written: u64,
    pending: Vec<u8>,
    /// How many may wait before they are written unasked.
    full: usize,
}

/// Under which name a file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Its own: somebody looks at it meanwhile.
    Seen,
    Hidden,
}

impl EventFile {
    /// Of a run that trains.
    pub fn growing(folder: &Path) -> Self {
        Self::new(folder, Until::Seen)
    }

    /// Of a recorded run.
    pub fn hidden(folder: &Path) -> Self {
        Self::new(folder, Until::Hidden)
    }

    fn new(folder: &Path, until_whole: Until) -> Self {
        let folder = folder.to_path_buf();
        Self { folder, until_whole, file: None, seconds: None, written: 0, pending: Vec::new(), full: FULL }
    }

    /// Takes in an event. It is in the file after the next flush that succeeds.
    pub fn add(&mut self, event: &Event) {
        if self.seconds.is_none() {
            self.seconds = Some(event.wall_time as u64);
            let version = What::FileVersion("brain.Event:2".into());
            self.frame(&Event { wall_time: event.wall_time, step: 0, what: Some(version) });
        }
        if self.pending.len() < MOST_WAITING {
            self.frame(event);
        }
    }

    fn frame(&mut self, event: &Event) {
        let bytes = event.encode_to_vec();
        let length = (bytes.len() as u64).to_le_bytes();
        self.pending.extend(length);
        self.pending.extend(masked(&length).to_le_bytes());
        self.pending.extend(&bytes);
        self.pending.extend(masked(&bytes).to_le_bytes());
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// What the system says. It may be tried again.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(seconds) = self.seconds else { return Ok(()) };
        if self.pending.is_empty() {
            return Ok(());
        }
        let (file, _) = match &mut self.file {
            Some(open) => open,
            none @ None => none.insert(open(&self.folder, seconds, self.until_whole)?),
        };
        // At the place that the last whole write ended: what a failed one left behind is written over.
        file.write_all_at(&self.pending, self.written)?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Writes what waits where that is much.
    ///
    /// # Errors
    /// As [`Self::flush`]; it is not tried again before more has come.
    pub fn flush_when_full(&mut self) -> io::Result<()> {
        if self.pending.len() < self.full {
            return Ok(());
        }
        let done = self.flush();
        self.full = self.pending.len() + FULL;
        done
    }

    /// Writes everything, to the disk, and gives a hidden file its name, which comes back.
    ///
    /// # Errors
    /// What the system says; a hidden file is gone then.
    pub fn finish(mut self) -> io::Result<PathBuf> {
        self.flush()?;
        let Some((file, path)) = self.file.take() else { return Err(io::Error::other("there is nothing to write")) };
        if self.until_whole == Until::Seen {
            return sync_file(&file, &path).map(|()| path);
        }
        let named = sync_file(&file, &path).and_then(|()| {
            let name = free_name(&self.folder, self.seconds.unwrap_or(0));
            fs::rename(&path, &name).map(|()| name)
        });
        if named.is_err() {
            let _ = fs::remove_file(&path);
        }
        named
    }
}

impl Drop for EventFile {
    fn drop(&mut self) {
        // Whoever did not finish it has failed.
        if let (Until::Hidden, Some((_, path))) = (self.until_whole, &self.file) {
            let _ = fs::remove_file(path);
        }
    }
}

fn open(folder: &Path, seconds: u64, until_whole: Until) -> io::Result<(File, PathBuf)> {
    fs::create_dir_all(folder)?;
    if until_whole == Until::Hidden {
        let path = folder.join(HIDDEN);
        return Ok((File::create(&path)?, path));
    }
    let path = free_name(folder, seconds);
    let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    Ok((file, path))
}

/// The next in order, also where a clock went back. Ten digits of seconds last until the year 2286.
fn free_name(folder: &Path, seconds: u64) -> PathBuf {
    let last = held_by(folder).pop().unwrap_or_default();
    let digits = last.strip_prefix(PREFIX).and_then(|rest| rest.split('.').next()).and_then(|digits| digits.parse().ok());
    let seconds = digits.map_or(seconds, |there: u64| there.max(seconds));
    let name = |number: u32| format!("{PREFIX}{seconds:010}.{number:03}.{OURS}");
    let name = (0..1000).map(name).find(|name| *name > last).unwrap_or_else(|| name(1000));
    folder.join(name)
}

/// CRC-32C, turned and moved as TFRecord files have it, so that a checksum of a checksum is none.
fn masked(bytes: &[u8]) -> u32 {
    let crc = crc32c::crc32c(bytes);
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}
