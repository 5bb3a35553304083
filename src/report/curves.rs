//! The plots of one run: what was minimised, how accuracy went, and how it falls with epsilon.

use super::document::Figure;
use super::history::History;
use super::plot::scale::Axis;
use super::plot::xy::{Level, Look, Names, Point, Rule, Series, Spread, Xy};
use crate::protocol::event::{Purpose, Term, Whose};
use crate::protocol::report::{Curve, interval};
use crate::run;
use std::fmt::Write;

/// Points along a line: more than a picture has pixels for are drawn together, with their range as a band.
const POINTS: usize = 320;

/// A curve against epsilon, and whose it is.
pub struct Measured {
    pub name: String,
    pub curve: Curve,
}

/// Total and its parts, over steps. `None` before anything was reported.
pub fn losses(history: &History, name: String) -> Option<Figure> {
    const TERMS: [Term; 7] = [
        Term::Total,
        Term::WeightedCrossEntropy,
        Term::CrossEntropy,
        Term::Representation,
        Term::Distance,
        Term::Distillation,
        Term::Divergence,
    ];
    let terms = TERMS.into_iter().chain([Term::CleanDistillation]);
    let series: Vec<Series> = terms
        .filter_map(|term| Some((term, history.state.series.get(&term)?)))
        .enumerate()
        .map(|(colour, (term, series))| Series { name: term.name().into(), colour, look: Look::Band, points: thinned(series) })
        .collect();
    if series.iter().all(|series| series.points.is_empty()) {
        return None;
    }
    let names: Vec<String> = series.iter().map(|series| series.name.clone()).collect();
    let plot = Xy {
        title: "What is minimised, and its parts".into(),
        x: Axis::linear("step").holding(0.0).tight(),
        y: Axis::linear("loss"),
        series,
        levels: Vec::new(),
        rules: rules(history),
        names: Names::Ends,
    };
    let says = format!("Loss over steps: {}", names.join(", "));
    Some(Figure {
        name,
        caption: "Lines are means, bands go from the lowest to the highest step in between. Dashed lines upright: what was turned, from that \
                  step on."
            .into(),
        drawing: plot.draw(says),
    })
}

/// Natural and adversarial accuracy of probes, and the final evaluation.
pub fn accuracies(history: &History, name: String) -> Option<Figure> {
    let state = &history.state;
    if state.natural.is_empty() && state.last_final().is_none() {
        return None;
    }
    let line = |name: &str, colour: usize, series: &run::Series| Series {
        name: name.into(),
        colour,
        look: Look::Band,
        points: series
            .points()
            .map(|p| Point { x: Spread::one(f64::from(p.step)), y: Spread::one(f64::from(p.mean)), name: None })
            .collect(),
    };
    let mut series = vec![line("natural", 0, &state.natural), line("adversarial", 1, &state.adversarial)];
    let mut caption = String::new();
    if let Some(probe) = state.probes().next_back() {
        caption = format!(
            "Lines: probes on {} validation images under {} ({} eps {}), for steering and never the number to quote.",
            probe.images,
            probe.attack.short(),
            probe.attack.norm,
            probe.attack.eps
        );
    }
    if let Some(last) = state.last_final() {
        let end = |name: String, colour: usize, share: f64| {
            let (low, high) = interval(share, last.images);
            let y = Spread { middle: share, low, high };
            Series { name, colour, look: Look::Points, points: vec![Point { x: Spread::one(last.step as f64), y, name: None }] }
        };
        series.push(end(format!("natural, {}", last.split.name()), 0, last.natural));
        series.push(end(format!("{}, {}", last.attack.short(), last.split.name()), 1, last.adversarial));
        let _ = write!(
            caption,
            " Marks at the end: the final evaluation, on {} {} images under {}, with 95 % intervals.",
            last.images,
            last.split.name(),
            last.attack.short()
        );
    }
    let teacher = state.evaluations.iter().rev().find(|e| e.of == Whose::Teacher && e.purpose == Purpose::Probe);
    let levels = teacher.map_or_else(Vec::new, |teacher| {
        let level = |name: &str, colour, y| Level { name: name.into(), colour, y };
        vec![level("teacher, natural", 0, teacher.natural), level("teacher, adversarial", 1, teacher.adversarial)]
    });
    let plot = Xy {
        title: "Natural and adversarial accuracy".into(),
        x: Axis::linear("step").holding(0.0).tight(),
        y: Axis::percent("accuracy, %").holding(0.0),
        series,
        levels,
        rules: rules(history),
        names: Names::Ends,
    };
    Some(Figure { name, caption, drawing: plot.draw("Natural and adversarial accuracy over steps") })
}

/// Accuracy against epsilon, wherever that was measured.
pub fn against_epsilon(curves: &[Measured], name: String) -> Option<Figure> {
    if curves.is_empty() {
        return None;
    }
    let point = |curve: &Curve, eps: f64, share: f64| {
        let (low, high) = interval(share, curve.images);
        Point { x: Spread::one(eps), y: Spread { middle: share, low, high }, name: None }
    };
    let series = curves.iter().enumerate().map(|(colour, measured)| Series {
        name: measured.name.clone(),
        colour,
        look: Look::Marked,
        points: measured.curve.points.iter().map(|p| point(&measured.curve, p.eps.0, p.adversarial)).collect(),
    });
    let norm = curves[0].curve.attack.norm;
    let plot = Xy {
        title: "Robust accuracy against epsilon".into(),
        x: Axis::linear(format!("epsilon ({norm})")).holding(0.0).tight(),
        y: Axis::percent("accuracy, %").holding(0.0),
        series: series.collect(),
        levels: Vec::new(),
        rules: Vec::new(),
        names: Names::Ends,
    };
    let of: Vec<String> =
        curves.iter().map(|m| format!("{}: {} on {} images", m.name, m.curve.attack.short(), m.curve.images)).collect();
    let caption = format!("Each radius is attacked from scratch; bars are 95 % intervals. {}.", of.join("; "));
    Some(Figure { name, caption, drawing: plot.draw("Robust accuracy against epsilon") })
}

/// Ranges of points as one, so many that a line keeps its shape.
fn thinned(series: &run::Series) -> Vec<Point> {
    let every = series.len().div_ceil(POINTS).max(1);
    (0..series.len().div_ceil(every))
        .filter_map(|i| {
            let (from, to) = (i * every, ((i + 1) * every).min(series.len()));
            let (range, last) = (series.range(from..to)?, series.get(to - 1)?);
            // Where some steps were not finite there is a hole, not a smaller number.
            let middle = if range.holes > 0 { f64::NAN } else { f64::from(range.mean()) };
            let y = Spread { middle, low: f64::from(range.min), high: f64::from(range.max) };
            Some(Point { x: Spread::one(f64::from(last.step)), y, name: None })
        })
        .collect()
}

/// What was turned, with its note.
fn rules(history: &History) -> Vec<Rule> {
    let name = |marker: &run::state::Marker| match &marker.note {
        Some(note) => format!("{} ({note})", marker.text),
        None => marker.text.clone(),
    };
    history.state.turned().map(|marker| Rule { x: marker.step as f64, name: name(marker) }).collect()
}
