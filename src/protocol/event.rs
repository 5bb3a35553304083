//! Facts about a run, in the order they happened. `events.jsonl` holds one [`Record`] a line and nothing else.
//!
//! Externally tagged, no `flatten`, no `untagged`: a reader in any language sees one key that names the kind.

use super::Step;
use super::command::{CommandId, Stop};
use super::controls::{Change, Controls};
pub use super::fingerprint::DataFingerprint;
use super::insight::{Exhibit, Pulls};
use super::report::{EvaluationProgress, Report};
use super::scalar::{Scalar, Summary};
use super::timed::{Stair, Timed};
use crate::config::{AttackSpec, Config, Dial};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line of `events.jsonl`. The recorder alone numbers and times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// 0, 1, 2, ... without gaps within a run.
    pub seq: u64,
    /// Milliseconds since the Unix epoch; never goes back within a run.
    pub at_ms: u64,
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// First of a run, and again when it is resumed.
    Started(Box<Started>),
    Progress(Progress),
    /// `step` is the first optimizer step that runs under the new value.
    Controlled {
        step: Step,
        by: Option<CommandId>,
        change: Change,
        previous: Change,
        note: Option<String>,
        /// Set where this is a part of what was scheduled earlier.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stair: Option<Stair>,
    },
    /// A change will come by itself.
    Scheduled {
        step: Step,
        by: Option<CommandId>,
        timed: Timed,
    },
    /// What was scheduled for a dial will not come, or not go on.
    Unscheduled {
        step: Step,
        by: Option<CommandId>,
        dial: Dial,
        /// Why, where nobody asked for it.
        reason: Option<String>,
    },
    /// How much each term pulls, every `insight.every` steps.
    Pulled(Pulls),
    /// Images under attack, as asked for.
    Exhibited(Box<Exhibit>),
    Refused {
        by: CommandId,
        reason: String,
    },
    /// A stop was asked for and will happen.
    Stopping {
        step: Step,
        by: Option<CommandId>,
        stop: Stop,
    },
    Evaluated(Evaluated),
    /// How far the evaluation that was asked for has come, at most twice a second.
    Examining {
        step: Step,
        by: Option<CommandId>,
        progress: EvaluationProgress,
    },
    /// What it found about the weights of this step.
    Examined {
        step: Step,
        by: Option<CommandId>,
        report: Box<Report>,
    },
    EpochFinished(EpochFinished),
    /// Sent after the checkpoint has its final name.
    Saved(Saved),
    /// Work before the first step that takes long, a few times a second.
    Preparing(Preparing),
    Machine(Machine),
    Warned {
        step: Option<Step>,
        kind: Warning,
        message: String,
    },
    /// A line for the log pane that is none of the above.
    Said {
        source: Voice,
        line: String,
    },
    /// Last of a run, whatever happened, unless the process was killed.
    Finished(Finished),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// See [`super::FORMAT`].
    pub format: u32,
    /// Id of the run: the name of its folder.
    pub run: String,
    /// `rematch 0.1.0`.
    pub program: String,
    pub config: Config,
    pub plan: Plan,
    /// As the screen names it: `cpu (2 threads)`, `cuda:0`.
    pub device: String,
    pub student: NetworkFacts,
    pub teacher: Option<TeacherFacts>,
    /// Those after the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_teachers: Vec<TeacherFacts>,
    pub data: DataFacts,
    pub controls: Controls,
    /// What can be turned in this run, in the order the Controls pane lists it.
    pub dials: Vec<Dial>,
    /// 0 for a new run; the step training goes on from for a resumed one.
    pub from_step: Step,
    /// Changes that are still to come, of a resumed run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheduled: Vec<Timed>,
    /// Of a run that began with another's weights and optimizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// CPU threads that it trains with, where it trains on a CPU: with as many the same numbers come out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// Of a run that goes on after it was stopped or killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Resumed>,
}

/// How a run goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// Within the run's folder; absent where there was none and it begins anew.
    pub checkpoint: Option<String>,
    /// The first record that the checkpoint knows nothing of: what it and later ones tell of training did not happen in the end.
    pub from_seq: u64,
    /// Steps that were done and are done again.
    pub again: u64,
    /// Changes made by hand in those steps, which are made again at theirs.
    pub remade: u64,
}

/// Where a run branched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Id of the other run.
    pub run: String,
    /// Of the checkpoint it began from.
    pub step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub epochs: u64,
    pub steps_per_epoch: u64,
    /// Where it ends before the last epoch does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<Step>,
}

impl Plan {
    pub fn steps(self) -> Step {
        let all = self.epochs * self.steps_per_epoch;
        self.most.map_or(all, |most| most.min(all))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkFacts {
    pub name: String,
    /// Trainable numbers.
    pub parameters: u64,
    /// Width of the penultimate layer, the representation that RRM matches.
    pub features: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TeacherFacts {
    pub network: NetworkFacts,
    /// The checkpoint file.
    pub path: String,
    /// What the checkpoint says of its own making, one line; empty when it says nothing.
    pub provenance: String,
    /// Checksum of the file, by which it is recognised at another place. Runs of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataFacts {
    pub name: String,
    /// Channels, height, width.
    pub shape: [u64; 3],
    pub classes: Vec<String>,
    pub train: u64,
    pub validation: u64,
    pub test: u64,
    /// Absent for the embedded set, and in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<DataFingerprint>,
}

/// How far work before the first step has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preparing {
    /// `robust data set`.
    pub what: String,
    pub done: u64,
    pub total: u64,
}

/// What happened since the last report. At most `report_hz` of these a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done so far: the report covers steps `step - steps .. step`.
    pub step: Step,
    pub steps: u64,
    pub lr: f64,
    pub images_per_s: Scalar,
    pub terms: BTreeMap<Term, Summary>,
    /// About once a second.
    pub timing: Option<Timing>,
}

/// A per-step scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// What is minimised.
    Total,
    /// Mean softmax cross-entropy `L_C`, unweighted.
    CrossEntropy,
    /// `lambda * L_C`. For methods without lambda not reported, as it would be `L_C` again.
    WeightedCrossEntropy,
    /// `L_R`: minus the mean cosine between student's and teacher's features.
    Representation,
    /// Mean cosine between student's and teacher's features.
    Cosine,
    /// `L_R` as a relative L2 distance, where that is what is minimised.
    Distance,
    /// The teacher's term of KD, ARD and RSLAD, with temperature and reduction as the method has them, unweighted.
    Distillation,
    /// RSLAD's term on clean images, unweighted.
    CleanDistillation,
    /// TRADES' divergence between clean and attacked outputs, unweighted.
    Divergence,
    /// Share of the batch classified correctly, on the images the step trained on (adversarial ones for SAT).
    TrainAccuracy,
}

impl Term {
    /// As legends and lines name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::CrossEntropy => "ce",
            Self::WeightedCrossEntropy => "λ·ce",
            Self::Representation | Self::Distance => "rep",
            Self::Cosine => "cos",
            Self::Distillation => "kd",
            Self::CleanDistillation => "kd clean",
            Self::Divergence => "kl",
            Self::TrainAccuracy => "acc",
        }
    }
}

/// Milliseconds a step over the last second or so. On a GPU measured at synchronised sample steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    pub parts: BTreeMap<Part, f64>,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// The longest of them; older records lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
    /// How many steps took how long: numbers of [`super::step_times`]' bins, ascending, each with its steps, which are all
    /// since the last timing. Empty in older records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<(u16, u32)>,
}

/// Where the time of a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Data,
    Attack,
    Teacher,
    ForwardBackward,
    Update,
}

/// Accuracy under one attack on one split. Fractions 0-1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    pub step: Step,
    pub by: Option<CommandId>,
    pub of: Whose,
    pub split: Split,
    pub purpose: Purpose,
    pub attack: AttackSpec,
    pub natural: f64,
    pub adversarial: f64,
    pub images: u64,
    pub seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    Student,
    Teacher,
}

impl Whose {
    pub fn name(self) -> &'static str {
        match self {
            Self::Student => "student",
            Self::Teacher => "teacher",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Seen in training.
    Train,
    /// Held out of training; choices are made on it.
    Validation,
    /// Looked at once, at the end.
    Test,
}

impl Split {
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Cheap, on the way; never the final number.
    Probe,
    /// A look at training images for catastrophic overfitting.
    Watch,
    /// The number to quote.
    Final,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochFinished {
    /// From 1: epochs done.
    pub epoch: u64,
    pub step: Step,
    /// Training alone: no probes, no checkpoints, no pauses.
    pub train_seconds: f64,
    pub evaluation_seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    pub step: Step,
    pub by: Option<CommandId>,
    /// Within the run folder.
    pub path: String,
    pub bytes: u64,
    pub ms: u64,
    /// Milliseconds of these for which training stood still; older records lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<u64>,
}

/// The machine, about once a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// 0-100 over all cores.
    pub cpu_percent: f64,
    pub cores: u64,
    pub memory_used: u64,
    pub memory_total: u64,
    /// Resident bytes of this process.
    pub resident: u64,
    /// 0-100 x cores, of this process.
    pub process_cpu_percent: f64,
    /// Empty where there is no NVIDIA driver.
    pub gpus: Vec<Gpu>,
    /// Load over 1, 5 and 15 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<[f64; 3]>,
    /// Bytes free, to this user, on the disk that holds the run's folder, and its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
    /// Why no GPU can be read. Said once, in the first of these after `Started`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_gpu: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    pub free: u64,
    pub total: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    pub index: u64,
    pub name: String,
    pub utilisation_percent: Option<f64>,
    pub memory_used: Option<u64>,
    pub memory_total: Option<u64>,
    pub temperature_c: Option<f64>,
    pub power_w: Option<f64>,
    pub power_limit_w: Option<f64>,
    /// Of the multiprocessors, and the most they may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sm_clock_mhz: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sm_clock_max_mhz: Option<u64>,
    /// Why the clock is lower than it could be, in words: `power cap, heat`. Absent where nothing holds it down, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    NonFinite,
    DiskFull,
    Teacher,
    /// Robustness on training images broke down.
    Overfitting,
    /// The loss is far above what it was.
    Divergence,
    /// The student's features agree less and less with the teacher's.
    Drifting,
    /// One term of the objective pulls at nothing any more.
    Vanishing,
    /// Steps wait for images.
    InputBound,
    /// The GPU runs slower than it could.
    Throttled,
    /// There is room for few checkpoints more.
    Disk,
    /// Files left out, images enlarged.
    Data,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    Rematch,
    /// What libtorch and other libraries wrote to stderr while the screen was up.
    Stderr,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    pub outcome: Outcome,
    pub step: Step,
    /// Training steps alone, summed.
    pub train_seconds: f64,
    /// Probes and the final evaluation.
    pub evaluation_seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Completed,
    Stopped,
    /// With the message and, where known, the place.
    Failed {
        message: String,
    },
}
