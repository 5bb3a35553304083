//! Runs made up on disk and put beside each other: where each number comes from, which numbers share a column, what is said of the
//! rest, and how the four formats write it.
#![expect(clippy::unwrap_used, reason = "in a test, what is not there is a failure")]

use rematch::config::{self, *};
use rematch::protocol::event::*;
use rematch::protocol::report::{AttackReport, Doubt, FORMAT as REPORT_FORMAT, Report, Suspicion};
use rematch::protocol::{Change, CommandId, Controls, Dial, FORMAT};
use rematch::run::comparison::{Comparison, Group, Row, Source, Teachers, Time, compare};
use rematch::run::recorder::Recorder;
use rematch::run::store::RunFolder;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const THREAT: Threat = Threat { norm: Norm::Linf, eps: Eps(0.1) };
/// What every made-up run ends with.
const LAST: u64 = 40;

/// A run that is to be made up.
struct Made {
    id: &'static str,
    method: Method,
    teacher: Option<PathBuf>,
    threat: Threat,
    data: &'static str,
    validation: u64,
    train_seconds: f64,
    steered: bool,
    last_final: Option<(f64, f64)>,
    ends: bool,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            id: "a",
            method: Method::Erm,
            teacher: None,
            threat: THREAT,
            data: "squares",
            validation: 1000,
            train_seconds: 10.0,
            steered: false,
            last_final: Some((0.9, 0.5)),
            ends: true,
        }
    }
}

impl Made {
    fn write(self, runs: &Path) -> PathBuf {
        let config = Config {
            seed: 1,
            data: Data { source: config::Source::Idx, path: None, validation: 1000, augment: Augment::None, files: None },
            student: Student { network: Network::Fc3, feature_width: None },
            teacher: self.teacher.as_ref().map(|path| Teacher::new(path.display().to_string())),
            method: self.method,
            threat: self.threat,
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
        };
        let network = |name: &str| NetworkFacts { name: name.into(), parameters: 1000, features: 128 };
        let mut events = vec![Event::Started(Box::new(Started {
            format: FORMAT,
            run: self.id.into(),
            program: "rematch 0.1.0".into(),
            controls: Controls::of(&config),
            config,
            plan: Plan { epochs: 2, steps_per_epoch: 20, most: None },
            device: "cpu (2 threads)".into(),
            student: network("fc3"),
            teacher: self.teacher.as_ref().map(|path| TeacherFacts {
                network: network("fc2"),
                path: path.display().to_string(),
                provenance: String::new(),
                sha256: None,
            }),
            data: DataFacts {
                name: self.data.into(),
                shape: [1, 28, 28],
                classes: (0..10).map(|c| c.to_string()).collect(),
                train: 10_000 - self.validation,
                validation: self.validation,
                test: 2000,
                fingerprint: None,
                split: None,
            },
            dials: vec![Dial::Lambda, Dial::LrScale],
            from_step: 0,
            scheduled: Vec::new(),
            parent: None,
            threads: None,
            resumed: None,
            other_teachers: Vec::new(),
        }))];
        let evaluated = |step, purpose, (natural, adversarial)| {
            let probe = purpose == Purpose::Probe;
            Event::Evaluated(Evaluated {
                step,
                by: None,
                of: Whose::Student,
                split: if probe { Split::Validation } else { Split::Test },
                purpose,
                attack: AttackSpec::pgd(self.threat, if probe { 10 } else { 20 }, 1, 0),
                natural,
                adversarial,
                images: if probe { 250 } else { 2000 },
                seconds: 0.5,
            })
        };
        // Better than everything else there is: a probe's number must turn up nowhere.
        events.push(evaluated(20, Purpose::Probe, (0.999, 0.998)));
        let half = self.train_seconds / 2.0;
        let epoch = |epoch| EpochFinished { epoch, step: 20 * epoch, train_seconds: half, evaluation_seconds: 0.75 };
        events.push(Event::EpochFinished(epoch(1)));
        if self.steered {
            for (step, previous, next) in [(20, 0.005, 0.5), (30, 0.5, 0.005)] {
                let (change, previous) = (Change::Lambda(next), Change::Lambda(previous));
                events.push(Event::Controlled { step, by: Some(CommandId(0)), change, previous, note: None, stair: None });
            }
        }
        if self.ends {
            events.push(Event::EpochFinished(epoch(2)));
            events.extend(self.last_final.map(|shares| evaluated(LAST, Purpose::Final, shares)));
            let (train_seconds, outcome) = (self.train_seconds, Outcome::Completed);
            events.push(Event::Finished(Finished { outcome, step: LAST, train_seconds, evaluation_seconds: 1.5 }));
        }
        let folder = RunFolder::create(runs, Some(self.id), "test", "seed = 1\n").unwrap();
        let recorder = Recorder::create(&folder).unwrap();
        for event in events {
            recorder.record(event).unwrap();
        }
        folder.path().to_path_buf()
    }
}

fn rrm() -> Method {
    Method::Rrm(Rrm::cosine(0.005))
}

fn pgd(steps: u32, seed: u64) -> Ensemble {
    let spec = AttackSpec::pgd(THREAT, steps, 1, seed);
    Ensemble { name: spec.short(), members: vec![spec] }
}

fn autoattack() -> Ensemble {
    Ensemble::suite(Suite::AutoAttack, THREAT, 10, 0).0
}

fn doubt() -> Doubt {
    let (saw, suggests) = ("37 % of all gradients are 0", "look at the loss");
    Doubt { suspicion: Suspicion::ZeroGradients, saw: saw.into(), suggests: suggests.into() }
}

/// `report.json` of an evaluation on all 2000 test images, as `rematch eval` writes it.
fn report(run: &Path, step: u64, attacks: &[(Ensemble, f64)]) -> Value {
    let attack = |(ensemble, adversarial): &(Ensemble, f64)| AttackReport {
        ensemble: ensemble.clone(),
        adversarial: *adversarial,
        stages: Vec::new(),
        largest: 0.1,
        seconds: 1.0,
    };
    let report = Report {
        format: REPORT_FORMAT,
        of: Whose::Student,
        split: Split::Test,
        images: 2000,
        natural: 0.9,
        attacks: attacks.iter().map(attack).collect(),
        worst_case: 0.1,
        classes: Vec::new(),
        confusion: Vec::new(),
        curve: None,
        doubts: Vec::new(),
        looked_for: vec![Suspicion::ZeroGradients],
        seconds: 2.0,
    };
    let model = run.join(format!("checkpoints/step-{step:08}/model.safetensors"));
    json!({
        "settings": {
            "model": model.display().to_string(),
            "model_sha256": format!("{step:064}"),
            "data": "squares",
            "seen_in_training": false,
            "device": "cpu",
        },
        "report": report,
    })
}

/// Names of evaluations begin with their time.
fn evaluation(run: &Path, id: &str, report: &Value) {
    let folder = run.join("evaluations").join(id);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("settings.json"), report["settings"].to_string()).unwrap();
    fs::write(folder.join("report.json"), report.to_string()).unwrap();
}

fn beside(runs: &Path, names: &[&str]) -> Comparison {
    let names: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
    compare(runs, &names, Teachers::Omit).unwrap()
}

/// The one table there must be.
fn table(runs: &Path, names: &[&str]) -> Group {
    let mut groups = beside(runs, names).groups;
    assert_eq!(groups.len(), 1);
    groups.remove(0)
}

fn numbers(row: &Row) -> Vec<Option<f64>> {
    row.cells.iter().map(|cell| cell.as_ref().map(|cell| cell.adversarial)).collect()
}

fn says(row: &Row, what: &str) -> bool {
    row.remarks.iter().any(|remark| remark.contains(what))
}

#[test]
fn numbers_come_from_evaluations_and_the_end_never_from_probes() {
    let runs = tempfile::tempdir().unwrap();
    let a = Made::default().write(runs.path());
    Made { id: "b", last_final: None, ..Made::default() }.write(runs.path());
    evaluation(&a, "1", &report(&a, LAST, &[(pgd(50, 0), 0.4), (autoattack(), 0.3)]));
    let table = table(runs.path(), &["a", "b"]);
    assert_eq!(table.headings().1, ["pgd-20", "pgd-50", "autoattack"]);
    let [a, b] = table.rows.as_slice() else { panic!("two rows") };
    assert_eq!(numbers(a), [Some(0.5), Some(0.4), Some(0.3)]);
    assert!(matches!(a.cells[0].as_ref().unwrap().source, Source::Final { step: LAST }));
    assert_eq!((a.naturals.as_slice(), a.remarks.len()), (&[Some(0.9)][..], 0), "{:?}", a.remarks);
    // Nothing was measured: nothing is shown, and the command is.
    assert_eq!((numbers(b), b.naturals.as_slice()), (vec![None; 3], &[None][..]));
    assert!(says(b, &format!("rematch eval {} --attack autoattack", runs.path().join("b").display())), "{:?}", b.remarks);
}

#[test]
fn numbers_share_a_column_when_only_seeds_differ() {
    let runs = tempfile::tempdir().unwrap();
    let a = Made { last_final: None, ..Made::default() }.write(runs.path());
    let b = Made { id: "b", last_final: None, ..Made::default() }.write(runs.path());
    evaluation(&a, "1", &report(&a, LAST, &[(pgd(20, 3), 0.4)]));
    evaluation(&b, "1", &report(&b, LAST, &[(pgd(20, 8), 0.6)]));
    // Fewer images, other images, images that were trained on, another radius: none of them compares.
    let mut fewer = report(&b, LAST, &[(pgd(20, 8), 0.61)]);
    fewer["report"]["images"] = json!(500);
    evaluation(&b, "2", &fewer);
    let mut seen = report(&b, LAST, &[(pgd(20, 8), 0.62)]);
    (seen["report"]["split"], seen["settings"]["seen_in_training"]) = (json!("train"), json!(true));
    evaluation(&b, "3", &seen);
    let mut unknown = report(&b, LAST, &[(pgd(20, 8), 0.63)]);
    unknown["settings"]["seen_in_training"] = Value::Null;
    evaluation(&b, "4", &unknown);
    let mut other = report(&b, LAST, &[(pgd(20, 8), 0.64)]);
    other["settings"]["data"] = json!("circles");
    evaluation(&b, "5", &other);
    let mut wide = pgd(20, 8);
    wide.members[0].eps = Eps(0.2);
    evaluation(&b, "6", &report(&b, LAST, &[(wide, 0.2)]));
    let table = table(runs.path(), &["a", "b"]);
    let columns: Vec<(Option<f64>, Option<f64>)> = numbers(&table.rows[0]).into_iter().zip(numbers(&table.rows[1])).collect();
    assert_eq!(columns.len(), 6);
    assert_eq!(columns.iter().filter(|(a, _)| a.is_some()).collect::<Vec<_>>(), [&(Some(0.4), Some(0.6))]);
    // A natural accuracy for each set of images, and every heading unlike the others.
    let (naturals, attacks) = table.headings();
    assert_eq!((naturals.len(), attacks.len()), (5, 6));
    assert!(naturals.contains(&"natural [5]".to_string()) && attacks.contains(&"pgd-20 [5]".to_string()));
    assert!(attacks.contains(&"pgd-20 L-inf 0.2".to_string()), "{attacks:?}");
}

#[test]
fn validation_images_of_another_split_are_other_images() {
    let runs = tempfile::tempdir().unwrap();
    let a = Made::default().write(runs.path());
    let b = Made { id: "b", validation: 2000, ..Made::default() }.write(runs.path());
    for run in [&a, &b] {
        let mut on_validation = report(run, LAST, &[(pgd(50, 0), 0.4)]);
        (on_validation["report"]["split"], on_validation["report"]["images"]) = (json!("validation"), json!(500));
        evaluation(run, "1", &on_validation);
    }
    let table = table(runs.path(), &["a", "b"]);
    assert_eq!(table.headings().1, ["pgd-20", "pgd-50 [1]", "pgd-50 [2]"]);
}

#[test]
fn other_data_and_threats_are_other_tables() {
    let runs = tempfile::tempdir().unwrap();
    let l2 = Threat { norm: Norm::L2, eps: Eps(0.5) };
    for made in [
        Made::default(),
        Made { id: "b", data: "circles", ..Made::default() },
        Made { id: "c", threat: l2, ..Made::default() },
        Made { id: "d", ..Made::default() },
    ] {
        made.write(runs.path());
    }
    let groups = beside(runs.path(), &["a", "b", "c", "d"]).groups;
    let labels: Vec<Vec<&str>> = groups.iter().map(|g| g.rows.iter().map(|row| row.label.as_str()).collect()).collect();
    assert_eq!(labels, [vec!["a", "d"], vec!["b"], vec!["c"]]);
    assert_eq!(groups[2].threat, l2);
}

#[test]
fn of_several_the_lowest_is_shown_with_the_doubts_of_all() {
    let runs = tempfile::tempdir().unwrap();
    let a = Made::default().write(runs.path());
    let mut doubtful = report(&a, LAST, &[(pgd(20, 1), 0.52), (pgd(50, 1), 0.48)]);
    doubtful["report"]["doubts"] = json!([doubt()]);
    evaluation(&a, "1", &doubtful);
    evaluation(&a, "2", &report(&a, LAST, &[(pgd(20, 2), 0.49)]));
    let table = table(runs.path(), &["a"]);
    let row = &table.rows[0];
    assert_eq!(numbers(row), [Some(0.49), Some(0.48)]);
    assert_eq!(row.cells[0].as_ref().unwrap().ensemble.members[0].seed, 2);
    assert!(says(row, "pgd-20: the lowest of 3 evaluations, 49.00 to 52.00 %"), "{:?}", row.remarks);
    assert!(says(row, "! pgd-20, pgd-50: zero gradients: 37 % of all gradients are 0"), "{:?}", row.remarks);
}

#[test]
fn only_the_newest_weights_count() {
    let runs = tempfile::tempdir().unwrap();
    let a = Made::default().write(runs.path());
    // Evaluated later, of earlier weights.
    evaluation(&a, "1", &report(&a, LAST, &[(pgd(50, 0), 0.4)]));
    evaluation(&a, "2", &report(&a, 20, &[(pgd(50, 0), 0.1)]));
    let both = table(runs.path(), &["a"]);
    assert_eq!(numbers(&both.rows[0]), [Some(0.5), Some(0.4)]);
    assert!(says(&both.rows[0], "1 evaluation of other weights left out; shown are those of step 40"));

    let b = Made { id: "b", ..Made::default() }.write(runs.path());
    evaluation(&b, "1", &report(&b, 20, &[(pgd(50, 0), 0.1)]));
    let end = table(runs.path(), &["b"]);
    assert_eq!(numbers(&end.rows[0]), [Some(0.5)]);
    assert!(says(&end.rows[0], "the newest of step 20) is left out: it ended with step 40"), "{:?}", end.rows[0].remarks);

    // It went on after its final evaluation.
    let c = Made { id: "c", ..Made::default() }.write(runs.path());
    evaluation(&c, "1", &report(&c, 60, &[(pgd(50, 0), 0.3)]));
    let on = table(runs.path(), &["c"]);
    assert_eq!(numbers(&on.rows[0]), [Some(0.3)]);
    assert!(says(&on.rows[0], "its final evaluation, of step 40, is left out"), "{:?}", on.rows[0].remarks);

    // Saved again for the same step: the file that was evaluated last.
    let d = Made { id: "d", last_final: None, ..Made::default() }.write(runs.path());
    evaluation(&d, "1", &report(&d, LAST, &[(pgd(50, 0), 0.1)]));
    let mut again = report(&d, LAST, &[(pgd(50, 0), 0.2)]);
    again["settings"]["model_sha256"] = json!("f00");
    evaluation(&d, "2", &again);
    assert_eq!(numbers(&table(runs.path(), &["d"]).rows[0]), [Some(0.2)]);
}

/// A model's file with nothing in it but what it says of itself.
fn model(path: &Path, provenance: &Value) {
    let header = json!({"__metadata__": {"format": "rematch-model-1", "provenance": provenance.to_string()}}).to_string();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_teachers_time_is_that_of_its_run_or_of_its_file_or_unknown() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path().join("runs");
    let teacher = Made { id: "teacher", train_seconds: 50.0, ..Made::default() }.write(&runs);
    let in_run = |step: u64| teacher.join(format!("checkpoints/step-{step:08}/model.safetensors"));
    let (timed, untimed) = (home.path().join("timed.safetensors"), home.path().join("untimed.safetensors"));
    model(&timed, &json!({"train_seconds": 7.0, "teacher": null}));
    model(&untimed, &json!({"evaluated": {"seconds": 3.0}}));
    let student = |id, path: &Path| {
        Made { id, method: rrm(), teacher: Some(path.to_path_buf()), ..Made::default() }.write(&runs);
    };
    // A checkpoint that is pruned by now still lies in its run by name.
    student("of-run", &in_run(LAST));
    student("early", &in_run(20));
    student("timed", &timed);
    student("untimed", &untimed);
    student("gone", Path::new("/nowhere/teacher.safetensors"));
    student("second", &runs.join("of-run/checkpoints/step-00000040/model.safetensors"));
    let table = table(&runs, &["teacher", "of-run", "early", "timed", "untimed", "gone", "second"]);
    let times: Vec<Time> = table.rows.iter().map(|row| row.times.with_teacher).collect();
    let known = |seconds: &[f64]| seconds.iter().map(|s| Time::Seconds(*s)).collect::<Vec<_>>();
    assert_eq!(times[..4], known(&[50.0, 60.0, 60.0, 17.0]));
    assert_eq!(times[4..], [Time::Unknown, Time::Unknown, Time::Seconds(20.0)]);
    assert!(table.rows[1..].iter().all(|row| row.times.training == Time::Seconds(10.0)));
    assert!(says(&table.rows[2], "the checkpoint at step 20 of 40 of teacher"), "{:?}", table.rows[2].remarks);
    assert!(says(&table.rows[5], "the training time of /nowhere/teacher.safetensors is not known"));
    assert!(says(&table.rows[6], "its teacher of-run had a teacher itself"), "{:?}", table.rows[6].remarks);
    assert!(!says(&table.rows[1], "teacher"), "{:?}", table.rows[1].remarks);
}

#[test]
fn a_teacher_that_has_not_ended_has_no_known_time() {
    let runs = tempfile::tempdir().unwrap();
    let teacher = Made { id: "teacher", ends: false, ..Made::default() }.write(runs.path());
    let path = Some(teacher.join("checkpoints/step-00000020/model.safetensors"));
    Made { method: rrm(), teacher: path, ..Made::default() }.write(runs.path());
    let table = table(runs.path(), &["a", "teacher"]);
    assert_eq!(table.rows[0].times.with_teacher, Time::Unknown);
    assert!(says(&table.rows[0], "has not ended"));
    assert!(says(&table.rows[1], "it was interrupted after 1 of 2 epochs"), "{:?}", table.rows[1].remarks);
    assert_eq!(table.rows[1].times.training, Time::Seconds(5.0));
}

#[test]
fn teachers_have_rows_only_when_asked_and_are_never_the_students_numbers() {
    let home = tempfile::tempdir().unwrap();
    let (runs, lone) = (home.path().join("runs"), home.path().join("evaluations"));
    let file = home.path().join("t.safetensors");
    model(&file, &json!({"config": {"method": {"sat": {}}}}));
    let a = Made { method: rrm(), teacher: Some(file.clone()), last_final: None, ..Made::default() }.write(&runs);
    let of_teacher = |sha256: &str, adversarial| {
        let mut report = report(&a, LAST, &[(pgd(20, 0), adversarial)]);
        (report["report"]["of"], report["settings"]["model"]) = (json!("teacher"), json!(file.display().to_string()));
        report["settings"]["model_sha256"] = json!(sha256);
        report
    };
    let sha256 = {
        use sha2::{Digest, Sha256};
        format!("{:x}", Sha256::digest(fs::read(&file).unwrap()))
    };
    let kept = lone.join(format!("t-{}", &sha256[..8]));
    for (id, sha256, adversarial) in [("1", sha256.as_str(), 0.7), ("2", "other", 0.1)] {
        let folder = kept.join(id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("report.json"), of_teacher(sha256, adversarial).to_string()).unwrap();
    }
    let names = [PathBuf::from("a")];
    let omitted = compare(&runs, &names, Teachers::Omit).unwrap();
    assert!(omitted.groups[0].rows.len() == 1 && omitted.groups[0].columns.is_empty());
    let shown = compare(&runs, &names, Teachers::Show { lone: &lone }).unwrap();
    let [student, teacher] = shown.groups[0].rows.as_slice() else { panic!("two rows") };
    assert_eq!((numbers(student), numbers(teacher)), (vec![None], vec![Some(0.7)]));
    assert_eq!(
        (teacher.label.as_str(), teacher.method.as_deref(), teacher.times.training),
        ("teacher of a", Some("sat"), Time::Unknown)
    );

    // Within the student's own folder too.
    evaluation(&a, "3", &of_teacher(&sha256, 0.6));
    let shown = compare(&runs, &names, Teachers::Show { lone: &lone }).unwrap();
    assert_eq!(numbers(&shown.groups[0].rows[0]), [None]);
    assert_eq!(numbers(&shown.groups[0].rows[1]), [Some(0.6)]);
}

#[test]
fn what_cannot_be_read_is_named_and_hides_nothing() {
    let runs = tempfile::tempdir().unwrap();
    let a = Made::default().write(runs.path());
    evaluation(&a, "1", &report(&a, LAST, &[(pgd(50, 0), 0.4)]));
    let mut newer = report(&a, LAST, &[(pgd(50, 0), 0.1)]);
    newer["report"] = json!({"format": REPORT_FORMAT + 6});
    evaluation(&a, "2", &newer);
    evaluation(&a, "3", &report(&a, LAST, &[(pgd(50, 0), 1.7)]));
    evaluation(&a, "4", &json!({}));
    fs::write(a.join("evaluations/4/report.json"), "{\"settings\": {").unwrap();
    fs::create_dir_all(a.join("evaluations/5/report.json")).unwrap();
    let mut nameless = report(&a, LAST, &[(pgd(50, 0), 0.1)]);
    nameless["settings"]["model_sha256"] = Value::Null;
    evaluation(&a, "6", &nameless);
    fs::create_dir_all(a.join("evaluations/7")).unwrap();
    fs::write(a.join("evaluations/7/settings.json"), "{}").unwrap();
    let table = table(runs.path(), &["a"]);
    let row = &table.rows[0];
    assert_eq!(numbers(row), [Some(0.5), Some(0.4)]);
    let newer = format!("2/report.json is written in format {}; this program reads up to {REPORT_FORMAT}", REPORT_FORMAT + 6);
    for what in [
        newer.as_str(),
        "3/report.json is damaged: 1.7 is no share",
        "4/report.json is damaged: EOF",
        "5/report.json is no report",
        "6/report.json is damaged: its settings do not say 'model_sha256'",
        "1 evaluation is not finished and not shown",
    ] {
        assert!(says(row, what), "{what}: {:#?}", row.remarks);
    }
    assert_eq!(row.remarks.len(), 6, "{:#?}", row.remarks);
}

#[test]
fn what_is_no_run_or_named_twice_is_refused() {
    let runs = tempfile::tempdir().unwrap();
    let a = Made::default().write(runs.path());
    fs::create_dir(runs.path().join("empty")).unwrap();
    let refused = |names: &[&Path]| {
        let names: Vec<PathBuf> = names.iter().map(|name| name.to_path_buf()).collect();
        compare(runs.path(), &names, Teachers::Omit).unwrap_err().to_string()
    };
    assert!(refused(&[]).contains("no runs to compare"));
    assert!(refused(&[Path::new("nobody")]).contains("no run at"));
    assert!(refused(&[Path::new("empty")]).contains("is not a run"));
    let twice = refused(&[Path::new("a"), &a]);
    assert!(twice.contains("named twice, as a and as") && twice.contains(&a.display().to_string()), "{twice}");
}

#[test]
fn runs_of_one_name_are_told_apart() {
    let home = tempfile::tempdir().unwrap();
    let (first, second) = (Made::default().write(&home.path().join("x")), Made::default().write(&home.path().join("y")));
    let names = [first.clone(), second.clone()];
    let groups = compare(Path::new("runs"), &names, Teachers::Omit).unwrap().groups;
    let labels: Vec<&str> = groups[0].rows.iter().map(|row| row.label.as_str()).collect();
    assert_eq!(labels, [first.to_str().unwrap(), second.to_str().unwrap()]);
}

/// Two runs, one steered and doubted, one without the numbers of the other, whose names ask for trouble.
fn troubled() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let teacher = Some(PathBuf::from("/nowhere/teacher.safetensors"));
    let a = Made { method: rrm(), teacher, steered: true, last_final: None, ..Made::default() }.write(home.path());
    Made { id: "b", last_final: None, ..Made::default() }.write(home.path());
    let mut doubtful = report(&a, LAST, &[(pgd(20, 0), 0.4), (autoattack(), 0.25)]);
    doubtful["report"]["doubts"] = json!([doubt()]);
    evaluation(&a, "1", &doubtful);
    fs::rename(home.path().join("b"), home.path().join("b,\"|\n\u{1b}_")).unwrap();
    home
}

fn program(home: &TempDir, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rematch-torch"));
    command.current_dir(home).args(["compare", "--runs", ".", "a", "b,\"|\n\u{1b}_"]).args(options);
    command.output().unwrap()
}

fn printed(home: &TempDir, options: &[&str]) -> String {
    let output = program(home, options);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn text_shows_a_dash_for_what_is_missing_and_a_mark_for_doubts() {
    let text = printed(&troubled(), &[]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "squares (28x28x1, 10 classes, 2000 test images), L-inf eps 0.1");
    let cells = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
    let heads = "run method student teacher lambda epochs train train+teacher eval natural pgd-20 autoattack";
    assert_eq!(cells(lines[2]), cells(heads));
    assert_eq!(cells(lines[3]), cells("a rrm fc3 fc2 0.005->..->0.005 2/2 0:10 ? 0:02 90.00 40.00 ! 25.00 !"));
    assert_eq!(cells(lines[4]), cells("b,\"|??_ erm fc3 - - 2/2 0:10 0:10 0:02 - - -"));
    assert!(text.contains(
        "pgd-20: 20 steps of 0.0125, random start, 1 restart; L-inf eps 0.1; 2000 test images, not seen in training\n"
    ));
    assert!(text.contains("a: steered, so not what its config alone gives: λ 0.005 -> 0.5 from step 20"), "{text}");
    assert!(text.contains("a: ! pgd-20, autoattack: zero gradients: 37 % of all gradients are 0"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn markdown_keeps_its_cells() {
    let text = printed(&troubled(), &["--format", "markdown"]);
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 4);
    for row in &rows {
        // A pipe that a name brought along has a backslash.
        assert_eq!(row.replace("\\|", "").matches('|').count(), 13, "{row}");
    }
    assert_eq!(rows[2], "| a | rrm | fc3 | fc2 | 0.005->..->0.005 | 2/2 | 0:10 | ? | 0:02 | 90.00 | 40.00 ! | 25.00 ! |");
    assert_eq!(rows[3], "| b,\"\\|??\\_ | erm | fc3 | — | — | 2/2 | 0:10 | 0:10 | 0:02 | — | — | — |");
}

/// The fields of RFC 4180.
fn fields(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut quoted) = (vec![vec![String::new()]], false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let row = rows.last_mut().unwrap();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => row.last_mut().unwrap().push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\n' if !quoted => rows.push(vec![String::new()]),
            c => row.last_mut().unwrap().push(c),
        }
    }
    rows.pop();
    rows
}

#[test]
fn csv_has_fractions_empty_fields_and_whole_names() {
    let rows = fields(&printed(&troubled(), &["--format", "csv"]));
    assert!(rows.len() == 3 && rows.iter().all(|row| row.len() == rows[0].len()), "{rows:#?}");
    let of = |row: usize, name: &str| {
        let column = rows[0].iter().position(|head| head.starts_with(name)).unwrap();
        rows[row][column].as_str()
    };
    assert_eq!((of(1, "run"), of(1, "pgd-20: 20 steps"), of(1, "autoattack: apgd-ce 100 steps")), ("a", "0.4", "0.25"));
    assert_eq!((of(1, "natural: 2000 test"), of(1, "train_seconds"), of(1, "train_seconds_with")), ("0.9", "10", ""));
    assert!(of(1, "remarks").contains("! pgd-20, autoattack: zero gradients"));
    assert_eq!((of(2, "run"), of(2, "pgd-20"), of(2, "natural"), of(2, "train_seconds_with")), ("b,\"|\n?_", "", "", "10"));
}

#[test]
fn json_has_what_reproduces_a_number_and_nulls() {
    let rows: Vec<Value> = serde_json::from_str(&printed(&troubled(), &["--format", "json"])).unwrap();
    let [a, b] = rows.as_slice() else { panic!("two objects") };
    let number = &a["numbers"][0];
    assert_eq!((&number["adversarial_accuracy"], &number["members"][0]["steps"]), (&json!(0.4), &json!(20)));
    assert_eq!((&number["on"]["images"], &number["on"]["split"]), (&json!(2000), &json!("test")));
    assert_eq!(number["source"]["settings"]["model_sha256"], format!("{LAST:064}"));
    assert_eq!(number["doubts"][0]["suspicion"], "zero-gradients");
    assert_eq!((&a["config"]["seed"], &a["changes"][0]["step"]), (&json!(1), &json!(20)));
    assert_eq!((&a["train_seconds_with_teacher"], &b["train_seconds_with_teacher"]), (&Value::Null, &json!(10.0)));
    assert_eq!(b["run"], "b,\"|\n\u{1b}_");
    assert!(
        b["numbers"].as_array().unwrap().iter().all(|n| n["adversarial_accuracy"].is_null() && n["natural_accuracy"].is_null())
    );
}

#[test]
fn bad_usage_ends_with_2_and_says_why() {
    let home = troubled();
    for (options, why) in
        [(vec!["./a"], "named twice"), (vec!["nobody"], "no run at"), (vec!["--format", "xml"], "possible values")]
    {
        let output = program(&home, &options);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(why) && output.stdout.is_empty(), "{options:?}: {said}");
    }
    let none = Command::new(env!("CARGO_BIN_EXE_rematch-torch")).arg("compare").output().unwrap();
    assert_eq!(none.status.code(), Some(2));
}
