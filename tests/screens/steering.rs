//! Changes for later, the history of changes, one's own keys, themes, and frames that are kept.

use super::recording::{Kind, Machines};
use super::{fold, fold_with, midway, picture, press};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rematch::protocol::{Command, CommandId, Dial, Event, Record, Stop, Timed};
use rematch::run::session::Access;
use rematch::ui::command_line::parse::Kind as FrameKind;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::intent::{self, Effect, Leave, Place};
use rematch::ui::keymap::Keymap;
use rematch::ui::layout::View;
use rematch::ui::screen::{Asked, Changed, Dialog, Mood, Motion, Trains};
use rematch::ui::theme::Palette;
use std::path::Path;

fn shows(name: &str, picture: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(name, picture) });
}

/// With a jump of lambda and a ramp of epsilon to come.
fn scheduled() -> Vec<Record> {
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    let (step, at_ms) = (470, records.last().unwrap().at_ms);
    let jump =
        Timed { dial: Dial::Lambda, to: 0.01, at: 1278, over: 0, note: Some("for the end".into()), from: None, asked_at: None };
    let ramp = Timed { dial: Dial::Eps, to: 16.0 / 255.0, at: 710, over: 142, note: None, from: None, asked_at: None };
    for (i, timed) in [jump, ramp].into_iter().enumerate() {
        let event = Event::Scheduled { step, by: Some(CommandId(10 + i as u64)), timed };
        records.push(Record { seq: records.len() as u64, at_ms, event });
    }
    records
}

#[test]
fn a_value_can_be_typed_for_later() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.toasts.clear();
    press(&mut screen, &state, "e.01\tat-epoch 10 ramp 2e");
    shows("editor_schedule_80x24", &picture(80, 24, &state, &screen));
    let effects = press(&mut screen, &state, "\tbit by bit\n");
    let timed =
        Timed { dial: Dial::Lambda, to: 0.01, at: 710, over: 142, note: Some("bit by bit".into()), from: None, asked_at: None };
    assert_eq!(effects, [Effect::Ask(Command::Schedule(timed), Asked::Schedule)]);
    assert!(screen.pending.is_empty(), "what comes later is not proposed now");
    // What is wrong is told while it is typed, and not sent.
    assert_eq!(press(&mut screen, &state, "e.01\tat-step 100\n"), []);
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("! step 100 is over; allowed: "), "{shown}");
    // The way back through the fields.
    intent::key(&mut screen, &state, &KeyEvent::new(KeyCode::BackTab, KeyModifiers::NONE));
    press(&mut screen, &state, "5");
    let Some(Dialog::Edit(editor)) = &screen.dialog else { panic!("{:?}", screen.dialog) };
    assert_eq!((editor.text.as_str(), editor.when.as_str()), (".015", "at-step 100"));
}

#[test]
fn what_is_to_come_is_seen_beside_its_dial() {
    let (state, screen) = fold(&scheduled());
    shows("scheduled_80x24", &picture(80, 24, &state, &screen));
    let shown = picture(120, 40, &state, &screen);
    assert!(shown.contains("ce weight ↷ 0.01 @1278") && shown.contains("↷ 16/255 by 852"), "{shown}");
    let (state, screen) = fold_with(&scheduled(), Palette::Mono, Glyphs::Ascii);
    for (width, height) in [(60, 16), (80, 24), (120, 40)] {
        let shown = picture(width, height, &state, &screen);
        assert!(shown.is_ascii() && shown.contains('~'), "{shown}");
    }
}

#[test]
fn the_history_proposes_and_gives_up() {
    let (state, mut screen) = fold(&scheduled());
    screen.toasts.clear();
    press(&mut screen, &state, "H");
    shows("history_80x24", &picture(80, 24, &state, &screen));
    // On what is to come Enter does nothing; x asks first, and the first choice is to leave it.
    assert_eq!(press(&mut screen, &state, "\n"), []);
    assert_eq!(press(&mut screen, &state, "x\n"), []);
    assert_eq!(screen.dialog, None);
    press(&mut screen, &state, "Hx");
    shows("unschedule_80x24", &picture(80, 24, &state, &screen));
    let given_up = Effect::Ask(Command::Unschedule(Dial::Lambda), Asked::Unschedule(Dial::Lambda));
    assert_eq!(press(&mut screen, &state, "j\n"), [given_up]);
    // What is not to come any more is not asked about.
    press(&mut screen, &state, "Hx");
    let mut later = state.clone();
    let (seq, at_ms) = (later.next_seq, later.last_at_ms);
    let record = Record { seq, at_ms, event: Event::Unscheduled { step: 470, by: None, dial: Dial::Lambda, reason: None } };
    later.apply(&record);
    screen.saw(&record, &later);
    assert_eq!(screen.dialog, None);
    // What was changed is proposed again, and no more than that.
    assert_eq!(press(&mut screen, &state, "HG\n"), []);
    assert_eq!((screen.pending[&Dial::Lambda].value, screen.pending[&Dial::Lambda].sent), (0.5, None));
    screen.access = Access::ReadOnly;
    screen.pending.clear();
    press(&mut screen, &state, "HG\n");
    assert!(screen.pending.is_empty() && screen.toasts.last().is_some_and(|t| t.text.contains("only watched")));
}

#[test]
fn an_empty_history_says_so() {
    let (state, mut screen) = fold(&midway(Kind::Sat, Machines::Cpu));
    press(&mut screen, &state, "H\njkx");
    let shown = picture(60, 16, &state, &screen);
    assert!(shown.contains("nothing was changed yet"), "{shown}");
}

#[test]
fn own_keys_are_in_the_help_and_the_hints() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.toasts.clear();
    let text = "[everywhere]\npause = \"ctrl-p\"\nhelp = [\"f1\", \"ctrl-g\"]\nprobe = []\n[controls]\nedit = \"i\"\n";
    screen.keymap = Keymap::read(text, Path::new("keys.toml")).unwrap();
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("Ctrl-P pause") && shown.contains("i type") && !shown.contains("p probe"), "{shown}");
    assert_eq!(press(&mut screen, &state, " "), []);
    let paused = intent::key(&mut screen, &state, &KeyEvent::new(KeyCode::Char('p'), KeyModifiers::CONTROL));
    assert!(matches!(&paused[..], [Effect::Ask(Command::Set { .. }, Asked::Flow(_))]), "{paused:?}");
    intent::key(&mut screen, &state, &KeyEvent::new(KeyCode::F(1), KeyModifiers::NONE));
    shows("help_rebound_80x24", &picture(80, 24, &state, &screen));
}

#[test]
fn themes_are_turned_live() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    let names: Vec<String> = screen.themes.names().map(String::from).collect();
    for name in names.iter().skip(1) {
        press(&mut screen, &state, "T");
        assert_eq!((screen.themes.name(), screen.palette), (name.as_str(), screen.themes.palette()));
        assert!(picture(120, 40, &state, &screen).contains(&format!("theme {name}")));
    }
}

#[test]
fn a_frame_is_asked_for_by_its_kind() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    assert_eq!(press(&mut screen, &state, "P"), []);
    shows("write_80x24", &picture(80, 24, &state, &screen));
    let kept = |kind, end| Effect::Write(kind, Place::Run(format!("frame-quickstart-s1-470.{end}")));
    assert_eq!(press(&mut screen, &state, "\n"), [kept(FrameKind::Text, "txt")]);
    assert_eq!(press(&mut screen, &state, "Pj\n"), [kept(FrameKind::Ansi, "ans")]);
    assert_eq!(press(&mut screen, &state, "Pjj\n"), [kept(FrameKind::Svg, "svg")]);
    assert_eq!(press(&mut screen, &state, "P\x1b"), []);
    assert_eq!(screen.dialog, None);
}

#[test]
fn with_reduced_motion_messages_wait_for_a_key() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.motion = Motion::Reduced;
    screen.toast(Mood::Good, "read me");
    screen.now_ms += 3_600_000;
    assert_eq!(screen.expire(), Changed::No);
    assert!(picture(80, 24, &state, &screen).contains("read me"));
    press(&mut screen, &state, "2");
    assert_eq!((screen.toasts.len(), screen.view), (0, View::Charts));
}

fn ctrl_c(screen: &mut rematch::ui::screen::Screen, state: &rematch::run::RunState) -> Vec<Effect> {
    intent::key(screen, state, &KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL))
}

#[test]
fn a_screen_of_a_run_that_another_process_trains_is_left_and_stops_nothing_by_itself() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.trains = Trains::Elsewhere;
    for _ in 0..3 {
        assert_eq!(ctrl_c(&mut screen, &state), [Effect::Leave(Leave::Quit)]);
    }
    for keys in ["q\n", "qq"] {
        assert_eq!(press(&mut screen, &state, keys), [Effect::Leave(Leave::Quit)], "{keys}");
    }
    press(&mut screen, &state, "q");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("▸ leave this screen: training goes on"), "{shown}");
    // Stopping is a choice of its own, here and by its name.
    let stop = Effect::Ask(Command::Stop(Stop::NOW_AND_SAVE), Asked::Stop(Stop::NOW_AND_SAVE));
    for keys in ["j\n", ":stop\n\n"] {
        assert_eq!(press(&mut screen, &state, keys), std::slice::from_ref(&stop), "{keys}");
    }
    assert_eq!(press(&mut screen, &state, "qjjjj\n"), [], "stay");
}

#[test]
fn the_screen_that_began_a_run_which_another_steers_is_let_go_of_and_does_not_wait_for_its_end() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    (screen.access, screen.may_take) = (Access::ReadOnly, true);
    assert_eq!(press(&mut screen, &state, "q\n"), [Effect::Leave(Leave::Detached)]);
    assert_eq!(ctrl_c(&mut screen, &state), [Effect::Leave(Leave::Detached)]);
    // Of a replay, and of a run whose process is gone, nothing is left to let go of.
    screen.may_take = false;
    assert_eq!(press(&mut screen, &state, "q"), [Effect::Leave(Leave::Quit)]);
}
