//! Runs in one table, as [`crate::run::comparison`] puts them beside each other.

use super::document::{Cell, Column, Shown, Table};
use super::words::{minutes, percent};
use crate::protocol::event::Whose;
use crate::run::comparison::{Group, Row, Time};

/// What every number of such a table is.
pub const UNITS: &str = "Accuracies in percent, each adversarial one an upper bound of robustness; min: minutes of training steps, without \
and with the teacher's own; a number marked ! is doubted by its own evaluation.";

pub fn table(group: &Group) -> Table {
    let (naturals, attacks) = group.headings();
    let mut columns: Vec<Column> = ["run", "lambda"].into_iter().map(Column::left).collect();
    columns.extend(naturals.into_iter().chain(attacks).map(Column::right));
    columns.extend(["min", "min + teacher", "s/epoch", "epochs"].into_iter().map(Column::right));
    columns.extend(["method", "student", "teacher"].into_iter().map(Column::left));
    Table {
        caption: String::new(),
        columns,
        rows: group.rows.iter().map(cells).collect(),
        legend: legend(group),
        shown: Shown::Everywhere,
    }
}

fn cells(row: &Row) -> Vec<Cell> {
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
    cells.extend(row.naturals.iter().map(|natural| natural.map_or_else(Cell::missing, |share| Cell::of(percent(share)))));
    cells.extend(row.cells.iter().map(|cell| match cell {
        Some(cell) if cell.doubts.is_empty() => Cell::of(percent(cell.adversarial)),
        Some(cell) => Cell::of(format!("! {}", percent(cell.adversarial))),
        None => Cell::missing(),
    }));
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

/// What each column of accuracies was measured with and on.
pub fn legend(group: &Group) -> Vec<(String, String)> {
    let (naturals, attacks) = group.headings();
    let own = group.data.name.as_str();
    let images = group.images.iter().map(|images| images.describe(own));
    let columns = group.columns.iter().map(|column| column.describe(own));
    naturals.into_iter().zip(images).chain(attacks.into_iter().zip(columns)).collect()
}

/// `a: it was stopped after 3 of 12 epochs`, of every row.
pub fn remarks<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<String> {
    rows.flat_map(|row| row.remarks.iter().map(move |remark| format!("{}: {remark}", row.label))).collect()
}
