//! What one member may cost a node: bytes a day of its entries, and of bodies that it writes.
//!
//! What is more is not refused but put off: the log is followed on, and the body asked for, when its
//! days allow it, so that nothing is lost, nothing is forked, and no society waits for another. A node
//! that comes back after years has a week's bytes at once, which is more than an honest society writes
//! in as many years. Invariants: a member has no part in another's quota; the own log has none; what
//! is counted is what was taken, never what was claimed.
//!
//! Source: `docs/protocol.md`, "Quotas"; ADR 10.

use std::collections::BTreeMap;

use super::{BodyWant, Exchange};
use crate::{
    limits::{MEMBER_BODY_BYTES_A_DAY, MEMBER_ENTRY_BYTES_A_DAY, MEMBER_QUOTA_DAYS},
    society::{Origin, Society},
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Entries of its log.
    Entries,
    /// Bodies that everybody is given.
    OpenBodies,
    /// Bodies that are addressed to this node's society: a flood of the others must not hold up a
    /// case.
    AddressedBodies,
}

/// What a member has cost of late.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Bytes that were taken and that its days have not made up for yet.
    level: u64,
    at_ms: u64,
}

impl Bucket {
    fn settle(&mut self, a_day: u64, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        let made_up = u128::from(passed) * u128::from(a_day) / u128::from(DAY_MS);
        // Fractions of a byte are not lost by looking often.
        if made_up > 0 {
            self.level = self.level.saturating_sub(u64::try_from(made_up).unwrap_or(u64::MAX));
            self.at_ms = now_ms;
        }
    }
}

/// The quotas of a node, and how far each member is into its own.
#[derive(Debug)]
pub(super) struct Quotas {
    entry_bytes_a_day: u64,
    body_bytes_a_day: u64,
    /// By the exchange's own clock, as of the last input.
    pub(super) now_ms: u64,
    buckets: BTreeMap<(Society, Cost), Bucket>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            entry_bytes_a_day: MEMBER_ENTRY_BYTES_A_DAY,
            body_bytes_a_day: MEMBER_BODY_BYTES_A_DAY,
            now_ms: 0,
            buckets: BTreeMap::new(),
        }
    }
}

impl Quotas {
    fn a_day(&self, cost: Cost) -> u64 {
        match cost {
            Cost::Entries => self.entry_bytes_a_day,
            Cost::OpenBodies | Cost::AddressedBodies => self.body_bytes_a_day,
        }
    }

    /// Until when no more of this is taken; `None` where there is room.
    pub(super) fn until(&mut self, society: Society, cost: Cost, now_ms: u64) -> Option<u64> {
        let a_day = self.a_day(cost);
        let bucket = self.buckets.get_mut(&(society, cost))?;
        bucket.settle(a_day, now_ms);
        let over = bucket.level.checked_sub(a_day.saturating_mul(MEMBER_QUOTA_DAYS))?;
        let wait_ms = u128::from(over) * u128::from(DAY_MS) / u128::from(a_day.max(1));
        let wait_ms = u64::try_from(wait_ms).unwrap_or(u64::MAX).max(1_000);
        Some(now_ms.saturating_add(wait_ms))
    }

    pub(super) fn spend(&mut self, society: Society, cost: Cost, bytes: u64, now_ms: u64) {
        let a_day = self.a_day(cost);
        let bucket = self.buckets.entry((society, cost)).or_default();
        if bucket.level == 0 {
            bucket.at_ms = now_ms;
        }
        bucket.settle(a_day, now_ms);
        bucket.level = bucket.level.saturating_add(bytes);
    }
}

/// What a body costs whom.
pub(super) fn cost_of(want: &BodyWant) -> Cost {
    match want.token {
        Some(_) => Cost::AddressedBodies,
        None => Cost::OpenBodies,
    }
}

impl Exchange {
    /// Until when nothing more of a log is taken.
    pub(super) fn entries_wait(&mut self, origin: &Origin, now_ms: u64) -> Option<u64> {
        let own = *origin == self.settings.origin;
        if own { None } else { self.quotas.until(origin.society(), Cost::Entries, now_ms) }
    }

    /// Until when a body is not asked for. What is kept for others has a quota of its own.
    pub(super) fn body_waits(&mut self, want: &BodyWant, now_ms: u64) -> Option<u64> {
        let society = want.origin.society();
        if society == self.settings.society || want.lent {
            return None;
        }
        self.quotas.until(society, cost_of(want), now_ms)
    }

    /// A body has come whole.
    pub(super) fn body_cost(&mut self, want: &BodyWant, bytes: u64, now_ms: u64) {
        if !want.lent {
            self.quotas.spend(want.origin.society(), cost_of(want), bytes, now_ms);
        }
    }

    /// Of whom something is put off, and what.
    pub fn put_off(&self) -> Vec<(Society, Cost)> {
        let over = |(society, cost): &(Society, Cost), bucket: &Bucket| {
            let (a_day, mut bucket) = (self.quotas.a_day(*cost), *bucket);
            bucket.settle(a_day, self.quotas.now_ms);
            let max = a_day.saturating_mul(MEMBER_QUOTA_DAYS);
            (bucket.level >= max).then_some((*society, *cost))
        };
        self.quotas.buckets.iter().filter_map(|(of, bucket)| over(of, bucket)).collect()
    }

    #[cfg(test)]
    pub(super) fn set_quotas(&mut self, entry_bytes_a_day: u64, body_bytes_a_day: u64) {
        self.quotas.entry_bytes_a_day = entry_bytes_a_day;
        self.quotas.body_bytes_a_day = body_bytes_a_day;
    }
}

/// For people and graphs.
impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Entries => "entries",
            Self::OpenBodies => "open_bodies",
            Self::AddressedBodies => "addressed_bodies",
        })
    }
}
