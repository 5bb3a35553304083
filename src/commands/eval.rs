//! `rematch eval`: one attack on one split, with everything that makes the number reproducible.

use crate::cli::Eval;
#[cfg(feature = "torch")]
use crate::cli::Split;

#[cfg(not(feature = "torch"))]
pub fn run(_: &Eval) -> anyhow::Result<u8> {
    Err(super::no_torch("evaluate"))
}

#[cfg(feature = "torch")]
pub fn run(args: &Eval) -> anyhow::Result<u8> {
    use anyhow::{Context, bail};
    use rematch::config::{AttackName, AttackSpec, Config, Eps, Norm, RandomStart, Threat, check};
    use rematch::train::{device, examinee};
    use std::io::{IsTerminal, Write};

    super::openmp::settle();
    device::tune_allocator();
    if let Some(threads) = args.threads {
        tch::set_num_threads(i32::from(threads));
    }
    let (path, made_with) = examinee::made_with(&target(args))?;
    let config: Config = match (&args.data, made_with) {
        (Some(path), _) => check::load(path, &[])?,
        (None, Some(config)) => config,
        (None, None) => bail!("{}: does not say what data it was trained on; name a config with --data", path.display()),
    };
    let norm = match &args.norm {
        Some(name) => Norm::ALL.iter().copied().find(|n| n.name() == name).context("no such norm")?,
        None => config.threat.norm,
    };
    let eps = match args.eps {
        Some(eps) => eps,
        None if norm == config.threat.norm => config.threat.eps,
        None => bail!("--norm {} differs from the run's {}: say --eps too", norm.name(), config.threat.norm.name()),
    };
    for (option, value) in [("--eps", Some(eps)), ("--step-size", args.step_size)] {
        if let Some(value) = value.filter(|v| !(0.0..=norm.largest_eps()).contains(&v.0)) {
            bail!("{option} {value} is out of range; allowed for {norm}: 0 to {}", norm.largest_eps());
        }
    }
    let mut attack = AttackSpec::pgd(Threat { norm, eps }, args.steps.unwrap_or(20), args.restarts.unwrap_or(1), args.seed);
    if args.attack == AttackName::Fgsm.name() {
        if args.steps.is_some() || args.restarts.is_some() || args.step_size.is_some() {
            bail!("--attack fgsm is one step of length eps from the image itself: it has no --steps, --step-size or --restarts");
        }
        attack =
            AttackSpec { name: AttackName::Fgsm, steps: 1, step_size: eps, restarts: 1, random_start: RandomStart::No, ..attack };
    } else if let Some(step_size) = args.step_size {
        attack.step_size = Eps(step_size.0);
    }

    let data = super::data::load(&config.data)?;
    // Only for the data that the model was trained on is it known what it has seen.
    let (images, seen, in_training) = match (args.split, &args.data) {
        (Split::Train, None) => (&data.train, "seen in training", Some(true)),
        (Split::Validation, None) => (&data.validation, "held out of training, used for choices", Some(false)),
        (Split::Test, None) => (&data.test, "not seen in training", Some(false)),
        (Split::Train, Some(_)) => (&data.train, "unknown whether seen in training", None),
        (Split::Validation, Some(_)) => (&data.validation, "unknown whether seen in training", None),
        (Split::Test, Some(_)) => (&data.test, "unknown whether seen in training", None),
    };
    let examinee = examinee::Examinee::load(&path, &examinee::Images { images, classes: &data.classes }, args.device)?;
    let count = args.images.map_or(examinee.len(), |n| n as usize);
    if count > examinee.len() {
        bail!("--images {count} is more than the {} images of this split; allowed: 1 to {}", examinee.len(), examinee.len());
    }
    let mut err = std::io::stderr();
    for remark in &data.remarks {
        let _ = writeln!(err, "rematch: {remark}");
    }
    let talk = !args.json && err.is_terminal();
    if talk {
        let _ = writeln!(err, "evaluating {} on {count} images ({}) ...", path.display(), examinee.device);
    }
    let begin = std::time::Instant::now();
    let Some(accuracy) = examinee.evaluate(&attack, count)? else { bail!("the evaluation was interrupted") };
    for remark in examinee.take_remarks() {
        let _ = writeln!(err, "rematch: {remark}");
    }
    let seconds = (begin.elapsed().as_secs_f64() * 1e3).round() / 1e3;
    let split = match args.split {
        Split::Train => "train",
        Split::Validation => "validation",
        Split::Test => "test",
    };
    let mut out = std::io::stdout();
    if args.json {
        let result = serde_json::json!({
            "natural_accuracy": accuracy.natural,
            "adversarial_accuracy": accuracy.adversarial,
            "attack": attack.name,
            "norm": attack.norm,
            "eps": attack.eps,
            "steps": attack.steps,
            "step_size": attack.step_size,
            "restarts": attack.restarts,
            "random_start": attack.random_start,
            "seed": attack.seed,
            "images": accuracy.images,
            "split": split,
            "seen_in_training": in_training,
            "data": data.name,
            "checkpoint": path.display().to_string(),
            "device": examinee.device,
            "program": concat!("rematch ", env!("CARGO_PKG_VERSION")),
            "seconds": seconds,
        });
        writeln!(out, "{result}")?;
    } else {
        let percent = |x: f64| format!("{:6.2} %", 100.0 * x);
        writeln!(out, "checkpoint   {}", path.display())?;
        writeln!(out, "data         {}, {split}, {} images ({seen})", data.name, accuracy.images)?;
        writeln!(
            out,
            "attack       {}: {} step(s) of {}, {}, {} restart(s), seed {}",
            attack.name.name(),
            attack.steps,
            attack.step_size,
            if attack.random_start == RandomStart::Yes { "random start" } else { "from the image itself" },
            attack.restarts,
            attack.seed
        )?;
        writeln!(out, "threat       {} eps {}", attack.norm, attack.eps)?;
        writeln!(out, "natural      {}", percent(accuracy.natural))?;
        writeln!(
            out,
            "adversarial  {}   (an image counts when it stands every iterate of every restart)",
            percent(accuracy.adversarial)
        )?;
        writeln!(out, "time         {seconds:.1} s on {}", examinee.device)?;
    }
    Ok(0)
}

/// The path as it is given, or else within the folder of runs.
#[cfg(feature = "torch")]
fn target(args: &Eval) -> std::path::PathBuf {
    let within = args.runs.join(&args.target);
    if !args.target.exists() && within.exists() { within } else { args.target.clone() }
}
