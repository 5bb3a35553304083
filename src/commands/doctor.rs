//! `rematch doctor`: what a bug report should say of the program, the terminal and the machine.
//!
//! A probe that fails says `?` and why; the command itself never fails for it. Nothing secret is told: no names of people or
//! hosts, and the home folder is `~`. Nothing is asked of the terminal, and libtorch is looked at as files only.

mod machine;
mod terminal;
mod torch;

use crate::cli::Doctor;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A program that is asked for its version must answer within this.
const PATIENCE: Duration = Duration::from_secs(1);

/// Facts that belong together.
struct Group {
    name: &'static str,
    facts: Vec<(String, String)>,
}

impl Group {
    fn new(name: &'static str) -> Self {
        Self { name, facts: Vec::new() }
    }

    fn say(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.facts.push((name.into(), value.into()));
    }

    /// A probe's answer, or `?` and why there is none.
    fn ask(&mut self, name: impl Into<String>, answer: Result<String, String>) {
        self.say(name, answer.unwrap_or_else(|why| format!("? {why}")));
    }

    /// A variable of the environment, as it is.
    fn variable(&mut self, name: &str) {
        self.say(name, std::env::var(name).unwrap_or_else(|_| "not set".into()));
    }
}

pub fn run(args: &Doctor) -> anyhow::Result<u8> {
    let mut groups =
        vec![program(), terminal::facts(), terminal::multiplexer(), torch::facts(), machine::cuda(), machine::host()];
    groups.push(machine::limits());
    groups.push(machine::disks());
    let hidden = Hidden::of_this_person();
    for (_, value) in groups.iter_mut().flat_map(|group| &mut group.facts) {
        *value = hidden.hide(value);
    }
    let text = if args.json { json(&groups)? } else { aligned(&groups) };
    // A closed pipe (`rematch doctor | head`) is not an error of ours.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(0)
}

fn program() -> Group {
    let mut group = Group::new("program");
    group.say("version", concat!("rematch ", env!("CARGO_PKG_VERSION")));
    group.say("features", if cfg!(feature = "torch") { "torch" } else { "none: rematch-torch has the rest" });
    group.say("profile", if cfg!(debug_assertions) { "debug" } else { "release" });
    group.say("format", format!("records of format {}", rematch::protocol::FORMAT));
    let beside = std::env::current_exe().is_ok_and(|path| path.with_file_name("rematch-torch").exists());
    group.say("rematch-torch", if beside { "beside this program" } else { "not beside this program: nothing can be trained" });
    group.ask("path", std::env::current_exe().map(|path| path.display().to_string()).map_err(|error| error.to_string()));
    group
}

fn aligned(groups: &[Group]) -> String {
    let wide = groups.iter().flat_map(|group| &group.facts).map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for group in groups {
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}{}", group.name);
        for (name, value) in &group.facts {
            let _ = writeln!(text, "  {name:<wide$}  {value}");
        }
    }
    text
}

fn json(groups: &[Group]) -> anyhow::Result<String> {
    let facts = |group: &Group| {
        let all = group.facts.iter().map(|(name, value)| (name.clone(), value.clone().into()));
        serde_json::Value::Object(all.collect())
    };
    let all: serde_json::Map<_, _> = groups.iter().map(|group| (group.name.to_string(), facts(group))).collect();
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

/// What must not be told.
struct Hidden {
    home: Option<String>,
    user: Option<String>,
    host: Option<String>,
}

impl Hidden {
    fn of_this_person() -> Self {
        let long = |name: Option<String>, least: usize| name.map(|n| n.trim().to_string()).filter(|n| n.len() >= least);
        let env = |name: &str| std::env::var(name).ok();
        Self {
            home: long(env("HOME"), 2).map(|home| home.trim_end_matches('/').to_string()),
            user: long(env("USER").or_else(|| env("LOGNAME")), 2),
            host: long(std::fs::read_to_string("/proc/sys/kernel/hostname").ok(), 3),
        }
    }

    /// Names are found as whole words only: a user `in` must not spoil every other word.
    fn hide(&self, text: &str) -> String {
        let text = self.home.as_ref().map_or_else(|| text.to_string(), |home| word(text, home, "~"));
        let text = self.user.as_ref().filter(|user| *user != "root").map_or(text.clone(), |user| word(&text, user, "USER"));
        let text = self.host.as_ref().map_or(text.clone(), |host| word(&text, host, "HOST"));
        // A variable may hold anything, and a terminal obeys what it is shown.
        text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
    }
}

fn word(text: &str, what: &str, instead: &str) -> String {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
    let (mut out, mut rest, mut before) = (String::with_capacity(text.len()), text, None);
    while let Some(at) = rest.find(what) {
        let (head, tail) = rest.split_at(at);
        let (found, after) = tail.split_at(what.len());
        before = head.chars().next_back().or(before);
        // A path begins with a slash, so that what stands before it does not matter.
        let whole = (what.starts_with('/') || !inside(before)) && !inside(after.chars().next());
        out.push_str(head);
        out.push_str(if whole { instead } else { found });
        before = found.chars().next_back();
        rest = after;
    }
    out + rest
}

/// What a program prints, if it does so in time. It gets no input and its complaints are not shown.
fn said(program: &str, args: &[&str]) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let end = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{program} does not answer"));
            }
            Err(error) => return Err(format!("{program}: {error}")),
        }
    };
    let mut text = String::new();
    if let Some(out) = child.stdout.take() {
        // A line is all that is wanted; a pipe holds more than that without a reader.
        let _ = out.take(4096).read_to_string(&mut text);
    }
    let line = text.lines().next().unwrap_or_default().trim().to_string();
    if status.success() && !line.is_empty() { Ok(line) } else { Err(format!("{program}: {status}")) }
}

/// What the local clock is ahead of UTC, in seconds, as the system's own `date` has it.
pub fn ahead_of_utc() -> Option<i32> {
    offset(&said("date", &["+%z"]).ok()?)
}

/// `+0200`.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let number: i32 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

/// `11.2 GiB`.
fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0)
}

/// Whether a folder is there, and how much may be written to its disk.
fn folder(path: &Path) -> String {
    let found = if path.is_dir() { "" } else { ", not there" };
    // What is not there yet will be made on the disk of the nearest folder above.
    let above = path.ancestors().map(|p| if p.as_os_str().is_empty() { Path::new(".") } else { p }).find(|p| p.is_dir());
    let free = above
        .and_then(rematch::telemetry::host::disk)
        .map_or_else(|| "? room unknown".to_string(), |disk| format!("{} free of {}", gib(disk.free), gib(disk.total)));
    format!("{}{found}: {free}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hidden_as_whole_words() {
        let hidden = Hidden { home: Some("/home/ann".into()), user: Some("ann".into()), host: Some("box7".into()) };
        for (text, told) in [
            ("/home/ann/rematch", "~/rematch"),
            ("/home/anna/x, /data/ann/y", "/home/anna/x, /data/USER/y"),
            ("planned: annual", "planned: annual"),
            ("ann@box7.example \x1b[31m", "USER@HOST.example ?[31m"),
            ("a:/home/ann:/home/ann/b", "a:~:~/b"),
        ] {
            assert_eq!(hidden.hide(text), told);
        }
        let nobody = Hidden { home: None, user: None, host: None };
        assert_eq!(nobody.hide("/home/ann"), "/home/ann");
    }

    #[test]
    fn a_program_is_asked_and_not_waited_for() {
        assert_eq!(said("echo", &["tmux 3.3a"]), Ok("tmux 3.3a".to_string()));
        assert!(said("false", &[]).is_err() && said("/there/is/no/such/program", &[]).is_err());
        let began = Instant::now();
        assert!(said("sleep", &["30"]).unwrap_err().contains("does not answer"));
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn an_offset_is_signed_hours_and_minutes() {
        assert_eq!((offset("+0200"), offset("-0330"), offset("+0000")), (Some(7200), Some(-12_600), Some(0)));
        assert_eq!((offset("CEST"), offset(""), offset("+2"), offset("é")), (None, None, None, None));
    }
}
