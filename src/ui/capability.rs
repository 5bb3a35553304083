//! What the terminal can show, read from the environment alone.
//! It asks the terminal nothing: a reply that comes late, or that nobody waits for, is indistinguishable from typing, and over
//! SSH replies do come late. So what cannot be known from the environment (glyphs of the font) is a default to be overridden.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    TrueColour,
    Ansi256,
    Ansi16,
    /// No colours; bold, reverse and underline carry the meaning.
    Mono,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    Braille,
    Half,
    Ascii,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Multiplexer {
    None,
    /// `version` as tmux itself says it (`TERM_PROGRAM_VERSION`, since tmux 3.2), such as `3.3a`.
    Tmux {
        version: Option<String>,
    },
    Screen,
}

/// What the output is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Terminal,
    /// A file or a pipe: nothing there understands cursor control.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    pub colour: Colour,
    pub glyphs: Glyphs,
    pub over_ssh: bool,
    pub multiplexer: Multiplexer,
    /// Frames a second that the link deserves; a key draws at once all the same.
    pub max_fps: u32,
    /// Whether frames are bracketed by mode 2026.
    pub synchronized: bool,
    /// No cursor control at all: only the line-by-line output makes sense.
    pub dumb: bool,
}

impl Capabilities {
    /// How long a lone ESC may wait for the rest of its sequence: the network cuts sequences in two.
    pub fn escape_time(&self) -> Duration {
        Duration::from_millis(if self.over_ssh { 120 } else { 60 })
    }
}

/// Why they are what they are, in words for a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reasons {
    pub colour: &'static str,
    pub glyphs: &'static str,
    pub max_fps: &'static str,
    pub synchronized: &'static str,
}

/// Reads the environment through `env` (in the program, `|name| std::env::var(name).ok()`).
pub fn detect(env: &dyn Fn(&str) -> Option<String>, output: Output) -> Capabilities {
    explain(env, output).0
}

/// As [`detect`], with the reasons.
pub fn explain(env: &dyn Fn(&str) -> Option<String>, output: Output) -> (Capabilities, Reasons) {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let term = set("TERM").unwrap_or_default();
    let over_ssh = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"].iter().any(|name| set(name).is_some());
    let multiplexer = multiplexer(&set, &term);
    let (colour, why_colour) = colour(&set, &term);
    let (glyphs, why_glyphs) = glyphs(&set, &term);
    let (max_fps, why_fps) = if over_ssh { (4, "over SSH") } else { (10, "not over SSH") };
    let (synchronized, why_synchronized) = synchronizes(&multiplexer);
    let found = Capabilities {
        colour,
        glyphs,
        over_ssh,
        max_fps,
        synchronized,
        dumb: output == Output::Other || term.is_empty() || term == "dumb",
        multiplexer,
    };
    let reasons = Reasons { colour: why_colour, glyphs: why_glyphs, max_fps: why_fps, synchronized: why_synchronized };
    (found, reasons)
}

fn colour(set: &dyn Fn(&str) -> Option<String>, term: &str) -> (Colour, &'static str) {
    if set("NO_COLOR").is_some() {
        return (Colour::Mono, "NO_COLOR is set");
    }
    if term.is_empty() || term == "dumb" {
        return (Colour::Mono, "TERM is dumb or not set");
    }
    // vt100 to vt520 and their kin have no colours at all; `-m` (`xterm-mono`, `linux-m`) says so too.
    let monochrome = (term.starts_with("vt") && term[2..].starts_with(|c: char| c.is_ascii_digit()))
        || term.ends_with("-m")
        || term.ends_with("-mono");
    if monochrome {
        return (Colour::Mono, "TERM names a terminal without colours");
    }
    let colorterm = set("COLORTERM").unwrap_or_default().to_ascii_lowercase();
    if colorterm == "truecolor" || colorterm == "24bit" {
        (Colour::TrueColour, "COLORTERM says so")
    } else if term.ends_with("-direct") {
        (Colour::TrueColour, "TERM says so")
    } else if term.contains("256color") {
        (Colour::Ansi256, "TERM says so, and COLORTERM says no more")
    } else if term == "xterm-kitty" || term == "xterm-ghostty" || term == "alacritty" {
        // sshd does not forward COLORTERM, so these three are only named, and 256 colours is what is certain of them.
        (Colour::Ansi256, "TERM names a terminal that has them at least")
    } else {
        (Colour::Ansi16, "neither COLORTERM nor TERM says more")
    }
}

fn glyphs(set: &dyn Fn(&str) -> Option<String>, term: &str) -> (Glyphs, &'static str) {
    // POSIX: the first of these that is set and not empty decides, even if it says "C".
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name)).unwrap_or_default().to_ascii_lowercase();
    if locale.is_empty() {
        (Glyphs::Ascii, "LC_ALL, LC_CTYPE and LANG are not set")
    } else if !(locale.contains("utf-8") || locale.contains("utf8")) {
        (Glyphs::Ascii, "the locale is not UTF-8")
    } else if term == "linux" {
        // The kernel console's fonts of 256 or 512 glyphs hold half blocks but no braille.
        (Glyphs::Half, "the kernel's console has no braille")
    } else {
        (Glyphs::Braille, "the locale is UTF-8")
    }
}

fn multiplexer(set: &dyn Fn(&str) -> Option<String>, term: &str) -> Multiplexer {
    // STY first: screen inside tmux inherits TMUX, and tmux inside screen sets TERM_PROGRAM.
    let says_tmux = set("TERM_PROGRAM").as_deref() == Some("tmux");
    if says_tmux || (set("TMUX").is_some() && set("STY").is_none()) || term.starts_with("tmux") {
        // TERM_PROGRAM_VERSION is tmux's own only where TERM_PROGRAM says tmux: otherwise it is the outer terminal's, inherited.
        let version = if says_tmux { set("TERM_PROGRAM_VERSION") } else { None };
        Multiplexer::Tmux { version }
    } else if set("STY").is_some() || term.starts_with("screen") {
        // Over SSH, TERM=screen* is all that is left of either; both answers mean the same for what follows.
        Multiplexer::Screen
    } else {
        Multiplexer::None
    }
}

/// tmux up to 3.6 drops mode 2026; 3.7 to 3.7c repaint the whole pane at its end (150 times the bytes) or lose what was drawn
/// after a clear inside it; 3.8 has it right. Outside a multiplexer, terminals that do not know the mode ignore it.
fn synchronizes(multiplexer: &Multiplexer) -> (bool, &'static str) {
    match multiplexer {
        Multiplexer::None => (true, "no multiplexer; terminals that do not know it ignore it"),
        Multiplexer::Tmux { version: Some(version) } => match tmux_version(version) {
            Some(version) if version >= (3, 8) => (true, "tmux 3.8 or later"),
            Some(_) => (false, "tmux before 3.8 drops it, or repaints everything for it"),
            None => (false, "this tmux is no release"),
        },
        Multiplexer::Tmux { version: None } => (false, "tmux of an unknown version"),
        Multiplexer::Screen => (false, "GNU screen"),
    }
}

/// `3.7b` is (3, 7). `next-3.8` and `master` are no release, and their behaviour depends on the day: `None`.
fn tmux_version(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Capabilities {
        let env = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        detect(&env, Output::Terminal)
    }

    #[test]
    fn colour_by_the_most_certain_sign() {
        let of = |pairs: &[(&str, &str)]| with(pairs).colour;
        assert_eq!(of(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Colour::TrueColour);
        assert_eq!(of(&[("TERM", "xterm"), ("COLORTERM", "24bit")]), Colour::TrueColour);
        assert_eq!(of(&[("TERM", "xterm-256color")]), Colour::Ansi256);
        assert_eq!(of(&[("TERM", "xterm"), ("COLORTERM", "1")]), Colour::Ansi16);
        assert_eq!(of(&[("TERM", "linux")]), Colour::Ansi16);
        assert_eq!(of(&[("TERM", "vt220")]), Colour::Mono);
        assert_eq!(of(&[("TERM", "vte-256color")]), Colour::Ansi256);
    }

    #[test]
    fn no_color_wins_unless_it_is_empty() {
        let colourful = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor")];
        let asked = |value| with(&[colourful[0], colourful[1], ("NO_COLOR", value)]).colour;
        assert_eq!(asked("1"), Colour::Mono);
        assert_eq!(asked("0"), Colour::Mono, "any text counts, as no-color.org has it");
        assert_eq!(asked(""), Colour::TrueColour);
    }

    #[test]
    fn only_a_utf8_locale_gets_glyphs() {
        let of = |pairs: &[(&str, &str)]| with(pairs).glyphs;
        assert_eq!(of(&[("TERM", "xterm"), ("LANG", "de_DE.UTF-8")]), Glyphs::Braille);
        assert_eq!(of(&[("TERM", "xterm"), ("LANG", "C.utf8")]), Glyphs::Braille);
        assert_eq!(of(&[("TERM", "linux"), ("LANG", "en_US.UTF-8")]), Glyphs::Half);
        assert_eq!(of(&[("TERM", "xterm")]), Glyphs::Ascii);
        assert_eq!(of(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")]), Glyphs::Ascii, "LC_ALL outranks LANG");
        assert_eq!(of(&[("LANG", "C"), ("LC_CTYPE", "en_US.UTF-8"), ("LC_ALL", "")]), Glyphs::Braille);
    }

    #[test]
    fn ssh_gets_fewer_frames_and_more_patience() {
        let near = with(&[("TERM", "xterm")]);
        let far = with(&[("TERM", "xterm"), ("SSH_CONNECTION", "10.0.0.1 5000 10.0.0.2 22")]);
        assert_eq!((near.over_ssh, near.max_fps, near.escape_time().as_millis()), (false, 10, 60));
        assert_eq!((far.over_ssh, far.max_fps, far.escape_time().as_millis()), (true, 4, 120));
    }

    #[test]
    fn synchronized_output_is_off_where_tmux_gets_it_wrong() {
        let inside = |version| {
            let pairs =
                [("TERM", "tmux-256color"), ("TMUX", "/tmp/t,1,0"), ("TERM_PROGRAM", "tmux"), ("TERM_PROGRAM_VERSION", version)];
            with(&pairs).synchronized
        };
        assert!(!inside("3.3a") && !inside("3.7b") && !inside("master") && !inside("next-3.8"));
        assert!(inside("3.8") && inside("3.10") && inside("4.0"));
        assert!(with(&[("TERM", "xterm-256color")]).synchronized);
        assert!(!with(&[("TERM", "screen-256color")]).synchronized);
    }

    #[test]
    fn the_outer_terminals_version_is_not_taken_for_tmux() {
        let pairs =
            [("TMUX", "/tmp/t,1,0"), ("TERM", "screen"), ("TERM_PROGRAM", "iTerm.app"), ("TERM_PROGRAM_VERSION", "3.9.1")];
        let seen = with(&pairs);
        assert_eq!(seen.multiplexer, Multiplexer::Tmux { version: None });
        assert!(!seen.synchronized);
        assert_eq!(with(&[("TERM", "screen"), ("STY", "1.pts"), ("TMUX", "/tmp/t,1,0")]).multiplexer, Multiplexer::Screen);
    }

    #[test]
    fn dumb_terminals_and_pipes_get_lines() {
        assert!(with(&[("TERM", "dumb")]).dumb);
        assert!(with(&[]).dumb);
        assert!(!with(&[("TERM", "xterm")]).dumb);
        assert!(detect(&|name| (name == "TERM").then(|| "xterm".to_owned()), Output::Other).dumb);
    }
}
