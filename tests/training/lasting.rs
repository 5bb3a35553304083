//! Runs that go on, begin elsewhere and are run again: what was done by hand is in the log with its step, and that is enough.

use super::methods::{broken, every_method, of};
use super::*;
use rematch::config::{Answer, Planned};
use rematch::protocol::{Dial, Timed};
use rematch::run::checkpoints::{self, Reason};
use rematch::run::plan::Plan;
use rematch::run::script::Script;

fn script(ended: &Ended) -> Script {
    let mut script = Script::default();
    for record in &ended.records {
        script.see(record);
    }
    script
}

fn planned(ended: &Ended) -> Vec<Planned> {
    let mut plan = Plan::default();
    for record in &ended.records {
        plan.see(record);
    }
    plan.changes()
}

fn set(change: Change) -> Command {
    Command::Set { change, note: Some("by hand".into()) }
}

/// Trains while somebody turns: something from the start, a ramp, and something in the middle.
fn steered(config: &Config, extra: Option<(Dial, f64)>) -> Ended {
    let half = config.train.epochs * 5 / 2;
    let ramp = Timed { dial: Dial::LrScale, to: 0.3, at: half, over: 4, note: None, from: None, asked_at: None };
    let first = [Command::Schedule(ramp), set(Change::LrScale(0.8))];
    let mut run = Running::starting_with(config.clone(), options(), &first);
    run.until("an epoch", |e| matches!(e, Event::EpochFinished(_)));
    // Whatever step it has come to by now.
    let id = match extra {
        Some((dial, value)) => run.ask(set(dial.to(value))),
        None => run.ask(set(Change::Eps(Eps(0.05)))),
    };
    run.until("its answer", |e| matches!(e, Event::Controlled { by: Some(by), .. } if *by == id));
    run.end()
}

#[test]
fn a_steered_run_of_every_method_repeats_bit_for_bit() {
    let (_dir, teacher) = teacher();
    let all = [Method::Erm, sat(2)].into_iter().chain(every_method());
    for method in all {
        let name = method.name();
        let config = of(method, &teacher, 6);
        let dial = match method {
            Method::Rrm(_) => Some((Dial::Lambda, 0.7)),
            Method::Kd(_) | Method::Ard(_) | Method::Rslad(_) => Some((Dial::Alpha, 0.4)),
            Method::Trades(_) => Some((Dial::Beta, 2.0)),
            _ => None,
        };
        let steps = 30 * u64::from(method.replays());
        let original = steered(&config, dial);
        let plain = whole(config.clone());
        assert!(original.tensors(steps) != plain.tensors(steps), "{name}: steering changed nothing");
        let script = script(&original);
        assert_eq!(script.entries().len(), 3, "{name}: {:?}", script.entries());
        let again = Running::start(config.clone(), Options { script: script.after(0), until: Some(steps), ..options() }).end();
        assert!(original.tensors(steps) == again.tensors(steps), "{name}: the repetition has other weights");
        // As a plan of the config it is the same run too, without anybody's hand.
        let mut config = config;
        config.steering.changes = planned(&original);
        let by_itself = whole(config);
        assert!(original.tensors(steps) == by_itself.tensors(steps), "{name}: the planned run has other weights");
        let by_hand = |e: &Event| matches!(e, Event::Controlled { by: Some(_), change, .. } if change.dial().is_some());
        assert!(!by_itself.records.iter().any(|r| by_hand(&r.event)), "{name}");
    }
}

#[test]
fn changes_made_after_a_checkpoint_are_made_again_when_going_on_from_it() {
    let (_dir, teacher) = teacher();
    let config = of(Method::Rrm(Rrm::cosine(0.05)), &teacher, 6);
    let original = steered(&config, Some((Dial::Lambda, 0.2)));
    let log = script(&original);
    let found = checkpoints::list(&original.folder.join("checkpoints"));
    assert!(found.len() > 3);
    let mut remade = 0;
    for found in &found {
        let again = log.after(found.state.seq);
        remade += again.len();
        let options = Options { resume: Some(found.path.clone()), script: again, ..options() };
        let resumed = Running::start(config.clone(), options).end();
        assert!(original.tensors(30) == resumed.tensors(30), "from step {}", found.state.step);
    }
    assert!(remade > 0, "no checkpoint lay before a change");
}

#[test]
fn the_way_back_of_a_break_down_survives_a_checkpoint() {
    let mut config = broken(Answer::RollBack);
    config.checkpoint.every_epochs = 7;
    let through = whole(config.clone());
    let back = |e: &Event| matches!(e, Event::Controlled { by: None, change: Change::StepSize(_), .. });
    assert!(through.records.iter().any(|r| back(&r.event)), "it never went back");
    for found in checkpoints::list(&through.folder.join("checkpoints")) {
        assert!(found.path.join("watch.safetensors").exists());
        if found.state.reason == Reason::Periodic && found.state.step < 60 {
            let resumed = Running::start(config.clone(), Options { resume: Some(found.path.clone()), ..options() }).end();
            assert_eq!((resumed.step, &resumed.outcome), (through.step, &through.outcome), "from step {}", found.state.step);
            assert!(through.tensors(through.step) == resumed.tensors(through.step), "from step {}", found.state.step);
        }
    }
}

#[test]
fn the_best_the_last_and_the_way_back_from_a_change_are_kept() {
    let (_dir, teacher) = teacher();
    let mut config = rrm(&teacher, 0.05, 40);
    (config.checkpoint.keep_last, config.probe.per_epoch) = (1, 2);
    let mut run = Running::start(config, options());
    run.until("some epochs", |e| matches!(e, Event::EpochFinished(epoch) if epoch.epoch == 3));
    let far = run.ask(set(Change::Lambda(0.2)));
    let Event::Controlled { step: turned, .. } =
        run.until("its answer", |e| matches!(e, Event::Controlled { by: Some(by), .. } if *by == far))
    else {
        unreachable!()
    };
    let near = run.ask(set(Change::Lambda(0.3)));
    run.until("its answer", |e| matches!(e, Event::Controlled { by: Some(by), .. } if *by == near));
    let ended = run.end();
    let found = checkpoints::list(&ended.folder.join("checkpoints"));
    for found in &found {
        checkpoints::verify(&found.path).unwrap();
    }
    let of = |reason| found.iter().filter(|f| f.state.reason == reason).map(|f| f.state.step).collect::<Vec<_>>();
    assert_eq!(of(Reason::Final), [200]);
    // That of the last step has become the final one.
    assert!(of(Reason::Periodic).len() <= 1, "{found:#?}");
    assert!(of(Reason::BeforeChange).len() <= 1 && of(Reason::BeforeChange).iter().all(|&step| step == turned));
    let probes = ended.records.iter().filter_map(|r| match &r.event {
        Event::Evaluated(e) if e.purpose == Purpose::Probe && e.of == Whose::Student => Some(e.adversarial),
        _ => None,
    });
    let most = probes.fold(0.0, f64::max);
    let best = checkpoints::best(&found, Eps(0.1)).unwrap();
    assert_eq!(best.state.probed.unwrap().adversarial, most);
    assert_eq!(best.state.best, Some(most));
}

#[test]
fn a_branch_begins_where_the_other_was_with_what_its_config_says_otherwise() {
    let (_dir, teacher) = teacher();
    let config = of(Method::Rrm(Rrm::cosine(0.05)), &teacher, 4);
    let first = [set(Change::LrScale(0.5)), set(Change::Lambda(0.3))];
    let parent = Running::starting_with(config.clone(), options(), &first).end();
    let begin = |changed: Config| {
        let from = Options { resume: Some(parent.checkpoint(10)), branch: Some(Box::new(config.clone())), ..options() };
        let ended = Running::start(changed, from).end();
        let Event::Started(started) = &ended.records[0].event else { panic!("{:?}", ended.records[0]) };
        ((started.from_step, started.controls.lambda, started.controls.lr_scale), ended)
    };
    let (same, alike) = begin(config.clone());
    assert_eq!(same, (10, 0.3, 0.5), "what was turned stays turned");
    assert!(alike.tensors(20) == parent.tensors(20));
    let mut other = config.clone();
    other.method = Method::Rrm(Rrm::cosine(0.001));
    let (changed, _) = begin(other);
    assert_eq!(changed, (10, 0.001, 0.5), "what the config says otherwise counts");
    let (method, _) = begin(of(Method::Erm, &teacher, 4));
    assert_eq!((method.0, method.2), (10, 1.0), "another method begins with its own dials");
    // Another batch has other steps: as far in the epochs as it was.
    let mut smaller = config.clone();
    smaller.train.batch = BATCH / 2;
    let (halved, ended) = begin(smaller);
    assert_eq!((halved.0, ended.step), (20, 40));
    let mut shorter = config.clone();
    shorter.train.epochs = 2;
    let from = Options { resume: Some(parent.checkpoint(10)), branch: Some(Box::new(config)), ..options() };
    let Err(error) = prepare(shorter, data(), from) else { panic!("there is nothing left to train") };
    assert!(error.to_string().contains("nothing left to train"), "{error}");
}

#[test]
fn no_memory_is_told_with_numbers_and_a_way_on() {
    let fault = Some(Fault::OutOfMemory(7));
    let ended = Running::start(config(Method::Erm, 4), Options { fault, ..options() }).end();
    let Outcome::Failed { message } = &ended.outcome else { panic!("{:?}", ended.outcome) };
    for part in
        ["out of memory on the GPU with train.batch = 16", "2.50 GiB were wanted", "rematch fork r --at 5 -s train.batch=8"]
    {
        assert!(message.contains(part), "{message}");
    }
    // It goes on as if that had not happened.
    let resumed = Running::start(config(Method::Erm, 4), Options { resume: Some(ended.checkpoint(5)), ..options() }).end();
    assert!(resumed.tensors(20) == whole(config(Method::Erm, 4)).tensors(20));
}

#[test]
fn plans_that_cannot_come_keep_a_run_from_starting() {
    for (change, why) in
        [("lambda 0.1 at 3", "erm has no lambda"), ("lr_scale 0.1 at 99", "ends beyond the run, which has 20 steps")]
    {
        let mut config = config(Method::Erm, 4);
        config.steering.changes = vec![Planned::parse(change, Norm::Linf).unwrap()];
        let Err(error) = prepare(config, data(), options()) else { panic!("{change}") };
        assert!(error.to_string().contains(why), "{error}");
    }
}
