//! `rematch config --check` and `rematch train --dry-run`: whether data, teacher and networks are there and fit each other.
//!
//! Everything is built that training begins with, and nothing is written.

use super::{data, openmp};
use anyhow::bail;
use rematch::config::Config;
use rematch::data::DataSet;
use rematch::protocol::event::{NetworkFacts, Started};
use rematch::report::words;
use rematch::train::{self, Options, examinee};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// # Errors
/// What is missing or does not fit.
pub fn run(config: Config, options: Options) -> anyhow::Result<u8> {
    openmp::settle();
    let data = match data::load(&config.data) {
        Ok(data) => data,
        Err(error) => {
            // Who mends the data should not come back for the teacher.
            let faults: Vec<String> = std::iter::once(error.to_string()).chain(unreadable_teachers(&config)).collect();
            bail!(faults.join("\n"));
        }
    };
    let split = held_out(&config, &data);
    let prepared = train::prepare(config, data, options)?;
    let text = text(&prepared.started, &split, &prepared.remarks);
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

/// Teachers whose files cannot be read; programs are not opened.
fn unreadable_teachers(config: &Config) -> Vec<String> {
    let Some(teacher) = config.teacher.as_ref().filter(|teacher| teacher.torchscript == rematch::config::TorchScript::No) else {
        return Vec::new();
    };
    let files = std::iter::once(&teacher.checkpoint).chain(&teacher.also);
    files
        .filter_map(|file| examinee::made_with(Path::new(file)).err())
        .map(|error| format!("teacher.checkpoint = {error}"))
        .collect()
}

/// Where the validation images come from.
fn held_out(config: &Config, data: &DataSet) -> String {
    let own = config.data.files.as_ref().and_then(|files| files.validation_path.as_ref());
    match (&data.split, own) {
        (Some(split), Some(path)) => format!("validation images of {path} (split {})", split.hash),
        (Some(split), None) => format!("validation images held out of training: {} (split {})", split.rule, split.hash),
        (None, _) => "validation images held out of training, the last of each class".into(),
    }
}

fn text(started: &Started, split: &str, remarks: &[String]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: &str| {
        let _ = writeln!(text, "{name:<12} {what}"); // writing to a String does not fail
    };
    line("data", &words::data(&started.data));
    line("", split);
    line("student", &network(&started.student));
    for teacher in started.teacher.iter().chain(&started.other_teachers) {
        let made = if teacher.provenance.is_empty() { "of unknown making" } else { &teacher.provenance };
        line("teacher", &format!("{}, {made}", network(&teacher.network)));
        line("", &teacher.path);
    }
    let plan = started.plan;
    line("plan", &format!("{} steps, {} an epoch, on {}", plan.steps(), plan.steps_per_epoch, started.device));
    for remark in remarks {
        line("! note", remark);
    }
    let _ = writeln!(text, "Everything is there and fits. Nothing was written.");
    text
}

fn network(facts: &NetworkFacts) -> String {
    format!("{} ({} parameters, features {} wide)", facts.name, facts.parameters, facts.features)
}
