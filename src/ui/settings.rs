//! How the screen is to look and behave: one value each from the command line, the environment, a file, or what the terminal is.
//!
//! Reads texts and judges them; opens no file and asks no terminal.

use super::capability::{Capabilities, Colour, Glyphs};
use super::screen::Motion;
use super::signals::{OnSignal, OnSignals};
use super::terminal::Synchronized;
use crate::config::check::{Fault, Faults, Place, leaves, nearest};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use toml_edit::Value;

/// What can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Theme,
    Color,
    Glyphs,
    MaxFps,
    Synchronized,
    ReducedMotion,
    Graphics,
    OnHangup,
    OnTerm,
    OnUsr1,
    OnUsr2,
    OnXcpu,
    ResumeIfExists,
}

impl Key {
    pub const ALL: &[Self] = &[
        Self::Theme,
        Self::Color,
        Self::Glyphs,
        Self::MaxFps,
        Self::Synchronized,
        Self::ReducedMotion,
        Self::Graphics,
        Self::OnHangup,
        Self::OnTerm,
        Self::OnUsr1,
        Self::OnUsr2,
        Self::OnXcpu,
        Self::ResumeIfExists,
    ];

    /// As the file names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Theme => "theme",
            Self::Color => "color",
            Self::Glyphs => "glyphs",
            Self::MaxFps => "max_fps",
            Self::Synchronized => "synchronized",
            Self::ReducedMotion => "reduced_motion",
            Self::Graphics => "graphics",
            Self::OnHangup => "on_hangup",
            Self::OnTerm => "on_term",
            Self::OnUsr1 => "on_usr1",
            Self::OnUsr2 => "on_usr2",
            Self::OnXcpu => "on_xcpu",
            Self::ResumeIfExists => "resume_if_exists",
        }
    }

    /// `REMATCH_UI_THEME`.
    pub fn variable(self) -> String {
        format!("REMATCH_UI_{}", self.name().to_uppercase())
    }

    /// What it may be, and what it is about.
    pub fn allowed(self) -> &'static str {
        match self {
            Self::Theme => "default, light, ansi16, mono, high-contrast, a file, or a name in the folder themes beside this file",
            Self::Color => "auto, truecolor, 256, 16 or mono",
            Self::Glyphs => "auto, braille, half or ascii",
            Self::MaxFps => "auto, or 1 to 60 frames a second",
            Self::Synchronized => "auto, always or never: whole frames by mode 2026",
            Self::ReducedMotion => "true or false: messages stay until a key is pressed",
            Self::Graphics => "auto, kitty or cells: how images are drawn",
            Self::OnHangup => "continue, save or save-and-stop: what training does when its terminal is lost",
            Self::OnTerm => "continue, save or save-and-stop: what training does at SIGTERM",
            Self::OnUsr1 => "continue, save or save-and-stop: what training does at SIGUSR1",
            Self::OnUsr2 => "continue, save or save-and-stop: what training does at SIGUSR2, the warning of many schedulers",
            Self::OnXcpu => "continue, save or save-and-stop: what training does at SIGXCPU, when its processor time runs out",
            Self::ResumeIfExists => "true or false: whether `train --name X` goes on with a run X that is there",
        }
    }
}

/// How images are to be drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Images {
    /// Whatever is certain to be understood.
    #[default]
    Auto,
    /// By kitty's protocol, as pixels.
    Kitty,
    /// As letters and colours.
    Cells,
}

/// What `rematch train` does where the name that it is given is a run's already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResumeIfExists {
    #[default]
    No,
    Yes,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Flag,
    Variable(String),
    File {
        path: PathBuf,
        line: Option<usize>,
    },
    /// Nobody said anything.
    Found,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => f.write_str("command line"),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Found => f.write_str("by itself"),
        }
    }
}

/// What is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// A name, or a file.
    pub theme: String,
    pub colour: Colour,
    pub glyphs: Glyphs,
    pub max_fps: u32,
    pub synchronized: Synchronized,
    pub motion: Motion,
    pub images: Images,
    pub on_signals: OnSignals,
    pub resume_if_exists: ResumeIfExists,
    /// In the order of [`Key::ALL`].
    from: Vec<Source>,
    found: Capabilities,
}

impl Settings {
    /// What the terminal is, where nobody says anything.
    pub fn found(capabilities: &Capabilities) -> Self {
        Self {
            theme: "default".into(),
            colour: capabilities.colour,
            glyphs: capabilities.glyphs,
            max_fps: capabilities.max_fps,
            synchronized: Synchronized::Auto,
            motion: Motion::Usual,
            images: Images::Auto,
            on_signals: OnSignals::default(),
            resume_if_exists: ResumeIfExists::No,
            from: vec![Source::Found; Key::ALL.len()],
            found: capabilities.clone(),
        }
    }

    /// Lays the file's `[ui]` over what is there.
    ///
    /// # Errors
    /// Everything that is wrong, each with its line.
    pub fn read(&mut self, text: &str, path: &Path) -> Result<(), Faults> {
        let found = leaves(text, path).map_err(|fault| Faults(vec![fault]))?;
        let mut faults = Vec::new();
        for leaf in found {
            let (line, folder) = match &leaf.place {
                Place::File { line, .. } => (*line, path.parent()),
                Place::Override(_) => (None, None),
            };
            let source = Source::File { path: path.to_owned(), line };
            let done = match leaf.path.strip_prefix("ui.").and_then(|name| Key::ALL.iter().find(|key| key.name() == name)) {
                None if leaf.path == "ui" && leaf.value.is_none() => Ok(()),
                None => Err(unknown(&leaf.path)),
                Some(&key) => {
                    let text = match &leaf.value {
                        Some(Value::String(text)) => text.value().clone(),
                        Some(_) | None => leaf.raw.clone(),
                    };
                    // A file names others from where it lies itself.
                    let text = match (key, folder) {
                        (Key::Theme, Some(folder)) if is_file(&text) => folder.join(text).display().to_string(),
                        _ => text,
                    };
                    self.set(key, &text, source).map_err(|why| format!("ui.{} = {}: {why}", key.name(), leaf.raw))
                }
            };
            if let Err(text) = done {
                faults.push(Fault { place: leaf.place, text });
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
    }

    /// # Errors
    /// What was written, and what is allowed.
    pub fn set(&mut self, key: Key, text: &str, from: Source) -> Result<(), String> {
        let bad = || format!("'{text}' is not allowed here; allowed: {}", key.allowed());
        match key {
            Key::Theme if text.trim().is_empty() => return Err(bad()),
            Key::Theme => self.theme = text.into(),
            Key::Color => {
                self.colour = match text {
                    "auto" => self.found.colour,
                    "truecolor" => Colour::TrueColour,
                    "256" => Colour::Ansi256,
                    "16" => Colour::Ansi16,
                    "mono" => Colour::Mono,
                    _ => return Err(bad()),
                }
            }
            Key::Glyphs => {
                self.glyphs = match text {
                    "auto" => self.found.glyphs,
                    "braille" => Glyphs::Braille,
                    "half" => Glyphs::Half,
                    "ascii" => Glyphs::Ascii,
                    _ => return Err(bad()),
                }
            }
            Key::MaxFps => {
                self.max_fps = match text {
                    "auto" => self.found.max_fps,
                    number => number.parse().ok().filter(|fps| (1..=60).contains(fps)).ok_or_else(bad)?,
                }
            }
            Key::Synchronized => {
                self.synchronized = match text {
                    "auto" => Synchronized::Auto,
                    "always" => Synchronized::Always,
                    "never" => Synchronized::Never,
                    _ => return Err(bad()),
                }
            }
            Key::ReducedMotion => {
                self.motion = match text {
                    "true" => Motion::Reduced,
                    "false" => Motion::Usual,
                    _ => return Err(bad()),
                }
            }
            Key::Graphics => {
                self.images = match text {
                    "auto" => Images::Auto,
                    "kitty" => Images::Kitty,
                    "cells" => Images::Cells,
                    _ => return Err(bad()),
                }
            }
            Key::OnHangup | Key::OnTerm | Key::OnUsr1 | Key::OnUsr2 | Key::OnXcpu => {
                let action = OnSignal::named(text).ok_or_else(bad)?;
                if let Some(at) = key.name().strip_prefix("on_").and_then(|signal| self.on_signals.at(signal)) {
                    *at = action;
                }
            }
            Key::ResumeIfExists => {
                self.resume_if_exists = match text {
                    "true" => ResumeIfExists::Yes,
                    "false" => ResumeIfExists::No,
                    _ => return Err(bad()),
                }
            }
        }
        self.from[key as usize] = from;
        Ok(())
    }

    /// The capabilities with what was said in the place of what was found.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities { colour: self.colour, glyphs: self.glyphs, max_fps: self.max_fps, ..self.found.clone() }
    }

    pub fn source(&self, key: Key) -> &Source {
        &self.from[key as usize]
    }

    fn value(&self, key: Key) -> String {
        match key {
            Key::Theme => return Value::from(self.theme.as_str()).to_string(),
            Key::MaxFps => return self.max_fps.to_string(),
            Key::OnHangup | Key::OnTerm | Key::OnUsr1 | Key::OnUsr2 | Key::OnXcpu => {
                let mut on = self.on_signals;
                let action = key.name().strip_prefix("on_").and_then(|signal| on.at(signal).copied());
                return Value::from(action.map_or("", OnSignal::name)).to_string();
            }
            Key::ResumeIfExists => return (self.resume_if_exists == ResumeIfExists::Yes).to_string(),
            Key::ReducedMotion => return (self.motion == Motion::Reduced).to_string(),
            Key::Color => match self.colour {
                Colour::TrueColour => "\"truecolor\"",
                Colour::Ansi256 => "\"256\"",
                Colour::Ansi16 => "\"16\"",
                Colour::Mono => "\"mono\"",
            },
            Key::Glyphs => match self.glyphs {
                Glyphs::Braille => "\"braille\"",
                Glyphs::Half => "\"half\"",
                Glyphs::Ascii => "\"ascii\"",
            },
            Key::Synchronized => match self.synchronized {
                Synchronized::Auto => "\"auto\"",
                Synchronized::Always => "\"always\"",
                Synchronized::Never => "\"never\"",
            },
            Key::Graphics => match self.images {
                Images::Auto => "\"auto\"",
                Images::Kitty => "\"kitty\"",
                Images::Cells => "\"cells\"",
            },
        }
        .into()
    }

    /// What is in force as a file that can be read back, with where each comes from.
    pub fn to_toml(&self) -> String {
        let mut text = String::from("[ui]\n");
        for &key in Key::ALL {
            let line = format!("{} = {}", key.name(), self.value(key));
            let _ = writeln!(text, "{line:<28} # {}", self.source(key));
            let _ = writeln!(text, "{:<28} #   {}", "", key.allowed());
        }
        text
    }
}

/// Whether a theme is meant as a file rather than as a name.
pub fn is_file(theme: &str) -> bool {
    theme.contains('/') || Path::new(theme).extension().is_some_and(|end| end == "toml")
}

fn unknown(path: &str) -> String {
    let names: Vec<&'static str> = Key::ALL.iter().map(|key| key.name()).collect();
    let last = path.rsplit('.').next().unwrap_or(path);
    let meant = nearest(last, &names).map_or_else(String::new, |name| format!("; did you mean ui.{name}?"));
    format!("{path} is no setting{meant} (allowed in [ui]: {})", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::capability::{Output, detect};

    fn found() -> Settings {
        Settings::found(&detect(&|name| (name == "TERM").then(|| "xterm-256color".into()), Output::Terminal))
    }

    #[test]
    fn each_source_overrules_those_before_it_and_is_named() {
        let mut settings = found();
        assert_eq!((settings.colour, settings.max_fps), (Colour::Ansi256, 10));
        settings.read("[ui]\nmax_fps = 4\nreduced_motion = true\nglyphs = \"half\"\n", Path::new("c.toml")).unwrap();
        settings.set(Key::MaxFps, "6", Source::Variable(Key::MaxFps.variable())).unwrap();
        settings.set(Key::Glyphs, "ascii", Source::Flag).unwrap();
        assert_eq!((settings.max_fps, settings.motion, settings.glyphs), (6, Motion::Reduced, Glyphs::Ascii));
        let text = settings.to_toml();
        for says in ["max_fps = 6", "# REMATCH_UI_MAX_FPS", "# c.toml:3", "# command line", "color = \"256\"", "# by itself"] {
            assert!(text.contains(says), "{says}\n{text}");
        }
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        let mut settings = found();
        settings.set(Key::Theme, "light", Source::Flag).unwrap();
        settings.set(Key::Graphics, "cells", Source::Flag).unwrap();
        settings.set(Key::OnUsr2, "save", Source::Flag).unwrap();
        assert_eq!((settings.on_signals.usr2, settings.on_signals.xcpu), (OnSignal::Save, OnSignal::SaveAndStop));
        let mut again = found();
        again.read(&settings.to_toml(), Path::new("c.toml")).unwrap();
        again.from.clone_from(&settings.from);
        assert_eq!(again, settings);
    }

    #[test]
    fn auto_is_what_the_terminal_is() {
        let mut settings = found();
        for (key, text) in [(Key::Color, "mono"), (Key::Glyphs, "half"), (Key::MaxFps, "2")] {
            settings.set(key, text, Source::Flag).unwrap();
            settings.set(key, "auto", Source::Flag).unwrap();
        }
        assert_eq!(settings.capabilities(), found().capabilities());
    }

    #[test]
    fn a_file_names_its_theme_from_where_it_lies() {
        let mut settings = found();
        settings.read("[ui]\ntheme = \"mine.toml\"\n", Path::new("/etc/x/config.toml")).unwrap();
        assert_eq!(settings.theme, "/etc/x/mine.toml");
        settings.read("[ui]\ntheme = \"light\"\n", Path::new("/etc/x/config.toml")).unwrap();
        assert_eq!(settings.theme, "light");
    }

    #[test]
    fn faults_name_line_value_and_what_is_allowed() {
        for (text, says) in [
            ("[ui]\n\nthem = \"x\"", "c.toml:3: ui.them is no setting; did you mean ui.theme? (allowed in [ui]: theme, color, "),
            ("theme = \"x\"", "c.toml:1: theme is no setting; did you mean ui.theme?"),
            ("[ui]\nmax_fps = 61", "c.toml:2: ui.max_fps = 61: '61' is not allowed here; allowed: auto, or 1 to 60"),
            ("[ui]\nreduced_motion = \"yes\"", "true or false"),
            (
                "[ui]\non_usr2 = \"stop\"",
                "ui.on_usr2 = \"stop\": 'stop' is not allowed here; allowed: continue, save or save-and-stop",
            ),
            ("[ui]\nmouse = true", "c.toml:2: ui.mouse is no setting"),
            ("[ui]\ncolor = 256\nglyphs = [1]", "ui.glyphs = [1]"),
            ("[ui", "c.toml:1:"),
        ] {
            let message = found().read(text, Path::new("c.toml")).unwrap_err().to_string();
            assert!(message.contains(says), "{text}\n{message}");
        }
        // A number is as good as its text where only one is meant.
        assert!(found().read("[ui]\ncolor = 256\n", Path::new("c.toml")).is_ok());
        assert!(found().read("[ui]\n", Path::new("c.toml")).is_ok());
    }
}
