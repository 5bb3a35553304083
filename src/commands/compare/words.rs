//! Headings, cells, legend and remarks of a table for people; text and Markdown differ only in how they set them.

pub use rematch::headless::grid::Align;
use rematch::run::comparison::{Cell, Group, Row, Time};
use rematch::run::listing::clock;

/// What every number of a table is.
pub const UNITS: &str = "Accuracies in %, each adversarial one an upper bound; train: time of training steps, alone and with the teacher's; eval: of probes and the final evaluation.";

const FACTS: &[(&str, Align)] = &[
    ("run", Align::Left),
    ("method", Align::Left),
    ("student", Align::Left),
    ("teacher", Align::Left),
    ("lambda", Align::Left),
    ("epochs", Align::Right),
    ("train", Align::Right),
    ("train+teacher", Align::Right),
    ("eval", Align::Right),
];

pub fn title(group: &Group) -> String {
    let data = &group.data;
    let [c, h, w] = data.shape;
    let (classes, test, threat) = (data.classes.len(), data.test, group.threat);
    format!("{} ({h}x{w}x{c}, {classes} classes, {test} test images), {} eps {}", data.name, threat.norm, threat.eps)
}

/// Facts that the narrow table leaves out: those that the training time with the teacher's, the notes and the other forms tell as well.
const WIDE_ONLY: &[&str] = &["train", "eval"];
/// Facts that the narrow table tells once where they are the same for all rows.
const TOLD_ONCE: &[&str] = &["method", "student", "teacher", "lambda", "epochs"];

/// Which columns the narrow table has, and what is the same in all of its rows: `student fc3; epochs 12/12`.
pub fn narrow(group: &Group) -> (Vec<usize>, String) {
    let rows: Vec<Vec<String>> = group.rows.iter().map(|row| cells(group, row, "-")).collect();
    let same = |place: usize| rows.len() > 1 && rows.iter().all(|row| row[place] == rows[0][place]);
    let (mut shown, mut once) = (Vec::new(), Vec::new());
    for (place, (name, _)) in headings(group).iter().enumerate() {
        if place >= FACTS.len() || !(WIDE_ONLY.contains(&name.as_str()) || (TOLD_ONCE.contains(&name.as_str()) && same(place))) {
            shown.push(place);
        } else if TOLD_ONCE.contains(&name.as_str()) && rows[0][place] != "-" {
            once.push(format!("{name} {}", rows[0][place]));
        }
    }
    (shown, once.join("; "))
}

pub fn headings(group: &Group) -> Vec<(String, Align)> {
    let (naturals, attacks) = group.headings();
    let facts = FACTS.iter().map(|(name, align)| ((*name).to_string(), *align));
    facts.chain(naturals.into_iter().chain(attacks).map(|name| (name, Align::Right))).collect()
}

/// `missing`: what stands where there is nothing.
pub fn cells(group: &Group, row: &Row, missing: &str) -> Vec<String> {
    let word = |text: &Option<String>| text.clone().unwrap_or_else(|| missing.into());
    let time = |time: Time| match time {
        Time::Seconds(seconds) => clock(seconds),
        Time::Unknown => "?".into(),
        Time::DoesNotApply => missing.into(),
    };
    let mut cells = vec![
        row.label.clone(),
        word(&row.method),
        row.network.clone(),
        word(&row.teacher),
        word(&row.lambda),
        row.epochs.map_or_else(|| missing.into(), |[done, planned]| format!("{done}/{planned}")),
        time(row.times.training),
        time(row.times.with_teacher),
        time(row.times.evaluation),
    ];
    cells.extend(row.naturals.iter().map(|natural| natural.map_or_else(|| missing.into(), percent)));
    for (place, cell) in row.cells.iter().enumerate() {
        // Where any of a column has a mark, the digits of the others stay below each other.
        let doubted = |cell: &Cell| !cell.doubts.is_empty();
        let room = if group.rows.iter().filter_map(|row| row.cells[place].as_ref()).any(doubted) { "  " } else { "" };
        cells.push(match cell {
            Some(cell) if doubted(cell) => format!("{} !", percent(cell.adversarial)),
            Some(cell) => format!("{}{room}", percent(cell.adversarial)),
            None => format!("{missing}{room}"),
        });
    }
    cells
}

fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

/// What each column of accuracies was measured with and on.
pub fn legend(group: &Group) -> Vec<(String, String)> {
    let (naturals, attacks) = group.headings();
    let own = group.data.name.as_str();
    let images = group.images.iter().map(|images| images.describe(own));
    let columns = group.columns.iter().map(|column| column.describe(own));
    naturals.into_iter().zip(images).chain(attacks.into_iter().zip(columns)).collect()
}

/// Of every row, after its name.
pub fn remarks(group: &Group) -> Vec<(String, String)> {
    group.rows.iter().flat_map(|row| row.remarks.iter().map(|remark| (row.label.clone(), remark.clone()))).collect()
}
