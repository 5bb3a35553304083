//! Who waits at the terminal: progress on standard error, Ctrl-C between two passes.

use crossbeam_channel::{Receiver, bounded};
use rematch::attacks::GoOn;
use rematch::protocol::report::EvaluationProgress;
use rematch::run::listing::clock;
use rematch::train::audit::Watcher;
use rematch::ui::event::Signal;
use rematch::ui::signals::{self, SignalListener};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Where nobody looks at a terminal, a line this often shows that it lives.
const SELDOM: Duration = Duration::from_secs(30);
const OFTEN: Duration = Duration::from_millis(250);

/// Signals and where progress goes, for all models of a call.
pub struct Follow {
    heard: Receiver<Signal>,
    _signals: SignalListener,
    talks: bool,
    terminal: bool,
}

impl Follow {
    /// # Errors
    /// When signals cannot be caught.
    pub fn new(json: bool) -> anyhow::Result<Self> {
        let (signal, heard) = bounded(16);
        Ok(Self {
            heard,
            _signals: signals::listen(signal, signals::OnSignals::default())?,
            talks: !json,
            terminal: std::io::stderr().is_terminal(),
        })
    }

    pub fn talks(&self) -> bool {
        self.talks
    }
}

/// The same, for one model.
pub struct Following<'a> {
    follow: &'a Follow,
    said: Option<Instant>,
    begin: Instant,
    width: usize,
    stopped: bool,
}

impl<'a> Following<'a> {
    pub fn new(follow: &'a Follow) -> Self {
        Self { follow, said: None, begin: Instant::now(), width: 0, stopped: false }
    }

    /// Takes the line of progress away.
    pub fn end(&mut self) {
        if self.width > 0 {
            let _ = write!(std::io::stderr(), "\r{:1$}\r", "", self.width);
            self.width = 0;
        }
    }
}

impl Watcher for Following<'_> {
    fn go_on(&mut self) -> GoOn {
        for signal in self.follow.heard.try_iter() {
            // The others do not ask for an end.
            self.stopped |= matches!(signal, Signal::Interrupt | Signal::Terminate | Signal::HangUp);
        }
        if self.stopped { GoOn::No } else { GoOn::Yes }
    }

    fn progress(&mut self, p: &EvaluationProgress) {
        let every = if self.follow.terminal { OFTEN } else { SELDOM };
        if !self.follow.talks || self.said.unwrap_or(self.begin).elapsed() < every {
            return;
        }
        self.said = Some(Instant::now());
        let left = p.left_ms.map_or(String::new(), |ms| format!("  about {} left", clock((ms / 1000) as f64)));
        let line = format!(
            "[{}/{}] {}  {} of {} images  robust <= {:.2} %{left}",
            p.stage,
            p.stages,
            p.doing,
            p.done,
            p.total,
            100.0 * p.robust
        );
        let mut err = std::io::stderr();
        if self.follow.terminal {
            let width = line.chars().count();
            let _ = write!(err, "\r{line:<0$}", self.width.max(width));
            self.width = width;
        } else {
            let _ = writeln!(err, "rematch: {line}");
        }
    }
}
