//! Horizontal bars in parts, one row each: how long something took, and what of it was what.

use super::Drawing;
use super::scale::Axis;
use super::svg::{Anchor, Canvas, clipped, width};

const WIDTH: f64 = 760.0;
const ROW: f64 = 30.0;
const BAR: f64 = 17.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 46.0;
/// Room for what is written behind a bar.
const BEHIND: f64 = 110.0;

#[derive(Clone, Debug)]
pub struct Bars {
    pub title: String,
    pub axis: Axis,
    /// What the parts are, in their order.
    pub parts: Vec<String>,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    /// In the order of [`Bars::parts`]; what is missing is nothing and is said in `note`.
    pub values: Vec<f64>,
    /// Behind the bar.
    pub note: String,
    /// From where to where the whole goes, where it was measured more than once.
    pub spread: Option<(f64, f64)>,
}

impl Bars {
    pub fn draw(&self, says: impl Into<String>) -> Drawing {
        let mut canvas = Canvas::default();
        let names: Vec<String> = self.rows.iter().map(|row| clipped(&row.name, 40)).collect();
        let left = names.iter().map(|name| width(name)).fold(40.0, f64::max) + 24.0;
        let behind = self.rows.iter().map(|row| width(&row.note)).fold(BEHIND - 14.0, f64::max) + 14.0;
        let across = (WIDTH - left - behind).max(220.0);
        let height = TOP + ROW * self.rows.len() as f64 + BOTTOM;
        let totals = self.rows.iter().flat_map(|row| [row.values.iter().sum(), row.spread.map_or(0.0, |(_, high)| high)]);
        let laid = self.axis.clone().holding(0.0).over(totals);
        let floor = TOP + ROW * self.rows.len() as f64;
        canvas.text("title", (2.0, 20.0), Anchor::Start, &self.title);
        let mut x = left;
        for (i, part) in self.parts.iter().enumerate() {
            canvas.rect(&part_class(i), (x, 34.0), (12.0, 12.0));
            canvas.text("", (x + 17.0, 44.0), Anchor::Start, part);
            x += width(part) + 40.0;
        }
        for tick in &laid.ticks {
            let x = left + tick.at * across;
            canvas.line("grid", (x, TOP - 4.0), (x, floor));
            canvas.text("dim", (x, floor + 16.0), Anchor::Middle, &tick.text);
        }
        canvas.text("dim", (left + across / 2.0, floor + 36.0), Anchor::Middle, &self.axis.label);
        for (i, (row, name)) in self.rows.iter().zip(&names).enumerate() {
            let y = TOP + ROW * i as f64 + (ROW - BAR) / 2.0;
            canvas.text("", (left - 10.0, y + 13.0), Anchor::End, name);
            let mut sum = 0.0;
            for (part, value) in row.values.iter().enumerate() {
                let (from, to) = (laid.at(sum), laid.at(sum + value));
                if to.is_finite() && to > from {
                    canvas.rect(&part_class(part), (left + from * across, y), ((to - from) * across, BAR));
                    sum += value;
                }
            }
            let mut end = laid.at(sum);
            if let Some((low, high)) = row.spread.map(|(low, high)| (laid.at(low), laid.at(high)))
                && (high - low) * across > 1.0
            {
                let (low, high, middle) = (left + low * across, left + high * across, y + BAR / 2.0);
                canvas.line("axis", (low, middle), (high, middle));
                for x in [low, high] {
                    canvas.line("axis", (x, middle - 4.0), (x, middle + 4.0));
                }
                end = end.max((high - left) / across);
            }
            canvas.text("small dim", (left + end * across + 8.0, y + 13.0), Anchor::Start, &row.note);
        }
        canvas.line("axis", (left, TOP - 4.0), (left, floor));
        Drawing { width: left + across + behind, height, body: canvas.body, says: says.into() }
    }
}

/// The first part whole, the others fainter: they differ in lightness too.
fn part_class(part: usize) -> String {
    if part == 0 { "f0".into() } else { format!("f{} share", part % super::COLOURS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_end_to_end() {
        let row = Row { name: "rrm".into(), values: vec![2.0, 3.0], note: "5".into(), spread: Some((4.8, 5.3)) };
        let bars =
            Bars { title: "t".into(), axis: Axis::linear("min"), parts: vec!["own".into(), "teacher".into()], rows: vec![row] };
        let svg = bars.draw("says").standalone();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let number = |node: &roxmltree::Node, name: &str| node.attribute(name).unwrap().parse::<f64>().unwrap();
        let rects: Vec<(f64, f64)> = document
            .descendants()
            .filter(|n| n.has_tag_name("rect") && n.attribute("height") == Some("17"))
            .map(|n| (number(&n, "x"), number(&n, "width")))
            .collect();
        assert_eq!(rects.len(), 2);
        assert!((rects[0].0 + rects[0].1 - rects[1].0).abs() < 0.02 && (rects[1].1 / rects[0].1 - 1.5).abs() < 0.01, "{rects:?}");
    }
}
