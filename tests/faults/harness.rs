//! Faults on purpose, in the real program: kills, lost terminals, full disks, rubbish, folders that go away. What must hold then.
//!
//! Used by a test with a small budget and a bench with a large one; an episode that finds something wrong panics, and its files stay.
//! Trains on images made up for tests, of which an epoch has ten steps and takes a twentieth of a second, so that a checkpoint is being
//! written nearly all the time. It asserts no times: what a fault costs is measured by the bench.

pub mod disk;
pub mod files;
pub mod folders;
pub mod hang_ups;
pub mod kills;
#[path = "../pty/session.rs"]
#[expect(dead_code, reason = "written for tests that need more of it")]
mod session;
pub mod socket;
#[path = "../training/squares.rs"]
mod squares;

use rematch::data::Images;
use rematch::protocol::event::Record;
use rematch::protocol::{Event, Outcome, Step};
use rematch::random::Stream;
use rematch::run::checkpoints::{self, Found, Probed, Watched};
use rematch::run::replay::{Tail, read_log};
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_rematch-torch");
/// Far more than anything here takes, on a machine that does other things as well.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// Minibatches of an epoch.
const MINIBATCHES: u64 = 10;

/// Where an episode's files are. They stay where it failed.
pub struct Home {
    folder: Option<TempDir>,
    path: PathBuf,
    started: u64,
    /// Variables that the program is started with.
    pub environment: Vec<(&'static str, String)>,
}

impl Home {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("rematch-faults-").tempdir().unwrap();
        let path = folder.path().to_path_buf();
        for name in ["data", "runs", "said"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        write_idx(&path.join("data"), "train", &squares::images(10 * MINIBATCHES as usize + 100, 1));
        write_idx(&path.join("data"), "t10k", &squares::images(60, 2));
        Self { folder: Some(folder), path, started: 0, environment: Vec::new() }
    }

    pub fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    fn settings(&self, recipe: &Recipe, keep_last: u64) -> Vec<String> {
        let mut settings = vec![
            "data.source=idx".to_string(),
            format!("data.path={}", self.path.join("data").display()),
            "data.validation=100".into(),
            "train.batch=10".into(),
            "train.lr=0.02".into(),
            "probe.per_epoch=1".into(),
            "probe.images=20".into(),
            "probe.steps=1".into(),
            "evaluation.images=0".into(),
            "checkpoint.every_epochs=1".into(),
            format!("checkpoint.keep_last={keep_last}"),
            format!("train.epochs={}", recipe.epochs),
        ];
        settings.extend(recipe.more.iter().map(ToString::to_string));
        settings
    }

    /// The words after `rematch` that train this.
    fn words(&self, recipe: &Recipe, runs: &Path, name: &str, keep_last: u64) -> Vec<String> {
        let config = format!("{}/configs/quickstart/{}.toml", env!("CARGO_MANIFEST_DIR"), recipe.method);
        let mut words: Vec<String> =
            ["train", &config, "--device", "cpu", "--threads", "1", "--name", name, "--runs"].map(String::from).into();
        words.push(runs.display().to_string());
        for setting in self.settings(recipe, keep_last) {
            words.extend(["-s".into(), setting]);
        }
        words
    }

    /// Starts a training without a screen.
    pub fn train(&mut self, recipe: &Recipe, runs: &Path, name: &str, keep_last: u64) -> Trainee {
        let mut words = self.words(recipe, runs, name, keep_last);
        words.extend(["--ui".into(), "none".into()]);
        self.start(&words)
    }

    pub fn resume(&mut self, run: &Path) -> Trainee {
        let run = run.display().to_string();
        self.start(&["resume", &run, "--ui", "none", "--device", "cpu", "--threads", "1"])
    }

    /// Starts the program; what it says goes to a file, which a full disk of the run's does not reach.
    pub fn start(&mut self, words: &[impl AsRef<str>]) -> Trainee {
        self.started += 1;
        let said = self.path.join("said").join(self.started.to_string());
        let to = File::create(&said).unwrap();
        // Damaged sizes ask for any amount of memory: the program must meet that, and not the machine.
        let limited = "ulimit -v 8000000; exec \"$0\" \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", limited, PROGRAM]).args(words.iter().map(AsRef::as_ref));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("GOMP_SPINCOUNT", "0").env("TERM", "xterm-256color");
        command.env_remove("RUST_BACKTRACE").env_remove("NO_COLOR").env_remove("REMATCH_FAULT");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(to);
        Trainee { child: command.spawn().unwrap(), said }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            let _ = writeln!(std::io::stderr(), "the files of this episode stay in {}", folder.keep().display());
        }
    }
}

fn write_idx(folder: &Path, part: &str, images: &Images) {
    let count = u32::try_from(images.len()).unwrap().to_be_bytes();
    let sides: Vec<u8> = images.shape[1..].iter().flat_map(|&side| u32::try_from(side).unwrap().to_be_bytes()).collect();
    let labels: Vec<u8> = images.labels.iter().map(|&label| label as u8).collect();
    let pixels = [&[0, 0, 8, 3], &count[..], &sides, &images.pixels].concat();
    fs::write(folder.join(format!("{part}-images-idx3-ubyte")), pixels).unwrap();
    fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), [&[0, 0, 8, 1], &count[..], &labels].concat()).unwrap();
}

/// What is trained.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Names a file of `configs/quickstart`.
    pub method: &'static str,
    pub epochs: u64,
    pub more: &'static [&'static str],
}

/// The program at work. It does not outlive this.
pub struct Trainee {
    child: Child,
    said: PathBuf,
}

/// How it ended; the code is `None` where a signal ended it.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub said: String,
}

impl Trainee {
    pub fn over(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.said).unwrap()).into_owned()
    }

    pub fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// `None`: it does not end in this time.
    pub fn ends_within(&mut self, longest: Duration) -> Option<Ended> {
        let deadline = Instant::now() + longest;
        loop {
            if let Some(status) = self.over() {
                return Some(Ended { code: status.code(), said: self.said() });
            }
            if Instant::now() > deadline {
                return None;
            }
            breathe();
        }
    }

    /// Waits for what only comes while it lives.
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        wait_for(what, || {
            let over = self.over();
            // Looked at after the end was seen: the last that it did counts as well.
            let found = look();
            assert!(found.is_some() || over.is_none(), "{what} did not come before it ended; it said:\n{}", self.said());
            found
        })
    }

    pub fn end(mut self) -> Ended {
        let ended = self.ends_within(PATIENCE);
        ended.unwrap_or_else(|| panic!("it does not end; it said:\n{}", self.said()))
    }

    pub fn completes(self) -> Ended {
        let ended = self.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.said.contains("panicked"), "{ended:?}");
        ended
    }
}

impl Drop for Trainee {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Between two looks at something that wakes nobody; a deadline decides.
pub fn breathe() {
    std::thread::sleep(Duration::from_millis(1));
}

pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        breathe();
    }
}

/// Somewhere below this.
pub fn some_of(longest: Duration, dice: &mut Stream) -> Duration {
    longest.mul_f64(dice.below(10_000) as f64 / 10_000.0)
}

// ---- what is left of a run ----

pub struct Log {
    pub records: Vec<Record>,
    pub tail: Tail,
}

/// The log of a run, which may end in a torn line and must be whole up to there. `None`: it has no record.
pub fn log(run: &Path) -> Option<Log> {
    let mut log = read_log(&run.join("events.jsonl")).ok()?;
    let records: Vec<Record> = log.by_ref().map(|record| record.unwrap_or_else(|error| panic!("{error}"))).collect();
    (!records.is_empty()).then(|| Log { records, tail: log.tail() })
}

/// Lines of a log that is being written.
pub fn lines(run: &Path) -> usize {
    fs::read(run.join("events.jsonl")).map_or(0, |bytes| bytes.split(|&byte| byte == b'\n').count() - 1)
}

/// The furthest step that a record tells of since the newest start.
pub fn reached(records: &[Record]) -> Step {
    let mut reached = 0;
    for record in records {
        if let Event::Started(started) = &record.event {
            reached = started.from_step;
        } else if let Event::Progress(progress) = &record.event {
            reached = reached.max(progress.step);
        } else if let Event::EpochFinished(epoch) = &record.event {
            reached = reached.max(epoch.step);
        } else if let Event::Saved(saved) = &record.event {
            reached = reached.max(saved.step);
        } else if let Event::Evaluated(evaluated) = &record.event {
            reached = reached.max(evaluated.step);
        }
    }
    reached
}

/// What a checkpoint holds that must come out the same: all but the times.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    /// By file and name; type, shape and bytes as one checksum.
    tensors: BTreeMap<(String, String), Vec<u8>>,
    probed: Option<Probed>,
    best: Option<f64>,
    watched: Watched,
    changes: u64,
}

fn kept(found: &Found) -> Kept {
    let mut tensors = BTreeMap::new();
    for entry in fs::read_dir(&found.path).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "safetensors") {
            continue;
        }
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(&path).unwrap();
        for (name, tensor) in safetensors::SafeTensors::deserialize(&bytes).unwrap().tensors() {
            let mut sum = Sha256::new();
            sum.update(format!("{:?} {:?}", tensor.dtype(), tensor.shape()));
            sum.update(tensor.data());
            tensors.insert((file.clone(), name), sum.finalize().to_vec());
        }
    }
    let state = found.state.clone();
    Kept { tensors, probed: state.probed, best: state.best, watched: state.watched, changes: state.changes }
}

/// A run that nothing happened to: what every other of its recipe must come to.
pub struct Reference {
    checkpoints: BTreeMap<Step, Kept>,
    pub steps: Step,
    pub steps_per_epoch: u64,
    pub took: Duration,
}

impl Reference {
    pub fn make(recipe: &Recipe) -> Self {
        let mut home = Home::new();
        let began = Instant::now();
        home.train(recipe, &home.runs(), "reference", 100_000).completes();
        let took = began.elapsed();
        let run = home.runs().join("reference");
        let records = log(&run).unwrap().records;
        let Event::Started(started) = &records[0].event else { panic!("{:?}", records[0]) };
        let (steps, steps_per_epoch) = (started.plan.epochs * started.plan.steps_per_epoch, started.plan.steps_per_epoch);
        let found = checkpoints::list(&run.join("checkpoints"));
        let checkpoints: BTreeMap<Step, Kept> = found.iter().map(|found| (found.state.step, kept(found))).collect();
        assert!(checkpoints.len() as u64 >= recipe.epochs, "{} checkpoints", checkpoints.len());
        Self { checkpoints, steps, steps_per_epoch, took }
    }

    /// Every checkpoint of a run is whole, and what this one has at its step. How many were compared, and the newest.
    pub fn check(&self, run: &Path) -> (usize, Step) {
        let checkpoints = run.join("checkpoints");
        let names = fs::read_dir(&checkpoints).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let named = names.filter(|name| name.to_string_lossy().starts_with("step-")).count();
        let found = checkpoints::list(&checkpoints);
        assert_eq!(found.len(), named, "checkpoints whose state cannot be read in {}", checkpoints.display());
        let mut compared = 0;
        for found in &found {
            checkpoints::verify(&found.path).unwrap_or_else(|error| panic!("{error}"));
            if let Some(expected) = self.checkpoints.get(&found.state.step) {
                assert!(*expected == kept(found), "{} is not as that of a run through", found.path.display());
                compared += 1;
            }
        }
        (compared, found.last().map_or(0, |found| found.state.step))
    }

    /// It completed, with the whole log and the weights of this one. How many checkpoints were compared.
    pub fn check_completed(&self, run: &Path) -> usize {
        let log = log(run).unwrap_or_else(|| panic!("no log in {}", run.display()));
        assert_eq!(log.tail, Tail::Whole, "{}", run.display());
        let Event::Finished(finished) = &log.records.last().unwrap().event else { panic!("{:?}", log.records.last()) };
        assert_eq!((&finished.outcome, finished.step), (&Outcome::Completed, self.steps), "{}", run.display());
        let (compared, newest) = self.check(run);
        assert_eq!(newest, self.steps, "the last checkpoint in {}", run.display());
        compared
    }
}
