//! The lines of the log: what was said, how bad it is, and whether a person did it.
//!
//! A line keeps its number for as long as it is kept: [`RunState::said`] counts those that have left the log too.

use super::RunState;
use crate::protocol::command::CommandId;
use std::borrow::Cow;

/// Lines kept for the log pane.
const LOG_LINES: usize = 10_000;
/// Lines about what a person did that are kept beyond those.
const KEPT_LINES: usize = 1_000;

#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    pub at_ms: u64,
    pub level: Level,
    pub text: String,
    pub about: About,
}

/// What a line of the log is about, as far as a list of lines needs to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum About {
    #[default]
    Other,
    /// A person asked for it: a change, a pause, a checkpoint, an evaluation.
    Hand,
    /// A checkpoint that the run wrote by itself: the `nth` of them. Lists show the newest of these lines alone.
    Checkpoint { nth: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Info,
    Warn,
    Error,
}

impl About {
    /// Of something that was asked for, or of something that came by itself.
    pub(super) fn by(by: Option<CommandId>) -> Self {
        if by.is_some() { Self::Hand } else { Self::Other }
    }
}

impl RunState {
    pub(super) fn say(&mut self, at_ms: u64, level: Level, text: String) {
        self.tell(at_ms, level, About::Other, text);
    }

    pub(super) fn tell(&mut self, at_ms: u64, level: Level, about: About, text: String) {
        if self.log.len() == LOG_LINES
            && let Some(old) = self.log.pop_front()
            && old.about == About::Hand
        {
            if self.kept.len() == KEPT_LINES {
                self.kept.pop_front();
            }
            self.kept.push_back((self.said - LOG_LINES as u64, old));
        }
        self.log.push_back(LogLine { at_ms, level, text, about });
        self.said += 1;
    }

    /// Number of the oldest line that the log itself holds.
    pub fn first_line(&self) -> u64 {
        self.said - self.log.len() as u64
    }

    /// The line of a number, where it is still kept.
    pub fn line(&self, number: u64) -> Option<&LogLine> {
        match number.checked_sub(self.first_line()) {
            Some(at) => self.log.get(usize::try_from(at).ok()?),
            None => self.kept.iter().find(|(kept, _)| *kept == number).map(|(_, line)| line),
        }
    }

    /// The lines of the log, oldest first, with their numbers.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = (u64, &LogLine)> {
        let first = self.first_line();
        self.log.iter().enumerate().map(move |(at, line)| (first + at as u64, line))
    }

    /// What a person asked for, oldest first, with what has left the log since.
    pub fn lines_by_hand(&self) -> impl Iterator<Item = (u64, &LogLine)> {
        let kept = self.kept.iter().map(|(number, line)| (*number, line));
        kept.chain(self.lines().filter(|(_, line)| line.about == About::Hand))
    }

    /// The lines that a list shows where nobody looks for a certain one: of the checkpoints that the run wrote by itself the newest alone.
    pub fn brief_lines(&self) -> impl DoubleEndedIterator<Item = (u64, &LogLine)> {
        let newest = self.autosaves;
        self.lines().filter(move |(_, line)| match line.about {
            About::Checkpoint { nth } => nth == newest,
            About::Hand | About::Other => true,
        })
    }
}

impl LogLine {
    /// As a list of [`RunState::brief_lines`] writes it: one line stands for all checkpoints.
    pub fn brief(&self) -> Cow<'_, str> {
        match self.about {
            About::Checkpoint { nth } if nth > 1 => {
                // `checkpoint PATH at step 1200 (4.2 MiB, 8 ms)`
                let newest = self.text.rsplit_once(" at step ").map_or(self.text.as_str(), |(_, rest)| rest);
                format!("{nth} checkpoints, newest step {newest}").into()
            }
            About::Checkpoint { .. } | About::Hand | About::Other => self.text.as_str().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::{Event, Record, Saved, Voice};
    use crate::protocol::{Change, Flow};

    fn fold(events: Vec<Event>) -> RunState {
        let mut state = RunState::default();
        for (seq, event) in events.into_iter().enumerate() {
            state.apply(&Record { seq: seq as u64, at_ms: 1_000 * seq as u64, event });
        }
        state
    }

    fn saved(step: u64, by: Option<u64>) -> Event {
        let path = format!("checkpoints/step-{step}.safetensors");
        Event::Saved(Saved { step, by: by.map(CommandId), path, bytes: 1_048_576, ms: 8, held_ms: None })
    }

    fn said(n: u64) -> Event {
        Event::Said { source: Voice::Rematch, line: format!("line {n}") }
    }

    fn paused(by: Option<u64>) -> Event {
        let (change, previous) = (Change::Flow(Flow::Paused), Change::Flow(Flow::Running));
        Event::Controlled { step: 7, by: by.map(CommandId), change, previous, note: None, stair: None }
    }

    #[test]
    fn checkpoints_are_one_line_and_those_asked_for_are_not() {
        let mut events: Vec<Event> = (1..=12).flat_map(|n| [said(n), saved(100 * n, None)]).collect();
        events.insert(5, saved(150, Some(3)));
        let state = fold(events);
        let texts: Vec<String> = state.brief_lines().map(|(_, line)| line.brief().into_owned()).collect();
        assert_eq!(texts.len(), 14, "{texts:?}");
        assert_eq!(texts.last().unwrap(), "12 checkpoints, newest step 1200 (1.0 MiB, 8 ms)");
        assert!(texts.iter().any(|text| text.contains("step-150")), "{texts:?}");
        assert_eq!(state.lines().count(), 25, "nothing is lost");
        let one = fold(vec![saved(100, None)]);
        assert!(one.brief_lines().next().unwrap().1.brief().starts_with("checkpoint checkpoints/step-100"));
    }

    #[test]
    fn what_a_person_did_outlives_what_libraries_say() {
        let mut events = vec![said(0), paused(Some(1)), paused(None), saved(7, Some(2))];
        events.extend((1..=11_000).map(said));
        let state = fold(events);
        let by_hand: Vec<u64> = state.lines_by_hand().map(|(number, _)| number).collect();
        assert_eq!(by_hand, [1, 3]);
        assert_eq!(state.line(1).unwrap().text, "paused before step 7");
        assert_eq!((state.line(0), state.log.len()), (None, 10_000));
        assert_eq!(state.line(state.said - 1).unwrap().text, "line 11000");
    }
}
