//! Curves that are no terms of the objective: what is measured beside them.

use super::RunState;
use crate::protocol::{Dial, Pulls, Step, Summary};

/// A curve that is no term of the objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Track {
    /// Natural minus adversarial accuracy of the probes, a fraction.
    Gap,
    /// Adversarial accuracy on training images, a fraction.
    TrainAdversarial,
    /// L2 norm of what the first term (`λ·ce`) pulls, and the second.
    FirstPull,
    SecondPull,
    /// Share of the first in both, 0 to 1.
    PullShare,
    /// Cosine between the two pulls.
    PullCosine,
    /// Cosine of student's and teacher's features, of the same image and of different ones.
    Matched,
    Shuffled,
    Dial(Dial),
    Lr,
    ImagesPerS,
    /// Milliseconds a step.
    StepP50,
    StepP99,
    /// Percent.
    Cpu,
    Gpu,
}

impl RunState {
    pub(super) fn track(&mut self, track: Track, step: Step, value: f64) {
        self.tracks.entry(track).or_default().push(step, Summary::one(value));
    }

    pub(super) fn pulled(&mut self, pulls: &Pulls) {
        let [first, second] = pulls.norms;
        self.track(Track::FirstPull, pulls.step, first.0);
        self.track(Track::SecondPull, pulls.step, second.0);
        self.track(Track::PullShare, pulls.step, pulls.share());
        self.track(Track::PullCosine, pulls.step, pulls.cosine.0);
        for (track, value) in [(Track::Matched, pulls.matched), (Track::Shuffled, pulls.shuffled)] {
            if let Some(value) = value {
                self.track(track, pulls.step, value.0);
            }
        }
        self.pulls = Some(pulls.clone());
    }
}
