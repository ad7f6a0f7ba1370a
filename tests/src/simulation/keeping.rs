//! How long contents are kept, seen from outside: nobody erases one before its time has passed on
//! the erasing node's own wall clock, or somebody has said that it must go; and nobody whose clock
//! says that its time is over keeps it for long.
//!
//! Clocks are off by years, and so is, for each node, the moment of erasing: by as much, and by no
//! more. Where no day was given, the time counts from when the events were recorded, by the clocks
//! of their authors. A referral that passes another on, or is passed on, is stopped by what nodes
//! write to each other of themselves; it is not judged here.

use std::collections::{BTreeMap, BTreeSet};

use tutti_core::{
    body::BodyKey,
    referral::{Kind, ReferralId},
    society::{Origin, Society},
};
use tutti_node::engine::{Receipt, Write};

const DAY_MS: u64 = 86_400_000;

/// A node that is on looks once a minute; and there is what it does meanwhile.
const LATE_MS: u64 = 180_000;

/// Of one referral.
#[derive(Debug, Default)]
struct Kept {
    /// The day that it was sent with, milliseconds since the Unix epoch; 0 for none.
    until_ms: u64,
    /// When it was sent and when the last event was recorded, by their authors' clocks.
    sent_ms: Option<u64>,
    last_ms: u64,
    /// Somebody has had it erased, or others may.
    stopped: bool,
}

#[derive(Debug)]
struct Erased {
    who: Society,
    key: BodyKey,
    wall_ms: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    retention_ms: u64,
    referrals: BTreeMap<ReferralId, Kept>,
    contents: BTreeMap<BodyKey, (Origin, u64)>,
    about: BTreeMap<(Origin, u64), ReferralId>,
    /// What stops a case: beside it nothing is said, and nobody keeps that.
    silent: BTreeSet<(Origin, u64)>,
    /// What is of no referral.
    others: BTreeSet<(Origin, u64)>,
    /// By how much each wall clock is off, and since when.
    walls: BTreeMap<Society, (i64, u64)>,
    unchecked: Vec<Erased>,
    erased: u64,
}

impl Keeping {
    pub(super) fn new(retention_days: u32) -> Self {
        Self { retention_ms: u64::from(retention_days) * DAY_MS, ..Self::default() }
    }

    /// A clock was set, or a process has started.
    pub(super) fn clock(&mut self, who: Society, skew_ms: i64, now_ms: u64) {
        self.walls.insert(who, (skew_ms, now_ms));
    }

    /// A content is durable at its author.
    pub(super) fn content(&mut self, key: BodyKey, at: (Origin, u64)) {
        self.contents.insert(key, at);
    }

    /// Something is about to be written; it may become durable without an answer.
    pub(super) fn asked(&mut self, author: &Origin, write: &Write) {
        match write {
            Write::Send { key, sent, .. } => {
                let kept = self.referrals.entry(ReferralId::of(author, key)).or_default();
                kept.until_ms = sent.retain_until * 1000;
            }
            Write::Advance { id, command, .. } => {
                let stops = [Kind::ErasureRequested, Kind::ConsentWithdrawn, Kind::EnteredInError];
                if stops.contains(&command.kind()) {
                    self.referrals.entry(*id).or_default().stopped = true;
                }
            }
            Write::PassOn { key, id, .. } => {
                for id in [*id, ReferralId::of(author, key)] {
                    self.referrals.entry(id).or_default().stopped = true;
                }
            }
            _ => {}
        }
    }

    /// It is durable.
    pub(super) fn written(&mut self, write: &Write, receipt: &Receipt) {
        let recorded_ms = receipt.recorded_at_ms;
        let at = (receipt.origin.clone(), receipt.index);
        let (id, first) = match write {
            Write::Send { key, .. } => (ReferralId::of(&receipt.origin, key), true),
            Write::PassOn { key, .. } => (ReferralId::of(&receipt.origin, key), true),
            Write::Advance { id, command, .. } => {
                if command.kind().ends() {
                    self.silent.insert(at.clone());
                }
                (*id, false)
            }
            _ => {
                self.others.insert(at);
                return;
            }
        };
        let kept = self.referrals.entry(id).or_default();
        if first {
            kept.sent_ms = Some(recorded_ms);
        }
        kept.last_ms = kept.last_ms.max(recorded_ms);
        self.about.insert(at, id);
    }

    /// A body is gone from an honest node's disk, and will not be taken again.
    pub(super) fn erased(&mut self, who: Society, key: BodyKey, now_ms: u64) {
        let (skew_ms, _) = self.walls.get(&who).copied().unwrap_or_default();
        self.unchecked.push(Erased { who, key, wall_ms: now_ms.saturating_add_signed(skew_ms) });
        self.erased += 1;
    }

    /// How many bodies were erased.
    pub(super) fn count(&self) -> u64 {
        self.erased
    }

    /// Nothing was erased before its time. What was written without an answer is looked at when
    /// the answer is there.
    pub(super) fn check_erased(&mut self) {
        for Erased { who, key, wall_ms } in std::mem::take(&mut self.unchecked) {
            let at = self.contents.get(&key);
            let at = at.unwrap_or_else(|| panic!("{who} erased what is no content"));
            if self.silent.contains(at) {
                continue;
            }
            match self.about.get(at).and_then(|id| self.referrals.get(id)) {
                None => self.unchecked.push(Erased { who, key, wall_ms }),
                Some(kept) => {
                    let until_ms = match kept.until_ms {
                        0 => kept.sent_ms.unwrap_or_default() + self.retention_ms,
                        until_ms => until_ms,
                    };
                    assert!(
                        kept.stopped || until_ms <= wall_ms,
                        "{who} erased {at:?} at {wall_ms}, which was to be kept until {until_ms}"
                    );
                }
            }
        }
    }

    /// Whether an entry is of a case, as far as anybody has asked for it: those that nodes write by
    /// themselves are.
    pub(super) fn is_of_a_case(&self, at: &(Origin, u64)) -> bool {
        !self.others.contains(at)
    }

    /// Whether a node that has been on for a while should have erased the content of an entry: its
    /// own clock says so.
    pub(super) fn is_over(&self, who: Society, at: &(Origin, u64), now_ms: u64) -> bool {
        let Some(kept) = self.about.get(at).and_then(|id| self.referrals.get(id)) else {
            return false;
        };
        let until_ms = match kept.until_ms {
            0 => kept.last_ms + self.retention_ms,
            until_ms => until_ms,
        };
        let (skew_ms, since_ms) = self.walls.get(&who).copied().unwrap_or_default();
        let wall_ms = now_ms.saturating_add_signed(skew_ms);
        now_ms >= since_ms + LATE_MS && wall_ms >= until_ms + LATE_MS
    }
}
