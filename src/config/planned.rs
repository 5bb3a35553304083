//! Changes that a config plans: `lambda 0.01 at 1200`, `lr_scale 0.5 at 2000 over 300 # cool down`.
//!
//! Steps, not epochs: what a person did by hand is repeated at its step.

use super::{Dial, Norm, units};
use serde::{Deserialize, Serialize};

/// What may be written, for messages.
pub const FORM: &str = "DIAL VALUE at STEP [over STEPS] [# note]";
/// Longest note, in characters.
const NOTE: usize = 200;

/// A change that will come by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    pub dial: Dial,
    pub to: f64,
    /// Steps done when it begins.
    pub at: u64,
    /// Steps that it takes; 0: all at once.
    pub over: u64,
    pub note: Option<String>,
}

impl Planned {
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub fn parse(text: &str, norm: Norm) -> Result<Self, String> {
        let (plan, note) = text.split_once('#').map_or((text, None), |(plan, note)| (plan, Some(note.trim())));
        let words: Vec<&str> = plan.split_whitespace().collect();
        let (dial, value, at, over) = match words.as_slice() {
            [dial, value, "at", at] => (dial, value, at, &"0"),
            [dial, value, "at", at, "over", over] => (dial, value, at, over),
            _ => return Err(format!("write it as {FORM}")),
        };
        let names: Vec<&str> = Dial::ALL.iter().map(|d| d.name()).collect();
        let dial = Dial::ALL
            .iter()
            .copied()
            .find(|d| d.name() == *dial)
            .ok_or_else(|| format!("'{dial}' cannot be turned; allowed: {}", names.join(", ")))?;
        let to = units::number(value)?;
        dial.check(to, norm)?;
        let whole =
            |text: &str| text.parse::<u64>().map_err(|_| format!("'{text}' is no whole number of steps; write it as {FORM}"));
        let note = note.filter(|note| !note.is_empty()).map(|note| note.chars().filter(|c| !c.is_control()).take(NOTE).collect());
        Ok(Self { dial, to, at: whole(at)?, over: whole(over)?, note })
    }

    /// As [`Self::parse`] reads it back, to the last bit.
    pub fn text(&self) -> String {
        // Debug prints the shortest digits that read back to the same number.
        let value = if self.dial.is_whole() { format!("{}", self.to) } else { format!("{:?}", self.to) };
        let over = if self.over == 0 { String::new() } else { format!(" over {}", self.over) };
        let note = self.note.as_ref().map_or_else(String::new, |note| format!(" # {note}"));
        format!("{} {value} at {}{over}{note}", self.dial.name(), self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in
            ["lambda 0.01 at 1200", "lr_scale 0.5 at 2000 over 300 # cool down", "probes 3 at 0", "eps 0.03137254901960784 at 7"]
        {
            let planned = Planned::parse(text, Norm::Linf).expect(text);
            assert_eq!(Planned::parse(&planned.text(), Norm::Linf), Ok(planned.clone()));
            assert_eq!(planned.text(), text);
        }
        assert_eq!(Planned::parse("eps 8/255 at 7", Norm::Linf).map(|p| p.to), Ok(8.0 / 255.0));
    }

    #[test]
    fn what_cannot_come_is_refused_with_what_can() {
        for (text, why) in [
            ("lambda", "write it as DIAL VALUE at STEP"),
            ("lambda 0.1 at 5 in 3", "write it as"),
            ("lamda 0.1 at 5", "'lamda' cannot be turned; allowed: lambda"),
            ("lambda soon at 5", "not a number"),
            ("lambda -1 at 5", "allowed: 0 to"),
            ("probes 1.5 at 5", "whole number"),
            ("lambda 1 at 5.5", "'5.5' is no whole number of steps"),
            ("lambda 1 at -5", "'-5' is no whole number of steps"),
        ] {
            let error = Planned::parse(text, Norm::Linf).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
