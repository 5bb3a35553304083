//! `rematch train`: reads the config, and lets what it describes be trained in a new run, or in the one of that name that is there.

use crate::cli::Train;

#[cfg(not(feature = "torch"))]
pub fn run(_: &Train) -> anyhow::Result<u8> {
    Err(super::no_torch("train"))
}

#[cfg(feature = "torch")]
pub use working::run;

#[cfg(feature = "torch")]
mod working {
    use super::Train;
    use crate::cli::Resume;
    use crate::commands::launch::{self, Job};
    use crate::commands::{resume, settings};
    use anyhow::{anyhow, bail};
    use rematch::config::{Config, check};
    use rematch::protocol::Outcome;
    use rematch::protocol::event::Started;
    use rematch::run::advice;
    use rematch::run::history::{self, History};
    use rematch::run::places;
    use rematch::run::recorder::Recorder;
    use rematch::run::state::Phase;
    use rematch::run::store::{self, Owner, RunFolder, StoreError, free_id};
    use rematch::train::Options;
    use rematch::ui::settings::ResumeIfExists;
    use std::fs::{self, File, TryLockError};
    use std::io::Write as _;
    use std::path::Path;
    use toml_edit::Value;

    pub fn run(args: &Train) -> anyhow::Result<u8> {
        let config = check::load(&args.config, &args.set)?;
        // Looked at before data are read, which may take minutes.
        if let Some(name) = &args.name
            && store::is_taken(&args.runs.join(name))
            && let Some(code) = there_already(args, name, &config)?
        {
            return Ok(code);
        }
        let options = Options { device: args.how.device, threads: args.how.threads.map(usize::from), ..Options::default() };
        if args.dry_run {
            return crate::commands::check::run(config, options);
        }
        let suggested = args.config.file_stem().map_or_else(|| "run".into(), |s| s.to_string_lossy().into_owned());
        let (runs, name) = (args.runs.clone(), args.name.clone());
        let place = move |resolved: &str, _: &Started| {
            let folder = RunFolder::create(&runs, name.as_deref(), &suggested, resolved)?;
            let recorder = Recorder::create(&folder)?;
            Ok((folder, recorder))
        };
        let board = args.how.tensorboard.clone();
        launch::run(Job { config, options, runs: args.runs.clone(), place: Box::new(place), board }, &args.how)
    }

    /// What becomes of a start whose name is taken: the exit code where nothing is left to do, `None` where a new run may begin.
    fn there_already(args: &Train, name: &str, config: &Config) -> anyhow::Result<Option<u8>> {
        let goes_on = args.resume_if_exists || settings::settings(&args.how.look)?.resume_if_exists == ResumeIfExists::Yes;
        let path = args.runs.join(name);
        let shown = path.display();
        let other = || format!("choose another name, such as --name {}", free_id(&args.runs, name));
        let folder = match RunFolder::open(&args.runs, &path) {
            Ok(folder) => folder,
            Err(StoreError::NoEvents { .. }) if goes_on => {
                remove_unrecorded(&path)?;
                tell(&format!("{shown} was killed before it recorded anything; it begins anew"));
                return Ok(None);
            }
            Err(StoreError::NoEvents { .. }) => {
                bail!("{shown} was killed before it recorded anything; --resume-if-exists begins it anew, or {}", other())
            }
            Err(StoreError::BadId { .. }) => return Ok(None),
            Err(error) => bail!("{error}; {}", other()),
        };
        if let Owner::Process(pid) = folder.owner() {
            bail!(
                "{shown} already holds a run, which trains now, as process {pid}; look at it with: {}",
                advice::command("attach", &path, "")
            );
        }
        let history = history::read(&folder).map_err(|error| anyhow!("{error}; {}", other()))?;
        let (step, steps) = (history.reached, history.started.plan.steps());
        let completed = history.state.phase == Phase::Finished(Outcome::Completed);
        if !goes_on && completed {
            let longer = format!("-s train.epochs={}", 2 * history.started.config.train.epochs);
            bail!(
                "{shown} already holds a run, which has completed; {}, or train it on in a new run: {}",
                other(),
                advice::command("fork", &path, &longer)
            );
        }
        if !goes_on {
            bail!(
                "{shown} already holds a run, at step {step} of {steps}; go on with it: {} (--resume-if-exists does that by itself). For \
                 a new run {}",
                advice::command("resume", &path, ""),
                other()
            );
        }
        let set = moved(&folder, &history, config)
            .map_err(|differs| anyhow!("{shown} is a run of another config: {differs}; {}", other()))?;
        drop(folder);
        if completed {
            tell(&format!("{shown} has completed, at step {step} of {steps}: nothing is left to train"));
            return Ok(Some(0));
        }
        tell(&format!("{shown} is there, at step {step} of {steps}: going on with it"));
        let args = Resume { run: path, runs: args.runs.clone(), set, forget_changes: false, how: args.how.clone() };
        resume::run(&args).map(Some)
    }

    /// Where the config has the teacher and the data elsewhere, as overrides for resuming.
    ///
    /// # Errors
    /// What else differs from the run's config.
    fn moved(folder: &RunFolder, history: &History, config: &Config) -> Result<Vec<String>, String> {
        let own = places::load(folder, &history.started.config, &[]).unwrap_or_else(|_| history.started.config.clone());
        let (mut sets, mut differing) = (Vec::new(), Vec::new());
        for (key, [there, here]) in check::differing(&own, config) {
            match here {
                Some(here) if there.is_some() && places::KEYS.contains(&key) => {
                    // Where the config's place is gone and the run's own is not, the run knows better.
                    let is_there =
                        |text: &str| text.parse::<Value>().is_ok_and(|v| v.as_str().is_none_or(|p| Path::new(p).exists()));
                    if is_there(&here) || !there.as_deref().is_some_and(is_there) {
                        sets.push(format!("{key}={here}"));
                    }
                }
                here => {
                    let shown = |value: Option<String>| value.unwrap_or_else(|| "not set".into());
                    differing.push(format!("{key} is {} there and {} here", shown(there), shown(here)));
                }
            }
        }
        if differing.is_empty() { Ok(sets) } else { Err(differing.join(", ")) }
    }

    /// Removes a run's folder that holds no record and no checkpoint, unless a process holds it.
    fn remove_unrecorded(path: &Path) -> anyhow::Result<()> {
        let cannot = |error: std::io::Error| anyhow!("{}: cannot be removed: {error}", path.display());
        let lock = path.join("lock");
        let held = match File::open(&lock) {
            Ok(file) => {
                matches!(file.try_lock(), Err(TryLockError::WouldBlock)).then(|| fs::read_to_string(&lock).unwrap_or_default())
            }
            Err(_) => None,
        };
        if let Some(pid) = held {
            let path = path.to_path_buf();
            return Err(StoreError::Locked { path, pid: pid.trim().to_string() }.into());
        }
        if path.join("checkpoints").exists() {
            bail!("{}: its log is empty, but it has checkpoints; move it away", path.display());
        }
        fs::remove_dir_all(path).map_err(cannot)
    }

    /// On standard error, as standard output may be a log of records.
    fn tell(text: &str) {
        let _ = writeln!(std::io::stderr(), "rematch: {text}");
    }
}
