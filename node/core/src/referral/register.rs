//! [`Register`]: every referral of a society in few bytes: where its events stand, and what lists,
//! counts and deadlines ask for.
//!
//! The events themselves are kept nowhere: whoever wants to see a referral reads them at their places
//! and has them [told](super::tell). So what is held grows by some hundreds of bytes for a referral and
//! sixteen for a step, however much a record says. Invariant: a register is a function of the set of
//! events that it was given, and equals one that is made anew of them; no part of it says who the
//! person is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tutti_proto::v1;

use super::{
    Event, EventRef, Keeping, Kind, Referral, ReferralId, Side, State, Told, beside::Beside,
    book::Class,
};
use crate::{
    places::{Logs, Places},
    roster::DataProtection,
    society::Society,
};

/// What lists, counts and deadlines ask of a referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Who sent it.
    pub sender: Society,
    /// To whom.
    pub receiver: Society,
    /// Where it stands.
    pub state: State,
    /// When it was sent, by the sender's clock, milliseconds since the Unix epoch.
    pub sent_at_ms: u64,
    /// Who has to answer now, and since when, as [`Referral::waits_for`] says.
    pub waits_for: Option<(Side, u64)>,
    /// The pseudonym of who sent it, where it was sent from here.
    pub by: Option<Arc<str>>,
    /// Whether it passes on another one.
    pub is_onward: bool,
    /// Whether this society has passed it on.
    pub is_passed_on: bool,
    /// The services asked for, a bit each by its number; those that no number of 0 to 63 names are
    /// none that this version knows.
    services: u64,
    pub(super) priority: i32,
    keeping: Keeping,
    beside: Beside,
    stopped: Option<Due>,
    over: Due,
}

/// What an erasure comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Everybody has confirmed everything, also those before and further on.
    pub confirmed: bool,
    /// This society has not confirmed all of it.
    pub own_open: bool,
    /// Something is to be said of other referrals of the case too, and follows from those.
    pub has_others: bool,
}

impl Brief {
    /// What lists ask for, as `own` society keeps it.
    pub fn of(referral: &Referral, own: Society) -> Self {
        let due = |over| {
            referral.erasure_where(over).map(|erasure| Due {
                confirmed: erasure.is_confirmed_by_all(),
                own_open: !erasure.open(own).is_empty(),
                has_others: !erasure.claims(own).is_empty() || referral.goes_back(),
            })
        };
        let bit =
            |service: &i32| u32::try_from(*service).ok().and_then(|bit| 1u64.checked_shl(bit));
        let passes_on = |event: &Event| event.society == own && event.kind() == Some(Kind::Onward);
        let sent = &referral.sent;
        let by = referral.outcomes.first().map(|outcome| &outcome.event);
        Self {
            sender: referral.sender,
            receiver: referral.receiver,
            state: referral.state,
            sent_at_ms: referral.sent_at_ms,
            waits_for: referral.waits_for(),
            by: by.filter(|event| event.society == own).map(|event| event.actor.as_str().into()),
            is_onward: !sent.onward_of.is_empty(),
            is_passed_on: referral.outcomes.iter().map(|outcome| &outcome.event).any(passes_on),
            services: sent.services_requested.iter().filter_map(bit).fold(0, |all, bit| all | bit),
            priority: sent.priority,
            keeping: referral.keeping.clone(),
            beside: Beside::of(referral, own),
            stopped: due(false),
            // Once the time is over there is always something to say.
            over: due(true).unwrap_or(Due { confirmed: true, own_open: false, has_others: false }),
        }
    }

    /// The side that `society` is on.
    pub fn side_of(&self, society: Society) -> Option<Side> {
        match society {
            society if society == self.sender => Some(Side::Sender),
            society if society == self.receiver => Some(Side::Receiver),
            _ => None,
        }
    }

    /// The society on that side.
    pub fn society(&self, side: Side) -> Society {
        match side {
            Side::Sender => self.sender,
            Side::Receiver => self.receiver,
        }
    }

    /// Whether something has stopped it, also where it was reopened since.
    pub fn was_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Whether one of these services is asked for.
    pub fn asks_for(&self, services: &[v1::ServiceCategory]) -> bool {
        services.iter().any(|service| self.services & (1 << *service as i32) != 0)
    }

    /// Whether its content may be kept: it is not stopped, and the time to keep it lasts at `now_ms`.
    fn is_kept(&self, now_ms: u64, rules: &DataProtection) -> bool {
        !self.state.is_stopped() && self.keeping.end_ms(rules) > now_ms
    }

    /// What is to be erased at `now_ms`, as [`Referral::erasure`] says; `None` where nothing is.
    pub fn erasure(&self, now_ms: u64, rules: &DataProtection) -> Option<Due> {
        match self.keeping.end_ms(rules) <= now_ms {
            true => Some(self.over),
            false => self.stopped,
        }
    }
}

/// What taking an event came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The referral that it names.
    pub id: ReferralId,
    /// Whether the register knows of an event more, or of another.
    pub news: bool,
    /// The event, this one or another, for which there is no room: it is one too many of its author's,
    /// and always will be.
    pub left_out: Option<EventRef>,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    places: Places,
    brief: Option<Brief>,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Register {
    own: Society,
    logs: Logs,
    kept: BTreeMap<ReferralId, Kept>,
    /// Referrals sent from here, by the start of the digest of their case.
    cases: BTreeSet<([u8; 8], ReferralId)>,
    /// Pseudonyms of this society's people, each once.
    people: BTreeSet<Arc<str>>,
    /// Events that name no referral, for their ids have another size.
    unfiled: Places,
}

impl Register {
    /// An empty one, of the referrals of `own` society.
    pub fn new(own: Society) -> Self {
        Self {
            own,
            logs: Logs::default(),
            kept: BTreeMap::new(),
            cases: BTreeSet::new(),
            people: BTreeSet::new(),
            unfiled: Places::default(),
        }
    }

    /// Takes the place of an event; `None` where it names no referral. Where that is news, the
    /// referral is to be told anew and [settled](Self::settle).
    pub fn take(&mut self, event: &Event) -> Option<Taken> {
        let class = Class::of(event.kind());
        let (logs, max) = (&mut self.logs, class.kept());
        let class = class as u8;
        let Some(id) = event.referral_id() else {
            self.unfiled.take(logs, &event.at, class, max);
            return None;
        };
        let kept = self.kept.entry(id).or_default();
        let (news, left_out) = kept.places.take(logs, &event.at, class, max);
        Some(Taken { id, news, left_out })
    }

    /// Where the events of a referral stand, in order.
    pub fn places(&self, id: &ReferralId) -> Vec<EventRef> {
        self.kept.get(id).map(|kept| kept.places.all(&self.logs)).unwrap_or_default()
    }

    /// Whether the event at that place is kept for the referral.
    pub fn holds(&self, id: &ReferralId, at: &EventRef) -> bool {
        self.kept.get(id).is_some_and(|kept| kept.places.holds(&self.logs, at))
    }

    /// Notes what the events at [`Self::places`] come to.
    pub fn settle(&mut self, id: &ReferralId, told: &Told) {
        let Some(kept) = self.kept.get_mut(id) else { return };
        kept.brief = told.referral.as_ref().map(|referral| Brief::of(referral, self.own));
        if let Some(by) = kept.brief.as_mut().and_then(|brief| brief.by.as_mut()) {
            match self.people.get(by) {
                Some(known) => *by = known.clone(),
                None => drop(self.people.insert(by.clone())),
            }
        }
        if let Some(referral) = &told.referral
            && referral.sender == self.own
            && let Some(digest) = referral.sent.case_digest.first_chunk()
        {
            self.cases.insert((*digest, *id));
        }
    }

    /// Forgets an event that can no longer be read. Says whether it was kept for that referral, which
    /// is to be told anew then.
    pub fn forget(&mut self, id: &ReferralId, at: &EventRef) -> bool {
        let Some(kept) = self.kept.get_mut(id) else { return false };
        let forgotten = kept.places.forget(&self.logs, at);
        if kept.places.is_empty() {
            self.kept.remove(id);
        }
        forgotten
    }

    /// What lists ask of the referral `id`, once what sent it is known.
    pub fn get(&self, id: &ReferralId) -> Option<&Brief> {
        self.kept.get(id)?.brief.as_ref()
    }

    /// Every referral, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&ReferralId, &Brief)> {
        self.kept.iter().filter_map(|(id, kept)| Some((id, kept.brief.as_ref()?)))
    }

    /// Referrals sent from here that may be of the same case as `sent`: the open one that
    /// [is like](Referral::is_like) it is among them.
    pub fn of_case(&self, sent: &v1::Sent) -> Vec<ReferralId> {
        let Some(digest) = sent.case_digest.first_chunk() else { return Vec::new() };
        self.sent_of(*digest).filter(|id| self.get(id).is_some()).collect()
    }

    fn sent_of(&self, case: [u8; 8]) -> impl Iterator<Item = ReferralId> {
        let first = ReferralId::from_bytes([0; 16]);
        let last = ReferralId::from_bytes([u8::MAX; 16]);
        self.cases.range((case, first)..=(case, last)).map(|(_, id)| *id)
    }

    /// Other referrals of the case of `id` that this society has sent and that are kept at `now_ms`, although the
    /// person's word for the whole case stands in `id`. What was sent, or agreed to anew, after this society knew of
    /// that word is none of them.
    pub fn unstopped_beside(
        &self,
        id: &ReferralId,
        now_ms: u64,
        rules: &DataProtection,
    ) -> Vec<ReferralId> {
        let Some(Beside { case: Some(case), word_ms: Some(word_ms), .. }) =
            self.get(id).map(|brief| brief.beside)
        else {
            return Vec::new();
        };
        let goes_on =
            |brief: &Brief| brief.beside.agreed_ms <= word_ms && brief.is_kept(now_ms, rules);
        let others = self.sent_of(case).filter(|other| other != id);
        others.filter(|other| self.get(other).is_some_and(goes_on)).collect()
    }

    /// Where events stand that belong to no referral that is known to have been sent.
    pub fn strays(&self) -> Vec<EventRef> {
        let waiting = self.kept.values().filter(|kept| kept.brief.is_none());
        let waiting = waiting.flat_map(|kept| kept.places.all(&self.logs));
        waiting.chain(self.unfiled.all(&self.logs)).collect()
    }
}

/// Two are equal where they hold the same of the same referrals, whatever the order of arrival.
impl PartialEq for Register {
    fn eq(&self, other: &Self) -> bool {
        let rows = |of: &Self| -> Vec<_> {
            let row = |(id, kept): (&ReferralId, &Kept)| {
                (*id, kept.places.all(&of.logs), kept.brief.clone())
            };
            of.kept.iter().map(row).collect()
        };
        rows(self) == rows(other) && self.strays() == other.strays() && self.cases == other.cases
    }
}
