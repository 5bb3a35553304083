//! Training on a folder of image files: kept in memory or streamed, resumed, and with a file that goes bad on the way.

#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

use crossbeam_channel::unbounded;
use rematch::config::{Augment, Config, DeviceChoice, check};
use rematch::protocol::event::{Event, Outcome, Warning};
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
