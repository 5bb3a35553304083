//! What each class was taken for under attack: a table where it fits, else the largest confusions as a list.

use super::super::{Pen, lines_at};
use super::{Chosen, chosen, class, framed, nothing_yet, rolled, say, widest};
use crate::protocol::report::Report;
use crate::ui::layout::Pane;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Entries beside the diagonal that are made to stand out.
const STRONG: usize = 3;

/// Images of one class that were taken for another.
#[derive(Clone, Copy)]
struct Mistake {
    truth: usize,
    answered: usize,
    count: u64,
    /// Images of the class.
    of: u64,
}

pub(in crate::ui::view) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let shown = chosen(pen);
    let inner = Rect { width: area.width.saturating_sub(2), height: area.height.saturating_sub(2), ..area };
    let texts = match shown.as_ref().map(|shown| table(shown, inner)) {
        None => vec![],
        Some(Some(_)) => vec![
            "under attack; rows: true, columns: answered, * largest".to_string(),
            "rows: true, columns: answered".to_string(),
            "true, answered".to_string(),
        ],
        Some(None) => vec!["under attack, largest first".to_string(), "largest first".to_string()],
    };
    let inner = framed(pen, area, Pane::Confusion, "Confusion", &texts, buffer);
    let Some(shown) = shown else {
        nothing_yet(pen, Pane::Confusion, inner, buffer);
        return;
    };
    if shown.report.confusion.iter().all(Vec::is_empty) {
        say(pen, inner, Tone::Dim, "This report has no table of confusions.", buffer);
        return;
    }
    let mistakes = mistakes(shown.report);
    match table(&shown, inner) {
        Some(cell) => lines_at(inner, &matrix(pen, shown.report, &mistakes, cell, usize::from(inner.width)), buffer),
        None if mistakes.is_empty() => say(pen, inner, Tone::Text, "No image was taken for one of another class.", buffer),
        None => {
            let lines = list(pen, shown.report, &mistakes, usize::from(inner.width));
            rolled(pen, Pane::Confusion, inner, 0, lines, buffer);
        }
    }
}

/// All mistakes, the largest first.
fn mistakes(report: &Report) -> Vec<Mistake> {
    let rows = report.confusion.iter().enumerate();
    let mut found: Vec<_> = rows
        .flat_map(|(truth, row)| {
            let of = row.iter().fold(0, |sum: u64, n| sum.saturating_add(*n));
            row.iter().enumerate().map(move |(answered, &count)| Mistake { truth, answered, count, of })
        })
        .filter(|m| m.truth != m.answered && m.count > 0)
        .collect();
    found.sort_by_key(|m| std::cmp::Reverse(m.count));
    found
}

/// Cells that a column needs, where the table is square and fits whole, with a line for the heads.
fn table(shown: &Chosen, inner: Rect) -> Option<usize> {
    let rows = &shown.report.confusion;
    let count = rows.len();
    let square = count > 0 && rows.iter().all(|row| row.len() == count);
    let most = rows.iter().flatten().max().copied().unwrap_or(0);
    let cell = most.to_string().len().max(count.to_string().len()) + 2;
    let fits =
        count < usize::from(inner.height) && count.saturating_mul(cell) + count.to_string().len() < usize::from(inner.width);
    (square && fits).then_some(cell)
}

fn name(report: &Report, index: usize) -> &str {
    report.classes.get(index).map_or("", |c| c.name.as_str())
}

fn matrix(pen: &Pen, report: &Report, mistakes: &[Mistake], cell: usize, width: usize) -> Vec<Line<'static>> {
    let count = report.confusion.len();
    let least = count.to_string().len();
    let label = widest((0..count).map(|i| name(report, i))).clamp(least, (width - count * cell).max(least));
    let head = |i: usize| {
        let name = name(report, i);
        // One cell stays free between two heads.
        if (0..count).all(|i| self::name(report, i).chars().count() < cell) && !name.is_empty() {
            name.to_string()
        } else {
            i.to_string()
        }
    };
    let heads = (0..count).fold(String::new(), |heads, i| heads + &format!("{:>cell$}", head(i)));
    let mut lines = vec![Line::from(pen.span(Tone::Dim, format!("{:<label$}{heads}", "")))];
    let strong = &mistakes[..mistakes.len().min(STRONG)];
    for (truth, row) in report.confusion.iter().enumerate() {
        let mut line = Line::from(pen.span(Tone::Text, class(pen, truth, name(report, truth), label)));
        for (answered, &n) in row.iter().enumerate() {
            let stands_out = strong.iter().any(|m| (m.truth, m.answered) == (truth, answered));
            let (tone, text) = match n {
                0 => (Tone::Dim, ".".to_string()),
                n if stands_out => (Tone::Warn, format!("*{n}")),
                n if truth == answered => (Tone::Dim, n.to_string()),
                n => (Tone::Text, n.to_string()),
            };
            line.push_span(pen.span(tone, format!("{text:>cell$}")));
        }
        lines.push(line);
    }
    lines
}

fn list(pen: &Pen, report: &Report, mistakes: &[Mistake], width: usize) -> Vec<Line<'static>> {
    // `12 of 103  11.7 %` and the arrow beside the two names.
    let most = mistakes.iter().map(|m| m.of.to_string().len()).max().unwrap_or(1);
    let numbers = 2 * most + 4 + 9;
    let longest = widest((0..report.confusion.len()).map(|i| name(report, i)));
    let room = longest.min((width.saturating_sub(numbers + 4)) / 2).max(1);
    let line = |(rank, m): (usize, &Mistake)| {
        let share = 100.0 * m.count as f64 / m.of.max(1) as f64;
        let (truth, answered) =
            (class(pen, m.truth, name(report, m.truth), room), class(pen, m.answered, name(report, m.answered), room));
        let tone = if rank < STRONG { Tone::Warn } else { Tone::Text };
        Line::from(vec![
            pen.span(Tone::Text, format!("{truth} → {answered} ")),
            pen.span(tone, format!("{:>most$} of {:>most$}", m.count, m.of)),
            pen.span(Tone::Dim, format!("  {share:>5.1} %")),
        ])
    };
    mistakes.iter().take(usize::from(u8::MAX)).enumerate().map(line).collect()
}
