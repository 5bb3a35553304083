//! GPUs by the driver's own library, the host, and the disks that runs and data lie on.

use super::{Group, folder, gib};
use nvml_wrapper::Nvml;
use rematch::telemetry::{gpu, host};
use std::path::{Path, PathBuf};
use sysinfo::System;

pub fn cuda() -> Group {
    let mut group = Group::new("CUDA");
    group.variable("CUDA_VISIBLE_DEVICES");
    match Nvml::init() {
        Err(why) => group.say("driver", format!("? no NVML: {}", gpu::without(&why))),
        Ok(nvml) => {
            group.ask("driver", nvml.sys_driver_version().map_err(|why| why.to_string()));
            let version = nvml.sys_cuda_driver_version().map(|v| format!("up to {}.{}", v / 1000, v % 1000 / 10));
            group.ask("CUDA of the driver", version.map_err(|why| why.to_string()));
            let count = nvml.device_count().unwrap_or(0);
            group.say("devices", count.to_string());
            for index in 0..count {
                group.ask(format!("device {index}"), device(&nvml, index).map_err(|why| why.to_string()));
            }
        }
    }
    group.say("libcuda", libcuda().map_or_else(|| "? libcuda.so.1 was not found".to_string(), |path| path.display().to_string()));
    group
}

fn device(nvml: &Nvml, index: u32) -> Result<String, nvml_wrapper::error::NvmlError> {
    let device = nvml.device_by_index(index)?;
    let memory = device.memory_info()?;
    Ok(format!("{}, {}, {} free", device.name()?, gib(memory.total), gib(memory.free)))
}

/// Where the loader is likely to find it; it is not opened.
fn libcuda() -> Option<PathBuf> {
    let named = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
        "/usr/local/cuda/compat",
        "/usr/lib/wsl/lib",
    ];
    let folders = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).chain(usual.map(PathBuf::from));
    folders.map(|folder| folder.join("libcuda.so.1")).find(|file| file.exists())
}

pub fn host() -> Group {
    let mut group = Group::new("host");
    group.say("system", format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH));
    group
        .ask("kernel", std::fs::read_to_string("/proc/sys/kernel/osrelease").map(|t| t.trim().into()).map_err(|e| e.to_string()));
    match System::new() {
        Err(why) => group.say("processor", format!("? {why}")),
        Ok(mut system) => {
            system.refresh_cpu_usage();
            system.refresh_memory();
            let model = system.cpus().first().map(|cpu| cpu.brand().trim().to_string()).filter(|name| !name.is_empty());
            group.say("processor", model.unwrap_or_else(|| "? the kernel does not name it".into()));
            group.say("cores", system.cpus().len().to_string());
            let (free, total) = (system.available_memory(), system.total_memory());
            group.say("memory", format!("{} available of {}", gib(free), gib(total)));
        }
    }
    let usable = std::thread::available_parallelism().map(|n| n.to_string()).map_err(|error| error.to_string());
    group.ask("usable cores", usable);
    let load = host::load().map(|[one, five, fifteen]| format!("{one:.2} {five:.2} {fifteen:.2}"));
    group.ask("load", load.ok_or_else(|| "the kernel does not say".into()));
    group
}

/// Resource limits and control groups.
pub fn limits() -> Group {
    let mut group = Group::new("limits");
    for (name, value) in rematch::limits::report() {
        group.say(name, value);
    }
    group
}

pub fn disks() -> Group {
    let mut group = Group::new("folders");
    group.say("runs", folder(Path::new("./runs")));
    group.say("data", folder(Path::new("./data")));
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    match cache {
        Some(cache) => group.say("cache", folder(&cache.join("rematch"))),
        None => group.say("cache", "? neither XDG_CACHE_HOME nor HOME is set"),
    }
    group.say("temporary", folder(&std::env::temp_dir()));
    group
}
