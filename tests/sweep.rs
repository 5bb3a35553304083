//! Sweeps as a person runs them: whole, interrupted, edited, with runs that fail, as job arrays, gathered from elsewhere.
//!
//! Runs of a few steps on the embedded images, each in a process of its own as ever.
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

#[path = "headless/program.rs"]
#[expect(dead_code, reason = "other tests follow a program line by line")]
mod program;

use program::{Program, rematch};
use rematch::run::advice::quoted;
use rematch::run::evaluations;
use rematch::sweep::ledger::Ledger;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::SystemTime;

const CONFIG: &str = "data.source = 'fashion-mnist-10k'\nstudent.network = 'fc2'\nthreat.eps = 0.1\ntrain.epochs = 1\ntrain.steps = 2\n\
                      probe.per_epoch = 0\nevaluation.images = 30\ninsight.every = 0\n";

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// `sweep.toml`, with configs `erm.toml` and `rrm.toml` beside it.
    fn new(sweep: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("it's a sweep ").tempdir().unwrap();
        fs::write(folder.path().join("erm.toml"), format!("{CONFIG}method.name = 'erm'\n")).unwrap();
        let rrm = format!("{CONFIG}method.name = 'rrm'\nmethod.lambda = 0.005\nteacher.checkpoint = 'none'\n");
        fs::write(folder.path().join("rrm.toml"), rrm).unwrap();
        let bench = Self { folder };
        bench.write(sweep);
        bench
    }

    fn write(&self, sweep: &str) {
        fs::write(self.folder.path().join("sweep.toml"), sweep).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sweep(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    fn command(&self, more: &[&str]) -> std::process::Command {
        let (file, out) = (self.path("sweep.toml"), self.path("out"));
        let words = [&["sweep", file.to_str().unwrap(), "--out", out.to_str().unwrap(), "--threads", "1"], more].concat();
        let mut command = rematch(&words);
        // What teachers say is kept here and not among a person's own.
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    fn run(&self, id: &str) -> PathBuf {
        self.path("out").join("runs").join(id)
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn written(run: &Path) -> SystemTime {
    fs::metadata(run.join("events.jsonl")).unwrap().modified().unwrap()
}

const WHOLE: &str = "config = 'rrm.toml'\n[evaluate]\nattacks = ['fgsm']\nimages = 20\ndoubts = false\n\
                     [[teacher]]\nname = 't'\nconfig = 'erm.toml'\n\
                     [[row]]\nname = 'rrm'\nteacher = 't'\n[[row]]\nname = 'erm'\nconfig = 'erm.toml'\n\
                     budget = { of = 'rrm', count = 'with-teacher' }\ngrid = { 'method.lambda' = [] }\n\
                     [grid]\n'method.lambda' = [0.005]\nseed = [0, 1]\n";

#[test]
fn a_sweep_runs_teachers_students_and_budgets_and_never_twice() {
    let bench = Bench::new(WHOLE);
    let first = bench.sweep(&[]);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert!(said(&first).contains("5 of 5 done, 0 failed"), "{}", said(&first));
    let (ledger, plan) = Ledger::open(&bench.path("out")).unwrap();
    for cell in &plan.cells {
        let found = ledger.known(cell, plan.evaluate.as_ref()).found;
        assert_eq!((found.len(), found[0].attack.as_str(), found[0].images), (1, "fgsm", 20), "{}", cell.id);
    }
    // Once each: the evaluation that ends a run is left out where the sweep evaluates it.
    for cell in &plan.cells {
        let log = fs::read_to_string(bench.run(&cell.id).join("events.jsonl")).unwrap();
        assert!(!log.contains("\"purpose\":\"final\""), "{}", cell.id);
    }
    // The second student found what the teacher says where the first had left it.
    let log = |id: &str| fs::read_to_string(bench.run(id).join("events.jsonl")).unwrap();
    assert!(log("rrm-lambda0.005-seed0").contains("was asked in"), "{}", log("rrm-lambda0.005-seed0"));
    assert!(log("rrm-lambda0.005-seed1").contains("was found in"));
    // A budget is steps: as many as the lender's time and its teacher's hold.
    assert!(fs::read_to_string(bench.run("erm-seed0").join("config.toml")).unwrap().contains("steps = "));
    assert!(said(&first).contains("of training time are"), "{}", said(&first));

    let before: Vec<SystemTime> = plan.cells.iter().map(|cell| written(&bench.run(&cell.id))).collect();
    let again = bench.sweep(&[]);
    assert!(again.status.success() && said(&again).contains("5 of 5 done"), "{}", said(&again));
    assert_eq!(before, plan.cells.iter().map(|cell| written(&bench.run(&cell.id))).collect::<Vec<_>>());
    // What would be run: nothing.
    let dry = bench.sweep(&["--dry-run"]);
    assert!(said(&dry).contains("5 runs, 5 done; about 0:00 left"), "{}", said(&dry));

    // An evaluation more is made on the runs that are there.
    bench.write(&WHOLE.replace("['fgsm']", "['fgsm', 'pgd']"));
    let more = bench.sweep(&[]);
    assert!(more.status.success(), "{}", said(&more));
    assert_eq!(before, plan.cells.iter().map(|cell| written(&bench.run(&cell.id))).collect::<Vec<_>>());
    assert_eq!(fs::read_dir(evaluations::within(&bench.run("teacher-t"))).unwrap().count(), 2);

    // Edited after it began: nothing runs before somebody says so, then what still applies is kept.
    bench.write(&WHOLE.replace("seed = [0, 1]", "seed = [0]"));
    let edited = bench.sweep(&[]);
    assert_eq!(edited.status.code(), Some(2), "{}", said(&edited));
    let words = said(&edited);
    assert!(
        words.contains("the sweep file has changed") && words.contains("gone") && words.contains("--accept-changes"),
        "{words}"
    );
}

#[test]
fn a_run_that_fails_is_told_and_the_rest_goes_on() {
    let bench = Bench::new(
        "[[row]]\nname = 'bad'\nconfig = 'rrm.toml'\n[[row]]\nname = 'good'\nconfig = 'erm.toml'\n[grid]\nseed = [0]\n",
    );
    let ended = bench.sweep(&[]);
    assert_eq!(ended.status.code(), Some(1), "{}", said(&ended));
    let words = said(&ended);
    assert!(words.contains("bad-seed0: failed: teacher.checkpoint = "), "{words}");
    assert!(words.contains("1 of 2 done, 1 failed"), "{words}");
    // What was wrong is mended, the same command goes on.
    let good = written(&bench.run("good-seed0"));
    bench.write("[[row]]\nname = 'bad'\nconfig = 'erm.toml'\n[[row]]\nname = 'good'\nconfig = 'erm.toml'\n[grid]\nseed = [0]\n");
    let mended = bench.sweep(&[]);
    assert!(mended.status.success(), "{}", said(&mended));
    assert_eq!(written(&bench.run("good-seed0")), good);
}

#[test]
fn an_interrupted_sweep_goes_on_where_it_was() {
    let long = "config = 'erm.toml'\nset.train.epochs = 40\nset.train.steps = 2800\nset.'checkpoint.every_epochs' = 1\n[grid]\nseed = [0]\n";
    let bench = Bench::new(long);
    let program = Program::start(&mut bench.command(&["--ui", "plain"]));
    let log = bench.run("run-seed0").join("events.jsonl");
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(2);
    while !fs::read_to_string(&log).is_ok_and(|text| text.contains("\"saved\"")) {
        assert!(std::time::Instant::now() < deadline, "no checkpoint");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // Two of one sweep do not run.
    let other = bench.sweep(&[]);
    assert!(said(&other).contains("another process runs this sweep"), "{}", said(&other));
    program.send(rustix::process::Signal::TERM);
    let ended = program.end();
    assert_eq!(ended.code, Some(130), "{}{}", ended.out, ended.err);
    let steps = |text: &str| text.matches("\"started\"").count();
    assert_eq!(steps(&fs::read_to_string(&log).unwrap()), 1);
    bench.write(long);
    let on = bench.sweep(&[]);
    assert!(on.status.success() && said(&on).contains("1 of 1 done"), "{}", said(&on));
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("\"resumed\"") && steps(&text) == 2, "it was resumed, not begun anew");
}

/// A script for Slurm as Slurm starts its first task, with the program of these tests and a command that stands in for the queue.
fn task(script: &str) -> std::process::Command {
    let mut command = std::process::Command::new("sh");
    let program = Path::new(env!("CARGO_BIN_EXE_rematch-torch"));
    let [program, beside] = [program.to_path_buf(), program.with_file_name("rematch")].map(|path| quoted(&path));
    assert!(script.contains(&beside), "{script}");
    let queue = "scontrol() { echo \"asked: $*\"; }\n";
    command.arg("-c").arg(format!("{queue}{}", script.replace(&beside, &program)));
    command.env("SLURM_ARRAY_TASK_ID", "0").env("SLURM_CPUS_PER_TASK", "1").env("SLURM_JOB_ID", "77").env("GOMP_SPINCOUNT", "0");
    command
}

#[test]
fn a_task_that_is_told_of_the_end_of_its_time_saves_and_queues_again() {
    let long = "config = 'erm.toml'\nset.train.epochs = 400\nset.train.steps = 28000\n[grid]\nseed = [0]\n";
    let bench = Bench::new(long);
    assert!(bench.sweep(&["--slurm"]).status.success());
    let script = fs::read_to_string(bench.path("out/slurm/array-0.sbatch")).unwrap();
    let program = Program::start(&mut task(&script));
    let log = bench.run("run-seed0").join("events.jsonl");
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(2);
    while !fs::read_to_string(&log).is_ok_and(|text| text.contains("\"progress\"")) {
        assert!(std::time::Instant::now() < deadline, "it does not train");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    program.send(rustix::process::Signal::USR2);
    let ended = program.end();
    assert_eq!(ended.code, Some(130), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("asked: requeue 77"), "{}", ended.out);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("\"saved\"") && text.contains("\"stopped\""), "{text}");
}

#[test]
fn more_cells_than_an_array_may_have_are_several_arrays() {
    let seeds: Vec<String> = (0..2001).map(|seed: u32| seed.to_string()).collect();
    let bench = Bench::new(&format!("config = 'erm.toml'\n[grid]\nseed = [{}]\n", seeds.join(", ")));
    let arrays = bench.sweep(&["--slurm", "--devices", "cpu"]);
    assert!(said(&arrays).contains("arrays of 1000 and 1000 and 1 tasks"), "{}", said(&arrays));
    let slurm = bench.path("out/slurm");
    assert!(!fs::read_to_string(slurm.join("array-2.sbatch")).unwrap().contains("--gpus"));
    // A queue that says what it is given.
    let queue = "sbatch() { echo \"$*\" >> asked; echo \"7;cluster\"; }\n";
    let submit = fs::read_to_string(slurm.join("submit.sh")).unwrap();
    let done = std::process::Command::new("sh").arg("-c").arg(format!("{queue}{submit}")).env("AT_ONCE", "8").output().unwrap();
    assert!(done.status.success() && said(&done).contains("array 2: job 7, 1 tasks"), "{}", said(&done));
    let asked = fs::read_to_string(slurm.join("asked")).unwrap();
    assert!(asked.contains("--array=0-999%8 array-1.sbatch"), "{asked}");
}

#[test]
fn job_arrays_run_single_cells_and_their_runs_are_gathered() {
    let bench = Bench::new(WHOLE);
    let arrays = bench.sweep(&["--slurm"]);
    assert!(arrays.status.success() && said(&arrays).contains("arrays of 1 and 2 and 2 tasks"), "{}", said(&arrays));
    let slurm = bench.path("out").join("slurm");
    let submit = fs::read_to_string(slurm.join("submit.sh")).unwrap();
    assert!(submit.contains("--dependency=afterany:\"$job0\"") && submit.contains("array-2.sbatch"), "{submit}");
    let script = fs::read_to_string(slurm.join("array-0.sbatch")).unwrap();
    for part in ["--array=0-0\n", "--cpus-per-task=1\n", "--output=out/%x-%a.out", "--signal=B:USR2@", "--requeue"] {
        assert!(script.contains(&format!("#SBATCH {part}")), "{part}: {script}");
    }
    assert!(slurm.join("out").is_dir(), "Slurm makes no folders");
    // As a task does it: the first of the first array. A folder with a space and a quote in its name is one word.
    let task = task(&script).output().unwrap();
    assert!(task.status.success(), "{}", said(&task));
    assert!(bench.run("teacher-t").exists() && !bench.run("rrm-lambda0.005-seed0").exists());
    let unknown = bench.sweep(&["--only", "teacher-u"]);
    assert!(said(&unknown).contains("has no such run"), "{}", said(&unknown));

    // Elsewhere, from the first folder.
    let (file, elsewhere) = (bench.path("sweep.toml"), bench.path("elsewhere"));
    let from = bench.path("out");
    let words = ["sweep", file.to_str().unwrap(), "--out", elsewhere.to_str().unwrap(), "--collect", from.to_str().unwrap()];
    let gathered = rematch(&words).output().unwrap();
    assert!(said(&gathered).contains("1 copied, 0 here before, 0 refused, 4 missing"), "{}", said(&gathered));
    let (ledger, plan) = Ledger::open(&elsewhere).unwrap();
    assert_eq!(ledger.known(plan.cell("teacher-t").unwrap(), plan.evaluate.as_ref()).found.len(), 1);
    // A run with the right name and another config is none of it.
    let config = from.join("runs/teacher-t/config.toml");
    let other = fs::read_to_string(&config).unwrap().replace("momentum = 0.9", "momentum = 0.8");
    fs::write(&config, other).unwrap();
    fs::remove_dir_all(elsewhere.join("runs/teacher-t")).unwrap();
    let refused = rematch(&words).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("train.momentum: 0.9 in the sweep, 0.8 there"), "{}", said(&refused));
}

#[test]
fn a_task_whose_teacher_is_not_there_says_so() {
    let bench = Bench::new(WHOLE);
    let task = bench.sweep(&["--only", "rrm-lambda0.005-seed0"]);
    assert_eq!(task.status.code(), Some(1), "{}", said(&task));
    assert!(said(&task).contains("it needs teacher-t, which is not done"), "{}", said(&task));
}
