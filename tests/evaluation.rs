//! What an evaluation must keep, whatever it is asked for: on the shipped teacher and real images, with attacks cut short.
#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

use rematch::attacks::GoOn;
use rematch::config::{AttackName, AttackSpec, Data, Ensemble, Eps, Norm, Source, Threat};
use rematch::data::decoders::Decoders;
use rematch::nn::{Mode, Model, Network, Output};
use rematch::protocol::event::{Split, Whose};
use rematch::protocol::report::{CurvePlan, Doubts, EvaluationPlan, EvaluationProgress, Report, Suspicion};
use rematch::train::audit::journal::{Entry, Journal, Keep};
use rematch::train::audit::{Audit, Watcher};
use rematch::train::crew::Crew;
use rematch::train::pool::Pool;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tch::{Device, Tensor};

/// Threads of libtorch are counted for the whole process; tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Bench {
    model: Model,
    set: Pool,
    classes: Vec<String>,
}

impl Bench {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/teacher.safetensors");
        let (model, _) = Model::read(&path, Device::Cpu).unwrap();
        model.freeze();
        let config =
            rematch::config::check::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/quickstart.toml"), &[]).unwrap();
        let data = Data { source: Source::FashionMnist10k, ..config.data };
        let data = rematch::data::load(&data).unwrap();
        Self { set: Pool::new(&data.test, Device::Cpu, &Decoders::default()), classes: data.classes, model }
    }

    /// Evaluates with `hands` threads; `None` when the watcher gave up.
    fn run(&self, plan: &EvaluationPlan, batch: usize, hands: i32, journal: &mut Journal, patience: usize) -> Option<Report> {
        tch::set_num_threads(hands);
        let crew = Crew::for_model(&self.model);
        assert_eq!(crew.as_ref().map_or(1, Crew::hands), hands as usize);
        let network = self.model.folded_in_blocks();
        self.audit(&network, crew.as_ref(), plan, batch, journal, patience)
    }

    fn audit(
        &self,
        network: &dyn Network,
        crew: Option<&Crew>,
        plan: &EvaluationPlan,
        batch: usize,
        journal: &mut Journal,
        patience: usize,
    ) -> Option<Report> {
        let audit = Audit { network, crew, set: &self.set, classes: &self.classes, plan, batch: Some(batch) };
        let mut watcher = Impatient { asks: 0, patience, seen: Vec::new() };
        let report = audit.run(journal, &mut watcher).unwrap();
        for pair in watcher.seen.windows(2) {
            assert!(pair[1].robust <= pair[0].robust, "the upper bound may only fall: {pair:?}");
        }
        report
    }
}

/// Gives up after so many questions.
struct Impatient {
    asks: usize,
    patience: usize,
    seen: Vec<EvaluationProgress>,
}

impl Watcher for Impatient {
    fn go_on(&mut self) -> GoOn {
        self.asks += 1;
        if self.asks > self.patience { GoOn::No } else { GoOn::Yes }
    }
    fn progress(&mut self, progress: &EvaluationProgress) {
        self.seen.push(progress.clone());
    }
}

const THREAT: Threat = Threat { norm: Norm::Linf, eps: Eps(0.1) };

fn short(threat: Threat, name: AttackName, steps: u32) -> AttackSpec {
    let mut spec = AttackSpec::usual(name, threat, 10, 0);
    spec.steps = steps;
    spec.targets = spec.targets.min(2);
    spec
}

/// An ensemble of every kind of attack, and a single one with restarts.
fn plan(threat: Threat, images: u64) -> EvaluationPlan {
    let members = vec![
        short(threat, AttackName::Fgsm, 1),
        short(threat, AttackName::ApgdCe, 5),
        short(threat, AttackName::ApgdT, 5),
        short(threat, AttackName::Fab, 2),
        short(threat, AttackName::FabT, 4),
        short(threat, AttackName::Square, 30),
    ];
    let pgd = AttackSpec { restarts: 2, ..AttackSpec::pgd(threat, 5, 1, 0) };
    EvaluationPlan {
        of: Whose::Student,
        ensembles: vec![Ensemble { name: "all".into(), members }, Ensemble { name: pgd.short(), members: vec![pgd] }],
        split: Split::Test,
        images: Some(images),
        curve: None,
        doubts: Doubts::Skip,
    }
}

/// Who was fooled by which attack: what may not depend on how the work was cut.
fn fooled(journal: &Journal) -> Vec<(usize, i64)> {
    let mut all: Vec<(usize, i64)> =
        journal.entries().iter().flat_map(|e: &Entry| e.tricks.iter().map(|t| (e.ensemble, t.place))).collect();
    all.sort_unstable();
    all
}

#[test]
fn numbers_depend_neither_on_the_batch_nor_on_the_threads() {
    let _turn = turn();
    let bench = Bench::new();
    for threat in [THREAT, Threat { norm: Norm::L2, eps: Eps(1.2) }] {
        let plan = plan(threat, 30);
        let run = |batch, hands| {
            let mut journal = Journal::in_memory();
            let report = bench.run(&plan, batch, hands, &mut journal, usize::MAX).unwrap();
            (fooled(&journal), report.natural, report.worst_case, report.confusion)
        };
        let whole = run(250, 1);
        assert!(whole.2 > 0.1 && whole.2 < whole.1 - 0.1, "a test needs both kinds: {} of {}", whole.2, whole.1);
        for (batch, hands) in [(7, 1), (1, 1), (250, 2), (7, 3)] {
            assert_eq!(run(batch, hands), whole, "{} batch {batch}, {hands} threads", threat.norm);
        }
    }
}

#[test]
fn a_run_that_was_killed_anywhere_goes_on_to_the_same_numbers() {
    let _turn = turn();
    let bench = Bench::new();
    let mut plan = plan(THREAT, 16);
    plan.curve =
        Some(CurvePlan { attack: AttackSpec::pgd(THREAT, 3, 1, 0), radii: [0.0, 0.05, 0.1, 0.2].map(Eps).to_vec(), images: 24 });
    let mut journal = Journal::in_memory();
    let whole = bench.run(&plan, 9, 1, &mut journal, usize::MAX).unwrap();
    let expected = fooled(&journal);
    let mut kills = 0;
    for (patience, hands) in [(3, 1), (11, 1), (40, 1), (97, 1), (2, 2)] {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::begin(folder.path(), &serde_json::Value::Null, Keep::Numbers).unwrap();
        // Each life gets a little farther, as each is a little longer.
        for life in 0.. {
            assert!(life < 500, "no end in sight with a patience of {patience}");
            match bench.run(&plan, 9, hands, &mut journal, patience + 5 * life) {
                None => kills += 1,
                Some(report) => {
                    assert_eq!(fooled(&journal), expected, "patience {patience}");
                    assert_eq!((report.worst_case, &report.confusion), (whole.worst_case, &whole.confusion));
                    let numbers = |r: &Report| r.attacks.iter().map(|a| (a.adversarial, a.largest)).collect::<Vec<_>>();
                    assert_eq!(numbers(&report), numbers(&whole));
                    assert_eq!(report.curve, whole.curve);
                    break;
                }
            }
            drop(journal);
            journal = Journal::open(folder.path(), Keep::Numbers).unwrap();
        }
    }
    assert!(kills >= 20, "only {kills} kills");
}

#[test]
fn images_stay_in_the_ball_and_the_network_as_it_was() {
    let _turn = turn();
    let bench = Bench::new();
    let numbers = |model: &Model| -> Vec<Tensor> { model.parameters.entries().iter().map(|p| p.tensor.copy()).collect() };
    let before = numbers(&bench.model);
    for threat in [THREAT, Threat { norm: Norm::L2, eps: Eps(1.2) }] {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::begin(folder.path(), &serde_json::Value::Null, Keep::Images).unwrap();
        let mut plan = plan(threat, 40);
        plan.ensembles.push(Ensemble { name: "art".into(), members: vec![short(threat, AttackName::ArtAutopgd, 10)] });
        let report = bench.run(&plan, 16, 2, &mut journal, usize::MAX).unwrap();
        for attack in &report.attacks {
            assert!(
                attack.largest > 0.0 && attack.largest <= threat.eps.0 + 1e-6,
                "{}: {}",
                attack.ensemble.name,
                attack.largest
            );
            // On survivors, each stage meets what the one before left.
            for pair in attack.stages.windows(2) {
                assert_eq!(pair[1].attacked, pair[0].attacked - pair[0].fooled);
            }
            assert!(attack.adversarial <= report.natural && report.worst_case <= attack.adversarial);
        }
        let mut images = 0;
        for entry in journal.entries() {
            let Some(pixels) = Journal::kept(folder.path(), entry).unwrap() else { continue };
            let there = Tensor::from_slice(&pixels).view([-1, 1, 28, 28]);
            images += there.size()[0];
            assert!(pixels.iter().all(|p| (0.0..=1.0).contains(p)));
            let places: Vec<i64> = entry.tricks.iter().map(|t| t.place).collect();
            let (batch, _) = bench.set.batch(&places).unwrap();
            let ball = rematch::attacks::Ball::new(threat.norm, threat.eps);
            for distance in Vec::<f32>::try_from(ball.distance(&batch.images, &there)).unwrap() {
                assert!(f64::from(distance) <= threat.eps.0 + 1e-6, "{distance}");
            }
            // Alone, each still fools the network, and as what was written down.
            let answers = bench.model.forward(&there, Mode::Eval).logits.argmax(1, false);
            let said: Vec<i64> = entry.tricks.iter().map(|t| t.answer).collect();
            assert_eq!(Vec::<i64>::try_from(answers).unwrap(), said);
        }
        assert!(images > 10, "only {images} adversarial images");
    }
    for (a, b) in before.iter().zip(numbers(&bench.model)) {
        assert!(*a == b, "an attack changed the network");
    }
}

#[test]
fn the_curve_falls_from_natural_accuracy() {
    let _turn = turn();
    let bench = Bench::new();
    let mut plan = plan(THREAT, 40);
    plan.ensembles.truncate(1);
    plan.curve = Some(CurvePlan::around(THREAT, 40, 0));
    let report = bench.run(&plan, 250, 1, &mut Journal::in_memory(), usize::MAX).unwrap();
    let curve = report.curve.unwrap();
    assert_eq!(curve.points.first().map(|p| (p.eps, p.adversarial)), Some((Eps(0.0), report.natural)));
    assert_eq!(curve.points.last().map(|p| p.eps), Some(Eps(0.2)));
    assert!(curve.points.windows(2).all(|p| p[1].adversarial <= p[0].adversarial + 0.03), "{:?}", curve.points);
}

fn suspicions(report: &Report) -> Vec<Suspicion> {
    report.doubts.iter().map(|d| d.suspicion).filter(|s| *s != Suspicion::FewImages).collect()
}

#[test]
fn an_honest_model_is_not_doubted() {
    let _turn = turn();
    let bench = Bench::new();
    let mut plan = plan(THREAT, 100);
    plan.ensembles = vec![Ensemble::single(AttackName::Pgd, THREAT, 10, 0, rematch::config::Overrides::default()).unwrap().0];
    plan.doubts = Doubts::Look;
    let report = bench.run(&plan, 250, 2, &mut Journal::in_memory(), usize::MAX).unwrap();
    assert_eq!(suspicions(&report), []);
    assert!(
        report.looked_for.contains(&Suspicion::RobustAtEpsilonOne) && report.looked_for.contains(&Suspicion::SquareIsStronger)
    );
}

/// Pixels rounded to few levels before the network sees them: hard to climb, no harder to fool.
struct Rounded<'a>(&'a Model);

impl Network for Rounded<'_> {
    fn forward(&self, images: &Tensor, mode: Mode) -> Output {
        self.0.forward(&((images * 12.0).round() / 12.0), mode)
    }
}

/// Noise in the answers.
struct Noisy<'a>(&'a Model);

impl Network for Noisy<'_> {
    fn forward(&self, images: &Tensor, mode: Mode) -> Output {
        let Output { logits, features } = self.0.forward(images, mode);
        Output { logits: &logits + logits.randn_like() * 0.3, features }
    }
}

#[test]
fn masked_gradients_and_random_answers_are_found_out() {
    let _turn = turn();
    tch::set_num_threads(1);
    let bench = Bench::new();
    let mut plan = plan(THREAT, 60);
    plan.ensembles = vec![Ensemble::single(AttackName::Pgd, THREAT, 10, 0, rematch::config::Overrides::default()).unwrap().0];
    plan.doubts = Doubts::Look;
    let look = |network: &dyn Network| {
        let report = bench.audit(network, None, &plan, 250, &mut Journal::in_memory(), usize::MAX).unwrap();
        suspicions(&report)
    };
    let masked = look(&Rounded(&bench.model));
    for expected in [Suspicion::ZeroGradients, Suspicion::SquareIsStronger, Suspicion::RobustAtEpsilonOne] {
        assert!(masked.contains(&expected), "{expected:?} is not among {masked:?}");
    }
    tch::manual_seed(3);
    let random = look(&Noisy(&bench.model));
    assert!(random.contains(&Suspicion::RandomAnswers), "{random:?}");
}
