//! What the loop is given from outside: where frames go, who reads folders and keeps files, and how it was left.

use crate::protocol::Step;
use crate::run::RunState;
use crate::run::checkpoints::{Found, Pinned};
use crate::run::seek::Sought;
use crate::run::shelf::Entry;
use crate::ui::glyphs::Glyphs;
use crate::ui::graphics::{Graphics, Placement};
use crate::ui::intent::{Leave, Place};
use crate::ui::keymap::Keymap;
use crate::ui::screen::{BranchWish, Motion};
use crate::ui::terminal::{Drawn, LinkSpeed, Terminal, TerminalError, Written};
use crate::ui::theme::Themes;
use crossbeam_channel::Receiver;
use ratatui::Frame;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Where frames go.
pub trait Surface {
    /// `paint` says which pictures belong over the frame, where the terminal takes them.
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame) -> Vec<Placement>) -> io::Result<Drawn>;
    /// The next draw sends everything again.
    fn repaint(&mut self) -> io::Result<()>;
    /// How the last frames went through.
    fn link(&self) -> LinkSpeed;
    /// What was sent so far, where somebody counts.
    fn written(&self) -> Option<Written> {
        None
    }
    /// Gives the terminal back and stops the process; returns when it is continued.
    fn suspend(&mut self) -> io::Result<()>;
    /// Takes the terminal over again; the next draw sends everything.
    fn resume(&mut self) -> io::Result<()>;
}

impl Surface for Terminal {
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame) -> Vec<Placement>) -> io::Result<Drawn> {
        self.draw_with(paint).map_err(plain)
    }

    fn repaint(&mut self) -> io::Result<()> {
        Terminal::repaint(self);
        Ok(())
    }

    fn link(&self) -> LinkSpeed {
        self.link_speed()
    }

    fn written(&self) -> Option<Written> {
        Some(Terminal::written(self))
    }

    fn suspend(&mut self) -> io::Result<()> {
        Terminal::suspend(self).map_err(plain)
    }

    fn resume(&mut self) -> io::Result<()> {
        Terminal::resume(self).map_err(plain)
    }
}

fn plain(error: TerminalError) -> io::Error {
    match error {
        TerminalError::Io(error) => error,
        error => io::Error::other(error),
    }
}

/// The speed of a replay.
pub trait Pace {
    fn faster(&self);
    fn slower(&self);
    /// Holds the replay, or lets it go on.
    fn toggle(&self);
    /// `x4`, `held`.
    fn label(&self) -> String;
    /// Goes on from another step; the answer comes among [`Pace::sought`]. Does not wait.
    fn seek(&self, step: Step);
    /// The run as it stood after a step that was asked for, and the records that follow; or why it cannot be had.
    fn sought(&self) -> Receiver<Result<Sought, String>>;
}

/// The folder of runs, read on a thread: nothing here waits.
pub trait Shelf {
    fn look(&self);
    /// Reads a whole run for its curves.
    fn open(&self, id: &str);
    /// Which checkpoints the run in this folder has.
    fn checkpoints(&self, folder: &str);
    fn pin(&self, checkpoint: &Path, pinned: Pinned);
    fn remove(&self, checkpoint: &Path);
    /// Begins a run in the background that branches off the one in this folder.
    fn fork(&self, folder: &str, wish: &BranchWish);
    fn answers(&self) -> Receiver<Shelved>;
}

/// What was read.
pub enum Shelved {
    /// All runs, or why the folder cannot be read. Where nothing has changed there is no answer.
    Looked(Result<Vec<Entry>, String>),
    Opened {
        id: String,
        found: Result<Arc<RunState>, String>,
    },
    /// Newest first.
    Checkpoints(Vec<Found>),
    /// A checkpoint was pinned or deleted, or could not be.
    Changed(Result<(), String>),
    Forked(Result<String, String>),
}

/// Where frames are kept: the loop itself writes no files.
pub trait Album {
    /// Says where it is now, or why it could not be kept.
    /// `folder`: the run's.
    fn keep(&self, folder: &str, place: &Place, contents: &str) -> Result<String, String>;
}

pub struct Options {
    /// The chosen one is what it begins with.
    pub themes: Themes,
    pub glyphs: Glyphs,
    pub keymap: Keymap,
    pub motion: Motion,
    pub album: Option<Box<dyn Album>>,
    pub graphics: Graphics,
    /// Frames a second at most; keys are drawn at once all the same.
    pub max_fps: u32,
    /// The run's folder, as messages name it; of a run that has not started, the folder of all runs.
    pub folder: String,
    /// What goes on before the run starts, asked for once a second.
    pub preparing: Option<Box<dyn Fn() -> String>>,
    pub pace: Option<Box<dyn Pace>>,
    /// Why the run cannot go on at the moment, where that cannot be recorded: asked once a second.
    pub trouble: Option<Box<dyn Fn() -> Option<String>>>,
    /// What the local clock is ahead of UTC, in seconds, where that is known.
    pub ahead_s: Option<i32>,
    pub shelf: Option<Box<dyn Shelf>>,
    /// What is known of the run before its first record comes: of one that is attached to.
    pub known: Option<RunState>,
    /// The same in full, where what is known is only enough for a first picture.
    pub better: Option<Receiver<RunState>>,
}

/// How the screen was left, and what was known of the run then.
pub struct Left {
    pub why: Leave,
    pub state: RunState,
}
