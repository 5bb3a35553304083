//! Means over seeds, how far they spread, and whether two of them can be told apart.

use crate::protocol::report::interval;

/// Several measurements of one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub n: usize,
    pub mean: f64,
    /// With `n - 1`; `None` of one alone.
    pub deviation: Option<f64>,
    pub low: f64,
    pub high: f64,
}

impl Sample {
    /// `None` of nothing: an average of nothing is not 0. Values that are not finite are left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        let n = values.len();
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        Some(Self { n, mean, deviation, low, high })
    }
}

/// What comes of holding one mean against another, both of accuracies as fractions 0-1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// First minus second.
    pub difference: f64,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// More than runs of either differ among themselves, and more than that many images leave open.
    ToldApart { spread: f64 },
    /// Not more than runs differ among themselves.
    WithinSpread { spread: f64 },
    /// More than that, but not more than so few images leave open.
    WithinImages { open: f64 },
    /// One of them was run with one seed only: how far runs differ is not known.
    UnknownSpread,
}

/// How [`held`] judges, for readers.
pub const RULE: &str = "Two means are called different only where they differ by more than the spread of single runs (the root of the sum \
of both squared sample standard deviations over seeds) and by more than what the number of images leaves open (likewise of half the 95 % \
intervals); with one seed nothing is claimed.";

/// Holds one against another that was counted on as many images.
pub fn held(first: &Sample, second: &Sample, images: u64) -> Held {
    let difference = first.mean - second.mean;
    let half = |sample: &Sample| {
        let (low, high) = interval(sample.mean.clamp(0.0, 1.0), images);
        (high - low) / 2.0
    };
    let verdict = match (first.deviation, second.deviation) {
        (Some(a), Some(b)) => {
            let (spread, open) = (a.hypot(b), half(first).hypot(half(second)));
            if difference.abs() <= spread {
                Verdict::WithinSpread { spread }
            } else if difference.abs() <= open {
                Verdict::WithinImages { open }
            } else {
                Verdict::ToldApart { spread }
            }
        }
        (None, _) | (_, None) => Verdict::UnknownSpread,
    };
    Held { difference, verdict }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::of(values.iter().copied()).unwrap()
    }

    #[test]
    fn a_sample_has_its_mean_and_the_deviation_of_a_sample() {
        let found = sample(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!((found.n, found.mean, found.low, found.high), (8, 5.0, 2.0, 9.0));
        // 32 / 7.
        assert!((found.deviation.unwrap() - 2.138_089_935).abs() < 1e-9);
        assert_eq!((sample(&[0.5]).deviation, sample(&[0.5, f64::NAN]).n), (None, 1));
        assert_eq!(Sample::of([]), None);
        assert_eq!(Sample::of([f64::INFINITY]), None);
    }

    #[test]
    fn means_are_told_apart_only_beyond_spread_and_images() {
        let (a, b) = (sample(&[0.50, 0.52, 0.51]), sample(&[0.30, 0.31, 0.29]));
        let Held { difference, verdict } = held(&a, &b, 1000);
        assert!((difference - 0.21).abs() < 1e-12 && matches!(verdict, Verdict::ToldApart { .. }), "{verdict:?}");
        let Verdict::ToldApart { spread } = verdict else { unreachable!() };
        assert!((spread - 0.01f64.hypot(0.01)).abs() < 1e-12);
        // Far apart, and ten images only.
        assert!(matches!(held(&a, &b, 10).verdict, Verdict::WithinImages { .. }));
        // The spread of one is wider than the difference.
        assert!(matches!(held(&a, &sample(&[0.2, 0.8]), 100_000).verdict, Verdict::WithinSpread { .. }));
        assert_eq!(held(&a, &sample(&[0.1]), 100_000).verdict, Verdict::UnknownSpread);
    }
}
