//! `rematch config`: what a config says once it is whole, what it may say, and with `--check` whether what it names fits.

use super::settings;
use crate::cli::{Config, Look};
use rematch::config::check::{self, KEYS, keys::Fallback};
use std::fmt::Write as _;
use std::io::Write as _;

pub fn run(args: &Config) -> anyhow::Result<u8> {
    if let (true, Some(path)) = (args.check, &args.config) {
        return fits(check::load(path, &args.set)?);
    }
    let text = match &args.config {
        _ if args.ui => {
            let found = settings::settings(&Look { theme: None, keys: None, color: None, glyphs: None, graphics: None })?;
            // What is shown here must work.
            settings::themes(&found)?;
            found.to_toml()
        }
        Some(path) => check::to_toml(&check::load(path, &args.set)?),
        None => keys(),
    };
    // A closed pipe is not an error of ours.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(0)
}

#[cfg(feature = "torch")]
fn fits(config: rematch::config::Config) -> anyhow::Result<u8> {
    use rematch::config::DeviceChoice;
    use rematch::train::Options;

    // What fits fits everywhere, and another run may train on the GPU.
    super::check::run(config, Options { device: DeviceChoice::Cpu, ..Options::default() })
}

#[cfg(not(feature = "torch"))]
fn fits(_: rematch::config::Config) -> anyhow::Result<u8> {
    Err(super::no_torch("check data and teacher"))
}

/// One key a line, in the order a config is written in.
fn keys() -> String {
    let mut text = String::new();
    for key in KEYS {
        let default = match key.default {
            Fallback::Required => "required".into(),
            Fallback::Is(value) | Fallback::From(value) => format!("default {value}"),
        };
        let only = key.only.map_or_else(String::new, |only| format!(" (with {} = \"{}\")", only.key, only.is.join("\" or \"")));
        let _ = writeln!(text, "{:<24} {}{only}", key.path, key.meaning);
        let _ = writeln!(text, "{:<24}   {}; {default}", "", key.kind.allowed());
    }
    text
}
