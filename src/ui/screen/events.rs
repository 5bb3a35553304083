//! What the Log view remembers between frames: which line is chosen, and which lines are wanted.
//!
//! A line is known by its number since the run began and not by its distance from the end, so that it stays in place under a
//! reader while new ones come. Nothing is drawn here.

use crate::run::RunState;
use crate::run::state::{Level, LogLine};
use crate::ui::field::TextField;
use std::borrow::Cow;
use std::ops::Range;

#[derive(Clone, Debug)]
pub struct Events {
    pub half: Half,
    /// Less than this is not shown.
    pub least: Level,
    /// As it was typed: a text, and maybe `level:warn` or `by:hand`.
    pub filter: String,
    /// What is being typed.
    pub typing: Option<TextField>,
    pub around: Around,
    /// Number of the chosen line; `None` follows the newest.
    pub line: Option<u64>,
    /// Number of the line at the top, while one is chosen.
    pub top: u64,
    /// The chosen event; `None` is the newest, whatever comes.
    pub mark: Option<usize>,
    pub mark_top: usize,
    /// What the local clock is ahead of UTC; `None` where nobody knows: then times are UTC.
    pub ahead_s: Option<i32>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            half: Half::Log,
            least: Level::Info,
            filter: String::new(),
            typing: None,
            around: Around::Hidden,
            line: None,
            top: 0,
            mark: None,
            mark_top: 0,
            ahead_s: None,
        }
    }
}

/// Which half has the keys; on a small screen it is the only one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    Log,
    Marks,
}

/// What becomes of lines that the filter's text is not in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    Hidden,
    Shown,
}

/// Whose lines are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    #[default]
    Anybody,
    /// What a person asked for.
    Hand,
}

/// As a filter is typed for [`By::Hand`].
pub const BY_HAND: &str = "by:hand";

/// What a filter wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub least: Level,
    pub by: By,
    /// In small letters; empty wants everything.
    pub text: Vec<char>,
}

impl Events {
    /// The filter in force: what is being typed counts at once.
    pub fn wanted(&self) -> Wanted {
        let typed = self.typing.as_ref().map_or(self.filter.as_str(), TextField::text);
        let mut wanted = Wanted { least: self.least, by: By::Anybody, text: Vec::new() };
        let mut words = Vec::new();
        for word in typed.split(' ') {
            if word == BY_HAND {
                wanted.by = By::Hand;
                continue;
            }
            match word.strip_prefix("level:") {
                Some("info" | "all") => wanted.least = Level::Info,
                Some("warn" | "warning") => wanted.least = Level::Warn,
                Some("error" | "fail") => wanted.least = Level::Error,
                Some(_) | None => words.push(word),
            }
        }
        wanted.text = words.join(" ").trim().chars().map(small).collect();
        wanted
    }

    /// Numbers of the lines that are shown, oldest first.
    pub fn shown(&self, state: &RunState) -> Vec<u64> {
        let wanted = self.wanted();
        let shows = |line: &LogLine| line.level >= wanted.least && (self.around == Around::Shown || wanted.hits(&line.text));
        let numbers = |(number, line): (u64, &LogLine)| shows(line).then_some(number);
        match (wanted.by, wanted.text.is_empty()) {
            (By::Hand, _) => state.lines_by_hand().filter_map(numbers).collect(),
            (By::Anybody, true) => state.brief_lines().filter_map(numbers).collect(),
            (By::Anybody, false) => state.lines().filter_map(numbers).collect(),
        }
    }

    /// A line as it is shown. Whoever looks for a text sees each checkpoint by itself.
    pub fn text<'a>(&self, line: &'a LogLine) -> Cow<'a, str> {
        if self.wanted().text.is_empty() { line.brief() } else { line.text.as_str().into() }
    }

    /// Only what a person asked for, or everything again.
    pub fn turn_by_hand(&mut self) {
        let words: Vec<&str> = self.filter.split_whitespace().filter(|word| *word != BY_HAND).collect();
        let was = self.filter.split_whitespace().any(|word| word == BY_HAND);
        self.filter = if was { words.join(" ") } else { [&[BY_HAND], words.as_slice()].concat().join(" ") };
    }
}

impl Wanted {
    /// Whether the text is in there; the empty one always is.
    pub fn hits(&self, line: &str) -> bool {
        self.text.is_empty() || self.find(line).is_some()
    }

    /// Where the text stands first, in bytes of `line`; the empty one nowhere.
    pub fn find(&self, line: &str) -> Option<Range<usize>> {
        let first = self.text.first()?;
        line.char_indices().filter(|(_, c)| small(*c) == *first).find_map(|(start, _)| {
            let mut rest = line[start..].char_indices();
            let all = self.text.iter().all(|wanted| rest.next().is_some_and(|(_, c)| small(c) == *wanted));
            all.then(|| start..start + rest.offset())
        })
    }
}

/// One character for one, so that places in the text stay what they are.
fn small(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { c.to_lowercase().next().unwrap_or(c) }
}

/// The first of `count` things to be shown in `height` rows, where the chosen one takes `tall` of them. `top` is where it was
/// shown from last; without a chosen one the end is shown.
pub fn window(count: usize, chosen: Option<usize>, top: usize, height: usize, tall: usize) -> usize {
    let Some(at) = chosen else { return count.saturating_sub(height) };
    let lowest = (at + tall.min(height)).saturating_sub(height);
    top.clamp(lowest.min(at), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_text_in_any_case_and_a_level() {
        let of = |filter: &str| Events { filter: filter.into(), ..Events::default() }.wanted();
        let wanted = of("level:warn CheckPoint 3");
        assert_eq!((wanted.least, wanted.text.iter().collect::<String>().as_str()), (Level::Warn, "checkpoint 3"));
        assert_eq!((of("by:hand note").by, of("by:hand note").text.len(), of("by:band").by), (By::Hand, 4, By::Anybody));
        assert_eq!(wanted.find("a Checkpoint 3 b"), Some(2..14));
        assert!(!wanted.hits("checkpoint 4") && of("").hits("anything") && of("level:error").hits("anything"));
        assert_eq!(of("level:blue").text.len(), 10, "what is no level is a text");
        assert_eq!(of("ÄB").find("xxäb"), Some(2..5));
        assert_eq!((of("aab").find("aaab"), of("b").find("")), (Some(1..4), None));
    }

    #[test]
    fn the_quick_filter_keeps_what_was_typed() {
        let mut events = Events { filter: "level:warn note".into(), ..Events::default() };
        events.turn_by_hand();
        assert_eq!((events.filter.as_str(), events.wanted().by), ("by:hand level:warn note", By::Hand));
        events.turn_by_hand();
        assert_eq!((events.filter.as_str(), events.wanted().by), ("level:warn note", By::Anybody));
    }

    #[test]
    fn the_window_stays_where_the_chosen_line_is_seen() {
        assert_eq!(window(100, None, 7, 20, 1), 80);
        assert_eq!(window(3, None, 7, 20, 1), 0);
        assert_eq!(window(100, Some(50), 40, 20, 1), 40);
        assert_eq!(window(200, Some(50), 40, 20, 1), 40, "new lines move nothing");
        assert_eq!((window(100, Some(60), 40, 20, 1), window(100, Some(59), 40, 20, 5)), (41, 44));
        assert_eq!((window(100, Some(30), 40, 20, 1), window(100, Some(30), 20, 4, 9)), (30, 30));
        assert_eq!(window(1, Some(0), 0, 0, 1), 0);
    }
}
