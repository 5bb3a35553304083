//! `rematch sweep`: an experiment of many runs, on the screen or as lines; its plan alone; job arrays for it; runs from elsewhere.

mod trial;

use super::{Failed, settings};
use crate::cli::{Sweep, SweepUi};
use anyhow::bail;
use crossbeam_channel::{Sender, bounded, unbounded};
use rematch::config::DeviceChoice;
use rematch::run::listing::{clock, harmless};
use rematch::sweep::board::{Board, Flow, Row, Stage};
use rematch::sweep::ledger::{Ledger, OnChange};
use rematch::sweep::process::Program;
use rematch::sweep::runner::{self, Ask, How, Retry, Stay};
use rematch::sweep::{Plan, collect, read, slurm};
use rematch::ui::event::Signal;
use rematch::ui::signals::{self, OnSignal, OnSignals};
use rematch::ui::sweep::{End, Leaving};
use rematch::ui::terminal;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

pub fn run(args: &Sweep) -> anyhow::Result<u8> {
    // A sweep's own folder holds the whole plan: it goes on as it is, whatever became of the file.
    let (plan, home) = if args.file.is_dir() {
        let (ledger, plan) = Ledger::open(&args.file)?;
        (plan, Some(ledger.folder().to_path_buf()))
    } else {
        (read(&args.file)?, None)
    };
    for device in &args.devices {
        if let Err(why) = device.parse::<DeviceChoice>() {
            bail!("--devices {device}: {why}");
        }
    }
    for id in &args.only {
        if plan.cell(id).is_none() {
            let few: Vec<&str> = plan.cells.iter().take(6).map(|cell| cell.id.as_str()).collect();
            bail!("--only {id}: {} has no such run; it has {}, ...", args.file.display(), few.join(", "));
        }
    }
    let folder = args.out.clone().or(home).unwrap_or_else(|| Path::new("sweeps").join(&plan.name));
    let how = How {
        program: Program { path: torch_program()?, threads: args.threads },
        devices: args.devices.clone(),
        only: args.only.clone(),
        retry: if args.retry_failed { Retry::Failed } else { Retry::Nothing },
        stay: Stay::Leave,
    };
    if args.dry_run {
        return trial::run(&plan, &folder, &how);
    }
    let on_change = if args.accept_changes { OnChange::SetAside } else { OnChange::Tell };
    if !args.only.is_empty() {
        // Tasks of one array work beside each other; each run has a lock of its own.
        let ledger = Ledger::shared(&folder, &plan)?;
        return here(&plan, &ledger, &how, SweepUi::Plain, args);
    }
    let ledger = Ledger::begin(&folder, &plan, on_change)?;
    if args.slurm {
        return arrays(&plan, &ledger, args);
    }
    if !args.collect.is_empty() {
        return gather(&plan, &ledger, &args.collect);
    }
    let ui = args.ui.unwrap_or(if std::io::stdout().is_terminal() { SweepUi::Tui } else { SweepUi::Plain });
    here(&plan, &ledger, &how, ui, args)
}

/// What trains: this program, or the one beside it.
fn torch_program() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().map_err(|error| anyhow::anyhow!("where this program lies is not known: {error}"))?;
    let there = here.with_file_name("rematch-torch");
    if !there.exists() {
        bail!(
            "{} is not there; it is the part of this program that trains, and `make setup && cargo build` puts both in one folder",
            there.display()
        );
    }
    Ok(there)
}

fn here(plan: &Plan, ledger: &Ledger, how: &How, ui: SweepUi, args: &Sweep) -> anyhow::Result<u8> {
    let (ask, asked) = unbounded();
    let board = match ui {
        SweepUi::Tui => on_the_screen(plan, ledger, how, args)?,
        SweepUi::Plain => {
            obey_signals(ask, settings::settings(&args.look)?.on_signals)?;
            let mut told = 0;
            let mut said = 0.0;
            runner::run(plan, ledger, how, &asked, |board| {
                let mut out = std::io::stdout();
                for note in &board.notes[told..] {
                    let _ = writeln!(out, "{} {}", clock(board.elapsed_s), harmless(note));
                }
                told = board.notes.len();
                if board.elapsed_s - said > 60.0 {
                    said = board.elapsed_s;
                    let _ = writeln!(out, "{}", summary(board));
                }
            })?
        }
        SweepUi::None => {
            obey_signals(ask, settings::settings(&args.look)?.on_signals)?;
            runner::run(plan, ledger, how, &asked, |_| {})?
        }
    };
    end(&board, ui, &args.only)
}

/// The runner on a thread of its own, the screen on this one.
fn on_the_screen(plan: &Plan, ledger: &Ledger, how: &How, args: &Sweep) -> anyhow::Result<Board> {
    let dress = settings::dress(&args.look)?;
    terminal::available()?;
    let how = How { stay: Stay::WhileAsked, ..how.clone() };
    let (ask, asked) = unbounded();
    // A screen that does not read misses a state and sees the next; the last one is waited for.
    let (show, shown) = bounded(4);
    let (signal, heard) = bounded(16);
    let _signals = signals::listen(signal, dress.settings.on_signals)?;
    std::thread::scope(|scope| {
        let running = scope.spawn(move || {
            runner::run(plan, ledger, &how, &asked, |board| {
                let last = matches!(board.flow, Flow::Finished | Flow::Stopped);
                let _ = if last { show.send(board.clone()).is_ok() } else { show.try_send(board.clone()).is_ok() };
            })
        });
        let options = rematch::ui::sweep::Options { settings: &dress.settings, themes: dress.themes, leaving: Leaving::Ends };
        let end = rematch::ui::sweep::run(&shown, &ask, &heard, options, |_| {});
        match &end {
            Ok(End::Finished | End::Left | End::Stopped | End::Terminated) => {}
            // Without a terminal it goes on, unless somebody wants it otherwise.
            Ok(End::HungUp) if dress.settings.on_signals.hangup != OnSignal::SaveAndStop => {}
            Ok(End::HungUp) | Err(_) => drop(ask.send(Ask::Stop)),
        }
        // Nobody reads any more, and nobody asks.
        drop((shown, ask));
        let board = running.join().map_err(|_| Failed("the sweep's runner ended in a panic".into()))?;
        end?;
        Ok(board?)
    })
}

/// `7 of 21 done, 1 failed, 0:12:30 left`.
fn summary(board: &Board) -> String {
    let (done, failed) = board.tally();
    let left = board.left_s.map_or("time left unknown".into(), |left| format!("about {} left", clock(left)));
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    format!("{} {done} of {} done{failed}, {left}", clock(board.elapsed_s), board.rows.len())
}

/// `only`: what this process was to run; everything where it is empty.
fn end(board: &Board, ui: SweepUi, only: &[String]) -> anyhow::Result<u8> {
    let mut out = std::io::stdout();
    let (done, failed) = board.tally();
    if ui != SweepUi::None {
        let _ = writeln!(out, "{done} of {} done, {failed} failed, in {}", board.rows.len(), clock(board.elapsed_s));
        let _ = writeln!(out, "tables and figures: rematch report {}", board.folder.display());
    }
    if board.flow == Flow::Stopped {
        return Ok(130);
    }
    let why = |row: &Row| match &row.stage {
        Stage::Failed(why) => Some(format!("{}: {}", row.cell.id, harmless(why))),
        Stage::WaitsFor(other) => Some(format!("{}: it needs {other}, which is not done", row.cell.id)),
        Stage::Waiting | Stage::Elsewhere(_) | Stage::Training | Stage::Evaluating | Stage::Done | Stage::Stopped => None,
    };
    let asked = board.rows.iter().filter(|row| only.is_empty() || only.contains(&row.cell.id));
    let failures: Vec<String> = asked.filter_map(why).collect();
    if failures.is_empty() {
        return Ok(0);
    }
    Err(Failed(format!(
        "{} of {} runs failed (--retry-failed runs them again):\n  {}",
        failures.len(),
        board.rows.len(),
        failures.join("\n  ")
    ))
    .into())
}

fn obey_signals(ask: Sender<Ask>, on: OnSignals) -> anyhow::Result<()> {
    let (signal, heard) = crossbeam_channel::bounded(16);
    let listening = signals::listen(signal, on)?;
    std::thread::spawn(move || {
        let _listening = listening;
        for signal in heard {
            match signal {
                Signal::Terminate | Signal::Interrupt => {
                    let _ = ask.send(Ask::Stop);
                }
                // Each run saves by itself; a lost terminal ends no sweep.
                Signal::HangUp | Signal::Continue | Signal::Save => {}
            }
        }
    });
    Ok(())
}

fn arrays(plan: &Plan, ledger: &Ledger, args: &Sweep) -> anyhow::Result<u8> {
    let here = std::env::current_exe()?;
    let program = here.with_file_name("rematch");
    let on_cpu = !args.devices.is_empty() && args.devices.iter().all(|device| device == "cpu");
    let device = if on_cpu { slurm::Device::Cpu } else { slurm::Device::Gpu };
    let written = slurm::write(plan, ledger, &slurm::Tasks { program: &program, threads: args.threads, device })?;
    let mut out = std::io::stdout();
    let arrays: Vec<String> = written.arrays.iter().map(ToString::to_string).collect();
    let _ = writeln!(
        out,
        "arrays of {} tasks; submit them with: sh {} [options of sbatch, such as --partition, --account, --time]",
        arrays.join(" and "),
        slurm::quoted(&written.submit)
    );
    let _ = writeln!(out, "then: rematch report {}", slurm::quoted(ledger.folder()));
    Ok(0)
}

fn gather(plan: &Plan, ledger: &Ledger, from: &[PathBuf]) -> anyhow::Result<u8> {
    let gathered = collect::gather(plan, ledger, from)?;
    let mut out = std::io::stdout();
    for id in &gathered.copied {
        let _ = writeln!(out, "copied   {id}");
    }
    for line in &gathered.refused {
        let _ = writeln!(out, "refused  {}", harmless(line));
    }
    for id in &gathered.missing {
        let _ = writeln!(out, "missing  {id}");
    }
    let _ = writeln!(
        out,
        "{} copied, {} here before, {} refused, {} missing; rematch report {}",
        gathered.copied.len(),
        gathered.here,
        gathered.refused.len(),
        gathered.missing.len(),
        ledger.folder().display()
    );
    if gathered.refused.is_empty() { Ok(0) } else { Err(Failed("runs were refused; see above".into()).into()) }
}
