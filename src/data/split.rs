//! Which training images are held out for validation.
//!
//! Fixed by the files and the settings of the data, never by the run's seed: two runs with different seeds are judged on the same
//! images, and no image of one run's validation is trained on by another.

use super::{DataError, Images};
use crate::config::ValidationSplit;
use crate::protocol::event::SplitFacts;
use sha2::{Digest, Sha256};

/// Places of the training and the validation images, each in ascending order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub train: Vec<usize>,
    pub validation: Vec<usize>,
    /// Said where fewer images were held out than asked for.
    pub remark: Option<String>,
}

/// As [`Places`], with the images themselves.
#[derive(Debug)]
pub(super) struct HeldOut {
    pub train: Images,
    pub validation: Images,
    pub remark: Option<String>,
}

/// Data to split: its name for messages, the labels of its images (each below `classes`), how many are to be held out.
#[derive(Clone, Copy)]
pub(super) struct Labelled<'a> {
    pub name: &'a str,
    pub labels: &'a [u16],
    pub classes: usize,
    pub validation: usize,
    /// What to do where no class has an image to spare.
    pub advice: &'static str,
}

/// Splits images whose order is all there is to know of them: IDX and CIFAR files.
///
/// # Errors
/// As [`last_of_each_class`].
pub(super) fn hold_out(all: &Images, classes: usize, validation: usize, name: &str) -> Result<HeldOut, DataError> {
    let advice = "give classes at least two training images each";
    let split = last_of_each_class(&Labelled { name, labels: &all.labels, classes, validation, advice })?;
    Ok(HeldOut { train: all.pick(&split.train), validation: all.pick(&split.validation), remark: split.remark })
}

/// Holds out the last images of each class, the same number of each; where the number does not divide evenly, the first classes
/// give one more. A class that has too few for that gives half of its images.
///
/// # Errors
/// More is asked for than half of the data, or no class has an image to spare.
pub(super) fn last_of_each_class(data: &Labelled) -> Result<Places, DataError> {
    let by_class = by_class(data)?;
    // A label that no image has is a gap in the numbering, not a class to hold images out of.
    let present = by_class.iter().filter(|places| !places.is_empty()).count();
    let (each, more) = (data.validation / present, data.validation % present);
    let mut held = Vec::new();
    for (rank, places) in by_class.iter().filter(|places| !places.is_empty()).enumerate() {
        let wanted = each + usize::from(rank < more);
        let given = if wanted < places.len() { wanted } else { places.len() / 2 };
        held.extend_from_slice(&places[places.len() - given..]);
    }
    data.places(&held)
}

/// Holds out images in proportion to the class sizes, at most half of a class. `paths`: of each image, the same on every machine.
///
/// # Errors
/// As [`last_of_each_class`].
pub(super) fn seeded(data: &Labelled, seed: u64, paths: &[&[u8]]) -> Result<Places, DataError> {
    let by_class = by_class(data)?;
    let sizes: Vec<usize> = by_class.iter().map(Vec::len).collect();
    let mut held = Vec::new();
    for (mut places, given) in by_class.into_iter().zip(quotas(&sizes, data.validation)) {
        if given > 0 {
            places.sort_by_cached_key(|&place| rank(seed, paths[place]));
            held.extend_from_slice(&places[..given]);
        }
    }
    data.places(&held)
}

/// Shares of `total` in proportion to the sizes, each at most half of its size, by the method of largest remainders. `total`: at most
/// half of the sum of the sizes. Together less than `total` where odd sizes leave no more.
fn quotas(sizes: &[usize], total: usize) -> Vec<usize> {
    let sum = sizes.iter().sum::<usize>().max(1) as u128;
    let exact = |size: usize| total as u128 * size as u128;
    let mut shares: Vec<usize> = sizes.iter().map(|&size| (exact(size) / sum) as usize).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    // Stable: of equal remainders the first class comes first.
    order.sort_by_key(|&class| std::cmp::Reverse(exact(sizes[class]) % sum));
    let mut left = total - shares.iter().sum::<usize>().min(total);
    while left > 0 {
        let before = left;
        for &class in &order {
            if left > 0 && shares[class] < sizes[class] / 2 {
                shares[class] += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    shares
}

/// Rank of an image within its class: pseudo-random, a function of the seed and the image's path alone.
fn rank(seed: u64, path: &[u8]) -> ([u8; 32], Vec<u8>) {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(path);
    (hash.finalize().into(), path.to_vec())
}

/// Places of each class's images, in order.
fn by_class(data: &Labelled) -> Result<Vec<Vec<usize>>, DataError> {
    let (images, most) = (data.labels.len(), data.labels.len() / 2);
    if data.validation > most {
        return Err(DataError::Setting {
            name: data.name.to_owned(),
            key: "data.validation",
            value: data.validation.to_string(),
            allowed: format!("at most half of the {images} training images, which is {most}"),
        });
    }
    let mut by_class = vec![Vec::new(); data.classes];
    for (place, &label) in data.labels.iter().enumerate() {
        by_class[usize::from(label)].push(place);
    }
    if by_class.iter().filter(|places| !places.is_empty()).count() < 2 {
        return Err(DataError::OneClass { name: data.name.to_owned(), images });
    }
    Ok(by_class)
}

impl Labelled<'_> {
    fn places(&self, held: &[usize]) -> Result<Places, DataError> {
        if held.is_empty() {
            return Err(DataError::NothingToHoldOut { name: self.name.to_owned(), advice: self.advice });
        }
        let mut is_held = vec![false; self.labels.len()];
        for &place in held {
            is_held[place] = true;
        }
        let (validation, train) = (0..self.labels.len()).partition(|&place| is_held[place]);
        let (asked, found) = (self.validation, held.len());
        let remark = (found < asked).then(|| {
            format!(
                "data.validation = {asked}, and {found} images are held out: a class gives at most half of its training images, and some \
                 have too few"
            )
        });
        Ok(Places { train, validation, remark })
    }
}

/// The record of a split of files. Paths are those within the data folder, or within the folder of the validation images.
///
/// The hash is that of SHA-256 over the lines `train PATH` and `validation PATH`, sorted by their bytes: its first 16 hexadecimal
/// digits.
pub(super) fn record(rule: String, train: &[&[u8]], validation: &[&[u8]]) -> SplitFacts {
    let named = |part: &'static [u8], paths: &[&[u8]]| paths.iter().map(|path| [part, path].concat()).collect::<Vec<_>>();
    let mut lines = [named(b"train ", train), named(b"validation ", validation)].concat();
    lines.sort_unstable();
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line);
        hash.update(b"\n");
    }
    let sum = hash.finalize();
    SplitFacts { rule, hash: format!("{:016x}", u64::from_be_bytes(std::array::from_fn(|i| sum[i]))) }
}

/// `seeded, seed 0`, or `last-names`.
pub(super) fn rule(split: ValidationSplit) -> String {
    split.seed().map_or_else(|| split.name().to_owned(), |seed| format!("{}, seed {seed}", split.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn images(labels: &[u16]) -> Images {
        let pixels = (0..labels.len()).map(|i| i as u8).collect();
        Images { pixels, labels: labels.to_vec(), shape: [1, 1, 1] }
    }

    /// Images named by their label and number.
    fn draw(sizes: &[usize], validation: usize, seed: u64) -> Result<(Vec<String>, Option<String>), DataError> {
        let named = sizes.iter().enumerate().flat_map(|(c, &n)| (0..n).map(move |i| (c as u16, format!("train/{c}/{i:03}.png"))));
        let (labels, names): (Vec<u16>, Vec<String>) = named.unzip();
        let paths: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        let data =
            Labelled { name: "mine", labels: &labels, classes: sizes.len(), validation, advice: "set data.validation_path" };
        let places = seeded(&data, seed, &paths)?;
        assert_eq!(places.train.len() + places.validation.len(), labels.len());
        Ok((places.validation.iter().map(|&place| names[place].clone()).collect(), places.remark))
    }

    fn of_class(held: &[String], class: usize) -> usize {
        held.iter().filter(|name| name.starts_with(&format!("train/{class}/"))).count()
    }

    #[test]
    fn the_last_of_each_class_are_held_out_in_file_order() {
        let all = images(&[0, 1, 0, 1, 1, 0, 0, 1]);
        let HeldOut { train, validation, remark } = hold_out(&all, 2, 3, "x").unwrap();
        assert_eq!((validation.pixels, validation.labels), (vec![5, 6, 7], vec![0, 0, 1]));
        assert_eq!((train.pixels, train.labels), (vec![0, 1, 2, 3, 4], vec![0, 1, 0, 1, 1]));
        assert_eq!(remark, None);
    }

    #[test]
    fn too_many_are_refused_with_what_is_allowed_and_a_small_class_gives_half() {
        let half = hold_out(&images(&[0, 1, 0, 1]), 2, 3, "mine").unwrap_err().to_string();
        assert_eq!(
            half,
            "mine: data.validation = 3 does not fit this data; allowed: at most half of the 4 training images, which is 2"
        );
        let rare = hold_out(&images(&[0, 0, 0, 0, 0, 1]), 2, 2, "mine").unwrap();
        assert_eq!(rare.validation.labels, [0]);
        assert!(rare.remark.as_ref().unwrap().starts_with("data.validation = 2, and 1 images are held out"), "{:?}", rare.remark);
        let none = hold_out(&images(&[0, 1]), 2, 1, "mine").unwrap_err().to_string();
        assert_eq!(
            none,
            "mine: no class has two training images, so none can be held out for validation; give classes at least two training images each"
        );
    }

    #[test]
    fn the_draw_is_in_proportion_and_takes_at_most_half_of_a_class() {
        let (held, remark) = draw(&[40, 40, 1], 6, 0).unwrap();
        assert_eq!(([0, 1, 2].map(|class| of_class(&held, class)), remark), ([3, 3, 0], None));
        let (held, _) = draw(&[100, 50, 10, 3], 40, 0).unwrap();
        assert_eq!([0, 1, 2, 3].map(|class| of_class(&held, class)), [25, 12, 2, 1]);
        // Three classes of three: half of nine is four, and each may give one.
        let (held, remark) = draw(&[3, 3, 3], 4, 0).unwrap();
        assert_eq!(held.len(), 3);
        assert!(remark.unwrap().starts_with("data.validation = 4, and 3 images are held out"));
        let none = draw(&[1, 1, 1], 1, 0).unwrap_err().to_string();
        assert!(none.ends_with("none can be held out for validation; set data.validation_path"), "{none}");
    }

    #[test]
    fn the_draw_is_not_the_last_names_and_another_seed_draws_others() {
        let (held, _) = draw(&[100, 100], 20, 0).unwrap();
        let last = held.iter().filter(|name| name[8..11] >= *"090").count();
        assert!(last < 10, "{held:?}");
        assert_eq!(held, draw(&[100, 100], 20, 0).unwrap().0);
        assert_ne!(held, draw(&[100, 100], 20, 1).unwrap().0);
        // Written down: a change of the rule would reshuffle every data set that people have.
        assert_eq!(draw(&[6, 6], 4, 0).unwrap().0, PINNED);
    }

    /// The two lowest SHA-256 sums of each class, of eight zeros and the path.
    const PINNED: [&str; 4] = ["train/0/002.png", "train/0/004.png", "train/1/000.png", "train/1/001.png"];

    #[test]
    fn a_new_file_does_not_reshuffle_the_others() {
        let (before, _) = draw(&[100, 60], 16, 0).unwrap();
        let (after, _) = draw(&[101, 60], 16, 0).unwrap();
        assert!(before.iter().filter(|name| !after.contains(name)).count() <= 1, "{before:?} {after:?}");
    }

    #[test]
    fn the_record_changes_with_each_file() {
        let of = |train: &[&'static str], validation: &[&'static str]| {
            let bytes = |paths: &[&'static str]| paths.iter().map(|path| path.as_bytes()).collect::<Vec<_>>();
            record(rule(ValidationSplit::Seeded { seed: 3 }), &bytes(train), &bytes(validation))
        };
        let one = of(&["a", "b"], &["c"]);
        assert_eq!((one.rule.as_str(), one.hash.len()), ("seeded, seed 3", 16));
        assert_eq!(one, of(&["b", "a"], &["c"]));
        assert_ne!(one.hash, of(&["a"], &["b", "c"]).hash);
        assert_ne!(one.hash, of(&["a", "b", "d"], &["c"]).hash);
    }

    proptest! {
        #[test]
        fn shares_are_fair_and_never_more_than_half(sizes in proptest::collection::vec(0..200usize, 2..30), part in 0..=100usize) {
            let sum: usize = sizes.iter().sum();
            let total = sum / 2 * part / 100;
            let shares = quotas(&sizes, total);
            let room: usize = sizes.iter().map(|size| size / 2).sum();
            prop_assert_eq!(shares.iter().sum::<usize>(), total.min(room));
            for (share, size) in shares.iter().zip(&sizes) {
                prop_assert!(*share <= size / 2);
            }
        }
    }
}
