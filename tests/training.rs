//! The worker, driven as the program drives it: a config and data in, requests in, records out, checkpoints on disk.
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

#[path = "training/examine.rs"]
mod examine;
#[path = "training/lasting.rs"]
mod lasting;
#[path = "training/methods.rs"]
mod methods;
#[path = "training/squares.rs"]
mod squares;
#[path = "training/steering.rs"]
mod steering;

use crossbeam_channel::{Receiver, Sender, unbounded};
use rematch::config::{
    Alerts, Augment, BatchNormMode, Checkpoint, Config, Data, DeviceChoice, Eps, Evaluation, Insight, Iterate, Method, Nesterov,
    Network, Norm, Probe, RandomStart, Rrm, Sat, Schedule, Source, Steering, Student, Teacher, Threat, Train, Watch,
};
use rematch::data::DataSet;
use rematch::protocol::command::{Command, CommandId, Request, SaveOnStop, Stop, StopWhen};
use rematch::protocol::event::{Event, Outcome, Purpose, Record, Term, Warning, Whose};
use rematch::protocol::{Change, Flow};
use rematch::run::recorder::Recorder;
use rematch::run::store::RunFolder;
use rematch::train::worker::Fault;
use rematch::train::{Attended, Options, SetupError, prepare};
use squares::images;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const BATCH: usize = 16;
const IMAGES: usize = 80; // 5 steps an epoch

fn data() -> DataSet {
    let classes = (0..10).map(|i| format!("square {i}")).collect();
    DataSet::resident("squares", classes, [images(IMAGES, 1), images(20, 2), images(20, 3)])
}

fn config(method: Method, epochs: u64) -> Config {
    Config {
        seed: 7,
        data: Data { source: Source::FashionMnist10k, path: None, validation: 1000, augment: Augment::None, files: None },
        student: Student { network: Network::Fc3, feature_width: None },
        teacher: None,
        method,
        threat: Threat { norm: Norm::Linf, eps: Eps(0.1) },
        train: Train {
            epochs,
            batch: BATCH,
            lr: 0.05,
            momentum: 0.9,
            nesterov: Nesterov::Yes,
            weight_decay: 5e-4,
            schedule: Schedule::Cosine { final_lr: 1e-6 },
            ema: 0.0,
            steps: None,
            report_hz: 10.0,
        },
        probe: Probe { per_epoch: 1, images: 20, steps: 2 },
        watch: Watch::default(),
        insight: Insight::default(),
        alerts: Alerts::default(),
        evaluation: Evaluation { steps: 2, restarts: 1, images: None },
        checkpoint: Checkpoint { keep_last: 100, ..Checkpoint::default() },
        steering: Steering::default(),
    }
}

fn sat(eps_steps: u32) -> Method {
    Method::Sat(Sat {
        steps: eps_steps,
        step_size: Eps(0.05),
        random_start: RandomStart::Yes,
        batch_norm: BatchNormMode::Eval,
        iterate: Iterate::Last,
    })
}

fn options() -> Options {
    Options { device: DeviceChoice::Cpu, threads: Some(1), ..Options::default() }
}

/// Torch's generator is one for the whole process, as a process has one worker; tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A run under way.
struct Running {
    _turn: MutexGuard<'static, ()>,
    ask: Option<Sender<Request>>,
    records: Receiver<Arc<Record>>,
    seen: Vec<Arc<Record>>,
    thread: std::thread::JoinHandle<()>,
    folder: PathBuf,
    dir: TempDir,
    next: u64,
}

impl Running {
    fn start(config: Config, options: Options) -> Self {
        Self::starting_with(config, options, &[])
    }

    /// `first`: requests that are there before the first step.
    fn starting_with(config: Config, options: Options, first: &[Command]) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        let prepared = prepare(config, data(), options).unwrap();
        let folder = RunFolder::create(dir.path(), Some("r"), "r", "").unwrap();
        let recorder = Recorder::create(&folder).unwrap();
        let (ask, requests) = unbounded();
        let records = recorder.subscribe();
        let path = folder.path().to_path_buf();
        for (i, command) in first.iter().enumerate() {
            ask.send(Request { id: CommandId(i as u64), command: command.clone() }).unwrap();
        }
        let thread = prepared.begin(&folder, recorder, requests);
        Self { _turn: turn, ask: Some(ask), records, seen: Vec::new(), thread, folder: path, dir, next: first.len() as u64 }
    }

    fn ask(&mut self, command: Command) -> CommandId {
        let id = CommandId(self.next);
        self.next += 1;
        self.ask.as_ref().unwrap().send(Request { id, command }).unwrap();
        id
    }

    /// Waits for an event, with a deadline.
    fn until(&mut self, what: &str, is: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            match self.records.recv_deadline(deadline) {
                Ok(record) => {
                    self.seen.push(record.clone());
                    if is(&record.event) {
                        return record.event.clone();
                    }
                }
                Err(error) => panic!("no {what} came ({error}); seen: {:#?}", self.seen.last()),
            }
        }
    }

    fn end(mut self) -> Ended {
        let Event::Finished(finished) = self.until("end", |e| matches!(e, Event::Finished(_))) else { unreachable!() };
        self.thread.join().unwrap();
        Ended { outcome: finished.outcome, step: finished.step, records: self.seen, folder: self.folder, _dir: self.dir }
    }
}

struct Ended {
    outcome: Outcome,
    step: u64,
    records: Vec<Arc<Record>>,
    folder: PathBuf,
    _dir: TempDir,
}

impl Ended {
    fn checkpoint(&self, step: u64) -> PathBuf {
        self.folder.join(format!("checkpoints/step-{step:08}"))
    }

    /// The weights and the momentum, tensor by tensor, as bytes.
    fn tensors(&self, step: u64) -> Vec<(String, Vec<u8>)> {
        ["model.safetensors", "optimizer.safetensors"]
            .into_iter()
            .flat_map(|file| tensors(&self.checkpoint(step).join(file)))
            .collect()
    }
}

fn tensors(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<(String, Vec<u8>)> = file.tensors().into_iter().map(|(n, t)| (n, t.data().to_vec())).collect();
    all.sort();
    all
}

fn whole(config: Config) -> Ended {
    Running::start(config, options()).end()
}

/// A teacher for the squares, trained by a short SAT run.
fn teacher() -> (TempDir, PathBuf) {
    let mut config = config(sat(2), 2);
    config.student.network = Network::Fc2;
    let ended = whole(config);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("teacher.safetensors");
    std::fs::copy(ended.checkpoint(10).join("model.safetensors"), &path).unwrap();
    (dir, path)
}

fn rrm(teacher: &Path, lambda: f64, epochs: u64) -> Config {
    Config { teacher: Some(Teacher::new(teacher.display().to_string())), ..config(Method::Rrm(Rrm::cosine(lambda)), epochs) }
}

#[test]
fn ten_steps_a_checkpoint_and_ten_more_are_twenty_steps_bit_for_bit() {
    let (_dir, teacher) = teacher();
    let augmented = |mut config: Config| {
        config.data.augment = Augment::CropFlip;
        config
    };
    for config in [augmented(config(Method::Erm, 4)), augmented(config(sat(2), 4)), augmented(rrm(&teacher, 0.05, 4))] {
        let name = config.method.name();
        let through = whole(config.clone());
        assert_eq!((through.outcome.clone(), through.step), (Outcome::Completed, 20), "{name}");
        let resumed = Running::start(config, Options { resume: Some(through.checkpoint(10)), ..options() }).end();
        assert_eq!(resumed.step, 20);
        assert!(through.tensors(20) == resumed.tensors(20), "{name}: weights or momentum differ after resuming");
        assert!(through.tensors(10) != through.tensors(20), "{name}: nothing moved");
    }
}

#[test]
fn one_seed_is_one_result_and_another_seed_another() {
    let run = |seed| whole(Config { seed, ..config(sat(2), 1) }).tensors(5);
    assert!(run(1) == run(1));
    assert!(run(1) != run(2));
}

#[test]
fn adversarial_training_without_room_is_standard_training() {
    let no_room = Threat { norm: Norm::Linf, eps: Eps(0.0) };
    let erm = whole(Config { threat: no_room, ..config(Method::Erm, 2) });
    let sat = whole(Config { threat: no_room, ..config(sat(3), 2) });
    assert!(erm.tensors(10) == sat.tensors(10));
}

#[test]
fn a_student_learns_from_its_teacher_and_the_teacher_stays_as_it_was() {
    let (_dir, path) = teacher();
    let before = std::fs::read(&path).unwrap();
    let ended = whole(rrm(&path, 0.005, 4));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let cosines: Vec<f64> = ended
        .records
        .iter()
        .filter_map(|r| match &r.event {
            Event::Progress(p) => Some(p.terms[&Term::Cosine].mean),
            _ => None,
        })
        .collect();
    assert!(cosines.last().unwrap() > cosines.first().unwrap(), "{cosines:?}");
    // lambda * L_C + L_R is what is minimised, to the rounding of the log.
    for record in &ended.records {
        if let Event::Progress(p) = &record.event {
            let term = |t: Term| p.terms[&t].mean;
            assert!((term(Term::Total) - term(Term::WeightedCrossEntropy) - term(Term::Representation)).abs() < 1e-3);
            assert!((term(Term::WeightedCrossEntropy) - 0.005 * term(Term::CrossEntropy)).abs() < 1e-4);
            assert!((term(Term::Representation) + term(Term::Cosine)).abs() < 1e-4);
        }
    }
    let teacher_probes =
        ended.records.iter().filter(|r| matches!(&r.event, Event::Evaluated(e) if e.of == Whose::Teacher)).count();
    assert_eq!(teacher_probes, 1, "the teacher is measured once while epsilon stays");
}

#[test]
fn a_change_is_answered_once_recorded_before_it_acts_and_takes_effect_at_its_step() {
    let (_dir, teacher) = teacher();
    let set = |change| Command::Set { change, note: Some("see what it does".into()) };
    let mut run = Running::starting_with(rrm(&teacher, 0.05, 200), options(), &[]);
    run.until("first report", |e| matches!(e, Event::Progress(_)));
    let id = run.ask(set(Change::Lambda(0.5)));
    let Event::Controlled { step, change, previous, note, .. } =
        run.until("answer", |e| matches!(e, Event::Controlled { by: Some(by), .. } if *by == id))
    else {
        unreachable!()
    };
    assert_eq!((change, previous, note.as_deref()), (Change::Lambda(0.5), Change::Lambda(0.05), Some("see what it does")));
    // The first report that begins at or after that step has the new weight, the last one before it has the old.
    let after = run.until("report under the new value", |e| matches!(e, Event::Progress(p) if p.step - p.steps >= step));
    let ratio = |event: &Event| match event {
        Event::Progress(p) => p.terms[&Term::WeightedCrossEntropy].mean / p.terms[&Term::CrossEntropy].mean,
        _ => f64::NAN,
    };
    assert!((ratio(&after) - 0.5).abs() < 1e-3, "{}", ratio(&after));
    for bad in [Change::Lambda(-1.0), Change::Lambda(f64::NAN), Change::Eps(Eps(1.5)), Change::LrScale(1e9)] {
        let id = run.ask(set(bad));
        let Event::Refused { reason, .. } = run.until("refusal", |e| matches!(e, Event::Refused { by, .. } if *by == id)) else {
            unreachable!()
        };
        assert!(reason.contains("allowed"), "{reason}");
    }
    run.ask(Command::Stop(Stop::NOW_AND_SAVE));
    let ended = run.end();
    assert_eq!(ended.outcome, Outcome::Stopped);
    assert!(ended.checkpoint(ended.step).join("state.json").is_file());
    let answers = ended
        .records
        .iter()
        .filter(|r| matches!(&r.event, Event::Controlled { by: Some(_), .. } | Event::Refused { .. }))
        .count();
    assert_eq!(answers, 5);
}

#[test]
fn what_a_method_does_not_have_cannot_be_turned() {
    let first = [Command::Set { change: Change::Lambda(0.5), note: None }];
    let ended = Running::starting_with(config(Method::Erm, 1), options(), &first).end();
    let refusals: Vec<&str> = ended
        .records
        .iter()
        .filter_map(|r| match &r.event {
            Event::Refused { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(refusals, ["erm has no lambda; it can turn lr_scale, eps, probes"]);
}

#[test]
fn a_paused_run_waits_and_goes_on_to_the_same_weights() {
    let pause = Command::Set { change: Change::Flow(Flow::Paused), note: None };
    let mut run = Running::starting_with(config(Method::Erm, 1), options(), &[pause]);
    run.until("pause", |e| matches!(e, Event::Controlled { change: Change::Flow(Flow::Paused), .. }));
    let saved = run.ask(Command::SaveCheckpoint);
    run.until("checkpoint while paused", |e| matches!(e, Event::Saved(s) if s.by == Some(saved) && s.step == 0));
    run.ask(Command::Evaluate);
    run.until("probe while paused", |e| matches!(e, Event::Evaluated(e) if e.by.is_some()));
    run.ask(Command::Set { change: Change::Flow(Flow::Running), note: None });
    let ended = run.end();
    assert!(ended.tensors(5) == whole(config(Method::Erm, 1)).tensors(5));
}

#[test]
fn stopping_after_the_epoch_stops_there_and_discarding_leaves_no_checkpoint() {
    let stop = |when, save| Command::Stop(Stop { when, save });
    let ended = Running::starting_with(config(Method::Erm, 3), options(), &[stop(StopWhen::AfterEpoch, SaveOnStop::Save)]).end();
    assert_eq!((ended.outcome.clone(), ended.step), (Outcome::Stopped, 5));
    assert!(ended.checkpoint(5).is_dir());
    let ended =
        Running::starting_with(config(Method::Erm, 3), options(), &[stop(StopWhen::AfterStep, SaveOnStop::Discard)]).end();
    assert_eq!((ended.outcome.clone(), ended.step), (Outcome::Stopped, 0));
    assert!(!ended.checkpoint(0).exists());
}

#[test]
fn a_loss_that_goes_wrong_in_the_last_steps_is_not_called_completed() {
    let mut wild = config(Method::Erm, 1);
    wild.train.lr = 100.0;
    wild.train.schedule = Schedule::Constant;
    wild.train.report_hz = 0.1; // one report, at the end
    let much = [Command::Set { change: Change::LrScale(1000.0), note: None }];
    let mut run = Running::starting_with(wild, options(), &much);
    run.until("pause", |e| matches!(e, Event::Controlled { by: None, change: Change::Flow(Flow::Paused), .. }));
    run.ask(Command::Stop(Stop::NOW_AND_SAVE));
    let ended = run.end();
    assert_eq!((ended.outcome, ended.step), (Outcome::Stopped, 5));
}

#[test]
fn a_loss_that_is_not_finite_pauses_the_run_and_names_the_step() {
    let mut wild = config(Method::Erm, 50);
    wild.train.lr = 100.0;
    wild.train.schedule = Schedule::Constant;
    let run = |attended| {
        Running::starting_with(
            wild.clone(),
            Options { attended, ..options() },
            &[Command::Set { change: Change::LrScale(1000.0), note: None }],
        )
    };
    let mut attended = run(Attended::Yes);
    let Event::Warned { step, message, .. } =
        attended.until("warning", |e| matches!(e, Event::Warned { kind: Warning::NonFinite, .. }))
    else {
        unreachable!()
    };
    assert!(step.is_some() && message.contains(&format!("step {}", step.unwrap())), "{message}");
    attended.until("pause", |e| matches!(e, Event::Controlled { by: None, change: Change::Flow(Flow::Paused), .. }));
    attended.ask(Command::Stop(Stop::NOW_AND_SAVE));
    assert_eq!(attended.end().outcome, Outcome::Stopped);
    let Outcome::Failed { message } = run(Attended::No).end().outcome else { panic!("nobody is there to decide") };
    assert!(message.contains("NaN or infinite at step"), "{message}");
}

#[test]
fn a_panic_of_the_worker_is_an_end_with_a_message() {
    let options = Options { fault: Fault::parse("panic@3"), ..options() };
    let ended = Running::start(config(Method::Erm, 2), options).end();
    let Outcome::Failed { message } = ended.outcome else { panic!("{:?}", ended.outcome) };
    assert!(message.contains("REMATCH_FAULT=panic@3"), "{message}");
    assert_eq!(ended.step, 3);
}

#[test]
fn a_student_of_another_width_learns_through_a_layer_of_the_teachers_width() {
    let (_dir, teacher) = teacher();
    let mut narrow = rrm(&teacher, 0.05, 2);
    narrow.student.network = Network::Small;
    narrow.student.feature_width = Some(128);
    let ended = Running::start(narrow, options()).end();
    assert_eq!(ended.outcome, Outcome::Completed);
    let started = ended.records.iter().find_map(|r| if let Event::Started(s) = &r.event { Some(s) } else { None }).unwrap();
    assert_eq!((started.student.features, started.config.student.feature_width), (128, Some(128)));
}

#[test]
fn what_cannot_train_is_said_before_anything_is_written() {
    let (_dir, teacher) = teacher();
    let error = |config: Config| match prepare(config, data(), options()) {
        Ok(_) => panic!("must be refused"),
        Err(error) => error,
    };
    let mut wide = rrm(&teacher, 0.005, 1);
    wide.student.network = Network::Resnet18;
    let text = error(wide.clone()).to_string();
    assert!(text.contains("fc2") && text.contains("128 wide") && text.contains("resnet18") && text.contains("512"), "{text}");
    assert!(text.contains("student.feature_width = 128") && text.contains("method.projector = true"), "{text}");
    wide.student.feature_width = Some(64);
    let text = error(wide).to_string();
    assert!(text.contains("128 wide") && text.contains("(resnet18) 64"), "{text}");
    let mut batch = config(Method::Erm, 1);
    batch.train.batch = 81;
    assert_eq!(error(batch).to_string(), "train.batch = 81 is larger than the 80 training images; allowed: 1 to 80");
    let mut probe = config(Method::Erm, 1);
    probe.probe.images = 21;
    assert!(error(probe).to_string().contains("probe.images = 21"));
    let text = error(rrm(Path::new("/nowhere/t.safetensors"), 0.1, 1)).to_string();
    assert!(text.contains("teacher.checkpoint") && text.contains("/nowhere/t.safetensors"), "{text}");
    let mut few = data();
    few.classes.truncate(9);
    let refused = prepare(rrm(&teacher, 0.1, 1), few, options());
    assert!(matches!(refused, Err(SetupError::TeacherMismatch { .. })));
    if !tch::Cuda::is_available() {
        let cuda = Options { device: DeviceChoice::Cuda(0), ..options() };
        let text = prepare(config(Method::Erm, 1), data(), cuda).err().unwrap().to_string();
        assert!(text.contains("--device cuda:0"), "{text}");
    }
}

#[test]
fn the_last_weights_wait_for_room_and_are_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let prepared = prepare(config(Method::Erm, 1), data(), options()).unwrap();
    let folder = RunFolder::create(dir.path(), Some("r"), "r", "").unwrap();
    let recorder = Recorder::create(&folder).unwrap();
    let (ask, requests) = unbounded();
    let records = recorder.subscribe();
    // A file where the folder of checkpoints should be: nothing can be saved until it is gone.
    std::fs::remove_dir(folder.checkpoints()).ok();
    std::fs::write(folder.checkpoints(), "in the way").unwrap();
    let thread = prepared.begin(&folder, recorder, requests);
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut run =
        Running { _turn: turn, ask: Some(ask), records, seen: Vec::new(), thread, folder: folder.path().into(), dir, next: 0 };
    let Event::Warned { message, .. } =
        run.until("warning", |e| matches!(e, Event::Warned { message, .. } if message.contains("trying again")))
    else {
        unreachable!()
    };
    assert!(message.contains("checkpoints"), "{message}");
    let evaluated = run.seen.iter().any(|r| matches!(&r.event, Event::Evaluated(e) if e.purpose == Purpose::Final));
    assert!(evaluated, "the numbers do not wait for the disk");
    std::fs::remove_file(folder.checkpoints()).unwrap();
    let ended = run.end();
    assert_eq!(ended.outcome, Outcome::Completed);
    assert!(ended.checkpoint(5).join("model.safetensors").is_file());
}
