//! The words that everything speaks: commands ask, events tell, records are events with a number and a time.
//!
//! **Invariant: one protocol.** The screen, headless output, replay, resume, reports and tests all read the same stream of
//! [`Record`]s. **Invariant: a command is a request, only an event is a fact.** No tensors, no files and no clocks here.

pub mod command;
pub mod controls;
pub mod event;
pub mod facts;
pub mod insight;
pub mod report;
pub mod scalar;
pub mod step_times;
pub mod timed;
pub mod wire;

pub use crate::config::Dial;
pub use command::{Command, CommandId, Request, Stop, StopWhen};
pub use controls::{Change, Controls, Flow};
pub use event::{Event, Outcome, Record};
pub use insight::{Exhibit, Pulls};
pub use scalar::{Scalar, Summary};
pub use timed::{Stair, Timed};

/// Index of an optimizer step, from 0. "At step n" means: after n steps were done, before the next one.
pub type Step = u64;

/// The shape of what is written to `events.jsonl`. A reader refuses a newer one.
/// 2: more methods, dials and terms. 3: evaluations with a report. 4: pulls, timed changes, exhibits.
/// 5: resumed runs and branches. 7: who asked for a scheduled change, splits and fingerprints of data, warnings about limits.
pub const FORMAT: u32 = 7;
