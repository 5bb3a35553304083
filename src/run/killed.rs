//! Runs that a process left without an end: how far they came, and what may have ended it.
//!
//! A process that is killed outright (SIGKILL, a control group that is out of memory, a power cut) cannot say so itself. It is seen afterwards:
//! the lock is let go, and the log has no end.

use super::RunState;
use super::live;
use super::state::Phase;
use super::store::{Owner, RunFolder, StoreError, ids};
use crate::limits::{self, shown};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// A process near its limit has this share of it.
const NEAR: f64 = 0.8;
/// Longest last line of a log that is looked at; one with an evaluation in it has some kilobytes.
const TAIL: u64 = 64 << 10;

/// How the process that trained last ended, in words; `None` where its log has an end. Nobody holds the run.
pub fn how(state: &RunState) -> Option<String> {
    if state.started.is_none() || matches!(state.phase, Phase::Finished(_)) {
        return None;
    }
    let reason = suspect(state, limits::total_memory(), limits::killed_for_memory()).unwrap_or_default();
    Some(format!("its process was killed at step {} of {}{reason}", state.step, state.plan_steps()))
}

/// What points to too little memory. `total`: what this process may have; `kills`: of the kernel, in this control group.
fn suspect(state: &RunState, total: Option<u64>, kills: u64) -> Option<String> {
    let advice = "A smaller train.batch or more memory helps";
    let last =
        state.machine.back().map(|last| (last, total.map_or(last.memory_total, |total| total.min(last.memory_total)).max(1)));
    let near = last.filter(|(last, most)| {
        last.resident as f64 > NEAR * *most as f64 || last.memory_used as f64 > 0.95 * last.memory_total as f64
    });
    let counted = |n: u64| format!("the kernel has killed {n} for memory in this control group");
    match (near, kills) {
        (None, 0) => None,
        (None, n) => Some(format!(", perhaps for memory: {}. {advice}", counted(n))),
        (Some((last, most)), n) => {
            let also = if n == 0 { String::new() } else { format!("; {}", counted(n)) };
            let (resident, most) = (shown(last.resident), shown(most));
            Some(format!(", probably for memory: its last report says {resident} of {most}{also}. {advice}"))
        }
    }
}

/// Runs of a folder that were killed and not resumed, each with [`how`].
///
/// # Errors
/// When the folder cannot be read.
pub fn runs(folder: &Path) -> Result<Vec<(RunFolder, String)>, StoreError> {
    let mut found = Vec::new();
    for id in ids(folder)? {
        let Ok(run) = RunFolder::open(folder, &folder.join(id)) else { continue };
        // Most runs have ended well, which their last line tells.
        if run.owner() != Owner::Nobody || has_end(&run) {
            continue;
        }
        if let Ok(state) = live::catch_up(&run)
            && let Some(how) = how(&state)
        {
            found.push((run, how));
        }
    }
    found.sort_by(|a, b| a.0.id().cmp(b.0.id()));
    Ok(found)
}

fn has_end(run: &RunFolder) -> bool {
    let read = || {
        let file = File::open(run.events())?;
        let length = file.metadata()?.len();
        let mut tail = vec![0; length.min(TAIL) as usize];
        file.read_exact_at(&mut tail, length.saturating_sub(TAIL))?;
        std::io::Result::Ok(tail)
    };
    let tail = read().unwrap_or_default();
    let last = tail.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(last).contains("\"event\":{\"finished\":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::Machine;
    use crate::protocol::{Event, Record};

    /// The demo's log up to some step, with a last report of memory.
    fn cut(records: usize, resident: u64) -> RunState {
        let log = include_str!("../../assets/demo/events.jsonl");
        let mut state = RunState::default();
        for line in log.lines().take(records) {
            state.apply(&serde_json::from_str::<Record>(line).unwrap());
        }
        let machine = Machine {
            cpu_percent: 50.0,
            cores: 2,
            memory_used: resident,
            memory_total: 8 << 30,
            resident,
            process_cpu_percent: 100.0,
            gpus: Vec::new(),
            load: None,
            disk: None,
            no_gpu: None,
        };
        state.apply(&Record { seq: state.next_seq, at_ms: state.last_at_ms, event: Event::Machine(machine) });
        state
    }

    #[test]
    fn a_run_without_an_end_was_killed_and_memory_is_suspected_where_it_was_short() {
        let state = cut(150, 100 << 20);
        let said = how(&state).unwrap();
        assert!(said.starts_with(&format!("its process was killed at step {} of ", state.step)), "{said}");
        assert_eq!(suspect(&state, Some(1 << 30), 0), None);
        let short = suspect(&cut(150, 1300 << 20), Some(1500 << 20), 1).unwrap();
        for part in ["probably for memory", "1.3 GiB of 1.5 GiB", "killed 1 for memory"] {
            assert!(short.contains(part), "{part}: {short}");
        }
        assert_eq!(how(&cut(usize::MAX, 0)), None, "it ended");
        assert_eq!(how(&RunState::default()), None, "it never began");
        assert!(suspect(&RunState::default(), None, 2).unwrap().contains("perhaps for memory: the kernel has killed 2"));
    }

    #[test]
    fn killed_runs_of_a_folder_are_found_and_ended_ones_are_not() {
        let home = tempfile::tempdir().unwrap();
        let log = include_str!("../../assets/demo/events.jsonl");
        let half: String = log.split_inclusive('\n').take(150).collect();
        for (name, text) in [("whole", log), ("half", &half), ("empty", "")] {
            std::fs::create_dir(home.path().join(name)).unwrap();
            std::fs::write(home.path().join(name).join("events.jsonl"), text).unwrap();
        }
        let found = runs(home.path()).unwrap();
        assert_eq!(found.iter().map(|(run, _)| run.id()).collect::<Vec<_>>(), ["half"]);
    }
}
