//! Where evaluations lie: `<run>/evaluations/<id>/` for the weights of a run, `evaluations/<file>-<sha256>/<id>/` for a lone model file.
//!
//! Names and settings only; what is in a journal is `train::audit::journal`'s, what is in a report `protocol::report`'s.

use super::calendar::stamp;
use super::recorder::now_ms;
use crate::disk::{self, Locking};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// What every folder of an evaluation begins with.
pub const SETTINGS: &str = "settings.json";
/// Batch by batch; whoever works there holds a lock on it.
pub const PROGRESS: &str = "progress.jsonl";
/// There once it is finished: `{"settings": ..., "report": ...}`.
pub const REPORT: &str = "report.json";
/// What two evaluations may differ in and still be one.
const MAY_DIFFER: &[&str] = &["program", "device", "batch", "model", "saves_images"];

/// The folder that holds all evaluations of a model file. `lone`: where those of files outside of runs are kept.
pub fn folder_of(model: &Path, sha256: &str, lone: &Path) -> PathBuf {
    if let Some(run) = run_of(model) {
        return within(&run);
    }
    let stem = model.file_stem().map_or_else(|| "model".into(), |s| s.to_string_lossy().into_owned());
    let short: String = sha256.chars().take(8).collect();
    lone.join(format!("{stem}-{short}"))
}

/// The folder of all evaluations of a run's weights.
pub fn within(run: &Path) -> PathBuf {
    run.join("evaluations")
}

/// The folder of the run whose weights these are, by where the file lies or lay: checkpoints are pruned, runs stay.
pub fn run_of(model: &Path) -> Option<PathBuf> {
    let absolute = fs::canonicalize(model).or_else(|_| std::path::absolute(model)).ok()?;
    absolute.ancestors().skip(1).find(|folder| folder.join("events.jsonl").is_file()).map(Path::to_path_buf)
}

/// A name that is free, `YYYYMMDD-HHMMSS-<attacks>`.
pub fn fresh(folder: &Path, attacks: &str) -> PathBuf {
    // `fab-t-100/3` is a name of an attack, not of a folder in a folder.
    let attacks = attacks.replace(|c: char| !(c.is_ascii_alphanumeric() || "-+~".contains(c)), "-");
    let base = format!("{}-{attacks}", stamp(now_ms()));
    (1..=u32::MAX)
        .map(|n| folder.join(if n == 1 { base.clone() } else { format!("{base}-{n}") }))
        .find(|path| fs::symlink_metadata(path).is_err())
        .expect("there are endless numbers")
}

/// Evaluations that were begun and not finished, the oldest first, with their settings.
pub fn unfinished(folder: &Path) -> Vec<(PathBuf, Value)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<(PathBuf, Value)> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| !path.join(REPORT).exists())
        .filter_map(|path| {
            let settings = serde_json::from_slice(&fs::read(path.join(SETTINGS)).ok()?).ok()?;
            Some((path, settings))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Whether a process works in the folder of an evaluation.
pub fn busy(folder: &Path) -> bool {
    let path = folder.join(PROGRESS);
    fs::File::open(&path).is_ok_and(|file| disk::lock_shared(&file, &path) == Locking::Others)
}

/// What differs between two evaluations' settings, each as `attacks: "pgd-20" there, "pgd-50" here`; empty when one can go on with
/// the other's work.
pub fn differences(there: &Value, here: &Value) -> Vec<String> {
    let empty = serde_json::Map::new();
    let (a, b) = (there.as_object().unwrap_or(&empty), here.as_object().unwrap_or(&empty));
    let mut names: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
    names.retain(|name| !MAY_DIFFER.contains(&name.as_str()));
    names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .map(|name| {
            // Members are long, and their names stand in `attacks`.
            let shown = |map: &serde_json::Map<String, Value>| match map.get(name) {
                None => "nothing".to_string(),
                Some(value) if value.to_string().chars().count() > 120 => "other settings".to_string(),
                Some(value) => value.to_string(),
            };
            format!("{name}: {} there, {} here", shown(a), shown(b))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn evaluations_of_a_run_lie_in_it_and_others_beside_their_hash() {
        let folder = tempfile::tempdir().unwrap();
        let run = fs::canonicalize(folder.path()).unwrap().join("a");
        fs::create_dir_all(run.join("checkpoints/last")).unwrap();
        let model = run.join("checkpoints/last/model.safetensors");
        fs::write(&model, "").unwrap();
        assert_eq!(folder_of(&model, "0123456789", Path::new("evaluations")), Path::new("evaluations/model-01234567"));
        fs::write(run.join("events.jsonl"), "").unwrap();
        assert_eq!(folder_of(&model, "0123456789", Path::new("evaluations")), run.join("evaluations"));
    }

    #[test]
    fn only_what_changes_numbers_must_agree() {
        let one = json!({"attacks": ["pgd-20"], "images": 100, "device": "cpu", "program": "a"});
        let mut two = json!({"attacks": ["pgd-20"], "images": 100, "device": "cuda:0", "program": "b", "batch": 7});
        assert!(differences(&one, &two).is_empty());
        two["images"] = json!(50);
        assert_eq!(differences(&one, &two), ["images: 100 there, 50 here"]);
    }

    #[test]
    fn an_evaluation_without_a_report_is_unfinished() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join(SETTINGS), "{\"seed\": 1}").unwrap();
        }
        fs::write(folder.path().join("a").join(REPORT), "{}").unwrap();
        fs::create_dir(folder.path().join("c")).unwrap();
        let found = unfinished(folder.path());
        assert_eq!(found.len(), 1);
        assert!(found[0].0.ends_with("b") && found[0].1["seed"] == 1);
        assert!(unfinished(&folder.path().join("nowhere")).is_empty());
        assert_ne!(fresh(folder.path(), "x"), folder.path().join("b"));
        assert_eq!(fresh(folder.path(), "fab-t-100/3+../x").parent(), Some(folder.path()));
    }
}
