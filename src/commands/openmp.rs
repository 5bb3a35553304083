//! Keeps libtorch's OpenMP threads from spinning on cores that others use.
//!
//! libgomp's threads wait for each other by spinning. On a quiet machine that is the fastest way; where other programs want the same
//! cores it made training 5 to 20 times slower here (2 cores, load 5: 250 images/s against 1,400 to 1,600 with a short spin, which in
//! turn costs a sixth of the speed on a quiet machine). libgomp reads its setting before `main`, so choosing means starting again.

/// Short, yet longer than a lock that is about to be given back.
const SHORT_SPIN: &str = "1000";

/// The setting that a program linked to libtorch should start with: a short spin where the machine is busy and the person has not
/// chosen.
pub fn spin() -> Option<(&'static str, &'static str)> {
    let chosen = ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"].iter().any(|name| std::env::var_os(name).is_some());
    (!chosen && busy()).then_some(("GOMP_SPINCOUNT", SHORT_SPIN))
}

/// Starts this program again with that setting. Returns when there is no need, or no way.
#[cfg(feature = "torch")]
pub fn settle() {
    use std::os::unix::process::CommandExt as _;
    let Some((name, value)) = spin() else { return };
    if let Ok(program) = std::env::current_exe() {
        // Returns only when it failed, and then training slowly is better than not at all.
        let _ = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(name, value).exec();
    }
}

/// Whether others have used half of the machine or more during the last minute.
fn busy() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = std::fs::read_to_string("/proc/loadavg").ok().and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    load.is_some_and(|load| load >= 0.5 * cores as f64)
}
