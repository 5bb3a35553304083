//! What can be turned while training runs: names, ranges, and numbers as people write them.
//!
//! A value is judged here and put into force elsewhere.

use super::units;
use super::{Eps, Method, Norm};
use serde::{Deserialize, Serialize};

/// A number that can be turned while training runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dial {
    Lambda,
    LrScale,
    Eps,
    AttackSteps,
    StepSize,
    Temperature,
    Alpha,
    Beta,
    Probes,
}

impl Dial {
    pub const ALL: &[Self] = &[
        Self::Lambda,
        Self::LrScale,
        Self::Eps,
        Self::AttackSteps,
        Self::StepSize,
        Self::Temperature,
        Self::Alpha,
        Self::Beta,
        Self::Probes,
    ];

    /// As the papers write it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Lambda => "λ",
            Self::LrScale => "lr",
            Self::Eps => "ε",
            Self::AttackSteps => "K",
            Self::StepSize => "η",
            Self::Temperature => "T",
            Self::Alpha => "α",
            Self::Beta => "β",
            Self::Probes => "P",
        }
    }

    /// In plain ASCII, as it is typed and as it stands in configs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::LrScale => "lr_scale",
            Self::Eps => "eps",
            Self::AttackSteps => "attack_steps",
            Self::StepSize => "step_size",
            Self::Temperature => "temperature",
            Self::Alpha => "alpha",
            Self::Beta => "beta",
            Self::Probes => "probes",
        }
    }

    /// What it does in a run of this method, in a few words, spelt out and short. Where training attacks nothing, epsilon is that of
    /// the probes alone.
    pub fn meanings(self, method: Method) -> [&'static str; 2] {
        match (self, method) {
            (Self::Lambda, _) => ["cross-entropy weight", "ce weight"],
            (Self::LrScale, _) => ["learning rate scale", "lr scale"],
            (Self::Eps, _) if method.attacks() => ["radius"; 2],
            (Self::Eps, _) => ["probe radius"; 2],
            (Self::AttackSteps, _) => ["attack steps"; 2],
            (Self::StepSize, _) => ["step size"; 2],
            (Self::Temperature, _) => ["temperature"; 2],
            (Self::Alpha, Method::Rslad(_)) => ["adversarial share", "adv share"],
            (Self::Alpha, _) => ["teacher share"; 2],
            (Self::Beta, _) => ["divergence weight", "kl weight"],
            (Self::Probes, _) => ["probes per epoch", "probes/epoch"],
        }
    }

    /// Smallest and largest allowed value, both included.
    pub fn range(self, norm: Norm) -> (f64, f64) {
        match self {
            Self::Lambda | Self::Beta => (0.0, 1e6),
            Self::LrScale | Self::Probes => (0.0, 1e3),
            Self::Eps | Self::StepSize => (0.0, norm.largest_eps()),
            Self::AttackSteps => (1.0, 1000.0),
            Self::Temperature => (1e-3, 1e3),
            Self::Alpha => (0.0, 1.0),
        }
    }

    /// Whether it counts something.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::AttackSteps | Self::Probes)
    }

    /// As people read it: epsilon as `8/255` where it is that.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Eps | Self::StepSize => Eps(value).to_string(),
            _ => plain(value),
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
        let range = format!("{} to {}", plain(low), plain(high));
        if !value.is_finite() || !(low..=high).contains(&value) {
            Err(format!("{} = {} is out of range; allowed: {range}", self.name(), plain(value)))
        } else if self.is_whole() && value.fract() != 0.0 {
            Err(format!("{} = {} is not a whole number; allowed: {range}", self.name(), plain(value)))
        } else {
            Ok(())
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
        assert_eq!(
            Dial::AttackSteps.parse("2.5", 7.0, Norm::Linf).unwrap_err(),
            "attack_steps = 2.5 is not a whole number; allowed: 1 to 1000"
        );
        assert!(Dial::Lambda.parse("soon", 0.1, Norm::Linf).unwrap_err().contains("not a number"));
    }
}
