//! A recorded run from any of its steps on: what lies before is folded at once, the rest is played.
//!
//! It reads no clock and draws nothing; how fast the rest is played is [`super::replay`]'s.

use super::RunState;
use super::replay::{LogError, LogReader, PaceControl, go_on, read_log};
use crate::protocol::{Event, Record, Step};
use crossbeam_channel::Receiver;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// A place in a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    Step(Step),
    /// Epochs done; a part of one counts.
    Epoch(f64),
}

impl FromStr for Target {
    type Err = String;

    /// `1200`, or `3e` and `2.5e` for epochs.
    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("'{text}' is no step; write 1200 for a step, 3e or 2.5e for epochs");
        match text.strip_suffix('e') {
            Some(epochs) => {
                let epochs: f64 = epochs.parse().map_err(|_| fault())?;
                if epochs.is_finite() && epochs >= 0.0 { Ok(Self::Epoch(epochs)) } else { Err(fault()) }
            }
            None => text.parse().map(Self::Step).map_err(|_| fault()),
        }
    }
}

/// A run as it stood after a step, and the records that follow.
pub struct Sought {
    pub state: RunState,
    pub records: Receiver<Arc<Record>>,
}

/// Folds a log up to the last report that is not beyond `target`; `saw` is told of each record and of the state with it. Returns the
/// record that follows, if there is one.
///
/// # Errors
/// When the log is damaged before that place.
pub fn fold(
    log: &mut LogReader,
    target: Target,
    state: &mut RunState,
    mut saw: impl FnMut(&Record, &RunState),
) -> Result<Option<Record>, LogError> {
    for record in log {
        let record = record?;
        if let Event::Progress(progress) = &record.event
            && progress.step > step_of(target, state)
        {
            return Ok(Some(record));
        }
        state.apply(&record);
        saw(&record, state);
    }
    Ok(None)
}

fn step_of(target: Target, state: &RunState) -> Step {
    match target {
        Target::Step(step) => step,
        Target::Epoch(epochs) => {
            let per = state.started.as_ref().map_or(1, |started| started.plan.steps_per_epoch);
            (epochs * per as f64).round() as Step
        }
    }
}

/// The run at a place, and what follows at the pace of `pace`; without waiting (`max`) only once it is let go on. Whoever played with that
/// knob before ends.
///
/// # Errors
/// When the log cannot be read up to that place.
pub fn replay_from(path: &Path, pace: &PaceControl, target: Target) -> Result<Sought, LogError> {
    let mut log = read_log(path)?;
    let mut state = RunState::default();
    let next = fold(&mut log, target, &mut state, |_, _| {})?;
    if next.is_none() && state.next_seq == 0 {
        return Err(LogError::Empty { path: path.to_path_buf() });
    }
    pace.hold_at_full_speed();
    Ok(Sought { state, records: go_on(log, next, pace) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_step_or_epochs() {
        let parse = |text: &str| text.parse::<Target>();
        assert_eq!(
            (parse("1200"), parse("3e"), parse("2.5e")),
            (Ok(Target::Step(1200)), Ok(Target::Epoch(3.0)), Ok(Target::Epoch(2.5)))
        );
        for text in ["", "e", "-1", "-1e", "x", "1.5", "nane", "infe"] {
            assert!(parse(text).unwrap_err().contains("is no step"), "{text}");
        }
    }
}
