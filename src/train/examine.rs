//! An evaluation that a person asked for while training: on the worker, between two steps or while paused.
//!
//! Training stands still meanwhile, and nothing of it changes: not the weights, not the step, not its clock.

use super::audit::journal::Journal;
use super::audit::{Audit, Watcher};
use super::crew::Crew;
use super::ends::{Ends, RunError, tell};
use super::trainer::Trainer;
use crate::attacks::GoOn;
use crate::protocol::command::CommandId;
use crate::protocol::event::{Split, Whose};
use crate::protocol::report::{EvaluationPlan, EvaluationProgress};
use crate::protocol::{Event, Step};
use std::time::{Duration, Instant};

/// How often its progress is told.
const EVERY: Duration = Duration::from_millis(500);

struct Asker<'a> {
    ends: &'a mut Ends,
    step: Step,
    by: CommandId,
    told: Option<Instant>,
    /// What kept it from being told.
    failed: Option<RunError>,
}

impl Watcher for Asker<'_> {
    fn go_on(&mut self) -> GoOn {
        let end = self.failed.is_some() || self.ends.inbox.stop_waits() || self.ends.inbox.give_up_waits();
        if end { GoOn::No } else { GoOn::Yes }
    }

    fn progress(&mut self, progress: &EvaluationProgress) {
        if self.told.is_some_and(|at| at.elapsed() < EVERY) || self.failed.is_some() {
            return;
        }
        self.told = Some(Instant::now());
        let event = Event::Examining { step: self.step, by: Some(self.by), progress: progress.clone() };
        self.failed = tell(self.ends, event).err();
    }
}

impl Trainer {
    pub(super) fn examine(&mut self, ends: &mut Ends, by: CommandId, plan: &EvaluationPlan) -> Result<(), RunError> {
        let refuse = |ends: &mut Ends, reason: String| tell(ends, Event::Refused { by, reason });
        let set = match plan.split {
            Split::Validation => &self.validation,
            Split::Train => &self.train,
            Split::Test => {
                return refuse(ends, "the test images are looked at once, at the end; ask for validation images".into());
            }
        };
        if set.is_empty() {
            return refuse(ends, format!("there are no {} images (data.validation)", plan.split.name()));
        }
        let model = match (plan.of, &self.teacher) {
            (Whose::Teacher, Some(teacher)) => teacher,
            (Whose::Teacher, None) => return refuse(ends, "this run has no teacher".into()),
            (Whose::Student, _) => self.ema.as_ref().map_or(&self.student, |ema| &ema.model),
        };
        let begin = Instant::now();
        // A request that came before this one was asked for something else.
        ends.inbox.give_up_waits();
        let crew = Crew::for_model(model);
        let network = model.folded_in_blocks();
        let audit = Audit { network: &network, crew: crew.as_ref(), set, classes: &model.description.classes, plan, batch: None };
        let mut asker = Asker { ends, step: self.step, by, told: None, failed: None };
        let found = audit.run(&mut Journal::in_memory(), &mut asker);
        let failed = asker.failed.take();
        drop((network, crew));
        self.evaluation_time += begin.elapsed();
        if let Some(error) = failed {
            return Err(error);
        }
        match found {
            Ok(Some(report)) => tell(ends, Event::Examined { step: self.step, by: Some(by), report: Box::new(report) }),
            Ok(None) => refuse(ends, format!("the evaluation at step {} was given up", self.step)),
            Err(error) => refuse(ends, format!("the evaluation failed: {error}")),
        }
    }
}
