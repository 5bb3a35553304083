//! How the validation images of a folder of image files are chosen.

use serde::{Deserialize, Serialize};

/// Rule by which training images of a folder are held out for validation. Serialised as `"last-names"` or `{"seeded":{"seed":0}}`.
///
/// The default is the rule of earlier versions, whose logs and configs do not name one: their runs keep their split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValidationSplit {
    /// The last file names of each class, the same number of each. Images deeper than `<class>/` are not seen.
    #[default]
    LastNames,
    /// A stratified draw in proportion to the class sizes, at most half of a class. Images of a class are ranked by a hash of the
    /// seed and of their path within the data folder, so that a new file does not reshuffle the others.
    Seeded {
        /// `data.split_seed`, independent of the run's `seed`.
        seed: u64,
    },
}

impl ValidationSplit {
    /// Values of `data.split`, the default first.
    pub const NAMES: &[&str] = &["seeded", "last-names"];

    pub fn name(self) -> &'static str {
        match self {
            Self::Seeded { .. } => "seeded",
            Self::LastNames => "last-names",
        }
    }

    /// `data.split_seed`; `None` where nothing is drawn.
    pub fn seed(self) -> Option<u64> {
        match self {
            Self::Seeded { seed } => Some(seed),
            Self::LastNames => None,
        }
    }

    /// The split of these values of `data.split` and `data.split_seed`.
    pub fn of(name: &str, seed: u64) -> Option<Self> {
        match name {
            "seeded" => Some(Self::Seeded { seed }),
            "last-names" => Some(Self::LastNames),
            _ => None,
        }
    }
}
