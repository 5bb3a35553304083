//! What a sweep would run and how long it would take: by the runs that are done, else by some steps of each kind of run.

use rematch::run::listing::clock;
use rematch::sweep::board::{Row, Stage};
use rematch::sweep::ledger::{Ledger, OnChange, Stand};
use rematch::sweep::process::Process;
use rematch::sweep::runner::How;
use rematch::sweep::{Cell, Plan, estimate};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

pub fn run(plan: &Plan, folder: &Path, how: &How) -> anyhow::Result<u8> {
    let there = Ledger::open(folder).ok().map(|(ledger, _)| ledger);
    let rows: Vec<Row> = plan.cells.iter().map(|cell| row(cell, plan, there.as_ref())).collect();
    let left = estimate::left(&rows);
    let scratch = std::env::temp_dir().join(format!("rematch-sweep-{}", std::process::id()));
    let tried = try_out(plan, &rows, &left, &scratch, how);
    let _ = std::fs::remove_dir_all(&scratch);
    let tried = tried?;
    let mut out = std::io::stdout();
    let (mut sum, mut unknown) = (0.0, 0);
    for (row, left) in rows.iter().zip(left) {
        let cell = &row.cell;
        let seconds = left.or_else(|| tried.get(&kind(cell)).copied());
        let said = match (&row.stage, seconds) {
            (Stage::Done, _) => "done".to_string(),
            (_, Some(seconds)) => {
                sum += seconds;
                format!("about {}", clock(seconds))
            }
            (_, None) => {
                unknown += 1;
                match (&cell.teacher, &cell.budget) {
                    (_, Some(budget)) => format!("as long as {}", budget.of),
                    (Some(teacher), None) => format!("unknown before {teacher} is there"),
                    (None, None) => "unknown".into(),
                }
            }
        };
        let _ =
            writeln!(out, "{:<width$}  {said}", cell.id, width = plan.cells.iter().map(|cell| cell.id.len()).max().unwrap_or(0));
    }
    let done = rows.iter().filter(|row| row.stage == Stage::Done).count();
    let more = if unknown > 0 { format!(", and {unknown} runs of which nothing is known yet") } else { String::new() };
    let total = sum / how.devices.len().max(1) as f64;
    let _ = writeln!(out, "{} runs, {done} done; about {} left{more}", rows.len(), clock(total));
    let without = rows.iter().all(|row| row.stage != Stage::Done) && plan.evaluate.is_some();
    if without {
        let _ = writeln!(out, "training alone: what evaluations cost is known once one is done");
    }
    Ok(0)
}

/// A cell as it stands in the sweep's folder, where there is one.
fn row(cell: &Cell, plan: &Plan, there: Option<&Ledger>) -> Row {
    let known = there.map(|ledger| ledger.known(cell, plan.evaluate.as_ref()));
    let stage = match known.as_ref().map(|known| &known.standing) {
        Some(Stand::Done) => Stage::Done,
        Some(Stand::Absent | Stand::Running(_) | Stand::Unfinished | Stand::Failed(_) | Stand::Trained) | None => Stage::Waiting,
    };
    let (train_s, evaluate_s) = known.map_or((0.0, 0.0), |known| (known.train_s, known.evaluate_s));
    Row { cell: cell.clone(), stage, steps: None, probe: None, found: Vec::new(), train_s, evaluate_s, left_s: None }
}

/// A row, and what is varied in it.
type Kind = (String, Vec<(String, String)>);

/// Cells that take equally long: all but their seeds and lambda are the same.
fn kind(cell: &Cell) -> Kind {
    (cell.row.clone(), cell.vary.iter().filter(|(key, _)| key != "method.lambda").cloned().collect())
}

/// Seconds of training of each kind of cell of which nothing is known, by some steps of one.
fn try_out(plan: &Plan, rows: &[Row], left: &[Option<f64>], scratch: &Path, how: &How) -> anyhow::Result<BTreeMap<Kind, f64>> {
    let mut tried = BTreeMap::new();
    let mut ledger = None;
    for (row, left) in rows.iter().zip(left) {
        let cell = &row.cell;
        let wanted = row.stage != Stage::Done && left.is_none() && cell.budget.is_none() && estimate::can_be_tried(cell);
        if !wanted || tried.contains_key(&kind(cell)) {
            continue;
        }
        let _ = writeln!(std::io::stderr(), "rematch: some steps of {}", cell.id);
        if ledger.is_none() {
            ledger = Some(Ledger::begin(scratch, plan, OnChange::Tell)?);
        }
        let Some(ledger) = &ledger else { continue };
        let device = how.devices.first().map_or("auto", String::as_str);
        let mut process = Process::pilot_of(ledger, cell, &how.program, device, 0).map_err(anyhow::Error::msg)?;
        let ended = loop {
            if let Some(ended) = process.ended() {
                break ended;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        match estimate::by_pilot(ledger, cell) {
            Some(seconds) => {
                tried.insert(kind(cell), seconds);
            }
            None => {
                let _ = writeln!(std::io::stderr(), "rematch: {}: {}", cell.id, ended.why(&ledger.log(&cell.id)));
            }
        }
    }
    Ok(tried)
}
