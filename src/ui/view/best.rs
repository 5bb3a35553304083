//! What was reached so far, and in the end the number to quote with everything that makes it reproducible.

use super::{Pen, line_at, lines_at};
use crate::protocol::event::Evaluated;
use crate::run::session::Access;
use crate::ui::brush::wrap;
use crate::ui::layout::Pane;
use crate::ui::screen::is_over;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// `79.4`.
fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// `pgd-20 x1  2000 images`: with norm and radius, the attack.
fn under(test: &Evaluated) -> String {
    format!("{} x{}  {} images", test.attack.short(), test.attack.restarts, test.images)
}

fn radius(test: &Evaluated) -> String {
    format!("{} ε {}", test.attack.norm, test.attack.eps)
}

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let state = pen.state;
    let name = if is_over(state) { "Result" } else { "Best" };
    let inner = pen.frame(area, pen.title(Pane::Best, name), pen.focused(Pane::Best), buffer);
    let text = |text: String| Line::from(pen.span(Tone::Text, text));
    let dim = |text: String| Line::from(pen.span(Tone::Dim, text));
    let mut lines = Vec::with_capacity(12);
    // Words are spelt out where the pane has room for them.
    let room = usize::from(inner.width);
    let fits = |text: &str| text.chars().count() <= room;
    if let Some(test) = state.last_final() {
        let (natural, adversarial) = (percent(test.natural), percent(test.adversarial));
        let whole = format!("TEST natural {natural} adversarial {adversarial} %");
        let accuracies = if fits(&whole) { whole } else { format!("TEST nat {natural} adv {adversarial} %") };
        lines.push(Line::from(pen.span(Tone::Title, accuracies)));
        lines.push(text(under(test)));
        lines.push(text(radius(test)));
        match state.turned().count() {
            0 => {}
            1 => lines.push(Line::from(pen.span(Tone::Warn, "steered: 1 change"))),
            n => lines.push(Line::from(pen.span(Tone::Warn, format!("steered: {n} changes")))),
        }
    } else if is_over(state) {
        lines.push(Line::from(pen.span(Tone::Warn, "ended before its test")));
    }
    let per = state.started.as_ref().map_or(1, |s| s.plan.steps_per_epoch.max(1));
    match &state.best {
        Some(best) => {
            let (attack, share) = (best.attack.short(), percent(best.adversarial));
            let epoch = best.step as f64 / per as f64;
            let whole = format!("best {attack} on validation {share} @ epoch {epoch:.1}");
            lines.push(text(if fits(&whole) { whole } else { format!("best val {attack} {share} @ep {epoch:.1}") }));
        }
        None => lines.push(dim("no probe yet".into())),
    }
    if let Some(last) = state.probes().next_back() {
        let gap = percent(last.natural - last.adversarial);
        let whole = format!("gap natural - adversarial {gap} points");
        lines.push(text(if fits(&whole) { whole } else { format!("gap nat-adv {gap}") }));
    }
    if let Some((at, saved)) = &state.saved {
        if is_over(state) {
            lines.push(text(format!("saved step {}", saved.step)));
        } else {
            let now = if pen.screen.access == Access::Steer { pen.screen.now_ms } else { state.last_at_ms };
            let age = now.saturating_sub(*at) / 1000;
            let age = if age < 60 { format!("{} s", age / 10 * 10) } else { format!("{} min", age / 60) };
            lines.push(text(format!("saved step {}, {age} ago", saved.step)));
        }
    }
    if let Some(teacher) = state.teacher() {
        let (natural, adversarial) = (percent(teacher.natural), percent(teacher.adversarial));
        let whole = format!("teacher natural {natural} adversarial {adversarial}");
        lines.push(dim(if fits(&whole) { whole } else { format!("teacher nat {natural} adv {adversarial}") }));
    }
    // Whence the teacher came needs more room than a side bar has: whoever wants to know maximises the pane.
    if let Some(teacher) = state.started.as_ref().and_then(|s| s.teacher.as_ref()).filter(|_| room >= 60) {
        let made = format!("{} from {}: {}", teacher.network.name, teacher.path, teacher.provenance);
        lines.extend(wrap(&made, room).into_iter().map(dim));
    }
    lines_at(inner, &lines, buffer);
}

/// For screens with no room for the pane, once there is nothing left to turn.
pub(super) fn one_line(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let state = pen.state;
    let line = match (state.last_final(), &state.best) {
        (Some(test), _) => {
            let accuracies = format!(" TEST nat {} adv {}  ", percent(test.natural), percent(test.adversarial));
            Line::from(vec![
                pen.span(Tone::Title, accuracies),
                pen.span(
                    Tone::Text,
                    format!("{} {} images", radius(test), under(test).replace("  ", " ").replace(" images", "")),
                ),
            ])
        }
        (None, Some(best)) => {
            let found = format!(" ended before its test; best probe nat {} adv ", percent(best.natural));
            Line::from(pen.span(Tone::Text, format!("{found}{}", percent(best.adversarial))))
        }
        (None, None) => Line::from(pen.span(Tone::Text, " ended before its first probe")),
    };
    line_at(buffer, area.x, area.y, area.width, &line);
}
