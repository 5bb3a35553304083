//! What the screen remembers beside the run: focus, zoom, what a person is about to change, dialogs, toasts.
//!
//! Nothing here is true of the run: a pending value is a proposal until [`RunState::answer_to`] says otherwise. It reads no
//! clock; the loop sets `now_ms`.

mod branch;
mod charts;
mod editor;
mod events;
mod gallery;
mod runs;
mod system;
mod toast;

pub use branch::{Branching, Checkpoints, Kind, Wish as BranchWish, change as change_of_config};
pub use charts::{Charts, Overlays, Tail, X};
pub use editor::{Editor, Field, Wish};
pub use events::{Around, Events, Half, Wanted, line as log_line, window};
pub use gallery::{Gallery, Look, Size};
pub use runs::{Extent, Filter, Folder, Listed, OVERLAYS, Rank, Runs, Shape, Shown, Sort, Toggled, state_word};
pub use system::{Overlay, Section, Span, System};
pub use toast::{Changed, Mood, Stays, Toast};

use super::command_line::CommandLine;
use super::evaluation::{Choice, Row};
use super::glyphs::Glyphs;
use super::keymap::Keymap;
use super::layout::{Pane, View};
use super::terminal::LinkSpeed;
use super::theme::{Palette, Themes};
use crate::protocol::event::{Warning, Whose};
use crate::protocol::report::Report;
use crate::protocol::{Change, CommandId, Dial, Event, Flow, Outcome, Record, Step, Stop};
use crate::run::RunState;
use crate::run::alerts::saw;
use crate::run::session::Access;
use crate::run::state::{Answer, Phase};
use std::collections::BTreeMap;
use std::path::Path;

/// Smoothing levels in the order that the key walks through them.
pub const SMOOTHING: [f64; 4] = [0.0, 0.6, 0.9, 0.99];

pub struct Screen {
    /// Milliseconds since the Unix epoch, as the loop last saw them.
    pub now_ms: u64,
    pub palette: Palette,
    pub themes: Themes,
    pub glyphs: Glyphs,
    pub keymap: Keymap,
    pub motion: Motion,
    pub access: Access,
    /// Whether it may become the one that steers.
    pub may_take: bool,
    pub trains: Trains,
    /// The run's folder, as messages name it; of a run that has not started, the folder of all runs.
    pub folder: String,
    /// What goes on before the run starts.
    pub preparing: String,
    /// How fast a replay plays; `None` for a live run.
    pub pace: Option<String>,
    /// Columns and rows of the last frame: keys that turn pages go by it.
    pub size: (u16, u16),
    pub view: View,
    pub focus: Pane,
    pub maximised: Option<Pane>,
    /// Where focus and maximised pane were in the views that were left.
    places: BTreeMap<View, (Pane, Option<Pane>)>,
    pub dial: usize,
    pub pending: BTreeMap<Dial, Pending>,
    pub waiting: Vec<(CommandId, Asked)>,
    pub dialog: Option<Dialog>,
    /// Commands that were typed, oldest first.
    pub commands: Vec<String>,
    pub toasts: Vec<Toast>,
    pub smoothing: usize,
    pub zoom: Option<Zoom>,
    pub cursor: Option<Step>,
    /// Lines scrolled back in the log; 0 follows.
    pub scrolled: usize,
    /// The last dial change and what it replaced, for undo.
    pub undo: Option<(Dial, f64)>,
    pub paused_at_ms: Option<u64>,
    /// Milliseconds that the whole process was stopped while training ran.
    pub away_ms: u64,
    /// Why the run cannot go on at the moment, and could not record it.
    pub trouble: Option<String>,
    pub link: LinkSpeed,
    pub interrupts: Vec<u64>,
    /// What the last evaluation was asked for, and the next one begins with.
    pub evaluation: Choice,
    /// Index of the report that is looked at; `None` follows the newest.
    pub report: Option<usize>,
    /// Lines that the focused pane of the Robust view is scrolled down.
    pub down: usize,
    pub charts: Charts,
    pub gallery: Gallery,
    pub runs: Runs,
    pub checkpoints: Checkpoints,
    pub events: Events,
    pub system: System,
    /// The evaluation whose begin was told.
    begun: Option<CommandId>,
}

/// A part of the planned run: the charts show `from .. from + span`, in steps or, on a time axis, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zoom {
    pub from: u64,
    pub span: u64,
    pub tail: Tail,
}

/// A value that a person proposes.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    pub value: f64,
    /// Sent and not yet answered.
    pub sent: Option<CommandId>,
}

/// What a request was for, so that its answer can be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    Dial {
        dial: Dial,
        old: f64,
        new: f64,
    },
    Flow(Flow),
    Save,
    Probe,
    Examine,
    Exhibit,
    Schedule,
    Unschedule(Dial),
    /// Answered by nothing of its own: the evaluation's answer tells.
    GiveUp,
    Stop(Stop),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Dialog {
    Help {
        search: Search,
        scroll: u16,
    },
    Quit {
        choice: usize,
    },
    /// Stopping the whole process, as a shell's Ctrl-Z does.
    Suspend {
        choice: usize,
    },
    /// Stopping without a checkpoint needs a second yes.
    Discard {
        choice: usize,
    },
    Edit(Editor),
    /// The line that begins with a colon.
    Command(CommandLine),
    /// What was changed, and what is scheduled.
    History {
        row: usize,
    },
    /// Giving up what is scheduled.
    Unschedule {
        dial: Dial,
        choice: usize,
    },
    /// How to save what the screen shows.
    Write {
        choice: usize,
    },
    /// What to evaluate the weights with; nothing begins before Enter.
    Evaluate {
        row: Row,
        choice: Choice,
    },
    /// An evaluation runs.
    GiveUp {
        choice: usize,
    },
    Failed,
    /// Leaving while training goes on.
    Detach {
        choice: usize,
    },
    Checkpoints {
        row: usize,
    },
    Branch(Branching),
    /// Deleting a checkpoint.
    Forget {
        step: Step,
        typed: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Search {
    Off,
    Typing(String),
    Found(String),
}

/// Where training goes on: what stops this process stops it too, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trains {
    Here,
    Elsewhere,
}

/// Whether things on the screen may go away by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Motion {
    #[default]
    Usual,
    /// Messages stay until a key is pressed.
    Reduced,
}

/// The quit dialog's choices, the first being the safe one.
pub const QUIT: [&str; 5] = [
    "stop after this step and save",
    "stop after this epoch and save",
    "stop without saving ...",
    "detach: training goes on without this screen",
    "go on training",
];
pub const DETACH: [&str; 2] = ["detach: training goes on", "stay"];
pub const SUSPEND: [&str; 2] = ["suspend everything until fg", "go on training"];
pub const DISCARD: [&str; 2] = ["keep training", "stop, lose what was not saved"];
pub const UNSCHEDULE: [&str; 2] = ["let it come", "give it up"];
pub const WRITE: [&str; 3] = ["text", "ANSI: with colours, for cat and less -R", "SVG: for a page or a report"];
pub const GIVE_UP: [&str; 2] = ["let it finish", "give it up, go on training"];

impl Screen {
    pub fn new(palette: Palette, glyphs: Glyphs, access: Access, folder: String) -> Self {
        Self {
            now_ms: 0,
            palette,
            themes: Themes::built_in(palette.level()),
            glyphs,
            keymap: Keymap::default(),
            motion: Motion::default(),
            access,
            may_take: false,
            trains: Trains::Here,
            folder,
            preparing: String::new(),
            pace: None,
            size: (80, 24),
            view: View::Dash,
            focus: Pane::Controls,
            maximised: None,
            places: BTreeMap::new(),
            dial: 0,
            pending: BTreeMap::new(),
            waiting: Vec::new(),
            dialog: None,
            commands: Vec::new(),
            toasts: Vec::new(),
            smoothing: 0,
            zoom: None,
            cursor: None,
            scrolled: 0,
            undo: None,
            paused_at_ms: None,
            away_ms: 0,
            trouble: None,
            link: LinkSpeed::Fast,
            interrupts: Vec::new(),
            evaluation: Choice::default(),
            report: None,
            down: 0,
            charts: Charts::default(),
            gallery: Gallery::default(),
            runs: Runs::default(),
            checkpoints: Checkpoints::default(),
            events: Events::default(),
            system: System::default(),
            begun: None,
        }
    }

    /// Takes over what was known of the run before there was this screen.
    pub fn caught_up(&mut self, state: &RunState) {
        if state.phase == Phase::Paused {
            self.paused_at_ms = Some(state.last_at_ms);
        }
        self.undo = state.turns.last().map(|turn| (turn.dial, turn.old));
    }

    /// Shows a view as it was left.
    pub fn turn_to(&mut self, view: View) {
        if view == self.view {
            return;
        }
        self.places.insert(self.view, (self.focus, self.maximised));
        let first = view.panes().first().copied().unwrap_or(self.focus);
        (self.focus, self.maximised) = self.places.get(&view).copied().unwrap_or((first, None));
        (self.view, self.down) = (view, 0);
    }

    /// Index of the report to be shown, if there is any.
    pub fn chosen_report(&self, state: &RunState) -> Option<usize> {
        let last = state.reports.len().checked_sub(1)?;
        Some(self.report.map_or(last, |at| at.min(last)))
    }

    /// Takes note of a record that was folded into `state` just now.
    pub fn saw(&mut self, record: &Record, state: &RunState) {
        match &record.event {
            Event::Controlled { change, previous, stair, .. } => {
                // A ramp is undone as a whole.
                if let Some((dial, old)) = previous.dial().filter(|_| stair.is_none_or(|stair| stair.number == 1)) {
                    self.undo = Some((dial, old));
                }
                match change {
                    Change::Flow(Flow::Paused) => self.paused_at_ms = self.paused_at_ms.or(Some(record.at_ms)),
                    Change::Flow(Flow::Running) => self.paused_at_ms = None,
                    _ => {}
                }
            }
            Event::Warned { kind, message, step: _ } => {
                let saw = saw(message);
                // The advice is in the log, where there is room for it.
                let more = if saw.len() < message.len() { " (L: more)" } else { "" };
                self.tell(Mood::Bad, stays(*kind), format!("! {saw}{more}"));
                if *kind == Warning::NonFinite && self.access == Access::Steer && self.dialog.is_none() {
                    // What helps is to go back, which is offered at once.
                    self.checkpoints = Checkpoints::Unread;
                    self.dialog = Some(Dialog::Checkpoints { row: 0 });
                }
            }
            Event::Finished(finished) => {
                self.paused_at_ms = None;
                self.trouble = None;
                self.pending.clear();
                match &finished.outcome {
                    Outcome::Completed => self.toast(Mood::Good, "training completed"),
                    Outcome::Stopped => self.toast(Mood::Good, format!("stopped at step {}", finished.step)),
                    Outcome::Failed { .. } => self.dialog = Some(Dialog::Failed),
                }
                if matches!(
                    self.dialog,
                    Some(
                        Dialog::Quit { .. }
                            | Dialog::Discard { .. }
                            | Dialog::Suspend { .. }
                            | Dialog::Edit(_)
                            | Dialog::Unschedule { .. }
                            | Dialog::Evaluate { .. }
                            | Dialog::Detach { .. }
                    )
                ) {
                    self.dialog = None;
                }
            }
            Event::Examining { step, by, .. } => {
                if by.is_some() && self.begun != *by {
                    self.begun = *by;
                    self.toast(Mood::Good, format!("evaluating @ step {step}: training stands still"));
                }
            }
            Event::Examined { step, report, .. } => self.found(*step, report),
            Event::Exhibited(exhibit) => gallery::saw(self, exhibit),
            Event::Started(started) => {
                let path = Path::new(&self.folder);
                if self.access == Access::Steer && path.file_name().is_none_or(|name| name != started.run.as_str()) {
                    self.folder = path.join(&started.run).display().to_string();
                }
            }
            Event::Progress(_)
            | Event::Refused { .. }
            | Event::Scheduled { .. }
            | Event::Unscheduled { .. }
            | Event::Pulled(_)
            | Event::Stopping { .. }
            | Event::Evaluated(_)
            | Event::EpochFinished(_)
            | Event::Saved(_)
            | Event::Preparing(_)
            | Event::Machine(_)
            | Event::Said { .. } => {}
        }
        if state.examining.is_none() && matches!(self.dialog, Some(Dialog::GiveUp { .. })) {
            self.dialog = None;
        }
        // It has come, or was given up elsewhere.
        if let Some(Dialog::Unschedule { dial, .. }) = self.dialog
            && !state.scheduled.iter().any(|timed| timed.dial == dial)
        {
            self.dialog = None;
        }
        self.settle(state);
    }

    /// Tells what an evaluation found: the one number, of several attacks the worst case.
    fn found(&mut self, step: Step, report: &Report) {
        let attack = match report.attacks.as_slice() {
            [] => "evaluation",
            [one] => one.ensemble.name.as_str(),
            _ => "worst case",
        };
        let whose = match report.of {
            Whose::Student => "",
            Whose::Teacher => "teacher: ",
        };
        let doubts = match report.doubts.len() {
            0 => String::new(),
            1 => "; 1 doubt".to_string(),
            n => format!("; {n} doubts"),
        };
        let (images, split) = (report.images, report.split.name());
        let (robust, natural) = (100.0 * report.worst_case, 100.0 * report.natural);
        let text = format!("{whose}{attack} on {images} {split} images: {robust:.1} % of {natural:.1} % @ step {step}{doubts}");
        self.toast(if report.doubts.is_empty() { Mood::Good } else { Mood::Bad }, text);
    }

    /// Tells what became of what was asked.
    fn settle(&mut self, state: &RunState) {
        let waiting = std::mem::take(&mut self.waiting);
        for (id, asked) in waiting {
            let Some(answer) = state.answer_to(id) else {
                self.waiting.push((id, asked));
                continue;
            };
            if let Asked::Dial { dial, .. } = asked
                && self.pending.get(&dial).is_some_and(|p| p.sent == Some(id))
            {
                self.pending.remove(&dial);
            }
            match answer {
                // That one was given up on is no refusal to the person who did so.
                Answer::Refused(reason) if asked == Asked::Examine => self.toast(Mood::Bad, format!("! {reason}")),
                Answer::Refused(reason) => self.toast(Mood::Bad, format!("! refused: {reason}")),
                Answer::Done(step) => match asked {
                    Asked::Dial { dial, old, new } => {
                        let (old, new) = (dial.show(old), dial.show(new));
                        self.toast(Mood::Good, format!("{} {old} -> {new} @ step {step}", dial.symbol()));
                    }
                    Asked::Save => {
                        let path = state.saved.as_ref().map_or("", |(_, s)| s.path.as_str());
                        self.toast(Mood::Good, format!("saved {path} @ step {step}"));
                    }
                    Asked::Probe => self.toast(Mood::Good, format!("probed @ step {step}")),
                    Asked::Schedule => {
                        let words = state
                            .scheduled
                            .last()
                            .map_or_else(|| "scheduled".into(), |timed| format!("scheduled: {}", timed.words()));
                        self.toast(Mood::Good, words);
                    }
                    Asked::Unschedule(dial) => {
                        self.toast(Mood::Good, format!("{}: nothing is scheduled any more", dial.symbol()));
                    }
                    // What was found was told when it came.
                    Asked::Flow(_) | Asked::Examine | Asked::Exhibit | Asked::GiveUp | Asked::Stop(_) => {}
                },
            }
        }
    }

    /// Milliseconds of training time so far: pauses and suspensions do not count, and a recorded run has its own clock.
    pub fn elapsed_ms(&self, state: &RunState) -> u64 {
        let live = self.access == Access::Steer && !is_over(state);
        let now = match self.paused_at_ms {
            Some(at) => at,
            None if live => self.now_ms.max(state.last_at_ms),
            None => state.last_at_ms,
        };
        now.saturating_sub(state.started_at_ms).saturating_sub(state.paused_ms + self.away_ms)
    }
}

pub fn is_over(state: &RunState) -> bool {
    matches!(state.phase, Phase::Finished(_))
}

/// What may cost the run waits for somebody to come.
fn stays(kind: Warning) -> Stays {
    match kind {
        Warning::NonFinite | Warning::Divergence | Warning::Overfitting | Warning::DiskFull => Stays::UntilKey,
        Warning::Teacher
        | Warning::Drifting
        | Warning::Vanishing
        | Warning::InputBound
        | Warning::Throttled
        | Warning::Disk
        | Warning::Limit
        | Warning::Data
        | Warning::Other => Stays::ForAWhile,
    }
}

pub fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
