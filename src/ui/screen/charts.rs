//! What the charts are shown by, on the Dash and in the Charts view: the x axis, log axes, bands, overlays, the chosen chart.

use super::{Screen, Zoom};
use crate::protocol::Step;
use crate::run::RunState;
use crate::ui::chart::{Band, Ruler, Scale, Unit};
use crate::ui::plots::{self, Plot};
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default)]
pub struct Charts {
    pub x: X,
    pub band: Band,
    pub overlays: Overlays,
    /// Those with a log axis.
    log: BTreeSet<Plot>,
    /// The one with the focus in the Charts view, which may not be there yet.
    chosen: Option<Plot>,
}

/// Until this part of the plan is done, charts show the data so far and not the plan.
const QUARTER: u64 = 4;

/// A time axis is as long as this times a power of two, while it fits the data so far.
const SHORT_MS: u64 = 10_000;

/// What the x axis counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum X {
    #[default]
    Step,
    Epoch,
    /// Time since the start, evaluations and pauses included.
    Wall,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlays {
    #[default]
    Shown,
    Hidden,
}

/// Where a part of the run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    Fixed,
    /// With the newest value in its last quarter: it moves on by quarters, as one that slides would be sent anew each time.
    Followed,
}

impl X {
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Step => Self::Epoch,
            Self::Epoch => Self::Wall,
            Self::Wall => Self::Step,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Epoch => "epoch",
            Self::Wall => "time",
        }
    }

    pub fn unit(self, state: &RunState) -> Unit {
        match self {
            Self::Step => Unit::Step,
            Self::Epoch => Unit::Epoch(per_epoch(state)),
            Self::Wall => Unit::Time,
        }
    }

    /// For the curves of `state` on the axis of `ours`.
    pub fn ruler<'a>(self, state: &'a RunState, ours: &RunState) -> Ruler<'a> {
        match self {
            Self::Step => Ruler::Steps,
            Self::Epoch => Ruler::Epochs { ours: per_epoch(ours), theirs: per_epoch(state) },
            Self::Wall => Ruler::Clock(&state.clock),
        }
    }

    /// Length of the axis of the whole run.
    fn all(self, state: &RunState) -> u64 {
        match self {
            Self::Step | Self::Epoch => state.plan_steps().max(1),
            Self::Wall => state.clock.span_ms(),
        }
    }

    fn now(self, state: &RunState) -> u64 {
        match self {
            Self::Step | Self::Epoch => state.step,
            Self::Wall => state.clock.now_ms(),
        }
    }

    /// End of an axis that fits the data so far: the whole plan once a quarter of it is done; before, an epoch or some seconds times a power of two,
    /// at most a quarter of the plan: it is rarely another.
    fn fitting(self, state: &RunState) -> u64 {
        let (all, now) = (self.all(state), self.now(state).max(1));
        if now > all / QUARTER {
            return all;
        }
        let mut span = match self {
            Self::Step | Self::Epoch => per_epoch(state),
            Self::Wall => SHORT_MS,
        };
        while span / 2 >= now && span / 2 >= self.closest() {
            span /= 2;
        }
        while span < now {
            span *= 2;
        }
        span.min(now.max(all / QUARTER))
    }

    /// Closer than this nothing is seen.
    fn closest(self) -> u64 {
        match self {
            Self::Step | Self::Epoch => 20,
            Self::Wall => 2_000,
        }
    }
}

fn per_epoch(state: &RunState) -> u64 {
    state.started.as_ref().map_or(1, |s| s.plan.steps_per_epoch.max(1))
}

impl Charts {
    pub fn scale(&self, plot: Plot) -> Scale {
        if self.log.contains(&plot) { Scale::Log } else { Scale::Linear }
    }

    pub fn turn_scale(&mut self, plot: Plot) {
        if !self.log.remove(&plot) {
            self.log.insert(plot);
        }
    }

    /// Every chart there is, and which of them has the focus.
    pub fn chosen(&self, state: &RunState) -> (Vec<Plot>, usize) {
        let all = plots::all(state);
        let at = all.iter().position(|plot| Some(*plot) == self.chosen).unwrap_or(0);
        (all, at)
    }

    pub fn choose(&mut self, plot: Plot) {
        self.chosen = Some(plot);
    }
}

impl Screen {
    pub fn ruler<'a>(&self, state: &'a RunState) -> Ruler<'a> {
        self.charts.x.ruler(state, state)
    }

    /// The places of the x axis that the charts show: steps, or milliseconds.
    pub fn view(&self, state: &RunState) -> (u64, u64) {
        let all = self.charts.x.all(state);
        let Some(zoom) = self.zoom else { return (0, self.charts.x.fitting(state)) };
        let span = zoom.span.clamp(1, all);
        let from = match zoom.tail {
            Tail::Fixed => zoom.from,
            // All there is fits into less than what is to be followed.
            Tail::Followed if self.charts.x.fitting(state) <= span => return (0, self.charts.x.fitting(state)),
            Tail::Followed => {
                let quarter = (span / QUARTER).max(1);
                ((self.charts.x.now(state) / quarter + 1) * quarter).saturating_sub(span)
            }
        };
        let from = from.min(all - span);
        (from, from + span)
    }

    /// Part of the run that the charts show, in words.
    pub fn extent(&self, state: &RunState) -> &'static str {
        let all = self.charts.x.all(state);
        match self.zoom {
            _ if self.view(state) == (0, all) => "whole run",
            None => "data so far",
            Some(zoom) if zoom.tail == Tail::Followed => "following the newest",
            Some(_) => "zoomed",
        }
    }

    /// The data so far; where that is shown already, the whole plan.
    pub fn show_all(&mut self, state: &RunState) {
        let all = self.charts.x.all(state);
        let young = self.charts.x.fitting(state) < all;
        self.zoom = (self.zoom.is_none() && young).then_some(Zoom { from: 0, span: all, tail: Tail::Fixed });
        self.cursor = None;
    }

    /// Another x axis, with the same part of the run in view.
    pub fn turn_x(&mut self, state: &RunState) {
        let (from, to) = self.view(state);
        let ruler = self.ruler(state);
        let (first, last) = (ruler.step(from), ruler.step(to));
        let before = self.charts.x;
        self.charts.x = before.next();
        if let Some(zoom) = self.zoom
            && (before == X::Wall || self.charts.x == X::Wall)
        {
            let ruler = self.ruler(state);
            let now = self.charts.x.now(state);
            let (from, to) = (ruler.place(first).unwrap_or(now), ruler.place(last).unwrap_or(now));
            let span = to.saturating_sub(from).max(self.charts.x.closest());
            self.zoom = (span < self.charts.x.all(state)).then_some(Zoom { from, span, ..zoom });
        }
    }

    /// As much of the run as `change` makes of what is in view now, around the crosshair or the newest value.
    pub fn zoom(&mut self, state: &RunState, change: impl Fn(u64) -> u64) {
        let (from, to) = self.view(state);
        let all = self.charts.x.all(state);
        let span = change(to - from).clamp(self.charts.x.closest().min(all), all);
        let now = self.charts.x.now(state);
        let around = self.cursor.and_then(|step| self.ruler(state).place(step)).unwrap_or(now);
        let tail = self.zoom.map_or(Tail::Fixed, |zoom| zoom.tail);
        // The whole plan is what is shown anyway, but for a young run.
        let whole = span == all && self.charts.x.fitting(state) == all;
        self.zoom = (!whole).then(|| Zoom { from: around.saturating_sub(span / 2).min(all - span), span, tail });
    }

    /// Follows what is newest; what is in view stays as wide as it is, or becomes a quarter of the run, and all there is while that is
    /// less. Once more: stays there.
    pub fn follow(&mut self, state: &RunState) {
        let (from, _) = self.view(state);
        let all = self.charts.x.all(state);
        self.zoom = Some(match self.zoom {
            Some(Zoom { span, tail: Tail::Followed, .. }) => Zoom { from, span, tail: Tail::Fixed },
            Some(zoom) => Zoom { tail: Tail::Followed, ..zoom },
            None => Zoom { from, span: (all / QUARTER).clamp(self.charts.x.closest().min(all), all), tail: Tail::Followed },
        });
    }

    /// A zoomed view, moved.
    pub fn pan(&mut self, state: &RunState, to: impl Fn(u64) -> u64) {
        let (from, end) = self.view(state);
        let span = end - from;
        let last = self.charts.x.all(state) - span;
        self.zoom = Some(Zoom { from: to(from).min(last), span, tail: Tail::Fixed });
    }

    /// The view around a step, where it is outside.
    pub fn show_step(&mut self, state: &RunState, step: Step) {
        let (from, to) = self.view(state);
        if let Some(place) = self.ruler(state).place(step)
            && !(from..to).contains(&place)
        {
            self.pan(state, |_| place.saturating_sub((to - from) / 2));
        }
    }
}
