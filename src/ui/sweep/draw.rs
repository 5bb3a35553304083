//! The whole screen of a sweep from its board and the view: pure, no clock, nothing changed.
//!
//! Each pane is drawn by a file beside this one; here they are placed, with the lines above and below them.

mod curves;
mod details;
mod dialogs;
mod figure;
mod table;

use super::keys::{KEYS, useful};
use super::layout::{Panels, layout};
use super::points::{Measure, best};
use super::view::{Runner, View, word};
use crate::run::listing::{clock, harmless};
use crate::sweep::board::{Board, Flow, Row, Slot, Stage};
use crate::ui::brush::{Brush, Focused, Side, bleach, line_at};
use crate::ui::layout::{SMALLEST, Tier, centred};
use crate::ui::screen::Mood;
use crate::ui::terminal::LinkSpeed;
use crate::ui::theme::Tone;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;

pub(super) use details::lines as details_lines;
pub(super) use dialogs::help_lines;

/// Cells that a device has in its line at least.
const SLOT: usize = 18;

/// Draws everything. `board`: `None` before the first one has come.
pub fn draw(frame: &mut Frame, board: Option<&Board>, view: &View) {
    draw_into(frame.area(), frame.buffer_mut(), board, view);
}

/// As [`draw`], into a buffer.
pub fn draw_into(area: Rect, buffer: &mut Buffer, board: Option<&Board>, view: &View) {
    let rows = board.map_or(0, |board| view.shown(board).len());
    let panels = layout(area, view.show, rows);
    match board {
        _ if panels.tier == Tier::TooSmall => too_small(area, board, view, buffer),
        None => waiting(area, view, buffer),
        Some(board) => Sheet::of(board, view).draw(area, &panels, buffer),
    }
    view.brush.glyphs.restrict(buffer);
    bleach(buffer);
}

/// What every pane needs.
struct Sheet<'a> {
    board: &'a Board,
    view: &'a View,
    brush: Brush,
    /// Of the numbers in table and figure.
    measure: Option<Measure>,
    /// The place of what stands best by it.
    best: Option<usize>,
    /// The place of the row that the next key acts on.
    chosen: Option<usize>,
}

impl<'a> Sheet<'a> {
    fn of(board: &'a Board, view: &'a View) -> Self {
        let measure = view.measure(board);
        let best = measure.as_ref().and_then(|measure| best(board, measure));
        Self { board, view, brush: view.brush, measure, best, chosen: view.place(board) }
    }

    fn draw(&self, area: Rect, panels: &Panels, buffer: &mut Buffer) {
        self.header(panels.header, buffer);
        self.slots(panels.slots, buffer);
        if let Some(area) = panels.table {
            table::draw(self, area, buffer);
        }
        if let Some(area) = panels.figure {
            figure::draw(self, area, buffer);
        }
        if let Some(area) = panels.details {
            details::pane(self, area, buffer);
        }
        self.notes(panels.notes, buffer);
        self.hints(panels.hints, buffer);
        if panels.notes.height == 0 {
            self.said(panels.hints, buffer);
        }
        dialogs::draw(self, area, buffer);
    }

    /// Facts in the order of their worth: the line ends where the next would not fit whole.
    fn header(&self, area: Rect, buffer: &mut Buffer) {
        let board = self.board;
        let wide = area.width >= 110;
        let (sign, words, tone) = flow(board, self.view);
        let (done, failed) = board.tally();
        let mut facts = vec![(Tone::Title, harmless(&board.name)), (tone, format!("{sign} {words}"))];
        if self.view.link == LinkSpeed::Slow {
            facts.push((Tone::Warn, "link slow".to_string()));
        }
        facts.push((Tone::Text, format!("{done}/{} done", board.rows.len())));
        if failed > 0 {
            facts.push((Tone::Error, format!("! {failed} failed")));
        }
        if !self.view.is_over(Some(board)) {
            facts.push((Tone::Text, format!("ETA {}", board.left_s.map_or_else(|| "--".into(), clock))));
        }
        facts.push((Tone::Text, format!("elapsed {}", clock(board.elapsed_s))));
        facts.push((Tone::Dim, harmless(&board.title)));
        let between = if wide { " │ " } else { "  " };
        let mut line = Line::from(" ");
        for (tone, fact) in facts {
            let gap = if line.width() == 1 { "" } else { between };
            let span = self.brush.span(tone, fact);
            if line.width() + gap.chars().count() + span.width() > usize::from(area.width) {
                continue;
            }
            line.push_span(self.brush.span(Tone::Dim, gap));
            line.push_span(span);
        }
        line_at(buffer, area.x, area.y, area.width, &line);
    }

    /// Each device has as many cells as the others: what one runs does not move the next.
    fn slots(&self, area: Rect, buffer: &mut Buffer) {
        let slots = &self.board.slots;
        let width = usize::from(area.width.saturating_sub(1));
        let fit = (width / SLOT).max(1).min(slots.len());
        let (shown, more) = slots.split_at(fit);
        let rest = if more.is_empty() { String::new() } else { format!(" +{} more", more.len()) };
        let each = width.saturating_sub(rest.len()) / fit.max(1);
        let mut line = Line::from(" ");
        for slot in shown {
            self.slot(slot, each, &mut line);
        }
        line.push_span(self.brush.span(Tone::Dim, rest));
        line_at(buffer, area.x, area.y, area.width, &line);
    }

    fn slot(&self, slot: &Slot, width: usize, line: &mut Line<'static>) {
        let device = format!("{} ", harmless(&slot.device));
        let row = slot.row.and_then(|place| self.board.rows.get(place));
        let (tone, what) = match row {
            None => (Tone::Dim, "idle".to_string()),
            Some(row) => {
                let share = share(row).map_or_else(String::new, |share| format!(" {:.0}%", 100.0 * share));
                let state = match row.stage {
                    Stage::Training => share,
                    Stage::Waiting
                    | Stage::WaitsFor(_)
                    | Stage::Elsewhere(_)
                    | Stage::Evaluating
                    | Stage::Done
                    | Stage::Failed(_)
                    | Stage::Stopped => format!(" {}", word(&row.stage)),
                };
                let room = width.saturating_sub(device.len() + state.len() + 2);
                let id = harmless(&row.cell.id);
                (tone(&row.stage), format!("{}{state}", self.brush.shortened(&id, room)))
            }
        };
        let room = width.saturating_sub(device.len() + 1);
        line.push_span(self.brush.span(Tone::Dim, device));
        line.push_span(self.brush.span(tone, self.brush.fitted(&what, room, Side::Left)));
        line.push_span(self.brush.span(Tone::Dim, " "));
    }

    /// What happened, the newest lowest; what was said last, and what was printed, in its place.
    fn notes(&self, area: Rect, buffer: &mut Buffer) {
        let notes = self.board.notes.iter().map(|note| (Tone::Dim, harmless(note)));
        let printed = self.view.printed.iter().map(|line| (Tone::Warn, harmless(line)));
        let mut lines: Vec<(Tone, String)> = notes.chain(printed).collect();
        if self.view.runner == Runner::Gone && !matches!(self.board.flow, Flow::Finished | Flow::Stopped) {
            lines.push((Tone::Error, "! what ran the sweep ended without a last word; begun again, it goes on".into()));
        }
        let room = usize::from(area.height);
        let skipped = lines.len().saturating_sub(room);
        for ((tone, text), y) in lines.iter().skip(skipped).zip(area.y..area.bottom()) {
            let text = self.brush.fitted(text, usize::from(area.width.saturating_sub(1)), Side::Left);
            line_at(buffer, area.x + 1, y, area.width - 1, &Line::from(self.brush.span(*tone, text)));
        }
        if area.height > 0 {
            self.said(Rect { y: area.bottom() - 1, height: 1, ..area }, buffer);
        }
    }

    fn said(&self, area: Rect, buffer: &mut Buffer) {
        let Some((mood, text)) = &self.view.said else { return };
        let style = match mood {
            Mood::Good => self.brush.style(Tone::Selected),
            Mood::Bad => self.brush.style(Tone::Error).add_modifier(Modifier::REVERSED),
        };
        let text = self.brush.fitted(&format!(" {}", harmless(text)), usize::from(area.width), Side::Left);
        buffer.set_stringn(area.x, area.y, text, usize::from(area.width), style);
    }

    fn hints(&self, area: Rect, buffer: &mut Buffer) {
        let mut line = Line::from(" ");
        for binding in KEYS.iter().filter(|binding| useful(binding.act, self.view, self.board)) {
            let Some(hint) = binding.hint else { continue };
            let key = binding.first();
            if line.width() + key.len() + hint.len() + 3 > usize::from(area.width) {
                continue;
            }
            line.push_span(self.brush.span(Tone::Accent, key));
            line.push_span(self.brush.span(Tone::Dim, format!(" {hint}  ")));
        }
        line_at(buffer, area.x, area.y, area.width, &line);
    }

    /// A border with a name and the first text that fits whole beside it.
    fn framed(&self, area: Rect, name: &str, texts: &[String], focus: Focused, buffer: &mut Buffer) -> Rect {
        let tone = if focus == Focused::Yes { Tone::Accent } else { Tone::Title };
        let mut title = Line::from(self.brush.span(tone, format!(" {name} ")));
        let room = usize::from(area.width).saturating_sub(title.width() + 3);
        let texts = texts.iter().map(|text| self.brush.span(Tone::Dim, format!("{text} ")));
        if let Some(span) = texts.into_iter().find(|span| span.width() > 1 && span.width() <= room) {
            title.push_span(span);
        }
        self.brush.frame(area, title, focus, buffer)
    }
}

/// Sign, word and tone of what goes on as a whole.
fn flow(board: &Board, view: &View) -> (&'static str, &'static str, Tone) {
    match board.flow {
        Flow::Finished => ("✓", "FINISHED", Tone::Ok),
        Flow::Stopped => ("■", "STOPPED", Tone::Warn),
        Flow::Running | Flow::Stopping if view.runner == Runner::Gone => ("!", "GONE", Tone::Error),
        Flow::Stopping => ("■", "STOPPING", Tone::Warn),
        Flow::Running if view.is_stopping(Some(board)) => ("■", "STOPPING", Tone::Warn),
        Flow::Running => ("●", "RUNNING", Tone::Ok),
    }
}

fn tone(stage: &Stage) -> Tone {
    match stage {
        Stage::Waiting | Stage::WaitsFor(_) => Tone::Dim,
        Stage::Elsewhere(_) => Tone::Third,
        Stage::Training => Tone::First,
        Stage::Evaluating => Tone::Second,
        Stage::Done => Tone::Ok,
        Stage::Failed(_) => Tone::Error,
        Stage::Stopped => Tone::Warn,
    }
}

fn sign(stage: &Stage) -> &'static str {
    match stage {
        Stage::Waiting | Stage::WaitsFor(_) => "○",
        Stage::Elsewhere(_) => "→",
        Stage::Training => "●",
        Stage::Evaluating => "▶",
        Stage::Done => "✓",
        Stage::Failed(_) => "!",
        Stage::Stopped => "■",
    }
}

/// How far it is with training, where that is known.
fn share(row: &Row) -> Option<f64> {
    let steps = row.steps.filter(|steps| steps.of > 0)?;
    Some((steps.done as f64 / steps.of as f64).min(1.0))
}

fn waiting(area: Rect, view: &View, buffer: &mut Buffer) {
    let text = match view.runner {
        Runner::Listens => "Reading how the sweep stands …",
        Runner::Gone => "! What runs the sweep ended before it said how the sweep stands. q leaves.",
    };
    let tone = if view.runner == Runner::Gone { Tone::Error } else { Tone::Text };
    let line = Line::from(view.brush.span(tone, text));
    let at = centred(area, line.width() as u16, 1);
    line_at(buffer, at.x, at.y, at.width, &line);
}

fn too_small(area: Rect, board: Option<&Board>, view: &View, buffer: &mut Buffer) {
    let (w, h) = SMALLEST;
    let (need, have) = (format!("need {w}x{h}"), format!("have {}x{}", area.width, area.height));
    let mut lines = vec![format!("{need}, {have}")];
    if let Some(board) = board {
        let (done, failed) = board.tally();
        let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        lines.push(format!("{done}/{} done{failed}  {}", board.rows.len(), flow(board, view).1));
    }
    // Dialogs have no room here: what is asked must be seen to be answered.
    lines.push(if view.dialog.is_some() { "Esc closes the dialog".into() } else { "q leave".to_string() });
    if lines[0].len() > usize::from(area.width) && area.height > 3 {
        lines.splice(..1, [need, have]);
    }
    let height = (lines.len() as u16).min(area.height);
    for (i, text) in lines.iter().take(usize::from(height)).enumerate() {
        let at = centred(area, text.chars().count() as u16, height);
        line_at(buffer, at.x, at.y + i as u16, at.width, &Line::from(view.brush.span(Tone::Text, text.clone())));
    }
}
