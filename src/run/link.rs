//! A screen's end of the socket: from a run's folder to a [`Session`] that looks like any other.
//!
//! A line to the process that trains has a thread that reads and one that writes. When it is lost, the records end and the
//! session says why; nothing is tried again here, since only the caller knows how many records it has.
//!
//! It starts no run and reads no log.

use super::advice::command;
use super::lines::{Lines, NoLine, send_all};
use super::replay::MOST_BYTES;
use super::session::{Helm, Session};
use super::socket::{self, Trust};
use crate::protocol::wire::{Access, Hello, NO_RECORDS, Role, Status, Take, ToClient, ToServer, WIRE, Welcome, line, program};
use crate::protocol::{CommandId, FORMAT, Record, Request};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::fs;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// How long a server may take to answer a hello. It answers from a thread of its own, so that a busy worker is no reason.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for one who only asks how a run is, perhaps many of them.
const GLANCE: Duration = Duration::from_millis(300);
/// Records and requests that may wait.
const WAITING: usize = 1024;
const REQUESTS: usize = 64;

#[derive(Debug, Error)]
pub enum LinkError {
    #[error(
        "{} is not being trained on this machine; look at it with {}, or go on with it with {}",
        folder.display(), command("replay", folder, ""), command("resume", folder, "")
    )]
    NotLive { folder: PathBuf },
    #[error("cannot connect to the run in {}: {source}; attach as the user who started it", folder.display())]
    Denied { folder: PathBuf, source: io::Error },
    #[error("the socket of {} belongs to user {uid}, who is neither you nor root; attach as that user", folder.display())]
    Stranger { folder: PathBuf, uid: u32 },
    #[error("the run in {} did not let us in: {reason}", folder.display())]
    Rejected { folder: PathBuf, reason: String },
    #[error(
        "the run in {} speaks version {wire} of the attach protocol in format {format}, and this program version {WIRE} in format \
         {FORMAT}; use the rematch that started it, or watch its log with {}",
        folder.display(), command("replay", folder, "")
    )]
    Version { folder: PathBuf, wire: u32, format: u32 },
    #[error("the run in {} does not answer; its process may be stopped: look at it with {}", folder.display(), command("replay", folder, ""))]
    Silent { folder: PathBuf },
    #[error("the run in {} said what this program does not understand: {why}; use the rematch that started it", folder.display())]
    Garbled { folder: PathBuf, why: String },
    #[error("the line to the run in {} broke: {source}; try again, or look at it with {}", folder.display(), command("replay", folder, ""))]
    Broken { folder: PathBuf, source: io::Error },
}

/// A line that stands, before anybody uses it.
pub struct Link {
    role: Role,
    welcome: Welcome,
    stream: UnixStream,
    lines: Lines,
}

/// Connects to the process that trains the run in `folder`, for records from number `next` on.
///
/// # Errors
/// When the run is not live, or does not want us; the message says what to do instead.
pub fn connect(folder: &Path, role: Role, take: Take, next: u64) -> Result<Link, LinkError> {
    greet(folder, role, take, next, Instant::now() + PATIENCE)
}

/// How a live run is, within 300 ms.
///
/// # Errors
/// As [`connect`].
pub fn status(folder: &Path) -> Result<(Welcome, Status), LinkError> {
    status_by(folder, Instant::now() + GLANCE)
}

fn status_by(folder: &Path, by: Instant) -> Result<(Welcome, Status), LinkError> {
    let mut link = greet(folder, Role::Watch, Take::IfFree, NO_RECORDS, by)?;
    say(folder, &link.stream, &ToServer::Status)?;
    loop {
        match heard(folder, &mut link.lines, Some(by))? {
            ToClient::Status(status) => return Ok((link.welcome, status)),
            ToClient::Rejected { reason } | ToClient::Bye { reason } => {
                return Err(LinkError::Rejected { folder: folder.to_path_buf(), reason });
            }
            ToClient::Access { .. } | ToClient::Busy { .. } | ToClient::Record(_) | ToClient::Welcome(_) => {}
        }
    }
}

fn greet(folder: &Path, role: Role, take: Take, next: u64, by: Instant) -> Result<Link, LinkError> {
    let patience = by.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let at = || folder.to_path_buf();
    let stream = socket::connect(folder, &socket::elsewhere(), patience).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory => LinkError::NotLive { folder: at() },
        ErrorKind::WouldBlock | ErrorKind::TimedOut => LinkError::Silent { folder: at() },
        ErrorKind::PermissionDenied => LinkError::Denied { folder: at(), source },
        _ => LinkError::Broken { folder: at(), source },
    })?;
    let broken = |source| LinkError::Broken { folder: at(), source };
    let uid = socket::peer(&stream).map_err(broken)?.uid;
    let owner = fs::metadata(folder).ok().map(|facts| facts.uid());
    if socket::of_server(uid, socket::own_uid(), owner) == Trust::Strangers {
        return Err(LinkError::Stranger { folder: at(), uid });
    }
    let mut lines = Lines::new(stream.try_clone().map_err(broken)?, MOST_BYTES as usize);
    let hello = Hello { wire: WIRE, format: FORMAT, program: program(), role, take, next };
    let said = say(folder, &stream, &ToServer::Hello(hello));
    // One that turned us away before it heard us has left its reason behind: that is worth more than that it is gone.
    match (heard(folder, &mut lines, Some(by)), said) {
        (Ok(ToClient::Rejected { reason } | ToClient::Bye { reason }), _) => Err(LinkError::Rejected { folder: at(), reason }),
        (_, Err(error)) | (Err(error), Ok(())) => Err(error),
        (Ok(ToClient::Welcome(welcome)), Ok(())) if (welcome.wire, welcome.format) != (WIRE, FORMAT) => {
            Err(LinkError::Version { folder: at(), wire: welcome.wire, format: welcome.format })
        }
        (Ok(ToClient::Welcome(welcome)), Ok(())) => Ok(Link { role, welcome, stream, lines }),
        (Ok(ToClient::Access { .. } | ToClient::Busy { .. } | ToClient::Record(_) | ToClient::Status(_)), Ok(())) => {
            Err(LinkError::Garbled { folder: at(), why: "no welcome".to_string() })
        }
    }
}

fn say(folder: &Path, stream: &UnixStream, message: &ToServer) -> Result<(), LinkError> {
    let line = line(message).map_err(|error| LinkError::Garbled { folder: folder.to_path_buf(), why: error.to_string() })?;
    send_all(stream, &line).map_err(|source| LinkError::Broken { folder: folder.to_path_buf(), source })
}

fn heard(folder: &Path, lines: &mut Lines, by: Option<Instant>) -> Result<ToClient, LinkError> {
    let at = || folder.to_path_buf();
    let line = lines.next(by).map_err(|end| match end {
        NoLine::Closed => LinkError::Broken { folder: at(), source: ErrorKind::UnexpectedEof.into() },
        NoLine::TooLate => LinkError::Silent { folder: at() },
        NoLine::TooLong => LinkError::Garbled { folder: at(), why: "a line without an end".to_string() },
        NoLine::Failed(source) => LinkError::Broken { folder: at(), source },
    })?;
    serde_json::from_slice(&line).map_err(|error| LinkError::Garbled { folder: at(), why: error.to_string() })
}

impl Link {
    /// As [`connect`], for one who wants all records and to steer if nobody does.
    ///
    /// # Errors
    /// As [`connect`].
    pub fn open(folder: &Path) -> Result<Self, LinkError> {
        connect(folder, Role::Steer, Take::IfFree, 0)
    }

    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// The session at the end of this line. Dropping it hangs up.
    pub fn into_session(self) -> Session {
        let Self { role, welcome, stream, mut lines } = self;
        let known = Known { access: welcome.access, holder: String::new(), lost: None, turned_away: Vec::new() };
        let known = Arc::new(Mutex::new(known));
        let (record, records) = bounded(WAITING);
        let (ask, asked) = bounded(REQUESTS);
        let (take, taken) = bounded(1);
        let reading = known.clone();
        let cut = stream.try_clone();
        let reader = thread::Builder::new().name("line in".into()).spawn(move || {
            let reason = read(&mut lines, &record, &reading);
            let mut known = held(&reading);
            known.lost = match reason {
                Told::ByThem(reason) => Some(reason),
                // What the writer met first is the cause of what was met here.
                Told::ByNobody(seen) => known.lost.take().or(Some(seen)),
            };
            drop(known);
            if let Ok(stream) = cut {
                let _ = stream.shutdown(Shutdown::Both);
            }
            // After the reason is there: whoever sees the records end may ask at once.
            drop(record);
        });
        let writing = known.clone();
        let writer = thread::Builder::new().name("line out".into()).spawn(move || {
            write(&stream, &asked, &taken, &writing);
            let _ = stream.shutdown(Shutdown::Both);
        });
        // Either drops its ends of the channels where it could not start, which a session takes as the end of the line.
        if reader.is_err() || writer.is_err() {
            held(&known).lost = Some("the system has no room for one more thread".to_string());
        }
        let line = Box::new(Line { known, take });
        match role {
            Role::Steer => Session::attached(records, ask, welcome.first_id, line),
            Role::Watch => Session::watching(records, ask, welcome.first_id, line),
        }
    }
}

/// What came over the line about this screen.
struct Known {
    access: Access,
    holder: String,
    lost: Option<String>,
    turned_away: Vec<CommandId>,
}

fn held(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Line {
    known: Arc<Mutex<Known>>,
    take: Sender<()>,
}

impl Helm for Line {
    fn access(&self) -> Access {
        let known = held(&self.known);
        if known.lost.is_some() { Access::ReadOnly } else { known.access }
    }

    fn holder(&self) -> String {
        held(&self.known).holder.clone()
    }

    fn take(&self) {
        // Full means that it is being asked for already.
        let _ = self.take.try_send(());
    }

    fn lost(&self) -> Option<String> {
        held(&self.known).lost.clone()
    }

    fn turned_away(&self) -> Vec<CommandId> {
        std::mem::take(&mut held(&self.known).turned_away)
    }
}

/// Why nothing more comes.
enum Told {
    ByThem(String),
    /// What it looks like from here.
    ByNobody(String),
}

/// Takes in what comes until nothing more does.
fn read(lines: &mut Lines, record: &Sender<Arc<Record>>, known: &Mutex<Known>) -> Told {
    let seen = loop {
        let line = match lines.next(None) {
            Ok(line) => line,
            Err(NoLine::Closed | NoLine::TooLate) => break "the process that trains is gone, or has let go of us".to_string(),
            Err(NoLine::TooLong) => break "the process that trains sent a line without an end".to_string(),
            Err(NoLine::Failed(error)) => break format!("the line to the process that trains broke: {error}"),
        };
        match serde_json::from_slice(&line) {
            Ok(ToClient::Record(one)) => {
                if record.send(Arc::new(*one)).is_err() {
                    break "the screen has hung up".to_string();
                }
            }
            Ok(ToClient::Access { access, holder }) => {
                let mut known = held(known);
                (known.access, known.holder) = (access, holder);
            }
            Ok(ToClient::Busy { id }) => held(known).turned_away.push(id),
            Ok(ToClient::Status(_)) => {}
            Ok(ToClient::Bye { reason } | ToClient::Rejected { reason }) => return Told::ByThem(reason),
            Ok(ToClient::Welcome(_)) => break "the process that trains said welcome twice".to_string(),
            Err(error) => break format!("the process that trains said what this program does not understand: {error}"),
        }
    };
    Told::ByNobody(seen)
}

/// Sends what is asked, until the session or the line is gone.
fn write(stream: &UnixStream, asked: &Receiver<Request>, taken: &Receiver<()>, known: &Mutex<Known>) {
    loop {
        let message = select! {
            recv(asked) -> request => request.ok().map(ToServer::Ask),
            recv(taken) -> take => take.ok().map(|()| ToServer::TakeLease),
        };
        let Some(line) = message.and_then(|message| line(&message).ok()) else { return };
        if let Err(error) = send_all(stream, &line) {
            held(known).lost.get_or_insert(format!("the line to the process that trains broke: {error}"));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::Voice;
    use crate::protocol::{Command, Event};
    use crate::run::lease::Lease;
    use crate::run::recorder::Recorder;
    use crate::run::server::Server;
    use std::os::unix::net::UnixListener;

    const SOON: Duration = Duration::from_secs(20);

    fn said(line: &str) -> Event {
        Event::Said { source: Voice::Rematch, line: line.into() }
    }

    /// Until it is so; what only time can bring has no other sign.
    fn until(what: impl Fn() -> bool) {
        let by = Instant::now() + SOON;
        while !what() {
            assert!(Instant::now() < by, "it does not come");
            thread::sleep(Duration::from_millis(1));
        }
    }

    struct Live {
        home: tempfile::TempDir,
        recorder: Recorder,
        asked: Receiver<Request>,
        lease: Lease,
        server: Server,
    }

    fn live() -> Live {
        let home = tempfile::tempdir().unwrap();
        let recorder = Recorder::to_writer(io::sink(), || 7);
        let (ask, asked) = bounded(8);
        let lease = Lease::default();
        let trouble = || Some("the disk is full".to_string());
        let server = Server::start(home.path(), "a-run", recorder.clone(), ask, lease.clone(), trouble).unwrap();
        Live { home, recorder, asked, lease, server }
    }

    #[test]
    fn an_attached_session_looks_like_any_other() {
        let Live { home, recorder, asked, server, .. } = live();
        for line in ["a", "b", "c"] {
            recorder.record(said(line)).unwrap();
        }
        let link = connect(home.path(), Role::Steer, Take::IfFree, 1).unwrap();
        assert_eq!((link.welcome().run.as_str(), link.welcome().first_id), ("a-run", 1 << 20));
        let mut session = link.into_session();
        assert_eq!(session.records().recv_timeout(SOON).unwrap().event, said("b"));
        assert_eq!(session.records().recv_timeout(SOON).unwrap().event, said("c"));
        assert_eq!(session.access(), Access::Steer);
        let id = session.ask(Command::Evaluate).unwrap();
        let heard = asked.recv_timeout(SOON).unwrap();
        assert_eq!((heard.id, heard.command), (id, Command::Evaluate));
        recorder.record(Event::Refused { by: id, reason: "no".into() }).unwrap();
        let answer = session.records().recv_timeout(SOON).unwrap();
        assert!(matches!(&answer.event, Event::Refused { by, .. } if *by == CommandId(1 << 20)), "{answer:?}");
        assert_eq!(session.lost(), None);
        recorder.record(said("the last")).unwrap();
        drop(server);
        assert_eq!(session.records().recv_timeout(SOON).unwrap().event, said("the last"));
        assert!(session.records().recv_timeout(SOON).unwrap_err().is_disconnected());
        assert!(session.lost().unwrap().contains("the run has ended"), "{:?}", session.lost());
        assert_eq!((session.access(), session.ask(Command::Evaluate)), (Access::ReadOnly, None));
    }

    #[test]
    fn the_lease_goes_between_the_first_screen_and_others() {
        let Live { home, recorder, lease, server, .. } = live();
        let (ask, _asked) = bounded(8);
        let seat = lease.join("the first screen", Role::Steer, Take::IfFree);
        let first = Session::with_seat(recorder.subscribe(), ask, seat);
        let mut other = Link::open(home.path()).unwrap().into_session();
        until(|| other.holder() == "the first screen");
        assert_eq!((other.access(), other.ask(Command::Evaluate)), (Access::ReadOnly, None));
        other.take_lease();
        until(|| other.access() == Access::Steer);
        assert_eq!((first.access(), first.holder()), (Access::ReadOnly, format!("process {}", std::process::id())));
        until(|| server.clients() == 1);
        drop(other);
        until(|| first.access() == Access::Steer && server.clients() == 0);
    }

    #[test]
    fn what_the_worker_will_not_hear_is_told() {
        let Live { home, asked, server: _server, .. } = live();
        let mut session = Link::open(home.path()).unwrap().into_session();
        drop(asked);
        let id = session.ask(Command::Evaluate).unwrap();
        let by = Instant::now() + SOON;
        let mut turned_away = Vec::new();
        while turned_away.is_empty() && Instant::now() < by {
            turned_away = session.turned_away();
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!((turned_away, session.turned_away()), (vec![id], vec![]));
    }

    #[test]
    fn one_may_ask_how_a_run_is_without_watching_it() {
        let Live { home, lease, server: _server, .. } = live();
        let seat = lease.join("the first screen", Role::Steer, Take::IfFree);
        for _ in 0..20 {
            let (welcome, status) = status_by(home.path(), Instant::now() + SOON).unwrap();
            assert_eq!((welcome.run.as_str(), welcome.pid), ("a-run", std::process::id()));
            let trouble = Some("the disk is full".to_string());
            assert_eq!(status, Status { clients: 0, steered_by: "the first screen".into(), trouble });
        }
        drop(seat);
        let _viewer = connect(home.path(), Role::Watch, Take::IfFree, 0).unwrap();
        let (_, status) = status_by(home.path(), Instant::now() + SOON).unwrap();
        assert_eq!((status.clients, status.steered_by.as_str()), (1, ""));
    }

    #[test]
    fn what_is_not_live_is_said_with_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let check = || {
            let error = Link::open(home.path()).err().unwrap().to_string();
            let folder = home.path().display().to_string();
            assert!([folder.as_str(), "rematch replay", "rematch resume"].iter().all(|part| error.contains(part)), "{error}");
        };
        check();
        let listener = UnixListener::bind(home.path().join("socket")).unwrap();
        assert!(matches!(status(home.path()), Err(LinkError::Silent { .. })), "nobody answers");
        drop(listener);
        check();
        std::fs::remove_file(home.path().join("socket")).unwrap();
        std::fs::write(home.path().join("socket"), "no socket").unwrap();
        check();
    }

    #[test]
    fn another_program_behind_the_socket_is_not_believed() {
        for (answer, expected) in [
            (&b"HTTP/1.1 400 Bad Request\n"[..], "does not understand"),
            (b"\"status\"\n", "does not understand"),
            (b"{\"busy\":{\"id\":1}}\n", "no welcome"),
            (b"{\"rejected\":{\"reason\":\"because\"}}\n", "because"),
            (
                b"{\"welcome\":{\"wire\":2,\"format\":99,\"program\":\"\",\"run\":\"\",\"pid\":1,\"now_ms\":1,\"access\":\"steer\",\"first_id\":1}}\n",
                "version 2 of the attach protocol in format 99",
            ),
        ] {
            let home = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(home.path().join("socket")).unwrap();
            let server = thread::spawn(move || {
                let (stream, _) = listener.accept().unwrap();
                Lines::new(stream.try_clone().unwrap(), 1000).next(None).unwrap();
                send_all(&stream, answer).unwrap();
            });
            let error = Link::open(home.path()).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
            server.join().unwrap();
        }
    }
}
