//! Where the socket of a run lies, how it gets there, and who may be at its other end.
//!
//! It is `<run folder>/socket`, for its owner alone. A socket's path may have 107 bytes only, so that a longer one goes through
//! the folder's descriptor in `/proc`. Where the file system of the runs holds no sockets, it lies in a private folder of the
//! machine under a name made of the run's path. It is bound under a name nobody looks for and renamed once only its owner can
//! connect. Whoever binds holds the run's lock, so that a socket that lies there already is left over.
//!
//! It sends and reads nothing.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

const NAME: &str = "socket";
/// Of a socket's path, with the zero at its end.
const PATH_BYTES: usize = 108;

#[derive(Debug, Error)]
pub enum SocketError {
    #[error("cannot find the run folder {}: {source}; check that path", folder.display())]
    NoFolder { folder: PathBuf, source: io::Error },
    #[error(
        "cannot make a socket for {}: {source}, nor in {}: {beside}; set XDG_RUNTIME_DIR to a folder of yours on a local disk",
        folder.display(), last.display()
    )]
    Nowhere { folder: PathBuf, source: io::Error, last: PathBuf, beside: io::Error },
}

/// A socket that others can connect to. Its file goes with it.
#[derive(Debug)]
pub(super) struct Bound {
    pub listener: UnixListener,
    pub path: PathBuf,
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whoever is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub pid: i32,
    pub uid: u32,
}

/// # Errors
/// What the system says, which it only does for what is no local socket.
pub(super) fn peer(stream: &UnixStream) -> io::Result<Peer> {
    let facts = socket_peercred(stream)?;
    Ok(Peer { pid: facts.pid.as_raw_nonzero().get(), uid: facts.uid.as_raw() })
}

pub(super) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether a user's socket is for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Theirs,
    Strangers,
}

/// A server of `owner` trusts itself and root.
pub(super) fn of_client(uid: u32, owner: u32) -> Trust {
    if uid == owner || uid == 0 { Trust::Theirs } else { Trust::Strangers }
}

/// A client of `us` trusts a server of its own and of root; root trusts one of whoever the run's folder belongs to.
pub(super) fn of_server(uid: u32, us: u32, folder: Option<u32>) -> Trust {
    if uid == us || uid == 0 || (us == 0 && folder == Some(uid)) { Trust::Theirs } else { Trust::Strangers }
}

/// The folders of this machine that sockets may lie in where they cannot lie in the folder of a run, best first. A client looks
/// in all of them: it may have been started with less of an environment than the server.
pub(super) fn elsewhere() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let mut folders: Vec<PathBuf> = runtime.map(|path| path.join("rematch")).into_iter().collect();
    folders.push(PathBuf::from(format!("/tmp/rematch-{}", own_uid())));
    folders
}

/// Makes the socket of the run in `folder`.
///
/// # Errors
/// When it can lie nowhere.
pub(super) fn bind(folder: &Path, elsewhere: &[PathBuf]) -> Result<Bound, SocketError> {
    let whole = folder.canonicalize().map_err(|source| SocketError::NoFolder { folder: folder.to_path_buf(), source })?;
    let source = match bind_in(&whole, NAME) {
        Ok(bound) => return Ok(bound),
        Err(error) => error,
    };
    let name = name_elsewhere(&whole);
    let mut failed = (PathBuf::new(), io::Error::from(ErrorKind::NotFound));
    for private in elsewhere {
        match own_folder(private).and_then(|()| bind_in(private, &name)) {
            Ok(bound) => return Ok(bound),
            Err(error) => failed = (private.clone(), error),
        }
    }
    let (last, beside) = failed;
    Err(SocketError::Nowhere { folder: folder.to_path_buf(), source, last, beside })
}

fn bind_in(folder: &Path, name: &str) -> io::Result<Bound> {
    let hidden = format!(".{name}.{}", std::process::id());
    let (beside, path) = (folder.join(&hidden), folder.join(name));
    // One of this name can only be left over from a dead process that had our number.
    let _ = fs::remove_file(&beside);
    let handle = Handle::open(folder)?;
    let made = UnixListener::bind(handle.path(folder, &hidden)).and_then(|listener| {
        fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
        // A file system may take this and not keep it.
        let mode = fs::symlink_metadata(&beside)?.mode() & 0o7777;
        if mode != 0o600 {
            let why = format!("its mode stays {mode:o}, which is not for its owner alone");
            return Err(io::Error::new(ErrorKind::Unsupported, why));
        }
        fs::rename(&beside, &path)?;
        Ok(listener)
    });
    match made {
        Ok(listener) => Ok(Bound { listener, path }),
        Err(error) => {
            let _ = fs::remove_file(&beside);
            Err(error)
        }
    }
}

fn name_elsewhere(whole: &Path) -> String {
    let hash = Sha256::digest(whole.as_os_str().as_encoded_bytes());
    let mut name = String::new();
    for byte in &hash[..16] {
        let _ = write!(name, "{byte:02x}");
    }
    name + ".sock"
}

/// Makes a folder for us alone, or finds it to be one.
pub(super) fn own_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Not followed: /tmp is everybody's, and a link there may lead anywhere.
    let facts = fs::symlink_metadata(path)?;
    if facts.is_dir() && facts.uid() == own_uid() && facts.mode() & 0o777 == 0o700 {
        return Ok(());
    }
    let why = "it is not a folder of this user with mode 0700; remove it or change that";
    Err(io::Error::new(ErrorKind::PermissionDenied, why))
}

/// Connects to the socket of the run in `folder`, waiting at most so long.
///
/// # Errors
/// `NotFound` or `ConnectionRefused` where nobody listens; else what the system says.
pub(super) fn connect(folder: &Path, elsewhere: &[PathBuf], patience: Duration) -> io::Result<UnixStream> {
    let whole = folder.canonicalize()?;
    let mut error = match connect_in(&whole, NAME, patience) {
        Ok(stream) => return Ok(stream),
        Err(error) => error,
    };
    let name = name_elsewhere(&whole);
    for private in elsewhere.iter().filter(|private| private.exists()) {
        match own_folder(private).and_then(|()| connect_in(private, &name, patience)) {
            Ok(stream) => return Ok(stream),
            Err(other) if matches!(other.kind(), ErrorKind::NotFound) => {}
            Err(other) => error = other,
        }
    }
    Err(error)
}

fn connect_in(folder: &Path, name: &str, patience: Duration) -> io::Result<UnixStream> {
    if !fs::symlink_metadata(folder.join(name))?.file_type().is_socket() {
        return Err(ErrorKind::NotFound.into());
    }
    let handle = Handle::open(folder)?;
    let address = SocketAddrUnix::new(handle.path(folder, name))?;
    let socket: OwnedFd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Connecting to a process that stands still with a full queue would wait for ever.
    set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
    loop {
        match rustix::net::connect(&socket, &address) {
            Ok(()) => return Ok(UnixStream::from(socket)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A folder held open, so that paths in it can be short.
struct Handle(OwnedFd);

impl Handle {
    fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    fn path(&self, folder: &Path, name: &str) -> PathBuf {
        let plain = folder.join(name);
        if OsStr::len(plain.as_os_str()) < PATH_BYTES {
            return plain;
        }
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.0.as_fd().as_raw_fd()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn reaches(folder: &Path, elsewhere: &[PathBuf], bound: &Bound) {
        let _client = connect(folder, elsewhere, SOON).unwrap();
        let (at_server, _) = bound.listener.accept().unwrap();
        let seen = peer(&at_server).unwrap();
        assert_eq!(seen, Peer { pid: std::process::id() as i32, uid: own_uid() });
    }

    #[test]
    fn the_socket_is_for_its_owner_and_goes_with_its_server() {
        let home = tempfile::tempdir().unwrap();
        let bound = bind(home.path(), &[]).unwrap();
        assert_eq!(fs::symlink_metadata(&bound.path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing lies beside it");
        reaches(home.path(), &[], &bound);
        drop(bound);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
        assert_eq!(connect(home.path(), &[], SOON).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_path_may_be_longer_than_a_socket_address() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("x".repeat(200)).join("y".repeat(100));
        fs::create_dir_all(&deep).unwrap();
        let bound = bind(&deep, &[]).unwrap();
        assert!(bound.path.starts_with(deep.canonicalize().unwrap()));
        reaches(&deep, &[], &bound);
    }

    #[test]
    fn what_a_dead_server_left_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(home.path().join(NAME)).unwrap());
        assert_eq!(connect(home.path(), &[], SOON).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let bound = bind(home.path(), &[]).unwrap();
        reaches(home.path(), &[], &bound);
    }

    #[test]
    fn where_a_folder_holds_no_socket_it_lies_elsewhere() {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = [home.path().join("no/where"), home.path().join("rematch")];
        // Nobody can make a file there, whoever they are.
        let folder = Path::new("/proc/self");
        let bound = bind(folder, &elsewhere).unwrap();
        assert_eq!(bound.path.parent(), Some(elsewhere[1].as_path()));
        assert_eq!(fs::metadata(&elsewhere[1]).unwrap().mode() & 0o777, 0o700);
        reaches(folder, &elsewhere, &bound);
        drop(bound);
        fs::set_permissions(&elsewhere[1], Permissions::from_mode(0o755)).unwrap();
        let error = bind(folder, &elsewhere).unwrap_err().to_string();
        assert!(error.contains("/proc/self") && error.contains("0700") && error.contains("XDG_RUNTIME_DIR"), "{error}");
    }

    #[test]
    fn users_keep_to_themselves() {
        use Trust::{Strangers, Theirs};
        assert_eq!(
            [(7, 7), (0, 7), (8, 7), (8, 0)].map(|(uid, owner)| of_client(uid, owner)),
            [Theirs, Theirs, Strangers, Strangers]
        );
        assert_eq!([of_server(7, 7, None), of_server(0, 7, None), of_server(8, 7, Some(8))], [Theirs, Theirs, Strangers]);
        assert_eq!([of_server(8, 0, Some(8)), of_server(9, 0, Some(8)), of_server(9, 0, None)], [Theirs, Strangers, Strangers]);
    }
}
