//! The runs of a folder as a view keeps them: each log is read once, and again only when it has changed.
//!
//! A run that cannot be read stays in its place with the reason. Nothing is written, and nothing here waits or knows of a screen:
//! whoever asks does so on a thread of its own.

#[cfg(test)]
pub(crate) mod made;
pub mod measure;
pub mod whatif;

use super::listing::{self, RunSummary, Standing};
use super::replay::read_log;
use super::state::{Marker, RunState};
use super::store::{Owner, RunFolder, StoreError, ids};
use crate::config::Config;
use crate::protocol::event::{Evaluated, Started};
use measure::Number;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// One folder of runs and what was read of it.
pub struct Shelf {
    runs: PathBuf,
    known: HashMap<String, Known>,
    looked: bool,
}

struct Known {
    stamp: Stamp,
    /// Whoever held it when it was read; of a run that has ended nobody asks again.
    owner: Owner,
    entry: Entry,
}

/// Tells whether a log was written to since.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

/// A run, or why it cannot be read.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name of its folder.
    pub id: String,
    pub found: Result<Arc<Facts>, String>,
}

/// What a list of runs and its neighbours need of one.
#[derive(Clone, Debug)]
pub struct Facts {
    pub summary: RunSummary,
    pub started: Started,
    /// What was turned while it ran.
    pub turned: Vec<Marker>,
    /// The student's, oldest first.
    pub probes: Vec<Evaluated>,
    /// The probe with the highest adversarial accuracy, which is not the final number.
    pub best: Option<Number>,
    /// The evaluation that ended it.
    pub test: Option<Number>,
    /// The config without what runs of one kind may differ in.
    pub kind: Config,
}

impl Facts {
    /// Of a run that is known so far; `None` before it says what was started.
    pub fn of(id: &str, state: &RunState, owner: &Owner) -> Option<Self> {
        let summary = listing::summarised(id, state, owner)?;
        Some(Self::with(summary, state, (**state.started.as_ref()?).clone()))
    }

    fn with(summary: RunSummary, state: &RunState, started: Started) -> Self {
        Self {
            summary,
            turned: state.turned().cloned().collect(),
            probes: state.probes().cloned().collect(),
            best: state.best.as_ref().map(|e| Number::of(&started, e)),
            test: state.last_final().map(|e| Number::of(&started, e)),
            kind: whatif::kind(&started.config),
            started,
        }
    }

    fn has_ended(&self) -> bool {
        match self.summary.state {
            Standing::Completed | Standing::Stopped | Standing::Failed => true,
            // It may be resumed, or killed, without a word in its log.
            Standing::Running | Standing::Interrupted => false,
        }
    }
}

impl Shelf {
    pub fn new(runs: PathBuf) -> Self {
        Self { runs, known: HashMap::new(), looked: false }
    }

    /// All runs, in no order; `None` where nothing has changed since the last look. No folder: no runs.
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub fn look(&mut self) -> Result<Option<Vec<Entry>>, StoreError> {
        let mut changed = !self.looked;
        let mut known = HashMap::new();
        for id in ids(&self.runs)? {
            let path = self.runs.join(&id);
            let stamp = stamp(&path.join("events.jsonl"));
            match self.known.remove(&id) {
                Some(old) if old.stamp == stamp && old.still(&self.runs, &path) => known.insert(id, old),
                Some(_) | None => {
                    changed = true;
                    known.insert(id.clone(), read(&self.runs, &path, id, stamp))
                }
            };
        }
        // What is left has gone.
        changed |= !self.known.is_empty();
        self.known = known;
        self.looked = true;
        Ok(changed.then(|| self.known.values().map(|known| known.entry.clone()).collect()))
    }

    /// The whole run, for its curves: as far as its log can be read.
    ///
    /// # Errors
    /// Why nothing of it can be read.
    pub fn open(&self, id: &str) -> Result<Arc<RunState>, String> {
        let folder = RunFolder::open(&self.runs, &self.runs.join(id)).map_err(|error| error.to_string())?;
        let mut state = RunState::default();
        for record in read_log(&folder.events()).map_err(|error| error.to_string())? {
            match record {
                Ok(record) => state.apply(&record),
                Err(_) if state.started.is_some() => break,
                Err(error) => return Err(error.to_string()),
            }
        }
        if state.started.is_none() {
            return Err("its log does not say what was started".into());
        }
        Ok(Arc::new(state))
    }
}

impl Known {
    /// Whether what was read holds though the log says nothing new: a killed run writes no last line.
    fn still(&self, runs: &Path, path: &Path) -> bool {
        match &self.entry.found {
            Ok(facts) if !facts.has_ended() => RunFolder::open(runs, path).is_ok_and(|folder| folder.owner() == self.owner),
            Ok(_) | Err(_) => true,
        }
    }
}

fn read(runs: &Path, path: &Path, id: String, stamp: Stamp) -> Known {
    let mut owner = Owner::Nobody;
    let found = RunFolder::open(runs, path).map_err(|error| error.to_string()).and_then(|folder| {
        owner = folder.owner();
        let (summary, state) = listing::read(&folder)?;
        let started = state.started.as_deref().cloned().ok_or("its log does not say what was started")?;
        Ok(Arc::new(Facts::with(summary, &state, started)))
    });
    Known { stamp, owner, entry: Entry { id, found } }
}

fn stamp(log: &Path) -> Stamp {
    std::fs::metadata(log)
        .map_or(Stamp { bytes: 0, modified: None }, |facts| Stamp { bytes: facts.len(), modified: facts.modified().ok() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Outcome;
    use std::fs;

    fn write(runs: &Path, made: made::Made, id: &str) {
        let lines: Vec<String> = made.records().iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect();
        fs::create_dir_all(runs.join(id)).unwrap();
        fs::write(runs.join(id).join("events.jsonl"), lines.concat()).unwrap();
    }

    fn ids(entries: &[Entry]) -> Vec<(&str, bool)> {
        let mut ids: Vec<_> = entries.iter().map(|entry| (entry.id.as_str(), entry.found.is_ok())).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn logs_are_read_again_only_when_they_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::new(folder.path().to_path_buf());
        assert_eq!(shelf.look().unwrap().unwrap().len(), 0, "the first look always answers");
        assert!(shelf.look().unwrap().is_none());
        write(folder.path(), made::run("one"), "one");
        write(folder.path(), made::run("two").ended(None), "two");
        fs::create_dir(folder.path().join("not-a-run")).unwrap();
        let entries = shelf.look().unwrap().unwrap();
        assert_eq!(ids(&entries), [("not-a-run", false), ("one", true), ("two", true)]);
        assert!(shelf.look().unwrap().is_none());
        // What has not changed is the very same; what has is read.
        let kept = |entries: &[Entry]| entries.iter().find(|e| e.id == "one").unwrap().found.clone().unwrap();
        write(folder.path(), made::run("two").ended(Some(Outcome::Stopped)), "two");
        let again = shelf.look().unwrap().unwrap();
        assert!(Arc::ptr_eq(&kept(&entries), &kept(&again)));
        let two = again.iter().find(|e| e.id == "two").unwrap().found.clone().unwrap();
        assert_eq!(two.summary.state, Standing::Stopped);
        fs::remove_dir_all(folder.path().join("one")).unwrap();
        assert_eq!(shelf.look().unwrap().unwrap().len(), 2);
    }

    #[test]
    fn a_damaged_log_hides_no_other_run_and_opens_as_far_as_it_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), made::run("whole").probe(0.8, 0.4), "whole");
        write(folder.path(), made::run("cut").probe(0.8, 0.4), "cut");
        let log = folder.path().join("cut").join("events.jsonl");
        let text = fs::read_to_string(&log).unwrap();
        fs::write(&log, text.replace("\"seq\":2", "\"seq\":9")).unwrap();
        fs::create_dir(folder.path().join("noise")).unwrap();
        fs::write(folder.path().join("noise").join("events.jsonl"), [0xff, 0x00, b'\n']).unwrap();
        let mut shelf = Shelf::new(folder.path().to_path_buf());
        let entries = shelf.look().unwrap().unwrap();
        assert_eq!(ids(&entries), [("cut", true), ("noise", false), ("whole", true)]);
        let cut = entries.iter().find(|e| e.id == "cut").unwrap().found.clone().unwrap();
        assert!(cut.summary.message.as_ref().unwrap().contains("lines are missing"));
        assert_eq!(shelf.open("cut").unwrap().probes().count(), 1);
        assert!(shelf.open("noise").unwrap_err().contains("not a record"));
        assert!(shelf.open("gone").unwrap_err().contains("no run"));
    }
}
