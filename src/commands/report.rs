//! `rematch report`: a folder with a page, Markdown and plots of runs or a sweep; its tables here as well.
//!
//! What it says is the library's; here is only where it goes.

use crate::cli::Report;
use rematch::report::{Subject, folder, text};
use std::io::{IsTerminal, Write};

pub fn run(args: &Report) -> anyhow::Result<u8> {
    let subject = Subject::of(&args.runs, &args.targets)?;
    let document = subject.document(&args.runs, &args.evaluations)?;
    let place = args.out.clone().unwrap_or_else(|| subject.place(&args.runs));
    folder::write(&document, &place)?;
    let shown = text::of(&document, width());
    let path = place.join("report.html").display().to_string();
    // A closed pipe is not an error of ours.
    let _ = write!(std::io::stdout(), "{shown}\n{}\n", rematch::run::listing::harmless(&path));
    Ok(0)
}

/// Columns that text may take.
fn width() -> usize {
    let size = || ratatui::crossterm::terminal::size().map_or(80, |(width, _)| width as usize);
    if std::io::stdout().is_terminal() { size() } else { usize::MAX }
}
