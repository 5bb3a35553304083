//! Everything training needs to go on as if it had never stopped: from tensors to the bytes of a checkpoint, and back.
//!
//! Taking one copies tensors to the host, which is all that training waits for; [`super::saver`] writes them. What lies where, and
//! which checkpoints stay, is [`crate::run::checkpoints`]'. Randomness needs nothing saved: it is a function of seed and step.

use super::sgd::Sgd;
use crate::nn::Model;
use crate::nn::file::{self, FileError, Host};
use crate::run::checkpoints::{self, METHOD, MODEL, OPTIMIZER, TRAINING, WATCH};
pub use crate::run::checkpoints::{FORMAT, Found, Probed, Reason, State, Watched, newest_sound};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tch::Tensor;

/// The tensors of a checkpoint.
pub struct Parts<'a> {
    pub student: &'a Model,
    /// The mean of its weights, where one is kept: what is judged and what others may use.
    pub mean: Option<&'a Model>,
    pub sgd: &'a Sgd,
    /// What the method carries from step to step.
    pub method: Vec<(String, Tensor)>,
    /// What the watch would go back to.
    pub watch: Vec<(String, Tensor)>,
}

#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    Store(#[from] checkpoints::CheckpointError),
    #[error(transparent)]
    File(#[from] FileError),
}

/// A checkpoint on the host.
pub struct Snapshot {
    pub state: State,
    files: Vec<(&'static str, Host)>,
}

impl Snapshot {
    /// Copies everything that training will change.
    pub fn take(parts: &Parts, state: State, provenance: &serde_json::Value) -> Self {
        let format = |name: &str| HashMap::from([("format".into(), name.into())]);
        let student = parts.student;
        let momentum = Host::copy(&student.parameters.named(parts.sgd.velocity()), format("rematch-momentum-1"));
        let mut files = vec![(MODEL, parts.mean.unwrap_or(student).to_host(provenance)), (OPTIMIZER, momentum)];
        if parts.mean.is_some() {
            files.push((TRAINING, student.to_host(provenance)));
        }
        for (name, tensors, what) in [(METHOD, &parts.method, "rematch-method-1"), (WATCH, &parts.watch, "rematch-watch-1")] {
            if !tensors.is_empty() {
                files.push((name, Host::copy(tensors, format(what))));
            }
        }
        Self { state, files }
    }

    /// The files of the checkpoint; on any thread.
    pub fn encode(self) -> (State, Vec<(&'static str, Vec<u8>)>) {
        (self.state, self.files.into_iter().map(|(name, host)| (name, host.encode())).collect())
    }
}

/// What is not put into place by [`restore`] itself.
pub struct Carried {
    pub state: State,
    pub method: Vec<(String, Tensor)>,
    pub watch: Vec<(String, Tensor)>,
}

/// Puts a checkpoint's weights, their mean and the momentum into place, once every file of it is known to be whole.
pub fn restore(checkpoint: &Path, model: &Model, mean: Option<&Model>, sgd: &Sgd) -> Result<Carried, CheckpointError> {
    checkpoints::verify(checkpoint)?;
    let state = checkpoints::read_state(checkpoint)?;
    let fill = |name: &str, model: &Model| -> Result<(), CheckpointError> {
        let (tensors, _) = file::decode(&checkpoint.join(name))?;
        model.fill(&tensors).map_err(|why| foreign(checkpoint, name, why))
    };
    match mean {
        // A run without a mean of weights may be branched into one with it: then it begins at the weights.
        Some(mean) => {
            fill(if checkpoint.join(TRAINING).exists() { TRAINING } else { MODEL }, model)?;
            fill(MODEL, mean)?;
        }
        None => fill(MODEL, model)?,
    }
    let (momentum, _) = file::decode(&checkpoint.join(OPTIMIZER))?;
    let expected = model.parameters.trainable().count();
    if momentum.len() != expected {
        return Err(foreign(checkpoint, OPTIMIZER, format!("{} tensors, expected {expected}", momentum.len())));
    }
    for (name, tensor) in &momentum {
        if !model.parameters.place(sgd.velocity(), name, tensor) {
            return Err(foreign(checkpoint, OPTIMIZER, format!("tensor '{name}' does not belong to this network")));
        }
    }
    let optional = |name: &str| -> Result<Vec<(String, Tensor)>, CheckpointError> {
        let file = checkpoint.join(name);
        Ok(if file.exists() { file::decode(&file)?.0 } else { Vec::new() })
    };
    Ok(Carried { state, method: optional(METHOD)?, watch: optional(WATCH)? })
}

/// What a file of a checkpoint should not have been.
pub(super) fn foreign(checkpoint: &Path, name: &str, why: String) -> CheckpointError {
    checkpoints::CheckpointError::Malformed { path: checkpoint.join(name), why }.into()
}

/// The model file that a path means: the file itself, a checkpoint's, or that of a run's newest checkpoint. It is what it was when it
/// was written, where that can be known.
pub fn model_file(path: &Path) -> Result<PathBuf, CheckpointError> {
    let file = if path.is_file() {
        path.to_path_buf()
    } else if path.join(MODEL).is_file() {
        path.join(MODEL)
    } else {
        // A run's folder, or its folder of checkpoints.
        let newest = |folder: &Path| checkpoints::list(folder).into_iter().rev().find(|found| found.state.spoiled_at.is_none());
        let found = newest(&path.join("checkpoints")).or_else(|| newest(path));
        found.map(|found| found.path.join(MODEL)).ok_or_else(|| checkpoints::CheckpointError::None { path: path.into() })?
    };
    checkpoints::verify_file(&file)?;
    Ok(file)
}

/// Where two checkpoints differ, tensor by tensor: the first that is not the same to the last bit.
///
/// # Errors
/// A file that cannot be read.
pub fn difference(one: &Path, other: &Path) -> Result<Option<String>, CheckpointError> {
    for name in [MODEL, OPTIMIZER, TRAINING, METHOD] {
        let (a, b) = (one.join(name), other.join(name));
        match (a.exists(), b.exists()) {
            (false, false) => continue,
            (true, true) => {}
            (true, false) | (false, true) => return Ok(Some(format!("only one of them has {name}"))),
        }
        let sorted = |path: &Path| -> Result<Vec<(String, Tensor)>, CheckpointError> {
            let (mut tensors, _) = file::decode(path)?;
            tensors.sort_by(|a, b| a.0.cmp(&b.0));
            Ok(tensors)
        };
        let (a, b) = (sorted(&a)?, sorted(&b)?);
        if a.len() != b.len() {
            return Ok(Some(format!("{name} has {} and {} tensors", a.len(), b.len())));
        }
        for ((left, x), (right, y)) in a.iter().zip(&b) {
            // Bits, not numbers: 0 and -0 are different, and a NaN is the same as itself.
            let bits = |t: &Tensor| t.view_dtype(tch::Kind::Int);
            if left != right || x.size() != y.size() || !bits(x).equal(&bits(y)) {
                return Ok(Some(format!("{name}: tensor '{left}'")));
            }
        }
    }
    Ok(None)
}
