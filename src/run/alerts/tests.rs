//! Stories with made-up records: each rule speaks once in the bad one and never in the good one.

mod falls;
mod whole_runs;

use super::*;
use crate::config::{AttackSpec, Eps, Norm, Threat};
use crate::protocol::controls::Change;
use crate::protocol::event::{
    EpochFinished, Evaluated, Gpu, Machine, Part, Progress, Purpose, Saved, Split, Started, Term, Timing, Whose,
};
use crate::protocol::insight::Pulls;
use crate::protocol::timed::Stair;
use crate::protocol::{Scalar, Summary};
use crate::run::replay::read_log;
use std::collections::BTreeMap;
use std::path::Path;

/// A story being told: the records so far go by, and what was said stays.
struct Story {
    alerts: Alerts,
    at_ms: u64,
    told: Vec<Alert>,
}

fn demo() -> Vec<Record> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/events.jsonl");
    read_log(&path).unwrap().map(Result::unwrap).collect()
}

/// As the demo began: RRM, 71 steps an epoch.
fn started(device: &str) -> Box<Started> {
    let Event::Started(mut started) = demo().remove(0).event else { panic!("a log begins with Started") };
    started.device = device.into();
    started
}

impl Story {
    fn on(device: &str) -> Self {
        let mut story = Self { alerts: Alerts::default(), at_ms: 1_790_000_000_000, told: Vec::new() };
        story.then(Event::Started(started(device)));
        story
    }

    fn new() -> Self {
        Self::on("cpu (2 threads)")
    }

    /// A quarter of a second later; what is told comes back as a record, as the recorder does it.
    fn then(&mut self, event: Event) {
        self.at_ms += 250;
        let told = self.alerts.see(&Record { seq: 0, at_ms: self.at_ms, event });
        for alert in told {
            let Alert { step, kind, message } = alert.clone();
            self.told.push(alert);
            let warned = Event::Warned { step, kind, message };
            assert_eq!(self.alerts.see(&Record { seq: 0, at_ms: self.at_ms, event: warned }), [], "it answers itself");
        }
    }

    fn all(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        events.into_iter().for_each(|event| self.then(event));
        self
    }

    fn kinds(&self) -> Vec<Warning> {
        self.told.iter().map(|alert| alert.kind).collect()
    }

    /// Told once, in words that hold all of these.
    fn once(&self, kind: Warning, words: &[&str]) {
        assert_eq!(self.kinds(), [kind], "{:?}", self.told);
        for word in words {
            assert!(self.told[0].message.contains(word), "{word:?} is not in {:?}", self.told[0].message);
        }
        assert!(self.told[0].message.split_once(". ").is_some_and(|(saw, advice)| !saw.is_empty() && !advice.is_empty()));
    }
}

fn progress(step: Step, terms: &[(Term, f64)]) -> Event {
    let terms = terms.iter().map(|&(term, value)| (term, Summary::one(value))).collect();
    Event::Progress(Progress { step, steps: 10, lr: 0.1, images_per_s: Scalar(1000.0), terms, timing: None })
}

fn entropies(values: &[f64]) -> Vec<Event> {
    values.iter().enumerate().map(|(i, &v)| progress(10 * (i as u64 + 1), &[(Term::CrossEntropy, v), (Term::Total, v)])).collect()
}

fn look(step: Step, natural: f64, adversarial: f64) -> Evaluated {
    let attack = AttackSpec::pgd(Threat { norm: Norm::Linf, eps: Eps(8.0 / 255.0) }, 10, 1, 0);
    Evaluated {
        step,
        by: None,
        of: Whose::Student,
        split: Split::Validation,
        purpose: Purpose::Probe,
        attack,
        natural,
        adversarial,
        images: 500,
        seconds: 1.0,
    }
}

fn probes(accuracies: &[(f64, f64)]) -> Vec<Event> {
    let probe = |(i, &(natural, adversarial))| Event::Evaluated(look(71 * (i as u64 + 1), natural, adversarial));
    accuracies.iter().enumerate().map(probe).collect()
}

fn watched(step: Step, adversarial: f64) -> Event {
    Event::Evaluated(Evaluated { split: Split::Train, purpose: Purpose::Watch, ..look(step, 0.9, adversarial) })
}

fn turned(step: Step, from: f64, to: f64) -> Event {
    let (change, previous) = (Change::Lambda(to), Change::Lambda(from));
    Event::Controlled { step, by: None, change, previous, note: None, stair: None }
}

fn epochs(cosines: &[f64]) -> Vec<Event> {
    let epoch = |(i, &cosine): (usize, &f64)| {
        let step = 71 * (i as u64 + 1);
        let done = EpochFinished { epoch: i as u64 + 1, step, train_seconds: 1.0, evaluation_seconds: 0.0 };
        [progress(step, &[(Term::Cosine, cosine)]), Event::EpochFinished(done)]
    };
    cosines.iter().enumerate().flat_map(epoch).collect()
}

fn pull(step: Step, norms: [f64; 2], matched: f64, shuffled: f64) -> Event {
    Event::Pulled(Pulls {
        step,
        terms: [Term::WeightedCrossEntropy, Term::Representation],
        norms: norms.map(Scalar),
        cosine: Scalar(0.1),
        matched: Some(Scalar(matched)),
        shuffled: Some(Scalar(shuffled)),
        images: 64,
        ms: 5.0,
        teacher: None,
    })
}

fn pulls(norms: &[[f64; 2]]) -> Vec<Event> {
    norms.iter().enumerate().map(|(i, &norms)| pull(50 * (i as u64 + 1), norms, 0.9, 0.3)).collect()
}

fn margins(matched: &[f64]) -> Vec<Event> {
    matched.iter().enumerate().map(|(i, &matched)| pull(50 * (i as u64 + 1), [1.0, 1.0], matched, 0.1)).collect()
}

fn timed(data: f64) -> Event {
    let parts = BTreeMap::from([(Part::Data, data), (Part::ForwardBackward, 1.0 - data)]);
    let timing = Some(Timing { parts, p50_ms: 1.0, p99_ms: 2.0, max_ms: None, counts: Vec::new() });
    Event::Progress(Progress { step: 5, steps: 1, lr: 0.1, images_per_s: Scalar(1.0), terms: BTreeMap::new(), timing })
}

fn machine(busy: f64, temperature: f64) -> Event {
    let gpu = Gpu {
        index: 0,
        name: "H100".into(),
        utilisation_percent: Some(busy),
        memory_used: None,
        memory_total: None,
        temperature_c: Some(temperature),
        power_w: Some(690.0),
        power_limit_w: Some(700.0),
        ..Gpu::default()
    };
    Event::Machine(Machine {
        cpu_percent: 10.0,
        cores: 8,
        memory_used: 1,
        memory_total: 2,
        resident: 1,
        process_cpu_percent: 10.0,
        gpus: vec![gpu],
        ..Machine::default()
    })
}

/// For so many seconds, a second apart.
fn seconds(n: usize, each: impl Fn(usize) -> Vec<Event>) -> Vec<Event> {
    (0..n).flat_map(|i| [each(i), vec![note(), note(), note()]].concat().into_iter().take(4)).collect()
}

fn note() -> Event {
    Event::Said { source: crate::protocol::event::Voice::Rematch, line: "nothing".into() }
}

// ---- the loss ----

#[test]
fn a_loss_that_runs_away_is_told_once() {
    let mut values = vec![0.9; 30];
    values.extend([12.0, 14.0, 20.0, 30.0, 40.0]);
    let saved =
        Event::Saved(Saved { step: 200, by: None, path: "checkpoints/step-00000200".into(), bytes: 1, ms: 1, held_ms: None });
    let story = Story::new().all([saved]).all(entropies(&values));
    story.once(Warning::Divergence, &["ce is 14.0 @ step 320", "median over 200 steps was 0.900", "lr x 0.5", "step 200"]);
    assert_eq!(story.told[0].step, Some(320));
}

#[test]
fn a_loss_that_goes_on_running_away_is_told_again_and_one_that_came_back_is_news() {
    let worse = [vec![0.9; 30], vec![12.0, 14.0], vec![200.0; 4]].concat();
    assert_eq!(Story::new().all(entropies(&worse)).told.len(), 2);
    let twice = [vec![0.9; 30], vec![12.0, 14.0], vec![1.0; 30], vec![13.0, 13.0]].concat();
    assert_eq!(Story::new().all(entropies(&twice)).told.len(), 2);
}

#[test]
fn a_spike_a_small_loss_and_a_falling_one_are_no_divergence() {
    let spike = [vec![0.9; 30], vec![50.0], vec![0.9; 30]].concat();
    let small = [vec![0.002; 30], vec![0.05; 10]].concat();
    let falling = (0..100).map(|i| 2.3 * 0.95f64.powi(i)).collect();
    let high = [vec![0.9; 30], vec![8.5; 30]].concat();
    for values in [spike, small, falling, high] {
        assert_eq!(Story::new().all(entropies(&values)).told, [], "{values:?}");
    }
}

#[test]
fn a_negative_total_is_judged_by_what_it_has_above_the_least_it_can_be() {
    let rrm = |step, total| progress(step, &[(Term::Total, total), (Term::Representation, -0.9)]);
    let good = (1..60).map(|i| rrm(10 * i, if i % 2 == 0 { -0.98 } else { -0.90 }));
    let bad = (60..70).map(|i| rrm(10 * i, 4.0));
    assert_eq!(Story::new().all(good.clone()).told, []);
    Story::new().all(good.chain(bad)).once(Warning::Divergence, &["total is 4.000", "was -0.9"]);
}

#[test]
fn after_a_turn_of_a_dial_the_loss_is_compared_with_what_came_after_it() {
    let story = Story::new().all(entropies(&[0.3; 30])).all([turned(300, 0.5, 0.0)]);
    let after = (31..60).map(|i| progress(10 * i, &[(Term::CrossEntropy, 5.0)]));
    assert_eq!(story.all(after).told, []);
}

// ---- robustness ----

#[test]
fn robustness_that_breaks_down_is_told_with_everything_that_the_number_means() {
    let story = Story::new().all(probes(&[(0.7, 0.35), (0.74, 0.42), (0.8, 0.1), (0.82, 0.05), (0.83, 0.02), (0.84, 0.0)]));
    story.once(
        Warning::Overfitting,
        &["42.0 % @ step 142 -> 10.0 % @ step 213", "(pgd-10 eps 8/255, 500 validation images)", "74.0 % -> 80.0 %", "n-fgsm"],
    );
}

#[test]
fn little_robustness_breaks_down_when_it_is_halved() {
    Story::new().all(probes(&[(0.7, 0.15), (0.7, 0.04)])).once(Warning::Overfitting, &["4.0 %"]);
}

#[test]
fn a_second_break_down_is_news_only_after_a_recovery() {
    let up = [(0.7, 0.4), (0.7, 0.4), (0.7, 0.4), (0.7, 0.4)];
    let down = [(0.8, 0.05), (0.8, 0.05), (0.8, 0.05), (0.8, 0.05)];
    let twice = [up, down, up, down].concat();
    assert_eq!(Story::new().all(probes(&twice)).kinds(), [Warning::Overfitting; 2]);
}

#[test]
fn what_wavers_what_falls_together_and_what_does_not_compare_is_no_break_down() {
    let wavers = [(0.7, 0.42), (0.7, 0.30), (0.71, 0.41), (0.7, 0.25), (0.7, 0.3)];
    let together = [(0.8, 0.45), (0.5, 0.2), (0.8, 0.45), (0.1, 0.1)];
    let early = [(0.2, 0.08), (0.3, 0.0), (0.4, 0.07), (0.4, 0.01)];
    for story in [&wavers[..], &together, &early] {
        assert_eq!(Story::new().all(probes(story)).told, [], "{story:?}");
    }
    let mut stronger = look(200, 0.7, 0.05);
    stronger.attack.eps = Eps(16.0 / 255.0);
    let of_teacher = Evaluated { of: Whose::Teacher, ..look(300, 0.7, 0.0) };
    let last = Evaluated { purpose: Purpose::Final, split: Split::Test, ..look(400, 0.7, 0.0) };
    let fewer = Evaluated { images: 100, ..look(500, 0.7, 0.0) };
    let others = [look(100, 0.7, 0.42), stronger, of_teacher, last, fewer].map(Event::Evaluated);
    assert_eq!(Story::new().all(others).told, []);
}

#[test]
fn a_fall_after_a_turn_of_a_dial_names_the_dial() {
    let mut events = probes(&[(0.7, 0.42), (0.8, 0.1)]);
    events.insert(1, turned(100, 0.005, 0.5));
    Story::new().all(events).once(Warning::Other, &["λ 0.005 -> 0.5 at step 100: turn it back", "10.0 %"]);
}

#[test]
fn a_ramp_is_one_turn_from_where_it_began() {
    let stair = |number, from, to| {
        let Event::Controlled { change, previous, .. } = turned(0, from, to) else { panic!("a turn is a turn") };
        let stair = Some(Stair { number, of: 2 });
        Event::Controlled { step: 80 + number, by: None, change, previous, note: None, stair }
    };
    let mut events = probes(&[(0.7, 0.42), (0.8, 0.1)]);
    events.splice(1..1, [stair(1, 0.1, 0.2), stair(2, 0.2, 0.3)]);
    Story::new().all(events).once(Warning::Other, &["λ 0.1 -> 0.3 at step 81"]);
}

#[test]
fn what_the_workers_watch_told_is_not_repeated() {
    let by_worker = || Event::Warned { step: Some(200), kind: Warning::Overfitting, message: "it fell".into() };
    let mut story = Story::new().all([watched(100, 0.6), watched(200, 0.1)]).all([by_worker(), progress(201, &[])]);
    assert_eq!(story.told, []);
    story.then(Event::Evaluated(look(180, 0.7, 0.5)));
    story.then(Event::Evaluated(look(220, 0.7, 0.1)));
    assert_eq!(story.told, [], "20 steps later the probe sees the same");
    // What falls less than the worker was told to look for is told from here.
    let story = Story::new().all([watched(100, 0.15), watched(200, 0.04), progress(201, &[]), progress(202, &[])]);
    story.once(Warning::Overfitting, &["500 train images", "4.0 %"]);
}

// ---- the teacher ----

#[test]
fn a_student_that_drifts_is_told_once() {
    let falls = Story::new().all(epochs(&[0.9, 0.92, 0.90, 0.88, 0.86, 0.855, 0.85]));
    falls.once(Warning::Drifting, &["0.860", "0.920 at step 142", "smaller λ (0.005 now)"]);
    let margin = Story::new().all(margins(&[0.9, 0.85, 0.8, 0.75, 0.7]));
    margin.once(Warning::Drifting, &["0.750 for the same image, 0.100", "0.800 apart at step 50"]);
}

#[test]
fn features_that_waver_rise_or_settle_do_not_drift() {
    for cosines in [
        vec![0.5, 0.7, 0.9, 0.95, 0.97, 0.975],
        vec![0.9, 0.85, 0.9, 0.85, 0.8, 0.9, 0.85],
        vec![0.9, 0.899, 0.898, 0.897, 0.896, 0.895],
    ] {
        assert_eq!(Story::new().all(epochs(&cosines)).told, [], "{cosines:?}");
    }
    assert_eq!(Story::new().all(margins(&[0.9, 0.88, 0.86, 0.84, 0.9, 0.85])).told, []);
    let mut with_turn = epochs(&[0.9, 0.88, 0.86, 0.84]);
    with_turn.insert(4, turned(140, 0.005, 0.5));
    assert_eq!(Story::new().all(with_turn).told, [], "whoever turned λ up expects the teacher to count less");
}

// ---- the pulls ----

#[test]
fn a_term_that_pulls_at_nothing_is_told_once_with_what_to_turn() {
    let first = pulls(&[[0.002, 0.5], [0.002, 0.5], [0.002, 0.5], [0.002, 0.5], [0.0015, 0.5]]);
    Story::new()
        .all(first)
        .once(Warning::Vanishing, &["λ·ce pulls 0.4 % of what rep pulls", "try λ * 10 (0.005 now)", "step 150"]);
    let second = pulls(&[[0.5, 0.001]; 6]);
    Story::new().all(second).once(Warning::Vanishing, &["rep pulls 0.2 % of what λ·ce pulls", "try λ / 10"]);
    Story::new().all(pulls(&[[1e-12, 0.0]; 6])).once(Warning::Vanishing, &["neither λ·ce nor rep", "norms 1.0e-12 and 0.000"]);
    let worse = pulls(&[[[0.002, 0.5]; 4], [[0.00001, 0.5]; 4]].concat());
    assert_eq!(Story::new().all(worse).told.len(), 2, "a tenth of what was told is news");
}

#[test]
fn terms_that_pull_or_were_turned_off_are_well() {
    assert_eq!(Story::new().all(pulls(&[[0.02, 0.5]; 20])).told, []);
    assert_eq!(Story::new().all(pulls(&[[0.002, 0.5], [0.002, 0.5], [0.1, 0.5], [0.002, 0.5], [0.002, 0.5]])).told, []);
    let off = Story::new().all([turned(1, 0.005, 0.0)]).all(pulls(&[[0.0, 0.5]; 9]));
    assert_eq!(off.told, [], "λ = 0 is what somebody wants");
}

// ---- the machine ----

#[test]
fn steps_that_wait_for_images_are_told_once() {
    let story = Story::on("cuda:0").all(seconds(200, |_| vec![timed(0.55), machine(20.0, 60.0)]));
    story.once(Warning::InputBound, &["55.0 %", "over the last 60 s", "GPU busy 20 %"]);
    let story = Story::new().all(seconds(200, |_| vec![timed(0.4)]));
    story.once(Warning::InputBound, &["40.0 %"]);
    assert!(!story.told[0].message.contains("GPU"), "there is none");
}

#[test]
fn a_busy_gpu_a_short_wait_and_pauses_are_well() {
    let busy = Story::on("cuda:0").all(seconds(200, |_| vec![timed(0.5), machine(90.0, 60.0)]));
    assert_eq!(busy.told, []);
    let short = Story::new().all(seconds(200, |i| vec![timed(if i % 60 < 20 { 0.6 } else { 0.05 })]));
    assert_eq!(short.told, []);
    let mut paused = Story::new();
    for _ in 0..20 {
        paused.then(timed(0.5));
        paused.at_ms += 30_000;
    }
    assert_eq!(paused.told, [], "minutes of pauses are no minutes of waiting");
}

#[test]
fn a_hot_gpu_is_told_once_and_a_warm_or_idle_one_never() {
    let hot = Story::on("cuda:0").all(seconds(300, |i| vec![machine(99.0, if i < 20 { 80.0 } else { 88.0 })]));
    hot.once(Warning::Throttled, &["GPU 0", "88 °C (690 of 700 W)", "for 30 s"]);
    let peaks = Story::on("cuda:0").all(seconds(300, |i| vec![machine(99.0, if i % 20 == 0 { 80.0 } else { 88.0 })]));
    assert_eq!(peaks.told, []);
    let said = |why: &str| {
        let Event::Machine(mut facts) = machine(99.0, 70.0) else { unreachable!() };
        facts.gpus[0].throttled = Some(why.into());
        Event::Machine(facts)
    };
    let told = Story::on("cuda:0").all(seconds(100, |_| vec![said("power cap, heat")]));
    told.once(Warning::Throttled, &["70 °C"]);
    let at_full_load = Story::on("cuda:0").all(seconds(100, |_| vec![said("power cap")]));
    assert_eq!(at_full_load.told, []);
    let not_ours = Story::new().all(seconds(300, |_| vec![machine(99.0, 95.0)]));
    assert_eq!(not_ours.told, [], "this run trains on the processor");
}

#[test]
fn a_disk_is_told_of_while_there_is_still_room() {
    const MIB: u64 = 1 << 20;
    for (free, checkpoint) in [(1 << 30, 0), (2 << 30, 500 * MIB), (90 << 30, 30 << 30), (u64::MAX, u64::MAX / 3)] {
        assert_eq!(disk(free, checkpoint), None, "{free} {checkpoint}");
    }
    let filling = |i: usize| {
        let Event::Machine(mut facts) = machine(99.0, 70.0) else { unreachable!() };
        facts.disk = Some(crate::protocol::event::Disk { free: if i < 20 { 5 << 30 } else { 900 * MIB }, total: 100 << 30 });
        Event::Machine(facts)
    };
    let story = Story::new().all(seconds(60, |i| vec![filling(i)]));
    story.once(Warning::Disk, &["900 MiB free"]);
    let message = disk(80 << 30, 30 << 30).unwrap();
    assert!(message.contains("80.0 GiB free, room for 2 checkpoints of 30.0 GiB. Delete"), "{message}");
    assert!(disk(500 * MIB, 0).unwrap().starts_with("the disk fills: 500 MiB free. "));
    assert!(disk(900 * MIB, 600 * MIB).unwrap().contains("room for 1 checkpoint of 600 MiB"));
    assert!(disk(0, u64::MAX).unwrap().contains("room for 0 checkpoints"));
}

#[test]
fn a_disk_that_fills_is_told_once_until_half_of_what_was_left_is_gone() {
    let mut machines = machine::Machines::default();
    machines.saved(1 << 20);
    let said: Vec<u64> = (0..100u64).map(|i| (2 << 30) - i * (20 << 20)).filter(|free| machines.room(*free).is_some()).collect();
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said.windows(2).all(|pair| pair[1] * 2 <= pair[0] + (20 << 20)));
}
