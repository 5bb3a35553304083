//! Runs beside each other: what each cost and how robust it came out, with only those numbers under one heading that compare.
//!
//! Numbers come from finished evaluations of a run's newest weights and from the evaluation that ended it, never from a probe. Nothing
//! is measured here and nothing is written; how it looks is for views.

pub mod column;
pub mod evidence;
pub mod teacher;

use super::evaluations;
use super::listing::{self, RunSummary, Standing};
use super::state::{Marker, RunState};
use super::store::{RunFolder, StoreError};
use crate::config::{Ensemble, Threat};
use crate::protocol::event::{DataFacts, Split, Started, Whose};
use crate::protocol::report::{Doubt, Suspicion};
use crate::protocol::{Outcome, Step};
use column::numbered;
pub use column::{Column, ImageSet};
use evidence::{Found, Last, count};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Changes that a remark lists; the rest is counted.
const CHANGES_TOLD: usize = 5;
/// Share that naturals of one network on the same images may differ by: devices round differently.
const SAME: f64 = 1e-9;

/// Tables, one for each data and threat: numbers of different ones say nothing about each other.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub groups: Vec<Group>,
}

/// One table.
#[derive(Clone, Debug)]
pub struct Group {
    pub data: DataFacts,
    /// What the runs were to be robust against; what was attacked with is each column's.
    pub threat: Threat,
    /// A column of natural accuracy each.
    pub images: Vec<ImageSet>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

/// A run, or its teacher below it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Unlike that of every other run.
    pub label: String,
    pub of: Whose,
    /// Of the teacher what its file says, and nothing where it does not.
    pub method: Option<String>,
    pub network: String,
    pub teacher: Option<String>,
    pub lambda: Option<String>,
    /// Done and planned.
    pub epochs: Option<[u64; 2]>,
    pub times: Times,
    /// In the order of the group's `images`. Fractions 0-1.
    pub naturals: Vec<Option<f64>>,
    /// In the order of the group's `columns`.
    pub cells: Vec<Option<Cell>>,
    /// What a reader must know beside the numbers.
    pub remarks: Vec<String>,
    pub run: Arc<RunFacts>,
}

/// The run that a row is about.
#[derive(Clone, Debug)]
pub struct RunFacts {
    pub folder: PathBuf,
    pub summary: RunSummary,
    pub started: Started,
    /// What was turned while it ran.
    pub changes: Vec<Marker>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Time {
    Seconds(f64),
    /// It took time, and nobody wrote down how much.
    Unknown,
    DoesNotApply,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// Steps of training alone.
    pub training: Time,
    pub with_teacher: Time,
    /// Probes and the final evaluation.
    pub evaluation: Time,
}

/// The lowest of a run's numbers in one column: each is an upper bound.
#[derive(Clone, Debug)]
pub struct Cell {
    pub natural: f64,
    pub adversarial: f64,
    /// How many numbers there were, and the highest.
    pub of: usize,
    pub highest: f64,
    /// Those of all of them.
    pub doubts: Vec<Doubt>,
    pub ensemble: Ensemble,
    pub source: Source,
}

/// Where a number comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The evaluation in this folder.
    Evaluation { folder: PathBuf, settings: Value },
    /// The evaluation that ended the run.
    Final { step: Step },
}

/// Whether teachers get rows of their own.
#[derive(Clone, Copy, Debug)]
pub enum Teachers<'a> {
    Omit,
    /// `lone`: where evaluations of model files outside of runs are kept.
    Show {
        lone: &'a Path,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error("no runs to compare; name their folders, or their ids within the runs folder")]
    Nothing,
    #[error("{} is named twice, as {first} and as {second}; name each run once", folder.display())]
    Twice { folder: PathBuf, first: String, second: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}: {why}", folder.display())]
    Unreadable { folder: PathBuf, why: String },
}

/// A number before it has its column.
struct Measured {
    column: Column,
    cell: Cell,
}

/// A row before its numbers have columns.
struct Draft {
    row: Row,
    measured: Vec<Measured>,
}

/// Compares runs, each a folder or an id within `runs`, in the order they are named.
///
/// # Errors
/// What is no run that can be read, or is named twice.
pub fn compare(runs: &Path, names: &[PathBuf], teachers: Teachers) -> Result<Comparison, CompareError> {
    if names.is_empty() {
        return Err(CompareError::Nothing);
    }
    let mut folders: Vec<(PathBuf, RunFolder)> = Vec::new();
    for name in names {
        let folder = RunFolder::open(runs, name)?;
        let whole = folder.path().canonicalize().unwrap_or_else(|_| folder.path().to_path_buf());
        if let Some(at) = folders.iter().position(|(other, _)| *other == whole) {
            let (first, second) = (names[at].display().to_string(), name.display().to_string());
            return Err(CompareError::Twice { folder: folder.path().to_path_buf(), first, second });
        }
        folders.push((whole, folder));
    }
    let mut groups: Vec<(Group, Vec<Draft>)> = Vec::new();
    for (_, folder) in &folders {
        let unreadable = |why| CompareError::Unreadable { folder: folder.path().to_path_buf(), why };
        let (summary, state) = listing::read(folder).map_err(unreadable)?;
        let started = state.started.as_deref().ok_or_else(|| unreadable("its log does not say what was started".into()))?;
        // One id in two folders of runs.
        let alone = folders.iter().filter(|(_, other)| other.id() == folder.id()).count() == 1;
        let label = if alone { folder.id().to_string() } else { folder.path().display().to_string() };
        let drafts = drafts(folder, label, summary, &state, started, teachers);
        let threat = started.config.threat;
        match groups.iter_mut().find(|(group, _)| same_data(&group.data, &started.data) && group.threat == threat) {
            Some((_, all)) => all.extend(drafts),
            None => groups.push((
                Group { data: started.data.clone(), threat, images: Vec::new(), columns: Vec::new(), rows: Vec::new() },
                drafts,
            )),
        }
    }
    Ok(Comparison { groups: groups.into_iter().map(|(group, drafts)| group.fill(drafts)).collect() })
}

/// Whether test images are the same: their number too, as of more images others are chosen.
fn same_data(a: &DataFacts, b: &DataFacts) -> bool {
    (&a.name, a.shape, &a.classes, a.test) == (&b.name, b.shape, &b.classes, b.test)
}

/// The run's row, and its teacher's below it.
fn drafts(
    folder: &RunFolder,
    label: String,
    summary: RunSummary,
    state: &RunState,
    started: &Started,
    teachers: Teachers,
) -> Vec<Draft> {
    let evidence = evidence::gather(&evaluations::within(folder.path()));
    let cost = started.teacher.as_ref().map(|first| teacher::cost_of_all(first, &started.other_teachers));
    let run = Arc::new(RunFacts {
        folder: folder.path().to_path_buf(),
        changes: state.turned().cloned().collect(),
        started: started.clone(),
        summary,
    });
    let (own, others) = evidence::by_whose(evidence.found.clone());
    let mut remarks = told(&run, state);
    remarks.extend(cost.iter().flat_map(|cost| cost.remarks.clone()));
    remarks.extend(evidence.remarks);
    let finished = own.len();
    let newest = evidence::newest(own, state.last_final().map(|e| e.step));
    remarks.extend(newest.remarks);
    // A run without a final evaluation may have gone on since.
    let evaluated = newest.found.iter().filter_map(|found| evidence::step_of(&found.model)).max();
    if let (Some(evaluated), Some((_, saved))) = (evaluated, &state.saved)
        && evaluated < saved.step
    {
        remarks.push(format!(
            "its evaluations are of step {evaluated}, and it has gone on: its newest checkpoint is of step {}",
            saved.step
        ));
    }
    let mut measured: Vec<Measured> =
        newest.found.iter().flat_map(|found| measured(found, image_set(found, &started.data, Whose::Student))).collect();
    measured.extend(state.last_final().filter(|_| newest.last == Last::Counts).map(|found| {
        let ensemble = Ensemble { name: found.attack.short(), members: vec![found.attack.clone()] };
        let on = ImageSet {
            data: started.data.name.clone(),
            split: found.split,
            images: found.images,
            of: Some(split_size(&started.data, found.split)),
            seen_in_training: Some(found.split == Split::Train),
        };
        let (natural, adversarial, source) = (found.natural, found.adversarial, Source::Final { step: found.step });
        one(&ensemble, on, natural, adversarial, &[], source)
    }));
    if finished == 0 {
        let only = if measured.is_empty() { "it has no evaluation" } else { "it has only the evaluation that ended it" };
        remarks.push(format!("{only}; to make one: {}", command(folder.path(), "")));
    }
    if evidence.unfinished > 0 {
        let are = if evidence.unfinished == 1 { "is" } else { "are" };
        remarks.push(format!("{} {are} not finished and not shown", count(evidence.unfinished, "evaluation")));
    }
    let of_itself = others.iter().filter(|found| teacher::lies_in(&found.model, folder.path())).count();
    if of_itself > 0 {
        remarks.push(format!(
            "{} of it as another run's teacher {} not counted here",
            count(of_itself, "evaluation"),
            if of_itself == 1 { "is" } else { "are" }
        ));
    }
    let s = &run.summary;
    let with_teacher = match &cost {
        None => Time::Seconds(s.train_seconds),
        Some(cost) => cost.seconds.map_or(Time::Unknown, |seconds| Time::Seconds(s.train_seconds + seconds)),
    };
    let evaluation = state
        .finished
        .as_ref()
        .map_or_else(|| state.epochs.iter().map(|epoch| epoch.evaluation_seconds).sum(), |finished| finished.evaluation_seconds);
    let row = Row {
        of: Whose::Student,
        method: Some(s.method.clone()),
        network: s.student.clone(),
        teacher: s.teacher.clone(),
        lambda: s.lambda_shown(),
        epochs: Some([s.epochs_done, s.epochs_planned]),
        times: Times { training: Time::Seconds(s.train_seconds), with_teacher, evaluation: Time::Seconds(evaluation) },
        naturals: Vec::new(),
        cells: Vec::new(),
        remarks,
        run: run.clone(),
        label,
    };
    let below = match (teachers, &started.teacher) {
        (Teachers::Show { lone }, Some(facts)) => {
            let evidence = teacher::evaluated(facts, folder.path(), &others, lone);
            let made = teacher::provenance(Path::new(&facts.path));
            let method = &made["config"]["method"];
            let method = method.as_str().or_else(|| method.as_object()?.keys().next().map(String::as_str)).map(String::from);
            let mut remarks = evidence.remarks;
            if evidence.found.is_empty() {
                remarks.push(format!("it has no evaluation; to make one: {}", command(folder.path(), " --teacher-too")));
            }
            let newest = evidence::newest(evidence.found, None);
            remarks.extend(newest.remarks);
            let measured = newest.found.iter().flat_map(|f| measured_of_teacher(f, &started.data)).collect();
            let seconds = teacher::cost(facts).seconds;
            let training = seconds.map_or(Time::Unknown, Time::Seconds);
            let row = Row {
                label: format!("teacher of {}", row.label),
                of: Whose::Teacher,
                method,
                network: facts.network.name.clone(),
                teacher: None,
                lambda: None,
                epochs: None,
                times: Times { training, with_teacher: Time::DoesNotApply, evaluation: Time::DoesNotApply },
                naturals: Vec::new(),
                cells: Vec::new(),
                remarks,
                run,
            };
            Some(Draft { row, measured })
        }
        (Teachers::Show { .. }, None) | (Teachers::Omit, _) => None,
    };
    [Draft { row, measured }].into_iter().chain(below).collect()
}

/// What the run itself gives reason to say.
fn told(run: &RunFacts, state: &RunState) -> Vec<String> {
    let mut remarks = Vec::new();
    let s = &run.summary;
    let so_far = || format!("after {} of {} epochs", s.epochs_done, s.epochs_planned);
    remarks.extend(match s.state {
        Standing::Completed => None,
        Standing::Running => Some(format!("it is still running, {}", so_far())),
        Standing::Stopped => Some(format!("it was stopped {}", so_far())),
        Standing::Interrupted => Some(format!("it was interrupted {}; the time of the epoch it was in is not known", so_far())),
        Standing::Failed => Some(format!("it failed {}", so_far())),
    });
    let failed = matches!(state.finished.as_ref().map(|f| &f.outcome), Some(Outcome::Failed { .. }));
    remarks.extend(s.message.as_ref().map(|message| {
        let first = message.lines().next().unwrap_or_default();
        if failed { format!("it says: {first}") } else { format!("its log is read up to where it is damaged: {first}") }
    }));
    if !run.changes.is_empty() {
        let listed: Vec<String> = run.changes.iter().take(CHANGES_TOLD).map(Marker::with_steps).collect();
        let more = run.changes.len().saturating_sub(CHANGES_TOLD);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        remarks.push(format!("steered, so not what its config alone gives: {}{more}", listed.join(", ")));
    }
    let unmeasured = "the making of its robust images, before the first step, is not in its training time";
    remarks.extend((s.method == "rdt").then(|| unmeasured.to_string()));
    remarks
}

/// The command that would measure what is missing.
fn command(run: &Path, more: &str) -> String {
    format!("rematch eval {} --attack autoattack{more}", super::advice::quoted(run))
}

fn split_size(data: &DataFacts, split: Split) -> u64 {
    match split {
        Split::Train => data.train,
        Split::Validation => data.validation,
        Split::Test => data.test,
    }
}

/// The images of an evaluation. How many they were chosen from is only known of the run's own data and, of a teacher's evaluation
/// that any student may have asked for, of the test images.
fn image_set(found: &Found, data: &DataFacts, of: Whose) -> ImageSet {
    let split = found.report.split;
    let seen_in_training = found.seen_in_training();
    let own = seen_in_training.is_some() && found.data == data.name;
    let known = own && (of == Whose::Student || split == Split::Test);
    ImageSet {
        data: found.data.clone(),
        split,
        images: found.report.images,
        of: known.then(|| split_size(data, split)),
        seen_in_training,
    }
}

fn measured(found: &Found, on: ImageSet) -> impl Iterator<Item = Measured> {
    found.report.attacks.iter().map(move |attack| {
        let source = Source::Evaluation { folder: found.folder.clone(), settings: found.settings.clone() };
        one(&attack.ensemble, on.clone(), found.report.natural, attack.adversarial, &found.report.doubts, source)
    })
}

fn measured_of_teacher<'a>(found: &'a Found, data: &DataFacts) -> impl Iterator<Item = Measured> + use<'a> {
    measured(found, image_set(found, data, Whose::Teacher))
}

fn one(ensemble: &Ensemble, on: ImageSet, natural: f64, adversarial: f64, doubts: &[Doubt], source: Source) -> Measured {
    // How many images there were stands in the legend: a mark for it would hide the others.
    let doubts = doubts.iter().filter(|d| d.suspicion != Suspicion::FewImages).cloned().collect();
    let cell = Cell { natural, adversarial, of: 1, highest: adversarial, doubts, ensemble: ensemble.clone(), source };
    Measured { column: Column::new(ensemble, on), cell }
}

impl Cell {
    /// The lower of two, with the doubts of both.
    fn lowest(self, other: Self) -> Self {
        let (of, highest) = (self.of + other.of, self.highest.max(other.highest));
        let (lower, higher) = if other.adversarial < self.adversarial { (other, self) } else { (self, other) };
        let mut doubts = lower.doubts;
        for doubt in higher.doubts {
            if doubts.iter().all(|d| d.suspicion != doubt.suspicion) {
                doubts.push(doubt);
            }
        }
        Self { of, highest, doubts, ..lower }
    }
}

impl Group {
    /// Finds the columns that the numbers need and puts each number into its own.
    fn fill(mut self, drafts: Vec<Draft>) -> Self {
        for measured in drafts.iter().flat_map(|draft| &draft.measured) {
            if !self.columns.contains(&measured.column) {
                self.columns.push(measured.column.clone());
            }
            if !self.images.contains(&measured.column.on) {
                self.images.push(measured.column.on.clone());
            }
        }
        self.columns.sort_by(Column::order);
        self.images.sort_by(ImageSet::order);
        let (_, headings) = self.headings();
        for Draft { mut row, measured } in drafts {
            row.cells = vec![None; self.columns.len()];
            for Measured { column, cell } in measured {
                let place = self.columns.iter().position(|c| *c == column);
                if let Some(slot) = place.and_then(|place| row.cells.get_mut(place)) {
                    *slot = Some(match slot.take() {
                        Some(there) => there.lowest(cell),
                        None => cell,
                    });
                }
            }
            // An evaluation with several attacks has its doubts about all of them.
            let mut doubted: Vec<(String, Vec<&str>)> = Vec::new();
            for (cell, heading) in row.cells.iter().zip(&headings) {
                let Some(cell) = cell else { continue };
                if cell.of > 1 && cell.highest > cell.adversarial {
                    let (low, high) = (100.0 * cell.adversarial, 100.0 * cell.highest);
                    row.remarks.push(format!("{heading}: the lowest of {} evaluations, {low:.2} to {high:.2} %", cell.of));
                }
                for doubt in &cell.doubts {
                    let said = format!("{}: {}", doubt.suspicion.name(), doubt.saw);
                    match doubted.iter_mut().find(|(other, _)| *other == said) {
                        Some((_, of)) => of.push(heading.as_str()),
                        None => doubted.push((said, vec![heading.as_str()])),
                    }
                }
            }
            row.remarks.extend(doubted.iter().map(|(said, of)| format!("! {}: {said}", of.join(", "))));
            row.naturals = self.images.iter().map(|images| self.natural(images, &mut row)).collect();
            self.rows.push(row);
        }
        self
    }

    /// The natural accuracy that belongs to the numbers on these images.
    fn natural(&self, images: &ImageSet, row: &mut Row) -> Option<f64> {
        let on = self.columns.iter().zip(&row.cells).filter(|(column, _)| column.on == *images);
        let found: Vec<f64> = on.filter_map(|(_, cell)| Some(cell.as_ref()?.natural)).collect();
        let (low, high) = (found.iter().copied().reduce(f64::min)?, found.iter().copied().reduce(f64::max)?);
        if high - low > SAME {
            row.remarks.push(format!(
                "natural accuracy on {} differs between its evaluations, {:.2} to {:.2} %; the lowest is shown",
                images.describe(&self.data.name),
                100.0 * low,
                100.0 * high
            ));
        }
        Some(low)
    }

    /// Of the columns of natural accuracy and of the attacks, each unlike the others.
    pub fn headings(&self) -> (Vec<String>, Vec<String>) {
        let naturals = numbered(self.images.iter().map(|_| "natural"));
        let names: Vec<String> = self.columns.iter().map(|column| column.name(self.threat)).collect();
        (naturals, numbered(names.iter().map(String::as_str)))
    }

    /// Of some of the columns of attacks, each unlike the others of these.
    pub fn headings_of(&self, places: &[usize]) -> Vec<(usize, String)> {
        let names: Vec<String> = places.iter().map(|&place| self.columns[place].name(self.threat)).collect();
        places.iter().copied().zip(numbered(names.iter().map(String::as_str))).collect()
    }
}
