//! An array with one object a row, with what it takes to make its numbers again: config and changes of the run, attack, images, model.

use rematch::protocol::event::Whose;
use rematch::protocol::report::interval;
use rematch::run::comparison::{Cell, Column, Comparison, Group, Row, Source, Time};
use serde_json::{Value, json};

/// # Errors
/// Never for numbers that are finite, which all of these are.
pub fn of(comparison: &Comparison) -> serde_json::Result<String> {
    let rows: Vec<Value> = comparison.groups.iter().flat_map(|group| group.rows.iter().map(|row| object(group, row))).collect();
    let text = serde_json::to_string_pretty(&rows)?;
    // The escapes that JSON leaves out: what follows 127 acts on terminals as well.
    let whole = text.chars().map(|c| if c.is_control() && c != '\n' { format!("\\u{:04x}", c as u32) } else { c.to_string() });
    Ok(whole.collect::<String>() + "\n")
}

fn object(group: &Group, row: &Row) -> Value {
    let run = &row.run;
    let (s, started) = (&run.summary, &run.started);
    let seconds = |time: Time| match time {
        Time::Seconds(seconds) => Some(seconds),
        Time::Unknown | Time::DoesNotApply => None,
    };
    let changes: Vec<Value> = run
        .changes
        .iter()
        .map(|m| json!({"step": m.step, "change": m.text, "note": m.note, "by_person": m.by_person, "scheduled_at": m.asked_at}))
        .collect();
    let numbers: Vec<Value> =
        group.columns.iter().zip(&row.cells).map(|(column, cell)| measured(column, cell.as_ref())).collect();
    let mut object = json!({
        "label": row.label,
        "run": s.id,
        "folder": run.folder.display().to_string(),
        "of": row.of,
        "data": group.data,
        "threat": group.threat,
        "method": row.method,
        "network": row.network,
        "train_seconds": seconds(row.times.training),
        "numbers": numbers,
        "remarks": row.remarks,
    });
    match row.of {
        Whose::Teacher => object["file"] = json!(started.teacher.as_ref().map(|teacher| &teacher.path)),
        Whose::Student => {
            let more = json!({
                "state": s.state,
                "teacher": started.teacher,
                "lambda": s.lambda,
                "lambda_now": s.lambda_now,
                "epochs_done": s.epochs_done,
                "epochs_planned": s.epochs_planned,
                "train_seconds_with_teacher": seconds(row.times.with_teacher),
                "evaluation_seconds": seconds(row.times.evaluation),
                "changes": changes,
                "config": started.config,
                "device": started.device,
                "program": started.program,
            });
            for (key, value) in more.as_object().into_iter().flatten() {
                object[key] = value.clone();
            }
        }
    }
    object
}

/// With nulls where the run has no such number.
fn measured(column: &Column, cell: Option<&Cell>) -> Value {
    let source = cell.map(|cell| match &cell.source {
        Source::Evaluation { folder, settings } => {
            json!({"kind": "evaluation", "folder": folder.display().to_string(), "settings": settings})
        }
        Source::Final { step } => json!({"kind": "final", "step": step}),
    });
    json!({
        "attack": column.ensemble.name,
        // Of the number itself with its seed.
        "members": cell.map_or(&column.ensemble.members, |cell| &cell.ensemble.members),
        "on": column.on,
        "natural_accuracy": cell.map(|cell| cell.natural),
        "adversarial_accuracy": cell.map(|cell| cell.adversarial),
        "interval_95": cell.map(|cell| interval(cell.adversarial, column.on.images)),
        "evaluations": cell.map_or(0, |cell| cell.of),
        "highest": cell.map(|cell| cell.highest),
        "doubts": cell.map(|cell| &cell.doubts),
        "source": source,
    })
}
