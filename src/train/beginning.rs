//! Where a run begins that does not begin anew: everything that a checkpoint holds in its place, and what a branch does otherwise.

use super::checkpoint::{self, Carried};
use super::trainer::Trainer;
use super::worker::SetupError;
use crate::config::{Config, Planned};
use crate::protocol::{Controls, Dial, Flow, Step, Timed};
use crate::run::checkpoints::METHOD;
use std::path::Path;
use std::time::Duration;

/// What the config plans, where this method and this length can have it.
pub(super) fn planned(trainer: &Trainer) -> Result<Vec<Timed>, SetupError> {
    let steps = trainer.plan.steps();
    let judge = |planned: &Planned| {
        trainer.may_turn(planned.dial)?;
        if planned.at.checked_add(planned.over).is_none_or(|end| end > steps) {
            return Err(format!("it ends beyond the run, which has {steps} steps"));
        }
        Ok(())
    };
    let timed = |planned: &Planned| match judge(planned) {
        Ok(()) => {
            let Planned { dial, to, at, over, note } = planned.clone();
            Ok(Timed { dial, to, at, over, note, from: None, asked_at: None })
        }
        Err(why) => Err(SetupError::Planned { change: planned.text(), why }),
    };
    trainer.config.steering.changes.iter().map(timed).collect()
}

/// Puts everything into place that a checkpoint holds.
pub(super) fn go_on(trainer: &mut Trainer, from: &Path, branch: Option<&Config>, planned: Vec<Timed>) -> Result<(), SetupError> {
    let mean = trainer.ema.as_ref().map(|ema| &ema.model);
    let Carried { state, method, watch } = checkpoint::restore(from, &trainer.student, mean, &trainer.sgd)?;
    let other = branch.is_some_and(|branch| branch.method.name() != trainer.config.method.name());
    if !other {
        trainer.method.restore(method).map_err(|why| checkpoint::foreign(from, METHOD, why))?;
    }
    trainer.watch.watched = state.watched;
    trainer.watch.restore(watch, &trainer.student, trainer.device);
    trainer.step = state.step;
    let mut controls = Controls { flow: Flow::Running, ..state.controls.completed(&trainer.config) };
    trainer.scheduled = state.scheduled;
    trainer.robust_set = state.robust_set;
    (trainer.probed, trainer.best) = (state.probed, state.best);
    if let Some(branch) = branch {
        let (before, now) = (Controls::of(branch), Controls::of(&trainer.config));
        for &dial in Dial::ALL {
            // What the new config says otherwise is what the branch is for; everything else stays where it was turned to.
            if other || before.value(dial) != now.value(dial) {
                controls = controls.with(dial.to(now.value(dial))).unwrap_or(controls);
            }
        }
        controls.norm = now.norm;
        if branch.steering != trainer.config.steering {
            trainer.scheduled = planned.into_iter().filter(|timed| timed.at >= state.step).collect();
        }
        trainer.scheduled.retain(|timed| trainer.method.dials().contains(&timed.dial));
        if branch.threat != trainer.config.threat {
            (trainer.probed, trainer.best) = (None, None);
        }
        let per = trainer.plan.steps_per_epoch;
        if state.steps_per_epoch > 0 && state.steps_per_epoch != per {
            // Another batch has other steps: as far in the epochs as it was.
            trainer.step = (state.step as f64 * per as f64 / state.steps_per_epoch as f64).round() as Step;
            trainer.scheduled.clear();
        }
        if trainer.step >= trainer.plan.steps() {
            return Err(SetupError::NothingLeft { step: trainer.step, steps: trainer.plan.steps() });
        }
    }
    trainer.controls = controls;
    trainer.saved_at = Some(trainer.step);
    trainer.changes = state.changes;
    trainer.train_time = seconds(state.train_seconds);
    trainer.evaluation_time = seconds(state.evaluation_seconds);
    Ok(())
}

/// Of a file that anybody may have edited.
fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}
