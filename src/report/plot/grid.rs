//! Numbers of every row and column: a field for each, the darker the larger its first number is.

use super::Drawing;
use super::svg::{Anchor, Canvas, clipped, width};

const FIELD: (f64, f64) = (126.0, 62.0);
const TOP: f64 = 78.0;

#[derive(Clone, Debug)]
pub struct Grid {
    pub title: String,
    /// Above the columns and beside the rows.
    pub columns_are: String,
    pub rows_are: String,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    /// What the numbers in a field are.
    pub legend: String,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub fields: Vec<Option<Field>>,
}

#[derive(Clone, Debug)]
pub struct Field {
    /// A fraction 0-1.
    pub share: f64,
    /// Large, and small below it.
    pub first: String,
    pub second: String,
}

impl Grid {
    pub fn draw(&self, says: impl Into<String>) -> Drawing {
        let mut canvas = Canvas::default();
        let left = self.rows.iter().map(|row| width(&clipped(&row.name, 28))).fold(60.0, f64::max) + 48.0;
        let (across, down) = (FIELD.0 * self.columns.len() as f64, FIELD.1 * self.rows.len() as f64);
        canvas.text("title", (2.0, 20.0), Anchor::Start, &self.title);
        canvas.text("dim", (left + across / 2.0, 44.0), Anchor::Middle, &self.columns_are);
        canvas.upright("dim", (20.0, TOP + down / 2.0), &self.rows_are);
        for (i, column) in self.columns.iter().enumerate() {
            canvas.text("", (left + FIELD.0 * (i as f64 + 0.5), TOP - 12.0), Anchor::Middle, &clipped(column, 18));
        }
        for (j, row) in self.rows.iter().enumerate() {
            let y = TOP + FIELD.1 * j as f64;
            canvas.text("", (left - 10.0, y + FIELD.1 / 2.0 + 4.0), Anchor::End, &clipped(&row.name, 28));
            for (i, field) in row.fields.iter().enumerate() {
                let x = left + FIELD.0 * i as f64;
                let (at, size) = ((x + 1.5, y + 1.5), (FIELD.0 - 3.0, FIELD.1 - 3.0));
                let centre = x + FIELD.0 / 2.0;
                let Some(field) = field else {
                    canvas.rect("grid", at, size);
                    canvas.text("small dim", (centre, y + 36.0), Anchor::Middle, "missing");
                    continue;
                };
                // Never so dark that ink is hard to read.
                canvas.tint("f0", at, size, 0.06 + 0.4 * field.share);
                canvas.text("big", (centre, y + 28.0), Anchor::Middle, &field.first);
                canvas.text("small dim", (centre, y + 46.0), Anchor::Middle, &field.second);
            }
        }
        canvas.text("small dim", (left, TOP + down + 22.0), Anchor::Start, &self.legend);
        let wide = (left + across).max(left + width(&self.legend) * 0.9).max(width(&self.title) * 1.2 + 16.0) + 20.0;
        Drawing { width: wide, height: TOP + down + 38.0, body: canvas.body, says: says.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_and_is_no_number() {
        let field = Field { share: 0.5, first: "50.0".into(), second: "80.0".into() };
        let grid = Grid {
            title: "t".into(),
            columns_are: "teacher".into(),
            rows_are: "student".into(),
            columns: vec!["a".into(), "b".into()],
            rows: vec![Row { name: "r".into(), fields: vec![Some(field), None] }],
            legend: "l".into(),
        };
        let svg = grid.draw("says").standalone();
        roxmltree::Document::parse(&svg).unwrap();
        assert_eq!((svg.matches(">missing<").count(), svg.matches(">50.0<").count(), svg.matches(">0<").count()), (1, 1, 0));
    }
}
