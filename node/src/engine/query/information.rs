//! Information shares, as the client API shows them.

use std::cmp::Reverse;

use rand_core::CryptoRngCore;
use tutti_core::{
    entry::Visibility,
    fields::day_of,
    information::{self, Brief, Event, Filter, InformationId, Kind, Response, Share, State, join},
    people::Action,
    referral::codes,
    society::Society,
    store::Store,
};
use tutti_proto::{
    node::v1 as api,
    v1::{self, information_event::Transition},
};

use super::page::page;
use crate::{
    engine::{Engine, Refused},
    local::Actor,
};

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// One information share.
    pub fn share(
        &self,
        actor: &Actor,
        request: &api::GetInformationRequest,
        now_ms: u64,
    ) -> Result<api::InformationShare, Refused> {
        self.check(actor, Action::ReadInformation)?;
        let id: InformationId = request
            .id
            .parse()
            .map_err(|error| Refused::Invalid(format!("information id: {error}")))?;
        let brief = self.information.get(&id).filter(|brief| self.reads(actor, brief.visibility));
        let share = brief.and_then(|_| self.share_as_told(&id));
        let share = share.ok_or_else(|| Refused::from(information::Refusal::NotFound))?;
        self.share_message(&share, now_ms)
    }

    /// Information shares, the newest first.
    pub fn shares(
        &self,
        actor: &Actor,
        request: &api::ListInformationRequest,
        now_ms: u64,
    ) -> Result<api::ListInformationResponse, Refused> {
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
        let read = |(_, id): &(u64, InformationId)| {
            let Some(share) = self.share_as_told(id) else { return Ok(None) };
            let ended = !request.with_ended && passed(share.has_expired(&today));
            if ended || !fits(&share) {
                return Ok(None);
            }
            if !request.search.trim().is_empty() {
                let (version, _) = self.version_of(&share, now_ms)?;
                let mut translations = Vec::new();
                for response in share.translations() {
                    translations.extend(self.translated(response.event, now_ms)?);
                }
                if !has_words(&version, &translations) {
                    return Ok(None);
                }
            }
            Ok(Some(share))
        };
        let (page, next_page_token) =
            page(found, key, read, request.page_size, &request.page_token)?;
        let shares = page.iter().map(|share| self.share_message(share, now_ms));
        Ok(api::ListInformationResponse {
            shares: shares.collect::<Result<_, _>>()?,
            next_page_token,
        })
    }

    /// What an event says, with the free text of an addressed one, which is in its content. And
    /// whether all of it is here.
    fn told(&self, event: &Event, now_ms: u64) -> Result<(Option<Transition>, bool), Refused> {
        let mut transition = event.body.transition.clone();
        if event.visibility != Visibility::Addressed {
            return Ok((transition, true));
        }
        let content = self.open_content(&event.at, &event.event_id, now_ms)?;
        let is_here = content.is_some();
        if let (Some(transition), Some(content)) = (&mut transition, content) {
            join(transition, content);
        }
        Ok((transition, is_here))
    }

    /// The newest version, with the free text of an addressed one; and whether all of it is here.
    pub(in crate::engine) fn version_of(
        &self,
        share: &Share,
        now_ms: u64,
    ) -> Result<(v1::InformationVersion, bool), Refused> {
        let latest = share.effective().find(|event| event.at == share.latest);
        Ok(match latest.map(|event| self.told(event, now_ms)).transpose()? {
            Some((Some(Transition::Published(version) | Transition::Revised(version)), here)) => {
                (version, here)
            }
            _ => (share.version.clone(), false),
        })
    }

    fn translated(&self, event: &Event, now_ms: u64) -> Result<Option<v1::LocalText>, Refused> {
        Ok(match self.told(event, now_ms)?.0 {
            Some(Transition::Translated(translated)) => translated.text,
            _ => None,
        })
    }

    fn share_message(&self, share: &Share, now_ms: u64) -> Result<api::InformationShare, Refused> {
        let today = day_of(now_ms);
        let (version, text_is_here) = self.version_of(share, now_ms)?;
        let taken_back =
            share.effective().find(|event| Some(&event.at) == share.retracted_at.as_ref());
        let retraction_reason =
            match taken_back.map(|event| self.told(event, now_ms)).transpose()? {
                Some((Some(Transition::Retracted(retracted)), _)) => retracted.reason,
                _ => String::new(),
            };
        let id = |id: Option<InformationId>| id.map(|id| id.to_string()).unwrap_or_default();
        let mut translations = Vec::new();
        for response in share.translations() {
            let text = self.translated(response.event, now_ms)?;
            translations.push(translation_message(&response, text));
        }
        let mut responses = Vec::new();
        for response in share.responses() {
            responses.push(self.response_message(&response, now_ms)?);
        }
        let mut ignored = Vec::new();
        for outcome in &share.outcomes {
            if let Some(why) = &outcome.why {
                let response = Response { version: 0, is_stale: false, event: &outcome.event };
                let explanation = why.to_string();
                let message = self.response_message(&response, now_ms)?;
                ignored.push(api::InformationResponse { explanation, ..message });
            }
        }
        Ok(api::InformationShare {
            id: share.id.to_string(),
            society: share.society.to_string(),
            state: state_message(share, &today) as i32,
            visibility: visibility_message(share.visibility) as i32,
            version: Some(version),
            version_number: share.version_number,
            published_at_ms: share.published_at_ms,
            changed_at_ms: share.changed_at_ms,
            retraction_reason,
            parties: share.parties.iter().map(Society::to_string).collect(),
            not_yet_in_force: share.is_yet_to_begin(&today),
            supersedes: id(share.supersedes),
            superseded_by: id(share.superseded_by),
            versions: share.versions().map(version_message).collect(),
            translations,
            responses,
            text_is_here,
            ignored,
        })
    }

    fn response_message(
        &self,
        response: &Response,
        now_ms: u64,
    ) -> Result<api::InformationResponse, Refused> {
        let event = response.event;
        let (code, note) = match self.told(event, now_ms)?.0 {
            Some(Transition::Endorsed(endorsed)) => ("", endorsed.note),
            Some(Transition::Disputed(disputed)) => {
                (codes::name::<v1::DisputeCode>(disputed.code), disputed.reason)
            }
            Some(Transition::ActedOn(acted)) => {
                (codes::name::<v1::ActionCode>(acted.code), acted.note)
            }
            _ => ("", String::new()),
        };
        Ok(api::InformationResponse {
            society: event.society.to_string(),
            what: event.kind().map_or("malformed", Kind::name).into(),
            code: code.into(),
            note,
            version_number: response.version,
            stale: response.is_stale,
            origin: event.at.origin.to_string(),
            index: event.at.index,
            recorded_at_ms: event.recorded_at_ms,
            explanation: String::new(),
        })
    }
}

fn version_message(version: information::Version) -> api::InformationVersionInfo {
    let event = version.event;
    api::InformationVersionInfo {
        number: version.number,
        origin: event.at.origin.to_string(),
        index: event.at.index,
        recorded_at_ms: event.recorded_at_ms,
        reviewed: event.is_approved(),
    }
}

fn translation_message(
    response: &Response,
    text: Option<v1::LocalText>,
) -> api::InformationTranslation {
    let event = response.event;
    api::InformationTranslation {
        society: event.society.to_string(),
        version_number: response.version,
        stale: response.is_stale,
        text,
        origin: event.at.origin.to_string(),
        index: event.at.index,
        recorded_at_ms: event.recorded_at_ms,
        reviewed: event.is_approved(),
    }
}

fn state_message(share: &Share, today: &str) -> api::InformationState {
    match share.state {
        State::Retracted => api::InformationState::Retracted,
        State::Superseded => api::InformationState::Superseded,
        State::Published | State::Revised if share.has_expired(today) => {
            api::InformationState::Expired
        }
        State::Published => api::InformationState::Published,
        State::Revised => api::InformationState::Revised,
    }
}

fn visibility_message(visibility: Visibility) -> v1::Visibility {
    match visibility {
        Visibility::Public => v1::Visibility::Public,
        Visibility::Federation => v1::Visibility::Federation,
        Visibility::Addressed => v1::Visibility::Addressed,
    }
}
