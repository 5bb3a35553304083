//! From the keys of a checkpoint to the bare keys of a network: which dict holds the weights, which prefixes its keys share, what is
//! a normaliser and what is dead weight (ALGORITHMS.md of the project's notes, 13.1).

use super::candidates::{self, Keys};
use super::{Checkpoint, Entry, Limits, Spec, What};
use std::collections::{HashMap, HashSet};

/// Where files keep their state dict, in the order of preference: the first that is there counts.
pub const SECTIONS: [&str; 6] = ["model", "state_dict", "net", "model_state_dict", "last", "ema"];
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
    /// A buffer, counter or weight of a loss.
    Stray,
    OtherNetwork,
    /// Left out by `--section` or `--prefix`.
    NotChosen,
}

impl Why {
    pub fn words(self) -> &'static str {
        match self {
            Self::Attacker => "the attacker's copy of the network",
            Self::Normaliser => "normalisation",
            Self::BatchCounter => "batch counters that nothing reads",
            Self::UnusedBlock => "a block that the network never uses",
            Self::NoTensor => "not tensors",
            Self::Stray => "that belong to no layer of the network",
            Self::OtherNetwork => "of another network in the file",
            Self::NotChosen => "left out by --section or --prefix",
        }
    }
}

/// What a checkpoint says about one network.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// The keys that lead to the state dict; empty: the whole file is one.
    pub section: Vec<String>,
    /// Taken off all keys, in this order; of wrappers wherever they stand in one.
    pub prefixes: Vec<String>,
    /// The last of them, where it is none of a wrapper.
    pub prefix: String,
    /// By bare name, in the order of the file.
    pub tensors: Vec<(String, Spec)>,
    /// Names that the file gives to tensors of another name here.
    pub renamed: Vec<(String, String)>,
    pub normaliser: Option<Normaliser>,
    /// Why what looks like one in the file is none.
    pub odd_normaliser: Option<String>,
    pub ignored: Vec<(Why, Vec<String>)>,
    /// Numbers beside the state dict: epoch, accuracies.
    pub numbers: Vec<(String, f64)>,
}

/// Why a tensor of this key is no weight, by its name alone.
pub fn known(key: &str) -> Option<Why> {
    let part = |wanted: &str| key.split('.').any(|part| part == wanted);
    let last = key.rsplit('.').next().unwrap_or(key);
    if candidates::is_attacker(key) {
        Some(Why::Attacker)
    } else if last == "num_batches_tracked" {
        Some(Why::BatchCounter)
    } else if part("sub_block1") {
        Some(Why::UnusedBlock)
    } else if MEANS.contains(&last) || STDS.contains(&last) {
        Some(Why::Normaliser)
    } else {
        None
    }
}

const MEANS: [&str; 3] = ["new_mean", "mean", "mu"];
const STDS: [&str; 3] = ["new_std", "std", "sigma"];

/// What is not taken, and why.
#[derive(Default)]
struct Ignored {
    by_reason: Vec<(Why, Vec<String>)>,
    means: Vec<Keyed>,
    stds: Vec<Keyed>,
}

impl Ignored {
    fn add(&mut self, why: Why, key: &str, what: &What) {
        if let (Why::Normaliser, What::Tensor(spec)) = (why, what) {
            let mean = MEANS.contains(&key.rsplit('.').next().unwrap_or(key));
            let list = if mean { &mut self.means } else { &mut self.stds };
            list.push((key.to_owned(), spec.clone()));
        }
        match self.by_reason.iter_mut().find(|(w, _)| *w == why) {
            Some((_, keys)) => keys.push(key.to_owned()),
            None => self.by_reason.push((why, vec![key.to_owned()])),
        }
    }

    /// The whole, with what else the file says of the network.
    fn finish(mut self, file: &Checkpoint, limits: &Limits, mut mapped: Mapped) -> Mapped {
        (mapped.normaliser, mapped.odd_normaliser) = match normaliser(file, &self.means, &self.stds, limits) {
            Ok(None) => (stated(file), None),
            Ok(normaliser) => (normaliser, None),
            Err(why) => (None, Some(why)),
        };
        mapped.numbers = numbers(file, &mapped.section, limits);
        self.by_reason.sort();
        mapped.ignored = self.by_reason;
        mapped
    }
}

/// The one state dict of a file, if its place and prefixes are those of old; where a network lies elsewhere, `nn::import` finds it.
///
/// # Errors
/// When no state dict is found or two keys become one.
pub fn map(file: &Checkpoint, limits: &Limits) -> Result<Mapped, String> {
    let section = section(file)?;
    let inside = |entry: &&Entry| entry.path.len() == section.len() + 1 && entry.path.starts_with(&section);
    let mut ignored = Ignored::default();
    let mut tensors: Vec<(String, Spec)> = Vec::new();
    for entry in file.entries.iter().filter(inside) {
        let key = &entry.path[section.len()];
        match (&entry.what, known(key)) {
            (What::Tensor(spec), None) => tensors.push((key.clone(), spec.clone())),
            (What::Tensor(_), Some(why)) => ignored.add(why, key, &entry.what),
            (What::Number(_) | What::Text(_) | What::Other(_), _) => ignored.add(Why::NoTensor, key, &entry.what),
        }
    }
    let mut prefixes = Vec::new();
    while let Some(&prefix) = PREFIXES.iter().find(|p| !tensors.is_empty() && tensors.iter().all(|(key, _)| key.starts_with(**p)))
    {
        for (key, _) in &mut tensors {
            key.drain(..prefix.len());
        }
        prefixes.push(prefix.to_owned());
    }
    let mut sorted: Vec<&str> = tensors.iter().map(|(key, _)| key.as_str()).collect();
    sorted.sort_unstable();
    if let Some([twice, _]) = sorted.array_windows().find(|[a, b]| a == b) {
        return Err(format!("the tensor '{twice}' is in it twice"));
    }
    Ok(ignored.finish(file, limits, Mapped { section, prefixes, tensors, ..Mapped::empty() }))
}

/// Tensors of one network, as `nn::import` found them.
pub struct Taken<'t> {
    /// Of the flat names of its layers; empty or with a dot at its end.
    pub prefix: &'t str,
    /// The network's own names, and the entries.
    pub tensors: Vec<(String, usize)>,
    /// Names that differ: the file's, the network's.
    pub renamed: Vec<(String, String)>,
    /// Entries of other networks in the file.
    pub others: &'t HashSet<usize>,
}

/// What the checkpoint says about a network that was found in it.
pub fn assemble(file: &Checkpoint, limits: &Limits, keys: &Keys, taken: Taken) -> Mapped {
    let Taken { prefix, mut tensors, renamed, others } = taken;
    tensors.sort_by_key(|(_, entry)| *entry);
    let entries: HashSet<usize> = tensors.iter().map(|(_, entry)| *entry).collect();
    let section = section_of(file, &entries);
    let region = beside(file, &entries);
    let mut ignored = Ignored::default();
    for (at, entry) in file.entries.iter().enumerate().filter(|(at, _)| region.contains(at)) {
        let key = &entry.path[section.len()..].join(".");
        let why = match (&entry.what, known(key)) {
            (What::Number(_) | What::Text(_) | What::Other(_), _) => Why::NoTensor,
            (What::Tensor(_), Some(why)) => why,
            (What::Tensor(_), None) if others.contains(&at) => Why::OtherNetwork,
            (What::Tensor(_), None) if keys.unchosen.contains(&at) => Why::NotChosen,
            (What::Tensor(_), None) => Why::Stray,
        };
        ignored.add(why, key, &entry.what);
    }
    // Of several normalisers the one nearest to the network.
    let place = section.join(".");
    let inner = prefix.strip_prefix(&place).unwrap_or(prefix).trim_start_matches('.');
    let near = |key: &str| {
        let bare = candidates::without_wrappers(key);
        bare.split('.').zip(inner.split('.')).take_while(|(a, b)| a == b).count()
    };
    ignored.means.sort_by_key(|(key, _)| std::cmp::Reverse(near(key)));
    ignored.stds.sort_by_key(|(key, _)| std::cmp::Reverse(near(key)));
    let mut prefixes: Vec<String> = Vec::new();
    let flat: HashMap<usize, &str> = keys.keys.iter().map(|key| (key.entry, key.flat.as_str())).collect();
    for (_, entry) in &tensors {
        let key = file.entries[*entry].path.last().map_or("", String::as_str);
        let off = |wrapper: &String| flat.get(entry).is_none_or(|flat| !flat.contains(wrapper.as_str()));
        for wrapper in candidates::wrappers(key).filter(off) {
            if !prefixes.contains(&wrapper) {
                prefixes.push(wrapper);
            }
        }
    }
    if !inner.is_empty() {
        prefixes.push(inner.to_owned());
    }
    let tensors = tensors.into_iter().filter_map(|(name, entry)| match &file.entries[entry].what {
        What::Tensor(spec) => Some((name, spec.clone())),
        _ => None,
    });
    let tensors = tensors.collect();
    let prefix = inner.to_owned();
    ignored.finish(file, limits, Mapped { section, prefixes, prefix, tensors, renamed, ..Mapped::empty() })
}

/// The keys that lead to all of these entries.
pub fn section_of(file: &Checkpoint, entries: &HashSet<usize>) -> Vec<String> {
    let mut dicts = entries.iter().filter_map(|entry| file.entries[*entry].path.split_last()).map(|(_, dict)| dict);
    let Some(first) = dicts.next() else { return Vec::new() };
    let same = |common: usize, dict: &[String]| first[..common].iter().zip(dict).take_while(|(a, b)| a == b).count();
    let common = dicts.fold(first.len(), same);
    first[..common].to_vec()
}

/// Entries that stand where these do: in their dict; where they stand in several, everywhere below what these have in common. Not those
/// themselves.
pub fn beside(file: &Checkpoint, entries: &HashSet<usize>) -> HashSet<usize> {
    let section = section_of(file, entries);
    let direct = |path: &[String]| path.len() == section.len() + 1;
    let one = entries.iter().all(|entry| direct(&file.entries[*entry].path));
    let inside = |(at, entry): (usize, &Entry)| {
        let path = &entry.path;
        let here = path.len() > section.len() && path.starts_with(&section) && (!one || direct(path)) && !entries.contains(&at);
        here.then_some(at)
    };
    file.entries.iter().enumerate().filter_map(inside).collect()
}

impl Mapped {
    fn empty() -> Self {
        Self {
            section: Vec::new(),
            prefixes: Vec::new(),
            prefix: String::new(),
            tensors: Vec::new(),
            renamed: Vec::new(),
            normaliser: None,
            odd_normaliser: None,
            ignored: Vec::new(),
            numbers: Vec::new(),
        }
    }
}

/// Numbers beside the state dict.
fn numbers(file: &Checkpoint, section: &[String], limits: &Limits) -> Vec<(String, f64)> {
    let number = |entry: &Entry| match (&entry.what, entry.path.as_slice()) {
        (What::Number(v), [key]) => Some((key.clone(), *v)),
        // MadryLab keeps accuracies as tensors of one element.
        (What::Tensor(spec), [key]) if !section.is_empty() && spec.elements() == 1 => {
            file.values(spec, limits).ok().map(|v| (key.clone(), f64::from(v[0])))
        }
        _ => None,
    };
    file.entries.iter().filter_map(number).collect()
}

/// The normaliser in the header of our own exports; empty lists say that pixels are taken as they are.
fn stated(file: &Checkpoint) -> Option<Normaliser> {
    let list = |key: &str| serde_json::from_str::<Vec<f64>>(file.metadata.get(key)?).ok();
    let (mean, std) = (list("mean")?, list("std")?);
    let sound = mean.len() == std.len() && std.iter().all(|s| *s > 0.0) && mean.iter().chain(&std).all(|v| v.is_finite());
    sound.then(|| Normaliser { mean, std, key: "metadata".into() })
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
            Some(Entry { path, what: What::Tensor(spec) }) if path.is_empty() => {
                format!(
                    "the file is one tensor of shape {:?}, without a name: save model.state_dict() with torch.save",
                    spec.shape
                )
            }
            None => "no state dict was found: nothing is in it".into(),
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
