//! RRM+: Robust Representation Matching with what its paper does not have, each part off until a config asks for it.
//!
//! `lambda [(1 - alpha) CE(S(x'), y) + alpha T^2 KL(T(x'')/T || S(x')/T)] + mu L_R(g_S(x'), g_T(x''))`. x' is the clean image, the image
//! with uniform noise, the image after one step up the teacher's cross-entropy, or, from a share of the training on, after one step
//! up the student's own (N-FGSM: de Jorge et al., 2022, as in [`super::n_fgsm`]); x'' is x' or the clean image. With several teachers
//! `L_R` is the mean of the distances to each, and T(x'') the mean of their softened answers. With everything off it is RRM to the last
//! bit. Beyond the paper: soft labels are what RSLAD (Zi et al., 2021) found, the rest are questions that a sweep answers. A step
//! costs what RRM's does, one forward and backward to the images more where anybody is attacked, and nothing for the
//! teachers where their words are kept (`teacher.cache`) and the clean image is their target.

use super::{Batch, Context, Look, Method, Objective, Pull, losses};
use crate::attacks::{Ball, pgd};
use crate::config::{self, Distance, Goal, Inputs, Norm, Targets};
use crate::nn::{Mode, Model, Network, Output, channels_last};
use crate::protocol::event::{Part, Term};
use crate::protocol::{Controls, Dial};
use std::rc::Rc;
use tch::{Kind, Tensor};

const CARRIED: &str = "carried";

pub struct RrmPlus {
    settings: config::RrmPlus,
    /// At least one.
    teachers: Vec<Rc<Model>>,
    /// `[all training images, C, H, W]`: what each image carries, once the first was shown.
    carried: Option<Tensor>,
    waiting: Option<Waiting>,
}

/// The images that the gradient which comes next is for.
struct Waiting {
    /// `[N]`.
    places: Tensor,
    clean: Tensor,
    /// The leaf.
    shown: Tensor,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attacked {
    Student,
    NotYet,
}

/// What the student is shown.
struct Shown {
    images: Tensor,
    clean: bool,
}

impl RrmPlus {
    /// Each teacher must have features as wide as the student's, or as its projector's output, where features are matched.
    pub fn new(settings: config::RrmPlus, teachers: Vec<Rc<Model>>) -> Self {
        Self { settings, teachers, carried: None, waiting: None }
    }

    /// One step from noise up a network's cross-entropy, cut to the box alone.
    fn step(&self, network: &Model, mode: Mode, batch: &Batch, controls: &Controls) -> Tensor {
        let goal = self.answers(batch, controls);
        let noise = Ball { norm: controls.norm, eps: controls.eps.0 * self.settings.noise };
        let start = noise.start(&batch.images);
        let loss = |logits: &Tensor| match &goal {
            None => pgd::summed_cross_entropy(logits, &batch.labels),
            Some(answers) => losses::summed_divergence(answers, logits),
        };
        let (_, gradient) = match mode {
            // The same function with a third less to do.
            Mode::Eval => pgd::gradient(&network.folded(), mode, &start, loss),
            Mode::Train => pgd::gradient(network, mode, &start, loss),
        };
        let _guard = tch::no_grad_guard();
        noise.climb(&start, &gradient, controls.step_size.0).clamp_(0.0, 1.0)
    }

    /// What attacks lead away from, where that is not the labels: the teachers' answers to the clean images.
    fn answers(&self, batch: &Batch, controls: &Controls) -> Option<Tensor> {
        if self.settings.goal == Goal::Labels {
            return None;
        }
        let all = self.teachers.iter().enumerate().map(|(at, teacher)| batch.taught(at, teacher).logits);
        let soft: Vec<Tensor> = all.map(|logits| (logits / controls.temperature).softmax(1, Kind::Float)).collect();
        Some(Tensor::stack(&soft, 0).mean_dim([0i64].as_slice(), false, Kind::Float))
    }

    /// `attacked`: whether it is the student's turn. `all`: training images there are.
    fn shown(&mut self, student: &Model, batch: &Batch, all: usize, controls: &Controls, attacked: Attacked) -> Shown {
        let images = match (attacked, self.settings.inputs) {
            (Attacked::NotYet, Inputs::Carried) => self.carry(batch, all, controls),
            (Attacked::Student, _) => self.step(student, self.settings.batch_norm.into(), batch, controls),
            (Attacked::NotYet, Inputs::Clean) => return Shown { images: batch.images.shallow_clone(), clean: true },
            (Attacked::NotYet, Inputs::Noisy) => Ball { norm: controls.norm, eps: controls.eps.0 }.start(&batch.images),
            (Attacked::NotYet, Inputs::TeacherAttacked) => {
                let away = self.step(&self.teachers[0], Mode::Eval, batch, controls);
                Ball { norm: controls.norm, eps: controls.eps.0 }.project(&batch.images, &away)
            }
        };
        Shown { images, clean: false }
    }

    /// The images with what each carries, a leaf that asks for its gradient. `all`: training images there are.
    fn carry(&mut self, batch: &Batch, all: usize, controls: &Controls) -> Tensor {
        let _guard = tch::no_grad_guard();
        let radius = controls.eps.0 * self.settings.reach;
        let places = batch.places.as_ref().expect("the trainer says which images they are");
        // One that was read from a file lies on the host.
        let device = batch.images.device();
        self.carried = self.carried.take().map(|carried| carried.to_device(device));
        let carried = self.carried.get_or_insert_with(|| {
            let mut shape = batch.images.size();
            shape[0] = all as i64;
            let options = (Kind::Float, device);
            match controls.norm {
                // Everybody begins at random in the ball, as later steps end anywhere in it.
                Norm::Linf => Tensor::empty(&shape, options).uniform_(-radius, radius),
                Norm::L2 => Tensor::zeros(&shape, options),
            }
        });
        let ball = Ball { norm: controls.norm, eps: radius };
        let images = ball.project(&batch.images, &(&batch.images + carried.index_select(0, places)));
        let images = channels_last(&images).set_requires_grad(true);
        let shown = images.shallow_clone();
        self.waiting = Some(Waiting { places: places.shallow_clone(), clean: batch.images.shallow_clone(), shown });
        images
    }

    /// What each teacher says of the image that it is to look at.
    fn targets(&self, batch: &Batch, shown: &Shown) -> Vec<Output> {
        let clean = shown.clean || self.settings.targets == Targets::Clean;
        let ask = |(at, teacher): (usize, &Rc<Model>)| {
            if clean { batch.taught(at, teacher) } else { super::ask(teacher, &shown.images) }
        };
        self.teachers.iter().enumerate().map(ask).collect()
    }

    /// The labels' term, unweighted, with cross-entropy and the teachers' part of it.
    fn labels(logits: &Tensor, labels: &Tensor, targets: &[Output], controls: &Controls) -> [Tensor; 3] {
        let ce = losses::cross_entropy(logits, labels);
        let alpha = controls.alpha;
        if alpha == 0.0 {
            return [ce.shallow_clone(), ce.shallow_clone(), ce.zeros_like()];
        }
        let temperature = controls.temperature;
        let soft: Vec<Tensor> = targets.iter().map(|said| (&said.logits / temperature).softmax(1, Kind::Float)).collect();
        let soft = Tensor::stack(&soft, 0).mean_dim([0i64].as_slice(), false, Kind::Float);
        let answer = (logits / temperature).log_softmax(1, Kind::Float);
        // xlogy knows that a class which a teacher excludes adds nothing.
        let own = soft.xlogy(&soft).sum(Kind::Float);
        let divergence = (own - (&soft * answer).sum(Kind::Float)) / logits.size()[0] as f64 * (temperature * temperature);
        let whole = &ce * (1.0 - alpha) + &divergence * alpha;
        [whole, ce, divergence]
    }

    /// `L_R`, and the mean cosine.
    fn representation(&self, features: &Tensor, targets: &[Output]) -> [Tensor; 2] {
        let mean = |each: Vec<Tensor>| {
            let n = each.len() as f64;
            let sum =
                each.into_iter().reduce(|a, b| a + b).unwrap_or_else(|| Tensor::zeros([], (Kind::Float, features.device())));
            if n > 1.0 { sum / n } else { sum }
        };
        let cosine = mean(targets.iter().map(|said| losses::mean_cosine(features, &said.features)).collect());
        let distance = match self.settings.distance {
            Distance::Cosine => -&cosine,
            Distance::RelativeL2 => mean(targets.iter().map(|said| losses::relative_l2(features, &said.features)).collect()),
        };
        [distance, cosine]
    }

    fn matches(&self) -> bool {
        self.settings.matching > 0.0
    }
}

impl Method for RrmPlus {
    fn terms(&self) -> &'static [Term] {
        match (self.matches(), self.settings.distance) {
            (false, _) => &[Term::Total, Term::CrossEntropy, Term::WeightedCrossEntropy, Term::Distillation, Term::TrainAccuracy],
            (true, Distance::Cosine) => &[
                Term::Total,
                Term::CrossEntropy,
                Term::WeightedCrossEntropy,
                Term::Distillation,
                Term::TrainAccuracy,
                Term::Cosine,
                Term::Representation,
            ],
            (true, Distance::RelativeL2) => &[
                Term::Total,
                Term::CrossEntropy,
                Term::WeightedCrossEntropy,
                Term::Distillation,
                Term::TrainAccuracy,
                Term::Cosine,
                Term::Distance,
            ],
        }
    }

    fn dials(&self) -> &'static [Dial] {
        &[Dial::Lambda, Dial::Alpha, Dial::Temperature, Dial::LrScale, Dial::Eps, Dial::StepSize, Dial::Probes]
    }

    fn pull(&self, look: &Look) -> Option<Pull> {
        if !self.matches() {
            return None;
        }
        let shown = Shown { images: look.batch.images.shallow_clone(), clean: true };
        let targets = self.targets(look.batch, &shown);
        let features = look.student.project(look.features);
        let [labels, ..] = Self::labels(look.logits, &look.batch.labels, &targets, look.controls);
        let [distance, _] = self.representation(&features, &targets);
        let term = match self.settings.distance {
            Distance::Cosine => Term::Representation,
            Distance::RelativeL2 => Term::Distance,
        };
        let losses = [labels * look.controls.lambda, distance * self.settings.matching];
        let target = targets.into_iter().next().map(|said| said.features);
        Some(Pull { terms: [Term::WeightedCrossEntropy, term], losses, target })
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        let Context { controls, laps, progress, images, .. } = context;
        self.waiting = None;
        let attacked = if progress >= self.settings.attack_from { Attacked::Student } else { Attacked::NotYet };
        let shown = if attacked == Attacked::NotYet && self.settings.inputs == Inputs::Clean {
            self.shown(student, batch, images, controls, attacked)
        } else {
            laps.time(Part::Attack, || self.shown(student, batch, images, controls, attacked))
        };
        let targets = laps.time(Part::Teacher, || self.targets(batch, &shown));
        laps.time(Part::ForwardBackward, || {
            let out = student.forward(&shown.images, Mode::Train);
            let [labels, ce, divergence] = Self::labels(&out.logits, &batch.labels, &targets, controls);
            let weighted = labels * controls.lambda;
            let accuracy = losses::accuracy(&out.logits, &batch.labels);
            let mut terms = vec![ce.detach(), weighted.detach(), divergence.detach(), accuracy];
            let loss = if self.matches() {
                let [distance, cosine] = self.representation(&student.project(&out.features), &targets);
                terms.extend([cosine.detach(), distance.detach()]);
                // Times 1 is left out: it must be RRM to the last bit.
                if self.settings.matching == 1.0 { &weighted + distance } else { &weighted + distance * self.settings.matching }
            } else {
                weighted
            };
            terms.insert(0, loss.detach());
            let also = self.waiting.as_ref().map(|waiting| waiting.shown.shallow_clone());
            Objective { loss, terms, also }
        })
    }

    fn receive(&mut self, gradient: &Tensor, controls: &Controls) {
        let (Some(Waiting { places, clean, shown }), Some(carried)) = (self.waiting.take(), &mut self.carried) else { return };
        let _guard = tch::no_grad_guard();
        let ball = Ball { norm: controls.norm, eps: controls.eps.0 * self.settings.reach };
        let away = ball.project(&clean, &ball.climb(&shown.detach(), gradient, controls.step_size.0)) - &clean;
        let _ = carried.index_copy_(0, &places, &away.contiguous());
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.carried.iter().map(|carried| (CARRIED.to_string(), carried.shallow_clone())).collect()
    }

    fn restore(&mut self, state: Vec<(String, Tensor)>) -> Result<(), String> {
        for (name, tensor) in state {
            if name != CARRIED || self.settings.inputs != Inputs::Carried || tensor.dim() != 4 {
                return Err(format!("the method carries no tensor '{name}' of that shape"));
            }
            self.carried = Some(tensor);
        }
        Ok(())
    }
}
