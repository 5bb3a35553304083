//! Elements of SVG, one after the other; and how wide words come out.
//!
//! Numbers are rounded to hundredths, so that the same picture is the same bytes on every machine.

use std::fmt::Write;
use unicode_width::UnicodeWidthChar;

/// For text and for attributes: what is markup is written out, and characters that XML does not allow are shown as `?`.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' | '\t' => escaped.push(c),
            // Unpaired halves cannot be in a string; these two are no characters to XML.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('?'),
            // What turns the direction of writing around could make a line read as another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// About how many pixels a text of 12 pixels takes; wide enough for the fonts that pages choose.
pub fn width(text: &str) -> f64 {
    text.chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 't' | 'f' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' | '(' | ')' | '[' | ']' => 4.2,
            'm' | 'w' | 'M' | 'W' | '%' => 10.6,
            'A'..='Z' => 8.4,
            c => 7.2 * c.width().unwrap_or(0) as f64,
        })
        .sum()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// What is drawn so far.
#[derive(Debug, Default)]
pub struct Canvas {
    pub body: String,
}

fn short(value: f64) -> f64 {
    // Not `-0`.
    (value * 100.0).round() / 100.0 + 0.0
}

impl Canvas {
    pub fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(short);
        let _ = writeln!(self.body, r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#);
    }

    pub fn path(&mut self, class: &str, points: &[(f64, f64)], closed: Ends) {
        if points.len() < 2 {
            return;
        }
        let mut d = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let _ = write!(d, "{}{} {}", if i == 0 { 'M' } else { 'L' }, short(*x), short(*y));
        }
        d += match closed {
            Ends::Open => "",
            Ends::Closed => "Z",
        };
        let _ = writeln!(self.body, r#"<path class="{class}" d="{d}"/>"#);
    }

    pub fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let [x, y, width, height] = [x, y, width.max(0.0), height.max(0.0)].map(short);
        let _ = writeln!(self.body, r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}"/>"#);
    }

    /// As [`Self::rect`], `share` of it opaque.
    pub fn tint(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), share: f64) {
        let [x, y, width, height, share] = [x, y, width, height, share.clamp(0.0, 1.0)].map(short);
        let _ = writeln!(
            self.body,
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" fill-opacity="{share}"/>"#
        );
    }

    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let [x, y] = [x, y].map(short);
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(self.body, r#"<text class="{class}" x="{x}" y="{y}" text-anchor="{anchor}">{}</text>"#, escaped(text));
    }

    /// Upwards, its middle at the place.
    pub fn upright(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let [x, y] = [x, y].map(short);
        let _ = writeln!(
            self.body,
            r#"<text class="{class}" x="{x}" y="{y}" text-anchor="middle" transform="rotate(-90 {x} {y})">{}</text>"#,
            escaped(text)
        );
    }

    /// The mark of a series: each has a shape of its own beside its colour.
    pub fn shape(&mut self, series: usize, (x, y): (f64, f64), size: f64) {
        let colour = series % super::COLOURS;
        let class = format!("f{colour}");
        let s = size;
        let around = |corners: &[(f64, f64)]| corners.iter().map(|(dx, dy)| (x + s * dx, y + s * dy)).collect::<Vec<_>>();
        match series % 6 {
            0 => {
                let [x, y, r] = [x, y, s].map(short);
                let _ = writeln!(self.body, r#"<circle class="{class}" cx="{x}" cy="{y}" r="{r}"/>"#);
            }
            1 => self.rect(&class, (x - 0.88 * s, y - 0.88 * s), (1.76 * s, 1.76 * s)),
            2 => self.path(&class, &around(&[(0.0, -1.15), (1.05, 0.8), (-1.05, 0.8)]), Ends::Closed),
            3 => self.path(&class, &around(&[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]), Ends::Closed),
            4 => self.path(&class, &around(&[(0.0, 1.15), (1.05, -0.8), (-1.05, -0.8)]), Ends::Closed),
            _ => {
                let (a, b) = (0.4, 1.15);
                let cross =
                    [(-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a), (a, b), (-a, b), (-a, a), (-b, a), (-b, -a), (-a, -a)];
                self.path(&class, &around(&cross), Ends::Closed);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    Open,
    Closed,
}

/// At most this many characters.
pub fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_word_is_markup() {
        assert_eq!(escaped("<a href=\"x\">&'\u{1b}[2J\u{202e}</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;?[2J?&lt;/a&gt;");
        let mut canvas = Canvas::default();
        canvas.text("dim", (1.0, 2.005), Anchor::End, "</text><script>");
        assert_eq!(canvas.body.matches('<').count(), 2, "{}", canvas.body);
    }

    #[test]
    fn numbers_are_short_and_never_minus_nothing() {
        let mut canvas = Canvas::default();
        canvas.line("axis", (-0.001, 1.0 / 3.0), (100.0, 2.0));
        assert_eq!(canvas.body, "<line class=\"axis\" x1=\"0\" y1=\"0.33\" x2=\"100\" y2=\"2\"/>\n");
    }

    #[test]
    fn long_words_are_cut_with_a_mark() {
        assert_eq!(clipped("abcdef", 6), "abcdef");
        assert_eq!(clipped("abc defgh", 5), "abc…");
    }
}
