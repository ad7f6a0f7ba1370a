//! What people and metrics may ask of the exchange.

use std::collections::{BTreeMap, BTreeSet};

use super::{Exchange, Greeting, LinkId};
use crate::society::{Origin, Society};

/// Counts since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Batches that brought something.
    pub batches: u64,
    /// Batches that brought nothing, or that could not be used.
    pub batches_redundant: u64,
    /// Entries that came from peers.
    pub entries: u64,
    /// Batches that were pushed.
    pub pushes: u64,
    /// Times that entries were asked for.
    pub wants: u64,
    /// Frames of heads that came.
    pub heads_frames: u64,
    /// Frames of cosignatures that came.
    pub cosignature_frames: u64,
    /// Bodies that came whole.
    pub bodies: u64,
}

/// One link, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    /// The link.
    pub link: LinkId,
    /// Who is there.
    pub society: Society,
    /// What it said; `None` before its hello.
    pub greeting: Option<Greeting>,
    /// Whether it works by another roster than this node.
    pub roster_differs: bool,
    /// An average, milliseconds.
    pub round_trip_ms: u64,
}

/// One log, for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// The largest size that the log has signed, as far as is known.
    pub known: u64,
    /// Whether it was forked.
    pub frozen: bool,
    /// Whether a signed head does not fit our entries and this cannot be proven yet.
    pub contested: bool,
    /// Whether it has signed two heads that nobody has shown to agree, for a while already.
    pub doubted: bool,
}

impl Exchange {
    /// Every link, by number.
    pub fn links(&self) -> impl Iterator<Item = LinkStatus> {
        self.links.iter().map(|(id, link)| LinkStatus {
            link: *id,
            society: link.society,
            greeting: link.greeting.clone(),
            roster_differs: link.greeting.as_ref().is_some_and(|greeting| {
                greeting.roster_version != self.settings.roster_version
                    || greeting.roster_hash != self.settings.roster_hash
            }),
            round_trip_ms: link.round_trip_ms,
        })
    }

    /// Societies for which more than one running process answers at this moment.
    pub fn twins(&self) -> BTreeSet<Society> {
        let mut seen: BTreeMap<Society, BTreeSet<[u8; 16]>> = BTreeMap::new();
        for link in self.links.values() {
            if let Some(greeting) = &link.greeting {
                seen.entry(link.society).or_default().insert(greeting.incarnation);
            }
        }
        seen.into_iter().filter(|(_, seen)| seen.len() > 1).map(|(society, _)| society).collect()
    }

    /// What is known of a log beyond what the store holds.
    pub fn log_status(&self, origin: &Origin) -> LogStatus {
        self.logs.get(origin).map_or(LogStatus::default(), |log| LogStatus {
            known: log.ahead.as_ref().map_or(log.size, |ahead| ahead.size()),
            frozen: log.frozen.is_some(),
            contested: log.contender.is_some() || log.doubt.is_some(),
            doubted: self.doubt(origin).is_some(),
        })
    }

    /// Bodies that are wanted and not here.
    pub fn bodies_wanted(&self) -> usize {
        self.bodies.wanted()
    }

    /// Counts since the process started.
    pub fn tally(&self) -> Tally {
        self.tally
    }
}
