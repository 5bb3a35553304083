//! A document on a terminal: its tables and what they say; figures, commands and configs are in the files.

use super::document::{Block, Cell, Document, Is, Level, Shown, Table, Tone};
use crate::headless::grid::{self, wrapped};
use crate::run::listing::harmless;

/// `width`: columns of the terminal.
pub fn of(document: &Document, width: usize) -> String {
    let width = width.max(grid::NARROWEST);
    let mut text = wrapped(&harmless(&document.title), width);
    text += &wrapped(&harmless(&document.about), width);
    // A heading is printed with the first thing below it that is.
    let mut headings: [Option<&str>; 2] = [None, None];
    for block in &document.blocks {
        let shown = match block {
            Block::Heading(Level::Section, title) => {
                headings = [Some(title), None];
                continue;
            }
            Block::Heading(Level::Part, title) => {
                headings[1] = Some(title);
                continue;
            }
            Block::Table(shown) => match shown.shown {
                Shown::Everywhere => table(shown, width),
                Shown::AsLines => lines(shown, width),
                Shown::InFiles => continue,
            },
            Block::List(tone, items) => match tone {
                Tone::Finding | Tone::Caution => {
                    let mark = |item: &str| match tone {
                        Tone::Caution if !item.starts_with("! ") => "! ",
                        Tone::Plain | Tone::Finding | Tone::Caution => "",
                    };
                    items.iter().map(|item| wrapped(&harmless(&format!("{}{item}", mark(item))), width)).collect()
                }
                Tone::Plain => continue,
            },
            Block::Text(_)
            | Block::Facts(_)
            | Block::Figure(_)
            | Block::Code { .. }
            | Block::Folded { .. }
            | Block::Pictures(_) => continue,
        };
        for heading in headings.iter_mut().filter_map(Option::take) {
            text.push('\n');
            text += &wrapped(&harmless(heading), width);
        }
        text.push('\n');
        text += &shown;
    }
    text
}

/// `a: seed: 2; to make it: rematch eval a`.
fn lines(table: &Table, width: usize) -> String {
    let line = |row: &Vec<Cell>| {
        let named = row.iter().zip(&table.columns).skip(1).filter(|(cell, _)| !cell.text.is_empty());
        let named: Vec<String> = named.map(|(cell, column)| format!("{}: {}", column.name, cell.whole())).collect();
        let name = row.first().map(Cell::whole).unwrap_or_default();
        wrapped(&harmless(&format!("{name}: {}", named.join("; "))), width)
    };
    table.rows.iter().map(line).collect()
}

fn table(table: &Table, width: usize) -> String {
    let mut lines: Vec<Vec<String>> = vec![table.columns.iter().map(|column| harmless(&column.name)).collect()];
    lines.extend(table.rows.iter().map(|row| row.iter().map(cell).collect()));
    let aligns: Vec<grid::Align> = table.columns.iter().map(|column| column.align).collect();
    let mut text = grid::table(lines, &aligns, width);
    if !table.legend.is_empty() {
        text.push('\n');
    }
    for (name, what) in &table.legend {
        text += &wrapped(&harmless(&format!("{name}: {what}")), width);
    }
    text
}

fn cell(cell: &Cell) -> String {
    match cell.is {
        Is::There | Is::Missing => harmless(&cell.whole()),
        Is::Without => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::Column;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn nothing_is_wider_than_the_terminal_and_no_command_is_cut() {
        let command = "rematch eval sweep/runs/one --attack autoattack --images 2000 --split test --seed 0 --curve";
        let table = |shown: Shown, last: &str| Table {
            caption: String::new(),
            columns: ["run", "natural", "to make it"].map(Column::left).into(),
            rows: vec![vec![Cell::of("one\u{1b}[2J"), Cell::missing(), Cell::of(last)]],
            legend: vec![("natural".into(), "2000 test images, not seen in training, and more words".into())],
            shown,
        };
        let document = Document {
            title: "A title".into(),
            about: "With a sentence about it that is longer than a narrow terminal is wide.".into(),
            blocks: vec![
                Block::Heading(Level::Section, "Empty".into()),
                Block::Heading(Level::Section, "Full".into()),
                Block::Table(table(Shown::Everywhere, "nothing")),
                Block::Table(table(Shown::AsLines, command)),
                Block::Table(table(Shown::InFiles, "not here")),
                Block::List(Tone::Caution, vec!["! doubted".into(), "told".into()]),
            ],
        };
        for width in [20, 40, 80] {
            let text = of(&document, width);
            assert!(text.lines().all(|line| line.width() <= width.max(26)), "{width}:\n{text}");
            let words: Vec<&str> = text.split_whitespace().collect();
            assert!(words.join(" ").contains(command) && !text.contains("not here") && !text.contains('\u{1b}'), "{text}");
            assert!(!text.contains("Empty") && text.contains("Full") && text.contains("\n! doubted\n! told\n"), "{text}");
        }
    }
}
