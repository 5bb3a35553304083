//! What a training process and the screens attached to it say to each other: one JSON object a line, over a local socket.
//!
//! A client says [`ToServer::Hello`] first and once. It is answered by [`ToClient::Welcome`], after which records stream and
//! either may say anything else, or by [`ToClient::Rejected`]. Both ends must be of one [`WIRE`] and one [`FORMAT`]: a client
//! that half understands a run would steer it by half-understood facts.
//!
//! It opens no socket and decides nothing: who may steer is [`crate::run::lease`], what is passed on is `crate::run::server`.

use super::{CommandId, FORMAT, Record, Request};
use serde::{Deserialize, Serialize};

/// The shape of these messages. The shape of the records in them is [`FORMAT`].
pub const WIRE: u32 = 1;

/// Longest line that a client may send, with its line feed.
pub const LONGEST_ASKED: usize = 64 << 10;

/// As [`Hello::next`]: no records are wanted at all. Such a client is not counted as a viewer.
pub const NO_RECORDS: u64 = u64::MAX;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToServer {
    Hello(Hello),
    /// Ids ascend from [`Welcome::first_id`]. Answered by an event, or by [`ToClient::Busy`] where it was not passed on.
    Ask(Request),
    /// To steer from now on, whoever steers. Answered by [`ToClient::Access`].
    TakeLease,
    /// Answered by [`ToClient::Status`].
    Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`WIRE`] of the client.
    pub wire: u32,
    /// [`FORMAT`] of the client.
    pub format: u32,
    /// `rematch 0.1.0`.
    pub program: String,
    pub role: Role,
    pub take: Take,
    /// Number of the first record wanted; [`NO_RECORDS`] for none.
    pub next: u64,
}

/// What a viewer came for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Steer,
    /// Never steers unless it says so later.
    Watch,
}

/// When one who wants to steer begins to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// When nobody else does.
    IfFree,
    /// At once; whoever steered only watches then.
    Always,
}

/// What a viewer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    Steer,
    /// Nobody listens (a replay, or a run whose worker has ended), or somebody else steers.
    ReadOnly,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToClient {
    Welcome(Welcome),
    /// Instead of a welcome; nothing follows.
    Rejected {
        reason: String,
    },
    Record(Box<Record>),
    /// After the welcome, and whenever it changes.
    Access {
        access: Access,
        /// Who steers, as a person is told; empty when nobody does.
        holder: String,
    },
    /// The worker has not heard this request and will not answer it.
    Busy {
        id: CommandId,
    },
    Status(Status),
    /// Nothing follows.
    Bye {
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    pub wire: u32,
    pub format: u32,
    pub program: String,
    /// Id of the run.
    pub run: String,
    /// Of the process that trains.
    pub pid: u32,
    /// The server's time of day, in milliseconds since the Unix epoch: by it a viewer tells how old a record is.
    pub now_ms: u64,
    pub access: Access,
    /// Where this client's own numbers begin.
    pub first_id: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Attached viewers that read records; the screen of the training process itself is not among them.
    pub clients: u64,
    /// Empty when nobody steers.
    pub steered_by: String,
    /// Why the run cannot go on at the moment, where that cannot be recorded.
    pub trouble: Option<String>,
}

/// This program as it names itself.
pub fn program() -> String {
    concat!("rematch ", env!("CARGO_PKG_VERSION")).to_string()
}

/// A message as its line, with its line feed.
///
/// # Errors
/// JSON's own; never for what this program can hold in these types.
pub fn line(message: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// The line of [`ToClient::Record`], without a copy of the record, which may hold pictures.
///
/// # Errors
/// As [`line`].
pub fn record_line(record: &Record) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = b"{\"record\":".to_vec();
    serde_json::to_writer(&mut line, record)?;
    line.extend(b"}\n");
    Ok(line)
}

/// Why a client cannot be served that opens with this line, as far as its versions go. `None`: they fit, or it is no hello.
pub fn misfit(first: &[u8]) -> Option<String> {
    // A hello of another version need not look like ours in anything but this.
    #[derive(Deserialize)]
    struct Peek {
        hello: Versions,
    }
    #[derive(Deserialize)]
    struct Versions {
        wire: u32,
        #[serde(default)]
        format: Option<u32>,
    }
    let Peek { hello: Versions { wire, format } } = serde_json::from_slice(first).ok()?;
    let advice = "attach with the rematch that started the run, or watch its log with `rematch replay RUN`";
    if wire != WIRE {
        return Some(format!("this run speaks version {WIRE} of the attach protocol and the client version {wire}; {advice}"));
    }
    let format = format.filter(|&format| format != FORMAT)?;
    Some(format!("this run writes records of format {FORMAT} and the client reads format {format}; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::Voice;
    use crate::protocol::{Command, Event};

    fn text(message: &impl Serialize) -> String {
        String::from_utf8(line(message).unwrap()).unwrap()
    }

    #[test]
    fn messages_are_one_line_with_one_key_that_names_the_kind() {
        let hello = Hello { wire: 1, format: 4, program: "rematch 0.1.0".into(), role: Role::Steer, take: Take::IfFree, next: 7 };
        assert_eq!(
            text(&ToServer::Hello(hello)),
            "{\"hello\":{\"wire\":1,\"format\":4,\"program\":\"rematch 0.1.0\",\"role\":\"steer\",\"take\":\"if_free\",\"next\":7}}\n"
        );
        assert_eq!(text(&ToServer::TakeLease), "\"take_lease\"\n");
        let ask = ToServer::Ask(Request { id: CommandId(9), command: Command::Evaluate });
        assert_eq!(text(&ask), "{\"ask\":{\"id\":9,\"command\":\"evaluate\"}}\n");
        let access = ToClient::Access { access: Access::ReadOnly, holder: "a\nb".into() };
        assert_eq!(text(&access), "{\"access\":{\"access\":\"read_only\",\"holder\":\"a\\nb\"}}\n");
        assert_eq!(serde_json::from_str::<ToClient>(&text(&access)).unwrap(), access);
    }

    #[test]
    fn a_record_travels_as_the_message_it_is() {
        let event = Event::Said { source: Voice::Rematch, line: "two\nlines".into() };
        let record = Record { seq: 3, at_ms: 5, event };
        assert_eq!(record_line(&record).unwrap(), line(&ToClient::Record(Box::new(record))).unwrap());
    }

    #[test]
    fn other_versions_are_named_whatever_else_they_say() {
        let reason = misfit(br#"{"hello":{"wire":2,"who":[]}}"#).unwrap();
        assert!(reason.contains("version 1") && reason.contains("version 2") && reason.contains("rematch replay"), "{reason}");
        let reason = misfit(br#"{"hello":{"wire":1,"format":99}}"#).unwrap();
        assert!(reason.contains(&format!("format {FORMAT}")) && reason.contains("format 99"), "{reason}");
        assert_eq!(misfit(format!("{{\"hello\":{{\"wire\":{WIRE},\"format\":{FORMAT}}}}}").as_bytes()), None);
        assert_eq!(misfit(b"nonsense"), None);
    }
}
