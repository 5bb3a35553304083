//! `rematch data`

use anyhow::Context;
use rematch::config;
use rematch::data::{DataError, DataSet};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

#[cfg(feature = "torch")]
/// Reads a config's data. Where that takes long and a person watches, a line says how far it is.
pub fn load(data: &config::Data) -> Result<DataSet, DataError> {
    let mut err = std::io::stderr();
    let watched = err.is_terminal();
    let (begin, mut said) = (Instant::now(), None::<Instant>);
    let set = rematch::data::load_telling(data, &mut |done, all| {
        let due = said.map_or(begin.elapsed() > Duration::from_secs(1), |at| at.elapsed() > Duration::from_millis(250));
        if watched && due {
            said = Some(Instant::now());
            let _ = write!(err, "\rreading images: {done} of {all}  ");
        }
    });
    if said.is_some() {
        // The line is written over by what comes next.
        let _ = write!(err, "\r{:50}\r", "");
    }
    set
}

pub fn rebuild(from: &Path, to: &Path) -> anyhow::Result<u8> {
    let bytes = rematch::data::builder::rebuild(from)?;
    rematch::run::store::write_atomically(to, &bytes).with_context(|| format!("{} could not be written", to.display()))?;
    let _ = writeln!(std::io::stdout(), "{}: {} bytes", to.display(), bytes.len());
    Ok(0)
}
