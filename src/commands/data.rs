//! `rematch data`

use anyhow::Context;
use std::io::Write;
use std::path::Path;

pub fn rebuild(from: &Path, to: &Path) -> anyhow::Result<u8> {
    let bytes = rematch::data::builder::rebuild(from)?;
    rematch::run::store::write_atomically(to, &bytes).with_context(|| format!("{} could not be written", to.display()))?;
    let _ = writeln!(std::io::stdout(), "{}: {} bytes", to.display(), bytes.len());
    Ok(0)
}
