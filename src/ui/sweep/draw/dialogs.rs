//! What lies over the screen until it is answered: leaving, retrying, giving up, help, all about a run.

use super::super::keys::KEYS;
use super::super::view::{Dialog, HURRY, RETRY, SKIP, View};
use super::{Sheet, curves, details};
use crate::run::listing::harmless;
use crate::sweep::board::Stage;
use crate::ui::brush::wrap;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Cells of a key's name in the help.
const LABEL: usize = 11;

pub(super) fn draw(sheet: &Sheet, area: Rect, buffer: &mut Buffer) {
    let id = |place: usize| sheet.board.rows.get(place).map_or_else(String::new, |row| harmless(&row.cell.id));
    match sheet.view.dialog {
        None => {}
        Some(Dialog::Help { scroll }) => help(sheet, scroll, area, buffer),
        Some(Dialog::Details { place, scroll }) => details::window(sheet, place, scroll, area, buffer),
        Some(Dialog::Curves { place, pane }) => curves::draw(sheet, place, pane, area, buffer),
        Some(Dialog::Leave { choice }) => {
            let text = leaving(sheet);
            sheet.brush.choices("Leave?", &text, sheet.view.leave_choices(), choice, area, buffer);
        }
        Some(Dialog::Hurry { choice }) => {
            sheet.brush.choices("Leave?", "What runs is being saved.", &HURRY, choice, area, buffer);
        }
        Some(Dialog::Retry { place, choice }) => {
            sheet.brush.choices("Once more?", &id(place), &RETRY, choice, area, buffer);
        }
        Some(Dialog::Skip { place, choice }) => {
            let text = match waiting_for(sheet, place) {
                0 => id(place),
                n => format!("{n} runs wait for it and go with it."),
            };
            sheet.brush.choices("Give it up?", &text, &SKIP, choice, area, buffer);
        }
    }
}

/// What would be left.
fn leaving(sheet: &Sheet) -> String {
    let busy = |stage: &Stage| match stage {
        Stage::Training | Stage::Evaluating => true,
        Stage::Waiting | Stage::WaitsFor(_) | Stage::Elsewhere(_) | Stage::Done | Stage::Failed(_) | Stage::Stopped => false,
    };
    let running = sheet.board.rows.iter().filter(|row| busy(&row.stage)).count();
    match running {
        0 => "Nothing runs just now.".to_string(),
        1 => "One run is under way; a stop saves it.".to_string(),
        n => format!("{n} runs are under way; a stop saves them."),
    }
}

/// Runs that cannot be had without this one.
fn waiting_for(sheet: &Sheet, place: usize) -> usize {
    let Some(cell) = sheet.board.rows.get(place).map(|row| &row.cell) else { return 0 };
    sheet.board.rows.iter().filter(|row| row.cell.teacher.as_ref() == Some(&cell.id)).count()
}

fn help(sheet: &Sheet, scroll: usize, area: Rect, buffer: &mut Buffer) {
    let lines = help_page(sheet.view, area.width);
    let room = help_room(area.height);
    let more = lines.len() > room;
    let first = scroll.min(lines.len().saturating_sub(room));
    let mut shown: Vec<Line> = lines.into_iter().skip(first).take(room).collect();
    let foot = if more { "j k PgUp PgDn Home End scroll   Esc close" } else { "Esc close" };
    shown.push(Line::from(sheet.brush.span(Tone::Dim, foot)));
    sheet.brush.window(area, "Keys", 78.min(area.width), &shown, buffer);
}

fn help_room(height: u16) -> usize {
    usize::from(height.saturating_sub(5)).max(1)
}

/// Each key with what it does, in as many lines as that needs.
fn help_page(view: &View, screen: u16) -> Vec<Line<'static>> {
    let room = usize::from(78.min(screen)).saturating_sub(4 + LABEL + 1).max(1);
    let mut lines = Vec::with_capacity(KEYS.len());
    for binding in KEYS {
        let mut label = binding.label();
        for says in wrap(binding.says, room) {
            let label = format!("{:<LABEL$} ", std::mem::take(&mut label));
            lines.push(Line::from(vec![view.brush.span(Tone::Accent, label), view.brush.span(Tone::Text, says)]));
        }
    }
    lines
}

/// Lines of the help, and how many of them are seen at once.
pub fn help_lines(view: &View) -> (usize, usize) {
    (help_page(view, view.size.0).len(), help_room(view.size.1))
}
