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

#[cfg(not(feature = "torch"))]
pub fn export(_: &crate::cli::DataExport) -> anyhow::Result<u8> {
    Err(super::no_torch("export images"))
}

/// `rematch data export`
#[cfg(feature = "torch")]
pub fn export(args: &crate::cli::DataExport) -> anyhow::Result<u8> {
    use crate::cli::Split;

    let config = config_of(args)?;
    let npz = args.out.extension().is_some_and(|end| end.eq_ignore_ascii_case("npz"));
    if npz {
        super::free(&args.out, args.force)?;
    } else if std::fs::read_dir(&args.out).map_or_else(|_| args.out.exists(), |mut entries| entries.next().is_some()) {
        anyhow::bail!("{}: is there already; name another folder with --out, or FILE.npz", args.out.display());
    }
    let data = load(&config.data)?;
    let mut err = std::io::stderr();
    for remark in &data.remarks {
        let _ = writeln!(err, "rematch: {remark}");
    }
    let (portion, name) = match args.split {
        Split::Train => (&data.train, "training"),
        Split::Validation => (&data.validation, "validation"),
        Split::Test => (&data.test, "test"),
    };
    let written = if npz { write_npz(portion, &args.out)? } else { write_folder(portion, &data.classes, &args.out)? };
    let [c, h, w] = portion.shape();
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{}: {written} {name} images of {} ({h}x{w}x{c})", args.out.display(), data.name);
    if npz {
        let _ = writeln!(
            out,
            "images [N, C, H, W] uint8, labels [N] int64, places [N] int64; classes by label: {}",
            data.classes.join(", ")
        );
    }
    Ok(0)
}

/// A config as for `train`; of a run the one that it was begun with, whose split it has.
#[cfg(feature = "torch")]
fn config_of(args: &crate::cli::DataExport) -> anyhow::Result<rematch::config::Config> {
    use rematch::config::check;
    use rematch::run::store::RunFolder;

    if args.target.is_file() {
        return Ok(check::load(&args.target, &args.set)?);
    }
    Ok(check::load_written(&RunFolder::open(&args.runs, &args.target)?.config(), &args.set)?)
}

/// Writes beside the place and moves there when all is written.
#[cfg(feature = "torch")]
fn beside<T>(out: &Path, write: impl FnOnce(&Path) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let cannot = |error: std::io::Error| anyhow::anyhow!("{}: cannot be written: {error}", out.display());
    let name = out.file_name().with_context(|| format!("{}: names no file", out.display()))?;
    let partial = out.with_file_name(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id()));
    if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    let written = write(&partial).and_then(|written| {
        std::fs::rename(&partial, out).map_err(cannot)?;
        Ok(written)
    });
    if written.is_err() {
        let _ = if partial.is_dir() { std::fs::remove_dir_all(&partial) } else { std::fs::remove_file(&partial) };
    }
    written
}

#[cfg(feature = "torch")]
fn write_folder(portion: &rematch::data::Portion, classes: &[String], out: &Path) -> anyhow::Result<usize> {
    beside(out, |partial| {
        std::fs::create_dir(partial).map_err(|error| anyhow::anyhow!("{}: cannot be made: {error}", partial.display()))?;
        Ok(rematch::data::export::write_folder(portion, classes, partial, &mut |_, _| {})?)
    })
}

/// Three arrays: images, labels, places in the split.
#[cfg(feature = "torch")]
fn write_npz(portion: &rematch::data::Portion, out: &Path) -> anyhow::Result<usize> {
    use tch::Tensor;

    let (mut pixels, mut labels, mut places) = (Vec::new(), Vec::new(), Vec::new());
    rematch::data::export::each(portion, |at, images| {
        pixels.extend_from_slice(&images.pixels);
        labels.extend(images.labels.iter().map(|&label| i64::from(label)));
        places.extend(at.iter().map(|&place| place as i64));
        Ok::<_, rematch::data::DataError>(())
    })?;
    // The archive's directory has 32 bits for a size.
    if pixels.len() as u64 >= u64::from(u32::MAX) {
        anyhow::bail!(
            "{}: a .npz holds less than 4 GiB, and these are {}; name a folder",
            out.display(),
            mib(pixels.len() as u64)
        );
    }
    let [c, h, w] = portion.shape().map(|d| d as i64);
    let arrays = [
        ("images", Tensor::from_slice(&pixels).view([-1, c, h, w])),
        ("labels", Tensor::from_slice(&labels)),
        ("places", Tensor::from_slice(&places)),
    ];
    beside(out, |partial| {
        Tensor::write_npz(&arrays, partial)?;
        Ok(labels.len())
    })
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
