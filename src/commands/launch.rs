//! Lets a worker train what a command describes, and shows it: on the screen, as lines, or detached from the terminal.
//!
//! `train`, `resume`, `fork` and `repeat` differ in what is trained and where its folder comes from; everything else is here. The
//! process that a shell started may be let go while training goes on ([`shim`]).

mod early;
mod headless;
mod screen;
pub mod shim;

use crate::cli::{How, Ui};
use crate::commands::settings;
use crate::commands::{Failed, openmp};
use crossbeam_channel::{Receiver, Sender, bounded};
use rematch::config::Config;
use rematch::data::DataSet;
use rematch::metrics::tensorboard::is_free;
use rematch::metrics::tensorboard::live::{self, Live, Place as Board};
use rematch::protocol::event::Started;
use rematch::protocol::{Command, CommandId, Outcome, Request, Stop};
use rematch::run::advice;
use rematch::run::lease::Lease;
use rematch::run::lookout::{self, Lookout};
use rematch::run::places;
use rematch::run::recorder::Recorder;
use rematch::run::server::Server;
use rematch::run::store::RunFolder;
use rematch::telemetry;
use rematch::train::worker::{Fault, note_panic_places};
use rematch::train::{self, Attended, Options, Trouble};
use rematch::ui::event::Signal;
use rematch::ui::signals::{OnSignal, OnSignals};
use rematch::ui::terminal;
use shim::Shim;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Requests that may wait; a worker looks for them between any two steps.
const REQUESTS: usize = 1024;
/// Ids of what signals ask for, apart from those of viewers.
const SIGNAL_IDS: u64 = 1 << 32;

/// Makes the run's folder, or opens it again, once everything is known to fit. Gets the config as it is kept, and what will train.
pub type Place = Box<dyn FnOnce(&str, &Started) -> anyhow::Result<(RunFolder, Recorder)> + Send>;

/// What is to be trained.
pub struct Job {
    pub config: Config,
    pub options: Options,
    /// The folder of runs around its own.
    pub runs: PathBuf,
    pub place: Place,
    /// Where event files for TensorBoard go, if anywhere.
    pub board: Option<Board>,
}

/// A run that trains.
struct Begun {
    folder: RunFolder,
    recorder: Recorder,
    /// The first record of this process.
    from: u64,
    trouble: Trouble,
    worker: JoinHandle<()>,
    machine: telemetry::Telemetry,
    lookout: Lookout,
    /// Where others can attach; without it nobody can, and why.
    server: Result<Server, String>,
    board: Option<Live>,
}

/// Trains and shows it as asked. The exit code.
pub fn run(job: Job, how: &How) -> anyhow::Result<u8> {
    let dress = settings::dress(&how.look)?;
    let on = how.on_signals(dress.settings.on_signals);
    let ui = if how.detach { Ui::None } else { crate::commands::screen::choose(how.ui, &dress) };
    if ui == Ui::Tui {
        // Before anything is made: a run that nobody can see is not what was asked for.
        terminal::available()?;
    }
    if let (Some(Board::At(folder)), None) = (&job.board, &job.options.resumed) {
        is_free(folder)?;
    }
    openmp::settle();
    // The terminal's own process is the one that can be let go; it must be told apart before there are threads.
    let shim = if ui == Ui::Tui || how.detach { Some(shim::split()?) } else { None };
    train::room::at_start()?;
    train::device::tune_allocator();
    terminal::install_panic_hook(|_| {});
    note_panic_places();
    let (ask, requests) = bounded(REQUESTS);
    let (signal, heard) = bounded(16);
    let lines = Lines { ask, signal, heard, on };
    match (ui, shim) {
        (Ui::Tui, Some(shim)) => screen::run(job, dress, requests, lines, (shim, &how.look)),
        (Ui::Tui | Ui::Plain | Ui::Json | Ui::None, shim) => headless::run(job, ui, requests, lines, shim),
    }
}

/// What a run hears from outside.
struct Lines {
    ask: Sender<Request>,
    signal: Sender<Signal>,
    heard: Receiver<Signal>,
    on: OnSignals,
}

/// Everything is there but the run's folder.
struct Ready {
    prepared: train::Prepared,
    /// The config as it is kept with the run.
    resolved: String,
    place: Place,
    board: Option<Board>,
}

fn prepare(job: Job, data: DataSet, attended: Attended) -> anyhow::Result<Ready> {
    let Job { config, options, runs, place, board } = job;
    let options = Options {
        attended,
        cache: rematch::train::robust_set::usual_folder(),
        fault: std::env::var("REMATCH_FAULT").ok().and_then(|text| Fault::parse(&text)),
        ..options
    };
    let resolved = places::to_toml(&config, &runs);
    Ok(Ready { prepared: train::prepare(config, data, options)?, resolved, place, board })
}

/// Makes the run's folder and lets the worker go.
fn begin(
    Ready { prepared, resolved, place, board }: Ready,
    requests: Receiver<Request>,
    ask: &Sender<Request>,
    attended: Attended,
    lease: &Lease,
) -> anyhow::Result<Begun> {
    let (folder, recorder) = place(&resolved, &prepared.started)?;
    folder.sign()?;
    let from = recorder.recorded();
    let board = board.map(|board| {
        let tell = |line: String| drop(writeln!(std::io::stderr(), "rematch: {line}"));
        live::spawn(&recorder, board.folder(folder.path()), from, tell)
    });
    let trouble = prepared.trouble.clone();
    let worker = prepared.begin(&folder, recorder.clone(), requests);
    let machine = telemetry::spawn(recorder.clone(), Duration::from_secs(1), folder.path());
    let pause = (attended == Attended::Yes).then(|| ask.clone());
    let lookout = lookout::spawn(recorder.clone(), pause);
    let said = trouble.clone();
    let server = Server::start(&folder.now(), folder.id(), recorder.clone(), ask.clone(), lease.clone(), move || said.now())
        .map_err(|error| error.to_string());
    Ok(Begun { folder, recorder, from, trouble, worker, machine, lookout, server, board })
}

fn end(begun: Begun) {
    // Its panics are caught inside; what is left is nothing to add to.
    let _ = begun.worker.join();
    drop((begun.machine, begun.lookout, begun.server, begun.board));
}

/// `trouble`: why the end could not be recorded, where that is known.
fn outcome(folder: &RunFolder, outcome: Option<Outcome>, trouble: Option<String>) -> anyhow::Result<Outcome> {
    let silent = || match trouble {
        Some(why) => Failed(format!("{}: the run ended and its end could not be recorded: {why}", folder.id())),
        None => Failed(format!("{}: the worker ended without a word; see {}", folder.id(), folder.events().display())),
    };
    outcome.ok_or_else(|| silent().into())
}

/// Where nobody follows a run any more nobody else would end it. One that has ended does not hear it.
fn stop(ask: &Sender<Request>) {
    let _ = ask.try_send(Request { id: CommandId(SIGNAL_IDS * 4), command: Command::Stop(Stop::NOW_AND_SAVE) });
}

/// Ends the process now, whatever the worker does.
fn leave_at_once(checkpoints: &Path) -> ! {
    let _ = writeln!(std::io::stderr(), "rematch: left at once; the newest checkpoint is in {}", checkpoints.display());
    // SAFETY: ends the process and does nothing else. The orderly exit would take libtorch down under the worker, which is
    // still inside it, and end in a crash.
    unsafe { libc::_exit(130) }
}

/// Where a run's checkpoints are; `None` before it has begun. Held while it begins.
type Checkpoints = Arc<Mutex<Option<PathBuf>>>;

/// Obeys signals where there is no screen: a first one saves and stops, the third Ctrl-C waits for nothing more. What the others do is a
/// setting. Before a run has begun there is nothing to save, and whatever stops a run ends the process.
fn obey_signals(heard: Receiver<Signal>, ask: Sender<Request>, checkpoints: Checkpoints, on: OnSignals) {
    std::thread::spawn(move || {
        let mut interrupts = 0;
        for (n, signal) in heard.iter().enumerate() {
            let action = match signal {
                Signal::HangUp => on.hangup,
                Signal::Continue => OnSignal::Continue,
                Signal::Save => OnSignal::Save,
                Signal::Terminate | Signal::Interrupt => OnSignal::SaveAndStop,
            };
            let command = match action {
                OnSignal::Continue => continue,
                OnSignal::Save => Command::SaveCheckpoint,
                OnSignal::SaveAndStop => Command::Stop(Stop::NOW_AND_SAVE),
            };
            interrupts += usize::from(signal == Signal::Interrupt);
            match checkpoints.lock().unwrap_or_else(PoisonError::into_inner).as_deref() {
                None if action == OnSignal::SaveAndStop => leave_before_it_began(),
                None => {}
                Some(checkpoints) if interrupts == 3 => leave_at_once(checkpoints),
                Some(_) => drop(ask.try_send(Request { id: CommandId(SIGNAL_IDS + n as u64), command })),
            }
        }
    });
}

/// Ends the process while images are read or a GPU is opened, which cannot be hurried.
fn leave_before_it_began() -> ! {
    let _ = writeln!(std::io::stderr(), "rematch: stopped before training began; nothing was trained");
    // SAFETY: as in `leave_at_once`.
    unsafe { libc::_exit(130) }
}

/// What a person reads when a run goes on without them. `paused`: it waits, and goes on waiting.
fn farewell(begun: &Begun, paused: bool) -> String {
    let place = begun.folder.now();
    let process = std::process::id();
    let goes_on = if paused { "the run is paused and stays paused" } else { "training goes on" };
    match &begun.server {
        Ok(_) => {
            let back = if paused { "come back and go on (space) with" } else { "come back with" };
            format!("{goes_on} as process {process}; {back}: {}", advice::command("attach", &place, ""))
        }
        Err(why) if paused => format!(
            "nobody can attach to {}, so that its pause would last for ever: it is saved and stopped ({why})",
            place.display()
        ),
        Err(why) => format!("{goes_on} as process {process}, in {}; nobody can attach to it: {why}", place.display()),
    }
}

/// Lets the terminal's process go, and the terminal with it: what is still printed goes to a file of the run.
fn let_go(shim: Shim, begun: &Begun) {
    shim.let_go(&begun.folder.now().join("console.log"));
}
