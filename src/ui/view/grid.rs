//! The Charts view: every chart there is, as large as all of them fit or page by page; or the chosen one alone.

use super::charts::{about_others, behind, chart, curves, entries, how, number, others, reading, references, run_name};
use super::{Focused, Pen, line_at};
use crate::ui::chart::{Band, SeriesChart};
use crate::ui::layout::{Pane, tier};
use crate::ui::plots::{self, Plot, Strand, Tiles};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// Cells of a number in a title, so that what follows it stays where it is.
const NUMBER: usize = 6;

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let (all, at) = pen.screen.charts.chosen(pen.state);
    if all.is_empty() || area.height < 3 {
        let inner = pen.frame(area, pen.title(Pane::Grid, "Charts"), pen.focused(Pane::Grid), buffer);
        line_at(buffer, inner.x, inner.y, inner.width, &Line::from(pen.span(Tone::Dim, "nothing was measured yet")));
        return;
    }
    let changing = plots::changing(pen.state, &all);
    let body = Rect { height: area.height - 1, ..area };
    let (shown, pages) = if pen.screen.maximised.is_some() {
        one(pen, all[at], Focused::Yes, body, buffer);
        (at, all.len())
    } else {
        let tiles = Tiles::above(area, all.len(), changing, tier(buffer.area));
        // The charts of constants stand below the last page.
        let page = at.min(changing.saturating_sub(1)) / tiles.page();
        for (n, plot) in all.iter().take(changing).skip(page * tiles.page()).take(tiles.page()).enumerate() {
            let focus = if page * tiles.page() + n == at { Focused::Yes } else { Focused::No };
            one(pen, *plot, focus, tiles.cell(n), buffer);
        }
        if changing < all.len() {
            let line = Rect { y: body.bottom() - 1, height: 1, ..area };
            constants(pen, &all[changing..], at.checked_sub(changing), line, buffer);
        }
        (page, changing.div_ceil(tiles.page()).max(1))
    };
    footer(pen, shown, pages, Rect { y: body.bottom(), height: 1, ..area }, buffer);
}

/// The charts of values that never changed, in one line: what a chart of each would say. The focus walks through them as through
/// the others, and Enter opens one.
fn constants(pen: &Pen, plots: &[Plot], chosen: Option<usize>, area: Rect, buffer: &mut Buffer) {
    let mut line = Line::from(pen.span(Tone::Dim, " constant:"));
    // From the chosen one on, where not all have room.
    let texts: Vec<_> = plots.iter().map(|plot| constant(pen, *plot)).collect();
    let room = usize::from(area.width).saturating_sub(line.width());
    let fits = |first: usize| texts[first..].iter().map(|text| text.width() + 4).sum::<usize>() <= room;
    let last = chosen.unwrap_or(0);
    let first = (0..=last).find(|&first| fits(first)).unwrap_or(last);
    if first > 0 {
        line.push_span(pen.span(Tone::Dim, " …"));
    }
    for (i, text) in texts.iter().enumerate().skip(first) {
        line.push_span(pen.span(Tone::Text, " "));
        let tone = if chosen == Some(i) { Tone::Selected } else { Tone::Text };
        line.push_span(pen.span(tone, format!(" {text} ")));
    }
    line_at(buffer, area.x, area.y, area.width, &line);
}

/// `lr scale 1`: the shortest name of a chart with what its curves stand at, and those of the runs behind.
fn constant(pen: &Pen, plot: Plot) -> String {
    let [_, name] = plot.names();
    let values: Vec<_> = plot.strands(pen.state).iter().map(|strand| number(plot, strand, reading(pen, strand))).collect();
    // A run behind may have another value.
    let behind = others(pen, plot);
    let theirs = behind.iter().filter_map(|other| Some((other.letter, &other.lead.as_ref()?.1)));
    let theirs: String = theirs.fold(String::new(), |text, (letter, value)| format!("{text} {letter} {value}"));
    pen.screen.glyphs.words(format!("{name} {}{theirs}", values.join(" "))).into_owned()
}

/// One chart in its border.
fn one(pen: &Pen, plot: Plot, focus: Focused, area: Rect, buffer: &mut Buffer) {
    let curves = curves(pen, plot, usize::MAX);
    let references = if plot == Plot::Accuracy { references(pen) } else { Vec::new() };
    let mut chart = chart(pen, &curves, plot);
    chart.references = &references;
    let title = title(pen, plot, &chart, focus, area.width);
    let inner = pen.frame(area, title, focus, buffer);
    chart.render(inner, buffer, pen.screen.palette, pen.screen.glyphs);
}

/// The fullest of the titles that fit: first as many curves as there is room for, from the first one on, then their full names, the
/// runs behind, and how the chart is drawn.
fn title(pen: &Pen, plot: Plot, chart: &SeriesChart, focus: Focused, width: u16) -> Line<'static> {
    let room = usize::from(width.saturating_sub(2));
    let strands = plot.strands(pen.state);
    let [full, short] = how(chart);
    let [long, brief] = plot.names();
    let behind = about_others(&others(pen, plot));
    let mut rests: Vec<String> = behind
        .iter()
        .flat_map(|text| [&full, &short].map(|how| format!("{how}  {text}").trim_start().to_string()))
        .chain(behind.iter().cloned())
        .chain([full.clone(), short.clone(), String::new()])
        .collect();
    rests.dedup();
    let first = strands.first().map_or("", |first| first.name.as_str());
    let names = match plot {
        // What accuracies are of their names tell.
        Plot::Accuracy => vec![Some(long), Some(brief), None],
        // The name need not stand there twice.
        _ if first == brief && strands.len() > 1 => vec![Some(long), None],
        _ => vec![Some(long), Some(brief)],
    };
    for count in (1..=strands.len()).rev() {
        for name in &names {
            for rest in &rests {
                let line = with(pen, (plot, *name), &strands[..count], (strands.len(), rest), focus);
                if line.width() <= room {
                    return line;
                }
            }
        }
    }
    // The number of the first curve is given up before the name of the chart, which the name of a curve may also be.
    let text = format!("{} {first} …", pen.screen.glyphs.words(brief));
    let text = if text.width() + 2 <= room { text } else { brief.to_string() };
    Line::from(heading(pen, &text, focus))
}

fn heading(pen: &Pen, name: &str, focus: Focused) -> Span<'static> {
    let style = match focus {
        Focused::Yes => pen.style(Tone::Accent),
        Focused::No => pen.style(Tone::Title).add_modifier(Modifier::BOLD),
    };
    Span::styled(pen.screen.glyphs.words(format!(" {name} ")).into_owned(), style)
}

/// A title with the first curves of a chart of `all`; a sign says that there are more.
fn with(
    pen: &Pen,
    (plot, name): (Plot, Option<&str>),
    shown: &[Strand],
    (all, rest): (usize, &str),
    focus: Focused,
) -> Line<'static> {
    let mut line = name.map_or_else(|| Line::from(Span::raw(" ")), |name| Line::from(heading(pen, name, focus)));
    if all == 1 {
        line.spans.extend(
            shown.iter().map(|strand| pen.span(Tone::Text, format!("{:>NUMBER$} ", number(plot, strand, reading(pen, strand))))),
        );
    } else {
        let legend: Vec<_> =
            shown.iter().map(|strand| (strand.name.clone(), number(plot, strand, reading(pen, strand)))).collect();
        entries(pen, &legend, focus, &mut line);
        if shown.len() < all {
            line.push_span(pen.span(Tone::Dim, "… "));
        }
    }
    if !rest.is_empty() {
        line.push_span(pen.span(Tone::Dim, format!("{rest} ")));
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
    let extent = screen.extent(pen.state);
    line.push_span(pen.span(Tone::Dim, format!("  x {}, {extent}", screen.charts.x.name())));
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
