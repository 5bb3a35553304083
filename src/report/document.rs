//! What a report says, before it is Markdown, HTML or lines of a terminal. Texts stand here as they are; each form escapes what it must.

use super::plot::Drawing;
use crate::headless::grid::Align;

#[derive(Clone, Debug, Default)]
pub struct Document {
    pub title: String,
    /// One sentence below it.
    pub about: String,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
pub enum Block {
    Heading(Level, String),
    Text(String),
    List(Tone, Vec<String>),
    /// Names with what they are.
    Facts(Vec<(String, String)>),
    Table(Table),
    Figure(Figure),
    Code {
        about: String,
        text: String,
    },
    /// What few want to read: folded away where that is possible.
    Folded {
        title: String,
        blocks: Vec<Block>,
    },
    Pictures(Vec<Picture>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Section,
    Part,
}

/// How much a list wants to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    /// What the numbers say.
    Finding,
    /// What speaks against them.
    Caution,
}

#[derive(Clone, Debug)]
pub struct Table {
    pub caption: String,
    /// The first names its rows.
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
    /// What its columns are, below it.
    pub legend: Vec<(String, String)>,
    pub shown: Shown,
}

/// Where a table is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Everywhere,
    /// In the files, not on the terminal.
    InFiles,
    /// On the terminal a paragraph for each row: it holds commands, which must stay whole.
    AsLines,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub align: Align,
    pub of: Of,
}

/// Whose numbers a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Ours,
    Paper,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    pub text: String,
    /// Smaller, behind it.
    pub more: String,
    pub is: Is,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Is {
    #[default]
    There,
    /// Nothing was measured.
    Missing,
    /// It has no such thing.
    Without,
}

#[derive(Clone, Debug)]
pub struct Figure {
    /// Of its files.
    pub name: String,
    pub caption: String,
    pub drawing: Drawing,
}

#[derive(Clone, Debug)]
pub struct Picture {
    /// Of its file.
    pub name: String,
    pub caption: String,
    /// Its file's bytes.
    pub png: Vec<u8>,
}

impl Cell {
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub fn with(text: impl Into<String>, more: impl Into<String>) -> Self {
        Self { text: text.into(), more: more.into(), is: Is::There }
    }

    pub fn missing() -> Self {
        Self { text: "missing".into(), more: String::new(), is: Is::Missing }
    }

    pub fn without() -> Self {
        Self { text: "-".into(), more: String::new(), is: Is::Without }
    }

    /// `49.31 ± 0.52 [48.80, 49.90] n=3`.
    pub fn whole(&self) -> String {
        if self.more.is_empty() { self.text.clone() } else { format!("{} {}", self.text, self.more) }
    }
}

impl Column {
    pub fn left(name: impl Into<String>) -> Self {
        Self { name: name.into(), align: Align::Left, of: Of::Ours }
    }

    pub fn right(name: impl Into<String>) -> Self {
        Self { name: name.into(), align: Align::Right, of: Of::Ours }
    }

    #[must_use]
    pub fn of_paper(self) -> Self {
        Self { of: Of::Paper, ..self }
    }
}

impl Document {
    /// Every figure, those that are folded away too.
    pub fn figures(&self) -> Vec<&Figure> {
        let mut found = Vec::new();
        each(&self.blocks, &mut |block| {
            if let Block::Figure(figure) = block {
                found.push(figure);
            }
        });
        found
    }

    /// Likewise every picture.
    pub fn pictures(&self) -> Vec<&Picture> {
        let mut found = Vec::new();
        each(&self.blocks, &mut |block| {
            if let Block::Pictures(pictures) = block {
                found.extend(pictures);
            }
        });
        found
    }
}

fn each<'a>(blocks: &'a [Block], look: &mut impl FnMut(&'a Block)) {
    for block in blocks {
        look(block);
        if let Block::Folded { blocks, .. } = block {
            each(blocks, look);
        }
    }
}

/// A name for files: what is no letter, digit, `.` or `-` becomes `-`; never the same as one that is taken.
pub fn file_name(wanted: &str, taken: &[String]) -> String {
    let plain: String =
        wanted.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' }).take(80).collect();
    let plain = plain.trim_matches('-');
    let plain = if plain.is_empty() { "figure" } else { plain };
    let numbered = |n: usize| if n == 1 { plain.to_string() } else { format!("{plain}-{n}") };
    // Of one more name than are taken one is free.
    (1..=taken.len() + 1).map(numbered).find(|name| !taken.contains(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_harmless_and_never_twice() {
        assert_eq!(file_name("../a b/λ", &[]), "a-b");
        assert_eq!(file_name("a", &["a".into(), "a-2".into()]), "a-3");
        assert_eq!(file_name("λ", &[]), "figure");
    }
}
