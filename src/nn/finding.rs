//! Finds the networks in a checkpoint: under which keys and prefixes, in which spelling, and with what beside them.
//!
//! Every candidate place is compared with every network by names and shapes. A network is taken where all its tensors are there and
//! nothing beside them looks like a layer of it; of several the one whose keys are preferred, and of equals none.

use super::catalogue;
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
    /// Faults in a thousand tensors.
    share: usize,
    tensors: usize,
    /// Whether all its names are there, and only kinds of tensors are wrong.
    whole: bool,
    network: Network,
    prefix: String,
    faults: Vec<String>,
}

impl Near {
    /// The nearest is the least.
    fn order(&self) -> (usize, std::cmp::Reverse<usize>) {
        (self.share, std::cmp::Reverse(self.tensors * usize::from(self.whole)))
    }

    fn refused(self, only: Option<Network>) -> String {
        let place = under(&self.prefix);
        if self.whole {
            let (name, count) = (self.network.name(), self.faults.len());
            let shown: Vec<&str> = self.faults.iter().take(3).map(String::as_str).collect();
            let more = if count > 3 { format!("; and {} more", count - 3) } else { String::new() };
            return format!("it has all tensors of {name}{place}, but not all can be used: {}{more}", shown.join("; "));
        }
        nearest(only, self.network, &place, self.faults)
    }
}

/// What to do where weights are kept in parts.
fn reparametrised(file: &Checkpoint) -> Option<&'static str> {
    let ends = |end: &str| file.entries.iter().filter_map(|entry| entry.path.last()).any(|key| key.ends_with(end));
    if ends(".weight_mask") {
        Some("the network is pruned: call torch.nn.utils.prune.remove(layer, 'weight') for its layers before it is saved")
    } else if ends(".weight_g") || ends(".weight_u") || ends("weight.original0") || ends("weight.original") {
        Some(
            "its weights are kept in parts (weight norm, spectral norm): call remove_weight_norm, remove_spectral_norm or remove_parametrizations before it is saved",
        )
    } else {
        None
    }
}

/// Keys that are compared with each network, under all prefixes together: a file made to be slow ends here.
const MOST_KEYS: usize = 2_000_000;

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
        if wanted.shape.is_none_or(|shape| catalogue::takes(network).shape(shape)) {
            networks.push((network, tensors(&Identity::usual(network))?));
        }
    }
    if networks.is_empty() {
        return Err("no network here takes images of this shape".into());
    }
    let (mut matches, mut near): (Vec<Match>, Option<Near>) = (Vec::new(), None);
    let mut looked = 0;
    for prefix in keys.prefixes() {
        looked += keys.under(&prefix).len();
        if looked > MOST_KEYS {
            break;
        }
        let mut best: Option<Match> = None;
        for (network, usual) in &networks {
            match try_network(file, &keys, &prefix, (*network, usual), wanted.shape)? {
                // The tensors of one network may be some of another's.
                Ok(found) if best.as_ref().is_none_or(|best| best.tensors.len() < found.tensors.len()) => best = Some(found),
                Err(Some(it)) if near.as_ref().is_none_or(|near| it.order() < near.order()) => near = Some(it),
                Ok(_) | Err(_) => {}
            }
        }
        matches.extend(best);
    }
    let taken: HashSet<usize> = matches.iter().flat_map(|m| m.tensors.iter().map(|(_, entry)| *entry)).collect();
    let mut blocked: Vec<(Vec<usize>, String)> = Vec::new();
    let mut found: Vec<Found> = Vec::new();
    for it in matches {
        let layers = strays::layers(file, &keys, &it, &taken);
        let place = under(&it.prefix);
        let own: HashSet<usize> = it.tensors.iter().map(|(_, entry)| *entry).collect();
        if !layers.is_empty() {
            let rank = rank(&mapping::section_of(file, &own));
            blocked.push((rank, strays::refused(file, &keys, &it, &place, &layers)));
            continue;
        }
        let others: HashSet<usize> = taken.difference(&own).copied().collect();
        let Match { prefix, identity, tensors, renamed } = it;
        let mapped = mapping::assemble(file, limits, &keys, Taken { prefix: &prefix, tensors, renamed, others: &others });
        if top && !mapped.prefix.is_empty() {
            continue;
        }
        found.push(Found { identity, mapped, place: String::new(), options: String::new() });
    }
    let best = found.iter().map(|found| rank(&found.mapped.section)).min();
    blocked.sort();
    match (blocked.first(), best) {
        // One that is preferred and not whole is not passed over for another.
        (Some((rank, why)), best) if best.as_ref().is_none_or(|best| rank < best) => Err(why.clone()),
        (_, Some(_)) => Ok(ranked(found)),
        (_, None) => {
            let why = near.map_or_else(|| nothing(file, limits, wanted), |near| near.refused(wanted.network));
            let advice = reparametrised(file).map_or(String::new(), |advice| format!("; {advice}"));
            Err(format!("{why}{advice}"))
        }
    }
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
                some => format!("{why}; tensors stand under {}", some[..some.len().min(8)].join(", ")),
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
            Ok(Some(Head { scope, keys: [weight, bias] })) => {
                let own = name.trim_end_matches("weight");
                for (key, leaf) in [(weight, "weight"), (bias, "bias")] {
                    let theirs = &key.flat[scope.len()..];
                    if scope == prefix {
                        given.remove(theirs);
                    }
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
        let faults = names.collect();
        return Ok(Err(Some(Near { share, tensors: usual.len(), whole: false, network, prefix: prefix.into(), faults })));
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
        let beside = mapping::beside(file, &own.collect());
        let names: HashSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
        let mut here = shapes.clone();
        here.retain(|name, _| names.contains(name.as_str()) || beside.contains(&given[name].0));
        let mut faults = compare(&here, &expected, &odd);
        if let Some(why) = &ambiguous {
            faults.insert(0, why.clone());
        }
        let unread = expected.iter().filter(|(name, _)| odd.contains_key(name.as_str())).count();
        let unfit = faults.iter().any(|fault| !fault.ends_with(UNEXPECTED));
        if !unfit {
            let tensors = expected.iter().map(|(name, _)| (name.clone(), given[name].0)).collect();
            let differ = expected.iter().map(|(name, _)| (given[name].1.to_owned(), name.clone()));
            let renamed = differ.filter(|(theirs, own)| theirs != own).collect();
            return Ok(Ok(Match { prefix: prefix.into(), identity, tensors, renamed }));
        }
        let whole = faults.len() == unread;
        // Of networks that are there but for kinds of tensors the largest is meant.
        let share = if whole { 0 } else { 1 + 1000 * faults.len() / (expected.len() + here.len() + 1) };
        let it = Near { share, tensors: expected.len(), whole, network, prefix: prefix.into(), faults };
        if near.as_ref().is_none_or(|near| it.order() < near.order()) {
            near = Some(it);
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

/// Weight and bias of the last layer.
struct Head<'k, 'p> {
    /// The prefix behind which its name begins.
    scope: &'p str,
    keys: [&'k Key; 2],
}

/// Finds the last layer, which may have another name and stand beside the rest: the only linear layer of this input width
/// with a usual name, at the prefix or the nearest place above it.
///
/// # Errors
/// When there are several at one place.
fn head<'k, 'p>(file: &Checkpoint, keys: &'k Keys, prefix: &'p str, width: usize) -> Result<Option<Head<'k, 'p>>, String> {
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
            [pair] => return Ok(Some(Head { scope, keys: *pair })),
            // Layers of one sequence are a head of several layers, which no network here has.
            [[first, _], others @ ..] if others.iter().all(|[other, _]| sequence(&other.flat) == sequence(&first.flat)) => {
                return Ok(None);
            }
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

/// The name of the sequence that the layer of this weight is in; the weight's own where it is in none.
fn sequence(weight: &str) -> &str {
    let layer = weight.strip_suffix(".weight").unwrap_or(weight);
    match layer.rsplit_once('.') {
        Some((sequence, number)) if number.bytes().all(|b| b.is_ascii_digit()) => sequence,
        _ => weight,
    }
}

/// Puts the preferred network first and says how each is chosen; equals are a tie.
fn ranked(mut found: Vec<Found>) -> Search {
    // Two keys for the same numbers are one network.
    let mut at = 0;
    found.sort_by_key(|found| rank(&found.mapped.section));
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
    let equals = found.iter().filter(|f| rank(&f.mapped.section) == rank(&found[0].mapped.section)).count();
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
fn rank(section: &[String]) -> Vec<usize> {
    let (top, other) = (SECTIONS.len(), SECTIONS.len() + 1);
    let places = section.iter().map(|key| SECTIONS.iter().position(|known| known == key).unwrap_or(other));
    places.chain([top]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pytorch::candidates::STEMS;
    use crate::pytorch::made::Made;

    const SMALL: Identity = Identity { network: Network::Small, shape: [1, 28, 28], classes: 7, feature_width: None };

    /// Tensors by the network's names, all of one value.
    fn state(identity: &Identity, value: f32) -> Vec<(String, Made)> {
        let all = tensors(identity).unwrap().into_iter();
        all.map(|(name, shape)| (name, Made::Same(shape, value))).collect()
    }

    fn small(value: f32) -> Vec<(String, Made)> {
        state(&SMALL, value)
    }

    fn under(prefix: &str, tensors: Vec<(String, Made)>) -> Vec<(String, Made)> {
        tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect()
    }

    fn of(name: &str, shape: &[usize]) -> (String, Made) {
        (name.into(), Made::Same(shape.to_vec(), 1.0))
    }

    fn search(made: &Made, section: Option<&str>, prefixes: &[&str]) -> (Checkpoint, Result<Search, String>) {
        let file = Checkpoint::read(made.file(), &Limits::default()).unwrap_or_else(|e| panic!("{e}"));
        let prefixes = prefixes.iter().map(|p| (*p).to_owned()).collect();
        let choice = Choice { section: section.map(String::from), prefixes };
        let found = find(&file, &Limits::default(), &Wanted { choice, ..Wanted::default() });
        (file, found)
    }

    /// The network that is taken, and the value of its first tensor.
    fn taken(made: &Made, section: Option<&str>, prefixes: &[&str]) -> (Found, f32) {
        let (file, found) = search(made, section, prefixes);
        let found = found.unwrap().taken().unwrap().clone();
        let value = file.values(&found.mapped.tensors[0].1, &Limits::default()).unwrap()[0];
        (found, value)
    }

    fn refused(made: &Made) -> String {
        let (_, found) = search(made, None, &[]);
        found.and_then(|search| search.taken().cloned()).map(|found| found.place).unwrap_err()
    }

    #[test]
    fn every_network_begins_with_a_stem_that_is_looked_for() {
        for &network in Network::ALL {
            let names = tensors(&Identity::usual(network)).unwrap();
            let (stem, _) = names.iter().find(|(_, shape)| shape.len() == 4).unwrap();
            assert!(STEMS.contains(&stem.as_str()), "{}: {stem}", network.name());
        }
    }

    #[test]
    fn a_network_is_found_under_any_prefix_and_section() {
        for prefix in ["", "module.", "backbone.", "module.encoder.", "_orig_mod.student.module.", "a.b.c."] {
            for section in ["model_state", "weights", "ema"] {
                let file = Made::dict([(section, Made::dict(under(prefix, small(1.0)))), ("epoch", Made::Number(3))]);
                let (found, _) = taken(&file, None, &[]);
                assert_eq!((&found.identity, found.mapped.section.as_slice()), (&SMALL, [section.to_string()].as_slice()));
                let bare = prefix.replace("_orig_mod.", "").replace("module.", "");
                assert_eq!(found.mapped.prefix, bare, "{prefix}");
            }
        }
        let nested =
            Made::Tuple(vec![Made::Number(7), Made::dict([("nets", Made::dict([("student", Made::dict(small(1.0)))]))])]);
        assert_eq!(taken(&nested, None, &[]).0.mapped.section, ["1", "nets", "student"]);
        // Wrappers inside of keys.
        let wrap = |(name, tensor): (String, Made)| (name.replacen("conv2.", "conv2._orig_mod.", 1), tensor);
        let compiled = Made::dict(small(1.0).into_iter().map(wrap));
        assert_eq!(taken(&compiled, None, &[]).0.mapped.prefixes, ["_orig_mod."]);
    }

    #[test]
    fn a_head_beside_the_body_is_found_and_of_two_none_is_taken() {
        let split = |head: &str| {
            let place = |(name, tensor): (String, Made)| match name.strip_prefix("head.") {
                Some(leaf) => (format!("{head}.{leaf}"), tensor),
                None => (format!("backbone.{name}"), tensor),
            };
            small(1.0).into_iter().map(place).collect::<Vec<_>>()
        };
        for head in ["head", "fc", "classifier.1"] {
            let (found, _) = taken(&Made::dict(split(head)), None, &[]);
            assert_eq!(found.identity, SMALL);
            assert_eq!(found.mapped.renamed.is_empty(), head == "head");
        }
        let mut two = split("fc");
        two.extend([of("linear.weight", &[7, 64]), of("linear.bias", &[7])]);
        let two = Made::dict(two);
        assert!(refused(&two).contains("could each be its last layer"), "{}", refused(&two));
        assert_eq!(taken(&two, None, &["backbone", "linear"]).0.identity, SMALL);
        // Two layers behind each other are not two heads.
        let mut deep = split("classifier.0");
        deep.extend([of("classifier.2.weight", &[7, 64]), of("classifier.2.bias", &[7])]);
        assert!(refused(&Made::dict(deep)).contains("'head.weight' is missing"));
        // Of another width, or of a name that says something else.
        for (weight, width) in [("fc.weight", 65), ("projection.weight", 64)] {
            let mut none: Vec<(String, Made)> = small(1.0).into_iter().filter(|(name, _)| !name.starts_with("head")).collect();
            none.extend([of(weight, &[7, width]), of(&weight.replace("weight", "bias"), &[7])]);
            assert!(refused(&Made::dict(none)).contains("'head.weight' is missing"));
        }
    }

    #[test]
    fn strays_are_passed_over_and_named_and_layers_are_not() {
        for (name, shape) in [
            ("criterion.weight", [7].as_slice()),
            ("n_averaged", &[]),
            ("temperature", &[1]),
            ("loss_fn.pos_weight", &[3]),
            ("center_loss.centers", &[7, 64]),
            ("queue", &[64, 8]),
        ] {
            for prefix in ["", "module.", "model."] {
                let mut all = under(prefix, small(1.0));
                all.push(of(name, shape));
                let (found, _) = taken(&Made::dict([("state_dict", Made::dict(all))]), None, &[]);
                let named = found.mapped.ignored.iter().any(|(why, keys)| *why == mapping::Why::Stray && *keys == [name]);
                assert!(named, "{name}: {:?}", found.mapped.ignored);
            }
        }
        for layer in [
            of("conv4.weight", &[64, 64, 3, 3]),
            of("neck.weight", &[64, 64]),
            of("act.weight", &[1]),
            of("scale.gamma", &[64]),
            of("bn1.extra", &[16]),
            of("conv1.bias", &[16]),
            of("conv1.alpha", &[]),
        ] {
            let name = layer.0.clone();
            let mut all = small(1.0);
            all.push(layer);
            let why = refused(&Made::dict(all));
            assert!(why.contains(&format!("'{name}'")) && why.contains("look like layers"), "{why}");
        }
        // Dicts in dicts: a layer in a dict of its own is no other section.
        let mut nested: Vec<(String, Vec<(String, Made)>)> = vec![("neck".into(), vec![of("weight", &[64, 64])])];
        for (name, tensor) in small(1.0) {
            let (layer, leaf) = name.split_once('.').unwrap();
            let at = nested.iter().position(|(key, _)| key == layer).unwrap_or(nested.len());
            if at == nested.len() {
                nested.push((layer.into(), Vec::new()));
            }
            nested[at].1.push((leaf.into(), tensor));
        }
        let dicts = |nested: Vec<(String, Vec<(String, Made)>)>| {
            Made::dict([("params", Made::dict(nested.into_iter().map(|(key, tensors)| (key, Made::dict(tensors)))))])
        };
        let nested = dicts(nested);
        assert!(refused(&nested).contains("'params.neck.weight'"), "{}", refused(&nested));
        let mut beside = under("model.", small(1.0));
        beside.extend([of("neck.weight", &[64, 64]), of("neck.bias", &[64])]);
        let beside = Made::dict(beside);
        assert!(refused(&beside).contains("--prefix model takes it without them"));
        assert_eq!(taken(&beside, None, &["model"]).0.identity, SMALL);
    }

    #[test]
    fn of_several_the_known_section_is_taken_and_equals_are_not() {
        let ema = || Made::dict([("state_dict_ema", Made::dict(small(2.0))), ("state_dict", Made::dict(small(1.0)))]);
        let (_, found) = search(&ema(), None, &[]);
        let found = found.unwrap();
        assert_eq!(found.taken().unwrap().mapped.section, ["state_dict"]);
        assert_eq!(found.others().iter().map(|f| f.options.as_str()).collect::<Vec<_>>(), ["--section state_dict_ema"]);
        assert_eq!(taken(&ema(), Some("state_dict_ema"), &[]).1, 2.0);
        // The preferred one is not passed over because of a layer beside it.
        let mut odd = small(1.0);
        odd.push(of("neck.weight", &[64, 64]));
        let odd = Made::dict([("state_dict_ema", Made::dict(small(2.0))), ("state_dict", Made::dict(odd))]);
        assert!(refused(&odd).contains("neck.weight"), "{}", refused(&odd));
        assert_eq!(taken(&odd, Some("state_dict_ema"), &[]).1, 2.0);
        let equals = Made::dict([("best_state_dict", Made::dict(small(1.0))), ("last_state_dict", Made::dict(small(2.0)))]);
        assert!(refused(&equals).contains("--section last_state_dict"), "{}", refused(&equals));
        assert_eq!(taken(&equals, Some("last_state_dict"), &[]).1, 2.0);
        let mut both = under("student.", small(1.0));
        both.extend(under("teacher.", small(2.0)));
        let both = Made::dict([("state_dict", Made::dict(both))]);
        assert!(refused(&both).contains("--prefix student"), "{}", refused(&both));
        assert_eq!(taken(&both, None, &["teacher."]).1, 2.0);
        // A wrapper tells two apart where only it does.
        let mut wrapped = under("module.", small(2.0));
        wrapped.extend(small(1.0));
        let wrapped = Made::dict(wrapped);
        assert!(refused(&wrapped).contains("--prefix ."), "{}", refused(&wrapped));
        assert_eq!((taken(&wrapped, None, &["."]).1, taken(&wrapped, None, &["module"]).1), (1.0, 2.0));
        let (_, none) = search(&both, Some("nowhere"), &[]);
        assert!(none.err().unwrap().contains("there are state_dict"));
        let (_, none) = search(&both, None, &["stud"]);
        assert!(none.err().unwrap().contains("keys begin with student, teacher"));
    }

    #[test]
    fn a_tensor_that_cannot_be_read_is_not_called_missing() {
        let replaced = small(1.0).into_iter().map(|(name, tensor)| match name.as_str() {
            "conv1.weight" => (name, Made::Opcodes(b"ctorch._utils\n_rebuild_sparse_tensor\n(K\x00(%%K\x02ttR")),
            _ => (name, tensor),
        });
        let why = refused(&Made::dict(replaced));
        assert!(why.contains("it has all tensors of small, but not all can be used: 'conv1.weight' is a sparse tensor"), "{why}");
        let complex = Made::dict(small(1.0).into_iter().map(|(name, _)| (name, Made::Odd("ComplexFloatStorage", 8))));
        assert!(refused(&complex).contains("complex numbers"));
        // The first layer too, without which no place is looked at.
        for layer in ["conv1", "conv2"] {
            let pruned = small(1.0).into_iter().flat_map(|(name, tensor)| match name.strip_suffix(".weight") {
                Some(own) if own == layer => {
                    vec![of(&format!("{layer}.weight_mask"), &[16]), (format!("{layer}.weight_orig"), tensor)]
                }
                _ => vec![(name, tensor)],
            });
            assert!(refused(&Made::dict(pruned)).contains("prune.remove"));
        }
    }

    #[test]
    fn a_resnet_has_one_of_its_usual_spellings() {
        for (network, own) in [(Network::Resnet18, ["linear", "shortcut"]), (Network::ImagenetResnet18, ["fc", "downsample"])] {
            let identity = Identity::usual(network);
            for [head, shortcut] in
                [["fc", "downsample"], ["linear", "shortcut"], ["fc", "shortcut"], ["classifier", "downsample"]]
            {
                let spell = |(name, tensor): (String, Made)| {
                    let name = name.replace(&format!("{}.", own[0]), &format!("{head}."));
                    (format!("model.{}", name.replace(own[1], shortcut)), tensor)
                };
                let (found, _) = taken(&Made::dict(state(&identity, 1.0).into_iter().map(spell)), None, &[]);
                assert_eq!(found.identity, identity);
                assert_eq!(found.mapped.renamed.is_empty(), [head, shortcut] == own, "{:?}", found.mapped.renamed);
            }
        }
        // A block too many is no stray.
        let mut deeper = state(&Identity::usual(Network::Resnet18), 1.0);
        deeper.push(of("layer2.2.conv1.weight", &[128, 128, 3, 3]));
        assert!(refused(&Made::dict(deeper)).contains("'layer2.2.conv1.weight'"));
    }
}
