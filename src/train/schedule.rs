//! Learning rates as pure functions of the step. The live scale multiplies what comes out; nothing here remembers.

use crate::config::Schedule;
use crate::protocol::Step;
use crate::protocol::event::Plan;

/// The learning rate of step `step`, from 0, of a run that peaks at `lr`.
pub fn lr(schedule: &Schedule, lr: f64, plan: Plan, step: Step) -> f64 {
    let t = step as f64 / plan.steps().max(1) as f64;
    match schedule {
        Schedule::Constant => lr,
        // RRM's own code: lr_0 = lr, lr_T = final_lr, per step.
        Schedule::Cosine { final_lr } => {
            let rest = final_lr / lr;
            lr * (rest + (1.0 - rest) * 0.5 * (1.0 + (std::f64::consts::PI * t).cos()))
        }
        // The first step has lr 0 in the reference, a step that does nothing; here it is the first point above 0.
        Schedule::OneCycle { peak, .. } => {
            let t = (step as f64 + 1.0) / (plan.steps() as f64 + 1.0);
            lr * if t < *peak { t / peak } else { (1.0 - t) / (1.0 - peak) }
        }
        Schedule::Multistep { epochs, gamma } => {
            let epoch = step / plan.steps_per_epoch.max(1);
            lr * gamma.powi(epochs.iter().filter(|&&e| epoch >= e).count() as i32)
        }
    }
}

/// The momentum of step `step`, where the schedule moves it: `momentum` at learning rate 0, `low_momentum` at the peak, linear
/// between them, as PyTorch's `CyclicLR` does unless it is told not to.
pub fn momentum(schedule: &Schedule, momentum: f64, plan: Plan, step: Step) -> Option<f64> {
    match schedule {
        Schedule::OneCycle { low_momentum: Some(low), .. } => Some(momentum - (momentum - low) * lr(schedule, 1.0, plan, step)),
        Schedule::OneCycle { low_momentum: None, .. }
        | Schedule::Constant
        | Schedule::Cosine { .. }
        | Schedule::Multistep { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { epochs: 48, steps_per_epoch: 391, most: None };

    /// ALGORITHMS 0.3: lr 0.1, T = 18768.
    #[test]
    fn cosine_has_its_golden_values() {
        let cosine = Schedule::Cosine { final_lr: 1e-6 };
        for (step, expected) in [(0, 0.1), (4692, 0.085_355_485_505_936_79), (9384, 0.050_000_5), (18768, 1e-6)] {
            assert!((lr(&cosine, 0.1, PLAN, step) - expected).abs() < 1e-12, "step {step}");
        }
    }

    #[test]
    fn one_cycle_rises_to_its_peak_and_falls_to_nothing() {
        let schedule = Schedule::OneCycle { peak: 0.4, low_momentum: None };
        let plan = Plan { epochs: 10, steps_per_epoch: 100, most: None };
        let at = |step| lr(&schedule, 0.2, plan, step);
        assert!(at(0) > 0.0 && at(0) < 0.001);
        assert!((at(399) - 0.2).abs() < 1e-3 && (at(199) - 0.1).abs() < 1e-3 && (at(699) - 0.1).abs() < 1e-3);
        assert!(at(999) > 0.0 && at(999) < 0.001);
        assert!((0..399).all(|s| at(s) < at(s + 1)) && (400..999).all(|s| at(s) > at(s + 1)));
    }

    /// ALGORITHMS 14: PyTorch's `CyclicLR` over 100 steps, half a step apart, as our first step is not the one of no effect.
    #[test]
    fn momentum_is_lowest_where_the_learning_rate_peaks() {
        let schedule = Schedule::OneCycle { peak: 0.5, low_momentum: Some(0.8) };
        let plan = Plan { epochs: 1, steps_per_epoch: 99, most: None };
        for (step, rate, expected) in [(24, 0.1, 0.85), (49, 0.2, 0.8), (74, 0.1, 0.85)] {
            assert!((lr(&schedule, 0.2, plan, step) - rate).abs() < 1e-12);
            assert!((momentum(&schedule, 0.9, plan, step).unwrap() - expected).abs() < 1e-12, "step {step}");
        }
        assert_eq!(momentum(&Schedule::OneCycle { peak: 0.5, low_momentum: None }, 0.9, plan, 3), None);
    }

    #[test]
    fn multistep_drops_at_its_epochs() {
        let schedule = Schedule::Multistep { epochs: vec![35, 45], gamma: 0.1 };
        let at = |epoch: u64, step: u64| lr(&schedule, 0.1, PLAN, epoch * 391 + step);
        assert_eq!((at(0, 0), at(34, 390)), (0.1, 0.1));
        assert!((at(35, 0) - 0.01).abs() < 1e-12 && (at(44, 390) - 0.01).abs() < 1e-12 && (at(45, 0) - 0.001).abs() < 1e-12);
    }
}
