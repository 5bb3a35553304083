//! A run for the tests of commands: 10 epochs of 100 steps, 250 done, three dials, one of them scheduled. Nothing else uses it.

use crate::config::Eps;
use crate::protocol::event::Plan;
use crate::protocol::{Dial, Event, Record, Timed};
use crate::run::RunState;
use crate::run::state::Phase;

/// The recorded run that comes with the program, with rounder numbers.
pub(super) fn run() -> RunState {
    let log = include_str!("../../../assets/demo/events.jsonl");
    let mut record: Record = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    if let Event::Started(started) = &mut record.event {
        started.plan = Plan { epochs: 10, steps_per_epoch: 100, most: None };
        (started.controls.lambda, started.controls.eps) = (0.5, Eps(8.0 / 255.0));
    }
    let mut state = RunState::default();
    state.apply(&record);
    (state.step, state.phase) = (250, Phase::Running);
    state.scheduled.push(Timed { dial: Dial::Lambda, to: 0.1, at: 700, over: 0, note: None, from: None, asked_at: None });
    state
}
