//! What a person, a script or a signal may ask of the worker. Nothing here is true until an event says so.

use super::controls::Change;
use super::report::EvaluationPlan;
use super::timed::Timed;
use crate::config::Dial;
use serde::{Deserialize, Serialize};

/// Names one command, so that its answer can be matched to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub u64);

/// A command with its name. The worker looks for these between steps, and while paused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub id: CommandId,
    pub command: Command,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Answered by exactly one `Controlled` or `Refused`.
    Set { change: Change, note: Option<String> },
    /// Change a dial later, or bit by bit. Answered by `Scheduled` or `Refused`; each stair is told as `Controlled` when it comes.
    Schedule(Timed),
    /// Give up what is scheduled for a dial. Answered by `Unscheduled` or `Refused`.
    Unschedule(Dial),
    /// Answered by `Saved` or `Refused`.
    SaveCheckpoint,
    /// Probe the validation images now. Answered by `Evaluated` or `Refused`.
    Evaluate,
    /// Evaluate the weights as they are, between two steps or while paused; training stands still meanwhile. Answered by `Examined`
    /// or `Refused`.
    Examine(Box<EvaluationPlan>),
    /// Attack validation images and show some of each group. Answered by `Exhibited` or `Refused`.
    Exhibit {
        /// Images of each group, 1 to 8.
        each: u64,
        /// Images of the fooled group, where that is more: all of them, as far as one record has room.
        #[serde(default)]
        fooled: u64,
        /// Fooled images that are left out, the ones with the highest loss: those on earlier pages.
        #[serde(default)]
        from: u64,
    },
    /// Give up the evaluation that runs; training goes on. The evaluation is answered by `Refused`, this by nothing.
    GiveUp,
    /// Answered by `Stopping` at once and `Finished` in the end.
    Stop(Stop),
}

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub when: StopWhen,
    pub save: SaveOnStop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopWhen {
    AfterStep,
    AfterEpoch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SaveOnStop {
    Save,
    Discard,
}

impl Stop {
    /// What Ctrl-C and SIGTERM mean.
    pub const NOW_AND_SAVE: Self = Self { when: StopWhen::AfterStep, save: SaveOnStop::Save };
}
