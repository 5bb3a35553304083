//! The report of runs: beside each other, and each by itself.

use super::ReportError;
use super::beside;
use super::document::{Block, Document, Level, Tone};
use super::history;
use super::single::{Names, section};
use super::words;
use crate::protocol::event::Whose;
use crate::run::comparison::{Comparison, Row, Teachers, compare};
use crate::run::store::RunFolder;
use std::path::{Path, PathBuf};

/// `lone`: where evaluations of teachers that come from no run are kept.
///
/// # Errors
/// What is no run that can be read, or is named twice.
pub fn document(runs: &Path, names: &[PathBuf], lone: &Path) -> Result<Document, ReportError> {
    let Comparison { groups } = compare(runs, names, Teachers::Show { lone })?;
    let labels: Vec<String> =
        groups.iter().flat_map(|group| &group.rows).filter(|row| row.of == Whose::Student).map(|row| row.label.clone()).collect();
    let (title, about) = match labels.as_slice() {
        [one] => (format!("Run {one}"), groups.iter().flat_map(|group| &group.rows).next().map(about).unwrap_or_default()),
        all => (format!("{} runs", all.len()), format!("{}.", words::listed(all))),
    };
    let mut document = Document { title, about, blocks: Vec::new() };
    let blocks = &mut document.blocks;
    if groups.len() > 1 {
        blocks.push(Block::List(
            Tone::Caution,
            vec![format!(
                "The runs are on {} different pairs of data and threat. Each has a table of its own; numbers of different ones say nothing about \
                 each other.",
                groups.len()
            )],
        ));
    }
    for group in &groups {
        let on = format!("{}, {}", group.data.name, words::threat(group.threat));
        let title = if groups.len() > 1 { format!("Numbers: {on}") } else { "Numbers".into() };
        blocks.push(Block::Heading(Level::Section, title));
        blocks.push(Block::Text(format!("{}; threat {}.", words::data(&group.data), words::threat(group.threat))));
        blocks.extend(beside::tables(group).into_iter().map(Block::Table));
        blocks.push(Block::Text(beside::UNITS.into()));
        // Those of runs stand in their own sections.
        let remarks = beside::remarks(group.rows.iter().filter(|row| row.of == Whose::Teacher));
        if !remarks.is_empty() {
            blocks.push(Block::List(Tone::Caution, remarks));
        }
    }
    let mut taken = Names::default();
    for row in groups.iter().flat_map(|group| &group.rows).filter(|row| row.of == Whose::Student) {
        let path = &row.run.folder;
        let unreadable = |why: String| ReportError::Run { folder: path.clone(), why };
        let folder = RunFolder::open(path, path).map_err(|error| unreadable(error.to_string()))?;
        let history = history::read(&folder).map_err(unreadable)?;
        blocks.extend(section(row, &history, &mut taken));
    }
    Ok(document)
}

/// One run in a sentence.
fn about(row: &Row) -> String {
    let s = &row.run.summary;
    let from = s.teacher.as_ref().map_or_else(String::new, |teacher| format!(" from the teacher {teacher}"));
    format!(
        "{} trained {}{from} on {}; {} after {} of {} epochs.",
        s.method,
        s.student,
        s.data,
        s.state.name(),
        s.epochs_done,
        s.epochs_planned
    )
}
