//! What lies over the screen is not cut at any size, the help opens where one is, and what is offered works there.

use super::recording::{self, Kind, Machines};
use super::{fold, midway, picture, press};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rematch::protocol::{Change, CommandId, Event, Outcome, Record};
use rematch::run::RunState;
use rematch::run::session::Access;
use rematch::ui::help::{self, HelpLine};
use rematch::ui::intent::{self, Effect};
use rematch::ui::keymap::Scope;
use rematch::ui::layout::View;
use rematch::ui::screen::{Dialog, Mood, Screen};

const SIZES: [(u16, u16); 4] = [(60, 16), (80, 24), (120, 40), (200, 60)];

fn key(screen: &mut Screen, state: &RunState, code: KeyCode) -> Vec<Effect> {
    intent::key(screen, state, &KeyEvent::new(code, KeyModifiers::NONE))
}

/// The words of a picture without its borders, so that a text that goes on in the next line is found whole.
fn words(picture: &str) -> String {
    let inside = |line: &str| line.split('║').nth(1).unwrap_or("").to_string();
    picture.lines().map(inside).collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without blanks: a path is broken anywhere.
fn letters(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn the_help_opens_at_the_view_that_is_there_and_all_of_it_is_reached() {
    for (width, height) in SIZES {
        for (n, &view) in View::ALL.iter().enumerate() {
            let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
            screen.size = (width, height);
            press(&mut screen, &state, &format!("{}?", n + 1));
            let shown = words(&picture(width, height, &state, &screen));
            assert!(shown.contains(Scope::of(view).title()), "{view:?} at {width}x{height}: {shown}");
            for name in View::ALL.iter().map(|view| view.name()) {
                assert!(shown.contains(name), "{name} at {width}x{height}: {shown}");
            }
            key(&mut screen, &state, KeyCode::Home);
            assert!(words(&picture(width, height, &state, &screen)).contains("leave: asks how to stop"));
            key(&mut screen, &state, KeyCode::End);
            let end = words(&picture(width, height, &state, &screen));
            let last = match help::lines(&screen.keymap, "", width).pop().unwrap() {
                HelpLine::Title(title) => title,
                HelpLine::Entry { says, .. } => says,
            };
            assert!(end.contains(&last), "the last line at {width}x{height}: {end}");
            // A key back moves at once: nothing lies beyond the end.
            key(&mut screen, &state, KeyCode::PageUp);
            assert_ne!(words(&picture(width, height, &state, &screen)), end);
            for _ in 0..100 {
                key(&mut screen, &state, KeyCode::PageUp);
            }
            assert!(words(&picture(width, height, &state, &screen)).contains("Everywhere"));
            for _ in 0..200 {
                key(&mut screen, &state, KeyCode::PageDown);
            }
            assert_eq!(words(&picture(width, height, &state, &screen)), end);
        }
    }
}

#[test]
fn what_the_help_is_searched_for_can_be_edited_and_pasted() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    press(&mut screen, &state, "?/");
    intent::paste(&mut screen, "smoothign\nsecond line");
    for code in [KeyCode::Left, KeyCode::Backspace, KeyCode::Right, KeyCode::Backspace, KeyCode::Char('n'), KeyCode::Char('g')] {
        key(&mut screen, &state, code);
    }
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("/smoothing") && shown.contains("smoothing of the curves") && !shown.contains("second"), "{shown}");
    assert!(!shown.contains("crosshair"), "{shown}");
    intent::key(&mut screen, &state, &KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
    press(&mut screen, &state, "no such words\n");
    assert!(picture(80, 24, &state, &screen).contains("nothing in the help has these words"));
    press(&mut screen, &state, "\x1b");
    assert!(picture(80, 24, &state, &screen).contains("Everywhere"));
}

#[test]
fn dialogs_of_choices_are_whole_at_every_size() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    for keys in ["q", "qjj\n", "d", "P", "H", "c", "e"] {
        press(&mut screen, &state, keys);
        for (width, height) in SIZES {
            let shown = words(&picture(width, height, &state, &screen));
            let last = match &screen.dialog {
                Some(Dialog::Quit { .. }) => "detach: training goes on without this screen",
                Some(Dialog::Discard { .. }) => "stop, lose what was not saved",
                Some(Dialog::Detach { .. }) => "rematch attach brings a screen back.",
                Some(Dialog::Write { .. }) => "SVG: for a page or a report",
                Some(Dialog::Edit(_)) => "Tab next field Esc cancel",
                Some(Dialog::History { .. } | Dialog::Checkpoints { .. }) => "Esc",
                other => panic!("{keys}: {other:?}"),
            };
            assert!(shown.contains(last), "{keys} at {width}x{height}: {shown}");
        }
        screen.dialog = None;
    }
}

#[test]
fn why_a_run_failed_is_read_to_its_end_on_the_smallest_screen() {
    let causes: Vec<String> = (0..90).map(|n| format!("cause{n}")).collect();
    let message = causes.join(" ") + "\nthe very last words";
    let (state, mut screen) = fold(&recording::ended(midway(Kind::Rrm, Machines::Gpu), Outcome::Failed { message }));
    screen.folder = format!("/scratch/{}/runs/quickstart-s1", "a-long-folder-name/".repeat(6));
    for (width, height) in SIZES {
        screen.size = (width, height);
        let mut all = String::new();
        screen.dialog = Some(Dialog::Failed { scroll: 0 });
        for _ in 0..60 {
            let shown = words(&picture(width, height, &state, &screen));
            assert!(shown.contains("Enter q leave") && shown.contains("Esc look at the curves"), "{shown}");
            all.push_str(&letters(&shown));
            key(&mut screen, &state, KeyCode::Down);
        }
        for wanted in ["cause0", "cause45", "cause89", "theverylastwords", "last checkpoint: ", "can be evaluated and resumed"] {
            assert!(all.contains(&letters(wanted)), "{wanted} at {width}x{height}");
        }
        key(&mut screen, &state, KeyCode::Home);
        assert!(words(&picture(width, height, &state, &screen)).contains("cause0 cause1"));
    }
    screen.size = (120, 40);
    key(&mut screen, &state, KeyCode::End);
    assert!(letters(&words(&picture(120, 40, &state, &screen))).contains(&letters(&screen.folder)));
}

#[test]
fn a_long_note_is_seen_whole_where_it_is_typed_and_where_it_is_remembered() {
    let note = (0..25).map(|n| format!("word{n:02}")).collect::<Vec<_>>().join(" ");
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    let last = records.last().unwrap().clone();
    records.push(Record {
        seq: last.seq + 1,
        at_ms: last.at_ms + 1,
        event: Event::Controlled {
            step: 470,
            by: Some(CommandId(3)),
            change: Change::Lambda(0.1),
            previous: Change::Lambda(0.25),
            note: Some(note.clone()),
            stair: None,
        },
    });
    let (state, mut screen) = fold(&records);
    for (width, height) in [(60, 16), (80, 24)] {
        press(&mut screen, &state, "H");
        let shown = words(&picture(width, height, &state, &screen));
        assert!(shown.contains(note.as_str()) && shown.contains("Esc close"), "{width}x{height}: {shown}");
        press(&mut screen, &state, "\x1be0.5\t\t");
        intent::paste(&mut screen, note.as_str());
        let shown = words(&picture(width, height, &state, &screen));
        assert!(shown.contains(note.as_str()) && shown.contains("Enter apply"), "{width}x{height}: {shown}");
        press(&mut screen, &state, "\x1b");
    }
}

#[test]
fn the_views_are_named_for_a_moment_where_no_line_names_them() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.toasts.clear();
    let last = |screen: &Screen, width, height| picture(width, height, &state, screen).lines().last().unwrap().to_string();
    let hints = last(&screen, 80, 24);
    screen.name_views();
    for (width, height) in [(60, 16), (80, 24)] {
        let row = last(&screen, width, height);
        assert!(View::ALL.iter().enumerate().all(|(n, view)| row.contains(&format!("{} {}", n + 1, view.name()))), "{row}");
    }
    assert!(last(&screen, 120, 40).contains("quit"), "there they have a line of their own");
    assert!(screen.toast_goes_in().is_some_and(|ms| ms > 0));
    screen.now_ms += 3_000;
    screen.expire();
    assert_eq!((last(&screen, 80, 24), screen.toast_goes_in()), (hints, None));
}

/// Screens that cannot change the run: a replay, one that only looks on, one of a run that is over.
fn watching() -> Vec<(&'static str, RunState, Screen)> {
    let (replayed, mut replay) = fold(&midway(Kind::Rrm, Machines::Gpu));
    (replay.access, replay.pace) = (Access::ReadOnly, Some("4x".into()));
    let (watched, mut onlooker) = fold(&recording::exhibited(midway(Kind::Rrm, Machines::Gpu), 4, 28, 1));
    (onlooker.access, onlooker.may_take) = (Access::ReadOnly, true);
    let (ended, over) = fold(&recording::recording(Kind::Rrm, Machines::Gpu, u64::MAX));
    vec![("replay", replayed, replay), ("read-only", watched, onlooker), ("over", ended, over)]
}

#[test]
fn the_last_line_offers_only_what_works_there() {
    for (kind, state, mut screen) in watching() {
        for (n, view) in View::ALL.iter().enumerate() {
            screen.size = (200, 60);
            press(&mut screen, &state, &(n + 1).to_string());
            screen.toasts.clear();
            let row = picture(200, 60, &state, &screen).lines().last().unwrap().to_string() + "  ";
            for hint in ["save", "eval", "probe", "detach", "edit", "more", "new"] {
                assert!(!row.contains(&format!(" {hint}  ")), "{kind}, {view:?}: {hint} in {row}");
            }
            let offered: Vec<KeyCode> = screen
                .keymap
                .bindings()
                .flat_map(|b| b.keys.iter().map(move |key| (b.binding.hint, *key)))
                .filter(|(hint, (code, modifiers))| {
                    let name = match code {
                        KeyCode::Char(' ') => "Space".to_string(),
                        KeyCode::PageUp => "PgUp".into(),
                        KeyCode::PageDown => "PgDn".into(),
                        code => code.to_string(),
                    };
                    modifiers.is_empty() && hint.is_some_and(|hint| row.contains(&format!(" {name} {hint}  ")))
                })
                .map(|(_, (code, _))| code)
                .collect();
            assert!(offered.len() > 3, "{kind}, {view:?}: {row}");
            for code in offered {
                let mut tried = screen_like(&screen, &state, kind);
                press(&mut tried, &state, &(n + 1).to_string());
                tried.toasts.clear();
                key(&mut tried, &state, code);
                let refused = tried.toasts.iter().find(|toast| toast.mood == Mood::Bad && !toast.text.contains("no warning"));
                assert!(refused.is_none(), "{kind}, {view:?}: {code:?} says {refused:?}");
            }
        }
    }
}

/// One more of the same kind: a screen is not copied.
fn screen_like(screen: &Screen, _: &RunState, kind: &str) -> Screen {
    let mut all = watching();
    let at = all.iter().position(|(name, ..)| *name == kind).unwrap();
    let mut other = all.swap_remove(at).2;
    other.size = screen.size;
    other
}

#[test]
fn lists_over_a_run_that_is_only_watched_offer_no_change() {
    for (kind, state, mut screen) in watching() {
        press(&mut screen, &state, "1H");
        let shown = words(&picture(80, 24, &state, &screen));
        assert!(!shown.contains("propose") && !shown.contains("give it up") && shown.contains("Esc close"), "{kind}: {shown}");
        press(&mut screen, &state, "\x1bc");
        let shown = words(&picture(80, 24, &state, &screen));
        assert!(!shown.contains("s writes one"), "{kind}: {shown}");
    }
}

#[test]
fn a_replay_is_moved_by_keys_and_each_adds_to_the_one_before() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    (screen.access, screen.pace) = (Access::ReadOnly, Some("4x".into()));
    // 1420 steps in all.
    assert_eq!(key(&mut screen, &state, KeyCode::Left), [Effect::Seek(456)]);
    assert_eq!(key(&mut screen, &state, KeyCode::Left), [Effect::Seek(442)]);
    assert!(picture(120, 40, &state, &screen).contains("replay → 442"));
    assert_eq!(key(&mut screen, &state, KeyCode::PageDown), [Effect::Seek(582)]);
    assert_eq!(press(&mut screen, &state, ".,(("), [596, 582, 442, 302].map(Effect::Seek));
    assert_eq!(key(&mut screen, &state, KeyCode::Home), [Effect::Seek(0)]);
    assert_eq!(key(&mut screen, &state, KeyCode::Left), [Effect::Seek(0)]);
    assert_eq!(key(&mut screen, &state, KeyCode::End), [Effect::Seek(u64::MAX)]);
    assert_eq!(key(&mut screen, &state, KeyCode::Right), [Effect::Seek(1420)]);
    screen.sought(&state);
    assert_eq!(screen.seeking, None);
    // Where an arrow has another use the other keys still move it.
    press(&mut screen, &state, "4");
    assert_eq!(key(&mut screen, &state, KeyCode::Right), []);
    assert_eq!(press(&mut screen, &state, ","), [Effect::Seek(456)]);
    // A run that trains is not moved.
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    press(&mut screen, &state, "7");
    assert_eq!(key(&mut screen, &state, KeyCode::Home), []);
}

#[test]
fn every_part_that_scrolls_is_walked_by_pages_and_to_its_ends() {
    let (state, mut screen) = fold(&recording::examined(midway(Kind::Rrm, Machines::Gpu), 0.3));
    for keys in ["3", "7"] {
        press(&mut screen, &state, keys);
        for code in [KeyCode::End, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Home] {
            assert_eq!(key(&mut screen, &state, code), []);
        }
        assert_eq!((screen.down, screen.system.down), (0, 0));
        key(&mut screen, &state, KeyCode::End);
        assert!(screen.down + screen.system.down > 0);
        key(&mut screen, &state, KeyCode::Home);
    }
    press(&mut screen, &state, "L");
    key(&mut screen, &state, KeyCode::Home);
    assert!(picture(80, 24, &state, &screen).contains("lines back"));
    key(&mut screen, &state, KeyCode::End);
    assert_eq!(screen.scrolled, 0);
}
