//! Robust accuracy one can believe: several attacks on the images that still stand, each number with how it was made.
//!
//! An ensemble's members run one after the other. Each restart or target class is a *stage*: the images that still stand, in the
//! order of the data set, are packed into batches anew, so that no fooled image is carried along. The flags of an image depend on
//! the weights, the attack's seed and the image's place, and on nothing else beyond floating-point rounding: not on the batch size,
//! not on what was interrupted. What is found is written down batch by batch ([`journal`]), so that hours survive an interruption.
//!
//! It does not choose attacks and shows nothing. What speaks against the numbers is [`super::doubts`]'s.

pub mod journal;
mod tally;

use self::journal::{Entry, Journal, JournalError, Trick};
use self::tally::Tally;
use super::pool::Pool;
use crate::attacks::{Apgd, Attack, Ball, Fooled, GoOn, Loss, Pgd, Setting, Subjects, WorstOfPgd};
use crate::config::{AttackName, AttackSpec};
use crate::data::DataError;
use crate::nn::{Mode, Network, channels_last, host};
use crate::protocol::report::{AttackReport, EvaluationPlan, EvaluationProgress, Report, StageReport};
use crate::random::AttackKey;
use std::time::Instant;
use tch::Tensor;

/// Images in a batch, and the numbers they may have in all: of large images fewer fit.
const BATCH: usize = 250;
const NUMBERS: usize = BATCH * 3 * 64 * 64;
/// The batch of the RRM paper's attack, whose step size is the batch's: its numbers depend on it.
const ART_BATCH: usize = 50;

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{0}")]
    Attack(String),
}

/// Who waits for an evaluation.
pub trait Watcher {
    /// Asked before each pass over a batch.
    fn go_on(&mut self) -> GoOn;
    /// Told between batches.
    fn progress(&mut self, progress: &EvaluationProgress);
}

/// What is evaluated, and on what.
pub struct Audit<'a> {
    /// In eval mode, folded where it can be.
    pub network: &'a dyn Network,
    pub set: &'a Pool,
    pub classes: &'a [String],
    pub plan: &'a EvaluationPlan,
    /// Images in a batch; `None`: as many as are usual.
    pub batch: Option<usize>,
}

/// One image as it is.
#[derive(Clone, Debug)]
struct Subject {
    place: i64,
    label: i64,
    /// Class answered; -1 where the answer is no number.
    answer: i64,
    /// The wrong classes, the likeliest first.
    ranking: Vec<i64>,
}

impl Subject {
    fn stands(&self) -> bool {
        self.answer == self.label
    }
}

/// One pass over what stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stage {
    member: usize,
    target: u32,
    restart: u32,
}

fn stages(members: &[AttackSpec]) -> Vec<Stage> {
    let mut stages = Vec::new();
    for (member, spec) in members.iter().enumerate() {
        // Its restarts hang together.
        let restarts = if spec.name == AttackName::ArtAutopgd { 1 } else { spec.restarts.max(1) };
        let targets = if spec.name.targeted() { 1..=spec.targets } else { 0..=0 };
        for restart in 0..restarts {
            stages.extend(targets.clone().map(|target| Stage { member, target, restart }));
        }
    }
    stages
}

impl Audit<'_> {
    /// Evaluates; `None` when it was told not to go on. What the journal knows already is not done again.
    ///
    /// # Errors
    /// A file of a streamed set that cannot be read, a journal that cannot be written, an attack that cannot be made.
    pub fn run(&self, journal: &mut Journal, watcher: &mut dyn Watcher) -> Result<Option<Report>, AuditError> {
        let begin = Instant::now();
        let places = super::evaluate::subset(self.set.len(), self.plan.images.map_or(usize::MAX, |n| n as usize));
        let Some(subjects) = self.look(&places, watcher)? else { return Ok(None) };
        let mut tally = Tally::new(self.plan, subjects.len());
        let mut attacks = Vec::new();
        let mut tricks: Vec<Option<Trick>> = vec![None; subjects.len()];
        for ensemble in 0..self.plan.ensembles.len() {
            let Some(report) = self.ensemble(ensemble, &subjects, &mut tricks, &mut tally, journal, watcher)? else {
                return Ok(None);
            };
            attacks.push(report);
        }
        let mut report = tally::report(self.plan, self.classes, &subjects, &tricks, journal.not_again(), attacks);
        let good: Vec<i64> = subjects.iter().filter(|s| s.stands()).map(|s| s.place).collect();
        if !self.second_thoughts(&places, &good, &mut report, &mut tally, watcher)? {
            return Ok(None);
        }
        report.seconds = super::trainer::round(begin.elapsed().as_secs_f64() + journal.seconds_before(), 3);
        Ok(Some(report))
    }

    fn batch(&self, spec: Option<&AttackSpec>) -> usize {
        match spec {
            Some(spec) if spec.name == AttackName::ArtAutopgd => ART_BATCH,
            _ => self.batch.unwrap_or((NUMBERS / self.set.image_len().max(1)).clamp(1, BATCH)).max(1),
        }
    }

    /// What the network says of each image as it is.
    fn look(&self, places: &[i64], watcher: &mut dyn Watcher) -> Result<Option<Vec<Subject>>, AuditError> {
        let mut subjects = Vec::with_capacity(places.len());
        for chunk in places.chunks(self.batch(None)) {
            if watcher.go_on() == GoOn::No {
                return Ok(None);
            }
            let (batch, read) = self.set.batch(chunk)?;
            if read.is_empty() {
                continue;
            }
            let _guard = tch::no_grad_guard();
            let logits = self.network.forward(&batch.images, Mode::Eval).logits;
            let order = host::integers(&logits.argsort(1, true));
            let finite = host::flags(&logits.isfinite().all_dim(1, false));
            let first = host::integers(&logits.argmax(1, false));
            let labels = host::integers(&batch.labels);
            let classes = logits.size()[1] as usize;
            for (i, &place) in read.iter().enumerate() {
                let label = labels[i];
                let ranking = order[i * classes..(i + 1) * classes].iter().copied().filter(|&class| class != label).collect();
                subjects.push(Subject { place, label, answer: if finite[i] { first[i] } else { -1 }, ranking });
            }
        }
        Ok(Some(subjects))
    }

    fn ensemble(
        &self,
        index: usize,
        subjects: &[Subject],
        worst: &mut [Option<Trick>],
        tally: &mut Tally,
        journal: &mut Journal,
        watcher: &mut dyn Watcher,
    ) -> Result<Option<AttackReport>, AuditError> {
        let ensemble = &self.plan.ensembles[index];
        let mut tricks: Vec<Option<Trick>> = vec![None; subjects.len()];
        let correct = subjects.iter().filter(|s| s.stands()).count();
        let mut reports = Vec::new();
        for (number, stage) in stages(&ensemble.members).into_iter().enumerate() {
            let standing: Vec<usize> = (0..subjects.len()).filter(|&i| subjects[i].stands() && tricks[i].is_none()).collect();
            let mut report = StageReport {
                member: stage.member,
                target: stage.target,
                restart: stage.restart,
                attacked: standing.len() as u64,
                fooled: 0,
                seconds: 0.0,
                forwards: 0,
                gradients: 0,
            };
            tally.begin(&ensemble.members[stage.member], stage.target, stage.restart, standing.len());
            let known: Vec<Entry> = journal.known(index, number).cloned().collect();
            let mut done = std::collections::HashSet::new();
            for entry in known {
                done.extend(entry.places.iter().copied());
                take(&entry, subjects, &mut tricks, &mut report);
                tally.known(&entry);
            }
            let left: Vec<usize> = standing.into_iter().filter(|&i| !done.contains(&subjects[i].place)).collect();
            for chunk in left.chunks(self.batch(Some(&ensemble.members[stage.member]))) {
                watcher.progress(&tally.progress(worst, &tricks, subjects));
                let rows: Vec<&Subject> = chunk.iter().map(|&i| &subjects[i]).collect();
                let Some(entry) = self.attack(index, number, stage, &rows, journal, watcher)? else { return Ok(None) };
                take(&entry, subjects, &mut tricks, &mut report);
                tally.done(&entry);
            }
            report.seconds = super::trainer::round(report.seconds, 3);
            reports.push(report);
        }
        for (worst, trick) in worst.iter_mut().zip(&tricks) {
            if worst.is_none() {
                worst.clone_from(trick);
            }
        }
        let fooled = tricks.iter().flatten().count();
        Ok(Some(AttackReport {
            ensemble: ensemble.clone(),
            adversarial: (correct - fooled) as f64 / subjects.len().max(1) as f64,
            seconds: super::trainer::round(reports.iter().map(|r| r.seconds).sum(), 3),
            largest: tricks.iter().flatten().map(|t| t.distance).fold(0.0, f64::max),
            stages: reports,
        }))
    }

    /// One batch of one stage, looked at again and written down.
    fn attack(
        &self,
        ensemble: usize,
        number: usize,
        stage: Stage,
        rows: &[&Subject],
        journal: &mut Journal,
        watcher: &mut dyn Watcher,
    ) -> Result<Option<Entry>, AuditError> {
        let begin = Instant::now();
        let spec = &self.plan.ensembles[ensemble].members[stage.member];
        let wanted: Vec<i64> = rows.iter().map(|s| s.place).collect();
        let (batch, places) = self.set.batch(&wanted)?;
        if places != wanted {
            return Err(AuditError::Attack(
                "images that could be read at the start of the evaluation cannot be read any more; put them back and go on with \
                 --resume"
                    .into(),
            ));
        }
        let targets = (stage.target > 0).then(|| {
            let targets: Vec<i64> = rows.iter().map(|s| s.ranking[stage.target as usize - 1]).collect();
            Tensor::from_slice(&targets).to_device(batch.images.device())
        });
        let subjects = Subjects { images: channels_last(&batch.images), labels: batch.labels, targets, places };
        let ball = Ball::new(spec.norm, spec.eps);
        let key = AttackKey::new(spec.seed, spec.name.name(), stage.target, stage.restart);
        let mut go_on = || watcher.go_on();
        let mut setting = Setting { network: self.network, key, fooled: Fooled::Leave, go_on: &mut go_on };
        let Some(found) = made(spec, ball)?.run(&subjects, &mut setting) else { return Ok(None) };
        // Looked at again, in other company: only what fools the network twice counts.
        let fooled: Vec<usize> = (0..rows.len()).filter(|&i| found.fooled[i]).collect();
        let mut tricks = Vec::with_capacity(fooled.len());
        let mut not_again = 0;
        if !fooled.is_empty() {
            let _guard = tch::no_grad_guard();
            let index: Vec<i64> = fooled.iter().map(|&i| i as i64).collect();
            let index = Tensor::from_slice(&index).to_device(subjects.images.device());
            let adversarial = channels_last(&found.adversarial.index_select(0, &index));
            let logits = self.network.forward(&adversarial, Mode::Eval).logits;
            let finite = host::flags(&logits.isfinite().all_dim(1, false));
            let answers = host::integers(&logits.argmax(1, false));
            let distances = host::doubles(&ball.distance(&subjects.images.index_select(0, &index), &adversarial));
            let mut kept = Vec::new();
            for (row, &i) in fooled.iter().enumerate() {
                let answer = if finite[row] { answers[row] } else { -1 };
                if answer == rows[i].label {
                    not_again += 1;
                    continue;
                }
                tricks.push(Trick { place: rows[i].place, answer, distance: distances[row] });
                kept.push(row as i64);
            }
            if journal.keeps_images() && !kept.is_empty() {
                let kept = Tensor::from_slice(&kept).to_device(adversarial.device());
                let pixels = host::floats(&adversarial.index_select(0, &kept));
                let places: Vec<i64> = tricks.iter().map(|t| t.place).collect();
                journal.keep(ensemble, number, &places, &pixels)?;
            }
        }
        let entry = Entry {
            ensemble,
            stage: number,
            places: wanted,
            tricks,
            not_again,
            seconds: super::trainer::round(begin.elapsed().as_secs_f64(), 4),
            forwards: found.passes.forwards + fooled.len() as u64,
            gradients: found.passes.gradients,
        };
        journal.write(&entry)?;
        Ok(Some(entry))
    }

    /// The curve and the doubts; false when it was told not to go on.
    fn second_thoughts(
        &self,
        _places: &[i64],
        _good: &[i64],
        _report: &mut Report,
        _tally: &mut Tally,
        _watcher: &mut dyn Watcher,
    ) -> Result<bool, AuditError> {
        Ok(true)
    }
}

fn take(entry: &Entry, subjects: &[Subject], tricks: &mut [Option<Trick>], report: &mut StageReport) {
    for trick in &entry.tricks {
        // Places are in ascending order.
        if let Ok(i) = subjects.binary_search_by_key(&trick.place, |s| s.place) {
            tricks[i] = Some(trick.clone());
        }
    }
    report.fooled += entry.tricks.len() as u64;
    report.seconds += entry.seconds;
    report.forwards += entry.forwards;
    report.gradients += entry.gradients;
}

/// The attack of one stage.
fn made(spec: &AttackSpec, ball: Ball) -> Result<Box<dyn Attack>, AuditError> {
    match spec.name {
        AttackName::Fgsm | AttackName::Pgd => {
            let pgd = Pgd { ball, steps: spec.steps, step_size: spec.step_size.0 };
            Ok(Box::new(WorstOfPgd { pgd, start: spec.random_start }))
        }
        AttackName::ApgdCe | AttackName::ApgdDlr | AttackName::ApgdT => {
            let loss = match spec.name {
                AttackName::ApgdDlr => Loss::Dlr,
                AttackName::ApgdT => Loss::TargetedDlr,
                _ => Loss::CrossEntropy,
            };
            Ok(Box::new(Apgd { ball, steps: spec.steps, loss, eot: spec.eot }))
        }
        other => Err(AuditError::Attack(format!("{} is not there", other.name()))),
    }
}
