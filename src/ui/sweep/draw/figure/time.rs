//! Training time as bars: what the student took, behind what its teacher took.
//!
//! A teacher that this sweep did not train costs nothing here, and the legend says so.

use super::super::super::points::{Point, Took, points};
use super::super::Sheet;
use super::{first, framed, legend, missing};
use crate::run::listing::{clock, harmless};
use crate::sweep::{Cell, Role};
use crate::ui::brush::line_at;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

const LONGEST_NAME: usize = 30;
/// `10:05:00 so far`.
const NUMBER: usize = 16;
const TEACHER: char = '▒';
const STUDENT: char = '█';

struct Bar {
    name: String,
    /// Of the whole point, not of one seed.
    chosen: bool,
    student: Took,
    /// Seconds; `None` where none was trained in this sweep.
    teacher: Option<Took>,
}

impl Bar {
    fn seconds(took: Took) -> f64 {
        match took {
            Took::Whole(seconds) | Took::SoFar(seconds) => seconds,
            Took::Nothing => 0.0,
        }
    }

    fn parts(&self) -> (f64, f64) {
        (self.teacher.map_or(0.0, Self::seconds), Self::seconds(self.student))
    }

    fn is_whole(&self) -> bool {
        let whole = |took: Took| match took {
            Took::Whole(_) => true,
            Took::SoFar(_) | Took::Nothing => false,
        };
        whole(self.student) && self.teacher.is_none_or(whole)
    }
}

pub(super) fn draw(sheet: &Sheet, area: Rect, buffer: &mut Buffer) {
    let all = points(sheet.board);
    let bars = bars(sheet, &all);
    let times = vec!["h:mm:ss, mean of the seeds that were trained".to_string(), "h:mm:ss, mean of seeds".into()];
    let inner = framed(sheet, area, "Training time:", &times, buffer);
    let longest = bars.iter().map(|bar| bar.parts().0 + bar.parts().1).fold(0.0, f64::max);
    if longest <= 0.0 || inner.height < 3 {
        missing(sheet, inner, "Nothing has been trained yet.", buffer);
        return;
    }
    let mut parts = vec![(Tone::First, format!("{STUDENT}{STUDENT} this run"))];
    if bars.iter().any(|bar| bar.teacher.is_some()) {
        parts.push((Tone::Second, format!("{TEACHER}{TEACHER} its teacher")));
    }
    if bars.iter().any(|bar| bar.teacher.is_none()) {
        parts.push((Tone::Dim, format!("no {TEACHER}: no teacher was trained here")));
    }
    line_at(buffer, inner.x, inner.y, inner.width, &legend(sheet, parts, usize::from(inner.width)));
    let rows = Rect { y: inner.y + 1, height: inner.height - 2, ..inner };
    let width = usize::from(inner.width);
    let names: Vec<String> = bars.iter().map(|bar| sheet.brush.glyphs.words(harmless(&bar.name)).into_owned()).collect();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0).min(LONGEST_NAME).min(width / 3);
    let room = width.saturating_sub(widest + NUMBER + 3);
    let at = bars.iter().position(|bar| bar.chosen).unwrap_or(0);
    let from = first(at, usize::from(rows.height), bars.len());
    for (bar, (name, y)) in bars.iter().zip(&names).skip(from).zip(rows.y..rows.bottom()).map(|((bar, name), y)| (bar, (name, y)))
    {
        let (teacher, student) = bar.parts();
        let cells = |seconds: f64| (seconds / longest * room as f64).round() as usize;
        // As long as the sum, whatever its parts are rounded to.
        let whole = cells(teacher + student);
        let behind = cells(teacher).min(whole);
        let tone = if bar.chosen { Tone::Selected } else { Tone::Text };
        let number = match (teacher + student > 0.0, bar.is_whole()) {
            (false, _) => "-".to_string(),
            (true, true) => clock(teacher + student),
            (true, false) => format!("{} so far", clock(teacher + student)),
        };
        let line = Line::from(vec![
            sheet.brush.span(tone, sheet.brush.named(name, widest)),
            sheet.brush.span(Tone::Dim, " "),
            sheet.brush.span(Tone::Second, TEACHER.to_string().repeat(behind)),
            sheet.brush.span(Tone::First, STUDENT.to_string().repeat(whole - behind)),
            sheet.brush.span(if bar.is_whole() { Tone::Text } else { Tone::Dim }, format!(" {number}")),
        ]);
        line_at(buffer, inner.x, y, inner.width, &line);
    }
    axis(sheet, Rect { x: inner.x + widest as u16 + 1, y: inner.bottom() - 1, width: room as u16, height: 1 }, longest, buffer);
    let below = bars.len() - (from + usize::from(rows.height)).min(bars.len());
    if below + from > 0 {
        let more = format!("{} more", below + from);
        let line = Line::from(sheet.brush.span(Tone::Dim, more));
        line_at(buffer, inner.x, inner.bottom() - 1, widest as u16, &line);
    }
}

fn axis(sheet: &Sheet, area: Rect, longest: f64, buffer: &mut Buffer) {
    let dim = sheet.brush.style(Tone::Dim);
    let parts: u16 = if area.width >= 40 { 4 } else { 2 };
    if area.width < 16 {
        return;
    }
    for part in 0..=parts {
        let text = clock(longest * f64::from(part) / f64::from(parts));
        let at = area.width * part / parts;
        let x = area.x + at.saturating_sub(if part == 0 { 0 } else { text.len() as u16 / 2 });
        buffer.set_stringn(x, area.y, &text, text.len(), dim);
    }
}

/// One for each point of students; of teachers where there is nothing else.
fn bars(sheet: &Sheet, all: &[Point]) -> Vec<Bar> {
    let students = all.iter().any(|point| point.cell().role == Role::Student);
    let wanted = |cell: &Cell| match cell.role {
        Role::Student => true,
        Role::Teacher => !students,
    };
    all.iter()
        .filter(|point| wanted(point.cell()))
        .map(|point| Bar {
            name: point.name(),
            chosen: sheet.chosen.is_some_and(|chosen| point.places.contains(&chosen)),
            student: point.took(),
            teacher: teacher(sheet, point),
        })
        .collect()
}

/// The mean over the teachers of its seeds.
fn teacher(sheet: &Sheet, point: &Point) -> Option<Took> {
    let ids: Vec<&String> = point.rows.iter().filter_map(|row| row.cell.teacher.as_ref()).collect();
    let rows = sheet.board.rows.iter().enumerate().filter(|(_, row)| ids.contains(&&row.cell.id));
    let (places, rows): (Vec<usize>, Vec<_>) = rows.unzip();
    (!rows.is_empty()).then(|| Point { rows, places }.took())
}
