//! Parses the command line, picks what to do, and turns how it went into an exit code: 0 completed, 1 failed, 2 bad usage, config
//! or data, 130 stopped by the user.

#[cfg(light)]
extern crate rematch_light as rematch;

mod cli;
mod commands;

use clap::Parser;
use cli::{Cli, Command};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    rematch::limits::prepare();
    #[cfg(not(feature = "torch"))]
    if commands::elsewhere::is_needed(&cli) {
        return failed(&commands::elsewhere::go_on());
    }
    let done = match cli.command {
        Command::Train(args) => commands::train::run(&args),
        Command::Resume(args) => commands::resume::run(&args),
        Command::Fork(args) => commands::fork::run(&args),
        Command::Repeat(args) => commands::repeat::run(&args),
        Command::Attach(args) => commands::attach::run(&args),
        Command::Ps(args) => commands::ps::run(&args),
        Command::Schedule(args) => commands::schedule::run(&args),
        Command::Sweep(args) => commands::sweep::run(&args),
        Command::Config(args) => commands::config::run(&args),
        Command::Replay(args) => commands::replay::run(&args),
        Command::Keys(args) => commands::keys::run(&args),
        Command::Runs(args) => commands::runs::run(&args),
        Command::Compare(args) => commands::compare::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Eval(args) => commands::eval::run(&args),
        Command::Import(args) => commands::import::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::ExportMetrics(args) => commands::export_metrics::run(&args),
        Command::Bench(cli::Bench::Step(args)) => commands::bench::step(&args),
        Command::Data(cli::Data::RebuildEmbedded { from, to }) => commands::data::rebuild(&from, &to),
        Command::Data(cli::Data::Export(args)) => commands::data::export(&args),
        Command::Data(cli::Data::Fetch { set, to, from }) => commands::data::fetch(&set, to, from.as_deref()),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Completions(args) => Ok(commands::manual::completions(&args)),
        Command::Man(args) => commands::manual::man(&args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // `{:#}` would join causes; our own errors already say everything in their first line.
    // A file's own words may be in it, and a terminal obeys what it is shown.
    let text: String = error.to_string().chars().map(|c| if c.is_control() && c != '\n' { '?' } else { c }).collect();
    let _ = writeln!(std::io::stderr(), "rematch: {text}");
    ExitCode::from(error.downcast_ref::<commands::Failed>().map_or(2, |_| 1))
}
