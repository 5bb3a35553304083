//! The container of PyTorch before 1.6: five pickles in a row, then the raw numbers of each storage in the order of the last.

use super::{Checkpoint, Container, Fault, Limits, listing, storage};
use crate::pickle::{self, Value};
use std::collections::HashMap;

/// The first pickle: the whole number `0x1950a86a20f9469cfc6c` in protocol 2.
pub(super) const MAGIC: [u8; 15] = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

pub(super) fn read(bytes: Vec<u8>, limits: &Limits) -> Result<Checkpoint, Fault> {
    let malformed = |why: &str| Fault::Malformed(why.into());
    let mut at = MAGIC.len();
    let mut next = || -> Result<pickle::Pickle, Fault> {
        let (pickle, taken) =
            pickle::load(&bytes[at..], &limits.pickle).map_err(|e| pickle::PickleError { at: e.at + at, ..e })?;
        at += taken;
        Ok(pickle)
    };
    let version = next()?;
    if version.root().int() != Some(1001) {
        return Err(Fault::Malformed(format!("its protocol is {}, and 1001 is the only one", version.root().describe())));
    }
    if next()?.root().get("little_endian").is_none_or(|v| *v.value() != Value::Bool(true)) {
        return Err(malformed("its numbers are big-endian; save it again on a little-endian machine"));
    }
    let (pickle, keys) = (next()?, next()?);
    let keys = keys.root().items().ok_or_else(|| malformed("a list of its storages is missing"))?;
    let keys: Option<Vec<String>> = keys.map(|key| key.text().map(String::from)).collect();
    let keys = keys.ok_or_else(|| malformed("its storages are not named by text"))?;
    let found = storage::find(&pickle).map_err(Fault::Malformed)?;
    let order: HashMap<&str, usize> = found.iter().enumerate().map(|(i, (key, _))| (key.as_str(), i)).collect();
    let mut places = vec![None; found.len()];
    for key in &keys {
        let &index = order.get(key.as_str()).ok_or_else(|| Fault::Malformed(format!("its storage '{key}' is never used")))?;
        let storage = &found[index].1;
        let count = bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|b| i64::from_le_bytes(*b));
        let count = count.ok_or_else(|| malformed("truncated before the numbers of a storage"))?;
        if usize::try_from(count).ok() != Some(storage.elements) {
            return Err(Fault::Malformed(format!("its storage '{key}' holds {count} numbers, not {}", storage.elements)));
        }
        let from = at + 8;
        let end = storage.size().and_then(|size| from.checked_add(size)).filter(|&end| end <= bytes.len());
        at = end.ok_or_else(|| Fault::Malformed(format!("truncated in the numbers of storage '{key}'")))?;
        places[index] = Some(from..at);
    }
    let mut storages = Vec::new();
    for ((key, storage), place) in found.into_iter().zip(places) {
        let place = place.ok_or_else(|| Fault::Malformed(format!("the numbers of storage '{key}' are missing")))?;
        storages.push(storage.placed(&key, place).map_err(Fault::Malformed)?);
    }
    let (entries, unread) = listing::list(&pickle, &storages, limits).map_err(Fault::Malformed)?;
    drop(pickle);
    drop(version);
    Ok(Checkpoint { container: Container::Legacy, entries, unread, bytes, storages, metadata: std::collections::BTreeMap::new() })
}
