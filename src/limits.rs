//! What the operating system lets this process use: cores, memory, threads, open files, sizes of files, processor time.
//!
//! Limits come from the machine, from `ulimit` (resource limits) and from control groups, versions 1 and 2. Everything here reads, apart from
//! [`prepare`] and [`be_warned_of_cpu_limit`]; what cannot be read counts as no limit.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Seconds of processor time for each thread that saving the last checkpoint may take.
const LAST_WORDS: u64 = 10;

/// Standard streams, libraries that look at the machine, and the files of a run.
const FEWEST_FILES: u64 = 12;

/// Prepares this process for its limits: a file that may not grow is an error and not the end (SIGXFSZ), and as many files may be open as an
/// ordinary user can ask for.
pub fn prepare() {
    // The handler sets a flag that nobody reads: a signal that is caught lets the write fail with EFBIG. Programs started from here have the
    // usual action again, which they would not where the signal was ignored.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)));
    let files = getrlimit(Resource::Nofile);
    if files.current != files.maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum });
    }
}

// ---- cores ----

/// Cores that this process may keep busy: by its affinity and the CPU quota of its control groups, at least 1. A quota of 2.5 cores is 2.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Cores that the machine has.
pub fn machine_cores() -> usize {
    let online = fs::read_to_string("/sys/devices/system/cpu/online").ok();
    online.and_then(|text| count_ranges(text.trim())).map_or_else(cores, |count| count.max(cores()))
}

/// Counts `0-3,8`: 5.
fn count_ranges(text: &str) -> Option<usize> {
    text.split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(last.parse::<usize>().ok()?.checked_sub(first.parse().ok()?)? + 1)
        })
        .sum()
}

/// Says that `threads` are more than there are cores for, where they are.
pub fn too_many_threads(threads: usize) -> Option<String> {
    let (cores, machine) = (cores(), machine_cores());
    if threads <= cores {
        return None;
    }
    let of = match machine {
        machine if machine > cores => format!(" of the machine's {machine} (CPU quota or affinity)"),
        _ => String::new(),
    };
    let may = if cores == 1 { "1 core".into() } else { format!("{cores} cores") };
    Some(format!(
        "{threads} threads train, and this process may use {may}{of}: threads without a core of their own slow each other down; use --threads {cores}"
    ))
}

// ---- threads and processes ----

/// Tries to have so many threads at once, because libraries end the process where one cannot be made.
///
/// # Errors
/// The limit that is in the way and how to raise it.
pub fn room_for_threads(wanted: usize) -> Result<(), String> {
    let (hold, held) = crossbeam_channel::bounded::<()>(0);
    let mut threads = Vec::new();
    let mut failed = None;
    for _ in 0..wanted {
        let held = held.clone();
        match std::thread::Builder::new().stack_size(64 << 10).spawn(move || held.recv().is_ok()) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    drop(hold);
    let made = threads.len();
    for thread in threads {
        let _ = thread.join();
    }
    let Some(error) = failed else { return Ok(()) };
    Err(format!(
        "this process needs {wanted} threads and could make {made} ({error}). {}; use fewer with --threads 1, or raise the limit",
        process_limit().unwrap_or_else(|| "The system has a limit on processes and threads (ulimit -u, pids.max)".into())
    ))
}

/// The limit on processes that is nearest, in words.
fn process_limit() -> Option<String> {
    let group = groups("pids").into_iter().find_map(|folder| {
        let most = number(&folder.join("pids.max"))?;
        Some(format!("The control group {} may have {most} (pids.max)", folder.display()))
    });
    let user =
        getrlimit(Resource::Nproc).current.map(|most| format!("This user may have {most} processes and threads (ulimit -u)"));
    group.or(user)
}

// ---- sizes of files, processor time ----

/// Largest file that this process may write, in bytes.
pub fn file_size() -> Option<u64> {
    getrlimit(Resource::Fsize).current
}

/// What is said where a file may not grow, and what to do.
pub fn file_too_large() -> String {
    match file_size() {
        Some(bytes) => {
            format!("the file size limit of this process is {}; raise it with ulimit -f unlimited and start again", shown(bytes))
        }
        None => "the file system takes no larger files; choose another with --runs DIR".into(),
    }
}

/// Sees to it that SIGXCPU comes while there is still time to save, where the processor time is limited (`ulimit -t` sets one limit that
/// kills at once). `threads`: that use processor time together. Says what was done.
pub fn be_warned_of_cpu_limit(threads: usize) -> Option<String> {
    let limit = getrlimit(Resource::Cpu);
    let most = limit.maximum.or(limit.current)?;
    // A limit that only warns does so by itself.
    let current = match (limit.maximum, limit.current) {
        (None, _) => most,
        (Some(_), current) => warned_at(most, threads as u64).min(current.unwrap_or(u64::MAX)),
    };
    if Some(current) != limit.current {
        setrlimit(Resource::Cpu, Rlimit { current: Some(current), maximum: limit.maximum }).ok()?;
    }
    Some(format!(
        "this process may use {most} s of processor time (ulimit -t); at {current} s it gets SIGXCPU, which saves a checkpoint and stops unless on_xcpu says otherwise"
    ))
}

/// Seconds of processor time after which to stop, of `most` that are allowed.
fn warned_at(most: u64, threads: u64) -> u64 {
    most.saturating_sub((LAST_WORDS * threads).min(most / 4)).max(1)
}

// ---- memory ----

/// Memory that this process can still get, and the limit that ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    pub bytes: u64,
    pub limit: String,
}

/// The smallest of what the machine, the control groups and `ulimit -v` leave.
pub fn memory() -> Option<Room> {
    let rooms = [machine_memory(), group_memory(), address_space()];
    rooms.into_iter().flatten().min_by_key(|room| room.bytes)
}

fn machine_memory() -> Option<Room> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let bytes = kilobytes(&text, "MemAvailable:")? + kilobytes(&text, "SwapFree:").unwrap_or(0);
    Some(Room { bytes, limit: format!("the machine has {}", shown(kilobytes(&text, "MemTotal:")?)) })
}

/// The value of a line such as `VmSize:  1234 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// Tells that this process may open too few files for training.
///
/// # Errors
/// The limit and how to raise it.
pub fn enough_open_files() -> Result<(), String> {
    match getrlimit(Resource::Nofile).current {
        Some(most) if most < FEWEST_FILES => Err(format!(
            "this process may open {most} files at once, and training needs {FEWEST_FILES} or more; raise the limit with ulimit -n 1024"
        )),
        Some(_) | None => Ok(()),
    }
}

/// Bytes of addresses that this process may have (`ulimit -v`).
pub fn address_space_limit() -> Option<u64> {
    getrlimit(Resource::As).current
}

/// Addresses that this process can still get, where they are limited.
pub fn address_space() -> Option<Room> {
    let most = address_space_limit()?;
    let used = kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmSize:")?;
    let limit = format!("its address space is limited to {} (ulimit -v)", shown(most));
    Some(Room { bytes: most.saturating_sub(used), limit })
}

fn group_memory() -> Option<Room> {
    let room = |folder: PathBuf| {
        let of = |names: [&str; 2]| names.iter().find_map(|name| number(&folder.join(name)));
        let most = of(["memory.max", "memory.limit_in_bytes"])?;
        let used = of(["memory.current", "memory.usage_in_bytes"])?;
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        // Files that are cached go when the memory is needed.
        let cached = field(&stat, "inactive_file").or_else(|| field(&stat, "total_inactive_file")).unwrap_or(0);
        let limit = format!("its control group may use {} ({})", shown(most), folder.display());
        Some(Room { bytes: most.saturating_sub(used.saturating_sub(cached)), limit })
    };
    groups("memory").into_iter().filter_map(room).min_by_key(|room| room.bytes)
}

/// Bytes that this machine, or this process' control groups where they are smaller, have altogether.
pub fn total_memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kilobytes(&text, "MemTotal:"));
    let limit = |folder: PathBuf| number(&folder.join("memory.max")).or_else(|| number(&folder.join("memory.limit_in_bytes")));
    groups("memory").into_iter().filter_map(limit).chain(machine).min()
}

/// How many processes the kernel has killed for memory in this process' control group since the group was made.
pub fn killed_for_memory() -> u64 {
    let events = |folder: &PathBuf| {
        let text = ["memory.events", "memory.oom_control"].iter().find_map(|name| fs::read_to_string(folder.join(name)).ok())?;
        field(&text, "oom_kill")
    };
    groups("memory").first().and_then(events).unwrap_or(0)
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

// ---- control groups ----

/// The number in a file; `max`, and numbers near 2^63 by which version 1 says the same, are `None`.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok().filter(|number| *number < 1 << 62)
}

/// Folders of this process' control groups for a controller, the innermost first. Every one of them limits it.
fn groups(controller: &str) -> Vec<PathBuf> {
    fs::read_to_string("/proc/self/cgroup")
        .map_or_else(|_| Vec::new(), |text| groups_in(&text, controller, Path::new("/sys/fs/cgroup")))
}

fn groups_in(text: &str, controller: &str, root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let mount = match controllers {
            "" => root.to_path_buf(),
            names if names.split(',').any(|name| name == controller) => root.join(controller),
            _ => continue,
        };
        // In a container the path may be the host's: then what is mounted is the group itself.
        let inside = Path::new(path.trim_start_matches('/'));
        found.extend(inside.ancestors().map(|part| mount.join(part)).filter(|folder| folder.is_dir()));
    }
    found
}

/// `1.5 GiB`, `320.0 MiB`, `8 KiB`.
pub fn shown(bytes: u64) -> String {
    let mib = bytes as f64 / 1_048_576.0;
    match mib {
        _ if mib >= 1024.0 => format!("{:.1} GiB", mib / 1024.0),
        _ if mib >= 1.0 => format!("{mib:.1} MiB"),
        _ => format!("{} KiB", bytes >> 10),
    }
}

/// All limits that are set, by name and value, for a bug report.
pub fn report() -> Vec<(&'static str, String)> {
    let count = |resource| getrlimit(resource).current.map_or_else(|| "unlimited".to_string(), |most| most.to_string());
    let bytes = |resource| getrlimit(resource).current.map_or_else(|| "unlimited".to_string(), shown);
    let quota = groups("cpu").into_iter().filter_map(|folder| {
        let v2 = fs::read_to_string(folder.join("cpu.max")).ok().map(|text| text.trim().to_string());
        let v1 = number(&folder.join("cpu.cfs_quota_us")).zip(number(&folder.join("cpu.cfs_period_us")));
        v2.filter(|text| !text.starts_with("max")).or_else(|| v1.map(|(quota, period)| format!("{quota} {period}")))
    });
    let quotas: Vec<String> = quota.collect();
    let memory = memory().map_or_else(|| "?".into(), |room| format!("{} can still be had: {}", shown(room.bytes), room.limit));
    vec![
        ("open files", count(Resource::Nofile)),
        ("processes", process_limit().unwrap_or_else(|| "unlimited".into())),
        ("file size", bytes(Resource::Fsize)),
        ("address space", bytes(Resource::As)),
        ("processor time", count(Resource::Cpu)),
        (
            "CPU quota",
            if quotas.is_empty() { "none".into() } else { format!("{} (microseconds of a period)", quotas.join(", ")) },
        ),
        ("room", memory),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_from_the_innermost_out_in_both_versions() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        for folder in ["memory/job/step", "slice/scope"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let v1 = groups_in("5:cpu,cpuacct:/\n4:memory:/job/step\n1:name=systemd:/\n", "memory", root);
        assert_eq!(v1, [root.join("memory/job/step"), root.join("memory/job"), root.join("memory/")]);
        let v2 = groups_in("0::/slice/scope\n", "memory", root);
        assert_eq!(v2, [root.join("slice/scope"), root.join("slice"), root.join("")]);
        // In a container the host's path is nowhere, and what is mounted is the group.
        assert_eq!(groups_in("4:memory:/docker/0123\n", "memory", root), [root.join("memory/")]);
        assert!(groups_in("rubbish\n\n:::", "pids", Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn numbers_that_mean_no_limit_are_none() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("memory.max");
        for (text, number_in) in
            [("max\n", None), ("9223372036854771712\n", None), ("1610612736\n", Some(1_610_612_736)), ("", None)]
        {
            fs::write(&file, text).unwrap();
            assert_eq!(number(&file), number_in, "{text}");
        }
        assert_eq!(field("low 0\noom 2\noom_kill 3\noom_group_kill 0\n", "oom_kill"), Some(3));
        assert_eq!(kilobytes("VmPeak:\t 10 kB\nVmSize:\t  2048 kB\n", "VmSize:"), Some(2 << 20));
        assert_eq!(
            (count_ranges("0-3,8"), count_ranges("0"), count_ranges("3-1"), count_ranges("")),
            (Some(5), Some(1), None, None)
        );
    }

    #[test]
    fn threads_beyond_the_cores_are_told_with_the_number_to_use() {
        assert_eq!(too_many_threads(cores()), None);
        let said = too_many_threads(cores() + 1).expect("more than there are");
        assert!(said.contains(&format!("use --threads {}", cores())), "{said}");
        room_for_threads(4).unwrap();
    }

    #[test]
    fn there_is_time_to_save_before_the_processor_time_ends() {
        assert_eq!([warned_at(3600, 2), warned_at(20, 1), warned_at(4, 8), warned_at(1, 1)], [3580, 15, 3, 1]);
    }

    #[test]
    fn this_machine_has_memory_left_and_says_of_what() {
        let room = memory().expect("Linux says it");
        assert!(room.bytes > 0 && !room.limit.is_empty(), "{room:?}");
        assert!(total_memory().expect("Linux says it") > 0);
        assert!(report().iter().any(|(name, _)| *name == "CPU quota"));
    }
}
