//! Bytes of a checkpoint, read at their places: a file may be larger than the machine's memory.
//!
//! Positional reads and not a mapping: a file that is cut short while it is read gives an error, not a signal, and its pages do not
//! count as memory of this process.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

pub(super) enum Source {
    Held(Vec<u8>),
    File { file: File, length: usize },
}

/// Bytes read at a time where a file is read as a whole.
const CHUNK: usize = 1 << 20;

impl Source {
    pub fn length(&self) -> usize {
        match self {
            Self::Held(bytes) => bytes.len(),
            Self::File { length, .. } => *length,
        }
    }

    /// The bytes at `place`.
    ///
    /// # Errors
    /// When the place does not lie inside, or the file cannot be read.
    pub fn read(&self, place: Range<usize>) -> io::Result<Cow<'_, [u8]>> {
        let outside = || io::Error::new(io::ErrorKind::UnexpectedEof, "the file is truncated");
        if place.start > place.end || place.end > self.length() {
            return Err(outside());
        }
        match self {
            Self::Held(bytes) => Ok(Cow::Borrowed(&bytes[place])),
            Self::File { file, .. } => {
                let mut bytes = vec![0; place.len()];
                file.read_exact_at(&mut bytes, place.start as u64)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// Up to `most` of the first bytes.
    pub fn head(&self, most: usize) -> io::Result<Cow<'_, [u8]>> {
        self.read(0..self.length().min(most))
    }

    /// Gives all bytes to `take`, in pieces.
    pub fn each(&self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        for from in (0..self.length()).step_by(CHUNK) {
            take(&self.read(from..self.length().min(from + CHUNK))?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_bytes_are_read_alike_and_nothing_beyond_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let bytes: Vec<u8> = (0..CHUNK + 7).map(|i| i as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = Source::File { file: File::open(&path).unwrap(), length: bytes.len() };
        for source in [file, Source::Held(bytes.clone())] {
            assert_eq!(source.read(5..9).unwrap().as_ref(), &bytes[5..9]);
            assert_eq!(source.head(3).unwrap().as_ref(), &bytes[..3]);
            assert!(source.read(CHUNK..CHUNK + 8).is_err());
            let mut all = Vec::new();
            source.each(|piece| all.extend_from_slice(piece)).unwrap();
            assert!(all == bytes);
        }
        // Cut short after its length was asked for.
        let cut = Source::File { file: File::open(&path).unwrap(), length: bytes.len() };
        std::fs::write(&path, b"short").unwrap();
        assert!(cut.read(0..100).is_err());
    }
}
