//! Where lines go: the log's file, with bytes kept back for the last words of a full disk; or any writer.
//!
//! It knows bytes and no records.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes kept back for the records of a full disk: some hundred of them.
pub(super) const RESERVE: usize = 64 << 10;

/// Where lines go.
pub(super) trait Sink: Send {
    /// Takes the whole line, in one write where the system allows.
    fn append(&mut self, line: &[u8]) -> io::Result<()>;
    /// Until what was appended survives the machine.
    fn sync(&mut self) -> io::Result<()>;
    /// Forgets everything after the first `length` bytes.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Sees to it that there is a reserve.
    fn keep_back(&mut self) -> io::Result<()>;
    /// Gives the reserve up; says whether there was one.
    fn give_up(&mut self) -> Reserve;
    /// The log lies there now.
    fn follow(&mut self, _path: &Path) {}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reserve {
    Freed,
    None,
}

/// `events.jsonl` and the file that keeps space back for it.
pub(super) struct OnDisk {
    pub(super) file: File,
    pub(super) reserve: PathBuf,
    pub(super) stands: bool,
}

impl Sink for OnDisk {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        // For a file that could not be opened for appending. Whoever reads the log does it by position.
        self.file.seek(SeekFrom::End(0))?;
        // One write in all but the last moments of a disk, where it may take a part; the next then says why.
        self.file.write_all(line)
    }

    fn sync(&mut self) -> io::Result<()> {
        crate::disk::sync_data(&self.file, &self.reserve)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        crate::disk::cut(&self.file, length, &self.reserve)
    }

    fn keep_back(&mut self) -> io::Result<()> {
        if self.stands {
            return Ok(());
        }
        // Bytes that a file system cannot compress away.
        let bytes: Vec<u8> =
            (0..RESERVE as u64).map(|n| (n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u8).collect();
        let made = std::fs::write(&self.reserve, bytes);
        if made.is_err() {
            let _ = std::fs::remove_file(&self.reserve);
        }
        self.stands = made.is_ok();
        made
    }

    fn give_up(&mut self) -> Reserve {
        let stood = std::mem::take(&mut self.stands) && std::fs::remove_file(&self.reserve).is_ok();
        if stood { Reserve::Freed } else { Reserve::None }
    }

    fn follow(&mut self, path: &Path) {
        self.reserve = path.with_file_name(".reserve");
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// A writer that cannot take back what it was given.
pub(super) struct Plain<W>(pub(super) W);

impl<W: Write + Send> Sink for Plain<W> {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.write_all(line)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn cut(&mut self, _: u64) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn keep_back(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn give_up(&mut self) -> Reserve {
        Reserve::None
    }
}
