//! One event of an information share, the states, and the table that joins them.

use std::{fmt, str::FromStr};

use tutti_proto::v1::{self, information_event::Transition};

use crate::{
    entry::Visibility,
    referral::{EventRef, IdError, derive, parse_id},
    society::{Origin, Society},
};

const ID_PREFIX: &[u8] = b"tutti/v1/information\0";

/// An information share, for ever: 16 bytes, in text 32 hexadecimal digits in lower case. Bound to
/// its author's log as a referral's id is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InformationId([u8; 16]);

impl InformationId {
    /// The id of the share that the event `event_id` in the log `origin` publishes: the first 16
    /// bytes of SHA-256("tutti/v1/information" ‖ 0x00 ‖ origin ‖ 0x00 ‖ event_id).
    pub fn of(origin: &Origin, event_id: &[u8; 16]) -> Self {
        Self(derive(ID_PREFIX, origin, event_id))
    }

    /// Takes an id as it stands in an event.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for InformationId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_id(text).map(Self)
    }
}

impl fmt::Display for InformationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for InformationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Where a share stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// In its first version.
    Published,
    /// In a later version.
    Revised,
    /// Taken back.
    Retracted,
}

impl State {
    /// `published`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Revised => "revised",
            Self::Retracted => "retracted",
        }
    }
}

/// What an event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The first version.
    Published,
    /// A later version.
    Revised,
    /// Taken back.
    Retracted,
}

impl Kind {
    /// The kind of an event's body; `None` where it says nothing that this version knows.
    pub fn of(body: &v1::InformationEvent) -> Option<Self> {
        Some(match body.transition.as_ref()? {
            Transition::Published(_) => Self::Published,
            Transition::Revised(_) => Self::Revised,
            Transition::Retracted(_) => Self::Retracted,
        })
    }

    /// `published`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Revised => "revised",
            Self::Retracted => "retracted",
        }
    }
}

/// The table; every event is the author's alone.
///
/// | event | from | to |
/// |---|---|---|
/// | published | nothing | published |
/// | revised | published, revised | revised |
/// | retracted | published, revised | retracted |
pub fn transition(state: Option<State>, kind: Kind) -> Option<State> {
    match (state, kind) {
        (None, Kind::Published) => Some(State::Published),
        (Some(State::Published | State::Revised), Kind::Revised) => Some(State::Revised),
        (Some(State::Published | State::Revised), Kind::Retracted) => Some(State::Retracted),
        (None, Kind::Revised | Kind::Retracted)
        | (Some(State::Published | State::Revised), Kind::Published)
        | (Some(State::Retracted), Kind::Published | Kind::Revised | Kind::Retracted) => None,
    }
}

/// What a society has signed about a share.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place, and so its author's log.
    pub at: EventRef,
    /// The author.
    pub society: Society,
    /// Milliseconds since the Unix epoch by the author's clock; for people, never for order.
    pub recorded_at_ms: u64,
    /// Drawn by the author; the same twice counts once.
    pub event_id: [u8; 16],
    /// Who may read it, by its entry.
    pub visibility: Visibility,
    /// What it says.
    pub body: v1::InformationEvent,
}

impl Event {
    /// The event in the record of the entry at `at`; `None` where the record is of something else.
    ///
    /// The caller has checked that the record's origin is that of the entry. A record whose event
    /// id cannot be read is an event that says nothing, and so is malformed.
    pub fn from_record(
        at: EventRef,
        recorded_at_ms: u64,
        visibility: Visibility,
        record: &v1::Record,
    ) -> Option<Self> {
        let Some(v1::record::Event::Information(body)) = &record.event else {
            return None;
        };
        let mut body = body.clone();
        let event_id = <[u8; 16]>::try_from(record.event_id.as_slice()).ok();
        if event_id.is_none() {
            body.transition = None;
        }
        Some(Self {
            society: at.origin.society(),
            at,
            recorded_at_ms,
            event_id: event_id.unwrap_or_default(),
            visibility,
            body,
        })
    }

    /// The share that it names; `None` where the id has another size.
    pub fn information_id(&self) -> Option<InformationId> {
        <[u8; 16]>::try_from(self.body.information_id.as_slice())
            .ok()
            .map(InformationId::from_bytes)
    }

    /// What it does; `None` where this version cannot tell.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(&self.body)
    }
}

/// An event and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The event, whatever became of it.
    pub event: Event,
    /// Whether it counts.
    pub effective: bool,
    /// Where it does not, why.
    pub why: Option<Why>,
}

/// Why an event does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It does not fit the state.
    OutOfOrder {
        /// The state; `None` before the share was published.
        state: Option<State>,
    },
    /// Another society published the share.
    NotTheAuthor,
    /// The author has written it before.
    Duplicate,
    /// It cannot be read or lacks what it must have.
    Malformed(&'static str),
    /// What it is about has not arrived.
    NotPublished,
}

impl Why {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutOfOrder { .. } => "out_of_order",
            Self::NotTheAuthor => "not_the_author",
            Self::Duplicate => "duplicate",
            Self::Malformed(_) => "malformed",
            Self::NotPublished => "not_published",
        }
    }
}

/// A sentence for people, without a capital and a full stop.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder { state: Some(state) } => {
                write!(f, "out of order: the share was {}", state.name())
            }
            Self::OutOfOrder { state: None } => {
                f.write_str("out of order: the share was not published")
            }
            Self::NotTheAuthor => f.write_str("only the society that published may change it"),
            Self::Duplicate => f.write_str("its author has written it before; it counts once"),
            Self::Malformed(what) => write!(f, "malformed: {what}"),
            Self::NotPublished => f.write_str("the share that it is about has not arrived"),
        }
    }
}
