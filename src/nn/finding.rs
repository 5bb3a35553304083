//! Finds the networks in a checkpoint: under which keys and prefixes, in which spelling, and with what beside them.
//!
//! Every candidate place is compared with every network by names and shapes. A network is taken where all its tensors are there and
//! nothing beside them looks like a layer of it; of several the one whose keys are preferred, and of equals none.

use super::import::{Identity, Shapes, UNEXPECTED, compare, guesses, identify, nearest, tensors};
use super::spelling;
use super::strays;
use crate::config::Network;
use crate::pytorch::candidates::{self, Choice, Key, Keys};
use crate::pytorch::mapping::{self, Mapped, SECTIONS, Taken, known};
use crate::pytorch::{Checkpoint, Limits, What};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What the user says of the network.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub network: Option<Network>,
    /// Channels, height and width.
    pub shape: Option<[usize; 3]>,
    pub choice: Choice,
}

/// A whole network of the file.
#[derive(Clone, Debug)]
pub struct Found {
    pub identity: Identity,
    pub mapped: Mapped,
    /// Where it lies, for people: `'state_dict'`, `'student.' in 'state_dict'`.
    pub place: String,
    /// The options that choose it; empty where it is the only one.
    pub options: String,
}

/// All networks of a file, the preferred first.
#[derive(Clone, Debug)]
pub struct Search {
    pub found: Vec<Found>,
    /// Why none of several is taken.
    tie: Option<String>,
}

impl Search {
    /// # Errors
    /// When several are equally likely: which, and how to choose.
    pub fn taken(&self) -> Result<&Found, String> {
        match &self.tie {
            Some(why) => Err(why.clone()),
            None => self.found.first().ok_or_else(|| "no network was found".into()),
        }
    }

    /// The others, where one is taken.
    pub fn others(&self) -> &[Found] {
        self.found.get(1..).unwrap_or_default()
    }
}

/// A network whose tensors are all there.
pub(super) struct Match {
    /// Of flat names; empty or with a dot at its end.
    pub prefix: String,
    pub identity: Identity,
    /// The network's names and the entries.
    pub tensors: Vec<(String, usize)>,
    renamed: Vec<(String, String)>,
}

/// A network of which something is missing.
struct Near {
    share: usize,
    network: Network,
    prefix: String,
    faults: Vec<String>,
}

/// Finds all networks in the file.
///
/// # Errors
/// When there is none: the nearest, and what is missing, unexpected, of another shape or of a kind that is not read.
pub fn find(file: &Checkpoint, limits: &Limits, wanted: &Wanted) -> Result<Search, String> {
    // A dot stands for the place without a prefix.
    let top = wanted.choice.prefixes == ["."];
    let choice = if top { Choice { prefixes: Vec::new(), ..wanted.choice.clone() } } else { wanted.choice.clone() };
    let keys = Keys::of(file, &choice)?;
    let mut networks = Vec::new();
    for &network in Network::ALL.iter().filter(|n| wanted.network.is_none_or(|only| only == **n)) {
        networks.push((network, tensors(&Identity::usual(network))?));
    }
    let (mut matches, mut near): (Vec<Match>, Option<Near>) = (Vec::new(), None);
    for prefix in keys.prefixes() {
        let mut best: Option<Match> = None;
        for (network, usual) in &networks {
            match try_network(file, &keys, &prefix, (*network, usual), wanted.shape)? {
                // The tensors of one network may be some of another's.
                Ok(found) if best.as_ref().is_none_or(|best| best.tensors.len() < found.tensors.len()) => best = Some(found),
                Ok(_) => {}
                Err(Some(it)) if near.as_ref().is_none_or(|near| it.share < near.share) => near = Some(it),
                Err(_) => {}
            }
        }
        matches.extend(best);
    }
    let taken: HashSet<usize> = matches.iter().flat_map(|m| m.tensors.iter().map(|(_, entry)| *entry)).collect();
    let mut blocked: Vec<String> = Vec::new();
    let mut found: Vec<Found> = Vec::new();
    for it in matches {
        let layers = strays::layers(file, &keys, &it, &taken);
        let place = under(&it.prefix);
        if !layers.is_empty() {
            blocked.push(strays::refused(file, &keys, &it, &place, &layers));
            continue;
        }
        let own: HashSet<usize> = it.tensors.iter().map(|(_, entry)| *entry).collect();
        let others: HashSet<usize> = taken.difference(&own).copied().collect();
        let Match { prefix, identity, tensors, renamed } = it;
        let mapped = mapping::assemble(file, limits, &keys, Taken { prefix: &prefix, tensors, renamed, others: &others });
        if top && !mapped.prefix.is_empty() {
            continue;
        }
        found.push(Found { identity, mapped, place: String::new(), options: String::new() });
    }
    if found.is_empty() {
        return Err(match (blocked.first(), near) {
            (Some(why), _) => why.clone(),
            (None, Some(near)) => {
                let place = under(&near.prefix);
                nearest(wanted.network, near.network, &place, near.faults)
            }
            (None, None) => nothing(file, limits, wanted),
        });
    }
    Ok(ranked(found))
}

/// Words for a prefix of flat names.
fn under(prefix: &str) -> String {
    if prefix.is_empty() { String::new() } else { format!(" under '{}'", prefix.trim_end_matches('.')) }
}

/// Why nothing was found where no first layer of any network stands in the file.
fn nothing(file: &Checkpoint, limits: &Limits, wanted: &Wanted) -> String {
    match mapping::map(file, limits).and_then(|mapped| identify(&mapped, wanted.network, wanted.shape)) {
        Ok(_) => "its tensors were left out by --section or --prefix".into(),
        Err(why) => {
            let sections: Vec<String> =
                candidates::sections(file).into_iter().map(|(name, n)| format!("'{name}' ({n})")).collect();
            match sections.as_slice() {
                [] => why,
                _ if !why.starts_with("no state dict") => why,
                [first @ ..] => format!("{why}; tensors stand under {}", first[..first.len().min(8)].join(", ")),
            }
        }
    }
}

/// Compares what stands under a prefix with one network. The outer error is a fault of the program; the inner one says how far it is.
fn try_network(
    file: &Checkpoint,
    keys: &Keys,
    prefix: &str,
    (network, usual): (Network, &[(String, Vec<usize>)]),
    shape: Option<[usize; 3]>,
) -> Result<Result<Match, Option<Near>>, String> {
    // By the network's own names: the entry, and the file's name.
    let mut given: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for key in keys.under(prefix) {
        let bare = &key.flat[prefix.len()..];
        if known(bare).is_none() {
            let own = spelling::own_name(network, bare);
            let name = if given.contains_key(own.as_ref()) { bare.to_owned() } else { own.into_owned() };
            given.entry(name).or_insert((key.entry, bare));
        }
    }
    let mut ambiguous = None;
    if let Some((name, shape)) = usual.iter().rev().find(|(_, shape)| shape.len() == 2)
        && !given.contains_key(name)
    {
        let width = given.get("added_linear.weight").and_then(|(entry, _)| shape_of(file, *entry)?.first().copied());
        match head(file, keys, prefix, width.unwrap_or(shape[1])) {
            Ok(Some([weight, bias])) => {
                let own = name.trim_end_matches("weight");
                for (key, leaf) in [(weight, "weight"), (bias, "bias")] {
                    let theirs = key.flat.strip_prefix(prefix).unwrap_or(&key.flat);
                    given.remove(theirs);
                    given.insert(format!("{own}{leaf}"), (key.entry, theirs));
                }
            }
            Ok(None) => {}
            Err(why) => ambiguous = Some(why),
        }
    }
    // Most networks are far away, and names alone show it.
    let missing = usual.iter().filter(|(name, _)| !given.contains_key(name)).count();
    if missing * 2 > usual.len() {
        let names = usual.iter().filter(|(name, _)| !given.contains_key(name)).map(|(name, _)| format!("'{name}' is missing"));
        let share = 1000 + 1000 * missing / usual.len();
        return Ok(Err(Some(Near { share, network, prefix: prefix.into(), faults: names.collect() })));
    }
    let mut shapes = Shapes::new();
    let mut odd: HashMap<&str, &str> = HashMap::new();
    for (name, (entry, _)) in &given {
        match &file.entries[*entry].what {
            What::Tensor(spec) => drop(shapes.insert(name.clone(), spec.shape.clone())),
            What::Other(what) => drop(odd.insert(name, what)),
            What::Number(_) | What::Text(_) => {}
        }
    }
    let mut near: Option<Near> = None;
    for identity in guesses(&shapes, network, shape)? {
        let expected = tensors(&identity)?;
        // Other sections may lie below the same prefix.
        let own = expected.iter().filter_map(|(name, _)| given.get(name)).map(|(entry, _)| *entry);
        let dicts = mapping::dicts(file, own);
        let names: HashSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
        let beside = |entry: usize| file.entries[entry].path.split_last().is_some_and(|(_, dict)| dicts.contains(dict));
        let mut here = shapes.clone();
        here.retain(|name, _| names.contains(name.as_str()) || beside(given[name].0));
        let mut faults = compare(&here, &expected, &odd);
        faults.extend(ambiguous.clone());
        let unfit = faults.iter().any(|fault| !fault.ends_with(UNEXPECTED));
        if !unfit {
            let tensors = expected.iter().map(|(name, _)| (name.clone(), given[name].0)).collect();
            let differ = expected.iter().map(|(name, _)| (given[name].1.to_owned(), name.clone()));
            let renamed = differ.filter(|(theirs, own)| theirs != own).collect();
            return Ok(Ok(Match { prefix: prefix.into(), identity, tensors, renamed }));
        }
        let share = 1000 * faults.len() / (expected.len() + here.len() + 1);
        if near.as_ref().is_none_or(|near| share < near.share) {
            near = Some(Near { share, network, prefix: prefix.into(), faults });
        }
    }
    Ok(Err(near))
}

pub(super) fn shape_of(file: &Checkpoint, entry: usize) -> Option<&[usize]> {
    match &file.entries[entry].what {
        What::Tensor(spec) => Some(&spec.shape),
        What::Number(_) | What::Text(_) | What::Other(_) => None,
    }
}

/// Weight and bias of the last layer, which may have another name and stand beside the rest: the only linear layer of this input width
/// with a usual name, at the prefix or the nearest place above it.
///
/// # Errors
/// When there are several at one place.
fn head<'k>(file: &Checkpoint, keys: &'k Keys, prefix: &str, width: usize) -> Result<Option<[&'k Key; 2]>, String> {
    let mut scope = prefix;
    loop {
        let inside = keys.under(scope);
        let pairs = inside.iter().filter_map(|weight| {
            let layer = weight.flat[scope.len()..].strip_suffix(".weight")?;
            let [classes, input] = shape_of(file, weight.entry)? else { return None };
            let bias = format!("{scope}{layer}.bias");
            let bias = inside.binary_search_by(|key| key.flat.as_str().cmp(&bias)).ok().map(|at| &inside[at])?;
            let fits = *input == width && (2..=100_000).contains(classes) && shape_of(file, bias.entry)? == [*classes];
            (fits && spelling::is_head(layer)).then_some([weight, bias])
        });
        let pairs: Vec<[&Key; 2]> = pairs.collect();
        match pairs.as_slice() {
            [] => {}
            [pair] => return Ok(Some(*pair)),
            several => {
                let names: Vec<String> = several.iter().map(|[weight, _]| format!("'{}'", weight.flat)).collect();
                return Err(format!(
                    "{} could each be its last layer (--prefix may be given twice, for the body and for the one that is meant)",
                    names.join(" and ")
                ));
            }
        }
        let Some(outer) = scope.strip_suffix('.') else { return Ok(None) };
        scope = outer.rfind('.').map_or("", |dot| &outer[..=dot]);
    }
}

/// Puts the preferred network first and says how each is chosen; equals are a tie.
fn ranked(mut found: Vec<Found>) -> Search {
    // Two keys for the same numbers are one network.
    let mut at = 0;
    found.sort_by_key(|found| rank(&found.mapped));
    while at < found.len() {
        let (before, it) = (&found[..at], &found[at]);
        if before.iter().any(|other| other.mapped.tensors == it.mapped.tensors) {
            found.remove(at);
        } else {
            at += 1;
        }
    }
    let several = found.len() > 1;
    let sections: Vec<String> = found.iter().map(|f| f.mapped.section.join(".")).collect();
    for i in 0..found.len() {
        let (section, prefix) = (&sections[i], found[i].mapped.prefix.clone());
        let alone = sections.iter().filter(|other| *other == section).count() == 1;
        let mut options = Vec::new();
        if several && !section.is_empty() && sections.iter().any(|other| other != section) {
            options.push(format!("--section {}", quoted(section)));
        }
        if several && (!alone || section.is_empty()) {
            let prefix = prefix.trim_end_matches('.');
            options.push(format!("--prefix {}", if prefix.is_empty() { ".".into() } else { quoted(prefix) }));
        }
        found[i].options = options.join(" ");
        found[i].place = match (section.as_str(), prefix.as_str()) {
            ("", "") => "at the top".into(),
            ("", prefix) => format!("under '{prefix}'"),
            (section, "") => format!("in '{section}'"),
            (section, prefix) => format!("under '{prefix}' in '{section}'"),
        };
    }
    let equals = found.iter().filter(|f| rank(&f.mapped) == rank(&found[0].mapped)).count();
    let tie = (equals > 1).then(|| {
        let list: Vec<String> =
            found.iter().map(|f| format!("\n  {} {}: {}", f.identity.network.name(), f.place, f.options)).collect();
        format!("it holds {} networks and does not say which is meant; choose one:{}", found.len(), list.concat())
    });
    Search { found, tie }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Order of preference by section, the least first: known keys, then the top of the file, then other keys.
fn rank(mapped: &Mapped) -> Vec<usize> {
    let (top, other) = (SECTIONS.len(), SECTIONS.len() + 1);
    let places = mapped.section.iter().map(|key| SECTIONS.iter().position(|known| known == key).unwrap_or(other));
    places.chain([top]).collect()
}
