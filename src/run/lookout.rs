//! Follows a run's records on a thread of its own, records what [`super::Alerts`] sees in them, and asks for a pause where the config
//! says so and somebody is there to end it.
//!
//! It judges nothing itself, and holds nobody up: an alert that cannot be recorded is dropped.

use super::alerts::Alerts;
use super::recorder::Recorder;
use crate::config::{AlertThen, Rules};
use crate::protocol::event::Warning;
use crate::protocol::{Change, Command, CommandId, Event, Flow, Request};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::thread;
use std::time::Duration;

/// Apart from the ids of viewers and of signals.
const IDS: u64 = 1 << 40;
/// How long the end waits for the thread.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Watches until it is dropped.
pub struct Lookout {
    stop: Option<Sender<()>>,
    ended: Receiver<()>,
}

/// `pause`: where a pause is asked for; `None` where nobody is there who could end it.
pub fn spawn(recorder: Recorder, pause: Option<Sender<Request>>) -> Lookout {
    let (stop, stopped) = bounded::<()>(0);
    let (end, ended) = bounded::<()>(0);
    let records = recorder.subscribe();
    // Without room for a thread the run goes on without alerts.
    let _ = thread::Builder::new().name("lookout".into()).spawn(move || {
        let _end = end;
        let mut alerts = Alerts::default();
        let (mut rules, mut then, mut asked) = (Rules::Off, AlertThen::Tell, 0);
        loop {
            let record = select! {
                recv(records) -> record => record,
                recv(stopped) -> _ => return,
            };
            let Ok(record) = record else { return };
            if let Event::Started(started) = &record.event {
                (rules, then) = (started.config.alerts.rules, started.config.alerts.then);
            }
            let found = alerts.see(&record);
            if matches!(record.event, Event::Finished(_)) {
                return;
            }
            for alert in found.into_iter().filter(|_| rules == Rules::On) {
                let (kind, step) = (alert.kind, alert.step);
                let note = format!("alert: {}", super::alerts::saw(&alert.message));
                if recorder.record(Event::Warned { step, kind, message: alert.message }).is_err() {
                    continue;
                }
                // What a person's own turn did is no reason to stop them.
                if let (AlertThen::Pause, Some(ask), true) = (then, &pause, kind != Warning::Other) {
                    asked += 1;
                    let command = Command::Set { change: Change::Flow(Flow::Paused), note: Some(note) };
                    let _ = ask.try_send(Request { id: CommandId(IDS + asked), command });
                }
            }
        }
    });
    Lookout { stop: Some(stop), ended }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.ended.recv_timeout(LONGEST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;

    #[derive(Clone, Copy, PartialEq)]
    enum Expected {
        Something,
        Nothing,
    }

    /// The demo run, in which a person turned lambda by a hundred: its probes break down, which is told and is no reason to pause.
    fn told(
        expected: Expected,
        config: impl Fn(&mut crate::protocol::event::Started),
        pause: Option<Sender<Request>>,
    ) -> Vec<Warning> {
        let log = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/events.jsonl");
        let recorder = Recorder::to_writer(std::io::sink(), || 0);
        let seen = recorder.subscribe();
        let lookout = spawn(recorder.clone(), pause);
        for record in crate::run::replay::read_log(&log).expect("the demo") {
            let mut event = record.expect("a whole line").event;
            if let Event::Started(started) = &mut event {
                config(started);
            }
            // What was told while it was recorded is to be told anew.
            if !matches!(event, Event::Finished(_) | Event::Warned { .. }) {
                recorder.record(event).expect("room");
            }
        }
        let warned = |event: &Event| if let Event::Warned { kind, .. } = event { Some(*kind) } else { None };
        let mut found = Vec::new();
        while found.is_empty() && expected == Expected::Something {
            let record = seen.recv_timeout(Duration::from_secs(20)).expect("an alert");
            found.extend(warned(&record.event));
        }
        drop((lookout, recorder));
        found.extend(seen.iter().filter_map(|record| warned(&record.event)));
        found
    }

    #[test]
    fn what_is_seen_is_recorded_unless_it_is_switched_off() {
        let on = told(Expected::Something, |started| started.config.alerts.rules = Rules::On, None);
        assert_eq!(on, [Warning::Other]);
        assert!(told(Expected::Nothing, |started| started.config.alerts.rules = Rules::Off, None).is_empty());
    }

    #[test]
    fn what_a_person_did_does_not_pause_the_run() {
        let (ask, asked) = unbounded();
        let pauses = |started: &mut crate::protocol::event::Started| {
            (started.config.alerts.rules, started.config.alerts.then) = (Rules::On, AlertThen::Pause);
        };
        told(Expected::Something, pauses, Some(ask));
        assert!(asked.try_iter().next().is_none());
    }
}
