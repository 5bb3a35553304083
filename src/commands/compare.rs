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

pub fn run(args: &Compare) -> anyhow::Result<u8> {
    let teachers = if args.teachers { Teachers::Show { lone: &args.evaluations } } else { Teachers::Omit };
    let comparison = compare(&args.runs, &args.targets, teachers)?;
    let mut out = std::io::stdout();
    let shown = match args.format {
        Format::Text => {
            let size = || ratatui::crossterm::terminal::size().map_or(80, |(width, _)| width as usize);
            text::of(&comparison, if out.is_terminal() { size() } else { usize::MAX })
        }
        Format::Markdown => markdown::of(&comparison),
        Format::Csv => csv::of(&comparison),
        Format::Json => json::of(&comparison)?,
    };
    // A closed pipe is not an error of ours.
    let _ = out.write_all(shown.as_bytes());
    Ok(0)
}
