//! What reaches the screen from outside the run: keys, pastes, the terminal's own changes, and signals.
//! No decoding here (that is `input` and `signals`), and no meaning either: a key becomes an intent elsewhere.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// More printable keys than this in one go are a terminal's answer or an unbracketed paste, not a person.
const TYPED_AT_ONCE: usize = 8;

/// What came in by the terminal.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Key(KeyEvent),
    Paste(String),
    Resize,
    Focus(Focus),
    HangUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    Gained,
    Lost,
}

/// What came in by the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Terminate,
    Interrupt,
    HangUp,
    Save,
    Continue,
}

impl Input {
    /// The character that it would type.
    pub fn printable(&self) -> Option<char> {
        match self {
            Self::Key(KeyEvent { code: KeyCode::Char(c), modifiers, .. }) if !modifiers.contains(KeyModifiers::CONTROL) => {
                Some(*c)
            }
            Self::Key(_) | Self::Paste(_) | Self::Resize | Self::Focus(_) | Self::HangUp => None,
        }
    }
}

/// Whether what came in at one go was not typed: then its printable keys mean nothing where no text is being typed.
pub fn is_reply(waiting: &[Input]) -> bool {
    let typed: Vec<char> = waiting.iter().filter_map(Input::printable).collect();
    // A key held down over a slow link comes in a burst too, but as one character.
    typed.len() > TYPED_AT_ONCE && typed.iter().any(|c| *c != typed[0])
}
