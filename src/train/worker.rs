//! The worker's thread: what it is given, how it says that it cannot start, and what becomes of a panic.
//!
//! Everything with a tensor in it is made inside the thread. A run begins in two steps, so that nothing is left on disk by a run that
//! cannot train: [`prepare`] builds data, networks and teacher and says what they are or what is wrong; [`Prepared::begin`] gives
//! the thread its run folder and lets it go.

use super::beginning::{go_on, planned};
use super::checkpoint;
use super::device::{self, DeviceError};
use super::ema::Ema;
use super::ends::{self, Ends, RunError, Trouble};
use super::exhausted;
use super::inbox::Inbox;
use super::meter::Meter;
use super::pace::Pace;
use super::pool::Pool;
use super::room;
use super::saver::{Place, Saver};
use super::sgd::Sgd;
use super::split_notes;
use super::teaching::{fits, made_how, odd, scripted, split_of};
use super::trainer::Trainer;
use super::watch::Watch;
use crate::config::{Cache, Config, DeviceChoice, Method, Projector, TorchScript};
use crate::data::content::{self, Content};
use crate::data::decoders::Decoders;
use crate::data::{DataError, DataSet, Portion};
use crate::limits;
use crate::methods::{self, NoTeacher, laps::Laps};
use crate::nn::file::FileError;
use crate::nn::model::{self, Description, Model, ModelError};
use crate::nn::script::ScriptError;
use crate::protocol::event::{DataFacts, DataFingerprint, Parent, Plan, Resumed, SplitFacts, Started, TeacherFacts};
use crate::protocol::{Command, Controls, FORMAT, Outcome, Request, Step};
use crate::run::checkpoints::{Keep, Reason};
use crate::run::recorder::{Recorder, RecorderError};
use crate::run::registry::Registration;
use crate::run::store::RunFolder;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the command line decides and the config does not.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub device: DeviceChoice,
    /// CPU threads of libtorch; `None`: one a core.
    pub threads: Option<usize>,
    /// Go on from this checkpoint, of the same config or of one whose networks have the same shapes.
    pub resume: Option<PathBuf>,
    /// What is said of it, where it is the run's own.
    pub resumed: Option<Resumed>,
    /// Where the run branched off another.
    pub parent: Option<Parent>,
    /// Where the checkpoint is another run's: the config of that one. What this run's says otherwise counts, and what it says alike may
    /// have been turned since.
    pub branch: Option<Box<Config>>,
    /// Of a run that goes on or is repeated: the record of its split.
    pub split_before: Option<SplitFacts>,
    /// What is to be told first.
    pub notes: Vec<String>,
    /// What is asked for again, each at its step; in order.
    pub script: Vec<(Step, Command)>,
    /// Steps after which a checkpoint is written and kept.
    pub milestones: BTreeSet<Step>,
    /// The step training stops after, where that is before the end of the plan.
    pub until: Option<Step>,
    pub attended: Attended,
    pub fault: Option<Fault>,
    /// Where what takes long to make is kept for later runs; `None`: nowhere.
    pub cache: Option<PathBuf>,
}

/// Whether somebody is there who can decide what to do about a loss that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Attended {
    #[default]
    Yes,
    /// The run fails instead of waiting for ever.
    No,
}

/// A deliberate failure of the worker, so that what happens then can be tried: `REMATCH_FAULT=panic@STEP`, `out-of-memory@STEP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Panic(Step),
    /// As libtorch says it.
    OutOfMemory(Step),
}

impl Fault {
    /// `panic@20`; anything else is no fault.
    pub fn parse(text: &str) -> Option<Self> {
        let (what, step) = text.split_once('@')?;
        let step = step.parse().ok()?;
        match what {
            "panic" => Some(Self::Panic(step)),
            "out-of-memory" => Some(Self::OutOfMemory(step)),
            _ => None,
        }
    }

    pub(super) fn strike(self, step: Step) {
        match self {
            Self::Panic(at) => assert!(step != at, "this panic was asked for by REMATCH_FAULT=panic@{at}"),
            Self::OutOfMemory(at) => assert!(step != at, "{}", super::exhausted::EXAMPLE),
        }
    }
}

/// Why a run cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Student(#[from] ModelError),
    #[error("teacher.checkpoint = {0}")]
    TeacherFile(FileError),
    #[error("teacher.checkpoint = {0}")]
    TeacherScript(#[from] ScriptError),
    #[error("teacher.checkpoint = {}: this teacher does not fit: {why}", path.display())]
    TeacherMismatch { path: PathBuf, why: String },
    #[error(transparent)]
    NoTeacher(#[from] NoTeacher),
    /// Of a model that is only looked at.
    #[error(transparent)]
    ModelFile(FileError),
    #[error("{}: this model does not fit the data: {why}", path.display())]
    ModelMismatch { path: PathBuf, why: String },
    #[error("train.batch = {batch} is larger than the {images} training images; allowed: 1 to {images}")]
    Batch { batch: usize, images: usize },
    #[error("probe.images = {asked} is more than the {images} validation images; allowed: 1 to {images}")]
    ProbeImages { asked: usize, images: usize },
    #[error("no validation image can be read; repair them, or set probe.per_epoch = 0 to train without probes")]
    NoValidation,
    #[error(
        "method.name = rdt replaces training images, and these are streamed; set data.storage = \"memory\", or use another method"
    )]
    Streamed,
    #[error(
        "teacher.cache = true keeps what the teacher says of each image, and these are streamed; set data.storage = \"memory\", or teacher.cache = false"
    )]
    StreamedLessons,
    #[error("no test image can be read; repair them, or set evaluation.images = 0 to train without a final evaluation")]
    NoTest,
    #[error(transparent)]
    Resume(#[from] checkpoint::CheckpointError),
    #[error(
        "the checkpoint is at step {step} and the plan ends at {steps}: there is nothing left to train; set train.epochs higher"
    )]
    NothingLeft { step: Step, steps: Step },
    #[error("steering.changes: '{change}': {why}")]
    Planned { change: String, why: String },
    #[error("{0}")]
    Limit(String),
    #[error("a checkpoint of this network has files of {needed}, and {}", limits::file_too_large())]
    FileSize { needed: String },
    #[error("the worker could not start: {0}")]
    Panicked(String),
}

/// A worker that is ready to train.
pub struct Prepared {
    /// What will train on what; the run's id is filled in when it begins.
    pub started: Box<Started>,
    /// What the run will say first: of the data, the teacher and its own past.
    pub remarks: Vec<String>,
    pub trouble: Trouble,
    begin: Sender<Begin>,
    thread: JoinHandle<()>,
}

struct Begin {
    folder: RunFolder,
    recorder: Recorder,
    requests: Receiver<Request>,
    trouble: Trouble,
}

/// Builds everything on the worker's thread and waits until it is there.
///
/// # Errors
/// What does not fit or cannot be read. Nothing was written.
pub fn prepare(config: Config, data: DataSet, options: Options) -> Result<Prepared, SetupError> {
    let (ready, is_ready) = bounded(1);
    let (begin, may_begin) = bounded::<Begin>(1);
    let thread = std::thread::Builder::new()
        .name(THREAD.into())
        .spawn(move || {
            let built = catch_unwind(AssertUnwindSafe(|| build(config, &data, &options)))
                .unwrap_or_else(|panic| Err(SetupError::Panicked(message_of(panic.as_ref()))));
            drop(data);
            let mut trainer = match built {
                Ok((trainer, started)) => {
                    let remarks = [&trainer.notes[..], &trainer.remarks, &trainer.data_remarks].concat();
                    let _ = ready.send(Ok((started, remarks)));
                    trainer
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            if let Ok(begin) = may_begin.recv() {
                work(&mut trainer, begin);
            }
        })
        .map_err(|e| SetupError::Panicked(e.to_string()))?;
    let (started, remarks) = is_ready.recv().map_err(|e| SetupError::Panicked(e.to_string()))??;
    Ok(Prepared { started, remarks, trouble: Trouble::default(), begin, thread })
}

impl Prepared {
    /// Lets the worker train. It says `Started` first and `Finished` last, whatever happens.
    pub fn begin(self, folder: &RunFolder, recorder: Recorder, requests: Receiver<Request>) -> JoinHandle<()> {
        let begin = Begin { folder: folder.clone(), recorder, requests, trouble: self.trouble };
        // The thread waits for exactly this.
        let _ = self.begin.send(begin);
        self.thread
    }
}

fn work(trainer: &mut Trainer, begin: Begin) {
    let Begin { folder, recorder, requests, trouble } = begin;
    let keep = Keep { settings: trainer.config.checkpoint, eps: trainer.config.threat.eps };
    let place = Place { folder: folder.clone(), recorder: recorder.clone(), trouble: trouble.clone(), keep };
    let mut ends = Ends {
        started: facts(trainer, folder.id().to_string()),
        recorder,
        inbox: Inbox::new(requests),
        registration: Registration::new(&folder.now()),
        folder,
        saver: Saver::spawn(place),
        looked: Instant::now(),
        trouble,
    };
    let result = catch_unwind(AssertUnwindSafe(|| trainer.run(&mut ends)));
    if let Ok(Err(RunError::Log(RecorderError::FileTooLarge { .. }))) = &result {
        // The log may not grow, and a checkpoint is another file. That it could not be recorded is known.
        let _ = trainer.save_last(&mut ends, Reason::Stopped, None);
    }
    let failed = |message: String| {
        // One that is being written is as good as written.
        ends.saver.settle();
        let newest = || checkpoint::newest_sound(&ends.folder.checkpoints()).0.map(|found| found.state.step);
        let run = ends.folder.now();
        Outcome::Failed { message: exhausted::explain(&message, trainer.config.train.batch, &run, newest).unwrap_or(message) }
    };
    let outcome = match result {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => failed(error.to_string()),
        Err(panic) => failed(message_of(panic.as_ref())),
    };
    ends::finish(ends, outcome, trainer);
}

const THREAD: &str = "worker";
/// Where the last panic of a worker happened; the panic hook writes it, since the payload does not know.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Notes where a worker panics, and then lets the hooks that were there do what they do. Call it after the screen's hook is in.
pub fn note_panic_places() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() == Some(THREAD)
            && let Some(place) = info.location()
        {
            *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = Some(place.to_string());
            // What libtorch says of memory has a screenful of C++ below it, and is explained as the run's end.
            if info.payload_as_str().is_some_and(exhausted::is_meant) {
                return;
            }
        }
        previous(info);
    }));
}

/// The first line of a panic's message: libtorch's have a C++ backtrace below it.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown panic");
    let first = text.lines().next().unwrap_or(text);
    match PLACE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(place) => format!("the worker panicked: {first} ({place})"),
        None => format!("the worker panicked: {first}"),
    }
}

/// Images of a streamed set that its statistics are taken from. Their means and deviations are then right to about a hundredth.
const STATISTICS: usize = 2048;

fn build(mut config: Config, data: &DataSet, options: &Options) -> Result<(Trainer, Box<Started>), SetupError> {
    let device = device::open(options.device)?;
    let mut notes = options.notes.clone();
    notes.extend(room::use_threads(options.threads)?);
    notes.extend(limits::be_warned_of_cpu_limit(tch::get_num_threads() as usize));
    let images = data.train.len();
    if config.train.batch > images {
        return Err(SetupError::Batch { batch: config.train.batch, images });
    }
    let mut data_remarks = data.remarks.clone();
    data_remarks.extend(split_notes::fit_to(&mut config, data)?);
    data_remarks.extend(split_notes::own(options.split_before.as_ref(), data.split.as_ref()));
    if let Some(branch) = &options.branch {
        data_remarks.extend(split_notes::parents(&branch.data, &config.data));
    }
    let mut read = Vec::new();
    if let Some(settings) = &config.teacher {
        for file in std::iter::once(&settings.checkpoint).chain(&settings.also) {
            let path = PathBuf::from(file);
            let path = checkpoint::model_file(&path).unwrap_or(path);
            let (teacher, provenance) = match settings.torchscript {
                TorchScript::No => Model::read(&path, device).map_err(SetupError::TeacherFile)?,
                TorchScript::Yes => (scripted(&path, &config, data, device)?, serde_json::Value::Null),
            };
            read.push((path, teacher, provenance));
        }
    }
    let projected = config.method.matching().is_some_and(|(_, projector)| projector == Projector::Yes);
    let sample = data.train.sample(STATISTICS)?;
    let description = Description {
        network: config.student.network,
        shape: sample.shape,
        classes: data.classes.clone(),
        normalize: model::statistics(&sample.pixels, sample.shape),
        feature_width: config.student.feature_width,
        projector: read.first().filter(|_| projected).map(|(_, teacher, _)| teacher.features() as usize),
    };
    let student = Model::new(description, config.seed, device)?;
    room::for_files(&student)?;
    let mut remarks = Vec::new();
    let (mut teachers, mut teachers_facts) = (Vec::new(), Vec::new());
    for (path, teacher, provenance) in read {
        fits(config.method, &teacher, &student).map_err(|why| SetupError::TeacherMismatch { path: path.clone(), why })?;
        teacher.freeze();
        remarks.extend(odd(&teacher, &student, &provenance, config.threat));
        let sha256 = content::sha256_of(&path).ok();
        remarks.extend(split_of(&provenance, &config.data, data));
        let path = path.display().to_string();
        teachers_facts.push(TeacherFacts { network: teacher.facts(), path, provenance: made_how(&provenance), sha256 });
        teachers.push(Rc::new(teacher));
    }
    let cached = config.teacher.as_ref().is_some_and(|teacher| teacher.cache == Cache::Yes);
    match (config.method, &data.train) {
        (Method::Rdt(_), Portion::Streamed(_)) => return Err(SetupError::Streamed),
        (_, Portion::Streamed(_)) if cached => return Err(SetupError::StreamedLessons),
        (_, Portion::Streamed(_) | Portion::Resident(_)) => {}
    }
    let method = methods::build(config.method, teachers.clone())?;
    let mut teachers = teachers.into_iter();
    let teacher = teachers.next();
    let mut teachers_facts = teachers_facts.into_iter();
    let plan = Plan {
        epochs: config.train.epochs,
        steps_per_epoch: images.div_ceil(config.train.batch) as u64 * u64::from(config.method.replays()),
        most: config.train.steps,
    };
    let controls = Controls::of(&config);
    let fingerprint = content::of(&config.data);
    let sgd = Sgd::new(&config.train, &student.parameters);
    let decoders = Decoders::default();
    let mut trainer = Trainer {
        plan,
        teacher,
        other_teachers: teachers.collect(),
        lessons: None,
        sgd,
        ema: (config.train.ema > 0.0).then(|| Ema::new(&student, config.train.ema, plan.steps(), device)),
        watch: Watch::default(),
        kept: None,
        insight: None,
        once_fooled: BTreeSet::new(),
        best: None,
        improved: false,
        saved_at: None,
        script: options.script.iter().cloned().collect(),
        scripted: 0,
        milestones: options.milestones.clone(),
        until: options.until,
        robust_set: None,
        cache: options.cache.clone(),
        train: Pool::new(&data.train, device, &decoders),
        validation: Pool::new(&data.validation, device, &decoders),
        test: Pool::new(&data.test, device, &decoders),
        controls,
        scheduled: Vec::new(),
        step: 0,
        laps: Laps::new(device),
        meter: Meter::new(method.terms(), config.train.report_hz, device),
        method,
        student,
        attended: options.attended,
        fault: options.fault,
        train_time: Duration::ZERO,
        evaluation_time: Duration::ZERO,
        changes: 0,
        remarks,
        data_remarks,
        notes,
        probed: None,
        teacher_fault: None,
        teacher_probed_at: None,
        warned_at: None,
        config,
        device,
        pace: Pace::default(),
        facts: Facts {
            teacher: teachers_facts.next(),
            other_teachers: teachers_facts.collect(),
            data: data_facts(data, fingerprint),
            parent: options.parent.clone(),
            resumed: options.resumed.clone(),
        },
    };
    let planned = planned(&trainer)?;
    match &options.resume {
        None => trainer.scheduled = planned,
        Some(from) => go_on(&mut trainer, from, options.branch.as_deref(), planned)?,
    }
    let short = room::for_training(&trainer);
    trainer.notes.extend(short);
    let started = Box::new(facts(&trainer, String::new()));
    Ok((trainer, started))
}

/// What `Started` says and the trainer itself has no use for.
pub struct Facts {
    teacher: Option<TeacherFacts>,
    other_teachers: Vec<TeacherFacts>,
    data: DataFacts,
    parent: Option<Parent>,
    resumed: Option<Resumed>,
}

fn facts(trainer: &Trainer, run: String) -> Started {
    Started {
        format: FORMAT,
        run,
        program: concat!("rematch ", env!("CARGO_PKG_VERSION")).into(),
        config: trainer.config.clone(),
        plan: trainer.plan,
        device: device::label(trainer.device),
        student: trainer.student.facts(),
        teacher: trainer.facts.teacher.clone(),
        other_teachers: trainer.facts.other_teachers.clone(),
        data: trainer.facts.data.clone(),
        controls: trainer.controls,
        dials: trainer.method.dials().to_vec(),
        from_step: trainer.step,
        scheduled: trainer.scheduled.clone(),
        parent: trainer.facts.parent.clone(),
        threads: (trainer.device == tch::Device::Cpu).then(|| tch::get_num_threads() as u64),
        resumed: trainer.facts.resumed.clone(),
    }
}

fn data_facts(data: &DataSet, fingerprint: Option<Content>) -> DataFacts {
    DataFacts {
        name: data.name.clone(),
        shape: data.train.shape().map(|d| d as u64),
        classes: data.classes.clone(),
        train: data.train.len() as u64,
        validation: data.validation.len() as u64,
        test: data.test.len() as u64,
        fingerprint: fingerprint.map(|Content { sha256, covers }| DataFingerprint { sha256, covers }),
        split: data.split.clone(),
    }
}
