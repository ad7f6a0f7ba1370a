//! What goes into the exchange and what comes out of it.

use std::collections::BTreeSet;

use tutti_proto::v1;

use super::{Arrival, HeldState, LinkId, Misbehaved, Offering};
use crate::{
    batch::VerifiedBatch,
    body::{Body, BodyKey, Part, Place},
    entry::Commitment,
    evidence::Evidence,
    head::SignedHead,
    sealing::routing::{Receipt, Token},
    society::{Origin, Society},
};

/// A body that this node may have and lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyWant {
    /// The log.
    pub origin: Origin,
    /// The entry.
    pub index: u64,
    /// Which body of it.
    pub part: Part,
    /// What the entry commits to.
    pub commitment: Commitment,
    /// Claims it: of a tag that the entry carries; `None` where it is not addressed.
    pub token: Option<Token>,
    /// Whether it is to be kept for others, on its way: then its author alone is asked, who lends it.
    pub lent: bool,
    /// Societies that the entry is addressed to, as far as they are known here: they may be asked,
    /// and shown the token, as its author may.
    pub addressees: BTreeSet<Society>,
}

impl BodyWant {
    /// Where the body belongs.
    pub fn place(&self) -> Place {
        Place::new(&self.origin, self.index, self.part)
    }

    /// By what a holder finds it.
    pub fn key(&self) -> BodyKey {
        self.place().key(&self.commitment.digest)
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A link is up; TLS has proven that `society` is at the other end.
    Connected {
        /// The link.
        link: LinkId,
        /// Who is there.
        society: Society,
    },
    /// A link is gone.
    Closed {
        /// The link.
        link: LinkId,
    },
    /// A frame came in.
    Frame {
        /// On this link.
        link: LinkId,
        /// As decoded; at most [`crate::limits::FRAME_BYTES_MAX`] bytes encoded.
        frame: v1::Frame,
    },
    /// The log or its head changed and the change is durable.
    Grew {
        /// The log.
        origin: Origin,
    },
    /// A body is wanted. Wanting one twice is wanting it once.
    Want(BodyWant),
    /// An effect could not be made durable and the process goes on: the disk is full.
    NotKept(Unkept),
    /// The bodies of an entry of ours have not reached all that it is addressed to: they are offered
    /// until [`Input::Settled`]. Told again, it takes the place of what was told before.
    Offer(Offering),
    /// Nobody waits for the bodies of an entry of ours any more, or they are gone.
    Settled {
        /// The entry.
        index: u64,
    },
    /// All bodies of an entry that is addressed to us are durable here.
    Arrived(Arrival),
    /// What a society is to be told of the bodies of an entry, where it is linked.
    Answer {
        /// Its author, or who sent a receipt.
        to: Society,
        /// The log.
        origin: Origin,
        /// The entry.
        index: u64,
        /// What there is to say.
        state: HeldState,
        /// With [`HeldState::Received`], for the author.
        receipts: Vec<Receipt>,
    },
    /// A timer may be due.
    Tick,
}

/// What an effect brought and the store did not take.
#[derive(Debug, Clone)]
pub enum Unkept {
    /// Entries of this log.
    Entries(Origin),
    /// A head with new cosignatures.
    Head(SignedHead),
    /// Our own cosignature on this log.
    Cosignature(Origin),
    /// The evidence that this log was forked.
    Evidence(Origin),
    /// A body that is still wanted.
    Body(BodyWant),
}

/// What is to be done, in this order.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Send a frame.
    Send {
        /// On this link.
        link: LinkId,
        /// This frame.
        frame: v1::Frame,
    },
    /// Close a link. The exchange has forgotten it already.
    Close {
        /// This link.
        link: LinkId,
        /// For this reason.
        why: Misbehaved,
    },
    /// Append to a log, then [`Input::Grew`].
    Append(VerifiedBatch),
    /// Keep a head with new cosignatures, then [`Input::Grew`].
    Head(SignedHead),
    /// Cosign this head, keep it, then [`Input::Grew`].
    Cosign(SignedHead),
    /// Keep a body; its digest and size were checked.
    Body {
        /// What was wanted.
        want: BodyWant,
        /// What came.
        body: Body,
    },
    /// The author says that the body was erased; it is no longer wanted.
    BodyErased {
        /// What was wanted.
        want: BodyWant,
    },
    /// Keep the evidence; the log is frozen from now on. Comes once a log, until it is kept.
    Evidence(Box<Evidence>),
    /// A peer says that it holds our own log as we do.
    OwnLogShown {
        /// How many entries.
        size: u64,
    },
    /// A peer has said hello.
    Met {
        /// Who.
        society: Society,
    },
    /// The author offers the bodies of an entry.
    Offered {
        /// Its log.
        origin: Origin,
        /// The entry.
        index: u64,
        /// How many societies they have not reached; 0: they need not be kept any more.
        waiting: u8,
    },
    /// A relay says what it has of an entry of ours that is offered.
    Held {
        /// Who.
        relay: Society,
        /// The entry.
        index: u64,
        /// What it says.
        state: HeldState,
        /// Receipts, not checked yet.
        receipts: Vec<Receipt>,
    },
    /// A peer says that the bodies of an entry have reached an addressee. Nothing of it is checked.
    Arrived {
        /// Who says so.
        from: Society,
        /// What it says.
        arrival: Arrival,
    },
    /// A larger signed head of our own log is out there: sign nothing until the log was fetched
    /// back. Comes again where a still larger one shows.
    OwnLogAhead {
        /// How many entries the log has.
        size: u64,
    },
}
