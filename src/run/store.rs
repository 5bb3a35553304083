//! The folder of a run: `runs/<id>/` with its resolved config, its log, its checkpoints and a lock.
//!
//! **No half-written run ever has a final name.** A new run is put together beside its place, under a name that starts with a
//! dot, and everything that can fail (permission, space, the lock) fails there; one rename gives it its name. The lock is a
//! `flock` on the file `lock`, which dies with its process: a file left behind by a killed run locks nobody out.
//!
//! A run that is written to follows its folder: where it is moved, and where it is deleted it can be made again ([`Whereabouts`]).
//!
//! It does not know what a log or a checkpoint says.

use super::advice::{command, listing};
use super::calendar::stamp;
use super::recorder::now_ms;
pub use crate::disk::write_atomically;
use crate::disk::{self, Locking, sync_folder};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// Longest id: with what is put around it while it is made, it stays under the 255 bytes of common file systems.
const ID_LENGTH: usize = 80;
const CONFIG: &str = "config.toml";
const EVENTS: &str = "events.jsonl";
const LOCK: &str = "lock";
const CHECKPOINTS: &str = "checkpoints";

#[derive(Debug, Error)]
pub enum StoreError {
    #[error(
        "run name '{id}': only letters, digits, '.', '_' and '-', at most {ID_LENGTH} of them, the first not '.'; try --name {proposal}"
    )]
    BadId { id: String, proposal: String },
    #[error("{} already holds a run; choose another name, such as --name {proposal}", path.display())]
    Exists { path: PathBuf, proposal: String },
    #[error("{} is in use by process {pid}; look at it with {}, or wait until it has ended", path.display(), command("attach", path, ""))]
    Locked { path: PathBuf, pid: String },
    #[error("no run at {}; {} lists what there is", path.display(), listing(path.parent().unwrap_or(path)))]
    Missing { path: PathBuf },
    #[error("{} is not a run: it has no {EVENTS}; give the folder of a run, such as runs/NAME", path.display())]
    NotARun { path: PathBuf },
    #[error("{} has nothing recorded yet; its {EVENTS} is empty", path.display())]
    NoEvents { path: PathBuf },
    #[error("cannot {doing} {}: {source}; {}", path.display(), advice(source))]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

/// What a person can do about it.
pub(crate) fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => "choose a folder that you may write to with --runs DIR",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space, or choose another disk with --runs DIR",
        ErrorKind::FileTooLarge => {
            "this process may write no larger files: raise its limit with ulimit -f unlimited and start again"
        }
        // EMFILE, ENFILE
        _ if matches!(error.raw_os_error(), Some(23 | 24)) => "too many files are open: raise the limit with ulimit -n 4096",
        ErrorKind::ReadOnlyFilesystem => "that file system is read-only; choose another with --runs DIR",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file is in the way; remove it, or choose another folder with --runs DIR"
        }
        _ => "check that path, or choose another folder with --runs DIR",
    }
}

/// Whether a running process holds a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    Nobody,
    /// With its process id as it wrote it; empty when it could not be read.
    Process(String),
}

/// A run on disk. Clones share the lock, which is let go with the last of them.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    id: String,
    held: Option<Held>,
}

/// What whoever writes to a run has to keep.
pub(super) type Held = Arc<Mutex<Anchor>>;

/// Where a run that is written to lies now, and what proves it.
#[derive(Debug)]
pub(super) struct Anchor {
    path: PathBuf,
    lock: File,
    config: String,
}

/// Where the folder of a run is that is being written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    Here,
    /// Somebody gave it another name; files that are open have come along.
    Moved(PathBuf),
    Gone,
}

impl RunFolder {
    /// Makes `runs/<id>/` with `config` as its `config.toml` and an empty log, and locks it. Without an id it is
    /// `<suggested>-YYYYMMDD-HHMMSS` (UTC), with `-2`, `-3`, ... where that is taken.
    ///
    /// # Errors
    /// A name that cannot be one, a run of that name, or what the file system says. Nothing is left behind then.
    pub fn create(runs: &Path, id: Option<&str>, suggested: &str, config: &str) -> Result<Self, StoreError> {
        Self::create_at(runs, id, suggested, config, now_ms())
    }

    fn create_at(runs: &Path, id: Option<&str>, suggested: &str, config: &str, at_ms: u64) -> Result<Self, StoreError> {
        if let Some(id) = id {
            check_id(id)?;
        }
        fs::create_dir_all(runs).map_err(io_error("make the folder", runs))?;
        if let Some(id) = id {
            let taken = || StoreError::Exists { path: runs.join(id), proposal: first_free(runs, id) };
            // Looked at first so that a taken name is told before anything is written; the rename decides.
            if is_taken(&runs.join(id)) {
                return Err(taken());
            }
            return Partial::make(runs, id, config)?.name(runs, id)?.ok_or_else(taken);
        }
        let base = format!("{}-{}", sanitised(suggested, ID_LENGTH - 22), stamp(at_ms));
        let mut partial = Partial::make(runs, &base, config)?;
        let mut id = base.clone();
        let mut number = 1;
        loop {
            match partial.try_name(runs, &id)? {
                Named::Yes(folder) => return Ok(folder),
                Named::Taken(back) => partial = back,
            }
            number += 1;
            id = format!("{base}-{number}");
        }
    }

    /// A run to read: `what` is its folder, a file in it, or its name within `runs`.
    ///
    /// # Errors
    /// When there is no such run, or nothing to read in it.
    pub fn open(runs: &Path, what: &Path) -> Result<Self, StoreError> {
        let what =
            if what.is_file() { what.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")) } else { what };
        // A folder here that happens to have the name of a run there must not hide it.
        let within = runs.join(what);
        let here = what.join(EVENTS).exists();
        // A name alone is one of a run there, also where there is none of it.
        let named = what.components().count() == 1 && !what.exists();
        let path = if !here && (within.is_dir() || named) { within } else { what.to_path_buf() };
        let missing = || StoreError::Missing { path: path.clone() };
        let whole = path.canonicalize().map_err(|source| match source.kind() {
            ErrorKind::NotFound => missing(),
            _ => StoreError::Io { doing: "open", path: path.clone(), source },
        })?;
        let id = whole.file_name().map(|name| name.to_string_lossy().into_owned()).ok_or_else(missing)?;
        let folder = Self { path, id, held: None };
        match fs::metadata(folder.events()) {
            Ok(facts) if facts.len() > 0 => Ok(folder),
            Ok(_) => Err(StoreError::NoEvents { path: folder.path }),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(StoreError::NotARun { path: folder.path })
            }
            Err(source) => Err(StoreError::Io { doing: "read", path: folder.events(), source }),
        }
    }

    /// A run to go on with: as [`Self::open`], and locked. Nobody else writes to it from here on.
    ///
    /// # Errors
    /// As [`Self::open`]; when another process holds it, or it may not be written to.
    pub fn take(runs: &Path, what: &Path) -> Result<Self, StoreError> {
        let mut folder = Self::open(runs, what)?;
        let config = fs::read_to_string(folder.config()).map_err(io_error("read", &folder.config()))?;
        let lock = take_lock(&folder.lock())?;
        folder.held = Some(Arc::new(Mutex::new(Anchor { path: folder.path.clone(), lock, config })));
        Ok(folder)
    }

    /// Name of the run: of its folder.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// As it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it lies now.
    pub fn now(&self) -> PathBuf {
        self.anchor().map_or_else(|| self.path.clone(), |anchor| anchor.path.clone())
    }

    pub fn events(&self) -> PathBuf {
        self.now().join(EVENTS)
    }

    pub fn config(&self) -> PathBuf {
        self.now().join(CONFIG)
    }

    /// Made when the first checkpoint is.
    pub fn checkpoints(&self) -> PathBuf {
        self.now().join(CHECKPOINTS)
    }

    pub fn lock(&self) -> PathBuf {
        self.now().join(LOCK)
    }

    /// The lock, to be kept by whoever writes to the run.
    pub(super) fn held(&self) -> Option<Held> {
        self.held.clone()
    }

    /// Writes this process into the lock, where another one took it: of two that a process has split into, the one that trains.
    ///
    /// # Errors
    /// What the file system says.
    pub fn sign(&self) -> Result<(), StoreError> {
        let Some(anchor) = self.anchor() else { return Ok(()) };
        sign(&anchor.lock).map_err(io_error("write", &anchor.path.join(LOCK)))
    }

    /// Replaces the config of a run that is written to.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write_config(&self, text: &str) -> Result<(), StoreError> {
        let path = self.config();
        write_atomically(&path, text.as_bytes()).map_err(io_error("write", &path))?;
        if let Some(mut anchor) = self.anchor() {
            anchor.config = text.to_string();
        }
        Ok(())
    }

    fn anchor(&self) -> Option<MutexGuard<'_, Anchor>> {
        self.held.as_ref().map(|held| held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the folder that is written to still has its name. Costs two look-ups.
    pub fn whereabouts(&self) -> Whereabouts {
        let Some(anchor) = self.anchor() else { return Whereabouts::Here };
        let same = |path: &Path| match (fs::metadata(path.join(LOCK)), anchor.lock.metadata()) {
            (Ok(there), Ok(ours)) => (there.dev(), there.ino()) == (ours.dev(), ours.ino()),
            (Ok(_) | Err(_), _) => false,
        };
        if same(&anchor.path) {
            return Whereabouts::Here;
        }
        // Only the system knows where an open file went.
        let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&anchor.lock));
        let file = fs::read_link(link).ok();
        // A file system may number a file anew while it is open (FUSE, some servers): then its name and what is in it tell.
        let named = file.as_ref().is_some_and(|file| anchor.path.join(LOCK).canonicalize().is_ok_and(|lock| lock == *file));
        let forgotten = file.as_ref().is_none_or(|file| file.to_string_lossy().ends_with(" (deleted)"));
        if named || (forgotten && pid_in(&anchor.path.join(LOCK)) == std::process::id().to_string()) {
            return Whereabouts::Here;
        }
        let moved = file.and_then(|file| file.parent().map(Path::to_path_buf));
        moved.filter(|path| same(path)).map_or(Whereabouts::Gone, Whereabouts::Moved)
    }

    /// Takes note of where it was moved to.
    pub fn follow(&self, path: PathBuf) {
        if let Some(mut anchor) = self.anchor() {
            anchor.path = path;
        }
    }

    /// Makes a folder again that was deleted while the run was written to, with the config and a lock; the log is the recorder's.
    ///
    /// # Errors
    /// What the file system says.
    pub fn make_again(&self) -> Result<(), StoreError> {
        let Some(mut anchor) = self.anchor() else { return Ok(()) };
        let path = anchor.path.clone();
        fs::create_dir_all(&path).map_err(io_error("make the folder", &path))?;
        let lock = take_lock(&path.join(LOCK))?;
        write_atomically(&path.join(CONFIG), anchor.config.as_bytes()).map_err(io_error("write", &path.join(CONFIG)))?;
        anchor.lock = lock;
        Ok(())
    }

    /// Who writes to this run now. Asking takes a shared lock for a moment, so nobody should ask in a tight loop.
    pub fn owner(&self) -> Owner {
        let path = self.lock();
        let Ok(file) = File::open(&path) else { return Owner::Nobody };
        match disk::lock_shared(&file, &path) {
            Locking::Ours => Owner::Nobody,
            Locking::Others => Owner::Process(pid_in(&path)),
            // Where locks do not work at all, only a process of this machine can be asked after.
            Locking::Unsupported => {
                Some(pid_in(&path)).filter(|pid| disk::is_this_program(pid)).map_or(Owner::Nobody, Owner::Process)
            }
        }
    }
}

/// A run being put together under a name nobody looks at. Dropped without a name, it is removed.
struct Partial {
    path: PathBuf,
    lock: Option<File>,
    config: String,
}

enum Named {
    Yes(RunFolder),
    Taken(Partial),
}

impl Partial {
    fn make(runs: &Path, id: &str, config: &str) -> Result<Self, StoreError> {
        // Two makers of one run must not meet here: the process and a count within it tell them apart.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = runs.join(format!(".{id}.{}-{count}.partial", std::process::id()));
        // One of this name can only be left over from a dead process that had our number.
        if path.exists() {
            fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
        }
        fs::create_dir(&path).map_err(io_error("make the folder", &path))?;
        let mut partial = Self { path, lock: None, config: config.to_string() };
        let file = partial.path.join(CONFIG);
        write_atomically(&file, config.as_bytes()).map_err(io_error("write", &file))?;
        let file = partial.path.join(EVENTS);
        File::create_new(&file).map_err(io_error("make", &file))?;
        let file = partial.path.join(LOCK);
        partial.lock = Some(take_lock(&file)?);
        Ok(partial)
    }

    fn name(self, runs: &Path, id: &str) -> Result<Option<RunFolder>, StoreError> {
        Ok(match self.try_name(runs, id)? {
            Named::Yes(folder) => Some(folder),
            Named::Taken(_) => None,
        })
    }

    fn try_name(mut self, runs: &Path, id: &str) -> Result<Named, StoreError> {
        let path = runs.join(id);
        // The system replaces an empty folder and refuses a full one, in one step: of two makers one gets the name.
        let renamed = fs::rename(&self.path, &path).or_else(|error| match error.kind() {
            // Some shared file systems rename no folder while a file in it is open: the lock is let go for this moment.
            ErrorKind::PermissionDenied | ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => {
                self.lock = None;
                fs::rename(&self.path, &path)
            }
            _ => Err(error),
        });
        match renamed {
            Ok(()) => {
                sync_folder(runs).map_err(io_error("sync", runs))?;
                let config = std::mem::take(&mut self.config);
                let lock = self.lock.take().map_or_else(|| take_lock(&path.join(LOCK)), Ok)?;
                let anchor = Anchor { path: path.clone(), lock, config };
                Ok(Named::Yes(RunFolder { path, id: id.to_string(), held: Some(Arc::new(Mutex::new(anchor))) }))
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory) =>
            {
                Ok(Named::Taken(self))
            }
            Err(source) => Err(StoreError::Io { doing: "make the folder", path, source }),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the rename nothing has this name any more, and then this does nothing.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn take_lock(path: &Path) -> Result<File, StoreError> {
    let failed = io_error("lock", path);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(&failed)?;
    let pid = pid_in(path);
    let others = match disk::lock(&file, path) {
        Locking::Ours => false,
        Locking::Others => true,
        Locking::Unsupported => pid != std::process::id().to_string() && disk::is_this_program(&pid),
    };
    if others {
        return Err(StoreError::Locked { pid, path: path.parent().unwrap_or(path).to_path_buf() });
    }
    sign(&file).map_err(&failed)?;
    Ok(file)
}

fn sign(lock: &File) -> io::Result<()> {
    let line = format!("{}\n", std::process::id());
    match lock.set_len(0) {
        Ok(()) => lock.write_all_at(line.as_bytes(), 0),
        // What a longer number would leave is covered.
        Err(error) if disk::is_unsupported(&error) => lock.write_all_at(format!("{line:<24}").as_bytes(), 0),
        Err(error) => Err(error),
    }
}

fn pid_in(lock: &Path) -> String {
    fs::read_to_string(lock).unwrap_or_default().trim().to_string()
}

fn io_error<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { doing, path: path.to_path_buf(), source }
}

fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

fn check_id(id: &str) -> Result<(), StoreError> {
    if !id.is_empty() && id.len() <= ID_LENGTH && !id.starts_with('.') && id.chars().all(allowed) {
        Ok(())
    } else {
        Err(StoreError::BadId { id: id.to_string(), proposal: sanitised(id, ID_LENGTH) })
    }
}

/// The nearest thing that can be a name.
fn sanitised(text: &str, length: usize) -> String {
    let id: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let id = id.trim_matches(['.', '-']);
    let id = id[..id.len().min(length)].trim_end_matches(['.', '-']);
    if id.is_empty() { "run".into() } else { id.into() }
}

/// The names of a folder's runs, in no order; whether each can be read is not looked at. No folder: none.
///
/// # Errors
/// When the folder cannot be read.
pub fn ids(runs: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("list", runs)(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error("list", runs))?;
        let id = entry.file_name().to_string_lossy().into_owned();
        // Runs that are being put together start with a dot, and files are no runs.
        if !id.starts_with('.') && entry.path().is_dir() {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// The first of `base.2`, `base.3`, ... that no run has; what cannot stand in a name is replaced.
pub fn branch_id(runs: &Path, base: &str) -> String {
    numbered(runs, base, '.')
}

/// `base`, or where a run has it the first of `base-2`, `base-3`, ... that none has.
pub fn free_id(runs: &Path, base: &str) -> String {
    let plain = sanitised(base, ID_LENGTH);
    if is_taken(&runs.join(&plain)) { first_free(runs, &plain) } else { plain }
}

/// Anything but an empty folder, which is as good as none.
pub fn is_taken(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

fn first_free(runs: &Path, id: &str) -> String {
    numbered(runs, id, '-')
}

fn numbered(runs: &Path, id: &str, between: char) -> String {
    // Of a folder that a person named, which may be anything; short enough for the number to fit.
    let stem = sanitised(id, ID_LENGTH - 8);
    (2u32..10_000).map(|n| format!("{stem}{between}{n}")).find(|id| !is_taken(&runs.join(id))).unwrap_or_else(|| stem.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_run_is_whole_locked_and_leaves_nothing_beside_it() {
        let runs = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(runs.path(), Some("a.b_c-1"), "x", "seed = 1\n").unwrap();
        assert_eq!(names(runs.path()), ["a.b_c-1"]);
        assert_eq!(names(folder.path()), ["config.toml", "events.jsonl", "lock"]);
        assert_eq!(fs::read_to_string(folder.config()).unwrap(), "seed = 1\n");
        assert_eq!(folder.owner(), Owner::Process(std::process::id().to_string()));
        let copy = folder.clone();
        drop(folder);
        assert_ne!(copy.owner(), Owner::Nobody);
        let lock = copy.lock();
        let path = copy.path().to_path_buf();
        drop(copy);
        assert!(lock.exists(), "the file stays and means nothing by itself");
        fs::write(path.join(EVENTS), "{}\n").unwrap();
        assert_eq!(RunFolder::open(runs.path(), &path).unwrap().owner(), Owner::Nobody);
    }

    #[test]
    fn a_taken_name_is_refused_with_another_and_an_empty_folder_is_free() {
        let runs = tempfile::tempdir().unwrap();
        fs::create_dir(runs.path().join("mine")).unwrap();
        let first = RunFolder::create(runs.path(), Some("mine"), "x", "").unwrap();
        let _second = RunFolder::create(runs.path(), Some("mine-2"), "x", "").unwrap();
        let error = RunFolder::create(runs.path(), Some("mine"), "x", "other").unwrap_err();
        assert!(error.to_string().ends_with("choose another name, such as --name mine-3"), "{error}");
        assert_eq!(fs::read_to_string(first.config()).unwrap(), "", "what was there is as it was");
        assert_eq!(names(runs.path()), ["mine", "mine-2"]);
    }

    #[test]
    fn of_two_makers_of_one_name_one_gets_it() {
        let runs = tempfile::tempdir().unwrap();
        let one = Partial::make(runs.path(), "same", "one").unwrap();
        let two = Partial::make(runs.path(), "same", "two").unwrap();
        let folder = one.name(runs.path(), "same").unwrap().unwrap();
        assert!(two.name(runs.path(), "same").unwrap().is_none());
        assert_eq!(fs::read_to_string(folder.config()).unwrap(), "one");
        assert_eq!(names(runs.path()), ["same"]);
    }

    #[test]
    fn without_a_name_the_clock_gives_one_and_a_number_keeps_it_apart() {
        let runs = tempfile::tempdir().unwrap();
        let at = 1_709_251_199_000; // the last second of 29 February 2024
        let ids: Vec<String> =
            (0..3).map(|_| RunFolder::create_at(runs.path(), None, "rrm fc3/λ", "", at).unwrap().id().to_string()).collect();
        assert_eq!(ids, ["rrm-fc3-20240229-235959", "rrm-fc3-20240229-235959-2", "rrm-fc3-20240229-235959-3"]);
    }

    #[test]
    fn names_that_cannot_be_are_refused_with_one_that_can() {
        let runs = tempfile::tempdir().unwrap();
        let long = "x".repeat(81);
        for (id, proposal) in [("", "run"), ("../up", "up"), (".hidden", "hidden"), ("a b", "a-b"), (&*long, &"x".repeat(80))] {
            let error = RunFolder::create(runs.path(), Some(id), "x", "").unwrap_err();
            assert!(error.to_string().ends_with(&format!("try --name {proposal}")), "{error}");
        }
        assert!(names(runs.path()).is_empty());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named_with_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let error = RunFolder::create(&file.join("runs"), Some("a"), "x", "").unwrap_err().to_string();
        assert!(error.contains("file/runs") && error.contains("a file is in the way"), "{error}");
    }

    #[test]
    fn opening_says_what_is_not_there() {
        let runs = tempfile::tempdir().unwrap();
        let open = |what: &str| RunFolder::open(runs.path(), Path::new(what)).map(|f| f.id().to_string());
        assert!(matches!(open("none"), Err(StoreError::Missing { .. })));
        fs::create_dir(runs.path().join("other")).unwrap();
        assert!(matches!(open("other"), Err(StoreError::NotARun { .. })));
        let folder = RunFolder::create(runs.path(), Some("new"), "x", "").unwrap();
        assert!(matches!(open("new"), Err(StoreError::NoEvents { .. })));
        fs::write(folder.events(), "{}\n").unwrap();
        assert_eq!(open("new").unwrap(), "new");
        assert_eq!(open(folder.path().to_str().unwrap()).unwrap(), "new");
        assert_eq!(open(folder.events().to_str().unwrap()).unwrap(), "new");
        // `src` is a folder where tests run.
        assert!(matches!(open("src"), Err(StoreError::NotARun { .. })));
        fs::create_dir(runs.path().join("src")).unwrap();
        fs::write(runs.path().join("src").join(EVENTS), "{}\n").unwrap();
        assert_eq!(open("src").unwrap(), "src");
    }

    #[test]
    fn a_branch_of_a_folder_with_any_name_has_a_name_that_can_be() {
        let runs = tempfile::tempdir().unwrap();
        fs::create_dir_all(runs.path().join("r.2").join("x")).unwrap();
        assert_eq!(branch_id(runs.path(), "r"), "r.3");
        assert_eq!(free_id(runs.path(), "r.2"), "r.2-2");
        for name in ["\u{3bb}".repeat(60), "night \u{1f319}".repeat(20), String::new()] {
            for id in [branch_id(runs.path(), &name), free_id(runs.path(), &format!("{name}.repeat"))] {
                check_id(&id).unwrap();
            }
        }
        assert_eq!(ids(runs.path()).unwrap(), ["r.2"]);
        assert!(ids(&runs.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn a_written_file_replaces_the_old_one_whole() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.json");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        fs::create_dir(home.path().join("folder")).unwrap();
        write_atomically(&home.path().join("folder"), b"x").unwrap_err();
        assert_eq!(names(home.path()), ["folder", "state.json"]);
    }
}
