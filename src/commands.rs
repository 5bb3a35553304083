//! What each command does: reads its arguments, calls the library, writes to standard output.

pub mod attach;
pub mod bench;
#[cfg(feature = "torch")]
pub mod check;
pub mod compare;
pub mod config;
pub mod data;
pub mod doctor;
#[cfg(not(feature = "torch"))]
pub mod elsewhere;
pub mod eval;
pub mod export;
pub mod export_metrics;
pub mod fork;
pub mod import;
pub mod keys;
#[cfg(feature = "torch")]
pub mod launch;
pub mod loader;
pub mod manual;
pub mod openmp;
pub mod ps;
pub mod repeat;
pub mod replay;
pub mod report;
pub mod resume;
pub mod rewind;
pub mod runs;
pub mod schedule;
pub mod screen;
pub mod shelf;
pub mod settings;
pub mod sweep;
pub mod train;

/// Something went wrong after the work had begun: exit code 1. Everything else that is an error was wrong from the start: 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// Whether a file may be written there: nothing else is, or it was said that it may go.
pub(crate) fn free(path: &std::path::Path, force: bool) -> anyhow::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !force || !found.is_file() => {
            let what = if found.is_file() {
                "is there already; name another with --out, or say --force"
            } else {
                "is there and is no file; name another with --out"
            };
            Err(anyhow::anyhow!("{}: {what}", path.display()))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The folder of runs that a run lies in: of one that was named by its path the folder around it.
pub(crate) fn beside(runs: &std::path::Path, folder: &rematch::run::store::RunFolder) -> std::path::PathBuf {
    if folder.path().starts_with(runs) {
        return runs.to_path_buf();
    }
    let around = folder.path().parent().filter(|parent| !parent.as_os_str().is_empty());
    around.map_or_else(|| std::path::PathBuf::from("."), std::path::Path::to_path_buf)
}

/// Writes a file that a person named, whole or not at all, and makes the folders it lies in.
pub(crate) fn write_file(path: &std::path::Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| rematch::run::store::write_atomically(path, bytes))
        .map_err(|error| anyhow::anyhow!("{}: cannot be written: {error}", path.display()))
}

/// For the commands that need libtorch, in a build without it.
#[cfg(not(feature = "torch"))]
fn no_torch(what: &str) -> anyhow::Error {
    anyhow::anyhow!("this program is the viewing half alone and cannot {what}; `make setup && cargo build` makes the other")
}
