//! Goes on as `rematch fork`: from the screen of a run to a new one from a checkpoint of it, in the same process and terminal.

use crate::cli::Look;
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
    let flags = [
        ("--color", look.color.as_ref().and_then(named)),
        ("--glyphs", look.glyphs.as_ref().and_then(named)),
        ("--graphics", look.graphics.as_ref().and_then(named)),
        ("--theme", look.theme.as_ref().map(OsString::from)),
        ("--keys", look.keys.as_ref().map(OsString::from)),
    ];
    flags.into_iter().filter_map(|(flag, value)| Some([flag.into(), value?])).flatten().collect()
}

fn named<T: ValueEnum>(value: &T) -> Option<OsString> {
    Some(value.to_possible_value()?.get_name().into())
}
