//! What is known of a run: the fold of its records. Live, replayed and attached runs are the same to everything downstream.
//!
//! Nothing is drawn, read or timed here; the only clock is `Record::at_ms`.

mod eta;
mod judged;
mod log;
mod marker;
mod questions;
mod resume;
mod track;
mod turn;

pub use eta::{Eta, Exactness};
pub use log::{About, Level, LogLine};
pub use marker::{Marker, MarkerKind};
pub use track::Track;
pub use turn::{Hand, Turn};

use super::alerts::saw;
use super::clock::Clock;
use super::series::Series;
use super::step_times::StepTimes;
use crate::protocol::Step;
use crate::protocol::command::{CommandId, Stop};
use crate::protocol::controls::{Change, Controls, Flow};
use crate::protocol::event::{
    EpochFinished, Evaluated, Event, Finished, Machine, Outcome, Part, Preparing, Record, Saved, Started, Term, Timing, Voice,
};
use crate::protocol::insight::{Exhibit, Pulls};
use crate::protocol::report::{EvaluationProgress, Report};
use crate::protocol::timed::{Stair, Timed};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// Seconds of machine history kept for its small graphs.
const MACHINE_HISTORY: usize = 600;
/// Answers kept for whoever asked.
const ANSWERS: usize = 1_000;

#[derive(Clone, Debug, Default)]
pub struct RunState {
    pub started: Option<Box<Started>>,
    pub phase: Phase,
    /// The values in force; `None` before `Started`.
    pub controls: Option<Controls>,
    /// Steps done.
    pub step: Step,
    pub lr: f64,
    pub images_per_s: f64,
    pub series: BTreeMap<Term, Series>,
    /// What is measured beside the terms, as curves.
    pub tracks: BTreeMap<Track, Series>,
    /// When steps were done.
    pub clock: Clock,
    /// Natural and adversarial accuracy of the student's probes on validation images, as curves.
    pub natural: Series,
    pub adversarial: Series,
    /// Every evaluation, oldest first.
    pub evaluations: Vec<Evaluated>,
    /// The probe of the student with the highest adversarial accuracy so far, under the config's epsilon.
    pub best: Option<Evaluated>,
    pub markers: Vec<Marker>,
    /// Every change of a dial, oldest first; of a ramp its first and last stair.
    pub turns: Vec<Turn>,
    pub epochs: Vec<EpochFinished>,
    pub timing: Option<Timing>,
    /// How long steps took, added up.
    pub step_times: StepTimes,
    /// Parts of the step seen so far, so that panels keep their rows.
    pub parts: Vec<Part>,
    pub machine: VecDeque<Machine>,
    /// Why no GPU is read on the run's machine.
    pub no_gpu: Option<String>,
    pub log: VecDeque<LogLine>,
    /// Lines about what a person did that have left the log since, with their numbers: they are kept longer than others.
    pub kept: VecDeque<(u64, LogLine)>,
    /// Lines ever said: those that left the log still count, so that a line keeps its number.
    pub said: u64,
    pub saved: Option<(u64, Saved)>,
    pub finished: Option<Finished>,
    /// The evaluation that runs, and whose it is.
    pub examining: Option<EvaluationProgress>,
    /// The same of a probe or final evaluation that takes long: part of the plan, so that nobody can give it up alone.
    pub measuring: Option<EvaluationProgress>,
    /// What evaluations found, oldest first, with the step whose weights they looked at.
    pub reports: Vec<(Step, Arc<Report>)>,
    /// The newest measurement of what each term pulls.
    pub pulls: Option<Pulls>,
    /// Changes that are still to come, or are coming, in the order in which they were asked for.
    pub scheduled: Vec<Timed>,
    /// The newest images under attack.
    pub exhibit: Option<Arc<Exhibit>>,
    /// Work before the first step that is not done yet.
    pub preparing: Option<Preparing>,
    pub warnings: u64,
    /// Checkpoints that the run wrote by itself.
    autosaves: u64,
    answers: HashMap<CommandId, Answer>,
    answered: VecDeque<CommandId>,
    pub started_at_ms: u64,
    pub last_at_ms: u64,
    /// Milliseconds spent paused, up to the last record.
    pub paused_ms: u64,
    paused_since_ms: Option<u64>,
    /// Seconds a step, an exponential mean over reports; 0 before the first.
    pub step_seconds: f64,
    last_progress_ms: u64,
    /// The last report was far faster than those before it.
    fast_before: bool,
    epoch_pace: eta::EpochPace,
    pub next_seq: u64,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub enum Phase {
    /// Nothing heard yet, or the worker is still building networks and data.
    #[default]
    Preparing,
    Running,
    Paused,
    Stopping(Stop),
    Finished(Outcome),
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// In force from this step on.
    Done(Step),
    Refused(String),
}

impl RunState {
    /// Takes in the next record.
    pub fn apply(&mut self, record: &Record) {
        let at = record.at_ms;
        self.next_seq = record.seq + 1;
        if self.started.is_some() && matches!(record.event, Event::Started(_)) {
            // Nobody trained between an end and a resumption.
            self.paused_since_ms.get_or_insert(self.last_at_ms);
            self.end_pause(at);
        }
        self.last_at_ms = self.last_at_ms.max(at);
        if self.started_at_ms == 0 {
            self.started_at_ms = at;
        }
        self.time(at, &record.event);
        match &record.event {
            Event::Started(started) => self.start(at, started),
            Event::Progress(progress) => {
                self.step = progress.step;
                self.measuring = None;
                self.lr = progress.lr;
                self.images_per_s = progress.images_per_s.0;
                for (&term, &value) in &progress.terms {
                    self.series.entry(term).or_default().push(progress.step, value);
                }
                self.track(Track::Lr, progress.step, progress.lr);
                self.track(Track::ImagesPerS, progress.step, progress.images_per_s.0);
                self.pace(at, progress.steps);
                let worked = at.saturating_sub(self.started_at_ms).saturating_sub(self.paused_ms);
                let epoch = self.started.as_ref().map_or(1, |s| s.plan.steps_per_epoch.max(1));
                self.epoch_pace.report(progress.step, worked, epoch);
                if let Some(timing) = &progress.timing {
                    for &part in timing.parts.keys() {
                        if !self.parts.contains(&part) {
                            self.parts.push(part);
                            self.parts.sort();
                        }
                    }
                    self.track(Track::StepP50, progress.step, timing.p50_ms);
                    self.track(Track::StepP99, progress.step, timing.p99_ms);
                    self.step_times.push(at, timing);
                    self.timing = Some(timing.clone());
                }
            }
            Event::Controlled { step, by, change, previous, note, stair } => {
                self.controlled(at, (*step, *by, *stair), *change, *previous, note.clone());
            }
            Event::Scheduled { step, by, timed } => {
                if let Some(by) = by {
                    self.answer(*by, Answer::Done(*step));
                }
                self.tell(at, Level::Info, About::by(*by), format!("scheduled: {}", timed.words()));
                // Older records do not say in the change itself who asked for it.
                let asked_at = timed.asked_at.or_else(|| by.map(|_| *step));
                self.scheduled.push(Timed { asked_at, ..timed.clone() });
            }
            Event::Unscheduled { step, by, dial, reason } => {
                if let Some(by) = by {
                    self.answer(*by, Answer::Done(*step));
                }
                self.scheduled.retain(|timed| timed.dial != *dial);
                let why = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
                self.tell(at, Level::Info, About::by(*by), format!("no longer scheduled: {}{why}", dial.symbol()));
            }
            Event::Pulled(pulls) => self.pulled(pulls),
            Event::Exhibited(exhibit) => {
                self.last_progress_ms = at;
                if let Some(by) = exhibit.by {
                    self.answer(by, Answer::Done(exhibit.step));
                }
                self.exhibit = Some(Arc::new((**exhibit).clone()));
            }
            Event::Refused { by, reason } => {
                self.answer(*by, Answer::Refused(reason.clone()));
                // Nothing else is asked of the worker while it evaluates.
                self.examining = None;
                self.tell(at, Level::Warn, About::Hand, format!("refused: {reason}"));
            }
            Event::Stopping { step, by, stop } => {
                self.phase = Phase::Stopping(*stop);
                if let Some(by) = by {
                    self.answer(*by, Answer::Done(*step));
                }
                self.tell(at, Level::Info, About::by(*by), format!("stopping at step {step}"));
            }
            Event::Evaluated(evaluated) => {
                self.measuring = None;
                self.epoch_pace.evaluated(evaluated);
                self.evaluated(at, evaluated);
            }
            Event::Examining { by, progress, .. } => {
                // Training stands still: the pace of steps must not be measured across it.
                self.last_progress_ms = at;
                let shown = if by.is_some() { &mut self.examining } else { &mut self.measuring };
                *shown = Some(progress.clone());
            }
            Event::Examined { step, by, report } => {
                self.epoch_pace.asked_for(report.seconds);
                self.examined(at, *step, *by, report);
            }
            Event::EpochFinished(epoch) => {
                self.epochs.push(epoch.clone());
                let probe = self.probe_of(epoch).map_or_else(String::new, |e| {
                    let under = match self.planned_eps() {
                        Some(eps) if eps != e.attack.eps => format!(" eps {}", e.attack.eps),
                        Some(_) | None => String::new(),
                    };
                    format!("  nat {:.1}  {}{under} {:.1}", 100.0 * e.natural, e.attack.short(), 100.0 * e.adversarial)
                });
                self.say(at, Level::Info, format!("epoch {:>2} done{probe}  {:.1} s", epoch.epoch, epoch.train_seconds));
            }
            Event::Saved(saved) => {
                if let Some(by) = saved.by {
                    self.answer(by, Answer::Done(saved.step));
                    self.mark(at, saved.step, MarkerKind::Saved, format!("checkpoint {}", saved.path), None, true);
                }
                let mib = saved.bytes as f64 / 1_048_576.0;
                let about = if saved.by.is_some() {
                    About::Hand
                } else {
                    self.autosaves += 1;
                    About::Checkpoint { nth: self.autosaves }
                };
                self.tell(
                    at,
                    Level::Info,
                    about,
                    format!("checkpoint {} at step {} ({mib:.1} MiB, {} ms)", saved.path, saved.step, saved.ms),
                );
                self.saved = Some((at, saved.clone()));
            }
            Event::Preparing(preparing) => {
                self.last_progress_ms = at;
                self.preparing = (preparing.done < preparing.total).then(|| preparing.clone());
            }
            Event::Machine(machine) => {
                if self.machine.len() == MACHINE_HISTORY {
                    self.machine.pop_front();
                }
                self.track(Track::Cpu, self.step, machine.cpu_percent);
                if let Some(busy) = machine.gpus.first().and_then(|gpu| gpu.utilisation_percent) {
                    self.track(Track::Gpu, self.step, busy);
                }
                if let Some(why) = &machine.no_gpu {
                    self.no_gpu = Some(why.clone());
                }
                self.machine.push_back(machine.clone());
            }
            Event::Warned { step, message, kind: _ } => {
                self.warnings += 1;
                let step = step.unwrap_or(self.step);
                self.mark(at, step, MarkerKind::Warning, saw(message).to_string(), None, false);
                self.say(at, Level::Warn, message.clone());
            }
            Event::Said { source, line } => {
                let level = match source {
                    Voice::Rematch => Level::Info,
                    Voice::Stderr => Level::Warn,
                };
                self.say(at, level, line.clone());
            }
            Event::Finished(finished) => {
                self.end_pause(at);
                (self.examining, self.measuring) = (None, None);
                self.step = finished.step;
                let (level, text) = match &finished.outcome {
                    Outcome::Completed => (Level::Info, format!("completed at step {}", finished.step)),
                    Outcome::Stopped => (Level::Info, format!("stopped at step {}", finished.step)),
                    Outcome::Failed { message } => (Level::Error, format!("failed at step {}: {message}", finished.step)),
                };
                self.say(at, level, text);
                self.phase = Phase::Finished(finished.outcome.clone());
                self.finished = Some(finished.clone());
            }
        }
    }

    /// Takes note of when which step was done, where an event tells it.
    fn time(&mut self, at: u64, event: &Event) {
        let step = match event {
            Event::Started(started) => return self.clock.start(started.from_step, at),
            Event::Progress(progress) => progress.step,
            Event::Controlled { step, .. }
            | Event::Stopping { step, .. }
            | Event::Examining { step, .. }
            | Event::Examined { step, .. } => *step,
            Event::Evaluated(evaluated) => evaluated.step,
            Event::Exhibited(exhibit) => exhibit.step,
            Event::Saved(saved) => saved.step,
            Event::Finished(finished) => finished.step,
            // No step is done while these come, or they do not say which.
            Event::Pulled(_)
            | Event::Scheduled { .. }
            | Event::Unscheduled { .. }
            | Event::Refused { .. }
            | Event::EpochFinished(_)
            | Event::Preparing(_)
            | Event::Machine(_)
            | Event::Warned { .. }
            | Event::Said { .. } => return,
        };
        let plan = self.plan_steps();
        self.clock.note(step, at, plan);
    }

    fn start(&mut self, at: u64, started: &Started) {
        let before = self.started.is_some();
        if before {
            self.go_back(started);
        }
        self.controls = Some(started.controls);
        self.step = started.from_step;
        self.finished = None;
        self.preparing = None;
        let asked_before = |timed: &Timed| {
            let same = |old: &&Timed| (old.dial, old.to, old.at, old.over) == (timed.dial, timed.to, timed.at, timed.over);
            self.scheduled.iter().find(same).and_then(|old| old.asked_at)
        };
        let asked = |timed: &Timed| Timed { asked_at: timed.asked_at.or_else(|| asked_before(timed)), ..timed.clone() };
        self.scheduled = started.scheduled.iter().map(asked).collect();
        for &dial in &started.dials {
            self.track(Track::Dial(dial), started.from_step, started.controls.value(dial));
        }
        // An evaluation that was cut off with its program is not told to have ended.
        (self.examining, self.measuring) = (None, None);
        self.epoch_pace.forget();
        self.phase = match started.controls.flow {
            Flow::Running => Phase::Running,
            Flow::Paused => Phase::Paused,
        };
        self.last_progress_ms = at;
        self.say(
            at,
            Level::Info,
            format!(
                "{} trains {} ({} parameters) on {}, {} images, {}",
                started.config.method.name(),
                started.student.name,
                started.student.parameters,
                started.data.name,
                started.data.train,
                started.device
            ),
        );
        if let Some(teacher) = &started.teacher {
            let made = if teacher.provenance.is_empty() { "of unknown making" } else { &teacher.provenance };
            self.say(at, Level::Info, format!("teacher {} from {}: {made}", teacher.network.name, teacher.path));
        }
        if before {
            let text = match &started.resumed {
                Some(resumed) if resumed.again > 0 => {
                    let remade = match resumed.remade {
                        0 => String::new(),
                        1 => ", a change made in them is made again".into(),
                        n => format!(", {n} changes made in them are made again"),
                    };
                    format!("resumed at step {}: {} steps are done again{remade}", started.from_step, resumed.again)
                }
                Some(_) | None => format!("resumed at step {}", started.from_step),
            };
            self.say(at, Level::Info, text.clone());
            self.mark(at, started.from_step, MarkerKind::Resumed, text, None, false);
        } else if let Some(parent) = &started.parent {
            let text = format!("branched off {} at step {}", parent.run, parent.step);
            self.say(at, Level::Info, text.clone());
            self.mark(at, started.from_step, MarkerKind::Branched, text, None, false);
        }
        self.started = Some(Box::new(started.clone()));
    }

    fn controlled(
        &mut self,
        at: u64,
        (step, by, stair): (Step, Option<CommandId>, Option<Stair>),
        change: Change,
        previous: Change,
        note: Option<String>,
    ) {
        if let Some(Ok(controls)) = self.controls.map(|c| c.with(change)) {
            self.controls = Some(controls);
        }
        if let Some(by) = by {
            self.answer(by, Answer::Done(step));
        }
        match (change, change.dial(), previous.dial()) {
            (_, Some((dial, new)), Some((_, old))) => {
                self.track(Track::Dial(dial), step, new);
                let planned = stair.and_then(|_| {
                    self.scheduled.iter().find(|timed| timed.dial == dial && timed.at <= step && step <= timed.ends()).cloned()
                });
                if stair.is_some_and(Stair::is_last)
                    && let Some(done) = self.scheduled.iter().position(|timed| timed.dial == dial && timed.ends() <= step)
                {
                    self.scheduled.remove(done);
                }
                // A ramp is one change, told when it begins: from where, to where, until when.
                if stair.is_some_and(|stair| stair.number > 1) {
                    return;
                }
                let asked_at = planned.as_ref().and_then(|timed| timed.asked_at);
                // The steps that were announced, not that of the first stair.
                let ramp = planned.filter(|timed| timed.over > 0);
                let (step, new, over) = ramp.map_or((step, new, 0), |ramp| (ramp.at, ramp.to, ramp.over));
                let steps = if over > 0 { format!(" over steps {step} to {}", step + over) } else { String::new() };
                let text = format!("{} {} -> {}{steps}", dial.symbol(), dial.show(old), dial.show(new));
                let seq = self.next_seq.saturating_sub(1);
                let hand = Hand::of(by, stair, asked_at);
                let (kind, by_person) = (MarkerKind::Dial(dial), hand == Hand::Person);
                let marker = Marker { seq, step, at_ms: at, kind, text, note: note.clone(), by_person, asked_at, over };
                let asked = asked_at.map(|_| marker.who());
                let more: Vec<String> = note.iter().cloned().chain(asked).collect();
                let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
                let about = if by_person { About::Hand } else { About::Other };
                self.tell(at, Level::Info, about, format!("{}{more}", marker.with_steps()));
                self.turns.push(Turn { seq, step, dial, old, new, note, hand, asked_at, over });
                self.markers.push(marker);
            }
            (Change::Flow(Flow::Paused), ..) => {
                self.phase = Phase::Paused;
                self.paused_since_ms.get_or_insert(at);
                self.tell(at, Level::Info, About::by(by), format!("paused before step {step}"));
            }
            _ => {
                self.end_pause(at);
                self.phase = Phase::Running;
                self.last_progress_ms = at;
                self.tell(at, Level::Info, About::by(by), format!("goes on from step {step}"));
            }
        }
    }

    fn end_pause(&mut self, at: u64) {
        if let Some(since) = self.paused_since_ms.take() {
            self.paused_ms += at.saturating_sub(since);
        }
    }

    fn mark(&mut self, at_ms: u64, step: Step, kind: MarkerKind, text: String, note: Option<String>, by_person: bool) {
        let seq = self.next_seq.saturating_sub(1);
        self.markers.push(Marker { seq, step, at_ms, kind, text, note, by_person, asked_at: None, over: 0 });
    }

    fn answer(&mut self, id: CommandId, answer: Answer) {
        if self.answered.len() == ANSWERS
            && let Some(old) = self.answered.pop_front()
        {
            self.answers.remove(&old);
        }
        self.answered.push_back(id);
        self.answers.insert(id, answer);
    }
}
