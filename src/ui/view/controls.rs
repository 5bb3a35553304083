//! The Controls pane: what is in force, what is proposed, and what is on its way. Three different things, told apart in words.

use super::{Pen, line_at, lines_at, value};
use crate::config::Schedule;
use crate::protocol::Dial;
use crate::protocol::event::Term;
use crate::run::session::Access;
use crate::ui::brush::wrap;
use crate::ui::keymap::{Intent, Scope};
use crate::ui::layout::Pane;
use crate::ui::screen::{Trains, is_over};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let inner = pen.frame(area, pen.title(Pane::Controls, "Controls"), pen.focused(Pane::Controls), buffer);
    let Some((started, controls)) = pen.state.started.as_ref().zip(pen.state.controls) else {
        let doing = if pen.screen.preparing.is_empty() { "waiting for the run" } else { &pen.screen.preparing };
        let lines: Vec<Line> =
            wrap(doing, usize::from(inner.width)).into_iter().map(|text| Line::from(pen.span(Tone::Dim, text))).collect();
        lines_at(inner, &lines, buffer);
        return;
    };
    let mut lines = Vec::with_capacity(12);
    // Where not all fit: those around the chosen one, and always the line that says what became of a proposal.
    let dials = &started.dials;
    let room = usize::from(inner.height).saturating_sub(1).clamp(1, dials.len().max(1));
    let first = (pen.screen.dial + 1).saturating_sub(room).min(dials.len().saturating_sub(room));
    for (i, &dial) in dials.iter().enumerate().skip(first).take(room) {
        let mut line = row(pen, i, dial, controls.value(dial), inner.width);
        let more = (i == first && first > 0) || (i + 1 == first + room && i + 1 < dials.len());
        if more && let Some(sign) = line.spans.first_mut() {
            sign.content = sign.content.replacen(' ', "…", usize::from(sign.content.starts_with(' '))).into();
        }
        lines.push(line);
    }
    lines.push(proposal(pen, dials));
    let fact = |text: String| Line::from(pen.span(Tone::Dim, text));
    let latest = |term| value(pen.state.latest(term).0);
    let has = |term| pen.state.series.contains_key(&term);
    if has(Term::CrossEntropy) {
        let second = if has(Term::Cosine) {
            format!("  cos {}", latest(Term::Cosine))
        } else if has(Term::TrainAccuracy) {
            format!("  acc {:.1}%", 100.0 * pen.state.latest(Term::TrainAccuracy).0)
        } else {
            String::new()
        };
        lines.push(Line::from(pen.span(Tone::Text, format!("ce {}{second}", latest(Term::CrossEntropy)))));
    }
    let config = &started.config;
    let schedule = match &config.train.schedule {
        Schedule::Constant => "constant",
        Schedule::Cosine { .. } => "cosine",
        Schedule::OneCycle { .. } => "one-cycle",
        Schedule::Multistep { .. } => "multistep",
    };
    let lr = three_digits(pen.state.lr);
    let whole = format!("lr {lr} of {} {schedule}", Dial::LrScale.show(config.train.lr));
    let lr = if whole.len() <= usize::from(inner.width) { whole } else { format!("lr {lr} {schedule}") };
    lines.push(Line::from(pen.span(Tone::Text, lr)));
    if let Some(pull) = super::pull::one_line(pen, inner.width) {
        lines.push(pull);
    }
    lines.push(fact(format!("{}  batch {}", config.method.describe(), config.train.batch)));
    lines.push(fact(format!("{} {}", controls.norm, started.student.name)));
    lines_at(inner, &lines, buffer);
}

fn row(pen: &Pen, index: usize, dial: Dial, present: f64, width: u16) -> Line<'static> {
    let chosen = index == pen.screen.dial && pen.screen.focus == Pane::Controls;
    let sign = if chosen { "▸" } else { " " };
    let symbol = pen.screen.glyphs.words(dial.symbol()).into_owned();
    let room = usize::from(width);
    let (now, tone) = match pen.screen.pending.get(&dial) {
        None => (dial.show(present), if chosen { Tone::Title } else { Tone::Text }),
        Some(p) => (format!("{}→{}", dial.show(present), dial.show(p.value)), Tone::Accent),
    };
    let now = pen.screen.glyphs.words(now).into_owned();
    let fits = |name: &str| name.chars().count() + now.chars().count() + 2 <= room;
    let [full, short] = pen.meanings(dial).map(|meaning| format!("{sign}{symbol:<2} {meaning}"));
    let mut name = if fits(&full) { full.clone() } else { short.clone() };
    // What is to come stands in the place of what the dial is about, where there is not room for both.
    let coming = coming(pen, dial);
    let mut after = String::new();
    let places = [full, short, format!("{sign}{symbol:<2}")];
    let found = coming.iter().find_map(|text| Some((places.iter().find(|place| fits(&format!("{place} {text}")))?, text)));
    if let Some((place, text)) = found {
        (name, after) = (place.clone(), format!(" {text}"));
    } else if !fits(&name) {
        name = format!("{sign}{symbol}");
    }
    let gap = room.saturating_sub(name.chars().count() + after.chars().count() + now.chars().count() + 1).max(1);
    let style = if chosen { pen.style(Tone::Title) } else { pen.style(Tone::Text) };
    let mut line = Line::default();
    if after.is_empty() {
        line.push_span(ratatui::text::Span::styled(format!("{name}{}", " ".repeat(gap)), style));
    } else {
        line.push_span(ratatui::text::Span::styled(name, style));
        line.push_span(ratatui::text::Span::styled(format!("{after}{}", " ".repeat(gap)), pen.style(Tone::Dim)));
    }
    line.push_span(ratatui::text::Span::styled(now, pen.style(tone)));
    line
}

/// What is scheduled for a dial next, from long to short; nothing where nothing is.
fn coming(pen: &Pen, dial: Dial) -> Vec<String> {
    let mut all = pen.state.scheduled.iter().filter(|timed| timed.dial == dial);
    let Some(next) = all.clone().min_by_key(|timed| timed.at) else { return Vec::new() };
    let more = if all.nth(1).is_some() { "+" } else { "" };
    let (to, end) = (dial.show(next.to), next.ends());
    // On a ramp the end is what is waited for.
    let at = if next.over > 0 { format!("by {end}") } else { format!("@{}", next.at) };
    [format!("↷ {to} {at}{more}"), format!("↷{to} {at}{more}"), format!("↷ {at}{more}"), "↷".to_string()]
        .map(|text| pen.screen.glyphs.words(text).into_owned())
        .into()
}

/// What became of the proposals: one line under the dials, always there, so that nothing moves.
fn proposal(pen: &Pen, dials: &[Dial]) -> Line<'static> {
    let chosen = dials.get(pen.screen.dial).and_then(|d| pen.screen.pending.get(d));
    let pending = chosen.or_else(|| pen.screen.pending.values().next());
    match pending {
        None if is_over(pen.state) => Line::from(pen.span(Tone::Dim, "as they were at the end")),
        None if pen.screen.access == Access::ReadOnly && pen.screen.may_take => {
            Line::from(pen.span(Tone::Dim, "only looking; :take"))
        }
        None if pen.screen.access == Access::ReadOnly && pen.screen.trains == Trains::Elsewhere => {
            Line::from(pen.span(Tone::Dim, "only looking"))
        }
        None if pen.screen.access == Access::ReadOnly => Line::from(pen.span(Tone::Dim, "as recorded")),
        None => {
            let key = |intent| pen.screen.keymap.key_of(Scope::Controls, intent);
            let (more, less, edit) = (key(Intent::More), key(Intent::Less), key(Intent::Edit));
            Line::from(pen.span(Tone::Dim, format!("{more} {less} nudge  {edit} type")))
        }
        Some(p) if p.sent.is_some() => Line::from(pen.span(Tone::Warn, "… pending: asked, waits")),
        Some(_) => Line::from(pen.span(Tone::Warn, "! not set: Enter / Esc")),
    }
}

/// For screens with no room for the pane.
pub(super) fn one_line(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let Some((started, controls)) = pen.state.started.as_ref().zip(pen.state.controls) else { return };
    let mut line = Line::from(" ");
    for (i, &dial) in started.dials.iter().enumerate() {
        let chosen = i == pen.screen.dial && pen.screen.focus == Pane::Controls;
        let mut text = format!("{}{} {}", if chosen { "▸" } else { "" }, dial.symbol(), dial.show(controls.value(dial)));
        let mut tone = if chosen { Tone::Title } else { Tone::Text };
        if let Some(p) = pen.screen.pending.get(&dial) {
            let how = if p.sent.is_some() { "… pending" } else { "! Enter/Esc" };
            text = format!("{text} → {} {how}", dial.show(p.value));
            tone = Tone::Warn;
        }
        if let Some(coming) = coming(pen, dial).into_iter().nth(1) {
            text = format!("{text} {coming}");
        }
        line.push_span(pen.span(tone, text));
        line.push_span(pen.span(Tone::Text, "  "));
    }
    // The smallest screens have no room for a second chart, and these two are what everything here is about.
    if let Some(probe) = pen.state.probes().next_back() {
        let (natural, adversarial) = (100.0 * probe.natural, 100.0 * probe.adversarial);
        line.push_span(pen.span(Tone::Text, format!("nat {natural:.1} adv {adversarial:.1}  ")));
    }
    let facts = [("ce", Term::CrossEntropy), ("cos", Term::Cosine)];
    for (name, term) in facts.into_iter().filter(|(_, term)| pen.state.series.contains_key(term)) {
        line.push_span(pen.span(Tone::Dim, format!("{name} {}  ", value(pen.state.latest(term).0))));
    }
    line_at(buffer, area.x, area.y, area.width, &line);
}

/// As much of the learning rate as can be read while it moves.
fn three_digits(v: f64) -> String {
    Dial::LrScale.show(format!("{v:.2e}").parse().unwrap_or(v))
}
