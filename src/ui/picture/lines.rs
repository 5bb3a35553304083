//! A screen as lines: plain text, or with the codes that make a terminal show it again.
//!
//! Nothing moves the cursor: `cat` shows it, and so does a page that understands colours.

use crate::ui::terminal::backend::{MODIFIERS, colour};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// Rows without what is blank at their ends.
pub fn text(buffer: &Buffer) -> String {
    let mut all = String::new();
    for row in rows(buffer) {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        all.push_str(line.trim_end());
        all.push('\n');
    }
    all
}

/// Rows with their colours and attributes; each ends as it began, so that it can be cut out and still be shown.
pub fn ansi(buffer: &Buffer) -> String {
    let mut all = String::new();
    for row in rows(buffer) {
        let plain = |cell: &&Cell| cell.symbol().trim().is_empty() && code(cell).is_empty();
        let end = row.iter().rposition(|cell| !plain(cell)).map_or(0, |at| at + 1);
        let mut now = String::new();
        for cell in &row[..end] {
            let code = code(cell);
            if code != now {
                let _ = if code.is_empty() { write!(all, "\x1b[0m") } else { write!(all, "\x1b[0;{code}m") };
                now = code;
            }
            all.push_str(cell.symbol());
        }
        if !now.is_empty() {
            all.push_str("\x1b[0m");
        }
        all.push('\n');
    }
    all
}

/// Cells row by row, without those that a wide letter before them covers.
fn rows(buffer: &Buffer) -> impl Iterator<Item = Vec<&Cell>> {
    let area = buffer.area;
    (area.top()..area.bottom()).map(move |y| {
        let mut row = Vec::with_capacity(usize::from(area.width));
        let mut covered = 0;
        for x in area.left()..area.right() {
            let cell = &buffer[(x, y)];
            if covered > 0 {
                covered -= 1;
                continue;
            }
            covered = cell.symbol().width().saturating_sub(1);
            row.push(cell);
        }
        row
    })
}

/// Parameters of SGR; empty for a cell like any other.
fn code(cell: &Cell) -> String {
    let modifiers =
        MODIFIERS.iter().filter(|(modifier, _)| cell.modifier.contains(*modifier)).map(|(_, number)| format!("{number};"));
    let colours = [(cell.fg, 30), (cell.bg, 40)].into_iter().filter(|(ink, _)| *ink != Color::Reset);
    let codes: String = modifiers.chain(colours.map(|(ink, base)| colour(ink, base))).collect();
    codes.trim_end_matches(';').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::{Modifier, Style};
    use std::num::NonZero;

    #[test]
    fn a_terminal_that_is_fed_the_lines_shows_the_screen_again() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 3));
        buffer.set_string(0, 0, "λ 0.25", Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD));
        buffer.set_string(3, 1, "wide 語!", Style::new().fg(Color::Indexed(74)));
        buffer.set_string(10, 2, " ", Style::new().add_modifier(Modifier::REVERSED));
        let mut terminal = vt100::Parser::new(NonZero::new(3).unwrap(), NonZero::new(12).unwrap(), 0);
        terminal.process(ansi(&buffer).trim_end().replace('\n', "\r\n").as_bytes());
        let screen = terminal.screen();
        assert_eq!(screen.contents().lines().next(), Some("λ 0.25"));
        assert_eq!(screen.contents().lines().nth(1), Some("   wide 語!"));
        let cell = screen.cell(0, 2).unwrap();
        assert_eq!((cell.fgcolor(), cell.bold()), (vt100::Color::Rgb(1, 2, 3), true));
        assert_eq!(screen.cell(1, 3).unwrap().fgcolor(), vt100::Color::Idx(74));
        assert!(screen.cell(2, 10).unwrap().inverse());
        assert!(!screen.cell(2, 11).unwrap().inverse());
    }

    #[test]
    fn text_has_no_blanks_at_the_ends() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 3));
        buffer.set_string(2, 1, "語 λ", Style::new().fg(Color::Red));
        assert_eq!(text(&buffer), "\n  語 λ\n\n");
    }
}
