//! Where a viewer stands: records come in, requests go out. Live, attached or replayed, it looks the same.
//!
//! It does not fold records (that is [`super::RunState`]), does not store them (that is [`super::recorder`]), and knows neither
//! sockets nor who else watches: whoever does says so through a [`Helm`].

use super::lease::Seat;
pub use crate::protocol::wire::Access;
use crate::protocol::{Command, CommandId, Record, Request};
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;

/// One viewer's connection to a run.
pub struct Session {
    records: Receiver<Arc<Record>>,
    requests: Option<Sender<Request>>,
    next: u64,
    /// Without one nobody else can steer.
    helm: Option<Box<dyn Helm>>,
    attached: Option<Attached>,
}

/// How a viewer in another process looks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attached {
    ToSteer,
    /// It never steers, whoever does or does not.
    ToLook,
}

/// What decides whether a viewer of a live run may steer it; it may change at any time.
pub trait Helm: Send {
    fn access(&self) -> Access;

    /// Who steers, as a person is told; empty when nobody does, or nobody knows.
    fn holder(&self) -> String;

    /// Asks to steer, whoever does. That it was granted is seen in [`Helm::access`].
    fn take(&self);

    /// Why there will be no more records and nobody to ask, where that is not the run's own end.
    fn lost(&self) -> Option<String>;

    /// Requests that were sent and that the worker will not hear, since this was last asked.
    fn turned_away(&self) -> Vec<CommandId>;
}

/// A seat in the process that trains.
impl Helm for Seat {
    fn access(&self) -> Access {
        Seat::access(self)
    }

    fn holder(&self) -> String {
        self.standing().1
    }

    fn take(&self) {
        Seat::take(self);
    }

    fn lost(&self) -> Option<String> {
        None
    }

    fn turned_away(&self) -> Vec<CommandId> {
        Vec::new()
    }
}

impl Session {
    /// A viewer of a running worker that nobody else watches.
    pub fn live(records: Receiver<Arc<Record>>, requests: Sender<Request>) -> Self {
        Self { records, requests: Some(requests), next: 0, helm: None, attached: None }
    }

    /// A viewer in the process that trains, among others.
    pub fn with_seat(records: Receiver<Arc<Record>>, requests: Sender<Request>, seat: Seat) -> Self {
        Self { helm: Some(Box::new(seat)), ..Self::live(records, requests) }
    }

    /// A viewer elsewhere, whose own numbers begin with `first_id`.
    pub fn attached(records: Receiver<Arc<Record>>, requests: Sender<Request>, first_id: u64, helm: Box<dyn Helm>) -> Self {
        let helm = Some(helm);
        Self { records, requests: Some(requests), next: first_id, helm, attached: Some(Attached::ToSteer) }
    }

    /// As [`Session::attached`], of one that only looks: it never steers, though nobody else should, and cannot come to.
    pub fn watching(records: Receiver<Arc<Record>>, requests: Sender<Request>, first_id: u64, helm: Box<dyn Helm>) -> Self {
        Self { attached: Some(Attached::ToLook), ..Self::attached(records, requests, first_id, helm) }
    }

    /// A viewer of recorded records; nothing can be asked.
    pub fn replay(records: Receiver<Arc<Record>>) -> Self {
        Self { records, requests: None, next: 0, helm: None, attached: None }
    }

    /// Records in order. Disconnected when there will be no more; [`Session::lost`] then says whether that is the end of the run.
    pub fn records(&self) -> &Receiver<Arc<Record>> {
        &self.records
    }

    pub fn access(&self) -> Access {
        match (&self.requests, &self.helm) {
            (None, _) => Access::ReadOnly,
            (Some(_), _) if self.attached == Some(Attached::ToLook) => Access::ReadOnly,
            (Some(_), None) => Access::Steer,
            (Some(_), Some(helm)) => helm.access(),
        }
    }

    /// Who steers, as a person is told; empty when nobody does, or nobody else can.
    pub fn holder(&self) -> String {
        self.helm.as_ref().map(|helm| helm.holder()).unwrap_or_default()
    }

    /// Asks to steer, whoever does. That it was granted is seen in [`Session::access`]; in a replay it never is.
    pub fn take_lease(&self) {
        if let Some(helm) = self.helm.as_ref().filter(|_| self.may_take()) {
            helm.take();
        }
    }

    /// Whether it may become the one that steers: of a live run that others can steer too.
    pub fn may_take(&self) -> bool {
        self.helm.is_some() && self.attached != Some(Attached::ToLook)
    }

    /// Whether another process trains.
    pub fn is_attached(&self) -> bool {
        self.attached.is_some()
    }

    /// Why the line to the process that trains is gone, where it is.
    pub fn lost(&self) -> Option<String> {
        self.helm.as_ref()?.lost()
    }

    /// Requests that were asked and that the worker will not hear or answer, since this was last called.
    pub fn turned_away(&self) -> Vec<CommandId> {
        self.helm.as_ref().map(|helm| helm.turned_away()).unwrap_or_default()
    }

    /// Sends a request without waiting. `None` when nobody listens any more, when somebody else steers, or when so many requests wait
    /// that the worker must be stuck.
    pub fn ask(&mut self, command: Command) -> Option<CommandId> {
        if self.access() == Access::ReadOnly {
            return None;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::wire::{Role, Take};
    use crate::run::lease::Lease;
    use crossbeam_channel::{bounded, never};

    #[test]
    fn a_session_among_others_asks_only_while_it_steers() {
        let (ask, asked) = bounded(8);
        let lease = Lease::default();
        let seat = lease.join("the first screen", Role::Steer, Take::IfFree);
        let mut session = Session::with_seat(never(), ask, seat);
        assert_eq!(session.ask(Command::Evaluate), Some(CommandId(0)));
        let other = lease.join("process 7", Role::Steer, Take::Always);
        assert_eq!((session.access(), session.holder()), (Access::ReadOnly, "process 7".into()));
        assert_eq!(session.ask(Command::Evaluate), None);
        session.take_lease();
        assert_eq!((session.access(), other.access()), (Access::Steer, Access::ReadOnly));
        assert_eq!(session.ask(Command::Evaluate), Some(CommandId(1)));
        assert_eq!(asked.try_iter().count(), 2);
    }

    #[test]
    fn a_session_that_only_looks_never_steers_whatever_becomes_of_the_lease() {
        let (ask, asked) = bounded(8);
        let lease = Lease::default();
        // An older server, or another one, may take it for one that wants to steer.
        let seat = lease.join("w", Role::Steer, Take::IfFree);
        let mut session = Session::watching(never(), ask, 7, Box::new(seat));
        assert_eq!((session.access(), session.ask(Command::Evaluate)), (Access::ReadOnly, None));
        assert!(session.is_attached() && !session.may_take());
        let other = lease.join("other", Role::Steer, Take::Always);
        session.take_lease();
        assert_eq!(other.access(), Access::Steer);
        assert!(asked.try_recv().is_err());
    }

    #[test]
    fn a_session_alone_steers_and_a_replay_never_does() {
        let (ask, asked) = bounded(8);
        let mut alone = Session::live(never(), ask);
        assert_eq!((alone.access(), alone.ask(Command::Evaluate)), (Access::Steer, Some(CommandId(0))));
        drop(asked);
        assert_eq!(alone.ask(Command::Evaluate), None);
        let mut replay = Session::replay(never());
        replay.take_lease();
        assert_eq!((replay.access(), replay.ask(Command::Evaluate), replay.lost()), (Access::ReadOnly, None, None));
    }
}
