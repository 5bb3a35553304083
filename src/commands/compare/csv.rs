//! Comma-separated values (RFC 4180) with fractions and seconds: a header and its lines for each data and threat, an empty line
//! between two of them. A missing number is an empty field; doubts stand in the remarks, so that a number stays one.

use rematch::protocol::event::Whose;
use rematch::run::comparison::{Comparison, Group, Row, Time};

const FACTS: &[&str] = &[
    "data",
    "threat_norm",
    "threat_eps",
    "run",
    "of",
    "method",
    "student",
    "teacher",
    "lambda",
    "changes",
    "epochs_done",
    "epochs_planned",
    "train_seconds",
    "train_seconds_with_teacher",
    "evaluation_seconds",
];

pub fn of(comparison: &Comparison) -> String {
    comparison.groups.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn block(group: &Group) -> String {
    let legend = super::words::legend(group).into_iter().map(|(name, what)| format!("{name}: {what}"));
    let mut header: Vec<String> = FACTS.iter().map(|name| (*name).to_string()).chain(legend).collect();
    header.push("remarks".into());
    let mut text = line(&header);
    for row in &group.rows {
        text += &line(&fields(group, row));
    }
    text
}

fn fields(group: &Group, row: &Row) -> Vec<String> {
    let seconds = |time: Time| match time {
        Time::Seconds(seconds) => number(Some(seconds)),
        Time::Unknown | Time::DoesNotApply => String::new(),
    };
    let (of, changes) = match row.of {
        Whose::Student => ("student", row.run.changes.len().to_string()),
        Whose::Teacher => ("teacher", String::new()),
    };
    let mut fields = vec![
        group.data.name.clone(),
        group.threat.norm.name().to_string(),
        group.threat.eps.0.to_string(),
        row.label.clone(),
        of.to_string(),
        row.method.clone().unwrap_or_default(),
        row.network.clone(),
        row.teacher.clone().unwrap_or_default(),
        row.lambda.clone().unwrap_or_default(),
        changes,
    ];
    fields.extend([0, 1].map(|i| row.epochs.map_or_else(String::new, |epochs| epochs[i].to_string())));
    fields.extend([row.times.training, row.times.with_teacher, row.times.evaluation].map(seconds));
    fields.extend(row.naturals.iter().map(|natural| number(*natural)));
    fields.extend(row.cells.iter().map(|cell| number(cell.as_ref().map(|cell| cell.adversarial))));
    fields.push(row.remarks.join("; "));
    fields
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn line(fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    fields.join(",") + "\n"
}

/// Ends of lines are part of a field in quotes; other control characters would act on a terminal.
fn quoted(field: &str) -> String {
    let field: String = field.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\r' | '\t') { '?' } else { c }).collect();
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_field_is_quoted() {
        let fields = ["plain", "a,b", "say \"so\"", "two\nlines", "\u{1b}[2J", ""].map(String::from);
        assert_eq!(line(&fields), "plain,\"a,b\",\"say \"\"so\"\"\",\"two\nlines\",?[2J,\n");
    }
}
