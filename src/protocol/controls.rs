//! What a person can steer, the ranges it may take, and its value at a moment.

use crate::config::units::{self, Eps, Norm};
use crate::config::{Config, Method, Trades};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The live values. They multiply or replace what the config says; schedules themselves are never changed. What a method has no
/// use for is carried along unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Controls {
    /// Cross-entropy weight of RRM.
    pub lambda: f64,
    /// `lr = schedule(step) * lr_scale`.
    pub lr_scale: f64,
    /// Radius for training attacks and for probes.
    pub eps: Eps,
    pub norm: Norm,
    pub flow: Flow,
    /// Steps of each training attack.
    #[serde(default)]
    pub attack_steps: u32,
    /// Length of one of them.
    #[serde(default)]
    pub step_size: Eps,
    /// Of KD and ARD.
    #[serde(default)]
    pub temperature: f64,
    /// Share of the teacher's term of KD, ARD and RSLAD.
    #[serde(default)]
    pub alpha: f64,
    /// Weight of TRADES' divergence.
    #[serde(default)]
    pub beta: f64,
    /// Probes an epoch.
    #[serde(default)]
    pub probes: u32,
}

impl Controls {
    /// What a run begins with.
    pub fn of(config: &Config) -> Self {
        let method = config.method;
        let (attack_steps, step_size) = method.attack().unwrap_or_default();
        Self {
            lambda: method.lambda().unwrap_or(0.0),
            lr_scale: 1.0,
            eps: config.threat.eps,
            norm: config.threat.norm,
            flow: Flow::Running,
            attack_steps,
            step_size,
            temperature: match method {
                Method::Kd(kd) => kd.temperature,
                Method::Ard(ard) => ard.temperature,
                _ => 0.0,
            },
            alpha: match method {
                Method::Kd(kd) => kd.alpha,
                Method::Ard(ard) => ard.alpha,
                Method::Rslad(rslad) => rslad.alpha,
                _ => 0.0,
            },
            beta: if let Method::Trades(Trades { beta, .. }) = method { beta } else { 0.0 },
            probes: config.probe.per_epoch,
        }
    }
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
    AttackSteps,
    StepSize,
    Temperature,
    Alpha,
    Beta,
    Probes,
}

/// One change of one control.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Lambda(f64),
    LrScale(f64),
    Eps(Eps),
    AttackSteps(u32),
    StepSize(Eps),
    Temperature(f64),
    Alpha(f64),
    Beta(f64),
    Probes(u32),
    Flow(Flow),
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

    /// What it does in a run of this method, in a few words. Where training attacks nothing, epsilon is that of the probes alone.
    pub fn meaning(self, method: Method) -> &'static str {
        match (self, method) {
            (Self::Lambda, _) => "ce weight",
            (Self::LrScale, _) => "lr scale",
            (Self::Eps, _) if method.attacks() => "radius",
            (Self::Eps, _) => "probe radius",
            (Self::AttackSteps, _) => "attack steps",
            (Self::StepSize, _) => "step size",
            (Self::Temperature, _) => "temperature",
            (Self::Alpha, Method::Rslad(_)) => "adv share",
            (Self::Alpha, _) => "teacher share",
            (Self::Beta, _) => "kl weight",
            (Self::Probes, _) => "probes/epoch",
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

    pub fn to(self, value: f64) -> Change {
        match self {
            Self::Lambda => Change::Lambda(value),
            Self::LrScale => Change::LrScale(value),
            Self::Eps => Change::Eps(Eps(value)),
            Self::AttackSteps => Change::AttackSteps(value as u32),
            Self::StepSize => Change::StepSize(Eps(value)),
            Self::Temperature => Change::Temperature(value),
            Self::Alpha => Change::Alpha(value),
            Self::Beta => Change::Beta(value),
            Self::Probes => Change::Probes(value as u32),
        }
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

impl Controls {
    /// With the config's values in the places of those that an older checkpoint does not have.
    #[must_use]
    pub fn completed(self, config: &Config) -> Self {
        // No attack has 0 steps once it is written.
        if self.attack_steps > 0 || self.temperature > 0.0 || self.alpha > 0.0 || self.beta > 0.0 || self.probes > 0 {
            return self;
        }
        let Self { lambda, lr_scale, eps, norm, flow, .. } = self;
        Self { lambda, lr_scale, eps, norm, flow, ..Self::of(config) }
    }

    /// The value that a dial shows now.
    pub fn value(&self, dial: Dial) -> f64 {
        match dial {
            Dial::Lambda => self.lambda,
            Dial::LrScale => self.lr_scale,
            Dial::Eps => self.eps.0,
            Dial::AttackSteps => f64::from(self.attack_steps),
            Dial::StepSize => self.step_size.0,
            Dial::Temperature => self.temperature,
            Dial::Alpha => self.alpha,
            Dial::Beta => self.beta,
            Dial::Probes => f64::from(self.probes),
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
            Change::AttackSteps(v) => self.attack_steps = v,
            Change::StepSize(v) => self.step_size = v,
            Change::Temperature(v) => self.temperature = v,
            Change::Alpha(v) => self.alpha = v,
            Change::Beta(v) => self.beta = v,
            Change::Probes(v) => self.probes = v,
            Change::Flow(v) => self.flow = v,
        }
        Ok(self)
    }

    /// The change that would bring `change`'s control back to what it is now.
    pub fn present(&self, change: Change) -> Change {
        match change.dial() {
            Some((dial, _)) => dial.to(self.value(dial)),
            None => Change::Flow(self.flow),
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
            Self::AttackSteps(v) => Some((Dial::AttackSteps, f64::from(v))),
            Self::StepSize(v) => Some((Dial::StepSize, v.0)),
            Self::Temperature(v) => Some((Dial::Temperature, v)),
            Self::Alpha(v) => Some((Dial::Alpha, v)),
            Self::Beta(v) => Some((Dial::Beta, v)),
            Self::Probes(v) => Some((Dial::Probes, f64::from(v))),
            Self::Flow(_) => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.dial()) {
            (_, Some((dial, value))) => write!(f, "{} {}", dial.symbol(), dial.show(value)),
            (Self::Flow(Flow::Paused), None) => f.write_str("paused"),
            (_, None) => f.write_str("resumed"),
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
        assert_eq!(
            Dial::AttackSteps.parse("2.5", 7.0, Norm::Linf).unwrap_err(),
            "attack_steps = 2.5 is not a whole number; allowed: 1 to 1000"
        );
        assert!(Dial::Lambda.parse("soon", 0.1, Norm::Linf).unwrap_err().contains("not a number"));
    }

    #[test]
    fn every_dial_sets_and_gives_back_its_own_value() {
        let text = "{\"lambda\":1,\"lr_scale\":1,\"eps\":0.1,\"norm\":\"linf\",\"flow\":\"running\"}";
        let controls: Controls = serde_json::from_str(text).expect("what older runs wrote");
        for &dial in Dial::ALL {
            let (low, high) = dial.range(Norm::Linf);
            let value = if dial.is_whole() { 3.0 } else { low + (high - low) / 4.0 };
            let change = dial.to(value);
            let turned = controls.with(change).expect("within its range");
            assert_eq!(turned.value(dial), value, "{dial:?}");
            assert_eq!(controls.present(change).dial(), Some((dial, controls.value(dial))), "{dial:?}");
            let others = Dial::ALL.iter().filter(|other| **other != dial);
            assert!(others.into_iter().all(|&other| turned.value(other) == controls.value(other)), "{dial:?}");
        }
    }

    #[test]
    fn values_are_shown_short() {
        for (value, shown) in [(0.005, "0.005"), (5e-5, "5e-5"), (0.123_456, "0.1235"), (0.0, "0"), (1e6, "1e6"), (12.0, "12")] {
            assert_eq!(Dial::Lambda.show(value), shown);
        }
    }
}
