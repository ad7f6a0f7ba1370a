//! Carrying: what stops a referral also stops those by which the case was passed on from here, and
//! the person's word for the whole case also the one that was passed on; a file that is taken back is
//! taken back wherever it went along from here.
//!
//! A person's word reaches whoever has the case, also where the societies of one referral are no
//! party to the next: whoever passed it on carries the word, at once and unasked. What is still to
//! be carried follows from the events alone ([`Referral::to_carry_on`], [`Referral::to_carry_back`]),
//! so that a crash, a restore or an absence changes nothing. Invariants: what is to be stopped is
//! neither shown nor opened nor taken any more, also while this node can write nothing; each stop is
//! carried once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rand_core::CryptoRngCore;
use tutti_core::{
    referral::{
        Command, EarlierClaim, Erasure, EventRef, Kind, OnwardClaim, Referral, ReferralId,
        attachment::Source,
    },
    store::Store,
};
use tutti_proto::v1::referral_event::Transition;

use super::{Engine, Write};

/// After how long what could not be written is tried again, milliseconds.
const RETRY_MS: u64 = 1000;

/// One referral that is to be stopped or to lose a file, by what, and the entries whose content goes.
struct Uncarried {
    id: ReferralId,
    command: Command,
    due: Vec<EventRef>,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Notes what an event of this referral may have made due further on or before, or what it
    /// tells of an erasure there.
    pub(super) fn note_onward(&mut self, id: &ReferralId) {
        let Some(referral) = self.case(id) else { return };
        let stopped = |referral: &&Arc<Referral>| referral.stopped_by().is_some();
        let recalled = |first: &&Arc<Referral>| !referral.recalled(first).is_empty();
        let first = self.passes_on(&referral);
        let first = first.as_ref();
        let carries = |first: &&Arc<Referral>| stopped(first) || recalled(first);
        let mut told = Vec::from_iter(first.filter(carries).map(|first| first.id));
        if stopped(&&referral) {
            // Those further on wait for what becomes of this one.
            let waits = |onward: &Arc<Referral>| onward.goes_back();
            told.extend(self.passed_on(&referral).filter(waits).map(|onward| onward.id));
        }
        let mut carry: Vec<ReferralId> = Vec::new();
        let loses = referral.files_taken_back().next().is_some();
        carry.extend((stopped(&&referral) || loses).then_some(*id));
        carry.extend(first.filter(|_| referral.goes_back()).map(|first| first.id));
        carry.extend(first.filter(carries).map(|first| first.id));
        if !carry.is_empty() {
            self.erasing.carry_at_ms = 0;
        }
        self.erasing.carry.extend(carry);
        told.into_iter().for_each(|id| self.erasing.owe(id));
    }

    /// The referral that this one, sent from here, passes on.
    pub(super) fn passes_on(&self, referral: &Referral) -> Option<Arc<Referral>> {
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
            first.is_some_and(|first| self.unstopped(&first).iter().any(|to| to.id == referral.id));
        before || self.passed_on(referral).any(|onward| onward.to_carry_back(referral).is_some())
    }

    /// Whether the content of that entry is a part of a file that was taken back in the referral from which
    /// it went along to this one.
    pub(super) fn is_recalled(&self, onward: &Referral, at: &EventRef) -> bool {
        let first = self.passes_on(onward);
        let recalled = first.map(|first| onward.recalled(&first)).unwrap_or_default();
        recalled.iter().any(|file| file.copy.known.values().any(|(part, _)| part == at))
    }

    /// What is to be carried on from `first`, and back to it.
    fn uncarried(&self, first: &Referral) -> Vec<Uncarried> {
        let mut uncarried = self.unstopped(first);
        for onward in self.passed_on(first).filter(|_| first.files_taken_back().next().is_some()) {
            let files = onward.recalled(first).into_iter().filter(|file| !file.copy.taken_back);
            uncarried.extend(files.map(|file| Uncarried {
                id: onward.id,
                command: file.command(),
                due: file.copy.known.values().map(|(at, _)| at.clone()).collect(),
            }));
        }
        uncarried
    }

    /// The part of it that stops a whole referral.
    fn unstopped(&self, first: &Referral) -> Vec<Uncarried> {
        let own = self.identity.society;
        let settled = self.is_settled(first);
        let passed = first.stopped_by().map(|(_, passed)| passed).unwrap_or_default();
        let mine = passed.iter().filter(|passed| passed.at.origin.society() == own);
        let further_on = mine.filter(|passed| settled || !passed.doubtful).filter_map(|passed| {
            let onward = self.case(&passed.referral)?;
            let command = first.to_carry_on(&onward).filter(|_| onward.sender == own)?;
            Some(Uncarried { id: onward.id, command, due: contents(&onward) })
        });
        let mut uncarried: Vec<Uncarried> = further_on.collect();
        let mut back = self.passed_on(first).filter_map(|onward| onward.to_carry_back(first));
        uncarried.extend(back.next().map(|command| Uncarried {
            id: first.id,
            command,
            due: contents(first),
        }));
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
            for Uncarried { id, command, due } in uncarried {
                // The contents go before the event that says why can be written.
                self.erase_entries(&id, &due, now_ms);
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
                    "stopped or taken back, since it was in another referral of the case"
                ),
                Err(refused) => {
                    tracing::warn!(%refused, "what was stopped or taken back in one referral of a case was not in another; it will be");
                }
            }
        }
    }

    /// Erases what waits here to go along as the copy of a file that was taken back in `first`.
    pub(super) fn discard_copies(&mut self, first: &Referral) {
        let gone: BTreeSet<Source> = first.files_taken_back().collect();
        let copies = self.local.copies_under_way().filter(|(_, source)| gone.contains(source));
        let goes_along = copies.filter(|(upload, _)| {
            let onward = self.case(&upload.referral);
            onward.is_some_and(|onward| onward.sent.onward_of == first.id.as_bytes())
        });
        let gone: Vec<[u8; 16]> = goes_along.map(|(upload, _)| upload.id).collect();
        self.discard_uploads_named(&gone);
    }

    /// What is known here of those to whom this society has passed the case on: where it was stopped, of
    /// all before; else, and after, of those to whom files went along that were taken back.
    pub(super) fn claims(
        &self,
        first: &Referral,
        erasure: &Erasure,
        now_ms: u64,
    ) -> Vec<OnwardClaim> {
        let own = self.identity.society;
        let rules = self.roster.data_protection();
        let confirmed = |onward: &Referral| {
            let erasure = onward.erasure(now_ms, rules);
            erasure.is_some_and(|erasure| erasure.is_confirmed())
        };
        let stop = first.stopped_by().into_iter();
        let passed = stop.flat_map(|(event, passed)| passed.iter().map(move |it| (event, it)));
        let mine = passed.filter(|(_, passed)| passed.at.origin.society() == own);
        let stopped = mine.map(|(event, passed)| {
            let onward = self.case(&passed.referral);
            let onward =
                onward.filter(|onward| onward.state.is_stopped() || onward.has_word(event));
            OnwardClaim {
                to: passed.to,
                referral: passed.referral,
                stopped: onward.is_some(),
                confirmed: onward.is_some_and(|onward| confirmed(&onward)),
            }
        });
        let mut claims: Vec<OnwardClaim> = stopped.collect();
        let is_there = |id: &ReferralId| claims.iter().any(|claim| claim.referral == *id);
        // What was said once of a referral is said on, also where that can no longer be read.
        let said = erasure.claims(own).iter().filter(|claim| !is_there(&claim.referral));
        let unknown =
            said.map(|said| OnwardClaim { stopped: false, confirmed: false, ..said.clone() });
        let mut of_files: BTreeMap<ReferralId, OnwardClaim> =
            unknown.map(|claim| (claim.referral, claim)).collect();
        for onward in self.passed_on(first).filter(|onward| !is_there(&onward.id)) {
            let recalled = onward.recalled(first);
            if !recalled.is_empty() {
                let stopped = recalled.iter().all(|file| file.copy.taken_back);
                let confirmed = stopped && confirmed(&onward);
                let (to, referral) = (onward.receiver, onward.id);
                of_files.insert(referral, OnwardClaim { to, referral, stopped, confirmed });
            }
        }
        claims.extend(of_files.into_values());
        claims
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

/// The entries of a referral that hold a content.
fn contents(referral: &Referral) -> Vec<EventRef> {
    let events = referral.outcomes.iter().map(|outcome| &outcome.event);
    events.filter(|event| event.holds_content()).map(|event| event.at.clone()).collect()
}
