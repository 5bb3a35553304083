//! While the screen is up, standard output and error lead into a pipe, and what is written there comes out as lines.
//! libtorch, CUDA and careless dependencies print; one warning on a drawn screen stays there until the cells under it change.
//! It does not decide where the lines go, and it does not touch the terminal: [`super::terminal::Terminal`] draws on a
//! descriptor of its own, so it must be entered *before* this, while standard output still is the terminal.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};

/// Longer lines are cut here: a library that dumps a tensor must not fill the log.
pub const MAX_LINE: usize = 2000;

/// Where descriptors 1 and 2 led. In a static, because the panic hook must put them back from wherever it runs.
static SAVED: Mutex<Option<Saved>> = Mutex::new(None);

struct Saved {
    stdout: OwnedFd,
    stderr: OwnedFd,
}

/// The redirection. Dropping it restores both descriptors and hands on what the pipe still holds.
#[derive(Debug)]
pub struct Capture {
    stop: Option<OwnedFd>,
    reader: Option<JoinHandle<()>>,
}

/// Redirects both and starts the reading thread. `line` gets each line without its end, without control sequences; it must
/// not block (whoever prints would block with it) and must not print.
pub fn capture(mut line: impl FnMut(String) + Send + 'static) -> io::Result<Capture> {
    let mut saved = lock();
    if saved.is_some() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "standard output and error are captured already"));
    }
    let (from, to) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)?;
    let before = Saved { stdout: io::stdout().as_fd().try_clone_to_owned()?, stderr: io::stderr().as_fd().try_clone_to_owned()? };
    let reader = std::thread::Builder::new().name("stderr".into()).spawn(move || read(&from, &stopped, &mut line))?;
    let _ = io::stdout().flush();
    rustix::stdio::dup2_stdout(&to)?;
    if let Err(error) = rustix::stdio::dup2_stderr(&to) {
        rustix::stdio::dup2_stdout(&before.stdout)?;
        return Err(error.into());
    }
    *saved = Some(before);
    Ok(Capture { stop: Some(stop), reader: Some(reader) })
}

/// Puts the descriptors back where they led, at once; does nothing the second time. For paths that cannot reach the
/// [`Capture`] itself, such as a panic hook that is about to print.
pub fn release() {
    let saved = lock().take();
    if let Some(Saved { stdout, stderr }) = saved {
        let _ = io::stdout().flush(); // what was printed into the buffer belongs to the pipe, not to the terminal
        let _ = rustix::stdio::dup2_stdout(&stdout);
        let _ = rustix::stdio::dup2_stderr(&stderr);
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        release();
        // End of file alone would not do: a child process that inherited descriptor 2 keeps the pipe open.
        self.stop = None;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn lock() -> MutexGuard<'static, Option<Saved>> {
    SAVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until the pipe's end, or until told to stop and the pipe is empty.
fn read(from: &OwnedFd, stopped: &OwnedFd, line: &mut impl FnMut(String)) {
    let mut lines = Lines::default();
    let mut bytes = [0; 4096];
    loop {
        let mut fds = [PollFd::new(from, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => break,
        }
        let stopping = !fds[1].revents().is_empty();
        if !fds[0].revents().contains(PollFlags::IN) {
            if stopping || !fds[0].revents().is_empty() {
                break;
            }
            continue;
        }
        match rustix::io::read(from, &mut bytes) {
            Ok(0) => break,
            Ok(count) => lines.feed(&bytes[..count], line),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    lines.end(line);
}

/// Bytes to lines of bounded length. A carriage return ends a line too: progress bars write nothing else.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    cut: bool,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], line: &mut impl FnMut(String)) {
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                self.end(line);
            } else if self.bytes.len() < MAX_LINE {
                self.bytes.push(byte);
            } else {
                self.cut = true;
            }
        }
    }

    fn end(&mut self, line: &mut impl FnMut(String)) {
        let bytes = std::mem::take(&mut self.bytes);
        let cut = std::mem::take(&mut self.cut);
        let mut text = plain(&String::from_utf8_lossy(&bytes));
        if cut {
            text.push_str(" [cut]");
        }
        if !text.trim().is_empty() {
            line(text);
        }
    }
}

/// Text without control sequences (`ESC [ ... letter`, and ESC with one more character) and control characters; tabs become spaces.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            if chars.next() == Some('[') {
                let _ = chars.find(|c| ('\x40'..='\x7e').contains(c));
            }
        } else if c == '\t' {
            out.push(' ');
        } else if !c.is_control() {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.feed(chunk, &mut |line| seen.push(line));
        }
        lines.end(&mut |line| seen.push(line));
        seen
    }

    #[test]
    fn lines_survive_being_cut_anywhere() {
        assert_eq!(lines(&[b"one\ntw", b"o\n\nthr", b"ee"]), ["one", "two", "three"]);
        assert_eq!(lines(&[b" 10%\r 20%\r\n"]), [" 10%", " 20%"]);
    }

    #[test]
    fn a_line_is_bounded_and_the_next_one_is_whole() {
        let long = [vec![b'x'; 3 * MAX_LINE], b"\nnext\n".to_vec()].concat();
        let seen = lines(&[&long]);
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0].len(), MAX_LINE + " [cut]".len());
        assert_eq!(seen[1], "next");
    }

    #[test]
    fn what_is_not_text_is_made_text() {
        assert_eq!(lines(&[b"\x1b[31mWarn\x1b[0m\tx\x07\n"]), ["Warn x"]);
        assert_eq!(lines(&[b"caf\xe9\n"]), ["caf\u{fffd}"]);
        assert_eq!(lines(&["\u{3bb}".as_bytes().split_at(1).0, "\u{3bb}\n".as_bytes().split_at(1).1]), ["\u{3bb}"]);
    }

    #[test]
    fn the_reader_ends_when_told_although_a_writer_remains() {
        let (from, to) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        rustix::io::write(&to, b"last words").unwrap();
        drop(stop);
        let mut seen = Vec::new();
        read(&from, &stopped, &mut |line| seen.push(line));
        assert_eq!(seen, ["last words"]);
        drop(to);
    }
}
