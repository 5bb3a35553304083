//! The words of `rematch data`.

use super::{Split, named};
use clap::{Args, Subcommand};
use rematch::data::fetch::Set;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Data {
    /// Make assets/fashion-mnist-10k again from the original IDX files, byte for byte
    RebuildEmbedded {
        /// Folder of the originals (Debian's package dataset-fashion-mnist puts them in /usr/share/datasets/fashion-mnist)
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// File to write
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Write the images of one split as they are trained on, as numpy arrays (.npz) or as a folder of PNG files
    Export(DataExport),
    /// Download a well-known data set from its authors, check it and say how to use it
    Fetch {
        #[arg(value_parser = named(Set::ALL, Set::name))]
        set: String,
        /// Folder for its files [default: data/ and its name]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Folder on the net that has the same files [default: the authors']
        #[arg(long, value_name = "URL")]
        from: Option<String>,
    },
}

#[derive(Args)]
pub struct DataExport {
    /// A config, or a run (its folder, or its id within the runs folder), whose split it then is
    pub target: PathBuf,
    /// Folder that holds the runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    /// Override one key of the config, as for train
    #[arg(short = 's', long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    #[arg(long, value_enum, default_value_t = Split::Test)]
    pub split: Split,
    /// FILE.npz, or the folder to make
    #[arg(long, value_name = "FILE|DIR")]
    pub out: PathBuf,
    /// Replace the .npz that is there
    #[arg(long)]
    pub force: bool,
}
