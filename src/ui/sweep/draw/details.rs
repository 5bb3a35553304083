//! All there is to say of one run: how it stands, what it is, what was found, where it lies, its whole config.

use super::super::view::{View, word};
use super::{Sheet, curves, share, sign, table, tone};
use crate::run::listing::{clock, harmless};
use crate::sweep::Role;
use crate::sweep::board::{Board, Pair, Row, Stage};
use crate::sweep::plan::Count;
use crate::ui::brush::{Focused, folded, lines_at, percent, wrap};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Widest dialog: longer lines are no easier to read.
const WIDEST: u16 = 100;

/// Lines at a width; a tab or an escape of a config or a message does not come through.
struct Page<'a> {
    view: &'a View,
    width: usize,
    lines: Vec<Line<'static>>,
}

impl Page<'_> {
    fn say(&mut self, tone: Tone, text: &str) {
        let brush = self.view.brush;
        let text = brush.glyphs.words(harmless(text)).into_owned();
        for (i, line) in wrap(&text, self.width.saturating_sub(2).max(1)).into_iter().enumerate() {
            let indent = if i == 0 { "" } else { "  " };
            self.lines.push(Line::from(brush.span(tone, format!("{indent}{line}"))));
        }
    }

    /// As it is written: blanks at the beginning of a line mean something. What is too long goes on below.
    fn raw(&mut self, tone: Tone, text: &str) {
        let brush = self.view.brush;
        let text = text.replace('\t', "    ");
        self.lines.extend(folded(&Line::from(brush.span(tone, harmless(&text))), self.width.max(1)));
    }
}

/// The pane beside the figure.
pub(super) fn pane(sheet: &Sheet, area: Rect, buffer: &mut Buffer) {
    let Some((place, row)) = sheet.chosen.and_then(|place| Some((place, sheet.board.rows.get(place)?))) else {
        sheet.framed(area, "Run", &[], Focused::No, buffer);
        return;
    };
    let id = sheet.brush.shortened(&harmless(&row.cell.id), usize::from(area.width).saturating_sub(9));
    let inner = sheet.framed(area, "Run", &[id], Focused::No, buffer);
    let mut lines = all(sheet.board, place, sheet.view, usize::from(inner.width));
    let room = usize::from(inner.height);
    if lines.len() > room && room > 0 {
        lines.truncate(room - 1);
        lines.push(Line::from(sheet.brush.span(Tone::Dim, "… Enter: all of it")));
    }
    lines_at(inner, &lines, buffer);
}

/// The dialog, over everything.
pub(super) fn window(sheet: &Sheet, place: usize, scroll: usize, area: Rect, buffer: &mut Buffer) {
    let width = WIDEST.min(area.width);
    let lines = all(sheet.board, place, sheet.view, usize::from(width.saturating_sub(4)));
    let room = room(area.height);
    let more = lines.len() > room;
    let first = scroll.min(lines.len().saturating_sub(room));
    let mut shown: Vec<Line> = lines.into_iter().skip(first).take(room).collect();
    let foot = if more { "j k PgUp PgDn Home End scroll   v curves   Esc close" } else { "v curves   Esc close" };
    shown.push(Line::from(sheet.brush.span(Tone::Dim, foot)));
    let id = sheet.board.rows.get(place).map_or_else(String::new, |row| harmless(&row.cell.id));
    sheet.brush.window(area, &id, width, &shown, buffer);
}

/// Lines of the dialog, and how many of them are seen at once.
pub fn lines(board: &Board, place: usize, view: &View) -> (usize, usize) {
    let width = WIDEST.min(view.size.0);
    (all(board, place, view, usize::from(width.saturating_sub(4))).len(), room(view.size.1))
}

fn room(height: u16) -> usize {
    usize::from(height.saturating_sub(5)).max(1)
}

fn all(board: &Board, place: usize, view: &View, width: usize) -> Vec<Line<'static>> {
    let mut page = Page { view, width, lines: Vec::new() };
    let Some(row) = board.rows.get(place) else { return page.lines };
    let cell = &row.cell;
    state(&mut page, row);
    let role = match cell.role {
        Role::Teacher => "teacher",
        Role::Student => "student",
    };
    page.say(Tone::Text, &format!("{} ({role}), seed {}", cell.label, cell.seed));
    for (key, value) in &cell.vary {
        page.say(Tone::Text, &format!("{key} = {value}"));
    }
    if let Some(id) = &cell.teacher {
        let teacher = board.rows.iter().find(|row| row.cell.id == *id);
        let stands = teacher.map_or_else(String::new, |row| format!(", {}", word(&row.stage)));
        page.say(Tone::Text, &format!("learns from {id}{stands}"));
    }
    if let Some(budget) = &cell.budget {
        let count = match budget.count {
            Count::Student => "",
            Count::WithTeacher => " and their teacher",
        };
        page.say(Tone::Text, &format!("trains as long as the runs of {}{count} did", budget.of));
    }
    numbers(&mut page, row);
    times(&mut page, row);
    let folder = board.folder.join("runs").join(&cell.id);
    page.say(Tone::Dim, &format!("folder {}", folder.display()));
    page.say(Tone::Dim, &format!("log {}", folder.join("events.jsonl").display()));
    let (what, command) = curves::command(board, row);
    page.say(Tone::Dim, &format!("{what} {command}"));
    if !cell.config.trim().is_empty() {
        page.lines.push(Line::default());
        page.say(Tone::Title, "Config");
        for line in cell.config.lines() {
            page.raw(Tone::Text, line);
        }
    }
    page.lines
}

fn state(page: &mut Page, row: &Row) {
    let share = share(row).map_or_else(String::new, |share| format!(", {:.0} % of training", 100.0 * share));
    match &row.stage {
        // The reason is the first that one looks for.
        Stage::Failed(_) => page.say(Tone::Error, &table::remark(row).1),
        Stage::WaitsFor(_) | Stage::Elsewhere(_) | Stage::Stopped => {
            let (tone, text) = table::remark(row);
            page.say(tone, &format!("{} {text}", sign(&row.stage)));
        }
        Stage::Waiting | Stage::Training | Stage::Evaluating | Stage::Done => {
            page.say(tone(&row.stage), &format!("{} {}{share}", sign(&row.stage), word(&row.stage)));
        }
    }
}

fn numbers(page: &mut Page, row: &Row) {
    let both = |pair: Pair| format!("natural {} %, adversarial {} %", percent(pair.natural), percent(pair.adversarial));
    for found in &row.found {
        page.say(Tone::Text, &format!("{} on {} images: {}", found.attack, found.images, both(found.pair)));
    }
    match row.probe.filter(|_| row.found.is_empty()) {
        Some(probe) => page.say(Tone::Dim, &format!("probe on validation images: {}", both(probe))),
        None if row.found.is_empty() => page.say(Tone::Dim, "no number yet"),
        None => {}
    }
}

fn times(page: &mut Page, row: &Row) {
    if let Some(steps) = row.steps {
        page.say(Tone::Text, &format!("step {} of {}", steps.done, steps.of));
    }
    let mut parts = Vec::new();
    if row.train_s > 0.0 {
        parts.push(format!("trained {}", clock(row.train_s)));
    }
    if row.evaluate_s > 0.0 {
        parts.push(format!("evaluated {}", clock(row.evaluate_s)));
    }
    if let Some(left) = row.left_s {
        parts.push(format!("about {} left", clock(left)));
    }
    if !parts.is_empty() {
        page.say(Tone::Text, &parts.join(", "));
    }
}
