//! The line that begins with a colon: what it shows, what it sends, and that nothing goes out without Enter.

use super::recording::{Kind, Machines, recording};
use super::{fold, fold_with, midway, picture, press};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use rematch::protocol::{Change, Command, Dial, Flow, Timed};
use rematch::run::session::Access;
use rematch::ui::command_line::parse::Kind as FrameKind;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::intent::{self, Effect, Place};
use rematch::ui::layout::View;
use rematch::ui::screen::{Asked, Dialog};
use rematch::ui::theme::Palette;

fn shows(name: &str, picture: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(name, picture) });
}

#[test]
fn it_shows_what_fits_what_it_would_do_and_what_was_wrong() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.toasts.clear();
    press(&mut screen, &state, ":set l");
    shows("command_completion_80x24", &picture(80, 24, &state, &screen));
    press(&mut screen, &state, "\t\t 0.05 at-epoch 10 ramp 2e");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("Enter: lr_scale 1 → 0.05 over steps 710 to 852 (epoch 10 to 12)"), "{shown}");
    shows("command_preview_60x16", &picture(60, 16, &state, &screen));
    press(&mut screen, &state, "\x1b:set lambda 8 at-step 100\n");
    shows("command_error_80x24", &picture(80, 24, &state, &screen));
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("! step 100 is over; allowed: ") && shown.contains(":set lambda 8 at-step 100"), "{shown}");
    press(&mut screen, &state, "0");
    assert!(!picture(80, 24, &state, &screen).contains("is over; allowed"), "a corrected text is not the one that was wrong");
}

#[test]
fn in_ascii_it_is_ascii() {
    let (state, mut screen) = fold_with(&midway(Kind::Rrm, Machines::Cpu), Palette::Mono, Glyphs::Ascii);
    for keys in [":", "set λ ", "0.1 ", "\t", "\n"] {
        press(&mut screen, &state, keys);
        let shown = picture(80, 24, &state, &screen);
        assert!(shown.is_ascii(), "{shown}");
    }
}

#[test]
fn enter_sends_what_was_typed() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    let effects = press(&mut screen, &state, ":set lam *2 note twice as much\n");
    let [Effect::Ask(Command::Set { change: Change::Lambda(to), note: Some(note) }, Asked::Dial { old, new, .. })] = &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!((*to, note.as_str(), *old, *new), (0.5, "twice as much", 0.25, 0.5));
    assert_eq!((screen.pending.len(), &screen.dialog), (1, &None));
    let effects = press(&mut screen, &state, ":set eps 4/255 at-epoch 10 note smaller\n");
    let timed =
        Timed { dial: Dial::Eps, to: 4.0 / 255.0, at: 710, over: 0, note: Some("smaller".into()), from: None, asked_at: None };
    assert_eq!(effects, [Effect::Ask(Command::Schedule(timed), Asked::Schedule)]);
    let pause = Command::Set { change: Change::Flow(Flow::Paused), note: None };
    assert_eq!(press(&mut screen, &state, ":pause\n"), [Effect::Ask(pause, Asked::Flow(Flow::Paused))]);
    assert_eq!(press(&mut screen, &state, ":save\n"), [Effect::Ask(Command::SaveCheckpoint, Asked::Save)]);
    assert_eq!(press(&mut screen, &state, ":probe\n"), [Effect::Ask(Command::Evaluate, Asked::Probe)]);
    assert_eq!(press(&mut screen, &state, ":write a.svg\n"), [Effect::Write(FrameKind::Svg, Place::At("a.svg".into()))]);
    // What stops the run is asked once more.
    assert_eq!(press(&mut screen, &state, ":stop epoch\n"), []);
    assert_eq!(screen.dialog, Some(Dialog::Quit { choice: 1 }));
    assert!(format!("{:?}", press(&mut screen, &state, "\n")).contains("AfterEpoch"));
    assert_eq!(press(&mut screen, &state, ":eval\n"), []);
    assert!(matches!(screen.dialog, Some(Dialog::Evaluate { .. })));
}

#[test]
fn what_is_no_request_acts_on_the_screen() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    press(&mut screen, &state, ":view robust\n");
    assert_eq!(screen.view, View::Robust);
    press(&mut screen, &state, ":undo\n");
    assert_eq!((screen.view, screen.pending[&Dial::Lambda].value), (View::Dash, 0.5), "a proposal is where it is seen");
    press(&mut screen, &state, ":smooth 0.99\n:log\n:glyphs half\n:theme light\n");
    assert_eq!((screen.smoothing, screen.glyphs, screen.palette), (3, Glyphs::Half, Palette::Light));
    press(&mut screen, &state, ":help smooth\n");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("smoothing of the curves") && shown.contains("smooth 0 | 0.6"), "{shown}");
    press(&mut screen, &state, "\x1b\x1b:quit\n");
    assert_eq!(screen.dialog, Some(Dialog::Quit { choice: 0 }));
}

#[test]
fn the_past_comes_back_and_escape_leaves() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    press(&mut screen, &state, ":log\n:view dash\n:");
    for (code, text) in [(KeyCode::Up, "view dash"), (KeyCode::Up, "log"), (KeyCode::Down, "view dash"), (KeyCode::Down, "")] {
        intent::key(&mut screen, &state, &KeyEvent::new(code, KeyModifiers::NONE));
        let Some(Dialog::Command(line)) = &screen.dialog else { panic!("{:?}", screen.dialog) };
        assert_eq!(line.text(), text);
    }
    press(&mut screen, &state, "set lambda 3\x1b");
    assert_eq!((&screen.dialog, screen.pending.len()), (&None, 0));
}

#[test]
fn a_command_that_comes_at_once_waits_for_enter() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    intent::paste(&mut screen, "rgb:1a1a/2b2b/ffff");
    assert_eq!(screen.dialog, None);
    intent::paste(&mut screen, ":set lambda 1\nq\n");
    let Some(Dialog::Command(line)) = &screen.dialog else { panic!("{:?}", screen.dialog) };
    assert_eq!((line.text(), screen.pending.len()), ("set lambda 1", 0));
    intent::paste(&mut screen, " note why\n");
    let effects = press(&mut screen, &state, "\n");
    assert!(matches!(&effects[..], [Effect::Ask(Command::Set { note: Some(note), .. }, _)] if note == "why"), "{effects:?}");
}

#[test]
fn a_run_that_is_only_watched_says_so() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.access = Access::ReadOnly;
    for command in ["set lambda 1", "set lambda 1 at-step 600", "pause", "save", "probe", "stop", "undo"] {
        assert_eq!(press(&mut screen, &state, &format!(":{command}\n")), [], "{command}");
        let shown = picture(80, 24, &state, &screen);
        assert!(shown.contains("! this run is only watched: nothing can be changed"), "{command}\n{shown}");
        press(&mut screen, &state, "\x1b");
    }
    // A replay holds and goes on by the same words.
    screen.pace = Some("4x".into());
    assert_eq!(press(&mut screen, &state, ":pause\n"), [Effect::TogglePace]);
    assert_eq!(press(&mut screen, &state, ":go\n"), []);
    press(&mut screen, &state, "\x1b");
    screen.pace = Some("4x paused".into());
    assert_eq!(press(&mut screen, &state, ":go\n"), [Effect::TogglePace]);
}

/// Any key that may be typed in a command or a field, apart from Enter.
fn any_key() -> impl Strategy<Value = KeyEvent> {
    let codes = prop_oneof![
        6 => any::<char>().prop_filter("typed", |c| !c.is_control()).prop_map(KeyCode::Char),
        6 => prop::sample::select("setlambda0.5 at-step ramp note view theme :eHuPTjkx".chars().collect::<Vec<_>>()).prop_map(KeyCode::Char),
        4 => prop::sample::select(vec![
            KeyCode::Tab, KeyCode::BackTab, KeyCode::Up, KeyCode::Down, KeyCode::Left, KeyCode::Right, KeyCode::Home,
            KeyCode::End, KeyCode::Backspace, KeyCode::Delete, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Esc,
        ]),
    ];
    let modifiers = prop_oneof![9 => Just(KeyModifiers::NONE), 1 => Just(KeyModifiers::CONTROL), 1 => Just(KeyModifiers::SHIFT)];
    (codes, modifiers).prop_map(|(code, modifiers)| KeyEvent::new(code, modifiers))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn without_enter_nothing_is_set(
        keys in prop::collection::vec(any_key(), 0..60), begin in prop::sample::select(vec![":", "e", "H", "P", ""]),
        width in 1u16..=200, height in 1u16..=60, upto in 0u64..500,
    ) {
        let (state, mut screen) = fold(&recording(Kind::Rrm, Machines::Gpu, upto));
        press(&mut screen, &state, begin);
        for key in keys {
            let effects = intent::key(&mut screen, &state, &key);
            let sets = effects.iter().any(|effect| {
                let Effect::Ask(command, asked) = effect else { return false };
                let steers = matches!(command, Command::Set { .. } | Command::Schedule(_) | Command::Unschedule(_));
                steers && !matches!(asked, Asked::Flow(_))
            });
            prop_assert!(!sets, "{key:?}: {effects:?}");
            picture(width, height, &state, &screen);
        }
    }
}
