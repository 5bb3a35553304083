//! Points of a table or figure: cells that differ in their seed alone, and what they come to over their seeds.
//!
//! Only completed runs are measurements. What is missing makes a mean over fewer, never a smaller one.

use super::beside::epoch_seconds;
use super::experiment::Experiment;
use super::statistics::Sample;
use crate::run::comparison::{Row, Time};
use crate::sweep::{Cell, Role};

pub struct Point<'a> {
    /// At least one.
    pub cells: Vec<&'a Cell>,
    /// Of the completed ones, each with its own cell.
    pub done: Vec<(&'a Cell, &'a Row)>,
    /// Of each of `done`, its teacher's training time where it has one. In the same order.
    teachers: Vec<TeacherTime>,
}

/// What is known of the time that a teacher took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TeacherTime {
    /// There is no teacher.
    None,
    Seconds(f64),
    Unknown,
}

impl<'a> Point<'a> {
    pub fn of(experiment: &'a Experiment, cells: Vec<&'a Cell>) -> Self {
        let done: Vec<(&Cell, &Row)> = cells.iter().filter_map(|cell| Some((*cell, experiment.completed(cell)?))).collect();
        let teachers = done.iter().map(|(cell, row)| teacher_time(experiment, cell, row)).collect();
        Self { cells, done, teachers }
    }

    pub fn first(&self) -> &'a Cell {
        self.cells[0]
    }

    pub fn role(&self) -> Role {
        self.first().role
    }

    /// How many seeds there should be.
    pub fn seeds(&self) -> usize {
        self.cells.len()
    }

    /// `RRM, lambda=0.005`.
    pub fn name(&self) -> String {
        let cell = self.first();
        let varied: Vec<String> = cell.vary.iter().map(|(key, value)| format!("{}={value}", short(key))).collect();
        [cell.label.clone()].into_iter().chain(varied).collect::<Vec<_>>().join(", ")
    }

    pub fn varied(&self, key: &str) -> Option<&'a str> {
        self.first().vary.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Of a row that is there, as all of them have the same config but the seed.
    pub fn any_row(&self) -> Option<&'a Row> {
        self.done.first().map(|(_, row)| *row)
    }

    fn sample(&self, of: impl Fn(&Row) -> Option<f64>) -> Option<Sample> {
        Sample::of(self.done.iter().filter_map(|(_, row)| of(row)))
    }

    /// Seconds.
    pub fn training(&self) -> Option<Sample> {
        self.sample(training)
    }

    /// Seconds; only of runs whose teacher's time is known.
    pub fn with_teacher(&self) -> Option<Sample> {
        Sample::of(self.done.iter().zip(&self.teachers).filter_map(|((_, row), teacher)| {
            let own = training(row)?;
            match teacher {
                TeacherTime::None => Some(own),
                TeacherTime::Seconds(seconds) => Some(own + seconds),
                TeacherTime::Unknown => None,
            }
        }))
    }

    /// Seconds of the teachers alone.
    pub fn teaching(&self) -> Option<Sample> {
        Sample::of(self.teachers.iter().filter_map(|teacher| match teacher {
            TeacherTime::Seconds(seconds) => Some(*seconds),
            TeacherTime::None | TeacherTime::Unknown => None,
        }))
    }

    pub fn teacher_is_unknown(&self) -> bool {
        self.teachers.contains(&TeacherTime::Unknown)
    }

    pub fn has_teacher(&self) -> bool {
        self.teachers.iter().any(|teacher| *teacher != TeacherTime::None)
    }

    pub fn epoch_seconds(&self) -> Option<Sample> {
        self.sample(epoch_seconds)
    }

    pub fn epochs(&self) -> Option<Sample> {
        self.sample(|row| row.epochs.map(|[done, _]| done as f64))
    }

    /// Fractions; `place` in the group's images.
    pub fn natural(&self, place: usize) -> Option<Sample> {
        self.sample(|row| *row.naturals.get(place)?)
    }

    /// Fractions; `place` in the group's columns.
    pub fn adversarial(&self, place: usize) -> Option<Sample> {
        self.sample(|row| Some(row.cells.get(place)?.as_ref()?.adversarial))
    }

    pub fn doubted(&self, place: usize) -> bool {
        self.done.iter().any(|(_, row)| row.cells.get(place).and_then(Option::as_ref).is_some_and(|cell| !cell.doubts.is_empty()))
    }

    pub fn steered(&self) -> usize {
        self.done.iter().filter(|(_, row)| !row.run.changes.is_empty()).count()
    }

    /// From the config, so that points that were not run have one too.
    pub fn student(&self) -> String {
        network(self.first())
    }

    /// The teacher's network where it is known, else the file's name.
    pub fn teacher(&self, experiment: &Experiment) -> Option<String> {
        let cell = self.first();
        if let Some(row) = self.any_row() {
            return row.teacher.clone();
        }
        if let Some(teacher) = cell.teacher.as_deref().and_then(|id| experiment.plan.cell(id)) {
            return Some(network(teacher));
        }
        let config: toml::Table = cell.config.parse().unwrap_or_default();
        let file = config.get("teacher")?.get("checkpoint")?.as_str()?;
        std::path::Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned())
    }
}

fn network(cell: &Cell) -> String {
    let config: toml::Table = cell.config.parse().unwrap_or_default();
    let name = config.get("student").and_then(|student| student.get("network")).and_then(toml::Value::as_str);
    name.unwrap_or("?").to_string()
}

fn training(row: &Row) -> Option<f64> {
    match row.times.training {
        Time::Seconds(seconds) => Some(seconds),
        Time::Unknown | Time::DoesNotApply => None,
    }
}

/// Of a teacher that was trained in the sweep from its own run, so that a folder that was moved still knows it.
fn teacher_time(experiment: &Experiment, cell: &Cell, row: &Row) -> TeacherTime {
    if row.run.started.teacher.is_none() {
        return TeacherTime::None;
    }
    let own = cell.teacher.as_deref().and_then(|id| experiment.plan.cell(id)).and_then(|teacher| experiment.completed(teacher));
    if let Some(seconds) = own.and_then(training) {
        return TeacherTime::Seconds(seconds);
    }
    match (row.times.with_teacher, row.times.training) {
        (Time::Seconds(both), Time::Seconds(own)) => TeacherTime::Seconds((both - own).max(0.0)),
        (Time::Seconds(_) | Time::Unknown | Time::DoesNotApply, _) => TeacherTime::Unknown,
    }
}

/// `lambda` of `method.lambda`.
pub fn short(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
