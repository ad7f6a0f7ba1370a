//! What the logs of one audit tell together of the referrals and the information shares.
//!
//! A referral is written in two logs. Each log is read by itself first; what its records say of
//! referrals is gathered here, so that the process can be judged over all logs that were given.
//! Memory grows with the number of steps, and holds no content: none was opened.

use std::collections::{BTreeMap, BTreeSet};

use super::workflow::Workflow;
use crate::{
    information,
    referral::{Book, Event, EventRef, Outcome, Referral, Side},
    roster::{DataProtection, Roster},
    society::{Origin, Society},
};

/// What an export holds of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    /// Its sealed bytes.
    Present,
    /// Nothing.
    Absent,
    /// The holder's word that it was erased.
    Erased,
}

/// One log that was read.
#[derive(Debug, Default)]
struct Log {
    entries: u64,
    /// Records of addressed entries, which may be of referrals, that could not be read.
    missed: u64,
    /// The same of entries in clear.
    missed_clear: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) book: Book,
    pub(super) shares: information::Book,
    logs: BTreeMap<Origin, Log>,
    /// Where an entry's content is present in any of the exports.
    contents: BTreeMap<EventRef, Held>,
    /// Steps that the audit of one log has found illegal already.
    accused: BTreeSet<EventRef>,
    /// Every log that a society ever had, by all rosters.
    epochs: BTreeMap<Society, BTreeSet<Origin>>,
    /// The newest roster's, and the shortest and the longest time to keep of any.
    rules: Option<(u64, DataProtection)>,
    retention_days_min: Option<u32>,
    retention_days_max: u32,
    pub(super) founded: BTreeSet<[u8; 32]>,
}

impl Gathered {
    /// Takes the rosters of an export.
    pub(super) fn rosters(&mut self, chain: &[Roster]) {
        self.founded.extend(chain.first().map(Roster::hash));
        for roster in chain {
            let rules = *roster.data_protection();
            let days = self.retention_days_min.unwrap_or(rules.retention_days);
            self.retention_days_min = Some(days.min(rules.retention_days));
            self.retention_days_max = self.retention_days_max.max(rules.retention_days);
            if self.rules.is_none_or(|(version, _)| version < roster.version()) {
                self.rules = Some((roster.version(), rules));
            }
            for member in roster.members() {
                if let Ok(origin) = member.log_key.name().parse::<Origin>() {
                    self.epochs.entry(member.society).or_default().insert(origin);
                }
            }
        }
    }

    /// Takes a step of a referral, and what the export holds of its content.
    pub(super) fn take(&mut self, event: Event, content: Held) {
        if event.holds_content() {
            let held = self.contents.entry(event.at.clone()).or_insert(content);
            *held = (*held).min(content);
        }
        self.book.apply(event);
    }

    /// Takes a step of an information share.
    pub(super) fn take_share(&mut self, event: information::Event) {
        self.shares.apply(event);
    }

    /// Notes what was seen of a log. Of two exports of one log the larger counts; what one of them
    /// lacks is missed only where both lack something.
    pub(super) fn end_log(
        &mut self,
        origin: &Origin,
        entries: u64,
        [missed, missed_clear]: [u64; 2],
        workflow: Workflow,
    ) {
        self.accused.extend(workflow.accused);
        let log = self.logs.entry(origin.clone()).or_insert(Log { entries, missed, missed_clear });
        if (entries, u64::MAX - missed) > (log.entries, u64::MAX - log.missed) {
            *log = Log { entries, missed, missed_clear };
        }
    }

    /// The deadlines and times to keep of the newest roster.
    pub(super) fn rules(&self) -> Option<DataProtection> {
        self.rules.map(|(_, rules)| rules)
    }

    /// The shortest time to keep contents that any roster had, days.
    pub(super) fn retention_days_min(&self) -> u32 {
        self.retention_days_min.unwrap_or_default()
    }

    /// The longest one.
    pub(super) fn retention_days_max(&self) -> u32 {
        self.retention_days_max
    }

    pub(super) fn accused(&self, at: &EventRef) -> bool {
        self.accused.contains(at)
    }

    pub(super) fn held(&self, at: &EventRef) -> Held {
        self.contents.get(at).copied().unwrap_or(Held::Absent)
    }

    /// Whether every log of a society was given, and each record in it that may be of a referral
    /// was read.
    pub(super) fn is_whole(&self, society: Society) -> bool {
        self.epochs.get(&society).is_some_and(|origins| {
            origins.iter().all(|origin| self.logs.get(origin).is_some_and(|log| log.missed == 0))
        })
    }

    /// Whether all is known that a society has published and done with its shares: those that are
    /// addressed, or all others.
    pub(super) fn knows_shares(&self, society: Society, addressed: bool) -> bool {
        let whole = |log: &Log| if addressed { log.missed == 0 } else { log.missed_clear == 0 };
        self.epochs.get(&society).is_some_and(|origins| {
            origins.iter().all(|origin| self.logs.get(origin).is_some_and(whole))
        })
    }

    /// Whether all is known that both sides have written of a referral, as far as any of it tells.
    pub(super) fn knows(&self, referral: &Referral) -> bool {
        let parties = [Side::Sender, Side::Receiver].map(|side| referral.society(side));
        let has = |outcome: &Outcome| {
            let seen = outcome.event.body.seen.as_ref().and_then(EventRef::from_seen);
            seen.is_none_or(|seen| {
                self.logs.get(&seen.origin).is_some_and(|log| seen.index < log.entries)
            })
        };
        parties.iter().all(|party| self.is_whole(*party))
            && referral
                .outcomes
                .iter()
                .filter(|outcome| parties.contains(&outcome.event.society))
                .all(has)
    }
}
