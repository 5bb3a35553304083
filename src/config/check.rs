//! Reads a config from TOML and judges it: all faults at once, each with its place, its key and what is allowed.
//!
//! Opens the config file only. Whether the files that it names exist and fit is found by whoever opens them.

mod build;
mod gather;
mod judge;
pub mod keys;
mod suggest;
mod write;

use super::{Config, ValidationSplit};
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

// What other files of ours in TOML are read with.
pub(crate) use gather::{Leaf, file as leaves};
pub use keys::{KEYS, Key};
pub(crate) use suggest::{key as nearest_key, name as nearest};
pub use write::{differing, to_toml};

/// Hundreds of times any real config: what is larger was not meant as one (a data file, a device).
const LARGEST_FILE: u64 = 1 << 20;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    pub text: String,
}

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Lines and columns count from 1. No line: the file as a whole, or what is missing from it.
    File { path: PathBuf, line: Option<usize>, column: Option<usize> },
    /// The text after `-s`.
    Override(String),
}

/// Everything that is wrong with a config, in the order of its lines; shown one to a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { path, line, column } => {
                write!(f, "{}", path.display())?;
                for number in [line, column].into_iter().flatten() {
                    write!(f, ":{number}")?;
                }
                write!(f, ": {}", self.text)
            }
            Place::Override(text) => write!(f, "-s {text}: {}", self.text),
        }
    }
}

/// Reads and judges the file at `path`, with `overrides` of the form `key.path=value` laid over it.
///
/// # Errors
/// Everything that is wrong, or that the file cannot be read.
pub fn load(path: &Path, overrides: &[String]) -> Result<Config, Faults> {
    read(&text_of(path)?, path, overrides)
}

/// Reads a config that this program wrote, as [`read_written`] does.
///
/// # Errors
/// Everything that is wrong, or that the file cannot be read.
pub fn load_written(path: &Path, overrides: &[String]) -> Result<Config, Faults> {
    read_written(&text_of(path)?, path, overrides)
}

fn text_of(path: &Path) -> Result<String, Faults> {
    let fault =
        |text: String| Faults(vec![Fault { place: Place::File { path: path.to_owned(), line: None, column: None }, text }]);
    let cannot = |error: std::io::Error| {
        fault(match error.kind() {
            std::io::ErrorKind::NotFound => {
                "there is no such file; the configs that come with the program are in configs/".into()
            }
            _ => format!("cannot be read: {error}"),
        })
    };
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return Err(fault("is no regular file; name a .toml file".into()));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)).map_err(cannot)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(fault(format!("is larger than {} KiB, so it is not a config; name a .toml file", LARGEST_FILE >> 10)));
    }
    String::from_utf8(bytes).map_err(|error| {
        fault(format!("is not text (byte {} is not UTF-8); name a .toml file", error.utf8_error().valid_up_to()))
    })
}

/// Reads and judges TOML text. `origin` is named in faults, and its folder is where the text's relative paths start.
///
/// An override that chooses another method, schedule or data source drops what the *file* says for the one it replaces:
/// `-s method.name=erm` works on an RRM file. Within one place such keys are faults.
///
/// # Errors
/// Everything that is wrong.
pub fn read(text: &str, origin: &Path, overrides: &[String]) -> Result<Config, Faults> {
    judged(leaves(text, origin).map_err(|fault| Faults(vec![fault]))?, origin, overrides)
}

/// Reads a config that [`to_toml`] wrote, perhaps in an earlier version: a run's own, or that of a cell of a sweep.
///
/// Every version writes all keys it has, so a missing key means the behaviour from before that key existed, not today's default.
///
/// # Errors
/// Everything that is wrong.
pub fn read_written(text: &str, origin: &Path, overrides: &[String]) -> Result<Config, Faults> {
    let mut leaves = leaves(text, origin).map_err(|fault| Faults(vec![fault]))?;
    let has = |path: &str| leaves.iter().any(|leaf| leaf.path == path);
    // All sources of files in folders have a size.
    if has("data.size") && !has("data.split") {
        leaves.push(gather::written("data.split", ValidationSplit::default().name(), origin));
    }
    judged(leaves, origin, overrides)
}

fn judged(mut leaves: Vec<Leaf>, origin: &Path, overrides: &[String]) -> Result<Config, Faults> {
    let mut faults = Vec::new();
    for text in overrides {
        match gather::override_(text) {
            Ok(over) => {
                leaves.retain(|leaf| over.iter().all(|new| new.path != leaf.path));
                leaves.extend(over);
            }
            Err(fault) => faults.push(fault),
        }
    }
    judge::config(leaves, origin, faults).map_err(|mut faults| {
        // Stable, so that faults of one line stay in the order they were found; what is missing comes after the lines.
        faults.sort_by_key(|fault| match &fault.place {
            Place::File { line: Some(line), .. } => (0, *line),
            Place::File { line: None, .. } => (1, 0),
            Place::Override(_) => (2, 0),
        });
        Faults(faults)
    })
}
