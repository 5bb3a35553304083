//! What the screen of a sweep remembers beside the board: the chosen row, the filter, dialogs, what was said last.
//!
//! Nothing here is true of the sweep, it reads no clock and draws nothing.

use super::points::{Measure, measures};
use crate::run::RunState;
use crate::sweep::board::{Board, Flow, Row, Stage};
use crate::ui::brush::Brush;
use crate::ui::screen::{Filter, Mood};
use crate::ui::terminal::LinkSpeed;
use std::fmt::Write as _;
use std::sync::Arc;

/// What the sweep does once nobody looks on any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It ends with this screen: leaving is stopping.
    Ends,
    /// It goes on, and may be come back to.
    GoesOn,
}

/// Which panes share the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// The table above, the figure below, as far as there is room for both.
    #[default]
    Both,
    Table,
    Figure,
}

/// Whether boards still come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Runner {
    #[default]
    Listens,
    /// It has ended, with a last word or without one.
    Gone,
}

/// Whether a stop was asked for on this screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    #[default]
    NotAsked,
    Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialog {
    Help {
        scroll: usize,
    },
    Leave {
        choice: usize,
    },
    /// Leaving while what runs is being saved.
    Hurry {
        choice: usize,
    },
    /// A failed cell once more.
    Retry {
        place: usize,
        choice: usize,
    },
    /// Giving a waiting one up.
    Skip {
        place: usize,
        choice: usize,
    },
    /// All there is to say of a cell.
    Details {
        place: usize,
        scroll: usize,
    },
    /// The curves of a cell, from its run's own log.
    Curves {
        place: usize,
        /// Counts on with each Tab: which chart is shown where there is room for one.
        pane: usize,
    },
}

#[derive(Clone, Debug)]
pub struct View {
    pub brush: Brush,
    pub leaving: Leaving,
    /// The place of a row on the board; `None` follows what trains.
    pub chosen: Option<usize>,
    pub filter: Filter,
    pub show: Show,
    /// Which of the measures that there are, counted from the most usual one.
    pub measure: usize,
    pub dialog: Option<Dialog>,
    /// The run whose curves are shown, by its id, as far as its log was read.
    pub curves: Option<(String, Result<Arc<RunState>, String>)>,
    /// Stands in place of the newest note until the next key.
    pub said: Option<(Mood, String)>,
    /// What was printed while the screen was up, newest last.
    pub printed: Vec<String>,
    /// Columns and rows of the last frame: keys that turn pages go by it.
    pub size: (u16, u16),
    pub link: LinkSpeed,
    pub runner: Runner,
    pub stop: Stop,
}

/// Lines of what was printed that are kept.
const PRINTED: usize = 20;

pub const LEAVE: [&str; 2] = ["s  stop: save what runs", "   go on"];
pub const LEAVE_OR_GO_ON: [&str; 3] = ["s  stop: save what runs", "d  leave the screen: the sweep goes on", "   go on looking"];
pub const HURRY: [&str; 2] = ["wait until it is saved", "leave the screen, it is saved without it"];
pub const RETRY: [&str; 2] = ["run it once more", "leave it failed"];
pub const SKIP: [&str; 2] = ["let it wait", "give it up"];

impl View {
    pub fn new(brush: Brush, leaving: Leaving) -> Self {
        Self {
            brush,
            leaving,
            chosen: None,
            filter: Filter::default(),
            show: Show::default(),
            measure: 0,
            dialog: None,
            curves: None,
            said: None,
            printed: Vec::new(),
            size: (80, 24),
            link: LinkSpeed::Fast,
            runner: Runner::default(),
            stop: Stop::default(),
        }
    }

    pub fn say(&mut self, mood: Mood, text: impl Into<String>) {
        self.said = Some((mood, text.into()));
    }

    /// What somebody printed, who did not know that there is a screen.
    pub fn print(&mut self, line: String) {
        if self.printed.len() == PRINTED {
            self.printed.remove(0);
        }
        self.printed.push(line);
    }

    /// What may be chosen in the dialog that leaves.
    pub fn leave_choices(&self) -> &'static [&'static str] {
        match self.leaving {
            Leaving::Ends => &LEAVE,
            Leaving::GoesOn => &LEAVE_OR_GO_ON,
        }
    }

    /// Whether nothing happens any more.
    pub fn is_over(&self, board: Option<&Board>) -> bool {
        self.runner == Runner::Gone
            || board.is_some_and(|board| match board.flow {
                Flow::Finished | Flow::Stopped => true,
                Flow::Running | Flow::Stopping => false,
            })
    }

    pub fn is_stopping(&self, board: Option<&Board>) -> bool {
        !self.is_over(board) && (self.stop == Stop::Asked || board.is_some_and(|board| board.flow == Flow::Stopping))
    }

    /// The measure whose numbers stand in table and figure, if any has been taken yet.
    pub fn measure(&self, board: &Board) -> Option<Measure> {
        let mut all = measures(board);
        if all.is_empty() { None } else { Some(all.swap_remove(self.measure % all.len())) }
    }

    /// The places of the rows that pass the filter.
    pub fn shown(&self, board: &Board) -> Vec<usize> {
        let wanted = self.filter.text().to_lowercase();
        let words: Vec<&str> = wanted.split_whitespace().collect();
        let fits = |row: &Row| {
            let text = text_of(row);
            words.iter().all(|word| text.contains(word))
        };
        board.rows.iter().enumerate().filter(|(_, row)| words.is_empty() || fits(row)).map(|(place, _)| place).collect()
    }

    /// Which of the shown rows the next key acts on; `shown` is not to be empty.
    pub fn at(&self, board: &Board, shown: &[usize]) -> usize {
        if let Some(chosen) = self.chosen {
            // Where it is filtered out, what comes after it.
            return shown.iter().position(|&place| place >= chosen).unwrap_or(shown.len().saturating_sub(1));
        }
        let first = |wanted: &dyn Fn(&Stage) -> bool| shown.iter().position(|&place| wanted(&board.rows[place].stage));
        first(&|stage| *stage == Stage::Training)
            .or_else(|| first(&|stage| *stage == Stage::Evaluating))
            .or_else(|| first(&|stage| matches!(stage, Stage::Waiting | Stage::WaitsFor(_))))
            .unwrap_or(0)
    }

    /// The id of the run whose curves are looked at.
    pub fn looks_at<'a>(&self, board: Option<&'a Board>) -> Option<&'a str> {
        match self.dialog {
            Some(Dialog::Curves { place, .. }) => board?.rows.get(place).map(|row| row.cell.id.as_str()),
            _ => None,
        }
    }

    /// The place of the row that the next key acts on.
    pub fn place(&self, board: &Board) -> Option<usize> {
        let shown = self.shown(board);
        shown.get(self.at(board, &shown)).copied()
    }
}

/// What the filter looks in.
fn text_of(row: &Row) -> String {
    let cell = &row.cell;
    let mut text = format!("{} {} {}", cell.id, cell.label, word(&row.stage));
    for (key, value) in &cell.vary {
        let _ = write!(text, " {key}={value}");
    }
    let _ = write!(text, " seed={}", cell.seed);
    text.to_lowercase()
}

/// A stage in a word.
pub fn word(stage: &Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::WaitsFor(_) => "waits",
        Stage::Elsewhere(_) => "elsewhere",
        Stage::Training => "training",
        Stage::Evaluating => "evaluating",
        Stage::Done => "done",
        Stage::Failed(_) => "failed",
        Stage::Stopped => "stopped",
    }
}
