//! Damaged files of a run, given to the commands that read runs: each refuses, or does what it can, and none panics or hangs.

use super::{Ended, Home, PATIENCE, Recipe, Trainee, log};
use rematch::random::Stream;
use rematch::run::checkpoints;
use rustix::process::Signal;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes that mean much to JSON, to numbers and to lengths.
const SHARP: &[u8] = b"\"\\{}[]:,-+.eE0123456789nul\n\r\t \x00\x01\x7f\x80\xc3\xff";

/// As often changed in a small place.
pub fn damage(whole: &[u8], times: u64, dice: &mut Stream) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..times {
        let at = dice.below(bytes.len() as u64 + 1) as usize;
        let length = (1 + dice.below(40) as usize).min(bytes.len() - at);
        match dice.below(8) {
            0 | 1 if at < bytes.len() => bytes[at] = SHARP[dice.below(SHARP.len() as u64) as usize],
            2 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let piece = bytes[at..at + length].to_vec();
                let to = dice.below(bytes.len() as u64 + 1) as usize;
                bytes.splice(to..to, piece);
            }
            5 if dice.below(3) == 0 => bytes.truncate(at),
            6 => {
                let number = ["99999999999999999999", "-1", "1e999", "18446744073709551615", "0", "null", "NaN"];
                // Where a number stands, another one.
                let from = bytes[at..].iter().position(u8::is_ascii_digit).map_or(at, |more| at + more);
                let digits = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                bytes.splice(from..from + digits, number[dice.below(7) as usize].bytes());
            }
            _ => {
                let sharp = SHARP[dice.below(SHARP.len() as u64) as usize];
                bytes.splice(at..at, std::iter::repeat_n(sharp, 1 + dice.below(300) as usize));
            }
        }
    }
    bytes
}

#[derive(Debug, Default)]
pub struct Files {
    pub damaged: u64,
    pub commands: u64,
    /// By exit code; 130 are those that trained on for long and were stopped.
    pub succeeded: u64,
    pub failed: u64,
    pub refused: u64,
    pub stopped: u64,
}

/// A run that was killed on its way, with two checkpoints and a little left to train.
fn base(home: &mut Home) -> PathBuf {
    const SHORT: Recipe = Recipe { method: "erm", epochs: 4, more: &[] };
    let kept = home.path.join("kept");
    for number in 0.. {
        let name = format!("base-{number}");
        let mut trainee = home.train(&SHORT, &kept, &name, 100);
        let run = kept.join(name);
        trainee.until("two checkpoints", || (checkpoints::list(&run.join("checkpoints")).len() >= 2).then_some(()));
        trainee.send(Signal::KILL);
        // On a machine that was busy elsewhere it may have come to its end.
        if trainee.ends_within(PATIENCE).unwrap().code.is_none() && log(&run).is_some() {
            return run;
        }
    }
    unreachable!()
}

/// Damages one file in each of so many copies, and lets the commands read them.
pub fn read(home: &mut Home, count: u64, dice: &mut Stream) -> Files {
    let mut all = Files { damaged: count, ..Files::default() };
    let base = base(home);
    let runs = home.path.join("damaged");
    let copies: Vec<(PathBuf, String)> = (0..count)
        .map(|number| {
            let copy = runs.join(format!("copy-{number}"));
            copy_folder(&base, &copy);
            let what = damage_one(&copy, dice);
            (copy, what)
        })
        .collect();
    let folder = runs.display().to_string();
    for words in [vec!["runs", &folder], vec!["runs", &folder, "--json"], vec!["ps", &folder]] {
        let trainee = home.start(&words);
        all.count(trainee, &format!("{words:?}"), &runs);
    }
    for (copy, what) in copies {
        let run = copy.display().to_string();
        let trainee = home.start(&["replay", &run, "--ui", "plain", "--pace", "max"]);
        all.count(trainee, &format!("replay, {what}"), &copy);
        let trainee = home.resume(&copy);
        all.count(trainee, &format!("resume, {what}"), &copy);
        fs::remove_dir_all(copy).unwrap();
    }
    all
}

impl Files {
    fn count(&mut self, mut trainee: Trainee, what: &str, place: &Path) {
        self.commands += 1;
        let ended = trainee.ends_within(Duration::from_secs(20)).unwrap_or_else(|| {
            // A damaged plan may have any length. Whoever trains by it stops when it is told to.
            trainee.send(Signal::TERM);
            let ended = trainee.ends_within(Duration::from_secs(20));
            ended.unwrap_or_else(|| panic!("{what}: it hangs; it is about {}", place.display()))
        });
        let Ended { code, said } = &ended;
        assert!(!said.contains("panicked"), "{what}: {said}\nit is about {}", place.display());
        match code {
            Some(0) => self.succeeded += 1,
            Some(1) => self.failed += 1,
            Some(2) => self.refused += 1,
            Some(130) => self.stopped += 1,
            _ => panic!("{what}: {ended:?}; it is about {}", place.display()),
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()));
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Which file it was. In half of them the checksums agree with the damage, so that it is read.
fn damage_one(run: &Path, dice: &mut Stream) -> String {
    let newest = checkpoints::list(&run.join("checkpoints")).pop().unwrap().path;
    let file = match dice.below(10) {
        0..=3 => run.join("events.jsonl"),
        4 | 5 => newest.join("state.json"),
        6 => newest.join("SHA256SUMS"),
        7 => newest.join("model.safetensors"),
        8 => newest.join("optimizer.safetensors"),
        _ => run.join("config.toml"),
    };
    let whole = fs::read(&file).unwrap();
    let times = 1 + dice.below(4);
    let damaged = match file.extension() {
        // What is read and not only copied stands in the header.
        Some(end) if end == "safetensors" => {
            let header = whole.len().min(1500);
            [damage(&whole[..header], times, dice), whole[header..].to_vec()].concat()
        }
        Some(end) if end == "jsonl" && dice.below(2) == 0 => {
            // Of any line as likely as of the long first one.
            let mut lines: Vec<Vec<u8>> = whole.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
            let line = dice.below(lines.len() as u64) as usize;
            lines[line] = damage(&lines[line], times, dice);
            lines.concat()
        }
        _ => damage(&whole, times, dice),
    };
    fs::write(&file, damaged).unwrap();
    if dice.below(2) == 0 && file.parent() == Some(&*newest) && !file.ends_with("SHA256SUMS") {
        let mut sums = String::new();
        for name in ["model.safetensors", "optimizer.safetensors", "state.json"] {
            let sum = Sha256::digest(fs::read(newest.join(name)).unwrap());
            let hex: Vec<String> = sum.iter().map(|byte| format!("{byte:02x}")).collect();
            let _ = writeln!(sums, "{}  {name}", hex.concat());
        }
        fs::write(newest.join("SHA256SUMS"), sums).unwrap();
        return format!("{} with its checksum", file.display());
    }
    file.display().to_string()
}
