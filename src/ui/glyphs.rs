//! Which characters the terminal can be trusted with.
//!
//! Views write the full set; [`Glyphs::restrict`] replaces, cell by cell, what a plainer terminal lacks. Box drawing, blocks
//! and arrows are also East-Asian *ambiguous* (two cells wide on some terminals), which the ASCII level avoids as well.
//! It detects nothing.

use super::capability;
use ratatui::buffer::Buffer;
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Glyphs {
    #[default]
    Braille,
    /// Curves in half blocks, for fonts without braille.
    Half,
    /// ASCII only: borders, gauges and curves too.
    Ascii,
}

impl Glyphs {
    /// What the probe of the terminal, or a person, said.
    pub fn of(found: capability::Glyphs) -> Self {
        match found {
            capability::Glyphs::Braille => Self::Braille,
            capability::Glyphs::Half => Self::Half,
            capability::Glyphs::Ascii => Self::Ascii,
        }
    }

    /// Greek letters and signs written out where the terminal has none: `λ·ce` becomes `lambda*ce`.
    pub fn words<'a>(self, text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
        let text = text.into();
        match self {
            Self::Braille | Self::Half => text,
            Self::Ascii if text.is_ascii() => text,
            Self::Ascii => {
                let mut plain = String::with_capacity(text.len() + 8);
                for c in text.chars() {
                    match c {
                        'λ' => plain.push_str("lambda"),
                        'ε' => plain.push_str("eps"),
                        'α' => plain.push_str("alpha"),
                        'β' => plain.push_str("beta"),
                        'η' => plain.push_str("eta"),
                        'δ' => plain.push_str("delta"),
                        '·' => plain.push('*'),
                        '→' => plain.push_str("->"),
                        '…' => plain.push_str("..."),
                        _ => plain.push(ascii(c)),
                    }
                }
                Cow::Owned(plain)
            }
        }
    }

    /// Replaces what this level lacks, one cell by one cell, after everything is drawn.
    pub fn restrict(self, buffer: &mut Buffer) {
        if self != Self::Ascii {
            return;
        }
        for cell in &mut buffer.content {
            if !cell.symbol().is_ascii() {
                let c = cell.symbol().chars().next().map_or(' ', ascii);
                cell.set_char(c);
            }
        }
    }
}

/// One ASCII character for one of ours, `?` for what came in from elsewhere (a note, a library's message).
fn ascii(c: char) -> char {
    match c {
        '\x20'..='\x7e' => c,
        '─' | '━' | '═' | '╌' | '–' | '▃' | '▄' => '-',
        '│' | '┃' | '║' | '▏' | '‖' | '▾' => '|',
        '┌' | '┐' | '└' | '┘' | '┏' | '┓' | '┗' | '┛' | '╔' | '╗' | '╚' | '╝' => '+',
        '┊' => ':',
        '○' => 'o',
        '●' | '█' | '▇' | '▉' | '▊' | '▋' | '▌' => '#',
        '▍' | '▎' | '·' | '…' => '.',
        '▁' | '▂' => '_',
        '▅' | '▆' | '▒' => '=',
        '▸' | '→' | '▶' => '>',
        '←' => '<',
        '↑' | '▲' => '^',
        '↓' => 'v',
        '■' | '✓' => '*',
        '×' => 'x',
        '↷' => '~',
        'λ' => 'l',
        'ε' => 'e',
        'α' => 'a',
        'δ' => 'd',
        '°' => ' ',
        _ => '?',
    }
}

/// A horizontal bar of `width` cells, `share` of it filled, in eighths.
pub fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let eighths = (share * width as f64 * 8.0).round() as usize;
    let mut text: String = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        text.push(EIGHTHS[eighths % 8]);
    }
    let used = eighths.div_ceil(8);
    text.extend(std::iter::repeat_n('·', width.saturating_sub(used)));
    text
}

/// One cell of a small history graph: `share` of the full height.
pub fn level(share: f64) -> char {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    LEVELS[((share * 8.0) as usize).min(7)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_wide_as_asked_at_any_share() {
        for width in 0..30 {
            for share in [-1.0, 0.0, 0.01, 0.33, 0.999, 1.0, 7.0, f64::NAN] {
                assert_eq!(bar(share, width).chars().count(), width, "{share} {width}");
            }
        }
        assert_eq!(bar(0.5, 4), "██··");
        assert_eq!(bar(0.3125, 4), "█▎··");
    }

    #[test]
    fn greek_is_written_out_in_ascii() {
        assert_eq!(Glyphs::Ascii.words("λ·ce → ε"), "lambda*ce -> eps");
        assert_eq!(Glyphs::Braille.words("λ·ce"), "λ·ce");
    }
}
