//! The finished evaluations of one folder, and which of them are of the newest weights.
//!
//! A report that cannot be read is named and left out: it hides no other. Nothing here opens a model or decides what compares.

use crate::protocol::Step;
use crate::protocol::event::Whose;
use crate::protocol::report::{FORMAT, Report};
use crate::run::evaluations::{self, REPORT};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file that can be a report; a longer one is something else and must not fill the memory.
const MOST_BYTES: u64 = 64 << 20;

/// An evaluation that was finished.
#[derive(Clone, Debug)]
pub struct Found {
    pub folder: PathBuf,
    pub settings: Value,
    pub report: Report,
    /// The model file as the evaluation was given it, and its checksum.
    pub model: PathBuf,
    pub sha256: String,
    pub data: String,
}

/// What lies in a folder of evaluations.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Oldest first: their folders are named by time.
    pub found: Vec<Found>,
    pub unfinished: usize,
    /// What was left out, and why.
    pub remarks: Vec<String>,
}

/// Of all evaluations of a run those of its newest weights.
#[derive(Debug)]
pub struct Newest {
    pub found: Vec<Found>,
    /// Whether the evaluation that ended the run is of these weights.
    pub last: Last,
    pub remarks: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    Counts,
    IsOlder,
}

impl Found {
    pub fn seen_in_training(&self) -> Option<bool> {
        self.settings["seen_in_training"].as_bool()
    }

    fn step(&self) -> Option<Step> {
        step_of(&self.model)
    }
}

/// The step whose weights a file holds, by the name of the checkpoint it lies in.
pub fn step_of(model: &Path) -> Option<Step> {
    model.components().rev().find_map(|part| part.as_os_str().to_str()?.strip_prefix("step-")?.parse().ok())
}

/// Everything in a folder of evaluations; no folder, no evaluations.
pub fn gather(folder: &Path) -> Evidence {
    let mut evidence = Evidence { unfinished: evaluations::unfinished(folder).len(), ..Evidence::default() };
    let Ok(entries) = fs::read_dir(folder) else { return evidence };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    for folder in folders {
        let file = folder.join(REPORT);
        // A link that leads nowhere is there as well: it is told.
        if fs::symlink_metadata(&file).is_err() {
            continue;
        }
        match read(&folder, &file) {
            Ok(found) => evidence.found.push(found),
            Err(why) => evidence.remarks.push(format!("{} {why}; it is left out", file.display())),
        }
    }
    evidence
}

fn read(folder: &Path, file: &Path) -> Result<Found, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let facts = fs::metadata(file).map_err(unreadable)?;
    if !facts.is_file() || facts.len() > MOST_BYTES {
        return Err("is no report of an evaluation".into());
    }
    let damaged = |why: &dyn std::fmt::Display| format!("is damaged: {why}");
    let whole: Value = serde_json::from_slice(&fs::read(file).map_err(unreadable)?).map_err(|error| damaged(&error))?;
    // A newer one need not look like one of today: its number is looked for first.
    if let Some(format) = whole["report"]["format"].as_u64().filter(|&format| format > u64::from(FORMAT)) {
        return Err(format!("is written in format {format}; this program reads up to {FORMAT}: use a newer one"));
    }
    let report: Report = serde_json::from_value(whole["report"].clone()).map_err(|error| damaged(&error))?;
    let mut shares = report.attacks.iter().map(|attack| attack.adversarial).chain([report.natural]);
    if let Some(share) = shares.find(|share| !(0.0..=1.0).contains(share)) {
        return Err(damaged(&format!("{share} is no share of its images")));
    }
    if report.images == 0 || report.attacks.iter().any(|attack| attack.ensemble.members.is_empty()) {
        return Err(damaged(&"it counts no images, or names no attack"));
    }
    let text = |key: &str| {
        let found = whole["settings"][key].as_str().filter(|text| !text.is_empty());
        found.map(String::from).ok_or_else(|| damaged(&format!("its settings do not say '{key}'")))
    };
    let (model, sha256, data) = (text("model")?.into(), text("model_sha256")?, text("data")?);
    Ok(Found { folder: folder.to_path_buf(), settings: whole["settings"].clone(), report, model, sha256, data })
}

/// `last`: the step of the run's own final evaluation, where it had one.
pub fn newest(found: Vec<Found>, last: Option<Step>) -> Newest {
    let mut remarks = Vec::new();
    let step = found.iter().filter_map(Found::step).max();
    // Where names tell nothing, time does: folders are in its order.
    let shown = found.iter().rfind(|f| f.step() == step);
    let Some(sha256) = shown.map(|f| f.sha256.clone()) else {
        return Newest { found, last: Last::Counts, remarks };
    };
    let name = |step: Option<Step>| step.map_or_else(|| "a file without a step in its name".to_string(), |s| format!("step {s}"));
    if let (Some(last), Some(evaluated)) = (last, step)
        && evaluated < last
    {
        remarks.push(format!(
            "its {} of checkpoints before the last one (the newest of {}) {} left out: it ended with step {last}",
            count(found.len(), "evaluation"),
            name(step),
            if found.len() == 1 { "is" } else { "are" }
        ));
        return Newest { found: Vec::new(), last: Last::Counts, remarks };
    }
    let all = found.len();
    let found: Vec<Found> = found.into_iter().filter(|f| f.sha256 == sha256).collect();
    if found.len() < all {
        remarks.push(format!(
            "{} of other weights left out; shown are those of {} ({})",
            count(all - found.len(), "evaluation"),
            name(step),
            sha256.chars().take(8).collect::<String>()
        ));
    }
    let older = last.filter(|&last| step.is_none_or(|step| step > last));
    if let Some(last) = older {
        remarks.push(format!("its final evaluation, of step {last}, is left out: the evaluations are of {}", name(step)));
    }
    Newest { found, last: older.map_or(Last::Counts, |_| Last::IsOlder), remarks }
}

/// `1 evaluation`, `2 evaluations`.
pub fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Those of the run's student, and those that were made of it as somebody's teacher.
pub fn by_whose(found: Vec<Found>) -> (Vec<Found>, Vec<Found>) {
    found.into_iter().partition(|f| f.report.of == Whose::Student)
}
