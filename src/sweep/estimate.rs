//! How long what is left will take, by what has been measured: of a cell's own row, else of everything. Where nothing was measured
//! nothing is claimed.

use super::board::{Row, Stage};
use super::ledger::{Ledger, pace_of};
use super::plan::{Cell, Role};
use crate::protocol::Event;
use crate::run::comparison::teacher;
use crate::run::replay::{Lines, read_lines};

/// Seconds until each row is done; `None` where nothing like it was measured, or nothing is left.
pub fn left(rows: &[Row]) -> Vec<Option<f64>> {
    let done: Vec<&Row> = rows.iter().filter(|row| row.stage == Stage::Done).collect();
    let mean = |of: &dyn Fn(&Row) -> f64, like: &dyn Fn(&Row) -> bool| {
        let all: Vec<f64> = done.iter().filter(|row| like(row)).map(|row| of(row)).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    };
    let likely = |row: &Row, of: &dyn Fn(&Row) -> f64| {
        let same = |other: &Row| other.cell.row == row.cell.row && other.cell.vary == row.cell.vary;
        mean(of, &same)
            .or_else(|| mean(of, &|other| other.cell.row == row.cell.row))
            .or_else(|| mean(of, &|other| other.cell.role == row.cell.role))
            .or_else(|| mean(of, &|_| true))
    };
    let one = |row: &Row| {
        let evaluate = likely(row, &|other| other.evaluate_s);
        let train = likely(row, &|other| other.train_s);
        match &row.stage {
            Stage::Done | Stage::Failed(_) => None,
            Stage::Waiting | Stage::WaitsFor(_) | Stage::Elsewhere(_) | Stage::Stopped => Some(train? + evaluate?),
            Stage::Training => {
                // Its own pace, once it has one.
                let own =
                    row.steps.filter(|steps| steps.done > 0).map(|steps| row.train_s / steps.share() * (1.0 - steps.share()));
                Some(own.or_else(|| train.map(|train| (train - row.train_s).max(0.0)))? + evaluate.unwrap_or(0.0))
            }
            Stage::Evaluating => Some((evaluate? - row.evaluate_s).max(0.0)),
        }
    };
    rows.iter().map(one).collect()
}

/// Seconds until the whole is done on so many devices; `None` as long as there are cells of which nothing is known.
pub fn whole(rows: &[Row], devices: usize) -> Option<f64> {
    let open = rows.iter().filter(|row| !matches!(row.stage, Stage::Done | Stage::Failed(_)));
    let sum = open.map(|row| row.left_s).sum::<Option<f64>>()?;
    Some(sum / devices.max(1) as f64)
}

/// Training seconds of the teachers that a cell learned from, as its run's log names them.
pub fn teacher_seconds(ledger: &Ledger, cell: &Cell) -> Option<f64> {
    let log = read_lines(&ledger.run(&cell.id).join("events.jsonl"), Lines::Milestones).ok()?;
    let started = log.flatten().find_map(|record| match record.event {
        Event::Started(started) => Some(started),
        _ => None,
    })?;
    match &started.teacher {
        None => Some(0.0),
        Some(first) => teacher::cost_of_all(first, &started.other_teachers).seconds,
    }
}

/// Training seconds of a cell of which only a short run was made: its steps by that run's pace.
pub fn by_pilot(ledger: &Ledger, cell: &Cell) -> Option<f64> {
    let (step_s, per_epoch) = pace_of(&ledger.folder().join("pilots").join(&cell.id))?;
    let epochs = crate::config::check::read_written(&cell.config, &ledger.config(&cell.id), &[]).ok()?.train;
    let steps = epochs.steps.unwrap_or(u64::MAX).min(epochs.epochs * per_epoch);
    Some(steps as f64 * step_s)
}

/// Whether a cell's pace can be measured before anything was trained: it needs no teacher of the sweep.
pub fn can_be_tried(cell: &Cell) -> bool {
    cell.teacher.is_none() || cell.role == Role::Teacher
}
