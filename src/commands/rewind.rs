//! Goes on as `rematch fork`: from the screen of a run to a new one from a checkpoint of it, in the same process and terminal.

use crate::cli::{Colour, Glyphs, Graphics, Look};
use clap::ValueEnum;
use rematch::ui::screen::BranchWish;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// The words of a fork of the run in this folder.
pub fn words(folder: &Path, runs: &Path, wish: &BranchWish) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["fork".into(), folder.into(), "--runs".into(), runs.into()];
    words.extend(["--at".into(), wish.step.to_string().into()]);
    for set in &wish.sets {
        words.extend(["-s".into(), set.into()]);
    }
    words
}

/// Returns only when it could not be started.
pub fn begin(folder: &Path, runs: &Path, wish: &BranchWish, look: &Look) -> anyhow::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return anyhow::anyhow!("where this program lies is not known: {error}"),
    };
    let error = Command::new(&program).arg0("rematch").args(words(folder, runs, wish)).args(looks(look)).exec();
    anyhow::anyhow!("{} cannot be started: {error}", program.display())
}

/// How the screen was asked to look.
fn looks(look: &Look) -> Vec<OsString> {
    let named = |value: Option<&dyn Fn() -> Option<String>>| value.and_then(|value| value());
    let colour = || look.color.and_then(|c: Colour| c.to_possible_value()).map(|v| v.get_name().to_string());
    let glyphs = || look.glyphs.and_then(|g: Glyphs| g.to_possible_value()).map(|v| v.get_name().to_string());
    let graphics = || look.graphics.and_then(|g: Graphics| g.to_possible_value()).map(|v| v.get_name().to_string());
    let mut words = Vec::new();
    for (flag, value) in
        [("--color", named(Some(&colour))), ("--glyphs", named(Some(&glyphs))), ("--graphics", named(Some(&graphics)))]
    {
        if let Some(value) = value {
            words.extend([flag.into(), value.into()]);
        }
    }
    if let Some(theme) = &look.theme {
        words.extend(["--theme".into(), theme.into()]);
    }
    if let Some(keys) = &look.keys {
        words.extend(["--keys".into(), keys.into()]);
    }
    words
}
