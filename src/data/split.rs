//! Which training images are held out for validation.
//!
//! Fixed by the order of the file and the number asked for, never by the seed: two runs with different seeds are judged on
//! the same images, and no image of one run's validation is trained on by another.

use super::{DataError, Images};

/// Splits into (training, validation). Of each class its last images in file order are held out, the same number of each;
/// where the number does not divide evenly, the first classes give one more. Both parts keep file order.
///
/// # Errors
/// More is asked for than half of the data, or than some class can give and keep one to train on.
pub(super) fn hold_out(all: &Images, classes: usize, validation: usize, name: &str) -> Result<(Images, Images), DataError> {
    let (kept, out) = places(&all.labels, classes, validation, name)?;
    Ok((all.pick(&kept), all.pick(&out)))
}

/// As [`hold_out`], the places alone. `labels`: each below `classes`.
pub(super) fn places(
    labels: &[u16],
    classes: usize,
    validation: usize,
    name: &str,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let fault = |allowed: String| DataError::Setting {
        name: name.to_owned(),
        key: "data.validation",
        value: validation.to_string(),
        allowed,
    };
    if validation > labels.len() / 2 {
        return Err(fault(format!("at most half of the {} training images, which is {}", labels.len(), labels.len() / 2)));
    }
    let mut by_class = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        by_class[usize::from(label)].push(index);
    }
    let present: usize = by_class.iter().filter(|indices| !indices.is_empty()).count();
    if present < 2 {
        return Err(DataError::OneClass { name: name.to_owned(), images: labels.len() });
    }
    // A label that no image has is a gap in the numbering, not a class to hold images out of.
    let (each, more) = (validation / present, validation % present);
    let mut held = vec![false; labels.len()];
    for (rank, indices) in by_class.iter().filter(|indices| !indices.is_empty()).enumerate() {
        let wanted = each + usize::from(rank < more);
        if wanted >= indices.len() {
            let fewest = by_class.iter().map(Vec::len).filter(|&n| n > 0).min().unwrap_or(0);
            return Err(fault(format!(
                "at most {}, as the validation images are the same number of each of {present} classes and the smallest class has {fewest} images",
                (fewest - 1) * present
            )));
        }
        for &index in &indices[indices.len() - wanted..] {
            held[index] = true;
        }
    }
    Ok((0..labels.len()).partition(|&index| !held[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(labels: &[u16]) -> Images {
        let pixels = (0..labels.len()).map(|i| i as u8).collect();
        Images { pixels, labels: labels.to_vec(), shape: [1, 1, 1] }
    }

    #[test]
    fn the_last_of_each_class_are_held_out_in_file_order() {
        let all = images(&[0, 1, 0, 1, 1, 0, 0, 1]);
        let (train, validation) = hold_out(&all, 2, 3, "x").unwrap();
        assert_eq!((validation.pixels, validation.labels), (vec![5, 6, 7], vec![0, 0, 1]));
        assert_eq!((train.pixels, train.labels), (vec![0, 1, 2, 3, 4], vec![0, 1, 0, 1, 1]));
    }

    #[test]
    fn too_many_are_refused_with_what_is_allowed() {
        let half = hold_out(&images(&[0, 1, 0, 1]), 2, 3, "mine").unwrap_err().to_string();
        assert_eq!(
            half,
            "mine: data.validation = 3 does not fit this data; allowed: at most half of the 4 training images, which is 2"
        );
        let rare = hold_out(&images(&[0, 0, 0, 0, 0, 1]), 2, 2, "mine").unwrap_err().to_string();
        assert!(rare.contains("at most 0") && rare.contains("has 1 images"), "{rare}");
    }
}
