//! The words of `export-metrics`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
A row is one value: run, step, epoch, time_s since the run began, name, value, and for accuracies split, attack, norm, eps, images.
What a resumed run did twice is there once, as it happened in the end.")]
pub struct ExportMetrics {
    /// A run's folder, or its id within the runs folder; it may be running
    pub run: PathBuf,
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    #[arg(long, value_enum)]
    pub format: MetricsFormat,
    /// The file to write; of tensorboard the folder [default: standard output, for csv and jsonl]
    #[arg(long, value_name = "FILE|DIR")]
    pub out: Option<PathBuf>,
    /// Replace the file that is there; of tensorboard the event files that Rematch wrote into that folder
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MetricsFormat {
    /// A header, then a row a line; NaN, inf, -inf
    Csv,
    /// One JSON object a line; "NaN", "inf", "-inf"
    Jsonl,
    /// Typed columns, compressed
    Parquet,
    /// Event files: scalars, images under attack, hyper-parameters, the config
    Tensorboard,
}
