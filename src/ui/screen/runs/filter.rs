//! Which runs a typed filter lets through: words that must all be found, and `key:value` for one column.
//!
//! Case does not matter. A key that is none is a word like any other, so that nothing typed is an error.

use super::order::state_word;
use crate::run::shelf::{Entry, Facts};

/// Whether every word of the filter fits the run.
pub(super) fn fits(entry: &Entry, filter: &str) -> bool {
    filter.split_whitespace().all(|word| {
        let word = word.to_lowercase();
        match word.split_once(':') {
            Some((key, value)) => column(entry, key, value).unwrap_or_else(|| anywhere(entry, &word)),
            None => anywhere(entry, &word),
        }
    })
}

/// `None`: there is no such column.
fn column(entry: &Entry, key: &str, value: &str) -> Option<bool> {
    let facts = entry.found.as_deref().ok();
    let has = |text: fn(&Facts) -> &str| facts.is_some_and(|facts| text(facts).to_lowercase().contains(value));
    Some(match key {
        "id" | "run" => entry.id.to_lowercase().contains(value),
        "state" => state_word(entry).contains(value),
        "method" => has(|f| &f.summary.method),
        "network" | "student" => has(|f| &f.summary.student),
        "teacher" => has(|f| f.summary.teacher.as_deref().unwrap_or_default()),
        "data" => has(|f| &f.summary.data),
        "threat" | "eps" => has(|f| &f.summary.threat),
        "parent" => has(|f| f.summary.parent.as_ref().map_or("", |parent| &parent.run)),
        "lambda" | "λ" | "l" => facts.is_some_and(|facts| lambda(facts, value)),
        _ => return None,
    })
}

/// A number is that number, however it is written; of a run that was turned the first and the last count.
fn lambda(facts: &Facts, value: &str) -> bool {
    let s = &facts.summary;
    match value.parse::<f64>() {
        Ok(wanted) => [s.lambda, s.lambda_now].contains(&Some(wanted)),
        Err(_) => s.lambda_shown().is_some_and(|shown| shown.contains(value)),
    }
}

fn anywhere(entry: &Entry, word: &str) -> bool {
    let within = |text: &str| text.to_lowercase().contains(word);
    within(&entry.id)
        || within(state_word(entry))
        || match &entry.found {
            Ok(facts) => {
                let s = &facts.summary;
                let teacher = s.teacher.as_deref().unwrap_or_default();
                let message = s.message.as_deref().unwrap_or_default();
                [&s.method, &s.student, teacher, &s.data, message].into_iter().any(within)
            }
            Err(why) => within(why),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::shelf::made::run;

    #[test]
    fn words_must_all_be_found_and_columns_are_named() {
        let rrm = run("night-3").lambda(0.005).entry();
        for filter in
            ["", "night", "NIGHT rrm", "method:rrm", "lambda:0.005 state:completed", "λ:5e-3", "id:ght fc3", "what:ever night"]
        {
            assert_eq!(fits(&rrm, filter), !filter.contains("what:"), "{filter}");
        }
        for filter in ["day", "method:sat", "lambda:0.05", "night sat", "state:failed", "parent:x"] {
            assert!(!fits(&rrm, filter), "{filter}");
        }
        let broken = Entry { id: "old".into(), found: Err("line 3: not a record".into()) };
        assert!(fits(&broken, "state:broken") && fits(&broken, "record") && !fits(&broken, "method:rrm"));
    }
}
