//! A finished model that is only looked at, for `rematch eval` and `rematch import --data`: on the thread that asks, without a run.

use super::audit::journal::Journal;
use super::audit::{Audit, AuditError, Watcher};
use super::crew::Crew;
use super::pool::Pool;
use super::worker::SetupError;
use super::{checkpoint, device, evaluate};
use crate::attacks::Ball;
use crate::config::{AttackSpec, Config, DeviceChoice};
use crate::data::decoders::Decoders;
use crate::data::{DataError, Portion};
use crate::nn::model::Model;
use crate::nn::{Mode, Network as _, channels_last, host};
use crate::protocol::report::{EvaluationPlan, Report};
use std::path::{Path, PathBuf};
use tch::{Device, Tensor};

/// A model from a file, a checkpoint or a run, and the images of a split on the same device.
pub struct Examinee {
    pub path: PathBuf,
    model: Model,
    set: Pool,
    pub device: String,
}

/// Which images.
pub struct Images<'a> {
    pub images: &'a Portion,
    pub classes: &'a [String],
}

/// Images as they are, and what a model says of them. N images.
pub struct Looked {
    /// In the split, in ascending order.
    pub places: Vec<i64>,
    /// `[N, C, H, W]`, in [0, 1].
    pub images: Tensor,
    /// `[N]`, int64.
    pub labels: Tensor,
    /// `[N, classes]`.
    pub logits: Tensor,
}

impl Examinee {
    pub fn load(what: &Path, set: &Images, choice: DeviceChoice) -> Result<Self, SetupError> {
        let device = device::open(choice)?;
        let path = checkpoint::model_file(what)?;
        let (model, _) = Model::read(&path, device).map_err(SetupError::ModelFile)?;
        let mismatch = |why: String| SetupError::ModelMismatch { path: path.clone(), why };
        if model.description.shape != set.images.shape() || model.description.classes.len() != set.classes.len() {
            return Err(mismatch(format!(
                "it is for images of {:?} and {} classes, the data has {:?} and {}",
                model.description.shape,
                model.description.classes.len(),
                set.images.shape(),
                set.classes.len()
            )));
        }
        model.freeze();
        Ok(Self { path, set: Pool::new(set.images, device, &Decoders::default()), model, device: device::label(device) })
    }

    pub fn len(&self) -> usize {
        self.set.len()
    }

    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// What was found out about the data's files while evaluating.
    pub fn take_remarks(&self) -> Vec<String> {
        self.set.take_remarks()
    }

    /// Channels, height, width.
    pub fn shape(&self) -> [usize; 3] {
        self.model.description.shape
    }

    /// The attacks of a plan; see [`audit`].
    ///
    /// # Errors
    /// As [`Audit::run`].
    pub fn audit(
        &self,
        plan: &EvaluationPlan,
        classes: &[String],
        batch: Option<usize>,
        journal: &mut Journal,
        watcher: &mut dyn Watcher,
    ) -> Result<Option<Report>, AuditError> {
        let crew = Crew::for_model(&self.model);
        let network = self.model.folded_in_blocks();
        Audit { network: &network, crew: crew.as_ref(), set: &self.set, classes, plan, batch }.run(journal, watcher)
    }

    /// The first `images` of the images that an evaluation looks at, as they are, with the model's answers. All on the host.
    ///
    /// # Errors
    /// A file of a streamed set that cannot be read.
    pub fn look(&self, images: usize, batch: Option<usize>) -> Result<Looked, DataError> {
        let _guard = tch::no_grad_guard();
        let network = self.model.folded_in_blocks();
        let (mut seen, mut places) = (Vec::new(), Vec::new());
        for chunk in evaluate::subset(self.set.len(), images).chunks(batch.unwrap_or_else(|| evaluate::batch(&self.set)).max(1)) {
            let (batch, read) = self.set.batch(chunk)?;
            if read.is_empty() {
                continue;
            }
            let logits = network.forward(&batch.images, Mode::Eval).logits;
            seen.push([batch.images.contiguous(), batch.labels, logits].map(|tensor| tensor.to_device(Device::Cpu)));
            places.extend(read);
        }
        let [images, labels, logits] =
            [0, 1, 2].map(|part| Tensor::cat(&seen.iter().map(|some| &some[part]).collect::<Vec<_>>(), 0));
        Ok(Looked { places, images, labels, logits })
    }

    /// The model's logits of images in [0, 1], on the host.
    pub fn logits(&self, images: &Tensor, batch: Option<usize>) -> Tensor {
        let _guard = tch::no_grad_guard();
        let network = self.model.folded_in_blocks();
        let size = batch.unwrap_or_else(|| evaluate::batch(&self.set)).max(1) as i64;
        let device = self.model.parameters.flat().device();
        let all: Vec<Tensor> = images
            .split(size, 0)
            .iter()
            .map(|some| network.forward(&channels_last(&some.to_device(device)), Mode::Eval).logits.to_device(Device::Cpu))
            .collect();
        Tensor::cat(&all, 0)
    }

    /// Of images beside their originals at these places: the largest distance, the lowest and the highest pixel.
    ///
    /// # Errors
    /// A file of a streamed set that cannot be read.
    pub fn distances(&self, places: &[i64], images: &Tensor, ball: Ball) -> Result<(f64, f64, f64), DataError> {
        let (mut largest, mut lowest, mut highest) = (0.0f64, 0.0f64, 0.0f64);
        for (i, chunk) in places.chunks(250).enumerate() {
            let (batch, _) = self.set.batch(chunk)?;
            let some = images.narrow(0, i as i64 * 250, chunk.len() as i64).to_device(batch.images.device());
            largest = host::doubles(&ball.distance(&batch.images, &some)).into_iter().fold(largest, f64::max);
            lowest = host::doubles(&some.min()).into_iter().fold(lowest, f64::min);
            highest = host::doubles(&some.max()).into_iter().fold(highest, f64::max);
        }
        Ok((largest, lowest, highest))
    }

    /// `images`: how many, always the same ones.
    ///
    /// # Errors
    /// A file of a streamed set that cannot be read.
    pub fn evaluate(&self, attack: &AttackSpec, images: usize) -> Result<Option<evaluate::Accuracy>, DataError> {
        evaluate::evaluate(&self.model, &self.set, &evaluate::subset(self.set.len(), images), attack, |_| {
            crate::attacks::GoOn::Yes
        })
    }
}

/// The model file that a path means, and the config it was trained with, where the file says so.
pub fn made_with(what: &Path) -> Result<(PathBuf, Option<Config>), SetupError> {
    let path = checkpoint::model_file(what)?;
    let (_, metadata) = crate::nn::file::decode(&path).map_err(SetupError::ModelFile)?;
    let provenance: serde_json::Value = metadata.get("provenance").and_then(|p| serde_json::from_str(p).ok()).unwrap_or_default();
    Ok((path, serde_json::from_value(provenance["config"].clone()).ok()))
}
