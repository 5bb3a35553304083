//! The machine around the GPUs, and this program on it.

use super::super::machine::{gauge, history};
use super::super::{Pen, bytes};
use crate::protocol::event::Machine;
use crate::ui::theme::Tone;
use ratatui::text::Line;

/// Less than this share of a disk free is worth a sign.
const NEARLY_FULL: f64 = 0.05;

pub(super) fn lines(pen: &Pen, width: u16, height: u16) -> (String, Vec<Line<'static>>) {
    let Some(machine) = pen.state.machine.back() else {
        return ("Host".into(), vec![Line::from(pen.span(Tone::Dim, "no reading yet"))]);
    };
    let share = machine.memory_used as f64 / machine.memory_total.max(1) as f64;
    let memory = format!("{} of {}", bytes(machine.memory_used), bytes(machine.memory_total));
    let mut lines = vec![gauge(pen, "cpu ", machine.cpu_percent / 100.0, &format!("{:3.0}%", machine.cpu_percent), width)];
    if height > 6 {
        lines.push(history(pen, |m| Some(m.cpu_percent / 100.0), width));
    }
    lines.push(gauge(pen, "mem ", share, &memory, width));
    lines.push(disk(pen, machine, width));
    let load = match machine.load {
        Some([one, five, fifteen]) => format!("load {one:.2} {five:.2} {fifteen:.2}  over 1, 5, 15 min"),
        None => "load --".into(),
    };
    lines.push(Line::from(pen.span(Tone::Text, load)));
    let own = format!("rematch {:.0}% of a core, {} resident", machine.process_cpu_percent, bytes(machine.resident));
    lines.push(Line::from(pen.span(Tone::Text, own)));
    (format!("Host  {} cores", machine.cores), lines)
}

fn disk(pen: &Pen, machine: &Machine, width: u16) -> Line<'static> {
    let Some(disk) = machine.disk else { return Line::from(pen.span(Tone::Text, "disk --")) };
    let free = disk.free as f64 / disk.total.max(1) as f64;
    let sign = if free < NEARLY_FULL { "! " } else { "" };
    gauge(pen, "disk", 1.0 - free, &format!("{sign}{} free of {}", bytes(disk.free), bytes(disk.total)), width)
}
