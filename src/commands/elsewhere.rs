//! Goes on as the program that is linked to libtorch, with the same words, for what this one cannot do.
//!
//! Libtorch's initialisers take half a second before `main`. Who lists runs, asks for help or looks at a run has no use for them, so
//! that program lies beside this one and takes its place only when it is needed: same process, same terminal, same exit code.

use super::loader::{self, PROGRAM};
use super::openmp;
use crate::cli::{Cli, Command, Data};
use std::os::unix::process::CommandExt as _;

pub fn is_needed(cli: &Cli) -> bool {
    match &cli.command {
        Command::Train(_)
        | Command::Resume(_)
        | Command::Fork(_)
        | Command::Repeat(_)
        | Command::Eval(_)
        | Command::Import(_)
        | Command::Export(_)
        | Command::Bench(_)
        | Command::Data(Data::Export(_)) => true,
        Command::Config(args) => args.check,
        Command::Schedule(_)
        | Command::Attach(_)
        | Command::Ps(_)
        | Command::Sweep(_)
        | Command::Keys(_)
        | Command::Replay(_)
        | Command::Runs(_)
        | Command::Compare(_)
        | Command::ExportMetrics(_)
        | Command::Report(_)
        | Command::Data(Data::Fetch { .. } | Data::RebuildEmbedded { .. })
        | Command::Doctor(_)
        | Command::Completions(_)
        | Command::Man(_) => false,
    }
}

/// Returns only when the other program could not be started.
pub fn go_on() -> anyhow::Error {
    let here = match std::env::current_exe() {
        Ok(here) => here,
        Err(error) => return anyhow::anyhow!("where this program lies is not known: {error}"),
    };
    let there = here.with_file_name(PROGRAM);
    if let Some(trouble) = loader::trouble(&there) {
        return anyhow::anyhow!("{PROGRAM} cannot be started: {trouble}");
    }
    let mut command = std::process::Command::new(&there);
    command.arg0("rematch").args(std::env::args_os().skip(1));
    if let Some((name, value)) = openmp::spin() {
        // Here rather than there, which would have to start a second time for it.
        command.env(name, value);
    }
    let error = command.exec();
    anyhow::anyhow!(
        "{} cannot be started: {error}; it is the part of this program that needs libtorch, and `make setup && cargo build` puts both in one folder",
        there.display()
    )
}
