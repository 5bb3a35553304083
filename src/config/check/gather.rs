//! From TOML text and `-s` overrides to a flat list of keys and values, each knowing where it was written.
//!
//! Knows TOML and places; what a key means is judged elsewhere.

use super::{Fault, Place};
use std::ops::Range;
use std::path::Path;
use toml_edit::{Document, Item, TableLike, Value};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub path: String,
    /// `None`: an empty table, or an array of tables, where a value belongs.
    pub value: Option<Value>,
    /// As the person wrote it.
    pub raw: String,
    pub place: Place,
}

/// # Errors
/// The text is no TOML: the one fault there is then, with line and column.
pub(crate) fn file(text: &str, origin: &Path) -> Result<Vec<Leaf>, Fault> {
    let document = Document::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let (line, column) = line_and_column(text, at);
        let message = error.message().trim().replace('\n', "; ");
        Fault {
            place: Place::File { path: origin.to_owned(), line: Some(line), column: Some(column) },
            text: format!("not TOML: {message}"),
        }
    })?;
    let mut leaves = Vec::new();
    let mut place = |span: Option<Range<usize>>| Place::File {
        path: origin.to_owned(),
        line: span.map(|span| line_and_column(text, span.start).0),
        column: None,
    };
    table(document.as_table(), "", text, &mut place, &mut leaves);
    Ok(leaves)
}

/// A key with a text that a file at `origin` leaves unsaid.
pub(super) fn written(path: &str, text: &str, origin: &Path) -> Leaf {
    let place = Place::File { path: origin.to_owned(), line: None, column: None };
    Leaf { path: path.to_owned(), value: Some(Value::from(text)), raw: format!("\"{text}\""), place }
}

/// One `-s key.path=value`. The value is read as TOML where it is TOML, else it is text: `name=sat` needs no quotes.
pub(super) fn override_(text: &str) -> Result<Vec<Leaf>, Fault> {
    let place = Place::Override(text.to_owned());
    let (path, raw) = match text.split_once('=') {
        Some((path, raw)) if path.split('.').all(|part| !part.trim().is_empty()) => (path.trim(), raw.trim()),
        Some(_) | None => {
            return Err(Fault { place, text: "write an override as key.path=value, like -s train.epochs=12".into() });
        }
    };
    let value = raw.parse::<Value>().unwrap_or_else(|_| Value::from(raw));
    let mut leaves = Vec::new();
    item(&Item::Value(value), path.to_owned(), (raw, ""), &place.clone(), &mut |_| place.clone(), &mut leaves);
    Ok(leaves)
}

fn table(
    table_like: &dyn TableLike,
    prefix: &str,
    text: &str,
    place: &mut dyn FnMut(Option<Range<usize>>) -> Place,
    leaves: &mut Vec<Leaf>,
) {
    for (name, value) in table_like.iter() {
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        let span = table_like.key(name).and_then(toml_edit::Key::span).or_else(|| value.span());
        let own = place(span);
        // A spanned document keeps no text of its own, and a value is shown as it was written.
        let raw = value.span().and_then(|span| text.get(span)).unwrap_or_default();
        item(value, path, (raw, text), &own, place, leaves);
    }
}

fn item(
    value: &Item,
    path: String,
    (raw, text): (&str, &str),
    own: &Place,
    place: &mut dyn FnMut(Option<Range<usize>>) -> Place,
    leaves: &mut Vec<Leaf>,
) {
    match value.as_table_like() {
        // An empty section of ours is harmless, so the judge must see that it is empty and which it is.
        Some(inner) if inner.is_empty() => leaves.push(Leaf { path, value: None, raw: "{}".into(), place: own.clone() }),
        Some(inner) => table(inner, &path, text, place, leaves),
        None => {
            let value = value.as_value().cloned();
            let written = if raw.is_empty() {
                value.as_ref().map_or("[[...]]".into(), |v| v.to_string().trim().to_owned())
            } else {
                raw.into()
            };
            leaves.push(Leaf { path, value, raw: written, place: own.clone() });
        }
    }
}

/// Both counted from 1; the column in characters.
fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before: String = text.char_indices().take_while(|&(at, _)| at < byte).map(|(_, c)| c).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line, column)
}
