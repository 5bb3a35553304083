//! Natural accuracy and accuracy under PGD: probes on the way and the number a run ends with. What is to be believed of a finished
//! model is [`super::audit`]'s.
//!
//! An image counts as robust when it is classified correctly as it is and at every iterate of every restart of the attack: the
//! worst case over all images visited, never the last one alone. Where an image's attack starts depends on the attack's seed, the
//! restart and the image's place in its set, and on nothing else: not on the batch size, not on the other images. Always in eval mode.

use super::device::ManyShapes;
use super::pool::Pool;
use crate::attacks::{Attack, Ball, Fooled, GoOn, Pgd, Setting, Subjects, WorstOfPgd, answers};
use crate::config::AttackSpec;
use crate::data::DataError;
use crate::nn::{Mode, Network, host};
use crate::random::{self, AttackKey, Purpose};
use tch::Tensor;

/// Images in a batch of an evaluation, and the numbers they may have in all: of large images fewer fit. Results do not depend on it
/// beyond floating-point rounding.
const BATCH: usize = 250;
const NUMBERS: usize = BATCH * 3 * 64 * 64;

/// Fractions 0-1.
#[derive(Clone, Debug, PartialEq)]
pub struct Accuracy {
    pub natural: f64,
    pub adversarial: f64,
    pub images: usize,
    /// Places of the images that are classified correctly as they are and not under the attack.
    pub fooled: Vec<i64>,
}

/// Images that are done, and how many of them stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: usize,
    pub robust: usize,
}

/// Images of this set in a batch that nobody chose.
pub fn batch(set: &Pool) -> usize {
    (NUMBERS / set.image_len().max(1)).clamp(1, BATCH)
}

/// Which images of a set of `total` an evaluation of `images` looks at: always the same ones, of all classes alike.
pub fn subset(total: usize, images: usize) -> Vec<i64> {
    if images >= total {
        return (0..total as i64).collect();
    }
    // Not the run's seed: every run is to be probed on the same images.
    let mut chosen = random::permutation(total, random::seed(0, Purpose::EvaluationStart, u64::MAX));
    chosen.truncate(images);
    chosen.sort_unstable();
    chosen
}

/// Evaluates on the images at `indices` under PGD with the steps, restarts and start of `attack`. `None` when it was told not to go on.
///
/// # Errors
/// A file of a streamed set that cannot be read.
pub fn evaluate(
    network: &dyn Network,
    set: &Pool,
    indices: &[i64],
    attack: &AttackSpec,
    mut go_on: impl FnMut(Progress) -> GoOn,
) -> Result<Option<Accuracy>, DataError> {
    let (mut natural, mut adversarial, mut images, mut fooled) = (0, 0, 0, Vec::new());
    let batch = batch(set);
    let _shapes = ManyShapes::begin();
    for places in indices.chunks(batch) {
        let so_far = Progress { done: images, robust: adversarial };
        let mut go_on = || go_on(so_far);
        let Some((correct, robust, places)) = examine(network, set, places, attack, &mut go_on)? else { return Ok(None) };
        natural += correct.iter().filter(|c| **c).count();
        adversarial += robust.iter().filter(|r| **r).count();
        // Fewer than were asked for where files cannot be read and are to be left out.
        images += correct.len();
        fooled.extend((0..correct.len()).filter(|&i| correct[i] && !robust[i]).map(|i| places[i]));
    }
    let share = |n: usize| n as f64 / images.max(1) as f64;
    Ok(Some(Accuracy { natural: share(natural), adversarial: share(adversarial), images, fooled }))
}

/// Per image: correct as it is; correct wherever the attack went; its place.
type Verdicts = (Vec<bool>, Vec<bool>, Vec<i64>);

/// `None` when it was told not to go on.
fn examine(
    network: &dyn Network,
    set: &Pool,
    places: &[i64],
    attack: &AttackSpec,
    go_on: &mut impl FnMut() -> GoOn,
) -> Result<Option<Verdicts>, DataError> {
    if matches!(go_on(), GoOn::No) {
        return Ok(None);
    }
    let (batch, places) = set.batch(places)?;
    if places.is_empty() {
        return Ok(Some((Vec::new(), Vec::new(), places)));
    }
    let natural = {
        let _guard = tch::no_grad_guard();
        host::flags(&answers(&network.forward(&batch.images, Mode::Eval).logits, &batch.labels))
    };
    let mut robust = natural.clone();
    let pgd = Pgd { ball: Ball::new(attack.norm, attack.eps), steps: attack.steps, step_size: attack.step_size.0 };
    for restart in 0..attack.restarts.max(1) {
        // Only what still stands is attacked.
        let standing: Vec<usize> = (0..places.len()).filter(|&i| robust[i]).collect();
        if standing.is_empty() {
            break;
        }
        let rows = Tensor::from_slice(&standing.iter().map(|&i| i as i64).collect::<Vec<_>>()).to_device(batch.images.device());
        let subjects = Subjects {
            images: crate::nn::channels_last(&batch.images.index_select(0, &rows)),
            labels: batch.labels.index_select(0, &rows),
            targets: None,
            places: standing.iter().map(|&i| places[i]).collect(),
        };
        // The draws of `rematch eval`, so that it gives the numbers that a run ended with.
        let key = AttackKey::new(attack.seed, attack.name.name(), 0, restart);
        let mut setting = Setting { network, key, fooled: Fooled::Leave, go_on };
        let Some(found) = (WorstOfPgd { pgd, start: attack.random_start }).run(&subjects, &mut setting) else { return Ok(None) };
        for (&i, fooled) in standing.iter().zip(found.fooled) {
            robust[i] = !fooled;
        }
    }
    Ok(Some((natural, robust, places)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Eps, Norm, Threat};
    use crate::data::Images;
    use crate::nn::Model;
    use crate::nn::model::{Description, Normalize};
    use crate::train::memory::Memory;
    use tch::Device;

    fn model() -> Model {
        let description = Description {
            network: crate::config::Network::Fc2,
            shape: [1, 28, 28],
            classes: (0..10).map(|i| i.to_string()).collect(),
            normalize: Normalize { mean: vec![0.5], std: vec![0.3] },
            feature_width: None,
            projector: None,
        };
        Model::new(description, 4, Device::Cpu).unwrap()
    }

    /// Random images labelled with what the model itself says of them, so that natural accuracy is 1.
    fn labelled(model: &Model, n: usize) -> Pool {
        let mut stream = random::Stream::new(9);
        let pixels: Vec<u8> = (0..n * 784).map(|_| (stream.bits() >> 56) as u8).collect();
        let unlabelled = Memory::new(&Images { pixels: pixels.clone(), labels: vec![0; n], shape: [1, 28, 28] }, Device::Cpu);
        let all: Vec<i64> = (0..n as i64).collect();
        let says = model.forward(&unlabelled.batch(&all).images, Mode::Eval).logits.argmax(1, false);
        let labels = Vec::<i64>::try_from(says).unwrap().into_iter().map(|l| l as u16).collect();
        Pool::Resident(Memory::new(&Images { pixels, labels, shape: [1, 28, 28] }, Device::Cpu))
    }

    fn spec(norm: Norm, eps: f64, steps: u32, restarts: u32) -> AttackSpec {
        AttackSpec::pgd(Threat { norm, eps: Eps(eps) }, steps, restarts, 1)
    }

    #[test]
    fn an_attack_with_no_room_changes_nothing_and_more_room_is_never_better() {
        let model = model();
        let set = labelled(&model, 60);
        let all = subset(60, 60);
        let run = |attack: &AttackSpec| evaluate(&model, &set, &all, attack, |_| GoOn::Yes).unwrap().unwrap();
        for norm in [Norm::Linf, Norm::L2] {
            let nothing = run(&spec(norm, 0.0, 3, 1));
            assert_eq!((nothing.natural, nothing.adversarial), (1.0, 1.0));
            let scale = if norm == Norm::Linf { 1.0 } else { 20.0 };
            let robust: Vec<f64> = [0.002, 0.02, 0.2].map(|eps| run(&spec(norm, eps * scale, 5, 1)).adversarial).to_vec();
            assert!(robust[0] >= robust[1] && robust[1] >= robust[2] && robust[2] < 0.5, "{norm}: {robust:?}");
        }
        let one = run(&spec(Norm::Linf, 0.01, 5, 1)).adversarial;
        assert!(run(&spec(Norm::Linf, 0.01, 5, 4)).adversarial <= one);
    }

    #[test]
    fn each_image_is_judged_the_same_in_any_company() {
        let model = model();
        let set = labelled(&model, 40);
        let attack = spec(Norm::Linf, 0.01, 5, 2);
        let together = examine(&model, &set, &subset(40, 40), &attack, &mut || GoOn::Yes).unwrap().unwrap().1;
        let alone: Vec<bool> =
            (0..40).map(|i| examine(&model, &set, &[i], &attack, &mut || GoOn::Yes).unwrap().unwrap().1[0]).collect();
        let differing = together.iter().zip(&alone).filter(|(a, b)| a != b).count();
        assert!(together.iter().any(|r| *r) && !together.iter().all(|r| *r), "a test needs both kinds");
        assert!(differing <= 1, "{differing} of 40 differ; rounding may move one on the edge, not more");
    }

    #[test]
    fn what_is_not_a_number_is_no_answer() {
        let logits = Tensor::from_slice(&[f32::NAN, f32::NAN, 1.0, 0.0, f32::INFINITY, 0.0]).view([3, 2]);
        let labels = Tensor::from_slice(&[0i64, 0, 0]);
        assert_eq!(host::flags(&answers(&logits, &labels)), [false, true, false]);
    }

    #[test]
    fn subsets_are_fixed_and_an_interrupted_evaluation_gives_no_number() {
        assert_eq!(subset(1000, 500), subset(1000, 500));
        assert_eq!(subset(5, 9), [0, 1, 2, 3, 4]);
        let model = model();
        let set = labelled(&model, 10);
        assert_eq!(evaluate(&model, &set, &subset(10, 10), &spec(Norm::Linf, 0.1, 2, 1), |_| GoOn::No).unwrap(), None);
    }
}
