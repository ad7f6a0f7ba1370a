//! Information shares: one, and lists of them.
//!
//! Of a share that is addressed to some alone title and text are a content, and to read them is recorded as
//! to read a case is. Invariants: neither is given to a person before the record of that is on the disk; a
//! list gives titles, of which one record tells, unless texts are asked for; that somebody searched the
//! texts is recorded too, for what is found tells what they say.

use std::cmp::Reverse;

use prost::Message as _;
use rand_core::CryptoRngCore;
use tutti_core::{
    entry::Visibility,
    fields::day_of,
    information::{self, Brief, Filter, InformationId, Share, State},
    people::Action,
    society::Society,
    store::Store,
};
use tutti_proto::{node::v1 as api, v1};

use super::{
    page::{EVENT_BYTES, Read, page},
    shares::Depth,
};
use crate::{
    engine::{Engine, Refused, allowed::not_allowed},
    local::Actor,
};

/// What of addressed shares an answer tells.
#[derive(Debug, Default)]
struct Opened {
    /// Whose texts are in it.
    texts: Vec<InformationId>,
    /// Whose titles are, and no text.
    titles: Vec<InformationId>,
    /// Texts were searched.
    searched: bool,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// One information share; the text of an addressed one for the node itself alone.
    pub fn share(
        &self,
        actor: &Actor,
        request: &api::GetInformationRequest,
        now_ms: u64,
    ) -> Result<api::InformationShare, Refused> {
        let (_, visibility) = self.readable(actor, request)?;
        // A person's reading is recorded before: `Engine::read_share`.
        if visibility == Visibility::Addressed && actor.account().is_some() {
            return Err(not_allowed(Action::ReadAddressed));
        }
        self.whole_share(request, now_ms)
    }

    /// The same, as somebody asked for it; the text of an addressed one only once that is recorded.
    pub fn read_share(
        &mut self,
        actor: &Actor,
        request: &api::GetInformationRequest,
        now_ms: u64,
    ) -> Result<api::InformationShare, Refused> {
        let (id, visibility) = self.readable(actor, request)?;
        if visibility == Visibility::Addressed {
            self.record_reading_shares(actor, &[id], "share", now_ms)?;
        }
        self.whole_share(request, now_ms)
    }

    /// The share that is meant, where somebody may read it; else what is said of one that does not exist.
    fn readable(
        &self,
        actor: &Actor,
        request: &api::GetInformationRequest,
    ) -> Result<(InformationId, Visibility), Refused> {
        self.check(actor, Action::ReadInformation)?;
        let id = parse(&request.id)?;
        let brief = self.information.get(&id).filter(|brief| self.reads(actor, brief.visibility));
        let brief = brief.ok_or_else(|| Refused::from(information::Refusal::NotFound))?;
        Ok((id, brief.visibility))
    }

    fn whole_share(
        &self,
        request: &api::GetInformationRequest,
        now_ms: u64,
    ) -> Result<api::InformationShare, Refused> {
        let share = self.share_as_told(&parse(&request.id)?);
        let share = share.ok_or_else(|| Refused::from(information::Refusal::NotFound))?;
        Ok(self.share_message(&share, Depth::Whole(&request.said_after), now_ms)?.0)
    }

    /// Information shares, the newest first; what is to be recorded of a person for the node itself alone.
    pub fn shares(
        &self,
        actor: &Actor,
        request: &api::ListInformationRequest,
        now_ms: u64,
    ) -> Result<api::ListInformationResponse, Refused> {
        let (answer, opened) = self.page_of_shares(actor, request, now_ms)?;
        // A person's reading is recorded before: `Engine::read_shares`.
        let is_read = opened.searched || !(opened.texts.is_empty() && opened.titles.is_empty());
        if is_read && actor.account().is_some() {
            return Err(not_allowed(Action::ReadAddressed));
        }
        Ok(answer)
    }

    /// The same, as somebody asked for it: what addressed shares say only once that is recorded.
    pub fn read_shares(
        &mut self,
        actor: &Actor,
        request: &api::ListInformationRequest,
        now_ms: u64,
    ) -> Result<api::ListInformationResponse, Refused> {
        let (answer, opened) = self.page_of_shares(actor, request, now_ms)?;
        if opened.searched {
            self.record_search_of_shares(actor, now_ms)?;
        }
        self.record_reading_shares(actor, &opened.texts, "share_list", now_ms)?;
        self.record_reading_titles(actor, &opened.titles, now_ms)?;
        Ok(answer)
    }

    fn page_of_shares(
        &self,
        actor: &Actor,
        request: &api::ListInformationRequest,
        now_ms: u64,
    ) -> Result<(api::ListInformationResponse, Opened), Refused> {
        self.check(actor, Action::ReadInformation)?;
        let society: Option<Society> = match request.society.as_str() {
            "" => None,
            code => {
                Some(code.parse().map_err(|error| Refused::Invalid(format!("society: {error}")))?)
            }
        };
        let filter = Filter {
            kind: request.kind,
            country: &request.country,
            stage: request.stage,
            language: &request.language,
            search: &request.search,
            in_force_on: &request.in_force_on,
            verification: request.verification,
            severity_at_least: request.severity_at_least,
            audience: request.audience,
        };
        let fits = filter.codes().map_err(Refused::Invalid)?;
        let today = day_of(now_ms);
        // Of what has ended, a day that is asked for says more than today.
        let passed = |expired: bool| request.in_force_on.is_empty() && expired;
        let stands = |state: State| matches!(state, State::Published | State::Revised);
        let wanted = |brief: &Brief| {
            (request.with_ended || stands(brief.state) && !passed(brief.has_expired(&today)))
                && society.is_none_or(|society| brief.society == society)
                && self.reads(actor, brief.visibility)
                && brief.may_fit(&filter)
        };
        let found = self.information.iter().filter(|(_, brief)| wanted(brief));
        let mut found: Vec<_> = found.map(|(id, brief)| (brief.published_at_ms, *id)).collect();
        found.sort_by_key(|(at_ms, id)| (Reverse(*at_ms), *id));
        let key = |(at_ms, id): &(u64, InformationId)| (*at_ms, *id.as_bytes());
        // They are read one after the other, until the page is full.
        let has_words = filter.words();
        let depth = if request.with_texts { Depth::Texts } else { Depth::Titles };
        let mut searched = false;
        let read = |(_, id): &(u64, InformationId)| {
            let left_out = |bytes| Ok(Read { item: None, bytes });
            let Some(share) = self.share_as_told(id) else { return left_out(EVENT_BYTES) };
            let mut bytes = bytes_of(&share);
            let ended = !request.with_ended && passed(share.has_expired(&today));
            if ended || !fits(&share) {
                return left_out(bytes);
            }
            if !request.search.trim().is_empty() {
                searched |= share.visibility == Visibility::Addressed;
                let (version, _) = self.version_of(&share, now_ms)?;
                bytes += version.encoded_len();
                let mut translations = Vec::new();
                for response in share.translations() {
                    translations.extend(self.translated(response.event, now_ms)?);
                }
                bytes += translations.iter().map(|text| text.encoded_len()).sum::<usize>();
                if !has_words(&version, &translations) {
                    return left_out(bytes);
                }
            }
            let (message, read) = self.share_message(&share, depth, now_ms)?;
            Ok(Read { item: Some(message), bytes: bytes + read })
        };
        let (shares, next_page_token) =
            page(found, key, read, request.page_size, &request.page_token)?;
        let addressed =
            shares.iter().filter(|share| share.visibility() == v1::Visibility::Addressed);
        let addressed: Vec<InformationId> =
            addressed.filter_map(|share| share.id.parse().ok()).collect();
        let (texts, titles) = match depth {
            Depth::Titles => (Vec::new(), addressed),
            Depth::Texts | Depth::Whole(_) => (addressed, Vec::new()),
        };
        let opened = Opened { texts, titles, searched };
        Ok((api::ListInformationResponse { shares, next_page_token }, opened))
    }
}

/// What reading the records of a share counts.
fn bytes_of(share: &Share) -> usize {
    let events = share.outcomes.iter().map(|outcome| &outcome.event.body);
    events.map(|event| event.encoded_len() + EVENT_BYTES).sum()
}

fn parse(id: &str) -> Result<InformationId, Refused> {
    id.parse().map_err(|error| Refused::Invalid(format!("information id: {error}")))
}
