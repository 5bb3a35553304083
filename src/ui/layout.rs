//! Where everything goes: one pure function from a size to panels that never overlap and never leave the screen.
//!
//! It draws nothing and decides nothing about content, except that a pane which would be too small to be read is dropped.

use ratatui::layout::Rect;

/// One of the pictures of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// How training goes.
    #[default]
    Dash,
    /// Every curve there is, in a grid.
    Charts,
    /// What evaluations found.
    Robust,
    /// Single images under attack.
    Gallery,
    /// The runs of the folder, this one among them.
    Runs,
    /// The log, and what happened when.
    Events,
    /// The machine, the time of steps, this terminal.
    System,
}

impl View {
    pub const ALL: &[Self] = &[Self::Dash, Self::Charts, Self::Robust, Self::Gallery, Self::Runs, Self::Events, Self::System];

    pub fn name(self) -> &'static str {
        match self {
            Self::Dash => "Dash",
            Self::Charts => "Charts",
            Self::Robust => "Robust",
            Self::Gallery => "Gallery",
            Self::Runs => "Runs",
            Self::Events => "Log",
            Self::System => "System",
        }
    }

    /// In the order in which the focus walks through them; it begins at the first.
    pub fn panes(self) -> &'static [Pane] {
        match self {
            Self::Dash => &[
                Pane::Controls,
                Pane::Loss,
                Pane::Accuracy,
                Pane::Third,
                Pane::Machine,
                Pane::Timing,
                Pane::Pull,
                Pane::Best,
                Pane::Log,
            ],
            Self::Charts => &[Pane::Grid],
            Self::Robust => &[Pane::Verdict, Pane::Curve, Pane::Classes, Pane::Confusion],
            Self::Gallery => &[Pane::Gallery],
            Self::Runs => &[Pane::Runs],
            Self::Events => &[Pane::Events],
            Self::System => &[Pane::System],
        }
    }
}

/// What can have the focus and be maximised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pane {
    Controls,
    Loss,
    Accuracy,
    /// cos(student, teacher), or training accuracy for methods without a teacher.
    Third,
    Machine,
    Timing,
    /// What each term of the objective pulls.
    Pull,
    Best,
    Log,
    /// Of the Robust view: the numbers and what speaks against them.
    Verdict,
    /// Accuracy against epsilon.
    Curve,
    /// Accuracies class by class.
    Classes,
    /// What was taken for what.
    Confusion,
    /// The whole of the views that arrange themselves.
    Grid,
    Gallery,
    Runs,
    Events,
    System,
}

/// How much of a screen there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    TooSmall,
    /// From 60x16: one chart at a time.
    Small,
    /// From 80x24: two charts and a side bar.
    Normal,
    /// From 120x40: three charts, timing, best, a log box.
    Wide,
    /// From 200x60.
    Huge,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panels {
    pub tier: Tier,
    pub header: Rect,
    /// The names of the views, where there is a line to spare.
    pub tabs: Option<Rect>,
    pub panes: Vec<(Pane, Rect)>,
    /// One line with the dials, where the Controls pane has no room.
    pub dials: Option<Rect>,
    /// Epoch and run, one line each; only the run where there is one line.
    pub gauges: Rect,
    /// Lines of the log without a box around them.
    pub log_lines: Option<Rect>,
    pub hints: Rect,
}

pub const SMALLEST: (u16, u16) = (60, 16);
/// From this height on a line is spent on the names of the views.
const WITH_TABS: u16 = 30;

pub fn tier(area: Rect) -> Tier {
    let at_least = |w, h| area.width >= w && area.height >= h;
    if !at_least(SMALLEST.0, SMALLEST.1) {
        Tier::TooSmall
    } else if at_least(200, 60) {
        Tier::Huge
    } else if at_least(120, 40) {
        Tier::Wide
    } else if at_least(80, 24) {
        Tier::Normal
    } else {
        Tier::Small
    }
}

impl Panels {
    pub fn pane(&self, pane: Pane) -> Option<Rect> {
        self.panes.iter().find(|(p, _)| *p == pane).map(|(_, rect)| *rect)
    }
}

/// What matters most beside the charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// The machine and where its time goes.
    Training,
    /// What was reached.
    Over,
}

/// The focused pane always has a place, instead of another where there is not room for all, except that Controls is one line on a
/// small screen. `maximised` has the whole middle to itself.
pub fn layout(area: Rect, view: View, focus: Pane, maximised: Option<Pane>, life: Life) -> Panels {
    let tier = tier(area);
    let empty = Rect { width: 0, height: 0, ..area };
    if tier == Tier::TooSmall {
        return Panels {
            tier,
            header: empty,
            tabs: None,
            panes: Vec::new(),
            dials: None,
            gauges: empty,
            log_lines: None,
            hints: empty,
        };
    }
    let gauge_height = if tier <= Tier::Small { 1 } else { 2 };
    let (log_height, dial_height) = match (view, tier) {
        (View::Charts | View::Robust | View::Gallery | View::Runs | View::Events | View::System, _) => (0, 0),
        (View::Dash, Tier::TooSmall | Tier::Small) => (0, 1),
        (View::Dash, Tier::Normal) => (2, 0),
        (View::Dash, Tier::Wide) => (5, 0),
        (View::Dash, Tier::Huge) => (10, 0),
    };
    let tabs_height = u16::from(area.height >= WITH_TABS);
    let body_height = area.height - 2 - tabs_height - log_height - gauge_height - dial_height;
    let mut rows = Rows { area, y: area.y };
    let header = rows.take(1);
    let tabs = (tabs_height > 0).then(|| rows.take(tabs_height));
    let body = rows.take(body_height);
    let dials = (dial_height > 0).then(|| rows.take(dial_height));
    let gauges = rows.take(gauge_height);
    let log = rows.take(log_height);
    let hints = rows.take(1);
    let boxed_log = log_height > 0 && tier >= Tier::Wide;
    let mut panes = match (maximised, tier, view) {
        (Some(pane), ..) => vec![(pane, body)],
        (None, Tier::TooSmall | Tier::Small, _) => vec![(if focus == Pane::Controls { Pane::Loss } else { focus }, body)],
        (None, Tier::Normal | Tier::Wide | Tier::Huge, View::Dash) => middle(body, tier, focus, life),
        (None, Tier::Normal | Tier::Wide | Tier::Huge, View::Robust) => robust(body, tier, focus),
        (None, _, View::Charts | View::Gallery | View::Runs | View::Events | View::System) => {
            view.panes().iter().map(|&pane| (pane, body)).collect()
        }
    };
    if boxed_log && maximised != Some(Pane::Log) {
        panes.push((Pane::Log, log));
    }
    let log_lines = (log_height > 0 && !boxed_log).then_some(log);
    Panels { tier, header, tabs, panes, dials, gauges, log_lines, hints }
}

/// The curve and the confusion are wide, numbers and classes narrow.
fn robust(body: Rect, tier: Tier, focus: Pane) -> Vec<(Pane, Rect)> {
    let side = match tier {
        Tier::Huge => 86,
        Tier::Wide => 52,
        Tier::TooSmall | Tier::Small | Tier::Normal => 39,
    };
    let left = Rect { width: body.width - side, ..body };
    let right = Rect { x: body.x + left.width, width: side, ..body };
    let split = |rect: Rect, upper: u16| {
        let above = Rect { height: upper, ..rect };
        (above, Rect { y: rect.y + upper, height: rect.height - upper, ..rect })
    };
    if tier == Tier::Normal {
        // Warnings need lines: they have the whole side.
        let (above, below) = split(left, left.height / 2);
        let second = if focus == Pane::Confusion { Pane::Confusion } else { Pane::Classes };
        return vec![(Pane::Curve, above), (second, below), (Pane::Verdict, right)];
    }
    let ((curve, confusion), (verdict, classes)) = (split(left, left.height / 2), split(right, right.height * 3 / 5));
    vec![(Pane::Curve, curve), (Pane::Confusion, confusion), (Pane::Verdict, verdict), (Pane::Classes, classes)]
}

struct Rows {
    area: Rect,
    y: u16,
}

impl Rows {
    fn take(&mut self, height: u16) -> Rect {
        let rect = Rect { x: self.area.x, y: self.y, width: self.area.width, height };
        self.y += height;
        rect
    }
}

fn middle(body: Rect, tier: Tier, focus: Pane, life: Life) -> Vec<(Pane, Rect)> {
    let side = match tier {
        Tier::Huge => 44,
        Tier::Wide => 34,
        Tier::TooSmall | Tier::Small | Tier::Normal => 26,
    };
    let left = Rect { width: body.width - side, ..body };
    let right = Rect { x: body.x + left.width, width: side, ..body };
    let mut panes = Vec::with_capacity(7);
    if tier >= Tier::Wide {
        // The loss is what one watches: three fifths for it.
        let loss = Rect { height: left.height * 3 / 5, ..left };
        let y = left.y + loss.height;
        let height = left.height - loss.height;
        let half = left.width / 2;
        panes.push((Pane::Loss, loss));
        panes.push((Pane::Accuracy, Rect { y, height, width: half, ..left }));
        panes.push((Pane::Third, Rect { x: left.x + half, y, width: left.width - half, height }));
    } else {
        let loss = Rect { height: left.height.div_ceil(2), ..left };
        let second = if focus == Pane::Third { Pane::Third } else { Pane::Accuracy };
        panes.push((Pane::Loss, loss));
        panes.push((second, Rect { y: left.y + loss.height, height: left.height - loss.height, ..left }));
    }
    // Least and fitting heights, in the order in which they are given room.
    let mut wanted =
        [(Pane::Controls, 10, 12), (Pane::Machine, 6, 7), (Pane::Timing, 8, 12), (Pane::Best, 6, 9), (Pane::Pull, 8, 8)];
    if life == Life::Over {
        // Results take the room of measurements that have come to an end.
        wanted =
            [(Pane::Controls, 10, 10), (Pane::Best, 8, 10), (Pane::Timing, 8, 12), (Pane::Machine, 5, 7), (Pane::Pull, 8, 8)];
    }
    // The last one too has a place once it is looked for.
    if (tier == Tier::Normal || focus == Pane::Pull)
        && let Some(at) = wanted.iter().position(|(pane, ..)| *pane == focus && *pane != Pane::Controls)
    {
        wanted.swap(1, at);
    }
    let mut heights = Vec::with_capacity(wanted.len());
    let mut spare = right.height;
    for (pane, least, most) in wanted {
        if spare < least {
            break;
        }
        heights.push((pane, least, most));
        spare -= least;
    }
    // The lower ones first: the upper two show all that matters in their least height.
    for (_, height, most) in heights.iter_mut().rev() {
        let more = (*most - *height).min(spare);
        *height += more;
        spare -= more;
    }
    if let Some((_, last, _)) = heights.last_mut() {
        *last += spare;
    }
    let mut rows = Rows { area: right, y: right.y };
    for (pane, height, _) in heights {
        panes.push((pane, rows.take(height)));
    }
    panes
}

/// A box in the middle, as large as asked where there is room.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every size there is, not a sample: it is cheap enough.
    #[test]
    fn panels_never_overlap_nor_leave_the_screen() {
        let dash = [None, Some(Pane::Loss), Some(Pane::Log), Some(Pane::Best)].map(|pane| (View::Dash, Pane::Loss, pane));
        let robust =
            [(Pane::Verdict, None), (Pane::Confusion, None), (Pane::Curve, Some(Pane::Curve)), (Pane::Curve, Some(Pane::Log))];
        let others = View::ALL.iter().filter(|view| !matches!(view, View::Dash | View::Robust));
        let others =
            others.flat_map(|&view| view.panes().iter().flat_map(move |&pane| [(view, pane, None), (view, pane, Some(pane))]));
        let kinds: Vec<_> =
            dash.into_iter().chain(robust.map(|(focus, pane)| (View::Robust, focus, pane))).chain(others).collect();
        for width in 1..=250 {
            for height in 1..=80 {
                let area = Rect::new(0, 0, width, height);
                for &(view, focus, maximised) in &kinds {
                    let panels = layout(area, view, focus, maximised, Life::Training);
                    let mut all: Vec<Rect> = panels.panes.iter().map(|(_, r)| *r).collect();
                    all.extend([panels.header, panels.gauges, panels.hints]);
                    all.extend(panels.tabs);
                    all.extend(panels.dials);
                    all.extend(panels.log_lines);
                    all.retain(|r| r.area() > 0);
                    let covered: u32 = all.iter().map(|r| r.area()).sum();
                    assert!(covered <= area.area(), "{width}x{height}");
                    for (i, a) in all.iter().enumerate() {
                        assert_eq!(a.intersection(area), *a, "{width}x{height}: {a:?} leaves");
                        assert!(all[i + 1..].iter().all(|b| a.intersection(*b).is_empty()), "{width}x{height}: {a:?} overlaps");
                    }
                }
            }
        }
    }

    #[test]
    fn the_tiers_show_what_they_promise() {
        let focused = |w, h, focus, life| {
            let view = if View::Robust.panes().contains(&focus) { View::Robust } else { View::Dash };
            layout(Rect::new(0, 0, w, h), view, focus, None, life).panes.iter().map(|(p, _)| *p).collect::<Vec<_>>()
        };
        let panes = |w, h| focused(w, h, Pane::Loss, Life::Training);
        assert_eq!(panes(59, 30), []);
        assert_eq!(panes(60, 16), [Pane::Loss]);
        assert_eq!(panes(80, 24), [Pane::Loss, Pane::Accuracy, Pane::Controls, Pane::Machine]);
        for (w, h, all) in [(120, 40, 8), (200, 60, 9)] {
            assert_eq!(panes(w, h).len(), all, "{w}x{h}");
            let mut robust = focused(w, h, Pane::Verdict, Life::Training);
            robust.sort();
            assert_eq!(robust, View::Robust.panes(), "{w}x{h}");
        }
        let dash = [Pane::Third, Pane::Machine, Pane::Timing, Pane::Best];
        for &focus in dash.iter().chain(View::Robust.panes()) {
            for (w, h) in [(60, 16), (80, 24)] {
                for life in [Life::Training, Life::Over] {
                    assert!(focused(w, h, focus, life).contains(&focus), "{focus:?} at {w}x{h}");
                }
            }
        }
        assert!(focused(80, 24, Pane::Controls, Life::Over).contains(&Pane::Best));
    }
}
