//! The closed-form 48-16-5 tanh network of the golden vectors, in float64, and those vectors.

use super::{Attack, Ball, Fooled, GoOn, Setting, Subjects};
use crate::nn::{Mode, Network, Output};
use crate::random::AttackKey;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

pub struct Golden {
    w1: Tensor,
    b1: Tensor,
    w2: Tensor,
}

impl Golden {
    #[expect(clippy::new_without_default, reason = "only tests make one")]
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

    /// These rows of the images, each aimed at the class that is likeliest after its own.
    pub fn subjects(&self, rows: &[usize]) -> Subjects {
        let (_, labels) = self.clean();
        let index = Tensor::from_slice(&rows.iter().map(|&r| r as i64).collect::<Vec<_>>());
        let targets: Vec<i64> = numbers(&vectors()["target"]).iter().map(|&t| t as i64).collect();
        Subjects {
            images: Self::images().index_select(0, &index),
            labels: labels.index_select(0, &index),
            targets: Some(Tensor::from_slice(&targets).index_select(0, &index)),
            places: rows.iter().map(|&r| r as i64).collect(),
        }
    }

    /// What every attack must keep: flags that depend neither on who shares the batch nor on who leaves it, and images that fool
    /// inside ball and box. Gives the flags.
    pub fn judge_alone_and_together(&self, attack: &dyn Attack, ball: Ball) -> Vec<bool> {
        let run = |rows: &[usize], fooled| {
            let subjects = self.subjects(rows);
            let found = with(self, fooled, |setting| attack.run(&subjects, setting)).unwrap();
            let distances = Vec::<f64>::try_from(ball.distance(&subjects.images, &found.adversarial)).unwrap();
            assert!(distances.iter().all(|d| *d <= ball.eps + 1e-12), "{distances:?}");
            let (low, high) = (found.adversarial.min(), found.adversarial.max());
            assert!(f64::try_from(low).unwrap() >= 0.0 && f64::try_from(high).unwrap() <= 1.0);
            let answers = self.forward(&found.adversarial, Mode::Eval).logits.argmax(1, false);
            let wrong = Vec::<bool>::try_from(answers.ne_tensor(&subjects.labels)).unwrap();
            assert_eq!(found.fooled, wrong, "a flag and what the network says of the image");
            found.fooled
        };
        let all = [0, 1, 2, 3, 4, 5];
        let together = run(&all, Fooled::Leave);
        assert!(together.contains(&true) && together.contains(&false), "a test needs both kinds: {together:?}");
        assert_eq!(together, run(&all, Fooled::Stay));
        let alone: Vec<bool> = all.iter().flat_map(|&row| run(&[row], Fooled::Leave)).collect();
        assert_eq!(together, alone);
        let backwards: Vec<bool> = run(&[5, 4, 3, 2, 1, 0], Fooled::Leave).into_iter().rev().collect();
        assert_eq!(together, backwards);
        together
    }
}

/// Runs something in the setting of an attack on this network that nobody interrupts.
pub fn with<T>(net: &Golden, fooled: Fooled, what: impl FnOnce(&mut Setting) -> T) -> T {
    let mut go_on = || GoOn::Yes;
    what(&mut Setting { network: net, key: AttackKey::new(0, "golden", 0, 0), fooled, go_on: &mut go_on })
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
