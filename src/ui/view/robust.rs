//! The Robust view: what evaluations found. Which report is shown and what every pane of it says of that stands here; each pane has a
//! file below.
//!
//! Reports may come from old or damaged logs: lists may be empty, tables ragged and numbers odd, and all of it is drawn without a panic.

mod classes;
mod confusion;
mod curve;
mod verdict;

pub(super) use classes::draw as classes;
pub(super) use confusion::draw as confusion;
pub(super) use curve::draw as curve;
pub(super) use verdict::draw as verdict;

use super::{Focused, Pen, lines_at};
use crate::protocol::Step;
use crate::protocol::report::Report;
use crate::run::advice::command;
use crate::run::session::Access;
use crate::ui::brush::wrap;
use crate::ui::layout::Pane;
use crate::ui::screen::is_over;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use std::path::Path;

/// The report that is looked at, and its place among all.
struct Chosen<'a> {
    index: usize,
    step: Step,
    report: &'a Report,
}

fn chosen<'a>(pen: &Pen<'a>) -> Option<Chosen<'a>> {
    let index = pen.screen.chosen_report(pen.state)?;
    let (step, report) = pen.state.reports.get(index)?;
    Some(Chosen { index, step: *step, report })
}

/// `78.0`.
fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// `report 2 of 3, step 700, student`, shorter and shorter.
fn which(pen: &Pen, chosen: &Chosen) -> [String; 3] {
    let (k, n) = (chosen.index + 1, pen.state.reports.len());
    let (step, whose) = (chosen.step, chosen.report.of.name());
    [format!("report {k} of {n}, step {step}, {whose}"), format!("{k} of {n}, step {step}, {whose}"), format!("{k}/{n} @{step}")]
}

/// A border with the pane's name and the first text that fits whole beside it.
fn framed(pen: &Pen, area: Rect, pane: Pane, name: &str, texts: &[String], buffer: &mut Buffer) -> Rect {
    let mut title = pen.title(pane, name);
    let used = title.width() + 3;
    let fits = |text: &&String| {
        !text.is_empty() && used + pen.screen.glyphs.words(text.as_str()).chars().count() <= usize::from(area.width)
    };
    if let Some(text) = texts.iter().find(fits) {
        title.push_span(pen.span(Tone::Dim, format!("{text} ")));
    }
    pen.frame(area, title, pen.focused(pane), buffer)
}

/// How to get a report, where there is none. Once is enough: the pane with the focus says it.
fn nothing_yet(pen: &Pen, pane: Pane, inner: Rect, buffer: &mut Buffer) {
    let late;
    let text = if pen.focused(pane) == Focused::No {
        return;
    } else if pen.state.examining.is_some() {
        "An evaluation runs: what it finds will stand here."
    } else if pen.screen.access == Access::Steer && !is_over(pen.state) {
        "No evaluation yet: press a to evaluate these weights."
    } else {
        let eval = command("eval", Path::new(&pen.screen.folder), "");
        late = format!("Nothing was evaluated while this run trained; this evaluates its newest checkpoint: {eval}");
        &late
    };
    say(pen, inner, Tone::Text, text, buffer);
}

fn say(pen: &Pen, inner: Rect, tone: Tone, text: &str, buffer: &mut Buffer) {
    let wrapped = wrap(text, usize::from(inner.width).max(1));
    let lines: Vec<_> = wrapped.into_iter().map(|text| Line::from(pen.span(tone, text))).collect();
    lines_at(inner, &lines, buffer);
}

/// Lines of which there may be more than fit: below the first `head` those that the pane with the focus was scrolled to. That there are
/// more is said in the last line.
fn rolled(pen: &Pen, pane: Pane, inner: Rect, head: usize, mut lines: Vec<Line<'static>>, buffer: &mut Buffer) {
    let room = usize::from(inner.height);
    if lines.len() > room && room > head + 1 {
        let focused = pen.focused(pane) == Focused::Yes;
        let rest = lines.split_off(head);
        let shown = room - head - 1;
        let first = if focused { pen.screen.down.min(rest.len() - shown) } else { 0 };
        let below = rest.len() - shown - first;
        lines.extend(rest.into_iter().skip(first).take(shown));
        let text = match (below, focused) {
            (0, _) => "the end; Up goes back".to_string(),
            (n, true) => format!("… {n} more lines: Down"),
            (n, false) => format!("… {n} more lines: Tab, Down"),
        };
        lines.push(Line::from(pen.span(Tone::Accent, text)));
    }
    lines_at(inner, &lines, buffer);
}

/// `3 dress`, cut to the width and filled up to it.
fn class(pen: &Pen, index: usize, name: &str, width: usize) -> String {
    let text: String = format!("{index} {name}").chars().filter(|c| !c.is_control()).collect();
    pen.brush().named(&text, width)
}

/// The widest of [`class`] for these names.
fn widest<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.enumerate().map(|(i, name)| i.to_string().len() + 1 + name.chars().count()).max().unwrap_or(0)
}
