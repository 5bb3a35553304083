//! A disk that is full for a while: a small file system in memory, and a file that takes all the room there is.
//!
//! Needs the right to mount.

use super::{Home, Recipe, Reference, breathe, log, some_of};
use rematch::protocol::Event;
use rematch::protocol::event::Warning;
use rematch::random::Stream;
use rematch::run::link;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A file system of its own, taken down with this.
pub struct Mount(PathBuf);

impl Mount {
    /// `None`: this user may not, or the system cannot.
    pub fn new(at: &Path, mebibytes: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}M"), "tmpfs"]).arg(at);
        let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success()).then(|| Self(at.to_path_buf()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // What still ends in there is gone in a moment; lazily it goes from its place at once.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[derive(Debug)]
pub struct Full {
    /// It was still training when the disk was full, and met that.
    pub met: bool,
    /// Whether it was told on standard error, and in the log.
    pub said: bool,
    pub logged: bool,
    pub compared: usize,
}

/// `None`: nothing can be mounted here.
pub fn fill(home: &mut Home, recipe: &Recipe, reference: &Reference, name: &str, dice: &mut Stream) -> Option<Full> {
    let place = home.path.join(format!("disk-{name}"));
    let mount = Mount::new(&place, 12)?;
    let run = place.join(name);
    let mut trainee = home.train(recipe, &place, name, 2);
    trainee.until("the first record", || log(&run));
    let at = Instant::now() + some_of(reference.took.mul_f64(0.8), dice);
    while Instant::now() < at && trainee.over().is_none() {
        breathe(); // any moment will do
    }
    let filler = place.join("filler");
    let mut file = OpenOptions::new().create(true).append(true).open(&filler).unwrap();
    let mut met = false;
    while !met && trainee.over().is_none() {
        // What the run tidies away is taken as well.
        take_all(&mut file);
        met = link::status(&run).is_ok_and(|(_, status)| status.trouble.is_some());
        breathe();
    }
    let until = Instant::now() + some_of(std::time::Duration::from_millis(1500), dice);
    while met && Instant::now() < until {
        take_all(&mut file);
        breathe();
    }
    if met && trainee.over().is_none() {
        // It looks twice a second for what to say.
        let deadline = Instant::now() + super::PATIENCE;
        while !trainee.said().contains("rematch: ") {
            assert!(Instant::now() < deadline, "not a word about the full disk");
            breathe();
        }
    }
    drop(file);
    fs::remove_file(&filler).unwrap();
    let ended = trainee.completes();
    let records = log(&run).unwrap().records;
    let full = |event: &Event| matches!(event, Event::Warned { kind: Warning::DiskFull, .. });
    let logged = records.iter().any(|record| full(&record.event));
    let compared = reference.check_completed(&run);
    drop(mount);
    Some(Full { met, said: ended.said.contains("rematch: "), logged, compared })
}

fn take_all(file: &mut File) {
    for size in [1 << 20, 1 << 12, 1] {
        while file.write_all(&vec![7; size]).is_ok() {}
    }
}
