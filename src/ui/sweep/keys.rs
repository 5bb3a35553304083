//! What keys mean on the screen of a sweep: one table for keys, hints and help, and what each does to the view.
//!
//! No single key stops, retries or gives up anything: a stray reply of the terminal that arrives as key presses must do no harm.
//! The keys are the same wherever [`crate::ui::keymap`] has the same meaning; they are not rebound.

use super::layout::page;
use super::points::measures;
use super::view::{Dialog, HURRY, Leaving, RETRY, Runner, SKIP, Show, Stop, View};
use super::{Ask, End};
use crate::sweep::board::{Board, Flow, Stage};
use crate::ui::keymap::{Key, label};
use crate::ui::screen::{Filter, Mood};
use crate::ui::scroll::{moved, scrolled};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What the loop is to do beside drawing.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Ask(Ask),
    Leave(End),
    Repaint,
    Suspend,
    NextTheme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Leave,
    Help,
    Interrupt,
    Suspend,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Follow,
    NextFailed,
    /// What is to be known of the chosen run first: its curves, or why there are none.
    Open,
    Details,
    Figure,
    Table,
    Attack,
    Filter,
    Retry,
    Skip,
    Theme,
    Repaint,
    Back,
}

pub struct Binding {
    pub keys: &'static [Key],
    pub act: Act,
    /// For the help.
    pub says: &'static str,
    /// For the hints row, where it is worth a place there.
    pub hint: Option<&'static str>,
}

const PLAIN: KeyModifiers = KeyModifiers::NONE;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;
/// Letters of a filter.
const LONGEST_FILTER: usize = 60;

const fn key(c: char) -> Key {
    (KeyCode::Char(c), PLAIN)
}
const fn ctrl(c: char) -> Key {
    (KeyCode::Char(c), CTRL)
}
const fn named(code: KeyCode) -> Key {
    (code, PLAIN)
}
const fn bind(keys: &'static [Key], act: Act, says: &'static str, hint: Option<&'static str>) -> Binding {
    Binding { keys, act, says, hint }
}

/// In the order of help and hints.
pub const KEYS: &[Binding] = &[
    bind(&[key('q')], Act::Leave, "leave: asks first while the sweep runs", Some("leave")),
    bind(&[key('?'), named(KeyCode::F(1))], Act::Help, "this help", Some("help")),
    bind(
        &[named(KeyCode::Enter)],
        Act::Open,
        "the chosen run's curves as they grow; of one that waits or failed, why",
        Some("curves"),
    ),
    bind(&[key('c')], Act::Details, "all about the chosen run: config, folder, why it failed", Some("config")),
    bind(&[named(KeyCode::Tab)], Act::Figure, "the figure alone, or beside the table again", Some("figure")),
    bind(&[key('z')], Act::Table, "the table alone, or beside the figure again", None),
    bind(&[key('r')], Act::Retry, "run a failed run once more; asks", Some("retry")),
    bind(&[key('x')], Act::Skip, "give a waiting run up; asks", Some("skip")),
    bind(&[key('a')], Act::Attack, "the numbers of the next attack", Some("attack")),
    bind(&[key('/')], Act::Filter, "show what has these words: id, label, key=value, stage", Some("filter")),
    bind(&[key('f')], Act::Follow, "choose what trains, whatever that is", Some("follow")),
    bind(&[key('n')], Act::NextFailed, "the next run that failed", Some("failed")),
    bind(&[named(KeyCode::Up), key('k')], Act::Up, "the run above", None),
    bind(&[named(KeyCode::Down), key('j')], Act::Down, "the run below", None),
    bind(&[named(KeyCode::PageUp)], Act::PageUp, "a page up", None),
    bind(&[named(KeyCode::PageDown)], Act::PageDown, "a page down", None),
    bind(&[named(KeyCode::Home), key('g')], Act::First, "the first run", None),
    bind(&[named(KeyCode::End), key('G')], Act::Last, "the last run", None),
    bind(&[key('T')], Act::Theme, "the next theme", None),
    bind(&[ctrl('l')], Act::Repaint, "draw everything again", None),
    bind(&[ctrl('c')], Act::Interrupt, "as q; once more: stop and save; once more: leave at once", None),
    bind(&[ctrl('z')], Act::Suspend, "suspend, as at a shell; runs go on, none is begun", None),
    bind(&[named(KeyCode::Esc)], Act::Back, "one layer out: the filter, the pane alone", None),
];

impl Binding {
    /// `Up k`.
    pub fn label(&self) -> String {
        self.keys.iter().map(|&(code, modifiers)| label(code, modifiers)).collect::<Vec<_>>().join(" ")
    }

    /// The first key only.
    pub fn first(&self) -> String {
        self.keys.first().map_or_else(String::new, |&(code, modifiers)| label(code, modifiers))
    }
}

/// Whether a key does anything at present: a hint for one that does not would only be in the way.
pub fn useful(act: Act, view: &View, board: &Board) -> bool {
    let stage = view.place(board).map(|place| &board.rows[place].stage);
    match act {
        Act::Retry => stage.is_some_and(may_retry) && view.runner == Runner::Listens,
        Act::Skip => stage.is_some_and(may_skip) && !view.is_over(Some(board)),
        Act::Attack => measures(board).len() > 1,
        Act::Follow => view.chosen.is_some() && !view.is_over(Some(board)),
        Act::NextFailed => board.rows.iter().any(|row| may_retry(&row.stage)),
        Act::Leave
        | Act::Help
        | Act::Interrupt
        | Act::Suspend
        | Act::Up
        | Act::Down
        | Act::PageUp
        | Act::PageDown
        | Act::First
        | Act::Last
        | Act::Open
        | Act::Details
        | Act::Figure
        | Act::Table
        | Act::Filter
        | Act::Theme
        | Act::Repaint
        | Act::Back => true,
    }
}

fn may_retry(stage: &Stage) -> bool {
    match stage {
        Stage::Failed(_) => true,
        Stage::Waiting
        | Stage::WaitsFor(_)
        | Stage::Elsewhere(_)
        | Stage::Training
        | Stage::Evaluating
        | Stage::Done
        | Stage::Stopped => false,
    }
}

fn may_skip(stage: &Stage) -> bool {
    match stage {
        Stage::Waiting | Stage::WaitsFor(_) => true,
        Stage::Elsewhere(_) | Stage::Training | Stage::Evaluating | Stage::Done | Stage::Failed(_) | Stage::Stopped => false,
    }
}

/// Whether what Enter shows are curves. Of a failure the reason is looked for first.
fn has_curves(stage: &Stage) -> bool {
    match stage {
        Stage::Elsewhere(_) | Stage::Training | Stage::Evaluating | Stage::Done | Stage::Stopped => true,
        Stage::Waiting | Stage::WaitsFor(_) | Stage::Failed(_) => false,
    }
}

/// How the screen is left where nothing goes on any more.
fn end(board: Option<&Board>) -> End {
    match board.map(|board| board.flow) {
        Some(Flow::Finished) => End::Finished,
        Some(Flow::Running | Flow::Stopping | Flow::Stopped) | None => End::Stopped,
    }
}

/// A key, whatever is open.
pub fn press(view: &mut View, board: Option<&Board>, event: &KeyEvent) -> Option<Effect> {
    view.said = None;
    // Shift is part of the character already; terminals differ in whether they also report it.
    let pressed = (event.code, event.modifiers & (CTRL | KeyModifiers::ALT));
    if pressed == ctrl('c') {
        return interrupt(view, board);
    }
    if let Some(dialog) = view.dialog.take() {
        return in_dialog(view, board, dialog, event.code);
    }
    if let Filter::Typing(text) = &mut view.filter {
        match event.code {
            KeyCode::Esc => view.filter = Filter::Off,
            KeyCode::Enter => view.filter = if text.is_empty() { Filter::Off } else { Filter::Set(std::mem::take(text)) },
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Char(c) if pressed.1 == PLAIN && text.len() < LONGEST_FILTER => text.push(c),
            _ => {}
        }
        return None;
    }
    let act = KEYS.iter().find(|binding| binding.keys.contains(&pressed))?.act;
    plain(view, board, act)
}

/// Once asks, once more stops, once more leaves at once. By what is open and not by the clock: over a slow link a person may wait.
pub fn interrupt(view: &mut View, board: Option<&Board>) -> Option<Effect> {
    if view.is_over(board) {
        return Some(Effect::Leave(end(board)));
    }
    if view.is_stopping(board) {
        return Some(Effect::Leave(End::Stopped));
    }
    if matches!(view.dialog, Some(Dialog::Leave { .. })) {
        view.dialog = None;
        return Some(stop(view));
    }
    view.dialog = Some(Dialog::Leave { choice: 0 });
    None
}

/// A text that was pasted goes where one is being typed, else nowhere.
pub fn paste(view: &mut View, pasted: &str) {
    if let Filter::Typing(text) = &mut view.filter {
        text.extend(pasted.chars().filter(|c| !c.is_control()).take(LONGEST_FILTER.saturating_sub(text.len())));
    }
}

fn stop(view: &mut View) -> Effect {
    view.stop = Stop::Asked;
    Effect::Ask(Ask::Stop)
}

fn plain(view: &mut View, board: Option<&Board>, act: Act) -> Option<Effect> {
    match act {
        Act::Leave if view.is_over(board) => return Some(Effect::Leave(end(board))),
        Act::Leave if view.is_stopping(board) => view.dialog = Some(Dialog::Hurry { choice: 0 }),
        Act::Leave => view.dialog = Some(Dialog::Leave { choice: 0 }),
        Act::Help => view.dialog = Some(Dialog::Help { scroll: 0 }),
        Act::Interrupt => return interrupt(view, board),
        Act::Suspend => return Some(Effect::Suspend),
        Act::Theme => return Some(Effect::NextTheme),
        Act::Repaint => return Some(Effect::Repaint),
        Act::Figure => view.show = if view.show == Show::Figure { Show::Both } else { Show::Figure },
        Act::Table => view.show = if view.show == Show::Table { Show::Both } else { Show::Table },
        Act::Filter => view.filter = Filter::Typing(String::new()),
        Act::Follow => view.chosen = None,
        Act::Back if view.filter != Filter::Off => view.filter = Filter::Off,
        Act::Back => view.show = Show::Both,
        Act::Attack => {
            let count = board.map_or(0, |board| measures(board).len());
            view.measure = if count == 0 { 0 } else { (view.measure + 1) % count };
        }
        Act::Up | Act::Down | Act::PageUp | Act::PageDown | Act::First | Act::Last => walk(view, board?, act),
        Act::NextFailed => next_failed(view, board?),
        Act::Open => {
            let place = view.place(board?)?;
            let curves = has_curves(&board?.rows[place].stage);
            view.dialog = Some(if curves { Dialog::Curves { place, pane: 0 } } else { Dialog::Details { place, scroll: 0 } });
        }
        Act::Details => view.dialog = Some(Dialog::Details { place: view.place(board?)?, scroll: 0 }),
        Act::Retry => {
            let place = view.place(board?)?;
            if view.runner == Runner::Gone {
                view.say(Mood::Bad, "! nobody listens any more: begin the sweep again, it goes on where it was");
            } else if may_retry(&board?.rows[place].stage) {
                view.dialog = Some(Dialog::Retry { place, choice: 0 });
            } else {
                view.say(Mood::Bad, "! only what failed can be run once more");
            }
        }
        Act::Skip => {
            let place = view.place(board?)?;
            if view.is_over(board) {
                view.say(Mood::Bad, "! nothing waits any more");
            } else if may_skip(&board?.rows[place].stage) {
                view.dialog = Some(Dialog::Skip { place, choice: 0 });
            } else {
                view.say(Mood::Bad, "! only what waits can be given up");
            }
        }
    }
    None
}

fn walk(view: &mut View, board: &Board, act: Act) {
    let shown = view.shown(board);
    let Some(last) = shown.len().checked_sub(1) else { return };
    let (at, page) = (view.at(board, &shown), page(view, board));
    let to = match act {
        Act::Up => at.saturating_sub(1),
        Act::Down => (at + 1).min(last),
        Act::PageUp => at.saturating_sub(page),
        Act::PageDown => (at + page).min(last),
        Act::First => 0,
        Act::Last => last,
        Act::Leave
        | Act::Help
        | Act::Interrupt
        | Act::Suspend
        | Act::Follow
        | Act::NextFailed
        | Act::Open
        | Act::Details
        | Act::Figure
        | Act::Table
        | Act::Attack
        | Act::Filter
        | Act::Retry
        | Act::Skip
        | Act::Theme
        | Act::Repaint
        | Act::Back => at,
    };
    view.chosen = Some(shown[to]);
}

fn next_failed(view: &mut View, board: &Board) {
    let shown = view.shown(board);
    let from = view.place(board).map_or(0, |place| place + 1);
    let failed = |place: &&usize| may_retry(&board.rows[**place].stage);
    let next = shown.iter().filter(|place| **place >= from).find(failed).or_else(|| shown.iter().find(failed));
    match next {
        Some(&place) => view.chosen = Some(place),
        None => view.say(Mood::Good, "nothing has failed"),
    }
}

fn choose(choice: usize, count: usize, code: KeyCode) -> usize {
    match code {
        KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => (choice + 1) % count,
        KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab => (choice + count - 1) % count,
        _ => choice,
    }
}

/// The run that is looked at after a key, among those of the table.
fn beside(view: &View, board: &Board, place: usize, code: KeyCode) -> usize {
    let shown = view.shown(board);
    let Some(last) = shown.len().checked_sub(1) else { return place };
    let at = shown.iter().position(|&other| other >= place).unwrap_or(last);
    let to = moved(at, last, page(view, board), code);
    if to == at { place } else { shown[to] }
}

fn in_dialog(view: &mut View, board: Option<&Board>, dialog: Dialog, code: KeyCode) -> Option<Effect> {
    if code == KeyCode::Esc {
        return None;
    }
    match dialog {
        Dialog::Help { .. } if matches!(code, KeyCode::Char('q' | '?') | KeyCode::Enter | KeyCode::F(1)) => {}
        Dialog::Help { scroll } => {
            let (lines, room) = super::draw::help_lines(view);
            view.dialog = Some(Dialog::Help { scroll: scrolled(scroll, lines, room, code) });
        }
        Dialog::Details { .. } if matches!(code, KeyCode::Char('q') | KeyCode::Enter) => {}
        Dialog::Details { place, .. } if code == KeyCode::Char('v') => view.dialog = Some(Dialog::Curves { place, pane: 0 }),
        Dialog::Details { place, scroll } => {
            let (lines, room) = board.map_or((0, 1), |board| super::draw::details_lines(board, place, view));
            view.dialog = Some(Dialog::Details { place, scroll: scrolled(scroll, lines, room, code) });
        }
        Dialog::Curves { .. } if matches!(code, KeyCode::Char('q') | KeyCode::Enter) => {}
        Dialog::Curves { place, .. } if code == KeyCode::Char('c') => {
            view.dialog = Some(Dialog::Details { place, scroll: 0 });
        }
        Dialog::Curves { place, pane } => {
            let pane = if code == KeyCode::Tab { pane + 1 } else { pane };
            // The row that was left is found where the curves were looked at last.
            let place = board.map_or(place, |board| beside(view, board, place, code));
            view.chosen = Some(place);
            view.dialog = Some(Dialog::Curves { place, pane });
        }
        Dialog::Leave { choice } => match (code, view.leaving, choice) {
            (KeyCode::Char('s'), ..) | (KeyCode::Enter, _, 0) if !view.is_over(board) => return Some(stop(view)),
            (KeyCode::Char('d'), Leaving::GoesOn, _) | (KeyCode::Enter, Leaving::GoesOn, 1) => {
                return Some(Effect::Leave(End::Left));
            }
            (KeyCode::Enter, ..) => {}
            (code, ..) => view.dialog = Some(Dialog::Leave { choice: choose(choice, view.leave_choices().len(), code) }),
        },
        Dialog::Hurry { choice } => match (code, choice) {
            (KeyCode::Enter, 1) => return Some(Effect::Leave(End::Stopped)),
            (KeyCode::Enter, _) => {}
            (code, _) => view.dialog = Some(Dialog::Hurry { choice: choose(choice, HURRY.len(), code) }),
        },
        Dialog::Retry { place, choice } => match (code, choice) {
            (KeyCode::Enter, 0) => return Some(Effect::Ask(Ask::Retry(place))),
            (KeyCode::Enter, _) => {}
            (code, _) => view.dialog = Some(Dialog::Retry { place, choice: choose(choice, RETRY.len(), code) }),
        },
        Dialog::Skip { place, choice } => match (code, choice) {
            (KeyCode::Enter, 1) => return Some(Effect::Ask(Ask::Skip(place))),
            (KeyCode::Enter, _) => {}
            (code, _) => view.dialog = Some(Dialog::Skip { place, choice: choose(choice, SKIP.len(), code) }),
        },
    }
    None
}

/// Closes dialogs about what is no longer so.
pub fn saw(view: &mut View, board: &Board) {
    let stage = |place: usize| board.rows.get(place).map(|row| &row.stage);
    let stale = match view.dialog {
        Some(Dialog::Leave { .. }) => view.is_over(Some(board)) || board.flow == Flow::Stopping,
        Some(Dialog::Hurry { .. }) => view.is_over(Some(board)),
        Some(Dialog::Retry { place, .. }) => !stage(place).is_some_and(may_retry),
        Some(Dialog::Skip { place, .. }) => !stage(place).is_some_and(may_skip) || view.is_over(Some(board)),
        Some(Dialog::Details { place, .. } | Dialog::Curves { place, .. }) => stage(place).is_none(),
        Some(Dialog::Help { .. }) | None => false,
    };
    if stale {
        view.dialog = None;
    }
}
