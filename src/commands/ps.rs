//! `rematch ps`: the runs that train now, and those that were killed.

use crate::cli::Ps;
use rematch::run::advice::{self, USUAL_RUNS};
use rematch::run::listing::harmless;
use rematch::run::{killed, live};
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub fn run(args: &Ps) -> anyhow::Result<u8> {
    let (folders, looked) = if args.runs.is_empty() {
        let found = live::everywhere(Path::new(USUAL_RUNS))?;
        let looked = found.looked_in();
        (found.runs, looked)
    } else {
        let mut folders = Vec::new();
        for runs in &args.runs {
            folders.extend(live::runs(runs)?);
        }
        let names: Vec<String> = args.runs.iter().map(|runs| runs.display().to_string()).collect();
        (folders, format!("in {} only", names.join(", ")))
    };
    let mut all = Vec::new();
    for folder in folders {
        match live::look(&folder) {
            Ok(live) => all.push(live),
            Err(why) => {
                let _ = writeln!(std::io::stderr(), "rematch: {}: {why}", folder.path().display());
            }
        }
    }
    let mut out = std::io::stdout();
    if args.json {
        for live in &all {
            writeln!(out, "{}", serde_json::to_string(live)?)?;
        }
        return Ok(0);
    }
    if all.is_empty() {
        writeln!(out, "nothing trains now")?;
    } else {
        out.write_all(live::table(&all).as_bytes())?;
    }
    let usual = [PathBuf::from(USUAL_RUNS)];
    for runs in if args.runs.is_empty() { &usual } else { &args.runs[..] } {
        for (run, how) in killed::runs(runs)? {
            let place = run.path();
            writeln!(
                out,
                "{}: {how}; go on with: {}",
                harmless(&place.display().to_string()),
                advice::command("resume", place, "")
            )?;
        }
    }
    writeln!(out, "looked {looked}")?;
    Ok(0)
}
