//! A run without a screen: lines for people, records for programs, or nothing; and the exit code.
//!
//! What is printed is a view of the same fold the screen draws. Nothing here asks the worker for anything: signals and
//! stopping belong to whoever started the run.

pub mod grid;
mod plain;

use crate::protocol::{Event, Outcome, Record};
use crate::run::RunState;
use crate::run::recorder::line;
use crossbeam_channel::Receiver;
use plain::Plain;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

/// What is printed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A line an epoch, changes and warnings, and a table at the end.
    Plain,
    /// Each record as its line of `events.jsonl`.
    Json,
    None,
}

/// Prints a run as its records come and returns how it ended; `None` when the records end without saying so.
///
/// A reader of `out` that goes away does not stop training: printing stops, the records are followed to the end.
///
/// # Errors
/// When `out` failed otherwise, such as a full disk behind it; told only once the run has ended.
pub fn follow(records: &Receiver<Arc<Record>>, style: Style, out: &mut dyn Write) -> io::Result<Option<Outcome>> {
    run(records, style, None, 0, out)
}

/// As [`follow`], naming the folder of the run and its files by their paths.
///
/// # Errors
/// As [`follow`].
pub fn follow_in(
    records: &Receiver<Arc<Record>>,
    style: Style,
    folder: &Path,
    out: &mut dyn Write,
) -> io::Result<Option<Outcome>> {
    run(records, style, Some(folder), 0, out)
}

/// As [`follow_in`], of a run that goes on: what was recorded before record `from` is known and not printed again.
///
/// # Errors
/// As [`follow`].
pub fn follow_from(
    records: &Receiver<Arc<Record>>,
    style: Style,
    folder: &Path,
    from: u64,
    out: &mut dyn Write,
) -> io::Result<Option<Outcome>> {
    run(records, style, Some(folder), from, out)
}

fn run(
    records: &Receiver<Arc<Record>>,
    style: Style,
    folder: Option<&Path>,
    from: u64,
    out: &mut dyn Write,
) -> io::Result<Option<Outcome>> {
    let plain = Plain::new(folder);
    let mut state = RunState::default();
    let mut printed = Ok(());
    for record in records {
        let text = match style {
            Style::Plain => {
                state.apply(&record);
                plain.text(&record.event, &state).into_bytes()
            }
            Style::Json => line(&record)?,
            Style::None => Vec::new(),
        };
        if record.seq < from {
            continue;
        }
        if printed.is_ok() && !text.is_empty() {
            printed = out.write_all(&text).and_then(|()| out.flush());
        }
        if let Event::Finished(finished) = &record.event {
            return told(printed).map(|()| Some(finished.outcome.clone()));
        }
    }
    told(printed).map(|()| None)
}

fn told(printed: io::Result<()>) -> io::Result<()> {
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The table that plain mode ends with, for a run that was watched on the screen. Empty for a run that has not ended.
pub fn summary(state: &RunState, folder: &Path) -> String {
    match &state.finished {
        Some(finished) => Plain::new(Some(folder)).text(&Event::Finished(finished.clone()), state),
        None => String::new(),
    }
}

/// What the process says to whoever started it.
pub fn exit_code(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Completed => 0,
        Outcome::Failed { .. } => 1,
        // As a shell reports a program that Ctrl-C ended.
        Outcome::Stopped => 130,
    }
}
