//! One change of a dial, as a history lists it.

use crate::protocol::Dial;
use crate::protocol::Step;
use crate::protocol::command::CommandId;
use crate::protocol::timed::Stair;

#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Number of the record that it was made of.
    pub seq: u64,
    /// The first step under the new value.
    pub step: Step,
    pub dial: Dial,
    pub old: f64,
    pub new: f64,
    pub note: Option<String>,
    pub hand: Hand,
    /// Steps done when a person asked for a change that came later or bit by bit.
    pub asked_at: Option<Step>,
    /// Steps that it comes over; 0: all at once.
    pub over: u64,
}

impl Turn {
    /// Over which steps it came, where it did not come at once: ` over 300 steps`.
    pub fn duration(&self) -> String {
        if self.over == 0 { String::new() } else { format!(" over {} steps", self.over) }
    }

    /// Who asked for it: `by hand`, `by hand, scheduled at step 100`, `schedule`, `itself`.
    pub fn who(&self) -> String {
        match self.asked_at {
            Some(asked_at) if self.hand == Hand::Person => format!("{}, scheduled at step {asked_at}", self.hand.name()),
            Some(_) | None => self.hand.name().into(),
        }
    }
}

/// Who turned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Now or earlier: [`Turn::asked_at`] says which.
    Person,
    /// The config plans it.
    Schedule,
    Program,
}

impl Hand {
    /// `asked_at`: of the scheduled change that this is a part of.
    pub(super) fn of(by: Option<CommandId>, stair: Option<Stair>, asked_at: Option<Step>) -> Self {
        match (by, stair) {
            (_, Some(_)) if asked_at.is_some() => Self::Person,
            (_, Some(_)) => Self::Schedule,
            (Some(_), None) => Self::Person,
            (None, None) => Self::Program,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "by hand",
            Self::Schedule => "schedule",
            Self::Program => "itself",
        }
    }
}
