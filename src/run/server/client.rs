//! One client: its hello, the thread that reads what it says and the one that writes to it.
//!
//! The writer alone writes after the welcome, and the reader may wait for the writer: a client that takes nothing is not heard
//! either, and holds up nobody else. Whichever of the two ends cuts the connection, which ends the other.

use super::{House, Kind, Place, held, reject};
use crate::protocol::wire::{
    Access, Hello, LONGEST_ASKED, NO_RECORDS, ToClient, ToServer, WIRE, Welcome, line, misfit, program, record_line,
};
use crate::protocol::{FORMAT, Record, Request};
use crate::run::lease::Seat;
use crate::run::lines::{Lines, NoLine, send_all};
use crate::run::recorder::now_ms;
use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use std::net::Shutdown;
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// Answers that may wait for the writer.
const WAITING: usize = 64;
/// Bytes of records that are sent at once where as many wait.
const AT_ONCE: usize = 32 << 10;
/// Of requests, at once and in a second.
const BURST: f64 = 100.0;
const PER_SECOND: f64 = 50.0;
/// What a client that asks other things faster than that is made to wait for the next.
const THROTTLE: Duration = Duration::from_millis(20);
/// How long the last records are waited for when the server goes; less than it waits for its clients.
const LAST: Duration = Duration::from_millis(350);

/// Serves a connection until either side has enough.
pub(super) fn serve(place: &Place, stream: UnixStream, pid: i32) {
    let house = &place.house;
    let Ok(input) = stream.try_clone() else { return };
    let mut lines = Lines::new(input, LONGEST_ASKED);
    let hello = match greeted(&mut lines, house.limits.silent) {
        Ok(hello) => hello,
        Err(Some(reason)) => {
            house.heard_nonsense();
            return reject(&stream, &reason);
        }
        Err(None) => return,
    };
    let kind = if hello.next == NO_RECORDS { Kind::Caller } else { Kind::Viewer };
    if place.settle(kind).is_none() {
        let most = house.limits.viewers;
        return reject(&stream, &format!("{most} screens are attached to this run already; close one of them"));
    }
    let Some(mut ids) = held(&house.guests).ranges.take() else {
        return reject(&stream, "so many clients have asked so much of this run that no numbers are left; resume it to go on");
    };
    attend(house, stream, &mut lines, pid, &hello, &mut ids);
    held(&house.guests).ranges.give_back(ids);
}

/// The hello, or why there is none, which a client that is gone need not be told.
fn greeted(lines: &mut Lines, patience: Duration) -> Result<Hello, Option<String>> {
    let first = lines.next(Some(Instant::now() + patience)).map_err(|end| match end {
        NoLine::TooLate => Some(format!("no hello within {} s of connecting", patience.as_secs_f64())),
        other => why_over(&other),
    })?;
    if let Some(reason) = misfit(&first) {
        return Err(Some(reason));
    }
    match serde_json::from_slice(&first) {
        Ok(ToServer::Hello(hello)) => Ok(hello),
        Ok(ToServer::Ask(_) | ToServer::TakeLease | ToServer::Status) => {
            Err(Some("the first message must be a hello".to_string()))
        }
        Err(error) => Err(Some(not_a_message(&error))),
    }
}

fn not_a_message(error: &serde_json::Error) -> String {
    format!("not a message of version {WIRE} of the attach protocol: {error}")
}

/// What to tell a client that no more is read from; `None` where it has gone.
fn why_over(end: &NoLine) -> Option<String> {
    match end {
        NoLine::Closed | NoLine::TooLate => None,
        NoLine::TooLong => Some(format!("a message is longer than {} KiB", LONGEST_ASKED >> 10)),
        NoLine::Failed(error) => Some(format!("its messages cannot be read: {error}")),
    }
}

fn attend(house: &Arc<House>, stream: UnixStream, lines: &mut Lines, pid: i32, hello: &Hello, ids: &mut Range<u64>) {
    let seat = Arc::new(house.lease.join(&format!("process {pid}"), hello.role, hello.take));
    let records = match &*held(&house.ends) {
        None => return reject(&stream, OVER),
        Some(_) if hello.next == NO_RECORDS => never(),
        Some(ends) => ends.recorder.subscribe_from(hello.next),
    };
    let welcome = ToClient::Welcome(Welcome {
        wire: WIRE,
        format: FORMAT,
        program: program(),
        run: house.run.clone(),
        pid: std::process::id(),
        now_ms: now_ms(),
        access: seat.access(),
        first_id: ids.start,
    });
    let (answer, answers) = bounded(WAITING);
    let writer = Writer { house: house.clone(), stream, seat: seat.clone(), next: hello.next, told: None };
    let spawned = thread::Builder::new().name("client out".into()).spawn(move || writer.run(&welcome, &records, &answers));
    if let Ok(writer) = spawned {
        let reader = Reader { house, seat: &seat, answer, allowance: Allowance::default(), ids };
        reader.run(lines);
        let _ = writer.join();
    }
}

/// Why a client is sent away when the server goes.
const OVER: &str = "the run has ended, or its process is about to";

struct Reader<'a> {
    house: &'a House,
    seat: &'a Seat,
    answer: Sender<ToClient>,
    allowance: Allowance,
    /// Numbers the client has not used.
    ids: &'a mut Range<u64>,
}

impl Reader<'_> {
    /// Until the client or the writer goes, or the client talks nonsense, which it is told.
    fn run(mut self, lines: &mut Lines) {
        let reason = loop {
            let heard = match lines.next(None) {
                Ok(line) => self.hear(&line),
                Err(end) => break why_over(&end),
            };
            match heard {
                Ok(()) => {}
                Err(Over::Writer) => break None,
                Err(Over::Nonsense(why)) => break Some(why),
            }
        };
        if let Some(reason) = reason {
            self.house.heard_nonsense();
            let _ = self.answer.send(ToClient::Bye { reason });
        }
    }

    fn hear(&mut self, line: &[u8]) -> Result<(), Over> {
        match serde_json::from_slice(line).map_err(|error| Over::Nonsense(not_a_message(&error)))? {
            ToServer::Hello(_) => Err(Over::Nonsense("a second hello".to_string())),
            ToServer::Ask(request) => self.pass_on(request),
            ToServer::TakeLease => {
                self.throttle();
                self.seat.take();
                Ok(())
            }
            ToServer::Status => {
                self.throttle();
                self.say(ToClient::Status(self.house.status()))
            }
        }
    }

    fn pass_on(&mut self, request: Request) -> Result<(), Over> {
        let id = request.id;
        if !self.ids.contains(&id.0) {
            let Range { start, end } = self.ids;
            return Err(Over::Nonsense(format!("request {} where {start} or more, below {end}, must follow", id.0)));
        }
        self.ids.start = id.0 + 1;
        let (access, holder) = self.seat.standing();
        match access {
            Access::ReadOnly => self.say(ToClient::Access { access, holder })?,
            Access::Steer => {
                let allowed = self.allowance.take();
                let ask = allowed.and_then(|()| held(&self.house.ends).as_ref().map(|ends| ends.ask.clone()));
                if ask.is_some_and(|ask| ask.try_send(request).is_ok()) {
                    return Ok(());
                }
            }
        }
        self.say(ToClient::Busy { id })
    }

    fn say(&self, message: ToClient) -> Result<(), Over> {
        self.answer.send(message).map_err(|_| Over::Writer)
    }

    fn throttle(&mut self) {
        if self.allowance.take().is_none() {
            thread::sleep(THROTTLE);
        }
    }
}

/// Why a client is not heard any more.
enum Over {
    Writer,
    Nonsense(String),
}

/// A token bucket.
struct Allowance {
    left: f64,
    at: Instant,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: BURST, at: Instant::now() }
    }
}

impl Allowance {
    fn take(&mut self) -> Option<()> {
        self.take_at(Instant::now())
    }

    fn take_at(&mut self, now: Instant) -> Option<()> {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * PER_SECOND).min(BURST);
        self.at = now;
        (self.left >= 1.0).then(|| self.left -= 1.0)
    }
}

struct Writer {
    house: Arc<House>,
    stream: UnixStream,
    seat: Arc<Seat>,
    /// Number of the record that is to be sent next.
    next: u64,
    /// What the client knows of who steers.
    told: Option<(Access, String)>,
}

/// The client is gone, takes nothing, or has been sent away.
struct Gone;

impl Drop for Writer {
    fn drop(&mut self) {
        // Ends the reader, and on the other side what was sent is read first.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Writer {
    fn run(mut self, welcome: &ToClient, records: &Receiver<Arc<Record>>, answers: &Receiver<ToClient>) {
        let _ = self.say(welcome).and_then(|()| self.write(records, answers));
    }

    fn write(&mut self, records: &Receiver<Arc<Record>>, answers: &Receiver<ToClient>) -> Result<(), Gone> {
        let stop = self.house.stop.clone();
        let seat = self.seat.clone();
        loop {
            self.tell_access()?;
            select! {
                recv(records) -> record => match record {
                    Ok(record) => self.send_records(&record, records)?,
                    // A run without a recorder is over; one with it has lost its log.
                    Err(_) => return self.bye(if held(&self.house.ends).is_none() { OVER } else { "the log of the run cannot be read" }),
                },
                recv(answers) -> answer => match answer {
                    Ok(answer) => {
                        self.say(&answer)?;
                        if matches!(answer, ToClient::Bye { .. }) {
                            return Err(Gone);
                        }
                    }
                    Err(_) => return Err(Gone),
                },
                recv(seat.changes()) -> _ => {}
                recv(stop) -> _ => return self.leave(records),
            }
        }
    }

    /// One record and what else waits, in one go.
    fn send_records(&mut self, first: &Record, records: &Receiver<Arc<Record>>) -> Result<(), Gone> {
        let mut bytes = record_line(first).map_err(|_| Gone)?;
        self.next = first.seq + 1;
        while bytes.len() < AT_ONCE
            && let Ok(record) = records.try_recv()
        {
            bytes.extend(record_line(&record).map_err(|_| Gone)?);
            self.next = record.seq + 1;
        }
        send_all(&self.stream, &bytes).map_err(|_| Gone)
    }

    /// The server goes: whoever reads records is given the last of them first.
    fn leave(&mut self, records: &Receiver<Arc<Record>>) -> Result<(), Gone> {
        let by = Instant::now() + LAST;
        let last = self.house.last.load(Ordering::SeqCst);
        while self.next < last
            && let Ok(record) = records.recv_deadline(by)
        {
            self.send_records(&record, records)?;
        }
        self.bye(OVER)
    }

    fn tell_access(&mut self) -> Result<(), Gone> {
        let now = self.seat.standing();
        if self.told.as_ref() != Some(&now) {
            self.say(&ToClient::Access { access: now.0, holder: now.1.clone() })?;
            self.told = Some(now);
        }
        Ok(())
    }

    fn bye(&self, reason: &str) -> Result<(), Gone> {
        self.say(&ToClient::Bye { reason: reason.to_string() })
    }

    fn say(&self, message: &ToClient) -> Result<(), Gone> {
        let line = line(message).map_err(|_| Gone)?;
        send_all(&self.stream, &line).map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_so_many_a_second() {
        let start = Instant::now();
        let mut allowance = Allowance { left: BURST, at: start };
        let mut taken = |after_ms: u64, tries: u32| {
            (0..tries).filter(|_| allowance.take_at(start + Duration::from_millis(after_ms)).is_some()).count()
        };
        assert_eq!(taken(0, 500), 100);
        assert_eq!(taken(1000, 500), 50);
        assert_eq!(taken(100_000, 500), 100);
    }
}
