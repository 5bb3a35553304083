//! The Charts view: every chart there is, as large as all of them fit or page by page; or the chosen one alone.

use super::charts::{behind, chart, curves, entries, how, reading, references, run_name, written};
use super::{Focused, Pen, line_at, value};
use crate::ui::chart::{Band, SeriesChart};
use crate::ui::layout::{Pane, tier};
use crate::ui::plots::{Plot, Strand, Tiles};
use crate::ui::screen::Tail;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

/// Cells of a number in a title, so that what follows it stays where it is.
const NUMBER: usize = 6;

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let (all, at) = pen.screen.charts.chosen(pen.state);
    if all.is_empty() || area.height < 3 {
        let inner = pen.frame(area, pen.title(Pane::Grid, "Charts"), pen.focused(Pane::Grid), buffer);
        line_at(buffer, inner.x, inner.y, inner.width, &Line::from(pen.span(Tone::Dim, "nothing was measured yet")));
        return;
    }
    let body = Rect { height: area.height - 1, ..area };
    let (shown, pages) = if pen.screen.maximised.is_some() {
        one(pen, all[at], Focused::Yes, body, buffer);
        (at, all.len())
    } else {
        let tiles = Tiles::of(body, all.len(), tier(buffer.area));
        let page = at / tiles.page();
        for (n, plot) in all.iter().skip(page * tiles.page()).take(tiles.page()).enumerate() {
            let focus = if page * tiles.page() + n == at { Focused::Yes } else { Focused::No };
            one(pen, *plot, focus, tiles.cell(n), buffer);
        }
        (page, all.len().div_ceil(tiles.page()))
    };
    footer(pen, shown, pages, Rect { y: body.bottom(), height: 1, ..area }, buffer);
}

/// One chart in its border.
fn one(pen: &Pen, plot: Plot, focus: Focused, area: Rect, buffer: &mut Buffer) {
    let curves = curves(pen, plot);
    let references = if plot == Plot::Accuracy { references(pen) } else { Vec::new() };
    let mut chart = chart(pen, &curves, plot);
    chart.references = &references;
    let title = title(pen, plot, &chart, focus, area.width);
    let inner = pen.frame(area, title, focus, buffer);
    chart.render(inner, buffer, pen.screen.palette, pen.screen.glyphs);
}

/// The fullest of the titles that fit.
fn title(pen: &Pen, plot: Plot, chart: &SeriesChart, focus: Focused, width: u16) -> Line<'static> {
    let room = usize::from(width.saturating_sub(2));
    let strands = plot.strands(pen.state);
    let [full, short] = how(chart);
    let [long, brief] = plot.names();
    let hows = [full, short, String::new()];
    let lines = [long, brief].into_iter().flat_map(|name| hows.iter().map(move |how| (name, how)));
    let mut least = None;
    for (name, how) in lines {
        for how_many in (1..=strands.len()).rev() {
            // All curves or, if there is no room for them, the one that is above the others.
            if how_many != strands.len() && how_many != 1 {
                continue;
            }
            let line = with(pen, (name, how), &strands[strands.len() - how_many..], &strands, (plot, focus));
            if line.width() <= room && how_many == strands.len() {
                return line;
            }
            if line.width() <= room && least.is_none() {
                least = Some(line);
            }
        }
    }
    least.unwrap_or_else(|| Line::from(heading(pen, brief, focus)))
}

fn heading(pen: &Pen, name: &str, focus: Focused) -> Span<'static> {
    let style = match focus {
        Focused::Yes => pen.style(Tone::Accent),
        Focused::No => pen.style(Tone::Title).add_modifier(Modifier::BOLD),
    };
    Span::styled(pen.screen.glyphs.words(format!(" {name} ")).into_owned(), style)
}

fn with(pen: &Pen, (name, how): (&str, &str), shown: &[Strand], all: &[Strand], (plot, focus): (Plot, Focused)) -> Line<'static> {
    let mut line = Line::from(heading(pen, name, focus));
    let number = |strand: &Strand| {
        let now = reading(pen, strand);
        let text = match (plot, now) {
            // A radius is known by how it was typed.
            (Plot::Dial(dial), Some(v)) => dial.show(v),
            (Plot::Busy, Some(v)) => format!("{v:.0}"),
            (Plot::Rate, Some(v)) if v >= 1_000.0 => value(v / 1_000.0) + "k",
            _ => written(strand, now),
        };
        format!("{text:>NUMBER$}")
    };
    if all.len() == 1 {
        line.spans.extend(shown.iter().map(|strand| pen.span(Tone::Text, format!("{} ", number(strand)))));
    } else {
        let legend: Vec<_> = shown.iter().map(|strand| (strand.name.clone(), number(strand).trim_start().to_string())).collect();
        entries(pen, &legend, all.len() - shown.len(), focus, &mut line);
    }
    if !how.is_empty() {
        line.push_span(pen.span(Tone::Dim, format!("{how} ")));
    }
    line
}

/// Which page this is, by what the charts are shown, and who is behind.
fn footer(pen: &Pen, shown: usize, pages: usize, area: Rect, buffer: &mut Buffer) {
    let screen = pen.screen;
    let unit = if screen.maximised.is_some() { "chart" } else { "page" };
    let mut line = Line::from(pen.span(Tone::Title, format!(" {unit} {}/{pages}", shown + 1)));
    if pages > 1 {
        // Not among the hints: where all are on one page there is nothing to turn.
        line.push_span(pen.span(Tone::Accent, if screen.maximised.is_some() { " Tab" } else { " PgDn" }));
    }
    let range = match screen.zoom {
        None => "whole run",
        Some(zoom) if zoom.tail == Tail::Followed => "following the newest",
        Some(_) => "zoomed",
    };
    line.push_span(pen.span(Tone::Dim, format!("  x {}, {range}", screen.charts.x.name())));
    if screen.charts.band == Band::Hidden {
        line.push_span(pen.span(Tone::Dim, "  no band"));
    }
    let (letters, names): (Vec<char>, Vec<String>) =
        behind(pen).map(|(letter, other)| (letter, run_name(other).to_string())).unzip();
    // `  a NAME` each, and before them what they are.
    let room = usize::from(area.width).saturating_sub(line.width() + "  behind:".len());
    let names = pen.brush().shortened_list(&names, (room / names.len().max(1)).saturating_sub(4));
    for (i, (letter, name)) in letters.iter().zip(names).enumerate() {
        line.push_span(pen.span(Tone::Dim, if i == 0 { "  behind: " } else { "  " }));
        line.push_span(pen.span(Tone::Text, format!("{letter} {name}")));
    }
    line_at(buffer, area.x, area.y, area.width, &line);
}
