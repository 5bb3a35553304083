//! Where the Gallery's pictures and words go: a pure function, so that pixels which the terminal itself places end up where the
//! cells leave room for them.

use crate::run::RunState;
use crate::ui::screen::{Look, Screen, Size};
use ratatui::layout::Rect;

/// Cells that words need beside pictures.
const WORDS: u16 = 30;
/// Lines that they have where they stand beside.
const LINES: u16 = 18;
/// From this size on the others of the group have a place below: a picture of them, a caption and a rule.
const WITH_OTHERS: (u16, u16) = (100, 28);
const OTHERS: u16 = 10;
/// As many of them as stay recognisable side by side.
const MOST: usize = 8;

/// One picture.
pub struct Spot {
    pub index: usize,
    pub look: Look,
    pub area: Rect,
    /// In pixels, two of them above each other in a cell.
    pub size: (usize, usize),
    pub caption: Rect,
}

/// How much is said, and in how many lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Beside the pictures: a line for each thing.
    Column,
    /// Below them: five lines.
    Lines,
    /// Below them: four lines.
    Brief,
}

pub struct Plan {
    pub shown: Vec<Spot>,
    pub words: Rect,
    pub form: Form,
    pub rule: Option<Rect>,
    pub small: Vec<Spot>,
    /// First and last of the small ones, and how many there are.
    pub range: Option<(usize, usize, usize)>,
}

pub fn arrange(inner: Rect, state: &RunState, screen: &Screen) -> Plan {
    let gallery = &screen.gallery;
    let nothing = Plan { shown: Vec::new(), words: inner, form: Form::Lines, rule: None, small: Vec::new(), range: None };
    let Some(exhibit) = &state.exhibit else { return nothing };
    let pieces = gallery.of(exhibit, gallery.group);
    let place = gallery.place(pieces.len());
    let Some(&chosen) = pieces.get(place) else { return nothing };
    let roomy = inner.width >= WITH_OTHERS.0 && inner.height >= WITH_OTHERS.1;
    let others = roomy && gallery.size == Size::Usual && pieces.len() > 1;
    let one = [gallery.look];
    let looks: &[Look] = if gallery.size == Size::Large { &one } else { &Look::ALL };
    let upper = Rect { height: inner.height - if others { OTHERS } else { 0 }, ..inner };
    let mut plan = shown(upper, screen, chosen, looks);
    if others {
        let top = plan.shown.iter().map(|spot| spot.area.bottom()).fold(plan.words.bottom(), u16::max).min(upper.bottom());
        let rest = Rect { y: top, height: inner.bottom() - top, ..inner };
        let first = place / MOST * MOST;
        let last = (first + MOST).min(pieces.len());
        plan.rule = Some(Rect { height: 1, ..rest });
        plan.range = Some((first, last, pieces.len()));
        let row = Rect { y: rest.y + 1, height: rest.height - 1, ..rest };
        let spots = pieces[first..last].iter().map(|&index| (index, gallery.look));
        plan.small = side_by_side(row, screen, &spots.collect::<Vec<_>>());
    }
    plan
}

/// The chosen piece, with the words beside or below, whichever leaves more room for the pictures.
fn shown(room: Rect, screen: &Screen, index: usize, looks: &[Look]) -> Plan {
    let spots: Vec<_> = looks.iter().map(|&look| (index, look)).collect();
    let form = if room.height < 14 { Form::Brief } else { Form::Lines };
    let lines = if form == Form::Brief { 4 } else { 5 };
    let upper = Rect { height: room.height.saturating_sub(lines), ..room };
    let left = Rect { width: room.width.saturating_sub(WORDS + 2), ..room };
    let (below, beside) = (side_by_side(upper, screen, &spots), side_by_side(left, screen, &spots));
    let pixels = |spots: &[Spot]| spots.first().map_or(0, |spot| spot.size.0 * spot.size.1);
    if beside.is_empty() {
        return Plan { shown: below, words: room, form, rule: None, small: Vec::new(), range: None };
    }
    let end = |spots: &[Spot]| {
        spots.iter().map(|s| (s.area.right(), s.area.bottom())).fold((0, 0), |(x, y), (a, b)| (x.max(a), y.max(b)))
    };
    if pixels(&beside) >= pixels(&below) {
        let (x, y) = end(&beside);
        let height = (y - room.y).max(LINES).min(room.height);
        let words = Rect { x: x + 2, width: room.right().saturating_sub(x + 2), height, ..room };
        return Plan { shown: beside, words, form: Form::Column, rule: None, small: Vec::new(), range: None };
    }
    let y = end(&below).1;
    let words = Rect { y, height: (room.bottom() - y).min(lines), ..room };
    Plan { shown: below, words, form, rule: None, small: Vec::new(), range: None }
}

/// Pictures in a row, all of one size, each with a caption above it.
fn side_by_side(room: Rect, screen: &Screen, wanted: &[(usize, Look)]) -> Vec<Spot> {
    let n = wanted.len() as u16;
    if n == 0 || room.height < 2 {
        return Vec::new();
    }
    let each = (room.width + 1) / n;
    let width = each.saturating_sub(1);
    let fit = |&(index, look): &(usize, Look)| {
        let picture = screen.gallery.picture(index, look)?;
        Some(picture.fit(usize::from(width), 2 * usize::from(room.height - 1)))
    };
    // A damaged one among others leaves its place empty; nothing but damaged ones have none.
    if !wanted.iter().any(|spot| fit(spot).is_some()) {
        return Vec::new();
    }
    let sizes: Vec<_> = wanted.iter().map(|spot| fit(spot).unwrap_or((usize::from(width), 2))).collect();
    // Close together where they are smaller than their share, but wide enough for a caption.
    let widest = sizes.iter().map(|size| size.0 as u16).max().unwrap_or(0).max(18).min(width);
    let mut x = room.x;
    let mut spots = Vec::with_capacity(wanted.len());
    for (&(index, look), &size) in wanted.iter().zip(&sizes) {
        let (width, height) = (size.0 as u16, (size.1 as u16).div_ceil(2));
        let caption = Rect { x, y: room.y, width: widest, height: 1 };
        spots.push(Spot { index, look, area: Rect { x, y: room.y + 1, width, height }, size, caption });
        x += widest + 1;
    }
    spots
}
