//! The Runs view: the list, what there is to say of the chosen run, and accuracies against lambda below.

mod detail;
mod list;
mod trade;

use super::{Focused, Pen};
use crate::ui::layout::Pane;
use crate::ui::screen::Extent;
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// From here on there is room beside the list.
const WIDE: u16 = 112;
/// Least height of the list with something below it.
const LIST: u16 = 8;
/// Least height of the chart, and the most that the list gives away for it.
const CHART: (u16, u16) = (8, 22);

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    if pen.screen.runs.extent == Extent::Whole {
        trade::draw(pen, area, buffer);
        return;
    }
    let below = if pen.screen.maximised.is_none() && area.height >= LIST + CHART.0 && area.width >= 70 {
        (area.height * 2 / 5).clamp(CHART.0, CHART.1)
    } else {
        0
    };
    let above = Rect { height: area.height - below, ..area };
    let shown = pen.screen.runs.shown(pen.state, pen.screen.access);
    let chosen = pen.screen.runs.at(&shown);
    if area.width >= WIDE {
        let side = (area.width * 2 / 5).clamp(46, 76);
        let left = Rect { width: above.width - side, ..above };
        list::draw(pen, &shown, chosen, list::Foot::Bare, left, buffer);
        detail::draw(pen, &shown, chosen, Rect { x: left.right(), width: side, ..above }, buffer);
    } else {
        list::draw(pen, &shown, chosen, list::Foot::Remark, above, buffer);
    }
    if below > 0 {
        trade::draw(pen, Rect { y: above.bottom(), height: below, ..area }, buffer);
    }
}

/// A border with a name and the first text that fits whole beside it.
fn framed(pen: &Pen, area: Rect, name: &str, texts: &[String], focus: Focused, buffer: &mut Buffer) -> Rect {
    let mut title = match focus {
        Focused::Yes => pen.title(Pane::Runs, name),
        Focused::No => ratatui::text::Line::from(pen.span(Tone::Title, format!(" {name} "))),
    };
    let used = title.width() + 3;
    let fits = |text: &&String| {
        !text.is_empty() && used + pen.screen.glyphs.words(text.as_str()).chars().count() <= usize::from(area.width)
    };
    if let Some(text) = texts.iter().find(fits) {
        title.push_span(pen.span(Tone::Dim, format!("{text} ")));
    }
    pen.frame(area, title, focus, buffer)
}
