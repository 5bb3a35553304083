//! What keys do: they change the view, or ask. Nothing is asked of the run that a person did not confirm, except pause and save.
//!
//! It sends nothing itself: the loop carries out the [`Effect`]s, so that key streams can be tested without a run.

mod branch;
mod charts;
mod command_line;
mod dialogs;
mod events;
mod gallery;
mod runs;
mod steering;
mod system;

use super::command_line::CommandLine;
use super::command_line::parse::Kind;
use super::evaluation::Row;
use super::help;
use super::keymap::{Intent, Scope};
use super::layout::{Pane, View};
use super::screen::{Asked, BranchWish, Dialog, Mood, Motion, SMOOTHING, Screen, Search, Trains, is_over, only_hosts};
use crate::protocol::report::Report;
use crate::protocol::{Change, Command, Flow, Step, Stop};
use crate::run::RunState;
use crate::run::advice;
use crate::run::checkpoints::Pinned;
use crate::run::session::Access;
use crate::run::state::{Marker, Phase};
pub use branch::may_touch;
pub use charts::focused as focused_chart;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use std::path::{Path, PathBuf};
pub use steering::{Past, past, steers};
use steering::{apply, dials, may_steer, open_editor, propose, undo};

/// Shorter than this between two Ctrl-C is "I mean it".
const INSIST_MS: u64 = 2_000;
/// A note is one line of a log, not an essay.
const LONGEST_NOTE: usize = 200;

/// What the loop has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Ask(Command, Asked),
    Repaint,
    /// Stop the whole process until it is continued.
    Suspend,
    Leave(Leave),
    /// Keep what the screen shows.
    Write(Kind, Place),
    Faster,
    Slower,
    TogglePace,
    /// Go on with the replay from this step.
    Seek(Step),
    /// Look at the folder of runs.
    LookAtRuns,
    /// Read a run for its curves.
    OpenRun(String),
    Pin(PathBuf, Pinned),
    /// Delete a checkpoint.
    Remove(PathBuf),
    /// Begin a run beside this one.
    Fork(BranchWish),
    /// Ask for a stop, and leave for a new run from a checkpoint once it has happened.
    Branch(Stop, BranchWish),
    /// Steer, whoever does so now.
    TakeLease,
}

/// Where something is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Beside the run, under this name or one like it that is free.
    Run(String),
    /// Exactly there.
    At(String),
}

/// Why the screen is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The run is over, or only watched.
    Quit,
    /// The person will not wait for the worker.
    AtOnce,
    /// Nothing has been trained yet, and the person does not want it any more.
    BeforeStart,
    /// The run could not start.
    NotStarted,
    Terminated,
    HungUp,
    /// Training goes on without this screen.
    Detached,
    /// A new run from a checkpoint takes this one's place.
    Branch(BranchWish),
}

/// Takes in a key. What it changes is in `screen`; what is asked for comes back.
pub fn key(screen: &mut Screen, state: &RunState, event: &KeyEvent) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    screen.somebody_is_there();
    if screen.motion == Motion::Reduced {
        // They have been seen now.
        screen.toasts.clear();
    }
    if screen.keymap.find(&[Scope::Everywhere], event) == Some(Intent::Interrupt) {
        return interrupt(screen, state);
    }
    match screen.dialog.take() {
        None if screen.view == View::Events && events::typed(screen, event) => Vec::new(),
        None => plain(screen, state, event),
        Some(Dialog::Help { search, scroll }) => {
            screen.dialog = dialogs::help(screen, search, scroll, event);
            Vec::new()
        }
        Some(Dialog::Quit { choice }) => dialogs::quit(screen, choice, event),
        Some(Dialog::Discard { choice }) => dialogs::discard(screen, choice, event),
        Some(Dialog::Suspend { choice }) => dialogs::suspend(screen, choice, event),
        Some(Dialog::Edit(editor)) => dialogs::edit(screen, state, editor, event),
        Some(Dialog::Command(line)) => command_line::key(screen, state, line, event),
        Some(Dialog::History { row }) => steering::history(screen, state, row, event),
        Some(Dialog::Unschedule { dial, choice }) => steering::unschedule(screen, state, dial, choice, event),
        Some(Dialog::Write { choice }) => dialogs::write(screen, state, choice, event),
        Some(Dialog::Evaluate { row, choice }) => dialogs::evaluate(screen, state, row, choice, event),
        Some(Dialog::GiveUp { choice }) => dialogs::give_up(screen, state, choice, event),
        Some(Dialog::Detach { choice }) => branch::detaching(screen, choice, event),
        Some(Dialog::Checkpoints { row }) => branch::list(screen, state, row, event),
        Some(Dialog::Branch(branching)) => branch::branch(screen, state, branching, event),
        Some(Dialog::Forget { step, typed }) => branch::forget(screen, step, typed, event),
        Some(Dialog::Failed { scroll }) => dialogs::failed(screen, state, scroll, event),
    }
}

/// Text that came at once: only text fields take it, and only its first line.
pub fn paste(screen: &mut Screen, text: &str) {
    let line = text.lines().next().unwrap_or_default();
    match &mut screen.dialog {
        Some(Dialog::Edit(editor)) => {
            let room = LONGEST_NOTE.saturating_sub(editor.field().chars().count());
            let line: String = line.chars().filter(|c| !c.is_control()).take(room).collect();
            editor.field().push_str(&line);
        }
        Some(Dialog::Command(command)) => command.paste(line),
        Some(Dialog::Help { search: Search::Typing(field), scroll }) => {
            field.paste(line);
            *scroll = 0;
        }
        Some(Dialog::Branch(branching)) => branching.sets.extend(line.chars().filter(|c| !c.is_control()).take(LONGEST_NOTE)),
        // A whole command at once, from a slow link or a clipboard: it is shown, and waits for Enter.
        None if screen.view == View::Runs && screen.runs.is_typing() => line.chars().for_each(|c| screen.runs.filter.typed(c)),
        None if screen.events.typing.is_some() => events::pasted(screen, text),
        None => {
            if let Some(rest) = line.strip_prefix(':') {
                let mut command = CommandLine::default();
                command.paste(rest);
                screen.dialog = Some(Dialog::Command(command));
            }
        }
        _ => {}
    }
}

/// Ctrl-C, or the signal that means the same.
pub fn interrupt(screen: &mut Screen, state: &RunState) -> Vec<Effect> {
    if only_hosts(screen, state) && !is_over(state) {
        return vec![Effect::Leave(Leave::Detached)];
    }
    // Where another process trains, no number of interrupts stops it.
    if screen.access == Access::ReadOnly || is_over(state) || screen.trains == Trains::Elsewhere {
        return vec![Effect::Leave(Leave::Quit)];
    }
    if state.started.is_none() {
        return vec![Effect::Leave(Leave::BeforeStart)];
    }
    let now = screen.now_ms;
    screen.interrupts.retain(|at| now.saturating_sub(*at) < INSIST_MS);
    screen.interrupts.push(now);
    match screen.interrupts.len() {
        1 => {
            screen.dialog = Some(Dialog::Quit { choice: 0 });
            Vec::new()
        }
        2 => {
            screen.dialog = None;
            stop(Stop::NOW_AND_SAVE)
        }
        _ => vec![Effect::Leave(Leave::AtOnce)],
    }
}

fn stop(stop: Stop) -> Vec<Effect> {
    vec![Effect::Ask(Command::Stop(stop), Asked::Stop(stop))]
}

/// Where keys are looked for, the first place winning.
pub fn scopes(screen: &Screen) -> Vec<Scope> {
    let mut scopes = Vec::with_capacity(4);
    match screen.maximised.unwrap_or(screen.focus) {
        // In a recorded run its arrows move the replay; the rest says that nothing can be changed.
        Pane::Controls if screen.pace.is_some() => scopes.extend([Scope::Replay, Scope::Controls]),
        Pane::Controls => scopes.push(Scope::Controls),
        Pane::Loss | Pane::Accuracy | Pane::Third => scopes.push(Scope::Chart),
        Pane::Log => scopes.push(Scope::Log),
        Pane::Machine
        | Pane::Timing
        | Pane::Pull
        | Pane::Best
        | Pane::Verdict
        | Pane::Curve
        | Pane::Classes
        | Pane::Confusion
        | Pane::Grid
        | Pane::Gallery
        | Pane::Runs
        | Pane::Events
        | Pane::System => {}
    }
    scopes.push(Scope::of(screen.view));
    if screen.pace.is_some() && !scopes.contains(&Scope::Replay) {
        scopes.push(Scope::Replay);
    }
    scopes.push(Scope::Everywhere);
    scopes
}

fn plain(screen: &mut Screen, state: &RunState, event: &KeyEvent) -> Vec<Effect> {
    if screen.view == View::Runs && screen.runs.is_typing() {
        return runs::typed(screen, state, event);
    }
    let Some(intent) = screen.keymap.find(&scopes(screen), event) else { return Vec::new() };
    // A view takes what it has a use for; the rest means the same everywhere.
    let own = match screen.view {
        View::Charts => charts::act(screen, state, intent),
        View::Gallery => gallery::act(screen, state, intent),
        View::Runs => runs::act(screen, state, intent),
        View::Events => events::act(screen, state, intent),
        View::System => system::act(screen, state, intent),
        View::Dash | View::Robust => None,
    };
    if let Some(effects) = own {
        return effects;
    }
    // Whoever types .05 must not get 05.
    if intent == Intent::Edit && event.code == KeyCode::Char('.') {
        open_editor(screen, state, ".".into());
        return Vec::new();
    }
    perform(screen, state, intent)
}

fn perform(screen: &mut Screen, state: &RunState, intent: Intent) -> Vec<Effect> {
    match intent {
        Intent::Pause if screen.pace.is_some() => return vec![Effect::TogglePace],
        Intent::Pause => return pause(screen, state),
        Intent::Save => return ask(screen, state, Command::SaveCheckpoint, Asked::Save),
        Intent::Evaluate => evaluate(screen, state),
        Intent::Probe => return ask(screen, state, Command::Evaluate, Asked::Probe),
        Intent::Show(view) => screen.turn_to(view),
        Intent::Quit if only_hosts(screen, state) && !is_over(state) => return branch::detach(screen, state),
        Intent::Quit if screen.access == Access::ReadOnly || is_over(state) => return vec![Effect::Leave(Leave::Quit)],
        Intent::Quit if state.started.is_none() => return vec![Effect::Leave(Leave::BeforeStart)],
        Intent::Quit => screen.dialog = Some(Dialog::Quit { choice: 0 }),
        Intent::Interrupt => return interrupt(screen, state),
        // Where nothing trains, nothing need be asked.
        Intent::Suspend if screen.access == Access::ReadOnly || is_over(state) || screen.trains == Trains::Elsewhere => {
            return vec![Effect::Suspend];
        }
        Intent::Suspend => screen.dialog = Some(Dialog::Suspend { choice: 0 }),
        Intent::Detach => return branch::detach(screen, state),
        Intent::Checkpoints => return branch::open(screen),
        Intent::Help => {
            let scroll = help::opening(&screen.keymap, Scope::of(screen.view), screen.size);
            screen.dialog = Some(Dialog::Help { search: Search::Off, scroll });
        }
        Intent::Repaint => return vec![Effect::Repaint],
        Intent::NextPane => turn(screen, 1),
        Intent::PreviousPane => turn(screen, screen.view.panes().len() - 1),
        Intent::Maximise => screen.maximised = if screen.maximised.is_some() { None } else { Some(screen.focus) },
        Intent::FullLog => {
            screen.maximised = if screen.maximised == Some(Pane::Log) { None } else { Some(Pane::Log) };
            screen.scrolled = 0;
        }
        Intent::Back => back(screen, state),
        Intent::Undo => undo(screen, state),
        Intent::History => screen.dialog = Some(Dialog::History { row: 0 }),
        Intent::CommandLine => screen.dialog = Some(Dialog::Command(CommandLine::default())),
        Intent::SaveFrame => screen.dialog = Some(Dialog::Write { choice: 0 }),
        Intent::NextTheme => {
            screen.palette = screen.themes.turn();
            let name = screen.themes.name().to_string();
            screen.toast(Mood::Good, format!("theme {name}"));
        }
        Intent::Smoothing => screen.smoothing = (screen.smoothing + 1) % SMOOTHING.len(),
        Intent::DialUp => screen.dial = screen.dial.saturating_sub(1),
        Intent::DialDown => screen.dial = (screen.dial + 1).min(dials(state).len().saturating_sub(1)),
        Intent::More => propose(screen, state, |v| if v == 0.0 { steering::FROM_ZERO } else { v * 1.1 }),
        Intent::Less => propose(screen, state, |v| v * 0.9),
        Intent::Double => propose(screen, state, |v| if v == 0.0 { steering::FROM_ZERO } else { v * 2.0 }),
        Intent::Halve => propose(screen, state, |v| v / 2.0),
        Intent::Edit => open_editor(screen, state, String::new()),
        Intent::Apply => return apply(screen, state),
        Intent::Open if matches!(screen.view, View::Dash | View::Charts) => charts::any(screen, state, intent),
        Intent::Left
        | Intent::Right
        | Intent::FarLeft
        | Intent::FarRight
        | Intent::ChartLeft
        | Intent::ChartRight
        | Intent::ZoomIn
        | Intent::ZoomOut
        | Intent::WholeRun
        | Intent::Follow
        | Intent::XAxis
        | Intent::LogScale
        | Intent::Band
        | Intent::Overlays
        | Intent::NextMarker
        | Intent::PreviousMarker => charts::any(screen, state, intent),
        Intent::LineUp => scroll(screen, state, 1, Direction::Back),
        Intent::LineDown => scroll(screen, state, 1, Direction::Forward),
        Intent::PageUp => scroll(screen, state, 10, Direction::Back),
        Intent::PageDown => scroll(screen, state, 10, Direction::Forward),
        Intent::First if screen.focus == Pane::Controls && screen.maximised != Some(Pane::Log) => screen.dial = 0,
        Intent::Last if screen.focus == Pane::Controls && screen.maximised != Some(Pane::Log) => {
            screen.dial = dials(state).len().saturating_sub(1);
        }
        Intent::First => scroll(screen, state, usize::MAX, Direction::Back),
        Intent::Last => scroll(screen, state, usize::MAX, Direction::Forward),
        Intent::OlderReport => walk(screen, state, Direction::Back),
        Intent::NewerReport => walk(screen, state, Direction::Forward),
        // Only some views have a use for them.
        Intent::Open
        | Intent::Filter
        | Intent::Level
        | Intent::ByHand
        | Intent::Context
        | Intent::Span
        | Intent::Refresh
        | Intent::Sort
        | Intent::Tree
        | Intent::WhatIf
        | Intent::NextLook
        | Intent::Exhibit => {}
        Intent::Diagnostics => system::turn_overlay(screen),
        Intent::Faster => return vec![Effect::Faster],
        Intent::Slower => return vec![Effect::Slower],
        Intent::SeekBack => return seek(screen, state, -1),
        Intent::SeekForward => return seek(screen, state, 1),
        Intent::SeekFarBack => return seek(screen, state, -10),
        Intent::SeekFarForward => return seek(screen, state, 10),
        Intent::SeekStart => return seek_to(screen, 0),
        Intent::SeekEnd => return seek_to(screen, Step::MAX),
    }
    Vec::new()
}

fn turn(screen: &mut Screen, by: usize) {
    let panes = screen.view.panes();
    let at = panes.iter().position(|p| *p == screen.focus).unwrap_or(0);
    screen.focus = panes[(at + by) % panes.len()];
    screen.down = 0;
    if screen.maximised.is_some() {
        screen.maximised = Some(screen.focus);
    }
}

fn ask(screen: &mut Screen, state: &RunState, command: Command, asked: Asked) -> Vec<Effect> {
    if may_steer(screen, state) { vec![Effect::Ask(command, asked)] } else { Vec::new() }
}

/// Opens the dialog, or says why these weights cannot be evaluated from here.
fn evaluate(screen: &mut Screen, state: &RunState) {
    if state.examining.is_some() && screen.access == Access::Steer {
        screen.dialog = Some(Dialog::GiveUp { choice: 0 });
        return;
    }
    let later = if screen.access == Access::ReadOnly {
        Some("this run is only watched")
    } else if is_over(state) {
        Some("training is over")
    } else if matches!(state.phase, Phase::Stopping(_)) {
        Some("the run is stopping")
    } else {
        None
    };
    if let Some(why) = later {
        let eval = advice::command("eval", Path::new(&screen.folder), "");
        screen.toast(Mood::Bad, format!("{why}: evaluate its newest checkpoint with {eval}"));
        return;
    }
    let reason = if screen.waiting.iter().any(|(_, asked)| *asked == Asked::Examine) {
        "an evaluation was asked for: it begins after this step"
    } else {
        match &state.started {
            None => "training has not started yet",
            Some(started) if started.data.validation == 0 => "there are no validation images (data.validation_images)",
            Some(started) => {
                screen.dialog = Some(Dialog::Evaluate { row: Row::Attack, choice: screen.evaluation.fitted(started) });
                return;
            }
        }
    };
    screen.toast(Mood::Bad, reason);
}

/// To the next report; beyond the newest one it is followed again.
fn walk(screen: &mut Screen, state: &RunState, direction: Direction) {
    let Some(at) = screen.chosen_report(state) else { return };
    screen.down = 0;
    screen.report = match direction {
        Direction::Back => Some(at.saturating_sub(1)),
        Direction::Forward => Some(at + 1).filter(|next| next + 1 < state.reports.len()),
    };
}

fn pause(screen: &mut Screen, state: &RunState) -> Vec<Effect> {
    let flow = match state.phase {
        Phase::Paused => Flow::Running,
        Phase::Preparing | Phase::Running | Phase::Stopping(_) | Phase::Finished(_) => Flow::Paused,
    };
    ask(screen, state, Command::Set { change: Change::Flow(flow), note: None }, Asked::Flow(flow))
}

/// By so many hundredths of the run, counted from where the replay is going already.
fn seek(screen: &mut Screen, state: &RunState, hundredths: i64) -> Vec<Effect> {
    let all = state.plan_steps().max(state.step);
    let by = i64::try_from((all / 100).max(1)).unwrap_or(i64::MAX).saturating_mul(hundredths);
    let from = screen.seeking.unwrap_or(state.step).min(all);
    seek_to(screen, from.saturating_add_signed(by).min(all))
}

fn seek_to(screen: &mut Screen, step: Step) -> Vec<Effect> {
    screen.seeking = Some(step);
    vec![Effect::Seek(step)]
}

/// One layer out: the proposal, the crosshair, the zoom, the maximised pane; from another view to the Dash.
fn back(screen: &mut Screen, state: &RunState) {
    if screen.view != View::Dash {
        if screen.maximised.is_some() {
            screen.maximised = None;
        } else {
            screen.turn_to(View::Dash);
        }
        return;
    }
    let chosen = dials(state).get(screen.dial).copied().filter(|_| screen.focus == Pane::Controls);
    if let Some(dial) = chosen
        && screen.pending.get(&dial).is_some_and(|p| p.sent.is_none())
    {
        screen.pending.remove(&dial);
    } else if screen.cursor.is_some() {
        screen.cursor = None;
    } else if screen.maximised.is_some() {
        screen.maximised = None;
    } else if screen.zoom.is_some() {
        screen.zoom = None;
    } else {
        screen.toasts.clear();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Back,
    Forward,
}

fn scroll(screen: &mut Screen, state: &RunState, by: usize, direction: Direction) {
    if screen.maximised.unwrap_or(screen.focus) != Pane::Log {
        let most = screen.chosen_report(state).map_or(0, |at| longest(&state.reports[at].1));
        screen.down = match direction {
            Direction::Back => screen.down.saturating_sub(by),
            Direction::Forward => screen.down.saturating_add(by).min(most),
        };
        return;
    }
    screen.scrolled = match direction {
        Direction::Back => screen.scrolled.saturating_add(by).min(state.brief_lines().count().saturating_sub(1)),
        Direction::Forward => screen.scrolled.saturating_sub(by),
    };
}

/// Lines that no pane about the report has more of, roughly: how many there are is known only when their width is.
fn longest(report: &Report) -> usize {
    let texts = report.doubts.iter().map(|d| d.saw.len() + d.suggests.len());
    report.classes.len().max(report.confusion.len()).max(texts.sum::<usize>() / 30 + 10)
}

/// What happened at a step, for the status line.
pub fn markers_at(state: &RunState, step: Step) -> impl Iterator<Item = &Marker> {
    state.markers.iter().filter(move |m| m.step == step)
}
