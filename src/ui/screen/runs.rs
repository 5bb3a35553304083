//! What the Runs view remembers between frames: what was read of the folder, the chosen run, filter and order, and whose curves lie behind
//! this run's.
//!
//! It reads nothing: the loop hands it what a thread has read. Which rows are shown, and in which order, is a pure function of this and of
//! the run on the screen.

mod filter;
mod order;

pub use order::{Listed, Rank, Shown, state_word};

use super::{Mood, Screen};
use crate::run::RunState;
use crate::run::session::Access;
use crate::run::shelf::whatif::{WhatIf, what_if};
use crate::run::shelf::{Entry, Facts};
use crate::run::store::Owner;
use std::sync::Arc;

/// More curves behind one are not told apart any more.
pub const OVERLAYS: usize = 4;
/// How long what was read of the folder is good enough.
const FRESH_MS: u64 = 10_000;
/// A filter is a few words.
const LONGEST_FILTER: usize = 60;

#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Other runs whose curves are drawn behind this one's, oldest choice first.
    pub overlays: Vec<Arc<RunState>>,
    /// Their ids, in the same order: a folder may have been given another name since.
    overlaid: Vec<String>,
    /// Whose curves were asked for and have not come yet.
    opening: Vec<String>,
    pub entries: Vec<Entry>,
    pub folder: Folder,
    pub chosen: Option<String>,
    pub filter: Filter,
    pub sort: Sort,
    pub shape: Shape,
    pub extent: Extent,
    asked_ms: Option<u64>,
}

/// What is known of the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Folder {
    /// Nobody can look: there is no such thing here.
    #[default]
    Absent,
    /// The first look has not come back.
    Reading,
    Read,
    Unreadable(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    #[default]
    Off,
    Typing(String),
    Set(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Newest,
    Natural,
    Adversarial,
    Lambda,
}

impl Sort {
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Newest => Self::Natural,
            Self::Natural => Self::Adversarial,
            Self::Adversarial => Self::Lambda,
            Self::Lambda => Self::Newest,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest first",
            Self::Natural => "by natural",
            Self::Adversarial => "by adversarial",
            Self::Lambda => "by λ",
        }
    }
}

/// Whether runs that branched off stand below their parents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    #[default]
    Tree,
    Flat,
}

/// How much room the chart against lambda has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    #[default]
    Below,
    Whole,
}

impl Filter {
    pub fn text(&self) -> &str {
        match self {
            Self::Off => "",
            Self::Typing(text) | Self::Set(text) => text,
        }
    }

    pub fn typed(&mut self, c: char) {
        if let Self::Typing(text) = self
            && text.chars().count() < LONGEST_FILTER
            && !c.is_control()
        {
            text.push(c);
        }
    }
}

impl Runs {
    pub fn is_typing(&self) -> bool {
        matches!(self.filter, Filter::Typing(_))
    }

    /// Whether a look at the folder is due while the view is open.
    pub fn due(&self, now_ms: u64) -> bool {
        self.asked_ms.is_none_or(|at| now_ms.saturating_sub(at) >= FRESH_MS)
    }

    /// Milliseconds until it is.
    pub fn due_in(&self, now_ms: u64) -> u64 {
        self.asked_ms.map_or(0, |at| (at + FRESH_MS).saturating_sub(now_ms))
    }

    pub fn asked(&mut self, now_ms: u64) {
        self.asked_ms = Some(now_ms);
        if self.folder == Folder::Absent {
            self.folder = Folder::Reading;
        }
    }

    /// Takes in what a look has found.
    pub fn looked(&mut self, found: Result<Vec<Entry>, String>) {
        match found {
            Ok(entries) => (self.entries, self.folder) = (entries, Folder::Read),
            Err(why) => self.folder = Folder::Unreadable(why),
        }
    }

    /// The letter of a run whose curves lie behind this one's.
    pub fn letter(&self, id: &str) -> Option<char> {
        let at = self.overlaid.iter().position(|known| known == id)?;
        char::from_u32('a' as u32 + at as u32)
    }

    pub fn overlaid(&self) -> &[String] {
        &self.overlaid
    }

    pub fn is_opening(&self, id: &str) -> bool {
        self.opening.iter().any(|known| known == id)
    }

    /// Takes away what is there, or asks for it; says what was done.
    pub fn toggle(&mut self, id: &str) -> Toggled {
        if let Some(at) = self.overlaid.iter().position(|known| known == id) {
            self.overlaid.remove(at);
            if at < self.overlays.len() {
                self.overlays.remove(at);
            }
            Toggled::Taken
        } else if let Some(at) = self.opening.iter().position(|known| known == id) {
            self.opening.remove(at);
            Toggled::Taken
        } else if self.overlaid.len() + self.opening.len() >= OVERLAYS {
            Toggled::Full
        } else {
            self.opening.push(id.to_string());
            Toggled::Asked
        }
    }

    /// The run as it lies on disk: this one's own row while it trains comes from what the screen knows of it.
    fn own(state: &RunState, access: Access) -> Option<Entry> {
        let id = &state.started.as_ref()?.run;
        let owner = match access {
            Access::Steer => Owner::Process(String::new()),
            Access::ReadOnly => Owner::Nobody,
        };
        let facts = Facts::of(id, state, &owner)?;
        Some(Entry { id: id.clone(), found: Ok(Arc::new(facts)) })
    }

    /// All runs, this one among them.
    fn all(&self, state: &RunState, access: Access) -> Vec<Entry> {
        let own = state.started.as_ref().map(|s| s.run.as_str());
        let there = self.entries.iter().any(|entry| Some(entry.id.as_str()) == own);
        // A replay shows the past of a run, and the folder what became of it.
        let known = there && access == Access::ReadOnly;
        let mut all: Vec<Entry> = self.entries.iter().filter(|entry| known || Some(entry.id.as_str()) != own).cloned().collect();
        if !known {
            all.extend(Self::own(state, access));
        }
        all
    }

    /// The rows, filtered and in order.
    pub fn shown(&self, state: &RunState, access: Access) -> Shown {
        let own = state.started.as_ref().map(|s| s.run.as_str());
        order::shown(self.all(state, access), own, self.filter.text(), self.sort, self.shape)
    }

    /// Index of the chosen row among those shown.
    pub fn at(&self, shown: &Shown) -> usize {
        let chosen = |listed: &Listed| self.chosen.as_deref() == Some(listed.entry.id.as_str());
        shown.rows.iter().position(chosen).or_else(|| shown.rows.iter().position(|listed| listed.own)).unwrap_or(0)
    }

    /// The trade over all runs, filtered or not.
    ///
    /// # Errors
    /// What is missing for it.
    pub fn what_if(&self, state: &RunState, access: Access) -> Result<WhatIf, String> {
        let started = state.started.as_ref().ok_or("training has not started yet")?;
        let all = self.all(state, access);
        what_if(started, all.iter().filter_map(|entry| entry.found.as_deref().ok()))
    }
}

/// What became of a wish to see a run's curves, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toggled {
    Asked,
    Taken,
    Full,
}

impl Screen {
    /// Takes in a run that was read for its curves.
    pub fn opened(&mut self, id: &str, found: Result<Arc<RunState>, String>) {
        let wanted = self.runs.opening.iter().position(|known| known == id);
        if let Some(at) = wanted {
            self.runs.opening.remove(at);
        }
        match (found, self.runs.overlaid.iter().position(|known| known == id), wanted) {
            // Read once more, as it may have gone on.
            (Ok(state), Some(at), _) => {
                if let Some(old) = self.runs.overlays.get_mut(at) {
                    *old = state;
                }
            }
            (Ok(state), None, Some(_)) => {
                self.runs.overlays.push(state);
                self.runs.overlaid.push(id.to_string());
                let letter = self.runs.letter(id).unwrap_or('?');
                self.toast(Mood::Good, format!("{letter}: {id} lies behind the charts (key 2)"));
            }
            // Taken away again while it was read.
            (Ok(_) | Err(_), None, None) => {}
            (Err(why), _, _) => self.toast(Mood::Bad, format!("! {id}: {why}")),
        }
    }
}
