//! Natural against adversarial accuracy: a letter for each point, a dot for each of its seeds, the letters spelled out beside it.

use super::super::super::points::{Mean, Point, points};
use super::super::Sheet;
use super::{NO_NUMBER, first, framed, measured, missing};
use crate::run::listing::harmless;
use crate::sweep::Role;
use crate::sweep::board::Pair;
use crate::ui::brush::{Side, line_at, percent};
use crate::ui::chart::{GUTTER, cell};
use crate::ui::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Widest list beside the plot.
const LIST: u16 = 46;
/// Curves' colours in turn, for the rows of the file.
const TONES: [Tone; 3] = [Tone::First, Tone::Second, Tone::Third];

struct Dot<'a> {
    point: Point<'a>,
    mean: Mean,
    letter: char,
    tone: Tone,
    chosen: bool,
}

/// Percent at the edges.
struct Axes {
    plot: Rect,
    x: (f64, f64),
    y: (f64, f64),
}

pub(super) fn draw(sheet: &Sheet, name: &str, area: Rect, buffer: &mut Buffer) {
    let all = points(sheet.board);
    let Some(measure) = &sheet.measure else {
        let inner = framed(sheet, area, name, &[], buffer);
        missing(sheet, inner, NO_NUMBER, buffer);
        return;
    };
    let count = all.len();
    let mut rows: Vec<&str> = Vec::new();
    let mut dots: Vec<Dot> = Vec::new();
    for point in all {
        let row = point.cell().row.as_str();
        let at = rows.iter().position(|known| *known == row).unwrap_or(rows.len());
        if at == rows.len() {
            rows.push(row);
        }
        let Some(mean) = point.mean(measure) else { continue };
        let letter = LETTERS.get(dots.len()).map_or('*', |letter| char::from(*letter));
        let tone = if point.cell().role == Role::Teacher { Tone::Dim } else { TONES[at % TONES.len()] };
        let chosen = sheet.chosen.is_some_and(|chosen| point.places.contains(&chosen));
        dots.push(Dot { point, mean, letter, tone, chosen });
    }
    let inner = framed(sheet, area, name, &measured(sheet, &format!("{} of {count} points", dots.len())), buffer);
    if dots.is_empty() {
        missing(sheet, inner, NO_NUMBER, buffer);
        return;
    }
    let width = (inner.width * 9 / 20).min(LIST);
    let left = Rect { width: inner.width - width, ..inner };
    let seeds: Vec<Vec<Pair>> = dots.iter().map(|dot| dot.point.numbers(measure)).collect();
    plot(sheet, &dots, &seeds, left, buffer);
    list(sheet, &dots, Rect { x: left.right() + 1, width: width.saturating_sub(1), ..inner }, buffer);
}

/// Tens of percent around all numbers.
fn around(shares: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let least = shares.clone().fold(f64::INFINITY, f64::min).clamp(0.0, 1.0);
    let greatest = shares.fold(f64::NEG_INFINITY, f64::max).clamp(0.0, 1.0);
    let low = (least * 10.0 - 1e-9).floor().clamp(0.0, 9.0) * 10.0;
    (low, ((greatest * 10.0 + 1e-9).ceil() * 10.0).clamp(low + 10.0, 100.0))
}

impl Axes {
    fn cell(&self, pair: Pair) -> Option<(u16, u16)> {
        let at = |share: f64, (low, high): (f64, f64), cells: u16| {
            let place = (100.0 * share - low) / (high - low);
            place.is_finite().then(|| (place.clamp(0.0, 1.0) * f64::from(cells.saturating_sub(1))).round() as u16)
        };
        let x = at(pair.adversarial, self.x, self.plot.width)?;
        let y = at(pair.natural, self.y, self.plot.height)?;
        Some((self.plot.x + x, self.plot.bottom() - 1 - y))
    }
}

fn plot(sheet: &Sheet, dots: &[Dot], seeds: &[Vec<Pair>], area: Rect, buffer: &mut Buffer) {
    if area.width < GUTTER + 10 || area.height < 3 {
        return;
    }
    let plot = Rect { x: area.x + GUTTER, width: area.width - GUTTER, height: area.height - 1, ..area };
    let all = seeds.iter().flatten();
    let axes = Axes { plot, x: around(all.clone().map(|p| p.adversarial)), y: around(all.map(|p| p.natural)) };
    for (dot, seeds) in dots.iter().zip(seeds) {
        for &pair in seeds.iter().filter(|_| seeds.len() > 1) {
            if let Some((x, y)) = axes.cell(pair) {
                cell(buffer, x, y, '·', sheet.brush.style(dot.tone));
            }
        }
    }
    let is_letter = |buffer: &Buffer, x: u16, y: u16| {
        buffer.cell((x, y)).is_some_and(|there| there.symbol().chars().all(|c| c.is_ascii_alphabetic()))
    };
    for dot in dots {
        let pair = Pair { natural: dot.mean.natural.mean, adversarial: dot.mean.adversarial.mean };
        let Some((mut x, y)) = axes.cell(pair) else { continue };
        // Beside another letter and not over it: a few cells off are less than a reader can tell.
        while is_letter(buffer, x, y) && x + 1 < plot.right() {
            x += 1;
        }
        let style = sheet.brush.style(dot.tone);
        cell(buffer, x, y, dot.letter, if dot.chosen { style.add_modifier(Modifier::REVERSED) } else { style });
    }
    let dim = sheet.brush.style(Tone::Dim);
    let last = plot.height - 1;
    for (row, percent) in [(0, axes.y.1), (last / 2, f64::midpoint(axes.y.0, axes.y.1)), (last, axes.y.0)] {
        buffer.set_stringn(area.x, plot.y + row, format!("{percent:>4.0} "), 5, dim);
    }
    let foot = area.bottom() - 1;
    let (low, high) = (format!("{:.0}", axes.x.0), format!("{:.0}", axes.x.1));
    buffer.set_stringn(area.x, foot, " nat%", 5, dim);
    buffer.set_stringn(plot.x, foot, &low, low.len(), dim);
    buffer.set_stringn(plot.right() - high.len() as u16, foot, &high, high.len(), dim);
    let title = if plot.width >= 40 { "adversarial accuracy %" } else { "adv%" };
    let x = plot.x + (plot.width.saturating_sub(title.len() as u16)) / 2;
    buffer.set_stringn(x, foot, title, title.len(), dim);
}

fn list(sheet: &Sheet, dots: &[Dot], area: Rect, buffer: &mut Buffer) {
    if area.width < 10 || area.height < 2 {
        return;
    }
    let head = Line::from(sheet.brush.span(Tone::Dim, sheet.brush.fitted("nat/adv %", usize::from(area.width), Side::Right)));
    line_at(buffer, area.x, area.y, area.width, &head);
    let mut room = usize::from(area.height - 1);
    let hidden = dots.len().saturating_sub(room);
    if hidden > 0 {
        room = room.saturating_sub(1).max(1);
    }
    let at = dots.iter().position(|dot| dot.chosen).unwrap_or(0);
    let from = first(at, room, dots.len());
    for (dot, y) in dots.iter().skip(from).take(room).zip(area.y + 1..area.bottom()) {
        let seeds = if dot.mean.seeds > 1 { format!(" x{}", dot.mean.seeds) } else { String::new() };
        let best = sheet.best.is_some_and(|best| dot.point.places.contains(&best));
        let sign = if best { "▲" } else { " " };
        let number = format!("{}/{}{sign}", percent(dot.mean.natural.mean), percent(dot.mean.adversarial.mean));
        let room = usize::from(area.width).saturating_sub(3 + number.chars().count());
        let name = sheet.brush.named(&format!("{}{seeds}", harmless(&dot.point.name())), room);
        let tone = if dot.chosen { Tone::Selected } else { Tone::Text };
        let line = Line::from(vec![
            sheet.brush.span(dot.tone, format!("{} ", dot.letter)),
            sheet.brush.span(tone, name),
            sheet.brush.span(Tone::Text, format!(" {number}")),
        ]);
        line_at(buffer, area.x, y, area.width, &line);
    }
    if hidden > 0 {
        let more = format!("{} more", dots.len() - room.min(dots.len()));
        line_at(buffer, area.x, area.bottom() - 1, area.width, &Line::from(sheet.brush.span(Tone::Dim, more)));
    }
}
