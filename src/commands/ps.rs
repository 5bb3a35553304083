//! `rematch ps`: the runs that train now, and those that were killed.

use crate::cli::Ps;
use rematch::run::listing::harmless;
use rematch::run::{killed, live};
use std::io::Write as _;

pub fn run(args: &Ps) -> anyhow::Result<u8> {
    let mut all = Vec::new();
    for runs in &args.runs {
        for folder in live::runs(runs)? {
            match live::look(&folder) {
                Ok(live) => all.push(live),
                Err(why) => {
                    let _ = writeln!(std::io::stderr(), "rematch: {}: {why}", folder.path().display());
                }
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
    for runs in &args.runs {
        for (run, how) in killed::runs(runs)? {
            let place = harmless(&run.path().display().to_string());
            writeln!(out, "{place}: {how}; go on with: rematch resume {place}")?;
        }
    }
    Ok(0)
}
