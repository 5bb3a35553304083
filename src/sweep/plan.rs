//! What a sweep runs: every cell with its place in tables and figures. Plain values, kept as `sweep.json` in the sweep's folder.

use serde::{Deserialize, Serialize};

/// Of the shape of `sweep.json`; another number is another shape.
pub const FORMAT: u32 = 1;

/// Stands for the sweep's folder in configs of cells, so that a sweep can be moved and two copies of one compare.
pub const HERE: &str = "/@sweep";

/// A whole sweep, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub format: u32,
    /// The sweep file's name without its ending.
    pub name: String,
    pub title: String,
    pub figure: Figure,
    /// Whose numbers of the paper stand beside ours.
    pub paper: Option<PaperTable>,
    /// What each run is evaluated with once it has been trained; `None`: with the evaluation that ends it alone.
    pub evaluate: Option<Evaluate>,
    /// Teachers first; else in the order of the file.
    pub cells: Vec<Cell>,
    /// The sweep file as it was read, for the report.
    pub source: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The name of its run's folder, `runs/<id>` within the sweep's.
    pub id: String,
    pub role: Role,
    /// The row of the file that it belongs to.
    pub row: String,
    /// How tables call that row; those of one row differ in `vary` alone.
    pub label: String,
    /// What the grid says of it, in the grid's order, the seed left out: `[("method.lambda", "0.005")]`.
    pub vary: Vec<(String, String)>,
    pub seed: u64,
    /// The id of the cell whose weights it learns from, where that is trained in this sweep.
    pub teacher: Option<String>,
    /// Those after the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_teachers: Vec<String>,
    pub budget: Option<Budget>,
    /// Its whole config, resolved, as TOML, with [`HERE`] for the sweep's folder. The number of its epochs is only known later where
    /// it has a budget.
    pub config: String,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Trained so that others can learn from it.
    Teacher,
    Student,
}

/// Training time that a run is given instead of epochs: as much as the runs of another row took, seed by seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// That row's name.
    pub of: String,
    pub count: Count,
}

/// Whether the time of that row's teacher is part of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Count {
    Student,
    WithTeacher,
}

/// What the runs of a sweep are evaluated with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluate {
    /// Names as `rematch eval --attack` takes them.
    pub attacks: Vec<String>,
    /// `None`: all of the split.
    pub images: Option<u64>,
    /// `validation` or `test`.
    pub split: String,
    pub seed: u64,
    pub doubts: Doubts,
    /// Whether accuracy against epsilon is measured too.
    pub curve: Curve,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Doubts {
    #[default]
    Look,
    Skip,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Curve {
    #[default]
    No,
    Yes,
}

/// What a sweep's picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// Tables alone (the paper's Tables 1 to 3).
    Table,
    /// Total training time with the teacher's share (Figure 2).
    Time,
    /// Natural and adversarial accuracy against lambda (Figure 3).
    Lambda,
    /// Student by teacher, with the time of an epoch (Figure 4).
    Grid,
    /// Accuracies at equal training time.
    Budget,
}

/// A table of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaperTable {
    Table1,
    Table2,
    Table3,
    Figure2,
}

impl Plan {
    /// The cells that are one point of a table or figure: they differ in their seed alone. In the order of the plan.
    pub fn points(&self) -> Vec<Vec<&Cell>> {
        let mut points: Vec<Vec<&Cell>> = Vec::new();
        for cell in &self.cells {
            let same =
                |point: &&mut Vec<&Cell>| point[0].row == cell.row && point[0].vary == cell.vary && point[0].role == cell.role;
            match points.iter_mut().find(same) {
                Some(point) => point.push(cell),
                None => points.push(vec![cell]),
            }
        }
        points
    }

    /// The cells that must be done before this one begins: its teachers, and those whose time it is given.
    pub fn needs<'a>(&'a self, cell: &'a Cell) -> impl Iterator<Item = &'a Cell> {
        let teaches = |other: &&Cell| cell.teacher.iter().chain(&cell.other_teachers).any(|id| *id == other.id);
        let lends = |other: &&Cell| {
            cell.budget
                .as_ref()
                .is_some_and(|budget| budget.of == other.row && other.seed == cell.seed && other.role == Role::Student)
        };
        self.cells.iter().filter(move |other| teaches(other) || lends(other))
    }

    pub fn cell(&self, id: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.id == id)
    }
}
