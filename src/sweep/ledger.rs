//! A sweep's folder: the plan, the runs, and how each cell stands by what lies there.
//!
//! ```text
//! <folder>/sweep.json     the plan            configs/<id>.toml   each cell's config, as it is run
//!          sweep.toml     the file as read    logs/<id>.log       what its processes printed
//!          runs/<id>/     the runs            set-aside/          runs that a changed plan has no place for
//! ```
//!
//! Nothing is kept beside the runs that their logs and evaluations do not say themselves. It starts no process.

use super::board::{Found, Pair, Steps};
use super::plan::{Cell, Curve, Doubts, Evaluate, FORMAT, HERE, Plan};
use crate::config::units;
use crate::disk::{self, Locking};
use crate::protocol::Event;
use crate::run::comparison::evidence;
use crate::run::evaluations;
use crate::run::listing::{self, Accuracies, Standing};
use crate::run::replay::read_log;
use crate::run::store::{Owner, RunFolder, free_id, write_atomically};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub const PLAN: &str = "sweep.json";
const SOURCE: &str = "sweep.toml";
const LOCK: &str = "sweep.lock";
/// Keys of a config that a budget decides.
const BUDGETED: &[&str] = &["epochs", "steps"];

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{}: {why}; name the folder of a sweep, or another with --out", path.display())]
    NotASweep { path: PathBuf, why: String },
    #[error("{}: another process runs this sweep; wait for it, or stop it (its runs are saved)", path.display())]
    Busy { path: PathBuf },
    #[error("{0}")]
    Changed(Box<Changes>),
}

/// What a sweep file says otherwise than when its folder was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub folder: PathBuf,
    /// Ids, and what is different: `train.epochs: 6 before, 8 now`.
    pub changed: Vec<(String, Vec<String>)>,
    pub new: Vec<String>,
    pub gone: Vec<String>,
    pub kept: usize,
}

/// A sweep's folder.
pub struct Ledger {
    /// Absolute.
    folder: PathBuf,
    /// Held for as long as this process alone runs the sweep.
    _lock: Option<File>,
}

/// How a cell stands by what is on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Stand {
    /// No run.
    Absent,
    /// A process holds it; 0 where nobody knows which.
    Running(u32),
    /// Its training goes on when it is resumed.
    Unfinished,
    Failed(String),
    /// Trained, and not evaluated with all that the plan asks for.
    Trained,
    Done,
}

/// What is known of a cell's run.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    pub standing: Stand,
    pub steps: Option<Steps>,
    pub probe: Option<Pair>,
    pub found: Vec<Found>,
    pub train_s: f64,
    pub evaluate_s: f64,
    /// Of a run that was finished: seconds a step and steps an epoch.
    pub pace: Option<(f64, u64)>,
}

impl Known {
    fn nothing(standing: Stand) -> Self {
        Self { standing, steps: None, probe: None, found: Vec::new(), train_s: 0.0, evaluate_s: 0.0, pace: None }
    }
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: the sweep file has changed since this folder was made:", self.folder.display())?;
        for (id, what) in self.changed.iter().take(12) {
            writeln!(f, "  changed  {id}: {}", what.join("; "))?;
        }
        if self.changed.len() > 12 {
            writeln!(f, "  changed  {} more", self.changed.len() - 12)?;
        }
        let few = |ids: &[String]| {
            let more = if ids.len() > 6 { format!(" and {} more", ids.len() - 6) } else { String::new() };
            format!("{}{more}", ids.iter().take(6).cloned().collect::<Vec<_>>().join(", "))
        };
        if !self.new.is_empty() {
            writeln!(f, "  new      {}", few(&self.new))?;
        }
        if !self.gone.is_empty() {
            writeln!(f, "  gone     {}", few(&self.gone))?;
        }
        write!(
            f,
            "{} runs still apply and are kept; --accept-changes sets the changed and the gone ones aside (nothing is deleted) and goes on, --out DIR begins elsewhere",
            self.kept
        )
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::Io { doing, path, source }
}

/// Whether a changed sweep may set runs aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    Tell,
    SetAside,
}

impl Ledger {
    /// A sweep's folder to read. Anybody may, also while it runs.
    ///
    /// # Errors
    /// No such folder, or none of a sweep.
    pub fn open(folder: &Path) -> Result<(Self, Plan), LedgerError> {
        let folder = fs::canonicalize(folder).map_err(io_error("open", folder))?;
        let path = folder.join(PLAN);
        let not = |why: String| LedgerError::NotASweep { path: folder.clone(), why };
        let text = fs::read_to_string(&path).map_err(|error| not(format!("it holds no readable {PLAN} ({error})")))?;
        let plan: Plan = serde_json::from_str(&text).map_err(|error| not(format!("its {PLAN} is damaged or newer ({error})")))?;
        if plan.format > FORMAT {
            return Err(not(format!("its format is {}, and this program reads up to {FORMAT}", plan.format)));
        }
        Ok((Self { folder, _lock: None }, plan))
    }

    /// Makes the folder of a plan, or opens it again where it is the same plan.
    ///
    /// # Errors
    /// Another process runs it, the plan has changed, or what the file system says.
    pub fn begin(folder: &Path, plan: &Plan, on_change: OnChange) -> Result<Self, LedgerError> {
        fs::create_dir_all(folder).map_err(io_error("make the folder", folder))?;
        let folder = fs::canonicalize(folder).map_err(io_error("open", folder))?;
        let path = folder.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error("open", &path))?;
        if disk::lock(&lock, &path) == Locking::Others {
            return Err(LedgerError::Busy { path: folder });
        }
        let ledger = Self { folder, _lock: Some(lock) };
        if ledger.folder.join(PLAN).exists() {
            let (_, before) = Self::open(&ledger.folder)?;
            let changes = ledger.changes(&before, plan);
            if !(changes.changed.is_empty() && changes.gone.is_empty()) {
                match on_change {
                    OnChange::Tell => return Err(LedgerError::Changed(Box::new(changes))),
                    OnChange::SetAside => ledger.set_aside(&changes)?,
                }
            }
        }
        ledger.write(plan)?;
        Ok(ledger)
    }

    /// The folder of a plan for one of several processes that each run some of its cells. It must be there and be the same plan.
    ///
    /// # Errors
    /// As for [`Self::open`], and where the plan has changed.
    pub fn shared(folder: &Path, plan: &Plan) -> Result<Self, LedgerError> {
        if !folder.join(PLAN).exists() {
            // Dropped at once: the others may come.
            return Self::begin(folder, plan, OnChange::Tell).map(|ledger| Self { _lock: None, ..ledger });
        }
        let (ledger, before) = Self::open(folder)?;
        let changes = ledger.changes(&before, plan);
        if before.cells != plan.cells {
            return Err(LedgerError::Changed(Box::new(changes)));
        }
        Ok(ledger)
    }

    fn write(&self, plan: &Plan) -> Result<(), LedgerError> {
        for name in ["runs", "configs", "logs"] {
            let path = self.folder.join(name);
            fs::create_dir_all(&path).map_err(io_error("make the folder", &path))?;
        }
        for cell in &plan.cells {
            self.write_config(cell, &self.placed(&cell.config))?;
        }
        let path = self.folder.join(SOURCE);
        write_atomically(&path, plan.source.as_bytes()).map_err(io_error("write", &path))?;
        let path = self.folder.join(PLAN);
        let text = serde_json::to_vec_pretty(plan).map_err(|error| io_error("write", &path)(error.into()))?;
        write_atomically(&path, &text).map_err(io_error("write", &path))
    }

    /// What a cell is trained with.
    pub fn write_config(&self, cell: &Cell, text: &str) -> Result<PathBuf, LedgerError> {
        let path = self.config(&cell.id);
        write_atomically(&path, text.as_bytes()).map_err(io_error("write", &path))?;
        Ok(path)
    }

    /// A cell's config with the folder in its place.
    pub fn placed(&self, config: &str) -> String {
        config.replace(HERE, &self.folder.display().to_string())
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn runs(&self) -> PathBuf {
        self.folder.join("runs")
    }

    pub fn run(&self, id: &str) -> PathBuf {
        self.runs().join(id)
    }

    pub fn config(&self, id: &str) -> PathBuf {
        self.folder.join("configs").join(format!("{id}.toml"))
    }

    pub fn log(&self, id: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{id}.log"))
    }

    /// What the plan says otherwise than before, of cells that have run.
    fn changes(&self, before: &Plan, now: &Plan) -> Changes {
        let mut changes = Changes { folder: self.folder.clone(), ..Changes::default() };
        for cell in &now.cells {
            let Some(old) = before.cell(&cell.id) else {
                changes.new.push(cell.id.clone());
                continue;
            };
            let mut what = differing(&old.config, &cell.config, &[], ["before", "now"]);
            if old.budget != cell.budget {
                what.push("its budget".into());
            }
            for needed in now.needs(cell) {
                if before.cell(&needed.id).is_some_and(|old| old.config != needed.config) {
                    what.push(format!("what it follows, {}", needed.id));
                }
            }
            match (what.is_empty(), self.run(&cell.id).exists()) {
                (true, true) => changes.kept += 1,
                (true, false) => {}
                // What has not begun loses nothing.
                (false, false) => changes.new.push(cell.id.clone()),
                (false, true) => changes.changed.push((cell.id.clone(), what)),
            }
        }
        let gone = before.cells.iter().filter(|old| now.cell(&old.id).is_none() && self.run(&old.id).exists());
        changes.gone = gone.map(|old| old.id.clone()).collect();
        changes
    }

    fn set_aside(&self, changes: &Changes) -> Result<(), LedgerError> {
        changes.changed.iter().map(|(id, _)| id).chain(&changes.gone).try_for_each(|id| self.put_away(id))
    }

    /// Moves a run out of the way, so that its cell can be run anew. Nothing is deleted.
    pub fn put_away(&self, id: &str) -> Result<(), LedgerError> {
        let aside = self.folder.join("set-aside");
        fs::create_dir_all(&aside).map_err(io_error("make the folder", &aside))?;
        let (from, to) = (self.run(id), aside.join(free_id(&aside, id)));
        fs::rename(&from, &to).map_err(io_error("set aside", &from))
    }

    /// How a cell stands now.
    pub fn known(&self, cell: &Cell, evaluate: Option<&Evaluate>) -> Known {
        let path = self.run(&cell.id);
        if !path.join("events.jsonl").exists() {
            return Known::nothing(Stand::Absent);
        }
        // A process that was killed before its first record: what it made is nothing.
        let Ok(folder) = RunFolder::open(&self.runs(), &path) else { return Known::nothing(Stand::Unfinished) };
        let (summary, state) = match listing::read(&folder) {
            Ok(read) => read,
            Err(why) => {
                return match folder.owner() {
                    Owner::Process(pid) => Known::nothing(Stand::Running(pid.parse().unwrap_or(0))),
                    Owner::Nobody => Known { standing: Stand::Failed(why), ..Known::nothing(Stand::Absent) },
                };
            }
        };
        let pair = |a: &Accuracies| Pair { natural: a.natural_accuracy, adversarial: a.adversarial_accuracy };
        let plan = state.started.as_ref().map(|started| started.plan);
        let done =
            state.finished.as_ref().map_or_else(|| state.epochs.last().map_or(0, |epoch| epoch.step), |finished| finished.step);
        let mut known = Known {
            steps: plan.map(|plan| Steps { done, of: plan.steps() }),
            probe: summary.last.as_ref().map(pair),
            train_s: summary.train_seconds,
            pace: plan.filter(|_| done > 0).map(|plan| (summary.train_seconds / done as f64, plan.steps_per_epoch)),
            ..Known::nothing(Stand::Absent)
        };
        known.standing = match summary.state {
            Standing::Running => Stand::Running(match folder.owner() {
                Owner::Process(pid) => pid.parse().unwrap_or(0),
                Owner::Nobody => 0,
            }),
            Standing::Stopped | Standing::Interrupted => Stand::Unfinished,
            Standing::Failed => {
                let why = summary.message.unwrap_or_else(|| "it failed without a word".into());
                Stand::Failed(why.lines().next().unwrap_or_default().to_string())
            }
            Standing::Completed => Stand::Done,
        };
        if known.standing != Stand::Done {
            return known;
        }
        match evaluate {
            None => {
                known.found =
                    summary.test.iter().map(|a| Found { attack: a.attack.clone(), images: a.images, pair: pair(a) }).collect();
            }
            Some(asked) => match self.evaluated(cell, asked) {
                Some((found, seconds)) => (known.found, known.evaluate_s) = (found, seconds),
                None => known.standing = Stand::Trained,
            },
        }
        known
    }

    /// What the asked evaluation found, where it is finished.
    fn evaluated(&self, cell: &Cell, asked: &Evaluate) -> Option<(Vec<Found>, f64)> {
        let evidence = evidence::gather(&evaluations::within(&self.run(&cell.id)));
        let is_it = |found: &&evidence::Found| {
            let (settings, report) = (&found.settings, &found.report);
            let names: Vec<&str> = report.attacks.iter().map(|attack| attack.ensemble.name.as_str()).collect();
            report.of == crate::protocol::event::Whose::Student
                && report.split.name() == asked.split
                && asked.images.is_none_or(|images| images == report.images)
                && settings["seed"].as_u64() == Some(asked.seed)
                && (asked.doubts == Doubts::Skip || settings["doubts"] == "look")
                && (asked.curve == Curve::No || report.curve.is_some())
                && asked.attacks.iter().all(|attack| names.iter().any(|name| name.starts_with(attack.as_str())))
        };
        let found = evidence.found.iter().rev().find(is_it)?;
        let report = &found.report;
        let one = |attack: &String| {
            let made = report.attacks.iter().find(|made| made.ensemble.name.starts_with(attack.as_str()))?;
            let pair = Pair { natural: report.natural, adversarial: made.adversarial };
            Some(Found { attack: made.ensemble.name.clone(), images: report.images, pair })
        };
        Some((asked.attacks.iter().filter_map(one).collect(), report.seconds))
    }
}

/// Keys in which two configs differ, `train.epochs: 6 before, 8 now`. Both as the program writes them.
pub fn differing(before: &str, now: &str, but: &[&str], [one, other]: [&str; 2]) -> Vec<String> {
    let leaves = |text: &str| {
        let mut section = String::new();
        let mut leaves: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = format!("{name}.");
            } else if let Some((key, value)) = line.split_once(" = ") {
                leaves.push((format!("{section}{key}"), value.to_string()));
            }
        }
        leaves
    };
    let (before, now) = (leaves(before), leaves(now));
    // Earlier versions wrote `eps = 0.03137254901960784` where it is "8/255" now.
    let plain = |value: &str| match units::number(value.trim_matches('"')) {
        Ok(number) if value.contains('/') => format!("{number:?}"),
        Ok(_) | Err(_) => value.to_string(),
    };
    let find = |all: &[(String, String)], key: &str| all.iter().find(|(own, _)| own == key).map(|(_, value)| plain(value));
    let mut keys: Vec<&String> = before.iter().chain(&now).map(|(key, _)| key).collect();
    keys.dedup();
    let mut seen: Vec<&String> = Vec::new();
    for key in keys {
        if !seen.contains(&key) {
            seen.push(key);
        }
    }
    seen.into_iter()
        .filter(|key| !but.iter().any(|name| key.as_str() == format!("train.{name}")))
        .filter_map(|key| {
            let (old, new) = (find(&before, key), find(&now, key));
            let shown = |value: Option<String>| value.unwrap_or_else(|| "not given".into());
            (old != new).then(|| format!("{key}: {} {one}, {} {other}", shown(old), shown(new)))
        })
        .collect()
}

/// Whether a run's config is that of a cell, but for what its budget decides and where the sweep lies.
pub fn is_of(cell: &Cell, config: &str, folder: &Path) -> Vec<String> {
    let there = config.replace(&folder.display().to_string(), HERE);
    let but = if cell.budget.is_some() { BUDGETED } else { &[] };
    differing(&cell.config, &there, but, ["in the sweep", "there"])
}

/// Seconds a step once it is warm, and steps an epoch, by a short run's log.
pub fn pace_of(run: &Path) -> Option<(f64, u64)> {
    let log = read_log(&run.join("events.jsonl")).ok()?;
    let (mut per_epoch, mut seen) = (None, Vec::new());
    for record in log.flatten() {
        match &record.event {
            Event::Started(started) => per_epoch = Some(started.plan.steps_per_epoch),
            Event::Progress(progress) => seen.push((progress.step, record.at_ms)),
            _ => {}
        }
    }
    let (last, end) = seen.last().copied()?;
    let (first, begin) = seen.iter().copied().find(|(step, _)| *step * 4 >= last).filter(|(step, _)| *step < last)?;
    Some(((end - begin) as f64 / 1e3 / (last - first) as f64, per_epoch?))
}
