//! The GPUs, each in as many lines as there are for it; the last of them may have to be scrolled to.

use super::super::machine::{gauge, history};
use super::super::{Pen, bytes};
use crate::protocol::event::Gpu;
use crate::ui::brush::wrap;
use crate::ui::theme::Tone;
use ratatui::text::Line;

/// Lines of a GPU: with the minutes before, without, and in short.
const LONG: usize = 6;
const MIDDLE: usize = 5;
/// How the reason begins where the driver's library is not there or does not answer.
const NO_LIBRARY: &str = "no NVML: ";
/// From this width on the short line holds all that it should.
const MEMORY_TOO: u16 = 52;

/// Lines that would show everything.
pub(super) fn height(pen: &Pen, width: u16) -> u16 {
    let count = pen.state.machine.back().map_or(0, |machine| machine.gpus.len());
    if count == 0 { without(pen, width).len() as u16 } else { (count * LONG).min(1000) as u16 }
}

pub(super) fn lines(pen: &Pen, width: u16, height: u16) -> (String, Vec<Line<'static>>) {
    let Some(machine) = pen.state.machine.back().filter(|machine| !machine.gpus.is_empty()) else {
        return ("GPU".into(), without(pen, width));
    };
    let count = machine.gpus.len();
    let room = usize::from(height);
    let mut lines = Vec::new();
    for (at, gpu) in machine.gpus.iter().enumerate() {
        if count * MIDDLE > room {
            lines.push(short(pen, gpu, width));
            continue;
        }
        lines.push(Line::from(pen.span(Tone::Title, format!("{} {}", gpu.index, gpu.name))));
        let busy = gpu.utilisation_percent;
        let text = busy.map_or_else(|| "  --".to_string(), |busy| format!("{busy:3.0}%"));
        lines.push(gauge(pen, "util", busy.unwrap_or(0.0) / 100.0, &text, width));
        if count * LONG <= room {
            let of = |m: &crate::protocol::event::Machine| m.gpus.get(at).and_then(|g| g.utilisation_percent).map(|u| u / 100.0);
            lines.push(history(pen, of, width));
        }
        let share = gpu.memory_used.zip(gpu.memory_total).map_or(0.0, |(used, all)| used as f64 / all.max(1) as f64);
        lines.push(gauge(pen, "mem ", share, &memory(gpu), width));
        lines.push(Line::from(pen.span(Tone::Text, format!("{}  {}", temperature(gpu), power(gpu)))));
        let mut clock = Line::from(pen.span(Tone::Text, clock(gpu)));
        if let Some(why) = &gpu.throttled {
            clock.push_span(pen.span(Tone::Warn, format!("  ! held: {why}")));
        }
        lines.push(clock);
    }
    let title = if count == 1 { "GPU".into() } else { format!("GPUs  {count}") };
    (title, lines)
}

fn without(pen: &Pen, width: u16) -> Vec<Line<'static>> {
    let (first, more) = match (&pen.state.no_gpu, pen.state.machine.is_empty()) {
        (Some(why), _) => no_gpu(pen, why),
        (None, true) => ("no reading yet".into(), String::new()),
        (None, false) => ("No GPU found.".into(), "The record does not say why.".into()),
    };
    let lines = |tone: Tone, text: &str| {
        let text = pen.screen.glyphs.words(text).into_owned();
        let rows = if text.is_empty() { Vec::new() } else { wrap(&text, usize::from(width).max(1)) };
        rows.into_iter().map(|row| Line::from(pen.span(tone, row))).collect::<Vec<_>>()
    };
    [lines(Tone::Text, &first), lines(Tone::Dim, &more)].concat()
}

/// What it means that none is read. What a library said of it is a matter for `rematch doctor`.
fn no_gpu(pen: &Pen, why: &str) -> (String, String) {
    let device = pen.state.started.as_ref().map_or("", |started| started.device.as_str());
    if !device.is_empty() && !device.starts_with("cpu") {
        return (format!("The GPU trains but cannot be read ({device})."), "On its machine, rematch doctor says why.".into());
    }
    match why.strip_prefix(NO_LIBRARY) {
        Some(_) => ("No GPU found: training runs on the processor.".into(), "On its machine, rematch doctor says why.".into()),
        None => (format!("No GPU found: {why}."), "Training runs on the processor.".into()),
    }
}

fn short(pen: &Pen, gpu: &Gpu, width: u16) -> Line<'static> {
    let busy = gpu.utilisation_percent.map_or_else(|| " --%".to_string(), |busy| format!("{busy:3.0}%"));
    let memory = if width >= MEMORY_TOO { memory(gpu) } else { gpu.memory_used.map_or_else(|| "--".into(), bytes) };
    let watts = gpu.power_w.map_or_else(|| "--W".into(), |w| format!("{w:.0}W"));
    let mhz = gpu.sm_clock_mhz.map_or_else(|| "--MHz".into(), |mhz| format!("{mhz}MHz"));
    let text = format!("{:>2} {busy} {memory:>5} {} {watts:>4} {mhz:>7}", gpu.index, temperature(gpu));
    let mut line = Line::from(pen.span(Tone::Text, text));
    if let Some(why) = &gpu.throttled {
        line.push_span(pen.span(Tone::Warn, format!(" ! {why}")));
    }
    line
}

fn temperature(gpu: &Gpu) -> String {
    gpu.temperature_c.map_or_else(|| "--°C".into(), |t| format!("{t:.0}°C"))
}

fn memory(gpu: &Gpu) -> String {
    match (gpu.memory_used, gpu.memory_total) {
        (Some(used), Some(all)) => format!("{} of {}", bytes(used), bytes(all)),
        (Some(used), None) => bytes(used),
        (None, _) => "--".into(),
    }
}

fn power(gpu: &Gpu) -> String {
    match (gpu.power_w, gpu.power_limit_w) {
        (Some(now), Some(limit)) => format!("{now:.0}W of {limit:.0}W"),
        (Some(now), None) => format!("{now:.0}W"),
        (None, _) => "--W".into(),
    }
}

fn clock(gpu: &Gpu) -> String {
    match (gpu.sm_clock_mhz, gpu.sm_clock_max_mhz) {
        (Some(now), Some(most)) => format!("SM {now} of {most} MHz"),
        (Some(now), None) => format!("SM {now} MHz"),
        (None, _) => "SM -- MHz".into(),
    }
}
