//! Fingerprint of the files that a data set is read from, by which it is recognised at another place.
//!
//! It is cheap where there are many files: of image folders it covers names and sizes, of the few files of IDX and CIFAR sets
//! their bytes. It decodes nothing.

use super::{cifar, formats, idx};
use crate::config::{self, Source};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Parts of an image folder.
const PARTS: [&str; 5] = ["train", "val", "valid", "validation", "test"];
/// Files whose size is looked at; of more files, evenly spread ones. A network file system answers about a thousand a second.
const SIZED: usize = 20_000;
/// Folders within folders that are looked into.
const DEPTH: usize = 6;

/// SHA-256 over what `covers` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub sha256: String,
    pub covers: String,
}

/// Fingerprint of what a config names as data. `None` for the embedded set, and where files cannot be read.
pub fn of(data: &config::Data) -> Option<Content> {
    let place = Path::new(data.path.as_deref()?);
    match data.source {
        Source::FashionMnist10k => None,
        Source::Idx => of_bytes(&idx::files(place)),
        Source::Cifar10 => of_bytes(&cifar::files(place, cifar::Kind::Ten)),
        Source::Cifar100 => of_bytes(&cifar::files(place, cifar::Kind::Hundred)),
        Source::Folder | Source::RestrictedImagenet => of_names(place).ok().flatten(),
    }
}

/// SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// When it is no regular file (a pipe would make this wait for ever), or cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let (mut file, mut sum, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:x}", sum.finalize())),
            n => sum.update(&buffer[..n]),
        }
    }
}

fn of_bytes(files: &[PathBuf]) -> Option<Content> {
    let mut sum = Sha256::new();
    for file in files {
        sum.update(file.file_name()?.as_encoded_bytes());
        sum.update(b"\0");
        sum.update(sha256_of(file).ok()?);
        sum.update(b"\n");
    }
    let covers = format!("the names and bytes of {} files", files.len());
    (!files.is_empty()).then(|| Content { sha256: format!("{:x}", sum.finalize()), covers })
}

fn of_names(place: &Path) -> io::Result<Option<Content>> {
    let mut found = BTreeMap::new();
    let whole = fs::metadata(place)?;
    for part in PARTS {
        let path = place.join(part);
        if path.is_dir() {
            list(&path, part, &mut vec![(whole.dev(), whole.ino())], &mut found)?;
        }
    }
    let every = found.len().div_ceil(SIZED).max(1);
    let mut sum = Sha256::new();
    for (number, (name, path)) in found.iter().enumerate() {
        sum.update(name);
        if number.is_multiple_of(every) {
            sum.update(format!("\0{}", fs::metadata(path)?.len()));
        }
        sum.update(b"\n");
    }
    let sizes = if every == 1 { "sizes".to_string() } else { format!("every {every}th size") };
    let covers = format!("the names and {sizes} of {} image files", found.len());
    Ok((!found.is_empty()).then(|| Content { sha256: format!("{:x}", sum.finalize()), covers }))
}

/// Image files and lists of labels below `folder`, by their names within the data set. `above`: the folders it lies in, so that a
/// link to one of them is not followed.
fn list(folder: &Path, name: &str, above: &mut Vec<(u64, u64)>, found: &mut BTreeMap<Vec<u8>, PathBuf>) -> io::Result<()> {
    let facts = fs::metadata(folder)?;
    let this = (facts.dev(), facts.ino());
    if above.len() >= DEPTH || above.contains(&this) {
        return Ok(());
    }
    above.push(this);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name();
        let own = [name.as_bytes(), b"/", file.as_encoded_bytes()].concat();
        if file.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type()?;
        let is_folder = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        if is_folder {
            list(&entry.path(), &String::from_utf8_lossy(&own), above, found)?;
        } else if formats::is_read(Path::new(&file)) || file.as_encoded_bytes().ends_with(b"annotations.txt") {
            found.insert(own, entry.path());
        }
    }
    above.pop();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Augment, Data};

    fn data(source: Source, place: &Path) -> Data {
        let path = Some(place.to_str().unwrap().to_string());
        Data { source, path, validation: 1, augment: Augment::None, files: None }
    }

    #[test]
    fn an_image_folder_is_known_by_names_and_sizes_wherever_it_lies() {
        let home = tempfile::tempdir().unwrap();
        let make = |place: &str| {
            let place = home.path().join(place);
            for class in ["a", "b"] {
                for part in ["train", "test"] {
                    let folder = place.join(part).join(class);
                    fs::create_dir_all(&folder).unwrap();
                    fs::write(folder.join("1.png"), "12345").unwrap();
                    fs::write(folder.join("notes"), "not an image").unwrap();
                }
            }
            place
        };
        let (one, other) = (make("one"), make("other"));
        std::os::unix::fs::symlink(&other, other.join("train/a/loop")).unwrap();
        let print = |place: &Path| of(&data(Source::Folder, place)).unwrap();
        assert_eq!(print(&one), print(&other));
        assert_eq!(print(&one).covers, "the names and sizes of 4 image files");
        fs::write(other.join("train/a/notes"), "others").unwrap();
        assert_eq!(print(&one), print(&other), "what is no image does not count");
        fs::write(other.join("train/a/1.png"), "1234567").unwrap();
        assert_ne!(print(&one), print(&other));
        fs::write(other.join("train/a/1.png"), "12345").unwrap();
        fs::rename(other.join("train/a/1.png"), other.join("train/b/2.png")).unwrap();
        assert_ne!(print(&one), print(&other));
        assert_eq!(of(&data(Source::Folder, &home.path().join("none"))), None);
    }

    #[test]
    fn a_set_of_a_few_files_is_known_by_their_bytes() {
        let home = tempfile::tempdir().unwrap();
        let make = |place: &str, last: &str| {
            let place = home.path().join(place);
            fs::create_dir_all(&place).unwrap();
            for part in ["train", "t10k"] {
                fs::write(place.join(format!("{part}-images-idx3-ubyte")), "images").unwrap();
                fs::write(place.join(format!("{part}-labels-idx1-ubyte")), last).unwrap();
            }
            fs::write(place.join("README"), place.to_str().unwrap()).unwrap();
            of(&data(Source::Idx, &place)).unwrap()
        };
        let one = make("one", "labels");
        assert_eq!(one, make("other", "labels"));
        assert_ne!(one, make("third", "LABELS"), "of the same length");
        assert_eq!(one.covers, "the names and bytes of 4 files");
    }
}
