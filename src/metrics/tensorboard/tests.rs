//! What event files hold, byte by byte and event by event, live and exported; and what becomes of them where a disk fails.

use super::live::{self, Place};
use super::wire::{self, Event, Held, Hparams, HparamsData, What};
use super::{Board, BoardError, EventFile, There, export, held_by, is_free};
use crate::metrics::Course;
use crate::metrics::tests::demo;
use crate::protocol::event::Resumed;
use crate::protocol::{Event as Told, Record};
use crate::run::recorder::Recorder;
use crate::run::replay::read_log;
use crossbeam_channel::{bounded, unbounded};
use prost::Message as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The frames of a file, checked as TensorFlow's reader checks them.
fn read(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).unwrap();
    let sum = |bytes: &[u8]| {
        let crc = crc32c::crc32c(bytes);
        crc.rotate_right(15).wrapping_add(0xa282_ead8)
    };
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut events) = (0, Vec::new());
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        assert_eq!(number(at + 8), sum(&bytes[at..at + 8]), "the length's checksum at {at}");
        let body = &bytes[at + 12..at + 12 + length];
        assert_eq!(number(at + 12 + length), sum(body), "the event's checksum at {at}");
        events.push(Event::decode(body).unwrap());
        at += 16 + length;
    }
    events
}

fn records() -> Vec<Record> {
    read_log(&demo()).unwrap().map(Result::unwrap).collect()
}

fn scalars(events: &[Event], tag: &str) -> Vec<(i64, f32)> {
    values(events, tag)
        .filter_map(|(step, held)| if let Held::Simple(value) = held { Some((step, value)) } else { None })
        .collect()
}

fn values<'a>(events: &'a [Event], tag: &'a str) -> impl Iterator<Item = (i64, Held)> + 'a {
    events.iter().flat_map(move |event| {
        let Some(What::Summary(summary)) = &event.what else { return Vec::new() };
        summary.value.iter().filter(|value| value.tag == tag).map(|value| (event.step, value.held.clone().unwrap())).collect()
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    held_by(folder).into_iter().map(|name| folder.join(name)).collect()
}

fn record(recorder: &Recorder, records: Vec<Record>) {
    for record in records {
        recorder.record(record.event).unwrap();
    }
}

/// Waits for what a thread does.
fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10)); // nothing wakes us; the deadline decides
    }
}

#[test]
fn an_export_has_scalars_pictures_settings_and_the_config() {
    let home = tempfile::tempdir().unwrap();
    let done = export(&mut Course::open(&demo()).unwrap(), home.path(), There::Keep).unwrap();
    assert!(done.damage.is_none());
    assert_eq!(files(home.path()), std::slice::from_ref(&done.file));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left beside it");
    let events = read(&done.file);
    assert_eq!(events.len() as u64, done.events + 1);
    assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".into())));
    assert_eq!(scalars(&events, "lambda"), [(0, 0.005), (422, 0.5), (507, 0.005)]);
    assert_eq!(scalars(&events, "probe/natural_accuracy").len(), 24);
    let first = events.iter().find(|event| matches!(event.what, Some(What::Summary(_)))).unwrap();
    assert_eq!(first.wall_time, 1_795_708_980.95);
    // Before and under attack, in the sizes of the images.
    for what in ["natural", "under attack"] {
        let tag = format!("gallery/fooled/1/{what}");
        let found: Vec<_> = values(&events, &tag).collect();
        let [(602, Held::Image(picture))] = &found[..] else { panic!("{found:?}") };
        let decoded = image::load_from_memory(&picture.encoded).unwrap();
        assert_eq!((decoded.width(), decoded.height(), picture.colorspace), (28, 28, 1));
    }
    let [natural, attacked] = ["natural", "under attack"].map(|what| {
        let tag = format!("gallery/fooled/1/{what}");
        let Some((_, Held::Image(picture))) = values(&events, &tag).next() else { panic!("no {tag}") };
        image::load_from_memory(&picture.encoded).unwrap().into_luma8().into_raw()
    });
    let largest = natural.iter().zip(&attacked).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!((1..=26).contains(&largest), "an L-inf radius of 0.1 is 25.5 of 255, and {largest} was found");
    let Some((0, Held::Tensor(text))) = values(&events, "config/text_summary").next() else { panic!("no config") };
    let config = String::from_utf8(text.strings[0].clone()).unwrap();
    assert!(config.starts_with("```\nseed = 0\n") && config.contains("lambda = 0.005"), "{config}");
}

#[test]
fn hyper_parameters_are_the_config_and_the_end_is_told() {
    let mut board = Board::default();
    let events: Vec<Event> = records().iter().flat_map(|record| board.events(record)).collect();
    let told = |tag: &str| {
        events.iter().find_map(|event| {
            let Some(What::Summary(summary)) = &event.what else { return None };
            let value = summary.value.iter().find(|value| value.tag == tag)?;
            HparamsData::decode(&*value.metadata.clone()?.plugin_data?.content).unwrap().what
        })
    };
    let Some(Hparams::Experiment(experiment)) = told("_hparams_/experiment") else { panic!("no experiment") };
    let Some(Hparams::Start(start)) = told("_hparams_/session_start_info") else { panic!("no start") };
    let known: Vec<&String> = experiment.hparams.iter().map(|info| &info.name).collect();
    assert!(start.hparams.keys().all(|name| known.contains(&name)), "every setting is announced");
    assert_eq!(
        experiment.hparams.iter().filter(|info| info.differs).count(),
        7,
        "each of those that are shown at first is a key"
    );
    let set = |name: &str| start.hparams[name].set.clone().unwrap();
    assert_eq!(set("method.lambda"), wire::Set::Number(0.005));
    assert_eq!(set("method.name"), wire::Set::Text("rrm".into()));
    assert_eq!(set("train.nesterov"), wire::Set::Bool(true));
    assert_eq!(set("train.schedule.peak"), wire::Set::Number(0.4));
    let metrics: Vec<String> = experiment.metrics.into_iter().map(|metric| metric.name.unwrap().tag).collect();
    for tag in &metrics {
        assert!(!scalars(&events, tag).is_empty(), "{tag} is announced and never told");
    }
    let Some(Hparams::End(end)) = told("_hparams_/session_end_info") else { panic!("no end") };
    assert_eq!((end.status, end.end_time), (wire::SUCCESS, 1_795_709_007.998));
}

#[test]
fn a_resumed_run_voids_the_steps_behind_its_start() {
    let mut board = Board::default();
    let mut all = records();
    let Told::Started(mut again) = all[0].event.clone() else { panic!("it begins with a start") };
    again.from_step = 71;
    again.resumed = Some(Resumed { checkpoint: None, from_seq: 12, again: 0, remade: 0 });
    all.truncate(20);
    all.push(Record { seq: 20, at_ms: 1_795_708_999_000, event: Told::Started(again.clone()) });
    let starts = |events: &[Event]| {
        let start = |event: &&Event| matches!(event.what, Some(What::SessionLog(_)));
        events.iter().filter(start).map(|event| event.step).collect::<Vec<_>>()
    };
    let whole: Vec<Event> = all.iter().flat_map(|record| board.events(record)).collect();
    assert_eq!(starts(&whole), [0, 72]);
    // As the process sees it that goes on in a new file: settings and config once more.
    let alone = Board::default().events(&Record { seq: 20, at_ms: 0, event: Told::Started(again) });
    assert_eq!(starts(&alone), [72]);
    assert_eq!(values(&alone, "config/text_summary").count(), 1);
}

#[test]
fn a_folder_holds_one_run() {
    let home = tempfile::tempdir().unwrap();
    let write = |there| export(&mut Course::open(&demo()).unwrap(), home.path(), there);
    let first = write(There::Keep).unwrap().file;
    assert!(matches!(write(There::Keep), Err(BoardError::Taken { .. })));
    assert!(is_free(home.path()).unwrap_err().to_string().contains("name another folder"));
    let second = write(There::Replace).unwrap().file;
    assert!(second > first);
    assert_eq!(files(home.path()), [second]);
    fs::write(home.path().join("events.out.tfevents.1.other"), "").unwrap();
    assert!(matches!(write(There::Replace), Err(BoardError::Taken { .. })), "others' files are not ours to replace");
    assert!(is_free(&home.path().join("nowhere")).is_ok());
}

#[test]
fn what_could_not_be_written_is_written_later() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("tensorboard");
    fs::write(&folder, "in the way").unwrap();
    let mut file = EventFile::growing(&folder);
    let mut board = Board::default();
    for record in records().iter().take(30) {
        for event in board.events(record) {
            file.add(&event);
        }
        file.flush().unwrap_err();
    }
    fs::remove_file(&folder).unwrap();
    file.flush().unwrap();
    let path = file.finish().unwrap();
    let mut again = Board::default();
    let expected: Vec<Event> = records().iter().take(30).flat_map(|record| again.events(record)).collect();
    assert_eq!(read(&path)[1..], expected);
}

#[test]
fn a_live_run_is_written_while_it_trains_as_an_export_would_be() {
    let home = tempfile::tempdir().unwrap();
    let folder = Place::WithTheRun.folder(home.path());
    let mut times: Vec<u64> = records().iter().map(|record| record.at_ms).rev().collect();
    let recorder = Recorder::to_writer(std::io::sink(), move || times.pop().unwrap_or(0));
    let live = live::spawn(&recorder, folder.clone(), 0, |said| panic!("{said}"));
    let mut all = records();
    let rest = all.split_off(60);
    record(&recorder, all);
    let path = until("a file", || files(&folder).pop());
    // It is there before the run goes on.
    let early = until("its events", || fs::read(&path).ok().filter(|bytes| bytes.len() > 1000).map(|_| read(&path)));
    assert!(early.iter().all(|event| event.step <= 500));
    record(&recorder, rest);
    drop((live, recorder));
    let exported = export(&mut Course::open(&demo()).unwrap(), &home.path().join("exported"), There::Keep).unwrap();
    assert_eq!(read(&path), read(&exported.file));
}

#[test]
fn a_run_that_goes_on_has_a_file_of_its_own_behind_the_first() {
    let home = tempfile::tempdir().unwrap();
    let Told::Started(mut again) = records()[0].event.clone() else { panic!("it begins with a start") };
    let first = export(&mut Course::open(&demo()).unwrap(), home.path(), There::Keep).unwrap().file;
    again.from_step = 639;
    again.resumed = Some(Resumed { checkpoint: None, from_seq: 100, again: 213, remade: 0 });
    let count = records().len() as u64;
    // The second process begins within the same second, and its clock is set back.
    let recorder = Recorder::to_writer(std::io::sink(), || 1_000);
    record(&recorder, records());
    recorder.record(Told::Started(again)).unwrap();
    let live = live::spawn(&recorder, home.path().to_path_buf(), count, |said| panic!("{said}"));
    until("the second file", || files(home.path()).get(1).cloned());
    drop((live, recorder));
    let found = files(home.path());
    assert_eq!((found.len(), &found[0]), (2, &first), "TensorBoard reads them in the order of their names");
    let events = read(&found[1]);
    assert!(matches!(events[1].what, Some(What::SessionLog(_))) && events[1].step == 640, "{:?}", events[1]);
    assert!(scalars(&events, "probe/natural_accuracy").is_empty(), "what the first file has is not told again");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_once_and_ends_nothing() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("in the way");
    fs::write(&folder, "").unwrap();
    let (say, said) = unbounded();
    let recorder = Recorder::to_writer(std::io::sink(), || 0);
    let live = live::spawn(&recorder, folder.clone(), 0, move |line| drop(say.send(line)));
    let mut all = records();
    let end = all.pop().unwrap();
    record(&recorder, all);
    let line = said.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(line.contains("in the way") && line.contains("training goes on"), "{line}");
    recorder.record(end.event).unwrap();
    drop((live, recorder));
    assert!(said.try_recv().is_err(), "it is told once");
}

#[test]
fn a_run_whose_worker_fell_silent_is_not_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let recorder = Recorder::to_writer(std::io::sink(), || 0);
    let live = live::spawn(&recorder, home.path().join("board"), 0, |_| {});
    recorder.record(records().remove(0).event).unwrap();
    let (done, waited) = bounded(1);
    std::thread::spawn(move || {
        drop(live);
        let _ = done.send(());
    });
    waited.recv_timeout(Duration::from_secs(10)).expect("the end does not wait for a word that never comes");
    assert_eq!(files(&home.path().join("board")).len(), 1, "what was told is written");
}
