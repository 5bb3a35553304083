//! `.safetensors` with any key names: a JSON header, then the numbers.

use super::source::Source;
use super::{Checkpoint, Container, Dtype, Entry, Fault, Limits, Spec, What, storage};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;

/// The header is JSON; one of 100 MB is what the format itself allows.
const HEADER: u64 = 100_000_000;

#[derive(Deserialize)]
struct Listed {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The texts by name in the file's header, of which nothing else is read: weights may be gigabytes.
pub(super) fn metadata(mut file: impl Read, length: u64) -> Result<BTreeMap<String, String>, Fault> {
    let malformed = |why: &str| Fault::Malformed(format!("no .safetensors file: {why}"));
    let mut first = [0; 8];
    file.read_exact(&mut first)?;
    let header = u64::from_le_bytes(first);
    if header > length.saturating_sub(8) || header > HEADER {
        return Err(malformed("its header is longer than the file"));
    }
    let mut bytes = vec![0; header as usize];
    file.read_exact(&mut bytes)?;
    let header: Texts = serde_json::from_slice(&bytes).map_err(|e| malformed(&e.to_string()))?;
    Ok(header.metadata)
}

#[derive(Deserialize)]
struct Texts {
    #[serde(rename = "__metadata__", default)]
    metadata: BTreeMap<String, String>,
}

pub(super) fn read(source: Source, limits: &Limits) -> Result<Checkpoint, Fault> {
    let malformed = |why: String| Fault::Malformed(format!("a damaged .safetensors file: {why}"));
    let head = source.head(8)?;
    let length = head.first_chunk().map(|b| u64::from_le_bytes(*b));
    let length = length.filter(|&n| n <= (source.length() as u64).saturating_sub(8) && n <= HEADER);
    let start = 8 + length.ok_or_else(|| malformed("its header is longer than the file".into()))? as usize;
    let header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&source.read(8..start)?).map_err(|e| malformed(e.to_string()))?;
    if header.len() > limits.entries {
        return Err(malformed(format!("it has more keys than the {} that are allowed", limits.entries)));
    }
    let (mut entries, mut storages, mut metadata) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (key, value) in header {
        if key == "__metadata__" {
            metadata = serde_json::from_value(value).map_err(|e| malformed(format!("'{key}': {e}")))?;
            continue;
        }
        let listed: Listed = serde_json::from_value(value).map_err(|e| malformed(format!("'{key}': {e}")))?;
        let dtype = match listed.dtype.as_str() {
            "F32" => Dtype::F32,
            "F16" => Dtype::F16,
            "BF16" => Dtype::Bf16,
            "F64" => Dtype::F64,
            "I64" => Dtype::I64,
            "I32" => Dtype::I32,
            "I16" => Dtype::I16,
            "I8" => Dtype::I8,
            "U8" => Dtype::U8,
            "BOOL" => Dtype::Bool,
            other => {
                let what = What::Other(storage::unread_numbers(&other.chars().take(20).collect::<String>()));
                entries.push(Entry { path: vec![key], what });
                continue;
            }
        };
        let [from, to] = listed.data_offsets;
        let whole = from <= to && start.checked_add(to).is_some_and(|end| end <= source.length());
        let elements = listed.shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d));
        if !whole || elements != Some(to - from) {
            return Err(malformed(format!("'{key}' does not lie inside the file as its shape says; truncated?")));
        }
        let spec = Spec::plain(dtype, listed.shape, &mut storages, &key, start + from..start + to).map_err(malformed)?;
        entries.push(Entry { path: vec![key], what: What::Tensor(spec) });
    }
    Ok(Checkpoint { container: Container::Safetensors, entries, unread: Vec::new(), source, storages, metadata })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_without_the_numbers() {
        let header = br#"{"__metadata__":{"provenance":"{}"},"w":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}"#;
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header);
        let of = |bytes: &[u8]| metadata(bytes, bytes.len() as u64);
        assert_eq!(of(&file).unwrap()["provenance"], "{}");
        assert!(of(&file[..20]).unwrap_err().to_string().contains("longer than the file"));
        assert!(of(&file[..3]).is_err() && of(b"PK\x03\x04 this is a zip file").is_err());
    }
}
