//! Remarks about the images of a run, made before it starts: fewer than asked for, or split otherwise than those of its teacher, its
//! parent or its own beginning.

use super::worker::SetupError;
use crate::config::{Config, Data, Source};
use crate::data::DataSet;
use crate::protocol::event::SplitFacts;
use std::path::Path;

/// Lowers the numbers of images asked for to those there are. Gives a remark for each.
///
/// # Errors
/// No image is left where some are needed, or a config asks for more than its data set has.
pub(super) fn fit_to(config: &mut Config, data: &DataSet) -> Result<Vec<String>, SetupError> {
    let mut remarks = Vec::new();
    let (validation, test) = (data.validation.len(), data.test.len());
    if data.test.is_empty() && config.evaluation.images != Some(0) {
        return Err(SetupError::NoTest);
    }
    if config.probe.per_epoch > 0 && validation == 0 {
        return Err(SetupError::NoValidation);
    }
    // How many images a folder has and can be read is known only now; elsewhere a config must say what there is.
    if config.probe.per_epoch > 0 && config.probe.images > validation && config.data.files.is_none() {
        return Err(SetupError::ProbeImages { asked: config.probe.images, images: validation });
    }
    if validation > 0 && config.probe.images > validation {
        // Of images that were left out it was said how many.
        if config.probe.per_epoch > 0 && validation >= config.data.validation {
            remarks.push(format!(
                "probe.images = {}, and there are {validation} validation images: each probe looks at all of them",
                config.probe.images
            ));
        }
        config.probe.images = validation;
    }
    if let Some(asked) = config.evaluation.images.filter(|asked| *asked > test) {
        remarks.push(format!(
            "evaluation.images = {asked}, and there are {test} test images: the final evaluation looks at all of them"
        ));
    }
    Ok(remarks)
}

/// Says that a teacher was trained on another split of this run's data. `made`: the teacher's config, with the record of its split
/// where there is one.
pub(super) fn teachers(made: &Config, then: Option<&SplitFacts>, data: &Data, now: Option<&SplitFacts>) -> Option<String> {
    if !same_data(&made.data, data) {
        return None;
    }
    if let Some(seen) = differing(&made.data, data) {
        return Some(format!(
            "the teacher's data was split otherwise ({}) than this run's ({}): {seen}; to have the teacher's split, set {}",
            words(&made.data),
            words(data),
            settings(&made.data)
        ));
    }
    changed(then, now).then(|| {
        "the files of the data folder have changed since the teacher was trained: images of its training part may be among this \
         run's validation images"
            .into()
    })
}

/// Says that a run goes on with another split than that of the run that it goes on from.
pub(super) fn parents(before: &Data, now: &Data) -> Option<String> {
    if !same_data(before, now) || differing(before, now).is_none() {
        return None;
    }
    Some(format!(
        "this run's data is split otherwise ({}) than its parent's ({}): images that the weights were trained on are among its \
         validation images",
        words(now),
        words(before)
    ))
}

/// Says that files of the run's data have come, gone or moved since it began.
pub(super) fn own(before: Option<&SplitFacts>, now: Option<&SplitFacts>) -> Option<String> {
    changed(before, now).then(|| {
        "the files of the data folder have changed since the run began: it goes on with other training and validation images"
            .into()
    })
}

fn changed(then: Option<&SplitFacts>, now: Option<&SplitFacts>) -> bool {
    matches!((then, now), (Some(then), Some(now)) if then != now)
}

/// Whether two configs mean the same images, as far as configs say: folders move, and keep their names.
fn same_data(a: &Data, b: &Data) -> bool {
    let name = |data: &Data| data.path.as_deref().and_then(|path| Path::new(path).file_name().map(ToOwned::to_owned));
    a.source == b.source
        && match a.source {
            Source::FashionMnist10k | Source::Cifar10 | Source::Cifar100 | Source::RestrictedImagenet => true,
            Source::Idx | Source::Folder => name(a) == name(b),
        }
}

/// What follows from the teacher's split for the student; `None` where both are the same.
fn differing(teacher: &Data, student: &Data) -> Option<&'static str> {
    let rule = |data: &Data| data.files.as_ref().map(|files| (files.split, files.validation_path.is_some()));
    if rule(teacher) != rule(student) {
        return Some("images that the teacher was trained on may be validation images here, where its numbers are then too good");
    }
    match teacher.validation.cmp(&student.validation) {
        std::cmp::Ordering::Less => {
            Some("images that the teacher was trained on are validation images here, where its numbers are too good")
        }
        std::cmp::Ordering::Greater => Some("images that were held out of the teacher's training are trained on here"),
        std::cmp::Ordering::Equal => None,
    }
}

/// `seeded, seed 0, 500 held out`.
fn words(data: &Data) -> String {
    match &data.files {
        Some(files) if files.validation_path.is_some() => "a folder of validation images".into(),
        Some(files) => {
            let seed = files.split.seed().map_or_else(String::new, |seed| format!(", seed {seed}"));
            format!("{}{seed}, {} held out", files.split.name(), data.validation)
        }
        None => format!("{} held out", data.validation),
    }
}

/// The keys that give this split.
fn settings(data: &Data) -> String {
    match &data.files {
        Some(files) if files.validation_path.is_some() => "data.validation_path to its folder of validation images".into(),
        Some(files) => {
            let seed = files.split.seed().map_or_else(String::new, |seed| format!(", data.split_seed = {seed}"));
            format!("data.validation = {}, data.split = \"{}\"{seed}", data.validation, files.split.name())
        }
        None => format!("data.validation = {}", data.validation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ValidationSplit, check};

    fn config(set: &[&str]) -> Config {
        let text = "[data]\nsource = 'folder'\npath = '/a/mine'\nsize = 32\nvalidation = 40\n[student]\nnetwork = 'small'\n\
                    [method]\nname = 'erm'\n[threat]\neps = 0.1\n[train]\nepochs = 1\n";
        let set: Vec<String> = set.iter().map(ToString::to_string).collect();
        check::read(text, Path::new("x.toml"), &set).unwrap()
    }

    #[test]
    fn a_teacher_with_another_split_is_named_and_one_with_the_same_is_not() {
        let student = config(&[]);
        let said = |set: &[&str]| teachers(&config(set), None, &student.data, None).unwrap_or_default();
        assert_eq!(said(&["data.path=/elsewhere/mine"]), "");
        assert_eq!(said(&["data.path=/a/other", "data.split_seed=1"]), "", "other data is not compared");
        assert_eq!(said(&["data.source=cifar10", "data.path=/a/mine"]), "");
        let seed = said(&["data.split_seed=1"]);
        assert!(seed.contains("(seeded, seed 1, 40 held out) than this run's (seeded, seed 0, 40 held out): images that the teacher was trained on may be"), "{seed}");
        assert!(seed.ends_with("set data.validation = 40, data.split = \"seeded\", data.split_seed = 1"), "{seed}");
        assert!(said(&["data.split=last-names"]).contains("(last-names, 40 held out)"));
        assert!(said(&["data.validation=30"]).contains("trained on are validation images here"));
        assert!(said(&["data.validation=50"]).contains("held out of the teacher's training are trained on here"));
        assert!(said(&["data.validation_path=/v"]).contains("(a folder of validation images)"));
        // A config of an earlier version says nothing of a rule.
        let mut old = serde_json::to_value(config(&["data.split=last-names"])).unwrap();
        old["data"]["files"].as_object_mut().unwrap().remove("split");
        let old: Config = serde_json::from_value(old).unwrap();
        assert_eq!(old.data.files.as_ref().unwrap().split, ValidationSplit::LastNames);
        assert!(teachers(&old, None, &student.data, None).is_some());

        let facts = |hash: &str| SplitFacts { rule: "seeded, seed 0".into(), hash: hash.into() };
        let same = config(&[]);
        assert_eq!(teachers(&same, Some(&facts("a")), &student.data, Some(&facts("a"))), None);
        assert!(
            teachers(&same, Some(&facts("a")), &student.data, Some(&facts("b")))
                .unwrap()
                .contains("have changed since the teacher")
        );
        assert!(parents(&config(&["data.split_seed=1"]).data, &student.data).unwrap().contains("its parent's (seeded, seed 1"));
        assert!(own(Some(&facts("a")), Some(&facts("b"))).is_some() && own(None, Some(&facts("b"))).is_none());
    }
}
