//! `rematch replay`: a recorded run on the same screen, at any pace, without libtorch.

use super::{Failed, screen};
use crate::cli::{Replay, Ui};
use anyhow::bail;
use crossbeam_channel::bounded;
use rematch::headless::{self, Style};
use rematch::run::replay::{self, PaceControl};
use rematch::run::session::Session;
use rematch::run::store::RunFolder;
use rematch::ui::{app, signals, terminal};
use std::io::Write;

pub fn run(args: &Replay) -> anyhow::Result<u8> {
    let Some(pace) =
        replay::Pace::ALL.iter().copied().find(|p| p.name().trim_end_matches('x') == args.pace.trim_end_matches('x'))
    else {
        let known: Vec<&str> = replay::Pace::ALL.iter().map(|p| p.name()).collect();
        bail!("--pace {} is not a pace; choose one of: {}", args.pace, known.join(", "));
    };
    let folder = RunFolder::open(&args.runs, &args.run)?;
    let ui = screen::choose(args.ui, args.look);
    let style = match ui {
        Ui::Tui => {
            let pace = PaceControl::new(pace);
            let records = replay::replay(&folder.events(), &pace)?;
            let (signal, heard) = bounded(16);
            let _signals = signals::listen(signal)?;
            terminal::install_panic_hook(|_| {});
            let setting = screen::Setting {
                look: args.look,
                signals: &heard,
                folder: folder.path().display().to_string(),
                pace: Some(Box::new(Turning(pace))),
                trouble: None,
            };
            screen::show(Session::replay(records), setting, |_| {})?;
            return Ok(0);
        }
        Ui::Plain => Style::Plain,
        Ui::Json => Style::Json,
        Ui::None => Style::None,
    };
    let records = replay::replay(&folder.events(), &PaceControl::new(replay::Pace::Unbounded))?;
    let outcome = headless::follow_in(&records, style, folder.path(), &mut std::io::stdout())?;
    if outcome.is_none() && style != Style::Json {
        let _ = writeln!(std::io::stderr(), "rematch: {}: the record ends before the run did", folder.id());
    }
    if style == Style::None && outcome.is_none() {
        return Err(Failed(format!("{}: never finished", folder.id())).into());
    }
    Ok(0)
}

/// The replay's pace, as the screen turns it.
struct Turning(PaceControl);

impl app::Pace for Turning {
    fn faster(&self) {
        self.0.faster();
    }
    fn slower(&self) {
        self.0.slower();
    }
    fn toggle(&self) {
        self.0.toggle();
    }
    fn label(&self) -> String {
        self.0.label()
    }
}
