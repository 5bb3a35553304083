//! What keys do with charts: those of the Dash and of the Charts view alike, and which of the latter has the focus.

use super::{Direction, Effect};
use crate::protocol::Step;
use crate::run::RunState;
use crate::ui::chart::{Band, GUTTER};
use crate::ui::glyphs::Glyphs;
use crate::ui::keymap::Intent;
use crate::ui::layout::{Life, Pane, View, layout};
use crate::ui::plots::{self, Plot, Tiles};
use crate::ui::screen::{Mood, Overlays, Screen};
use ratatui::layout::Rect;

/// How far a key moves the crosshair, in columns of dots.
const FAR: u64 = 10;

/// Keys of the Charts view. `None`: the key means here what it means everywhere.
pub(super) fn act(screen: &mut Screen, state: &RunState, intent: Intent) -> Option<Vec<Effect>> {
    let (all, at) = screen.charts.chosen(state);
    let large = screen.maximised.is_some();
    // Behind the charts on the pages stand those of constants, in one line.
    let changing = plots::changing(state, &all);
    let tiles = tiles(screen, all.len(), changing);
    let (row, page) = (usize::from(tiles.columns), tiles.page());
    let last = all.len().saturating_sub(1);
    let to = match intent {
        Intent::NextPane => (at + 1) % all.len().max(1),
        Intent::PreviousPane => (at + last) % all.len().max(1),
        // As what they are of every chart.
        Intent::ChartLeft | Intent::ChartRight | Intent::Open if large => return None,
        Intent::ChartLeft => at.saturating_sub(1),
        Intent::ChartRight => at + 1,
        Intent::LineUp if large => at.saturating_sub(1),
        Intent::LineDown if large => at + 1,
        // Where there is none above or below it stays where it is.
        Intent::LineUp if at >= changing => changing.checked_sub(1).unwrap_or(at),
        Intent::LineUp => at.checked_sub(row).unwrap_or(at),
        Intent::LineDown if at < changing && changing <= last => {
            if at + row < changing {
                at + row
            } else {
                changing
            }
        }
        Intent::LineDown => Some(at + row).filter(|to| *to < changing).unwrap_or(at),
        Intent::PageUp => at.saturating_sub(page),
        // To the last page from anywhere above it.
        Intent::PageDown if at / page < changing.saturating_sub(1) / page => (at + page).min(changing - 1),
        Intent::PageDown => at,
        Intent::First => 0,
        Intent::Last => last,
        Intent::Open => {
            screen.maximised = Some(Pane::Grid);
            return Some(Vec::new());
        }
        Intent::Back if screen.cursor.is_some() => {
            screen.cursor = None;
            return Some(Vec::new());
        }
        Intent::Back if !large && screen.zoom.is_some() => {
            screen.zoom = None;
            return Some(Vec::new());
        }
        _ => return None,
    };
    if let Some(plot) = all.get(to.min(last)) {
        screen.charts.choose(*plot);
    }
    Some(Vec::new())
}

/// As it was drawn last.
fn whole(screen: &Screen) -> Rect {
    Rect::new(0, 0, screen.size.0, screen.size.1)
}

/// Where the charts of a page lie.
fn tiles(screen: &Screen, charts: usize, changing: usize) -> Tiles {
    let panels = layout(whole(screen), View::Charts, Pane::Grid, None, Life::Training);
    let body = panels.pane(Pane::Grid).unwrap_or(whole(screen));
    Tiles::above(body, charts, changing, panels.tier)
}

/// The chart that keys act on, and that the line of the crosshair is about.
pub fn focused(screen: &Screen, state: &RunState) -> Plot {
    if screen.view == View::Charts {
        let (all, at) = screen.charts.chosen(state);
        return all.get(at).copied().unwrap_or(Plot::Loss);
    }
    match screen.maximised.unwrap_or(screen.focus) {
        Pane::Accuracy => Plot::Accuracy,
        Pane::Third => plots::third(state),
        // Of the Dash's charts the one that is watched.
        Pane::Loss
        | Pane::Controls
        | Pane::Machine
        | Pane::Timing
        | Pane::Pull
        | Pane::Best
        | Pane::Log
        | Pane::Verdict
        | Pane::Curve
        | Pane::Classes
        | Pane::Confusion
        | Pane::Grid
        | Pane::Gallery
        | Pane::Runs
        | Pane::Events
        | Pane::System => Plot::Loss,
    }
}

/// Columns of dots in the chart that keys act on.
fn dots(screen: &Screen, state: &RunState) -> u64 {
    let panels = layout(whole(screen), screen.view, screen.focus, screen.maximised, Life::Training);
    let width = match (screen.view, screen.maximised) {
        (View::Charts, None) => {
            let (all, _) = screen.charts.chosen(state);
            tiles(screen, all.len(), plots::changing(state, &all)).cell(0).width
        }
        (View::Charts, Some(_)) => screen.size.0,
        _ => panels.pane(screen.maximised.unwrap_or(screen.focus)).map_or(screen.size.0, |pane| pane.width),
    };
    let across = if screen.glyphs == Glyphs::Braille && !screen.palette.is_mono() { 2 } else { 1 };
    (u64::from(width.saturating_sub(GUTTER + 2)) * across).max(10)
}

/// Keys that every chart has.
pub(super) fn any(screen: &mut Screen, state: &RunState, intent: Intent) {
    match intent {
        Intent::Left | Intent::ChartLeft => pan(screen, state, Direction::Back, 1),
        Intent::Right | Intent::ChartRight => pan(screen, state, Direction::Forward, 1),
        Intent::FarLeft => pan(screen, state, Direction::Back, FAR),
        Intent::FarRight => pan(screen, state, Direction::Forward, FAR),
        Intent::ZoomIn => screen.zoom(state, |span| span / 2),
        Intent::ZoomOut => screen.zoom(state, |span| span * 2),
        Intent::WholeRun => screen.show_all(state),
        Intent::Follow => screen.follow(state),
        Intent::XAxis => screen.turn_x(state),
        Intent::LogScale => screen.charts.turn_scale(focused(screen, state)),
        Intent::Band => {
            screen.charts.band = match screen.charts.band {
                Band::Shown => Band::Hidden,
                Band::Hidden => Band::Shown,
            }
        }
        Intent::Overlays if screen.runs.overlays.is_empty() => {
            screen.toast(Mood::Bad, "no other run is chosen to be drawn behind this one: 5 lists them");
        }
        Intent::Overlays => {
            screen.charts.overlays = match screen.charts.overlays {
                Overlays::Shown => Overlays::Hidden,
                Overlays::Hidden => Overlays::Shown,
            }
        }
        Intent::NextMarker => jump(screen, state, Direction::Forward),
        Intent::PreviousMarker => jump(screen, state, Direction::Back),
        // The crosshair, where nothing is left to be opened.
        Intent::Open => {
            let (from, to) = screen.view(state);
            let ruler = screen.ruler(state);
            screen.cursor = match screen.cursor {
                Some(_) => None,
                None => Some(state.step.clamp(ruler.step(from), ruler.step(to - 1))),
            }
        }
        _ => {}
    }
}

fn jump(screen: &mut Screen, state: &RunState, direction: Direction) {
    let at = screen.cursor;
    let steps = state.markers.iter().map(|m| m.step);
    let next = match direction {
        Direction::Forward => steps.filter(|s| at.is_none_or(|at| *s > at)).min(),
        Direction::Back => steps.filter(|s| at.is_none_or(|at| *s < at)).max(),
    };
    match next {
        None => screen.toast(Mood::Bad, "no marker there"),
        Some(step) => {
            screen.cursor = Some(step);
            screen.show_step(state, step);
        }
    }
}

/// Moves the crosshair; without one a zoomed view; without either it puts the crosshair to the newest value.
fn pan(screen: &mut Screen, state: &RunState, direction: Direction, columns: u64) {
    let (from, to) = screen.view(state);
    let by = |at: u64, by: u64| match direction {
        Direction::Back => at.saturating_sub(by.max(1)),
        Direction::Forward => at.saturating_add(by.max(1)),
    };
    let ruler = screen.ruler(state);
    let (first, last) = (ruler.step(from), ruler.step(to - 1).min(state.step));
    let within = |step: Step| step.clamp(first.min(last), last);
    if let Some(cursor) = screen.cursor {
        let column = ((to - from) as f64 / dots(screen, state) as f64 * columns as f64).round() as u64;
        let place = ruler.place(cursor).unwrap_or_else(|| ruler.place(state.step).unwrap_or(to));
        let next = ruler.step(by(place, column));
        // Through a pause in one stride: all of it is one step.
        screen.cursor = Some(within(if next == cursor { by(cursor, 1) } else { next }));
    } else if screen.zoom.is_some() {
        let part = if columns > 1 { (to - from) / 2 } else { (to - from) / 4 };
        screen.pan(state, |from| by(from, part));
    } else {
        screen.cursor = Some(within(state.step));
    }
}
