//! The numbers of a run in long form: one row a value, with its name, step and time, and for an accuracy how it was measured.
//!
//! A fold of records: it keeps what a later record needs (when the run began, how long an epoch is, at which step it is) and no row.
//! Fractions stay fractions; a unit stands in the name. It leaves out what is no number, and what only says how far work has come.

use super::course::Follower;
use crate::config::{AttackSpec, Ensemble, Norm};
use crate::protocol::event::{Evaluated, Gpu, Machine, Part, Progress, Purpose, Split, Started, Term, Whose};
use crate::protocol::report::Report;
use crate::protocol::{Event, Exhibit, Pulls, Record, Step};
use crate::run::listing::harmless;
use std::borrow::Cow;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub step: Step,
    /// Passes over the training images, fractions included; missing where the plan is not known.
    pub epoch: Option<f64>,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Seconds since the first record of the run, pauses and times between an end and a resumption included.
    pub time_s: f64,
    /// `train/cross_entropy`, `probe/natural_accuracy`, `lambda`.
    pub name: Cow<'static, str>,
    /// May be NaN or infinite.
    pub value: f64,
    /// Of an accuracy or a count of images.
    pub measured: Option<Measured>,
}

/// On what an accuracy was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub split: Split,
    pub images: u64,
    /// Missing for natural images.
    pub attack: Option<Attack>,
}

/// What the images were attacked with.
#[derive(Clone, Debug, PartialEq)]
pub struct Attack {
    /// `pgd-20`, `autoattack`; `worst case` over several.
    pub name: String,
    pub norm: Norm,
    pub eps: f64,
}

/// Accuracy under each attack of an evaluation, told apart by the attack; and on the way from no radius to twice the threat's.
pub const EVALUATED: &str = "evaluation/adversarial_accuracy";
pub const CURVE: &str = "evaluation/curve_accuracy";

impl Row {
    pub fn attack(&self) -> Option<&Attack> {
        self.measured.as_ref()?.attack.as_ref()
    }

    /// A name that no other value of the same step has.
    pub fn own_name(&self) -> Cow<'static, str> {
        match self.attack() {
            Some(attack) if self.name.ends_with(CURVE) => format!("{}/{}/eps {}", self.name, attack.name, attack.eps).into(),
            Some(attack) if self.name.ends_with(EVALUATED) => format!("{}/{}", self.name, attack.name).into(),
            Some(_) | None => self.name.clone(),
        }
    }
}

/// Makes rows of a run's records, which come in their order.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    follower: Follower,
    began_ms: Option<u64>,
    steps_per_epoch: u64,
}

/// The rows of one record, which share step and time.
struct Of {
    step: Step,
    epoch: Option<f64>,
    at_ms: u64,
    time_s: f64,
    rows: Vec<Row>,
}

impl Of {
    fn put(&mut self, name: impl Into<Cow<'static, str>>, value: f64) {
        self.measured(name, value, None);
    }

    fn measured(&mut self, name: impl Into<Cow<'static, str>>, value: f64, measured: Option<Measured>) {
        let Self { step, epoch, at_ms, time_s, .. } = *self;
        self.rows.push(Row { step, epoch, at_ms, time_s, name: name.into(), value, measured });
    }
}

impl Rows {
    /// The values that this record holds; none for most kinds.
    pub fn of(&mut self, record: &Record) -> Vec<Row> {
        if let Event::Started(started) = &record.event {
            self.steps_per_epoch = started.plan.steps_per_epoch;
        }
        let step = self.follower.step(&record.event);
        let began_ms = *self.began_ms.get_or_insert(record.at_ms);
        let mut of = Of {
            step,
            epoch: (self.steps_per_epoch > 0).then(|| step as f64 / self.steps_per_epoch as f64),
            at_ms: record.at_ms,
            time_s: record.at_ms.saturating_sub(began_ms) as f64 / 1000.0,
            rows: Vec::new(),
        };
        match &record.event {
            Event::Started(started) => dials(&mut of, started),
            Event::Progress(progress) => progressed(&mut of, progress),
            Event::Controlled { change, .. } => {
                if let Some((dial, value)) = change.dial() {
                    of.put(dial.name(), value);
                }
            }
            Event::Pulled(pulls) => pulled(&mut of, pulls),
            Event::Exhibited(exhibit) => exhibited(&mut of, exhibit),
            Event::Evaluated(evaluated) => self::evaluated(&mut of, evaluated),
            Event::Examined { report, .. } => examined(&mut of, report),
            Event::EpochFinished(epoch) => {
                of.put("epoch/train_seconds", epoch.train_seconds);
                of.put("epoch/evaluation_seconds", epoch.evaluation_seconds);
            }
            Event::Saved(saved) => {
                of.put("checkpoint/bytes", saved.bytes as f64);
                of.put("checkpoint/ms", saved.ms as f64);
                if let Some(held) = saved.held_ms {
                    of.put("checkpoint/held_ms", held as f64);
                }
            }
            Event::Machine(machine) => machine_rows(&mut of, machine),
            Event::Finished(finished) => {
                of.put("run/train_seconds", finished.train_seconds);
                of.put("run/evaluation_seconds", finished.evaluation_seconds);
            }
            Event::Scheduled { .. }
            | Event::Unscheduled { .. }
            | Event::Refused { .. }
            | Event::Stopping { .. }
            | Event::Examining { .. }
            | Event::Preparing(_)
            | Event::Warned { .. }
            | Event::Said { .. } => {}
        }
        of.rows
    }
}

/// What the run begins, or goes on, with.
fn dials(of: &mut Of, started: &Started) {
    for &dial in &started.dials {
        of.put(dial.name(), started.controls.value(dial));
    }
}

fn progressed(of: &mut Of, progress: &Progress) {
    for (&term, summary) in &progress.terms {
        let word = word(term);
        of.put(format!("train/{word}"), summary.mean);
        // Of the steps since the last report: a spike between two reports shows here alone.
        of.put(format!("train_min/{word}"), summary.min);
        of.put(format!("train_max/{word}"), summary.max);
    }
    of.put("train/learning_rate", progress.lr);
    of.put("speed/images_per_s", progress.images_per_s.0);
    if let Some(timing) = &progress.timing {
        of.put("step_ms/p50", timing.p50_ms);
        of.put("step_ms/p99", timing.p99_ms);
        if let Some(max) = timing.max_ms {
            of.put("step_ms/max", max);
        }
        for (&part, &ms) in &timing.parts {
            of.put(format!("step_ms/{}", part_word(part)), ms);
        }
    }
}

fn pulled(of: &mut Of, pulls: &Pulls) {
    for (term, norm) in pulls.terms.into_iter().zip(pulls.norms) {
        of.put(format!("pull/{}", word(term)), norm.0);
    }
    of.put("pull/share", pulls.share());
    of.put("pull/cosine", pulls.cosine.0);
    for (name, value) in [("pull/matched", pulls.matched), ("pull/shuffled", pulls.shuffled)] {
        if let Some(value) = value {
            of.put(name, value.0);
        }
    }
    of.put("pull/measuring_ms", pulls.ms);
}

fn exhibited(of: &mut Of, exhibit: &Exhibit) {
    let measured = Measured { split: Split::Validation, images: exhibit.looked, attack: Some(Attack::of(&exhibit.attack)) };
    for (name, count) in [
        ("gallery/fooled_images", exhibit.fooled),
        ("gallery/standing_images", exhibit.standing),
        ("gallery/saved_images", exhibit.saved),
    ] {
        of.measured(name, count as f64, Some(measured.clone()));
    }
}

fn evaluated(of: &mut Of, found: &Evaluated) {
    let why = match found.purpose {
        Purpose::Probe => "probe",
        Purpose::Watch => "watch",
        Purpose::Final => "final",
    };
    let whose = whose(found.of);
    let natural = Measured { split: found.split, images: found.images, attack: None };
    let attacked = Measured { attack: Some(Attack::of(&found.attack)), ..natural.clone() };
    of.measured(format!("{whose}{why}/natural_accuracy"), found.natural, Some(natural));
    of.measured(format!("{whose}{why}/adversarial_accuracy"), found.adversarial, Some(attacked));
    of.put(format!("{whose}{why}/seconds"), found.seconds);
}

fn examined(of: &mut Of, report: &Report) {
    let whose = whose(report.of);
    let natural = Measured { split: report.split, images: report.images, attack: None };
    of.measured(format!("{whose}evaluation/natural_accuracy"), report.natural, Some(natural.clone()));
    let mut worst = None;
    for attack in &report.attacks {
        let Some(under) = Attack::ensemble(&attack.ensemble) else { continue };
        worst = Some(Attack {
            name: if report.attacks.len() > 1 { "worst case".into() } else { under.name.clone() },
            ..under.clone()
        });
        let attacked = Measured { attack: Some(under), ..natural.clone() };
        of.measured(format!("{whose}{EVALUATED}"), attack.adversarial, Some(attacked));
    }
    let all = Measured { attack: worst.clone(), ..natural };
    of.measured(format!("{whose}evaluation/worst_case_accuracy"), report.worst_case, Some(all));
    for class in &report.classes {
        let name = harmless(&class.name);
        let natural = Measured { split: report.split, images: class.images, attack: None };
        let attacked = Measured { attack: worst.clone(), ..natural.clone() };
        of.measured(format!("{whose}evaluation/class_natural_accuracy/{name}"), class.natural, Some(natural));
        of.measured(format!("{whose}evaluation/class_adversarial_accuracy/{name}"), class.adversarial, Some(attacked));
    }
    for (curve, point) in report.curve.iter().flat_map(|curve| curve.points.iter().map(move |point| (curve, point))) {
        let under = Attack { eps: point.eps.0, ..Attack::of(&curve.attack) };
        let measured = Measured { split: report.split, images: curve.images, attack: Some(under) };
        of.measured(format!("{whose}{CURVE}"), point.adversarial, Some(measured));
    }
    of.put(format!("{whose}evaluation/doubts"), report.doubts.len() as f64);
    of.put(format!("{whose}evaluation/seconds"), report.seconds);
}

fn machine_rows(of: &mut Of, machine: &Machine) {
    of.put("host/cpu_percent", machine.cpu_percent);
    of.put("host/process_cpu_percent", machine.process_cpu_percent);
    of.put("host/memory_used_bytes", machine.memory_used as f64);
    of.put("host/resident_bytes", machine.resident as f64);
    if let Some([one, five, fifteen]) = machine.load {
        of.put("host/load_1_min", one);
        of.put("host/load_5_min", five);
        of.put("host/load_15_min", fifteen);
    }
    if let Some(disk) = machine.disk {
        of.put("host/disk_free_bytes", disk.free as f64);
    }
    for gpu in &machine.gpus {
        gpu_rows(of, gpu);
    }
}

fn gpu_rows(of: &mut Of, gpu: &Gpu) {
    let whole = |value: Option<u64>| value.map(|value| value as f64);
    for (name, value) in [
        ("utilisation_percent", gpu.utilisation_percent),
        ("memory_used_bytes", whole(gpu.memory_used)),
        ("temperature_c", gpu.temperature_c),
        ("power_w", gpu.power_w),
        ("power_limit_w", gpu.power_limit_w),
        ("sm_clock_mhz", whole(gpu.sm_clock_mhz)),
    ] {
        if let Some(value) = value {
            of.put(format!("gpu{}/{name}", gpu.index), value);
        }
    }
}

fn whose(of: Whose) -> &'static str {
    match of {
        Whose::Student => "",
        Whose::Teacher => "teacher/",
    }
}

impl Attack {
    fn of(attack: &AttackSpec) -> Self {
        Self { name: attack.short(), norm: attack.norm, eps: attack.eps.0 }
    }

    /// `None` for one without members, which attacks nothing.
    fn ensemble(ensemble: &Ensemble) -> Option<Self> {
        let first = ensemble.members.first()?;
        Some(Self { name: harmless(&ensemble.name), norm: first.norm, eps: first.eps.0 })
    }
}

/// As the log names it.
fn word(term: Term) -> &'static str {
    match term {
        Term::Total => "total",
        Term::CrossEntropy => "cross_entropy",
        Term::WeightedCrossEntropy => "weighted_cross_entropy",
        Term::Representation => "representation",
        Term::Cosine => "cosine",
        Term::Distance => "distance",
        Term::Distillation => "distillation",
        Term::CleanDistillation => "clean_distillation",
        Term::Divergence => "divergence",
        Term::TrainAccuracy => "train_accuracy",
    }
}

fn part_word(part: Part) -> &'static str {
    match part {
        Part::Data => "data",
        Part::Attack => "attack",
        Part::Teacher => "teacher",
        Part::ForwardBackward => "forward_backward",
        Part::Update => "update",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_log() {
        for term in [
            Term::Total,
            Term::CrossEntropy,
            Term::WeightedCrossEntropy,
            Term::Representation,
            Term::Cosine,
            Term::Distance,
            Term::Distillation,
            Term::CleanDistillation,
            Term::Divergence,
            Term::TrainAccuracy,
        ] {
            assert_eq!(serde_json::to_value(term).unwrap(), word(term));
        }
        for part in [Part::Data, Part::Attack, Part::Teacher, Part::ForwardBackward, Part::Update] {
            assert_eq!(serde_json::to_value(part).unwrap(), part_word(part));
        }
    }
}
