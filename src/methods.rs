//! Training methods: each turns a batch into the loss to minimise, and adds only what its paper adds.
//!
//! The one loop in `train` owns backward, update, schedule and counters. A method sees the student, the batch and the live
//! controls, and gives an [`Objective`]. Teachers are frozen, in eval mode and outside the graph, always. Random draws come from
//! torch's generator, which the loop seeds anew before each step.

pub mod ard;
pub mod erm;
pub mod fast_at;
pub mod free_at;
pub mod kd;
pub mod laps;
pub mod losses;
pub mod n_fgsm;
pub mod rdt;
pub mod rrm;
pub mod rrm_plus;
pub mod rslad;
pub mod sat;
pub mod trades;

use crate::config;
use crate::nn::{Model, Output};
use crate::protocol::event::Term;
use crate::protocol::{Controls, Dial};
use laps::Laps;
use std::rc::Rc;
use tch::Tensor;

/// Images and labels of one step, on the device.
pub struct Batch {
    /// `[N, C, H, W]`, float, `[0, 1]`, channels last.
    pub images: Tensor,
    /// `[N]`, int64.
    pub labels: Tensor,
    /// What each teacher says of these images, where that is kept; else empty.
    pub taught: Vec<Output>,
    /// `[N]`, int64, on the device: which training images they are; `None` where nobody asked.
    pub places: Option<Tensor>,
}

impl Batch {
    pub fn new(images: Tensor, labels: Tensor) -> Self {
        Self { images, labels, taught: Vec::new(), places: None }
    }

    /// What the teacher in this place says of these images: asked now, or before.
    pub fn taught(&self, at: usize, teacher: &Model) -> Output {
        self.taught.get(at).map_or_else(|| ask(teacher, &self.images), Output::shallow_clone)
    }
}

/// What a step minimises, and what it reports.
pub struct Objective {
    /// Scalar, with its graph.
    pub loss: Tensor,
    /// Scalars on the device, detached, in the order of [`Method::terms`].
    pub terms: Vec<Tensor>,
    /// A tensor of the graph whose gradient the method wants from the same backward pass; see [`Method::receive`].
    pub also: Option<Tensor>,
}

/// What a step knows besides its batch.
pub struct Context<'a> {
    pub controls: &'a Controls,
    /// How many steps this minibatch has been trained on before, below the config's `replays`.
    pub replay: u32,
    /// Share of the plan's steps that are done, 0-1.
    pub progress: f64,
    /// Training images there are.
    pub images: usize,
    pub laps: &'a mut Laps,
}

/// A few images as the student sees them, for [`Method::pull`].
pub struct Look<'a> {
    pub student: &'a Model,
    pub batch: &'a Batch,
    /// `[N, D]`, a leaf that asks for its gradient.
    pub features: &'a Tensor,
    /// `[N, K]`, made of those features.
    pub logits: &'a Tensor,
    pub controls: &'a Controls,
}

/// Two terms of the objective, each with its weight, as functions of [`Look::features`].
pub struct Pull {
    pub terms: [Term; 2],
    /// Scalars with their graph, means over the images.
    pub losses: [Tensor; 2],
    /// `[N, P]`: what projected features are compared with, where they are.
    pub target: Option<Tensor>,
}

pub trait Method {
    /// What each step reports, in order.
    fn terms(&self) -> &'static [Term];
    /// What a person can turn in a run of this method.
    fn dials(&self) -> &'static [Dial];
    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective;
    /// The terms that a weight of the method is between; `None` where there are no two.
    fn pull(&self, _look: &Look) -> Option<Pull> {
        None
    }
    /// The gradient of the loss with respect to [`Objective::also`].
    fn receive(&mut self, _gradient: &Tensor, _controls: &Controls) {}
    /// What it carries from step to step, by name: saved in checkpoints, beside weights and momentum.
    fn state(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }
    /// Takes on what [`Method::state`] gave.
    ///
    /// # Errors
    /// A tensor that is not its own.
    fn restore(&mut self, state: Vec<(String, Tensor)>) -> Result<(), String> {
        match state.first() {
            None => Ok(()),
            Some((name, _)) => Err(format!("the method carries no tensor '{name}'")),
        }
    }
}

/// The method that a config names. `teachers`: frozen; one for methods that learn from one, more for those that can.
pub fn build(method: config::Method, teachers: impl IntoIterator<Item = Rc<Model>>) -> Result<Box<dyn Method>, NoTeacher> {
    let teachers: Vec<Rc<Model>> = teachers.into_iter().collect();
    let teacher = || teachers.first().cloned().ok_or(NoTeacher(method.name()));
    Ok(match method {
        config::Method::Erm => Box::new(erm::Erm),
        config::Method::Sat(sat) => Box::new(sat::Sat::new(sat)),
        config::Method::FastAt(fast) => Box::new(fast_at::FastAt::new(fast)),
        config::Method::NFgsm(n) => Box::new(n_fgsm::NFgsm::new(n)),
        config::Method::FreeAt(_) => Box::new(free_at::FreeAt::default()),
        config::Method::Trades(trades) => Box::new(trades::Trades::new(trades)),
        config::Method::Rrm(rrm) => Box::new(rrm::Rrm::new(rrm, teacher()?)),
        config::Method::RrmPlus(plus) => {
            teacher()?;
            Box::new(rrm_plus::RrmPlus::new(plus, teachers))
        }
        config::Method::Kd(kd) => Box::new(kd::Kd::new(kd, teacher()?)),
        config::Method::Rdt(_) => Box::new(rdt::Rdt),
        config::Method::Ard(ard) => Box::new(ard::Ard::new(ard, teacher()?)),
        config::Method::Rslad(rslad) => Box::new(rslad::Rslad::new(rslad, teacher()?)),
    })
}

#[derive(Debug, thiserror::Error)]
#[error("the method '{0}' learns from a teacher: set teacher.checkpoint")]
pub struct NoTeacher(&'static str);

/// The inner maximisation as the live controls have it.
fn inner(controls: &Controls) -> crate::attacks::Pgd {
    crate::attacks::Pgd {
        ball: crate::attacks::Ball::new(controls.norm, controls.eps),
        steps: controls.attack_steps,
        step_size: controls.step_size.0,
    }
}

/// What the teacher says of these images: eval mode, no graph.
pub fn ask(teacher: &Model, images: &Tensor) -> Output {
    use crate::nn::{Mode, Network};
    let _guard = tch::no_grad_guard();
    teacher.forward(images, Mode::Eval)
}
