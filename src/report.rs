//! Reports: runs or a whole sweep as one page, Markdown, plots and tables, with what it takes to make every number again.
//!
//! Numbers are those of [`crate::run::comparison`]: of finished evaluations, never of probes, and under one heading only where they
//! compare. Here they are averaged over seeds, drawn, and put beside the paper's ([`paper`]). Nothing is measured, and nothing is
//! written but the report's own folder ([`folder`]). The same runs make the same bytes: no clock is read.

pub mod beside;
pub mod commands;
pub mod curves;
pub mod document;
pub mod epsilon;
pub mod experiment;
pub mod figures;
pub mod folder;
pub mod history;
pub mod html;
pub mod markdown;
pub mod missing;
pub mod overview;
pub mod paper;
pub mod plot;
pub mod png;
pub mod points;
pub mod runs;
pub mod sets;
pub mod single;
pub mod statistics;
pub mod sweep;
pub mod text;
pub mod verdict;
pub mod words;

use crate::run::comparison::CompareError;
use crate::run::store::RunFolder;
use document::Document;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error(
        "{} is neither a run nor a sweep: looked for {}; give the folder of a run, its id within {}, or the folder that holds sweep.json",
        what.display(), looked.join(", "), runs.display()
    )]
    Neither { what: PathBuf, looked: Vec<String>, runs: PathBuf },
    #[error("{} is a sweep and stands for all of its runs: report on it alone, or name the runs", folder.display())]
    NotAlone { folder: PathBuf },
    #[error("{} {why}", file.display())]
    Plan { file: PathBuf, why: String },
    #[error(
        "{} holds the sweep '{name}' and none of its {cells} runs: there is nothing to report; {} runs them",
        folder.display(), commands::sweep(folder)
    )]
    NothingRun { folder: PathBuf, name: String, cells: usize },
    #[error("{}: {why}", folder.display())]
    Run { folder: PathBuf, why: String },
    #[error(transparent)]
    Compare(#[from] CompareError),
    #[error("{} holds other files than a report's and is left as it is; choose another folder with --out DIR", folder.display())]
    Taken { folder: PathBuf },
    #[error("cannot write {}: {source}; choose another folder with --out DIR", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the plot {name} cannot be drawn: {why}")]
    Picture { name: String, why: String },
}

/// What is to be reported on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Sweep(PathBuf),
    Runs(Vec<PathBuf>),
}

impl Subject {
    /// A sweep's folder or its `sweep.json`, or runs: folders, or ids within `runs`.
    ///
    /// # Errors
    /// What is neither, with what was looked for.
    pub fn of(runs: &Path, names: &[PathBuf]) -> Result<Self, ReportError> {
        for name in names {
            let Some(folder) = sweep_at(name) else { continue };
            return if names.len() == 1 { Ok(Self::Sweep(folder)) } else { Err(ReportError::NotAlone { folder }) };
        }
        for name in names {
            if RunFolder::open(runs, name).is_err() {
                // One that is there and cannot be read is told in its own words.
                let there =
                    |path: &Path| path.join("events.jsonl").exists() || (path.is_file() && path.ends_with("events.jsonl"));
                if !there(name) && !there(&runs.join(name)) {
                    let looked = [name.join(experiment::PLAN), name.join("events.jsonl"), runs.join(name).join("events.jsonl")];
                    let looked = looked.map(|path| path.display().to_string()).into();
                    return Err(ReportError::Neither { what: name.clone(), looked, runs: runs.to_path_buf() });
                }
            }
        }
        Ok(Self::Runs(names.to_vec()))
    }

    /// `lone`: where evaluations of teachers that come from no run are kept.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn document(&self, runs: &Path, lone: &Path) -> Result<Document, ReportError> {
        match self {
            Self::Sweep(folder) => sweep::document(folder),
            Self::Runs(names) => runs::document(runs, names, lone),
        }
    }

    /// Where its report goes when nobody says: into the sweep's folder, or `reports/<first id>`.
    pub fn place(&self, runs: &Path) -> PathBuf {
        match self {
            Self::Sweep(folder) => folder.join("report"),
            Self::Runs(names) => {
                let id = names.first().and_then(|name| RunFolder::open(runs, name).ok());
                Path::new("reports").join(id.map_or_else(|| "report".into(), |folder| folder.id().to_string()))
            }
        }
    }
}

/// The folder of a sweep, where this is one, or the plan in it.
fn sweep_at(name: &Path) -> Option<PathBuf> {
    if name.join(experiment::PLAN).exists() {
        return Some(name.to_path_buf());
    }
    let is_plan = name.is_file() && [experiment::PLAN, "sweep.toml"].iter().any(|file| name.ends_with(file));
    let folder = name.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
    (is_plan && folder.join(experiment::PLAN).exists()).then(|| folder.to_path_buf())
}
