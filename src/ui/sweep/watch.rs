//! The loop: waits in one place for boards, keys, signals and the next frame; drains what waits; draws once, and only what has changed.
//!
//! It owns no terminal (that is behind [`Surface`]) and decides nothing about the sweep. Instants here pace frames only.

use super::draw::draw;
use super::keys::{self, Effect};
use super::view::{Leaving, Runner, Stop, View};
use super::{Ask, End};
use crate::run::RunState;
use crate::sweep::board::{Board, Flow};
use crate::ui::app::Surface;
use crate::ui::brush::Brush;
use crate::ui::due::{Dirty, Due, Repaint};
use crate::ui::event::{Input, Signal, is_reply};
use crate::ui::glyphs::Glyphs;
use crate::ui::screen::{Filter, Mood};
use crate::ui::theme::Themes;
use crossbeam_channel::{Receiver, Sender, after, never, select};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A SIGCONT this soon after a resume is the one that caused it.
const SAME_CONTINUE: Duration = Duration::from_millis(500);

/// How it looks, and what leaving means.
pub struct Options {
    pub themes: Themes,
    pub glyphs: Glyphs,
    /// Frames a second at most; keys are drawn at once all the same.
    pub max_fps: u32,
    pub leaving: Leaving,
    /// Without one no curves are shown.
    pub curves: Option<Box<dyn Curves>>,
}

/// Reads the logs of runs on a thread: nothing here waits.
pub trait Curves {
    /// Whose curves are wanted, again and again for as long as its log grows; `None`: nobody's.
    fn follow(&self, id: Option<&str>);
    /// A run by its id, as far as its log is, or why there is nothing of it.
    fn read(&self) -> Receiver<(String, Result<Arc<RunState>, String>)>;
}

struct Watch<'a, S: Surface> {
    surface: &'a mut S,
    asks: &'a Sender<Ask>,
    themes: Themes,
    view: View,
    board: Option<Board>,
    due: Due,
    resumed: Option<Instant>,
    curves: Option<Box<dyn Curves>>,
    /// The run whose curves were asked for last.
    followed: Option<String>,
}

/// As [`super::run`], on any surface. `printed`: what belongs below the picture, whoever printed it.
pub fn watch(
    boards: &Receiver<Board>,
    asks: &Sender<Ask>,
    surface: &mut impl Surface,
    input: &Receiver<Input>,
    signals: &Receiver<Signal>,
    printed: &Receiver<String>,
    options: Options,
) -> End {
    let brush = Brush { palette: options.themes.palette(), glyphs: options.glyphs };
    let watch = Watch {
        surface,
        asks,
        themes: options.themes,
        view: View::new(brush, options.leaving),
        board: None,
        due: Due::new(options.max_fps),
        resumed: None,
        curves: options.curves,
        followed: None,
    };
    watch.until_left(boards, input, signals, printed)
}

impl<S: Surface> Watch<'_, S> {
    fn until_left(
        mut self,
        boards: &Receiver<Board>,
        input: &Receiver<Input>,
        signals: &Receiver<Signal>,
        printed: &Receiver<String>,
    ) -> End {
        let (mut boards, mut signals, mut printed) = (boards.clone(), signals.clone(), printed.clone());
        let mut read = self.curves.as_ref().map_or_else(never, |curves| curves.read());
        loop {
            self.follow();
            self.due.settle(Instant::now());
            if self.draw_if_due().is_err() {
                // Nobody is left to show anything to.
                return End::HungUp;
            }
            let now = Instant::now();
            let timer = self.due.at(now).map_or_else(never, |at| after(at.saturating_duration_since(now)));
            let left = select! {
                recv(boards) -> board => {
                    if let Ok(board) = board {
                        // Only the newest counts.
                        self.take_in(boards.try_iter().last().unwrap_or(board));
                    } else {
                        boards = never();
                        self.view.runner = Runner::Gone;
                        self.due.mark(Dirty::Key);
                    }
                    None
                }
                recv(input) -> first => match first {
                    Ok(first) => self.inputs(std::iter::once(first).chain(input.try_iter()).collect()),
                    // The reader ended without a word: the terminal is gone as far as we can tell.
                    Err(_) => Some(End::HungUp),
                },
                recv(signals) -> signal => if let Ok(signal) = signal {
                    self.signal(signal)
                } else {
                    signals = never();
                    None
                },
                recv(printed) -> line => {
                    match line {
                        Ok(line) => {
                            self.view.print(line);
                            self.due.mark(Dirty::Data);
                        }
                        Err(_) => printed = never(),
                    }
                    None
                }
                recv(read) -> found => {
                    match found {
                        Ok(found) if self.followed.as_ref() == Some(&found.0) => {
                            self.view.curves = Some(found);
                            self.due.mark(Dirty::Data);
                        }
                        // Another is looked at by now.
                        Ok(_) => {}
                        Err(_) => read = never(),
                    }
                    None
                }
                recv(timer) -> _ => None,
            };
            if let Some(end) = left.or_else(|| self.has_stopped()) {
                return end;
            }
        }
    }

    /// Asks for the curves that are looked at now.
    fn follow(&mut self) {
        let Some(curves) = &self.curves else { return };
        let wanted = self.view.looks_at(self.board.as_ref());
        if wanted != self.followed.as_deref() {
            curves.follow(wanted);
            self.followed = wanted.map(String::from);
            self.view.curves = None;
        }
    }

    /// What was stopped from here is left once it has happened, unless something is being read just now.
    fn has_stopped(&self) -> Option<End> {
        let over = self.view.stop == Stop::Asked && self.view.dialog.is_none() && self.view.is_over(self.board.as_ref());
        over.then(|| match self.board.as_ref().map(|board| board.flow) {
            // The last run ended before it could be stopped.
            Some(Flow::Finished) => End::Finished,
            Some(Flow::Running | Flow::Stopping | Flow::Stopped) | None => End::Stopped,
        })
    }

    fn take_in(&mut self, board: Board) {
        let board = in_seconds(board);
        if self.board.as_ref() != Some(&board) {
            keys::saw(&mut self.view, &board);
            self.board = Some(board);
            self.due.mark(Dirty::Data);
        }
    }

    fn inputs(&mut self, waiting: Vec<Input>) -> Option<End> {
        let typing = matches!(self.view.filter, Filter::Typing(_)) && self.view.dialog.is_none();
        let reply = is_reply(&waiting) && !typing;
        for input in waiting {
            if reply && input.printable().is_some() {
                continue;
            }
            match input {
                Input::Key(event) => {
                    self.due.mark(Dirty::Key);
                    if let Some(effect) = keys::press(&mut self.view, self.board.as_ref(), &event)
                        && let Some(end) = self.carry_out(&effect)
                    {
                        return Some(end);
                    }
                }
                Input::Paste(text) => {
                    keys::paste(&mut self.view, &text);
                    self.due.mark(Dirty::Key);
                }
                Input::Resize => self.due.resized(Instant::now()),
                Input::Focus(focus) => self.due.focus(focus),
                Input::HangUp => return Some(End::HungUp),
            }
        }
        None
    }

    fn carry_out(&mut self, effect: &Effect) -> Option<End> {
        match *effect {
            Effect::Leave(end) => return Some(end),
            Effect::Repaint => self.due.repaint(),
            Effect::NextTheme => {
                self.view.brush.palette = self.themes.turn();
                self.view.say(Mood::Good, format!("theme {}", self.themes.name()));
            }
            Effect::Suspend => {
                if self.surface.suspend().is_err() {
                    return Some(End::HungUp);
                }
                return self.come_back();
            }
            Effect::Ask(ask) => self.ask(ask),
        }
        None
    }

    fn ask(&mut self, ask: Ask) {
        // Never waited for: whoever runs the sweep may be busy.
        if self.asks.try_send(ask).is_err() {
            if ask == Ask::Stop {
                self.view.stop = Stop::NotAsked;
            }
            self.view.say(Mood::Bad, "! what runs the sweep does not listen: nothing was changed");
            return;
        }
        match ask {
            Ask::Stop => self.view.say(Mood::Good, "stopping: what runs is saved, nothing more is begun"),
            Ask::Retry(_) => self.view.say(Mood::Good, "asked for once more"),
            Ask::Skip(_) => self.view.say(Mood::Good, "asked to give it up"),
        }
    }

    fn signal(&mut self, signal: Signal) -> Option<End> {
        match signal {
            Signal::Terminate => {
                let _ = self.asks.try_send(Ask::Stop);
                Some(End::Terminated)
            }
            Signal::HangUp => Some(End::HungUp),
            Signal::Interrupt => {
                self.due.mark(Dirty::Key);
                let effect = keys::interrupt(&mut self.view, self.board.as_ref())?;
                self.carry_out(&effect)
            }
            // Each run writes its own checkpoints.
            Signal::Save => None,
            Signal::Continue if self.resumed.is_some_and(|at| at.elapsed() < SAME_CONTINUE) => None,
            Signal::Continue => self.come_back(),
        }
    }

    /// After the process was stopped: whoever stopped it may have changed everything about the terminal.
    fn come_back(&mut self) -> Option<End> {
        if self.surface.resume().is_err() {
            return Some(End::HungUp);
        }
        self.resumed = Some(Instant::now());
        self.due.mark(Dirty::Key);
        None
    }

    fn draw_if_due(&mut self) -> io::Result<()> {
        if !self.due.is_now(Instant::now()) {
            return Ok(());
        }
        if self.due.take_repaint() == Repaint::Yes {
            self.surface.repaint()?;
        }
        let (board, view) = (self.board.as_ref(), &self.view);
        let mut size = view.size;
        let drawn = self.surface.draw(&mut |frame| {
            size = frame.area().as_size().into();
            draw(frame, board, view);
            Vec::new()
        })?;
        self.view.size = size;
        self.due.drew(drawn, self.surface.link(), Instant::now());
        if self.view.link != self.due.link() {
            self.view.link = self.due.link();
            self.due.mark(Dirty::Data);
        }
        Ok(())
    }
}

/// Without parts of seconds: boards that differ in nothing else look the same and need no frame.
fn in_seconds(mut board: Board) -> Board {
    board.elapsed_s = board.elapsed_s.floor();
    board.left_s = board.left_s.map(f64::floor);
    for row in &mut board.rows {
        row.train_s = row.train_s.floor();
        row.evaluate_s = row.evaluate_s.floor();
        row.left_s = row.left_s.map(f64::floor);
    }
    board
}
