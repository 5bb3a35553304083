//! Catastrophic overfitting: while a one-step attack is trained against, robustness against a stronger one can break down within a few
//! hundred steps, on the training images too, and nothing in the loss tells.
//!
//! Every `watch.every` steps the same training images, not augmented, are attacked with PGD-5 at the radius in force; a fall by more
//! than `watch.drop` below the best of the last three looks is a break-down (Wong et al. look once an epoch for a fall of 0.2). It is
//! said and marked on the charts, and answered as `watch.overfitting` says: the weights of the last good look come back, and
//! training ends there, or goes on with smaller attack steps.

use super::ends::{Ends, RunError, tell};
use super::trainer::{Trainer, round};
use super::{checkpoint::Watched, evaluate};
use crate::config::{Answer, AttackSpec, Threat};
use crate::nn::{Model, Role};
use crate::protocol::event::{Evaluated, Purpose, Split, Warning, Whose};
use crate::protocol::{Change, Dial, Event, Step};
use std::collections::HashMap;
use std::time::Instant;
use tch::{Device, Tensor};

const STEPS: u32 = 5;
/// Looks that a fall is measured against.
const REMEMBERED: usize = 3;
/// What an attack's step is multiplied by when training goes back.
const SMALLER: f64 = 0.75;
/// Going back more often than this helps nobody.
const MOST_BACK: u32 = 5;

/// What it knows from look to look.
#[derive(Default)]
pub struct Watch {
    pub watched: Watched,
    good: Option<Good>,
}

/// The last weights that were well.
struct Good {
    step: Step,
    flat: Tensor,
    velocity: Tensor,
    buffers: Vec<Tensor>,
    /// The mean of weights, where one is kept, and its statistics.
    mean: Option<(Tensor, Vec<Tensor>)>,
    method: Vec<(String, Tensor)>,
}

const FLAT: &str = "flat";
const VELOCITY: &str = "velocity";
const BUFFER: &str = "buffer.";
const MEAN: &str = "mean.";
const METHOD: &str = "method.";

impl Watch {
    /// The way back, by name, for a checkpoint.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let Some(good) = &self.good else { return Vec::new() };
        let copy = |tensor: &Tensor| tensor.shallow_clone();
        let numbered = |prefix: &str, all: &[Tensor]| -> Vec<(String, Tensor)> {
            all.iter().enumerate().map(|(i, tensor)| (format!("{prefix}{BUFFER}{i}"), copy(tensor))).collect()
        };
        let mut named = vec![(FLAT.into(), copy(&good.flat)), (VELOCITY.into(), copy(&good.velocity))];
        named.extend(numbered("", &good.buffers));
        if let Some((flat, buffers)) = &good.mean {
            named.push((format!("{MEAN}{FLAT}"), copy(flat)));
            named.extend(numbered(MEAN, buffers));
        }
        named.extend(good.method.iter().map(|(name, tensor)| (format!("{METHOD}{name}"), copy(tensor))));
        named
    }

    /// Takes on what [`Self::state`] gave, where it fits the networks; else there is no way back before the next good look.
    pub fn restore(&mut self, state: Vec<(String, Tensor)>, like: &Model, device: Device) {
        let Some(step) = self.watched.good else { return };
        let named: HashMap<String, Tensor> = state.into_iter().map(|(name, t)| (name, t.to_device(device))).collect();
        let one = |name: &str| named.get(name).map(Tensor::shallow_clone);
        let numbered = |prefix: &str| (0..).map_while(|i| one(&format!("{prefix}{BUFFER}{i}"))).collect::<Vec<_>>();
        let (Some(flat), Some(velocity)) = (one(FLAT), one(VELOCITY)) else { return };
        let size = like.parameters.flat().size();
        let own = statistics(like);
        let fits = |flat: &Tensor, buffers: &[Tensor]| {
            flat.size() == size && buffers.len() == own.len() && buffers.iter().zip(&own).all(|(a, b)| a.size() == b.size())
        };
        let buffers = numbered("");
        let mean = one(&format!("{MEAN}{FLAT}")).map(|flat| (flat, numbered(MEAN)));
        if velocity.size() != size || !fits(&flat, &buffers) || mean.as_ref().is_some_and(|(flat, b)| !fits(flat, b)) {
            return;
        }
        let method =
            named.iter().filter_map(|(name, t)| Some((name.strip_prefix(METHOD)?.to_string(), t.shallow_clone()))).collect();
        self.good = Some(Good { step, flat, velocity, buffers, mean, method });
    }
}

/// Whether training goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    Stop,
}

impl Trainer {
    /// Looks, when a look is due after the step that was just done.
    /// `second`: as for a report, which comes first: going back must not leave steps that nobody was told of.
    pub(super) fn watch(&mut self, ends: &mut Ends, second: &mut Instant) -> Result<Verdict, RunError> {
        let settings = self.config.watch;
        if settings.overfitting == Answer::Off || !self.step.is_multiple_of(settings.every) {
            return Ok(Verdict::GoOn);
        }
        self.report(ends, second)?;
        let threat = Threat { norm: self.controls.norm, eps: self.controls.eps };
        let attack = AttackSpec::pgd(threat, STEPS, 1, 0);
        let indices = evaluate::subset(self.train.len(), settings.images);
        let begin = Instant::now();
        let go_on = |_| if ends.inbox.stop_waits() { crate::attacks::GoOn::No } else { crate::attacks::GoOn::Yes };
        let found = evaluate::evaluate(&self.student.folded(), &self.train, &indices, &attack, go_on)?;
        self.evaluation_time += begin.elapsed();
        let Some(found) = found else { return Ok(Verdict::GoOn) };
        tell(
            ends,
            Event::Evaluated(Evaluated {
                step: self.step,
                by: None,
                of: Whose::Student,
                split: Split::Train,
                purpose: Purpose::Watch,
                attack,
                natural: found.natural,
                adversarial: found.adversarial,
                images: found.images as u64,
                seconds: round(begin.elapsed().as_secs_f64(), 3),
            }),
        )?;
        let watched = &mut self.watch.watched;
        if watched.eps != Some(self.controls.eps) {
            // Accuracies under different radii do not compare.
            watched.eps = Some(self.controls.eps);
            watched.looks.clear();
        }
        let before = watched.looks.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if before - found.adversarial > settings.drop {
            return self.broken_down(ends, before, found.adversarial);
        }
        watched.looks.push(found.adversarial);
        if watched.looks.len() > REMEMBERED {
            watched.looks.remove(0);
        }
        watched.told = false;
        self.keep_good();
        Ok(Verdict::GoOn)
    }

    fn broken_down(&mut self, ends: &mut Ends, before: f64, now: f64) -> Result<Verdict, RunError> {
        let settings = self.config.watch;
        let answer = if self.watch.watched.went_back >= MOST_BACK { Answer::Stop } else { settings.overfitting };
        if std::mem::replace(&mut self.watch.watched.told, true) && answer == Answer::Warn {
            return Ok(Verdict::GoOn);
        }
        let good = self.watch.good.as_ref().map(|good| good.step);
        let consequence = match (answer, good) {
            (Answer::Off | Answer::Warn, _) => {
                "training goes on; a smaller step_size, n-fgsm or more attack steps usually help, and watch.overfitting = \"roll-back\" would have gone back".into()
            }
            (Answer::Stop, Some(step)) => format!("training ends with the weights of step {step}"),
            (Answer::Stop, None) => "training ends; there are no weights from before".into(),
            (Answer::RollBack, Some(step)) => format!("back to the weights of step {step}, on with smaller attack steps"),
            (Answer::RollBack, None) => "there are no weights from before to go back to".into(),
        };
        let message = format!(
            "catastrophic overfitting: adversarial accuracy on {} training images fell from {:.1} % to {:.1} % (PGD-{STEPS}, {} eps {}); {consequence}",
            settings.images.min(self.train.len()),
            100.0 * before,
            100.0 * now,
            self.controls.norm,
            self.controls.eps,
        );
        tell(ends, Event::Warned { step: Some(self.step), kind: Warning::Overfitting, message })?;
        match answer {
            Answer::Off | Answer::Warn => Ok(Verdict::GoOn),
            Answer::Stop => {
                self.go_back();
                // What is saved are the weights of that step, and resuming goes on from there.
                if let Some(step) = good {
                    self.step = step;
                }
                self.probed = None;
                Ok(Verdict::Stop)
            }
            Answer::RollBack => {
                self.go_back();
                self.watch.watched.went_back += 1;
                let dial = if self.method.dials().contains(&Dial::StepSize) { Dial::StepSize } else { Dial::LrScale };
                let change: Change = dial.to(SMALLER * self.controls.value(dial));
                self.set(ends, None, change, Some("rolled back after catastrophic overfitting".into()))?;
                Ok(Verdict::GoOn)
            }
        }
    }

    /// Keeps the weights as they are for a way back. Also at the start of a run, but not of a resumed one, of which nobody knows
    /// whether they are well.
    pub(super) fn keep_good(&mut self) {
        if !matches!(self.config.watch.overfitting, Answer::Stop | Answer::RollBack) {
            return;
        }
        let mean = self.ema.as_ref().map(|ema| (ema.model.parameters.flat().copy(), statistics(&ema.model)));
        self.watch.watched.good = Some(self.step);
        self.watch.good = Some(Good {
            step: self.step,
            flat: self.student.parameters.flat().copy(),
            velocity: self.sgd.velocity().copy(),
            buffers: statistics(&self.student),
            mean,
            method: self.method.state().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect(),
        });
    }

    fn go_back(&mut self) {
        let Some(good) = &self.watch.good else { return };
        let _guard = tch::no_grad_guard();
        self.sgd.velocity().shallow_clone().copy_(&good.velocity);
        put_back(&self.student, &good.flat, &good.buffers);
        if let (Some(ema), Some((flat, buffers))) = (&self.ema, &good.mean) {
            put_back(&ema.model, flat, buffers);
        }
        let carried = good.method.iter().map(|(name, tensor)| (name.clone(), tensor.copy())).collect();
        // It gave them itself.
        let _ = self.method.restore(carried);
    }
}

fn statistics(model: &Model) -> Vec<Tensor> {
    model.parameters.entries().iter().filter(|p| p.role == Role::Buffer).map(|p| p.tensor.copy()).collect()
}

fn put_back(model: &Model, flat: &Tensor, buffers: &[Tensor]) {
    model.parameters.flat().shallow_clone().copy_(flat);
    for (p, kept) in model.parameters.entries().iter().filter(|p| p.role == Role::Buffer).zip(buffers) {
        p.tensor.shallow_clone().copy_(kept);
    }
}
