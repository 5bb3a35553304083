//! Runs that train now: which ones a folder holds, how far they are, and their state for a screen that comes late.

use super::RunState;
use super::link;
use super::listing::{RunSummary, Standing, clock, harmless, summarised};
use super::replay::{LogError, read_log};
use super::state::Phase;
use super::store::{Owner, RunFolder, StoreError};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;
use unicode_width::UnicodeWidthStr as _;

/// The runs of a folder that a process holds, by their names. No folder: none.
///
/// # Errors
/// When the folder cannot be read.
pub fn runs(folder: &Path) -> Result<Vec<RunFolder>, StoreError> {
    let failed = |source| StoreError::Io { doing: "list", path: folder.to_path_buf(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if let Ok(run) = RunFolder::open(folder, &entry.path())
            && run.owner() != Owner::Nobody
        {
            found.push(run);
        }
    }
    found.sort_by(|a, b| a.id().cmp(b.id()));
    Ok(found)
}

/// The run so far, as far as its log is whole.
///
/// # Errors
/// When the log cannot be read, or is damaged.
pub fn catch_up(folder: &RunFolder) -> Result<RunState, LogError> {
    let mut state = RunState::default();
    for record in read_log(&folder.events())? {
        state.apply(&record?);
    }
    Ok(state)
}

/// One that trains, as a row and as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Live {
    pub run: String,
    /// Of the process that trains.
    pub pid: String,
    /// `running`, `paused`, `stopping`, `preparing`.
    pub state: &'static str,
    pub step: u64,
    pub steps: u64,
    pub eta_seconds: Option<f64>,
    /// Screens, and who of them steers; absent where the process does not answer.
    pub screens: Option<u64>,
    pub steered_by: Option<String>,
    /// What holds it up.
    pub trouble: Option<String>,
    pub summary: RunSummary,
}

/// How a run stands that a process holds.
///
/// # Errors
/// When its log cannot be read.
pub fn look(folder: &RunFolder) -> Result<Live, String> {
    let owner = folder.owner();
    let state = catch_up(folder).map_err(|error| error.to_string())?;
    let summary = summarised(folder.id(), &state, &owner).ok_or("its log does not say what was started")?;
    let status = link::status(folder.path()).ok().map(|(_, status)| status);
    let word = match (&state.phase, summary.state) {
        (Phase::Preparing, _) => "preparing",
        (Phase::Running, Standing::Running) => "running",
        (Phase::Paused, Standing::Running) => "paused",
        (Phase::Stopping(_), Standing::Running) => "stopping",
        (Phase::Running | Phase::Paused | Phase::Stopping(_) | Phase::Finished(_), _) => "ending",
    };
    Ok(Live {
        run: folder.path().display().to_string(),
        pid: match owner {
            Owner::Process(pid) => pid,
            Owner::Nobody => String::new(),
        },
        state: word,
        step: state.step,
        steps: state.plan_steps(),
        eta_seconds: state.eta_seconds(),
        screens: status.as_ref().map(|status| status.clients),
        steered_by: status.as_ref().map(|status| status.steered_by.clone()).filter(|name| !name.is_empty()),
        trouble: status.and_then(|status| status.trouble),
        summary,
    })
}

/// Aligned text; what holds a run up stands below it.
pub fn table(all: &[Live]) -> String {
    let head = ["run", "pid", "state", "step", "ETA", "method", "lambda", "best adv", "steered by"].map(String::from);
    let mut rows = vec![head.to_vec()];
    rows.extend(all.iter().map(|live| {
        let best =
            live.summary.best.as_ref().map_or_else(|| "-".into(), |best| format!("{:.1}", 100.0 * best.adversarial_accuracy));
        let steered = match (&live.screens, &live.steered_by) {
            (None, _) => "does not answer".into(),
            (Some(_), Some(name)) => name.clone(),
            (Some(_), None) => "nobody".into(),
        };
        [
            live.run.clone(),
            live.pid.clone(),
            live.state.to_string(),
            format!("{}/{}", live.step, live.steps),
            live.eta_seconds.map_or_else(|| "-".into(), clock),
            live.summary.method.clone(),
            live.summary.lambda_shown().unwrap_or_else(|| "-".into()),
            best,
            steered,
        ]
        .map(|cell| harmless(&cell))
        .to_vec()
    }));
    let wide = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line += cell;
            line.extend(std::iter::repeat_n(' ', wide(column) - cell.width() + 2));
        }
        let _ = writeln!(text, "{}", line.trim_end());
        if let Some(trouble) = number.checked_sub(1).and_then(|at| all[at].trouble.as_ref()) {
            let _ = writeln!(text, "  ! {}", harmless(trouble));
        }
    }
    text
}
