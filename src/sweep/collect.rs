//! Gathers runs of a sweep that were made elsewhere: another machine, a job array, an earlier folder.
//!
//! A run counts when its id and its config are those of a cell; it is copied whole, under a name nobody looks at until it is. What is
//! here already is never replaced, and nothing is taken away from where it came.

use super::ledger::{Ledger, LedgerError, Stand, is_of};
use super::plan::{Cell, Plan};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What became of each cell.
#[derive(Debug, Default)]
pub struct Gathered {
    pub copied: Vec<String>,
    pub here: usize,
    /// With what is wrong with the run that was found.
    pub refused: Vec<String>,
    pub missing: Vec<String>,
}

/// Looks in each folder for runs by their ids: in it, in its `runs`, and below that by one level.
///
/// # Errors
/// A folder that cannot be read, or a disk that cannot be written.
pub fn gather(plan: &Plan, ledger: &Ledger, from: &[PathBuf]) -> Result<Gathered, LedgerError> {
    for folder in from {
        if !folder.is_dir() {
            let why = "there is no such folder".to_string();
            return Err(LedgerError::NotASweep { path: folder.clone(), why });
        }
    }
    let mut gathered = Gathered::default();
    for cell in &plan.cells {
        let known = ledger.known(cell, plan.evaluate.as_ref());
        if matches!(known.standing, Stand::Done | Stand::Trained | Stand::Running(_)) {
            gathered.here += 1;
            continue;
        }
        match find(plan, cell, ledger, from) {
            None => gathered.missing.push(cell.id.clone()),
            Some(Err(why)) => gathered.refused.push(format!("{}: {why}", cell.id)),
            Some(Ok(run)) => {
                if known.standing != Stand::Absent {
                    ledger.put_away(&cell.id)?;
                }
                let partial = ledger.runs().join(format!(".{}.partial", cell.id));
                let failed = |source| LedgerError::Io { doing: "copy", path: run.clone(), source };
                if partial.exists() {
                    fs::remove_dir_all(&partial).map_err(failed)?;
                }
                copy(&run, &partial).map_err(failed)?;
                fs::rename(&partial, ledger.run(&cell.id)).map_err(failed)?;
                gathered.copied.push(cell.id.clone());
            }
        }
    }
    Ok(gathered)
}

/// The first run of this cell that can be taken; else why the one that was found cannot.
fn find(plan: &Plan, cell: &Cell, ledger: &Ledger, from: &[PathBuf]) -> Option<Result<PathBuf, String>> {
    let mut refused = None;
    for folder in from {
        for run in [folder.join(&cell.id), folder.join("runs").join(&cell.id)] {
            if !run.join("events.jsonl").is_file() || run == ledger.run(&cell.id) {
                continue;
            }
            match judge(cell, &run, plan) {
                Ok(()) => return Some(Ok(run)),
                Err(why) => refused = Some(Err(format!("{}: {why}", run.display()))),
            }
        }
    }
    refused
}

fn judge(cell: &Cell, run: &Path, plan: &Plan) -> Result<(), String> {
    let config = fs::read_to_string(run.join("config.toml")).map_err(|error| format!("its config cannot be read: {error}"))?;
    // The folder that it was made in, by where its teacher lies.
    let home = fs::canonicalize(run).ok().and_then(|run| Some(run.parent()?.parent()?.to_path_buf())).unwrap_or_default();
    let differing = is_of(cell, &config, &home);
    // Where data and teachers lie differs from machine to machine; what they are is in the run's log.
    // A sweep that evaluates its runs leaves out the evaluation that would end them.
    let elsewhere: &[&str] =
        if plan.evaluate.is_some() { &["data.path", "teacher.", "evaluation.images"] } else { &["data.path", "teacher."] };
    let told: Vec<String> = differing.into_iter().filter(|line| !elsewhere.iter().any(|key| line.starts_with(key))).collect();
    if told.is_empty() { Ok(()) } else { Err(format!("it is another run: {}", told.join("; "))) }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        } else if kind.is_file() {
            // A socket is of the process that made it.
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
