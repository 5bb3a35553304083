//! What is measured and shown for whoever steers, and changes that come by themselves: what they tell, and what they leave alone.

use super::*;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rematch::protocol::insight::{Exhibit, Group, Pulls};
use rematch::protocol::{Dial, Stair, Timed};

fn pulls(ended: &Ended) -> Vec<Pulls> {
    ended.records.iter().filter_map(|r| if let Event::Pulled(pulls) = &r.event { Some(pulls.clone()) } else { None }).collect()
}

fn with_insight(config: Config) -> Config {
    Config { insight: Insight { every: 3, images: 8 }, ..config }
}

#[test]
fn pulls_are_measured_on_the_way_and_change_nothing() {
    let (_dir, teacher) = teacher();
    let plain = whole(rrm(&teacher, 0.05, 2));
    let watched = whole(with_insight(rrm(&teacher, 0.05, 2)));
    assert!(plain.tensors(10) == watched.tensors(10), "looking changed what was trained");
    assert!(pulls(&plain).is_empty());
    let found = pulls(&watched);
    assert_eq!(found.iter().map(|p| p.step).collect::<Vec<_>>(), [3, 6, 9]);
    for pulls in &found {
        assert_eq!((pulls.terms, pulls.images), ([Term::WeightedCrossEntropy, Term::Representation], 8));
        assert!(pulls.norms.iter().all(|norm| norm.0 > 0.0) && (0.0..1.0).contains(&pulls.share()), "{pulls:?}");
        assert!(pulls.cosine.0.abs() <= 1.0);
        // Features of the same image are nearer to each other than those of different ones, once anything is learned.
        assert!(pulls.matched.unwrap() > pulls.shuffled.unwrap(), "{pulls:?}");
    }
    // Methods with one term have nothing to weigh.
    assert!(pulls_of_one_term().is_empty());
}

fn pulls_of_one_term() -> Vec<Pulls> {
    pulls(&whole(with_insight(config(Method::Erm, 1))))
}

#[test]
fn a_pull_grows_with_its_weight() {
    let (_dir, teacher) = teacher();
    let first = |lambda| {
        let mut config = with_insight(rrm(&teacher, lambda, 1));
        // Nothing is learned, so that the same weights are looked at.
        config.train.lr = 1e-30;
        config.train.schedule = Schedule::Constant;
        config.train.weight_decay = 0.0;
        pulls(&whole(config)).remove(0)
    };
    let (small, large, none) = (first(0.1), first(0.4), first(0.0));
    assert!((large.norms[0].0 / small.norms[0].0 - 4.0).abs() < 1e-3, "{small:?} {large:?}");
    assert_eq!((small.norms[1], small.matched), (large.norms[1], large.matched));
    assert_eq!((none.norms[0].0, none.share()), (0.0, 0.0));
}

fn exhibit(run: &mut Running, each: u64) -> Exhibit {
    look(run, each, 0, 0)
}

fn look(run: &mut Running, each: u64, fooled: u64, from: u64) -> Exhibit {
    let id = run.ask(Command::Exhibit { each, fooled, from });
    let Event::Exhibited(exhibit) = run.until("exhibit", |e| matches!(e, Event::Exhibited(e) if e.by == Some(id))) else {
        unreachable!()
    };
    *exhibit
}

#[test]
fn images_under_attack_are_those_that_the_probe_counts() {
    let mut run =
        Running::starting_with(config(sat(2), 3), options(), &[Command::Set { change: Change::Flow(Flow::Paused), note: None }]);
    run.until("pause", |e| matches!(e, Event::Controlled { change: Change::Flow(Flow::Paused), .. }));
    let untrained = exhibit(&mut run, 2);
    assert_eq!((untrained.looked, untrained.saved, untrained.step), (20, 0, 0));
    run.ask(Command::Set { change: Change::Flow(Flow::Running), note: None });
    run.until("end of an epoch", |e| matches!(e, Event::EpochFinished(e) if e.epoch == 2));
    run.ask(Command::Set { change: Change::Flow(Flow::Paused), note: None });
    run.until("pause", |e| matches!(e, Event::Controlled { change: Change::Flow(Flow::Paused), .. }));
    let id = run.ask(Command::Evaluate);
    let Event::Evaluated(probe) = run.until("probe", |e| matches!(e, Event::Evaluated(e) if e.by == Some(id))) else {
        unreachable!()
    };
    let shown = exhibit(&mut run, 8);
    assert_eq!((shown.looked, &shown.attack), (probe.images, &probe.attack));
    assert_eq!(shown.standing as f64, probe.adversarial * probe.images as f64);
    assert_eq!((shown.standing + shown.fooled) as f64, probe.natural * probe.images as f64);
    assert!(shown.saved <= shown.standing);
    for piece in &shown.pieces {
        let [image, delta] = [&piece.image, &piece.delta].map(|text| BASE64_STANDARD.decode(text).unwrap());
        assert_eq!((piece.shape, image.len(), delta.len()), ([1, 28, 28], 784, 784));
        assert!(piece.scale > 0.0 && piece.scale <= 0.1 + 1e-5, "{}", piece.scale);
        // Both ends of the box hold, to half a step of what a byte can tell.
        for (&pixel, &d) in image.iter().zip(&delta) {
            let moved = f64::from(pixel) / 255.0 + (f64::from(d) - 128.0) / 127.0 * piece.scale;
            assert!((-0.004..=1.004).contains(&moved), "{moved}");
        }
        assert_eq!(piece.student.before.class, piece.label);
        assert_eq!(piece.student.after.class == piece.label, piece.group != Group::Fooled, "{piece:?}");
        assert!(piece.teacher.is_none());
    }
    let of = |group| shown.pieces.iter().filter(|p| p.group == group).count() as u64;
    assert_eq!(
        (of(Group::Fooled), of(Group::Saved), of(Group::Hardest)),
        (shown.fooled.min(8), shown.saved.min(8), shown.standing.min(8))
    );
    // All fooled images can be had, at once and page by page, and the others stay as few as they were asked for.
    let fooled = |shown: &Exhibit| {
        let pieces = shown.pieces.iter().filter(|p| p.group == Group::Fooled);
        pieces.map(|p| p.index).collect::<Vec<_>>()
    };
    // Under a wide attack many are; it is narrow again before training goes on.
    let radius = |run: &mut Running, eps: f64| run.ask(Command::Set { change: Change::Eps(Eps(eps)), note: None });
    radius(&mut run, 0.5);
    let all = look(&mut run, 1, 200, 0);
    let page = look(&mut run, 1, 2, 2);
    radius(&mut run, 0.1);
    assert!(all.fooled > 4, "{}", all.fooled);
    assert_eq!((fooled(&all).len() as u64, all.from, page.from), (all.fooled, 0, 2));
    assert!(all.pieces.iter().filter(|p| p.group == Group::Hardest).count() <= 1);
    assert_eq!(fooled(&page), fooled(&all)[2..4]);
    let refused = run.ask(Command::Exhibit { each: 9, fooled: 0, from: 0 });
    run.until("refusal", |e| matches!(e, Event::Refused { by, reason } if *by == refused && reason.contains("1 to 8")));
    run.ask(Command::Set { change: Change::Flow(Flow::Running), note: None });
    let ended = run.end();
    assert!(ended.tensors(15) == whole(config(sat(2), 3)).tensors(15), "looking changed what was trained");
}

#[test]
fn the_teachers_view_of_the_same_images_is_there() {
    let (_dir, teacher) = teacher();
    let first = [Command::Exhibit { each: 3, fooled: 0, from: 0 }];
    let mut run = Running::starting_with(rrm(&teacher, 0.05, 1), options(), &first);
    let Event::Exhibited(shown) = run.until("exhibit", |e| matches!(e, Event::Exhibited(_))) else { unreachable!() };
    assert!(shown.pieces.iter().all(|piece| piece.teacher.is_some()));
    run.end();
}

/// What lambda was set to by a schedule, and when.
fn stairs(ended: &Ended) -> Vec<(u64, f64, Option<Stair>)> {
    ended
        .records
        .iter()
        .filter_map(|r| match &r.event {
            Event::Controlled { step, change: Change::Lambda(to), by: None, stair, .. } => Some((*step, *to, *stair)),
            _ => None,
        })
        .collect()
}

fn timed(to: f64, at: u64, over: u64) -> Command {
    Command::Schedule(Timed { dial: Dial::Lambda, to, at, over, note: Some("as planned".into()), from: None, asked_at: None })
}

#[test]
fn scheduled_changes_come_at_their_steps_and_survive_a_resume() {
    let (_dir, teacher) = teacher();
    let config = rrm(&teacher, 0.0, 4);
    let first = [timed(0.5, 3, 0), timed(0.1, 8, 4)];
    let ended = Running::starting_with(config.clone(), options(), &first).end();
    let found = stairs(&ended);
    let at: Vec<(u64, f64)> = found.iter().map(|(step, to, _)| (*step, *to)).collect();
    assert_eq!(at, [(3, 0.5), (9, 0.4), (10, 0.3), (11, 0.2), (12, 0.1)].map(|(s, v): (u64, f64)| (s, v)));
    assert_eq!(found[2].2, Some(Stair { number: 2, of: 4 }));
    let planned = ended.records.iter().filter(|r| matches!(&r.event, Event::Scheduled { by: Some(_), .. })).count();
    assert_eq!(planned, 2);
    // A person asked for both: they are that person's, whole, with the steps that were announced.
    let mut state = rematch::run::RunState::default();
    ended.records.iter().for_each(|record| state.apply(record));
    let turns: Vec<_> = state.turns.iter().map(|turn| (turn.step, turn.over, turn.new, turn.who())).collect();
    let by_hand = || "by hand, scheduled at step 0".to_string();
    assert_eq!(turns, [(3, 0, 0.5, by_hand()), (8, 4, 0.1, by_hand())]);
    let told: Vec<String> = state.turned().map(|marker| format!("{} {}", marker.with_steps(), marker.who())).collect();
    assert_eq!(told[1], "λ 0.5 -> 0.1 over steps 8 to 12 by hand, scheduled at step 0");
    // In the middle of the ramp.
    let resumed = Running::start(config, Options { resume: Some(ended.checkpoint(10)), ..options() }).end();
    assert_eq!(stairs(&resumed).iter().map(|(step, to, _)| (*step, *to)).collect::<Vec<_>>(), [(10, 0.3), (11, 0.2), (12, 0.1)]);
    assert!(ended.tensors(20) == resumed.tensors(20), "weights differ after resuming on a ramp");
}

#[test]
fn what_cannot_come_is_refused_and_what_will_not_is_told() {
    let (_dir, teacher) = teacher();
    let pause = Command::Set { change: Change::Flow(Flow::Paused), note: None };
    let mut run = Running::starting_with(rrm(&teacher, 0.0, 4), options(), &[pause]);
    let dial = Dial::Beta;
    let foreign = Command::Schedule(Timed { dial, to: 1.0, at: 5, over: 0, note: None, from: None, asked_at: None });
    for (command, why) in [
        (timed(-1.0, 5, 0), "allowed: 0 to"),
        (timed(f64::NAN, 5, 0), "allowed: 0 to"),
        (timed(0.5, 20, 0), "beyond the run"),
        (timed(0.5, 15, 6), "ends beyond the run"),
        (timed(0.5, 5, u64::MAX), "ends beyond the run"),
        (foreign, "rrm has no beta"),
        (Command::Unschedule(Dial::Lambda), "nothing is scheduled"),
    ] {
        let id = run.ask(command.clone());
        let Event::Refused { reason, .. } = run.until("refusal", |e| matches!(e, Event::Refused { by, .. } if *by == id)) else {
            unreachable!()
        };
        assert!(reason.contains(why), "{command:?}: {reason}");
    }
    run.ask(timed(0.5, 5, 10));
    let meets = run.ask(timed(0.2, 15, 0));
    run.until("refusal", |e| matches!(e, Event::Refused { by, reason } if *by == meets && reason.contains("already")));
    let gone = run.ask(Command::Unschedule(Dial::Lambda));
    run.until("word of it", |e| matches!(e, Event::Unscheduled { by: Some(by), .. } if *by == gone));
    run.ask(Command::Set { change: Change::Flow(Flow::Running), note: None });
    let ended = run.end();
    assert!(stairs(&ended).is_empty());
}

#[test]
fn a_hand_on_the_dial_ends_its_ramp() {
    let (_dir, teacher) = teacher();
    let pause = Command::Set { change: Change::Flow(Flow::Paused), note: None };
    let mut run = Running::starting_with(rrm(&teacher, 0.0, 4), options(), &[timed(1.0, 0, 20), pause]);
    run.until("pause", |e| matches!(e, Event::Controlled { change: Change::Flow(Flow::Paused), .. }));
    run.ask(Command::Set { change: Change::Lambda(0.05), note: None });
    run.until("end of the ramp", |e| matches!(e, Event::Unscheduled { by: None, reason: Some(_), .. }));
    run.ask(Command::Set { change: Change::Flow(Flow::Running), note: None });
    assert!(stairs(&run.end()).is_empty());
}
