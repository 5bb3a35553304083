//! How a sweep stands: each cell's stage, how far it is, what was found of it; and how long the whole will take.
//!
//! Plain values that [`super::runner`] hands out several times a second, for the screen and for lines. It reads nothing and asks nobody.

use super::plan::{Cell, Figure};
use std::path::PathBuf;

/// A sweep at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    pub name: String,
    pub title: String,
    pub figure: Figure,
    /// Absolute.
    pub folder: PathBuf,
    /// In the order of the plan.
    pub rows: Vec<Row>,
    /// One for each device that runs are given.
    pub slots: Vec<Slot>,
    pub flow: Flow,
    /// Since this process began.
    pub elapsed_s: f64,
    /// Until everything has been run and evaluated; `None` before anything was measured.
    pub left_s: Option<f64>,
    /// What happened, oldest first: one line each.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// As `--device` has it.
    pub device: String,
    /// The place in [`Board::rows`] of what it runs.
    pub row: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Running,
    /// Nothing new is begun; what runs is saved and stopped.
    Stopping,
    /// Everything that can be run was.
    Finished,
    Stopped,
}

/// A cell and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub cell: Cell,
    pub stage: Stage,
    /// Of its plan.
    pub steps: Option<Steps>,
    /// Its newest probe while it trains, on validation images.
    pub probe: Option<Pair>,
    /// What its evaluations found, in the order of the sweep's attacks; without any, what ended the run. Never a probe.
    pub found: Vec<Found>,
    /// Of training, as far as it is.
    pub train_s: f64,
    /// Of the evaluations that this process watched.
    pub evaluate_s: f64,
    /// Until it is done, by what others of its kind took.
    pub left_s: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub done: u64,
    pub of: u64,
}

/// Fractions 0-1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    pub natural: f64,
    pub adversarial: f64,
}

/// One number of one attack.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// `autoattack`, `art-autopgd x10`, `pgd-20`.
    pub attack: String,
    pub images: u64,
    pub pair: Pair,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    Waiting,
    /// For another cell: its teacher, or the time it is given.
    WaitsFor(String),
    /// In a process that this one did not start.
    Elsewhere(u32),
    Training,
    Evaluating,
    Done,
    /// In one line why.
    Failed(String),
    /// By hand; the next call goes on with it.
    Stopped,
}

impl Board {
    /// How many are done, and how many failed or wait for one that failed.
    pub fn tally(&self) -> (usize, usize) {
        let done = self.rows.iter().filter(|row| row.stage == Stage::Done).count();
        let failed = self.rows.iter().filter(|row| matches!(row.stage, Stage::Failed(_))).count();
        (done, failed)
    }

    /// The row that stands best: by the adversarial accuracy of the first attack, teachers left out.
    pub fn best(&self) -> Option<&Row> {
        let robust = |row: &Row| row.found.first().map_or(f64::NEG_INFINITY, |found| found.pair.adversarial);
        self.rows
            .iter()
            .filter(|row| row.cell.role == super::plan::Role::Student && !row.found.is_empty())
            .max_by(|a, b| robust(a).total_cmp(&robust(b)))
    }
}
