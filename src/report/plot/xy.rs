//! Values against values: lines, bands, points with error bars, levels across and rules upright. Names stand at the ends of lines, or beside
//! points.

use super::Drawing;
use super::scale::{Axis, Laid};
use super::svg::{Anchor, Canvas, Ends, clipped, width};

const SIZE: (f64, f64) = (760.0, 380.0);
const LEFT: f64 = 62.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 52.0;
/// Between two names at the ends of lines.
const LEADING: f64 = 16.0;
/// Characters of the name of a rule.
const RULE_NAME: usize = 44;
/// Rows of names of rules; what does not fit keeps its rule and has no name.
const RULE_ROWS: usize = 5;

#[derive(Clone, Debug)]
pub struct Xy {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    pub levels: Vec<Level>,
    pub rules: Vec<Rule>,
    pub names: Names,
}

/// Where names stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// On the right, each at the height of its line's end.
    Ends,
    /// Of each point, beside it.
    Points,
    /// Both.
    Everywhere,
}

#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub colour: usize,
    pub look: Look,
    pub points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// With the range of each point as a band.
    Band,
    /// With marks, and the range of each point as a bar.
    Marked,
    /// Marks alone, with bars.
    Points,
}

#[derive(Clone, Debug)]
pub struct Point {
    pub x: Spread,
    pub y: Spread,
    pub name: Option<String>,
}

/// A value, and how far others like it go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub middle: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    pub fn one(value: f64) -> Self {
        Self { middle: value, low: value, high: value }
    }
}

/// A value that holds all along: a dashed line across.
#[derive(Clone, Debug)]
pub struct Level {
    pub name: String,
    pub colour: usize,
    pub y: f64,
}

/// Something that happened at a place: a dashed line upright.
#[derive(Clone, Debug)]
pub struct Rule {
    pub x: f64,
    pub name: String,
}

/// The area that values lie in.
struct Field {
    x: Laid,
    y: Laid,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Field {
    fn place(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let (x, y) = (self.x.at(x), self.y.at(y));
        let there = x.is_finite() && y.is_finite();
        there.then_some((self.left + x * self.width, self.top + (1.0 - y) * self.height))
    }

    fn right(&self) -> f64 {
        self.left + self.width
    }

    fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

impl Xy {
    /// `says`: what the picture shows, in a sentence.
    pub fn draw(&self, says: impl Into<String>) -> Drawing {
        let mut canvas = Canvas::default();
        let ends = match self.names {
            Names::Ends | Names::Everywhere => self.ends(),
            Names::Points => Vec::new(),
        };
        let widest = ends.iter().map(|end| width(&end.name)).fold(0.0, f64::max);
        let right = if ends.is_empty() { 24.0 } else { widest + 34.0 };
        // Names of rules stand above the area, in as many rows as they need.
        let points = || self.series.iter().flat_map(|series| &series.points);
        let xs = points().flat_map(|p| [p.x.low, p.x.middle, p.x.high]).chain(self.rules.iter().map(|rule| rule.x));
        let ys = points().flat_map(|p| [p.y.low, p.y.middle, p.y.high]).chain(self.levels.iter().map(|level| level.y));
        let mut field = Field {
            x: self.x.over(xs),
            y: self.y.over(ys),
            left: LEFT,
            top: TOP,
            width: (SIZE.0 - LEFT - right).max(200.0),
            height: SIZE.1 - TOP - BOTTOM,
        };
        let rows = self.rule_rows(&field);
        let above = 15.0 * rows.iter().flatten().map(|row| row + 1).max().unwrap_or(0) as f64;
        field.top += above;
        let (width, height) = (field.left + field.width + right, SIZE.1 + above);
        canvas.text("title", (2.0, 20.0), Anchor::Start, &self.title);
        self.frame(&field, &mut canvas);
        self.draw_rules(&field, &rows, &mut canvas);
        for level in &self.levels {
            let y = field.bottom() - field.y.at(level.y) * field.height;
            if !y.is_finite() {
                continue;
            }
            canvas.line(&format!("thin dashed s{}", level.colour % super::COLOURS), (field.left, y), (field.right(), y));
        }
        for series in &self.series {
            series.draw(&field, &mut canvas);
        }
        name_ends(&field, ends, &mut canvas);
        match self.names {
            Names::Points | Names::Everywhere => self.name_points(&field, &mut canvas),
            Names::Ends => {}
        }
        Drawing { width, height, body: canvas.body, says: says.into() }
    }

    fn frame(&self, field: &Field, canvas: &mut Canvas) {
        for tick in &field.y.ticks {
            let y = field.bottom() - tick.at * field.height;
            canvas.line("grid", (field.left, y), (field.right(), y));
            canvas.text("dim", (field.left - 8.0, y + 4.0), Anchor::End, &tick.text);
        }
        let mut last = f64::NEG_INFINITY;
        for tick in &field.x.ticks {
            let x = field.left + tick.at * field.width;
            canvas.line("axis", (x, field.bottom()), (x, field.bottom() + 4.0));
            if x - width(&tick.text) / 2.0 > last + 4.0 {
                canvas.text("dim", (x, field.bottom() + 18.0), Anchor::Middle, &tick.text);
                last = x + width(&tick.text) / 2.0;
            }
        }
        let floor = field.bottom();
        match field.x.gap() {
            None => canvas.line("axis", (field.left, floor), (field.right(), floor)),
            Some(gap) => {
                let x = field.left + gap * field.width;
                canvas.line("axis", (field.left, floor), (x - 4.0, floor));
                canvas.line("axis", (x + 4.0, floor), (field.right(), floor));
                for x in [x - 4.0, x + 4.0] {
                    canvas.line("axis", (x - 3.0, floor + 5.0), (x + 3.0, floor - 5.0));
                }
            }
        }
        canvas.text("dim", (field.left + field.width / 2.0, floor + 40.0), Anchor::Middle, &self.x.label);
        canvas.upright("dim", (14.0, field.top + field.height / 2.0), &self.y.label);
    }

    /// Of each rule the row above the area that its name stands in. Later ones stand lower, so that no rule goes through another's name.
    fn rule_rows(&self, field: &Field) -> Vec<Option<usize>> {
        let mut begins = [f64::INFINITY; RULE_ROWS];
        let mut rows: Vec<Option<usize>> = self
            .rules
            .iter()
            .rev()
            .map(|rule| {
                let (from, to) = reach(field, rule);
                // Below what stands to the right of it there is no room for the rule's own line.
                let lowest = begins.iter().rposition(|begin| *begin < to + 8.0).map_or(0, |taken| taken + 1);
                if lowest >= RULE_ROWS {
                    return None;
                }
                begins[lowest] = from;
                Some(lowest)
            })
            .collect();
        rows.reverse();
        rows
    }

    fn draw_rules(&self, field: &Field, rows: &[Option<usize>], canvas: &mut Canvas) {
        for (rule, row) in self.rules.iter().zip(rows) {
            let x = field.left + field.x.at(rule.x) * field.width;
            if !x.is_finite() {
                continue;
            }
            let name_at = field.top - 6.0 - 15.0 * row.unwrap_or(0) as f64;
            canvas.line("rule", (x, if row.is_some() { name_at } else { field.top }), (x, field.bottom()));
            if row.is_some() {
                canvas.text("small lift", (reach(field, rule).0 + 3.0, name_at), Anchor::Start, &clipped(&rule.name, RULE_NAME));
            }
        }
    }

    fn ends(&self) -> Vec<End> {
        let lines = self.series.iter().filter(|series| !series.name.is_empty()).filter_map(|series| {
            let last = series.points.iter().rev().find(|p| p.y.middle.is_finite())?;
            Some(End { name: clipped(&series.name, 40), colour: series.colour, y: last.y.middle, look: Some(series.look) })
        });
        let levels =
            self.levels.iter().map(|level| End { name: clipped(&level.name, 40), colour: level.colour, y: level.y, look: None });
        lines.chain(levels).collect()
    }

    /// Each name at the first of eight places around its point that is free, or the one that is least taken.
    fn name_points(&self, field: &Field, canvas: &mut Canvas) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let places: Vec<(f64, f64)> = points().filter_map(|p| field.place(p.x.middle, p.y.middle)).collect();
        let mut taken: Vec<[f64; 4]> = places.iter().map(|(x, y)| [x - 6.0, y - 6.0, x + 6.0, y + 6.0]).collect();
        for point in points() {
            let (Some(name), Some((x, y))) = (&point.name, field.place(point.x.middle, point.y.middle)) else { continue };
            let name = clipped(name, 36);
            let wide = width(&name) * 0.9;
            let candidates = [
                (8.0, -5.0),
                (8.0, 14.0),
                (-8.0 - wide, -5.0),
                (-8.0 - wide, 14.0),
                (-wide / 2.0, -11.0),
                (-wide / 2.0, 20.0),
                (12.0, 4.0),
                (-12.0 - wide, 4.0),
            ];
            let at = |(dx, dy): (f64, f64)| [x + dx, y + dy - 9.0, x + dx + wide, y + dy + 3.0];
            let cost = |area: &[f64; 4]| {
                let over: f64 = taken.iter().map(|other| overlap(area, other)).sum();
                let outside = (field.left - area[0]).max(0.0) + (area[2] - field.right() - 20.0).max(0.0);
                over + 40.0 * outside + 10.0 * ((field.top - area[1]).max(0.0) + (area[3] - field.bottom()).max(0.0))
            };
            let best = candidates.into_iter().min_by(|a, b| cost(&at(*a)).total_cmp(&cost(&at(*b))));
            if let Some((dx, dy)) = best {
                taken.push(at((dx, dy)));
                canvas.text("small lift", (x + dx, y + dy), Anchor::Start, &name);
            }
        }
    }
}

/// A name at the right of the area.
struct End {
    name: String,
    colour: usize,
    y: f64,
    /// `None`: of a level.
    look: Option<Look>,
}

fn name_ends(field: &Field, mut ends: Vec<End>, canvas: &mut Canvas) {
    ends.sort_by(|a, b| b.y.total_cmp(&a.y));
    let wanted: Vec<f64> = ends.iter().map(|end| field.bottom() - field.y.at(end.y) * field.height).collect();
    for (end, y) in ends.iter().zip(apart(&wanted, field.top + 4.0, field.bottom() + 8.0)) {
        let x = field.right() + 10.0;
        let colour = end.colour % super::COLOURS;
        match end.look {
            Some(Look::Band) => canvas.line(&format!("line s{colour}"), (x, y), (x + 14.0, y)),
            Some(Look::Marked) => {
                canvas.line(&format!("line s{colour}"), (x, y), (x + 14.0, y));
                canvas.shape(end.colour, (x + 7.0, y), 3.6);
            }
            Some(Look::Points) => canvas.shape(end.colour, (x + 7.0, y), 4.0),
            None => canvas.line(&format!("thin dashed s{colour}"), (x, y), (x + 14.0, y)),
        }
        canvas.text("", (x + 19.0, y + 4.0), Anchor::Start, &end.name);
    }
}

/// From where to where the name of a rule goes, kept within the picture.
fn reach(field: &Field, rule: &Rule) -> (f64, f64) {
    let x = field.left + field.x.at(rule.x) * field.width;
    let wide = width(&clipped(&rule.name, RULE_NAME)) * 0.9;
    let from = x.min(field.right() + 10.0 - wide).max(field.left - 40.0);
    (from, from + wide)
}

/// Moves what stands too close together apart, in order, within bounds as far as there is room.
fn apart(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut places: Vec<f64> = Vec::with_capacity(wanted.len());
    for y in wanted {
        let least = places.last().map_or(top, |last| last + LEADING);
        places.push(if y.is_finite() { y.max(least) } else { least });
    }
    let mut most = bottom;
    for y in places.iter_mut().rev() {
        *y = y.min(most);
        most = *y - LEADING;
    }
    places
}

fn overlap(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    (a[2].min(b[2]) - a[0].max(b[0])).max(0.0) * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0)
}

impl Series {
    fn draw(&self, field: &Field, canvas: &mut Canvas) {
        let colour = self.colour % super::COLOURS;
        let place = |x: f64, y: f64| field.place(x, y);
        match self.look {
            Look::Band => {
                // A hole in the values is a hole in the line.
                for part in self.points.split(|p| !p.y.middle.is_finite()) {
                    let mut around: Vec<(f64, f64)> = part.iter().filter_map(|p| place(p.x.middle, p.y.high)).collect();
                    around.extend(part.iter().rev().filter_map(|p| place(p.x.middle, p.y.low)));
                    if part.iter().any(|p| p.y.high > p.y.low) {
                        canvas.path(&format!("band f{colour}"), &around, Ends::Closed);
                    }
                    let line: Vec<(f64, f64)> = part.iter().filter_map(|p| place(p.x.middle, p.y.middle)).collect();
                    canvas.path(&format!("line s{colour}"), &line, Ends::Open);
                }
            }
            Look::Marked | Look::Points => {
                if self.look == Look::Marked {
                    let line: Vec<(f64, f64)> = self.points.iter().filter_map(|p| place(p.x.middle, p.y.middle)).collect();
                    canvas.path(&format!("line s{colour}"), &line, Ends::Open);
                }
                for point in &self.points {
                    let Some((x, y)) = place(point.x.middle, point.y.middle) else { continue };
                    let bar = format!("thin s{colour}");
                    if let (Some((_, high)), Some((_, low))) =
                        (place(point.x.middle, point.y.high), place(point.x.middle, point.y.low))
                        && low - high > 0.5
                    {
                        canvas.line(&bar, (x, high), (x, low));
                        for y in [high, low] {
                            canvas.line(&bar, (x - 4.0, y), (x + 4.0, y));
                        }
                    }
                    if let (Some((low, _)), Some((high, _))) =
                        (place(point.x.low, point.y.middle), place(point.x.high, point.y.middle))
                        && high - low > 0.5
                    {
                        canvas.line(&bar, (low, y), (high, y));
                        for x in [low, high] {
                            canvas.line(&bar, (x, y - 4.0), (x, y + 4.0));
                        }
                    }
                    canvas.shape(self.colour, (x, y), 4.2);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(series: Vec<Series>) -> Xy {
        let (x, y) = (Axis::log("λ"), Axis::percent("accuracy, %"));
        Xy { title: "t".into(), x, y, series, levels: Vec::new(), rules: Vec::new(), names: Names::Ends }
    }

    fn series(name: &str, look: Look, points: &[(f64, f64)]) -> Series {
        let points =
            points.iter().map(|(x, y)| Point { x: Spread::one(*x), y: Spread::one(*y), name: Some(format!("{name}{x}")) });
        Series { name: name.into(), colour: 0, look, points: points.collect() }
    }

    #[test]
    fn every_look_is_a_picture_that_can_be_parsed() {
        let mut xy = plot(vec![
            series("a", Look::Band, &[(0.0, 0.5), (0.1, f64::NAN), (1.0, 0.6), (2.0, 0.7)]),
            series("b", Look::Marked, &[(0.0, 0.4), (0.1, 0.3)]),
            series("c<&>", Look::Points, &[(f64::NAN, 0.4), (-1.0, 0.3), (1.0, f64::INFINITY)]),
        ]);
        xy.series[1].points[0].y = Spread { middle: 0.4, low: 0.35, high: 0.45 };
        xy.levels.push(Level { name: "teacher".into(), colour: 1, y: 0.8 });
        xy.rules
            .extend((0..9).map(|i| Rule { x: 0.1 + f64::from(i) * 0.001, name: "λ 0.005 -> 0.5 (a long note on why)".into() }));
        xy.names = Names::Everywhere;
        let svg = xy.draw("says").standalone();
        let document = roxmltree::Document::parse(&svg).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(
            document.descendants().filter(|n| n.has_tag_name("text")).any(|n| n.text() == Some("c<&>1"))
                || svg.contains("c&lt;&amp;&gt;")
        );
    }

    #[test]
    fn names_that_end_at_one_height_stand_below_each_other() {
        let places = apart(&[100.0, 101.0, 102.0, 300.0], 40.0, 310.0);
        assert_eq!(places, [100.0, 116.0, 132.0, 300.0]);
        // And where there is no room below, above.
        let places = apart(&[300.0, 305.0], 40.0, 310.0);
        assert_eq!(places, [294.0, 310.0]);
    }
}
