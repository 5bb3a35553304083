//! The list of runs: as many columns as fit, the most telling first, and the chosen row always in sight.

use super::super::{Pen, line_at};
use super::framed;
use crate::run::calendar::calendar;
use crate::run::listing::harmless;
use crate::run::shelf::Facts;
use crate::ui::brush::{Side, percent};
use crate::ui::screen::{Filter, Folder, Listed, Rank, Shown, state_word};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// Whether the last line says what there is to know of the chosen run, having no pane for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Foot {
    Remark,
    Bare,
}

/// Names deeper in the tree are not indented further.
const DEEPEST: usize = 4;
/// The cursor, whose run it is, the letter of its overlay, a space.
const SIGNS: usize = 4;
const LEAST_NAME: usize = 18;
const LONGEST_NAME: usize = 44;

struct Column {
    name: &'static str,
    /// The highest go first where the width does not suffice.
    dispensable: u8,
    side: Side,
    cell: fn(&Listed, &Facts, &Shown) -> String,
}

/// Behind the name, in this order.
const COLUMNS: &[Column] = &[
    Column { name: "method", dispensable: 5, side: Side::Left, cell: |_, f, _| f.summary.method.clone() },
    Column {
        name: "λ",
        dispensable: 2,
        side: Side::Left,
        cell: |_, f, _| f.summary.lambda_shown().unwrap_or_else(|| "-".into()),
    },
    Column { name: "network", dispensable: 8, side: Side::Left, cell: |_, f, _| f.summary.student.clone() },
    Column {
        name: "epochs",
        dispensable: 6,
        side: Side::Right,
        cell: |_, f, _| format!("{}/{}", f.summary.epochs_done, f.summary.epochs_planned),
    },
    Column {
        name: "nat%",
        dispensable: 1,
        side: Side::Right,
        cell: |_, f, _| f.best.as_ref().map_or_else(|| "-".into(), |n| percent(n.natural)),
    },
    Column { name: "adv%", dispensable: 0, side: Side::Left, cell: adversarial },
    Column { name: "test nat/adv", dispensable: 4, side: Side::Right, cell: test },
    Column { name: "state", dispensable: 3, side: Side::Left, cell: |listed, _, _| state_word(&listed.entry).into() },
    Column { name: "begun UTC", dispensable: 7, side: Side::Left, cell: |_, f, _| begun(f) },
];

fn adversarial(listed: &Listed, facts: &Facts, _: &Shown) -> String {
    let Some(number) = &facts.best else { return "   -".into() };
    let sign = match listed.rank {
        Rank::Best => "▲",
        Rank::Unlike(_) => "~",
        Rank::Ranked | Rank::NoNumber => " ",
    };
    format!("{:>4}{sign}", percent(number.adversarial))
}

fn test(_: &Listed, facts: &Facts, shown: &Shown) -> String {
    let Some(number) = &facts.test else { return "- ".into() };
    let alike = shown.test.as_ref().is_none_or(|usual| *usual == number.measure);
    format!("{}/{}{}", percent(number.natural), percent(number.adversarial), if alike { " " } else { "~" })
}

fn begun(facts: &Facts) -> String {
    let ([_, month, day], [hour, minute, _]) = calendar(facts.summary.started_at_ms);
    format!("{month:02}-{day:02} {hour:02}:{minute:02}")
}

pub(super) fn draw(pen: &Pen, shown: &Shown, chosen: usize, foot: Foot, area: Rect, buffer: &mut Buffer) {
    let inner = framed(pen, area, "Runs", &titles(pen, shown), pen.focused(crate::ui::layout::Pane::Runs), buffer);
    if inner.width < 8 || inner.height < 2 {
        return;
    }
    let last = foot_line(pen, shown, chosen, foot);
    let foot_height = u16::from(last.is_some());
    if let Some(line) = last {
        line_at(buffer, inner.x, inner.bottom() - 1, inner.width, &line);
    }
    if shown.rows.is_empty() {
        line_at(buffer, inner.x, inner.y, inner.width, &Line::from(pen.span(Tone::Text, nothing(pen, shown))));
        return;
    }
    let room = usize::from(inner.height.saturating_sub(1 + foot_height));
    let width = usize::from(inner.width);
    let names: Vec<Name> = shown.rows.iter().map(|listed| name(pen, listed)).collect();
    let cells: Vec<Vec<String>> = shown.rows.iter().map(|listed| cells(pen, listed, shown)).collect();
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|i| {
            let head = pen.screen.glyphs.words(COLUMNS[i].name).width();
            cells.iter().filter_map(|row| row.get(i)).map(|cell| cell.width()).fold(head, usize::max)
        })
        .collect();
    let longest = names.iter().map(Name::width).max().unwrap_or(0).clamp(3, LONGEST_NAME);
    let mut columns: Vec<usize> = (0..COLUMNS.len()).collect();
    let taken = |columns: &[usize]| columns.iter().map(|&i| widths[i] + 1).sum::<usize>() + SIGNS;
    while taken(&columns) + longest.min(LEAST_NAME) > width {
        let Some(&least) = columns.iter().max_by_key(|&&i| COLUMNS[i].dispensable) else { break };
        columns.retain(|&i| i != least);
    }
    let name_width = longest.min(width.saturating_sub(taken(&columns)));
    let names = fitting(pen, &names, name_width);
    let joined = |first: String, cell: &dyn Fn(usize) -> String| {
        let cells = columns.iter().map(|&i| pen.brush().fitted(&cell(i), widths[i], COLUMNS[i].side));
        std::iter::once(first).chain(cells).collect::<Vec<_>>().join(" ")
    };
    let header = joined(format!("{:SIGNS$}{:<name_width$}", "", "run"), &|i| COLUMNS[i].name.to_string());
    line_at(buffer, inner.x, inner.y, inner.width, &Line::from(pen.span(Tone::Dim, header)));
    let first = (chosen + 1).saturating_sub(room).max(chosen.saturating_sub(room / 2)).min(shown.rows.len().saturating_sub(room));
    for (row, listed) in shown.rows.iter().enumerate().skip(first).take(room) {
        let y = inner.y + 1 + (row - first) as u16;
        let own = if listed.own { '*' } else { ' ' };
        let letter = pen.screen.runs.letter(&listed.entry.id);
        let letter = letter.unwrap_or(if pen.screen.runs.is_opening(&listed.entry.id) { '…' } else { ' ' });
        let cursor = if row == chosen { '▸' } else { ' ' };
        // One cell each, whatever the glyphs: words would take three for a mark.
        let signs = Span::styled(format!("{cursor}{own}{letter} "), pen.style(Tone::Accent));
        let name = &names[row];
        let text = match &listed.entry.found {
            Ok(_) => joined(name.clone(), &|i| cells[row][i].clone()),
            Err(why) => format!("{name} broken: {}", reason(why)),
        };
        let tone = match (&listed.entry.found, row == chosen) {
            (_, true) => Tone::Selected,
            (Err(_), false) => Tone::Error,
            (Ok(_), false) => Tone::Text,
        };
        let room = width - SIGNS;
        let text: String = text.chars().take(room).collect();
        let line = Line::from(vec![signs, Span::styled(format!("{text:<room$}"), pen.style(tone))]);
        line_at(buffer, inner.x, y, inner.width, &line);
    }
}

/// A run's name behind its place in the tree: what it branches off, and at which step.
struct Name {
    branch: String,
    at: String,
    id: String,
}

impl Name {
    fn width(&self) -> usize {
        self.branch.width() + self.at.width() + self.id.width()
    }
}

fn name(pen: &Pen, listed: &Listed) -> Name {
    let words = |text: String| pen.screen.glyphs.words(text).into_owned();
    let id = words(harmless(&listed.entry.id));
    match listed.depth.min(DEEPEST) {
        0 => Name { branch: String::new(), at: String::new(), id },
        depth => {
            let at = listed.at.map_or_else(String::new, |step| format!("@{step} "));
            Name { branch: words(format!("{}└─ ", "   ".repeat(depth - 1))), at, id }
        }
    }
}

/// Names filled up or cut to a width. The step of a branch goes first, then the middle of a name.
fn fitting(pen: &Pen, names: &[Name], width: usize) -> Vec<String> {
    let ids: Vec<String> = names.iter().map(|name| name.id.clone()).collect();
    let room = |name: &Name| width.saturating_sub(name.branch.width());
    let mut cut: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for name in names.iter().filter(|name| name.width() > width) {
        cut.entry(room(name)).or_insert_with(|| pen.brush().shortened_list(&ids, room(name)));
    }
    let fitted = |(i, name): (usize, &Name)| {
        let text = match cut.get(&room(name)) {
            Some(ids) if name.width() > width => format!("{}{}", name.branch, ids[i]),
            Some(_) | None => format!("{}{}{}", name.branch, name.at, name.id),
        };
        let empty = " ".repeat(width.saturating_sub(text.width()));
        text + &empty
    };
    names.iter().enumerate().map(fitted).collect()
}

fn cells(pen: &Pen, listed: &Listed, shown: &Shown) -> Vec<String> {
    let Ok(facts) = &listed.entry.found else { return Vec::new() };
    COLUMNS.iter().map(|column| pen.screen.glyphs.words(harmless(&(column.cell)(listed, facts, shown))).into_owned()).collect()
}

/// How many, in which order, and what the accuracies are of.
fn titles(pen: &Pen, shown: &Shown) -> Vec<String> {
    let runs = &pen.screen.runs;
    let count =
        if shown.rows.len() == shown.all { shown.all.to_string() } else { format!("{} of {}", shown.rows.len(), shown.all) };
    let order = runs.sort.name();
    let filter = match &runs.filter {
        Filter::Set(text) => format!(", /{}", harmless(text)),
        Filter::Off | Filter::Typing(_) => String::new(),
    };
    let Some(measure) = &shown.measure else { return vec![format!("{count}, {order}{filter}"), count] };
    let (words, short) = (measure.words(), measure.attack.short());
    let data = harmless(&measure.data);
    vec![
        format!("{count}, {order}{filter}, nat adv: best probe, {words} of {data} ({})", measure.split.name()),
        format!("{count}, {order}{filter}, nat adv: best probe, {words}"),
        format!("{count}, {order}{filter}, best probe {words}"),
        format!("{count}{filter}, best probe {words}"),
        format!("{count}{filter}, probe {short} n={}", measure.images),
        format!("{count}, {short}"),
        count,
    ]
}

fn nothing(pen: &Pen, shown: &Shown) -> String {
    match &pen.screen.runs.folder {
        _ if shown.all > 0 => format!("None of {} runs fits the filter: Esc shows all.", shown.all),
        Folder::Absent => "No folder of runs is looked at here.".into(),
        Folder::Reading => "Reading the folder of runs …".into(),
        Folder::Read => "There are no runs in this folder.".into(),
        Folder::Unreadable(why) => format!("! {}", harmless(why)),
    }
}

fn foot_line(pen: &Pen, shown: &Shown, chosen: usize, foot: Foot) -> Option<Line<'static>> {
    let runs = &pen.screen.runs;
    if let Filter::Typing(text) = &runs.filter {
        let help = if text.is_empty() { "  words, or method: lambda: state: network: data:" } else { "" };
        return Some(Line::from(vec![
            pen.span(Tone::Title, format!("/{}▏", harmless(text))),
            pen.span(Tone::Dim, help.to_string()),
        ]));
    }
    if let (Folder::Unreadable(why), false) = (&runs.folder, shown.rows.is_empty()) {
        return Some(Line::from(pen.span(Tone::Error, format!("! {}", harmless(why)))));
    }
    if runs.folder == Folder::Reading {
        return Some(Line::from(pen.span(Tone::Dim, "reading the folder …")));
    }
    if foot == Foot::Bare {
        return None;
    }
    let listed = shown.rows.get(chosen)?;
    let (tone, text) = remark(listed, shown);
    Some(Line::from(pen.span(tone, text)))
}

/// Why, without the path that the row's name says already: there is little room.
fn reason(why: &str) -> String {
    harmless(why.split_once("events.jsonl, ").map_or(why, |(_, rest)| rest))
}

/// The one thing worth saying of a run.
pub(super) fn remark(listed: &Listed, shown: &Shown) -> (Tone, String) {
    let message = |facts: &Facts| facts.summary.message.as_deref().map(reason);
    match (&listed.entry.found, &listed.rank) {
        (Err(why), _) => (Tone::Error, format!("! {}", reason(why))),
        (Ok(facts), _) if message(facts).is_some() => (Tone::Error, format!("! {}", message(facts).unwrap_or_default())),
        (Ok(_), Rank::Unlike(why)) => (Tone::Warn, format!("~ not ranked: {}", harmless(why))),
        (Ok(facts), Rank::Best) => {
            let by_hand = if facts.summary.changes > 0 { ", steered by hand" } else { "" };
            (Tone::Ok, format!("▲ best adversarial of {} that compare{by_hand}", shown.ranked))
        }
        (Ok(_), Rank::NoNumber) => (Tone::Dim, "no probe yet".into()),
        (Ok(facts), Rank::Ranked) => {
            let text = match (listed.own, facts.summary.changes) {
                (true, _) => "this run".into(),
                (false, 0) => "Enter lays its curves behind the charts".into(),
                (false, 1) => "steered by hand: 1 change".into(),
                (false, n) => format!("steered by hand: {n} changes"),
            };
            (Tone::Dim, text)
        }
    }
}
