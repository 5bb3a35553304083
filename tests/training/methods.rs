//! What single methods add to a run: state that has to survive, data that has to be made, break-downs that have to be answered.

use super::*;
use rematch::config::{Answer, Ard, Cache, FastAt, FreeAt, Inputs, Kd, KdForm, NFgsm, Rdt, Reduction, RrmPlus, Rslad, Trades};
use rematch::protocol::Dial;
use rematch::protocol::event::{Split, Term};

const TRAIN: BatchNormMode = BatchNormMode::Train;
const EVAL: BatchNormMode = BatchNormMode::Eval;

pub fn every_method() -> Vec<Method> {
    let (steps, step_size, reduction) = (2, Eps(0.05), Reduction::ImagesAndClasses);
    vec![
        Method::FastAt(FastAt { steps: 1, step_size: Eps(0.125), batch_norm: TRAIN }),
        Method::NFgsm(NFgsm { step_size: Eps(0.1), noise: 2.0, batch_norm: TRAIN }),
        Method::FreeAt(FreeAt { replays: 2 }),
        Method::Trades(Trades { beta: 6.0, steps, step_size, batch_norm: EVAL }),
        Method::Rrm(Rrm { replays: 2, ..Rrm::cosine(0.05) }),
        Method::Kd(Kd { form: KdForm::Textbook, temperature: 4.0, alpha: 0.9 }),
        Method::Rdt(Rdt { inversion_steps: 3, inversion_step_size: 0.5 }),
        Method::Ard(Ard { temperature: 30.0, alpha: 1.0, steps, step_size, batch_norm: TRAIN, reduction }),
        Method::Rslad(Rslad { alpha: 0.8, steps, step_size, batch_norm: EVAL, reduction }),
        // Noisy first, attacked from the middle on.
        Method::RrmPlus(RrmPlus { inputs: Inputs::Noisy, attack_from: 0.5, alpha: 0.5, ..RrmPlus::plain(0.05, Eps(0.1)) }),
        Method::RrmPlus(RrmPlus { inputs: Inputs::Carried, alpha: 0.5, replays: 2, ..RrmPlus::plain(0.05, Eps(0.1)) }),
    ]
}

pub fn of(method: Method, teacher: &Path, epochs: u64) -> Config {
    let learns = matches!(
        method,
        Method::Rrm(_) | Method::RrmPlus(_) | Method::Kd(_) | Method::Rdt(_) | Method::Ard(_) | Method::Rslad(_)
    );
    let teacher = learns.then(|| Teacher::new(teacher.display().to_string()));
    let mut config = Config { teacher, ..config(method, epochs) };
    config.data.augment = if carries(method) { Augment::None } else { Augment::CropFlip };
    config
}

/// Whether each image has a perturbation of its own.
fn carries(method: Method) -> bool {
    matches!(method, Method::RrmPlus(RrmPlus { inputs: Inputs::Carried, .. }))
}

#[test]
fn every_method_goes_on_bit_for_bit_after_resuming() {
    let (_dir, teacher) = teacher();
    for (i, method) in every_method().into_iter().enumerate() {
        let name = method.name();
        let mut config = of(method, &teacher, 2);
        if i % 2 == 0 {
            config.train.ema = 0.9;
        }
        let steps = 10 * u64::from(method.replays());
        let through = whole(config.clone());
        assert_eq!((through.outcome.clone(), through.step), (Outcome::Completed, steps), "{name}");
        let half = through.checkpoint(steps / 2);
        let resumed = Running::start(config.clone(), Options { resume: Some(half.clone()), ..options() }).end();
        assert!(through.tensors(steps) == resumed.tensors(steps), "{name}: weights or momentum differ after resuming");
        assert!(through.tensors(steps / 2) != through.tensors(steps), "{name}: nothing moved");
        // The mean of weights is what others get, and not what is trained on.
        let model = |file: &str| tensors(&through.checkpoint(steps).join(file));
        assert_eq!(through.checkpoint(steps).join("training.safetensors").exists(), config.train.ema > 0.0, "{name}");
        if config.train.ema > 0.0 {
            assert!(model("model.safetensors") != model("training.safetensors"), "{name}");
        }
        assert_eq!(half.join("method.safetensors").exists(), name == "free-at" || carries(method), "{name}");
    }
}

#[test]
fn every_dial_of_every_method_turns_and_what_it_turns_changes_the_weights() {
    let (_dir, teacher) = teacher();
    for method in every_method() {
        let config = of(method, &teacher, 1);
        let plain = whole(config.clone()).tensors(5 * u64::from(method.replays()));
        let probe = Running::start(config.clone(), options()).end();
        let dials = probe
            .records
            .iter()
            .find_map(|r| match &r.event {
                Event::Started(started) => Some(started.dials.clone()),
                _ => None,
            })
            .unwrap();
        for dial in dials {
            let value = match dial {
                Dial::AttackSteps => 3.0,
                Dial::Probes => 2.0,
                Dial::Temperature => 9.0,
                _ => 0.03,
            };
            let first = [Command::Set { change: dial.to(value), note: None }];
            let ended = Running::starting_with(config.clone(), options(), &first).end();
            let turned = ended
                .records
                .iter()
                .any(|r| matches!(&r.event, Event::Controlled { step: 0, change, .. } if *change == dial.to(value)));
            assert!(turned, "{} {dial:?}", method.name());
            let same = ended.tensors(5 * u64::from(method.replays())) == plain;
            // Probes, and their radius where training attacks nothing, are looked at and not learned from.
            let looks_only = dial == Dial::Probes || (dial == Dial::Eps && !method.attacks());
            assert_eq!(same, looks_only, "{} {dial:?}", method.name());
            if dial == Dial::Probes {
                let probes = ended
                    .records
                    .iter()
                    .filter(|r| matches!(&r.event, Event::Evaluated(e) if e.purpose == Purpose::Probe && e.of == Whose::Student));
                assert_eq!(probes.count(), 2, "{}", method.name());
            }
        }
    }
}

pub fn broken(answer: Answer) -> Config {
    // A learning rate at which robustness goes up and down by itself.
    let method = Method::FastAt(FastAt { steps: 1, step_size: Eps(0.3), batch_norm: TRAIN });
    let mut config = config(method, 60);
    config.train.batch = IMAGES; // one step an epoch
    config.checkpoint.every_epochs = 100;
    config.train.lr = 0.6;
    config.train.schedule = Schedule::Constant;
    config.watch = Watch { overfitting: answer, every: 1, images: 40, drop: 0.05 };
    config
}

fn warnings(ended: &Ended) -> Vec<(u64, String)> {
    let told = |r: &Arc<Record>| match &r.event {
        Event::Warned { step: Some(step), kind: Warning::Overfitting, message } => Some((*step, message.clone())),
        _ => None,
    };
    ended.records.iter().filter_map(told).collect()
}

#[test]
fn a_break_down_is_told_and_training_goes_on_where_nobody_asked_for_more() {
    let watched = whole(broken(Answer::Warn));
    assert_eq!(watched.outcome, Outcome::Completed);
    let told = warnings(&watched);
    assert!(!told.is_empty() && told[0].1.contains("catastrophic overfitting"), "{told:?}");
    let looks = watched.records.iter().filter_map(|r| match &r.event {
        Event::Evaluated(e) if e.purpose == Purpose::Watch => Some((e.split, e.images)),
        _ => None,
    });
    assert_eq!(looks.collect::<Vec<_>>(), [(Split::Train, 40); 60]);
    // Looking changes nothing.
    let unwatched = whole(broken(Answer::Off));
    assert!(warnings(&unwatched).is_empty());
    assert!(watched.tensors(60) == unwatched.tensors(60));
}

#[test]
fn a_break_down_can_end_training_with_the_weights_from_before() {
    let ended = whole(broken(Answer::Stop));
    assert_eq!(ended.outcome, Outcome::Stopped);
    let (at, message) = warnings(&ended).pop().unwrap();
    let good: u64 = message.rsplit("step ").next().unwrap().parse().unwrap();
    // What is saved is saved as what it is.
    assert!(good < at && ended.step == good, "{message}");
    // Training that was to end there all along has the same weights and momentum.
    let shorter = whole(Config { train: Train { epochs: good, ..broken(Answer::Off).train }, ..broken(Answer::Off) });
    assert!(ended.tensors(good) == shorter.tensors(good));
}

#[test]
fn steps_before_a_break_down_are_reported_before_going_back() {
    let mut config = broken(Answer::Stop);
    (config.train.batch, config.train.report_hz, config.watch.every) = (BATCH, 0.1, 2);
    let ended = whole(config);
    assert_eq!(ended.outcome, Outcome::Stopped);
    let (at, _) = warnings(&ended).pop().unwrap();
    assert!(ended.step < at);
    let mut reported = 0;
    for record in &ended.records {
        if let Event::Progress(p) = &record.event {
            assert_eq!(p.step - p.steps, reported, "no step is told twice or left out");
            reported = p.step;
        }
    }
    assert_eq!(reported, at);
}

#[test]
fn a_break_down_can_be_rolled_back_with_smaller_attack_steps() {
    let ended = whole(broken(Answer::RollBack));
    let shrunk: Vec<f64> = ended
        .records
        .iter()
        .filter_map(|r| match &r.event {
            Event::Controlled {
                by: None, change: Change::StepSize(to), previous: Change::StepSize(from), note: Some(_), ..
            } => Some(to.0 / from.0),
            _ => None,
        })
        .collect();
    assert!(!shrunk.is_empty() && shrunk.iter().all(|ratio| (ratio - 0.75).abs() < 1e-9), "{shrunk:?}");
    assert!(warnings(&ended).len() >= shrunk.len());
}

#[test]
fn robust_images_are_made_once_and_found_again() {
    let (_dir, teacher) = teacher();
    let cache = tempfile::tempdir().unwrap();
    let config = of(Method::Rdt(Rdt { inversion_steps: 3, inversion_step_size: 0.5 }), &teacher, 1);
    let with_cache = || Options { cache: Some(cache.path().to_path_buf()), ..options() };
    let said = |ended: &Ended| -> String {
        let lines = ended.records.iter().filter_map(|r| match &r.event {
            Event::Said { line, .. } => Some(line.clone()),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let first = Running::start(config.clone(), with_cache()).end();
    assert!(said(&first).contains("0 found on disk"), "{}", said(&first));
    let prepared = first.records.iter().any(|r| matches!(&r.event, Event::Preparing(p) if p.done == p.total && p.total > 0));
    assert!(prepared, "its progress is told");
    let second = Running::start(config.clone(), with_cache()).end();
    assert!(said(&second).contains(" 0 made"), "{}", said(&second));
    assert!(first.tensors(5) == second.tensors(5));
    // They are other images than the originals.
    assert!(first.tensors(5) != whole(Config { teacher: None, ..of(Method::Erm, &teacher, 1) }).tensors(5));
    // A stop while they are made is heard.
    let other = Config { seed: 8, method: Method::Rdt(Rdt { inversion_steps: 100_000, inversion_step_size: 0.5 }), ..config };
    let stopped = Running::starting_with(other, with_cache(), &[Command::Stop(Stop::NOW_AND_SAVE)]).end();
    assert_eq!((stopped.outcome, stopped.step), (Outcome::Stopped, 0));
}

#[test]
fn what_a_teacher_says_is_asked_once_and_teaches_the_same() {
    let (_dir, teacher) = teacher();
    let cache = tempfile::tempdir().unwrap();
    let with_cache = || Options { cache: Some(cache.path().to_path_buf()), ..options() };
    let mut config = of(Method::Rrm(Rrm::cosine(0.05)), &teacher, 2);
    config.data.augment = Augment::None;
    let asked_live = whole(config.clone());
    config.teacher.as_mut().unwrap().cache = Cache::Yes;
    let first = Running::start(config.clone(), with_cache()).end();
    let second = Running::start(config.clone(), with_cache()).end();
    let told = |ended: &Ended, words: &str| {
        ended.records.iter().any(|r| matches!(&r.event, Event::Said { line, .. } if line.contains(words)))
    };
    assert!(told(&first, "was asked in") && told(&second, "was found in"));
    assert!(first.tensors(10) == second.tensors(10), "asked or found, it teaches the same");
    // In other company a few last bits may differ, and no more.
    let (live, kept) = (last_loss(&asked_live), last_loss(&first));
    assert!((live - kept).abs() < 1e-4, "{live} {kept}");
    // A damaged file is asked anew.
    let kept = cache.path().read_dir().unwrap().next().unwrap().unwrap().path();
    std::fs::write(&kept, "x").unwrap();
    assert!(told(&Running::start(config, with_cache()).end(), "was asked in"));
}

/// What was minimised, at the end.
fn last_loss(ended: &Ended) -> f64 {
    let mut totals = ended.records.iter().filter_map(|r| match &r.event {
        Event::Progress(p) => p.terms.get(&Term::Total).map(|total| total.mean),
        _ => None,
    });
    totals.next_back().unwrap()
}

#[test]
fn several_teachers_teach_together() {
    let (_dir, first) = teacher();
    let (_other, second) = teacher();
    let method = Method::RrmPlus(RrmPlus { alpha: 0.5, ..RrmPlus::plain(0.05, Eps(0.1)) });
    let mut config = of(method, &first, 1);
    let alone = whole(config.clone());
    config.teacher.as_mut().unwrap().also = vec![second.display().to_string()];
    let together = whole(config);
    let Event::Started(started) = &together.records[0].event else { panic!("the first record is another") };
    assert_eq!(started.other_teachers.len(), 1);
    // Twice the same teacher is the one teacher, up to rounding: its features and answers are their own mean.
    let (one, two) = (last_loss(&alone), last_loss(&together));
    assert!((one - two).abs() < 1e-4, "{one} {two}");
}
