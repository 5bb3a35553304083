//! Every network against PyTorch: the names, shapes, logits and features of the same numbers there (tests/golden/networks.py).
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

use rematch::config::Network;
use rematch::nn::host;
use rematch::nn::model::{Description, Model, Normalize, Outline};
use rematch::nn::parameters::{Parameter, Role};
use rematch::nn::{Mode, Network as _, channels_last};
use serde::Deserialize;
use std::fmt::Write as _;
use tch::{Device, Tensor};

#[derive(Deserialize)]
struct Case {
    network: String,
    shape: [usize; 3],
    classes: usize,
    feature_width: Option<usize>,
    parameters: u64,
    entries: usize,
    names: String,
    logits: Vec<f64>,
    width: i64,
    features: Vec<f64>,
    train: Option<Trained>,
}

/// One pass in train mode after the one in eval mode.
#[derive(Deserialize)]
struct Trained {
    logits: Vec<f64>,
    buffer: String,
    variance: Vec<f64>,
}

impl Case {
    fn all() -> Vec<Self> {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/networks.json");
        serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap()
    }

    fn network(&self) -> Network {
        Network::ALL.iter().copied().find(|n| n.name() == self.network).unwrap()
    }

    fn outline(&self) -> Outline {
        Outline::new(description(self.network(), self.shape, self.classes, self.feature_width), Device::Cpu).unwrap()
    }

    /// The network with the numbers of networks.py.
    fn model(&self) -> Model {
        let outline = self.outline();
        let values: Vec<(String, Tensor)> =
            outline.entries().iter().enumerate().map(|(place, p)| (p.name.clone(), value(p, place as u64))).collect();
        outline.fill(&values).unwrap()
    }

    fn agrees(&self) {
        let model = self.model();
        assert_eq!(model.features() as i64, self.width, "{}", self.network);
        let x = images(self.shape);
        let out = tch::no_grad(|| model.forward(&x, Mode::Eval));
        close(&self.network, "logits", &out.logits, &self.logits);
        close(&self.network, "features", &out.features.slice(1, None, None, self.width / 8), &self.features);
        let folded = tch::no_grad(|| model.folded().forward(&x, Mode::Eval));
        close(&self.network, "folded logits", &folded.logits, &self.logits);
        if let Some(train) = &self.train {
            let out = tch::no_grad(|| model.forward(&x, Mode::Train));
            close(&self.network, "logits in train mode", &out.logits, &train.logits);
            let moved = model.parameters.entries().iter().find(|p| p.name == train.buffer).unwrap();
            close(&self.network, "running variance", &moved.tensor.narrow(0, 0, 8), &train.variance);
        }
    }
}

fn description(network: Network, shape: [usize; 3], classes: usize, feature_width: Option<usize>) -> Description {
    Description {
        network,
        shape,
        classes: (0..classes).map(|i| i.to_string()).collect(),
        normalize: Normalize { mean: vec![0.4; shape[0]], std: vec![0.25; shape[0]] },
        feature_width,
        projector: None,
    }
}

fn value(p: &Parameter, place: u64) -> Tensor {
    let shape = p.tensor.size();
    let (scale, shift) = match shape[1..].iter().product::<i64>() {
        fan_in if shape.len() > 1 => ((6.0 / fan_in as f64).sqrt() as f32, 0.0),
        _ if p.name.ends_with("running_var") => (0.5, 1.0),
        _ if p.name.ends_with("weight") => (0.2, 1.0),
        _ => (0.1, 0.0),
    };
    let noise = |j: u64| {
        let h = (j * 1_664_525 + place * 1_013_904_223 + 12_345) % (1 << 31);
        (((h * h) >> 15) % (1 << 24)) as f32 / 8_388_608.0 - 1.0
    };
    let values: Vec<f32> = (0..p.tensor.numel() as u64).map(|j| shift + scale * noise(j)).collect();
    Tensor::from_slice(&values).view(&shape[..])
}

fn images(shape: [usize; 3]) -> Tensor {
    let count = shape.iter().product::<usize>();
    let wave = |step: f64, phase: f64| (0..count).map(move |j| (0.5 + 0.5 * (step * j as f64 + phase).sin()) as f32);
    let values: Vec<f32> = wave(0.05, 0.0).chain(wave(0.011, 1.0)).collect();
    let [c, h, w] = shape.map(|d| d as i64);
    channels_last(&Tensor::from_slice(&values).view([2, c, h, w]))
}

fn close(network: &str, what: &str, ours: &Tensor, theirs: &[f64]) {
    let ours = host::floats(ours);
    assert_eq!(ours.len(), theirs.len(), "{network}: {what}");
    let largest = theirs.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    for (i, (&a, &b)) in ours.iter().zip(theirs).enumerate() {
        let off = (f64::from(a) - b).abs() / largest;
        assert!(off < 1e-4, "{network}: {what} [{i}] is {a}, PyTorch has {b} ({off:.1e} of the largest)");
    }
}

fn large(case: &Case) -> bool {
    case.parameters > 40_000_000
}

#[test]
fn names_shapes_and_counts_are_those_of_pytorch() {
    let mut seen = Vec::new();
    for case in Case::all() {
        let outline = case.outline();
        let entries = outline.entries();
        let mut text = String::new();
        for p in entries {
            writeln!(text, "{} {:?}", p.name, p.tensor.size()).unwrap();
        }
        let fnv =
            text.trim_end().bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        assert_eq!(entries.len(), case.entries, "{}:\n{text}", case.network);
        assert_eq!(format!("{fnv:016x}"), case.names, "{}:\n{text}", case.network);
        let trainable = entries.iter().filter(|p| p.role == Role::Trainable);
        assert_eq!(trainable.map(|p| p.tensor.numel() as u64).sum::<u64>(), case.parameters, "{}", case.network);
        seen.push(case.network());
    }
    // Those of our own are held to PyTorch by tests/methods.rs (fc2, fc3), or are only for throughput (small).
    let own = [Network::Fc2, Network::Fc3, Network::Fc5, Network::Small];
    assert!(Network::ALL.iter().all(|n| seen.contains(n) || own.contains(n)), "a network has no case");
}

/// `ALGORITHMS` 5.2 of the project's notes: the RRM paper's table, and for the rest the count of the authors' own code.
#[test]
fn counts_are_the_published_ones() {
    for (network, side, classes, feature_width, published) in [
        (Network::Dnn, 32, 10, None, 1_341_226),
        (Network::Vgg11, 32, 10, None, 9_231_114),
        (Network::Vgg19, 32, 10, None, 20_040_522),
        (Network::Resnet18, 32, 10, None, 11_173_962),
        (Network::Resnet50, 32, 10, Some(512), 24_554_570),
        (Network::ImagenetAlexnet, 224, 9, None, 48_631_625),
        (Network::ImagenetVgg16, 224, 9, None, 125_888_329),
        (Network::ImagenetResnet50, 224, 9, None, 23_526_473),
        (Network::ImagenetResnet18, 224, 1000, None, 11_689_512),
    ] {
        let outline = Outline::new(description(network, [3, side, side], classes, feature_width), Device::Cpu).unwrap();
        let trainable = outline.entries().iter().filter(|p| p.role == Role::Trainable);
        assert_eq!(trainable.map(|p| p.tensor.numel() as u64).sum::<u64>(), published, "{network:?}");
    }
}

#[test]
fn outputs_are_those_of_pytorch() {
    for case in Case::all().iter().filter(|case| !large(case)) {
        case.agrees();
    }
}

#[test]
#[ignore = "220 million numbers; seconds and two gigabytes"]
fn outputs_of_the_largest_are_those_of_pytorch() {
    let largest: Vec<Case> = Case::all().into_iter().filter(large).collect();
    assert_eq!(largest.len(), 3);
    largest.iter().for_each(Case::agrees);
}
