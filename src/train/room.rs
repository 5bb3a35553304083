//! Limits that training would run into, told before it does: memory, sizes of files, threads.
//!
//! A process that uses more memory than its control group may have is killed without a word, so that this is told from an estimate, and once
//! more from what the first steps took.

use super::trainer::Trainer;
use super::worker::SetupError;
use crate::limits::{self, shown};
use crate::nn::Model;
use tch::Device;

/// Threads besides libtorch's: viewers, signals, telemetry, checkpoints, decoders.
const OTHER_THREADS: usize = 16;
/// Copies of the weights that a checkpoint takes on the host: weights and momentum, each as tensors and as the bytes of a file.
const SNAPSHOT: u64 = 4;
/// Addresses that a small training takes once it is set up, measured: threads reserve most of them.
const LEAST_SPACE: u64 = 700 << 20;
/// Room in a file for its header.
const HEADER: u64 = 64 << 10;

/// Sees to it that images can be read and a run made, before anything is.
///
/// # Errors
/// The limit that is in the way.
pub fn at_start() -> Result<(), SetupError> {
    limits::enough_open_files().map_err(SetupError::Limit)?;
    address_space()?;
    limits::room_for_threads(limits::cores() + OTHER_THREADS).map_err(SetupError::Limit)
}

/// Sets the number of CPU threads of libtorch and sees to it that they can be made. Returns what is to be told.
///
/// Nobody has chosen a number: one a core, where the affinity and the CPU quota of control groups count, which libtorch itself passes over.
///
/// # Errors
/// The limit that is in the way.
pub fn use_threads(asked: Option<usize>) -> Result<Option<String>, SetupError> {
    let chosen = ["OMP_NUM_THREADS", "MKL_NUM_THREADS"].iter().any(|name| std::env::var_os(name).is_some());
    let found = usize::try_from(tch::get_num_threads()).unwrap_or(1);
    let threads = asked.unwrap_or(if chosen { found } else { found.min(limits::cores()) }).max(1);
    address_space()?;
    // An evaluation has as many threads again.
    limits::room_for_threads(2 * threads + OTHER_THREADS).map_err(SetupError::Limit)?;
    if threads != found {
        tch::set_num_threads(threads as i32);
    }
    Ok(limits::too_many_threads(threads))
}

/// Refuses an address space in which libtorch's libraries fail in ways of their own, and sees to it that a failure in one that is limited names
/// the limit. Asked before images are read, and once more when they are.
fn address_space() -> Result<(), SetupError> {
    let Some(room) = limits::address_space() else { return Ok(()) };
    if room.bytes < LEAST_SPACE {
        return Err(SetupError::Limit(format!(
            "training needs {} of addresses more, and {} are left: {}; raise it to 4 GiB or more with ulimit -v 4194304",
            shown(LEAST_SPACE),
            shown(room.bytes),
            room.limit
        )));
    }
    last_words::leave(&room.limit);
    Ok(())
}

/// What is said when the process ends by a fault that a limited address space is the likely cause of: libraries abort, or use memory that
/// they did not get.
mod last_words {
    use std::sync::OnceLock;

    static WORDS: OnceLock<String> = OnceLock::new();

    pub fn leave(limit: &str) {
        let words = format!(
            "rematch: the process ends by a fault of a library, probably for want of addresses: {limit}; raise it with ulimit -v unlimited, then go on with rematch resume\n"
        );
        if WORDS.set(words).is_err() {
            return;
        }
        for signal in [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS] {
            // SAFETY: the handler only writes bytes that are there for good and puts the usual action back (SA_RESETHAND); when it returns, the
            // fault comes again and ends the process. All zero is a valid value of the C struct.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = say as extern "C" fn(libc::c_int) as usize;
                action.sa_flags = libc::SA_RESETHAND | libc::SA_ONSTACK;
                libc::sigaction(signal, &raw const action, std::ptr::null_mut());
            }
        }
    }

    extern "C" fn say(_: libc::c_int) {
        if let Some(words) = WORDS.get() {
            // SAFETY: write(2) may be called in a handler.
            unsafe { libc::write(2, words.as_ptr().cast(), words.len()) };
        }
    }
}

/// Bytes of the trainable numbers.
fn weights(model: &Model) -> u64 {
    4 * model.parameters.flat().numel() as u64
}

/// # Errors
/// No checkpoint of this network can be written.
pub fn for_files(student: &Model) -> Result<(), SetupError> {
    let needed = weights(student) + HEADER;
    match limits::file_size() {
        Some(most) if most < needed => Err(SetupError::FileSize { needed: shown(needed) }),
        Some(_) | None => Ok(()),
    }
}

/// What is to be told where training needs more host memory than there is, before it begins.
pub fn for_training(trainer: &Trainer) -> Option<String> {
    let weights = weights(&trainer.student);
    let images = 4 * (trainer.config.train.batch * trainer.train.image_len()) as u64;
    let need = match trainer.device {
        // Gradients and the mean of weights; of the images some copies while they are changed.
        Device::Cpu => weights * (SNAPSHOT + 2) + 4 * images,
        _ => weights * SNAPSHOT + images,
    };
    short(need, "training needs at least")
}

/// The same once some steps have shown what they take: what is left must do for a checkpoint.
pub fn for_checkpoints(trainer: &Trainer) -> Option<String> {
    short(weights(&trainer.student) * SNAPSHOT, "a checkpoint needs")
}

fn short(need: u64, what: &str) -> Option<String> {
    let room = limits::memory().filter(|room| room.bytes < need)?;
    Some(format!(
        "{what} {} of memory more, and {} are left: {}. The system may end this process without a word; a smaller train.batch, a smaller network, data.storage = \"stream\" or more memory help",
        shown(need),
        shown(room.bytes),
        room.limit
    ))
}
