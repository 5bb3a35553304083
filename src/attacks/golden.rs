//! The closed-form 48-16-5 tanh network of the golden vectors, in float64, and those vectors.

use crate::nn::{Mode, Network, Output};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

pub struct Golden {
    w1: Tensor,
    b1: Tensor,
    w2: Tensor,
}

impl Golden {
    pub fn new() -> Self {
        let k = |n: i64| Tensor::arange(n, (Kind::Double, Device::Cpu));
        Self {
            w1: ((k(16 * 48) * 0.37 + 0.1).sin() * 0.35).view([16, 48]),
            b1: k(16).cos() * 0.05,
            w2: ((k(5 * 16) * 0.53 + 0.2).sin() * 0.9).view([5, 16]),
        }
    }

    pub fn images() -> Tensor {
        ((Tensor::arange(6 * 48, (Kind::Double, Device::Cpu)) * 0.9 + 0.3).sin() * 0.45 + 0.5).view([6, 3, 4, 4])
    }

    pub fn noise() -> Tensor {
        (Tensor::arange(6 * 48, (Kind::Double, Device::Cpu)) * 1.7 + 0.7).sin().view([6, 3, 4, 4])
    }

    /// Logits of the images, and the classes they are taken for, which are their labels.
    pub fn clean(&self) -> (Tensor, Tensor) {
        let logits = self.forward(&Self::images(), Mode::Eval).logits;
        let labels = logits.argmax(1, false);
        (logits, labels)
    }
}

impl Network for Golden {
    fn forward(&self, images: &Tensor, _: Mode) -> Output {
        let features = images.flatten(1, -1).linear(&self.w1, Some(&self.b1)).tanh();
        Output { logits: features.linear(&self.w2, None::<&Tensor>), features }
    }
}

pub fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/attacks.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// Within 1e-9, relative.
pub fn close(ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len());
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= 1e-9 * b.abs(), "{ours:?} is not {theirs:?}");
    }
}
