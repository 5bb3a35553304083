//! `rematch data`

use anyhow::Context;
use rematch::data::fetch::{self, Patience, Set, Told};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Reads a config's data. Where that takes long and a person watches, a line says how far it is.
#[cfg(feature = "torch")]
pub fn load(data: &rematch::config::Data) -> Result<rematch::data::DataSet, rematch::data::DataError> {
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

/// `rematch data fetch`: a line a file; on a terminal how far each is.
pub fn fetch(name: &str, to: Option<PathBuf>, from: Option<&str>) -> anyhow::Result<u8> {
    let set = Set::ALL.iter().copied().find(|set| set.name() == name).context("no such data set")?;
    let to = to.unwrap_or_else(|| Path::new("data").join(name));
    let mut err = std::io::stderr();
    let watched = err.is_terminal();
    let mut said = Instant::now();
    let wiped = if watched { format!("\r{:70}\r", "") } else { String::new() };
    let fetched = fetch::fetch(set, &to, from, Patience::default(), &mut |told| {
        let _ = match told {
            Told::There { file } => writeln!(err, "{file}: there already"),
            Told::Begins { file, url } => writeln!(err, "{file}: from {url}"),
            Told::Goes { file, bytes, of } if watched && said.elapsed() > Duration::from_millis(250) => {
                said = Instant::now();
                let share = of.map_or(String::new(), |of| format!(" of {}", mib(of)));
                write!(err, "\r{file}: {}{share}   ", mib(bytes))
            }
            Told::Goes { .. } => Ok(()),
            Told::Done { file, bytes } => writeln!(err, "{wiped}{file}: {}, checksum right", mib(bytes)),
            Told::Unpacked { folder } => writeln!(err, "unpacked to {}", folder.display()),
        };
    });
    if fetched.is_err() {
        let _ = write!(err, "{wiped}");
    }
    fetched.map_err(|error| super::Failed(error.to_string()))?;
    let path = std::fs::canonicalize(&to).unwrap_or(to);
    let path = toml_edit::Value::from(path.display().to_string());
    let _ = writeln!(std::io::stdout(), "In a config:\n\n[data]\nsource = \"{}\"\npath = {path}", set.source());
    Ok(0)
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

pub fn rebuild(from: &Path, to: &Path) -> anyhow::Result<u8> {
    let bytes = rematch::data::builder::rebuild(from)?;
    super::write_file(to, &bytes)?;
    let _ = writeln!(std::io::stdout(), "{}: {} bytes", to.display(), bytes.len());
    Ok(0)
}
