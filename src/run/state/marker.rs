//! What belongs on the charts at a step.

use crate::protocol::{Dial, Step};

/// Something at a step that belongs on the charts.
#[derive(Clone, Debug, PartialEq)]
pub struct Marker {
    /// Number of the record that it was made of.
    pub seq: u64,
    pub step: Step,
    pub at_ms: u64,
    pub kind: MarkerKind,
    /// `λ 0.5 -> 0.25`, `checkpoint`, what the warning saw.
    pub text: String,
    pub note: Option<String>,
    pub by_person: bool,
    /// Steps done when a person asked for a change that came later or bit by bit.
    pub asked_at: Option<Step>,
    /// Steps that a change comes over; 0: all at once.
    pub over: u64,
}

impl Marker {
    /// The change with its steps: `λ 0.5 -> 0.25 from step 300`, `λ 0.5 -> 0.25 over steps 300 to 400`.
    pub fn with_steps(&self) -> String {
        if self.over == 0 { format!("{} from step {}", self.text, self.step) } else { self.text.clone() }
    }

    /// Who asked for it: `by a person`, `by hand, scheduled at step 100`, `by schedule`, `by itself`.
    pub fn who(&self) -> String {
        match (self.by_person, self.asked_at, self.kind) {
            (true, Some(asked_at), _) => format!("by hand, scheduled at step {asked_at}"),
            (true, None, _) => "by a person".into(),
            (false, _, MarkerKind::Dial(_)) => "by schedule".into(),
            (false, _, MarkerKind::Saved | MarkerKind::Warning | MarkerKind::Resumed | MarkerKind::Branched) => {
                "by itself".into()
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerKind {
    Dial(Dial),
    Saved,
    Warning,
    Resumed,
    /// It began with another run's weights.
    Branched,
}

impl MarkerKind {
    /// One letter for the top row of a chart.
    pub fn letter(self) -> char {
        match self {
            Self::Dial(Dial::Lambda) => 'λ',
            Self::Dial(Dial::LrScale) => 'L',
            Self::Dial(Dial::Eps) => 'ε',
            Self::Dial(dial) => dial.symbol().chars().next().unwrap_or('D'),
            Self::Saved => 'S',
            Self::Warning => '!',
            Self::Resumed => 'R',
            Self::Branched => 'F',
        }
    }
}
