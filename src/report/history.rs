//! A run's whole log, folded, with what a report says of it and the fold does not keep: the machine, and the teacher's share of a step.
//!
//! A log that is damaged after its start is read up to there, and the damage is told.

use crate::protocol::Event;
use crate::protocol::event::{Part, Timing};
use crate::run::RunState;
use crate::run::replay::{LogError, Tail, read_log};
use crate::run::store::RunFolder;

#[derive(Clone, Debug, Default)]
pub struct History {
    pub state: RunState,
    pub cores: u64,
    /// Bytes.
    pub memory: u64,
    pub gpus: Vec<String>,
    /// Share of a step that is the student's own: without the teacher's part and the attack's. `None` where no step was timed.
    pub own_share: Option<f64>,
    /// What is wrong with the log.
    pub damage: Option<String>,
    /// Programs that wrote it: of a resumed run there may be several.
    pub programs: Vec<String>,
    pub devices: Vec<String>,
}

/// # Errors
/// When nothing of it can be read, with file and line.
pub fn read(folder: &RunFolder) -> Result<History, String> {
    let mut history = History::default();
    let (mut own, mut all) = (0.0, 0.0);
    let mut log = read_log(&folder.events()).map_err(|error| error.to_string())?;
    for record in log.by_ref() {
        match record {
            Ok(record) => {
                history.state.apply(&record);
                match &record.event {
                    Event::Started(started) => {
                        once(&mut history.programs, &started.program);
                        once(&mut history.devices, &started.device);
                    }
                    Event::Machine(machine) => {
                        history.cores = history.cores.max(machine.cores);
                        history.memory = history.memory.max(machine.memory_total);
                        for gpu in &machine.gpus {
                            once(&mut history.gpus, &gpu.name);
                        }
                    }
                    Event::Progress(progress) => {
                        if let Some(timing) = &progress.timing {
                            let (part, whole) = shares(timing);
                            own += part;
                            all += whole;
                        }
                    }
                    Event::Controlled { .. }
                    | Event::Scheduled { .. }
                    | Event::Unscheduled { .. }
                    | Event::Pulled(_)
                    | Event::Exhibited(_)
                    | Event::Refused { .. }
                    | Event::Stopping { .. }
                    | Event::Evaluated(_)
                    | Event::Examining { .. }
                    | Event::Examined { .. }
                    | Event::EpochFinished(_)
                    | Event::Saved(_)
                    | Event::Preparing(_)
                    | Event::Warned { .. }
                    | Event::Said { .. }
                    | Event::Finished(_) => {}
                }
            }
            Err(error @ (LogError::Malformed { .. } | LogError::Gap { .. })) if history.state.started.is_some() => {
                history.damage = Some(error.to_string());
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    if history.state.started.is_none() {
        let why = match log.tail() {
            Tail::Whole => "does not say what was started",
            Tail::Torn => "ends within its first lines",
        };
        return Err(format!("{} {why}", folder.events().display()));
    }
    history.own_share = (all > 0.0).then_some(own / all);
    Ok(history)
}

fn once(names: &mut Vec<String>, name: &str) {
    if !name.is_empty() && !names.iter().any(|there| there == name) {
        names.push(name.to_string());
    }
}

/// Milliseconds of the student alone, and of everything.
fn shares(timing: &Timing) -> (f64, f64) {
    let mut sums = (0.0, 0.0);
    for (part, ms) in &timing.parts {
        if !ms.is_finite() {
            continue;
        }
        sums.1 += ms;
        match part {
            Part::Data | Part::ForwardBackward | Part::Update => sums.0 += ms,
            Part::Attack | Part::Teacher => {}
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_recorded_run_is_read_whole_with_its_machine() {
        let demo = Path::new("assets/demo");
        let history = read(&RunFolder::open(demo, demo).unwrap()).unwrap();
        assert_eq!((history.state.step, history.cores, history.damage.as_deref()), (852, 2, None));
        assert!(history.state.exhibit.is_some() && !history.state.natural.is_empty());
        let own = history.own_share.unwrap();
        assert!(own > 0.2 && own < 1.0, "{own}: a teacher takes a part of each step");
        assert_eq!(history.programs, ["rematch 0.1.0"]);
    }

    #[test]
    fn damage_in_the_middle_is_told_and_what_was_before_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::read_to_string("assets/demo/events.jsonl").unwrap();
        let damaged = log.lines().take(60).chain(["{", "{"]).collect::<Vec<_>>().join("\n") + "\n";
        std::fs::write(folder.path().join("events.jsonl"), damaged).unwrap();
        let open = || RunFolder::open(folder.path(), folder.path()).unwrap();
        let history = read(&open()).unwrap();
        assert!(history.state.step > 0 && history.damage.unwrap().contains("line 61"));
        std::fs::write(folder.path().join("events.jsonl"), "nothing\n").unwrap();
        assert!(read(&open()).unwrap_err().contains("line 1"));
    }
}
