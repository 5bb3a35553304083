//! What each term of the objective pulls at the student's features, every `insight.every` steps, on a few fixed training images.
//!
//! A weight such as lambda acts through gradients: this shows within a few hundred steps what accuracies tell after epochs. Nothing
//! of training changes: the network is looked at in eval mode, so that batch statistics stay as they are, and nothing is drawn. The
//! gradients are those at the features alone, so that no pass goes back through the network.

use super::ends::{Ends, RunError, tell};
use super::evaluate;
use super::trainer::{Trainer, round};
use crate::methods::{Batch, Look, Pull};
use crate::nn::{Mode, Network, host};
use crate::protocol::{Event, Pulls, Scalar};
use std::time::Instant;
use tch::{Kind, Tensor};

/// Five digits tell all that there is to tell.
fn short(x: f64) -> Scalar {
    Scalar(if x.is_finite() && x != 0.0 { format!("{x:.4e}").parse().unwrap_or(x) } else { x })
}

/// Mean over images of `cos(a, b)`, rows of `[N, D]`; a row of length 0 counts as at right angles to everything.
fn mean_cosine(a: &Tensor, b: &Tensor) -> Tensor {
    Tensor::cosine_similarity(a, b, 1, 1e-12).mean(Kind::Float)
}

/// Of two losses that are means over a batch, each image's own gradient at the features: `[N, D]` both.
fn gradients(losses: &[Tensor; 2], features: &Tensor) -> Option<[Tensor; 2]> {
    let images = features.size().first().copied()? as f64;
    let of = |loss: &Tensor| {
        // Times the size of the batch a row of the mean's gradient is the gradient of its own image.
        Tensor::run_backward(&[loss], &[features], true, false).into_iter().next().map(|gradient| gradient * images)
    };
    Some([of(&losses[0])?, of(&losses[1])?])
}

impl Trainer {
    pub(super) fn insight(&mut self, ends: &mut Ends) -> Result<(), RunError> {
        let settings = self.config.insight;
        if settings.every == 0 || !self.step.is_multiple_of(settings.every) {
            return Ok(());
        }
        let begin = Instant::now();
        if self.insight.is_none() {
            // Read once: images of a streamed set would have to be decoded again each time.
            let (batch, _) = self.train.batch(&evaluate::subset(self.train.len(), settings.images))?;
            self.insight = Some(batch);
        }
        let Some(batch) = self.insight.as_ref().filter(|batch| batch.labels.size()[0] > 0) else { return Ok(()) };
        let Some((mut pulls, numbers)) = self.pulls(batch) else { return Ok(()) };
        let values = host::floats(&numbers);
        pulls.ms = round(begin.elapsed().as_secs_f64() * 1e3, 1);
        let mut values = values.into_iter().map(|v| short(f64::from(v)));
        let mut next = || values.next().unwrap_or(Scalar(f64::NAN));
        (pulls.norms, pulls.cosine) = ([next(), next()], next());
        if pulls.matched.is_some() {
            (pulls.matched, pulls.shuffled) = (Some(next()), Some(next()));
        }
        self.evaluation_time += begin.elapsed();
        tell(ends, Event::Pulled(pulls))
    }

    /// What is known without the device, and the numbers that are still on it, in the order in which they are read.
    fn pulls(&self, batch: &Batch) -> Option<(Pulls, Tensor)> {
        let images = batch.labels.size()[0] as u64;
        let features = {
            let _guard = tch::no_grad_guard();
            self.student.forward(&batch.images, Mode::Eval).features
        };
        let features = features.detach().set_requires_grad(true);
        let logits = self.student.classify(&features)?;
        let look = Look { student: &self.student, batch, features: &features, logits: &logits, controls: &self.controls };
        let Pull { terms, losses, target } = self.method.pull(&look)?;
        let [first, second] = gradients(&losses, &features)?;
        let _guard = tch::no_grad_guard();
        let norm = |g: &Tensor| g.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float).sqrt().mean(Kind::Float);
        let mut numbers = vec![norm(&first), norm(&second), mean_cosine(&first, &second)];
        let compared = target.is_some();
        if let Some(target) = target {
            let own = self.student.project(&features);
            // Every image beside the next one's target: what a match comes to without any learning.
            numbers.extend([mean_cosine(&own, &target), mean_cosine(&own, &target.roll([1i64], [0i64]))]);
        }
        let blank = Scalar(f64::NAN);
        let pulls = Pulls {
            step: self.step,
            terms,
            norms: [blank; 2],
            cosine: blank,
            matched: compared.then_some(blank),
            shuffled: compared.then_some(blank),
            images,
            ms: 0.0,
            teacher: self.teacher_fault,
        };
        Some((pulls, Tensor::stack(&numbers, 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Network as Name, Rrm};
    use crate::methods::Method as _;
    use crate::methods::rrm;
    use crate::nn::model::{Description, Model, Normalize};
    use crate::protocol::Controls;
    use std::rc::Rc;
    use tch::Device;

    fn controls(lambda: f64) -> Controls {
        let text = "{\"lambda\":1,\"lr_scale\":1,\"eps\":0.1,\"norm\":\"linf\",\"flow\":\"running\"}";
        Controls { lambda, ..serde_json::from_str(text).expect("controls") }
    }

    /// By hand: the gradient of cross-entropy at the features is `W^T (softmax - onehot)`, that of minus the cosine
    /// `-(t/|t| - cos * f/|f|) / |f|`.
    #[test]
    fn pulls_are_the_gradients_that_one_works_out_by_hand() {
        let description = || Description {
            network: Name::Fc2,
            shape: [1, 28, 28],
            classes: (0..10).map(|i| i.to_string()).collect(),
            normalize: Normalize { mean: vec![0.3], std: vec![0.35] },
            feature_width: None,
            projector: None,
        };
        let model = |seed| Model::new(description(), seed, Device::Cpu).expect("a network");
        let (student, teacher) = (model(1), Rc::new(model(2)));
        teacher.freeze();
        let images = Tensor::rand([6, 1, 28, 28], (Kind::Float, Device::Cpu));
        let labels = Tensor::from_slice(&[0i64, 1, 2, 3, 4, 5]);
        let batch = Batch::new(crate::nn::channels_last(&images), labels);
        let features = {
            let _guard = tch::no_grad_guard();
            student.forward(&batch.images, Mode::Eval).features
        };
        let features = features.detach().set_requires_grad(true);
        let logits = student.classify(&features).expect("a head");
        let lambda = 0.3;
        let controls = controls(lambda);
        let look = Look { student: &student, batch: &batch, features: &features, logits: &logits, controls: &controls };
        let method = rrm::Rrm::new(Rrm::cosine(lambda), teacher.clone());
        let pull = method.pull(&look).expect("two terms");
        let [first, second] = gradients(&pull.losses, &features).expect("two gradients");
        let _guard = tch::no_grad_guard();
        let head = student.parameters.entries().iter().rev().find(|p| p.name.ends_with("weight")).expect("a head");
        let wrong = logits.softmax(1, Kind::Float) - batch.labels.onehot(10);
        let by_hand = wrong.matmul(&head.tensor) * lambda;
        let apart = |a: &Tensor, b: &Tensor| host::floats(&((a - b).abs().max() / b.abs().max()))[0];
        assert!(apart(&first, &by_hand) < 1e-4, "{}", apart(&first, &by_hand));
        let target = teacher.forward(&batch.images, Mode::Eval).features;
        let length = |x: &Tensor| x.square().sum_dim_intlist([1i64].as_slice(), true, Kind::Float).sqrt();
        let (f, t) = (&features / length(&features), &target / length(&target));
        let cosine = (&f * &t).sum_dim_intlist([1i64].as_slice(), true, Kind::Float);
        let by_hand = -(t - cosine * f) / length(&features);
        assert!(apart(&second, &by_hand) < 1e-4, "{}", apart(&second, &by_hand));
    }

    /// What is measured can be written down, whatever it is.
    #[test]
    fn numbers_are_short() {
        assert_eq!([short(0.123_456_789), short(0.0), short(-1e-9)], [Scalar(0.123_46), Scalar(0.0), Scalar(-1e-9)]);
        assert!(short(f64::NAN).0.is_nan());
    }
}
