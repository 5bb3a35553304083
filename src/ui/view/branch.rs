//! The list of checkpoints, and the windows before one is gone back to, branched off or deleted.

use super::Pen;
use super::dialogs::{self, window};
use crate::run::checkpoints::{self, Found, Pinned};
use crate::ui::intent::{may_touch, steers};
use crate::ui::screen::{Branching, Checkpoints, Kind};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Cells between the borders that all columns need, marks included.
const ALL_COLUMNS: u16 = 74;

pub(super) fn list(pen: &Pen, row: usize, area: Rect, buffer: &mut Buffer) {
    let all = pen.screen.checkpoints.all();
    let row = row.min(all.len().saturating_sub(1));
    let best = pen.state.planned_eps().and_then(|eps| checkpoints::best(all, eps)).map(|found| found.state.step);
    // What a checkpoint is marked as matters more than its size.
    let size = if 78.min(area.width).saturating_sub(4) >= ALL_COLUMNS { Size::Shown } else { Size::Hidden };
    let sized = if size == Size::Shown { format!("  {:>8}  {:>6}", "size", "age") } else { String::new() };
    let head = format!("  {:<8} {:>5}  {:<15} {:>4} {:>5}{sized}", "step", "epoch", "why", "nat", "adv");
    let mut head = Line::from(pen.span(Tone::Dim, head));
    let lines: Vec<Line> = all
        .iter()
        .enumerate()
        .map(|(i, found)| {
            let tone = if i == row { Tone::Selected } else { Tone::Text };
            Line::from(pen.span(tone, line(pen, found, best == Some(found.state.step), size)))
        })
        .collect();
    if all.is_empty() {
        let text = match &pen.screen.checkpoints {
            Checkpoints::Unread | Checkpoints::Asked => "reading ...",
            Checkpoints::Read(_) if steers(pen.screen, pen.state).is_ok() => "no checkpoint was written yet; s writes one",
            Checkpoints::Read(_) => "no checkpoint is in the run's folder",
        };
        head = Line::from(pen.span(Tone::Dim, text));
    }
    let foot = match (all.is_empty(), may_touch(pen.screen, pen.state)) {
        (true, _) => "Esc close",
        (false, true) => "w go back to it   f new run beside   p pin   x delete   Esc",
        (false, false) => "f new run beside   Esc",
    };
    dialogs::list(pen, area, "Checkpoints", (Some(head), &lines), row, foot, buffer);
}

/// Whether size and age have columns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Shown,
    Hidden,
}

fn line(pen: &Pen, found: &Found, best: bool, size: Size) -> String {
    let state = &found.state;
    let epoch =
        if state.steps_per_epoch > 0 { format!("{:.1}", state.step as f64 / state.steps_per_epoch as f64) } else { "-".into() };
    // Of these weights, not of older ones.
    let probed = state.probed.filter(|probed| probed.step == state.step);
    let percent = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{:.1}", 100.0 * value));
    let age = found.saved_at_ms.map_or_else(|| "-".into(), |at| age(pen.screen.now_ms.saturating_sub(at) / 1000));
    let mut marks = String::new();
    if best {
        marks += " best";
    }
    if found.pinned == Pinned::Yes {
        marks += " pinned";
    }
    if state.spoiled_at.is_some() {
        marks += " ! spoiled";
    }
    let (natural, adversarial) = (percent(probed.map(|p| p.natural)), percent(probed.map(|p| p.adversarial)));
    let sized = match size {
        Size::Shown => format!("  {:>8}  {age:>6}", format!("{:.1} MiB", found.bytes as f64 / 1_048_576.0)),
        Size::Hidden => String::new(),
    };
    format!("{:<8} {epoch:>5}  {:<15} {natural:>4} {adversarial:>5}{sized}{marks}", state.step, state.reason.name())
}

/// `41 s`, `12 min`, `3.5 h`, `2 d`.
fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{:.1} h", seconds as f64 / 3600.0),
        _ => format!("{} d", seconds / 86_400),
    }
}

pub(super) fn branch(pen: &Pen, branching: &Branching, area: Rect, buffer: &mut Buffer) {
    let (title, what) = match branching.kind {
        Kind::Rewind => {
            ("Go back", ["This run is saved and stopped, and stays as it is.", "A new one goes on here, from that step."])
        }
        Kind::Beside => (
            "New run beside",
            ["This run goes on. A new one trains beside it,", "without a screen: 5 shows it, rematch attach steers it."],
        ),
    };
    let mut lines = vec![
        Line::from(pen.span(Tone::Text, format!("from step {}", branching.step))),
        Line::from(pen.span(Tone::Text, what[0])),
        Line::from(pen.span(Tone::Text, what[1])),
        Line::default(),
        Line::from(vec![pen.span(Tone::Title, "▸ with "), pen.span(Tone::Title, format!("{}▏", branching.sets))]),
    ];
    match &branching.fault {
        Some(fault) => lines.push(Line::from(pen.span(Tone::Error, format!("! {fault}")))),
        None => lines.push(Line::from(pen.span(Tone::Dim, "method.lambda=0.001 train.lr=0.05; empty: as it was"))),
    }
    lines.push(Line::default());
    lines.push(Line::from(pen.span(Tone::Dim, "Enter begin it   Esc back")));
    window(pen, area, title, 66, &lines, buffer);
}

pub(super) fn forget(pen: &Pen, step: u64, typed: &str, area: Rect, buffer: &mut Buffer) {
    let lines = [
        Line::from(pen.span(Tone::Text, format!("The checkpoint of step {step} is gone for good then."))),
        Line::default(),
        Line::from(pen.span(Tone::Title, format!("▸ type its step: {typed}▏"))),
        Line::default(),
        Line::from(pen.span(Tone::Dim, "Enter delete it   Esc keep it")),
    ];
    window(pen, area, "Delete a checkpoint?", 54, &lines, buffer);
}
