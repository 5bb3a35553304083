//! Runs a sweep: one process for each run, one at a time on each device, until everything that can be run was.
//!
//! Nothing is remembered that is not on disk: which cells are done is read from their folders, so that the same command goes on after any
//! interruption. A cell is trained (or resumed), then evaluated, each by a `rematch-torch` of its own, in a process group
//! of its own, so that a Ctrl-C here does not reach it. A process that dies costs its cell; one that outlives its sweep is waited
//! for by the next. What is shown is handed out as [`Board`]s; nothing here draws.

use super::board::{Board, Flow, Found, Pair, Row, Slot, Stage, Steps};
use super::estimate;
use super::ledger::{Known, Ledger, LedgerError, Stand, pace_of};
use super::plan::{Cell, Plan};
use super::process::{self, Process, Program, Work};
use crate::config::check;
use crossbeam_channel::Receiver;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How often processes are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often a run that somebody else's process holds is looked at, and logs are read.
const READ_EVERY: Duration = Duration::from_secs(1);

/// What a person asks for; the number is the row's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// What runs is saved and stopped; nothing new is begun.
    Stop,
    Retry(usize),
    Skip(usize),
}

/// How a sweep is to be run.
#[derive(Clone, Debug)]
pub struct How {
    pub program: Program,
    /// As `--device` takes them; one slot each.
    pub devices: Vec<String>,
    /// Only these cells; all where it is empty.
    pub only: Vec<String>,
    /// Whether cells that failed before are run once more.
    pub retry: Retry,
    pub stay: Stay,
}

/// What happens once everything that can be run was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    Leave,
    /// As long as somebody may ask for something: a failed cell once more.
    WhileAsked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    Failed,
    Nothing,
}

/// What is known of a cell in this process.
struct Entry {
    row: Row,
    known: Known,
    /// It is not to be run, and why.
    given_up: Option<String>,
    /// It is not one of those that this process was told to run.
    left_out: bool,
    read: Instant,
}

struct Runner<'a> {
    plan: &'a Plan,
    ledger: &'a Ledger,
    how: &'a How,
    entries: Vec<Entry>,
    slots: Vec<Option<Process>>,
    notes: Vec<String>,
    begin: Instant,
    stopping: bool,
    /// Seconds a step and steps an epoch of cells that were timed by a short run.
    paces: Vec<(String, (f64, u64))>,
}

/// Runs everything that is not done; `show` is given every new state. The last state.
///
/// # Errors
/// A process that cannot be started at all, or a folder that cannot be written to. What goes wrong in a run is that run's.
pub fn run(
    plan: &Plan,
    ledger: &Ledger,
    how: &How,
    asks: &Receiver<Ask>,
    mut show: impl FnMut(&Board),
) -> Result<Board, LedgerError> {
    let begin = Instant::now();
    let entries = plan.cells.iter().map(|cell| Entry::new(cell, ledger, plan, how)).collect();
    let slots = how.devices.iter().map(|_| None).collect();
    let mut runner = Runner { plan, ledger, how, entries, slots, notes: Vec::new(), begin, stopping: false, paces: Vec::new() };
    let mut shown: Option<Board> = None;
    loop {
        while let Ok(ask) = asks.try_recv() {
            runner.hear(ask);
        }
        runner.look_after();
        if !runner.stopping {
            runner.fill()?;
        }
        runner.stages();
        let board = runner.board();
        let over = board.flow == Flow::Finished || board.flow == Flow::Stopped;
        // Times alone are shown once a second.
        let differs = shown.as_ref().is_none_or(|before| {
            let still = |board: &Board| Board { elapsed_s: board.elapsed_s.floor(), ..board.clone() };
            still(before) != still(&board)
        });
        if differs {
            show(&board);
            shown = Some(board.clone());
        }
        if over {
            match (how.stay, board.flow) {
                (Stay::WhileAsked, Flow::Finished) => match asks.recv() {
                    Ok(ask) => {
                        runner.hear(ask);
                        continue;
                    }
                    Err(_) => return Ok(board),
                },
                (Stay::WhileAsked | Stay::Leave, Flow::Finished | Flow::Stopped | Flow::Running | Flow::Stopping) => {
                    return Ok(board);
                }
            }
        }
        if let Ok(ask) = asks.recv_timeout(LOOK_EVERY) {
            runner.hear(ask);
        } else if asks.is_empty() {
            // A channel that nobody holds any more answers at once.
            std::thread::sleep(LOOK_EVERY / 4);
        }
    }
}

impl Entry {
    fn new(cell: &Cell, ledger: &Ledger, plan: &Plan, how: &How) -> Self {
        let row = Row {
            cell: cell.clone(),
            stage: Stage::Waiting,
            steps: None,
            probe: None,
            found: Vec::new(),
            train_s: 0.0,
            evaluate_s: 0.0,
            left_s: None,
        };
        let left_out = !how.only.is_empty() && !how.only.contains(&cell.id);
        let known = ledger.known(cell, plan.evaluate.as_ref());
        let given_up = match &known.standing {
            Stand::Failed(why) if how.retry == Retry::Nothing => Some(why.clone()),
            _ => None,
        };
        let mut entry = Self { row, known, given_up, left_out, read: Instant::now() };
        entry.take_over();
        entry
    }

    /// What its folder says goes onto its row.
    fn take_over(&mut self) {
        self.row.steps = self.known.steps;
        self.row.probe = self.known.probe;
        self.row.found.clone_from(&self.known.found);
        self.row.train_s = self.known.train_s;
        self.row.evaluate_s = self.known.evaluate_s;
    }

    fn read_again(&mut self, ledger: &Ledger, plan: &Plan) {
        self.known = ledger.known(&self.row.cell, plan.evaluate.as_ref());
        self.read = Instant::now();
        self.take_over();
    }
}

impl Runner<'_> {
    fn note(&mut self, line: String) {
        self.notes.push(line);
    }

    fn hear(&mut self, ask: Ask) {
        match ask {
            Ask::Stop if self.stopping => {}
            Ask::Stop => {
                self.stopping = true;
                self.note("stopping: what runs is saved".into());
                for process in self.slots.iter_mut().flatten() {
                    process.stop();
                }
            }
            Ask::Retry(at) => {
                let Some(entry) = self.entries.get_mut(at) else { return };
                if entry.given_up.take().is_some() {
                    let line = format!("{}: once more", entry.row.cell.id);
                    self.note(line);
                }
            }
            Ask::Skip(at) => {
                let Some(entry) = self.entries.get_mut(at) else { return };
                if entry.row.stage == Stage::Waiting || matches!(entry.row.stage, Stage::WaitsFor(_)) {
                    entry.given_up = Some("given up by hand".into());
                    let line = format!("{}: given up", entry.row.cell.id);
                    self.note(line);
                }
            }
        }
    }

    /// Processes that have ended, logs that have grown, runs that others hold.
    fn look_after(&mut self) {
        for slot in 0..self.slots.len() {
            let Some(process) = &mut self.slots[slot] else { continue };
            let entry = &mut self.entries[process.row];
            let Some(ended) = process.ended() else {
                process.read(&mut entry.row);
                continue;
            };
            let (work, row) = (process.work, process.row);
            let pace = process.pilot().and_then(|run| pace_of(&run));
            self.slots[slot] = None;
            self.settle(row, work, &ended, pace);
        }
        for entry in &mut self.entries {
            if matches!(entry.known.standing, Stand::Running(_)) && entry.read.elapsed() >= READ_EVERY {
                entry.read_again(self.ledger, self.plan);
            }
        }
    }

    /// What became of a cell's process.
    fn settle(&mut self, at: usize, work: Work, ended: &process::Ended, pace: Option<(f64, u64)>) {
        let entry = &mut self.entries[at];
        let id = entry.row.cell.id.clone();
        entry.read_again(self.ledger, self.plan);
        if work == Work::Pilot {
            match pace {
                Some(pace) => self.paces.push((id, pace)),
                None if self.stopping => {}
                None => entry.given_up = Some(format!("its pace could not be measured: {}", ended.why(&self.ledger.log(&id)))),
            }
            return;
        }
        let percent = |found: &Found| {
            let Pair { natural, adversarial } = found.pair;
            format!("natural {:.1} %, {} {:.1} % of {}", 100.0 * natural, found.attack, 100.0 * adversarial, found.images)
        };
        let line = match (&entry.known.standing, work) {
            (Stand::Done, _) => {
                let found: Vec<String> = entry.row.found.iter().map(percent).collect();
                Some(format!("{id}: {}; trained {:.0} s", found.join("; "), entry.row.train_s))
            }
            (Stand::Trained, Work::Train) => Some(format!("{id}: trained {:.0} s", entry.row.train_s)),
            _ if self.stopping => None,
            (Stand::Failed(why), _) => {
                entry.given_up = Some(why.clone());
                Some(format!("{id}: failed: {why}"))
            }
            (Stand::Running(_), _) => None,
            (Stand::Absent | Stand::Unfinished | Stand::Trained, Work::Train | Work::Evaluate | Work::Pilot) => {
                let why = ended.why(&self.ledger.log(&id));
                let line = format!("{id}: failed: {why}");
                entry.given_up = Some(why);
                Some(line)
            }
        };
        self.notes.extend(line);
    }

    /// Begins what can be begun where a device is free.
    fn fill(&mut self) -> Result<(), LedgerError> {
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_some() {
                continue;
            }
            let Some((at, work)) = self.next() else { return Ok(()) };
            let cell = self.entries[at].row.cell.clone();
            let device = self.how.devices[slot].clone();
            let begun = match work {
                Work::Pilot => Process::pilot_of(self.ledger, &cell, &self.how.program, &device, at),
                Work::Evaluate => {
                    let asked = self.plan.evaluate.as_ref();
                    Process::evaluate(self.ledger, &cell, asked, &self.how.program, &device, at)
                }
                Work::Train => self.train(&cell, &device, at)?,
            };
            match begun {
                Ok(process) => self.slots[slot] = Some(process),
                Err(why) => {
                    self.note(format!("{}: failed: {why}", cell.id));
                    self.entries[at].given_up = Some(why);
                }
            }
        }
        Ok(())
    }

    fn train(&mut self, cell: &Cell, device: &str, at: usize) -> Result<Result<Process, String>, LedgerError> {
        let standing = &self.entries[at].known.standing;
        if matches!(standing, Stand::Unfinished)
            && self.ledger.run(&cell.id).join("checkpoints").read_dir().is_ok_and(|mut d| d.next().is_some())
        {
            return Ok(Process::resume(self.ledger, cell, &self.how.program, device, at));
        }
        if !matches!(standing, Stand::Absent)
            && let Err(why) = self.ledger.put_away(&cell.id)
        {
            return Ok(Err(why.to_string()));
        }
        let mut text = self.ledger.placed(&cell.config);
        if cell.budget.is_some() {
            match self.budgeted(cell, &text) {
                Ok(within) => text = within,
                Err(why) => return Ok(Err(why)),
            }
        }
        self.ledger.write_config(cell, &text)?;
        Ok(Process::train(self.ledger, cell, self.plan.evaluate.as_ref(), &self.how.program, device, at))
    }

    /// The config with as many steps as the time allows.
    fn budgeted(&mut self, cell: &Cell, text: &str) -> Result<String, String> {
        let seconds = self.allowance(cell).ok_or("the time that it is given is not known")?;
        let (_, (step_s, per_epoch)) = self.paces.iter().find(|(id, _)| *id == cell.id).ok_or("its pace was not measured")?;
        let steps = (seconds / step_s).floor().max(1.0) as u64;
        let epochs = steps.div_ceil(*per_epoch);
        let overrides = [format!("train.epochs={epochs}"), format!("train.steps={steps}")];
        let config = check::read_written(text, &self.ledger.config(&cell.id), &overrides).map_err(|faults| faults.to_string())?;
        let line = format!("{}: {seconds:.1} s of training time are {steps} steps of {:.1} ms", cell.id, 1e3 * step_s);
        self.note(line);
        Ok(check::to_toml(&config))
    }

    /// Seconds that a cell with a budget may train.
    fn allowance(&self, cell: &Cell) -> Option<f64> {
        let budget = cell.budget.as_ref()?;
        let lender = self.plan.needs(cell).find(|other| other.row == budget.of)?;
        let time = |id: &str| self.entries.iter().find(|entry| entry.row.cell.id == id).map(|entry| entry.known.train_s);
        let own = time(&lender.id)?;
        if !budget.with_teacher() {
            return Some(own);
        }
        let known = estimate::teacher_seconds(self.ledger, lender);
        known.map(|teacher| own + teacher)
    }

    /// The next cell that can go on, and with what.
    fn next(&self) -> Option<(usize, Work)> {
        let busy: BTreeSet<usize> = self.slots.iter().flatten().map(|process| process.row).collect();
        let ready = |at: &usize| {
            let entry = &self.entries[*at];
            !busy.contains(at) && !entry.left_out && entry.given_up.is_none() && self.waits_for(entry).is_none()
        };
        let work = |at: usize| {
            let entry = &self.entries[at];
            match &entry.known.standing {
                Stand::Done | Stand::Running(_) => None,
                Stand::Trained => Some(Work::Evaluate),
                Stand::Absent
                    if entry.row.cell.budget.is_some() && !self.paces.iter().any(|(id, _)| *id == entry.row.cell.id) =>
                {
                    Some(Work::Pilot)
                }
                Stand::Absent | Stand::Unfinished | Stand::Failed(_) => Some(Work::Train),
            }
        };
        (0..self.entries.len()).filter(ready).find_map(|at| Some((at, work(at)?)))
    }

    /// The first cell that must be done before this one.
    fn waits_for(&self, entry: &Entry) -> Option<&Entry> {
        if entry.known.standing != Stand::Absent {
            return None;
        }
        let needs = self.plan.needs(&entry.row.cell);
        let of = |cell: &Cell| self.entries.iter().find(|other| other.row.cell.id == cell.id);
        // A teacher teaches as soon as it is trained; a time is lent likewise.
        let trained = |entry: &&Entry| matches!(entry.known.standing, Stand::Done | Stand::Trained);
        needs.filter_map(of).find(|other| !trained(other))
    }

    /// Puts every row's stage in words, and what is left of it.
    fn stages(&mut self) {
        let running: Vec<(usize, Work)> = self.slots.iter().flatten().map(|process| (process.row, process.work)).collect();
        let stages: Vec<Stage> = self
            .entries
            .iter()
            .enumerate()
            .map(|(at, entry)| match (running.iter().find(|(row, _)| *row == at), &entry.known.standing) {
                (Some((_, Work::Train | Work::Pilot)), _) => Stage::Training,
                (Some((_, Work::Evaluate)), _) => Stage::Evaluating,
                (None, Stand::Done) => Stage::Done,
                (None, Stand::Running(pid)) => Stage::Elsewhere(*pid),
                (None, Stand::Absent | Stand::Unfinished | Stand::Failed(_) | Stand::Trained) => {
                    if let Some(why) = &entry.given_up {
                        return Stage::Failed(why.clone());
                    }
                    if let Some(other) = self.waits_for(entry) {
                        return match &other.given_up {
                            Some(_) => Stage::Failed(format!("it needs {}, which failed", other.row.cell.id)),
                            None => Stage::WaitsFor(other.row.cell.id.clone()),
                        };
                    }
                    if self.stopping && entry.known.standing != Stand::Absent { Stage::Stopped } else { Stage::Waiting }
                }
            })
            .collect();
        for (entry, stage) in self.entries.iter_mut().zip(stages) {
            entry.row.stage = stage;
        }
        let rows: Vec<Row> = self.entries.iter().map(|entry| entry.row.clone()).collect();
        for (entry, left) in self.entries.iter_mut().zip(estimate::left(&rows)) {
            entry.row.left_s = left;
        }
    }

    fn board(&self) -> Board {
        let rows: Vec<Row> = self.entries.iter().map(|entry| entry.row.clone()).collect();
        let idle = self.slots.iter().all(Option::is_none);
        // What another process holds may make room for more.
        let waits = self.entries.iter().any(|entry| !entry.left_out && matches!(entry.row.stage, Stage::Elsewhere(_)));
        let flow = match (self.stopping, idle) {
            (true, true) => Flow::Stopped,
            (true, false) => Flow::Stopping,
            (false, true) if !waits && self.next().is_none() => Flow::Finished,
            (false, _) => Flow::Running,
        };
        let slot = |(device, process): (&String, &Option<Process>)| Slot {
            device: device.clone(),
            row: process.as_ref().map(|process| process.row),
        };
        Board {
            name: self.plan.name.clone(),
            title: self.plan.title.clone(),
            figure: self.plan.figure,
            folder: self.ledger.folder().to_path_buf(),
            left_s: estimate::whole(&rows, self.slots.len()),
            slots: self.how.devices.iter().zip(&self.slots).map(slot).collect(),
            flow,
            elapsed_s: self.begin.elapsed().as_secs_f64(),
            notes: self.notes.clone(),
            rows,
        }
    }
}

/// As far as a run is, by its log.
impl Steps {
    pub fn share(self) -> f64 {
        if self.of == 0 { 0.0 } else { (self.done as f64 / self.of as f64).min(1.0) }
    }
}
