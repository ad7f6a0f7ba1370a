//! [`Book`]: every referral that the events fed to it tell of.
//!
//! Invariant: what it says depends on the set of events alone, not on their order or on how often
//! each came. It keeps every event, also those that do not count, up to a limit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use prost::Message as _;
use tutti_proto::v1::{self, referral_event::Transition};

use super::{
    Case, Event, EventRef, Keeping, Kind, Outcome, ReferralId, Side, State, Why,
    evolve::{Events, Stop, TakenBack, evolve},
};
use crate::{
    limits::{REFERRAL_EVENTS_MAX, REFERRAL_PARTS_MAX, REFERRAL_RECEIPTS_MAX},
    society::Society,
};

/// A referral as the events that are known tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Referral {
    /// Its id.
    pub id: ReferralId,
    /// Who sent it.
    pub sender: Society,
    /// To whom.
    pub receiver: Society,
    /// As it was sent.
    pub sent: v1::Sent,
    /// Where it stands.
    pub state: State,
    /// Every event that names it, in one order everywhere, and what became of each.
    pub outcomes: Vec<Outcome>,
    /// When it was sent, by the sender's clock, milliseconds since the Unix epoch.
    pub sent_at_ms: u64,
    /// When the last event that counts was recorded, by its author's clock.
    pub changed_at_ms: u64,
    /// Whose the case is.
    pub case: Case,
    /// The consent that holds now: as sent, renewed or given at reopening; `None` where none was
    /// given, or it was withdrawn.
    pub consent: Option<v1::Consent>,
    /// What stopped it last.
    pub(super) stop: Option<Stop>,
    /// Files that were taken back.
    pub(super) taken_back: Vec<TakenBack>,
    /// Until when it may be kept.
    pub(super) keeping: Keeping,
}

impl Referral {
    /// The society whose case it is.
    pub fn owner(&self) -> Society {
        match self.case {
            Case::Senders | Case::Proposed => self.sender,
            Case::Receivers => self.receiver,
        }
    }

    /// The events that count, in order.
    pub fn effective(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.outcomes.iter().filter(|outcome| outcome.effective).map(|outcome| &outcome.event)
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

    /// The place of that side's latest event, whatever became of it.
    pub fn latest_of(&self, side: Side) -> Option<&EventRef> {
        let society = self.society(side);
        self.outcomes.iter().map(|o| &o.event).filter(|e| e.society == society).map(|e| &e.at).max()
    }

    /// Whether it is open, by `sender`, of the same case and to the same receiver as `sent`, and
    /// shares a service with it.
    pub fn is_like(&self, sender: Society, sent: &v1::Sent) -> bool {
        let asked = |service| sent.services_requested.contains(service);
        self.state.is_open()
            && self.sender == sender
            && !self.sent.case_digest.is_empty()
            && self.sent.case_digest == sent.case_digest
            && self.sent.receiver == sent.receiver
            && self.sent.services_requested.iter().any(asked)
    }
}

/// What the events that name one id come to.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The referral; `None` where nothing that is known has sent it.
    pub referral: Option<Arc<Referral>>,
    /// What became of the events where there is none.
    waiting: Vec<Outcome>,
}

impl Told {
    /// What became of every event.
    pub fn outcomes(&self) -> &[Outcome] {
        self.referral.as_ref().map_or(&self.waiting, |referral| &referral.outcomes)
    }
}

/// What these events of the referral `id` come to; a function of the set.
pub fn tell(id: ReferralId, events: impl IntoIterator<Item = Event>) -> Told {
    let mut kept = Kept::default();
    for event in events {
        keep(&mut kept.events, event);
    }
    kept.evolve(id);
    Told { referral: kept.referral.map(Arc::new), waiting: kept.waiting }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Book {
    kept: BTreeMap<ReferralId, Kept>,
    /// Referrals by the sender's digest of the case.
    cases: BTreeMap<(Society, Vec<u8>), BTreeSet<ReferralId>>,
    /// Events that name no referral, for their ids have another size.
    unfiled: Events,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    events: Events,
    referral: Option<Referral>,
    /// Where there is no referral: what became of the events.
    waiting: Vec<Outcome>,
}

impl Book {
    /// Takes an event; gives the referral that it names. The same again changes nothing.
    pub fn apply(&mut self, event: Event) -> Option<ReferralId> {
        let Some(id) = event.referral_id() else {
            keep(&mut self.unfiled, event);
            return None;
        };
        let kept = self.kept.entry(id).or_default();
        if !keep(&mut kept.events, event) {
            return Some(id);
        }
        kept.evolve(id);
        if let Some(referral) = &kept.referral
            && !referral.sent.case_digest.is_empty()
        {
            let case = (referral.sender, referral.sent.case_digest.clone());
            self.cases.entry(case).or_default().insert(id);
        }
        Some(id)
    }

    /// The referral `id`, once what sent it is known.
    pub fn get(&self, id: &ReferralId) -> Option<&Referral> {
        self.kept.get(id)?.referral.as_ref()
    }

    /// Every referral, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Referral> {
        self.kept.values().filter_map(|kept| kept.referral.as_ref())
    }

    /// How many referrals are in each state.
    pub fn counts(&self) -> BTreeMap<State, u64> {
        let mut counts = BTreeMap::new();
        for referral in self.iter() {
            *counts.entry(referral.state).or_default() += 1;
        }
        counts
    }

    /// What became of every event of the referral `id`, also where what sent it is not known.
    pub fn outcomes(&self, id: &ReferralId) -> &[Outcome] {
        let Some(kept) = self.kept.get(id) else { return &[] };
        kept.referral.as_ref().map_or(kept.waiting.as_slice(), |referral| &referral.outcomes)
    }

    /// Events of referrals that are not known to have been sent, and those that name none.
    pub fn strays(&self) -> impl Iterator<Item = Outcome> {
        let why = Why::Malformed("the referral's id is not 16 bytes");
        let unfiled = self.unfiled.values().flat_map(BTreeMap::values).map(move |event| Outcome {
            event: event.clone(),
            effective: false,
            why: Some(why.clone()),
        });
        self.kept.values().flat_map(|kept| kept.waiting.iter().cloned()).chain(unfiled)
    }

    /// An open referral by `sender` of the same case and to the same receiver that shares a
    /// service with `sent`.
    pub fn open_like(&self, sender: Society, sent: &v1::Sent) -> Option<&Referral> {
        let same = self.cases.get(&(sender, sent.case_digest.clone()))?;
        same.iter().filter_map(|id| self.get(id)).find(|referral| referral.is_like(sender, sent))
    }

    /// Takes over from `other` all that is known of `id`: to try out events without telling
    /// anybody.
    pub fn adopt(&mut self, other: &Self, id: &ReferralId) {
        let Some(kept) = other.kept.get(id) else { return };
        for event in kept.events.values().flat_map(BTreeMap::values) {
            self.apply(event.clone());
        }
    }
}

impl Kept {
    fn evolve(&mut self, id: ReferralId) {
        let verdict = evolve(id, &self.events);
        self.referral = None;
        self.waiting = Vec::new();
        let (Some(sent), Some(state)) = (verdict.sent, verdict.state) else {
            self.waiting = verdict.outcomes;
            return;
        };
        let (event, receiver) = sent;
        let Some(Transition::Sent(sent)) = event.body.transition else { return };
        let last = verdict.outcomes.iter().rfind(|outcome| outcome.effective);
        self.referral = Some(Referral {
            id,
            sender: event.society,
            receiver,
            sent,
            state,
            sent_at_ms: event.recorded_at_ms,
            changed_at_ms: last.map_or(event.recorded_at_ms, |last| last.event.recorded_at_ms),
            case: verdict.case,
            consent: verdict.consent,
            stop: verdict.stop,
            taken_back: verdict.taken_back,
            keeping: verdict.keeping,
            outcomes: verdict.outcomes,
        });
    }
}

/// Keeps `event`, and of each author's events the first ones in its log, so that the same are kept
/// whatever the order of arrival. What stops a referral or tells of an erasure is counted apart:
/// there is always room for it; and so are parts of files. Says whether anything changed.
fn keep(events: &mut Events, event: Event) -> bool {
    let own = events.entry(event.society).or_default();
    let at = event.at.clone();
    let class = Class::of(event.kind());
    match own.get(&at) {
        // A log has one event at one place. Should two be offered, every node keeps the same one.
        Some(known) if order(known) <= order(&event) => return false,
        _ => own.insert(at.clone(), event),
    };
    let mut alike = own.iter().filter(|(_, event)| Class::of(event.kind()) == class);
    if alike.clone().count() > class.kept()
        && let Some(last) = alike.next_back().map(|(last, _)| last.clone())
    {
        own.remove(&last);
        return last != at;
    }
    true
}

/// Events that are counted together. What fills one class leaves room in the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Steps of the case.
    Step,
    /// Parts of files.
    Part,
    /// What stops a referral: nothing else takes its room, or a person's word could not be recorded.
    Stop,
    /// What is written where files are taken back, and where contents were erased.
    Receipt,
}

impl Class {
    pub(super) fn of(kind: Option<Kind>) -> Self {
        match kind {
            Some(Kind::Attached) => Self::Part,
            Some(kind) if kind.stops() => Self::Stop,
            Some(Kind::FileEnteredInError | Kind::Erased) => Self::Receipt,
            Some(_) | None => Self::Step,
        }
    }

    /// How many of one author's in one referral are kept.
    pub(super) fn kept(self) -> usize {
        match self {
            Self::Part => REFERRAL_PARTS_MAX,
            Self::Receipt => REFERRAL_RECEIPTS_MAX,
            Self::Step | Self::Stop => REFERRAL_EVENTS_MAX,
        }
    }
}

fn order(event: &Event) -> (Vec<u8>, [u8; 16], u64, &[Society], [bool; 2]) {
    let Event { event_id, recorded_at_ms, addressees, .. } = event;
    let content = [event.commits_content, event.has_content];
    (event.body.encode_to_vec(), *event_id, *recorded_at_ms, addressees, content)
}
