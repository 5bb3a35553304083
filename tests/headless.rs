//! The program in a pipe, as scripts and schedulers run it: what it prints, what it leaves on disk, how it ends, what it refuses.
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

#[path = "headless/eval.rs"]
mod eval;
#[path = "headless/program.rs"]
mod program;
#[path = "training/squares.rs"]
mod squares;

use flate2::{Compression, write::GzEncoder};
use program::{Ended, Program, rematch};
use rematch::data::Images;
use rematch::protocol::event::{Evaluated, Purpose, Term};
use rematch::protocol::{Event, Outcome, Record};
use rematch::run::replay::read_log;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use tempfile::TempDir;

const QUICKSTART: &str = "configs/quickstart.toml";
const ERM: &str = "configs/quickstart/erm.toml";
/// One epoch, probed and evaluated on a few images only.
const SHORT: [&str; 6] =
    ["train.epochs=1", "probe.per_epoch=1", "probe.images=50", "probe.steps=2", "evaluation.images=50", "evaluation.steps=3"];
/// More epochs than any test waits for.
const ENDLESS: [&str; 6] = [
    "train.epochs=100000",
    "train.schedule.name=constant",
    "probe.per_epoch=1",
    "probe.images=20",
    "probe.steps=1",
    "train.lr=0.05",
];

/// `rematch train` with these settings; the runs go to `runs`.
fn train(config: &str, runs: &Path, settings: &[&str], options: &[&str]) -> Program {
    Program::start(&mut training(config, runs, settings, options))
}

fn training(config: &str, runs: &Path, settings: &[&str], options: &[&str]) -> std::process::Command {
    let mut command = rematch(&["train", config, "--device", "cpu", "--threads", "1", "--runs", runs.to_str().unwrap()]);
    command.args(options);
    for setting in settings {
        command.args(["-s", setting]);
    }
    command
}

fn run(args: &[&str]) -> Ended {
    Program::start(&mut rematch(args)).end()
}

/// The evaluation of a model, as JSON.
fn eval(target: &Path, options: &[&str]) -> Value {
    let mut args = vec!["eval", target.to_str().unwrap(), "--json", "--device", "cpu", "--threads", "1"];
    args.extend(options);
    let ended = run(&args);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ended:?}");
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
    serde_json::from_str(&ended.out).unwrap()
}

fn records(run: &Path) -> Vec<Record> {
    read_log(&run.join("events.jsonl")).unwrap().map(|record| record.unwrap()).collect()
}

fn outcome(run: &Path) -> Outcome {
    let records = records(run);
    let Event::Finished(finished) = &records.last().unwrap().event else { panic!("{:?}", records.last()) };
    finished.outcome.clone()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The folder of the one run in `runs`.
fn only_run(runs: &Path) -> PathBuf {
    let all = names(runs);
    assert_eq!(all.len(), 1, "{all:?}");
    runs.join(&all[0])
}

/// The checkpoint of this step, whole.
fn checkpoint(run: &Path, step: u64) -> PathBuf {
    let folder = run.join(format!("checkpoints/step-{step:08}"));
    assert_eq!(names(&folder), ["SHA256SUMS", "model.safetensors", "optimizer.safetensors", "state.json"]);
    folder
}

#[derive(Clone, Copy)]
enum Packed {
    Yes,
    No,
}

fn write_idx(folder: &Path, part: &str, images: &Images, packed: Packed) {
    let count = u32::try_from(images.len()).unwrap().to_be_bytes();
    let sides: Vec<u8> = images.shape[1..].iter().flat_map(|&side| u32::try_from(side).unwrap().to_be_bytes()).collect();
    let pixels = [&[0, 0, 8, 3], &count[..], &sides, &images.pixels].concat();
    let bytes: Vec<u8> = images.labels.iter().map(|&label| label as u8).collect();
    let labels = [&[0, 0, 8, 1], &count[..], &bytes].concat();
    for (what, bytes) in [("images-idx3", pixels), ("labels-idx1", labels)] {
        let path = folder.join(format!("{part}-{what}-ubyte"));
        match packed {
            Packed::No => fs::write(path, bytes).unwrap(),
            Packed::Yes => {
                let mut file = GzEncoder::new(fs::File::create(format!("{}.gz", path.display())).unwrap(), Compression::fast());
                file.write_all(&bytes).unwrap();
                file.finish().unwrap();
            }
        }
    }
}

/// A folder of IDX files: 200 training images, of which 100 are held out, and 60 test images.
fn idx(packed: Packed) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_idx(folder.path(), "train", &squares::images(200, 1), packed);
    write_idx(folder.path(), "t10k", &squares::images(60, 2), packed);
    folder
}

/// Settings that train on such a folder: 10 steps an epoch, in well under a second.
fn on_idx(folder: &Path) -> [String; 7] {
    [
        "data.source=idx".into(),
        format!("data.path={}", folder.display()),
        "data.validation=100".into(),
        "train.batch=10".into(),
        "probe.images=50".into(),
        "probe.steps=1".into(),
        "evaluation.steps=2".into(),
    ]
}

/// One epoch of RRM on the embedded images, printed as JSON: made once, looked at by several tests.
struct Made {
    runs: TempDir,
    run: PathBuf,
    ended: Ended,
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let runs = tempfile::tempdir().unwrap();
        let ended = train(QUICKSTART, runs.path(), &SHORT, &["--ui", "json", "--name", "made"]).end();
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ended:?}");
        Made { run: runs.path().join("made"), runs, ended }
    })
}

fn last_evaluation(run: &Path) -> Evaluated {
    let found = records(run).into_iter().rev().find_map(|record| match record.event {
        Event::Evaluated(evaluated) if evaluated.purpose == Purpose::Final => Some(evaluated),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn json_is_the_log_line_for_line_and_the_folder_holds_what_the_run_was() {
    let made = made();
    assert_eq!(made.ended.out, fs::read_to_string(made.run.join("events.jsonl")).unwrap());
    let records = records(&made.run);
    assert!(matches!(records[0].event, Event::Started(_)));
    assert_eq!(outcome(&made.run), Outcome::Completed);
    assert_eq!(names(made.runs.path()), ["made"]);
    // Other tests evaluate this run.
    let there: Vec<String> = names(&made.run).into_iter().filter(|name| name != "evaluations").collect();
    assert_eq!(there, ["checkpoints", "config.toml", "events.jsonl", "lock"]);
    assert_eq!(names(&made.run.join("checkpoints")), ["step-00000071"]);
    checkpoint(&made.run, 71);
    let Event::Started(started) = &records[0].event else { unreachable!() };
    let resolved = rematch::config::check::load(&made.run.join("config.toml"), &[]).unwrap();
    assert_eq!(resolved, started.config);
    assert_eq!((resolved.train.epochs, resolved.probe.images, resolved.evaluation.images), (1, 50, Some(50)));
}

#[test]
fn a_pipe_gets_plain_lines_one_an_epoch_and_a_table_that_makes_the_number_reproducible() {
    let (data, runs) = (idx(Packed::No), tempfile::tempdir().unwrap());
    let settings = on_idx(data.path());
    let mut settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    settings.extend(["train.epochs=2", "seed=3"]);
    let ended = train(ERM, runs.path(), &settings, &[]).end();
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ended:?}");
    let folder = only_run(runs.path());
    assert!(folder.file_name().unwrap().to_str().unwrap().starts_with("erm-"), "{}", folder.display());
    assert!(!ended.out.contains('\x1b'), "{}", ended.out);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(lines[0].starts_with("erm trains fc3 on "), "{}", lines[0]);
    let epochs: Vec<&&str> = lines.iter().filter(|line| line.starts_with("epoch ")).collect();
    assert!(epochs.len() == 2 && epochs[0].starts_with("epoch 1/2  step 10  nat ") && epochs[1].contains("2/2  step 20  nat "));
    let table = &lines[lines.iter().position(|line| line.starts_with("outcome")).unwrap()..];
    let value = |name: &str| {
        let row = table.iter().find(|row| row.starts_with(name));
        row.unwrap_or_else(|| panic!("no {name} in\n{}", ended.out))[name.len()..].trim().to_string()
    };
    let last = last_evaluation(&folder);
    assert_eq!(value("outcome"), "completed at step 20 of 20");
    assert_eq!(value("method"), "erm");
    assert_eq!(value("natural"), format!("{:.1} %", 100.0 * last.natural));
    assert_eq!(value("adversarial"), format!("{:.1} % (pgd-2)", 100.0 * last.adversarial));
    for (name, expected) in [
        ("attack", "pgd"),
        ("steps", "2"),
        ("step size", "0.125"),
        ("restarts", "1"),
        ("random start", "yes"),
        ("attack seed", "0"),
        ("norm", "L-inf"),
        ("eps", "0.1"),
        ("images", "60"),
        ("split", "test, not seen in training"),
        ("seed", "3"),
    ] {
        assert_eq!(value(&format!("{name}  ")), expected, "{name}");
    }
    assert_eq!(value("checkpoint  "), checkpoint(&folder, 20).display().to_string());
}

#[test]
fn a_signal_saves_and_stops() {
    // Schedulers warn by the last three.
    for signal in [Signal::INT, Signal::TERM, Signal::USR2, Signal::XCPU] {
        let runs = tempfile::tempdir().unwrap();
        let decided = if signal == Signal::TERM { &["--on-signal", "SIGUSR2=save"][..] } else { &[] };
        let mut program = train(ERM, runs.path(), &ENDLESS, &[&["--ui", "plain", "--name", "r"], decided].concat());
        program.until("epoch ");
        if signal == Signal::TERM {
            program.send(Signal::USR2);
            program.until("saved ");
            program.until("epoch ");
        }
        if signal == Signal::INT {
            program.send(Signal::HUP); // a lost terminal ends nothing
            program.send(Signal::USR1);
            let line = program.until("saved ");
            assert!(line.contains("checkpoints/step-"), "{line}");
            program.until("epoch ");
        }
        program.send(signal);
        let ended = program.end();
        assert_eq!((ended.code, &*ended.err), (Some(130), ""), "{ended:?}");
        let run = runs.path().join("r");
        assert_eq!(outcome(&run), Outcome::Stopped);
        let step = records(&run).iter().rev().find_map(|r| if let Event::Saved(s) = &r.event { Some(s.step) } else { None });
        let step = step.unwrap();
        checkpoint(&run, step);
        assert!(ended.out.contains(&format!("stopping at step {step}\n")), "{}", ended.out);
        assert!(ended.out.contains(&format!("stopped at step {step} of ")), "{}", ended.out);
        let listed = run_list(runs.path());
        assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&"r".into(), &"stopped".into()));
    }
}

#[test]
fn a_limit_on_the_sizes_of_files_is_named_before_and_while_it_trains() {
    let runs = tempfile::tempdir().unwrap();
    let limited = |kib: u32, name: &str, settings: &[&str]| {
        let command = training(ERM, runs.path(), settings, &["--ui", "none", "--name", name]);
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", &format!("ulimit -f {kib}; exec \"$0\" \"$@\"")]).arg(command.get_program()).args(command.get_args());
        limited.env("GOMP_SPINCOUNT", "0");
        limited
    };
    let small = Program::start(&mut limited(100, "small", &SHORT)).end();
    assert_eq!(small.code, Some(2), "{small:?}");
    for part in ["a checkpoint of this network has files of", "file size limit of this process is", "ulimit -f unlimited"] {
        assert!(small.err.contains(part), "{part}: {}", small.err);
    }
    assert!(names(runs.path()).is_empty());
    // A log that comes to its limit: nobody can make room, so that nothing is waited for.
    let mut program = train(ERM, runs.path(), &ENDLESS, &["--ui", "json", "--name", "r"]);
    program.until("\"epoch_finished\"");
    let pid: i32 = fs::read_to_string(runs.path().join("r/lock")).unwrap().trim().parse().unwrap();
    let limit = rustix::process::Rlimit { current: Some(64), maximum: None };
    rustix::process::prlimit(rustix::process::Pid::from_raw(pid), rustix::process::Resource::Fsize, limit).unwrap();
    let ended = program.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("its end could not be recorded") && ended.err.contains("file size limit"), "{}", ended.err);
}

#[test]
fn a_signal_during_the_final_evaluation_keeps_the_weights_and_is_a_stop() {
    let runs = tempfile::tempdir().unwrap();
    let mut settings = SHORT.to_vec();
    settings.extend(["evaluation.images=2000", "evaluation.steps=50"]);
    let mut program = train(ERM, runs.path(), &settings, &["--ui", "json", "--name", "r"]);
    program.until("\"saved\"");
    program.send(Signal::INT);
    let ended = program.end();
    assert_eq!((ended.code, &*ended.err), (Some(130), ""), "{ended:?}");
    assert!(ended.out.contains("\"stopping\"") && !ended.out.contains("\"purpose\":\"final\""), "{}", ended.out);
    checkpoint(&runs.path().join("r"), 71);
    assert_eq!(outcome(&runs.path().join("r")), Outcome::Stopped);
}

#[test]
fn a_third_interrupt_does_not_wait_for_a_busy_worker() {
    let runs = tempfile::tempdir().unwrap();
    let mut settings = SHORT.to_vec();
    // One step is one attack of many passes over many images, and a stop is heard only between steps.
    settings.extend(["method.steps=1000", "train.batch=2000"]);
    let mut program = train("configs/quickstart-teacher.toml", runs.path(), &settings, &["--ui", "json", "--name", "r"]);
    program.until("\"started\"");
    // Two readings of the machine are a second apart: the first step has begun.
    program.until("\"machine\"");
    program.until("\"machine\"");
    let ended = program.end_by(Signal::INT);
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.err.contains("left at once") && ended.err.contains("r/checkpoints"), "{}", ended.err);
    assert_eq!(run_list(runs.path())[0]["state"], "interrupted");
}

fn run_list(runs: &Path) -> Vec<Value> {
    let ended = run(&["runs", runs.to_str().unwrap(), "--json"]);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ended:?}");
    ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_reader_that_goes_away_does_not_stop_training() {
    let data = idx(Packed::No);
    let settings = on_idx(data.path());
    let mut settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    settings.push("train.epochs=8");
    for (ui, first) in [("json", "started"), ("plain", "erm trains")] {
        let runs = tempfile::tempdir().unwrap();
        let mut program = train(ERM, runs.path(), &settings, &["--ui", ui, "--name", "r"]);
        program.until(first);
        program.stop_reading();
        let ended = program.end();
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ui}: {ended:?}");
        assert_eq!(outcome(&runs.path().join("r")), Outcome::Completed);
    }
}

#[test]
fn an_output_that_takes_nothing_is_told_once_the_run_has_ended() {
    let (data, runs) = (idx(Packed::No), tempfile::tempdir().unwrap());
    let settings = on_idx(data.path());
    let mut settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    settings.push("train.epochs=1");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = training(ERM, runs.path(), &settings, &["--ui", "json", "--name", "r"]);
    let ended = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{err}");
    assert!(err.contains("standard output: No space left") && err.contains("/r"), "{err}");
    assert_eq!(outcome(&runs.path().join("r")), Outcome::Completed);
}

/// Refused before anything was made: exit code 2, reasons on standard error, nothing in `runs`.
fn refused(command: &mut std::process::Command, runs: &Path) -> String {
    let ended = Program::start(command).end();
    assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{ended:?}");
    for never in ["panicked", "RUST_BACKTRACE", "Exception raised", "frame #"] {
        assert!(!ended.err.contains(never), "{}", ended.err);
    }
    assert!(!runs.is_dir() || names(runs).is_empty(), "left behind: {:?}\n{}", names(runs), ended.err);
    ended.err
}

#[test]
fn every_fault_of_a_config_is_told_at_once_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    let (config, runs) = (home.path().join("bad.toml"), home.path().join("runs"));
    let text = "data.source = 'fashion-mnist-10k'\nstudent.network = 'fc3'\nmethod.name = 'erm'\nthreat.eps = 2\n[train]\n\
                epochs = 'many'\nepoch = 3\nbatch = 0\n";
    fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let said = refused(&mut training(config, &runs, &["probe.steps=-1"], &[]), &runs);
    for (place, what) in [
        (format!("{config}:4: "), "threat.eps = 2 is out of range"),
        (format!("{config}:6: "), "train.epochs = 'many' must be a whole number"),
        (format!("{config}:7: "), "unknown key 'train.epoch'; did you mean"),
        (format!("{config}:8: "), "train.batch = 0 is out of range; allowed: 1 to"),
        ("-s probe.steps=-1: ".into(), "probe.steps = -1 is out of range"),
    ] {
        assert!(said.lines().any(|line| line.contains(&place) && line.contains(what)), "{place}{what} is not in\n{said}");
    }
    let missing = home.path().join("none.toml");
    let said = refused(&mut training(missing.to_str().unwrap(), &runs, &[], &[]), &runs);
    assert!(said.contains("none.toml: there is no such file"), "{said}");
    let said = refused(&mut training(home.path().to_str().unwrap(), &runs, &[], &[]), &runs);
    assert!(said.contains(home.path().to_str().unwrap()) && said.contains("directory"), "{said}");
}

#[test]
fn a_teacher_that_cannot_teach_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path().join("runs");
    let whole = fs::read("assets/teacher.safetensors").unwrap();
    let path = |name: &str, bytes: &[u8]| {
        let path = home.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let no_header = path("short.safetensors", &whole[..100]);
    let half = path("half.safetensors", &whole[..whole.len() / 2]);
    let other = path("other.safetensors", b"PK\x03\x04 this is some other kind of file");
    let empty = path("empty.safetensors", b"");
    for (file, what) in [
        (&home.path().join("none.safetensors"), "No such file"),
        (&home.path().to_path_buf(), "safetensors"),
        (&no_header, "not a whole .safetensors file"),
        (&half, "not a whole .safetensors file"),
        (&other, "rematch import"),
        (&empty, "not a whole .safetensors file"),
    ] {
        let said = refused(&mut training(QUICKSTART, &runs, &[&format!("teacher.checkpoint={}", file.display())], &[]), &runs);
        assert!(said.contains(what) && said.contains("teacher.checkpoint") && said.contains(file.to_str().unwrap()), "{said}");
    }
    let said = refused(&mut training(QUICKSTART, &runs, &["student.network=resnet18"], &[]), &runs);
    assert!(said.contains("does not fit") && said.contains("128 wide") && said.contains("512"), "{said}");
    let data = idx(Packed::No);
    let settings = on_idx(data.path());
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    // Classes of other names are a remark: files without names number them.
    let mut settings = settings;
    settings.push("train.epochs=1");
    let ended = Program::start(&mut training(QUICKSTART, &runs, &settings, &["--ui", "plain"])).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("the teacher's classes are T-shirt/top"), "{}", ended.out);
}

#[test]
fn damaged_data_is_refused_by_its_name() {
    let runs = tempfile::tempdir().unwrap();
    let labels = "train-labels-idx1-ubyte";
    let images = "train-images-idx3-ubyte.gz";
    let said = |folder: &Path| {
        let settings = on_idx(folder);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        refused(&mut training(ERM, runs.path(), &settings, &[]), runs.path())
    };
    let nowhere = runs.path().join("nowhere");
    assert!(said(&nowhere).contains("there is no such folder"));

    let folder = idx(Packed::No);
    fs::remove_file(folder.path().join(labels)).unwrap();
    let answer = said(folder.path());
    assert!(answer.contains(labels) && answer.contains("there is no such file"), "{answer}");

    let folder = idx(Packed::No);
    fs::write(folder.path().join(labels), b"\x89PNG\r\n\x1a\n").unwrap();
    let answer = said(folder.path());
    assert!(answer.contains(labels) && answer.contains("0x89504e47") && answer.contains("expected 0x00000801"), "{answer}");

    let folder = idx(Packed::Yes);
    let path = folder.path().join(images);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let answer = said(folder.path());
    assert!(answer.contains(images) && answer.contains("damaged gzip"), "{answer}");

    let folder = idx(Packed::No);
    let settings = on_idx(folder.path());
    let mut settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    settings.push("train.batch=101");
    let answer = refused(&mut training(ERM, runs.path(), &settings, &[]), runs.path());
    assert!(answer.contains("train.batch = 101") && answer.contains("allowed: 1 to 100"), "{answer}");
}

#[test]
fn what_the_command_line_cannot_mean_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path().join("runs");
    let said = |options: &[&str]| refused(&mut training(ERM, &runs, &SHORT, options), &runs);
    let device =
        refused(rematch(&["train", ERM, "--device", "nonsense", "--runs", runs.to_str().unwrap()]).args(["-s", "seed=1"]), &runs);
    assert!(device.contains("nonsense") && device.contains("cuda"), "{device}");
    if !Path::new("/dev/nvidiactl").exists() {
        let cuda = refused(&mut rematch(&["train", ERM, "--device", "cuda", "--runs", runs.to_str().unwrap()]), &runs);
        assert!(cuda.contains("--device cuda"), "{cuda}");
    }
    assert!(said(&["--name", "../up"]).contains("try --name up"));
    // Before a run is made that nobody would see.
    assert!(said(&["--ui", "tui"]).contains("not a terminal"));
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("runs");
    let in_the_way = refused(&mut training(ERM, &below, &SHORT, &[]), &below);
    assert!(in_the_way.contains("file/runs") && in_the_way.contains("a file is in the way"), "{in_the_way}");
}

#[test]
fn a_name_is_given_once_whether_its_run_is_over_or_not() {
    let made = made();
    let config = fs::read(made.run.join("config.toml")).unwrap();
    let log = fs::read(made.run.join("events.jsonl")).unwrap();
    let again = train(ERM, made.runs.path(), &SHORT, &["--name", "made"]).end();
    assert_eq!((again.code, &*again.out), (Some(2), ""), "{again:?}");
    assert!(again.err.contains("already holds a run") && again.err.contains("--name made-2"), "{}", again.err);
    assert_eq!(names(made.runs.path()), ["made"]);
    assert_eq!(fs::read(made.run.join("config.toml")).unwrap(), config);
    assert_eq!(fs::read(made.run.join("events.jsonl")).unwrap(), log);

    let runs = tempfile::tempdir().unwrap();
    let mut first = train(ERM, runs.path(), &ENDLESS, &["--ui", "plain", "--name", "r"]);
    first.until("erm trains");
    assert_eq!(run_list(runs.path())[0]["state"], "running");
    let second = train(ERM, runs.path(), &SHORT, &["--name", "r"]).end();
    assert_eq!((second.code, &*second.out), (Some(2), ""), "{second:?}");
    assert!(second.err.contains("already holds a run"), "{}", second.err);
    assert_eq!(names(runs.path()), ["r"]);
    first.until("epoch "); // it trains on
    first.send(Signal::INT);
    assert_eq!(first.end().code, Some(130));
}

#[test]
fn runs_and_replays_tell_of_a_run_what_its_log_says() {
    let made = made();
    let run_path = made.run.to_str().unwrap();
    let last = last_evaluation(&made.run);
    let row = &run_list(made.runs.path())[0];
    assert_eq!(row["id"], "made");
    assert_eq!((&row["state"], &row["method"], &row["lambda"]), (&"completed".into(), &"rrm".into(), &0.005.into()));
    assert_eq!(row["test"]["natural_accuracy"], last.natural);
    assert_eq!(row["test"]["adversarial_accuracy"], last.adversarial);
    let table = run(&["runs", made.runs.path().to_str().unwrap()]);
    let line = table.out.lines().find(|line| line.starts_with("made")).unwrap();
    for part in ["completed", "rrm", "0.005", "fc3", "fc2", "1/1"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }

    let json = run(&["replay", run_path, "--ui", "json"]);
    assert_eq!((json.code, &json.out), (Some(0), &made.ended.out));
    let plain = run(&["replay", "made", "--runs", made.runs.path().to_str().unwrap(), "--ui", "plain"]);
    assert_eq!((plain.code, &*plain.err), (Some(0), ""), "{plain:?}");
    assert!(plain.out.contains("epoch 1/1  step 71") && plain.out.contains("completed at step 71 of 71"), "{}", plain.out);
}

#[test]
fn a_torn_log_is_told_as_far_as_it_goes() {
    let made = made();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("torn");
    fs::create_dir(&folder).unwrap();
    let log = &made.ended.out;
    // In the middle of the last line.
    let cut = log.trim_end().rfind('\n').unwrap() + 20;
    fs::write(folder.join("events.jsonl"), &log[..cut]).unwrap();
    let whole = &log[..=log[..cut].rfind('\n').unwrap()];
    let json = run(&["replay", folder.to_str().unwrap(), "--ui", "json"]);
    assert_eq!(json.code, Some(0));
    let more = json.out.strip_prefix(whole).unwrap();
    assert!(more.lines().count() == 1 && more.contains("warned") && more.contains("torn"), "{more}");
    let plain = run(&["replay", folder.to_str().unwrap(), "--ui", "plain"]);
    assert_eq!(plain.code, Some(0), "{plain:?}");
    assert!(plain.err.contains("torn: the record ends before the run did"), "{}", plain.err);
    assert!(plain.out.contains("epoch 1/1"), "{}", plain.out);
    assert_eq!(run_list(home.path())[0]["state"], "interrupted");

    // In the middle of the log: told by line, and no other run is hidden by it.
    let damaged = home.path().join("damaged");
    fs::create_dir(&damaged).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    fs::write(damaged.join("events.jsonl"), format!("{}\nnot a record\n{}\n", lines[0], lines[1])).unwrap();
    let plain = run(&["replay", damaged.to_str().unwrap(), "--ui", "plain"]);
    assert!(format!("{}{}", plain.out, plain.err).contains("line 2: not a record"), "{plain:?}");
    assert_eq!(run_list(home.path()).len(), 2);
    let none = run(&["runs", home.path().join("none").to_str().unwrap()]);
    assert_eq!((none.code, &*none.out), (Some(2), ""));
    assert!(none.err.contains("there is no such folder"), "{}", none.err);
    let missing = run(&["replay", home.path().join("none").to_str().unwrap()]);
    assert_eq!((missing.code, &*missing.out), (Some(2), ""));
    assert!(missing.err.contains("no run at "), "{}", missing.err);
}

#[test]
fn an_evaluation_gives_the_numbers_of_the_run_by_whatever_path_it_is_named() {
    let made = made();
    let last = last_evaluation(&made.run);
    let checkpoint = checkpoint(&made.run, 71);
    let attack = ["--steps", "3", "--restarts", "1", "--seed", "0", "--images", "50"];
    for target in [&made.run, &checkpoint, &checkpoint.join("model.safetensors")] {
        let said = eval(target, &attack);
        for (key, expected) in [
            ("natural_accuracy", Value::from(last.natural)),
            ("adversarial_accuracy", last.adversarial.into()),
            ("attack", "pgd".into()),
            ("norm", "linf".into()),
            ("eps", 0.1.into()),
            ("steps", 3.into()),
            ("restarts", 1.into()),
            ("images", 50.into()),
            ("split", "test".into()),
            ("checkpoint", checkpoint.join("model.safetensors").display().to_string().into()),
        ] {
            assert_eq!(said[key], expected, "{key} of {}", target.display());
        }
        assert!(said["seconds"].as_f64().unwrap() >= 0.0);
    }
    let words = run(&["eval", made.run.to_str().unwrap(), "--device", "cpu", "--threads", "1", "--images", "50", "--steps", "3"]);
    assert_eq!(words.code, Some(0));
    assert!(words.out.contains(&format!("natural      {:6.2} %", 100.0 * last.natural)), "{}", words.out);
}

#[test]
fn a_single_step_breaks_no_more_than_many_and_each_split_is_what_it_says() {
    let made = made();
    let adversarial = |said: &Value| said["adversarial_accuracy"].as_f64().unwrap();
    let pgd = eval(&made.run, &["--images", "200", "--steps", "10", "--split", "validation"]);
    let fgsm = eval(&made.run, &["--images", "200", "--attack", "fgsm", "--split", "validation"]);
    assert_eq!((&fgsm["attack"], &fgsm["steps"], &fgsm["restarts"]), (&"fgsm".into(), &1.into(), &1.into()));
    assert!(adversarial(&fgsm) >= adversarial(&pgd), "{fgsm} {pgd}");
    assert_eq!(fgsm["natural_accuracy"], pgd["natural_accuracy"]);
    assert!(pgd["natural_accuracy"].as_f64().unwrap() > 0.3, "{pgd}");
    for (split, seen) in [("train", true), ("validation", false), ("test", false)] {
        let said = eval(&made.run, &["--images", "20", "--steps", "1", "--split", split]);
        assert_eq!((&said["split"], &said["images"], &said["seen_in_training"]), (&split.into(), &20.into(), &seen.into()));
    }
    let nothing = eval(&made.run, &["--images", "20", "--eps", "0"]);
    assert_eq!(nothing["natural_accuracy"], nothing["adversarial_accuracy"], "without room there is no attack");
}

#[test]
fn an_evaluation_that_cannot_be_is_refused() {
    let made = made();
    let home = tempfile::tempdir().unwrap();
    let target = made.run.to_str().unwrap();
    let broken = home.path().join("broken.safetensors");
    fs::write(&broken, "this is no model").unwrap();
    let none = home.path().join("none");
    for (args, what) in [
        (&[target, "--eps", "2"][..], "--eps 2 is out of range"),
        (&[target, "--eps", "wide"], "--eps"),
        (&[target, "--images", "2001"], "--images 2001 is more than the 2000 images of this split"),
        (&[target, "--images", "0"], "--images"),
        (&[target, "--norm", "l2"], "say --eps too"),
        (&[target, "--split", "dev"], "validation"),
        (&[none.to_str().unwrap()], "none: no checkpoint there"),
        (&[home.path().to_str().unwrap()], "no checkpoint there"),
        (&[broken.to_str().unwrap()], "broken.safetensors: not a whole .safetensors file"),
    ] {
        let mut command = rematch(&["eval"]);
        command.args(args).args(["--json", "--device", "cpu", "--threads", "1"]);
        let said = refused(&mut command, &none);
        assert!(said.contains(what), "{what} is not in {said}");
        assert!(!said.contains("teacher"), "nobody spoke of a teacher: {said}");
    }
    let data = idx(Packed::No);
    let config = home.path().join("other.toml");
    let small = home.path().join("small");
    fs::create_dir(&small).unwrap();
    for (part, n) in [("train", 200), ("t10k", 20)] {
        let images = squares::images(n, 1);
        let pixels = (0..n).flat_map(|i| images.image(i)[..20 * 20].to_vec()).collect();
        write_idx(&small, part, &Images { pixels, labels: images.labels, shape: [1, 20, 20] }, Packed::No);
    }
    let text = |path: &Path| {
        format!(
            "data.source = 'idx'\ndata.path = '{}'\ndata.validation = 100\nstudent.network = 'fc3'\nmethod.name = 'erm'\n\
             threat.eps = 0.1\ntrain.epochs = 1\ntrain.batch = 10\n",
            path.display()
        )
    };
    fs::write(&config, text(&small)).unwrap();
    let args = ["eval", target, "--data", config.to_str().unwrap(), "--device", "cpu"];
    let said = refused(&mut rematch(&args), &none);
    assert!(said.contains("[1, 28, 28]") && said.contains("[1, 20, 20]") && !said.contains("teacher"), "{said}");
    fs::write(&config, text(data.path())).unwrap();
    let other = eval(&made.run, &["--data", config.to_str().unwrap(), "--steps", "1"]);
    assert_eq!(other["images"], 60);
}

/// The final weights, tensor by tensor, as bytes.
fn weights(checkpoint: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(checkpoint.join("model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<(String, Vec<u8>)> = file.tensors().into_iter().map(|(n, t)| (n, t.data().to_vec())).collect();
    all.sort();
    all
}

#[test]
fn images_from_files_train_and_one_seed_is_one_result() {
    let (plain, packed) = (idx(Packed::No), idx(Packed::Yes));
    let end = |data: &Path, seed: &str| {
        let runs = tempfile::tempdir().unwrap();
        let settings = on_idx(data);
        let mut settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        settings.extend(["train.epochs=1", seed]);
        let ended = train(ERM, runs.path(), &settings, &["--ui", "none", "--name", "r"]).end();
        assert_eq!((ended.code, &*ended.out, &*ended.err), (Some(0), "", ""), "{ended:?}");
        let run = runs.path().join("r");
        let last = last_evaluation(&run);
        assert_eq!(last.images, 60);
        weights(&checkpoint(&run, 10))
    };
    let first = end(plain.path(), "seed=0");
    assert!(first == end(packed.path(), "seed=0"), "the same images and seed gave other weights");
    assert!(first != end(plain.path(), "seed=1"), "the seed changed nothing");
}

#[test]
fn a_residual_network_trains_on_grey_images() {
    let (data, runs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_idx(data.path(), "train", &squares::images(200, 1), Packed::No);
    write_idx(data.path(), "t10k", &squares::images(10, 2), Packed::No);
    let path = format!("data.path={}", data.path().display());
    let settings = [
        "data.source=idx",
        &path,
        "data.validation=100",
        "student.network=resnet18",
        "train.batch=8",
        "train.epochs=1",
        "train.report_hz=10",
        "probe.images=50",
        "probe.per_epoch=0",
        "evaluation.images=0",
    ];
    let mut program = train(ERM, runs.path(), &settings, &["--ui", "json", "--name", "r"]);
    program.until("\"progress\"");
    program.until("\"progress\"");
    program.send(Signal::TERM);
    let ended = program.end();
    assert_eq!((ended.code, &*ended.err), (Some(130), ""), "{ended:?}");
    let run = runs.path().join("r");
    let Event::Started(started) = records(&run).remove(0).event else { panic!("{}", ended.out) };
    assert_eq!((started.student.name.as_str(), started.student.features, started.data.shape), ("resnet18", 512, [1, 28, 28]));
    let totals: Vec<f64> = records(&run)
        .iter()
        .filter_map(|record| if let Event::Progress(p) = &record.event { Some(p.terms[&Term::Total].mean) } else { None })
        .collect();
    assert!(totals.len() >= 2 && totals.iter().all(|total| total.is_finite() && *total > 0.0), "{totals:?}");
    let Some(Event::Finished(finished)) = records(&run).pop().map(|record| record.event) else { panic!("{}", ended.out) };
    assert!(finished.step >= 2);
    checkpoint(&run, finished.step);
}

#[test]
fn a_worker_that_breaks_fails_the_run_and_says_where() {
    let (data, runs) = (idx(Packed::No), tempfile::tempdir().unwrap());
    let settings = on_idx(data.path());
    let mut settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    settings.push("train.epochs=1");
    for ui in ["plain", "json"] {
        let mut command = training(ERM, runs.path(), &settings, &["--ui", ui, "--name", ui]);
        let ended = Program::start(command.env("REMATCH_FAULT", "panic@3")).end();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let Outcome::Failed { message } = outcome(&runs.path().join(ui)) else { panic!("{ended:?}") };
        assert!(message.contains("REMATCH_FAULT=panic@3") && message.contains("worker.rs:"), "{message}");
        let told = if ui == "plain" { &ended.out } else { &ended.err };
        assert!(told.contains(&message), "{ended:?}");
        assert!(ended.out.contains("failed"), "{ended:?}");
    }
}

#[test]
fn a_loss_that_is_not_finite_fails_a_run_that_nobody_watches_and_names_the_step() {
    let (data, runs) = (idx(Packed::No), tempfile::tempdir().unwrap());
    let settings = on_idx(data.path());
    let mut settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    // Weight decay alone multiplies the weights by -99 a step.
    settings.extend(["train.epochs=50", "train.lr=100", "train.weight_decay=1", "train.schedule.name=constant"]);
    let ended = train(ERM, runs.path(), &settings, &["--ui", "plain", "--name", "r"]).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let Outcome::Failed { message } = outcome(&runs.path().join("r")) else { panic!("{ended:?}") };
    assert!(message.contains("became NaN or infinite at step "), "{message}");
    assert!(ended.out.contains(&format!("error: {message}")), "{}", ended.out);
}

#[test]
fn a_config_is_checked_with_its_data_and_teacher_and_nothing_is_written() {
    let (data, home) = (idx(Packed::No), tempfile::tempdir().unwrap());
    let runs = home.path().join("runs");
    let settings = on_idx(data.path());
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let check = |config: &str, more: &[&str]| {
        let mut command = rematch(&["config", config, "--check"]);
        for setting in settings.iter().chain(more) {
            command.args(["-s", setting]);
        }
        command
    };
    let teacher = "configs/quickstart/rrm.toml";
    let fits = Program::start(&mut check(teacher, &["evaluation.images=600"])).end();
    assert_eq!((fits.code, &*fits.err), (Some(0), ""), "{fits:?}");
    for part in
        ["100 training, 100 validation and 60 test images", "teacher ", "fc2", "assets/teacher.safetensors", "10 an epoch"]
    {
        assert!(fits.out.contains(part), "{part} is not in\n{}", fits.out);
    }
    assert!(fits.out.contains("! note       evaluation.images = 600, and there are 60 test images"), "{}", fits.out);
    let dry = train(teacher, &runs, &settings, &["--dry-run"]).end();
    assert!(dry.code == Some(0) && dry.out.ends_with("Everything is there and fits. Nothing was written.\n"), "{dry:?}");
    assert!(!runs.exists());

    let gone = format!("data.path={}", home.path().join("gone").display());
    for (more, said) in [
        (&["teacher.checkpoint=none.safetensors"][..], &["teacher.checkpoint = ", "none.safetensors"][..]),
        // Both at once.
        (&[&gone, "teacher.checkpoint=none.safetensors"], &["gone: there is no such folder", "none.safetensors"]),
        (&["student.feature_width=64"], &["this teacher does not fit", "128 wide"]),
        (&["train.batch=200"], &["train.batch = 200 is larger than the 100 training images; allowed: 1 to 100"]),
        (&["data.validation=101"], &["data.validation = 101 does not fit this data; allowed: at most half of the 200"]),
    ] {
        let told = refused(&mut check(teacher, more), &runs);
        for part in said {
            assert!(told.contains(part), "{part} is not in {told}");
        }
    }
}

#[test]
fn a_split_is_exported_as_arrays_and_as_image_files() {
    let (data, home) = (idx(Packed::No), tempfile::tempdir().unwrap());
    let settings = on_idx(data.path());
    let export = |split: &str, out: &Path| {
        let mut command = rematch(&["data", "export", ERM, "--split", split, "--out", out.to_str().unwrap()]);
        for setting in &settings {
            command.args(["-s", setting]);
        }
        command
    };
    let (arrays, folder) = (home.path().join("validation.npz"), home.path().join("validation"));
    for out in [&arrays, &folder] {
        let ended = Program::start(&mut export("validation", out)).end();
        assert!(ended.code == Some(0) && ended.out.contains("100 validation images of "), "{ended:?}");
    }
    let read = tch::Tensor::read_npz(&arrays).unwrap();
    let shapes: Vec<(&str, Vec<i64>)> = read.iter().map(|(name, tensor)| (name.as_str(), tensor.size())).collect();
    assert_eq!(shapes, [("images", vec![100, 1, 28, 28]), ("labels", vec![100]), ("places", vec![100])]);
    let pixels = Vec::<u8>::try_from(read[0].1.flatten(0, -1)).unwrap();
    let labels = Vec::<i64>::try_from(&read[1].1).unwrap();
    let images = rematch::data::idx::load_folder(data.path(), 100).unwrap();
    let rematch::data::Portion::Resident(held) = &images.validation else { panic!("kept in memory") };
    assert!(pixels == held.pixels && labels.iter().zip(&held.labels).all(|(a, b)| *a == i64::from(*b)));
    let table = fs::read_to_string(folder.join("images.csv")).unwrap();
    for (place, line) in table.lines().skip(1).enumerate() {
        let file = folder.join(line.split('"').nth(1).unwrap());
        assert_eq!(image::open(&file).unwrap().into_luma8().as_raw(), held.image(place), "{line}");
    }
    assert_eq!(table.lines().count(), 101);
    // What is there stays.
    for (out, said) in [(&arrays, "is there already; name another with --out, or say --force"), (&folder, "is there already")] {
        let told = Program::start(&mut export("test", out)).end();
        assert!(told.code == Some(2) && told.err.contains(said), "{told:?}");
    }
}
