//! A table for READMEs: what people and logs called things is shown as it is and never read as Markdown.

use super::words::{self, Align};
use rematch::run::comparison::{Comparison, Group};
use rematch::run::listing::harmless;
use std::fmt::Write;

pub fn of(comparison: &Comparison) -> String {
    comparison.groups.iter().map(table).collect::<Vec<_>>().join("\n")
}

fn table(group: &Group) -> String {
    let mut text = format!("### {}\n\n", plain(&words::title(group)));
    let headings = words::headings(group);
    text += &line(headings.iter().map(|(name, _)| plain(name)));
    text += &line(headings.iter().map(|(_, align)| match align {
        Align::Left => "---".into(),
        Align::Right => "---:".into(),
    }));
    for row in &group.rows {
        text += &line(words::cells(group, row, "—").iter().map(|cell| plain(cell.trim_end())));
    }
    let _ = writeln!(text, "\n{}\n", words::UNITS);
    for (name, what) in words::legend(group).into_iter().chain(words::remarks(group)) {
        let _ = writeln!(text, "- {}: {}", plain(&name), plain(&what));
    }
    text
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// With a backslash before what Markdown or HTML would act on.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in harmless(text).chars() {
        if matches!(c, '\\' | '|' | '`' | '*' | '_' | '<' | '[' | ']' | '&' | '~') {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_ends_its_cell_or_is_markup() {
        assert_eq!(plain("a|b_c `d` <e>\n0.005->0.5"), r"a\|b\_c \`d\` \<e>?0.005->0.5");
    }
}
