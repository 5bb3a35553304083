//! A run recorded, then seen again: the log, the fold, the lines printed of it and its row in the table say the same thing.
//!
//! Uses the crate as a caller does. What one file's own rules are (torn lines, full disks, names) is tested beside it.
#![expect(clippy::unwrap_used, reason = "in a test, what is not there is a failure")]

use proptest::prelude::*;
use rematch::config::*;
use rematch::headless::{self, Style};
use rematch::protocol::command::{SaveOnStop, Stop, StopWhen};
use rematch::protocol::event::*;
use rematch::protocol::{Change, CommandId, Controls, Dial, FORMAT, Scalar, Summary};
use rematch::run::RunState;
use rematch::run::listing::{self, Standing};
use rematch::run::recorder::{Recorder, line};
use rematch::run::replay::{Pace, PaceControl, read_log, replay};
use rematch::run::seek::{Sought, replay_from};
use rematch::run::store::RunFolder;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

const THREAT: Threat = Threat { norm: Norm::Linf, eps: Eps(0.1) };

fn config(method: Method) -> Config {
    Config {
        seed: 1,
        data: Data { source: Source::FashionMnist10k, path: None, validation: 1000, augment: Augment::None, files: None },
        student: Student { network: Network::Fc3, feature_width: None },
        teacher: Some(Teacher::new("/assets/teacher.safetensors".into())),
        method,
        threat: THREAT,
        train: Train {
            epochs: 2,
            batch: 128,
            lr: 0.05,
            momentum: 0.9,
            nesterov: Nesterov::No,
            weight_decay: 5e-4,
            schedule: Schedule::Constant,
            ema: 0.0,
            steps: None,
            report_hz: 10.0,
        },
        probe: Probe { per_epoch: 1, images: 250, steps: 10 },
        watch: Watch::default(),
        insight: Insight::default(),
        alerts: Alerts::default(),
        evaluation: Evaluation { steps: 20, restarts: 1, images: None },
        checkpoint: Checkpoint::default(),
        steering: Steering::default(),
    }
}

fn started(run: &str) -> Event {
    let network = |name: &str| NetworkFacts { name: name.into(), parameters: 1000, features: 128 };
    Event::Started(Box::new(Started {
        format: FORMAT,
        run: run.into(),
        program: "rematch 0.1.0".into(),
        config: config(Method::Rrm(Rrm::cosine(0.005))),
        plan: Plan { epochs: 2, steps_per_epoch: 20, most: None },
        device: "cpu (2 threads)".into(),
        student: network("fc3"),
        teacher: Some(TeacherFacts {
            network: network("fc2"),
            path: "/assets/teacher.safetensors".into(),
            provenance: String::new(),
            sha256: None,
        }),
        data: DataFacts {
            name: "fashion-mnist-10k".into(),
            shape: [1, 28, 28],
            classes: (0..10).map(|c| c.to_string()).collect(),
            train: 9000,
            validation: 1000,
            test: 2000,
            fingerprint: None,
            split: None,
        },
        controls: Controls::of(&config(Method::Rrm(Rrm::cosine(0.005)))),
        dials: vec![Dial::Lambda, Dial::LrScale],
        from_step: 0,
        scheduled: Vec::new(),
        parent: None,
        threads: None,
        resumed: None,
        other_teachers: Vec::new(),
    }))
}

fn progress(step: u64) -> Event {
    // A NaN on the way: it must come back from the log as what it is.
    let loss = if step == 7 { f64::NAN } else { 1.0 / step as f64 };
    let terms = BTreeMap::from([
        (Term::Total, Summary::one(loss)),
        (Term::CrossEntropy, Summary { min: 0.5, mean: 0.625, max: 0.75 }),
        (Term::Representation, Summary::one(-0.8)),
    ]);
    Event::Progress(Progress { step, steps: 1, lr: 0.05, images_per_s: Scalar(1234.5), terms, timing: None })
}

fn evaluated(step: u64, purpose: Purpose, natural: f64, adversarial: f64) -> Event {
    let (split, images, steps) = match purpose {
        Purpose::Probe | Purpose::Watch => (Split::Validation, 250, 10),
        Purpose::Final => (Split::Test, 2000, 20),
    };
    let attack = AttackSpec::pgd(THREAT, steps, 1, 1);
    Event::Evaluated(Evaluated {
        step,
        by: None,
        of: Whose::Student,
        split,
        purpose,
        attack,
        natural,
        adversarial,
        images,
        seconds: 0.5,
    })
}

fn epoch(epoch: u64) -> Event {
    Event::EpochFinished(EpochFinished { epoch, step: 20 * epoch, train_seconds: 2.1, evaluation_seconds: 0.5 })
}

fn finished(outcome: Outcome, step: u64) -> Event {
    Event::Finished(Finished { outcome, step, train_seconds: 4.2, evaluation_seconds: 1.5 })
}

/// Two epochs with a change of lambda in the second; the first probe is the more robust one.
fn story(run: &str) -> Vec<Event> {
    let mut events = vec![Event::Said { source: Voice::Rematch, line: "building".into() }, started(run)];
    events.extend((1..=20).map(progress));
    events.extend([evaluated(20, Purpose::Probe, 0.742, 0.31), epoch(1)]);
    events.push(Event::Controlled {
        step: 20,
        by: Some(CommandId(0)),
        change: Change::Lambda(0.5),
        previous: Change::Lambda(0.005),
        note: Some("a test".into()),
        stair: None,
    });
    events.extend((21..=40).map(progress));
    events.extend([evaluated(40, Purpose::Probe, 0.85, 0.2), epoch(2)]);
    events.push(Event::Warned { step: Some(40), kind: Warning::Other, message: "that was all".into() });
    events.push(Event::Saved(Saved {
        step: 40,
        by: None,
        path: "checkpoints/step-40".into(),
        bytes: 1000,
        ms: 3,
        held_ms: None,
    }));
    events.push(evaluated(40, Purpose::Final, 0.8412, 0.1905));
    events.push(finished(Outcome::Completed, 40));
    events
}

/// Records a run whole and lets go of it. Its clock ticks a tenth of a second for each record.
fn record(runs: &Path, id: &str, events: Vec<Event>) -> RunFolder {
    let folder = RunFolder::create(runs, Some(id), "test", "seed = 1\n").unwrap();
    let recorder = Recorder::create(&folder).unwrap();
    for event in events {
        recorder.record(event).unwrap();
    }
    let path = folder.path().to_path_buf();
    drop((recorder, folder));
    RunFolder::open(runs, &path).unwrap()
}

/// What of a fold can be compared: NaN is itself in this form.
fn essence(state: &RunState) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        state.phase,
        state.controls,
        state.step,
        state.series,
        state.evaluations,
        state.best,
        state.markers,
        state.epochs,
        state.log,
        state.finished
    )
}

fn fold(records: impl Iterator<Item = Arc<Record>>) -> RunState {
    let mut state = RunState::default();
    records.for_each(|record| state.apply(&record));
    state
}

#[test]
fn live_read_and_replayed_are_one_and_the_same() {
    let runs = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(runs.path(), Some("a"), "test", "").unwrap();
    let recorder = Recorder::create(&folder).unwrap();
    let viewer = recorder.subscribe();
    for event in story("a") {
        recorder.record(event).unwrap();
    }
    drop(recorder);
    let live = fold(viewer.iter());
    let read = fold(read_log(&folder.events()).unwrap().map(|record| Arc::new(record.unwrap())));
    let replayed = fold(replay(&folder.events(), &PaceControl::new(Pace::Unbounded)).unwrap().iter());
    assert!(matches!(live.phase, rematch::run::state::Phase::Finished(Outcome::Completed)));
    assert!(essence(&live).contains("NaN"));
    assert_eq!(essence(&live), essence(&read));
    assert_eq!(essence(&live), essence(&replayed));
}

#[test]
fn a_replay_goes_on_from_any_step_as_if_it_had_been_played_to_there() {
    let runs = tempfile::tempdir().unwrap();
    let folder = record(runs.path(), "a", story("a"));
    let path = folder.events();
    let whole = essence(&fold(read_log(&path).unwrap().map(|record| Arc::new(record.unwrap()))));
    for (target, step) in
        [("0", 0), ("7", 7), ("20", 20), ("33", 33), ("40", 40), ("9999", 40), ("0e", 0), ("1e", 20), ("1.5e", 30), ("2e", 40)]
    {
        let pace = PaceControl::new(Pace::Unbounded);
        let Sought { mut state, records } = replay_from(&path, &pace, target.parse().unwrap()).unwrap();
        assert_eq!(pace.label(), "max paused", "at full speed it would be over before anybody could look");
        pace.toggle();
        assert_eq!(state.step, step, "{target}");
        assert!(state.started.is_some() && state.log.iter().any(|line| line.text.contains("trains fc3")), "{target}");
        // What happened between two reports belongs to the step before.
        assert_eq!(state.turns.len(), usize::from(step >= 20), "{target}");
        for (played, record) in (state.next_seq..).zip(records) {
            assert_eq!(record.seq, played, "{target}");
            state.apply(&record);
        }
        assert_eq!(essence(&state), whole, "{target}");
    }
}

#[test]
fn a_replay_that_is_sent_elsewhere_leaves_no_other_player_behind() {
    let runs = tempfile::tempdir().unwrap();
    let folder = record(runs.path(), "a", story("a"));
    let pace = PaceControl::new(Pace::Unbounded);
    pace.toggle();
    let first = replay(&folder.events(), &pace).unwrap();
    let soon = std::time::Duration::from_secs(20);
    assert_eq!(first.recv_timeout(soon).unwrap().seq, 0);
    let Sought { state, records } = replay_from(&folder.events(), &pace, "30".parse().unwrap()).unwrap();
    // Though the replay is paused, the player before it has ended; the new one waits.
    assert!(first.recv_timeout(soon).unwrap_err().is_disconnected());
    assert!(records.is_empty());
    pace.toggle();
    assert_eq!(records.recv_timeout(soon).unwrap().seq, state.next_seq);
}

#[test]
fn a_damaged_log_is_played_up_to_the_damage_and_not_beyond() {
    let runs = tempfile::tempdir().unwrap();
    let folder = record(runs.path(), "a", story("a"));
    let text = std::fs::read_to_string(folder.events()).unwrap();
    std::fs::write(folder.events(), text.replace("\"step\":30,", "\"step\":oops,")).unwrap();
    let from = |target: &str| replay_from(&folder.events(), &PaceControl::new(Pace::Times64), target.parse().unwrap());
    let Sought { state, records } = from("10").unwrap();
    assert_eq!(state.step, 10);
    let last = records.iter().last().unwrap();
    assert!(matches!(&last.event, Event::Warned { message, .. } if message.contains("not a record")), "{last:?}");
    let error = from("35").err().unwrap().to_string();
    assert!(error.contains("not a record"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn rounding_twice_is_rounding_once(min in any::<f64>(), mean in -1e6..1e6f64, max in any::<f64>(), rate in any::<f64>()) {
        let terms = BTreeMap::from([(Term::Total, Summary { min, mean, max })]);
        let event = Event::Progress(Progress { step: 1, steps: 1, lr: mean, images_per_s: Scalar(rate), terms, timing: None });
        let first = line(&Record { seq: 0, at_ms: 0, event }).unwrap();
        let again = line(&serde_json::from_slice(&first).unwrap()).unwrap();
        prop_assert_eq!(String::from_utf8(first), String::from_utf8(again));
    }
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let runs = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(runs.path(), Some("a"), "test", "").unwrap();
    let recorder = Recorder::create(&folder).unwrap();
    let error = recorder.record(evaluated(1, Purpose::Probe, f64::NAN, 0.5)).unwrap_err();
    assert!(error.to_string().contains("not written"), "{error}");
    recorder.record(started("a")).unwrap();
    assert_eq!(read_log(&folder.events()).unwrap().map(Result::unwrap).map(|record| record.seq).collect::<Vec<_>>(), [0]);
}

#[test]
fn json_is_the_log_byte_for_byte() {
    let runs = tempfile::tempdir().unwrap();
    let folder = record(runs.path(), "a", story("a"));
    let records = replay(&folder.events(), &PaceControl::new(Pace::Unbounded)).unwrap();
    let mut out = Vec::new();
    let outcome = headless::follow(&records, Style::Json, &mut out).unwrap().unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), std::fs::read_to_string(folder.events()).unwrap());
    assert_eq!(headless::exit_code(&outcome), 0);
}

fn plain(runs: &Path, events: Vec<Event>) -> (String, Option<Outcome>) {
    let folder = record(runs, "a", events);
    let records = replay(&folder.events(), &PaceControl::new(Pace::Unbounded)).unwrap();
    let mut out = Vec::new();
    let outcome = headless::follow_in(&records, Style::Plain, Path::new("runs/a"), &mut out).unwrap();
    (String::from_utf8(out).unwrap(), outcome)
}

#[test]
fn plain_lines_tell_the_run() {
    let runs = tempfile::tempdir().unwrap();
    let (text, outcome) = plain(runs.path(), story("a"));
    assert_eq!(outcome, Some(Outcome::Completed));
    // The time left hangs on the clock of the recorder.
    let lines: Vec<&str> = text.lines().map(|line| line.split("  ETA").next().unwrap_or_default()).collect();
    assert_eq!(
        lines,
        [
            "rrm trains fc3 from teacher fc2 on fashion-mnist-10k, 9000 images, cpu (2 threads); lambda 0.005, lr_scale 1; runs/a",
            "epoch 1/2  step 20  nat 74.2  pgd-10 31.0  loss 0.050  ce 0.625  rep -0.800  2.1 s",
            "lambda 0.005 -> 0.5 from step 20 (a test)",
            "epoch 2/2  step 40  nat 85.0  pgd-10 20.0  loss 0.025  ce 0.625  rep -0.800  2.1 s",
            "warning at step 40: that was all",
            "student natural 84.1 %, pgd-20 L-inf eps 0.1 19.1 % on 2000 test images",
            "outcome             completed at step 40 of 40",
            "method              rrm",
            "data                fashion-mnist-10k",
            "seed                1",
            "lambda              0.005 -> 0.5",
            "steered             lambda 0.005 -> 0.5 from step 20",
            "natural             84.1 %",
            "adversarial         19.1 % (pgd-20)",
            "attack              pgd",
            "steps               20",
            "step size           0.0125",
            "random start        yes",
            "attack seed         1",
            "restarts            1",
            "norm                L-inf",
            "eps                 0.1",
            "images              2000",
            "split               test, not seen in training",
            "train seconds       4.2",
            "evaluation seconds  1.5",
            "best probe          step 20: natural 74.2 %, pgd-10 L-inf eps 0.1 31.0 % on 250 validation images",
            "checkpoint          runs/a/checkpoints/step-40",
        ]
    );
}

#[test]
fn a_failure_ends_with_its_message_and_its_exit_code() {
    let runs = tempfile::tempdir().unwrap();
    let failed = Outcome::Failed { message: "the teacher is gone".into() };
    let (text, outcome) = plain(runs.path(), vec![started("a"), finished(failed.clone(), 3)]);
    assert!(text.ends_with("error: the teacher is gone\n") && text.contains("failed at step 3 of 40"), "{text}");
    assert_eq!(outcome.as_ref().map(headless::exit_code), Some(1));
    assert_eq!(headless::exit_code(&Outcome::Stopped), 130);
}

#[test]
fn records_that_end_without_an_end_have_no_outcome() {
    let runs = tempfile::tempdir().unwrap();
    let (_, outcome) = plain(runs.path(), vec![started("a"), progress(1)]);
    assert_eq!(outcome, None);
}

/// Takes so many writes, then fails with the given error, and counts how often it was asked.
struct Failing {
    takes: usize,
    with: ErrorKind,
    asked: usize,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.asked += 1;
        if self.asked > self.takes { Err(self.with.into()) } else { Ok(bytes.len()) }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let runs = tempfile::tempdir().unwrap();
    let folder = record(runs.path(), "a", story("a"));
    let follow = |with| {
        let records = replay(&folder.events(), &PaceControl::new(Pace::Unbounded)).unwrap();
        let mut out = Failing { takes: 2, with, asked: 0 };
        let followed = headless::follow(&records, Style::Json, &mut out);
        assert_eq!(out.asked, 3, "after the failure nothing more is written");
        assert!(records.try_recv().is_err(), "the records were followed to the end");
        followed
    };
    assert_eq!(follow(ErrorKind::BrokenPipe).unwrap(), Some(Outcome::Completed));
    assert_eq!(follow(ErrorKind::StorageFull).unwrap_err().kind(), ErrorKind::StorageFull);
}

#[test]
fn the_table_tells_how_each_run_stands() {
    let runs = tempfile::tempdir().unwrap();
    let path = runs.path();
    record(path, "whole", story("whole"));
    record(path, "killed", story("killed").into_iter().take(30).collect());
    let stop = Stop { when: StopWhen::AfterStep, save: SaveOnStop::Discard };
    let stopping = Event::Stopping { step: 1, by: None, stop };
    record(path, "stopped", vec![started("stopped"), progress(1), stopping, finished(Outcome::Stopped, 1)]);
    let failed = Outcome::Failed { message: "out of memory".into() };
    record(path, "failed", vec![started("failed"), finished(failed, 0)]);
    let damaged = record(path, "damaged", story("damaged"));
    std::fs::write(damaged.events(), "not a log\n").unwrap();
    std::fs::create_dir(path.join("other")).unwrap();
    std::fs::write(path.join("notes.txt"), "").unwrap();
    let busy = RunFolder::create(path, Some("busy"), "test", "").unwrap();
    let recorder = Recorder::create(&busy).unwrap();
    recorder.record(started("busy")).unwrap();
    // The recorder alone holds the lock as well as the folder does.
    drop(busy);

    let rows = listing::summaries(path).unwrap();
    let runs: BTreeMap<&str, &listing::RunSummary> = rows.iter().flatten().map(|run| (run.id.as_str(), run)).collect();
    let standings: Vec<(&str, Standing)> = runs.iter().map(|(id, run)| (*id, run.state)).collect();
    assert_eq!(
        standings,
        [
            ("busy", Standing::Running),
            ("failed", Standing::Failed),
            ("killed", Standing::Interrupted),
            ("stopped", Standing::Stopped),
            ("whole", Standing::Completed),
        ]
    );
    let whole = runs["whole"];
    assert_eq!((whole.lambda, whole.lambda_now, whole.epochs_done, whole.epochs_planned), (Some(0.005), Some(0.5), 2, 2));
    let numbers = |a: &Option<listing::Accuracies>| a.as_ref().map(|a| (a.natural_accuracy, a.adversarial_accuracy));
    assert_eq!(numbers(&whole.best), Some((0.742, 0.31)));
    assert_eq!(numbers(&whole.last), Some((0.85, 0.2)));
    assert_eq!(numbers(&whole.test), Some((0.8412, 0.1905)));
    assert_eq!(runs["failed"].message.as_deref(), Some("out of memory"));
    assert_eq!(runs["killed"].train_seconds, 2.1, "of the epochs that ended");
    let bad: Vec<&str> = rows.iter().filter_map(|row| row.as_ref().err()).map(|bad| bad.id.as_str()).collect();
    assert_eq!(bad, ["damaged", "other"]);

    for line in listing::json_lines(&rows).unwrap().lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(object["id"].is_string(), "{line}");
    }
}

#[test]
fn the_table_fits_its_width_and_gives_reasons() {
    let runs = tempfile::tempdir().unwrap();
    record(runs.path(), "whole", story("whole"));
    std::fs::create_dir(runs.path().join("other")).unwrap();
    let rows = listing::summaries(runs.path()).unwrap();
    let wide = listing::table(&rows, 400);
    assert!(
        wide.lines()
            .nth(1)
            .unwrap()
            .contains("linf 0.1  74.2/31.0 pgd-10 n=250  85.0/20.0 pgd-10 n=250  84.1/19.1 pgd-20 n=2000  0:04"),
        "{wide}"
    );
    for width in [40, 60, 80, 120] {
        let table = listing::table(&rows, width);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[..2].iter().all(|line| line.chars().count() <= width), "{width}:\n{table}");
        assert!(lines[0].contains("test nat/adv") && lines[1].contains("84.1/19.1"), "{table}");
        assert!(lines[2].starts_with("other: ") && lines[2].contains("is not a run"), "{table}");
    }
    assert_eq!(listing::table(&[], 80), "");
    let hostile = Err(listing::Unreadable { id: "\x1b[2Jx".into(), reason: "none".into() });
    assert_eq!(listing::table(&[hostile], 80), "?[2Jx: none\n");
}
