//! How far an evaluation is, how long it may take, and what it comes to in the end.

use super::journal::{Entry, Trick};
use super::{Measurement, Role, Stage, Subject, stages};
use crate::config::{AttackName, AttackSpec};
use crate::protocol::report::{ClassReport, Doubt, EvaluationPlan, EvaluationProgress, FORMAT, Report, Suspicion, interval};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// A gradient of the input costs about three forward passes.
const GRADIENT: f64 = 3.0;

pub(super) struct Tally<'a> {
    measurements: &'a [Measurement],
    images: usize,
    doing: String,
    /// Stages begun, over all measurements.
    begun: u64,
    stages: u64,
    done: u64,
    total: u64,
    /// Of the images of this stage, per image.
    cost: f64,
    /// In forward passes, measured since the start of this process.
    work: f64,
    since: Instant,
}

/// Forward passes that one image costs, when it stands to the end.
fn cost(spec: &AttackSpec) -> f64 {
    let steps = f64::from(spec.steps);
    let eot = f64::from(spec.eot.max(1));
    match spec.name {
        AttackName::Fgsm | AttackName::Pgd => GRADIENT * steps + 1.0,
        AttackName::ApgdCe | AttackName::ApgdDlr | AttackName::ApgdT => GRADIENT * (steps + 1.0) * eot,
        AttackName::FabT => (GRADIENT + 1.0) * steps,
        // A gradient a class; ten is a guess.
        AttackName::Fab => (10.0 * GRADIENT + 1.0) * steps,
        AttackName::Square => steps,
        AttackName::ArtAutopgd => GRADIENT * steps,
    }
}

fn cost_of(members: &[AttackSpec], stages: &[Stage]) -> f64 {
    stages.iter().map(|stage| cost(&members[stage.member])).sum()
}

impl<'a> Tally<'a> {
    pub(super) fn new(measurements: &'a [Measurement], images: usize) -> Self {
        let stages = measurements.iter().map(|m| stages(&m.ensemble.members).len() as u64).sum();
        Self {
            measurements,
            images,
            doing: String::new(),
            begun: 0,
            stages,
            done: 0,
            total: 0,
            cost: 0.0,
            work: 0.0,
            since: Instant::now(),
        }
    }

    pub(super) fn begin(&mut self, role: Role, spec: &AttackSpec, stage: Stage, images: usize) {
        self.doing = match role {
            Role::Asked => spec.short(),
            Role::Radius(eps) => format!("curve, eps {eps}"),
            Role::Check(_) => format!("doubts, {} eps {}", spec.short(), spec.eps),
        };
        if stage.target > 0 {
            let _ = write!(self.doing, " target {}/{}", stage.target, spec.targets);
        }
        if spec.restarts > 1 {
            let _ = write!(self.doing, " restart {}/{}", stage.restart + 1, spec.restarts);
        }
        (self.begun, self.done, self.total, self.cost) = (self.begun + 1, 0, images as u64, cost(spec));
    }

    /// Work of an earlier session.
    pub(super) fn known(&mut self, entry: &Entry) {
        self.done += entry.places.len() as u64;
    }

    pub(super) fn done(&mut self, entry: &Entry) {
        self.known(entry);
        self.work += entry.forwards as f64 + GRADIENT * entry.gradients as f64;
    }

    /// `worst`: what the attacks that were asked for found before; `tricks`: what this measurement did so far.
    pub(super) fn progress(&self, worst: &[Option<Trick>], tricks: &[Option<Trick>], subjects: &[Subject]) -> EvaluationProgress {
        let mut left = (self.total - self.done.min(self.total)) as f64 * self.cost;
        let (mut number, mut asked) = (0, true);
        for measurement in self.measurements {
            let stages = stages(&measurement.ensemble.members);
            let begun = (self.begun.saturating_sub(number) as usize).min(stages.len());
            let images = &subjects[..measurement.images];
            if begun > 0 {
                asked = measurement.role == Role::Asked;
            }
            // What stands now will mostly stand; what is measured after this begins with all that is correct.
            let standing = (0..images.len()).filter(|&i| images[i].stands() && (begun == 0 || tricks[i].is_none())).count();
            left += cost_of(&measurement.ensemble.members, &stages[begun..]) * standing as f64;
            number += stages.len() as u64;
        }
        // Curve and doubts are no part of the number.
        let fooled = |i: usize| worst[i].is_some() || (asked && tricks[i].is_some());
        let robust = (0..subjects.len()).filter(|&i| subjects[i].stands() && !fooled(i)).count();
        let spent = self.since.elapsed();
        let left_ms =
            (spent > Duration::from_secs(2) && self.work > 0.0).then(|| (left * spent.as_secs_f64() / self.work * 1e3) as u64);
        EvaluationProgress {
            doing: self.doing.clone(),
            stage: self.begun,
            stages: self.stages,
            done: self.done,
            total: self.total,
            robust: robust as f64 / self.images.max(1) as f64,
            left_ms,
        }
    }
}

/// Everything that is counted, without the attacks, the curve and the doubts about them.
pub(super) fn report(
    plan: &EvaluationPlan,
    classes: &[String],
    subjects: &[Subject],
    worst: &[Option<Trick>],
    not_again: u64,
) -> Report {
    let images = subjects.len();
    let share = |n: usize| n as f64 / images.max(1) as f64;
    let natural = subjects.iter().filter(|s| s.stands()).count();
    let stands = |i: usize| subjects[i].stands() && worst[i].is_none();
    let mut of_class = vec![(0u64, 0u64, 0u64); classes.len()];
    let mut confusion = vec![vec![0; classes.len()]; classes.len()];
    for (i, subject) in subjects.iter().enumerate() {
        let Some(count) = of_class.get_mut(subject.label as usize) else { continue };
        count.0 += 1;
        count.1 += u64::from(subject.stands());
        count.2 += u64::from(stands(i));
        let answer = worst[i].as_ref().map_or(subject.answer, |trick| trick.answer);
        // An answer that is no number is none of the classes.
        if let Some(cell) = usize::try_from(answer).ok().and_then(|a| confusion[subject.label as usize].get_mut(a)) {
            *cell += 1;
        }
    }
    let ratio = |a: u64, b: u64| a as f64 / b.max(1) as f64;
    let worst_case = share((0..images).filter(|&i| stands(i)).count());
    let mut report = Report {
        format: FORMAT,
        of: plan.of,
        split: plan.split,
        images: images as u64,
        natural: share(natural),
        worst_case,
        attacks: Vec::new(),
        classes: classes
            .iter()
            .zip(of_class)
            .map(|(name, (images, natural, robust))| ClassReport {
                name: name.clone(),
                images,
                natural: ratio(natural, images),
                adversarial: ratio(robust, images),
            })
            .collect(),
        confusion,
        curve: None,
        doubts: Vec::new(),
        looked_for: vec![Suspicion::NotReproduced, Suspicion::FewImages],
        seconds: 0.0,
    };
    if not_again > 0 {
        report.doubts.push(Doubt {
            suspicion: Suspicion::NotReproduced,
            saw: format!("{not_again} adversarial images fooled the network once and not when they were looked at again; they count as robust"),
            suggests: "the answers are random or depend on the batch: look at the model, and try --attack rand".into(),
        });
    }
    let (low, high) = interval(worst_case, images as u64);
    if high - low > 0.1 {
        report.doubts.push(Doubt {
            suspicion: Suspicion::FewImages,
            saw: format!("{images} images leave {:.1} to {:.1} % open (95 % interval)", 100.0 * low, 100.0 * high),
            suggests: "do not compare differences smaller than that; evaluate more --images".into(),
        });
    }
    report
}
