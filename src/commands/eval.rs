//! `rematch eval`: attacks on one split, with everything that makes the numbers reproducible, kept batch by batch.

#[cfg(feature = "torch")]
mod asked;
#[cfg(feature = "torch")]
mod everything;
#[cfg(feature = "torch")]
mod follow;
#[cfg(feature = "torch")]
mod stored;
#[cfg(feature = "torch")]
mod words;

use crate::cli::Eval;

#[cfg(not(feature = "torch"))]
pub fn run(_: &Eval) -> anyhow::Result<u8> {
    Err(super::no_torch("evaluate"))
}

#[cfg(feature = "torch")]
pub fn run(args: &Eval) -> anyhow::Result<u8> {
    use anyhow::bail;
    use rematch::config::{Config, check};
    use rematch::limits;
    use rematch::protocol::event::Whose;
    use rematch::train::{device, examinee, room};
    use std::io::Write;

    super::openmp::settle();
    device::exactly();
    room::at_start()?;
    device::tune_allocator();
    let many = room::use_threads(args.threads.map(usize::from))?;
    for message in many.into_iter().chain(limits::be_warned_of_cpu_limit(tch::get_num_threads() as usize)) {
        let _ = writeln!(std::io::stderr(), "rematch: {message}");
    }
    let (path, made_with) = examinee::made_with(&target(args))?;
    let config: Config = match (&args.data, made_with) {
        (Some(path), _) => check::load(path, &[])?,
        (None, Some(config)) => config,
        (None, None) => bail!("{}: does not say what data it was trained on; name a config with --data", path.display()),
    };
    let teacher = match (args.teacher_too, &config.teacher) {
        (false, _) => None,
        (true, Some(teacher)) if teacher.torchscript == rematch::config::TorchScript::No => {
            Some(examinee::made_with(std::path::Path::new(&teacher.checkpoint))?.0)
        }
        (true, Some(_)) => bail!("--teacher-too: this run's teacher is a TorchScript program, which only training runs"),
        (true, None) => bail!("--teacher-too: this run has no teacher ({})", config.method.name()),
    };
    let mut asked = asked::Asked::of(args, &config)?;
    let data = super::data::load(&config.data)?;
    asked.attacks(data.classes.len())?;
    let mut err = std::io::stderr();
    for remark in data.remarks.iter().chain(&asked.remarks) {
        let _ = writeln!(err, "rematch: {remark}");
    }
    let follow = follow::Follow::new(args.json)?;
    let run = rematch::run::evaluations::run_of(&path).filter(|_| args.teacher_too && !args.json);
    let mut done = Vec::new();
    for (path, whose) in [(Some(path), Whose::Student), (teacher, Whose::Teacher)] {
        let Some(path) = path else { continue };
        match asked.evaluate(&path, whose, &data, &follow)? {
            Some(result) => done.push(result),
            None => return Ok(130),
        }
    }
    words::tell(&done, args.json)?;
    if let Some(run) = run {
        let table = super::compare::with_teacher(&args.runs, &run, &args.evaluations)?;
        let _ = write!(std::io::stdout(), "\n{table}");
    }
    Ok(0)
}

/// The path as it is given, or else within the folder of runs.
#[cfg(feature = "torch")]
fn target(args: &Eval) -> std::path::PathBuf {
    let within = args.runs.join(&args.target);
    if !args.target.exists() && within.exists() { within } else { args.target.clone() }
}
