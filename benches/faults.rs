//! What may happen to a run in a night, by the hundred, and what it costs: the episodes of `tests/faults.rs` on a large budget.
//!
//! `cargo bench --profile dev --bench faults -- [WHAT N]... [seed N]`, such as `-- kills 200 hang-ups 20`: of `kills` (spread over six
//! methods), `hang-ups`, `full-disk` (needs the right to mount), `messages`, `files`, `folders` and `pairs` (of runs with and without
//! a flood of rubbish) so many; of all a good number without any word. It ends where something does not hold, and says where the
//! files are. The delays are a function of the seed; what a process does meanwhile is not.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench reports on its standard output and breaks where it broke")]

#[path = "../tests/faults/harness.rs"]
mod harness;

use harness::folders::Away;
use harness::hang_ups::Then;
use harness::{Home, Recipe, Reference, disk, files, folders, hang_ups, kills, socket};
use rematch::random::Stream;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const ERM: Recipe = Recipe { method: "erm", epochs: 40, more: &[] };
/// Each trains for some seconds; attacks take longer for a step. The last carries a second set of weights.
const METHODS: [(&str, Recipe); 6] = [
    ("erm", Recipe { method: "erm", epochs: 30, more: &[] }),
    ("rrm", Recipe { method: "rrm", epochs: 25, more: &[] }),
    ("kd", Recipe { method: "kd", epochs: 25, more: &[] }),
    ("free-at", Recipe { method: "free-at", epochs: 8, more: &["train.batch=20"] }),
    ("sat", Recipe { method: "sat", epochs: 8, more: &[] }),
    ("erm with a mean of weights", Recipe { method: "erm", epochs: 25, more: &["train.ema=0.99"] }),
];
const USUAL: [(&str, u64); 7] =
    [("kills", 200), ("hang-ups", 20), ("full-disk", 12), ("messages", 20_000), ("files", 200), ("folders", 12), ("pairs", 6)];
/// While orphaned and paused.
const WATCHED: Duration = Duration::from_secs(5);
const MOST_BUSY: f64 = 0.01;
/// Between two messages of each of the four that send.
const PAUSE: Duration = Duration::from_millis(4);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let mut asked: BTreeMap<&str, u64> = words.chunks(2).map(|pair| (&*pair[0], pair[1].parse().unwrap())).collect();
    let seed = asked.remove("seed").unwrap_or(1);
    assert!(asked.keys().all(|word| USUAL.iter().any(|(usual, _)| usual == word)), "unknown: {asked:?}");
    if asked.is_empty() {
        asked = USUAL.into();
    }
    println!("seed {seed}; load average: {}", load());
    let so_many = |what: &str| asked.get(what).copied().unwrap_or(0);
    kills(so_many("kills"), seed);
    if ["hang-ups", "full-disk", "folders"].iter().any(|what| so_many(what) > 0) {
        let reference = Reference::make(&ERM);
        println!(
            "reference: {} steps, {} an epoch, in {:.1} s",
            reference.steps,
            reference.steps_per_epoch,
            reference.took.as_secs_f64()
        );
        hang_ups(so_many("hang-ups"), &reference, seed);
        full_disk(so_many("full-disk"), &reference, seed);
        take_away(so_many("folders"), &reference, seed);
    }
    rubbish(so_many("messages"), seed);
    damaged_files(so_many("files"), seed);
    pairs(so_many("pairs"));
    println!("load average: {}", load());
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().into()
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    match values.as_slice() {
        [] => "none".into(),
        all => format!("median {:.3}, {:.3} to {:.3} of {}", all[all.len() / 2], all[0], all[all.len() - 1], all.len()),
    }
}

fn kills(count: u64, seed: u64) {
    for (n, (name, recipe)) in (0..).zip(METHODS) {
        let share = count / METHODS.len() as u64 + u64::from(n < count % METHODS.len() as u64);
        if share == 0 {
            continue;
        }
        let began = Instant::now();
        let reference = Reference::make(&recipe);
        let done = kills::kill(&mut Home::new(), &recipe, &reference, share, &mut Stream::new(seed * 100 + n));
        println!(
            "kills, {name}: {} ({} before there was a run, {} with a checkpoint half written, {} in a resumed process); {} torn logs; {} runs completed; {} checkpoints equal to the bit; steps again of {} an epoch: {}; {:.0} s",
            done.kills,
            done.before_the_run,
            done.in_a_write,
            done.in_a_resume,
            done.torn,
            done.completed,
            done.compared,
            reference.steps_per_epoch,
            spread(done.again.iter().map(|&steps| steps as f64).collect()),
            began.elapsed().as_secs_f64()
        );
    }
}

fn hang_ups(count: u64, reference: &Reference, seed: u64) {
    let (mut home, mut dice) = (Home::new(), Stream::new(seed + 1));
    let (mut busy, mut compared) = (Vec::new(), 0);
    for n in 0..count {
        let then = [Then::Trains, Then::Waits(WATCHED), Then::Begins][n as usize % 3];
        let hung_up = hang_ups::hang_up(&mut home, &ERM, reference, &format!("hung-{n}"), then, &mut dice);
        busy.extend(hung_up.busy.map(|share| 100.0 * share));
        compared += hung_up.compared;
    }
    if count > 0 {
        let most = busy.iter().copied().fold(0.0, f64::max);
        println!(
            "hang-ups: {count} completed; {compared} checkpoints equal to the bit; % of a processor while paused: {}",
            spread(busy)
        );
        assert!(most < 100.0 * MOST_BUSY, "an orphaned run that is paused works");
    }
}

fn full_disk(count: u64, reference: &Reference, seed: u64) {
    let (mut home, mut dice) = (Home::new(), Stream::new(seed + 2));
    let (mut met, mut said, mut logged, mut compared) = (0, 0, 0, 0);
    for n in 0..count {
        let Some(full) = disk::fill(&mut home, &ERM, reference, &format!("full-{n}"), &mut dice) else {
            println!("full disk: not run, no file system can be mounted here");
            return;
        };
        met += u64::from(full.met);
        said += u64::from(full.said);
        logged += u64::from(full.logged);
        compared += full.compared;
    }
    if count > 0 {
        println!(
            "full disks: {count}, of which {met} were met; told {said} times on standard error and {logged} times in the log; all completed; {compared} checkpoints equal to the bit"
        );
    }
}

fn take_away(count: u64, reference: &Reference, seed: u64) {
    let (mut home, mut dice) = (Home::new(), Stream::new(seed + 3));
    for away in [Away::Moved, Away::Deleted] {
        let (mut in_time, mut compared) = (0, 0);
        for n in 0..count / 2 {
            let gone = folders::take_away(&mut home, &ERM, reference, &format!("{away:?}-{n}"), away, &mut dice);
            in_time += u64::from(gone.in_time);
            compared += gone.compared;
        }
        if count > 1 {
            println!(
                "folders, {away:?}: {} ({in_time} while it trained); all completed; {compared} checkpoints equal to the bit",
                count / 2
            );
        }
    }
}

fn rubbish(messages: u64, seed: u64) {
    if messages > 0 {
        let began = Instant::now();
        let done = socket::flood(&mut Home::new(), messages, seed + 4);
        println!(
            "rubbish: {} messages over {} connections in {:.1} s; {} steps were trained meanwhile, and the run was steered and stopped afterwards",
            done.sent,
            done.connections,
            began.elapsed().as_secs_f64(),
            done.steps
        );
    }
}

fn damaged_files(count: u64, seed: u64) {
    if count > 0 {
        let done = files::read(&mut Home::new(), count, &mut Stream::new(seed + 5));
        println!(
            "damaged files: {}, read by {} commands: {} did what they were asked, {} failed with a message (1), {} refused (2), {} trained on and were stopped; no panic",
            done.damaged, done.commands, done.succeeded, done.failed, done.refused, done.stopped
        );
    }
}

/// Each pair in turn begins with the other kind, so that a machine that gets slower favours neither.
fn pairs(count: u64) {
    const LONG: Recipe = Recipe { method: "erm", epochs: 100, more: &["checkpoint.every_epochs=10"] };
    let mut home = Home::new();
    let (mut in_steps, mut by_clock, mut quiet, mut rate) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut used, mut senders) = (Vec::new(), Vec::new());
    for n in 0..count {
        let mut run = |flooded: bool| {
            let name = format!("pair-{n}-{flooded}");
            socket::speed(&mut home, &LONG, &name, flooded.then_some(PAUSE))
        };
        let (without, with) = if n % 2 == 0 {
            let without = run(false);
            (without, run(true))
        } else {
            let with = run(true);
            (run(false), with)
        };
        in_steps.push(100.0 * (with.in_steps / without.in_steps - 1.0));
        by_clock.push(100.0 * (with.by_clock / without.by_clock - 1.0));
        quiet.push(without.in_steps);
        rate.push(with.messages);
        used.push(with.used - without.used);
        senders.push(with.senders - without.senders);
    }
    if count > 0 {
        println!("steps a second without rubbish: {}", spread(quiet));
        println!("messages a second in the flood: {}", spread(rate));
        println!("seconds of a processor that the program used more under rubbish: {}", spread(used));
        println!("seconds of a processor that the senders used: {}", spread(senders));
        println!("% more steps a second of training time with rubbish, by pair: {}", spread(in_steps));
        println!("% more steps a second by the clock with rubbish, by pair: {}", spread(by_clock));
    }
}
