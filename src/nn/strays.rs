//! Tensors beside a network in its dict: buffers and weights of losses are passed over, and what looks like a layer is not.
//!
//! A layer that the network here does not have would make it another function, so such a file is refused rather than loaded wrongly.

use super::finding::{Match, shape_of};
use crate::pytorch::candidates::{Key, Keys};
use crate::pytorch::mapping::{beside, known, section_of};
use crate::pytorch::{Checkpoint, Dtype, What};
use std::collections::HashSet;

/// Names of tensors that only layers have.
const OF_LAYERS: [&str; 17] = [
    "weight",
    "bias",
    "running_mean",
    "running_var",
    "weight_orig",
    "weight_mask",
    "weight_g",
    "weight_v",
    "original",
    "original0",
    "original1",
    "in_proj_weight",
    "gamma",
    "beta",
    "alpha",
    "scale",
    "shift",
];
/// Parts of names of losses and measures.
const LOSSES: [&str; 4] = ["loss", "criterion", "objective", "metric"];
/// Parts of names of tables that are kept beside a network.
const TABLES: [&str; 12] =
    ["center", "queue", "proto", "memory", "bank", "noise", "delta", "perturb", "class_weight", "optim", "exp_avg", "momentum"];

/// What stands beside this network, belongs to no network of `taken`, and looks like a layer.
pub(super) fn layers<'k>(file: &Checkpoint, keys: &'k Keys, network: &Match, taken: &HashSet<usize>) -> Vec<&'k Key> {
    let own: HashSet<usize> = network.tensors.iter().map(|(_, entry)| *entry).collect();
    let mut modules: HashSet<&str> = HashSet::new();
    for key in keys.keys.iter().filter(|key| own.contains(&key.entry)) {
        let mut module = parent(&key.flat);
        while !module.is_empty() && module.len() + 1 != network.prefix.len() && modules.insert(module) {
            module = Some(parent(module)).filter(|above| above.starts_with(&network.prefix)).unwrap_or_default();
        }
    }
    let region = beside(file, &own);
    let is_beside = |key: &&Key| {
        let last = file.entries[key.entry].path.last();
        region.contains(&key.entry) && !taken.contains(&key.entry) && last.is_some_and(|last| known(last).is_none())
    };
    let beside: Vec<&Key> = keys.keys.iter().filter(is_beside).collect();
    let parents: HashSet<(&str, &str)> = beside.iter().map(|key| (parent(&key.flat), leaf(&key.flat))).collect();
    let root = network.prefix.trim_end_matches('.');
    let is_layer = |key: &&Key| {
        let (module, leaf) = (parent(&key.flat), leaf(&key.flat));
        // A part of a layer that the network has, or of a block of it.
        let mut above = module;
        let mut within = false;
        while !above.is_empty() && !within {
            within = modules.contains(above);
            above = parent(above);
        }
        let losses = LOSSES.iter().any(|word| key.flat.to_lowercase().contains(word));
        let spec = match &file.entries[key.entry].what {
            What::Tensor(spec) => spec,
            // Not read, and perhaps no tensor at all.
            What::Other(what) => return OF_LAYERS.contains(&leaf) && !losses && what != "None",
            What::Number(_) | What::Text(_) => return false,
        };
        let counts = !matches!(spec.dtype, Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::F64);
        if within {
            return !(counts && spec.elements() <= 1);
        }
        if losses {
            return false;
        }
        match leaf {
            "weight" if spec.shape.len() == 1 => {
                // One number a class, and nothing beside it: a loss's.
                let alone = ["bias", "running_mean", "running_var"].iter().all(|other| !parents.contains(&(module, *other)));
                !(alone && spec.elements() == network.identity.classes)
            }
            "weight" | "bias" => true,
            leaf if OF_LAYERS.contains(&leaf) => {
                let at_root = root == module || root.starts_with(&format!("{module}.")) || module.is_empty();
                !(counts || at_root && spec.elements() <= 1)
            }
            _ if counts || spec.shape.len() < 2 => false,
            _ => !TABLES.iter().any(|word| key.flat.to_lowercase().contains(word)),
        }
    };
    let mut layers: Vec<&Key> = beside.into_iter().filter(is_layer).collect();
    // What says most comes first.
    layers.sort_by_key(|key| std::cmp::Reverse(shape_of(file, key.entry).map_or(0, <[usize]>::len)));
    layers
}

/// Why a network is not taken that has such tensors beside it.
pub(super) fn refused(file: &Checkpoint, keys: &Keys, network: &Match, place: &str, layers: &[&Key]) -> String {
    let name = network.identity.network.name();
    let shown = layers.iter().take(5).map(|key| match (shape_of(file, key.entry), &file.entries[key.entry].what) {
        (Some(shape), _) => format!("'{}' {shape:?}", key.flat),
        (None, What::Other(what)) => format!("'{}' ({what})", key.flat),
        (None, _) => format!("'{}'", key.flat),
    });
    let shown: Vec<String> = shown.collect();
    let more = if layers.len() > 5 { format!(" and {} more", layers.len() - 5) } else { String::new() };
    let prefixes = prefixes(file, keys, network);
    let choose = if prefixes.is_empty() {
        "save the file without them".to_owned()
    } else {
        format!("--prefix {} takes it without them", prefixes.join(" --prefix "))
    };
    format!(
        "it has all tensors of {name}{place}, but beside them stand some that look like layers and that {name} does not have: {}{more}; if they are no part of the network, {choose}",
        shown.join(", ")
    )
}

/// The beginnings of keys that choose this network alone: that of its body, and its head where that stands beside it. Empty: there are
/// none.
fn prefixes(file: &Checkpoint, keys: &Keys, network: &Match) -> Vec<String> {
    let own: HashSet<usize> = network.tensors.iter().map(|(_, entry)| *entry).collect();
    let section = section_of(file, &own).join(".");
    let mut found: Vec<String> = Vec::new();
    for key in keys.keys.iter().filter(|key| own.contains(&key.entry)) {
        let begin = if key.flat.starts_with(&network.prefix) { network.prefix.trim_end_matches('.') } else { parent(&key.flat) };
        let inner = begin.strip_prefix(&section).unwrap_or(begin).trim_start_matches('.');
        if inner.is_empty() {
            return Vec::new();
        }
        if !found.iter().any(|known| known == inner) {
            found.push(inner.to_owned());
        }
    }
    found
}

/// The name of the module; empty where there is none.
fn parent(name: &str) -> &str {
    name.rfind('.').map_or("", |dot| &name[..dot])
}

fn leaf(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
