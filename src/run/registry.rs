//! Runs of this user that train on this machine now, wherever their folders are.
//!
//! The process that trains a run leaves an entry in each private folder of the machine (`$XDG_RUNTIME_DIR/rematch`, and
//! `/tmp/rematch-UID`, for shells that lack the variable). An entry is only a hint where to look: the lock of the run's folder
//! decides whether it trains. Entries of processes that are gone are removed by whoever looks. Nothing depends on an entry: where none can
//! be written, a run is found in its folder alone.

use super::socket::{elsewhere, own_folder};
use super::store::{Owner, RunFolder};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const ENDING: &str = "run";
/// No entry is larger; a path has 4,096 bytes.
const LARGEST: u64 = 16 << 10;

/// A process's note of the run that it trains.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// Absolute.
    run: PathBuf,
    process: Process,
}

/// What tells a process from one that has its number later, or on another machine.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Process {
    pid: u32,
    /// Clock ticks between the machine's start and the process's.
    started: u64,
    /// Identifier of the machine's start.
    boot: String,
    host: String,
}

/// The entries of a run that trains here. They go with it.
#[derive(Debug, Default)]
pub struct Registration {
    files: Vec<PathBuf>,
}

impl Registration {
    /// Notes that this process trains the run in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self::within(&elsewhere(), folder)
    }

    fn within(places: &[PathBuf], folder: &Path) -> Self {
        // Each entry has its own name: the one for a folder that was moved is written before the old one goes.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let Some(process) = Process::this() else { return Self::default() };
        let Ok(run) = folder.canonicalize() else { return Self::default() };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{count}.{ENDING}", process.pid, process.started);
        let Ok(text) = serde_json::to_vec(&Entry { run, process }) else { return Self::default() };
        let written = places.iter().filter(|place| own_folder(place).is_ok()).map(|place| place.join(&name));
        Self { files: written.filter(|file| write(file, &text).is_ok()).collect() }
    }
}

/// Whole or not at all. Not synced: after a crash of the machine no entry is right.
fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let beside = file.with_extension("partial");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, file)).inspect_err(|_| drop(fs::remove_file(&beside)))
}

impl Drop for Registration {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}

impl Process {
    fn this() -> Option<Self> {
        let pid = std::process::id();
        Some(Self { pid, started: started(pid)?, boot: boot(), host: host() })
    }

    /// Whether it has ended for certain.
    fn is_gone(&self) -> bool {
        // Of another machine that shares the folder nothing is known.
        self.host == host() && (self.boot != boot() || started(self.pid) != Some(self.started))
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_string()
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Field 22 of `/proc/PID/stat`; what stands before the last parenthesis is the program's name, which may be anything.
fn started(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// What was found, and where it was looked for.
#[derive(Debug, Default)]
pub struct Registered {
    pub runs: Vec<RunFolder>,
    pub looked: Vec<PathBuf>,
}

/// Every run that a process of this user on this machine trains, by the names of their folders.
pub fn runs() -> Registered {
    within(&elsewhere())
}

fn within(places: &[PathBuf]) -> Registered {
    let mut found = Registered::default();
    // Not ours, or open to others: what lies there is nobody's word.
    for place in places.iter().filter(|place| place.symlink_metadata().is_ok() && own_folder(place).is_ok()) {
        found.looked.push(place.clone());
        let files = fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
        for file in files.filter(|file| file.extension().is_some_and(|end| end == ENDING)) {
            let Some(entry) = read(&file) else { continue };
            let here = Path::new("");
            if let Some(run) = RunFolder::open(here, &entry.run).ok().filter(|run| run.owner() != Owner::Nobody) {
                if !found.runs.iter().any(|other| other.path() == run.path()) {
                    found.runs.push(run);
                }
            } else if entry.process.is_gone() {
                // Otherwise it begins or ends at this moment, or its folder cannot be read from here.
                let _ = fs::remove_file(&file);
            }
        }
    }
    found.runs.sort_by(|a, b| (a.id(), a.path()).cmp(&(b.id(), b.path())));
    found
}

fn read(file: &Path) -> Option<Entry> {
    let facts = file.symlink_metadata().ok()?;
    let sane = facts.is_file() && facts.len() <= LARGEST;
    sane.then(|| serde_json::from_slice(&fs::read(file).ok()?).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::recorder::Recorder;
    use std::os::unix::fs::PermissionsExt as _;

    fn entries(place: &Path) -> usize {
        fs::read_dir(place).into_iter().flatten().count()
    }

    /// A run that this process holds, with one record.
    fn run(home: &Path, id: &str) -> RunFolder {
        let folder = RunFolder::create(&home.join("far away"), Some(id), "x", "").unwrap();
        let said = crate::protocol::Event::Said { source: crate::protocol::event::Voice::Rematch, line: "begun".into() };
        Recorder::create(&folder).unwrap().record(said).unwrap();
        folder
    }

    #[test]
    fn a_run_is_found_wherever_it_lies_as_long_as_it_is_held() {
        let home = tempfile::tempdir().unwrap();
        let places = [home.path().join("one"), home.path().join("other"), home.path().join("no/where")];
        let folder = run(home.path(), "a");
        let registration = Registration::within(&places, folder.path());
        let found = within(&places);
        assert_eq!(found.runs.iter().map(RunFolder::id).collect::<Vec<_>>(), ["a"], "once, though it has two entries");
        assert_eq!(found.looked, places[..2]);
        drop(registration);
        assert_eq!((entries(&places[0]), entries(&places[1])), (0, 0));
        assert!(within(&places).runs.is_empty());
    }

    #[test]
    fn entries_of_processes_that_are_gone_are_removed_and_others_stay() {
        let home = tempfile::tempdir().unwrap();
        let places = [home.path().join("one")];
        let folder = run(home.path(), "a");
        let registration = Registration::within(&places, folder.path());
        let file = &registration.files[0];
        let write = |change: &dyn Fn(&mut Entry)| {
            let mut entry = Entry { run: folder.path().canonicalize().unwrap(), process: Process::this().unwrap() };
            change(&mut entry);
            fs::write(file, serde_json::to_vec(&entry).unwrap()).unwrap();
            let found = within(&places).runs.len();
            (found, file.exists())
        };
        let gone = home.path().join("gone");
        assert_eq!(write(&|entry| entry.process.started += 1), (1, true), "the lock says that it trains");
        assert_eq!(write(&|entry| entry.run.clone_from(&gone)), (0, true), "its process lives");
        for change in [
            (&|process: &mut Process| process.started += 1) as &dyn Fn(&mut Process),
            &|process| process.pid = u32::MAX,
            &|process| process.boot = "another start".into(),
        ] {
            let changed = write(&|entry| {
                entry.run.clone_from(&gone);
                change(&mut entry.process);
            });
            assert_eq!(changed, (0, false));
        }
        let elsewhere = write(&|entry| {
            entry.run.clone_from(&gone);
            (entry.process.host, entry.process.pid) = ("another machine".into(), 1);
        });
        assert_eq!(elsewhere, (0, true));
        fs::write(file, "no entry").unwrap();
        assert_eq!((within(&places).runs.len(), file.exists()), (0, true));
    }

    #[test]
    fn a_folder_that_is_not_ours_alone_is_neither_written_nor_read() {
        let home = tempfile::tempdir().unwrap();
        let (place, link) = (home.path().join("one"), home.path().join("link"));
        let folder = run(home.path(), "a");
        let _kept = Registration::within(std::slice::from_ref(&place), folder.path());
        std::os::unix::fs::symlink(&place, &link).unwrap();
        assert!(Registration::within(std::slice::from_ref(&link), folder.path()).files.is_empty());
        assert!(within(&[link]).looked.is_empty());
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
        let found = within(&[place]);
        assert!(found.runs.is_empty() && found.looked.is_empty(), "{found:?}");
    }
}
