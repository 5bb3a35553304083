//! Aligned text no wider than the terminal: what [`rematch::headless::grid`] makes of a table, and below it what its numbers are.

use super::words;
use rematch::headless::grid::{self, NARROWEST, wrapped};
use rematch::run::comparison::{Comparison, Group};
use rematch::run::listing::harmless;

pub fn of(comparison: &Comparison, width: usize) -> String {
    let tables: Vec<String> = comparison.groups.iter().map(|group| table(group, width.max(NARROWEST))).collect();
    tables.join("\n")
}

fn table(group: &Group, width: usize) -> String {
    let mut text = wrapped(&harmless(&words::title(group)), width);
    text.push('\n');
    let headings = words::headings(group);
    let mut lines: Vec<Vec<String>> = vec![headings.iter().map(|(name, _)| harmless(name)).collect()];
    lines.extend(group.rows.iter().map(|row| words::cells(group, row, "-").iter().map(|cell| harmless(cell)).collect()));
    let aligns: Vec<grid::Align> = headings.iter().map(|(_, align)| *align).collect();
    text += &grid::table(lines, &aligns, width);
    text.push('\n');
    text += &wrapped(words::UNITS, width);
    for (name, what) in words::legend(group).into_iter().chain(words::remarks(group)) {
        text += &wrapped(&harmless(&format!("{name}: {what}")), width);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rematch::run::comparison::{Teachers, compare};
    use std::path::Path;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn a_narrow_terminal_gets_every_column_below_the_others() {
        let runs = ["assets/demo".into()];
        let demo = compare(Path::new("runs"), &runs, Teachers::Show { lone: Path::new("nowhere") }).unwrap();
        for (width, blocks) in [(50, 4), (80, 2), (120, 1)] {
            let text = of(&demo, width);
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
