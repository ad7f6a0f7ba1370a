//! Information shares, as the client API shows them.

use std::cmp::Reverse;

use rand_core::CryptoRngCore;
use tutti_core::{
    entry::Visibility,
    information::{self, Filter, InformationId, Share},
    people::Action,
    society::Society,
    store::Store,
};
use tutti_proto::{node::v1 as api, v1};

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
    ) -> Result<api::InformationShare, Refused> {
        self.check(actor, Action::ReadInformation)?;
        let id: InformationId = request
            .id
            .parse()
            .map_err(|error| Refused::Invalid(format!("information id: {error}")))?;
        let share = self.information.get(&id);
        share.map(share_message).ok_or_else(|| information::Refusal::NotFound.into())
    }

    /// Information shares, the newest first.
    pub fn shares(
        &self,
        actor: &Actor,
        request: &api::ListInformationRequest,
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
        };
        let fits = filter.compile().map_err(Refused::Invalid)?;
        let wanted = |share: &&Share| {
            fits(&share.version)
                && society.is_none_or(|society| share.society == society)
                && (request.with_retracted || share.state != information::State::Retracted)
        };
        let mut found: Vec<&Share> = self.information.iter().filter(wanted).collect();
        found.sort_by_key(|share| (Reverse(share.published_at_ms), share.id));
        let key = |share: &&Share| (share.published_at_ms, *share.id.as_bytes());
        let (page, next_page_token) = page(found, key, request.page_size, &request.page_token)?;
        let shares = page.into_iter().map(share_message).collect();
        Ok(api::ListInformationResponse { shares, next_page_token })
    }
}

fn share_message(share: &Share) -> api::InformationShare {
    let state = match share.state {
        information::State::Published => api::InformationState::Published,
        information::State::Revised => api::InformationState::Revised,
        information::State::Retracted => api::InformationState::Retracted,
    };
    let visibility = match share.visibility {
        Visibility::Public => v1::Visibility::Public,
        Visibility::Federation => v1::Visibility::Federation,
        Visibility::Addressed => v1::Visibility::Addressed,
    };
    api::InformationShare {
        id: share.id.to_string(),
        society: share.society.to_string(),
        state: state as i32,
        visibility: visibility as i32,
        version: Some(share.version.clone()),
        version_number: share.version_number,
        published_at_ms: share.published_at_ms,
        changed_at_ms: share.changed_at_ms,
        retraction_reason: share.retraction_reason.clone(),
    }
}
