//! The lines of the help: keys by the place where they work, commands, abbreviations. What is drawn and how far keys scroll come from here alike.
//!
//! It draws nothing; what a key does is said in [`super::keymap`].

use super::abbreviations::ABBREVIATIONS;
use super::brush::wrap;
use super::command_line::parse::WORDS;
use super::keymap::{Intent, Keymap, Scope};

/// Cells of a key's name, and of the blanks around it.
const LABEL: usize = 10;
const BESIDE: usize = LABEL + 3;
/// Borders, the names of the views, the line that says how to go on, and the first and last line of what lies behind.
const AROUND: u16 = 6;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelpLine {
    Title(String),
    Entry {
        /// Empty where a text goes on.
        label: String,
        says: String,
    },
}

/// Widest that the help becomes.
pub fn width(screen: u16) -> u16 {
    screen.min(78)
}

/// Lines that are seen at once.
pub fn room(height: u16) -> usize {
    usize::from(height.saturating_sub(AROUND)).max(1)
}

/// All lines that hold the text, or a key of that name, at the width of a screen. Nothing of them is cut.
pub fn lines(keymap: &Keymap, wanted: &str, screen: u16) -> Vec<HelpLine> {
    let room = usize::from(width(screen)).saturating_sub(4);
    let wanted = wanted.trim().to_lowercase();
    let fits = |text: &str| text.to_lowercase().contains(&wanted);
    let mut lines = Vec::new();
    for &scope in Scope::ALL {
        let found: Vec<_> = keymap
            .bindings()
            .filter(|b| b.binding.scope == scope && (fits(b.binding.says) || b.label().to_lowercase() == wanted))
            .collect();
        if !found.is_empty() {
            lines.push(HelpLine::Title(scope.title().to_string()));
        }
        for bound in found {
            entry(&bound.label(), bound.binding.says, room, &mut lines);
        }
    }
    let found: Vec<_> = WORDS.iter().filter(|word| fits(word.usage) || fits(word.says)).collect();
    if !found.is_empty() {
        let colon = keymap.key_of(Scope::Everywhere, Intent::CommandLine);
        lines.push(HelpLine::Title(format!("Commands (after {colon})")));
    }
    for word in found {
        entry(word.usage, word.says, room, &mut lines);
    }
    let found: Vec<_> = ABBREVIATIONS.iter().filter(|(short, means)| fits(short) || fits(means)).collect();
    if !found.is_empty() {
        lines.push(HelpLine::Title("Abbreviations and signs on the screen".to_string()));
    }
    for (short, means) in found {
        entry(short, means, room, &mut lines);
    }
    lines
}

fn entry(label: &str, says: &str, room: usize, lines: &mut Vec<HelpLine>) {
    let letters = label.chars().count();
    let mut label = label.to_string();
    let beside = if letters <= LABEL { room.saturating_sub(BESIDE) } else { room.saturating_sub(letters + 3) };
    if letters > LABEL && beside < says.chars().count() {
        // A long command has lines of its own.
        let parts = wrap(&std::mem::take(&mut label), room.saturating_sub(2).max(1));
        lines.extend(parts.into_iter().map(|label| HelpLine::Entry { label, says: String::new() }));
    }
    let width = if label.is_empty() { room.saturating_sub(BESIDE) } else { beside };
    for text in wrap(says, width.max(1)) {
        lines.push(HelpLine::Entry { label: std::mem::take(&mut label), says: text });
    }
}

/// Where the part about a place begins.
pub fn section(lines: &[HelpLine], scope: Scope) -> usize {
    let title = |line: &HelpLine| matches!(line, HelpLine::Title(title) if title == scope.title());
    lines.iter().position(title).unwrap_or(0)
}

/// The first line that is shown when the help opens there.
pub fn opening(keymap: &Keymap, scope: Scope, screen: (u16, u16)) -> usize {
    let lines = lines(keymap, "", screen.0);
    section(&lines, scope).min(lines.len().saturating_sub(room(screen.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[HelpLine]) -> String {
        let mut text = String::new();
        for line in lines {
            match line {
                HelpLine::Title(title) => text.push_str(title),
                HelpLine::Entry { label, says } => text.extend([label, " ", says].map(String::from)),
            }
            text.push(' ');
        }
        text
    }

    #[test]
    fn nothing_of_the_help_is_cut_at_any_width() {
        let keymap = Keymap::default();
        for screen in [60, 70, 80, 120, 200] {
            let lines = lines(&keymap, "", screen);
            let room = usize::from(width(screen)) - 4;
            for line in &lines {
                let cells = match line {
                    HelpLine::Title(title) => title.chars().count(),
                    HelpLine::Entry { label, says } => {
                        if says.is_empty() {
                            label.chars().count() + 2
                        } else {
                            label.chars().count().max(LABEL) + 3 + says.chars().count()
                        }
                    }
                };
                assert!(cells <= room, "{screen}: {line:?}");
            }
            let all = text(&lines);
            for bound in keymap.bindings() {
                let last = bound.binding.says.split_whitespace().next_back().unwrap();
                assert!(all.contains(last), "{screen}: {}", bound.binding.says);
            }
        }
    }

    #[test]
    fn it_opens_at_the_part_about_a_place_and_finds_texts_and_keys() {
        let keymap = Keymap::default();
        for &scope in Scope::ALL {
            let all = lines(&keymap, "", 80);
            let at = opening(&keymap, scope, (80, 24));
            let title = section(&all, scope);
            assert!((at..at + room(24)).contains(&title), "{scope:?}");
        }
        assert!(text(&lines(&keymap, "CROSSHAIR ", 80)).contains("crosshair"));
        let ctrl = lines(&keymap, "ctrl-z", 80);
        assert!(ctrl.len() >= 2 && text(&ctrl).contains("suspend"), "{ctrl:?}");
        assert_eq!(lines(&keymap, "no such text", 80), []);
    }
}
