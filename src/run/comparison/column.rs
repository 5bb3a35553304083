//! What numbers must have in common to stand under one heading, and how that heading is put into words.
//!
//! Two numbers compare when the attack is the same to its last setting but the seed, and the images are the same ones. Nothing here
//! knows of a run.

use crate::config::{AttackSpec, Ensemble, RandomStart, Suite, Threat};
use crate::protocol::event::Split;
use serde::Serialize;
use std::cmp::Ordering;

/// Which images a number was counted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageSet {
    pub data: String,
    pub split: Split,
    pub images: u64,
    /// How many the split has, where that is known. Of splits of other sizes other images are taken, also where their number is the same.
    pub of: Option<u64>,
    /// `None`: not known, which is the case on data that an evaluation was pointed at.
    pub seen_in_training: Option<bool>,
}

/// An attack, with seeds of 0 that stand for any, and what it was run on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    pub ensemble: Ensemble,
    pub on: ImageSet,
}

impl ImageSet {
    /// `2000 test images, not seen in training`.
    pub fn describe(&self, own: &str) -> String {
        let Self { data, split, images, of, seen_in_training } = self;
        let of = of.filter(|of| of != images).map_or(String::new(), |of| format!(" of {of}"));
        let from = if data == own { String::new() } else { format!(" of {data}") };
        let seen = match (seen_in_training, split) {
            (Some(true), _) => "seen in training",
            (Some(false), Split::Validation) => "held out of training, used for choices",
            (Some(false), Split::Train | Split::Test) => "not seen in training",
            (None, _) => "unknown whether seen in training",
        };
        format!("{images}{of} {} images{from}, {seen}", split.name())
    }

    /// Test images first, the more the earlier.
    pub fn order(&self, other: &Self) -> Ordering {
        let rank = |set: &Self| match set.split {
            Split::Test => 0,
            Split::Validation => 1,
            Split::Train => 2,
        };
        let key = |set: &Self| (rank(set), u64::MAX - set.images, set.of, set.seen_in_training, set.data.clone());
        key(self).cmp(&key(other))
    }
}

impl Column {
    pub fn new(ensemble: &Ensemble, on: ImageSet) -> Self {
        let members = ensemble.members.iter().map(|member| AttackSpec { seed: 0, ..member.clone() }).collect();
        Self { ensemble: Ensemble { name: ensemble.name.clone(), members }, on }
    }

    /// The name; where the attack is under another threat than this one, with its own: `pgd-20 L2 1.5`.
    pub fn name(&self, usual: Threat) -> String {
        let name = &self.ensemble.name;
        let other = self.ensemble.members.first().filter(|m| m.norm != usual.norm || m.eps != usual.eps);
        other.map_or_else(|| name.clone(), |m| format!("{name} {} {}", m.norm, m.eps))
    }

    /// Everything about the attack, `20 steps of 0.0125, random start, 1 restart; L-inf eps 0.1`, and about the images.
    pub fn describe(&self, own: &str) -> String {
        let members = &self.ensemble.members;
        let (several, alike) = (members.len() > 1, members.iter().all(|m| threat(m) == threat(&members[0])));
        let each: Vec<String> = members
            .iter()
            .map(|spec| {
                let name = if several || spec.short() != self.ensemble.name { spec.name.name() } else { "" };
                let under = if alike { String::new() } else { format!(", {}", threat(spec)) };
                format!("{name} {}{under}", spec.how()).trim_start().to_string()
            })
            .collect();
        let under = members.first().filter(|_| alike).map_or(String::new(), |spec| format!("; {}", threat(spec)));
        format!("{}{under}; {}", each.join("; "), self.on.describe(own))
    }

    /// Single attacks, then suites, `AutoAttack` last; within these by attack and strength, then by images.
    pub fn order(&self, other: &Self) -> Ordering {
        let rank = |column: &Self| {
            let name = column.ensemble.name.as_str();
            Suite::ALL.iter().position(|suite| suite.name() == name).map_or(0, |place| match Suite::ALL[place] {
                Suite::Rand => 1,
                Suite::AutoAttack => 2,
                Suite::AutoAttackPlus => 3,
            })
        };
        rank(self)
            .cmp(&rank(other))
            .then_with(|| {
                let pairs = self.ensemble.members.iter().zip(&other.ensemble.members);
                pairs.map(|(a, b)| strength(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            })
            .then_with(|| self.ensemble.members.len().cmp(&other.ensemble.members.len()))
            .then_with(|| self.ensemble.name.cmp(&other.ensemble.name))
            .then_with(|| self.on.order(&other.on))
    }
}

fn threat(spec: &AttackSpec) -> String {
    format!("{} eps {}", spec.norm, spec.eps)
}

fn strength(a: &AttackSpec, b: &AttackSpec) -> Ordering {
    let place = |spec: &AttackSpec| (spec.name as u8, spec.norm as u8);
    let counts = |spec: &AttackSpec| (spec.steps, spec.restarts, spec.targets, spec.eot, spec.random_start == RandomStart::Yes);
    place(a)
        .cmp(&place(b))
        .then(a.eps.0.total_cmp(&b.eps.0))
        .then(counts(a).cmp(&counts(b)))
        .then(a.step_size.0.total_cmp(&b.step_size.0))
}

/// `pgd-20`, or `pgd-20 [1]` and `pgd-20 [2]`.
pub(super) fn numbered<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let all = names.clone();
    names
        .enumerate()
        .map(|(i, name)| {
            let before = all.clone().take(i).filter(|other| *other == name).count();
            let alone = all.clone().filter(|other| *other == name).count() == 1;
            if alone { name.to_string() } else { format!("{name} [{}]", before + 1) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Eps, Norm, Overrides, Threat};

    const THREAT: Threat = Threat { norm: Norm::Linf, eps: Eps(0.1) };

    fn on(images: u64) -> ImageSet {
        let data = "squares".to_string();
        ImageSet { data, split: Split::Test, images, of: Some(2000), seen_in_training: Some(false) }
    }

    fn pgd(steps: u32, seed: u64) -> Ensemble {
        let spec = AttackSpec::pgd(THREAT, steps, 1, seed);
        Ensemble { name: spec.short(), members: vec![spec] }
    }

    #[test]
    fn only_the_seed_may_differ() {
        let column = Column::new(&pgd(20, 0), on(2000));
        assert_eq!(column, Column::new(&pgd(20, 7), on(2000)));
        let changed = |change: fn(&mut AttackSpec)| {
            let mut ensemble = pgd(20, 0);
            change(&mut ensemble.members[0]);
            Column::new(&ensemble, on(2000))
        };
        let changes: [fn(&mut AttackSpec); 8] = [
            |s| s.steps = 50,
            |s| s.restarts = 2,
            |s| s.eps = Eps(0.2),
            |s| s.norm = Norm::L2,
            |s| s.step_size = Eps(0.01),
            |s| s.random_start = RandomStart::No,
            |s| s.targets = 3,
            |s| s.eot = 20,
        ];
        for change in changes {
            assert_ne!(column, changed(change));
            assert_ne!(column.describe("squares"), changed(change).describe("squares"), "a reader must see what differs");
        }
        let others = [
            on(500),
            ImageSet { of: Some(10_000), ..on(2000) },
            ImageSet { split: Split::Validation, ..on(2000) },
            ImageSet { data: "circles".into(), ..on(2000) },
            ImageSet { seen_in_training: None, ..on(2000) },
        ];
        for other in others {
            let other = Column::new(&pgd(20, 0), other);
            assert_ne!(column, other);
            assert_ne!(column.describe("squares"), other.describe("squares"));
        }
    }

    #[test]
    fn a_column_says_how_its_numbers_were_made() {
        assert_eq!(
            Column::new(&pgd(20, 0), on(500)).describe("squares"),
            "20 steps of 0.0125, random start, 1 restart; L-inf eps 0.1; 500 of 2000 test images, not seen in training"
        );
        let (suite, _) = Ensemble::suite(Suite::AutoAttack, THREAT, 10, 0);
        let said = Column::new(&suite, on(2000)).describe("squares");
        assert!(said.contains("apgd-t 100 steps of 0.2, random start, 1 restart, 9 targets; fab-t"), "{said}");
        assert!(said.contains("square 5000 queries") && said.matches("eps 0.1").count() == 1, "{said}");
    }

    #[test]
    fn autoattack_comes_last_and_stronger_after_weaker() {
        let suite = |suite| Ensemble::suite(suite, THREAT, 10, 0).0;
        let square = Ensemble::single(crate::config::AttackName::Square, THREAT, 10, 0, Overrides::default()).unwrap().0;
        let mut columns: Vec<Column> = [suite(Suite::AutoAttack), pgd(50, 0), suite(Suite::Rand), square, pgd(20, 0)]
            .iter()
            .map(|e| Column::new(e, on(2000)))
            .collect();
        columns.sort_by(Column::order);
        let names: Vec<&str> = columns.iter().map(|c| c.ensemble.name.as_str()).collect();
        assert_eq!(names, ["pgd-20", "pgd-50", "square-5000", "rand", "autoattack"]);
    }
}
