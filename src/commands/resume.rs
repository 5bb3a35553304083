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
    use anyhow::{anyhow, bail};
    use rematch::config::Config;
    use rematch::protocol::event::{Resumed, Started};
    use rematch::protocol::{Outcome, Step};
    use rematch::run::advice;
    use rematch::run::checkpoints::{self, Found};
    use rematch::run::history::{self, History};
    use rematch::run::killed;
    use rematch::run::places;
    use rematch::run::recorder::Recorder;
    use rematch::run::replay::Tail;
    use rematch::run::state::Phase;
    use rematch::run::store::{RunFolder, write_atomically};
    use rematch::train::{Options, checkpoint};
    use std::path::Path;

    pub fn run(args: &Resume) -> anyhow::Result<u8> {
        let folder = RunFolder::take(&args.runs, &args.run)?;
        let history = history::read(&folder)?;
        let id = folder.id().to_string();
        if history.state.phase == Phase::Finished(Outcome::Completed) {
            let longer = 2 * history.started.config.train.epochs;
            let longer = advice::command("fork", folder.path(), &format!("-s train.epochs={longer}"));
            bail!("{id} has completed; to train on from where it ended: {longer}");
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
        notes.extend(killed::how(&history.state).map(|how| format!("the run had no end: {how}")));
        let config = at_their_places(&folder, &history.started, &args.set, &mut notes)?;
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
        let (sets, before) = (args.set.clone(), history.started);
        let place = move |resolved: &str, started: &Started| {
            if !sets.is_empty() {
                alike(&before, started, folder.path(), &sets)?;
                folder.write_config(resolved)?;
            }
            let recorder = Recorder::resume(&folder, records, bytes, last_ms)?;
            Ok((folder, recorder))
        };
        let board = args.how.tensorboard.clone();
        launch::run(Job { config, options, runs, place: Box::new(place), board }, &args.how)
    }

    /// The config with its teacher and data where they lie now: where `sets` say, else where the run's own config does.
    fn at_their_places(
        folder: &RunFolder,
        started: &Started,
        sets: &[String],
        notes: &mut Vec<String>,
    ) -> anyhow::Result<Config> {
        let own = match places::load(folder, &started.config, sets) {
            Ok(own) => own,
            // Of a run without a readable config the log says enough.
            Err(_) if sets.is_empty() => started.config.clone(),
            Err(faults) => return Err(faults.into()),
        };
        let key = |set: &String| set.split('=').next().unwrap_or_default().trim().to_string();
        let other: Vec<String> = sets.iter().filter(|set| !places::KEYS.contains(&key(set).as_str())).cloned().collect();
        if let Some(first) = other.first() {
            bail!(
                "-s {first}: a run goes on as it was begun, and only {} can be told anew; to train on with other settings from its \
                 newest checkpoint: {}",
                places::KEYS.join(", "),
                advice::command("fork", folder.path(), &as_options(sets))
            );
        }
        let config = places::with_places_of(&started.config, &own);
        let model_file = |path: &Path| checkpoint::model_file(path).ok();
        for found in places::compare(&config, started, model_file) {
            let asked = sets.iter().any(|set| found.key() == Some(key(set).as_str()));
            match found {
                places::Found::Other { .. } if !asked => {
                    notes.push(format!("{}; the run goes on with what is there now", found.difference()));
                }
                _ => return Err(anyhow!(found.words(folder.path()))),
            }
        }
        Ok(config)
    }

    fn as_options(sets: &[String]) -> String {
        let words: Vec<String> = sets.iter().map(|set| format!("-s {}", advice::word(set))).collect();
        words.join(" ")
    }

    /// Of a run of an earlier version nothing tells whether a file is the same but what was made of it.
    fn alike(before: &Started, now: &Started, run: &Path, sets: &[String]) -> anyhow::Result<()> {
        let teachers = |started: &Started| -> Vec<_> {
            started.teacher.iter().chain(&started.other_teachers).map(|t| (t.network.clone(), t.provenance.clone())).collect()
        };
        let data = |started: &Started| {
            let data = &started.data;
            (data.shape, data.classes.clone(), [data.train, data.validation, data.test])
        };
        let what = if teachers(before) != teachers(now) {
            "the teacher is another one than the run was trained with"
        } else if data(before) != data(now) {
            "the data has other images or classes than what the run was trained with"
        } else {
            return Ok(());
        };
        bail!("{what}; to train on with it in a new run: {}", advice::command("fork", run, &as_options(sets)))
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
