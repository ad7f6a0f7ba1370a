//! Who has read what, whose a case is, and what the focal point is told.

use rand_core::CryptoRngCore;
use tutti_core::{information::InformationId, referral::ReferralId, store::StoreError};
use tutti_proto::v1::{LocalAlert, LocalCase, LocalRead, local_record::Event};

use super::{Actor, Local, Shown};

/// Different cases that one account opens within an hour before that raises an alarm. A caseworker
/// has some tens of cases; the breach that we measure ourselves by took 515,000.
pub const BULK_READS: usize = 30;

/// Shares in one record of a list of titles, or cases in one of a search; more are in several. So a thousand
/// reads in an answer, each with the numbers of as many, stay below what clients take.
const LISTED_MAX: usize = 64;

/// The alert on somebody whose referral was refused, because a colleague's of the same case is open.
pub const DUPLICATE_REFUSED: &str = "duplicate_refused";

/// An hour, milliseconds.
pub const HOUR_MS: u64 = 3_600_000;

impl Local {
    /// Records that somebody is about to read; durable before anything is shown. `reason`: why the
    /// glass was broken; empty where it was not. Gives the alerts that it raised.
    pub fn reading(
        &mut self,
        actor: &Actor,
        referral: Option<ReferralId>,
        what: &str,
        reason: &str,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<&'static str>, StoreError> {
        let case = referral.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let mut events = vec![Event::Read(LocalRead {
            pseudonym: actor.pseudonym().into(),
            referral: case.clone(),
            what: what.into(),
            reason: reason.into(),
            ..LocalRead::default()
        })];
        let alert = |what: &str, count| {
            Event::Alert(LocalAlert {
                what: what.into(),
                pseudonym: actor.pseudonym().into(),
                referral: case.clone(),
                count,
            })
        };
        let mut alerts = Vec::new();
        if !reason.is_empty() {
            events.push(alert("break_glass", 1));
            alerts.push("break_glass");
        }
        if let Some(count) = referral.and_then(|id| self.too_many(actor, id, now_ms)) {
            events.push(alert("bulk_reading", count));
            alerts.push("bulk_reading");
        }
        self.write(events, now_ms, rng)?;
        Ok(alerts)
    }

    /// Counts a case among those of which somebody was told within the hour; how many they are, where that
    /// raises the alarm.
    fn too_many(&mut self, actor: &Actor, id: ReferralId, now_ms: u64) -> Option<u64> {
        let recent = self.recent.entry(actor.pseudonym().into()).or_default();
        while recent.front().is_some_and(|(at, _)| at + HOUR_MS <= now_ms) {
            recent.pop_front();
        }
        // The same case twice is one case; the alarm sounds again at each further multiple.
        if recent.iter().any(|(_, other)| *other == id) {
            return None;
        }
        recent.push_back((now_ms, id));
        recent.len().is_multiple_of(BULK_READS).then_some(recent.len() as u64)
    }

    /// Records that somebody is about to be told which cases have their words in what only contents say:
    /// these, of so many that were opened for it; durable before anything is shown. What they looked for
    /// is a person's name, as often as not, and is nowhere. Each that was found counts for the alarm as one
    /// that was opened. Gives the case at which that sounded.
    pub fn reading_search(
        &mut self,
        actor: &Actor,
        found: &[ReferralId],
        opened: u64,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Option<ReferralId>, StoreError> {
        let read = |found: &[ReferralId]| LocalRead {
            pseudonym: actor.pseudonym().into(),
            what: "search".into(),
            found: found.iter().flat_map(ReferralId::as_bytes).copied().collect(),
            ..LocalRead::default()
        };
        // One that found nothing is on record too.
        let mut reads: Vec<LocalRead> = found.chunks(LISTED_MAX).map(read).collect();
        if reads.is_empty() {
            reads.push(read(&[]));
        }
        reads.iter_mut().take(1).for_each(|read| read.opened = opened);
        let mut events: Vec<Event> = reads.into_iter().map(Event::Read).collect();
        let mut sounded = None;
        for id in found {
            if let Some(count) = self.too_many(actor, *id, now_ms) {
                events.push(Event::Alert(LocalAlert {
                    what: "bulk_reading".into(),
                    pseudonym: actor.pseudonym().into(),
                    referral: id.as_bytes().to_vec(),
                    count,
                }));
                sounded = Some(*id);
            }
        }
        self.write(events, now_ms, rng)?;
        Ok(sounded)
    }

    /// Records that somebody is about to be given the texts of these addressed shares, each by itself;
    /// durable, all of them, before anything is shown.
    pub fn reading_shares(
        &mut self,
        actor: &Actor,
        shares: &[InformationId],
        what: &str,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), StoreError> {
        let read = |share: &InformationId| {
            Event::Read(LocalRead {
                pseudonym: actor.pseudonym().into(),
                what: what.into(),
                share: share.as_bytes().to_vec(),
                ..LocalRead::default()
            })
        };
        self.write(shares.iter().map(read).collect(), now_ms, rng)
    }

    /// Raises the alert that somebody was refused a second referral of a case, which is a colleague's and
    /// not theirs to see: `first`.
    pub fn raise_duplicate(
        &mut self,
        actor: &Actor,
        first: ReferralId,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), StoreError> {
        let alert = LocalAlert {
            what: DUPLICATE_REFUSED.into(),
            pseudonym: actor.pseudonym().into(),
            referral: first.as_bytes().to_vec(),
            count: 1,
        };
        self.write(vec![Event::Alert(alert)], now_ms, rng)
    }

    /// Records that somebody is about to be given the titles of these addressed shares, and no text: one
    /// record for a list; durable before anything is shown.
    pub fn reading_titles(
        &mut self,
        actor: &Actor,
        shares: &[InformationId],
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), StoreError> {
        let read = |shares: &[InformationId]| {
            Event::Read(LocalRead {
                pseudonym: actor.pseudonym().into(),
                what: "share_titles".into(),
                titles: shares.iter().flat_map(InformationId::as_bytes).copied().collect(),
                ..LocalRead::default()
            })
        };
        self.write(shares.chunks(LISTED_MAX).map(read).collect(), now_ms, rng)
    }

    /// The pseudonym of whose case it is: `None` where nobody has said; empty: nobody's.
    pub fn given(&self, id: &ReferralId) -> Option<&str> {
        self.state.given.get(id).map(String::as_str)
    }

    /// Whether somebody with that pseudonym is here: who has left has no cases.
    pub fn is_here(&self, pseudonym: &str) -> bool {
        self.here.contains_key(pseudonym)
    }

    /// The name of whoever has that pseudonym.
    pub fn name_of(&self, pseudonym: &str) -> Option<&str> {
        let mut accounts = self.state.accounts.iter();
        let found = accounts.find(|(id, _)| self.keys.pseudonym(id) == pseudonym);
        found.map(|(_, account)| account.name.as_str())
    }

    /// Gives a case to whoever has that pseudonym; to nobody where it is empty.
    pub fn give(
        &mut self,
        by: &Actor,
        id: ReferralId,
        pseudonym: &str,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), StoreError> {
        let case = LocalCase {
            referral: id.as_bytes().to_vec(),
            pseudonym: pseudonym.into(),
            by: by.pseudonym().into(),
        };
        self.write(vec![Event::Case(case)], now_ms, rng)
    }

    /// Reads, or alerts, the newest first.
    pub fn shown(&self, alerts: bool, count: usize) -> Vec<Shown> {
        let list = if alerts { &self.state.alerts } else { &self.state.reads };
        list.iter().rev().take(count).cloned().collect()
    }
}
