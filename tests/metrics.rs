//! `rematch export-metrics` as a person runs it: the recorded demo in every format, against its log read here by itself; logs that
//! are torn, damaged, running; and TensorBoard's own reader, where Python has it.
//!
//! What one format does with one value is tested beside it.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Name, step and value.
type Told = (String, u64, f64);

fn rematch(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rematch-torch")).args(args).stdin(Stdio::null()).output().unwrap()
}

fn export(args: &[&str]) -> Output {
    rematch(&[&["export-metrics", "demo", "--runs", "assets"], args].concat())
}

fn well(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What the command says goes wrong, with its exit code.
fn wrong(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

fn lines() -> Vec<Value> {
    let log = fs::read_to_string("assets/demo/events.jsonl").unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Some of what the log says, by the shape of its lines alone.
fn log() -> Vec<Told> {
    let mut told = Vec::new();
    for line in lines() {
        let event = &line["event"];
        let progress = &event["progress"];
        let step = |of: &Value| of["step"].as_u64().unwrap();
        for (term, summary) in progress["terms"].as_object().into_iter().flatten() {
            let summary: Vec<f64> = summary.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
            let mean = if summary.len() == 3 { summary[1] } else { summary[0] };
            told.push((format!("train/{term}"), step(progress), mean));
        }
        if let Some(lr) = progress["lr"].as_f64() {
            told.push(("train/learning_rate".into(), step(progress), lr));
            told.push(("speed/images_per_s".into(), step(progress), progress["images_per_s"].as_f64().unwrap()));
        }
        let evaluated = &event["evaluated"];
        if evaluated["of"] == "student" {
            for what in ["natural", "adversarial"] {
                let name = format!("{}/{what}_accuracy", evaluated["purpose"].as_str().unwrap());
                told.push((name, step(evaluated), evaluated[what].as_f64().unwrap()));
            }
        }
        if let Some(lambda) = event["controlled"]["change"]["lambda"].as_f64() {
            told.push(("lambda".into(), step(&event["controlled"]), lambda));
        }
    }
    assert!(told.len() > 400);
    told
}

/// Everything that the log is known to say is there, as often as it is said.
fn compare(found: &[Told]) {
    let mut expected: BTreeMap<String, Vec<(u64, f64)>> = BTreeMap::new();
    for (name, step, value) in log() {
        expected.entry(name).or_default().push((step, value));
    }
    for (name, values) in expected {
        let mut have: Vec<(u64, f64)> = found.iter().filter(|told| told.0 == name).map(|told| (told.1, told.2)).collect();
        if name == "lambda" {
            assert_eq!(have.remove(0), (0, 0.005), "what it began with");
        }
        assert_eq!(have, values, "{name}");
    }
}

fn csv_rows(text: &str) -> Vec<csv::StringRecord> {
    csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap).collect()
}

fn told(rows: &[csv::StringRecord]) -> Vec<Told> {
    rows.iter().map(|row| (row[4].to_string(), row[1].parse().unwrap(), row[5].parse().unwrap())).collect()
}

#[test]
fn csv_holds_what_the_log_says() {
    let text = well(&export(&["--format", "csv"]));
    assert!(text.starts_with("run,step,epoch,time_s,name,value,split,attack,norm,eps,images\n"));
    let rows = csv_rows(&text);
    assert!(rows.iter().all(|row| &row[0] == "demo" && row.len() == 11));
    compare(&told(&rows));
    let probe = rows.iter().find(|row| &row[4] == "probe/adversarial_accuracy").unwrap();
    assert_eq!(probe.iter().skip(6).collect::<Vec<_>>(), ["validation", "pgd-10", "linf", "0.1", "500"]);
    let natural = rows.iter().find(|row| &row[4] == "final/natural_accuracy").unwrap();
    assert_eq!(natural.iter().skip(6).collect::<Vec<_>>(), ["test", "", "", "", "2000"]);
    let (first, last) = (&lines()[0], &lines()[lines().len() - 1]);
    let took = (last["at_ms"].as_f64().unwrap() - first["at_ms"].as_f64().unwrap()) / 1000.0;
    let end = rows.last().unwrap();
    assert_eq!((&end[1], &end[2], end[3].parse::<f64>().unwrap()), ("852", "12.0", took));
}

#[test]
fn the_tables_hold_the_same() {
    let home = tempfile::tempdir().unwrap();
    let rows = csv_rows(&well(&export(&["--format", "csv"])));
    let json = well(&export(&["--format", "jsonl"]));
    assert_eq!(json.lines().count(), rows.len());
    for (line, row) in json.lines().zip(&rows) {
        let object: Value = serde_json::from_str(line).unwrap();
        assert_eq!((object["name"].as_str().unwrap(), object["value"].as_f64().unwrap()), (&row[4], row[5].parse().unwrap()));
        assert_eq!((object["step"].to_string(), object["attack"].as_str().unwrap_or("")), (row[1].to_string(), &row[7]));
    }
    let file = home.path().join("a folder/demo.parquet");
    let said = well(&export(&["--format", "parquet", "--out", file.to_str().unwrap()]));
    assert!(said.contains(&format!("({} values)", rows.len())), "{said}");
    let reader = SerializedFileReader::new(fs::File::open(&file).unwrap()).unwrap();
    let mut count = 0;
    for (found, row) in reader.get_row_iter(None).unwrap().map(Result::unwrap).zip(&rows) {
        let fields: Vec<Field> = found.into_columns().into_iter().map(|(_, field)| field).collect();
        let expected = [Field::Str("demo".into()), Field::Long(row[1].parse().unwrap())];
        assert_eq!(fields[..2], expected);
        assert_eq!(
            fields[2..6],
            [
                Field::Double(row[2].parse().unwrap()),
                Field::Double(row[3].parse().unwrap()),
                Field::Str(row[4].into()),
                Field::Double(row[5].parse().unwrap())
            ]
        );
        let text = |text: &str| if text.is_empty() { Field::Null } else { Field::Str(text.into()) };
        assert_eq!(fields[6..9], [text(&row[6]), text(&row[7]), text(&row[8])]);
        assert_eq!(fields[9], row[9].parse().map_or(Field::Null, Field::Double));
        assert_eq!(fields[10], row[10].parse().map_or(Field::Null, Field::Long));
        count += 1;
    }
    assert_eq!(count, rows.len());
}

#[test]
fn what_cannot_be_meant_is_refused_and_says_what_can() {
    let (code, said) = wrong(&export(&["--format", "parquet"]));
    assert_eq!(code, 2);
    assert!(said.contains("standard output") && said.contains("--out FILE"), "{said}");
    let (code, said) = wrong(&export(&["--format", "tensorboard"]));
    assert!(code == 2 && said.contains("--out DIR"), "{said}");
    let (code, said) = wrong(&export(&["--format", "xlsx"]));
    assert!(code == 2 && said.contains("csv, jsonl, parquet, tensorboard"), "{said}");
    let (code, said) = wrong(&rematch(&["export-metrics", "nowhere", "--format", "csv"]));
    assert!(code == 2 && said.contains("nowhere"), "{said}");
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("there.csv");
    fs::write(&file, "mine").unwrap();
    let file = file.to_str().unwrap();
    let (code, said) = wrong(&export(&["--format", "csv", "--out", file]));
    assert!(code == 2 && said.contains("--force") && fs::read_to_string(file).unwrap() == "mine", "{said}");
    well(&export(&["--format", "csv", "--out", file, "--force"]));
    compare(&told(&csv_rows(&fs::read_to_string(file).unwrap())));
    let (code, said) = wrong(&export(&["--format", "csv", "--out", "/dev/null/x.csv"]));
    assert!(code == 2 && said.contains("/dev/null/x.csv: cannot be written"), "{said}");
}

/// A run's folder with the first lines of the demo's log, and something behind them.
fn run(lines: usize, then: &str) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("cut");
    fs::create_dir(&folder).unwrap();
    let log = fs::read_to_string("assets/demo/events.jsonl").unwrap();
    let text: String = log.lines().take(lines).flat_map(|line| [line, "\n"]).collect();
    fs::write(folder.join("events.jsonl"), text + then).unwrap();
    (home, folder)
}

#[test]
fn torn_damaged_and_running_logs_give_what_they_hold() {
    for format in ["csv", "jsonl", "parquet", "tensorboard"] {
        let out = |home: &Path| home.join(if format == "tensorboard" { "board" } else { "table" });
        let export = |home: &Path, folder: &Path| {
            rematch(&["export-metrics", folder.to_str().unwrap(), "--format", format, "--out", out(home).to_str().unwrap()])
        };
        let (home, folder) = run(40, "{\"seq\":40,\"at_ms\":17957");
        let output = export(home.path(), &folder);
        well(&output);
        assert!(wrong(&output).1.contains("torn"), "{format}: {:?}", wrong(&output));
        assert!(out(home.path()).exists());

        let (home, folder) = run(40, "rubbish\n");
        let (code, said) = wrong(&export(home.path(), &folder));
        assert_eq!(code, 1, "{format}: {said}");
        assert!(said.contains("events.jsonl, line 41"), "{format}: {said}");
        assert!(out(home.path()).exists(), "{format}: what stands before it is written");

        // A process holds its lock; the last line is on its way.
        let (home, folder) = run(40, "{\"seq\":40,");
        let lock = fs::File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        let output = export(home.path(), &folder);
        well(&output);
        assert_eq!(wrong(&output).1, "", "{format}: nothing is wrong with a run that trains");
    }
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let command = format!("{} export-metrics assets/demo --format csv | head -n 2", env!("CARGO_BIN_EXE_rematch-torch"));
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What TensorBoard's own reader finds; `None` where Python has none.
fn tensorboard(folder: &Path) -> Option<Value> {
    let python = std::env::var("REMATCH_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let asked = Command::new(&python).arg("tests/reference/tensorboard_read.py").arg(folder).output();
    let skip = |why: &str| {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("NOT RUN: {python} has no TensorBoard to read with ({why}); name one that has in REMATCH_TEST_PYTHON\n")
                .as_bytes(),
        );
        None
    };
    let output = match asked {
        Ok(output) => output,
        Err(error) => return skip(&error.to_string()),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        return skip(said.trim());
    }
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn tensorboards_own_reader_finds_what_the_tables_hold() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("board");
    well(&export(&["--format", "tensorboard", "--out", folder.to_str().unwrap()]));
    let Some(found) = tensorboard(&folder) else { return };
    let scalars = found["scalars"].as_object().unwrap();
    let rows = csv_rows(&well(&export(&["--format", "csv"])));
    let mut compared = 0;
    for (tag, values) in scalars {
        let alone: Vec<_> = rows.iter().filter(|row| row[4] == **tag).collect();
        if alone.is_empty() {
            assert!(tag.contains("/pgd-"), "{tag}: no such name, and no attack in it");
            continue;
        }
        assert_eq!(alone.len(), values.as_array().unwrap().len(), "{tag}");
        for (row, value) in alone.iter().zip(values.as_array().unwrap()) {
            assert_eq!(value[1].to_string(), row[1], "{tag}");
            let expected = row[5].parse::<f64>().unwrap() as f32;
            assert_eq!(value[2].as_f64().unwrap() as f32, expected, "{tag} at step {}", &row[1]);
            let wall = 1_795_708_980.95 + row[3].parse::<f64>().unwrap();
            assert!((value[0].as_f64().unwrap() - wall).abs() < 1e-3, "{tag} at step {}", &row[1]);
            compared += 1;
        }
    }
    assert!(compared > 1500, "{compared} of {} values", rows.len());
    let images = found["images"].as_object().unwrap();
    assert!(images.len() >= 6 && images.len().is_multiple_of(2), "{:?}", images.keys());
    for (tag, pictures) in images {
        // Step, width, height and what every PNG begins with.
        assert_eq!(pictures.to_string(), "[[602,28,28,\"89504e470d0a1a0a\"]]", "{tag}");
        assert!(found["descriptions"][tag].as_str().unwrap().contains("taken for"), "{tag}");
    }
    let config = found["texts"]["config/text_summary"][0][1].as_str().unwrap();
    assert!(config.contains("lambda = 0.005"), "{config}");
    let hparams = &found["hparams"];
    assert_eq!(hparams["set"]["method.name"], "rrm");
    assert_eq!(hparams["set"]["threat.eps"], 0.1);
    assert_eq!((&hparams["known"]["method.name"], &hparams["known"]["threat.eps"]), (&1.into(), &3.into()));
    assert!(hparams["results"].as_array().unwrap().contains(&"final/adversarial_accuracy".into()));
    assert_eq!(hparams["end"][0], 1, "it completed");
}

#[test]
fn tensorboards_own_reader_does_not_show_steps_twice() {
    use rematch::metrics::tensorboard::live;
    use rematch::protocol::Event;
    use rematch::protocol::event::Resumed;
    use rematch::run::recorder::Recorder;
    use rematch::run::replay::read_log;
    let home = tempfile::tempdir().unwrap();
    let all: Vec<Event> = read_log(Path::new("assets/demo/events.jsonl")).unwrap().map(|record| record.unwrap().event).collect();
    let recorder = Recorder::to_writer(std::io::sink(), {
        let mut now = 1_795_708_980_000;
        move || {
            now += 100;
            now
        }
    });
    // It is killed after 90 records, and goes on from step 213 in another process.
    let first = live::spawn(&recorder, home.path().to_path_buf(), 0, |said| panic!("{said}"));
    for event in all.iter().take(90) {
        recorder.record(event.clone()).unwrap();
    }
    drop(first);
    let Event::Started(mut again) = all[0].clone() else { panic!("it begins with a start") };
    again.from_step = 213;
    again.resumed = Some(Resumed { checkpoint: None, from_seq: 30, again: 300, remade: 0 });
    let count = recorder.recorded();
    recorder.record(Event::Started(again)).unwrap();
    let second = live::spawn(&recorder, home.path().to_path_buf(), count, |said| panic!("{said}"));
    let later = |event: &&Event| match event {
        Event::Progress(progress) => progress.step > 213,
        Event::Evaluated(evaluated) => evaluated.step > 213,
        Event::Finished(_) => true,
        _ => false,
    };
    for event in all.iter().filter(later) {
        recorder.record(event.clone()).unwrap();
    }
    drop((second, recorder));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
    let Some(found) = tensorboard(home.path()) else { return };
    for tag in ["train/total", "probe/natural_accuracy", "speed/images_per_s"] {
        let steps: Vec<u64> = found["scalars"][tag].as_array().unwrap().iter().map(|value| value[1].as_u64().unwrap()).collect();
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{tag}: {steps:?}");
        let expected = log().iter().filter(|told| told.0 == tag).count();
        assert_eq!(steps.len(), expected, "{tag}: none is missing and none is there twice");
    }
}

/// Trains for two epochs; exit code and what was said.
#[cfg(feature = "torch")]
fn trained(runs: &Path, name: &str, board: &[&str]) -> (i32, String) {
    let mut args = vec!["train", "configs/quickstart.toml", "--device", "cpu", "--threads", "1", "--ui", "none", "--name", name];
    args.extend(["--runs", runs.to_str().unwrap(), "-s", "train.epochs=2", "-s", "probe.images=50", "-s", "probe.steps=2"]);
    args.extend(["-s", "evaluation.images=0", "-s", "insight.every=50"]);
    args.extend(board);
    wrong(&rematch(&args))
}

#[cfg(feature = "torch")]
#[test]
fn a_run_writes_while_it_trains_what_an_export_of_its_log_writes() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(trained(home.path(), "r", &["--tensorboard"]), (0, String::new()));
    let only = |folder: &Path| {
        let found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        fs::read(&found[0]).unwrap()
    };
    let (run, exported) = (home.path().join("r"), home.path().join("exported"));
    let args = ["export-metrics", run.to_str().unwrap(), "--format", "tensorboard", "--out", exported.to_str().unwrap()];
    well(&rematch(&args));
    assert!(only(&run.join("tensorboard")) == only(&exported), "the two files differ");
}

#[cfg(feature = "torch")]
#[test]
fn a_folder_that_cannot_be_written_is_told_and_training_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("in the way");
    fs::write(&folder, "").unwrap();
    let (code, said) = trained(home.path(), "r", &["--tensorboard", folder.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.matches("TensorBoard's files cannot be written").count(), 1, "{said}");
    // One folder, one run: another would be mixed into it.
    let board = home.path().join("board");
    well(&export(&["--format", "tensorboard", "--out", board.to_str().unwrap()]));
    let (code, said) = trained(home.path(), "s", &["--tensorboard", board.to_str().unwrap()]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("already holds event files") && !home.path().join("s").exists(), "{said}");
}
