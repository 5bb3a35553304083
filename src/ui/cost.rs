//! What showing costs: bytes sent, frames drawn, time of the processor. Numbers are added up once a second and not with each
//! frame, because each change of a number on the screen costs bytes itself.
//!
//! The only clock here is the drawing thread's own time ([`thread_time`]), which moves only while it works.

use super::terminal::Written;
use rustix::time::{ClockId, clock_gettime};
use std::collections::VecDeque;
use std::time::Duration;

/// Frames whose time is kept.
const FRAMES: usize = 256;
/// Over which rates are measured.
const WINDOW_MS: u64 = 10_000;

/// As told to a person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    pub written: Written,
    pub bytes_per_s: f64,
    pub frames_per_s: f64,
    /// Milliseconds of the processor a frame takes, over the last ones.
    pub frame_p50_ms: f64,
    pub frame_p99_ms: f64,
}

#[derive(Debug, Default)]
pub struct Costs {
    took: VecDeque<Duration>,
    /// When, bytes and frames so far.
    seen: VecDeque<(u64, u64, u64)>,
}

impl Costs {
    pub fn drew(&mut self, took: Duration) {
        if self.took.len() == FRAMES {
            self.took.pop_front();
        }
        self.took.push_back(took);
    }

    /// To be called about once a second.
    pub fn sum(&mut self, now_ms: u64, written: Written) -> Cost {
        self.seen.push_back((now_ms, written.bytes, written.frames));
        // The one before the window is where it is measured from.
        while self.seen.get(1).is_some_and(|(at, ..)| at.saturating_add(WINDOW_MS) <= now_ms) {
            self.seen.pop_front();
        }
        let (at, bytes, frames) = self.seen.front().copied().unwrap_or((now_ms, 0, 0));
        let seconds = now_ms.saturating_sub(at).max(1000) as f64 / 1000.0;
        let mut took: Vec<Duration> = self.took.iter().copied().collect();
        took.sort_unstable();
        let ms = |share: f64| {
            let rank = (took.len().saturating_sub(1) as f64 * share).round() as usize;
            took.get(rank).map_or(0.0, |took| took.as_secs_f64() * 1e3)
        };
        Cost {
            written,
            bytes_per_s: written.bytes.saturating_sub(bytes) as f64 / seconds,
            frames_per_s: written.frames.saturating_sub(frames) as f64 / seconds,
            frame_p50_ms: ms(0.5),
            frame_p99_ms: ms(0.99),
        }
    }
}

/// How long this thread has kept a processor busy.
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: u64, frames: u64) -> Written {
        Written { bytes, frames, ..Written::default() }
    }

    #[test]
    fn rates_are_of_the_last_ten_seconds() {
        let mut costs = Costs::default();
        for second in 0..30 {
            let cost = costs.sum(1000 * second, written(100 * second * second, 4 * second));
            if second == 29 {
                assert_eq!((cost.bytes_per_s, cost.frames_per_s), (100.0 * f64::from(29 * 29 - 19 * 19) / 10.0, 4.0));
            }
        }
        let late = costs.sum(129_000, written(100 * 29 * 29 + 100, 117));
        assert_eq!(late.bytes_per_s, 1.0, "a long silence counts as one");
        let mut first = Costs::default();
        assert_eq!(first.sum(5, written(9_000, 1)).bytes_per_s, 0.0, "what it took to begin is no rate");
    }

    #[test]
    fn frames_are_ranked_by_their_time() {
        let mut costs = Costs::default();
        assert_eq!(costs.sum(0, written(0, 0)).frame_p99_ms, 0.0);
        (1..=300).for_each(|ms| costs.drew(Duration::from_millis(ms)));
        let cost = costs.sum(0, written(0, 0));
        assert_eq!((cost.frame_p50_ms, cost.frame_p99_ms), (173.0, 297.0));
        let before = thread_time();
        assert!((0..100_000u64).fold(0, |a, b| a ^ b.wrapping_mul(a + b)) != 1 && thread_time() >= before);
    }
}
