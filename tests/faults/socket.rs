//! Rubbish over the socket of a run that trains: bytes, valid lines with damage, lines without end, nesting, numbers of others.
//!
//! No line asks the run to stop; whatever else a damaged line happens to ask for may be done.

use super::files::damage;
use super::hang_ups::used;
use super::{Home, Recipe, breathe, lines, log, reached, wait_for};
use rematch::config::Dial;
use rematch::protocol::wire::{Hello, LONGEST_ASKED, NO_RECORDS, Role, Take, ToClient, ToServer, WIRE, line, program};
use rematch::protocol::{Change, Command, CommandId, Event, FORMAT, Flow, Outcome, Request};
use rematch::random::Stream;
use rematch::run::link;
use rematch::run::session::Access;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const SENDERS: u64 = 4;

/// More epochs than anybody waits for.
const ENDLESS: Recipe =
    Recipe { method: "erm", epochs: 100_000, more: &["train.schedule.name=constant", "checkpoint.every_epochs=50"] };

/// Threads that send rubbish until they are told to stop, or have sent so much.
pub struct Flood {
    over: Arc<AtomicBool>,
    pub sent: Arc<AtomicU64>,
    pub connections: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixture {
    All,
    /// Nothing that the worker could be made to do.
    Harmless,
}

impl Flood {
    pub fn begin(run: &Path, most: u64, pause: Duration, mixture: Mixture, seed: u64) -> Self {
        let (over, sent, connections) = (Arc::new(AtomicBool::new(false)), Arc::default(), Arc::default());
        let mut flood = Self { over, sent, connections, threads: Vec::new() };
        for sender in 0..SENDERS {
            let (over, sent, connections) = (flood.over.clone(), flood.sent.clone(), flood.connections.clone());
            let socket = run.join("socket");
            let mut dice = Stream::new(seed ^ (sender + 1) << 32);
            flood.threads.push(std::thread::spawn(move || {
                while !over.load(Ordering::Acquire) && sent.load(Ordering::Acquire) < most {
                    connections.fetch_add(1, Ordering::AcqRel);
                    let said = talk(&socket, pause, mixture, &mut dice);
                    sent.fetch_add(said, Ordering::AcqRel);
                }
            }));
        }
        flood
    }

    /// Waits until everything is sent. How many messages went over how many connections.
    pub fn join(self) -> (u64, u64) {
        for thread in self.threads {
            thread.join().unwrap();
        }
        (self.sent.load(Ordering::Acquire), self.connections.load(Ordering::Acquire))
    }

    pub fn stop(self) -> (u64, u64) {
        self.over.store(true, Ordering::Release);
        self.join()
    }
}

/// One connection, until it is cut or has said enough. How many messages it took.
fn talk(socket: &Path, pause: Duration, mixture: Mixture, dice: &mut Stream) -> u64 {
    let Ok(mut stream) = UnixStream::connect(socket) else {
        breathe();
        return 0;
    };
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut said = 0;
    if dice.below(3) > 0 && stream.write_all(&line(&hello(mixture, dice)).unwrap()).is_err() {
        return said;
    }
    let listens = dice.below(2) == 0;
    let mut heard = Vec::new();
    for _ in 0..=dice.below(30) {
        std::thread::sleep(pause); // the rate of the flood
        if stream.write_all(&message(mixture, dice)).is_err() {
            break;
        }
        said += 1;
        if listens {
            let mut some = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut some) {
                heard.extend_from_slice(&some[..count]);
            }
        }
    }
    // Whatever is asked, each whole line of the answer is of the protocol.
    if let Some(end) = heard.iter().rposition(|&byte| byte == b'\n') {
        for answer in heard[..end].split(|&byte| byte == b'\n') {
            serde_json::from_slice::<ToClient>(answer).unwrap();
        }
    }
    said
}

fn hello(mixture: Mixture, dice: &mut Stream) -> ToServer {
    let steers = mixture == Mixture::All && dice.below(2) == 0;
    let next = [0, 5, NO_RECORDS, NO_RECORDS, 1 << 40][dice.below(5) as usize];
    let (role, take) = if steers { (Role::Steer, Take::Always) } else { (Role::Watch, Take::IfFree) };
    ToServer::Hello(Hello { wire: WIRE, format: FORMAT, program: program(), role, take, next })
}

/// A line that the protocol knows.
fn valid(mixture: Mixture, dice: &mut Stream) -> ToServer {
    if mixture == Mixture::Harmless {
        return if dice.below(2) == 0 { ToServer::Status } else { hello(mixture, dice) };
    }
    let id = CommandId(dice.bits() >> dice.below(64));
    let command = match dice.below(7) {
        0 => return ToServer::Status,
        1 => return ToServer::TakeLease,
        2 => return hello(mixture, dice),
        3 => Command::Set { change: Change::LrScale(0.5 + f64::from(dice.unit())), note: Some("n".repeat(40)) },
        4 => Command::Set { change: Change::Probes(1), note: None },
        5 => Command::Unschedule(Dial::LrScale),
        _ => Command::GiveUp,
    };
    ToServer::Ask(Request { id, command })
}

fn message(mixture: Mixture, dice: &mut Stream) -> Vec<u8> {
    let mut bytes = match dice.below(10) {
        0 => (0..dice.below(400)).map(|_| dice.bits() as u8).collect(),
        1..=4 => {
            let whole = line(&valid(mixture, dice)).unwrap();
            damage(&whole[..whole.len() - 1], 1 + dice.below(4), dice)
        }
        5 => vec![b"a[{\"\0"[dice.below(5) as usize]; LONGEST_ASKED - 2 + dice.below(2000) as usize],
        6 => {
            let depth = 1 + dice.below(20_000) as usize;
            [b"[", &b"{\"ask\":"[..]][dice.below(2) as usize].repeat(depth.min(LONGEST_ASKED / 8))
        }
        7 => Vec::new(),
        _ => {
            let mut whole = line(&valid(mixture, dice)).unwrap();
            whole.pop();
            whole
        }
    };
    if dice.below(20) > 0 {
        bytes.push(b'\n');
    }
    bytes
}

#[derive(Debug)]
pub struct Rubbish {
    pub sent: u64,
    pub connections: u64,
    /// Steps trained meanwhile.
    pub steps: u64,
}

/// A run is sent so many messages; then it still trains, answers, can be steered, and stops when it is told to.
pub fn flood(home: &mut Home, messages: u64, seed: u64) -> Rubbish {
    let runs = home.runs();
    let run = runs.join(format!("flooded-{seed}"));
    let mut trainee = home.train(&ENDLESS, &runs, &format!("flooded-{seed}"), 2);
    trainee.until("the socket", || link::status(&run).ok());
    let before = reached(&trainee.until("the first record", || log(&run)).records);
    let (sent, connections) = Flood::begin(&run, messages, Duration::ZERO, Mixture::All, seed).join();
    assert!(trainee.over().is_none(), "it ended; it said:\n{}", trainee.said());
    wait_for("an answer", || link::status(&run).ok());
    // Those who hung up may still be taken for somebody for a moment.
    let mut session = wait_for("a seat", || link::connect(&run, Role::Steer, Take::Always, 0).ok()).into_session();
    wait_for("the right to steer", || (session.access() == Access::Steer).then_some(()));
    let asked = session.ask(Command::Set { change: Change::Flow(Flow::Running), note: None });
    let id = asked.unwrap();
    wait_for("the answer to a request", || {
        let record = session.records().recv_timeout(super::PATIENCE).unwrap();
        let by = match &record.event {
            Event::Controlled { by, .. } => *by,
            Event::Refused { by, .. } => Some(*by),
            _ => None,
        };
        (by == Some(id)).then_some(())
    });
    drop(session);
    let at = lines(&run);
    trainee.until("more of the log", || (lines(&run) > at + 20).then_some(()));
    trainee.send(Signal::TERM);
    let ended = trainee.end();
    assert!(ended.code == Some(130) && !ended.said.contains("panicked"), "{ended:?}");
    let records = log(&run).unwrap().records;
    let Event::Finished(finished) = &records.last().unwrap().event else { panic!("{:?}", records.last()) };
    assert_eq!(finished.outcome, Outcome::Stopped);
    Rubbish { sent, connections, steps: finished.step - before }
}

/// What a run trains at.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Steps a second by the time that steps took, and by the clock from the first report to the end.
    pub in_steps: f64,
    pub by_clock: f64,
    /// Messages a second meanwhile.
    pub messages: f64,
    /// Seconds of a processor that the program used, and those that the senders did.
    pub used: f64,
    pub senders: f64,
}

/// A fixed run, with or without rubbish at this pause between the messages of each of the senders.
pub fn speed(home: &mut Home, recipe: &Recipe, name: &str, flooded: Option<Duration>) -> Speed {
    let runs = home.runs();
    let run = runs.join(name);
    let (own, others) = used();
    let mut trainee = home.train(recipe, &runs, name, 2);
    trainee.until("the socket", || link::status(&run).ok());
    let flood = flooded.map(|pause| Flood::begin(&run, u64::MAX, pause, Mixture::Harmless, 1));
    trainee.completes();
    let sent = flood.map_or(0, |flood| flood.stop().0);
    let now = used();
    let records = log(&run).unwrap().records;
    let first = records.iter().find(|record| matches!(record.event, Event::Progress(_))).unwrap();
    let last = records.last().unwrap();
    let (Event::Finished(finished), Event::Progress(progress)) = (&last.event, &first.event) else { panic!("{last:?}") };
    let seconds = (last.at_ms - first.at_ms) as f64 / 1e3;
    Speed {
        in_steps: finished.step as f64 / finished.train_seconds,
        by_clock: (finished.step - progress.step) as f64 / seconds,
        messages: sent as f64 / seconds,
        used: now.1 - others,
        senders: now.0 - own,
    }
}
