//! A document as Markdown: what people and logs called things is shown as it is and never read as markup.

use super::document::{Block, Cell, Document, Is, Level, Table, Tone};
use crate::headless::grid::Align;
use crate::run::listing::harmless;
use std::fmt::Write;

pub fn of(document: &Document) -> String {
    let mut text = format!("# {}\n\n{}\n", plain(&document.title), plain(&document.about));
    blocks(&document.blocks, &mut text);
    text
}

fn blocks(blocks: &[Block], text: &mut String) {
    for block in blocks {
        text.push('\n');
        match block {
            Block::Heading(level, title) => {
                let marks = match level {
                    Level::Section => "##",
                    Level::Part => "###",
                };
                let _ = writeln!(text, "{marks} {}", plain(title));
            }
            Block::Text(said) => {
                let _ = writeln!(text, "{}", plain(said));
            }
            Block::List(tone, items) => {
                let mark = match tone {
                    Tone::Plain => "",
                    Tone::Finding => "**",
                    Tone::Caution => "! ",
                };
                for item in items {
                    let _ = match tone {
                        Tone::Finding => writeln!(text, "- {mark}{}{mark}", plain(item)),
                        Tone::Plain | Tone::Caution => writeln!(text, "- {mark}{}", plain(item)),
                    };
                }
            }
            Block::Facts(facts) => {
                for (name, what) in facts {
                    let _ = writeln!(text, "- {}: {}", plain(name), plain(what));
                }
            }
            Block::Table(shown) => table(shown, text),
            Block::Figure(figure) => {
                let _ =
                    writeln!(text, "![{}](plots/{}.svg)\n\n{}", plain(&figure.drawing.says), figure.name, plain(&figure.caption));
            }
            Block::Code { about, text: code } => {
                if !about.is_empty() {
                    let _ = writeln!(text, "{}\n", plain(about));
                }
                let fence = fence(code);
                let _ = writeln!(text, "{fence}\n{}\n{fence}", lines(code).trim_end_matches('\n'));
            }
            Block::Folded { title, blocks: inner } => {
                let _ = writeln!(text, "<details><summary>{}</summary>", super::plot::svg::escaped(&harmless(title)));
                self::blocks(inner, text);
                text.push_str("\n</details>\n");
            }
            Block::Pictures(pictures) => {
                for picture in pictures {
                    let caption = plain(&picture.caption);
                    let _ = writeln!(text, "![{caption}](pictures/{}.png)\n\n{caption}\n", picture.name);
                }
            }
        }
    }
}

fn table(table: &Table, text: &mut String) {
    if !table.caption.is_empty() {
        let _ = writeln!(text, "**{}**\n", plain(&table.caption));
    }
    *text += &line(table.columns.iter().map(|column| plain(&column.name)));
    *text += &line(table.columns.iter().map(|column| match column.align {
        Align::Left => "---".into(),
        Align::Right => "---:".into(),
    }));
    for row in &table.rows {
        *text += &line(row.iter().map(cell));
    }
    if !table.legend.is_empty() {
        text.push('\n');
    }
    for (name, what) in &table.legend {
        let _ = writeln!(text, "- {}: {}", plain(name), plain(what));
    }
}

fn cell(cell: &Cell) -> String {
    match cell.is {
        Is::There => plain(&cell.whole()),
        Is::Missing => format!("*{}*", plain(&cell.whole())),
        Is::Without => "—".into(),
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// With a backslash before what Markdown or HTML would act on.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in harmless(text).chars() {
        if matches!(c, '\\' | '|' | '`' | '*' | '_' | '<' | '[' | ']' | '&' | '~' | '$') {
            plain.push('\\');
        }
        plain.push(c);
    }
    // At the beginning of a line these would be a heading, a quotation or a list.
    if plain.starts_with(['#', '>', '+', '-']) { format!("\\{plain}") } else { plain }
}

/// Longer than any in the code.
fn fence(code: &str) -> String {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat((longest + 1).max(3))
}

/// Control characters but ends of lines and tabs are shown.
pub fn lines(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::{Column, Shown};

    #[test]
    fn nothing_in_a_name_ends_its_cell_or_is_markup() {
        assert_eq!(plain("a|b_c `d` <e>\n0.005->0.5"), r"a\|b\_c \`d\` \<e>?0.005->0.5");
        assert_eq!(plain("# no heading"), "\\# no heading");
    }

    #[test]
    fn code_cannot_end_its_fence() {
        let mut text = String::new();
        blocks(&[Block::Code { about: String::new(), text: "a\n```\n# b\n\u{1b}".into() }], &mut text);
        assert_eq!(text, "\n````\na\n```\n# b\n?\n````\n");
    }

    #[test]
    fn what_is_missing_is_no_number() {
        let rows = vec![vec![Cell::of("a|"), Cell::missing(), Cell::without(), Cell::with("1.0", "n=2")]];
        let columns = ["x", "y", "z", "w"].map(Column::right).into();
        let mut text = String::new();
        table(&Table { caption: String::new(), columns, rows, legend: Vec::new(), shown: Shown::Everywhere }, &mut text);
        assert!(text.ends_with("| a\\| | *missing* | — | 1.0 n=2 |\n"), "{text}");
    }
}
