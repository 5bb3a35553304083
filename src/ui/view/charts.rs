//! The three charts of the Dash: under which title, and in which unit; and what all charts have in common. How a curve is drawn is
//! [`crate::ui::chart`]'s business, which curves there are is [`crate::ui::plots`]'.

use super::{Focused, Pen, value};
use crate::run::RunState;
use crate::ui::chart::{Curve, Place, Scale, SeriesChart, Unit, in_letters};
use crate::ui::layout::Pane;
use crate::ui::plots::{self, Key, Plot, Strand};
use crate::ui::screen::{Overlays, SMOOTHING, X};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

pub(super) const TONES: [Tone; 3] = [Tone::First, Tone::Second, Tone::Third];
pub(super) const LETTERS: [char; 3] = ['o', 'x', '+'];
/// Of the runs behind: none of the letters above.
const BEHIND: &str = "abcdefghijkmnpqrstuvwyz";

/// The legend in the border: name and newest value, with the curve's letter where there is no colour.
fn title(pen: &Pen, pane: Pane, name: &str, legend: &[(String, String)], rest: &str) -> Line<'static> {
    let mut line = pen.title(pane, name);
    entries(pen, legend, 0, pen.focused(pane), &mut line);
    if !rest.is_empty() {
        line.push_span(pen.span(Tone::Dim, format!("{rest} ")));
    }
    line
}

/// Names and values of curves, in their order, from the `first` of the chart's on.
pub(super) fn entries(pen: &Pen, legend: &[(String, String)], first: usize, focus: Focused, line: &mut Line<'static>) {
    let letters = in_letters(pen.screen.palette, pen.screen.glyphs);
    let (dash, rule) = match focus {
        Focused::Yes => ("━ ", Tone::Accent),
        Focused::No => ("─ ", Tone::Dim),
    };
    for (i, (name, now)) in (first..).zip(legend) {
        let sign = if letters { format!("{} ", LETTERS[i % 3]) } else { dash.to_string() };
        line.push_span(Span::styled(sign, pen.style(if letters { TONES[i % 3] } else { rule })));
        line.push_span(pen.span(TONES[i % 3], format!("{name} ")));
        // In the plain colour: a number that changes each frame would send its colour each frame.
        line.push_span(pen.span(Tone::Text, format!("{now} ")));
    }
}

/// The first text that fits whole beside name and legend, or none.
fn fitting(pen: &Pen, area: Rect, pane: Pane, name: &str, legend: &[(String, String)], texts: &[String]) -> String {
    let used = title(pen, pane, name, legend, "").width() + 3;
    texts.iter().find(|text| used + text.chars().count() <= usize::from(area.width)).cloned().unwrap_or_default()
}

/// The runs behind this one, and their letters.
pub(super) fn behind<'a>(pen: &Pen<'a>) -> impl Iterator<Item = (char, &'a RunState)> {
    let shown = match pen.screen.charts.overlays {
        Overlays::Shown => pen.screen.runs.overlays.as_slice(),
        Overlays::Hidden => &[],
    };
    BEHIND.chars().zip(shown.iter().map(AsRef::as_ref))
}

/// As legends name a run.
pub(super) fn run_name(run: &RunState) -> &str {
    run.started.as_ref().map_or("another run", |s| s.run.as_str())
}

/// What a curve stands at: at the crosshair, if there is one, else now. `None` where it has no value yet.
pub(super) fn reading(pen: &Pen, strand: &Strand) -> Option<f64> {
    let point = match pen.screen.cursor {
        Some(step) => strand.series.as_of(step + 1),
        None => strand.series.last(),
    };
    point.map(|p| f64::from(p.mean) * strand.factor)
}

/// As legends write it. In percent a tenth is all that a probe can tell.
pub(super) fn written(strand: &Strand, reading: Option<f64>) -> String {
    match (reading, strand.key) {
        // Nothing yet is not the same as a loss that is not a number.
        (None, _) => "--".into(),
        (Some(v), Key::Natural | Key::Adversarial) => format!("{v:4.1}"),
        (Some(v), Key::Term(_) | Key::Track(_)) => value(v),
    }
}

/// Those of other runs first, so that this one's lie above them.
pub(super) fn curves<'a>(pen: &Pen<'a>, plot: Plot) -> Vec<Curve<'a>> {
    let x = pen.screen.charts.x;
    let own = plot.strands(pen.state);
    let curve = |strand: Strand<'a>, state: &'a RunState, (letter, tone): (char, Tone), place: Place| Curve {
        series: strand.series,
        factor: strand.factor,
        offset: strand.offset,
        tone,
        letter,
        place,
        ruler: x.ruler(state, pen.state),
        shape: strand.shape,
    };
    let mut curves = Vec::new();
    for (letter, other) in behind(pen) {
        let known = |strand: &Strand| own.iter().any(|o| o.key == strand.key);
        let theirs = plot.strands(other).into_iter().filter(known);
        curves.extend(theirs.map(|strand| curve(strand, other, (letter, Tone::Dim), Place::Behind)));
    }
    let looks = LETTERS.into_iter().zip(TONES).cycle();
    curves.extend(own.into_iter().zip(looks).map(|(strand, look)| curve(strand, pen.state, look, Place::Front)));
    curves
}

pub(super) fn chart<'a>(pen: &'a Pen, curves: &'a [Curve<'a>], plot: Plot) -> SeriesChart<'a> {
    let (from, to) = pen.screen.view(pen.state);
    SeriesChart {
        curves,
        from,
        to,
        ruler: pen.screen.ruler(pen.state),
        scale: pen.screen.charts.scale(plot),
        bounds: plot.bounds(),
        smoothing: SMOOTHING[pen.screen.smoothing],
        band: pen.screen.charts.band,
        markers: &pen.state.markers,
        references: &[],
        cursor: pen.screen.cursor,
        unit: pen.screen.charts.x.unit(pen.state),
    }
}

/// How a chart is drawn other than usual: `log, 12 not positive`, `log 12 out`.
pub(super) fn how(chart: &SeriesChart) -> [String; 2] {
    let (mut full, mut short) = (Vec::new(), Vec::new());
    if chart.scale == Scale::Log {
        let out = chart.left_out();
        full.push(if out == 0 { "log".to_string() } else { format!("log, {out} not positive") });
        short.push(if out == 0 { "log".to_string() } else { format!("log {out} out") });
    }
    if chart.smoothing > 0.0 {
        full.push(format!("smooth {}", chart.smoothing));
        short.push(format!("~{}", chart.smoothing));
    }
    [full.join(" "), short.join(" ")]
}

fn legend(pen: &Pen, plot: Plot) -> Vec<(String, String)> {
    plot.strands(pen.state).iter().map(|strand| (strand.name.clone(), written(strand, reading(pen, strand)))).collect()
}

pub(super) fn loss(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let legend = legend(pen, Plot::Loss);
    let curves = curves(pen, Plot::Loss);
    let chart = chart(pen, &curves, Plot::Loss);
    let [full, short] = how(&chart);
    let lifted = plots::lift(pen.state) > 0.0;
    let lift = |text: &str, how: &str| if lifted { format!("{text} {how}").trim_end().to_string() } else { how.to_string() };
    let others: Vec<_> = behind(pen).map(|(letter, other)| format!("{letter} {}", run_name(other))).collect();
    let others = others.join("  ");
    let all = [lift("rep, total drawn +1", &full), lift("drawn +1", &full), lift("+1", &full), full.clone(), short];
    // Who is behind is worth more than how it is said that the curves are lifted.
    let named = all.iter().filter(|_| !others.is_empty()).map(|text| format!("{text}  {others}").trim_start().to_string());
    let texts: Vec<_> = named.chain(all.iter().cloned()).collect();
    let rest = fitting(pen, area, Pane::Loss, "Loss", &legend, &texts);
    let title = title(pen, Pane::Loss, "Loss", &legend, &rest);
    let inner = pen.frame(area, title, pen.focused(Pane::Loss), buffer);
    chart.render(inner, buffer, pen.screen.palette, pen.screen.glyphs);
}

/// The teacher's accuracies, as dotted lines.
pub(super) fn references(pen: &Pen) -> Vec<(f64, Tone)> {
    let teacher = pen.state.teacher();
    teacher.iter().flat_map(|t| [(100.0 * t.natural, Tone::First), (100.0 * t.adversarial, Tone::Second)]).collect()
}

pub(super) fn accuracy(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let legend = legend(pen, Plot::Accuracy);
    let curves = curves(pen, Plot::Accuracy);
    let references = references(pen);
    let mut chart = chart(pen, &curves, Plot::Accuracy);
    chart.references = &references;
    if pen.screen.charts.x == X::Step {
        // Probes come by the epoch.
        chart.unit = Unit::Epoch(pen.state.started.as_ref().map_or(1, |s| s.plan.steps_per_epoch));
    }
    let name = if area.width < 60 { "Acc %" } else { "Accuracy %" };
    let [full, short] = how(&chart);
    let mut texts = vec![full, short];
    if let Some(teacher) = pen.state.teacher() {
        let (natural, adversarial) = (100.0 * teacher.natural, 100.0 * teacher.adversarial);
        let more = [
            format!("╌ teacher {natural:.1} {adversarial:.1}"),
            format!("╌ teacher {natural:.0} {adversarial:.0}"),
            format!("╌ {natural:.0} {adversarial:.0}"),
            "╌ teacher".to_string(),
        ];
        let how = texts.clone();
        texts = more.iter().map(|text| format!("{text} {}", how[1]).trim_end().to_string()).collect();
        texts.extend(how);
    }
    let rest = fitting(pen, area, Pane::Accuracy, name, &legend, &texts);
    let title = title(pen, Pane::Accuracy, name, &legend, &rest);
    let inner = pen.frame(area, title, pen.focused(Pane::Accuracy), buffer);
    chart.render(inner, buffer, pen.screen.palette, pen.screen.glyphs);
}

/// The cosine where representations are matched, else how well the batches themselves are classified.
pub(super) fn third(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let plot = plots::third(pen.state);
    let legend: Vec<_> =
        legend(pen, plot).into_iter().map(|(name, now)| (name, if now == "NaN" { "--".into() } else { now })).collect();
    let curves = curves(pen, plot);
    let chart = chart(pen, &curves, plot);
    let [full, short] = plot.names();
    let whole = title(pen, Pane::Third, full, &legend, "").width() + 2 <= usize::from(area.width);
    let name = if whole { full } else { short };
    // What is smoothed the loss says.
    let texts = if chart.scale == Scale::Log { how(&chart) } else { Default::default() };
    let rest = fitting(pen, area, Pane::Third, name, &legend, &texts);
    let title = title(pen, Pane::Third, name, &legend, &rest);
    let inner = pen.frame(area, title, pen.focused(Pane::Third), buffer);
    chart.render(inner, buffer, pen.screen.palette, pen.screen.glyphs);
}
