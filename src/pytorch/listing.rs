//! What a pickle of torch.save holds: nested dicts as a flat list of keys.

use super::storage::{self, Storage};
use super::{Entry, Limits, What};
use crate::pickle::{Id, Node, Pickle};
use std::collections::HashMap;

/// Dicts in dicts, at most.
const DEPTH: usize = 8;
/// Letters of one key that are kept, and of all paths together.
const KEY: usize = 512;
const LETTERS: usize = 64 << 20;

/// All keys with what stands there, and the names of what was left unread.
pub(super) fn list(pickle: &Pickle, storages: &[Storage], limits: &Limits) -> Result<(Vec<Entry>, Vec<String>), String> {
    let keys = storage::keys(storages);
    let mut entries = Vec::new();
    let mut letters = 0;
    // Last in, first out, with the pairs of a dict put in backwards: the order of the file.
    let mut left: Vec<(Vec<String>, Id)> = vec![(Vec::new(), pickle.root().id())];
    while let Some((path, id)) = left.pop() {
        let node = pickle.node(id);
        if path.len() < DEPTH
            && let Some(pairs) = contents(node)
        {
            if left.len() + entries.len() + pairs.len() > limits.entries {
                return Err(format!("it has more keys than the {} that are allowed", limits.entries));
            }
            for (key, value) in pairs.into_iter().rev() {
                let mut path = path.clone();
                path.push(
                    key.text()
                        .map_or_else(|| key.int().map_or(key.describe(), |i| i.to_string()), |t| t.chars().take(KEY).collect()),
                );
                letters += path.iter().map(String::len).sum::<usize>();
                if letters > LETTERS {
                    return Err("its keys are too long".into());
                }
                left.push((path, value.id()));
            }
            continue;
        }
        let what = match storage::tensor(node, &keys, storages) {
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

/// The pairs of a dict. `_metadata`, which PyTorch hangs on every state dict, is state and no pair.
fn contents<'p, 'a>(node: Node<'p, 'a>) -> Option<Vec<(Node<'p, 'a>, Node<'p, 'a>)>> {
    node.entries().map(Iterator::collect)
}

fn unread(pickle: &Pickle) -> Vec<String> {
    let known: HashMap<&str, &[&str]> = HashMap::from([
        ("collections", ["OrderedDict", "defaultdict"].as_slice()),
        ("torch._utils", &["_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_parameter_with_state"]),
        ("numpy", &["dtype"]),
        ("numpy.core.multiarray", &["scalar"]),
        ("numpy._core.multiarray", &["scalar"]),
        ("_codecs", &["encode"]),
    ]);
    let is_known =
        |name: &str| name.rsplit_once('.').is_some_and(|(module, name)| known.get(module).is_some_and(|n| n.contains(&name)));
    pickle.callables().into_iter().filter(|name| !is_known(name)).collect()
}
