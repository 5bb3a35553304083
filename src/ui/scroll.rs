//! How far keys move in a list or a text that is longer than its window: the same everywhere.

use crossterm::event::KeyCode;

/// The new place of something that keys move in steps, pages and to its ends; never beyond `last`. `page`: lines that are seen at once.
pub fn moved(at: usize, last: usize, page: usize, code: KeyCode) -> usize {
    let page = page.saturating_sub(1).max(1);
    match code {
        KeyCode::Down | KeyCode::Char('j') => at.saturating_add(1),
        KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(1),
        KeyCode::PageDown => at.saturating_add(page),
        KeyCode::PageUp => at.saturating_sub(page),
        KeyCode::Home | KeyCode::Char('g') => 0,
        KeyCode::End | KeyCode::Char('G') => last,
        _ => at,
    }
    .min(last)
}

/// The first line to be shown of a text, so that no line beyond its last is: what keys scroll.
pub fn scrolled(first: usize, lines: usize, room: usize, code: KeyCode) -> usize {
    moved(first, lines.saturating_sub(room), room, if code == KeyCode::Char(' ') { KeyCode::PageDown } else { code })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_reached_and_never_passed() {
        let all = [KeyCode::Down, KeyCode::PageDown, KeyCode::End, KeyCode::Char('G'), KeyCode::Char(' ')];
        for code in all {
            let mut at = 0;
            for _ in 0..100 {
                at = scrolled(at, 40, 10, code);
            }
            assert_eq!(at, 30, "{code:?}");
            let back = [KeyCode::Up, KeyCode::PageUp, KeyCode::Home, KeyCode::Char('g')];
            for code in back {
                assert!(scrolled(at, 40, 10, code) < at, "the first key back moves: {code:?}");
            }
        }
        assert_eq!((scrolled(0, 40, 10, KeyCode::PageDown), scrolled(0, 3, 10, KeyCode::End)), (9, 0));
        assert_eq!((moved(3, 5, 10, KeyCode::Char('x')), moved(9, 5, 10, KeyCode::Up)), (3, 5));
    }
}
