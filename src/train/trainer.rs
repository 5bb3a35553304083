//! The one loop that every method goes through.
//!
//! It owns backward, update, schedule, counters and the order of things at a step boundary: requests first, then the step, then the
//! report, then probe, epoch and checkpoint where they fall. Everything it finds out it says as events; it draws nothing and keeps
//! no history.

use super::checkpoint::{Found, Probed, Reason};
use super::ema::Ema;
use super::ends::{Ends, LOOK_EVERY, RunError, tell};
use super::exhibit::Wanted;
use super::inbox::Waited;
use super::lessons::Lessons;
use super::meter::Meter;
use super::pace::Pace;
use super::pool::Pool;
use super::robust_set::Made;
use super::room;
use super::saver::shown;
use super::schedule;
use super::sgd::Sgd;
use super::watch::{Verdict, Watch};
use super::worker::{Attended, Facts, Fault};
use crate::config::Config;
use crate::methods::laps::Laps;
use crate::methods::{Batch, Context, Method};
use crate::nn::Model;
use crate::protocol::command::{Command, Request, SaveOnStop, StopWhen};
use crate::protocol::event::{EpochFinished, Part, Plan, Progress, Warning};
use crate::protocol::insight::TeacherFault;
use crate::protocol::{Change, Controls, Event, Flow, Outcome, Step, Stop, Timed};
use crate::random::{self, Purpose};
use crate::run::advice::command;
use crate::run::checkpoints;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Everything a run trains with, built on the worker's thread.
pub struct Trainer {
    pub config: Config,
    pub plan: Plan,
    pub student: Model,
    pub teacher: Option<Rc<Model>>,
    /// Those after the first.
    pub other_teachers: Vec<Rc<Model>>,
    /// What teachers say of each training image, where that is asked once.
    pub lessons: Option<Lessons>,
    pub method: Box<dyn Method>,
    pub sgd: Sgd,
    /// The mean of weights that is judged and saved in the student's place.
    pub ema: Option<Ema>,
    pub watch: Watch,
    /// The minibatch that is trained on once more.
    pub kept: Option<Batch>,
    /// Where what takes long to make is kept for later runs.
    pub cache: Option<PathBuf>,
    pub train: Pool,
    pub validation: Pool,
    pub test: Pool,
    pub controls: Controls,
    /// Changes that are still to come.
    pub scheduled: Vec<Timed>,
    pub step: Step,
    pub laps: Laps,
    pub meter: Meter,
    pub attended: Attended,
    pub fault: Option<Fault>,
    pub train_time: Duration,
    pub evaluation_time: Duration,
    /// How often a dial was turned.
    pub changes: u64,
    /// What is said at the start of the run.
    pub remarks: Vec<String>,
    /// The same of how it goes on.
    pub notes: Vec<String>,
    /// The same of the data.
    pub data_remarks: Vec<String>,
    /// The images that pulls are measured on, once they were.
    pub insight: Option<Batch>,
    /// Places of validation images that a look of this process found fooled.
    pub once_fooled: BTreeSet<i64>,
    /// The newest probe of the student.
    pub probed: Option<Probed>,
    /// The highest adversarial accuracy of its probes under the config's epsilon.
    pub best: Option<f64>,
    /// The newest probe found more than any before, and its weights are not saved yet.
    pub improved: bool,
    /// The step of the newest checkpoint that was handed over.
    pub saved_at: Option<Step>,
    /// What was asked for by hand in a run that this one repeats, or in steps that it does again; in order.
    pub script: VecDeque<(Step, Command)>,
    /// How many of these were asked for again.
    pub scripted: u64,
    /// Steps at which a checkpoint is asked for from the start.
    pub milestones: BTreeSet<Step>,
    /// Where training stops before the end of its plan.
    pub until: Option<Step>,
    /// What RDT's images were made from.
    pub robust_set: Option<String>,
    /// What is wrong with the features of the first teacher.
    pub teacher_fault: Option<TeacherFault>,
    /// The epsilon that the teacher's reference lines were measured at.
    pub teacher_probed_at: Option<f64>,
    /// The step whose loss was not finite, once a person has been told.
    pub warned_at: Option<Step>,
    pub device: tch::Device,
    pub pace: Pace,
    pub facts: Facts,
}

/// What a step boundary decides.
pub(super) enum Boundary {
    GoOn,
    Stop(Stop),
}

impl Trainer {
    /// Trains to the end of the plan or until it is told to stop. `Finished` is said by the caller, who also knows of panics.
    pub fn run(&mut self, ends: &mut Ends) -> Result<Outcome, RunError> {
        tell(ends, Event::Started(Box::new(ends.started.clone())))?;
        self.notes.extend(crate::disk::untold());
        for message in std::mem::take(&mut self.notes) {
            tell(ends, Event::Warned { step: None, kind: Warning::Other, message })?;
        }
        for message in std::mem::take(&mut self.remarks) {
            tell(ends, Event::Warned { step: None, kind: Warning::Teacher, message })?;
        }
        self.check_teachers(ends)?;
        self.tell_of_data(ends)?;
        if let Made::Stopped(stop) = self.robust_set(ends)? {
            return self.stopped(ends, stop);
        }
        if let Made::Stopped(stop) = self.take_lessons(ends)? {
            return self.stopped(ends, stop);
        }
        self.probe_teacher(ends)?;
        if self.step == 0 {
            self.keep_good();
        }
        let steps = self.plan.steps();
        let mut stop_after_epoch = None;
        let mut order = Vec::new();
        let mut epoch_clock = (self.train_time, self.evaluation_time);
        let mut second = Instant::now();
        while self.step < steps {
            match self.boundary(ends)? {
                Boundary::GoOn => {}
                Boundary::Stop(stop) if stop.when == StopWhen::AfterEpoch => stop_after_epoch = Some(stop),
                Boundary::Stop(stop) => return self.stopped(ends, stop),
            }
            let in_epoch = self.step % self.plan.steps_per_epoch;
            let epoch = self.step / self.plan.steps_per_epoch;
            if in_epoch == 0 || order.is_empty() {
                order = random::permutation(self.train.len(), random::seed(self.config.seed, Purpose::Order, epoch));
                self.announce(&order, (in_epoch / u64::from(self.config.method.replays())) as usize, epoch);
            }
            if let Err(error) = self.train_step(&order) {
                // A file gone bad must not cost the hours before it.
                self.save_last(ends, Reason::Stopped, None)?;
                return Err(error);
            }
            self.tell_of_data(ends)?;
            if self.meter.due() {
                self.report(ends, &mut second)?;
            }
            self.insight(ends)?;
            if self.watch(ends, &mut second)? == Verdict::Stop {
                return self.stopped(ends, Stop::NOW_AND_SAVE);
            }
            let done = in_epoch + 1;
            if self.probe_due(done) {
                self.report(ends, &mut second)?;
                self.probe(ends, None)?;
            }
            if done == self.plan.steps_per_epoch {
                self.report(ends, &mut second)?;
                let seconds = |now: Duration, then: Duration| round(now.saturating_sub(then).as_secs_f64(), 3);
                tell(
                    ends,
                    Event::EpochFinished(EpochFinished {
                        epoch: epoch + 1,
                        step: self.step,
                        train_seconds: seconds(self.train_time, epoch_clock.0),
                        evaluation_seconds: seconds(self.evaluation_time, epoch_clock.1),
                    }),
                )?;
                epoch_clock = (self.train_time, self.evaluation_time);
                if (epoch + 1).is_multiple_of(self.config.checkpoint.every_epochs) && self.step < steps {
                    self.save(ends, Reason::Periodic, None)?;
                }
                if let Some(stop) = stop_after_epoch.filter(|_| self.step < steps) {
                    return self.stopped(ends, stop);
                }
            }
            self.keep_best(ends)?;
            self.keep_milestones(ends)?;
            if self.until == Some(self.step) {
                return self.stopped(ends, Stop::NOW_AND_SAVE);
            }
        }
        // A pause holds here as well: what went wrong in the last steps must not be evaluated and called completed.
        if let Boundary::Stop(stop) = self.boundary(ends)?
            && stop.when == StopWhen::AfterStep
        {
            return self.stopped(ends, stop);
        }
        // Saved before the long evaluation and once more with its numbers: neither a kill nor a power cut loses the end. Only the
        // second save waits for room: a full disk does not keep anybody from the numbers.
        self.save(ends, Reason::Periodic, None)?;
        let result = self.final_evaluation(ends)?;
        self.tell_of_data(ends)?;
        let stopped = result.is_none() && ends.inbox.stop_waits() && matches!(self.boundary(ends)?, Boundary::Stop(_));
        self.save_last(ends, Reason::Final, result.as_ref())?;
        // A stop: the weights are whole and saved, the number that the plan ends with is not there.
        Ok(if stopped { Outcome::Stopped } else { Outcome::Completed })
    }

    /// Says what the epoch will ask for, so that files can be decoded ahead.
    fn announce(&self, order: &[i64], minibatch: usize, epoch: u64) {
        let (data, batch) = (&self.config.data, self.config.train.batch);
        // Steps count up from 0 and epochs down from the end: their seeds never meet.
        let seed = random::seed(self.config.seed, Purpose::Augment, u64::MAX - epoch);
        self.train.begin_epoch(order, minibatch * batch, batch, data.augment, seed);
    }

    /// What was found out about the data's files, here and while evaluating.
    fn tell_of_data(&mut self, ends: &mut Ends) -> Result<(), RunError> {
        let mut remarks = std::mem::take(&mut self.data_remarks);
        for pool in [&self.train, &self.validation, &self.test] {
            remarks.extend(pool.take_remarks());
        }
        let step = (self.step > 0).then_some(self.step);
        remarks.into_iter().try_for_each(|message| tell(ends, Event::Warned { step, kind: Warning::Data, message }))
    }

    fn train_step(&mut self, order: &[i64]) -> Result<(), RunError> {
        let begin = Instant::now();
        if let Some(fault) = self.fault {
            fault.strike(self.step);
        }
        self.laps.step(self.step);
        let seed = self.config.seed;
        let replays = u64::from(self.config.method.replays());
        let minibatch = self.step / replays;
        let from = (self.step % self.plan.steps_per_epoch / replays) as usize * self.config.train.batch;
        let indices = &order[from..(from + self.config.train.batch).min(order.len())];
        let replay = (self.step % replays) as u32;
        let batch = match self.kept.take().filter(|_| replay > 0) {
            Some(batch) => batch,
            None => self.laps.time(Part::Data, || {
                let seed = random::seed(seed, Purpose::Augment, minibatch);
                let mut batch = self.train.augmented(indices, self.config.data.augment, seed)?;
                if let Some(lessons) = &self.lessons {
                    batch.taught = lessons.of(indices);
                }
                batch.places = Some(tch::Tensor::from_slice(indices).to_device(self.device));
                Ok::<_, RunError>(batch)
            })?,
        };
        // Whatever draws on the device in this step, attacks and dropout, draws from here.
        tch::manual_seed(random::seed(seed, Purpose::AttackStart, self.step) as i64);
        let progress = self.step as f64 / self.plan.steps() as f64;
        let context = Context { controls: &self.controls, replay, progress, images: self.train.len(), laps: &mut self.laps };
        let objective = self.method.objective(&self.student, &batch, context);
        let parameters = &self.student.parameters;
        let (gradient, other) =
            self.laps.time(Part::ForwardBackward, || parameters.gradients(&objective.loss, objective.also.as_ref()));
        if let Some(other) = other {
            self.method.receive(&other, &self.controls);
        }
        let lr = self.lr();
        let momentum = schedule::momentum(&self.config.train.schedule, self.config.train.momentum, self.plan, self.step);
        self.laps.time(Part::Update, || {
            self.sgd.step(&self.student.parameters, gradient, lr, momentum);
            if let Some(ema) = &self.ema {
                ema.update(&self.student, self.step + 1);
            }
        });
        let took = begin.elapsed();
        self.meter.push(&objective.terms, indices.len(), took);
        self.train_time += begin.elapsed();
        self.step += 1;
        if u64::from(replay) + 1 < replays {
            self.kept = Some(batch);
        }
        Ok(())
    }

    /// The learning rate of the step that is about to run.
    fn lr(&self) -> f64 {
        schedule::lr(&self.config.train.schedule, self.config.train.lr, self.plan, self.step) * self.controls.lr_scale
    }

    /// Probes are spread evenly over the epoch, the last at its end. `done`: steps done in this epoch.
    fn probe_due(&self, done: u64) -> bool {
        let (per, n) = (self.plan.steps_per_epoch, u64::from(self.controls.probes));
        n > 0 && (0..n).any(|i| (per * (i + 1)).div_ceil(n) == done)
    }

    /// Reads the meter and says what came; a value that is not finite pauses the run, or ends it when nobody is there.
    pub(super) fn report(&mut self, ends: &mut Ends, second: &mut Instant) -> Result<(), RunError> {
        self.look_after(ends)?;
        let Some(report) = self.meter.take() else { return Ok(()) };
        let mut slowed = None;
        let first = self.step - report.steps;
        let lr = {
            // Of the last step that ran, not of the next one.
            let last = self.step - 1;
            schedule::lr(&self.config.train.schedule, self.config.train.lr, self.plan, last) * self.controls.lr_scale
        };
        let timing = (second.elapsed() >= Duration::from_secs(1)).then(|| {
            *second = Instant::now();
            let timing = self.meter.timing(self.laps.take());
            slowed = self.pace.slowed(timing.p50_ms);
            timing
        });
        let progress = Progress {
            step: self.step,
            steps: report.steps,
            lr: round(lr, 8),
            images_per_s: report.images_per_s,
            terms: report.terms,
            timing,
        };
        tell(ends, Event::Progress(progress))?;
        let short = if first == ends.started.from_step { room::for_checkpoints(self) } else { None };
        for message in short.into_iter().chain(crate::disk::untold()) {
            tell(ends, Event::Warned { step: Some(self.step), kind: Warning::Other, message })?;
        }
        if let Some(message) = slowed {
            tell(ends, Event::Warned { step: Some(self.step), kind: Warning::Other, message })?;
        }
        let Some((at, term)) = report.non_finite else { return Ok(()) };
        let bad = first + at;
        let before = |found: &Found| found.state.spoiled_at.is_none() && found.state.step <= bad;
        let last_good = checkpoints::list(&ends.folder.checkpoints()).into_iter().rev().find(before).map_or_else(
            || "There is no checkpoint from before".to_string(),
            |found| {
                let settings = format!("--at {} -s train.lr={:.2e}", found.state.step, self.config.train.lr / 2.0);
                format!(
                    "The newest checkpoint from before is {} : go back to it with c, or {}",
                    shown(&found.path),
                    command("fork", &ends.folder.now(), &settings)
                )
            },
        );
        let message = format!(
            "{term:?} became NaN or infinite at step {bad} (noticed after step {}); the weights are spoiled from there on. {last_good}. A lower lr usually helps",
            self.step
        );
        if self.attended == Attended::No {
            self.warned_at.get_or_insert(bad);
            return Err(RunError::NonFinite(message));
        }
        // Once: a person who goes on all the same is not stopped again at every report.
        if self.warned_at.is_none() {
            self.warned_at = Some(bad);
            tell(ends, Event::Warned { step: Some(bad), kind: Warning::NonFinite, message })?;
            self.set(ends, None, Change::Flow(Flow::Paused), None)?;
        }
        Ok(())
    }

    /// Answers everything that was asked since the last step; while paused, waits here.
    pub(super) fn boundary(&mut self, ends: &mut Ends) -> Result<Boundary, RunError> {
        let mut decision = Boundary::GoOn;
        self.keep_appointments(ends)?;
        self.follow_script(ends)?;
        loop {
            let request = if self.controls.flow == Flow::Paused {
                match ends.inbox.wait(LOOK_EVERY) {
                    Waited::Asked(request) => request,
                    Waited::Nothing => {
                        self.look_after(ends)?;
                        continue;
                    }
                    // Paused and nobody left who could ever go on.
                    Waited::Nobody => return Ok(Boundary::Stop(Stop::NOW_AND_SAVE)),
                }
            } else {
                match ends.inbox.take() {
                    Some(request) => request,
                    None => return Ok(decision),
                }
            };
            let Request { id, command } = request;
            match command {
                Command::Set { change, note } => {
                    if change == Change::Flow(Flow::Paused) {
                        // What a person looks at while nothing moves is the step it stands at.
                        self.report(ends, &mut Instant::now())?;
                    }
                    self.set(ends, Some(id), change, note)?;
                }
                Command::SaveCheckpoint => self.asked_to_save(ends, id)?,
                Command::Evaluate => {
                    self.report(ends, &mut Instant::now())?;
                    self.probe(ends, Some(id))?;
                }
                Command::Examine(plan) => {
                    self.report(ends, &mut Instant::now())?;
                    self.examine(ends, id, &plan)?;
                }
                Command::Schedule(timed) => self.schedule(ends, id, timed)?,
                Command::Unschedule(dial) => self.unschedule(ends, id, dial)?,
                Command::Exhibit { each, fooled, from } => {
                    self.report(ends, &mut Instant::now())?;
                    self.exhibit(ends, id, Wanted { each, fooled, from })?;
                }
                // It came too late: what it was to give up has ended.
                Command::GiveUp => {}
                Command::Stop(stop) => {
                    if stop.when == StopWhen::AfterEpoch && self.controls.flow == Flow::Paused {
                        // The rest of the epoch cannot be trained while paused.
                        self.set(ends, None, Change::Flow(Flow::Running), None)?;
                    }
                    tell(ends, Event::Stopping { step: self.step, by: Some(id), stop })?;
                    decision = Boundary::Stop(stop);
                    if stop.when == StopWhen::AfterStep {
                        return Ok(decision);
                    }
                }
            }
        }
    }

    fn stopped(&mut self, ends: &mut Ends, stop: Stop) -> Result<Outcome, RunError> {
        self.report(ends, &mut Instant::now())?;
        if stop.save == SaveOnStop::Save {
            self.save_last(ends, Reason::Stopped, None)?;
        }
        Ok(Outcome::Stopped)
    }
}

pub(super) fn round(x: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (x * scale).round() / scale
}
