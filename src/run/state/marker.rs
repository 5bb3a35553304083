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
