//! A person's own images: `train/<class>/` and `test/<class>/` (or `val/`), one folder a class, images at any depth below it.
//!
//! Classes and files are taken in the order of their names' bytes, so that labels and splits are the same on every machine.
//! Hidden files are passed over; other files that are no images, and folders of the system, are counted and told.

mod annotations;
mod walk;

use super::files::{self, Listed};
use super::{DataError, DataSet, Progress, formats};
use crate::config::{ImageFiles, ValidationSplit};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
pub(super) use walk::{Depth, Ignored};
use walk::{Kind, entries};

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
    /// Within the class's folder, in order.
    pub files: Vec<PathBuf>,
}

/// Files with their labels, those of one class together.
#[derive(Default)]
pub(super) struct Labels {
    pub paths: Vec<PathBuf>,
    pub labels: Vec<u16>,
}

/// The folders of the training and the test images.
pub(super) struct Parts {
    pub train: PathBuf,
    pub test: PathBuf,
    pub remark: Option<String>,
}

/// Reads the tree at `folder`. Holds out `validation` training images, or reads the folder of validation images that `settings` name.
///
/// # Errors
/// A folder that is missing, a class that is empty or in one part only, fewer than two classes, a file that cannot be read.
pub fn load(folder: &Path, validation: usize, settings: &ImageFiles, progress: Progress) -> Result<DataSet, DataError> {
    let parts = parts(folder)?;
    let depth = depth(settings);
    let mut ignored = Ignored::default();
    let train = Tree::list(&parts.train, |_| true, depth, &mut ignored)?;
    if train.classes.len() < 2 {
        let why = match &train.classes[..] {
            [] => "has no class folders".to_string(),
            [only, ..] => format!("has one class only, {}; a classifier needs two or more", only.name.display()),
        };
        return Err(fault(&parts.train, why));
    }
    if train.classes.len() > MOST_CLASSES {
        return Err(fault(&parts.train, format!("has {} class folders; allowed: 2 to {MOST_CLASSES}", train.classes.len())));
    }
    let (test, missing) = part(&parts.test, &train, depth, &mut ignored)?;
    if let Some(class) = missing.first() {
        return Err(DataError::File {
            file: train.place.join(class),
            why: format!("there is no folder of this class in {}", parts.test.display()),
            advice: "give both parts the same classes",
        });
    }
    let mut remarks: Vec<String> = parts.remark.into_iter().collect();
    let given = match &settings.validation_path {
        None => {
            let unused = folder.join("val");
            if unused.is_dir() && parts.test != unused && settings.split != ValidationSplit::LastNames {
                remarks.push(format!(
                    "{} is not used: validation images are held out of training; to use it, set data.validation_path",
                    unused.display()
                ));
            }
            None
        }
        Some(path) => {
            let place = PathBuf::from(path);
            super::folder_at(&place, "set data.validation_path to a folder of validation images in class folders")?;
            let (images, missing) = part(&place, &train, depth, &mut ignored)?;
            if images.paths.is_empty() {
                return Err(fault(&place, "holds no images".into()));
            }
            if let [first, others @ ..] = &missing[..] {
                let more = if others.is_empty() { String::new() } else { format!(" and of {} other classes", others.len()) };
                remarks.push(format!("{} holds no images of class {}{more}", place.display(), first.display()));
            }
            Some((place, images))
        }
    };
    remarks.extend(ignored.remark());
    let listed = Listed {
        name: super::name_of(folder),
        root: folder.to_owned(),
        classes: train.classes.iter().map(|class| class.name.to_string_lossy().into_owned()).collect(),
        train: train.labelled(&train),
        validation: given,
        test,
        remarks,
        advice: "set data.validation_path to a folder of validation images, or give classes more images",
    };
    files::assemble(listed, validation, settings, progress)
}

/// Where images are looked for under these settings.
pub(super) fn depth(settings: &ImageFiles) -> Depth {
    match settings.split {
        ValidationSplit::LastNames => Depth::Flat,
        ValidationSplit::Seeded { .. } => Depth::Nested,
    }
}

/// Finds the folders of the training and the test images. A `test` without labels, as `ImageNet`'s, is passed over where there is `val`.
pub(super) fn parts(folder: &Path) -> Result<Parts, DataError> {
    super::folder_at(folder, "set data.path to a folder that holds train/<class>/ and test/<class>/")?;
    let train = folder.join("train");
    if !train.is_dir() {
        return Err(fault(folder, format!("has no folder 'train'{}", instead_of(folder, "train", &["train", "training"]))));
    }
    let [test, val] = ["test", "val"].map(|name| Some(folder.join(name)).filter(|place| place.is_dir()));
    let mut remark = None;
    let test = match (test, val) {
        (Some(test), Some(val)) if is_unlabelled(&test, &train)? => {
            remark = Some(format!(
                "{} has no labels and was passed over; the test images are those of {}",
                test.display(),
                val.display()
            ));
            val
        }
        (Some(test), _) => test,
        (None, Some(val)) => val,
        (None, None) => {
            const NAMES: [&str; 6] = ["test", "testing", "val", "valid", "validation", "dev"];
            return Err(DataError::File {
                file: folder.to_owned(),
                why: format!("has neither a folder 'test' nor 'val'{}", instead_of(folder, "val", &NAMES)),
                advice: "move some images of each class to test/<class>/; the final accuracy is measured on them",
            });
        }
    };
    if is_unlabelled(&test, &train)? {
        return Err(DataError::File {
            file: test,
            why: "holds images without labels: neither class folders nor a list of classes (such as val_annotations.txt)".into(),
            advice: "sort the images into a folder for each class; the final accuracy is measured on them",
        });
    }
    Ok(Parts { train, test, remark })
}

/// Where a folder that is missing may be: beside its place under another of these names, or one level down.
fn instead_of(folder: &Path, name: &str, names: &[&str]) -> String {
    let Ok(all) = entries(folder) else { return String::new() };
    let folders = || all.iter().filter(|(_, kind)| *kind != Kind::File).map(|(name, _)| name);
    if let Some(other) = folders().find(|other| names.contains(&other.to_string_lossy().to_lowercase().as_str())) {
        return format!(" (but '{}': rename it to {name})", other.display());
    }
    let below = folders().find(|other| folder.join(other).join(name).is_dir());
    below.map_or_else(String::new, |other| {
        format!(" (but '{}/{name}': set data.path to {})", other.display(), folder.join(other).display())
    })
}

/// Whether a part holds images and nothing that says their classes.
fn is_unlabelled(place: &Path, train: &Path) -> Result<bool, DataError> {
    if annotations::list_in(place)?.is_some() || train.join("images").is_dir() {
        return Ok(false);
    }
    let (mut images, mut classes) = (false, false);
    for (name, kind) in entries(place)? {
        match kind {
            Kind::File => images |= formats::is_read(Path::new(&name)),
            Kind::Folder | Kind::LinkedFolder if name == "images" => images = true,
            Kind::Folder | Kind::LinkedFolder => classes = true,
        }
    }
    Ok(images && !classes)
}

/// The images of a part beside the training images, with the labels of `train`, and the classes that it has no images of.
fn part(place: &Path, train: &Tree, depth: Depth, ignored: &mut Ignored) -> Result<(Labels, Vec<OsString>), DataError> {
    let list = annotations::list_in(place)?.filter(|_| depth == Depth::Nested);
    let images = if let Some(list) = list {
        annotations::read(&list, place, train, ignored)?
    } else {
        let tree = Tree::list(place, |_| true, depth, ignored)?;
        // Labels would mean different things.
        if let Some(alone) = tree.classes.iter().find(|class| train.label_of(&class.name).is_none()) {
            return Err(DataError::File {
                file: place.join(&alone.name),
                why: format!("there is no folder of this class in {}", train.place.display()),
                advice: "give both parts the same classes",
            });
        }
        tree.labelled(train)
    };
    let mut seen = vec![false; train.classes.len()];
    for &label in &images.labels {
        seen[usize::from(label)] = true;
    }
    let missing = train.classes.iter().zip(seen).filter(|(_, seen)| !seen).map(|(class, _)| class.name.clone()).collect();
    Ok((images, missing))
}

fn fault(place: &Path, why: String) -> DataError {
    DataError::File { file: place.to_owned(), why, advice: SHAPE }
}

impl Tree {
    /// Names of the class folders, in order.
    pub(super) fn class_names(place: &Path) -> Result<Vec<OsString>, DataError> {
        Ok(entries(place)?.into_iter().filter(|(_, kind)| *kind != Kind::File).map(|(name, _)| name).collect())
    }

    /// The classes that are `wanted`, with their files.
    pub(super) fn list(
        place: &Path,
        wanted: impl Fn(&OsString) -> bool,
        depth: Depth,
        ignored: &mut Ignored,
    ) -> Result<Self, DataError> {
        let mut classes = Vec::new();
        for (name, kind) in entries(place)? {
            let path = place.join(&name);
            if kind == Kind::File {
                ignored.note(path);
                continue;
            }
            if !wanted(&name) {
                continue;
            }
            let found = walk::images(&path, depth, ignored)?;
            if found.images.is_empty() {
                let others: Vec<&Path> = found.others.iter().map(PathBuf::as_path).collect();
                let (why, advice) = formats::instead(&others);
                return Err(DataError::File { file: path, why, advice });
            }
            classes.push(Class { name, files: found.images });
        }
        Ok(Self { place: place.to_owned(), classes })
    }

    fn label_of(&self, class: &OsStr) -> Option<u16> {
        let bytes = OsStr::as_encoded_bytes;
        self.classes.binary_search_by(|other| bytes(&other.name).cmp(bytes(class))).ok().map(|place| place as u16)
    }

    /// The files, with the labels that `train` gives their classes.
    fn labelled(&self, train: &Self) -> Labels {
        let mut all = Labels::default();
        for class in &self.classes {
            let Some(label) = train.label_of(&class.name) else { continue };
            let home = self.place.join(&class.name);
            all.paths.extend(class.files.iter().map(|file| home.join(file)));
            all.labels.resize(all.paths.len(), label);
        }
        all
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{Faulty, Storage};
    use crate::data::Portion;

    pub fn settings() -> ImageFiles {
        ImageFiles {
            size: 8,
            resize: 8,
            faulty: Faulty::Stop,
            storage: Storage::Auto,
            split: ValidationSplit::LastNames,
            validation_path: None,
        }
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
        load(folder.path(), 2, &settings(), &mut |_, _| {}).unwrap_err().to_string()
    }

    #[test]
    fn classes_and_files_come_in_the_order_of_their_names_wherever_they_are_kept() {
        let folder = tree();
        let mut told = Vec::new();
        let data = load(folder.path(), 2, &settings(), &mut |done, all| told.push((done, all))).unwrap();
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
        let data = load(folder.path(), 2, &streamed, &mut |_, _| {}).unwrap();
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
        let data = load(folder.path(), 2, &skip, &mut |_, _| {}).unwrap();
        assert_eq!((data.train.labels(), data.test.len()), (&[0, 0, 0, 1, 1][..], 5));
        let remarks = data.remarks.join("\n");
        assert!(remarks.starts_with("2 files or folders that are no images"), "{remarks}");
        assert!(remarks.contains(&format!("1 of 13 images cannot be read and were left out: {} is no JPEG", bad.display())));
        assert!(remarks.contains("1 of 13 images are smaller than data.size = 8 and were enlarged"), "{remarks}");

        for i in [0, 2, 3] {
            std::fs::write(folder.path().join(format!("train/dog/{i}.png")), "no image").unwrap();
        }
        let text = load(folder.path(), 2, &skip, &mut |_, _| {}).unwrap_err().to_string();
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

        let text = load(folder.path(), 6, &settings(), &mut |_, _| {}).unwrap_err().to_string();
        assert!(text.contains("data.validation = 6 does not fit this data; allowed: at most half of the 8"), "{text}");

        std::fs::rename(at("test"), at("val")).unwrap();
        assert!(load(folder.path(), 2, &settings(), &mut |_, _| {}).is_ok());
        std::fs::remove_dir_all(at("val")).unwrap();
        assert!(said(&folder).contains("has neither a folder 'test' nor 'val'; move some"), "{}", said(&folder));
        std::fs::create_dir(at("test")).unwrap();
        std::fs::remove_dir_all(at("train/cat")).unwrap();
        assert!(said(&folder).contains("train: has one class only, dog; a classifier needs"), "{}", said(&folder));
        std::fs::remove_dir_all(at("train")).unwrap();
        assert!(said(&folder).contains("has no folder 'train'; give each class"), "{}", said(&folder));
        std::fs::write(at("file"), "").unwrap();
        let text = load(&at("file"), 2, &settings(), &mut |_, _| {}).unwrap_err().to_string();
        assert!(text.contains("file: is not a folder; set data.path"), "{text}");
    }

    fn seeded() -> ImageFiles {
        ImageFiles { split: ValidationSplit::Seeded { seed: 0 }, ..settings() }
    }

    fn read(folder: &Path, validation: usize, settings: &ImageFiles) -> Result<DataSet, DataError> {
        load(folder, validation, settings, &mut |_, _| {})
    }

    /// The grey levels of the images of a part, in order.
    fn levels(portion: &Portion) -> Vec<u8> {
        let Portion::Resident(images) = portion else { panic!("so few are kept in memory") };
        (0..images.len()).map(|i| images.image(i)[0]).collect()
    }

    #[test]
    fn a_drawn_split_depends_on_paths_and_seed_alone_and_is_recorded() {
        let folder = tree();
        for i in 4..24u8 {
            put(&folder.path().join(format!("train/cat/{i:02}.png")), i, 8);
        }
        let data = read(folder.path(), 7, &seeded()).unwrap();
        assert_eq!(data.validation.labels(), [0, 0, 0, 0, 0, 0, 1]);
        let held = levels(&data.validation);
        assert!(held[..6].iter().any(|level| *level < 18), "not the last names: {held:?}");
        let split = data.split.clone().unwrap();
        assert_eq!(split.rule, "seeded, seed 0");

        // Elsewhere the same files give the same split, wherever decoded.
        let other = tempfile::tempdir().unwrap();
        let copy = other.path().join("copy");
        std::os::unix::fs::symlink(folder.path(), &copy).unwrap();
        let streamed = ImageFiles { storage: Storage::Stream, ..seeded() };
        assert_eq!(read(&copy, 7, &streamed).unwrap().split, Some(split.clone()));
        let another = ImageFiles { split: ValidationSplit::Seeded { seed: 1 }, ..seeded() };
        assert_ne!(read(folder.path(), 7, &another).unwrap().split.unwrap().hash, split.hash);

        // As in earlier versions: the last names, the same number of each class.
        let before = read(folder.path(), 7, &settings()).unwrap();
        assert_eq!(
            (levels(&before.validation), before.split.unwrap().rule),
            (vec![21, 22, 23, 3, 101, 102, 103], "last-names".into())
        );
    }

    #[test]
    fn images_below_a_class_are_read_at_any_depth_but_not_in_circles() {
        let folder = tree();
        let at = |path: &str| folder.path().join(path);
        put(&at("train/cat/images/deep/9.png"), 9, 8);
        put(&at("train/cat/@eaDir/0.png/thumb.png"), 99, 8);
        put(&at("train/cat/.cache/0.png"), 99, 8);
        std::fs::create_dir(at("elsewhere")).unwrap();
        put(&at("elsewhere/8.png"), 8, 8);
        for (to, link) in [("../..", "train/cat/loop"), ("../../elsewhere", "train/cat/more"), ("../train/cat", "elsewhere/back")]
        {
            std::os::unix::fs::symlink(to, at(link)).unwrap();
        }
        let data = read(folder.path(), 1, &seeded()).unwrap();
        let mut all = [levels(&data.train), levels(&data.validation)].concat();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 8, 9, 100, 101, 102, 103]);
        assert!(data.remarks[0].starts_with("3 files or folders that are no images"), "{:?}", data.remarks);
        // Earlier versions did not look there.
        let data = read(folder.path(), 2, &settings()).unwrap();
        assert_eq!(levels(&data.train), [0, 1, 2, 100, 101, 102]);
    }

    #[test]
    fn tiny_imagenet_is_read_as_it_is_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: String| folder.path().join(path);
        for (c, class) in ["n02", "n01"].iter().enumerate() {
            for i in 0..4u8 {
                put(&at(format!("train/{class}/images/{class}_{i}.JPEG")), 100 * c as u8 + i, 8);
            }
            std::fs::write(at(format!("train/{class}/{class}_boxes.txt")), "").unwrap();
        }
        for i in 0..4u8 {
            put(&at(format!("val/images/val_{i}.JPEG")), 10 * i, 8);
            put(&at(format!("test/images/test_{i}.JPEG")), 0, 8);
        }
        let list = at("val/val_annotations.txt".into());
        let lines =
            "\u{feff}val_0.JPEG\tn02\t0\t0\t62\t62\r\nval_1.JPEG\tn01\t0\t0\t62\t62\r\nval_2.JPEG\tn02\r\nval_3.JPEG\tn01\r\n";
        std::fs::write(&list, lines).unwrap();
        let data = read(folder.path(), 2, &seeded()).unwrap();
        assert_eq!((data.classes, data.test.labels()), (vec!["n01".to_owned(), "n02".into()], &[0, 0, 1, 1][..]));
        assert_eq!(levels(&data.test).iter().map(|level| (level + 5) / 10).collect::<Vec<_>>(), [1, 3, 0, 2]);
        assert!(
            data.remarks[0].contains("test has no labels and was passed over; the test images are those of"),
            "{:?}",
            data.remarks
        );

        for (text, said) in [
            ("val_0.JPEG n02\n".to_owned(), "line 1 has no tab; write a line an image"),
            (lines.replace("val_3.JPEG\tn01", "val_3.JPEG\tn09"), "line 4 names the class n09, and "),
            (format!("{lines}val_9.JPEG\tn01\n"), "val_9.JPEG: there is no such image, and "),
            (format!("{lines}val_0.JPEG\tn01\n"), "line 5 gives val_0.JPEG another class than a line before"),
            (lines.replace("n01", "n02"), "n01: there is no folder of this class in "),
        ] {
            std::fs::write(&list, text).unwrap();
            let text = read(folder.path(), 2, &seeded()).unwrap_err().to_string();
            assert!(text.contains(said), "{text}\nlacks: {said}");
        }
        std::fs::remove_dir_all(at("val".into())).unwrap();
        let text = read(folder.path(), 2, &seeded()).unwrap_err().to_string();
        assert!(text.contains("test: holds images without labels: neither class folders nor a list"), "{text}");
    }

    #[test]
    fn a_folder_of_validation_images_takes_the_place_of_held_out_ones() {
        let folder = tree();
        let at = |path: &str| folder.path().join(path);
        put(&at("val/dog/7.png"), 70, 8);
        put(&at("val/dog/8.png"), 80, 8);
        let told = read(folder.path(), 2, &seeded()).unwrap().remarks;
        assert!(told.len() == 1 && told[0].contains("val is not used: validation images are held out"), "{told:?}");
        let path = at("val").to_str().unwrap().to_owned();
        let given = ImageFiles { validation_path: Some(path), ..seeded() };
        let data = read(folder.path(), 0, &given).unwrap();
        assert_eq!((data.train.len(), levels(&data.validation), data.validation.labels()), (8, vec![70, 80], &[1, 1][..]));
        assert!(data.remarks.len() == 1 && data.remarks[0].ends_with("val holds no images of class cat"), "{:?}", data.remarks);
        assert_eq!(data.split.unwrap().rule, "folder");
        // As Tiny ImageNet has them.
        std::fs::rename(at("val/dog"), at("val/images")).unwrap();
        std::fs::write(at("val/val_annotations.txt"), "7.png\tdog\n8.png\tcat\n").unwrap();
        assert_eq!(levels(&read(folder.path(), 0, &given).unwrap().validation), [80, 70]);
        put(&at("val/cow/1.png"), 1, 8);
        let text = read(folder.path(), 0, &given).unwrap_err().to_string();
        assert!(text.contains("val/cow: there is no folder of this class in "), "{text}");
        std::fs::remove_dir_all(at("val")).unwrap();
        let text = read(folder.path(), 0, &given).unwrap_err().to_string();
        assert!(text.contains("val: there is no such folder; set data.validation_path"), "{text}");
    }

    #[test]
    fn long_tailed_classes_give_what_they_have() {
        let folder = tree();
        put(&folder.path().join("train/eel/0.png"), 1, 8);
        put(&folder.path().join("test/eel/0.png"), 1, 8);
        let data = read(folder.path(), 4, &seeded()).unwrap();
        assert_eq!((data.validation.labels(), data.remarks.len()), (&[0, 0, 1, 1][..], 0));
        // By the rule of earlier versions, which had no answer here.
        assert_eq!(read(folder.path(), 4, &settings()).unwrap().validation.labels(), [0, 0, 1]);
    }

    #[test]
    fn folders_of_other_names_and_images_without_labels_are_told() {
        let folder = tree();
        let at = |path: &str| folder.path().join(path);
        let said = |path: &Path| read(path, 2, &seeded()).unwrap_err().to_string();
        std::fs::rename(at("test"), at("Validation")).unwrap();
        assert!(said(folder.path()).contains("neither a folder 'test' nor 'val' (but 'Validation': rename it to val); move"));
        std::fs::rename(at("train"), at("Training")).unwrap();
        assert!(said(folder.path()).contains("has no folder 'train' (but 'Training': rename it to train); give each"));
        std::fs::create_dir(at("mine")).unwrap();
        std::fs::rename(at("Training"), at("mine/train")).unwrap();
        std::fs::rename(at("Validation"), at("mine/val")).unwrap();
        assert!(said(folder.path()).contains(&format!("(but 'mine/train': set data.path to {})", at("mine").display())));
        // As ImageNet's validation part is unpacked.
        std::fs::remove_dir_all(at("mine/val")).unwrap();
        put(&at("mine/val/ILSVRC2012_val_00000001.JPEG"), 1, 8);
        assert!(said(&at("mine")).contains("val: holds images without labels: neither class folders nor a list of classes"));
    }

    #[test]
    fn images_of_other_kinds_are_named() {
        let folder = tree();
        let at = |path: &str| folder.path().join(path);
        std::fs::create_dir(at("train/ape")).unwrap();
        std::fs::write(at("train/ape/1.bmp"), "BM").unwrap();
        std::fs::write(at("train/ape/2.BMP"), "BM").unwrap();
        let text = read(folder.path(), 2, &seeded()).unwrap_err().to_string();
        assert!(
            text.contains("train/ape: holds no image that is read, but 2 BMP files; only JPEG, PNG and WebP are read"),
            "{text}"
        );
        std::fs::remove_dir_all(at("train/ape")).unwrap();
        std::fs::write(at("train/dog/1.png"), "GIF89a").unwrap();
        let text = read(folder.path(), 2, &seeded()).unwrap_err().to_string();
        assert!(text.contains("1.png: is a GIF image, and only JPEG, PNG and WebP are read: convert it to PNG"), "{text}");
    }
}
