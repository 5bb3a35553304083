//! `--save-all`: every image as it is and under attack, with label, logits and predictions, in one file that needs no other.

use super::stored::Stored;
use anyhow::Context;
use rematch::nn::file::{decode, encode_exactly};
use rematch::nn::host;
use rematch::protocol::report::{EvaluationPlan, Report};
use rematch::run::store::write_atomically;
use rematch::train::examinee::Examinee;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

const FILE: &str = "images.safetensors";
const FORMAT: &str = "rematch-evaluation-1";

/// What lies in the file.
pub struct Everything {
    pub path: PathBuf,
    pub images: i64,
    /// Worked out from the logits that were stored. Fractions of all images.
    pub natural: f64,
    pub adversarial: f64,
    /// Images whose verdict is another one in the report: their two largest logits are closer than rounding.
    pub differing: i64,
}

impl Everything {
    pub fn facts(&self) -> Value {
        json!({
            "file": self.path.display().to_string(),
            "images": self.images,
            "natural_accuracy": self.natural,
            "adversarial_accuracy": self.adversarial,
            "differing": self.differing,
        })
    }
}

/// Writes the file. An image that no attack fooled is its own adversarial image, as in AutoAttack's program. `fooled`: the file of the
/// adversarial images that were found.
///
/// # Errors
/// What cannot be read or written.
pub fn gather(
    folder: &Path,
    fooled: &Stored,
    plan: &EvaluationPlan,
    report: &Report,
    examinee: &Examinee,
    batch: Option<usize>,
) -> anyhow::Result<Everything> {
    let _guard = tch::no_grad_guard();
    let (tensors, _) = decode(&fooled.path)?;
    let of = |name: &str| {
        let found = tensors.iter().find(|(own, _)| own == name).map(|(_, tensor)| tensor.shallow_clone());
        found.with_context(|| format!("{}: holds no {name}", fooled.path.display()))
    };
    let looked = examinee.look(plan.images.map_or(usize::MAX, |images| images as usize), batch)?;
    let rows: HashMap<i64, i64> = looked.places.iter().zip(0..).map(|(place, row)| (*place, row)).collect();
    let at: Vec<i64> =
        Vec::<f32>::try_from(of("places")?)?.into_iter().filter_map(|place| rows.get(&(place as i64)).copied()).collect();
    let at = Tensor::from_slice(&at);
    let (adversarial, adversarial_logits) = (looked.images.copy(), looked.logits.copy());
    let images = of("images")?;
    if at.numel() > 0 {
        let _ = adversarial.shallow_clone().index_copy_(0, &at, &images);
        let _ = adversarial_logits.shallow_clone().index_copy_(0, &at, &examinee.logits(&images, batch));
    }
    let (predictions, adversarial_predictions) = (answers(&looked.logits), answers(&adversarial_logits));
    let correct = predictions.eq_tensor(&looked.labels);
    let robust = adversarial_predictions.eq_tensor(&looked.labels).logical_and(&correct);
    let share = |flags: &Tensor| host::doubles(&flags.to_kind(Kind::Double).mean(Kind::Double))[0];
    let (natural, robust) = (share(&correct), share(&robust));
    let count = looked.places.len() as i64;
    let apart = |a: f64, b: f64| ((a - b).abs() * count as f64).round() as i64;
    let differing = apart(natural, report.natural).max(apart(robust, report.worst_case));
    let path = folder.join(FILE);
    let tensors = [
        ("images", looked.images),
        ("adversarial", adversarial),
        ("labels", looked.labels),
        ("logits", looked.logits),
        ("adversarial_logits", adversarial_logits),
        ("predictions", predictions),
        ("adversarial_predictions", adversarial_predictions),
        ("places", Tensor::from_slice(&looked.places)),
    ];
    let names: Vec<&str> = plan.ensembles.iter().map(|e| e.name.as_str()).collect();
    let spec = &plan.ensembles[0].members[0];
    let metadata = HashMap::from([
        ("format".to_string(), FORMAT.to_string()),
        ("attacks".into(), names.join(",")),
        ("norm".into(), spec.norm.to_string()),
        ("eps".into(), spec.eps.0.to_string()),
        ("split".into(), report.split.name().into()),
    ]);
    let bytes = encode_exactly(&tensors.map(|(name, tensor)| (name.to_string(), tensor)), metadata);
    write_atomically(&path, &bytes)
        .map_err(|error| crate::commands::Failed(format!("{}: cannot be written: {error}", path.display())))?;
    Ok(Everything { path, images: count, natural, adversarial: robust, differing })
}

/// The largest logit's class; -1 where a logit is no number.
fn answers(logits: &Tensor) -> Tensor {
    let finite = logits.isfinite().all_dim(1, false);
    logits.argmax(1, false).where_self(&finite, &Tensor::from(-1i64))
}
