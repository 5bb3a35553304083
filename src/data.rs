//! Data sets as bytes on the host: what is in the files, checked, split into training, validation and test.
//!
//! No tensors, no normalisation, no order of batches and no augmentation: those belong to training.

pub mod builder;
pub mod embedded;
pub mod idx;
mod split;

use crate::config::{self, Source};
use std::path::PathBuf;

/// Images of one shape with their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// N*C*H*W, 0 to 255, in the order of `labels`.
    pub pixels: Vec<u8>,
    pub labels: Vec<u8>,
    /// Channels, height, width.
    pub shape: [usize; 3],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// For tables and records: `fashion-mnist-10k`, or the folder's name.
    pub name: String,
    /// Names by label.
    pub classes: Vec<String>,
    /// Without the validation images.
    pub train: Images,
    pub validation: Images,
    pub test: Images,
}

/// What is wrong with the data, in words that name the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{}: {why}; {advice}", file.display())]
    File { file: PathBuf, why: String, advice: &'static str },
    #[error("the embedded data set is damaged: {why}; build the program again from an unchanged copy of its source")]
    Embedded { why: String },
    #[error("{name}: {key} = {value} does not fit this data; allowed: {allowed}")]
    Setting { name: String, key: &'static str, value: String, allowed: String },
    #[error(
        "this build has no data inside, as it was built without the feature 'torch'; use the ordinary build, or data.source = \"idx\""
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

/// Loads what a checked config names. Nothing here depends on the seed: every run of one source sees one split.
///
/// # Errors
/// A file that is missing, damaged or of another kind, or a setting that does not fit the data found.
pub fn load(data: &config::Data) -> Result<DataSet, DataError> {
    match data.source {
        Source::FashionMnist10k => embedded::load(),
        Source::Idx => {
            let folder = data.path.as_deref().ok_or_else(|| DataError::Setting {
                name: "data".into(),
                key: "data.path",
                value: "(missing)".into(),
                allowed: "a folder of IDX files".into(),
            })?;
            idx::load_folder(folder.as_ref(), data.validation)
        }
    }
}
