//! The checkpoints of a run as files: what one holds, whether it is whole, which are kept.
//!
//! `checkpoints/step-00000710/` holds `model.safetensors` (usable by itself as a teacher), `optimizer.safetensors` (the momentum by
//! parameter name) and `state.json`; with `train.ema` the model is the mean of weights and `training.safetensors` holds the weights
//! themselves; `method.safetensors` is there where a method carries tensors from step to step (Free AT's perturbation), and
//! `watch.safetensors` where training may go back by itself. `SHA256SUMS` has the checksums of all of them, as `sha256sum -c` reads
//! them, and is written last. A file `pinned` keeps a checkpoint whatever the rule says.
//!
//! A checkpoint appears whole or not at all: it is written under a name that starts with a dot, synced, and renamed. It does not know
//! what a tensor is; [`crate::run`] has none.

mod rule;
#[cfg(test)]
mod tests;

pub use rule::{Keep, prune};

use super::store::write_atomically;
use crate::config::Eps;
use crate::disk::sync_folder;
use crate::protocol::{Controls, Step, Timed};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// 2: checksums, and where in the log it was taken.
pub const FORMAT: u32 = 2;
pub const MODEL: &str = "model.safetensors";
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// The weights in training, where `MODEL` is their mean.
pub const TRAINING: &str = "training.safetensors";
pub const METHOD: &str = "method.safetensors";
pub const WATCH: &str = "watch.safetensors";
pub const STATE: &str = "state.json";
const SUMS: &str = "SHA256SUMS";
const PINNED: &str = "pinned";

/// What is not a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub format: u32,
    /// Steps done.
    pub step: Step,
    pub controls: Controls,
    pub reason: Reason,
    /// The newest probe of the student on validation images.
    #[serde(default)]
    pub probed: Option<Probed>,
    /// The highest adversarial accuracy of any probe so far, under the config's epsilon.
    #[serde(default)]
    pub best: Option<f64>,
    /// How often a dial was turned.
    pub changes: u64,
    pub train_seconds: f64,
    pub evaluation_seconds: f64,
    #[serde(default)]
    pub watched: Watched,
    /// Changes that are still to come.
    #[serde(default)]
    pub scheduled: Vec<Timed>,
    /// Number of the first record of the log that it knows nothing of.
    #[serde(default)]
    pub seq: u64,
    /// So that steps can be told as epochs.
    #[serde(default)]
    pub steps_per_epoch: u64,
    /// The step whose loss was not finite, where weights were trained on after one.
    #[serde(default)]
    pub spoiled_at: Option<Step>,
    /// What the robust data set of RDT was made from.
    #[serde(default)]
    pub robust_set: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    pub step: Step,
    pub natural: f64,
    pub adversarial: f64,
    pub eps: Eps,
}

/// What the watch for catastrophic overfitting knows from look to look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// Adversarial accuracies of the last good looks, oldest first.
    pub looks: Vec<f64>,
    /// The radius they were found under.
    pub eps: Option<Eps>,
    /// The present break-down has been told.
    pub told: bool,
    pub went_back: u32,
    /// The step of the weights in `watch.safetensors`.
    #[serde(default)]
    pub good: Option<Step>,
}

/// Why it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Periodic,
    /// A probe found more robustness than any before.
    Best,
    /// A dial was about to be turned far.
    BeforeChange,
    Asked,
    Stopped,
    Final,
    /// The run began from it.
    Branched,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Self::Periodic => "periodic",
            Self::Best => "best",
            Self::BeforeChange => "before a change",
            Self::Asked => "asked for",
            Self::Stopped => "stopped",
            Self::Final => "final",
            Self::Branched => "branched",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("{}: {source}; the checkpoint was not saved, the ones before it are untouched{}", path.display(), limit(source))]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{}: {why}; choose another checkpoint of the run", path.display())]
    Malformed { path: PathBuf, why: String },
    #[error("{}: no checkpoint there; give a run's folder, a checkpoint's folder (checkpoints/step-...) or a model.safetensors file", path.display())]
    None { path: PathBuf },
    #[error("{}: no checkpoint at step {step}; there is {}", path.display(), steps(there))]
    NoStep { path: PathBuf, step: Step, there: Vec<Step> },
}

/// What to do about a limit on the sizes of files.
fn limit(error: &io::Error) -> String {
    if error.kind() == ErrorKind::FileTooLarge { format!(": {}", crate::limits::file_too_large()) } else { String::new() }
}

impl CheckpointError {
    pub fn is_file_too_large(&self) -> bool {
        matches!(self, Self::Unwritable { source, .. } if source.kind() == ErrorKind::FileTooLarge)
    }
}

fn steps(there: &[Step]) -> String {
    match there {
        [] => "none at all".into(),
        there => {
            let words: Vec<String> = there.iter().map(Step::to_string).collect();
            format!("one at step {}", words.join(", "))
        }
    }
}

/// Whether the rule may remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinned {
    Yes,
    No,
}

/// A checkpoint on disk whose state can be read. Whether its files are whole, [`verify`] says.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub path: PathBuf,
    pub state: State,
    pub pinned: Pinned,
    pub bytes: u64,
    /// Milliseconds since the Unix epoch at which it got its name.
    pub saved_at_ms: Option<u64>,
}

/// Where a checkpoint went and how large it is.
#[derive(Clone, Debug)]
pub struct Written {
    pub path: PathBuf,
    pub bytes: u64,
}

fn name_of(step: Step) -> String {
    format!("step-{step:08}")
}

/// Writes a checkpoint of these files. One that is there already for this step is replaced, and stays pinned if it was.
///
/// # Errors
/// What the file system says. The ones that were there are untouched.
pub fn write(checkpoints: &Path, state: &State, files: &[(&str, Vec<u8>)]) -> Result<Written, CheckpointError> {
    let name = name_of(state.step);
    let (path, partial) = (checkpoints.join(&name), checkpoints.join(format!(".{name}.partial")));
    let fail = |path: &Path| {
        let path = path.to_path_buf();
        move |source| CheckpointError::Unwritable { path, source }
    };
    let state_json = serde_json::to_vec_pretty(state).map_err(|e| fail(&path)(e.into()))?;
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(fail(&partial))?;
    }
    // The run's folder is there, or it was taken away: then it must not come back half.
    match fs::create_dir(checkpoints) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(fail(checkpoints)(error)),
        Ok(()) | Err(_) => {}
    }
    let written = (|| {
        fs::create_dir(&partial)?;
        let mut sums = String::new();
        let mut bytes = 0;
        for (name, contents) in files.iter().map(|(name, contents)| (*name, contents)).chain([(STATE, &state_json)]) {
            write_atomically(&partial.join(name), contents)?;
            let _ = writeln!(sums, "{}  {name}", hex(&Sha256::digest(contents))); // writing to a String does not fail
            bytes += contents.len() as u64;
        }
        if path.join(PINNED).exists() {
            fs::write(partial.join(PINNED), "")?;
        }
        write_atomically(&partial.join(SUMS), sums.as_bytes())?;
        put(checkpoints, &partial, &name)?;
        Ok(bytes)
    })();
    written.map(|bytes| Written { path: path.clone(), bytes }).map_err(|source| {
        let _ = fs::remove_dir_all(&partial);
        fail(&path)(source)
    })
}

/// Gives a whole folder its name.
fn put(checkpoints: &Path, partial: &Path, name: &str) -> io::Result<()> {
    let path = checkpoints.join(name);
    if path.exists() && exchanged(partial, &path) {
        // What was there has the other's name now.
        fs::remove_dir_all(partial)?;
    } else if path.exists() {
        // A folder cannot be renamed over another one. The old one is out of the way only for this moment, and `tidy` puts it back
        // where this moment was the last.
        let old = checkpoints.join(format!(".{name}.old"));
        let _ = fs::remove_dir_all(&old);
        fs::rename(&path, &old)?;
        fs::rename(partial, &path)?;
        fs::remove_dir_all(&old)?;
    } else {
        fs::rename(partial, &path)?;
    }
    sync_folder(checkpoints)
}

/// Two folders change their names in one step, where the file system can do that.
fn exchanged(one: &Path, other: &Path) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::fs::renameat_with(rustix::fs::CWD, one, rustix::fs::CWD, other, rustix::fs::RenameFlags::EXCHANGE).is_ok();
    #[cfg(not(target_os = "linux"))]
    return false;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Clears away what a process that was killed left half done: nobody else may be writing to the run.
pub fn tidy(checkpoints: &Path) {
    for entry in fs::read_dir(checkpoints).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(".step-") && name.ends_with(".partial") {
            let _ = fs::remove_dir_all(entry.path());
        } else if let Some(of) = name.strip_prefix('.').and_then(|name| name.strip_suffix(".old")) {
            let whole = checkpoints.join(of);
            if whole.exists() {
                let _ = fs::remove_dir_all(entry.path());
            } else {
                let _ = fs::rename(entry.path(), whole);
            }
        }
    }
}

/// The checkpoints of a folder whose state can be read, oldest step first.
pub fn list(checkpoints: &Path) -> Vec<Found> {
    let mut found: Vec<Found> = fs::read_dir(checkpoints)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("step-")))
        .filter_map(|path| read(&path).ok())
        .collect();
    found.sort_by_key(|found| found.state.step);
    found
}

/// One checkpoint.
///
/// # Errors
/// When it is none, or of a newer program.
pub fn read(checkpoint: &Path) -> Result<Found, CheckpointError> {
    let state = read_state(checkpoint)?;
    let files = || fs::read_dir(checkpoint).into_iter().flatten().flatten().filter_map(|entry| entry.metadata().ok());
    let saved = fs::metadata(checkpoint.join(STATE)).and_then(|facts| facts.modified()).ok();
    Ok(Found {
        path: checkpoint.to_path_buf(),
        state,
        pinned: if checkpoint.join(PINNED).exists() { Pinned::Yes } else { Pinned::No },
        bytes: files().map(|facts| facts.len()).sum(),
        saved_at_ms: saved.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).map(|since| since.as_millis() as u64),
    })
}

/// # Errors
/// As [`read`].
pub fn read_state(checkpoint: &Path) -> Result<State, CheckpointError> {
    let path = checkpoint.join(STATE);
    let text = fs::read_to_string(&path).map_err(|_| CheckpointError::None { path: checkpoint.into() })?;
    let state: State = serde_json::from_str(&text)
        .map_err(|e| CheckpointError::Malformed { path: path.clone(), why: format!("not a checkpoint's state: {e}") })?;
    if state.format > FORMAT {
        let why = format!("its format is {}, and this program reads up to {FORMAT}", state.format);
        return Err(CheckpointError::Malformed { path, why });
    }
    Ok(state)
}

/// Whether every file is what it was when it was written. One of format 1 has no checksums: of it only the state is known to be whole.
///
/// # Errors
/// Which file is not, or is missing.
pub fn verify(checkpoint: &Path) -> Result<(), CheckpointError> {
    let state = read_state(checkpoint)?;
    let malformed = |name: &str, why: String| CheckpointError::Malformed { path: checkpoint.join(name), why };
    let sums = match fs::read_to_string(checkpoint.join(SUMS)) {
        Ok(sums) => sums,
        Err(error) if error.kind() == ErrorKind::NotFound && state.format < 2 => return Ok(()),
        Err(error) => return Err(malformed(SUMS, error.to_string())),
    };
    let names: Vec<&str> = sums.lines().filter_map(|line| Some(line.split_once("  ")?.1)).collect();
    if let Some(missing) = [MODEL, OPTIMIZER, STATE].into_iter().find(|name| !names.contains(name)) {
        return Err(malformed(SUMS, format!("has no checksum of {missing}")));
    }
    names.iter().try_for_each(|name| check(checkpoint, &sums, name))
}

/// Whether one file of a checkpoint is whole, where there is a checksum of it.
///
/// # Errors
/// That it is not.
pub fn verify_file(file: &Path) -> Result<(), CheckpointError> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().map(|name| name.to_string_lossy().into_owned())) else {
        return Ok(());
    };
    match fs::read_to_string(folder.join(SUMS)) {
        Ok(sums) if sums.lines().any(|line| line.ends_with(&format!("  {name}"))) => check(folder, &sums, &name),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn check(checkpoint: &Path, sums: &str, name: &str) -> Result<(), CheckpointError> {
    let path = checkpoint.join(name);
    // A name of a file in this folder and nothing else: whoever wrote the list may be anybody.
    let plain = !name.is_empty() && !name.contains('/') && name != "..";
    let why = match fs::read(&path) {
        _ if !plain => "is no name of a file of a checkpoint".to_string(),
        Err(error) => error.to_string(),
        Ok(bytes) if sums.lines().any(|line| line == format!("{}  {name}", hex(&Sha256::digest(&bytes)))) => return Ok(()),
        Ok(_) => "its checksum is not the one it was written with: it was changed or damaged since".to_string(),
    };
    Err(CheckpointError::Malformed { path, why })
}

/// The newest checkpoint that can be gone on from: whole, and of weights that no loss has spoiled. With it what was passed over,
/// newest first, each with the reason.
pub fn newest_sound(checkpoints: &Path) -> (Option<Found>, Vec<String>) {
    let mut passed = Vec::new();
    // Those whose state cannot be read are passed over as well, and told.
    let mut names: Vec<PathBuf> = fs::read_dir(checkpoints)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("step-")))
        .collect();
    names.sort_by_key(|path| std::cmp::Reverse(step_in(path)));
    for path in names {
        match read(&path).and_then(|found| verify(&path).map(|()| found)) {
            Ok(found) => match found.state.spoiled_at {
                None => return (Some(found), passed),
                Some(step) => passed.push(format!("{}: its weights are spoiled since step {step}", path.display())),
            },
            Err(error) => passed.push(error.to_string()),
        }
    }
    (None, passed)
}

fn step_in(path: &Path) -> Option<Step> {
    path.file_name()?.to_string_lossy().strip_prefix("step-")?.parse().ok()
}

/// The checkpoint of this step.
///
/// # Errors
/// Which ones there are instead.
pub fn at(checkpoints: &Path, step: Step) -> Result<Found, CheckpointError> {
    let all = list(checkpoints);
    let there = all.iter().map(|found| found.state.step).collect();
    all.into_iter().find(|found| found.state.step == step).ok_or_else(|| CheckpointError::NoStep {
        path: checkpoints.to_path_buf(),
        step,
        there,
    })
}

/// The one whose probe found the most robustness, of those that were written with a probe of their own weights under this radius.
pub fn best(all: &[Found], eps: Eps) -> Option<&Found> {
    let score = |found: &Found| found.state.probed.filter(|p| p.step == found.state.step && p.eps == eps).map(|p| p.adversarial);
    all.iter().filter(|found| score(found).is_some()).max_by(|a, b| score(a).unwrap_or(-1.0).total_cmp(&score(b).unwrap_or(-1.0)))
}

/// Keeps a checkpoint whatever the rule says, or no longer.
///
/// # Errors
/// What the file system says.
pub fn pin(checkpoint: &Path, pinned: Pinned) -> io::Result<()> {
    let file = checkpoint.join(PINNED);
    match pinned {
        Pinned::Yes => fs::write(file, ""),
        Pinned::No => match fs::remove_file(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        },
    }
}

/// Removes a checkpoint: from its name first, so that no half of one is ever taken for one.
///
/// # Errors
/// What the file system says.
pub fn remove(checkpoint: &Path) -> io::Result<()> {
    let Some((folder, name)) = checkpoint.parent().zip(checkpoint.file_name()) else { return Ok(()) };
    let away = folder.join(format!(".{}.partial", name.to_string_lossy()));
    let _ = fs::remove_dir_all(&away);
    fs::rename(checkpoint, &away)?;
    fs::remove_dir_all(away)
}

/// Removes what training wrote by itself after this step, which it has gone back behind: those weights are not the run's any more.
pub fn forget_after(checkpoints: &Path, step: Step) {
    for found in list(checkpoints) {
        let by_itself = matches!(found.state.reason, Reason::Periodic | Reason::Best | Reason::BeforeChange);
        if found.state.step > step && by_itself && found.pinned == Pinned::No {
            let _ = remove(&found.path);
        }
    }
}

/// Puts a checkpoint into another run, which begins from it: the same files, and a state of its own.
///
/// # Errors
/// What cannot be read, is not whole, or cannot be written.
pub fn branch(from: &Path, to: &Path, state: &State) -> Result<PathBuf, CheckpointError> {
    verify(from)?;
    let mut files = Vec::new();
    for name in [MODEL, OPTIMIZER, TRAINING, METHOD, WATCH] {
        match fs::read(from.join(name)) {
            Ok(bytes) => files.push((name, bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(CheckpointError::Malformed { path: from.join(name), why: error.to_string() }),
        }
    }
    write(to, state, &files).map(|written| written.path)
}
