//! The exchange between nodes, sans I/O: what happens goes in, what is to be done comes out.
//!
//! [`Exchange::handle`] takes one input, the time, the store for reading and the roster. The caller
//! runs the effects **in order** and answers each durable change of a log with [`Input::Grew`].
//! Invariants: nothing is sent or cosigned that the store does not hold; a log is only ever
//! extended by a [`VerifiedBatch`]; a frozen log is neither extended nor cosigned; nothing that a
//! peer claims is allocated for, and what it says of its own state ends with its link; the same
//! inputs with the same random numbers give the same effects. It knows no clock: `now_ms` may jump
//! in either direction and only moves timers.
//!
//! Source: `docs/protocol.md`, "The session"; C2SP tlog-witness for cosigning.

mod misbehaved;

use rand_core::CryptoRngCore;
use tutti_proto::v1;

pub use misbehaved::Misbehaved;

use crate::{
    batch::VerifiedBatch,
    entry::Commitment,
    evidence::Evidence,
    head::SignedHead,
    roster::Roster,
    sealing::routing::Token,
    society::{Origin, Society},
    store::Reader,
};

/// One link to a peer, as the caller numbers it; never used twice.
pub type LinkId = u64;

/// Who this node is, for its hello.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The society.
    pub society: Society,
    /// Its own log.
    pub origin: Origin,
    /// Version of the roster in force.
    pub roster_version: u64,
    /// SHA-256 of its text.
    pub roster_hash: [u8; 32],
    /// Drawn when the process starts.
    pub incarnation: [u8; 16],
}

impl Settings {
    /// The federation is the origin's.
    pub fn new(
        society: Society,
        origin: Origin,
        roster_version: u64,
        roster_hash: [u8; 32],
        incarnation: [u8; 16],
    ) -> Self {
        Self { society, origin, roster_version, roster_hash, incarnation }
    }
}

/// Which of an entry's two bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What happened.
    Record,
    /// The person's case.
    Content,
}

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
    /// Shows that the entry is addressed to this society; `None` where it is not addressed.
    pub token: Option<Token>,
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
    /// A timer may be due.
    Tick,
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
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// The author says that the body was erased; it is no longer wanted.
    BodyErased {
        /// What was wanted.
        want: BodyWant,
    },
    /// Keep the evidence; the log is frozen from now on. Comes once a log.
    Evidence(Box<Evidence>),
    /// A larger signed head of our own log is out there: sign nothing until the log was fetched
    /// back. Comes again where a still larger one shows.
    OwnLogAhead {
        /// How many entries the log has.
        size: u64,
    },
}

/// The state of the exchange. See the module.
#[derive(Debug)]
pub struct Exchange {
    settings: Settings,
}

impl Exchange {
    /// Nothing is known yet; the first input reads the store.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Takes one input. `now_ms` is by any clock that mostly goes forward.
    pub fn handle(
        &mut self,
        input: Input,
        now_ms: u64,
        store: &impl Reader,
        roster: &Roster,
        rng: &mut impl CryptoRngCore,
    ) -> Vec<Effect> {
        let _ = (input, now_ms, store, roster, rng, &self.settings);
        Vec::new()
    }

    /// When the next timer is due; [`Input::Tick`] then.
    pub fn next_timer(&self) -> Option<u64> {
        None
    }
}
