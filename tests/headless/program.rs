//! The program in a pipe: its lines as they come, its end, its exit code. Every wait has a deadline and ends with the content.

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Far more than anything here takes, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_mins(2);

/// The program as these tests start it. One thread, which does not spin: several of them share the cores.
pub fn rematch(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rematch-torch"));
    command.args(args).env("GOMP_SPINCOUNT", "0").env("TERM", "xterm-256color");
    command.env_remove("RUST_BACKTRACE").env_remove("NO_COLOR").env_remove("REMATCH_FAULT");
    command
}

pub struct Program {
    child: Child,
    lines: Option<Receiver<String>>,
    errors: Option<JoinHandle<String>>,
    said: String,
}

/// How it ended and everything it said.
#[derive(Debug)]
pub struct Ended {
    /// `None`: a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut err = child.stderr.take().unwrap();
        let (to, lines) = unbounded();
        std::thread::spawn(move || {
            loop {
                let mut line = String::new();
                // Nobody listens any more: the pipe is closed here, and the program meets that at its next line.
                if out.read_line(&mut line).unwrap() == 0 || to.send(line).is_err() {
                    break;
                }
            }
        });
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).unwrap();
            text
        });
        Self { child, lines: Some(lines), errors: Some(errors), said: String::new() }
    }

    /// The next line that holds this.
    pub fn until(&mut self, what: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.as_ref().unwrap().recv_deadline(deadline) {
                Ok(line) => {
                    self.said += &line;
                    if line.contains(what) {
                        return line;
                    }
                }
                Err(error) => panic!("'{what}' did not come ({error}); it said:\n{}", self.said),
            }
        }
    }

    /// Nobody reads its standard output any more.
    pub fn stop_reading(&mut self) {
        self.lines = None;
    }

    pub fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends a signal again and again, as a person presses Ctrl-C, until the program is gone.
    pub fn end_by(mut self, signal: Signal) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end; it said:\n{}", self.said);
            self.send(signal);
            std::thread::sleep(Duration::from_millis(20)); // two that come together count as one
        }
        self.end()
    }

    pub fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        while let Some(lines) = &self.lines {
            match lines.recv_deadline(deadline) {
                Ok(line) => self.said += &line,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end; it said:\n{}", self.said),
            }
        }
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end; it said:\n{}", self.said);
            std::thread::sleep(Duration::from_millis(5)); // there is nothing to be woken by; the deadline decides
        };
        let err = self.errors.take().unwrap().join().unwrap();
        Ended { code: status.code(), out: std::mem::take(&mut self.said), err }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
