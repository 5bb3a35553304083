//! The container of PyTorch before 1.6: five pickles in a row, then the raw numbers of each storage in the order of the last.

use super::source::Source;
use super::{Checkpoint, Container, Fault, Limits, listing, storage};
use crate::pickle::{self, Value};
use std::collections::HashMap;

/// The first pickle: the whole number `0x1950a86a20f9469cfc6c` in protocol 2.
pub(super) const MAGIC: [u8; 15] = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/// Bytes in which the end of a pickle is looked for first.
const WINDOW: usize = 256 << 10;

pub(super) fn read(source: Source, limits: &Limits) -> Result<Checkpoint, Fault> {
    let malformed = |why: &str| Fault::Malformed(why.into());
    let mut at = MAGIC.len();
    let mut next = || -> Result<Vec<u8>, Fault> {
        let text = one_pickle(&source, at, limits)?;
        at += text.len();
        Ok(text)
    };
    let (version, system, main, keys) = (next()?, next()?, next()?, next()?);
    let (version, _) = pickle::load(&version, &limits.pickle)?;
    if version.root().int() != Some(1001) {
        return Err(Fault::Malformed(format!("its protocol is {}, and 1001 is the only one", version.root().describe())));
    }
    let (system, _) = pickle::load(&system, &limits.pickle)?;
    if system.root().get("little_endian").is_none_or(|v| *v.value() != Value::Bool(true)) {
        return Err(malformed("its numbers are big-endian; save it again on a little-endian machine"));
    }
    let (pickle, _) = pickle::load(&main, &limits.pickle)?;
    let (keys, _) = pickle::load(&keys, &limits.pickle)?;
    let keys = keys.root().items().ok_or_else(|| malformed("a list of its storages is missing"))?;
    let keys: Option<Vec<String>> = keys.map(|key| key.text().map(String::from)).collect();
    let keys = keys.ok_or_else(|| malformed("its storages are not named by text"))?;
    let found = storage::find(&pickle).map_err(Fault::Malformed)?;
    let order: HashMap<&str, usize> = found.iter().enumerate().map(|(i, (key, _))| (key.as_str(), i)).collect();
    let mut places = vec![None; found.len()];
    for key in &keys {
        let &index = order.get(key.as_str()).ok_or_else(|| Fault::Malformed(format!("its storage '{key}' is never used")))?;
        let storage = &found[index].1;
        let count = source.read(at..at.saturating_add(8)).ok();
        let count = count.and_then(|bytes| bytes.first_chunk().map(|b| i64::from_le_bytes(*b)));
        let count = count.ok_or_else(|| malformed("truncated before the numbers of a storage"))?;
        if usize::try_from(count).ok() != Some(storage.elements) {
            return Err(Fault::Malformed(format!("its storage '{key}' holds {count} numbers, not {}", storage.elements)));
        }
        let from = at + 8;
        let end = storage.size().and_then(|size| from.checked_add(size)).filter(|&end| end <= source.length());
        at = end.ok_or_else(|| Fault::Malformed(format!("truncated in the numbers of storage '{key}'")))?;
        places[index] = Some(from..at);
    }
    let mut storages = Vec::new();
    for ((key, storage), place) in found.into_iter().zip(places) {
        let place = place.ok_or_else(|| Fault::Malformed(format!("the numbers of storage '{key}' are missing")))?;
        storages.push(storage.placed(&key, place).map_err(Fault::Malformed)?);
    }
    let (entries, unread) = listing::list(&pickle, &mut storages, main.len(), limits).map_err(Fault::Malformed)?;
    Ok(Checkpoint {
        container: Container::Legacy,
        entries,
        unread,
        source,
        storages,
        metadata: std::collections::BTreeMap::new(),
    })
}

/// A plain pickle, where it holds arrays of numpy: what is converted from elsewhere is often kept so.
pub(super) fn plain(source: Source, limits: &Limits) -> Result<Checkpoint, Fault> {
    let other = || Fault::Unknown("a pickle, but not one of PyTorch".into());
    let text = one_pickle(&source, 0, limits).map_err(|_| other())?;
    let (pickle, _) = pickle::load(&text, &limits.pickle)?;
    if pickle.callables().iter().any(|name| name == "torch.storage._load_from_bytes") {
        let why = "a pickle of tensors that torch.save did not write: load it with pickle.load and save it with torch.save";
        return Err(Fault::Malformed(why.into()));
    }
    let mut storages = Vec::new();
    let (entries, unread) = listing::list(&pickle, &mut storages, text.len(), limits).map_err(Fault::Malformed)?;
    if storages.is_empty() {
        return Err(other());
    }
    drop(pickle);
    Ok(Checkpoint {
        container: Container::Pickle,
        entries,
        unread,
        source,
        storages,
        metadata: std::collections::BTreeMap::new(),
    })
}

/// The bytes of the pickle that begins at `at`, and no more: gigabytes of numbers may follow.
fn one_pickle(source: &Source, at: usize, limits: &Limits) -> Result<Vec<u8>, Fault> {
    let most = source.length().saturating_sub(at).min(limits.pickle.bytes);
    let mut size = most.min(WINDOW);
    loop {
        let bytes = source.read(at..at + size)?;
        match pickle::load(&bytes, &limits.pickle) {
            Ok((_, taken)) => return Ok(bytes[..taken].to_vec()),
            Err(error) if error.truncated && size < most => size = most.min(size.saturating_mul(8)),
            Err(error) => return Err(pickle::PickleError { at: error.at + at, ..error }.into()),
        }
    }
}
