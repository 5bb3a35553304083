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
    use crate::commands::{Failed, screen};
    use crossbeam_channel::{Receiver, Sender, bounded};
    use rematch::config::check;
    use rematch::headless::{self, Style};
    use rematch::protocol::event::Event;
    use rematch::protocol::{Command, CommandId, Outcome, Request, Stop};
    use rematch::run::recorder::Recorder;
    use rematch::run::session::Session;
    use rematch::run::store::RunFolder;
    use rematch::telemetry;
    use rematch::train::worker::Fault;
    use rematch::train::{self, Attended, Options};
    use rematch::ui::event::Signal;
    use rematch::ui::signals;
    use std::io::{IsTerminal, Write};
    use std::sync::Arc;
    use std::thread::JoinHandle;
    use std::time::Duration;

    /// Requests that may wait; a worker looks for them between any two steps.
    const REQUESTS: usize = 1024;
    /// Ids of what signals ask for, apart from those of viewers.
    const SIGNAL_IDS: u64 = 1 << 32;

    pub fn run(args: &Train) -> anyhow::Result<u8> {
        let config = check::load(&args.config, &args.set)?;
        let ui = screen::choose(args.ui, args.look);
        let data = rematch::data::load(&config.data)?;
        train::device::tune_allocator();
        let options = Options {
            device: args.device,
            threads: args.threads.map(usize::from),
            resume: None,
            attended: if ui == Ui::Tui { Attended::Yes } else { Attended::No },
            fault: std::env::var("REMATCH_FAULT").ok().and_then(|text| Fault::parse(&text)),
        };
        if ui == Ui::Tui {
            let _ = writeln!(std::io::stderr(), "rematch: preparing {} ...", args.config.display());
        }
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

        let outcome = match ui {
            Ui::Tui | Ui::Plain | Ui::Json | Ui::None => {
                let style = match ui {
                    Ui::Json => Style::Json,
                    Ui::None => Style::None,
                    Ui::Plain | Ui::Tui => Style::Plain,
                };
                let stop = obey_signals(heard, ask.clone());
                let outcome = headless::follow(&records, style, &mut std::io::stdout())?;
                drop(stop);
                outcome
            }
        };
        drop(machine);
        join(worker);
        drop(signals);
        match outcome {
            Some(outcome) => {
                if let (Outcome::Failed { message }, true) = (&outcome, ui != Ui::Plain) {
                    let _ = writeln!(std::io::stderr(), "rematch: {message}");
                }
                Ok(headless::exit_code(&outcome))
            }
            None => Err(Failed(format!("{}: the worker ended without a word; see {}", folder.id(), folder.events().display())).into()),
        }
    }

    fn join(worker: JoinHandle<()>) {
        // Its panics are caught inside; what is left is nothing to add to.
        let _ = worker.join();
    }

    /// Without a screen: a first signal saves and stops; SIGUSR1 saves.
    fn obey_signals(heard: Receiver<Signal>, ask: Sender<Request>) -> impl Drop {
        struct Nothing;
        impl Drop for Nothing {
            fn drop(&mut self) {}
        }
        std::thread::spawn(move || {
            for (n, signal) in heard.iter().enumerate() {
                let command = match signal {
                    // A lost terminal must not end a night's run.
                    Signal::HangUp | Signal::Continue => continue,
                    Signal::Save => Command::SaveCheckpoint,
                    Signal::Terminate | Signal::Interrupt => Command::Stop(Stop::NOW_AND_SAVE),
                };
                let _ = ask.try_send(Request { id: CommandId(SIGNAL_IDS + n as u64), command });
            }
        });
        Nothing
    }

}
