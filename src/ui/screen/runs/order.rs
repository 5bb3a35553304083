//! The order of the rows: newest, best, by lambda, and as a tree of what branched off what.
//!
//! Numbers of different measures are never ranked together: those unlike the usual one stand after all that are alike, and say why.

use super::filter::fits;
use super::{Shape, Sort};
use crate::protocol::Step;
use crate::run::listing::Standing;
use crate::run::shelf::measure::{Measure, Number, usual};
use crate::run::shelf::{Entry, Facts};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// What the list shows.
pub struct Shown {
    pub rows: Vec<Listed>,
    /// Runs there are, those filtered out too.
    pub all: usize,
    /// What the ranked probes were made with.
    pub measure: Option<Measure>,
    /// What the final numbers were made with, of this run or of most.
    pub test: Option<Measure>,
    /// Runs that are ranked.
    pub ranked: usize,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Listed {
    pub entry: Entry,
    pub own: bool,
    pub rank: Rank,
    /// Parents above it.
    pub depth: usize,
    /// Where it branched off, if its parent stands above.
    pub at: Option<Step>,
}

/// How a run's best probe stands to the others'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rank {
    Best,
    Ranked,
    /// Not to be ranked with them, and why.
    Unlike(String),
    NoNumber,
}

/// A run's state in one word.
pub fn state_word(entry: &Entry) -> &'static str {
    match &entry.found {
        Err(_) => "broken",
        Ok(facts) => match facts.summary.state {
            Standing::Running => "live",
            Standing::Completed => "completed",
            Standing::Stopped => "stopped",
            Standing::Failed => "failed",
            Standing::Interrupted => "interrupted",
        },
    }
}

pub(super) fn shown(mut all: Vec<Entry>, own: Option<&str>, filter: &str, sort: Sort, shape: Shape) -> Shown {
    all.sort_by(newest);
    let measure = reference(&all, own, |facts| facts.best.as_ref());
    let test = reference(&all, own, |facts| facts.test.as_ref());
    let ranks = ranked(&all, measure.as_ref());
    let (count, ranked) = (all.len(), ranks.iter().filter(|rank| matches!(rank, Rank::Best | Rank::Ranked)).count());
    let mut rows: Vec<Listed> = all
        .into_iter()
        .zip(ranks)
        .filter(|(entry, _)| fits(entry, filter))
        .map(|(entry, rank)| Listed { own: own == Some(entry.id.as_str()), entry, rank, depth: 0, at: None })
        .collect();
    // Stable: what is equal stays newest first.
    rows.sort_by(|a, b| compare(a, b, sort));
    let rows = match shape {
        Shape::Flat => rows,
        Shape::Tree => tree(rows),
    };
    Shown { rows, all: count, measure, test, ranked }
}

/// What this run is measured with; before its first probe what most runs of its data and threat are.
fn reference(all: &[Entry], own: Option<&str>, number: fn(&Facts) -> Option<&Number>) -> Option<Measure> {
    let facts = all.iter().filter_map(|entry| entry.found.as_deref().ok());
    let own = all.iter().find(|entry| Some(entry.id.as_str()) == own).and_then(|entry| entry.found.as_deref().ok());
    if let Some(number) = own.and_then(number) {
        return Some(number.measure.clone());
    }
    let near = |f: &&Facts| {
        own.is_none_or(|own| f.summary.data == own.summary.data && f.started.config.threat == own.started.config.threat)
    };
    usual(facts.filter(near).filter_map(number).map(|n| &n.measure)).cloned()
}

fn ranked(all: &[Entry], reference: Option<&Measure>) -> Vec<Rank> {
    let rank = |entry: &Entry| match (entry.found.as_deref().ok().and_then(|f| f.best.as_ref()), reference) {
        (Some(number), Some(reference)) => match number.measure.unlike(reference) {
            Some(why) => Rank::Unlike(why),
            None if number.adversarial.is_nan() => Rank::NoNumber,
            None => Rank::Ranked,
        },
        // Then this run has none, and no other has its data and threat.
        (Some(_), None) => Rank::Unlike("data or threat unlike this run's".into()),
        (None, _) => Rank::NoNumber,
    };
    let mut ranks: Vec<Rank> = all.iter().map(rank).collect();
    let best = all
        .iter()
        .zip(&ranks)
        .enumerate()
        .filter(|(_, (_, rank))| **rank == Rank::Ranked)
        .filter_map(|(i, (entry, _))| Some((i, entry.found.as_deref().ok()?.best.as_ref()?.adversarial)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    // One alone is the best of nothing.
    if ranks.iter().filter(|rank| **rank == Rank::Ranked).count() > 1
        && let Some((i, _)) = best
    {
        ranks[i] = Rank::Best;
    }
    ranks
}

/// What cannot be read comes last.
fn newest(a: &Entry, b: &Entry) -> Ordering {
    let when = |entry: &Entry| entry.found.as_deref().ok().map(|f| f.summary.started_at_ms);
    when(b).cmp(&when(a)).then_with(|| a.id.cmp(&b.id))
}

fn compare(a: &Listed, b: &Listed, sort: Sort) -> Ordering {
    let number = |listed: &Listed, of: fn(&Facts) -> Option<f64>| {
        let alike = matches!(listed.rank, Rank::Best | Rank::Ranked);
        listed.entry.found.as_deref().ok().filter(|_| alike).and_then(of)
    };
    let highest = |of: fn(&Facts) -> Option<f64>| match (number(a, of), number(b, of)) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    match sort {
        Sort::Newest => Ordering::Equal,
        Sort::Natural => highest(|f| f.best.as_ref().map(|n| n.natural)),
        Sort::Adversarial => highest(|f| f.best.as_ref().map(|n| n.adversarial)),
        Sort::Lambda => {
            let lambda = |listed: &Listed| listed.entry.found.as_deref().ok().and_then(|f| f.summary.lambda_now);
            match (lambda(a), lambda(b)) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                (a, b) => b.is_some().cmp(&a.is_some()),
            }
        }
    }
}

/// Children below their parents, in the order of the steps where they branched off. Whoever has no parent in the list stands by itself;
/// so does one of each ring, which only a damaged log can make.
fn tree(rows: Vec<Listed>) -> Vec<Listed> {
    let at: HashMap<String, usize> = rows.iter().enumerate().map(|(i, row)| (row.entry.id.clone(), i)).collect();
    let parent = |i: usize| -> Option<(usize, Step)> {
        let parent = rows[i].entry.found.as_deref().ok()?.summary.parent.as_ref()?;
        at.get(&parent.run).filter(|&&p| p != i).map(|&p| (p, parent.step))
    };
    let parents: Vec<Option<(usize, Step)>> = (0..rows.len()).map(parent).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    for (i, parent) in parents.iter().enumerate() {
        if let Some((p, _)) = parent {
            children[*p].push(i);
        }
    }
    for list in &mut children {
        list.sort_by_key(|&i| parents[i].map_or(0, |(_, step)| step));
    }
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(rows.len());
    let mut seen = HashSet::new();
    let roots = (0..rows.len()).filter(|&i| parents[i].is_none());
    for root in roots.chain(0..rows.len()) {
        let mut waiting = vec![(root, 0)];
        while let Some((i, depth)) = waiting.pop() {
            if seen.insert(i) {
                order.push((i, depth));
                waiting.extend(children[i].iter().rev().map(|&child| (child, depth + 1)));
            }
        }
    }
    let mut rows: Vec<Option<Listed>> = rows.into_iter().map(Some).collect();
    let mut placed = Vec::with_capacity(rows.len());
    for (i, depth) in order {
        if let Some(row) = rows[i].take() {
            let at = parents[i].filter(|_| depth > 0).map(|(_, step)| step);
            placed.push(Listed { depth, at, ..row });
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::Purpose;
    use crate::run::shelf::made::run;

    fn ids(shown: &Shown) -> Vec<&str> {
        shown.rows.iter().map(|listed| listed.entry.id.as_str()).collect()
    }

    fn four() -> Vec<Entry> {
        vec![
            run("low").at(1).lambda(0.5).probe(0.9, 0.2).entry(),
            Entry { id: "broken".into(), found: Err("line 1: not a record".into()) },
            run("weak-attack").at(4).lambda(0.005).evaluated(Purpose::Probe, 2, 256, 0.5, 0.9).entry(),
            run("mine").at(3).lambda(0.05).probe(0.7, 0.4).entry(),
            run("high").at(2).lambda(0.0).probe(0.6, 0.5).probe(0.8, 0.3).entry(),
        ]
    }

    #[test]
    fn what_is_unlike_is_never_ranked_and_says_why() {
        let at = |sort| shown(four(), Some("mine"), "", sort, Shape::Flat);
        assert_eq!(ids(&at(Sort::Newest)), ["weak-attack", "mine", "high", "low", "broken"]);
        let best = at(Sort::Adversarial);
        assert_eq!(ids(&best), ["high", "mine", "low", "weak-attack", "broken"]);
        assert_eq!((&best.rows[0].rank, best.ranked), (&Rank::Best, 3));
        assert_eq!(best.rows[3].rank, Rank::Unlike("attack pgd-2, not pgd-10".into()));
        assert_eq!(ids(&at(Sort::Natural)), ["low", "mine", "high", "weak-attack", "broken"]);
        assert_eq!(ids(&at(Sort::Lambda)), ["high", "weak-attack", "mine", "low", "broken"]);
        // The other way round, whoever looks from the weak attack.
        let other = shown(four(), Some("weak-attack"), "", Sort::Adversarial, Shape::Flat);
        assert_eq!(ids(&other)[0], "weak-attack");
        assert!(matches!(&other.rows[1].rank, Rank::Unlike(_)));
    }

    #[test]
    fn filtered_rows_keep_their_ranks() {
        let some = shown(four(), Some("mine"), "state:completed lambda:0.05", Sort::Newest, Shape::Tree);
        assert_eq!((ids(&some), some.all, &some.rows[0].rank), (vec!["mine"], 5, &Rank::Ranked));
    }

    #[test]
    fn children_stand_below_their_parents_in_the_order_of_their_steps() {
        let all = vec![
            run("root").at(1).entry(),
            run("late").at(2).parent("root", 500).entry(),
            run("early").at(5).parent("root", 100).entry(),
            run("grandchild").at(9).parent("early", 300).entry(),
            run("other").at(4).entry(),
            run("orphan").at(3).parent("gone", 7).entry(),
        ];
        let tree = shown(all.clone(), None, "", Sort::Newest, Shape::Tree);
        let seen: Vec<_> = tree.rows.iter().map(|l| (l.entry.id.as_str(), l.depth, l.at)).collect();
        let wanted = [
            ("other", 0, None),
            ("orphan", 0, None),
            ("root", 0, None),
            ("early", 1, Some(100)),
            ("grandchild", 2, Some(300)),
            ("late", 1, Some(500)),
        ];
        assert_eq!(seen, wanted);
        // Whose parent is filtered out stands by itself.
        let some = shown(all, None, "id:grand", Sort::Newest, Shape::Tree);
        assert_eq!((some.rows[0].depth, some.rows[0].at), (0, None));
    }

    #[test]
    fn rings_lose_no_run_and_end() {
        let all = vec![
            run("a").parent("b", 1).entry(),
            run("b").parent("a", 2).entry(),
            run("self").parent("self", 3).entry(),
            run("child").parent("a", 4).entry(),
        ];
        let tree = shown(all, None, "", Sort::Newest, Shape::Tree);
        let mut seen = ids(&tree);
        seen.sort_unstable();
        assert_eq!(seen, ["a", "b", "child", "self"]);
    }
}
