//! `rematch attach`: the screen of a run that trains in another process. It catches up from the log and goes on from the socket.

use super::{Failed, beside, rewind, screen, settings};
use crate::cli::Attach;
use anyhow::{anyhow, bail};
use crossbeam_channel::{Receiver, bounded};
use rematch::headless;
use rematch::protocol::wire::{Role, Take};
use rematch::run::RunState;
use rematch::run::advice::{self, USUAL_RUNS};
use rematch::run::link;
use rematch::run::live::{self, Exact, Glimpse};
use rematch::run::recorder::now_ms;
use rematch::run::state::Phase;
use rematch::run::store::{Owner, RunFolder, StoreError};
use rematch::ui::intent::Leave;
use rematch::ui::{signals, terminal};
use std::io::Write as _;
use std::path::Path;

pub fn run(args: &Attach) -> anyhow::Result<u8> {
    let folder = chosen(args)?;
    let dress = settings::dress(&args.look)?;
    if terminal::available().is_err() {
        let log = folder.events();
        bail!(
            "attach shows a screen, and there is no terminal to draw on; rematch ps lists what trains, and {} has it all",
            log.display()
        );
    }
    if folder.owner() == Owner::Nobody {
        let words = |verb| advice::command(verb, folder.path(), "");
        bail!(
            "{}: nothing trains there now; {} shows it again, {} goes on with one that has not completed",
            folder.path().display(),
            words("replay"),
            words("resume")
        );
    }
    let (role, take) = match (args.read_only, args.take) {
        (true, _) => (Role::Watch, Take::IfFree),
        (false, true) => (Role::Steer, Take::Always),
        (false, false) => (Role::Steer, Take::IfFree),
    };
    // The log first: what comes while it is read is asked for from where it ended.
    let Glimpse { state: known, exact } = live::glimpse(&folder)?;
    let link = link::connect(folder.path(), role, take, known.next_seq)?;
    let better = (exact == Exact::No).then(|| behind(folder.clone()));
    let ahead = link.welcome().now_ms as i64 - now_ms() as i64;
    let (signal, heard) = bounded(16);
    let _signals = signals::listen(signal, signals::OnSignals::default())?;
    terminal::install_panic_hook(|_| {});
    let runs = beside(args.runs.as_deref().unwrap_or(Path::new(USUAL_RUNS)), &folder);
    let setting = screen::Setting {
        dress,
        signals: &heard,
        folder: folder.path(),
        pace: None,
        trouble: None,
        preparing: None,
        runs: runs.clone(),
        known: Some(known),
        better,
        clock_ahead_ms: ahead,
    };
    let left = screen::show(link.into_session(), setting, |_| {})?;
    let state: RunState = left.state;
    match left.why {
        Leave::Branch(wish) => return Err(rewind::begin(folder.path(), &runs, &wish, &args.look)),
        Leave::Quit
        | Leave::Detached
        | Leave::HungUp
        | Leave::Terminated
        | Leave::AtOnce
        | Leave::BeforeStart
        | Leave::NotStarted => {}
    }
    let mut out = std::io::stdout();
    let words = |verb| advice::command(verb, folder.path(), "");
    match (&state.finished, folder.owner()) {
        (Some(_), _) => drop(out.write_all(headless::summary(&state, folder.path()).as_bytes())),
        (None, Owner::Process(_)) if state.phase == Phase::Paused => {
            drop(writeln!(out, "the run is paused and stays paused; come back and go on (space) with: {}", words("attach")));
        }
        (None, Owner::Process(_)) => drop(writeln!(out, "training goes on; come back with: {}", words("attach"))),
        (None, Owner::Nobody) => {
            return Err(Failed(format!("the process that trained is gone; go on with: {}", words("resume"))).into());
        }
    }
    Ok(0)
}

/// Reads the whole log while the first frames are shown.
fn behind(folder: RunFolder) -> Receiver<RunState> {
    let (to, from) = bounded(1);
    std::thread::spawn(move || {
        // What went wrong with it has not gone wrong before: the first picture stays.
        if let Ok(state) = live::catch_up(&folder) {
            let _ = to.send(state);
        }
    });
    from
}

/// The run that was named, or the only one that trains.
fn chosen(args: &Attach) -> anyhow::Result<RunFolder> {
    let usual = Path::new(USUAL_RUNS);
    match (&args.run, &args.runs) {
        (Some(run), Some(runs)) => Ok(RunFolder::open(runs, run)?),
        (Some(run), None) => {
            let found = RunFolder::open(usual, run);
            if found.as_ref().is_ok_and(|folder| folder.owner() != Owner::Nobody) {
                return Ok(found?);
            }
            let all = live::everywhere(usual)?;
            let looked = all.looked_in();
            let mut named: Vec<RunFolder> = all.runs.into_iter().filter(|other| Path::new(other.id()) == run).collect();
            match (named.len(), named.pop(), found) {
                // It may have ended just now, which is told below.
                (0, _, Err(StoreError::Missing { .. })) => {
                    let lists = advice::listing(usual);
                    bail!("no run {} trains now (looked {looked}); {lists} lists what there is", run.display())
                }
                (0, _, found) | (_, None, found) => Ok(found?),
                // Another run of that name is in the usual folder: that one was meant, or this one.
                (1, Some(only), Err(_)) => Ok(only),
                (_, Some(last), _) => {
                    named.push(last);
                    Err(anyhow!("runs of that name train in other folders; say which:\n{}", listed(&named)))
                }
            }
        }
        (None, runs) => {
            let (mut all, looked) = if let Some(runs) = runs {
                (live::runs(runs)?, format!("in {} only", runs.display()))
            } else {
                let all = live::everywhere(usual)?;
                let looked = all.looked_in();
                (all.runs, looked)
            };
            match (all.len(), all.pop()) {
                (1, Some(only)) => Ok(only),
                (0, _) | (_, None) => {
                    let lists = advice::listing(runs.as_deref().unwrap_or(usual));
                    bail!("nothing trains now (looked {looked}); {lists} lists what there is")
                }
                (count, Some(last)) => {
                    all.push(last);
                    Err(anyhow!("{count} runs train now; say which:\n{}", listed(&all)))
                }
            }
        }
    }
}

/// What attaches to each of these, a line each.
fn listed(all: &[RunFolder]) -> String {
    let lines: Vec<String> = all.iter().map(|run| format!("  {}", advice::command("attach", run.path(), ""))).collect();
    lines.join("\n")
}
