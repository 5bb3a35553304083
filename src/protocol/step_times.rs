//! How long steps take, as numbers of steps in fixed bins, so that a second of steps is a few numbers and seconds add up.
//!
//! A bin is a quarter of a doubling: bin `b` holds `2^((b - 40) / 4)` ms up to where the next begins. Bin 40 begins at 1 ms; bin
//! 0 holds everything up to a thousandth of that, and the last one everything from 4 hours on. It folds nothing.

/// The bin that begins at 1 ms.
const ONE_MS: f64 = 40.0;
const A_DOUBLING: f64 = 4.0;
pub const LAST: u16 = 136;

/// Which bin holds this time.
pub fn bin(ms: f64) -> u16 {
    // A little more than nothing, or what `from_ms` gives would fall into the bin below by rounding.
    let bin = (ms.max(f64::MIN_POSITIVE).log2() * A_DOUBLING + ONE_MS + 1e-9).floor();
    if bin.is_nan() { 0 } else { bin.clamp(0.0, f64::from(LAST)) as u16 }
}

/// Where a bin begins, in milliseconds.
pub fn from_ms(bin: u16) -> f64 {
    ((f64::from(bin) - ONE_MS) / A_DOUBLING).exp2()
}

/// The bins of these times, ascending, each with how many there are; empty bins are left out.
pub fn counts(times_ms: &[f64]) -> Vec<(u16, u32)> {
    let mut bins: Vec<u16> = times_ms.iter().map(|&ms| bin(ms)).collect();
    bins.sort_unstable();
    bins.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_is_a_quarter_of_a_doubling() {
        for (ms, of) in [(0.0, 0), (1.0, 40), (1.18, 40), (1.19, 41), (2.0, 44), (1000.0, 79), (1e12, LAST), (f64::NAN, 0)] {
            assert_eq!(bin(ms), of, "{ms}");
        }
        for b in 0..LAST {
            assert_eq!((bin(from_ms(b)), bin(from_ms(b + 1) * 0.999)), (b, b));
        }
    }

    #[test]
    fn equal_times_are_counted_together() {
        assert_eq!(counts(&[2.0, 1.0, 2.1, 40.0]), [(40, 1), (44, 2), (bin(40.0), 1)]);
        assert!(counts(&[]).is_empty());
    }
}
