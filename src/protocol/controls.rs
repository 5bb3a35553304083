//! What a person can steer, the ranges it may take, and its value at a moment.

use crate::config::Method;
use crate::config::units::{self, Eps, Norm};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The live values. They multiply or replace what the config says; schedules themselves are never changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Controls {
    /// Cross-entropy weight of RRM; carried along unused by methods without one.
    pub lambda: f64,
    /// `lr = schedule(step) * lr_scale`.
    pub lr_scale: f64,
    /// Radius for training attacks and for probes.
    pub eps: Eps,
    pub norm: Norm,
    pub flow: Flow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    Running,
    Paused,
}

/// A number that can be turned while training runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dial {
    Lambda,
    LrScale,
    Eps,
}

/// One change of one control.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Lambda(f64),
    LrScale(f64),
    Eps(Eps),
    Flow(Flow),
}

impl Dial {
    pub const ALL: &[Self] = &[Self::Lambda, Self::LrScale, Self::Eps];

    /// As the papers write it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Lambda => "λ",
            Self::LrScale => "lr",
            Self::Eps => "ε",
        }
    }

    /// In plain ASCII, as it is typed and as it stands in configs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::LrScale => "lr_scale",
            Self::Eps => "eps",
        }
    }

    /// What it does in a run of this method, in a few words. Where training attacks nothing, epsilon is that of the probes alone.
    pub fn meaning(self, method: Method) -> &'static str {
        match (self, method) {
            (Self::Lambda, _) => "ce weight",
            (Self::LrScale, _) => "lr scale",
            (Self::Eps, Method::Sat(_)) => "radius",
            (Self::Eps, Method::Erm | Method::Rrm(_)) => "probe radius",
        }
    }

    /// Smallest and largest allowed value, both included.
    pub fn range(self, norm: Norm) -> (f64, f64) {
        match self {
            Self::Lambda => (0.0, 1e6),
            Self::LrScale => (0.0, 1e3),
            Self::Eps => (0.0, norm.largest_eps()),
        }
    }

    pub fn to(self, value: f64) -> Change {
        match self {
            Self::Lambda => Change::Lambda(value),
            Self::LrScale => Change::LrScale(value),
            Self::Eps => Change::Eps(Eps(value)),
        }
    }

    /// As people read it: epsilon as `8/255` where it is that.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Eps => Eps(value).to_string(),
            Self::Lambda | Self::LrScale => plain(value),
        }
    }

    /// What a person typed, as a new value: a number (`0.05`, `8/255`, `35%`) or relative to the present one (`*0.5`, `+10%`, `-10%`).
    ///
    /// # Errors
    /// What was typed and the forms or the range that are allowed.
    pub fn parse(self, text: &str, present: f64, norm: Norm) -> Result<f64, String> {
        let text = text.trim();
        let value = if let Some(factor) = text.strip_prefix('*') {
            present * units::number(factor)?
        } else if let Some(divisor) = text.strip_prefix('/') {
            present / units::number(divisor)?
        } else if let (Some(sign @ ('+' | '-')), true) = (text.chars().next(), text.ends_with('%')) {
            let share = units::number(&text[1..])?;
            present * if sign == '+' { 1.0 + share } else { 1.0 - share }
        } else {
            units::number(text)?
        };
        self.check(value, norm).map(|()| value)
    }

    /// # Errors
    /// The value and the allowed range.
    pub fn check(self, value: f64, norm: Norm) -> Result<(), String> {
        let (low, high) = self.range(norm);
        if value.is_finite() && (low..=high).contains(&value) {
            Ok(())
        } else {
            Err(format!("{} = {} is out of range; allowed: {} to {}", self.name(), plain(value), plain(low), plain(high)))
        }
    }
}

/// Four significant digits, without trailing zeros; powers of ten where that is shorter.
fn plain(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if !value.is_finite() {
        return format!("{value}");
    }
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    if (1e-4..1e5).contains(&rounded.abs()) { format!("{rounded}") } else { format!("{rounded:e}") }
}

impl Controls {
    /// The value that a dial shows now.
    pub fn value(&self, dial: Dial) -> f64 {
        match dial {
            Dial::Lambda => self.lambda,
            Dial::LrScale => self.lr_scale,
            Dial::Eps => self.eps.0,
        }
    }

    /// These controls with one change made. Never clamps: a value out of range is refused.
    ///
    /// # Errors
    /// The value and the allowed range.
    pub fn with(mut self, change: Change) -> Result<Self, String> {
        if let Some((dial, value)) = change.dial() {
            dial.check(value, self.norm)?;
        }
        match change {
            Change::Lambda(v) => self.lambda = v,
            Change::LrScale(v) => self.lr_scale = v,
            Change::Eps(v) => self.eps = v,
            Change::Flow(v) => self.flow = v,
        }
        Ok(self)
    }

    /// The change that would bring `change`'s control back to what it is now.
    pub fn present(&self, change: Change) -> Change {
        match change {
            Change::Lambda(_) => Change::Lambda(self.lambda),
            Change::LrScale(_) => Change::LrScale(self.lr_scale),
            Change::Eps(_) => Change::Eps(self.eps),
            Change::Flow(_) => Change::Flow(self.flow),
        }
    }
}

impl Change {
    /// The dial and its value, unless this is about the flow.
    pub fn dial(self) -> Option<(Dial, f64)> {
        match self {
            Self::Lambda(v) => Some((Dial::Lambda, v)),
            Self::LrScale(v) => Some((Dial::LrScale, v)),
            Self::Eps(v) => Some((Dial::Eps, v.0)),
            Self::Flow(_) => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flow(Flow::Paused) => f.write_str("paused"),
            Self::Flow(Flow::Running) => f.write_str("resumed"),
            Self::Lambda(_) | Self::LrScale(_) | Self::Eps(_) => {
                let (dial, value) = self.dial().unwrap_or((Dial::Lambda, f64::NAN));
                write!(f, "{} {}", dial.symbol(), dial.show(value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_values_are_absolute_or_relative() {
        let read = |text: &str| Dial::Lambda.parse(text, 0.4, Norm::Linf).unwrap();
        for (text, value) in
            [("0.05", 0.05), ("*0.5", 0.2), ("/4", 0.1), ("+10%", 0.44), ("-50%", 0.2), ("35%", 0.35), ("8/255", 8.0 / 255.0)]
        {
            assert!((read(text) - value).abs() < 1e-12, "{text}: {}", read(text));
        }
    }

    #[test]
    fn out_of_range_is_refused_with_the_range() {
        let message = Dial::Eps.parse("1.5", 0.1, Norm::Linf).unwrap_err();
        assert_eq!(message, "eps = 1.5 is out of range; allowed: 0 to 1");
        assert!(Dial::Lambda.parse("-1", 0.1, Norm::Linf).unwrap_err().contains("allowed: 0 to"));
        assert!(Dial::Lambda.parse("soon", 0.1, Norm::Linf).unwrap_err().contains("not a number"));
    }

    #[test]
    fn values_are_shown_short() {
        for (value, shown) in [(0.005, "0.005"), (5e-5, "5e-5"), (0.123_456, "0.1235"), (0.0, "0"), (1e6, "1e6"), (12.0, "12")] {
            assert_eq!(Dial::Lambda.show(value), shown);
        }
    }
}
