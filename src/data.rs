//! Data sets as bytes on the host: what is in the files, checked, split into training, validation and test.
//!
//! No tensors, no normalisation, no order of batches and no augmentation: those belong to training.

pub mod builder;
pub mod cifar;
pub mod content;
pub mod decoders;
pub mod embedded;
pub mod export;
pub mod fetch;
pub mod files;
pub mod folder;
pub mod formats;
pub mod idx;
pub mod picture;
pub mod restricted;
mod split;

use crate::config::{self, Augment, Source};
use crate::protocol::event::SplitFacts;
use files::Files;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Images of one shape with their labels, decoded, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// N*C*H*W, 0 to 255, in the order of `labels`.
    pub pixels: Vec<u8>,
    pub labels: Vec<u16>,
    /// Channels, height, width.
    pub shape: [usize; 3],
}

/// The images of one split: decoded once, or files that are decoded whenever they are needed.
#[derive(Clone, Debug)]
pub enum Portion {
    Resident(Images),
    Streamed(Arc<Files>),
}

#[derive(Clone, Debug)]
pub struct DataSet {
    /// For tables and records: `fashion-mnist-10k`, or the folder's name.
    pub name: String,
    /// Names by label.
    pub classes: Vec<String>,
    /// Without the validation images.
    pub train: Portion,
    pub validation: Portion,
    pub test: Portion,
    /// What a person should know of what was found: files left out, images enlarged.
    pub remarks: Vec<String>,
    /// Which files are trained on and which are for validation; only of files in folders.
    pub split: Option<SplitFacts>,
}

/// What is wrong with the data, in words that name the file and what to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DataError {
    #[error("{}: {why}; {advice}", file.display())]
    File { file: PathBuf, why: String, advice: &'static str },
    #[error("the embedded data set is damaged: {why}; build the program again from an unchanged copy of its source")]
    Embedded { why: String },
    #[error(
        "{name}: all {images} training images are of one class, and there is nothing to tell apart; give images of at least two"
    )]
    OneClass { name: String, images: usize },
    #[error("{name}: no class has two training images, so none can be held out for validation; {advice}")]
    NothingToHoldOut { name: String, advice: &'static str },
    #[error("{name}: {key} = {value} does not fit this data; allowed: {allowed}")]
    Setting { name: String, key: &'static str, value: String, allowed: String },
    #[error(
        "this build has no data inside, as it was built without the feature 'torch'; use the ordinary build, or another data.source"
    )]
    NotBuiltIn,
}

impl Images {
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Bytes of one image.
    pub fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn image(&self, index: usize) -> &[u8] {
        let each = self.image_len();
        &self.pixels[index * each..(index + 1) * each]
    }

    /// The images at these indices, in this order.
    #[must_use]
    pub fn pick(&self, indices: &[usize]) -> Self {
        let mut pixels = Vec::with_capacity(indices.len() * self.image_len());
        for &index in indices {
            pixels.extend_from_slice(self.image(index));
        }
        Self { pixels, labels: indices.iter().map(|&index| self.labels[index]).collect(), shape: self.shape }
    }
}

impl From<Images> for Portion {
    fn from(images: Images) -> Self {
        Self::Resident(images)
    }
}

impl Portion {
    pub fn len(&self) -> usize {
        self.labels().len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels().is_empty()
    }

    pub fn labels(&self) -> &[u16] {
        match self {
            Self::Resident(images) => &images.labels,
            Self::Streamed(files) => &files.labels,
        }
    }

    /// All images where they are in memory, else at most `count` evenly spread ones: for statistics.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn sample(&self, count: usize) -> Result<Cow<'_, Images>, DataError> {
        match self {
            Self::Resident(images) => Ok(Cow::Borrowed(images)),
            Self::Streamed(files) => files.sample(count).map(Cow::Owned),
        }
    }

    /// Channels, height, width.
    pub fn shape(&self) -> [usize; 3] {
        match self {
            Self::Resident(images) => images.shape,
            Self::Streamed(files) => files.view.shape(),
        }
    }
}

impl DataSet {
    /// A set whose parts are decoded: training, validation, test.
    pub fn resident(name: impl Into<String>, classes: Vec<String>, [train, validation, test]: [Images; 3]) -> Self {
        Self {
            name: name.into(),
            classes,
            train: train.into(),
            validation: validation.into(),
            test: test.into(),
            remarks: Vec::new(),
            split: None,
        }
    }
}

/// Told how far a long reading is: images done, images in all.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// Loads what a checked config names. Nothing here depends on the seed: every run of one source sees one split.
///
/// # Errors
/// A file that is missing, damaged or of another kind, or a setting that does not fit the data found.
pub fn load(data: &config::Data) -> Result<DataSet, DataError> {
    load_telling(data, &mut |_, _| {})
}

/// As [`load`], for whoever shows how far it is.
///
/// # Errors
/// As [`load`].
pub fn load_telling(data: &config::Data, progress: Progress) -> Result<DataSet, DataError> {
    let setting = |key, value: &str, allowed: &str| DataError::Setting {
        name: "data".into(),
        key,
        value: value.into(),
        allowed: allowed.into(),
    };
    let path = || data.path.as_deref().map(Path::new).ok_or_else(|| setting("data.path", "(missing)", "a folder"));
    let files = || data.files.as_ref().ok_or_else(|| setting("data.size", "(missing)", "8 to 1024"));
    let set = match data.source {
        Source::FashionMnist10k => embedded::load(),
        Source::Idx => idx::load_folder(path()?, data.validation),
        Source::Cifar10 => cifar::load_folder(path()?, cifar::Kind::Ten, data.validation),
        Source::Cifar100 => cifar::load_folder(path()?, cifar::Kind::Hundred, data.validation),
        Source::Folder => folder::load(path()?, data.validation, files()?, progress),
        Source::RestrictedImagenet => restricted::load(path()?, data.validation, files()?, progress),
    }?;
    let grey = set.train.shape()[0] != 3;
    match data.augment {
        Augment::CropFlipColor | Augment::Imagenet if grey => Err(DataError::Setting {
            name: set.name,
            key: "data.augment",
            value: data.augment.name().into(),
            allowed: "none, crop-flip, as these images have no colours".into(),
        }),
        Augment::None | Augment::CropFlip | Augment::CropFlipColor | Augment::Imagenet => Ok(set),
    }
}

/// A folder that is there, or why not.
fn folder_at(folder: &Path, advice: &'static str) -> Result<(), DataError> {
    if folder.is_dir() {
        return Ok(());
    }
    let why = if folder.exists() { "is not a folder" } else { "there is no such folder" };
    Err(DataError::File { file: folder.to_owned(), why: why.into(), advice })
}

/// A folder's own name, for tables.
fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned())
}
