//! Builds the embedded subset's file from the original Fashion-MNIST files, byte for byte the same on every machine.
//!
//! Of each class the first 1,000 training and first 200 test images in file order; nothing is drawn at random. The packing
//! is deflate by the locked version of `flate2` with its Rust backend, whose output depends on nothing but its input.
//! Writing the file is left to the caller.

use super::{DataError, Images, embedded, idx, split};
use flate2::{Compression, GzBuilder};
use std::io::Write as _;
use std::path::Path;

const TRAIN_PER_CLASS: usize = 1_000;
const TEST_PER_CLASS: usize = 200;

/// The content of the embedded file, from the folder of the originals (Debian: `/usr/share/datasets/fashion-mnist`).
///
/// # Errors
/// The originals are missing, damaged, or not a data set of 28x28 images in ten classes of sufficient size.
pub fn rebuild(originals: &Path) -> Result<Vec<u8>, DataError> {
    let fault = |why: String| DataError::File {
        file: originals.to_owned(),
        why,
        advice: "give the folder of the Fashion-MNIST originals (Debian: package dataset-fashion-mnist, /usr/share/datasets/fashion-mnist)",
    };
    let part = |name: &str, per_class: usize| {
        let all = idx::load_pair(originals, name)?;
        if all.shape != [1, embedded::SIDE, embedded::SIDE] {
            return Err(fault(format!("{name} images are {}x{}, expected 28x28", all.shape[1], all.shape[2])));
        }
        first_of_each_class(&all, per_class).map_err(|why| fault(format!("{name}: {why}")))
    };
    let subset = part("train", TRAIN_PER_CLASS)?;
    let test = part("t10k", TEST_PER_CLASS)?;
    let split::HeldOut { train, validation, .. } =
        split::hold_out(&subset, embedded::CLASSES.len(), embedded::COUNTS[1], "fashion-mnist-10k")?;

    let mut content = embedded::header();
    for images in [&train, &validation, &test] {
        content.extend(images.labels.iter().map(|&label| label as u8)); // 0 to 9
        content.extend_from_slice(&images.pixels);
    }
    // No name, no time and a fixed system byte (255: unknown): the header must not tell machines apart.
    let mut packer = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(9));
    let packed = packer.write_all(&content).and_then(|()| packer.finish());
    packed.map_err(|error| fault(format!("the subset cannot be packed: {error}")))
}

fn first_of_each_class(all: &Images, wanted: usize) -> Result<Images, String> {
    let mut found = [0; embedded::CLASSES.len()];
    let mut chosen = Vec::new();
    for (index, &label) in all.labels.iter().enumerate() {
        let Some(count) = found.get_mut(usize::from(label)) else {
            return Err(format!("label {label} of image {index} is out of range; expected 0 to 9"));
        };
        if *count < wanted {
            *count += 1;
            chosen.push(index);
        }
    }
    match found.iter().position(|&count| count < wanted) {
        Some(class) => Err(format!("only {} images of class {class}, expected at least {wanted}", found[class])),
        None => Ok(all.pick(&chosen)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_file_is_what_the_originals_give() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(embedded::FILE);
        let shipped = std::fs::read(&file).unwrap();
        let data = embedded::parse(&shipped).unwrap();
        assert_eq!([data.train.len(), data.validation.len(), data.test.len()], embedded::COUNTS);
        // Damage anywhere is noticed.
        for at in [0, 30, shipped.len() / 2, shipped.len() - 5] {
            let mut damaged = shipped.clone();
            damaged[at] ^= 0x10;
            assert!(embedded::parse(&damaged).is_err(), "byte {at}");
        }
        assert!(embedded::parse(&shipped[..shipped.len() - 1]).is_err());

        let originals = Path::new("/usr/share/datasets/fashion-mnist");
        if !originals.is_dir() {
            // Only a word in the test's own output; the lint is about what users of the program see.
            let _ = writeln!(std::io::stderr(), "not run: {} is not there to rebuild the file from", originals.display());
            return;
        }
        assert!(rebuild(originals).unwrap() == shipped, "the file and what is built from the originals differ");
    }

    #[test]
    fn too_few_images_of_a_class_are_named() {
        let all = Images { pixels: vec![0; 3], labels: vec![0, 1, 1], shape: [1, 1, 1] };
        assert_eq!(first_of_each_class(&all, 1).unwrap_err(), "only 0 images of class 2, expected at least 1");
        let wrong = Images { pixels: vec![0], labels: vec![10], shape: [1, 1, 1] };
        assert!(first_of_each_class(&wrong, 1).unwrap_err().contains("label 10 of image 0"));
    }
}
