//! The machine and where the time of a step goes. A machine without a GPU shows its processor instead, never an empty GPU.

use super::{Pen, bytes, lines_at};
use crate::protocol::event::{Gpu, Machine, Part};
use crate::ui::glyphs::{bar, level};
use crate::ui::layout::Pane;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Least cells of a bar with its percents and the blanks around it.
pub(super) const BAR: usize = 14;

pub(super) fn machine(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let newest = pen.state.machine.back();
    let gpu = newest.and_then(|m| m.gpus.first());
    let name = match (gpu, newest) {
        (Some(gpu), _) => format!("GPU {} {}", gpu.index, short_name(&gpu.name)),
        (None, Some(machine)) => format!("CPU {} cores", machine.cores),
        (None, None) => "Machine".into(),
    };
    let inner = pen.frame(area, pen.title(Pane::Machine, &name), pen.focused(Pane::Machine), buffer);
    let lines = match (newest, gpu) {
        (None, _) => vec![Line::from(pen.span(Tone::Dim, "no reading yet"))],
        (Some(machine), Some(gpu)) => gpu_lines(pen, machine, gpu, inner.width),
        (Some(machine), None) => cpu_lines(pen, machine, inner.width),
    };
    lines_at(inner, &lines, buffer);
}

fn short_name(name: &str) -> &str {
    name.strip_prefix("NVIDIA ").unwrap_or(name).split_whitespace().next().unwrap_or(name)
}

pub(super) fn gauge(pen: &Pen, name: &str, share: f64, text: &str, width: u16) -> Line<'static> {
    let room = usize::from(width).saturating_sub(name.chars().count() + text.chars().count() + 2);
    let mut line = Line::from(pen.span(Tone::Text, format!("{name} ")));
    line.push_span(ratatui::text::Span::styled(bar(share, room), pen.style(Tone::Ok)));
    line.push_span(pen.span(Tone::Text, format!(" {text}")));
    line
}

/// The last readings that fit, one a column, in steps of an eighth. Filled from the right like a strip chart: at 1 Hz cheap.
pub(super) fn history(pen: &Pen, of: impl Fn(&Machine) -> Option<f64>, width: u16) -> Line<'static> {
    let room = usize::from(width).saturating_sub(5);
    let mut graph: String = pen.state.machine.iter().rev().take(room).map(|m| of(m).map_or(' ', level)).collect();
    graph = graph.chars().rev().collect();
    Line::from(vec![pen.span(Tone::Text, "     "), ratatui::text::Span::styled(format!("{graph:>room$}"), pen.style(Tone::Ok))])
}

fn gpu_lines(pen: &Pen, machine: &Machine, gpu: &Gpu, width: u16) -> Vec<Line<'static>> {
    let unknown = || "--".to_string();
    let used = gpu.utilisation_percent;
    let mut lines =
        vec![gauge(pen, "util", used.unwrap_or(0.0) / 100.0, &used.map_or_else(unknown, |u| format!("{u:3.0}%")), width)];
    lines.push(history(pen, |m| m.gpus.first().and_then(|g| g.utilisation_percent).map(|u| u / 100.0), width));
    let share = gpu.memory_used.zip(gpu.memory_total).map_or(0.0, |(used, all)| used as f64 / all.max(1) as f64);
    lines.push(gauge(pen, "mem ", share, &gpu.memory_used.map_or_else(unknown, bytes), width));
    let temperature = gpu.temperature_c.map_or_else(unknown, |t| format!("{t:.0}°C"));
    let power = match (gpu.power_w, gpu.power_limit_w) {
        (Some(now), Some(limit)) => format!("{now:.0}W/{limit:.0}W"),
        (Some(now), None) => format!("{now:.0}W"),
        (None, _) => unknown(),
    };
    lines.push(Line::from(pen.span(Tone::Text, format!("{temperature}  {power}"))));
    lines.push(Line::from(pen.span(Tone::Dim, format!("cpu {:.0}%  host {}", machine.cpu_percent, bytes(machine.memory_used)))));
    lines
}

fn cpu_lines(pen: &Pen, machine: &Machine, width: u16) -> Vec<Line<'static>> {
    let share = machine.memory_used as f64 / machine.memory_total.max(1) as f64;
    vec![
        gauge(pen, "cpu ", machine.cpu_percent / 100.0, &format!("{:3.0}%", machine.cpu_percent), width),
        history(pen, |m| Some(m.cpu_percent / 100.0), width),
        gauge(pen, "mem ", share, &format!("{:>5}", bytes(machine.memory_used)), width),
        Line::from(pen.span(Tone::Text, format!("of {} in the machine", bytes(machine.memory_total)))),
        Line::from(pen.span(Tone::Dim, format!("rematch {:.0}% {}", machine.process_cpu_percent, bytes(machine.resident)))),
    ]
}

pub(super) fn timing(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let inner = pen.frame(area, pen.title(Pane::Timing, "Step time"), pen.focused(Pane::Timing), buffer);
    let mut lines = Vec::new();
    if let Some(timing) = &pen.state.timing {
        let all: f64 = timing.parts.values().sum();
        let parts = &pen.state.parts;
        for (part, name) in parts.iter().zip(part_labels(parts, usize::from(inner.width), BAR)) {
            let share = timing.parts.get(part).copied().unwrap_or(0.0) / all.max(f64::MIN_POSITIVE);
            lines.push(gauge(pen, &name, share, &format!("{:3.0}%", 100.0 * share), inner.width));
        }
        lines.push(Line::from(pen.span(Tone::Text, format!("step p50 {}ms p99 {}ms", ms(timing.p50_ms), ms(timing.p99_ms)))));
    } else {
        lines.push(Line::from(pen.span(Tone::Dim, "no timing yet")));
    }
    let room = usize::from(inner.height).saturating_sub(lines.len());
    lines.extend(epochs(pen, room));
    lines_at(inner, &lines, buffer);
}

/// Name of a part of a step, spelt out and short.
pub(super) fn part_names(part: Part) -> [&'static str; 2] {
    match part {
        Part::Data => ["data"; 2],
        Part::Attack => ["attack"; 2],
        Part::Teacher => ["teacher"; 2],
        Part::ForwardBackward => ["forward+backward", "fwd+bwd"],
        Part::Update => ["update"; 2],
    }
}

/// Names of parts, all as wide as the longest of them: spelt out where that leaves `rest` of `width` cells.
pub(super) fn part_labels(parts: &[Part], width: usize, rest: usize) -> Vec<String> {
    let longest = |which: usize| parts.iter().map(|part| part_names(*part)[which].len()).max().unwrap_or(0);
    let which = usize::from(longest(0) + rest > width);
    let longest = longest(which);
    parts.iter().map(|part| format!("{:<longest$}", part_names(*part)[which])).collect()
}

/// Whole milliseconds from ten on: the rest is noise.
fn ms(v: f64) -> String {
    if v < 10.0 { format!("{v:.1}") } else { format!("{v:.0}") }
}

/// The same in one line of at most `room` cells: `40ms data 1 teacher 10 fwd+bwd 88 update 1 %`, spelt out where that fits.
pub(super) fn brief_step(pen: &Pen, room: usize) -> String {
    let Some(timing) = &pen.state.timing else { return String::new() };
    let all: f64 = timing.parts.values().sum();
    let named = |which: usize| {
        pen.state.parts.iter().map(move |part| {
            let share = 100.0 * timing.parts.get(part).copied().unwrap_or(0.0) / all.max(f64::MIN_POSITIVE);
            format!(" {} {share:.0}", part_names(*part)[which])
        })
    };
    let mut text = format!("{}ms", ms(timing.p50_ms));
    // With room for three digits each, or names would come and go as shares change.
    let whole: usize = pen.state.parts.iter().map(|part| part_names(*part)[0].len() + 5).sum();
    let which = usize::from("1000ms %".len() + whole > room);
    for next in named(which) {
        if text.len() + next.len() + 2 > room {
            break;
        }
        text.push_str(&next);
    }
    text.push_str(" %");
    text
}

/// `epochs 2.2 2.2 2.1 s`.
pub(super) fn brief_epochs(pen: &Pen) -> String {
    let epochs = &pen.state.epochs;
    if epochs.is_empty() {
        return String::new();
    }
    let last = epochs[epochs.len().saturating_sub(3)..].iter();
    last.fold("epochs".to_string(), |text, e| format!("{text} {:.1}", e.train_seconds)) + " s"
}

/// The last epochs with their seconds, and what the next one will take.
fn epochs(pen: &Pen, room: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let steps = pen.state.started.as_ref().map_or(0, |s| s.plan.steps_per_epoch);
    let per_line = 3;
    let count = (room.saturating_sub(1) * per_line).min(pen.state.epochs.len());
    if room == 0 {
        return lines;
    }
    let next = pen.state.step_seconds * steps as f64;
    if next > 0.0 && pen.state.finished.is_none() {
        let last: String =
            pen.state.epochs.iter().rev().take(3).rev().fold(String::new(), |text, e| format!("{text} {:.1}", e.train_seconds));
        lines.push(Line::from(pen.span(Tone::Dim, format!("epochs{last}  next ~{next:.1} s"))));
    }
    let first = pen.state.epochs.len() - count;
    // Pinned to multiples of three, so that a new epoch adds to a line instead of moving every one.
    for line in pen.state.epochs[first.next_multiple_of(per_line).min(pen.state.epochs.len())..].chunks(per_line) {
        let texts: Vec<_> = line.iter().map(|e| format!("{:>3} {:.1}s", e.epoch, e.train_seconds)).collect();
        let text = texts.join("  ");
        lines.push(Line::from(pen.span(Tone::Dim, text)));
    }
    lines
}
