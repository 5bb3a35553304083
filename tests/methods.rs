//! Methods, networks and optimizer against numbers from outside: the same three steps in plain PyTorch (tests/golden/methods.py).
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

use rematch::config::{self, BatchNormMode, Eps, Method, Nesterov, Network, Norm, RandomStart, Rrm, Sat, Schedule, Train};
use rematch::methods::laps::Laps;
use rematch::methods::{self, Batch, Context};
use rematch::nn::channels_last;
use rematch::nn::model::{Description, Model, Normalize};
use rematch::protocol::{Controls, Flow};
use rematch::train::meter;
use rematch::train::sgd::Sgd;
use std::rc::Rc;
use tch::{Device, Kind, Tensor};

fn wave(shape: &[i64], phase: f64, scale: f64) -> Tensor {
    let n = shape.iter().product::<i64>();
    ((Tensor::arange(n, (Kind::Double, Device::Cpu)) * 0.7 + phase).sin() * scale).to_kind(Kind::Float).view(shape)
}

/// The network of methods.py, as named tensors.
fn closed_form(network: Network, phase: f64) -> Model {
    let description = Description {
        network,
        shape: [1, 28, 28],
        classes: (0..10).map(|i| i.to_string()).collect(),
        normalize: Normalize { mean: vec![0.286], std: vec![0.353] },
        feature_width: None,
        projector: None,
    };
    let model = Model::new(description, 0, Device::Cpu).unwrap();
    let tensors: Vec<(String, Tensor)> = model
        .parameters
        .entries()
        .iter()
        .map(|p| {
            let shape = p.tensor.size();
            let (layer, kind) = p.name.split_once('.').unwrap();
            let fan_in: i64 = shape[1..].iter().product();
            let value = match (layer, kind) {
                (_, "running_mean") => Tensor::zeros(&shape, (Kind::Float, Device::Cpu)),
                (_, "running_var") => Tensor::ones(&shape, (Kind::Float, Device::Cpu)),
                ("fc" | "head", "bias") => wave(&shape, phase, 0.1),
                ("fc" | "head", _) => wave(&shape, phase + layer.len() as f64, 1.0 / (fan_in as f64).sqrt()),
                (_, "bias") => Tensor::zeros(&shape, (Kind::Float, Device::Cpu)),
                (conv, _) if conv.starts_with("conv") => {
                    let place: f64 = conv[4..].parse().unwrap();
                    wave(&shape, phase + place - 1.0, 1.0 / (fan_in as f64).sqrt())
                }
                _ => Tensor::ones(&shape, (Kind::Float, Device::Cpu)),
            };
            (p.name.clone(), value)
        })
        .collect();
    model.fill(&tensors).unwrap();
    model
}

fn norm(tensor: &Tensor) -> f64 {
    meter::floats(tensor).iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

fn close(what: &str, ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() <= 2e-4 * theirs.abs().max(1e-2), "{what}: {ours}, PyTorch has {theirs}");
}

fn three_steps_agree(method: config::Method) {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/methods.json");
    let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
    let expected = &golden[method.name()];
    let (student, teacher) = (closed_form(Network::Fc3, 0.3), closed_form(Network::Fc2, 1.1));
    teacher.freeze();
    let settings = Train {
        epochs: 1,
        batch: 16,
        lr: 0.05,
        momentum: 0.9,
        nesterov: Nesterov::Yes,
        weight_decay: 5e-4,
        schedule: Schedule::Constant,
        report_hz: 1.0,
    };
    let mut sgd = Sgd::new(&settings, &student.parameters);
    let mut method = methods::build(method, Some(Rc::new(teacher))).unwrap();
    let labels: Vec<i64> = (0..16).map(|i| i % 10).collect();
    let batch = Batch { images: channels_last(&(wave(&[16, 1, 28, 28], 0.2, 0.5) + 0.5)), labels: Tensor::from_slice(&labels) };
    let controls = Controls { lambda: 0.05, lr_scale: 1.0, eps: Eps(0.1), norm: Norm::Linf, flow: Flow::Running };
    let mut laps = Laps::new(Device::Cpu);
    for step in 0..3 {
        let context = Context { controls: &controls, attack_seed: 0, laps: &mut laps };
        let objective = method.objective(&student, &batch, context);
        let gradient = student.parameters.gradient(&objective.loss);
        sgd.step(&student.parameters, gradient, 0.05);
        let loss = f64::from(meter::floats(&objective.loss.detach())[0]);
        close(&format!("loss of step {step}"), loss, expected["losses"][step].as_f64().unwrap());
    }
    for p in student.parameters.entries() {
        if p.name.ends_with("running_mean") {
            let theirs = expected["running_mean_norms"][p.name.split('.').next().unwrap()].as_f64().unwrap();
            close(&p.name, norm(&p.tensor), theirs);
        } else if !p.name.ends_with("running_var") {
            close(&p.name, norm(&p.tensor), expected["norms"][&p.name].as_f64().unwrap());
        }
    }
}

#[test]
fn erm_steps_as_pytorch_does() {
    three_steps_agree(Method::Erm);
}

#[test]
fn sat_steps_as_pytorch_does() {
    three_steps_agree(Method::Sat(Sat {
        steps: 3,
        step_size: Eps(0.04),
        random_start: RandomStart::No,
        batch_norm: BatchNormMode::Eval,
    }));
}

#[test]
fn rrm_steps_as_pytorch_does() {
    three_steps_agree(Method::Rrm(Rrm { lambda: 0.05 }));
}
