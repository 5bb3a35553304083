//! Places outside of a run that it depends on: the teacher's files and the data.
//!
//! In a run's own `config.toml` they are kept relative to its folder where they lie in the same project, so that a project that is
//! moved goes on working. The log keeps them absolute, as they were when training began or went on.

use super::advice;
use super::store::RunFolder;
use crate::config::Config;
use crate::config::check::{self, Faults};
use crate::data::content::{self, Content};
use crate::protocol::event::{DataFacts, Started, TeacherFacts};
use std::path::{Component, Path, PathBuf};

/// Keys of a config that name a place, in the order of [`places`]; each of `teacher.also` has its own.
pub const KEYS: [&str; 4] = [DATA, VALIDATION, TEACHER, ALSO];

const DATA: &str = "data.path";
const VALIDATION: &str = "data.validation_path";
const TEACHER: &str = "teacher.checkpoint";
const ALSO: &str = "teacher.also";

/// Every place that a config names, with its key.
fn places(config: &mut Config) -> Vec<(&'static str, &mut String)> {
    let mut all: Vec<(&'static str, &mut String)> = Vec::new();
    all.extend(config.data.path.as_mut().map(|path| (DATA, path)));
    let files = config.data.files.as_mut();
    all.extend(files.and_then(|files| files.validation_path.as_mut()).map(|path| (VALIDATION, path)));
    if let Some(teacher) = &mut config.teacher {
        all.push((TEACHER, &mut teacher.checkpoint));
        all.extend(teacher.also.iter_mut().map(|path| (ALSO, path)));
    }
    all
}

/// The text of `<runs>/<id>/config.toml`: places below the folder that holds `runs` are relative to the run's folder.
pub fn to_toml(config: &Config, runs: &Path) -> String {
    let mut config = config.clone();
    if let Some(project) = project(runs) {
        for (_, path) in places(&mut config) {
            if let Some(relative) = relative(Path::new(&*path), &project) {
                *path = relative;
            }
        }
    }
    check::to_toml(&config)
}

/// The folder that holds the folder of runs, links followed. Below the root everything lies, which says nothing.
fn project(runs: &Path) -> Option<PathBuf> {
    let runs = runs.canonicalize().or_else(|_| std::path::absolute(runs)).ok()?;
    runs.parent().filter(|project| project.parent().is_some()).map(Path::to_path_buf)
}

fn relative(path: &Path, project: &Path) -> Option<String> {
    let below = |path: &Path| path.strip_prefix(project).ok().map(Path::to_path_buf);
    let followed = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    let rest = below(path).or_else(|| below(&followed()?))?;
    let plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
    // From `project/runs/id`.
    (plain && path.is_absolute()).then(|| Path::new("../..").join(rest).to_str().map(String::from)).flatten()
}

/// The config of a run from its `config.toml`, with `overrides` over it. A place that does not exist is looked for where the log has
/// it: the run's folder may have been moved alone.
///
/// # Errors
/// As [`check::load_written`].
pub fn load(folder: &RunFolder, recorded: &Config, overrides: &[String]) -> Result<Config, Faults> {
    let mut config = check::load_written(&folder.config(), overrides)?;
    let mut recorded = recorded.clone();
    let known = places(&mut recorded);
    for (number, (key, path)) in places(&mut config).into_iter().enumerate() {
        let overridden = overrides.iter().any(|text| text.split('=').next().is_some_and(|named| named.trim() == key));
        if let Some((same, other)) = known.get(number)
            && *same == key
            && !overridden
            && !Path::new(path).exists()
            && Path::new(&**other).exists()
        {
            path.clone_from(other);
        }
    }
    Ok(config)
}

/// `config` with the places of `other`.
#[must_use]
pub fn with_places_of(config: &Config, other: &Config) -> Config {
    let mut config = config.clone();
    config.data.path.clone_from(&other.data.path);
    if let (Some(files), Some(other)) = (&mut config.data.files, &other.data.files) {
        files.validation_path.clone_from(&other.validation_path);
    }
    if let (Some(teacher), Some(other)) = (&mut config.teacher, &other.teacher) {
        teacher.checkpoint.clone_from(&other.checkpoint);
        teacher.also.clone_from(&other.also);
    }
    config
}

/// What was found at the places of a run that is to go on.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// What the run was begun with, or nothing says otherwise.
    Same,
    Missing {
        key: &'static str,
        path: String,
        /// What the run recorded of it.
        recorded: Option<String>,
    },
    Other {
        key: &'static str,
        path: String,
        /// What both checksums cover.
        of: String,
        recorded: String,
        found: String,
    },
}

/// Compares what lies at the places of `config` with what a run recorded. `model_file`: the file that a teacher's path means.
pub fn compare(config: &Config, started: &Started, model_file: impl Fn(&Path) -> Option<PathBuf>) -> Vec<Found> {
    let mut config = config.clone();
    let data = content::of(&config.data);
    let mut teachers = started.teacher.iter().chain(&started.other_teachers);
    let found = places(&mut config).into_iter().map(|(key, path)| {
        let missing = |recorded| Found::Missing { key, path: path.clone(), recorded };
        if key == DATA {
            let recorded = fingerprint(&started.data);
            return match (Path::new(path).exists(), recorded, &data) {
                (false, recorded, _) => missing(recorded.map(|content| content.sha256)),
                (true, Some(recorded), Some(found)) if recorded != *found => Found::Other {
                    key,
                    path: path.clone(),
                    of: if recorded.covers == found.covers {
                        recorded.covers
                    } else {
                        format!("{}; here {}", recorded.covers, found.covers)
                    },
                    recorded: recorded.sha256,
                    found: found.sha256.clone(),
                },
                (true, _, _) => Found::Same,
            };
        }
        if key == VALIDATION {
            // Which images validate is in the split's hash, which is compared where images are read.
            return if Path::new(path).exists() { Found::Same } else { missing(None) };
        }
        let before = teachers.next();
        let recorded = before.and_then(checksum);
        if !Path::new(path).exists() {
            return missing(recorded);
        }
        // What is wrong with a file that is there is told by whoever reads it.
        let found = model_file(Path::new(path)).and_then(|file| content::sha256_of(&file).ok());
        match (recorded, found) {
            (Some(recorded), Some(found)) if recorded != found => {
                Found::Other { key, path: path.clone(), of: "the bytes of the file".into(), recorded, found }
            }
            (Some(_) | None, _) => Found::Same,
        }
    });
    found.filter(|found| *found != Found::Same).collect()
}

fn fingerprint(data: &DataFacts) -> Option<Content> {
    data.fingerprint.as_ref().map(|known| Content { sha256: known.sha256.clone(), covers: known.covers.clone() })
}

/// As it was recorded; of a run of an earlier version that of the file that is still there.
fn checksum(teacher: &TeacherFacts) -> Option<String> {
    teacher.sha256.clone().or_else(|| content::sha256_of(Path::new(&teacher.path)).ok())
}

impl Found {
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::Same => None,
            Self::Missing { key, .. } | Self::Other { key, .. } => Some(key),
        }
    }

    /// What is other than it was, with both checksums.
    pub fn difference(&self) -> String {
        match self {
            Self::Same | Self::Missing { .. } => String::new(),
            Self::Other { key, path, of, recorded, found } => format!(
                "{key} = {path} is not what the run was trained with: its SHA-256 is {found}, the run recorded {recorded} ({of})"
            ),
        }
    }

    /// What is wrong and what to do, for the run in `folder`.
    pub fn words(&self, folder: &Path) -> String {
        match self {
            Self::Same => String::new(),
            Self::Missing { key, path, recorded } => {
                let where_ = if [DATA, VALIDATION].contains(key) { "NEW_FOLDER" } else { "NEW_FILE" };
                let again = advice::command("resume", folder, &format!("-s {key}={where_}"));
                let same = match recorded {
                    Some(sha256) => format!("it is accepted when its content is the same (SHA-256 {sha256})"),
                    None => "the run recorded no checksum of it".into(),
                };
                format!("{key} = {path}: there is no such file or folder. If it was moved, say where it is now: {again}; {same}")
            }
            Self::Other { key, path, .. } => {
                let value = if *key == ALSO { format!("[\"{path}\"]") } else { path.clone() };
                let fork = advice::command("fork", folder, &format!("-s {}", advice::word(&format!("{key}={value}"))));
                format!(
                    "{}. A run goes on with the same content only; to train on with another from its newest checkpoint: {fork}",
                    self.difference()
                )
            }
        }
    }
}
