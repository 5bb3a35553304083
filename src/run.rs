//! A run as it lies on disk, travels, and is remembered: no tensors here.

pub mod advice;
pub mod alerts;
pub mod calendar;
pub mod checkpoints;
pub mod clock;
pub mod comparison;
pub mod evaluations;
pub mod history;
pub mod killed;
pub mod lease;
mod lines;
pub mod link;
pub mod listing;
pub mod live;
pub mod lookout;
pub mod places;
pub mod plan;
pub mod recorder;
pub mod registry;
pub mod replay;
pub mod seek;
pub mod series;
pub mod script;
pub mod server;
pub mod session;
pub mod shelf;
mod socket;
pub mod state;
pub mod step_times;
pub mod store;

pub use series::Series;
pub use state::RunState;
