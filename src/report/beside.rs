//! Runs in one table, as [`crate::run::comparison`] puts them beside each other.

use super::document::{Cell, Column, Shown, Table};
use super::sets::{self, OneSet};
use super::words::{minutes, percent};
use crate::protocol::event::Whose;
use crate::run::comparison::{Group, Row, Time};

/// What every number of such a table is.
pub const UNITS: &str = "Accuracies in percent, each adversarial one an upper bound of robustness; min: minutes of training steps, without \
and with the teacher's own; a number marked ! is doubted by its own evaluation.";

/// A table for each set of images: the one with the most numbers first, with everything about the runs; the others with numbers alone.
pub fn tables(group: &Group) -> Vec<Table> {
    let having = |set: &OneSet| {
        let measured = |row: &&Row| set.attacks.iter().any(|(place, _)| row.cells[*place].is_some());
        group.rows.iter().filter(measured).count()
    };
    let all = sets::ordered(sets::of(group), having);
    if all.is_empty() {
        return vec![table(group, None, Facts::Show)];
    }
    all.iter().enumerate().map(|(i, set)| table(group, Some(set), if i == 0 { Facts::Show } else { Facts::Omit })).collect()
}

/// Whether a table says more of its runs than their numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Facts {
    Show,
    Omit,
}

fn table(group: &Group, set: Option<&OneSet>, facts: Facts) -> Table {
    let mut columns: Vec<Column> = ["run", "lambda"].into_iter().map(Column::left).collect();
    columns.extend(set.iter().flat_map(|set| heads(set)));
    if facts == Facts::Show {
        columns.extend(["min", "min + teacher", "s/epoch", "epochs"].into_iter().map(Column::right));
        columns.extend(["method", "student", "teacher"].into_iter().map(Column::left));
    }
    let measured = |row: &&Row| set.is_some_and(|set| set.attacks.iter().any(|(place, _)| row.cells[*place].is_some()));
    let rows = group.rows.iter().filter(|row| facts == Facts::Show || measured(row));
    Table {
        caption: if facts == Facts::Omit { set.map_or_else(String::new, caption) } else { String::new() },
        columns,
        rows: rows.map(|row| cells(row, set, facts)).collect(),
        legend: set.map_or_else(Vec::new, |set| sets::legend(group, set)),
        shown: Shown::Everywhere,
    }
}

/// Of a table that holds the numbers of one more set of images.
pub fn caption(set: &OneSet) -> String {
    format!("On {}", set.images)
}

/// Of the natural accuracy and of each attack.
pub fn heads(set: &OneSet) -> Vec<Column> {
    let names = std::iter::once("natural").chain(set.attacks.iter().map(|(_, name)| name.as_str()));
    names.map(|name| Column::right(set.heading(name))).collect()
}

fn cells(row: &Row, set: Option<&OneSet>, facts: Facts) -> Vec<Cell> {
    let word = |text: &Option<String>| text.as_ref().map_or_else(Cell::without, Cell::of);
    let time = |time: Time| match time {
        Time::Seconds(seconds) => Cell::of(minutes(seconds)),
        Time::Unknown => Cell::of("not known"),
        Time::DoesNotApply => Cell::without(),
    };
    let name = match row.of {
        Whose::Student if !row.run.changes.is_empty() => Cell::with(&row.label, "steered"),
        Whose::Student | Whose::Teacher => Cell::of(&row.label),
    };
    let mut cells = vec![name, word(&row.lambda)];
    if let Some(set) = set {
        cells.push(row.naturals[set.natural].map_or_else(Cell::missing, |share| Cell::of(percent(share))));
        cells.extend(set.attacks.iter().map(|(place, _)| match &row.cells[*place] {
            Some(cell) if cell.doubts.is_empty() => Cell::of(percent(cell.adversarial)),
            Some(cell) => Cell::of(format!("! {}", percent(cell.adversarial))),
            None => Cell::missing(),
        }));
    }
    if facts == Facts::Omit {
        return cells;
    }
    cells.extend([row.times.training, row.times.with_teacher].map(time));
    cells.push(epoch_seconds(row).map_or_else(Cell::without, |seconds| Cell::of(format!("{seconds:.2}"))));
    cells.push(row.epochs.map_or_else(Cell::without, |[done, planned]| {
        if done == planned { Cell::of(done.to_string()) } else { Cell::with(done.to_string(), format!("of {planned}")) }
    }));
    cells.extend([word(&row.method), Cell::of(&row.network), word(&row.teacher)]);
    cells
}

/// Of training alone.
pub fn epoch_seconds(row: &Row) -> Option<f64> {
    match (row.times.training, row.epochs) {
        (Time::Seconds(seconds), Some([done, _])) if done > 0 => Some(seconds / done as f64),
        (Time::Seconds(_) | Time::Unknown | Time::DoesNotApply, _) => None,
    }
}

/// `a: it was stopped after 3 of 12 epochs`, of every row.
pub fn remarks<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<String> {
    rows.flat_map(|row| row.remarks.iter().map(move |remark| format!("{}: {remark}", row.label))).collect()
}
