//! Notices when steps have become several times slower than they were, and says what usually is to blame.
//!
//! It changes nothing: fewer threads would be faster on shared cores, but they would also change the last bits of every sum, and a
//! run is to be repeatable.

/// Steps this many times slower than the best second so far ...
const FACTOR: f64 = 3.0;
/// ... for this many looks in a row, about one a second.
const LOOKS: u32 = 10;

#[derive(Debug, Default)]
pub struct Pace {
    best_ms: Option<f64>,
    slow: u32,
    said: bool,
}

impl Pace {
    /// Takes the median step time of the last second or so; gives a warning once a run.
    pub fn slowed(&mut self, p50_ms: f64) -> Option<String> {
        if p50_ms <= 0.0 {
            return None;
        }
        let best = self.best_ms.map_or(p50_ms, |best| best.min(p50_ms));
        self.best_ms = Some(best);
        self.slow = if p50_ms > FACTOR * best { self.slow + 1 } else { 0 };
        if self.said || self.slow < LOOKS {
            return None;
        }
        self.said = true;
        Some(format!(
            "steps take {p50_ms:.0} ms now and took {best:.0} ms before: other programs seem to use the same processor or GPU. On a shared CPU GOMP_SPINCOUNT=0 in the environment, or --threads 1, trains faster"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_slowdown_is_said_once_and_a_hiccup_never() {
        let mut pace = Pace::default();
        for _ in 0..20 {
            assert_eq!(pace.slowed(20.0), None);
        }
        for _ in 0..9 {
            assert_eq!(pace.slowed(100.0), None);
        }
        assert_eq!(pace.slowed(30.0), None);
        let said: Vec<String> = (0..30).filter_map(|_| pace.slowed(90.0)).collect();
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("90 ms now and took 20 ms before"), "{}", said[0]);
    }
}
