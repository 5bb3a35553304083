//! Training methods: each turns a batch into the loss to minimise, and adds only what its paper adds.
//!
//! The one loop in `train` owns backward, update, schedule and counters. A method sees the student, the batch and the live
//! controls, and gives an [`Objective`]. Teachers are frozen, in eval mode and outside the graph, always.

pub mod erm;
pub mod laps;
pub mod losses;
pub mod rrm;
pub mod sat;

use crate::config;
use crate::nn::Model;
use crate::protocol::event::Term;
use crate::protocol::{Controls, Dial};
use laps::Laps;
use tch::Tensor;

/// Images and labels of one step, on the device.
pub struct Batch {
    /// `[N, C, H, W]`, float, `[0, 1]`, channels last.
    pub images: Tensor,
    /// `[N]`, int64.
    pub labels: Tensor,
}

/// What a step minimises, and what it reports.
pub struct Objective {
    /// Scalar, with its graph.
    pub loss: Tensor,
    /// Scalars on the device, detached, in the order of [`Method::terms`].
    pub terms: Vec<Tensor>,
}

/// What a step knows besides its batch.
pub struct Context<'a> {
    pub controls: &'a Controls,
    /// Seed of this step's draws on the device.
    pub attack_seed: u64,
    pub laps: &'a mut Laps,
}

pub trait Method {
    /// What each step reports, in order.
    fn terms(&self) -> &'static [Term];
    /// What a person can turn in a run of this method.
    fn dials(&self) -> &'static [Dial];
    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective;
}

/// The method that a config names. `teacher`: frozen; present for methods that learn from one.
pub fn build(method: config::Method, teacher: Option<std::rc::Rc<Model>>) -> Result<Box<dyn Method>, NoTeacher> {
    Ok(match method {
        config::Method::Erm => Box::new(erm::Erm),
        config::Method::Sat(sat) => Box::new(sat::Sat::new(sat)),
        config::Method::Rrm(_) => Box::new(rrm::Rrm::new(teacher.ok_or(NoTeacher(method.name()))?)),
    })
}

#[derive(Debug, thiserror::Error)]
#[error("the method '{0}' learns from a teacher: set teacher.checkpoint")]
pub struct NoTeacher(&'static str);
