//! The machine a run is on, once a second, as `Machine` records: processor, memory, this process, and GPUs where there are any.
//!
//! It has a thread of its own, because a driver may take milliseconds to answer. A machine without an NVIDIA driver, and a
//! value that a driver does not give, are values and no errors. Where a record cannot be written it is left out: the worker
//! will meet the same full disk and say so.
//!
//! It judges nothing, keeps no history, and measures no training.

pub mod gpu;
pub mod host;

use crate::protocol::Event;
use crate::protocol::event::{Gpu, Machine};
use crate::run::recorder::{Recorder, RecorderError};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use host::HostFacts;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How long the end waits for a reading that is under way.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Watches until it is dropped. Drop it before `Finished` is recorded where no facts are wanted after the end; those that come
/// later are left out in any case.
pub struct Telemetry {
    stop: Option<Sender<()>>,
    /// Disconnected when the thread has let go of the recorder.
    ended: Receiver<()>,
}

/// What reads the machine; made and used on the telemetry thread alone.
struct Readers {
    host: Box<dyn FnMut() -> HostFacts>,
    gpus: Box<dyn FnMut() -> Vec<Gpu>>,
    /// Why there are none; told once.
    no_gpu: Option<String>,
}

impl Readers {
    fn of_this_machine(folder: &Path) -> Self {
        let mut host = host::Host::new(folder);
        let gpus = gpu::Gpus::new(std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref());
        let no_gpu = gpus.missing();
        Self { host: Box::new(move || host.read()), gpus: Box::new(move || gpus.read()), no_gpu }
    }

    fn read(&mut self) -> Machine {
        let host = (self.host)();
        Machine {
            cpu_percent: tenths(host.cpu_percent),
            cores: host.cores,
            memory_used: host.memory_used,
            memory_total: host.memory_total,
            resident: host.resident,
            process_cpu_percent: tenths(host.process_cpu_percent),
            gpus: (self.gpus)(),
            load: host.load,
            disk: host.disk,
            no_gpu: self.no_gpu.take(),
        }
    }
}

/// A log of a week has no room for sixteen digits of a percentage. What is not finite could not be read again, and is 0.
fn tenths(x: f64) -> f64 {
    if x.is_finite() { (x * 10.0).round() / 10.0 } else { 0.0 }
}

/// Starts watching; the first record comes after one interval, because processor load is a difference. `folder`: the run's.
pub fn spawn(recorder: Recorder, every: Duration, folder: &Path) -> Telemetry {
    let folder = folder.to_path_buf();
    watch(recorder, every, move || Readers::of_this_machine(&folder))
}

fn watch(recorder: Recorder, every: Duration, readers: impl FnOnce() -> Readers + Send + 'static) -> Telemetry {
    let (stop, stopped) = bounded(0);
    let (end, ended) = bounded::<()>(0);
    // Without room for a thread the run goes on without these facts: then both ends are dropped here.
    let _ = thread::Builder::new().name("telemetry".into()).spawn(move || {
        // NVML starts up in here, for seconds where the driver was asleep: nobody waits for it.
        let mut readers = readers();
        while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            // A full disk is the worker's to tell; a run that has ended needs no watching.
            if let Err(RecorderError::Ended { .. }) = recorder.record(Event::Machine(readers.read())) {
                break;
            }
        }
        drop(recorder);
        drop(end);
    });
    Telemetry { stop: Some(stop), ended }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // The sender's end is what wakes the thread. A driver that hangs must not keep the program from ending.
        self.stop.take();
        let _ = self.ended.recv_timeout(LONGEST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn gpu(power_w: Option<f64>) -> Gpu {
        Gpu { index: 3, name: "H100".into(), utilisation_percent: Some(94.0), power_w, ..Gpu::default() }
    }

    #[test]
    fn facts_are_recorded_rounded_and_end_with_the_watch() {
        let recorder = Recorder::to_writer(io::sink(), || 1);
        let viewer = recorder.subscribe();
        let watch = watch(recorder, Duration::from_millis(1), || Readers {
            host: Box::new(|| HostFacts {
                cpu_percent: 12.345_678,
                cores: 2,
                memory_used: 1,
                memory_total: 2,
                resident: 3,
                process_cpu_percent: f64::NAN,
                load: None,
                disk: None,
            }),
            gpus: Box::new(|| vec![gpu(None)]),
            no_gpu: Some("no NVML: not here".into()),
        });
        let record = viewer.recv_timeout(Duration::from_secs(20)).unwrap();
        let Event::Machine(machine) = &record.event else { panic!("{record:?}") };
        assert_eq!((machine.cpu_percent, machine.process_cpu_percent, machine.memory_total), (12.3, 0.0, 2));
        assert_eq!(machine.gpus, [gpu(None)]);
        assert_eq!(machine.no_gpu.as_deref(), Some("no NVML: not here"));
        let second = viewer.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(matches!(&second.event, Event::Machine(machine) if machine.no_gpu.is_none()), "said once: {second:?}");
        drop(watch);
        // The thread held the last recorder: its end is the end of the viewer's records.
        assert!(viewer.iter().all(|record| matches!(record.event, Event::Machine(_))));
    }

    #[test]
    fn a_driver_that_hangs_does_not_hang_the_end() {
        let (release, hold) = bounded::<()>(0);
        let watch = watch(Recorder::to_writer(io::sink(), || 1), Duration::from_millis(1), move || {
            let _ = hold.recv();
            Readers::of_this_machine(Path::new("."))
        });
        // Were the thread waited for, this would never return: only afterwards is it let go.
        drop(watch);
        drop(release);
    }

    #[test]
    fn a_long_interval_does_not_delay_the_end() {
        let (ended, told) = bounded(1);
        thread::spawn(move || {
            drop(spawn(Recorder::to_writer(io::sink(), || 1), Duration::from_hours(1), Path::new(".")));
            ended.send(()).unwrap();
        });
        told.recv_timeout(Duration::from_secs(30)).unwrap();
    }
}
