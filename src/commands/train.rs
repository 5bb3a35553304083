//! `rematch train`: reads the config, lets the worker build everything, gives it a run folder, and shows what happens.

use crate::cli::Train;

#[cfg(not(feature = "torch"))]
pub fn run(_: &Train) -> anyhow::Result<u8> {
    Err(super::no_torch("train"))
}

#[cfg(feature = "torch")]
pub use working::run;

#[cfg(feature = "torch")]
mod working {
    use super::Train;
    use crate::cli::Ui;
    use crate::commands::settings::{self, Dress};
    use crate::commands::{Failed, openmp, screen};
    use crossbeam_channel::{Receiver, Sender, bounded};
    use rematch::config::{Config, check};
    use rematch::data::DataSet;
    use rematch::headless::{self, Style};
    use rematch::protocol::event::{Event, Record, Voice};
    use rematch::protocol::{Command, CommandId, Outcome, Request, Stop};
    use rematch::run::RunState;
    use rematch::run::lookout::{self, Lookout};
    use rematch::run::recorder::Recorder;
    use rematch::run::session::Session;
    use rematch::run::state::Phase;
    use rematch::run::store::RunFolder;
    use rematch::telemetry;
    use rematch::train::worker::{Fault, note_panic_places};
    use rematch::train::{self, Attended, Options, Trouble};
    use rematch::ui::event::Signal;
    use rematch::ui::intent::Leave;
    use rematch::ui::{signals, terminal};
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::thread::JoinHandle;
    use std::time::Duration;

    /// Requests that may wait; a worker looks for them between any two steps.
    const REQUESTS: usize = 1024;
    /// Ids of what signals ask for, apart from those of viewers.
    const SIGNAL_IDS: u64 = 1 << 32;

    /// A run that trains.
    struct Begun {
        folder: RunFolder,
        recorder: Recorder,
        trouble: Trouble,
        worker: JoinHandle<()>,
        machine: telemetry::Telemetry,
        lookout: Lookout,
    }

    pub fn run(args: &Train) -> anyhow::Result<u8> {
        let config = check::load(&args.config, &args.set)?;
        let dress = settings::dress(&args.look)?;
        let ui = screen::choose(args.ui, &dress);
        if ui == Ui::Tui {
            // Before anything is made: a run that nobody can see is not what was asked for.
            terminal::available()?;
        }
        openmp::settle();
        train::device::tune_allocator();
        terminal::install_panic_hook(|_| {});
        note_panic_places();
        let (ask, requests) = bounded(REQUESTS);
        let (signal, heard) = bounded(16);
        match ui {
            Ui::Tui => on_screen(args, dress, config, (ask, requests), (signal, &heard)),
            Ui::Plain | Ui::Json | Ui::None => {
                let data = super::super::data::load(&config.data)?;
                let ready = prepare(args, config, data, Attended::No)?;
                let begun = begin(args, ready, requests, None)?;
                let signals = signals::listen(signal)?;
                let style = match ui {
                    Ui::Json => Style::Json,
                    Ui::None => Style::None,
                    Ui::Plain | Ui::Tui => Style::Plain,
                };
                let folder = begun.folder.clone();
                obey_signals(heard, ask.clone(), folder.checkpoints());
                let records = begun.recorder.subscribe();
                // Told once the run has ended.
                let followed: anyhow::Result<_> = headless::follow_in(&records, style, folder.path(), &mut std::io::stdout())
                    .map_err(|error| {
                        Failed(format!("standard output: {error}; the run itself is in {}", folder.path().display())).into()
                    });
                if followed.is_err() {
                    stop(&ask);
                }
                end(begun);
                drop(signals);
                let outcome = outcome(&folder, followed?)?;
                if let (Outcome::Failed { message }, Ui::Json | Ui::None) = (&outcome, ui) {
                    let _ = writeln!(std::io::stderr(), "rematch: {message}");
                }
                Ok(headless::exit_code(&outcome))
            }
        }
    }

    /// Everything is there but the run's folder.
    struct Ready {
        prepared: train::Prepared,
        /// The config as it is kept with the run.
        resolved: String,
    }

    fn prepare(args: &Train, config: Config, data: DataSet, attended: Attended) -> anyhow::Result<Ready> {
        let options = Options {
            device: args.device,
            threads: args.threads.map(usize::from),
            resume: None,
            attended,
            cache: rematch::train::robust_set::usual_folder(),
            fault: std::env::var("REMATCH_FAULT").ok().and_then(|text| Fault::parse(&text)),
        };
        let resolved = check::to_toml(&config);
        Ok(Ready { prepared: train::prepare(config, data, options)?, resolved })
    }

    /// Makes the run's folder and lets the worker go.
    fn begin(
        args: &Train,
        Ready { prepared, resolved }: Ready,
        requests: Receiver<Request>,
        pause: Option<Sender<Request>>,
    ) -> anyhow::Result<Begun> {
        let suggested = args.config.file_stem().map_or_else(|| "run".into(), |s| s.to_string_lossy().into_owned());
        let folder = RunFolder::create(&args.runs, args.name.as_deref(), &suggested, &resolved)?;
        let recorder = Recorder::create(&folder)?;
        let trouble = prepared.trouble.clone();
        let worker = prepared.begin(folder.id(), folder.checkpoints(), recorder.clone(), requests);
        let machine = telemetry::spawn(recorder.clone(), Duration::from_secs(1), folder.path());
        let lookout = lookout::spawn(recorder.clone(), pause);
        Ok(Begun { folder, recorder, trouble, worker, machine, lookout })
    }

    fn end(begun: Begun) {
        drop((begun.machine, begun.lookout));
        join(begun.worker);
    }

    fn outcome(folder: &RunFolder, outcome: Option<Outcome>) -> anyhow::Result<Outcome> {
        let silent = || Failed(format!("{}: the worker ended without a word; see {}", folder.id(), folder.events().display()));
        outcome.ok_or_else(|| silent().into())
    }

    /// Where nobody follows a run any more nobody else would end it. One that has ended does not hear it.
    fn stop(ask: &Sender<Request>) {
        let _ = ask.try_send(Request { id: CommandId(SIGNAL_IDS * 4), command: Command::Stop(Stop::NOW_AND_SAVE) });
    }

    fn join(worker: JoinHandle<()>) {
        // Its panics are caught inside; what is left is nothing to add to.
        let _ = worker.join();
    }

    /// Ends the process now, whatever the worker does.
    fn leave_at_once(checkpoints: &Path) -> ! {
        let _ = writeln!(std::io::stderr(), "rematch: left at once; the newest checkpoint is in {}", checkpoints.display());
        // SAFETY: ends the process and does nothing else. The orderly exit would take libtorch down under the worker, which is
        // still inside it, and end in a crash.
        unsafe { libc::_exit(130) }
    }

    /// Without a screen: a first signal saves and stops, the third Ctrl-C waits for nothing more; SIGUSR1 saves.
    fn obey_signals(heard: Receiver<Signal>, ask: Sender<Request>, checkpoints: PathBuf) {
        std::thread::spawn(move || {
            let mut interrupts = 0;
            for (n, signal) in heard.iter().enumerate() {
                let command = match signal {
                    // A lost terminal must not end a night's run.
                    Signal::HangUp | Signal::Continue => continue,
                    Signal::Save => Command::SaveCheckpoint,
                    Signal::Terminate => Command::Stop(Stop::NOW_AND_SAVE),
                    Signal::Interrupt => {
                        interrupts += 1;
                        if interrupts == 3 {
                            leave_at_once(&checkpoints);
                        }
                        Command::Stop(Stop::NOW_AND_SAVE)
                    }
                };
                let _ = ask.try_send(Request { id: CommandId(SIGNAL_IDS + n as u64), command });
            }
        });
    }

    /// What a run that is still being prepared has come to, for the screen that is up already.
    #[derive(Default)]
    struct Early {
        doing: String,
        /// What libraries printed before there was a log.
        said: Vec<String>,
        log: Option<Recorder>,
        trouble: Option<Trouble>,
        /// Nobody wants the run any more: it must not begin.
        given_up: bool,
    }

    type Shared = Arc<Mutex<Early>>;

    fn early(shared: &Shared) -> MutexGuard<'_, Early> {
        shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    impl Early {
        /// After the end nothing more is recorded, and a line that comes so late has nowhere to go.
        fn say(&mut self, line: String) {
            match &self.log {
                Some(log) => drop(log.record(Event::Said { source: Voice::Stderr, line })),
                None => self.said.push(line),
            }
        }
    }

    /// Prepares and begins the run behind the screen, and passes its records on.
    fn behind(
        args: &Train,
        config: Config,
        (ask, requests): (Sender<Request>, Receiver<Request>),
        shared: Shared,
        records: Sender<Arc<Record>>,
    ) -> JoinHandle<anyhow::Result<Option<Begun>>> {
        let args = args.clone();
        std::thread::spawn(move || {
            let said = shared.clone();
            let data = rematch::data::load_telling(&config.data, &mut |done, all| {
                early(&said).doing = format!("reading images: {done} of {all}");
            })?;
            early(&shared).doing = "building networks".into();
            let ready = prepare(&args, config, data, Attended::Yes)?;
            // Held from here: either the run begins, or it is known before that nobody wants it.
            let mut early = early(&shared);
            if early.given_up {
                return Ok(None);
            }
            let begun = begin(&args, ready, requests, Some(ask))?;
            (early.log, early.trouble) = (Some(begun.recorder.clone()), Some(begun.trouble.clone()));
            for line in std::mem::take(&mut early.said) {
                early.say(line);
            }
            drop(early);
            let from = begun.recorder.subscribe();
            // Ends with the recorder, or with the last who reads.
            std::thread::spawn(move || from.iter().try_for_each(|record| records.send(record)));
            Ok(Some(begun))
        })
    }

    /// Trains under the screen. It is up before libtorch has opened a GPU or an image was read.
    fn on_screen(
        args: &Train,
        dress: Dress,
        config: Config,
        (ask, requests): (Sender<Request>, Receiver<Request>),
        (signal, heard): (Sender<Signal>, &Receiver<Signal>),
    ) -> anyhow::Result<u8> {
        let signals = signals::listen(signal)?;
        let shared = Shared::default();
        let (to_screen, records) = bounded(REQUESTS);
        let beginning = behind(args, config, (ask.clone(), requests), shared.clone(), to_screen);
        // What the screen has not taken in when it is left.
        let rest = records.clone();
        let (trouble, doing, said) = (shared.clone(), shared.clone(), shared.clone());
        let setting = screen::Setting {
            dress,
            signals: heard,
            folder: &args.runs,
            pace: None,
            trouble: Some(Box::new(move || early(&trouble).trouble.as_ref().and_then(Trouble::now))),
            preparing: Some(Box::new(move || early(&doing).doing.clone())),
            runs: args.runs.clone(),
        };
        let shown = screen::show(Session::live(records, ask.clone()), setting, move |line| early(&said).say(line));
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
            Leave::BeforeStart | Leave::Terminated | Leave::HungUp => {
                if left.why != Leave::HungUp {
                    let _ = ask.try_send(Request { id: CommandId(SIGNAL_IDS), command: Command::Stop(Stop::NOW_AND_SAVE) });
                }
                if left.why == Leave::HungUp {
                    // Where the terminal is still there, somebody sent the signal and looks at a screen that is gone.
                    let _ =
                        writeln!(std::io::stderr(), "rematch: the run goes on without a screen, in {}", folder.path().display());
                }
                // The terminal is gone or on its way out: the run goes on, to its end or to its last checkpoint, without a screen.
                obey_signals(heard.clone(), ask.clone(), folder.checkpoints());
                state = unwatched(state, &rest, &ask);
            }
        }
        // Where the terminal is gone this reaches nobody, and that is all right.
        let _ = std::io::stdout().write_all(headless::summary(&state, folder.path()).as_bytes());
        end(begun);
        drop(signals);
        Ok(headless::exit_code(&outcome(&folder, state.finished.map(|f| f.outcome))?))
    }

    /// A run that could not begin says why; `None`: nobody wanted it any more.
    fn joined(beginning: JoinHandle<anyhow::Result<Option<Begun>>>) -> anyhow::Result<Option<Begun>> {
        beginning.join().unwrap_or_else(|_| Err(Failed("the run could not be prepared: a panic, see above".into()).into()))
    }

    /// Follows a run whose screen is gone. A pause, the person's or that of a loss gone wrong, would now last for ever: it is saved
    /// and stopped instead.
    fn unwatched(mut state: RunState, records: &Receiver<Arc<Record>>, ask: &Sender<Request>) -> RunState {
        let mut asked = 0;
        let mut stop_if_paused = |phase: &Phase| {
            if *phase == Phase::Paused {
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
}
