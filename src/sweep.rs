//! Experiments of many runs: what is run, in which order, where it lies, how it stands.
//!
//! A sweep is a TOML file ([`file`]) that becomes a [`plan`]: cells, each one run with a config of its own. Its folder ([`ledger`])
//! holds the plan and the runs; everything else that is known of a cell is read from its run's log and evaluations, so that a sweep
//! goes on after any interruption and its numbers can be gathered from anywhere. [`runner`] starts one process for each run, one at a
//! time on each device; [`board`] is how it all stands, for the screen and for lines. Nothing here trains, draws or schedules other
//! machines.

pub mod board;
pub mod collect;
pub mod estimate;
pub mod file;
pub mod ledger;
pub mod plan;
pub mod process;
pub mod runner;
pub mod slurm;

pub use file::read;
pub use plan::{Cell, Figure, PaperTable, Plan, Role};
