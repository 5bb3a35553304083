//! From gathered keys and values to a [`Config`], or to everything that is wrong with them.
//!
//! Each value is first judged alone, whatever the others say; then the values are judged together. Opens no file.

use super::gather::Leaf;
use super::keys::{Bound, Fallback, KEYS, Key, Kind, number};
use super::{Fault, Place, suggest};
use crate::config::{Config, Eps, Norm, Planned, Source, ValidationSplit};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use toml_edit::Value;

/// Sizes of the embedded data, which are known before it is opened.
const EMBEDDED_TRAINING: i64 = 10_000;
const EMBEDDED_VALIDATION: i64 = 1_000;
const EMBEDDED_TEST: i64 = 2_000;

/// A value of the type its key asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Typed {
    Whole(i64),
    Real(f64),
    Text(String),
    Switch(bool),
    Epochs(Vec<i64>),
    Lines(Vec<String>),
}

#[derive(Debug)]
pub(super) struct Given {
    /// `None`: it was given, but wrongly, which is already among the faults.
    pub(super) value: Option<Typed>,
    raw: String,
    place: Place,
}

pub(super) struct Judge<'a> {
    origin: &'a Path,
    pub(super) given: BTreeMap<&'static str, Given>,
    faults: Vec<Fault>,
    /// What the config chooses between, known before any key is judged: `method.name` and its like.
    choices: BTreeMap<&'static str, String>,
}

pub(super) fn config(leaves: Vec<Leaf>, origin: &Path, faults: Vec<Fault>) -> Result<Config, Vec<Fault>> {
    let choices = choices(&leaves);
    let mut judge = Judge { origin, given: BTreeMap::new(), faults, choices };
    for leaf in leaves {
        judge.alone(leaf);
    }
    judge.choices();
    judge.together();
    if judge.faults.is_empty() {
        judge.build().ok_or_else(|| {
            vec![Fault { place: judge.whole_file(), text: "a default of the program does not fit its key".into() }]
        })
    } else {
        Err(judge.faults)
    }
}

/// The names given to keys that others depend on, and their defaults. A name that is not known is none.
fn choices(leaves: &[Leaf]) -> BTreeMap<&'static str, String> {
    let mut choices = BTreeMap::new();
    for path in KEYS.iter().filter_map(|key| key.only).map(|only| only.key) {
        let Some(key) = Key::find(path) else { continue };
        let given = leaves
            .iter()
            .rfind(|leaf| leaf.path == path)
            .map(|leaf| typed(key, leaf.value.as_ref(), &leaf.raw, &leaf.place).ok());
        if let Some(Typed::Text(name)) = given.unwrap_or_else(|| default_of(key)) {
            choices.insert(path, name);
        }
    }
    choices
}

impl Judge<'_> {
    fn whole_file(&self) -> Place {
        Place::File { path: self.origin.to_owned(), line: None, column: None }
    }

    fn alone(&mut self, leaf: Leaf) {
        let Leaf { path, value, raw, place } = leaf;
        let is_section = KEYS.iter().any(|key| key.path.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.')));
        if is_section {
            if raw != "{}" {
                self.faults.push(Fault {
                    place,
                    text: format!("'{path}' is a section, not a key; allowed in it: {}", names_in(&path, &|_| None)),
                });
            }
            return;
        }
        let Some(key) = Key::find(&path) else {
            let text = unknown(&path, &|key| self.choices.get(key).cloned());
            self.faults.push(Fault { place, text });
            return;
        };
        let value = match typed(key, value.as_ref(), &raw, &place) {
            Ok(Typed::Text(text)) if key.kind == Kind::Path => {
                self.absolute(&text, &place).map(Typed::Text).map_err(|why| format!("{path} = {raw} {why}"))
            }
            Ok(Typed::Lines(paths)) if key.kind == Kind::Paths => {
                let whole = paths.iter().map(|text| self.absolute(text, &place)).collect::<Result<_, _>>();
                whole.map(Typed::Lines).map_err(|why| format!("{path} = {raw} {why}"))
            }
            other => other,
        };
        let value = value.map_err(|text| self.faults.push(Fault { place: place.clone(), text })).ok();
        self.given.insert(key.path, Given { value, raw, place });
    }

    /// Keys that belong to a choice that was not made, and required ones that are missing.
    fn choices(&mut self) {
        for key in KEYS {
            let Some(only) = key.only else {
                self.require(key, "");
                continue;
            };
            // Without a valid choice nobody can say what belongs to it.
            let Some(chosen) = self.text(only.key) else { continue };
            if only.is.contains(&chosen.as_str()) {
                self.require(key, &format!(" when {} is {chosen}", only.key));
                continue;
            }
            let Some(given) = self.given.remove(key.path) else { continue };
            let chosen_by_override = matches!(self.given.get(only.key), Some(Given { place: Place::Override(_), .. }));
            match given.place {
                // The file was written for the choice that the command line replaces; a value that is wrong stays reported.
                Place::File { .. } if chosen_by_override => {}
                place @ (Place::File { .. } | Place::Override(_)) => {
                    let owners: Vec<String> = only.is.iter().map(|name| format!("\"{name}\"")).collect();
                    let text = format!(
                        "{} belongs to {} = {}, and this is \"{chosen}\"; remove it",
                        key.path,
                        only.key,
                        owners.join(" or ")
                    );
                    self.faults.push(Fault { place, text });
                }
            }
        }
    }

    fn require(&mut self, key: &Key, when: &str) {
        if key.default == Fallback::Required && !self.given.contains_key(key.path) {
            let text = format!("missing key '{}' ({}), required{when}; allowed: {}", key.path, key.meaning, key.kind.allowed());
            self.faults.push(Fault { place: self.whole_file(), text });
        }
    }

    fn together(&mut self) {
        self.judge_changes();
        let norm = self.norm();
        for path in ["threat.eps", "method.step_size"] {
            let most = norm.map_or(Norm::L2.largest_eps(), Norm::largest_eps);
            let unit = norm.map_or(String::new(), |norm| format!(" ({})", norm.name()));
            self.judge_real(path, |v| (0.0..=most).contains(&v), &format!("0 to {}{unit}", number(most)));
        }
        if let Some(lr) = self.real("train.lr") {
            self.judge_real("train.schedule.final_lr", |v| v <= lr, &format!("0 to train.lr, which is {}", number(lr)));
        }
        let embedded = self.text("data.source").as_deref() == Some(Source::FashionMnist10k.name());
        if embedded {
            self.judge_whole("data.validation", |v| v == EMBEDDED_VALIDATION, "1000 for the embedded data, whose split is fixed");
            let training = EMBEDDED_TRAINING - EMBEDDED_VALIDATION;
            self.judge_whole(
                "train.batch",
                |v| v <= training,
                &format!("1 to {training}, the training images of the embedded data"),
            );
            self.judge_whole(
                "evaluation.images",
                |v| v <= EMBEDDED_TEST,
                &format!("0 to {EMBEDDED_TEST}, the test images of the embedded data"),
            );
        }
        if let Some(size) = self.whole("data.size") {
            self.judge_whole("data.resize", |v| v >= size, &format!("data.size, which is {size}, to 2048"));
        }
        self.judge_validation();
        if let Some(validation) = self.whole("data.validation").filter(|_| !self.given.contains_key("data.validation_path")) {
            self.judge_whole("probe.images", |v| v <= validation, &format!("1 to data.validation, which is {validation}"));
        }
        if let (Some(Given { value: Some(Typed::Switch(true)), place, .. }), Some(augment)) =
            (self.given.get("teacher.cache"), self.text("data.augment"))
            && augment != "none"
        {
            let text = format!(
                "teacher.cache = true needs images that are always the same: set data.augment = \"none\", which is \"{augment}\", or \
                 teacher.cache = false"
            );
            let place = place.clone();
            self.faults.push(Fault { place, text });
        }
        if let (Some(Given { value: Some(Typed::Text(inputs)), place, .. }), Some(augment)) =
            (self.given.get("method.inputs"), self.text("data.augment"))
            && inputs == "carried"
            && augment != "none"
        {
            let text = format!(
                "method.inputs = \"carried\" needs images that are always the same: set data.augment = \"none\", which is \"{augment}\", or \
                 other inputs"
            );
            let place = place.clone();
            self.faults.push(Fault { place, text });
        }
        if let (Some(epochs), Some(Given { value: Some(Typed::Epochs(at)), raw, place })) =
            (self.whole("train.epochs"), self.given.get("train.schedule.epochs"))
        {
            let increasing = at.windows(2).all(|pair| pair[0] < pair[1]);
            if !increasing || at.is_empty() || at.iter().any(|&epoch| !(1..epochs).contains(&epoch)) {
                let text = if epochs < 2 {
                    format!(
                        "train.schedule.epochs = {raw} needs more than one epoch, and train.epochs is {epochs}; choose another schedule"
                    )
                } else {
                    format!(
                        "train.schedule.epochs = {raw} is out of range; allowed: increasing, each 1 to {}, train.epochs being {epochs}",
                        epochs - 1
                    )
                };
                let place = place.clone();
                self.faults.push(Fault { place, text });
            }
        }
    }

    /// Keys of held-out images beside keys that leave them without a meaning.
    fn judge_validation(&mut self) {
        if self.given.contains_key("data.validation_path") {
            let text = "data.validation holds training images out, and data.validation_path names other validation images; remove \
                        one of the two";
            self.displaced("data.validation", "data.validation_path", text);
        }
        if self.text("data.split").as_deref() == Some(ValidationSplit::LastNames.name()) {
            let text = "data.split_seed belongs to data.split = \"seeded\", and this is \"last-names\"; remove it";
            self.displaced("data.split_seed", "data.split", text);
        }
    }

    /// Removes a key that `by` leaves without a meaning: silently where the file gave it and the command line chose `by`, else as a
    /// fault.
    fn displaced(&mut self, path: &str, by: &str, text: &str) {
        let Some(Given { place, .. }) = self.given.remove(path) else { return };
        let chosen_by_override = matches!(self.given.get(by), Some(Given { place: Place::Override(_), .. }));
        if !(chosen_by_override && matches!(place, Place::File { .. })) {
            self.faults.push(Fault { place, text: text.to_owned() });
        }
    }

    /// Each planned change alone; whether it fits the method and the length of the run is known when the data is.
    fn judge_changes(&mut self) {
        let Some(Given { value: Some(Typed::Lines(lines)), place, .. }) = self.given.get("steering.changes") else { return };
        let norm = self.norm().unwrap_or(Norm::L2);
        let faults: Vec<Fault> = lines
            .iter()
            .filter_map(|line| Planned::parse(line, norm).err().map(|why| (line, why)))
            .map(|(line, why)| Fault { place: place.clone(), text: format!("steering.changes: '{line}': {why}") })
            .collect();
        self.faults.extend(faults);
    }

    /// Judges a value only where it was given: defaults are chosen to fit.
    fn judge_real(&mut self, path: &str, fits: impl Fn(f64) -> bool, allowed: &str) {
        if let Some(Given { value: Some(Typed::Real(v)), raw, place }) = self.given.get(path)
            && !fits(*v)
        {
            self.faults.push(Fault { place: place.clone(), text: out_of_range(path, raw, allowed) });
        }
    }

    fn judge_whole(&mut self, path: &str, fits: impl Fn(i64) -> bool, allowed: &str) {
        let default = || Key::find(path).and_then(default_of).as_ref().and_then(as_whole);
        let (value, raw, place) = match self.given.get(path) {
            Some(Given { value: None, .. }) => return,
            Some(Given { value: Some(value), raw, place }) => (as_whole(value), raw.clone(), place.clone()),
            None => (default(), default().map_or(String::new(), |v| format!("{v} (the default)")), self.whole_file()),
        };
        if value.is_some_and(|v| !fits(v)) {
            self.faults.push(Fault { place, text: out_of_range(path, &raw, allowed) });
        }
    }

    fn absolute(&self, text: &str, place: &Place) -> Result<String, &'static str> {
        if text.is_empty() {
            return Err("is empty; write a path");
        }
        if Path::new(text).is_absolute() {
            return Ok(text.to_owned());
        }
        let base = match place {
            Place::Override(_) => PathBuf::from("."),
            Place::File { .. } => {
                self.origin.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
            }
        };
        // Links in the base are followed first, so that taking `..` off its end goes where the system would go.
        let base = std::fs::canonicalize(&base)
            .or_else(|_| std::path::absolute(&base))
            .map_err(|_| "is relative, and the current folder is gone")?;
        let mut whole = base;
        for part in Path::new(text).components() {
            match part {
                Component::ParentDir => {
                    whole.pop();
                }
                Component::CurDir => {}
                Component::Normal(_) | Component::RootDir | Component::Prefix(_) => whole.push(part),
            }
        }
        whole
            .into_os_string()
            .into_string()
            .map_err(|_| "starts from a folder whose name is not UTF-8; write an absolute path or rename the folder")
    }
}

pub(super) fn as_whole(value: &Typed) -> Option<i64> {
    match value {
        Typed::Whole(v) => Some(*v),
        Typed::Real(_) | Typed::Text(_) | Typed::Switch(_) | Typed::Epochs(_) | Typed::Lines(_) => None,
    }
}

pub(super) fn default_of(key: &Key) -> Option<Typed> {
    match key.default {
        Fallback::Is(text) => typed(key, text.parse().ok().as_ref(), text, &Place::Override(String::new())).ok(),
        Fallback::Required | Fallback::From(_) => None,
    }
}

fn out_of_range(path: &str, raw: &str, allowed: &str) -> String {
    format!("{path} = {raw} is out of range; allowed: {allowed}")
}

/// Names of a section's keys, without those that belong to a choice which the config does not make. `chosen`: what it gives to a key
/// such as `method.name`.
fn names_in(section: &str, chosen: &dyn Fn(&str) -> Option<String>) -> String {
    let applies = |key: &&Key| key.only.is_none_or(|only| chosen(only.key).is_none_or(|name| only.is.contains(&name.as_str())));
    let own = KEYS.iter().filter(|key| key.section_and_name().0 == section).filter(applies);
    own.map(|key| key.section_and_name().1).collect::<Vec<_>>().join(", ")
}

fn unknown(path: &str, chosen: &dyn Fn(&str) -> Option<String>) -> String {
    let meant = suggest::key(path);
    let question = meant.map_or(String::new(), |key| format!("; did you mean '{}'?", key.path));
    let written_in = path.rsplit_once('.').map_or("", |(section, _)| section);
    let section = if written_in.is_empty() || names_in(written_in, &|_| None).is_empty() {
        meant.map(|key| key.section_and_name().0)
    } else {
        Some(written_in)
    };
    let allowed = match section {
        Some(section) if !section.is_empty() => {
            let choice = KEYS.iter().filter(|key| key.section_and_name().0 == section).find_map(|key| key.only);
            let with = choice.and_then(|only| Some(format!(" with {} = {}", only.key, chosen(only.key)?))).unwrap_or_default();
            match names_in(section, chosen) {
                none if none.is_empty() => format!("no key is allowed in [{section}]{with}"),
                names => format!("allowed in [{section}]{with}: {names}"),
            }
        }
        Some(_) | None => {
            let mut sections: Vec<_> =
                KEYS.iter().map(|key| key.section_and_name().0).filter(|section| !section.is_empty()).collect();
            sections.dedup();
            format!("allowed: seed and the sections {}", sections.join(", "))
        }
    };
    format!("unknown key '{path}'{question}{} {allowed}", if meant.is_some() { "" } else { ";" })
}

/// Judges one value by its key alone.
fn typed(key: &Key, value: Option<&Value>, raw: &str, place: &Place) -> Result<Typed, String> {
    let path = key.path;
    let wrong = || {
        let hint = match key.kind {
            Kind::Whole { .. } | Kind::Real { .. } | Kind::Name(_) => format!("; allowed: {}", key.kind.allowed()),
            Kind::Radius | Kind::Switch | Kind::Path | Kind::Paths | Kind::Epochs => String::new(),
            Kind::Changes => format!(", like {}", key.kind.allowed().trim_start_matches("a list like ")),
        };
        format!("{path} = {raw} must be {}{hint}", key.kind.words())
    };
    let value = value.ok_or_else(wrong)?;
    let float = || value.as_float().or_else(|| value.as_integer().map(|v| v as f64));
    // On a command line a file called 2024 needs no quotes.
    let text = || match (value.as_str(), place) {
        (Some(text), _) => Some(text.to_owned()),
        (None, Place::Override(_)) => Some(raw.to_owned()),
        (None, Place::File { .. }) => None,
    };
    match key.kind {
        Kind::Whole { least, most } => {
            let v = value.as_integer().ok_or_else(wrong)?;
            if (least..=most).contains(&v) { Ok(Typed::Whole(v)) } else { Err(out_of_range(path, raw, &key.kind.allowed())) }
        }
        Kind::Real { least, most } => {
            let v = float().ok_or_else(wrong)?;
            let above = match least {
                Bound::Included(low) => v >= low,
                Bound::Excluded(low) => v > low,
            };
            let below = match most {
                Bound::Included(high) => v <= high,
                Bound::Excluded(high) => v < high,
            };
            if above && below { Ok(Typed::Real(v)) } else { Err(out_of_range(path, raw, &key.kind.allowed())) }
        }
        Kind::Radius => match (float(), value.as_str()) {
            (Some(v), _) => Ok(Typed::Real(v)),
            (None, Some(text)) => text.parse::<Eps>().map(|eps| Typed::Real(eps.0)).map_err(|_| wrong()),
            (None, None) => Err(wrong()),
        },
        Kind::Name(names) => {
            let text = text().ok_or_else(wrong)?;
            if names.contains(&text.as_str()) {
                return Ok(Typed::Text(text));
            }
            let question = suggest::name(&text, names).map_or(String::new(), |name| format!(" did you mean \"{name}\"?"));
            Err(format!("{path} = {raw} is not known;{question} allowed: {}", key.kind.allowed()))
        }
        Kind::Switch => value.as_bool().map(Typed::Switch).ok_or_else(wrong),
        Kind::Path => text().map(Typed::Text).ok_or_else(wrong),
        Kind::Epochs => {
            let list = value.as_array().ok_or_else(wrong)?;
            list.iter().map(Value::as_integer).collect::<Option<Vec<_>>>().map(Typed::Epochs).ok_or_else(wrong)
        }
        Kind::Changes | Kind::Paths => {
            let list = value.as_array().ok_or_else(wrong)?;
            let lines = list.iter().map(|line| line.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
            lines.map(Typed::Lines).ok_or_else(wrong)
        }
    }
}
