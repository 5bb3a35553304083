//! `rematch eval` as a person runs it: several attacks, an interruption, going on, keeping images, and what it refuses.

use super::program::{Ended, Program, rematch};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const TEACHER: &str = "assets/teacher.safetensors";

/// On the shipped teacher; what it keeps goes to `home`.
fn command(home: &Path, options: &[&str]) -> Command {
    let mut command = rematch(&["eval", TEACHER, "--device", "cpu", "--threads", "1", "--evaluations", home.to_str().unwrap()]);
    command.args(options).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn run(home: &Path, options: &[&str]) -> Ended {
    Program::start(&mut command(home, options)).end()
}

fn json(home: &Path, options: &[&str]) -> Value {
    let ended = run(home, &[options, &["--json"]].concat());
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

/// The folders of evaluations, oldest first.
fn folders(home: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for model in std::fs::read_dir(home).unwrap() {
        found.extend(std::fs::read_dir(model.unwrap().path()).unwrap().map(|e| e.unwrap().path()));
    }
    found.sort();
    found
}

/// Without what says when and how long.
fn numbers(said: &Value) -> Value {
    let report = &said["report"];
    let attacks: Vec<Value> = report["attacks"].as_array().unwrap().iter().map(|a| a["adversarial"].clone()).collect();
    serde_json::json!([report["natural"], attacks, report["worst_case"], report["confusion"], report["curve"]])
}

#[test]
fn several_attacks_give_a_number_each_and_the_worst_case_over_all() {
    let home = tempfile::tempdir().unwrap();
    let options = ["--attack", "pgd,fgsm", "--attack", "square", "--steps", "8", "--images", "10", "--no-doubts"];
    let said = json(home.path(), &options);
    let attacks = said["report"]["attacks"].as_array().unwrap();
    let names: Vec<&str> = attacks.iter().map(|a| a["ensemble"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["pgd-8", "fgsm", "square-5000"], "--steps is not for fgsm and square where others have it");
    let least = attacks.iter().map(|a| a["adversarial"].as_f64().unwrap()).fold(1.0, f64::min);
    assert!(said["adversarial_accuracy"].as_f64().unwrap() <= least && said["natural_accuracy"].as_f64().unwrap() >= least);
    assert_eq!(said["seen_in_training"], false);
    let text = run(home.path(), &["--attack", "pgd,fgsm", "--steps", "8", "--images", "60", "--curve"]);
    assert_eq!(text.code, Some(0), "{text:?}");
    for part in
        ["worst case", "95 % interval", "not seen in training", "curve", "looked for", "pgd (8 steps of 0.03125, random start"]
    {
        assert!(text.out.contains(part), "'{part}' is not in\n{}", text.out);
    }
}

#[test]
fn an_interruption_keeps_what_is_finished_and_resume_goes_on() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options =
        ["--attack", "apgd-ce,fab-t", "--steps", "40", "--targets", "2", "--images", "60", "--batch", "10", "--no-doubts"];
    let whole = json(other.path(), &options);
    for signal in [Signal::INT, Signal::KILL] {
        let program = Program::start(&mut command(home.path(), &options));
        // Once the first batches are written down.
        let begin = std::time::Instant::now();
        let written = || {
            folders(home.path()).last().is_some_and(|f| std::fs::metadata(f.join("progress.jsonl")).is_ok_and(|m| m.len() > 0))
        };
        while !home.path().join(".").read_dir().unwrap().any(|e| e.is_ok()) || !written() {
            assert!(begin.elapsed() < std::time::Duration::from_mins(1), "nothing is written down");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        program.send(signal);
        let ended = program.end();
        if signal != Signal::KILL {
            assert_eq!(ended.code, Some(130), "{ended:?}");
            assert!(ended.err.contains("interrupted") && ended.err.contains("--resume goes on"), "{}", ended.err);
        }
        let folder = folders(home.path()).pop().unwrap();
        assert!(!folder.join("report.json").exists());
        let told = run(home.path(), &["--attack", "pgd", "--steps", "1", "--images", "5", "--resume"]);
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(
            told.err.contains("has other settings") && told.err.contains("attacks:") && told.err.contains("images:"),
            "{}",
            told.err
        );
        // Another size of the batch is no other evaluation.
        let resumed = json(home.path(), &[&options[..8], &["--batch", "7", "--no-doubts", "--resume"]].concat());
        assert_eq!(numbers(&resumed), numbers(&whole));
        assert_eq!(resumed["folder"], folder.display().to_string());
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn kept_images_are_measured_on_what_was_stored() {
    let home = tempfile::tempdir().unwrap();
    let said = json(home.path(), &["--attack", "apgd-ce", "--steps", "5", "--images", "40", "--save", "--curve"]);
    let stored = &said["stored"];
    let largest = stored["largest_norm"].as_f64().unwrap();
    assert!(largest > 0.05 && largest <= 0.1 + 1e-6, "{stored}");
    assert!(stored["lowest_pixel"].as_f64().unwrap() >= 0.0 && stored["highest_pixel"].as_f64().unwrap() <= 1.0);
    let fooled = said["report"]["attacks"][0]["stages"][0]["fooled"].as_u64().unwrap();
    assert_eq!(stored["images"].as_u64().unwrap(), fooled);
    let bytes = std::fs::read(stored["file"].as_str().unwrap()).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("images").unwrap().shape(), [fooled as usize, 1, 28, 28]);
}

#[test]
fn every_image_is_kept_with_what_the_numbers_come_from() {
    let home = tempfile::tempdir().unwrap();
    let options = ["--attack", "pgd,fgsm", "--steps", "5", "--images", "60", "--save-all", "--no-doubts"];
    let said = json(home.path(), &options);
    let bytes = std::fs::read(said["everything"]["file"].as_str().unwrap()).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), safetensors::Dtype::F32, "{name}");
        tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let wholes = |name: &str| -> Vec<i64> {
        let tensor = file.tensor(name).unwrap();
        assert_eq!((tensor.dtype(), tensor.shape()), (safetensors::Dtype::I64, &[60][..]), "{name}");
        tensor.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect()
    };
    assert_eq!(
        (file.tensor("images").unwrap().shape(), file.tensor("logits").unwrap().shape()),
        (&[60, 1, 28, 28][..], &[60, 10][..])
    );

    // As another program would: from the logits and labels alone.
    let labels = wholes("labels");
    let answers = |logits: &[f32]| -> Vec<i64> {
        let largest = |row: &[f32]| (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as i64;
        logits.chunks_exact(10).map(largest).collect()
    };
    let (clean, attacked) = (answers(&floats("logits")), answers(&floats("adversarial_logits")));
    assert_eq!((&clean, &attacked), (&wholes("predictions"), &wholes("adversarial_predictions")));
    let natural = (0..60).filter(|&i| clean[i] == labels[i]).count();
    let robust = (0..60).filter(|&i| clean[i] == labels[i] && attacked[i] == labels[i]).count();
    assert!(robust < natural, "some must be fooled for this to say anything");
    assert_eq!(said["natural_accuracy"].as_f64().unwrap(), natural as f64 / 60.0);
    assert_eq!(said["adversarial_accuracy"].as_f64().unwrap(), robust as f64 / 60.0);
    assert_eq!(said["everything"]["differing"], 0);

    // The images are those of the split, and the attacked ones lie in the ball.
    let data = rematch::data::embedded::parse(&std::fs::read(rematch::data::embedded::FILE).unwrap()).unwrap();
    let rematch::data::Portion::Resident(test) = &data.test else { panic!("kept in memory") };
    let (images, adversarial) = (floats("images"), floats("adversarial"));
    for (row, &place) in wholes("places").iter().enumerate() {
        assert_eq!(labels[row], i64::from(test.labels[place as usize]));
        let at = row * 784..(row + 1) * 784;
        let stored: Vec<u8> = images[at.clone()].iter().map(|v| (v * 255.0).round() as u8).collect();
        assert_eq!(stored, test.image(place as usize), "image {place}");
        let far = images[at.clone()].iter().zip(&adversarial[at]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let stands = clean[row] != labels[row] || attacked[row] == labels[row];
        assert!(far <= 0.1 + 1e-6 && stands == (far == 0.0), "image {place}: {far}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_refused_with_what_can() {
    let home = tempfile::tempdir().unwrap();
    for (options, parts) in [
        (&["--eps", "8"][..], &["--eps 8 is out of range", "did you mean 8/255?"][..]),
        (&["--eps=-0.1"], &["--eps -0.1 is out of range", "0 to 1"]),
        (&["--attack", "apgd"], &["apgd-ce", "autoattack-plus"]),
        (&["--attack", "autoattack", "--steps", "5"], &["autoattack has fixed settings", "--steps"]),
        (&["--attack", "fgsm", "--steps", "5"], &["fgsm is one step", "--steps"]),
        (&["--attack", "apgd-ce", "--step-size", "0.1"], &["--step-size is pgd's"]),
        (&["--attack", "square", "--targets", "2"], &["--targets is for apgd-t and fab-t"]),
        (&["--attack", "fgsm,autoattack", "--steps", "5"], &["--steps: none of fgsm, autoattack can be told it"]),
        (&["--attack", "pgd,pgd"], &["--attack pgd is given twice"]),
        (&["--batch", "0"], &["--batch"]),
        (&["--resume"], &["--resume: no evaluation of this model was interrupted"]),
        (&["--images", "3000"], &["--images 3000 is more than the 2000 images"]),
        (&["--teacher-too"], &["--teacher-too: this run has no teacher"]),
    ] {
        let ended = run(home.path(), options);
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{ended:?}");
        for part in parts {
            assert!(ended.err.contains(part), "'{part}' is not in {}", ended.err);
        }
    }
    assert!(!home.path().exists() || std::fs::read_dir(home.path()).unwrap().next().is_none(), "nothing is left behind");
}

#[test]
fn more_targets_than_wrong_classes_are_reduced_and_said() {
    let home = tempfile::tempdir().unwrap();
    let ended = run(home.path(), &["--attack", "fab-t", "--steps", "2", "--targets", "12", "--images", "10", "--no-doubts"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("--targets 12 is more than the 9 wrong classes"), "{}", ended.err);
}
