//! `rematch keys`: the keys in force as a file that can be changed, or whether such a file is right.

use super::settings;
use crate::cli::Keys;
use std::io::Write as _;

pub fn run(args: &Keys) -> anyhow::Result<u8> {
    if let Some(path) = &args.check {
        settings::keymap_of(path)?;
        let _ = writeln!(std::io::stdout(), "{}: right", path.display());
        return Ok(0);
    }
    let text = settings::keymap(args.keys.as_deref())?.to_toml();
    // A closed pipe is not an error of ours.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(0)
}
