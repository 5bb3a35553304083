//! Robust accuracy one can believe: several attacks on the images that still stand, each number with how it was made.
//!
//! An ensemble's members run one after the other. Each restart or target class is a *stage*: the images that still stand, in the
//! order of the data set, are packed into batches anew, so that no fooled image is carried along. The flags of an image depend on
//! the weights, the attack's seed and the image's place, and on nothing else beyond floating-point rounding: not on the batch size,
//! not on what was interrupted. What is found is written down batch by batch ([`journal`]), so that hours survive an interruption.
//!
//! Beside what was asked for, the points of the curve and the small attacks that doubts are founded on are *measurements* like the
//! others: the same stages, the same journal.
//!
//! It does not choose attacks and shows nothing. What speaks against the numbers is [`super::doubts`]'s.

pub mod journal;
mod second_thoughts;
mod tally;

use self::journal::{Entry, Journal, JournalError, Trick};
use self::tally::Tally;
use super::crew::{self, Crew, Done, Job};
use super::device::ManyShapes;
use super::doubts::{self, Check};
use super::pool::Pool;
use crate::attacks::{Aim, Apgd, ArtAutoPgd, Attack, Ball, Fab, GoOn, Loss, Pgd, Square, Subjects, WorstOfPgd};
use crate::config::{AttackName, AttackSpec, Ensemble, Eps, RandomStart, Threat};
use crate::data::DataError;
use crate::nn::{Mode, Network, channels_last, host};
use crate::protocol::report::{AttackReport, Doubts, EvaluationPlan, EvaluationProgress, Report, StageReport};
use crate::random::AttackKey;
use std::time::Instant;
use tch::Tensor;

/// The batch of the RRM paper's attack, whose step size is the batch's: its numbers depend on it.
const ART_BATCH: usize = 50;

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{0}")]
    Images(String),
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
    /// Who attacks; `None`: this thread.
    pub crew: Option<&'a Crew>,
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
        let targets = if spec.name.targeted() { 1..=spec.targets } else { 0..=0 };
        for restart in 0..spec.restarts.max(1) {
            stages.extend(targets.clone().map(|target| Stage { member, target, restart }));
        }
    }
    stages
}

/// What a number is for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Asked,
    /// A point of the curve.
    Radius(Eps),
    Check(Check),
}

/// One number to be found.
struct Measurement {
    role: Role,
    ensemble: Ensemble,
    /// The first so many of the evaluation's images.
    images: usize,
}

/// One number that was found.
struct Measured {
    report: AttackReport,
    /// Per image.
    tricks: Vec<Option<Trick>>,
}

impl Audit<'_> {
    /// Evaluates; `None` when it was told not to go on. What the journal knows already is not done again.
    ///
    /// # Errors
    /// A file of a streamed set that cannot be read, a journal that cannot be written.
    pub fn run(&self, journal: &mut Journal, watcher: &mut dyn Watcher) -> Result<Option<Report>, AuditError> {
        let begin = Instant::now();
        let _shapes = ManyShapes::begin();
        let places = super::evaluate::subset(self.set.len(), self.plan.images.map_or(usize::MAX, |n| n as usize));
        let Some(subjects) = self.look(&places, watcher)? else { return Ok(None) };
        let measurements = self.measurements(&subjects);
        let mut tally = Tally::new(&measurements, subjects.len());
        let mut worst: Vec<Option<Trick>> = vec![None; subjects.len()];
        let mut found = Vec::with_capacity(measurements.len());
        for (index, measurement) in measurements.iter().enumerate() {
            let Some(measured) = self.measure(index, measurement, &subjects, &worst, &mut tally, journal, watcher)? else {
                return Ok(None);
            };
            if measurement.role == Role::Asked {
                for (worst, trick) in worst.iter_mut().zip(&measured.tricks) {
                    if worst.is_none() {
                        worst.clone_from(trick);
                    }
                }
            }
            found.push(measured);
        }
        let mut report = tally::report(self.plan, self.classes, &subjects, &worst, journal.not_again());
        self.second_thoughts(&subjects, &measurements, &found, &mut report)?;
        report
            .attacks
            .extend(measurements.iter().zip(found).filter(|(m, _)| m.role == Role::Asked).map(|(_, measured)| measured.report));
        report.seconds = super::trainer::round(begin.elapsed().as_secs_f64() + journal.seconds_before(), 3);
        Ok(Some(report))
    }

    /// Everything that is to be measured, in order. Depends on the plan and on which images are classified correctly, so that an
    /// evaluation that is gone on with has the same.
    fn measurements(&self, subjects: &[Subject]) -> Vec<Measurement> {
        let mut measurements: Vec<Measurement> = self
            .plan
            .ensembles
            .iter()
            .map(|ensemble| Measurement { role: Role::Asked, ensemble: ensemble.clone(), images: subjects.len() })
            .collect();
        if let Some(curve) = &self.plan.curve {
            let images = (curve.images as usize).min(subjects.len());
            measurements.extend(curve.radii.iter().map(|&eps| {
                let attack = curve.attack.at(eps);
                let ensemble = Ensemble { name: attack.short(), members: vec![attack] };
                Measurement { role: Role::Radius(eps), ensemble, images }
            }));
        }
        let threat = self.threat().filter(|_| self.plan.doubts == Doubts::Look);
        if let Some((threat, seed)) = threat {
            let sample = second_thoughts::sample(subjects).last().map_or(0, |&i| i + 1);
            let checks = doubts::checks(threat, self.set.image_len(), self.classes.len(), seed, &self.plan.ensembles);
            measurements.extend(checks.into_iter().map(|(check, ensemble)| Measurement {
                role: Role::Check(check),
                ensemble,
                images: sample,
            }));
        }
        measurements
    }

    /// What was asked for first.
    fn threat(&self) -> Option<(Threat, u64)> {
        let first = self.plan.ensembles.first()?.members.first()?;
        Some((Threat { norm: first.norm, eps: first.eps }, first.seed))
    }

    fn batch(&self, spec: Option<&AttackSpec>) -> usize {
        match spec {
            Some(spec) if spec.name == AttackName::ArtAutopgd => ART_BATCH,
            _ => self.batch.unwrap_or_else(|| super::evaluate::batch(self.set)).max(1),
        }
    }

    /// Images in each batch of so many: batches alike, and as many for each hand, so that none waits for another in the end. But the
    /// paper's attack depends on who shares a batch.
    fn share(&self, spec: &AttackSpec, images: usize) -> usize {
        let most = self.batch(Some(spec));
        if spec.name == AttackName::ArtAutopgd {
            return most;
        }
        let hands = self.crew.map_or(1, Crew::hands);
        let batches = images.div_ceil(most).next_multiple_of(hands).max(1);
        images.div_ceil(batches).max(1)
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

    /// `worst`: what the attacks that were asked for fooled before.
    #[expect(clippy::too_many_arguments, reason = "who watches and who writes down must be told from each other")]
    fn measure(
        &self,
        index: usize,
        measurement: &Measurement,
        all: &[Subject],
        worst: &[Option<Trick>],
        tally: &mut Tally,
        journal: &mut Journal,
        watcher: &mut dyn Watcher,
    ) -> Result<Option<Measured>, AuditError> {
        let subjects = &all[..measurement.images];
        let members = &measurement.ensemble.members;
        let mut tricks: Vec<Option<Trick>> = vec![None; all.len()];
        let correct = subjects.iter().filter(|s| s.stands()).count();
        let mut reports = Vec::new();
        for (number, stage) in stages(members).into_iter().enumerate() {
            let spec = &members[stage.member];
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
            tally.begin(measurement.role, spec, stage, standing.len());
            let mut done = std::collections::HashSet::new();
            for entry in journal.known(index, number) {
                done.extend(entry.places.iter().copied());
                take(entry, subjects, &mut tricks, &mut report);
                tally.known(entry);
            }
            let left: Vec<usize> = standing.into_iter().filter(|&i| !done.contains(&subjects[i].place)).collect();
            let size = self.share(spec, left.len());
            let jobs =
                left.chunks(size).map(|chunk| self.job(spec, stage, &chunk.iter().map(|&i| &subjects[i]).collect::<Vec<_>>()));
            let mut since = Instant::now();
            watcher.progress(&tally.progress(worst, &tricks, all));
            let answer = crew::attack(self.network, self.crew, jobs, watcher, |watcher, done| {
                let entry = self.look_again((index, number), spec, subjects, done, since.elapsed().as_secs_f64(), journal)?;
                since = Instant::now();
                take(&entry, subjects, &mut tricks, &mut report);
                tally.done(&entry);
                watcher.progress(&tally.progress(worst, &tricks, all));
                Ok::<_, AuditError>(())
            })?;
            if answer == GoOn::No {
                return Ok(None);
            }
            report.seconds = super::trainer::round(report.seconds, 3);
            reports.push(report);
        }
        let fooled = tricks.iter().flatten().count();
        let report = AttackReport {
            ensemble: measurement.ensemble.clone(),
            adversarial: (correct - fooled) as f64 / subjects.len().max(1) as f64,
            seconds: super::trainer::round(reports.iter().map(|r| r.seconds).sum(), 3),
            largest: tricks.iter().flatten().map(|t| t.distance).fold(0.0, f64::max),
            stages: reports,
        };
        Ok(Some(Measured { report, tricks }))
    }

    /// One batch of one stage.
    fn job(&self, spec: &AttackSpec, stage: Stage, rows: &[&Subject]) -> Result<Job, AuditError> {
        let wanted: Vec<i64> = rows.iter().map(|s| s.place).collect();
        let (batch, places) = self.set.batch(&wanted)?;
        if places != wanted {
            return Err(AuditError::Images(
                "images that could be read at the start of the evaluation cannot be read any more; put them back and go on with \
                 --resume"
                    .into(),
            ));
        }
        let targets = (stage.target > 0).then(|| {
            let targets: Vec<i64> = rows.iter().map(|s| s.ranking[stage.target as usize - 1]).collect();
            Tensor::from_slice(&targets).to_device(batch.images.device())
        });
        Ok(Job {
            attack: made(spec, Ball::new(spec.norm, spec.eps), stage),
            subjects: Subjects { images: channels_last(&batch.images), labels: batch.labels, targets, places },
            key: AttackKey::new(spec.seed, spec.name.name(), stage.target, stage.restart),
        })
    }

    /// A batch that was attacked, looked at again in other company and written down: only what fools the network twice counts.
    fn look_again(
        &self,
        (measurement, number): (usize, usize),
        spec: &AttackSpec,
        all: &[Subject],
        Done { subjects, found }: Done,
        seconds: f64,
        journal: &mut Journal,
    ) -> Result<Entry, AuditError> {
        let ball = Ball::new(spec.norm, spec.eps);
        let fooled: Vec<usize> = (0..subjects.len()).filter(|&i| found.fooled[i]).collect();
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
                let place = subjects.places[i];
                let answer = if finite[row] { answers[row] } else { -1 };
                if all.binary_search_by_key(&place, |s| s.place).is_ok_and(|at| all[at].label == answer) {
                    not_again += 1;
                    continue;
                }
                tricks.push(Trick { place, answer, distance: distances[row] });
                kept.push(row as i64);
            }
            // Those of the curve and the checks lie in other balls.
            if journal.keeps_images() && measurement < self.plan.ensembles.len() && !kept.is_empty() {
                let kept = Tensor::from_slice(&kept).to_device(adversarial.device());
                let pixels = host::floats(&adversarial.index_select(0, &kept));
                let places: Vec<i64> = tricks.iter().map(|t| t.place).collect();
                journal.keep(measurement, number, &places, &pixels)?;
            }
        }
        let entry = Entry {
            ensemble: measurement,
            stage: number,
            places: subjects.places,
            tricks,
            not_again,
            seconds: super::trainer::round(seconds, 4),
            forwards: found.passes.forwards + fooled.len() as u64,
            gradients: found.passes.gradients,
        };
        journal.write(&entry)?;
        Ok(entry)
    }
}

fn take(entry: &Entry, subjects: &[Subject], tricks: &mut [Option<Trick>], report: &mut StageReport) {
    for trick in &entry.tricks {
        // Places are in ascending order. On another device an image may be taken for something else as it is.
        if let Ok(i) = subjects.binary_search_by_key(&trick.place, |s| s.place)
            && subjects[i].stands()
        {
            tricks[i] = Some(trick.clone());
        }
    }
    report.fooled += entry.tricks.len() as u64;
    report.seconds += entry.seconds;
    report.forwards += entry.forwards;
    report.gradients += entry.gradients;
}

/// The attack of one stage.
fn made(spec: &AttackSpec, ball: Ball, stage: Stage) -> Box<dyn Attack> {
    let apgd = |loss| Apgd { ball, steps: spec.steps, loss, eot: spec.eot };
    let fab = |aim| {
        let start = if stage.restart == 0 { RandomStart::No } else { RandomStart::Yes };
        Fab { ball, steps: spec.steps, aim, start }
    };
    match spec.name {
        AttackName::Fgsm | AttackName::Pgd => {
            let pgd = Pgd { ball, steps: spec.steps, step_size: spec.step_size.0 };
            Box::new(WorstOfPgd { pgd, start: spec.random_start })
        }
        AttackName::ApgdCe => Box::new(apgd(Loss::CrossEntropy)),
        AttackName::ApgdDlr => Box::new(apgd(Loss::Dlr)),
        AttackName::ApgdT => Box::new(apgd(Loss::TargetedDlr)),
        AttackName::Fab => Box::new(fab(Aim::Nearest)),
        AttackName::FabT => Box::new(fab(Aim::Target)),
        AttackName::Square => Box::new(Square { ball, queries: spec.steps }),
        AttackName::ArtAutopgd => {
            let keys = (0..=stage.restart).map(|r| AttackKey::new(spec.seed, spec.name.name(), 0, r)).collect();
            Box::new(ArtAutoPgd { ball, steps: spec.steps, step_size: spec.step_size.0, keys })
        }
    }
}
