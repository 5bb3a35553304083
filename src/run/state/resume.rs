//! A run that goes on from a step before its last: what lies behind that step did not happen in the end, and will be told again.

use super::{Phase, RunState};
use crate::protocol::event::Started;

impl RunState {
    pub(super) fn go_back(&mut self, started: &Started) {
        let from = started.from_step;
        // Older records do not say where the checkpoint stands in the log; then what happened at its very step stays.
        let seq = started.resumed.as_ref().map_or(u64::MAX, |resumed| resumed.from_seq);
        for series in self.series.values_mut().chain(self.tracks.values_mut()) {
            series.cut_after(from);
        }
        self.natural.cut_after(from);
        self.adversarial.cut_after(from);
        // A ramp stands at the step it was announced for, which may lie before its first stair: the record's number decides.
        let kept = |at: u64, number: u64| at <= from && number < seq;
        self.markers.retain(|marker| kept(marker.step, marker.seq));
        self.turns.retain(|turn| kept(turn.step, turn.seq));
        self.evaluations.retain(|evaluated| evaluated.step <= from);
        self.epochs.retain(|epoch| epoch.step <= from);
        self.reports.retain(|(step, _)| *step <= from);
        self.pulls = self.pulls.take().filter(|pulls| pulls.step <= from);
        self.best = None;
        let planned = self.planned_eps();
        for probe in self.evaluations.iter().filter(|e| Self::is_probe(e)) {
            let comparable = planned.is_none_or(|eps| eps == probe.attack.eps);
            if comparable && self.best.as_ref().is_none_or(|best| probe.adversarial > best.adversarial) {
                self.best = Some(probe.clone());
            }
        }
        // Whoever asked is gone, and others ask under the same numbers.
        self.answers.clear();
        self.answered.clear();
        self.phase = Phase::Running;
        self.step_seconds = 0.0;
    }
}
