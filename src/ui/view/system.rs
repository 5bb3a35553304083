//! The System view: GPUs, the host, how long steps take, and what this terminal costs. Here they are only placed.

mod gpus;
mod host;
mod steps;
mod terminal;

use super::{Focused, Pen, line_at};
use crate::ui::layout::Pane;
use crate::ui::screen::{Overlay, Section};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

/// Below this there is one section at a time.
const LEAST: (u16, u16) = (76, 18);
/// From this height on no section needs another's room.
const ROOMY: u16 = 30;
/// Six lines of facts in a box.
const FACTS: u16 = 8;

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let places = places(pen, area);
    let others = if places.len() == 1 { "  Tab: the next part" } else { "" };
    for (section, area) in places {
        let (title, lines) = match section {
            Section::Gpus => gpus::lines(pen, area.width.saturating_sub(2), area.height.saturating_sub(2)),
            Section::Host => host::lines(pen, area.width.saturating_sub(2), area.height.saturating_sub(2)),
            Section::Steps => steps::lines(pen, area.width.saturating_sub(2), area.height.saturating_sub(2)),
            Section::Terminal => ("This terminal".into(), terminal::lines(pen, buffer.area)),
        };
        let focus = if pen.screen.system.section == section { Focused::Yes } else { Focused::No };
        let style = match focus {
            Focused::Yes => pen.style(Tone::Accent),
            Focused::No => pen.style(Tone::Title).add_modifier(Modifier::BOLD),
        };
        let inner = pen.frame(area, Line::from(Span::styled(format!(" {title}{others} "), style)), focus, buffer);
        let most = lines.len().saturating_sub(usize::from(inner.height));
        let down = if focus == Focused::Yes { pen.screen.system.down.min(most) } else { 0 };
        for (line, y) in lines.iter().skip(down).zip(inner.y..inner.bottom()) {
            line_at(buffer, inner.x, y, inner.width, line);
        }
    }
}

/// Two columns where there is room. In a low one the section with the focus may have all of its column.
fn places(pen: &Pen, area: Rect) -> Vec<(Section, Rect)> {
    let focus = pen.screen.system.section;
    if pen.screen.maximised == Some(Pane::System) || area.width < LEAST.0 || area.height < LEAST.1 {
        return vec![(focus, area)];
    }
    let left = Rect { width: area.width / 2, ..area };
    let right = Rect { x: area.x + left.width, width: area.width - left.width, ..area };
    let split = |column: Rect, upper: u16, above, below| {
        let upper = upper.min(column.height);
        let first = Rect { height: upper, ..column };
        let second = Rect { y: column.y + upper, height: column.height - upper, ..column };
        [(above, first), (below, second)]
    };
    let room = left.height - FACTS;
    let wanted = gpus::height(pen, left.width - 2).saturating_add(2);
    let mut places = Vec::with_capacity(4);
    if focus == Section::Gpus && wanted > room {
        places.push((Section::Gpus, left));
    } else {
        places.extend(split(left, wanted.min(room), Section::Gpus, Section::Host));
    }
    if focus == Section::Steps && right.height < ROOMY {
        places.push((Section::Steps, right));
    } else {
        places.extend(split(right, right.height - FACTS, Section::Steps, Section::Terminal));
    }
    places
}

/// What the screen costs, at the right end of its first line; returns what is left of the line.
pub(super) fn overlay(pen: &Pen, line: Rect, buffer: &mut Buffer) -> Rect {
    if pen.screen.system.overlay == Overlay::Off {
        return line;
    }
    let text = match &pen.screen.system.cost {
        Some(cost) => {
            let (rate, ms) = (size(cost.bytes_per_s), cost.frame_p50_ms.min(999.0));
            format!(" {rate:>5} B/s {ms:>5.1} ms {:>4.1} fps ", cost.frames_per_s.min(99.9))
        }
        None => "    -- B/s    -- ms   -- fps ".to_string(),
    };
    let width = (text.len() as u16).min(line.width);
    let x = line.right() - width;
    line_at(buffer, x, line.y, width, &Line::from(pen.span(Tone::Accent, text)));
    Rect { width: line.width - width, ..line }
}

/// `812`, `9.7K`, `1.2M`: at most five cells.
fn size(bytes: f64) -> String {
    match bytes {
        b if !b.is_finite() => "--".into(),
        b if b < 999.5 => format!("{b:.0}"),
        b if b < 1_023_000.0 => format!("{:.1}K", b / 1024.0),
        b if b < 1_047_000_000.0 => format!("{:.1}M", b / 1_048_576.0),
        b => format!("{:.1}G", b / 1_073_741_824.0),
    }
}
