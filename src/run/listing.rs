//! The runs in a folder, one row each: what trained, with what weight, how well, and how it stands now.
//!
//! A row is made by folding the run's log, without the lines that say nothing about it. A run that cannot be read is a row
//! with the reason: one damaged log hides no other run. Nothing is cached and nothing is written.

use super::calendar::calendar;
use super::replay::{Lines, LogError, Tail, read_lines};
use super::state::{MarkerKind, Phase, RunState};
use super::store::{Owner, RunFolder, StoreError, ids};
use crate::protocol::event::{Evaluated, Parent};
use crate::protocol::{Dial, Outcome};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

/// One run, as a row of the table and as a line of JSON. Fractions are 0-1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    pub id: String,
    pub state: Standing,
    pub method: String,
    pub student: String,
    /// The teacher's network.
    pub teacher: Option<String>,
    pub data: String,
    /// As the run began, and as it is now; for methods without one `None`.
    pub lambda: Option<f64>,
    pub lambda_now: Option<f64>,
    /// How often lambda was changed while it ran, and how often anything was.
    pub lambda_changes: usize,
    pub changes: usize,
    /// The config's: `linf 0.1`.
    pub threat: String,
    pub epochs_done: u64,
    pub epochs_planned: u64,
    /// The probe with the highest adversarial accuracy.
    pub best: Option<Accuracies>,
    /// The newest probe.
    pub last: Option<Accuracies>,
    /// The final evaluation.
    pub test: Option<Accuracies>,
    pub started_at_ms: u64,
    pub train_seconds: f64,
    /// Why it failed, or what is wrong with its log.
    pub message: Option<String>,
    /// Where it branched off another run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accuracies {
    pub step: u64,
    pub natural_accuracy: f64,
    pub adversarial_accuracy: f64,
    /// `pgd-20`.
    pub attack: String,
    pub norm: &'static str,
    pub eps: f64,
    pub images: u64,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// A process holds it.
    Running,
    Completed,
    Stopped,
    Failed,
    /// It has not ended and no process holds it: it was killed.
    Interrupted,
}

impl Standing {
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

impl RunSummary {
    /// `0.005`, or `0.005->..->0.5` where it was turned; `None` for methods without one.
    pub fn lambda_shown(&self) -> Option<String> {
        let first = self.lambda?;
        Some(match self.lambda_now {
            // A branch may begin with another than its config says.
            Some(now) if self.lambda_changes > 0 || now != first => {
                let between = if self.lambda_changes > 1 { "->..->" } else { "->" };
                format!("{}{between}{}", Dial::Lambda.show(first), Dial::Lambda.show(now))
            }
            Some(_) | None => Dial::Lambda.show(first),
        })
    }
}

/// A run that is there and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    pub id: String,
    pub reason: String,
}

/// A row of the table.
pub type Row = Result<RunSummary, Unreadable>;

impl From<&Evaluated> for Accuracies {
    fn from(e: &Evaluated) -> Self {
        Self {
            step: e.step,
            natural_accuracy: e.natural,
            adversarial_accuracy: e.adversarial,
            attack: e.attack.short(),
            norm: e.attack.norm.name(),
            eps: e.attack.eps.0,
            images: e.images,
        }
    }
}

/// All runs of a folder, oldest first, then those that cannot be read. No folder: no runs.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn summaries(runs: &Path) -> Result<Vec<Row>, StoreError> {
    let mut rows: Vec<Row> =
        ids(runs)?.into_iter().map(|id| summary(runs, &runs.join(&id)).map_err(|reason| Unreadable { id, reason })).collect();
    rows.sort_by_key(|row| match row {
        Ok(run) => (0, run.started_at_ms, run.id.clone()),
        Err(bad) => (1, 0, bad.id.clone()),
    });
    Ok(rows)
}

fn summary(runs: &Path, path: &Path) -> Result<RunSummary, String> {
    let folder = RunFolder::open(runs, path).map_err(|error| error.to_string())?;
    read(&folder).map(|(summary, _)| summary)
}

/// A run's row, and the fold of its milestones that it was made of. A log that is damaged after its start is read up to there, and
/// the message says so.
pub(crate) fn read(folder: &RunFolder) -> Result<(RunSummary, RunState), String> {
    // Asked before the log is read: a run that ends in between is then in the log as ended, and never taken for killed.
    let owner = folder.owner();
    let mut state = RunState::default();
    let mut damage = None;
    let mut log = read_lines(&folder.events(), Lines::Milestones).map_err(|error| error.to_string())?;
    for record in log.by_ref() {
        match record {
            Ok(record) => state.apply(&record),
            // What was read up to there still tells most of it.
            Err(error @ (LogError::Malformed { .. } | LogError::Gap { .. })) if state.started.is_some() => {
                damage = Some(error.to_string());
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    let none = || match log.tail() {
        Tail::Whole => "its log does not say what was started".to_string(),
        Tail::Torn => "its log ends within its first lines".to_string(),
    };
    let mut summary = summarised(folder.id(), &state, &owner).ok_or_else(none)?;
    summary.message = summary.message.or(damage);
    Ok((summary, state))
}

/// The row of a run of which this is known; `None` before it says what was started.
pub fn summarised(id: &str, state: &RunState, owner: &Owner) -> Option<RunSummary> {
    let started = state.started.as_ref()?;
    let (standing, failure) = match &state.phase {
        Phase::Finished(Outcome::Completed) => (Standing::Completed, None),
        Phase::Finished(Outcome::Stopped) => (Standing::Stopped, None),
        Phase::Finished(Outcome::Failed { message }) => (Standing::Failed, Some(message.clone())),
        Phase::Preparing | Phase::Running | Phase::Paused | Phase::Stopping(_) => match owner {
            Owner::Process(_) => (Standing::Running, None),
            Owner::Nobody => (Standing::Interrupted, None),
        },
    };
    let lambda = started.config.method.lambda();
    Some(RunSummary {
        id: id.to_string(),
        state: standing,
        method: started.config.method.name().to_string(),
        student: started.student.name.clone(),
        teacher: started.teacher.as_ref().map(|teacher| teacher.network.name.clone()),
        data: started.data.name.clone(),
        lambda,
        lambda_now: lambda.and(state.controls.map(|controls| controls.lambda)),
        changes: state.turned().count(),
        threat: format!("{} {}", started.config.threat.norm.name(), started.config.threat.eps),
        lambda_changes: state.turned().filter(|m| m.kind == MarkerKind::Dial(Dial::Lambda)).count(),
        epochs_done: state.epochs.last().map_or(0, |epoch| epoch.epoch),
        epochs_planned: started.plan.epochs,
        best: state.best.as_ref().map(Accuracies::from),
        last: state.probes().last().map(Accuracies::from),
        test: state.last_final().map(Accuracies::from),
        started_at_ms: state.started_at_ms,
        train_seconds: state
            .finished
            .as_ref()
            .map_or_else(|| state.epochs.iter().map(|epoch| epoch.train_seconds).sum(), |finished| finished.train_seconds),
        message: failure,
        parent: started.parent.clone(),
    })
}

/// One JSON object a line; of a run that cannot be read its `id` and `reason`.
///
/// # Errors
/// Never for numbers that are finite, which accuracies are.
pub fn json_lines(rows: &[Row]) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for row in rows {
        text += &match row {
            Ok(run) => serde_json::to_string(run)?,
            Err(bad) => serde_json::to_string(bad)?,
        };
        text.push('\n');
    }
    Ok(text)
}

/// Columns in their order, and how dispensable each is: where the width does not suffice, the highest go first.
const COLUMNS: &[(&str, u8)] = &[
    ("run", 0),
    ("state", 1),
    ("method", 2),
    ("lambda", 1),
    ("student", 5),
    ("teacher", 6),
    ("epochs", 3),
    ("threat", 2),
    ("best probe nat/adv", 1),
    ("last probe nat/adv", 4),
    ("test nat/adv", 0),
    ("train", 7),
    ("started (UTC)", 8),
];

/// Aligned text no wider than `width` columns, as long as the most needed columns fit; reasons stand in lines of their own.
pub fn table(rows: &[Row], width: usize) -> String {
    let mut cells: Vec<Vec<String>> = vec![COLUMNS.iter().map(|(name, _)| (*name).to_string()).collect()];
    cells.extend(rows.iter().flatten().map(|run| row_cells(run).iter().map(|cell| harmless(cell)).collect()));
    let wide = |column: usize| cells.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let mut shown: Vec<usize> = (0..COLUMNS.len()).collect();
    let total = |shown: &[usize]| shown.iter().map(|&column| wide(column) + 2).sum::<usize>().saturating_sub(2);
    while total(&shown) > width {
        let Some(&least) = shown.iter().filter(|&&c| COLUMNS[c].1 > 0).max_by_key(|&&c| COLUMNS[c].1) else { break };
        shown.retain(|&column| column != least);
    }
    let mut text = String::new();
    if cells.len() > 1 {
        for row in &cells {
            let mut line = String::new();
            for &column in &shown {
                line += &row[column];
                line.extend(std::iter::repeat_n(' ', wide(column) - row[column].width() + 2));
            }
            text += line.trim_end();
            text.push('\n');
        }
    }
    for row in rows {
        match row {
            Ok(RunSummary { id, message: Some(message), .. }) => {
                let _ = writeln!(text, "{}: {}", harmless(id), harmless(message.lines().next().unwrap_or_default()));
            }
            Ok(_) => {}
            Err(bad) => {
                let _ = writeln!(text, "{}: {}", harmless(&bad.id), harmless(&bad.reason));
            }
        }
    }
    text
}

/// Names of folders and words of logs come from anywhere, and must not steer the terminal they are shown on.
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn row_cells(run: &RunSummary) -> Vec<String> {
    let dash = || "-".to_string();
    // Each number with the attack and the count of images behind it.
    let both = |a: &Option<Accuracies>| {
        a.as_ref().map_or_else(dash, |a| {
            let (natural, adversarial) = (100.0 * a.natural_accuracy, 100.0 * a.adversarial_accuracy);
            format!("{natural:.1}/{adversarial:.1} {} n={}", a.attack, a.images)
        })
    };
    let ([year, month, day], [hour, minute, _]) = calendar(run.started_at_ms);
    vec![
        run.id.clone(),
        run.state.name().to_string(),
        run.method.clone(),
        run.lambda_shown().unwrap_or_else(dash),
        run.student.clone(),
        run.teacher.clone().unwrap_or_else(dash),
        format!("{}/{}", run.epochs_done, run.epochs_planned),
        run.threat.clone(),
        both(&run.best),
        both(&run.last),
        both(&run.test),
        clock(run.train_seconds),
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}"),
    ]
}

/// `0:19`, `12:05`, `1:02:03`.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}
