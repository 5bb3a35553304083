//! Names in a sweep's file: dotted keys, names of folders, and what a person probably meant by one that may not stand there.

use crate::config::check::{KEYS, nearest};

/// A fault of the file's form with what was probably meant, where it names what is allowed: ``unknown field `grdi`, expected `grid` or ..``.
pub(super) fn guess(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let Some((&unknown, allowed)) = names.split_first().filter(|_| message.starts_with("unknown ")) else {
        return message.into();
    };
    let is_key = KEYS.iter().any(|key| key.path == unknown || key.path.starts_with(&format!("{unknown}.")));
    if is_key {
        format!("{message}; a key of a config belongs in `set`, and in `grid` with a list of values")
    } else {
        format!("{message}{}", meant(unknown, allowed))
    }
}

/// `; did you mean NAME?`, or nothing.
pub(super) fn meant(unknown: &str, names: &[&str]) -> String {
    nearest(unknown, names).map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

/// Dotted keys of nested tables; `"a.b" = 1` and `a.b = 1` are one.
pub(super) fn flat(table: &toml::Table, prefix: &str) -> Vec<(String, toml::Value)> {
    let mut all = Vec::new();
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => all.extend(flat(inner, &path)),
            other => all.push((path, other.clone())),
        }
    }
    all
}

/// As the name of a folder.
pub(super) fn plain(text: &str) -> String {
    let kept: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let kept = kept.trim_matches(|c| c == '-' || c == '.').to_string();
    if kept.is_empty() { "x".into() } else { kept }
}
