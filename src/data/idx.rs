//! IDX files (the format of MNIST and Fashion-MNIST), plain or gzipped, from a folder.
//!
//! Reads unsigned bytes in one dimension (labels) or three (grey images): the two kinds those data sets are made of.
//! A file is believed only as far as its bytes go: nothing is allocated because a header says so.

use super::{DataError, DataSet, Images, split};
use flate2::read::MultiGzDecoder;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;
/// Sixty times MNIST. More would not fit the memory that training needs besides, so it is refused before it is read.
const LARGEST: u64 = 3 << 30;
/// A network's input sizes end far below; a header that claims more is damaged.
const LARGEST_SIDE: usize = 4096;

const AGAIN: &str = "copy or download it again";
const NAMES: &str = "the folder must hold train-images, train-labels, t10k-images and t10k-labels, each named as MNIST names them \
                     (train-images-idx3-ubyte or train-images.idx3-ubyte, with or without .gz)";

/// Reads the four files of a folder and holds out `validation` training images.
///
/// # Errors
/// Names the file, what was found and what was expected.
pub fn load_folder(folder: &Path, validation: usize) -> Result<DataSet, DataError> {
    super::folder_at(folder, "set data.path to the folder of the IDX files")?;
    let home = home_of(folder);
    let all = load_pair(&home, "train")?;
    let test = load_pair(&home, "t10k")?;
    if test.shape != all.shape {
        return Err(DataError::File {
            file: folder.to_owned(),
            why: format!("training images are {} and test images {}", side(all.shape), side(test.shape)),
            advice: "put the files of one data set into the folder",
        });
    }
    let classes = all.labels.iter().max().map_or(0, |&label| usize::from(label) + 1);
    if let Some(&label) = test.labels.iter().find(|&&label| usize::from(label) >= classes) {
        return Err(DataError::File {
            file: folder.to_owned(),
            why: format!("the test labels have class {label}, the training labels only 0 to {}", classes - 1),
            advice: "put the files of one data set into the folder",
        });
    }
    let name = super::name_of(folder);
    let split::HeldOut { train, validation, remark } = split::hold_out(&all, classes, validation, &name)?;
    let names = (0..classes).map(|label| label.to_string()).collect();
    Ok(DataSet { remarks: remark.into_iter().collect(), ..DataSet::resident(name, names, [train, validation, test]) })
}

/// The files that [`load_folder`] reads; those that are missing are left out.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let folder = &home_of(folder);
    let parts = ["train", "t10k"].into_iter().flat_map(|part| [(part, "images", 3), (part, "labels", 1)]);
    parts.filter_map(|(part, what, dimensions)| find(folder, part, what, dimensions).ok()).collect()
}

/// The folder of the files: the one named, or the one below it where torchvision puts them, `raw` or `MNIST/raw`, if there is just one.
fn home_of(folder: &Path) -> PathBuf {
    let holds = |place: &PathBuf| find(place, "train", "images", 3).is_ok();
    let below = || std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path().join("raw"));
    let mut found =
        std::iter::once(folder.to_owned()).filter(holds).chain([folder.join("raw")].into_iter().chain(below()).filter(holds));
    match (found.next(), found.next()) {
        (Some(home), None) => home,
        (Some(home), Some(_)) if home == *folder => home,
        (Some(_), Some(_)) | (None, _) => folder.to_owned(),
    }
}

/// Images and labels of one part, `train` or `t10k`.
///
/// # Errors
/// A file is missing or damaged, or the two do not belong together.
pub fn load_pair(folder: &Path, part: &str) -> Result<Images, DataError> {
    let image_file = find(folder, part, "images", 3)?;
    let label_file = find(folder, part, "labels", 1)?;
    let (pixels, shape) = images(&bytes(&image_file)?).map_err(|why| damaged(&image_file, why))?;
    let labels = labels(&bytes(&label_file)?).map_err(|why| damaged(&label_file, why))?;
    let count = pixels.len() / shape.iter().product::<usize>();
    if labels.len() != count {
        return Err(DataError::File {
            file: label_file,
            why: format!("holds {} labels, but {} holds {count} images", labels.len(), image_file.display()),
            advice: "put the files of one data set into the folder",
        });
    }
    Ok(Images { pixels, labels: labels.into_iter().map(u16::from).collect(), shape })
}

fn damaged(file: &Path, why: String) -> DataError {
    DataError::File { file: file.to_owned(), why, advice: AGAIN }
}

fn side([_, height, width]: [usize; 3]) -> String {
    format!("{height}x{width}")
}

fn find(folder: &Path, part: &str, what: &str, dimensions: u8) -> Result<PathBuf, DataError> {
    let names = ['-', '.'].map(|mark| format!("{part}-{what}{mark}idx{dimensions}-ubyte"));
    // Kaggle's archive has each file in a folder of its own name.
    let candidates =
        names.iter().flat_map(|name| [folder.join(name), folder.join(format!("{name}.gz")), folder.join(name).join(name)]);
    candidates.into_iter().find(|file| file.is_file()).ok_or_else(|| DataError::File {
        file: folder.join(&names[0]),
        why: "there is no such file, with or without .gz".into(),
        advice: NAMES,
    })
}

/// The file's content, unpacked where it starts as gzip does, whatever it is called.
fn bytes(file: &Path) -> Result<Vec<u8>, DataError> {
    let cannot = |error: &std::io::Error, advice| DataError::File {
        file: file.to_owned(),
        why: format!("cannot be read: {error}"),
        advice,
    };
    let readable = "check its permissions";
    let mut reader = BufReader::new(std::fs::File::open(file).map_err(|error| cannot(&error, readable))?);
    let packed = std::io::BufRead::fill_buf(&mut reader).map_err(|error| cannot(&error, readable))?.starts_with(&[0x1f, 0x8b]);
    let mut content = Vec::new();
    if packed {
        let unpacked = MultiGzDecoder::new(reader).take(LARGEST + 1).read_to_end(&mut content);
        unpacked.map_err(|error| damaged(file, format!("is damaged gzip, after {} unpacked bytes: {error}", content.len())))?;
    } else {
        reader.take(LARGEST + 1).read_to_end(&mut content).map_err(|error| cannot(&error, readable))?;
    }
    if content.len() as u64 > LARGEST {
        return Err(DataError::File {
            file: file.to_owned(),
            why: format!("holds more than {} GiB", LARGEST >> 30),
            advice: "use a smaller data set: all of it is kept in memory",
        });
    }
    Ok(content)
}

/// Pixels and shape from the bytes of an IDX file of images.
///
/// # Errors
/// What was found and what was expected.
pub fn images(bytes: &[u8]) -> Result<(Vec<u8>, [usize; 3]), String> {
    let (sizes, body) = header::<3>(bytes, IMAGES_MAGIC, "images")?;
    let [count, height, width] = sizes;
    if count == 0 {
        return Err("holds no images".into());
    }
    for (name, side) in [("height", height), ("width", width)] {
        if !(1..=LARGEST_SIDE).contains(&side) {
            return Err(format!("its header says {name} {side}, expected 1 to {LARGEST_SIDE}"));
        }
    }
    // At most 2^32 * 2^24: cannot overflow.
    exact(body, count as u64 * (height * width) as u64, &format!("{count} images of {height}x{width}"))?;
    Ok((body.to_vec(), [1, height, width]))
}

/// Labels from the bytes of an IDX file of labels.
///
/// # Errors
/// What was found and what was expected.
pub fn labels(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let ([count], body) = header::<1>(bytes, LABELS_MAGIC, "labels")?;
    if count == 0 {
        return Err("holds no labels".into());
    }
    exact(body, count as u64, &format!("{count} labels"))?;
    Ok(body.to_vec())
}

fn header<'a, const N: usize>(bytes: &'a [u8], magic: u32, what: &str) -> Result<([usize; N], &'a [u8]), String> {
    let word = |index: usize| -> Option<u32> {
        let four = bytes.get(4 * index..4 * index + 4)?;
        four.try_into().ok().map(u32::from_be_bytes)
    };
    let too_short = || format!("ends within its header: {} bytes, expected at least {}", bytes.len(), 4 * (N + 1));
    let found = word(0).ok_or_else(too_short)?;
    if found != magic {
        let kind = match found {
            IMAGES_MAGIC => " (a file of images)",
            LABELS_MAGIC => " (a file of labels)",
            _ => "",
        };
        return Err(format!("is no IDX file of {what}: it starts with 0x{found:08x}{kind}, expected 0x{magic:08x}"));
    }
    let mut sizes = [0; N];
    for (index, size) in sizes.iter_mut().enumerate() {
        *size = word(index + 1).ok_or_else(too_short)? as usize;
    }
    Ok((sizes, &bytes[4 * (N + 1)..]))
}

fn exact(body: &[u8], expected: u64, what: &str) -> Result<(), String> {
    let found = body.len() as u64;
    match found.cmp(&expected) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => {
            Err(format!("is cut short: its header promises {what}, {expected} bytes, and {found} follow"))
        }
        std::cmp::Ordering::Greater => {
            Err(format!("has {} bytes too many after the {what} that its header promises", found - expected))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Portion;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write as _;

    fn file(magic: u32, sizes: &[u32], body: &[u8]) -> Vec<u8> {
        let words = std::iter::once(&magic).chain(sizes);
        words.flat_map(|word| word.to_be_bytes()).chain(body.iter().copied()).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    /// Eight 2x1 images in two classes, two of them held out, four for testing.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        put("train-images-idx3-ubyte", &file(IMAGES_MAGIC, &[8, 2, 1], &(0..16).collect::<Vec<_>>()));
        put("train-labels.idx1-ubyte.gz", &gzip(&file(LABELS_MAGIC, &[8], &[0, 1, 0, 1, 0, 1, 0, 1])));
        put("t10k-images-idx3-ubyte.gz", &gzip(&file(IMAGES_MAGIC, &[2, 2, 1], &[9, 9, 8, 8])));
        put("t10k-labels-idx1-ubyte", &file(LABELS_MAGIC, &[2], &[1, 0]));
        folder
    }

    #[test]
    fn plain_and_gzipped_files_of_either_name_are_read() {
        let folder = folder();
        let data = load_folder(folder.path(), 2).unwrap();
        let (Portion::Resident(train), Portion::Resident(validation)) = (&data.train, &data.validation) else {
            panic!("IDX files are kept in memory")
        };
        assert_eq!(*validation, Images { pixels: vec![12, 13, 14, 15], labels: vec![0, 1], shape: [1, 2, 1] });
        assert_eq!((train.len(), train.image(1)), (6, &[2, 3][..]));
        assert_eq!((data.test.labels(), data.classes), (&[1, 0][..], vec!["0".to_owned(), "1".to_owned()]));
    }

    #[test]
    fn files_are_found_where_torchvision_and_kaggle_put_them() {
        let folder = folder();
        let expected = load_folder(folder.path(), 2).unwrap().train.labels().to_vec();
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("MNIST")).unwrap();
        std::fs::rename(folder.path(), root.path().join("MNIST/raw")).unwrap();
        for place in ["", "MNIST", "MNIST/raw"] {
            assert_eq!(load_folder(&root.path().join(place), 2).unwrap().train.labels(), expected, "{place}");
        }
        // A folder of the file's name around the file.
        let home = root.path().join("MNIST/raw");
        let (file, name) = (home.join("train-images-idx3-ubyte"), "train-images-idx3-ubyte");
        std::fs::rename(&file, home.join("x")).unwrap();
        std::fs::create_dir(&file).unwrap();
        std::fs::rename(home.join("x"), file.join(name)).unwrap();
        assert_eq!(load_folder(&home, 2).unwrap().train.labels(), expected);
        // Two data sets: nobody knows which is meant.
        std::fs::create_dir_all(root.path().join("other/raw")).unwrap();
        std::fs::write(root.path().join("other/raw").join(name), "").unwrap();
        assert!(load_folder(root.path(), 2).is_err());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let packed = gzip(&file(IMAGES_MAGIC, &[2, 2, 1], &[1, 2, 3, 4]));
        for (bytes, said) in [
            (vec![], "ends within its header: 0 bytes, expected at least 16"),
            (file(LABELS_MAGIC, &[2], &[0, 1]), "starts with 0x00000801 (a file of labels), expected 0x00000803"),
            (file(IMAGES_MAGIC, &[2, 2, 1], &[1, 2, 3]), "promises 2 images of 2x1, 4 bytes, and 3 follow"),
            (file(IMAGES_MAGIC, &[2, 2, 1], &[1, 2, 3, 4, 5]), "has 1 bytes too many after the 2 images"),
            (file(IMAGES_MAGIC, &[u32::MAX, 4096, 4096], &[]), "is cut short"),
            (file(IMAGES_MAGIC, &[1, u32::MAX, 1], &[]), "height 4294967295, expected 1 to 4096"),
            (file(IMAGES_MAGIC, &[1, 1, 1], &[1]), "holds 2 labels, but"),
            (packed[..packed.len() - 6].to_vec(), "is damaged gzip"),
        ] {
            let folder = folder();
            std::fs::write(folder.path().join("t10k-images-idx3-ubyte.gz"), bytes).unwrap();
            let error = load_folder(folder.path(), 2).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("t10k-images-idx3-ubyte.gz"), "{error}\nlacks: {said}");
        }
        let folder = folder();
        std::fs::remove_file(folder.path().join("train-images-idx3-ubyte")).unwrap();
        let error = load_folder(folder.path(), 2).unwrap_err().to_string();
        assert!(error.contains("train-images-idx3-ubyte: there is no such file"), "{error}");
        let error = load_folder(&folder.path().join("gone"), 2).unwrap_err().to_string();
        assert!(error.contains("there is no such folder; set data.path"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), sizes in any::<[u32; 3]>()) {
            let _ = (images(&bytes), labels(&bytes));
            let _ = images(&file(IMAGES_MAGIC, &sizes, &bytes));
            let _ = labels(&file(LABELS_MAGIC, &sizes[..1], &bytes));
        }
    }
}
