//! Aligned text no wider than the terminal: what [`rematch::headless::grid`] makes of a table, and below it what its numbers are.

use super::words;
use rematch::headless::grid::{self, NARROWEST, wrapped};
use rematch::run::comparison::{Comparison, Group};
use rematch::run::listing::harmless;
use unicode_width::UnicodeWidthStr;

/// Columns of a table that is not on a terminal, unless all columns are asked for.
const USUAL: usize = 120;

/// Which columns a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Within 120 characters: where not all columns fit, those that tell the rows apart and their numbers.
    Few,
    All,
}

pub fn of(comparison: &Comparison, width: usize, columns: Columns) -> String {
    let tables: Vec<String> = comparison.groups.iter().map(|group| table(group, width.max(NARROWEST), columns)).collect();
    tables.join("\n")
}

fn table(group: &Group, width: usize, columns: Columns) -> String {
    let mut text = wrapped(&harmless(&words::title(group)), width);
    let headings = words::headings(group);
    let all: Vec<usize> = (0..headings.len()).collect();
    let most = match columns {
        Columns::Few => width.min(USUAL),
        Columns::All => width,
    };
    let whole = set(group, &headings, &all, usize::MAX);
    if columns == Columns::All || whole.lines().all(|line| line.width() <= most) {
        text.push('\n');
        text += &set(group, &headings, &all, most);
    } else {
        let (shown, once) = words::narrow(group);
        if !once.is_empty() {
            text += &wrapped(&harmless(&format!("all rows: {once}")), width);
        }
        text.push('\n');
        text += &set(group, &headings, &shown, most);
        text += &wrapped("--wide shows every column.", width);
    }
    text.push('\n');
    text += &wrapped(words::UNITS, width);
    for (name, what) in words::legend(group).into_iter().chain(words::remarks(group)) {
        text += &wrapped(&harmless(&format!("{name}: {what}")), width);
    }
    text
}

/// The columns at these places.
fn set(group: &Group, headings: &[(String, grid::Align)], places: &[usize], width: usize) -> String {
    let mut lines: Vec<Vec<String>> = vec![places.iter().map(|&place| harmless(&headings[place].0)).collect()];
    for row in &group.rows {
        let cells = words::cells(group, row, "-");
        lines.push(places.iter().map(|&place| harmless(&cells[place])).collect());
    }
    let aligns: Vec<grid::Align> = places.iter().map(|&place| headings[place].1).collect();
    grid::table(lines, &aligns, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rematch::run::comparison::{Teachers, compare};
    use std::path::Path;

    #[test]
    fn a_narrow_terminal_gets_every_column_below_the_others() {
        let runs = ["assets/demo".into()];
        let demo = compare(Path::new("runs"), &runs, Teachers::Show { lone: Path::new("nowhere") }).unwrap();
        for (width, blocks) in [(50, 4), (80, 2), (120, 1)] {
            let text = of(&demo, width, Columns::All);
            assert!(text.lines().all(|line| line.width() <= width), "{width}:\n{text}");
            let starts = text.lines().filter(|line| line.starts_with("run ")).count();
            assert_eq!(starts, blocks, "{text}");
            let words: Vec<&str> = text.split_whitespace().collect();
            for (heading, _) in words::headings(&demo.groups[0]) {
                assert!(words.contains(&heading.as_str()), "{heading} is missing:\n{text}");
            }
        }
    }
}
