//! Robustness that breaks down while natural accuracy does not: catastrophic overfitting, or a dial that was turned too far.
//!
//! Only looks that compare are compared: the same split, attack, radius and number of images.

use super::{Alert, Episode, Look, Patience, Say, Turned, percent};
use crate::config::AttackSpec;
use crate::protocol::Step;
use crate::protocol::event::{Evaluated, Purpose, Split, Started, Warning, Whose};
use std::collections::VecDeque;

/// A fall of adversarial accuracy by more than this is a break-down (Wong et al., 2020).
const FALL: f64 = 0.2;
/// So is a fall to less than this share of what it was, which is how it looks where little was there to lose ...
const SHARE: f64 = 0.5;
/// ... but not from less than this, where there was next to nothing yet ...
const LEAST: f64 = 0.1;
/// ... and only if chance does not do it: standard errors of the difference of two such accuracies.
const ERRORS: f64 = 3.0;
/// Natural accuracy that falls by more than this share of it: training as a whole goes wrong, and the loss tells.
const NATURAL: f64 = 0.5;
/// Looks that a fall is measured against.
const REMEMBERED: usize = 3;
/// Told again after this many looks that were well, or after a fall twice as deep.
const PATIENCE: Patience = Patience { well: 3, worse: 2.0 };

#[derive(Clone, Debug, Default)]
pub(super) struct Robustness {
    epoch: u64,
    probes: Looks,
    train: Looks,
    /// Where the worker, or this, told of it last.
    told: Option<Step>,
    /// Told unless the worker tells it itself: its own watch speaks after the look that it took.
    held: Option<Alert>,
}

/// Accuracies that compare, the newest last.
#[derive(Clone, Debug, Default)]
struct Looks {
    under: Option<(AttackSpec, u64)>,
    recent: VecDeque<One>,
    episode: Episode,
}

#[derive(Clone, Copy, Debug)]
struct One {
    step: Step,
    natural: f64,
    adversarial: f64,
}

impl Robustness {
    pub(super) fn start(&mut self, started: &Started) {
        self.epoch = started.plan.steps_per_epoch;
    }

    /// Somebody told of it: no reason to repeat it within an epoch.
    pub(super) fn was_told(&mut self, step: Step) {
        self.told = Some(step);
        self.held = None;
    }

    /// Training goes on, so that the worker has said what it had to say.
    pub(super) fn went_on(&mut self) -> Option<Alert> {
        self.held.take()
    }

    pub(super) fn see(&mut self, found: &Evaluated, turned: Option<Turned>) -> Option<Alert> {
        if found.of != Whose::Student || ![found.natural, found.adversarial].iter().all(|share| (0.0..=1.0).contains(share)) {
            return None;
        }
        let looks = match (found.purpose, found.split) {
            (Purpose::Probe, Split::Validation) => &mut self.probes,
            (Purpose::Watch, Split::Train) => &mut self.train,
            (Purpose::Probe | Purpose::Watch | Purpose::Final, _) => return None,
        };
        let best = looks.broke_down(found)?;
        if self.told.is_some_and(|told| found.step.saturating_sub(told) < self.epoch) {
            return None;
        }
        let alert = words(found, best, turned);
        if found.purpose == Purpose::Watch {
            self.held = Some(alert);
            return None;
        }
        if alert.kind == Warning::Overfitting {
            self.told = Some(found.step);
        }
        Some(alert)
    }
}

impl Looks {
    /// Takes in a look. The best of those before it, where it breaks down from there and that is news.
    fn broke_down(&mut self, found: &Evaluated) -> Option<One> {
        let under = (found.attack.clone(), found.images);
        if self.under.as_ref() != Some(&under) {
            *self = Self { under: Some(under), ..Self::default() };
        }
        let now = One { step: found.step, natural: found.natural, adversarial: found.adversarial };
        let best = self.recent.iter().copied().max_by(|a, b| a.adversarial.total_cmp(&b.adversarial));
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        let best = best?;
        let fall = best.adversarial - now.adversarial;
        let look = if is_break_down(best, now, found.images) { Look::Bad(fall) } else { Look::Well };
        (self.episode.judge(look, PATIENCE) == Say::It).then_some(best)
    }
}

fn is_break_down(best: One, now: One, images: u64) -> bool {
    let fall = best.adversarial - now.adversarial;
    let variance = |p: f64| p * (1.0 - p) / images.max(1) as f64;
    let error = (variance(best.adversarial) + variance(now.adversarial)).max(0.0).sqrt();
    let halved = best.adversarial >= LEAST && now.adversarial < SHARE * best.adversarial;
    (fall > FALL || halved) && fall > ERRORS * error && best.natural - now.natural < NATURAL * fall
}

fn words(found: &Evaluated, best: One, turned: Option<Turned>) -> Alert {
    let (attack, eps, images, split) = (found.attack.short(), found.attack.eps, found.images, found.split.name());
    let saw = format!(
        "robustness broke down: {} @ step {} -> {} @ step {} ({attack} eps {eps}, {images} {split} images), natural {} -> {}",
        percent(best.adversarial),
        best.step,
        percent(found.adversarial),
        found.step,
        percent(best.natural),
        percent(found.natural),
    );
    // A person who turned a dial in between should hear of the dial, not of a disease.
    let (kind, advice) = match turned.filter(|t| (best.step..found.step).contains(&t.step)) {
        Some(turned) => (Warning::Other, format!("In between came {}: turn it back if that was not meant", turned.words())),
        None => (
            Warning::Overfitting,
            "This is catastrophic overfitting where training attacks with one step: try a smaller step_size, more attack steps or n-fgsm, or go back to an earlier checkpoint".into(),
        ),
    };
    Alert { kind, step: Some(found.step), message: format!("{saw}. {advice}") }
}
