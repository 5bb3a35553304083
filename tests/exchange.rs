//! Models go to PyTorch and come back the same: the exported Python file gives the same logits, and a checkpoint that PyTorch
//! wrote is imported to the same function.
//!
//! Needs a Python with torch and safetensors: `REMATCH_PYTHON`, else `python3`. Where there is none it says so and tests nothing.
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test says best where it broke by breaking there")]

use rematch::config::Network;
use rematch::nn::model::{Description, Model, Normalize};
use rematch::nn::{Mode, Network as _, channels_last, export, import};
use rematch::pytorch::{Checkpoint, Limits, mapping};
use std::path::Path;
use std::process::Command;
use tch::{Device, Kind, Tensor};

fn python() -> Option<String> {
    let name = std::env::var("REMATCH_PYTHON").unwrap_or_else(|_| "python3".into());
    let found =
        Command::new(&name).args(["-c", "import torch, safetensors.torch"]).output().is_ok_and(|out| out.status.success());
    if !found {
        eprintln!("skipped: '{name}' has no torch and safetensors; name one that has with REMATCH_PYTHON");
    }
    found.then_some(name)
}

/// Loads the exported file, answers for fixed images, and saves the state dict again as PyTorch checkpoints of both containers.
const SCRIPT: &str = r#"
import importlib.util, json, pathlib, sys
import torch
folder = pathlib.Path(sys.argv[1])
spec = importlib.util.spec_from_file_location("exported", folder / "m.py")
exported = importlib.util.module_from_spec(spec)
spec.loader.exec_module(exported)
model = exported.load()
torch.set_num_threads(1)
count = 2 * exported.SHAPE[0] * exported.SHAPE[1] * exported.SHAPE[2]
x = (0.5 + 0.5 * torch.sin(torch.arange(count, dtype=torch.float64) * 0.05)).float().view(2, *exported.SHAPE)
with torch.no_grad():
    logits = model(x)
state = {"module.model." + k: v for k, v in model.net.state_dict().items()}
mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (exported.MEAN, exported.STD))
state |= {"module.normalizer.new_mean": mean, "module.normalizer.new_std": std}
torch.save({"model": state, "epoch": 7}, folder / "zip.pt")
torch.save({"model": state, "epoch": 7}, folder / "legacy.pt", _use_new_zipfile_serialization=False)
(folder / "logits.json").write_text(json.dumps(logits.flatten().tolist()))
"#;

fn images(shape: [usize; 3]) -> Tensor {
    let count = 2 * shape.iter().product::<usize>() as i64;
    let wave = (Tensor::arange(count, (Kind::Double, Device::Cpu)) * 0.05).sin() * 0.5 + 0.5;
    let [c, h, w] = shape.map(|d| d as i64);
    channels_last(&wave.to_kind(Kind::Float).view([2, c, h, w]))
}

fn close(what: &str, ours: &Tensor, theirs: &[f64]) {
    let ours = rematch::nn::host::floats(&ours.flatten(0, -1));
    let scale = theirs.iter().fold(1.0f64, |most, v| most.max(v.abs()));
    assert_eq!(ours.len(), theirs.len());
    let far = ours.iter().zip(theirs).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max) / scale;
    assert!(far < 1e-5, "{what}: {far:e} apart");
}

fn round_trip(python: &str, network: Network, shape: [usize; 3], feature_width: Option<usize>, folder: &Path) {
    let name = network.name();
    let normalize = Normalize { mean: vec![0.45, 0.5, 0.55][..shape[0]].into(), std: vec![0.25, 0.2, 0.3][..shape[0]].into() };
    let classes = (0..10).map(|i| format!("class \"{i}\"")).collect();
    let description = Description { network, shape, classes, normalize, feature_width, projector: Some(32) };
    let model = Model::new(description, 3, Device::Cpu).unwrap();
    let x = images(shape);
    if shape[1] < 64 {
        for _ in 0..2 {
            let _ = tch::no_grad(|| model.forward(&x, Mode::Train)); // statistics away from 0 and 1
        }
    }
    let ours = tch::no_grad(|| model.forward(&x, Mode::Eval)).logits;
    let exported = export::export(&model, &serde_json::json!({}), "m.safetensors", "load_m");
    drop(model);
    std::fs::write(folder.join("m.safetensors"), exported.weights).unwrap();
    std::fs::write(folder.join("m.py"), exported.python).unwrap();
    let done = Command::new(python).args(["-c", SCRIPT, &folder.display().to_string()]).output().unwrap();
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    let theirs: Vec<f64> = serde_json::from_slice(&std::fs::read(folder.join("logits.json")).unwrap()).unwrap();
    close(name, &ours, &theirs);
    for file in ["zip.pt", "legacy.pt"] {
        let limits = Limits::default();
        let file = Checkpoint::open(&folder.join(file), &limits).unwrap();
        let mapped = mapping::map(&file, &limits).unwrap();
        let identity = import::identify(&mapped, None, None).unwrap();
        assert_eq!((identity.network, identity.classes, identity.feature_width), (network, 10, feature_width));
        let n = mapped.normaliser.clone().unwrap();
        let identity = import::Identity { shape, ..identity };
        let back = import::build(&file, &mapped, &identity, None, Normalize { mean: n.mean, std: n.std }).unwrap();
        close(name, &tch::no_grad(|| back.forward(&x, Mode::Eval)).logits, &theirs);
    }
}

#[test]
fn small_networks_are_the_same_function_in_pytorch_and_back() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    for (network, shape, width) in [
        (Network::Fc2, [1, 28, 28], None),
        (Network::Fc3, [1, 28, 28], Some(64)),
        (Network::Small, [1, 28, 28], None),
        (Network::Dnn, [1, 28, 28], None),
        (Network::Resnet18, [3, 32, 32], None),
        (Network::PreactResnet18, [3, 32, 32], Some(256)),
    ] {
        round_trip(&python, network, shape, width, dir.path());
    }
}

/// Minutes: `cargo test --test exchange -- --ignored`.
#[test]
#[ignore = "large"]
fn large_networks_are_the_same_function_in_pytorch_and_back() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    for (network, shape, width) in [
        (Network::Vgg11, [3, 32, 32], None),
        (Network::Vgg16, [3, 32, 32], Some(256)),
        (Network::Vgg19, [3, 32, 32], None),
        (Network::Resnet50, [3, 32, 32], Some(512)),
        (Network::Wrn2810, [3, 32, 32], None),
        (Network::Wrn3410, [3, 32, 32], None),
        (Network::ImagenetResnet18, [3, 64, 64], None),
        (Network::ImagenetResnet50, [3, 64, 64], Some(512)),
        (Network::ImagenetAlexnet, [3, 64, 64], None),
        (Network::ImagenetVgg16, [3, 64, 64], Some(512)),
    ] {
        round_trip(&python, network, shape, width, dir.path());
    }
}
