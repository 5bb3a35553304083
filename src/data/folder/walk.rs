//! Lists folders of images: in the order of the names' bytes, at any depth, never in circles.

use super::super::DataError;
use super::super::formats;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// How deep below a class's folder images are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) enum Depth {
    /// In the folder itself alone, as earlier versions did.
    Flat,
    /// At any depth, as torchvision's `ImageFolder` does.
    Nested,
}

/// What lies in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// A link to a folder.
    LinkedFolder,
}

/// What was passed over.
#[derive(Default)]
pub(in crate::data) struct Ignored {
    count: usize,
    first: Option<PathBuf>,
}

impl Ignored {
    pub(super) fn note(&mut self, path: PathBuf) {
        self.count += 1;
        self.first.get_or_insert(path);
    }

    pub(in crate::data) fn remark(&self) -> Option<String> {
        let first = self.first.as_ref()?.display();
        Some(match self.count {
            1 => format!("{first} is no image in a class's folder and was passed over"),
            n => format!("{n} files or folders that are no images in a class's folder were passed over, the first {first}"),
        })
    }
}

/// The images below a folder.
#[derive(Default)]
pub(super) struct Found {
    /// Relative to the folder. Files and folders of one folder come in the order of their names' bytes.
    pub images: Vec<PathBuf>,
    /// Files that are no images, by their ends.
    pub others: Vec<PathBuf>,
}

/// Names that systems give to folders of their own, beside hidden ones: thumbnails, waste bins, archives' leftovers.
fn is_of_a_system(name: &OsStr) -> bool {
    const NAMES: [&str; 5] = ["__MACOSX", "#recycle", "$RECYCLE.BIN", "lost+found", "System Volume Information"];
    name.as_encoded_bytes().starts_with(b"@") || NAMES.iter().any(|own| name == OsStr::new(own))
}

/// The images below `folder`; what is passed over is counted.
///
/// # Errors
/// A folder that cannot be listed.
pub(super) fn images(folder: &Path, depth: Depth, ignored: &mut Ignored) -> Result<Found, DataError> {
    let mut found = Found::default();
    descend(folder, Path::new(""), depth, &mut Vec::new(), &mut found, ignored)?;
    Ok(found)
}

/// `open`: real paths of the folders that links were followed from and to.
fn descend(
    home: &Path,
    below: &Path,
    depth: Depth,
    open: &mut Vec<PathBuf>,
    found: &mut Found,
    ignored: &mut Ignored,
) -> Result<(), DataError> {
    let here = home.join(below);
    for (name, kind) in entries(&here)? {
        let path = below.join(&name);
        let enters = depth == Depth::Nested && !is_of_a_system(&name);
        match kind {
            Kind::File if formats::is_read(Path::new(&name)) => found.images.push(path),
            Kind::File => {
                ignored.note(home.join(&path));
                found.others.push(path);
            }
            Kind::Folder if enters => descend(home, &path, depth, open, found, ignored)?,
            Kind::LinkedFolder if enters => {
                let (from, to) = (real(&here)?, real(&home.join(&path))?);
                // A link to a folder that holds this one leads in a circle, or into other classes.
                if open.iter().chain([&from]).any(|open| open.starts_with(&to)) {
                    ignored.note(home.join(&path));
                    continue;
                }
                open.extend([from, to]);
                descend(home, &path, depth, open, found, ignored)?;
                open.truncate(open.len() - 2);
            }
            Kind::Folder | Kind::LinkedFolder => ignored.note(home.join(&path)),
        }
    }
    Ok(())
}

fn real(folder: &Path) -> Result<PathBuf, DataError> {
    std::fs::canonicalize(folder).map_err(|error| cannot_list(folder, &error))
}

fn cannot_list(folder: &Path, error: &std::io::Error) -> DataError {
    DataError::File { file: folder.to_owned(), why: format!("cannot be listed: {error}"), advice: "check its permissions" }
}

/// What lies in a folder, without hidden names, in the order of the names' bytes.
pub(super) fn entries(folder: &Path) -> Result<Vec<(OsString, Kind)>, DataError> {
    let read = || -> std::io::Result<Vec<(OsString, Kind)>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let kind = entry.file_type()?;
            // Only a link has to be looked behind: asking for each of a million files would take minutes.
            let kind = if kind.is_symlink() {
                if entry.path().is_dir() { Kind::LinkedFolder } else { Kind::File }
            } else if kind.is_dir() {
                Kind::Folder
            } else {
                Kind::File
            };
            all.push((name, kind));
        }
        all.sort_by(|a, b| a.0.as_encoded_bytes().cmp(b.0.as_encoded_bytes()));
        Ok(all)
    };
    read().map_err(|error| cannot_list(folder, &error))
}
