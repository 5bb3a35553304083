//! What is asked of a run's state: answers worked out from what was folded in, nothing kept.

use super::{Answer, Marker, MarkerKind, Phase, RunState};
use crate::config::Eps;
use crate::protocol::event::{EpochFinished, Evaluated, Purpose, Term, Whose};
use crate::protocol::{CommandId, Scalar, Step};
use crate::run::series::Series;

impl RunState {
    /// What became of a command; `None` while it is pending.
    pub fn answer_to(&self, id: CommandId) -> Option<&Answer> {
        self.answers.get(&id)
    }

    /// The student's probes on the way, oldest first.
    pub fn probes(&self) -> impl DoubleEndedIterator<Item = &Evaluated> {
        self.evaluations.iter().filter(|e| e.purpose == Purpose::Probe && e.of == Whose::Student)
    }

    /// The last probe within an epoch that has ended.
    pub fn probe_of(&self, epoch: &EpochFinished) -> Option<&Evaluated> {
        let per = self.started.as_ref().map_or(0, |s| s.plan.steps_per_epoch);
        self.probes().next_back().filter(|probe| probe.step + per > epoch.step)
    }

    /// How the teacher does under the probe's attack: the reference lines of the accuracy chart.
    pub fn teacher(&self) -> Option<&Evaluated> {
        self.evaluations.iter().rfind(|e| e.of == Whose::Teacher && e.purpose == Purpose::Probe)
    }

    /// The number to quote: the student on the test images, once training has ended.
    pub fn last_final(&self) -> Option<&Evaluated> {
        self.evaluations.iter().rfind(|e| e.of == Whose::Student && e.purpose == Purpose::Final)
    }

    /// The radius that the config names, whatever it was turned to.
    pub fn planned_eps(&self) -> Option<Eps> {
        self.started.as_ref().map(|s| s.config.threat.eps)
    }

    /// What was turned while it ran, oldest first: a number of a steered run is not that of its config alone.
    pub fn turned(&self) -> impl Iterator<Item = &Marker> {
        self.markers.iter().filter(|m| matches!(m.kind, MarkerKind::Dial(_)))
    }

    /// The newest value of a term, NaN before the first.
    pub fn latest(&self, term: Term) -> Scalar {
        Scalar(self.series.get(&term).and_then(Series::last).map_or(f64::NAN, |p| f64::from(p.mean)))
    }

    pub fn plan_steps(&self) -> Step {
        self.started.as_ref().map_or(0, |s| s.plan.steps())
    }

    /// Epoch in progress, from 1, and the share of it that is done.
    pub fn epoch(&self) -> (u64, f64) {
        let Some(started) = &self.started else { return (0, 0.0) };
        let per = started.plan.steps_per_epoch.max(1);
        let done = self.step.min(started.plan.steps());
        if done == started.plan.steps() && done > 0 {
            return (started.plan.epochs, 1.0);
        }
        let share = (done % per) as f64 / per as f64;
        (done / per + 1, share)
    }

    /// Whether no step is due before a probe or the final evaluation: the worker is at it then, and the step stands still.
    pub fn evaluating(&self) -> bool {
        let Some(started) = self.started.as_ref().filter(|_| self.phase == Phase::Running && self.step > 0) else { return false };
        let (per, n) = (started.plan.steps_per_epoch.max(1), self.controls.map_or(0, |c| u64::from(c.probes)));
        let done = (self.step - 1) % per + 1;
        let probe =
            (1..=n).any(|i| (per * i).div_ceil(n) == done) && self.probes().next_back().is_none_or(|e| e.step < self.step);
        probe || self.step == started.plan.steps()
    }
}
