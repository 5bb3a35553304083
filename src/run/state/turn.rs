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
}

/// Who turned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    Person,
    /// It was asked for earlier.
    Schedule,
    Program,
}

impl Hand {
    pub(super) fn of(by: Option<CommandId>, stair: Option<Stair>) -> Self {
        match (by, stair) {
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
