//! Where the panes of a sweep's screen go: one pure function, as [`crate::ui::layout`] is for a run's.

use super::view::{Show, View};
use crate::sweep::board::Board;
use crate::ui::layout::{Tier, tier};
use ratatui::layout::Rect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panels {
    pub tier: Tier,
    pub header: Rect,
    /// What each device runs.
    pub slots: Rect,
    pub table: Option<Rect>,
    pub figure: Option<Rect>,
    /// All about the chosen run, where there is room beside the figure.
    pub details: Option<Rect>,
    /// The newest of what happened; empty on a small screen, where the hints make room for what was said last.
    pub notes: Rect,
    pub hints: Rect,
}

/// Of a table: its border, the names of its columns, a line about the chosen run.
pub const AROUND_ROWS: u16 = 4;
/// Least height of a figure below a table, border and all.
const FIGURE: u16 = 9;
/// The table has so many twentieths of the height at most, where a figure is below it.
const TABLE: u16 = 11;
/// Least and greatest width of the details.
const DETAILS: (u16, u16) = (44, 84);

/// `rows`: of the table.
pub fn layout(area: Rect, show: Show, rows: usize) -> Panels {
    let tier = tier(area);
    let none = Rect { width: 0, height: 0, ..area };
    if tier == Tier::TooSmall {
        return Panels { tier, header: none, slots: none, table: None, figure: None, details: None, notes: none, hints: none };
    }
    let notes = match tier {
        Tier::TooSmall | Tier::Small => 0,
        Tier::Normal => 1,
        Tier::Wide => 3,
        Tier::Huge => 6,
    };
    let line = |y: u16, height: u16| Rect { y, height, ..area };
    let body = line(area.y + 2, area.height - 3 - notes);
    let show = if show == Show::Both && tier == Tier::Small { Show::Table } else { show };
    let (table, below) = match show {
        Show::Table => (Some(body), None),
        Show::Figure => (None, Some(body)),
        Show::Both => {
            let wanted = u16::try_from(rows.max(1)).unwrap_or(u16::MAX).saturating_add(AROUND_ROWS);
            let most = (body.height * TABLE / 20).min(body.height.saturating_sub(FIGURE));
            let height = wanted.min(most);
            let below = Rect { y: body.y + height, height: body.height - height, ..body };
            (Some(Rect { height, ..body }), Some(below))
        }
    };
    let wide = tier >= Tier::Wide && show == Show::Both;
    let side = if wide { (area.width * 2 / 5).clamp(DETAILS.0, DETAILS.1) } else { 0 };
    let figure = below.map(|below| Rect { width: below.width - side, ..below });
    let details = below.filter(|_| wide).map(|below| Rect { x: below.right() - side, width: side, ..below });
    Panels {
        tier,
        header: line(area.y, 1),
        slots: line(area.y + 1, 1),
        table,
        figure,
        details,
        notes: line(body.bottom(), notes),
        hints: line(area.bottom() - 1, 1),
    }
}

/// Rows of the table that are seen at once.
pub fn page(view: &View, board: &Board) -> usize {
    let area = Rect::new(0, 0, view.size.0, view.size.1);
    let panels = layout(area, view.show, view.shown(board).len());
    panels.table.map_or(1, |table| usize::from(table.height.saturating_sub(AROUND_ROWS)).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every size there is, not a sample: it is cheap enough.
    #[test]
    fn panes_never_overlap_nor_leave_the_screen() {
        for (width, height) in (1..=250).flat_map(|width| (1..=80).map(move |height| (width, height))) {
            let area = Rect::new(0, 0, width, height);
            for show in [Show::Both, Show::Table, Show::Figure] {
                for rows in [0, 3, 500] {
                    let p = layout(area, show, rows);
                    let mut all = vec![p.header, p.slots, p.notes, p.hints];
                    all.extend([p.table, p.figure, p.details].into_iter().flatten());
                    all.retain(|rect| rect.area() > 0);
                    for (i, a) in all.iter().enumerate() {
                        assert_eq!(a.intersection(area), *a, "{width}x{height}: {a:?} leaves");
                        assert!(all[i + 1..].iter().all(|b| a.intersection(*b).is_empty()), "{width}x{height}: {a:?} overlaps");
                    }
                    if p.tier > Tier::TooSmall {
                        let covered: u32 = all.iter().map(|rect| rect.area()).sum();
                        assert_eq!(covered, area.area(), "{width}x{height} {show:?} {rows}");
                    }
                }
            }
        }
    }

    #[test]
    fn table_and_figure_have_their_least_rooms() {
        let at = |w, h, rows| layout(Rect::new(0, 0, w, h), Show::Both, rows);
        assert_eq!((at(60, 16, 9).table.is_some(), at(60, 16, 9).figure), (true, None));
        let normal = at(80, 24, 30);
        assert!(normal.table.is_some_and(|t| t.height >= 10) && normal.figure.is_some_and(|f| f.height >= FIGURE));
        assert_eq!(normal.details, None);
        assert!(at(120, 40, 30).details.is_some());
        assert_eq!(at(80, 24, 2).table.map(|table| table.height), Some(2 + AROUND_ROWS));
    }
}
