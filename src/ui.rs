//! The live screen. This file only lists its parts: the terminal's own first, then what is drawn on it, then the loop.

// The terminal: taken over, read, given back.
pub mod capability;
pub mod event;
pub mod input;
pub mod signals;
pub mod stderr;
pub mod terminal;

// What is drawn.
pub mod abbreviations;
pub mod chart;
pub mod cost;
pub mod command_line;
pub mod evaluation;
pub mod field;
pub mod glyphs;
pub mod help;
pub mod graphics;
pub mod keymap;
pub mod layout;
pub mod brush;
pub mod picture;
pub mod plots;
pub mod radii;
pub mod raster;
pub mod screen;
pub mod scroll;
pub mod settings;
pub mod theme;
pub mod trade;
pub mod view;

// What keys mean, and the loop.
pub mod intent;

pub mod app;
pub mod cadence;
pub mod due;

// The same for many runs at once.
pub mod sweep;
