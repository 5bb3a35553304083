//! A theme written in TOML: a colour and attributes for each meaning.
//!
//! Opens no file. What a file does not name looks as in the default theme, or in the light one on light ground.

use super::{Ground, Inks, Palette, Tone};
use crate::config::check::{Fault, Faults, leaves, nearest};
use ratatui::style::{Color, Modifier};
use std::path::Path;
use toml_edit::Value;

const GROUND: &str = "ground";
const COLOURS: &[(&str, Color)] = &[
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("gray", Color::Gray),
    ("dark-gray", Color::DarkGray),
    ("light-red", Color::LightRed),
    ("light-green", Color::LightGreen),
    ("light-yellow", Color::LightYellow),
    ("light-blue", Color::LightBlue),
    ("light-magenta", Color::LightMagenta),
    ("light-cyan", Color::LightCyan),
    ("white", Color::White),
];
const ATTRIBUTES: &[(&str, Modifier)] = &[
    ("plain", Modifier::empty()),
    ("bold", Modifier::BOLD),
    ("reverse", Modifier::REVERSED),
    ("dim", Modifier::DIM),
    ("underline", Modifier::UNDERLINED),
];

impl Inks {
    /// # Errors
    /// Everything that is wrong, each with its line.
    pub fn read(text: &str, origin: &Path) -> Result<Self, Faults> {
        let found = leaves(text, origin).map_err(|fault| Faults(vec![fault]))?;
        let light = found.iter().any(|leaf| leaf.path == GROUND && leaf.value.as_ref().and_then(Value::as_str) == Some("light"));
        let base = if light { Palette::Light } else { Palette::TrueColour };
        let mut inks = Self::of(base, if light { Ground::Light } else { Ground::Dark });
        let mut faults = Vec::new();
        for leaf in found {
            let text = match &leaf.value {
                Some(Value::String(text)) => Some(text.value().clone()),
                Some(Value::Integer(number)) => Some(number.value().to_string()),
                Some(Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_))
                | None => None,
            };
            let tone = Tone::ALL.iter().find(|tone| tone.name() == leaf.path);
            let done = match (leaf.path == GROUND, tone, text) {
                (true, _, Some(text)) if text == "dark" || text == "light" => Ok(()),
                (true, ..) => Err(format!("ground = {} is neither \"dark\" nor \"light\"", leaf.raw)),
                (false, Some(tone), Some(text)) => {
                    inks.change(*tone, &text).map_err(|why| format!("{} = {}: {why}", leaf.path, leaf.raw))
                }
                (false, Some(_), None) => Err(format!("{} = {} is not a colour; {}", leaf.path, leaf.raw, forms())),
                (false, None, _) => Err(unknown(&leaf.path)),
            };
            if let Err(text) = done {
                faults.push(Fault { place: leaf.place, text });
            }
        }
        if faults.is_empty() { Ok(inks) } else { Err(Faults(faults)) }
    }

    /// `#56b4e9 bold`: where no attribute is named the tone keeps its usual ones.
    fn change(&mut self, tone: Tone, text: &str) -> Result<(), String> {
        let ink = &mut self.inks[tone as usize];
        let mut attributes: Option<Modifier> = None;
        let mut words = text.split_whitespace().peekable();
        if words.peek().is_none() {
            return Err(format!("is empty; {}", forms()));
        }
        for (i, word) in words.enumerate() {
            let word = word.to_lowercase();
            if let Some((_, attribute)) = ATTRIBUTES.iter().find(|(name, _)| *name == word) {
                attributes = Some(attributes.unwrap_or_default() | *attribute);
            } else if i == 0 {
                let colour = colour(&word).ok_or_else(|| format!("'{word}' is no colour; {}", forms()))?;
                ink.colour = Some(colour).filter(|colour| *colour != Color::Reset);
            } else {
                return Err(format!("'{word}' is no attribute; {}", forms()));
            }
        }
        if let Some(attributes) = attributes {
            ink.modifier = attributes;
        }
        Ok(())
    }
}

/// `Reset` is the terminal's own.
fn colour(word: &str) -> Option<Color> {
    if word == "none" {
        return Some(Color::Reset);
    }
    if let Some(hex) = word.strip_prefix('#') {
        let number = u32::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 6 && hex.is_ascii())?;
        let [_, r, g, b] = number.to_be_bytes();
        return Some(Color::Rgb(r, g, b));
    }
    if let Ok(number) = word.parse::<u8>() {
        return Some(Color::Indexed(number));
    }
    COLOURS.iter().find(|(name, _)| *name == word).map(|(_, colour)| *colour)
}

fn forms() -> String {
    let names: Vec<&str> = COLOURS.iter().map(|(name, _)| *name).collect();
    let attributes: Vec<&str> = ATTRIBUTES.iter().map(|(name, _)| *name).collect();
    format!("allowed: \"#rrggbb\", 0 to 255, none, or one of {}; after it any of {}", names.join(", "), attributes.join(", "))
}

fn unknown(name: &str) -> String {
    let mut names: Vec<&'static str> = Tone::ALL.iter().map(|tone| tone.name()).collect();
    names.push(GROUND);
    let meant = nearest(name, &names).map_or_else(String::new, |name| format!("; did you mean {name}?"));
    format!("{name} is nothing that has a colour{meant} (allowed: {})", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    fn read(text: &str) -> Result<Inks, String> {
        Inks::read(text, Path::new("own.toml")).map_err(|faults| faults.to_string())
    }

    #[test]
    fn colours_and_attributes_in_every_form() {
        let inks = read(
            "accent = \"#0A0b0c underline\"\ndim = 245\nok = \"light-green\"\nmarker = \"none bold\"\nerror = \"red plain\"",
        )
        .unwrap();
        let palette = Palette::Own(inks);
        let of = |tone| palette.style(tone);
        assert_eq!(of(Tone::Accent), Style::new().fg(Color::Rgb(10, 11, 12)).add_modifier(Modifier::UNDERLINED));
        assert_eq!(of(Tone::Dim), Style::new().fg(Color::Indexed(245)));
        assert_eq!(of(Tone::Ok), Style::new().fg(Color::LightGreen));
        assert_eq!(of(Tone::Marker), Style::new().add_modifier(Modifier::BOLD));
        assert_eq!(of(Tone::Error), Style::new().fg(Color::Red));
        // What is not named is as it comes, attributes too.
        assert_eq!(of(Tone::Second), Palette::TrueColour.style(Tone::Second));
        assert_eq!(of(Tone::Selected), Palette::TrueColour.style(Tone::Selected));
    }

    #[test]
    fn light_ground_begins_from_the_light_theme() {
        let palette = Palette::Own(read("text = \"#000000\"\nground = \"light\"").unwrap());
        assert_eq!(palette.style(Tone::Ok), Palette::Light.style(Tone::Ok));
        assert_eq!(palette.ground(), Ground::Light);
    }

    #[test]
    fn faults_name_line_value_and_what_is_allowed() {
        for (text, says) in [
            ("\naccnt = \"red\"", "own.toml:2: accnt is nothing that has a colour; did you mean accent? (allowed: text, "),
            ("accent = \"redd\"", "own.toml:1: accent = \"redd\": 'redd' is no colour; allowed: \"#rrggbb\", 0 to 255"),
            ("accent = \"red blinking\"", "'blinking' is no attribute"),
            ("accent = \"#12345\"", "'#12345' is no colour"),
            ("accent = 256", "'256' is no colour"),
            ("accent = true", "accent = true is not a colour"),
            ("accent = \"\"", "is empty"),
            ("ground = \"grey\"", "neither \"dark\" nor \"light\""),
            ("[colours]\naccent = \"red\"", "colours.accent is nothing"),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.contains(says), "{text}\n{message}");
        }
    }
}
