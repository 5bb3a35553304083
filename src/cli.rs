//! The command line's words. Types only: what they do is in `commands`.

mod data;
mod how;
mod lasting;
mod metrics;
mod sweep;

use clap::{Args, Parser, Subcommand, ValueEnum};
pub use data::{Data, DataExport};
pub use how::{Colour, Glyphs, Graphics, How, Look, Ui};
pub use lasting::{Attach, Fork, Ps, Repeat, Resume, Schedule};
pub use metrics::{ExportMetrics, MetricsFormat};
use rematch::config::{AttackName, DeviceChoice, Norm, Suite};
use rematch::run::seek::Target;
use std::path::PathBuf;
pub use sweep::{Sweep, SweepUi};

/// Train image classifiers to be robust against adversarial examples, and steer the training while it runs.
#[derive(Parser)]
#[command(
    name = "rematch",
    bin_name = "rematch",
    version,
    disable_help_subcommand = true,
    after_help = "Keys on the screen: press ? there. Start with: rematch train configs/quickstart.toml"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Train what a config describes, on the screen or headless
    Train(Train),
    /// Go on with a run that was stopped, killed or cut off
    Resume(Resume),
    /// Begin a new run from a checkpoint of another, which stays as it is
    Fork(Fork),
    /// Run a run again from its config and what was changed by hand, and say whether the same weights come out
    Repeat(Repeat),
    /// Write a config in which what was changed by hand comes by itself
    Schedule(Schedule),
    /// Show a run that trains in another process, and steer it
    Attach(Attach),
    /// List the runs that train now
    Ps(Ps),
    /// Run an experiment of many runs, and go on with it after any interruption
    Sweep(Sweep),
    /// Check a config and print it whole, with every default; or list every key there is
    Config(Config),
    /// Watch a recorded run again, at any pace
    Replay(Replay),
    /// Print the keys of the screen as a file to change, or check one
    Keys(Keys),
    /// List the runs of a folder
    Runs(Runs),
    /// Put runs beside each other: what each cost and how robust it is
    Compare(Compare),
    /// Write a page with plots, tables and everything that makes them again, of runs or of a sweep
    Report(Report),
    /// Measure natural and adversarial accuracy of a run or checkpoint
    Eval(Eval),
    /// Make a model of a PyTorch checkpoint, without running anything in it
    Import(Import),
    /// Write a model for PyTorch, with a Python file that loads it
    Export(Export),
    /// Write every number of a run's log as a table, or for TensorBoard
    ExportMetrics(ExportMetrics),
    /// Measure speed
    #[command(subcommand)]
    Bench(Bench),
    /// Work with data sets
    #[command(subcommand)]
    Data(Data),
    /// Tell what a bug report should say of terminal, libraries and machine; nothing secret
    Doctor(Doctor),
    /// Print what makes a shell complete this program's commands and options
    Completions(Completions),
    /// Print the manual page
    Man(Man),
}

#[derive(Args, Clone)]
pub struct Train {
    /// The run's config, a TOML file
    pub config: PathBuf,
    /// Override one key of the config, e.g. -s method.lambda=0.05 (may be given often)
    #[arg(short = 's', long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Folder that holds the runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    /// The run's id, its folder's name [default: the config's name and the time]
    #[arg(long, value_name = "ID")]
    pub name: Option<String>,
    /// Go on with the run of that name where there is one, for jobs that are started again; one that has completed is left as it is
    #[arg(long, requires = "name")]
    pub resume_if_exists: bool,
    /// Only say whether data, teacher and networks are there and fit each other; no run is made
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub how: How,
}

#[derive(Args)]
pub struct Config {
    /// The config to check
    #[arg(required_unless_present_any = ["keys", "ui"])]
    pub config: Option<PathBuf>,
    /// Override one key, as for train
    #[arg(short = 's', long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Say whether data, teacher and networks are there and fit each other, instead of printing the config
    #[arg(long, requires = "config")]
    pub check: bool,
    /// List every key with what it may be, its default and its meaning
    #[arg(long, conflicts_with = "config")]
    pub keys: bool,
    /// Print how the screen is set, and where each setting comes from
    #[arg(long, conflicts_with_all = ["config", "keys"])]
    pub ui: bool,
}

#[derive(Args)]
pub struct Keys {
    /// Own keys to print the table with [default: keys.toml in the folder of the settings]
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub keys: Option<PathBuf>,
    /// Only say whether a file of keys is right
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}

#[derive(Args)]
pub struct Replay {
    /// A run's folder, or its id within the runs folder
    pub run: PathBuf,
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    /// How fast to begin: 1x, 4x, 16x, 64x or max; `<` and `>` turn it
    #[arg(long, default_value = "4x")]
    pub pace: String,
    /// Write the screen as it looked to an SVG file instead of playing
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Columns and rows of the picture
    #[arg(long, default_value = "120x40", value_name = "WxH", requires = "picture", value_parser = size)]
    pub size: (u16, u16),
    /// Begin after this step: 1200, or 3e for epochs; with --picture the step to picture [default: the last]
    #[arg(long, value_name = "STEP")]
    pub at: Option<Target>,
    /// Which view to picture
    #[arg(long, value_enum, default_value_t = View::Dash, requires = "picture")]
    pub view: View,
    /// What to show [default: tui on a terminal, else plain]
    #[arg(long, value_enum)]
    pub ui: Option<Ui>,
    #[command(flatten)]
    pub look: Look,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// How training went
    Dash,
    /// Every curve
    Charts,
    /// What evaluations found
    Robust,
    /// Single images under attack
    Gallery,
    /// The runs of the folder
    Runs,
    /// The log
    Log,
    /// Machine and step times
    System,
}

#[derive(Args)]
pub struct Runs {
    /// Folder that holds the runs
    #[arg(default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Compare {
    /// Runs: their folders, or their ids within the runs folder
    #[arg(required = true, value_name = "RUN")]
    pub targets: Vec<PathBuf>,
    /// Folder that holds the runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Show every column; without it a table of text has those that tell the runs apart and fits 120 characters
    #[arg(long)]
    pub wide: bool,
    /// Show each run's teacher in a row below it
    #[arg(long)]
    pub teachers: bool,
    /// Where evaluations of teachers that come from no run are kept
    #[arg(long, default_value = "evaluations", value_name = "DIR")]
    pub evaluations: PathBuf,
}

#[derive(Args)]
pub struct Report {
    /// Runs (their folders, or their ids within the runs folder), or the folder of one sweep
    #[arg(required = true, value_name = "RUN|SWEEP")]
    pub targets: Vec<PathBuf>,
    /// Folder that holds the runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    /// Folder to write; a report that is there is replaced [default: report/ in the sweep's folder, reports/ID for runs]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where evaluations of teachers that come from no run are kept
    #[arg(long, default_value = "evaluations", value_name = "DIR")]
    pub evaluations: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned, as wide as the terminal
    Text,
    Markdown,
    /// One header and block of lines for each data and threat; fractions and seconds
    Csv,
    /// An array with one object a row, and everything that makes its numbers reproducible
    Json,
}

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line, each by its name")]
pub struct Eval {
    /// A run (its folder, or its id within the runs folder), a checkpoint's folder or a model file
    pub target: PathBuf,
    /// Folder that holds the runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    /// What to attack with; may be given more than once, and the worst case over all is reported as well
    #[arg(long = "attack", value_name = "NAME", default_value = "pgd", value_delimiter = ',', value_parser = attacks())]
    pub attacks: Vec<String>,
    /// Iterations, or queries of square [default: 20 for pgd, 100 for apgd and fab, 5000 for square, 50 for art-autopgd]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub steps: Option<u32>,
    /// Length of a step of pgd [default: 2.5 eps / steps]
    #[arg(long, value_name = "LENGTH", allow_hyphen_values = true)]
    pub step_size: Option<rematch::config::Eps>,
    /// Random starts; an image is robust when it stands all of them [default: 1; 10 for art-autopgd]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub restarts: Option<u32>,
    /// Wrong classes that apgd-t and fab-t aim at [default: 9, or all where there are fewer]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub targets: Option<u32>,
    /// linf or l2 [default: the run's]
    #[arg(long, value_parser = named(Norm::ALL, Norm::name))]
    pub norm: Option<String>,
    /// Radius, e.g. 8/255 [default: the run's]
    #[arg(long, allow_hyphen_values = true)]
    pub eps: Option<rematch::config::Eps>,
    #[arg(long, value_enum, default_value_t = Split::Test)]
    pub split: Split,
    /// Look at only this many images, always the same ones [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub images: Option<u64>,
    /// Images in a batch; changes memory and speed, not results [default: 250, fewer for large images]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub batch: Option<u32>,
    /// Seed of everything random in the attacks
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Measure accuracy against epsilon as well: PGD-20 at 9 radii from 0 to twice the radius
    #[arg(long)]
    pub curve: bool,
    /// Do not look for reasons to doubt the numbers
    #[arg(long)]
    pub no_doubts: bool,
    /// Evaluate the run's teacher on the same images too, and end with both in one table
    #[arg(long)]
    pub teacher_too: bool,
    /// Go on with an evaluation of these settings that was interrupted
    #[arg(long)]
    pub resume: bool,
    /// Keep the adversarial images, and check their norms on what was stored
    #[arg(long)]
    pub save: bool,
    /// Keep every image as it is and under attack, with label, logits and predictions, so that another program can check the numbers
    #[arg(long)]
    pub save_all: bool,
    /// Where evaluations of model files outside of runs are kept
    #[arg(long, default_value = "evaluations", value_name = "DIR")]
    pub evaluations: PathBuf,
    /// Data to evaluate on, as in this config [default: what the model was trained on]
    #[arg(long, value_name = "CONFIG")]
    pub data: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    /// CPU threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Import {
    /// A file of torch.save (.pt, .pth, .ckpt, .t7) or .safetensors
    pub file: PathBuf,
    /// The network it must be [default: the one whose names and shapes it has]
    #[arg(long, value_name = "NAME", value_parser = named(rematch::config::Network::ALL, rematch::config::Network::name))]
    pub arch: Option<String>,
    /// Key of the dict that holds the network, e.g. ema or checkpoints.best [default: the usual one, where it is the only one]
    #[arg(long, value_name = "NAME")]
    pub section: Option<String>,
    /// Take only keys that begin with this, e.g. student; may be given twice, for a body and its head; a dot: keys without a prefix
    #[arg(long, value_name = "NAME")]
    pub prefix: Vec<String>,
    /// Mean of each channel, in units of [0, 1], e.g. 0.49,0.48,0.45
    #[arg(
        long,
        value_name = "A,B,C",
        value_delimiter = ',',
        allow_hyphen_values = true,
        requires = "std",
        conflicts_with = "normalize"
    )]
    pub mean: Option<Vec<f64>>,
    /// Standard deviation of each channel
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', requires = "mean", conflicts_with = "normalize")]
    pub std: Option<Vec<f64>>,
    /// How images were normalised, where the file does not say
    #[arg(long, value_name = "NAME", value_parser = ["none", "cifar10", "cifar10-madry", "imagenet", "restricted-imagenet"])]
    pub normalize: Option<String>,
    /// Channels, height and width of its images [default: what the network is used for, e.g. 3x32x32]
    #[arg(long, value_name = "CxHxW", value_parser = image_shape)]
    pub shape: Option<[usize; 3]>,
    /// Names of the classes, one a line, in the order of the logits [default: 0, 1, ...]
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,
    /// Measure the model on validation images of the data in this config
    #[arg(long, value_name = "CONFIG", conflicts_with = "dry_run")]
    pub data: Option<PathBuf>,
    /// The model to write [default: the file's name with .safetensors]
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub out: Option<PathBuf>,
    /// Replace the file that is there
    #[arg(long)]
    pub force: bool,
    /// List everything in the file and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Export {
    /// A run (its folder, or its id within the runs folder), a checkpoint's folder or a model file
    pub target: PathBuf,
    /// Folder that holds the runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,
    /// The weights to write; a Python file that loads them goes beside them [default: the run's name with _pytorch.safetensors]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Split {
    Train,
    Validation,
    Test,
}

#[derive(Subcommand)]
pub enum Bench {
    /// Throughput of one training step, images a second: median (min..max) over repeats
    Step(BenchStep),
}

#[derive(Args)]
pub struct BenchStep {
    #[arg(long, num_args = 1.., default_value = "small", value_parser = named(rematch::config::Network::ALL, rematch::config::Network::name))]
    pub net: Vec<String>,
    #[arg(long, num_args = 1.., default_values = ["erm", "sat", "rrm"], value_parser = ["erm", "sat", "rrm"])]
    pub method: Vec<String>,
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub batch: u32,
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeats: u32,
    /// At least this long a repeat
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    #[arg(long, default_value_t = 3)]
    pub warmup: u32,
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

#[derive(Args)]
pub struct Doctor {
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = "\
bash: rematch completions bash > ~/.local/share/bash-completion/completions/rematch
zsh:  rematch completions zsh > DIR/_rematch, where DIR is in $fpath
fish: rematch completions fish > ~/.config/fish/completions/rematch.fish")]
pub struct Completions {
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Args)]
pub struct Man {
    /// Write one page for each command into this folder instead
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `120x40`.
fn size(text: &str) -> Result<(u16, u16), String> {
    let (width, height) = text.split_once('x').ok_or("write it as 120x40")?;
    let number = |text: &str| text.parse::<u16>().map_err(|_| format!("'{text}' is not a number of cells"));
    let (width, height) = (number(width)?, number(height)?);
    if (1..=1000).contains(&width) && (1..=500).contains(&height) {
        Ok((width, height))
    } else {
        Err("from 1x1 to 1000x500".into())
    }
}

/// `3x32x32`.
fn image_shape(text: &str) -> Result<[usize; 3], String> {
    let numbers: Option<Vec<usize>> = text.split('x').map(|n| n.parse().ok().filter(|n| (1..=4096).contains(n))).collect();
    numbers.and_then(|n| n.try_into().ok()).ok_or_else(|| "write channels, height and width as 3x32x32".into())
}

/// A parser that takes the names of a list of our own, so that help, completion and errors come from that one list.
/// Single attacks and suites.
fn attacks() -> clap::builder::PossibleValuesParser {
    let singles = AttackName::ALL.iter().map(|a| a.name());
    clap::builder::PossibleValuesParser::new(singles.chain(Suite::ALL.iter().map(|s| s.name())))
}

fn named<T: Copy>(all: &'static [T], name: fn(T) -> &'static str) -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(all.iter().map(|&x| name(x)))
}
