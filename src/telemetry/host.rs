//! Processor and memory of this machine and of this process.
//!
//! It says what the operating system says: in a container with limits of its own that is the whole machine.

use crate::protocol::event::Disk;
use std::path::{Path, PathBuf};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Percentages: of all cores together, and of one core for the process. Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostFacts {
    pub cpu_percent: f64,
    pub cores: u64,
    pub memory_used: u64,
    pub memory_total: u64,
    pub resident: u64,
    pub process_cpu_percent: f64,
    pub load: Option<[f64; 3]>,
    pub disk: Option<Disk>,
}

/// Reads the same system again and again: load is the difference between two readings.
pub struct Host {
    /// `None` where the operating system is none that can be asked; then all is 0.
    system: Option<System>,
    process: Pid,
    /// What lies on the disk that is looked at.
    folder: PathBuf,
}

impl Host {
    pub fn new(folder: &Path) -> Self {
        let process = Pid::from_u32(std::process::id());
        let mut host = Self { system: System::new().ok(), process, folder: folder.to_path_buf() };
        host.read();
        host
    }

    pub fn read(&mut self) -> HostFacts {
        let Some(system) = &mut self.system else { return HostFacts::default() };
        system.refresh_cpu_usage();
        system.refresh_memory();
        // Of this process alone, and without its threads: reading every process would cost milliseconds a second.
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.process]), true, what);
        let process = system.process(self.process);
        HostFacts {
            cpu_percent: f64::from(system.global_cpu_usage()),
            cores: system.cpus().len() as u64,
            memory_used: system.used_memory(),
            memory_total: system.total_memory(),
            resident: process.map_or(0, sysinfo::Process::memory),
            process_cpu_percent: process.map_or(0.0, |process| f64::from(process.cpu_usage())),
            load: load(),
            disk: disk(&self.folder),
        }
    }
}

/// As Linux says it; elsewhere unknown.
pub fn load() -> Option<[f64; 3]> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let mut numbers = text.split_whitespace().map(|n| n.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

/// The disk that holds a folder. What is kept for the administrator is not free to us.
pub fn disk(folder: &Path) -> Option<Disk> {
    let found = rustix::fs::statvfs(folder).ok()?;
    let total = found.f_blocks.saturating_mul(found.f_frsize);
    (total > 0).then(|| Disk { free: found.f_bavail.saturating_mul(found.f_frsize), total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory_and_this_process_lives_in_it() {
        let facts = Host::new(Path::new(".")).read();
        assert!(facts.cores > 0 && facts.memory_used > 0 && facts.memory_used <= facts.memory_total, "{facts:?}");
        assert!(facts.resident > 100_000 && facts.resident < facts.memory_total, "{facts:?}");
        assert!((0.0..=100.0).contains(&facts.cpu_percent), "{facts:?}");
        assert!(facts.disk.is_some_and(|disk| disk.free <= disk.total), "{facts:?}");
        assert_eq!(disk(Path::new("/there/is/no/such/folder")), None);
    }
}
