//! Reasons not to believe an evaluation (Carlini et al., 2019, "On evaluating adversarial robustness", section 3; Croce et al., 2020,
//! the checks of their program): which small attacks are run beside those that were asked for, and what their numbers must not be.
//!
//! Judgement only: running attacks, and writing down what they found, is [`super::audit`]'s. A doubt is no proof. Each says what was
//! seen and what to try.

use crate::attacks::losses::{Loss, margin};
use crate::config::{AttackName, AttackSpec, Ensemble, Eps, Norm, Overrides, Threat};
use crate::methods::Batch;
use crate::nn::{Mode, Network, host};
use crate::protocol::report::{Doubt, Suspicion};
use tch::Tensor;

/// Correctly classified images that the small attacks look at.
pub const SAMPLE: usize = 100;
/// Images that one answer less or more may be chance.
const CHANCE: u64 = 1;
/// Two passes over one image may differ by this, relative to the length of its logits.
const SAME: f64 = 1e-4;
/// The same on a GPU that may use TF32, which training does: ten bits of mantissa.
const SAME_TF32: f64 = 2e-3;
/// A gradient this small beside that of the margin is made of rounding.
const ROUNDING: f64 = 1e-6;
/// Share of the sample from which gradients are remarked.
const SOME: f64 = 0.05;
/// Square may fool this share of all images that gradients did not (the authors' threshold).
const SQUARES_SHARE: f64 = 0.002;

/// A small attack on the sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Check {
    /// PGD with few steps and with many.
    FewSteps,
    ManySteps,
    /// PGD at this part of the radius.
    Radius(f64),
    /// PGD where every image is allowed.
    Everything,
    /// Some queries of Square.
    Square,
}

/// The attacks that the checks need beside those in `asked`. `numbers`: in one image.
pub fn checks(threat: Threat, numbers: usize, classes: usize, seed: u64, asked: &[Ensemble]) -> Vec<(Check, Ensemble)> {
    if threat.eps.0 <= 0.0 {
        return Vec::new();
    }
    let pgd = |threat, steps| alone(AttackSpec::pgd(threat, steps, 1, seed));
    let at = |eps| Threat { eps: Eps(eps), ..threat };
    let most = threat.norm.largest_eps();
    let everything = match threat.norm {
        Norm::Linf => 1.0,
        // As far as any two images are apart.
        Norm::L2 => (numbers as f64).sqrt().min(most),
    };
    let mut checks = vec![
        (Check::FewSteps, pgd(threat, 10)),
        (Check::ManySteps, pgd(threat, 40)),
        (Check::Radius(0.5), pgd(at(threat.eps.0 / 2.0), 20)),
        (Check::Radius(1.0), pgd(threat, 20)),
        (Check::Radius(2.0), pgd(at((2.0 * threat.eps.0).min(most)), 20)),
        (Check::Everything, pgd(at(everything), 40)),
    ];
    if !asked.iter().flat_map(|e| &e.members).any(|m| m.name == AttackName::Square) {
        let some = Overrides { steps: Some(200), ..Overrides::default() };
        if let Ok((square, _)) = Ensemble::single(AttackName::Square, threat, classes, seed, some) {
            checks.push((Check::Square, square));
        }
    }
    checks
}

fn alone(spec: AttackSpec) -> Ensemble {
    Ensemble { name: spec.short(), members: vec![spec] }
}

/// What the network's answers and gradients say by themselves. `batch`: images that are classified correctly.
pub fn answers(network: &dyn Network, batch: &Batch) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let input = batch.images.detach().set_requires_grad(true);
    let logits = network.forward(&input, Mode::Eval).logits;
    let slope = |loss: Tensor, keep| {
        let gradient = Tensor::run_backward(&[loss.sum(loss.kind())], &[&input], keep, false).remove(0);
        host::doubles(&gradient.flatten(1, -1).abs().amax([1i64].as_slice(), false))
    };
    let climbed = slope(Loss::CrossEntropy.of(&logits, &batch.labels, None), true);
    let margins = slope(margin(&logits, &batch.labels), false);
    let _guard = tch::no_grad_guard();
    let images = climbed.len();
    let zero = climbed.iter().filter(|g| **g == 0.0).count();
    let tiny = climbed.iter().zip(&margins).filter(|(g, m)| **g > 0.0 && **g < ROUNDING * **m).count();
    let many = |n: usize| n as f64 > SOME * images as f64;
    if many(zero) {
        doubts.push(Doubt {
            suspicion: Suspicion::ZeroGradients,
            saw: format!("the gradient of the cross-entropy is exactly zero on {zero} of {images} images"),
            suggests: "attacks that climb it cannot move there: add apgd-dlr, fab-t and square, or look for rounding, saturation or a step that cannot be differentiated in the model".into(),
        });
    }
    if many(tiny) {
        doubts.push(Doubt {
            suspicion: Suspicion::VanishingGradients,
            saw: format!("on {tiny} of {images} images the gradient of the cross-entropy is less than {ROUNDING:e} of the margin's: its sign is rounding"),
            suggests: "the answers are very sure of themselves: trust apgd-dlr, apgd-t and fab-t, which do not depend on the scale of the logits, more than fgsm, pgd and apgd-ce".into(),
        });
    }
    let (mut farthest, mut changed) = (0.0f64, 0);
    let first = host::integers(&logits.argmax(1, false));
    for _ in 0..2 {
        let again = network.forward(&batch.images, Mode::Eval).logits;
        let apart = host::doubles(&(&again - &logits).square().sum_dim_intlist([1i64].as_slice(), false, logits.kind()).sqrt());
        let long = host::doubles(&logits.square().sum_dim_intlist([1i64].as_slice(), false, logits.kind()).sqrt());
        farthest = apart.iter().zip(&long).map(|(a, l)| a / l.max(1e-12)).fold(farthest, f64::max);
        changed += host::integers(&again.argmax(1, false)).iter().zip(&first).filter(|(a, b)| a != b).count();
    }
    let tf32 = logits.device().is_cuda() && std::env::var_os("NVIDIA_TF32_OVERRIDE").is_none_or(|set| set != "0");
    if farthest > if tf32 { SAME_TF32 } else { SAME } || changed > 0 {
        doubts.push(Doubt {
            suspicion: Suspicion::RandomAnswers,
            saw: format!("the same images gave logits that differ by {farthest:.1e} of their length from pass to pass, and {changed} other answers"),
            suggests: "the model draws at random: evaluate with --attack rand, which averages gradients".into(),
        });
    }
    let (low, high) = (host::doubles(&logits.min())[0], host::doubles(&logits.max())[0]);
    let off = host::doubles(&(logits.sum_dim_intlist([1i64].as_slice(), false, logits.kind()) - 1.0).abs().max())[0];
    if low >= 0.0 && high <= 1.0 && off < 1e-5 {
        doubts.push(Doubt {
            suspicion: Suspicion::SoftmaxAnswers,
            saw: "the answers lie in 0 to 1 and sum to 1 for every image: they are probabilities, not logits".into(),
            suggests: "a second softmax flattens every loss here: export the model without its softmax".into(),
        });
    }
    doubts
}

/// What stood under each check, of `images` correctly classified ones.
pub struct Stood {
    pub check: Check,
    pub standing: u64,
    /// Of those fooled here, how many no attack with gradients fooled.
    pub alone: u64,
}

/// What the small attacks say.
pub fn small_attacks(images: u64, threat: Threat, stood: &[Stood]) -> Vec<Doubt> {
    let of = |check: Check| stood.iter().find(|s| s.check == check);
    let mut doubts = Vec::new();
    if let (Some(few), Some(many)) = (of(Check::FewSteps), of(Check::ManySteps))
        && many.standing > few.standing + CHANCE
    {
        doubts.push(Doubt {
            suspicion: Suspicion::WeakerWithMoreSteps,
            saw: format!("of {images} images {} stand under pgd-10 and {} under pgd-40", few.standing, many.standing),
            suggests: "gradients lead astray: add fab-t and square, and more restarts".into(),
        });
    }
    let radii: Vec<(f64, u64)> = stood
        .iter()
        .filter_map(|s| match s.check {
            Check::Radius(part) => Some((part * threat.eps.0, s.standing)),
            Check::FewSteps | Check::ManySteps | Check::Everything | Check::Square => None,
        })
        .collect();
    doubts.extend(rises(images, &radii));
    if let Some(everything) = of(Check::Everything)
        && everything.standing > 0
    {
        doubts.push(Doubt {
            suspicion: Suspicion::RobustAtEpsilonOne,
            saw: format!("{} of {images} images stand under pgd-40 although any image is allowed", everything.standing),
            suggests: "the attack fails where nothing should stand: gradients are masked; trust square more than the others"
                .into(),
        });
    }
    if let Some(square) = of(Check::Square)
        && square.alone > CHANCE
    {
        doubts.push(stronger_square(square.alone, images));
    }
    doubts
}

/// Square after the attacks of an ensemble, on the images they left standing.
pub fn square_after(fooled: u64, images: u64) -> Option<Doubt> {
    (fooled as f64 > SQUARES_SHARE * images as f64 && fooled > CHANCE).then(|| stronger_square(fooled, images))
}

fn stronger_square(alone: u64, images: u64) -> Doubt {
    Doubt {
        suspicion: Suspicion::SquareIsStronger,
        saw: format!("Square, which uses no gradient, fooled {alone} of {images} images that no attack with gradients did"),
        suggests: "gradients are masked, or the other attacks were too short: more steps and restarts, and do not quote a number without square".into(),
    }
}

/// `standing`: radius and how many images stand, in rising order of the radius.
pub fn rises(images: u64, standing: &[(f64, u64)]) -> Option<Doubt> {
    let chance = CHANCE.max(images / 200);
    let (a, b) =
        standing.windows(2).map(|pair| (pair[0], pair[1])).filter(|(a, b)| b.1 > a.1 + chance).max_by_key(|(a, b)| b.1 - a.1)?;
    Some(Doubt {
        suspicion: Suspicion::RisesWithEpsilon,
        saw: format!("of {images} images {} stand at eps {} and {} at eps {}", a.1, Eps(a.0), b.1, Eps(b.0)),
        suggests: "more room must not help: the attack's steps do not suit this model; try apgd-ce, fab-t and square".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Output;
    use tch::{Device, Kind};

    const THREAT: Threat = Threat { norm: Norm::Linf, eps: Eps(0.1) };

    /// Logits made of three pixels by a function.
    struct Made<F: Fn(&Tensor) -> Tensor>(F);

    impl<F: Fn(&Tensor) -> Tensor> Network for Made<F> {
        fn forward(&self, images: &Tensor, _: Mode) -> Output {
            let logits = (self.0)(&images.flatten(1, -1));
            Output { features: logits.shallow_clone(), logits }
        }
    }

    fn names(network: &dyn Network) -> Vec<Suspicion> {
        let images = Tensor::from_slice(&[0.9f32, 0.2, 0.1, 0.1, 0.8, 0.3, 0.2, 0.1, 0.7]).view([3, 3, 1, 1]);
        let batch = Batch::new(images, Tensor::from_slice(&[0i64, 1, 2]));
        answers(network, &batch).into_iter().map(|d| d.suspicion).collect()
    }

    #[test]
    fn honest_logits_are_not_doubted() {
        assert_eq!(names(&Made(|x| x * 5.0)), []);
    }

    #[test]
    fn each_fault_of_the_answers_is_named() {
        assert_eq!(names(&Made(|x| x.softmax(1, Kind::Float))), [Suspicion::SoftmaxAnswers]);
        assert_eq!(names(&Made(|x| x * 40.0)), [Suspicion::VanishingGradients]);
        assert_eq!(names(&Made(|x| x * 1000.0)), [Suspicion::ZeroGradients]);
        assert_eq!(names(&Made(|x| (x * 10.0).round())), [Suspicion::ZeroGradients], "a step that cannot be differentiated");
        tch::manual_seed(1);
        let noisy = Made(|x: &Tensor| x * 5.0 + Tensor::randn(x.size().as_slice(), (Kind::Float, Device::Cpu)) * 0.01);
        assert_eq!(names(&noisy), [Suspicion::RandomAnswers]);
    }

    fn stood(numbers: &[(Check, u64, u64)]) -> Vec<Suspicion> {
        let stood: Vec<Stood> = numbers.iter().map(|&(check, standing, alone)| Stood { check, standing, alone }).collect();
        small_attacks(100, THREAT, &stood).into_iter().map(|d| d.suspicion).collect()
    }

    #[test]
    fn each_fault_of_the_numbers_is_named() {
        let sane = [
            (Check::FewSteps, 50, 0),
            (Check::ManySteps, 48, 0),
            (Check::Radius(0.5), 70, 0),
            (Check::Radius(1.0), 49, 0),
            (Check::Radius(2.0), 20, 0),
            (Check::Everything, 0, 0),
            (Check::Square, 60, 0),
        ];
        assert_eq!(stood(&sane), []);
        let with = |at: usize, standing, alone| {
            let mut numbers = sane;
            (numbers[at].1, numbers[at].2) = (standing, alone);
            stood(&numbers)
        };
        assert_eq!(with(1, 52, 0), [Suspicion::WeakerWithMoreSteps]);
        assert_eq!(with(1, 51, 0), [], "one image is chance");
        assert_eq!(with(4, 60, 0), [Suspicion::RisesWithEpsilon]);
        assert_eq!(with(5, 1, 0), [Suspicion::RobustAtEpsilonOne]);
        assert_eq!(with(6, 40, 5), [Suspicion::SquareIsStronger]);
        assert!(square_after(2, 1000).is_none() && square_after(3, 1000).is_some() && square_after(1, 100).is_none());
    }

    #[test]
    fn square_is_tried_only_where_it_was_not_asked_for() {
        let has = |asked: &[Ensemble]| checks(THREAT, 784, 10, 0, asked).iter().any(|(c, _)| *c == Check::Square);
        assert!(has(&[]));
        assert!(!has(&[Ensemble::suite(crate::config::Suite::AutoAttack, THREAT, 10, 0).0]));
        assert!(checks(Threat { eps: Eps(0.0), ..THREAT }, 784, 10, 0, &[]).is_empty());
    }
}
