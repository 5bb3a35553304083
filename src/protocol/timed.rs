//! A change of a dial that is to come later, at one step or bit by bit.
//!
//! When it comes and to what is a pure function of the step. Each stair is told as a `Controlled` of its own, so that whoever
//! repeats the run from its log needs to know nothing of this.

use super::Step;
use crate::config::Dial;
use serde::{Deserialize, Serialize};

/// A ramp comes in as many stairs as this at most: every one is a line of the log.
const STAIRS: u64 = 50;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    pub dial: Dial,
    /// The value it ends at.
    pub to: f64,
    /// Steps done when it begins.
    pub at: Step,
    /// Steps that it takes; 0: all at once.
    pub over: u64,
    pub note: Option<String>,
    /// The value it began from; `None` before it has begun.
    #[serde(default)]
    pub from: Option<f64>,
    /// Steps done when a person asked for it; `None` where the config plans it, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Step>,
}

/// One of the parts that a timed change comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stair {
    /// From 1.
    pub number: u64,
    pub of: u64,
}

impl Stair {
    pub fn is_last(self) -> bool {
        self.number == self.of
    }
}

impl Timed {
    fn stairs(&self) -> u64 {
        self.over.clamp(1, STAIRS)
    }

    /// Steps done when the last stair is taken.
    pub fn ends(&self) -> Step {
        self.at + self.over
    }

    /// The stair it stands on after this many steps, and the value there, from `present` where it has not begun. `None`: not yet.
    pub fn stands(&self, step: Step, present: f64) -> Option<(Stair, f64)> {
        let of = self.stairs();
        let number = if self.over == 0 {
            u64::from(step >= self.at)
        } else {
            // In u128: anybody may write a config, or a log.
            (u128::from(step.saturating_sub(self.at)) * u128::from(of) / u128::from(self.over)).min(u128::from(of)) as u64
        };
        if number == 0 {
            return None;
        }
        let from = self.from.unwrap_or(present);
        // Exactly the value asked for in the end, whatever the sum would come to.
        // On the way four digits: what is shown is what is applied.
        let between = from + (self.to - from) * number as f64 / of as f64;
        let value = if number == of { self.to } else { format!("{between:.3e}").parse().unwrap_or(between) };
        let value = if self.dial.is_whole() { value.round() } else { value };
        Some((Stair { number, of }, value))
    }

    /// `λ -> 0.01 at step 500`, `λ -> 0.01 over steps 500 to 900`.
    pub fn words(&self) -> String {
        let what = format!("{} -> {}", self.dial.symbol(), self.dial.show(self.to));
        match self.over {
            0 => format!("{what} at step {}", self.at),
            _ => format!("{what} over steps {} to {}", self.at, self.ends()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(at: Step, over: u64) -> Timed {
        Timed { dial: Dial::Lambda, to: 1.0, at, over, note: None, from: Some(0.0), asked_at: None }
    }

    #[test]
    fn a_jump_is_one_stair() {
        let jump = timed(100, 0);
        assert_eq!(jump.stands(99, 0.0), None);
        assert_eq!(jump.stands(100, 0.0), Some((Stair { number: 1, of: 1 }, 1.0)));
        assert_eq!(jump.words(), "λ -> 1 at step 100");
    }

    #[test]
    fn a_ramp_ends_exactly_where_it_was_asked_to() {
        let ramp = timed(100, 200);
        assert_eq!(ramp.stands(103, 0.0), None);
        let (stair, value) = ramp.stands(200, 0.0).unwrap();
        assert_eq!((stair, value), (Stair { number: 25, of: 50 }, 0.5));
        assert_eq!(ramp.stands(300, 0.0), Some((Stair { number: 50, of: 50 }, 1.0)));
        assert_eq!(ramp.stands(u64::MAX, 0.0), Some((Stair { number: 50, of: 50 }, 1.0)));
        assert_eq!(timed(7, 3).stands(8, 0.0).unwrap().0, Stair { number: 1, of: 3 });
    }
}
