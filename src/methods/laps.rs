//! Where the time of a step goes, part by part.
//!
//! On a GPU work is only queued by the calls that ask for it, so a step is timed at all only when it is a sample step: then the
//! device is waited for after each part. On a CPU every step is a sample.

use crate::protocol::event::Part;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tch::Device;

/// On a GPU one step in this many is a sample.
const SAMPLE_EVERY: u64 = 16;

pub struct Laps {
    device: Device,
    sample: Sample,
    parts: BTreeMap<Part, Duration>,
    samples: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sample {
    Timed,
    Untimed,
}

impl Laps {
    pub fn new(device: Device) -> Self {
        Self { device, sample: Sample::Timed, parts: BTreeMap::new(), samples: 0 }
    }

    /// Begins a step.
    pub fn step(&mut self, step: u64) {
        self.sample =
            if self.device == Device::Cpu || step.is_multiple_of(SAMPLE_EVERY) { Sample::Timed } else { Sample::Untimed };
        if self.sample == Sample::Timed {
            self.samples += 1;
        }
    }

    /// Does `work` and counts its time as `part`'s.
    pub fn time<T>(&mut self, part: Part, work: impl FnOnce() -> T) -> T {
        if self.sample == Sample::Untimed {
            return work();
        }
        let begin = Instant::now();
        let result = work();
        if let Device::Cuda(index) = self.device {
            tch::Cuda::synchronize(index as i64);
        }
        *self.parts.entry(part).or_default() += begin.elapsed();
        result
    }

    /// Mean milliseconds a sampled step since the last call.
    pub fn take(&mut self) -> BTreeMap<Part, f64> {
        let samples = f64::from(std::mem::take(&mut self.samples).max(1));
        std::mem::take(&mut self.parts)
            .into_iter()
            .map(|(part, time)| (part, (time.as_secs_f64() * 1e6 / samples).round() / 1e3))
            .collect()
    }
}
