//! The live screen. This file only lists its parts.

pub mod event;
