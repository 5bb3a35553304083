//! Where a viewer stands: records come in, requests go out. Live or replayed, it looks the same.
//!
//! It does not fold records (that is [`super::RunState`]) and does not store them (that is [`super::recorder`]).

use crate::protocol::{Command, CommandId, Record, Request};
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;

/// One viewer's connection to a run.
pub struct Session {
    records: Receiver<Arc<Record>>,
    requests: Option<Sender<Request>>,
    next: u64,
}

/// What a viewer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Steer,
    /// Nobody listens: a replay, or a run whose worker has ended.
    ReadOnly,
}

impl Session {
    /// A viewer of a running worker.
    pub fn live(records: Receiver<Arc<Record>>, requests: Sender<Request>) -> Self {
        Self { records, requests: Some(requests), next: 0 }
    }

    /// A viewer of recorded records; nothing can be asked.
    pub fn replay(records: Receiver<Arc<Record>>) -> Self {
        Self { records, requests: None, next: 0 }
    }

    /// Records in order, from the first. Disconnected when there will be no more.
    pub fn records(&self) -> &Receiver<Arc<Record>> {
        &self.records
    }

    pub fn access(&self) -> Access {
        if self.requests.is_some() { Access::Steer } else { Access::ReadOnly }
    }

    /// Sends a request without waiting. `None` when nobody listens any more, or when so many requests wait that the worker must be stuck.
    pub fn ask(&mut self, command: Command) -> Option<CommandId> {
        let id = CommandId(self.next);
        let sent = self.requests.as_ref()?.try_send(Request { id, command });
        match sent {
            Ok(()) => {
                self.next += 1;
                Some(id)
            }
            Err(_) => None,
        }
    }
}
