//! Where the worker takes its images from: the device's memory, or files that are decoded ahead of it. One face for both.

use super::memory::Memory;
use super::stream::Stream;
use crate::config::Augment;
use crate::data::decoders::Decoders;
use crate::data::{DataError, Portion};
use crate::methods::Batch;
use tch::Device;

pub enum Pool {
    Resident(Memory),
    Streamed(Stream),
}

impl Pool {
    /// `decoders`: shared by the pools of one run.
    pub fn new(portion: &Portion, device: Device, decoders: &Decoders) -> Self {
        match portion {
            Portion::Resident(images) => Self::Resident(Memory::new(images, device)),
            Portion::Streamed(files) => Self::Streamed(Stream::new(files.clone(), decoders.clone(), device)),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Resident(memory) => memory.len(),
            Self::Streamed(stream) => stream.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says what an epoch will ask for, so that it can be decoded ahead: `order` in batches of `batch`, from the place `from` on.
    /// `seed`: of the epoch, for cuts that are made while decoding.
    pub fn begin_epoch(&self, order: &[i64], from: usize, batch: usize, augment: Augment, seed: u64) {
        match self {
            Self::Resident(_) => {}
            Self::Streamed(stream) => stream.begin_epoch(order[from.min(order.len())..].chunks(batch.max(1)), augment, seed),
        }
    }

    /// Numbers in one image.
    pub fn image_len(&self) -> usize {
        match self {
            Self::Resident(memory) => memory.image_len(),
            Self::Streamed(stream) => stream.image_len(),
        }
    }

    /// The images at these places, as they are, and the places of those that could be read, where others are to be skipped.
    ///
    /// # Errors
    /// A file that cannot be read and is not to be skipped; never for images in memory.
    pub fn batch(&self, places: &[i64]) -> Result<(Batch, Vec<i64>), DataError> {
        match self {
            Self::Resident(memory) => Ok((memory.batch(places), places.to_vec())),
            Self::Streamed(stream) => stream.batch(places),
        }
    }

    /// The images at these places, augmented. `seed`: of this step's augmentation.
    ///
    /// # Errors
    /// As for [`Self::batch`].
    pub fn augmented(&self, places: &[i64], augment: Augment, seed: u64) -> Result<Batch, DataError> {
        match self {
            Self::Resident(memory) => Ok(memory.augmented(places, augment, seed)),
            Self::Streamed(stream) => stream.augmented(places, augment, seed),
        }
    }

    /// What there is to tell a person since the last call.
    pub fn take_remarks(&self) -> Vec<String> {
        match self {
            Self::Resident(_) => Vec::new(),
            Self::Streamed(stream) => stream.take_remarks(),
        }
    }
}
