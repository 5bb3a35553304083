//! A model for PyTorch: its tensors under PyTorch's names, and a Python file that defines the network and loads them.
//!
//! Layers for training only (`projector`) stay behind. Batch counters are not written: PyTorch fills them in by itself.

use super::Model;
use super::file;
use crate::config::Network;
use std::collections::HashMap;
use tch::Tensor;

/// What is written.
pub struct Exported {
    /// A .safetensors file.
    pub weights: Vec<u8>,
    /// Runs by itself where torch and safetensors are installed.
    pub python: String,
}

/// `name`: the file name the weights will have; the Python file lies beside it.
pub fn export(model: &Model, provenance: &serde_json::Value, name: &str, module: &str) -> Exported {
    let d = &model.description;
    let entries = model.parameters.entries().iter().filter(|p| !p.name.starts_with("projector."));
    let tensors: Vec<(String, Tensor)> = entries.map(|p| (p.name.clone(), p.tensor.detach())).collect();
    let json = |value: serde_json::Value| value.to_string();
    let metadata = HashMap::from([
        // What Python's safetensors writes for PyTorch.
        ("format".into(), "pt".into()),
        ("network".into(), d.network.name().into()),
        ("shape".into(), json(d.shape.to_vec().into())),
        ("classes".into(), json(d.classes.clone().into())),
        ("mean".into(), json(d.normalize.mean.clone().into())),
        ("std".into(), json(d.normalize.std.clone().into())),
        ("provenance".into(), provenance.to_string()),
    ]);
    let (definition, keys) = definition(d.network);
    // JSON of text, numbers and lists of them is Python, too.
    let python = include_str!("export/frame.py")
        .replace("@DEFINITION@", definition)
        .replace("@KEYS@", keys)
        .replace("@NETWORK_NAME@", &json(d.network.name().into()))
        .replace("@NETWORK@", d.network.name())
        .replace("@SHAPE@", &json(d.shape.to_vec().into()))
        .replace("@MEAN@", &json(d.normalize.mean.clone().into()))
        .replace("@STD@", &json(d.normalize.std.clone().into()))
        .replace("@WIDTH@", &d.feature_width.map_or("None".into(), |width| width.to_string()))
        .replace("@FILE_NAME@", &json(name.into()))
        .replace("@FILE@", &plain(name))
        .replace("@MODULE@", &plain(module))
        .replace("@CLASSES@", &json(d.classes.clone().into()));
    Exported { weights: file::encode(&tensors, metadata), python }
}

/// For a docstring: nothing that could end it.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || "._- ".contains(c) { c } else { '_' }).collect()
}

/// The network in Python, and whose definitions the keys fit besides.
fn definition(network: Network) -> (&'static str, &'static str) {
    let own = "The keys are rematch's own.";
    match network {
        Network::Fc2 | Network::Fc3 | Network::Fc5 | Network::Small => (include_str!("export/small.py"), own),
        Network::Dnn => (include_str!("export/dnn.py"), own),
        Network::Vgg11 | Network::Vgg16 | Network::Vgg19 => (
            include_str!("export/vgg.py"),
            "The keys are those of the common CIFAR VGG with batch norm (features.N, classifier).",
        ),
        Network::ImagenetVgg16 => (include_str!("export/vgg.py"), "The keys are torchvision's vgg16."),
        Network::ImagenetAlexnet => (include_str!("export/alexnet.py"), "The keys are torchvision's alexnet."),
        Network::Resnet18 | Network::Resnet50 => (
            include_str!("export/resnet.py"),
            "The keys are those of the common CIFAR ResNet (shortcut, linear), MadryLab's too.",
        ),
        Network::ImagenetResnet18 => (include_str!("export/resnet.py"), "The keys are torchvision's resnet18."),
        Network::ImagenetResnet50 => (include_str!("export/resnet.py"), "The keys are torchvision's resnet50."),
        Network::PreactResnet18 => {
            (include_str!("export/preact.py"), "The keys are those of the common CIFAR PreActResNet18 with a last bn.")
        }
        Network::Wrn2810 | Network::Wrn3410 => {
            (include_str!("export/preact.py"), "The keys are those of TRADES' WideResNet, without its unused sub_block1.")
        }
    }
}
