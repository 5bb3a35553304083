//! What the loop looks at beside records and keys: the folder of runs, the checkpoints, who steers.

use super::{App, Dirty, Surface};
use crate::run::RunState;
use crate::run::session::Access;
use crate::ui::layout::View;
use crate::ui::screen::{Checkpoints, Dialog, Mood, Toggled, is_over};

impl<S: Surface> App<'_, S> {
    /// Looks at the folder of runs when its view is turned to, and from time to time while it is shown.
    pub(super) fn look_at_runs(&mut self) {
        let turned = self.screen.view != std::mem::replace(&mut self.seen, self.screen.view);
        if self.screen.view == View::Runs && (turned || self.screen.runs.due(self.screen.now_ms)) {
            self.look();
        }
    }

    pub(super) fn look_at_checkpoints(&mut self) {
        if self.screen.checkpoints == Checkpoints::Unread && matches!(self.screen.dialog, Some(Dialog::Checkpoints { .. })) {
            self.screen.checkpoints = Checkpoints::Asked;
            self.shelf(|shelf, folder| shelf.checkpoints(folder));
        }
    }

    /// The whole run takes the first picture's place, with what has come since.
    pub(super) fn complete(&mut self, whole: Option<RunState>) {
        self.better = None;
        let since = std::mem::take(&mut self.since);
        let Some(mut whole) = whole else { return };
        for record in since {
            if record.seq >= whole.next_seq {
                whole.apply(&record);
            }
        }
        self.state = whole;
        self.mark(Dirty::Data);
    }

    /// A run that branched off another is seen before that one's curves.
    pub(super) fn look_at_parent(&mut self) {
        let parent = self.state.started.as_ref().and_then(|started| started.parent.as_ref()).map(|parent| parent.run.clone());
        if let Some(id) = parent.filter(|id| !self.screen.runs.overlaid().contains(id))
            && self.shelf.is_some()
            && self.screen.runs.toggle(&id) == Toggled::Asked
        {
            self.shelf(|shelf, _| shelf.open(&id));
        }
    }

    /// What was asked and will not be heard is not pending any more.
    pub(super) fn look_at_turned_away(&mut self) {
        for id in self.session.turned_away() {
            self.screen.waiting.retain(|(waiting, _)| *waiting != id);
            self.screen.pending.retain(|_, pending| pending.sent != Some(id));
            self.screen.toast(Mood::Bad, "! the training process did not take that: ask again");
            self.mark(Dirty::Key);
        }
    }

    /// Another screen may have taken the run over, or left it to this one.
    pub(super) fn look_who_steers(&mut self) {
        if self.over || self.screen.access == self.session.access() {
            return;
        }
        self.screen.access = self.session.access();
        let text = match self.screen.access {
            Access::Steer => "this screen steers now".to_string(),
            Access::ReadOnly => format!("{} steers now; :take steers from here again", self.session.holder()),
        };
        self.screen.pending.clear();
        self.screen.toast(Mood::Good, text);
        self.mark(Dirty::Key);
    }

    pub(super) fn look(&mut self) {
        if let Some(shelf) = &self.shelf {
            shelf.look();
            self.screen.runs.asked(self.screen.now_ms);
        }
    }

    /// No more records will come.
    pub(super) fn ended(&mut self) {
        if self.trouble.is_some() && self.screen.access == Access::Steer && !is_over(&self.state) {
            let why = self.trouble.as_ref().and_then(|trouble| trouble());
            let why = why.unwrap_or_else(|| "see the run folder".into());
            self.screen.toast(Mood::Bad, format!("! the worker ended without a last word: {why}"));
        }
        if let Some(why) = self.session.lost().filter(|_| !is_over(&self.state)) {
            self.screen.toast(Mood::Bad, format!("! {why}"));
        }
        // Nobody listens any more, so q must not offer to stop anything.
        self.screen.access = Access::ReadOnly;
        (self.screen.may_take, self.over) = (false, true);
        self.mark(Dirty::Data);
    }
}
