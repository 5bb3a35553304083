//! A person's own images: `train/<class>/` and `test/<class>/` (or `val/`), one folder a class.
//!
//! Classes and files are taken in the order of their names' bytes, so that labels and splits are the same on every machine.
//! Hidden files are passed over; other files that are no images, and folders within a class, are counted and told.

use super::files::{self, Listed};
use super::{DataError, DataSet, Progress};
use crate::config::ImageFiles;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Ends of names, in any case.
const ENDS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

const SHAPE: &str = "give each class a folder of images, as train/<class>/ and test/<class>/";
/// `u16` labels.
const MOST_CLASSES: usize = 65_536;

/// One part's class folders, in order.
pub(super) struct Tree {
    pub place: PathBuf,
    pub classes: Vec<Class>,
}

pub(super) struct Class {
    pub name: OsString,
    /// In the order of their names.
    pub files: Vec<OsString>,
}

/// What was passed over.
#[derive(Default)]
pub(super) struct Ignored {
    count: usize,
    first: Option<PathBuf>,
}

/// Reads the tree at `folder` and holds out `validation` training images.
///
/// # Errors
/// A folder that is missing, a class that is empty or in one part only, fewer than two classes, a file that cannot be read.
pub fn load(folder: &Path, validation: usize, settings: ImageFiles, progress: Progress) -> Result<DataSet, DataError> {
    let (train_place, test_place) = parts(folder)?;
    let mut ignored = Ignored::default();
    let train = Tree::list(&train_place, |_| true, &mut ignored)?;
    let test = Tree::list(&test_place, |_| true, &mut ignored)?;
    if train.classes.len() < 2 {
        let why = match &train.classes[..] {
            [] => "has no class folders".to_string(),
            [only, ..] => format!("has one class only, {}; a classifier needs two or more", only.name.display()),
        };
        return Err(fault(&train_place, why));
    }
    if train.classes.len() > MOST_CLASSES {
        return Err(fault(&train_place, format!("has {} class folders; allowed: 2 to {MOST_CLASSES}", train.classes.len())));
    }
    alone(&test, &train)?;
    alone(&train, &test)?;
    let listed = Listed {
        name: super::name_of(folder),
        classes: train.classes.iter().map(|class| class.name.to_string_lossy().into_owned()).collect(),
        train: train.paths(),
        test: test.paths(),
        remarks: ignored.remark().into_iter().collect(),
    };
    files::assemble(listed, validation, settings, progress)
}

/// The folders of the training and the test images.
pub(super) fn parts(folder: &Path) -> Result<(PathBuf, PathBuf), DataError> {
    super::folder_at(folder, "set data.path to a folder that holds train/<class>/ and test/<class>/")?;
    let train = folder.join("train");
    if !train.is_dir() {
        return Err(fault(folder, "has no folder 'train'".into()));
    }
    let test = ["test", "val"].map(|name| folder.join(name)).into_iter().find(|place| place.is_dir());
    let test = test.ok_or_else(|| DataError::File {
        file: folder.to_owned(),
        why: "has neither a folder 'test' nor 'val'".into(),
        advice: "move some images of each class to test/<class>/; the final accuracy is measured on them",
    })?;
    Ok((train, test))
}

/// A class of `here` that `there` lacks is an error: labels would mean different things, or never be tested.
fn alone(here: &Tree, there: &Tree) -> Result<(), DataError> {
    match here.classes.iter().find(|class| there.classes.binary_search_by(|other| order(&other.name, &class.name)).is_err()) {
        None => Ok(()),
        Some(class) => Err(DataError::File {
            file: here.place.join(&class.name),
            why: format!("there is no folder of this class in {}", there.place.display()),
            advice: "give both parts the same classes",
        }),
    }
}

fn fault(place: &Path, why: String) -> DataError {
    DataError::File { file: place.to_owned(), why, advice: SHAPE }
}

fn order(a: &OsString, b: &OsString) -> std::cmp::Ordering {
    a.as_encoded_bytes().cmp(b.as_encoded_bytes())
}

/// Whether a file of this name is read as an image.
pub(super) fn is_image(name: &OsString) -> bool {
    let end = Path::new(name).extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
    end.is_some_and(|end| ENDS.contains(&end.as_str()))
}

pub(super) fn hidden(name: &OsString) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

impl Tree {
    /// Names of the class folders, in order.
    pub(super) fn class_names(place: &Path) -> Result<Vec<OsString>, DataError> {
        Ok(entries(place)?.into_iter().filter(|(_, is_folder)| *is_folder).map(|(name, _)| name).collect())
    }

    /// The classes that are `wanted`, with their files.
    pub(super) fn list(place: &Path, wanted: impl Fn(&OsString) -> bool, ignored: &mut Ignored) -> Result<Self, DataError> {
        let mut classes = Vec::new();
        for (name, is_folder) in entries(place)? {
            let path = place.join(&name);
            if is_folder {
                if !wanted(&name) {
                    continue;
                }
                classes.push(Class { files: images(&path, ignored)?, name });
            } else {
                ignored.note(path);
            }
        }
        if let Some(empty) = classes.iter().find(|class| class.files.is_empty()) {
            return Err(DataError::File {
                file: place.join(&empty.name),
                why: "holds no images".into(),
                advice: "put images (.jpg, .jpeg, .png, .webp) into the class's folder, or remove it",
            });
        }
        Ok(Self { place: place.to_owned(), classes })
    }

    fn paths(&self) -> (Vec<PathBuf>, Vec<u16>) {
        let (mut paths, mut labels) = (Vec::new(), Vec::new());
        for (label, class) in self.classes.iter().enumerate() {
            let home = self.place.join(&class.name);
            paths.extend(class.files.iter().map(|file| home.join(file)));
            labels.resize(paths.len(), label as u16);
        }
        (paths, labels)
    }
}

/// The image files of one folder.
fn images(folder: &Path, ignored: &mut Ignored) -> Result<Vec<OsString>, DataError> {
    let mut files = Vec::new();
    for (name, is_folder) in entries(folder)? {
        if !is_folder && is_image(&name) {
            files.push(name);
        } else {
            ignored.note(folder.join(name));
        }
    }
    Ok(files)
}

/// What lies in a folder, without hidden names, in the order of the names' bytes; whether each is a folder.
fn entries(folder: &Path) -> Result<Vec<(OsString, bool)>, DataError> {
    let read = || -> std::io::Result<Vec<(OsString, bool)>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if hidden(&name) {
                continue;
            }
            let kind = entry.file_type()?;
            // Only a link has to be looked behind: asking for each of a million files would take minutes.
            let is_folder = if kind.is_symlink() { entry.path().is_dir() } else { kind.is_dir() };
            all.push((name, is_folder));
        }
        all.sort_by(|a, b| order(&a.0, &b.0));
        Ok(all)
    };
    read().map_err(|error| DataError::File {
        file: folder.to_owned(),
        why: format!("cannot be listed: {error}"),
        advice: "check its permissions",
    })
}

impl Ignored {
    fn note(&mut self, path: PathBuf) {
        self.count += 1;
        self.first.get_or_insert(path);
    }

    pub(super) fn remark(&self) -> Option<String> {
        let first = self.first.as_ref()?.display();
        Some(match self.count {
            1 => format!("{first} is no image in a class's folder and was passed over"),
            n => format!("{n} files or folders that are no images in a class's folder were passed over, the first {first}"),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{Faulty, Storage};
    use crate::data::Portion;

    pub fn settings() -> ImageFiles {
        ImageFiles { size: 8, resize: 8, faulty: Faulty::Stop, storage: Storage::Auto }
    }

    /// A grey-level image of `side` pixels.
    pub fn put(file: &Path, level: u8, side: u32) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(side, side, image::Rgb([level; 3])).save(file).unwrap();
    }

    /// Two classes, four images each to train on, two to test.
    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (c, class) in ["cat", "dog"].into_iter().enumerate() {
            for i in 0..4u8 {
                put(&folder.path().join(format!("train/{class}/{i}.png")), c as u8 * 100 + i, 8);
            }
            for i in 0..2u8 {
                put(&folder.path().join(format!("test/{class}/{i}.PNG")), c as u8 * 100 + 50 + i, 8);
            }
        }
        folder
    }

    fn said(folder: &tempfile::TempDir) -> String {
        load(folder.path(), 2, settings(), &mut |_, _| {}).unwrap_err().to_string()
    }

    #[test]
    fn classes_and_files_come_in_the_order_of_their_names_wherever_they_are_kept() {
        let folder = tree();
        let mut told = Vec::new();
        let data = load(folder.path(), 2, settings(), &mut |done, all| told.push((done, all))).unwrap();
        let (Portion::Resident(train), Portion::Resident(validation), Portion::Resident(test)) =
            (&data.train, &data.validation, &data.test)
        else {
            panic!("so few are kept in memory")
        };
        let firsts = |images: &crate::data::Images| (0..images.len()).map(|i| images.image(i)[0]).collect::<Vec<_>>();
        assert_eq!((firsts(train), &train.labels[..]), (vec![0, 1, 2, 100, 101, 102], &[0, 0, 0, 1, 1, 1][..]));
        assert_eq!((firsts(validation), firsts(test)), (vec![3, 103], vec![50, 51, 150, 151]));
        assert_eq!((data.classes, data.remarks), (vec!["cat".to_owned(), "dog".into()], vec![]));
        assert_eq!(told.last(), Some(&(12, 12)));

        let streamed = ImageFiles { storage: Storage::Stream, ..settings() };
        let data = load(folder.path(), 2, streamed, &mut |_, _| {}).unwrap();
        let Portion::Streamed(files) = &data.train else { panic!("asked to be streamed") };
        assert_eq!(files.sample(100).unwrap(), *train);
        assert_eq!((files.sample(2).unwrap().labels, data.validation.labels()), (vec![0, 1], &[0, 1][..]));
    }

    #[test]
    fn a_faulty_file_is_named_or_left_out_and_told() {
        let folder = tree();
        let bad = folder.path().join("train/dog/1.png");
        std::fs::write(&bad, "no image").unwrap();
        let text = said(&folder);
        assert!(text.starts_with(&format!("{}: is no JPEG, PNG or WebP image; repair", bad.display())), "{text}");

        std::fs::write(folder.path().join("train/dog/notes.txt"), "").unwrap();
        std::fs::write(folder.path().join("train/dog/.hidden.png"), "").unwrap();
        std::fs::create_dir(folder.path().join("test/cat/more")).unwrap();
        put(&folder.path().join("test/cat/small.jpg"), 9, 5);
        let skip = ImageFiles { faulty: Faulty::Skip, ..settings() };
        let data = load(folder.path(), 2, skip, &mut |_, _| {}).unwrap();
        assert_eq!((data.train.labels(), data.test.len()), (&[0, 0, 0, 1, 1][..], 5));
        let remarks = data.remarks.join("\n");
        assert!(remarks.starts_with("2 files or folders that are no images"), "{remarks}");
        assert!(remarks.contains(&format!("1 of 13 images cannot be read and were left out: {} is no JPEG", bad.display())));
        assert!(remarks.contains("1 of 13 images are smaller than data.size = 8 and were enlarged"), "{remarks}");

        for i in [0, 2, 3] {
            std::fs::write(folder.path().join(format!("train/dog/{i}.png")), "no image").unwrap();
        }
        let text = load(folder.path(), 2, skip, &mut |_, _| {}).unwrap_err().to_string();
        assert!(text.contains("class dog keeps at least one image"), "{text}");
    }

    #[test]
    fn what_is_wrong_with_the_folders_is_said() {
        let folder = tree();
        let at = |path: &str| folder.path().join(path);
        std::fs::create_dir(at("train/ape")).unwrap();
        assert!(said(&folder).contains("train/ape: holds no images; put images (.jpg"), "{}", said(&folder));
        put(&at("train/ape/0.jpg"), 1, 8);
        assert!(said(&folder).contains("train/ape: there is no folder of this class in "), "{}", said(&folder));
        std::fs::rename(at("train/ape"), at("test/ape")).unwrap();
        assert!(said(&folder).contains("test/ape: there is no folder of this class in "), "{}", said(&folder));
        std::fs::remove_dir_all(at("test/ape")).unwrap();

        let text = load(folder.path(), 6, settings(), &mut |_, _| {}).unwrap_err().to_string();
        assert!(text.contains("data.validation = 6 does not fit this data; allowed: at most half of the 8"), "{text}");

        std::fs::rename(at("test"), at("val")).unwrap();
        assert!(load(folder.path(), 2, settings(), &mut |_, _| {}).is_ok());
        std::fs::remove_dir_all(at("val")).unwrap();
        assert!(said(&folder).contains("has neither a folder 'test' nor 'val'; move some"), "{}", said(&folder));
        std::fs::create_dir(at("test")).unwrap();
        std::fs::remove_dir_all(at("train/cat")).unwrap();
        assert!(said(&folder).contains("train: has one class only, dog; a classifier needs"), "{}", said(&folder));
        std::fs::remove_dir_all(at("train")).unwrap();
        assert!(said(&folder).contains("has no folder 'train'; give each class"), "{}", said(&folder));
        std::fs::write(at("file"), "").unwrap();
        let text = load(&at("file"), 2, settings(), &mut |_, _| {}).unwrap_err().to_string();
        assert!(text.contains("file: is not a folder; set data.path"), "{text}");
    }
}
