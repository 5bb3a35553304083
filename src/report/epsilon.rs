//! Accuracy against epsilon of a sweep's points, where its evaluations measured it: means over seeds.
//!
//! Only curves of one attack on one set of images share a picture; what was measured otherwise is left out and said.

use super::document::Figure;
use super::experiment::Experiment;
use super::plot::COLOURS;
use super::plot::scale::Axis;
use super::plot::xy::{Look, Names, Point as Mark, Series, Spread, Xy};
use super::points::Point;
use super::single;
use super::statistics::Sample;
use super::words;
use crate::config::AttackSpec;
use crate::protocol::event::Split;
use crate::protocol::report::Curve;
use crate::run::comparison::evidence;
use crate::run::evaluations;
use std::fmt::Write;

/// What curves must have in common, the seed set to 0.
type Setting = (AttackSpec, u64, Split);

pub fn figure(experiment: &Experiment, points: &[Point], names: &mut single::Names) -> Option<Figure> {
    let curves: Vec<(&Point, Vec<(Setting, Curve)>)> =
        points.iter().map(|point| (point, of_point(experiment, point))).filter(|(_, curves)| !curves.is_empty()).collect();
    let (attack, images, split) = curves.first()?.1.first()?.0.clone();
    let mut others = 0;
    let mut series = Vec::new();
    for (point, found) in &curves {
        let (same, other): (Vec<_>, Vec<_>) = found.iter().partition(|(setting, _)| *setting == (attack.clone(), images, split));
        others += other.len();
        let Some((_, first)) = same.first() else { continue };
        let marks = first.points.iter().filter_map(|at| {
            let here = same.iter().filter_map(|(_, curve)| curve.points.iter().find(|p| p.eps == at.eps));
            let sample = Sample::of(here.map(|p| p.adversarial))?;
            let y = Spread { middle: sample.mean, low: sample.low, high: sample.high };
            Some(Mark { x: Spread::one(at.eps.0), y, name: None })
        });
        series.push(Series { name: point.name(), colour: series.len(), look: Look::Marked, points: marks.collect() });
    }
    // More lines than colours are a tangle.
    if series.len() > COLOURS {
        return None;
    }
    let plot = Xy {
        title: "Robust accuracy against epsilon".into(),
        x: Axis::linear(format!("epsilon ({})", attack.norm)).holding(0.0).tight(),
        y: Axis::percent(format!("accuracy, %, on {images} {} images", split.name())).holding(0.0),
        series,
        levels: Vec::new(),
        rules: Vec::new(),
        names: Names::Ends,
    };
    let mut caption = format!(
        "{} on {images} {} images, each radius attacked from scratch. Marks are means over seeds, bars go from the lowest to the highest seed.",
        attack.short(),
        split.name()
    );
    if others > 0 {
        let _ = write!(caption, " {} with another attack or other images left out.", words::count(others, "curve"));
    }
    Some(Figure { name: names.take("epsilon"), caption, drawing: plot.draw("Robust accuracy against epsilon") })
}

/// Of each of its completed runs the newest curve of its newest weights.
fn of_point(experiment: &Experiment, point: &Point) -> Vec<(Setting, Curve)> {
    let newest = |(cell, row): &(&crate::sweep::Cell, &crate::run::comparison::Row)| {
        let found = evidence::gather(&evaluations::within(&experiment.run_folder(cell))).found;
        let (own, _) = evidence::by_whose(found);
        let last = row.run.summary.test.as_ref().map(|test| test.step);
        let (split, curve) =
            evidence::newest(own, last).found.into_iter().rev().find_map(|f| Some((f.report.split, f.report.curve?)))?;
        let attack = AttackSpec { seed: 0, ..curve.attack.clone() };
        Some(((attack, curve.images, split), curve))
    };
    point.done.iter().filter_map(newest).collect()
}
