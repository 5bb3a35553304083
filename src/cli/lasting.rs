//! The words of what makes a run last: resume, fork, repeat, schedule, attach, ps.

use super::{DeviceChoice, How, Look};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct Resume {
    /// A run's folder, or its id within the runs folder
    pub run: PathBuf,
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    /// Where the teacher or the data lies now, e.g. -s data.path=/scratch/cifar10; accepted when the content is the same
    #[arg(short = 's', long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Do not make changes again that were made by hand after that checkpoint
    #[arg(long)]
    pub forget_changes: bool,
    #[command(flatten)]
    pub how: How,
}

#[derive(Args)]
pub struct Fork {
    /// The run to begin from: its folder, or its id within the runs folder
    pub run: PathBuf,
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    /// The checkpoint: a step, best (by its probe) or last
    #[arg(long, default_value = "last", value_name = "STEP|best|last")]
    pub at: String,
    /// Change one key of the config, e.g. -s method.lambda=0.001 (may be given often)
    #[arg(short = 's', long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The new run's id [default: the other's with .2, .3, ...]
    #[arg(long, value_name = "ID")]
    pub name: Option<String>,
    #[command(flatten)]
    pub how: How,
}

#[derive(Args)]
pub struct Repeat {
    /// A run's folder, or its id within the runs folder
    pub run: PathBuf,
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    /// The new run's id [default: the other's with .repeat]
    #[arg(long, value_name = "ID")]
    pub name: Option<String>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    /// CPU threads [default: as many as the run had]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

#[derive(Args)]
pub struct Schedule {
    /// A run's folder, or its id within the runs folder
    pub run: PathBuf,
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    /// The config to write [default: the run's id with -schedule.toml]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file that is there
    #[arg(long)]
    pub force: bool,
}

#[derive(Args)]
pub struct Attach {
    /// A run's folder, or its id [default: the one that trains now]
    pub run: Option<PathBuf>,
    /// Look only in this folder of runs [default: runs, then every run of yours that trains on this machine]
    #[arg(long, value_name = "DIR")]
    pub runs: Option<PathBuf>,
    /// Only look, whoever steers
    #[arg(long, conflicts_with = "take")]
    pub read_only: bool,
    /// Steer, also where somebody else does: that one can only look from then on
    #[arg(long)]
    pub take: bool,
    #[command(flatten)]
    pub look: Look,
}

#[derive(Args)]
pub struct Ps {
    /// Look only in these folders of runs [default: runs, and every run of yours that trains on this machine]
    #[arg(value_name = "DIR")]
    pub runs: Vec<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}
