//! The rows of a board as points of a figure: those that differ in their seed alone are one, and its numbers are means.
//!
//! Only numbers of one attack on one number of images stand together; what is missing is `None`, never 0. Nothing is drawn here.

use crate::run::shelf::whatif::Spread;
use crate::sweep::board::{Board, Pair, Row, Stage};
use crate::sweep::{Cell, Role};

/// What a number was measured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    pub attack: String,
    pub images: u64,
}

/// Rows that differ in their seed alone.
pub struct Point<'a> {
    /// In the order of the plan; never empty.
    pub rows: Vec<&'a Row>,
    /// The places of them on the board.
    pub places: Vec<usize>,
}

/// A number over the seeds that have one so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    pub natural: Spread,
    pub adversarial: Spread,
    pub seeds: usize,
}

/// Training time over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Took {
    /// Mean of those that have been trained.
    Whole(f64),
    /// None has been trained yet: the longest so far.
    SoFar(f64),
    Nothing,
}

/// Every measure that some row has a number of: first what most runs were evaluated with first.
pub fn measures(board: &Board) -> Vec<Measure> {
    let mut found: Vec<(Measure, usize, usize)> = Vec::new();
    for row in &board.rows {
        for (i, number) in row.found.iter().enumerate() {
            let first = usize::from(i == 0);
            match found.iter_mut().find(|(m, ..)| m.attack == number.attack && m.images == number.images) {
                Some((_, firsts, all)) => (*firsts, *all) = (*firsts + first, *all + 1),
                None => found.push((Measure { attack: number.attack.clone(), images: number.images }, first, 1)),
            }
        }
    }
    // Stable: of two that are as frequent, the one that came first.
    found.sort_by_key(|(_, firsts, all)| std::cmp::Reverse((*firsts, *all)));
    found.into_iter().map(|(measure, ..)| measure).collect()
}

pub fn points(board: &Board) -> Vec<Point<'_>> {
    let mut points: Vec<Point> = Vec::new();
    for (place, row) in board.rows.iter().enumerate() {
        let cell = &row.cell;
        let same = |point: &&mut Point| {
            let other = point.cell();
            other.row == cell.row && other.vary == cell.vary && other.role == cell.role
        };
        match points.iter_mut().find(same) {
            Some(point) => {
                point.rows.push(row);
                point.places.push(place);
            }
            None => points.push(Point { rows: vec![row], places: vec![place] }),
        }
    }
    points
}

/// What a row has under a measure.
pub fn number(row: &Row, measure: &Measure) -> Option<Pair> {
    let found = row.found.iter().find(|found| found.attack == measure.attack && found.images == measure.images)?;
    (found.pair.natural.is_finite() && found.pair.adversarial.is_finite()).then_some(found.pair)
}

/// The place of the student that stands best under a measure.
pub fn best(board: &Board, measure: &Measure) -> Option<usize> {
    let students = board.rows.iter().enumerate().filter(|(_, row)| row.cell.role == Role::Student);
    let numbers = students.filter_map(|(place, row)| Some((place, number(row, measure)?.adversarial)));
    // The first of equals: a mark that wandered would say that something had changed.
    numbers.reduce(|best, other| if other.1 > best.1 { other } else { best }).map(|(place, _)| place)
}

/// The value of the first varied key that ends in one of these names.
pub fn varied<'a>(cell: &'a Cell, names: &[&str]) -> Option<&'a str> {
    let named = |key: &str| names.iter().any(|name| key == *name || key.ends_with(&format!(".{name}")));
    cell.vary.iter().find(|(key, _)| named(key)).map(|(_, value)| value.as_str())
}

impl<'a> Point<'a> {
    pub fn cell(&self) -> &'a Cell {
        &self.rows[0].cell
    }

    pub fn mean(&self, measure: &Measure) -> Option<Mean> {
        let numbers = self.numbers(measure);
        let spread = |of: fn(&Pair) -> f64| Spread {
            least: numbers.iter().map(of).fold(f64::INFINITY, f64::min),
            mean: numbers.iter().map(of).sum::<f64>() / numbers.len() as f64,
            greatest: numbers.iter().map(of).fold(f64::NEG_INFINITY, f64::max),
        };
        (!numbers.is_empty()).then(|| Mean {
            natural: spread(|pair| pair.natural),
            adversarial: spread(|pair| pair.adversarial),
            seeds: numbers.len(),
        })
    }

    /// One for each seed that has one.
    pub fn numbers(&self, measure: &Measure) -> Vec<Pair> {
        self.rows.iter().filter_map(|row| number(row, measure)).collect()
    }

    pub fn took(&self) -> Took {
        let trained = |row: &&&Row| match row.stage {
            Stage::Evaluating | Stage::Done => true,
            Stage::Waiting | Stage::WaitsFor(_) | Stage::Elsewhere(_) | Stage::Training | Stage::Failed(_) | Stage::Stopped => {
                false
            }
        };
        let usable = |row: &&Row| row.train_s.is_finite() && row.train_s > 0.0;
        let whole: Vec<f64> = self.rows.iter().filter(trained).map(|row| row.train_s).filter(|s| s.is_finite()).collect();
        if !whole.is_empty() {
            return Took::Whole(whole.iter().sum::<f64>() / whole.len() as f64);
        }
        let longest = self.rows.iter().copied().filter(usable).map(|row| row.train_s).reduce(f64::max);
        longest.map_or(Took::Nothing, Took::SoFar)
    }

    /// Its label with what the grid varies, where that differs within a label: `RRM 0.005`.
    pub fn name(&self) -> String {
        let cell = self.cell();
        let values: Vec<&str> = cell.vary.iter().map(|(_, value)| value.as_str()).collect();
        if values.is_empty() { cell.label.clone() } else { format!("{} {}", cell.label, values.join(" ")) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sweep::Figure;
    use crate::sweep::board::{Flow, Found};

    pub fn row(id: &str, vary: &[(&str, &str)], seed: u64, found: &[(&str, u64, f64, f64)]) -> Row {
        Row {
            cell: Cell {
                id: id.into(),
                role: Role::Student,
                row: "rrm".into(),
                label: "RRM".into(),
                vary: vary.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
                seed,
                teacher: None,
                other_teachers: Vec::new(),
                budget: None,
                config: String::new(),
            },
            stage: if found.is_empty() { Stage::Waiting } else { Stage::Done },
            steps: None,
            probe: None,
            found: found
                .iter()
                .map(|&(attack, images, natural, adversarial)| Found {
                    attack: attack.into(),
                    images,
                    pair: Pair { natural, adversarial },
                })
                .collect(),
            train_s: 0.0,
            evaluate_s: 0.0,
            left_s: None,
        }
    }

    pub fn board(rows: Vec<Row>) -> Board {
        Board {
            name: "lambda".into(),
            title: "Lambda".into(),
            figure: Figure::Lambda,
            folder: "/sweeps/lambda".into(),
            rows,
            slots: Vec::new(),
            flow: Flow::Running,
            elapsed_s: 0.0,
            left_s: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn seeds_are_averaged_and_what_is_missing_is_not_zero() {
        let low = [("method.lambda", "0.005")];
        let high = [("method.lambda", "0.5")];
        let board = board(vec![
            row("a-s0", &low, 0, &[("autoattack", 1000, 0.7, 0.4)]),
            row("b-s0", &high, 0, &[]),
            row("a-s1", &low, 1, &[("autoattack", 1000, 0.8, 0.5)]),
            row("a-s2", &low, 2, &[]),
            row("a-s3", &low, 3, &[("pgd-10", 500, 0.9, 0.9)]),
            row("a-s4", &low, 4, &[("autoattack", 1000, f64::NAN, 0.5)]),
        ]);
        let measure = measures(&board).remove(0);
        assert_eq!(measure, Measure { attack: "autoattack".into(), images: 1000 });
        let points = points(&board);
        assert_eq!(points.iter().map(|p| p.places.clone()).collect::<Vec<_>>(), [vec![0, 2, 3, 4, 5], vec![1]]);
        let mean = points[0].mean(&measure).unwrap();
        assert_eq!((mean.seeds, mean.natural.mean, mean.adversarial.least, mean.adversarial.greatest), (2, 0.75, 0.4, 0.5));
        assert_eq!(points[1].mean(&measure), None);
        assert_eq!(points[1].name(), "RRM 0.5");
    }

    #[test]
    fn another_attack_is_not_ranked_with_the_sweeps_own() {
        let board = board(vec![
            row("a", &[], 0, &[("autoattack", 1000, 0.7, 0.4), ("pgd-20", 1000, 0.7, 0.45)]),
            row("b", &[("x", "1")], 0, &[("autoattack", 1000, 0.7, 0.42), ("pgd-20", 1000, 0.7, 0.44)]),
            row("c", &[("x", "2")], 0, &[("pgd-10", 500, 0.9, 0.9)]),
        ]);
        let measures = measures(&board);
        assert_eq!(measures.iter().map(|m| m.attack.as_str()).collect::<Vec<_>>(), ["autoattack", "pgd-10", "pgd-20"]);
        assert_eq!(best(&board, &measures[0]), Some(1));
        assert_eq!(best(&board, &measures[2]), Some(0));
    }

    #[test]
    fn a_teacher_is_no_point_of_its_students_and_never_the_best() {
        let mut teacher = row("t", &[], 0, &[("autoattack", 1000, 0.9, 0.6)]);
        teacher.cell.role = Role::Teacher;
        let board = board(vec![teacher, row("a", &[], 0, &[("autoattack", 1000, 0.7, 0.4)])]);
        assert_eq!(points(&board).len(), 2);
        assert_eq!(best(&board, &measures(&board)[0]), Some(1));
    }

    #[test]
    fn a_time_is_whole_once_a_seed_has_been_trained() {
        let mut all = [row("a", &[], 0, &[]), row("a1", &[], 1, &[]), row("a2", &[], 2, &[])];
        let took = |rows: &[Row]| points(&board(rows.to_vec()))[0].took();
        assert_eq!(took(&all), Took::Nothing);
        (all[1].stage, all[1].train_s) = (Stage::Training, 30.0);
        assert_eq!(took(&all), Took::SoFar(30.0));
        (all[0].stage, all[0].train_s) = (Stage::Done, 50.0);
        (all[2].stage, all[2].train_s) = (Stage::Evaluating, 70.0);
        assert_eq!(took(&all), Took::Whole(60.0));
        all[2].stage = Stage::Failed("out of memory".into());
        assert_eq!(took(&all), Took::Whole(50.0));
    }

    #[test]
    fn a_varied_key_is_found_by_its_last_name() {
        let row = row("a", &[("method.lambda", "0.5"), ("student.network", "fc3")], 0, &[]);
        assert_eq!(varied(&row.cell, &["lambda"]), Some("0.5"));
        assert_eq!(varied(&row.cell, &["network"]), Some("fc3"));
        assert_eq!(varied(&row.cell, &["ambda"]), None);
    }
}
