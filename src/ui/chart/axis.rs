//! The y axis of a chart, and how numbers are written beside it.

use super::Scale;

/// Bounds in what is drawn (logarithms for a log axis).
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) scale: Scale,
    pub(super) rows: usize,
}

impl Axis {
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        match self.scale {
            Scale::Linear => value.is_finite().then_some(value),
            Scale::Log => (value > 0.0 && value.is_finite()).then(|| value.log10()),
        }
    }

    pub(super) fn dot(&self, value: f64) -> Option<usize> {
        let share = ((self.place(value)? - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        Some(((1.0 - share) * (self.rows - 1) as f64).round() as usize)
    }

    /// Round values between the ends, as shares of the height from the top down: at most so many stretches between them.
    pub(super) fn ticks(&self, stretches: usize) -> Vec<f64> {
        let range = self.high - self.low;
        let step = match self.scale {
            Scale::Linear => round_step(range / stretches as f64),
            // Whole decades.
            Scale::Log => (range / stretches as f64).ceil().max(1.0),
        };
        let (first, last) = ((self.low / step).floor() as i64 + 1, (self.high / step).ceil() as i64 - 1);
        (first..=last).rev().map(|n| (n as f64 * step - self.low) / range).collect()
    }

    pub(super) fn label(&self, share: f64) -> String {
        let at = self.low + share * (self.high - self.low);
        // What is nearer to zero than a billionth of the range is zero, and was not computed exactly.
        let at = if at.abs() < 1e-9 * (self.high - self.low) { 0.0 } else { at };
        number(if self.scale == Scale::Log { 10f64.powf(at) } else { at })
    }
}

/// In at most five cells.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0.00".into()
    } else if !(0.000_95..99_999.5).contains(&size) {
        format!("{value:.0e}")
    } else if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else if size >= 0.1 || size == 0.05 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}").replacen("0.", ".", 1)
    }
}

/// The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `least`.
fn round_step(least: f64) -> f64 {
    let unit = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 2.5, 5.0].iter().map(|s| s * unit).find(|&s| s >= least * (1.0 - 1e-9)).unwrap_or(10.0 * unit)
}

/// The smallest round number that is not below `value`: changes rarely while a curve grows.
pub(super) fn nice_above(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 0.0;
    }
    let unit = 10f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.iter().map(|s| s * unit).find(|&s| s >= value * (1.0 - 1e-9)).unwrap_or(10.0 * unit)
}

pub(super) fn short_count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1}k", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// `45s`, `2.5m`, `12h`.
pub(super) fn short_time(ms: u64) -> String {
    let seconds = ms as f64 / 1e3;
    let (value, unit) = match seconds {
        ..100.0 => (seconds, "s"),
        ..6_000.0 => (seconds / 60.0, "m"),
        ..360_000.0 => (seconds / 3_600.0, "h"),
        _ => (seconds / 86_400.0, "d"),
    };
    if (value - value.round()).abs() < 0.05 { format!("{value:.0}{unit}") } else { format!("{value:.1}{unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_numbers_hold_still_while_a_curve_moves() {
        let bounds: Vec<f64> = (0..100).map(|i| nice_above(2.05 + f64::from(i) * 0.009)).collect();
        assert!(bounds.iter().all(|b| *b == 3.0));
        assert_eq!([nice_above(1.0), nice_above(0.2), nice_above(97.0)], [1.0, 0.2, 100.0]);
    }

    #[test]
    fn labels_fit_their_gutter() {
        for value in [0.0, 1e-5, -1e-5, 0.0123, -0.0123, 0.5, -0.99, 9.999, 12.3, 99.99, 100.0, 12_345.0, 1e7] {
            assert!(number(value).len() <= 5, "{}", number(value));
        }
    }

    #[test]
    fn times_are_short() {
        let times = [0, 45_000, 150_000, 3_600_000, 5_400_000, 43_200_000, 864_000_000].map(short_time);
        assert_eq!(times, ["0s", "45s", "2.5m", "60m", "90m", "12h", "10d"]);
    }
}
