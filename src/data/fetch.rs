//! Gets the well-known data sets from their authors' addresses: downloads, checks, unpacks.
//!
//! A file has its final name only when it is whole and its checksum right. What a cut connection leaves is taken up again by the
//! next try.

mod download;
mod unpack;

use crate::data::cifar;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use download::md5_of;

/// What can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    FashionMnist,
    Mnist,
    Cifar10,
    Cifar100,
}

/// One file at its authors' address.
#[derive(Clone, Copy, Debug)]
struct Item {
    name: &'static str,
    /// As its authors or torchvision give it. It guards against damage, not against a forger.
    md5: &'static str,
}

const fn item(name: &'static str, md5: &'static str) -> Item {
    Item { name, md5 }
}

const MNIST: &[Item] = &[
    item("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    item("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
    item("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
    item("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
];
const FASHION: &[Item] = &[
    item("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    item("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
    item("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
    item("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
];
const CIFAR10: &[Item] = &[item("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")];
const CIFAR100: &[Item] = &[item("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8")];

/// What a person is told on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// The file was there already, whole.
    There {
        file: &'a str,
    },
    Begins {
        file: &'a str,
        url: &'a str,
    },
    /// Bytes so far and in all, where the server says.
    Goes {
        file: &'a str,
        bytes: u64,
        of: Option<u64>,
    },
    Done {
        file: &'a str,
        bytes: u64,
    },
    /// An archive is unpacked to this folder.
    Unpacked {
        folder: &'a Path,
    },
}

/// Why something could not be fetched, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(
        "{url}: cannot be reached: {why}; check the connection (HTTPS_PROXY and HTTP_PROXY are obeyed), or name a mirror with --from"
    )]
    Unreachable { url: String, why: String },
    #[error("{url}: the server answers {status}; name another address with --from")]
    Status { url: String, status: u16 },
    #[error("{url}: the connection broke after {bytes} bytes: {why}; the same command again goes on from there")]
    Cut { url: String, bytes: u64, why: String },
    #[error(
        "{url}: the file has the checksum {found}, expected {expected}; it was thrown away: try again, or another address with --from"
    )]
    Checksum { url: String, found: String, expected: String },
    #[error("{}: the disk is full after {bytes} bytes; make room, the same command again goes on from there", file.display())]
    DiskFull { file: PathBuf, bytes: u64 },
    #[error("{}: cannot be written: {why}; choose another folder with --to", file.display())]
    Write { file: PathBuf, why: String },
    #[error("{}: cannot be unpacked: {why}; it was thrown away: fetch it again", file.display())]
    Archive { file: PathBuf, why: String },
}

/// How long to wait for a server.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection, and then for the first answer.
    pub answer: Duration,
    /// For more bytes.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(30), stall: Duration::from_mins(1) }
    }
}

impl Set {
    pub const ALL: &[Self] = &[Self::FashionMnist, Self::Mnist, Self::Cifar10, Self::Cifar100];

    pub fn name(self) -> &'static str {
        match self {
            Self::FashionMnist => "fashion-mnist",
            Self::Mnist => "mnist",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
        }
    }

    /// What `data.source` calls it.
    pub fn source(self) -> &'static str {
        match self {
            Self::FashionMnist | Self::Mnist => "idx",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
        }
    }

    /// The folder of its files: the authors' own, or for MNIST, whose authors' server refuses, the copy that torchvision uses.
    pub fn address(self) -> &'static str {
        match self {
            Self::FashionMnist => "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            Self::Mnist => "https://ossci-datasets.s3.amazonaws.com/mnist",
            Self::Cifar10 | Self::Cifar100 => "https://www.cs.toronto.edu/~kriz",
        }
    }

    fn items(self) -> &'static [Item] {
        match self {
            Self::FashionMnist => FASHION,
            Self::Mnist => MNIST,
            Self::Cifar10 => CIFAR10,
            Self::Cifar100 => CIFAR100,
        }
    }

    /// What an archive holds.
    fn archived(self) -> Option<cifar::Kind> {
        match self {
            Self::FashionMnist | Self::Mnist => None,
            Self::Cifar10 => Some(cifar::Kind::Ten),
            Self::Cifar100 => Some(cifar::Kind::Hundred),
        }
    }
}

/// Gets the files of `set` into the folder `to`, which is made. `from`: another folder of the same files on the net.
///
/// # Errors
/// What went wrong; what was already got stays for the next try, except where it was wrong.
pub fn fetch(set: Set, to: &Path, from: Option<&str>, patience: Patience, tell: &mut dyn FnMut(Told)) -> Result<(), FetchError> {
    fetch_items(set.items(), set.archived(), to, from.unwrap_or(set.address()), patience, tell)
}

fn fetch_items(
    items: &[Item],
    archived: Option<cifar::Kind>,
    to: &Path,
    from: &str,
    patience: Patience,
    tell: &mut dyn FnMut(Told),
) -> Result<(), FetchError> {
    std::fs::create_dir_all(to).map_err(|error| FetchError::Write { file: to.to_owned(), why: error.to_string() })?;
    for item in items {
        let unpacked = archived.map(|kind| to.join(kind.binary_folder()));
        if let (Some(folder), Some(kind)) = (&unpacked, archived)
            && kind.is_whole(folder)
        {
            tell(Told::There { file: kind.binary_folder() });
            continue;
        }
        let file = to.join(item.name);
        if md5_of(&file).is_ok_and(|found| found == item.md5) {
            tell(Told::There { file: item.name });
        } else {
            let url = format!("{}/{}", from.trim_end_matches('/'), item.name);
            download::download(&url, &file, item.md5, patience, tell)?;
        }
        if let Some(folder) = unpacked {
            unpack::unpack(&file, &folder)?;
            // All of it is in the folder now; a second copy of it helps nobody.
            let _ = std::fs::remove_file(&file);
            tell(Told::Unpacked { folder: &folder });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
