//! Aligned text no wider than the terminal: a table that is too wide goes on below, under the names of its rows again; nothing is left out.
//!
//! Cells come as they are to be read, without anything a terminal would act on; what they mean is not known here.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Between two columns.
const GAP: usize = 2;
/// Narrower than this, lines are not broken.
pub const NARROWEST: usize = 20;

/// How a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A table: its headings are the first of `lines`, the names of its rows the first column. Every line has a cell for each of `aligns`.
pub fn table(mut lines: Vec<Vec<String>>, aligns: &[Align], width: usize) -> String {
    let width = width.max(NARROWEST);
    name_shortly(&mut lines, width / 3);
    let first = widest(&lines, 0);
    for line in &mut lines {
        for cell in &mut line[1..] {
            *cell = shortened(cell, width.saturating_sub(first + GAP).max(8));
        }
    }
    let mut text = String::new();
    let mut begin = 1;
    while begin < aligns.len() {
        let mut used = first + GAP + widest(&lines, begin);
        let mut end = begin + 1;
        while end < aligns.len() && used + GAP + widest(&lines, end) <= width {
            used += GAP + widest(&lines, end);
            end += 1;
        }
        if begin > 1 {
            text.push('\n');
        }
        for line in &lines {
            text += &set(line, std::iter::once(0).chain(begin..end), &lines, aligns);
        }
        begin = end;
    }
    text
}

fn set(line: &[String], columns: impl Iterator<Item = usize>, lines: &[Vec<String>], aligns: &[Align]) -> String {
    let mut text = String::new();
    for column in columns {
        let room = " ".repeat(widest(lines, column) - line[column].width());
        let gap = if text.is_empty() { String::new() } else { " ".repeat(GAP) };
        let (before, after) = match aligns[column] {
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

/// Shortens the names of rows, unless two would be the same then.
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
pub fn wrapped(text: &str, width: usize) -> String {
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
