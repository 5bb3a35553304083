//! The Gallery: what it says and draws at each size, what keys do in it, and what it costs on the wire.

use super::recording::{self, Kind, Machines, exhibited};
use super::{fold, fold_with, midway, picture, press};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use rematch::protocol::insight::{Exhibit, Group};
use rematch::protocol::{Command, CommandId, Event, Record};
use rematch::run::RunState;
use rematch::run::session::Access;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::graphics::{Cover, Graphics};
use rematch::ui::intent::Effect;
use rematch::ui::layout::View;
use rematch::ui::screen::{Asked, Look, Screen, Size};
use rematch::ui::terminal::backend::{FrameWriter, ScreenBackend};
use rematch::ui::theme::Palette;
use rematch::ui::view;

fn shows(name: &str, picture: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(name, picture) });
}

const SIZES: [(u16, u16); 4] = [(60, 16), (80, 24), (120, 40), (200, 60)];

/// Grey images of 28 pixels, looked at 170 steps ago.
fn grey() -> Vec<Record> {
    then(exhibited(recording::recording(Kind::Rrm, Machines::Gpu, 300), 4, 28, 1))
}

fn coloured() -> Vec<Record> {
    exhibited(midway(Kind::Rrm, Machines::Gpu), 4, 32, 3)
}

/// The steps after the records' last up to the usual one.
fn then(mut records: Vec<Record>) -> Vec<Record> {
    let rest = midway(Kind::Rrm, Machines::Gpu);
    records.extend(rest.into_iter().filter(|r| matches!(&r.event, Event::Progress(p) if p.step > 300)));
    records
}

fn gallery(records: &[Record]) -> (RunState, Screen) {
    gallery_with(records, Palette::TrueColour, Glyphs::Braille)
}

fn gallery_with(records: &[Record], palette: Palette, glyphs: Glyphs) -> (RunState, Screen) {
    let (state, mut screen) = fold_with(records, palette, glyphs);
    screen.toasts.clear();
    press(&mut screen, &state, "v");
    assert_eq!(screen.view, View::Gallery);
    (state, screen)
}

/// The records with their exhibit changed.
fn changed(mut records: Vec<Record>, change: impl Fn(&mut Exhibit)) -> Vec<Record> {
    for record in &mut records {
        if let Event::Exhibited(exhibit) = &mut record.event {
            change(exhibit);
        }
    }
    records
}

fn cells(width: u16, height: u16, state: &RunState, screen: &Screen) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    view::draw_into(area, &mut buffer, state, screen);
    buffer
}

#[test]
fn grey_and_coloured_images_at_every_size() {
    for (kind, records) in [("grey", grey()), ("coloured", coloured())] {
        let (state, screen) = gallery(&records);
        for (width, height) in SIZES {
            shows(&format!("gallery_{kind}_{width}x{height}"), &picture(width, height, &state, &screen));
        }
    }
}

#[test]
fn without_colours_light_and_dark_are_characters() {
    let (state, screen) = gallery_with(&grey(), Palette::Mono, Glyphs::Ascii);
    for (width, height) in SIZES {
        let shown = picture(width, height, &state, &screen);
        assert!(shown.is_ascii(), "{shown}");
        assert!(["fooled", "->", "10*delta", ".:-"].iter().all(|sign| shown.contains(sign)), "{shown}");
    }
    shows("gallery_ascii_80x24", &picture(80, 24, &state, &screen));
    shows("gallery_ascii_120x40", &picture(120, 40, &state, &screen));
    let (state, screen) = gallery_with(&grey(), Palette::Mono, Glyphs::Braille);
    shows("gallery_mono_80x24", &picture(80, 24, &state, &screen));
    let buffer = cells(120, 40, &state, &screen);
    assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

#[test]
fn colours_are_as_many_as_there_are() {
    let colours = |palette, graphics| {
        let (state, mut screen) = gallery_with(&coloured(), palette, Glyphs::Half);
        screen.gallery.graphics = graphics;
        let buffer = cells(80, 24, &state, &screen);
        let inside = buffer.content.iter().filter(|cell| cell.symbol() == "▀");
        inside.flat_map(|cell| [cell.fg, cell.bg]).filter(|colour| *colour != Color::Reset).collect::<Vec<_>>()
    };
    let all = |colours: &[Color], is: fn(&Color) -> bool| !colours.is_empty() && colours.iter().all(is);
    let rgb = |colour: &Color| matches!(colour, Color::Rgb(..));
    let indexed = |colour: &Color| matches!(colour, Color::Indexed(16..));
    assert!(all(&colours(Palette::TrueColour, Graphics::Cells), rgb));
    assert!(all(&colours(Palette::Light, Graphics::Cells), rgb));
    assert!(all(&colours(Palette::Ansi256, Graphics::Cells), indexed));
    assert!(all(&colours(Palette::TrueColour, Graphics::FewColours), indexed), "a distant terminal gets fewer");
    assert_eq!(colours(Palette::Ansi16, Graphics::FewColours), []);
}

#[test]
fn groups_and_pieces_are_walked_and_looked_at_closely() {
    let (state, mut screen) = gallery(&grey());
    let shown = |screen: &Screen| picture(120, 40, &state, screen);
    let first = shown(&screen);
    for said in [
        "▸fooled 83, 1 of 4",
        "saved 21",
        "hardest of 118",
        "fooled: t-shirt → dress",
        "student: t-shirt 91 %",
        "attacked: dress 62 %",
    ] {
        assert!(first.contains(said), "{said} in\n{first}");
    }
    press(&mut screen, &state, "lll");
    assert!(shown(&screen).contains("fooled 83, 4 of 4"));
    press(&mut screen, &state, "lh");
    assert!(shown(&screen).contains("fooled 83, 3 of 4"), "there is none after the last");
    press(&mut screen, &state, "jl");
    let saved = shown(&screen);
    assert!(saved.contains("▸saved 21, 2 of 4") && saved.contains("fooled at an earlier"), "{saved}");
    shows("gallery_saved_80x24", &picture(80, 24, &state, &screen));
    press(&mut screen, &state, "j");
    assert!(shown(&screen).contains("stands: "));
    press(&mut screen, &state, "j");
    assert!(shown(&screen).contains("fooled 83, 3 of 4"), "each group keeps its place");
    press(&mut screen, &state, "tt");
    assert_eq!(screen.gallery.look, Look::Change);
    assert!(shown(&screen).contains("shown: 10·δ"));
    press(&mut screen, &state, "i");
    shows("gallery_large_120x40", &shown(&screen));
    shows("gallery_large_80x24", &picture(80, 24, &state, &screen));
    shows("gallery_large_60x16", &picture(60, 16, &state, &screen));
    press(&mut screen, &state, "\x1b");
    assert_eq!((screen.gallery.size, screen.view), (Size::Usual, View::Gallery), "one layer out");
    press(&mut screen, &state, "\n\n\x1b");
    assert_eq!(screen.view, View::Dash);
}

#[test]
fn all_fooled_images_are_reached() {
    // As many pictures of fooled images as the look says that there are.
    let all = |from: u64, count: usize| {
        changed(grey(), |exhibit| {
            let fooled: Vec<_> = exhibit.pieces.iter().filter(|piece| piece.group == Group::Fooled).cloned().collect();
            exhibit.pieces.retain(|piece| piece.group != Group::Fooled);
            exhibit.pieces.splice(..0, fooled.iter().cycle().take(count).cloned());
            exhibit.from = from;
        })
    };
    let (state, mut screen) = gallery(&all(0, 83));
    let shown = |screen: &Screen| picture(80, 24, &state, screen);
    press(&mut screen, &state, &"l".repeat(82));
    assert!(shown(&screen).contains("fooled 83, 83 of 83"), "{}", shown(&screen));
    press(&mut screen, &state, "gl");
    assert!(shown(&screen).contains("fooled 83, 2 of 83"));
    press(&mut screen, &state, "G");
    assert!(shown(&screen).contains("fooled 83, 83 of 83"));
    assert!(picture(120, 40, &state, &screen).contains("fooled 81 to 83 of 83"));
    // A look that holds a part of them is gone on with from its end, and begun again elsewhere.
    let (state, mut screen) = gallery(&all(0, 50));
    let asked = |from| [Effect::Ask(Command::Exhibit { each: 4, fooled: 256, from }, Asked::Exhibit)];
    assert_eq!(press(&mut screen, &state, "R"), asked(0));
    assert_eq!(press(&mut screen, &state, "GR"), asked(50));
    assert_eq!(press(&mut screen, &state, "jR"), asked(0), "the next page is of those that were fooled");
    let (state, mut screen) = gallery(&all(50, 33));
    assert!(picture(80, 24, &state, &screen).contains("fooled 83, 51 of 83"));
    assert_eq!(press(&mut screen, &state, "GR"), asked(0), "there is none after the last");
}

#[test]
fn pictures_of_a_run_that_is_known_already_are_there() {
    let (state, _) = gallery(&grey());
    let mut screen = Screen::new(Palette::TrueColour, Glyphs::Braille, Access::ReadOnly, "runs/demo".into());
    screen.caught_up(&state);
    press(&mut screen, &state, "v");
    assert!(picture(80, 24, &state, &screen).contains("fooled 83, 1 of 4"));
}

#[test]
fn nothing_is_attacked_before_it_is_asked_for() {
    let (state, mut screen) = gallery(&midway(Kind::Rrm, Machines::Gpu));
    shows("gallery_empty_80x24", &picture(80, 24, &state, &screen));
    assert_eq!(press(&mut screen, &state, "hjklti\n\x1bv"), []);
    let effects = press(&mut screen, &state, "R");
    assert_eq!(effects, [Effect::Ask(Command::Exhibit { each: 4, fooled: 256, from: 0 }, Asked::Exhibit)]);
    screen.waiting.push((CommandId(4), Asked::Exhibit));
    assert_eq!(press(&mut screen, &state, "R"), [], "once is enough");
    screen.toasts.clear();
    shows("gallery_waiting_80x24", &picture(80, 24, &state, &screen));
    // The answer ends the waiting, and shows itself.
    let records = coloured();
    let mut state = state;
    let record = records.last().unwrap();
    state.apply(record);
    screen.saw(record, &state);
    let shown = picture(80, 24, &state, &screen);
    assert!(screen.waiting.is_empty() && shown.contains("of step 470, now"), "{shown}");
    let (mut state, mut screen) = gallery(&grey());
    assert!(picture(80, 24, &state, &screen).contains("of step 300, 170 steps ago · one look is not a measurement"));
    screen.waiting.push((CommandId(9), Asked::Exhibit));
    assert!(picture(80, 24, &state, &screen).contains("asked, comes after this step"));
    // Seen from elsewhere it is told.
    press(&mut screen, &state, "1");
    state.apply(record);
    screen.saw(record, &state);
    assert!(screen.toasts.last().unwrap().text.contains("83 of 256 images fooled @ step 470"));
}

#[test]
fn where_nothing_can_be_attacked_it_says_why() {
    let (state, mut screen) = gallery(&midway(Kind::Rrm, Machines::Gpu));
    let said = |screen: &Screen| screen.toasts.last().unwrap().text.clone();
    screen.access = Access::ReadOnly;
    assert_eq!(press(&mut screen, &state, "R"), []);
    assert!(said(&screen).contains("only watched"));
    screen.toasts.clear();
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("only watched") && !shown.contains("R: attack"), "{shown}");
    let (state, mut screen) = gallery(&recording::recording(Kind::Rrm, Machines::Gpu, u64::MAX));
    assert_eq!(press(&mut screen, &state, "R"), []);
    assert!(said(&screen).contains("training is over"));
    assert!(picture(80, 24, &state, &screen).contains("now its training is over"));
    let (state, mut screen) = gallery(&recording::examining(midway(Kind::Rrm, Machines::Gpu)));
    assert_eq!(press(&mut screen, &state, "R"), []);
    assert!(said(&screen).contains("an evaluation runs"));
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    if let Event::Started(started) = &mut records[0].event {
        started.data.validation = 0;
    }
    let (state, mut screen) = gallery(&records);
    assert!(picture(80, 24, &state, &screen).contains("data.validation_images"));
    assert_eq!(press(&mut screen, &state, "R"), []);
    assert!(said(&screen).contains("data.validation_images"));
}

#[test]
fn an_empty_group_says_so_and_a_filled_one_is_shown_first() {
    let records = changed(grey(), |exhibit| exhibit.pieces.retain(|piece| piece.group == Group::Hardest));
    let (state, mut screen) = gallery(&records);
    assert_eq!(screen.gallery.group, Group::Hardest);
    press(&mut screen, &state, "k");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("No image is saved") && shown.contains("of 256 images"), "{shown}");
}

#[test]
fn damaged_exhibits_are_shown_as_far_as_they_go() {
    let damages: [fn(&mut Exhibit); 7] = [
        |exhibit| exhibit.pieces[0].image = "no base64!".into(),
        |exhibit| exhibit.pieces.iter_mut().for_each(|piece| piece.shape = [0, 0, 0]),
        |exhibit| exhibit.pieces.iter_mut().for_each(|piece| piece.delta.truncate(8)),
        |exhibit| exhibit.pieces = (0..1_000).map(|i| exhibit.pieces[i % 12].clone()).collect(),
        |exhibit| exhibit.pieces.clear(),
        |exhibit| {
            (exhibit.looked, exhibit.fooled, exhibit.standing, exhibit.step) = (0, u64::MAX, u64::MAX, u64::MAX);
            for piece in &mut exhibit.pieces {
                (piece.label, piece.index, piece.student.after.confidence) = (u64::MAX, u64::MAX, 1e300);
                (piece.student.before.confidence, piece.teacher) = (f64::NAN, None);
            }
        },
        // One as high as it is narrow.
        |exhibit| exhibit.pieces.iter_mut().for_each(|piece| piece.shape = [1, 784, 1]),
    ];
    for damage in damages {
        let (state, mut screen) = gallery(&changed(grey(), damage));
        for keys in ["", "l", "t", "i", "j", "l", "i", "j"] {
            press(&mut screen, &state, keys);
            for (width, height) in [(1, 1), (60, 16), (61, 17), (80, 24), (120, 40), (200, 60), (250, 80)] {
                picture(width, height, &state, &screen);
            }
        }
    }
    let (state, screen) = gallery(&changed(grey(), damages[0]));
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("! image 0 cannot be shown: the base64 of its image is damaged"), "{shown}");
    assert!(shown.contains("fooled: t-shirt → dress"), "{shown}");
}

/// What frames cost while an exhibit is shown, one record each.
fn frame_costs(width: u16, height: u16) -> (usize, usize, usize, bool) {
    let records = grey();
    let shown = records.iter().position(|r| matches!(r.event, Event::Exhibited(_))).unwrap() + 1;
    let (mut state, mut screen) = gallery(&records[..shown]);
    let wire = FrameWriter::default();
    let area = Rect::new(0, 0, width, height);
    let viewport = ratatui::Viewport::Fixed(area);
    let options = ratatui::TerminalOptions { viewport };
    let mut terminal = Terminal::with_options(ScreenBackend::new(wire.clone(), area), options).unwrap();
    let mut frame = |state: &RunState, screen: &Screen| {
        terminal.draw(|frame| view::draw(frame, state, screen)).unwrap();
        wire.take(true).map_or(0, |bytes| bytes.len())
    };
    let first = frame(&state, &screen);
    let before = picture(width, height, &state, &screen);
    let mut costs = Vec::new();
    for record in &records[shown..] {
        state.apply(record);
        screen.saw(record, &state);
        screen.now_ms = record.at_ms;
        costs.push(frame(&state, &screen));
    }
    let (mean, dearest) = (costs.iter().sum::<usize>() / costs.len(), costs.iter().max().copied().unwrap_or(0));
    let header = |picture: &str| picture.lines().next().unwrap_or_default().to_string();
    let moved = header(&before) != header(&picture(width, height, &state, &screen));
    (first, mean, dearest, moved)
}

#[test]
fn pictures_that_stay_cost_nothing_while_numbers_move() {
    for (width, height) in SIZES {
        let (first, mean, dearest, moved) = frame_costs(width, height);
        assert!(first > 5_000, "{width}x{height}: {first} B is no picture at all");
        // The dearest is the one in which the bar of the epoch is emptied.
        assert!(mean > 20 && mean < 300 && dearest < 700, "{width}x{height}: {mean} B a frame, at most {dearest}");
        assert!(moved, "{width}x{height}: the header stood still");
    }
}

#[test]
fn pixels_are_placed_where_cells_are_left_blank() {
    let (state, mut screen) = gallery(&coloured());
    screen.gallery.graphics = Graphics::Kitty;
    for (width, height) in SIZES {
        let area = Rect::new(0, 0, width, height);
        let placed = view::placements(area, &state, &screen);
        assert_eq!(placed.len(), if width >= 120 { 7 } else { 3 }, "{width}x{height}");
        let buffer = cells(width, height, &state, &screen);
        for (i, placement) in placed.iter().enumerate() {
            assert_eq!((placement.area.intersection(area), placement.cover), (placement.area, Cover::Open));
            assert!(placement.area.positions().all(|at| buffer[at].symbol() == " "), "{width}x{height}: {:?}", placement.area);
            assert!(placed[i + 1..].iter().all(|other| other.area.intersection(placement.area).is_empty()));
        }
    }
    let area = Rect::new(0, 0, 80, 24);
    press(&mut screen, &state, "?");
    let covered = view::placements(area, &state, &screen);
    assert!(covered.len() == 3 && covered.iter().all(|p| p.cover == Cover::Covered), "a dialog would lie under them");
    press(&mut screen, &state, "\x1b1");
    assert!(view::placements(area, &state, &screen).is_empty(), "another view has none");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_size_keys_and_images_are_survived(
        width in 1u16..=250,
        height in 1u16..=80,
        keys in "[hjkltiRz\n\t\x1b]{0,20}",
        each in 0u64..9,
        side in 1u64..65,
        colour in proptest::bool::ANY,
        kitty in proptest::bool::ANY,
    ) {
        let records = exhibited(midway(Kind::Rrm, Machines::Gpu), each, side, if colour { 3 } else { 1 });
        let (state, mut screen) = gallery(&records);
        screen.gallery.graphics = if kitty { Graphics::Kitty } else { Graphics::Cells };
        for key in keys.chars() {
            press(&mut screen, &state, &key.to_string());
            picture(width, height, &state, &screen);
            let area = Rect::new(0, 0, width, height);
            for placement in view::placements(area, &state, &screen) {
                prop_assert_eq!(placement.area.intersection(area), placement.area);
            }
        }
    }
}

#[test]
fn a_run_without_images_is_a_run_like_any_other() {
    let (state, screen) = fold(&[]);
    let mut screen = screen;
    screen.turn_to(View::Gallery);
    assert!(picture(80, 24, &state, &screen).contains("not started"));
    assert_eq!(press(&mut screen, &state, "R"), []);
}
