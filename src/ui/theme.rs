//! Colours by meaning. Views name a [`Tone`]; only this file knows what it looks like on which terminal.
//!
//! It detects nothing (that is the capability probe) and never carries a meaning by colour alone: words, letters and glyphs
//! say the same, so that [`Palette::Mono`] loses nothing.

mod file;
mod list;

pub use list::Themes;

use super::capability::Colour;
use ratatui::style::{Color, Modifier, Style};

/// Which colours the terminal can show, and on which background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Palette {
    /// Okabe-Ito in RGB: told apart by colour-blind people.
    #[default]
    TrueColour,
    /// The nearest of the 6x6x6 cube.
    Ansi256,
    /// Named colours only, so the user's own scheme decides.
    Ansi16,
    /// RGB for a light background.
    Light,
    /// No colour at all; bold, dim and reverse carry the focus.
    Mono,
    /// A person's own.
    Own(Inks),
}

/// What is behind the text, as far as a theme knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ground {
    #[default]
    Dark,
    Light,
}

/// What every tone looks like, in the order of [`Tone::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inks {
    inks: [Ink; Tone::ALL.len()],
    ground: Ground,
    /// What it was fitted to.
    level: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Ink {
    colour: Option<Color>,
    modifier: Modifier,
}

impl Inks {
    fn of(palette: Palette, ground: Ground) -> Self {
        let mut inks = [Ink::default(); Tone::ALL.len()];
        for (ink, tone) in inks.iter_mut().zip(Tone::ALL) {
            let style = palette.style(*tone);
            *ink = Ink { colour: style.fg, modifier: style.add_modifier };
        }
        Self { inks, ground, level: Colour::TrueColour }
    }
}

/// What a cell means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Text,
    Dim,
    Title,
    /// Focus, and what is about to happen.
    Accent,
    Ok,
    Warn,
    Error,
    /// Curves, in legend order.
    First,
    Second,
    Third,
    Fourth,
    /// Letters of events on the charts.
    Marker,
    /// What the next key acts on.
    Selected,
}

impl Tone {
    pub const ALL: &[Self] = &[
        Self::Text,
        Self::Dim,
        Self::Title,
        Self::Accent,
        Self::Ok,
        Self::Warn,
        Self::Error,
        Self::First,
        Self::Second,
        Self::Third,
        Self::Fourth,
        Self::Marker,
        Self::Selected,
    ];

    /// As theme files name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Dim => "dim",
            Self::Title => "title",
            Self::Accent => "accent",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::First => "first",
            Self::Second => "second",
            Self::Third => "third",
            Self::Fourth => "fourth",
            Self::Marker => "marker",
            Self::Selected => "selected",
        }
    }
}

/// Okabe-Ito (2008), as 24-bit numbers.
const ORANGE: u32 = 0xE6_9F_00;
const SKY: u32 = 0x56_B4_E9;
const GREEN: u32 = 0x00_9E_73;
const YELLOW: u32 = 0xF0_E4_42;
const BLUE: u32 = 0x00_72_B2;
const VERMILION: u32 = 0xD5_5E_00;
const PURPLE: u32 = 0xCC_79_A7;

/// Percent of a colour in its fainter shade; the rest is the ground.
const SHADE: u32 = 55;

impl Palette {
    pub fn style(self, tone: Tone) -> Style {
        if let Self::Own(own) = self {
            let ink = own.inks[tone as usize];
            let style = ink.colour.map_or_else(Style::new, |colour| Style::new().fg(colour));
            return style.add_modifier(ink.modifier);
        }
        let style = self.colour(tone).map_or_else(Style::new, |colour| Style::new().fg(colour));
        match tone {
            Tone::Title | Tone::Accent | Tone::Error | Tone::Warn => style.add_modifier(Modifier::BOLD),
            Tone::Marker | Tone::Selected => style.add_modifier(Modifier::REVERSED),
            Tone::Dim if self == Self::Mono => style.add_modifier(Modifier::DIM),
            Tone::Text | Tone::Dim | Tone::Ok | Tone::First | Tone::Second | Tone::Third | Tone::Fourth => style,
        }
    }

    /// A fainter shade of a tone, for what lies behind a curve: its band, and the same curve of another run.
    pub fn faded(self, tone: Tone) -> Style {
        let style = self.style(tone);
        let mixed = |[r, g, b]: [u8; 3]| {
            let ground = match self.ground() {
                Ground::Dark => 0,
                Ground::Light => u32::from(u8::MAX),
            };
            let mix = |part: u8| ((u32::from(part) * SHADE + ground * (100 - SHADE)) / 100) as u8;
            [mix(r), mix(g), mix(b)]
        };
        match (self.level(), style.fg.and_then(in_rgb)) {
            (Colour::TrueColour, Some(colour)) => {
                let [r, g, b] = mixed(colour);
                style.fg(Color::Rgb(r, g, b))
            }
            (Colour::Ansi256, Some(colour)) => style.fg(Color::Indexed(nearest_pixel(mixed(colour)))),
            (Colour::TrueColour | Colour::Ansi256 | Colour::Ansi16 | Colour::Mono, _) => style.add_modifier(Modifier::DIM),
        }
    }

    /// Whether curves need letters because there is no colour to tell them apart.
    pub fn is_mono(self) -> bool {
        let of = |tone| self.style(tone).fg;
        let (first, second, third) = (of(Tone::First), of(Tone::Second), of(Tone::Third));
        first == second || second == third || first == third
    }

    /// The level of colours that it needs.
    pub fn level(self) -> Colour {
        match self {
            Self::Own(own) => own.level,
            Self::TrueColour | Self::Light => Colour::TrueColour,
            Self::Ansi256 => Colour::Ansi256,
            Self::Ansi16 => Colour::Ansi16,
            Self::Mono => Colour::Mono,
        }
    }

    /// What pictures of this are drawn on.
    pub fn ground(self) -> Ground {
        match self {
            Self::Own(own) => own.ground,
            Self::Light => Ground::Light,
            Self::TrueColour | Self::Ansi256 | Self::Ansi16 | Self::Mono => Ground::Dark,
        }
    }

    /// A person's own colours in those that the terminal can show.
    #[must_use]
    pub fn fitted(self, level: Colour) -> Self {
        let Self::Own(mut own) = self else { return self };
        own.level = level;
        for (ink, tone) in own.inks.iter_mut().zip(Tone::ALL) {
            ink.colour = ink.colour.and_then(|colour| fit(colour, level));
            if level == Colour::Mono {
                // Without colours the attributes are all there is.
                ink.modifier |= Self::Mono.style(*tone).add_modifier;
            }
        }
        Self::Own(own)
    }

    /// The colour of a picture's pixel; `None` where there are too few colours for pictures.
    pub fn pixel(self, [r, g, b]: [u8; 3]) -> Option<Color> {
        match self.level() {
            Colour::TrueColour => Some(Color::Rgb(r, g, b)),
            Colour::Ansi256 => Some(Color::Indexed(nearest_pixel([r, g, b]))),
            Colour::Ansi16 | Colour::Mono => None,
        }
    }

    fn colour(self, tone: Tone) -> Option<Color> {
        match self {
            Self::Own(own) => own.inks[tone as usize].colour,
            Self::Mono => None,
            Self::TrueColour => dark(tone).map(rgb),
            Self::Ansi256 => dark(tone).map(|colour| Color::Indexed(nearest(colour))),
            Self::Light => light(tone).map(rgb),
            Self::Ansi16 => named(tone),
        }
    }
}

fn dark(tone: Tone) -> Option<u32> {
    match tone {
        Tone::Text | Tone::Title | Tone::Selected => None,
        Tone::Dim => Some(0x8A_8A_8A),
        Tone::Accent | Tone::First => Some(SKY),
        Tone::Ok | Tone::Fourth => Some(GREEN),
        Tone::Warn | Tone::Second => Some(ORANGE),
        Tone::Error => Some(VERMILION),
        Tone::Third => Some(PURPLE),
        Tone::Marker => Some(YELLOW),
    }
}

fn light(tone: Tone) -> Option<u32> {
    match tone {
        Tone::Text | Tone::Title | Tone::Selected => None,
        Tone::Dim => Some(0x6A_6A_6A),
        Tone::Accent | Tone::First => Some(BLUE),
        Tone::Ok | Tone::Fourth => Some(0x00_6B_4E),
        Tone::Warn | Tone::Second => Some(0x9A_60_00),
        Tone::Error | Tone::Marker => Some(0xA8_3E_00),
        Tone::Third => Some(0x9B_3F_74),
    }
}

fn named(tone: Tone) -> Option<Color> {
    match tone {
        Tone::Text | Tone::Title | Tone::Selected => None,
        Tone::Dim => Some(Color::DarkGray),
        Tone::Accent | Tone::First => Some(Color::Cyan),
        Tone::Ok | Tone::Fourth => Some(Color::Green),
        Tone::Warn | Tone::Second | Tone::Marker => Some(Color::Yellow),
        Tone::Error => Some(Color::Red),
        Tone::Third => Some(Color::Magenta),
    }
}

fn rgb(colour: u32) -> Color {
    let [_, r, g, b] = colour.to_be_bytes();
    Color::Rgb(r, g, b)
}

fn fit(colour: Color, level: Colour) -> Option<Color> {
    match (level, colour) {
        (Colour::Mono, _) => None,
        (Colour::Ansi256, Color::Rgb(r, g, b)) => Some(Color::Indexed(nearest(u32::from_be_bytes([0, r, g, b])))),
        (Colour::Ansi16, Color::Rgb(..) | Color::Indexed(_)) => Some(sixteen(in_rgb(colour)?)),
        (Colour::TrueColour | Colour::Ansi256 | Colour::Ansi16, colour) => Some(colour),
    }
}

/// xterm's sixteen, in the order of their numbers.
const SIXTEEN: [(Color, u32); 16] = [
    (Color::Black, 0x00_00_00),
    (Color::Red, 0xCD_00_00),
    (Color::Green, 0x00_CD_00),
    (Color::Yellow, 0xCD_CD_00),
    (Color::Blue, 0x00_00_EE),
    (Color::Magenta, 0xCD_00_CD),
    (Color::Cyan, 0x00_CD_CD),
    (Color::Gray, 0xE5_E5_E5),
    (Color::DarkGray, 0x7F_7F_7F),
    (Color::LightRed, 0xFF_00_00),
    (Color::LightGreen, 0x00_FF_00),
    (Color::LightYellow, 0xFF_FF_00),
    (Color::LightBlue, 0x5C_5C_FF),
    (Color::LightMagenta, 0xFF_00_FF),
    (Color::LightCyan, 0x00_FF_FF),
    (Color::White, 0xFF_FF_FF),
];

/// As red, green and blue; named colours as xterm has them. `None`: the terminal's own.
pub fn in_rgb(colour: Color) -> Option<[u8; 3]> {
    let split = |colour: u32| {
        let [_, r, g, b] = colour.to_be_bytes();
        [r, g, b]
    };
    match colour {
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(n @ 0..=15) => Some(split(SIXTEEN[usize::from(n)].1)),
        Color::Indexed(n @ 16..=231) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            Some([level((n - 16) / 36), level((n - 16) / 6 % 6), level((n - 16) % 6)])
        }
        Color::Indexed(n) => Some([8 + 10 * (n - 232); 3]),
        named => SIXTEEN.iter().find(|(colour, _)| *colour == named).map(|(_, colour)| split(*colour)),
    }
}

/// The nearest of the sixteen names.
fn sixteen([r, g, b]: [u8; 3]) -> Color {
    let far = |colour: u32| {
        let [_, red, green, blue] = colour.to_be_bytes();
        [(r, red), (g, green), (b, blue)].iter().map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum::<u32>()
    };
    SIXTEEN.iter().min_by_key(|(_, colour)| far(*colour)).map_or(Color::Reset, |(colour, _)| *colour)
}

/// The nearest colour of xterm's cube (levels 0, 95, 135, ..., 255) or of its grey ramp.
fn nearest(colour: u32) -> u8 {
    let [_, r, g, b] = colour.to_be_bytes();
    if r == g && g == b {
        return 232 + ((u16::from(r).saturating_sub(3)) / 10).min(23) as u8;
    }
    let level = |c: u8| if c < 48 { 0 } else { (u16::from(c).saturating_sub(35) / 40).min(5) as u8 };
    16 + 36 * level(r) + 6 * level(g) + level(b)
}

/// As [`nearest`], by distance: pictures are full of what is almost grey, and the ramp has more greys than the cube.
fn nearest_pixel(pixel: [u8; 3]) -> u8 {
    const LEVELS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let far = |of: [i32; 3]| pixel.iter().zip(of).map(|(&a, b)| (i32::from(a) - b).pow(2)).sum::<i32>();
    let level = |part: u8| (0..6).min_by_key(|&i| (i32::from(part) - LEVELS[i]).abs()).unwrap_or(0);
    let cube = pixel.map(level);
    let mean = pixel.iter().map(|&part| i32::from(part)).sum::<i32>() / 3;
    let step = ((mean - 3) / 10).clamp(0, 23);
    if far([8 + 10 * step; 3]) < far(cube.map(|i| LEVELS[i])) {
        232 + step as u8
    } else {
        (16 + 36 * cube[0] + 6 * cube[1] + cube[2]) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_has_no_colour_and_keeps_the_cues() {
        for tone in [Tone::Dim, Tone::Accent, Tone::Error, Tone::First, Tone::Marker, Tone::Selected] {
            let style = Palette::Mono.style(tone);
            assert_eq!((style.fg, style.bg), (None, None), "{tone:?}");
        }
        assert!(Palette::Mono.style(Tone::Selected).add_modifier.contains(Modifier::REVERSED));
        assert!(Palette::Mono.style(Tone::Error).add_modifier.contains(Modifier::BOLD));
    }

    #[test]
    fn colours_map_to_the_cube_they_are_nearest_to() {
        assert_eq!((nearest(0xFF_FF_FF), nearest(0xFF_00_00), nearest(SKY)), (255, 196, 74));
    }

    #[test]
    fn a_faded_tone_is_another_than_the_tone_and_than_the_other_faded_ones() {
        let curves = [Tone::First, Tone::Second, Tone::Third, Tone::Fourth];
        for palette in [Palette::TrueColour, Palette::Light, Palette::Ansi256, Palette::Ansi16] {
            for (i, tone) in curves.into_iter().enumerate() {
                assert_ne!(palette.faded(tone), palette.style(tone), "{palette:?} {tone:?}");
                assert!(curves[i + 1..].iter().all(|other| palette.faded(*other) != palette.faded(tone)), "{palette:?} {tone:?}");
            }
        }
        let mono = Palette::Mono.faded(Tone::First);
        assert!(mono.fg.is_none() && mono.add_modifier.contains(Modifier::DIM));
        assert_eq!(Palette::TrueColour.faded(Tone::First).fg, Some(Color::Rgb(47, 99, 128)));
    }

    #[test]
    fn pixels_are_nearest_to_cube_or_ramp_whichever_is_nearer() {
        assert_eq!((nearest_pixel([255; 3]), nearest_pixel([0; 3]), nearest_pixel([128; 3])), (231, 16, 244));
        assert_eq!((nearest_pixel([250, 5, 3]), nearest_pixel([60, 62, 58]), nearest_pixel([95, 135, 175])), (196, 237, 67));
        assert_eq!(Palette::Mono.pixel([1, 2, 3]), None);
        assert_eq!(Palette::Light.pixel([1, 2, 3]), Some(Color::Rgb(1, 2, 3)));
    }
}
