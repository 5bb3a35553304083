//! The table of a sweep: a line for each point, means over seeds with how far they spread, and the paper's numbers beside them.

use super::beside::{caption, heads};
use super::document::{Cell, Column, Is, Shown, Table};
use super::experiment::Experiment;
use super::paper::{Line, Ours, Printed};
use super::points::{Point, short};
use super::sets::{self, OneSet};
use super::statistics::Sample;
use super::words::{self, give_or_take, minutes, percent};
use crate::run::comparison::Group;
use crate::sweep::Role;

pub const UNITS: &str = "Means over as many seeds as stand there, ± sample standard deviation, with [lowest, highest]; n says where a mean \
is over fewer. Accuracies in percent, each adversarial one an upper bound of robustness; min: minutes of training steps, probes and \
evaluations left out, without and with the teacher's own; a number marked ! is doubted by an evaluation of its own.";

/// A table for each set of images, the one that counts first, with everything about the points; the others with numbers alone.
pub fn tables(
    experiment: &Experiment,
    group: &Group,
    points: &[Point],
    sets: &[OneSet],
    printed: Option<&Printed>,
) -> Vec<Table> {
    if sets.is_empty() {
        return vec![table(experiment, group, points, None, printed)];
    }
    let first = sets.iter().take(1).map(|set| table(experiment, group, points, Some(set), printed));
    first.chain(sets.iter().skip(1).map(|set| numbers(group, points, set))).collect()
}

/// Numbers on further images.
fn numbers(group: &Group, points: &[Point], set: &OneSet) -> Table {
    let keys = varied_keys(points);
    let mut columns = vec![Column::left("run")];
    columns.extend(keys.iter().map(|key| Column::left(heading(key, &keys))));
    columns.extend(heads(set));
    let measured = |point: &&Point| set.attacks.iter().any(|(place, _)| point.adversarial(*place).is_some());
    let rows = points.iter().filter(measured).map(|point| {
        let mut cells = vec![name(point)];
        cells.extend(keys.iter().map(|key| point.varied(key).map_or_else(Cell::without, Cell::of)));
        cells.extend(accuracies(Some(set), point));
        cells
    });
    let rows = rows.collect();
    Table { caption: caption(set), columns, rows, legend: sets::legend(group, set), shown: Shown::Everywhere }
}

fn table(experiment: &Experiment, group: &Group, points: &[Point], set: Option<&OneSet>, printed: Option<&Printed>) -> Table {
    let keys = varied_keys(points);
    // Columns of the paper with nothing in them only take room.
    let printed = printed.filter(|printed| points.iter().any(|point| !matching(experiment, printed, point).is_empty()));
    let mut columns = vec![Column::left("run")];
    columns.extend(keys.iter().map(|key| Column::left(heading(key, &keys))));
    columns.push(Column::right("seeds"));
    columns.extend(set.iter().flat_map(|set| heads(set)));
    if let Some(printed) = printed {
        columns.push(Column::left(format!("paper, {}", printed.name)).of_paper());
        columns.extend(paper_columns(printed).map(|name| Column::right(format!("paper: {name}")).of_paper()));
    }
    columns.extend(["min", "min + teacher", "s/epoch", "epochs"].into_iter().map(Column::right));
    columns.extend(["method", "student", "teacher"].into_iter().map(Column::left));
    let rows = points.iter().map(|point| {
        let mut cells = vec![name(point)];
        cells.extend(keys.iter().map(|key| point.varied(key).map_or_else(Cell::without, Cell::of)));
        let (done, of) = (point.done.len(), point.seeds());
        cells.push(if done == of {
            Cell::of(of.to_string())
        } else {
            Cell { is: Is::Missing, ..Cell::of(format!("{done} of {of}")) }
        });
        cells.extend(accuracies(set, point));
        if let Some(printed) = printed {
            cells.extend(beside(experiment, printed, point));
        }
        cells.extend(times(point));
        cells.extend(facts(experiment, point));
        cells
    });
    let rows = rows.collect();
    let legend = set.map_or_else(Vec::new, |set| sets::legend(group, set));
    Table { caption: String::new(), columns, rows, legend, shown: Shown::Everywhere }
}

/// `lambda` of `method.lambda`, and the whole key where that would not tell two apart.
fn heading(key: &str, keys: &[&str]) -> String {
    if key == "student.network" {
        return "student is".into();
    }
    let alone = keys.iter().filter(|other| short(other) == short(key)).count() == 1;
    if alone { short(key).into() } else { key.into() }
}

fn name(point: &Point) -> Cell {
    let role = match point.role() {
        Role::Teacher => "a teacher",
        Role::Student => "",
    };
    let steered = match point.steered() {
        0 => String::new(),
        1 if point.seeds() == 1 => "steered".into(),
        n => format!("{n} of {} steered", point.seeds()),
    };
    let more: Vec<&str> = [role, steered.as_str()].into_iter().filter(|words| !words.is_empty()).collect();
    Cell::with(&point.first().label, more.join(", "))
}

fn facts(experiment: &Experiment, point: &Point) -> [Cell; 3] {
    let method = point.any_row().and_then(|row| row.method.clone());
    [
        method.map_or_else(Cell::missing, Cell::of),
        Cell::of(point.student()),
        point.teacher(experiment).map_or_else(Cell::without, Cell::of),
    ]
}

/// Every key that the grid varies, in the order in which they come.
fn varied_keys<'a>(points: &[Point<'a>]) -> Vec<&'a str> {
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in points.iter().flat_map(|point| &point.first().vary) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    keys
}

fn times(point: &Point) -> [Cell; 4] {
    let of = point.seeds();
    let plain = |value: f64| if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.1}") };
    let with_teacher = match point.with_teacher() {
        None if point.teacher_is_unknown() => Cell::of("not known"),
        sample => told(sample.as_ref(), of, minutes),
    };
    [
        told(point.training().as_ref(), of, minutes),
        with_teacher,
        told(point.epoch_seconds().as_ref(), of, |value| format!("{value:.2}")),
        told(point.epochs().as_ref(), of, plain),
    ]
}

fn accuracies(set: Option<&OneSet>, point: &Point) -> Vec<Cell> {
    let Some(set) = set else { return Vec::new() };
    let of = point.seeds();
    let natural = told(point.natural(set.natural).as_ref(), of, percent);
    let attacks = set.attacks.iter().map(|(place, _)| {
        let cell = told(point.adversarial(*place).as_ref(), of, percent);
        if point.doubted(*place) { Cell { text: format!("! {}", cell.text), ..cell } } else { cell }
    });
    std::iter::once(natural).chain(attacks).collect()
}

/// A mean with its spread, and over how many seeds where these are not all; what was not measured is missing.
pub fn told(sample: Option<&Sample>, of: usize, show: impl Fn(f64) -> String + Copy) -> Cell {
    sample.map_or_else(Cell::missing, |sample| {
        let varies = sample.low < sample.high;
        let spread = if varies { give_or_take(sample, show) } else { String::new() };
        let range = if varies { format!("[{}, {}]", show(sample.low), show(sample.high)) } else { String::new() };
        let n = if sample.n == of { String::new() } else { format!("n={} of {of}", sample.n) };
        let more: Vec<String> = [range, n].into_iter().filter(|words| !words.is_empty()).collect();
        Cell::with(format!("{}{spread}", show(sample.mean)), more.join(" "))
    })
}

/// Those of its numbers that the table has.
fn paper_columns(printed: &Printed) -> impl Iterator<Item = &'static str> + use<> {
    let has = |number: fn(&Line) -> Option<f64>| printed.lines.iter().any(|line| number(line).is_some());
    let columns = [
        ("min", has(|line| line.minutes)),
        ("teacher min", has(|line| line.teacher_minutes)),
        ("natural", has(|line| line.natural)),
        ("AutoPGD", has(|line| line.adversarial)),
    ];
    columns.into_iter().filter(|(_, there)| *there).map(|(name, _)| name)
}

fn paper_number(line: &Line, column: &str) -> Option<f64> {
    match column {
        "min" => line.minutes,
        "teacher min" => line.teacher_minutes,
        "natural" => line.natural,
        _ => line.adversarial,
    }
}

/// The paper's lines that belong to a point. Teachers are no rows of its tables.
pub fn matching(experiment: &Experiment, printed: &Printed, point: &Point) -> Vec<&'static Line> {
    let Some(row) = point.any_row().filter(|_| point.role() == Role::Student) else { return Vec::new() };
    let (teacher, student) = (point.teacher(experiment), point.student());
    let epochs = row.epochs.map_or(0, |[done, _]| done);
    printed.matching(Ours { method: &row.run.summary.method, teacher: teacher.as_deref(), student: &student, epochs })
}

fn beside(experiment: &Experiment, printed: &Printed, point: &Point) -> Vec<Cell> {
    let columns: Vec<&str> = paper_columns(printed).collect();
    let lines = matching(experiment, printed, point);
    if lines.is_empty() {
        return vec![Cell::without(); 1 + columns.len()];
    }
    let joined = |texts: Vec<String>| Cell::of(texts.join(" · "));
    let name = |line: &&Line| match line.epochs {
        Some(epochs) => format!("{}, {epochs} epochs", line.name),
        None => line.name.to_string(),
    };
    let mut cells = vec![joined(lines.iter().map(name).collect())];
    cells.extend(columns.iter().map(|column| {
        let numbers: Vec<String> = lines.iter().filter_map(|line| paper_number(line, column)).map(printed_number).collect();
        if numbers.is_empty() { Cell::without() } else { joined(numbers) }
    }));
    cells
}

fn printed_number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.2}") }
}

/// The paper's own table, whole.
pub fn of_paper(printed: &Printed) -> Table {
    let columns: Vec<&str> = paper_columns(printed).collect();
    let mut heads: Vec<Column> = ["method", "student", "teacher"].into_iter().map(Column::left).collect();
    heads.extend(["epochs", "s/epoch"].into_iter().chain(columns.iter().copied()).map(Column::right));
    let number = |value: Option<f64>| value.map_or_else(Cell::without, |value| Cell::of(printed_number(value)));
    let rows = printed.lines.iter().map(|line| {
        let mut cells = vec![
            Cell::of(line.name),
            Cell::of(line.student.name()),
            line.teacher.map_or_else(Cell::without, |teacher| Cell::of(teacher.name())),
            line.epochs.map_or_else(Cell::without, |epochs| Cell::of(epochs.to_string())),
            number(line.epoch_s),
        ];
        cells.extend(columns.iter().map(|column| number(paper_number(line, column))));
        cells
    });
    Table {
        caption: format!("The paper's {} ({})", printed.name, printed.source),
        columns: heads,
        rows: rows.collect(),
        legend: Vec::new(),
        shown: Shown::InFiles,
    }
}

/// In what the paper's numbers and ours differ, in sentences.
pub fn apart(experiment: &Experiment, group: &Group, points: &[Point], printed: &Printed) -> Vec<String> {
    let Some(row) = group.rows.first() else { return Vec::new() };
    let mut students: Vec<&str> = group.rows.iter().map(|row| row.network.as_str()).collect();
    students.sort_unstable();
    students.dedup();
    let differences = printed.differences(row.run.started.config.data.source, &group.data.name, group.threat, &students);
    let mut said = Vec::new();
    if points.iter().all(|point| matching(experiment, printed, point).is_empty()) {
        said.push(format!(
            "No run here has the method and the teacher's network of a line of the paper's {}; it stands below, whole.",
            printed.name
        ));
    }
    said.push(if differences.is_empty() {
        "Data, threat and students are the paper's; the machine is another, so times compare with each other and not with the paper's.".into()
    } else {
        format!(
            "Ours are other experiments than the paper's: {}. Which method comes out ahead can be compared, the numbers themselves cannot.",
            words::listed(&differences)
        )
    });
    if let Some(attack) = printed.attack {
        said.push(format!(
            "The paper attacked with {attack}. That and AutoAttack are different attacks: AutoAttack aims at each class too and leaves less. \
             Only a column named art-autopgd with the same iterations and restarts was measured as the paper's was."
        ));
    }
    said.extend(printed.remarks.iter().map(|remark| (*remark).to_string()));
    said
}
