//! What every view paints with: words in a tone, lines, borders, windows, texts cut or wrapped to a width.
//!
//! It knows what the terminal can show ([`Palette`], [`Glyphs`]) and nothing of what is shown: no runs, no state, no keys.

use super::glyphs::Glyphs;
use super::layout::centred;
use super::theme::{Palette, Tone};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Widget};
use unicode_width::UnicodeWidthStr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brush {
    pub palette: Palette,
    pub glyphs: Glyphs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focused {
    Yes,
    No,
}

/// At which side of its column a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

impl Brush {
    pub fn style(self, tone: Tone) -> Style {
        self.palette.style(tone)
    }

    pub fn span(self, tone: Tone, text: impl Into<String>) -> Span<'static> {
        Span::styled(self.glyphs.words(text.into()).into_owned(), self.style(tone))
    }

    /// A border with a title; returns what is inside. The focused pane's border is heavy.
    pub fn frame(self, area: Rect, title: Line<'static>, focus: Focused, buffer: &mut Buffer) -> Rect {
        let (kind, style) = match focus {
            Focused::Yes => (BorderType::Thick, self.style(Tone::Accent)),
            Focused::No => (BorderType::Plain, self.style(Tone::Dim)),
        };
        let block = Block::bordered().border_type(kind).border_style(style).title(title);
        let inner = block.inner(area);
        block.render(area, buffer);
        inner
    }

    /// A dialog in the middle, over whatever is there.
    pub fn window(self, area: Rect, title: &str, width: u16, lines: &[Line], buffer: &mut Buffer) {
        let at = centred(area, width, lines.len() as u16 + 2);
        Clear.render(at, buffer);
        let block = Block::bordered()
            .border_type(BorderType::Double)
            .border_style(self.style(Tone::Accent))
            .title(Line::from(self.span(Tone::Accent, format!(" {title} "))));
        let inner = block.inner(at);
        block.render(at, buffer);
        lines_at(Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }, lines, buffer);
    }

    /// A dialog that asks for one of several things.
    pub fn choices(self, title: &str, text: &str, all: &[&str], choice: usize, area: Rect, buffer: &mut Buffer) {
        let mut lines = vec![Line::from(self.span(Tone::Text, text.to_string())), Line::default()];
        for (i, what) in all.iter().enumerate() {
            let (sign, tone) = if i == choice { ("▸", Tone::Selected) } else { (" ", Tone::Text) };
            lines.push(Line::from(vec![self.span(Tone::Text, format!("{sign} ")), self.span(tone, format!("{what} "))]));
        }
        lines.push(Line::default());
        lines.push(Line::from(self.span(Tone::Dim, "Up Down choose  Enter do it  Esc go on")));
        self.window(area, title, 46, &lines, buffer);
    }

    /// Cut to the width with a sign that it was, and filled up to it.
    pub fn fitted(self, text: &str, width: usize, side: Side) -> String {
        let text = self.glyphs.words(text);
        let mut shown = text.to_string();
        while shown.width() > width {
            // The sign takes one cell; a wide character two.
            shown.pop();
            if shown.width() < width {
                shown.push('…');
                break;
            }
        }
        let empty = " ".repeat(width.saturating_sub(shown.width()));
        match side {
            Side::Left => shown + &empty,
            Side::Right => empty + &shown,
        }
    }
}

/// One line of text, cut at the edge.
pub fn line_at(buffer: &mut Buffer, x: u16, y: u16, width: u16, line: &Line) {
    if y < buffer.area.bottom() && x < buffer.area.right() {
        buffer.set_line(x, y, line, width);
    }
}

/// Lines from the top, as many as fit.
pub fn lines_at(inner: Rect, lines: &[Line], buffer: &mut Buffer) {
    for (line, y) in lines.iter().zip(inner.y..inner.bottom()) {
        line_at(buffer, inner.x, y, inner.width, line);
    }
}

/// A blank has no ink: whatever colour it was given would only be sent along, and again whenever the words around it move.
pub fn bleach(buffer: &mut Buffer) {
    const SEEN: Modifier = Modifier::REVERSED.union(Modifier::UNDERLINED);
    for cell in &mut buffer.content {
        if cell.symbol() == " " && cell.bg == Color::Reset && !cell.modifier.intersects(SEEN) {
            (cell.fg, cell.modifier) = (Color::Reset, Modifier::empty());
        }
    }
}

/// At spaces where there are any, else at the edge.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut now = String::new();
        for word in line.split_whitespace() {
            let mut word: String = word.chars().filter(|c| !c.is_control()).collect();
            if !now.is_empty() && now.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut now));
            }
            while word.chars().count() > width {
                let rest = word.chars().skip(width).collect();
                lines.push(word.chars().take(width).collect());
                word = rest;
            }
            if !now.is_empty() {
                now.push(' ');
            }
            now.push_str(&word);
        }
        lines.push(now);
    }
    lines
}

/// `78.0`.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}", 100.0 * share) } else { "NaN".into() }
}
