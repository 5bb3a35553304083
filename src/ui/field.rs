//! One line of text that a person types: its letters, the cursor, and what keys do to them.
//!
//! It knows no command and no filter; whoever holds it decides what Enter, Esc, Tab, Up and Down mean.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Editable text with a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextField {
    text: String,
    /// Letters before the cursor.
    at: usize,
    /// Most letters.
    longest: usize,
}

/// Whether a key changed the letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    Text,
    /// The cursor alone.
    Cursor,
    /// The key means nothing in a line of text.
    No,
}

impl TextField {
    pub fn new(longest: usize) -> Self {
        Self { text: String::new(), at: 0, longest }
    }

    /// With the cursor at the end.
    pub fn with(text: &str, longest: usize) -> Self {
        Self { text: text.into(), at: text.chars().count(), longest }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub fn letters(&self) -> usize {
        self.text.chars().count()
    }

    /// Letters before the cursor.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.letters()
    }

    /// The text before the cursor and after it.
    pub fn halves(&self) -> (&str, &str) {
        self.text.split_at(self.byte(self.at))
    }

    /// Replaces the text; the cursor stands behind so many of its letters.
    pub fn put(&mut self, text: String, at: usize) {
        self.at = at.min(text.chars().count());
        self.text = text;
    }

    pub fn clear(&mut self) {
        self.put(String::new(), 0);
    }

    /// The first line of what a clipboard holds, as much of it as there is room for.
    pub fn paste(&mut self, text: &str) {
        text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).for_each(|c| self.insert(c));
    }

    /// What a key does to the text, as on a shell's line.
    pub fn key(&mut self, event: &KeyEvent) -> Edited {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let end = self.letters();
        match event.code {
            KeyCode::Left => return self.go(self.at.saturating_sub(1)),
            KeyCode::Right => return self.go(self.at + 1),
            KeyCode::Home => return self.go(0),
            KeyCode::End => return self.go(end),
            KeyCode::Char('a') if control => return self.go(0),
            KeyCode::Char('e') if control => return self.go(end),
            KeyCode::Char('u') if control => self.cut(0, self.at),
            KeyCode::Char('k') if control => self.cut(self.at, end),
            KeyCode::Char('w') if control => {
                let before: Vec<char> = self.text.chars().take(self.at).collect();
                let end = before.iter().rposition(|c| *c != ' ').map_or(0, |i| i + 1);
                let start = before[..end].iter().rposition(|c| *c == ' ').map_or(0, |i| i + 1);
                self.cut(start, self.at);
            }
            KeyCode::Backspace if self.at > 0 => self.cut(self.at - 1, self.at),
            KeyCode::Delete if self.at < end => self.cut(self.at, self.at + 1),
            KeyCode::Backspace | KeyCode::Delete => return Edited::Cursor,
            KeyCode::Char(c) if (event.modifiers - KeyModifiers::SHIFT).is_empty() => self.insert(c),
            _ => return Edited::No,
        }
        Edited::Text
    }

    fn go(&mut self, to: usize) -> Edited {
        self.at = to.min(self.letters());
        Edited::Cursor
    }

    fn byte(&self, letters: usize) -> usize {
        self.text.char_indices().nth(letters).map_or(self.text.len(), |(at, _)| at)
    }

    fn insert(&mut self, c: char) {
        if !c.is_control() && self.letters() < self.longest {
            self.text.insert(self.byte(self.at), c);
            self.at += 1;
        }
    }

    fn cut(&mut self, from: usize, to: usize) {
        let range = self.byte(from)..self.byte(to);
        self.text.replace_range(range, "");
        self.at = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(field: &mut TextField, text: &str) {
        text.chars().for_each(|c| {
            field.key(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        });
    }

    #[test]
    fn text_is_edited_where_the_cursor_is() {
        let press = |field: &mut TextField, code| field.key(&KeyEvent::new(code, KeyModifiers::NONE));
        let control = |field: &mut TextField, c| field.key(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
        let mut field = TextField::new(12);
        typed(&mut field, "seäch");
        press(&mut field, KeyCode::Left);
        press(&mut field, KeyCode::Left);
        typed(&mut field, "r");
        assert_eq!(field.halves(), ("seär", "ch"));
        press(&mut field, KeyCode::Home);
        press(&mut field, KeyCode::Delete);
        assert_eq!(press(&mut field, KeyCode::Backspace), Edited::Cursor, "there is nothing before the first letter");
        press(&mut field, KeyCode::End);
        typed(&mut field, " two words and more");
        assert_eq!(field.text(), "eärch two wo", "no longer than it may be");
        control(&mut field, 'w');
        assert_eq!(field.text(), "eärch two ");
        control(&mut field, 'a');
        control(&mut field, 'k');
        assert!(field.is_empty() && field.is_at_end());
        field.paste("one\ttwo\nthree");
        assert_eq!(field.text(), "onetwo");
        assert_eq!(press(&mut field, KeyCode::Tab), Edited::No);
        control(&mut field, 'u');
        assert!(field.is_empty());
    }
}
