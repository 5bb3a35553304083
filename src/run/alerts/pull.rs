//! What holds student and teacher together: features that agree less and less, and a term of the objective that pulls at nothing.

use super::{Alert, Episode, Look, Patience, Say, number};
use crate::protocol::event::{EpochFinished, Progress, Started, Term, Warning};
use crate::protocol::insight::Pulls;
use crate::protocol::{Dial, Step};

/// Falls, one after the other, that are a trend ...
const FALLS: u32 = 3;
/// ... if the mean cosine of an epoch fell by this each time, several times what it wavers by ...
const EACH: f64 = 0.002;
/// ... and by this in all.
const TOGETHER: f64 = 0.02;
/// The same for matched minus shuffled cosines of a few images, which waver more.
const MARGIN_EACH: f64 = 0.01;
const MARGIN_TOGETHER: f64 = 0.1;
/// A term with less than this share of the pull of both hardly does anything.
const SHARE: f64 = 0.01;
/// Norms below this are nothing that an optimizer would notice.
const NOTHING: f64 = 1e-8;
/// Measurements in a row, of a few images each.
const MEASURED: u32 = 3;
/// Told again after this many that were well, or when it has fallen twice as far.
const DRIFT: Patience = Patience { well: 3, worse: 2.0 };
/// A share that became a tenth of what was told is news.
const PULL: Patience = Patience { well: 5, worse: 10.0 };

#[derive(Clone, Debug, Default)]
pub(super) struct Pull {
    lambda: Option<f64>,
    cosine: Mean,
    epochs: Fall,
    margin: Fall,
    vanishing: Episode,
    in_a_row: Option<(Gone, u32)>,
}

/// A mean that is being made, over steps.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    steps: u64,
}

/// Something that should not fall.
#[derive(Clone, Copy, Debug, Default)]
struct Fall {
    last: Option<(Step, f64)>,
    /// Where the falls began.
    top: Option<(Step, f64)>,
    falls: u32,
    episode: Episode,
}

/// Which of the two terms pulls at nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    First,
    Second,
    Both,
}

impl Pull {
    pub(super) fn start(&mut self, started: &Started) {
        self.lambda = started.dials.contains(&Dial::Lambda).then_some(started.controls.lambda);
    }

    /// A dial was turned, and what it pulls with it: what was measured before tells nothing about now.
    pub(super) fn turned(&mut self, dial: Dial, to: f64) {
        if dial == Dial::Lambda {
            self.lambda = self.lambda.map(|_| to);
        }
        self.cosine = Mean::default();
        self.epochs = Fall::default();
        self.margin = Fall::default();
        self.in_a_row = None;
    }

    pub(super) fn count(&mut self, progress: &Progress) {
        if let Some(cosine) = progress.terms.get(&Term::Cosine)
            && cosine.mean.is_finite()
        {
            self.cosine.sum += cosine.mean * progress.steps as f64;
            self.cosine.steps = self.cosine.steps.saturating_add(progress.steps);
        }
    }

    pub(super) fn epoch(&mut self, epoch: &EpochFinished) -> Option<Alert> {
        let Mean { sum, steps } = std::mem::take(&mut self.cosine);
        if steps == 0 {
            return None;
        }
        let (from, value) = self.epochs.take(epoch.step, sum / steps as f64, EACH, TOGETHER)?;
        let saw = format!(
            "the student drifts from its teacher: cosine of their features {} on average over the epoch up to step {}, {} at step {}, lower in each epoch since",
            number(sum / steps as f64),
            epoch.step,
            number(value),
            from,
        );
        Some(self.drifting(epoch.step, &saw))
    }

    pub(super) fn see(&mut self, pulls: &Pulls) -> Vec<Alert> {
        let mut told = Vec::new();
        if let (Some(matched), Some(shuffled)) = (pulls.matched, pulls.shuffled) {
            let margin = matched.0 - shuffled.0;
            if let Some((from, value)) = self.margin.take(pulls.step, margin, MARGIN_EACH, MARGIN_TOGETHER) {
                let saw = format!(
                    "the student drifts from its teacher: cosine {} for the same image, {} for different ones @ step {} ({} images); they were {} apart at step {from}",
                    number(matched.0),
                    number(shuffled.0),
                    pulls.step,
                    pulls.images,
                    number(value),
                );
                told.push(self.drifting(pulls.step, &saw));
            }
        }
        told.extend(self.vanish(pulls));
        told
    }

    fn drifting(&self, step: Step, saw: &str) -> Alert {
        let advice = match self.lambda {
            Some(lambda) => format!("Try a smaller λ ({} now), or a smaller learning rate (lr x 0.5)", number(lambda)),
            None => "Try a smaller learning rate (lr x 0.5)".into(),
        };
        Alert { kind: Warning::Drifting, step: Some(step), message: format!("{saw}. {advice}") }
    }

    fn vanish(&mut self, pulls: &Pulls) -> Option<Alert> {
        let [first, second] = pulls.norms.map(|norm| norm.0);
        if ![first, second].iter().all(|norm| norm.is_finite() && *norm >= 0.0) {
            return None;
        }
        let share = pulls.share();
        let gone = if first < NOTHING && second < NOTHING {
            Some((Gone::Both, 1.0))
        } else if self.lambda == Some(0.0) {
            // Somebody wants it so.
            None
        } else if share < SHARE {
            Some((Gone::First, SHARE / share.max(1e-12)))
        } else if share > 1.0 - SHARE {
            Some((Gone::Second, SHARE / (1.0 - share).max(1e-12)))
        } else {
            None
        };
        let Some((gone, how)) = gone else {
            self.in_a_row = None;
            self.vanishing.judge(Look::Well, PULL);
            return None;
        };
        let count = match self.in_a_row {
            Some((before, count)) if before == gone => count.saturating_add(1),
            Some(_) | None => 1,
        };
        self.in_a_row = Some((gone, count));
        if count < MEASURED || self.vanishing.judge(Look::Bad(how), PULL) == Say::Nothing {
            return None;
        }
        let message = match (pulls.teacher, gone) {
            (Some(fault), Gone::Second | Gone::Both) => format!(
                "{} pulls at nothing @ step {}: the teacher's features are {}. No λ helps: end the run and use another teacher, or check the \
                 normalisation that it was imported with",
                pulls.terms[1].name(),
                pulls.step,
                fault.words(),
            ),
            (Some(_) | None, _) => self.vanished(gone, [first, second], pulls),
        };
        Some(Alert { kind: Warning::Vanishing, step: Some(pulls.step), message })
    }

    fn vanished(&self, gone: Gone, [first, second]: [f64; 2], pulls: &Pulls) -> String {
        let [one, other] = pulls.terms.map(Term::name);
        let seen = format!("{MEASURED} measurements in a row, the last @ step {} on {} images", pulls.step, pulls.images);
        let of = |small: f64, large: f64| format!("{:.1} %", 100.0 * (small / large));
        let advice = |factor: &str, weight: &str| match self.lambda {
            Some(lambda) => format!("try λ {factor} ({} now)", number(lambda)),
            None => weight.to_string(),
        };
        match gone {
            Gone::First => format!(
                "{one} pulls {} of what {other} pulls: it hardly does anything ({seen}). If it should, {}",
                of(first, second),
                advice("* 10", "weigh it higher"),
            ),
            Gone::Second => format!(
                "{other} pulls {} of what {one} pulls: it hardly does anything ({seen}). If it should, {}",
                of(second, first),
                advice("/ 10", "weigh it higher"),
            ),
            Gone::Both => format!(
                "neither {one} nor {other} pulls at the student's features: norms {} and {} ({seen}). Nothing is learned any more: look whether the loss still moves, and whether the features are all zero",
                number(first),
                number(second),
            ),
        }
    }
}

impl Fall {
    /// Takes in the next value. Where it came from, if it falls and falls and that is news.
    fn take(&mut self, step: Step, value: f64, each: f64, together: f64) -> Option<(Step, f64)> {
        if !value.is_finite() {
            return None;
        }
        let last = self.last.replace((step, value));
        match last {
            Some((_, before)) if before - value > each => {
                self.falls = self.falls.saturating_add(1);
                self.top = self.top.or(last);
            }
            Some(_) | None => (self.falls, self.top) = (0, None),
        }
        let top = self.top.filter(|(_, top)| self.falls >= FALLS && top - value > together);
        let Some((from, top)) = top else {
            if self.falls == 0 {
                self.episode.judge(Look::Well, DRIFT);
            }
            return None;
        };
        (self.episode.judge(Look::Bad(top - value), DRIFT) == Say::It).then_some((from, top))
    }
}
