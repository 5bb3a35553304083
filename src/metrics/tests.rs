//! What the tables hold of a log, in every format, and of logs that are torn, damaged, resumed or still growing.

use super::rows::{Attack, CURVE, EVALUATED, Measured};
use super::{COLUMNS, Course, Format, Row, Rows};
use crate::config::Norm;
use crate::protocol::event::{Resumed, Split, Started, Voice};
use crate::protocol::{Change, Event, Record};
use crate::run::recorder::line;
use crate::run::replay::{LogError, Tail, read_log};
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::record::Field;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/events.jsonl")
}

fn records() -> Vec<Record> {
    read_log(&demo()).unwrap().map(Result::unwrap).collect()
}

fn started() -> Box<Started> {
    let Event::Started(started) = records().remove(0).event else { panic!("a log begins with what was started") };
    started
}

fn log(events: Vec<Event>) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("events.jsonl");
    let records = events.into_iter().enumerate().map(|(n, event)| Record { seq: n as u64, at_ms: 1000 + 500 * n as u64, event });
    fs::write(&path, records.flat_map(|record| line(&record).unwrap()).collect::<Vec<_>>()).unwrap();
    (home, path)
}

fn rows(path: &Path) -> Vec<Row> {
    let mut rows = Rows::default();
    Course::open(path).unwrap().flat_map(|record| rows.of(&record.unwrap())).collect()
}

fn values(rows: &[Row], name: &str) -> Vec<(u64, f64)> {
    rows.iter().filter(|row| row.name == name).map(|row| (row.step, row.value)).collect()
}

fn progress(step: u64, loss: f64) -> Event {
    let text =
        format!(r#"{{"step":{step},"steps":10,"lr":0.1,"images_per_s":"NaN","terms":{{"total":[{loss}]}},"timing":null}}"#);
    Event::Progress(serde_json::from_str(&text).unwrap())
}

fn lambda(step: u64, value: f64) -> Event {
    let (change, previous) = (Change::Lambda(value), Change::Lambda(0.005));
    Event::Controlled { step, by: None, change, previous, note: None, stair: None }
}

fn resumed(step: u64, from_seq: u64) -> Event {
    let mut started = started();
    started.from_step = step;
    started.resumed = Some(Resumed { checkpoint: None, from_seq, again: 0, remade: 0 });
    Event::Started(started)
}

fn odd() -> Vec<Row> {
    let measured = Measured {
        split: Split::Test,
        images: 2000,
        attack: Some(Attack { name: "pgd-50x10, \"all\"".into(), norm: Norm::L2, eps: 0.5 }),
    };
    [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2, 1e300, -0.0]
        .into_iter()
        .enumerate()
        .map(|(n, value)| Row {
            step: n as u64,
            epoch: (n > 0).then_some(n as f64 / 3.0),
            at_ms: 7,
            time_s: n as f64 / 1000.0,
            name: format!("evaluation/class_natural_accuracy/a,{n}").into(),
            value,
            measured: (n % 2 == 1).then(|| measured.clone()),
        })
        .collect()
}

fn written(format: Format, rows: &[Row]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut table = format.table("a run", &mut bytes).unwrap();
    for row in rows {
        table.add(row).unwrap();
    }
    table.finish().unwrap();
    bytes
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[test]
fn every_value_survives_csv() {
    let bytes = written(Format::Csv, &odd());
    let mut reader = ::csv::Reader::from_reader(&*bytes);
    assert_eq!(reader.headers().unwrap(), &COLUMNS[..]);
    let lines: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), odd().len());
    for (line, row) in lines.iter().zip(odd()) {
        assert_eq!((&line[0], &line[1], &line[4]), ("a run", &*row.step.to_string(), &*row.name));
        assert!(same(line[5].parse().unwrap(), row.value), "{} for {}", &line[5], row.value);
        assert_eq!(line[2].parse().ok(), row.epoch);
        let (attack, images) = row.measured.map_or_else(Default::default, |m| (m.attack.unwrap().name, m.images.to_string()));
        assert_eq!((&line[7], &line[10]), (&*attack, &*images));
    }
}

#[test]
fn every_value_survives_json() {
    let bytes = String::from_utf8(written(Format::Jsonl, &odd())).unwrap();
    assert_eq!(bytes.lines().count(), odd().len());
    for (line, row) in bytes.lines().zip(odd()) {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        assert!(COLUMNS.iter().all(|column| object.contains_key(*column)) && object.len() == COLUMNS.len(), "{line}");
        let value: crate::protocol::Scalar = serde_json::from_value(object["value"].clone()).unwrap();
        assert!(same(value.0, row.value), "{line}");
        assert_eq!(object["norm"].as_str(), row.measured.map(|_| "l2"));
    }
}

#[test]
fn every_value_survives_parquet_over_several_groups() {
    // More than one group of rows.
    let many: Vec<Row> = odd().into_iter().cycle().take(150_000).collect();
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, &written(Format::Parquet, &many)).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let names: Vec<_> = reader.metadata().file_metadata().schema().get_fields().iter().map(|f| f.name().to_string()).collect();
    assert_eq!(names, COLUMNS);
    assert_eq!(reader.num_row_groups(), 2);
    let mut count = 0;
    for (found, row) in reader.get_row_iter(None).unwrap().map(Result::unwrap).zip(&many) {
        let fields: Vec<Field> = found.into_columns().into_iter().map(|(_, field)| field).collect();
        let text = |text: &str| Field::Str(text.into());
        assert_eq!((&fields[0], &fields[1], &fields[4]), (&text("a run"), &Field::Long(row.step as i64), &text(&row.name)));
        assert!(matches!(fields[5], Field::Double(value) if same(value, row.value)), "{:?}", fields[5]);
        assert_eq!(fields[2], row.epoch.map_or(Field::Null, Field::Double));
        let measured = row.measured.is_some();
        assert_eq!(fields[6], if measured { text("test") } else { Field::Null });
        assert_eq!(fields[9], if measured { Field::Double(0.5) } else { Field::Null });
        assert_eq!(fields[10], if measured { Field::Long(2000) } else { Field::Null });
        count += 1;
    }
    assert_eq!(count, many.len());
}

#[test]
fn the_demo_gives_every_kind_of_value() {
    let rows = rows(&demo());
    let of = |name: &str| values(&rows, name);
    assert_eq!(of("lambda"), [(0, 0.005), (422, 0.5), (507, 0.005)]);
    assert_eq!(of("probe/natural_accuracy").len(), 24);
    assert_eq!(of("teacher/probe/natural_accuracy"), [(0, 0.822)]);
    assert_eq!(of("train/cross_entropy")[0], (2, 2.3163));
    assert_eq!((of("train_min/cross_entropy")[0].1, of("train_max/cross_entropy")[0].1), (2.3085, 2.3242));
    assert_eq!(of("train/learning_rate").len(), of("speed/images_per_s").len());
    assert_eq!(of("pull/share").len(), 17);
    assert_eq!(of("gallery/fooled_images"), [(602, 292.0)]);
    assert_eq!(of("host/cpu_percent").len(), 27);
    assert_eq!(of(CURVE).len(), 9);
    let attacks: Vec<_> = rows.iter().filter(|row| row.name == EVALUATED).map(|row| row.attack().unwrap().name.clone()).collect();
    assert_eq!(attacks.first().map(String::as_str), Some("pgd-50x10"));
    let probe = rows.iter().find(|row| row.name == "probe/adversarial_accuracy").unwrap();
    let measured = probe.measured.as_ref().unwrap();
    assert_eq!((measured.split, measured.images), (Split::Validation, 500));
    assert_eq!(measured.attack, Some(Attack { name: "pgd-10".into(), norm: Norm::Linf, eps: 0.1 }));
    let last = rows.last().unwrap();
    assert_eq!((last.step, last.epoch), (852, Some(12.0)));
    assert!((last.time_s - 27.048).abs() < 1e-9, "{}", last.time_s);
}

#[test]
fn names_are_their_own_within_a_record() {
    let mut fold = Rows::default();
    for record in records() {
        let rows = fold.of(&record);
        let names: std::collections::BTreeSet<_> = rows.iter().map(|row| row.own_name().into_owned()).collect();
        assert_eq!(names.len(), rows.len(), "{:?}", record.event);
    }
}

#[test]
fn what_a_resumed_run_did_twice_is_told_once() {
    let events = vec![
        Event::Started(started()),
        progress(10, 1.0),
        lambda(10, 0.1),
        progress(20, 2.0),
        lambda(25, 0.2),
        progress(30, 3.0),
        resumed(10, 2),
        lambda(10, 0.1),
        progress(20, 4.0),
    ];
    let (_home, path) = log(events);
    let rows = rows(&path);
    assert_eq!(values(&rows, "train/total"), [(10, 1.0), (20, 4.0)]);
    assert_eq!(values(&rows, "lambda"), [(0, 0.005), (10, 0.005), (10, 0.1)]);
    assert!(values(&rows, "speed/images_per_s").iter().all(|(_, value)| value.is_nan()));
}

#[test]
fn a_run_that_goes_on_had_not_ended() {
    let end = |step| {
        let text = format!(r#"{{"outcome":"stopped","step":{step},"train_seconds":1.0,"evaluation_seconds":0.0}}"#);
        Event::Finished(serde_json::from_str(&text).unwrap())
    };
    let (_home, path) =
        log(vec![Event::Started(started()), progress(10, 1.0), end(10), resumed(10, 2), progress(20, 2.0), end(20)]);
    assert_eq!(values(&rows(&path), "run/train_seconds"), [(20, 1.0)]);
}

#[test]
fn a_damaged_log_is_read_up_to_there_and_names_file_and_line() {
    // In a line that the first look passes over unread, and in one that it reads.
    for (number, what) in [(3, "progress"), (2, "lambda")] {
        let (_home, path) = log(vec![Event::Started(started()), lambda(5, 0.1), progress(10, 1.0), progress(20, 2.0)]);
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        let damaged = format!("{}}}", &lines[number - 1][..lines[number - 1].len() - 3]);
        lines[number - 1] = &damaged;
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let read: Vec<_> = Course::open(&path).unwrap().collect();
        assert_eq!(read.iter().filter(|record| record.is_ok()).count(), number - 1, "{what}");
        let error = read.last().unwrap().as_ref().unwrap_err();
        assert!(matches!(error, LogError::Malformed { line, .. } if *line == number as u64), "{what}: {error}");
        assert!(error.to_string().contains(&format!("events.jsonl, line {number}")), "{error}");
    }
}

#[test]
fn a_torn_last_line_is_left_out_and_what_comes_later_waits() {
    let (_home, path) = log(vec![Event::Started(started()), progress(10, 1.0), progress(20, 2.0)]);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 9]).unwrap();
    let mut course = Course::open(&path).unwrap();
    assert_eq!(course.tail(), Tail::Torn);
    // The line is completed, and more comes, while it is read.
    let said = Event::Said { source: Voice::Rematch, line: String::new() };
    fs::write(
        &path,
        text.into_bytes().into_iter().chain(line(&Record { seq: 3, at_ms: 9000, event: said }).unwrap()).collect::<Vec<_>>(),
    )
    .unwrap();
    assert_eq!(course.by_ref().map(Result::unwrap).map(|record| record.seq).collect::<Vec<_>>(), [0, 1]);
    assert!(course.next().is_none());
}

#[test]
fn nothing_whole_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("events.jsonl");
    fs::write(&path, "{\"seq\":0").unwrap();
    assert!(matches!(Course::open(&path), Err(LogError::Empty { .. })));
    fs::write(&path, "rubbish\n").unwrap();
    assert!(matches!(Course::open(&path), Err(LogError::Malformed { line: 1, .. })));
}
