//! Networks, teachers and data of a run, as its first record describes them.

use serde::{Deserialize, Serialize};

/// A network by name and size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkFacts {
    pub name: String,
    /// Trainable numbers.
    pub parameters: u64,
    /// Width of the penultimate layer, the representation that RRM matches.
    pub features: u64,
}

/// A teacher and the file that it was read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TeacherFacts {
    pub network: NetworkFacts,
    /// The checkpoint file.
    pub path: String,
    /// What the checkpoint says of its own making, one line; empty when it says nothing.
    pub provenance: String,
    /// Checksum of the file, by which it is recognised at another place. Runs of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Checksum of what a data set is read from, by which it is recognised at another place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFingerprint {
    pub sha256: String,
    /// `the names and sizes of 100000 image files`.
    pub covers: String,
}

/// A data set: shape, classes and the number of images in each part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataFacts {
    pub name: String,
    /// Channels, height, width.
    pub shape: [u64; 3],
    pub classes: Vec<String>,
    pub train: u64,
    pub validation: u64,
    pub test: u64,
    /// Absent for the embedded set, and in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<DataFingerprint>,
    /// Of files in folders; runs of earlier versions do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitFacts>,
}

/// Which image files are trained on and which are for validation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitFacts {
    /// `seeded, seed 0`, `last-names` or `folder`.
    pub rule: String,
    /// 16 hexadecimal digits that change with each file that is added, removed or moved to the other side.
    pub hash: String,
}
