//! Attacks: the worst images inside the threat model's ball, as far as each can find them.
//!
//! All work in pixel space `[0, 1]` and take gradients with respect to the input only, so that no weight gradient is ever formed.
//! FGSM is a diagnostic; probes and evaluations use PGD.

pub mod ball;
pub mod pgd;

pub use ball::Ball;
pub use pgd::{Pgd, fgsm};
