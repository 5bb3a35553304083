//! What reaches the screen from outside the run: keys, pastes, the terminal's own changes, and signals.
//! No decoding here (that is `input` and `signals`), and no meaning either: a key becomes an intent elsewhere.

use crossterm::event::KeyEvent;

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
