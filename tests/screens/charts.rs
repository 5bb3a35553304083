//! The Charts view, and what keys do with charts wherever they are.

use super::recording::{self, Kind, Machines};
use super::{fold, fold_with, midway, picture, press};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rematch::protocol::{Change, Event, Record};
use rematch::run::RunState;
use rematch::ui::chart::Band;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::intent;
use rematch::ui::layout::Pane;
use rematch::ui::plots::{self, Plot};
use rematch::ui::screen::{Screen, X};
use rematch::ui::theme::Palette;
use std::sync::Arc;

fn shows(name: &str, picture: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(name, picture) });
}

/// As the loop does it: the screen knows how large it is.
fn sized(width: u16, height: u16, state: &RunState, screen: &mut Screen) -> String {
    screen.size = (width, height);
    picture(width, height, state, screen)
}

fn charts(records: &[Record]) -> (RunState, Screen) {
    let (state, mut screen) = fold(records);
    screen.toasts.clear();
    press(&mut screen, &state, "2");
    (state, screen)
}

fn named(screen: &mut Screen, state: &RunState, code: KeyCode) {
    intent::key(screen, state, &KeyEvent::new(code, KeyModifiers::NONE));
}

fn line(picture: &str, n: usize) -> &str {
    picture.lines().nth(n).unwrap_or_default()
}

/// What stands above the gauges and the hints.
fn footer(picture: &str) -> &str {
    picture.lines().find(|l| l.starts_with(" page ") || l.starts_with(" chart ")).unwrap_or_default()
}

#[test]
fn the_charts_view_at_every_tier() {
    let (state, mut screen) = charts(&midway(Kind::Rrm, Machines::Gpu));
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        shows(&format!("charts_{width}x{height}"), &sized(width, height, &state, &mut screen));
    }
}

#[test]
fn the_chosen_chart_alone_with_the_crosshair_on_a_marker() {
    let (state, mut screen) = charts(&midway(Kind::Rrm, Machines::Gpu));
    press(&mut screen, &state, "\t\tzn");
    shows("charts_marker_120x40", &sized(120, 40, &state, &mut screen));
    // One layer out at a time.
    press(&mut screen, &state, "\x1b");
    assert!(screen.cursor.is_none() && screen.maximised.is_some());
    press(&mut screen, &state, "\x1b");
    assert!(screen.maximised.is_none());
}

#[test]
fn over_time_pauses_and_evaluations_are_as_long_as_they_were() {
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    // Somebody was away for half a minute after step 280.
    for record in &mut records {
        if matches!(&record.event, Event::Progress(p) if p.step > 280) || matches!(&record.event, Event::Machine(_)) {
            record.at_ms += 30_000;
        }
    }
    records.sort_by_key(|r| r.at_ms);
    let (state, mut screen) = charts(&records);
    press(&mut screen, &state, "xx");
    assert_eq!(screen.charts.x, X::Wall);
    shows("charts_time_80x24", &sized(80, 24, &state, &mut screen));
    press(&mut screen, &state, "1x");
    assert_eq!(screen.charts.x, X::Step);
}

/// This run and two others, one of them with longer epochs.
fn compared() -> (RunState, Screen) {
    let (state, mut screen) = charts(&midway(Kind::Rrm, Machines::Gpu));
    let mut other = recording::recording(Kind::Rrm, Machines::Gpu, 900);
    for record in &mut other {
        match &mut record.event {
            Event::Started(started) => {
                started.run = "lambda-0.5".into();
                started.plan.steps_per_epoch *= 2;
            }
            Event::Progress(progress) => {
                progress.terms.values_mut().for_each(|v| (v.min, v.mean, v.max) = (v.min * 1.3, v.mean * 1.3, v.max * 1.3));
            }
            _ => {}
        }
    }
    let mut sat = recording::recording(Kind::Sat, Machines::Cpu, 300);
    if let Event::Started(started) = &mut sat[0].event {
        started.run = "sat".into();
    }
    screen.runs.overlays = [other, sat].iter().map(|records| Arc::new(fold(records).0)).collect();
    (state, screen)
}

#[test]
fn other_runs_are_drawn_behind_this_one() {
    let (state, mut screen) = compared();
    shows("charts_behind_120x40", &sized(120, 40, &state, &mut screen));
    let by_step = sized(80, 24, &state, &mut screen);
    press(&mut screen, &state, "x");
    assert_ne!(sized(80, 24, &state, &mut screen), by_step, "epochs of two lengths do not begin at the same steps");
    press(&mut screen, &state, "o");
    assert!(!sized(120, 40, &state, &mut screen).contains("lambda-0.5"));
    press(&mut screen, &state, "1o");
    let with = sized(120, 40, &state, &mut screen);
    assert!(line(&with, 2).contains("total a lambda-0.5 -0.904  b sat 0.677"), "values at the same step: {with}");
    press(&mut screen, &state, "o");
    assert!(!sized(120, 40, &state, &mut screen).contains("lambda-0.5"));
}

#[test]
fn without_colours_and_braille_curves_are_told_by_letters() {
    let (state, mut screen) = compared();
    let overlays = screen.runs.overlays.clone();
    (_, screen) = fold_with(&midway(Kind::Rrm, Machines::Gpu), Palette::Mono, Glyphs::Ascii);
    screen.runs.overlays = overlays;
    screen.toasts.clear();
    press(&mut screen, &state, "2");
    shows("charts_ascii_80x24", &sized(80, 24, &state, &mut screen));
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        for keys in ["", "z", "zn", "\x1bmyb"] {
            press(&mut screen, &state, keys);
            assert!(sized(width, height, &state, &mut screen).is_ascii());
        }
    }
}

#[test]
fn pages_and_the_chosen_chart_are_walked_through() {
    let (state, mut screen) = charts(&midway(Kind::Rrm, Machines::Gpu));
    let all = plots::all(&state);
    let shown = sized(80, 24, &state, &mut screen);
    let pages = all.len().div_ceil(9);
    assert!(footer(&shown).starts_with(&format!(" page 1/{pages}")), "{shown}");
    let at = |screen: &mut Screen, code| {
        named(screen, &state, code);
        (screen.charts.chosen(&state).1, footer(&sized(80, 24, &state, screen)).chars().nth(6).unwrap())
    };
    assert_eq!(at(&mut screen, KeyCode::Right), (1, '1'));
    assert_eq!(at(&mut screen, KeyCode::Down), (4, '1'));
    assert_eq!(at(&mut screen, KeyCode::Up), (1, '1'));
    assert_eq!(at(&mut screen, KeyCode::Up), (1, '1'));
    assert_eq!(at(&mut screen, KeyCode::PageDown), (10, '2'));
    assert_eq!(at(&mut screen, KeyCode::PageDown).1, '2');
    assert_eq!(at(&mut screen, KeyCode::PageUp).1, '1');
    assert_eq!(at(&mut screen, KeyCode::BackTab), (0, '1'));
    assert_eq!(at(&mut screen, KeyCode::BackTab), (all.len() - 1, '2'));
    assert_eq!(at(&mut screen, KeyCode::Tab), (0, '1'));
    // A chart that comes later does not take the focus from the one that has it.
    press(&mut screen, &state, "\t\t");
    let (early, _) = fold(&recording::recording(Kind::Rrm, Machines::Gpu, 60));
    let (plots, at) = screen.charts.chosen(&early);
    assert_eq!(plots[at], all[2]);
    assert!(plots.len() < all.len());
}

#[test]
fn a_log_axis_belongs_to_one_chart_and_says_what_it_leaves_out() {
    let (state, mut screen) = charts(&midway(Kind::Rrm, Machines::Gpu));
    let rep = plots::all(&state).iter().position(|p| matches!(p, Plot::Term(t) if t.name() == "rep")).unwrap();
    press(&mut screen, &state, &"\t".repeat(rep));
    press(&mut screen, &state, "yz");
    let count = state.series.values().next().unwrap().len();
    let shown = sized(120, 40, &state, &mut screen);
    assert!(line(&shown, 2).contains(&format!("log, {count} not positive")), "{shown}");
    press(&mut screen, &state, "1");
    assert!(!sized(120, 40, &state, &mut screen).contains("not positive"), "the loss has its own");
    press(&mut screen, &state, "y2");
    assert!(sized(120, 40, &state, &mut screen).contains("not positive"), "it is remembered");
}

#[test]
fn the_crosshair_goes_through_all_charts_and_the_titles_follow_it() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.toasts.clear();
    press(&mut screen, &state, "\t");
    let now = sized(120, 40, &state, &mut screen);
    // Enter on a focused chart.
    press(&mut screen, &state, "\n");
    assert_eq!((screen.focus, screen.cursor), (Pane::Loss, Some(state.step)));
    let before = screen.cursor;
    press(&mut screen, &state, "h");
    let one = before.unwrap() - screen.cursor.unwrap();
    press(&mut screen, &state, "H");
    let ten = before.unwrap() - one - screen.cursor.unwrap();
    assert!(one >= 1 && (9 * one..=11 * one + 10).contains(&ten), "{one} {ten}");
    press(&mut screen, &state, "HHHH");
    let then = sized(120, 40, &state, &mut screen);
    assert_ne!(line(&now, 2), line(&then, 2), "the title of the loss");
    let rules = |shown: &str| shown.chars().filter(|c| *c == '│').count();
    assert!(rules(&then) > rules(&now) + 20, "a line in each of three charts");
    press(&mut screen, &state, "2");
    let grid = sized(120, 40, &state, &mut screen);
    assert!(line(&grid, 39).starts_with(&format!(" step {} ep", screen.cursor.unwrap())), "{grid}");
    press(&mut screen, &state, "l");
    assert!(screen.cursor.unwrap() > 0);
}

#[test]
fn the_status_line_says_who_changed_what() {
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    let last = records.last().unwrap().clone();
    let event = Event::Controlled {
        step: 470,
        by: None,
        change: Change::Lambda(0.1),
        previous: Change::Lambda(0.25),
        note: None,
        stair: None,
    };
    records.push(Record { seq: last.seq + 1, at_ms: last.at_ms, event });
    let (state, mut screen) = charts(&records);
    press(&mut screen, &state, "n");
    let shown = sized(120, 40, &state, &mut screen);
    assert!(line(&shown, 39).contains("λ 0.5 -> 0.25 by a person (lower before the drop)"), "{shown}");
    press(&mut screen, &state, "n");
    let shown = sized(120, 40, &state, &mut screen);
    assert!(line(&shown, 39).contains("λ 0.25 -> 0.1 by schedule"), "{shown}");
}

#[test]
fn a_followed_tail_jumps_by_quarters() {
    let (mut state, mut screen) = charts(&midway(Kind::Rrm, Machines::Gpu));
    press(&mut screen, &state, "f");
    let mut seen = Vec::new();
    for step in 470..900 {
        state.step = step;
        let (from, to) = screen.view(&state);
        assert!((from..to).contains(&step) && step >= from + (to - from) / 2);
        seen.push(from);
    }
    let span = screen.view(&state).1 - screen.view(&state).0;
    seen.dedup();
    assert!(seen.len() as u64 <= 430 / (span / 4) + 2, "{seen:?}");
    press(&mut screen, &state, "f");
    let (from, _) = screen.view(&state);
    state.step = 1_000;
    assert_eq!(screen.view(&state).0, from, "it stays where it is");
    press(&mut screen, &state, "0");
    assert_eq!(screen.view(&state), (0, state.plan_steps()));
}

#[test]
fn the_band_is_shown_or_not_and_smoothing_is_for_all() {
    let (state, mut screen) = charts(&midway(Kind::Rrm, Machines::Gpu));
    let raw = sized(200, 60, &state, &mut screen);
    press(&mut screen, &state, "b");
    assert_eq!(screen.charts.band, Band::Hidden);
    let without = sized(200, 60, &state, &mut screen);
    assert_ne!(raw, without);
    assert!(footer(&without).contains("no band"));
    press(&mut screen, &state, "bmm");
    assert!(sized(200, 60, &state, &mut screen).contains("smooth 0.9"));
}

#[test]
fn a_run_without_anything_has_no_charts() {
    let (state, mut screen) = charts(&[]);
    press(&mut screen, &state, "z\n\thlHL+-0fxxyn");
    assert!(sized(80, 24, &state, &mut screen).contains("nothing was measured yet"));
}

#[test]
fn every_title_names_the_first_curve_of_its_chart_at_every_size() {
    for (palette, glyphs) in [(Palette::TrueColour, Glyphs::Braille), (Palette::Mono, Glyphs::Ascii)] {
        let (state, mut screen) = fold_with(&midway(Kind::Rrm, Machines::Gpu), palette, glyphs);
        screen.toasts.clear();
        press(&mut screen, &state, "2");
        let all = plots::all(&state);
        for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
            for plot in &all[..plots::changing(&state, &all)] {
                screen.charts.choose(*plot);
                let shown = sized(width, height, &state, &mut screen);
                let strands = plot.strands(&state);
                let first = glyphs.words(strands[0].name.clone());
                // Titles of the chart's own row of tiles.
                let titles: Vec<&str> = shown.lines().filter(|l| l.starts_with(['┌', '┏', '+'])).collect();
                let named = |text: &str| titles.iter().any(|title| title.contains(&format!(" {text} ")));
                let found = named(&first) || (strands.len() == 1 && plot.names().iter().any(|name| named(&glyphs.words(*name))));
                assert!(found, "{plot:?} at {width}x{height}\n{shown}");
            }
        }
        let small = sized(80, 24, &state, &mut screen);
        assert!(!small.contains("─ chance") || small.contains("cos 0."), "{small}");
    }
}

#[test]
fn a_young_run_fills_its_charts_and_a_grown_one_shows_its_plan() {
    let (mut state, mut screen) = charts(&midway(Kind::Rrm, Machines::Gpu));
    let plan = state.plan_steps();
    let mut ends = Vec::new();
    for step in 1..plan {
        state.step = step;
        let (from, to) = screen.view(&state);
        assert!(from == 0 && to >= step, "{step}: {to}");
        // At least half of the width, but for the very first steps.
        assert!(step > plan / 4 || step < 20 || 2 * step >= to, "{step}: {to}");
        assert!(step <= plan / 4 || to == plan, "{step}: {to}");
        press(&mut screen, &state, "f");
        let followed = screen.view(&state);
        assert!(step > plan / 4 || followed == (from, to), "{step}: {followed:?}");
        press(&mut screen, &state, "0");
        assert_eq!(screen.view(&state), (from, to), "{step}");
        ends.push(to);
    }
    ends.dedup();
    assert!(ends.len() <= 8, "the axis is rarely another: {ends:?}");
    // The plan of a young run, and back.
    state.step = plan / 10;
    let fitted = screen.view(&state);
    press(&mut screen, &state, "0");
    assert_eq!((screen.view(&state), screen.extent(&state)), ((0, plan), "whole run"));
    press(&mut screen, &state, "0");
    assert_eq!((screen.view(&state), screen.extent(&state)), (fitted, "data so far"));
    // By zooming out it is reached too, and stays.
    press(&mut screen, &state, "--------");
    assert_eq!(screen.view(&state), (0, plan));
    press(&mut screen, &state, "0f");
    assert_eq!(screen.extent(&state), "following the newest");
}

#[test]
fn other_runs_have_values_in_titles_and_under_the_crosshair() {
    let (state, mut screen) = compared();
    press(&mut screen, &state, "z");
    let now = sized(120, 40, &state, &mut screen);
    assert!(line(&now, 2).contains(" total -0.556 a lambda-0.5 -0.723  b sat 0.677 "), "{now}");
    press(&mut screen, &state, "\nHHHH");
    let then = sized(120, 40, &state, &mut screen);
    assert!(line(&then, 39).contains("  a lambda-0.5: total ") && line(&then, 39).contains("  b sat: total "), "{then}");
    assert_ne!(line(&now, 2), line(&then, 2));
    // The leading curve only where there is not room for all.
    press(&mut screen, &state, "\x1b1\t\n");
    let narrow = sized(80, 24, &state, &mut screen);
    assert!(line(&narrow, 23).contains("  total -0.556  a: total -0.723  b: total 0.677"), "{narrow}");
    press(&mut screen, &state, "\x1b");
    let dash = sized(200, 60, &state, &mut screen);
    assert!(line(&dash, 44).contains("a lambda-0.5 ") || dash.contains("pgd-10 a "), "the accuracies too: {dash}");
    assert!(dash.lines().any(|l| l.contains("Accuracy %") && l.contains("b sat ")), "{dash}");
}

#[test]
fn the_way_out_of_the_crosshair_is_always_seen() {
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    for record in &mut records {
        if let Event::Controlled { note: Some(note), .. } = &mut record.event {
            *note = "a long story about why this had to be ".repeat(5);
        }
    }
    let (state, mut screen) = charts(&records);
    let overlays = compared().1.runs.overlays;
    for behind in [Vec::new(), overlays] {
        screen.runs.overlays = behind;
        for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
            for keys in ["2n", "1n", "2xn", "1n"] {
                screen.cursor = None;
                press(&mut screen, &state, keys);
                let shown = sized(width, height, &state, &mut screen);
                let hints = line(&shown, usize::from(height) - 1);
                assert!(hints.starts_with(" step 300 ep 4.2") && hints.ends_with(" Esc back"), "{hints}");
            }
        }
    }
    press(&mut screen, &state, "\x1b");
    assert!(screen.cursor.is_none());
}

#[test]
fn charts_of_constants_take_one_line_and_can_be_opened() {
    let (state, mut screen) = charts(&midway(Kind::Rrm, Machines::Gpu));
    let all = plots::all(&state);
    let changing = plots::changing(&state, &all);
    assert!(all[changing..].iter().all(|plot| matches!(plot, Plot::Dial(_))) && changing + 2 == all.len(), "{all:?}");
    let shown = sized(120, 40, &state, &mut screen);
    assert!(shown.lines().any(|l| l == " constant:  lr scale 1   ε 0.1") && !shown.contains("┌ lr scale"), "{shown}");
    // Down from the last row, then Enter.
    named(&mut screen, &state, KeyCode::End);
    named(&mut screen, &state, KeyCode::Left);
    assert_eq!(screen.charts.chosen(&state).1, changing);
    named(&mut screen, &state, KeyCode::Up);
    assert_eq!(screen.charts.chosen(&state).1, changing - 1);
    named(&mut screen, &state, KeyCode::Down);
    assert_eq!(screen.charts.chosen(&state).1, changing);
    press(&mut screen, &state, "\n");
    assert!(sized(120, 40, &state, &mut screen).contains("┏ lr scale"));
    // What is turned has a chart like the others from then on.
    assert!(all[..changing].contains(&Plot::Dial(rematch::protocol::Dial::Lambda)));
}

#[test]
fn the_loss_on_the_dash_has_cross_entropy_and_representation_at_every_size() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.toasts.clear();
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        let shown = sized(width, height, &state, &mut screen);
        let title = shown.lines().find(|l| l.contains(" Loss ")).unwrap();
        assert!(title.contains("rep -0.735 ─ ce 0.720 ─ total -0.556"), "{title}");
        assert_eq!(title.contains("λ·ce 0.180"), width >= 120, "{title}");
    }
}

#[test]
fn words_are_spelt_out_where_there_is_room() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.toasts.clear();
    let wide = sized(200, 60, &state, &mut screen);
    for word in ["forward+backward", "teacher  ", "update  ", "cross-entropy weight", "learning rate scale", "adversarial 69.0"] {
        assert!(wide.contains(word), "{word}: {wide}");
    }
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        for view in ["1", "7"] {
            press(&mut screen, &state, view);
            let shown = sized(width, height, &state, &mut screen);
            assert!(!shown.contains("teachr") && !shown.contains("fwdbwd") && !shown.contains("upd "), "{shown}");
        }
    }
}

#[test]
fn the_help_explains_the_abbreviations() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    press(&mut screen, &state, "?");
    let mut seen = String::new();
    for _ in 0..400 {
        seen.push_str(&sized(120, 40, &state, &mut screen));
        press(&mut screen, &state, "j");
    }
    for (short, means) in rematch::ui::abbreviations::ABBREVIATIONS {
        assert!(seen.lines().any(|l| l.contains(&format!("  {short} ")) && l.contains(means)), "{short}: {means}");
    }
}

#[test]
fn a_probe_does_not_change_the_state_nor_move_the_header() {
    let (mut state, mut screen) = fold(&recording::recording(Kind::Rrm, Machines::Gpu, 70));
    let head = |state: &RunState, screen: &mut Screen, width, height| line(&sized(width, height, state, screen), 0).to_string();
    for (width, height) in [(60, 16), (70, 20), (80, 24), (120, 40), (200, 60)] {
        state.step = 70;
        let before = head(&state, &mut screen, width, height);
        state.step = 71;
        assert!(state.evaluating(), "the probe of the first epoch");
        let during = head(&state, &mut screen, width, height);
        assert!(before.contains("● RUNNING") && during.contains("● RUNNING") && !during.contains("EVALUATING"), "{during}");
        assert_eq!(during.contains("RUNNING (probe)"), width >= 80, "{during}");
        let place = |head: &str| head.chars().position(|c| c == '/');
        assert_eq!(place(&before), place(&during), "{before}\n{during}");
    }
}

#[test]
fn a_paused_run_says_so_beside_its_pace_and_its_key() {
    let (state, mut screen) = fold(&recording::paused(midway(Kind::Rrm, Machines::Gpu)));
    screen.toasts.clear();
    for (width, height) in [(80, 24), (120, 40)] {
        let shown = sized(width, height, &state, &mut screen);
        let (head, hints) = (line(&shown, 0), line(&shown, usize::from(height) - 1));
        assert!(head.contains("‖ PAUSED") && head.contains("paused"), "{head}");
        assert!(!head.contains(" 9.1 it/s") || head.contains("was 9.1 it/s"), "{head}");
        assert!(hints.contains("Space resume") && !hints.contains("Space pause"), "{hints}");
    }
    // A replay that is held has the same key.
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.pace = Some("4x".into());
    assert!(sized(80, 24, &state, &mut screen).contains("Space pause"));
    screen.pace = Some("4x paused".into());
    assert!(sized(80, 24, &state, &mut screen).contains("Space resume"));
}

#[test]
fn a_legend_that_is_too_long_ends_with_a_whole_number() {
    use rematch::protocol::event::Term;
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    for record in &mut records {
        if let Event::Progress(progress) = &mut record.event {
            let value = progress.terms[&Term::CrossEntropy];
            progress.terms.clear();
            let terms = [Term::Distillation, Term::CleanDistillation, Term::Divergence, Term::CrossEntropy, Term::Total];
            progress.terms.extend(terms.map(|term| (term, value)));
        }
    }
    let (state, mut screen) = fold(&records);
    screen.toasts.clear();
    let title = |screen: &mut Screen, width, height| {
        let shown = sized(width, height, &state, screen);
        shown.lines().find(|l| l.contains(" Loss ")).unwrap().to_string()
    };
    let narrow = title(&mut screen, 80, 24);
    assert!(narrow.starts_with("┌ Loss ─ kd 0.720 ─ kd clean 0.720 ─ kl 0.720 … ─"), "{narrow}");
    assert!(title(&mut screen, 120, 40).contains("─ kl 0.720 ─ ce 0.720 ─ total 0.720 ─"));
}
