//! The line that begins with `:`: its text, its cursor, what was typed before, and what Tab would make of it.
//!
//! It knows the words (in [`parse`] and [`complete`]) and carries nothing out: what was meant goes to [`super::intent`].

pub mod complete;
#[cfg(test)]
mod example;
pub mod parse;
pub mod when;

use super::field::{Edited, TextField};
use crate::run::RunState;
use complete::Completion;
use crossterm::event::{KeyCode, KeyEvent};

/// More than any command needs, notes included.
const LONGEST: usize = 300;
/// Commands that are remembered.
const REMEMBERED: usize = 200;

/// What commands speak about, beside the run.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub state: &'a RunState,
    pub themes: &'a [&'a str],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    field: TextField,
    /// Why the text as it stands was not carried out.
    pub fault: Option<String>,
    /// Tab was pressed: what it walks through, and where in the text that stands.
    turning: Option<Turning>,
    /// What is shown of the past, counted from the newest, and what was being typed before.
    past: Option<(usize, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Turning {
    completion: Completion,
    at: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    On,
    Back,
}

/// What a key made of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    Stay,
    Leave,
    /// The text is to be carried out.
    Enter,
}

impl Default for CommandLine {
    fn default() -> Self {
        Self::with("")
    }
}

impl CommandLine {
    pub fn with(text: &str) -> Self {
        Self { field: TextField::with(text, LONGEST), fault: None, turning: None, past: None }
    }

    pub fn text(&self) -> &str {
        self.field.text()
    }

    /// The text before the cursor and after it.
    pub fn halves(&self) -> (&str, &str) {
        self.field.halves()
    }

    /// What Tab would put there, of which the first stands behind the cursor already.
    pub fn completion(&self, known: Known) -> Completion {
        match &self.turning {
            Some(turning) => turning.completion.clone(),
            None => complete::complete(self.halves().0, known),
        }
    }

    /// Which candidate stands in the line, while Tab walks through them.
    pub fn chosen(&self) -> Option<usize> {
        self.turning.as_ref().map(|turning| turning.at)
    }

    /// The rest of the first candidate, where the cursor is at the end.
    pub fn ghost(&self, known: Known) -> String {
        if self.turning.is_some() || !self.halves().1.is_empty() || self.field.is_empty() {
            return String::new();
        }
        let completion = self.completion(known);
        let typed = &self.text()[completion.start..];
        completion.words.first().and_then(|word| word.strip_prefix(typed)).unwrap_or_default().to_string()
    }

    /// Text from the clipboard.
    pub fn paste(&mut self, line: &str) {
        self.field.paste(line);
        self.touched();
    }

    pub fn key(&mut self, event: &KeyEvent, remembered: &[String], known: Known) -> Typed {
        match event.code {
            KeyCode::Esc => return Typed::Leave,
            KeyCode::Enter => return Typed::Enter,
            KeyCode::Backspace if self.field.is_empty() => return Typed::Leave,
            KeyCode::Tab => self.turn(known, Way::On),
            KeyCode::BackTab => self.turn(known, Way::Back),
            KeyCode::Up => self.walk(remembered, 1),
            KeyCode::Down => self.walk(remembered, -1),
            KeyCode::Right | KeyCode::End if self.field.is_at_end() => {
                let ghost = self.ghost(known);
                self.paste(&ghost);
            }
            _ => {
                if self.field.key(event) == Edited::Text {
                    self.touched();
                }
            }
        }
        Typed::Stay
    }

    /// A text that was changed is not the one that was wrong.
    fn touched(&mut self) {
        (self.fault, self.turning) = (None, None);
    }

    fn put(&mut self, text: &str) {
        self.field = TextField::with(text, LONGEST);
        self.touched();
    }

    fn turn(&mut self, known: Known, way: Way) {
        let turning = self.turning.take();
        let was = turning.as_ref().map(|turning| turning.at);
        let completion = turning.map_or_else(|| self.completion(known), |turning| turning.completion);
        let count = completion.words.len();
        if count == 0 {
            return;
        }
        let at = match (was, way) {
            (None, Way::On) => 0,
            (None, Way::Back) => count - 1,
            (Some(at), Way::On) => (at + 1) % count,
            (Some(at), Way::Back) => (at + count - 1) % count,
        };
        let (before, after) = self.halves();
        let alone = if completion.words.len() == 1 && !after.starts_with(' ') { " " } else { "" };
        let new = format!("{}{}{alone}", &before[..completion.start], completion.words[at]);
        let after = after.to_string();
        self.field.put(format!("{new}{after}"), new.chars().count());
        self.touched();
        // The only one there is needs no second Tab: the next word can be typed at once.
        self.turning = (completion.words.len() > 1).then_some(Turning { completion, at });
    }

    fn walk(&mut self, remembered: &[String], by: isize) {
        let (at, draft) = match self.past.take() {
            Some((at, draft)) => (at as isize + by, draft),
            None => (by - 1, self.text().to_string()),
        };
        let at = at.min(remembered.len() as isize - 1);
        if at < 0 {
            self.put(&draft);
            return;
        }
        let at = at as usize;
        self.put(&remembered[remembered.len() - 1 - at]);
        self.past = Some((at, draft));
    }
}

/// Keeps a command for later, once and at the end.
pub fn remember(remembered: &mut Vec<String>, text: &str) {
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    remembered.retain(|old| old != text);
    if remembered.len() == REMEMBERED {
        remembered.remove(0);
    }
    remembered.push(text.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    fn known(state: &RunState) -> Known<'_> {
        Known { state, themes: &["default", "light", "mono"] }
    }

    fn type_in(line: &mut CommandLine, remembered: &[String], keys: &[KeyCode]) -> Typed {
        let state = RunState::default();
        let mut last = Typed::Stay;
        for code in keys {
            last = line.key(&KeyEvent::new(*code, KeyModifiers::NONE), remembered, known(&state));
        }
        last
    }

    fn letters(text: &str) -> Vec<KeyCode> {
        text.chars().map(KeyCode::Char).collect()
    }

    #[test]
    fn the_cursor_goes_where_it_is_told() {
        let mut line = CommandLine::default();
        type_in(&mut line, &[], &letters("λb"));
        type_in(&mut line, &[], &[KeyCode::Left, KeyCode::Char('ä'), KeyCode::Home, KeyCode::Char('x'), KeyCode::Delete]);
        assert_eq!((line.text(), line.halves()), ("xäb", ("x", "äb")));
        type_in(&mut line, &[], &[KeyCode::End, KeyCode::Backspace]);
        assert_eq!(line.text(), "xä");
        let state = RunState::default();
        let control = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        let mut line = CommandLine::with("set lambda 0.5 ");
        line.key(&control('w'), &[], known(&state));
        assert_eq!(line.text(), "set lambda ");
        line.key(&control('u'), &[], known(&state));
        assert_eq!(line.text(), "");
        assert_eq!(type_in(&mut line, &[], &[KeyCode::Backspace]), Typed::Leave);
    }

    #[test]
    fn tab_walks_through_what_fits_and_a_ghost_shows_the_first() {
        let state = RunState::default();
        let mut line = CommandLine::with("theme ");
        assert_eq!(line.ghost(known(&state)), "default");
        type_in(&mut line, &[], &[KeyCode::Tab]);
        assert_eq!((line.text(), line.chosen()), ("theme default", Some(0)));
        type_in(&mut line, &[], &[KeyCode::Tab, KeyCode::Tab]);
        assert_eq!(line.text(), "theme mono");
        type_in(&mut line, &[], &[KeyCode::Tab]);
        assert_eq!(line.text(), "theme default");
        type_in(&mut line, &[], &[KeyCode::BackTab, KeyCode::BackTab]);
        assert_eq!(line.text(), "theme light");
        let mut line = CommandLine::with("them");
        assert_eq!(line.ghost(known(&state)), "e");
        type_in(&mut line, &[], &[KeyCode::Tab]);
        assert_eq!((line.text(), line.chosen()), ("theme ", None));
        let mut line = CommandLine::with("theme mo");
        type_in(&mut line, &[], &[KeyCode::Right]);
        assert_eq!(line.text(), "theme mono");
    }

    #[test]
    fn the_past_is_walked_and_what_was_typed_comes_back() {
        let remembered = ["pause", "set lambda 1"].map(String::from);
        let mut line = CommandLine::with("vi");
        for (key, text) in [
            (KeyCode::Down, "vi"),
            (KeyCode::Up, "set lambda 1"),
            (KeyCode::Up, "pause"),
            (KeyCode::Up, "pause"),
            (KeyCode::Down, "set lambda 1"),
            (KeyCode::Down, "vi"),
        ] {
            type_in(&mut line, &remembered, &[key]);
            assert_eq!(line.text(), text);
        }
        let mut line = CommandLine::with("x");
        type_in(&mut line, &[], &[KeyCode::Up]);
        assert_eq!(line.text(), "x");
    }

    #[test]
    fn what_is_said_twice_is_remembered_once() {
        let mut remembered = Vec::new();
        for text in ["pause", "go", " pause ", ""] {
            remember(&mut remembered, text);
        }
        assert_eq!(remembered, ["go", "pause"]);
    }
}
