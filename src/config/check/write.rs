//! A resolved config as TOML text that is read back to the same config.
//!
//! Every value is written out, defaults too: a run's own config must not change its meaning when a default does.

use super::keys::KEYS;
use crate::config::{BatchNormMode, Config, Method, Nesterov, RandomStart, Schedule};
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

/// `None` where the key means nothing under this config's choices.
fn value(config: &Config, path: &str) -> Option<String> {
    let text = |s: &str| Some(toml_edit::Value::from(s).to_string());
    // Debug prints the shortest digits that read back to the same f64, always with a point or an exponent.
    let real = |v: f64| Some(format!("{v:?}"));
    let whole = |v: usize| Some(v.to_string());
    let count = |v: u32| Some(v.to_string());
    let (sat, rrm) = match config.method {
        Method::Erm => (None, None),
        Method::Sat(sat) => (Some(sat), None),
        Method::Rrm(rrm) => (None, Some(rrm)),
    };
    let train = &config.train;
    match path {
        "seed" => Some(config.seed.to_string()),
        "data.source" => text(config.data.source.name()),
        "data.path" => config.data.path.as_deref().and_then(text),
        "data.validation" => whole(config.data.validation),
        "data.augment" => text(config.data.augment.name()),
        "data.size" => config.data.files.and_then(|files| whole(files.size)),
        "data.resize" => config.data.files.and_then(|files| whole(files.resize)),
        "data.faulty" => config.data.files.and_then(|files| text(files.faulty.name())),
        "data.storage" => config.data.files.and_then(|files| text(files.storage.name())),
        "student.network" => text(config.student.network.name()),
        "teacher.checkpoint" => config.teacher.as_ref().and_then(|teacher| text(&teacher.checkpoint)),
        "method.name" => text(config.method.name()),
        "method.lambda" => rrm.and_then(|rrm| real(rrm.lambda)),
        "method.steps" => sat.and_then(|sat| count(sat.steps)),
        "method.step_size" => sat.and_then(|sat| real(sat.step_size.0)),
        "method.random_start" => sat.map(|sat| (sat.random_start == RandomStart::Yes).to_string()),
        "method.batch_norm" => sat.and_then(|sat| {
            text(match sat.batch_norm {
                BatchNormMode::Eval => "eval",
                BatchNormMode::Train => "train",
            })
        }),
        "threat.norm" => text(config.threat.norm.name()),
        "threat.eps" => real(config.threat.eps.0),
        "train.epochs" => Some(train.epochs.to_string()),
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
        other => match (&train.schedule, other) {
            (Schedule::Cosine { final_lr }, "train.schedule.final_lr") => real(*final_lr),
            (Schedule::OneCycle { peak }, "train.schedule.peak") => real(*peak),
            (Schedule::Multistep { epochs, .. }, "train.schedule.epochs") => Some(format!("{epochs:?}")),
            (Schedule::Multistep { gamma, .. }, "train.schedule.gamma") => real(*gamma),
            (_, "probe.per_epoch") => count(config.probe.per_epoch),
            (_, "probe.images") => whole(config.probe.images),
            (_, "probe.steps") => count(config.probe.steps),
            (_, "evaluation.steps") => count(config.evaluation.steps),
            (_, "evaluation.restarts") => count(config.evaluation.restarts),
            (_, "evaluation.images") => config.evaluation.images.and_then(whole),
            (_, "checkpoint.every_epochs") => Some(config.checkpoint.every_epochs.to_string()),
            (_, _) => None,
        },
    }
}
