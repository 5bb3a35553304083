//! What an evaluation has found so far, on disk: one line a finished batch, so that an interruption costs one batch at most.
//!
//! A folder of its own for each evaluation: `settings.json` first, `progress.jsonl` line by line, `adversarial/` where images are kept,
//! `report.json` in the end. A line that was torn by a kill or a power cut is dropped, its batch is done again.

use crate::disk::{self, Locking};
use crate::run::evaluations::{PROGRESS, SETTINGS};
use crate::run::store::write_atomically;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub const IMAGES: &str = "adversarial";

#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct JournalError {
    path: PathBuf,
    why: String,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_path_buf();
    move |error| JournalError {
        why: format!("cannot be written: {error}; what was found so far is kept, go on with --resume when there is room"),
        path,
    }
}

/// An image that was fooled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trick {
    pub place: i64,
    /// What it was taken for; -1 where the answer was no number.
    pub answer: i64,
    /// From the original, in the attack's norm.
    pub distance: f64,
}

/// A finished batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub ensemble: usize,
    /// Index of the stage within the ensemble.
    pub stage: usize,
    /// All images of the batch.
    pub places: Vec<i64>,
    pub tricks: Vec<Trick>,
    /// Fooled in the attack's batch and not when looked at again: not counted as fooled.
    pub not_again: u64,
    pub seconds: f64,
    pub forwards: u64,
    pub gradients: u64,
}

/// Whether adversarial images are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Images,
    Numbers,
}

/// The record of one evaluation, on disk or, for one that nobody resumes, in memory.
pub struct Journal {
    entries: Vec<Entry>,
    /// How many were there when it was opened.
    before: usize,
    place: Option<(PathBuf, File)>,
    keep: Keep,
}

impl Journal {
    /// For an evaluation whose loss costs nothing.
    pub fn in_memory() -> Self {
        Self { entries: Vec::new(), before: 0, place: None, keep: Keep::Numbers }
    }

    /// Begins in an empty folder, which is made.
    ///
    /// # Errors
    /// What the file system says.
    pub fn begin(folder: &Path, settings: &serde_json::Value, keep: Keep) -> Result<Self, JournalError> {
        let cannot = |path: &Path, error: &io::Error| JournalError {
            path: path.to_path_buf(),
            why: format!("cannot be written: {error}; an evaluation is kept there, make room or make it writable"),
        };
        fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
        let path = folder.join(SETTINGS);
        write_atomically(&path, format!("{settings:#}\n").as_bytes()).map_err(|error| cannot(&path, &error))?;
        Self::open(folder, keep)
    }

    /// Goes on in a folder where one was begun.
    ///
    /// # Errors
    /// What the file system says, or a line that is no entry with others behind it.
    pub fn open(folder: &Path, keep: Keep) -> Result<Self, JournalError> {
        let path = folder.join(PROGRESS);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed(&path))?;
        // Two that go on with one evaluation would do everything twice. The lock goes with the process, however it ends.
        if disk::lock(&file, &path) == Locking::Others {
            let why = "another process evaluates there now; wait for it".into();
            return Err(JournalError { path, why });
        }
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => return Err(JournalError { why: format!("cannot be read: {error}"), path }),
        };
        // Only whole lines count.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut entries = Vec::new();
        for (number, line) in text[..whole].lines().enumerate() {
            let entry = serde_json::from_str(line).map_err(|error| JournalError {
                path: path.clone(),
                why: format!("line {} is not of an evaluation ({error}); remove this folder and begin again", number + 1),
            })?;
            entries.push(entry);
        }
        if whole < text.len() {
            file.set_len(whole as u64).map_err(failed(&path))?;
        }
        Ok(Self { before: entries.len(), entries, place: Some((folder.to_path_buf(), file)), keep })
    }

    pub fn known(&self, ensemble: usize, stage: usize) -> impl Iterator<Item = &Entry> {
        self.entries[..self.before].iter().filter(move |e| e.ensemble == ensemble && e.stage == stage)
    }

    /// Batches that were there when it was opened.
    pub fn batches_before(&self) -> usize {
        self.before
    }

    /// Seconds of work that are not done again.
    pub fn seconds_before(&self) -> f64 {
        self.entries[..self.before].iter().map(|e| e.seconds).sum()
    }

    /// Images fooled at first and not when looked at again.
    pub fn not_again(&self) -> u64 {
        self.entries.iter().map(|e| e.not_again).sum()
    }

    pub fn keeps_images(&self) -> bool {
        self.keep == Keep::Images && self.place.is_some()
    }

    /// Keeps the images of a batch: `<ensemble>-<stage>-<first place>.f32`, little-endian floats in the order of `places`, which stand
    /// in the line that follows.
    ///
    /// # Errors
    /// What the file system says.
    pub fn keep(&self, ensemble: usize, stage: usize, places: &[i64], pixels: &[f32]) -> Result<(), JournalError> {
        let Some((folder, _)) = &self.place else { return Ok(()) };
        let folder = folder.join(IMAGES);
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let path = folder.join(format!("{ensemble}-{stage}-{}.f32", places[0]));
        let bytes: Vec<u8> = pixels.iter().flat_map(|p| p.to_le_bytes()).collect();
        write_atomically(&path, &bytes).map_err(failed(&path))
    }

    /// The kept images of an entry, as [`Self::keep`] took them; `None` where none were kept.
    ///
    /// # Errors
    /// What the file system says.
    pub fn kept(folder: &Path, entry: &Entry) -> Result<Option<Vec<f32>>, JournalError> {
        let Some(first) = entry.tricks.first() else { return Ok(None) };
        let path = folder.join(IMAGES).join(format!("{}-{}-{}.f32", entry.ensemble, entry.stage, first.place));
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(JournalError { why: format!("cannot be read: {error}"), path }),
        }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Writes a batch down.
    ///
    /// # Errors
    /// What the file system says; a line half written is taken back.
    pub fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        if let Some((folder, file)) = &mut self.place {
            let path = folder.join(PROGRESS);
            let mut line = serde_json::to_string(entry).map_err(|e| JournalError { path: path.clone(), why: e.to_string() })?;
            line.push('\n');
            let length = file.metadata().map_err(failed(&path))?.len();
            if let Err(error) = file.write_all(line.as_bytes()).and_then(|()| disk::sync_data(file, &path)) {
                let _ = file.set_len(length);
                return Err(failed(&path)(error));
            }
        }
        self.entries.push(entry.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(stage: usize, place: i64) -> Entry {
        Entry {
            ensemble: 0,
            stage,
            places: vec![place, place + 1],
            tricks: vec![Trick { place, answer: 3, distance: 0.1 }],
            not_again: 0,
            seconds: 0.5,
            forwards: 2,
            gradients: 10,
        }
    }

    #[test]
    fn a_torn_line_is_dropped_and_its_batch_comes_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::begin(folder.path(), &serde_json::json!({"a": 1}), Keep::Numbers).unwrap();
        journal.write(&entry(0, 0)).unwrap();
        journal.write(&entry(1, 2)).unwrap();
        drop(journal);
        let path = folder.path().join(PROGRESS);
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = Journal::open(folder.path(), Keep::Numbers).unwrap();
            let lines = String::from_utf8_lossy(&whole[..cut]).matches('\n').count();
            assert_eq!(journal.batches_before(), lines, "cut at {cut}");
            journal.write(&entry(2, 8)).unwrap();
            drop(journal);
            let again = Journal::open(folder.path(), Keep::Numbers).unwrap();
            assert_eq!(again.entries().last(), Some(&entry(2, 8)), "cut at {cut}");
        }
    }

    #[test]
    fn one_process_at_a_time_works_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = Journal::begin(folder.path(), &serde_json::Value::Null, Keep::Numbers).unwrap();
        let error = Journal::open(folder.path(), Keep::Numbers).err().unwrap().to_string();
        assert!(error.contains("another process evaluates there now"), "{error}");
        assert!(crate::run::evaluations::busy(folder.path()));
        drop(first);
        assert!(!crate::run::evaluations::busy(folder.path()) && Journal::open(folder.path(), Keep::Numbers).is_ok());
    }

    #[test]
    fn a_line_that_is_no_entry_is_refused_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        drop(Journal::begin(folder.path(), &serde_json::Value::Null, Keep::Numbers).unwrap());
        fs::write(folder.path().join(PROGRESS), "{}\n").unwrap();
        let error = Journal::open(folder.path(), Keep::Numbers).err().unwrap().to_string();
        assert!(error.contains("progress.jsonl") && error.contains("line 1"), "{error}");
    }

    #[test]
    fn kept_images_come_back_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::begin(folder.path(), &serde_json::Value::Null, Keep::Images).unwrap();
        assert!(journal.keeps_images() && !Journal::in_memory().keeps_images());
        let pixels = [0.1f32, 1.0, f32::MIN_POSITIVE];
        journal.keep(0, 4, &[7], &pixels).unwrap();
        assert_eq!(Journal::kept(folder.path(), &entry(4, 7)).unwrap().as_deref(), Some(&pixels[..]));
        assert_eq!(Journal::kept(folder.path(), &entry(5, 7)).unwrap(), None);
    }
}
