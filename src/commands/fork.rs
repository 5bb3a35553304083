//! `rematch fork`: a new run that begins from a checkpoint of another, with another config where that is wished. The other stays as it is.

use crate::cli::Fork;

#[cfg(not(feature = "torch"))]
pub fn run(_: &Fork) -> anyhow::Result<u8> {
    Err(super::no_torch("fork"))
}

#[cfg(feature = "torch")]
pub use working::run;

#[cfg(feature = "torch")]
mod working {
    use super::Fork;
    use crate::commands::beside;
    use crate::commands::launch::{self, Job};
    use anyhow::{anyhow, bail};
    use rematch::config::check;
    use rematch::protocol::event::{Parent, Started};
    use rematch::run::checkpoints::{self, CheckpointError, FORMAT, Found, Reason, State};
    use rematch::run::recorder::Recorder;
    use rematch::run::store::{RunFolder, branch_id};
    use rematch::run::{history, places};
    use rematch::train::Options;
    use std::path::Path;

    pub fn run(args: &Fork) -> anyhow::Result<u8> {
        let parent = RunFolder::open(&args.runs, &args.run)?;
        // A log that cannot be read is no hindrance: the config and the checkpoints are enough.
        let recorded = match history::read(&parent) {
            Ok(history) => history.started.config,
            Err(_) => check::load_written(&parent.config(), &[])?,
        };
        let before = places::load(&parent, &recorded, &[])?;
        let config = places::load(&parent, &recorded, &args.set)?;
        let found = chosen(&parent.checkpoints(), &args.at, before.threat.eps)?;
        let options = Options {
            device: args.how.device,
            threads: args.how.threads.map(usize::from),
            resume: Some(found.path.clone()),
            parent: Some(Parent { run: parent.id().to_string(), step: found.state.step }),
            branch: Some(Box::new(before)),
            ..Options::default()
        };
        let runs = beside(&args.runs, &parent);
        let (around, name) = (runs.clone(), args.name.clone());
        let place = move |resolved: &str, started: &Started| {
            let id = name.unwrap_or_else(|| branch_id(&runs, parent.id()));
            let folder = RunFolder::create(&runs, Some(&id), "fork", resolved)?;
            let recorder = Recorder::create(&folder)?;
            begin_from(&found, &folder, started)?;
            Ok((folder, recorder))
        };
        let board = args.how.tensorboard.clone();
        launch::run(Job { config, options, runs: around, place: Box::new(place), board }, &args.how)
    }

    /// The new run has the checkpoint itself, so that it needs the other no more, and as its own: with its steps and its controls.
    pub fn begin_from(found: &Found, folder: &RunFolder, started: &Started) -> Result<(), CheckpointError> {
        let state = State {
            format: FORMAT,
            step: started.from_step,
            controls: started.controls,
            scheduled: started.scheduled.clone(),
            reason: Reason::Branched,
            seq: 1,
            steps_per_epoch: started.plan.steps_per_epoch,
            ..found.state.clone()
        };
        checkpoints::branch(&found.path, &folder.checkpoints(), &state).map(drop)
    }

    fn chosen(checkpoints: &Path, at: &str, eps: rematch::config::Eps) -> anyhow::Result<Found> {
        let found = match at {
            "last" => {
                let (found, passed) = checkpoints::newest_sound(checkpoints);
                let why = if passed.is_empty() { String::new() } else { format!(": {}", passed.join("; ")) };
                return found.ok_or_else(|| anyhow!("{}: no checkpoint to begin from{why}", checkpoints.display()));
            }
            "best" => checkpoints::best(&checkpoints::list(checkpoints), eps)
                .cloned()
                .ok_or_else(|| anyhow!("{}: no checkpoint was written with a probe of its own", checkpoints.display()))?,
            step => match step.parse() {
                Ok(step) => checkpoints::at(checkpoints, step)?,
                Err(_) => bail!("--at {step}: '{step}' is no step; allowed: the step of a checkpoint, best or last"),
            },
        };
        checkpoints::verify(&found.path)?;
        Ok(found)
    }
}

#[cfg(feature = "torch")]
pub use working::begin_from;
