//! The terminal from its other side: a program on a pseudo-terminal, its screen kept by a terminal emulator, the modes it leaves.
//!
//! No wait is for a fixed time: each is for content, with a deadline.

use portable_pty::{CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Far more than anything here takes, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Seen {
    pub emulator: vt100::Parser,
    pub raw: Vec<u8>,
}

pub struct Session {
    master: Option<Box<dyn MasterPty + Send>>,
    slave: Option<Box<dyn SlavePty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    closing: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    modes_before: String,
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

impl Session {
    /// Starts a program on a terminal of this width and height.
    pub fn start(program: &Path, args: &[&str], env: &[(&str, &str)], (width, height): (u16, u16)) -> Session {
        let size = PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let modes_before = format!("{:?}", pair.master.get_termios().unwrap());
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(std::env::current_dir().unwrap()); // else it starts in $HOME
        for inherited in ["TMUX", "STY", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "NO_COLOR", "SSH_CONNECTION", "RUST_BACKTRACE"] {
            command.env_remove(inherited);
        }
        command.env("TERM", "xterm-256color");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let mut from = pair.master.try_clone_reader().unwrap();
        let emulator = vt100::Parser::new(cells(height), cells(width), 0);
        let seen = Arc::new((Mutex::new(Seen { emulator, raw: Vec::new() }), Condvar::new()));
        let closing = Arc::new(AtomicBool::new(false));
        let reader = std::thread::spawn({
            let (seen, closing) = (Arc::clone(&seen), Arc::clone(&closing));
            move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = from.read(&mut bytes) {
                    let mut to = seen.0.lock().unwrap();
                    to.raw.extend_from_slice(&bytes[..count]);
                    to.emulator.process(&bytes[..count]);
                    seen.1.notify_all();
                    if closing.load(Ordering::Acquire) {
                        break;
                    }
                }
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Session {
            master: Some(pair.master),
            slave: Some(pair.slave),
            writer: Some(writer),
            child,
            seen,
            closing,
            reader: Some(reader),
            modes_before,
        }
    }

    pub fn type_in(&mut self, bytes: &[u8]) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(bytes).unwrap();
        writer.flush().unwrap();
    }

    /// The terminal gets another size.
    pub fn resize(&self, width: u16, height: u16) {
        self.seen.0.lock().unwrap().emulator.set_size(cells(height), cells(width));
        let size = PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().unwrap().resize(size).unwrap();
    }

    pub fn until(&self, what: &str, there: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen.0.lock().unwrap();
        while !there(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} did not come; the screen says:\n{}", text(&seen));
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    pub fn says(&self, expected: &str) {
        self.until(expected, |seen| text(seen).contains(expected));
    }

    pub fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        at(&self.seen.0.lock().unwrap())
    }

    fn modes(&self) -> String {
        format!("{:?}", self.master.as_ref().unwrap().get_termios().unwrap())
    }

    pub fn send(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.process_id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub fn exit_code(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < deadline, "the child does not end; the screen says:\n{}", self.look(text));
            std::thread::sleep(Duration::from_millis(5)); // there is nothing to be woken by; the deadline decides
        }
    }

    /// Keys reach the program one by one, unseen.
    pub fn assert_taken_over(&self) {
        assert_ne!(self.modes(), self.modes_before, "raw mode");
        self.look(|seen| {
            let screen = seen.emulator.screen();
            assert!(screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste());
        });
    }

    pub fn assert_given_back(&self) {
        self.until("the way back to the ordinary screen", |seen| !seen.emulator.screen().alternate_screen());
        self.look(|seen| {
            let screen = seen.emulator.screen();
            assert!(!screen.hide_cursor(), "the cursor is hidden");
            assert!(!screen.bracketed_paste(), "bracketed paste is on");
            assert!(!screen.bold() && !screen.inverse() && screen.fgcolor() == vt100::Color::Default, "attributes are left");
            let focus = |mode: &[u8]| seen.raw.windows(mode.len()).rposition(|window| window == mode);
            assert!(focus(b"\x1b[?1004l") > focus(b"\x1b[?1004h"), "focus reports are on");
        });
        assert_eq!(self.modes(), self.modes_before, "the modes of the line");
    }

    /// The other side of the line goes away. The reader holds a descriptor of it too, and only lets go after reading.
    pub fn hang_up(&mut self, last_words: &[u8]) {
        self.closing.store(true, Ordering::Release);
        self.type_in(b"m"); // which both programs answer on the screen, and which changes nothing else
        self.reader.take().unwrap().join().unwrap();
        self.type_in(last_words);
        self.slave = None;
        self.writer = None;
        self.master = None;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // With whoever waits for the program the program itself.
        if let Some(group) = self.child.process_id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands on the screen.
pub fn text(seen: &Seen) -> String {
    seen.emulator.screen().contents()
}
