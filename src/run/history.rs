//! What the log of a run says to whoever goes on with it: how far it came, what was changed by hand, how much of the file is whole.
//!
//! The last line of a killed run may be torn, and is left out; a log that is damaged further up is read up to there. Nothing is written.

use super::RunState;
use super::replay::{LogError, Tail, read_log};
use super::script::Script;
use super::store::RunFolder;
use crate::protocol::Step;
use crate::protocol::event::Started;

/// A run as its log tells it.
pub struct History {
    /// The newest one.
    pub started: Started,
    /// How it began; the first one.
    pub first: Started,
    pub state: RunState,
    pub script: Script,
    /// The furthest step that any record tells of since the run was last begun or resumed.
    pub reached: Step,
    /// Whole records, and the bytes of their lines.
    pub records: u64,
    pub bytes: u64,
    pub last_ms: u64,
    /// The log ends in the middle of a line.
    pub torn: Tail,
    /// What is wrong further up.
    pub damage: Option<String>,
}

/// # Errors
/// When not even its first record can be read.
pub fn read(folder: &RunFolder) -> Result<History, LogError> {
    let path = folder.events();
    let mut log = read_log(&path)?;
    let (mut state, mut script) = (RunState::default(), Script::default());
    let (mut first, mut damage, mut reached): (Option<Started>, Option<LogError>, Step) = (None, None, 0);
    let (mut records, mut bytes) = (0, 0);
    while let Some(record) = log.next() {
        match record {
            // A whole record without its line feed was never confirmed to anybody.
            Ok(_) if log.bytes() == bytes => break,
            Ok(record) => {
                (records, bytes) = (records + 1, log.bytes());
                if let crate::protocol::Event::Started(started) = &record.event {
                    first.get_or_insert_with(|| (**started).clone());
                    reached = started.from_step;
                }
                script.see(&record);
                state.apply(&record);
                reached = reached.max(state.step);
            }
            Err(error @ (LogError::Malformed { .. } | LogError::Gap { .. })) => damage = Some(error),
            // A newer program's log, or a disk that does not answer: nothing to cut away.
            Err(error) => return Err(error),
        }
    }
    let torn = if log.bytes() < log.length() && damage.is_none() { Tail::Torn } else { Tail::Whole };
    let (Some(started), Some(first)) = (state.started.as_deref().cloned(), first) else {
        return Err(damage.unwrap_or(LogError::Empty { path }));
    };
    let last_ms = state.last_at_ms;
    let damage = damage.map(|damage| damage.to_string());
    Ok(History { started, first, state, script, reached, records, bytes, last_ms, torn, damage })
}
