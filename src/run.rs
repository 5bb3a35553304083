//! A run as it lies on disk, travels, and is remembered: no tensors here.

pub mod clock;
pub mod comparison;
pub mod evaluations;
pub mod listing;
pub mod recorder;
pub mod replay;
pub mod series;
pub mod session;
pub mod state;
pub mod store;

pub use series::Series;
pub use state::RunState;
