//! A report's folder: put together beside its place and given its name when it is whole. One that is there is replaced only if it is a
//! report.

use super::ReportError;
use super::document::Document;
use super::{html, markdown, png};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const PAGE: &str = "report.html";
const TEXT: &str = "report.md";
const PLOTS: &str = "plots";
const PICTURES: &str = "pictures";

/// # Errors
/// What the file system says, or that something else has the name. Nothing is left behind then, and an older report stays.
pub fn write(document: &Document, place: &Path) -> Result<(), ReportError> {
    if place.exists() && !is_ours(place) {
        return Err(ReportError::Taken { folder: place.to_path_buf() });
    }
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(io_error(parent))?;
    let name = place.file_name().map_or_else(|| "report".into(), |name| name.to_string_lossy().into_owned());
    let beside = |what: &str| parent.join(format!(".{name}.{}.{what}", std::process::id()));
    let (partial, old) = (Removed(beside("partial")), Removed(beside("old")));
    // Only a dead process that had our number can have left these.
    for left in [&partial.0, &old.0] {
        if left.exists() {
            fs::remove_dir_all(left).map_err(io_error(left))?;
        }
    }
    fill(document, &partial.0)?;
    if place.exists() {
        fs::rename(place, &old.0).map_err(io_error(place))?;
    }
    if let Err(error) = fs::rename(&partial.0, place) {
        if old.0.exists() {
            fs::rename(&old.0, place).map_err(io_error(place))?;
        }
        return Err(io_error(place)(error));
    }
    Ok(())
}

/// A folder that does not outlive this.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // It is not there in the usual case.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A folder with nothing in it but what a report has, or nothing at all.
fn is_ours(place: &Path) -> bool {
    let Ok(entries) = fs::read_dir(place) else { return false };
    let names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.iter().all(|name| [PAGE, TEXT, PLOTS, PICTURES].contains(&name.as_str()))
}

fn fill(document: &Document, folder: &Path) -> Result<(), ReportError> {
    let write = |file: PathBuf, bytes: &[u8]| fs::write(&file, bytes).map_err(io_error(&file));
    let plots = folder.join(PLOTS);
    fs::create_dir_all(&plots).map_err(io_error(&plots))?;
    for figure in document.figures() {
        write(plots.join(format!("{}.svg", figure.name)), figure.drawing.standalone().as_bytes())?;
        let drawn = png::of_drawing(&figure.drawing).map_err(|why| ReportError::Picture { name: figure.name.clone(), why })?;
        write(plots.join(format!("{}.png", figure.name)), &drawn)?;
    }
    let pictures = document.pictures();
    if !pictures.is_empty() {
        let place = folder.join(PICTURES);
        fs::create_dir_all(&place).map_err(io_error(&place))?;
        for picture in pictures {
            write(place.join(format!("{}.png", picture.name)), &picture.png)?;
        }
    }
    write(folder.join(TEXT), markdown::of(document).as_bytes())?;
    write(folder.join(PAGE), html::of(document).as_bytes())
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> ReportError + use<> {
    let path = path.to_path_buf();
    move |source| ReportError::Write { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(title: &str) -> Document {
        Document { title: title.into(), ..Document::default() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_report_is_replaced_and_nothing_else_is() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("deep/report");
        write(&document("first"), &place).unwrap();
        write(&document("second"), &place).unwrap();
        assert!(fs::read_to_string(place.join(TEXT)).unwrap().starts_with("# second"));
        assert_eq!(
            (names(place.parent().unwrap()), names(&place)),
            (vec!["report".into()], ["plots", PAGE, TEXT].map(String::from).into())
        );
        fs::write(place.join("mine"), "").unwrap();
        let error = write(&document("third"), &place).unwrap_err().to_string();
        assert!(error.contains("other files") && error.contains("--out"), "{error}");
        assert!(fs::read_to_string(place.join(TEXT)).unwrap().starts_with("# second"));
        let file = home.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(write(&document("x"), &file).is_err() && fs::read(&file).unwrap() == b"x");
    }

    #[test]
    fn where_it_cannot_be_written_nothing_is_left() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("in-the-way"), "").unwrap();
        let error = write(&document("x"), &home.path().join("in-the-way/report")).unwrap_err().to_string();
        assert!(error.contains("in-the-way"), "{error}");
        assert_eq!(names(home.path()), ["in-the-way"]);
    }
}
