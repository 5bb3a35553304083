//! Writing safely to a disk, also where the file system lacks what a local disk has.
//!
//! Network, shared and FUSE file systems refuse single system calls: syncing a folder, locking a file, cutting one. That is no reason not to
//! train. A refusal is noted here once for each ability and process; whoever talks to a person tells it ([`untold`]). Errors that mean a
//! fault or a full disk (EIO, ENOSPC, EDQUOT) are passed on and never taken for a missing ability.

use rustix::io::Errno;
use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Something that local disks can do and some file systems cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    SyncFolder,
    SyncFile,
    Lock,
    Cut,
    Append,
}

impl Ability {
    /// Names what is missing and what a person loses by it.
    fn loss(self) -> &'static str {
        match self {
            Self::SyncFolder => "it cannot sync folders: a power cut may take the names of the newest files",
            Self::SyncFile => "it cannot sync files: a power cut may take the newest records and checkpoints",
            Self::Lock => {
                "it cannot lock files: nothing stops a second process from writing to the same run, so start no other one on it, on no machine"
            }
            Self::Cut => "it cannot cut files: a line that a full disk tears stays in the log",
            Self::Append => "it cannot append to files: the log is written at its end by position",
        }
    }
}

struct Refusal {
    ability: Ability,
    path: PathBuf,
    why: String,
    told: bool,
}

static REFUSALS: Mutex<Vec<Refusal>> = Mutex::new(Vec::new());

fn refusals() -> MutexGuard<'static, Vec<Refusal>> {
    REFUSALS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that a file system refused this. Only the first refusal of each ability is kept.
pub fn note(ability: Ability, path: &Path, error: &io::Error) {
    let mut all = refusals();
    if all.iter().all(|refusal| refusal.ability != ability) {
        all.push(Refusal { ability, path: path.to_path_buf(), why: error.to_string(), told: false });
    }
}

/// One sentence about everything that was refused since the last call; `None` where nothing was.
pub fn untold() -> Option<String> {
    let mut all = refusals();
    let mut new = all.iter_mut().filter(|refusal| !refusal.told).peekable();
    // Of the folder that a run is put together in nobody has heard.
    let named = |path: &Path| path.ancestors().find(|path| !path.to_string_lossy().contains(".partial")).map(Path::to_path_buf);
    let path = new.peek().and_then(|refusal| named(&refusal.path))?;
    let mut text = format!("the file system of {} lacks what a local disk has", path.display());
    for (number, refusal) in new.enumerate() {
        refusal.told = true;
        // Writing to a String does not fail.
        let _ = write!(text, "{} {} [{}]", if number == 0 { ":" } else { ";" }, refusal.ability.loss(), refusal.why);
    }
    Some(text + ". Training goes on; a local disk (--runs DIR) has no such limits")
}

/// Tells that a file system does not know a call, in the words of different ones.
pub fn is_unsupported(error: &io::Error) -> bool {
    const REFUSED: [Errno; 6] = [Errno::INVAL, Errno::OPNOTSUPP, Errno::NOSYS, Errno::BADF, Errno::NOTTY, Errno::ISDIR];
    Errno::from_io_error(error).is_some_and(|errno| REFUSED.contains(&errno) || errno == Errno::NOTSUP)
}

/// Passes an error on unless the file system does not know the call; then it is noted.
fn forgive(done: io::Result<()>, ability: Ability, path: &Path) -> io::Result<()> {
    match done {
        Err(error) if is_unsupported(&error) => {
            note(ability, path, &error);
            Ok(())
        }
        done => done,
    }
}

/// Waits until a file's bytes and facts are on the disk.
///
/// # Errors
/// A fault of the disk, or a full one.
pub fn sync_file(file: &File, path: &Path) -> io::Result<()> {
    forgive(file.sync_all(), Ability::SyncFile, path)
}

/// Waits until a file's bytes are on the disk, and as many of its facts as are needed to read them.
///
/// # Errors
/// As [`sync_file`].
pub fn sync_data(file: &File, path: &Path) -> io::Result<()> {
    forgive(file.sync_data(), Ability::SyncFile, path)
}

/// Waits until the names in a folder are on the disk: a rename only is once its folder is.
///
/// # Errors
/// As [`sync_file`].
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Ok(opened) => forgive(opened.sync_all(), Ability::SyncFolder, folder),
        // A folder may be written to and not read; a few file systems open none.
        Err(error) if is_unsupported(&error) || error.kind() == ErrorKind::PermissionDenied => {
            note(Ability::SyncFolder, folder, &error);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Makes a file this long.
///
/// # Errors
/// As [`sync_file`].
pub fn cut(file: &File, length: u64, path: &Path) -> io::Result<()> {
    if file.metadata().is_ok_and(|facts| facts.len() == length) {
        return Ok(());
    }
    let done = file.set_len(length);
    if let Err(error) = &done
        && is_unsupported(error)
    {
        note(Ability::Cut, path, error);
    }
    done
}

/// Writes a file so that its name always stands for a whole one: beside it, synced, then renamed over it.
///
/// # Errors
/// What the file system says; the temporary file is gone then and an older file of that name is as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    let beside = folder.join(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id()));
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| sync_file(&file, path)))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.and_then(|()| sync_folder(folder))
}

/// Result of asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locking {
    Ours,
    Others,
    /// The file system has no locks; noted.
    Unsupported,
}

/// Takes the lock of a file for this process alone, without waiting.
pub fn lock(file: &File, path: &Path) -> Locking {
    locking(file.try_lock(), path)
}

/// Takes the lock of a file together with others who do the same, without waiting.
pub fn lock_shared(file: &File, path: &Path) -> Locking {
    locking(file.try_lock_shared(), path)
}

fn locking(done: Result<(), TryLockError>, path: &Path) -> Locking {
    match done {
        Ok(()) => Locking::Ours,
        Err(TryLockError::WouldBlock) => Locking::Others,
        // Which error it is differs from one file system to the next: ENOLCK, EOPNOTSUPP, ENOSYS, EIO of a lock server that is down.
        Err(TryLockError::Error(error)) => {
            note(Ability::Lock, path, &error);
            Locking::Unsupported
        }
    }
}

/// Tells whether a process of this number runs on this machine and is one of this program. It stands in for a lock where there are none.
pub fn is_this_program(pid: &str) -> bool {
    let Ok(pid) = pid.parse::<u32>() else { return false };
    let name = |of: &str| fs::read_to_string(format!("/proc/{of}/comm")).ok();
    name(&pid.to_string()).is_some_and(|theirs| theirs.starts_with("rematch") || Some(theirs) == name("self"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(errno: Errno) -> io::Error {
        errno.into()
    }

    #[test]
    fn a_call_that_a_file_system_does_not_know_is_forgiven_and_a_fault_is_not() {
        let path = Path::new("runs/a/config.toml");
        for errno in [Errno::INVAL, Errno::OPNOTSUPP, Errno::NOSYS, Errno::BADF] {
            assert!(forgive(Err(error(errno)), Ability::SyncFolder, path).is_ok(), "{errno}");
        }
        for errno in [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::NOENT, Errno::ROFS] {
            assert_eq!(
                forgive(Err(error(errno)), Ability::SyncFile, path).unwrap_err().raw_os_error(),
                Some(errno.raw_os_error())
            );
        }
    }

    #[test]
    fn folders_are_synced_and_locks_are_held_by_one() {
        let folder = tempfile::tempdir().unwrap();
        sync_folder(folder.path()).unwrap();
        assert_eq!(sync_folder(&folder.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
        let path = folder.path().join("lock");
        let (one, other) = (File::create(&path).unwrap(), File::create(&path).unwrap());
        assert_eq!((lock(&one, &path), lock(&other, &path)), (Locking::Ours, Locking::Others));
        drop(one);
        assert_eq!(lock_shared(&other, &path), Locking::Ours);
    }

    #[test]
    fn a_process_is_known_by_its_number() {
        assert!(is_this_program(&std::process::id().to_string()));
        for pid in ["", "1", "-3", "0", "99999999", "4711 4712"] {
            assert!(!is_this_program(pid), "{pid}");
        }
    }
}
