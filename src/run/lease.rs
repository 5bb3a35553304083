//! Who may steer: of all screens of a run at most one at a time, so that nobody turns what another is turning.
//!
//! A seat that wants to steer gets the lease when it joins and nobody has it. Anybody may take it, in so many words. When the
//! holder leaves, it goes to the seat that wants to steer and has been there longest: the screen that started the run has it
//! again when whoever took it leaves. It passes no requests on and knows no sockets.

use crate::protocol::wire::{Access, Role, Take};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The right to steer one run. Clones are about the same one.
#[derive(Clone, Default)]
pub struct Lease {
    room: Arc<Mutex<Room>>,
}

#[derive(Default)]
struct Room {
    next: u64,
    holder: Option<u64>,
    /// In the order they came.
    chairs: Vec<Chair>,
}

struct Chair {
    number: u64,
    name: String,
    wants: Role,
    changed: Sender<()>,
}

/// One screen's place. Left when it is dropped.
pub struct Seat {
    room: Arc<Mutex<Room>>,
    number: u64,
    changes: Receiver<()>,
}

fn entered(room: &Mutex<Room>) -> MutexGuard<'_, Room> {
    // Nothing in here can panic half way.
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lease {
    /// `name` is what others are told of who steers: `process 4711`.
    pub fn join(&self, name: &str, wants: Role, take: Take) -> Seat {
        let (changed, changes) = bounded(1);
        let mut room = entered(&self.room);
        let number = room.next;
        room.next += 1;
        room.chairs.push(Chair { number, name: name.to_string(), wants, changed });
        match (wants, take) {
            (Role::Steer, Take::Always) => room.give(Some(number)),
            (Role::Steer, Take::IfFree) if room.holder.is_none() => room.give(Some(number)),
            (Role::Steer, Take::IfFree) | (Role::Watch, Take::IfFree | Take::Always) => {}
        }
        drop(room);
        Seat { room: self.room.clone(), number, changes }
    }

    /// Who steers; empty when nobody does.
    pub fn holder(&self) -> String {
        entered(&self.room).holder_name()
    }
}

impl Seat {
    pub fn access(&self) -> Access {
        self.standing().0
    }

    /// What this seat may do and who steers, at one moment.
    pub fn standing(&self) -> (Access, String) {
        let room = entered(&self.room);
        let access = if room.holder == Some(self.number) { Access::Steer } else { Access::ReadOnly };
        (access, room.holder_name())
    }

    /// Steers from now on, whoever did. One that came to watch is one that wants to steer from here.
    pub fn take(&self) {
        let mut room = entered(&self.room);
        if let Some(chair) = room.chairs.iter_mut().find(|chair| chair.number == self.number) {
            chair.wants = Role::Steer;
        }
        room.give(Some(self.number));
    }

    /// Told after each change of who steers; several changes may be told as one.
    pub fn changes(&self) -> &Receiver<()> {
        &self.changes
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut room = entered(&self.room);
        room.chairs.retain(|chair| chair.number != self.number);
        if room.holder == Some(self.number) {
            let heir = room.chairs.iter().find(|chair| chair.wants == Role::Steer).map(|chair| chair.number);
            room.give(heir);
        }
    }
}

impl Room {
    fn give(&mut self, to: Option<u64>) {
        if self.holder == to {
            return;
        }
        self.holder = to;
        for chair in &self.chairs {
            // Full means that a change is still to be told.
            let _ = chair.changed.try_send(());
        }
    }

    fn holder_name(&self) -> String {
        self.chairs.iter().find(|chair| self.holder == Some(chair.number)).map(|chair| chair.name.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accesses(seats: &[&Seat]) -> Vec<Access> {
        seats.iter().map(|seat| seat.access()).collect()
    }

    #[test]
    fn the_first_who_wants_to_steer_does_and_the_next_watches() {
        let lease = Lease::default();
        let watcher = lease.join("w", Role::Watch, Take::IfFree);
        assert_eq!((watcher.access(), lease.holder()), (Access::ReadOnly, String::new()));
        let first = lease.join("a", Role::Steer, Take::IfFree);
        let second = lease.join("b", Role::Steer, Take::IfFree);
        assert_eq!(accesses(&[&watcher, &first, &second]), [Access::ReadOnly, Access::Steer, Access::ReadOnly]);
        assert_eq!(second.standing(), (Access::ReadOnly, "a".into()));
        drop(first);
        assert_eq!(second.standing(), (Access::Steer, "b".into()));
        drop(second);
        assert_eq!(watcher.standing(), (Access::ReadOnly, String::new()), "one that watches inherits nothing");
    }

    #[test]
    fn what_was_taken_comes_back_when_the_taker_leaves() {
        let lease = Lease::default();
        let screen = lease.join("the first screen", Role::Steer, Take::IfFree);
        let waiting = lease.join("b", Role::Steer, Take::IfFree);
        let taker = lease.join("c", Role::Steer, Take::Always);
        assert_eq!(accesses(&[&screen, &waiting, &taker]), [Access::ReadOnly, Access::ReadOnly, Access::Steer]);
        drop(taker);
        assert_eq!(accesses(&[&screen, &waiting]), [Access::Steer, Access::ReadOnly]);
        drop(waiting);
        assert_eq!(screen.access(), Access::Steer, "one that leaves without it changes nothing");
    }

    #[test]
    fn one_that_watches_may_take_it_and_everybody_is_told() {
        let lease = Lease::default();
        let screen = lease.join("a", Role::Steer, Take::IfFree);
        let watcher = lease.join("w", Role::Watch, Take::Always);
        assert_eq!(watcher.access(), Access::ReadOnly);
        while screen.changes().try_recv().is_ok() {}
        watcher.take();
        watcher.take();
        assert_eq!(screen.changes().try_iter().count(), 1, "the second changed nothing");
        assert!(watcher.changes().try_recv().is_ok());
        assert_eq!(screen.standing(), (Access::ReadOnly, "w".into()));
        screen.take();
        drop(screen);
        assert_eq!(watcher.access(), Access::Steer);
    }
}
