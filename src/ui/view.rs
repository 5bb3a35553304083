//! The whole screen from a run's state and the view state: pure, no clock, nothing changed.
//!
//! Each pane is drawn by a file below; this one only places them, and says so when there is no room.

mod best;
mod branch;
mod charts;
mod command_line;
mod controls;
mod dialogs;
mod evaluate;
mod events;
mod gallery;
mod grid;
mod history;
mod log;
mod machine;
mod pull;
mod robust;
mod runs;
mod status;
mod system;

use super::brush::{Brush, Focused, bleach, line_at, lines_at};
use super::graphics::{Graphics, Placement};
use super::layout::{Life, Pane, Panels, SMALLEST, Tier, centred, layout};
use super::screen::{Screen, is_over};
use super::theme::Tone;
use crate::config::Method;
use crate::protocol::Dial;
use crate::run::RunState;
use crate::run::session::Access;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// Draws everything.
pub fn draw(frame: &mut Frame, state: &RunState, screen: &Screen) {
    let area = frame.area();
    draw_into(area, frame.buffer_mut(), state, screen);
}

/// As [`draw`], into a buffer.
pub fn draw_into(area: Rect, buffer: &mut Buffer, state: &RunState, screen: &Screen) {
    let life = if is_over(state) { Life::Over } else { Life::Training };
    let panels = layout(area, screen.view, screen.focus, screen.maximised, life);
    if panels.tier == Tier::TooSmall {
        too_small(area, buffer, state, screen);
    } else {
        let pen = Pen { state, screen };
        pen.panels(&panels, buffer);
        dialogs::draw(&pen, area, buffer);
    }
    screen.glyphs.restrict(buffer);
    bleach(buffer);
}

/// Where the terminal is to put pixels over what [`draw`] leaves blank for them; nothing where it takes none.
pub fn placements(area: Rect, state: &RunState, screen: &Screen) -> Vec<Placement> {
    if screen.gallery.graphics != Graphics::Kitty {
        return Vec::new();
    }
    let life = if is_over(state) { Life::Over } else { Life::Training };
    let panels = layout(area, screen.view, screen.focus, screen.maximised, life);
    let Some(pane) = panels.pane(Pane::Gallery) else { return Vec::new() };
    // Pixels lie over letters: what is told above the hints must be seen.
    let told = screen.toasts.len() as u16 + if screen.trouble.is_some() { 3 } else { 0 };
    let floor = if screen.dialog.is_some() { 0 } else { panels.hints.y.saturating_sub(told) };
    gallery::placements(pane, floor, state, screen)
}

/// Lines of what is said of a run that failed, and how many of them are seen at once: keys that scroll go by it.
pub fn failure(screen: &Screen, state: &RunState) -> (usize, usize) {
    dialogs::failure_lines(&Pen { state, screen }, Rect::new(0, 0, screen.size.0, screen.size.1))
}

/// One of the charts of a run that others show too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurvePane {
    Loss,
    /// Natural and adversarial accuracy of the probes.
    Accuracy,
}

/// A chart of a run that is only looked at, without a screen of its own.
pub fn curve_pane(pane: CurvePane, area: Rect, state: &RunState, brush: Brush, buffer: &mut Buffer) {
    let mut screen = Screen::new(brush.palette, brush.glyphs, Access::ReadOnly, String::new());
    screen.focus = Pane::Grid;
    let pen = Pen { state, screen: &screen };
    match pane {
        CurvePane::Loss => charts::loss(&pen, area, buffer),
        CurvePane::Accuracy => charts::accuracy(&pen, area, buffer),
    }
}

/// What every pane needs.
struct Pen<'a> {
    state: &'a RunState,
    screen: &'a Screen,
}

impl Pen<'_> {
    fn style(&self, tone: Tone) -> Style {
        self.screen.palette.style(tone)
    }

    /// What a dial does in this run, spelt out and short.
    fn meanings(&self, dial: Dial) -> [&'static str; 2] {
        dial.meanings(self.state.started.as_ref().map_or(Method::Erm, |s| s.config.method))
    }

    fn brush(&self) -> Brush {
        Brush { palette: self.screen.palette, glyphs: self.screen.glyphs }
    }

    fn span(&self, tone: Tone, text: impl Into<String>) -> Span<'static> {
        self.brush().span(tone, text)
    }

    fn frame(&self, area: Rect, title: Line<'static>, focus: Focused, buffer: &mut Buffer) -> Rect {
        self.brush().frame(area, title, focus, buffer)
    }

    fn focused(&self, pane: Pane) -> Focused {
        if self.screen.focus == pane { Focused::Yes } else { Focused::No }
    }

    fn title(&self, pane: Pane, name: &str) -> Line<'static> {
        let style = match self.focused(pane) {
            Focused::Yes => self.style(Tone::Accent),
            Focused::No => self.style(Tone::Title).add_modifier(Modifier::BOLD),
        };
        Line::from(Span::styled(format!(" {name} "), style))
    }

    fn panels(&self, panels: &Panels, buffer: &mut Buffer) {
        let header = system::overlay(self, panels.header, buffer);
        status::header(self, header, buffer);
        if let Some(area) = panels.tabs {
            status::tabs(self, area, buffer);
        }
        for &(pane, area) in &panels.panes {
            match pane {
                Pane::Controls => controls::draw(self, area, buffer),
                Pane::Loss => charts::loss(self, area, buffer),
                Pane::Accuracy => charts::accuracy(self, area, buffer),
                Pane::Third => charts::third(self, area, buffer),
                Pane::Machine => machine::machine(self, area, buffer),
                Pane::Timing => machine::timing(self, area, buffer),
                Pane::Pull => pull::draw(self, area, buffer),
                Pane::Best => best::draw(self, area, buffer),
                Pane::Log => log::boxed(self, area, buffer),
                Pane::Verdict => robust::verdict(self, area, buffer),
                Pane::Curve => robust::curve(self, area, buffer),
                Pane::Classes => robust::classes(self, area, buffer),
                Pane::Confusion => robust::confusion(self, area, buffer),
                Pane::Grid => grid::draw(self, area, buffer),
                Pane::Gallery => gallery::draw(self, area, buffer),
                Pane::Runs => runs::draw(self, area, buffer),
                Pane::Events => events::draw(self, area, buffer),
                Pane::System => system::draw(self, area, buffer),
            }
        }
        if let Some(area) = panels.dials {
            if is_over(self.state) {
                best::one_line(self, area, buffer);
            } else {
                controls::one_line(self, area, buffer);
            }
        }
        let timing = if panels.pane(Pane::Timing).is_some() { Brief::No } else { Brief::Yes };
        status::gauges(self, panels.gauges, timing, buffer);
        if let Some(area) = panels.log_lines {
            log::lines(self, area, buffer);
        }
        let named = if panels.tabs.is_some() { Named::Yes } else { Named::No };
        status::hints(self, panels.hints, named, buffer);
        status::toasts(self, panels.hints, panels.log_lines, buffer);
    }
}

/// Whether the views are named in a line of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Yes,
    No,
}

/// Whether the timing stands in short beside the gauges, having no pane of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brief {
    Yes,
    No,
}

fn too_small(area: Rect, buffer: &mut Buffer, state: &RunState, screen: &Screen) {
    let pen = Pen { state, screen };
    let (w, h) = SMALLEST;
    let (need, have) = (format!("need {w}x{h}"), format!("have {}x{}", area.width, area.height));
    let mut lines = vec![format!("{need}, {have}"), format!("step {}  {}", state.step, status::word(&pen)), "q quit".to_string()];
    if lines[0].len() > usize::from(area.width) && area.height > 3 {
        lines.splice(..1, [need, have]);
    }
    let height = (lines.len() as u16).min(area.height);
    for (i, text) in lines.iter().take(usize::from(height)).enumerate() {
        let at = centred(area, text.len() as u16, height);
        line_at(buffer, at.x, at.y + i as u16, at.width, &Line::from(pen.span(Tone::Text, text.clone())));
    }
}

/// `01:02:03`.
fn clock(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `11.2G`, `642M`.
fn bytes(n: u64) -> String {
    let mib = n as f64 / 1_048_576.0;
    if mib >= 1023.5 { format!("{:.1}G", mib / 1024.0) } else { format!("{mib:.0}M") }
}

/// Three or four significant digits in at most six cells.
fn value(v: f64) -> String {
    let size = v.abs();
    if !v.is_finite() {
        if v.is_nan() { "NaN".into() } else { "inf".into() }
    } else if size >= 9_999.5 || (size < 0.000_95 && size > 0.0) {
        format!("{v:.1e}")
    } else if size >= 99.95 {
        format!("{v:.0}")
    } else if size >= 9.995 {
        format!("{v:.1}")
    } else {
        format!("{v:.3}")
    }
}
