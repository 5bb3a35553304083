//! Recorded runs, two thousand healthy ones, and records with any numbers whatsoever.

use super::*;
use proptest::prelude::*;

#[test]
fn the_demo_is_told_of_once_and_of_what_a_person_did() {
    let mut alerts = Alerts::default();
    let told: Vec<Alert> = demo().iter().flat_map(|record| alerts.see(record)).collect();
    // It shows a person who turns λ up a hundredfold and loses robustness: that is seen, nothing else, and not as a disease.
    let [only] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((only.kind, only.step), (Warning::Other, Some(462)));
    assert!(only.message.contains("41.6 % @ step 391 -> 14.8 % @ step 462 (pgd-10 eps 0.1, 500 validation images)"));
    assert!(only.message.contains("λ 0.005 -> 0.5 at step 422"), "{}", only.message);
}

#[test]
fn the_demo_up_to_that_turn_is_well() {
    let mut alerts = Alerts::default();
    let calm = demo().into_iter().take_while(|record| !matches!(record.event, Event::Controlled { .. }));
    assert_eq!(calm.flat_map(|record| alerts.see(&record)).collect::<Vec<_>>(), []);
}

#[test]
fn a_resumed_run_begins_anew() {
    let mut story = Story::new().all(entropies(&[0.9; 30])).all(probes(&[(0.7, 0.45)]));
    story.then(Event::Started(started("cpu")));
    let story = story.all(entropies(&[20.0; 5])).all(probes(&[(0.7, 0.1)]));
    assert_eq!(story.told, []);
}

/// A healthy run: everything goes the right way, and wavers as such things do.
fn healthy(seed: u64) -> Vec<Event> {
    let mut noise = crate::random::Stream::new(seed);
    let mut waver = move |by: f64| by * (2.0 * f64::from(noise.unit()) - 1.0);
    let mut events = Vec::new();
    for epoch in 1..=20u64 {
        let t = epoch as f64 / 20.0;
        for report in 0..7u64 {
            let step = 71 * (epoch - 1) + 10 * (report + 1);
            let entropy = 2.3 * (-2.0 * t).exp() * (1.0 + waver(0.4));
            let cosine = 1.0 - 0.6 * (-3.0 * t).exp() + waver(0.01);
            let terms = [
                (Term::CrossEntropy, entropy),
                (Term::Total, 0.005 * entropy - cosine),
                (Term::Representation, -cosine),
                (Term::Cosine, cosine),
            ];
            events.push(progress(step, &terms));
            events.push(timed((0.15 + waver(0.14)).max(0.0)));
            events.push(machine(70.0 + waver(29.0), 75.0 + waver(11.0)));
        }
        let step = 71 * epoch;
        events.push(pull(
            step,
            [0.1 + waver(0.08), 0.4 + waver(0.2)],
            1.0 - 0.6 * (-3.0 * t).exp() + waver(0.02),
            0.3 + waver(0.02),
        ));
        let (natural, adversarial) = (0.4 + 0.5 * t + waver(0.04), 0.1 + 0.4 * t + waver(0.04));
        events.push(Event::Evaluated(look(step, natural, adversarial)));
        events.push(watched(step, adversarial + 0.05 + waver(0.02)));
        events.push(Event::EpochFinished(EpochFinished { epoch, step, train_seconds: 1.0, evaluation_seconds: 0.0 }));
        events.push(Event::Saved(Saved { step, by: None, path: "x".into(), bytes: 1 << 20, ms: 1, held_ms: None }));
    }
    events
}

fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(0.0),
        Just(f64::MAX),
        Just(-1e300),
        -10.0..10.0f64,
        0.0..1.0f64
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    (0..9u32, any::<u64>(), wild(), wild(), wild()).prop_map(|(kind, step, a, b, c)| match kind {
        0 => progress(step, &[(Term::CrossEntropy, a), (Term::Total, b), (Term::Representation, c), (Term::Cosine, c)]),
        1 => Event::Evaluated(look(step, a, b)),
        2 => watched(step, a),
        3 => pull(step, [a, b], c, a),
        4 => timed(a),
        5 => machine(a, b),
        6 => Event::EpochFinished(EpochFinished { epoch: step, step, train_seconds: a, evaluation_seconds: b }),
        7 => turned(step, a.clamp(-1e6, 1e6), b.clamp(-1e6, 1e6)),
        _ => Event::Saved(Saved { step, by: None, path: String::new(), bytes: step, ms: 0, held_ms: None }),
    })
}

#[test]
fn two_thousand_healthy_runs_are_well() {
    for seed in 0..2_000 {
        let story = Story::on("cuda:0").all(healthy(seed));
        assert_eq!(story.told, [], "seed {seed}");
    }
}

proptest! {
    #[test]
    fn no_number_whatsoever_is_too_much(events in proptest::collection::vec(any_event(), 0..120)) {
        let story = Story::on("cuda:0").all(events);
        for alert in &story.told {
            prop_assert!(!alert.message.contains("NaN") && !alert.message.contains("inf "), "{}", alert.message);
        }
    }
}
