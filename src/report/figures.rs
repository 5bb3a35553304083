//! The pictures of a sweep, by what its file says that it is about.

use super::document::Figure;
use super::experiment::Experiment;
use super::history;
use super::plot::bars::{self, Bars};
use super::plot::grid::{self, Grid};
use super::plot::scale::Axis;
use super::plot::xy::{Level, Look, Names, Point as Mark, Series, Spread, Xy};
use super::points::{Point, short};
use super::sets::{self, OneSet};
use super::single;
use super::statistics::Sample;
use super::words::{self, minutes};
use crate::config::units;
use crate::run::comparison::Group;
use crate::run::store::RunFolder;
use crate::sweep::{Figure as Kind, Role};
use std::fmt::Write;

/// What every mark with bars is.
const BARS: &str = "Marks are means over seeds, bars go from the lowest to the highest seed.";

/// The columns of accuracies on one set of images, as figures need them.
struct Measures {
    /// Place among the group's columns, and its heading.
    attacks: Vec<(usize, String)>,
    /// The one that decides.
    headline: Option<(usize, String)>,
    /// The natural accuracies on the same images.
    natural: usize,
    /// `200 test images`.
    images: String,
}

fn measures(set: &OneSet, points: &[Point]) -> Measures {
    // Columns stand in the order of their strength, `AutoAttack` last.
    let measured = set.attacks.iter().filter(|(place, _)| having(points, *place) > 0);
    let headline = measured.max_by_key(|(place, _)| (having(points, *place), *place)).cloned();
    Measures { attacks: set.attacks.clone(), natural: set.natural, headline, images: set.images.clone() }
}

/// Students that were measured with a column's attack.
fn having(points: &[Point], place: usize) -> usize {
    points.iter().filter(|point| point.role() == Role::Student && point.adversarial(place).is_some()).count()
}

/// The sets of images of a group's numbers: first the one that the sweep evaluates on, else the one that the most points were measured on.
pub fn sets_of(experiment: &Experiment, group: &Group, points: &[Point]) -> Vec<OneSet> {
    let asked = experiment.plan.evaluate.as_ref();
    let is_asked = |set: &OneSet| {
        let on = &group.images[set.natural];
        asked.is_some_and(|asked| on.split.name() == asked.split && asked.images.is_none_or(|images| images == on.images))
    };
    let most = |set: &OneSet| set.attacks.iter().map(|(place, _)| having(points, *place)).max().unwrap_or(0);
    sets::ordered(sets::of(group), |set| if is_asked(set) && most(set) > 0 { usize::MAX } else { most(set) })
}

/// All on the images of `set`.
pub fn of(experiment: &Experiment, set: &OneSet, points: &[Point], names: &mut single::Names) -> Vec<Figure> {
    let measures = measures(set, points);
    let students: Vec<&Point> = points.iter().filter(|point| point.role() == Role::Student).collect();
    match experiment.plan.figure {
        Kind::Lambda => lambda(&measures, points, &students, names),
        Kind::Grid => {
            let mut figures = grids(experiment, &measures, &students, names);
            figures.extend(power(experiment, &measures, &students, names));
            figures
        }
        Kind::Time => time(&students, names).into_iter().chain(trade(&measures, points, names)).collect(),
        Kind::Budget | Kind::Table => trade(&measures, points, names).into_iter().collect(),
    }
}

fn spread(sample: &Sample) -> Spread {
    Spread { middle: sample.mean, low: sample.low, high: sample.high }
}

/// Accuracies against lambda, a picture for each row of the sweep file.
fn lambda(measures: &Measures, points: &[Point], students: &[&Point], names: &mut single::Names) -> Vec<Figure> {
    const KEY: &str = "method.lambda";
    let mut rows: Vec<&str> = Vec::new();
    for point in students {
        if !rows.contains(&point.first().row.as_str()) {
            rows.push(&point.first().row);
        }
    }
    let value = |point: &Point| {
        let asked = point.varied(KEY).and_then(|text| units::number(text).ok());
        asked.or_else(|| point.any_row()?.run.summary.lambda)
    };
    let draw = |row: &&str| {
        let mut here: Vec<(f64, &&Point)> =
            students.iter().filter(|p| p.first().row == **row).filter_map(|p| Some((value(p)?, p))).collect();
        here.sort_by(|a, b| a.0.total_cmp(&b.0));
        let label = here.first()?.1.first().label.clone();
        let series = |name: &str, colour: usize, of: &dyn Fn(&Point) -> Option<Sample>| Series {
            name: name.into(),
            colour,
            look: Look::Marked,
            points: here
                .iter()
                .filter_map(|(x, point)| Some(Mark { x: Spread::one(*x), y: spread(&of(point)?), name: None }))
                .collect(),
        };
        let mut all = vec![series("natural", 0, &|point| point.natural(measures.natural))];
        all.extend(
            measures.attacks.iter().enumerate().map(|(i, (place, name))| series(name, i + 1, &|point| point.adversarial(*place))),
        );
        all.retain(|series| !series.points.is_empty());
        if all.is_empty() {
            return None;
        }
        let plot = Xy {
            title: format!("{label}: accuracy against lambda"),
            x: Axis::log("lambda (log scale, with a place for 0)"),
            y: Axis::percent(format!("accuracy, %, on {}", measures.images)).holding(0.0),
            series: all,
            levels: teacher_levels(measures, points),
            rules: Vec::new(),
            names: Names::Ends,
        };
        Some((format!("{row}-lambda"), plot.draw(format!("{label}: natural and adversarial accuracy against lambda"))))
    };
    rows.iter()
        .filter_map(draw)
        .map(|(name, drawing)| Figure {
            name: names.take(&name),
            caption: format!("{BARS} Lambda weighs cross-entropy against the match with the teacher."),
            drawing,
        })
        .collect()
}

/// What the teacher reaches itself, where there is one teacher for all.
fn teacher_levels(measures: &Measures, points: &[Point]) -> Vec<Level> {
    let teachers: Vec<&Point> = points.iter().filter(|point| point.role() == Role::Teacher).collect();
    let [teacher] = teachers.as_slice() else { return Vec::new() };
    let level = |name: &str, colour: usize, sample: Option<Sample>| {
        sample.map(|sample| Level { name: format!("teacher, {name}"), colour, y: sample.mean })
    };
    let natural = level("natural", 0, teacher.natural(measures.natural));
    let headline = measures.headline.as_ref();
    let colour = |place: usize| 1 + measures.attacks.iter().position(|(other, _)| *other == place).unwrap_or(0);
    let adversarial = headline.and_then(|(place, name)| level(name, colour(*place), teacher.adversarial(*place)));
    natural.into_iter().chain(adversarial).collect()
}

/// Natural against adversarial accuracy.
fn trade(measures: &Measures, points: &[Point], names: &mut single::Names) -> Option<Figure> {
    let (place, attack) = measures.headline.as_ref()?;
    let images = &measures.images;
    let mut series: Vec<Series> = Vec::new();
    let mut rows: Vec<&str> = Vec::new();
    for point in points {
        let (Some(x), Some(y)) = (point.natural(measures.natural), point.adversarial(*place)) else { continue };
        let row = point.first().row.as_str();
        let colour = rows.iter().position(|other| *other == row).unwrap_or_else(|| {
            rows.push(row);
            let look = Look::Points;
            series.push(Series { name: String::new(), colour: rows.len() - 1, look, points: Vec::new() });
            rows.len() - 1
        });
        series[colour].points.push(Mark { x: spread(&x), y: spread(&y), name: Some(point.name()) });
    }
    if series.is_empty() {
        return None;
    }
    let plot = Xy {
        title: format!("Natural against adversarial accuracy ({attack})"),
        x: Axis::percent(format!("natural accuracy, %, on {images}")).roomy(),
        y: Axis::percent(format!("adversarial accuracy, %, {attack} on {images}")).roomy(),
        series,
        levels: Vec::new(),
        rules: Vec::new(),
        names: Names::Points,
    };
    let drawing = plot.draw(format!("Natural accuracy against adversarial accuracy under {attack}"));
    Some(Figure { name: names.take("natural-adversarial"), caption: format!("Better is up and to the right. {BARS}"), drawing })
}

/// What training took and what of it was the teacher's.
fn time(students: &[&Point], names: &mut single::Names) -> Option<Figure> {
    let rows: Vec<bars::Row> = students
        .iter()
        .filter_map(|point| {
            let own = point.training()?;
            let teacher = point.teaching();
            let whole = point.with_teacher();
            let note = match (&whole, point.has_teacher()) {
                (None, true) => format!("{} min, teacher not known", minutes(own.mean)),
                (Some(whole), true) => format!("{} min, {} without", minutes(whole.mean), minutes(own.mean)),
                (_, false) => format!("{} min", minutes(own.mean)),
            };
            let whole = whole.unwrap_or_else(|| own.clone());
            let range = (whole.n > 1).then_some((whole.low / 60.0, whole.high / 60.0));
            let values = vec![own.mean / 60.0, teacher.map_or(0.0, |teacher| teacher.mean / 60.0)];
            Some(bars::Row { name: point.name(), values, note, spread: range })
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let bars = Bars {
        title: "Time of training".into(),
        axis: Axis::linear("minutes"),
        parts: vec!["the student's own training".into(), "its teacher's training".into()],
        rows,
    };
    let caption = "Means over seeds, with a line from the lowest to the highest whole. Training steps only; probes and evaluations are left \
                   out. A teacher that serves several students is counted with each of them.";
    let drawing = bars.draw("Training time of each point, with the share of its teacher");
    Some(Figure { name: names.take("time"), caption: caption.into(), drawing })
}

/// Student by teacher, a picture for each setting of whatever else is varied.
fn grids(experiment: &Experiment, measures: &Measures, students: &[&Point], names: &mut single::Names) -> Vec<Figure> {
    let Some((place, attack)) = &measures.headline else { return Vec::new() };
    let else_varied = |point: &Point| {
        let rest = point.first().vary.iter().filter(|(key, _)| !key.starts_with("student.") && !key.starts_with("teacher"));
        rest.map(|(key, value)| format!("{}={value}", short(key))).collect::<Vec<_>>().join(", ")
    };
    let teacher = |point: &Point| point.teacher(experiment).unwrap_or_else(|| "none".into());
    let mut settings: Vec<String> = Vec::new();
    let (mut rows, mut columns): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for point in students {
        for (all, one) in [(&mut settings, else_varied(point)), (&mut rows, point.student()), (&mut columns, teacher(point))] {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    let field = |point: &Point| {
        let adversarial = point.adversarial(*place)?;
        let with = |sample: &Sample| {
            let spread = sample.deviation.map_or_else(String::new, |sd| format!(" ± {:.1}", 100.0 * sd));
            format!("{:.1}{spread}", 100.0 * sample.mean)
        };
        let natural =
            point.natural(measures.natural).map_or_else(|| "natural missing".into(), |s| format!("natural {}", with(&s)));
        Some(grid::Field { share: adversarial.mean, first: with(&adversarial), second: natural })
    };
    let draw = |setting: &String| {
        let here = |student: &String, of: &String| {
            let mut found =
                students.iter().filter(|p| p.student() == *student && teacher(p) == *of && else_varied(p) == *setting);
            found.find_map(|point| field(point))
        };
        let rows = rows
            .iter()
            .map(|student| grid::Row { name: student.clone(), fields: columns.iter().map(|of| here(student, of)).collect() })
            .collect();
        let setting = if setting.is_empty() { String::new() } else { format!(" ({setting})") };
        let grid = Grid {
            title: format!("Student by teacher{setting}"),
            columns_are: "teacher".into(),
            rows_are: "student".into(),
            columns: columns.clone(),
            rows,
            legend: format!("large: adversarial accuracy, %, {attack} on {}; the darker the more", measures.images),
        };
        grid.draw(format!("Adversarial and natural accuracy of each student with each teacher{setting}"))
    };
    settings
        .iter()
        .map(draw)
        .map(|drawing| Figure {
            name: names.take("student-teacher"),
            caption: "Means over seeds ± sample standard deviation; a field without a completed and evaluated run is missing."
                .into(),
            drawing,
        })
        .collect()
}

/// Adversarial accuracy against the time that an epoch of the student alone takes, which stands for how much it can express.
fn power(experiment: &Experiment, measures: &Measures, students: &[&Point], names: &mut single::Names) -> Option<Figure> {
    let (place, attack) = measures.headline.as_ref()?;
    let mut series: Vec<Series> = Vec::new();
    let mut untimed = Vec::new();
    for point in students {
        let Some(y) = point.adversarial(*place) else { continue };
        let own = own_epoch(experiment, point, &mut untimed);
        let Some(x) = own else { continue };
        let name = point.teacher(experiment).unwrap_or_else(|| "no teacher".into());
        let mark = Mark { x: spread(&x), y: spread(&y), name: Some(point.student()) };
        match series.iter_mut().find(|series| series.name == name) {
            Some(series) => series.points.push(mark),
            None => series.push(Series { name, colour: series.len(), look: Look::Marked, points: vec![mark] }),
        }
    }
    if series.is_empty() {
        return None;
    }
    for series in &mut series {
        series.points.sort_by(|a, b| a.x.middle.total_cmp(&b.x.middle));
        series.name = format!("teacher {}", series.name);
    }
    let plot = Xy {
        title: format!("Adversarial accuracy against the student's own time ({attack})"),
        x: Axis::log("seconds an epoch, of the student alone (log scale)"),
        y: Axis::percent(format!("adversarial accuracy, %, {attack} on {}", measures.images)).holding(0.0),
        series,
        levels: Vec::new(),
        rules: Vec::new(),
        names: Names::Everywhere,
    };
    let mut caption = format!(
        "As in the paper's Figure 4, the time of an epoch stands for how much a network can express; the teacher's part of each step, as \
         measured, is taken out. {BARS}"
    );
    if !untimed.is_empty() {
        untimed.dedup();
        let _ = write!(caption, " Not known, so that the whole epoch counts, for: {}.", words::listed(&untimed));
    }
    Some(Figure {
        name: names.take("expressive-power"),
        caption,
        drawing: plot.draw("Adversarial accuracy against seconds an epoch"),
    })
}

fn own_epoch(experiment: &Experiment, point: &Point, untimed: &mut Vec<String>) -> Option<Sample> {
    Sample::of(point.done.iter().filter_map(|(cell, row)| {
        let whole = super::beside::epoch_seconds(row)?;
        let path = experiment.run_folder(cell);
        let read = RunFolder::open(&path, &path).ok().and_then(|folder| history::read(&folder).ok());
        let share = read.and_then(|history| history.own_share);
        if share.is_none() {
            untimed.push(point.name());
        }
        Some(whole * share.unwrap_or(1.0))
    }))
}
