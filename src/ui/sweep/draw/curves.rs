//! The curves of one run of a sweep, over the whole screen: its losses and what its probes found, from its own log, as they grow.
//!
//! They are drawn by what draws a single run; reading the log is the task of whoever hands the state in.

use super::super::view::word;
use super::{Sheet, share, sign, tone};
use crate::run::RunState;
use crate::run::listing::harmless;
use crate::sweep::board::{Board, Row, Stage};
use crate::ui::brush::{folded, line_at, lines_at, percent, wrap};
use crate::ui::theme::Tone;
use crate::ui::view::{CurvePane, curve_pane};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Widget};

/// Least size of a chart, border and all.
const LEAST: (u16, u16) = (48, 7);
/// Most lines of the command below the charts.
const COMMAND: usize = 4;

pub(super) fn draw(sheet: &Sheet, place: usize, pane: usize, area: Rect, buffer: &mut Buffer) {
    let Some(row) = sheet.board.rows.get(place) else { return };
    Clear.render(area, buffer);
    let width = usize::from(area.width);
    line_at(buffer, area.x, area.y, area.width, &head(sheet, row, width));
    let (what, command) = command(sheet.board, row);
    let whole = Line::from(vec![sheet.brush.span(Tone::Dim, format!(" {what} ")), sheet.brush.span(Tone::Text, command.clone())]);
    let mut command = if whole.width() <= width {
        vec![whole]
    } else {
        // A command in one piece can be copied.
        let first = Line::from(sheet.brush.span(Tone::Dim, format!(" {what}")));
        std::iter::once(first).chain(folded(&Line::from(sheet.brush.span(Tone::Text, command)), width.max(1))).collect()
    };
    command.truncate(COMMAND);
    let below = command.len() as u16;
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(2 + below), ..area };
    lines_at(Rect { y: body.bottom(), height: below, ..area }, &command, buffer);
    let found = sheet.view.curves.as_ref().filter(|(id, _)| *id == row.cell.id).map(|(_, found)| found);
    let shown = match found {
        Some(Ok(state)) => charts(sheet, state, pane, body, buffer),
        Some(Err(why)) => {
            say(sheet, Tone::Error, &format!("! {}", harmless(why)), body, buffer);
            Shown::Both
        }
        None => {
            say(sheet, Tone::Dim, "Reading the run's log …", body, buffer);
            Shown::Both
        }
    };
    let other = if shown == Shown::One { "Tab other chart  " } else { "" };
    let hints = format!(" {other}c config  j k other runs  Esc back");
    line_at(buffer, area.x, area.bottom() - 1, area.width, &Line::from(sheet.brush.span(Tone::Dim, hints)));
}

/// Whether there was room for both charts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Both,
    One,
}

fn charts(sheet: &Sheet, state: &RunState, pane: usize, body: Rect, buffer: &mut Buffer) -> Shown {
    let mut one = |pane: CurvePane, area: Rect| curve_pane(pane, area, state, sheet.brush, buffer);
    if body.height >= 2 * LEAST.1 {
        let upper = Rect { height: body.height.div_ceil(2), ..body };
        one(CurvePane::Loss, upper);
        one(CurvePane::Accuracy, Rect { y: upper.bottom(), height: body.height - upper.height, ..body });
    } else if body.width >= 2 * LEAST.0 {
        let left = Rect { width: body.width / 2, ..body };
        one(CurvePane::Loss, left);
        one(CurvePane::Accuracy, Rect { x: left.right(), width: body.width - left.width, ..body });
    } else {
        one([CurvePane::Loss, CurvePane::Accuracy][pane % 2], body);
        return Shown::One;
    }
    Shown::Both
}

/// Which run it is, how far it is and what was found of it last.
fn head(sheet: &Sheet, row: &Row, width: usize) -> Line<'static> {
    let share = share(row).map_or_else(String::new, |share| format!(" {:.0}%", 100.0 * share));
    let steps = row.steps.map_or_else(String::new, |steps| format!("  step {}/{}", steps.done, steps.of));
    let pair = row.found.first().map(|found| (found.pair, "")).or(row.probe.map(|probe| (probe, "probe ")));
    let pair = pair.map_or_else(String::new, |(pair, kind)| {
        format!("  {kind}nat {} adv {}", percent(pair.natural), percent(pair.adversarial))
    });
    let state = format!("  {} {}{share}", sign(&row.stage), word(&row.stage));
    let room = width.saturating_sub(1 + state.chars().count());
    let name = sheet.brush.shortened(&harmless(&row.cell.id), room);
    let mut line = Line::from(vec![sheet.brush.span(Tone::Title, format!(" {name}")), sheet.brush.span(tone(&row.stage), state)]);
    for text in [steps, pair] {
        let span = sheet.brush.span(Tone::Text, text);
        if line.width() + span.width() <= width {
            line.push_span(span);
        }
    }
    line
}

/// What can be had of this run in another terminal, and by which command.
pub fn command(board: &Board, row: &Row) -> (&'static str, String) {
    let folder = board.folder.join("runs").join(&row.cell.id);
    let folder = harmless(&folder.display().to_string());
    match row.stage {
        Stage::Training | Stage::Elsewhere(_) => ("steer it from another terminal:", format!("rematch attach {folder}")),
        Stage::Evaluating | Stage::Done | Stage::Stopped | Stage::Failed(_) => {
            ("see all of it:", format!("rematch replay {folder}"))
        }
        Stage::Waiting | Stage::WaitsFor(_) => ("once it trains:", format!("rematch attach {folder}")),
    }
}

fn say(sheet: &Sheet, tone: Tone, text: &str, area: Rect, buffer: &mut Buffer) {
    let text = sheet.brush.glyphs.words(text).into_owned();
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let wrapped = wrap(&text, usize::from(inner.width).max(1));
    let lines: Vec<Line> = wrapped.into_iter().map(|text| Line::from(sheet.brush.span(tone, text))).collect();
    lines_at(inner, &lines, buffer);
}
