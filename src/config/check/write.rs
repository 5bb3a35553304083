//! A resolved config as TOML text that is read back to the same config.
//!
//! Every value is written out, defaults too: a run's own config must not change its meaning when a default does.

use super::keys::KEYS;
use crate::config::{AlertThen, Config, Eps, Method, Nesterov, Planned, Projector, RandomStart, Rules, Schedule};
use std::fmt::Write as _;

/// The text of `runs/<id>/config.toml`.
pub fn to_toml(config: &Config) -> String {
    let mut text = String::new();
    let mut section = "";
    for key in KEYS {
        let Some(value) = value(config, key.path) else { continue };
        let (own, name) = key.section_and_name();
        if own != section {
            section = own;
            let _ = write!(text, "\n[{section}]\n"); // writing to a String does not fail
        }
        let _ = writeln!(text, "{name} = {value}");
    }
    text
}

/// Keys whose values differ between two configs, each with its text in both; `None` where the key means nothing there.
pub fn differing(one: &Config, other: &Config) -> Vec<(&'static str, [Option<String>; 2])> {
    let both = |key: &'static str| (key, [value(one, key), value(other, key)]);
    KEYS.iter().map(|key| both(key.path)).filter(|(_, [a, b])| a != b).collect()
}

/// `None` where the key means nothing under this config's choices.
fn value(config: &Config, path: &str) -> Option<String> {
    let text = |s: &str| Some(toml_edit::Value::from(s).to_string());
    // Debug prints the shortest digits that read back to the same f64, always with a point or an exponent.
    let real = |v: f64| Some(format!("{v:?}"));
    let whole = |v: usize| Some(v.to_string());
    let count = |v: u32| Some(v.to_string());
    let train = &config.train;
    let files = config.data.files.as_ref();
    match path {
        "seed" => Some(config.seed.to_string()),
        "data.source" => text(config.data.source.name()),
        "data.path" => config.data.path.as_deref().and_then(text),
        // Nothing is held out beside a folder of validation images.
        "data.validation" => whole(config.data.validation).filter(|_| validation_path(config).is_none()),
        "data.validation_path" => validation_path(config).and_then(text),
        "data.split" => files.and_then(|files| text(files.split.name())),
        "data.split_seed" => files.and_then(|files| files.split.seed()).map(|seed| seed.to_string()),
        "data.augment" => text(config.data.augment.name()),
        "data.size" => files.and_then(|files| whole(files.size)),
        "data.resize" => files.and_then(|files| whole(files.resize)),
        "data.faulty" => files.and_then(|files| text(files.faulty.name())),
        "data.storage" => files.and_then(|files| text(files.storage.name())),
        "student.network" => text(config.student.network.name()),
        "student.feature_width" => config.student.feature_width.and_then(whole),
        "teacher.checkpoint" => config.teacher.as_ref().and_then(|teacher| text(&teacher.checkpoint)),
        "teacher.torchscript" => {
            config.teacher.as_ref().map(|teacher| (teacher.torchscript == crate::config::TorchScript::Yes).to_string())
        }
        "teacher.also" => config.teacher.as_ref().and_then(|teacher| paths(&teacher.also)),
        // Off is not written: a config of a method that has no such key would not be read again.
        "teacher.cache" => {
            config.teacher.as_ref().filter(|teacher| teacher.cache == crate::config::Cache::Yes).map(|_| "true".into())
        }
        "method.name" => text(config.method.name()),
        "threat.norm" => text(config.threat.norm.name()),
        "threat.eps" => Some(radius(config.threat.eps)),
        "train.epochs" => Some(train.epochs.to_string()),
        "train.steps" => train.steps.map(|steps| steps.to_string()),
        "train.batch" => whole(train.batch),
        "train.lr" => real(train.lr),
        "train.momentum" => real(train.momentum),
        "train.nesterov" => Some((train.nesterov == Nesterov::Yes).to_string()),
        "train.weight_decay" => real(train.weight_decay),
        "train.report_hz" => real(train.report_hz),
        "train.schedule.name" => text(match train.schedule {
            Schedule::Constant => "constant",
            Schedule::Cosine { .. } => "cosine",
            Schedule::OneCycle { .. } => "one-cycle",
            Schedule::Multistep { .. } => "multistep",
        }),
        "train.ema" => real(train.ema),
        other if other.starts_with("method.") => method(config.method, other),
        other => match (&train.schedule, other) {
            (Schedule::Cosine { final_lr }, "train.schedule.final_lr") => real(*final_lr),
            (Schedule::OneCycle { peak, .. }, "train.schedule.peak") => real(*peak),
            (Schedule::OneCycle { low_momentum, .. }, "train.schedule.low_momentum") => low_momentum.and_then(real),
            (Schedule::Multistep { epochs, .. }, "train.schedule.epochs") => Some(format!("{epochs:?}")),
            (Schedule::Multistep { gamma, .. }, "train.schedule.gamma") => real(*gamma),
            (_, "probe.per_epoch") => count(config.probe.per_epoch),
            (_, "probe.images") => whole(config.probe.images),
            (_, "probe.steps") => count(config.probe.steps),
            (_, "watch.overfitting") => text(config.watch.overfitting.name()),
            (_, "watch.every") => Some(config.watch.every.to_string()),
            (_, "watch.images") => whole(config.watch.images),
            (_, "watch.drop") => real(config.watch.drop),
            (_, "insight.every") => Some(config.insight.every.to_string()),
            (_, "insight.images") => whole(config.insight.images),
            (_, "alerts.rules") => text(match config.alerts.rules {
                Rules::On => "on",
                Rules::Off => "off",
            }),
            (_, "alerts.then") => text(match config.alerts.then {
                AlertThen::Tell => "tell",
                AlertThen::Pause => "pause",
            }),
            (_, "alerts.adversarial_below") => config.alerts.adversarial_below.and_then(real),
            (_, "evaluation.steps") => count(config.evaluation.steps),
            (_, "evaluation.restarts") => count(config.evaluation.restarts),
            (_, "evaluation.images") => config.evaluation.images.and_then(whole),
            (_, "checkpoint.every_epochs") => Some(config.checkpoint.every_epochs.to_string()),
            (_, "steering.changes") => changes(&config.steering.changes),
            (_, "checkpoint.keep_last") => whole(config.checkpoint.keep_last),
            (_, "checkpoint.keep_every") => Some(config.checkpoint.keep_every.to_string()),
            (_, _) => None,
        },
    }
}

/// `"8/255"` where that is exactly the value and is how it is shown, else the number.
fn radius(eps: Eps) -> String {
    let shown = eps.to_string();
    if shown.contains('/') && shown.parse() == Ok(eps) { format!("\"{shown}\"") } else { format!("{:?}", eps.0) }
}

fn validation_path(config: &Config) -> Option<&str> {
    config.data.files.as_ref()?.validation_path.as_deref()
}

fn paths(all: &[String]) -> Option<String> {
    let list: Vec<String> = all.iter().map(|path| toml_edit::Value::from(path.as_str()).to_string()).collect();
    (!all.is_empty()).then(|| format!("[{}]", list.join(", ")))
}

/// One a line; nothing where there are none.
fn changes(all: &[Planned]) -> Option<String> {
    let lines = all.iter().map(|planned| format!("  {},\n", toml_edit::Value::from(planned.text())));
    (!all.is_empty()).then(|| format!("[\n{}]", lines.collect::<String>()))
}

/// The keys that depend on the method.
fn method(method: Method, path: &str) -> Option<String> {
    let text = |s: &str| Some(toml_edit::Value::from(s).to_string());
    let real = |v: f64| Some(format!("{v:?}"));
    match (method, path) {
        (_, "method.steps") if method.has_steps() => method.attack().map(|(steps, _)| steps.to_string()),
        (_, "method.step_size") => method.attack().map(|(_, step_size)| radius(step_size)),
        (_, "method.batch_norm") => method.batch_norm().and_then(|mode| text(mode.name())),
        (Method::FreeAt(_) | Method::Rrm(_) | Method::RrmPlus(_), "method.replays") => Some(method.replays().to_string()),
        (Method::Sat(sat), "method.random_start") => Some((sat.random_start == RandomStart::Yes).to_string()),
        (Method::Sat(sat), "method.iterate") => text(sat.iterate.name()),
        (Method::NFgsm(n), "method.noise") => real(n.noise),
        (Method::Trades(trades), "method.beta") => real(trades.beta),
        (Method::Rrm(rrm), "method.lambda") => real(rrm.lambda),
        (Method::Rrm(rrm), "method.distance") => text(rrm.distance.name()),
        (Method::Rrm(rrm), "method.projector") => Some((rrm.projector == Projector::Yes).to_string()),
        (Method::RrmPlus(plus), "method.lambda") => real(plus.lambda),
        (Method::RrmPlus(plus), "method.distance") => text(plus.distance.name()),
        (Method::RrmPlus(plus), "method.projector") => Some((plus.projector == Projector::Yes).to_string()),
        (Method::RrmPlus(plus), "method.matching") => real(plus.matching),
        (Method::RrmPlus(plus), "method.inputs") => text(plus.inputs.name()),
        (Method::RrmPlus(plus), "method.targets") => text(plus.targets.name()),
        (Method::RrmPlus(plus), "method.goal") => text(plus.goal.name()),
        (Method::RrmPlus(plus), "method.attack_from") => real(plus.attack_from),
        (Method::RrmPlus(plus), "method.reach") => real(plus.reach),
        (Method::RrmPlus(plus), "method.noise") => real(plus.noise),
        (Method::RrmPlus(plus), "method.temperature") => real(plus.temperature),
        (Method::RrmPlus(plus), "method.alpha") => real(plus.alpha),
        (Method::Kd(kd), "method.form") => text(kd.form.name()),
        (Method::Kd(kd), "method.temperature") => real(kd.temperature),
        (Method::Kd(kd), "method.alpha") => real(kd.alpha),
        (Method::Rdt(rdt), "method.inversion_steps") => Some(rdt.inversion_steps.to_string()),
        (Method::Rdt(rdt), "method.inversion_step_size") => real(rdt.inversion_step_size),
        (Method::Ard(ard), "method.temperature") => real(ard.temperature),
        (Method::Ard(ard), "method.alpha") => real(ard.alpha),
        (Method::Ard(ard), "method.reduction") => text(ard.reduction.name()),
        (Method::Rslad(rslad), "method.alpha") => real(rslad.alpha),
        (Method::Rslad(rslad), "method.reduction") => text(rslad.reduction.name()),
        _ => None,
    }
}
