//! CIFAR-10 and CIFAR-100 from their official files: the binary form, or the Python form.
//!
//! All images are 32x32 with three channels, stored plane by plane as here. A file is believed only as far as its bytes go.

mod python;

use super::{DataError, DataSet, Images, formats, split};
use std::io::Read as _;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ten,
    /// With its 100 fine labels; the 20 coarse ones are not used.
    Hundred,
}

const SIDE: usize = 32;
const PIXELS: usize = 3 * SIDE * SIDE;
/// Ten times the largest official file: what is larger is something else.
const LARGEST: u64 = 2 << 30;
const AGAIN: &str = "unpack the official archive again, or get it by `rematch data fetch`";

/// CIFAR-10's names, for when `batches.meta.txt` is not there.
pub const TEN: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Ten => "cifar10",
            Self::Hundred => "cifar100",
        }
    }

    fn classes(self) -> usize {
        match self {
            Self::Ten => 10,
            Self::Hundred => 100,
        }
    }

    /// Bytes before the pixels of a record, the last of which is the label used.
    fn label_bytes(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred => 2,
        }
    }

    /// Training files and the test file, without their ends.
    fn parts(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Ten => (&["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"], "test_batch"),
            Self::Hundred => (&["train"], "test"),
        }
    }

    /// Folders that the official archives unpack to: binary, Python.
    fn folders(self) -> [&'static str; 2] {
        match self {
            Self::Ten => ["cifar-10-batches-bin", "cifar-10-batches-py"],
            Self::Hundred => ["cifar-100-binary", "cifar-100-python"],
        }
    }

    /// The folder that the official binary archive unpacks to.
    pub fn binary_folder(self) -> &'static str {
        self.folders()[0]
    }

    /// Whether `folder` holds all files of the binary form, by their names alone.
    pub fn is_whole(self, folder: &Path) -> bool {
        let (train, test) = self.parts();
        train.iter().chain([&test]).all(|part| folder.join(format!("{part}.bin")).is_file())
    }

    fn names_file(self) -> &'static str {
        match self {
            Self::Ten => "batches.meta.txt",
            Self::Hundred => "fine_label_names.txt",
        }
    }
}

/// Reads the files in `folder`, or in the folder of their official name below it, and holds out `validation` training images.
///
/// # Errors
/// Names the file, what was found and what was expected.
pub fn load_folder(folder: &Path, kind: Kind, validation: usize) -> Result<DataSet, DataError> {
    super::folder_at(folder, "set data.path to the folder of the CIFAR files, or get them by `rematch data fetch`")?;
    let (train_files, test_file) = kind.parts();
    let [binary, python] = kind.folders();
    let find = |below: &str, end: &str| {
        let first = format!("{}{end}", train_files[0]);
        [folder.to_owned(), folder.join(below)].into_iter().find(|place| place.join(&first).is_file())
    };
    let (train, test, names) = if let Some(home) = find(binary, ".bin") {
        let read = |part: &str| records(&home.join(format!("{part}.bin")), kind);
        let names = lines(&home.join(kind.names_file()))?;
        (join(train_files.iter().map(|part| read(part)))?, read(test_file)?, names.map(|names| (kind.names_file(), names)))
    } else if let Some(home) = find(python, "") {
        let read = |part: &str| python::batch(&home.join(part), kind);
        let file = home.join(kind.python_names_file());
        let names = if file.is_file() { Some((kind.python_names_file(), python::names(&file, kind)?)) } else { None };
        (join(train_files.iter().map(|part| read(part)))?, read(test_file)?, names)
    } else {
        let first = train_files[0];
        return Err(DataError::File {
            file: folder.to_owned(),
            why: format!("holds neither {first}.bin nor {first}, and has no {binary} or {python} with such files"),
            advice: "set data.path to the folder that the official archive was unpacked in, or get it by `rematch data fetch`",
        });
    };
    let names = match names {
        None => usual_names(kind),
        Some((_, names)) if names.len() == kind.classes() => names,
        Some((file, names)) => {
            return Err(fault(&folder.join(file), format!("names {} classes, expected {}", names.len(), kind.classes())));
        }
    };
    let split::HeldOut { train, validation, remark } = split::hold_out(&train, kind.classes(), validation, kind.name())?;
    Ok(DataSet { remarks: remark.into_iter().collect(), ..DataSet::resident(kind.name(), names, [train, validation, test]) })
}

/// The files that [`load_folder`] reads; those that are missing are left out.
pub(super) fn files(folder: &Path, kind: Kind) -> Vec<PathBuf> {
    let (train, test) = kind.parts();
    let [binary, python] = kind.folders();
    let forms = [(binary, ".bin", kind.names_file()), (python, "", kind.python_names_file())];
    for (below, end, names) in forms {
        for home in [folder.to_owned(), folder.join(below)] {
            if home.join(format!("{}{end}", train[0])).is_file() {
                let parts = train.iter().chain([&test]).map(|part| format!("{part}{end}")).chain([names.to_string()]);
                return parts.map(|name| home.join(name)).filter(|file| file.is_file()).collect();
            }
        }
    }
    Vec::new()
}

fn join(parts: impl Iterator<Item = Result<Images, DataError>>) -> Result<Images, DataError> {
    let mut all = Images { pixels: Vec::new(), labels: Vec::new(), shape: [3, SIDE, SIDE] };
    for part in parts {
        let part = part?;
        all.pixels.extend(part.pixels);
        all.labels.extend(part.labels);
    }
    Ok(all)
}

fn fault(file: &Path, why: String) -> DataError {
    DataError::File { file: file.to_owned(), why, advice: AGAIN }
}

fn bytes(file: &Path) -> Result<Vec<u8>, DataError> {
    let cannot = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => fault(file, "there is no such file".into()),
        _ => fault(file, format!("cannot be read: {error}")),
    };
    let mut content = Vec::new();
    std::fs::File::open(file).and_then(|f| f.take(LARGEST + 1).read_to_end(&mut content)).map_err(cannot)?;
    if content.len() as u64 > LARGEST {
        return Err(fault(file, format!("holds more than {} GiB", LARGEST >> 30)));
    }
    Ok(content)
}

/// The binary form: records of one or two label bytes and 3072 pixels.
fn records(file: &Path, kind: Kind) -> Result<Images, DataError> {
    let content = bytes(file)?;
    let each = kind.label_bytes() + PIXELS;
    if content.is_empty() || content.len() % each != 0 {
        let why = format!("holds {} bytes, expected a multiple of {each}, the bytes of one image and its label", content.len());
        return Err(fault(file, why));
    }
    let mut images = Images { pixels: Vec::with_capacity(content.len()), labels: Vec::new(), shape: [3, SIDE, SIDE] };
    for (index, record) in content.chunks_exact(each).enumerate() {
        let (labels, pixels) = record.split_at(kind.label_bytes());
        let label = labels[labels.len() - 1];
        if usize::from(label) >= kind.classes() {
            return Err(fault(
                file,
                format!("label {label} of image {index} is out of range; expected 0 to {}", kind.classes() - 1),
            ));
        }
        images.labels.push(u16::from(label));
        images.pixels.extend_from_slice(pixels);
    }
    Ok(images)
}

/// The lines of a text file, where there is one, without empty ones and without a byte order mark.
fn lines(file: &Path) -> Result<Option<Vec<String>>, DataError> {
    if !file.is_file() {
        return Ok(None);
    }
    Ok(Some(formats::text_lines(&bytes(file)?)))
}

/// Where no file names the classes: the names everybody knows, or numbers.
fn usual_names(kind: Kind) -> Vec<String> {
    match kind {
        Kind::Ten => TEN.map(String::from).to_vec(),
        Kind::Hundred => (0..100).map(|label| label.to_string()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Portion;

    /// `labels` in front of one record each, whose pixels all are its place.
    fn binary(labels: &[&[u8]]) -> Vec<u8> {
        labels.iter().enumerate().flat_map(|(i, label)| label.iter().copied().chain([i as u8; PIXELS])).collect()
    }

    fn ten() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("cifar-10-batches-bin");
        std::fs::create_dir(&home).unwrap();
        for n in 1..=5u8 {
            std::fs::write(home.join(format!("data_batch_{n}.bin")), binary(&[&[n - 1], &[n + 4], &[n - 1], &[n + 4]])).unwrap();
        }
        std::fs::write(home.join("test_batch.bin"), binary(&[&[9], &[3]])).unwrap();
        folder
    }

    #[test]
    fn the_binary_form_is_read_one_level_down_in_the_order_of_its_files() {
        let folder = ten();
        let data = load_folder(folder.path(), Kind::Ten, 10).unwrap();
        assert_eq!((data.train.len(), data.validation.len(), data.test.labels()), (10, 10, &[9, 3][..]));
        assert_eq!((data.train.labels(), data.classes[9].as_str()), (&[0, 5, 1, 6, 2, 7, 3, 8, 4, 9][..], "truck"));
        let Portion::Resident(validation) = data.validation else { panic!("kept in memory") };
        assert!(validation.image(1) == [3; PIXELS] && validation.shape == [3, 32, 32], "the last of each class is held out");

        let names: Vec<String> = (0..10).map(|i| format!("name {i}\n")).collect();
        let file = folder.path().join("cifar-10-batches-bin/batches.meta.txt");
        std::fs::write(&file, names.concat() + "\n").unwrap();
        assert_eq!(load_folder(folder.path(), Kind::Ten, 10).unwrap().classes[3], "name 3");
        std::fs::write(&file, "one\n").unwrap();
        let error = load_folder(folder.path(), Kind::Ten, 10).unwrap_err().to_string();
        assert!(error.contains("batches.meta.txt: names 1 classes, expected 10"), "{error}");
    }

    #[test]
    fn cifar_100_uses_its_fine_labels() {
        let folder = tempfile::tempdir().unwrap();
        let labels: Vec<[u8; 2]> = (0..200).map(|i| [19, i % 100]).collect();
        let labels: Vec<&[u8]> = labels.iter().map(|l| &l[..]).collect();
        std::fs::write(folder.path().join("train.bin"), binary(&labels)).unwrap();
        std::fs::write(folder.path().join("test.bin"), binary(&[&[3, 99]])).unwrap();
        let data = load_folder(folder.path(), Kind::Hundred, 100).unwrap();
        assert_eq!((data.classes.len(), data.train.len(), data.test.labels()), (100, 100, &[99][..]));
        assert_eq!(data.train.labels()[42], 42);
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let folder = ten();
        let home = folder.path().join("cifar-10-batches-bin");
        let said = || load_folder(folder.path(), Kind::Ten, 10).unwrap_err().to_string();
        std::fs::write(home.join("data_batch_4.bin"), binary(&[&[1], &[10]])).unwrap();
        assert!(said().contains("data_batch_4.bin: label 10 of image 1 is out of range; expected 0 to 9"), "{}", said());
        std::fs::write(home.join("data_batch_4.bin"), [0; 3074]).unwrap();
        assert!(said().contains("holds 3074 bytes, expected a multiple of 3073"), "{}", said());
        std::fs::remove_file(home.join("data_batch_4.bin")).unwrap();
        assert!(said().contains("data_batch_4.bin: there is no such file"), "{}", said());
        std::fs::remove_dir_all(home).unwrap();
        assert!(
            said().contains("holds neither data_batch_1.bin nor data_batch_1, and has no cifar-10-batches-bin or"),
            "{}",
            said()
        );
        let error = load_folder(&folder.path().join("gone"), Kind::Ten, 10).unwrap_err().to_string();
        assert!(error.contains("there is no such folder; set data.path"), "{error}");
    }
}
