//! Students down, teachers across: the numbers of each pair, and how long its training took where there is room for a second line.

use super::super::super::points::{Mean, Point, Took, points, varied};
use super::super::super::view::word;
use super::super::{Sheet, share, sign, tone};
use super::{first, framed, legend, measured};
use crate::run::listing::{clock, harmless};
use crate::sweep::board::{Row, Stage};
use crate::sweep::{Cell, Role};
use crate::ui::brush::{Side, line_at, percent};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// `100.0/45.0▲`, a space.
const CELL: usize = 12;
const WIDEST_CELL: usize = 20;
const LONGEST_NAME: usize = 20;

/// One value of the config, as it is written there.
fn of_config(cell: &Cell, table: &str, key: &str) -> Option<String> {
    let config: toml::Table = cell.config.parse().ok()?;
    config.get(table)?.get(key)?.as_str().map(ToString::to_string)
}

fn student(cell: &Cell) -> String {
    let varied = cell.vary.iter().find(|(key, _)| key.starts_with("student")).map(|(_, value)| value.as_str());
    let network = varied.or_else(|| crate::ui::sweep::points::varied(cell, &["network", "student"]));
    network.map(ToString::to_string).or_else(|| of_config(cell, "student", "network")).unwrap_or_else(|| cell.label.clone())
}

/// By the network of the teacher that this sweep trains, else by the file that its weights come from.
fn teacher(sheet: &Sheet, cell: &Cell) -> String {
    if let Some(id) = &cell.teacher {
        let of = sheet.board.rows.iter().find(|row| row.cell.id == *id);
        return of.map_or_else(|| id.clone(), |row| student(&row.cell));
    }
    let named = cell.vary.iter().find(|(key, _)| key.starts_with("teacher")).map(|(_, value)| value.clone());
    let named = named.or_else(|| varied(cell, &["teacher"]).map(ToString::to_string));
    let file = named.or_else(|| of_config(cell, "teacher", "checkpoint"));
    file.map_or_else(
        || "no teacher".into(),
        |file| std::path::Path::new(&file).file_stem().map_or(file.clone(), |stem| stem.to_string_lossy().into_owned()),
    )
}

pub(super) fn draw(sheet: &Sheet, area: Rect, buffer: &mut Buffer) {
    let all = points(sheet.board);
    let pairs: Vec<(String, String, &Point)> = all
        .iter()
        .filter(|point| point.cell().role == Role::Student)
        .map(|point| (student(point.cell()), teacher(sheet, point.cell()), point))
        .collect();
    let mut students: Vec<&str> = Vec::new();
    let mut teachers: Vec<&str> = Vec::new();
    for (student, teacher, _) in &pairs {
        if !students.contains(&student.as_str()) {
            students.push(student);
        }
        if !teachers.contains(&teacher.as_str()) {
            teachers.push(teacher);
        }
    }
    let inner = framed(sheet, area, "Student × teacher:", &measured(sheet, "natural/adversarial %"), buffer);
    if pairs.is_empty() || inner.height < 3 {
        return;
    }
    let words = |text: &str| sheet.brush.glyphs.words(harmless(text)).into_owned();
    let name_width = students.iter().map(|name| words(name).width()).max().unwrap_or(0).clamp(7, LONGEST_NAME);
    let room = usize::from(inner.width).saturating_sub(name_width + 1);
    let across = (room / CELL).max(1).min(teachers.len());
    let width = (room / across).clamp(CELL, WIDEST_CELL);
    // Below the head of the columns, above the legend.
    let lines = usize::from(inner.height - 2);
    let tall = if lines >= 2 * students.len() { 2 } else { 1 };
    let down = (lines / tall).max(1).min(students.len());
    let chosen = sheet.chosen.and_then(|place| pairs.iter().find(|(.., point)| point.places.contains(&place)));
    let place_of = |all: &[&str], name: Option<&str>| name.and_then(|name| all.iter().position(|n| *n == name)).unwrap_or(0);
    let left = first(place_of(&teachers, chosen.map(|(_, t, _)| t.as_str())), across, teachers.len());
    let top = first(place_of(&students, chosen.map(|(s, ..)| s.as_str())), down, students.len());

    let mut head = Line::from(sheet.brush.span(Tone::Dim, sheet.brush.fitted("", name_width + 1, Side::Left)));
    for name in teachers.iter().skip(left).take(across) {
        head.push_span(sheet.brush.span(Tone::Title, sheet.brush.named(name, width - 1)));
        head.push_span(" ");
    }
    line_at(buffer, inner.x, inner.y, inner.width, &head);
    for (i, name) in students.iter().enumerate().skip(top).take(down) {
        let y = inner.y + 1 + ((i - top) * tall) as u16;
        let label = sheet.brush.span(Tone::Title, sheet.brush.named(name, name_width));
        line_at(buffer, inner.x, y, inner.width, &Line::from(label));
        for (j, other) in teachers.iter().enumerate().skip(left).take(across) {
            let here: Vec<&Point> = pairs.iter().filter(|(s, t, _)| s == name && t == other).map(|(.., p)| *p).collect();
            let at =
                Rect { x: inner.x + (name_width + 1 + (j - left) * width) as u16, y, width: width as u16, height: tall as u16 };
            cell(sheet, &here, at, buffer);
        }
    }
    let hidden = students.len() - down + teachers.len() - across;
    let mut parts = Vec::new();
    if hidden > 0 {
        parts.push((Tone::Warn, format!("{hidden} more beyond the edge")));
    }
    parts.push((Tone::Dim, "student down, teacher across".to_string()));
    parts.push((Tone::First, "natural".into()));
    parts.push((Tone::Second, "adversarial".into()));
    parts.push((Tone::Dim, "▲ best  mean of seeds".into()));
    if pairs.len() > students.len() * teachers.len() {
        parts.push((Tone::Dim, "of several in one place: the chosen or best".into()));
    }
    line_at(buffer, inner.x, inner.bottom() - 1, inner.width, &legend(sheet, parts, usize::from(inner.width)));
}

fn cell(sheet: &Sheet, here: &[&Point], at: Rect, buffer: &mut Buffer) {
    let mean = |point: &Point| sheet.measure.as_ref().and_then(|measure| point.mean(measure));
    let robust = |point: &Point| mean(point).map_or(f64::NEG_INFINITY, |mean: Mean| mean.adversarial.mean);
    let is_chosen = |point: &Point| sheet.chosen.is_some_and(|chosen| point.places.contains(&chosen));
    let best = here.iter().max_by(|a, b| robust(a).total_cmp(&robust(b)));
    let Some(point) = here.iter().find(|point| is_chosen(point)).or(best) else { return };
    let style = |tone: Tone| {
        let style = sheet.brush.style(tone);
        if is_chosen(point) { style.add_modifier(Modifier::REVERSED) } else { style }
    };
    let mut line = Line::default();
    if let Some(mean) = mean(point) {
        let best = sheet.best.is_some_and(|best| point.places.contains(&best));
        for (tone, text) in [
            (Tone::First, percent(mean.natural.mean)),
            (Tone::Dim, "/".to_string()),
            (Tone::Second, percent(mean.adversarial.mean)),
            (Tone::Ok, if best { "▲".to_string() } else { String::new() }),
        ] {
            line.push_span(Span::styled(text, style(tone)));
        }
    } else {
        let row = telling(&point.rows);
        let text = match share(row).filter(|_| row.stage == Stage::Training) {
            Some(share) => format!("{} {:.0}%", sign(&row.stage), 100.0 * share),
            None => format!("{} {}", sign(&row.stage), word(&row.stage)),
        };
        line.push_span(Span::styled(text, style(tone(&row.stage))));
    }
    line_at(buffer, at.x, at.y, at.width - 1, &line);
    if at.height > 1 {
        let text = match point.took() {
            Took::Whole(seconds) => clock(seconds),
            Took::SoFar(seconds) => format!("{} …", clock(seconds)),
            Took::Nothing => String::new(),
        };
        line_at(buffer, at.x, at.y + 1, at.width - 1, &Line::from(sheet.brush.span(Tone::Dim, text)));
    }
}

/// Of several seeds without a number the one that is furthest, or what went wrong.
fn telling<'a>(rows: &[&'a Row]) -> &'a Row {
    let rank = |row: &&&Row| match row.stage {
        Stage::Waiting => 0,
        Stage::WaitsFor(_) => 1,
        Stage::Stopped => 2,
        Stage::Elsewhere(_) => 3,
        Stage::Failed(_) => 4,
        Stage::Done => 5,
        Stage::Evaluating => 6,
        Stage::Training => 7,
    };
    // The first of equals.
    rows.iter().rev().max_by_key(rank).copied().unwrap_or(rows[0])
}
