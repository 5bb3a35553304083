//! Looks at what the teachers answer to a few training images before the first step, and names a teacher that nothing can be learned from.
//!
//! Cosines of features that are all zero are zero: every number stays finite, and no lambda helps. The run itself shows this only as a
//! term that does not pull.

use super::ends::{Ends, RunError, tell};
use super::evaluate;
use super::trainer::Trainer;
use crate::methods;
use crate::nn::host;
use crate::protocol::Event;
use crate::protocol::event::Warning;
use crate::protocol::insight::TeacherFault;
use tch::{Kind, Tensor};

/// Training images that are looked at.
const IMAGES: usize = 64;
/// Answers that differ from image to image by less than this share of the largest are the same.
const SAME: f64 = 1e-6;

impl Trainer {
    /// Tells what is wrong with a teacher's answers. What is wrong with the first teacher's is kept for the insight measurements.
    pub(super) fn check_teachers(&mut self, ends: &mut Ends) -> Result<(), RunError> {
        if self.teacher.is_none() {
            return Ok(());
        }
        let (batch, _) = self.train.batch(&evaluate::subset(self.train.len(), IMAGES))?;
        let images = batch.labels.size()[0];
        if images < 2 {
            return Ok(());
        }
        let matches = self.config.method.matching().is_some();
        let paths: Vec<String> =
            ends.started.teacher.iter().chain(&ends.started.other_teachers).map(|facts| facts.path.clone()).collect();
        let teachers: Vec<_> = self.teacher.iter().chain(&self.other_teachers).cloned().collect();
        for (number, (teacher, path)) in teachers.iter().zip(paths).enumerate() {
            let answer = methods::ask(teacher, &batch.images);
            let (what, numbers) = if matches { ("features", answer.features) } else { ("logits", answer.logits) };
            let Some(fault) = fault(&numbers) else { continue };
            if number == 0 && matches {
                self.teacher_fault = Some(fault);
            }
            let nothing =
                if matches { "nothing can be matched, and no lambda changes that" } else { "nothing can be learned from it" };
            let message = format!(
                "the {what} of the teacher {path} are {} on {images} training images: {nothing}. Use another teacher, or check the \
                 normalisation that it was imported with (rematch import --mean --std)",
                fault.words()
            );
            tell(ends, Event::Warned { step: None, kind: Warning::Teacher, message })?;
        }
        Ok(())
    }
}

/// What is wrong with answers `[N, D]` to different images.
fn fault(answers: &Tensor) -> Option<TeacherFault> {
    let _guard = tch::no_grad_guard();
    let answers = answers.flatten(1, -1).to_kind(Kind::Float);
    let finite = answers.isfinite().all().to_kind(Kind::Float);
    let largest = answers.abs().max();
    let apart = (&answers - answers.mean_dim([0i64].as_slice(), true, Kind::Float)).abs().max();
    let found: Vec<f64> = host::floats(&Tensor::stack(&[finite, largest, apart], 0)).into_iter().map(f64::from).collect();
    let [finite, largest, apart] = found[..] else { return None };
    if finite == 0.0 {
        Some(TeacherFault::NotFinite)
    } else if largest == 0.0 {
        Some(TeacherFault::Zero)
    } else if apart <= SAME * largest {
        Some(TeacherFault::Constant)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    #[test]
    fn answers_that_nothing_can_be_learned_from_are_named() {
        let numbers = Tensor::rand([8, 5], (Kind::Float, Device::Cpu));
        assert_eq!(fault(&numbers), None);
        assert_eq!(fault(&numbers.zeros_like()), Some(TeacherFault::Zero));
        assert_eq!(fault(&numbers.slice(0, 0, 1, 1).expand([8, 5], false)), Some(TeacherFault::Constant));
        let hole = numbers.shallow_clone();
        let _ = hole.get(3).get(2).fill_(f64::NAN);
        assert_eq!(fault(&hole), Some(TeacherFault::NotFinite));
        // Most features of a ReLU network are zero for most images, and that is no fault.
        let sparse = (Tensor::rand([8, 500], (Kind::Float, Device::Cpu)) - 0.95).relu();
        assert_eq!(fault(&sparse), None);
    }
}
