//! Keys, pastes, focus and size changes, read from the terminal on a thread of its own.
//!
//! It reads the descriptor itself and leaves crossterm's event reading alone, of which only the types are used. crossterm 0.29
//! cannot be made safe from outside for a program that must outlive its terminal:
//! * once the other side is closed its reader spins at half a core for ever (crossterm #793), and asking `poll` for a hang-up
//!   first does not help if the line drops in the middle of a sequence, when it is already inside its loop;
//! * an unfinished sequence holds it in a blocking read, so that its thread can be neither timed nor stopped;
//! * a mode report (`ESC [ ? 2026 ; 2 $ y`) is unfinished for it, and all keys after it are lost until a `u` or `c` (#1104).
//!
//! It does not know what a key means, and it never writes to the terminal.

mod assembler;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{SendTimeoutError, Sender};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::tcgetwinsize;
use signal_hook::consts::SIGWINCH;

use super::event::Input;
pub use assembler::Assembler;

/// The size is looked at this often even without a signal: a SIGWINCH sent before we listened is lost.
const LOOK: Duration = Duration::from_secs(1);
/// A window that is being dragged changes its size many times a second, and each change costs a whole screen.
const SETTLE: Duration = Duration::from_millis(50);

/// The reading thread. Dropping it stops and joins it.
#[derive(Debug)]
pub struct InputReader {
    stop: Arc<AtomicBool>,
    wake: OwnedFd,
    on_resize: signal_hook::SigId,
    thread: Option<JoinHandle<()>>,
}

/// Starts reading the terminal that [`super::terminal::Terminal::enter`] took over (enter it first: before that, the
/// terminal hands out whole lines). After [`Input::HangUp`] nothing more comes and the thread has ended.
/// `escape_time` as in [`super::capability::Capabilities::escape_time`].
pub fn read_input(to: Sender<Input>, escape_time: Duration) -> io::Result<InputReader> {
    let keyboard = super::terminal::keyboard()?;
    let (woken, wake) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let on_resize = signal_hook::low_level::pipe::register(SIGWINCH, wake.try_clone()?)?;
    let stop = Arc::new(AtomicBool::new(false));
    let reading = Reading {
        size: size(&keyboard),
        keyboard,
        woken,
        stop: Arc::clone(&stop),
        to,
        assembler: Assembler::new(escape_time),
        resized: None,
    };
    let thread = std::thread::Builder::new().name("input".into()).spawn(move || reading.run())?;
    Ok(InputReader { stop, wake, on_resize, thread: Some(thread) })
}

impl Drop for InputReader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = rustix::io::write(&self.wake, b"x"); // a full pipe wakes as well
        signal_hook::low_level::unregister(self.on_resize);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Reading {
    keyboard: OwnedFd,
    woken: OwnedFd,
    stop: Arc<AtomicBool>,
    to: Sender<Input>,
    assembler: Assembler,
    size: (u16, u16),
    /// When the size was last reported to have changed, until that is told.
    resized: Option<Instant>,
}

/// Why reading ends: told to, nobody listens, or there is nothing more to read.
enum End {
    Stopped,
    HungUp,
}

impl Reading {
    fn run(mut self) {
        let end = loop {
            if let Err(end) = self.turn() {
                break end;
            }
        };
        match end {
            End::Stopped => {}
            End::HungUp => {
                let _ = self.tell(Input::HangUp);
            }
        }
    }

    fn turn(&mut self) -> Result<(), End> {
        let mut inputs = Vec::new();
        let mut fds = [PollFd::new(&self.keyboard, PollFlags::IN), PollFd::new(&self.woken, PollFlags::IN)];
        let wait = self.wait(Instant::now());
        let timeout = Timespec { tv_sec: wait.as_secs() as _, tv_nsec: wait.subsec_nanos().into() };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(_) => return Err(End::HungUp),
        }
        let (keys, wake) = (fds[0].revents(), fds[1].revents());
        // First of all: a descriptor that hung up is also readable, for ever, and yields nothing.
        if keys.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return Err(End::HungUp);
        }
        if !wake.is_empty() {
            let mut bytes = [0; 64];
            while rustix::io::read(&self.woken, &mut bytes).is_ok_and(|count| count > 0) {}
            if self.stop.load(Ordering::Acquire) {
                return Err(End::Stopped);
            }
            self.resized = Some(Instant::now());
        }
        // Before reading: the time that a key waited for must not be granted to what arrived after it.
        self.assembler.expire(Instant::now(), &mut inputs);
        if keys.contains(PollFlags::IN) {
            let mut bytes = [0; 4096];
            match rustix::io::read(&self.keyboard, &mut bytes) {
                Ok(0) => return Err(End::HungUp), // raw mode has no end of file; this is the other side gone
                Ok(count) => self.assembler.feed(Instant::now(), &bytes[..count], &mut inputs),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return Err(End::HungUp),
            }
        }
        for input in inputs {
            self.tell(input)?;
        }
        self.look_at_the_size()
    }

    fn wait(&self, now: Instant) -> Duration {
        let settled = self.resized.map(|at| at + SETTLE);
        let next = [self.assembler.deadline(), settled].into_iter().flatten().min();
        next.map_or(LOOK, |next| next.saturating_duration_since(now).min(LOOK))
    }

    fn look_at_the_size(&mut self) -> Result<(), End> {
        if self.resized.is_some_and(|at| at.elapsed() < SETTLE) {
            return Ok(());
        }
        self.resized = None;
        let size = size(&self.keyboard);
        if size != self.size {
            self.size = size;
            self.tell(Input::Resize)?;
        }
        Ok(())
    }

    /// Waits for room in the channel, but not past being told to stop: who drops the reader no longer receives.
    fn tell(&self, mut input: Input) -> Result<(), End> {
        loop {
            match self.to.send_timeout(input, Duration::from_millis(50)) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(again)) if !self.stop.load(Ordering::Acquire) => input = again,
                Err(SendTimeoutError::Timeout(_) | SendTimeoutError::Disconnected(_)) => return Err(End::Stopped),
            }
        }
    }
}

fn size(keyboard: &OwnedFd) -> (u16, u16) {
    tcgetwinsize(keyboard).map_or((0, 0), |size| (size.ws_col, size.ws_row))
}
