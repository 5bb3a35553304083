//! The report of a sweep: what was run, what came out beside the paper's numbers, what is missing, what it took and how to make it again.

use super::ReportError;
use super::commands;
use super::document::{Block, Cell, Column, Document, Level, Shown, Table, Tone};
use super::epsilon;
use super::experiment::{Experiment, Stands};
use super::figures;
use super::history;
use super::missing;
use super::overview;
use super::paper::{Printed, printed};
use super::points::Point;
use super::sets::OneSet;
use super::single::{Names, machine};
use super::statistics::RULE;
use super::verdict;
use super::words::{self, count, minutes, percent};
use crate::run::comparison::{Group, Time};
use crate::run::listing::Standing;
use crate::run::store::RunFolder;
use crate::run::{comparison::evidence, evaluations};
use crate::sweep::plan::{Curve, Doubts};
use crate::sweep::{Figure, Plan, Role};
use std::path::Path;

const SEVERAL_SETS: &str = "The runs were evaluated on several sets of images. Each set has a table of its own: numbers of different images do \
not compare, also where the run and the attack are the same. Figures show the first table's images.";

/// # Errors
/// What is no sweep, or was not begun.
pub fn document(folder: &Path) -> Result<Document, ReportError> {
    let experiment = Experiment::read(folder)?;
    let plan = &experiment.plan;
    let table = plan.paper.map(printed);
    let title = if plan.title.trim().is_empty() { plan.name.clone() } else { plan.title.clone() };
    let mut document = Document { title, about: about(&experiment), blocks: Vec::new() };
    let mut names = Names::default();
    let several = experiment.groups.len() > 1;
    let blocks = &mut document.blocks;
    if several {
        blocks.push(Block::List(
            Tone::Caution,
            vec![format!(
                "The runs are on {} different pairs of data and threat. Each has a section of its own; nothing is averaged across them.",
                experiment.groups.len()
            )],
        ));
    }
    let lacking = missing::table(&experiment);
    if let Some(lacking) = &lacking {
        let said = format!("{} missing; means are over the seeds that are there, and say over how many. See What is missing.", {
            let things = lacking.rows.len();
            if things == 1 { "One thing is".to_string() } else { format!("{things} things are") }
        });
        blocks.push(Block::List(Tone::Caution, vec![said]));
    }
    for (i, group) in experiment.groups.iter().enumerate() {
        blocks.extend(results(&experiment, i, group, table, &mut names, several));
    }
    if let Some(lacking) = lacking {
        blocks.push(Block::Heading(Level::Section, "What is missing".into()));
        blocks.push(Block::Table(lacking));
    }
    if let Some(printed) = table {
        blocks.extend(of_paper(&experiment, printed));
    }
    blocks.extend(runs(&experiment));
    blocks.extend(time(&experiment));
    blocks.extend(again(&experiment));
    Ok(document)
}

fn about(experiment: &Experiment) -> String {
    let plan = &experiment.plan;
    let of = |role: Role| plan.cells.iter().filter(|cell| cell.role == role).count();
    let done = plan.cells.iter().filter(|cell| experiment.completed(cell).is_some()).count();
    let mut seeds: Vec<u64> = plan.cells.iter().map(|cell| cell.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    format!(
        "The sweep '{}': {} and {}, {done} of {} completed; {} {}.",
        plan.name,
        count(of(Role::Teacher), "teacher"),
        count(of(Role::Student), "other run"),
        plan.cells.len(),
        if seeds.len() == 1 { "seed" } else { "seeds" },
        words::listed(&seeds)
    )
}

fn results(
    experiment: &Experiment,
    place: usize,
    group: &Group,
    table: Option<&'static Printed>,
    names: &mut Names,
    several: bool,
) -> Vec<Block> {
    let points: Vec<Point> = experiment.points(place);
    let sets = figures::sets_of(experiment, group, &points);
    let on = format!("{}, {}", group.data.name, words::threat(group.threat));
    let title = if several { format!("Results: {on}") } else { "Results".into() };
    let mut blocks = vec![Block::Heading(Level::Section, title)];
    blocks.push(Block::Text(format!("{}; threat {}.", words::data(&group.data), words::threat(group.threat))));
    match experiment.plan.figure {
        Figure::Budget => {
            let said = verdict::at_equal_time(&sets, &points);
            if said.is_empty() {
                blocks
                    .push(Block::List(Tone::Caution, vec!["No run was given another's time, or none of them is there.".into()]));
            } else {
                blocks.push(Block::List(Tone::Finding, said));
                blocks.push(Block::Text(RULE.into()));
            }
        }
        Figure::Table | Figure::Time | Figure::Lambda | Figure::Grid => {}
    }
    if let Some(set) = sets.first() {
        blocks.extend(figures::of(experiment, set, &points, names).into_iter().map(Block::Figure));
    }
    blocks.extend(epsilon::figure(experiment, &points, names).map(Block::Figure));
    blocks.extend(overview::tables(experiment, group, &points, &sets, table).into_iter().map(Block::Table));
    if sets.len() > 1 {
        blocks.push(Block::Text(SEVERAL_SETS.into()));
    }
    blocks.push(Block::Text(overview::UNITS.into()));
    if let Some(printed) = table {
        blocks.push(Block::List(Tone::Caution, overview::apart(experiment, group, &points, printed)));
    }
    blocks
}

fn of_paper(experiment: &Experiment, printed: &'static Printed) -> Vec<Block> {
    let figure = match experiment.plan.figure {
        Figure::Table | Figure::Time | Figure::Budget => String::new(),
        Figure::Lambda => " Its Figure 3 shows lambda: only the trend can be recovered, natural accuracy rises with lambda and robustness falls.".into(),
        Figure::Grid => " Its Figure 4 shows students against teachers: its numbers cannot be recovered.".into(),
    };
    vec![
        Block::Heading(Level::Section, "The paper's numbers".into()),
        Block::Text(format!(
            "Vaishnavi, Eykholt, Rahmati: Transferring Adversarial Robustness Through Robust Representation Matching, USENIX Security 2022. \
             {}, {} eps {}.{figure}",
            printed.data_name, printed.norm, printed.eps_name
        )),
        Block::Table(overview::of_paper(printed)),
    ]
}

/// Every run by itself, and what must be known of it.
fn runs(experiment: &Experiment) -> Vec<Block> {
    let heads = ["run", "of", "state"].map(Column::left);
    let numbers = ["seed", "epochs", "min", "eval min", "natural", "adversarial", "images"].map(Column::right);
    let sets: Vec<Option<OneSet>> = (0..experiment.groups.len())
        .map(|place| figures::sets_of(experiment, &experiment.groups[place], &experiment.points(place)).into_iter().next())
        .collect();
    let mut rows = Vec::new();
    let mut remarks = Vec::new();
    for cell in &experiment.plan.cells {
        let name = Point::of(experiment, vec![cell]).name();
        let Some(row) = experiment.row(cell) else {
            let gap = || Cell { text: String::new(), ..Cell::missing() };
            let mut line = vec![Cell::of(&cell.id), Cell::of(name), Cell::missing(), Cell::of(cell.seed.to_string())];
            line.extend([gap(), gap(), gap(), gap(), gap(), gap()]);
            rows.push(line);
            continue;
        };
        let time = |time: Time| match time {
            Time::Seconds(seconds) => Cell::of(minutes(seconds)),
            Time::Unknown | Time::DoesNotApply => Cell::without(),
        };
        // Both on the same images.
        let set = match experiment.stand(cell) {
            Some(Stands::Ran { group, .. }) => sets.get(*group).and_then(Option::as_ref),
            Some(Stands::NotRun | Stands::Unreadable(_)) | None => None,
        };
        let share = set.and_then(|set| row.naturals[set.natural]);
        let natural = share.map_or_else(Cell::missing, |share| Cell::of(percent(share)));
        let last = set.and_then(|set| set.attacks.iter().filter_map(|(place, _)| row.cells[*place].as_ref()).next_back());
        let images = set.filter(|_| last.is_some()).map_or_else(Cell::missing, |set| Cell::of(set.count.to_string()));
        let adversarial = last.map_or_else(Cell::missing, |found| Cell::with(percent(found.adversarial), &found.ensemble.name));
        let epochs = row.epochs.map_or_else(Cell::without, |[done, planned]| Cell::of(format!("{done}/{planned}")));
        rows.push(vec![
            Cell::of(&cell.id),
            Cell::of(name),
            Cell::of(row.run.summary.state.name()),
            Cell::of(cell.seed.to_string()),
            epochs,
            time(row.times.training),
            time(row.times.evaluation),
            natural,
            adversarial,
            images,
        ]);
        // Of a teacher that was trained here the time is known, wherever the folder was moved to.
        let known =
            cell.teacher.as_deref().and_then(|id| experiment.plan.cell(id)).is_some_and(|t| experiment.completed(t).is_some());
        // What is missing has a table of its own, with better commands.
        let told =
            row.remarks.iter().filter(|remark| !remark.starts_with("it has no evaluation") && !remark.starts_with("it has only"));
        let told = told.filter(|remark| !(known && remark.starts_with("the training time of ")));
        remarks.extend(told.map(|remark| match remark.strip_prefix("! ") {
            Some(doubt) => format!("{}: doubted, {doubt}", cell.id),
            None => format!("{}: {remark}", cell.id),
        }));
    }
    let table = Table {
        caption: String::new(),
        columns: heads.into_iter().chain(numbers).collect(),
        rows,
        legend: Vec::new(),
        shown: Shown::InFiles,
    };
    let mut blocks = vec![
        Block::Heading(Level::Section, "Every run".into()),
        Block::Table(table),
        Block::Text("eval min: probes and the evaluation that ended the run; adversarial: under the strongest attack it was evaluated with, on the same images as natural.".into()),
    ];
    if !remarks.is_empty() {
        blocks.push(Block::List(Tone::Caution, remarks));
    }
    blocks
}

/// What all of it took, in parts that must not be mixed up.
fn time(experiment: &Experiment) -> Vec<Block> {
    let (mut teachers, mut students, mut probing, mut evaluating, mut unread) = (0.0, 0.0, 0.0, 0.0, 0usize);
    for cell in &experiment.plan.cells {
        let Some(row) = experiment.row(cell) else {
            unread += 1;
            continue;
        };
        let seconds = |time: Time| match time {
            Time::Seconds(seconds) => seconds,
            Time::Unknown | Time::DoesNotApply => 0.0,
        };
        match cell.role {
            Role::Teacher => teachers += seconds(row.times.training),
            Role::Student => students += seconds(row.times.training),
        }
        probing += seconds(row.times.evaluation);
        let found = evidence::gather(&evaluations::within(&experiment.run_folder(cell))).found;
        evaluating += found.iter().map(|f| f.report.seconds).sum::<f64>();
    }
    let mut facts = vec![
        ("training of teachers".to_string(), words::time(teachers)),
        ("training of the others, without their teachers'".into(), words::time(students)),
        ("training in all, each teacher counted once".into(), words::time(teachers + students)),
        ("probes and the evaluations that end runs".into(), words::time(probing)),
        ("evaluations afterwards".into(), words::time(evaluating)),
    ];
    if unread > 0 {
        facts.push(("not in these sums".into(), format!("{} that are missing", count(unread, "run"))));
    }
    let mut blocks = vec![
        Block::Heading(Level::Section, "Time and machine".into()),
        Block::Text(
            "Training time is that of training steps, the loading of their images included; probes, checkpoints, pauses and evaluations are left \
             out, also where the paper's times may have had them in. A method that needs a teacher costs both: the tables have both numbers, and where a teacher serves \
             several students its time counts once in the sum here and with each student in the tables."
                .into(),
        ),
        Block::Facts(facts),
    ];
    let mut machines: Vec<(Vec<(String, String)>, usize)> = Vec::new();
    for cell in &experiment.plan.cells {
        let path = experiment.run_folder(cell);
        let Some(row) = experiment.row(cell) else { continue };
        let Some(read) = RunFolder::open(&path, &path).ok().and_then(|folder| history::read(&folder).ok()) else { continue };
        let mut facts = machine(&read, &row.run.started);
        facts.retain(|(name, _)| name != "began");
        match machines.iter_mut().find(|(other, _)| *other == facts) {
            Some((_, n)) => *n += 1,
            None => machines.push((facts, 1)),
        }
    }
    if machines.len() > 1 {
        blocks.push(Block::List(
            Tone::Caution,
            vec!["The runs were not all made by the same program on the same machine: their times compare only where both are the same.".into()],
        ));
    }
    for (mut facts, n) in machines {
        facts.insert(0, ("runs".into(), n.to_string()));
        blocks.push(Block::Facts(facts));
    }
    blocks
}

fn again(experiment: &Experiment) -> Vec<Block> {
    let plan = &experiment.plan;
    let mut lines = Vec::new();
    for cell in &plan.cells {
        let Some(row) = experiment.row(cell) else { continue };
        let path = experiment.run_folder(cell);
        lines.push(commands::train(&path, &cell.id, row.run.started.threads));
        if let (Standing::Completed, Some(evaluate)) = (row.run.summary.state, &plan.evaluate) {
            let attacks: Vec<&str> = evaluate.attacks.iter().map(String::as_str).collect();
            lines.push(commands::asked(&path, evaluate, &attacks));
        }
    }
    let mut blocks = vec![
        Block::Heading(Level::Section, "To make it again".into()),
        Block::Code { about: "All of it:".into(), text: commands::sweep(&experiment.folder) },
        Block::Facts(evaluated_with(plan)),
        Block::Folded {
            title: "Each run by itself, and its evaluation".into(),
            blocks: vec![Block::Code { about: String::new(), text: lines.join("\n") }],
        },
        Block::Heading(Level::Part, "The sweep file".into()),
        Block::Code { about: String::new(), text: experiment.source.clone() },
    ];
    let configs: Vec<Block> = plan
        .cells
        .iter()
        .map(|cell| Block::Folded {
            title: cell.id.clone(),
            blocks: vec![Block::Code { about: String::new(), text: cell.config.clone() }],
        })
        .collect();
    blocks.push(Block::Folded { title: "Every run's config, as the plan has it".into(), blocks: configs });
    blocks
}

fn evaluated_with(plan: &Plan) -> Vec<(String, String)> {
    let Some(evaluate) = &plan.evaluate else {
        return vec![("evaluated with".into(), "the evaluation that ends each run alone".into())];
    };
    let images = evaluate
        .images
        .map_or_else(|| format!("all of the {} split", evaluate.split), |n| format!("{n} {} images", evaluate.split));
    let curve = match evaluate.curve {
        Curve::Yes => ", with accuracy against epsilon",
        Curve::No => "",
    };
    let doubts = match evaluate.doubts {
        Doubts::Look => "",
        Doubts::Skip => ", doubts not looked for",
    };
    vec![("evaluated with".into(), format!("{} on {images}, seed {}{curve}{doubts}", evaluate.attacks.join(", "), evaluate.seed))]
}
