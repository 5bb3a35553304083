//! `rematch export-metrics`: the numbers of a run's log for other programs. What a number is called and means is the library's.
//!
//! A log that is damaged is written as far as it can be read, and then the damage is the error: exit code 1, with file and line.

use super::{Failed, free};
use crate::cli::{ExportMetrics, MetricsFormat};
use anyhow::{anyhow, bail};
use rematch::metrics::tensorboard::{self, There};
use rematch::metrics::{Course, Format, Rows};
use rematch::run::replay::{LogError, Tail};
use rematch::run::store::{Owner, RunFolder};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

pub fn run(args: &ExportMetrics) -> anyhow::Result<u8> {
    let (format, name) = match args.format {
        MetricsFormat::Csv => (Format::Csv, "csv"),
        MetricsFormat::Jsonl => (Format::Jsonl, "jsonl"),
        MetricsFormat::Parquet => (Format::Parquet, "parquet"),
        MetricsFormat::Tensorboard => {
            let Some(out) = &args.out else {
                bail!("--format tensorboard writes files into a folder; name it with --out DIR");
            };
            return events(args, out);
        }
    };
    if args.out.is_none() && format == Format::Parquet {
        bail!("--format {name} is not text and is not written to standard output; name a file with --out FILE");
    }
    let (folder, mut course) = open(args)?;
    let Some(out) = &args.out else {
        let damage = match table(format, folder.id(), &mut course, io::stdout()) {
            Ok((_, damage)) => damage,
            // Whoever reads may have enough (`| head`).
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(0),
            Err(error) => return Err(Failed(format!("standard output: {error}")).into()),
        };
        return finished(&folder, &course, damage);
    };
    free(out, args.force)?;
    if out.canonicalize().is_ok_and(|out| folder.events().canonicalize().is_ok_and(|log| out == log)) {
        bail!("--out {}: that is the run's own log; name another file", out.display());
    }
    let cannot = |error: io::Error| anyhow!("{}: cannot be written: {error}", out.display());
    let mut whole = Whole::begin(out).map_err(cannot)?;
    let (rows, damage) = table(format, folder.id(), &mut course, &mut whole.file).map_err(cannot)?;
    whole.finish().map_err(cannot)?;
    // Where nobody reads this the file is there all the same.
    let _ = writeln!(io::stdout(), "wrote        {} ({rows} values)", out.display());
    finished(&folder, &course, damage)
}

fn open(args: &ExportMetrics) -> anyhow::Result<(RunFolder, Course)> {
    let folder = RunFolder::open(&args.runs, &args.run)?;
    let course = Course::open(&folder.events())?;
    Ok((folder, course))
}

/// Values written, and what ended the records before the log did.
fn table(format: Format, run: &str, course: &mut Course, out: impl Write + Send) -> io::Result<(u64, Option<LogError>)> {
    let (mut rows, mut table) = (Rows::default(), format.table(run, out)?);
    let (mut count, mut damage) = (0, None);
    for record in course {
        match record {
            Ok(record) => {
                for row in rows.of(&record) {
                    table.add(&row)?;
                    count += 1;
                }
            }
            Err(error) => damage = Some(error),
        }
    }
    table.finish()?;
    Ok((count, damage))
}

fn events(args: &ExportMetrics, out: &Path) -> anyhow::Result<u8> {
    if out.is_file() {
        bail!("--out {}: is a file; TensorBoard reads a folder: name one", out.display());
    }
    let (folder, mut course) = open(args)?;
    let there = if args.force { There::Replace } else { There::Keep };
    let done = tensorboard::export(&mut course, out, there)?;
    let shown = out.display();
    let _ = writeln!(io::stdout(), "wrote        {} (show it: tensorboard --logdir {shown})", done.file.display());
    finished(&folder, &course, done.damage)
}

fn finished(folder: &RunFolder, course: &Course, damage: Option<LogError>) -> anyhow::Result<u8> {
    if let Some(damage) = damage {
        return Err(Failed(format!("{damage}; what stands before it was written")).into());
    }
    if course.tail() == Tail::Torn && folder.owner() == Owner::Nobody {
        let why = "the last line of its log is torn and was left out: the run was killed while it wrote";
        let _ = writeln!(io::stderr(), "rematch: {}: {why}", folder.id());
    }
    Ok(0)
}

/// A file that has its name once it is whole.
struct Whole {
    path: PathBuf,
    beside: PathBuf,
    file: File,
    done: bool,
}

impl Whole {
    fn begin(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "it has no name"))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let beside = folder.join(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id()));
        let file = File::create(&beside)?;
        Ok(Self { path: path.to_path_buf(), beside, file, done: false })
    }

    fn finish(mut self) -> io::Result<()> {
        rematch::disk::sync_file(&self.file, &self.path)?;
        std::fs::rename(&self.beside, &self.path)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}
