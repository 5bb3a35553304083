//! Robustness that breaks down while natural accuracy does not: catastrophic overfitting, or a dial that was turned too far. And accuracy
//! that falls slowly, after a change by hand, or below what a person set.
//!
//! Only looks that compare are compared: the same split, attack, radius and number of images.

use super::{Alert, Episode, Look, Patience, Say, Turned, percent};
use crate::config::{AttackSpec, Eps};
use crate::protocol::event::{Evaluated, Purpose, Split, Started, Warning, Whose};
use crate::protocol::{Dial, Step};
use std::collections::VecDeque;

/// A fall of adversarial accuracy by more than this is a break-down (Wong et al., 2020).
const FALL: f64 = 0.2;
/// So is a fall to less than this share of what it was, which is how it looks where little was there to lose ...
const SHARE: f64 = 0.5;
/// ... but not from less than this, where there was next to nothing yet ...
const LEAST: f64 = 0.1;
/// ... and only if chance does not do it: standard errors of the difference of two such accuracies.
const ERRORS: f64 = 3.0;
/// A fall by this much after a change by hand is told, where chance does not explain it.
const AFTER_CHANGE: f64 = 0.05;
/// Natural accuracy that falls by more than this share of it: training as a whole goes wrong, and the loss tells.
const NATURAL: f64 = 0.5;
/// Looks that a fall is measured against.
const REMEMBERED: usize = 3;
/// A limit is told again when it was kept in between, however far below it the accuracy falls.
const LIMIT: Patience = Patience { well: 1, worse: f64::INFINITY };
/// Told again after this many looks that were well, or after a fall twice as deep.
const PATIENCE: Patience = Patience { well: 3, worse: 2.0 };

#[derive(Clone, Debug, Default)]
pub(super) struct Robustness {
    epoch: u64,
    probes: Looks,
    train: Looks,
    /// The last look before the newest change by hand, until a fall was told or enough looks came after it.
    before_change: Option<(One, (AttackSpec, u64))>,
    after_change: usize,
    limit: Option<f64>,
    eps: Option<Eps>,
    steps: Step,
    /// Adversarial accuracy was at the limit once.
    reached: bool,
    below: Episode,
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
    /// The highest adversarial accuracy of all.
    best: Option<One>,
    slow: Episode,
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
        self.limit = started.config.alerts.adversarial_below;
        (self.eps, self.steps) = (Some(started.config.threat.eps), started.plan.steps());
    }

    /// A person turned a dial. `anew`: this is no later stair of a ramp.
    pub(super) fn turned(&mut self, dial: Dial, anew: bool) {
        // Another radius is another attack: its looks compare with none before.
        if dial != Dial::Eps && anew {
            self.before_change = self.probes.recent.back().copied().zip(self.probes.under.clone());
        }
        self.after_change = 0;
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

    pub(super) fn see(&mut self, found: &Evaluated, turned: Option<Turned>) -> Vec<Alert> {
        let mut told = Vec::new();
        if !is_sound(found) {
            return told;
        }
        let probe = (found.purpose, found.split) == (Purpose::Probe, Split::Validation);
        told.extend(self.fell(found, turned));
        if probe {
            let before = self.before_change.clone().filter(|(_, under)| *under == (found.attack.clone(), found.images));
            let after = before.and_then(|(before, _)| self.followed(found, before, turned));
            let slow = self.probes.fell_slowly(found, !told.is_empty() || after.is_some());
            if told.is_empty() {
                told.extend(after.or_else(|| slow.map(|best| slow_words(found, best, turned))));
            }
            told.extend(self.is_below(found));
        }
        told
    }

    /// A fall that follows a change by hand within a few looks.
    fn followed(&mut self, found: &Evaluated, before: One, turned: Option<Turned>) -> Option<Alert> {
        self.after_change += 1;
        if self.after_change >= REMEMBERED {
            self.before_change = None;
        }
        let turned = turned.filter(|turned| turned.by_hand && before.step <= turned.step && turned.step < found.step)?;
        let fell = |from: f64, to: f64| from - to > AFTER_CHANGE && from - to > ERRORS * error(from, to, found.images);
        let natural = fell(before.natural, found.natural);
        if !natural && !fell(before.adversarial, found.adversarial) {
            return None;
        }
        self.before_change = None;
        let message = format!(
            "accuracy fell after {}: adversarial {} @ step {} -> {} @ step {} ({}), natural {} -> {}. Turn it back if that was not meant",
            turned.words(),
            percent(before.adversarial),
            before.step,
            percent(found.adversarial),
            found.step,
            measured(found),
            percent(before.natural),
            percent(found.natural),
        );
        Some(Alert { kind: Warning::Other, step: Some(found.step), message })
    }

    /// Below what the config sets, under the radius of the config.
    fn is_below(&mut self, found: &Evaluated) -> Option<Alert> {
        let limit = self.limit.filter(|_| self.eps == Some(found.attack.eps))?;
        let now = found.adversarial;
        if now >= limit {
            self.reached = true;
            self.below.judge(Look::Well, LIMIT);
            return None;
        }
        // Every run begins below it.
        let due = self.reached || 2 * found.step >= self.steps;
        if !due || self.below.judge(Look::Bad(limit - now), LIMIT) == Say::Nothing {
            return None;
        }
        let message = format!(
            "adversarial accuracy is below {}: {} @ step {} ({}). The limit is alerts.adversarial_below; look at what was changed last, or go \
             back to an earlier checkpoint",
            percent(limit),
            percent(now),
            found.step,
            measured(found),
        );
        Some(Alert { kind: Warning::Limit, step: Some(found.step), message })
    }

    /// A break-down from one look to the next few.
    fn fell(&mut self, found: &Evaluated, turned: Option<Turned>) -> Option<Alert> {
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

/// Accuracies of the student that are shares.
fn is_sound(found: &Evaluated) -> bool {
    found.of == Whose::Student && [found.natural, found.adversarial].iter().all(|share| (0.0..=1.0).contains(share))
}

/// `pgd-10 eps 8/255, 500 validation images`.
fn measured(found: &Evaluated) -> String {
    format!("{} eps {}, {} {} images", found.attack.short(), found.attack.eps, found.images, found.split.name())
}

/// Standard error of the difference of two accuracies.
fn error(a: f64, b: f64, images: u64) -> f64 {
    let variance = |p: f64| p * (1.0 - p) / images.max(1) as f64;
    (variance(a) + variance(b)).max(0.0).sqrt()
}

impl Looks {
    /// The best look of all, where the newest is far below it and it is older than those that [`Self::broke_down`] compares with:
    /// no single step need be large. `told`: another alert speaks of this look.
    fn fell_slowly(&mut self, found: &Evaluated, told: bool) -> Option<One> {
        let now = One { step: found.step, natural: found.natural, adversarial: found.adversarial };
        if self.best.is_none_or(|best| now.adversarial >= best.adversarial) {
            self.best = Some(now);
        }
        let best = self.best?;
        let fall = best.adversarial - now.adversarial;
        if told {
            // The same fall is not told again when it is old.
            self.slow.told = Some(self.slow.told.map_or(fall, |before| before.max(fall)));
            self.slow.well = 0;
            return None;
        }
        let far = fall > FALL || (best.adversarial >= LEAST && now.adversarial < SHARE * best.adversarial);
        let old = self.recent.front().is_some_and(|oldest| best.step < oldest.step);
        let by_chance = fall <= ERRORS * error(best.adversarial, now.adversarial, found.images);
        let look = match (far && !by_chance, old) {
            (true, true) => Look::Bad(fall),
            (true, false) => return None,
            (false, _) => Look::Well,
        };
        (self.slow.judge(look, PATIENCE) == Say::It).then_some(best)
    }

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
    let error = error(best.adversarial, now.adversarial, images);
    let halved = best.adversarial >= LEAST && now.adversarial < SHARE * best.adversarial;
    (fall > FALL || halved) && fall > ERRORS * error && best.natural - now.natural < NATURAL * fall
}

fn slow_words(found: &Evaluated, best: One, turned: Option<Turned>) -> Alert {
    let advice = match turned.filter(|t| (best.step..found.step).contains(&t.step)) {
        Some(turned) => format!("The last change since then was {}: turn it back if that was not meant", turned.words()),
        None => "Go back to the checkpoint of the best probe (c), or try a smaller learning rate (lr x 0.5)".into(),
    };
    let message = format!(
        "robustness fell slowly: best {} @ step {}, now {} @ step {} ({}), natural {} -> {}. {advice}",
        percent(best.adversarial),
        best.step,
        percent(found.adversarial),
        found.step,
        measured(found),
        percent(best.natural),
        percent(found.natural),
    );
    Alert { kind: Warning::Other, step: Some(found.step), message }
}

fn words(found: &Evaluated, best: One, turned: Option<Turned>) -> Alert {
    let saw = format!(
        "robustness broke down: {} @ step {} -> {} @ step {} ({}), natural {} -> {}",
        percent(best.adversarial),
        best.step,
        percent(found.adversarial),
        found.step,
        measured(found),
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
