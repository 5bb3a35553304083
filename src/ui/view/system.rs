//! The System view.

use super::Pen;
use crate::ui::layout::Pane;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    pen.frame(area, pen.title(Pane::System, "System"), pen.focused(Pane::System), buffer);
}
