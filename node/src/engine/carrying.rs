//! Carrying: what stops a referral also stops those by which the case was passed on from here, and
//! the person's word for the whole case also the one that was passed on.
//!
//! A person's word reaches whoever has the case, also where the societies of one referral are no
//! party to the next: whoever passed it on carries the word, at once and unasked. What is still to
//! be carried follows from the events alone ([`Referral::to_carry_on`], [`Referral::to_carry_back`]),
//! so that a crash, a restore or an absence changes nothing. Invariants: what is to be stopped is
//! neither shown nor opened nor taken any more, also while this node can write nothing; each stop is
//! carried once.

use std::sync::Arc;

use rand_core::CryptoRngCore;
use tutti_core::{
    referral::{Command, EarlierClaim, EventRef, Kind, OnwardClaim, Referral, ReferralId},
    store::Store,
};
use tutti_proto::v1::referral_event::Transition;

use super::{Engine, Write};

/// After how long what could not be written is tried again, milliseconds.
const RETRY_MS: u64 = 1000;

/// One referral that is to be stopped, and by what.
struct Uncarried {
    id: ReferralId,
    command: Command,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Notes what an event of this referral may have made due further on or before, or what it
    /// tells of an erasure there.
    pub(super) fn note_onward(&mut self, id: &ReferralId) {
        let Some(referral) = self.case(id) else { return };
        let stopped = |referral: &&Arc<Referral>| referral.stopped_by().is_some();
        let first = self.passes_on(&referral);
        let first = first.as_ref();
        let mut told = Vec::from_iter(first.filter(stopped).map(|first| first.id));
        if stopped(&&referral) {
            // Those further on wait for what becomes of this one.
            let waits = |onward: &Arc<Referral>| onward.goes_back();
            told.extend(self.passed_on(&referral).filter(waits).map(|onward| onward.id));
        }
        let mut carry: Vec<ReferralId> = Vec::new();
        carry.extend(stopped(&&referral).then_some(*id));
        carry.extend(first.filter(|_| referral.goes_back()).map(|first| first.id));
        carry.extend(first.filter(stopped).map(|first| first.id));
        if !carry.is_empty() {
            self.erasing.carry_at_ms = 0;
        }
        self.erasing.carry.extend(carry);
        told.into_iter().for_each(|id| self.erasing.owe(id));
    }

    /// The referral that this one, sent from here, passes on.
    fn passes_on(&self, referral: &Referral) -> Option<Arc<Referral>> {
        if referral.sender != self.identity.society {
            return None;
        }
        let first = <[u8; 16]>::try_from(referral.sent.onward_of.as_slice()).ok()?;
        let first = self.case(&ReferralId::from_bytes(first));
        first.filter(|first| first.side_of(self.identity.society).is_some())
    }

    /// The referrals by which this society has passed that one on.
    fn passed_on<'a>(&'a self, first: &'a Referral) -> impl Iterator<Item = Arc<Referral>> + 'a {
        let own = self.identity.society;
        let events = first.outcomes.iter().map(|outcome| &outcome.event);
        let mine = events.filter(move |e| e.society == own && e.kind() == Some(Kind::Onward));
        mine.filter_map(move |event| match &event.body.transition {
            Some(Transition::Onward(onward)) => {
                let id = <[u8; 16]>::try_from(onward.referral_id.as_slice()).ok()?;
                let onward = self.case(&ReferralId::from_bytes(id))?;
                (onward.sender == own).then_some(onward)
            }
            _ => None,
        })
    }

    /// Whether the case of this referral is to go, since the one that it passes on was stopped, or
    /// one that passes it on was by a word for the whole case.
    pub(super) fn is_stopped_elsewhere(&self, referral: &Referral) -> bool {
        let first = self.passes_on(referral);
        let before =
            first.is_some_and(|first| self.uncarried(&first).iter().any(|to| to.id == referral.id));
        before || self.passed_on(referral).any(|onward| onward.to_carry_back(referral).is_some())
    }

    /// What is to be carried on from `first`, and back to it.
    fn uncarried(&self, first: &Referral) -> Vec<Uncarried> {
        let own = self.identity.society;
        let settled = self.is_settled(first);
        let passed = first.stopped_by().map(|(_, passed)| passed).unwrap_or_default();
        let mine = passed.iter().filter(|passed| passed.at.origin.society() == own);
        let further_on = mine.filter(|passed| settled || !passed.doubtful).filter_map(|passed| {
            let onward = self.case(&passed.referral)?;
            let command = first.to_carry_on(&onward).filter(|_| onward.sender == own)?;
            Some(Uncarried { id: onward.id, command })
        });
        let mut uncarried: Vec<Uncarried> = further_on.collect();
        let mut back = self.passed_on(first).filter_map(|onward| onward.to_carry_back(first));
        uncarried.extend(back.next().map(|command| Uncarried { id: first.id, command }));
        uncarried
    }

    /// Stops what is to be stopped further on and before.
    pub(super) fn carry_stops(&mut self, now_ms: u64) {
        if self.erasing.carry.is_empty() || self.now.steady_ms < self.erasing.carry_at_ms {
            return;
        }
        self.erasing.carry_at_ms = self.now.steady_ms.saturating_add(RETRY_MS);
        let firsts: Vec<ReferralId> = self.erasing.carry.iter().copied().collect();
        let mut group = Vec::new();
        for id in firsts {
            let Some(first) = self.case(&id) else { continue };
            let uncarried = self.uncarried(&first);
            if uncarried.is_empty() && self.is_settled(&first) {
                self.erasing.carry.remove(&id);
            }
            for Uncarried { id, command } in uncarried {
                self.erase_all(&id, now_ms);
                let mut key = [0; 16];
                self.rng.fill_bytes(&mut key);
                group.push(Write::Advance { key, id, command, note: String::new() });
            }
        }
        if group.is_empty() || self.fatal.is_some() || self.check_writing().is_err() {
            return;
        }
        for answer in self.commit_own(group, now_ms) {
            match answer {
                Ok(receipt) => tracing::info!(
                    referral = %ReferralId::from_bytes(receipt.id),
                    "stopped, since another referral of the case was"
                ),
                Err(refused) => {
                    tracing::warn!(%refused, "a referral of a stopped case was not stopped; it will be");
                }
            }
        }
    }

    /// The contents of a referral go before the event that says why can be written.
    fn erase_all(&mut self, id: &ReferralId, now_ms: u64) {
        let Some(referral) = self.case(id) else { return };
        let events = referral.outcomes.iter().map(|outcome| &outcome.event);
        let entries: Vec<EventRef> =
            events.filter(|event| event.holds_content()).map(|event| event.at.clone()).collect();
        self.erase_entries(id, &entries, now_ms);
    }

    /// What is known here of those to whom this society has passed the case on.
    pub(super) fn claims(&self, first: &Referral, now_ms: u64) -> Vec<OnwardClaim> {
        let rules = self.roster.data_protection();
        let Some((event, passed)) = first.stopped_by() else { return Vec::new() };
        let mine = passed.iter().filter(|p| p.at.origin.society() == self.identity.society);
        mine.map(|passed| {
            let onward = self.case(&passed.referral);
            let onward = onward.filter(|onward| onward.state.is_stopped() || onward.carries(event));
            let erasure = onward.as_ref().and_then(|onward| onward.erasure(now_ms, rules));
            OnwardClaim {
                to: passed.to,
                referral: passed.referral,
                stopped: onward.is_some(),
                confirmed: erasure.is_some_and(|erasure| erasure.is_confirmed()),
            }
        })
        .collect()
    }

    /// What is known here of the referral that this one passes on, where the person's word goes
    /// there from here.
    pub(super) fn earlier(&self, onward: &Referral, now_ms: u64) -> Option<EarlierClaim> {
        let first = self.passes_on(onward).filter(|_| onward.goes_back())?;
        let stopped = first.state.is_stopped() || onward.to_carry_back(&first).is_none();
        let erasure = first.erasure(now_ms, self.roster.data_protection());
        let confirmed = erasure.is_some_and(|erasure| erasure.is_confirmed_but_for(&onward.id));
        Some(EarlierClaim { stopped, confirmed: stopped && confirmed })
    }
}
