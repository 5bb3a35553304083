//! The checkpoints of the run as a list, and what a person is about to do with one: go back to it, begin another run, keep it, delete it.

use crate::protocol::Step;
use crate::run::checkpoints::Found;

/// A new run that begins from a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub step: Step,
    /// `method.lambda=0.001`.
    pub sets: Vec<String>,
}

/// What becomes of the run that it branches off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is stopped, and this screen goes on with the new one.
    Rewind,
    /// It goes on, and the new one trains beside it without a screen.
    Beside,
}

/// What is read of the folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Checkpoints {
    #[default]
    Unread,
    /// It was asked for.
    Asked,
    Read(Vec<Found>),
}

impl Checkpoints {
    /// Newest first.
    pub fn all(&self) -> &[Found] {
        match self {
            Self::Unread | Self::Asked => &[],
            Self::Read(all) => all,
        }
    }
}

/// What is typed before a branch begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branching {
    pub step: Step,
    pub kind: Kind,
    pub sets: String,
    pub fault: Option<String>,
}

impl Branching {
    pub fn new(step: Step, kind: Kind) -> Self {
        Self { step, kind, sets: String::new(), fault: None }
    }

    /// # Errors
    /// What was typed that is no change of the config.
    pub fn wish(&self) -> Result<Wish, String> {
        let sets: Vec<String> = self.sets.split_whitespace().map(String::from).collect();
        sets.iter().try_for_each(|set| change(set))?;
        Ok(Wish { step: self.step, sets })
    }
}

/// # Errors
/// Why this changes no key of a config. What its value may be is judged when the config is read.
pub fn change(set: &str) -> Result<(), String> {
    use crate::config::check::{KEYS, Key, nearest};
    let Some((path, _)) = set.split_once('=') else { return Err(format!("'{set}': write it as method.lambda=0.001")) };
    if Key::find(path).is_some() {
        return Ok(());
    }
    let names: Vec<&'static str> = KEYS.iter().map(|key| key.path).collect();
    let meant = nearest(path, &names).map_or_else(String::new, |name| format!("; did you mean {name}?"));
    Err(format!("no key '{path}'{meant}"))
}
