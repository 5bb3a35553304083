//! Images whose classes stand in a list beside them, as those of Tiny `ImageNet`'s validation part: `val/images/val_0.JPEG` and
//! `val/val_annotations.txt`, a line an image, the file's name and the class's with a tab between them and more columns behind.

use super::super::{DataError, formats};
use super::walk::{self, Depth, Ignored, Kind};
use super::{Labels, Tree};
use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

const END: &str = "annotations.txt";
/// A thousand times the real one.
const LARGEST: u64 = 256 << 20;

/// The list of a folder that has one and no class folders.
///
/// # Errors
/// A folder that cannot be listed, or that holds several lists.
pub(super) fn list_in(place: &Path) -> Result<Option<PathBuf>, DataError> {
    let (mut lists, mut classes) = (Vec::new(), false);
    for (name, kind) in walk::entries(place)? {
        match kind {
            Kind::File if name.to_string_lossy().to_ascii_lowercase().ends_with(END) => lists.push(place.join(name)),
            Kind::File => {}
            Kind::Folder | Kind::LinkedFolder => classes |= name != "images",
        }
    }
    match (&lists[..], classes) {
        (_, true) | ([], false) => Ok(None),
        ([list], false) => Ok(Some(list.clone())),
        ([one, two, ..], false) => Err(DataError::File {
            file: place.to_owned(),
            why: format!("holds several lists of classes, {} and {}", one.display(), two.display()),
            advice: "leave the one that belongs to its images",
        }),
    }
}

/// Reads the images that a list names. Labels are those of `train`'s classes.
///
/// # Errors
/// A line, an image or a class that is not what it should be.
pub(super) fn read(list: &Path, place: &Path, train: &Tree, ignored: &mut Ignored) -> Result<Labels, DataError> {
    let fault = |why: String| DataError::File {
        file: list.to_owned(),
        why,
        advice: "write a line an image: its file's name, a tab, its class",
    };
    let mut content = Vec::new();
    let read = std::fs::File::open(list).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut content));
    read.map_err(|error| fault(format!("cannot be read: {error}")))?;
    if content.len() as u64 > LARGEST {
        return Err(fault(format!("holds more than {} MiB", LARGEST >> 20)));
    }
    let home = Some(place.join("images")).filter(|images| images.is_dir()).unwrap_or_else(|| place.to_owned());
    let found = walk::images(&home, Depth::Nested, ignored)?;
    let mut label_of: HashMap<PathBuf, u16> = HashMap::new();
    for (number, line) in formats::text_lines(&content).iter().enumerate() {
        let line_number = number + 1;
        let mut columns = line.split('\t').map(str::trim);
        let (Some(name), Some(class)) = (columns.next(), columns.next()) else {
            return Err(fault(format!("line {line_number} has no tab")));
        };
        let label = train.label_of(class.as_ref()).ok_or_else(|| {
            fault(format!("line {line_number} names the class {class}, and {} has no folder of it", train.place.display()))
        })?;
        if label_of.insert(PathBuf::from(name), label).is_some_and(|before| before != label) {
            return Err(fault(format!("line {line_number} gives {name} another class than a line before")));
        }
    }
    let mut images = Vec::new();
    for image in found.images {
        match label_of.remove(&image) {
            Some(label) => images.push((label, home.join(image))),
            None => ignored.note(home.join(image)),
        }
    }
    if let Some(gone) = label_of.keys().min() {
        return Err(DataError::File {
            file: home.join(gone),
            why: format!("there is no such image, and {} names it", list.display()),
            advice: "unpack the data set again, or take the line out",
        });
    }
    images.sort();
    let (labels, paths) = images.into_iter().unzip();
    Ok(Labels { paths, labels })
}
