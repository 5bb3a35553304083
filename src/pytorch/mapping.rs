//! From the keys of a checkpoint to the bare keys of a network: which dict holds the weights, which prefixes its keys share, what is
//! a normaliser and what is dead weight (ALGORITHMS.md of the project's notes, 13.1).

use super::{Checkpoint, Entry, Limits, Spec, What};

/// Where files keep their state dict, in the order of preference: the first that is there counts.
const SECTIONS: [&str; 6] = ["model", "state_dict", "net", "model_state_dict", "last", "ema"];
/// What wrappers put before every key.
const PREFIXES: [&str; 5] = ["module.", "model.", "net.", "_orig_mod.", "1."];

/// Mean and standard deviation per channel, in units of `[0, 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normaliser {
    pub mean: Vec<f64>,
    pub std: Vec<f64>,
    /// The key of the mean.
    pub key: String,
}

/// Why a key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// MadryLab's files hold the whole network twice.
    Attacker,
    Normaliser,
    BatchCounter,
    /// TRADES' wide ResNets have a block that is never used.
    UnusedBlock,
    /// No tensor.
    NoTensor,
}

impl Why {
    pub fn words(self) -> &'static str {
        match self {
            Self::Attacker => "the attacker's copy of the network",
            Self::Normaliser => "normalisation",
            Self::BatchCounter => "batch counters that nothing reads",
            Self::UnusedBlock => "a block that the network never uses",
            Self::NoTensor => "not tensors",
        }
    }
}

/// What a checkpoint says about one network.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// The keys that lead to the state dict; empty: the whole file is one.
    pub section: Vec<String>,
    /// Taken off all keys, in this order.
    pub prefixes: Vec<&'static str>,
    /// By bare name, in the order of the file.
    pub tensors: Vec<(String, Spec)>,
    pub normaliser: Option<Normaliser>,
    /// Why what looks like one in the file is none.
    pub odd_normaliser: Option<String>,
    pub ignored: Vec<(Why, Vec<String>)>,
    /// Numbers beside the state dict: epoch, accuracies.
    pub numbers: Vec<(String, f64)>,
}

/// # Errors
/// When no state dict is found or two keys become one.
pub fn map(file: &Checkpoint, limits: &Limits) -> Result<Mapped, String> {
    let section = section(file)?;
    let inside = |entry: &&Entry| entry.path.len() == section.len() + 1 && entry.path.starts_with(&section);
    let mut ignored: Vec<(Why, Vec<String>)> = Vec::new();
    let mut tensors: Vec<(String, Spec)> = Vec::new();
    let (mut means, mut stds) = (Vec::new(), Vec::new());
    for entry in file.entries.iter().filter(inside) {
        let key = &entry.path[section.len()];
        let part = |wanted: &str| key.split('.').any(|part| part == wanted);
        let last = key.rsplit('.').next().unwrap_or(key);
        let (why, spec) = match &entry.what {
            What::Tensor(spec) => (
                if part("attacker") {
                    Some(Why::Attacker)
                } else if last == "num_batches_tracked" {
                    Some(Why::BatchCounter)
                } else if part("sub_block1") {
                    Some(Why::UnusedBlock)
                } else if ["new_mean", "mean", "mu", "new_std", "std", "sigma"].contains(&last) {
                    Some(Why::Normaliser)
                } else {
                    None
                },
                Some(spec),
            ),
            What::Number(_) | What::Text(_) | What::Other(_) => (Some(Why::NoTensor), None),
        };
        match (why, spec) {
            (None, Some(spec)) => tensors.push((key.clone(), spec.clone())),
            (why, spec) => {
                let why = why.unwrap_or(Why::NoTensor);
                if let (Why::Normaliser, Some(spec)) = (why, spec) {
                    let list = if last == "new_mean" || last == "mean" || last == "mu" { &mut means } else { &mut stds };
                    list.push((key.clone(), spec.clone()));
                }
                match ignored.iter_mut().find(|(w, _)| *w == why) {
                    Some((_, keys)) => keys.push(key.clone()),
                    None => ignored.push((why, vec![key.clone()])),
                }
            }
        }
    }
    let mut prefixes = Vec::new();
    while let Some(&prefix) = PREFIXES.iter().find(|p| !tensors.is_empty() && tensors.iter().all(|(key, _)| key.starts_with(**p)))
    {
        for (key, _) in &mut tensors {
            key.drain(..prefix.len());
        }
        prefixes.push(prefix);
    }
    let mut sorted: Vec<&str> = tensors.iter().map(|(key, _)| key.as_str()).collect();
    sorted.sort_unstable();
    if let Some([twice, _]) = sorted.array_windows().find(|[a, b]| a == b) {
        return Err(format!("the tensor '{twice}' is in it twice"));
    }
    let numbers = file
        .entries
        .iter()
        .filter_map(|entry| match (&entry.what, entry.path.as_slice()) {
            (What::Number(v), [key]) => Some((key.clone(), *v)),
            // MadryLab keeps accuracies as tensors of one element.
            (What::Tensor(spec), [key]) if !section.is_empty() && spec.elements() == 1 => {
                file.values(spec, limits).ok().map(|v| (key.clone(), f64::from(v[0])))
            }
            _ => None,
        })
        .collect();
    let stated = || -> Option<Normaliser> {
        // Of our own exports; empty lists say that pixels are taken as they are.
        let list = |key: &str| serde_json::from_str::<Vec<f64>>(file.metadata.get(key)?).ok();
        let (mean, std) = (list("mean")?, list("std")?);
        let sound = mean.len() == std.len() && std.iter().all(|s| *s > 0.0) && mean.iter().chain(&std).all(|v| v.is_finite());
        sound.then(|| Normaliser { mean, std, key: "metadata".into() })
    };
    let (normaliser, odd_normaliser) = match normaliser(file, &means, &stds, limits) {
        Ok(None) => (stated(), None),
        Ok(normaliser) => (normaliser, None),
        Err(why) => (None, Some(why)),
    };
    ignored.sort();
    Ok(Mapped { section, prefixes, tensors, normaliser, odd_normaliser, ignored, numbers })
}

/// The keys that lead to the dict with the weights.
fn section(file: &Checkpoint) -> Result<Vec<String>, String> {
    let mut path: Vec<String> = Vec::new();
    loop {
        let below = |key: &str| {
            file.entries.iter().any(|e| e.path.len() > path.len() + 1 && e.path.starts_with(&path) && e.path[path.len()] == key)
        };
        if let Some(key) = SECTIONS.iter().find(|key| below(key)) {
            path.push((*key).to_owned());
            continue;
        }
        let direct = |e: &&Entry| e.path.len() == path.len() + 1 && e.path.starts_with(&path);
        if file.entries.iter().filter(direct).any(|e| matches!(e.what, What::Tensor(_))) {
            return Ok(path);
        }
        let mut keys: Vec<&str> = file.entries.iter().filter_map(|e| e.path.first().map(String::as_str)).collect();
        keys.dedup();
        keys.truncate(20);
        let whole = match file.entries.first() {
            Some(Entry { path, what: What::Other(what) }) if path.is_empty() => {
                format!("the file is one object, {what}: save model.state_dict() of it with torch.save")
            }
            _ => format!("no state dict was found; its keys are: {}", keys.join(", ")),
        };
        let objects: Vec<String> = file
            .entries
            .iter()
            .filter_map(|e| match (&e.what, e.path.as_slice()) {
                (What::Other(what), [key]) if SECTIONS.contains(&key.as_str()) => Some(format!("'{key}' is {what}")),
                _ => None,
            })
            .collect();
        return Err(if objects.is_empty() { whole } else { format!("{whole} ({}, which is not opened)", objects.join(", ")) });
    }
}

type Keyed = (String, Spec);

fn normaliser(file: &Checkpoint, means: &[Keyed], stds: &[Keyed], limits: &Limits) -> Result<Option<Normaliser>, String> {
    let (Some((key, mean)), Some((_, std))) = (means.first(), stds.first()) else {
        return match means.first().or(stds.first()) {
            Some((key, _)) => Err(format!("it has '{key}' and not the other half of the normaliser; say --mean and --std")),
            None => Ok(None),
        };
    };
    let read = |spec: &Spec| -> Result<Vec<f64>, String> {
        if !(1..=4).contains(&spec.elements()) {
            return Err(format!(
                "its normaliser '{key}' has shape {:?}, not one number a channel; say --mean and --std",
                spec.shape
            ));
        }
        let values = file.values(spec, limits)?;
        // Written as f32: the shortest decimal that is the same f32 is what a person once wrote.
        Ok(values.iter().map(|v| v.to_string().parse().unwrap_or(f64::from(*v))).collect())
    };
    let (mean, std) = (read(mean)?, read(std)?);
    if mean.len() != std.len() || mean.iter().chain(&std).any(|v| !v.is_finite()) || std.iter().any(|s| *s <= 0.0) {
        return Err(format!("its normaliser '{key}' is mean {mean:?}, std {std:?}, which cannot be; say --mean and --std"));
    }
    Ok(Some(Normaliser { mean, std, key: key.clone() }))
}
