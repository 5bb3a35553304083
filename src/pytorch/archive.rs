//! The zip container: `<root>/data.pkl`, `<root>/data/<key>` with raw numbers, `<root>/byteorder`.
//!
//! A reader of stored entries alone, as PyTorch writes them (also beyond 4 GiB): nothing is inflated, so nothing can be a bomb, and
//! nothing is written, so no name can lead out of a folder; such names are refused all the same.

use super::{Checkpoint, Container, Fault, Limits, listing, storage};
use crate::pickle;
use std::collections::HashMap;
use std::ops::Range;

/// Files in one archive: a checkpoint has one for each storage.
const MOST_FILES: u64 = 1_000_000;

pub(super) fn read(bytes: Vec<u8>, limits: &Limits) -> Result<Checkpoint, Fault> {
    let files = directory(&bytes).map_err(Fault::Malformed)?;
    if program(&files) {
        return Err(Fault::TorchScript);
    }
    let malformed = |why: &str| Fault::Malformed(why.into());
    let pickles: Vec<&str> = files.keys().filter_map(|name| name.strip_suffix("/data.pkl")).collect();
    let [root] = pickles.as_slice() else {
        return Err(malformed("a zip file without one data.pkl, so none of torch.save"));
    };
    if let Some(order) = files.get(&format!("{root}/byteorder"))
        && &bytes[order.stored("byteorder")?] != b"little"
    {
        return Err(malformed("its numbers are big-endian; save it again on a little-endian machine"));
    }
    let place = files[&format!("{root}/data.pkl")].stored("data.pkl")?;
    let (pickle, _) = pickle::load(&bytes[place], &limits.pickle)?;
    let found = storage::find(&pickle).map_err(Fault::Malformed)?;
    let mut storages = Vec::new();
    for (key, storage) in found {
        let name = format!("{root}/data/{key}");
        let place =
            files.get(&name).ok_or_else(|| Fault::Malformed(format!("the numbers '{name}' are missing")))?.stored(&name)?;
        storages.push(storage.placed(&key, place).map_err(Fault::Malformed)?);
    }
    let (entries, unread) = listing::list(&pickle, &storages, limits).map_err(Fault::Malformed)?;
    drop(pickle);
    Ok(Checkpoint { container: Container::Zip, entries, unread, bytes, storages, metadata: std::collections::BTreeMap::new() })
}

pub(super) fn is_torchscript(bytes: &[u8]) -> bool {
    directory(bytes).is_ok_and(|files| program(&files))
}

/// Where a file's content lies.
struct File {
    place: Range<usize>,
    compressed: bool,
}

impl File {
    fn stored(&self, name: &str) -> Result<Range<usize>, Fault> {
        if self.compressed {
            let why = "is compressed, which torch.save never does: it was packed again; unpack and save it with torch.save";
            return Err(Fault::Malformed(format!("'{name}' in it {why}")));
        }
        Ok(self.place.clone())
    }
}

fn program(files: &HashMap<String, File>) -> bool {
    files.keys().any(|name| name.ends_with("/constants.pkl")) && files.keys().any(|name| name.contains("/code/"))
}

fn at<const N: usize>(bytes: &[u8], from: usize) -> Result<[u8; N], String> {
    let end = from.checked_add(N);
    end.and_then(|end| bytes.get(from..end)).and_then(|b| b.first_chunk()).copied().ok_or_else(|| "a truncated zip file".into())
}

fn u16_at(bytes: &[u8], from: usize) -> Result<u64, String> {
    at(bytes, from).map(|b| u64::from(u16::from_le_bytes(b)))
}

fn u32_at(bytes: &[u8], from: usize) -> Result<u64, String> {
    at(bytes, from).map(|b| u64::from(u32::from_le_bytes(b)))
}

fn u64_at(bytes: &[u8], from: usize) -> Result<u64, String> {
    at(bytes, from).map(u64::from_le_bytes)
}

/// Where the content of each file lies.
fn directory(bytes: &[u8]) -> Result<HashMap<String, File>, String> {
    let lowest = bytes.len().saturating_sub(22 + 65_535);
    let end = (lowest..(bytes.len() + 1).saturating_sub(22)).rev().find(|&i| bytes[i..].starts_with(b"PK\x05\x06"));
    let end = end.ok_or("a zip file without its directory: truncated?")?;
    let (mut count, mut from) = (u16_at(bytes, end + 10)?, u32_at(bytes, end + 16)?);
    if (count == 0xffff || from == 0xffff_ffff) && end >= 20 && bytes[end - 20..].starts_with(b"PK\x06\x07") {
        let wide = u64_at(bytes, end - 12)? as usize;
        if at(bytes, wide)? != *b"PK\x06\x06" {
            return Err("a zip file whose directory is not where it says".into());
        }
        (count, from) = (u64_at(bytes, wide.saturating_add(32))?, u64_at(bytes, wide.saturating_add(48))?);
    }
    // A record takes at least 46 bytes.
    if count > MOST_FILES || count.saturating_mul(46) > bytes.len() as u64 {
        return Err(format!("a zip file that claims {count} files"));
    }
    let mut files = HashMap::new();
    let mut here = usize::try_from(from).map_err(|_| "a truncated zip file")?;
    for _ in 0..count {
        if at(bytes, here)? != *b"PK\x01\x02" {
            return Err("a zip file with a damaged directory".into());
        }
        let (flags, method) = (u16_at(bytes, here + 8)?, u16_at(bytes, here + 10)?);
        let (mut packed, mut size) = (u32_at(bytes, here + 20)?, u32_at(bytes, here + 24)?);
        let (name, extra, comment) =
            (u16_at(bytes, here + 28)? as usize, u16_at(bytes, here + 30)? as usize, u16_at(bytes, here + 32)? as usize);
        let mut local = u32_at(bytes, here + 42)?;
        let name_at = here + 46;
        let text = bytes.get(name_at..name_at + name).ok_or("a truncated zip file")?;
        let text = std::str::from_utf8(text).map_err(|_| "a zip file with a name that is not UTF-8")?;
        widen(bytes, name_at + name, extra, [&mut size, &mut packed, &mut local])?;
        here = name_at + name + extra + comment;
        if text.starts_with('/') || text.contains(['\\', '\0']) || text.split('/').any(|part| part == "..") {
            return Err(format!("a zip file with the name {text:?}, which leads out of it"));
        }
        if flags & 1 != 0 {
            return Err(format!("'{text}' in it is encrypted"));
        }
        let local = usize::try_from(local).map_err(|_| "a truncated zip file")?;
        if at(bytes, local)? != *b"PK\x03\x04" {
            return Err(format!("'{text}' is not where the directory says"));
        }
        let content = local as u64 + 30 + u16_at(bytes, local + 26)? + u16_at(bytes, local + 28)?;
        let last = content.checked_add(packed).filter(|&last| last <= bytes.len() as u64);
        let last = last.ok_or_else(|| format!("'{text}' reaches beyond the end of the file: truncated?"))?;
        let file = File { place: content as usize..last as usize, compressed: method != 0 || packed != size };
        if files.insert(text.to_owned(), file).is_some() {
            return Err(format!("'{text}' is in it twice"));
        }
    }
    Ok(files)
}

/// Numbers that do not fit 32 bits stand in the extra field 0x0001, in this order, only those that do not fit.
fn widen(bytes: &[u8], from: usize, length: usize, numbers: [&mut u64; 3]) -> Result<(), String> {
    let mut here = from;
    while here + 4 <= from + length {
        let (tag, size) = (u16_at(bytes, here)?, u16_at(bytes, here + 2)? as usize);
        if tag == 1 {
            let (mut next, end) = (here + 4, here + 4 + size);
            for number in numbers {
                if *number == 0xffff_ffff && next + 8 <= end {
                    *number = u64_at(bytes, next)?;
                    next += 8;
                }
            }
            return Ok(());
        }
        here += 4 + size;
    }
    Ok(())
}
