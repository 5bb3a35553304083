//! Damaged checkpoints by the hundred thousand: every one is read or refused, in bounded time and memory, and none panics.
//!
//! `cargo bench --profile dev --no-default-features --bench fuzz_import -- [FILES] [SEED]`, 100,000 files by default. Bytes of the
//! fixtures (PyTorch zip, legacy, with pickled lambdas; pickles of every protocol; a CIFAR batch) are flipped, cut, repeated and
//! spliced. The allocator counts and refuses nothing: the most that was held at one time, beyond the file, must stay under a cap.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench reports on its standard output and breaks where it broke")]

#[path = "../tests/mutants/mod.rs"]
mod mutants;

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(held, Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Of one file, beyond what was held before: the fixtures are below 10 kB, and a value takes some 60 bytes.
const CAP: usize = 1 << 20;
const SLOWEST: Duration = Duration::from_millis(500);

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let (files, seed) = (numbers.next().unwrap_or(100_000), numbers.next().unwrap_or(1));
    let fixtures = mutants::fixtures();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut read, mut refused, mut faults) = (0u64, 0u64, 0u64);
    let (mut slowest, mut largest) = (Duration::ZERO, 0);
    let begin = Instant::now();
    for n in 0..files {
        let (name, bytes) = mutants::mutant(&fixtures, seed, n);
        let before = HELD.load(Relaxed);
        MOST.store(before, Relaxed);
        let clock = Instant::now();
        let done = catch_unwind(|| mutants::read(&bytes));
        slowest = slowest.max(clock.elapsed());
        let held = MOST.load(Relaxed) - before;
        largest = largest.max(held);
        match done {
            Ok(true) => read += 1,
            Ok(false) => refused += 1,
            Err(_) => {
                faults += 1;
                println!("file {n} of seed {seed} (from {name}): a panic");
            }
        }
        if held > CAP || clock.elapsed() > SLOWEST {
            faults += 1;
            println!("file {n} of seed {seed} (from {name}): {held} bytes held, {:?}", clock.elapsed());
        }
    }
    println!(
        "{files} files, seed {seed}: {read} read, {refused} refused, {faults} faults; most memory for one {largest} bytes (cap {CAP}), slowest {slowest:?}; {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    assert_eq!(faults, 0);
}
