//! Accuracy against epsilon, with the curves of earlier reports behind it: whether robustness came, and at which radii.

use super::super::Pen;
use super::{Chosen, chosen, framed, nothing_yet, say};
use crate::protocol::report::{Curve, Report};
use crate::ui::layout::Pane;
use crate::ui::radii::{Point, RadiiChart};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Earlier curves that are drawn: with more of them none could be followed.
const BEHIND: usize = 3;

fn points(curve: &Curve) -> Vec<Point> {
    let mut points: Vec<_> = curve.points.iter().map(|p| (p.eps.0, 100.0 * p.adversarial)).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// Those before the chosen one, of the same network under the same norm.
fn earlier(pen: &Pen, shown: &Chosen, curve: &Curve) -> Vec<Vec<Point>> {
    let comparable = |report: &&Report| report.of == shown.report.of && report.split == shown.report.split;
    let before = pen.state.reports[..shown.index].iter().rev().map(|(_, report)| report.as_ref()).filter(comparable);
    let curves = before.filter_map(|report| report.curve.as_ref()).filter(|c| c.attack.norm == curve.attack.norm);
    curves.take(BEHIND).map(points).collect()
}

pub(in crate::ui::view) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let shown = chosen(pen);
    let found = shown.as_ref().and_then(|shown| Some((shown, shown.report.curve.as_ref()?)));
    let Some((shown, curve)) = found else {
        let inner = framed(pen, area, Pane::Curve, "Curve", &[], buffer);
        if shown.is_some() {
            say(pen, inner, Tone::Dim, "This report has no curve: press a, and turn curve to yes, to measure one.", buffer);
        } else {
            nothing_yet(pen, Pane::Curve, inner, buffer);
        }
        return;
    };
    let (attack, images, split) = (curve.attack.short(), curve.images, shown.report.split.name());
    let behind = earlier(pen, shown, curve);
    let what = format!("{attack} on {images} {split} images");
    let texts = [
        if behind.is_empty() { what.clone() } else { format!("{what}; behind it {} earlier", behind.len()) },
        what,
        format!("{attack}, {images} {split}"),
        format!("{attack} {images} val"),
        attack,
    ];
    let inner = framed(pen, area, Pane::Curve, "Accuracy %", &texts, buffer);
    let points = points(curve);
    let last = points.last().map_or(0.0, |p| p.0);
    let eps = pen.state.planned_eps().filter(|eps| eps.0 > 0.0).unwrap_or(curve.attack.eps);
    // Twice the radius of training, whatever was measured: so that curves of one run can be laid side by side.
    let to = if eps.0 > 0.0 { 2.0 * eps.0 } else { last };
    RadiiChart { points: &points, behind: &behind, eps, to }.render(inner, buffer, pen.screen.palette, pen.screen.glyphs);
}
