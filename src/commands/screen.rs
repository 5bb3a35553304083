//! The screen around a session: takes the terminal, feeds the screen with keys, signals and records, gives the terminal back.

use crate::cli::{Colour, Glyphs, Look, Ui};
use rematch::ui::capability::{self, Capabilities, Output};
use std::io::IsTerminal;

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
