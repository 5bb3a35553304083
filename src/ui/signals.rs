//! Signals as values: one thread turns what the kernel sends into [`Signal`]s on a channel, with a screen or without one.
//! It decides nothing: what a signal means for the run is for whoever receives it. SIGWINCH is not here, because a change of
//! size is the input thread's to tell; SIGTSTP is not, because [`super::terminal::Terminal::suspend`] needs its default action.

use std::io;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use signal_hook::iterator::{Handle, Signals};

use super::event::Signal;

/// The listening thread. Dropping it ends the thread; the signals stay caught and are then ignored, so that a second Ctrl-C
/// while the run saves its last checkpoint does not kill it half-way.
#[derive(Debug)]
pub struct SignalListener {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// Starts listening. The thread ends by itself when the receiver is gone.
pub fn listen(to: Sender<Signal>) -> io::Result<SignalListener> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGCONT])?;
    let handle = signals.handle();
    let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
        for number in &mut signals {
            if let Some(signal) = meaning(number)
                && to.send(signal).is_err()
            {
                break;
            }
        }
    })?;
    Ok(SignalListener { handle, thread: Some(thread) })
}

fn meaning(number: i32) -> Option<Signal> {
    match number {
        SIGTERM => Some(Signal::Terminate),
        SIGINT | SIGQUIT => Some(Signal::Interrupt),
        SIGHUP => Some(Signal::HangUp),
        SIGUSR1 => Some(Signal::Save),
        SIGCONT => Some(Signal::Continue),
        _ => None,
    }
}

impl Drop for SignalListener {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to say; the hook has told of it.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_signal_arrives_under_its_meaning() {
        let (to, from) = crossbeam_channel::unbounded();
        let _listener = listen(to).unwrap();
        // One at a time: the kernel and the iterator merge signals and keep no order among different ones.
        let expected = [
            (SIGTERM, Signal::Terminate),
            (SIGINT, Signal::Interrupt),
            (SIGQUIT, Signal::Interrupt),
            (SIGHUP, Signal::HangUp),
            (SIGUSR1, Signal::Save),
            (SIGCONT, Signal::Continue),
        ];
        for (number, signal) in expected {
            signal_hook::low_level::raise(number).unwrap();
            assert_eq!(from.recv_timeout(Duration::from_secs(5)), Ok(signal), "signal number {number}");
        }
    }

    #[test]
    fn dropping_the_listener_ends_its_thread() {
        let (to, from) = crossbeam_channel::unbounded();
        drop(listen(to).unwrap());
        // The other test's signals reach this listener too; what counts is that they come to an end.
        let end =
            std::iter::from_fn(|| from.recv_timeout(Duration::from_secs(5)).err().map_or(Some(None), |end| Some(Some(end))));
        let end = end.flatten().next();
        assert_eq!(end, Some(crossbeam_channel::RecvTimeoutError::Disconnected));
    }
}
