//! Numbers and facts in words, the same in every table and sentence.

use super::statistics::Sample;
use crate::config::Threat;
use crate::protocol::event::DataFacts;
use crate::protocol::report::interval;
use crate::run::calendar::calendar;
use crate::run::listing::clock;

/// Of a fraction, in percent without the sign.
pub fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

/// Of a difference of fractions, in points, without its sign.
pub fn points(difference: f64) -> String {
    format!("{:.1}", 100.0 * difference.abs())
}

pub fn minutes(seconds: f64) -> String {
    let minutes = seconds / 60.0;
    let digits = if minutes < 1.0 { 3 } else { usize::from(minutes < 100.0) + 1 };
    format!("{minutes:.digits$}")
}

/// `0:19 (19.3 s)`.
pub fn time(seconds: f64) -> String {
    // A sum of nothing is -0.
    let seconds = seconds + 0.0;
    format!("{} ({seconds:.1} s)", clock(seconds))
}

/// 95 % interval of a share of so many images: `[47.1, 53.2]`.
pub fn likely(share: f64, images: u64) -> String {
    let (low, high) = interval(share, images);
    format!("[{}, {}]", percent(low), percent(high))
}

/// How a mean is told beside itself: `± 0.52`; nothing of one alone.
pub fn give_or_take(sample: &Sample, show: impl Fn(f64) -> String) -> String {
    sample.deviation.map_or_else(String::new, |deviation| format!(" ± {}", show(deviation)))
}

pub fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// `a, b and c`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

pub fn data(data: &DataFacts) -> String {
    let [c, h, w] = data.shape;
    format!(
        "{} ({h}x{w}x{c}, {} classes; {} training, {} validation and {} test images)",
        data.name,
        data.classes.len(),
        data.train,
        data.validation,
        data.test
    )
}

pub fn threat(threat: Threat) -> String {
    format!("{} eps {}", threat.norm, threat.eps)
}

/// `2026-11-27 00:26 UTC`.
pub fn moment(at_ms: u64) -> String {
    let ([year, month, day], [hour, minute, _]) = calendar(at_ms);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// `24 GB`.
pub fn gigabytes(bytes: u64) -> String {
    format!("{:.0} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_keep_their_digits() {
        assert_eq!(time([].iter().sum::<f64>()), "0:00 (0.0 s)");
        assert_eq!([9.3, 90.0, 7200.0].map(minutes), ["0.155", "1.50", "120.0"]);
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
