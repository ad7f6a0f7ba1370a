//! Finding a case among those that somebody sees.
//!
//! What the record says is compared first. Only where that does not answer, and only of cases that the
//! person may open by right, the content is opened, its code and the person's name are compared in memory,
//! and it is let go. Invariants: a case that may not be opened is found by its record or not at all, as if
//! its content said nothing; nobody is told what a search has found before it is on record; no index and
//! no log line holds what was looked for.

use prost::Message as _;
use rand_core::CryptoRngCore;
use tutti_core::{
    people::{Action, Verdict},
    referral::{Referral, ReferralId, Search},
    store::Store,
};
use tutti_proto::{node::v1 as api, v1::content::Content};

use crate::{
    engine::{Engine, Refused, allowed::not_allowed},
    local::Actor,
};

/// What opening one content counts beside its bytes: 0.4 ms, so that a page ends after some tenths of a
/// second of it.
const OPENED_BYTES: usize = 16 * 1024;

/// What a search has opened, and what it has told by that.
#[derive(Debug, Default)]
pub(super) struct Searched {
    /// How many contents were opened.
    pub(super) opened: u64,
    /// The cases that were found by them.
    pub(super) found: Vec<ReferralId>,
    /// How much was read for it, as a page counts it.
    pub(super) bytes: usize,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Referrals, the newest first; by what their contents say for the node itself alone.
    pub fn referrals(
        &self,
        actor: &Actor,
        request: &api::ListReferralsRequest,
        now_ms: u64,
    ) -> Result<api::ListReferralsResponse, Refused> {
        let (answer, searched) = self.page_of_referrals(actor, request, now_ms)?;
        // A person's search is recorded before: `Engine::read_referrals`.
        if searched.opened > 0 && actor.account().is_some() {
            return Err(not_allowed(Action::Open));
        }
        Ok(answer)
    }

    /// The same, as somebody asked for it: what was found by contents only once that is recorded.
    pub fn read_referrals(
        &mut self,
        actor: &Actor,
        request: &api::ListReferralsRequest,
        now_ms: u64,
    ) -> Result<api::ListReferralsResponse, Refused> {
        let (answer, searched) = self.page_of_referrals(actor, request, now_ms)?;
        self.record_search(actor, &searched.found, searched.opened, now_ms)?;
        Ok(answer)
    }

    /// Whether a case that somebody sees is one that they look for.
    pub(super) fn finds(
        &self,
        actor: &Actor,
        search: &Search,
        referral: &Referral,
        searched: &mut Searched,
        now_ms: u64,
    ) -> Result<bool, Refused> {
        let beyond = search.beyond(referral);
        if beyond.is_empty() {
            return Ok(true);
        }
        let may = |brief| self.may_with(actor, (&referral.id, brief), Action::Open);
        if self.referrals.get(&referral.id).map(may) != Some(Verdict::Allow) {
            return Ok(false);
        }
        let Some(event) = self.case_event(referral) else { return Ok(false) };
        let content = self.open_content(&event.at, &event.event_id, now_ms)?;
        let Some(Content::Referral(content)) = content else { return Ok(false) };
        searched.opened += 1;
        searched.bytes += OPENED_BYTES + content.encoded_len();
        let found = Search::all_in(&beyond, &content);
        searched.found.extend(found.then_some(referral.id));
        Ok(found)
    }
}
