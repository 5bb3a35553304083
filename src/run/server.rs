//! The training process's end of the socket that `rematch attach` connects to.
//!
//! **Nothing a client does holds anybody up.** Each has a thread that reads and one that writes; requests are passed on without
//! waiting, records come through a viewer's channel of the recorder, and a client that takes nothing for some seconds is let go.
//! **Nothing a client says is trusted**: lines are bounded, ids must be its own and ascend, requests are counted, and only the
//! user who trains, or root, is spoken to at all. What a client may do is the [`Lease`]'s to say.
//!
//! It does not judge what is asked, which is the worker's, and gives no record a meaning. There is no daemon: the server is
//! there as long as the process that trains.

mod client;
mod ranges;

use super::lease::Lease;
use super::lines::send_all;
use super::recorder::Recorder;
use super::socket::{self, Bound, SocketError, Trust};
use crate::protocol::Request;
use crate::protocol::wire::{Status, ToClient, line};
use crossbeam_channel::{Receiver, Sender, bounded};
use ranges::Ranges;
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use thiserror::Error;

/// How long clients are given to take the last records and the farewell.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long their threads are waited for after their connections were cut.
const CUT: Duration = Duration::from_millis(300);
/// How long nothing is accepted when the system has no more descriptors.
const BREATH: Duration = Duration::from_millis(100);
/// So long after nonsense connections are taken one after the other.
const REMEMBERED: Duration = Duration::from_secs(2);

#[derive(Debug, Error)]
pub enum ServerError {
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error("cannot watch the socket {path}: {source}; other screens cannot attach to this run", path = path.display())]
    Unwatched { path: std::path::PathBuf, source: io::Error },
}

/// What is asked of a client's patience and ours.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Until it must have said hello.
    silent: Duration,
    /// For which it may take nothing that is sent.
    stalled: Duration,
    /// That read records.
    viewers: usize,
    /// Of all kinds, with those that have said nothing yet.
    connections: usize,
    /// Between two connections, while somebody talks nonsense: each costs a thread and a fraction of a millisecond of the processor
    /// that training needs.
    pace: Duration,
}

impl Limits {
    const USUAL: Self = Self {
        silent: Duration::from_secs(5),
        stalled: Duration::from_secs(10),
        viewers: 8,
        connections: 16,
        pace: Duration::from_millis(50),
    };
}

/// Serves one run until it is dropped, which tells the clients, takes the socket away and lasts less than a second.
///
/// It keeps the run's [`Recorder`] and the worker's requests open; both are let go when it is dropped.
pub struct Server {
    house: Arc<House>,
    /// `None` once it is dropped.
    open: Option<Open>,
}

struct Open {
    bound: Bound,
    acceptor: JoinHandle<()>,
    // Both tell by going: the first the acceptor, the second all who write to clients.
    wake: UnixStream,
    stop: Sender<Infallible>,
}

/// What all threads of a server share.
struct House {
    run: String,
    owner: u32,
    limits: Limits,
    lease: Lease,
    trouble: Box<dyn Fn() -> Option<String> + Send + Sync>,
    /// `None` once the server is dropped: a client's last thread may outlive it for a moment, and must hold nothing open then.
    ends: Mutex<Option<Ends>>,
    guests: Mutex<Guests>,
    left: Condvar,
    strangers: AtomicU64,
    /// When somebody last talked nonsense.
    nonsense: Mutex<Option<Instant>>,
    /// Disconnected when the server is dropped.
    stop: Receiver<Infallible>,
    /// How many records there were then.
    last: AtomicU64,
}

struct Ends {
    recorder: Recorder,
    ask: Sender<Request>,
}

#[derive(Default)]
struct Guests {
    next: u64,
    here: BTreeMap<u64, Guest>,
    ranges: Ranges,
}

struct Guest {
    /// To cut it off.
    stream: UnixStream,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Has not said hello.
    Unknown,
    /// Asks, and reads no records.
    Caller,
    Viewer,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each value under these locks is set in one go.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Lets others attach to the run in `folder`, whose lock the caller holds. `trouble` says why the run cannot go on at the
    /// moment, where it cannot.
    ///
    /// # Errors
    /// When no socket can be made. Training needs none: say so and go on.
    pub fn start(
        folder: &Path,
        run_id: &str,
        recorder: Recorder,
        ask: Sender<Request>,
        lease: Lease,
        trouble: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Result<Self, ServerError> {
        let ends = Ends { recorder, ask };
        Self::start_within(Limits::USUAL, folder, run_id, ends, lease, Box::new(trouble))
    }

    fn start_within(
        limits: Limits,
        folder: &Path,
        run_id: &str,
        ends: Ends,
        lease: Lease,
        trouble: Box<dyn Fn() -> Option<String> + Send + Sync>,
    ) -> Result<Self, ServerError> {
        let bound = socket::bind(folder, &socket::elsewhere())?;
        let unwatched = |source| ServerError::Unwatched { path: bound.path.clone(), source };
        // Somebody may have gone again between being seen and being accepted.
        bound.listener.set_nonblocking(true).map_err(unwatched)?;
        let listener = bound.listener.try_clone().map_err(unwatched)?;
        let (wake, woken) = UnixStream::pair().map_err(unwatched)?;
        let (stop, stopped) = bounded(0);
        let house = Arc::new(House {
            run: run_id.to_string(),
            owner: socket::own_uid(),
            limits,
            lease,
            trouble,
            ends: Mutex::new(Some(ends)),
            guests: Mutex::default(),
            left: Condvar::new(),
            strangers: AtomicU64::new(0),
            nonsense: Mutex::new(None),
            stop: stopped,
            last: AtomicU64::new(0),
        });
        let within = house.clone();
        let acceptor = thread::Builder::new().name("attach".into()).spawn(move || {
            while awaited(&listener, &woken) == Awaited::Client {
                match listener.accept() {
                    Ok((stream, _)) => {
                        within.receive(stream);
                        within.keep_pace();
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => thread::sleep(BREATH),
                }
            }
        });
        let acceptor = acceptor.map_err(unwatched)?;
        Ok(Self { house, open: Some(Open { bound, acceptor, wake, stop }) })
    }

    /// Where the socket lies.
    pub fn path(&self) -> &Path {
        self.open.as_ref().map_or(Path::new(""), |open| &open.bound.path)
    }

    /// How many viewers are attached.
    pub fn clients(&self) -> usize {
        self.house.count(Kind::Viewer)
    }

    /// How many connections of other users were closed unheard.
    pub fn strangers(&self) -> u64 {
        self.house.strangers.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(Open { bound, acceptor, wake, stop }) = self.open.take() else { return };
        drop(wake);
        let _ = acceptor.join();
        drop(bound);
        let ends = held(&self.house.ends).take();
        self.house.last.store(ends.as_ref().map_or(0, |ends| ends.recorder.recorded()), Ordering::SeqCst);
        drop(ends);
        drop(stop);
        self.house.wait_until_empty(FAREWELL);
        for guest in held(&self.house.guests).here.values() {
            let _ = guest.stream.shutdown(std::net::Shutdown::Both);
        }
        self.house.wait_until_empty(CUT);
    }
}

#[derive(PartialEq, Eq)]
enum Awaited {
    Client,
    End,
}

fn awaited(listener: &impl std::os::fd::AsFd, woken: &UnixStream) -> Awaited {
    loop {
        let mut both = [PollFd::new(listener, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
        match poll(&mut both, None) {
            Ok(_) if !both[1].revents().is_empty() => return Awaited::End,
            Ok(_) if !both[0].revents().is_empty() => return Awaited::Client,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Awaited::End,
        }
    }
}

impl House {
    /// Somebody talked nonsense, and is sent away.
    fn heard_nonsense(&self) {
        *held(&self.nonsense) = Some(Instant::now());
    }

    fn keep_pace(&self) {
        if held(&self.nonsense).is_some_and(|at| at.elapsed() < REMEMBERED) {
            thread::sleep(self.limits.pace);
        }
    }

    /// Hands a new connection to a thread of its own, or turns it away.
    fn receive(self: &Arc<Self>, stream: UnixStream) {
        let Ok(peer) = socket::peer(&stream) else { return };
        if socket::of_client(peer.uid, self.owner) == Trust::Strangers {
            self.strangers.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if stream.set_write_timeout(Some(self.limits.stalled)).is_err() {
            return;
        }
        let Some(place) = self.admit(&stream) else {
            // A line this short fits into any new connection's buffer, so that this does not wait.
            reject(&stream, "too many connections to this run at once; close one, or try again in some seconds");
            return;
        };
        // Where the system has no room for a thread, the connection is closed; training goes on.
        let _ = thread::Builder::new().name("client".into()).spawn(move || client::serve(&place, stream, peer.pid));
    }

    fn admit(self: &Arc<Self>, stream: &UnixStream) -> Option<Place> {
        let mut guests = held(&self.guests);
        if guests.here.len() >= self.limits.connections {
            return None;
        }
        let guest = Guest { stream: stream.try_clone().ok()?, kind: Kind::Unknown };
        let number = guests.next;
        guests.next += 1;
        guests.here.insert(number, guest);
        drop(guests);
        Some(Place { house: self.clone(), number })
    }

    fn count(&self, kind: Kind) -> usize {
        held(&self.guests).here.values().filter(|guest| guest.kind == kind).count()
    }

    fn status(&self) -> Status {
        Status { clients: self.count(Kind::Viewer) as u64, steered_by: self.lease.holder(), trouble: (self.trouble)() }
    }

    fn wait_until_empty(&self, patience: Duration) {
        let by = Instant::now() + patience;
        let mut guests = held(&self.guests);
        while !guests.here.is_empty() {
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            guests = self.left.wait_timeout(guests, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A connection's entry in the list of guests, which goes with it.
struct Place {
    house: Arc<House>,
    number: u64,
}

impl Place {
    /// What it turned out to be. `None` where there are too many of that kind.
    fn settle(&self, kind: Kind) -> Option<()> {
        let mut guests = held(&self.house.guests);
        let viewers = guests.here.values().filter(|guest| guest.kind == Kind::Viewer).count();
        if kind == Kind::Viewer && viewers >= self.house.limits.viewers {
            return None;
        }
        guests.here.get_mut(&self.number)?.kind = kind;
        Some(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        held(&self.house.guests).here.remove(&self.number);
        self.house.left.notify_all();
    }
}

fn reject(stream: &UnixStream, reason: &str) {
    if let Ok(line) = line(&ToClient::Rejected { reason: reason.to_string() }) {
        let _ = send_all(stream, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::Voice;
    use crate::protocol::wire::{Access, Hello, NO_RECORDS, Role, Take, ToServer, WIRE, Welcome};
    use crate::protocol::{Command, CommandId, Dial, Event, FORMAT, Timed};
    use crate::run::lines::{Lines, NoLine};
    use std::os::unix::fs::MetadataExt;

    const SOON: Duration = Duration::from_secs(20);

    fn said(line: &str) -> Event {
        Event::Said { source: Voice::Rematch, line: line.into() }
    }

    struct Live {
        /// Lasts as long as the rest.
        _home: tempfile::TempDir,
        recorder: Recorder,
        asked: Receiver<Request>,
        server: Server,
    }

    fn live_within(limits: Limits) -> Live {
        let home = tempfile::tempdir().unwrap();
        let recorder = Recorder::to_writer(io::sink(), || 7);
        let (ask, asked) = bounded(4);
        let ends = Ends { recorder: recorder.clone(), ask };
        let server = Server::start_within(limits, home.path(), "a-run", ends, Lease::default(), Box::new(|| None)).unwrap();
        Live { _home: home, recorder, asked, server }
    }

    fn live() -> Live {
        live_within(Limits::USUAL)
    }

    fn until(what: impl Fn() -> bool) {
        let by = Instant::now() + SOON;
        while !what() {
            assert!(Instant::now() < by, "it does not come");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// A client that says whatever it likes.
    struct Raw {
        stream: UnixStream,
        lines: Lines,
    }

    fn hello(next: u64) -> Hello {
        Hello { wire: WIRE, format: FORMAT, program: "a test".into(), role: Role::Steer, take: Take::IfFree, next }
    }

    impl Raw {
        fn to(live: &Live) -> Self {
            let stream = UnixStream::connect(live.server.path()).unwrap();
            Self { lines: Lines::new(stream.try_clone().unwrap(), 1 << 20), stream }
        }

        fn welcomed(live: &Live, hello: Hello) -> (Self, Welcome) {
            let mut raw = Self::to(live);
            raw.say(&ToServer::Hello(hello));
            let ToClient::Welcome(welcome) = raw.next() else { panic!("no welcome") };
            (raw, welcome)
        }

        fn say(&self, message: &ToServer) {
            self.send(&line(message).unwrap());
        }

        fn send(&self, bytes: &[u8]) {
            // The server may have gone already; what it said last is what is looked at.
            let _ = send_all(&self.stream, bytes);
        }

        fn ask(&self, id: u64) {
            self.say(&ToServer::Ask(Request { id: CommandId(id), command: Command::Evaluate }));
        }

        fn next(&mut self) -> ToClient {
            serde_json::from_slice(&self.lines.next(Some(Instant::now() + SOON)).unwrap()).unwrap()
        }

        /// The reason of a farewell or refusal, and that nothing follows.
        fn last(mut self) -> String {
            loop {
                match self.next() {
                    ToClient::Bye { reason } | ToClient::Rejected { reason } => {
                        assert!(matches!(self.lines.next(Some(Instant::now() + SOON)), Err(NoLine::Closed)));
                        return reason;
                    }
                    ToClient::Welcome(_)
                    | ToClient::Record(_)
                    | ToClient::Access { .. }
                    | ToClient::Busy { .. }
                    | ToClient::Status(_) => {}
                }
            }
        }

        fn seq(&mut self) -> u64 {
            loop {
                match self.next() {
                    ToClient::Record(record) => return record.seq,
                    ToClient::Access { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn the_socket_is_private_and_goes_with_the_server() {
        let live = live();
        let path = live.server.path().to_path_buf();
        assert_eq!(path.symlink_metadata().unwrap().mode() & 0o7777, 0o600);
        let (raw, _) = Raw::welcomed(&live, hello(0));
        let silent = Raw::to(&live);
        let Live { server, recorder, asked, _home: home } = live;
        let viewer = recorder.subscribe();
        drop(recorder);
        let start = Instant::now();
        drop(server);
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        assert!(!path.exists());
        drop(home);
        assert!(raw.last().contains("the run has ended"));
        drop(silent);
        assert!(viewer.recv_timeout(SOON).unwrap_err().is_disconnected(), "the server held the recorder");
        assert!(asked.recv_timeout(SOON).unwrap_err().is_disconnected(), "the server held the requests");
    }

    #[test]
    fn records_come_from_where_the_client_was_in_memory_or_in_the_file() {
        let home = tempfile::tempdir().unwrap();
        let runs = home.path().join("runs");
        let folder = crate::run::store::RunFolder::create(&runs, Some("a"), "a", "").unwrap();
        let recorder = Recorder::create(&folder).unwrap();
        for n in 0..6000 {
            recorder.record(said(&n.to_string())).unwrap();
        }
        let (ask, asked) = bounded(4);
        let server = Server::start(folder.path(), "a", recorder.clone(), ask, Lease::default(), || None).unwrap();
        let live = Live { _home: home, recorder, asked, server };
        for next in [5, 5990] {
            let (mut raw, _) = Raw::welcomed(&live, hello(next));
            assert!((next..6000).all(|seq| raw.seq() == seq), "from {next}");
        }
        let (mut raw, _) = Raw::welcomed(&live, hello(6000));
        live.recorder.record(said("new")).unwrap();
        assert_eq!(raw.seq(), 6000);
    }

    #[test]
    fn a_client_is_told_what_it_may_do_and_a_second_one_only_watches() {
        let live = live();
        let (mut first, welcome) = Raw::welcomed(&live, hello(0));
        assert_eq!((welcome.access, welcome.first_id), (Access::Steer, 1 << 20));
        let us = format!("process {}", std::process::id());
        assert_eq!(first.next(), ToClient::Access { access: Access::Steer, holder: us.clone() });
        let (mut second, welcome) = Raw::welcomed(&live, hello(0));
        assert_eq!((welcome.access, welcome.first_id), (Access::ReadOnly, 2 << 20));
        let read_only = ToClient::Access { access: Access::ReadOnly, holder: us.clone() };
        assert_eq!(second.next(), read_only);
        second.ask(2 << 20);
        assert_eq!((second.next(), second.next()), (read_only.clone(), ToClient::Busy { id: CommandId(2 << 20) }));
        second.say(&ToServer::TakeLease);
        assert_eq!(second.next(), ToClient::Access { access: Access::Steer, holder: us });
        assert_eq!(first.next(), read_only);
        second.ask((2 << 20) + 1);
        assert_eq!(live.asked.recv_timeout(SOON).unwrap().id, CommandId((2 << 20) + 1));
        assert!(live.asked.is_empty());
        let (_, welcome) = Raw::welcomed(&live, Hello { take: Take::Always, ..hello(NO_RECORDS) });
        assert_eq!(welcome.access, Access::Steer);
        assert_eq!(live.server.clients(), 2, "who reads no records is no viewer");
    }

    #[test]
    fn a_worker_that_is_stuck_and_a_client_that_asks_too_fast_are_told() {
        let live = live();
        let (mut raw, welcome) = Raw::welcomed(&live, hello(0));
        raw.next();
        for n in 0..5 {
            raw.ask(welcome.first_id + n);
        }
        assert_eq!(raw.next(), ToClient::Busy { id: CommandId(welcome.first_id + 4) }, "four fit into the queue");
        let worker = thread::spawn(move || live.asked.iter().count());
        let many = (5..1005).map(|n| ToServer::Ask(Request { id: CommandId(welcome.first_id + n), command: Command::Evaluate }));
        // In one go: a client that asks and does not read the answers is soon not heard any more.
        raw.send(&many.chain([ToServer::Status]).flat_map(|message| line(&message).unwrap()).collect::<Vec<u8>>());
        let mut busy = 0;
        while let ToClient::Busy { .. } = raw.next() {
            busy += 1;
        }
        assert!(busy > 500, "{busy} of a thousand requests at once were turned away");
        drop(live.server);
        assert_eq!(worker.join().unwrap(), 4 + 1000 - busy, "each is passed on or turned away");
    }

    #[test]
    fn nonsense_is_answered_by_the_reason() {
        let live = live_within(Limits { silent: Duration::from_millis(50), ..Limits::USUAL });
        let long = [b"{\"ask\":\"".to_vec(), vec![b'x'; 70 << 10]].concat();
        for (first, expected) in [
            (&b"GET / HTTP/1.1\n"[..], "not a message"),
            (b"\"status\"\n", "must be a hello"),
            (b"{\"hello\":{\"wire\":2}}\n", "version 2"),
            (b"{\"hello\":{\"wire\":1,\"format\":99,\"next\":0}}\n", "format 99"),
            (b"{\"hello\":{\"wire\":1}}\n", "not a message"),
            (b"{\"hello\":{", "no hello within"),
            (b"", "no hello within"),
            (&long, "longer than 64 KiB"),
        ] {
            let raw = Raw::to(&live);
            raw.send(first);
            let reason = raw.last();
            assert!(reason.contains(expected), "{}: {reason}", String::from_utf8_lossy(&first[..first.len().min(40)]));
        }
        let again = line(&ToServer::Hello(hello(0))).unwrap();
        let outside = |id: u64| line(&ToServer::Ask(Request { id: CommandId(id), command: Command::Evaluate })).unwrap();
        for (then, expected) in [
            (&b"nonsense\n"[..], "not a message"),
            (&again, "second hello"),
            (&long, "longer than 64 KiB"),
            (&outside(0), "must follow"),
            (&outside(1 << 32), "must follow"),
            (&outside(u64::MAX), "must follow"),
            (b"{\"ask\":{\"id\":-1,\"command\":\"evaluate\"}}\n", "not a message"),
        ] {
            let (raw, _) = Raw::welcomed(&live, hello(0));
            raw.send(then);
            let reason = raw.last();
            assert!(reason.contains(expected), "{reason}");
        }
        let (raw, welcome) = Raw::welcomed(&live, hello(0));
        raw.ask(welcome.first_id + 3);
        raw.ask(welcome.first_id + 3);
        assert!(raw.last().contains("must follow"), "ids ascend");
        assert_eq!(live.asked.try_iter().count(), 1);
    }

    #[test]
    fn there_are_only_so_many_places() {
        let live = live_within(Limits { viewers: 2, connections: 4, ..Limits::USUAL });
        let viewers = [(); 2].map(|()| Raw::welcomed(&live, hello(0)));
        let third = Raw::to(&live);
        third.say(&ToServer::Hello(hello(0)));
        assert!(third.last().contains("2 screens are attached"));
        // That one may not have left yet.
        until(|| held(&live.server.house.guests).here.len() == 2);
        let callers = [(); 2].map(|()| Raw::welcomed(&live, hello(NO_RECORDS)));
        assert!(Raw::to(&live).last().contains("too many connections"));
        drop((viewers, callers));
        until(|| held(&live.server.house.guests).here.is_empty());
        Raw::welcomed(&live, hello(0));
    }

    #[test]
    fn a_client_that_takes_nothing_is_let_go_and_holds_nobody_up() {
        let live = live_within(Limits { stalled: Duration::from_millis(500), ..Limits::USUAL });
        let (lazy, _) = Raw::welcomed(&live, hello(0));
        let (mut keen, _) = Raw::welcomed(&live, hello(0));
        let text = "x".repeat(1000);
        let total = 5000;
        let reader = thread::spawn(move || {
            assert!((0..total).all(|seq| keen.seq() == seq));
            keen
        });
        let start = Instant::now();
        for _ in 0..total {
            live.recorder.record(said(&text)).unwrap();
        }
        let took = start.elapsed();
        let mut keen = reader.join().unwrap();
        until(|| live.server.clients() == 1);
        assert!(took < Duration::from_secs(5), "{took:?}");
        drop(lazy);
        live.recorder.record(said("after")).unwrap();
        assert_eq!(keen.seq(), total);
    }

    #[test]
    fn a_server_that_goes_waits_for_no_client() {
        let live = live();
        let (_lazy, _) = Raw::welcomed(&live, hello(0));
        let text = "x".repeat(1000);
        for _ in 0..5000 {
            live.recorder.record(said(&text)).unwrap();
        }
        let start = Instant::now();
        drop(live.server);
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }

    /// What a broken or hostile client may say: valid lines, changed, and what was never one.
    fn mangled(random: &mut Draws, valid: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = valid[random.below(valid.len())].clone();
        match random.below(7) {
            0 => bytes = (0..random.below(300)).map(|_| random.below(256) as u8).collect(),
            1 => bytes.truncate(random.below(bytes.len())),
            2 => {
                for _ in 0..=random.below(4) {
                    let at = random.below(bytes.len());
                    bytes[at] = random.below(256) as u8;
                }
            }
            3 => {
                let other = &valid[random.below(valid.len())];
                bytes.truncate(random.below(bytes.len()));
                bytes.extend(&other[random.below(other.len())..]);
            }
            4 => {
                let number = ["18446744073709551616", "-1", "1e999", "99999999999999999999999999", "0.5", "NaN"][random.below(6)];
                let text = String::from_utf8_lossy(&bytes).replace("1048576", number).replace(":1,", &format!(":{number},"));
                bytes = text.into_bytes();
            }
            5 => {
                let open = [&b"["[..], b"{\"ask\":", b"{\"hello\":[", b"{\"a\":{\"set\":"][random.below(4)];
                bytes = open.repeat(random.below(2000));
            }
            _ => {
                let at = random.below(bytes.len());
                let inserted: Vec<u8> = (0..random.below(20)).map(|_| random.below(256) as u8).collect();
                bytes.splice(at..at, inserted);
            }
        }
        bytes.push(b'\n');
        bytes
    }

    struct Draws(u64);

    impl Draws {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 33) % end as u64) as usize
        }
    }

    #[test]
    fn ten_thousand_mangled_messages_change_nothing_for_a_client_that_behaves() {
        let live = live_within(Limits { pace: Duration::ZERO, ..Limits::USUAL });
        live.recorder.record(said("a")).unwrap();
        let (mut good, _) = Raw::welcomed(&live, Hello { take: Take::Always, ..hello(0) });
        assert_eq!(good.seq(), 0);
        let command =
            Command::Schedule(Timed { dial: Dial::Lambda, to: 1.0, at: 1, over: 1, note: None, from: None, asked_at: None });
        let valid: Vec<Vec<u8>> = [
            ToServer::Hello(hello(0)),
            ToServer::Ask(Request { id: CommandId(1 << 20), command: Command::Evaluate }),
            ToServer::Ask(Request { id: CommandId(1 << 20), command }),
            ToServer::Ask(Request { id: CommandId(1 << 20), command: Command::Stop(crate::protocol::Stop::NOW_AND_SAVE) }),
            ToServer::Status,
        ]
        .iter()
        .map(|message| line(message).unwrap())
        .collect();
        let mut draws = Draws(7);
        let mut sent = 0;
        while sent < 10_000 {
            let raw = Raw::to(&live);
            if draws.below(2) == 0 {
                raw.say(&ToServer::Hello(Hello { role: Role::Watch, ..hello(NO_RECORDS) }));
            }
            // All at once, as most of them end the connection.
            let mut bytes = Vec::new();
            for _ in 0..=draws.below(20) {
                bytes.extend(mangled(&mut draws, &valid));
                sent += 1;
            }
            raw.send(&bytes);
        }
        until(|| held(&live.server.house.guests).here.len() <= 1);
        assert_eq!(live.asked.try_iter().count(), 0, "none of them could steer");
        live.recorder.record(said("b")).unwrap();
        assert_eq!(good.seq(), 1);
        good.ask((1 << 20) + 1);
        assert_eq!(live.asked.recv_timeout(SOON).unwrap().id, CommandId((1 << 20) + 1));
    }
}
