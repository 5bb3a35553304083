//! A run as it lies on disk, travels, and is remembered: no tensors here.

pub mod alerts;
pub mod clock;
pub mod comparison;
pub mod evaluations;
pub mod listing;
pub mod lookout;
pub mod recorder;
pub mod replay;
pub mod series;
pub mod session;
pub mod shelf;
pub mod state;
pub mod step_times;
pub mod store;

pub use series::Series;
pub use state::RunState;
