//! What a long run costs those who look at it: 1,000,000 recorded steps are read, parsed and folded.
//!
//! `cargo bench --profile dev --no-default-features --bench fold`. The dev profile is the one this project runs and tests with.
//! Times are of one go: they are far from their limit (5 s for the fold, 200 MB), not fine enough to compare versions by.
#![expect(clippy::print_stdout, reason = "a bench reports on its standard output")]

use rematch::protocol::event::{Progress, Term};
use rematch::protocol::{Event, Record, Scalar, Summary};
use rematch::run::RunState;
use rematch::run::recorder::line;
use rematch::run::replay::{Lines, read_lines, read_log};
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const STEPS: u64 = 1_000_000;
const TERMS: [Term; 5] = [Term::Total, Term::CrossEntropy, Term::WeightedCrossEntropy, Term::Representation, Term::Cosine];

/// A report of one step, noisy so that its numbers are as long as real ones.
fn progress(seq: u64) -> Record {
    let noise = |salt: u64| {
        let mixed = (seq + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03));
        (mixed >> 11) as f64 / (1u64 << 53) as f64
    };
    let term = |(n, term): (usize, Term)| (term, Summary::one(noise(n as u64) * 3.0 / (1.0 + n as f64)));
    let terms = TERMS.into_iter().enumerate().map(term).collect();
    let images_per_s = Scalar((noise(9) * 1e5).round() / 10.0);
    let event = Event::Progress(Progress { step: seq + 1, steps: 1, lr: 0.05, images_per_s, terms, timing: None });
    Record { seq, at_ms: 1_800_000_000_000 + 10 * seq, event }
}

fn write(path: &Path) -> Result<u64, Box<dyn Error>> {
    let mut out = BufWriter::new(File::create(path)?);
    for seq in 0..STEPS {
        out.write_all(&line(&progress(seq))?)?;
    }
    out.flush()?;
    Ok(path.metadata()?.len())
}

fn resident_mb() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|l| l.split_whitespace().next());
    Ok(kib.ok_or("no VmRSS in /proc/self/status")?.parse::<f64>()? * 1024.0 / 1e6)
}

fn main() -> Result<(), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let path = home.path().join("events.jsonl");
    let bytes = write(&path)?;
    println!("log: {STEPS} reports, {:.0} MB", bytes as f64 / 1e6);

    let start = Instant::now();
    let milestones = read_lines(&path, Lines::Milestones)?.count();
    println!("skim, as `rematch runs` does: {:.2} s, {milestones} records kept", start.elapsed().as_secs_f64());

    let before = resident_mb()?;
    let mut state = RunState::default();
    let mut folding = Duration::ZERO;
    let start = Instant::now();
    // In batches, so that reading the clock does not count.
    let mut batch = Vec::with_capacity(1024);
    let mut log = read_log(&path)?;
    loop {
        for record in log.by_ref().take(1024) {
            batch.push(record?);
        }
        if batch.is_empty() {
            break;
        }
        let fold = Instant::now();
        for record in &batch {
            state.apply(record);
        }
        folding += fold.elapsed();
        batch.clear();
    }
    let all = start.elapsed();
    let after = resident_mb()?;
    assert_eq!(state.step, STEPS);
    println!("read and parse: {:.2} s", all.saturating_sub(folding).as_secs_f64());
    println!("fold: {:.2} s", folding.as_secs_f64());
    println!("resident: {before:.0} MB before, {after:.0} MB after");
    Ok(())
}
