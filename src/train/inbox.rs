//! Requests that wait for the worker to come to a step boundary.

use crate::protocol::command::{Command, Request, StopWhen};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::VecDeque;
use std::time::Duration;

/// What came of waiting.
pub enum Waited {
    Asked(Request),
    Nothing,
    /// Nobody can ask any more.
    Nobody,
}

pub struct Inbox {
    requests: Receiver<Request>,
    waiting: VecDeque<Request>,
}

impl Inbox {
    pub fn new(requests: Receiver<Request>) -> Self {
        Self { requests, waiting: VecDeque::new() }
    }

    /// The next request that is there, without waiting.
    pub fn take(&mut self) -> Option<Request> {
        self.fill();
        self.waiting.pop_front()
    }

    /// The next request, if one comes in this time.
    pub fn wait(&mut self, longest: Duration) -> Waited {
        if let Some(request) = self.take() {
            return Waited::Asked(request);
        }
        match self.requests.recv_timeout(longest) {
            Ok(request) => Waited::Asked(request),
            Err(RecvTimeoutError::Timeout) => Waited::Nothing,
            Err(RecvTimeoutError::Disconnected) => Waited::Nobody,
        }
    }

    /// Whether a stop at once waits to be heard: what a long evaluation asks itself between batches.
    pub fn stop_waits(&mut self) -> bool {
        self.fill();
        self.waiting.iter().any(|r| matches!(&r.command, Command::Stop(stop) if stop.when == StopWhen::AfterStep))
    }

    /// Whether somebody wants the evaluation that runs to be given up; asks are taken out, as they mean this one.
    pub fn give_up_waits(&mut self) -> bool {
        self.fill();
        let before = self.waiting.len();
        self.waiting.retain(|r| r.command != Command::GiveUp);
        self.waiting.len() < before
    }

    fn fill(&mut self) {
        self.waiting.extend(self.requests.try_iter());
    }
}
