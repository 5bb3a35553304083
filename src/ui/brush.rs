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
use std::collections::HashSet;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Least and greatest width of a dialog of choices.
const CHOICES: u16 = 46;
const WIDEST: u16 = 78;

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

    /// A dialog in the middle, over whatever is there. A line that is too long goes on below. Where the height does not suffice, blank
    /// lines go first; the last of `lines` says how to answer and always stays.
    pub fn window(self, area: Rect, title: &str, width: u16, lines: &[Line], buffer: &mut Buffer) {
        let width = width.min(area.width);
        let within = usize::from(width.saturating_sub(4)).max(1);
        let room = usize::from(area.height.saturating_sub(2));
        let (body, foot) = lines.split_at(lines.len().saturating_sub(1));
        let folded = |lines: &[Line]| lines.iter().flat_map(|line| folded(line, within)).collect::<Vec<_>>();
        let (mut body, foot) = (folded(body), folded(foot));
        let most = room.saturating_sub(foot.len());
        while body.len() > most {
            let Some(blank) = body.iter().rposition(|line| line.width() == 0) else { break };
            body.remove(blank);
        }
        body.truncate(most);
        body.extend(foot);
        let at = centred(area, width, (body.len() as u16).saturating_add(2));
        Clear.render(at, buffer);
        let title = self.shortened(&self.glyphs.words(title), usize::from(width).saturating_sub(4));
        let block = Block::bordered()
            .border_type(BorderType::Double)
            .border_style(self.style(Tone::Accent))
            .title(Line::from(Span::styled(format!(" {title} "), self.style(Tone::Accent))));
        let inner = block.inner(at);
        block.render(at, buffer);
        lines_at(Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }, &body, buffer);
    }

    /// A dialog that asks for one of several things. As wide as what it says, up to what reads well.
    pub fn choices(self, title: &str, text: &str, all: &[&str], choice: usize, area: Rect, buffer: &mut Buffer) {
        let mut lines = vec![Line::from(self.span(Tone::Text, text.to_string())), Line::default()];
        for (i, what) in all.iter().enumerate() {
            let (sign, tone) = if i == choice { ("▸", Tone::Selected) } else { (" ", Tone::Text) };
            lines.push(Line::from(vec![self.span(Tone::Text, format!("{sign} ")), self.span(tone, format!("{what} "))]));
        }
        lines.push(Line::default());
        lines.push(Line::from(self.span(Tone::Dim, "Up Down choose  Enter do it  Esc go on")));
        let widest = lines.iter().map(Line::width).max().unwrap_or(0) as u16;
        self.window(area, title, widest.saturating_add(4).clamp(CHOICES, WIDEST), &lines, buffer);
    }

    /// A name cut in its middle to the width, with a sign where letters are left out. Names that people give to runs differ at their
    /// ends more often than at their beginnings.
    pub fn shortened(self, name: &str, width: usize) -> String {
        if name.width() <= width { name.to_string() } else { self.without_middle(name, width / 3, width) }
    }

    /// Names of one list, each as [`Brush::shortened`]. All are cut at the same place: at the one that leaves most of them different.
    pub fn shortened_list(self, names: &[String], width: usize) -> Vec<String> {
        let cut = |head: usize| {
            let one = |name: &String| if name.width() <= width { name.clone() } else { self.without_middle(name, head, width) };
            names.iter().map(one).collect::<Vec<String>>()
        };
        let usual = cut(width / 3);
        if names.iter().all(|name| name.width() <= width) {
            return usual;
        }
        let different = |names: &[String]| names.iter().collect::<HashSet<_>>().len();
        let most = different(names);
        let mut best = (different(&usual), usual);
        for head in [0, width / 2, 2 * width / 3, width / 6, width.saturating_sub(1)] {
            if best.0 == most {
                break;
            }
            let other = cut(head);
            let count = different(&other);
            if count > best.0 {
                best = (count, other);
            }
        }
        best.1
    }

    /// `head` cells of the beginning, the sign, and as much of the end as there is room for.
    fn without_middle(self, name: &str, head: usize, width: usize) -> String {
        if width == 0 {
            return String::new();
        }
        // A full stop, which the ellipsis becomes in ASCII, could be a part of the name.
        let sign = if self.glyphs == Glyphs::Ascii { '~' } else { '…' };
        let mut room = width - 1;
        let mut within = |most: usize, c: char| {
            let cells = c.width().unwrap_or(0);
            let fits = cells <= room.min(most);
            room -= if fits { cells } else { 0 };
            fits.then_some(cells)
        };
        let mut left = head;
        let mut shown = String::new();
        for c in name.chars() {
            let Some(cells) = within(left, c) else { break };
            left -= cells;
            shown.push(c);
        }
        let end: Vec<char> = name.chars().rev().map_while(|c| within(usize::MAX, c).map(|_| c)).collect();
        shown.push(sign);
        shown.extend(end.iter().rev());
        shown
    }

    /// A name as [`Brush::shortened`], filled up to the width.
    pub fn named(self, name: &str, width: usize) -> String {
        let shown = self.shortened(&self.glyphs.words(name), width);
        let empty = " ".repeat(width.saturating_sub(shown.width()));
        shown + &empty
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

/// A line in as many as it needs at a width, broken at spaces where there are any; its colours stay. Blanks at its beginning are
/// repeated, so that what is indented stays so.
pub fn folded(line: &Line, width: usize) -> Vec<Line<'static>> {
    let cells = |c: char| c.width().unwrap_or(0);
    let letters: Vec<(char, Style)> =
        line.spans.iter().flat_map(|span| span.content.chars().map(|c| (c, line.style.patch(span.style)))).collect();
    let end = letters.iter().rposition(|(c, _)| *c != ' ').map_or(0, |at| at + 1);
    let blanks = letters.iter().take_while(|(c, _)| *c == ' ').count().min(width / 2);
    let mut lines = Vec::new();
    let mut from = 0;
    loop {
        let indent = if lines.is_empty() { 0 } else { blanks };
        let mut room = width.saturating_sub(indent).max(1);
        let mut to = from;
        while to < letters.len() && cells(letters[to].0) <= room {
            room -= cells(letters[to].0);
            to += 1;
        }
        // What is wider than the line alone must not hold it up.
        to = to.max(from + 1).min(letters.len());
        if to < end
            && letters[to].0 != ' '
            && let Some(space) =
                letters[from..to].iter().rposition(|(c, _)| *c == ' ').filter(|at| from + at >= blanks && *at > 0)
        {
            to = from + space;
        }
        let mut spans = Vec::new();
        if indent > 0 {
            spans.push(Span::raw(" ".repeat(indent)));
        }
        for part in letters[from..to].chunk_by(|a, b| a.1 == b.1) {
            spans.push(Span::styled(part.iter().map(|(c, _)| *c).collect::<String>(), part[0].1));
        }
        lines.push(Line::from(spans));
        from = to;
        if from >= end {
            return lines;
        }
        from += letters[from..].iter().take_while(|(c, _)| *c == ' ').count();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_names_apart_stays_when_they_are_cut() {
        let brush = Brush::default();
        let names: Vec<String> = (0..10).map(|n| format!("resnet18-cifar10-robust-lambda0.005-seed{n}")).collect();
        for width in 6..40 {
            let cut: Vec<String> = names.iter().map(|name| brush.shortened(name, width)).collect();
            assert!(cut.iter().all(|name| name.width() == width && name.contains('…')), "{cut:?}");
            assert_eq!(cut.iter().collect::<HashSet<_>>().len(), 10, "{cut:?}");
            assert_eq!(brush.shortened_list(&names, width), cut);
        }
        assert_eq!(brush.shortened(&names[3], 60), names[3]);
        assert_eq!(brush.shortened("quickstart-s1", 8), "qu…rt-s1");
        let ascii = Brush { glyphs: Glyphs::Ascii, ..brush };
        assert_eq!(ascii.shortened("quickstart-s1", 8), "qu~rt-s1");
        assert_eq!(
            (brush.shortened("abc", 0), brush.shortened("abc", 1), brush.shortened("学学学", 4)),
            (String::new(), "…".into(), "…学".into())
        );
    }

    #[test]
    fn names_that_differ_in_the_middle_are_cut_elsewhere() {
        let brush = Brush::default();
        let ends = |middle: &str| format!("cifar10-{middle}-with-the-same-long-end-as-all");
        let names: Vec<String> = ["trades", "rrm", "madry"].map(ends).to_vec();
        let cut = brush.shortened_list(&names, 18);
        assert_eq!(cut.iter().collect::<HashSet<_>>().len(), 3, "{cut:?}");
        assert!(cut.iter().all(|name| name.width() <= 18));
        assert_eq!(brush.shortened_list(&names, 60), names);
    }

    #[test]
    fn a_folded_line_loses_no_word_and_no_colour() {
        let red = Style::new().fg(Color::Red);
        let line = Line::from(vec![Span::raw("  at the beginning "), Span::styled("and red at the end of it", red)]);
        for width in 6..50 {
            let lines = folded(&line, width);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:?}");
            let words = |line: &Line| line.to_string().split_whitespace().map(String::from).collect::<Vec<_>>();
            let all: Vec<String> = lines.iter().flat_map(words).collect();
            if width >= 12 {
                assert_eq!(all, words(&line), "{width}");
            }
            assert_eq!(all.concat(), words(&line).concat(), "{width}");
            let coloured: String = lines.iter().flat_map(|l| &l.spans).filter(|s| s.style == red).map(|s| &*s.content).collect();
            assert_eq!(coloured.replace(' ', ""), "andredattheendofit", "{width}");
        }
        assert_eq!(folded(&Line::default(), 5).len(), 1);
        let path = "/a/very/long/path/without/any/space";
        assert_eq!(folded(&Line::from(path), 10).iter().map(ToString::to_string).collect::<String>(), path);
    }

    #[test]
    fn the_last_line_of_a_dialog_stays_and_nothing_is_cut_at_its_edge() {
        for (width, height) in [(60, 16), (80, 24), (40, 8)] {
            let area = Rect::new(0, 0, width, height);
            let mut buffer = Buffer::empty(area);
            let long = "a note that goes on for much longer than a dialog is wide, and then some more words to its end";
            Brush::default().choices("Leave?", long, &["stay", "go"], 1, area, &mut buffer);
            let text: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
            assert!(text.contains("Esc go"), "{width}x{height}");
            if height > 10 {
                assert!(text.contains("to its end") && text.contains("stay"), "{width}x{height}: {text}");
            }
        }
    }
}
