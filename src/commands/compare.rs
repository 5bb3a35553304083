//! `rematch compare`: runs beside each other, as text, Markdown, CSV or JSON.
//!
//! What compares and what must be said beside it is the library's; here is only how it is written.

mod csv;
mod json;
mod markdown;
mod text;
mod words;

use crate::cli::{Compare, Format};
use rematch::run::comparison::{Teachers, compare};
use std::io::{IsTerminal, Write};
#[cfg(feature = "torch")]
use std::path::Path;
use text::Columns;

pub fn run(args: &Compare) -> anyhow::Result<u8> {
    let teachers = if args.teachers { Teachers::Show { lone: &args.evaluations } } else { Teachers::Omit };
    let comparison = compare(&args.runs, &args.targets, teachers)?;
    let shown = match args.format {
        Format::Text => text::of(&comparison, width(), if args.wide { Columns::All } else { Columns::Few }),
        Format::Markdown => markdown::of(&comparison),
        Format::Csv => csv::of(&comparison),
        Format::Json => json::of(&comparison)?,
    };
    // A closed pipe is not an error of ours.
    let _ = std::io::stdout().write_all(shown.as_bytes());
    Ok(0)
}

/// One run and its teacher, as text: what `rematch eval --teacher-too` ends with.
#[cfg(feature = "torch")]
pub(super) fn with_teacher(runs: &Path, run: &Path, lone: &Path) -> anyhow::Result<String> {
    let comparison = compare(runs, &[run.to_path_buf()], Teachers::Show { lone })?;
    Ok(text::of(&comparison, width(), Columns::Few))
}

/// Columns that text may take.
fn width() -> usize {
    let size = || ratatui::crossterm::terminal::size().map_or(80, |(width, _)| width as usize);
    if std::io::stdout().is_terminal() { size() } else { usize::MAX }
}
