//! `rematch attach`: the screen of a run that trains in another process. It catches up from the log and goes on from the socket.

use super::{Failed, beside, rewind, screen, settings};
use crate::cli::Attach;
use anyhow::{anyhow, bail};
use crossbeam_channel::{Receiver, bounded};
use rematch::headless;
use rematch::protocol::wire::{Role, Take};
use rematch::run::RunState;
use rematch::run::link;
use rematch::run::live::{self, Exact, Glimpse};
use rematch::run::recorder::now_ms;
use rematch::run::store::{Owner, RunFolder};
use rematch::ui::intent::Leave;
use rematch::ui::{signals, terminal};
use std::io::Write as _;

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
        let id = folder.id();
        bail!(
            "{}: nothing trains there now; rematch replay {id} shows it again, rematch resume {id} goes on with one that has not completed",
            folder.path().display()
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
    let runs = beside(&args.runs, &folder);
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
    let place = folder.path().display();
    match (&state.finished, folder.owner()) {
        (Some(_), _) => drop(out.write_all(headless::summary(&state, folder.path()).as_bytes())),
        (None, Owner::Process(_)) => drop(writeln!(out, "training goes on; come back with: rematch attach {place}")),
        (None, Owner::Nobody) => {
            return Err(Failed(format!("the process that trained is gone; go on with: rematch resume {place}")).into());
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
    if let Some(run) = &args.run {
        return Ok(RunFolder::open(&args.runs, run)?);
    }
    let mut all = live::runs(&args.runs)?;
    match (all.len(), all.pop()) {
        (1, Some(only)) => Ok(only),
        (0, _) | (_, None) => {
            bail!("{}: nothing trains there now; rematch runs {} lists what there is", args.runs.display(), args.runs.display())
        }
        (_, Some(last)) => {
            let mut ids: Vec<String> = all.iter().map(|run| run.id().to_string()).collect();
            ids.push(last.id().to_string());
            ids.sort();
            Err(anyhow!("{} runs train there; say which: {}", ids.len(), ids.join(", ")))
        }
    }
}
