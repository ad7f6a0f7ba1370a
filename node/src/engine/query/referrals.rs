//! Referrals, as the client API shows them.

use std::{cmp::Reverse, collections::BTreeMap};

use prost::Message as _;
use rand_core::CryptoRngCore;
use tutti_core::{
    body::Part,
    people::Action,
    record,
    referral::{self, Brief, EventRef, Owed, Referral, ReferralId, Search, codes},
    store::Store,
};
use tutti_proto::{
    node::v1 as api,
    v1::{self, content::Content, referral_event::Transition},
};

use super::{
    page::{EVENT_BYTES, Read, page},
    referral_events::{Depth, Events, events_before},
    search::Searched,
    state_of_body,
};
use crate::{
    engine::{Engine, Refused, allowed::not_allowed, project::read_body},
    local::Actor,
};

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// One referral; with the person's case and the notes where `with_content` is set, and for the
    /// node itself alone.
    pub fn referral(
        &self,
        actor: &Actor,
        request: &api::GetReferralRequest,
        now_ms: u64,
    ) -> Result<api::Referral, Refused> {
        let id: ReferralId = request
            .id
            .parse()
            .map_err(|error| Refused::Invalid(format!("referral id: {error}")))?;
        let with_content = request.with_content;
        self.seen(actor, &id)?;
        // A person's reading is recorded before: `Engine::read_referral`.
        if with_content && actor.account().is_some() {
            return Err(not_allowed(Action::Open));
        }
        let before = events_before(&request.events_before)?;
        let referral = self.case(&id).ok_or(referral::Refusal::NotFound)?;
        self.referral_message(actor, &referral, Depth::Shown { with_content, before }, now_ms)
    }

    /// A page of the referrals that somebody sees and asks for, and what was opened to find them.
    pub(super) fn page_of_referrals(
        &self,
        actor: &Actor,
        request: &api::ListReferralsRequest,
        now_ms: u64,
    ) -> Result<(api::ListReferralsResponse, Searched), Refused> {
        use api::ReferralState as S;
        let search = Search::parse(&request.search).map_err(Refused::Invalid)?;
        let mut searched = Searched::default();
        let own = self.identity.society;
        let of_direction = |brief: &Brief| match request.direction() {
            api::Direction::Unspecified => true,
            api::Direction::Sent => brief.sender == own,
            api::Direction::Received => brief.receiver == own,
        };
        let of_state = |brief: &Brief| {
            let state: S = state_message(brief.state);
            request.states.is_empty() || request.states.contains(&(state as i32))
        };
        let deadlines = self.roster.data_protection();
        let late = |brief: &Brief| !request.overdue || brief.overdue(now_ms, deadlines);
        let wanted = |brief: &Brief| of_direction(brief) && of_state(brief) && late(brief);
        let found = self.seen_by(actor).filter(|(_, brief)| wanted(brief));
        let mut found: Vec<_> = found.map(|(id, brief)| (brief.sent_at_ms, *id)).collect();
        found.sort_by_key(|(at_ms, id)| (Reverse(*at_ms), *id));
        let key = |(at_ms, id): &(u64, ReferralId)| (*at_ms, *id.as_bytes());
        let read = |(_, id): &(u64, ReferralId)| {
            let Some(referral) = self.case(id) else {
                return Ok(Read { item: None, bytes: EVENT_BYTES });
            };
            let events = referral.outcomes.iter().map(|outcome| &outcome.event.body);
            let mut bytes = events.map(|event| event.encoded_len() + EVENT_BYTES).sum::<usize>();
            if let Some(search) = &search {
                let before = searched.bytes;
                let found = self.finds(actor, search, &referral, &mut searched, now_ms)?;
                bytes += searched.bytes - before;
                if !found {
                    return Ok(Read { item: None, bytes });
                }
            }
            let item = self.referral_message(actor, &referral, Depth::Listed, now_ms)?;
            bytes += item.unstopped.len() * EVENT_BYTES;
            Ok(Read { item: Some(item), bytes })
        };
        let (referrals, next_page_token) =
            page(found, key, read, request.page_size, &request.page_token)?;
        // One that was found and had no room is told on the next page.
        let told = |id: &ReferralId| referrals.iter().any(|told| told.id == id.to_string());
        searched.found.retain(told);
        Ok((api::ListReferralsResponse { referrals, next_page_token }, searched))
    }

    /// The cases that somebody sees.
    pub(super) fn seen_by<'a>(
        &'a self,
        actor: &'a Actor,
    ) -> impl Iterator<Item = (&'a ReferralId, &'a Brief)> {
        self.referrals.iter().filter(|case| self.sees(actor, *case))
    }

    /// Those that somebody may count: all, or the ones that they see.
    pub(in crate::engine) fn counted_by<'a>(
        &'a self,
        actor: &'a Actor,
    ) -> impl Iterator<Item = (&'a ReferralId, &'a Brief)> {
        let all = actor.may(Action::Count);
        self.referrals.iter().filter(move |case| all || self.sees(actor, *case))
    }

    /// How many referrals are in each state, as far as somebody may count them.
    pub fn referral_counts(&self, actor: &Actor) -> BTreeMap<&'static str, u64> {
        let mut counts: BTreeMap<&str, u64> =
            referral::State::ALL.iter().map(|state| (state.name(), 0)).collect();
        for (_, brief) in self.counted_by(actor) {
            *counts.entry(brief.state.name()).or_default() += 1;
        }
        counts
    }

    /// How many referrals wait for an answer that was due, of either side, as far as somebody may
    /// count them.
    pub fn overdue(&self, actor: &Actor, now_ms: u64) -> u64 {
        let deadlines = self.roster.data_protection();
        self.counted_by(actor).filter(|(_, brief)| brief.overdue(now_ms, deadlines)).count() as u64
    }

    /// The same by what it is that is overdue; of one referral both may be.
    pub(in crate::engine) fn overdue_by(&self, actor: &Actor, owed: Owed, now_ms: u64) -> u64 {
        let deadlines = self.roster.data_protection();
        let late = |brief: &Brief| brief.due_at(deadlines).is_overdue(owed, now_ms);
        self.counted_by(actor).filter(|(_, brief)| late(brief)).count() as u64
    }

    /// A referral, as whoever asks may see it.
    pub(in crate::engine) fn referral_message(
        &self,
        actor: &Actor,
        referral: &Referral,
        depth: Depth,
        now_ms: u64,
    ) -> Result<api::Referral, Refused> {
        let with_content = depth.with_content();
        let deadlines = self.roster.data_protection();
        let (due, erasure) = (referral.due_at(deadlines), referral.erasure(now_ms, deadlines));
        let case = self.case_event(referral);
        let content_state = match case.map(|event| self.content_state(event, now_ms)).transpose()? {
            Some(Some(state)) => state,
            Some(None) | None => api::BodyState::Unspecified,
        };
        let content = match case.filter(|_| with_content) {
            Some(event) => match self.open_content(&event.at, &event.event_id, now_ms)? {
                Some(Content::Referral(content)) => Some(content),
                Some(Content::Note(_) | Content::Information(_) | Content::Attachment(_))
                | None => None,
            },
            None => None,
        };
        let Events { told, left, delivery } = self.event_messages(referral, &depth, now_ms)?;
        Ok(api::Referral {
            id: referral.id.to_string(),
            sender: referral.sender.to_string(),
            receiver: referral.receiver.to_string(),
            state: state_message(referral.state) as i32,
            sent: Some(referral.sent.clone()),
            events: told,
            events_left: left,
            content,
            sent_at_ms: referral.sent_at_ms,
            changed_at_ms: referral.changed_at_ms,
            due_at_ms: due.answer_ms.unwrap_or(0),
            acknowledgement_due_at_ms: due.acknowledgement_ms.unwrap_or(0),
            overdue: due.any_overdue(now_ms),
            acknowledgement_overdue: due.is_overdue(Owed::Acknowledgement, now_ms),
            answer_overdue: due.is_overdue(Owed::Answer, now_ms),
            content_state: content_state as i32,
            erasure: erasure.as_ref().map(erasure_message),
            consent: referral.consent.clone(),
            owner: referral.owner().to_string(),
            handover_open: referral.case == referral::Case::Proposed,
            retained_until_ms: referral.retained_until_ms(deadlines),
            assigned_to: self
                .referrals
                .get(&referral.id)
                .and_then(|brief| self.whose(&referral.id, brief))
                .and_then(|whose| self.local.name_of(whose))
                .unwrap_or_default()
                .into(),
            onward: referral.effective().filter_map(onward_of).collect(),
            overridden: self.overridden(referral),
            consent_standing: Some(standing_message(referral, now_ms)),
            attachments: self.attachment_messages(referral, with_content, now_ms)?,
            delivery: delivery as i32,
            direction: self.direction(referral) as i32,
            waits_for: referral
                .waits_for()
                .map(|(side, _)| referral.society(side).to_string())
                .unwrap_or_default(),
            sender_desk: self.desk_of(referral.sender),
            receiver_desk: self.desk_of(referral.receiver),
            unstopped: self.unstopped_messages(actor, &referral.id, now_ms),
        })
    }

    /// That the person's word was overridden, why, and by whom.
    fn overridden(&self, referral: &Referral) -> Option<api::Overridden> {
        let given = referral.sent.consent_override.as_ref()?;
        let sent = referral.outcomes.iter().map(|outcome| &outcome.event);
        let sent = sent.into_iter().find(|event| event.kind() == Some(referral::Kind::Sent))?;
        let own = sent.society == self.identity.society;
        let who = |pseudonym: &str| {
            let name = self.local.name_of(pseudonym).filter(|_| own);
            name.map_or_else(|| pseudonym.to_owned(), ToOwned::to_owned)
        };
        Some(api::Overridden {
            reason: codes::name::<v1::OverrideReason>(given.reason).into(),
            basis: codes::name::<v1::LegalBasis>(referral.sent.legal_basis).into(),
            author: who(&sent.actor),
            approver: who(&sent.approver),
            by_two: sent.is_approved(),
        })
    }

    /// The content's state here; what is to be erased counts as erased. `None` where there is none.
    pub(super) fn content_state(
        &self,
        event: &referral::Event,
        now_ms: u64,
    ) -> Result<Option<api::BodyState>, Refused> {
        if !event.has_content {
            return Ok(None);
        }
        let header = self.header_at(&event.at)?;
        let content = header.and_then(|header| header.body_key(Part::Content));
        Ok(content.map(|content| match self.is_due(&event.at, now_ms) {
            true => api::BodyState::Erased,
            false => state_of_body(self.store.body_state(&content)),
        }))
    }

    /// The event that tells the case as it is now.
    pub(in crate::engine) fn case_event<'a>(
        &self,
        referral: &'a Referral,
    ) -> Option<&'a referral::Event> {
        referral.effective().rfind(|event| tells_the_case(event))
    }

    /// Opens the content of one entry; `None` where there is none, it is not here, or it cannot be
    /// read.
    pub(in crate::engine) fn open_content(
        &self,
        at: &EventRef,
        event_id: &[u8; 16],
        now_ms: u64,
    ) -> Result<Option<Content>, Refused> {
        if self.is_due(at, now_ms) {
            return Ok(None);
        }
        let Some(header) = self.header_at(at)? else { return Ok(None) };
        let body = read_body(&self.store, &header, Part::Content)?;
        let Some(body) = body else { return Ok(None) };
        let case_key = &self.identity.keyring.case;
        match record::open_content(&header, event_id, &body, &[case_key]) {
            Ok(content) => Ok(content.content),
            Err(unreadable) => {
                tracing::warn!(%at, %unreadable, "a content could not be read");
                Ok(None)
            }
        }
    }
}

/// Whether the event's content is a whole case.
fn tells_the_case(event: &referral::Event) -> bool {
    match &event.body.transition {
        Some(Transition::Sent(_)) => true,
        Some(Transition::Reopened(reopened)) => !reopened.information_disclosed.is_empty(),
        Some(Transition::Corrected(corrected)) => !corrected.information_disclosed.is_empty(),
        _ => false,
    }
}

fn standing_message(referral: &Referral, now_ms: u64) -> api::ConsentStanding {
    let standing = referral.standing(now_ms / 1000);
    let ends_at = referral.consent.as_ref().map_or(0, |consent| consent.expires_at);
    api::ConsentStanding {
        word: standing.word.name().into(),
        society: standing.said_in.map(|event| event.society.to_string()).unwrap_or_default(),
        at_ms: standing.said_in.map_or(0, |event| event.recorded_at_ms),
        ends_at_ms: ends_at.saturating_mul(1000),
        unseen_by: standing.unseen_by.map(|society| society.to_string()).unwrap_or_default(),
    }
}

fn onward_of(event: &referral::Event) -> Option<String> {
    match &event.body.transition {
        Some(Transition::Onward(onward)) => Some(hex::encode(&onward.referral_id)),
        _ => None,
    }
}

fn erasure_message(erasure: &referral::Erasure) -> api::Erasure {
    let claim = |claim: &referral::OnwardClaim| api::OnwardErasure {
        society: claim.to.to_string(),
        id: claim.referral.to_string(),
        stopped: claim.stopped,
        confirmed: claim.confirmed,
    };
    let confirmation = |confirmation: &referral::Confirmation| api::ErasureConfirmation {
        society: confirmation.society.to_string(),
        confirmed: confirmation.open.is_empty(),
        onward: confirmation.onward.iter().map(claim).collect(),
        earlier: confirmation.earlier.map(|earlier| api::EarlierErasure {
            stopped: earlier.stopped,
            confirmed: earlier.confirmed,
        }),
        at_ms: confirmation.at_ms.unwrap_or(0),
        open: u32::try_from(confirmation.open.len()).unwrap_or(u32::MAX),
    };
    api::Erasure {
        reason: codes::name::<v1::ErasureReason>(erasure.reason as i32).into(),
        by: erasure.on.as_ref().map(|event| event.society.to_string()).unwrap_or_default(),
        at_ms: erasure.on.as_ref().map_or(0, |event| event.recorded_at_ms),
        entries: u32::try_from(erasure.entries.len()).unwrap_or(u32::MAX),
        confirmations: erasure.confirmations.iter().map(confirmation).collect(),
        of_case: erasure.of_case,
    }
}

pub(super) fn state_message(state: referral::State) -> api::ReferralState {
    use api::ReferralState as S;
    match state {
        referral::State::Sent => S::Sent,
        referral::State::Acknowledged => S::Acknowledged,
        referral::State::InformationRequested => S::InformationRequested,
        referral::State::Accepted => S::Accepted,
        referral::State::InProgress => S::InProgress,
        referral::State::OnHold => S::OnHold,
        referral::State::Completed => S::Completed,
        referral::State::Declined => S::Declined,
        referral::State::Expired => S::Expired,
        referral::State::Withdrawn => S::Withdrawn,
        referral::State::Cancelled => S::Cancelled,
        referral::State::Closed => S::Closed,
        referral::State::ConsentWithdrawn => S::ConsentWithdrawn,
        referral::State::ErasureRequested => S::ErasureRequested,
        referral::State::EnteredInError => S::EnteredInError,
    }
}
