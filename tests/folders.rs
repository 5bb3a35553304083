//! Training on a folder of image files: kept in memory or streamed, resumed, and with a file that goes bad on the way.

#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

use crossbeam_channel::unbounded;
use rematch::config::{Augment, Config, DeviceChoice, ValidationSplit, check};
use rematch::protocol::event::{Event, Outcome, Warning};
use rematch::run::history;
use rematch::run::recorder::Recorder;
use rematch::run::store::RunFolder;
use rematch::train::{Options, prepare};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// 24 training images and 4 test images in two classes, one reddish and one bluish, larger than what the network sees.
fn tree() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (part, images) in [("train", 12), ("test", 2)] {
        for (c, class) in ["red", "blue"].into_iter().enumerate() {
            let home = folder.path().join(part).join(class);
            std::fs::create_dir_all(&home).unwrap();
            for i in 0..images {
                let colour = |x: u32, y: u32| {
                    let mut pixel = [(x * 4 + i * 9) as u8, (y * 5) as u8, (x * y) as u8];
                    pixel[2 * c] = 230;
                    image::Rgb(pixel)
                };
                image::RgbImage::from_fn(44, 40, colour).save(home.join(format!("{i:02}.jpg"))).unwrap();
            }
        }
    }
    folder
}

fn config(folder: &Path, set: &[&str]) -> Config {
    let text = format!(
        "[data]\nsource = 'folder'\npath = '{}'\nsize = 32\nresize = 36\nvalidation = 4\n[student]\nnetwork = 'small'\n\
         [method]\nname = 'erm'\n[threat]\neps = '8/255'\n[train]\nepochs = 2\nbatch = 6\nlr = 0.05\n[probe]\nsteps = 1\n\
         [evaluation]\nsteps = 1\n",
        folder.display()
    );
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    check::read(&text, Path::new("x.toml"), &set).unwrap()
}

struct Ended {
    outcome: Outcome,
    warned: Vec<String>,
    losses: Vec<String>,
    checkpoints: PathBuf,
    _folder: TempDir,
}

impl Ended {
    fn weights(&self, step: u64) -> Vec<u8> {
        let bytes = std::fs::read(self.checkpoints.join(format!("step-{step:08}/model.safetensors"))).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: Vec<(String, Vec<u8>)> = file.tensors().into_iter().map(|(n, t)| (n, t.data().to_vec())).collect();
        tensors.sort();
        tensors.into_iter().flat_map(|(_, bytes)| bytes).collect()
    }
}

/// `before`: done when everything is prepared and nothing is trained.
fn train(config: Config, resume: Option<PathBuf>, before: impl FnOnce()) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let data = rematch::data::load(&config.data).unwrap();
    let options = Options { device: DeviceChoice::Cpu, threads: Some(1), resume, ..Options::default() };
    let prepared = prepare(config, data, options).unwrap();
    before();
    let folder = RunFolder::create(dir.path(), Some("r"), "r", "").unwrap();
    let recorder = Recorder::create(&folder).unwrap();
    let (_ask, requests) = unbounded();
    let records = recorder.subscribe();
    let thread = prepared.begin(&folder, recorder, requests);
    let (mut outcome, mut warned, mut losses) = (None, Vec::new(), Vec::new());
    for record in records {
        match &record.event {
            Event::Warned { kind: Warning::Data, message, .. } => warned.push(message.clone()),
            Event::Evaluated(e) => losses.push(format!("{} {}", e.natural, e.adversarial)),
            Event::Finished(finished) => outcome = Some(finished.outcome.clone()),
            _ => {}
        }
    }
    thread.join().unwrap();
    Ended { outcome: outcome.unwrap(), warned, losses, checkpoints: folder.checkpoints(), _folder: dir }
}

#[test]
fn streamed_images_train_to_the_same_weights_as_those_in_memory() {
    let folder = tree();
    let set = ["data.augment=crop-flip-color"];
    let resident = train(config(folder.path(), &set), None, || {});
    let streamed = train(config(folder.path(), &[set[0], "data.storage=stream"]), None, || {});
    assert_eq!((&resident.outcome, &streamed.outcome), (&Outcome::Completed, &Outcome::Completed));
    assert!(resident.weights(8) == streamed.weights(8));
    assert_eq!((resident.losses.len(), &resident.losses), (3, &streamed.losses));
    assert_eq!(resident.warned, [""; 0]);
}

#[test]
fn a_streamed_run_goes_on_from_a_checkpoint_to_the_same_weights() {
    let folder = tree();
    let config = config(folder.path(), &["data.storage=stream", "data.augment=imagenet"]);
    assert_eq!(config.data.augment, Augment::Imagenet);
    let through = train(config.clone(), None, || {});
    let resumed = train(config, Some(through.checkpoints.join("step-00000004")), || {});
    assert!(through.weights(8) == resumed.weights(8));
}

#[test]
fn a_file_that_goes_bad_while_training_is_named() {
    let folder = tree();
    let bad = folder.path().join("train/red/03.jpg");
    let spoil = || std::fs::write(&bad, "no image").unwrap();
    let whole = std::fs::read(&bad).unwrap();
    let stopped = train(config(folder.path(), &["data.storage=stream"]), None, spoil);
    let Outcome::Failed { message } = &stopped.outcome else { panic!("{:?}", stopped.outcome) };
    assert!(message.starts_with(&format!("{}: is no JPEG, PNG or WebP image; repair", bad.display())), "{message}");

    std::fs::write(&bad, whole).unwrap();
    let skipped = train(config(folder.path(), &["data.storage=stream", "data.faulty=skip"]), None, spoil);
    assert_eq!(skipped.outcome, Outcome::Completed);
    assert!(skipped.warned.len() == 1 && skipped.warned[0].contains("03.jpg is no JPEG"), "{:?}", skipped.warned);
    // In memory it is left out before training, which is told too.
    let left_out = train(config(folder.path(), &["data.faulty=skip"]), None, || {});
    assert!(
        left_out.warned.len() == 1 && left_out.warned[0].starts_with("1 of 28 images cannot be read"),
        "{:?}",
        left_out.warned
    );
}

/// Takes every field of this name away, wherever it stands.
fn forget(value: &mut serde_json::Value, name: &str) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.remove(name);
            fields.values_mut().for_each(|value| forget(value, name));
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(|value| forget(value, name)),
        _ => {}
    }
}

#[test]
fn a_run_of_an_earlier_version_keeps_its_split() {
    let folder = tree();
    // What such a run leaves: neither its log nor its config names a split, and the last names were held out.
    let then = config(folder.path(), &["data.split=last-names", "data.storage=stream"]);
    let through = train(then.clone(), None, || {});
    let run = through.checkpoints.parent().unwrap();
    let log = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
    let log: Vec<String> = log
        .lines()
        .map(|line| {
            let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
            if let Some(started) = record["event"].get_mut("started") {
                forget(started, "split");
            }
            record.to_string()
        })
        .collect();
    std::fs::write(run.join("events.jsonl"), log.join("\n") + "\n").unwrap();
    let text = check::to_toml(&then);
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("split")).collect();
    std::fs::write(run.join("config.toml"), text.join("\n")).unwrap();

    // As resume and repeat read it, and as fork does.
    let read = history::read(&RunFolder::open(run.parent().unwrap(), Path::new("r")).unwrap()).unwrap().started;
    assert_eq!((&read.config, read.data.split), (&then, None));
    assert_eq!(check::load_written(&run.join("config.toml"), &[]).unwrap(), then);
    let resumed = train(read.config, Some(through.checkpoints.join("step-00000004")), || {});
    assert!(through.weights(8) == resumed.weights(8));
    let data = rematch::data::load(&then.data).unwrap();
    let rematch::data::Portion::Streamed(held) = &data.validation else { panic!("asked to be streamed") };
    assert!(held.paths.iter().all(|path| path.ends_with("10.jpg") || path.ends_with("11.jpg")), "{:?}", held.paths);

    // A new run of the same words draws, and what is written says so.
    let now = check::load(&run.join("config.toml"), &[]).unwrap();
    assert_eq!(now.data.files.as_ref().unwrap().split, ValidationSplit::Seeded { seed: 0 });
    std::fs::write(run.join("config.toml"), check::to_toml(&now)).unwrap();
    assert_eq!(check::load_written(&run.join("config.toml"), &[]).unwrap(), now);
}

fn remarks(config: Config, options: Options) -> Vec<String> {
    let data = rematch::data::load(&config.data).unwrap();
    let options = Options { device: DeviceChoice::Cpu, threads: Some(1), ..options };
    prepare(config, data, options).unwrap().remarks
}

#[test]
fn a_teacher_or_a_parent_with_another_split_is_named_when_the_run_starts() {
    let folder = tree();
    let made = train(config(folder.path(), &["data.split_seed=1", "train.epochs=1"]), None, || {});
    let teacher = format!("teacher.checkpoint={}", made.checkpoints.join("step-00000004").display());
    let with = |set: &[&str]| config(folder.path(), &[&["method.name=kd", &teacher], set].concat());
    let said = remarks(with(&[]), Options::default());
    assert!(said.len() == 1 && said[0].contains("split otherwise (seeded, seed 1, 4 held out)"), "{said:?}");
    assert_eq!(remarks(with(&["data.split_seed=1"]), Options::default()), [""; 0]);
    // The teacher's file says which files there were.
    std::fs::copy(folder.path().join("train/red/00.jpg"), folder.path().join("train/red/new.jpg")).unwrap();
    let said = remarks(with(&["data.split_seed=1"]), Options::default());
    assert!(said.len() == 1 && said[0].contains("have changed since the teacher was trained"), "{said:?}");

    let parent = config(folder.path(), &["data.split_seed=1"]);
    let fork =
        Options { resume: Some(made.checkpoints.join("step-00000004")), branch: Some(Box::new(parent)), ..Options::default() };
    let said = remarks(config(folder.path(), &[]), fork);
    assert!(said.len() == 1 && said[0].contains("than its parent's (seeded, seed 1"), "{said:?}");
}

#[test]
fn fewer_images_than_asked_for_are_said_before_the_first_step() {
    let folder = tree();
    let (train, home) = (folder.path().join("train"), folder.path().join("valid"));
    for class in ["red", "blue"] {
        std::fs::create_dir_all(home.join(class)).unwrap();
        std::fs::rename(train.join(class).join("11.jpg"), home.join(class).join("11.jpg")).unwrap();
    }
    let path = format!("data.validation_path={}", home.display());
    let said = remarks(config(folder.path(), &[&path, "evaluation.images=50"]), Options::default());
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("probe.images = 500, and there are 2 validation images"), "{said:?}");
    assert!(said[1].starts_with("evaluation.images = 50, and there are 4 test images"), "{said:?}");
}
