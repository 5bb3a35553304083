//! The losses that attacks climb, one value an image; larger is more adversarial. An attack takes the gradient of their sum.

use tch::{Reduction, Tensor};

/// Keeps the ratios finite (Croce and Hein's reference).
const TINY: f64 = 1e-12;

/// What is climbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    CrossEntropy,
    /// The difference of logits ratio (Croce and Hein, 2020, equation 6): does not change when the logits are scaled. At least 3
    /// classes.
    Dlr,
    /// The same towards a target (equation 7). At least 4 classes.
    TargetedDlr,
}

impl Loss {
    /// `[N]`. `logits`: `[N, K]`; `labels`, `targets`: `[N]`, int64.
    pub fn of(self, logits: &Tensor, labels: &Tensor, targets: Option<&Tensor>) -> Tensor {
        match (self, targets) {
            (Self::CrossEntropy, _) => logits.cross_entropy_loss::<Tensor>(labels, None, Reduction::None, -100, 0.0),
            (Self::TargetedDlr, Some(targets)) => targeted_dlr(logits, labels, targets),
            (Self::Dlr | Self::TargetedDlr, _) => dlr(logits, labels),
        }
    }
}

/// The logit of one class an image, `[N]`.
pub fn at(logits: &Tensor, classes: &Tensor) -> Tensor {
    logits.gather(1, &classes.unsqueeze(1), false).squeeze_dim(1)
}

/// `-(z_y - max of the others) / (z_1st - z_3rd)`. The denominator is differentiated too.
fn dlr(logits: &Tensor, labels: &Tensor) -> Tensor {
    let (top, places) = logits.topk(3, 1, true, true);
    let rank = |i: i64| top.select(1, i);
    let right = places.select(1, 0).eq_tensor(labels).to_kind(logits.kind());
    let other = rank(1) * &right + rank(0) * (Tensor::ones_like(&right) - &right);
    (other - at(logits, labels)) / (rank(0) - rank(2) + TINY)
}

/// `-(z_y - z_t) / (z_1st - (z_3rd + z_4th) / 2)`
fn targeted_dlr(logits: &Tensor, labels: &Tensor, targets: &Tensor) -> Tensor {
    let (top, _) = logits.topk(4, 1, true, true);
    let rank = |i: i64| top.select(1, i);
    (at(logits, targets) - at(logits, labels)) / (rank(0) - (rank(2) + rank(3)) * 0.5 + TINY)
}

/// `z_y - max of the others`, `[N]`: negative when the image is misclassified.
pub fn margin(logits: &Tensor, labels: &Tensor) -> Tensor {
    let others = logits.scatter_value(1, &labels.unsqueeze(1), f64::NEG_INFINITY);
    at(logits, labels) - others.amax([1i64].as_slice(), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attacks::golden;

    #[test]
    fn losses_have_the_golden_values() {
        let logits =
            Tensor::from_slice(&[2.0f64, 1.0, 0.5, -1.0, 0.0, 0.2, 1.5, 1.4, -0.3, 1.0, 1.0, 3.0, 2.0, 0.0, -1.0]).view([3, 5]);
        let (labels, targets) = (Tensor::from_slice(&[0i64, 2, 3]), Tensor::from_slice(&[1i64, 1, 2]));
        let values = |loss: Loss| Vec::<f64>::try_from(loss.of(&logits, &labels, Some(&targets))).unwrap();
        for (loss, expected) in [
            (Loss::CrossEntropy, [0.574_438_0, 1.181_533_6, 3.451_914_5]),
            (Loss::Dlr, [-0.666_666_7, 0.2, 1.5]),
            (Loss::TargetedDlr, [-0.571_428_6, 0.111_111_1, 0.8]),
        ] {
            for (ours, theirs) in values(loss).iter().zip(expected) {
                assert!((ours - theirs).abs() < 1e-6, "{loss:?}: {ours} is not {theirs}");
            }
        }
        let margins = Vec::<f64>::try_from(margin(&logits, &labels)).unwrap();
        assert!(margins.iter().zip([1.0, -0.1, -3.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{margins:?}");
    }

    #[test]
    fn losses_agree_with_the_reference_network() {
        let (net, vectors) = (golden::Golden::new(), golden::vectors());
        let (logits, labels) = net.clean();
        let targets = Tensor::from_slice(&golden::numbers(&vectors["target"]).iter().map(|&t| t as i64).collect::<Vec<_>>());
        for (loss, key) in [(Loss::CrossEntropy, "ce"), (Loss::Dlr, "dlr"), (Loss::TargetedDlr, "dlr_t")] {
            let ours = Vec::<f64>::try_from(loss.of(&logits, &labels, Some(&targets))).unwrap();
            golden::close(&ours, &golden::numbers(&vectors[key]));
        }
    }
}
