//! A sweep's folder made up on disk: runs with logs, evaluations and models of which each number is known.

use rematch::config::{self, *};
use rematch::protocol::event::*;
use rematch::protocol::insight::{Exhibit, Group, Guess, Guesses, Piece};
use rematch::protocol::report::{AttackReport, Curve, CurvePoint, Doubt, FORMAT as REPORT_FORMAT, Report, Suspicion};
use rematch::protocol::{Change, CommandId, Controls, Dial, FORMAT, Scalar, Summary};
use rematch::run::recorder::Recorder;
use rematch::run::store::RunFolder;
use rematch::sweep::plan::{self, Budget, Evaluate};
use rematch::sweep::{Cell, Figure, PaperTable, Plan as SweepPlan, Role};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub const THREAT: Threat = Threat { norm: Norm::Linf, eps: Eps(0.1) };
const EPOCHS: u64 = 4;
const PER_EPOCH: u64 = 25;
const LAST: u64 = EPOCHS * PER_EPOCH;

/// How a made-up run ends.
#[derive(Clone, Copy, PartialEq)]
pub enum Ends {
    Completed,
    Failed,
    /// Its log says nothing.
    Killed,
}

pub struct Made {
    pub id: String,
    pub method: Method,
    pub network: Network,
    pub seed: u64,
    pub teacher: Option<(PathBuf, Network)>,
    pub threat: Threat,
    pub data: &'static str,
    pub train_seconds: f64,
    /// Of the evaluation that ends it.
    pub last: (f64, f64),
    /// Under AutoAttack, in an evaluation of its own.
    pub autoattack: Option<f64>,
    pub steered: Option<&'static str>,
    pub doubted: bool,
    pub ends: Ends,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            id: "a".into(),
            method: Method::Rrm(Rrm::cosine(0.005)),
            network: Network::Fc3,
            seed: 0,
            teacher: None,
            threat: THREAT,
            data: "squares",
            train_seconds: 30.0,
            last: (0.8, 0.5),
            autoattack: Some(0.4),
            steered: None,
            doubted: false,
            ends: Ends::Completed,
        }
    }
}

impl Made {
    pub fn config(&self) -> Config {
        let checkpoint = |path: &Path| path.display().to_string();
        Config {
            seed: self.seed,
            data: Data { source: config::Source::Idx, path: None, validation: 1000, augment: Augment::None, files: None },
            student: Student { network: self.network, feature_width: None },
            teacher: self.teacher.as_ref().map(|(path, _)| Teacher::new(checkpoint(path))),
            method: self.method,
            threat: self.threat,
            train: Train {
                epochs: EPOCHS,
                batch: 128,
                lr: 0.05,
                momentum: 0.9,
                nesterov: Nesterov::No,
                weight_decay: 5e-4,
                schedule: Schedule::Constant,
                ema: 0.0,
                steps: None,
                report_hz: 10.0,
            },
            probe: Probe { per_epoch: 1, images: 250, steps: 10 },
            watch: Watch::default(),
            insight: Insight::default(),
            alerts: Alerts::default(),
            evaluation: Evaluation { steps: 20, restarts: 1, images: None },
            checkpoint: Checkpoint::default(),
            steering: Steering::default(),
        }
    }

    pub fn toml(&self) -> String {
        let teacher =
            self.teacher.as_ref().map_or(String::new(), |(path, _)| format!("[teacher]\ncheckpoint = \"{}\"\n", path.display()));
        format!(
            "seed = {}\n[data]\nsource = \"{}\"\n[student]\nnetwork = \"{}\"\n{teacher}[threat]\nnorm = \"{}\"\neps = {}\n",
            self.seed,
            self.data,
            self.network.name(),
            self.threat.norm.name(),
            self.threat.eps.0
        )
    }

    pub fn model(runs: &Path, id: &str) -> PathBuf {
        runs.join(id).join(format!("checkpoints/step-{LAST:08}/model.safetensors"))
    }

    pub fn write(&self, runs: &Path) -> PathBuf {
        let config = self.config();
        let facts = |network: Network| NetworkFacts { name: network.name().into(), parameters: 1000, features: 128 };
        let mut events = vec![Event::Started(Box::new(Started {
            format: FORMAT,
            run: self.id.clone(),
            program: "rematch 0.1.0".into(),
            controls: Controls::of(&config),
            config,
            plan: rematch::protocol::event::Plan { epochs: EPOCHS, steps_per_epoch: PER_EPOCH, most: None },
            device: "cpu (2 threads)".into(),
            student: facts(self.network),
            teacher: self.teacher.as_ref().map(|(path, network)| TeacherFacts {
                network: facts(*network),
                path: path.display().to_string(),
                provenance: String::new(),
                sha256: None,
            }),
            data: DataFacts {
                name: self.data.into(),
                shape: [1, 28, 28],
                classes: (0..10).map(|c| c.to_string()).collect(),
                train: 9000,
                validation: 1000,
                test: 2000,
                fingerprint: None,
                split: None,
            },
            dials: vec![Dial::Lambda, Dial::LrScale],
            from_step: 0,
            scheduled: Vec::new(),
            parent: None,
            threads: Some(2),
            resumed: None,
            other_teachers: Vec::new(),
        }))];
        events.push(Event::Machine(Machine { cores: 2, memory_total: 8_000_000_000, ..Machine::default() }));
        for epoch in 1..=EPOCHS {
            events.extend(self.epoch(epoch));
            if self.ends == Ends::Killed && epoch == 2 {
                break;
            }
        }
        match self.ends {
            Ends::Completed => {
                events.push(self.evaluated(LAST, Purpose::Final, self.last));
                events.push(self.finished(Outcome::Completed));
            }
            Ends::Failed => events.push(self.finished(Outcome::Failed { message: "no memory left <b>at all</b>".into() })),
            Ends::Killed => {}
        }
        let folder = RunFolder::create(runs, Some(&self.id), "test", &self.toml()).unwrap();
        let recorder = Recorder::create(&folder).unwrap();
        for event in events {
            recorder.record(event).unwrap();
        }
        if let Some(adversarial) = self.autoattack {
            self.examine(folder.path(), adversarial);
        }
        folder.path().to_path_buf()
    }

    fn finished(&self, outcome: Outcome) -> Event {
        Event::Finished(Finished { outcome, step: LAST, train_seconds: self.train_seconds, evaluation_seconds: 1.5 })
    }

    fn epoch(&self, epoch: u64) -> Vec<Event> {
        let step = epoch * PER_EPOCH;
        let fall = 1.0 / epoch as f64;
        let terms: BTreeMap<Term, Summary> = [
            (Term::Total, -0.9 + 0.3 * fall),
            (Term::WeightedCrossEntropy, 0.01 * fall),
            (Term::Representation, -0.92 + 0.3 * fall),
        ]
        .map(|(term, mean)| (term, Summary { min: mean - 0.05, mean, max: mean + 0.05 }))
        .into();
        let parts = [(Part::Data, 1.0), (Part::Teacher, 2.0), (Part::ForwardBackward, 4.0), (Part::Update, 1.0)].into();
        let timing = Timing { parts, p50_ms: 8.0, p99_ms: 9.0, max_ms: None, counts: Vec::new() };
        let images_per_s = Scalar(1000.0);
        let mut events =
            vec![Event::Progress(Progress { step, steps: PER_EPOCH, lr: 0.05, images_per_s, terms, timing: Some(timing) })];
        // Better than everything else there is: a probe's number must turn up nowhere.
        events.push(self.evaluated(step, Purpose::Probe, (0.987_65, 0.976_54)));
        if let (Some(note), 2) = (self.steered, epoch) {
            let (change, previous) = (Change::Lambda(0.5), Change::Lambda(0.005));
            events.push(Event::Controlled {
                step,
                by: Some(CommandId(0)),
                change,
                previous,
                note: Some(note.into()),
                stair: None,
            });
            events.push(Event::Exhibited(Box::new(exhibit(step, self.threat))));
        }
        let seconds = self.train_seconds / EPOCHS as f64;
        events.push(Event::EpochFinished(EpochFinished { epoch, step, train_seconds: seconds, evaluation_seconds: 0.3 }));
        events
    }

    fn evaluated(&self, step: u64, purpose: Purpose, (natural, adversarial): (f64, f64)) -> Event {
        let probe = purpose == Purpose::Probe;
        Event::Evaluated(Evaluated {
            step,
            by: None,
            of: Whose::Student,
            split: if probe { Split::Validation } else { Split::Test },
            purpose,
            attack: AttackSpec::pgd(self.threat, if probe { 10 } else { 20 }, 1, 0),
            natural,
            adversarial,
            images: if probe { 250 } else { 2000 },
            seconds: 0.5,
        })
    }

    /// As `rematch eval --attack autoattack --curve` leaves it.
    fn examine(&self, run: &Path, adversarial: f64) {
        let ensemble = Ensemble::suite(Suite::AutoAttack, self.threat, 10, 0).0;
        let curve = Curve {
            attack: AttackSpec::pgd(self.threat, 20, 1, 0),
            images: 2000,
            points: [(0.0, self.last.0), (0.1, self.last.1), (0.2, 0.1)]
                .map(|(eps, adversarial)| CurvePoint { eps: Eps(eps), adversarial })
                .into(),
        };
        let doubt = Doubt {
            suspicion: Suspicion::ZeroGradients,
            saw: "37 % of all gradients are 0".into(),
            suggests: "look at the <loss>".into(),
        };
        let attack = AttackReport { ensemble, adversarial, stages: Vec::new(), largest: 0.1, seconds: 60.0 };
        let report = Report {
            format: REPORT_FORMAT,
            of: Whose::Student,
            split: Split::Test,
            images: 2000,
            natural: self.last.0,
            attacks: vec![attack],
            worst_case: adversarial,
            classes: Vec::new(),
            confusion: Vec::new(),
            curve: Some(curve),
            doubts: if self.doubted { vec![doubt] } else { Vec::new() },
            looked_for: vec![Suspicion::ZeroGradients],
            seconds: 60.0,
        };
        let model = run.join(format!("checkpoints/step-{LAST:08}/model.safetensors"));
        let settings = json!({
            "model": model.display().to_string(), "model_sha256": "f00d", "data": self.data, "seen_in_training": false, "device": "cpu",
        });
        let folder = run.join("evaluations/20260101-000000-autoattack");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("settings.json"), settings.to_string()).unwrap();
        fs::write(folder.join("report.json"), json!({"settings": settings, "report": report}).to_string()).unwrap();
    }
}

/// One image of two by two pixels, and one that is damaged.
fn exhibit(step: u64, threat: Threat) -> Exhibit {
    let guess = |class| Guess { class, confidence: 0.75 };
    let piece = |image: &str| Piece {
        group: Group::Fooled,
        index: 7,
        label: 1,
        shape: [1, 2, 2],
        image: image.into(),
        delta: "gICAgA==".into(),
        scale: 0.1,
        student: Guesses { before: guess(1), after: guess(2) },
        teacher: None,
    };
    let attack = AttackSpec::pgd(threat, 10, 1, 0);
    let pieces = vec![piece("AECAwA=="), piece("?")];
    Exhibit { step, by: None, attack, looked: 100, fooled: 60, standing: 20, saved: 3, from: 0, pieces }
}

/// A cell of a plan that is the run of that name.
pub fn cell(made: &Made, row: &str, label: &str, vary: &[(&str, &str)]) -> Cell {
    Cell {
        id: made.id.clone(),
        role: Role::Student,
        row: row.into(),
        label: label.into(),
        vary: vary.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect(),
        seed: made.seed,
        teacher: None,
        other_teachers: Vec::new(),
        budget: None,
        config: made.toml(),
    }
}

pub fn plan(figure: Figure, paper: Option<PaperTable>, cells: Vec<Cell>) -> SweepPlan {
    SweepPlan {
        format: plan::FORMAT,
        name: "demo".into(),
        title: "A <sweep> & its title".into(),
        figure,
        paper,
        evaluate: Some(Evaluate {
            attacks: vec!["autoattack".into()],
            images: Some(2000),
            split: "test".into(),
            seed: 0,
            doubts: plan::Doubts::Look,
            curve: plan::Curve::Yes,
        }),
        cells,
        source: "title = \"as it was read\"\n".into(),
    }
}

pub fn write_plan(folder: &Path, plan: &SweepPlan) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("sweep.json"), serde_json::to_string_pretty(plan).unwrap()).unwrap();
    fs::write(folder.join("sweep.toml"), &plan.source).unwrap();
}

/// RRM and N-FGSM at its time, three seeds each, and the teacher of RRM. One run of N-FGSM is not evaluated by AutoAttack.
pub fn at_equal_time(folder: &Path) -> SweepPlan {
    let runs = folder.join("runs");
    let teacher = Made {
        id: "teacher-s0".into(),
        method: Method::Sat(sat()),
        network: Network::Fc2,
        train_seconds: 60.0,
        last: (0.81, 0.7),
        ..Made::default()
    };
    teacher.write(&runs);
    let mut cells = vec![Cell { role: Role::Teacher, ..cell(&teacher, "teacher", "Teacher (SAT)", &[]) }];
    for (seed, (adversarial, autoattack)) in [(0.45, 0.30), (0.46, 0.31), (0.44, 0.29)].into_iter().enumerate() {
        let made = Made {
            id: format!("rrm-s{seed}"),
            seed: seed as u64,
            teacher: Some((Made::model(&runs, "teacher-s0"), Network::Fc2)),
            last: (0.78 + 0.01 * seed as f64, adversarial),
            autoattack: Some(autoattack),
            ..Made::default()
        };
        made.write(&runs);
        cells.push(Cell { teacher: Some("teacher-s0".into()), ..cell(&made, "rrm", "RRM", &[]) });
    }
    for (seed, (adversarial, autoattack)) in [(0.60, Some(0.52)), (0.62, Some(0.50)), (0.61, None)].into_iter().enumerate() {
        let made = Made {
            id: format!("nfgsm-s{seed}"),
            method: Method::NFgsm(nfgsm()),
            seed: seed as u64,
            last: (0.79, adversarial),
            autoattack,
            doubted: seed == 0,
            ..Made::default()
        };
        made.write(&runs);
        let budget = Some(Budget { of: "rrm".into(), count: plan::Count::Student });
        cells.push(Cell { budget, ..cell(&made, "nfgsm", "N-FGSM", &[]) });
    }
    let plan = plan(Figure::Budget, Some(PaperTable::Table1), cells);
    write_plan(folder, &plan);
    plan
}

pub fn sat() -> Sat {
    let (random_start, batch_norm) = (RandomStart::Yes, BatchNormMode::Train);
    Sat { steps: 7, step_size: Eps(0.025), random_start, batch_norm, iterate: Iterate::Last }
}

fn nfgsm() -> NFgsm {
    NFgsm { step_size: Eps(0.1), noise: 2.0, batch_norm: BatchNormMode::Train }
}
