//! What becomes of a set of events that name one share: the same on every node, whatever the order
//! of arrival.
//!
//! What the society that published has done is judged in the order of its log, by the table. What
//! others say names the event of that society that they mean: it counts where that event counts,
//! whenever it comes. So nothing of what societies write at the same time can overtake each other.
//!
//! Invariant: a pure and total function of the set; nothing that a peer signs makes it fail.

use std::collections::{BTreeMap, BTreeSet};

use tutti_proto::v1::information_event::Transition;

use super::{
    By, Event, InformationId, Kind, Outcome, Share, State, Why,
    check::{self, parties},
    transition,
};
use crate::{entry::Visibility, referral::EventRef, society::Society};

/// Events of one share: by author, then in the order of the author's log.
pub(super) type Events = BTreeMap<Society, BTreeMap<EventRef, Event>>;

/// Judges all `events` that name the share `id`: the share, where it is known to be published, and
/// what became of each event: in the share, where there is one.
pub(super) fn evolve(id: InformationId, events: &Events) -> (Option<Share>, Vec<Outcome>) {
    let all = || events.values().flat_map(BTreeMap::values);
    let published = |event: &&Event| event.kind() == Some(Kind::Published);
    let Some(first) = all().filter(published).find(|event| check::event(id, event).is_ok()) else {
        let why = |event: &Event| check::event(id, event).err().unwrap_or(Why::NotPublished);
        return (None, all().map(|event| outcome(event, Some(why(event)))).collect());
    };
    let mut judging = Judging {
        share: Share::new(id, first),
        circle: Circle::of(first),
        state: None,
        written: BTreeMap::new(),
    };
    let none = BTreeMap::new();
    let author = judging.share.society;
    let own = events.get(&author).unwrap_or(&none);
    let mut outcomes = judging.lane(own);
    for (society, lane) in events.iter().filter(|(society, _)| **society != author) {
        outcomes.extend(judging.others_lane(*society, lane));
    }
    (Some(Share { outcomes, ..judging.share }), Vec::new())
}

/// Whom the share is for, as what published it says.
struct Circle {
    visibility: Visibility,
    author: Society,
    parties: BTreeSet<Society>,
}

impl Circle {
    fn of(first: &Event) -> Self {
        Self {
            visibility: first.visibility,
            author: first.society,
            parties: parties(first).unwrap_or_default(),
        }
    }

    fn has(&self, society: Society) -> bool {
        society == self.author || self.parties.contains(&society)
    }

    /// Whether nobody learns of the event for whom the share is not. An addressed share has lost
    /// members where societies have left; it never gains any.
    fn holds(&self, event: &Event) -> Result<(), Why> {
        if event.visibility != self.visibility {
            return Err(Why::Malformed("its visibility is not that of the share"));
        }
        if self.visibility != Visibility::Addressed {
            return Ok(());
        }
        if !self.has(event.society) {
            return Err(Why::NotAParty);
        }
        let named = parties(event).unwrap_or_default();
        match event.addressees.iter().chain(&named).all(|society| self.has(*society)) {
            true => Ok(()),
            false => Err(Why::Malformed("it is addressed to a society that the share is not for")),
        }
    }
}

struct Judging {
    share: Share,
    circle: Circle,
    state: Option<State>,
    /// What the author has written that counts, by its event id: the number of the version that it
    /// made; 0 for what made none.
    written: BTreeMap<[u8; 16], u32>,
}

impl Judging {
    /// The lane of the society that published.
    fn lane(&mut self, events: &BTreeMap<EventRef, Event>) -> Vec<Outcome> {
        let mut ids = BTreeSet::new();
        let taken_back = self.taken_back(events);
        let judge = |event: &Event| {
            let kind = self.form(event, &mut ids)?;
            if !kind.by().may(true) {
                return Err(Why::OwnShare);
            }
            if kind.by() != By::Author {
                return self.response(kind, event, events, &taken_back);
            }
            let state = self.state;
            let next = transition(state, kind).ok_or(Why::OutOfOrder { state })?;
            self.state = Some(next);
            self.share.take(next, event);
            let number = match kind {
                Kind::Published | Kind::Revised => self.share.version_number,
                _ => 0,
            };
            self.written.insert(event.event_id, number);
            Ok(())
        };
        judged(events, judge)
    }

    /// The lane of another society.
    fn others_lane(
        &mut self,
        society: Society,
        events: &BTreeMap<EventRef, Event>,
    ) -> Vec<Outcome> {
        let mut ids = BTreeSet::new();
        let taken_back = self.taken_back(events);
        let judge = |event: &Event| {
            if self.circle.visibility == Visibility::Addressed && !self.circle.has(society) {
                return Err(Why::NotAParty);
            }
            match event.kind() {
                Some(kind) if !kind.by().may(false) => return Err(Why::NotTheAuthor),
                Some(_) | None => {}
            }
            let kind = self.form(event, &mut ids)?;
            self.response(kind, event, events, &taken_back)
        };
        judged(events, judge)
    }

    /// Form, circle, and that it is the first of its id.
    fn form(&self, event: &Event, ids: &mut BTreeSet<[u8; 16]>) -> Result<Kind, Why> {
        let kind = check::event(self.share.id, event)?;
        self.circle.holds(event)?;
        if ids.insert(event.event_id) { Ok(kind) } else { Err(Why::Duplicate) }
    }

    fn response(
        &self,
        kind: Kind,
        event: &Event,
        lane: &BTreeMap<EventRef, Event>,
        taken_back: &BTreeSet<[u8; 16]>,
    ) -> Result<(), Why> {
        if let Some(Transition::TakenBack(taken)) = &event.body.transition {
            let earlier = lane.values().take_while(|other| other.at < event.at);
            let mut named = earlier.filter(|other| other.event_id.as_slice() == taken.event_id);
            let is_response = |other: &Event| {
                let kind = other.kind().filter(|kind| *kind != Kind::TakenBack);
                kind.is_some_and(|kind| kind.by() != By::Author)
            };
            return match named.any(is_response) {
                true => Ok(()),
                false => Err(Why::Malformed("it takes back no earlier response of its author")),
            };
        }
        if taken_back.contains(&event.event_id) {
            return Err(Why::TakenBack);
        }
        let about = <[u8; 16]>::try_from(event.body.about.as_slice()).ok();
        let version = about.and_then(|about| self.written.get(&about));
        // That a share was retracted can be seen and acted on; there is nothing in it to stand by.
        let is_version = match kind {
            Kind::Endorsed | Kind::Disputed | Kind::Translated => version.is_some_and(|n| *n > 0),
            _ => version.is_some(),
        };
        if is_version { Ok(()) } else { Err(Why::NoSuchVersion) }
    }

    /// The ids of what is taken back later in the same lane.
    fn taken_back(&self, lane: &BTreeMap<EventRef, Event>) -> BTreeSet<[u8; 16]> {
        let counts = |event: &&Event| {
            check::event(self.share.id, event).is_ok() && self.circle.holds(event).is_ok()
        };
        let named = lane.values().filter(counts).filter_map(|event| {
            let Some(Transition::TakenBack(taken)) = &event.body.transition else { return None };
            let before = lane.values().take_while(|other| other.at < event.at);
            before.map(|other| other.event_id).find(|id| id.as_slice() == taken.event_id)
        });
        named.collect()
    }
}

fn judged(
    lane: &BTreeMap<EventRef, Event>,
    mut judge: impl FnMut(&Event) -> Result<(), Why>,
) -> Vec<Outcome> {
    lane.values().map(|event| outcome(event, judge(event).err())).collect()
}

fn outcome(event: &Event, why: Option<Why>) -> Outcome {
    Outcome { event: event.clone(), effective: why.is_none(), why }
}
