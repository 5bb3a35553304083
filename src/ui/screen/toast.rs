//! Messages that lie over the screen for a while, or until somebody is there.

use super::{Motion, Screen};
use crate::protocol::event::Warning;

const TOAST_MS: u64 = 4_000;
const TOASTS: usize = 3;
/// So long the views are named after one was turned to.
const NAMED_MS: u64 = 3_000;

#[derive(Clone, Debug, PartialEq)]
pub struct Toast {
    pub text: String,
    /// Not shown longer than this, unless it stays until somebody was there.
    pub until_ms: u64,
    pub stays: Stays,
    pub mood: Mood,
}

/// Whether a toast goes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    ForAWhile,
    /// It tells of something that may cost the run: until a key shows that somebody is there.
    UntilKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Good,
    Bad,
}

/// Whether something visible is different now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Yes,
    No,
}

impl Stays {
    /// What may cost the run waits for somebody to come.
    pub(super) fn of(kind: Warning) -> Self {
        match kind {
            Warning::NonFinite | Warning::Divergence | Warning::Overfitting | Warning::DiskFull => Self::UntilKey,
            Warning::Teacher
            | Warning::Drifting
            | Warning::Vanishing
            | Warning::InputBound
            | Warning::Throttled
            | Warning::Disk
            | Warning::Limit
            | Warning::Data
            | Warning::Other => Self::ForAWhile,
        }
    }
}

impl Screen {
    pub fn toast(&mut self, mood: Mood, text: impl Into<String>) {
        self.tell(mood, Stays::ForAWhile, text.into());
    }

    pub(super) fn tell(&mut self, mood: Mood, stays: Stays, text: String) {
        if self.toasts.len() == TOASTS {
            // News of the moment make room before what nobody may have seen yet.
            let brief = self.toasts.iter().position(|t| t.stays == Stays::ForAWhile);
            self.toasts.remove(brief.unwrap_or(0));
        }
        self.toasts.push(Toast { text, until_ms: self.now_ms + TOAST_MS, stays, mood });
    }

    /// A key was pressed: what stayed for that goes in its time, but not before it could be read.
    pub fn somebody_is_there(&mut self) {
        for toast in &mut self.toasts {
            toast.stays = Stays::ForAWhile;
        }
    }

    /// Names the views for a moment: somebody is looking for one.
    pub fn name_views(&mut self) {
        self.named_until_ms = self.now_ms + NAMED_MS;
    }

    /// Whether the views are named just now.
    pub fn names_views(&self) -> bool {
        self.now_ms < self.named_until_ms
    }

    /// Milliseconds until the next toast, or the names of the views, go by themselves.
    pub fn toast_goes_in(&self) -> Option<u64> {
        let brief = self.toasts.iter().filter(|t| t.stays == Stays::ForAWhile && self.motion == Motion::Usual);
        let named = (self.named_until_ms > 0).then_some(self.named_until_ms);
        brief.map(|t| t.until_ms).chain(named).map(|until| until.saturating_sub(self.now_ms)).min()
    }

    /// Drops toasts and names of views whose time is over; says whether there were any.
    pub fn expire(&mut self) -> Changed {
        let named = self.named_until_ms > 0 && !self.names_views();
        if named {
            self.named_until_ms = 0;
        }
        if named | (self.expire_toasts() == Changed::Yes) { Changed::Yes } else { Changed::No }
    }

    fn expire_toasts(&mut self) -> Changed {
        if self.motion == Motion::Reduced {
            return Changed::No;
        }
        let before = self.toasts.len();
        self.toasts.retain(|t| t.stays == Stays::UntilKey || t.until_ms > self.now_ms);
        if self.toasts.len() == before { Changed::No } else { Changed::Yes }
    }
}
