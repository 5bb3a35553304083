//! What a sweep has not: runs that were not begun, failed or were cut off, and evaluations that are asked for and not there, each with
//! the command that would make it.

use super::commands;
use super::document::{Cell, Column, Shown, Table};
use super::experiment::{Experiment, Stands};
use crate::run::comparison::{Row, Source};
use crate::run::listing::Standing;
use crate::sweep::Cell as Planned;

/// One thing that is not there.
struct Lack {
    why: String,
    command: String,
}

/// `None` where nothing is missing.
pub fn table(experiment: &Experiment) -> Option<Table> {
    let rows: Vec<Vec<Cell>> = experiment
        .plan
        .cells
        .iter()
        .flat_map(|cell| lacks(experiment, cell).into_iter().map(move |lack| (cell, lack)))
        .map(|(cell, lack)| {
            let varied: Vec<String> = cell.vary.iter().map(|(key, value)| format!("{key}={value}")).collect();
            vec![
                Cell::of(&cell.id),
                Cell::of(&cell.label),
                Cell::of(varied.join(", ")),
                Cell::of(cell.seed.to_string()),
                Cell { text: lack.why, more: String::new(), is: super::document::Is::Missing },
                Cell::of(lack.command),
            ]
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let columns = ["run", "of", "varied", "seed", "what is missing", "to make it"].map(Column::left).into();
    Some(Table { caption: String::new(), columns, rows, legend: Vec::new(), shown: Shown::AsLines })
}

fn lacks(experiment: &Experiment, cell: &Planned) -> Vec<Lack> {
    let go_on = || commands::sweep(&experiment.folder);
    let path = experiment.run_folder(cell);
    let row = match experiment.stand(cell) {
        None | Some(Stands::NotRun) => return vec![Lack { why: "not run".into(), command: go_on() }],
        Some(Stands::Unreadable(why)) => return vec![Lack { why: format!("cannot be read: {why}"), command: String::new() }],
        Some(Stands::Ran { .. }) => experiment.row(cell),
    };
    let Some(row) = row else { return Vec::new() };
    let s = &row.run.summary;
    let so_far = format!("after {} of {} epochs", s.epochs_done, s.epochs_planned);
    let message = s.message.as_deref().and_then(|text| text.lines().next()).map_or_else(String::new, |line| format!(": {line}"));
    let resume = || format!("rematch resume {}", commands::quoted(&path));
    match s.state {
        Standing::Completed => evaluations(experiment, cell, row),
        Standing::Running => vec![Lack { why: format!("still running, {so_far}"), command: String::new() }],
        Standing::Stopped => vec![Lack { why: format!("stopped {so_far}"), command: resume() }],
        Standing::Interrupted => vec![Lack { why: format!("interrupted {so_far}{message}"), command: resume() }],
        Standing::Failed => vec![Lack { why: format!("failed {so_far}{message}"), command: resume() }],
    }
}

fn evaluations(experiment: &Experiment, cell: &Planned, row: &Row) -> Vec<Lack> {
    let Some(evaluate) = &experiment.plan.evaluate else {
        let nothing = row.cells.iter().all(Option::is_none);
        let command = || format!("rematch eval {} --attack autoattack", commands::quoted(&experiment.run_folder(cell)));
        return if nothing { vec![Lack { why: "no evaluation".into(), command: command() }] } else { Vec::new() };
    };
    let made = |attack: &str| {
        row.cells.iter().flatten().any(|found| {
            let of_folder = match found.source {
                Source::Evaluation { .. } => true,
                Source::Final { .. } => false,
            };
            let single = found.ensemble.members.len() == 1 && found.ensemble.members[0].name.name() == attack;
            of_folder && (found.ensemble.name == attack || single)
        })
    };
    let missing: Vec<&str> = evaluate.attacks.iter().map(String::as_str).filter(|attack| !made(attack)).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let command = commands::asked(&experiment.run_folder(cell), evaluate, &missing);
    vec![Lack { why: format!("not evaluated with {}", missing.join(", ")), command }]
}
