//! Whether a teacher can teach a student, what is odd about it, and what it says of its own making.

use super::split_notes;
use crate::config::{self, Config, Eps, Method, Threat};
use crate::data::DataSet;
use crate::nn::model::{self, Description, Model};
use crate::nn::script::ScriptError;
use crate::protocol::event::SplitFacts;
use std::path::Path;

/// The teacher that is a program; the data says what it must take and give.
pub(super) fn scripted(path: &Path, config: &Config, data: &DataSet, device: tch::Device) -> Result<Model, ScriptError> {
    let description = Description {
        network: config.student.network,
        shape: data.train.shape(),
        classes: data.classes.clone(),
        normalize: model::Normalize::default(),
        feature_width: None,
        projector: None,
    };
    Model::script(path, description, device)
}

/// Whether this teacher can teach this student.
pub(super) fn fits(method: Method, teacher: &Model, student: &Model) -> Result<(), String> {
    let (t, s) = (&teacher.description, &student.description);
    if t.shape != s.shape {
        return Err(format!("it takes images of {:?} (channels, height, width), the data has {:?}", t.shape, s.shape));
    }
    if t.classes.len() != s.classes.len() {
        return Err(format!("it knows {} classes, the data has {}", t.classes.len(), s.classes.len()));
    }
    let (wanted, given) = (teacher.features(), student.projected());
    // Only representations have to be as wide as each other; answers are as wide as there are classes.
    if method.matching().is_some() && wanted != given {
        return Err(format!(
            "its features ({}) are {wanted} wide, the student's ({}) {given}; set student.feature_width = {wanted} (a linear layer \
             before the student's head) or method.projector = true (one beside it, for training only), or choose a student of the \
             same width",
            teacher.facts().name,
            s.network.name(),
        ));
    }
    Ok(())
}

/// What is worth a remark in a teacher that fits.
pub(super) fn odd(teacher: &Model, student: &Model, provenance: &serde_json::Value, threat: Threat) -> Vec<String> {
    let mut remarks = Vec::new();
    let (t, s) = (&teacher.description.classes, &student.description.classes);
    if t != s {
        // Files without names number their classes, so the same data has two sets of names.
        remarks.push(format!(
            "the teacher's classes are {}, those of the data are {}: are they the same, in this order?",
            t.join(", "),
            s.join(", ")
        ));
    }
    let Ok(made) = serde_json::from_value::<Config>(provenance["config"].clone()) else { return remarks };
    if made.threat != threat {
        remarks.push(format!(
            "the teacher was made for {} eps {}, this run attacks with {} eps {}",
            made.threat.norm, made.threat.eps, threat.norm, threat.eps
        ));
    }
    remarks
}

/// What is to be said of the split that the teacher was trained on.
pub(super) fn split_of(provenance: &serde_json::Value, settings: &config::Data, data: &DataSet) -> Option<String> {
    let made: Config = serde_json::from_value(provenance["config"].clone()).ok()?;
    let then: Option<SplitFacts> = serde_json::from_value(provenance["split"].clone()).ok();
    split_notes::teachers(&made, then.as_ref(), settings, data.split.as_ref())
}

/// A checkpoint's own words on its making, in one line.
pub(super) fn made_how(provenance: &serde_json::Value) -> String {
    let method = provenance["config"]["method"].as_object().and_then(|m| m.keys().next().cloned());
    let method = method.or_else(|| provenance["config"]["method"].as_str().map(String::from));
    let evaluated = &provenance["evaluated"];
    match (method, evaluated["natural"].as_f64(), evaluated["adversarial"].as_f64()) {
        (Some(method), Some(natural), Some(adversarial)) => format!(
            "{method}, {} steps; natural {:.1} %, adversarial {:.1} % on {} {} images ({}-{}, {} eps {})",
            provenance["step"],
            100.0 * natural,
            100.0 * adversarial,
            evaluated["images"],
            evaluated["split"].as_str().unwrap_or("?"),
            evaluated["attack"]["name"].as_str().unwrap_or("?"),
            evaluated["attack"]["steps"],
            evaluated["attack"]["norm"].as_str().unwrap_or("?"),
            Eps(evaluated["attack"]["eps"].as_f64().unwrap_or(f64::NAN)),
        ),
        (Some(method), ..) => format!("{method}, {} steps", provenance["step"]),
        (None, ..) if provenance["imported_from"].is_string() => format!(
            "imported from {} (sha256 {})",
            provenance["imported_from"].as_str().unwrap_or_default(),
            provenance["sha256"].as_str().unwrap_or_default().chars().take(12).collect::<String>()
        ),
        _ => String::new(),
    }
}
