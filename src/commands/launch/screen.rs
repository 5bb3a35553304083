//! Training under the screen. It is up before libtorch has opened a GPU or an image was read, and may go before training ends.

use super::early::{Shared, behind, early};
use super::shim::Shim;
use super::{Begun, Job, Lines, REQUESTS, SIGNAL_IDS, end, farewell, leave_at_once, let_go, obey_signals, outcome, stop};
use crate::cli::Look;
use crate::commands::settings::Dress;
use crate::commands::{Failed, rewind, screen};
use crossbeam_channel::{Receiver, Sender, bounded};
use rematch::headless;
use rematch::protocol::event::Record;
use rematch::protocol::wire::{Role, Take};
use rematch::protocol::{Command, CommandId, Request, Stop};
use rematch::run::RunState;
use rematch::run::lease::Lease;
use rematch::run::session::Session;
use rematch::run::state::Phase;
use rematch::train::Trouble;
use rematch::ui::intent::Leave;
use rematch::ui::signals::{self, OnSignal};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub(super) fn run(
    job: Job,
    dress: Dress,
    requests: Receiver<Request>,
    lines: Lines,
    (shim, look): (Shim, &Look),
) -> anyhow::Result<u8> {
    let Lines { ask, signal, heard, on } = lines;
    let signals = signals::listen(signal, on)?;
    let shared = Shared::default();
    let lease = Lease::default();
    let seat = lease.join("the first screen", Role::Steer, Take::IfFree);
    let (to_screen, records) = bounded(REQUESTS);
    let runs = job.runs.clone();
    let beginning = behind(job, (ask.clone(), requests), lease, shared.clone(), to_screen);
    // What the screen has not taken in when it is left.
    let rest = records.clone();
    let (trouble, doing, said) = (shared.clone(), shared.clone(), shared.clone());
    let setting = screen::Setting {
        dress,
        signals: &heard,
        folder: &runs,
        pace: None,
        trouble: Some(Box::new(move || early(&trouble).trouble.as_ref().and_then(Trouble::now))),
        preparing: Some(Box::new(move || early(&doing).doing.clone())),
        runs: runs.clone(),
        known: None,
        better: None,
        clock_ahead_ms: 0,
    };
    let shown = screen::show(Session::with_seat(records, ask.clone(), seat), setting, move |line| early(&said).say(line));
    let left = match shown {
        Ok(left) => left,
        Err(error) => {
            early(&shared).given_up = true;
            stop(&ask);
            if let Some(begun) = joined(beginning)? {
                end(begun);
            }
            return Err(error);
        }
    };
    if matches!(left.why, Leave::BeforeStart | Leave::Terminated | Leave::AtOnce) {
        let mut early = early(&shared);
        if early.log.is_none() {
            early.given_up = true;
            let _ = writeln!(std::io::stderr(), "rematch: left before training began; there is no run");
            // Held, so that the run does not begin meanwhile. Opening a GPU or reading images cannot be hurried.
            // SAFETY: as in `leave_at_once`.
            unsafe { libc::_exit(130) }
        }
    }
    let Some(begun) = joined(beginning)? else { return Ok(130) };
    let folder = begun.folder.clone();
    let mut state = left.state;
    match left.why {
        Leave::Quit | Leave::NotStarted => {}
        Leave::AtOnce => leave_at_once(&folder.checkpoints()),
        Leave::BeforeStart | Leave::Terminated => {
            ask_to_stop(&ask);
            obey_signals(heard.clone(), ask.clone(), Arc::new(Mutex::new(Some(folder.checkpoints()))), on);
            state = unwatched(state, &rest, &ask, &begun);
        }
        Leave::Detached | Leave::HungUp => {
            // Where the terminal is still there, somebody sent the signal, or left on purpose, and reads this.
            let _ = writeln!(std::io::stderr(), "rematch: {}", farewell(&begun, state.phase == Phase::Paused));
            match on.hangup {
                OnSignal::SaveAndStop if left.why == Leave::HungUp => ask_to_stop(&ask),
                OnSignal::Save if left.why == Leave::HungUp => {
                    drop(ask.try_send(Request { id: CommandId(SIGNAL_IDS), command: Command::SaveCheckpoint }));
                }
                OnSignal::Continue | OnSignal::Save | OnSignal::SaveAndStop => {}
            }
            let_go(shim, &begun);
            obey_signals(heard.clone(), ask.clone(), Arc::new(Mutex::new(Some(folder.checkpoints()))), on);
            state = unwatched(state, &rest, &ask, &begun);
        }
        Leave::Branch(wish) => {
            // The run has ended, or is asked to here; its folder must be let go before another begins from it.
            if state.finished.is_none() {
                ask_to_stop(&ask);
                let _ = unwatched(state, &rest, &ask, &begun);
            }
            end(begun);
            drop(signals);
            return Err(rewind::begin(&folder.now(), &runs, &wish, look));
        }
    }
    // Where the terminal is gone this reaches nobody, and that is all right.
    let _ = std::io::stdout().write_all(headless::summary(&state, &folder.now()).as_bytes());
    let trouble = begun.trouble.clone();
    end(begun);
    drop(signals);
    Ok(headless::exit_code(&outcome(&folder, state.finished.map(|f| f.outcome), trouble.now())?))
}

fn ask_to_stop(ask: &Sender<Request>) {
    let _ = ask.try_send(Request { id: CommandId(SIGNAL_IDS), command: Command::Stop(Stop::NOW_AND_SAVE) });
}

/// A run that could not begin says why; `None`: nobody wanted it any more.
fn joined(beginning: JoinHandle<anyhow::Result<Option<Begun>>>) -> anyhow::Result<Option<Begun>> {
    beginning.join().unwrap_or_else(|_| Err(Failed("the run could not be prepared: a panic, see above".into()).into()))
}

/// Follows a run whose screen is gone. One that is paused waits for whoever attaches; where nobody can, a pause would last for ever,
/// and it is saved and stopped instead.
fn unwatched(mut state: RunState, records: &Receiver<Arc<Record>>, ask: &Sender<Request>, begun: &Begun) -> RunState {
    let mut asked = 0;
    let mut stop_if_paused = |phase: &Phase| {
        if *phase == Phase::Paused && begun.server.is_err() {
            asked += 1;
            let stop = Command::Stop(Stop::NOW_AND_SAVE);
            let _ = ask.try_send(Request { id: CommandId(SIGNAL_IDS * 2 + asked), command: stop });
        }
    };
    stop_if_paused(&state.phase);
    while state.finished.is_none() {
        let Ok(record) = records.recv() else { break };
        let was = state.phase.clone();
        state.apply(&record);
        if state.phase != was {
            stop_if_paused(&state.phase);
        }
    }
    state
}
