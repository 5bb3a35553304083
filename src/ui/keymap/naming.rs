//! Keys, scopes and intents as a file names them: `ctrl-p`, `[chart]`, `zoom-in`.
//!
//! It only names; what may be bound to what is judged in [`super::rebind`].

use super::{Intent, Key, Scope};
use crate::ui::layout::View;
use crossterm::event::{KeyCode, KeyModifiers};

const NAMED: &[(&str, KeyCode)] = &[
    ("space", KeyCode::Char(' ')),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("shift-tab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
];

/// What a key may be written as, for messages.
const FORMS: &str = "one character, space, enter, esc, tab, shift-tab, up, down, left, right, pgup, pgdn, home, end, insert, delete, backspace, \
     f1 to f12, ctrl-a to ctrl-z, alt- and a character";

/// # Errors
/// Why no terminal would ever send it, or that it is not a key at all.
pub(super) fn parse(text: &str) -> Result<Key, String> {
    let unknown = || format!("'{text}' is no key; allowed: {FORMS}");
    let mut chars = text.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return if c.is_control() || c == ' ' {
            Err(format!("{c:?} is no key; write space, tab or enter"))
        } else {
            Ok((KeyCode::Char(c), KeyModifiers::NONE))
        };
    }
    let lower = text.to_lowercase();
    if let Some((_, code)) = NAMED.iter().find(|(name, _)| *name == lower) {
        return Ok((*code, KeyModifiers::NONE));
    }
    if let Some(number) = lower.strip_prefix('f').and_then(|n| n.parse::<u8>().ok()) {
        return if (1..=12).contains(&number) { Ok((KeyCode::F(number), KeyModifiers::NONE)) } else { Err(unknown()) };
    }
    if let Some(letter) = lower.strip_prefix("ctrl-") {
        let mut chars = letter.chars();
        return match (chars.next(), chars.next()) {
            (Some('i'), None) => Err(format!("'{text}' cannot be told from tab: terminals send the same for both")),
            (Some('m' | 'j'), None) => Err(format!("'{text}' cannot be told from enter: terminals send the same for both")),
            (Some('h'), None) => Err(format!("'{text}' cannot be told from backspace on many terminals")),
            (Some(c @ 'a'..='z'), None) => Ok((KeyCode::Char(c), KeyModifiers::CONTROL)),
            _ => Err(unknown()),
        };
    }
    // What is held with Alt keeps its case.
    if lower.starts_with("alt-") {
        let mut chars = text.chars().skip(4);
        return match (chars.next(), chars.next()) {
            (Some('[' | 'O'), None) => Err(format!("'{text}' cannot be told from the beginning of an arrow key")),
            (Some(c), None) if !c.is_control() => Ok((KeyCode::Char(c), KeyModifiers::ALT)),
            _ => Err(unknown()),
        };
    }
    Err(unknown())
}

/// As [`parse`] reads it.
pub(super) fn write((code, modifiers): Key) -> String {
    let name = NAMED.iter().find(|(_, named)| *named == code).map(|(name, _)| (*name).to_string());
    let name = name.unwrap_or_else(|| match code {
        KeyCode::Char(c) => c.to_string(),
        other => other.to_string().to_lowercase(),
    });
    if modifiers.contains(KeyModifiers::CONTROL) {
        format!("ctrl-{name}")
    } else if modifiers.contains(KeyModifiers::ALT) {
        format!("alt-{name}")
    } else {
        name
    }
}

impl Scope {
    /// As the file's sections are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Dash => "dash",
            Self::Controls => "controls",
            Self::Chart => "chart",
            Self::Log => "log-pane",
            Self::Robust => "robust",
            Self::Charts => "charts",
            Self::Gallery => "gallery",
            Self::Runs => "runs",
            Self::Events => "log",
            Self::System => "system",
            Self::Replay => "replay",
        }
    }

    /// Whether one key may be looked for in both at once. A pane with the focus belongs to the Dash, except that the log can lie
    /// over every view.
    pub(super) fn meets(self, other: Self) -> bool {
        let wide = |scope| matches!(scope, Self::Everywhere | Self::Replay);
        let pane = |scope| matches!(scope, Self::Controls | Self::Chart | Self::Log);
        if self == other || wide(self) || wide(other) {
            return true;
        }
        match (pane(self), pane(other)) {
            (true, true) | (false, false) => false,
            (true, false) => self == Self::Log || other == Self::Dash,
            (false, true) => other == Self::Log || self == Self::Dash,
        }
    }
}

impl Intent {
    /// As the file names it, unique within a scope.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Save => "save",
            Self::Evaluate => "evaluate",
            Self::Probe => "probe",
            Self::Show(View::Dash) => "show-dash",
            Self::Show(View::Charts) => "show-charts",
            Self::Show(View::Robust) => "show-robust",
            Self::Show(View::Gallery) => "show-gallery",
            Self::Show(View::Runs) => "show-runs",
            Self::Show(View::Events) => "show-log",
            Self::Show(View::System) => "show-system",
            Self::Help => "help",
            Self::Quit => "quit",
            Self::Interrupt => "interrupt",
            Self::Suspend => "suspend",
            Self::Detach => "detach",
            Self::Checkpoints => "checkpoints",
            Self::Repaint => "repaint",
            Self::NextPane => "next-pane",
            Self::PreviousPane => "previous-pane",
            Self::Maximise => "maximise",
            Self::FullLog => "full-log",
            Self::Back => "back",
            Self::Undo => "undo",
            Self::History => "history",
            Self::NextTheme => "next-theme",
            Self::SaveFrame => "save-frame",
            Self::NextMarker => "next-marker",
            Self::PreviousMarker => "previous-marker",
            Self::LogScale => "log-scale",
            Self::Smoothing => "smoothing",
            Self::DialUp => "dial-up",
            Self::DialDown => "dial-down",
            Self::More => "more",
            Self::Less => "less",
            Self::Double => "double",
            Self::Halve => "halve",
            Self::Edit => "edit",
            Self::Apply => "apply",
            Self::Left => "left",
            Self::Right => "right",
            Self::ZoomIn => "zoom-in",
            Self::ZoomOut => "zoom-out",
            Self::WholeRun => "whole-run",
            Self::LineUp => "line-up",
            Self::LineDown => "line-down",
            Self::PageUp => "page-up",
            Self::PageDown => "page-down",
            Self::First => "first",
            Self::Last => "last",
            Self::Open => "open",
            Self::Filter => "filter",
            Self::CommandLine => "command-line",
            Self::OlderReport => "older-report",
            Self::NewerReport => "newer-report",
            Self::Refresh => "refresh",
            Self::Sort => "sort",
            Self::Tree => "tree",
            Self::WhatIf => "what-if",
            Self::Follow => "follow",
            Self::Level => "level",
            Self::ByHand => "by-hand",
            Self::Context => "context",
            Self::Span => "span",
            Self::Diagnostics => "diagnostics",
            Self::NextLook => "next-look",
            Self::Exhibit => "exhibit",
            Self::FarLeft => "far-left",
            Self::FarRight => "far-right",
            Self::ChartLeft => "chart-left",
            Self::ChartRight => "chart-right",
            Self::XAxis => "x-axis",
            Self::Band => "band",
            Self::Overlays => "overlays",
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::SeekBack => "seek-back",
            Self::SeekForward => "seek-forward",
            Self::SeekFarBack => "seek-far-back",
            Self::SeekFarForward => "seek-far-forward",
            Self::SeekStart => "seek-start",
            Self::SeekEnd => "seek-end",
        }
    }

    /// Whether the key alone asks something of the run. Such a key must be none that a terminal's reply may hold.
    pub fn asks(self) -> bool {
        matches!(self, Self::Pause | Self::Save | Self::Probe | Self::Apply | Self::Exhibit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::keymap::KEYMAP;

    #[test]
    fn every_key_of_the_table_is_written_and_read_back() {
        for key in KEYMAP.iter().flat_map(|b| b.keys) {
            let text = write(*key);
            assert_eq!(parse(&text), Ok(*key), "{text}");
        }
        assert_eq!(parse("Ctrl-P"), Ok((KeyCode::Char('p'), KeyModifiers::CONTROL)));
        assert_eq!(parse("alt-X"), Ok((KeyCode::Char('X'), KeyModifiers::ALT)));
        assert_eq!(parse("F12"), Ok((KeyCode::F(12), KeyModifiers::NONE)));
    }

    #[test]
    fn what_no_terminal_sends_is_told() {
        for (text, why) in [
            ("ctrl-m", "cannot be told from enter"),
            ("ctrl-i", "cannot be told from tab"),
            ("f13", "is no key"),
            ("", "is no key"),
            ("spacebar", "is no key"),
            ("ctrl-1", "is no key"),
            ("alt-[", "arrow key"),
            (" ", "write space"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
        }
    }

    #[test]
    fn names_are_unique_within_a_scope() {
        for (i, a) in KEYMAP.iter().enumerate() {
            for b in &KEYMAP[i + 1..] {
                assert!(a.scope != b.scope || a.intent.name() != b.intent.name(), "{:?} {:?}", a.scope, a.intent);
            }
        }
    }
}
