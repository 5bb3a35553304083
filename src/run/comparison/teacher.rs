//! What a run's teacher cost, by the run it came from or by what its file says, and the evaluations of it.
//!
//! A time that nobody wrote down is unknown, never nothing. One level only: a teacher's own teacher is remarked on, not added up.

use super::evidence::{self, Evidence, Found};
use crate::protocol::event::{TeacherFacts, Whose};
use crate::pytorch;
use crate::run::store::RunFolder;
use crate::run::{evaluations, listing};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How long the teacher was trained, where that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    pub seconds: Option<f64>,
    pub remarks: Vec<String>,
}

/// What its file says of the making of a model; nothing where there is no such file or it says nothing.
pub fn provenance(model: &Path) -> Value {
    let texts = pytorch::metadata(model).unwrap_or_default();
    texts.get("provenance").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

pub fn cost(teacher: &TeacherFacts) -> Cost {
    let path = Path::new(&teacher.path);
    let unknown =
        |why: &str| Cost { seconds: None, remarks: vec![format!("the training time of {} is not known{why}", teacher.path)] };
    if let Some(run) = evaluations::run_of(path) {
        return of_run(&run, path).unwrap_or_else(|why| unknown(&format!(": {why}")));
    }
    let made = provenance(path);
    match made["train_seconds"].as_f64().filter(|seconds| *seconds >= 0.0) {
        Some(seconds) => {
            let mut remarks = own_teacher(!made["teacher"].is_null(), &teacher.path);
            // Of a file whose own time nobody wrote down.
            let of = made["train_seconds_of"].as_str();
            remarks.extend(of.map(|of| format!("the training time of {} ({seconds:.1} s) is that of {of}", teacher.path)));
            Cost { seconds: Some(seconds), remarks }
        }
        None => unknown(""),
    }
}

/// Of several teachers: all of them, or nothing where that of one is not known.
pub fn cost_of_all(first: &TeacherFacts, others: &[TeacherFacts]) -> Cost {
    others.iter().map(cost).fold(cost(first), |mut all, one| {
        all.seconds = all.seconds.zip(one.seconds).map(|(a, b)| a + b);
        all.remarks.extend(one.remarks);
        all
    })
}

fn of_run(run: &Path, model: &Path) -> Result<Cost, String> {
    let folder = RunFolder::open(run, run).map_err(|error| error.to_string())?;
    let (summary, state) = listing::read(&folder)?;
    let finished = state.finished.as_ref().ok_or_else(|| format!("the run {} has not ended", run.display()))?;
    let mut remarks = own_teacher(summary.teacher.is_some(), &summary.id);
    if let Some(step) = evidence::step_of(model).filter(|&step| step < finished.step) {
        let all = finished.step;
        remarks.push(format!(
            "its teacher is the checkpoint at step {step} of {all} of {}; the time of all of them counts",
            summary.id
        ));
    }
    Ok(Cost { seconds: Some(finished.train_seconds), remarks })
}

fn own_teacher(had: bool, name: &str) -> Vec<String> {
    if had { vec![format!("its teacher {name} had a teacher itself, whose time is not counted")] } else { Vec::new() }
}

/// What was measured of the teacher, for whichever student: in the run's own folder, and where evaluations of the teacher's file go.
/// `lone`: where those of files outside of runs are kept.
pub fn evaluated(teacher: &TeacherFacts, run: &Path, of_student: &[Found], lone: &Path) -> Evidence {
    let path = Path::new(&teacher.path);
    let sha256 = checksum(path);
    let is_it = |found: &Found| match &sha256 {
        Some(sha256) => found.sha256 == *sha256,
        None => found.model == path,
    };
    let mut evidence = Evidence::default();
    evidence.found.extend(of_student.iter().filter(|f| f.report.of == Whose::Teacher && !lies_in(&f.model, run)).cloned());
    let elsewhere = evidence::gather(&evaluations::folder_of(path, sha256.as_deref().unwrap_or_default(), lone));
    evidence.found.extend(elsewhere.found.into_iter().filter(is_it));
    evidence.remarks = elsewhere.remarks;
    evidence.found.sort_by(|a, b| a.folder.file_name().cmp(&b.folder.file_name()));
    evidence
}

/// Whether a file is one of the run's own.
pub fn lies_in(model: &Path, run: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_path_buf());
    whole(model).starts_with(whole(run)) || model.starts_with(run)
}

fn checksum(path: &Path) -> Option<String> {
    // A pipe would make this wait for ever.
    let mut file: File = path.is_file().then(|| File::open(path).ok())??;
    let (mut sum, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).ok()? {
            0 => return Some(format!("{:x}", sum.finalize())),
            n => sum.update(&buffer[..n]),
        }
    }
}
