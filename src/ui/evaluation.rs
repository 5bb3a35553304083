//! What a person may ask an evaluation for: the rows of the dialog, the values each can have in this run, and the plan they make.
//!
//! Values only. It asks for nothing (that is [`super::intent`]) and draws nothing. Radius and norm are not among the rows: a number that is
//! to be compared is one under the config's threat, whatever epsilon was turned to.

use crate::config::{AttackName, AttackSpec, Ensemble, Overrides, Suite};
use crate::protocol::event::{Split, Started, Whose};
use crate::protocol::report::{CurvePlan, Doubts, EvaluationPlan};

/// That of `rematch eval`, so that its number for the same weights and images is the same one.
const SEED: u64 = 0;
/// What is offered below all validation images.
const COUNTS: [u64; 4] = [100, 200, 500, 1000];

/// Everything chosen. What this run does not have falls back to what it has, in [`Choice::fitted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub attack: Offer,
    pub images: Images,
    pub of: Whose,
    pub curve: Curve,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    Pgd20,
    /// 50 steps, 10 starts: strong, and still a matter of seconds on a few hundred small images.
    Pgd50x10,
    Single(AttackName),
    Suite(Suite),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    First(u64),
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    Measure,
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    Attack,
    Images,
    Whose,
    Curve,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Back,
    Forward,
}

impl Default for Choice {
    fn default() -> Self {
        Self { attack: Offer::Pgd50x10, images: Images::First(200), of: Whose::Student, curve: Curve::Measure }
    }
}

/// From the quick ones to those that take long.
const OFFERS: [Offer; 12] = [
    Offer::Pgd20,
    Offer::Pgd50x10,
    Offer::Single(AttackName::Fgsm),
    Offer::Single(AttackName::ApgdCe),
    Offer::Single(AttackName::ApgdDlr),
    Offer::Single(AttackName::ApgdT),
    Offer::Single(AttackName::FabT),
    Offer::Single(AttackName::Square),
    Offer::Suite(Suite::AutoAttack),
    Offer::Suite(Suite::AutoAttackPlus),
    Offer::Suite(Suite::Rand),
    Offer::Single(AttackName::ArtAutopgd),
];

impl Offer {
    /// The ensemble and what must be said of it; `None` where the number of classes does not allow it.
    fn ensemble(self, started: &Started) -> Option<(Ensemble, Vec<String>)> {
        let (threat, classes) = (started.config.threat, started.data.classes.len());
        let single = |name, overrides| Ensemble::single(name, threat, classes, SEED, overrides).ok();
        match self {
            Self::Pgd20 => single(AttackName::Pgd, Overrides::default()),
            Self::Pgd50x10 => single(AttackName::Pgd, Overrides { steps: Some(50), restarts: Some(10), ..Overrides::default() }),
            Self::Single(name) => single(name, Overrides::default()),
            Self::Suite(suite) => {
                Some(Ensemble::suite(suite, threat, classes, SEED)).filter(|(ensemble, _)| !ensemble.members.is_empty())
            }
        }
    }

    /// `pgd-50x10`, `apgd-ce`, `autoattack`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pgd20 => "pgd-20",
            Self::Pgd50x10 => "pgd-50x10",
            Self::Single(name) => name.name(),
            Self::Suite(suite) => suite.name(),
        }
    }
}

/// The value after `now`, around the end.
fn turned<T: Copy + PartialEq>(all: &[T], now: T, turn: Turn) -> T {
    let at = all.iter().position(|x| *x == now).unwrap_or(0);
    let by = match turn {
        Turn::Back => all.len().saturating_sub(1),
        Turn::Forward => 1,
    };
    all.get((at + by) % all.len().max(1)).copied().unwrap_or(now)
}

fn offers(started: &Started) -> Vec<Offer> {
    OFFERS.into_iter().filter(|offer| offer.ensemble(started).is_some()).collect()
}

fn counts(started: &Started) -> Vec<Images> {
    let fewer = COUNTS.into_iter().filter(|n| *n < started.data.validation).map(Images::First);
    fewer.chain([Images::All]).collect()
}

impl Row {
    /// Those that this run has.
    pub fn of(started: &Started) -> Vec<Self> {
        let mut rows = vec![Self::Attack, Self::Images];
        if started.teacher.is_some() {
            rows.push(Self::Whose);
        }
        rows.push(Self::Curve);
        rows
    }
}

impl Choice {
    /// The nearest to this that the run allows: it may have been made for another one.
    #[must_use]
    pub fn fitted(self, started: &Started) -> Self {
        let mut choice = self;
        if !offers(started).contains(&choice.attack) {
            choice.attack = Self::default().attack;
        }
        if !counts(started).contains(&choice.images) {
            choice.images = Images::All;
        }
        if started.teacher.is_none() {
            choice.of = Whose::Student;
        }
        choice
    }

    #[must_use]
    pub fn turned(self, started: &Started, row: Row, turn: Turn) -> Self {
        let mut choice = self.fitted(started);
        match row {
            Row::Attack => choice.attack = turned(&offers(started), choice.attack, turn),
            Row::Images => choice.images = turned(&counts(started), choice.images, turn),
            Row::Whose => choice.of = turned(&[Whose::Student, Whose::Teacher], choice.of, turn),
            Row::Curve => choice.curve = turned(&[Curve::Measure, Curve::Skip], choice.curve, turn),
        }
        choice
    }

    /// How many images that is.
    pub fn count(self, started: &Started) -> u64 {
        match self.images {
            Images::First(n) => n.min(started.data.validation),
            Images::All => started.data.validation,
        }
    }

    /// What is asked of the worker, and what must be said of the attack; `None` for data without the classes for any attack.
    pub fn plan(self, started: &Started) -> Option<(EvaluationPlan, Vec<String>)> {
        let choice = self.fitted(started);
        let (ensemble, remarks) = choice.attack.ensemble(started)?;
        let count = choice.count(started);
        let curve = match choice.curve {
            Curve::Measure => Some(CurvePlan::around(started.config.threat, count, SEED)),
            Curve::Skip => None,
        };
        let images = match choice.images {
            Images::First(n) => Some(n),
            Images::All => None,
        };
        let plan = EvaluationPlan {
            of: choice.of,
            ensembles: vec![ensemble],
            split: Split::Validation,
            images,
            curve,
            doubts: Doubts::Look,
        };
        Some((plan, remarks))
    }
}

/// What looking for doubts costs beside that, roughly: passes, and on how many of the images. A few short PGD and some queries of Square.
pub const DOUBTS: (u64, u64) = (360, 100);

/// Passes through the network that one image costs at most, when it stands everything: without the doubts.
pub fn passes(plan: &EvaluationPlan, classes: usize) -> u64 {
    let members = plan.ensembles.iter().flat_map(|ensemble| &ensemble.members);
    let curve = plan.curve.as_ref().map_or(0, |curve| curve.radii.len() as u64 * of(&curve.attack, classes));
    members.fold(curve, |sum, member| sum.saturating_add(of(member, classes)))
}

fn of(spec: &AttackSpec, classes: usize) -> u64 {
    let steps = u64::from(spec.steps) + 1;
    let step = match spec.name {
        // A gradient towards each class, then the way back from what it found.
        AttackName::Fab => classes as u64 + 1,
        AttackName::FabT => 2,
        AttackName::Fgsm
        | AttackName::Pgd
        | AttackName::ApgdCe
        | AttackName::ApgdDlr
        | AttackName::ApgdT
        | AttackName::Square
        | AttackName::ArtAutopgd => 1,
    };
    [step, u64::from(spec.restarts), u64::from(spec.targets.max(1)), u64::from(spec.eot)]
        .into_iter()
        .fold(steps, u64::saturating_mul)
}
