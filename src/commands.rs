//! What each command does: reads its arguments, calls the library, writes to standard output.

pub mod bench;
pub mod config;
pub mod data;
pub mod eval;
pub mod export;
pub mod import;
#[cfg(feature = "torch")]
pub mod openmp;
pub mod replay;

pub mod runs;
pub mod screen;
pub mod train;

/// Something went wrong after the work had begun: exit code 1. Everything else that is an error was wrong from the start: 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// For the commands that need libtorch, in a build without it.
#[cfg(not(feature = "torch"))]
fn no_torch(what: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "this build of rematch views runs only and cannot {what}; build it with its default features (make setup; cargo build)"
    )
}
