//! One link: what the peer said of itself and what each side knows of the other's logs. All of it
//! ends with the link.

use std::collections::{BTreeMap, BTreeSet};

use super::doubts::Pair;
use crate::{
    head::{Cosignature, SignedHead},
    society::{Origin, Society},
};

/// What a peer said in its hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Version of the roster that it works by.
    pub roster_version: u64,
    /// SHA-256 of that roster's text.
    pub roster_hash: [u8; 32],
    /// Drawn when its process started.
    pub incarnation: [u8; 16],
}

/// A round trip before any was measured, milliseconds.
const ROUND_TRIP_MS: u64 = 100;

#[derive(Debug)]
pub(super) struct Link {
    pub(super) society: Society,
    /// What it said; nothing but a hello is read before.
    pub(super) greeting: Option<Greeting>,
    pub(super) hello_due_ms: u64,
    pub(super) connected_at_ms: u64,
    /// When the frontier is shown again; `u64::MAX` where it was not shown yet.
    pub(super) frontier_at_ms: u64,
    /// Whether the peer owes us what it holds, where its frontier is not ours.
    pub(super) holdings_due: bool,
    /// Before this it is not told again what we hold.
    pub(super) holdings_next_ms: u64,
    /// When what is offered is told again, if anything is, and from which entry on.
    pub(super) offers_at_ms: Option<u64>,
    pub(super) offers_from: u64,
    /// When the receipts behind this one are told, where some are left.
    pub(super) receipts_at_ms: Option<u64>,
    pub(super) receipts_behind: Option<(Origin, u64)>,
    pub(super) round_trip_ms: u64,
    pub(super) standing: BTreeMap<Origin, Standing>,
    /// Logs whose entries from here did not fit ours once already.
    pub(super) doubted: BTreeSet<Origin>,
    /// Forked logs whose evidence this peer has.
    pub(super) told: BTreeSet<Origin>,
    /// Logs in doubt, and the pair of heads that went over the link last.
    pub(super) doubts: BTreeMap<Origin, Pair>,
}

/// How far a peer is known to be in one log.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    /// It has shown a head of this size, or was sent entries up to it.
    pub(super) holds: u64,
    /// It was told of a head of this size.
    pub(super) told: u64,
    /// When the frontier was shown last, it was not known to hold a head of this size.
    pub(super) unheld: u64,
    /// It knows of these cosignatures on the head of this size.
    cosigned: (u64, BTreeSet<Society>),
}

impl Standing {
    /// A head went over the link, in either direction, with the cosignatures of these.
    pub(super) fn saw(&mut self, size: u64, societies: impl IntoIterator<Item = Society>) {
        if size > self.cosigned.0 {
            self.cosigned = (size, societies.into_iter().collect());
        } else if size == self.cosigned.0 {
            self.cosigned.1.extend(societies);
        }
    }

    /// The peer says who has cosigned the head of this size, as far as it knows.
    pub(super) fn shown(&mut self, size: u64, societies: BTreeSet<Society>) {
        self.holds = self.holds.max(size);
        if size >= self.cosigned.0 {
            self.cosigned = (size, societies);
        }
    }

    /// Whether to be shown this head, with the cosignatures that are on it, would change nothing.
    pub(super) fn is_at(&self, head: &SignedHead) -> bool {
        let (size, known) = &self.cosigned;
        let same = || known.iter().eq(head.witnesses().map(|cosignature| &cosignature.society));
        self.holds >= head.size() && (*size > head.size() || *size == head.size() && same())
    }

    /// Whether this head or a larger one went over the link.
    pub(super) fn knows(&self, head: &SignedHead) -> bool {
        head.size() <= self.cosigned.0
    }

    /// The cosignatures on the head that are news to the peer.
    pub(super) fn lacking<'a>(&self, head: &'a SignedHead) -> Vec<&'a Cosignature> {
        let (size, known) = &self.cosigned;
        let news =
            |society| head.size() > *size || head.size() == *size && !known.contains(society);
        head.witnesses().filter(|cosignature| news(&cosignature.society)).collect()
    }
}

impl Link {
    pub(super) fn new(society: Society, now_ms: u64, hello_due_ms: u64) -> Self {
        Self {
            society,
            greeting: None,
            hello_due_ms,
            connected_at_ms: now_ms,
            frontier_at_ms: u64::MAX,
            holdings_due: false,
            holdings_next_ms: 0,
            offers_at_ms: None,
            offers_from: 0,
            receipts_at_ms: None,
            receipts_behind: None,
            round_trip_ms: ROUND_TRIP_MS,
            standing: BTreeMap::new(),
            doubted: BTreeSet::new(),
            told: BTreeSet::new(),
            doubts: BTreeMap::new(),
        }
    }

    /// Whether both sides have said hello as far as this one knows.
    pub(super) fn is_ready(&self) -> bool {
        self.greeting.is_some()
    }

    pub(super) fn standing(&mut self, origin: &Origin) -> &mut Standing {
        self.standing.entry(origin.clone()).or_default()
    }

    pub(super) fn holds(&self, origin: &Origin) -> u64 {
        self.standing.get(origin).map_or(0, |standing| standing.holds)
    }

    /// The hello took so long. Whoever dialled may get it with the link itself: that is no round trip.
    pub(super) fn took(&mut self, ms: u64) {
        self.round_trip_ms = self.round_trip_ms.max(ms.min(60_000));
    }

    /// Takes a measured round trip into the average.
    pub(super) fn measured(&mut self, round_trip_ms: u64) {
        self.round_trip_ms = (self.round_trip_ms.saturating_mul(3) + round_trip_ms.min(60_000)) / 4;
    }
}
