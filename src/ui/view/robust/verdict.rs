//! The numbers with what the count of images leaves open, how they were made, and every reason not to believe them. While an evaluation
//! runs, how far it has come stands above.

use super::super::{Pen, clock};
use super::{Chosen, chosen, framed, nothing_yet, percent, rolled, which};
use crate::protocol::event::Split;
use crate::protocol::report::{EvaluationProgress, Report, interval};
use crate::ui::brush::wrap;
use crate::ui::glyphs::bar;
use crate::ui::layout::Pane;
use crate::ui::radii::in_form;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// ` 43.5 %  36.8 to 50.4`.
const NUMBERS: usize = 21;

pub(in crate::ui::view) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let shown = chosen(pen);
    let texts = shown.as_ref().map(|shown| which(pen, shown)).unwrap_or_default();
    let inner = framed(pen, area, Pane::Verdict, "Verdict", &texts, buffer);
    let width = usize::from(inner.width).max(1);
    let mut lines = Vec::new();
    if let Some(progress) = &pen.state.examining {
        lines = under_way(pen, progress, width);
        if shown.is_some() {
            lines.push(Line::default());
        }
    } else if shown.is_none() {
        nothing_yet(pen, Pane::Verdict, inner, buffer);
        return;
    }
    if let Some(shown) = &shown {
        numbers(pen, shown, width, &mut lines);
        lines.push(Line::default());
        doubts(pen, shown.report, width, &mut lines);
    }
    rolled(pen, Pane::Verdict, inner, 0, lines, buffer);
}

fn under_way(pen: &Pen, progress: &EvaluationProgress, width: usize) -> Vec<Line<'static>> {
    let stage = (progress.stage.saturating_add(1)).min(progress.stages.max(1));
    let images = format!(" {} of {} images", progress.done, progress.total);
    let share = progress.done as f64 / progress.total.max(1) as f64;
    let text = |tone, text: String| Line::from(pen.span(tone, text));
    let robust = format!("robust so far <= {} % (upper bound)", percent(progress.robust));
    let left =
        progress.left_ms.map_or_else(|| "time left: not known yet".into(), |ms| format!("about {} left", clock(ms / 1000)));
    let mut lines = vec![
        text(Tone::Title, format!("evaluating: {}", progress.doing)),
        Line::from(vec![
            Span::styled(bar(share, width.saturating_sub(images.len() + 1).min(16)), pen.style(Tone::Ok)),
            pen.span(Tone::Text, images),
        ]),
        text(Tone::Text, format!("stage {stage} of {}", progress.stages)),
    ];
    lines.extend(wrap(&robust, width).into_iter().map(|line| text(Tone::Text, line)));
    lines.push(text(Tone::Dim, left));
    lines
}

fn numbers(pen: &Pen, shown: &Chosen, width: usize, lines: &mut Vec<Line<'static>>) {
    let report = shown.report;
    let mut rows = vec![("natural", report.natural, Style::new())];
    rows.extend(report.attacks.iter().map(|a| (a.ensemble.name.as_str(), a.adversarial, Style::new())));
    if report.attacks.len() != 1 {
        rows.push(("worst case", report.worst_case, Style::new()));
    }
    // The one that counts.
    if let Some((.., style)) = rows.last_mut() {
        *style = Style::new().add_modifier(Modifier::BOLD);
    }
    let longest = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
    let room = longest.min(width.saturating_sub(NUMBERS)).max(1);
    for (name, share, style) in rows {
        let (low, high) = interval(share, report.images);
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let name = pen.brush().shortened(&name, room);
        lines.push(Line::from(vec![
            Span::styled(format!("{name:<room$} {:>5} %", percent(share)), style),
            pen.span(Tone::Dim, format!("  {} to {}", percent(low), percent(high))),
        ]));
    }
    let mut fact = |text: String| {
        lines.extend(wrap(&text, width).into_iter().map(|text| Line::from(pen.span(Tone::Text, text))));
    };
    fact(format!("95 % intervals, from {} images", report.images));
    fact(match report.split {
        Split::Train => "training images: not the final number".into(),
        Split::Validation => "validation: not the final number".into(),
        Split::Test => "test images".into(),
    });
    fact(format!("step {}, {}, took {:.1} s", shown.step, report.of.name(), report.seconds));
    let largest = report.attacks.iter().map(|a| a.largest).max_by(f64::total_cmp);
    let spec = report.attacks.iter().flat_map(|a| &a.ensemble.members).next();
    if let (Some(largest), Some(spec)) = (largest, spec) {
        fact(format!("largest {} distance {} of {}", spec.norm, in_form(largest, spec.eps), spec.eps));
    }
}

fn doubts(pen: &Pen, report: &Report, width: usize, lines: &mut Vec<Line<'static>>) {
    for doubt in &report.doubts {
        let saw = format!("! {}: {}", doubt.suspicion.name(), doubt.saw);
        lines.extend(wrap(&saw, width).into_iter().map(|text| Line::from(pen.span(Tone::Warn, text))));
        let suggests = wrap(&doubt.suggests, width.saturating_sub(2).max(1));
        lines.extend(suggests.into_iter().map(|text| Line::from(pen.span(Tone::Text, format!("  {text}")))));
    }
    let names: Vec<_> = report.looked_for.iter().map(|s| s.name()).collect();
    let text = match (report.doubts.is_empty(), names.is_empty()) {
        (_, true) => "doubts were not looked for".to_string(),
        (true, false) => format!("no doubts; looked for {}", names.join(", ")),
        (false, false) => format!("looked for {} things in all", names.len()),
    };
    if report.doubts.is_empty() || !names.is_empty() {
        lines.extend(wrap(&text, width).into_iter().map(|text| Line::from(pen.span(Tone::Dim, text))));
    }
}
