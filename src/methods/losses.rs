//! The terms that objectives are made of. All are scalars with their graph; means over the batch unless they say otherwise.

use crate::config::Reduction;
use tch::{Kind, Tensor};

/// `L_C`: mean softmax cross-entropy of logits `[N, K]` against classes `[N]`.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Tensor {
    logits.cross_entropy_for_logits(labels)
}

/// Mean over the batch of `cos(g_S, g_T)`, features `[N, D]`, each norm at least 1e-6 (`CosineSimilarity(dim=1, eps=1e-6)`, as the authors use it).
pub fn mean_cosine(student: &Tensor, teacher: &Tensor) -> Tensor {
    Tensor::cosine_similarity(student, teacher, 1, 1e-6).mean(Kind::Float)
}

/// Mean over the batch of `||g_S - g_T||_2 / ||g_T||_2`, features `[N, D]`: RRM's distance on Restricted ImageNet, not squared.
///
/// A teacher's feature vector of length 0 counts as one of length 1e-6. Where student and teacher agree exactly the gradient is 0.
pub fn relative_l2(student: &Tensor, teacher: &Tensor) -> Tensor {
    let norm = |x: &Tensor| x.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    // The root of a clamped sum: that of 0 has no gradient.
    let away = norm(&(student - teacher)).clamp_min(1e-24).sqrt();
    (away / norm(teacher).sqrt().clamp_min(1e-6)).mean(Kind::Float)
}

/// `KL(softmax(target / T) || softmax(logits / T))`, logits `[N, K]` both.
pub fn divergence_of(target: &Tensor, logits: &Tensor, temperature: f64, reduction: Reduction) -> Tensor {
    let target = (target / temperature).log_softmax(1, Kind::Float);
    let answer = (logits / temperature).log_softmax(1, Kind::Float);
    let each = target.exp() * (&target - answer);
    match reduction {
        Reduction::Images => each.sum(Kind::Float) / logits.size()[0] as f64,
        Reduction::ImagesAndClasses => each.mean(Kind::Float),
    }
}

/// The sum over the batch of `KL(p || softmax(logits))` but for p's own entropy, which no gradient depends on: what attacks climb.
pub fn summed_divergence(probabilities: &Tensor, logits: &Tensor) -> Tensor {
    -(probabilities * logits.log_softmax(1, logits.kind())).sum(logits.kind())
}

/// Share of `[N]` labels that the logits rank first. No graph.
pub fn accuracy(logits: &Tensor, labels: &Tensor) -> Tensor {
    logits.detach().argmax(1, false).eq_tensor(labels).mean(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<const N: usize>(values: [[f32; N]; 2]) -> Tensor {
        Tensor::from_slice(&values.concat()).view([2, N as i64])
    }

    /// ALGORITHMS 14: the RRM vector, and the logits of 10.1 rows 1 and 2.
    #[test]
    fn the_rrm_objective_has_its_golden_value() {
        let student = rows([[1.0, 2.0, -1.0, 0.5], [0.0, 1.0, 0.0, 1.0]]);
        let teacher = rows([[0.5, 1.5, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]);
        let cosine = mean_cosine(&student, &teacher).double_value(&[]);
        assert!((cosine - 0.781_171_4).abs() < 1e-6, "{cosine}");
        let logits = rows([[2.0, 1.0, 0.5, -1.0, 0.0], [0.2, 1.5, 1.4, -0.3, 1.0]]);
        let ce = cross_entropy(&logits, &Tensor::from_slice(&[0i64, 2])).double_value(&[]);
        assert!((ce - f64::midpoint(0.574_438_0, 1.181_533_6)).abs() < 1e-6, "{ce}");
        assert!((0.005 * ce - cosine - -0.776_781_4).abs() < 1e-6);
    }

    /// ALGORITHMS 5 and 14: the same features by relative L2.
    #[test]
    fn the_relative_distance_has_its_golden_value() {
        let student = rows([[1.0, 2.0, -1.0, 0.5], [0.0, 1.0, 0.0, 1.0]]);
        let teacher = rows([[0.5, 1.5, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]);
        let distance = relative_l2(&student, &teacher).double_value(&[]);
        assert!((distance - std::f64::consts::FRAC_1_SQRT_2).abs() < 1e-6, "{distance}");
        // Student and teacher as one: no distance, and a gradient that is a number.
        let same = teacher.copy().set_requires_grad(true);
        relative_l2(&same, &teacher).backward();
        assert_eq!(same.grad().abs().max().double_value(&[]), 0.0);
    }

    /// ALGORITHMS 14: two rows of logits at temperature 4.
    #[test]
    fn distillation_has_its_golden_values() {
        let student = rows([[2.0, 1.0, 0.5, -1.0, 0.0], [0.2, 1.5, 1.4, -0.3, 1.0]]);
        let teacher = rows([[1.0, 2.0, 3.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0, 2.0]]);
        let kl = |reduction| divergence_of(&teacher, &student, 4.0, reduction).double_value(&[]);
        assert!((kl(Reduction::ImagesAndClasses) - 0.008_013_32).abs() < 1e-8, "{}", kl(Reduction::ImagesAndClasses));
        assert!((kl(Reduction::Images) - 0.040_066_62).abs() < 1e-7);
        let entropy = {
            let log = teacher.log_softmax(1, Kind::Float);
            (log.exp() * log).sum(Kind::Float).double_value(&[])
        };
        let summed = summed_divergence(&teacher.softmax(1, Kind::Float), &student).double_value(&[]);
        let whole = 2.0 * divergence_of(&teacher, &student, 1.0, Reduction::Images).double_value(&[]);
        assert!((summed + entropy - whole).abs() < 1e-5, "{summed} {entropy} {whole}");
    }

    #[test]
    fn features_against_themselves_have_cosine_one() {
        let features = rows([[1.0, 2.0], [0.3, 0.0]]);
        assert!((mean_cosine(&features, &features).double_value(&[]) - 1.0).abs() < 1e-6);
    }
}
