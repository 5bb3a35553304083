//! Restricted `ImageNet`: nine groups of `ImageNet`'s thousand classes, from a folder of `ImageNet`.
//!
//! The groups are ranges of the classes in the order of their `WordNet` ids (MadryLab `robustness`, "Restricted `ImageNet`"; Tsipras et
//! al. 2019). The place of an id in that order is known only where all thousand folders are there.

use super::files::{self, Listed};
use super::folder::{self, Depth, Ignored, Labels, Tree};
use super::{DataError, DataSet, Progress};
use crate::config::ImageFiles;
use std::collections::HashSet;
use std::ffi::OsString;
use std::path::Path;

/// `ImageNet`'s classes.
const ALL: usize = 1000;

/// Name, first and last place of each group; labels are in this order.
const GROUPS: [(&str, usize, usize); 9] = [
    ("dog", 151, 268),
    ("cat", 281, 285),
    ("frog", 30, 32),
    ("turtle", 33, 37),
    ("bird", 80, 100),
    ("monkey", 365, 382),
    ("fish", 389, 397),
    ("crab", 118, 121),
    ("insect", 300, 319),
];

/// Reads `train/<wnid>/` and `val/<wnid>/` of `folder` and holds out `validation` training images.
///
/// Within a group the first images of all its ids come first, then all second ones, and so on: what earlier versions held out, the
/// last of a group, is of many ids and not of the last one alone.
///
/// # Errors
/// A part that has not all thousand folders, or a file that cannot be read.
pub fn load(folder: &Path, validation: usize, settings: &ImageFiles, progress: Progress) -> Result<DataSet, DataError> {
    let parts = folder::parts(folder)?;
    let depth = folder::depth(settings);
    let mut ignored = Ignored::default();
    let train = part(&parts.train, depth, &mut ignored)?;
    let test = part(&parts.test, depth, &mut ignored)?;
    let listed = Listed {
        name: "restricted-imagenet".into(),
        root: folder.to_owned(),
        classes: GROUPS.map(|(name, ..)| name.to_string()).to_vec(),
        train,
        validation: None,
        test,
        remarks: parts.remark.into_iter().chain(ignored.remark()).collect(),
        advice: "give classes at least two training images each",
    };
    files::assemble(listed, validation, settings, progress)
}

fn part(place: &Path, depth: Depth, ignored: &mut Ignored) -> Result<Labels, DataError> {
    let ids = Tree::class_names(place)?;
    let wnids: Vec<&OsString> = ids.iter().filter(|name| is_wnid(name)).collect();
    if wnids.len() != ALL {
        return Err(DataError::File {
            file: place.to_owned(),
            why: format!("has {} folders named by a WordNet id (n and eight digits), expected {ALL}", wnids.len()),
            advice: "unpack all of ImageNet's classes, one folder each: a class is known by its place among the thousand",
        });
    }
    let wanted: HashSet<&OsString> = GROUPS.iter().flat_map(|&(_, first, last)| &wnids[first..=last]).copied().collect();
    let tree = Tree::list(place, |name| wanted.contains(name), depth, ignored)?;
    let (mut paths, mut labels) = (Vec::new(), Vec::new());
    for (label, &(_, first, last)) in GROUPS.iter().enumerate() {
        let group: HashSet<&OsString> = wnids[first..=last].iter().copied().collect();
        let members: Vec<_> = tree.classes.iter().filter(|class| group.contains(&class.name)).collect();
        let most = members.iter().map(|class| class.files.len()).max().unwrap_or(0);
        for rank in 0..most {
            for class in &members {
                if let Some(file) = class.files.get(rank) {
                    paths.push(place.join(&class.name).join(file));
                    labels.push(label as u16);
                }
            }
        }
    }
    Ok(Labels { paths, labels })
}

fn is_wnid(name: &OsString) -> bool {
    matches!(name.as_encoded_bytes(), [b'n', digits @ ..] if digits.len() == 8 && digits.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Storage;
    use crate::data::Portion;

    /// `ImageNet` with two empty files in each training folder and one in each other; the ids are multiples of 7.
    fn fake() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (part, images) in [("train", &["a.JPEG", "b.JPEG"][..]), ("val", &["c.JPEG"])] {
            for place in 0..ALL {
                let class = folder.path().join(format!("{part}/n{:08}", place * 7));
                std::fs::create_dir_all(&class).unwrap();
                for image in images {
                    std::fs::write(class.join(image), "").unwrap();
                }
            }
        }
        folder
    }

    #[test]
    fn nine_groups_are_found_by_their_places() {
        let folder = fake();
        let settings = ImageFiles { storage: Storage::Stream, ..folder::tests::settings() };
        let data = load(folder.path(), 9, &settings, &mut |_, _| {}).unwrap();
        assert_eq!(data.classes, ["dog", "cat", "frog", "turtle", "bird", "monkey", "fish", "crab", "insect"]);
        let count = |label| data.test.labels().iter().filter(|&&l| l == label).count();
        let counts: Vec<usize> = (0..9).map(count).collect();
        assert_eq!(counts, [118, 5, 3, 5, 21, 18, 9, 4, 20]);
        let Portion::Streamed(train) = &data.train else { panic!("asked to be streamed") };
        let named = |label: u16| {
            let place = train.labels.iter().position(|&l| l == label).unwrap();
            train.paths[place].strip_prefix(folder.path()).unwrap().display().to_string()
        };
        assert_eq!((named(0), named(8)), (format!("train/n{:08}/a.JPEG", 151 * 7), format!("train/n{:08}/a.JPEG", 300 * 7)));
        let Portion::Streamed(held) = &data.validation else { panic!("asked to be streamed") };
        assert!(held.paths[2].ends_with(format!("n{:08}/b.JPEG", 32 * 7)), "{:?}", held.paths[2]);

        std::fs::rename(folder.path().join("val/n00000007"), folder.path().join("val/other")).unwrap();
        let error = load(folder.path(), 9, &settings, &mut |_, _| {}).unwrap_err().to_string();
        assert!(
            error.contains("val: has 999 folders named by a WordNet id") && error.contains("expected 1000; unpack"),
            "{error}"
        );
    }
}
