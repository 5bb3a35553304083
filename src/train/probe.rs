//! What is measured while training and at its end: probes of student and teacher, and the one look at the test images.
//!
//! How an accuracy is measured is [`super::evaluate`]'s; here is which model, which images, which attack, and what is said of it.

use super::checkpoint::Probed;
use super::ends::{Ends, RunError, tell};
use super::evaluate::{self, Progress};
use super::trainer::{Trainer, round};
use crate::attacks::GoOn;
use crate::config::{AttackSpec, Threat};
use crate::protocol::Event;
use crate::protocol::command::CommandId;
use crate::protocol::event::{Evaluated, Purpose, Split, Warning, Whose};
use crate::protocol::report::EvaluationProgress;
use std::time::{Duration, Instant};

/// How often the progress of a measurement is told; one that takes less is not told at all.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// One measurement to be made.
struct Look {
    of: Whose,
    purpose: Purpose,
    attack: AttackSpec,
    images: usize,
    by: Option<CommandId>,
}

impl Trainer {
    /// The student on validation images, under the epsilon in force.
    pub(super) fn probe(&mut self, ends: &mut Ends, by: Option<CommandId>) -> Result<(), RunError> {
        if self.teacher.is_some() && self.teacher_probed_at != Some(self.controls.eps.0) {
            self.probe_teacher(ends)?;
        }
        let look = Look { by, ..self.probing(Whose::Student) };
        match (self.measure(ends, look)?, by) {
            (Some(found), _) => self.took(&found),
            (None, Some(by)) => tell(ends, Event::Refused { by, reason: "stopping; the probe was given up".into() })?,
            (None, None) => {}
        }
        Ok(())
    }

    fn took(&mut self, found: &Evaluated) {
        let Evaluated { step, natural, adversarial, .. } = *found;
        self.probed = Some(Probed { step, natural, adversarial, eps: found.attack.eps });
        // Accuracies under different radii do not compare.
        if found.attack.eps == self.config.threat.eps && self.best.is_none_or(|best| adversarial > best) {
            self.best = Some(adversarial);
            self.improved = true;
        }
    }

    /// The teacher under the same attack on the same images: the reference lines of the accuracy chart.
    pub(super) fn probe_teacher(&mut self, ends: &mut Ends) -> Result<(), RunError> {
        if self.teacher.is_none() || self.controls.probes == 0 {
            return Ok(());
        }
        self.teacher_probed_at = Some(self.controls.eps.0);
        let Some(found) = self.measure(ends, self.probing(Whose::Teacher))? else { return Ok(()) };
        let guess = 1.0 / self.student.description.classes.len() as f64;
        if found.natural < 3.0 * guess && found.natural < 0.5 {
            let message = format!(
                "the teacher classifies only {:.1} % of the validation images correctly; is it a teacher for this data, with this normalisation?",
                100.0 * found.natural
            );
            tell(ends, Event::Warned { step: None, kind: Warning::Teacher, message })?;
        } else if found.adversarial < 0.25 * found.natural {
            let message = format!(
                "the teacher is hardly robust here: {:.1} % natural, {:.1} % under {} {} eps {}; a student cannot learn from it what it does not know",
                100.0 * found.natural,
                100.0 * found.adversarial,
                found.attack.short(),
                found.attack.norm,
                found.attack.eps
            );
            tell(ends, Event::Warned { step: None, kind: Warning::Teacher, message })?;
        }
        Ok(())
    }

    /// The number to quote: the test images, looked at this once, under the epsilon of the config and not the one in force.
    pub(super) fn final_evaluation(&mut self, ends: &mut Ends) -> Result<Option<Evaluated>, RunError> {
        let settings = self.config.evaluation;
        let images = settings.images.unwrap_or(usize::MAX).min(self.test.len());
        if images == 0 {
            return Ok(None);
        }
        let attack = AttackSpec::pgd(self.config.threat, settings.steps, settings.restarts, 0);
        self.measure(ends, Look { of: Whose::Student, purpose: Purpose::Final, attack, images, by: None })
    }

    /// One seed for every probe: a curve must move because the weights moved.
    fn probing(&self, of: Whose) -> Look {
        let threat = Threat { norm: self.controls.norm, eps: self.controls.eps };
        let attack = AttackSpec::pgd(threat, self.config.probe.steps, 1, 0);
        Look { of, purpose: Purpose::Probe, attack, images: self.config.probe.images, by: None }
    }

    /// Measures and says what was found; `None` when a stop that waits came first.
    fn measure(&mut self, ends: &mut Ends, look: Look) -> Result<Option<Evaluated>, RunError> {
        let (set, split) = match look.purpose {
            Purpose::Probe | Purpose::Watch => (&self.validation, Split::Validation),
            Purpose::Final => (&self.test, Split::Test),
        };
        let model = match (look.of, &self.teacher) {
            (Whose::Teacher, Some(teacher)) => teacher,
            (Whose::Teacher, None) | (Whose::Student, _) => self.ema.as_ref().map_or(&self.student, |ema| &ema.model),
        };
        let indices = evaluate::subset(set.len(), look.images);
        let begin = Instant::now();
        let (total, step) = (indices.len(), self.step);
        let (mut told, mut failed) = (begin, None);
        let go_on = |so_far: Progress| {
            if ends.inbox.stop_waits() || failed.is_some() {
                return GoOn::No;
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let progress = under_way(&look.attack, so_far, total, begin.elapsed());
                failed = tell(ends, Event::Examining { step, by: None, progress }).err();
            }
            GoOn::Yes
        };
        let found = evaluate::evaluate(&model.folded(), set, &indices, &look.attack, go_on)?;
        self.evaluation_time += begin.elapsed();
        if let Some(error) = failed {
            return Err(error);
        }
        let Some(found) = found else { return Ok(None) };
        if (look.of, split) == (Whose::Student, Split::Validation) {
            self.once_fooled.extend(&found.fooled);
        }
        let evaluated = Evaluated {
            step: self.step,
            by: look.by,
            of: look.of,
            split,
            purpose: look.purpose,
            attack: look.attack,
            natural: found.natural,
            adversarial: found.adversarial,
            images: found.images as u64,
            seconds: round(begin.elapsed().as_secs_f64(), 3),
        };
        tell(ends, Event::Evaluated(evaluated.clone()))?;
        Ok(Some(evaluated))
    }
}

/// Progress of a measurement that has run for `took`. All restarts of a batch are made before the next batch.
fn under_way(attack: &AttackSpec, so_far: Progress, total: usize, took: Duration) -> EvaluationProgress {
    let Progress { done, robust } = so_far;
    let failed = done.saturating_sub(robust);
    let left = (done > 0).then(|| took.as_secs_f64() * 1e3 * total.saturating_sub(done) as f64 / done as f64);
    EvaluationProgress {
        doing: attack.short(),
        stage: 0,
        stages: 1,
        done: done as u64,
        total: total as u64,
        robust: 1.0 - failed as f64 / total.max(1) as f64,
        left_ms: left.map(|ms| ms as u64),
    }
}
