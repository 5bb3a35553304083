//! A process of its own for the shell to wait for, so that training can go on without it.
//!
//! The process that was started splits in two before it has threads: one trains and draws, the other waits. What happens to the one
//! that trains happens to the one that waits: it ends with the same code, stops when it stops, and passes signals on. Until it is let go:
//! then the shell has its prompt back, and the run a session of its own that no terminal can hang up.

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, setsid, waitpid};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGXCPU};
use signal_hook::iterator::Signals;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

/// The side that trains.
pub struct Shim {
    parent: io::PipeWriter,
}

/// Splits the process. Only the one that trains comes back from here.
///
/// # Errors
/// Where the system has no room for another process.
pub fn split() -> io::Result<Shim> {
    let (told, tell) = io::pipe()?;
    // Caught from before the split, so that no signal in between is lost on the side that waits.
    let signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, SIGTSTP, SIGCONT, SIGCHLD])?;
    // SAFETY: there is one thread yet, so the child has everything that the parent has, locks included.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(told);
            drop(signals);
            for number in [SIGTSTP, SIGCHLD] {
                // SAFETY: nothing but the usual answer to a signal is set; the handlers before were this function's.
                unsafe { libc::signal(number, libc::SIG_DFL) };
            }
            Ok(Shim { parent: tell })
        }
        child => {
            drop(tell);
            let child = Pid::from_raw(child).ok_or_else(|| io::Error::other("no process of that number"))?;
            wait(child, signals, told)
        }
    }
}

/// Lives as long as the other side, or until that lets it go.
fn wait(child: Pid, mut signals: Signals, mut told: io::PipeReader) -> ! {
    std::thread::spawn(move || {
        let mut word = [0];
        if told.read(&mut word).is_ok_and(|read| read == 1) {
            leave(0);
        }
        // The end of the pipe is the end of the other side, which the signal tells.
    });
    for number in &mut signals {
        match number {
            SIGCHLD => {
                // Where both an end and a stop are to be told there are two to ask for.
                while let Ok(Some((_, status))) = waitpid(Some(child), WaitOptions::NOHANG | WaitOptions::UNTRACED) {
                    if let Some(code) = status.exit_status() {
                        leave(code);
                    } else if let Some(signal) = status.terminating_signal() {
                        leave(128 + signal);
                    } else if status.stopped() {
                        // So that the shell sees its job stopped. Continued, it continues the other.
                        let _ = kill_process(getpid(), Signal::STOP);
                    }
                }
            }
            number => {
                if let Some(signal) = Signal::from_named_raw(number) {
                    let _ = kill_process(child, signal);
                }
            }
        }
    }
    leave(1)
}

/// Without the ways out of libraries that the other side uses.
fn leave(code: i32) -> ! {
    // SAFETY: ends the process and does nothing else.
    unsafe { libc::_exit(code) }
}

impl Shim {
    /// Lets the waiting side end well, and leaves the terminal's session. What is printed from now on goes to this file.
    pub fn let_go(mut self, console: &Path) {
        // Fails only for the leader of a group, which the waiting side is.
        let _ = setsid();
        let _ = io::stdout().flush();
        let nothing = OpenOptions::new().read(true).write(true).open("/dev/null");
        let to = OpenOptions::new().create(true).append(true).open(console);
        if let Ok(nothing) = &nothing {
            let _ = rustix::stdio::dup2_stdin(nothing.as_fd());
        }
        if let Some(to) = to.as_ref().ok().or(nothing.as_ref().ok()) {
            let _ = rustix::stdio::dup2_stdout(to.as_fd());
            let _ = rustix::stdio::dup2_stderr(to.as_fd());
        }
        let _ = self.parent.write_all(b"d");
    }
}
