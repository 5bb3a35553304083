//! A document as one page that needs nothing else: style, drawings and images are in it. Light or dark as the reader's system is.
//!
//! It is well-formed XML too, so that it can be checked; there is no script in it and nothing is fetched.

use super::document::{Block, Cell, Document, Is, Level, Of, Table, Tone};
use super::markdown::lines;
use super::plot::{self, svg::escaped};
use crate::headless::grid::Align;
use crate::run::listing::harmless;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fmt::Write;

/// A cell with more characters may be broken into lines.
const LONG: usize = 40;
/// Pixels of a table on a page that is 1,100 wide, of a character in its cells and below them, of what stands around a cell, and of a
/// cell that is broken into lines, as the style sheet sets them.
const PAGE: usize = 1_060;
const CHARACTER: usize = 8;
const SMALL_CHARACTER: usize = 8;
const PADDING: usize = 23;
const LONG_CELL: usize = 272;
const STYLE: &str = include_str!("page.css");

pub fn of(document: &Document) -> String {
    let title = said(&document.title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{title}</title>\n<style>\n{}{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p class=\"about\">{}</p>\n",
        plot::page_rules(),
        said(&document.about)
    );
    contents(&document.blocks, &mut page);
    blocks(&document.blocks, &mut page, &mut 0);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// Links to the sections, where there are several.
fn contents(blocks: &[Block], page: &mut String) {
    let sections =
        blocks.iter().filter_map(|block| if let Block::Heading(Level::Section, title) = block { Some(title) } else { None });
    let links: Vec<String> =
        sections.enumerate().map(|(i, title)| format!("<a href=\"#s{}\">{}</a>", i + 1, said(title))).collect();
    if links.len() > 2 {
        let _ = writeln!(page, "<nav>{}</nav>", links.join("\n"));
    }
}

fn blocks(blocks: &[Block], page: &mut String, section: &mut usize) {
    for block in blocks {
        let _ = match block {
            Block::Heading(Level::Section, title) => {
                *section += 1;
                writeln!(page, "<h2 id=\"s{section}\">{}</h2>", said(title))
            }
            Block::Heading(Level::Part, title) => writeln!(page, "<h3>{}</h3>", said(title)),
            Block::Text(text) => writeln!(page, "<p>{}</p>", said(text)),
            Block::List(tone, items) => {
                let class = match tone {
                    Tone::Plain => "plain",
                    Tone::Finding => "finding",
                    Tone::Caution => "caution",
                };
                let items = items.iter().map(|item| format!("<li>{}</li>\n", said(item))).collect::<Vec<_>>().concat();
                if items.is_empty() { Ok(()) } else { writeln!(page, "<ul class=\"{class}\">\n{items}</ul>") }
            }
            Block::Facts(facts) => {
                writeln!(page, "<dl>\n{}</dl>", terms(facts))
            }
            Block::Table(shown) => {
                table(shown, page);
                Ok(())
            }
            Block::Figure(figure) => writeln!(
                page,
                "<figure><div class=\"wide\">{}</div><figcaption>{}</figcaption></figure>",
                figure.drawing.inline(),
                said(&figure.caption)
            ),
            Block::Code { about, text } => {
                let about = if about.is_empty() { String::new() } else { format!("<p>{}</p>", said(about)) };
                writeln!(page, "{about}<pre><code>{}</code></pre>", escaped(&lines(text)))
            }
            Block::Folded { title, blocks: inner } => {
                let _ = writeln!(page, "<details><summary>{}</summary>", said(title));
                self::blocks(inner, page, section);
                writeln!(page, "</details>")
            }
            Block::Pictures(pictures) => {
                let _ = writeln!(page, "<div class=\"pictures\">");
                for picture in pictures {
                    let caption = said(&picture.caption);
                    let _ = writeln!(
                        page,
                        "<figure><img alt=\"{caption}\" src=\"data:image/png;base64,{}\"/><figcaption>{caption}</figcaption></figure>",
                        BASE64_STANDARD.encode(&picture.png)
                    );
                }
                writeln!(page, "</div>")
            }
        };
    }
}

/// A table that is wider than a page goes on below, under the names of its rows again.
fn table(table: &Table, page: &mut String) {
    for (number, columns) in parts(table).iter().enumerate() {
        let caption = match (number, table.caption.as_str()) {
            (0, "") => String::new(),
            (0, caption) => format!("<caption>{}</caption>", said(caption)),
            (_, caption) => format!("<caption>{}</caption>", said(format!("{caption} (more columns)").trim())),
        };
        part(table, columns, &caption, page);
    }
    if !table.legend.is_empty() {
        let _ = writeln!(page, "<dl class=\"legend\">\n{}</dl>", terms(&table.legend));
    }
}

/// The columns of each part. Those that name a row are in each.
fn parts(table: &Table) -> Vec<Vec<usize>> {
    let widths: Vec<usize> = (0..table.columns.len()).map(|column| width(table, column)).collect();
    let left = table.columns.iter().take_while(|column| column.align == Align::Left).count();
    let names = if left == table.columns.len() || widths[..left].iter().sum::<usize>() > PAGE / 2 { 1 } else { left.max(1) };
    let named: usize = widths.iter().take(names).sum();
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut used = PAGE;
    for (column, width) in widths.iter().enumerate().skip(names) {
        if used + width > PAGE {
            parts.push((0..names).collect());
            used = named;
        }
        used += width;
        parts.last_mut().into_iter().for_each(|part| part.push(column));
    }
    if parts.is_empty() { vec![(0..table.columns.len()).collect()] } else { parts }
}

/// Pixels that a column takes at least, in a wide font: heads and long cells may be broken into lines.
fn width(table: &Table, column: usize) -> usize {
    let word = |text: &str| text.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
    let head = word(&table.columns[column].name) * CHARACTER;
    let cell = |cell: &Cell| match cell.text.chars().count() {
        long if long > LONG => LONG_CELL,
        short => (short * CHARACTER).max(cell.more.chars().count() * SMALL_CHARACTER),
    };
    PADDING + table.rows.iter().filter_map(|row| row.get(column)).map(cell).fold(head, usize::max)
}

fn part(table: &Table, columns: &[usize], caption: &str, page: &mut String) {
    let class = |align: Align, of: Of, more: &str| {
        let align = match align {
            Align::Left => "left",
            Align::Right => "right",
        };
        let of = match of {
            Of::Ours => "",
            Of::Paper => " paper",
        };
        format!("{align}{of}{more}")
    };
    let heads = columns
        .iter()
        .map(|&place| &table.columns[place])
        .map(|column| format!("<th scope=\"col\" class=\"{}\">{}</th>", class(column.align, column.of, ""), said(&column.name)))
        .collect::<Vec<_>>()
        .concat();
    let _ = writeln!(page, "<div class=\"wide\"><table>{caption}\n<thead><tr>{heads}</tr></thead>\n<tbody>");
    for row in &table.rows {
        page.push_str("<tr>");
        for &place in columns {
            let (Some(cell), column) = (row.get(place), &table.columns[place]) else { continue };
            let more = match cell.is {
                Is::There => "",
                Is::Missing => " missing",
                Is::Without => " without",
            };
            let long = if cell.text.chars().count() > LONG { " long" } else { "" };
            let class = class(column.align, column.of, &format!("{more}{long}"));
            let _ = match place {
                0 => write!(page, "<th scope=\"row\" class=\"{class}\">{}</th>", inside(cell)),
                _ => write!(page, "<td class=\"{class}\">{}</td>", inside(cell)),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

fn inside(cell: &Cell) -> String {
    let text = match cell.is {
        Is::There | Is::Missing => said(&cell.text),
        Is::Without => "–".into(),
    };
    if cell.more.is_empty() { text } else { format!("{text} <small>{}</small>", said(&cell.more)) }
}

/// Names with what they are.
fn terms(terms: &[(String, String)]) -> String {
    let of = |(name, what): &(String, String)| format!("<dt>{}</dt><dd>{}</dd>\n", said(name), said(what));
    terms.iter().map(of).collect::<Vec<_>>().concat()
}

/// One line of text.
fn said(text: &str) -> String {
    escaped(&harmless(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::{Column, Shown};

    fn wide(numbers: usize) -> Table {
        let mut columns = vec![Column::left("run"), Column::left("lambda")];
        columns.extend((0..numbers).map(|i| Column::right(format!("pgd-{i} (200 test images)"))));
        let row = |name: &str| {
            let number = Cell::with("59.50 ± 2.12", "[58.00, 61.00]");
            [Cell::of(name), Cell::of("0.005")].into_iter().chain(vec![number; numbers]).collect::<Vec<_>>()
        };
        let rows = vec![row("one"), row("two")];
        Table { caption: String::new(), columns, rows, legend: Vec::new(), shown: Shown::Everywhere }
    }

    #[test]
    fn a_table_that_is_wider_than_a_page_goes_on_below_and_leaves_nothing_out() {
        assert_eq!(parts(&wide(4)).len(), 1);
        let table = wide(17);
        let parts = parts(&table);
        assert!(parts.len() >= 2);
        for part in &parts {
            assert_eq!(part[..2], [0, 1], "each part names its rows");
            assert!(part.iter().map(|&column| width(&table, column)).sum::<usize>() <= PAGE);
        }
        let mut shown: Vec<usize> = parts.concat();
        shown.sort_unstable();
        shown.dedup();
        assert_eq!(shown, (0..19).collect::<Vec<_>>());
        let mut page = String::new();
        super::table(&table, &mut page);
        assert_eq!(page.matches("<table>").count(), parts.len());
        assert_eq!(page.matches(">0.005<").count(), 2 * parts.len());
    }
}
