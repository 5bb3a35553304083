//! Warnings on the screen: short where it moves on, whole in the log, and there until somebody came where the run may be lost.

use super::recording::{Kind, Machines};
use super::{fold_with, midway, picture, press};
use rematch::protocol::event::Warning;
use rematch::protocol::{Event, Record};
use rematch::run::RunState;
use rematch::run::state::MarkerKind;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::screen::{Changed, Screen};
use rematch::ui::theme::Palette;

const BROKE_DOWN: &str = "robustness broke down: 42.0 % @ step 142 -> 10.0 % @ step 213 (pgd-10 eps 8/255, 500 validation images), natural 74.0 % -> 80.0 %. This is catastrophic overfitting where training attacks with one step: try a smaller step_size, more attack steps or n-fgsm, or go back to an earlier checkpoint";

fn warn(state: &mut RunState, screen: &mut Screen, kind: Warning, message: &str) {
    let event = Event::Warned { step: Some(470), kind, message: message.into() };
    let record = Record { seq: state.next_seq, at_ms: state.last_at_ms, event };
    state.apply(&record);
    screen.saw(&record, state);
}

fn warned(kind: Warning, message: &str, glyphs: Glyphs) -> (RunState, Screen) {
    let (mut state, mut screen) = fold_with(&midway(Kind::Rrm, Machines::Gpu), Palette::Mono, glyphs);
    screen.toasts.clear();
    warn(&mut state, &mut screen, kind, message);
    (state, screen)
}

fn shows(name: &str, picture: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(name, picture) });
}

#[test]
fn a_warning_says_what_it_saw_and_the_log_what_to_try() {
    let (state, mut screen) = warned(Warning::Overfitting, BROKE_DOWN, Glyphs::Braille);
    shows("alert_80x24", &picture(80, 24, &state, &screen));
    let marker = state.markers.last().unwrap();
    assert_eq!((marker.kind, marker.kind.letter()), (MarkerKind::Warning, '!'));
    assert!(marker.text.ends_with("natural 74.0 % -> 80.0 %"), "the marker has the first sentence: {}", marker.text);
    press(&mut screen, &state, "L");
    screen.toasts.clear();
    shows("alert_log_80x24", &picture(80, 24, &state, &screen));
}

#[test]
fn every_word_of_a_warning_is_in_the_log_at_every_size_and_without_other_letters() {
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        let (state, mut screen) = warned(Warning::Divergence, BROKE_DOWN, Glyphs::Ascii);
        let shown = picture(width, height, &state, &screen);
        assert!(shown.is_ascii() && shown.contains("! robustness broke down: 42.0 %"), "{shown}");
        press(&mut screen, &state, "L");
        screen.toasts.clear();
        let shown: Vec<String> = picture(width, height, &state, &screen).split_whitespace().map(str::to_string).collect();
        for word in BROKE_DOWN.split_whitespace() {
            assert!(shown.iter().any(|w| w.trim_end_matches('|') == word), "{word} is not there at {width}x{height}: {shown:?}");
        }
    }
}

#[test]
fn what_may_cost_the_run_stays_until_a_key_and_long_enough_to_be_read() {
    for kind in [Warning::NonFinite, Warning::Divergence, Warning::Overfitting, Warning::DiskFull] {
        let (state, mut screen) = warned(kind, BROKE_DOWN, Glyphs::Braille);
        screen.now_ms += 3_600_000;
        assert_eq!((screen.expire(), screen.toasts.len(), screen.toast_goes_in()), (Changed::No, 1, None), "{kind:?}");
        press(&mut screen, &state, "j");
        assert_eq!((screen.expire(), screen.toasts.len()), (Changed::Yes, 0), "{kind:?}");
    }
    let (state, mut screen) = warned(Warning::Divergence, BROKE_DOWN, Glyphs::Braille);
    press(&mut screen, &state, "j");
    screen.now_ms += 3_000;
    assert_eq!((screen.expire(), screen.toast_goes_in()), (Changed::No, Some(1_000)), "the key came before it could be read");
    let (_, mut screen) = warned(Warning::Throttled, BROKE_DOWN, Glyphs::Braille);
    screen.now_ms += 4_000;
    assert_eq!((screen.expire(), screen.toasts.len()), (Changed::Yes, 0));
}

#[test]
fn news_of_the_moment_do_not_push_out_what_nobody_has_seen() {
    let (mut state, mut screen) = warned(Warning::Divergence, "the loss runs away", Glyphs::Braille);
    for i in 0..5 {
        warn(&mut state, &mut screen, Warning::Other, &format!("remark {i}"));
    }
    let texts: Vec<_> = screen.toasts.iter().map(|t| t.text.as_str()).collect();
    assert_eq!(texts, ["! the loss runs away", "! remark 3", "! remark 4"]);
    for i in 0..5 {
        warn(&mut state, &mut screen, Warning::NonFinite, &format!("loss {i}"));
    }
    assert_eq!(screen.toasts.len(), 3);
    assert_eq!(screen.toasts[0].text, "! loss 2");
}

#[test]
fn warnings_fit_or_are_cut_at_any_size() {
    let (mut state, mut screen) = warned(Warning::NonFinite, &"x".repeat(900), Glyphs::Braille);
    warn(&mut state, &mut screen, Warning::DiskFull, "\t\u{1b}[31m λλλ 図図図図図図図図 \n second line");
    warn(&mut state, &mut screen, Warning::DiskFull, "");
    for keys in ["", "L"] {
        press(&mut screen, &state, keys);
        for width in (1..=250).step_by(7) {
            for height in (1..=80).step_by(3) {
                let shown = picture(width, height, &state, &screen);
                assert!(!shown.contains('\u{1b}'));
            }
        }
    }
}
