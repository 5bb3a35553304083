//! What the records of a run say that a person should look at: a loss that runs away, robustness that breaks down, a teacher that is
//! left behind, a term that pulls at nothing, steps that wait for images, a GPU that is too hot, a disk that fills.
//!
//! A fold like [`super::RunState`]: it knows records and nothing else, has no clock and no I/O, and tells; what is told, and whether
//! the run pauses for it, is for whoever calls. Each record costs the same however long the run is. What the worker tells itself
//! (a loss that is not finite, a full disk, steps that became slow) is not told again here.

mod loss;
mod machine;
mod pull;
mod robustness;

pub use machine::disk;

use crate::protocol::event::{Event, Record, Warning};
use crate::protocol::{Dial, Step, Timed};

/// Something to be told: whoever calls records it as `Event::Warned`.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub kind: Warning,
    pub step: Option<Step>,
    /// What was seen; after the first full stop, what to try.
    pub message: String,
}

/// What a warning saw: its first sentence, for places that have no room for advice.
pub fn saw(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    line.split_once(". ").map_or(line, |(sentence, _)| sentence)
}

/// Everything remembered from record to record, which does not grow.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    /// Steps done.
    step: Step,
    turned: Option<Turned>,
    /// Changes still to come that a person asked for.
    asked: Vec<Timed>,
    loss: loss::Loss,
    robustness: robustness::Robustness,
    pull: pull::Pull,
    machine: machine::Machines,
}

/// The last turn of a dial: what came after may be its doing.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Turned {
    dial: Dial,
    from: f64,
    to: f64,
    step: Step,
    by_hand: bool,
}

impl Turned {
    /// `λ 0.005 -> 0.5 at step 391`.
    fn words(&self) -> String {
        let (from, to) = (self.dial.show(self.from), self.dial.show(self.to));
        format!("{} {from} -> {to} at step {}", self.dial.symbol(), self.step)
    }
}

impl Alerts {
    /// Takes in the next record. Its own alerts may come back among them.
    pub fn see(&mut self, record: &Record) -> Vec<Alert> {
        let mut told = Vec::new();
        match &record.event {
            Event::Started(started) => {
                // A resumed run begins anew: nobody knows how long it stood, and on which machine it goes on.
                let asked = started.scheduled.iter().filter(|timed| timed.asked_at.is_some()).cloned().collect();
                *self = Self { step: started.from_step, asked, ..Self::default() };
                self.robustness.start(started);
                self.pull.start(started);
                self.machine.start(started);
            }
            Event::Progress(progress) => {
                self.step = progress.step;
                told.extend(self.robustness.went_on());
                told.extend(self.loss.see(progress));
                self.pull.count(progress);
                if let Some(timing) = &progress.timing {
                    told.extend(self.machine.timed(record.at_ms, timing));
                }
            }
            Event::Controlled { step, by, change, previous, stair, .. } => {
                if let (Some((dial, to)), Some((_, from))) = (change.dial(), previous.dial())
                    && dial != Dial::Probes
                    && from.is_finite()
                    && to.is_finite()
                {
                    let before = self.turned.filter(|t| t.dial == dial && stair.is_some_and(|s| s.number > 1));
                    let (from, step) = before.map_or((from, *step), |t| (t.from, t.step));
                    let of_asked = |timed: &Timed| timed.dial == dial && timed.at <= step && step <= timed.ends();
                    let by_hand = by.is_some() || (stair.is_some() && self.asked.iter().any(of_asked));
                    self.turned = Some(Turned { dial, from, to, step, by_hand });
                    if by_hand {
                        self.robustness.turned(dial, stair.is_none_or(|stair| stair.number == 1));
                    }
                    self.loss.forget();
                    self.pull.turned(dial, to);
                }
            }
            Event::Evaluated(evaluated) => told.extend(self.robustness.see(evaluated, self.turned)),
            Event::Pulled(pulls) => told.extend(self.pull.see(pulls)),
            Event::EpochFinished(epoch) => told.extend(self.pull.epoch(epoch)),
            Event::Saved(saved) => {
                self.loss.saved(saved.step);
                self.machine.saved(saved.bytes);
            }
            Event::Machine(machine) => told.extend(self.machine.see(record.at_ms, machine)),
            Event::Warned { kind: Warning::Overfitting, step, .. } => self.robustness.was_told(step.unwrap_or(self.step)),
            Event::Scheduled { by: Some(_), timed, .. } => self.asked.push(timed.clone()),
            Event::Unscheduled { dial, .. } => self.asked.retain(|timed| timed.dial != *dial),
            Event::Warned { .. }
            | Event::Scheduled { by: None, .. }
            | Event::Exhibited(_)
            | Event::Refused { .. }
            | Event::Stopping { .. }
            | Event::Examining { .. }
            | Event::Examined { .. }
            | Event::Preparing(_)
            | Event::Said { .. }
            | Event::Finished(_) => {}
        }
        for alert in &mut told {
            alert.step = alert.step.or(Some(self.step));
        }
        told
    }
}

/// Told once; again only when it went well for a while in between, or has become much worse than what was told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Episode {
    /// How bad it was when it was told.
    told: Option<f64>,
    /// Looks since then, one after the other, that were well.
    well: u32,
}

/// What one look found.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Look {
    Well,
    /// The more, the worse; above 0.
    Bad(f64),
}

/// How long is a while, and how much is much.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Looks in a row that must be well before the same is news again.
    well: u32,
    /// Times as bad as what was told.
    worse: f64,
}

impl Episode {
    /// Whether this look is to be told.
    fn judge(&mut self, look: Look, patience: Patience) -> Say {
        match look {
            Look::Well => {
                self.well += 1;
                if self.well >= patience.well {
                    *self = Self::default();
                }
                Say::Nothing
            }
            Look::Bad(how) => {
                self.well = 0;
                if self.told.is_some_and(|told| how <= patience.worse * told) {
                    return Say::Nothing;
                }
                self.told = Some(how);
                Say::It
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    It,
    Nothing,
}

/// Three digits or so, and never a row of zeros.
fn number(v: f64) -> String {
    let size = v.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        format!("{v:.1e}")
    } else if size >= 100.0 {
        format!("{v:.0}")
    } else if size >= 10.0 {
        format!("{v:.1}")
    } else {
        format!("{v:.3}")
    }
}

fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}

#[cfg(test)]
mod tests;
