//! Slow falls, falls after a change by hand, a limit that somebody set, and teachers with nothing to match.

use super::*;
use crate::protocol::insight::TeacherFault;

fn by_hand(step: Step, from: f64, to: f64) -> Event {
    let Event::Controlled { change, previous, .. } = turned(step, from, to) else { panic!("a turn is a turn") };
    Event::Controlled { step, by: Some(crate::protocol::CommandId(1)), change, previous, note: None, stair: None }
}

#[test]
fn a_slow_fall_is_told_once_with_its_best_look() {
    // From 51 % to 1 %, never by more than a few points.
    let slow: Vec<(f64, f64)> = (0..=25).map(|i| (0.8 - 0.01 * f64::from(i), 0.51 - 0.02 * f64::from(i))).collect();
    let story = Story::new().all(probes(&slow));
    let first = &story.told[0];
    assert!(first.message.starts_with("robustness fell slowly: best 51.0 % @ step 71, now 29.0 % @ step 852"), "{first:?}");
    let slow = story.told.iter().filter(|alert| alert.message.contains("fell slowly")).count();
    assert!(slow <= 2, "{:?}", story.told);
    // Also where natural accuracy falls with it, and with the change that came in between.
    let together: Vec<(f64, f64)> = (0..=12).map(|i| (0.8 - 0.03 * f64::from(i), 0.51 - 0.02 * f64::from(i))).collect();
    let mut events = probes(&together);
    events.insert(1, turned(100, 0.005, 0.05));
    Story::new().all(events).once(Warning::Other, &["best 51.0 %", "λ 0.005 -> 0.05 at step 100"]);
    let wavers: Vec<(f64, f64)> = (0..40).map(|i| (0.8, if i % 2 == 0 { 0.51 } else { 0.38 })).collect();
    assert_eq!(Story::new().all(probes(&wavers)).told, []);
}

#[test]
fn a_fall_after_a_change_by_hand_names_the_change_and_no_other() {
    // Too small a fall to be a break-down.
    let accuracies = [(0.7, 0.42), (0.72, 0.43), (0.72, 0.30), (0.72, 0.30), (0.72, 0.31)];
    let mut events = probes(&accuracies);
    events.insert(2, by_hand(150, 0.005, 0.05));
    Story::new()
        .all(events)
        .once(Warning::Other, &["accuracy fell after λ 0.005 -> 0.05 at step 150", "43.0 % @ step 142 -> 30.0 % @ step 213"]);
    // By plan it is expected; without a change, and after a rise, nothing is told.
    let mut events = probes(&accuracies);
    events.insert(2, turned(150, 0.005, 0.05));
    assert_eq!(Story::new().all(events).told, []);
    assert_eq!(Story::new().all(probes(&accuracies)).told, []);
    let mut events = probes(&[(0.7, 0.42), (0.72, 0.43), (0.73, 0.44), (0.72, 0.45)]);
    events.insert(2, by_hand(150, 0.005, 0.05));
    assert_eq!(Story::new().all(events).told, []);
    // A ramp that somebody typed is by hand as well, and natural accuracy counts too.
    let timed = Timed { dial: Dial::Lambda, to: 0.3, at: 72, over: 4, note: None, from: None, asked_at: None };
    let scheduled = Event::Scheduled { step: 71, by: Some(crate::protocol::CommandId(2)), timed };
    let stair = |number, from, to| {
        let Event::Controlled { change, previous, .. } = turned(0, from, to) else { panic!("a turn is a turn") };
        Event::Controlled { step: 72 + number, by: None, change, previous, note: None, stair: Some(Stair { number, of: 2 }) }
    };
    let mut events = probes(&[(0.8, 0.42), (0.6, 0.38)]);
    events.splice(1..1, [scheduled, stair(1, 0.1, 0.2), stair(2, 0.2, 0.3)]);
    Story::new().all(events).once(Warning::Other, &["λ 0.1 -> 0.3", "natural 80.0 % -> 60.0 %"]);
}

#[test]
fn a_limit_is_told_when_it_was_reached_or_half_of_the_run_is_done() {
    let story = |accuracies: &[f64]| {
        let mut started = started("cpu");
        started.config.alerts.adversarial_below = Some(0.3);
        started.config.threat.eps = Eps(8.0 / 255.0);
        started.plan.epochs = 20;
        let all: Vec<(f64, f64)> = accuracies.iter().map(|a| (0.7, *a)).collect();
        Story::new().all([Event::Started(started)]).all(probes(&all))
    };
    assert_eq!(story(&[0.1, 0.15, 0.2, 0.25]).told, [], "a run begins below it");
    story(&[0.2, 0.35, 0.28, 0.27, 0.26])
        .once(Warning::Limit, &["below 30.0 %", "28.0 % @ step 213", "alerts.adversarial_below"]);
    assert_eq!(story(&[0.35, 0.28, 0.35, 0.28]).kinds(), [Warning::Limit; 2]);
    assert_eq!(story(&[0.2; 12]).kinds(), [Warning::Limit]);
    assert_eq!(story(&[0.4; 12]).told, []);
}

#[test]
fn a_teacher_with_nothing_to_match_is_named_instead_of_lambda() {
    for (fault, words) in [
        (TeacherFault::Zero, "the teacher's features are all zero"),
        (TeacherFault::Constant, "the teacher's features are the same for every image"),
        (TeacherFault::NotFinite, "NaN"),
    ] {
        let broken = pulls(&[[0.5, 0.0]; 6]).into_iter().map(|event| {
            let Event::Pulled(pulls) = event else { panic!("these are pulls") };
            Event::Pulled(Pulls { teacher: Some(fault), ..pulls })
        });
        let story = Story::new().all(broken);
        story.once(Warning::Vanishing, &[words, "No λ helps"]);
        assert!(!story.told[0].message.contains("/ 10"), "{:?}", story.told);
    }
}
