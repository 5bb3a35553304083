//! What was changed by hand in a run, as changes that a config plans: training it again makes the same changes at the same steps.
//!
//! Every value that was in force counts, whoever set it; only what training does by itself (going back after a break-down) is left to
//! it. A ramp that went through is one change; one that was cut short is the stairs it took.

use crate::config::{Dial, Planned};
use crate::protocol::{Event, Record, Stair, Step, Timed};

#[derive(Clone, Debug)]
struct Turned {
    seq: u64,
    step: Step,
    dial: Dial,
    to: f64,
    note: Option<String>,
    stair: Option<Stair>,
}

/// Follows the records of a run, in order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    turned: Vec<Turned>,
    /// With the number of the record that asked for it.
    ramps: Vec<(u64, Timed)>,
}

impl Plan {
    pub fn see(&mut self, record: &Record) {
        let seq = record.seq;
        match &record.event {
            Event::Started(started) => {
                if let Some(resumed) = &started.resumed {
                    self.turned.retain(|turned| turned.seq < resumed.from_seq);
                    self.ramps.retain(|(asked, _)| *asked < resumed.from_seq);
                } else {
                    // Of the config.
                    self.ramps.extend(started.scheduled.iter().map(|timed| (seq, timed.clone())));
                }
            }
            Event::Scheduled { timed, .. } => self.ramps.push((seq, timed.clone())),
            Event::Controlled { step, by, change, note, stair, .. } => {
                if let (Some((dial, to)), true) = (change.dial(), by.is_some() || stair.is_some()) {
                    self.turned.push(Turned { seq, step: *step, dial, to, note: note.clone(), stair: *stair });
                }
            }
            Event::Unscheduled { .. }
            | Event::Progress(_)
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
            | Event::Machine(_)
            | Event::Warned { .. }
            | Event::Said { .. }
            | Event::Finished(_) => {}
        }
    }

    /// In the order in which they were made.
    pub fn changes(&self) -> Vec<Planned> {
        let through = |ramp: &Timed| {
            self.turned
                .iter()
                .any(|t| t.dial == ramp.dial && t.step == ramp.ends() && t.to == ramp.to && t.stair.is_some_and(Stair::is_last))
        };
        let ramps: Vec<&Timed> = self.ramps.iter().map(|(_, ramp)| ramp).filter(|ramp| ramp.over > 0 && through(ramp)).collect();
        let mut told: Vec<&Timed> = Vec::new();
        let mut changes = Vec::new();
        for turned in &self.turned {
            let Turned { step, dial, to, note, stair, .. } = turned.clone();
            let ramp = stair
                .filter(|stair| stair.of > 1)
                .and_then(|_| ramps.iter().copied().find(|ramp| ramp.dial == dial && ramp.at <= step && step <= ramp.ends()));
            match ramp {
                Some(ramp) if told.contains(&ramp) => {}
                Some(ramp) => {
                    told.push(ramp);
                    let Timed { dial, to, at, over, note, .. } = ramp.clone();
                    changes.push(Planned { dial, to, at, over, note });
                }
                None => changes.push(Planned { dial, to, at: step, over: 0, note }),
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Change, CommandId};

    fn controlled(step: Step, to: f64, by: Option<u64>, stair: Option<Stair>) -> Event {
        let (change, previous) = (Change::Lambda(to), Change::Lambda(0.0));
        Event::Controlled { step, by: by.map(CommandId), change, previous, note: None, stair }
    }

    fn changes(events: Vec<Event>) -> Vec<String> {
        let mut plan = Plan::default();
        for (seq, event) in (0..).zip(events) {
            plan.see(&Record { seq, at_ms: 0, event });
        }
        plan.changes().iter().map(Planned::text).collect()
    }

    fn ramp(at: Step, over: u64) -> Event {
        let timed = Timed { dial: Dial::Lambda, to: 1.0, at, over, note: None, from: None, asked_at: None };
        Event::Scheduled { step: 0, by: Some(CommandId(9)), timed }
    }

    #[test]
    fn what_hands_did_is_planned_and_what_training_did_by_itself_is_not() {
        let found =
            changes(vec![controlled(3, 0.5, Some(1), None), controlled(5, 0.1, None, None), controlled(7, 0.25, Some(2), None)]);
        assert_eq!(found, ["lambda 0.5 at 3", "lambda 0.25 at 7"]);
    }

    #[test]
    fn a_ramp_that_went_through_is_one_change_and_one_cut_short_is_its_stairs() {
        let stair = |number| Some(Stair { number, of: 2 });
        let whole = vec![ramp(4, 2), controlled(5, 0.5, None, stair(1)), controlled(6, 1.0, None, stair(2))];
        assert_eq!(changes(whole), ["lambda 1.0 at 4 over 2"]);
        let cut = vec![ramp(4, 2), controlled(5, 0.5, None, stair(1)), controlled(5, 0.2, Some(3), None)];
        assert_eq!(changes(cut), ["lambda 0.5 at 5", "lambda 0.2 at 5"]);
    }
}
