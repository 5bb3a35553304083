//! What evaluations and probes found, folded in.

use super::{Answer, Level, RunState, Track};
use crate::protocol::event::{Evaluated, Purpose, Split, Whose};
use crate::protocol::report::Report;
use crate::protocol::{CommandId, Step, Summary};
use std::sync::Arc;

impl RunState {
    pub(super) fn examined(&mut self, at: u64, step: Step, by: Option<CommandId>, report: &Report) {
        self.last_progress_ms = at;
        self.examining = None;
        for attack in &report.attacks {
            let text = format!(
                "step {step}: the {}'s {} {:.1} % of {} {} images, natural {:.1} %",
                report.of.name(),
                attack.ensemble.name,
                100.0 * attack.adversarial,
                report.images,
                report.split.name(),
                100.0 * report.natural
            );
            self.say(at, Level::Info, text);
        }
        for doubt in &report.doubts {
            self.say(at, Level::Warn, format!("{}: {}; {}", doubt.suspicion.name(), doubt.saw, doubt.suggests));
        }
        self.reports.push((step, Arc::new(report.clone())));
        if let Some(by) = by {
            self.answer(by, Answer::Done(step));
        }
    }

    /// Of the student, on the way.
    pub(super) fn is_probe(evaluated: &Evaluated) -> bool {
        evaluated.purpose == Purpose::Probe && evaluated.of == Whose::Student
    }

    pub(super) fn evaluated(&mut self, at: u64, evaluated: &Evaluated) {
        self.last_progress_ms = at;
        let probe = Self::is_probe(evaluated);
        if probe {
            self.natural.push(evaluated.step, Summary::one(evaluated.natural));
            self.adversarial.push(evaluated.step, Summary::one(evaluated.adversarial));
            self.track(Track::Gap, evaluated.step, evaluated.natural - evaluated.adversarial);
            // Accuracies under different radii do not compare: only the config's counts.
            let comparable = self.planned_eps().is_none_or(|eps| eps == evaluated.attack.eps);
            if comparable && self.best.as_ref().is_none_or(|b| evaluated.adversarial > b.adversarial) {
                self.best = Some(evaluated.clone());
            }
            if let Some(by) = evaluated.by {
                self.answer(by, Answer::Done(evaluated.step));
            }
        } else {
            if evaluated.purpose == Purpose::Watch {
                self.track(Track::TrainAdversarial, evaluated.step, evaluated.adversarial);
            }
            let whose = evaluated.of.name();
            let split = match evaluated.split {
                Split::Train => "training",
                Split::Validation => "validation",
                Split::Test => "test",
            };
            self.say(
                at,
                Level::Info,
                format!(
                    "{whose} on {} {split} images: natural {:.1} %, {} {} eps {} {:.1} %",
                    evaluated.images,
                    100.0 * evaluated.natural,
                    evaluated.attack.short(),
                    evaluated.attack.norm,
                    evaluated.attack.eps,
                    100.0 * evaluated.adversarial
                ),
            );
        }
        self.evaluations.push(evaluated.clone());
    }
}
