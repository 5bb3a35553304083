//! The live screen. This file only lists its parts.

pub mod capability;
pub mod event;
pub mod input;
pub mod signals;
pub mod stderr;
pub mod terminal;
