//! One event of an information share, the states, and the table that joins them.

use std::{fmt, str::FromStr};

use tutti_proto::v1::{self, information_event::Transition};

use crate::{
    entry::Visibility,
    limits::ACTOR_BYTES_MAX,
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

/// Where a share stands. That it has expired is derived from its dates, and is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// In its first version.
    Published,
    /// In a later version.
    Revised,
    /// Another share has taken its place.
    Superseded,
    /// Taken back.
    Retracted,
}

impl State {
    /// All, in the order of the table.
    pub const ALL: &'static [Self] =
        &[Self::Published, Self::Revised, Self::Superseded, Self::Retracted];

    /// `published`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Revised => "revised",
            Self::Superseded => "superseded",
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
    /// Another share of the same society takes its place.
    Superseded,
    /// Taken back.
    Retracted,
    /// Another society has seen it.
    Acknowledged,
    /// Another society stands by it.
    Endorsed,
    /// Another society says that it is wrong, and how.
    Disputed,
    /// Another society tells what it did with it.
    ActedOn,
    /// A text in one language, by whoever made it.
    Translated,
    /// Its author takes back an own response or translation.
    TakenBack,
}

/// Who may write an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The society that published the share.
    Author,
    /// Every other society that the share is for.
    Others,
    /// Either.
    Anyone,
}

impl By {
    /// Whether the author, or another society, may.
    pub fn may(self, is_author: bool) -> bool {
        match self {
            Self::Author => is_author,
            Self::Others => !is_author,
            Self::Anyone => true,
        }
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::Others => "others",
            Self::Anyone => "anyone",
        }
    }
}

impl Kind {
    /// All, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::Published,
        Self::Revised,
        Self::Superseded,
        Self::Retracted,
        Self::Acknowledged,
        Self::Endorsed,
        Self::Disputed,
        Self::ActedOn,
        Self::Translated,
        Self::TakenBack,
    ];

    /// The kind of an event's body; `None` where it says nothing that this version knows.
    pub fn of(body: &v1::InformationEvent) -> Option<Self> {
        Some(match body.transition.as_ref()? {
            Transition::Published(_) => Self::Published,
            Transition::Revised(_) => Self::Revised,
            Transition::Superseded(_) => Self::Superseded,
            Transition::Retracted(_) => Self::Retracted,
            Transition::Acknowledged(_) => Self::Acknowledged,
            Transition::Endorsed(_) => Self::Endorsed,
            Transition::Disputed(_) => Self::Disputed,
            Transition::ActedOn(_) => Self::ActedOn,
            Transition::Translated(_) => Self::Translated,
            Transition::TakenBack(_) => Self::TakenBack,
        })
    }

    /// `published`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Revised => "revised",
            Self::Superseded => "superseded",
            Self::Retracted => "retracted",
            Self::Acknowledged => "acknowledged",
            Self::Endorsed => "endorsed",
            Self::Disputed => "disputed",
            Self::ActedOn => "acted_on",
            Self::Translated => "translated",
            Self::TakenBack => "taken_back",
        }
    }

    /// What a person does to write it, as the command is called.
    pub fn command(self) -> &'static str {
        match self {
            Self::Published => "publish",
            Self::Revised => "revise",
            Self::Superseded => "publish --supersedes",
            Self::Retracted => "retract",
            Self::Acknowledged => "acknowledge",
            Self::Endorsed => "endorse",
            Self::Disputed => "dispute",
            Self::ActedOn => "acted-on",
            Self::Translated => "translate",
            Self::TakenBack => "take-back",
        }
    }

    /// Who may write it.
    pub fn by(self) -> By {
        match self {
            Self::Published | Self::Revised | Self::Superseded | Self::Retracted => By::Author,
            Self::Acknowledged | Self::Endorsed | Self::Disputed | Self::ActedOn => By::Others,
            Self::Translated | Self::TakenBack => By::Anyone,
        }
    }

    /// Whether it ends the share, for which there is always room.
    pub fn ends(self) -> bool {
        matches!(self, Self::Superseded | Self::Retracted)
    }
}

/// The table. `None` before the share was published, and where the event leads nowhere. Responses
/// and translations change nothing of the state: they say of which event of the author they are.
///
/// | event (by) | from | to |
/// |---|---|---|
/// | published (author) | nothing | published |
/// | revised (author) | published, revised | revised |
/// | superseded (author) | published, revised | superseded |
/// | retracted (author) | published, revised, superseded | retracted |
/// | acknowledged, endorsed, disputed, acted_on (others) | any | = |
/// | translated, taken_back (anyone) | any | = |
pub fn transition(state: Option<State>, kind: Kind) -> Option<State> {
    use Kind as K;
    use State as S;
    match (state, kind) {
        (None, K::Published) => Some(S::Published),
        (Some(S::Published | S::Revised), K::Revised) => Some(S::Revised),
        (Some(S::Published | S::Revised), K::Superseded) => Some(S::Superseded),
        (Some(S::Published | S::Revised | S::Superseded), K::Retracted) => Some(S::Retracted),
        (
            Some(state),
            K::Acknowledged | K::Endorsed | K::Disputed | K::ActedOn | K::Translated | K::TakenBack,
        ) => Some(state),
        (
            None,
            K::Revised
            | K::Superseded
            | K::Retracted
            | K::Acknowledged
            | K::Endorsed
            | K::Disputed
            | K::ActedOn
            | K::Translated
            | K::TakenBack,
        )
        | (Some(S::Published | S::Revised | S::Superseded | S::Retracted), K::Published)
        | (Some(S::Superseded | S::Retracted), K::Revised | K::Superseded)
        | (Some(S::Retracted), K::Retracted) => None,
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
    /// To whom it is sealed besides the author; of one that is sealed to nobody none.
    pub addressees: Vec<Society>,
    /// Whether its entry commits to a content.
    pub has_content: bool,
    /// Who wrote it, as a pseudonym that only the author's society can resolve; empty where none is
    /// told, or where it is longer than any society writes.
    pub actor: String,
    /// The second person who approved it, in the same way.
    pub approver: String,
    /// What it says.
    pub body: v1::InformationEvent,
}

impl Event {
    /// The event in the record of the entry at `at`; `None` where the record is of something else.
    /// `has_content` says whether the entry commits to a content too.
    ///
    /// The caller has checked that the record's origin is that of the entry. A record whose event
    /// id or addressees cannot be read is an event that says nothing, and so is malformed.
    pub fn from_record(
        at: EventRef,
        recorded_at_ms: u64,
        visibility: Visibility,
        has_content: bool,
        record: &v1::Record,
    ) -> Option<Self> {
        let Some(v1::record::Event::Information(body)) = &record.event else {
            return None;
        };
        let mut body = body.clone();
        let event_id = <[u8; 16]>::try_from(record.event_id.as_slice()).ok();
        let addressees: Option<Vec<Society>> =
            record.addressees.iter().map(|code| code.parse().ok()).collect();
        if event_id.is_none() || addressees.is_none() {
            body.transition = None;
        }
        Some(Self {
            society: at.origin.society(),
            at,
            recorded_at_ms,
            event_id: event_id.unwrap_or_default(),
            visibility,
            addressees: addressees.unwrap_or_default(),
            has_content,
            actor: pseudonym(&record.actor),
            approver: pseudonym(&record.approver),
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

    /// Whether a second person has approved it, as far as its author tells.
    pub fn is_approved(&self) -> bool {
        !self.approver.is_empty() && self.approver != self.actor
    }
}

fn pseudonym(text: &str) -> String {
    if text.len() <= ACTOR_BYTES_MAX { text.into() } else { String::new() }
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
    /// It is for the society to do that published the share.
    NotTheAuthor,
    /// It is for the other societies to do.
    OwnShare,
    /// The share is not for its author.
    NotAParty,
    /// The author has written it before.
    Duplicate,
    /// It is about nothing that the share's author has written and that counts, or that has come.
    NoSuchVersion,
    /// Its author has taken it back.
    TakenBack,
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
            Self::OwnShare => "own_share",
            Self::NotAParty => "not_a_party",
            Self::NoSuchVersion => "no_such_version",
            Self::TakenBack => "taken_back",
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
            Self::OwnShare => f.write_str("it is for other societies to say, of this one's share"),
            Self::NotAParty => f.write_str("the share is not for the society that wrote it"),
            Self::NoSuchVersion => {
                f.write_str("it is about a version that has not arrived, or that does not count")
            }
            Self::TakenBack => f.write_str("its author has taken it back"),
            Self::Duplicate => f.write_str("its author has written it before; it counts once"),
            Self::Malformed(what) => write!(f, "malformed: {what}"),
            Self::NotPublished => f.write_str("the share that it is about has not arrived"),
        }
    }
}
