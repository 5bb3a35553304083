//! The Log view: following, scrolled back, filtered, and from an event to the Dash.

use super::recording::{self, Kind, Machines, recording};
use super::{fold, fold_with, midway, picture, press};
use rematch::protocol::event::{Saved, Voice, Warning};
use rematch::protocol::{Event, Record};
use rematch::run::RunState;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::intent::{self, Effect};
use rematch::ui::layout::View;
use rematch::ui::screen::Screen;
use rematch::ui::theme::Palette;

fn shows(name: &str, picture: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(name, picture) });
}

fn say(records: &mut Vec<Record>, event: Event) {
    let last = records.last().unwrap();
    records.push(Record { seq: last.seq + 1, at_ms: last.at_ms + 700, event });
}

/// A run with something to read: a warning, a library's long line, more epochs.
fn talkative() -> Vec<Record> {
    let mut records = recording(Kind::Rrm, Machines::Gpu, 1_000);
    let message = "the student's features agree less and less with the teacher's: the cosine fell from 0.74 to 0.61 over the last \
                   two epochs\nlambda may be too high";
    say(&mut records, Event::Warned { step: Some(960), kind: Warning::Drifting, message: message.into() });
    let line = "[W1126 14:02:11.123 Context.cpp:80] Warning: cuDNN was asked for a deterministic algorithm and found none that \
                fits into the workspace; \x1b[31ma slower one\x1b[0m\tis used (function operator())";
    say(&mut records, Event::Said { source: Voice::Stderr, line: line.into() });
    say(&mut records, Event::Said { source: Voice::Rematch, line: "two checkpoints were removed".into() });
    records
}

fn log(records: &[Record]) -> (RunState, Screen) {
    let (state, mut screen) = fold(records);
    screen.toasts.clear();
    press(&mut screen, &state, "6");
    (state, screen)
}

const SIZES: [(u16, u16); 4] = [(60, 16), (80, 24), (120, 40), (200, 60)];

#[test]
fn the_log_view_at_every_tier() {
    let (state, mut screen) = log(&talkative());
    for (width, height) in SIZES {
        shows(&format!("events_{width}x{height}"), &picture(width, height, &state, &screen));
    }
    press(&mut screen, &state, "\t");
    shows("events_marks_60x16", &picture(60, 16, &state, &screen));
    shows("events_marks_80x24", &picture(80, 24, &state, &screen));
}

#[test]
fn without_colours_and_braille_it_says_the_same() {
    let (state, mut screen) = fold_with(&talkative(), Palette::Mono, Glyphs::Ascii);
    screen.toasts.clear();
    press(&mut screen, &state, "6kk");
    shows("events_ascii_120x40", &picture(120, 40, &state, &screen));
    for keys in ["", "\t", "/cudnn", "\n", "c", "n"] {
        press(&mut screen, &state, keys);
        for (width, height) in SIZES {
            let shown = picture(width, height, &state, &screen);
            assert!(shown.is_ascii(), "{shown}");
        }
    }
}

#[test]
fn the_chosen_line_is_shown_whole() {
    let (state, mut screen) = log(&talkative());
    press(&mut screen, &state, "kk");
    shows("events_chosen_80x24", &picture(80, 24, &state, &screen));
    let shown = picture(60, 16, &state, &screen);
    assert!(shown.contains("(function operator())") && shown.contains('▸'), "{shown}");
}

#[test]
fn a_line_that_is_read_stays_while_others_come() {
    let mut records = talkative();
    let (mut state, mut screen) = log(&records);
    screen.size = (80, 24);
    let inside = |shown: &str| shown.lines().skip(2).take(19).map(str::to_string).collect::<Vec<_>>().join("\n");
    press(&mut screen, &state, "kkkk");
    let before = inside(&picture(80, 24, &state, &screen));
    for n in 0..40 {
        say(&mut records, Event::Said { source: Voice::Rematch, line: format!("line {n}") });
        state.apply(records.last().unwrap());
    }
    assert_eq!(inside(&picture(80, 24, &state, &screen)), before);
    press(&mut screen, &state, "F");
    assert!(picture(80, 24, &state, &screen).contains("line 39"));
    // The line that was chosen leaves the log: the oldest stands in for it, and nothing breaks.
    press(&mut screen, &state, "g");
    for n in 40..11_000 {
        say(&mut records, Event::Said { source: Voice::Rematch, line: format!("line {n}") });
        state.apply(records.last().unwrap());
    }
    assert_eq!((state.log.len(), state.said > 11_000), (10_000, true));
    let oldest = format!("INFO  {} ", state.log[0].text);
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.lines().nth(2).unwrap().contains(&oldest) && shown.lines().nth(2).unwrap().contains('▸'), "{shown}");
    press(&mut screen, &state, "Gk");
    assert!(picture(80, 24, &state, &screen).contains("line 10999"));
}

#[test]
fn a_filter_hides_what_it_does_not_name_and_marks_what_it_does() {
    let (state, mut screen) = log(&talkative());
    press(&mut screen, &state, "/CuDNN");
    shows("events_typing_80x24", &picture(80, 24, &state, &screen));
    // q, digits and Space are text here and keys nowhere else.
    assert_eq!(press(&mut screen, &state, "q1 \x1b"), []);
    assert!(screen.events.filter.is_empty() && screen.view == View::Events);
    press(&mut screen, &state, "/epoch 1\n");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("epoch 10 done") && !shown.contains("epoch  2 done") && shown.contains("/epoch 1/"), "{shown}");
    press(&mut screen, &state, "cN");
    let shown = picture(120, 40, &state, &screen);
    assert!(shown.contains("▸") && shown.contains("checkpoint checkpoints") && shown.contains("held"), "{shown}");
    press(&mut screen, &state, "\x1b\x1bc/level:warn\n");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("WARN") && !shown.contains("INFO"), "{shown}");
    press(&mut screen, &state, "/xyz\n");
    assert!(picture(80, 24, &state, &screen).contains("no line is like that"));
    press(&mut screen, &state, "\x1bll");
    assert!(picture(80, 24, &state, &screen).contains("failures"));
    intent::paste(&mut screen, "nothing");
    assert!(screen.events.filter.is_empty());
    press(&mut screen, &state, "l/");
    intent::paste(&mut screen, "two\x07 check\nsecond line");
    press(&mut screen, &state, "\n");
    assert!(picture(80, 24, &state, &screen).contains("two checkpoints were removed"));
}

#[test]
fn what_a_person_did_is_one_key_away() {
    let (state, mut screen) = log(&talkative());
    press(&mut screen, &state, "h");
    let shown = picture(120, 40, &state, &screen);
    assert_eq!(screen.events.filter, "by:hand");
    assert!(shown.contains("lower before the drop") && shown.contains("by hand"), "{shown}");
    assert!(!shown.contains("epoch 10 done") && !shown.contains("cudnn"), "{shown}");
    press(&mut screen, &state, "h");
    assert!(screen.events.filter.is_empty());
    press(&mut screen, &state, "/by:hand lower\n");
    assert!(picture(80, 24, &state, &screen).contains("lower before the drop"));
}

#[test]
fn checkpoints_are_one_line_unless_they_are_looked_for() {
    let mut records = talkative();
    for step in [300, 310, 320] {
        say(
            &mut records,
            Event::Saved(Saved {
                step,
                by: None,
                path: format!("checkpoints/step-{step}"),
                bytes: 1 << 20,
                ms: 7,
                held_ms: None,
            }),
        );
    }
    let (state, mut screen) = log(&records);
    for (width, height) in SIZES {
        let shown = picture(width, height, &state, &screen);
        assert!(shown.contains("checkpoints, newest step 320"), "{shown}");
        assert!(!shown.contains("checkpoints/step-300") && !shown.contains("checkpoints/step-310"), "{shown}");
    }
    press(&mut screen, &state, "1");
    assert!(picture(120, 40, &state, &screen).contains("checkpoints, newest step 320"));
    press(&mut screen, &state, "6/step-3\n");
    let shown = picture(80, 24, &state, &screen);
    assert!(["step-300", "step-310", "step-320"].iter().all(|path| shown.contains(path)), "{shown}");
}

#[test]
fn warnings_are_walked_without_a_filter() {
    let (state, mut screen) = log(&talkative());
    press(&mut screen, &state, "N");
    assert!(picture(120, 40, &state, &screen).contains("▸"));
    let chosen = screen.events.line;
    press(&mut screen, &state, "N");
    assert!(screen.events.line < chosen);
    press(&mut screen, &state, "N");
    assert!(screen.toasts.last().unwrap().text.contains("no warning there"));
}

#[test]
fn an_event_leads_to_the_dash() {
    let (state, mut screen) = log(&talkative());
    assert_eq!(press(&mut screen, &state, "\tk"), [] as [Effect; 0]);
    press(&mut screen, &state, "\n");
    assert_eq!((screen.view, screen.cursor), (View::Dash, Some(300)));
    assert!(picture(120, 40, &state, &screen).contains("λ 0.5 -> 0.25 by a person (lower before the drop)"));
    let (state, mut screen) = log(&recording::recording(Kind::Sat, Machines::Cpu, 100));
    press(&mut screen, &state, "\tjkgG\n");
    assert_eq!((screen.view, screen.cursor), (View::Events, None), "there is no event");
}

#[test]
fn the_small_log_still_lies_over_every_view() {
    let (state, mut screen) = log(&midway(Kind::Rrm, Machines::Gpu));
    press(&mut screen, &state, "Lkkk");
    assert!(picture(80, 24, &state, &screen).contains("3 lines back"));
    press(&mut screen, &state, "L");
    assert!(picture(80, 24, &state, &screen).contains("following"));
}

#[test]
fn an_empty_run_has_an_empty_log() {
    let (state, mut screen) = log(&[]);
    press(&mut screen, &state, "jkgGnN\tjkgG\n\t/x\n");
    for (width, height) in SIZES {
        assert!(picture(width, height, &state, &screen).contains("nothing was said yet"));
    }
}
