//! Aligned text no wider than the terminal: a table that is too wide goes on below, under the runs' names again; nothing is left out.

use super::words::{self, Align};
use rematch::run::comparison::{Comparison, Group};
use rematch::run::listing::harmless;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Between two columns.
const GAP: usize = 2;
/// Narrower than this, lines are not broken.
const NARROWEST: usize = 20;

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
    name_shortly(&mut lines, width / 3);
    let first = widest(&lines, 0);
    for line in &mut lines {
        for cell in &mut line[1..] {
            *cell = shortened(cell, width.saturating_sub(first + GAP).max(8));
        }
    }
    let mut begin = 1;
    while begin < headings.len() {
        let mut used = first + GAP + widest(&lines, begin);
        let mut end = begin + 1;
        while end < headings.len() && used + GAP + widest(&lines, end) <= width {
            used += GAP + widest(&lines, end);
            end += 1;
        }
        if begin > 1 {
            text.push('\n');
        }
        for line in &lines {
            text += &set(line, std::iter::once(0).chain(begin..end), &lines, &headings);
        }
        begin = end;
    }
    text.push('\n');
    text += &wrapped(words::UNITS, width);
    for (name, what) in words::legend(group).into_iter().chain(words::remarks(group)) {
        text += &wrapped(&harmless(&format!("{name}: {what}")), width);
    }
    text
}

fn set(line: &[String], columns: impl Iterator<Item = usize>, lines: &[Vec<String>], headings: &[(String, Align)]) -> String {
    let mut text = String::new();
    for column in columns {
        let room = " ".repeat(widest(lines, column) - line[column].width());
        let gap = if text.is_empty() { String::new() } else { " ".repeat(GAP) };
        let (before, after) = match headings[column].1 {
            Align::Left => (String::new(), room),
            Align::Right => (room, String::new()),
        };
        for piece in [&gap, &before, &line[column], &after] {
            text += piece;
        }
    }
    format!("{}\n", text.trim_end())
}

fn widest(lines: &[Vec<String>], column: usize) -> usize {
    lines.iter().map(|line| line[column].width()).max().unwrap_or(0)
}

/// Shortens the names of runs, unless two would be the same then.
fn name_shortly(lines: &mut [Vec<String>], most: usize) {
    let short: Vec<String> = lines.iter().map(|line| shortened(&line[0], most.max(8))).collect();
    let distinct = short.iter().enumerate().all(|(i, name)| !short[..i].contains(name));
    if distinct {
        for (line, name) in lines.iter_mut().zip(short) {
            line[0] = name;
        }
    }
}

/// At most this wide, by leaving out the middle: names begin alike and end in what tells them apart.
fn shortened(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_string();
    }
    let keep = most.saturating_sub(2);
    let take = |chars: &mut dyn Iterator<Item = char>, room: usize| {
        let mut used = 0;
        let fits = |c: &char| {
            used += c.width().unwrap_or(0);
            used <= room
        };
        chars.take_while(fits).collect::<Vec<char>>()
    };
    let head: String = take(&mut text.chars(), keep / 2).into_iter().collect();
    let tail: String = take(&mut text.chars().rev(), keep - keep / 2).into_iter().rev().collect();
    format!("{head}..{tail}")
}

/// Broken at spaces, what follows indented; a word that is wider stands in a line of its own.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always one");
        if line.trim().is_empty() || line.width() + 1 + word.width() <= width {
            if !line.is_empty() && !line.ends_with("  ") {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(format!("  {word}"));
        }
    }
    lines.join("\n") + "\n"
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

    #[test]
    fn long_names_keep_both_ends_and_wide_letters_count_twice() {
        assert_eq!(shortened("quickstart-rrm-20260101-120000", 14), "quicks..120000");
        assert_eq!(shortened("short", 14), "short");
        assert!(shortened("測試測試測試測試測試", 9).width() <= 9);
    }

    #[test]
    fn names_that_would_be_the_same_stay_long() {
        let name = |middle: &str| vec![format!("aaaaaaaa{middle}bbbbbbbb")];
        let mut alike = [name("1"), name("2")];
        name_shortly(&mut alike, 10);
        assert_eq!(alike, [name("1"), name("2")]);
        let mut unlike = [vec!["aaaaaaaa-first".to_string()], vec!["aaaaaaaa-other".to_string()]];
        name_shortly(&mut unlike, 10);
        assert_eq!(unlike[0][0], "aaaa..irst");
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrapped("one two three", 8), "one two\n  three\n");
        assert_eq!(wrapped("one two", usize::MAX), "one two\n");
        assert_eq!(wrapped("a immeasurablylongword b", 8), "a\n  immeasurablylongword\n  b\n");
    }
}
