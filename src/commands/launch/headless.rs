//! A run without a screen: lines, records, or nothing; in the foreground, or let go as soon as it has begun.

use super::shim::Shim;
use super::{Checkpoints, Job, Lines, begin, end, farewell, let_go, obey_signals, outcome, prepare, stop};
use crate::cli::Ui;
use crate::commands::Failed;
use crossbeam_channel::Receiver;
use rematch::headless::{self, Style};
use rematch::protocol::{Outcome, Request};
use rematch::run::lease::Lease;
use rematch::train::Attended;
use rematch::train::Trouble;
use rematch::ui::signals;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

pub(super) fn run(job: Job, ui: Ui, requests: Receiver<Request>, lines: Lines, shim: Option<Shim>) -> anyhow::Result<u8> {
    let Lines { ask, signal, heard, on } = lines;
    let signals = signals::listen(signal, on)?;
    let checkpoints = Checkpoints::default();
    obey_signals(heard, ask.clone(), checkpoints.clone(), on);
    // Whoever lets a run go comes back to it.
    let attended = if shim.is_some() { Attended::Yes } else { Attended::No };
    let data = crate::commands::data::load(&job.config.data)?;
    let ready = prepare(job, data, attended)?;
    let begun = {
        // Held, so that a signal either ends the process before there is a run, or stops the run.
        let mut held = checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = begin(ready, requests, &ask, attended, &Lease::default())?;
        *held = Some(begun.folder.checkpoints());
        begun
    };
    let style = match ui {
        Ui::Json => Style::Json,
        Ui::None => Style::None,
        Ui::Plain | Ui::Tui => Style::Plain,
    };
    let folder = begun.folder.clone();
    let records = begun.recorder.subscribe();
    if let Some(shim) = shim {
        let _ = writeln!(std::io::stdout(), "{}", farewell(&begun, false));
        let_go(shim, &begun);
    } else if let Err(why) = &begun.server {
        let _ = writeln!(std::io::stderr(), "rematch: nobody can attach to this run: {why}");
    }
    let over = Arc::new(AtomicBool::new(false));
    tell_trouble(begun.trouble.clone(), over.clone());
    // Told once the run has ended.
    let followed: anyhow::Result<_> = headless::follow_from(&records, style, folder.path(), begun.from, &mut std::io::stdout())
        .map_err(|error| Failed(format!("standard output: {error}; the run itself is in {}", folder.now().display())).into());
    over.store(true, Ordering::Release);
    if followed.is_err() {
        stop(&ask);
    }
    let trouble = begun.trouble.clone();
    end(begun);
    drop(signals);
    let outcome = outcome(&folder, followed?, trouble.now())?;
    if let (Outcome::Failed { message }, Ui::Json | Ui::None) = (&outcome, ui) {
        let _ = writeln!(std::io::stderr(), "rematch: {message}");
    }
    Ok(headless::exit_code(&outcome))
}

/// What holds a run up and cannot be recorded is said here once, and that it is over.
fn tell_trouble(trouble: Trouble, over: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let mut told: Option<String> = None;
        while !over.load(Ordering::Acquire) {
            let now = trouble.now();
            if now != told {
                let line = now.clone().unwrap_or_else(|| "training goes on".into());
                let _ = writeln!(std::io::stderr(), "rematch: {line}");
                told = now;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    });
}
