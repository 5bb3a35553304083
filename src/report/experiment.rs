//! A sweep's folder as it is found: its plan, which of its runs can be read, and those beside each other.
//!
//! A run that is missing or damaged is a fact to be told and hides no other.

use super::ReportError;
use super::points::Point;
use crate::run::comparison::{Comparison, Group, Row, Teachers, compare};
use crate::run::listing::Standing;
use crate::sweep::plan::FORMAT;
use crate::sweep::{Cell, Plan};
use std::fs;
use std::path::{Path, PathBuf};

pub const PLAN: &str = "sweep.json";
const SOURCE: &str = "sweep.toml";
const RUNS: &str = "runs";
/// A longer file is no plan.
const LONGEST: u64 = 256 << 20;

pub struct Experiment {
    pub folder: PathBuf,
    pub plan: Plan,
    /// The sweep file as it lies there, or as the plan has it.
    pub source: String,
    pub groups: Vec<Group>,
    /// In the order of the plan's cells.
    pub stands: Vec<Stands>,
}

/// How one cell was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Stands {
    NotRun,
    Unreadable(String),
    /// Its place in the groups' rows.
    Ran {
        group: usize,
        row: usize,
    },
}

impl Experiment {
    /// # Errors
    /// What is no sweep, or holds no run that was begun.
    pub fn read(folder: &Path) -> Result<Self, ReportError> {
        let file = folder.join(PLAN);
        let damaged = |why: String| ReportError::Plan { file: file.clone(), why };
        let facts = fs::metadata(&file).map_err(|error| damaged(format!("cannot be read: {error}")))?;
        if !facts.is_file() || facts.len() > LONGEST {
            return Err(damaged("is no plan of a sweep".into()));
        }
        let bytes = fs::read(&file).map_err(|error| damaged(format!("cannot be read: {error}")))?;
        let whole: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| damaged(format!("is damaged: {error}")))?;
        // A newer one need not look like one of today: its number is looked at first.
        if let Some(format) = whole["format"].as_u64().filter(|&format| format > u64::from(FORMAT)) {
            return Err(damaged(format!("is written in format {format}; this program reads up to {FORMAT}: use a newer one")));
        }
        let plan: Plan = serde_json::from_value(whole).map_err(|error| damaged(format!("is damaged: {error}")))?;
        let source = fs::read_to_string(folder.join(SOURCE)).unwrap_or_else(|_| plan.source.clone());
        let runs = folder.join(RUNS);
        let mut stands = Vec::new();
        let mut readable = Vec::new();
        for cell in &plan.cells {
            let path = runs.join(&cell.id);
            stands.push(if !is_a_name(&cell.id) {
                Stands::Unreadable(format!("'{}' is no name of a folder", cell.id))
            } else if !path.exists() {
                Stands::NotRun
            } else {
                match compare(&runs, std::slice::from_ref(&path), Teachers::Omit) {
                    Ok(_) => {
                        readable.push(path);
                        // Its place is found below.
                        Stands::NotRun
                    }
                    Err(error) => Stands::Unreadable(error.to_string()),
                }
            });
        }
        if readable.is_empty() && !stands.iter().any(|stands| matches!(stands, Stands::Unreadable(_))) {
            return Err(ReportError::NothingRun { folder: folder.to_path_buf(), name: plan.name, cells: plan.cells.len() });
        }
        let groups = if readable.is_empty() {
            Vec::new()
        } else {
            let Comparison { groups } = compare(&runs, &readable, Teachers::Omit)?;
            groups
        };
        for (cell, stands) in plan.cells.iter().zip(&mut stands) {
            for (group, found) in groups.iter().enumerate() {
                if let Some(row) = found.rows.iter().position(|row| row.run.summary.id == cell.id) {
                    *stands = Stands::Ran { group, row };
                }
            }
        }
        Ok(Self { folder: folder.to_path_buf(), plan, source, groups, stands })
    }

    pub fn run_folder(&self, cell: &Cell) -> PathBuf {
        self.folder.join(RUNS).join(&cell.id)
    }

    pub fn row(&self, cell: &Cell) -> Option<&Row> {
        let place = self.plan.cells.iter().position(|other| other.id == cell.id)?;
        match self.stands.get(place)? {
            Stands::Ran { group, row } => self.groups.get(*group)?.rows.get(*row),
            Stands::NotRun | Stands::Unreadable(_) => None,
        }
    }

    /// As [`Self::row`], of a run that was completed: others are no measurement.
    pub fn completed(&self, cell: &Cell) -> Option<&Row> {
        self.row(cell).filter(|row| row.run.summary.state == Standing::Completed)
    }

    /// The points of one group, each with those of its cells that belong there. Points that were not run at all stand with those whose
    /// configs have the same data and threat.
    pub fn points(&self, group: usize) -> Vec<Point<'_>> {
        let found = |cell: &Cell| match self.stand(cell) {
            Some(Stands::Ran { group, .. }) => Some(*group),
            Some(Stands::NotRun | Stands::Unreadable(_)) | None => None,
        };
        let keys: Vec<String> = self.plan.cells.iter().filter(|cell| found(cell) == Some(group)).map(key).collect();
        let belongs = |cell: &&Cell| match found(cell) {
            Some(other) => other == group,
            None => keys.contains(&key(cell)),
        };
        self.plan
            .points()
            .into_iter()
            .map(|cells| cells.into_iter().filter(belongs).collect::<Vec<&Cell>>())
            .filter(|cells| !cells.is_empty())
            .map(|cells| Point::of(self, cells))
            .collect()
    }

    pub fn stand(&self, cell: &Cell) -> Option<&Stands> {
        let place = self.plan.cells.iter().position(|other| other.id == cell.id)?;
        self.stands.get(place)
    }
}

fn is_a_name(id: &str) -> bool {
    !id.is_empty() && !id.contains('/') && id != "." && id != ".."
}

/// What of a config decides with which others it can be compared.
fn key(cell: &Cell) -> String {
    let config: toml::Table = cell.config.parse().unwrap_or_default();
    let part =
        |section: &str, name: &str| config.get(section).and_then(|s| s.get(name)).map_or_else(String::new, ToString::to_string);
    [("data", "source"), ("data", "path"), ("threat", "norm"), ("threat", "eps")].map(|(s, n)| part(s, n)).join("|")
}
