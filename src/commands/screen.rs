//! The screen around a session: takes the terminal, feeds the screen with keys, signals and records, gives the terminal back.

use super::shelf;
use crate::cli::{Colour, Glyphs, Look, Ui};
use crossbeam_channel::{Receiver, bounded};
use ratatui::Frame;
use rematch::run::recorder::now_ms;
use rematch::run::session::Session;
use rematch::ui::capability::{self, Capabilities, Output};
use rematch::ui::event::Signal;
use rematch::ui::input::read_input;
use rematch::ui::terminal::{Drawn, LinkSpeed, Synchronized, Terminal, TerminalError, Written};
use rematch::ui::theme::Palette;
use rematch::ui::{app, glyphs, stderr};
use std::io::{self, IsTerminal};
use std::path::PathBuf;

/// What the environment and the options say of the terminal.
pub fn capabilities(look: Look) -> Capabilities {
    let output = if std::io::stdout().is_terminal() { Output::Terminal } else { Output::Other };
    let mut found = capability::detect(&|name| std::env::var(name).ok(), output);
    if let Some(colour) = look.color {
        found.colour = match colour {
            Colour::Truecolor | Colour::Light => capability::Colour::TrueColour,
            Colour::Ansi256 => capability::Colour::Ansi256,
            Colour::Ansi16 => capability::Colour::Ansi16,
            Colour::Mono => capability::Colour::Mono,
        };
    }
    if let Some(glyphs) = look.glyphs {
        found.glyphs = match glyphs {
            Glyphs::Braille => capability::Glyphs::Braille,
            Glyphs::Half => capability::Glyphs::Half,
            Glyphs::Ascii => capability::Glyphs::Ascii,
        };
    }
    found
}

/// The screen where there is a terminal for it, else plain lines.
pub fn choose(asked: Option<Ui>, look: Look) -> Ui {
    asked.unwrap_or_else(|| if capabilities(look).dumb { Ui::Plain } else { Ui::Tui })
}

/// What the screen needs besides the session.
pub struct Setting<'a> {
    pub look: Look,
    pub signals: &'a Receiver<Signal>,
    /// The run's folder, as messages name it; of a run that has not started, the folder of all runs.
    pub folder: String,
    pub pace: Option<Box<dyn app::Pace>>,
    /// Why the run cannot go on at the moment, where that cannot be recorded.
    pub trouble: Option<Box<dyn Fn() -> Option<String>>>,
    /// What goes on before the run starts.
    pub preparing: Option<Box<dyn Fn() -> String>>,
    /// The folder of runs, for the Runs view.
    pub runs: PathBuf,
}

/// Shows a session until it is left. `said`: gets what libraries print while the screen is up.
pub fn show(session: Session, setting: Setting, said: impl FnMut(String) + Send + 'static) -> anyhow::Result<app::Left> {
    let capabilities = capabilities(setting.look);
    let ahead_s = super::doctor::ahead_of_utc();
    let mut surface = OnTerminal(Terminal::enter(&capabilities, Synchronized::Auto)?);
    let captured = stderr::capture(said)?;
    let (to, input) = bounded(1024);
    let reader = read_input(to, capabilities.escape_time())?;
    let options = app::Options {
        palette: match (setting.look.color, capabilities.colour) {
            (Some(Colour::Light), _) => Palette::Light,
            (_, capability::Colour::TrueColour) => Palette::TrueColour,
            (_, capability::Colour::Ansi256) => Palette::Ansi256,
            (_, capability::Colour::Ansi16) => Palette::Ansi16,
            (_, capability::Colour::Mono) => Palette::Mono,
        },
        glyphs: match capabilities.glyphs {
            capability::Glyphs::Braille => glyphs::Glyphs::Braille,
            capability::Glyphs::Half => glyphs::Glyphs::Half,
            capability::Glyphs::Ascii => glyphs::Glyphs::Ascii,
        },
        max_fps: capabilities.max_fps,
        folder: setting.folder,
        pace: setting.pace,
        trouble: setting.trouble,
        ahead_s,
        preparing: setting.preparing,
        shelf: shelf::Reader::spawn(setting.runs).map(|reader| Box::new(reader) as Box<dyn app::Shelf>),
    };
    let left = app::run(session, &mut surface, &input, setting.signals, options, &now_ms);
    drop(reader);
    surface.0.leave();
    drop(captured);
    Ok(left)
}

/// The real terminal as the loop's surface.
struct OnTerminal(Terminal);

impl app::Surface for OnTerminal {
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Frame)) -> io::Result<Drawn> {
        self.0.draw(paint).map_err(plain)
    }

    fn repaint(&mut self) -> io::Result<()> {
        self.0.repaint();
        Ok(())
    }

    fn link(&self) -> LinkSpeed {
        self.0.link_speed()
    }

    fn written(&self) -> Option<Written> {
        Some(self.0.written())
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.0.suspend().map_err(plain)
    }

    fn resume(&mut self) -> io::Result<()> {
        self.0.resume().map_err(plain)
    }
}

fn plain(error: TerminalError) -> io::Error {
    match error {
        TerminalError::Io(error) => error,
        error => io::Error::other(error),
    }
}
