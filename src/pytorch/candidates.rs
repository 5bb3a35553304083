//! Places in a checkpoint where a network may lie.
//!
//! Dicts in dicts and prefixes in keys are treated alike: every key has a flat name, its path joined by dots, without the components
//! that wrappers put in ([`WRAPPERS`]). A candidate is a prefix of flat names under which the first layer of a network stands. Which
//! network it is, if any, is for `nn::import` to say.

use super::{Checkpoint, What};
use std::collections::{HashMap, HashSet};

/// Components that `DataParallel`, `torch.compile`, activation checkpointing and the like put into keys, wherever they stand.
const WRAPPERS: [&str; 5] = ["module", "_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module", "_forward_module"];

/// First convolutions of the networks here, in their usual spellings. A test of `nn::import` shows that none is missing.
pub const STEMS: [&str; 8] = [
    "conv1.weight",
    "features.0.weight",
    "conv1.0.weight",
    "stem.0.weight",
    "stem.conv.weight",
    "stem.conv1.weight",
    "conv_stem.weight",
    "conv.weight",
];

/// More prefixes than any file has that is not made to be slow.
const MOST: usize = 256;

/// What the user chose among several networks in a file. Empty: nothing.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The keys that lead to a dict, joined by dots.
    pub section: Option<String>,
    /// Beginnings of keys; those that begin with none of them are left out.
    pub prefixes: Vec<String>,
}

/// A tensor, or something else that stands where one may be expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub flat: String,
    /// Its place in [`Checkpoint::entries`].
    pub entry: usize,
}

/// The keys of a file that a network may be made of, sorted by flat name.
pub struct Keys {
    pub keys: Vec<Key>,
    /// Entries that the choice left out.
    pub unchosen: HashSet<usize>,
}

impl Keys {
    /// # Errors
    /// When the choice leaves nothing: what there is.
    pub fn of(file: &Checkpoint, choice: &Choice) -> Result<Self, String> {
        let mut unchosen = HashSet::new();
        let mut keys = Vec::new();
        let doubled = doubled(file);
        for (entry, e) in file.entries.iter().enumerate() {
            let Some((key, section)) = e.path.split_last() else { continue };
            if matches!(e.what, What::Number(_) | What::Text(_)) || is_attacker(key) {
                continue;
            }
            let section = section.join(".");
            let bare = if doubled.contains(section.as_str()) { key.clone() } else { without_wrappers(key) };
            let flat = if section.is_empty() { bare.clone() } else { format!("{section}.{bare}") };
            let in_section = choice.section.as_ref().is_none_or(|wanted| leads(&e.path, wanted));
            let in_prefix = choice.prefixes.is_empty()
                || choice.prefixes.iter().any(|prefix| {
                    let inside = choice.section.as_ref().and_then(|s| flat.strip_prefix(&format!("{s}.")));
                    [Some(key.as_str()), Some(&bare), Some(&flat), inside].into_iter().flatten().any(|name| begins(name, prefix))
                });
            if in_section && in_prefix {
                keys.push(Key { flat, entry });
            } else {
                unchosen.insert(entry);
            }
        }
        if keys.is_empty() && !unchosen.is_empty() {
            return Err(nothing(file, choice));
        }
        keys.sort_by(|a, b| a.flat.cmp(&b.flat));
        Ok(Self { keys, unchosen })
    }

    /// Those whose flat name begins with this prefix, which is empty or ends in a dot.
    pub fn under(&self, prefix: &str) -> &[Key] {
        let from = self.keys.partition_point(|key| key.flat.as_str() < prefix);
        let count = self.keys[from..].partition_point(|key| key.flat.starts_with(prefix));
        &self.keys[from..from + count]
    }

    /// Prefixes under which a first layer stands, in the order of the file. Each is empty or ends in a dot.
    pub fn prefixes(&self) -> Vec<String> {
        let mut found: HashMap<&str, usize> = HashMap::new();
        for key in &self.keys {
            for stem in STEMS {
                if let Some(prefix) = key.flat.strip_suffix(stem)
                    && (prefix.is_empty() || prefix.ends_with('.'))
                {
                    let first = found.entry(prefix).or_insert(key.entry);
                    *first = key.entry.min(*first);
                }
            }
        }
        let mut prefixes: Vec<(usize, &str)> = found.into_iter().map(|(prefix, entry)| (entry, prefix)).collect();
        prefixes.sort_unstable();
        prefixes.truncate(MOST);
        prefixes.into_iter().map(|(_, prefix)| prefix.to_owned()).collect()
    }
}

/// `MadryLab`'s files hold the whole network twice; the attacker's copy is never the one that is meant.
pub(super) fn is_attacker(key: &str) -> bool {
    key.split('.').any(|part| part == "attacker")
}

/// A key without the components that wrappers put in.
pub(super) fn without_wrappers(key: &str) -> String {
    let parts: Vec<&str> = key.split('.').filter(|part| !WRAPPERS.contains(part)).collect();
    if parts.is_empty() { key.into() } else { parts.join(".") }
}

/// The wrappers that stand in a key, each once, with a dot behind it as PyTorch writes them.
pub(super) fn wrappers(key: &str) -> impl Iterator<Item = String> {
    WRAPPERS.into_iter().filter(|wrapper| key.split('.').any(|part| part == *wrapper)).map(|wrapper| format!("{wrapper}."))
}

/// Dicts in which two keys would become one without wrappers: both may be networks, and the wrapper tells them apart.
fn doubled(file: &Checkpoint) -> HashSet<String> {
    let mut seen = HashSet::new();
    let mut doubled = HashSet::new();
    for (key, section) in file.entries.iter().filter_map(|entry| entry.path.split_last()) {
        let section = section.join(".");
        if !is_attacker(key) && !seen.insert(format!("{section}\0{}", without_wrappers(key))) {
            doubled.insert(section);
        }
    }
    doubled
}

/// Whether some first keys of this path, joined by dots, are what is wanted.
fn leads(path: &[String], wanted: &str) -> bool {
    (1..path.len()).any(|n| path[..n].join(".") == wanted)
}

/// Whether a name begins with these components.
fn begins(name: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('.');
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Dicts and lists that hold tensors themselves, with how many, in the order of the file.
pub fn sections(file: &Checkpoint) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for entry in file.entries.iter().filter(|entry| matches!(entry.what, What::Tensor(_))) {
        let Some((_, section)) = entry.path.split_last() else { continue };
        let section = section.join(".");
        let at = *places.entry(section.clone()).or_insert_with(|| {
            found.push((section, 0));
            found.len() - 1
        });
        found[at].1 += 1;
    }
    found
}

fn nothing(file: &Checkpoint, choice: &Choice) -> String {
    let list = |mut names: Vec<String>| {
        let more = names.len().saturating_sub(12);
        names.truncate(12);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", names.join(", "))
    };
    if let Some(section) = &choice.section {
        let known: Vec<String> = sections(file).into_iter().map(|(name, _)| name).filter(|name| !name.is_empty()).collect();
        let there = file.entries.iter().any(|entry| leads(&entry.path, section));
        if !there && known.is_empty() {
            return format!("--section {section}: its tensors are under no key; leave --section away");
        }
        if !there {
            return format!("--section {section}: nothing with tensors stands under this key; there are {}", list(known));
        }
    }
    let mut first: Vec<String> = Vec::new();
    for entry in &file.entries {
        let (What::Tensor(_), Some(key)) = (&entry.what, entry.path.last()) else { continue };
        let begin = key.split('.').next().unwrap_or_default().to_owned();
        if !first.contains(&begin) {
            first.push(begin);
        }
        if first.len() > 100 {
            break;
        }
    }
    format!("--prefix {}: no key begins with it; keys begin with {}", choice.prefixes.join(" --prefix "), list(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_come_off_wherever_they_stand() {
        for (key, bare) in [
            ("module.conv1.weight", "conv1.weight"),
            ("_orig_mod.module.conv1.weight", "conv1.weight"),
            ("layer1.0._orig_mod.conv1.weight", "layer1.0.conv1.weight"),
            ("net._orig_mod.layer1._checkpoint_wrapped_module.0.bn1.bias", "net.layer1.0.bn1.bias"),
            ("module", "module"),
            ("modules.weight", "modules.weight"),
        ] {
            assert_eq!(without_wrappers(key), bare);
        }
        assert_eq!(wrappers("_orig_mod.module.conv1.weight").collect::<Vec<_>>(), ["module.", "_orig_mod."]);
    }

    #[test]
    fn a_prefix_is_whole_components() {
        assert!(begins("student.conv1", "student") && begins("student.conv1", "student.") && begins("student", "student"));
        assert!(!begins("students.conv1", "student") && !begins("a.student.conv1", "student"));
        let path = ["a".to_string(), "b.c".into(), "w".into()];
        assert!(leads(&path, "a") && leads(&path, "a.b.c") && !leads(&path, "a.b") && !leads(&path, "a.b.c.w"));
    }
}
