//! `rematch schedule`: what was changed by hand in a run, as a config that makes these changes by itself.

use super::{Failed, write_file};
use crate::cli::Schedule;
use anyhow::bail;
use rematch::config::check;
use rematch::protocol::Event;
use rematch::run::advice;
use rematch::run::plan::Plan;
use rematch::run::replay::read_log;
use rematch::run::store::RunFolder;
use std::io::Write as _;
use std::path::PathBuf;

pub fn run(args: &Schedule) -> anyhow::Result<u8> {
    let folder = RunFolder::open(&args.runs, &args.run)?;
    let (mut plan, mut first) = (Plan::default(), None);
    for record in read_log(&folder.events())? {
        let record = record?;
        if let Event::Started(started) = &record.event {
            first.get_or_insert_with(|| started.clone());
        }
        plan.see(&record);
    }
    let Some(started) = first else {
        return Err(Failed(format!("{}: its log does not say what was started", folder.id())).into());
    };
    if let Some(parent) = &started.parent {
        bail!(
            "{}: it began from {} at step {}, and a config cannot say that; {} runs it again",
            folder.id(),
            parent.run,
            parent.step,
            advice::command("repeat", folder.path(), "")
        );
    }
    let mut config = started.config;
    let changes = plan.changes();
    let count = changes.len();
    config.steering.changes = changes;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}-schedule.toml", folder.id())));
    if !args.force && out.exists() {
        bail!("{}: is there already; name another with --out, or say --force", out.display());
    }
    let text =
        format!("# {} with what was changed by hand while it ran, each at its step.\n{}", folder.id(), check::to_toml(&config));
    write_file(&out, text.as_bytes())?;
    let changes = if count == 1 { "1 change".into() } else { format!("{count} changes") };
    writeln!(std::io::stdout(), "{}: {changes}; train it with: rematch train {}", out.display(), advice::quoted(&out))?;
    Ok(0)
}
