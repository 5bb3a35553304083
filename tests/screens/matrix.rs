//! Every view at every tier, in every kind of glyphs, with colours and without: what is drawn, and what it is drawn with.

use super::recording::{self, Kind, Machines};
use super::{fold_with, midway};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::layout::View;
use rematch::ui::theme::Palette;
use rematch::ui::view;
use std::fmt::Write as _;

const SIZES: [(u16, u16); 4] = [(60, 16), (80, 24), (120, 40), (200, 60)];

fn drawn(view: View, (width, height): (u16, u16), palette: Palette, glyphs: Glyphs) -> Buffer {
    let records = recording::exhibited(recording::examined(midway(Kind::Rrm, Machines::Gpu), 0.3), 4, 28, 1);
    let (state, mut screen) = fold_with(&records, palette, glyphs);
    screen.toasts.clear();
    screen.turn_to(view);
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    view::draw_into(area, &mut buffer, &state, &screen);
    buffer
}

fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let row: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// Whether a colour is one of the terminal's own sixteen.
fn named(colour: Color) -> bool {
    match colour {
        Color::Rgb(..) => false,
        Color::Indexed(n) => n < 16,
        Color::Reset
        | Color::Black
        | Color::Red
        | Color::Green
        | Color::Yellow
        | Color::Blue
        | Color::Magenta
        | Color::Cyan
        | Color::Gray
        | Color::DarkGray
        | Color::LightRed
        | Color::LightGreen
        | Color::LightYellow
        | Color::LightBlue
        | Color::LightMagenta
        | Color::LightCyan
        | Color::White => true,
    }
}

fn check(view: View) {
    let mut all = String::new();
    for size in SIZES {
        let at = |palette, glyphs| drawn(view, size, palette, glyphs);
        let (coloured, plain) = (at(Palette::Ansi16, Glyphs::Braille), at(Palette::Mono, Glyphs::Braille));
        let (ascii, plainest) = (at(Palette::Ansi16, Glyphs::Ascii), at(Palette::Mono, Glyphs::Ascii));
        for buffer in [&coloured, &ascii] {
            assert!(buffer.content.iter().all(|cell| named(cell.fg) && named(cell.bg)), "{view:?} {size:?}: not of the sixteen");
            assert!(buffer.content.iter().any(|cell| cell.fg != Color::Reset), "{view:?} {size:?}: no colour at all");
        }
        for buffer in [&plain, &plainest] {
            let bare = buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset);
            assert!(bare, "{view:?} {size:?}: a colour in mono");
            assert!(buffer.content.iter().any(|cell| !cell.modifier.is_empty()), "{view:?} {size:?}: no cue is left in mono");
        }
        for buffer in [&ascii, &plainest] {
            assert!(buffer.content.iter().all(|cell| cell.symbol().is_ascii()), "{view:?} {size:?}: more than ASCII");
        }
        let (width, height) = size;
        for (how, buffer) in [("braille, ansi16", &coloured), ("braille, mono", &plain), ("ascii", &ascii)] {
            let _ = write!(all, "== {width}x{height} {how}\n{}", text(buffer));
        }
        // What is told by words and letters is the same with colours and without.
        let levelled = text(&ascii).replace("16 colours", "no colours");
        assert_eq!(levelled, text(&plainest), "{view:?} {size:?}");
    }
    insta::assert_snapshot!(format!("every_{}", view.name().to_lowercase()), all);
}

#[test]
fn dash() {
    check(View::Dash);
}

#[test]
fn charts() {
    check(View::Charts);
}

#[test]
fn robust() {
    check(View::Robust);
}

#[test]
fn gallery() {
    check(View::Gallery);
}

#[test]
fn runs() {
    check(View::Runs);
}

#[test]
fn log() {
    check(View::Events);
}

#[test]
fn system() {
    check(View::System);
}
