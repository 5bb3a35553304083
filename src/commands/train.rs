//! `rematch train`: reads the config, and lets what it describes be trained in a new run.

use crate::cli::Train;

#[cfg(not(feature = "torch"))]
pub fn run(_: &Train) -> anyhow::Result<u8> {
    Err(super::no_torch("train"))
}

#[cfg(feature = "torch")]
pub fn run(args: &Train) -> anyhow::Result<u8> {
    use super::launch::{self, Job};
    use rematch::config::check;
    use rematch::protocol::event::Started;
    use rematch::run::recorder::Recorder;
    use rematch::run::store::RunFolder;
    use rematch::train::Options;

    let config = check::load(&args.config, &args.set)?;
    let options = Options { device: args.how.device, threads: args.how.threads.map(usize::from), ..Options::default() };
    if args.dry_run {
        return super::check::run(config, options);
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
