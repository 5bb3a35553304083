//! `rematch repeat`: a run once more, from its config and what was changed by hand at its steps, and whether the same weights come out.

use crate::cli::Repeat;

#[cfg(not(feature = "torch"))]
pub fn run(_: &Repeat) -> anyhow::Result<u8> {
    Err(super::no_torch("repeat"))
}

#[cfg(feature = "torch")]
pub use working::run;

#[cfg(feature = "torch")]
mod working {
    use super::Repeat;
    use crate::cli::{How, Look, Ui};
    use crate::commands::beside;
    use crate::commands::fork::begin_from;
    use crate::commands::launch::{self, Job};
    use anyhow::{anyhow, bail};
    use rematch::protocol::event::Started;
    use rematch::run::checkpoints::{self, Found, Reason};
    use rematch::run::history::{self, History};
    use rematch::run::recorder::Recorder;
    use rematch::run::store::{RunFolder, free_id};
    use rematch::train::{Options, checkpoint};
    use std::fmt::Write as _;
    use std::sync::{Arc, Mutex, PoisonError};

    pub fn run(args: &Repeat) -> anyhow::Result<u8> {
        let original = RunFolder::open(&args.runs, &args.run)?;
        let history = history::read(&original)?;
        let whole: Vec<Found> = checkpoints::list(&original.checkpoints())
            .into_iter()
            .filter(|found| checkpoints::verify(&found.path).is_ok())
            .collect();
        let reached = |found: &&Found| found.state.reason != Reason::Branched && found.state.spoiled_at.is_none();
        let compared: Vec<Found> = whole.iter().filter(reached).cloned().collect();
        let Some(last) = compared.last().map(|found| found.state.step) else {
            bail!("{}: no whole checkpoint to compare with", original.checkpoints().display());
        };
        let start = match &history.first.parent {
            None => None,
            Some(parent) => {
                Some(whole.iter().find(|found| found.state.reason == Reason::Branched).cloned().ok_or_else(|| {
                    anyhow!(
                        "{}: it began from {} at step {}, and that checkpoint is gone",
                        original.id(),
                        parent.run,
                        parent.step
                    )
                })?)
            }
        };
        let threads = args.threads.map(usize::from).or(history.first.threads.map(|threads| threads as usize));
        let options = Options {
            device: args.device,
            threads,
            resume: start.as_ref().map(|found| found.path.clone()),
            parent: history.first.parent.clone(),
            split_before: history.first.data.split.clone(),
            script: history.script.after(0),
            milestones: compared.iter().map(|found| found.state.step).collect(),
            until: Some(last),
            ..Options::default()
        };
        let made: Arc<Mutex<Option<(RunFolder, Started)>>> = Arc::default();
        let (runs, name, base, keep) =
            (beside(&args.runs, &original), args.name.clone(), original.id().to_string(), made.clone());
        let place = move |resolved: &str, started: &Started| {
            let id = name.unwrap_or_else(|| free_id(&runs, &format!("{base}.repeat")));
            let folder = RunFolder::create(&runs, Some(&id), "repeat", resolved)?;
            let recorder = Recorder::create(&folder)?;
            if let Some(found) = &start {
                begin_from(found, &folder, started)?;
            }
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some((folder.clone(), started.clone()));
            Ok((folder, recorder))
        };
        let how = How {
            device: args.device,
            threads: args.threads,
            ui: Some(Ui::Plain),
            detach: false,
            on_hangup: None,
            on_signal: Vec::new(),
            tensorboard: None,
            look: Look { theme: None, keys: None, color: None, glyphs: None, graphics: None },
        };
        let runs = beside(&args.runs, &original);
        let job = Job { config: history.first.config.clone(), options, runs, place: Box::new(place), board: None };
        let code = launch::run(job, &how)?;
        let made = made.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It is stopped where the original's last checkpoint is: that is how it ends well. Its own stop elsewhere is not.
        match made {
            Some((folder, started)) if code == 130 || code == 0 => verdict(&history, &started, &compared, &folder),
            Some(_) | None => Ok(code),
        }
    }

    fn verdict(history: &History, now: &Started, compared: &[Found], repeated: &RunFolder) -> anyhow::Result<u8> {
        let mut same = Vec::new();
        let mut text = String::new();
        let mut code = 0;
        for found in compared {
            let step = found.state.step;
            let Ok(other) = checkpoints::at(&repeated.checkpoints(), step) else {
                writeln!(text, "step {step}: the repetition has no checkpoint there; it was stopped before")?;
                code = 1;
                break;
            };
            match checkpoint::difference(&found.path, &other.path)? {
                None => same.push(step.to_string()),
                Some(what) => {
                    writeln!(text, "step {step}: DIFFERENT ({what})")?;
                    code = 1;
                    break;
                }
            }
        }
        if !same.is_empty() {
            text =
                format!("the same to the last bit: weights, momentum and what the method carries, at step {}\n", same.join(", "))
                    + &text;
        }
        if code != 0 {
            for reason in reasons(history, now) {
                writeln!(text, "  {reason}")?;
            }
        }
        std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
        Ok(code)
    }

    /// What may explain a difference.
    fn reasons(history: &History, now: &Started) -> Vec<String> {
        let then = &history.first;
        let mut reasons = Vec::new();
        if then.device != now.device || history.started.device != then.device {
            reasons.push(format!("it trained on {}, then {}, now on {}", then.device, history.started.device, now.device));
        }
        if now.device.starts_with("cuda") {
            reasons.push("on a GPU sums are made in no fixed order: the same run gives other last digits".into());
        }
        if then.threads != now.threads || history.started.threads != then.threads {
            reasons.push("the number of CPU threads was another, and sums are made in another order".into());
        }
        if then.program != now.program {
            reasons.push(format!("it was {} then, and is {} now", then.program, now.program));
        }
        reasons
    }
}
