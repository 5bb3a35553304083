//! The live screen. This file only lists its parts.

pub mod app;
pub mod chart;
pub mod event;
pub mod glyphs;
pub mod intent;
pub mod keymap;
pub mod layout;
pub mod screen;
pub mod theme;
pub mod view;
