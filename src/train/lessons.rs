//! What teachers say of every training image, asked once: for images that are never augmented they would say the same in every epoch.
//!
//! Kept in memory for the run and on disk for others with the same teacher and images, in a file that is named for both and appears
//! whole or not at all. Asked in other company an image's answer may differ in its last bits, so that a run with lessons is not
//! equal to the bit to one without. The time of asking is training time; who finds the file pays nothing, and the log says which.

use super::ends::{Ends, RunError, tell};
use super::memory::Memory;
use super::pool::Pool;
use super::robust_set::{Made, fingerprint};
use super::trainer::{Boundary, Trainer};
use crate::config::{Cache, Inputs, Method, Targets};
use crate::methods;
use crate::nn::{Model, Output, file};
use crate::protocol::Event;
use crate::protocol::event::{Preparing, Voice, Warning};
use crate::run::store::write_atomically;
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tch::{Device, Tensor};

/// Images that a teacher is asked about at once.
const PIECE: usize = 250;
const REPORT_EVERY: Duration = Duration::from_millis(500);
const FEATURES: &str = "features";
const LOGITS: &str = "logits";

/// `[N, D]` and `[N, K]` of each teacher, for the training images in their order, on the device.
pub struct Lessons(Vec<Output>);

impl Lessons {
    /// What each teacher says of the images in these places.
    pub fn of(&self, places: &[i64]) -> Vec<Output> {
        let pick = |said: &Output| {
            let at = Tensor::from_slice(places).to_device(said.logits.device());
            Output { logits: said.logits.index_select(0, &at), features: said.features.index_select(0, &at) }
        };
        self.0.iter().map(pick).collect()
    }
}

impl Trainer {
    /// Asks every teacher about every training image, where the config wants it kept and the method asks about those images at all.
    pub(super) fn take_lessons(&mut self, ends: &mut Ends) -> Result<Made, RunError> {
        let wanted = self.config.teacher.as_ref().is_some_and(|teacher| teacher.cache == Cache::Yes);
        let never = match self.config.method {
            Method::RrmPlus(plus) => plus.targets == Targets::Shown && (plus.inputs != Inputs::Clean || plus.attack_from == 0.0),
            _ => false,
        };
        // What is streamed was refused before.
        let Pool::Resident(memory) = &self.train else { return Ok(Made::All) };
        if !wanted || never {
            return Ok(Made::All);
        }
        let memory = memory.shallow_clone();
        let teachers: Vec<_> = self.teacher.iter().chain(&self.other_teachers).cloned().collect();
        let mut all = Vec::new();
        for teacher in teachers {
            let key = fingerprint(&teacher, self.config.teacher.as_ref(), &memory.bytes());
            let kept = self.cache.as_ref().map(|cache| cache.join(format!("lessons-{key}.safetensors")));
            if let Some((kept, said)) = kept.as_deref().and_then(|kept| Some((kept, read(kept, memory.len(), self.device)?))) {
                let line = format!("what the teacher says of {} images was found in {}", memory.len(), kept.display());
                tell(ends, Event::Said { source: Voice::Rematch, line })?;
                all.push(said);
                continue;
            }
            let begin = Instant::now();
            let evaluated = self.evaluation_time;
            let said = match self.ask_all(&teacher, &memory, ends)? {
                Ok(said) => said,
                Err(stopped) => return Ok(stopped),
            };
            // Without what was answered meanwhile.
            self.train_time += begin.elapsed().saturating_sub(self.evaluation_time.saturating_sub(evaluated));
            let seconds = begin.elapsed().as_secs_f64();
            let line = format!("what the teacher says of {} images was asked in {seconds:.1} s of training time", memory.len());
            tell(ends, Event::Said { source: Voice::Rematch, line })?;
            if let Some(error) = kept.as_deref().and_then(|kept| write(kept, &said).err()) {
                let message = format!("what the teacher says cannot be kept for later runs: {error}");
                tell(ends, Event::Warned { step: None, kind: Warning::Other, message })?;
            }
            all.push(said);
        }
        self.lessons = Some(Lessons(all));
        Ok(Made::All)
    }

    /// `Err`: a stop came first.
    fn ask_all(&mut self, teacher: &Model, memory: &Memory, ends: &mut Ends) -> Result<Result<Output, Made>, RunError> {
        let total = memory.len();
        let (mut features, mut logits) = (Vec::new(), Vec::new());
        let mut last = Instant::now();
        for from in (0..total).step_by(PIECE) {
            if let Boundary::Stop(stop) = self.boundary(ends)? {
                return Ok(Err(Made::Stopped(stop)));
            }
            let places: Vec<i64> = (from..(from + PIECE).min(total)).map(|i| i as i64).collect();
            let said = methods::ask(teacher, &memory.batch(&places).images);
            features.push(said.features);
            logits.push(said.logits);
            let done = from + places.len();
            if last.elapsed() >= REPORT_EVERY {
                last = Instant::now();
                let what = "teacher's answers".to_string();
                tell(ends, Event::Preparing(Preparing { what, done: done as u64, total: total as u64 }))?;
            }
        }
        Ok(Ok(Output { logits: Tensor::cat(&logits, 0), features: Tensor::cat(&features, 0) }))
    }
}

/// A whole file about so many images; anything else is asked anew.
fn read(kept: &Path, images: usize, device: Device) -> Option<Output> {
    let (tensors, _) = kept.exists().then(|| file::decode(kept).ok())??;
    let find = |name: &str| tensors.iter().find(|(own, _)| own == name).map(|(_, tensor)| tensor.to_device(device));
    let said = Output { logits: find(LOGITS)?, features: find(FEATURES)? };
    let fits = |tensor: &Tensor| tensor.dim() == 2 && tensor.size()[0] == images as i64;
    (fits(&said.logits) && fits(&said.features)).then_some(said)
}

fn write(kept: &Path, said: &Output) -> std::io::Result<()> {
    if let Some(folder) = kept.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let tensors = [(FEATURES.to_string(), said.features.shallow_clone()), (LOGITS.to_string(), said.logits.shallow_clone())];
    write_atomically(kept, &file::encode(&tensors, HashMap::new()))
}
