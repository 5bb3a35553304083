//! The three charts: which curves, in which unit, under which title. How a curve is drawn is [`crate::ui::chart`]'s business.

use super::{Focused, Pen, value};
use crate::config::Method;
use crate::protocol::event::Term;
use crate::run::Series;
use crate::ui::chart::{Bounds, Curve, Scale, SeriesChart, Unit};
use crate::ui::glyphs::Glyphs;
use crate::ui::layout::Pane;
use crate::ui::screen::SMOOTHING;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

const TONES: [Tone; 3] = [Tone::First, Tone::Second, Tone::Third];
const LETTERS: [&str; 3] = ["o", "x", "+"];

/// The legend in the border: name and newest value, with the curve's letter where there is no colour.
fn title(pen: &Pen, pane: Pane, name: &str, legend: &[(String, String)], rest: &str) -> Line<'static> {
    let mut line = pen.title(pane, name);
    let letters = pen.screen.palette.is_mono() || pen.screen.glyphs == Glyphs::Ascii;
    let dash = if pen.focused(pane) == Focused::Yes { "━ " } else { "─ " };
    let rule = if pen.focused(pane) == Focused::Yes { Tone::Accent } else { Tone::Dim };
    for (i, (name, now)) in legend.iter().enumerate() {
        let sign = if letters { format!("{} ", LETTERS[i % 3]) } else { dash.to_string() };
        line.push_span(Span::styled(sign, pen.style(if letters { TONES[i % 3] } else { rule })));
        line.push_span(pen.span(TONES[i % 3], format!("{name} ")));
        // In the plain colour: a number that changes each frame would send its colour each frame.
        line.push_span(pen.span(Tone::Text, format!("{now} ")));
    }
    if !rest.is_empty() {
        line.push_span(pen.span(Tone::Dim, format!("{rest} ")));
    }
    line
}

/// The first text that fits whole beside name and legend, or none.
fn fitting<const N: usize>(
    pen: &Pen,
    area: Rect,
    pane: Pane,
    name: &str,
    legend: &[(String, String)],
    texts: [String; N],
) -> String {
    let used = title(pen, pane, name, legend, "").width() + 3;
    texts.into_iter().find(|text| used + text.chars().count() <= usize::from(area.width)).unwrap_or_default()
}

fn chart<'a>(pen: &'a Pen, curves: &'a [Curve<'a>]) -> SeriesChart<'a> {
    let (from, to) = pen.screen.view(pen.state);
    SeriesChart {
        curves,
        from,
        to,
        scale: Scale::Linear,
        bounds: Bounds::Nice,
        smoothing: 0.0,
        markers: &pen.state.markers,
        references: &[],
        cursor: pen.screen.cursor,
        unit: Unit::Step,
    }
}

pub(super) fn loss(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let has = |term: Term| pen.state.series.contains_key(&term);
    let matched = has(Term::Representation);
    // Minus a cosine lies between -1 and 0, a small lambda * CE just above 0: on one axis neither would show its course. Drawn
    // 1 higher, all three fall towards 0, the sum stays the sum, and a logarithmic axis can show them.
    let lifted = if matched { 1.0 } else { 0.0 };
    let parts = [
        Term::Representation,
        Term::Distance,
        Term::Distillation,
        Term::CleanDistillation,
        Term::Divergence,
        Term::WeightedCrossEntropy,
        Term::CrossEntropy,
    ];
    let weighted = has(Term::WeightedCrossEntropy);
    let mut terms: Vec<(Term, &str, f64)> = parts
        .into_iter()
        .filter(|&term| has(term) && !(weighted && term == Term::CrossEntropy))
        .map(|term| (term, term.name(), if term == Term::Representation { lifted } else { 0.0 }))
        .collect();
    match terms.as_slice() {
        // Without a second term they are one curve.
        [(Term::CrossEntropy, ..)] => terms = vec![(Term::Total, "total = ce", 0.0)],
        _ => terms.push((Term::Total, "total", lifted)),
    }
    let newest = |term| {
        // Nothing yet is not the same as a loss that is not a number.
        if pen.state.series.contains_key(&term) { value(pen.state.latest(term).0) } else { "--".into() }
    };
    let legend: Vec<_> = terms.iter().map(|(term, name, _)| ((*name).to_string(), newest(*term))).collect();
    let nothing = Series::default();
    let curves: Vec<_> = terms
        .iter()
        .zip(TONES)
        .map(|(&(term, _, offset), tone)| Curve {
            series: pen.state.series.get(&term).unwrap_or(&nothing),
            factor: 1.0,
            offset,
            tone,
        })
        .collect();
    let smoothing = SMOOTHING[pen.screen.smoothing];
    let mut how = Vec::new();
    if pen.screen.scale == Scale::Log {
        how.push("log".to_string());
    }
    if smoothing > 0.0 {
        how.push(format!("smooth {smoothing}"));
    }
    let how = how.join(" ");
    let lift = |text: &str| if matched { format!("{text} {how}").trim_end().to_string() } else { how.clone() };
    let rest =
        fitting(pen, area, Pane::Loss, "Loss", &legend, [lift("rep, total drawn +1"), lift("drawn +1"), lift("+1"), how.clone()]);
    let title = title(pen, Pane::Loss, "Loss", &legend, &rest);
    let inner = pen.frame(area, title, pen.focused(Pane::Loss), buffer);
    let mut chart = chart(pen, &curves);
    chart.scale = pen.screen.scale;
    chart.bounds = Bounds::Robust;
    chart.smoothing = smoothing;
    chart.render(inner, buffer, pen.screen.palette, pen.screen.glyphs);
}

pub(super) fn accuracy(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let last = pen.state.probes().next_back();
    let first_eps = pen.state.started.as_ref().map(|s| s.config.threat.eps);
    let attack = last.map_or_else(
        || "adv".to_string(),
        // The radius only where it is not the one of the config: what was probed before a change does not compare with this.
        |e| if Some(e.attack.eps) == first_eps { e.attack.short() } else { format!("{} ε {}", e.attack.short(), e.attack.eps) },
    );
    let newest = |series: &Series| series.last().map_or_else(|| "--".into(), |p| format!("{:4.1}", 100.0 * f64::from(p.mean)));
    let legend = [("nat".to_string(), newest(&pen.state.natural)), (attack, newest(&pen.state.adversarial))];
    let teacher = pen.state.teacher();
    let name = if area.width < 60 { "Acc %" } else { "Accuracy %" };
    let rest = teacher.map_or_else(String::new, |teacher| {
        let (natural, adversarial) = (100.0 * teacher.natural, 100.0 * teacher.adversarial);
        let texts = [
            format!("╌ teacher {natural:.1} {adversarial:.1}"),
            format!("╌ teacher {natural:.0} {adversarial:.0}"),
            format!("╌ {natural:.0} {adversarial:.0}"),
            "╌ teacher".to_string(),
        ];
        fitting(pen, area, Pane::Accuracy, name, &legend, texts)
    });
    let title = title(pen, Pane::Accuracy, name, &legend, &rest);
    let inner = pen.frame(area, title, pen.focused(Pane::Accuracy), buffer);
    let curves = [
        Curve { series: &pen.state.natural, factor: 100.0, offset: 0.0, tone: Tone::First },
        Curve { series: &pen.state.adversarial, factor: 100.0, offset: 0.0, tone: Tone::Second },
    ];
    let references: Vec<_> =
        teacher.iter().flat_map(|t| [(100.0 * t.natural, Tone::First), (100.0 * t.adversarial, Tone::Second)]).collect();
    let mut chart = chart(pen, &curves);
    chart.bounds = Bounds::AtLeast(0.0, 100.0);
    chart.references = &references;
    chart.unit = Unit::Epoch(pen.state.started.as_ref().map_or(1, |s| s.plan.steps_per_epoch));
    chart.render(inner, buffer, pen.screen.palette, pen.screen.glyphs);
}

/// The cosine where representations are matched, else how well the batches themselves are classified.
pub(super) fn third(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let matches = pen.state.started.as_ref().is_none_or(|s| matches!(s.config.method, Method::Rrm(_)));
    let (term, name, short, factor, top) = if matches {
        (Term::Cosine, "cos(student,teacher)", "cos", 1.0, 1.0)
    } else {
        (Term::TrainAccuracy, "Train accuracy %", "batch", 100.0, 100.0)
    };
    let now = pen.state.latest(term).0 * factor;
    let now = if now.is_finite() { value(now) } else { "--".into() };
    let smoothing = SMOOTHING[pen.screen.smoothing];
    let title = title(pen, Pane::Third, name, &[(short.to_string(), now)], "");
    let inner = pen.frame(area, title, pen.focused(Pane::Third), buffer);
    let nothing = Series::default();
    let curves = [Curve { series: pen.state.series.get(&term).unwrap_or(&nothing), factor, offset: 0.0, tone: Tone::First }];
    let mut chart = chart(pen, &curves);
    chart.bounds = Bounds::AtLeast(0.0, top);
    chart.smoothing = smoothing;
    chart.render(inner, buffer, pen.screen.palette, pen.screen.glyphs);
}
