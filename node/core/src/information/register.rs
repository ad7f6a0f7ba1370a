//! [`Register`]: every information share in few bytes: where its events stand, and what narrows a
//! search.
//!
//! No text is kept: whoever wants to read a share reads its events at their places and has them
//! [told](super::tell). Invariant: a register is a function of the set of events that it was given,
//! and equals one that is made anew of them.

use std::collections::BTreeMap;

use tutti_proto::v1::information_event::Transition;

use super::{Event, Filter, InformationId, Share, State, Told, book::ends};
use crate::{
    entry::Visibility,
    fields::date_to_seconds,
    limits::REFERRAL_EVENTS_MAX,
    places::{Logs, Places},
    referral::EventRef,
    society::Society,
};

/// Of one author's events on one share the places that are kept. Each may stand in several entries,
/// sealed to eight societies each, of which all but the first count for nothing once they are read.
const PLACES_MAX: usize = REFERRAL_EVENTS_MAX * 32;

/// What lists ask of a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Who published it.
    pub society: Society,
    /// Where it stands.
    pub state: State,
    /// Who may read it.
    pub visibility: Visibility,
    /// When it was published, by the author's clock, milliseconds since the Unix epoch.
    pub published_at_ms: u64,
    kind: i32,
    stage: i32,
    /// A bit for each country and language; several share one.
    codes: u64,
    /// The last day on which it stands, seconds since the Unix epoch; as late as can be where none
    /// can be read.
    last_day: u64,
}

impl Brief {
    fn of(share: &Share) -> Self {
        let version = &share.version;
        let translations = share.translations();
        let translated = translations.iter().filter_map(|response| {
            let Some(Transition::Translated(translated)) = &response.event.body.transition else {
                return None;
            };
            Some(translated.text.as_ref()?.language.as_str())
        });
        let languages = version.texts.iter().map(|text| text.language.as_str()).chain(translated);
        let ends = [&version.expires_on, &version.deadline_on];
        let last_day = ends.into_iter().filter_map(|day| date_to_seconds(day)).min();
        let codes = version.countries.iter().map(String::as_str).chain(languages);
        Self {
            society: share.society,
            state: share.state,
            visibility: share.visibility,
            published_at_ms: share.published_at_ms,
            kind: version.kind,
            stage: version.stage,
            codes: codes.map(bit).fold(0, |all, bit| all | bit),
            last_day: last_day.unwrap_or(u64::MAX),
        }
    }

    /// Whether it has surely come to its end before `day` (YYYY-MM-DD).
    pub fn has_expired(&self, day: &str) -> bool {
        date_to_seconds(day).is_some_and(|day| self.last_day < day)
    }

    /// Whether it may fit: `false` only where the share surely does not.
    pub fn may_fit(&self, filter: &Filter) -> bool {
        let names = |code: &str| code.is_empty() || self.codes & bit(code) != 0;
        (filter.kind == 0 || self.kind == filter.kind)
            && (filter.stage == 0 || self.stage == 0 || self.stage == filter.stage)
            && names(filter.country)
            && names(filter.language)
    }
}

/// One of 64 bits for a code. Codes of two and three letters are spread well by this sum.
fn bit(code: &str) -> u64 {
    let sum = code.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    1 << (sum % 64)
}

#[derive(Debug, Clone, Default)]
struct Kept {
    places: Places,
    brief: Option<Brief>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Register {
    logs: Logs,
    kept: BTreeMap<InformationId, Kept>,
    /// Events that name no share, for their ids have another size.
    unfiled: Places,
}

impl Register {
    /// Takes the place of an event. Gives the share that it names, and whether that is news: then it
    /// is to be told anew and [settled](Self::settle).
    pub fn take(&mut self, event: &Event) -> Option<(InformationId, bool)> {
        let (logs, class) = (&mut self.logs, u8::from(ends(event)));
        let Some(id) = event.information_id() else {
            self.unfiled.take(logs, &event.at, class, PLACES_MAX);
            return None;
        };
        let kept = self.kept.entry(id).or_default();
        let (news, _) = kept.places.take(logs, &event.at, class, PLACES_MAX);
        Some((id, news))
    }

    /// Where the events of a share stand, in order.
    pub fn places(&self, id: &InformationId) -> Vec<EventRef> {
        self.kept.get(id).map(|kept| kept.places.all(&self.logs)).unwrap_or_default()
    }

    /// Whether the event at that place is kept for the share.
    pub fn holds(&self, id: &InformationId, at: &EventRef) -> bool {
        self.kept.get(id).is_some_and(|kept| kept.places.holds(&self.logs, at))
    }

    /// Notes what the events at [`Self::places`] come to.
    pub fn settle(&mut self, id: &InformationId, told: &Told) {
        if let Some(kept) = self.kept.get_mut(id) {
            kept.brief = told.share.as_deref().map(Brief::of);
        }
    }

    /// Forgets an event that can no longer be read. Says whether it was kept for that share, which is
    /// to be told anew then.
    pub fn forget(&mut self, id: &InformationId, at: &EventRef) -> bool {
        let Some(kept) = self.kept.get_mut(id) else { return false };
        let forgotten = kept.places.forget(&self.logs, at);
        if kept.places.is_empty() {
            self.kept.remove(id);
        }
        forgotten
    }

    /// What lists ask of the share `id`, once what published it is known.
    pub fn get(&self, id: &InformationId) -> Option<&Brief> {
        self.kept.get(id)?.brief.as_ref()
    }

    /// Every share, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&InformationId, &Brief)> {
        self.kept.iter().filter_map(|(id, kept)| Some((id, kept.brief.as_ref()?)))
    }
}

/// Two are equal where they hold the same of the same shares, whatever the order of arrival.
impl PartialEq for Register {
    fn eq(&self, other: &Self) -> bool {
        let rows = |of: &Self| -> Vec<_> {
            let row = |(id, kept): (&InformationId, &Kept)| {
                (*id, kept.places.all(&of.logs), kept.brief.clone())
            };
            of.kept.iter().map(row).collect()
        };
        rows(self) == rows(other) && self.unfiled.all(&self.logs) == other.unfiled.all(&other.logs)
    }
}
