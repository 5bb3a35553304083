//! The thread that reads the log of the run whose curves the screen of a sweep shows.
//!
//! It reads nothing while nobody looks, and a log that has not grown only once.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use rematch::run::RunState;
use rematch::run::shelf::Shelf;
use rematch::ui::sweep::Curves;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at a log.
const LOOK: Duration = Duration::from_secs(1);
/// A long log is read again only after so many times as long as reading it takes.
const REST: u32 = 10;

type Found = (String, Result<Arc<RunState>, String>);

pub struct Follower {
    ask: Sender<Option<String>>,
    found: Receiver<Found>,
}

impl Follower {
    /// `None` where the system has no thread left: the screen then shows no curves. `runs`: the folder of the sweep's runs.
    pub fn spawn(runs: PathBuf) -> Option<Self> {
        let (ask, asked) = unbounded();
        let (to, found) = unbounded();
        thread::Builder::new().name("curves".into()).spawn(move || follow(&runs, &asked, &to)).ok()?;
        Some(Self { ask, found })
    }
}

impl Curves for Follower {
    fn follow(&self, id: Option<&str>) {
        let _ = self.ask.send(id.map(String::from));
    }

    fn read(&self) -> Receiver<Found> {
        self.found.clone()
    }
}

fn follow(runs: &Path, asked: &Receiver<Option<String>>, to: &Sender<Found>) {
    let shelf = Shelf::new(runs.to_path_buf());
    let (mut wanted, mut seen, mut wait): (Option<String>, _, _) = (None, None, LOOK);
    loop {
        let next = if wanted.is_some() { asked.recv_timeout(wait) } else { asked.recv().map_err(RecvTimeoutError::from) };
        match next {
            Ok(next) => (wanted, seen) = (asked.try_iter().last().unwrap_or(next), None),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let Some(id) = &wanted else { continue };
        let facts = std::fs::metadata(runs.join(id).join("events.jsonl"));
        let stamp = facts.map(|facts| (facts.len(), facts.modified().ok())).ok();
        if seen == Some(stamp) {
            continue;
        }
        seen = Some(stamp);
        let begin = Instant::now();
        let found = if stamp.is_some() { shelf.open(id) } else { Err("this run has no log yet".into()) };
        wait = LOOK.max(REST * begin.elapsed());
        if to.send((id.clone(), found)).is_err() {
            return;
        }
    }
}
