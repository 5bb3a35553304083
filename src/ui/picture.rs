//! A screen as a picture: the cells of a buffer as SVG, for a page, a paper or a bug report.
//!
//! Letters are text, each word at its own place, so that any monospaced font will do. Curves, bars and borders are drawn as shapes: no
//! viewer needs a font that has them, and they join without seams.

mod lines;

pub use lines::{ansi, text};

use super::theme::{Ground, in_rgb};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::collections::BTreeMap;
use std::fmt::Write;

const CELL: (f64, f64) = (8.0, 17.0);
const MARGIN: f64 = 12.0;
/// Of `DejaVu Sans Mono`, whose letters are 0.602 of it wide: they fill the cell.
const FONT_SIZE: f64 = 13.3;

/// What stands for the terminal's own colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {
    Dark,
    Light,
}

impl Paper {
    pub fn of(ground: Ground) -> Self {
        match ground {
            Ground::Dark => Self::Dark,
            Ground::Light => Self::Light,
        }
    }

    fn ground(self) -> &'static str {
        match self {
            Self::Dark => "#11151a",
            Self::Light => "#fdfdfb",
        }
    }

    fn ink(self) -> &'static str {
        match self {
            Self::Dark => "#d6dae0",
            Self::Light => "#22262b",
        }
    }
}

/// The whole buffer, as the contents of an SVG file.
pub fn svg(buffer: &Buffer, paper: Paper) -> String {
    let area = buffer.area;
    let (width, height) = (f64::from(area.width) * CELL.0 + 2.0 * MARGIN, f64::from(area.height) * CELL.1 + 2.0 * MARGIN);
    let mut grounds = String::new();
    // One path a colour: thousands of elements would make a page slow.
    let mut shapes: BTreeMap<String, String> = BTreeMap::new();
    let mut texts = String::new();
    for y in area.top()..area.bottom() {
        let mut run = Run::default();
        for x in area.left()..area.right() {
            let cell = &buffer[(x, y)];
            let (ink, ground) = colours(cell, paper);
            let at = (MARGIN + f64::from(x - area.x) * CELL.0, MARGIN + f64::from(y - area.y) * CELL.1);
            if let Some(ground) = ground {
                let _ = write!(
                    grounds,
                    r#"<rect x="{}" y="{}" width="{}" height="{}" fill="{ground}"/>"#,
                    at.0, at.1, CELL.0, CELL.1
                );
            }
            let symbol = cell.symbol();
            let mut path = String::new();
            if let Some(glyph) = symbol.chars().next().filter(|c| *c != ' ') {
                shape(glyph, at, &mut path);
            }
            if !path.is_empty() {
                shapes.entry(ink).or_default().push_str(&path);
            } else if !symbol.trim().is_empty() {
                run.push(symbol, at, ink, cell.modifier.contains(Modifier::BOLD), &mut texts);
                continue;
            }
            run.end(&mut texts);
        }
        run.end(&mut texts);
    }
    let mut paths = String::new();
    for (ink, path) in shapes {
        let _ = writeln!(paths, r#"<path fill="{ink}" d="{path}"/>"#);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n<g shape-rendering=\"crispEdges\">{grounds}\n{paths}</g>\
         <g font-family=\"DejaVu Sans Mono, Menlo, Consolas, Liberation Mono, monospace\" font-size=\"{FONT_SIZE}\">\n{texts}</g>\n\
         </svg>\n",
        paper.ground()
    )
}

/// A word of one colour and weight. Each word has its own place, and its length is given, so that another font's widths do not
/// add up; not each letter, because not every viewer heeds that.
#[derive(Default)]
struct Run {
    ink: String,
    bold: bool,
    at: (f64, f64),
    cells: u32,
    letters: String,
}

impl Run {
    fn push(&mut self, symbol: &str, at: (f64, f64), ink: String, bold: bool, texts: &mut String) {
        if self.ink != ink || self.bold != bold {
            self.end(texts);
            (self.ink, self.bold) = (ink, bold);
        }
        if self.cells == 0 {
            self.at = (at.0, at.1 + CELL.1 * 0.75);
        }
        self.cells += 1;
        for c in symbol.chars() {
            match c {
                '&' => self.letters.push_str("&amp;"),
                '<' => self.letters.push_str("&lt;"),
                '>' => self.letters.push_str("&gt;"),
                c => self.letters.push(c),
            }
        }
    }

    fn end(&mut self, texts: &mut String) {
        if !self.letters.is_empty() {
            let weight = if self.bold { " font-weight=\"bold\"" } else { "" };
            let Self { ink, at: (x, y), letters, .. } = self;
            let length = f64::from(self.cells) * CELL.0;
            let _ = writeln!(
                texts,
                "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{ink}\"{weight}>{letters}</text>"
            );
        }
        *self = Self::default();
    }
}

/// Ink, and the ground where it is not the paper.
fn colours(cell: &Cell, paper: Paper) -> (String, Option<String>) {
    let ink = colour(cell.fg).unwrap_or_else(|| paper.ink().to_string());
    let ground = colour(cell.bg);
    if cell.modifier.contains(Modifier::REVERSED) {
        (ground.unwrap_or_else(|| paper.ground().to_string()), Some(ink))
    } else {
        (ink, ground)
    }
}

/// `None`: the terminal's own.
fn colour(colour: Color) -> Option<String> {
    in_rgb(colour).map(|[r, g, b]| format!("#{r:02x}{g:02x}{b:02x}"))
}

fn rect(path: &mut String, x: f64, y: f64, width: f64, height: f64) {
    let short = |v: f64| (v * 100.0).round() / 100.0;
    let (x, y, width, height) = (short(x), short(y), short(width), short(height));
    let _ = write!(path, "M{x} {y}h{width}v{height}h-{width}z");
}

/// What is not a letter, as rectangles; nothing for a letter.
fn shape(glyph: char, (x, y): (f64, f64), path: &mut String) {
    let (width, height) = CELL;
    let eighth = |n: u32| f64::from(n) / 8.0;
    match glyph {
        '\u{2800}'..='\u{28ff}' => {
            let bits = u32::from(glyph) - 0x2800;
            for (bit, (column, row)) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)].into_iter().enumerate() {
                if bits >> bit & 1 == 1 {
                    let (column, row) = (f64::from(column), f64::from(row));
                    rect(path, x + (column + 0.5) * width / 2.0 - 1.0, y + (row + 0.5) * height / 4.0 - 1.0, 2.0, 2.0);
                }
            }
        }
        // A little lower than the cell, so that two bars one above the other stay two.
        '█' => rect(path, x, y + 1.0, width, height - 2.0),
        '▉'..='▏' => rect(path, x, y + 1.0, width * eighth(0x2590 - u32::from(glyph)), height - 2.0),
        '▁'..='▇' => {
            let part = height * eighth(u32::from(glyph) - 0x2580);
            rect(path, x, y + height - part, width, part);
        }
        '▀' => rect(path, x, y, width, height / 2.0),
        '╌' => rect(path, x + 1.0, y + height / 2.0 - 0.6, width - 2.0, 1.2),
        '┊' => [0.1, 0.4, 0.7].iter().for_each(|at| rect(path, x + width / 2.0 - 0.5, y + height * at, 1.0, height / 6.0)),
        _ => border(glyph, (x, y), path),
    }
}

/// The arms of a border's piece: left, right, up, down, and how thick they are.
fn border(glyph: char, (x, y): (f64, f64), path: &mut String) {
    let (arms, thick) = match glyph {
        '─' => ("lr", 1.0),
        '│' => ("ud", 1.0),
        '┌' => ("rd", 1.0),
        '┐' => ("ld", 1.0),
        '└' => ("ru", 1.0),
        '┘' => ("lu", 1.0),
        '━' | '═' => ("lr", 2.2),
        '┃' | '║' => ("ud", 2.2),
        '┏' | '╔' => ("rd", 2.2),
        '┓' | '╗' => ("ld", 2.2),
        '┗' | '╚' => ("ru", 2.2),
        '┛' | '╝' => ("lu", 2.2),
        _ => return,
    };
    let (width, height) = CELL;
    let (middle, centre, half) = (x + width / 2.0, y + height / 2.0, thick / 2.0);
    for arm in arms.chars() {
        match arm {
            'l' => rect(path, x, centre - half, width / 2.0 + half, thick),
            'r' => rect(path, middle - half, centre - half, width / 2.0 + half, thick),
            'u' => rect(path, middle - half, y, thick, height / 2.0 + half),
            _ => rect(path, middle - half, centre - half, thick, height / 2.0 + half),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn letters_are_text_and_curves_are_shapes() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        buffer.set_string(0, 0, "a<⣀─", Style::new().fg(Color::Rgb(1, 2, 255)));
        buffer.set_string(4, 0, "b", Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD));
        let svg = svg(&buffer, Paper::Dark);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(
            svg.contains(
                r##"<text x="12" y="24.75" textLength="16" lengthAdjust="spacingAndGlyphs" fill="#0102ff">a&lt;</text>"##
            ),
            "{svg}"
        );
        assert!(svg.contains(r##"<path fill="#0102ff" d="M"##) && !svg.contains(['⣀', '─']));
        assert!(svg.contains(r#"font-weight="bold">b</text>"#) && svg.contains(Paper::Dark.ink()));
    }

    #[test]
    fn two_pixels_of_a_cell_are_its_ground_and_a_half_of_ink_above() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 1, 1));
        buffer.set_string(0, 0, "▀", Style::new().fg(Color::Rgb(255, 0, 0)).bg(Color::Rgb(0, 0, 255)));
        let svg = svg(&buffer, Paper::Dark);
        let ground = svg.find(r##"<rect x="12" y="12" width="8" height="17" fill="#0000ff"/>"##).unwrap();
        let ink = svg.find(r##"<path fill="#ff0000" d="M12 12h8v8.5h-8z"/>"##).unwrap();
        assert!(ground < ink, "what comes later lies above");
    }

    #[test]
    fn every_piece_the_screen_draws_with_has_a_shape() {
        for glyph in "⠁⣿█▉▊▋▌▍▎▏▁▂▃▄▅▆▇▀╌┊─│┌┐└┘━┃┏┓┗┛═║╔╗╚╝".chars()
        {
            let mut path = String::new();
            shape(glyph, (0.0, 0.0), &mut path);
            assert!(path.starts_with('M'), "{glyph}");
        }
    }
}
