//! Carrying: what stops a referral also stops those by which the case was passed on from here.
//!
//! A person's word reaches whoever has the case, also where the societies of the first referral are
//! no party to the next one: whoever passed it on carries the word there, at once and unasked. What
//! is still to be carried follows from the events alone, so that a crash, a restore or an absence
//! changes nothing. Invariants: what is to be stopped is neither shown nor opened nor taken any
//! more, also while this node can write nothing; each stop is carried once.

use rand_core::CryptoRngCore;
use tutti_core::{
    referral::{Command, Event, EventRef, OnwardClaim, Referral, ReferralId, transition},
    store::Store,
};
use tutti_proto::v1::{self, referral_event::Transition};

use super::{Engine, Write};

/// After how long what could not be written is tried again, milliseconds.
const RETRY_MS: u64 = 1000;

/// One referral that is to be stopped, and by what.
struct Uncarried {
    id: ReferralId,
    command: Command,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Notes what an event of this referral may have made due further on, or what it tells of an
    /// erasure there.
    pub(super) fn note_onward(&mut self, id: &ReferralId) {
        let Some(referral) = self.referrals.get(id) else { return };
        let own = self.identity.society;
        let first = self.passes_on(referral).map(|first| first.id);
        if referral.stopped_by().is_some_and(|(_, passed)| !passed.is_empty()) {
            self.erasing.carry.insert(*id);
            self.erasing.carry_at_ms = 0;
        }
        if let Some(first) = first
            && let Some(referral) = self.referrals.get(&first)
            && referral.stopped_by().is_some()
            && referral.side_of(own).is_some()
        {
            self.erasing.owe(first);
            self.erasing.carry.insert(first);
            self.erasing.carry_at_ms = 0;
        }
    }

    /// The referral that this one, sent from here, passes on.
    fn passes_on(&self, referral: &Referral) -> Option<&Referral> {
        if referral.sender != self.identity.society {
            return None;
        }
        let first = <[u8; 16]>::try_from(referral.sent.onward_of.as_slice()).ok()?;
        self.referrals.get(&ReferralId::from_bytes(first))
    }

    /// Whether the case of this referral is to go, since the one that it passes on was stopped.
    pub(super) fn is_stopped_before(&self, referral: &Referral) -> bool {
        let first = self.passes_on(referral);
        first.is_some_and(|first| self.uncarried(first).iter().any(|to| to.id == referral.id))
    }

    fn uncarried(&self, first: &Referral) -> Vec<Uncarried> {
        let Some((event, passed)) = first.stopped_by() else { return Vec::new() };
        let own = self.identity.society;
        let settled = self.is_settled(first);
        let mine = passed.iter().filter(|passed| passed.at.origin.society() == own);
        mine.filter(|passed| settled || !passed.doubtful)
            .filter_map(|passed| {
                let onward = self.referrals.get(&passed.referral)?;
                let command = carried(event)?;
                let possible = transition(Some(onward.state), command.kind()).is_some();
                let due = onward.sender == own && possible && !onward.carries(event);
                due.then_some(Uncarried { id: onward.id, command })
            })
            .collect()
    }

    /// Stops what is to be stopped further on.
    pub(super) fn carry_stops(&mut self, now_ms: u64) {
        if self.erasing.carry.is_empty() || now_ms < self.erasing.carry_at_ms {
            return;
        }
        self.erasing.carry_at_ms = now_ms.saturating_add(RETRY_MS);
        let firsts: Vec<ReferralId> = self.erasing.carry.iter().copied().collect();
        let mut group = Vec::new();
        for id in firsts {
            let Some(first) = self.referrals.get(&id) else { continue };
            let uncarried = self.uncarried(first);
            if uncarried.is_empty() && self.is_settled(first) {
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
        for answer in self.write(group, now_ms) {
            match answer {
                Ok(receipt) => tracing::info!(
                    referral = %ReferralId::from_bytes(receipt.id),
                    "stopped, since the referral that it passes on was"
                ),
                Err(refused) => {
                    tracing::warn!(%refused, "a referral further on was not stopped; it will be");
                }
            }
        }
    }

    /// The contents of a referral go before the event that says why can be written.
    fn erase_all(&mut self, id: &ReferralId, now_ms: u64) {
        let Some(referral) = self.referrals.get(id) else { return };
        let events = referral.outcomes.iter().map(|outcome| &outcome.event);
        let entries: Vec<EventRef> =
            events.filter(|event| event.has_content).map(|event| event.at.clone()).collect();
        self.erase_entries(id, &entries, now_ms);
    }

    /// What is known here of those to whom this society has passed the case on.
    pub(super) fn claims(&self, first: &Referral, now_ms: u64) -> Vec<OnwardClaim> {
        let rules = self.roster.data_protection();
        let Some((event, passed)) = first.stopped_by() else { return Vec::new() };
        let mine = passed.iter().filter(|p| p.at.origin.society() == self.identity.society);
        mine.map(|passed| {
            let onward = self.referrals.get(&passed.referral);
            let onward = onward.filter(|onward| onward.state.is_stopped() || onward.carries(event));
            let erasure = onward.and_then(|onward| onward.erasure(now_ms, rules));
            OnwardClaim {
                to: passed.to,
                referral: passed.referral,
                stopped: onward.is_some(),
                confirmed: erasure.is_some_and(|erasure| erasure.is_confirmed()),
            }
        })
        .collect()
    }
}

/// What carries that event on.
fn carried(event: &Event) -> Option<Command> {
    let carried = event.event_id.to_vec();
    match event.body.transition.clone()? {
        Transition::ConsentWithdrawn(withdrawn) => {
            Some(Command::WithdrawConsent(v1::ConsentWithdrawn { carried, ..withdrawn }))
        }
        Transition::ErasureRequested(requested) => {
            Some(Command::RequestErasure(v1::ErasureRequested { carried, ..requested }))
        }
        Transition::EnteredInError(v1::EnteredInError { event: None, .. }) => {
            Some(Command::EnterInError(v1::EnteredInError { event: None, carried }))
        }
        _ => None,
    }
}
