//! A process that trains or evaluates a cell: how it is started, followed and ended.
//!
//! It has a process group of its own and no terminal; what it prints goes to `logs/<id>.log`. How far it is comes from the run's own log,
//! read on from where it was read to before. What its work means for the sweep is the runner's to judge.

use super::board::{Pair, Row, Steps};
use super::ledger::Ledger;
use super::plan::{Cell, Curve, Doubts, Evaluate};
use crate::protocol::event::{Purpose, Whose};
use crate::protocol::{Event, Record};
use crate::run::evaluations;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Steps of the short run that a pace is measured with.
const PILOT_STEPS: u64 = 120;
const READ_EVERY: Duration = Duration::from_millis(500);
/// Longest end of a log that a reason is looked for in.
const TAIL: u64 = 16 << 10;

/// What trains and evaluates.
#[derive(Clone, Debug)]
pub struct Program {
    /// `rematch-torch`, beside the program that asks.
    pub path: PathBuf,
    pub threads: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Some steps, to find out how long one takes.
    Pilot,
    Train,
    Evaluate,
}

pub struct Process {
    /// The place of its cell.
    pub row: usize,
    pub work: Work,
    child: Child,
    begin: Instant,
    /// The log of the run, and how far it was read.
    log: PathBuf,
    at: u64,
    read: Instant,
    pilot: Option<PathBuf>,
    evaluated_s: f64,
}

/// How a process ended.
pub struct Ended(ExitStatus);

impl Ended {
    /// In one line: what it said last on its way out, or its exit code.
    pub fn why(&self, log: &Path) -> String {
        let last = tail(log).lines().rev().find_map(|line| line.strip_prefix("rematch: ").map(String::from));
        let how = match (self.0.code(), self.0.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => "ended".into(),
        };
        last.unwrap_or_else(|| format!("{how}; what it printed is in {}", log.display()))
    }
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

impl Process {
    /// `asked`: the evaluation that the sweep makes of it afterwards. The run's own at its end would look at the test images twice.
    pub fn train(
        ledger: &Ledger,
        cell: &Cell,
        asked: Option<&Evaluate>,
        program: &Program,
        device: &str,
        row: usize,
    ) -> Result<Self, String> {
        let config = ledger.config(&cell.id);
        let runs = ledger.runs();
        let mut words =
            vec!["train", text(&config)?, "--runs", text(&runs)?, "--name", &cell.id, "--ui", "none", "--device", device];
        if asked.is_some() {
            words.extend(["-s", "evaluation.images=0"]);
        }
        Self::spawn(ledger, cell, program, &words, Work::Train, row)
    }

    pub fn resume(ledger: &Ledger, cell: &Cell, program: &Program, device: &str, row: usize) -> Result<Self, String> {
        let run = ledger.run(&cell.id);
        let words = ["resume", text(&run)?, "--ui", "none", "--device", device];
        Self::spawn(ledger, cell, program, &words, Work::Train, row)
    }

    pub fn evaluate(
        ledger: &Ledger,
        cell: &Cell,
        asked: Option<&Evaluate>,
        program: &Program,
        device: &str,
        row: usize,
    ) -> Result<Self, String> {
        let asked = asked.ok_or("nothing is to be evaluated")?;
        let run = ledger.run(&cell.id);
        let (attacks, seed) = (asked.attacks.join(","), asked.seed.to_string());
        let images = asked.images.map(|images| images.to_string());
        let mut words = vec!["eval", text(&run)?, "--attack", &attacks, "--split", &asked.split, "--seed", &seed, "--json"];
        words.extend(["--device", device]);
        if let Some(images) = &images {
            words.extend(["--images", images]);
        }
        if asked.doubts == Doubts::Skip {
            words.push("--no-doubts");
        }
        if asked.curve == Curve::Yes {
            words.push("--curve");
        }
        let interrupted = |(folder, settings): &(PathBuf, serde_json::Value)| {
            !evaluations::busy(folder)
                && settings["split"] == asked.split.as_str()
                && settings["seed"] == asked.seed
                && asked.images.is_none_or(|images| settings["images"] == images)
        };
        if evaluations::unfinished(&evaluations::within(&run)).iter().any(interrupted) {
            words.push("--resume");
        }
        Self::spawn(ledger, cell, program, &words, Work::Evaluate, row)
    }

    /// A few steps of a cell, in a run of its own that nobody counts.
    pub fn pilot_of(ledger: &Ledger, cell: &Cell, program: &Program, device: &str, row: usize) -> Result<Self, String> {
        let runs = ledger.folder().join("pilots");
        let run = runs.join(&cell.id);
        let away = |error: std::io::Error| format!("{}: cannot be removed: {error}", run.display());
        if run.exists() {
            std::fs::remove_dir_all(&run).map_err(away)?;
        }
        let config = ledger.folder().join("configs").join(format!("{}.toml", cell.id));
        let steps = format!("train.steps={PILOT_STEPS}");
        let words = [
            "train",
            text(&config)?,
            "--runs",
            text(&runs)?,
            "--name",
            &cell.id,
            "--ui",
            "none",
            "--device",
            device,
            "-s",
            &steps,
            "-s",
            "evaluation.images=0",
            "-s",
            "probe.per_epoch=0",
            "-s",
            "train.report_hz=10",
            "-s",
            "insight.every=0",
        ];
        let mut process = Self::spawn(ledger, cell, program, &words, Work::Pilot, row)?;
        process.pilot = Some(run);
        Ok(process)
    }

    fn spawn(ledger: &Ledger, cell: &Cell, program: &Program, words: &[&str], work: Work, row: usize) -> Result<Self, String> {
        let log = ledger.log(&cell.id);
        let cannot = |error: std::io::Error| format!("{}: cannot be written: {error}", log.display());
        let mut printed = File::options().create(true).append(true).open(&log).map_err(cannot)?;
        let shown = std::iter::once("rematch").chain(words.iter().copied()).collect::<Vec<_>>().join(" ");
        writeln!(printed, "$ {shown}").map_err(cannot)?;
        let mut command = Command::new(&program.path);
        command.arg0("rematch").args(words);
        if let Some(threads) = program.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        let errors = printed.try_clone().map_err(cannot)?;
        command.stdin(Stdio::null()).stdout(printed).stderr(errors).process_group(0);
        let child = command.spawn().map_err(|error| format!("{} cannot be started: {error}", program.path.display()))?;
        let log = ledger.run(&cell.id).join("events.jsonl");
        let (begin, read) = (Instant::now(), Instant::now());
        Ok(Self { row, work, child, begin, at: 0, log, read, pilot: None, evaluated_s: 0.0 })
    }

    /// How it ended, once it has.
    pub fn ended(&mut self) -> Option<Ended> {
        // An error here means that there is no such child any more.
        self.child.try_wait().ok().flatten().map(Ended)
    }

    /// Training saves and stops; an evaluation keeps its batches.
    pub fn stop(&mut self) {
        let signal = if self.work == Work::Evaluate { Signal::INT } else { Signal::TERM };
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process(pid, signal);
        }
    }

    /// The run that was made to measure a pace.
    pub fn pilot(&self) -> Option<PathBuf> {
        self.pilot.clone()
    }

    /// Puts onto the row what the log says since it was read last.
    pub fn read(&mut self, row: &mut Row) {
        match self.work {
            Work::Pilot => return,
            Work::Evaluate => {
                let now = self.begin.elapsed().as_secs_f64();
                row.evaluate_s += now - self.evaluated_s;
                self.evaluated_s = now;
                return;
            }
            Work::Train => {}
        }
        if self.read.elapsed() < READ_EVERY {
            return;
        }
        self.read = Instant::now();
        // What cannot be read now is read later, or judged when the process has ended.
        let _ = self.read_on(row);
    }

    fn read_on(&mut self, row: &mut Row) -> std::io::Result<()> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.at))?;
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = lines.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                return Ok(());
            }
            self.at += read as u64;
            let Ok(record) = serde_json::from_slice::<Record>(&line) else { continue };
            match record.event {
                Event::Started(started) => row.steps = Some(Steps { done: started.from_step, of: started.plan.steps() }),
                Event::Progress(progress) => {
                    if let Some(steps) = &mut row.steps {
                        steps.done = progress.step;
                    }
                    row.train_s = self.begin.elapsed().as_secs_f64();
                }
                Event::Evaluated(e) if e.purpose == Purpose::Probe && e.of == Whose::Student => {
                    row.probe = Some(Pair { natural: e.natural, adversarial: e.adversarial });
                }
                _ => {}
            }
        }
    }
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{}: the name of this path is not UTF-8; move it", path.display()))
}
