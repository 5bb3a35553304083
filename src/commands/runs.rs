//! `rematch runs`

use crate::cli::Runs;
use anyhow::bail;
use rematch::run::listing;
use std::io::{IsTerminal, Write};
use std::path::Path;

pub fn run(args: &Runs) -> anyhow::Result<u8> {
    if !args.runs.exists() && args.runs != Path::new("runs") {
        bail!("{}: there is no such folder; give the folder that holds the runs", args.runs.display());
    }
    let rows = listing::summaries(&args.runs)?;
    let mut out = std::io::stdout();
    let text = if args.json {
        listing::json_lines(&rows)?
    } else {
        let width =
            if out.is_terminal() { ratatui::crossterm::terminal::size().map_or(80, |(w, _)| w as usize) } else { usize::MAX };
        listing::table(&rows, width)
    };
    if rows.is_empty() && !args.json {
        let _ = writeln!(std::io::stderr(), "rematch: no runs in {}", args.runs.display());
    }
    // A closed pipe (`rematch runs | head`) is not an error of ours.
    let _ = out.write_all(text.as_bytes());
    Ok(0)
}
