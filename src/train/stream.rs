//! A data set that does not fit in memory: image files, decoded by other threads a few batches ahead of the worker.
//!
//! The trainer says in which order an epoch goes and where it stands; what it then asks for is usually there. What it asks for
//! otherwise (an evaluation, a batch out of order) is decoded while it waits. Which images come out depends on the files, the
//! epoch's seed and the batch alone: not on the number of threads, not on what was decoded ahead, not on a resume.

use crate::config::{Augment, Faulty};
use crate::data::DataError;
use crate::data::decoders::{Decoders, Pending};
use crate::data::files::Files;
use crate::data::picture::{Cut, Picture};
use crate::methods::Batch;
use crate::nn::channels_last;
use crate::random::{self, Purpose};
use crate::train::augment::{self, Cropped};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

/// Batches that are decoded before they are asked for.
const AHEAD: usize = 4;

pub struct Stream {
    files: Arc<Files>,
    decoders: Decoders,
    device: Device,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// What is left of the epoch and was not asked for yet, a batch an entry.
    coming: VecDeque<Vec<i64>>,
    ahead: VecDeque<(Vec<i64>, Pending)>,
    cutting: Cutting,
    /// The batch that came last: a method may take one more than once.
    last: Option<(Vec<i64>, Tensor, Tensor)>,
    /// Places of files that could not be read.
    faulty: BTreeSet<i64>,
    told_enlarged: bool,
    remarks: Vec<String>,
}

/// What becomes of a file that cannot be read and is to be skipped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// An evaluation counts what it sees.
    LeftOut,
    /// A step trains on the next good one of its batch.
    StoodIn,
}

/// What is cut out of the files of training images.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Cutting {
    #[default]
    Centre,
    /// With the epoch's seed: an image's part depends on it and on the image, so that no step has to be known ahead.
    Random(u64),
}

impl Cutting {
    fn of(self, place: i64) -> Cut {
        match self {
            Self::Centre => Cut::Centre,
            Self::Random(epoch) => Cut::Random(random::seed(epoch, Purpose::Augment, place as u64)),
        }
    }
}

impl Stream {
    pub fn new(files: Arc<Files>, decoders: Decoders, device: Device) -> Self {
        Self { files, decoders, device, state: RefCell::default() }
    }

    pub fn len(&self) -> usize {
        self.files.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says what comes next: `batches` of places. `seed`: of the epoch's cuts.
    pub fn begin_epoch<'a>(&self, batches: impl Iterator<Item = &'a [i64]>, augment: Augment, seed: u64) {
        let mut state = self.state.borrow_mut();
        state.coming = batches.map(<[i64]>::to_vec).collect();
        state.ahead.clear();
        state.last = None;
        state.cutting = match augment {
            Augment::Imagenet => Cutting::Random(seed),
            Augment::None | Augment::CropFlip | Augment::CropFlipColor => Cutting::Centre,
        };
        self.work_ahead(&mut state);
    }

    fn work_ahead(&self, state: &mut State) {
        while state.ahead.len() < AHEAD {
            let Some(places) = state.coming.pop_front() else { return };
            let pending = self.ask(&places, state.cutting);
            state.ahead.push_back((places, pending));
        }
    }

    fn ask(&self, places: &[i64], cutting: Cutting) -> Pending {
        self.decoders.ask(&self.files, places.iter().map(|&place| (place as usize, cutting.of(place))))
    }

    /// Numbers in one image.
    pub fn image_len(&self) -> usize {
        self.files.view.shape().iter().product()
    }

    /// The middles of the images at these places, and the places of those that could be read.
    ///
    /// # Errors
    /// A file that cannot be read, where those are not to be skipped.
    pub fn batch(&self, places: &[i64]) -> Result<(Batch, Vec<i64>), DataError> {
        let pending = self.ask(places, Cutting::Centre);
        let (images, labels, read) = self.take(places, pending, Gap::LeftOut)?;
        Ok((Batch::new(channels_last(&(images.to_kind(Kind::Float) / 255.0)), labels), read))
    }

    /// The images at these places, augmented. `seed`: of this step's augmentation.
    ///
    /// # Errors
    /// As for [`Self::batch`].
    pub fn augmented(&self, places: &[i64], augment: Augment, seed: u64) -> Result<Batch, DataError> {
        let known = match &self.state.borrow().last {
            Some((last, images, labels)) if last == places => Some((images.shallow_clone(), labels.shallow_clone())),
            Some(_) | None => None,
        };
        let (images, labels) = if let Some(known) = known {
            known
        } else {
            let pending = {
                let mut state = self.state.borrow_mut();
                let pending = match state.ahead.pop_front() {
                    Some((next, pending)) if next == places => pending,
                    other => {
                        // Out of order: what was decoded ahead keeps its place.
                        if let Some(other) = other {
                            state.ahead.push_front(other);
                        }
                        self.ask(places, state.cutting)
                    }
                };
                self.work_ahead(&mut state);
                pending
            };
            let (images, labels, read) = self.take(places, pending, Gap::StoodIn)?;
            if read.is_empty() {
                // Nothing of this batch can be read: the one before is trained on once more.
                match &self.state.borrow().last {
                    Some((_, images, labels)) => {
                        let (images, labels) = (images.shallow_clone(), labels.shallow_clone());
                        let images = channels_last(&augment::apply(&images, augment, Cropped::Yes, seed));
                        return Ok(Batch::new(images, labels));
                    }
                    None => return Err(self.files.fault(places[0] as usize, "cannot be read, nor can any of its batch", 0)),
                }
            }
            self.state.borrow_mut().last = Some((places.to_vec(), images.shallow_clone(), labels.shallow_clone()));
            (images, labels)
        };
        Ok(Batch::new(channels_last(&augment::apply(&images, augment, Cropped::Yes, seed)), labels))
    }

    /// What there is to say since the last call: files that could not be read.
    pub fn take_remarks(&self) -> Vec<String> {
        std::mem::take(&mut self.state.borrow_mut().remarks)
    }

    /// Bytes and labels on the device and the places they are of, once they are decoded.
    fn take(&self, places: &[i64], pending: Pending, gap: Gap) -> Result<(Tensor, Tensor, Vec<i64>), DataError> {
        let read = pending.wait();
        let mut state = self.state.borrow_mut();
        let mut good: Vec<Option<&Picture>> = Vec::with_capacity(read.len());
        for (&place, result) in places.iter().zip(&read) {
            match result {
                Ok(picture) => {
                    if picture.enlarged && !std::mem::replace(&mut state.told_enlarged, true) {
                        let file = self.files.paths[place as usize].display();
                        let size = self.files.view.size;
                        state
                            .remarks
                            .push(format!("{file} is smaller than data.size = {size} and was enlarged; others may be too"));
                    }
                    good.push(Some(picture));
                }
                Err(why) => {
                    if state.faulty.insert(place) {
                        self.tell_of(place, why, &mut state);
                    }
                    if self.files.faulty == Faulty::Stop {
                        let others = state.faulty.len() - 1;
                        return Err(self.files.fault(place as usize, why, others));
                    }
                    good.push(None);
                }
            }
        }
        let n = good.len();
        let (mut pixels, mut labels, mut taken) = (Vec::with_capacity(n * self.image_len()), Vec::new(), Vec::new());
        for slot in 0..n {
            if gap == Gap::LeftOut && good[slot].is_none() {
                continue;
            }
            let stand_in = (0..n).map(|step| (slot + step) % n).find_map(|at| good[at].map(|picture| (at, picture)));
            if let Some((at, picture)) = stand_in {
                pixels.extend_from_slice(&picture.pixels);
                labels.push(i64::from(self.files.labels[places[at] as usize]));
                taken.push(places[at]);
            }
        }
        let [c, h, w] = self.files.view.shape().map(|d| d as i64);
        let images = Tensor::from_slice(&pixels).view([-1, c, h, w]).to_device(self.device);
        Ok((images, Tensor::from_slice(&labels).to_device(self.device), taken))
    }

    /// The first by name, then at 10, 100, 1000, ...: a person must see how many there are, not each of them.
    fn tell_of(&self, place: i64, why: &str, state: &mut State) {
        let count = state.faulty.len();
        let file = self.files.paths[place as usize].display();
        if self.files.faulty == Faulty::Skip && 10usize.pow(count.ilog10()) == count {
            let text = format!(
                "{file} {why}; training takes another image of its batch, evaluation leaves it out (file {count} of this kind)"
            );
            state.remarks.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::picture::View;
    use std::path::Path;

    /// Twelve images of one grey level each, 10 times their place; labels are the places.
    fn files(folder: &Path, faulty: Faulty) -> Arc<Files> {
        let paths: Vec<_> = (0..12u8).map(|i| folder.join(format!("{i}.png"))).collect();
        for (i, path) in paths.iter().enumerate() {
            let level = |x: u32, y: u32| image::Rgb([10 * i as u8 + (x + y) as u8; 3]);
            image::RgbImage::from_fn(16, 16, level).save(path).unwrap();
        }
        Arc::new(Files { paths, labels: (0..12).collect(), view: View { size: 8, resize: 8 }, faulty })
    }

    fn open(files: &Arc<Files>) -> Stream {
        Stream::new(files.clone(), Decoders::default(), Device::Cpu)
    }

    const ORDER: [i64; 12] = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7, 11, 10];

    #[test]
    fn what_comes_does_not_depend_on_what_was_decoded_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path(), Faulty::Stop);
        for &augment in Augment::ALL {
            let whole = open(&files);
            whole.begin_epoch(ORDER.chunks(2), augment, 7);
            let steps: Vec<_> = ORDER.chunks(2).zip(0..).map(|(p, seed)| whole.augmented(p, augment, seed).unwrap()).collect();
            let labels: Vec<i64> = steps.iter().flat_map(|b| Vec::<i64>::try_from(&b.labels).unwrap()).collect();
            assert_eq!(labels, ORDER);
            // Resumed at the third step, a batch taken twice, and one that nobody announced.
            let resumed = open(&files);
            resumed.begin_epoch(ORDER.chunks(2).skip(2), augment, 7);
            for at in [2, 2, 5, 3] {
                let batch = resumed.augmented(&ORDER[2 * at..2 * at + 2], augment, at as u64).unwrap();
                assert!(batch.images == steps[at].images && batch.labels == steps[at].labels, "{augment:?} step {at}");
            }
            whole.begin_epoch(ORDER.chunks(2), augment, 8);
            let other = whole.augmented(&ORDER[..2], augment, 0).unwrap().images;
            assert_eq!(other == steps[0].images, augment != Augment::Imagenet, "another epoch cuts elsewhere: {augment:?}");
        }
    }

    #[test]
    fn a_file_that_goes_bad_while_training_ends_the_run_or_is_replaced_and_told_once() {
        let folder = tempfile::tempdir().unwrap();
        for faulty in [Faulty::Stop, Faulty::Skip] {
            let files = files(folder.path(), faulty);
            std::fs::write(&files.paths[4], "gone").unwrap();
            let stream = open(&files);
            stream.begin_epoch(ORDER.chunks(3), Augment::None, 0);
            let got = stream.augmented(&ORDER[..3], Augment::None, 0);
            if faulty == Faulty::Stop {
                let error = got.err().unwrap().to_string();
                assert!(error.contains("4.png: is no JPEG, PNG or WebP image; repair or remove"), "{error}");
                continue;
            }
            let (got, expected) = (got.unwrap(), stream.batch(&[3, 1, 3]).unwrap().0);
            assert!(got.images == expected.images && got.labels == expected.labels);
            // An evaluation leaves it out.
            assert_eq!(stream.batch(&[4, 5]).unwrap().1, [5]);
            assert!(stream.batch(&[4]).unwrap().1.is_empty());
            // A batch of it alone is the one before once more.
            let again = stream.augmented(&[4], Augment::None, 0).unwrap();
            assert!(again.images == expected.images && again.labels == expected.labels);
            let remarks = stream.take_remarks();
            assert!(remarks.len() == 1 && remarks[0].contains("4.png is no JPEG"), "{remarks:?}");
            let error = open(&files).augmented(&[4], Augment::None, 0).err().unwrap().to_string();
            assert!(error.contains("4.png"), "{error}");
        }
    }
}
