//! A terminal that goes away while a run trains under it, or is paused.

use super::session::{Seen, Session, text};
use super::{Home, PROGRAM, Recipe, Reference, breathe, log, some_of, wait_for};
use rematch::protocol::wire::{Role, Take};
use rematch::protocol::{Change, Command, Event, Flow};
use rematch::random::Stream;
use rematch::run::link;
use rematch::run::session::Access;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Of a second, in what Linux tells of a process.
const TICKS: f64 = 100.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It trains on.
    Trains,
    /// It may not have begun yet, and does all the same.
    Begins,
    /// It is paused before, and told to go on by a viewer; meanwhile it is watched for so long.
    Waits(Duration),
}

#[derive(Debug)]
pub struct HungUp {
    /// Of a processor, while it was orphaned and paused.
    pub busy: Option<f64>,
    pub compared: usize,
}

pub fn hang_up(home: &mut Home, recipe: &Recipe, reference: &Reference, name: &str, then: Then, dice: &mut Stream) -> HungUp {
    let runs = home.runs();
    let run = runs.join(name);
    let words = home.words(recipe, &runs, name, 2);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let env = [("GOMP_SPINCOUNT", "0"), ("LANG", "C.UTF-8")];
    let mut session = Session::start(Path::new(PROGRAM), &words, &env, (80, 24));
    let begun = |seen: &Seen| text(seen).contains("RUNNING") || text(seen).contains("COMPLETED");
    match then {
        Then::Begins => session.until("the screen", |seen| seen.emulator.screen().alternate_screen()),
        Then::Trains | Then::Waits(_) => session.until("the run", begun),
    }
    let mut busy = None;
    match then {
        Then::Begins => {
            let until = Instant::now() + some_of(Duration::from_millis(400), dice);
            while Instant::now() < until {
                breathe(); // any moment will do
            }
            session.hang_up(b"");
        }
        Then::Trains => {
            let until = Instant::now() + some_of(reference.took.mul_f64(0.7), dice);
            while Instant::now() < until {
                breathe(); // any moment will do
            }
            session.hang_up(b"");
        }
        Then::Waits(watched) => {
            session.type_in(b" ");
            session.says("PAUSED");
            session.hang_up(b"");
            assert_eq!(session.exit_code(), 0, "whoever waited for it is let go");
            let pid = pid(&run);
            busy = (!watched.is_zero()).then(|| busy_for(pid, watched));
            go_on(&run);
        }
    }
    assert_eq!(session.exit_code(), 0, "whoever waited for it is let go");
    let finished = |run: &Path| log(run).is_some_and(|log| matches!(log.records.last().unwrap().event, Event::Finished(_)));
    wait_for("the end of the run", || finished(&run).then_some(()));
    let pid = pid(&run);
    wait_for("the end of the process", || (!Path::new(&format!("/proc/{pid}/exe")).exists()).then_some(()));
    HungUp { busy, compared: reference.check_completed(&run) }
}

fn pid(run: &Path) -> u32 {
    fs::read_to_string(run.join("lock")).unwrap().trim().parse().unwrap()
}

/// Seconds of a processor that this process used, and those that it started and waited for.
pub fn used() -> (f64, f64) {
    let fields = times("self");
    ((fields[0] + fields[1]) as f64 / TICKS, (fields[2] + fields[3]) as f64 / TICKS)
}

fn ticks(pid: u32) -> u64 {
    times(&pid.to_string())[..2].iter().sum()
}

/// In user and system mode, and of children in user and system mode.
fn times(process: &str) -> [u64; 4] {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name in brackets may hold anything.
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap()..].split_whitespace().collect();
    [12, 13, 14, 15].map(|at| fields[at].parse().unwrap())
}

/// The share of a processor that it uses in this time.
fn busy_for(pid: u32, watched: Duration) -> f64 {
    let (before, began) = (ticks(pid), Instant::now());
    std::thread::sleep(watched); // a measurement over this time
    let used = (ticks(pid) - before) as f64 / TICKS;
    used / began.elapsed().as_secs_f64()
}

/// As a person does who attaches.
fn go_on(run: &Path) {
    let mut session = link::connect(run, Role::Steer, Take::Always, 0).unwrap().into_session();
    wait_for("the right to steer", || (session.access() == Access::Steer).then_some(()));
    let command = Command::Set { change: Change::Flow(Flow::Running), note: None };
    let id = session.ask(command).unwrap();
    loop {
        let record = session.records().recv_timeout(super::PATIENCE).unwrap();
        if let Event::Controlled { by, .. } = &record.event
            && *by == Some(id)
        {
            break;
        }
    }
}
