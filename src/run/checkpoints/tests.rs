//! Checkpoints of made-up bytes, damaged in every way that a disk or a person can.

use super::*;
use crate::config::Norm;
use crate::protocol::Flow;

fn state(step: Step, reason: Reason) -> State {
    let controls = Controls {
        lambda: 0.1,
        lr_scale: 1.0,
        eps: Eps(0.1),
        norm: Norm::Linf,
        flow: Flow::Running,
        attack_steps: 0,
        step_size: Eps(0.0),
        temperature: 0.0,
        alpha: 0.0,
        beta: 0.0,
        probes: 1,
    };
    State {
        format: FORMAT,
        step,
        controls,
        reason,
        probed: None,
        best: None,
        changes: 0,
        train_seconds: 1.0,
        evaluation_seconds: 0.0,
        watched: Watched::default(),
        scheduled: Vec::new(),
        seq: 0,
        steps_per_epoch: 10,
        spoiled_at: None,
        robust_set: None,
    }
}

pub(super) fn found(step: Step, reason: Reason, adversarial: Option<f64>) -> Found {
    let probed = adversarial.map(|adversarial| Probed { step, natural: 0.9, adversarial, eps: Eps(0.1) });
    Found {
        path: PathBuf::from(name_of(step)),
        state: State { probed, ..state(step, reason) },
        pinned: Pinned::No,
        bytes: 0,
        saved_at_ms: None,
    }
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![(MODEL, b"weights".to_vec()), (OPTIMIZER, b"momentum".to_vec())]
}

fn saved(folder: &Path, step: Step) -> PathBuf {
    write(folder, &state(step, Reason::Periodic), &files()).unwrap().path
}

#[test]
fn what_was_written_is_read_and_any_changed_byte_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), 10);
    verify(&path).unwrap();
    verify_file(&path.join(MODEL)).unwrap();
    for name in [MODEL, OPTIMIZER, STATE, SUMS] {
        let file = path.join(name);
        let bytes = fs::read(&file).unwrap();
        for at in [0, bytes.len() / 2, bytes.len() - 2] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x11;
            fs::write(&file, &damaged).unwrap();
            verify(&path).unwrap_err();
        }
        fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        verify(&path).unwrap_err();
        fs::remove_file(&file).unwrap();
        verify(&path).unwrap_err();
        fs::write(&file, &bytes).unwrap();
    }
    verify(&path).unwrap();
}

#[test]
fn a_list_of_checksums_leads_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), 10);
    fs::write(folder.path().join("outside"), "secret").unwrap();
    let sums = fs::read_to_string(path.join(SUMS)).unwrap();
    fs::write(path.join(SUMS), format!("{sums}{}  ../outside\n", hex(&Sha256::digest("secret")))).unwrap();
    assert!(verify(&path).unwrap_err().to_string().contains("no name of a file"));
}

#[test]
fn the_newest_that_is_whole_and_not_spoiled_is_found_and_the_others_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (1..=4).map(|n| saved(folder.path(), 10 * n)).collect();
    let spoiled = State { spoiled_at: Some(25), ..state(30, Reason::Stopped) };
    write(folder.path(), &spoiled, &files()).unwrap();
    fs::write(paths[3].join(MODEL), "other").unwrap();
    saved(folder.path(), 50);
    fs::write(folder.path().join("step-00000050").join(STATE), "{").unwrap();
    let (found, passed) = newest_sound(folder.path());
    assert_eq!(found.unwrap().state.step, 20);
    assert_eq!(passed.len(), 3);
    for (told, what) in passed.iter().zip(["not a checkpoint's state", "checksum", "spoiled since step 25"]) {
        assert!(told.contains(what), "{told}");
    }
    let error = at(folder.path(), 99).unwrap_err().to_string();
    assert!(error.contains("no checkpoint at step 99; there is one at step 10, 20, 30, 40"), "{error}");
}

#[test]
fn leavings_are_cleared_away_and_a_replaced_one_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), 10);
    saved(folder.path(), 20);
    fs::create_dir(folder.path().join(".step-00000030.partial")).unwrap();
    fs::rename(&path, folder.path().join(".step-00000010.old")).unwrap();
    fs::create_dir(folder.path().join(".step-00000020.old")).unwrap();
    tidy(folder.path());
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["step-00000010", "step-00000020"]);
    verify(&path).unwrap();
}

#[test]
fn a_pinned_one_stays_pinned_when_it_is_written_again_and_removing_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), 10);
    pin(&path, Pinned::Yes).unwrap();
    assert_eq!(read(&saved(folder.path(), 10)).unwrap().pinned, Pinned::Yes);
    verify(&path).unwrap();
    pin(&path, Pinned::No).unwrap();
    pin(&path, Pinned::No).unwrap();
    assert_eq!(read(&path).unwrap().pinned, Pinned::No);
    remove(&path).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_was_taken_away_does_not_come_back_half() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("run").join("checkpoints");
    write(&gone, &state(10, Reason::Periodic), &files()).unwrap_err();
    assert!(!folder.path().join("run").exists());
}

#[test]
fn a_branch_has_the_same_files_and_a_state_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), 10);
    let other = folder.path().join("other");
    let new = branch(&path, &other, &State { seq: 7, ..state(10, Reason::Branched) }).unwrap();
    verify(&new).unwrap();
    assert_eq!(fs::read(new.join(MODEL)).unwrap(), b"weights");
    assert_eq!(read_state(&new).unwrap().seq, 7);
    fs::write(path.join(OPTIMIZER), "other").unwrap();
    branch(&path, &other, &state(10, Reason::Branched)).unwrap_err();
}
