//! What a pickle of torch.save holds: nested dicts and lists as a flat list of keys.

use super::storage::{self, Storage};
use super::{Entry, Limits, Spec, What};
use crate::pickle::{Id, Node, Pickle, Value};
use std::collections::HashMap;

/// Dicts in dicts, at most.
const DEPTH: usize = 8;
/// Letters of one key that are kept, and of all paths together.
const KEY: usize = 512;
const LETTERS: usize = 64 << 20;

/// All keys with what stands there, and the names of what was left unread. Arrays become storages of their own; `length`: of the
/// pickle, more than which they cannot hold together.
pub(super) fn list(
    pickle: &Pickle,
    storages: &mut Vec<Storage>,
    length: usize,
    limits: &Limits,
) -> Result<(Vec<Entry>, Vec<String>), String> {
    let keys: HashMap<String, usize> = storage::keys(storages);
    let weighty = weighty(pickle);
    let mut arrays = Arrays { known: HashMap::new(), left: length };
    let mut entries = Vec::new();
    let mut letters = 0;
    // Last in, first out, with the pairs of a dict put in backwards: the order of the file.
    let mut left: Vec<(Vec<String>, Id)> = vec![(Vec::new(), pickle.root().id())];
    while let Some((path, id)) = left.pop() {
        let node = pickle.node(id);
        if path.len() < DEPTH
            && let Some(pairs) = contents(node, &weighty)
        {
            if left.len() + entries.len() + pairs.len() > limits.entries {
                return Err(format!("it has more keys than the {} that are allowed", limits.entries));
            }
            for (key, value) in pairs.into_iter().rev() {
                let mut path = path.clone();
                path.push(key);
                letters += path.iter().map(String::len).sum::<usize>();
                if letters > LETTERS {
                    return Err("its keys are too long".into());
                }
                left.push((path, value));
            }
            continue;
        }
        let tensor = match storage::tensor(node, &keys, storages) {
            None => arrays.read(node, storages)?,
            known => known,
        };
        let what = match tensor {
            Some(Ok(spec)) => What::Tensor(spec),
            Some(Err(why)) => What::Other(why),
            None => match (node.number(), node.text()) {
                (Some(number), _) => What::Number(number),
                (None, Some(text)) => What::Text(text.chars().take(KEY).collect()),
                (None, None) => What::Other(node.describe()),
            },
        };
        entries.push(Entry { path, what });
    }
    Ok((entries, unread(pickle)))
}

/// Arrays of numpy, each read once.
struct Arrays {
    known: HashMap<Id, Result<Spec, String>>,
    /// Bytes that may still come: a pickle of a few bytes can name the same data a million times.
    left: usize,
}

impl Arrays {
    fn read(&mut self, node: Node, storages: &mut Vec<Storage>) -> Result<Option<Result<Spec, String>>, String> {
        if let Some(known) = self.known.get(&node.id()) {
            return Ok(Some(known.clone()));
        }
        let node = match node.called() {
            // How tensors of accelerators without a type of their own are written.
            Some(("torch._utils", "_rebuild_device_tensor_from_numpy" | "_rebuild_xla_tensor")) => {
                match node.arguments().and_then(|arguments| arguments.first().copied()) {
                    Some(array) => array,
                    None => return Ok(None),
                }
            }
            _ => node,
        };
        let Some(array) = node.array() else { return Ok(None) };
        let spec = match array {
            Ok(array) => {
                let left = self.left.checked_sub(array.data.len());
                self.left = left.ok_or("its arrays hold more than the file: the same data is named again and again")?;
                Spec::of_array(array, storages)
            }
            Err(why) => Err(format!("{why}: save array.astype('float32')")),
        };
        self.known.insert(node.id(), spec.clone());
        Ok(Some(spec))
    }
}

/// Items of a list that are looked at; a longer one is data, such as samples of a replay buffer, and no network.
const ITEMS: usize = 1000;

/// Keys and values of a dict of any class, and of a list or tuple that holds tensors somewhere; `None`: it is neither.
/// `_metadata`, which PyTorch hangs on every state dict, is state and no pair.
fn contents(node: Node, weighty: &[bool]) -> Option<Vec<(String, Id)>> {
    let key = |key: Node| {
        key.text().map_or_else(|| key.int().map_or(key.describe(), |i| i.to_string()), |t| t.chars().take(KEY).collect())
    };
    if let Some(pairs) = node.entries() {
        return Some(pairs.map(|(k, value)| (key(k), value.id())).collect());
    }
    match node.value() {
        // A subclass of dict: its keys are set after it was made.
        Value::Call(call) if !call.items.is_empty() => {
            Some(call.items.iter().map(|&(k, value)| (key(node.at(k)), value)).collect())
        }
        Value::Call(call) => {
            module(node.at(call.state?)).map(|pairs| pairs.into_iter().map(|(k, value)| (key(k), value.id())).collect())
        }
        Value::List(ids) | Value::Tuple(ids) if ids.len() <= ITEMS && weighty[node.id().index()] => {
            Some(ids.iter().enumerate().map(|(i, &id)| (i.to_string(), id)).collect())
        }
        _ => None,
    }
}

/// Attributes of a pickled module, its parameters and its submodules, at most, of each: one dict may be named by a hundred thousand.
const ATTRIBUTES: usize = 1000;

/// Parameters, buffers and submodules of a whole `torch.nn.Module`, by its attributes. Its class is not looked up: what is read are the
/// tensors by name, as its `state_dict()` would give them.
fn module<'p, 'a>(attributes: Node<'p, 'a>) -> Option<Vec<(Node<'p, 'a>, Node<'p, 'a>)>> {
    let Value::Dict(pairs) = attributes.value() else { return None };
    let small = |node: Node| match node.value() {
        Value::Dict(pairs) => pairs.len() <= ATTRIBUTES,
        Value::Call(call) => call.items.len() <= ATTRIBUTES,
        _ => false,
    };
    if pairs.len() > ATTRIBUTES {
        return None;
    }
    let parts = ["_parameters", "_buffers", "_modules"].map(|name| attributes.get(name));
    let [Some(parameters), Some(buffers), Some(modules)] = parts else { return None };
    let mut all = Vec::new();
    for part in [parameters, buffers, modules].into_iter().filter(|part| small(*part)) {
        // What a layer does without, as a bias, is None.
        all.extend(part.entries()?.filter(|(_, value)| *value.value() != Value::None));
    }
    Some(all)
}

/// For each value whether a tensor or array lies in it, at most [`DEPTH`] deep: histories are lists too, and long ones.
fn weighty(pickle: &Pickle) -> Vec<bool> {
    let is_array =
        |node: Node| matches!(node.called(), Some((module, "_reconstruct" | "_frombuffer")) if module.starts_with("numpy"));
    let mut holds: Vec<bool> = pickle.nodes().map(|node| storage::is_tensor(node) || is_array(node)).collect();
    for _ in 0..DEPTH {
        let mut changed = false;
        for node in pickle.nodes() {
            let at = node.id().index();
            if holds[at] {
                continue;
            }
            holds[at] = match node.value() {
                Value::List(ids) | Value::Tuple(ids) => ids.iter().any(|id| holds[id.index()]),
                Value::Dict(pairs) => pairs.iter().any(|(_, value)| holds[value.index()]),
                Value::Call(call) => {
                    call.items.iter().any(|(_, value)| holds[value.index()])
                        || call.state.is_some_and(|state| holds[state.index()])
                }
                _ => false,
            };
            changed |= holds[at];
        }
        if !changed {
            break;
        }
    }
    holds
}

fn unread(pickle: &Pickle) -> Vec<String> {
    let known: HashMap<&str, &[&str]> = HashMap::from([
        ("collections", ["OrderedDict", "defaultdict"].as_slice()),
        (
            "torch._utils",
            &[
                "_rebuild_tensor",
                "_rebuild_tensor_v2",
                "_rebuild_parameter",
                "_rebuild_parameter_with_state",
                "_rebuild_device_tensor_from_cpu_tensor",
                "_rebuild_device_tensor_from_numpy",
            ],
        ),
        ("torch._tensor", &["_rebuild_from_type_v2", "_rebuild_from_type"]),
        ("torch.tensor", &["_rebuild_from_type"]),
        ("numpy", &["dtype"]),
        ("numpy.core.multiarray", &["scalar", "_reconstruct"]),
        ("numpy._core.multiarray", &["scalar", "_reconstruct"]),
        ("numpy.core.numeric", &["_frombuffer"]),
        ("numpy._core.numeric", &["_frombuffer"]),
        ("_codecs", &["encode"]),
    ]);
    let is_known =
        |name: &str| name.rsplit_once('.').is_some_and(|(module, name)| known.get(module).is_some_and(|n| n.contains(&name)));
    pickle.callables().into_iter().filter(|name| !is_known(name)).collect()
}
