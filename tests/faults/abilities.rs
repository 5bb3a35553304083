//! Runs on a file system that refuses single calls, as network, shared and FUSE mounts do: a small library answers in the place of the C library.

use crate::harness::{Home, PATIENCE, Recipe, Reference, log};
use rematch::protocol::Event;
use rematch::run::checkpoints;
use rustix::io::Errno;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the library. `None` where there is no C compiler.
pub fn library(folder: &Path) -> Option<PathBuf> {
    let (source, to) =
        (concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/fewer_abilities.c"), folder.join("fewer_abilities.so"));
    let done = Command::new("cc").args(["-shared", "-fPIC", "-w", "-o"]).arg(&to).args([source, "-ldl"]).output().ok()?;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(to)
}

/// Trains, is killed, and resumed to its end: the weights are those of a run on a local disk, and each process warns once.
pub fn train(library: &Path, recipe: &Recipe, reference: &Reference, refuses: &str, errno: Errno, lost: &[&str]) {
    let mut home = Home::new();
    home.environment = vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FS_REFUSES", refuses.into()),
        ("FS_ERRNO", errno.raw_os_error().to_string()),
    ];
    let (runs, run) = (home.runs(), home.runs().join("r"));
    let mut trainee = home.train(recipe, &runs, "r", 100);
    trainee.until("a checkpoint", || checkpoints::list(&run.join("checkpoints")).pop());
    if refuses.contains("lock") && trainee.over().is_none() {
        // The process stands in for its lock: nobody else goes on with the run.
        let second = home.resume(&run).end();
        assert!(second.code == Some(2) && second.said.contains("in use by process") || trainee.over().is_some(), "{second:?}");
    }
    trainee.send(Signal::KILL);
    assert!(trainee.ends_within(PATIENCE).is_some());
    if log(&run).is_none_or(|log| !matches!(log.records.last().unwrap().event, Event::Finished(_))) {
        home.resume(&run).completes();
    }
    reference.check_completed(&run);
    let records = log(&run).unwrap().records;
    let starts = records.iter().filter(|record| matches!(record.event, Event::Started(_))).count();
    let warnings: Vec<&String> = records
        .iter()
        .filter_map(|record| match &record.event {
            Event::Warned { message, .. } if message.contains("lacks what a local disk has") => Some(message),
            _ => None,
        })
        .collect();
    assert_eq!(warnings.len(), starts, "{warnings:?}");
    for warning in warnings {
        for part in lost {
            assert!(warning.contains(part), "{part}: {warning}");
        }
    }
}
