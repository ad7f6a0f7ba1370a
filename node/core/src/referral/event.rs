//! One event as a log holds it, and what becomes of it.

use std::fmt;

use tutti_proto::v1;

use super::{EventRef, Kind, ReferralId, State};
use crate::{limits::ACTOR_BYTES_MAX, society::Society};

/// What a society has signed about a referral.
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
    /// To whom it is sealed besides the author.
    pub addressees: Vec<Society>,
    /// Whether its entry commits to a content, whatever its record says of that.
    pub commits_content: bool,
    /// Whether that content says something, by its author's word.
    pub has_content: bool,
    /// Who wrote it, as a pseudonym that only the author's society can resolve; empty where none is
    /// told, or where it is longer than any society writes.
    pub actor: String,
    /// The second person who approved it, in the same way; empty where none did.
    pub approver: String,
    /// What it says.
    pub body: v1::ReferralEvent,
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
        has_content: bool,
        record: &v1::Record,
    ) -> Option<Self> {
        let Some(v1::record::Event::Referral(body)) = &record.event else {
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
            addressees: addressees.unwrap_or_default(),
            commits_content: has_content,
            has_content: has_content && record.has_content,
            actor: pseudonym(&record.actor),
            approver: pseudonym(&record.approver),
            body,
        })
    }

    /// The referral that it names; `None` where the id has another size.
    pub fn referral_id(&self) -> Option<ReferralId> {
        <[u8; 16]>::try_from(self.body.referral_id.as_slice()).ok().map(ReferralId::from_bytes)
    }

    /// What it does; `None` where this version cannot tell.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(&self.body)
    }

    /// Whether there is a content that goes with the case when that is erased. An author's word that
    /// it says nothing is not believed: nobody can tell without opening it.
    pub fn holds_content(&self) -> bool {
        self.commits_content && !self.is_silent()
    }

    /// Whether there is a content that nobody keeps, since beside such an event none says anything.
    /// No receipt names it, or there would be no end of receipts.
    pub fn is_silent(&self) -> bool {
        self.commits_content && !self.has_content && self.kind().is_some_and(Kind::ends)
    }

    /// Whether a person wrote it. A receipt for an erasure is its author's node's own, and so is the word
    /// that a node carries here from another referral of the case.
    pub fn is_by_a_person(&self) -> bool {
        self.kind().is_some_and(|kind| kind != Kind::Erased) && self.carried().is_empty()
    }

    /// Whether a second person has approved it, as far as its author tells.
    pub fn is_approved(&self) -> bool {
        !self.approver.is_empty() && self.approver != self.actor
    }
}

pub(crate) fn pseudonym(text: &str) -> String {
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

/// Why an event does not count. Shown to people; the same on every node that knows the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It fitted what its author had seen, but the other side had written something meanwhile.
    Overtaken {
        /// What it had not seen.
        by: EventRef,
        /// What that did.
        kind: Kind,
    },
    /// It did not fit the state even as its author saw it.
    OutOfOrder {
        /// That state; `None` before the referral was sent.
        state: Option<State>,
    },
    /// Its author has taken it back.
    EnteredInError {
        /// By this event.
        by: EventRef,
    },
    /// The author is neither sender nor receiver.
    NotAParty,
    /// It is for the other side to do.
    WrongSide,
    /// The author has written it before.
    Duplicate,
    /// It cannot be read, lacks what it must have, or is not addressed to the other side alone.
    Malformed(&'static str),
    /// What it is about has not arrived.
    NotSent,
}

impl Why {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Overtaken { .. } => "overtaken",
            Self::OutOfOrder { .. } => "out_of_order",
            Self::EnteredInError { .. } => "entered_in_error",
            Self::NotAParty => "not_a_party",
            Self::WrongSide => "wrong_side",
            Self::Duplicate => "duplicate",
            Self::Malformed(_) => "malformed",
            Self::NotSent => "not_sent",
        }
    }
}

/// A sentence for people, without a capital and a full stop.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overtaken { by, kind } => write!(
                f,
                "overtaken by {kind} ({} entry {}), which its author had not seen",
                by.origin.society(),
                by.index
            ),
            Self::OutOfOrder { state: Some(state) } => {
                write!(f, "out of order: the referral was {state} as its author saw it")
            }
            Self::OutOfOrder { state: None } => {
                f.write_str("out of order: its author had not seen the referral itself")
            }
            Self::EnteredInError { by } => write!(
                f,
                "entered in error, as its author says ({} entry {})",
                by.origin.society(),
                by.index
            ),
            Self::NotAParty => f.write_str("its author is neither sender nor receiver"),
            Self::WrongSide => f.write_str("it is for the other side to do"),
            Self::Duplicate => f.write_str("its author has written it before; it counts once"),
            Self::Malformed(what) => write!(f, "malformed: {what}"),
            Self::NotSent => f.write_str("the referral that it is about has not arrived"),
        }
    }
}
