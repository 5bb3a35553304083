//! Signals as values: one thread turns what the kernel sends into [`Signal`]s on a channel, with a screen or without one.
//!
//! What a run does at a signal is a person's to decide ([`OnSignals`]); what a [`Signal`] means for the run is for whoever receives it.
//! SIGWINCH is not here, because a change of size is the input thread's to tell; SIGTSTP is not, because
//! [`super::terminal::Terminal::suspend`] needs its default action.

use std::io;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
use signal_hook::iterator::{Handle, Signals};

use super::event::Signal;

/// What a run does at a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSignal {
    Continue,
    /// Saves a checkpoint and trains on.
    Save,
    SaveAndStop,
}

impl OnSignal {
    pub const ALL: &[Self] = &[Self::Continue, Self::Save, Self::SaveAndStop];

    pub fn name(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Save => "save",
            Self::SaveAndStop => "save-and-stop",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }
}

/// What a run does at each signal that can be decided about. Ctrl-C (SIGINT) and SIGQUIT always save and stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnSignals {
    pub hangup: OnSignal,
    pub term: OnSignal,
    pub usr1: OnSignal,
    pub usr2: OnSignal,
    pub xcpu: OnSignal,
}

impl Default for OnSignals {
    /// Schedulers warn of the end by SIGTERM, SIGUSR2 or SIGXCPU. A lost terminal must not end a night's run.
    fn default() -> Self {
        use OnSignal::{Continue, Save, SaveAndStop};
        Self { hangup: Continue, term: SaveAndStop, usr1: Save, usr2: SaveAndStop, xcpu: SaveAndStop }
    }
}

impl OnSignals {
    pub const NAMES: &[&str] = &["hangup", "term", "usr1", "usr2", "xcpu"];

    /// The action at the signal of this name.
    pub fn at(&mut self, name: &str) -> Option<&mut OnSignal> {
        Some(match name {
            "hangup" => &mut self.hangup,
            "term" => &mut self.term,
            "usr1" => &mut self.usr1,
            "usr2" => &mut self.usr2,
            "xcpu" => &mut self.xcpu,
            _ => return None,
        })
    }
}

/// The listening thread. Dropping it ends the thread; the signals stay caught and are then ignored, so that a second Ctrl-C
/// while the run saves its last checkpoint does not kill it half-way.
#[derive(Debug)]
pub struct SignalListener {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// Starts listening. The thread ends by itself when the receiver is gone.
pub fn listen(to: Sender<Signal>, on: OnSignals) -> io::Result<SignalListener> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, SIGCONT])?;
    let handle = signals.handle();
    let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut out_of_time = false;
        for number in &mut signals {
            // The kernel repeats this one each second.
            if number == SIGXCPU && std::mem::replace(&mut out_of_time, true) {
                continue;
            }
            if let Some(signal) = meaning(number, on)
                && to.send(signal).is_err()
            {
                break;
            }
        }
    })?;
    Ok(SignalListener { handle, thread: Some(thread) })
}

fn meaning(number: i32, on: OnSignals) -> Option<Signal> {
    let decided = |action| match action {
        OnSignal::Continue => None,
        OnSignal::Save => Some(Signal::Save),
        OnSignal::SaveAndStop => Some(Signal::Terminate),
    };
    match number {
        SIGTERM => decided(on.term),
        SIGUSR1 => decided(on.usr1),
        SIGUSR2 => decided(on.usr2),
        SIGXCPU => decided(on.xcpu),
        SIGINT | SIGQUIT => Some(Signal::Interrupt),
        // What it means for a screen does not depend on what the run does.
        SIGHUP => Some(Signal::HangUp),
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
        let _listener = listen(to, OnSignals::default()).unwrap();
        // One at a time: the kernel and the iterator merge signals and keep no order among different ones.
        let expected = [
            (SIGTERM, Signal::Terminate),
            (SIGINT, Signal::Interrupt),
            (SIGQUIT, Signal::Interrupt),
            (SIGHUP, Signal::HangUp),
            (SIGUSR1, Signal::Save),
            (SIGUSR2, Signal::Terminate),
            (SIGXCPU, Signal::Terminate),
            (SIGCONT, Signal::Continue),
        ];
        for (number, signal) in expected {
            signal_hook::low_level::raise(number).unwrap();
            assert_eq!(from.recv_timeout(Duration::from_secs(5)), Ok(signal), "signal number {number}");
        }
    }

    #[test]
    fn what_a_signal_does_can_be_decided() {
        let mut on = OnSignals::default();
        for (name, action) in [("usr2", OnSignal::Save), ("term", OnSignal::Continue), ("usr1", OnSignal::SaveAndStop)] {
            *on.at(name).unwrap() = action;
        }
        let meant = [SIGUSR2, SIGTERM, SIGUSR1, SIGXCPU, SIGINT].map(|number| meaning(number, on));
        assert_eq!(meant, [Some(Signal::Save), None, Some(Signal::Terminate), Some(Signal::Terminate), Some(Signal::Interrupt)]);
        assert!(OnSignals::NAMES.iter().all(|name| on.at(name).is_some()) && on.at("int").is_none());
        assert!(OnSignal::ALL.iter().all(|action| OnSignal::named(action.name()) == Some(*action)));
    }

    #[test]
    fn dropping_the_listener_ends_its_thread() {
        let (to, from) = crossbeam_channel::unbounded();
        drop(listen(to, OnSignals::default()).unwrap());
        // The other test's signals reach this listener too; what counts is that they come to an end.
        let end =
            std::iter::from_fn(|| from.recv_timeout(Duration::from_secs(5)).err().map_or(Some(None), |end| Some(Some(end))));
        let end = end.flatten().next();
        assert_eq!(end, Some(crossbeam_channel::RecvTimeoutError::Disconnected));
    }
}
