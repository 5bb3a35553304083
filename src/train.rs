//! Training: the one loop that every method goes through, on a thread of its own that owns every tensor.
//!
//! The rest of the program enters here through [`prepare`] alone. It gives back what the worker found (networks, teacher, plan) or
//! why it cannot train; only then is there a run folder, and [`Prepared::begin`] starts the loop.

pub mod appointments;
pub mod audit;
pub mod augment;
pub mod beginning;
pub mod bench;
pub mod checkpoint;
pub mod crew;
pub mod device;
pub mod doubts;
pub mod ema;
pub mod ends;
pub mod evaluate;
pub mod examine;
pub mod examinee;
pub mod exhausted;
pub mod exhibit;
pub mod inbox;
pub mod insight;
pub mod lessons;
pub mod memory;
pub mod meter;
pub mod pace;
pub mod pool;
pub mod probe;
pub mod robust_set;
pub mod room;
pub mod saver;
pub mod saving;
pub mod schedule;
pub mod sgd;
mod split_notes;
pub mod steer;
pub mod stream;
pub mod teacher_features;
pub mod teaching;
pub mod trainer;
pub mod watch;
pub mod worker;

pub use ends::Trouble;
pub use worker::{Attended, Options, Prepared, SetupError, prepare};
