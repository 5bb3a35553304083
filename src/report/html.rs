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

fn table(table: &Table, page: &mut String) {
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
    let caption = if table.caption.is_empty() { String::new() } else { format!("<caption>{}</caption>", said(&table.caption)) };
    let heads = table
        .columns
        .iter()
        .map(|column| format!("<th scope=\"col\" class=\"{}\">{}</th>", class(column.align, column.of, ""), said(&column.name)))
        .collect::<Vec<_>>()
        .concat();
    let _ = writeln!(page, "<div class=\"wide\"><table>{caption}\n<thead><tr>{heads}</tr></thead>\n<tbody>");
    for row in &table.rows {
        page.push_str("<tr>");
        for (i, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
            let more = match cell.is {
                Is::There => "",
                Is::Missing => " missing",
                Is::Without => " without",
            };
            let long = if cell.text.chars().count() > LONG { " long" } else { "" };
            let class = class(column.align, column.of, &format!("{more}{long}"));
            let _ = match i {
                0 => write!(page, "<th scope=\"row\" class=\"{class}\">{}</th>", inside(cell)),
                _ => write!(page, "<td class=\"{class}\">{}</td>", inside(cell)),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
    if !table.legend.is_empty() {
        let _ = writeln!(page, "<dl class=\"legend\">\n{}</dl>", terms(&table.legend));
    }
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
