//! Evaluations from the screen: the dialog that asks for one, and the view of what was found.

use super::recording::{self, Kind, Machines, examined, examining};
use super::{fold, fold_with, midway, picture, press};
use proptest::prelude::*;
use rematch::config::{Eps, Norm};
use rematch::protocol::event::{Split, Started, Whose};
use rematch::protocol::report::{Doubts, EvaluationPlan, Report};
use rematch::protocol::{Command, CommandId, Event, Record};
use rematch::run::RunState;
use rematch::run::session::Access;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::intent::Effect;
use rematch::ui::layout::{Pane, View};
use rematch::ui::screen::{Asked, Dialog, Screen};
use rematch::ui::theme::Palette;

fn shows(name: &str, picture: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(name, picture) });
}

/// Two evaluations of the student, lambda lowered in between.
fn two_reports() -> Vec<Record> {
    let mut records = examined(recording::recording(Kind::Rrm, Machines::Gpu, 280), 0.215);
    let rest = midway(Kind::Rrm, Machines::Gpu);
    records.extend(rest.into_iter().filter(|r| matches!(&r.event, Event::Progress(p) if p.step > 280)));
    examined(records, 0.385)
}

fn robust(records: &[Record]) -> (RunState, Screen) {
    let (state, mut screen) = fold(records);
    screen.toasts.clear();
    press(&mut screen, &state, "3");
    (state, screen)
}

fn plans(effects: &[Effect]) -> Vec<EvaluationPlan> {
    let plan = |effect: &Effect| match effect {
        Effect::Ask(Command::Examine(plan), Asked::Examine) => Some((**plan).clone()),
        _ => None,
    };
    effects.iter().filter_map(plan).collect()
}

#[test]
fn the_robust_view_at_every_tier() {
    let (state, mut screen) = robust(&two_reports());
    for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        shows(&format!("robust_{width}x{height}"), &picture(width, height, &state, &screen));
    }
    press(&mut screen, &state, "\t");
    shows("robust_curve_60x16", &picture(60, 16, &state, &screen));
}

#[test]
fn without_colours_and_braille_it_says_the_same() {
    let (state, mut screen) = fold_with(&two_reports(), Palette::Mono, Glyphs::Ascii);
    screen.toasts.clear();
    press(&mut screen, &state, "3");
    shows("robust_ascii_120x40", &picture(120, 40, &state, &screen));
    for keys in ["", "z", "\tz", "z\t\tz"] {
        press(&mut screen, &state, keys);
        for (width, height) in [(60, 16), (80, 24), (200, 60)] {
            let shown = picture(width, height, &state, &screen);
            assert!(shown.is_ascii(), "{shown}");
        }
    }
}

#[test]
fn before_the_first_report_it_says_how_to_get_one() {
    let (state, mut screen) = robust(&midway(Kind::Rrm, Machines::Gpu));
    shows("robust_empty_80x24", &picture(80, 24, &state, &screen));
    let (running, waiting) = robust(&examining(midway(Kind::Rrm, Machines::Gpu)));
    shows("robust_running_80x24", &picture(80, 24, &running, &waiting));
    screen.access = Access::ReadOnly;
    assert!(picture(80, 24, &state, &screen).contains("rematch eval"));
}

#[test]
fn the_dialog_shows_what_enter_sends() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    assert_eq!(press(&mut screen, &state, "a"), []);
    shows("evaluate_80x24", &picture(80, 24, &state, &screen));
    shows("evaluate_60x16", &picture(60, 16, &state, &screen));
    let effects = press(&mut screen, &state, "\n");
    let [plan] = &plans(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((plan.of, plan.split, plan.images, plan.doubts), (Whose::Student, Split::Validation, Some(200), Doubts::Look));
    assert_eq!(plan.ensembles.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["pgd-50x10"]);
    let curve = plan.curve.as_ref().unwrap();
    assert_eq!((curve.images, curve.radii[8], curve.attack.short().as_str()), (200, Eps(0.2), "pgd-20"));
    assert_eq!((screen.view, &screen.dialog), (View::Robust, &None));
}

#[test]
fn every_row_turns_and_is_remembered() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    // Back from pgd-50x10, one count up, the teacher, no curve.
    let effects = press(&mut screen, &state, "ahjljljl\n");
    let [plan] = &plans(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((plan.ensembles[0].name.as_str(), plan.images, plan.of), ("pgd-20", Some(500), Whose::Teacher));
    assert_eq!(plan.curve, None);
    let spec = &plan.ensembles[0].members[0];
    assert_eq!((spec.norm, spec.eps), (Norm::Linf, Eps(0.1)));
    press(&mut screen, &state, "a");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("pgd-20") && shown.contains("teacher") && shown.contains("500 "), "{shown}");
    assert_eq!(press(&mut screen, &state, "l\x1b"), []);
    // What was turned and not asked for is forgotten.
    let effects = press(&mut screen, &state, "a\n");
    assert_eq!(plans(&effects), std::slice::from_ref(plan));
    // All images are no number, so that the plan means the same whatever the data holds.
    let effects = press(&mut screen, &state, "ajl\n");
    assert_eq!(plans(&effects)[0].images, None);
}

#[test]
fn all_attacks_that_the_classes_allow_are_offered() {
    let mut records = midway(Kind::Sat, Machines::Cpu);
    let mut names = |classes: usize, validation: u64| {
        let Event::Started(started) = &mut records[0].event else { panic!("it starts") };
        started.data.classes = (0..classes).map(|c| c.to_string()).collect();
        started.data.validation = validation;
        let (state, mut screen) = fold(&records);
        let mut names = Vec::new();
        let mut keys = "a".to_string();
        loop {
            let effects = press(&mut screen, &state, &format!("{keys}\n"));
            let [plan] = &plans(&effects)[..] else { panic!("{effects:?}") };
            assert_eq!(plan.images, (validation > 200).then_some(200), "no more than there are");
            if names.contains(&plan.ensembles[0].name) {
                return names;
            }
            names.push(plan.ensembles[0].name.clone());
            keys = "al".to_string();
        }
    };
    assert_eq!(
        names(10, 1000),
        [
            "pgd-50x10",
            "fgsm",
            "apgd-ce-100",
            "apgd-dlr-100",
            "apgd-t-100",
            "fab-t-100",
            "square-5000",
            "autoattack",
            "autoattack-plus",
            "rand",
            "art-autopgd-50x10",
            "pgd-20"
        ]
    );
    let three = names(3, 150);
    assert!(three.iter().all(|n| !n.starts_with("apgd-t")) && three.len() == 11, "{three:?}");
    let two = names(2, 150);
    assert!(!two.iter().any(|n| n.starts_with("apgd-dlr") || n.starts_with("apgd-t")) && two.len() == 10, "{two:?}");
}

#[test]
fn what_must_be_said_of_a_suite_does_not_hide_how_to_start_it() {
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    if let Event::Started(started) = &mut records[0].event {
        started.data.classes.truncate(2);
    }
    let (state, mut screen) = fold(&records);
    press(&mut screen, &state, "ahhhh");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("autoattack-plus") && shown.contains("apgd-dlr needs 3 classes"), "{shown}");
    let small = picture(60, 16, &state, &screen);
    assert!(small.contains("Enter start"), "{small}");
}

#[test]
fn without_a_teacher_nobody_is_asked_whose() {
    let (state, mut screen) = fold(&midway(Kind::Sat, Machines::Cpu));
    press(&mut screen, &state, "a");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("Evaluate these weights") && !shown.contains("whose"), "{shown}");
}

#[test]
fn nothing_is_sent_but_by_enter() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    assert_eq!(press(&mut screen, &state, "a\x1b"), []);
    assert_eq!(press(&mut screen, &state, "ajlkhq1 3\x1b"), []);
    assert_eq!(screen.view, View::Dash);
}

#[test]
fn a_running_evaluation_is_given_up_only_when_chosen() {
    let (state, mut screen) = fold(&examining(midway(Kind::Rrm, Machines::Gpu)));
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("EVALUATING") && shown.contains("training stands still"), "{shown}");
    assert_eq!(press(&mut screen, &state, "a"), []);
    assert!(picture(80, 24, &state, &screen).contains("Give the evaluation up?"));
    assert_eq!(press(&mut screen, &state, "\n"), [], "the first choice is the safe one");
    assert_eq!(press(&mut screen, &state, "aj\n"), [Effect::Ask(Command::GiveUp, Asked::GiveUp)]);
    // When it ends by itself there is nothing left to ask.
    press(&mut screen, &state, "a");
    let records = examined(midway(Kind::Rrm, Machines::Gpu), 0.385);
    let last = records.last().unwrap();
    let mut state = state;
    state.apply(last);
    screen.saw(last, &state);
    assert_eq!(screen.dialog, None);
}

#[test]
fn what_came_of_it_is_told() {
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    let (_, screen) = fold(&examined(records.clone(), 0.385));
    let told: Vec<_> = screen.toasts.iter().map(|t| t.text.as_str()).collect();
    assert!(told.contains(&"pgd-50x10 on 200 validation images: 38.5 % of 75.5 % @ step 470; 2 doubts"), "{told:?}");
    let (mut state, mut screen) = fold(&records);
    screen.waiting.push((CommandId(2), Asked::Examine));
    let reason = "the evaluation at step 470 was given up".to_string();
    let last = records.pop().unwrap();
    let refused = Record { seq: last.seq + 1, at_ms: last.at_ms, event: Event::Refused { by: CommandId(2), reason } };
    state.apply(&refused);
    screen.saw(&refused, &state);
    assert_eq!(screen.toasts.last().unwrap().text, "! the evaluation at step 470 was given up");
}

#[test]
fn a_paused_run_can_be_evaluated() {
    let paused = recording::paused(midway(Kind::Rrm, Machines::Gpu));
    let (state, mut screen) = fold(&paused);
    assert_eq!(plans(&press(&mut screen, &state, "a\n")).len(), 1);
    let (state, screen) = fold(&examining(paused));
    assert!(picture(80, 24, &state, &screen).contains("‖ EVALUATING"));
}

#[test]
fn where_nothing_can_be_evaluated_it_says_why() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    screen.waiting.push((CommandId(3), Asked::Examine));
    assert_eq!(press(&mut screen, &state, "a"), []);
    assert!(screen.toasts.last().unwrap().text.contains("was asked for"));
    screen.waiting.clear();
    screen.access = Access::ReadOnly;
    assert_eq!(press(&mut screen, &state, "a"), []);
    assert!(screen.toasts.last().unwrap().text.contains("only watched"));
    let (state, mut screen) = fold(&recording::recording(Kind::Rrm, Machines::Gpu, u64::MAX));
    assert_eq!(press(&mut screen, &state, "a"), []);
    assert!(screen.toasts.last().unwrap().text.contains("training is over"));
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    if let Event::Started(started) = &mut records[0].event {
        started.data.validation = 0;
    }
    let (state, mut screen) = fold(&records);
    assert_eq!(press(&mut screen, &state, "a"), []);
    assert!(screen.toasts.last().unwrap().text.contains("no validation images"));
    let (state, mut screen) = (RunState::default(), screen);
    assert_eq!(press(&mut screen, &state, "a"), []);
    assert!(screen.toasts.last().unwrap().text.contains("not started"));
}

#[test]
fn p_probes_and_digits_turn_views_not_values() {
    let (state, mut screen) = fold(&midway(Kind::Rrm, Machines::Gpu));
    assert_eq!(press(&mut screen, &state, "p"), [Effect::Ask(Command::Evaluate, Asked::Probe)]);
    assert_eq!(press(&mut screen, &state, "089"), []);
    assert_eq!((screen.view, &screen.dialog, screen.pending.len()), (View::Dash, &None, 0));
    assert!(screen.toasts.iter().all(|t| t.text.contains("λ")), "{:?}", screen.toasts);
    press(&mut screen, &state, "\t3");
    assert_eq!((screen.view, screen.focus, &screen.dialog), (View::Robust, Pane::Verdict, &None));
    press(&mut screen, &state, "\tz1");
    assert_eq!((screen.view, screen.focus, screen.maximised), (View::Dash, Pane::Loss, None));
    press(&mut screen, &state, "3");
    assert_eq!((screen.focus, screen.maximised), (Pane::Curve, Some(Pane::Curve)));
    press(&mut screen, &state, "\x1b");
    assert_eq!((screen.view, screen.maximised), (View::Robust, None));
    press(&mut screen, &state, "\x1b");
    assert_eq!((screen.view, screen.focus), (View::Dash, Pane::Loss));
    press(&mut screen, &state, "1\x1b");
    assert_eq!(screen.view, View::Dash);
}

#[test]
fn what_stands_still_costs_nothing() {
    let (state, mut screen) = robust(&recording::paused(two_reports()));
    screen.toasts.clear();
    for (width, height) in [(60, 16), (80, 24), (120, 40)] {
        let before = picture(width, height, &state, &screen);
        screen.now_ms += 61_000;
        screen.expire();
        assert_eq!(picture(width, height, &state, &screen), before);
    }
}

#[test]
fn older_reports_are_looked_at_and_the_newest_is_followed_again() {
    let records = two_reports();
    let (mut state, mut screen) = robust(&records);
    assert!(picture(120, 40, &state, &screen).contains("report 2 of 2, step 470, student"));
    press(&mut screen, &state, "h");
    let older = picture(120, 40, &state, &screen);
    assert!(older.contains("report 1 of 2, step 281, student") && older.contains(" 21.5 %"), "{older}");
    press(&mut screen, &state, "hhl");
    assert_eq!(screen.report, None, "the newest is followed");
    press(&mut screen, &state, "h");
    let next = examined(records, 0.4);
    for record in next.iter().rev().take(2).rev() {
        state.apply(record);
        screen.saw(record, &state);
    }
    assert!(picture(120, 40, &state, &screen).contains("report 1 of 3"), "one looked at stays");
}

#[test]
fn a_hundred_classes_are_a_list_and_a_lost_one_is_first() {
    let mut report = recording::report(0.3);
    let class = report.classes[0].clone();
    report.classes =
        (0..100).map(|i| rematch::protocol::report::ClassReport { name: format!("kind {i}"), ..class.clone() }).collect();
    report.classes[42].adversarial = 0.0;
    report.confusion =
        (0..100).map(|i| (0..100).map(|j| u64::from(i == j) * 9 + u64::from((i, j) == (42, 7)) * 11).collect()).collect();
    let (state, screen) = with(report);
    let shown = picture(120, 40, &state, &screen);
    assert!(shown.contains("! 42 kind 42") && shown.contains("more lines: Tab, Down"), "{shown}");
    assert!(shown.contains("42 kind 42 → 7 kind 7") && shown.contains("11 of 20   55.0 %"), "{shown}");
}

#[test]
fn what_does_not_fit_is_scrolled_to() {
    let (state, mut screen) = robust(&two_reports());
    let looked_for = "looked for 4 things in all";
    assert!(!picture(60, 16, &state, &screen).contains(looked_for));
    press(&mut screen, &state, "jjjj");
    let shown = picture(60, 16, &state, &screen);
    assert!(shown.contains(looked_for) && shown.contains("the end"), "{shown}");
    press(&mut screen, &state, "\t\t");
    assert!(picture(80, 24, &state, &screen).contains("! 0 t-shirt"), "another pane begins at its top");
    press(&mut screen, &state, "jjjjjjjjjjjjjjjjjjjjj");
    let shown = picture(80, 24, &state, &screen);
    assert!(shown.contains("4 coat") && !shown.contains("! 0 t-shirt"), "{shown}");
}

#[test]
fn of_several_attacks_the_worst_case_is_what_counts() {
    let mut report = recording::report(0.3);
    let mut square = report.attacks[0].clone();
    (square.ensemble.name, square.adversarial, square.largest) = ("square-5000".into(), 0.28, 7.5 / 255.0);
    for member in &mut square.ensemble.members {
        member.eps = Eps(8.0 / 255.0);
    }
    report.attacks[0] = rematch::protocol::report::AttackReport { largest: 8.0 / 255.0, ..square.clone() };
    report.attacks[0].ensemble.name = "pgd-50x10".into();
    report.attacks.push(square);
    report.worst_case = 0.27;
    report.of = Whose::Teacher;
    report.doubts.clear();
    let (state, screen) = with(report);
    let shown = picture(120, 40, &state, &screen);
    for said in [
        "worst case   27.0 %",
        "square-5000  28.0 %",
        "report 1 of 1, step 470, teacher",
        "largest L-inf distance 8/255 of 8/255",
        "no doubts; looked for zero gradients, rises with",
    ] {
        assert!(shown.contains(said), "{said:?} in\n{shown}");
    }
}

#[test]
fn the_curve_ends_at_twice_the_radius_of_training_in_its_own_form() {
    let mut records = two_reports();
    if let Event::Started(started) = &mut records[0].event {
        started.config.threat.eps = Eps(16.0 / 255.0);
    }
    let (state, mut screen) = robust(&records);
    press(&mut screen, &state, "\tz");
    let shown = picture(120, 40, &state, &screen);
    let axis = shown.lines().find(|line| line.contains("ε 0")).unwrap();
    assert!(["8/255", "16/255", "24/255", "32/255"].iter().all(|label| axis.contains(label)), "{axis}");
}

fn with(report: Report) -> (RunState, Screen) {
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    let last = records.last().unwrap().clone();
    let event = Event::Examined { step: 470, by: None, report: Box::new(report) };
    records.push(Record { seq: last.seq + 1, at_ms: last.at_ms, event });
    robust(&records)
}

#[test]
fn damaged_reports_are_shown_as_far_as_they_go() {
    let whole = recording::report(0.3);
    let mut odd = whole.clone();
    odd.classes.truncate(3);
    odd.classes[1].adversarial = 7.5;
    odd.classes[2].name = "a\tb\u{1b}[2J".repeat(40);
    odd.confusion = vec![vec![u64::MAX, u64::MAX], vec![], vec![1; 30]];
    odd.images = u64::MAX;
    odd.natural = -3.0;
    odd.worst_case = 1e300;
    odd.attacks[0].ensemble.members.clear();
    let mut empty = whole.clone();
    (empty.classes, empty.confusion, empty.attacks, empty.doubts, empty.looked_for) = Default::default();
    empty.curve = None;
    empty.images = 0;
    let mut pointless = whole;
    pointless.curve.as_mut().unwrap().points.clear();
    pointless.looked_for.clear();
    for report in [odd, empty, pointless] {
        let (state, mut screen) = with(report);
        for keys in ["", "\t", "\t", "\t", "z", "\t", "\t", "\t"] {
            press(&mut screen, &state, keys);
            for (width, height) in [(1, 1), (60, 16), (61, 17), (80, 24), (120, 40), (200, 60), (250, 80)] {
                picture(width, height, &state, &screen);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]
    /// Any plan that the dialog can be brought to is one for validation images, under the config's threat, with an attack in it.
    #[test]
    fn whatever_is_turned_makes_a_plan(keys in "[jklh ]{0,30}", classes in 2usize..12, validation in 1u64..3000) {
        let mut records = midway(Kind::Rrm, Machines::Gpu);
        if let Event::Started(started) = &mut records[0].event {
            let started: &mut Started = started;
            started.data.classes = (0..classes).map(|c| c.to_string()).collect();
            started.data.validation = validation;
        }
        let (state, mut screen) = fold(&records);
        press(&mut screen, &state, &format!("a{keys}"));
        let open = matches!(screen.dialog, Some(Dialog::Evaluate { .. }));
        prop_assert!(open);
        picture(80, 24, &state, &screen);
        let effects = press(&mut screen, &state, "\n");
        let plans = plans(&effects);
        prop_assert_eq!(plans.len(), 1);
        prop_assert!(plans[0].ensembles[0].members.iter().all(|m| m.eps == Eps(0.1) && classes >= m.name.classes_needed()));
        prop_assert!(!plans[0].ensembles[0].members.is_empty() && plans[0].images.is_none_or(|n| n < validation));
    }
}
