//! The Log view: what was said, and what happened when. Beside each other where there is room, else one at a time.

use super::{Focused, Pen, line_at};
use crate::run::state::{Level, Marker, MarkerKind};
use crate::ui::brush::wrap;
use crate::ui::layout::Pane;
use crate::ui::screen::{Around, By, Half, Wanted, window};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

/// From here on both halves have room.
const BESIDE: u16 = 110;
/// ` 12:34:56 WARN `
const BEFORE_TEXT: usize = 16;

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let beside = area.width >= BESIDE && pen.screen.maximised != Some(Pane::Events);
    match (beside, pen.screen.events.half) {
        (true, _) => {
            let left = Rect { width: area.width * 3 / 5, ..area };
            log(pen, left, "", buffer);
            marks(pen, Rect { x: area.x + left.width, width: area.width - left.width, ..area }, "", buffer);
        }
        (false, Half::Log) => log(pen, area, &format!("  Tab: {} events", pen.state.markers.len()), buffer),
        (false, Half::Marks) => marks(pen, area, "  Tab: log", buffer),
    }
}

fn framed(pen: &Pen, half: Half, area: Rect, title: &str, buffer: &mut Buffer) -> Rect {
    let focus = if pen.screen.events.half == half { Focused::Yes } else { Focused::No };
    let style = match focus {
        Focused::Yes => pen.style(Tone::Accent),
        Focused::No => pen.style(Tone::Title).add_modifier(Modifier::BOLD),
    };
    let title = pen.screen.glyphs.words(format!(" {title} ")).into_owned();
    pen.frame(area, Line::from(Span::styled(title, style)), focus, buffer)
}

fn log(pen: &Pen, area: Rect, other: &str, buffer: &mut Buffer) {
    let events = &pen.screen.events;
    let shown = events.shown(pen.state);
    let wanted = events.wanted();
    let title = log_title(pen, &wanted, shown.len()) + other;
    let inner = framed(pen, Half::Log, area, &title, buffer);
    let (mut height, width) = (usize::from(inner.height), usize::from(inner.width));
    if let Some(field) = &events.typing
        && height > 1
    {
        height -= 1;
        let (before, after) = field.halves();
        let mut line = Line::from(pen.span(Tone::Accent, format!(" / {before}")));
        line.push_span(Span::styled(after.chars().next().unwrap_or(' ').to_string(), pen.style(Tone::Selected)));
        line.push_span(pen.span(Tone::Accent, after.chars().skip(1).collect::<String>()));
        let help = ["  by:hand level:warn level:error   Enter keeps it, Esc does not", "  by:hand level:warn  Enter Esc"];
        let fits = |help: &&&str| line.width() + help.chars().count() <= width;
        if let Some(help) = help.iter().find(fits) {
            line.push_span(pen.span(Tone::Dim, *help));
        }
        line_at(buffer, inner.x, inner.bottom() - 1, inner.width, &line);
    }
    if shown.is_empty() {
        let text =
            if pen.state.log.is_empty() { " nothing was said yet" } else { " no line is like that; Esc takes the filter away" };
        line_at(buffer, inner.x, inner.y, inner.width, &Line::from(pen.span(Tone::Dim, text)));
        return;
    }
    let chosen = events.line.map(|line| shown.partition_point(|n| *n < line).min(shown.len() - 1));
    let unfolded = chosen.and_then(|at| pen.state.line(shown[at])).map(|line| {
        let rows = wrap(&pen.screen.glyphs.words(events.text(line)), width.saturating_sub(BEFORE_TEXT).max(1));
        if rows.is_empty() { vec![String::new()] } else { rows }
    });
    let tall = unfolded.as_ref().map_or(1, Vec::len);
    let top = window(shown.len(), chosen, shown.partition_point(|n| *n < events.top), height, tall);
    let mut rows: Vec<Line> = Vec::with_capacity(height);
    for (at, &number) in shown.iter().enumerate().skip(top) {
        if rows.len() >= height {
            break;
        }
        let Some(line) = pen.state.line(number) else { continue };
        let (word, tone) = match line.level {
            Level::Info => ("INFO ", Tone::Dim),
            Level::Warn => ("WARN ", Tone::Warn),
            Level::Error => ("FAIL ", Tone::Error),
        };
        let time = time_of_day(line.at_ms, events.ahead_s);
        if let Some(texts) = unfolded.as_ref().filter(|_| chosen == Some(at)) {
            for (i, text) in texts.iter().enumerate() {
                let mut row = if i == 0 {
                    Line::from(vec![pen.span(Tone::Accent, format!("▸{time} ")), pen.span(tone, format!("{word} "))])
                } else {
                    Line::from(" ".repeat(BEFORE_TEXT))
                };
                hits(pen, &wanted, text, Tone::Title, &mut row);
                rows.push(row);
            }
            continue;
        }
        // What libraries say may hold tabs and escapes; a terminal must not act on them.
        let text: String = events.text(line).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut row = Line::from(vec![pen.span(Tone::Dim, format!(" {time} ")), pen.span(tone, format!("{word} "))]);
        hits(pen, &wanted, &pen.screen.glyphs.words(text), Tone::Text, &mut row);
        rows.push(row);
    }
    for (line, y) in rows.iter().take(height).zip(inner.y..inner.bottom()) {
        line_at(buffer, inner.x, y, inner.width, line);
    }
}

fn log_title(pen: &Pen, wanted: &Wanted, shown: usize) -> String {
    let events = &pen.screen.events;
    let all = pen.state.brief_lines().count();
    let mut title = "Log".to_string();
    if events.ahead_s.is_none() {
        title.push_str(" UTC");
    }
    match wanted.least {
        Level::Info => {}
        Level::Warn => title.push_str("  warnings"),
        Level::Error => title.push_str("  failures"),
    }
    if wanted.by == By::Hand {
        title.push_str("  by hand");
    }
    if !wanted.text.is_empty() {
        let text: String = wanted.text.iter().collect();
        title = format!("{title}  /{text}/");
    }
    match (shown == all, events.around) {
        (false, _) => title = format!("{title}  {shown} of {all} lines"),
        (true, Around::Shown) if !wanted.text.is_empty() => title.push_str("  among all lines"),
        (true, Around::Hidden | Around::Shown) => {}
    }
    title.push_str(if events.line.is_some() { "  held: F follows" } else { "  following" });
    title
}

/// A text with the places marked that the filter is in.
fn hits(pen: &Pen, wanted: &Wanted, mut text: &str, tone: Tone, row: &mut Line<'static>) {
    while let Some(found) = wanted.find(text) {
        row.push_span(Span::styled(text[..found.start].to_string(), pen.style(tone)));
        row.push_span(Span::styled(text[found.clone()].to_string(), pen.style(Tone::Marker)));
        text = &text[found.end..];
    }
    row.push_span(Span::styled(text.to_string(), pen.style(tone)));
}

fn marks(pen: &Pen, area: Rect, other: &str, buffer: &mut Buffer) {
    let markers = &pen.state.markers;
    let inner = framed(pen, Half::Marks, area, &format!("Events  {}{other}", markers.len()), buffer);
    let events = &pen.screen.events;
    if markers.is_empty() {
        let text = " nothing was changed, saved by hand or warned of yet";
        line_at(buffer, inner.x, inner.y, inner.width, &Line::from(pen.span(Tone::Dim, text)));
        return;
    }
    let digits = pen.state.plan_steps().to_string().len().max(4);
    // `▸ 1420  20.0 λ person   `
    let before = digits + 19;
    let head = format!(" {:>digits$} {:>5}   by       what", "step", "epoch");
    line_at(buffer, inner.x, inner.y, inner.width, &Line::from(pen.span(Tone::Dim, head)));
    let (height, width) = (usize::from(inner.height).saturating_sub(1), usize::from(inner.width));
    let newest = markers.len() - 1;
    let chosen = events.mark.map_or(newest, |at| at.min(newest));
    let unfolded = wrap(&pen.screen.glyphs.words(what(&markers[chosen])), width.saturating_sub(before).max(1));
    let tall = unfolded.len().max(1);
    let top = match events.mark {
        Some(_) => window(markers.len(), Some(chosen), events.mark_top, height, tall),
        None => window(markers.len(), Some(newest), (markers.len() + tall - 1).saturating_sub(height), height, tall),
    };
    let per = pen.state.started.as_ref().map_or(1, |s| s.plan.steps_per_epoch.max(1));
    let mut rows: Vec<Line> = Vec::with_capacity(height);
    for (at, marker) in markers.iter().enumerate().skip(top) {
        if rows.len() >= height {
            break;
        }
        let epoch = marker.step as f64 / per as f64;
        let by = match marker.kind {
            _ if marker.by_person => "person",
            MarkerKind::Dial(_) => "schedule",
            MarkerKind::Saved | MarkerKind::Warning | MarkerKind::Resumed | MarkerKind::Branched => "rematch",
        };
        let tone = if marker.kind == MarkerKind::Warning { Tone::Warn } else { Tone::Text };
        let mut row = Line::from(vec![
            pen.span(Tone::Accent, if at == chosen { "▸" } else { " " }),
            pen.span(Tone::Text, format!("{:>digits$} {epoch:>5.1} ", marker.step)),
            Span::styled(marker.kind.letter().to_string(), pen.style(Tone::Marker)),
            pen.span(Tone::Dim, format!(" {by:<8} ")),
        ]);
        if at == chosen {
            for (i, text) in unfolded.iter().enumerate() {
                let mut row = if i == 0 { std::mem::take(&mut row) } else { Line::from(" ".repeat(before)) };
                row.push_span(pen.span(Tone::Title, text.clone()));
                rows.push(row);
            }
        } else {
            row.push_span(pen.span(tone, what(marker)));
            rows.push(row);
        }
    }
    for (line, y) in rows.iter().take(height).zip(inner.y + 1..inner.bottom()) {
        line_at(buffer, inner.x, y, inner.width, line);
    }
}

/// What happened, and why where somebody said so.
fn what(marker: &Marker) -> String {
    let text = marker.note.as_ref().map_or_else(|| marker.text.clone(), |note| format!("{} ({note})", marker.text));
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `12:34:56` of the day, here or in UTC.
fn time_of_day(at_ms: u64, ahead_s: Option<i32>) -> String {
    let seconds = (i64::try_from(at_ms / 1000).unwrap_or(0) + i64::from(ahead_s.unwrap_or(0))).rem_euclid(86_400);
    super::clock(seconds as u64)
}
