//! The rows of a batch that still stand while an attack runs: who they are, and what becomes of those that do not.
//!
//! Reading a flag waits for the device, and packing a batch anew copies it: both are done when enough rows have fallen to pay for it.

use super::{Fooled, Found, Passes, Subjects};
use crate::nn::{channels_last, host};
use tch::{Kind, Tensor};

/// A batch is packed anew when at least one in this many of its rows has fallen.
const WORTH: usize = 8;

/// Per image whether the logits rank its label first. What is not a number is no answer: it would pass for class 0 under every attack.
pub fn answers(logits: &Tensor, labels: &Tensor) -> Tensor {
    let finite = logits.isfinite().all_dim(1, false);
    logits.argmax(1, false).eq_tensor(labels).logical_and(&finite)
}

/// The rows of `[N, ...]` at these places, images in the layout that convolutions are fast in.
pub fn pick(x: &Tensor, rows: &Tensor) -> Tensor {
    let picked = x.index_select(0, rows);
    if picked.dim() == 4 { channels_last(&picked) } else { picked }
}

pub struct Standing {
    /// Row of the batch now -> row of the subjects.
    rows: Vec<usize>,
    fooled: Vec<bool>,
    /// `[N, C, H, W]`
    adversarial: Tensor,
    policy: Fooled,
    pub passes: Passes,
}

impl Standing {
    pub fn new(subjects: &Subjects, policy: Fooled) -> Self {
        Self {
            rows: (0..subjects.len()).collect(),
            fooled: vec![false; subjects.len()],
            adversarial: subjects.images.copy(),
            policy,
            passes: Passes::default(),
        }
    }

    /// Rows in the batch now.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows of the subjects that are in the batch now.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    pub fn count_forward(&mut self) {
        self.passes.forwards += self.rows.len() as u64;
    }

    pub fn count_gradient(&mut self) {
        self.count_gradients(1);
    }

    /// Several at one point.
    pub fn count_gradients(&mut self, gradients: u64) {
        self.passes.gradients += gradients * self.rows.len() as u64;
    }

    /// Takes note of where the attack stands: `images` `[n, C, H, W]` of the batch now, `stands` `[n]`, bool. Gives the rows of the
    /// batch that are to stay, `[m]`, when the batch is to be packed anew with [`pick`].
    pub fn look(&mut self, images: &Tensor, stands: &Tensor) -> Option<Tensor> {
        let stands = host::flags(stands);
        let fell: Vec<usize> = (0..stands.len()).filter(|&i| !stands[i]).collect();
        // Where they leave, the first image that fools is the one that is kept; where they stay, the latest.
        let fresh: Vec<usize> = fell.into_iter().filter(|&i| self.policy == Fooled::Stay || !self.fooled[self.rows[i]]).collect();
        if !fresh.is_empty() {
            let _guard = tch::no_grad_guard();
            let device = images.device();
            let from = Tensor::from_slice(&fresh.iter().map(|&i| i as i64).collect::<Vec<_>>()).to_device(device);
            let to = Tensor::from_slice(&fresh.iter().map(|&i| self.rows[i] as i64).collect::<Vec<_>>()).to_device(device);
            let _ = self.adversarial.index_copy_(0, &to, &images.index_select(0, &from));
            for &i in &fresh {
                self.fooled[self.rows[i]] = true;
            }
        }
        if self.policy == Fooled::Stay {
            return None;
        }
        let stay: Vec<i64> = (0..self.rows.len()).filter(|&i| !self.fooled[self.rows[i]]).map(|i| i as i64).collect();
        let fallen = self.rows.len() - stay.len();
        if fallen == 0 || (fallen * WORTH < self.rows.len() && !stay.is_empty()) {
            return None;
        }
        self.rows = stay.iter().map(|&i| self.rows[i as usize]).collect();
        Some(Tensor::from_slice(&stay).to_kind(Kind::Int64).to_device(images.device()))
    }

    pub fn found(self) -> Found {
        Found { fooled: self.fooled, adversarial: self.adversarial, passes: self.passes }
    }
}
