//! A run that outlives its terminal, its process and its plan: detached, attached to, resumed, branched off, repeated, scheduled.
//!
//! The program as a person runs it; that the weights are the same to the last bit is for `tests/training` and `tests/faults`.
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "headless/program.rs"]
mod program;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "pty/session.rs"]
mod session;

use program::{Ended, Program, rematch};
use rematch::protocol::{Change, Event, Outcome};
use rematch::run::checkpoints::{self, Reason};
use rematch::run::replay::read_log;
use rustix::process::{Pid, Signal, kill_process};
use session::{Session, text};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(2);
/// Small probes and no final evaluation, so that steps are what time goes into.
const QUICK: [&str; 5] = ["probe.per_epoch=1", "probe.images=50", "probe.steps=2", "evaluation.images=0", "insight.every=0"];
const LONG: &str = "train.epochs=1000";

fn train_args<'a>(runs: &'a TempDir, name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["train", "configs/quickstart.toml", "--device", "cpu", "--threads", "1", "--name", name];
    args.extend(["--runs", runs.path().to_str().unwrap()]);
    args.extend(QUICK.iter().flat_map(|set| ["-s", set]));
    args.extend(more);
    args
}

fn end(args: &[&str]) -> Ended {
    Program::start(&mut rematch(args)).end()
}

/// Runs to its end; what it says is returned with its exit code checked.
fn says(code: i32, args: &[&str]) -> String {
    let ended = end(args);
    assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
    ended.out + &ended.err
}

fn on(runs: &TempDir) -> [&str; 2] {
    ["--runs", runs.path().to_str().unwrap()]
}

fn screen(args: &[&str]) -> Session {
    let env = [("GOMP_SPINCOUNT", "0"), ("LANG", "C.UTF-8")];
    Session::start(Path::new(env!("CARGO_BIN_EXE_rematch-torch")), args, &env, (100, 30))
}

fn attach<'a>(runs: &'a TempDir, more: &[&'a str]) -> Session {
    let mut args = vec!["attach", "r"];
    args.extend(on(runs));
    args.extend(more);
    screen(&args)
}

struct Log(PathBuf);

impl Log {
    fn of(runs: &TempDir, name: &str) -> Self {
        Self(runs.path().join(name))
    }

    /// The first event that is this, as soon as the log holds it.
    fn until<T>(&self, what: &str, is: impl Fn(&Event) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let records = read_log(&self.0.join("events.jsonl")).into_iter().flatten().map_while(Result::ok);
            if let Some(found) = records.into_iter().find_map(|record| is(&record.event)) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} is not in the log of {}", self.0.display());
            std::thread::sleep(Duration::from_millis(20)); // a file wakes nobody; the deadline decides
        }
    }

    fn outcome(&self) -> Outcome {
        self.until("the end", |event| if let Event::Finished(f) = event { Some(f.outcome.clone()) } else { None })
    }

    fn lambda(&self, value: f64) -> u64 {
        self.until("the change", |event| match event {
            Event::Controlled { step, change: Change::Lambda(to), .. } if *to == value => Some(*step),
            _ => None,
        })
    }

    /// Tells the process that trains to save and stop.
    fn stop(&self) {
        let pid: i32 = fs::read_to_string(self.0.join("lock")).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
        assert_eq!(self.outcome(), Outcome::Stopped);
    }
}

/// Every file of a folder with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                all.push((path.clone(), fs::read(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn a_detached_run_is_listed_attached_to_steered_by_one_and_left() {
    let runs = tempfile::tempdir().unwrap();
    let said = says(0, &train_args(&runs, "r", &["-s", LONG, "--detach"]));
    assert!(said.contains("training goes on as process") && said.contains("rematch attach"), "{said}");
    let log = Log::of(&runs, "r");
    let listed: serde_json::Value = serde_json::from_str(&says(0, &["ps", runs.path().to_str().unwrap(), "--json"])).unwrap();
    assert_eq!((&listed["summary"]["id"], &listed["steps"]), (&"r".into(), &71_000.into()), "{listed}");
    assert_eq!(listed["pid"].as_u64().unwrap().to_string(), fs::read_to_string(log.0.join("lock")).unwrap().trim());
    // A run that trains is nobody else's to go on with.
    let mut resume = vec!["resume", "r"];
    resume.extend(on(&runs));
    assert!(says(2, &resume).contains("in use by process"));

    let mut first = attach(&runs, &[]);
    first.says("RUNNING");
    first.assert_taken_over();
    first.type_in(b"e");
    first.says("Set λ");
    first.type_in(b"0.25\r");
    first.says("0.005 → 0.25 @ step".replace('→', "->").as_str());
    log.lambda(0.25);
    let mut second = attach(&runs, &[]);
    second.says("RUNNING");
    second.type_in(b"e");
    second.says("another screen steers");
    second.type_in(b":");
    second.says("unset");
    second.type_in(b"take");
    second.says("take");
    second.type_in(b"\r");
    second.says("this screen steers now");
    first.says("steers now; :take");
    second.type_in(b"d");
    second.says("Detach?");
    second.type_in(b"\r");
    assert_eq!(second.exit_code(), 0);
    second.assert_given_back();
    // What was taken comes back.
    first.says("this screen steers now");
    first.hang_up(b"");
    first.exit_code();
    log.stop();
    let mut gone = vec!["attach", "r"];
    gone.extend(on(&runs));
    let mut late = screen(&gone);
    late.says("nothing trains there now");
    assert_eq!(late.exit_code(), 2);
}

/// The command that a message advises, run by a shell as if it had been pasted, with options that this test needs besides.
fn paste(message: &str, verb: &str, more: &str) -> (String, Ended) {
    let begin = message.find(&format!("rematch {verb} ")).unwrap_or_else(|| panic!("no rematch {verb} in {message}"));
    let rest = &message[begin..];
    let command = &rest[..rest.find([';', '(', '\n']).unwrap_or(rest.len())];
    let bin = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rematch-torch"), bin.path().join("rematch")).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let mut shell = std::process::Command::new("/bin/sh");
    shell.arg("-c").arg(format!("{command} {more}")).env("PATH", path).env("GOMP_SPINCOUNT", "0");
    (command.trim().to_string(), Program::start(&mut shell).end())
}

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Trains until an epoch has ended, and is stopped or killed there.
fn interrupted(args: &[&str], by: Signal) {
    let mut run = Program::start(&mut rematch(args));
    run.until("  ETA ");
    run.send(by);
    run.end();
}

#[test]
fn a_moved_project_goes_on_and_a_moved_teacher_is_told_its_new_place() {
    let home = tempfile::tempdir().unwrap();
    let (old, new) = (home.path().join("old"), home.path().join("it's new"));
    fs::create_dir(&old).unwrap();
    let config = fs::read_to_string("configs/quickstart.toml").unwrap();
    let line = config.lines().find(|line| line.starts_with("checkpoint")).unwrap();
    let teacher = line.split('"').nth(1).unwrap();
    fs::copy(Path::new("configs").join(teacher), old.join("t.safetensors")).unwrap();
    fs::write(old.join("c.toml"), config.replace(teacher, "t.safetensors")).unwrap();
    let (file, runs) = (old.join("c.toml"), old.join("runs"));
    let mut args = vec!["train", file.to_str().unwrap(), "--runs", runs.to_str().unwrap(), "--name", "r"];
    args.extend(["--device", "cpu", "--threads", "1", "--ui", "plain", "-s", "train.epochs=9"]);
    args.extend(QUICK.iter().flat_map(|set| ["-s", set]));
    interrupted(&args, Signal::TERM);
    fs::rename(&old, &new).unwrap();
    let run = new.join("runs/r");
    let own = || fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(own().contains("checkpoint = \"../../t.safetensors\""), "{}", own());
    let resume = |more: &[&str]| {
        let mut args = vec!["resume", run.to_str().unwrap(), "--ui", "plain"];
        args.extend(more);
        args.into_iter().map(String::from).collect::<Vec<_>>()
    };
    interrupted(&words(&resume(&[])), Signal::TERM);

    let (away, other) = (home.path().join("a teacher.safetensors"), home.path().join("other.safetensors"));
    fs::rename(new.join("t.safetensors"), &away).unwrap();
    let mut bytes = fs::read(&away).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&other, bytes).unwrap();
    let missing = says(2, &words(&resume(&[])));
    for part in ["t.safetensors: there is no such file", "-s teacher.checkpoint=NEW_FILE", "SHA-256", "it'\\''s new/runs"] {
        assert!(missing.contains(part), "{part}: {missing}");
    }
    let refused = says(2, &words(&resume(&["-s", &format!("teacher.checkpoint={}", other.display())])));
    assert!(refused.contains("is not what the run was trained with") && refused.contains("rematch fork r -s "), "{refused}");
    let sums = refused.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 64).count();
    assert_eq!(sums, 2, "{refused}");
    let refused = says(2, &words(&resume(&["-s", "train.lr=0.01"])));
    assert!(refused.contains("only data.path, data.validation_path, teacher.checkpoint, teacher.also"), "{refused}");
    let begun = contents(&run);
    let (command, ended) = paste(&refused, "fork", "-s train.lr=0.02 -s train.lr=-1 --ui none");
    assert!(command.starts_with("rematch fork r -s train.lr=0.01 --runs '"), "{command}");
    assert!(ended.err.contains("-s train.lr=-1: train.lr = -1 is out of range"), "{ended:?}");
    assert!(contents(&run) == begun, "nothing that was refused has changed the run");
    // As it was pasted, with the place put in.
    let placed = missing.replace("NEW_FILE", &format!("'{}'", away.display()));
    let (_, ended) = paste(&placed, "resume", "--ui plain");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("resumed at step") && ended.out.contains("completed at step 639"), "{ended:?}");
    assert!(own().contains(&format!("checkpoint = \"{}\"", away.display())), "{}", own());
}

#[test]
fn a_job_that_is_started_again_goes_on_with_its_run() {
    let runs = tempfile::tempdir().unwrap();
    let job = train_args(&runs, "r", &["-s", "train.epochs=6", "--ui", "plain"]);
    let again = |more: &[&'static str]| [&job[..], &["--resume-if-exists"], more].concat();
    interrupted(&job, Signal::KILL);
    let refused = says(2, &job);
    assert!(refused.contains("already holds a run, at step") && refused.contains("--resume-if-exists"), "{refused}");
    let (command, ended) = paste(&refused, "resume", "--until-nothing");
    assert_eq!(command, format!("rematch resume r --runs {}", runs.path().display()));
    assert!(ended.err.contains("unexpected argument '--until-nothing'"), "all else is understood: {ended:?}");
    let other = says(2, &again(&["-s", "train.lr=0.3"]));
    assert!(other.contains("is a run of another config: train.lr is 0.1 there and 0.3 here"), "{other}");
    let done = says(0, &again(&[]));
    for part in ["going on with it", "resumed at step", "outcome             completed at step 426 of 426"] {
        assert!(done.contains(part), "{part}: {done}");
    }
    let before = contents(&Log::of(&runs, "r").0);
    assert!(says(0, &again(&[])).contains("nothing is left to train"));
    let by_setting = Program::start(rematch(&job).env("REMATCH_UI_RESUME_IF_EXISTS", "true")).end();
    assert_eq!(by_setting.code, Some(0), "{by_setting:?}");
    assert!(says(2, &job).contains("which has completed; choose another name, such as --name r-2"));
    assert!(contents(&Log::of(&runs, "r").0) == before);
    // Killed before its first record.
    let empty = Log::of(&runs, "e");
    fs::create_dir(&empty.0).unwrap();
    for file in ["events.jsonl", "config.toml", "lock"] {
        fs::write(empty.0.join(file), "").unwrap();
    }
    let job = train_args(&runs, "e", &["-s", "train.epochs=1", "--ui", "plain"]);
    assert!(says(2, &job).contains("killed before it recorded anything; --resume-if-exists begins it anew"));
    assert!(says(0, &[&job[..], &["--resume-if-exists"]].concat()).contains("completed at step 71"));
}

#[test]
fn an_attached_screen_is_found_anywhere_and_left_without_stopping_the_run() {
    let (runs, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let runtime = ("XDG_RUNTIME_DIR", elsewhere.path().to_str().unwrap());
    let name = format!("r{}", std::process::id());
    let job = train_args(&runs, &name, &["-s", LONG, "--detach"]);
    let begun = Program::start(rematch(&job).env(runtime.0, runtime.1)).end();
    assert_eq!(begun.code, Some(0), "{begun:?}");
    let log = Log::of(&runs, &name);
    let again = says(2, &[&train_args(&runs, &name, &["-s", LONG])[..], &["--resume-if-exists"]].concat());
    assert!(again.contains("trains now, as process") && again.contains(&format!("rematch attach {name} --runs")), "{again}");
    // From a folder that has nothing to do with it.
    let ps = Program::start(rematch(&["ps"]).env(runtime.0, runtime.1).current_dir(elsewhere.path())).end();
    assert!(ps.out.contains(log.0.to_str().unwrap()), "{ps:?}");
    assert!(
        ps.out.contains("looked in runs, and for runs of this user in any folder in ") && ps.out.contains(runtime.1),
        "{ps:?}"
    );
    assert!(says(0, &["ps", elsewhere.path().to_str().unwrap()]).contains("nothing trains now\nlooked in "));

    let env = [("GOMP_SPINCOUNT", "0"), ("LANG", "C.UTF-8"), runtime];
    let attach = |more: &[&str]| {
        let args = [&["attach", name.as_str()], more].concat();
        Session::start(Path::new(env!("CARGO_BIN_EXE_rematch-torch")), &args, &env, (100, 30))
    };
    let mut first = attach(&[]);
    first.says("RUNNING");
    let mut looking = attach(&["--read-only"]);
    looking.says("RUNNING");
    looking.type_in(b":take\r");
    looking.says("only looks (--read-only)");
    looking.type_in(b"\x1b");
    looking.until("no command line", |seen| !text(seen).contains("only looks"));
    first.type_in(b"\x03");
    assert_eq!(first.exit_code(), 0);
    first.assert_given_back();
    first.says("training goes on; come back with: rematch attach");
    // Nobody steers now, and the screen that only looks does not come to.
    looking.type_in(b" ");
    looking.says("attach without that to steer");
    let mut second = attach(&[]);
    second.says("RUNNING");
    second.type_in(b" ");
    second.says("PAUSED");
    second.type_in(b"q");
    second.says("leave this screen: the run stays paused");
    second.type_in(b"q");
    assert_eq!(second.exit_code(), 0);
    second.says("is paused and stays paused; come back and go on (space) with: rematch attach");
    looking.says("PAUSED");
    looking.type_in(b"q");
    assert_eq!(looking.exit_code(), 0);
    let mut third = attach(&[]);
    third.says("PAUSED");
    third.type_in(b":stop\r");
    third.says("stop after this step and save");
    third.type_in(b"\r");
    assert_eq!((log.outcome(), third.exit_code()), (Outcome::Stopped, 0));
    let ps = Program::start(rematch(&["ps"]).env(runtime.0, runtime.1).current_dir(elsewhere.path())).end();
    assert!(!ps.out.contains(log.0.to_str().unwrap()), "{ps:?}");
}

#[test]
fn a_screen_is_left_and_the_shell_has_its_prompt_while_training_goes_on() {
    let runs = tempfile::tempdir().unwrap();
    let mut run = screen(&train_args(&runs, "r", &["-s", LONG]));
    run.says("RUNNING");
    run.type_in(b"d");
    run.says("Detach?");
    run.type_in(b"\r");
    assert_eq!(run.exit_code(), 0);
    run.assert_given_back();
    run.says("rematch attach");
    let log = Log::of(&runs, "r");
    let step = log.until("a step", |event| if let Event::Progress(p) = event { Some(p.step) } else { None });
    log.until("more steps", |event| matches!(event, Event::Progress(p) if p.step > step + 100).then_some(()));
    log.stop();
    // What would have been printed is kept.
    assert!(log.0.join("console.log").exists());
}

#[test]
fn whoever_looks_on_when_the_process_dies_is_told_and_told_what_to_do() {
    let runs = tempfile::tempdir().unwrap();
    says(0, &train_args(&runs, "r", &["-s", LONG, "--detach"]));
    let log = Log::of(&runs, "r");
    let mut looking = attach(&runs, &[]);
    looking.says("RUNNING");
    let pid: i32 = fs::read_to_string(log.0.join("lock")).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    looking.says("is gone");
    looking.type_in(b"q");
    assert_eq!(looking.exit_code(), 1);
    looking.assert_given_back();
    looking.says("rematch resume");
    let mut nowhere = vec!["attach", "r"];
    nowhere.extend(on(&runs));
    assert!(says(2, &nowhere).contains("there is no terminal to draw on"));
}

#[test]
fn going_back_on_the_screen_begins_a_run_from_the_checkpoint_and_keeps_the_other() {
    let runs = tempfile::tempdir().unwrap();
    let mut run = screen(&train_args(&runs, "r", &["-s", LONG, "-s", "checkpoint.keep_last=3"]));
    let log = Log::of(&runs, "r");
    log.until("two checkpoints", |event| matches!(event, Event::Saved(saved) if saved.step == 142).then_some(()));
    run.type_in(b"c");
    run.says("w go back to it");
    run.says("periodic");
    run.type_in(b"w");
    run.says("from step");
    // Text that comes at once waits for an Enter of its own.
    run.type_in(b"method.lamda=1");
    run.says("method.lamda=1");
    run.type_in(b"\r");
    run.says("did you mean method.lambda?");
    run.type_in(b"\x15"); // Ctrl-U
    run.type_in(b"method.lambda=0.5");
    run.says("method.lambda=0.5");
    run.type_in(b"\r");
    let child = Log::of(&runs, "r.2");
    let (parent, lambda, step) = child.until("its beginning", |event| match event {
        Event::Started(started) => Some((started.parent.clone(), started.controls.lambda, started.from_step)),
        _ => None,
    });
    let parent = parent.unwrap();
    assert_eq!((parent.run.as_str(), parent.step, lambda), ("r", step, 0.5));
    assert_eq!(log.outcome(), Outcome::Stopped);
    run.until("the new run's screen", |seen| text(seen).contains("r.2") && text(seen).contains("RUNNING"));
    run.type_in(b"q");
    run.says("Leave?");
    run.type_in(b"\r");
    assert_eq!(run.exit_code(), 130);
    run.assert_given_back();
    let before = contents(&log.0);
    // From a shell, with the parent's best.
    let mut fork =
        vec!["fork", "r", "--at", "best", "-s", "train.epochs=4", "-s", "train.lr=0.01", "--name", "cool", "--ui", "plain"];
    fork.extend(on(&runs));
    let said = says(0, &fork);
    assert!(said.contains("branched off r at step"), "{said}");
    let first = checkpoints::list(&runs.path().join("cool/checkpoints")).remove(0);
    assert_eq!(first.state.reason, Reason::Branched);
    assert!(contents(&log.0) == before, "the parent was changed");
    let listed = says(0, &["runs", runs.path().to_str().unwrap(), "--json"]);
    let parents: Vec<_> = listed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|run| (run["id"].as_str().unwrap().to_string(), run["parent"]["run"].as_str().map(String::from)))
        .collect();
    for (id, parent) in [("cool", Some("r")), ("r", None), ("r.2", Some("r"))] {
        assert!(parents.contains(&(id.into(), parent.map(String::from))), "{parents:?}");
    }
    for (at, why) in [("7", "no checkpoint at step 7; there is one at step"), ("soon", "'soon' is no step")] {
        let mut fork = vec!["fork", "r", "--at", at];
        fork.extend(on(&runs));
        assert!(says(2, &fork).contains(why));
    }
}

#[test]
fn what_a_hand_did_is_repeated_bit_for_bit_and_written_as_a_plan() {
    let runs = tempfile::tempdir().unwrap();
    let mut run = screen(&train_args(&runs, "r", &["-s", "train.epochs=5"]));
    run.says("RUNNING");
    let log = Log::of(&runs, "r");
    log.until("a few steps", |event| matches!(event, Event::Progress(_)).then_some(()));
    run.type_in(b"e");
    run.says("Set λ");
    run.type_in(b"0.125\r");
    let turned = log.lambda(0.125);
    assert_eq!(log.outcome(), Outcome::Completed);
    run.type_in(b"q");
    run.exit_code();
    let mut repeat = vec!["repeat", "r"];
    repeat.extend(on(&runs));
    let said = says(0, &repeat);
    assert!(said.contains("the same to the last bit") && said.contains("355"), "{said}");
    assert_eq!(Log::of(&runs, "r.repeat").lambda(0.125), turned);
    // One bit of a weight is enough to be told.
    let model = runs.path().join("r/checkpoints/step-00000355/optimizer.safetensors");
    let mut bytes = fs::read(&model).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&model, &bytes).unwrap();
    let mut fork = vec!["fork", "r", "--at", "355", "-s", "train.epochs=9"];
    fork.extend(on(&runs));
    assert!(says(2, &fork).contains("its checksum is not the one it was written with"));

    let plan = runs.path().join("plan.toml");
    let mut schedule = vec!["schedule", "r", "--out", plan.to_str().unwrap()];
    schedule.extend(on(&runs));
    assert!(says(0, &schedule).contains("1 change"));
    assert!(says(2, &schedule).contains("is there already"));
    let text = fs::read_to_string(&plan).unwrap();
    assert!(text.contains(&format!("\"lambda 0.125 at {turned}\"")), "{text}");
    assert!(says(0, &["config", plan.to_str().unwrap()]).contains("[steering]"));
}

#[test]
fn a_stopped_run_goes_on_and_a_completed_one_says_what_to_do() {
    let runs = tempfile::tempdir().unwrap();
    let mut run = Program::start(&mut rematch(&train_args(&runs, "r", &["-s", "train.epochs=6", "--ui", "plain"])));
    run.until("epoch 1/6");
    run.send(Signal::TERM);
    assert_eq!(run.end().code, Some(130));
    // A kill in the middle of the last line, and of a checkpoint.
    let log = runs.path().join("r/events.jsonl");
    let mut text = fs::read(&log).unwrap();
    text.extend(b"{\"seq\":99999,\"at_ms\":17");
    fs::write(&log, text).unwrap();
    fs::create_dir(runs.path().join("r/checkpoints/.step-00000099.partial")).unwrap();
    let mut resume = vec!["resume", "r", "--ui", "plain"];
    resume.extend(on(&runs));
    let said = says(0, &resume);
    for part in [
        "resumed at step",
        "nothing was lost",
        "the last line of the log was torn",
        "outcome             completed at step 426 of 426",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("epoch 1/6"), "what was told is not told again: {said}");
    assert!(!runs.path().join("r/checkpoints/.step-00000099.partial").exists());
    assert_eq!(read_log(&log).unwrap().filter(Result::is_err).count(), 0);
    let said = says(2, &resume);
    assert!(said.contains("has completed; to train on from where it ended: rematch fork r -s train.epochs=12"), "{said}");
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_so_is_a_damaged_part_of_the_log() {
    let runs = tempfile::tempdir().unwrap();
    let mut run = Program::start(&mut rematch(&train_args(&runs, "r", &["-s", "train.epochs=5", "--ui", "plain"])));
    run.until("epoch 3/5");
    run.send(Signal::TERM);
    run.end();
    let found = checkpoints::list(&runs.path().join("r/checkpoints"));
    let [.., before, newest] = found.as_slice() else { panic!("{found:?}") };
    let model = newest.path.join("model.safetensors");
    let mut bytes = fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&model, bytes).unwrap();
    let log = runs.path().join("r/events.jsonl");
    let mut lines: Vec<String> = fs::read_to_string(&log).unwrap().lines().map(String::from).collect();
    let at = lines.len() - 3;
    lines[at].replace_range(5..9, "????");
    fs::write(&log, lines.join("\n") + "\n").unwrap();
    let mut resume = vec!["resume", "r", "--ui", "plain"];
    resume.extend(on(&runs));
    let said = says(0, &resume);
    let from = format!("resumed at step {}", before.state.step);
    for part in
        [from.as_str(), "a checkpoint was passed over", "its checksum is not", "the log is damaged", "events.damaged-1.jsonl"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(runs.path().join("r/events.damaged-1.jsonl").exists());
    assert_eq!(read_log(&log).unwrap().filter(Result::is_err).count(), 0);
}
