//! A run's folder that gets another name, or is deleted, while the run trains.

use super::{Home, Recipe, Reference, breathe, log, some_of};
use rematch::protocol::Event;
use rematch::random::Stream;
use rematch::run::checkpoints;
use std::fs;
use std::path::Path;
use std::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    Moved,
    Deleted,
}

#[derive(Debug)]
pub struct Gone {
    /// It was still training then.
    pub in_time: bool,
    pub compared: usize,
}

pub fn take_away(home: &mut Home, recipe: &Recipe, reference: &Reference, name: &str, away: Away, dice: &mut Stream) -> Gone {
    let runs = home.runs();
    let run = runs.join(name);
    let mut trainee = home.train(recipe, &runs, name, 2);
    trainee.until("the first checkpoint", || checkpoints::list(&run.join("checkpoints")).pop());
    let at = Instant::now() + some_of(reference.took.mul_f64(0.85), dice);
    while Instant::now() < at && trainee.over().is_none() {
        breathe(); // any moment will do
    }
    let written = log(&run).unwrap().records;
    let in_time = !matches!(written.last().unwrap().event, Event::Finished(_));
    let now = match away {
        Away::Moved => {
            let to = runs.join(format!("{name}-elsewhere"));
            fs::rename(&run, &to).unwrap();
            to
        }
        Away::Deleted if in_time => {
            delete(&run);
            run.clone()
        }
        Away::Deleted => run.clone(),
    };
    trainee.completes();
    let compared = reference.check_completed(&now);
    let records = log(&now).unwrap().records;
    assert!(records.len() >= written.len() && records[..written.len()] == written[..], "the log lost its beginning");
    if away == Away::Moved {
        assert!(!run.exists(), "{} is there again", run.display());
    }
    Gone { in_time, compared }
}

/// As `rm -rf`: with what is written into it meanwhile, on a second try.
fn delete(run: &Path) {
    for _ in 0..100 {
        if fs::remove_dir_all(run).is_ok() {
            return;
        }
    }
}
