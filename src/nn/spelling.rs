//! Usual names of other code for the layers of networks here.
//!
//! Only where the architecture is the same by definition: names of ResNets and of their heads. A wide or pre-activation ResNet of other
//! names is often another function (another activation, another shortcut), so those must have the names of their reference code.

use crate::config::Network;
use std::borrow::Cow;

/// What the way around a block is called.
const SHORTCUTS: [&str; 9] =
    ["shortcut", "downsample", "skip", "skip_connection", "proj", "projection", "identity", "identity_downsample", "residual"];
/// What the last, linear layer is called, alone or in parts, as `classifier.1`.
const HEADS: [&str; 16] = [
    "linear",
    "fc",
    "head",
    "classifier",
    "classification_head",
    "cls_head",
    "clf",
    "logits",
    "output",
    "out",
    "last_linear",
    "final",
    "fc_out",
    "output_layer",
    "linear_head",
    "last",
];

/// The name that this network gives to the tensor that other code calls `name`; `name` itself where none is known.
pub fn own_name(network: Network, name: &str) -> Cow<'_, str> {
    let parts: Vec<&str> = name.split('.').collect();
    let own = match network {
        Network::Resnet18 | Network::Resnet50 => resnet(&parts, "shortcut"),
        Network::ImagenetResnet18 | Network::ImagenetResnet50 => resnet(&parts, "downsample"),
        // Its shortcut is one convolution, without a batch norm.
        Network::PreactResnet18 => match parts.as_slice() {
            [layer, i, "downsample", "0", leaf] => Some(format!("{layer}.{i}.shortcut.0.{leaf}")),
            _ => None,
        },
        Network::Fc2
        | Network::Fc3
        | Network::Fc5
        | Network::Small
        | Network::Dnn
        | Network::Vgg11
        | Network::Vgg16
        | Network::Vgg19
        | Network::Wrn2810
        | Network::Wrn3410
        | Network::ImagenetVgg16
        | Network::ImagenetAlexnet => None,
    };
    own.map_or(Cow::Borrowed(name), Cow::Owned)
}

/// Whether a layer of this name, relative to the network, is likely its head.
pub fn is_head(name: &str) -> bool {
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let mut parts = name.split('.');
    parts.next().is_some_and(|first| HEADS.contains(&first)) && parts.all(|part| is_number(part) || HEADS.contains(&part))
}

fn resnet(parts: &[&str], shortcut: &str) -> Option<String> {
    match parts {
        ["conv" | "conv_stem", leaf] | ["conv1", "0", leaf] | ["stem", "0" | "conv" | "conv1", leaf] => {
            Some(format!("conv1.{leaf}"))
        }
        ["bn" | "norm" | "norm1", leaf] | ["conv1", "1", leaf] | ["stem", "1" | "bn" | "bn1" | "norm" | "norm1", leaf] => {
            Some(format!("bn1.{leaf}"))
        }
        _ => {
            let (layer, rest) = group(parts)?;
            let rest = rest.strip_prefix(&["blocks"]).or(rest.strip_prefix(&["layers"])).unwrap_or(rest);
            let (i, inner) = rest.split_first()?;
            i.parse::<u8>().ok()?;
            let own = match inner {
                [block, part, leaf] if SHORTCUTS.contains(block) => {
                    let part = match *part {
                        "0" | "conv" | "conv1" => "0",
                        "1" | "bn" | "bn1" | "norm" | "norm1" => "1",
                        _ => return None,
                    };
                    format!("{shortcut}.{part}.{leaf}")
                }
                ["residual_function", part, leaf] => {
                    let part = match *part {
                        "0" => "conv1",
                        "1" => "bn1",
                        "3" => "conv2",
                        "4" => "bn2",
                        "6" => "conv3",
                        "7" => "bn3",
                        _ => return None,
                    };
                    format!("{part}.{leaf}")
                }
                [part, leaf] => match part.strip_prefix("norm") {
                    Some(number) => format!("bn{number}.{leaf}"),
                    None => format!("{part}.{leaf}"),
                },
                _ => return None,
            };
            Some(format!("layer{layer}.{i}.{own}"))
        }
    }
}

/// Which of the four groups of blocks these components begin with, and the components behind that.
fn group<'p, 'n>(parts: &'p [&'n str]) -> Option<(usize, &'p [&'n str])> {
    let (first, rest) = parts.split_first()?;
    let within = |number: usize| (1..=4).contains(&number).then_some(number);
    let number = |text: &str| text.trim_start_matches('_').parse::<usize>().ok();
    if matches!(*first, "layers" | "stages" | "groups") {
        let (second, rest) = rest.split_first()?;
        return Some((within(number(second)? + 1)?, rest));
    }
    // conv2_x to conv5_x, as in the paper's table, and res2 to res5.
    if let Some(middle) = first.strip_prefix("conv").and_then(|name| name.strip_suffix("_x")).or(first.strip_prefix("res")) {
        return Some((within(number(middle)?.checked_sub(1)?)?, rest));
    }
    let name = ["layer", "stage", "group"].iter().find_map(|name| first.strip_prefix(name))?;
    Some((within(number(name)?)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_of_resnets_are_known() {
        for (theirs, ours) in [
            ("conv1.weight", "conv1.weight"),
            ("conv1.0.weight", "conv1.weight"),
            ("conv1.1.running_mean", "bn1.running_mean"),
            ("stem.norm.bias", "bn1.bias"),
            ("layer2.0.downsample.1.weight", "layer2.0.shortcut.1.weight"),
            ("conv3_x.0.shortcut.0.weight", "layer2.0.shortcut.0.weight"),
            ("conv5_x.1.residual_function.4.bias", "layer4.1.bn2.bias"),
            ("stages.0.blocks.1.norm2.weight", "layer1.1.bn2.weight"),
            ("layer5.0.conv1.weight", "layer5.0.conv1.weight"),
            ("layer1.0.attention.0.weight", "layer1.0.attention.0.weight"),
        ] {
            assert_eq!(own_name(Network::Resnet18, theirs), ours);
        }
        assert_eq!(own_name(Network::ImagenetResnet18, "layer2.0.shortcut.0.weight"), "layer2.0.downsample.0.weight");
        assert_eq!(own_name(Network::Wrn2810, "layer1.0.shortcut.0.weight"), "layer1.0.shortcut.0.weight");
        assert!(is_head("fc") && is_head("classifier.1") && is_head("head.fc"));
        assert!(!is_head("projection.fc") && !is_head("rot_head") && !is_head("0"));
    }
}
