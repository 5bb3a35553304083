//! The terms that objectives are made of. All are scalars with their graph; means over the batch.

use tch::{Kind, Tensor};

/// `L_C`: mean softmax cross-entropy of logits `[N, K]` against classes `[N]`.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Tensor {
    logits.cross_entropy_for_logits(labels)
}

/// Mean over the batch of `cos(g_S, g_T)`, features `[N, D]`, each norm at least 1e-6 (`CosineSimilarity(dim=1, eps=1e-6)`, as the authors use it).
pub fn mean_cosine(student: &Tensor, teacher: &Tensor) -> Tensor {
    Tensor::cosine_similarity(student, teacher, 1, 1e-6).mean(Kind::Float)
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

    #[test]
    fn features_against_themselves_have_cosine_one() {
        let features = rows([[1.0, 2.0], [0.3, 0.0]]);
        assert!((mean_cosine(&features, &features).double_value(&[]) - 1.0).abs() < 1e-6);
    }
}
