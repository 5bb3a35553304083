//! Finding the device, and waking libtorch's CUDA half.
//!
//! A program linked to libtorch needs only its CPU libraries to start. The CUDA half is opened by hand, from the folder that the
//! CPU half came from, **before anything asks whether there is CUDA**: the first such question settles the answer for good. That
//! costs about half a second, so it is not done for `--device cpu` and not for anything that does not train or evaluate.

use crate::config::DeviceChoice;
use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tch::Device;

#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("--device {choice}: {why}")]
    NoCuda { choice: DeviceChoice, why: String },
    #[error("--device cuda:{index}: there {}; choose cuda:0 to cuda:{}", count_words(*count), count - 1)]
    NoSuchDevice { index: usize, count: usize },
}

fn count_words(count: usize) -> String {
    if count == 1 { "is 1 CUDA device".into() } else { format!("are {count} CUDA devices") }
}

/// The device to train on.
///
/// # Errors
/// When CUDA was asked for by name and there is none, or not that one.
pub fn open(choice: DeviceChoice) -> Result<Device, DeviceError> {
    let index = match choice {
        DeviceChoice::Cpu => return Ok(Device::Cpu),
        DeviceChoice::Auto => 0,
        DeviceChoice::Cuda(index) => index,
    };
    let found = wake_cuda().and_then(|()| {
        if tch::Cuda::is_available() {
            Ok(tch::Cuda::device_count().max(1) as usize)
        } else {
            Err("libtorch's CUDA libraries are there, but no usable GPU: is the NVIDIA driver loaded (nvidia-smi), and is CUDA_VISIBLE_DEVICES right?".into())
        }
    });
    match (choice, found) {
        (DeviceChoice::Auto, Err(_)) => Ok(Device::Cpu),
        (_, Err(why)) => Err(DeviceError::NoCuda { choice, why }),
        (_, Ok(count)) if index >= count => Err(DeviceError::NoSuchDevice { index, count }),
        (_, Ok(_)) => {
            // The fastest convolution for each shape is looked for once; runs on a GPU are not repeatable bit for bit anyway.
            search(true);
            Ok(Device::Cuda(index))
        }
    }
}

/// Whether cuDNN tries its convolutions out for each new shape.
static SEARCHES: AtomicBool = AtomicBool::new(false);

fn search(on: bool) {
    SEARCHES.store(on, Ordering::Relaxed);
    tch::Cuda::cudnn_set_benchmark(on);
}

/// While it lives, convolutions are chosen by rule and not by trial. Attacks leave fooled images behind, so that nearly every batch has
/// a size of its own, and trying takes longer than the passes themselves: on an H200 probes of 500 images took 3 s instead of 0.03.
pub struct ManyShapes {
    before: bool,
}

impl ManyShapes {
    pub fn begin() -> Self {
        let before = SEARCHES.load(Ordering::Relaxed);
        if before {
            search(false);
        }
        Self { before }
    }
}

impl Drop for ManyShapes {
    fn drop(&mut self) {
        if self.before {
            search(true);
        }
    }
}

/// Sees to it that convolutions on a GPU are done in full single precision, not in TF32's ten bits: attacks look for the edge between two
/// answers, and on an H200 two passes over one image differed by 2e-4 of its logits. Training keeps TF32, which is faster. A person's own
/// setting stands. Call before a device is opened and before there are threads.
pub fn exactly() {
    const SETTING: &str = "NVIDIA_TF32_OVERRIDE";
    if std::env::var_os(SETTING).is_none() {
        // SAFETY: called first thing in a program that has one thread.
        unsafe { std::env::set_var(SETTING, "0") };
    }
}

/// As the screen names it.
pub fn label(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => match tch::get_num_threads() {
            1 => "cpu (1 thread)".into(),
            n => format!("cpu ({n} threads)"),
        },
    }
}

/// The file that libtorch's CPU half was loaded from. Asked of the running process: opening the CUDA half by bare name could mix
/// two installations.
fn loaded_from() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines()
        .filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])))
        .find(|p| p.ends_with("libtorch_cpu.so"))
        .map(Path::to_path_buf)
}

fn wake_cuda() -> Result<(), String> {
    let cpu = loaded_from().ok_or("libtorch_cpu.so is not among the loaded libraries")?;
    let cuda = cpu.with_file_name("libtorch_cuda.so");
    if !cuda.exists() {
        return Err(format!(
            "this libtorch has no CUDA half ({} is not there); install it with `make setup LIBTORCH_SET=cuda`",
            cuda.display()
        ));
    }
    let name = CString::new(cuda.as_os_str().as_encoded_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: a plain library load; its initialisers register torch's CUDA hooks and nothing else here has touched them yet.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if handle.is_null() {
        // SAFETY: dlerror gives a string of its own after a failed dlopen on this thread.
        let why = unsafe { libc::dlerror() };
        let why =
            if why.is_null() { "unknown reason".into() } else { unsafe { CStr::from_ptr(why) }.to_string_lossy().into_owned() };
        return Err(format!("{} could not be loaded: {why}", cuda.display()));
    }
    Ok(())
}

/// Makes the allocator keep what it once got. Training asks for the same large blocks at every step, and glibc's default gives each
/// back to the kernel: +49 % throughput on the small network, +17 MB resident (measured). Call before the first tensor.
pub fn tune_allocator() {
    // SAFETY: mallopt only sets parameters of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}
