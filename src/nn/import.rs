//! Which network a set of named tensors is, and the model made of them.
//!
//! The question is put to the networks themselves: each says which names and shapes it would have with the file's channels and
//! classes, and the one that agrees in every one is it. Nothing is guessed from file names.

use super::catalogue;
use super::model::{Description, Model, Normalize, Outline};
use crate::config::Network;
use crate::pytorch::{Checkpoint, Limits, mapping::Mapped};
use std::collections::{BTreeMap, HashMap};
use tch::{Device, Tensor};

/// What is known of a network from names and shapes alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub network: Network,
    /// Channels, height, width.
    pub shape: [usize; 3],
    pub classes: usize,
    /// Of `added_linear`, where there is one.
    pub feature_width: Option<usize>,
}

impl Identity {
    /// For the images it is used for most.
    pub(super) fn usual(network: Network) -> Self {
        Self { network, shape: catalogue::takes(network).usual, classes: 10, feature_width: None }
    }
}

/// How the fault of a tensor that the network does not have ends.
pub(super) const UNEXPECTED: &str = "is unexpected";

pub(super) type Shapes = BTreeMap<String, Vec<usize>>;

/// Finds the network whose tensors these are.
///
/// # Errors
/// When there is none: the one that comes nearest, and what is missing, unexpected or of another shape.
pub fn identify(mapped: &Mapped, only: Option<Network>, shape: Option<[usize; 3]>) -> Result<Identity, String> {
    let given: Shapes = mapped.tensors.iter().map(|(name, spec)| (name.clone(), spec.shape.clone())).collect();
    let mut nearest: Option<(usize, Network, Vec<String>)> = None;
    for &network in Network::ALL.iter().filter(|n| only.is_none_or(|only| only == **n)) {
        for identity in guesses(&given, network, shape)? {
            let faults = compare(&given, &tensors(&identity)?, &HashMap::new());
            if faults.is_empty() {
                return Ok(identity);
            }
            // In shares: a small network has few tensors to miss.
            let share = 1000 * faults.len() / (given.len() + 1);
            if nearest.as_ref().is_none_or(|(least, ..)| share < *least) {
                nearest = Some((share, network, faults));
            }
        }
    }
    let Some((_, network, faults)) = nearest else { return Err("no network here takes images of this shape".into()) };
    Err(self::nearest(only, network, "", faults))
}

/// Why tensors are those of no network: what is wrong with the nearest. `place`: words for where they stand.
pub(super) fn nearest(only: Option<Network>, network: Network, place: &str, mut faults: Vec<String>) -> String {
    let count = faults.len();
    faults.truncate(5);
    let more = if count > 5 { format!("; and {} more", count - 5) } else { String::new() };
    let names: Vec<&str> = Network::ALL.iter().map(|n| n.name()).collect();
    match only {
        Some(_) => format!("its tensors{place} are not those of {}: {}{more}", network.name(), faults.join("; ")),
        None => format!(
            "its tensors{place} are those of no network that is known here ({}); the nearest is {}: {}{more}",
            names.join(", "),
            network.name(),
            faults.join("; ")
        ),
    }
}

/// The channels, classes, widths and sides this network would have, were it the one. Sides matter to fully connected layers only,
/// and no file tells them: the usual ones are tried in turn.
pub(super) fn guesses(given: &Shapes, network: Network, shape: Option<[usize; 3]>) -> Result<Vec<Identity>, String> {
    let takes = catalogue::takes(network);
    // Names do not depend on numbers, so any numbers show which tensors are the stem and the head.
    let probe = tensors(&Identity::usual(network))?;
    let stem = probe.iter().find(|(_, shape)| shape.len() == 4).and_then(|(name, _)| given.get(name));
    let channels = stem.and_then(|shape| shape.get(1)).copied().filter(|c| (1..=4).contains(c)).unwrap_or(takes.usual[0]);
    let head = probe.iter().rev().find(|(_, shape)| shape.len() == 2).and_then(|(name, _)| given.get(name));
    let classes = head.and_then(|shape| shape.first()).copied().filter(|k| (2..=100_000).contains(k)).unwrap_or(10);
    let added = given.get("added_linear.weight").and_then(|shape| shape.first()).copied();
    let feature_width = added.filter(|width| (1..=65_536).contains(width));
    let [_, side, _] = takes.usual;
    let mut sides = if channels == 1 { vec![28, side, 32] } else { vec![side, 32, 28] };
    sides.dedup();
    let shapes = shape.map_or_else(|| sides.into_iter().map(|side| [channels, side, side]).collect(), |shape| vec![shape]);
    let fitting = shapes.into_iter().filter(|shape| takes.shape(*shape));
    Ok(fitting.map(|shape| Identity { network, shape, classes, feature_width }).collect())
}

/// Names and shapes in the order of the network. Nothing of its size is allocated.
pub(super) fn tensors(identity: &Identity) -> Result<Vec<(String, Vec<usize>)>, String> {
    let names = (0..identity.classes).map(|i| i.to_string()).collect();
    let outline = Outline::new(describe(identity, names, Normalize::default()), Device::Cpu).map_err(|e| e.to_string())?;
    let shape = |tensor: &Tensor| tensor.size().iter().map(|&d| d as usize).collect();
    Ok(outline.entries().iter().map(|p| (p.name.clone(), shape(&p.tensor))).collect())
}

fn describe(identity: &Identity, classes: Vec<String>, normalize: Normalize) -> Description {
    let Identity { network, shape, feature_width, .. } = *identity;
    Description { network, shape, classes, normalize, feature_width, projector: None }
}

/// What is wrong with these tensors as a network's. `odd`: what stands under a name where no readable tensor does.
pub(super) fn compare(given: &Shapes, expected: &[(String, Vec<usize>)], odd: &HashMap<&str, &str>) -> Vec<String> {
    let mut faults = Vec::new();
    let unread = expected.iter().filter_map(|(name, _)| odd.get(name.as_str()).map(|what| format!("'{name}' is {what}")));
    faults.extend(unread);
    for (name, shape) in expected.iter().filter(|(name, _)| !odd.contains_key(name.as_str())) {
        match given.get(name) {
            None => faults.push(format!("'{name}' is missing")),
            Some(other) if other != shape => faults.push(format!("'{name}' has shape {other:?}, not {shape:?}")),
            Some(_) => {}
        }
    }
    let known: std::collections::HashSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    faults.extend(given.keys().filter(|name| !known.contains(name.as_str())).map(|name| format!("'{name}' {UNEXPECTED}")));
    faults
}

/// The model of a checkpoint, on the CPU.
///
/// # Errors
/// A normaliser or class names that do not fit, or values that cannot be read or are not finite.
pub fn build(
    file: &Checkpoint,
    mapped: &Mapped,
    identity: &Identity,
    classes: Option<Vec<String>>,
    normalize: Normalize,
) -> Result<Model, String> {
    let limits = Limits::default();
    let classes = classes.unwrap_or_else(|| (0..identity.classes).map(|i| i.to_string()).collect());
    if classes.len() != identity.classes {
        return Err(format!("{} class names for a network of {} classes", classes.len(), identity.classes));
    }
    let channels = identity.shape[0];
    if !normalize.mean.is_empty() && normalize.mean.len() != channels {
        return Err(format!("a normaliser of {} channels for a network of {channels}", normalize.mean.len()));
    }
    let model = Outline::new(describe(identity, classes, normalize), Device::Cpu).map_err(|e| e.to_string())?.finish();
    let mut tensors = Vec::new();
    for (name, spec) in &mapped.tensors {
        let values = file.values(spec, &limits).map_err(|why| format!("tensor '{name}': {why}"))?;
        let shape: Vec<i64> = spec.shape.iter().map(|&d| d as i64).collect();
        tensors.push((name.clone(), Tensor::from_slice(&values).view(shape.as_slice())));
    }
    model.fill(&tensors)?;
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::file::encode;
    use crate::nn::{Mode, Network as _};
    use crate::pytorch::mapping::map;
    use tch::Kind;

    fn model(network: Network, shape: [usize; 3], feature_width: Option<usize>) -> Model {
        let classes = (0..7).map(|i| i.to_string()).collect();
        let identity = Identity { network, shape, classes: 7, feature_width };
        Model::new(describe(&identity, classes, Normalize::default()), 1, Device::Cpu).unwrap()
    }

    /// A safetensors file of these tensors behind a prefix, mapped.
    fn mapped(tensors: &[(String, Tensor)]) -> (Checkpoint, Mapped) {
        let named: Vec<(String, Tensor)> = tensors.iter().map(|(n, t)| (format!("module.{n}"), t.shallow_clone())).collect();
        let file = Checkpoint::read(encode(&named, HashMap::new()), &Limits::default()).unwrap_or_else(|e| panic!("{e}"));
        let mapped = map(&file, &Limits::default()).unwrap();
        (file, mapped)
    }

    fn entries(model: &Model) -> Vec<(String, Tensor)> {
        model.parameters.entries().iter().map(|p| (p.name.clone(), p.tensor.detach())).collect()
    }

    #[test]
    fn networks_are_known_by_their_names_and_shapes() {
        for (network, shape, width) in [
            (Network::Fc2, [1, 28, 28], None),
            (Network::Fc3, [3, 32, 32], None),
            (Network::Dnn, [3, 32, 32], None),
            (Network::Resnet18, [3, 32, 32], None),
            (Network::Resnet18, [1, 28, 28], Some(64)),
            (Network::ImagenetResnet18, [3, 224, 224], None),
            (Network::PreactResnet18, [3, 32, 32], None),
        ] {
            let (_, mapped) = mapped(&entries(&model(network, shape, width)));
            let found = identify(&mapped, None, None).unwrap();
            assert_eq!(found, Identity { network, shape, classes: 7, feature_width: width });
        }
    }

    #[test]
    fn every_network_is_told_from_every_other() {
        for &network in Network::ALL {
            let shape = catalogue::takes(network).usual;
            let identity = Identity { network, shape, classes: 10, feature_width: None };
            let given: Shapes = tensors(&identity).unwrap().into_iter().collect();
            for &other in Network::ALL.iter().filter(|other| **other != network) {
                for guess in guesses(&given, other, None).unwrap() {
                    assert!(
                        !compare(&given, &tensors(&guess).unwrap(), &HashMap::new()).is_empty(),
                        "{network:?} passes for {other:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_differs_is_named() {
        let original = model(Network::Small, [1, 28, 28], None);
        let mut tensors = entries(&original);
        tensors.retain(|(name, _)| name != "bn2.weight");
        tensors.push(("extra.weight".into(), Tensor::zeros([3], (Kind::Float, Device::Cpu))));
        let at = tensors.iter().position(|(name, _)| name == "conv3.weight").unwrap();
        tensors[at].1 = Tensor::zeros([64, 32, 5, 5], (Kind::Float, Device::Cpu));
        let (_, found) = mapped(&tensors);
        let error = identify(&found, None, None).unwrap_err();
        for says in [
            "nearest is small",
            "'bn2.weight' is missing",
            "'extra.weight' is unexpected",
            "'conv3.weight' has shape [64, 32, 5, 5]",
        ] {
            assert!(error.contains(says), "{error}");
        }
        let (_, whole) = mapped(&entries(&original));
        assert!(identify(&whole, Some(Network::Fc2), None).unwrap_err().contains("not those of fc2"));
        assert!(identify(&whole, None, Some([1, 8, 8])).unwrap_err().contains("images of this shape"));
    }

    #[test]
    fn the_model_is_the_same_function() {
        let original = model(Network::Small, [1, 28, 28], None);
        let (file, mapped) = mapped(&entries(&original));
        let identity = identify(&mapped, None, None).unwrap();
        let back = build(&file, &mapped, &identity, None, Normalize::default()).unwrap();
        let x = Tensor::rand([2, 1, 28, 28], (Kind::Float, Device::Cpu));
        assert!(back.forward(&x, Mode::Eval).logits == original.forward(&x, Mode::Eval).logits);
        let wrong = Normalize { mean: vec![0.5; 3], std: vec![0.2; 3] };
        assert!(build(&file, &mapped, &identity, None, wrong).err().unwrap().contains("3 channels"));
        let names = Some(vec!["a".into()]);
        assert!(build(&file, &mapped, &identity, names, Normalize::default()).err().unwrap().contains("1 class names"));
    }
}
