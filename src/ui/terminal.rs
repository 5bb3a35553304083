//! The terminal: taken over and given back, and drawn on in one write a frame.
//!
//! It does not read keys (`input` does), does not choose what is drawn, and asks the terminal nothing, because replies come back as
//! input; except once, before anybody reads keys, whether it takes pictures ([`Terminal::takes_pictures`]).
//! Drawing uses an open file of its own for the same device, so that it can be non-blocking without making the shell's non-blocking
//! too, and so that descriptors 1 and 2 can be redirected meanwhile (`stderr`).
//!
//! Giving back is idempotent and does not need the [`Terminal`]: a panic on the thread that draws, an early return and a signal
//! all end in the same [`restore`].

pub mod backend;
mod link;

use std::io;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use ratatui::layout::Rect;
use ratatui::{Frame, TerminalOptions, Viewport};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{OptionalActions, QueueSelector, Termios, isatty, tcflush, tcgetattr, tcgetwinsize, tcsetattr};

use self::backend::{FrameWriter, ScreenBackend};
use self::link::{Link, Sent};
use super::capability::Capabilities;
use super::graphics::{self, Placement, Stage};
use super::stderr;

pub use self::link::LinkSpeed;

/// Alternate screen, cursor hidden, bracketed paste, focus reports. No mouse: it would cost the terminal's own text selection.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1004h";
/// [`ENTER`] undone in reverse, after an end to a frame that may have been cut short. SGR 0 on both screens, because some
/// terminals keep attributes per screen. The screen is emptied first: tmux 3.3a, left after it grew, puts what its narrower old
/// screen could not hold above the shell's prompt.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[2J\x1b[?1004l\x1b[?2004l\x1b[?25h\x1b[?1049l\x1b[0m";
/// CAN: ends a control sequence that was cut in the middle, so that [`LEAVE`] is not read as its parameters.
const CANCEL: &[u8] = b"\x18";
/// How long giving back may wait for a terminal that takes no bytes.
const LAST_PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    #[error("standard output is not a terminal, so there is no screen to draw on: use `--ui plain`, `--ui json` or `--ui none`")]
    NotATerminal,
    #[error("no terminal to read keys from (standard input is not one, and /dev/tty does not open: {0}): use `--ui plain`")]
    NoKeyboard(io::Error),
    #[error("the screen is up already: this process can draw on one terminal at a time")]
    AlreadyUp,
    #[error("the terminal hung up")]
    HungUp,
    #[error("the terminal does not answer as one: {0}")]
    Io(#[from] io::Error),
}

impl From<rustix::io::Errno> for TerminalError {
    fn from(errno: rustix::io::Errno) -> TerminalError {
        use rustix::io::Errno;
        match errno {
            // EIO is what Linux says once the other side is closed; the others come from pipes and vanished devices.
            Errno::IO | Errno::PIPE | Errno::NXIO | Errno::NODEV | Errno::BADF => TerminalError::HungUp,
            other => TerminalError::Io(other.into()),
        }
    }
}

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronized {
    /// As [`Capabilities::synchronized`] judges.
    #[default]
    Auto,
    Always,
    Never,
}

/// What came of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a frame that was not shown whole has to be drawn again later"]
pub enum Drawn {
    Shown,
    /// Rendered, but the terminal has taken only a part so far: the next draw sends the rest.
    Partly,
    /// The terminal has not yet taken the frame before, so this one was not even rendered.
    Skipped,
}

/// What went to the terminal so far, by drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// That it has taken.
    pub bytes: u64,
    /// Frames that had something to send, and the bytes of the biggest.
    pub frames: u64,
    pub biggest: u64,
    /// Whether frames are bracketed by mode 2026.
    pub synchronized: bool,
}

/// The device, and how it was found.
#[derive(Debug)]
struct Tty {
    out: OwnedFd,
    keyboard: OwnedFd,
    cooked: Termios,
}

/// What is to be undone, and whose panic undoes it.
struct Up {
    tty: Arc<Tty>,
    ui: ThreadId,
    cut_short: bool,
    /// Takes away the pictures that are there.
    farewell: Vec<u8>,
}

/// In a static, because a panic hook cannot reach the [`Terminal`]. `Some` exactly while the screen is up.
static UP: Mutex<Option<Up>> = Mutex::new(None);

fn up() -> MutexGuard<'static, Option<Up>> {
    // Nothing panics while holding it; a poisoned lock would still hold what must be undone.
    UP.lock().unwrap_or_else(PoisonError::into_inner)
}

fn claim(tty: &Arc<Tty>) -> Result<(), TerminalError> {
    let mut up = up();
    if up.is_some() {
        return Err(TerminalError::AlreadyUp);
    }
    *up = Some(Up { tty: Arc::clone(tty), ui: std::thread::current().id(), cut_short: false, farewell: Vec::new() });
    Ok(())
}

/// Whether there is a terminal to take over, for those who have work to do before they take it.
pub fn available() -> Result<(), TerminalError> {
    if !isatty(io::stdout()) {
        return Err(TerminalError::NotATerminal);
    }
    keyboard().map(drop).map_err(TerminalError::NoKeyboard)
}

/// A terminal that has been taken over. Not `Send`: it stays on the thread whose panics give it back.
#[derive(Debug)]
pub struct Terminal {
    tty: Arc<Tty>,
    link: Link,
    frame: FrameWriter,
    screen: ratatui::Terminal<ScreenBackend>,
    area: Rect,
    synchronized: bool,
    whole: bool,
    stage: Stage,
}

impl Terminal {
    /// Takes over the terminal that standard output is. Call it on the thread that will draw, before [`stderr::capture`].
    pub fn enter(capabilities: &Capabilities, synchronized: Synchronized) -> Result<Terminal, TerminalError> {
        let stdout = io::stdout();
        if !isatty(&stdout) {
            return Err(TerminalError::NotATerminal);
        }
        let keyboard = keyboard().map_err(TerminalError::NoKeyboard)?;
        let tty = Arc::new(Tty { out: drawing_descriptor()?, cooked: tcgetattr(&keyboard)?, keyboard });

        // crossterm 0.29 answers NO_COLOR by writing an empty `CSI m` in place of every colour, which wipes bold and reverse as
        // well, and focus with them. Colour is decided in `capability`, and a mono palette asks for none, so crossterm is told
        // to pass on exactly what it is given.
        crossterm::style::force_color_output(true);

        let area = area_of(&tty);
        let frame = FrameWriter::default();
        let screen = screen(&frame, area)?;
        claim(&tty)?; // the last thing that can fail before there is a Terminal, whose drop releases the claim
        let terminal = Terminal {
            link: Link::new(Arc::clone(&tty)),
            screen,
            frame,
            area,
            synchronized: match synchronized {
                Synchronized::Auto => capabilities.synchronized,
                Synchronized::Always => true,
                Synchronized::Never => false,
            },
            whole: true,
            stage: Stage::default(),
            tty,
        };
        terminal.take_over()?; // on failure the drop gives back what was taken
        Ok(terminal)
    }

    fn take_over(&self) -> Result<(), TerminalError> {
        let mut raw = self.tty.cooked.clone();
        raw.make_raw();
        tcsetattr(&self.tty.keyboard, OptionalActions::Now, &raw)?;
        link::write_within(&self.tty.out, ENTER, LAST_PATIENCE)
    }

    /// Gives the terminal back. The same happens on drop; this is for saying when.
    pub fn leave(self) {
        drop(self);
    }

    /// The whole screen. A terminal that does not know its size (some ssh and pty set-ups say 0x0) is taken for 80x24.
    pub fn size(&self) -> Rect {
        area_of(&self.tty)
    }

    /// Whether the terminal takes pictures in kitty's way. Only before [`super::input::read_input`]: what comes in meanwhile is
    /// dropped, keys among it. A second question that every terminal answers follows the first, so that one which knows no
    /// pictures need not be waited for.
    pub fn takes_pictures(&mut self, patience: Duration) -> Result<bool, TerminalError> {
        link::write_within(&self.tty.out, graphics::QUESTION, LAST_PATIENCE)?;
        let deadline = Instant::now() + patience;
        let (mut heard, mut answer) = (Vec::new(), None);
        while answer.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.hear(left, &mut heard)? {
                break;
            }
            answer = graphics::answer(&heard);
        }
        // What comes just behind is no key either.
        self.hear(Duration::from_millis(50), &mut heard)?;
        tcflush(&self.tty.keyboard, QueueSelector::IFlush)?;
        Ok(answer == Some(graphics::Answer::Takes))
    }

    /// Reads what comes in time; says whether anything did.
    fn hear(&self, within: Duration, heard: &mut Vec<u8>) -> Result<bool, TerminalError> {
        let within = Timespec { tv_sec: within.as_secs() as _, tv_nsec: within.subsec_nanos().into() };
        let mut fds = [PollFd::new(&self.tty.keyboard, PollFlags::IN)];
        match poll(&mut fds, Some(&within)) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        }
        if !fds[0].revents().contains(PollFlags::IN) {
            return Err(TerminalError::HungUp);
        }
        let mut bytes = [0; 1024];
        match rustix::io::read(&self.tty.keyboard, &mut bytes) {
            Ok(0) => Err(TerminalError::HungUp),
            Ok(count) => {
                heard.extend_from_slice(&bytes[..count]);
                Ok(true)
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(true),
            Err(errno) => Err(errno.into()),
        }
    }

    /// As [`Terminal::draw_with`], where there are no pictures.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame)) -> Result<Drawn, TerminalError> {
        self.draw_with(|frame| {
            render(frame);
            Vec::new()
        })
    }

    /// Renders a frame and sends what changed in one write; a frame that changed nothing sends nothing. `render` says which
    /// pictures belong over it, and is only to name any where the terminal takes them.
    pub fn draw_with(&mut self, render: impl FnOnce(&mut Frame) -> Vec<Placement>) -> Result<Drawn, TerminalError> {
        if self.sent(Duration::ZERO)? == Sent::Partly {
            return Ok(Drawn::Skipped);
        }
        let area = self.size();
        if self.whole || area != self.area {
            self.area = area;
            // New buffers rather than `resize`: ratatui asks the terminal for the cursor's place there.
            self.screen = screen(&self.frame, area)?;
            self.frame.clear_screen();
            self.frame.write_all(&self.stage.clear())?;
            self.whole = false;
        }
        let mut pictures = Vec::new();
        self.screen.draw(|frame| pictures = render(frame))?;
        // After the letters, whose cells they cover.
        let pixels = self.stage.show(&pictures);
        if !pixels.is_empty() {
            self.frame.write_all(&pixels)?;
            if let Some(up) = up().as_mut() {
                up.farewell = self.stage.farewell();
            }
        }
        if let Some(bytes) = self.frame.take(self.synchronized) {
            self.link.queue(&bytes);
            if self.sent(link::PATIENCE)? == Sent::Partly {
                return Ok(Drawn::Partly);
            }
        }
        Ok(Drawn::Shown)
    }

    fn sent(&mut self, patience: Duration) -> Result<Sent, TerminalError> {
        let sent = self.link.send(patience)?;
        if let Some(up) = up().as_mut() {
            up.cut_short = sent == Sent::Partly;
        }
        Ok(sent)
    }

    /// The next frame clears the screen and draws everything.
    pub fn repaint(&mut self) {
        self.whole = true;
    }

    /// Gives the terminal back and stops the process, as Ctrl-Z does at a shell; the training thread stops with it. Returns once
    /// the process is continued: call [`Terminal::resume`] then. (SIGTSTP rather than SIGSTOP: where no shell could continue
    /// the process, the kernel ignores it.)
    pub fn suspend(&mut self) -> Result<(), TerminalError> {
        restore();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP)?;
        Ok(())
    }

    /// Takes the terminal over again and repaints: after [`Terminal::suspend`], and on SIGCONT from elsewhere, when whoever
    /// stopped the process may have changed the modes.
    pub fn resume(&mut self) -> Result<(), TerminalError> {
        match claim(&self.tty) {
            Ok(()) | Err(TerminalError::AlreadyUp) => {} // already up: stopped and continued behind our back
            Err(error) => return Err(error),
        }
        self.take_over()?;
        self.repaint();
        Ok(())
    }

    /// Bytes the terminal has taken since it was entered, by drawing.
    pub fn bytes_written(&self) -> u64 {
        self.link.bytes()
    }

    /// Frames that had something to send.
    pub fn frames_written(&self) -> u64 {
        self.link.frames()
    }

    pub fn written(&self) -> Written {
        let (bytes, frames, biggest) = (self.link.bytes(), self.link.frames(), self.link.biggest());
        Written { bytes, frames, biggest, synchronized: self.synchronized }
    }

    /// From a frame's first byte offered to its last byte taken.
    pub fn last_write_took(&self) -> Duration {
        self.link.last_took()
    }

    /// Whether to draw less often, and to say so.
    pub fn link_speed(&self) -> LinkSpeed {
        self.link.speed()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back if it was taken, ignoring what fails: a terminal that is gone needs nothing.
pub fn restore() {
    let Some(Up { tty, cut_short, farewell, .. }) = up().take() else { return };
    if cut_short {
        let _ = link::write_within(&tty.out, CANCEL, LAST_PATIENCE);
    }
    let _ = link::write_within(&tty.out, &farewell, LAST_PATIENCE);
    let _ = link::write_within(&tty.out, LEAVE, LAST_PATIENCE);
    // Focus reports and keys that came too late would end up on the shell's command line. Not TCSAFLUSH, which first waits for
    // the output to drain, for ever on a stalled link.
    let _ = tcflush(&tty.keyboard, QueueSelector::IFlush);
    let _ = tcsetattr(&tty.keyboard, OptionalActions::Now, &tty.cooked);
}

/// From now on a panic on the thread that draws gives the terminal back before its message is printed. While the screen is
/// up, panics of other threads go to `report` instead of onto the screen, and the screen stays: the worker's panics are caught
/// and become an event, and tearing the screen down for one (as ratatui's own hook does) would end the watching, not the fault.
pub fn install_panic_hook(report: impl Fn(&str) + Send + Sync + 'static) {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let owner = up().as_ref().map(|up| up.ui);
        match owner {
            Some(ui) if ui != std::thread::current().id() => {
                let thread = std::thread::current();
                let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
                let message = info.payload_as_str().unwrap_or("a panic without a message");
                report(&format!("thread '{}' panicked at {place}: {message}", thread.name().unwrap_or("unnamed")));
            }
            Some(_) => {
                restore();
                stderr::release();
                previous(info);
            }
            None => previous(info),
        }
    }));
}

fn screen(frame: &FrameWriter, area: Rect) -> io::Result<ratatui::Terminal<ScreenBackend>> {
    let options = TerminalOptions { viewport: Viewport::Fixed(area) };
    ratatui::Terminal::with_options(ScreenBackend::new(frame.clone(), area), options)
}

fn area_of(tty: &Tty) -> Rect {
    let (columns, rows) = tcgetwinsize(&tty.out).map_or((0, 0), |size| (size.ws_col, size.ws_row));
    usable(columns, rows)
}

fn usable(columns: u16, rows: u16) -> Rect {
    match (columns, rows) {
        (0, _) | (_, 0) => Rect::new(0, 0, 80, 24),
        // A pty says what it was told, and 65535x65535 cells would be 200 GB of buffers.
        (columns, rows) => Rect::new(0, 0, columns.min(1000), rows.min(500)),
    }
}

/// An open file of our own for the terminal, non-blocking, so that a stalled link cannot hold the thread that draws.
fn drawing_descriptor() -> Result<OwnedFd, TerminalError> {
    let stdout = io::stdout();
    let named = rustix::termios::ttyname(&stdout, Vec::new()).and_then(|name| {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(name, flags, Mode::empty())
    });
    match named {
        Ok(fd) if isatty(&fd) => Ok(fd),
        // A container without the device's name in /dev: share the shell's open file then, and block when the link does.
        Ok(_) | Err(_) => Ok(rustix::io::fcntl_dupfd_cloexec(&stdout, 3)?),
    }
}

/// Where keys come from: standard input, or the controlling terminal if data are piped in.
pub(super) fn keyboard() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    if isatty(&stdin) {
        Ok(rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?)
    } else {
        Ok(rustix::fs::open("/dev/tty", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_without_a_size_is_80_by_24() {
        assert_eq!(usable(0, 0), Rect::new(0, 0, 80, 24));
        assert_eq!(usable(120, 0), Rect::new(0, 0, 80, 24));
        assert_eq!(usable(120, 40), Rect::new(0, 0, 120, 40));
        assert_eq!(usable(1, 1), Rect::new(0, 0, 1, 1));
        assert!(usable(u16::MAX, u16::MAX).area() <= 500_000);
    }

    #[test]
    fn leaving_undoes_each_mode_that_entering_set() {
        let entered = String::from_utf8(ENTER.to_vec()).unwrap();
        let left = String::from_utf8(LEAVE.to_vec()).unwrap();
        for mode in entered.split('\x1b').filter(|mode| !mode.is_empty()) {
            let undone = if mode.ends_with('h') { mode.replace('h', "l") } else { mode.replace('l', "h") };
            assert!(left.contains(&undone), "{mode} is not undone by {undone}");
        }
    }
}
