//! Runs that train now: which ones a folder holds, how far they are, and their state for a screen that comes late.

use super::RunState;
use super::link;
use super::listing::{RunSummary, Standing, clock, harmless, summarised};
use super::registry;
use super::replay::{LogError, read_log, routine};
use super::state::{Exactness, Phase};
use super::store::{Owner, RunFolder, StoreError, ids};
use crate::protocol::{Event, FORMAT, Record};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use unicode_width::UnicodeWidthStr as _;

/// The runs of a folder that a process holds, by their names. No folder: none.
///
/// # Errors
/// When the folder cannot be read.
pub fn runs(folder: &Path) -> Result<Vec<RunFolder>, StoreError> {
    let open = |id: &String| RunFolder::open(folder, &folder.join(id)).ok();
    let mut found: Vec<RunFolder> = ids(folder)?.iter().filter_map(open).filter(|run| run.owner() != Owner::Nobody).collect();
    found.sort_by(|a, b| a.id().cmp(b.id()));
    Ok(found)
}

/// The runs that train now, and where they were looked for.
pub struct Everywhere {
    pub runs: Vec<RunFolder>,
    pub looked: Vec<PathBuf>,
}

/// The runs of a folder that a process holds, and every other run of this user that trains on this machine.
///
/// # Errors
/// When the folder cannot be read.
pub fn everywhere(folder: &Path) -> Result<Everywhere, StoreError> {
    let mut found = runs(folder)?;
    let whole = |run: &RunFolder| run.path().canonicalize().ok();
    let here: Vec<_> = found.iter().filter_map(whole).collect();
    let registered = registry::runs();
    found.extend(registered.runs.into_iter().filter(|run| whole(run).is_none_or(|path| !here.contains(&path))));
    let looked = std::iter::once(folder.to_path_buf()).chain(registered.looked).collect();
    Ok(Everywhere { runs: found, looked })
}

impl Everywhere {
    /// `in runs, and for runs of this user in any folder in /run/user/1000/rematch and /tmp/rematch-1000`.
    pub fn looked_in(&self) -> String {
        let (folder, rest) = self.looked.split_first().map_or_else(Default::default, |(first, rest)| (first.clone(), rest));
        let rest: Vec<String> = rest.iter().map(|place| place.display().to_string()).collect();
        if rest.is_empty() {
            return format!("in {}", folder.display());
        }
        format!("in {}, and for runs of this user in any folder in {}", folder.display(), rest.join(" and "))
    }
}

/// The run so far, as far as its log is whole.
///
/// # Errors
/// When the log cannot be read, or is damaged.
pub fn catch_up(folder: &RunFolder) -> Result<RunState, LogError> {
    let path = folder.events();
    let bytes = std::fs::read(&path).map_err(|source| LogError::Unreadable { path: path.clone(), source })?;
    if let Some(state) = folded(&bytes) {
        return Ok(state);
    }
    // Something is wrong with it, and reading it line by line says what and where.
    let mut state = RunState::default();
    for record in read_log(&path)? {
        state.apply(&record?);
    }
    Ok(state)
}

/// A log of less than this is folded whole before anybody would notice.
const SHORT: usize = 4 << 20;
/// Of a longer one so many reports make a first picture.
const SAMPLED: usize = 6_000;

/// What a first frame is drawn from.
pub struct Glimpse {
    pub state: RunState,
    pub exact: Exact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exact {
    Yes,
    /// Reports were passed over; [`catch_up`] has all of them, a moment later.
    No,
}

/// The run so far within a few hundredths of a second, however long it is: everything that happened, and of the reports and the
/// machine's load enough for a picture.
///
/// # Errors
/// As [`catch_up`].
pub fn glimpse(folder: &RunFolder) -> Result<Glimpse, LogError> {
    let path = folder.events();
    let bytes = std::fs::read(&path).map_err(|source| LogError::Unreadable { path, source })?;
    if bytes.len() >= SHORT
        && let Some(state) = sampled(&bytes)
    {
        return Ok(Glimpse { state, exact: Exact::No });
    }
    catch_up(folder).map(|state| Glimpse { state, exact: Exact::Yes })
}

/// `None` where a line is no record, or not the next.
fn sampled(bytes: &[u8]) -> Option<RunState> {
    let whole = &bytes[..=bytes.iter().rposition(|byte| *byte == b'\n')?];
    let lines = || whole.split_inclusive(|byte| *byte == b'\n');
    let all = lines().filter(|line| routine(line).is_some()).count();
    let every = all.div_ceil(SAMPLED).max(1);
    let mut state = RunState::default();
    let (mut next, mut passed) = (0, 0);
    for line in lines() {
        if let Some(seq) = routine(line) {
            passed += 1;
            // The newest ones are what a person looks at first.
            if seq == next && !passed_over(passed, every, all) {
                let mut record: Record = serde_json::from_slice(line).ok()?;
                if let Event::Progress(progress) = &mut record.event {
                    // It stands for those before it, so that the pace comes out right.
                    progress.steps = progress.step.saturating_sub(state.step).max(progress.steps);
                }
                state.apply(&record);
            } else if seq != next {
                return None;
            }
            next += 1;
            continue;
        }
        let record: Record = serde_json::from_slice(line).ok()?;
        if record.seq != next || newer(&record) {
            return None;
        }
        next += 1;
        state.apply(&record);
    }
    state.next_seq = next;
    Some(state)
}

fn passed_over(number: usize, every: usize, all: usize) -> bool {
    !number.is_multiple_of(every) && number + 200 < all
}

/// Bytes that one thread parses before another's come.
const PIECE: usize = 256 << 10;
/// More threads than this do not parse a log sooner than it is folded.
const MOST_THREADS: usize = 4;

/// All whole lines folded; `None` where one of them is no record, or not the next. Parsing costs ten times as much as folding, so that
/// several threads parse ahead of one that folds: a person waits for this.
fn folded(bytes: &[u8]) -> Option<RunState> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS);
    let pieces = pieces(bytes);
    let pieces = pieces.as_slice();
    std::thread::scope(|scope| {
        let parsed: Vec<_> = (0..threads)
            .map(|first| {
                let (to, from) = crossbeam_channel::bounded(2);
                scope.spawn(move || {
                    for piece in pieces.iter().skip(first).step_by(threads) {
                        let lines = piece.split_inclusive(|byte| *byte == b'\n');
                        let records = lines.map(serde_json::from_slice::<Record>).collect::<Result<Vec<_>, _>>();
                        if to.send(records.ok()).is_err() {
                            return;
                        }
                    }
                });
                from
            })
            .collect();
        let mut state = RunState::default();
        for number in 0..pieces.len() {
            for record in parsed[number % threads].recv().ok()?? {
                if record.seq != state.next_seq || newer(&record) {
                    return None;
                }
                state.apply(&record);
            }
        }
        Some(state)
    })
}

fn newer(record: &Record) -> bool {
    matches!(&record.event, Event::Started(started) if started.format > FORMAT)
}

/// The whole lines of a log in pieces; what follows the last line feed belongs to none.
fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let line_end = |from: usize| bytes[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at + 1);
    let (mut pieces, mut from) = (Vec::new(), 0);
    while let Some(end) = line_end((from + PIECE).min(bytes.len())).or_else(|| {
        let last = bytes[from..].iter().rposition(|byte| *byte == b'\n')?;
        Some(from + last + 1)
    }) {
        pieces.push(&bytes[from..end]);
        from = end;
    }
    pieces
}

/// One that trains, as a row and as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Live {
    pub run: String,
    /// Of the process that trains; absent where its lock cannot be read.
    pub pid: Option<u32>,
    /// `running`, `evaluating`, `paused`, `stopping`, `preparing`.
    pub state: &'static str,
    pub step: u64,
    pub steps: u64,
    /// The final evaluation included.
    pub eta_seconds: Option<f64>,
    /// Less than an epoch is done, or how long the final evaluation takes is not known.
    pub eta_is_rough: bool,
    /// Screens, and who of them steers; absent where the process does not answer.
    pub screens: Option<u64>,
    pub steered_by: Option<String>,
    /// What holds it up, or why it does not answer.
    pub trouble: Option<String>,
    pub summary: RunSummary,
}

/// How a run stands that a process holds.
///
/// # Errors
/// When its log cannot be read.
pub fn look(folder: &RunFolder) -> Result<Live, String> {
    let owner = folder.owner();
    let state = catch_up(folder).map_err(|error| error.to_string())?;
    let summary = summarised(folder.id(), &state, &owner).ok_or("its log does not say what was started")?;
    let (status, silent) = match link::status(folder.path()) {
        Ok((_, status)) => (Some(status), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let word = match (&state.phase, summary.state) {
        (Phase::Preparing, _) => "preparing",
        (Phase::Running, Standing::Running) if state.measuring.is_some() || state.examining.is_some() => "evaluating",
        (Phase::Running, Standing::Running) => "running",
        (Phase::Paused, Standing::Running) => "paused",
        (Phase::Stopping(_), Standing::Running) => "stopping",
        (Phase::Running | Phase::Paused | Phase::Stopping(_) | Phase::Finished(_), _) => "ending",
    };
    Ok(Live {
        run: folder.path().display().to_string(),
        pid: match owner {
            Owner::Process(pid) => pid.parse().ok(),
            Owner::Nobody => None,
        },
        state: word,
        step: state.step,
        steps: state.plan_steps(),
        eta_seconds: state.eta_seconds(),
        eta_is_rough: state.eta().is_some_and(|eta| eta.exactness == Exactness::Rough),
        screens: status.as_ref().map(|status| status.clients),
        steered_by: status.as_ref().map(|status| status.steered_by.clone()).filter(|name| !name.is_empty()),
        trouble: status.and_then(|status| status.trouble).or(silent),
        summary,
    })
}

/// Aligned text; what holds a run up stands below it.
pub fn table(all: &[Live]) -> String {
    let head = ["run", "pid", "state", "step", "ETA", "method", "lambda", "best adv", "steered by"].map(String::from);
    let mut rows = vec![head.to_vec()];
    rows.extend(all.iter().map(|live| {
        let best =
            live.summary.best.as_ref().map_or_else(|| "-".into(), |best| format!("{:.1}", 100.0 * best.adversarial_accuracy));
        let steered = match (&live.screens, &live.steered_by) {
            (None, _) => "does not answer".into(),
            (Some(_), Some(name)) => name.clone(),
            (Some(_), None) => "nobody".into(),
        };
        [
            live.run.clone(),
            live.pid.map_or_else(|| "-".into(), |pid| pid.to_string()),
            live.state.to_string(),
            format!("{}/{}", live.step, live.steps),
            live.eta_seconds.map_or_else(|| "-".into(), |s| format!("{}{}", if live.eta_is_rough { "~" } else { "" }, clock(s))),
            live.summary.method.clone(),
            live.summary.lambda_shown().unwrap_or_else(|| "-".into()),
            best,
            steered,
        ]
        .map(|cell| harmless(&cell))
        .to_vec()
    }));
    let wide = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line += cell;
            line.extend(std::iter::repeat_n(' ', wide(column) - cell.width() + 2));
        }
        let _ = writeln!(text, "{}", line.trim_end());
        if let Some(trouble) = number.checked_sub(1).and_then(|at| all[at].trouble.as_ref()) {
            let _ = writeln!(text, "  ! {}", harmless(trouble));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::Voice;
    use crate::run::recorder::line;

    fn lines(count: u64) -> Vec<u8> {
        let said = |seq| Event::Said { source: Voice::Rematch, line: format!("line {seq} {}", "x".repeat(100)) };
        (0..count).flat_map(|seq| line(&Record { seq, at_ms: seq, event: said(seq) }).expect("JSON")).collect()
    }

    #[test]
    fn pieces_are_folded_in_their_order_however_many_there_are() {
        for count in [0, 1, 2, 1_999, 9_000] {
            let bytes = lines(count);
            let state = folded(&bytes).expect("whole lines");
            assert_eq!((state.next_seq, state.said), (count, count));
            let all: usize = pieces(&bytes).iter().map(|piece| piece.len()).sum();
            assert_eq!(all, bytes.len());
        }
    }

    #[test]
    fn a_first_picture_has_everything_that_happened_and_the_newest_reports() {
        let log = include_str!("../../assets/demo/events.jsonl");
        let records: Vec<Record> = log.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
        // The demo's reports, again and again.
        let reports: Vec<&Record> = records.iter().filter(|r| matches!(r.event, Event::Progress(_))).collect();
        let mut bytes = line(&records[0]).expect("JSON");
        for seq in 1..20_000 {
            let mut record = reports[seq as usize % reports.len()].clone();
            if let Event::Progress(progress) = &mut record.event {
                (progress.step, progress.steps) = (seq, 1);
            }
            bytes.extend(line(&Record { seq, at_ms: records[0].at_ms + 10 * seq, ..record }).expect("JSON"));
        }
        let (picture, exact) = (sampled(&bytes).expect("whole"), folded(&bytes).expect("whole"));
        assert_eq!((picture.next_seq, picture.step), (exact.next_seq, exact.step));
        assert!(
            (picture.step_seconds / exact.step_seconds - 1.0).abs() < 0.05,
            "{} {}",
            picture.step_seconds,
            exact.step_seconds
        );
        let points = |state: &RunState| state.series.values().next().map_or(0, crate::run::Series::len);
        assert!(points(&picture) < 8_000 && points(&exact) == 19_999, "{} {}", points(&picture), points(&exact));
        assert!(sampled(&bytes[1..]).is_none());
    }

    #[test]
    fn a_torn_tail_is_left_out_and_damage_is_found() {
        let bytes = lines(3_000);
        let torn = folded(&bytes[..bytes.len() - 5]).expect("whole lines");
        assert_eq!(torn.next_seq, 2_999);
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] = 0;
        assert!(folded(&damaged).is_none());
        let first = bytes.iter().position(|byte| *byte == b'\n').expect("lines") + 1;
        assert!(folded(&bytes[first..]).is_none(), "the first record is missing");
    }
}
