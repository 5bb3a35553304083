//! When a change is to come: `at-step 500`, `at-epoch 20`, `ramp 300`, `ramp 2e`, or both; nothing is the next step.
//!
//! Pure: from words and the run's plan to steps. The worker judges once more, because it may be further by then.

use crate::protocol::Step;
use crate::run::RunState;
use crate::run::state::Phase;

/// What may be written, for messages.
pub const FORMS: &str = "at-step N, at-epoch N, ramp N (steps), ramp Ne (epochs)";
/// A ramp without a beginning begins this much later: by then the worker has heard of it.
const AHEAD_SECONDS: f64 = 1.0;

/// A change that does not come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Steps done when it begins.
    pub at: Step,
    /// Steps that it takes; 0: all at once.
    pub over: u64,
}

impl When {
    /// `None`: at the next step.
    ///
    /// # Errors
    /// What was written, and what is allowed.
    pub fn parse(words: &[&str], state: &RunState) -> Result<Option<Self>, String> {
        let (mut at, mut over) = (None, None);
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let value = words.next().copied();
            let needs = |what: &str| value.ok_or_else(|| format!("{word} needs {what}"));
            match word {
                "at-step" | "at-epoch" if at.is_some() => return Err(format!("{word}: it can begin only once")),
                "ramp" if over.is_some() => return Err("ramp stands there twice".into()),
                "at-step" => at = Some(whole("at-step", needs("a step")?)?),
                "at-epoch" => at = Some(epochs("at-epoch", needs("a number of epochs done")?, state)?),
                "ramp" => {
                    let text = needs("a number of steps, or of epochs as 2e")?;
                    let steps = match text.strip_suffix('e') {
                        Some(number) => epochs("ramp", number, state)?,
                        None => whole("ramp", text)?,
                    };
                    if steps == 0 {
                        return Err(format!("ramp {text} takes no time; allowed: ramp 1 and more, or no ramp"));
                    }
                    over = Some(steps);
                }
                other => return Err(format!("'{other}' is no time; allowed: {FORMS}")),
            }
        }
        if at.is_none() && over.is_none() {
            return Ok(None);
        }
        let when = Self { at: at.unwrap_or_else(|| soon(state)), over: over.unwrap_or(0) };
        when.check(state).map(|()| Some(when))
    }

    /// What the worker would refuse.
    fn check(self, state: &RunState) -> Result<(), String> {
        let (last, now) = (state.plan_steps(), state.step);
        if last == 0 {
            return Err("the run has not started yet".into());
        }
        if self.at < now {
            return Err(format!("step {} is over; allowed: {} to {}", self.at, now + 1, last.saturating_sub(1)));
        }
        if self.at >= last {
            return Err(format!("step {} is beyond the run; allowed: {} to {}", self.at, now + 1, last - 1));
        }
        if self.at.checked_add(self.over).is_none_or(|end| end > last) {
            return Err(format!(
                "a ramp of {} from step {} ends beyond the run; allowed: 1 to {} steps",
                self.over,
                self.at,
                last - self.at
            ));
        }
        Ok(())
    }

    /// `at step 1420 (epoch 20)`, `over steps 500 to 900 (epoch 7.0 to 12.7)`.
    pub fn words(self, state: &RunState) -> String {
        let per = state.started.as_ref().map_or(1, |s| s.plan.steps_per_epoch.max(1));
        let epoch = |step: Step| {
            if step.is_multiple_of(per) { (step / per).to_string() } else { format!("{:.1}", step as f64 / per as f64) }
        };
        let (at, end) = (self.at, self.at + self.over);
        if self.over == 0 {
            format!("at step {at} (epoch {})", epoch(at))
        } else {
            format!("over steps {at} to {end} (epoch {} to {})", epoch(at), epoch(end))
        }
    }
}

fn soon(state: &RunState) -> Step {
    let ahead = match state.phase {
        Phase::Paused => 0,
        Phase::Preparing | Phase::Running | Phase::Stopping(_) | Phase::Finished(_) if state.step_seconds > 0.0 => {
            (AHEAD_SECONDS / state.step_seconds).ceil().min(1e6) as u64
        }
        Phase::Preparing | Phase::Running | Phase::Stopping(_) | Phase::Finished(_) => 1,
    };
    state.step.saturating_add(ahead)
}

fn whole(what: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{what} {text}: '{text}' is no whole number of steps; allowed: 0, 1, 2 and so on"))
}

fn epochs(what: &str, text: &str, state: &RunState) -> Result<u64, String> {
    let per = state.started.as_ref().map_or(0, |s| s.plan.steps_per_epoch);
    let number: Option<f64> = text.parse().ok().filter(|n: &f64| n.is_finite() && (0.0..=1e9).contains(n));
    number
        .map(|epochs| (epochs * per as f64).round() as u64)
        .ok_or_else(|| format!("{what} {text}: '{text}' is no number of epochs; allowed: 3, 2.5 and so on"))
}
