//! The way to the terminal: bytes go out in order, a stalled link holds nobody for long, and a closed one is an error with a name.
//! It knows nothing of frames' content. What a slow link means for the frame rate is for the caller.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{TerminalError, Tty};

/// How long one frame may wait for a terminal that takes no bytes before the rest is left for later.
pub const PATIENCE: Duration = Duration::from_millis(250);
/// A frame that took longer than this came over a slow link.
const SLOW: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkSpeed {
    Fast,
    Slow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    All,
    /// The rest stays queued: the screen's buffers already hold it as drawn.
    Partly,
}

#[derive(Debug)]
pub struct Link {
    tty: Arc<Tty>,
    queue: Vec<u8>,
    queued_at: Instant,
    bytes: u64,
    frames: u64,
    biggest: u64,
    last_took: Duration,
}

impl Link {
    pub fn new(tty: Arc<Tty>) -> Link {
        Link { tty, queue: Vec::new(), queued_at: Instant::now(), bytes: 0, frames: 0, biggest: 0, last_took: Duration::ZERO }
    }

    pub fn queue(&mut self, frame: &[u8]) {
        if self.queue.is_empty() {
            self.queued_at = Instant::now();
        }
        self.queue.extend_from_slice(frame);
        self.frames += 1;
        self.biggest = self.biggest.max(frame.len() as u64);
    }

    pub fn send(&mut self, patience: Duration) -> Result<Sent, TerminalError> {
        if self.queue.is_empty() {
            return Ok(Sent::All);
        }
        let taken = write_some(&self.tty.out, &self.queue, patience)?;
        self.bytes += taken as u64;
        self.queue.drain(..taken);
        self.last_took = self.queued_at.elapsed();
        Ok(if self.queue.is_empty() { Sent::All } else { Sent::Partly })
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes of the biggest frame.
    pub fn biggest(&self) -> u64 {
        self.biggest
    }

    pub fn last_took(&self) -> Duration {
        self.last_took
    }

    pub fn speed(&self) -> LinkSpeed {
        if self.queue.is_empty() && self.last_took <= SLOW { LinkSpeed::Fast } else { LinkSpeed::Slow }
    }
}

/// All of it, or an error if the terminal does not take it in time.
pub fn write_within(to: &OwnedFd, bytes: &[u8], patience: Duration) -> Result<(), TerminalError> {
    if write_some(to, bytes, patience)? == bytes.len() {
        Ok(())
    } else {
        Err(TerminalError::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "it takes no bytes")))
    }
}

/// As many bytes as the other side takes within `patience`; normally all of them in one write.
fn write_some(to: impl AsFd, bytes: &[u8], patience: Duration) -> Result<usize, TerminalError> {
    let deadline = Instant::now() + patience;
    let mut taken = 0;
    while taken < bytes.len() {
        match rustix::io::write(&to, &bytes[taken..]) {
            Ok(count) => taken += count,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() || !writable(&to, left)? {
                    break;
                }
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(taken)
}

fn writable(to: impl AsFd, within: Duration) -> Result<bool, TerminalError> {
    let within = Timespec { tv_sec: within.as_secs() as _, tv_nsec: within.subsec_nanos().into() };
    let mut fds = [PollFd::new(&to, PollFlags::OUT)];
    match poll(&mut fds, Some(&within)) {
        Ok(0) => Ok(false),
        Ok(_) if fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) => Err(TerminalError::HungUp),
        Ok(_) | Err(Errno::INTR) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::{PipeFlags, pipe_with};

    fn pipe() -> (OwnedFd, OwnedFd) {
        pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap()
    }

    #[test]
    fn a_stalled_link_takes_a_part_and_the_rest_later_in_order() {
        let (from, to) = pipe();
        let frame: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
        let mut sent = write_some(&to, &frame, Duration::from_millis(1)).unwrap();
        assert!(sent > 0 && sent < frame.len(), "a pipe holds less than {} bytes, yet took {sent}", frame.len());
        let mut seen = Vec::new();
        let mut bytes = vec![0; 65536];
        while seen.len() < frame.len() {
            let count = rustix::io::read(&from, &mut bytes).unwrap();
            seen.extend_from_slice(&bytes[..count]);
            sent += write_some(&to, &frame[sent..], Duration::ZERO).unwrap();
        }
        assert!(seen == frame);
    }

    #[test]
    fn a_closed_link_is_a_hang_up_and_not_a_panic() {
        let (from, to) = pipe();
        drop(from);
        assert!(matches!(write_some(&to, b"x", PATIENCE), Err(TerminalError::HungUp)));
    }

    #[test]
    fn giving_up_says_so() {
        let (_from, to) = pipe();
        let error = write_within(&to, &vec![0; 300_000], Duration::from_millis(1)).unwrap_err();
        assert!(error.to_string().contains("takes no bytes"), "{error}");
    }
}
