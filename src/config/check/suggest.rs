//! The known name nearest to one that is not known.
//!
//! Decides by spelling alone; what it suggests may still not fit where it was written.

use super::keys::{KEYS, Key};

/// The key that was probably meant.
pub(crate) fn key(unknown: &str) -> Option<&'static Key> {
    let by_spelling = KEYS
        .iter()
        .map(|key| (distance(unknown, key.path), key))
        .filter(|(far, _)| *far <= 2.max(unknown.chars().count() / 4))
        .min_by_key(|(far, _)| *far);
    // A known name in the wrong section, or in none: `lambda` for `method.lambda`.
    let last = unknown.rsplit('.').next().unwrap_or(unknown);
    by_spelling.map(|(_, key)| key).or_else(|| KEYS.iter().find(|key| key.section_and_name().1 == last))
}

/// Of some names the one that was probably meant.
pub(crate) fn name<'a>(unknown: &str, names: &[&'a str]) -> Option<&'a str> {
    let nearest = names.iter().map(|name| (distance(unknown, name), *name)).min_by_key(|(far, _)| *far);
    nearest.filter(|(far, _)| *far <= 2 && *far < unknown.chars().count()).map(|(_, name)| name)
}

/// Edits between two names, an exchange of neighbours counting one (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // A name far longer than any of ours is near none of them, and need not cost its square.
    if a.len().abs_diff(b.len()) > 32 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits_and_exchanges() {
        for (a, b, far) in [("", "", 0), ("train", "trian", 1), ("epochs", "epoch", 1), ("lr", "", 2), ("sat", "rrm", 3)] {
            assert_eq!(distance(a, b), far, "{a} {b}");
            assert_eq!(distance(b, a), far, "{b} {a}");
        }
    }

    #[test]
    fn what_was_probably_meant() {
        for (unknown, meant) in [
            ("trian.epochs", Some("train.epochs")),
            ("lambda", Some("method.lambda")),
            ("train.gamma", Some("train.schedule.gamma")),
            ("threat.epsilon", None),
            ("wholly.other", None),
        ] {
            assert_eq!(key(unknown).map(|k| k.path), meant, "{unknown}");
        }
        assert_eq!(name("cosin", &["cosine", "constant"]), Some("cosine"));
        assert_eq!(name("x", &["l2", "linf"]), None);
    }
}
