//! The images that RDT trains on: made once before the first step, piece by piece, and kept on disk for every later run.
//!
//! A piece is a file of its own that appears whole or not at all, so that making them can stop at any time and go on where it stood.
//! Its name says what it was made from: the teacher's weights, the images, the seed and the settings; another teacher makes other
//! files. What a robust image is and how it is made is [`crate::methods::rdt`]'s.

use super::ends::{Ends, RunError, tell};
use super::memory::Memory;
use super::pool::Pool;
use super::trainer::{Boundary, Trainer};
use crate::config::{self, Method, Rdt};
use crate::methods::rdt;
use crate::nn::{Model, host};
use crate::protocol::event::{Preparing, Voice, Warning};
use crate::protocol::{Event, Stop};
use crate::random::{self, Purpose, Stream};
use crate::run::store::write_atomically;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tch::Kind;

/// Numbers in the images that are made together: 100 of CIFAR-10's, so that a person is answered soon, and fewer of larger ones.
/// What an image becomes does not depend on the others.
const PIECE: usize = 100 * 3 * 32 * 32;
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// Whether the images are there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Made {
    All,
    /// This stop came first.
    Stopped(Stop),
}

impl Trainer {
    /// Replaces the training images by robust ones, where the method is RDT.
    pub(super) fn robust_set(&mut self, ends: &mut Ends) -> Result<Made, RunError> {
        let (Method::Rdt(settings), Some(teacher)) = (self.config.method, self.teacher.clone()) else { return Ok(Made::All) };
        // What is streamed was refused before.
        let Pool::Resident(memory) = &self.train else { return Ok(Made::All) };
        let memory = memory.shallow_clone();
        let begin = Instant::now();
        let images = memory.bytes();
        let program = self.config.teacher.as_ref().filter(|_| teacher.parameters.entries().is_empty());
        let program = program.and_then(|teacher| std::fs::read(&teacher.checkpoint).ok());
        let key = key(&teacher, program.as_deref(), &images, self.config.seed, settings);
        if let Some(before) = self.robust_set.replace(key.clone()).filter(|before| *before != key) {
            let message = format!(
                "the run began with other robust images ({before}, now {key}): teacher, data or settings have changed since, and so will the weights"
            );
            tell(ends, Event::Warned { step: None, kind: Warning::Data, message })?;
        }
        let folder = self.cache.as_ref().map(|cache| cache.join(format!("robust-{key}")));
        if let Some(folder) = &folder {
            let line = format!("robust images are kept in {}", folder.display());
            tell(ends, Event::Said { source: Voice::Rematch, line })?;
        }
        let total = memory.len();
        let each = images.len() / total.max(1);
        let mut pixels: Vec<u8> = Vec::with_capacity(total * each);
        let what = || "robust data set".to_string();
        tell(ends, Event::Preparing(Preparing { what: what(), done: 0, total: total as u64 }))?;
        let (mut kept, mut last, mut cannot_keep) = (0, Instant::now(), false);
        let piece = (PIECE / each.max(1)).clamp(1, 100);
        for from in (0..total).step_by(piece) {
            // A person may pause, turn and stop here as between steps.
            if let Boundary::Stop(stop) = self.boundary(ends)? {
                return Ok(Made::Stopped(stop));
            }
            let places: Vec<i64> = (from..(from + piece).min(total)).map(|i| i as i64).collect();
            let file = folder.as_ref().map(|folder| folder.join(format!("{from:08}.bin")));
            let piece = if let Some(piece) = file.as_deref().and_then(|file| read(file, places.len() * each)) {
                kept += places.len();
                piece
            } else {
                let Some(piece) = make(&teacher, &memory, &places, self.config.seed, settings, ends) else {
                    // Only a stop that waits ends it early, and it is answered here.
                    return Ok(match self.boundary(ends)? {
                        Boundary::Stop(stop) => Made::Stopped(stop),
                        Boundary::GoOn => Made::Stopped(Stop::NOW_AND_SAVE),
                    });
                };
                if let Some(error) = file.as_deref().and_then(|file| write(file, &piece).err())
                    && !std::mem::replace(&mut cannot_keep, true)
                {
                    let message = format!("robust images cannot be kept for later runs: {error}");
                    tell(ends, Event::Warned { step: None, kind: Warning::Other, message })?;
                }
                piece
            };
            pixels.extend_from_slice(&piece);
            let done = from + places.len();
            if last.elapsed() >= REPORT_EVERY || done == total {
                last = Instant::now();
                tell(ends, Event::Preparing(Preparing { what: what(), done: done as u64, total: total as u64 }))?;
            }
        }
        self.train = Pool::Resident(memory.with_pixels(&pixels));
        let seconds = begin.elapsed().as_secs_f64();
        let line = format!("{total} robust images: {} made in {seconds:.1} s, {kept} found on disk", total - kept);
        tell(ends, Event::Said { source: Voice::Rematch, line })?;
        Ok(Made::All)
    }
}

/// Bytes of the robust images in the places of these. `None`: a stop came first.
fn make(teacher: &Model, memory: &Memory, places: &[i64], seed: u64, settings: Rdt, ends: &mut Ends) -> Option<Vec<u8>> {
    let originals = memory.batch(places).images;
    let starts: Vec<i64> = places
        .iter()
        .map(|&place| {
            let mut stream = Stream::new(random::seed(seed, Purpose::RobustSet, place as u64));
            stream.below(memory.len() as u64) as i64
        })
        .collect();
    let starts = memory.batch(&starts).images;
    let go_on = || !ends.inbox.stop_waits();
    let made = rdt::invert(teacher, &originals, &starts, settings.inversion_steps, settings.inversion_step_size, go_on)?;
    Some(host::bytes(&(made * 255.0).round().clamp(0.0, 255.0).to_kind(Kind::Uint8)))
}

/// Of a teacher and the images that it is asked about; another teacher or other images have another.
pub(super) fn fingerprint(teacher: &Model, settings: Option<&config::Teacher>, images: &[u8]) -> String {
    let program = settings.filter(|_| teacher.parameters.entries().is_empty());
    let program = program.and_then(|teacher| std::fs::read(&teacher.checkpoint).ok());
    let mut hash = Sha256::new();
    identify(&mut hash, teacher, program.as_deref(), images);
    short(hash)
}

/// `program`: of a teacher that is one, its file; it has no parameters that could be told apart.
fn key(teacher: &Model, program: Option<&[u8]>, images: &[u8], seed: u64, settings: Rdt) -> String {
    let mut hash = Sha256::new();
    identify(&mut hash, teacher, program, images);
    hash.update(seed.to_le_bytes());
    hash.update(settings.inversion_steps.to_le_bytes());
    hash.update(settings.inversion_step_size.to_le_bytes());
    short(hash)
}

fn identify(hash: &mut Sha256, teacher: &Model, program: Option<&[u8]>, images: &[u8]) {
    // Network, shape and normaliser: the same weights under another normaliser are another teacher.
    hash.update(format!("{:?}", teacher.description));
    hash.update(program.unwrap_or_default());
    for parameter in teacher.parameters.entries() {
        hash.update(&parameter.name);
        for value in host::floats(&parameter.tensor.detach()) {
            hash.update(value.to_le_bytes());
        }
    }
    hash.update(images);
}

fn short(hash: Sha256) -> String {
    let sum = hash.finalize();
    format!("{:016x}", u64::from_be_bytes(std::array::from_fn(|i| sum[i])))
}

/// A piece whose checksum is right; anything else is made anew.
fn read(file: &Path, length: usize) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(file).ok()?;
    let sum = bytes.split_off(length.min(bytes.len()));
    (bytes.len() == length && sum == Sha256::digest(&bytes).as_slice()).then_some(bytes)
}

fn write(file: &Path, piece: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let sum = Sha256::digest(piece);
    write_atomically(file, &[piece, sum.as_slice()].concat())
}

/// Where robust images are kept when nothing else was said: `$XDG_CACHE_HOME/rematch`, or `~/.cache/rematch`.
pub fn usual_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache"))).map(|cache| cache.join("rematch"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_piece_is_no_piece() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("robust-x").join("0.bin");
        write(&file, &[1, 2, 3]).unwrap();
        assert_eq!(read(&file, 3), Some(vec![1, 2, 3]));
        assert_eq!(read(&file, 4), None);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[1] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(read(&file, 3), None);
    }
}
