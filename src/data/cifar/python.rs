//! CIFAR's Python form: a pickled dict a file, with the pixels as a numpy array and the labels as a list or a numpy array.
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
    let out_of_range = |index: usize, found: &dyn std::fmt::Display| {
        format!("label {found} of image {index} is out of range; expected 0 to {}", kind.classes() - 1)
    };
    let fits = |label: i64| usize::try_from(label).ok().filter(|label| *label < kind.classes()).map(|label| label as u16);
    let found = root.get(key).ok_or(format!("holds no list '{key}'"))?;
    let labels: Vec<u16> = match (found.array(), found.items()) {
        (Some(array), _) => {
            let array = array?;
            let numbers = array.integers().ok_or_else(|| {
                format!("its array '{key}' is of '{}{}', expected whole numbers", array.dtype.kind, array.dtype.size)
            })?;
            numbers
                .iter()
                .enumerate()
                .map(|(index, &v)| fits(v).ok_or_else(|| out_of_range(index, &v)))
                .collect::<Result<_, _>>()?
        }
        (None, Some(items)) => items
            .enumerate()
            .map(|(index, node)| {
                let label = node.int().or_else(|| node.number().filter(|v| v.fract() == 0.0).map(|v| v as i64));
                label.and_then(fits).ok_or_else(|| out_of_range(index, &node.describe()))
            })
            .collect::<Result<_, _>>()?,
        (None, None) => return Err(format!("holds no list '{key}', but {}", found.describe())),
    };
    if labels.len() != count {
        return Err(format!("holds {} labels for {count} images", labels.len()));
    }
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

    /// A batch of two white images whose labels are this pickle.
    fn labelled(labels: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x80\x03}(X\x04\0\0\0data".to_vec();
        array(&mut bytes, *b"u1", None, &[2, 0x00, 0x0c], &[0xff; 2 * PIXELS]);
        bytes.extend(b"X\x06\0\0\0labels");
        bytes.extend_from_slice(labels);
        bytes.extend(b"u.");
        bytes
    }

    /// Adds what numpy writes for an array. `shape`: the first side and perhaps a second, of two bytes.
    fn array(to: &mut Vec<u8>, code: [u8; 2], mark: Option<u8>, shape: &[u8], data: &[u8]) {
        to.extend(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K");
        to.push(shape[0]);
        match shape {
            [_, low, high] => to.extend([b'M', *low, *high, 0x86]),
            _ => to.push(0x85),
        }
        to.extend(b"cnumpy\ndtype\nX\x02\0\0\0");
        to.extend(code);
        to.extend(b"K\x00K\x01\x87R(K\x03X\x01\0\0\0");
        to.push(mark.unwrap_or(b'|'));
        to.extend(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89B");
        to.extend((data.len() as u32).to_le_bytes());
        to.extend(data);
        to.extend(b"tb");
    }

    #[test]
    fn labels_may_be_a_numpy_array_of_any_whole_numbers() {
        let mut eight = [7i64.to_le_bytes(), 2i64.to_le_bytes()].concat();
        for (code, mark, data) in [
            (b"i8", Some(b'<'), eight.clone()),
            (b"i4", Some(b'>'), [7i32.to_be_bytes(), 2i32.to_be_bytes()].concat()),
            (b"u1", None, vec![7, 2]),
            (b"u2", Some(b'<'), vec![7, 0, 2, 0]),
        ] {
            let mut labels = Vec::new();
            array(&mut labels, *code, mark, &[2], &data);
            let folder = folder(&labelled(&labels));
            let data = load_folder(folder.path(), Kind::Ten, 2).unwrap();
            assert_eq!(data.test.labels(), [7, 2], "{code:?}");
        }
        eight[..8].copy_from_slice(&(-1i64).to_le_bytes());
        for (code, data, said) in [
            (b"i8", eight, "label -1 of image 0 is out of range; expected 0 to 9"),
            (b"f4", [0f32.to_le_bytes(); 2].concat(), "its array 'labels' is of 'f4', expected whole numbers"),
        ] {
            let mut labels = Vec::new();
            array(&mut labels, *code, Some(b'<'), &[2], &data);
            let folder = folder(&labelled(&labels));
            let error = load_folder(folder.path(), Kind::Ten, 2).unwrap_err().to_string();
            assert!(error.contains(said), "{error}\nlacks: {said}");
        }
    }
}
