//! Small pictures: taken out of a record, scaled, and laid into cells.
//!
//! It knows nothing of the run. What comes in may be damaged in any way, and then there is an error instead of a picture.

use super::capability::Colour;
use super::glyphs::Glyphs;
use super::theme::{Ground, Palette};
use crate::protocol::insight::{Piece, Pixels};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;

/// Pixels row by row; grey ones have three equal parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raster {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

/// The three pictures of one piece, in the order in which they stand side by side.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// x, x + delta, and 0.5 + 10 delta, in which grey is no change.
    pub three: [Arc<Raster>; 3],
}

impl Pictures {
    /// Takes the pictures out of a record's text, or says what is wrong with it.
    pub fn of(piece: &Piece) -> Result<Self, String> {
        let raster = |Pixels { width, height, rgb }| Arc::new(Raster { width, height, pixels: rgb });
        Ok(Self { three: piece.pixels()?.map(raster) })
    }
}

impl Raster {
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.height
    }

    /// Red, green and blue of each pixel, row by row.
    pub fn rgb(&self) -> impl Iterator<Item = u8> {
        self.pixels.iter().flatten().copied()
    }

    /// The largest size in a room of `width` x `height` pixels that keeps the proportions: whole multiples upwards, so that all pixels
    /// stay alike. Nothing where there is no room at all.
    pub fn fit(&self, width: usize, height: usize) -> (usize, usize) {
        if width == 0 || height == 0 {
            return (0, 0);
        }
        let times = (width / self.width).min(height / self.height);
        if times >= 1 {
            return (self.width * times, self.height * times);
        }
        // Which side is the narrower one, without a rounding of its own.
        if width * self.height <= height * self.width {
            (width, (self.height * width / self.width).max(1))
        } else {
            ((self.width * height / self.height).max(1), height)
        }
    }

    /// Averages over areas where it becomes smaller, repeats pixels where it becomes larger.
    #[must_use]
    pub fn scaled(&self, width: usize, height: usize) -> Raster {
        let (columns, rows) = (parts(self.width, width), parts(self.height, height));
        let mut pixels = Vec::with_capacity(width * height);
        for row in &rows {
            for column in &columns {
                let (mut sums, mut all) = ([0.0; 3], 0.0);
                for &(y, tall) in row {
                    for &(x, wide) in column {
                        let weight = tall * wide;
                        all += weight;
                        let pixel = self.pixels[y * self.width + x];
                        for (sum, part) in sums.iter_mut().zip(pixel) {
                            *sum += weight * f64::from(part);
                        }
                    }
                }
                pixels.push(sums.map(|sum| (sum / all).round() as u8));
            }
        }
        Raster { width, height, pixels }
    }

    fn at(&self, x: usize, y: usize) -> Option<[u8; 3]> {
        if x < self.width { self.pixels.get(y * self.width + x).copied() } else { None }
    }
}

/// Which of `from` pixels make up each of `to`, and with what weight.
fn parts(from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
    let step = from as f64 / to.max(1) as f64;
    let part = |at: usize| {
        if to >= from {
            return vec![((2 * at + 1) * from / (2 * to), 1.0)];
        }
        let (begin, end) = (at as f64 * step, (at + 1) as f64 * step);
        let covered = |i: usize| (end.min((i + 1) as f64) - begin.max(i as f64)).max(0.0);
        let range = begin.floor() as usize..(end.ceil() as usize).min(from);
        range.map(|i| (i, covered(i))).filter(|(_, weight)| *weight > 0.0).collect()
    };
    (0..to).map(part).collect()
}

/// What a picture is laid into cells with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Two pixels a cell, in the palette's colours.
    Colours(Palette),
    /// One character a cell, dark to light.
    Ramp(&'static [char]),
}

const LETTERS: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];
/// For a light ground, on which more ink is darker.
const LETTERS_ON_LIGHT: [char; 10] = ['@', '%', '#', '*', '+', '=', '-', ':', '.', ' '];
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

impl Ink {
    /// The best that a terminal of these colours and glyphs has. The ground is taken to be dark unless the palette is for a light one.
    pub fn of(palette: Palette, glyphs: Glyphs) -> Self {
        let light = palette.ground() == Ground::Light;
        match (glyphs, palette.level()) {
            (Glyphs::Ascii, _) if light => Self::Ramp(&LETTERS_ON_LIGHT),
            (Glyphs::Ascii, Colour::TrueColour | Colour::Ansi256 | Colour::Ansi16 | Colour::Mono) => Self::Ramp(&LETTERS),
            (Glyphs::Braille | Glyphs::Half, Colour::TrueColour | Colour::Ansi256) => Self::Colours(palette),
            (Glyphs::Braille | Glyphs::Half, Colour::Ansi16 | Colour::Mono) => Self::Ramp(&SHADES),
        }
    }
}

/// Lays a picture into an area, scaled to it: a cell is one pixel wide and two high.
pub fn lay(raster: &Raster, (width, height): (usize, usize), area: Rect, ink: Ink, buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    if width == 0 || height == 0 || area.is_empty() {
        return;
    }
    let scaled = if (width, height) == (raster.width, raster.height) { None } else { Some(raster.scaled(width, height)) };
    let scaled = scaled.as_ref().unwrap_or(raster);
    for (row, y) in (area.y..area.bottom()).enumerate() {
        for (column, x) in (area.x..area.right()).enumerate() {
            let Some(upper) = scaled.at(column, 2 * row) else { continue };
            let lower = scaled.at(column, 2 * row + 1);
            let cell = &mut buffer[(x, y)];
            match ink {
                Ink::Colours(palette) => {
                    cell.set_char('▀');
                    if let Some(colour) = palette.pixel(upper) {
                        cell.set_fg(colour);
                    }
                    if let Some(colour) = lower.and_then(|lower| palette.pixel(lower)) {
                        cell.set_bg(colour);
                    }
                }
                Ink::Ramp(ramp) => {
                    let light = lower.map_or(luminance(upper), |lower| 0.5 * (luminance(upper) + luminance(lower)));
                    let level = (light * ramp.len() as f64) as usize;
                    cell.set_char(ramp[level.min(ramp.len() - 1)]);
                }
            }
        }
    }
}

/// How light a pixel looks, 0 to 1 (Rec. 601).
fn luminance([r, g, b]: [u8; 3]) -> f64 {
    (0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::insight::{Group, Guess, Guesses};
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use ratatui::style::Color;

    fn grey(width: usize, values: &[u8]) -> Raster {
        Raster { width, height: values.len() / width, pixels: values.iter().map(|v| [*v; 3]).collect() }
    }

    fn piece(shape: [u64; 3], image: &[u8], delta: &[u8]) -> Piece {
        let guess = Guess { class: 0, confidence: 0.5 };
        Piece {
            group: Group::Fooled,
            index: 0,
            label: 0,
            shape,
            image: BASE64_STANDARD.encode(image),
            delta: BASE64_STANDARD.encode(delta),
            scale: 0.02,
            student: Guesses { before: guess, after: guess },
            teacher: None,
        }
    }

    #[test]
    fn the_three_pictures_are_x_the_attacked_and_ten_times_the_change() {
        let pictures = Pictures::of(&piece([1, 1, 4], &[0, 100, 100, 255], &[1, 128, 255, 255])).unwrap();
        let [image, attacked, change] = pictures.three.map(|r| r.rgb().step_by(3).collect::<Vec<_>>());
        assert_eq!(image, [0, 100, 100, 255]);
        assert_eq!(attacked, [0, 100, 105, 255], "0.02 * 255 is 5.1, and nothing leaves 0 to 255");
        assert_eq!(change, [77, 128, 179, 179], "0.5 -+ 0.2; grey is no change");
    }

    #[test]
    fn channels_are_planes() {
        let pictures = Pictures::of(&piece([3, 1, 2], &[1, 2, 3, 4, 5, 6], &[128; 6])).unwrap();
        assert_eq!(pictures.three[0].rgb().collect::<Vec<_>>(), [1, 3, 5, 2, 4, 6]);
    }

    #[test]
    fn damaged_pieces_are_errors() {
        let whole = piece([1, 2, 2], &[0; 4], &[128; 4]);
        let said = |change: &dyn Fn(&mut Piece)| {
            let mut damaged = whole.clone();
            change(&mut damaged);
            Pictures::of(&damaged).unwrap_err()
        };
        assert!(said(&|p| p.shape = [0, 0, 0]).contains("shape is 0x0x0"));
        assert!(said(&|p| p.shape = [2, 2, 2]).contains("shape"));
        assert!(said(&|p| p.shape = [1, u64::MAX, u64::MAX]).contains("shape"));
        assert!(said(&|p| p.image = "?".into()).contains("base64 of its image"));
        assert!(said(&|p| p.delta = "AAAA".into()).contains("its perturbation has 3 bytes where 4 belong"));
        assert!(said(&|p| p.image = "A".repeat(10_000)).contains("longer"));
        assert!(said(&|p| p.scale = f64::NAN).contains("lost"));
    }

    #[test]
    fn smaller_is_averaged_and_larger_is_repeated() {
        let raster = grey(4, &[0, 100, 200, 100, 0, 100, 200, 100]);
        assert_eq!(raster.scaled(2, 1), grey(2, &[50, 150]));
        assert_eq!(raster.scaled(3, 2).pixels[0], [25; 3], "a whole pixel and a third of the next");
        assert_eq!(grey(2, &[1, 2]).scaled(4, 2), grey(4, &[1, 1, 2, 2, 1, 1, 2, 2]));
        assert_eq!(grey(1, &[9]).scaled(0, 0).pixels, Vec::<[u8; 3]>::new());
    }

    #[test]
    fn proportions_are_kept() {
        let square = grey(28, &[0; 784]);
        assert_eq!((square.fit(25, 26), square.fit(26, 25)), ((25, 25), (25, 25)));
        assert_eq!((square.fit(28, 40), square.fit(60, 57), square.fit(60, 55)), ((28, 28), (56, 56), (28, 28)));
        assert_eq!(square.fit(0, 9), (0, 0));
        assert_eq!(grey(64, &[0; 64]).fit(10, 10), (10, 1));
    }

    #[test]
    fn a_cell_is_two_pixels_and_an_odd_last_row_is_half_a_cell() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 3, 3));
        lay(&grey(1, &[10, 20, 30]), (1, 3), Rect::new(1, 0, 1, 2), Ink::Colours(Palette::TrueColour), &mut buffer);
        let rgb = |v| Color::Rgb(v, v, v);
        let cell = |x, y| (buffer[(x, y)].symbol().to_string(), buffer[(x, y)].fg, buffer[(x, y)].bg);
        assert_eq!(cell(1, 0), ("▀".into(), rgb(10), rgb(20)));
        assert_eq!(cell(1, 1), ("▀".into(), rgb(30), Color::Reset));
        assert_eq!(cell(0, 0).0, " ");
    }

    #[test]
    fn without_colours_light_is_a_character() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 1));
        let raster = grey(4, &[0, 128, 255, 255, 0, 128, 255, 0]);
        lay(&raster, (4, 2), buffer.area, Ink::of(Palette::Mono, Glyphs::Ascii), &mut buffer);
        assert_eq!(buffer, Buffer::with_lines([" +@+"]));
        lay(&raster, (4, 2), buffer.area, Ink::of(Palette::Ansi16, Glyphs::Half), &mut buffer);
        assert_eq!(buffer, Buffer::with_lines([" ▒█▒"]));
        lay(&raster, (4, 2), buffer.area, Ink::of(Palette::Light, Glyphs::Ascii), &mut buffer);
        assert_eq!(buffer, Buffer::with_lines(["@= ="]));
    }
}
