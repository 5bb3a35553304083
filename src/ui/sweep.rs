//! The live screen of a sweep: every run as a row, and the picture that they make, growing as numbers arrive.
//!
//! It shows [`Board`]s and asks for three things ([`Ask`]); it starts no process, reads no run, and whoever hands it boards goes on
//! without it. [`run`] owns the terminal meanwhile; [`draw()`] is pure.

mod draw;
mod keys;
mod layout;
mod points;
mod view;
mod watch;

pub use draw::{draw, draw_into};
pub use keys::{Effect, interrupt, paste, press, saw};
pub use view::{Dialog, Leaving, Runner, Show, Stop, View};
pub use watch::{Curves, Options as WatchOptions, watch};

use super::event::Signal;
use super::glyphs::Glyphs;
use super::input::read_input;
use super::settings::Settings;
use super::stderr;
use super::terminal::{self, Terminal, TerminalError};
use super::theme::Themes;
use crate::sweep::board::Board;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::sync::Arc;

pub use crate::sweep::runner::Ask;

/// How the screen was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After everything that can be run was.
    Finished,
    /// While the sweep goes on.
    Left,
    /// After it was stopped; or while it still saves, where a person did not wait for that.
    Stopped,
    /// The terminal is gone; nothing was asked for.
    HungUp,
    /// The process was told to end: a stop has been asked for and not been waited for.
    Terminated,
}

pub struct Options<'a> {
    /// What the terminal is taken over with.
    pub settings: &'a Settings,
    /// The chosen one is what it begins with.
    pub themes: Themes,
    pub leaving: Leaving,
    /// Without one no curves are shown.
    pub curves: Option<Box<dyn Curves>>,
}

/// Shows boards, the newest in place of the one before, until the screen is left; the terminal has been given back then. Call it on
/// the main thread. `said` gets what is printed, and the panics of other threads, while the screen is up; it must not print or block.
///
/// # Errors
/// Where there is no terminal, or it cannot be taken over.
pub fn run(
    boards: &Receiver<Board>,
    asks: &Sender<Ask>,
    signals: &Receiver<Signal>,
    options: Options,
    said: impl Fn(&str) + Send + Sync + 'static,
) -> Result<End, TerminalError> {
    let capabilities = options.settings.capabilities();
    let mut surface = Terminal::enter(&capabilities, options.settings.synchronized)?;
    let (to, printed) = unbounded();
    let told = Arc::new(move |line: &str| {
        said(line);
        let _ = to.send(line.to_string());
    });
    let of_panics = Arc::clone(&told);
    terminal::install_panic_hook(move |line| of_panics(line));
    let captured = stderr::capture(move |line| told(&line))?;
    let (to, input) = bounded(1024);
    let reader = read_input(to, capabilities.escape_time())?;
    let shown = watch::Options {
        themes: options.themes,
        glyphs: Glyphs::of(capabilities.glyphs),
        max_fps: capabilities.max_fps,
        leaving: options.leaving,
        curves: options.curves,
    };
    let end = watch(boards, asks, &mut surface, &input, signals, &printed, shown);
    drop(reader);
    surface.leave();
    drop(captured);
    Ok(end)
}
