//! The data set inside the program: a class-balanced subset of Fashion-MNIST.
//!
//! The file is gzip (whose CRC-32 guards the whole) around: the 8 bytes of [`MAGIC`], then little-endian u32 training
//! count, validation count, test count, height, width; then per part (training, validation, test) its labels and its pixels.
//! Reading is always built and tested; the bytes are inside only where training is, so that the viewing half stays small.

use super::{DataError, DataSet, Images};
use flate2::read::GzDecoder;
use std::io::Read;

/// The last byte is the version of the format.
pub const MAGIC: &[u8; 8] = b"RMSUBST\x01";

/// Where the file lies in the source tree.
pub const FILE: &str = "assets/fashion-mnist-10k.bin.gz";

/// Sizes of the three parts: training, validation, test.
pub const COUNTS: [usize; 3] = [9_000, 1_000, 2_000];
pub const SIDE: usize = 28;
const HEADER: usize = 8 + 5 * 4;

/// Names by label, as the data set's authors give them.
pub const CLASSES: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

#[cfg(feature = "torch")]
pub(super) fn load() -> Result<DataSet, DataError> {
    parse(include_bytes!("../../assets/fashion-mnist-10k.bin.gz"))
}

#[cfg(not(feature = "torch"))]
pub(super) fn load() -> Result<DataSet, DataError> {
    Err(DataError::NotBuiltIn)
}

/// Reads the packed file.
///
/// # Errors
/// The bytes are not that file, whole and unchanged.
pub fn parse(packed: &[u8]) -> Result<DataSet, DataError> {
    let fault = |why: String| DataError::Embedded { why };
    let expected = HEADER + COUNTS.iter().sum::<usize>() * (1 + SIDE * SIDE);
    let mut content = Vec::with_capacity(expected);
    let limit = expected as u64 + 1;
    GzDecoder::new(packed)
        .take(limit)
        .read_to_end(&mut content)
        .map_err(|error| fault(format!("its gzip is broken: {error}")))?;
    if content.len() != expected {
        return Err(fault(format!("{} bytes or more where {expected} belong", content.len())));
    }
    let (head, mut body) = content.split_at(HEADER);
    if head != header() {
        return Err(fault("its header is not the one this program writes".into()));
    }
    let mut part = |count: usize| {
        let (labels, rest) = body.split_at(count);
        let (pixels, rest) = rest.split_at(count * SIDE * SIDE);
        body = rest;
        Images { pixels: pixels.to_vec(), labels: labels.iter().map(|&label| u16::from(label)).collect(), shape: [1, SIDE, SIDE] }
    };
    let [train, validation, test] = COUNTS.map(&mut part);
    for images in [&train, &validation, &test] {
        for class in 0..CLASSES.len() {
            let found = images.labels.iter().filter(|&&label| usize::from(label) == class).count();
            if found != images.len() / CLASSES.len() {
                return Err(fault(format!("{found} images of class {class} in a part of {}", images.len())));
            }
        }
    }
    Ok(DataSet::resident("fashion-mnist-10k", CLASSES.map(String::from).to_vec(), [train, validation, test]))
}

pub(super) fn header() -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    for size in [COUNTS[0], COUNTS[1], COUNTS[2], SIDE, SIDE] {
        head.extend_from_slice(&(size as u32).to_le_bytes());
    }
    head
}
