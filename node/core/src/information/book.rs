//! [`Book`]: every information share that the events fed to it tell of.
//!
//! Invariant: what it says depends on the set of events alone. It keeps every event, also those
//! that do not count, up to a limit.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use tutti_proto::v1::{self, information_event::Transition};

use super::{Event, InformationId, Kind, Outcome, State, Why, transition};
use crate::{entry::Visibility, limits::REFERRAL_EVENTS_MAX, referral::EventRef, society::Society};

/// A share as the events that are known tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Its id.
    pub id: InformationId,
    /// Who published it.
    pub society: Society,
    /// Where it stands.
    pub state: State,
    /// Who may read it.
    pub visibility: Visibility,
    /// Its latest version; the last one before it was retracted.
    pub version: v1::InformationVersion,
    /// From 1.
    pub version_number: u32,
    /// When it was published, by the author's clock, milliseconds since the Unix epoch.
    pub published_at_ms: u64,
    /// When the last event that counts was recorded, by the author's clock.
    pub changed_at_ms: u64,
    /// Why it was taken back; empty where it was not.
    pub retraction_reason: String,
    /// Every event that names it, in one order everywhere, and what became of each.
    pub outcomes: Vec<Outcome>,
}

type Events = BTreeMap<Society, BTreeMap<EventRef, Event>>;

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

/// What becomes of all `events` that name the share `id`: total, and a function of the set.
fn evolve(id: InformationId, events: &Events) -> (Option<Share>, Vec<Outcome>) {
    let outcome = |event: &Event, why: Option<Why>| Outcome {
        event: event.clone(),
        effective: why.is_none(),
        why,
    };
    let all = || events.values().flat_map(BTreeMap::values);
    let published = |event: &&Event| event.kind() == Some(Kind::Published);
    let Some(first) = all().filter(published).find(|event| check(id, event).is_ok()) else {
        let why = |event: &Event| check(id, event).err().unwrap_or(Why::NotPublished);
        return (None, all().map(|event| outcome(event, Some(why(event)))).collect());
    };
    let mut share = Share {
        id,
        society: first.society,
        state: State::Published,
        visibility: first.visibility,
        version: v1::InformationVersion::default(),
        version_number: 0,
        published_at_ms: first.recorded_at_ms,
        changed_at_ms: first.recorded_at_ms,
        retraction_reason: String::new(),
        outcomes: Vec::new(),
    };
    let mut state = None;
    let mut ids = BTreeSet::new();
    for event in events.get(&share.society).into_iter().flat_map(BTreeMap::values) {
        let next = check(id, event).and_then(|(kind, transition_in)| {
            if !ids.insert(event.event_id) {
                return Err(Why::Duplicate);
            }
            let next = transition(state, kind).ok_or(Why::OutOfOrder { state })?;
            Ok((next, transition_in))
        });
        let why = match next {
            Err(why) => Some(why),
            Ok((next, body)) => {
                state = Some(next);
                share.state = next;
                share.changed_at_ms = event.recorded_at_ms;
                match body {
                    Transition::Published(version) | Transition::Revised(version) => {
                        share.version = version.clone();
                        share.version_number += 1;
                        share.visibility = event.visibility;
                    }
                    Transition::Retracted(retracted) => {
                        share.retraction_reason.clone_from(&retracted.reason);
                    }
                }
                None
            }
        };
        share.outcomes.push(outcome(event, why));
    }
    let others = all().filter(|event| event.society != share.society);
    let others: Vec<Outcome> =
        others.map(|event| outcome(event, Some(Why::NotTheAuthor))).collect();
    share.outcomes.extend(others);
    (Some(share), Vec::new())
}

/// Whether an event can be read at all: form alone, never time or policy.
fn check(id: InformationId, event: &Event) -> Result<(Kind, &Transition), Why> {
    if event.visibility == Visibility::Addressed {
        return Err(Why::Malformed("a share is public or for the federation, never addressed"));
    }
    let Some(transition) = &event.body.transition else {
        return Err(Why::Malformed("it says nothing that can be read"));
    };
    let readable = |version: &v1::InformationVersion| {
        if version.texts.is_empty() { Err(Why::Malformed("it has no text")) } else { Ok(()) }
    };
    let kind = match transition {
        Transition::Published(version) => {
            if InformationId::of(&event.at.origin, &event.event_id) != id {
                let why = "the share's id does not belong to this log and event";
                return Err(Why::Malformed(why));
            }
            readable(version)?;
            Kind::Published
        }
        Transition::Revised(version) => {
            readable(version)?;
            Kind::Revised
        }
        Transition::Retracted(_) => Kind::Retracted,
    };
    Ok((kind, transition))
}

/// Keeps `event`, and of each author's events the first ones in its log. Says whether anything
/// changed.
fn keep(events: &mut Events, event: Event) -> bool {
    let own = events.entry(event.society).or_default();
    let at = event.at.clone();
    match own.get(&at) {
        // A log has one event at one place. Should two be offered, every node keeps the same one.
        Some(known) if order(known) <= order(&event) => return false,
        _ => own.insert(at.clone(), event),
    };
    if own.len() > REFERRAL_EVENTS_MAX {
        return own.pop_last().is_some_and(|(last, _)| last != at);
    }
    true
}

fn order(event: &Event) -> (Vec<u8>, [u8; 16], u64, Visibility) {
    (event.body.encode_to_vec(), event.event_id, event.recorded_at_ms, event.visibility)
}
