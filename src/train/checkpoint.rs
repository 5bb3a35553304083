//! Everything training needs to go on as if it had never stopped, in a folder that appears whole or not at all.
//!
//! `checkpoints/step-00000710/` holds `model.safetensors` (usable by itself as a teacher), `optimizer.safetensors` (the momentum by
//! parameter name) and `state.json`; with `train.ema` the model is the mean of weights and `training.safetensors` holds the weights
//! themselves; `method.safetensors` is there where a method carries tensors from step to step (Free AT's perturbation). Randomness needs nothing saved: it is a function of seed and step. Retention: what a person
//! asked for stays; of the periodic ones the newest two and the best stay.

use super::sgd::Sgd;
use crate::config::Eps;
use crate::nn::Model;
use crate::nn::file::{self, FileError};
use crate::protocol::{Controls, Step, Timed};
use crate::run::store::write_atomically;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tch::Tensor;

pub const FORMAT: u32 = 1;
const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
/// The weights in training, where `MODEL` is their mean.
const TRAINING: &str = "training.safetensors";
const METHOD: &str = "method.safetensors";
const STATE: &str = "state.json";

/// What is not a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub format: u32,
    /// Steps done.
    pub step: Step,
    pub controls: Controls,
    pub reason: Reason,
    /// Of the newest probe on validation images, if there was one.
    pub adversarial: Option<f64>,
    /// How often a dial was turned.
    pub changes: u64,
    pub train_seconds: f64,
    pub evaluation_seconds: f64,
    #[serde(default)]
    pub watched: Watched,
    /// Changes that are still to come.
    #[serde(default)]
    pub scheduled: Vec<Timed>,
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
}

/// The tensors of a checkpoint.
pub struct Parts<'a> {
    pub student: &'a Model,
    /// The mean of its weights, where one is kept: what is judged and what others may use.
    pub mean: Option<&'a Model>,
    pub sgd: &'a Sgd,
    /// What the method carries from step to step.
    pub method: Vec<(String, Tensor)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Periodic,
    Asked,
    Stopped,
    Final,
}

#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("{}: {source}; the checkpoint was not saved, the ones before it are untouched", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("{}: {why}; choose another checkpoint of the run", path.display())]
    Malformed { path: PathBuf, why: String },
    #[error("{}: no checkpoint there; give a run's folder, a checkpoint's folder (checkpoints/step-...) or a model.safetensors file", path.display())]
    None { path: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
}

/// Where a checkpoint went and how large it is.
pub struct Written {
    pub path: PathBuf,
    pub bytes: u64,
}

/// Saves into `checkpoints/step-N`. One that is there already for this step is replaced.
pub fn save(
    checkpoints: &Path,
    tensors: &Parts,
    state: &State,
    provenance: &serde_json::Value,
) -> Result<Written, CheckpointError> {
    let name = format!("step-{:08}", state.step);
    let (path, partial) = (checkpoints.join(&name), checkpoints.join(format!(".{name}.partial")));
    let fail = |path: &Path| {
        let path = path.to_path_buf();
        move |source| CheckpointError::Unwritable { path, source }
    };
    let format = |name: &str| HashMap::from([("format".into(), name.into())]);
    let student = tensors.student;
    let momentum = file::encode(&student.parameters.named(tensors.sgd.velocity()), format("rematch-momentum-1"));
    let state_json = serde_json::to_vec_pretty(state).map_err(|e| fail(&path)(e.into()))?;
    let model = tensors.mean.unwrap_or(student).to_bytes(provenance);
    let mut parts = vec![(MODEL, model), (OPTIMIZER, momentum), (STATE, state_json)];
    if tensors.mean.is_some() {
        parts.push((TRAINING, student.to_bytes(provenance)));
    }
    if !tensors.method.is_empty() {
        parts.push((METHOD, file::encode(&tensors.method, format("rematch-method-1"))));
    }
    if partial.exists() {
        std::fs::remove_dir_all(&partial).map_err(fail(&partial))?;
    }
    std::fs::create_dir_all(&partial).map_err(fail(&partial))?;
    let written = (|| {
        for (name, bytes) in &parts {
            write_atomically(&partial.join(name), bytes)?;
        }
        if path.exists() {
            // A folder cannot be renamed over another one. The old one is out of the way only for this moment.
            let old = checkpoints.join(format!(".{name}.old"));
            std::fs::rename(&path, &old)?;
            std::fs::rename(&partial, &path)?;
            std::fs::remove_dir_all(&old)?;
        } else {
            std::fs::rename(&partial, &path)?;
        }
        std::fs::File::open(checkpoints)?.sync_all()
    })();
    if let Err(source) = written {
        let _ = std::fs::remove_dir_all(&partial);
        return Err(fail(&path)(source));
    }
    Ok(Written { path, bytes: parts.iter().map(|(_, b)| b.len() as u64).sum() })
}

/// Removes periodic checkpoints but for the newest two and the best. Failing to is no reason to stop training.
pub fn prune(checkpoints: &Path) {
    let mut periodic: Vec<(PathBuf, State)> =
        list(checkpoints).into_iter().filter(|(_, state)| state.reason == Reason::Periodic).collect();
    if let Some(best) = (0..periodic.len()).max_by(|&a, &b| {
        let score = |i: usize| periodic[i].1.adversarial.unwrap_or(-1.0);
        score(a).total_cmp(&score(b))
    }) {
        periodic.remove(best);
    }
    let newest = periodic.len().saturating_sub(2);
    for (path, _) in &periodic[..newest] {
        let _ = std::fs::remove_dir_all(path);
    }
}

/// The whole checkpoints of a folder, oldest step first.
pub fn list(checkpoints: &Path) -> Vec<(PathBuf, State)> {
    let mut found: Vec<(PathBuf, State)> = std::fs::read_dir(checkpoints)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("step-")))
        .filter_map(|path| read_state(&path).ok().map(|state| (path, state)))
        .collect();
    found.sort_by_key(|(_, state)| state.step);
    found
}

fn read_state(checkpoint: &Path) -> Result<State, CheckpointError> {
    let path = checkpoint.join(STATE);
    let text = std::fs::read_to_string(&path).map_err(|_| CheckpointError::None { path: checkpoint.into() })?;
    let state: State = serde_json::from_str(&text)
        .map_err(|e| CheckpointError::Malformed { path: path.clone(), why: format!("not a checkpoint's state: {e}") })?;
    if state.format > FORMAT {
        let why = format!("its format is {}, and this program reads up to {FORMAT}", state.format);
        return Err(CheckpointError::Malformed { path, why });
    }
    Ok(state)
}

/// Puts a checkpoint's weights, their mean and the momentum into place and gives its state and what the method carried.
pub fn restore(
    checkpoint: &Path,
    model: &Model,
    mean: Option<&Model>,
    sgd: &Sgd,
) -> Result<(State, Vec<(String, Tensor)>), CheckpointError> {
    let state = read_state(checkpoint)?;
    let malformed = |name: &str, why: String| CheckpointError::Malformed { path: checkpoint.join(name), why };
    let fill = |name: &str, model: &Model| -> Result<(), CheckpointError> {
        let (tensors, _) = file::decode(&checkpoint.join(name))?;
        model.fill(&tensors).map_err(|why| malformed(name, why))
    };
    match mean {
        Some(mean) => {
            fill(TRAINING, model)?;
            fill(MODEL, mean)?;
        }
        None => fill(MODEL, model)?,
    }
    let (momentum, _) = file::decode(&checkpoint.join(OPTIMIZER))?;
    let expected = model.parameters.trainable().count();
    if momentum.len() != expected {
        return Err(malformed(OPTIMIZER, format!("{} tensors, expected {expected}", momentum.len())));
    }
    for (name, tensor) in &momentum {
        if !model.parameters.place(sgd.velocity(), name, tensor) {
            return Err(malformed(OPTIMIZER, format!("tensor '{name}' does not belong to this network")));
        }
    }
    let carried = checkpoint.join(METHOD);
    let carried = if carried.exists() { file::decode(&carried)?.0 } else { Vec::new() };
    Ok((state, carried))
}

/// What a method's own file should not have been.
pub(super) fn foreign(checkpoint: &Path, why: String) -> CheckpointError {
    CheckpointError::Malformed { path: checkpoint.join(METHOD), why }
}

/// The model file that a path means: the file itself, a checkpoint's, or that of a run's newest checkpoint.
pub fn model_file(path: &Path) -> Result<PathBuf, CheckpointError> {
    if path.is_file() {
        return Ok(path.into());
    }
    if path.join(MODEL).is_file() {
        return Ok(path.join(MODEL));
    }
    // A run's folder, or its folder of checkpoints.
    let newest = list(&path.join("checkpoints")).pop().or_else(|| list(path).pop());
    newest.map(|(folder, _)| folder.join(MODEL)).ok_or_else(|| CheckpointError::None { path: path.into() })
}
