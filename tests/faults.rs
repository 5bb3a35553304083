//! What may happen to a run in a night, on a small budget: kills, a lost terminal, a full disk, rubbish, a folder that goes away.
//! The same episodes by the hundred, and what they cost, are in `benches/faults.rs`.
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

#[path = "faults/abilities.rs"]
mod abilities;
#[path = "faults/harness.rs"]
#[expect(dead_code, reason = "the bench tells more of what was found")]
mod harness;

use harness::folders::Away;
use harness::hang_ups::Then;
use harness::{Home, Recipe, Reference, disk, files, folders, hang_ups, kills, socket};
use rematch::random::Stream;
use rustix::io::Errno;
use std::io::Write;
use std::sync::OnceLock;
use std::time::Duration;

const ERM: Recipe = Recipe { method: "erm", epochs: 20, more: &[] };

fn reference() -> &'static Reference {
    static MADE: OnceLock<Reference> = OnceLock::new();
    MADE.get_or_init(|| Reference::make(&ERM))
}

#[test]
fn a_run_that_is_killed_and_resumed_comes_to_the_same_weights() {
    let done = kills::kill(&mut Home::new(), &ERM, reference(), 4, &mut Stream::new(1));
    assert!(done.kills == 4 && done.completed >= 1 && done.compared > 0, "{done:?}");
}

#[test]
fn a_run_whose_terminal_goes_away_completes_and_a_paused_one_when_it_is_told_to() {
    let mut home = Home::new();
    for (name, then) in [("trains", Then::Trains), ("waits", Then::Waits(Duration::ZERO))] {
        let hung_up = hang_ups::hang_up(&mut home, &ERM, reference(), name, then, &mut Stream::new(2));
        assert!(hung_up.compared > 0, "{hung_up:?}");
    }
}

#[test]
fn a_full_disk_is_waited_for() {
    match disk::fill(&mut Home::new(), &ERM, reference(), "full", &mut Stream::new(3)) {
        Some(full) => assert!(full.compared > 0, "{full:?}"),
        None => writeln!(std::io::stderr(), "not run: no file system can be mounted here").unwrap(),
    }
}

#[test]
fn a_file_system_that_lacks_what_a_local_disk_has_is_trained_on_with_one_warning() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = abilities::library(folder.path()) else {
        return writeln!(std::io::stderr(), "not run: there is no C compiler").unwrap();
    };
    let few = Recipe { epochs: 4, ..ERM };
    let reference = Reference::make(&few);
    for (refuses, errno, lost) in [
        ("syncdir", Errno::INVAL, &["cannot sync folders", "Invalid argument"][..]),
        (
            "syncdir,sync,lock,cut,append,openrename,bind,chmod",
            Errno::OPNOTSUPP,
            &["sync folders", "sync files", "lock files", "append"],
        ),
        ("lock", Errno::NOLCK, &["cannot lock files", "start no other one on it"]),
    ] {
        abilities::train(&library, &few, &reference, refuses, errno, lost);
    }
}

#[test]
fn rubbish_over_the_socket_is_answered_or_cut_off_and_training_goes_on() {
    let done = socket::flood(&mut Home::new(), 300, 4);
    assert!(done.sent >= 300 && done.steps > 0, "{done:?}");
}

#[test]
fn damaged_files_are_refused_or_made_the_best_of() {
    let done = files::read(&mut Home::new(), 3, &mut Stream::new(5));
    assert_eq!(done.commands, 3 + 2 * 3, "{done:?}");
}

#[test]
fn a_folder_that_is_moved_or_deleted_does_not_end_its_run() {
    let mut home = Home::new();
    for (name, away) in [("moved", Away::Moved), ("deleted", Away::Deleted)] {
        let gone = folders::take_away(&mut home, &ERM, reference(), name, away, &mut Stream::new(6));
        assert!(gone.compared > 0, "{gone:?}");
    }
}
