//! The loop of the screen: waits in one place for records, keys, signals and the next frame; drains what waits; draws once.
//!
//! It owns no terminal (that is behind [`Surface`]) and decides nothing about training: it sends what
//! [`super::intent`] asks for and tells why it left. Instants here pace frames only; what is drawn sees `clock`.

mod ends;
mod frame;
mod looks;
mod signals;

use crate::run::seek::Sought;
pub use ends::{Album, Left, Options, Pace, Shelf, Shelved, Surface};

use super::cost::{Costs, thread_time};
use super::due::{Dirty, Due, Repaint};
use super::event::{Input, Signal, is_reply};
use super::intent::{self, Effect, Leave};
use super::layout::View;
use super::screen::{Asked, BranchWish, Changed, Checkpoints, Dialog, Mood, Screen, Trains, is_over};
use super::terminal::Drawn;
use super::view;
use crate::protocol::{Command, Event, Record};
use crate::run::RunState;
use crate::run::session::{Access, Session};
use crate::run::state::Phase;
use crossbeam_channel::{Receiver, after, never, select};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So long after a key somebody is taken to be looking.
const LOOKED_AT_MS: u64 = 5_000;
/// Records taken in between two looks at the keys: a replay at full speed must not make them wait.
const AT_ONCE: usize = 4_096;
struct App<'a, S: Surface> {
    clock: &'a dyn Fn() -> u64,
    session: Session,
    surface: &'a mut S,
    state: RunState,
    screen: Screen,
    pace: Option<Box<dyn Pace>>,
    album: Option<Box<dyn Album>>,
    trouble: Option<Box<dyn Fn() -> Option<String>>>,
    preparing: Option<Box<dyn Fn() -> String>>,
    shelf: Option<Box<dyn Shelf>>,
    /// The view at the last look at the clock: the folder is looked at when its view is turned to.
    seen: View,
    due: Due,
    costs: Costs,
    resumed: Option<Instant>,
    /// When the last key came.
    pressed_ms: u64,
    /// A stop was asked for here: leave when it has happened.
    leaving: Leaving,
    /// No more records will come.
    over: bool,
    /// What came since the first picture, while the whole log is still being read.
    since: Vec<Arc<Record>>,
    better: Option<Receiver<RunState>>,
}

#[derive(Clone, PartialEq, Eq)]
enum Leaving {
    Yes,
    /// For a new run from a checkpoint of this one.
    Branch(BranchWish),
    No,
}

/// Shows a run until it is left. `clock` gives milliseconds since the Unix epoch.
pub fn run(
    session: Session,
    surface: &mut impl Surface,
    input: &Receiver<Input>,
    signals: &Receiver<Signal>,
    options: Options,
    clock: &dyn Fn() -> u64,
) -> Left {
    let mut screen = Screen::new(options.themes.palette(), options.glyphs, session.access(), options.folder);
    (screen.themes, screen.keymap, screen.motion) = (options.themes, options.keymap, options.motion);
    screen.now_ms = clock();
    screen.gallery.graphics = options.graphics;
    screen.pace = options.pace.as_ref().map(|p| p.label());
    screen.system.max_fps = options.max_fps;
    screen.events.ahead_s = options.ahead_s;
    let mut app = App {
        clock,
        session,
        surface,
        state: options.known.unwrap_or_default(),
        screen,
        pace: options.pace,
        album: options.album,
        trouble: options.trouble,
        preparing: options.preparing,
        shelf: options.shelf,
        seen: View::Dash,
        due: Due::new(options.max_fps),
        costs: Costs::default(),
        resumed: None,
        pressed_ms: 0,
        leaving: Leaving::No,
        over: false,
        since: Vec::new(),
        better: options.better,
    };
    app.screen.may_take = app.session.may_take();
    if app.session.is_attached() || (app.screen.may_take && app.trouble.is_none()) {
        // Whoever trains knows what troubles it.
        app.screen.trains = Trains::Elsewhere;
    }
    app.screen.caught_up(&app.state);
    app.look_at_parent();
    let why = app.watch(input, signals);
    Left { why, state: app.state }
}

impl<S: Surface> App<'_, S> {
    fn watch(&mut self, input: &Receiver<Input>, signals: &Receiver<Signal>) -> Leave {
        let mut records: Receiver<Arc<Record>> = self.session.records().clone();
        let keys = input.clone();
        let mut calls = signals.clone();
        let mut better = self.better.clone().unwrap_or_else(never);
        let mut sought = self.pace.as_ref().map_or_else(never, |pace| pace.sought());
        let mut shelved = self.shelf.as_ref().map_or_else(never, |shelf| shelf.answers());
        loop {
            if self.draw_if_due().is_err() {
                // Nobody is left to show anything to.
                return Leave::HungUp;
            }
            let timer = self.deadline().map_or_else(never, |at| after(at.saturating_duration_since(Instant::now())));
            let mut left = None;
            select! {
                recv(records) -> record => {
                    if let Ok(record) = record {
                        self.take_in(&record);
                        for record in records.try_iter().take(AT_ONCE) {
                            self.take_in(&record);
                        }
                    } else {
                        records = never();
                        if self.state.started.is_none() && self.screen.access == Access::Steer {
                            // Why is told by whoever prepared it, once the terminal is given back.
                            return Leave::NotStarted;
                        }
                        self.ended();
                    }
                    let over = is_over(&self.state) || self.screen.access == Access::ReadOnly;
                    left = match &self.leaving {
                        Leaving::Yes if over && self.screen.dialog.is_none() => Some(Leave::Quit),
                        Leaving::Branch(wish) if is_over(&self.state) => Some(Leave::Branch(wish.clone())),
                        Leaving::Yes | Leaving::Branch(_) | Leaving::No => None,
                    };
                }
                recv(keys) -> first => match first {
                    Ok(first) => {
                        self.screen.now_ms = (self.clock)();
                        let waiting: Vec<Input> = std::iter::once(first).chain(keys.try_iter()).collect();
                        left = self.inputs(waiting);
                    }
                    // The reader ended without a word: the terminal is gone as far as we can tell.
                    Err(_) => left = Some(Leave::HungUp),
                },
                recv(calls) -> signal => match signal {
                    Ok(signal) => left = self.signal(signal),
                    Err(_) => calls = never(),
                },
                recv(better) -> whole => {
                    better = never();
                    self.complete(whole.ok());
                }
                recv(shelved) -> answer => match answer {
                    Ok(answer) => self.read(answer),
                    Err(_) => shelved = never(),
                },
                recv(sought) -> answer => match answer {
                    Ok(Ok(found)) => records = self.arrived(found),
                    Ok(Err(why)) => {
                        self.screen.seeking = None;
                        self.screen.toast(Mood::Bad, format!("! {why}"));
                        self.mark(Dirty::Data);
                    }
                    Err(_) => sought = never(),
                },
                recv(timer) -> _ => {}
            }
            if let Some(why) = left {
                return why;
            }
            self.tick((self.clock)());
        }
    }

    /// A replay has found the step that it was sent to. Returns the records that follow.
    fn arrived(&mut self, found: Sought) -> Receiver<Arc<Record>> {
        let records = found.records.clone();
        // The thread that played before ends with its receiver.
        self.session = Session::replay(found.records);
        (self.state, self.over) = (found.state, false);
        self.screen.sought(&self.state);
        self.mark(Dirty::Data);
        records
    }

    fn take_in(&mut self, record: &Arc<Record>) {
        // The whole log may have been ahead of the line.
        if record.seq < self.state.next_seq && self.state.started.is_some() {
            return;
        }
        self.state.apply(record);
        if self.better.is_some() {
            self.since.push(Arc::clone(record));
        }
        self.screen.saw(record, &self.state);
        if matches!(record.event, Event::Started(_)) {
            self.look_at_parent();
        }
        if !self.idles(record) {
            self.mark(Dirty::Data);
        }
    }

    /// Whether this is only the machine's load, which goes on while nothing else does: a run that stands still and that nobody looks
    /// after costs a line over SSH nothing. Any key brings it up to date.
    fn idles(&self, record: &Record) -> bool {
        matches!(record.event, Event::Machine(_))
            && self.state.phase == Phase::Paused
            && self.screen.view != View::System
            && self.screen.now_ms.saturating_sub(self.pressed_ms) > LOOKED_AT_MS
    }

    fn read(&mut self, answer: Shelved) {
        match answer {
            Shelved::Looked(found) => self.screen.runs.looked(found),
            Shelved::Opened { id, found } => self.screen.opened(&id, found),
            Shelved::Checkpoints(found) => self.screen.checkpoints = Checkpoints::Read(found),
            Shelved::Changed(done) => {
                if let Err(why) = done {
                    self.screen.toast(Mood::Bad, format!("! {why}"));
                }
                self.screen.checkpoints = Checkpoints::Unread;
            }
            Shelved::Forked(Ok(said)) => self.screen.toast(Mood::Good, said),
            Shelved::Forked(Err(why)) => self.screen.toast(Mood::Bad, format!("! {why}")),
        }
        self.mark(Dirty::Data);
    }

    fn mark(&mut self, dirty: Dirty) {
        self.due.mark(dirty);
    }

    fn inputs(&mut self, waiting: Vec<Input>) -> Option<Leave> {
        let reply = is_reply(&waiting)
            && self.screen.events.typing.is_none()
            && !(self.screen.view == View::Runs && self.screen.runs.is_typing())
            && !matches!(
                self.screen.dialog,
                Some(Dialog::Edit(_) | Dialog::Command(_) | Dialog::Branch(_) | Dialog::Forget { .. })
            );
        for input in waiting {
            if reply && input.printable().is_some() {
                continue;
            }
            match input {
                Input::Key(event) => {
                    self.pressed_ms = self.screen.now_ms;
                    self.mark(Dirty::Key);
                    let before = (self.screen.view, self.screen.focus);
                    let effects = intent::key(&mut self.screen, &self.state, &event);
                    if before != (self.screen.view, self.screen.focus) {
                        self.screen.name_views();
                    }
                    if let Some(leave) = self.carry_out(effects) {
                        return Some(leave);
                    }
                }
                Input::Paste(text) => {
                    intent::paste(&mut self.screen, &text);
                    self.mark(Dirty::Key);
                }
                Input::Resize => self.due.resized(Instant::now()),
                Input::Focus(focus) => self.due.focus(focus),
                Input::HangUp => return Some(Leave::HungUp),
            }
        }
        None
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Option<Leave> {
        for effect in effects {
            match effect {
                Effect::Leave(leave) => return Some(leave),
                Effect::Repaint => self.due.repaint(),
                Effect::Suspend => {
                    if let Some(leave) = self.suspend() {
                        return Some(leave);
                    }
                }
                Effect::Ask(command, asked) => self.ask(command, asked),
                Effect::Write(kind, place) => self.keep(kind, &place),
                Effect::Faster => self.turn(|pace| pace.faster()),
                Effect::Slower => self.turn(|pace| pace.slower()),
                Effect::Seek(step) => self.turn(|pace| pace.seek(step)),
                Effect::TogglePace => self.turn(|pace| pace.toggle()),
                Effect::LookAtRuns => self.look(),
                Effect::OpenRun(id) => self.shelf(|shelf, _| shelf.open(&id)),
                Effect::Pin(path, pinned) => self.shelf(|shelf, _| shelf.pin(&path, pinned)),
                Effect::Remove(path) => self.shelf(|shelf, _| shelf.remove(&path)),
                Effect::Fork(wish) => {
                    self.screen.toast(Mood::Good, format!("beginning a run beside this one from step {} ...", wish.step));
                    self.shelf(|shelf, folder| shelf.fork(folder, &wish));
                }
                Effect::Branch(stop, wish) => {
                    self.ask(Command::Stop(stop), Asked::Stop(stop));
                    self.leaving = Leaving::Branch(wish);
                }
                Effect::TakeLease => self.session.take_lease(),
            }
        }
        None
    }

    fn shelf(&self, how: impl FnOnce(&dyn Shelf, &str)) {
        if let Some(shelf) = &self.shelf {
            how(shelf.as_ref(), &self.screen.folder);
        }
    }

    fn turn(&mut self, how: impl FnOnce(&dyn Pace)) {
        if let Some(pace) = &self.pace {
            how(pace.as_ref());
        }
    }

    fn ask(&mut self, command: Command, asked: Asked) {
        let Some(id) = self.session.ask(command) else {
            self.screen.toast(Mood::Bad, "! the worker does not listen: nothing was changed");
            self.mark(Dirty::Key);
            return;
        };
        match asked {
            Asked::Dial { dial, .. } => {
                if let Some(pending) = self.screen.pending.get_mut(&dial) {
                    pending.sent = Some(id);
                }
            }
            Asked::Stop(_) => self.leaving = Leaving::Yes,
            // No answer is its own.
            Asked::GiveUp => return,
            Asked::Flow(_)
            | Asked::Save
            | Asked::Probe
            | Asked::Examine
            | Asked::Exhibit
            | Asked::Schedule
            | Asked::Unschedule(_) => {}
        }
        self.screen.waiting.push((id, asked));
    }

    /// Whether a clock on the screen goes on by itself.
    fn ticks(&self) -> bool {
        self.screen.access == Access::Steer
            && match self.state.phase {
                Phase::Preparing | Phase::Paused | Phase::Finished(_) => false,
                Phase::Running | Phase::Stopping(_) => true,
            }
    }

    /// Whether a worker may be waiting for something that it cannot record.
    fn may_have_trouble(&self) -> bool {
        self.screen.trouble.is_some() || (self.trouble.is_some() && self.screen.access == Access::Steer && !is_over(&self.state))
    }

    fn tick(&mut self, now_ms: u64) {
        let second = self.screen.now_ms / 1000 != now_ms / 1000;
        self.screen.now_ms = now_ms;
        self.look_at_runs();
        self.look_at_checkpoints();
        self.look_who_steers();
        self.look_at_turned_away();
        if second && self.ticks() {
            self.mark(Dirty::Data);
        }
        if second {
            // No reason to draw by itself: a frame that told only of the frame before would go on for ever.
            self.screen.system.cost = self.surface.written().map(|written| self.costs.sum(now_ms, written));
        }
        if second
            && self.state.started.is_none()
            && let Some(preparing) = &self.preparing
        {
            let now = preparing();
            if now != self.screen.preparing {
                self.screen.preparing = now;
                self.mark(Dirty::Data);
            }
        }
        if second && self.may_have_trouble() {
            let trouble = self.trouble.as_ref().and_then(|trouble| trouble());
            if trouble != self.screen.trouble {
                self.screen.trouble = trouble;
                self.mark(Dirty::Data);
            }
        }
        if self.screen.expire() == Changed::Yes {
            self.mark(Dirty::Data);
        }
        let label = self.pace.as_ref().map(|p| p.label());
        if label != self.screen.pace {
            self.screen.pace = label;
            self.mark(Dirty::Data);
        }
        self.due.settle(Instant::now());
    }

    /// When the loop must look again though nothing comes in.
    fn deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let toast = self.screen.toast_goes_in();
        let runs = (self.shelf.is_some() && self.screen.view == View::Runs).then(|| self.screen.runs.due_in(self.screen.now_ms));
        [
            self.due.at(now),
            (self.ticks() || self.may_have_trouble() || (self.preparing.is_some() && self.state.started.is_none()))
                .then(|| now + Duration::from_millis(1000 - self.screen.now_ms % 1000)),
            toast.map(|ms| now + Duration::from_millis(ms.max(1))),
            runs.map(|ms| now + Duration::from_millis(ms.max(1))),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn draw_if_due(&mut self) -> io::Result<()> {
        if !self.due.is_now(Instant::now()) {
            return Ok(());
        }
        if self.due.take_repaint() == Repaint::Yes {
            self.surface.repaint()?;
        }
        let (state, screen) = (&self.state, &self.screen);
        let (began, mut size) = (thread_time(), screen.size);
        let drawn = self.surface.draw(&mut |frame| {
            size = frame.area().as_size().into();
            view::draw(frame, state, screen);
            view::placements(frame.area(), state, screen)
        })?;
        self.screen.size = size;
        if drawn != Drawn::Skipped {
            self.costs.drew(thread_time().saturating_sub(began));
        }
        self.due.drew(drawn, self.surface.link(), Instant::now());
        if self.screen.link != self.due.link() {
            self.screen.link = self.due.link();
            self.mark(Dirty::Data);
        }
        Ok(())
    }
}
