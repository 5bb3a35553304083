//! The three charts of the Dash: under which title, and in which unit; and what all charts have in common. How a curve is drawn is
//! [`crate::ui::chart`]'s business, which curves there are is [`crate::ui::plots`]'.

use super::{Focused, Pen, value};
use crate::protocol::event::Term;
use crate::run::RunState;
use crate::ui::chart::{Curve, Place, Scale, SeriesChart, Unit, in_letters};
use crate::ui::layout::Pane;
use crate::ui::plots::{self, Key, Plot, Strand};
use crate::ui::screen::{Overlays, SMOOTHING, X};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

pub(super) const TONES: [Tone; 4] = [Tone::First, Tone::Second, Tone::Third, Tone::Fourth];
pub(super) const LETTERS: [char; 4] = ['o', 'x', '+', '*'];
/// Of the runs behind: none of the letters above.
const BEHIND: &str = "abcdefghijkmnpqrstuvwyz";

/// The legend in the border: name and newest value, with the curve's letter where there is no colour. From the first curve on as many
/// as there is room for, with a sign where that is not all of them.
fn title(pen: &Pen, area: Rect, pane: Pane, name: &str, legend: &[(String, String)], rest: &str) -> Line<'static> {
    let room = usize::from(area.width.saturating_sub(2));
    let with = |count: usize| {
        let mut line = pen.title(pane, name);
        entries(pen, &legend[..count], pen.focused(pane), &mut line);
        if count < legend.len() {
            line.push_span(pen.span(Tone::Dim, "… "));
        }
        line
    };
    let mut line =
        (1..=legend.len()).rev().map(with).find(|line| line.width() <= room).unwrap_or_else(|| with(legend.len().min(1)));
    if !rest.is_empty() {
        line.push_span(pen.span(Tone::Dim, format!("{rest} ")));
    }
    line
}

/// Names and values of curves, in their order.
pub(super) fn entries(pen: &Pen, legend: &[(String, String)], focus: Focused, line: &mut Line<'static>) {
    let letters = in_letters(pen.screen.palette, pen.screen.glyphs);
    let (dash, rule) = match focus {
        Focused::Yes => ("━ ", Tone::Accent),
        Focused::No => ("─ ", Tone::Dim),
    };
    for (i, (name, now)) in legend.iter().enumerate() {
        let (letter, tone) = (LETTERS[i % LETTERS.len()], TONES[i % TONES.len()]);
        let sign = match letters {
            true => format!("{letter} "),
            // Without a heading there is nothing to set the first curve off from.
            false if i == 0 && line.spans.iter().all(|span| span.content.trim().is_empty()) => String::new(),
            false => dash.to_string(),
        };
        line.push_span(Span::styled(sign, pen.style(if letters { tone } else { rule })));
        line.push_span(pen.span(tone, format!("{name} ")));
        // In the plain colour: a number that changes each frame would send its colour each frame.
        line.push_span(pen.span(Tone::Text, format!("{now} ")));
    }
}

/// The first text that fits whole beside name and legend, or none.
fn fitting(pen: &Pen, area: Rect, pane: Pane, name: &str, legend: &[(String, String)], texts: &[String]) -> String {
    let used = title(pen, area, pane, name, legend, "").width() + 3;
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

/// A run behind this one, and what its curves of a chart stand at where this one stands, or at the crosshair.
pub(super) struct Other {
    pub letter: char,
    pub name: String,
    /// Names of the curves that this run has too, with their values, in the order of the legend.
    pub values: Vec<(String, String)>,
    /// Value of the chart's leading curve.
    pub lead: Option<(String, String)>,
}

pub(super) fn others(pen: &Pen, plot: Plot) -> Vec<Other> {
    let x = pen.screen.charts.x;
    let own = plot.strands(pen.state);
    let ours = pen.screen.ruler(pen.state);
    let here = pen.screen.cursor.unwrap_or(pen.state.step);
    let place = ours.place(here);
    let other = |(letter, run): (char, &RunState)| {
        let step = place.map(|place| x.ruler(run, pen.state).step(place));
        // As this run names them: another method may name its total otherwise.
        let name = |strand: &Strand| own.iter().find(|o| o.key == strand.key).map(|o| o.name.clone());
        let read = |strand: &Strand| {
            let point = strand.series.as_of(step? + 1)?;
            Some(f64::from(point.mean) * strand.factor)
        };
        let strands = plot.strands(run).into_iter();
        let values: Vec<_> = strands.filter_map(|s| Some((s.key, (name(&s)?, number(plot, &s, read(&s)))))).collect();
        let lead = values.iter().find(|(key, _)| plot.lead().is_none_or(|lead| lead == *key)).map(|(_, value)| value.clone());
        let values = values.into_iter().map(|(_, value)| value).collect();
        Other { letter, name: run_name(run).to_string(), values, lead }
    };
    behind(pen).map(other).collect()
}

/// Texts for a title about the runs behind, from full to short; empty where there are none.
pub(super) fn about_others(others: &[Other]) -> Vec<String> {
    if others.is_empty() {
        return Vec::new();
    }
    let several = others.iter().any(|other| other.values.len() > 1);
    let whose =
        |name: bool, other: &Other| if name { format!("{} {}", other.letter, other.name) } else { other.letter.to_string() };
    let all = |name: bool| {
        let values = |other: &Other| other.values.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("/");
        others
            .iter()
            .map(|other| format!("{} {}", whose(name, other), values(other)).trim_end().to_string())
            .collect::<Vec<_>>()
            .join("  ")
    };
    let lead = |name: bool| {
        let value = |other: &Other| other.lead.as_ref().map_or_else(|| "--".to_string(), |(_, value)| value.clone());
        let what = others.iter().find_map(|other| other.lead.as_ref()).map_or("", |(name, _)| name.as_str());
        let texts: Vec<_> = others.iter().map(|other| format!("{} {}", whose(name, other), value(other))).collect();
        format!("{what} {}", texts.join("  "))
    };
    let mut texts = vec![all(true)];
    if several {
        texts.push(lead(true));
        texts.push(lead(false));
    } else {
        texts.push(all(false));
    }
    texts
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

/// A value of a curve as it is written in this chart.
pub(super) fn number(plot: Plot, strand: &Strand, value: Option<f64>) -> String {
    let text = match (plot, value) {
        // A radius is known by how it was typed.
        (Plot::Dial(dial), Some(v)) => dial.show(v),
        (Plot::Busy, Some(v)) => format!("{v:.0}"),
        (Plot::Rate, Some(v)) if v >= 1_000.0 => super::value(v / 1_000.0) + "k",
        _ => written(strand, value),
    };
    text.trim_start().to_string()
}

/// Curves of a chart in drawing order: those of other runs first, so that this run's lie above them, and of these the first of the
/// legend last. It matters most, and is seen where others have the same values. At most `most` curves of each run are drawn.
pub(super) fn curves<'a>(pen: &Pen<'a>, plot: Plot, most: usize) -> Vec<Curve<'a>> {
    let x = pen.screen.charts.x;
    let own: Vec<_> = plot.strands(pen.state).into_iter().take(most).zip(LETTERS.into_iter().zip(TONES).cycle()).collect();
    let one = own.len() == 1;
    let curve = |strand: Strand<'a>, state: &'a RunState, letter: char, (sign, tone): (char, Tone), place: Place| Curve {
        series: strand.series,
        factor: strand.factor,
        offset: strand.offset,
        tone,
        letter,
        // Where there is but one, the letter of the run says all.
        sign: if one { letter } else { sign },
        place,
        ruler: x.ruler(state, pen.state),
        shape: strand.shape,
    };
    let mut curves = Vec::new();
    for (letter, other) in behind(pen) {
        for strand in plot.strands(other).into_iter().rev() {
            if let Some((_, look)) = own.iter().find(|(o, _)| o.key == strand.key) {
                curves.push(curve(strand, other, letter, *look, Place::Behind));
            }
        }
    }
    curves.extend(own.into_iter().rev().map(|(strand, look)| curve(strand, pen.state, look.0, look, Place::Front)));
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

/// Cells that the title of the Loss takes with so many curves, however long their numbers are.
fn width_of(strands: &[Strand]) -> usize {
    const NUMBER: usize = 6;
    let names: usize = strands.iter().map(|strand| strand.name.chars().count() + NUMBER + 4).sum();
    " Loss ".len() + names + "+1 ".len() + 2
}

/// Curves of the Loss that are drawn in a pane of a width: the weighted cross-entropy only where its name and number have room. It is
/// the total without the other part, and the runs behind this one are worth more.
fn drawn(pen: &Pen, area: Rect) -> usize {
    let strands = Plot::Loss.strands(pen.state);
    let weighted = strands.last().is_some_and(|strand| strand.key == Key::Term(Term::WeightedCrossEntropy));
    let whole = width_of(&strands) <= usize::from(area.width) && behind(pen).next().is_none();
    if weighted && !whole { strands.len() - 1 } else { strands.len() }
}

pub(super) fn loss(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let most = drawn(pen, area);
    let mut legend = legend(pen, Plot::Loss);
    legend.truncate(most);
    let curves = curves(pen, Plot::Loss, most);
    let chart = chart(pen, &curves, Plot::Loss);
    let [full, short] = how(&chart);
    let lifted = plots::lift(pen.state) > 0.0;
    let lift = |text: &str, how: &str| if lifted { format!("{text} {how}").trim_end().to_string() } else { how.to_string() };
    let mut others = others(pen, Plot::Loss);
    for other in &mut others {
        other.values.truncate(most);
    }
    let all = [lift("rep and total drawn +1", &full), lift("drawn +1", &full), lift("+1", &full), full.clone(), short];
    // The runs behind are worth more than how it is said that the curves are lifted.
    let named: Vec<_> = about_others(&others)
        .iter()
        .flat_map(|others| all.iter().map(move |text| format!("{text}  {others}").trim_start().to_string()))
        .collect();
    let texts: Vec<_> = named.into_iter().chain(about_others(&others)).chain(all).collect();
    let rest = fitting(pen, area, Pane::Loss, "Loss", &legend, &texts);
    let title = title(pen, area, Pane::Loss, "Loss", &legend, &rest);
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
    let curves = curves(pen, Plot::Accuracy, usize::MAX);
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
    let others = about_others(&others(pen, Plot::Accuracy));
    let with =
        others.iter().flat_map(|others| texts.iter().map(move |text| format!("{text}  {others}").trim_start().to_string()));
    texts = with.chain(others.iter().cloned()).chain(texts.iter().cloned()).collect();
    let rest = fitting(pen, area, Pane::Accuracy, name, &legend, &texts);
    let title = title(pen, area, Pane::Accuracy, name, &legend, &rest);
    let inner = pen.frame(area, title, pen.focused(Pane::Accuracy), buffer);
    chart.render(inner, buffer, pen.screen.palette, pen.screen.glyphs);
}

/// The cosine where representations are matched, else how well the batches themselves are classified.
pub(super) fn third(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let plot = plots::third(pen.state);
    let legend: Vec<_> =
        legend(pen, plot).into_iter().map(|(name, now)| (name, if now == "NaN" { "--".into() } else { now })).collect();
    let curves = curves(pen, plot, usize::MAX);
    let chart = chart(pen, &curves, plot);
    let [full, short] = plot.names();
    let wide = Rect { width: u16::MAX, ..area };
    let whole = title(pen, wide, Pane::Third, full, &legend, "").width() + 2 <= usize::from(area.width);
    let name = if whole { full } else { short };
    // What is smoothed the loss says.
    let [full, short] = if chart.scale == Scale::Log { how(&chart) } else { Default::default() };
    let mut texts = about_others(&others(pen, plot));
    texts.extend([full, short]);
    let rest = fitting(pen, area, Pane::Third, name, &legend, &texts);
    let title = title(pen, area, Pane::Third, name, &legend, &rest);
    let inner = pen.frame(area, title, pen.focused(Pane::Third), buffer);
    chart.render(inner, buffer, pen.screen.palette, pen.screen.glyphs);
}
