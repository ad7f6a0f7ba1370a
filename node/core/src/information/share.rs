//! [`Share`]: what the events tell of one share, and what can be read off it.
//!
//! Invariant: nothing here reads a clock. Whether a share has expired is a question about a day,
//! which whoever asks brings along.

use std::collections::BTreeMap;

use tutti_proto::v1::{self, information_event::Transition};

use super::{Event, InformationId, Kind, Outcome, State, check::parties};
use crate::{entry::Visibility, referral::EventRef, society::Society};

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
    /// Whom it is for besides the one that published it, by code; empty unless it is addressed.
    pub parties: Vec<Society>,
    /// The record of its latest version; the last one before it was retracted. The free text of an
    /// addressed share is in the content of [`Share::latest`].
    pub version: v1::InformationVersion,
    /// Where that stands.
    pub latest: EventRef,
    /// From 1.
    pub version_number: u32,
    /// When it was published, by the author's clock, milliseconds since the Unix epoch.
    pub published_at_ms: u64,
    /// When its author last changed it, by the author's clock.
    pub changed_at_ms: u64,
    /// Why it was taken back; empty where it was not, and where the reason is in a content.
    pub retraction_reason: String,
    /// What took it back.
    pub retracted_at: Option<EventRef>,
    /// The share whose place it takes.
    pub supersedes: Option<InformationId>,
    /// The share that takes its place.
    pub superseded_by: Option<InformationId>,
    /// Every event that names it, in one order everywhere, and what became of each.
    pub outcomes: Vec<Outcome>,
}

/// A version of a share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Version<'a> {
    /// From 1.
    pub number: u32,
    /// What made it.
    pub event: &'a Event,
}

/// Something that a society says of a share, or a translation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Response<'a> {
    /// The number of the version that it is about; 0: that the share has ended.
    pub version: u32,
    /// Whether there is a newer version.
    pub is_stale: bool,
    /// What says it.
    pub event: &'a Event,
}

impl Share {
    pub(super) fn new(id: InformationId, first: &Event) -> Self {
        Self {
            id,
            society: first.society,
            state: State::Published,
            visibility: first.visibility,
            parties: parties(first).unwrap_or_default().into_iter().collect(),
            version: v1::InformationVersion::default(),
            latest: first.at.clone(),
            version_number: 0,
            published_at_ms: first.recorded_at_ms,
            changed_at_ms: first.recorded_at_ms,
            retraction_reason: String::new(),
            retracted_at: None,
            supersedes: None,
            superseded_by: None,
            outcomes: Vec::new(),
        }
    }

    /// Takes an event of its author's that leads to the state `next`.
    pub(super) fn take(&mut self, next: State, event: &Event) {
        let id = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).ok().map(InformationId::from_bytes);
        self.state = next;
        self.changed_at_ms = event.recorded_at_ms;
        match &event.body.transition {
            Some(Transition::Published(version) | Transition::Revised(version)) => {
                if self.version_number == 0 {
                    self.supersedes = id(&version.supersedes);
                }
                self.version = version.clone();
                self.latest = event.at.clone();
                self.version_number += 1;
            }
            Some(Transition::Retracted(retracted)) => {
                self.retraction_reason.clone_from(&retracted.reason);
                self.retracted_at = Some(event.at.clone());
            }
            Some(Transition::Superseded(superseded)) => self.superseded_by = id(&superseded.by),
            _ => {}
        }
    }

    /// The events that count, in order.
    pub fn effective(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.outcomes.iter().filter(|outcome| outcome.effective).map(|outcome| &outcome.event)
    }

    /// Whether it was published for that society, or by it. What is not addressed is for everybody.
    pub fn is_for(&self, society: Society) -> bool {
        self.visibility != Visibility::Addressed
            || society == self.society
            || self.parties.contains(&society)
    }

    /// Every version, the first one first.
    pub fn versions(&self) -> impl Iterator<Item = Version<'_>> {
        let makes = |event: &&Event| matches!(event.kind(), Some(Kind::Published | Kind::Revised));
        (1..).zip(self.effective().filter(makes)).map(|(number, event)| Version { number, event })
    }

    /// What the event of its author with this id made: the number of a version, or 0.
    fn number_of(&self, about: &[u8]) -> u32 {
        let mut versions = self.versions();
        let found = versions.find(|version| version.event.event_id.as_slice() == about);
        found.map_or(0, |version| version.number)
    }

    fn response<'a>(&self, event: &'a Event) -> Response<'a> {
        let version = self.number_of(&event.body.about);
        Response { version, is_stale: (1..self.version_number).contains(&version), event }
    }

    /// What others say of it, and stand by: all that they have seen and done, and of each whether it
    /// endorses or disputes now.
    pub fn responses(&self) -> Vec<Response<'_>> {
        let is_stance =
            |event: &Event| matches!(event.kind(), Some(Kind::Endorsed | Kind::Disputed));
        let stances: BTreeMap<Society, &EventRef> =
            self.effective().filter(|event| is_stance(event)).map(|e| (e.society, &e.at)).collect();
        let says = |event: &&Event| match event.kind() {
            Some(Kind::Acknowledged | Kind::ActedOn) => true,
            Some(Kind::Endorsed | Kind::Disputed) => {
                stances.get(&event.society) == Some(&&event.at)
            }
            _ => false,
        };
        self.effective().filter(says).map(|event| self.response(event)).collect()
    }

    /// Of each society the newest translation into each language.
    pub fn translations(&self) -> Vec<Response<'_>> {
        let mut newest: BTreeMap<(&str, Society), &Event> = BTreeMap::new();
        for event in self.effective() {
            if let Some(Transition::Translated(v1::Translated { text: Some(text) })) =
                &event.body.transition
            {
                newest.insert((&text.language, event.society), event);
            }
        }
        newest.into_values().map(|event| self.response(event)).collect()
    }

    /// What is known of that society's own words on it, for deciding what it may say next.
    pub fn own(&self, society: Society) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(move |outcome| outcome.event.society == society)
    }

    /// Whether it has come to its end before `day` (YYYY-MM-DD): its time, or that to apply, is over.
    pub fn has_expired(&self, day: &str) -> bool {
        [&self.version.expires_on, &self.version.deadline_on]
            .into_iter()
            .any(|end| !end.is_empty() && end.as_str() < day)
    }

    /// Whether it is in force later than on `day` (YYYY-MM-DD).
    pub fn is_yet_to_begin(&self, day: &str) -> bool {
        self.version.effective_on.as_str() > day
    }
}
