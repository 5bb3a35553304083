//! A frame that is kept.

use super::{App, Dirty, Surface};
use crate::ui::command_line::parse::Kind;
use crate::ui::intent::Place;
use crate::ui::picture::{self, Paper};
use crate::ui::screen::Mood;
use crate::ui::view;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

impl<S: Surface> App<'_, S> {
    /// Keeps what the screen shows, without the window that asked for it.
    pub(super) fn keep(&mut self, kind: Kind, place: &Place) {
        let mut frame = Buffer::empty(Rect::new(0, 0, self.screen.size.0, self.screen.size.1));
        // What lies over the screen for a moment is not what is to be kept.
        let toasts = std::mem::take(&mut self.screen.toasts);
        view::draw_into(*frame.area(), &mut frame, &self.state, &self.screen);
        self.screen.toasts = toasts;
        let contents = match kind {
            Kind::Text => picture::text(&frame),
            Kind::Ansi => picture::ansi(&frame),
            Kind::Svg => picture::svg(&frame, Paper::of(self.screen.palette.ground())),
        };
        let kept = self
            .album
            .as_ref()
            .map_or_else(|| Err("nothing is kept here".into()), |album| album.keep(&self.screen.folder, place, &contents));
        match kept {
            Ok(path) => self.screen.toast(Mood::Good, format!("written: {path}")),
            Err(why) => self.screen.toast(Mood::Bad, format!("! {why}")),
        }
        self.mark(Dirty::Key);
    }
}
