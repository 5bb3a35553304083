//! `kill -9` at any moment, and `rematch resume`, again and again.
//!
//! A kill loses nothing that was given to the system, so that torn lines, which a power cut leaves, are made by hand.

use super::{Home, Recipe, Reference, Trainee, breathe, lines, log, reached, some_of};
use rematch::protocol::{Event, Step};
use rematch::random::Stream;
use rematch::run::replay::Tail;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub struct Kills {
    pub kills: u64,
    /// Of these: before there was a run, while a checkpoint was being written, and in a process that resumed.
    pub before_the_run: u64,
    pub in_a_write: u64,
    pub in_a_resume: u64,
    /// Logs whose last line was torn, by a kill or by hand.
    pub torn: u64,
    pub completed: u64,
    pub compared: usize,
    /// Steps that each resume did again.
    pub again: Vec<u64>,
}

/// When the program is killed.
#[derive(Debug)]
enum Moment {
    /// So long after it was started.
    After(Duration),
    /// So long after the start of the n-th writing of a checkpoint.
    Writing(u64, Duration),
    /// As soon as the log has so many more lines.
    Logging(usize),
    /// So long after the last step.
    End(Duration),
}

fn moment(reference: &Reference, dice: &mut Stream) -> Moment {
    let epochs = reference.steps / reference.steps_per_epoch;
    match dice.below(8) {
        0 => Moment::After(some_of(Duration::from_millis(600), dice)),
        1 | 2 => Moment::After(some_of(reference.took, dice)),
        3..=5 => Moment::Writing(1 + dice.below(epochs / 2 + 1), some_of(Duration::from_millis(40), dice)),
        6 => Moment::Logging(1 + dice.below(3 * epochs) as usize),
        _ => Moment::End(some_of(Duration::from_millis(150), dice)),
    }
}

/// What a process that resumes must say of itself.
struct Expected {
    starts: usize,
    from: Step,
    reached: Step,
}

/// Kills so often, and lets the last run complete.
pub fn kill(home: &mut Home, recipe: &Recipe, reference: &Reference, wanted: u64, dice: &mut Stream) -> Kills {
    let mut all = Kills::default();
    let mut number = 0;
    while all.kills < wanted {
        number += 1;
        let runs = home.runs();
        let name = format!("{}-{number}", recipe.method);
        let run = runs.join(&name);
        // The rule of the config in half of them: what goes must not take anything along.
        let keep_last = if dice.below(2) == 0 { 100_000 } else { 2 };
        let mut trainee = home.train(recipe, &runs, &name, keep_last);
        let mut expected: Option<Expected> = None;
        loop {
            let killed = all.kills < wanted && strike(&mut trainee, &run, &moment(reference, dice), reference);
            if killed {
                all.kills += 1;
                all.in_a_resume += u64::from(expected.is_some());
                all.in_a_write += u64::from(partial(&run));
            } else {
                trainee.completes();
                resumed_as(&run, expected.as_ref(), reference, &mut all);
                all.compared += reference.check_completed(&run);
                all.completed += 1;
                break;
            }
            if log(&run).is_none() {
                assert!(expected.is_none(), "{} had a log before", run.display());
                all.before_the_run += 1;
                break;
            }
            resumed_as(&run, expected.as_ref(), reference, &mut all);
            if dice.below(4) == 0 {
                tear(&run, dice);
            }
            let left = log(&run).unwrap();
            all.torn += u64::from(left.tail == Tail::Torn);
            // One that was being replaced is put back by whoever resumes.
            rematch::run::checkpoints::tidy(&run.join("checkpoints"));
            let (compared, newest) = reference.check(&run);
            all.compared += compared;
            expected = Some(Expected { starts: starts(&left.records).len(), from: newest, reached: reached(&left.records) });
            trainee = home.resume(&run);
            if matches!(left.records.last().unwrap().event, Event::Finished(_)) {
                // Killed after its last word: there is nothing to go on with, and it says so.
                let ended = trainee.end();
                assert!(ended.code == Some(2) && ended.said.contains("has completed"), "{ended:?}");
                all.compared += reference.check_completed(&run);
                all.completed += 1;
                break;
            }
        }
        let _ = fs::remove_dir_all(&run);
    }
    all
}

/// Whether it was killed; it may have ended before.
fn strike(trainee: &mut Trainee, run: &Path, moment: &Moment, reference: &Reference) -> bool {
    let began = Instant::now();
    let had = lines(run);
    let (mut writings, mut writing, mut due) = (0, false, None);
    loop {
        if trainee.over().is_some() {
            return false;
        }
        match *moment {
            Moment::After(delay) => due = Some(began + delay),
            Moment::Writing(nth, delay) => {
                let now = partial(run);
                writings += u64::from(now && !writing);
                writing = now;
                if writings == nth && due.is_none() {
                    due = Some(Instant::now() + delay);
                }
            }
            Moment::Logging(more) => due = (lines(run) >= had + more).then(Instant::now),
            Moment::End(delay) => {
                let last = run.join(format!("checkpoints/.step-{:08}.partial", reference.steps));
                if due.is_none() && (last.exists() || run.join(format!("checkpoints/step-{:08}", reference.steps)).exists()) {
                    due = Some(Instant::now() + delay);
                }
            }
        }
        if due.is_some_and(|due| Instant::now() >= due) {
            trainee.send(rustix::process::Signal::KILL);
            return trainee.ends_within(super::PATIENCE).unwrap().code.is_none();
        }
        breathe();
    }
}

/// Whether a checkpoint is being written, or was when the process died.
fn partial(run: &Path) -> bool {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with(".step-"))
}

/// Takes a piece off the last line, as a power cut does.
fn tear(run: &Path, dice: &mut Stream) {
    let path = run.join("events.jsonl");
    let bytes = fs::read(&path).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    // Without its first record it would be no run.
    if last > 0 {
        let cut = 1 + dice.below((bytes.len() - last) as u64 - 1);
        fs::write(&path, &bytes[..bytes.len() - cut as usize]).unwrap();
    }
}

fn starts(records: &[rematch::protocol::Record]) -> Vec<&rematch::protocol::event::Started> {
    let started = |record: &'_ rematch::protocol::Record| matches!(record.event, Event::Started(_));
    records
        .iter()
        .filter(|record| started(record))
        .map(|record| if let Event::Started(started) = &record.event { &**started } else { unreachable!() })
        .collect()
}

/// Where the process that resumed came so far as to say so: it went on from the newest checkpoint, and told what it does again.
fn resumed_as(run: &Path, expected: Option<&Expected>, reference: &Reference, all: &mut Kills) {
    let (Some(expected), Some(log)) = (expected, log(run)) else { return };
    let starts = starts(&log.records);
    let Some(started) = starts.get(expected.starts) else { return };
    let resumed = started.resumed.as_ref().unwrap();
    assert_eq!(started.from_step, expected.from, "{}: not its newest checkpoint", run.display());
    let most = expected.reached.saturating_sub(expected.from);
    assert!(resumed.again <= most, "{}: {} steps again, of {most} since the checkpoint", run.display(), resumed.again);
    // While one checkpoint is written the next epoch is trained, and no more.
    assert!(resumed.again <= 2 * reference.steps_per_epoch, "{}: {} steps again", run.display(), resumed.again);
    all.again.push(resumed.again);
}
