//! A made-up run that looks like a real one: the same records every time, from formulas. 71 steps an epoch, 20 epochs,
//! reports four times a second, a probe and a checkpoint each epoch, lambda halved with a note at step 300.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rematch::config::*;
use rematch::protocol::event::*;
use rematch::protocol::insight::{Group, Guess, Guesses, Piece};
use rematch::protocol::report::{
    AttackReport, ClassReport, Curve, CurvePlan, CurvePoint, Doubt, EvaluationProgress, Report, Suspicion,
};
use rematch::protocol::*;
use std::collections::BTreeMap;

pub const PER_EPOCH: u64 = 71;
pub const EPOCHS: u64 = 20;
const CHANGED: u64 = 300;
const START_MS: u64 = 1_790_000_000_000;
const STEP_MS: u64 = 110;
const CLASSES: [&str; 10] =
    ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Rrm,
    Sat,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Machines {
    Gpu,
    TwoGpus,
    Cpu,
}

/// Between -1 and 1, fixed for a number.
fn noise(n: u64) -> f64 {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 32;
    (x % 20_001) as f64 / 10_000.0 - 1.0
}

struct Tape {
    records: Vec<Record>,
    at_ms: u64,
}

impl Tape {
    fn push(&mut self, event: Event) {
        self.records.push(Record { seq: self.records.len() as u64, at_ms: self.at_ms, event });
    }
}

fn threat() -> Threat {
    Threat { norm: Norm::Linf, eps: Eps(0.1) }
}

fn started(kind: Kind, machines: Machines) -> Event {
    let method = match kind {
        Kind::Rrm => Method::Rrm(Rrm::cosine(0.5)),
        Kind::Sat => Method::Sat(Sat {
            steps: 7,
            step_size: Eps(0.025),
            random_start: RandomStart::Yes,
            batch_norm: BatchNormMode::Eval,
            iterate: Iterate::Last,
        }),
    };
    let facts = |name: &str| NetworkFacts { name: name.into(), parameters: 421_642, features: 128 };
    let teacher = (kind == Kind::Rrm).then(|| "assets/teacher.safetensors".to_string());
    Event::Started(Box::new(Started {
        format: FORMAT,
        run: "quickstart-s1".into(),
        program: "rematch 0.1.0".into(),
        config: Config {
            seed: 1,
            data: Data { source: Source::FashionMnist10k, path: None, validation: 1_000, augment: Augment::None, files: None },
            student: Student { network: Network::Fc3, feature_width: None },
            teacher: teacher.clone().map(Teacher::new),
            method,
            threat: threat(),
            train: Train {
                epochs: EPOCHS,
                batch: 128,
                lr: 0.1,
                momentum: 0.9,
                nesterov: Nesterov::No,
                weight_decay: 5e-4,
                schedule: Schedule::Cosine { final_lr: 0.0 },
                ema: 0.0,
                steps: None,
                report_hz: 4.0,
            },
            probe: Probe { per_epoch: 1, images: 256, steps: 10 },
            watch: Watch::default(),
            insight: Insight::default(),
            alerts: Alerts::default(),
            evaluation: Evaluation { steps: 20, restarts: 1, images: None },
            checkpoint: Checkpoint::default(),
            steering: Steering::default(),
        },
        plan: Plan { epochs: EPOCHS, steps_per_epoch: PER_EPOCH, most: None },
        device: if machines == Machines::Cpu { "cpu (2 threads)".into() } else { "cuda:0".into() },
        student: facts("fc3"),
        teacher: teacher.map(|path| TeacherFacts { network: facts("fc2"), path, provenance: "sat, seed 0".into(), sha256: None }),
        data: DataFacts {
            name: "fashion-mnist-10k".into(),
            shape: [1, 28, 28],
            classes: CLASSES.map(String::from).to_vec(),
            train: 9_000,
            validation: 1_000,
            test: 2_000,
            fingerprint: None,
            split: None,
        },
        controls: Controls {
            lambda: 0.5,
            lr_scale: 1.0,
            eps: Eps(0.1),
            norm: Norm::Linf,
            flow: Flow::Running,
            attack_steps: 7,
            step_size: Eps(0.025),
            temperature: 0.0,
            alpha: 0.0,
            beta: 0.0,
            probes: 1,
        },
        dials: if kind == Kind::Rrm { vec![Dial::Lambda, Dial::LrScale, Dial::Eps] } else { vec![Dial::LrScale, Dial::Eps] },
        from_step: 0,
        scheduled: Vec::new(),
        parent: None,
        threads: None,
        resumed: None,
        other_teachers: Vec::new(),
    }))
}

fn progress(kind: Kind, step: u64, steps: u64) -> Event {
    let t = step as f64 / (PER_EPOCH * EPOCHS) as f64;
    let lambda = if step > CHANGED { 0.25 } else { 0.5 };
    let around = |mean: f64, spread: f64| {
        let mean = mean + spread * 0.4 * noise(step);
        Summary { min: mean - spread, mean, max: mean + spread }
    };
    let ce = 0.45 + 1.8 * (-9.0 * t).exp() + if step > CHANGED { 0.15 } else { 0.0 };
    let cos = 0.85 - 0.8 * (-6.0 * t).exp();
    let mut terms = BTreeMap::new();
    terms.insert(Term::CrossEntropy, around(ce, 0.12));
    match kind {
        Kind::Rrm => {
            terms.insert(Term::WeightedCrossEntropy, around(lambda * ce, 0.12 * lambda));
            terms.insert(Term::Representation, around(-cos, 0.02));
            terms.insert(Term::Cosine, around(cos, 0.02));
            terms.insert(Term::Total, around(lambda * ce - cos, 0.1 * lambda + 0.02));
        }
        Kind::Sat => {
            terms.insert(Term::Total, around(ce, 0.12));
            terms.insert(Term::TrainAccuracy, around(0.7 - 0.5 * (-6.0 * t).exp(), 0.05));
        }
    }
    let attack = if kind == Kind::Sat { 71.0 } else { 0.0 };
    let mut parts = BTreeMap::from([(Part::Data, 2.0 + 0.2 * noise(step)), (Part::ForwardBackward, 19.0), (Part::Update, 3.0)]);
    if kind == Kind::Sat {
        parts.insert(Part::Attack, attack);
    } else {
        parts.insert(Part::Teacher, 6.0);
    }
    let timing = step.is_multiple_of(8).then(|| {
        // Eight steps around the median, now and then a slow one.
        let slow = if step.is_multiple_of(72) { 240.0 + 30.0 * noise(step) } else { 112.0 };
        let times: Vec<f64> = (0..7).map(|i| 108.0 + 12.0 * noise(8 * step + i)).chain([slow]).collect();
        let max_ms = times.iter().copied().reduce(f64::max).map(f64::round);
        Timing { parts, p50_ms: 108.0, p99_ms: 119.0 + noise(step).round(), max_ms, counts: step_times::counts(&times) }
    });
    let lr = 0.05 * (1.0 + (std::f64::consts::PI * t).cos());
    Event::Progress(Progress { step, steps, lr, images_per_s: Scalar(1_160.0 + 20.0 * noise(step)), terms, timing })
}

fn evaluated(of: Whose, purpose: Purpose, step: u64) -> Event {
    let t = step as f64 / (PER_EPOCH * EPOCHS) as f64;
    let (natural, adversarial) = match of {
        Whose::Teacher => (0.81, 0.69),
        Whose::Student => (0.8 - 0.5 * (-8.0 * t).exp(), 0.45 - 0.35 * (-5.0 * t).exp() + 0.01 * noise(step)),
    };
    let (split, images, steps) = match purpose {
        Purpose::Probe | Purpose::Watch => (Split::Validation, 256, 10),
        Purpose::Final => (Split::Test, 2_000, 20),
    };
    let attack = AttackSpec::pgd(threat(), steps, 1, 1);
    Event::Evaluated(Evaluated { step, by: None, of, split, purpose, attack, natural, adversarial, images, seconds: 0.9 })
}

fn machine(machines: Machines, n: u64) -> Event {
    let gpu = Gpu {
        index: 0,
        name: "NVIDIA H100 80GB HBM3".into(),
        utilisation_percent: Some((94.0 + 3.0 * noise(n)).round()),
        memory_used: Some(12_026_124_288),
        memory_total: Some(85_899_345_920),
        temperature_c: Some(62.0),
        power_w: Some((542.0 + 4.0 * noise(n)).round()),
        power_limit_w: Some(700.0),
        sm_clock_mhz: Some(1_980),
        sm_clock_max_mhz: Some(1_980),
        throttled: None,
    };
    let second = Gpu {
        index: 1,
        utilisation_percent: None,
        temperature_c: Some(84.0),
        sm_clock_mhz: Some(1_215),
        throttled: Some("power cap, heat".into()),
        ..gpu.clone()
    };
    Event::Machine(Machine {
        cpu_percent: (88.0 + 8.0 * noise(n)).round(),
        cores: 2,
        memory_used: 3_221_225_472,
        memory_total: 8_589_934_592,
        resident: 673_185_792,
        process_cpu_percent: (171.0 + 6.0 * noise(n + 1)).round(),
        gpus: match machines {
            Machines::Gpu => vec![gpu],
            Machines::TwoGpus => vec![gpu, second],
            Machines::Cpu => vec![],
        },
        load: Some([1.92, 1.4, 0.87]),
        disk: Some(Disk { free: 13_207_024_435, total: 268_435_456_000 }),
        no_gpu: (machines == Machines::Cpu)
            .then(|| "no NVML: libnvidia-ml.so.1: cannot open shared object file: No such file or directory".into()),
    })
}

/// Cross-entropy pulls less and less, and the match comes to be worth more than chance.
fn pulled(step: u64) -> Event {
    let t = step as f64 / (PER_EPOCH * EPOCHS) as f64;
    let lambda = if step > CHANGED { 0.25 } else { 0.5 };
    let cos = 0.85 - 0.8 * (-6.0 * t).exp();
    Event::Pulled(Pulls {
        step,
        terms: [Term::WeightedCrossEntropy, Term::Representation],
        teacher: None,
        norms: [Scalar(lambda * 0.02 * (0.2 + (-3.0 * t).exp())), Scalar(0.004 + 0.002 * noise(step))],
        cosine: Scalar(0.1 - 0.3 * t),
        matched: Some(Scalar(cos)),
        shuffled: Some(Scalar(0.35 * cos)),
        images: 64,
        ms: 12.3,
    })
}

/// Images under attack: three groups of `each`, rings and slopes that no data set has.
pub fn exhibited(records: Vec<Record>, each: u64, side: u64, channels: u64) -> Vec<Record> {
    let step = last_step(&records);
    let mut tape = Tape { at_ms: records.last().map_or(START_MS, |r| r.at_ms), records };
    tape.at_ms += 1_200;
    let mut pieces = Vec::new();
    for (g, &group) in Group::ALL.iter().enumerate() {
        for i in 0..each {
            let index = 37 * (g as u64 * each + i) % 1_000;
            let label = index % 10;
            let other = if group == Group::Fooled { (label + 3) % 10 } else { label };
            let at = |c: u64, y: u64, x: u64| {
                let middle = side as f64 / 2.0;
                let far = ((x as f64 - middle).hypot(y as f64 - middle) / middle).min(1.0);
                ((255.0 * (1.0 - far)) as u64 + 20 * i + 40 * c).min(255) as u8
            };
            let delta = |c: u64, y: u64, x: u64| if (x / 3 + y / 3 + c + i).is_multiple_of(2) { 1u8 } else { 255 };
            let whole = |of: &dyn Fn(u64, u64, u64) -> u8| {
                let mut bytes = Vec::new();
                for c in 0..channels {
                    for y in 0..side {
                        bytes.extend((0..side).map(|x| of(c, y, x)));
                    }
                }
                BASE64_STANDARD.encode(bytes)
            };
            let guesses = |after: f64| Guesses {
                before: Guess { class: label, confidence: 0.91 },
                after: Guess { class: other, confidence: after },
            };
            pieces.push(Piece {
                group,
                index,
                label,
                shape: [channels, side, side],
                image: whole(&at),
                delta: whole(&delta),
                scale: 0.1,
                student: guesses(0.62),
                teacher: Some(Guesses {
                    before: Guess { class: label, confidence: 0.83 },
                    after: Guess { class: label, confidence: 0.55 },
                }),
            });
        }
    }
    let attack = AttackSpec::pgd(threat(), 10, 1, 0);
    let exhibit =
        Exhibit { step, by: Some(CommandId(4)), attack, looked: 256, fooled: 83, standing: 118, saved: 21, from: 0, pieces };
    tape.push(Event::Exhibited(Box::new(exhibit)));
    tape.records
}

/// The records up to a step; to the end, with the final evaluation, where `upto` is beyond it.
pub fn recording(kind: Kind, machines: Machines, upto: u64) -> Vec<Record> {
    let mut tape = Tape { records: Vec::new(), at_ms: START_MS };
    tape.push(started(kind, machines));
    if kind == Kind::Rrm {
        tape.push(evaluated(Whose::Teacher, Purpose::Probe, 0));
    }
    let all = PER_EPOCH * EPOCHS;
    let (mut step, mut second) = (0, 0);
    while step < all.min(upto) {
        let next = (step + 2).min((step / PER_EPOCH + 1) * PER_EPOCH);
        tape.at_ms += STEP_MS * (next - step);
        if kind == Kind::Rrm && step < CHANGED && next >= CHANGED {
            let (change, previous) = (Change::Lambda(0.25), Change::Lambda(0.5));
            let note = Some("lower before the drop".to_string());
            tape.push(Event::Controlled { step: CHANGED, by: Some(CommandId(0)), change, previous, note, stair: None });
        }
        tape.push(progress(kind, next, next - step));
        step = next;
        if tape.at_ms / 1000 != second {
            second = tape.at_ms / 1000;
            tape.push(machine(machines, second));
        }
        if kind == Kind::Rrm && step.is_multiple_of(100) {
            tape.push(pulled(step));
        }
        if step.is_multiple_of(PER_EPOCH) {
            tape.at_ms += 900;
            tape.push(evaluated(Whose::Student, Purpose::Probe, step));
            let epoch = step / PER_EPOCH;
            let train_seconds = 7.8 + 0.1 * noise(epoch);
            tape.push(Event::EpochFinished(EpochFinished { epoch, step, train_seconds, evaluation_seconds: 0.9 }));
            let path = format!("checkpoints/{step:06}.safetensors");
            tape.push(Event::Saved(Saved { step, by: None, path, bytes: 3_400_000, ms: 41, held_ms: Some(2) }));
        }
    }
    if upto > all {
        tape.at_ms += 6_000;
        tape.push(evaluated(Whose::Student, Purpose::Final, all));
        return ended(tape.records, Outcome::Completed);
    }
    tape.records
}

pub fn ended(records: Vec<Record>, outcome: Outcome) -> Vec<Record> {
    let step = records.iter().rev().find_map(|r| if let Event::Progress(p) = &r.event { Some(p.step) } else { None });
    let mut tape = Tape { at_ms: records.last().map_or(START_MS, |r| r.at_ms), records };
    let step = step.unwrap_or(0);
    tape.push(Event::Finished(Finished { outcome, step, train_seconds: 156.0, evaluation_seconds: 24.0 }));
    tape.records
}

pub fn paused(records: Vec<Record>) -> Vec<Record> {
    let mut tape = Tape { at_ms: records.last().map_or(START_MS, |r| r.at_ms), records };
    let (change, previous) = (Change::Flow(Flow::Paused), Change::Flow(Flow::Running));
    tape.push(Event::Controlled { step: 470, by: Some(CommandId(1)), change, previous, note: None, stair: None });
    tape.records
}

fn last_step(records: &[Record]) -> u64 {
    records.iter().rev().find_map(|r| if let Event::Progress(p) = &r.event { Some(p.step) } else { None }).unwrap_or(0)
}

/// An evaluation that runs: a third of its stages are done.
pub fn examining(records: Vec<Record>) -> Vec<Record> {
    let step = last_step(&records);
    let mut tape = Tape { at_ms: records.last().map_or(START_MS, |r| r.at_ms), records };
    tape.at_ms += 2_500;
    let doing = "pgd-50x10 4/10".into();
    let progress = EvaluationProgress { doing, stage: 7, stages: 20, done: 52, total: 93, robust: 0.465, left_ms: Some(12_400) };
    tape.push(Event::Examining { step, by: Some(CommandId(2)), progress });
    tape.records
}

/// The same with what it found. `robust`: the share that stands at the training epsilon.
pub fn examined(records: Vec<Record>, robust: f64) -> Vec<Record> {
    let step = last_step(&records);
    let records = examining(records);
    let mut tape = Tape { at_ms: records.last().map_or(START_MS, |r| r.at_ms), records };
    tape.at_ms += 9_900;
    let report = Box::new(report(robust));
    tape.push(Event::Examined { step, by: Some(CommandId(2)), report });
    tape.records
}

/// 10 classes of 20 images, a curve, two doubts.
pub fn report(robust: f64) -> Report {
    let classes: Vec<_> = CLASSES
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let off = (noise(i as u64) * 4.0).round();
            let (natural, adversarial) = (15.0 + off, (20.0 * robust + off).clamp(0.0, 15.0 + off).round());
            ClassReport { name: (*name).into(), images: 20, natural: natural / 20.0, adversarial: adversarial / 20.0 }
        })
        .collect();
    let confusion = (0..10usize)
        .map(|truth| {
            let stands = (20.0 * classes[truth].adversarial).round() as u64;
            let mut row = vec![0; 10];
            row[truth] = stands;
            // Most are taken for the neighbour, some for another.
            let lost = 20 - stands;
            row[(truth + 2) % 10] = lost - lost / 3;
            row[(truth + 5) % 10] += lost / 3;
            row
        })
        .collect();
    let pgd = AttackSpec::pgd(threat(), 50, 10, 0);
    let plan = CurvePlan::around(threat(), 200, 0);
    let points = plan.radii.iter().map(|&eps| CurvePoint { eps, adversarial: 0.755 * (robust / 0.755).powf(eps.0 / 0.1) });
    let doubt = |suspicion, saw: &str, suggests: &str| Doubt { suspicion, saw: saw.into(), suggests: suggests.into() };
    let ensemble = Ensemble { name: pgd.short(), members: vec![pgd] };
    let attack = AttackReport { ensemble, adversarial: robust, stages: vec![], largest: 0.1, seconds: 8.1 };
    Report {
        format: 1,
        of: Whose::Student,
        split: Split::Validation,
        images: 200,
        natural: 0.755,
        attacks: vec![attack],
        worst_case: robust,
        classes,
        confusion,
        curve: Some(Curve { attack: plan.attack.clone(), images: 200, points: points.collect() }),
        doubts: vec![
            doubt(
                Suspicion::WeakerWithMoreSteps,
                "PGD-100 leaves 38.5 % standing, PGD-20 37.0 %",
                "the attack has not converged: use apgd-ce",
            ),
            doubt(Suspicion::FewImages, "200 images leave +-6.9 points open", "do not compare tenths; use 1000 images or more"),
        ],
        looked_for: vec![
            Suspicion::ZeroGradients,
            Suspicion::RisesWithEpsilon,
            Suspicion::WeakerWithMoreSteps,
            Suspicion::FewImages,
        ],
        seconds: 12.4,
    }
}
