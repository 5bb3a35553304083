//! `rematch ps`: the runs that train now.

use crate::cli::Ps;
use rematch::run::live;
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
    } else if all.is_empty() {
        writeln!(out, "nothing trains now")?;
    } else {
        out.write_all(live::table(&all).as_bytes())?;
    }
    Ok(0)
}
