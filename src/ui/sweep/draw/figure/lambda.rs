//! Natural and adversarial accuracy against lambda: means over the seeds so far, each seed a small letter, lambda 0 in a place of its own.

use super::super::super::points::{Measure, Point, points, varied};
use super::super::Sheet;
use super::{NO_NUMBER, framed, legend, measured, missing};
use crate::protocol::Dial;
use crate::run::listing::harmless;
use crate::run::shelf::whatif::{self, Steered};
use crate::sweep::Cell;
use crate::ui::brush::{line_at, percent};
use crate::ui::theme::Tone;
use crate::ui::trade::TradeChart;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const LAMBDA: &[&str] = &["lambda"];

/// What the grid varies beside lambda: points that agree in it lie on one curve.
fn curve(cell: &Cell) -> (&str, Vec<&(String, String)>) {
    let others = cell.vary.iter().filter(|(key, _)| key != "lambda" && !key.ends_with(".lambda")).collect();
    (&cell.row, others)
}

fn lambda(cell: &Cell) -> Option<f64> {
    varied(cell, LAMBDA)?.parse().ok().filter(|lambda: &f64| lambda.is_finite() && *lambda >= 0.0)
}

pub(super) fn draw(sheet: &Sheet, area: Rect, buffer: &mut Buffer) {
    let all = points(sheet.board);
    let mut curves: Vec<(&str, Vec<&(String, String)>)> = Vec::new();
    for point in all.iter().filter(|point| lambda(point.cell()).is_some()) {
        let curve = curve(point.cell());
        if !curves.contains(&curve) {
            curves.push(curve);
        }
    }
    // The chosen run's, where it is on one.
    let chosen = sheet.chosen.map(|place| &sheet.board.rows[place].cell);
    let at = chosen.filter(|cell| lambda(cell).is_some()).and_then(|cell| curves.iter().position(|one| *one == curve(cell)));
    let Some(shown) = curves.get(at.unwrap_or(0)) else {
        let inner = framed(sheet, area, "Accuracy % against λ (log):", &[], buffer);
        missing(sheet, inner, "No run of this sweep varies lambda.", buffer);
        return;
    };
    let mine: Vec<&Point> = all.iter().filter(|point| lambda(point.cell()).is_some() && curve(point.cell()) == *shown).collect();
    let name = if curves.len() > 1 {
        let label = mine.first().map_or("", |point| point.cell().label.as_str());
        let words: Vec<&str> = std::iter::once(label).chain(shown.1.iter().map(|(_, value)| value.as_str())).collect();
        format!("Accuracy % against λ (log), {}:", harmless(&words.join(" ")))
    } else {
        "Accuracy % against λ (log):".to_string()
    };
    let Some(measure) = &sheet.measure else {
        let inner = framed(sheet, area, &name, &[], buffer);
        missing(sheet, inner, NO_NUMBER, buffer);
        return;
    };
    let (dots, seeds) = numbers(&mine, measure);
    let inner = framed(sheet, area, &name, &measured(sheet, &format!("{} of {} points", dots.len(), mine.len())), buffer);
    if dots.is_empty() {
        missing(sheet, inner, "No point of this curve has such a number yet.", buffer);
        return;
    }
    let present = chosen.and_then(lambda);
    let mut parts = vec![(Tone::First, "N natural".to_string()), (Tone::Second, "A adversarial".to_string())];
    if !seeds.is_empty() {
        parts.push((Tone::Text, "mean; n a │ seeds".to_string()));
    }
    if let Some(lambda) = present {
        parts.push((Tone::Accent, format!("┊ chosen λ {}", Dial::Lambda.show(lambda))));
    }
    // What has no lambda to stand at: a baseline is read beside the curve.
    for point in all.iter().filter(|point| lambda(point.cell()).is_none()) {
        if let Some(mean) = point.mean(measure) {
            let (natural, adversarial) = (percent(mean.natural.mean), percent(mean.adversarial.mean));
            parts.push((Tone::Dim, format!("{} {natural}/{adversarial}", harmless(&point.name()))));
        }
    }
    let line = legend(sheet, parts, usize::from(inner.width));
    line_at(buffer, inner.x, inner.y, inner.width, &line);
    let chart = TradeChart { points: &dots, steered: &seeds, present };
    let below = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    chart.render(below, buffer, sheet.brush.palette, sheet.brush.glyphs);
}

/// Means by lambda, and single seeds where there are several.
fn numbers(points: &[&Point], measure: &Measure) -> (Vec<whatif::Point>, Vec<Steered>) {
    let mut dots = Vec::new();
    let mut seeds = Vec::new();
    for point in points {
        let (Some(lambda), Some(mean)) = (lambda(point.cell()), point.mean(measure)) else { continue };
        dots.push(whatif::Point { lambda, runs: mean.seeds, natural: mean.natural, adversarial: mean.adversarial });
        if mean.seeds > 1 {
            let one = |pair: crate::sweep::board::Pair| Steered { lambda, natural: pair.natural, adversarial: pair.adversarial };
            seeds.extend(point.numbers(measure).into_iter().map(one));
        }
    }
    // The chart joins them in this order.
    dots.sort_by(|a, b| a.lambda.total_cmp(&b.lambda));
    (dots, seeds)
}
