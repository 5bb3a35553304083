//! How often frames are drawn: as often as asked while the link takes them, ever less often while it does not.
//!
//! It reads no clock and draws nothing; it only answers how long to wait after what became of the last frame.

use super::terminal::{Drawn, LinkSpeed};
use std::time::Duration;

/// Half a frame a second: what a link gets that takes next to nothing.
const SLOWEST: Duration = Duration::from_secs(2);
/// Frames that must go through at once before the wait is halved again. Falling is quick and rising slow, or a link at its limit
/// would swing between the two.
const GOOD_FRAMES: u32 = 8;
/// A frame for a key that could not be sent is tried again this soon: often enough to feel alive, too seldom to be a busy wait.
const RETRY: Duration = Duration::from_millis(100);

/// Two frames are never nearer than this, whatever is typed: a key that comes just after a frame still has an answer within 16 ms.
pub const KEY_FRAME: Duration = Duration::from_millis(8);

#[derive(Clone, Copy, Debug)]
pub struct Cadence {
    fastest: Duration,
    every: Duration,
    good: u32,
    behind: bool,
}

impl Cadence {
    pub fn new(max_fps: u32) -> Self {
        let fastest = Duration::from_secs(1) / max_fps.clamp(1, 60);
        Self { fastest, every: fastest, good: 0, behind: false }
    }

    /// Takes note of what became of a frame.
    pub fn drew(&mut self, drawn: Drawn, link: LinkSpeed) {
        self.behind = drawn != Drawn::Shown;
        if self.behind || link == LinkSpeed::Slow {
            self.every = (self.every * 2).min(SLOWEST);
            self.good = 0;
            return;
        }
        self.good += 1;
        if self.good >= GOOD_FRAMES {
            self.every = (self.every / 2).max(self.fastest);
            self.good = 0;
        }
    }

    /// Wait between two frames that only bring data.
    pub fn data(self) -> Duration {
        self.every
    }

    /// Wait before the frame that answers a key.
    pub fn key(self) -> Duration {
        if self.behind { RETRY } else { KEY_FRAME }
    }

    pub fn link(self) -> LinkSpeed {
        if self.every > self.fastest { LinkSpeed::Slow } else { LinkSpeed::Fast }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_link_gets_ever_fewer_frames_and_a_good_one_slowly_more() {
        let mut cadence = Cadence::new(4);
        let quarter = Duration::from_millis(250);
        cadence.drew(Drawn::Shown, LinkSpeed::Fast);
        assert_eq!((cadence.data(), cadence.link(), cadence.key()), (quarter, LinkSpeed::Fast, KEY_FRAME));
        for expected in [500, 1000, 2000, 2000] {
            cadence.drew(Drawn::Skipped, LinkSpeed::Slow);
            assert_eq!((cadence.data(), cadence.link()), (Duration::from_millis(expected), LinkSpeed::Slow));
        }
        assert_eq!(cadence.key(), RETRY);
        for _ in 0..3 * GOOD_FRAMES - 1 {
            cadence.drew(Drawn::Shown, LinkSpeed::Fast);
        }
        assert_eq!((cadence.data(), cadence.link()), (2 * quarter, LinkSpeed::Slow));
        cadence.drew(Drawn::Shown, LinkSpeed::Fast);
        assert_eq!((cadence.data(), cadence.link()), (quarter, LinkSpeed::Fast));
    }
}
