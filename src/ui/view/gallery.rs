//! The Gallery: one image before and under the attack, what the attack added, and what is made of it, with others of its group below
//! where there is room. Groups are tabs in the border. What is said of an image stands in [`words`], where everything goes in
//! [`arrange`].
//!
//! Nothing here moves while the images stay the same, except the age of the look in the lower border.

mod arrange;
mod words;

use super::{Pen, line_at, lines_at};
use crate::protocol::insight::{Exhibit, Group};
use crate::run::RunState;
use crate::run::session::Access;
use crate::run::state::Phase;
use crate::ui::brush::wrap;
use crate::ui::graphics::{Cover, Graphics, Placement};
use crate::ui::layout::Pane;
use crate::ui::raster::{Ink, lay};
use crate::ui::screen::{Asked, Screen, is_over};
use crate::ui::theme::{Palette, Tone};
use arrange::{Plan, Spot, arrange};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::sync::Arc;

pub(super) fn draw(pen: &Pen, area: Rect, buffer: &mut Buffer) {
    let exhibit = pen.state.exhibit.as_deref();
    let mut title = pen.title(Pane::Gallery, "Gallery");
    if let Some(exhibit) = exhibit {
        title.spans.extend(tabs(pen, exhibit));
    }
    let inner = pen.frame(area, title, pen.focused(Pane::Gallery), buffer);
    if inner.is_empty() {
        return;
    }
    let Some(exhibit) = exhibit else {
        say(pen, inner, empty(pen), buffer);
        return;
    };
    let foot = Rect { x: area.x + 2, y: area.bottom() - 1, width: area.width.saturating_sub(4), height: 1 };
    lower_border(pen, exhibit, foot, buffer);
    let plan = arrange(inner, pen.state, pen.screen);
    let Some((index, piece)) = pen.screen.gallery.chosen(exhibit) else {
        let mut texts = vec![(Tone::Title, none_of(pen.screen.gallery.group).to_string())];
        texts.extend(words::of_all(exhibit).map(|text| (Tone::Text, text)));
        say(pen, inner, texts, buffer);
        return;
    };
    let mut texts = Vec::new();
    if let Some(Err(why)) = pen.screen.gallery.pictures.get(index) {
        texts.push((Tone::Error, format!("! image {} cannot be shown: {why}", piece.index)));
    }
    words::of(pen, exhibit, piece, (plan.form, plan.words.width), &mut texts);
    say(pen, plan.words, texts, buffer);
    for spot in &plan.shown {
        picture(pen, spot, buffer);
        let mark = if pen.screen.gallery.look == spot.look { "▸" } else { " " };
        let text = format!("{mark}{}", words::caption(pen, piece, spot.look, spot.caption.width));
        line_at(buffer, spot.caption.x, spot.caption.y, spot.caption.width, &Line::from(pen.span(Tone::Dim, text)));
    }
    below(pen, exhibit, index, &plan, buffer);
}

/// The other images of the group.
fn below(pen: &Pen, exhibit: &Exhibit, chosen: usize, plan: &Plan, buffer: &mut Buffer) {
    let (Some(rule), Some((first, last, all))) = (plan.rule, plan.range) else { return };
    let gallery = &pen.screen.gallery;
    let text = format!("{} {} to {} of {all}, shown: {} ", gallery.group.name(), first + 1, last, gallery.look.name());
    let text = pen.screen.glyphs.words(text).into_owned();
    let line = "─".repeat(usize::from(rule.width).saturating_sub(text.chars().count()));
    line_at(buffer, rule.x, rule.y, rule.width, &Line::from(pen.span(Tone::Dim, text + &line)));
    for spot in &plan.small {
        picture(pen, spot, buffer);
        let Some(piece) = exhibit.pieces.get(spot.index) else { continue };
        let (mark, tone) = if spot.index == chosen { ("▸", Tone::Selected) } else { (" ", Tone::Dim) };
        let text = format!("{mark}{}", words::short(pen, piece));
        line_at(buffer, spot.caption.x, spot.caption.y, spot.caption.width, &Line::from(pen.span(tone, text)));
    }
}

fn picture(pen: &Pen, spot: &Spot, buffer: &mut Buffer) {
    let Some(raster) = pen.screen.gallery.picture(spot.index, spot.look) else {
        line_at(buffer, spot.area.x, spot.area.y, spot.area.width, &Line::from(pen.span(Tone::Error, "! damaged")));
        return;
    };
    let palette = match (pen.screen.gallery.graphics, pen.screen.palette) {
        // The terminal puts the pixels there itself.
        (Graphics::Kitty, _) => return,
        // Half the bytes of a picture.
        (Graphics::FewColours, Palette::TrueColour | Palette::Light) => Palette::Ansi256,
        (Graphics::FewColours | Graphics::Cells, palette) => palette,
    };
    lay(raster, spot.size, spot.area, Ink::of(palette, pen.screen.glyphs), buffer);
}

/// Where the terminal is to put pixels in `pane`; what reaches below `floor` is covered.
pub(super) fn placements(pane: Rect, floor: u16, state: &RunState, screen: &Screen) -> Vec<Placement> {
    let inner = Rect { x: pane.x + 1, y: pane.y + 1, width: pane.width.saturating_sub(2), height: pane.height.saturating_sub(2) };
    let plan = arrange(inner, state, screen);
    let placement = |spot: &Spot| {
        let picture = screen.gallery.picture(spot.index, spot.look)?;
        let id = screen.gallery.number % 1_000_000 * 1_000 + (3 * spot.index) as u32 + spot.look as u32 + 1;
        let cover = if spot.area.bottom() <= floor { Cover::Open } else { Cover::Covered };
        (!spot.area.is_empty()).then(|| Placement { id, area: spot.area, picture: Arc::clone(picture), cover })
    };
    plan.shown.iter().chain(&plan.small).filter_map(placement).collect()
}

/// `▸fooled 83, 2 of 4   saved 21   hardest of 118`.
fn tabs(pen: &Pen, exhibit: &Exhibit) -> Vec<Span<'static>> {
    let gallery = &pen.screen.gallery;
    let tab = |&group: &Group| {
        let count = match group {
            Group::Fooled => format!("fooled {}", exhibit.fooled),
            Group::Saved => format!("saved {}", exhibit.saved),
            Group::Hardest => format!("hardest of {}", exhibit.standing),
        };
        if group != gallery.group {
            return pen.span(Tone::Dim, format!(" {count} "));
        }
        let pieces = gallery.of(exhibit, group).len();
        // Those on earlier pages count too.
        let from = if group == Group::Fooled { exhibit.from } else { 0 };
        let (at, all) = (from + gallery.place(pieces) as u64 + 1, from + pieces as u64);
        let place = if pieces == 0 { String::new() } else { format!(", {at} of {all}") };
        pen.span(Tone::Selected, format!("▸{count}{place} "))
    };
    Group::ALL.iter().map(tab).collect()
}

/// How old the look is, or that another is on its way.
fn lower_border(pen: &Pen, exhibit: &Exhibit, foot: Rect, buffer: &mut Buffer) {
    let age = pen.state.step.saturating_sub(exhibit.step);
    let (long, short) = match age {
        0 => ("now".to_string(), "now".to_string()),
        1 => ("1 step ago".to_string(), "1 ago".to_string()),
        n => (format!("{n} steps ago"), format!("{n} ago")),
    };
    let (tone, [long, short]) = match waiting(pen) {
        Some(asked) => (Tone::Accent, [asked.to_string(), asked.to_string()]),
        None => (Tone::Text, [format!("of step {}, {long}", exhibit.step), format!("step {}, {short}", exhibit.step)]),
    };
    let beside = "· one look is not a measurement ";
    let fits = 2 + long.chars().count() + beside.chars().count() <= usize::from(foot.width);
    let first = if fits { long } else { short };
    let line = Line::from(vec![pen.span(tone, format!(" {first} ")), pen.span(Tone::Dim, beside)]);
    // The border's own colour would show through.
    buffer.set_style(Rect { width: foot.width.min(line.width() as u16), ..foot }, Style::reset());
    line_at(buffer, foot.x, foot.y, foot.width, &line);
}

fn waiting(pen: &Pen) -> Option<&'static str> {
    pen.screen.waiting.iter().any(|(_, asked)| *asked == Asked::Exhibit).then_some(match pen.state.phase {
        Phase::Paused => "asked, comes at once",
        Phase::Preparing | Phase::Running | Phase::Stopping(_) | Phase::Finished(_) => "asked, comes after this step",
    })
}

/// What to say before the first exhibit.
fn empty(pen: &Pen) -> Vec<(Tone, String)> {
    let plain = |text: &str| vec![(Tone::Text, text.to_string())];
    if let Some(asked) = waiting(pen) {
        return vec![(Tone::Accent, asked.to_string())];
    }
    if is_over(pen.state) {
        return plain("No image was looked at while this run trained, and now its training is over: nothing can be asked of it.");
    }
    if pen.screen.access == Access::ReadOnly {
        return plain("No image was looked at yet, and this run is only watched: nothing can be asked of it.");
    }
    match &pen.state.started {
        None => plain("Training has not started yet: then R attacks validation images and shows some."),
        Some(started) if started.data.validation == 0 => {
            plain("There are no validation images (data.validation_images), so none can be attacked.")
        }
        Some(started) => {
            let images = started.data.validation.min(started.config.probe.images as u64);
            vec![
                (Tone::Title, format!("R: attack {images} validation images and show some (costs about one probe)")),
                (Tone::Dim, "Training is not changed by it. Nothing is attacked for this view unless you ask.".to_string()),
            ]
        }
    }
}

fn none_of(group: Group) -> &'static str {
    match group {
        Group::Fooled => "No image of this look was fooled.",
        Group::Saved => "No image is saved: of those that stand now none was fooled at an earlier probe or look.",
        Group::Hardest => "No image stands.",
    }
}

fn say(pen: &Pen, area: Rect, texts: Vec<(Tone, String)>, buffer: &mut Buffer) {
    let width = usize::from(area.width).max(1);
    let wrapped = texts.into_iter().flat_map(|(tone, text)| {
        let text = pen.screen.glyphs.words(text).into_owned();
        let lines = if text.is_empty() { vec![String::new()] } else { wrap(&text, width) };
        lines.into_iter().map(move |line| (tone, line))
    });
    let lines: Vec<_> = wrapped.map(|(tone, line)| Line::from(pen.span(tone, line))).collect();
    lines_at(area, &lines, buffer);
}
