//! What this terminal can show, and what it costs to show it.

use super::super::Pen;
use super::size;
use crate::ui::glyphs::Glyphs;
use crate::ui::terminal::LinkSpeed;
use crate::ui::theme::{Palette, Tone};
use ratatui::layout::Rect;
use ratatui::text::Line;

pub(super) fn lines(pen: &Pen, whole: Rect) -> Vec<Line<'static>> {
    let colour = match pen.screen.palette {
        Palette::TrueColour => "true colour",
        Palette::Light => "true colour, light",
        Palette::Ansi256 => "256 colours",
        Palette::Ansi16 => "16 colours",
        Palette::Mono => "no colours",
    };
    let glyphs = match pen.screen.glyphs {
        Glyphs::Braille => "braille",
        Glyphs::Half => "half blocks",
        Glyphs::Ascii => "ASCII",
    };
    let fact = |name: &str, text: String| Line::from(vec![pen.span(Tone::Dim, format!("{name:<8}")), pen.span(Tone::Text, text)]);
    let mut lines = vec![fact("shows", format!("{}x{}, {colour}, {glyphs}", whole.width, whole.height))];
    let Some(cost) = &pen.screen.system.cost else {
        lines.push(Line::from(pen.span(Tone::Dim, "nothing was counted yet")));
        return lines;
    };
    let written = cost.written;
    let fps = pen.screen.system.max_fps;
    lines.push(fact("bytes", format!("{:>5}/s  {:>6} in all", size(cost.bytes_per_s), size(written.bytes as f64))));
    lines.push(fact("frames", format!("{:>5.1} of {fps}/s  {} in all", cost.frames_per_s.min(99.9), written.frames)));
    lines.push(fact("biggest", format!("{:>5}    in one frame", size(written.biggest as f64))));
    lines.push(fact("cpu", format!("p50 {:.1}  p99 {:.1} ms a frame", cost.frame_p50_ms, cost.frame_p99_ms)));
    let link = match pen.screen.link {
        LinkSpeed::Fast => "fast",
        LinkSpeed::Slow => "slow: fewer frames",
    };
    let sync = if written.synchronized { "on" } else { "off" };
    lines.push(fact("link", format!("{link}, synchronized {sync}")));
    lines
}
