//! A split written as image files, so that another program can read exactly the pixels that training reads.
//!
//! `<label>-<class>/<place>.png`, 8 bits a channel and without loss, and `images.csv` with a line an image. The folders sort in the order
//! of the labels, so that whoever numbers folders by their names (torchvision's `ImageFolder`) finds the same labels.

use super::{DataError, Images, Portion, Progress};
use image::{ExtendedColorType, ImageFormat};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Images that are decoded at a time.
const AT_ONCE: usize = 1000;
/// Letters of a class's name in a folder's name.
const LONGEST: usize = 100;

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("{}: cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

/// Hands all images of a split on, some at a time, with their places in the split. Files that cannot be read and are to be left out
/// leave gaps in the places.
///
/// # Errors
/// A file that cannot be read, or what `take` says.
pub fn each<E: From<DataError>>(portion: &Portion, mut take: impl FnMut(&[usize], &Images) -> Result<(), E>) -> Result<(), E> {
    match portion {
        Portion::Resident(images) => take(&(0..images.len()).collect::<Vec<_>>(), images),
        Portion::Streamed(files) => {
            let all: Vec<usize> = (0..files.labels.len()).collect();
            all.chunks(AT_ONCE).try_for_each(|places| {
                let (images, read) = files.read(places)?;
                take(&read, &images)
            })
        }
    }
}

/// Writes a folder of PNG files into `folder`, which is there and empty. How many there are.
///
/// # Errors
/// A file that cannot be read or written.
pub fn write_folder(portion: &Portion, classes: &[String], folder: &Path, progress: Progress) -> Result<usize, ExportError> {
    let cannot = |path: &Path| {
        let path = path.to_owned();
        move |source: std::io::Error| ExportError::Write { path, source }
    };
    let names = folder_names(classes);
    for name in &names {
        let path = folder.join(name);
        std::fs::create_dir(&path).map_err(cannot(&path))?;
    }
    let total = portion.len();
    let mut table = "place,file,label,class\n".to_string();
    let mut done = 0;
    each(portion, |places, images| {
        let [channels, height, width] = images.shape;
        let colour = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
        for (i, &place) in places.iter().enumerate() {
            let label = usize::from(images.labels[i]);
            let file = format!("{}/{place:07}.png", names[label]);
            let path = folder.join(&file);
            let pixels = interleaved(images.image(i), channels);
            image::save_buffer_with_format(&path, &pixels, width as u32, height as u32, colour, ImageFormat::Png)
                .map_err(|error| cannot(&path)(std::io::Error::other(error)))?;
            let quoted = classes[label].replace('"', "\"\"");
            let _ = writeln!(table, "{place},\"{file}\",{label},\"{quoted}\""); // writing to a String does not fail
            done += 1;
            progress(done, total);
        }
        Ok::<_, ExportError>(())
    })?;
    let path = folder.join("images.csv");
    std::fs::write(&path, table).map_err(cannot(&path))?;
    Ok(done)
}

/// Pixel by pixel, from plane by plane.
fn interleaved(planes: &[u8], channels: usize) -> Vec<u8> {
    let each = planes.len() / channels;
    (0..each).flat_map(|pixel| (0..channels).map(move |channel| planes[channel * each + pixel])).collect()
}

/// A folder's name for each class.
fn folder_names(classes: &[String]) -> Vec<String> {
    let digits = classes.len().saturating_sub(1).to_string().len();
    let plain = |c: char| if c.is_alphanumeric() || " -_.()&+,".contains(c) { c } else { '_' };
    let name = |class: &String| class.chars().take(LONGEST).map(plain).collect::<String>();
    classes.iter().enumerate().map(|(label, class)| format!("{label:0digits$}-{}", name(class))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Faulty;
    use crate::data::files::Files;
    use crate::data::picture::{self, Cut, View};
    use std::sync::Arc;

    #[test]
    fn what_is_written_reads_back_to_the_same_pixels() {
        for channels in [1, 3] {
            let pixels: Vec<u8> = (0..2 * channels * 16).map(|i| (i * 5) as u8).collect();
            let portion: Portion = Images { pixels, labels: vec![10, 0], shape: [channels, 4, 4] }.into();
            let Portion::Resident(images) = &portion else { unreachable!() };
            let mut classes: Vec<String> = (0..11).map(|i| format!("class {i}")).collect();
            classes[10] = "T-shirt/top".into();
            let folder = tempfile::tempdir().unwrap();
            assert_eq!(write_folder(&portion, &classes, folder.path(), &mut |_, _| {}).unwrap(), 2);
            for (i, file) in ["10-T-shirt_top/0000000.png", "00-class 0/0000001.png"].iter().enumerate() {
                let read = picture::read(&folder.path().join(file), View { size: 4, resize: 4 }, Cut::Centre).unwrap();
                // Grey images are read as three equal channels.
                assert_eq!(&read.pixels[..channels * 16], images.image(i), "{file}");
            }
            let table = std::fs::read_to_string(folder.path().join("images.csv")).unwrap();
            assert_eq!(table.lines().nth(1), Some("0,\"10-T-shirt_top/0000000.png\",10,\"T-shirt/top\""));
        }
    }

    #[test]
    fn files_that_cannot_be_read_leave_gaps_in_the_places() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..3).map(|i| folder.path().join(format!("{i}.png"))).collect();
        for (i, path) in paths.iter().enumerate() {
            crate::data::folder::tests::put(path, i as u8, 8);
        }
        std::fs::write(&paths[1], "no image").unwrap();
        let files = Files { paths, labels: vec![0, 1, 1], view: View { size: 8, resize: 8 }, faulty: Faulty::Skip };
        let mut seen = Vec::new();
        each(&Portion::Streamed(Arc::new(files)), |places, images| {
            seen.extend(places.iter().zip(&images.labels).map(|(place, label)| (*place, *label)));
            Ok::<_, DataError>(())
        })
        .unwrap();
        assert_eq!(seen, [(0, 0), (2, 1)]);
    }
}
