//! The list of checkpoints, and going back, branching off, pinning, deleting, detaching: what is asked, and what is not.

use super::recording::{Kind, Machines};
use super::{fold, fold_with, midway, picture, press};
use rematch::config::Eps;
use rematch::protocol::{Controls, Event, Record, Stop};
use rematch::run::RunState;
use rematch::run::checkpoints::{FORMAT, Found, Pinned, Probed, Reason, State, Watched};
use rematch::run::session::Access;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::intent::{Effect, Leave};
use rematch::ui::screen::{BranchWish, Checkpoints, Dialog, Screen};
use rematch::ui::theme::Palette;

fn shows(name: &str, picture: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(name, picture) });
}

fn found(controls: Controls, step: u64, reason: Reason, adversarial: Option<f64>, now_ms: u64) -> Found {
    let probed = adversarial.map(|adversarial| Probed { step, natural: 0.77, adversarial, eps: Eps(0.1) });
    let state = State {
        format: FORMAT,
        step,
        controls,
        reason,
        probed,
        best: adversarial,
        changes: 0,
        train_seconds: 1.0,
        evaluation_seconds: 0.0,
        watched: Watched::default(),
        scheduled: Vec::new(),
        seq: 0,
        steps_per_epoch: 71,
        spoiled_at: None,
        robust_set: None,
    };
    let path = format!("runs/demo/checkpoints/step-{step:08}").into();
    Found { path, state, pinned: Pinned::No, bytes: 1_700_000, saved_at_ms: Some(now_ms - (500 - step) * 110) }
}

/// Halfway through a run, the list read.
fn listed(palette: Palette, glyphs: Glyphs) -> (RunState, Screen) {
    let (state, mut screen) = fold_with(&midway(Kind::Rrm, Machines::Gpu), palette, glyphs);
    screen.toasts.clear();
    press(&mut screen, &state, "c");
    assert_eq!(screen.checkpoints, Checkpoints::Unread, "asked for by the loop");
    let (controls, now) = (state.controls.unwrap(), screen.now_ms);
    let mut all = vec![
        found(controls, 426, Reason::Periodic, Some(0.371), now),
        found(controls, 355, Reason::Best, Some(0.412), now),
        found(controls, 300, Reason::BeforeChange, None, now),
        found(controls, 142, Reason::Asked, Some(0.29), now),
    ];
    all[3].pinned = Pinned::Yes;
    all[0].state.spoiled_at = Some(400);
    screen.checkpoints = Checkpoints::Read(all);
    (state, screen)
}

fn usual() -> (RunState, Screen) {
    listed(Palette::default(), Glyphs::Braille)
}

#[test]
fn the_list_and_its_windows_at_every_size() {
    let (state, mut screen) = usual();
    shows("checkpoints_80x24", &picture(80, 24, &state, &screen));
    press(&mut screen, &state, "jw");
    shows("rewind_80x24", &picture(80, 24, &state, &screen));
    let (state, mut screen) = listed(Palette::Mono, Glyphs::Ascii);
    for keys in ["", "x", "\x1bf", "\x1b"] {
        press(&mut screen, &state, keys);
        for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
            let shown = picture(width, height, &state, &screen);
            assert!(shown.is_ascii(), "{shown}");
        }
    }
    let (state, screen) = listed(Palette::Mono, Glyphs::Ascii);
    let narrow = picture(60, 16, &state, &screen);
    assert!(narrow.contains("p pin") && narrow.contains("x delete"), "{narrow}");
}

#[test]
fn going_back_stops_the_run_first_and_takes_changes_along() {
    let (state, mut screen) = usual();
    let wish = |step, sets: &[&str]| BranchWish { step, sets: sets.iter().map(|set| (*set).to_string()).collect() };
    assert_eq!(press(&mut screen, &state, "jwmethod.lambda=0.01 train.lr=0.1"), []);
    let effects = press(&mut screen, &state, "\n");
    assert_eq!(effects, [Effect::Branch(Stop::NOW_AND_SAVE, wish(355, &["method.lambda=0.01", "train.lr=0.1"]))]);
    // What is no change of the config is told, and asks for nothing.
    let (state, mut screen) = usual();
    assert_eq!(press(&mut screen, &state, "wlambda\n"), []);
    assert!(picture(80, 24, &state, &screen).contains("write it as method.lambda=0.001"));
    // A run beside this one stops nothing.
    let (state, mut screen) = usual();
    assert_eq!(press(&mut screen, &state, "jjf\n"), [Effect::Fork(wish(300, &[]))]);
    // By command, with the same window before it begins.
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    assert_eq!(press(&mut screen, &state, ":rewind 142 method.lambda=0.5\n"), []);
    assert_eq!(press(&mut screen, &state, "\n"), [Effect::Branch(Stop::NOW_AND_SAVE, wish(142, &["method.lambda=0.5"]))]);
    // Where nothing trains any more nothing need be stopped.
    let (_, mut screen) = usual();
    let mut over = state;
    over.phase = rematch::run::state::Phase::Finished(rematch::protocol::Outcome::Completed);
    assert_eq!(press(&mut screen, &over, "w\n"), [Effect::Leave(Leave::Branch(wish(426, &[])))]);
}

#[test]
fn pinning_is_done_at_once_and_deleting_needs_the_step() {
    let (state, mut screen) = usual();
    let path = |step: u64| format!("runs/demo/checkpoints/step-{step:08}").into();
    assert_eq!(press(&mut screen, &state, "p"), [Effect::Pin(path(426), Pinned::Yes)]);
    assert_eq!(press(&mut screen, &state, "jjjp"), [Effect::Pin(path(142), Pinned::No)]);
    assert_eq!(press(&mut screen, &state, "x\n"), [], "Enter alone deletes nothing");
    assert_eq!(press(&mut screen, &state, "143\n"), []);
    assert_eq!(press(&mut screen, &state, "\x08\x08\x08142\n"), [Effect::Remove(path(142))]);
}

#[test]
fn a_screen_that_only_looks_touches_no_checkpoint_of_a_run_that_trains() {
    let (state, mut screen) = usual();
    (screen.access, screen.may_take) = (Access::ReadOnly, true);
    for key in ["w", "p", "x"] {
        assert_eq!(press(&mut screen, &state, key), []);
        assert!(matches!(screen.dialog, Some(Dialog::Checkpoints { .. })), "{key}: {:?}", screen.dialog);
    }
    assert!(screen.toasts.iter().any(|toast| toast.text.contains("another one steers")));
    press(&mut screen, &state, "\x1b");
    assert_eq!(press(&mut screen, &state, ":take\n"), [Effect::TakeLease]);
    assert_eq!(press(&mut screen, &state, "s"), [], "not before it was given");
}

#[test]
fn detaching_asks_and_is_one_of_the_ways_to_leave() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    assert_eq!(press(&mut screen, &state, "d"), []);
    assert_eq!(press(&mut screen, &state, "\n"), [Effect::Leave(Leave::Detached)]);
    assert_eq!(press(&mut screen, &state, "djj\x1b"), []);
    assert_eq!(press(&mut screen, &state, "qjjj\n"), [Effect::Leave(Leave::Detached)]);
    assert_eq!(press(&mut screen, &state, ":detach\n"), []);
    assert_eq!(screen.dialog, Some(Dialog::Detach { choice: 0 }));
}

#[test]
fn a_loss_that_is_not_finite_offers_the_way_back_to_whoever_steers() {
    let records = midway(Kind::Rrm, Machines::Gpu);
    let (state, mut screen) = fold(&records);
    let kind = rematch::protocol::event::Warning::NonFinite;
    let event = Event::Warned { step: Some(470), kind, message: "Total became NaN".into() };
    let record = Record { seq: records.len() as u64, at_ms: screen.now_ms, event };
    screen.saw(&record, &state);
    assert_eq!(screen.dialog, Some(Dialog::Checkpoints { row: 0 }));
    let (state, mut screen) = fold(&records);
    screen.access = Access::ReadOnly;
    screen.saw(&record, &state);
    assert_eq!(screen.dialog, None);
}
