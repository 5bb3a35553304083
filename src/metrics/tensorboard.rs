//! TensorBoard's event files of a run: scalars, images under attack, hyper-parameters and the config as text.
//!
//! A [`Board`] makes events of records; an [`EventFile`] frames and writes them; [`live`] does both beside a run that trains, and
//! [`export`] for one that is recorded. Rows give the scalars, so that names and values are those of the tables, in the 32 bits that
//! TensorBoard keeps. TensorBoard itself is never started or asked.

mod board;
mod file;
mod hparams;
pub mod live;
mod wire;

pub use board::Board;
pub use file::{EventFile, held_by};

use super::Course;
use crate::run::replay::LogError;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Folder of the event files within that of a run.
pub const FOLDER: &str = "tensorboard";

#[derive(Debug, Error)]
pub enum BoardError {
    #[error("{} already holds event files ({found}); TensorBoard would mix the two runs: name another folder", folder.display())]
    Taken { folder: PathBuf, found: String },
    #[error("{}: cannot be written: {source}", folder.display())]
    Unwritable { folder: PathBuf, source: io::Error },
}

/// What becomes of event files that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    Keep,
    /// Those that Rematch wrote; no others.
    Replace,
}

/// Whether a run that begins may write its event files there.
///
/// # Errors
/// When the folder holds event files of another run: TensorBoard takes all files of a folder for one.
pub fn is_free(folder: &Path) -> Result<(), BoardError> {
    match held_by(folder).into_iter().next() {
        Some(found) => Err(BoardError::Taken { folder: folder.to_path_buf(), found }),
        None => Ok(()),
    }
}

/// What an export came to.
pub struct Exported {
    pub file: PathBuf,
    pub events: u64,
    /// What ended the records before the log did.
    pub damage: Option<LogError>,
}

/// Writes one event file of a recorded run. It has its name once it is whole.
///
/// # Errors
/// When the folder cannot be written, or holds event files already that are to stay.
pub fn export(course: &mut Course, folder: &Path, there: There) -> Result<Exported, BoardError> {
    let old = held_by(folder);
    if let Some(found) = old.iter().find(|name| there == There::Keep || !file::is_ours(name)) {
        return Err(BoardError::Taken { folder: folder.to_path_buf(), found: found.clone() });
    }
    let failed = |source| BoardError::Unwritable { folder: folder.to_path_buf(), source };
    let (mut board, mut file) = (Board::default(), EventFile::hidden(folder));
    let (mut events, mut damage) = (0, None);
    for record in course.by_ref() {
        match record {
            Ok(record) => {
                for event in board.events(&record) {
                    file.add(&event);
                    events += 1;
                }
                file.flush_when_full().map_err(failed)?;
            }
            Err(error) => damage = Some(error),
        }
    }
    let file = file.finish().map_err(failed)?;
    for name in old {
        std::fs::remove_file(folder.join(name)).map_err(failed)?;
    }
    Ok(Exported { file, events, damage })
}

#[cfg(test)]
mod tests;
