//! A `.tar.gz` of plain files in one folder, unpacked to that folder and nowhere else.
//!
//! Anything else in it (links, devices, paths that lead away, more bytes than such a data set has) is refused. The folder has its
//! name only when all of it is there.

use super::FetchError;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Component, Path};

/// Ten times CIFAR.
const LARGEST: u64 = 2 << 30;

/// Unpacks `archive`, whose entries lie in a folder of the name of `folder`, to `folder`. A wrong archive is removed.
pub(super) fn unpack(archive: &Path, folder: &Path) -> Result<(), FetchError> {
    let name = folder.file_name().unwrap_or_default();
    let half = folder.with_file_name(format!(".{}.partial", name.to_string_lossy()));
    let _ = std::fs::remove_dir_all(&half);
    let done = fill(archive, name, &half).and_then(|()| {
        // An older folder is not whole, or nothing would have been fetched.
        let _ = std::fs::remove_dir_all(folder);
        std::fs::rename(&half, folder).map_err(|error| Fault::Disk(error.to_string()))
    });
    if done.is_err() {
        let _ = std::fs::remove_dir_all(&half);
    }
    done.map_err(|fault| match fault {
        Fault::Archive(why) => {
            let _ = std::fs::remove_file(archive);
            FetchError::Archive { file: archive.to_owned(), why }
        }
        Fault::Disk(why) => FetchError::Write { file: folder.to_owned(), why },
        Fault::Full(bytes) => FetchError::DiskFull { file: folder.to_owned(), bytes },
    })
}

enum Fault {
    Archive(String),
    Disk(String),
    Full(u64),
}

fn fill(archive: &Path, name: &std::ffi::OsStr, half: &Path) -> Result<(), Fault> {
    let broken = |error: std::io::Error| Fault::Archive(format!("it is damaged: {error}"));
    let disk = |error: std::io::Error| Fault::Disk(error.to_string());
    std::fs::create_dir_all(half).map_err(disk)?;
    let mut tar = tar::Archive::new(MultiGzDecoder::new(File::open(archive).map_err(disk)?));
    let mut bytes = 0;
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let kind = entry.header().entry_type();
        let parts: Vec<_> = path.components().filter(|part| *part != Component::CurDir).collect();
        match parts[..] {
            [Component::Normal(top)] if kind.is_dir() && top == name => {}
            [Component::Normal(top), Component::Normal(own)] if kind.is_file() && top == name => {
                bytes += entry.size();
                if bytes > LARGEST {
                    return Err(Fault::Archive(format!("it holds more than {} GiB", LARGEST >> 30)));
                }
                let size = entry.size();
                let mut content = Vec::new();
                entry.by_ref().take(size).read_to_end(&mut content).map_err(broken)?;
                std::fs::write(half.join(own), content).map_err(|error| match error.kind() {
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fault::Full(bytes),
                    _ => Fault::Disk(error.to_string()),
                })?;
            }
            _ => {
                let what = if kind.is_file() || kind.is_dir() { "" } else { ", which is neither a file nor a folder" };
                return Err(Fault::Archive(format!(
                    "it holds {}{what}; only files in {} belong there",
                    path.display(),
                    name.display()
                )));
            }
        }
    }
    if bytes == 0 {
        return Err(Fault::Archive("it holds no files".into()));
    }
    Ok(())
}
