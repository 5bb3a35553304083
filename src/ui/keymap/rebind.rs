//! A person's own keys: read from a file in TOML, judged, and the whole table written back as such a file.
//!
//! Opens no file. What it lets through keeps the one promise about keys: nothing that a terminal may send by itself changes training.

use super::naming::{parse, write};
use super::{Binding, Intent, KEYMAP, Key, Keymap, Scope};
use crate::config::check::{Fault, Faults, Leaf, Place, leaves, nearest};
use crossterm::event::{KeyCode, KeyModifiers};
use std::fmt::Write as _;
use std::path::Path;
use toml_edit::Value;

/// Printable keys of the replies that terminals give to questions about colours, sizes and versions.
const IN_REPLIES: &str = "[];rgbcABCDHF`0123456789";

/// Keys that a file gave to a line of the table.
struct Given {
    at: usize,
    keys: Vec<Key>,
    place: Place,
    raw: String,
}

impl Keymap {
    /// The table with the keys of a file laid over it: what the file does not name keeps its keys.
    ///
    /// # Errors
    /// Everything that is wrong, each with its line.
    pub fn read(text: &str, origin: &Path) -> Result<Self, Faults> {
        let found = leaves(text, origin).map_err(|fault| Faults(vec![fault]))?;
        let mut faults = Vec::new();
        let mut given: Vec<Given> = Vec::new();
        for leaf in found {
            match binding(&leaf).and_then(|at| Ok((at, keys(&leaf, &KEYMAP[at])?))) {
                Ok((at, keys)) => given.push(Given { at, keys, place: leaf.place, raw: leaf.raw }),
                Err(text) => faults.push(Fault { place: leaf.place, text }),
            }
        }
        let mut keymap = Self::default();
        for one in &given {
            keymap.keys[one.at].clone_from(&one.keys);
        }
        faults.extend(given.iter().filter_map(|one| {
            let text = keymap.conflict(one)?;
            Some(Fault { place: one.place.clone(), text })
        }));
        faults.sort_by_key(|fault| if let Place::File { line, .. } = fault.place { line } else { None });
        if faults.is_empty() { Ok(keymap) } else { Err(Faults(faults)) }
    }

    /// Where a key that a person gave means something else as well. That one key has two meanings, the nearer winning, is intended
    /// only where the table itself says so.
    fn conflict(&self, given: &Given) -> Option<String> {
        let mine = &KEYMAP[given.at];
        for key in &given.keys {
            for (at, (other, keys)) in KEYMAP.iter().zip(&self.keys).enumerate() {
                let by_default = mine.keys.contains(key) && other.keys.contains(key);
                if at != given.at && !by_default && other.scope.meets(mine.scope) && keys.contains(key) {
                    let (intent, name) = (mine.intent.name(), other.intent.name());
                    return Some(format!(
                        "{intent} = {}: {} is {name} in [{}] already; give {name} another key there, or choose another here",
                        given.raw,
                        write(*key),
                        other.scope.name()
                    ));
                }
            }
        }
        None
    }

    /// The keys in force as a file that can be read back, with what each does.
    pub fn to_toml(&self) -> String {
        let mut text = String::from("# Keys of rematch's screen. Keep the lines that you change; the others are as they come.\n");
        for &scope in Scope::ALL {
            let mine: Vec<_> = self.bindings().filter(|b| b.binding.scope == scope).collect();
            if mine.is_empty() {
                continue;
            }
            let _ = writeln!(text, "\n# {}\n[{}]", scope.title(), scope.name());
            for bound in mine {
                let keys: Vec<String> = bound.keys.iter().map(|key| Value::from(write(*key)).to_string()).collect();
                let keys = if let [one] = keys.as_slice() { one.clone() } else { format!("[{}]", keys.join(", ")) };
                let line = format!("{} = {keys}", bound.binding.intent.name());
                let _ = writeln!(text, "{line:<32} # {}", bound.binding.says);
            }
        }
        text
    }
}

/// The line of the table that a key of the file names.
fn binding(leaf: &Leaf) -> Result<usize, String> {
    let scopes: Vec<&'static str> =
        Scope::ALL.iter().filter(|scope| KEYMAP.iter().any(|b| b.scope == **scope)).map(|scope| scope.name()).collect();
    let (section, name) = leaf.path.split_once('.').unwrap_or((&leaf.path, ""));
    if !scopes.contains(&section) {
        let meant = nearest(section, &scopes).map_or_else(String::new, |name| format!("; did you mean [{name}]?"));
        return Err(format!("[{section}] is no place for keys{meant} (allowed: {})", scopes.join(", ")));
    }
    let names: Vec<&'static str> = KEYMAP.iter().filter(|b| b.scope.name() == section).map(|b| b.intent.name()).collect();
    if name.is_empty() {
        return Err(format!("[{section}] holds nothing: give keys to what it has ({})", names.join(", ")));
    }
    KEYMAP.iter().position(|b| b.scope.name() == section && b.intent.name() == name).ok_or_else(|| {
        let meant = nearest(name, &names).map_or_else(String::new, |name| format!("; did you mean {name}?"));
        format!("[{section}] has no {name}{meant} (it has: {})", names.join(", "))
    })
}

fn keys(leaf: &Leaf, binding: &Binding) -> Result<Vec<Key>, String> {
    let (intent, name) = (binding.intent, binding.intent.name());
    let fault = |why: String| format!("{name} = {}: {why}", leaf.raw);
    let texts: Option<Vec<&str>> = match &leaf.value {
        Some(Value::String(text)) => Some(vec![text.value()]),
        Some(Value::Array(all)) => all.iter().map(Value::as_str).collect(),
        Some(Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::InlineTable(_)) | None => None,
    };
    let texts = texts.ok_or_else(|| fault("write a key as \"x\", several as [\"x\", \"ctrl-p\"], none as []".into()))?;
    let mut keys: Vec<Key> = Vec::with_capacity(texts.len());
    for text in texts {
        let key = parse(text).map_err(fault)?;
        if keys.contains(&key) {
            return Err(fault(format!("{text} stands there twice")));
        }
        if let (KeyCode::Char(c), true, true) = (key.0, intent.asks(), key.1.is_empty())
            && IN_REPLIES.contains(c)
        {
            return Err(fault(format!(
                "a terminal's own replies may hold {text}, and {name} acts at once; allowed: any key but {}",
                IN_REPLIES.chars().map(String::from).collect::<Vec<_>>().join(" ")
            )));
        }
        // It is looked for while a person types, too.
        if intent == Intent::Interrupt && !matches!(key, (_, KeyModifiers::CONTROL) | (KeyCode::F(_), _)) {
            return Err(fault(format!("{text} could not be used for anything else; allowed: ctrl-a to ctrl-z, f1 to f12")));
        }
        keys.push(key);
    }
    if keys.is_empty() && matches!(intent, Intent::Quit | Intent::Back) {
        return Err(fault(format!("{name} needs a key, or nobody finds the way out")));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyEvent;

    fn read(text: &str) -> Result<Keymap, String> {
        Keymap::read(text, Path::new("keys.toml")).map_err(|faults| faults.to_string())
    }

    #[test]
    fn the_whole_table_is_written_and_read_back() {
        let text = Keymap::default().to_toml();
        assert_eq!(read(&text), Ok(Keymap::default()), "{text}");
        let own = read("[everywhere]\npause = [\"space\", \"ctrl-p\"]\nprobe = []\n[chart]\nzoom-in = \"=\"\n").unwrap();
        assert_eq!(read(&own.to_toml()), Ok(own));
    }

    #[test]
    fn a_given_key_replaces_the_old_ones() {
        let own = read("[everywhere]\nsave = \"ctrl-s\"\n").unwrap();
        let press = |c, modifiers| own.find(&[Scope::Everywhere], &KeyEvent::new(KeyCode::Char(c), modifiers));
        assert_eq!(press('s', KeyModifiers::CONTROL), Some(Intent::Save));
        assert_eq!(press('s', KeyModifiers::NONE), None);
        assert_eq!(own.key_of(Scope::Everywhere, Intent::Save), "Ctrl-S");
    }

    #[test]
    fn faults_name_line_value_and_what_is_allowed() {
        for (text, says) in [
            ("[everywher]\nsave = \"x\"", "keys.toml:2: [everywher] is no place for keys; did you mean [everywhere]? (allowed: "),
            ("[chart]\nzoom = \"x\"", "keys.toml:2: [chart] has no zoom (it has: open, left, right, far-left"),
            ("[chart]\nzoom-im = \"x\"", "did you mean zoom-in?"),
            (
                "[chart]\nzoom-in = \"spacebar\"",
                "keys.toml:2: zoom-in = \"spacebar\": 'spacebar' is no key; allowed: one character",
            ),
            ("[chart]\nzoom-in = 3", "write a key as \"x\""),
            ("[everywhere]\nsave = \"]\"", "keys.toml:2: save = \"]\": a terminal's own replies may hold ]"),
            ("[everywhere]\npause = [\"space\", \"7\"]", "replies may hold 7"),
            ("[controls]\napply = \"r\"", "replies may hold r"),
            ("[everywhere]\nsave = \"q\"", "save = \"q\": q is quit in [everywhere] already"),
            ("[chart]\nzoom-in = \"s\"", "s is save in [everywhere] already"),
            ("[log-pane]\nline-up = \"h\"", "h is left in [charts] already"),
            ("[everywhere]\nsave = [\"x\", \"x\"]", "stands there twice"),
            ("[everywhere]\nquit = []", "quit needs a key"),
            ("[everywhere]\ninterrupt = \"k\"", "k could not be used for anything else"),
            ("[everywhere]\nsave = \"x", "keys.toml:2"),
            ("[chart]\n", "[chart] holds nothing"),
            ("save = \"x\"", "[save] is no place for keys"),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.contains(says), "{text}\n{message}");
        }
    }

    #[test]
    fn a_key_may_mean_two_things_where_they_never_meet() {
        // Panes of the Dash and keys of other views do not hold together; nor do two panes.
        for text in ["[chart]\nzoom-in = \"e\"", "[robust]\nline-up = \"*\"", "[controls]\nedit = \"0\""] {
            assert!(read(text).is_ok(), "{text}: {:?}", read(text));
        }
        // Two keys that change places meet nothing of what they were.
        assert!(read("[everywhere]\nsave = \"p\"\nprobe = \"s\"").is_ok());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let message = read("[chart]\nzoom-in = \"spacebar\"\n[everywhere]\nsave = \"q\"\n").unwrap_err();
        assert_eq!(message.lines().count(), 2, "{message}");
    }
}
