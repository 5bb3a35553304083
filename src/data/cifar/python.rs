//! CIFAR's Python form: a pickled dict a file, with the pixels as a numpy array and the labels as a list.
//!
//! Read by [`crate::pickle`], which executes nothing.

use super::{Kind, PIXELS, SIDE, bytes, fault};
use crate::data::{DataError, Images};
use crate::pickle::numpy::Order;
use crate::pickle::{self, Limits, Node};
use std::path::Path;

impl Kind {
    fn labels_key(self) -> &'static str {
        match self {
            Self::Ten => "labels",
            Self::Hundred => "fine_labels",
        }
    }

    fn names_key(self) -> &'static str {
        match self {
            Self::Ten => "label_names",
            Self::Hundred => "fine_label_names",
        }
    }

    /// The file of the names.
    pub(super) fn python_names_file(self) -> &'static str {
        match self {
            Self::Ten => "batches.meta",
            Self::Hundred => "meta",
        }
    }
}

/// One file of images.
pub(super) fn batch(file: &Path, kind: Kind) -> Result<Images, DataError> {
    let content = bytes(file)?;
    dict(&content, |root| images(root, kind)).map_err(|why| fault(file, why))
}

/// Names by label.
pub(super) fn names(file: &Path, kind: Kind) -> Result<Vec<String>, DataError> {
    let content = bytes(file)?;
    let read = |root: Node| -> Result<Vec<String>, String> {
        let list = root.get(kind.names_key()).and_then(Node::items).ok_or(format!("holds no list '{}'", kind.names_key()))?;
        list.map(|name| name.text().map(String::from).ok_or(format!("names a class by {}", name.describe()))).collect()
    };
    dict(&content, read).map_err(|why| fault(file, why))
}

fn dict<T>(content: &[u8], read: impl FnOnce(Node) -> Result<T, String>) -> Result<T, String> {
    let (pickle, _) =
        pickle::load(content, &Limits::default()).map_err(|error| format!("is no pickle that can be read: {error}"))?;
    read(pickle.root())
}

fn images(root: Node, kind: Kind) -> Result<Images, String> {
    let array = root.get("data").and_then(Node::array).ok_or("holds no array 'data'")??;
    let count = match (array.shape[..].as_ref(), array.dtype.kind, array.dtype.size, array.order) {
        ([count, PIXELS], 'u', 1, Order::C) if *count > 0 => *count,
        (shape, ..) => {
            return Err(format!(
                "its array 'data' has shape {shape:?} of '{}{}' in {:?} order, expected [images, {PIXELS}] of 'u1' in C order",
                array.dtype.kind, array.dtype.size, array.order
            ));
        }
    };
    let key = kind.labels_key();
    let labels = root.get(key).and_then(Node::items).ok_or(format!("holds no list '{key}'"))?;
    if labels.len() != count {
        return Err(format!("holds {} labels for {count} images", labels.len()));
    }
    let label = |(index, node): (usize, Node)| match node.count() {
        Some(label) if label < kind.classes() => Ok(label as u16),
        _ => Err(format!("label {} of image {index} is out of range; expected 0 to {}", node.describe(), kind.classes() - 1)),
    };
    let labels = labels.enumerate().map(label).collect::<Result<_, _>>()?;
    Ok(Images { pixels: array.data.into_owned(), labels, shape: [3, SIDE, SIDE] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::cifar::load_folder;

    fn golden(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/golden/pickle/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    /// A folder whose every batch is this pickle of two images.
    fn folder(batch: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("cifar-10-batches-py");
        std::fs::create_dir(&home).unwrap();
        for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"] {
            std::fs::write(home.join(name), batch).unwrap();
        }
        folder
    }

    #[test]
    fn both_pythons_files_are_read() {
        for name in ["cifar-python2.pkl", "cifar-python3.pkl"] {
            let folder = folder(&golden(name));
            let data = load_folder(folder.path(), Kind::Ten, 2).unwrap();
            assert_eq!((data.train.len(), data.validation.labels(), data.test.labels()), (8, &[3, 9][..], &[3, 9][..]), "{name}");
            assert_eq!(data.classes[3], "cat");
        }
        // A plain list of names, as protocol 0 has it.
        let folder = folder(&golden("cifar-python2.pkl"));
        let names: Vec<String> = (0..10).map(|i| format!("S'name {i}'\na")).collect();
        let names = names.concat();
        let meta = folder.path().join("cifar-10-batches-py/batches.meta");
        std::fs::write(&meta, format!("(dS'label_names'\n(l{names}s.")).unwrap();
        assert_eq!(load_folder(folder.path(), Kind::Ten, 2).unwrap().classes[7], "name 7");
        std::fs::write(&meta, "(dS'label_names'\n(lS'only'\naS'two'\nas.").unwrap();
        let error = load_folder(folder.path(), Kind::Ten, 2).unwrap_err().to_string();
        assert!(error.contains("batches.meta: names 2 classes, expected 10"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_a_pickle_is_said() {
        let whole = golden("cifar-python2.pkl");
        let label = whole.windows(5).position(|w| w == b"K\x03K\x09e").unwrap();
        let mut wrong = whole.clone();
        wrong[label + 1] = 10;
        for (bytes, said) in [
            (whole[..whole.len() / 2].to_vec(), "data_batch_1: is no pickle that can be read: byte "),
            (wrong, "data_batch_1: label int 10 of image 0 is out of range; expected 0 to 9"),
            (b"(d.".to_vec(), "data_batch_1: holds no array 'data'"),
        ] {
            let folder = folder(&bytes);
            let error = load_folder(folder.path(), Kind::Ten, 2).unwrap_err().to_string();
            assert!(error.contains(said), "{error}\nlacks: {said}");
        }
    }
}
