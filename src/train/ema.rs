//! A running mean of the weights, judged and saved in their place (`train.ema`).
//!
//! `mean <- d mean + (1 - d) w` after each step, `d = min(decay, (1 + s) / (10 + s))` with s counted from the end of a warm-up of 2.5 %
//! of the plan, during which the mean is the weights themselves (Rebuffi et al., 2021; Wang et al., 2023). Batch-norm statistics are copied.

use crate::nn::Model;
use crate::protocol::Step;
use tch::Device;

/// Share of the plan's steps before averaging begins.
const WARM_UP: f64 = 0.025;

pub struct Ema {
    pub model: Model,
    decay: f64,
    from: Step,
}

impl Ema {
    /// Starts at the student's weights. `steps`: of the whole plan.
    pub fn new(student: &Model, decay: f64, steps: Step, device: Device) -> Self {
        let model = student.twin(device);
        Self { model, decay, from: (WARM_UP * steps as f64).round() as Step }
    }

    /// Takes in the weights after `done` steps.
    pub fn update(&self, student: &Model, done: Step) {
        let _guard = tch::no_grad_guard();
        let decay = match done.checked_sub(self.from + 1) {
            None => 0.0,
            Some(since) => self.decay.min((1.0 + since as f64) / (10.0 + since as f64)),
        };
        let mut mean = self.model.parameters.flat().shallow_clone();
        let _ = mean.lerp_(student.parameters.flat(), 1.0 - decay);
        self.model.take_statistics(student);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;
    use crate::nn::model::{Description, Normalize};

    #[test]
    fn the_mean_is_a_copy_at_first_and_then_lags_behind() {
        let classes = vec!["a".into(), "b".into()];
        let description = Description {
            network: Network::Fc2,
            shape: [1, 28, 28],
            classes,
            normalize: Normalize::default(),
            feature_width: None,
            projector: None,
        };
        let student = Model::new(description, 1, Device::Cpu).unwrap();
        let ema = Ema::new(&student, 0.9, 100, Device::Cpu); // averaging from step 2 (2.5 rounded) on
        let at = |model: &Model| model.parameters.flat().double_value(&[0]);
        let start = at(&student);
        let mut expected = start;
        for done in 1..=40u64 {
            let _guard = tch::no_grad_guard();
            let _ = student.parameters.flat().shallow_clone().g_add_scalar_(1.0);
            ema.update(&student, done);
            let decay = if done <= 3 { 0.0 } else { ((1.0 + (done - 4) as f64) / (10.0 + (done - 4) as f64)).min(0.9) };
            expected = decay * expected + (1.0 - decay) * (start + done as f64);
            assert!((at(&ema.model) - expected).abs() < 1e-4, "after {done}: {} {expected}", at(&ema.model));
        }
        assert!(at(&ema.model) < at(&student) - 1.0);
    }
}
