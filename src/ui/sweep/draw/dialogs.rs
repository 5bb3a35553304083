//! What lies over the screen until it is answered: leaving, retrying, giving up, help, all about a run.

use super::super::keys::KEYS;
use super::super::view::{Dialog, HURRY, RETRY, SKIP};
use super::{Sheet, details};
use crate::run::listing::harmless;
use crate::sweep::board::Stage;
use crate::ui::brush::Side;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Cells inside a dialog of choices.
const ROOM: usize = 42;

pub(super) fn draw(sheet: &Sheet, area: Rect, buffer: &mut Buffer) {
    let id = |place: usize| {
        let id = sheet.board.rows.get(place).map_or_else(String::new, |row| harmless(&row.cell.id));
        if id.chars().count() > ROOM { sheet.brush.fitted(&id, ROOM, Side::Left) } else { id }
    };
    match sheet.view.dialog {
        None => {}
        Some(Dialog::Help { scroll }) => help(sheet, scroll, area, buffer),
        Some(Dialog::Details { place, scroll }) => details::window(sheet, place, scroll, area, buffer),
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
    let width = 78.min(area.width);
    let room = usize::from(width).saturating_sub(4);
    let lines: Vec<Line> = KEYS
        .iter()
        .map(|binding| {
            let label = format!("{:<11} ", binding.label());
            let says = sheet.brush.fitted(binding.says, room.saturating_sub(label.len()), Side::Left);
            Line::from(vec![sheet.brush.span(Tone::Accent, label), sheet.brush.span(Tone::Text, says)])
        })
        .collect();
    let height = usize::from(area.height.saturating_sub(5)).max(1);
    let more = lines.len() > height;
    let first = scroll.min(lines.len().saturating_sub(height));
    let mut shown: Vec<_> = lines.into_iter().skip(first).take(height).collect();
    let foot = if more { "j k scroll   Esc close" } else { "Esc close" };
    shown.push(Line::from(sheet.brush.span(Tone::Dim, foot)));
    sheet.brush.window(area, "Keys", width, &shown, buffer);
}
