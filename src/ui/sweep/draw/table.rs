//! The runs as rows: as many columns as fit, the most telling first, and the chosen row always in sight.

use super::super::points::number;
use super::super::view::word;
use super::{Sheet, share, sign, tone};
use crate::run::listing::{clock, harmless};
use crate::sweep::board::{Pair, Row, Stage};
use crate::ui::brush::{Focused, Side, line_at, percent};
use crate::ui::glyphs::bar;
use crate::ui::screen::Filter;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// The cursor and a space.
const SIGNS: usize = 2;
const LEAST_NAME: usize = 16;
const LONGEST_NAME: usize = 44;

/// A text and what it means.
type Cell = (Tone, String);

struct Column {
    name: &'static str,
    /// The highest go first where the width does not suffice.
    dispensable: u8,
    side: Side,
    /// Cells that it has whatever is in it: what comes and goes must not move the rest.
    least: usize,
    cell: fn(&Sheet, usize, &Row) -> Cell,
}

/// Behind the id, in this order.
const COLUMNS: &[Column] = &[
    Column { name: "varied", dispensable: 8, side: Side::Left, least: 0, cell: vary },
    Column { name: "stage", dispensable: 0, side: Side::Left, least: 12, cell: |_, _, row| (tone(&row.stage), stage(row)) },
    Column { name: "training", dispensable: 3, side: Side::Left, least: 0, cell: progress },
    Column { name: "steps", dispensable: 7, side: Side::Right, least: 0, cell: |_, _, row| (Tone::Dim, steps(row)) },
    Column { name: "nat%", dispensable: 2, side: Side::Right, least: 4, cell: natural },
    Column { name: "adv%", dispensable: 1, side: Side::Left, least: 5, cell: adversarial },
    Column { name: "other", dispensable: 5, side: Side::Left, least: 5, cell: by },
    Column { name: "took", dispensable: 6, side: Side::Right, least: 5, cell: |_, _, row| (Tone::Text, took(row)) },
    Column { name: "left", dispensable: 4, side: Side::Right, least: 5, cell: |_, _, row| (Tone::Dim, left(row)) },
];

fn vary(sheet: &Sheet, _: usize, row: &Row) -> Cell {
    (Tone::Text, words(sheet, &varied(row)))
}

/// What comes from a file, in letters that the terminal has and that do nothing to it.
fn words(sheet: &Sheet, text: &str) -> String {
    sheet.brush.glyphs.words(harmless(text)).into_owned()
}

fn varied(row: &Row) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_string();
    let mut parts: Vec<String> = row.cell.vary.iter().map(|(key, value)| format!("{}={value}", last(key))).collect();
    parts.push(format!("seed={}", row.cell.seed));
    parts.join(" ")
}

fn stage(row: &Row) -> String {
    format!("{} {}", sign(&row.stage), word(&row.stage))
}

fn progress(sheet: &Sheet, _: usize, row: &Row) -> Cell {
    let width = match sheet.view.size.0 {
        ..70 => 4,
        70..110 => 8,
        110..180 => 12,
        _ => 20,
    };
    let tone = tone(&row.stage);
    match share(row) {
        Some(share) => (tone, format!("{} {:>3.0}%", bar(share, width), 100.0 * share)),
        None => (Tone::Dim, "-".into()),
    }
}

fn steps(row: &Row) -> String {
    row.steps.map_or_else(|| "-".into(), |steps| format!("{}/{}", steps.done, steps.of))
}

/// What stands in a row's numbers.
enum Shown<'a> {
    /// Of the measure that the title names.
    Usual(Pair),
    /// Of another.
    Unlike(Pair, &'a str, u64),
    Probe(Pair),
    Nothing,
}

fn shown<'a>(sheet: &Sheet, row: &'a Row) -> Shown<'a> {
    if let Some(pair) = sheet.measure.as_ref().and_then(|measure| number(row, measure)) {
        return Shown::Usual(pair);
    }
    match (row.found.first(), row.probe) {
        (Some(found), _) => Shown::Unlike(found.pair, &found.attack, found.images),
        (None, Some(probe)) => Shown::Probe(probe),
        (None, None) => Shown::Nothing,
    }
}

fn natural(sheet: &Sheet, _: usize, row: &Row) -> Cell {
    match shown(sheet, row) {
        Shown::Usual(pair) => (Tone::Text, percent(pair.natural)),
        Shown::Unlike(pair, ..) | Shown::Probe(pair) => (Tone::Dim, percent(pair.natural)),
        Shown::Nothing => (Tone::Dim, "-".into()),
    }
}

fn adversarial(sheet: &Sheet, place: usize, row: &Row) -> Cell {
    let with = |tone: Tone, pair: Pair, sign: char| (tone, format!("{:>4}{sign}", percent(pair.adversarial)));
    match shown(sheet, row) {
        Shown::Usual(pair) if sheet.best == Some(place) => with(Tone::Ok, pair, '▲'),
        Shown::Usual(pair) => with(Tone::Text, pair, ' '),
        Shown::Unlike(pair, ..) => with(Tone::Dim, pair, '~'),
        Shown::Probe(pair) => with(Tone::Dim, pair, 'p'),
        Shown::Nothing => (Tone::Dim, "   -".into()),
    }
}

/// Only where it is not what the title says.
fn by(sheet: &Sheet, _: usize, row: &Row) -> Cell {
    match shown(sheet, row) {
        Shown::Usual(_) | Shown::Nothing => (Tone::Dim, String::new()),
        Shown::Unlike(_, attack, images) => (Tone::Dim, words(sheet, &format!("{attack} n={images}"))),
        Shown::Probe(_) => (Tone::Dim, "probe".into()),
    }
}

fn took(row: &Row) -> String {
    if row.train_s > 0.0 { clock(row.train_s) } else { "-".into() }
}

fn left(row: &Row) -> String {
    row.left_s.map_or_else(|| "-".into(), clock)
}

pub(super) fn draw(sheet: &Sheet, area: Rect, buffer: &mut Buffer) {
    let places = sheet.view.shown(sheet.board);
    let inner = sheet.framed(area, "Runs", &titles(sheet, places.len()), Focused::Yes, buffer);
    if inner.width < 8 || inner.height < 2 {
        return;
    }
    let foot = foot(sheet);
    line_at(buffer, inner.x, inner.bottom() - 1, inner.width, &foot);
    if places.is_empty() {
        let text = if sheet.board.rows.is_empty() {
            "There are no runs in this sweep.".to_string()
        } else {
            format!("None of {} runs fits the filter: Esc shows all.", sheet.board.rows.len())
        };
        line_at(buffer, inner.x, inner.y, inner.width, &Line::from(sheet.brush.span(Tone::Text, text)));
        return;
    }
    let room = usize::from(inner.height.saturating_sub(2));
    let width = usize::from(inner.width);
    let rows: Vec<(&Row, usize)> = places.iter().map(|&place| (&sheet.board.rows[place], place)).collect();
    let cells: Vec<Vec<Cell>> =
        rows.iter().map(|(row, place)| COLUMNS.iter().map(|column| (column.cell)(sheet, *place, row)).collect()).collect();
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|i| cells.iter().map(|row| row[i].1.width()).fold(COLUMNS[i].name.width().max(COLUMNS[i].least), usize::max))
        .collect();
    let names: Vec<String> = rows.iter().map(|(row, _)| words(sheet, &row.cell.id)).collect();
    let longest = names.iter().map(|name| name.width()).max().unwrap_or(0).clamp(3, LONGEST_NAME);
    let mut columns: Vec<usize> = (0..COLUMNS.len()).collect();
    let taken = |columns: &[usize]| columns.iter().map(|&i| widths[i] + 1).sum::<usize>() + SIGNS;
    while taken(&columns) + longest.min(LEAST_NAME) > width {
        let Some(&least) = columns.iter().max_by_key(|&&i| COLUMNS[i].dispensable) else { break };
        columns.retain(|&i| i != least);
    }
    let name_width = longest.min(width.saturating_sub(taken(&columns)));
    let names = sheet.brush.shortened_list(&names, name_width);
    let mut header = format!("{:SIGNS$}{:<name_width$}", "", "run");
    for &i in &columns {
        header.push(' ');
        header.push_str(&filled(COLUMNS[i].name, widths[i], COLUMNS[i].side));
    }
    line_at(buffer, inner.x, inner.y, inner.width, &Line::from(sheet.brush.span(Tone::Dim, header)));
    let at = sheet.view.at(sheet.board, &places);
    let first = (at + 1).saturating_sub(room).max(at.saturating_sub(room / 2)).min(rows.len().saturating_sub(room));
    for (i, y) in (first..rows.len()).zip(inner.y + 1..inner.bottom() - 1) {
        let cursor = if i == at { '▸' } else { ' ' };
        // One cell, whatever the glyphs.
        let mut line = Line::from(Span::styled(format!("{cursor} "), sheet.brush.style(Tone::Accent)));
        line.push_span(Span::styled(sheet.brush.fitted(&names[i], name_width, Side::Left), sheet.brush.style(Tone::Text)));
        for &column in &columns {
            let (tone, text) = &cells[i][column];
            let text = filled(text, widths[column], COLUMNS[column].side);
            line.push_span(Span::styled(format!(" {text}"), sheet.brush.style(*tone)));
        }
        if i == at {
            let rest = width.saturating_sub(line.width());
            line.push_span(" ".repeat(rest));
            line.spans.iter_mut().skip(1).for_each(|span| span.style = span.style.add_modifier(Modifier::REVERSED));
        }
        line_at(buffer, inner.x, y, inner.width, &line);
    }
}

/// A cell is never wider than its column. As it is: a bar must not be spelled out.
fn filled(text: &str, width: usize, side: Side) -> String {
    let empty = " ".repeat(width.saturating_sub(text.width()));
    match side {
        Side::Left => format!("{text}{empty}"),
        Side::Right => format!("{empty}{text}"),
    }
}

/// How many, which of them, and what the accuracies are of.
fn titles(sheet: &Sheet, shown: usize) -> Vec<String> {
    let all = sheet.board.rows.len();
    let count = if shown == all { all.to_string() } else { format!("{shown} of {all}") };
    let filter = match &sheet.view.filter {
        Filter::Set(text) => format!(", /{}", harmless(text)),
        Filter::Off | Filter::Typing(_) => String::new(),
    };
    let Some(measure) = &sheet.measure else { return vec![format!("{count}{filter}"), count] };
    let (attack, images) = (harmless(&measure.attack), measure.images);
    vec![
        format!("{count}{filter}, nat adv: {attack} on {images} images, ▲ best, ~ other attack or count, p probe"),
        format!("{count}{filter}, nat adv: {attack} on {images} images, ~ other, p probe"),
        format!("{count}{filter}, nat adv: {attack} n={images}"),
        format!("{count}, {attack} n={images}"),
        count,
    ]
}

/// The filter while it is typed, else the one thing worth saying of the chosen run.
fn foot(sheet: &Sheet) -> Line<'static> {
    if let Filter::Typing(text) = &sheet.view.filter {
        let help = if text.is_empty() { "  words of id, label, key=value, stage" } else { "  Enter keeps it  Esc all" };
        return Line::from(vec![
            sheet.brush.span(Tone::Title, format!("/{}▏", harmless(text))),
            sheet.brush.span(Tone::Dim, help),
        ]);
    }
    let Some(row) = sheet.chosen.and_then(|place| sheet.board.rows.get(place)) else { return Line::default() };
    let (tone, text) = remark(row);
    Line::from(sheet.brush.span(tone, harmless(&text)))
}

/// Why it stands where it stands, or what it is.
pub(super) fn remark(row: &Row) -> (Tone, String) {
    match &row.stage {
        Stage::Failed(why) => (Tone::Error, format!("! {why}")),
        Stage::WaitsFor(id) => (Tone::Dim, format!("waits for {id}")),
        Stage::Elsewhere(pid) => (Tone::Third, format!("runs in process {pid}, which this sweep did not start")),
        Stage::Stopped => (Tone::Warn, "stopped by hand; the next call goes on with it".into()),
        Stage::Waiting | Stage::Training | Stage::Evaluating | Stage::Done => {
            (Tone::Dim, format!("{}  {}", row.cell.label, varied(row)))
        }
    }
}
