//! Which checkpoints are kept: the best, the newest, every k-th, and whatever a person asked for or pinned.
//!
//! Only those that training writes by itself ever go.

use super::{Found, Pinned, Reason, best, list, remove};
use crate::config::{Checkpoint, Eps};
use std::path::Path;

/// Those before a change that are kept: the last few are what somebody wants to go back to.
const BEFORE_CHANGES: usize = 3;

/// The rule of a run.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    pub settings: Checkpoint,
    /// The radius under which probes compare.
    pub eps: Eps,
}

/// Removes what the rule does not keep. Failing to is no reason to stop training.
pub fn prune(checkpoints: &Path, keep: Keep) {
    let all = list(checkpoints);
    for found in gone(&all, keep) {
        let _ = remove(&found.path);
    }
}

/// What the rule does not keep.
fn gone(all: &[Found], keep: Keep) -> Vec<&Found> {
    let best = best(all, keep.eps).map(|found| found.state.step);
    let last = all.last().map(|found| found.state.step);
    let may_go = |found: &&Found, of: &[Reason]| {
        let state = &found.state;
        let round = keep.settings.keep_every * state.steps_per_epoch;
        of.contains(&state.reason)
            && found.pinned == Pinned::No
            && Some(state.step) != best
            && Some(state.step) != last
            && !(round > 0 && state.step.is_multiple_of(round))
    };
    // Oldest first; so many of the newest stay.
    let all_but = |of: &[Reason], newest: usize| {
        let kind: Vec<&Found> = all.iter().filter(|found| of.contains(&found.state.reason)).collect();
        let old = kind.len().saturating_sub(newest);
        kind[..old].iter().copied().filter(|found| may_go(found, of)).collect::<Vec<_>>()
    };
    // A best one that is not the best any more is worth no more than a periodic one, and less than a newer one.
    let mut gone = all_but(&[Reason::Periodic, Reason::Stopped], keep.settings.keep_last);
    gone.extend(all_but(&[Reason::Best], 0));
    gone.extend(all_but(&[Reason::BeforeChange], BEFORE_CHANGES));
    gone
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    fn steps(all: &[Found], keep_last: usize, keep_every: u64) -> Vec<u64> {
        let settings = Checkpoint { keep_last, keep_every, ..Checkpoint::default() };
        let gone: Vec<u64> = gone(all, Keep { settings, eps: Eps(0.1) }).iter().map(|found| found.state.step).collect();
        all.iter().map(|found| found.state.step).filter(|step| !gone.contains(step)).collect()
    }

    #[test]
    fn the_best_the_newest_every_kth_and_what_was_pinned_stay() {
        let mut all: Vec<Found> =
            (1..=9).map(|n| found(10 * n, Reason::Periodic, Some(if n == 2 { 0.9 } else { 0.1 }))).collect();
        assert_eq!(steps(&all, 2, 0), [20, 80, 90]);
        assert_eq!(steps(&all, 1, 3), [20, 30, 60, 90]);
        all[3].pinned = Pinned::Yes;
        assert_eq!(steps(&all, 2, 0), [20, 40, 80, 90]);
    }

    #[test]
    fn what_was_asked_for_stays_and_only_the_last_ways_back_do() {
        let all = [
            found(1, Reason::Branched, None),
            found(2, Reason::Asked, None),
            found(3, Reason::BeforeChange, None),
            found(4, Reason::BeforeChange, None),
            found(5, Reason::BeforeChange, None),
            found(6, Reason::BeforeChange, None),
            found(7, Reason::Best, Some(0.5)),
            found(8, Reason::Best, Some(0.6)),
            found(9, Reason::Stopped, None),
            found(10, Reason::Periodic, None),
            found(11, Reason::Final, None),
        ];
        assert_eq!(steps(&all, 1, 0), [1, 2, 4, 5, 6, 8, 10, 11]);
    }

    #[test]
    fn a_probe_under_another_radius_makes_nothing_the_best() {
        let mut all =
            [found(1, Reason::Periodic, Some(0.3)), found(2, Reason::Periodic, Some(0.9)), found(3, Reason::Periodic, None)];
        if let Some(probed) = &mut all[1].state.probed {
            probed.eps = Eps(0.01);
        }
        assert_eq!(steps(&all, 1, 0), [1, 3]);
    }
}
