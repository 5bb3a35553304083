//! Lines from a socket, none longer than it may be and none waited for longer than one wants; and bytes to it.
//!
//! It knows no messages. What it holds of a peer that sends no line feed is bounded by the longest line.

use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const CHUNK: usize = 16 << 10;

/// The lines that come in over a socket.
pub(super) struct Lines {
    stream: UnixStream,
    longest: usize,
    held: Vec<u8>,
    /// Where the next line starts in what is held, and up to where there is no line feed.
    start: usize,
    looked: usize,
}

/// Why there is no next line.
#[derive(Debug)]
pub(super) enum NoLine {
    /// The other side is gone, perhaps in the middle of a line.
    Closed,
    TooLong,
    TooLate,
    Failed(io::Error),
}

impl Lines {
    pub fn new(stream: UnixStream, longest: usize) -> Self {
        Self { stream, longest, held: Vec::new(), start: 0, looked: 0 }
    }

    /// The next line, with its line feed. Without a time it is waited for as long as the connection stands.
    ///
    /// # Errors
    /// When there is none; after all but [`NoLine::TooLate`] there will never be one.
    pub fn next(&mut self, by: Option<Instant>) -> Result<Vec<u8>, NoLine> {
        loop {
            if let Some(found) = self.held[self.looked..].iter().position(|&byte| byte == b'\n') {
                let end = self.looked + found + 1;
                if end - self.start > self.longest {
                    return Err(NoLine::TooLong);
                }
                let line = self.held[self.start..end].to_vec();
                (self.start, self.looked) = (end, end);
                return Ok(line);
            }
            self.held.drain(..self.start);
            self.start = 0;
            self.looked = self.held.len();
            if self.held.len() >= self.longest {
                return Err(NoLine::TooLong);
            }
            self.read(by)?;
        }
    }

    fn read(&mut self, by: Option<Instant>) -> Result<(), NoLine> {
        let left = by.map(|by| by.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(NoLine::TooLate);
        }
        self.stream.set_read_timeout(left).map_err(NoLine::Failed)?;
        let before = self.held.len();
        self.held.resize(before + CHUNK, 0);
        let read = self.stream.read(&mut self.held[before..]);
        self.held.truncate(before + read.as_ref().map_or(0, |&read| read));
        match read {
            Ok(0) => Err(NoLine::Closed),
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => Ok(()),
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Err(NoLine::TooLate),
                // So ends a connection whose other side closed it with something of ours unread.
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Err(NoLine::Closed),
                _ => Err(NoLine::Failed(error)),
            },
        }
    }
}

/// Sends all of it. How long one send may take is the socket's own write timeout.
///
/// # Errors
/// What the system says; a part may have been sent then. A peer that is gone is an error and never a signal.
pub(super) fn send_all(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match send(stream, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_as_they_were_cut_and_end_with_the_connection() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut lines = Lines::new(here, 8);
        send_all(&there, b"a\n\n1234567\nhal").unwrap();
        for line in [&b"a\n"[..], b"\n", b"1234567\n"] {
            assert_eq!(lines.next(None).unwrap(), line);
        }
        assert!(matches!(lines.next(Some(Instant::now() + Duration::from_millis(5))), Err(NoLine::TooLate)));
        send_all(&there, b"f\nrest").unwrap();
        assert_eq!(lines.next(None).unwrap(), b"half\n", "what had come before the time was up is not lost");
        drop(there);
        assert!(matches!(lines.next(None), Err(NoLine::Closed)));
    }

    #[test]
    fn a_line_that_is_too_long_is_not_held() {
        for text in [&b"12345678\n"[..], b"1234567890"] {
            let (here, there) = UnixStream::pair().unwrap();
            let mut lines = Lines::new(here, 8);
            send_all(&there, text).unwrap();
            assert!(matches!(lines.next(None), Err(NoLine::TooLong)));
        }
    }

    #[test]
    fn a_peer_that_is_gone_is_an_error() {
        let (here, there) = UnixStream::pair().unwrap();
        drop(there);
        assert_eq!(send_all(&here, b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
