//! What training reports, gathered on the device.
//!
//! **Invariant:** a step never waits for the device. Its scalars go into a small buffer on the device; at most `report_hz` times a
//! second the buffer comes over whole, so that no step's value is lost.

use crate::nn::host::floats;
use crate::protocol::event::{Part, Term, Timing};
use crate::protocol::{Scalar, Step, Summary, step_times};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

/// Steps the buffer holds; when it is full it is read early.
const CAPACITY: i64 = 512;

pub struct Meter {
    terms: &'static [Term],
    /// `[CAPACITY, terms]` on the device.
    buffer: Tensor,
    filled: i64,
    every: Duration,
    since: Instant,
    /// Time in steps since the last report, without probes and pauses.
    busy: Duration,
    images: u64,
    steps_ms: Vec<f64>,
}

/// What came over.
pub struct Report {
    pub steps: u64,
    pub terms: BTreeMap<Term, Summary>,
    pub images_per_s: Scalar,
    /// Of the steps reported, the first at which a term was not finite, counted from the first of the report.
    pub non_finite: Option<(Step, Term)>,
}

impl Meter {
    pub fn new(terms: &'static [Term], hz: f64, device: Device) -> Self {
        Self {
            terms,
            buffer: Tensor::zeros([CAPACITY, terms.len() as i64], (Kind::Float, device)),
            filled: 0,
            every: Duration::from_secs_f64(1.0 / hz),
            since: Instant::now(),
            busy: Duration::ZERO,
            images: 0,
            steps_ms: Vec::new(),
        }
    }

    /// Notes one step. `values`: scalars on the device, in the order of the terms; they are copied, not read.
    pub fn push(&mut self, values: &[Tensor], images: usize, took: Duration) {
        let _guard = tch::no_grad_guard();
        self.buffer.get(self.filled).copy_(&Tensor::stack(values, 0));
        self.filled += 1;
        self.images += images as u64;
        self.busy += took;
        self.steps_ms.push(took.as_secs_f64() * 1e3);
    }

    pub fn due(&self) -> bool {
        self.filled > 0 && (self.filled == CAPACITY || self.since.elapsed() >= self.every)
    }

    /// Brings everything over; `None` when there was nothing.
    pub fn take(&mut self) -> Option<Report> {
        if self.filled == 0 {
            return None;
        }
        let width = self.terms.len();
        let flat = floats(&self.buffer.narrow(0, 0, self.filled));
        let column = |i: usize| flat.iter().skip(i).step_by(width).map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let mut terms = BTreeMap::new();
        let mut non_finite = None;
        for (i, &term) in self.terms.iter().enumerate() {
            let values = column(i);
            if let Some(at) = values.iter().position(|v| !v.is_finite())
                && non_finite.is_none_or(|(first, _)| (at as Step) < first)
            {
                non_finite = Some((at as Step, term));
            }
            terms.insert(term, Summary::of(&values));
        }
        let rate = self.images as f64 / self.busy.as_secs_f64();
        let report = Report { steps: self.filled as u64, terms, images_per_s: Scalar((rate * 10.0).round() / 10.0), non_finite };
        self.filled = 0;
        self.images = 0;
        self.busy = Duration::ZERO;
        self.since = Instant::now();
        Some(report)
    }

    /// What the step times since the last call come to, beside the parts of a step; all 0 when there was no step.
    pub fn timing(&mut self, parts: BTreeMap<Part, f64>) -> Timing {
        let mut times = std::mem::take(&mut self.steps_ms);
        times.sort_by(f64::total_cmp);
        let at = |q: f64| times.get(((times.len() as f64 - 1.0) * q).round() as usize).map(|t| (t * 1e3).round() / 1e3);
        let (p50_ms, p99_ms) = (at(0.5).unwrap_or(0.0), at(0.99).unwrap_or(0.0));
        Timing { parts, p50_ms, p99_ms, max_ms: at(1.0), counts: step_times::counts(&times) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(meter: &mut Meter, total: f64, accuracy: f64) {
        let values = [total, accuracy].map(|v| Tensor::from(v as f32));
        meter.push(&values, 128, Duration::from_millis(10));
    }

    #[test]
    fn every_step_is_in_the_report_and_spikes_survive() {
        let mut meter = Meter::new(&[Term::Total, Term::TrainAccuracy], 10.0, Device::Cpu);
        assert!(meter.take().is_none() && !meter.due());
        for (total, accuracy) in [(1.0, 0.1), (9.0, 0.2), (2.0, 0.3)] {
            push(&mut meter, total, accuracy);
        }
        let report = meter.take().unwrap();
        assert_eq!(report.steps, 3);
        assert_eq!(report.terms[&Term::Total], Summary { min: 1.0, mean: 4.0, max: 9.0 });
        assert!((report.images_per_s.0 - 12_800.0).abs() < 1.0);
        assert!(report.non_finite.is_none());
        let timing = meter.timing(BTreeMap::new());
        assert_eq!((timing.p50_ms, timing.p99_ms, timing.max_ms), (10.0, 10.0, Some(10.0)));
        assert_eq!(timing.counts, [(step_times::bin(10.0), 3)]);
        assert!(meter.timing(BTreeMap::new()).counts.is_empty());
    }

    #[test]
    fn the_first_bad_step_is_named() {
        let mut meter = Meter::new(&[Term::Total, Term::TrainAccuracy], 10.0, Device::Cpu);
        push(&mut meter, 1.0, 0.5);
        push(&mut meter, f64::NAN, 0.5);
        push(&mut meter, f64::INFINITY, 0.5);
        let report = meter.take().unwrap();
        assert_eq!(report.non_finite, Some((1, Term::Total)));
        assert!(report.terms[&Term::Total].mean.is_nan());
    }

    #[test]
    fn a_full_buffer_is_due_at_once() {
        let mut meter = Meter::new(&[Term::Total, Term::TrainAccuracy], 0.1, Device::Cpu);
        for _ in 0..CAPACITY {
            push(&mut meter, 1.0, 1.0);
        }
        assert!(meter.due());
        assert_eq!(meter.take().unwrap().steps, CAPACITY as u64);
    }
}
