//! What may stand where the cursor is: the words that Tab walks through.
//!
//! Pure. It only suggests; what is meant in the end is judged by [`super::parse`].

use super::Known;
use super::parse::{AXES, GLYPHS, WORDS, find};
use crate::protocol::Dial;
use crate::ui::layout::View;
use crate::ui::screen::SMOOTHING;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Byte where the word begins that they would replace.
    pub start: usize,
    /// The likeliest first.
    pub words: Vec<String>,
}

/// What fits after `before`, the text up to the cursor.
pub fn complete(before: &str, known: Known) -> Completion {
    let start = before.rfind(char::is_whitespace).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let typed = &before[start..];
    let earlier: Vec<&str> = before[..start].split_whitespace().collect();
    let words = match earlier.split_first() {
        None => WORDS.iter().map(|word| word.name.to_string()).collect(),
        Some((name, rest)) => find(name).map_or_else(Vec::new, |word| arguments(word.name, rest, known)),
    };
    let words = words.into_iter().filter(|word| word.starts_with(typed)).collect();
    Completion { start, words }
}

fn arguments(name: &str, earlier: &[&str], known: Known) -> Vec<String> {
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_string()).collect::<Vec<_>>();
    let dials: &[Dial] = known.state.started.as_ref().map_or(&[], |s| &s.dials);
    let dials = || dials.iter().map(|dial| dial.name().to_string()).collect::<Vec<_>>();
    match (name, earlier) {
        ("set", []) => dials(),
        ("set", [_, _, times @ ..]) if !times.contains(&"note") => {
            // A number is the person's own.
            if matches!(times.last(), Some(&("at-step" | "at-epoch" | "ramp"))) {
                Vec::new()
            } else {
                let begins = times.iter().any(|word| word.starts_with("at-"));
                let mut words = if begins { Vec::new() } else { texts(&["at-step", "at-epoch"]) };
                if !times.contains(&"ramp") {
                    words.push("ramp".into());
                }
                words.push("note".into());
                words
            }
        }
        ("unset", []) => {
            let mut names: Vec<String> = Vec::new();
            for timed in &known.state.scheduled {
                if !names.iter().any(|name| name == timed.dial.name()) {
                    names.push(timed.dial.name().into());
                }
            }
            names
        }
        ("stop", []) => texts(&["now", "epoch"]),
        ("view", []) => View::ALL.iter().map(|view| view.name().to_lowercase()).collect(),
        ("x", []) => AXES.iter().map(|(name, _)| (*name).to_string()).collect(),
        ("smooth", []) => SMOOTHING.iter().map(f64::to_string).collect(),
        ("theme", []) => texts(known.themes),
        ("glyphs", []) => GLYPHS.iter().map(|(name, _)| (*name).to_string()).collect(),
        ("help", []) => WORDS.iter().map(|word| word.name.to_string()).collect(),
        _ => Vec::new(),
    }
}
