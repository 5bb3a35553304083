//! The section of one run: plots, images, every evaluation, what it cost, on what machine, and how to make it again.

use super::commands;
use super::curves::{self, Measured};
use super::document::{Block, Cell, Column, Figure, Level, Picture, Shown, Table, Tone, file_name};
use super::history::History;
use super::png;
use super::words::{self, likely, percent};
use crate::config::Ensemble;
use crate::protocol::Step;
use crate::protocol::event::{Split, Started, Whose};
use crate::protocol::report::Report;
use crate::run::comparison::evidence::{self, Found};
use crate::run::comparison::{Row, Time};
use crate::run::evaluations;
use crate::run::state::Marker;
use std::fs;

/// Images under attack that are shown.
const PICTURES: usize = 6;
/// A longer config is something else.
const LONGEST_CONFIG: u64 = 1 << 20;

/// Names of files that are taken, over the whole report.
#[derive(Debug, Default)]
pub struct Names(Vec<String>);

impl Names {
    pub fn take(&mut self, wanted: &str) -> String {
        let name = file_name(wanted, &self.0);
        self.0.push(name.clone());
        name
    }
}

/// One number of an evaluation, wherever it was made.
struct Number {
    source: String,
    of: Whose,
    step: Option<Step>,
    ensemble: Ensemble,
    split: Split,
    images: u64,
    seen: Option<bool>,
    natural: f64,
    adversarial: f64,
    doubts: Vec<String>,
    /// Whether anybody looked for doubts.
    looked: bool,
}

pub fn section(row: &Row, history: &History, names: &mut Names) -> Vec<Block> {
    let run = &row.run;
    let started = &run.started;
    let found = evidence::gather(&evaluations::within(&run.folder)).found;
    let mut blocks = vec![Block::Heading(Level::Section, format!("The run {}", row.label))];
    if !row.remarks.is_empty() {
        blocks.push(Block::List(Tone::Caution, row.remarks.clone()));
    }
    blocks.push(Block::Facts(facts(row, started)));
    if !run.changes.is_empty() {
        blocks.push(Block::Table(turned(&run.changes)));
    }
    let id = &run.summary.id;
    let mut figure = |found: Option<Figure>| blocks.extend(found.map(Block::Figure));
    figure(curves::losses(history, names.take(&format!("{id}-loss"))));
    figure(curves::accuracies(history, names.take(&format!("{id}-accuracy"))));
    figure(curves::against_epsilon(&measured(history, &found), names.take(&format!("{id}-epsilon"))));
    blocks.extend(pictures(history, started, names, id));
    blocks.extend(numbers(row, history, &found));
    blocks.push(Block::Heading(Level::Part, "What it took".into()));
    blocks.push(Block::Facts(cost(row, &found)));
    blocks.push(Block::Facts(machine(history, started)));
    blocks.extend(again(row, started, &found));
    blocks
}

fn facts(row: &Row, started: &Started) -> Vec<(String, String)> {
    let fact = |name: &str, what: String| (name.to_string(), what);
    let mut facts = vec![
        fact("method", started.config.method.describe()),
        fact(
            "student",
            format!("{}, {} parameters, {} features", started.student.name, started.student.parameters, started.student.features),
        ),
    ];
    if let Some(teacher) = &started.teacher {
        let made = if teacher.provenance.is_empty() { "of unknown making" } else { &teacher.provenance };
        facts.push(fact("teacher", format!("{} from {}: {made}", teacher.network.name, teacher.path)));
    }
    facts.push(fact("data", words::data(&started.data)));
    facts.push(fact("threat", words::threat(started.config.threat)));
    facts.push(fact("seed", started.config.seed.to_string()));
    if let Some([done, planned]) = row.epochs {
        facts.push(fact("epochs", format!("{done} of {planned}, {} steps each", started.plan.steps_per_epoch)));
    }
    facts.push(fact("state", row.run.summary.state.name().into()));
    if let Some(parent) = &started.parent {
        facts.push(fact("branched off", format!("{} at step {}", parent.run, parent.step)));
    }
    facts
}

/// What was changed while it ran.
fn turned(changes: &[Marker]) -> Table {
    let rows = changes.iter().map(|change| {
        let by = match change.asked_at {
            Some(asked_at) => format!("a person, scheduled at step {asked_at}"),
            None if change.by_person => "a person".into(),
            None => "its plan".into(),
        };
        let note = change.note.as_ref().map_or_else(Cell::without, Cell::of);
        vec![Cell::of(change.step.to_string()), Cell::of(&change.text), Cell::of(by), note]
    });
    let mut columns = vec![Column::right("from step")];
    columns.extend(["what was turned", "by", "note"].map(Column::left));
    Table { caption: String::new(), columns, rows: rows.collect(), legend: Vec::new(), shown: Shown::InFiles }
}

fn measured(history: &History, found: &[Found]) -> Vec<Measured> {
    let step = |step: Option<Step>| step.map_or(String::new(), |step| format!(", step {step}"));
    let name = |report: &Report, at: Option<Step>| {
        let whose = match report.of {
            Whose::Student => "",
            Whose::Teacher => "teacher, ",
        };
        format!("{whose}{}{}", report.split.name(), step(at))
    };
    let of_files = found.iter().map(|f| (&f.report, evidence::step_of(&f.model)));
    let of_log = history.state.reports.iter().map(|(step, report)| (&**report, Some(*step)));
    of_files
        .chain(of_log)
        .filter_map(|(report, at)| Some(Measured { name: name(report, at), curve: report.curve.clone()? }))
        .collect()
}

fn pictures(history: &History, started: &Started, names: &mut Names, id: &str) -> Vec<Block> {
    let Some(exhibit) = &history.state.exhibit else { return Vec::new() };
    let class = |class: u64| started.data.classes.get(class as usize).cloned().unwrap_or_else(|| format!("class {class}"));
    let mut pictures = Vec::new();
    let mut damaged = Vec::new();
    for piece in exhibit.pieces.iter().take(PICTURES) {
        let png = piece.pixels().and_then(|pixels| png::strip(&pixels));
        match png {
            Ok(png) => pictures.push(Picture {
                name: names.take(&format!("{id}-image-{}", piece.index)),
                caption: format!(
                    "{}, {}: {} ({:.0} %) before, {} ({:.0} %) under attack",
                    class(piece.label),
                    piece.group.name(),
                    class(piece.student.before.class),
                    100.0 * piece.student.before.confidence,
                    class(piece.student.after.class),
                    100.0 * piece.student.after.confidence
                ),
                png,
            }),
            Err(why) => damaged.push(format!("validation image {}: {why}", piece.index)),
        }
    }
    if pictures.is_empty() && damaged.is_empty() {
        return Vec::new();
    }
    let intro = format!(
        "At step {}, {} ({} eps {}): of {} validation images {} were fooled and {} stood. Each: unchanged, under attack, ten times the \
         difference (grey is none).",
        exhibit.step,
        exhibit.attack.short(),
        exhibit.attack.norm,
        exhibit.attack.eps,
        exhibit.looked,
        exhibit.fooled,
        exhibit.standing
    );
    let mut blocks =
        vec![Block::Heading(Level::Part, "Images under attack".into()), Block::Text(intro), Block::Pictures(pictures)];
    if !damaged.is_empty() {
        blocks.push(Block::List(Tone::Caution, damaged));
    }
    blocks
}

/// Every evaluation that was finished, of whichever weights.
fn numbers(row: &Row, history: &History, found: &[Found]) -> Vec<Block> {
    let mut numbers = Vec::new();
    if let Some(last) = history.state.last_final() {
        numbers.push(Number {
            source: "the one that ended it".into(),
            of: Whose::Student,
            step: Some(last.step),
            ensemble: Ensemble { name: last.attack.short(), members: vec![last.attack.clone()] },
            split: last.split,
            images: last.images,
            seen: Some(last.split == Split::Train),
            natural: last.natural,
            adversarial: last.adversarial,
            doubts: Vec::new(),
            looked: false,
        });
    }
    for f in found {
        let source = f.folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        numbers.extend(of_report(&f.report, &source, evidence::step_of(&f.model), f.seen_in_training()));
    }
    for (step, report) in &history.state.reports {
        numbers.extend(of_report(report, "asked for while it trained", Some(*step), Some(report.split == Split::Train)));
    }
    let mut blocks = vec![Block::Heading(Level::Part, "Every evaluation".into())];
    if numbers.is_empty() {
        blocks.push(Block::List(
            Tone::Caution,
            vec![format!(
                "Nothing was evaluated. To make one: rematch eval {} --attack autoattack",
                commands::quoted(&row.run.folder)
            )],
        ));
        return blocks;
    }
    let doubts: Vec<String> = numbers
        .iter()
        .flat_map(|n| n.doubts.iter().map(|doubt| format!("{} ({}): {doubt}", n.ensemble.name, n.source)))
        .collect();
    blocks.push(Block::Table(table(&numbers)));
    if !doubts.is_empty() {
        let mut told: Vec<String> = Vec::new();
        for doubt in doubts {
            if !told.contains(&doubt) {
                told.push(doubt);
            }
        }
        blocks.push(Block::List(Tone::Caution, told));
    }
    blocks
}

fn of_report<'a>(
    report: &'a Report,
    source: &'a str,
    step: Option<Step>,
    seen: Option<bool>,
) -> impl Iterator<Item = Number> + 'a {
    let doubts: Vec<String> =
        report.doubts.iter().map(|d| format!("{}: {}; {}", d.suspicion.name(), d.saw, d.suggests)).collect();
    report.attacks.iter().map(move |attack| Number {
        source: source.into(),
        of: report.of,
        step,
        ensemble: attack.ensemble.clone(),
        split: report.split,
        images: report.images,
        seen,
        natural: report.natural,
        adversarial: attack.adversarial,
        doubts: doubts.clone(),
        looked: !report.looked_for.is_empty(),
    })
}

fn table(numbers: &[Number]) -> Table {
    let left = ["attack", "of", "how", "threat", "images"].map(Column::left);
    let right = ["natural", "adversarial", "95 % interval"].map(Column::right);
    let last = ["seen in training", "seed", "doubts", "made by"].map(Column::left);
    let row = |number: &Number| {
        let members = &number.ensemble.members;
        let how: Vec<String> =
            members.iter().map(|m| if members.len() > 1 { format!("{}: {}", m.name.name(), m.how()) } else { m.how() }).collect();
        let threat = members.first().map_or_else(String::new, |m| format!("{} eps {}", m.norm, m.eps));
        let at = number.step.map_or_else(|| "unknown step".into(), |step| format!("step {step}"));
        let seen = match number.seen {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not known",
        };
        let doubts = match (number.doubts.len(), number.looked) {
            (0, true) => "none found".into(),
            (0, false) => "not looked for".into(),
            (n, _) => format!("! {n}"),
        };
        vec![
            Cell::of(&number.ensemble.name),
            Cell::with(number.of.name(), at),
            Cell::of(how.join("; ")),
            Cell::of(threat),
            Cell::of(format!("{} {}", number.images, number.split.name())),
            Cell::of(percent(number.natural)),
            Cell::of(percent(number.adversarial)),
            Cell::of(likely(number.adversarial, number.images)),
            Cell::of(seen),
            Cell::of(members.first().map_or_else(String::new, |m| m.seed.to_string())),
            Cell::of(doubts),
            Cell::of(&number.source),
        ]
    };
    Table {
        caption: String::new(),
        columns: left.into_iter().chain(right).chain(last).collect(),
        rows: numbers.iter().map(row).collect(),
        legend: Vec::new(),
        shown: Shown::InFiles,
    }
}

fn cost(row: &Row, found: &[Found]) -> Vec<(String, String)> {
    let time = |time: Time| match time {
        Time::Seconds(seconds) => words::time(seconds),
        Time::Unknown => "not known".into(),
        Time::DoesNotApply => "-".into(),
    };
    let after: f64 = found.iter().map(|f| f.report.seconds).sum();
    vec![
        ("training steps alone".into(), time(row.times.training)),
        ("with the teacher's".into(), time(row.times.with_teacher)),
        ("probes and the final evaluation, not in it".into(), time(row.times.evaluation)),
        (format!("{} afterwards, not in it", words::count(found.len(), "evaluation")), words::time(after)),
    ]
}

pub fn machine(history: &History, started: &Started) -> Vec<(String, String)> {
    let mut facts = vec![
        ("program".to_string(), history.programs.join(", ")),
        ("device".into(), history.devices.join(", ")),
        ("threads".into(), started.threads.map_or_else(|| "not recorded".into(), |threads| threads.to_string())),
    ];
    if history.cores > 0 {
        facts.push(("machine".into(), format!("{} cores, {} of memory", history.cores, words::gigabytes(history.memory))));
    }
    let gpus = if history.gpus.is_empty() { "none".into() } else { history.gpus.join(", ") };
    facts.push(("GPUs".into(), gpus));
    facts.push(("began".into(), words::moment(history.state.started_at_ms)));
    facts
}

fn again(row: &Row, started: &Started, found: &[Found]) -> Vec<Block> {
    let run = &row.run;
    let classes = started.data.classes.len();
    let mut lines = vec![commands::train(&run.folder, &run.summary.id, started.threads)];
    if !run.changes.is_empty() {
        lines.push(format!("rematch repeat {}    # with what was turned by hand", commands::quoted(&run.folder)));
    }
    let finals = format!(
        "# the evaluation that ends a run is part of training: {} steps, {}",
        started.config.evaluation.steps,
        words::count(started.config.evaluation.restarts as usize, "restart")
    );
    lines.push(finals);
    for f in found.iter().filter(|f| f.report.of == Whose::Student) {
        for attack in &f.report.attacks {
            let line = commands::eval(&run.folder, &attack.ensemble, f.report.split, f.report.images, classes);
            let line = if f.report.curve.is_some() { format!("{line} --curve") } else { line };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    let mut blocks = vec![
        Block::Heading(Level::Part, "To make it again".into()),
        Block::Code { about: String::new(), text: lines.join("\n") },
    ];
    let file = run.folder.join("config.toml");
    let there = fs::metadata(&file).is_ok_and(|facts| facts.is_file() && facts.len() <= LONGEST_CONFIG);
    match there.then(|| fs::read_to_string(&file)) {
        Some(Ok(text)) => {
            let title = "The whole config, defaults and -s included".into();
            blocks.push(Block::Folded { title, blocks: vec![Block::Code { about: String::new(), text }] });
        }
        Some(Err(_)) | None => blocks.push(Block::Text(format!("{} cannot be read.", file.display()))),
    }
    blocks
}
