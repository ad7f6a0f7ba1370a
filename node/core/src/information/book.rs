//! [`Book`]: every information share that the events fed to it tell of.
//!
//! Invariant: what it says depends on the set of events alone. It keeps every event, also those
//! that do not count, up to a limit.

use std::{collections::BTreeMap, sync::Arc};

use prost::Message as _;

use super::{
    Event, InformationId, Kind, Outcome, Share,
    evolve::{Events, evolve},
};
use crate::{entry::Visibility, limits::REFERRAL_EVENTS_MAX};

/// What the events that name one id come to.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The share; `None` where nothing that is known has published it.
    pub share: Option<Arc<Share>>,
    /// What became of the events where there is none.
    waiting: Vec<Outcome>,
}

impl Told {
    /// What became of every event.
    pub fn outcomes(&self) -> &[Outcome] {
        self.share.as_ref().map_or(&self.waiting, |share| &share.outcomes)
    }
}

/// What these events of the share `id` come to; a function of the set.
pub fn tell(id: InformationId, events: impl IntoIterator<Item = Event>) -> Told {
    let mut kept = Events::new();
    for event in events {
        keep(&mut kept, event);
    }
    let (share, waiting) = evolve(id, &kept);
    Told { share: share.map(Arc::new), waiting }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Book {
    kept: BTreeMap<InformationId, Kept>,
    /// Events that name no share, for their ids have another size.
    unfiled: Events,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    events: Events,
    share: Option<Share>,
    /// Where there is no share: what became of the events.
    waiting: Vec<Outcome>,
}

impl Book {
    /// Takes an event; gives the share that it names. The same again changes nothing.
    pub fn apply(&mut self, event: Event) -> Option<InformationId> {
        let Some(id) = event.information_id() else {
            keep(&mut self.unfiled, event);
            return None;
        };
        let kept = self.kept.entry(id).or_default();
        if keep(&mut kept.events, event) {
            (kept.share, kept.waiting) = evolve(id, &kept.events);
        }
        Some(id)
    }

    /// The share `id`, once what published it is known.
    pub fn get(&self, id: &InformationId) -> Option<&Share> {
        self.kept.get(id)?.share.as_ref()
    }

    /// Every share, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Share> {
        self.kept.values().filter_map(|kept| kept.share.as_ref())
    }

    /// What became of every event of the share `id`, also where it is not known to be published.
    pub fn outcomes(&self, id: &InformationId) -> &[Outcome] {
        let Some(kept) = self.kept.get(id) else { return &[] };
        kept.share.as_ref().map_or(kept.waiting.as_slice(), |share| &share.outcomes)
    }

    /// Takes over from `other` all that is known of `id`: to try out events without telling
    /// anybody.
    pub fn adopt(&mut self, other: &Self, id: &InformationId) {
        let Some(kept) = other.kept.get(id) else { return };
        for event in kept.events.values().flat_map(BTreeMap::values) {
            self.apply(event.clone());
        }
    }
}

/// Keeps `event`, and of each author's events the first ones in its log, so that the same are kept
/// whatever the order of arrival. What ends a share is counted apart: there is always room for it.
/// Of the copies of one event the first is kept: who wrote them sees all, others one. Says whether
/// anything changed.
fn keep(events: &mut Events, event: Event) -> bool {
    let own = events.entry(event.society).or_default();
    let at = event.at.clone();
    let class = ends(&event);
    // A log has one event at one place. Should two be offered, every node keeps the same one.
    if own.get(&at).is_some_and(|known| order(known) <= order(&event)) {
        return false;
    }
    let copy = own.iter().find(|(_, other)| is_copy(other, &event)).map(|(at, _)| at.clone());
    match copy {
        Some(first) if first < at => return false,
        Some(later) => drop(own.remove(&later)),
        None => {}
    }
    own.insert(at.clone(), event);
    let mut alike = own.iter().filter(|(_, event)| ends(event) == class);
    if alike.clone().count() > REFERRAL_EVENTS_MAX
        && let Some(last) = alike.next_back().map(|(last, _)| last.clone())
    {
        own.remove(&last);
        return last != at;
    }
    true
}

/// Whether they are one event in two entries, each sealed to some of those that it is for.
fn is_copy(one: &Event, other: &Event) -> bool {
    one.at != other.at
        && one.visibility == Visibility::Addressed
        && other.visibility == Visibility::Addressed
        && one.event_id == other.event_id
        && one.body == other.body
}

pub(super) fn ends(event: &Event) -> bool {
    event.kind().is_some_and(Kind::ends)
}

fn order(event: &Event) -> impl Ord + use<> {
    let Event { event_id, recorded_at_ms, visibility, addressees, has_content, .. } = event;
    let body = event.body.encode_to_vec();
    (body, *event_id, *recorded_at_ms, *visibility, addressees.clone(), *has_content)
}
