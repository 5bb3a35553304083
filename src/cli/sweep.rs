//! The words of `rematch sweep`.

use super::Look;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
A sweep file names a config, what to vary and what to evaluate with; see configs/paper/quick/. The same command goes on after any
interruption: what is done is not run again. rematch report FOLDER makes tables and figures of it at any time.")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line, each by its name")]
pub struct Sweep {
    /// What to run, a TOML file; or the folder of a sweep, to go on with it as it is
    pub file: PathBuf,
    /// The sweep's folder [default: sweeps/ and the file's name]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only tell what would be run, and how long it would take by what was measured or by some steps of each
    #[arg(long, conflicts_with_all = ["slurm", "collect"])]
    pub dry_run: bool,
    /// Run only these cells; for job arrays
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub only: Vec<String>,
    /// One run at a time on each of these, e.g. cuda:0,cuda:1
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "auto")]
    pub devices: Vec<String>,
    /// CPU threads of each run [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Run what failed before once more
    #[arg(long)]
    pub retry_failed: bool,
    /// Where the file has changed since the folder was made: set runs aside that it no longer has a place for, and go on
    #[arg(long)]
    pub accept_changes: bool,
    /// Write job arrays for Slurm instead of running anything here
    #[arg(long, conflicts_with = "collect")]
    pub slurm: bool,
    /// Gather finished runs of this sweep from other folders instead of running anything
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub collect: Vec<PathBuf>,
    /// What to show [default: tui on a terminal, else plain]
    #[arg(long, value_enum)]
    pub ui: Option<SweepUi>,
    #[command(flatten)]
    pub look: Look,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SweepUi {
    /// The screen
    Tui,
    /// A line for whatever happens
    Plain,
    /// Nothing
    None,
}
