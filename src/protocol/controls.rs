//! What a person can steer, the ranges it may take, and its value at a moment.

use crate::config::{Config, Dial, Eps, Method, Norm, Trades};
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
                Method::RrmPlus(plus) => plus.temperature,
                _ => 0.0,
            },
            alpha: match method {
                Method::Kd(kd) => kd.alpha,
                Method::Ard(ard) => ard.alpha,
                Method::Rslad(rslad) => rslad.alpha,
                Method::RrmPlus(plus) => plus.alpha,
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
