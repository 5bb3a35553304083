//! Checksum that a run records of its data.

use serde::{Deserialize, Serialize};

/// Checksum of what a data set is read from, by which it is recognised at another place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFingerprint {
    pub sha256: String,
    /// `the names and sizes of 100000 image files`.
    pub covers: String,
}
