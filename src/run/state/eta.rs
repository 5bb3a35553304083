//! Time until a run has ended: its pace over a whole epoch, the probes that are still to come, and the evaluation that ends it.
//!
//! The last steps alone say little: a short last batch is fast, and probes and checkpoints lie between the epochs. A window of one epoch
//! holds each of them as often as the rest of the run does.

use super::{Phase, RunState};
use crate::protocol::Step;
use crate::protocol::event::{Evaluated, Purpose, Whose};
use std::collections::VecDeque;

/// Steps after which the pace says something about the rest.
const ENOUGH: Step = 10;
/// Marks kept for one epoch.
const MARKS: Step = 64;
/// A step of an attack costs a pass forward and one back, which takes about twice as long; a look at the image itself one forward.
const ATTACK_STEP: f64 = 3.0;

/// An estimate of the time left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Eta {
    pub seconds: f64,
    pub exactness: Exactness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// By the pace of a whole epoch, and everything that is still to come was measured once.
    Measured,
    /// Less than an epoch is done, or nothing is known of an evaluation that is still to come.
    Rough,
}

/// Time spent by step, back to one epoch before the newest report. Pauses and what a person asked for are not in it.
#[derive(Clone, Debug, Default)]
pub(super) struct EpochPace {
    marks: VecDeque<Mark>,
    /// Milliseconds of probes so far.
    probes_ms: u64,
    /// Milliseconds that belong to no plan: evaluations and probes asked for by hand.
    asked_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    step: Step,
    ms: u64,
    probes_ms: u64,
}

impl EpochPace {
    /// A report came after so many milliseconds of the run, pauses left out.
    pub(super) fn report(&mut self, step: Step, ms: u64, epoch: Step) {
        let mark = Mark { step, ms: ms.saturating_sub(self.asked_ms), probes_ms: self.probes_ms };
        // The newest mark moves on until it is worth keeping.
        if self.marks.len() > 1
            && let (Some(&last), Some(&before)) = (self.marks.back(), self.marks.get(self.marks.len() - 2))
            && last.step - before.step < epoch / MARKS
        {
            self.marks.pop_back();
        }
        self.marks.push_back(mark);
        while self.marks.get(1).is_some_and(|second| second.step + epoch <= step) {
            self.marks.pop_front();
        }
    }

    pub(super) fn evaluated(&mut self, found: &Evaluated) {
        let ms = (found.seconds.max(0.0) * 1e3) as u64;
        match (found.by, found.of, found.purpose) {
            (None, Whose::Student, Purpose::Probe) => self.probes_ms += ms,
            // The teacher is looked at once for each radius.
            (Some(_), ..) | (None, Whose::Teacher, _) => self.asked_ms += ms,
            // A look at training images comes every so many steps.
            (None, Whose::Student, Purpose::Watch | Purpose::Final) => {}
        }
    }

    pub(super) fn asked_for(&mut self, seconds: f64) {
        self.asked_ms += (seconds.max(0.0) * 1e3) as u64;
    }

    /// What was measured belongs to other steps, or to another machine.
    pub(super) fn forget(&mut self) {
        self.marks.clear();
    }

    /// Seconds a step, probes left out, over the last epoch; else over what there is.
    fn seconds_a_step(&self, epoch: Step) -> Option<(f64, Exactness)> {
        let (first, last) = (self.marks.front()?, self.marks.back()?);
        let steps = last.step.checked_sub(first.step).filter(|steps| *steps > 0)?;
        let ms = (last.ms.saturating_sub(first.ms)).saturating_sub(last.probes_ms - first.probes_ms);
        let exactness = if steps >= epoch { Exactness::Measured } else { Exactness::Rough };
        Some((ms as f64 / 1e3 / steps as f64, exactness))
    }
}

impl RunState {
    /// Takes note of how long the steps of a report took.
    pub(super) fn pace(&mut self, at: u64, steps: u64) {
        let seconds = at.saturating_sub(self.last_progress_ms) as f64 / 1000.0 / steps.max(1) as f64;
        // Evaluations and pauses lie between reports too: what is far off the usual pace is not a step time.
        if self.last_progress_ms > 0 && (self.step_seconds == 0.0 || seconds < 8.0 * self.step_seconds) {
            // The first steps on a GPU take seconds, and would be in the mean for minutes. One fast report is no such change: the last
            // batch of an epoch may be a short one.
            let fast = seconds < 0.25 * self.step_seconds;
            let weight = if self.step_seconds == 0.0 || (fast && self.fast_before) { 1.0 } else { 0.1 };
            self.fast_before = fast;
            self.step_seconds += weight * (seconds - self.step_seconds);
        }
        self.last_progress_ms = at;
    }

    /// Time until the run has ended, the final evaluation included; `None` until ten steps are done, and while paused.
    pub fn eta(&self) -> Option<Eta> {
        if self.step < ENOUGH || self.phase == Phase::Paused || self.finished.is_some() {
            return None;
        }
        let started = self.started.as_ref()?;
        let left = self.plan_steps().saturating_sub(self.step);
        let last = self.final_seconds();
        if left == 0 {
            let progress = self.measuring.as_ref().and_then(|progress| progress.left_ms).map(|ms| ms as f64 / 1e3);
            return progress.map_or(last, Some).map(|seconds| Eta { seconds, exactness: Exactness::Measured });
        }
        let epoch = started.plan.steps_per_epoch.max(1);
        let by_last_steps = (self.step_seconds > 0.0).then_some((self.step_seconds, Exactness::Rough));
        let (step, mut exactness) = self.epoch_pace.seconds_a_step(epoch).or(by_last_steps)?;
        let probes = left as f64 / epoch as f64 * self.controls.map_or(0.0, |c| f64::from(c.probes));
        let probe = self.probes().next_back().map(|probe| probe.seconds);
        if last.is_none() || (probes > 0.0 && probe.is_none()) {
            exactness = Exactness::Rough;
        }
        let seconds = left as f64 * step + probes * probe.unwrap_or(0.0) + last.unwrap_or(0.0);
        Some(Eta { seconds, exactness })
    }

    pub fn eta_seconds(&self) -> Option<f64> {
        self.eta().map(|eta| eta.seconds)
    }

    /// Seconds that the final evaluation will take, by what a probe of the same network took; `None` before the first probe.
    fn final_seconds(&self) -> Option<f64> {
        let started = self.started.as_ref()?;
        let settings = started.config.evaluation;
        let images = settings.images.map_or(started.data.test, |images| started.data.test.min(images as u64));
        if images == 0 {
            return Some(0.0);
        }
        let probe = self.probes().next_back()?;
        // Later restarts attack only what still stands.
        let cost = |images: u64, steps: u32, restarts: u32| {
            let attacked = probe.natural + f64::from(restarts.saturating_sub(1)) * probe.adversarial;
            images as f64 * (1.0 + ATTACK_STEP * f64::from(steps) * attacked)
        };
        let measured = cost(probe.images, probe.attack.steps, probe.attack.restarts);
        (measured > 0.0).then(|| probe.seconds * cost(images, settings.steps, settings.restarts) / measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AttackSpec, Eps, Norm, Threat};
    use crate::protocol::event::{Plan, Progress, Split};
    use crate::protocol::{Event, Record, Scalar};
    use std::collections::BTreeMap;

    /// A run of `epochs` epochs of 20 steps that is told what it is to be told, at times of its own.
    struct Told {
        state: RunState,
        at_ms: u64,
        step: Step,
    }

    const STEP_MS: u64 = 100;
    const PROBE_MS: u64 = 600;
    const SAVE_MS: u64 = 200;

    impl Told {
        fn new(epochs: u64, final_images: usize) -> Self {
            let log = include_str!("../../../assets/demo/events.jsonl");
            let mut first: Record = serde_json::from_str(log.lines().next().unwrap()).unwrap();
            let Event::Started(started) = &mut first.event else { panic!("a log begins with Started") };
            started.plan = Plan { epochs, steps_per_epoch: 20, most: None };
            started.controls.probes = 1;
            started.config.evaluation.images = Some(final_images);
            (started.config.evaluation.steps, started.config.evaluation.restarts) = (20, 1);
            let mut told = Self { state: RunState::default(), at_ms: 1_000_000, step: 0 };
            let event = first.event;
            told.say(event);
            told
        }

        fn say(&mut self, event: Event) {
            self.state.apply(&Record { seq: self.state.next_seq, at_ms: self.at_ms, event });
        }

        /// The last of twenty steps takes a tenth of the others, then come a probe and a checkpoint.
        fn epoch(&mut self) {
            for step in 1..=20 {
                self.step += 1;
                self.at_ms += if step == 20 { STEP_MS / 10 } else { STEP_MS };
                // Reports of two steps; the last step is reported by itself.
                if step % 2 == 0 || step == 19 {
                    let steps = if step >= 19 { 1 } else { 2 };
                    let event = Progress {
                        step: self.step,
                        steps,
                        lr: 0.1,
                        images_per_s: Scalar(1.0),
                        terms: BTreeMap::new(),
                        timing: None,
                    };
                    self.say(Event::Progress(event));
                }
            }
            self.at_ms += PROBE_MS;
            let attack = AttackSpec::pgd(Threat { norm: Norm::Linf, eps: Eps(0.1) }, 10, 1, 0);
            let (of, split, purpose) = (Whose::Student, Split::Validation, Purpose::Probe);
            let (natural, adversarial, images, seconds) = (0.8, 0.4, 500, PROBE_MS as f64 / 1e3);
            self.say(Event::Evaluated(Evaluated {
                step: self.step,
                by: None,
                of,
                split,
                purpose,
                attack,
                natural,
                adversarial,
                images,
                seconds,
            }));
            self.at_ms += SAVE_MS;
        }

        fn eta(&self) -> Eta {
            self.state.eta().unwrap()
        }
    }

    const EPOCH_S: f64 = (19 * STEP_MS + STEP_MS / 10 + PROBE_MS + SAVE_MS) as f64 / 1e3;

    #[test]
    fn a_short_last_batch_probes_and_checkpoints_are_in_the_estimate() {
        let mut told = Told::new(10, 0);
        told.epoch();
        assert_eq!(told.eta().exactness, Exactness::Rough);
        // Within a fifth although no checkpoint was seen yet, and with the last step reported last.
        assert!((told.eta().seconds / (9.0 * EPOCH_S) - 1.0).abs() < 0.2, "{:?}", told.eta());
        told.epoch();
        told.epoch();
        assert_eq!(told.eta().exactness, Exactness::Measured);
        assert!((told.eta().seconds / (7.0 * EPOCH_S) - 1.0).abs() < 0.03, "{:?} for {}", told.eta(), 7.0 * EPOCH_S);
        // The rate of the header is not that of the short batch either.
        assert!((told.state.step_seconds / 0.1 - 1.0).abs() < 0.25, "{}", told.state.step_seconds);
    }

    #[test]
    fn the_final_evaluation_is_estimated_by_a_probe() {
        let (mut with, mut without) = (Told::new(3, 1000), Told::new(3, 0));
        for told in [&mut with, &mut without] {
            told.epoch();
            told.epoch();
        }
        // Twice the images; 20 steps instead of 10, on the four fifths that are classified correctly.
        let expected = 0.6 * 2.0 * (1.0 + 3.0 * 20.0 * 0.8) / (1.0 + 3.0 * 10.0 * 0.8);
        assert!((with.eta().seconds - without.eta().seconds - expected).abs() < 1e-6, "{:?} {:?}", with.eta(), without.eta());
        with.epoch();
        assert!((with.eta().seconds - expected).abs() < 1e-6, "only the evaluation is left: {:?}", with.eta());
        let mut blind = Told::new(30, 1000);
        blind.state.controls = blind.state.controls.map(|controls| crate::protocol::Controls { probes: 0, ..controls });
        for step in 1..=25 {
            blind.at_ms += STEP_MS;
            let event = Progress { step, steps: 1, lr: 0.1, images_per_s: Scalar(1.0), terms: BTreeMap::new(), timing: None };
            blind.say(Event::Progress(event));
        }
        assert_eq!(blind.eta().exactness, Exactness::Rough, "nothing tells how long the final evaluation takes");
    }

    #[test]
    fn what_a_person_asked_for_is_no_pace() {
        let (mut told, mut plain) = (Told::new(10, 0), Told::new(10, 0));
        for told in [&mut told, &mut plain] {
            told.epoch();
            told.epoch();
        }
        // A long pause, then one more epoch.
        let flow = |flow| crate::protocol::Change::Flow(flow);
        let (running, paused) = (flow(crate::protocol::Flow::Running), flow(crate::protocol::Flow::Paused));
        let step = told.step;
        told.say(Event::Controlled { step, by: None, change: paused, previous: running, note: None, stair: None });
        assert_eq!(told.state.eta(), None);
        told.at_ms += 3_600_000;
        told.say(Event::Controlled { step, by: None, change: running, previous: paused, note: None, stair: None });
        let report = crate::protocol::report::Report {
            format: 1,
            of: Whose::Student,
            split: Split::Validation,
            images: 1,
            natural: 1.0,
            attacks: Vec::new(),
            worst_case: 1.0,
            classes: Vec::new(),
            confusion: Vec::new(),
            curve: None,
            doubts: Vec::new(),
            looked_for: Vec::new(),
            seconds: 900.0,
        };
        told.at_ms += 900_000;
        told.say(Event::Examined { step, by: None, report: Box::new(report) });
        told.epoch();
        plain.epoch();
        assert!((told.eta().seconds - plain.eta().seconds).abs() < 0.05, "{:?} {:?}", told.eta(), plain.eta());
    }
}
