//! What a sweep at equal time says, in sentences: which of two is better by which number, or that it cannot be told.

use super::points::Point;
use super::sets::OneSet;
use super::statistics::{Held, Sample, Verdict, held};
use super::words::{minutes, percent, points as apart};
use crate::sweep::Role;
use crate::sweep::plan::Count;

/// Times that differ by more than this share of the longer are no equal times.
const SAME_TIME: f64 = 0.05;

/// A sentence for each number of each point that was given another's time, beside each of those.
pub fn at_equal_time(sets: &[OneSet], points: &[Point]) -> Vec<String> {
    let mut said = Vec::new();
    for point in points.iter().filter(|point| point.role() == Role::Student) {
        let Some(budget) = &point.first().budget else { continue };
        let others: Vec<&Point> =
            points.iter().filter(|other| other.first().row == budget.of && other.role() == Role::Student).collect();
        // Where both were varied alike, like stands beside like.
        let alike: Vec<&Point> = others.iter().filter(|other| other.first().vary == point.first().vary).copied().collect();
        for other in if alike.is_empty() { others } else { alike } {
            let pair = Pair { first: point, second: other };
            said.push(pair.times(budget.count));
            for set in sets {
                let images = set.count;
                for (place, name) in &set.attacks {
                    let number = Number { name, better: "more robust", images };
                    said.extend(pair.by(point.adversarial(*place).as_ref(), other.adversarial(*place).as_ref(), &number));
                }
                let number = Number { name: "natural", better: "more accurate on unchanged images", images };
                said.extend(pair.by(point.natural(set.natural).as_ref(), other.natural(set.natural).as_ref(), &number));
            }
        }
    }
    said
}

struct Pair<'a> {
    first: &'a Point<'a>,
    second: &'a Point<'a>,
}

struct Number<'a> {
    name: &'a str,
    better: &'a str,
    images: u64,
}

impl Pair<'_> {
    fn times(&self, count: Count) -> String {
        let (first, second) = (self.first.name(), self.second.name());
        let (whose, given) = match count {
            Count::Student => ("training time", self.second.training()),
            Count::WithTeacher => ("training time, its teacher's included,", self.second.with_teacher()),
        };
        let took =
            |sample: Option<Sample>| sample.map_or_else(|| "an unknown time".into(), |s| format!("{} min", minutes(s.mean)));
        let own = self.first.training();
        let unequal = match (&own, &given) {
            (Some(own), Some(given)) => (own.mean - given.mean).abs() > SAME_TIME * own.mean.max(given.mean),
            (None, _) | (_, None) => false,
        };
        let remark = if unequal { "; these are not equal times, which speaks for whichever had more" } else { "" };
        format!("{first} was given the {whose} of {second}: {} and {}{remark}.", took(own), took(given))
    }

    fn by(&self, first: Option<&Sample>, second: Option<&Sample>, number: &Number) -> Option<String> {
        let &Number { name, better, images } = number;
        let (one, other) = (self.first.name(), self.second.name());
        let (Some(a), Some(b)) = (first, second) else {
            return (first.is_some() || second.is_some()).then(|| {
                let lacking = if first.is_none() { one } else { other };
                format!("{name} on {images} images: {lacking} was not measured, so nothing can be said.")
            });
        };
        let Held { difference, verdict } = held(a, b, images);
        let points = apart(difference);
        let seeds = if a.n == b.n { format!("{} seeds each", a.n) } else { format!("{} and {} seeds", a.n, b.n) };
        let means = |x: &Sample, y: &Sample| format!("{} against {} %", percent(x.mean), percent(y.mean));
        Some(match verdict {
            Verdict::ToldApart { spread } => {
                let (ahead, behind, a, b) = if difference > 0.0 { (one, other, a, b) } else { (other, one, b, a) };
                format!(
                    "{ahead} is {better} than {behind} by {points} points ({name}, {images} images, {}, {seeds}, spread of runs {}).",
                    means(a, b),
                    apart(spread)
                )
            }
            Verdict::WithinSpread { spread } => format!(
                "By {name} it cannot be told which of {one} and {other} is {better}: {points} points apart ({}, {images} images), while runs spread by {} ({seeds}).",
                means(a, b),
                apart(spread)
            ),
            Verdict::WithinImages { open } => format!(
                "By {name} it cannot be told which of {one} and {other} is {better}: {points} points apart ({}), and {images} images leave {} open.",
                means(a, b),
                apart(open)
            ),
            Verdict::UnknownSpread => format!(
                "By {name} it cannot be told which of {one} and {other} is {better}: {points} points apart ({}, {images} images), but with one seed nobody knows \
                 how far runs spread.",
                means(a, b)
            ),
        })
    }
}
