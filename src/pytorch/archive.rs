//! The zip container: `<root>/data.pkl`, `<root>/data/<key>` with raw numbers, `<root>/byteorder`.
//!
//! A reader of stored entries alone, as PyTorch writes them (also beyond 4 GiB): nothing is inflated, so nothing can be a bomb, and
//! nothing is written, so no name can lead out of a folder; such names are refused all the same.

use super::source::Source;
use super::{Checkpoint, Container, Fault, Limits, foreign, listing, storage};
use crate::pickle;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// Files in one archive: a checkpoint has one for each storage.
const MOST_FILES: u64 = 1_000_000;
/// Bytes of its directory.
const MOST_DIRECTORY: u64 = 256 << 20;

pub(super) fn read(source: Source, limits: &Limits) -> Result<Checkpoint, Fault> {
    let files = directory(&source)?;
    if program(&files) {
        return Err(Fault::TorchScript);
    }
    let malformed = |why: &str| Fault::Malformed(why.into());
    let pickles: Vec<&str> = files.keys().filter_map(|name| name.strip_suffix("/data.pkl")).collect();
    let [root] = pickles.as_slice() else {
        return Err(foreign::archive("zip", "unzip", files.keys().map(String::as_str)));
    };
    if let Some(order) = files.get(&format!("{root}/byteorder"))
        && source.read(order.stored("byteorder")?)?.as_ref() != b"little"
    {
        return Err(malformed("its numbers are big-endian; save it again on a little-endian machine"));
    }
    let place = files[&format!("{root}/data.pkl")].stored("data.pkl")?;
    if place.len() > limits.pickle.bytes {
        return Err(Fault::Malformed(format!("its data.pkl has {} bytes; allowed: {}", place.len(), limits.pickle.bytes)));
    }
    let text = source.read(place)?;
    let (pickle, _) = pickle::load(&text, &limits.pickle)?;
    let found = storage::find(&pickle).map_err(Fault::Malformed)?;
    let mut storages = Vec::new();
    for (key, storage) in found {
        let name = format!("{root}/data/{key}");
        let place =
            files.get(&name).ok_or_else(|| Fault::Malformed(format!("the numbers '{name}' are missing")))?.stored(&name)?;
        storages.push(storage.placed(&key, place).map_err(Fault::Malformed)?);
    }
    let (entries, unread) = listing::list(&pickle, &mut storages, text.len(), limits).map_err(Fault::Malformed)?;
    drop(pickle);
    drop(text);
    Ok(Checkpoint { container: Container::Zip, entries, unread, source, storages, metadata: std::collections::BTreeMap::new() })
}

pub(super) fn is_torchscript(source: &Source) -> bool {
    directory(source).is_ok_and(|files| program(&files))
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
fn directory(source: &Source) -> Result<HashMap<String, File>, Fault> {
    let (bytes, count) = central(source)?;
    let bytes = bytes.as_ref();
    let length = source.length() as u64;
    let malformed = |why: String| Fault::Malformed(why);
    let mut files = HashMap::new();
    let mut here = 0;
    for _ in 0..count {
        if at(bytes, here)? != *b"PK\x01\x02" {
            return Err(malformed("a zip file with a damaged directory".into()));
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
            return Err(malformed(format!("a zip file with the name {text:?}, which leads out of it")));
        }
        if flags & 1 != 0 {
            return Err(malformed(format!("'{text}' in it is encrypted")));
        }
        let local = usize::try_from(local).map_err(|_| "a truncated zip file")?;
        let head = source.read(local..local.saturating_add(30)).map_err(|_| "a truncated zip file")?;
        if !head.starts_with(b"PK\x03\x04") {
            return Err(malformed(format!("'{text}' is not where the directory says")));
        }
        let content = local as u64 + 30 + u16_at(&head, 26)? + u16_at(&head, 28)?;
        let last = content.checked_add(packed).filter(|&last| last <= length);
        let last = last.ok_or_else(|| malformed(format!("'{text}' reaches beyond the end of the file: truncated?")))?;
        let file = File { place: content as usize..last as usize, compressed: method != 0 || packed != size };
        if files.insert(text.to_owned(), file).is_some() {
            return Err(malformed(format!("'{text}' is in it twice")));
        }
    }
    Ok(files)
}

/// The records of the directory, and how many it claims.
fn central(source: &Source) -> Result<(Cow<'_, [u8]>, u64), Fault> {
    let malformed = |why: &str| Fault::Malformed(why.into());
    // The last record has 22 bytes and a comment; before it may lie the 20 that lead to the wide one.
    let from = source.length().saturating_sub(20 + 22 + 65_535);
    let tail = source.read(from..source.length())?;
    let end = (0..(tail.len() + 1).saturating_sub(22)).rev().find(|&i| tail[i..].starts_with(b"PK\x05\x06"));
    let end = end.ok_or_else(|| malformed("a zip file without its directory: truncated?"))?;
    let (mut count, mut size, mut begin) = (u16_at(&tail, end + 10)?, u32_at(&tail, end + 12)?, u32_at(&tail, end + 16)?);
    if (count == 0xffff || begin == 0xffff_ffff || size == 0xffff_ffff)
        && end >= 20
        && tail[end - 20..].starts_with(b"PK\x06\x07")
    {
        let wide = u64_at(&tail, end - 12)? as usize;
        let record = source.read(wide..wide.saturating_add(56)).map_err(|_| "a truncated zip file")?;
        if !record.starts_with(b"PK\x06\x06") {
            return Err(malformed("a zip file whose directory is not where it says"));
        }
        (count, size, begin) = (u64_at(&record, 32)?, u64_at(&record, 40)?, u64_at(&record, 48)?);
    }
    // A record takes at least 46 bytes.
    if count > MOST_FILES || count.saturating_mul(46) > source.length() as u64 {
        return Err(Fault::Malformed(format!("a zip file that claims {count} files")));
    }
    if size > MOST_DIRECTORY {
        return Err(Fault::Malformed(format!("a zip file with a directory of {size} bytes")));
    }
    let (begin, size) = (begin as usize, size as usize);
    let records = source.read(begin..begin.saturating_add(size)).map_err(|_| "a truncated zip file")?;
    Ok((records, count))
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
