//! Image files with their labels: which of them are held out, where they are kept, and the decoding of many at once.
//!
//! A file that cannot be read ends the reading, or is left out, counted and told: never silently either way.

use super::folder::Labels;
use super::picture::{self, Cut, View};
use super::split::{self, Labelled};
use super::{DataError, DataSet, Images, Portion, Progress};
use crate::config::{Faulty, ImageFiles, Storage, ValidationSplit};
use crate::limits::{self, Room, shown};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

/// `data.storage = "auto"` streams where the decoded images of all splits are more than this many bytes.
pub const STREAM_ABOVE: u64 = 4 << 30;

/// What to do about a file that cannot be read.
pub const REPAIR: &str = "repair or remove the file, or leave such files out with data.faulty = \"skip\"";

/// How many files a remark names.
const NAMED: usize = 3;

/// Files with their labels, and how they are decoded.
#[derive(Clone, Debug)]
pub struct Files {
    pub paths: Vec<PathBuf>,
    /// In the order of `paths`.
    pub labels: Vec<u16>,
    pub view: View,
    pub faulty: Faulty,
}

/// What was found while decoding.
#[derive(Debug, Default)]
struct Found {
    /// Places and reasons.
    faults: Vec<(usize, String)>,
    enlarged: usize,
}

/// All files of a folder's two parts, before any is opened.
pub(super) struct Listed {
    pub name: String,
    /// The data folder, within which paths are the same on every machine.
    pub root: PathBuf,
    pub classes: Vec<String>,
    pub train: Labels,
    /// Validation images of their own, and their folder; with them nothing is held out of training.
    pub validation: Option<(PathBuf, Labels)>,
    pub test: Labels,
    pub remarks: Vec<String>,
    /// What to do where no class has an image to spare for validation.
    pub advice: &'static str,
}

/// Holds out `validation` training images, and decodes all where they are to be kept in memory.
///
/// The split is made over the files, before any is left out: it is the same wherever the images are kept.
pub(super) fn assemble(
    listed: Listed,
    validation: usize,
    settings: &ImageFiles,
    progress: Progress,
) -> Result<DataSet, DataError> {
    let Listed { name, root, classes, train, validation: given, test, mut remarks, advice } = listed;
    let view = View { size: settings.size, resize: settings.resize };
    let files = |Labels { paths, labels }| Files { paths, labels, view, faulty: settings.faulty };
    let all = files(train);
    let (train, validation, facts) = if let Some((home, images)) = given {
        let facts = split::record("folder".into(), &within(&root, &all.paths), &within(&home, &images.paths));
        (all, files(images), facts)
    } else {
        let paths = within(&root, &all.paths);
        let data = Labelled { name: &name, labels: &all.labels, classes: classes.len(), validation, advice };
        let places = match settings.split {
            ValidationSplit::LastNames => split::last_of_each_class(&data)?,
            ValidationSplit::Seeded { seed } => split::seeded(&data, seed, &paths)?,
        };
        let of = |places: &[usize]| places.iter().map(|&place| paths[place]).collect::<Vec<_>>();
        let facts = split::record(split::rule(settings.split), &of(&places.train), &of(&places.validation));
        remarks.extend(places.remark);
        (all.pick(&places.train), all.pick(&places.validation), facts)
    };
    let split = Some(facts);
    let parts = [train, validation, files(test)];
    let count: usize = parts.iter().map(|files| files.labels.len()).sum();
    let bytes = count as u64 * view.shape().iter().product::<usize>() as u64;
    let stream = match settings.storage {
        Storage::Auto => bytes > STREAM_ABOVE || does_not_fit(2 * bytes, limits::memory()).is_some(),
        Storage::Memory => false,
        Storage::Stream => true,
    };
    // Decoded images stand beside their pieces for a moment. Whoever wants them in memory all the same is stopped where they alone are too many.
    if stream && settings.storage == Storage::Auto && bytes <= STREAM_ABOVE {
        remarks.extend(
            does_not_fit(2 * bytes, limits::memory())
                .map(|why| format!("images are read from their files as they are needed: {why}")),
        );
    } else if let Some(why) = does_not_fit(bytes, limits::memory()).filter(|_| !stream) {
        return Err(DataError::Setting {
            name,
            key: "data.storage",
            value: "memory".into(),
            allowed: format!("\"stream\" here: {why}"),
        });
    }
    if stream {
        let [train, validation, test] = parts.map(|files| Portion::Streamed(Arc::new(files)));
        return Ok(DataSet { name, classes, train, validation, test, remarks, split });
    }
    let (mut before, mut enlarged, mut left_out) = (0, 0, Vec::new());
    let mut decode = |files: &Files| {
        let (images, found) = files.decode(&mut |done, _| progress(before + done, count))?;
        before += files.labels.len();
        enlarged += found.enlarged;
        left_out.extend(found.faults.into_iter().map(|(place, why)| format!("{} {why}", files.paths[place].display())));
        Ok(images)
    };
    let [train, validation, test] = &parts;
    let decoded = [decode(train)?, decode(validation)?, decode(test)?];
    if let Some(bare) = (0..classes.len()).find(|&class| !decoded[0].labels.contains(&(class as u16))) {
        return Err(DataError::Setting {
            name,
            key: "data.faulty",
            value: "skip".into(),
            allowed: format!("class {} keeps at least one image, and none of its training images can be read", classes[bare]),
        });
    }
    if !left_out.is_empty() {
        remarks.push(format!(
            "{} of {count} images cannot be read and were left out: {}{}",
            left_out.len(),
            left_out[..left_out.len().min(NAMED)].join("; "),
            if left_out.len() > NAMED { "; ..." } else { "" }
        ));
    }
    if enlarged > 0 {
        remarks.push(format!(
            "{enlarged} of {count} images are smaller than data.size = {} and were enlarged; a smaller data.size shows them as they are",
            view.size
        ));
    }
    Ok(DataSet { remarks, split, ..DataSet::resident(name, classes, decoded) })
}

/// The bytes of the paths below a folder.
fn within<'a>(root: &Path, paths: &'a [PathBuf]) -> Vec<&'a [u8]> {
    paths.iter().map(|path| path.strip_prefix(root).unwrap_or(path).as_os_str().as_encoded_bytes()).collect()
}

/// Why so many bytes would end the process, where they would.
fn does_not_fit(bytes: u64, room: Option<Room>) -> Option<String> {
    let room = room.filter(|room| room.bytes < bytes)?;
    Some(format!("in memory they take {}, and {} are left: {}", shown(bytes), shown(room.bytes), room.limit))
}

impl Files {
    fn pick(&self, places: &[usize]) -> Self {
        Self {
            paths: places.iter().map(|&place| self.paths[place].clone()).collect(),
            labels: places.iter().map(|&place| self.labels[place]).collect(),
            ..*self
        }
    }

    /// At most `count` of the images, evenly spread over the files.
    ///
    /// # Errors
    /// One of them cannot be read, and files are not to be left out, or none of them can.
    pub fn sample(&self, count: usize) -> Result<Images, DataError> {
        let all = self.labels.len();
        let places: Vec<usize> = (0..count.min(all)).map(|i| i * all / count.min(all)).collect();
        let (images, found) = self.pick(&places).decode(&mut |_, _| {})?;
        match found.faults.first() {
            Some((first, why)) if images.is_empty() => Err(self.fault(places[*first], why, 0)),
            Some(_) | None => Ok(images),
        }
    }

    /// The images at these places, and the places of those that could be read.
    ///
    /// # Errors
    /// One of them cannot be read, and files are not to be left out.
    pub fn read(&self, places: &[usize]) -> Result<(Images, Vec<usize>), DataError> {
        let (images, found) = self.pick(places).decode(&mut |_, _| {})?;
        let is_faulty = |at: usize| found.faults.iter().any(|(fault, _)| *fault == at);
        Ok((images, places.iter().enumerate().filter(|(at, _)| !is_faulty(*at)).map(|(_, place)| *place).collect()))
    }

    /// The error of one file. `others`: how many more were found so far.
    pub fn fault(&self, place: usize, why: &str, others: usize) -> DataError {
        let more = match others {
            0 => String::new(),
            1 => " (and 1 other file so far)".into(),
            n => format!(" (and {n} other files so far)"),
        };
        DataError::File { file: self.paths[place].clone(), why: format!("{why}{more}"), advice: REPAIR }
    }

    /// Decodes all, on every core, in the order of the files; those that cannot be read are missing.
    fn decode(&self, progress: Progress) -> Result<(Images, Found), DataError> {
        let (count, each) = (self.labels.len(), self.view.shape().iter().product::<usize>());
        let mut slots: Vec<Option<Vec<u8>>> = Vec::new();
        slots.resize_with(count, || None);
        let mut found = Found::default();
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let (tell, told) = mpsc::sync_channel(1024);
            for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get).min(count) {
                let tell = tell.clone();
                let (next, stop) = (&next, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(path) = self.paths.get(place) else { return };
                        if tell.send((place, picture::read(path, self.view, Cut::Centre))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(tell);
            for (done, (place, read)) in told.into_iter().enumerate() {
                match read {
                    Ok(picture) => {
                        found.enlarged += usize::from(picture.enlarged);
                        slots[place] = Some(picture.pixels);
                    }
                    Err(why) => {
                        stop.fetch_or(self.faulty == Faulty::Stop, Ordering::Relaxed);
                        found.faults.push((place, why));
                    }
                }
                progress(done + 1, count);
            }
        });
        found.faults.sort_by_key(|(place, _)| *place);
        if let (Faulty::Stop, [(place, why), others @ ..]) = (self.faulty, &found.faults[..]) {
            return Err(self.fault(*place, why, others.len()));
        }
        let mut images = Images { pixels: Vec::with_capacity(count * each), labels: Vec::new(), shape: self.view.shape() };
        for (slot, &label) in slots.iter_mut().zip(&self.labels) {
            if let Some(pixels) = slot.take() {
                images.pixels.extend(pixels);
                images.labels.push(label);
            }
        }
        Ok((images, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_do_not_fit_into_memory_are_told_with_the_limit() {
        let room = |bytes| Some(Room { bytes, limit: "its control group may use 1.5 GiB".into() });
        assert_eq!((does_not_fit(1 << 30, room(1 << 30)), does_not_fit(1 << 30, None)), (None, None));
        let said = does_not_fit(3 << 30, room(1 << 30)).unwrap();
        assert_eq!(said, "in memory they take 3.0 GiB, and 1.0 GiB are left: its control group may use 1.5 GiB");
    }
}
