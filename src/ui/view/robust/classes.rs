//! Natural and adversarial accuracy class by class, the least robust first: a mean hides a class that does not stand at all.

use super::super::Pen;
use super::{chosen, class, framed, nothing_yet, percent, rolled, say, which, widest};
use crate::protocol::report::ClassReport;
use crate::ui::glyphs::bar;
use crate::ui::layout::Pane;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

pub(in crate::ui::view) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let shown = chosen(pen);
    let mut texts = if shown.is_some() { vec!["worst first".to_string()] } else { vec![] };
    if let Some(shown) = shown.as_ref().filter(|_| pen.screen.maximised.is_some()) {
        texts.splice(..0, which(pen, shown).into_iter().map(|which| format!("worst first, {which}")));
    }
    let inner = framed(pen, area, Pane::Classes, "Classes", &texts, buffer);
    let Some(shown) = shown else {
        nothing_yet(pen, Pane::Classes, inner, buffer);
        return;
    };
    let classes = &shown.report.classes;
    if classes.is_empty() {
        say(pen, inner, Tone::Dim, "This report says nothing of classes.", buffer);
        return;
    }
    let mut order: Vec<_> = classes.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| a.adversarial.total_cmp(&b.adversarial));
    let width = usize::from(inner.width);
    // Numbers, signs and gaps take 17; each bar at least 4.
    let name = widest(classes.iter().map(|c| c.name.as_str())).clamp(5, width.saturating_sub(25).clamp(5, 24));
    let length = (width.saturating_sub(name + 17) / 2).min(40);
    let head = format!("  {:<name$} {:<2$}{3}", "class", "natural %", length + 8, "adversarial %");
    let mut lines = vec![Line::from(pen.span(Tone::Dim, head))];
    lines.extend(
        order
            .iter()
            .enumerate()
            .map(|(rank, (index, found))| row(pen, rank, &class(pen, *index, &found.name, name), found, length)),
    );
    rolled(pen, Pane::Classes, inner, 1, lines, buffer);
}

fn row(pen: &Pen, rank: usize, name: &str, found: &ClassReport, length: usize) -> Line<'static> {
    let (sign, modifier) = if rank == 0 { ("!", Modifier::BOLD) } else { (" ", Modifier::empty()) };
    let text = pen.style(Tone::Text).add_modifier(modifier);
    Line::from(vec![
        pen.span(Tone::Warn, format!("{sign} ")),
        Span::styled(format!("{name} {:>5} ", percent(found.natural)), text),
        Span::styled(bar(found.natural, length), pen.style(Tone::First)),
        Span::styled(format!("  {:>5} ", percent(found.adversarial)), text),
        Span::styled(bar(found.adversarial, length), pen.style(Tone::Second)),
    ])
}
