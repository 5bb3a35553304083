//! `rematch resume`: goes on with a run in its own folder, from its newest whole checkpoint.
//!
//! What was lost is said: the steps since that checkpoint, which are done again, with the changes that were made by hand in them.

use crate::cli::Resume;

#[cfg(not(feature = "torch"))]
pub fn run(_: &Resume) -> anyhow::Result<u8> {
    Err(super::no_torch("resume"))
}

#[cfg(feature = "torch")]
pub use working::run;

#[cfg(feature = "torch")]
mod working {
    use super::Resume;
    use crate::commands::beside;
    use crate::commands::launch::{self, Job};
    use anyhow::bail;
    use rematch::protocol::event::Resumed;
    use rematch::protocol::{Outcome, Step};
    use rematch::run::checkpoints::{self, Found};
    use rematch::run::history::{self, History};
    use rematch::run::recorder::Recorder;
    use rematch::run::replay::Tail;
    use rematch::run::state::Phase;
    use rematch::run::store::{RunFolder, write_atomically};
    use rematch::train::Options;

    pub fn run(args: &Resume) -> anyhow::Result<u8> {
        let folder = RunFolder::take(&args.runs, &args.run)?;
        let history = history::read(&folder)?;
        let id = folder.id().to_string();
        if history.state.phase == Phase::Finished(Outcome::Completed) {
            let longer = 2 * history.started.config.train.epochs;
            bail!("{id} has completed; to train on from where it ended: rematch fork {id} -s train.epochs={longer}");
        }
        checkpoints::tidy(&folder.checkpoints());
        let mut notes = Vec::new();
        let found = chosen(&folder, &mut notes);
        if found.is_none() && history.first.parent.is_some() {
            bail!(
                "{}: it began from a checkpoint, and none is left that is whole; fork its parent again",
                folder.checkpoints().display()
            );
        }
        if history.torn == Tail::Torn {
            notes.push("the last line of the log was torn, and was left out: the run was killed while it wrote".into());
        }
        if let Some(damage) = &history.damage {
            notes.push(keep_damaged(&folder, damage)?);
        }
        let from_step = found.as_ref().map_or(0, |found| found.state.step);
        let from_seq = found.as_ref().map_or(1, |found| known(found, &history));
        let script = if args.forget_changes { Vec::new() } else { history.script.after(from_seq) };
        let resumed = Resumed {
            checkpoint: found.as_ref().map(|found| format!("checkpoints/{}", name(found))),
            from_seq,
            again: history.reached.saturating_sub(from_step),
            remade: script.len() as u64,
        };
        let threads = args.how.threads.map(usize::from).or(history.started.threads.map(|threads| threads as usize));
        let options = Options {
            device: args.how.device,
            threads,
            resume: found.map(|found| found.path),
            parent: history.started.parent.clone(),
            resumed: Some(resumed),
            split_before: history.started.data.split.clone(),
            script,
            notes,
            ..Options::default()
        };
        let runs = beside(&args.runs, &folder);
        let (records, bytes, last_ms) = (history.records, history.bytes, history.last_ms);
        let place = move |_: &str, _: &_| {
            let recorder = Recorder::resume(&folder, records, bytes, last_ms)?;
            Ok((folder, recorder))
        };
        let board = args.how.tensorboard.clone();
        launch::run(Job { config: history.started.config, options, runs, place: Box::new(place), board }, &args.how)
    }

    fn name(found: &Found) -> String {
        found.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// The checkpoint to go on from; `None`: there is none, and it begins anew.
    fn chosen(folder: &RunFolder, notes: &mut Vec<String>) -> Option<Found> {
        let (found, passed) = checkpoints::newest_sound(&folder.checkpoints());
        let instead =
            found.as_ref().map_or_else(|| "the run begins anew".into(), |found| format!("going on from {}", name(found)));
        notes.extend(passed.into_iter().map(|why| format!("a checkpoint was passed over: {why}; {instead}")));
        found
    }

    /// The first record that the checkpoint knows nothing of. Older checkpoints do not say it; then what came at later steps is meant.
    fn known(found: &Found, history: &History) -> u64 {
        if found.state.format >= 2 {
            return found.state.seq;
        }
        let step: Step = found.state.step;
        history.script.entries().iter().find(|entry| entry.step > step).map_or(history.records, |entry| entry.seq)
    }

    /// The log as it is stays beside the part of it that can be read, which the run goes on with.
    fn keep_damaged(folder: &RunFolder, damage: &str) -> anyhow::Result<String> {
        let bytes = std::fs::read(folder.events())?;
        let mut number = 1;
        let kept = loop {
            let path = folder.now().join(format!("events.damaged-{number}.jsonl"));
            if !path.exists() {
                break path;
            }
            number += 1;
        };
        write_atomically(&kept, &bytes)?;
        Ok(format!(
            "the log is damaged: {damage}; all of it is kept as {}, and the run goes on from the part before",
            kept.display()
        ))
    }
}
