//! The words of how training runs and how its screen looks, which several commands share.

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, ValueEnum};
use rematch::config::DeviceChoice;
use rematch::metrics::tensorboard::live::Place;
use rematch::ui::signals::{OnSignal, OnSignals};
use std::path::PathBuf;

/// How training runs and is shown.
#[derive(Args, Clone)]
pub struct How {
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    /// CPU threads for training [default: one a core; of a run that goes on, as many as before]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// What to show [default: tui on a terminal, else plain]
    #[arg(long, value_enum)]
    pub ui: Option<Ui>,
    /// Train in the background, without a terminal; rematch attach shows the run
    #[arg(long, conflicts_with = "ui")]
    pub detach: bool,
    /// What training does when its terminal is lost: continue, save or save-and-stop [default: the setting, else continue]
    #[arg(long, value_name = "WHAT", value_parser = action)]
    pub on_hangup: Option<OnSignal>,
    /// What training does at a signal: hangup, term, usr1, usr2 or xcpu, and continue, save or save-and-stop (may be given often)
    /// [default: the settings, else save at usr1 and save-and-stop at term, usr2 and xcpu]
    #[arg(long, value_name = "SIGNAL=WHAT", value_parser = on_signal)]
    pub on_signal: Vec<(String, OnSignal)>,
    /// Write event files for TensorBoard while it trains [default DIR: tensorboard in the run's folder]
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "", value_parser = OsStringValueParser::new().map(place))]
    pub tensorboard: Option<Place>,
    #[command(flatten)]
    pub look: Look,
}

/// Nothing is what clap puts there where no folder is named.
fn place(text: std::ffi::OsString) -> Place {
    if text.is_empty() { Place::WithTheRun } else { Place::At(text.into()) }
}

fn action(text: &str) -> Result<OnSignal, String> {
    let names: Vec<&str> = OnSignal::ALL.iter().map(|action| action.name()).collect();
    OnSignal::named(text).ok_or_else(|| format!("allowed: {}", names.join(", ")))
}

/// `usr2=save`; the signal's name may be written as the system does, `SIGUSR2`.
fn on_signal(text: &str) -> Result<(String, OnSignal), String> {
    let (name, what) = text.split_once('=').ok_or("expected SIGNAL=WHAT, such as usr2=save")?;
    let lower = name.to_ascii_lowercase();
    let plain = lower.strip_prefix("sig").unwrap_or(&lower);
    let plain = if plain == "hup" { "hangup" } else { plain };
    if OnSignals::default().at(plain).is_none() {
        return Err(format!("{name} is no signal that can be decided about; allowed: {}", OnSignals::NAMES.join(", ")));
    }
    Ok((plain.to_string(), action(what)?))
}

#[cfg(feature = "torch")]
impl How {
    /// What is done at each signal: `settings`, and over them what the command line says.
    pub fn on_signals(&self, mut settings: OnSignals) -> OnSignals {
        if let Some(action) = self.on_hangup {
            settings.hangup = action;
        }
        for (name, action) in &self.on_signal {
            if let Some(at) = settings.at(name) {
                *at = *action;
            }
        }
        settings
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ui {
    /// The screen
    Tui,
    /// A line an epoch and a final table
    Plain,
    /// Every record of events.jsonl as it is written
    Json,
    /// Nothing
    None,
}

/// How the screen looks.
#[derive(Args, Clone)]
pub struct Look {
    /// Colours by meaning: default, light, ansi16, mono, high-contrast, or a file in TOML; T turns it on the screen
    #[arg(long, value_name = "NAME|FILE")]
    pub theme: Option<String>,
    /// Own keys, a file in TOML [default: keys.toml in the folder of the settings; `rematch keys` prints one]
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Colours [default: what the terminal says it can do]
    #[arg(long, value_enum)]
    pub color: Option<Colour>,
    /// What charts are drawn with [default: braille, ascii where the locale is not UTF-8]
    #[arg(long, value_enum)]
    pub glyphs: Option<Glyphs>,
    /// What pictures are drawn with: pixels in the way of kitty where the terminal says that it takes them, or cells
    #[arg(long, value_enum)]
    pub graphics: Option<Graphics>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Graphics {
    Auto,
    Kitty,
    Cells,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Truecolor,
    #[value(name = "256")]
    Ansi256,
    #[value(name = "16")]
    Ansi16,
    Light,
    Mono,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Glyphs {
    Braille,
    Half,
    Ascii,
}
