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
    use rematch::config::check;
    use rematch::headless::{self, Style};
    use rematch::protocol::event::{Event, Record, Voice};
    use rematch::protocol::{Command, CommandId, Outcome, Request, Stop};
    use rematch::run::RunState;
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
    use std::sync::Arc;
    use std::thread::JoinHandle;
    use std::time::Duration;

    /// Requests that may wait; a worker looks for them between any two steps.
    const REQUESTS: usize = 1024;
    /// Ids of what signals ask for, apart from those of viewers.
    const SIGNAL_IDS: u64 = 1 << 32;

    pub fn run(args: &Train) -> anyhow::Result<u8> {
        let config = check::load(&args.config, &args.set)?;
        let dress = settings::dress(&args.look)?;
        let ui = screen::choose(args.ui, &dress);
        if ui == Ui::Tui {
            // Before anything is made: a run that nobody can see is not what was asked for.
            terminal::available()?;
        }
        openmp::settle();
        let data = super::super::data::load(&config.data)?;
        train::device::tune_allocator();
        let options = Options {
            device: args.device,
            threads: args.threads.map(usize::from),
            resume: None,
            attended: if ui == Ui::Tui { Attended::Yes } else { Attended::No },
            cache: rematch::train::robust_set::usual_folder(),
            fault: std::env::var("REMATCH_FAULT").ok().and_then(|text| Fault::parse(&text)),
        };
        if ui == Ui::Tui {
            let _ = writeln!(std::io::stderr(), "rematch: preparing {} ...", args.config.display());
        }
        terminal::install_panic_hook(|_| {});
        note_panic_places();
        let resolved = check::to_toml(&config);
        let prepared = train::prepare(config, data, options)?;
        let suggested = args.config.file_stem().map_or_else(|| "run".into(), |s| s.to_string_lossy().into_owned());
        let folder = RunFolder::create(&args.runs, args.name.as_deref(), &suggested, &resolved)?;
        let recorder = Recorder::create(&folder)?;
        let (ask, requests) = bounded(REQUESTS);
        let records = recorder.subscribe();
        let (signal, heard) = bounded(16);
        let signals = signals::listen(signal)?;
        let trouble = prepared.trouble.clone();
        let worker = prepared.begin(folder.id(), folder.checkpoints(), recorder.clone(), requests);
        let machine = telemetry::spawn(recorder.clone(), Duration::from_secs(1));

        let followed = match ui {
            Ui::Tui => on_screen(dress, &folder, &recorder, trouble, records, &ask, &heard),
            Ui::Plain | Ui::Json | Ui::None => {
                let style = match ui {
                    Ui::Json => Style::Json,
                    Ui::None => Style::None,
                    Ui::Plain | Ui::Tui => Style::Plain,
                };
                obey_signals(heard, ask.clone(), folder.checkpoints());
                // Told once the run has ended.
                headless::follow_in(&records, style, folder.path(), &mut std::io::stdout()).map_err(|error| {
                    Failed(format!("standard output: {error}; the run itself is in {}", folder.path().display())).into()
                })
            }
        };
        if followed.is_err() {
            // Where the screen did not come up nobody else would end the run. One that has ended does not hear it.
            let _ = ask.try_send(Request { id: CommandId(SIGNAL_IDS * 4), command: Command::Stop(Stop::NOW_AND_SAVE) });
        }
        drop(machine);
        join(worker);
        drop(signals);
        match followed? {
            Some(outcome) => {
                if let (Outcome::Failed { message }, Ui::Json | Ui::None) = (&outcome, ui) {
                    let _ = writeln!(std::io::stderr(), "rematch: {message}");
                }
                Ok(headless::exit_code(&outcome))
            }
            None => {
                Err(Failed(format!("{}: the worker ended without a word; see {}", folder.id(), folder.events().display())).into())
            }
        }
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

    /// What became of the run, once the screen was left and the run has ended. `None`: it ended without a word.
    fn on_screen(
        dress: Dress,
        folder: &RunFolder,
        recorder: &Recorder,
        trouble: Trouble,
        records: Receiver<Arc<Record>>,
        ask: &Sender<Request>,
        heard: &Receiver<Signal>,
    ) -> anyhow::Result<Option<Outcome>> {
        // What the screen has not taken in when it is left.
        let rest = records.clone();
        let log = recorder.clone();
        let setting = screen::Setting {
            dress,
            signals: heard,
            folder: folder.path(),
            pace: None,
            trouble: Some(Box::new(move || trouble.now())),
        };
        let left = screen::show(Session::live(records, ask.clone()), setting, move |line| {
            // After the end nothing more is recorded, and a line that comes so late has nowhere to go.
            let _ = log.record(Event::Said { source: Voice::Stderr, line });
        })?;
        let state = left.state;
        match left.why {
            Leave::Quit => {
                let _ = std::io::stdout().write_all(headless::summary(&state, folder.path()).as_bytes());
                return Ok(state.finished.map(|f| f.outcome));
            }
            Leave::AtOnce => leave_at_once(&folder.checkpoints()),
            Leave::Terminated => {
                let _ = ask.try_send(Request { id: CommandId(SIGNAL_IDS), command: Command::Stop(Stop::NOW_AND_SAVE) });
            }
            Leave::HungUp => {}
        }
        // The terminal is gone or on its way out: the run goes on, to its end or to its last checkpoint, without a screen.
        obey_signals(heard.clone(), ask.clone(), folder.checkpoints());
        let state = unwatched(state, &rest, ask);
        // Where the terminal is gone this reaches nobody, and that is all right.
        let _ = std::io::stdout().write_all(headless::summary(&state, folder.path()).as_bytes());
        Ok(state.finished.map(|f| f.outcome))
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
