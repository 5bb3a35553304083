//! `rematch bench step`: how many images a second a training step does, by the same loop body that trains.
//!
//! Images are random and in memory, nothing is loaded, evaluated or reported: what is measured is the step. The same networks,
//! batch, optimizer and mathematics as the PyTorch program it is compared with.

use super::device;
use super::sgd::Sgd;
use super::worker::SetupError;
use crate::config::{self, BatchNormMode, Eps, Iterate, Method, Nesterov, Network, Norm, RandomStart, Rrm, Sat, Schedule, Train};
use crate::methods::laps::Laps;
use crate::methods::{self, Batch, Context};
use crate::nn::model::{Description, Model, Normalize};
use crate::nn::{catalogue, channels_last};
use crate::protocol::{Controls, Flow};
use crate::random::{self, Purpose, Stream};
use std::rc::Rc;
use std::time::Instant;
use tch::{Device, Tensor};

/// One case of the benchmark.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub network: Network,
    /// `erm`, `sat` (PGD-7, eval-mode batch norm) or `rrm` (teacher of the same network, lambda 0.005).
    pub method: &'static str,
    pub batch: usize,
}

/// Images a second: median and extremes over the repeats.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// `seconds`: at least this long a repeat.
pub fn step(
    case: Case,
    choice: config::DeviceChoice,
    repeats: usize,
    seconds: f64,
    warmup: usize,
) -> Result<(Rate, String), SetupError> {
    let device = device::open(choice)?;
    let mut steps = Steps::new(case, device)?;
    for _ in 0..warmup {
        steps.one();
    }
    let mut rates = Vec::new();
    for _ in 0..repeats.max(1) {
        wait(device);
        let begin = Instant::now();
        let mut n = 0;
        while n < 2 || begin.elapsed().as_secs_f64() < seconds {
            steps.one();
            n += 1;
        }
        wait(device);
        rates.push((n * case.batch) as f64 / begin.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    let median = f64::midpoint(rates[(rates.len() - 1) / 2], rates[rates.len() / 2]);
    Ok((Rate { median, min: rates[0], max: rates[rates.len() - 1] }, device::label(device)))
}

fn wait(device: Device) {
    if let Device::Cuda(index) = device {
        tch::Cuda::synchronize(index as i64);
    }
}

struct Steps {
    student: Model,
    method: Box<dyn methods::Method>,
    sgd: Sgd,
    batch: Batch,
    controls: Controls,
    laps: Laps,
    done: u64,
}

impl Steps {
    fn new(case: Case, device: Device) -> Result<Self, SetupError> {
        let eps = Eps(8.0 / 255.0);
        let shape = catalogue::takes(case.network).usual;
        let classes = (0..10).map(|i| i.to_string()).collect();
        let description = Description {
            network: case.network,
            shape,
            classes,
            normalize: Normalize::default(),
            feature_width: None,
            projector: None,
        };
        let student = Model::new(description.clone(), 0, device)?;
        let teacher = Model::new(description, 1, device)?;
        teacher.freeze();
        let method = match case.method {
            "rrm" => Method::Rrm(Rrm::cosine(0.005)),
            "sat" => Method::Sat(Sat {
                steps: 7,
                step_size: Eps(2.0 / 255.0),
                random_start: RandomStart::Yes,
                batch_norm: BatchNormMode::Eval,
                iterate: Iterate::Last,
            }),
            _ => Method::Erm,
        };
        let (attack_steps, step_size) = method.attack().unwrap_or_default();
        let controls = Controls {
            lambda: 0.005,
            lr_scale: 1.0,
            eps,
            norm: Norm::Linf,
            flow: Flow::Running,
            attack_steps,
            step_size,
            temperature: 1.0,
            alpha: 1.0,
            beta: 1.0,
            probes: 0,
        };
        let settings = Train {
            epochs: 1,
            steps: None,
            batch: case.batch,
            lr: 0.01,
            momentum: 0.9,
            nesterov: Nesterov::No,
            weight_decay: 5e-4,
            schedule: Schedule::Constant,
            ema: 0.0,
            report_hz: 1.0,
        };
        let mut stream = Stream::new(random::seed(0, Purpose::Bench, 0));
        let pixels: Vec<f32> = (0..case.batch * shape.iter().product::<usize>()).map(|_| stream.unit()).collect();
        let labels: Vec<i64> = (0..case.batch).map(|_| stream.below(10) as i64).collect();
        let [c, h, w] = shape.map(|d| d as i64);
        let images = channels_last(&Tensor::from_slice(&pixels).view([-1, c, h, w]).to_device(device));
        Ok(Self {
            sgd: Sgd::new(&settings, &student.parameters),
            method: methods::build(method, Some(Rc::new(teacher)))?,
            student,
            batch: Batch::new(images, Tensor::from_slice(&labels).to_device(device)),
            controls,
            laps: Laps::new(device),
            done: 1,
        })
    }

    fn one(&mut self) {
        self.laps.step(self.done);
        tch::manual_seed(random::seed(0, Purpose::AttackStart, self.done) as i64);
        let context = Context {
            controls: &self.controls,
            replay: 0,
            progress: 0.0,
            images: self.batch.labels.size()[0] as usize,
            laps: &mut self.laps,
        };
        let objective = self.method.objective(&self.student, &self.batch, context);
        let gradient = self.student.parameters.gradient(&objective.loss);
        self.sgd.step(&self.student.parameters, gradient, 0.01, None);
        self.done += 1;
    }
}
