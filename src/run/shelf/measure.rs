//! Numbers and what they were measured with: accuracies compare only where data, images, threat and attack are the same.
//!
//! Seeds of attacks may differ; what a reader would call another number may not.

use crate::config::{AttackSpec, Threat};
use crate::protocol::Step;
use crate::protocol::event::{Evaluated, Split, Started};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// Two accuracies, fractions 0-1, of one set of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    pub step: Step,
    pub natural: f64,
    pub adversarial: f64,
    pub measure: Measure,
}

/// How a number was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    pub data: String,
    shape: [u64; 3],
    /// Of the names: a thousand of them would be compared for each run in each frame.
    classes: u64,
    pub split: Split,
    /// Images that the split has: of more, others are chosen.
    of: u64,
    pub images: u64,
    pub threat: Threat,
    /// Without its seed.
    pub attack: AttackSpec,
}

impl Number {
    pub fn of(started: &Started, found: &Evaluated) -> Self {
        let mut hasher = DefaultHasher::new();
        started.data.classes.hash(&mut hasher);
        let of = match found.split {
            Split::Train => started.data.train,
            Split::Validation => started.data.validation,
            Split::Test => started.data.test,
        };
        let measure = Measure {
            data: started.data.name.clone(),
            shape: started.data.shape,
            classes: hasher.finish(),
            split: found.split,
            of,
            images: found.images,
            threat: started.config.threat,
            attack: AttackSpec { seed: 0, ..found.attack.clone() },
        };
        Self { step: found.step, natural: found.natural, adversarial: found.adversarial, measure }
    }
}

impl Measure {
    /// `pgd-10 linf 0.1, 256 images`.
    pub fn words(&self) -> String {
        format!("{} {} {}, {} images", self.attack.short(), self.attack.norm.name(), self.attack.eps, self.images)
    }

    /// Why a number of this measure is not to be put beside one of `other`, in the order in which it weighs.
    pub fn unlike(&self, other: &Self) -> Option<String> {
        let not = |what: &str, this: String, that: String| (this != that).then(|| format!("{what} {this}, not {that}"));
        let threat = |m: &Self| format!("{} {}", m.threat.norm.name(), m.threat.eps);
        not("data", self.data.clone(), other.data.clone())
            .or_else(|| not("split", self.split.name().into(), other.split.name().into()))
            .or_else(|| not("threat", threat(self), threat(other)))
            .or_else(|| not("attack", self.attack.short(), other.attack.short()))
            .or_else(|| not("attack eps", self.attack.eps.to_string(), other.attack.eps.to_string()))
            .or_else(|| not("images", self.images.to_string(), other.images.to_string()))
            .or_else(|| not("attack", self.attack.how(), other.attack.how()))
            .or_else(|| (self != other).then(|| "other images of the same data".to_string()))
    }
}

/// The measure that most of them have; of several such the first.
pub fn usual<'a>(all: impl Iterator<Item = &'a Measure>) -> Option<&'a Measure> {
    let mut counts: Vec<(&Measure, usize)> = Vec::new();
    for measure in all {
        match counts.iter_mut().find(|(known, _)| *known == measure) {
            Some((_, count)) => *count += 1,
            None => counts.push((measure, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(measure, _)| measure)
}
