//! `--save`: the adversarial images in one file, and their norms measured on what that file holds.

use anyhow::Context;
use rematch::attacks::Ball;
use rematch::nn::file::{decode, encode};
use rematch::protocol::report::EvaluationPlan;
use rematch::run::store::write_atomically;
use rematch::train::audit::journal::{IMAGES, Journal};
use rematch::train::examinee::Examinee;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use tch::Tensor;

/// Distances are sums of rounded 32-bit numbers.
const ROUNDING: f64 = 1e-6;

/// What lies in the file, as it was read back.
pub struct Stored {
    pub path: PathBuf,
    pub images: usize,
    /// In the norm of the attack.
    pub largest: f64,
    pub lowest_pixel: f64,
    pub highest_pixel: f64,
}

impl Stored {
    pub fn facts(&self) -> Value {
        json!({
            "file": self.path.display().to_string(),
            "images": self.images,
            "largest_norm": self.largest,
            "lowest_pixel": self.lowest_pixel,
            "highest_pixel": self.highest_pixel,
        })
    }
}

/// Puts the kept images of all batches together, the first that fooled an image, and checks the file that came out.
///
/// # Errors
/// What cannot be read or written, and an image outside of the ball: then the number is not to be quoted.
pub fn gather(folder: &Path, journal: &Journal, plan: &EvaluationPlan, examinee: &Examinee) -> anyhow::Result<Stored> {
    let each = examinee.shape().iter().product::<usize>();
    let mut first: BTreeMap<i64, (usize, i64, Vec<f32>)> = BTreeMap::new();
    for entry in journal.entries() {
        let Some(pixels) = Journal::kept(folder, entry)? else { continue };
        if pixels.len() != entry.tricks.len() * each {
            anyhow::bail!("{}: images of a batch are damaged; evaluate again", folder.join(IMAGES).display());
        }
        for (trick, image) in entry.tricks.iter().zip(pixels.chunks_exact(each)) {
            first.entry(trick.place).or_insert_with(|| (entry.ensemble, trick.answer, image.to_vec()));
        }
    }
    let path = folder.join("adversarial.safetensors");
    let [c, h, w] = examinee.shape().map(|d| d as i64);
    let n = first.len() as i64;
    let places: Vec<i64> = first.keys().copied().collect();
    let pixels: Vec<f32> = first.values().flat_map(|(_, _, image)| image.iter().copied()).collect();
    let numbers = |values: Vec<f32>| Tensor::from_slice(&values);
    let tensors = [
        ("images".to_string(), Tensor::from_slice(&pixels).view([n, c, h, w])),
        // Counts below 2^24 are exact in 32-bit floats.
        ("places".to_string(), numbers(places.iter().map(|&p| p as f32).collect())),
        ("answers".to_string(), numbers(first.values().map(|(_, answer, _)| *answer as f32).collect())),
        ("ensembles".to_string(), numbers(first.values().map(|(ensemble, _, _)| *ensemble as f32).collect())),
    ];
    let names: Vec<&str> = plan.ensembles.iter().map(|e| e.name.as_str()).collect();
    let metadata =
        HashMap::from([("format".to_string(), "rematch-adversarial-1".to_string()), ("attacks".into(), names.join(","))]);
    write_atomically(&path, &encode(&tensors, metadata)).with_context(|| format!("{}: cannot be written", path.display()))?;
    let (read, _) = decode(&path)?;
    let images = read.into_iter().find(|(name, _)| name == "images").map(|(_, tensor)| tensor);
    let images = images.with_context(|| format!("{}: holds no images", path.display()))?;
    let spec = &plan.ensembles[0].members[0];
    let stored = examinee.distances(&places, &images, Ball::new(spec.norm, spec.eps))?;
    let stored = Stored { path, images: places.len(), largest: stored.0, lowest_pixel: stored.1, highest_pixel: stored.2 };
    if stored.largest > spec.eps.0 + ROUNDING || stored.lowest_pixel < 0.0 || stored.highest_pixel > 1.0 {
        return Err(crate::commands::Failed(format!(
            "{}: its images reach {:.7} from their originals with pixels of {} to {}; allowed: {} and 0 to 1. This is a fault of rematch: do not quote the number",
            stored.path.display(),
            stored.largest,
            stored.lowest_pixel,
            stored.highest_pixel,
            spec.eps
        ))
        .into());
    }
    // The one file has them all.
    let _ = std::fs::remove_dir_all(folder.join(IMAGES));
    Ok(stored)
}
