//! Made-up runs for tests: what the demo's log says was started, changed where a test needs it, with the numbers that it names.

use super::{Entry, Facts};
use crate::config::{AttackSpec, Method};
use crate::protocol::event::{Evaluated, Finished, Parent, Purpose, Split, Started, Whose};
use crate::protocol::{Change, Event, Outcome, Record};
use crate::run::RunState;
use crate::run::store::Owner;
use std::sync::Arc;

pub(crate) struct Made {
    started: Started,
    at_ms: u64,
    events: Vec<Event>,
    outcome: Option<Outcome>,
}

/// An RRM run that completed, without any number.
pub(crate) fn run(id: &str) -> Made {
    let log = include_str!("../../../assets/demo/events.jsonl");
    let first: Record = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    let Event::Started(started) = first.event else { panic!("{first:?}") };
    let started = Started { run: id.into(), ..*started };
    Made { started, at_ms: 1_000, events: Vec::new(), outcome: Some(Outcome::Completed) }
}

impl Made {
    pub(crate) fn config(mut self, change: impl Fn(&mut Started)) -> Self {
        change(&mut self.started);
        self
    }

    pub(crate) fn lambda(self, lambda: f64) -> Self {
        self.config(|started| {
            if let Method::Rrm(rrm) = &mut started.config.method {
                rrm.lambda = lambda;
            }
            started.controls.lambda = lambda;
        })
    }

    pub(crate) fn at(mut self, at_ms: u64) -> Self {
        self.at_ms = at_ms;
        self
    }

    pub(crate) fn parent(self, run: &str, step: u64) -> Self {
        self.config(|started| started.parent = Some(Parent { run: run.into(), step }))
    }

    pub(crate) fn ended(mut self, outcome: Option<Outcome>) -> Self {
        self.outcome = outcome;
        self
    }

    pub(crate) fn steered(mut self, lambda: f64) -> Self {
        let previous = Change::Lambda(self.started.controls.lambda);
        self.events.push(Event::Controlled {
            step: 5,
            by: None,
            change: Change::Lambda(lambda),
            previous,
            note: None,
            stair: None,
        });
        self
    }

    pub(crate) fn probe(self, natural: f64, adversarial: f64) -> Self {
        self.evaluated(Purpose::Probe, 10, 256, natural, adversarial)
    }

    pub(crate) fn test(self, natural: f64, adversarial: f64) -> Self {
        self.evaluated(Purpose::Final, 20, 2_000, natural, adversarial)
    }

    pub(crate) fn evaluated(mut self, purpose: Purpose, steps: u32, images: u64, natural: f64, adversarial: f64) -> Self {
        let split = if purpose == Purpose::Final { Split::Test } else { Split::Validation };
        let attack = AttackSpec::pgd(self.started.config.threat, steps, 1, self.started.config.seed);
        let (of, step) = (Whose::Student, 10);
        self.events.push(Event::Evaluated(Evaluated {
            step,
            by: None,
            of,
            split,
            purpose,
            attack,
            natural,
            adversarial,
            images,
            seconds: 0.1,
        }));
        self
    }

    pub(crate) fn records(self) -> Vec<Record> {
        let mut events = vec![Event::Started(Box::new(self.started))];
        events.extend(self.events);
        events.extend(
            self.outcome
                .map(|outcome| Event::Finished(Finished { outcome, step: 10, train_seconds: 1.0, evaluation_seconds: 0.1 })),
        );
        let at_ms = self.at_ms;
        events.into_iter().enumerate().map(|(i, event)| Record { seq: i as u64, at_ms, event }).collect()
    }

    pub(crate) fn facts(self) -> Facts {
        let id = self.started.run.clone();
        let mut state = RunState::default();
        self.records().iter().for_each(|record| state.apply(record));
        Facts::of(&id, &state, &Owner::Nobody).unwrap()
    }

    pub(crate) fn entry(self) -> Entry {
        Entry { id: self.started.run.clone(), found: Ok(Arc::new(self.facts())) }
    }
}
