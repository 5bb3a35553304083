//! When the next frame is drawn: at once for a key, as seldom as the link asks for data, not at all where nothing has changed.
//!
//! It draws nothing. Instants here pace frames only; what is drawn never sees them.

use super::cadence::Cadence;
use super::event::Focus;
use super::terminal::{Drawn, LinkSpeed};
use std::time::{Duration, Instant};

/// A window that is being dragged changes its size many times a second.
const SETTLED: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);

/// What the next frame waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dirty {
    Clean,
    Data,
    Key,
}

/// Whether the next frame is drawn on an empty screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repaint {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug)]
pub struct Due {
    cadence: Cadence,
    focus: Focus,
    dirty: Dirty,
    repaint: Repaint,
    drawn: Option<Instant>,
    /// When a change of size counts as over.
    settles: Option<Instant>,
}

impl Due {
    /// The first frame is due at once.
    pub fn new(max_fps: u32) -> Self {
        Self {
            cadence: Cadence::new(max_fps),
            focus: Focus::Gained,
            dirty: Dirty::Key,
            repaint: Repaint::Yes,
            drawn: None,
            settles: None,
        }
    }

    pub fn mark(&mut self, dirty: Dirty) {
        self.dirty = self.dirty.max(dirty);
    }

    pub fn focus(&mut self, focus: Focus) {
        self.focus = focus;
    }

    /// The next frame sends everything, whenever it comes.
    pub fn repaint(&mut self) {
        self.repaint = Repaint::Yes;
    }

    /// Whether the next frame does; from now on no more.
    pub fn take_repaint(&mut self) -> Repaint {
        std::mem::replace(&mut self.repaint, Repaint::No)
    }

    pub fn resized(&mut self, now: Instant) {
        self.settles = Some(now + SETTLED);
    }

    /// To be called now and then: a change of size may be over.
    pub fn settle(&mut self, now: Instant) {
        if self.settles.is_some_and(|at| at <= now) {
            self.settles = None;
            self.repaint();
            self.mark(Dirty::Key);
        }
    }

    /// When the loop must look again because of frames.
    pub fn at(&self, now: Instant) -> Option<Instant> {
        self.settles.or_else(|| self.frame(now))
    }

    /// Whether a frame is to be drawn now.
    pub fn is_now(&self, now: Instant) -> bool {
        self.settles.is_none() && self.frame(now).is_some_and(|at| at <= now)
    }

    fn frame(&self, now: Instant) -> Option<Instant> {
        let wait = match (self.dirty, self.focus) {
            (Dirty::Clean, _) => return None,
            (Dirty::Key, _) => self.cadence.key(),
            (Dirty::Data, Focus::Gained) => self.cadence.data(),
            (Dirty::Data, Focus::Lost) => self.cadence.data().max(SECOND),
        };
        Some(self.drawn.map_or(now, |at| at + wait))
    }

    /// Takes note of what became of a frame.
    pub fn drew(&mut self, drawn: Drawn, link: LinkSpeed, now: Instant) {
        self.drawn = Some(now);
        self.dirty = match drawn {
            Drawn::Shown => Dirty::Clean,
            // Drawing once more sends what is left of this frame, and nothing else if nothing has changed.
            Drawn::Partly => Dirty::Data,
            Drawn::Skipped => self.dirty,
        };
        self.cadence.drew(drawn, link);
    }

    pub fn link(&self) -> LinkSpeed {
        self.cadence.link()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_drawn_at_once_data_in_time_and_nothing_for_nothing() {
        let (mut due, start) = (Due::new(4), Instant::now());
        assert!(due.is_now(start) && due.take_repaint() == Repaint::Yes && due.take_repaint() == Repaint::No);
        due.drew(Drawn::Shown, LinkSpeed::Fast, start);
        assert_eq!((due.at(start), due.is_now(start + SECOND)), (None, false));
        due.mark(Dirty::Data);
        assert_eq!(due.at(start), Some(start + Duration::from_millis(250)));
        due.focus(Focus::Lost);
        assert_eq!(due.at(start), Some(start + SECOND));
        due.mark(Dirty::Key);
        assert!(due.is_now(start + Duration::from_millis(8)));
    }

    #[test]
    fn a_size_is_drawn_once_it_holds_still() {
        let (mut due, start) = (Due::new(4), Instant::now());
        due.drew(Drawn::Shown, LinkSpeed::Fast, start);
        due.resized(start);
        due.mark(Dirty::Key);
        due.settle(start + SETTLED / 2);
        assert!(!due.is_now(start + SETTLED / 2) && due.at(start) == Some(start + SETTLED));
        due.settle(start + SETTLED);
        assert!(due.is_now(start + SETTLED) && due.take_repaint() == Repaint::Yes);
    }
}
