//! The themes that a screen can be turned to while it runs: those that come with the program and the person's own.
//!
//! All of them fit the terminal's level of colours already; nothing here opens a file.

use super::{Inks, Palette};
use crate::ui::capability::Colour;
use std::path::Path;

/// Those that are files in `assets/themes`, for everybody to begin from.
const SHIPPED: &[(&str, &str)] = &[("high-contrast", include_str!("../../../assets/themes/high-contrast.toml"))];

#[derive(Clone, Debug, PartialEq)]
pub struct Themes {
    all: Vec<(String, Palette)>,
    at: usize,
}

impl Themes {
    /// What comes with the program.
    pub const NAMES: &[&str] = &["default", "light", "ansi16", "mono", "high-contrast"];

    /// What comes with the program, as a terminal of this level shows it; the first is chosen.
    pub fn built_in(level: Colour) -> Self {
        let own = |palette: Palette| match level {
            Colour::TrueColour => palette,
            Colour::Ansi256 | Colour::Ansi16 | Colour::Mono => Palette::Own(Inks::of(palette, palette.ground())).fitted(level),
        };
        let default = match level {
            Colour::TrueColour => Palette::TrueColour,
            Colour::Ansi256 => Palette::Ansi256,
            Colour::Ansi16 => Palette::Ansi16,
            Colour::Mono => Palette::Mono,
        };
        let sixteen = if level == Colour::Mono { Palette::Mono } else { Palette::Ansi16 };
        let mut all: Vec<(String, Palette)> =
            [("default", default), ("light", own(Palette::Light)), ("ansi16", sixteen), ("mono", Palette::Mono)]
                .map(|(name, palette)| (name.to_string(), palette))
                .into();
        // They are tested to be readable.
        let shipped = SHIPPED.iter().filter_map(|(name, text)| {
            let inks = Inks::read(text, Path::new(name)).ok()?;
            Some(((*name).to_string(), Palette::Own(inks).fitted(level)))
        });
        all.extend(shipped);
        Self { all, at: 0 }
    }

    /// Adds a theme of a person's own, in the place of one of that name, and chooses it.
    pub fn add(&mut self, name: &str, inks: Inks, level: Colour) {
        self.all.retain(|(known, _)| known != name);
        self.all.push((name.to_string(), Palette::Own(inks).fitted(level)));
        self.at = self.all.len() - 1;
    }

    /// Says whether there is one of that name.
    pub fn choose(&mut self, name: &str) -> Option<Palette> {
        self.at = self.all.iter().position(|(known, _)| known == name)?;
        Some(self.palette())
    }

    pub fn turn(&mut self) -> Palette {
        self.at = (self.at + 1) % self.all.len();
        self.palette()
    }

    pub fn name(&self) -> &str {
        &self.all[self.at].0
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|(name, _)| name.as_str())
    }

    pub fn palette(&self) -> Palette {
        self.all[self.at].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Tone;
    use ratatui::style::Color;

    const LEVELS: [Colour; 4] = [Colour::TrueColour, Colour::Ansi256, Colour::Ansi16, Colour::Mono];

    #[test]
    fn every_theme_keeps_to_the_terminals_level() {
        for level in LEVELS {
            let mut themes = Themes::built_in(level);
            let names: Vec<String> = themes.names().map(String::from).collect();
            assert_eq!(names, Themes::NAMES);
            for name in names {
                let palette = themes.choose(&name).unwrap();
                for tone in Tone::ALL {
                    let fits = match (palette.style(*tone).fg, level) {
                        (None, _) | (Some(_), Colour::TrueColour) => true,
                        (Some(Color::Rgb(..)), _) | (Some(_), Colour::Mono) => false,
                        (Some(Color::Indexed(_)), level) => level == Colour::Ansi256,
                        (Some(_), _) => true,
                    };
                    assert!(fits, "{name} {tone:?} {level:?}");
                }
            }
        }
    }

    #[test]
    fn they_are_walked_through_in_a_circle() {
        let mut themes = Themes::built_in(Colour::TrueColour);
        themes.add("own", Inks::of(Palette::Light, super::super::Ground::Light), Colour::TrueColour);
        assert_eq!(themes.name(), "own");
        let walked: Vec<String> = (0..6)
            .map(|_| {
                themes.turn();
                themes.name().to_string()
            })
            .collect();
        assert_eq!(walked, ["default", "light", "ansi16", "mono", "high-contrast", "own"]);
        assert_eq!(themes.choose("nothing"), None);
        assert_eq!(themes.name(), "own");
    }

    #[test]
    fn themes_that_come_as_files_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/themes");
        let mut seen = 0;
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            Inks::read(&text, &path).unwrap();
            seen += 1;
        }
        assert!(seen >= 2, "{seen}");
    }

    #[test]
    fn the_light_file_says_what_the_light_theme_is() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/themes/light.toml");
        let inks = Inks::read(&std::fs::read_to_string(&path).unwrap(), &path).unwrap();
        for tone in Tone::ALL {
            assert_eq!(Palette::Own(inks).style(*tone), Palette::Light.style(*tone), "{tone:?}");
        }
    }
}
